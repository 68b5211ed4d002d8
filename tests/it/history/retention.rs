//! Memory is given back.

use std::time::Duration;

use vimsim::schema::ty;
use vimsim::task::TaskId;

use super::client::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn what_is_beyond_retention_leaves_nothing_behind() {
    let client = Client::with(|config| {
        config.tasks.age = 20 * MINUTE;
        config.tasks.history_age = 60 * MINUTE;
        config.events.age = 60 * MINUTE;
    });
    let vm = client.named("DC0_H0_VM0");
    let before = client.snapshot().len();
    let parent = client.task(&vm, "success");
    for _ in 0..1500 {
        client.engine_task(|spec| {
            spec.entity = Some(vm.clone());
            spec.parent = TaskId::of(&parent);
        });
    }
    for number in 2..=1501 {
        client.set_state(&TaskId::new(number).moref(), "success");
    }
    let tasks = client.service.engine().tasks();
    assert_eq!((tasks.len(), tasks.history().len()), (1501, 1501));
    client.pass(20 * MINUTE);
    let tasks = client.service.engine().tasks();
    assert_eq!(client.snapshot().len(), before, "no object is left");
    assert_eq!((tasks.len(), tasks.history().len()), (0, 1501));
    assert_eq!(tasks.children(TaskId::new(1)).count(), 0);
    assert_eq!(client.matching(&vimsim::object!(TaskFilterSpec {})).len(), 1000);
    client.pass(40 * MINUTE);
    assert_eq!(client.matching(&vimsim::object!(TaskFilterSpec {})).len(), 0);
    let engine = client.service.engine();
    assert_eq!((engine.tasks().history().len(), engine.waiting()), (0, 0));
    assert_eq!(engine.tasks().recent(None, 1000), []);
    assert_eq!(engine.tasks().recent(Some(&vm), 1000), []);
}

#[test]
fn counts_are_limits_as_well() {
    let client = Client::with(|config| {
        config.tasks.count = 100;
        config.tasks.history_count = 1000;
    });
    let vm = client.named("DC0_H0_VM0");
    for _ in 0..3000 {
        client.task(&vm, "success");
    }
    let objects = client.snapshot().of_type(ty::Task).count();
    assert!((100..=110).contains(&objects), "{objects}");
    let tasks = client.service.engine().tasks();
    let kept = tasks.history().len();
    assert!((1000..=1000 + 256).contains(&kept), "{kept}");
    // It is the oldest that are gone.
    assert!(tasks.recall(TaskId::new(3000 - 999)).is_some());
    assert!(tasks.recall(TaskId::new(1)).is_none());
    let all = client.collector(&vimsim::object!(TaskFilterSpec {}));
    assert_eq!(client.next(&all, 1), [3001 - kept as u64]);
}

#[test]
fn what_has_not_ended_is_kept() {
    let client = Client::with(|config| {
        config.tasks.age = MINUTE;
        config.tasks.count = 0;
        config.tasks.history_age = MINUTE;
        config.tasks.history_count = 0;
    });
    let vm = client.named("DC0_H0_VM0");
    let running = client.task(&vm, "running");
    for _ in 0..600 {
        client.task(&vm, "success");
    }
    client.pass(1000 * MINUTE);
    assert_eq!(client.snapshot().of_type(ty::Task).count(), 1);
    assert_eq!(client.ids(&vm, "recentTask"), [running.id()]);
    assert_eq!(client.matching(&vimsim::object!(TaskFilterSpec {})), [number(&running)]);
}
