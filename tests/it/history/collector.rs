//! Pages in both directions, positions, limits, and whose a collector is.

use vimsim::fault::Fault;
use vimsim::object;
use vimsim::path;
use vimsim::schema::ty;
use vimsim::task::Target;
use vimsim::value::{MoRef, Object, Value};

use super::client::*;

fn everything() -> Object {
    object!(TaskFilterSpec {})
}

/// A client with so many tasks that have ended.
fn with_tasks(count: usize) -> Client {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    for _ in 0..count {
        client.task(&vm, "success");
    }
    client
}

#[test]
fn pages_go_from_the_oldest_to_the_newest_and_back() {
    let client = with_tasks(25);
    let collector = client.collector(&everything());
    let range = |from: u64, to: u64| (from..=to).collect::<Vec<_>>();
    let down = |from: u64, to: u64| (to..=from).rev().collect::<Vec<_>>();
    assert_eq!(client.previous(&collector, 5), NONE, "it starts at the oldest");
    assert_eq!(client.next(&collector, 10), range(1, 10));
    assert_eq!(client.next(&collector, 10), range(11, 20));
    assert_eq!(client.next(&collector, 10), range(21, 25));
    assert_eq!(client.next(&collector, 10), NONE);
    assert_eq!(client.previous(&collector, 3), down(25, 23));
    assert_eq!(client.next(&collector, 1), [23]);
    assert_eq!(client.previous(&collector, 100), down(23, 1));
    assert_eq!(client.previous(&collector, 100), NONE);
    assert_eq!(client.next(&collector, 2), [1, 2]);
    client.call(&collector, args!(RewindCollector)).unwrap();
    assert_eq!(client.next(&collector, 1), [1]);
    // What comes later is there when its turn comes.
    assert_eq!(client.next(&collector, 1000), range(2, 25));
    let late = client.task(&client.named("DC0"), "queued");
    assert_eq!(client.next(&collector, 10), [number(&late)]);
}

#[test]
fn reset_goes_before_the_latest_page() {
    let client = with_tasks(25);
    let collector = client.collector(&everything());
    client.call(&collector, args!(ResetCollector)).unwrap();
    assert_eq!(client.previous(&collector, 4), [15, 14, 13, 12]);
    client.call(&collector, args!(ResetCollector)).unwrap();
    assert_eq!(client.next(&collector, 100), (16..=25).collect::<Vec<_>>());
    client.call(&collector, args!(SetCollectorPageSize, maxCount: 3)).unwrap();
    client.call(&collector, args!(ResetCollector)).unwrap();
    assert_eq!(client.previous(&collector, 1), [22]);
    // Without a page the end is where it would be.
    let none = client.collector(&object!(TaskFilterSpec { state: vec!["running"] }));
    client.call(&none, args!(ResetCollector)).unwrap();
    assert_eq!(client.previous(&none, 10), NONE);
    let running = client.task(&client.named("DC0"), "running");
    assert_eq!(client.next(&none, 10), [number(&running)]);
}

#[test]
fn counts_must_be_counts() {
    let client = with_tasks(1);
    let collector = client.collector(&everything());
    let refused = Fault::invalid_argument("maxCount");
    for count in [0, -1, i32::MIN] {
        assert_eq!(client.refused(&collector, args!(ReadNextTasks, maxCount: count)), refused);
        assert_eq!(client.refused(&collector, args!(ReadPreviousTasks, maxCount: count)), refused);
    }
    for count in [-1, 1001] {
        let args = args!(SetCollectorPageSize, maxCount: count);
        assert_eq!(client.refused(&collector, args), refused);
    }
    for count in [0, 1, 1000] {
        client.call(&collector, args!(SetCollectorPageSize, maxCount: count)).unwrap();
    }
    assert_eq!(client.next(&collector, i32::MAX), [1]);
}

#[test]
fn a_collector_belongs_to_its_session() {
    let client = with_tasks(3);
    let collector = client.collector(&everything());
    let other = Client::login(&client.service, "bob");
    let gone = Fault::not_found(&collector);
    assert_eq!(other.refused(&collector, args!(ReadNextTasks, maxCount: 1)), gone);
    let again = Client { service: client.service.clone(), session: client.session.clone() };
    assert_eq!(again.next(&collector, 1), [1]);
    client.call(&collector, args!(DestroyCollector)).unwrap();
    assert_eq!(client.refused(&collector, args!(ReadNextTasks, maxCount: 1)), gone);
    assert_eq!(client.refused(&collector, args!(DestroyCollector)), gone);

    let collector = client.collector(&everything());
    let manager = client.service.content().session_manager.clone();
    client.call(&manager, args!(Logout)).unwrap();
    assert!(client.session.object(&collector).is_none());
}

#[test]
fn a_session_has_so_many_collectors_and_no_more() {
    let client = Client::with(|config| config.tasks.collectors = 3);
    assert_eq!(client.read(&client.manager(), "maxCollector"), Some(Value::Int(3)));
    let made: Vec<MoRef> = (0..3).map(|_| client.collector(&everything())).collect();
    let args = || args!(CreateCollectorForTasks, filter: everything());
    assert_eq!(client.refused(&client.manager(), args()), Fault::invalid_state());
    Client::login(&client.service, "bob").collector(&everything());
    client.call(&made[1], args!(DestroyCollector)).unwrap();
    client.collector(&everything());
    assert_eq!(client.refused(&client.manager(), args()), Fault::invalid_state());
    assert_eq!(Client::new().read(&client.manager(), "maxCollector"), Some(Value::Int(32)));
}

#[test]
fn a_host_keeps_no_history() {
    let client = Client::with(|config| config.esx = true);
    let manager = client.manager();
    let filter = everything();
    for args in [
        args!(CreateCollectorForTasks, filter: &filter),
        args!(CreateCollectorWithInfoFilterForTasks, filter: &filter),
        args!(ReadNextTasksByViewSpec, viewSpec: view(1, ""), filterSpec: &filter),
    ] {
        assert_eq!(client.refused(&manager, args), Fault::not_supported());
    }
}

fn view(count: i32, start: &str) -> Object {
    object!(TaskManagerViewByStartId { count: count, startId: start })
}

#[test]
fn pages_beside_a_task_need_no_collector() {
    let client = with_tasks(9);
    let read = |count: i32, start: &str| {
        let args = args!(
            ReadNextTasksByViewSpec,
            viewSpec: view(count, start),
            filterSpec: everything(),
        );
        client.call(&client.manager(), args)
    };
    let keys = |count: i32, start: &str| {
        let page = read(count, start).unwrap().unwrap();
        let key = |info: &Value| {
            info.as_object()
                .unwrap()
                .at(path!(TaskInfo, "key"))
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()
        };
        page.items().iter().map(key).collect::<Vec<_>>()
    };
    assert_eq!(keys(2, ""), ["task-9", "task-8"]);
    assert_eq!(keys(2, "task-8"), ["task-7", "task-6"]);
    assert_eq!(keys(-2, "task-6"), ["task-8", "task-7"]);
    assert_eq!(keys(-2, "task-0"), ["task-2", "task-1"]);
    assert_eq!(keys(5, "task-1"), [""; 0]);
    assert_eq!(read(0, "task-1").unwrap_err(), Fault::invalid_argument("viewSpec.count"));
    assert_eq!(read(1, "nonsense").unwrap_err(), Fault::invalid_argument("viewSpec.startId"));
    assert_eq!(read(-1, "").unwrap_err(), Fault::invalid_argument("viewSpec.startId"));
}

#[test]
fn results_can_be_left_out() {
    let client = Client::new();
    let task = client.task(&client.named("DC0"), "running");
    let result = Some(Value::from("done"));
    client.service.engine().set_state(&task, Target::Success, result, None).unwrap();
    let has_result = |spec: Object| {
        let filter = object!(TaskInfoFilterSpec { filterTaskResults: spec });
        let args = args!(
            CreateCollectorWithInfoFilterForTasks,
            filter: everything(),
            infoFilter: filter,
        );
        let collector = client.make(&client.manager(), args);
        let page = client.call(&collector, args!(ReadNextTasks, maxCount: 1)).unwrap().unwrap();
        let latest = client.read(&collector, "latestPage").unwrap();
        let has = |page: &Value| {
            page.items()[0].as_object().unwrap().at(path!(TaskInfo, "result")).is_some()
        };
        assert_eq!(has(&page), has(&latest));
        client.call(&collector, args!(DestroyCollector)).unwrap();
        has(&page)
    };
    type Spec = (Option<bool>, &'static [&'static str], Option<bool>);
    let rows: [(Spec, bool); 8] = [
        ((None, &[], None), true),
        ((Some(true), &[], None), false),
        ((Some(true), &[KIND], Some(true)), false),
        ((Some(false), &[], Some(true)), true),
        ((None, &[KIND], None), false),
        ((None, &[KIND], Some(true)), true),
        ((None, &["other"], Some(true)), false),
        ((None, &["other"], None), true),
    ];
    for ((all, ids, only), expected) in rows {
        let spec = object!(TaskInfoFilterSpecFilterTaskResults {
            removeAll: all,
            descriptionIds: strings(ids),
            filterIn: only,
        });
        assert_eq!(has_result(spec), expected, "{all:?} {ids:?} {only:?}");
    }
}

#[test]
fn what_history_tells_is_what_the_task_told() {
    let client = Client::new();
    let folder = client.named("vm");
    let name = client.task(&client.named("DC0_H0_VM0"), "running");
    client.call(&name, args!(UpdateProgress, percentDone: 40)).unwrap();
    let message = object!(LocalizableMessage { key: "step", message: "Copying" });
    client.call(&name, args!(SetTaskDescription, description: message)).unwrap();
    client.call(&name, args!(CancelTask)).unwrap();
    let fault = Fault::request_canceled().localized();
    let error = args!(SetTaskState, state: member("TaskInfoState", "error"), fault: fault);
    client.call(&name, error).unwrap();
    let renamed = args!(Rename_Task, newName: "machines");
    let rename = client.make(&folder, renamed);
    let told = |task: &MoRef| client.read(task, "info").unwrap();
    let before = [told(&name), told(&rename)];
    let collector = client.collector(&everything());
    let page = |collector| client.call(collector, args!(ReadNextTasks, maxCount: 10)).unwrap();
    assert_eq!(page(&collector).unwrap().items(), before);
    client.pass(48 * 3600 * SECOND);
    assert_eq!(client.snapshot().of_type(ty::Task).count(), 0);
    // More than what waits for its segment, so that both are read from there.
    let dc = client.named("DC0");
    for _ in 0..1100 {
        client.engine_task(|spec| spec.entity = Some(dc.clone()));
    }
    let engine = client.service.engine();
    for number in 3..1100 {
        let task = vimsim::task::TaskId::new(number).moref();
        engine.set_state(&task, Target::Success, None, None).unwrap();
    }
    client.call(&collector, args!(RewindCollector)).unwrap();
    let page = page(&collector).unwrap();
    assert_eq!(page.items()[..2], before);
}
