//! The events of scheduled tasks.

use vimsim::schema::{method, ty};
use vimsim::value::{MoRef, Value};
use vimsim::{object, path};

use super::{Client, DAY, HOUR, call, daily, once, spec};
use crate::operations::args;

/// The events of scheduled tasks, oldest first: what they are, and by whom.
fn told(client: &Client) -> Vec<(&'static str, String)> {
    let state = client.sim.snapshot();
    let log = vimsim::engine::events_in(&state).expect("events");
    let of_schedules = log.iter().filter(|event| event.ty.is_a(ty::ScheduledTaskEvent));
    of_schedules.map(|event| (event.ty.name(), event.user.to_string())).collect()
}

#[test]
fn events_tell_of_all_that_happens() {
    let client = Client::new();
    let other = client.sim.vm("DC0_H0_VM1");
    let task = client.made(spec("nightly", daily(3), call("PowerOffVM_Task")));
    client.sim.advance(3 * HOUR);
    // Whoever is to be told by mail is, from now on.
    let settings = MoRef::new(ty::OptionManager, "VpxSettings");
    let host = Value::from("mail.example.org");
    let server = object!(OptionValue { key: "mail.smtp.server", value: host });
    let given = args![changedValue = vec![server]];
    client.sim.call(&settings, method::UpdateOptions, given).expect("a setting");
    client.sim.advance(DAY);
    let given = args![spec = spec("nightly", daily(4), call("ShutdownGuest"))];
    client.sim.call(&task, method::ReconfigureScheduledTask, given).expect("a change");
    client.void(&task, method::RunScheduledTask).expect("a run");
    client.sim.done(&client.vm, method::Destroy_Task, args![]);
    let expected = [
        "ScheduledTaskCreatedEvent",
        "ScheduledTaskStartedEvent",
        "ScheduledTaskCompletedEvent",
        "ScheduledTaskEmailFailedEvent",
        "ScheduledTaskStartedEvent",
        "ScheduledTaskFailedEvent",
        "ScheduledTaskEmailCompletedEvent",
        "ScheduledTaskReconfiguredEvent",
        "ScheduledTaskStartedEvent",
        "ScheduledTaskFailedEvent",
        "ScheduledTaskEmailCompletedEvent",
        "ScheduledTaskRemovedEvent",
    ];
    assert_eq!(told(&client), expected.map(|name| (name, "tester".to_owned())));
    let state = client.sim.snapshot();
    let log = vimsim::engine::events_in(&state).expect("events");
    let failed = log.iter().find(|event| event.ty == ty::ScheduledTaskFailedEvent);
    let failed = failed.expect("a failure").builder().finish();
    let at = |path| failed.at(path).cloned();
    assert_eq!(at(path!(ScheduledTaskEvent, "scheduledTask.name")), Some("nightly".into()));
    assert_eq!(at(path!(ScheduledTaskEvent, "scheduledTask.scheduledTask")), Some(task.into()));
    assert_eq!(at(path!(ScheduledTaskEvent, "entity.entity")), Some(client.vm.clone().into()));
    let mailed = log.iter().find(|event| event.ty == ty::ScheduledTaskEmailCompletedEvent);
    let mailed = mailed.expect("a mail").builder().finish();
    let to = mailed.at(path!(ScheduledTaskEmailCompletedEvent, "to")).and_then(Value::as_str);
    assert_eq!(to, Some("somebody@example.org"));
    assert_eq!(mailed.field("chainId"), failed.field("chainId"));
    let reason = at(path!(ScheduledTaskFailedEvent, "reason.fault"));
    assert_eq!(reason.and_then(|it| Some(it.as_object()?.ty())), Some(ty::InvalidPowerState));
    let changed = log.iter().find(|event| event.ty == ty::ScheduledTaskReconfiguredEvent);
    let changed = changed.expect("a change").builder().finish();
    let told_of = changed.at(path!(ScheduledTaskReconfiguredEvent, "configChanges.modified"));
    let told_of = told_of.and_then(Value::as_str).unwrap_or_default();
    assert!(told_of.contains("info.scheduler.hour: 3 -> 4;"), "{told_of}");
    let last = client.create(&other, spec("last", once("2025-01-05T00:00:00Z"), call("destroy")));
    client.void(&last.expect("a scheduled task"), method::RemoveScheduledTask).expect("an end");
    assert_eq!(told(&client).len(), expected.len() + 2);
}
