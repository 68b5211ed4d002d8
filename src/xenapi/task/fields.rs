//! The seventeen fields of a task, read from the record that all front ends share.

use std::sync::Arc;

use super::{CANCELLED_BY, DOOMED, find};
use crate::task::{Said, Standing, TaskId, TaskRecord};
use crate::value::{self, DateTime, MoRef, Str};
use crate::xenapi::class::Field;
use crate::xenapi::value::{Type, Value, write_xml};
use crate::xenapi::view::View;
use crate::xenapi::{mark, work};

/// What may be done with a task.
const OPERATIONS: Type = Type::Enum(&["cancel", "destroy"]);

/// Where a task may be.
pub(super) const STATUS: Type =
    Type::Enum(&["pending", "success", "failure", "cancelling", "cancelled"]);

pub(super) const FIELDS: &[Field] = &[
    Field::new("uuid", Type::String, |view, mo| {
        read(view, mo, |task| Value::String(view.server().refs().task_uuid(task.id)))
    }),
    Field::new("name_label", Type::String, |view, mo| {
        read(view, mo, |task| Value::String(label(task)))
    }),
    Field::new("name_description", Type::String, |view, mo| {
        read(view, mo, |task| Value::String(description(task)))
    }),
    Field::new("allowed_operations", Type::Set(&OPERATIONS), |view, mo| {
        read(view, mo, |task| {
            let status = task.status();
            let can = status.cancelable() && !status.state().is_done();
            Value::texts(can.then_some("cancel"))
        })
    }),
    Field::new("current_operations", Type::Map(&Type::String, &OPERATIONS), |view, mo| {
        read(view, mo, |task| current_operations(view, task))
    }),
    Field::new("created", Type::Time, |view, mo| {
        read(view, mo, |task| Value::Time(task.status().queued_at()))
    }),
    Field::new("finished", Type::Time, |view, mo| {
        read(view, mo, |task| Value::Time(task.status().view().finished.unwrap_or(DateTime::EPOCH)))
    }),
    Field::new("status", STATUS, |view, mo| {
        read(view, mo, |task| Value::text(name(task.status().standing())))
    }),
    Field::new("resident_on", Type::Ref("host"), |view, mo| {
        read(view, mo, |_| Value::String(view.reference_or_null(view.master().as_ref())))
    }),
    Field::new("progress", Type::Float, |view, mo| {
        read(view, mo, |task| Value::Float(task.status().view().progress))
    }),
    Field::new("type", Type::String, |view, mo| read(view, mo, |_| Value::text("<none/>"))),
    Field::new("result", Type::String, |view, mo| {
        read(view, mo, |task| Value::String(result(view, task)))
    }),
    Field::new("error_info", Type::Set(&Type::String), |view, mo| {
        read(view, mo, |task| Value::texts(error_info(view, task)))
    }),
    Field::new("other_config", Type::Map(&Type::String, &Type::String), |view, mo| {
        read(view, mo, |task| mark::map_value(mark::map(task, mark::OTHER_CONFIG)))
    })
    .since("miami"),
    Field::new("subtask_of", Type::Ref("task"), |view, mo| {
        read(view, mo, |task| {
            let parent = task.parent.map(TaskId::moref);
            let parent = parent.filter(|parent| find(view, parent).is_some());
            Value::String(view.reference_or_null(parent.as_ref()))
        })
    })
    .since("orlando"),
    Field::new("subtasks", Type::Set(&Type::Ref("task")), |view, mo| {
        read(view, mo, |task| {
            let children = view.tasks().into_iter().flat_map(|tasks| tasks.children(task.id));
            let visible = children.filter(|child| find(view, &child.mo).is_some());
            Value::texts(visible.map(|child| view.reference(&child.mo)))
        })
    })
    .since("orlando"),
    Field::new("backtrace", Type::String, |view, mo| read(view, mo, |_| Value::text("()")))
        .since("dundee"),
];

fn read(view: &View<'_>, mo: &MoRef, value: impl Fn(&Arc<TaskRecord>) -> Value) -> Value {
    find(view, mo).map_or(Value::Void, value)
}

/// The name of a status.
pub(super) const fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "pending",
        Standing::Success => "success",
        Standing::Failure => "failure",
        Standing::Cancelling => "cancelling",
        Standing::Cancelled => "cancelled",
    }
}

/// The status that has a name.
pub(super) fn standing(name: &str) -> Option<Standing> {
    Some(match name {
        "pending" => Standing::Pending,
        "success" => Standing::Success,
        "failure" => Standing::Failure,
        "cancelling" => Standing::Cancelling,
        "cancelled" => Standing::Cancelled,
        _ => return None,
    })
}

/// The call that made the task, or what vSphere calls it.
fn label(task: &TaskRecord) -> Str {
    let own = mark::text(task, mark::NAME).cloned();
    own.unwrap_or_else(|| {
        let label = Some(&task.label).filter(|label| !label.is_empty());
        label.unwrap_or(&task.description_id).clone()
    })
}

/// What the client that made it said, or what vSphere's clients read of where
/// the work is.
fn description(task: &TaskRecord) -> Str {
    let own = mark::text(task, super::messages::DESCRIPTION).cloned();
    own.unwrap_or_else(|| {
        let message = task.status().description().and_then(|message| message.field("message"));
        match message {
            Some(value::Value::String(text)) => text.clone(),
            _ => Str::new(),
        }
    })
}

/// What is being done with the task: who asked for it to be cancelled, on
/// whichever side, and whether it is to go.
fn current_operations(view: &View<'_>, task: &TaskRecord) -> Value {
    let by_vsphere = || {
        let what = format!("cancel {}", task.key);
        task.status().cancel().map(|_| dummy(&view.server().refs().uuid(&what)))
    };
    let cancelled = mark::text(task, CANCELLED_BY).cloned().or_else(by_vsphere);
    let cancelled = cancelled.map(|by| (by, "cancel"));
    let doomed = mark::flag(task, DOOMED).then(|| (Str::from("task"), "destroy"));
    Value::text_map(cancelled.into_iter().chain(doomed))
}

/// The reference to the task of a call to cancel, which is in no database.
pub(super) fn dummy(uuid: &str) -> Str {
    Str::from(format!("DummyRef:|{uuid}|task.cancel"))
}

/// The result as the text of an XML-RPC value; what a client set, as it is.
fn result(view: &View<'_>, task: &TaskRecord) -> Str {
    match task.status().view().result {
        Said::Nothing => Str::new(),
        Said::Raw(text) => text,
        Said::Typed(given) => {
            if let Some(known) = mark::text(task, mark::RESULT) {
                return known.clone();
            }
            let value = given.map_or(Value::Void, |given| work::neutral(view, &given));
            let mut text = String::new();
            write_xml(&value, &mut text);
            Str::from(text)
        }
    }
}

/// Code and parameters of what went wrong; what a client set, as it is.
fn error_info(view: &View<'_>, task: &TaskRecord) -> Vec<Str> {
    let failed = task.status().standing() == Standing::Failure && !task.status().is_claimed();
    match task.status().view().error {
        Said::Raw(list) => list.to_vec(),
        // A task that failed without a fault says at least so.
        Said::Nothing if !failed => Vec::new(),
        _ => work::failure(view, task).description().cloned().collect(),
    }
}
