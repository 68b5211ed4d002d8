//! What people do about alarms: acknowledge them, reset them, have them quiet.

use vimsim::schema::{method, ty};
use vimsim::value::Value;
use vimsim::{enum_value, object};

use super::{Client, at, is_off, manager, power_on, spec, with_action, word};
use crate::operations::args;

#[test]
fn an_acknowledged_alarm_is_quiet_until_it_is_well_again() {
    let client = Client::new();
    let action = at(&[("green", "red")], false, object!(SendSNMPAction {}));
    let alarm = client.made(&client.root, with_action(&spec("off", is_off()), action));
    let acknowledge = || {
        let given = args![alarm = alarm.clone(), entity = client.vm.clone()];
        client.sim.call(&manager(), method::AcknowledgeAlarm, given)
    };
    acknowledge().expect("nothing to do");
    assert!(client.events(ty::AlarmAcknowledgedEvent).is_empty());
    client.power(false);
    acknowledge().expect("noted");
    acknowledge().expect("noted already");
    let told = client.events(ty::AlarmAcknowledgedEvent);
    assert_eq!((told.len(), word(&told[0], "userName")), (1, "tester".to_owned()));
    let state = client.declared(&client.vm, &alarm).expect("a state");
    assert_eq!(state.field("acknowledged").and_then(Value::as_bool), Some(true));
    assert_eq!(word(&state, "acknowledgedByUser"), "tester");
    assert_eq!(client.events(ty::AlarmActionTriggeredEvent).len(), 1);
    client.power(true);
    let state = client.declared(&client.vm, &alarm).expect("a state");
    assert_eq!(state.field("acknowledged").and_then(Value::as_bool), Some(false));
    assert!(state.field("acknowledgedTime").is_none());
    client.power(false);
    assert_eq!(client.events(ty::AlarmActionTriggeredEvent).len(), 2);
    // Only an alarm and an entity that has it.
    let other = args![alarm = alarm.clone(), entity = client.sim.find(ty::Datastore, "LocalDS_0")];
    let fault = client.sim.call(&manager(), method::AcknowledgeAlarm, other).expect_err("a fault");
    assert_eq!(fault.ty(), ty::InvalidArgument);
}

#[test]
fn triggered_alarms_are_reset() {
    let client = Client::new();
    let alarm = client.made(&client.root, spec("off", is_off()));
    client.power(false);
    let clear = |status: Option<Value>, of: &str, by: &str| {
        let filter = object!(AlarmFilterSpec {
            status: status.into_iter().collect::<Vec<_>>(),
            typeEntity: of,
            typeTrigger: by,
        });
        client.sim.call(&manager(), method::ClearTriggeredAlarms, args![filter = filter])
    };
    let yellow = Value::from(enum_value!(ManagedEntityStatus::yellow));
    clear(Some(yellow), "entityTypeAll", "triggerTypeAll").expect("no yellow ones");
    clear(None, "entityTypeHost", "triggerTypeAll").expect("no hosts");
    clear(None, "entityTypeAll", "triggerTypeEvent").expect("no events");
    assert_eq!(client.status(&client.vm, &alarm), "red");
    assert!(clear(None, "nothing", "").is_err());
    clear(None, "entityTypeVm", "triggerTypeMetric").expect("one");
    assert_eq!(client.status(&client.vm, &alarm), "green");
    assert!(client.triggered(&client.root).is_empty());
    let told = client.events(ty::AlarmClearedEvent);
    assert_eq!((told.len(), word(&told[0], "from")), (1, "red".to_owned()));
    // When the machine changes it is looked at again.
    client.sim.done(&client.vm, method::Rename_Task, args![newName = "another".to_owned()]);
    assert_eq!(client.status(&client.vm, &alarm), "red");
}

#[test]
fn an_alarm_can_be_unwanted_on_one_entity() {
    let client = Client::new();
    let alarm = client.made(&client.root, spec("off", is_off()));
    client.power(false);
    let set = |method| {
        let given = args![alarm = alarm.clone(), entity = client.vm.clone()];
        client.sim.call(&manager(), method, given).expect("done");
    };
    set(method::DisableAlarm);
    let state = client.declared(&client.vm, &alarm).expect("a state");
    assert_eq!(word(&state, "overallStatus"), "gray");
    assert_eq!(state.field("disabled").and_then(Value::as_bool), Some(true));
    client.power(true);
    client.power(false);
    assert!(client.triggered(&client.root).is_empty());
    set(method::EnableAlarm);
    assert_eq!(client.status(&client.vm, &alarm), "red");
}

#[test]
fn actions_can_be_unwanted_below_a_folder() {
    let client = Client::new();
    let action = at(&[("green", "red")], false, power_on());
    let alarm = client.made(&client.root, with_action(&spec("off", is_off()), action));
    let datacenter = client.sim.find(ty::Datacenter, "DC0");
    let enable = |enabled: bool| {
        let given = args![entity = datacenter.clone(), enabled = enabled];
        client.sim.call(&manager(), method::EnableAlarmActions, given).expect("done");
    };
    enable(false);
    client.power(false);
    assert_eq!(client.status(&client.vm, &alarm), "red");
    assert!(client.tasks(&alarm).is_empty());
    client.power(true);
    enable(true);
    client.power(false);
    assert_eq!(client.tasks(&alarm).len(), 1);
    assert_eq!(client.status(&client.vm, &alarm), "green", "it was powered on");
}
