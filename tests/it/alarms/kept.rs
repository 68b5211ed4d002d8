//! States that are kept and brought back, and who sees alarms.

use vimsim::object;
use vimsim::path;
use vimsim::schema::{method, ty};
use vimsim::value::{MoRef, Object};

use super::{Client, at, is_off, spec, with_action, word};
use crate::operations::{Sim, args};

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

/// A server that was saved elsewhere: its alarms are watched again, and what they
/// had noticed is known.
#[test]
fn a_saved_inventory_keeps_its_alarms() {
    let client = Client::new();
    let off = client.made(&client.root, spec("off", is_off()));
    let expression = object!(EventAlarmExpression {
        eventType: "VmPoweredOffEvent",
        objectType: "VirtualMachine",
        status: "yellow"
    });
    let was = client.made(&client.root, spec("was off", expression));
    client.power(false);
    let given = args![alarm = was.clone(), entity = client.vm.clone()];
    client.sim.call(&super::manager(), method::AcknowledgeAlarm, given).expect("noted");
    // What a client reads of everything, computed properties too.
    let state = client.sim.snapshot();
    let saved: Vec<Object> = state
        .iter()
        .map(|(mo, properties)| {
            let shown = path!(ManagedEntity, "triggeredAlarmState");
            let mut all: Vec<Object> = properties
                .iter()
                .filter(|(field, _)| field.name() != "triggeredAlarmState")
                .map(|(field, value)| {
                    object!(DynamicProperty { name: field.name(), val: value.clone() })
                })
                .collect();
            if mo.ty().is_a(ty::ManagedEntity) {
                let shown = client.sim.shown(mo, shown).expect("a list");
                all.push(object!(DynamicProperty { name: "triggeredAlarmState", val: shown }));
            }
            object!(ObjectContent { obj: mo, propSet: all })
        })
        .collect();
    let config =
        vimsim::Config { clock: vimsim::config::ClockMode::Stepped, ..vimsim::Config::default() };
    let service = vimsim::vsphere::Service::with_saved(config, &saved).expect("a service");
    let again = Client::of(Sim::of(service));
    assert_eq!(again.status(&again.vm, &off), "red");
    assert_eq!(again.status(&again.vm, &was), "yellow");
    let state = again.declared(&again.vm, &was).expect("a state");
    assert_eq!(word(&state, "acknowledgedByUser"), "tester");
    again.power(true);
    let expected = vec![(was, again.vm.clone(), "yellow".to_owned())];
    assert_eq!(again.triggered(&again.root), expected);
}
