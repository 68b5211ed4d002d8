//! The engine with small jobs on bare objects: what a task does to the
//! inventory, and what is left of it when it fails or is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use vimsim::engine::{
    Busy, Clock, Engine, Job, Projection, Ready, Settings, TaskContext, TaskSpec, Tx, Weight,
};
use vimsim::fault::Fault;
use vimsim::ids::Ids;
use vimsim::inventory::{Read, Snapshot, Store, Transaction};
use vimsim::schema::ty;
use vimsim::task::{
    CancelOutcome, Operation, Outcome, Progress, Retention, State, Target, TaskId, TaskRecord,
};
use vimsim::value::{DateTime, MoRef, Object, Str, Value};
use vimsim::{object, path};

pub(crate) const NOON: DateTime = DateTime::from_micros(1_700_000_000_000_000);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Shows of a task what the tests look at: its state as `info.state`.
pub(crate) struct Plain;

impl Projection for Plain {
    fn project(&self, task: &TaskRecord) -> Object {
        let status = task.status();
        let state = match task.state() {
            State::Queued => "queued",
            State::Running => "running",
            State::Done(Outcome::Success) => "success",
            State::Done(Outcome::Failure | Outcome::Cancelled) => "error",
        };
        object!(Task {
            info: object!(TaskInfo {
                key: &task.key,
                task: &task.mo,
                descriptionId: &task.description_id,
                entity: task.entity.as_ref(),
                locked: task.locked(),
                state: state,
                cancelled: status.cancel().is_some(),
                cancelable: status.cancelable(),
                error: status.error().map(Fault::localized),
                result: status.result(),
                progress: status.progress().map(Progress::percent),
                queueTime: status.queued_at(),
                startTime: status.started_at(),
                completeTime: status.completed_at(),
            }),
        })
    }
}

pub(crate) fn engine_with(retention: Retention) -> Engine {
    let settings = Settings {
        clock: Clock::stepped(NOON),
        ids: Arc::new(Ids::seeded(1)),
        retention,
        ..Settings::default()
    };
    Engine::start(Arc::new(Store::new()), settings, Box::new(Plain)).expect("a thread")
}

/// An engine with a stepped clock.
pub(crate) fn stepped() -> Engine {
    engine_with(Retention::default())
}

/// An engine with a real clock.
fn real() -> Engine {
    Engine::start(Arc::new(Store::new()), Settings::default(), Box::new(Plain)).expect("a thread")
}

/// Makes a virtual machine called `name`.
pub(crate) fn machine(engine: &Engine, name: &str) -> MoRef {
    let made = engine.commit(|tx| {
        let vm = tx.next_moref(ty::VirtualMachine, "vm");
        tx.insert(vm.clone(), object!(VirtualMachine { name: name }));
        Ok(vm)
    });
    made.expect("a virtual machine")
}

pub(crate) fn name(engine: &Engine, vm: &MoRef) -> String {
    engine.snapshot().text(vm, path!(VirtualMachine, "name")).to_owned()
}

pub(crate) fn state(engine: &Engine, task: &MoRef) -> State {
    engine.task(task).expect("a task").state()
}

fn fault(engine: &Engine, task: &MoRef) -> Fault {
    engine.task(task).expect("a task").status().error().expect("an error").clone()
}

fn progress(engine: &Engine, task: &MoRef) -> Option<i32> {
    engine.task(task).expect("a task").status().progress().map(Progress::percent)
}

pub(crate) fn spec(vm: &MoRef) -> TaskSpec {
    TaskSpec { cancelable: true, ..TaskSpec::new(operation(), "VirtualMachine.rename") }
        .on(vm.clone())
}

fn operation() -> Operation {
    Operation::Extension(Str::from("com.example.work"))
}

/// Renames a virtual machine: to something provisional at its beginning, which
/// it takes back if it has to, and to the real name at its end.
pub(crate) struct Rename {
    pub(crate) vm: MoRef,
    pub(crate) to: String,
    pub(crate) was: String,
}

pub(crate) fn rename(vm: &MoRef, to: &str) -> Box<Rename> {
    Box::new(Rename { vm: vm.clone(), to: to.to_owned(), was: String::new() })
}

impl Job for Rename {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.was = tx.text(&self.vm, path!(VirtualMachine, "name")).to_owned();
        tx.set(&self.vm, path!(VirtualMachine, "name"), format!("{} (working)", self.was))
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        tx.set(&self.vm, path!(VirtualMachine, "name"), &self.to)?;
        Ok(Some(Value::from(&self.vm)))
    }

    fn undo(&mut self, tx: &mut Tx<'_>) {
        tx.set(&self.vm, path!(VirtualMachine, "name"), &self.was).expect("the machine is there");
    }
}

/// A job out of functions.
struct Does<B, C> {
    begin: B,
    complete: C,
    ready: Ready,
    timeout: Option<(Duration, Fault)>,
}

fn does<B, C>(begin: B, complete: C) -> Does<B, C>
where
    B: FnMut(&mut Tx<'_>) -> Result<(), Fault> + Send + 'static,
    C: FnMut(&mut Tx<'_>) -> Result<Option<Value>, Fault> + Send + 'static,
{
    Does { begin, complete, ready: Ready::Now, timeout: None }
}

impl<B, C> Job for Does<B, C>
where
    B: FnMut(&mut Tx<'_>) -> Result<(), Fault> + Send + 'static,
    C: FnMut(&mut Tx<'_>) -> Result<Option<Value>, Fault> + Send + 'static,
{
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        (self.begin)(tx)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        (self.complete)(tx)
    }

    fn ready(&self, state: &dyn Read, _: &TaskContext<'_>) -> Ready {
        match &self.ready {
            // Tests wait for objects to be gone.
            Ready::After(objects) if objects.iter().all(|mo| !state.exists(mo)) => Ready::Now,
            ready => ready.clone(),
        }
    }

    fn timeout(&self) -> Option<(Duration, Fault)> {
        self.timeout.clone()
    }
}

const SUCCESS: State = State::Done(Outcome::Success);
const FAILURE: State = State::Done(Outcome::Failure);
const CANCELLED: State = State::Done(Outcome::Cancelled);

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
    assert_eq!(engine.waiting(), 1, "only the cleaning of finished tasks waits");
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
    assert_eq!(engine.waiting(), 1, "its timers are gone");
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
    assert_eq!(engine.waiting(), 1);
}

/// Makes a child for each of `children`, which take as many seconds.
fn parent(children: Vec<(MoRef, u32, bool)>) -> impl Job {
    struct Parent(Vec<(MoRef, u32, bool)>);
    impl Job for Parent {
        fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
            for (vm, seconds, cancelable) in &self.0 {
                let duration = SECOND * *seconds;
                let child = TaskSpec {
                    parent: Some(task.id),
                    duration,
                    cancelable: *cancelable,
                    ..spec(vm)
                };
                tx.submit(child, rename(vm, "done"))?;
            }
            Ok(())
        }
        fn ready(&self, _: &dyn Read, _: &TaskContext<'_>) -> Ready {
            Ready::Children
        }
        fn complete(
            &mut self,
            _: &mut Tx<'_>,
            _: &TaskContext<'_>,
        ) -> Result<Option<Value>, Fault> {
            Ok(None)
        }
    }
    Parent(children)
}

#[test]
fn a_parent_is_as_far_as_its_children() {
    let engine = stepped();
    let (a, b) = (machine(&engine, "a"), machine(&engine, "b"));
    let job = parent(vec![(a.clone(), 10, true), (b, 20, true)]);
    let task = engine.submit(TaskSpec::new(operation(), "x"), Box::new(job)).unwrap();
    let id = TaskId::of(&task).unwrap();
    assert_eq!(engine.tasks().children(id).count(), 2);
    assert!(engine.tasks().children(id).all(|child| child.root == Some(id)));
    engine.advance(5 * SECOND).unwrap();
    assert_eq!(progress(&engine, &task), Some(38), "(50 + 25) / 2");
    engine.advance(5 * SECOND).unwrap();
    assert_eq!(name(&engine, &a), "done");
    assert_eq!(progress(&engine, &task), Some(75), "(100 + 50) / 2");
    engine.advance(10 * SECOND).unwrap();
    assert_eq!(state(&engine, &task), SUCCESS);
    assert_eq!(progress(&engine, &task), None);
}

#[test]
fn cancelling_a_parent_cancels_its_children() {
    let engine = stepped();
    let (a, b) = (machine(&engine, "a"), machine(&engine, "b"));
    let job = parent(vec![(a.clone(), 10, true), (b.clone(), 20, false)]);
    let cancelable = TaskSpec { cancelable: true, ..TaskSpec::new(operation(), "x") };
    let task = engine.submit(cancelable, Box::new(job)).unwrap();
    engine.cancel(&task, None).unwrap();
    assert_eq!(name(&engine, &a), "a");
    assert_eq!(state(&engine, &task), State::Running, "a child cannot be cancelled");
    engine.cancel(&task, None).unwrap();
    engine.advance(20 * SECOND).unwrap();
    assert_eq!(state(&engine, &task), CANCELLED);
    assert_eq!(name(&engine, &b), "done");
}

#[test]
fn an_unknown_parent_is_an_invalid_argument() {
    let engine = stepped();
    let orphan = TaskSpec { parent: Some(TaskId::new(9)), ..TaskSpec::new(operation(), "x") };
    let error = engine.create_task(orphan).unwrap_err();
    assert_eq!(error, Fault::invalid_argument("parentTaskKey"));
}

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

#[test]
fn a_thousand_due_in_the_same_instant_end_in_order() {
    let engine = stepped();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let expected: Vec<MoRef> = (0..1000)
        .map(|number| {
            let vm = machine(&engine, "x");
            let (order, at) = (Arc::clone(&order), vm.clone());
            let job = does(
                |_| Ok(()),
                move |_| {
                    order.lock().expect("order").push(at.clone());
                    Ok(None)
                },
            );
            let slow = TaskSpec { duration: SECOND, ..spec(&vm) };
            engine.submit(slow, Box::new(job)).unwrap();
            assert_eq!(engine.tasks().live_len(), number + 1);
            vm
        })
        .collect();
    engine.advance(SECOND).unwrap();
    assert_eq!(*order.lock().unwrap(), expected);
    assert_eq!(engine.tasks().live_len(), 0);
}

#[test]
fn a_day_passes_in_a_moment() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let day = TaskSpec { duration: 86_400 * SECOND, ..spec(&vm) };
    let task = engine.submit(day, rename(&vm, "b")).unwrap();
    engine.run_until_idle(100_000 * SECOND).unwrap();
    assert_eq!(engine.now(), NOON.after(86_400 * SECOND));
    let record = engine.task(&task).unwrap();
    assert_eq!(record.status().completed_at(), Some(engine.now()));
    assert_eq!(record.status().queued_at(), NOON);
}

#[test]
fn finished_tasks_beyond_retention_leave_nothing() {
    let engine = engine_with(Retention { age: 60 * SECOND, count: 32 });
    let vm = machine(&engine, "a");
    for _ in 0..100 {
        engine.submit(spec(&vm), rename(&vm, "b")).unwrap();
    }
    let kept = engine.tasks().len();
    assert!((32..=34).contains(&kept), "{kept}");
    let last = TaskId::new(100).moref();
    assert!(engine.snapshot().exists(&last) && !engine.snapshot().exists(&TaskId::new(1).moref()));
    engine.advance(59 * SECOND).unwrap();
    assert!(engine.snapshot().exists(&last));
    engine.advance(SECOND).unwrap();
    assert_eq!((engine.tasks().len(), engine.snapshot().len(), engine.waiting()), (0, 1, 0));
}

#[test]
fn calls_come_at_their_time_and_can_be_taken_back() {
    let engine = stepped();
    let count = Arc::new(AtomicUsize::new(0));
    let call = || {
        let count = Arc::clone(&count);
        move |_: &Engine| {
            count.fetch_add(1, Ordering::SeqCst);
        }
    };
    engine.after(2 * SECOND, Weight::Work, call());
    let second = engine.after(2 * SECOND, Weight::Work, call());
    engine.after(2 * SECOND, Weight::Work, |_| panic!("a mistake in a call"));
    engine.after(3 * SECOND, Weight::Work, call());
    assert!(engine.forget_call(second) && !engine.forget_call(second));
    engine.advance(SECOND).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 0);
    assert_eq!(engine.advance_to_next().unwrap(), Some(NOON.after(2 * SECOND)));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    engine.run_until_idle(SECOND).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_sleeper_wakes_by_the_engines_clock() {
    let engine = stepped();
    let sleep = engine.sleep(3600 * SECOND);
    drop(engine.sleep(SECOND));
    assert_eq!(engine.waiting(), 1, "who no longer sleeps does not wait");
    engine.advance(3600 * SECOND).unwrap();
    sleep.await;
}

#[test]
fn the_same_calls_give_the_same_tasks() {
    let run = || {
        let engine = stepped();
        for number in 0..20 {
            let vm = machine(&engine, &format!("vm{number}"));
            let slow = TaskSpec { duration: SECOND * number, ..spec(&vm) };
            engine.submit(slow.clone(), rename(&vm, "b")).unwrap();
            engine.submit(slow, rename(&vm, "c")).unwrap();
            engine.advance(SECOND).unwrap();
        }
        let records: Vec<TaskRecord> = engine.tasks().iter().map(|t| (**t).clone()).collect();
        (records, engine.snapshot().version())
    };
    assert_eq!(run(), run());
}

/// A projection that tells what happens to tasks, in order.
struct Tells(std::sync::mpsc::Sender<(TaskId, State)>);

impl Projection for Tells {
    fn project(&self, task: &TaskRecord) -> Object {
        Plain.project(task)
    }

    fn on_change(&self, _: &mut Transaction, _: Option<&TaskRecord>, new: &TaskRecord) {
        self.0.send((new.id, new.state())).expect("the test listens");
    }
}

#[test]
fn with_a_real_clock_a_thread_does_the_work() {
    let (tell, told) = std::sync::mpsc::channel();
    let store = Arc::new(Store::new());
    let engine =
        Engine::start(store, Settings::default(), Box::new(Tells(tell))).expect("a thread");
    let vm = machine(&engine, "a");
    for _ in 0..100 {
        let quick = TaskSpec { duration: Duration::from_micros(50), ..spec(&vm) };
        engine.submit(quick, rename(&vm, "b")).unwrap();
    }
    let mut seen: Vec<(TaskId, State)> = Vec::new();
    while seen.iter().filter(|(_, state)| state.is_done()).count() < 100 {
        seen.push(told.recv().expect("the engine goes on"));
    }
    for number in 1..=100 {
        let states: Vec<State> =
            seen.iter().filter(|(id, _)| id.number() == number).map(|(_, s)| *s).collect();
        assert_eq!(states, [State::Queued, State::Running, SUCCESS]);
    }
    let ends: Vec<u64> =
        seen.iter().filter(|(_, s)| s.is_done()).map(|(id, _)| id.number()).collect();
    assert!(ends.is_sorted(), "one entity, one order");
    // The last change is told inside its commit; another commit comes after it.
    engine.commit(|_| Ok(())).unwrap();
    for record in engine.tasks().iter() {
        let status = record.status();
        assert!(Some(status.queued_at()) <= status.started_at());
        assert!(status.started_at() <= status.completed_at());
    }
}

#[test]
fn cancel_and_completion_race_to_exactly_one_end() {
    let engine = real();
    let mut cancelled = 0;
    for round in 0..10_000_u32 {
        let vm = machine(&engine, "a");
        let ends = Arc::new(AtomicUsize::new(0));
        let job = Races { rename: *rename(&vm, "b"), ends: Arc::clone(&ends) };
        // Sometimes the one is a little faster, sometimes the other.
        let duration = Duration::from_micros(u64::from(round % 40));
        let task = engine.submit(TaskSpec { duration, ..spec(&vm) }, Box::new(job)).unwrap();
        for _ in 0..round % 997 {
            std::hint::spin_loop();
        }
        let outcome = engine.request_cancel(&task, None);
        while !state(&engine, &task).is_done() {
            std::thread::yield_now();
        }
        let record = engine.task(&task).unwrap();
        match outcome {
            CancelOutcome::Accepted => {
                cancelled += 1;
                assert_eq!(record.state(), CANCELLED);
                assert_eq!(record.status().result(), None);
                assert_eq!(name(&engine, &vm), "a");
            }
            CancelOutcome::Finished => {
                assert_eq!(record.state(), SUCCESS);
                assert_eq!(record.status().error(), None);
                assert_eq!(name(&engine, &vm), "b");
            }
            other => panic!("{other:?}"),
        }
        assert!(ends.load(Ordering::SeqCst) <= 1, "ended twice");
        engine.commit(|tx| Ok(tx.remove(&vm))).unwrap();
    }
    assert!(cancelled > 0 && cancelled < 10_000, "no race in {cancelled} of 10000");
}

/// Counts how often it ends.
struct Races {
    rename: Rename,
    ends: Arc<AtomicUsize>,
}

impl Job for Races {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        self.rename.begin(tx, task)
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        self.ends.fetch_add(1, Ordering::SeqCst);
        self.rename.complete(tx, task)
    }

    fn undo(&mut self, tx: &mut Tx<'_>) {
        self.ends.fetch_add(1, Ordering::SeqCst);
        self.rename.undo(tx);
    }
}

#[test]
fn an_engine_goes_when_its_last_handle_goes() {
    let engine = real();
    let weak = engine.downgrade();
    drop(engine);
    while weak.upgrade().is_some() {
        std::thread::yield_now();
    }
}
