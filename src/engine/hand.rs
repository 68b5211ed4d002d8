//! Tasks led by hand: held, let go on, moved a step, ended or lost, whatever
//! their plans say.

use thiserror::Error;

use super::api::Engine;
use super::driver::{end_failed, lose};
use super::entry::{Entry, Stage};
use crate::fault::Fault;
use crate::task::{Command, End, State, TaskId, TaskRecord};
use crate::value::{MoRef, Value};

/// Why a task cannot be led that way; it is as it was.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Refused {
    /// There is no such task.
    #[error("there is no such task")]
    Absent,
    /// The task has ended.
    #[error("the task has ended")]
    Finished,
    /// Its creator does its work, so there is no plan to change.
    #[error("the task's creator does its work, not vimsim")]
    NotDriven,
    /// The task is held already.
    #[error("the task is held already")]
    Held,
    /// The task is not held.
    #[error("the task is not held")]
    NotHeld,
    /// What it needs is not free, so it cannot begin.
    #[error("the task waits for another one to end")]
    Waits,
    /// Its plan is at its end; it waits for its children, or for what it acts on.
    #[error("the plan of the task has no steps left")]
    NoSteps,
    /// Somebody wants the task to stop, and it does.
    #[error("the task is being cancelled")]
    Cancelled,
    /// The task asks nothing.
    #[error("the task asks nothing")]
    NothingAsked,
    /// The change went wrong.
    #[error("{0}")]
    Fault(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Engine {
    /// Holds a task where it is: queued, or running with the progress that it
    /// shows. It can still be cancelled.
    pub fn hold(&self, task: &MoRef) -> Result<(), Refused> {
        self.lead(task, |engine, id, entry| {
            if entry.is_held() {
                return Err(Refused::Held);
            }
            entry.hold(engine.now());
            entry.arrange(id, &engine.core.timing.scheduler);
            Ok(Then::Nothing)
        })
    }

    /// Lets a held task go on; what its plan has left takes as long as it would
    /// have. A question that the task asks is withdrawn.
    pub fn release(&self, task: &MoRef) -> Result<(), Refused> {
        self.lead(task, |engine, id, entry| {
            if !entry.is_held() {
                return Err(Refused::NotHeld);
            }
            entry.release(engine.now());
            entry.arrange(id, &engine.core.timing.scheduler);
            Ok(match entry.overdue.take() {
                Some(fault) => Then::TimeOut(fault),
                None if entry.question.is_some() => Then::Withdraw,
                None if entry.stage == Stage::Due => Then::Proceed,
                None => Then::Nothing,
            })
        })
    }

    /// Takes the next step of a task's plan at once, and holds the task there:
    /// a queued task begins, a running one makes its next report, and after the
    /// last one it ends.
    pub fn step_task(&self, task: &MoRef) -> Result<(), Refused> {
        self.lead(task, |engine, _, entry| match entry.stage {
            Stage::Line => Err(Refused::Waits),
            Stage::Turn => {
                entry.hold(engine.now());
                Ok(Then::Begin)
            }
            Stage::Running => Ok(Then::Step),
            Stage::Due => Err(Refused::NoSteps),
        })
    }

    /// Has a task its effect and ends it as a success now, or as soon as its
    /// children have ended; it gives `result`, or what it would have given.
    pub fn complete(&self, task: &MoRef, result: Option<Value>) -> Result<(), Refused> {
        let led = self.lead(task, |engine, _, entry| {
            if entry.stage == Stage::Line {
                return Err(Refused::Waits);
            }
            if result.is_some() {
                entry.plan.result.clone_from(&result);
            }
            entry.release(engine.now());
            Ok(if entry.stage == Stage::Turn { Then::BeginAndFinish } else { Then::Finish })
        });
        match led {
            Err(Refused::NotDriven) => self.end(task, End::Success(result)),
            led => led,
        }
    }

    /// Ends a task with `fault`; what its job did is undone.
    pub fn fail_task(&self, task: &MoRef, fault: Fault) -> Result<(), Refused> {
        let record = self.live(task)?;
        if !record.driven {
            return self.end(task, End::Failure(Some(fault)));
        }
        let core = &self.core;
        let failed = self.attempt(record.id, |tx, jobs| {
            end_failed(tx, jobs.entries.get_mut(&record.id), record.id, &fault)
        });
        if failed.is_err() {
            // The job cannot even undo; its task still has to end.
            core.commit(|tx| end_failed(tx, None, record.id, &fault))?;
        }
        self.settle();
        Ok(())
    }

    /// A task is gone, as if it had never been: nobody finds it any more, and
    /// nobody is told how it ended. What its job did is undone.
    pub fn lose(&self, task: &MoRef) -> Result<(), Refused> {
        let record = self.task(task).ok_or(Refused::Absent)?;
        self.attempt(record.id, |tx, jobs| {
            let Some(now) = tx.task(record.id).cloned() else { return Ok(()) };
            lose(tx, jobs.entries.get_mut(&record.id), &now, false)
        })?;
        self.settle();
        Ok(())
    }

    /// Answers what a task asks. By the answer it goes on or fails.
    pub fn answer(&self, task: &MoRef, choice: &str) -> Result<(), Refused> {
        let mut verdict = Ok(());
        self.lead(task, |_, _, entry| {
            let question = entry.question.as_ref().ok_or(Refused::NothingAsked)?;
            verdict = question.answer(choice);
            Ok(Then::Nothing)
        })?;
        match verdict {
            Ok(()) => self.release(task),
            Err(fault) => self.fail_task(task, fault),
        }
    }

    /// Whether a task is held, by hand or by its plan.
    pub fn is_held(&self, task: &MoRef) -> bool {
        let jobs = super::commit::lock(&self.core.jobs);
        let entry = TaskId::of(task).and_then(|id| jobs.entries.get(&id));
        entry.is_some_and(Entry::is_held)
    }

    /// The task, which has not ended.
    fn live(&self, task: &MoRef) -> Result<std::sync::Arc<TaskRecord>, Refused> {
        let record = self.task(task).ok_or(Refused::Absent)?;
        if record.state().is_done() { Err(Refused::Finished) } else { Ok(record) }
    }

    /// Changes the course of a task, and does what follows from that.
    fn lead(
        &self,
        task: &MoRef,
        change: impl FnOnce(&Self, TaskId, &mut Entry) -> Result<Then, Refused>,
    ) -> Result<(), Refused> {
        let record = self.live(task)?;
        if !record.driven {
            return Err(Refused::NotDriven);
        }
        let id = record.id;
        let then = {
            let mut jobs = super::commit::lock(&self.core.jobs);
            let entry = jobs.entries.get_mut(&id).ok_or(Refused::Finished)?;
            if record.status().cancel().is_some() {
                return Err(Refused::Cancelled);
            }
            change(self, id, entry)?
        };
        match then {
            Then::Nothing => {}
            Then::Begin => self.begin(id),
            Then::Step => self.step(id, true),
            Then::Proceed => self.proceed(id),
            Then::TimeOut(fault) => self.time_out(id, &fault),
            Then::Withdraw => self.withdraw(&record)?,
            Then::BeginAndFinish => {
                self.begin(id);
                self.finish(id);
            }
            Then::Finish => self.finish(id),
        }
        self.settle();
        Ok(())
    }

    fn withdraw(&self, record: &TaskRecord) -> Result<(), Refused> {
        let withdrawn = self.attempt(record.id, |tx, jobs| {
            if let Some(entry) = jobs.entries.get_mut(&record.id) {
                entry.withdraw(tx, record);
            }
            Ok(())
        });
        Ok(withdrawn?)
    }

    /// Leaves out what a running task's plan has left.
    fn finish(&self, id: TaskId) {
        {
            let mut jobs = super::commit::lock(&self.core.jobs);
            let Some(entry) = jobs.entries.get_mut(&id) else { return };
            entry.plan.held = false;
            entry.stage = Stage::Due;
            entry.arrange(id, &self.core.timing.scheduler);
        }
        self.proceed(id);
    }

    /// Ends a task without a job.
    fn end(&self, task: &MoRef, end: End) -> Result<(), Refused> {
        let ended = self.commit(|tx| {
            let record = tx.find_task(task)?;
            if record.state() == State::Queued && matches!(end, End::Success(_)) {
                tx.apply(record.id, Command::Start)?;
            }
            let id = tx.find_task(task)?.id;
            tx.apply(id, Command::Finish(end))
        });
        Ok(ended?)
    }
}

/// What follows from a change of a task's course.
enum Then {
    Nothing,
    Begin,
    Step,
    Proceed,
    TimeOut(Fault),
    Withdraw,
    BeginAndFinish,
    Finish,
}
