//! Does what is due: starts jobs, reports their progress, ends them.
//!
//! Whatever a job does wrong costs its task and nothing else: a fault or a
//! panic takes back the commit in which it happened, and the task ends with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, TryLockError};

use super::api::Engine;
use super::commit::{Entry, Jobs, Moment, lock};
use super::job::{Ready, TaskContext};
use super::scheduler::Weight;
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
    /// The job's next report, by its number.
    Report(TaskId, u32),
    /// The job's time has passed.
    Due(TaskId),
    /// Something happened that may allow the job to end.
    Proceed(TaskId),
    /// The job has waited for too long.
    Timeout(TaskId, Fault),
    /// Finished tasks may be beyond retention.
    Sweep,
    /// A finished task is no longer recent.
    Age,
    /// Somebody wanted to be called.
    Call(Box<dyn FnOnce(&Engine) + Send>),
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
            Event::Start(id) => self.start_job(id),
            Event::Refuse(id, holder) => self.refuse(id, holder),
            Event::Report(id, number) => self.report_progress(id, number),
            Event::Due(id) => {
                if let Some(entry) = lock(&self.core.jobs).entries.get_mut(&id) {
                    entry.due = true;
                }
                self.proceed(id);
            }
            Event::Proceed(id) => self.proceed(id),
            Event::Timeout(id, fault) => self.time_out(id, &fault),
            Event::Sweep => self.sweep(),
            Event::Age => self.age(),
            Event::Call(call) => call(self),
        }
    }

    fn start_job(&self, id: TaskId) {
        let started = self.attempt(id, |tx, jobs| {
            let Some(entry) = jobs.entries.get_mut(&id) else { return Ok(None) };
            let Some(record) = tx.task(id).cloned() else { return Ok(None) };
            if record.state() != State::Queued {
                return Ok(None);
            }
            tx.apply(id, Command::Start)?;
            if let Some(entity) = record.entity.as_ref().filter(|entity| !tx.exists(entity)) {
                return Err(Fault::not_found(entity));
            }
            let context = TaskContext { id, mo: &record.mo, cancelled: false };
            entry.job.begin(tx, &context)?;
            let running = tx.task(id).cloned().unwrap_or(record);
            Ok(Some((running, entry.asked, tx.now(), entry.job.timeout())))
        });
        let (record, asked, started, timeout) = match started {
            Ok(Some(started)) => started,
            Ok(None) => return,
            Err(fault) => return self.fail(id, &fault),
        };
        let plan = self.core.director.plan(&record, asked);
        let mut jobs = lock(&self.core.jobs);
        let Some(entry) = jobs.entries.get_mut(&id) else { return };
        entry.plan = plan;
        let schedule = |after, event| {
            self.core.timing.scheduler.schedule(started.after(after), Weight::Work, event)
        };
        entry.due = entry.plan.running.is_zero();
        if !entry.due {
            entry.timers.push(schedule(entry.plan.running, Event::Due(id)));
        }
        if let Some((after, _)) = entry.plan.report(1) {
            entry.timers.push(schedule(after, Event::Report(id, 1)));
        }
        if let Some((after, fault)) = timeout {
            entry.timers.push(schedule(after, Event::Timeout(id, fault)));
        }
        // Who takes no time does not wait for the queue either.
        let due = entry.due;
        drop(jobs);
        if due {
            self.proceed(id);
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

    fn report_progress(&self, id: TaskId, number: u32) {
        let reported = self.attempt(id, |tx, jobs| {
            let Some(entry) = jobs.entries.get_mut(&id) else { return Ok(()) };
            let Some(record) = tx.task(id).filter(|record| record.state() == State::Running) else {
                return Ok(());
            };
            let started = record.status().started_at().unwrap_or(tx.now());
            // A parent is as far as its children are.
            if let Some((_, progress)) = entry.plan.report(number)
                && tx.tasks().family(id).children() == 0
            {
                tx.report(id, progress)?;
            }
            if let Some((after, _)) = entry.plan.report(number + 1) {
                let report = Event::Report(id, number + 1);
                let scheduler = &self.core.timing.scheduler;
                let ticket = scheduler.schedule(started.after(after), Weight::Work, report);
                entry.timers.retain(|timer| timer.due() > tx.now());
                entry.timers.push(ticket);
            }
            Ok(())
        });
        note(id, reported);
    }

    /// Ends a job if it can end: as cancelled if somebody asked for that, or
    /// by its effect when its time has passed and it is ready.
    fn proceed(&self, id: TaskId) {
        let proceeded = self.attempt(id, |tx, jobs| {
            let Some(entry) = jobs.entries.get_mut(&id) else { return Ok(()) };
            let Some(record) = tx.task(id).filter(|record| record.state() == State::Running) else {
                return Ok(());
            };
            let mo = record.mo.clone();
            let cancelled = record.status().cancel().is_some();
            let context = TaskContext { id, mo: &mo, cancelled };
            if !cancelled && !entry.due {
                return Ok(());
            }
            let ready = if cancelled { Ready::Children } else { entry.job.ready(tx, &context) };
            if let Some(objects) = missing(&ready, tx, id) {
                jobs.watch(id, objects);
                return Ok(());
            }
            if cancelled {
                let fault = Fault::request_canceled();
                entry.job.undo(tx);
                entry.job.stopped(tx, &fault);
                tx.apply(id, Command::Finish(End::Cancelled(fault)))?;
            } else {
                let result: Option<Value> = entry.job.complete(tx, &context)?;
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
    fn time_out(&self, id: TaskId, fault: &Fault) {
        let timed_out = self.attempt(id, |tx, jobs| {
            let gone =
                |task: &Arc<TaskRecord>| task.state().is_done() || task.status().cancel().is_some();
            if tx.task(id).is_none_or(gone) {
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
    fn fail(&self, id: TaskId, fault: &Fault) {
        let failed =
            self.attempt(id, |tx, jobs| end_failed(tx, jobs.entries.get_mut(&id), id, fault));
        if failed.is_err() {
            // The job cannot even undo; its task still has to end.
            note(id, self.core.commit(|tx| end_failed(tx, None, id, fault)));
        }
    }

    fn sweep(&self) {
        self.core.sweep_came();
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
    fn attempt<T>(
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

/// Ends a task as failed; one that had begun is undone, one that had not shows
/// that it tried.
fn end_failed(
    tx: &mut Tx<'_>,
    entry: Option<&mut Entry>,
    id: TaskId,
    fault: &Fault,
) -> Result<(), Fault> {
    let begun = match tx.task(id).map(|record| record.state()) {
        Some(State::Queued) => {
            tx.apply(id, Command::Start)?;
            false
        }
        Some(State::Running) => true,
        Some(State::Done(_)) | None => return Ok(()),
    };
    if let Some(entry) = entry {
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
