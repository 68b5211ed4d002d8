//! The latest page as a property that is watched.

use vimsim::object;
use vimsim::path;
use vimsim::value::{Object, Value};

use super::client::*;

fn everything() -> Object {
    object!(TaskFilterSpec {})
}

#[test]
fn the_page_has_the_newest_first_and_grows_only_by_new_ones() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    for _ in 0..15 {
        client.task(&vm, "success");
    }
    let collector = client.collector(&everything());
    let down = |from: u64, to: u64| (to..=from).rev().collect::<Vec<_>>();
    assert_eq!(client.latest(&collector), down(15, 6));
    client.call(&collector, args!(SetCollectorPageSize, maxCount: 12)).unwrap();
    assert_eq!(client.latest(&collector), down(15, 6), "older ones do not come in");
    client.task(&vm, "queued");
    assert_eq!(client.latest(&collector), down(16, 6));
    for _ in 0..3 {
        client.task(&vm, "queued");
    }
    assert_eq!(client.latest(&collector), down(19, 8));
    client.call(&collector, args!(SetCollectorPageSize, maxCount: 2)).unwrap();
    assert_eq!(client.latest(&collector), [19, 18]);
    client.call(&collector, args!(SetCollectorPageSize, maxCount: 0)).unwrap();
    assert_eq!(client.latest(&collector), [19, 18]);
}

#[test]
fn the_page_is_told_about_new_tasks_and_states_only() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let by = object!(TaskFilterSpecByEntity { entity: &vm, recursion: "self" });
    let collector = client.collector(&object!(TaskFilterSpec { entity: by }));
    client.watch(&collector, "latestPage");
    let mut version = String::new();
    assert!(client.told(&mut version) && !client.told(&mut version));
    let task = client.task(&vm, "queued");
    assert!(client.told(&mut version), "a new task");
    client.task(&client.named("DC0"), "success");
    assert!(!client.told(&mut version), "a task that does not match");
    client.set_state(&task, "running");
    assert!(client.told(&mut version), "another state");
    client.call(&task, args!(UpdateProgress, percentDone: 50)).unwrap();
    let message = object!(LocalizableMessage { key: "half way" });
    client.call(&task, args!(SetTaskDescription, description: message)).unwrap();
    client.call(&task, args!(CancelTask)).unwrap();
    assert!(!client.told(&mut version), "progress, a description, a wish to cancel");
    let shown = |field| {
        let page = client.read(&collector, "latestPage").unwrap();
        page.items()[0].as_object().unwrap().at(field).cloned()
    };
    assert_eq!(shown(path!(TaskInfo, "progress")), None, "it shows the last state it was told");
    client.set_state(&task, "success");
    assert!(client.told(&mut version) && !client.told(&mut version));
    assert_eq!(shown(path!(TaskInfo, "cancelled")), Some(Value::Boolean(true)));
}

#[test]
fn a_task_enters_the_page_when_it_comes_to_match() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let collector = client.collector(&object!(TaskFilterSpec { state: vec!["error"] }));
    client.watch(&collector, "latestPage");
    let mut version = String::new();
    assert!(client.told(&mut version));
    let (first, second) = (client.task(&vm, "running"), client.task(&vm, "error"));
    assert!(client.told(&mut version));
    assert_eq!(client.latest(&collector), [number(&second)]);
    client.set_state(&first, "error");
    assert!(client.told(&mut version));
    assert_eq!(client.latest(&collector), [number(&second), number(&first)]);
}

#[test]
fn a_page_whose_size_changes_is_told() {
    let client = Client::new();
    for _ in 0..5 {
        client.task(&client.named("DC0"), "success");
    }
    let collector = client.collector(&everything());
    client.watch(&collector, "latestPage");
    let mut version = String::new();
    assert!(client.told(&mut version));
    client.call(&collector, args!(SetCollectorPageSize, maxCount: 3)).unwrap();
    assert!(client.told(&mut version));
    client.call(&collector, args!(SetCollectorPageSize, maxCount: 8)).unwrap();
    assert!(!client.told(&mut version), "there is nothing new to fill it with");
}
