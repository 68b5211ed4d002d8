//! Does what is due: starts jobs, takes the steps of their plans, ends them.
//!
//! ```text
//!   turn ──► (queued, held) ──► begin ──► step, step, … ──► proceed: effect and success
//!                                 │          │                 │
//!                                 └──────────┴─ a fault ───────┴──► fail: undo and the fault
//!                                            └─ vanish: the task is gone
//! ```
//!
//! [`Entry`] says which of these comes next and when; [`super::hand`] does the
//! same things out of turn.
//!
//! Whatever a job does wrong costs its task and nothing else: a fault or a
//! panic takes back the commit in which it happened, and the task ends with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, TryLockError};
use std::thread;
use std::time::Duration;

use super::api::Engine;
use super::commit::{Jobs, Moment, lock};
use super::director::Act;
use super::entry::{Entry, Stage};
use super::job::{Ready, TaskContext};
use super::tx::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::task::{Command, End, State, TaskId, TaskRecord};
use crate::value::{MoRef, Value};

/// How many tasks one commit of a cleaning forgets: it stays short.
const SWEEP_LOT: usize = 1000;

/// Something that is due.
pub(super) enum Event {
    /// The task's turn has come.
    Start(TaskId),
    /// The task is not admitted; the other one is in its way.
    Refuse(TaskId, TaskId),
    /// What comes next by the task's plan.
    Next(TaskId),
    /// Something happened that may allow the job to end.
    Proceed(TaskId),
    /// The job has waited for too long.
    Timeout(TaskId, Fault),
    /// The task was hidden for long enough.
    Appear(TaskId),
    /// Finished tasks may be beyond retention.
    Sweep,
    /// A finished task is no longer recent.
    Age,
    /// Somebody wanted to be called.
    Call(super::tx::Call),
}

impl Event {
    /// The same once more; a call can only be made once.
    pub(super) fn copy(&self) -> Option<Self> {
        Some(match self {
            Self::Start(id) => Self::Start(*id),
            Self::Refuse(id, holder) => Self::Refuse(*id, *holder),
            Self::Next(id) => Self::Next(*id),
            Self::Proceed(id) => Self::Proceed(*id),
            Self::Timeout(id, fault) => Self::Timeout(*id, fault.clone()),
            Self::Appear(id) => Self::Appear(*id),
            Self::Sweep => Self::Sweep,
            Self::Age => Self::Age,
            Self::Call(_) => return None,
        })
    }
}

impl Engine {
    /// With a stepped clock, does what is due now; with a real one the
    /// engine's thread does. Called after each commit that may have made
    /// something due.
    pub(super) fn settle(&self) {
        let core = &self.core;
        while core.timing.clock.is_stepped() {
            // Who holds the pump looks into the queue again after letting go,
            // so what was put there meanwhile is not forgotten.
            let pump = match core.pump.try_lock() {
                Ok(pump) => pump,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            let mut idle = true;
            while let Some((_, event)) = core.timing.scheduler.take_due(core.timing.clock.now()) {
                idle = false;
                self.handle(event);
            }
            drop(pump);
            if idle {
                return;
            }
        }
    }

    /// Does one thing that is due. A panic stays in here: there is other work.
    pub(super) fn handle(&self, event: Event) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.dispatch(event))) {
            tracing::error!(reason = text_of(&*panic), "something that was due panicked");
        }
    }

    fn dispatch(&self, event: Event) {
        match event {
            Event::Start(id) => self.turn(id),
            Event::Refuse(id, holder) => self.refuse(id, holder),
            Event::Next(id) => self.next(id),
            Event::Proceed(id) => self.proceed(id),
            Event::Timeout(id, fault) => self.time_out(id, &fault),
            Event::Appear(id) => note(
                id,
                self.core.commit(|tx| {
                    tx.reveal(id);
                    Ok(())
                }),
            ),
            Event::Sweep => self.sweep(),
            Event::Age => self.age(),
            Event::Call(call) => call(self),
        }
    }

    /// What the job needs is free. As a rule it begins at once.
    fn turn(&self, id: TaskId) {
        let now = self.now();
        let mut jobs = lock(&self.core.jobs);
        let Some(entry) = jobs.entries.get_mut(&id).filter(|entry| entry.stage == Stage::Line)
        else {
            return;
        };
        entry.enter(Stage::Turn, now);
        if entry.due() == Some(now) {
            drop(jobs);
            self.begin(id);
        } else {
            entry.arrange(id, &self.core.timing.scheduler);
        }
    }

    /// What comes next may be due; what was arranged before somebody changed
    /// the order of things is not.
    fn next(&self, id: TaskId) {
        let stage = {
            let jobs = lock(&self.core.jobs);
            let Some(entry) = jobs.entries.get(&id) else { return };
            if entry.due().is_none_or(|due| due > self.now()) {
                return;
            }
            entry.stage
        };
        match stage {
            Stage::Turn => self.begin(id),
            Stage::Running => self.step(id, false),
            Stage::Line | Stage::Due => {}
        }
    }

    /// Begins the work of a task whose turn it is.
    pub(super) fn begin(&self, id: TaskId) {
        let begun = self.attempt(id, |tx, jobs| {
            let Some(entry) = jobs.entries.get_mut(&id) else { return Ok(None) };
            let Some(record) = tx.task(id).cloned() else { return Ok(None) };
            if record.state() != State::Queued || entry.stage != Stage::Turn {
                return Ok(None);
            }
            tx.apply(id, Command::Start)?;
            if let Some(entity) = record.entity.as_ref().filter(|entity| !tx.exists(entity)) {
                return Err(Fault::not_found(entity));
            }
            let context = TaskContext { id, mo: &record.mo, cancelled: false };
            entry.job.begin(tx, &context)?;
            Ok(Some(tx.now()))
        });
        let begun = match begun {
            Ok(Some(begun)) => begun,
            Ok(None) => return,
            Err(fault) => return self.fail(id, &fault),
        };
        let scheduler = &self.core.timing.scheduler;
        let mut jobs = lock(&self.core.jobs);
        let Some(entry) = jobs.entries.get_mut(&id) else { return };
        entry.enter(Stage::Running, begun);
        if let Some((after, fault)) = entry.job.timeout() {
            entry.alarm(begun.after(after), Event::Timeout(id, fault), scheduler);
        }
        // Who takes no time does not wait for the queue either.
        if entry.due().is_some_and(|due| due <= begun) {
            drop(jobs);
            self.step(id, false);
        } else {
            entry.arrange(id, scheduler);
        }
    }

    /// Takes the next step of a running task, with all that come in the same
    /// instant; one that is `forced` need not be due, and if the task is held
    /// it stays so.
    pub(super) fn step(&self, id: TaskId, forced: bool) {
        let stepped = self.attempt(id, |tx, jobs| {
            let Some(entry) = jobs.entries.get_mut(&id) else { return Ok(Stage::Running) };
            let at_work = |task: &&Arc<TaskRecord>| {
                task.state() == State::Running && task.status().cancel().is_none()
            };
            let Some(record) = tx.task(id).filter(at_work).cloned() else {
                return Ok(Stage::Running);
            };
            if entry.stage != Stage::Running {
                return Ok(Stage::Running);
            }
            let first = entry.plan.course.step(entry.next).after;
            if forced {
                entry.hold_at(first);
            }
            while entry.stage == Stage::Running && entry.plan.course.step(entry.next).after == first
            {
                if !forced && entry.due().is_none_or(|due| due > tx.now()) {
                    break;
                }
                let step = entry.plan.course.step(entry.next);
                entry.next = entry.next.saturating_add(1);
                if !take(tx, entry, &record, step.act, first)? {
                    return Ok(Stage::Running);
                }
            }
            if entry.stage == Stage::Running {
                entry.arrange(id, &self.core.timing.scheduler);
            }
            Ok(entry.stage)
        });
        match stepped {
            Ok(Stage::Due) => self.proceed(id),
            Ok(Stage::Line | Stage::Turn | Stage::Running) => {}
            Err(fault) => self.fail(id, &fault),
        }
    }

    fn refuse(&self, id: TaskId, holder: TaskId) {
        let refused = self.core.commit(|tx| {
            if tx.task(id).is_some_and(|record| record.state() == State::Queued) {
                let fault = Fault::task_in_progress(&holder.moref());
                tx.apply(id, Command::Finish(End::Failure(Some(fault))))?;
            }
            Ok(())
        });
        note(id, refused);
    }

    /// Ends a job if it can end: as cancelled if somebody asked for that, or
    /// by its effect when its time has passed and it is ready.
    pub(super) fn proceed(&self, id: TaskId) {
        let proceeded = self.attempt(id, |tx, jobs| {
            let Some(entry) = jobs.entries.get_mut(&id) else { return Ok(()) };
            let Some(record) = tx.task(id).filter(|record| record.state() == State::Running) else {
                return Ok(());
            };
            let record = Arc::clone(record);
            let request = record.status().cancel();
            let cancelled = request.is_some();
            let context = TaskContext { id, mo: &record.mo, cancelled };
            if !cancelled && (entry.stage != Stage::Due || entry.is_held()) {
                return Ok(());
            }
            let stops = request.map(|request| request.at.after(entry.plan.stopping));
            if let Some(stops) = stops.filter(|stops| *stops > tx.now()) {
                entry.alarm(stops, Event::Proceed(id), &self.core.timing.scheduler);
                return Ok(());
            }
            let ready = if cancelled { Ready::Children } else { entry.job.ready(tx, &context) };
            if let Some(objects) = missing(&ready, tx, id) {
                jobs.watch(id, objects);
                return Ok(());
            }
            if cancelled {
                let fault = Fault::request_canceled();
                entry.withdraw(tx, &record);
                entry.job.undo(tx);
                entry.job.stopped(tx, &fault);
                tx.apply(id, Command::Finish(End::Cancelled(fault)))?;
            } else {
                let result: Option<Value> = entry.job.complete(tx, &context)?;
                entry.withdraw(tx, &record);
                let result = entry.plan.result.clone().or(result);
                if let Some(sequel) = entry.plan.sequel.take() {
                    sequel.begin(tx, &record, result.as_ref());
                }
                tx.apply(id, Command::Finish(End::Success(result)))?;
            }
            Ok(())
        });
        if let Err(fault) = proceeded {
            self.fail(id, &fault);
        }
    }

    /// Ends a job that has waited for too long. One that was cancelled ends as
    /// that, however long its children take.
    pub(super) fn time_out(&self, id: TaskId, fault: &Fault) {
        let timed_out = self.attempt(id, |tx, jobs| {
            let gone =
                |task: &Arc<TaskRecord>| task.state().is_done() || task.status().cancel().is_some();
            if tx.task(id).is_none_or(gone) {
                return Ok(());
            }
            if let Some(entry) = jobs.entries.get_mut(&id).filter(|entry| entry.is_held()) {
                entry.overdue = Some(fault.clone());
                return Ok(());
            }
            end_failed(tx, jobs.entries.get_mut(&id), id, fault)?;
            if let Some(record) = tx.task(id).cloned() {
                tx.tell(&record, Moment::TimedOut, None);
            }
            Ok(())
        });
        if let Err(fault) = timed_out {
            self.fail(id, &fault);
        }
    }

    /// Ends a job that went wrong. The commit in which it did has been taken
    /// back, but not what the job did in its beginning.
    pub(super) fn fail(&self, id: TaskId, fault: &Fault) {
        let failed =
            self.attempt(id, |tx, jobs| end_failed(tx, jobs.entries.get_mut(&id), id, fault));
        if failed.is_err() {
            // The job cannot even undo; its task still has to end.
            note(id, self.core.commit(|tx| end_failed(tx, None, id, fault)));
        }
    }

    /// Forgets what is beyond retention, in a thread of its own: allocators keep
    /// for each thread some of what it freed last. This comes from all over the
    /// memory, and the engine's thread may sleep for long, so that much of what
    /// lies around it could not be given back.
    fn sweep(&self) {
        self.core.sweep_came();
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("sweep".into());
            if thread.spawn_scoped(scope, || self.sweep_lot()).is_err() {
                self.sweep_lot();
            }
        });
    }

    fn sweep_lot(&self) {
        let swept = self.core.commit(|tx| {
            let overdue = self.core.retention.overdue(tx.tasks(), tx.now(), SWEEP_LOT);
            overdue.into_iter().for_each(|id| tx.forget(id));
            tx.trim_history(&self.core.retention);
            Ok(())
        });
        if let Err(fault) = swept {
            tracing::error!(%fault, "finished tasks could not be forgotten");
        }
    }

    fn age(&self) {
        self.core.aging_came();
        let aged = self.core.commit(|tx| {
            tx.age(tx.now().before(self.core.retention.recent_age));
            Ok(())
        });
        if let Err(fault) = aged {
            tracing::error!(%fault, "finished tasks could not be taken from the recent ones");
        }
    }

    /// A commit with the jobs at hand, in which a panic is a fault.
    pub(super) fn attempt<T>(
        &self,
        id: TaskId,
        change: impl FnOnce(&mut Tx<'_>, &mut Jobs) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let core = &self.core;
        let commit = || {
            core.commit(|tx| {
                tx.acting = Some(id);
                change(tx, &mut lock(&core.jobs))
            })
        };
        catch_unwind(AssertUnwindSafe(commit)).unwrap_or_else(|panic| {
            let reason = text_of(&*panic);
            tracing::error!(task = %id, reason, "a job panicked");
            Err(Fault::system_error(&format!("the job panicked: {reason}")))
        })
    }
}

/// Does what a step says, at this time of the plan; whether the task is still
/// there.
fn take(
    tx: &mut Tx<'_>,
    entry: &mut Entry,
    task: &TaskRecord,
    act: Act,
    time: Duration,
) -> Result<bool, Fault> {
    match act {
        // A parent is as far as its children are.
        Act::Report(_) if tx.tasks().family(task.id).children() > 0 => {}
        Act::Report(Some(progress)) => tx.report(task.id, progress)?,
        Act::Report(None) => tx.unreport(task.id)?,
        Act::Cancelable(cancelable) => tx.apply(task.id, Command::SetCancelable(cancelable))?,
        Act::Hold => entry.hold_at(time),
        Act::Ask(question) => {
            if question.ask(tx, task) {
                entry.question = Some(question);
                entry.hold_at(time);
            }
        }
        Act::Fail(fault) => return Err(fault),
        Act::Vanish { effect } => {
            lose(tx, Some(entry), task, effect)?;
            return Ok(false);
        }
        Act::Finish => {
            entry.plan.held = false;
            entry.stage = Stage::Due;
        }
    }
    Ok(true)
}

/// The task is gone, with its effect or without.
pub(super) fn lose(
    tx: &mut Tx<'_>,
    entry: Option<&mut Entry>,
    task: &TaskRecord,
    effect: bool,
) -> Result<(), Fault> {
    if let Some(entry) = entry {
        entry.withdraw(tx, task);
        let context = TaskContext { id: task.id, mo: &task.mo, cancelled: false };
        match task.state() {
            State::Running if effect => drop(entry.job.complete(tx, &context)?),
            State::Running => entry.job.undo(tx),
            State::Queued | State::Done(_) => {}
        }
    }
    tx.lose(task.id);
    Ok(())
}

/// Ends a task as failed; one that had begun is undone, one that had not shows
/// that it tried.
pub(super) fn end_failed(
    tx: &mut Tx<'_>,
    entry: Option<&mut Entry>,
    id: TaskId,
    fault: &Fault,
) -> Result<(), Fault> {
    let Some(record) = tx.task(id).cloned() else { return Ok(()) };
    let begun = match record.state() {
        State::Queued => {
            tx.apply(id, Command::Start)?;
            false
        }
        State::Running => true,
        State::Done(_) => return Ok(()),
    };
    if let Some(entry) = entry {
        entry.withdraw(tx, &record);
        if begun {
            entry.job.undo(tx);
        }
        entry.job.stopped(tx, fault);
    }
    tx.apply(id, Command::Finish(End::Failure(Some(fault.clone()))))
}

/// The objects whose change may make the job ready; nothing when it is.
fn missing(ready: &Ready, tx: &Tx<'_>, id: TaskId) -> Option<Vec<MoRef>> {
    match ready {
        Ready::Now => None,
        Ready::After(objects) => Some(objects.clone()),
        Ready::Children if tx.tasks().family(id).live() == 0 => None,
        Ready::Children => {
            let children = tx.tasks().children(id).filter(|child| !child.state().is_done());
            Some(children.map(|child| child.mo.clone()).collect())
        }
    }
}

/// Logs what must not go wrong, and did.
fn note(id: TaskId, result: Result<(), Fault>) {
    if let Err(fault) = result {
        tracing::error!(task = %id, %fault, "the driver could not change a task");
    }
}

/// What a panic said.
fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}
