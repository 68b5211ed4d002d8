//! The messages of `task` that do not follow from its fields.

use std::sync::Arc;

use super::fields::{STATUS, dummy, standing};
use super::{CANCELLED_BY, CLASS, DOOMED, HIDDEN, collect, is_visible};
use crate::engine::{TaskSpec, Tx};
use crate::fault::Fault;
use crate::task::{
    CancelOutcome, CancelRequest, Claim, Command, Operation, Reason, TaskId, TaskRecord,
};
use crate::value::{self, Str};
use crate::xenapi::context::Context;
use crate::xenapi::failure::Failure;
use crate::xenapi::mark;
use crate::xenapi::message::{Answer, Args, Message, Param, Role, Run};
use crate::xenapi::value::{Type, Value};

/// The name_description that the task was created with.
pub(super) const DESCRIPTION: &str = "xenapi.name_description";

const SELF: Param = Param::new("self", Type::Ref("task"));
const KEY: Param = Param::new("key", Type::String);
const TEXTS: Type = Type::Map(&Type::String, &Type::String);

/// A message that changes something; whose it may be depends on the task.
const fn change(
    name: &'static str,
    params: &'static [Param],
    since: &'static str,
    run: fn(&Context<'_>, &Args) -> Answer,
) -> Message {
    Message {
        name,
        params,
        result: Type::Void,
        session: true,
        is_async: false,
        role: Role::ReadOnly,
        since,
        run: Run::Now(run),
    }
}

/// The same with an asynchronous form.
const fn also_async(message: Message) -> Message {
    Message { is_async: true, ..message }
}

pub(super) const MESSAGES: &[Message] = &[
    Message {
        result: Type::Ref("task"),
        ..change(
            "task.create",
            &[Param::new("label", Type::String), Param::new("description", Type::String)],
            "rio",
            create,
        )
    },
    change("task.destroy", &[SELF], "rio", destroy),
    also_async(change("task.cancel", &[Param::new("task", Type::Ref("task"))], "rio", cancel)),
    change("task.set_status", &[SELF, Param::new("value", STATUS)], "falcon", set_status),
    change("task.set_progress", &[SELF, Param::new("value", Type::Float)], "stockholm", |c, a| {
        claim(c, a, Claim::Progress(a.float(1)))
    }),
    change("task.set_result", &[SELF, Param::new("value", Type::String)], "21.3.0", |c, a| {
        claim(c, a, Claim::Result(Str::from(a.text(1))))
    }),
    change(
        "task.set_error_info",
        &[SELF, Param::new("value", Type::Set(&Type::String))],
        "21.3.0",
        |c, a| claim(c, a, Claim::Error(a.texts(1).into())),
    ),
    also_async(change(
        "task.add_to_other_config",
        &[SELF, KEY, Param::new("value", Type::String)],
        "miami",
        add_to_other_config,
    )),
    also_async(change(
        "task.remove_from_other_config",
        &[SELF, KEY],
        "miami",
        remove_from_other_config,
    )),
    also_async(change(
        "task.set_other_config",
        &[SELF, Param::new("value", TEXTS)],
        "miami",
        set_other_config,
    )),
];

/// Makes a task whose work the client does: nothing here ends it.
fn create(context: &Context<'_>, args: &Args) -> Answer {
    let session = context.session()?;
    let kind = Str::from("task.create");
    let mut spec = TaskSpec::new(Operation::Extension(kind.clone()), kind);
    spec.label = Str::from(args.text(0));
    spec.reason = Reason::User(session.user().clone());
    spec.owner = Some(session.user().clone());
    let task = context.commit(|tx| {
        let task = tx.create_task(spec)?;
        context.sign(tx, task.id)?;
        set(tx, task.id, mark::NAME, text(args.text(0)))?;
        set(tx, task.id, DESCRIPTION, text(args.text(1)))?;
        // The task of this call is another, and over with it.
        tx.set_extra(task.id, Str::from(mark::SYNCHRONOUS), None)?;
        tx.apply(task.id, Command::Start)?;
        Ok(task.mo.clone())
    })?;
    Ok(Value::String(context.view().reference(&task)))
}

/// Over, it goes at once; otherwise when it is.
fn destroy(context: &Context<'_>, args: &Args) -> Answer {
    change_task(context, args, |tx, task| {
        let over = task.status().standing().outcome().is_some();
        let mark = if over { HIDDEN } else { DOOMED };
        set(tx, task.id, mark, value::Value::Boolean(true))
    })
}

/// Never waits, and always succeeds on a task that is there.
fn cancel(context: &Context<'_>, args: &Args) -> Answer {
    let by = dummy(&context.server.ids().uuid().to_string());
    let user = context.session()?.user().clone();
    change_task(context, args, |tx, task| {
        set(tx, task.id, CANCELLED_BY, value::Value::String(by))?;
        let request = CancelRequest { by: Some(user.clone()), at: tx.now() };
        match tx.cancel(task.id, Some(user)) {
            // Work of a client's own: only the client can stop it.
            CancelOutcome::NotCancellable if !task.driven => {
                tx.claim(task.id, Claim::Cancel(request))
            }
            // Whatever else it meets: what cannot be stopped goes on, and
            // nobody is told.
            _ => Ok(()),
        }
    })
}

fn set_status(context: &Context<'_>, args: &Args) -> Answer {
    let name = args.text(1);
    let standing = standing(name)
        .ok_or_else(|| Failure::internal_error(&format!("{name} is no status of a task")))?;
    claim(context, args, Claim::Standing(standing))
}

fn claim(context: &Context<'_>, args: &Args, claim: Claim) -> Answer {
    change_task(context, args, |tx, task| {
        tx.claim(task.id, claim)?;
        collect::keep(tx, task.id);
        Ok(())
    })
}

/// Keys that more than readers may not write, because XenCenter believes them.
const GUARDED: [&str; 3] = ["applies_to", "XenCenterUUID", "XenCenterMeddlingActionTitle"];

fn guard(context: &Context<'_>, key: &str) -> Result<(), Failure> {
    if !GUARDED.contains(&key) {
        return Ok(());
    }
    context.require(&format!("{}/key:{key}", context.name), Role::VmOperator)
}

fn add_to_other_config(context: &Context<'_>, args: &Args) -> Answer {
    let (key, new) = (args.text(1), args.text(2));
    guard(context, key)?;
    let mut twice = false;
    change_task(context, args, |tx, task| {
        let mut map = mark::map(task, mark::OTHER_CONFIG);
        twice = map.iter().any(|(known, _)| known == key);
        if twice {
            return Ok(());
        }
        map.push((Str::from(key), Str::from(new)));
        set(tx, task.id, mark::OTHER_CONFIG, mark::of_map(map))
    })?;
    if twice {
        return Err(Failure::map_duplicate_key("task", "other_config", args.text(0), key));
    }
    Ok(Value::Void)
}

fn remove_from_other_config(context: &Context<'_>, args: &Args) -> Answer {
    let key = args.text(1);
    guard(context, key)?;
    change_task(context, args, |tx, task| {
        let mut map = mark::map(task, mark::OTHER_CONFIG);
        let before = map.len();
        map.retain(|(known, _)| known != key);
        if map.len() == before {
            return Ok(());
        }
        set(tx, task.id, mark::OTHER_CONFIG, mark::of_map(map))
    })
}

fn set_other_config(context: &Context<'_>, args: &Args) -> Answer {
    let map = args.text_map(1);
    map.iter().try_for_each(|(key, _)| guard(context, key))?;
    change_task(context, args, |tx, task| set(tx, task.id, mark::OTHER_CONFIG, mark::of_map(map)))
}

fn text(text: &str) -> value::Value {
    value::Value::String(Str::from(text))
}

fn set(tx: &mut Tx<'_>, id: TaskId, name: &str, value: value::Value) -> Result<(), Fault> {
    tx.set_extra(id, Str::from(name), Some(value))
}

/// Changes the task that the first argument names, if the caller may.
fn change_task(
    context: &Context<'_>,
    args: &Args,
    change: impl FnOnce(&mut Tx<'_>, &Arc<TaskRecord>) -> Result<(), Fault>,
) -> Answer {
    let reference = args.text(0);
    let view = context.view();
    let found = CLASS.find(&view, reference);
    let own = found.as_ref().is_ok_and(|mo| view.task(mo).is_some_and(|task| owns(context, task)));
    // A reference to nothing is as foreign as a task of somebody else.
    if !own {
        context.require("task.destroy/any", Role::PoolOperator)?;
    }
    let mo = found?;
    context.commit(|tx| {
        let task = tx.find_task(&mo)?.clone();
        if !is_visible(tx.aside(), &task) {
            return Err(Fault::not_found(&mo));
        }
        change(tx, &task)
    })?;
    Ok(Value::Void)
}

/// Whether the caller is the one whose session made the task; once that
/// session is over the task is nobody's.
fn owns(context: &Context<'_>, task: &TaskRecord) -> bool {
    let Ok(session) = context.session() else { return false };
    let made_by = mark::text(task, mark::SESSION);
    made_by.is_some_and(|made_by| context.server.sessions().find(made_by).is_some())
        && mark::text(task, mark::SUBJECT) == Some(&session.subject(context.server))
}
