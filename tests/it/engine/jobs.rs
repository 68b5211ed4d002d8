//! One job and its task: begun, completed, cancelled, failed, refused.

use vimsim::engine::Busy;
use vimsim::inventory::Snapshot;
use vimsim::task::{CancelOutcome, Target, TaskId};

use super::*;

#[test]
fn a_task_without_duration_ends_at_once() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let task = engine.submit(spec(&vm), rename(&vm, "b")).unwrap();
    assert_eq!(state(&engine, &task), SUCCESS);
    assert_eq!(name(&engine, &vm), "b");
    let record = engine.task(&task).unwrap();
    assert_eq!(record.status().result(), Some(&Value::from(&vm)));
    assert_eq!(record.entity_name.as_deref(), Some("a"));
    assert_eq!(record.key, "task-1");
    assert_eq!(engine.waiting(), HOUSEKEEPING, "nothing else waits");
}

#[test]
fn a_task_shows_as_object_in_each_of_its_states() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let shown = |task: &MoRef| {
        let snapshot: Arc<Snapshot> = engine.snapshot();
        let info = path!(Task, "info");
        let info = snapshot.at(task, info).and_then(Value::as_object).expect("info").clone();
        let text = |field| info.field(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("state"), info.field("locked").map_or(0, |locked| locked.items().len()))
    };
    let slow = TaskSpec { duration: SECOND, ..spec(&vm) };
    let first = engine.submit(slow.clone(), rename(&vm, "b")).unwrap();
    let second = engine.submit(slow, rename(&vm, "c")).unwrap();
    assert_eq!(shown(&first), ("running".into(), 1));
    assert_eq!(shown(&second), ("queued".into(), 0));
    engine.advance(SECOND).unwrap();
    assert_eq!(shown(&first), ("success".into(), 0));
    assert_eq!(shown(&second), ("running".into(), 1));
    assert_eq!(name(&engine, &vm), "b (working)");
    engine.run_until_idle(SECOND).unwrap();
    assert_eq!(shown(&second), ("success".into(), 0));
    assert_eq!(name(&engine, &vm), "c");
}

#[test]
fn effect_and_success_come_in_one_commit() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let task = engine.submit(TaskSpec { duration: SECOND, ..spec(&vm) }, rename(&vm, "b")).unwrap();
    let before = engine.snapshot().version();
    engine.advance(SECOND).unwrap();
    let commits = engine.store().since(before).unwrap();
    let last = commits.last().unwrap();
    assert!(last.changes.iter().any(|change| change.object == vm));
    assert!(last.changes.iter().any(|change| change.object == task));
}

#[test]
fn progress_is_even_and_gone_at_the_end() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let slow = TaskSpec { duration: 10 * SECOND, ..spec(&vm) };
    let task = engine.submit(slow, rename(&vm, "b")).unwrap();
    let mut seen = vec![progress(&engine, &task)];
    while state(&engine, &task) == State::Running {
        engine.advance_to_next().unwrap();
        seen.push(progress(&engine, &task));
    }
    let even = (1..20).map(|twentieth| Some(twentieth * 5));
    let expected: Vec<_> = std::iter::once(None).chain(even).chain([None]).collect();
    assert_eq!(seen, expected);
    assert_eq!(engine.now(), NOON.after(10 * SECOND));
}

#[test]
fn a_running_job_that_is_cancelled_leaves_nothing() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let slow = TaskSpec { duration: SECOND, ..spec(&vm) };
    let task = engine.submit(slow, rename(&vm, "b")).unwrap();
    engine.advance(SECOND / 2).unwrap();
    assert_eq!(name(&engine, &vm), "a (working)");
    engine.cancel(&task, Some(Str::from("root"))).unwrap();
    assert_eq!(state(&engine, &task), CANCELLED);
    assert!(fault(&engine, &task).is_a(ty::RequestCanceled));
    assert_eq!(name(&engine, &vm), "a");
    let record = engine.task(&task).unwrap();
    let by = record.status().cancel().and_then(|request| request.by.clone());
    assert_eq!(by.as_deref(), Some("root"));
    assert_eq!(engine.request_cancel(&task, None), CancelOutcome::Finished);
    assert!(engine.cancel(&task, None).unwrap_err().is_a(ty::InvalidState));
    assert_eq!(engine.waiting(), HOUSEKEEPING, "its timers are gone");
}

#[test]
fn a_queued_job_that_is_cancelled_never_starts() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let slow = TaskSpec { duration: SECOND, ..spec(&vm) };
    engine.submit(slow, rename(&vm, "b")).unwrap();
    let second = engine.submit(spec(&vm), rename(&vm, "c")).unwrap();
    let third = engine.submit(spec(&vm), rename(&vm, "d")).unwrap();
    engine.cancel(&second, None).unwrap();
    assert_eq!(state(&engine, &second), CANCELLED);
    assert_eq!(engine.task(&second).unwrap().status().started_at(), None);
    assert_eq!(state(&engine, &third), State::Queued);
    engine.run_until_idle(SECOND).unwrap();
    assert_eq!(name(&engine, &vm), "d");
}

#[test]
fn what_cannot_be_cancelled_says_so() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let fixed = TaskSpec { duration: SECOND, cancelable: false, ..spec(&vm) };
    let task = engine.submit(fixed, rename(&vm, "b")).unwrap();
    assert_eq!(engine.request_cancel(&task, None), CancelOutcome::NotCancellable);
    assert!(engine.cancel(&task, None).unwrap_err().is_a(ty::NotSupported));
    let absent = TaskId::new(99).moref();
    assert_eq!(engine.request_cancel(&absent, None), CancelOutcome::Absent);
    assert!(engine.cancel(&absent, None).unwrap_err().is_a(ty::ManagedObjectNotFound));
}

#[test]
fn a_fault_at_the_beginning_is_the_tasks_error() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let at = vm.clone();
    let job = does(
        move |tx| {
            tx.set(&at, path!(VirtualMachine, "name"), "half done")?;
            Err(Fault::invalid_state())
        },
        |_| Ok(None),
    );
    let task = engine.submit(spec(&vm), Box::new(job)).unwrap();
    assert_eq!(state(&engine, &task), FAILURE);
    assert!(fault(&engine, &task).is_a(ty::InvalidState));
    assert!(engine.task(&task).unwrap().status().started_at().is_some());
    assert_eq!(name(&engine, &vm), "a");
}

#[test]
fn a_fault_at_the_end_undoes_the_beginning() {
    #[derive(Clone)]
    struct Fails(Rename);
    impl Job for Fails {
        fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
            self.0.begin(tx, task)
        }
        fn complete(
            &mut self,
            tx: &mut Tx<'_>,
            task: &TaskContext<'_>,
        ) -> Result<Option<Value>, Fault> {
            self.0.complete(tx, task)?;
            Err(Fault::invalid_argument("name"))
        }
        fn undo(&mut self, tx: &mut Tx<'_>) {
            self.0.undo(tx);
        }
    }
    let engine = stepped();
    let vm = machine(&engine, "a");
    let task = engine.submit(spec(&vm), Box::new(Fails(*rename(&vm, "b")))).unwrap();
    assert_eq!(state(&engine, &task), FAILURE);
    assert_eq!(name(&engine, &vm), "a");
    assert_eq!(engine.task(&task).unwrap().status().result(), None);
}

#[test]
fn a_panicking_job_costs_its_task_and_nothing_else() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let renames = |at: MoRef| {
        move |tx: &mut Tx<'_>| {
            tx.set(&at, path!(VirtualMachine, "name"), "half done")?;
            panic!("the job's own mistake");
        }
    };
    let first =
        engine.submit(spec(&vm), Box::new(does(renames(vm.clone()), |_| Ok(None)))).unwrap();
    let at = vm.clone();
    let job = does(
        |_| Ok(()),
        move |tx| {
            tx.set(&at, path!(VirtualMachine, "name"), "half done")?;
            panic!("the job's own mistake");
        },
    );
    let second = engine.submit(spec(&vm), Box::new(job)).unwrap();
    for task in [first, second] {
        assert_eq!(state(&engine, &task), FAILURE);
        assert!(fault(&engine, &task).is_a(ty::SystemError), "{:?}", fault(&engine, &task));
        assert!(fault(&engine, &task).message().contains("the job's own mistake"));
    }
    assert_eq!(name(&engine, &vm), "a");
    engine.submit(spec(&vm), rename(&vm, "b")).unwrap();
    assert_eq!(name(&engine, &vm), "b");
}

#[test]
fn a_job_that_cannot_undo_still_ends() {
    #[derive(Clone)]
    struct Stubborn;
    impl Job for Stubborn {
        fn complete(
            &mut self,
            _: &mut Tx<'_>,
            _: &TaskContext<'_>,
        ) -> Result<Option<Value>, Fault> {
            Ok(None)
        }
        fn undo(&mut self, _: &mut Tx<'_>) {
            panic!("cannot undo");
        }
    }
    let engine = stepped();
    let vm = machine(&engine, "a");
    let slow = TaskSpec { duration: SECOND, ..spec(&vm) };
    let task = engine.submit(slow, Box::new(Stubborn)).unwrap();
    engine.cancel(&task, None).unwrap();
    assert_eq!(state(&engine, &task), FAILURE);
    let next = engine.submit(spec(&vm), rename(&vm, "b")).unwrap();
    assert_eq!(state(&engine, &next), SUCCESS);
}

#[test]
fn an_entity_that_is_busy_refuses_or_queues() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let slow = TaskSpec { duration: SECOND, ..spec(&vm) };
    let first = engine.submit(slow, rename(&vm, "b")).unwrap();
    let refusing = TaskSpec { busy: Busy::Refuse, ..spec(&vm) };
    let second = engine.submit(refusing, rename(&vm, "c")).unwrap();
    assert_eq!(state(&engine, &second), FAILURE);
    let error = fault(&engine, &second);
    assert!(error.is_a(ty::TaskInProgress));
    assert_eq!(error.object().field("task").and_then(Value::as_moref), Some(&first));
    assert_eq!(engine.task(&second).unwrap().status().started_at(), None);
}

#[test]
fn the_entity_must_exist_when_its_turn_comes() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let destroy = {
        let vm = vm.clone();
        does(|_| Ok(()), move |tx| Ok(tx.remove(&vm).then_some(Value::from(true))))
    };
    let first =
        engine.submit(TaskSpec { duration: SECOND, ..spec(&vm) }, Box::new(destroy)).unwrap();
    let second = engine.submit(spec(&vm), rename(&vm, "b")).unwrap();
    engine.advance(SECOND).unwrap();
    assert_eq!(state(&engine, &first), SUCCESS);
    assert!(fault(&engine, &second).is_a(ty::ManagedObjectNotFound));
    assert!(
        engine.submit(spec(&vm), rename(&vm, "c")).unwrap_err().is_a(ty::ManagedObjectNotFound)
    );
    assert_eq!(engine.tasks().len(), 2, "a call that fails makes no task");
}

#[test]
fn a_job_waits_until_what_it_names_has_changed() {
    let engine = stepped();
    let (vm, guest) = (machine(&engine, "a"), machine(&engine, "guest"));
    let job = Does { ready: Ready::After(vec![guest.clone()]), ..does(|_| Ok(()), |_| Ok(None)) };
    let task = engine.submit(spec(&vm), Box::new(job)).unwrap();
    engine.advance(3600 * SECOND).unwrap();
    assert_eq!(state(&engine, &task), State::Running);
    engine.commit(|tx| tx.set(&guest, path!(VirtualMachine, "name"), "other")).unwrap();
    assert_eq!(state(&engine, &task), State::Running, "it looked, and waits on");
    engine.commit(|tx| Ok(tx.remove(&guest))).unwrap();
    assert_eq!(state(&engine, &task), SUCCESS);
}

#[test]
fn a_job_that_waits_too_long_gives_up() {
    let engine = stepped();
    let (vm, guest) = (machine(&engine, "a"), machine(&engine, "guest"));
    let job = || Does {
        ready: Ready::After(vec![guest.clone()]),
        timeout: Some((10 * SECOND, Fault::of(ty::Timedout, "Operation timed out."))),
        ..does(|_| Ok(()), |_| Ok(None))
    };
    let task = engine.submit(spec(&vm), Box::new(job())).unwrap();
    let second = engine.submit(spec(&vm), Box::new(job())).unwrap();
    engine.advance(10 * SECOND).unwrap();
    assert!(fault(&engine, &task).is_a(ty::Timedout));
    engine.cancel(&second, None).unwrap();
    assert_eq!(state(&engine, &second), CANCELLED);
    assert_eq!(engine.waiting(), HOUSEKEEPING);
}

/// Makes a child for each of `children`, which take as many seconds.

#[test]
fn an_extension_task_is_its_owners() {
    let engine = stepped();
    let spec = TaskSpec { cancelable: true, ..TaskSpec::new(operation(), "com.example.work") };
    let task = engine.create_task(spec).unwrap().mo.clone();
    assert!(engine.update_progress(&task, 10).unwrap_err().is_a(ty::InvalidState));
    engine.set_state(&task, Target::Running, None, None).unwrap();
    engine.update_progress(&task, 140).unwrap();
    assert_eq!(progress(&engine, &task), Some(100));
    let version = engine.snapshot().version();
    engine.update_progress(&task, 100).unwrap();
    assert_eq!(engine.snapshot().version(), version, "nothing changed, nobody wakes");
    engine.cancel(&task, None).unwrap();
    engine.advance(SECOND).unwrap();
    assert_eq!(state(&engine, &task), State::Running, "only the flag is up");
    let canceled = Fault::request_canceled();
    engine.set_state(&task, Target::Error, None, Some(canceled)).unwrap();
    assert_eq!(state(&engine, &task), CANCELLED);
    let absent = TaskId::new(99).moref();
    assert!(engine.update_progress(&absent, 1).unwrap_err().is_a(ty::ManagedObjectNotFound));
}

#[test]
fn ending_a_jobs_task_from_outside_stops_the_job() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let slow = TaskSpec { duration: SECOND, ..spec(&vm) };
    let task = engine.submit(slow.clone(), rename(&vm, "b")).unwrap();
    let second = engine.submit(slow, rename(&vm, "c")).unwrap();
    let refused = engine.set_state(&second, Target::Running, None, None).unwrap_err();
    assert!(refused.is_a(ty::InvalidState), "only admission starts a job");
    engine.set_state(&task, Target::Error, None, None).unwrap();
    assert_eq!(state(&engine, &task), FAILURE);
    assert_eq!(state(&engine, &second), State::Running);
    engine.run_until_idle(SECOND).unwrap();
    assert_eq!(name(&engine, &vm), "c");
}
