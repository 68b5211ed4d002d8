//! States that are kept and brought back, and who sees alarms.

use vimsim::object;
use vimsim::schema::{method, ty};
use vimsim::value::MoRef;

use super::{Client, at, is_off, spec, with_action};
use crate::operations::args;

/// Alarms come back as they were, with what they wait for.
#[test]
fn a_saved_state_has_its_alarms() {
    let client = Client::new();
    let action = at(&[("green", "red")], true, object!(SendSNMPAction {}));
    let spec = with_action(&spec("off", is_off()), action);
    let spec = spec.with(const { ty::AlarmSpec.slot("actionFrequency") }, 60);
    let alarm = client.made(&client.vm, spec);
    client.sim.start(&client.vm, method::PowerOffVM_Task, args![]).expect("a task");
    client.advance(30);
    let count = || client.events(ty::AlarmSnmpCompletedEvent).len();
    assert_eq!((client.status(&client.vm, &alarm).as_str(), count()), ("red", 1));
    client.sim.service.save_state("red");
    client.sim.call(&alarm, method::RemoveAlarm, args![]).expect("gone");
    client.advance(600);
    assert!(client.triggered(&client.root).is_empty());
    assert_eq!(count(), 1);
    for _ in 0..2 {
        client.sim.service.restore_state("red").expect("a state");
        assert_eq!((client.triggered(&client.root).len(), count()), (1, 1));
        client.advance(60);
        assert_eq!(count(), 2, "it went on where it was");
        client.sim.start(&client.vm, method::PowerOnVM_Task, args![]).expect("a task");
        client.advance(30);
        assert!(client.triggered(&client.root).is_empty());
    }
}

/// What watches the entity and what is above it is told.
#[test]
fn those_who_watch_are_told() {
    let client = Client::new();
    client.made(&client.root, spec("off", is_off()));
    let before = client.sim.snapshot().version();
    client.power(false);
    let since = client.sim.service.engine().store().since(before).expect("known");
    let touched =
        |mo: &MoRef| since.iter().flat_map(|it| it.changes.iter()).any(|it| it.object == *mo);
    assert!(touched(&client.vm) && touched(&client.root));
    assert!(!touched(&client.sim.vm("DC0_H0_VM1")));
}
