//! `recentTask`, of the manager and of each entity.

use std::sync::Arc;

use vimsim::config::{Access, ClockMode, Config};
use vimsim::vsphere::Service;

use super::client::*;

const RECENT: &str = "recentTask";
const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

fn keys(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("task-{number}")).collect()
}

#[test]
fn recent_tasks_are_those_that_have_not_ended_or_did_so_lately() {
    let client = Client::new();
    let (vm, dc, manager) = (client.named("DC0_H0_VM0"), client.named("DC0"), client.manager());
    assert_eq!(client.ids(&manager, RECENT), keys([]));
    let queued = client.task(&vm, "queued");
    let running = client.task(&vm, "running");
    client.task(&vm, "success");
    client.task(&dc, "error");
    assert_eq!(client.ids(&manager, RECENT), keys(1..=4));
    assert_eq!(client.ids(&vm, RECENT), keys(1..=3));
    assert_eq!(client.ids(&dc, RECENT), keys([4]));
    assert_eq!(client.ids(&client.named("DC0_H0_VM1"), RECENT), keys([]));
    client.pass(10 * MINUTE - SECOND);
    assert_eq!(client.ids(&manager, RECENT), keys(1..=4));
    client.set_state(&queued, "error");
    client.pass(SECOND);
    assert_eq!(client.ids(&manager, RECENT), keys([1, 2]), "ten minutes after their end");
    assert_eq!(client.ids(&vm, RECENT), keys([1, 2]));
    assert_eq!(client.ids(&dc, RECENT), keys([]));
    client.set_state(&running, "success");
    client.pass(10 * MINUTE);
    assert_eq!(client.ids(&manager, RECENT), keys([]));
}

#[test]
fn of_those_that_ended_the_last_two_hundred_are_recent() {
    let client = Client::new();
    let (vm, dc, manager) = (client.named("DC0_H0_VM0"), client.named("DC0"), client.manager());
    let running = client.task(&vm, "running");
    for _ in 0..150 {
        client.task(&vm, "success");
        client.task(&dc, "success");
    }
    assert_eq!(number(&running), 1);
    assert_eq!(client.ids(&manager, RECENT), keys([1].into_iter().chain(102..=301)));
    assert_eq!(client.ids(&vm, RECENT).len(), 151, "each entity has its own two hundred");
    for _ in 0..100 {
        client.task(&vm, "success");
    }
    let of_vm = client.ids(&vm, RECENT);
    assert_eq!((of_vm.len(), of_vm.first().unwrap().as_str()), (201, "task-1"));
    assert_eq!(client.ids(&manager, RECENT).len(), 201);
    // It is the end that counts, not the beginning.
    client.pass(SECOND);
    client.set_state(&running, "success");
    assert_eq!(client.ids(&manager, RECENT).first().unwrap(), "task-1");
}

#[test]
fn a_host_has_no_limit_in_number() {
    let client = Client::with(|config| config.esx = true);
    let vm =
        client.snapshot().of_type(vimsim::schema::ty::VirtualMachine).next().unwrap().0.clone();
    for _ in 0..250 {
        client.engine_task(|spec| spec.entity = Some(vm.clone()));
    }
    for number in 1..=250 {
        client.set_state(&vimsim::task::TaskId::new(number).moref(), "success");
    }
    assert_eq!(client.ids(&client.manager(), RECENT).len(), 250);
    assert_eq!(client.ids(&vm, RECENT).len(), 250);
    client.pass(10 * MINUTE);
    assert_eq!(client.ids(&client.manager(), RECENT).len(), 0);
}

#[test]
fn whoever_watches_is_told_and_nobody_polls() {
    let client = Client::new();
    let (vm, manager) = (client.named("DC0_H0_VM0"), client.manager());
    client.watch(&manager, RECENT);
    client.watch(&vm, RECENT);
    let mut version = String::new();
    assert!(client.told(&mut version));
    let task = client.task(&vm, "running");
    assert!(client.told(&mut version));
    client.call(&task, args!(UpdateProgress, percentDone: 5)).unwrap();
    client.set_state(&task, "success");
    assert!(!client.told(&mut version), "the list is the same");
    client.pass(10 * MINUTE - SECOND);
    assert!(!client.told(&mut version));
    client.pass(SECOND);
    assert!(client.told(&mut version), "time takes it from the list");
    assert_eq!((client.ids(&vm, RECENT), client.ids(&manager, RECENT)), (keys([]), keys([])));
}

#[test]
fn a_task_made_by_an_operation_is_listed_where_it_belongs() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let task = client.make(&vm, args!(PowerOffVM_Task));
    assert_eq!(client.ids(&vm, RECENT), [task.id()]);
    client.make(&vm, args!(Destroy_Task));
    assert_eq!(client.ids(&client.manager(), RECENT), keys([1, 2]));
}

#[test]
fn a_caller_sees_what_the_caller_may_see() {
    let users = r#"{
        "users": {"alice": {"password": "secret"}, "bob": {"password": "secret"}},
        "permissions": [
            {"user": "alice", "role": "Admin"},
            {"user": "bob", "role": "ReadOnly", "entity": "/DC0/vm/DC0_H0_VM0"}
        ]
    }"#;
    let access = Some(Access::parse(users).unwrap());
    let config = Config { clock: ClockMode::Stepped, seed: Some(7), access, ..Config::default() };
    let service: Arc<Service> = Service::new(config).unwrap();
    let (alice, bob) = (Client::login(&service, "alice"), Client::login(&service, "bob"));
    let (vm, other) = (alice.named("DC0_H0_VM0"), alice.named("DC0_H0_VM1"));
    for entity in [&vm, &other, &vm] {
        alice.task(entity, "success");
    }
    assert_eq!(alice.ids(&alice.manager(), RECENT), keys(1..=3));
    assert_eq!(bob.ids(&bob.manager(), RECENT), keys([1, 3]));
    let collector = bob.collector(&vimsim::object!(TaskFilterSpec {}));
    assert_eq!(bob.next(&collector, 2), [1], "what is not seen is not made up for");
    assert_eq!(bob.next(&collector, 2), [3]);
    assert_eq!(bob.latest(&collector), [3, 1]);
    let collector = alice.collector(&vimsim::object!(TaskFilterSpec {}));
    assert_eq!(alice.latest(&collector), [3, 2, 1]);
}
