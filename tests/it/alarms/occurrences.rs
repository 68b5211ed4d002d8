//! Alarms that wait for events.

use vimsim::schema::{method, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::{object, path};

use super::{Client, at, spec, with_action, word};
use crate::operations::args;

fn event(id: &str, of: &str, status: Option<&str>) -> Object {
    object!(EventAlarmExpression {
        eventType: "EventEx",
        eventTypeId: id,
        objectType: of,
        status: status,
    })
}

fn post(client: &Client, id: &str, about: &MoRef) {
    let manager = MoRef::new(ty::EventManager, "EventManager");
    let event = object!(EventEx {
        key: 0,
        chainId: 0,
        userName: "",
        eventTypeId: id,
        severity: "info",
        objectId: about.id(),
        objectType: about.ty().name(),
        arguments: vec![object!(KeyAnyValue { key: "part", value: Value::from("fan") })],
    });
    client.sim.call(&manager, method::PostEvent, args![eventToPost = event]).expect("posted");
}

/// The latest event counts, and its number shows.
#[test]
fn the_latest_event_gives_the_status() {
    let client = Client::new();
    let expression = object!(OrAlarmExpression {
        expression: vec![
            event("a.well", "VirtualMachine", Some("green")),
            event("a.warning", "VirtualMachine", Some("yellow")),
            event("a.failure", "vim.VirtualMachine", Some("red")),
        ],
    });
    let alarm = client.made(&client.root, spec("events", expression));
    let vm = &client.vm;
    assert_eq!(client.status(vm, &alarm), "gray");
    post(&client, "a.well", vm);
    assert!(client.triggered(&client.root).is_empty());
    post(&client, "a.failure", vm);
    assert_eq!(client.status(vm, &alarm), "red");
    let state = client.declared(vm, &alarm).expect("a state");
    let posted = client.events(ty::EventEx);
    assert_eq!(state.field("eventKey"), posted.last().and_then(|it| it.field("key")));
    post(&client, "a.warning", vm);
    assert_eq!(client.status(vm, &alarm), "yellow");
    post(&client, "a.failure", &client.sim.find(ty::HostSystem, "DC0_H0"));
    assert_eq!(client.triggered(&client.root).len(), 1, "of machines only");
    post(&client, "a.well", vm);
    assert!(client.triggered(&client.root).is_empty());
    assert_eq!(client.changes(), ["green to red", "red to yellow", "yellow to green"]);
}

#[test]
fn attributes_are_compared() {
    let client = Client::new();
    let compare = |name: &str, operator: &str, value: &str| {
        object!(EventAlarmExpressionComparison {
            attributeName: name,
            operator: operator,
            value: value,
        })
    };
    let table = [
        (compare("vm.name", "equals", "DC0_H0_VM0"), true),
        (compare("vm.name", "notEqualTo", "DC0_H0_VM0"), false),
        (compare("host.name", "startsWith", "DC0"), true),
        (compare("host.name", "doesNotStartWith", "DC0"), false),
        (compare("datacenter.name", "endsWith", "C0"), true),
        (compare("datacenter.name", "doesNotEndWith", "C0"), false),
        (compare("userName", "equals", "tester"), true),
        (compare("template", "equals", "true"), false),
        (compare("nothing", "equals", ""), true),
    ];
    let alarms: Vec<(MoRef, bool)> = table
        .into_iter()
        .enumerate()
        .map(|(at, (comparison, expected))| {
            let expression = object!(EventAlarmExpression {
                eventType: "VmPoweredOffEvent",
                objectType: "VirtualMachine",
                status: "red",
                comparisons: vec![comparison],
            });
            (client.made(&client.root, spec(&format!("alarm {at}"), expression)), expected)
        })
        .collect();
    client.power(false);
    for (at, (alarm, expected)) in alarms.iter().enumerate() {
        let expected = if *expected { "red" } else { "gray" };
        assert_eq!(client.status(&client.vm, alarm), expected, "comparison {at}");
    }
    // An extension's event has arguments of its own.
    let own = event("a.failure", "VirtualMachine", Some("red"));
    let slot = const { ty::EventAlarmExpression.slot("comparisons") };
    let own = own.with(slot, vec![compare("part", "equals", "fan")]);
    let alarm = client.made(&client.root, spec("own", own));
    post(&client, "a.failure", &client.vm);
    assert_eq!(client.status(&client.vm, &alarm), "red");
}

/// An event is also one of the objects that it names around what it is about.
#[test]
fn events_are_found_on_the_objects_around_them() {
    let client = Client::new();
    let powered = |of: &str| {
        object!(EventAlarmExpression { eventType: "VmEvent", objectType: of, status: "yellow" })
    };
    let host = client.sim.find(ty::HostSystem, "DC0_H0");
    let datacenter = client.sim.find(ty::Datacenter, "DC0");
    let of_host = client.made(&host, spec("host", powered("HostSystem")));
    let of_datacenter = client.made(&client.root, spec("datacenter", powered("Datacenter")));
    let elsewhere = client.sim.find(ty::Folder, "network");
    let of_other = client.made(&elsewhere, spec("other", powered("VirtualMachine")));
    client.power(false);
    assert_eq!(client.status(&host, &of_host), "yellow");
    assert_eq!(client.status(&datacenter, &of_datacenter), "yellow");
    let all = client.triggered(&client.root);
    assert!(all.iter().all(|(alarm, ..)| *alarm != of_other), "{all:?}");
    // Without a type only the entity itself counts.
    let expression = object!(EventAlarmExpression { eventType: "VmPoweredOnEvent", status: "red" });
    let itself = client.made(&client.vm, spec("itself", expression.clone()));
    let above = client.made(&client.root, spec("above", expression));
    client.power(true);
    assert_eq!(client.status(&client.vm, &itself), "red");
    assert_eq!(client.status(&client.root, &above), "gray");
    let logins =
        object!(EventAlarmExpression { eventType: "UserLoginSessionEvent", status: "red" });
    let logins = client.made(&client.root, spec("logins", logins));
    let again = crate::operations::Sim::of(client.sim.service.clone());
    drop(again);
    assert_eq!(client.status(&client.root, &logins), "red");
}

/// Without a status there is nothing to see, but its actions are done each time.
#[test]
fn an_event_without_a_status_sets_off_actions_each_time() {
    let client = Client::new();
    let action = object!(AlarmTriggeringAction {
        action: object!(RunScriptAction { script: "/bin/tell" }),
        green2yellow: false,
        yellow2red: false,
        red2yellow: false,
        yellow2green: false,
    });
    let expression = event("a.note", "VirtualMachine", None);
    let alarm = client.made(&client.root, with_action(&spec("note", expression), action));
    for _ in 0..3 {
        post(&client, "a.note", &client.vm);
        client.advance(2);
    }
    assert_eq!(client.status(&client.vm, &alarm), "gray");
    assert!(client.changes().is_empty() && client.triggered(&client.root).is_empty());
    let ran = client.events(ty::AlarmScriptCompleteEvent);
    assert_eq!((ran.len(), word(&ran[0], "script")), (3, "/bin/tell".to_owned()));
}

/// An alarm whose action makes the events that it waits for neither stops time
/// nor piles up.
#[test]
fn an_alarm_that_sets_itself_off_does_so_once_a_second() {
    let client = Client::new();
    let expression =
        object!(EventAlarmExpression { eventType: "Event", objectType: "VirtualMachine" });
    let reset = object!(MethodAction { name: "ResetVM_Task" });
    let action = at(&[("green", "red")], false, reset);
    let alarm = client.made(&client.root, with_action(&spec("loop", expression), action));
    post(&client, "a.note", &client.vm);
    client.advance(10);
    let made = client.tasks(&alarm).len();
    assert!((5..=11).contains(&made), "{made} tasks");
    client.sim.call(&alarm, method::RemoveAlarm, args![]).expect("gone");
    client.advance(10);
    assert!(client.tasks(&alarm).len() <= made + 1);
    let machine = client.sim.text(&client.vm, path!(VirtualMachine, "runtime.powerState"));
    assert_eq!(machine, "poweredOn");
}
