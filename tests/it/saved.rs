//! The state of a whole server, kept and brought back; and its restart, as
//! clients meet it.

use std::time::Duration;

use vimsim::control::Control;
use vimsim::engine::Interrupted;
use vimsim::fault::Fault;
use vimsim::inventory::Read;
use vimsim::schema::{method, ty};
use vimsim::value::{DateTime, MoRef, Object, Value};
use vimsim::vsphere::{Call, Caller, NoSuchState};
use vimsim::{object, path};

use crate::operations::{Sim, args};

const SECOND: Duration = Duration::from_secs(1);

/// A server whose tasks take ten seconds.
fn slow() -> Sim {
    Sim::with(|config| {
        let methods = ["PowerOffVM", "Rename", "CloneVM"];
        config.delays.methods = methods.map(|name| (name.to_owned(), 10 * SECOND)).into();
    })
}

/// The answer of a call that does not have to wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Waker};
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the call waits"),
    }
}

fn power(sim: &Sim, vm: &MoRef) -> String {
    sim.snapshot().text(vm, path!(VirtualMachine, "runtime.powerState")).to_owned()
}

fn state(sim: &Sim, task: &MoRef) -> String {
    sim.snapshot().text(task, path!(Task, "info.state")).to_owned()
}

/// What a session does after the state was saved, and all that it is answered.
fn work(sim: &Sim) -> String {
    let mut told = String::new();
    let mut tell = |answer: Result<Option<Value>, Fault>| told += &format!("{answer:?}\n");
    let vm = sim.vm("DC0_H0_VM0");
    let folder = sim.snapshot().moref(&vm, path!(VirtualMachine, "parent")).unwrap().clone();
    tell(sim.call(&folder, method::CreateFolder, args![name = "new".to_owned()]));
    tell(sim.call(&vm, method::PowerOffVM_Task, args![]));
    sim.service.engine().advance(3 * SECOND).unwrap();
    let spec = object!(VirtualMachineCloneSpec {
        location: object!(VirtualMachineRelocateSpec {}),
        powerOn: true,
        template: false,
    });
    let other = sim.vm("DC0_H0_VM1");
    tell(sim.call(
        &other,
        method::CloneVM_Task,
        args![folder = folder, name = "copy".to_owned(), spec = spec],
    ));
    sim.service.engine().run_until_idle(3600 * SECOND).unwrap();
    let all = object!(EventFilterSpec {});
    let manager = sim.service.content().event_manager.clone().unwrap();
    tell(sim.call(&manager, method::QueryEvents, args![filter = all]));
    let snapshot = sim.snapshot();
    let mut objects: Vec<_> = snapshot.iter().collect();
    objects.sort_by_key(|(mo, _)| *mo);
    for (mo, properties) in objects {
        told += &format!("{mo} {properties:?}\n");
    }
    told
}

#[test]
fn after_coming_back_the_same_calls_give_the_same_bytes() {
    let sim = slow();
    let before = sim.service.engine().now();
    let info = sim.service.save_state("start");
    assert_eq!((info.time, info.live_tasks, info.objects), (before, 0, sim.snapshot().len()));
    let first = work(&sim);
    assert!(sim.service.engine().now() > before && first.contains("copy"));
    for _ in 0..2 {
        assert_eq!(sim.service.restore_state("start"), Ok(info.clone()));
        assert_eq!(sim.service.engine().now(), before);
        assert!(sim.snapshot().of_type(ty::Task).next().is_none());
        let again = work(&sim);
        assert!(first == again, "{}", first_difference(&first, &again));
    }
}

fn first_difference(a: &str, b: &str) -> String {
    let mut lines = a.lines().zip(b.lines());
    let (a, b) = lines.find(|(a, b)| a != b).unwrap_or(("more or fewer lines", ""));
    format!("{a}\n{b}")
}

#[test]
fn states_have_names() {
    let sim = Sim::new();
    let service = &sim.service;
    let names = || service.saved_states().into_iter().map(|state| state.name).collect::<Vec<_>>();
    assert_eq!(service.restore_state("a"), Err(NoSuchState("a".to_owned())));
    service.save_state("b");
    service.save_state("a");
    service.engine().advance(SECOND).unwrap();
    let later = service.save_state("b");
    assert_eq!(names(), ["a", "b"]);
    assert_eq!(service.restore_state("b").map(|state| state.time), Ok(later.time));
    assert!(service.drop_state("b") && !service.drop_state("b"));
    assert_eq!(names(), ["a"]);
}

#[test]
fn jobs_go_on_where_they_were() {
    let sim = slow();
    let vm = sim.vm("DC0_H0_VM0");
    let task = sim.start(&vm, method::PowerOffVM_Task, args![]).unwrap();
    let engine = sim.service.engine();
    engine.advance(4 * SECOND).unwrap();
    assert_eq!(sim.service.save_state("at work").live_tasks, 1);
    for _ in 0..2 {
        engine.advance(5 * SECOND).unwrap();
        assert_eq!(
            (state(&sim, &task).as_str(), power(&sim, &vm).as_str()),
            ("running", "poweredOn")
        );
        engine.advance(SECOND).unwrap();
        assert_eq!(
            (state(&sim, &task).as_str(), power(&sim, &vm).as_str()),
            ("success", "poweredOff")
        );
        sim.service.restore_state("at work").unwrap();
        assert_eq!(
            (state(&sim, &task).as_str(), power(&sim, &vm).as_str()),
            ("running", "poweredOn")
        );
    }
}

fn check(sim: &Sim, version: &str) -> Option<Object> {
    let collector = MoRef::new(ty::PropertyCollector, "propertyCollector");
    let answer =
        sim.call(&collector, method::CheckForUpdates, args![version = version.to_owned()]).unwrap();
    answer.map(|set| set.as_object().unwrap().clone())
}

#[test]
fn whoever_watches_is_told_the_difference() {
    let sim = slow();
    let vm = sim.vm("DC0_H0_VM0");
    let spec = object!(PropertyFilterSpec {
        propSet: vec![object!(PropertySpec {
            type: "VirtualMachine",
            pathSet: vec!["name", "runtime.powerState"],
        })],
        objectSet: vec![object!(ObjectSpec { obj: &vm })],
    });
    let collector = MoRef::new(ty::PropertyCollector, "propertyCollector");
    sim.call(&collector, method::CreateFilter, args![spec = spec, partialUpdates = false]).unwrap();
    sim.service.save_state("start");
    let version =
        |set: &Object| set.at(path!(UpdateSet, "version")).unwrap().as_str().unwrap().to_owned();
    let first = check(&sim, "").unwrap();
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    let second = check(&sim, &version(&first)).unwrap();
    assert!(format!("{second:?}").contains("poweredOff"));
    assert!(check(&sim, &version(&second)).is_none());
    let inventory = sim.snapshot().version();
    sim.service.restore_state("start").unwrap();
    assert!(sim.snapshot().version() > inventory, "versions go on");
    let third = format!("{:?}", check(&sim, &version(&second)).unwrap());
    assert!(third.contains("poweredOn") && !third.contains("DC0_H0_VM0"), "{third}");
}

#[test]
fn sessions_stay_and_so_does_what_they_have() {
    let sim = Sim::with(|config| config.session_timeout = 30 * 60 * SECOND);
    sim.service.save_state("start");
    let manager = MoRef::new(ty::ViewManager, "ViewManager");
    let view = |sim: &Sim| {
        let made = sim.call(&manager, method::CreateListView, args![]).unwrap();
        made.unwrap().as_moref().unwrap().clone()
    };
    let first = view(&sim);
    sim.service.engine().advance(60 * SECOND).unwrap();
    sim.service.restore_state("start").unwrap();
    // The same numbers come up again, but what is there keeps its name.
    assert_ne!(view(&sim), first);
    let list = sim.call(&manager, method::Fetch, args![prop = "viewList".to_owned()]).unwrap();
    assert_eq!(list.unwrap().morefs().count(), 2);
    let keys: Vec<String> = (0..3)
        .map(|_| {
            sim.service.restore_state("start").unwrap();
            login(&sim)
        })
        .collect();
    assert_eq!(sim.service.sessions().len(), 4, "{keys:?}");
    // Idle for no longer than before.
    sim.service.engine().advance(29 * 60 * SECOND).unwrap();
    assert_eq!(sim.service.sessions().len(), 4);
    sim.service.engine().advance(2 * 60 * SECOND).unwrap();
    assert_eq!(sim.service.sessions().len(), 0);
}

/// Another session; its key.
fn login(sim: &Sim) -> String {
    let manager = sim.service.content().session_manager.clone();
    let mut args = vec![None; method::Login.params().len()];
    args[method::Login.param_slot("userName")] = Some(Value::from("other"));
    args[method::Login.param_slot("password")] = Some(Value::from("secret"));
    let caller = Caller::anonymous(sim.service.version());
    let call = Call { this: manager, method: method::Login, args: args.into(), caller };
    now(sim.service.call(&call)).unwrap();
    call.caller.began.get().unwrap().key.to_string()
}

fn schedule(sim: &Sim, name: &str, scheduler: Object) -> MoRef {
    let manager = MoRef::new(ty::ScheduledTaskManager, "ScheduledTaskManager");
    let spec = object!(ScheduledTaskSpec {
        name: name,
        description: "",
        enabled: true,
        scheduler: scheduler,
        action: object!(MethodAction { name: "PowerOffVM_Task" }),
    });
    let entity = sim.vm("DC0_H0_VM0");
    let made = sim
        .call(&manager, method::CreateScheduledTask, args![entity = entity, spec = spec])
        .unwrap();
    made.unwrap().as_moref().unwrap().clone()
}

fn next_run(sim: &Sim, task: &MoRef) -> Option<DateTime> {
    sim.snapshot().at(task, path!(ScheduledTask, "info.nextRunTime"))?.as_date_time()
}

#[test]
fn what_is_scheduled_is_scheduled_again() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let engine = sim.service.engine();
    let at = engine.now().after(3600 * SECOND);
    let task = schedule(&sim, "once", object!(OnceTaskScheduler { runAt: at }));
    sim.service.save_state("start");
    for _ in 0..3 {
        assert_eq!(next_run(&sim, &task), Some(at));
        engine.advance(3599 * SECOND).unwrap();
        assert_eq!(power(&sim, &vm), "poweredOn");
        engine.advance(60 * SECOND).unwrap();
        assert_eq!((power(&sim, &vm).as_str(), next_run(&sim, &task)), ("poweredOff", None));
        sim.service.restore_state("start").unwrap();
    }
    // Nothing is left of what was scheduled since.
    let other =
        schedule(&sim, "other", object!(OnceTaskScheduler { runAt: engine.now().after(SECOND) }));
    sim.service.restore_state("start").unwrap();
    assert!(!sim.snapshot().exists(&other));
    assert_eq!(engine.next_work(), Some(at));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "it is about real time")]
fn ten_thousand_machines_come_back_in_milliseconds() {
    let sim = Sim::with(|config| config.model.vm = 5000);
    let machines: Vec<MoRef> = sim.snapshot().refs(ty::VirtualMachine).cloned().collect();
    assert_eq!(machines.len(), 10_000);
    // The best of a few, as the machine has other work.
    let times = (0..5).map(|_| {
        let begun = std::time::Instant::now();
        sim.service.save_state("start");
        let saved = begun.elapsed();
        for vm in &machines[..100] {
            sim.call(vm, method::PowerOffVM_Task, args![]).unwrap();
        }
        sim.service.engine().run_until_idle(3600 * SECOND).unwrap();
        assert_eq!(power(&sim, &machines[7]), "poweredOff");
        let begun = std::time::Instant::now();
        sim.service.restore_state("start").unwrap();
        let restored = begun.elapsed();
        assert_eq!(power(&sim, &machines[7]), "poweredOn");
        saved + restored
    });
    let best = times.min().unwrap();
    let limit = if cfg!(debug_assertions) { 50 } else { 10 };
    assert!(best < Duration::from_millis(limit), "{best:?}");
}

#[test]
fn after_a_restart_clients_begin_anew() {
    let sim = slow();
    let (vm, other) = (sim.vm("DC0_H0_VM0"), sim.vm("DC0_H0_VM1"));
    let done = sim.start(&vm, method::PowerOffVM_Task, args![]).unwrap();
    let engine = sim.service.engine();
    engine.advance(10 * SECOND).unwrap();
    let startup = schedule(&sim, "startup", object!(AfterStartupTaskScheduler { minute: 5 }));
    engine.advance(600 * SECOND).unwrap();
    let running = sim.start(&other, method::PowerOffVM_Task, args![]).unwrap();
    let rename = sim.start(&other, method::Rename_Task, args![newName = "x".to_owned()]).unwrap();
    engine.advance(SECOND).unwrap();
    sim.service.restart(Interrupted::Gone).unwrap();
    assert!(sim.service.sessions().is_empty());
    for task in [&done, &running, &rename] {
        assert!(!sim.snapshot().exists(task), "{task}");
    }
    let tasks = engine.tasks();
    let recalled = tasks.recall(vimsim::task::TaskId::of(&running).unwrap()).unwrap();
    assert_eq!(recalled.status().error().unwrap().ty(), ty::SystemError);
    assert_eq!(tasks.live_len(), 0);
    assert_eq!(power(&sim, &other), "poweredOn");
    assert_eq!(sim.snapshot().text(&other, path!(VirtualMachine, "name")), "DC0_H0_VM1");
    assert_eq!(next_run(&sim, &startup), Some(engine.now().after(300 * SECOND)));
}

#[test]
fn what_a_restart_interrupted_may_show_its_error() {
    let sim = slow();
    let vm = sim.vm("DC0_H0_VM0");
    let task = sim.start(&vm, method::PowerOffVM_Task, args![]).unwrap();
    sim.service.restart(Interrupted::Failed).unwrap();
    assert_eq!(state(&sim, &task), "error");
    let control = Control::new(sim.service.clone());
    assert!(control.service().engine().next_work().is_none());
}
