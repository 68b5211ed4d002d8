//! Each field of `TaskFilterSpec`, alone and together, before and after the
//! tasks are gone from the inventory.

use vimsim::object;
use vimsim::schema::ty;
use vimsim::task::{Command, End, Reason, Target};
use vimsim::value::{MoRef, Object, Str, Value};

use super::client::*;

/// Tasks that differ in everything that a filter can ask for.
struct World {
    client: Client,
    vm: MoRef,
    tasks: Vec<MoRef>,
    alarm: MoRef,
    schedule: MoRef,
}

impl World {
    /// Tasks 1 to 8, a second apart.
    fn new() -> Self {
        let client = Client::new();
        let bob = Client::login(&client.service, "VSPHERE.LOCAL\\Bob");
        let (vm, other) = (client.named("DC0_H0_VM0"), client.named("DC0_C0_RP0_VM1"));
        let alarm = MoRef::new(ty::Alarm, "alarm-1");
        let schedule = MoRef::new(ty::ScheduledTask, "schedule-1");
        let (by_alarm, by_schedule) = (alarm.clone(), schedule.clone());
        let make: [&dyn Fn() -> MoRef; 8] = [
            &|| client.task(&vm, "queued"),
            &|| client.task(&other, "running"),
            &|| client.task(&client.named("DC0_H0"), "success"),
            &|| bob.task(&vm, "error"),
            &|| client.engine_task(|_| {}),
            &|| {
                client.engine_task(|spec| {
                    spec.reason = Reason::Alarm {
                        alarm: by_alarm.clone(),
                        alarm_name: Str::from("Heat"),
                        entity: vm.clone(),
                        entity_name: Str::from("DC0_H0_VM0"),
                    };
                    spec.change_tag = Some(Str::from("red"));
                })
            },
            &|| {
                client.engine_task(|spec| {
                    let name = Str::from("Nightly");
                    spec.reason = Reason::Schedule { scheduled_task: by_schedule.clone(), name };
                    spec.activation_id = Some(Str::from("token"));
                    spec.parent = vimsim::task::TaskId::parse("task-5");
                })
            },
            &|| {
                client.engine_task(|spec| {
                    spec.event_chain_id = Some(77);
                    spec.parent = vimsim::task::TaskId::parse("task-7");
                })
            },
        ];
        let tasks = make.iter().map(|make| {
            let task = make();
            client.pass(SECOND);
            task
        });
        let tasks = tasks.collect();
        Self { client, vm, tasks, alarm, schedule }
    }

    /// Ends what has not ended, and lets the objects disappear.
    fn bury(&self) {
        let engine = self.client.service.engine();
        for task in &self.tasks {
            if engine.task(task).is_some_and(|record| !record.state().is_done()) {
                engine.change(task, Command::Finish(End::Success(None))).unwrap();
            }
        }
        self.client.pass(2 * 24 * 3600 * SECOND);
        let snapshot = self.client.snapshot();
        assert_eq!(snapshot.of_type(ty::Task).count(), 0, "the objects are gone");
    }
}

fn by_entity(entity: &MoRef, recursion: &str) -> Object {
    object!(TaskFilterSpec {
        entity: object!(TaskFilterSpecByEntity { entity: entity, recursion: recursion }),
    })
}

fn by_user(system: bool, users: &[&str]) -> Object {
    let users = (!users.is_empty()).then(|| strings(users));
    object!(TaskFilterSpec {
        userName: object!(TaskFilterSpecByUsername { systemUser: system, userList: users }),
    })
}

#[test]
fn each_condition_selects_its_tasks() {
    let world = World::new();
    let client = &world.client;
    let chain = |place: usize| {
        let task = client.service.engine().task(&world.tasks[place]);
        task.expect("a task").event_chain_id
    };
    let chains = |chains: &[i32]| object!(TaskFilterSpec { eventChainId: chains.to_vec() });
    let rows: Vec<(Object, &[u64])> = vec![
        (object!(TaskFilterSpec {}), &[1, 2, 3, 4, 5, 6, 7, 8]),
        (by_user(true, &[]), &[1, 2, 3, 4, 5, 6, 7, 8]),
        (by_user(false, &[]), &[1, 2, 3, 4]),
        (by_user(true, &["Alice"]), &[1, 2, 3, 5, 6, 7, 8]),
        (by_user(false, &["vsphere.local\\bob", "nobody"]), &[4]),
        (by_user(false, &["nobody"]), &[]),
        (object!(TaskFilterSpec { alarm: &world.alarm }), &[6]),
        (object!(TaskFilterSpec { scheduledTask: &world.schedule }), &[7]),
        (object!(TaskFilterSpec { activationId: vec!["token", "other"] }), &[7]),
        (object!(TaskFilterSpec { tag: vec!["red"] }), &[6]),
        (object!(TaskFilterSpec { tag: vec![""] }), &[1, 2, 3, 4, 5, 7, 8]),
        (chains(&[77]), &[8]),
        (chains(&[chain(0), chain(2), 77]), &[1, 3, 8]),
        (object!(TaskFilterSpec { parentTaskKey: vec!["task-5"] }), &[7]),
        (object!(TaskFilterSpec { parentTaskKey: vec!["task-5", "task-7"] }), &[7, 8]),
        // Keys that name no task are a condition that nothing meets.
        (object!(TaskFilterSpec { parentTaskKey: vec!["no task"] }), &[]),
        // The root itself has no root.
        (object!(TaskFilterSpec { rootTaskKey: vec!["task-5"] }), &[7, 8]),
        (object!(TaskFilterSpec { rootTaskKey: vec!["task-7"] }), &[]),
        (by_entity(&world.vm, "self"), &[1, 4]),
        (by_entity(&world.vm, "children"), &[]),
        (by_entity(&world.vm, "all"), &[1, 4]),
    ];
    for (filter, expected) in &rows {
        assert_eq!(client.matching(filter), *expected, "{filter:?}");
    }
    world.bury();
    for (filter, expected) in &rows {
        assert_eq!(client.matching(filter), *expected, "in history: {filter:?}");
    }
}

#[test]
fn what_is_below_an_entity_is_what_was_when_the_task_was_made() {
    let world = World::new();
    let client = &world.client;
    let at =
        |name: &str, recursion: &str| client.matching(&by_entity(&client.named(name), recursion));
    let check = || {
        assert_eq!(at("Datacenters", "all"), [1, 2, 3, 4]);
        assert_eq!(at("DC0", "children"), [1, 2, 3, 4]);
        assert_eq!(at("vm", "children"), [1, 2, 4], "a folder has its machines");
        assert_eq!(at("host", "children"), [1, 2, 3, 4], "and so have hosts and pools");
        assert_eq!(at("DC0_C0", "all"), [2]);
        let own = object!(TaskFilterSpecByEntity {
            entity: client.snapshot().of_type(ty::HostSystem).map(|(mo, _)| mo).min().unwrap(),
            recursion: "children",
        });
        assert_eq!(client.matching(&object!(TaskFilterSpec { entity: own })), [1, 4]);
    };
    check();
    world.bury();
    check();
    // The machine goes; what it did stays where it was.
    let removed = client.service.engine().commit(|tx| Ok(tx.remove(&world.vm)));
    assert_eq!(removed, Ok(true));
    check();
    assert_eq!(client.matching(&by_entity(&world.vm, "self")), [1, 4]);
}

#[test]
fn times_are_spans_with_both_ends() {
    let world = World::new();
    let client = &world.client;
    let first = client.service.engine().task(&world.tasks[0]).unwrap().status().queued_at();
    let time = |second: u32| first.after((second - 1) * SECOND);
    let within = |kind: &str, begin: Option<u32>, end: Option<u32>| {
        let by = object!(TaskFilterSpecByTime {
            timeType: kind,
            beginTime: begin.map(time),
            endTime: end.map(time),
        });
        client.matching(&object!(TaskFilterSpec { time: by }))
    };
    assert_eq!(within("queuedTime", Some(3), Some(5)), [3, 4, 5]);
    assert_eq!(within("queuedTime", Some(7), None), [7, 8]);
    assert_eq!(within("queuedTime", None, Some(2)), [1, 2]);
    assert_eq!(within("queuedTime", None, None).len(), 8);
    // A task that lacks the time does not match: these ended without a start.
    assert_eq!(within("startedTime", None, None), [2]);
    assert_eq!(within("completedTime", None, None), [3, 4]);
    assert_eq!(within("completedTime", Some(4), Some(4)), [4]);
    world.bury();
    assert_eq!(within("queuedTime", Some(3), Some(5)), [3, 4, 5]);
    assert_eq!(within("startedTime", Some(2), Some(2)), [2]);
    assert_eq!(within("completedTime", Some(3), Some(4)), [3, 4]);
    assert_eq!(within("completedTime", Some(9), None), [1, 2, 5, 6, 7, 8]);
}

#[test]
fn states_are_those_of_the_moment_of_reading() {
    let world = World::new();
    let client = &world.client;
    let states = |states: &[&str]| object!(TaskFilterSpec { state: states.to_vec() });
    assert_eq!(client.matching(&states(&["queued"])), [1, 5, 6, 7, 8]);
    assert_eq!(client.matching(&states(&["running", "error"])), [2, 4]);
    let successes = client.collector(&states(&["success"]));
    assert_eq!(client.next(&successes, 10), [3]);
    let engine = client.service.engine();
    engine.set_state(&world.tasks[4], Target::Success, None, None).unwrap();
    assert_eq!(client.next(&successes, 10), [5]);
    engine.cancel(&world.tasks[0], None).unwrap();
    let fault = Some(vimsim::fault::Fault::request_canceled());
    engine.set_state(&world.tasks[0], Target::Error, None, fault).unwrap();
    assert_eq!(client.matching(&states(&["error"])), [1, 4], "cancelled is an error");
}

#[test]
fn all_conditions_hold_together() {
    let world = World::new();
    let client = &world.client;
    let filter = |state: &str| {
        object!(TaskFilterSpec {
            entity: object!(TaskFilterSpecByEntity { entity: &world.vm, recursion: "all" }),
            userName: object!(TaskFilterSpecByUsername { systemUser: true }),
            state: vec![state],
        })
    };
    assert_eq!(client.matching(&filter("error")), [4]);
    assert_eq!(client.matching(&filter("running")), NONE);
    world.bury();
    assert_eq!(client.matching(&filter("error")), [4]);
    assert_eq!(client.matching(&filter("success")), [1]);
}

#[test]
fn a_filter_is_told_again() {
    let client = Client::new();
    let filter = by_user(false, &["alice"]);
    let collector = client.collector(&filter);
    assert_eq!(client.read(&collector, "filter"), Some(Value::Object(filter)));
}
