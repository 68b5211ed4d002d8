//! The one way in which anything changes: inventory and tasks, both or
//! neither, and the tasks as objects of the same commit.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;

use super::clock::Clock;
use super::director::{Director, Plan};
use super::driver::Event;
use super::entry::Entry;
use super::scheduler::{Scheduler, Ticket, Weight};
use super::tx::{Tables, Tx};
use crate::event::{self, EventDraft};
use crate::fault::Fault;
use crate::ids::Ids;
use crate::inventory::{Read, Store, Transaction};
use crate::task::{Command, Retention, TaskId, TaskRecord, TaskTable};
use crate::value::{DateTime, MoRef, Object};

/// While many tasks end, they stop being recent in lots, so much apart.
const AGING_PAUSE: Duration = Duration::from_secs(1);

/// Of so many jobs the room is kept when they have ended.
const CROWD: usize = 1024;

/// How tasks look to whoever reads the inventory. It is called inside commits
/// and cannot fail: what it cannot do it leaves.
pub trait Projection: Send + Sync {
    /// The properties of the managed object that shows the task.
    fn project(&self, task: &TaskRecord) -> Object;

    /// Everything that stands above `entity`, which tasks that act on it are
    /// found by, even when it is gone.
    fn above(&self, state: &dyn Read, entity: &MoRef) -> Arc<[MoRef]> {
        let _ = (state, entity);
        Arc::default()
    }

    /// The event that tells of a moment of a task, if there is to be one. It
    /// joins the task's chain, by the task's user.
    fn event(
        &self,
        state: &dyn Read,
        task: &Arc<TaskRecord>,
        moment: Moment,
    ) -> Option<EventDraft> {
        let _ = (state, task, moment);
        None
    }

    /// A change is complete but for what shows of its tasks: the place to see
    /// what it touched, and to add what follows from that.
    fn watch(&self, tx: &mut Tx<'_>) {
        let _ = tx;
    }

    /// Events were posted or forgotten.
    fn on_events(&self, tx: &mut Transaction) {
        let _ = tx;
    }

    /// A task changed, or was created if there is no `old` one: the place to
    /// keep lists of tasks up to date. Several changes of one commit are one.
    fn on_change(&self, tx: &mut Transaction, old: Option<&TaskRecord>, new: &Arc<TaskRecord>) {
        let _ = (tx, old, new);
    }

    /// Finished tasks are no longer recent; they are objects still.
    fn on_age(&self, tx: &mut Transaction, tasks: &[Arc<TaskRecord>]) {
        let _ = (tx, tasks);
    }

    /// A finished task is forgotten; its object is gone already.
    fn on_forget(&self, tx: &mut Transaction, task: &Arc<TaskRecord>) {
        let _ = (tx, task);
    }
}

/// A moment of a task of which the engine knows that it is worth an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It came into being.
    Created,
    /// It gave up because its time was over.
    TimedOut,
    /// It ended, well or not.
    Ended,
}

/// The clock and the queue, which outlive an engine until its thread has seen
/// that it is gone.
#[derive(Debug)]
pub(super) struct Timing {
    pub(super) clock: Clock,
    pub(super) scheduler: Scheduler<Event>,
}

/// What all handles of one engine share.
pub(super) struct Core {
    pub(super) store: Arc<Store>,
    pub(super) timing: Arc<Timing>,
    pub(super) ids: Arc<Ids>,
    pub(super) projection: Box<dyn Projection>,
    pub(super) director: Arc<dyn Director>,
    pub(super) retention: Retention,
    pub(super) event_retention: event::Retention,
    /// The jobs at work. Used inside commits, which come one at a time.
    pub(super) jobs: Mutex<Jobs>,
    /// Held by whoever does what is due, so that it is done in order.
    pub(super) pump: Mutex<()>,
}

/// The jobs at work and what they wait for, besides time.
#[derive(Clone, Default)]
pub(super) struct Jobs {
    pub(super) entries: HashMap<TaskId, Entry>,
    watches: HashMap<MoRef, SmallVec<[TaskId; 1]>>,
    /// The next cleaning of finished tasks.
    sweep: Option<Ticket>,
    /// The next time that a task is no longer recent.
    aging: Option<Ticket>,
    /// The last time that was seen to.
    aged: Option<DateTime>,
}

impl Jobs {
    /// From now on the job is asked again when one of the objects changes.
    pub(super) fn watch(&mut self, id: TaskId, objects: Vec<MoRef>) {
        self.unwatch(id);
        for object in &objects {
            self.watches.entry(object.clone()).or_default().push(id);
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.watched = objects;
        }
    }

    /// Goes back to the jobs of another time, so many microseconds later now,
    /// with the tickets that what they wait for has got.
    pub(super) fn restore(&mut self, saved: &Self, later: i64, tickets: &HashMap<Ticket, Ticket>) {
        let again = |ticket: Option<Ticket>| ticket.and_then(|it| tickets.get(&it).copied());
        let entries = saved.entries.iter();
        *self = Self {
            entries: entries.map(|(id, entry)| (*id, entry.moved(later, tickets))).collect(),
            watches: saved.watches.clone(),
            sweep: again(saved.sweep),
            aging: again(saved.aging),
            aged: saved.aged,
        };
    }

    /// Gives back what a crowd of jobs needed, once most of them have ended.
    fn shrink(&mut self) {
        if self.entries.capacity() > CROWD && self.entries.len() < self.entries.capacity() / 8 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        if self.watches.capacity() > CROWD && self.watches.len() < self.watches.capacity() / 8 {
            self.watches.shrink_to(self.watches.len() * 2);
        }
    }

    fn unwatch(&mut self, id: TaskId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        for object in std::mem::take(&mut entry.watched) {
            if let Some(waiting) = self.watches.get_mut(&object) {
                waiting.retain(|waiting| *waiting != id);
                if waiting.is_empty() {
                    self.watches.remove(&object);
                }
            }
        }
    }
}

impl Core {
    /// Runs `change`; see [`super::Engine::commit`]. Does not do what becomes
    /// due by it.
    pub(super) fn commit<T>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let now = self.timing.clock.now();
        let (result, _) = self.store.commit(|transaction| -> Result<T, Fault> {
            let tables = transaction.companion::<Tables>().cloned().unwrap_or_default();
            let mut tx = Tx::new(transaction, tables, now, &self.ids, &*self.projection);
            let result = change(&mut tx)?;
            self.direct(&mut tx);
            self.projection.watch(&mut tx);
            self.project(&mut tx);
            self.keep_events(&mut tx);
            self.publish(tx);
            Ok(result)
        })?;
        Ok(result)
    }

    /// Has it decided how the new tasks go. What shows from the beginning shows
    /// in the same commit.
    fn direct(&self, tx: &mut Tx<'_>) {
        for at in 0..tx.submitted.len() {
            let Some(submitted) = tx.submitted.get(at) else { return };
            let Some(record) = tx.task(submitted.id).cloned() else { continue };
            let plan = match &submitted.plan {
                Some(plan) => plan.clone(),
                None => self.director.plan(&record, submitted.asked, tx),
            };
            if let Some(cancelable) = plan.cancelable
                && !record.state().is_done()
            {
                let set = tx.apply(record.id, Command::SetCancelable(cancelable));
                debug_assert!(set.is_ok(), "a task that has not ended can be made cancelable");
            }
            if !plan.hidden.is_zero() {
                tx.tables.tasks.hide(record.id);
            }
            if let Some(submitted) = tx.submitted.get_mut(at) {
                submitted.plan = Some(plan);
            }
        }
    }

    /// Shows the changed tasks in the inventory.
    fn project(&self, tx: &mut Tx<'_>) {
        for (id, old) in std::mem::take(&mut tx.touched) {
            let new = tx.task(id).cloned();
            let hidden = tx.tasks().is_hidden(id);
            let inventory = tx.inventory();
            match (&old, &new) {
                (old, Some(new)) if hidden => {
                    self.projection.on_change(inventory, old.as_deref(), new);
                }
                (old, Some(new)) => {
                    inventory.insert(new.mo.clone(), self.projection.project(new));
                    self.projection.on_change(inventory, old.as_deref(), new);
                }
                (Some(old), None) => {
                    inventory.remove(&old.mo);
                    self.projection.on_forget(inventory, old);
                }
                (None, None) => {}
            }
            tx.touched.insert(id, old);
        }
    }

    /// Forgets events that are beyond retention, and has it known if there are
    /// others than before.
    fn keep_events(&self, tx: &mut Tx<'_>) {
        if tx.trim_events(&self.event_retention) | tx.events_changed() {
            tx.tables_changed = true;
            self.projection.on_events(tx.inventory());
        }
    }

    /// Nothing can go wrong any more: the change becomes what is.
    fn publish(&self, mut tx: Tx<'_>) {
        let now = tx.now();
        let mut jobs = lock(&self.jobs);
        for (id, _) in tx.touched.iter().filter(|(_, old)| old.is_some()) {
            if tx.task(*id).is_none_or(|record| record.state().is_done()) {
                jobs.unwatch(*id);
                if let Some(mut entry) = jobs.entries.remove(id) {
                    entry.silence(&self.timing.scheduler);
                }
            }
        }
        jobs.shrink();
        for submitted in std::mem::take(&mut tx.submitted) {
            let mut plan = submitted.plan.unwrap_or_else(|| Plan::even(submitted.asked));
            plan.queued += submitted.lead;
            if !plan.hidden.is_zero() {
                let due = now.after(plan.hidden);
                self.timing.scheduler.schedule(due, Weight::Work, Event::Appear(submitted.id));
            }
            // Submitted and cancelled in one change: there is nothing to do.
            if tx.task(submitted.id).is_none_or(|record| record.state().is_done()) {
                continue;
            }
            let entry = Entry::new(submitted.job, plan);
            jobs.entries.insert(submitted.id, entry);
        }
        let mut events = std::mem::take(&mut tx.events);
        if !jobs.watches.is_empty() {
            for change in tx.changes() {
                for id in jobs.watches.get(&change.object).into_iter().flatten() {
                    events.push(Event::Proceed(*id));
                }
            }
        }
        for event in events {
            self.timing.scheduler.schedule(now, Weight::Work, event);
        }
        for (after, call) in std::mem::take(&mut tx.calls) {
            self.timing.scheduler.schedule(now.after(after), Weight::Work, Event::Call(call));
        }
        if tx.tables_changed || !tx.touched.is_empty() {
            self.plan_sweep(&mut jobs, &tx.tables, now);
            self.plan_aging(&mut jobs, &tx.tables);
        }
        drop(jobs);
        tx.keep_tables();
    }

    /// Sees to it that a cleaning comes when one is needed, no earlier.
    fn plan_sweep(&self, jobs: &mut Jobs, tables: &Tables, now: DateTime) {
        let tasks = if self.retention.exceeded(&tables.tasks) {
            Some(now)
        } else {
            self.retention.next(&tables.tasks)
        };
        let events = tables.events.next_end(&self.event_retention);
        self.plan(&mut jobs.sweep, tasks.into_iter().chain(events).min(), Event::Sweep);
    }

    /// Sees to it that tasks stop being recent when their time has come; many
    /// at a time, if many do within a second.
    fn plan_aging(&self, jobs: &mut Jobs, tables: &Tables) {
        // Tasks end one after the other, so what is planned stays right.
        if jobs.aging.is_some() && tables.tasks.has_recent() {
            return;
        }
        let earliest = jobs.aged.map(|aged| aged.after(AGING_PAUSE));
        let next = self.retention.next_aging(&tables.tasks);
        self.plan(
            &mut jobs.aging,
            next.map(|next| earliest.map_or(next, |e| next.max(e))),
            Event::Age,
        );
    }

    fn plan(&self, planned: &mut Option<Ticket>, due: Option<DateTime>, event: Event) {
        if let Some(ticket) = *planned {
            if due.is_some_and(|due| ticket.due() <= due) {
                return;
            }
            self.timing.scheduler.cancel(ticket);
        }
        *planned = due.map(|due| self.timing.scheduler.schedule(due, Weight::Background, event));
    }

    /// The tasks as they are.
    pub(super) fn tasks(&self) -> TaskTable {
        let snapshot = self.store.snapshot();
        snapshot.companion::<Tables>().map(|tables| tables.tasks.clone()).unwrap_or_default()
    }

    /// A cleaning has come; whether another one is needed is seen after it.
    pub(super) fn sweep_came(&self) {
        lock(&self.jobs).sweep = None;
    }

    /// The time has come for tasks to stop being recent.
    pub(super) fn aging_came(&self) {
        let mut jobs = lock(&self.jobs);
        jobs.aging = None;
        jobs.aged = Some(self.timing.clock.now());
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("store", &self.store)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// A panic inside a commit happens before anything is published, and jobs are
/// ended after one, so the state behind a poisoned lock is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
