//! The engine with small jobs on bare objects: what a task does to the
//! inventory, and what is left of it when it fails or is stopped.

mod admission;
mod families;
mod jobs;
mod led;
mod model;
mod plans;
mod real_time;
mod saved;
mod state;
mod stepped_time;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use vimsim::engine::{
    Clock, Engine, Job, Plan, Projection, Ready, Settings, TaskContext, TaskSpec, Tx,
};
use vimsim::fault::Fault;
use vimsim::ids::Ids;
use vimsim::inventory::{Read, Store};
use vimsim::schema::ty;
use vimsim::task::{Operation, Outcome, Progress, Retention, State, TaskRecord};
use vimsim::value::{DateTime, MoRef, Object, Str, Value};
use vimsim::{object, path};

pub(super) const NOON: DateTime = DateTime::from_micros(1_700_000_000_000_000);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// What waits once a task has ended: its being recent no longer, and its being
/// cleaned away.
pub(super) const HOUSEKEEPING: usize = 2;

/// Shows of a task what the tests look at: its state as `info.state`.
pub(super) struct Plain;

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

pub(super) fn engine_with(retention: Retention) -> Engine {
    let settings = Settings {
        clock: Clock::stepped(NOON),
        ids: Arc::new(Ids::seeded(1)),
        retention,
        ..Settings::default()
    };
    Engine::start(Arc::new(Store::new()), settings, Box::new(Plain)).expect("a thread")
}

/// An engine with a stepped clock.
pub(super) fn stepped() -> Engine {
    engine_with(Retention::default())
}

/// An engine with a real clock.
pub(super) fn real() -> Engine {
    Engine::start(Arc::new(Store::new()), Settings::default(), Box::new(Plain)).expect("a thread")
}

/// Makes a virtual machine called `name`.
pub(super) fn machine(engine: &Engine, name: &str) -> MoRef {
    let made = engine.commit(|tx| {
        let vm = tx.next_moref(ty::VirtualMachine, "vm");
        tx.insert(vm.clone(), object!(VirtualMachine { name: name }));
        Ok(vm)
    });
    made.expect("a virtual machine")
}

pub(super) fn name(engine: &Engine, vm: &MoRef) -> String {
    engine.snapshot().text(vm, path!(VirtualMachine, "name")).to_owned()
}

pub(super) fn state(engine: &Engine, task: &MoRef) -> State {
    engine.task(task).expect("a task").state()
}

pub(super) fn fault(engine: &Engine, task: &MoRef) -> Fault {
    engine.task(task).expect("a task").status().error().expect("an error").clone()
}

pub(super) fn progress(engine: &Engine, task: &MoRef) -> Option<i32> {
    engine.task(task).expect("a task").status().progress().map(Progress::percent)
}

pub(super) fn spec(vm: &MoRef) -> TaskSpec {
    TaskSpec { cancelable: true, ..TaskSpec::new(operation(), "VirtualMachine.rename") }
        .on(vm.clone())
}

pub(super) fn operation() -> Operation {
    Operation::Extension(Str::from("com.example.work"))
}

/// Renames a virtual machine: to something provisional at its beginning, which
/// it takes back if it has to, and to the real name at its end.
#[derive(Clone)]
pub(super) struct Rename {
    pub(super) vm: MoRef,
    pub(super) to: String,
    pub(super) was: String,
}

pub(super) fn rename(vm: &MoRef, to: &str) -> Box<Rename> {
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
#[derive(Clone)]
pub(super) struct Does<B, C> {
    pub(super) begin: B,
    pub(super) complete: C,
    pub(super) ready: Ready,
    pub(super) timeout: Option<(Duration, Fault)>,
}

pub(super) fn does<B, C>(begin: B, complete: C) -> Does<B, C>
where
    B: FnMut(&mut Tx<'_>) -> Result<(), Fault> + Clone + Send + 'static,
    C: FnMut(&mut Tx<'_>) -> Result<Option<Value>, Fault> + Clone + Send + 'static,
{
    Does { begin, complete, ready: Ready::Now, timeout: None }
}

impl<B, C> Job for Does<B, C>
where
    B: FnMut(&mut Tx<'_>) -> Result<(), Fault> + Clone + Send + 'static,
    C: FnMut(&mut Tx<'_>) -> Result<Option<Value>, Fault> + Clone + Send + 'static,
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
pub(super) const SUCCESS: State = State::Done(Outcome::Success);
pub(super) const FAILURE: State = State::Done(Outcome::Failure);
pub(super) const CANCELLED: State = State::Done(Outcome::Cancelled);
