//! [`Engine`]: the handle through which everything above asks for change.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use super::clock::{Clock, NotStepped};
use super::commit::{Core, Jobs, Projection, Timing, lock};
use super::director::{AsAsked, Director};
use super::driver::Event;
use super::job::{Job, TaskSpec};
use super::scheduler::{Scheduler, Ticket, Weight};
use super::tx::{Tables, Tx};
use crate::event::{self, EventLog};
use crate::fault::Fault;
use crate::ids::Ids;
use crate::inventory::{Snapshot, Store};
use crate::task::{
    CancelOutcome, Command, Progress, Retention, State, Target, TaskRecord, TaskTable,
};
use crate::value::{DateTime, MoRef, Object, Str, Value};

/// How an engine is set up.
#[derive(Debug)]
pub struct Settings {
    /// What time it is.
    pub clock: Clock,
    /// Where ids and chance come from.
    pub ids: Arc<Ids>,
    /// How long finished tasks stay.
    pub retention: Retention,
    /// How long events are remembered.
    pub event_retention: event::Retention,
    /// How tasks go.
    pub director: Arc<dyn Director>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: Clock::real(),
            ids: Arc::new(Ids::random()),
            retention: Retention::default(),
            event_retention: event::Retention::default(),
            director: Arc::new(AsAsked),
        }
    }
}

/// A handle to an engine; copies are handles to the same one.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) core: Arc<Core>,
}

/// A handle that does not keep its engine alive.
#[derive(Clone, Debug)]
pub struct WeakEngine {
    core: Weak<Core>,
}

impl WeakEngine {
    /// The engine, if it is still there.
    pub fn upgrade(&self) -> Option<Engine> {
        self.core.upgrade().map(|core| Engine { core })
    }
}

impl Engine {
    /// An engine over `store`, with the thread that does what is due. All
    /// changes of the store must go through it from now on. The thread ends
    /// with the last handle.
    pub fn start(
        store: Arc<Store>,
        settings: Settings,
        projection: Box<dyn Projection>,
    ) -> io::Result<Self> {
        let Settings { clock, ids, retention, event_retention, director } = settings;
        let timing = Arc::new(Timing { clock, scheduler: Scheduler::new() });
        let core = Arc::new(Core {
            store,
            timing: Arc::clone(&timing),
            ids,
            projection,
            director,
            retention,
            event_retention,
            jobs: Mutex::new(Jobs::default()),
            pump: Mutex::new(()),
        });
        let weak = WeakEngine { core: Arc::downgrade(&core) };
        thread::Builder::new().name("engine".into()).spawn(move || work(&timing, &weak))?;
        Ok(Self { core })
    }

    /// A handle that does not keep the engine alive.
    pub fn downgrade(&self) -> WeakEngine {
        WeakEngine { core: Arc::downgrade(&self.core) }
    }

    /// Runs `change` on the latest state of inventory and tasks. All that it
    /// did becomes visible at once; a fault takes all of it back.
    ///
    /// One commit at a time, so `change` must be quick: no I/O, no waiting,
    /// and no other commit inside it. With a stepped clock, what becomes due
    /// by the change is done before this returns.
    pub fn commit<T>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let result = self.core.commit(change);
        self.settle();
        result
    }

    /// Adds a task whose work `job` does as soon as what it needs is free. The
    /// reference can be read at once. With a stepped clock, a task that takes
    /// no time and waits for nobody has ended when this returns.
    ///
    /// Faults about the state of what the task acts on are the task's, not
    /// this call's, `TaskInProgress` included.
    pub fn submit(&self, spec: TaskSpec, job: Box<dyn Job>) -> Result<MoRef, Fault> {
        self.commit(|tx| tx.submit(spec, job))
    }

    /// Adds a task whose creator does the work and says how it goes; gives the
    /// task as it is at that moment.
    pub fn create_task(&self, spec: TaskSpec) -> Result<Arc<TaskRecord>, Fault> {
        self.commit(|tx| tx.create_task(spec))
    }

    /// `SetTaskState`. It is meant for tasks without a job; but no document
    /// says that it fails for others, so it may also end a task with one,
    /// whose work then stops and is undone. Only admission starts such a task.
    pub fn set_state(
        &self,
        task: &MoRef,
        to: Target,
        result: Option<Value>,
        fault: Option<Fault>,
    ) -> Result<(), Fault> {
        self.commit(|tx| {
            let record = Arc::clone(tx.find_task(task)?);
            if record.driven && record.state() == State::Queued && to == Target::Running {
                return Err(Fault::invalid_state());
            }
            tx.apply(record.id, Command::Set { to, result, fault })?;
            let ended = matches!(to, Target::Success | Target::Error);
            if ended
                && record.state() == State::Running
                && let Some(entry) = lock(&self.core.jobs).entries.get_mut(&record.id)
            {
                entry.withdraw(tx, &record);
                entry.job.undo(tx);
            }
            Ok(())
        })
    }

    /// `UpdateProgress`.
    pub fn update_progress(&self, task: &MoRef, percent: i32) -> Result<(), Fault> {
        self.change(task, Command::Report(Progress::from_percent(percent)))
    }

    /// `SetTaskDescription`.
    pub fn set_description(&self, task: &MoRef, message: Object) -> Result<(), Fault> {
        self.change(task, Command::Describe(message))
    }

    /// `CancelTask`, wanted by the user `by`.
    pub fn cancel(&self, task: &MoRef, by: Option<Str>) -> Result<(), Fault> {
        self.request_cancel(task, by).into_result(task)
    }

    /// Asks for a task to be cancelled; the answer is finer than a fault.
    pub fn request_cancel(&self, task: &MoRef, by: Option<Str>) -> CancelOutcome {
        let asked = self.commit(|tx| {
            let Ok(record) = tx.find_task(task) else { return Ok(CancelOutcome::Absent) };
            let id = record.id;
            Ok(tx.cancel(id, by))
        });
        asked.unwrap_or(CancelOutcome::Absent)
    }

    /// Changes the status of a task.
    pub fn change(&self, task: &MoRef, command: Command) -> Result<(), Fault> {
        self.commit(|tx| {
            let id = tx.find_task(task)?.id;
            tx.apply(id, command)
        })
    }

    /// The store below.
    pub fn store(&self) -> &Arc<Store> {
        &self.core.store
    }

    /// The inventory as it is.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.core.store.snapshot()
    }

    /// The tasks as they are.
    pub fn tasks(&self) -> TaskTable {
        self.core.tasks()
    }

    /// A task as it is.
    pub fn task(&self, mo: &MoRef) -> Option<Arc<TaskRecord>> {
        tasks_in(&self.snapshot())?.find(mo).cloned()
    }

    /// The source of ids and chance.
    pub fn ids(&self) -> &Arc<Ids> {
        &self.core.ids
    }

    /// How long finished tasks stay.
    pub fn retention(&self) -> &Retention {
        &self.core.retention
    }

    /// The time.
    pub fn now(&self) -> DateTime {
        self.core.timing.clock.now()
    }

    /// Whether the clock is stepped.
    pub fn is_stepped(&self) -> bool {
        self.core.timing.clock.is_stepped()
    }

    /// How many things wait for a time.
    pub fn waiting(&self) -> usize {
        self.core.timing.scheduler.len()
    }

    /// Has `call` called when `after` has passed. It must not keep a handle to
    /// the engine, which it is given. With a panic in it the call ends, and
    /// nothing else.
    pub fn after(
        &self,
        after: Duration,
        weight: Weight,
        call: impl FnOnce(&Self) + Send + 'static,
    ) -> Ticket {
        let due = self.now().after(after);
        let event = Event::Call(Box::new(call));
        let ticket = self.core.timing.scheduler.schedule(due, weight, event);
        if after.is_zero() {
            self.settle();
        }
        ticket
    }

    /// Takes back what [`Engine::after`] arranged; whether it was in time.
    pub fn forget_call(&self, ticket: Ticket) -> bool {
        self.core.timing.scheduler.cancel(ticket).is_some()
    }

    /// Waits until `duration` has passed, by this engine's clock.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let (done, elapsed) = tokio::sync::oneshot::channel();
        let call = move |_: &Self| {
            // Nobody listens any more when the sleeper was dropped.
            let _ = done.send(());
        };
        let alarm =
            Alarm { ticket: self.after(duration, Weight::Work, call), engine: self.downgrade() };
        async move {
            // An error means that the engine is gone, and time with it.
            drop(elapsed.await);
            drop(alarm);
        }
    }

    /// Stops the clock where it is, or lets it run on from there.
    pub fn set_stepped(&self, stepped: bool) {
        self.core.timing.clock.set_stepped(stepped);
        self.core.timing.scheduler.nudge();
        self.settle();
    }

    /// When the next work is due, if any waits.
    pub fn next_work(&self) -> Option<DateTime> {
        self.core.timing.scheduler.next_work()
    }

    /// Moves a stepped clock by `duration` and does all that becomes due, each
    /// at its time. Two who do so at once move it by both durations.
    pub fn advance(&self, duration: Duration) -> Result<(), NotStepped> {
        let pump = self.pump();
        self.advance_pumped(pump, self.now().after(duration))
    }

    /// Moves a stepped clock to `time` and does all that becomes due, each at
    /// its time.
    pub fn advance_to(&self, time: DateTime) -> Result<(), NotStepped> {
        self.advance_pumped(self.pump(), time)
    }

    /// Keeps everybody else from doing what is due.
    pub(super) fn pump(&self) -> MutexGuard<'_, ()> {
        self.core.pump.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance_pumped(&self, pump: MutexGuard<'_, ()>, time: DateTime) -> Result<(), NotStepped> {
        let Timing { clock, scheduler } = &*self.core.timing;
        while let Some((due, event)) =
            clock.is_stepped().then(|| scheduler.take_due(time)).flatten()
        {
            clock.move_to(due)?;
            self.handle(event);
        }
        clock.move_to(time)?;
        drop(pump);
        self.settle();
        Ok(())
    }

    /// Moves a stepped clock to the next work and does it, with all that is
    /// due in the same instant; gives the time, or nothing if no work waits.
    pub fn advance_to_next(&self) -> Result<Option<DateTime>, NotStepped> {
        if !self.is_stepped() {
            return Err(NotStepped);
        }
        let pump = self.pump();
        let Some(next) = self.next_work() else { return Ok(None) };
        self.advance_pumped(pump, next)?;
        Ok(Some(next))
    }

    /// Moves a stepped clock from work to work until none waits, or until the
    /// next is more than `limit` away from now.
    pub fn run_until_idle(&self, limit: Duration) -> Result<(), NotStepped> {
        if !self.is_stepped() {
            return Err(NotStepped);
        }
        let end = self.now().after(limit);
        while self.core.timing.scheduler.next_work().is_some_and(|next| next <= end) {
            self.advance_to_next()?;
        }
        Ok(())
    }
}

/// The tasks as they were when the snapshot was taken; none in a snapshot of a
/// store that no engine has changed.
pub fn tasks_in(snapshot: &Snapshot) -> Option<&TaskTable> {
    snapshot.companion::<Tables>().map(|tables| &tables.tasks)
}

/// What a front end committed together with the snapshot, if it is a `T`.
pub fn aside_in<T: std::any::Any>(snapshot: &Snapshot) -> Option<&T> {
    snapshot.companion::<Tables>()?.aside()
}

/// The events as they were when the snapshot was taken; none in a snapshot of
/// a store that no engine has changed.
pub fn events_in(snapshot: &Snapshot) -> Option<&EventLog> {
    snapshot.companion::<Tables>().map(|tables| &tables.events)
}

/// Takes a sleeper out of the queue when it no longer sleeps.
struct Alarm {
    ticket: Ticket,
    engine: WeakEngine,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.forget_call(self.ticket);
        }
    }
}

/// What the engine's thread does all its life.
fn work(timing: &Timing, engine: &WeakEngine) {
    while let Some(event) = timing.scheduler.wait(&timing.clock) {
        let Some(engine) = engine.upgrade() else { return };
        let pump = engine.core.pump.lock().unwrap_or_else(PoisonError::into_inner);
        engine.handle(event);
        drop(pump);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.timing.scheduler.stop();
    }
}
