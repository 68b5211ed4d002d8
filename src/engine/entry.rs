//! One job at work: how far it is on the way that its plan lays out.
//!
//! ```text
//!            its turn        queued for long enough       Finish         ready
//!   Line ───────────────► Turn ───────────────► Running ─────────► Due ────────► over
//!                                               │    ▲
//!                                               └────┘ one step after the other
//!
//!   held: no timer runs, and nothing leads on, until the task is released;
//!         then its time goes on where it stood
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::director::{Plan, Question};
use super::driver::Event;
use super::job::Job;
use super::saved::moved;
use super::scheduler::{Scheduler, Ticket, Weight};
use super::tx::Tx;
use crate::fault::Fault;
use crate::task::{TaskId, TaskRecord};
use crate::value::{DateTime, MoRef};

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// What it needs is not free.
    Line,
    /// It could begin, if its plan let it.
    Turn,
    /// It works; its plan has steps left.
    Running,
    /// Its effect is due, as soon as it is ready.
    Due,
}

/// The plan's time, which stands still while the task is held.
#[derive(Clone, Copy, Debug)]
enum Time {
    /// It runs; it was zero then.
    Runs(DateTime),
    /// It stands there.
    Stands(Duration),
}

/// One job at work.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) job: Box<dyn Job>,
    pub(super) plan: Plan,
    pub(super) stage: Stage,
    /// The step of the plan that comes next.
    pub(super) next: u32,
    /// What the task asks, while it does.
    pub(super) question: Option<Arc<dyn Question>>,
    /// The job gave up while it was held.
    pub(super) overdue: Option<Fault>,
    time: Time,
    timer: Option<Ticket>,
    /// Of the job's patience, and of its stopping.
    alarms: SmallVec<[Ticket; 1]>,
    pub(super) watched: Vec<MoRef>,
}

impl Entry {
    pub(super) fn new(job: Box<dyn Job>, plan: Plan) -> Self {
        // Until its turn comes, no time passes for it.
        Self {
            job,
            plan,
            stage: Stage::Line,
            next: 0,
            question: None,
            overdue: None,
            time: Time::Stands(Duration::ZERO),
            timer: None,
            alarms: SmallVec::new(),
            watched: Vec::new(),
        }
    }

    /// Whether the task is held.
    pub(super) fn is_held(&self) -> bool {
        self.plan.held
    }

    /// Goes to another stage, whose time begins at `now`.
    pub(super) fn enter(&mut self, stage: Stage, now: DateTime) {
        self.stage = stage;
        self.time = if self.plan.held { Time::Stands(Duration::ZERO) } else { Time::Runs(now) };
    }

    /// From now on the task is held.
    pub(super) fn hold(&mut self, now: DateTime) {
        if let Time::Runs(zero) = self.time {
            self.hold_at(now.since(zero));
        }
        self.plan.held = true;
    }

    /// From now on the task is held, at this time of its plan.
    pub(super) fn hold_at(&mut self, time: Duration) {
        self.plan.held = true;
        self.time = Time::Stands(time);
    }

    /// The task is no longer held.
    pub(super) fn release(&mut self, now: DateTime) {
        self.plan.held = false;
        if let Time::Stands(time) = self.time {
            self.time = Time::Runs(now.before(time));
        }
    }

    /// When what comes next is due; nothing while the task is held, or waits
    /// for something else than time.
    pub(super) fn due(&self) -> Option<DateTime> {
        let Time::Runs(zero) = self.time else { return None };
        match self.stage {
            Stage::Turn => Some(zero.after(self.plan.queued)),
            Stage::Running => Some(zero.after(self.plan.course.step(self.next).after)),
            Stage::Line | Stage::Due => None,
        }
    }

    /// Sees to it that what comes next comes at its time.
    pub(super) fn arrange(&mut self, id: TaskId, scheduler: &Scheduler<Event>) {
        if let Some(timer) = self.timer.take() {
            scheduler.cancel(timer);
        }
        self.timer = self.due().map(|due| scheduler.schedule(due, Weight::Work, Event::Next(id)));
    }

    /// Has `event` come at `due`, if the task has not ended by then.
    pub(super) fn alarm(&mut self, due: DateTime, event: Event, scheduler: &Scheduler<Event>) {
        self.alarms.push(scheduler.schedule(due, Weight::Work, event));
    }

    /// Takes back whatever was to come.
    pub(super) fn silence(&mut self, scheduler: &Scheduler<Event>) {
        for ticket in self.timer.take().into_iter().chain(self.alarms.drain(..)) {
            scheduler.cancel(ticket);
        }
    }

    /// A copy of another time, so many microseconds later now, with the tickets
    /// that its timers have got.
    pub(super) fn moved(&self, later: i64, tickets: &HashMap<Ticket, Ticket>) -> Self {
        let mut entry = self.clone();
        if let Time::Runs(zero) = &mut entry.time {
            *zero = moved(*zero, later);
        }
        entry.timer = self.timer.and_then(|timer| tickets.get(&timer).copied());
        entry.alarms = self.alarms.iter().filter_map(|it| tickets.get(it).copied()).collect();
        entry
    }

    /// The question is answered, or nobody needs the answer any more.
    pub(super) fn withdraw(&mut self, tx: &mut Tx<'_>, task: &TaskRecord) {
        if let Some(question) = self.question.take() {
            question.withdraw(tx, task);
        }
    }
}
