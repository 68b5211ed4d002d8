//! The service instance and the managers that its content names.

use super::data::{Bindings, Bundle};
use super::{counters, events, privileges};
use crate::fault::Fault;
use crate::inventory::Transaction;
use crate::object;
use crate::schema::ty;
use crate::value::{Array, DateTime, MoRef, Object};

/// Adds the service instance and everything that its content names, except the
/// root folder.
pub(super) fn insert(
    tx: &mut Transaction,
    esx: bool,
    about: &Object,
    now: DateTime,
) -> Result<(), Fault> {
    let end = now.after(std::time::Duration::from_secs(60 * 24 * 3600));
    let bindings: Bindings<'_> = &[
        ("now", now.into()),
        ("about", about.into()),
        ("evaluationEnd", end.into()),
        ("evaluationText", "The evaluation period has 60 days left".into()),
        ("privileges", privileges::privileges().into()),
        ("privilegeDescription", privileges::description().into()),
        ("roles", privileges::roles().into()),
        ("counters", counters::counters()?.into()),
        ("events", events::description().into()),
        ("tasks", task_description().into()),
    ];
    let bundle = if esx {
        Bundle::load("esx.json", include_str!("data/esx.json"), bindings)?
    } else {
        Bundle::load("vcenter.json", include_str!("data/vcenter.json"), bindings)?
    };
    for (id, properties) in bundle.iter() {
        tx.insert(MoRef::new(properties.ty(), id), properties.clone());
    }
    Ok(())
}

/// The states and reasons of tasks in words; the methods are listed by who runs them.
fn task_description() -> Object {
    let element = |(key, label, summary): (&str, &str, &str)| {
        object!(ElementDescription { key: key, label: label, summary: summary })
    };
    let reason = |(key, label, summary): (&str, &str, &str)| {
        object!(TypeDescription { key: key, label: label, summary: summary })
    };
    object!(TaskDescription {
        methodInfo: Array::empty(ty::ElementDescription),
        state: [
            ("queued", "Queued", "The task waits for its turn"),
            ("running", "Running", "The task is under way"),
            ("success", "Success", "The task is complete"),
            ("error", "Error", "The task failed or was cancelled"),
        ]
        .map(element),
        reason: [
            ("TaskReasonSystem", "System", "Started by the server"),
            ("TaskReasonUser", "User", "Started by a user"),
            ("TaskReasonAlarm", "Alarm", "Started by an alarm"),
            ("TaskReasonSchedule", "Schedule", "Started by a scheduled task"),
        ]
        .map(reason),
    })
}
