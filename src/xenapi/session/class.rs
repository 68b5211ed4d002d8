//! The messages and fields of `session`.

use std::sync::Arc;

use super::Session;
use crate::value::{MoRef, Str};
use crate::xenapi::class::Class;
use crate::xenapi::context::Context;
use crate::xenapi::failure::Failure;
use crate::xenapi::message::{Answer, Args, Message, Param, Preset, Role, Run};
use crate::xenapi::value::{Type, Value};
use crate::xenapi::view::View;

/// Sessions are no objects of the inventory: the class has no fields that
/// could be read for one, its messages do that.
pub(in crate::xenapi) static CLASS: Class = Class {
    name: "session",
    fields: &[],
    messages: MESSAGES,
    objects: |_| Vec::new(),
    exists: |_, _| false,
    by_uuid: |_, _| None,
    listed: false,
    own_getters: &["get_record", "get_by_uuid"],
};

const SELF: &[Param] = &[Param::new("self", Type::Ref("session"))];

pub(in crate::xenapi) const MESSAGES: &[Message] = &[
    Message {
        name: "session.login_with_password",
        params: &[
            Param::new("uname", Type::String),
            Param::new("pwd", Type::String),
            Param::or("version", Type::String, Preset::Text("1.1")),
            Param::or("originator", Type::String, Preset::Text("")),
        ],
        result: Type::Ref("session"),
        session: false,
        is_async: false,
        role: Role::ReadOnly,
        since: "rio",
        run: Run::Now(login),
    },
    Message::read("session.logout", &[], Type::Void, logout),
    Message::read("session.get_record", SELF, Type::Record("session"), get_record),
    Message::read(
        "session.get_by_uuid",
        &[Param::new("uuid", Type::String)],
        Type::Ref("session"),
        get_by_uuid,
    ),
    Message::read("session.get_uuid", SELF, Type::String, |context, args| {
        field(context, args, "uuid")
    }),
    Message::read("session.get_this_host", SELF, Type::Ref("host"), |context, args| {
        field(context, args, "this_host")
    }),
    Message::read("session.get_this_user", SELF, Type::Ref("user"), |context, args| {
        field(context, args, "this_user")
    }),
    Message::read("session.get_last_active", SELF, Type::Time, |context, args| {
        field(context, args, "last_active")
    }),
    Message::read("session.get_pool", SELF, Type::Bool, |context, args| {
        field(context, args, "pool")
    }),
    Message::read("session.get_is_local_superuser", SELF, Type::Bool, |context, args| {
        field(context, args, "is_local_superuser")
    }),
    Message::read("session.get_subject", SELF, Type::Ref("subject"), |context, args| {
        field(context, args, "subject")
    }),
    Message::read("session.get_validation_time", SELF, Type::Time, |context, args| {
        field(context, args, "validation_time")
    }),
    Message::read("session.get_auth_user_sid", SELF, Type::String, |context, args| {
        field(context, args, "auth_user_sid")
    }),
    Message::read("session.get_auth_user_name", SELF, Type::String, |context, args| {
        field(context, args, "auth_user_name")
    }),
    Message::read(
        "session.get_rbac_permissions",
        SELF,
        Type::Set(&Type::String),
        |context, args| field(context, args, "rbac_permissions"),
    ),
    Message::read("session.get_tasks", SELF, Type::Set(&Type::Ref("task")), |context, args| {
        field(context, args, "tasks")
    }),
    Message::read("session.get_parent", SELF, Type::Ref("session"), |context, args| {
        field(context, args, "parent")
    }),
    Message::read("session.get_originator", SELF, Type::String, |context, args| {
        field(context, args, "originator")
    }),
    Message::read(
        "session.get_other_config",
        SELF,
        Type::Map(&Type::String, &Type::String),
        |context, args| field(context, args, "other_config"),
    ),
];

fn login(context: &Context<'_>, args: &Args) -> Answer {
    let (user, password) = (args.text(0), args.text(1));
    let session = context.server.login(user, password, args.text(3), context.origin)?;
    Ok(Value::String(session.reference().clone()))
}

fn logout(context: &Context<'_>, _: &Args) -> Answer {
    context.server.service().logout(context.session()?.inner());
    Ok(Value::Void)
}

/// The session that an argument names: any that is alive.
fn named(context: &Context<'_>, args: &Args) -> Result<Arc<Session>, Failure> {
    let reference = args.text(0);
    let found = context.server.sessions().find(reference);
    found.ok_or_else(|| Failure::handle_invalid("session", reference))
}

fn get_by_uuid(context: &Context<'_>, args: &Args) -> Answer {
    let uuid = args.text(0);
    let mut all = context.server.sessions().list().into_iter();
    let found = all.find(|session| session.uuid() == uuid);
    let found = found.ok_or_else(|| Failure::uuid_invalid("session", uuid))?;
    Ok(Value::String(found.reference().clone()))
}

fn get_record(context: &Context<'_>, args: &Args) -> Answer {
    Ok(record(context, &*named(context, args)?))
}

fn field(context: &Context<'_>, args: &Args, name: &str) -> Answer {
    let record = record(context, &*named(context, args)?);
    Ok(record.get(name).cloned().unwrap_or(Value::Void))
}

fn record(context: &Context<'_>, session: &Session) -> Value {
    let (server, view) = (context.server, context.view());
    let superuser = session.is_superuser(server);
    let permissions = if superuser { Vec::new() } else { server.permissions(session.role(server)) };
    let user = if superuser { Str::new() } else { session.user().clone() };
    Value::Map(
        [
            ("uuid", Value::String(session.uuid().clone())),
            ("this_host", Value::String(view.reference_or_null(view.master().as_ref()))),
            ("this_user", Value::null()),
            ("last_active", Value::Time(session.last_active())),
            ("pool", Value::Bool(false)),
            ("other_config", Value::Map(Vec::new())),
            ("is_local_superuser", Value::Bool(superuser)),
            ("subject", Value::null()),
            ("validation_time", Value::Time(session.login_time())),
            ("auth_user_sid", Value::String(session.subject(server))),
            ("auth_user_name", Value::String(user)),
            ("rbac_permissions", Value::texts(permissions)),
            ("tasks", Value::Set(tasks(&view, session))),
            ("parent", Value::null()),
            ("originator", Value::String(session.originator().clone())),
            ("client_certificate", Value::Bool(false)),
        ]
        .into_iter()
        .map(|(name, value)| (Str::from(name), value))
        .collect(),
    )
}

/// The tasks that the session made and that have not ended.
fn tasks(view: &View<'_>, session: &Session) -> Vec<Value> {
    let live = view.tasks().into_iter().flat_map(crate::task::TaskTable::live);
    let own = live.filter(|task| {
        crate::xenapi::mark::text(task, crate::xenapi::mark::SESSION) == Some(session.reference())
    });
    own.map(|task: &Arc<_>| refer(view, &task.mo)).collect()
}

fn refer(view: &View<'_>, mo: &MoRef) -> Value {
    Value::String(view.reference(mo))
}
