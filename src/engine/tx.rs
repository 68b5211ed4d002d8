//! A change in the making, of the inventory and of the tasks together.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::admission::{Admission, Answer};
use super::api::Engine;
use super::commit::{Moment, Projection};
use super::director::Plan;
use super::driver::Event;
use super::job::{Job, TaskSpec};
use crate::event::{self, EventDraft, EventLog, EventRecord};
use crate::fault::Fault;
use crate::ids::Ids;
use crate::inventory::{Key, Properties, Read, Transaction};
use crate::schema::StaticPath;
use crate::task::state::cancel_by;
use crate::task::{
    CancelOutcome, Claim, Command, Progress, Retention, State, TaskDraft, TaskId, TaskRecord,
    TaskTable, cancel,
};
use crate::value::{DateTime, MoRef, Object, Str, Value};

/// How many tasks may stand above a task's parent: a change is passed on to all
/// of them in one commit, which has to stay short.
const DEEPEST: usize = 100;

/// What is committed together with the inventory, as its companion. A copy
/// costs a few pointers, so a change works on one and a failure forgets it.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) tasks: TaskTable,
    pub(super) admission: Admission,
    /// The key that the latest event got.
    pub(super) event_key: i32,
    pub(super) events: EventLog,
    /// The time of the latest commit; the next one is not earlier.
    pub(super) time: DateTime,
    /// What front ends keep of their own, one of each type.
    asides: SmallVec<[Arc<dyn Any + Send + Sync>; 1]>,
}

impl Tables {
    pub(super) fn aside<T: Any>(&self) -> Option<&T> {
        self.asides.iter().find_map(|aside| aside.downcast_ref())
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            tasks: TaskTable::new(),
            admission: Admission::default(),
            event_key: 0,
            events: EventLog::new(),
            time: DateTime::EPOCH,
            asides: SmallVec::new(),
        }
    }
}

/// What somebody wants to have called.
pub(super) type Call = Box<dyn FnOnce(&Engine) + Send>;

/// A job that was submitted in this change.
pub(super) struct Submitted {
    pub(super) id: TaskId,
    pub(super) job: Box<dyn Job>,
    pub(super) asked: Duration,
    pub(super) lead: Duration,
    /// How it goes, once that is decided.
    pub(super) plan: Option<Plan>,
}

/// A change in the making: an inventory [`Transaction`], and with it the tasks.
/// All of it happens or nothing; see [`super::Engine::commit`].
pub struct Tx<'a> {
    inventory: &'a mut Transaction,
    ids: &'a Ids,
    projection: &'a dyn Projection,
    /// The task whose job makes this change, and who makes it otherwise.
    pub(super) acting: Option<TaskId>,
    user: Option<Str>,
    /// The tag of the events, if no task's job acts.
    tag: Option<Str>,
    /// The chain of the events of this change, if no task has one for them.
    chain: Option<i32>,
    pub(super) tables: Tables,
    /// Whether the tables changed otherwise than by tasks.
    pub(super) tables_changed: bool,
    /// The tasks that changed, as they were before.
    pub(super) touched: BTreeMap<TaskId, Option<Arc<TaskRecord>>>,
    pub(super) submitted: Vec<Submitted>,
    /// What the driver has to do once this has happened.
    pub(super) events: Vec<Event>,
    /// What is to be called after it, and how much later.
    pub(super) calls: Vec<(Duration, Call)>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(
        inventory: &'a mut Transaction,
        mut tables: Tables,
        now: DateTime,
        ids: &'a Ids,
        projection: &'a dyn Projection,
    ) -> Self {
        tables.time = tables.time.max(now);
        Self {
            inventory,
            ids,
            projection,
            acting: None,
            user: None,
            tag: None,
            chain: None,
            tables,
            tables_changed: false,
            touched: BTreeMap::new(),
            submitted: Vec::new(),
            events: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Has `call` called when this change has happened and `after` has passed;
    /// see [`Engine::after`].
    pub fn call_after(&mut self, after: Duration, call: Call) {
        self.calls.push((after, call));
    }

    /// The time of this change. Changes that follow one another have times
    /// that do, too.
    pub fn now(&self) -> DateTime {
        self.tables.time
    }

    /// The source of ids and chance.
    pub fn ids(&self) -> &'a Ids {
        self.ids
    }

    /// All tasks.
    pub fn tasks(&self) -> &TaskTable {
        &self.tables.tasks
    }

    /// The task with this number.
    pub fn task(&self, id: TaskId) -> Option<&Arc<TaskRecord>> {
        self.tables.tasks.get(id)
    }

    /// The task that a reference names.
    pub fn find_task(&self, mo: &MoRef) -> Result<&Arc<TaskRecord>, Fault> {
        self.tables.tasks.find(mo).ok_or_else(|| Fault::not_found(mo))
    }

    /// The task that holds `entity`, if one does.
    pub fn holder(&self, entity: &MoRef) -> Option<TaskId> {
        self.tables.admission.holder(entity)
    }

    /// The next event key, which is unique and rises.
    pub fn next_event_key(&mut self) -> i32 {
        self.tables.event_key = self.tables.event_key.saturating_add(1);
        self.tables.event_key
    }

    /// All events that are remembered, those of this change included.
    pub fn events(&self) -> &EventLog {
        &self.tables.events
    }

    /// The events of this change are caused by `user`, if no task's job makes it.
    pub fn act_for(&mut self, user: Option<&Str>) {
        self.user = user.cloned();
    }

    /// The events of this change carry `tag`, if no task's job makes it.
    pub fn tag(&mut self, tag: Option<&Str>) {
        self.tag = tag.cloned();
    }

    /// Says that something has happened, by this change. What `draft` leaves
    /// open is the task's whose job makes the change; without one, the events
    /// of a change are one chain.
    pub fn post(&mut self, mut draft: EventDraft) -> Arc<EventRecord> {
        if let Some(task) = self.acting.and_then(|id| self.tables.tasks.get(id)) {
            draft.chain = draft.chain.or(Some(task.event_chain_id));
            draft.user = draft.user.or_else(|| task.user().cloned());
            draft.tag = draft.tag.or_else(|| task.change_tag.clone());
        } else {
            draft.user = draft.user.or_else(|| self.user.clone());
            draft.tag = draft.tag.or_else(|| self.tag.clone());
            draft.chain = draft.chain.or(self.chain);
        }
        let key = self.next_event_key();
        self.chain = self.chain.or(draft.chain).or(Some(key));
        self.tables.events.push(draft, key, self.tables.time)
    }

    /// Says that something has happened that nobody did, whoever makes this
    /// change: it begins a chain of its own.
    pub fn post_apart(&mut self, mut draft: EventDraft) -> Arc<EventRecord> {
        let key = self.next_event_key();
        draft.chain = draft.chain.or(Some(key));
        draft.user = Some(Str::new());
        self.tables.events.push(draft, key, self.tables.time)
    }

    /// The events of this change, oldest first.
    pub fn posted(&self) -> impl Iterator<Item = &Arc<EventRecord>> {
        let before = self.inventory.companion::<Tables>().map_or(0, |before| before.event_key);
        let log = &self.tables.events;
        let new = if self.tables.event_key == before {
            0
        } else {
            log.iter().rev().take_while(|event| event.key > before).count()
        };
        log.range(log.len() - new..log.len())
    }

    /// The next event of this change begins a chain of its own.
    pub fn end_chain(&mut self) {
        self.chain = None;
    }

    /// Posts the event that tells of a moment of a task; `key` is its number,
    /// if it has one.
    pub(super) fn tell(&mut self, task: &Arc<TaskRecord>, moment: Moment, key: Option<i32>) {
        let Some(mut draft) = self.projection.event(self.inventory, task, moment) else { return };
        draft.chain = Some(task.event_chain_id);
        draft.user = task.user().cloned();
        draft.tag = task.change_tag.clone();
        let key = key.unwrap_or_else(|| self.next_event_key());
        self.tables.events.push(draft, key, self.tables.time);
    }

    /// Adds a task whose work `job` does, once what it needs is free.
    pub fn submit(&mut self, mut spec: TaskSpec, job: Box<dyn Job>) -> Result<MoRef, Fault> {
        let (busy, asked, lead) = (spec.busy, spec.duration, spec.lead);
        let mut wanted = std::mem::take(&mut spec.gates);
        let plan = spec.plan.take();
        let record = self.add(spec, true)?;
        let id = record.id;
        let above: Vec<TaskId> = self.tables.tasks.ancestors(id).collect();
        wanted.extend_from_slice(record.locks());
        match self.tables.admission.request(id, above, &wanted, busy) {
            Answer::Granted => self.events.push(Event::Start(id)),
            Answer::Waits => {}
            Answer::Refused(holder) => self.events.push(Event::Refuse(id, holder)),
        }
        self.submitted.push(Submitted { id, job, asked, lead, plan });
        Ok(record.mo.clone())
    }

    /// Adds a task whose creator does the work and says how it goes.
    pub fn create_task(&mut self, spec: TaskSpec) -> Result<Arc<TaskRecord>, Fault> {
        self.add(spec, false)
    }

    fn add(&mut self, spec: TaskSpec, driven: bool) -> Result<Arc<TaskRecord>, Fault> {
        if let Some(parent) = spec.parent
            && (self.tables.tasks.recall(parent).is_none()
                || self.tables.tasks.ancestors(parent).nth(DEEPEST).is_some())
        {
            return Err(Fault::invalid_argument("parentTaskKey"));
        }
        let mut entity_name = spec.entity_name;
        let mut above = Arc::default();
        if let Some(entity) = &spec.entity {
            let Some(properties) = self.get(entity) else { return Err(Fault::not_found(entity)) };
            entity_name = entity_name.or_else(|| match properties.field("name") {
                // The same allocation as the inventory's.
                Some(Value::String(name)) => Some(name.clone()),
                _ => None,
            });
            above = self.projection.above(self.inventory, entity);
        }
        // A task's first event has the number of the chain that it begins.
        let key = if spec.event_chain_id.is_none() { Some(self.next_event_key()) } else { None };
        let event_chain_id = spec.event_chain_id.or(key).unwrap_or_default();
        let draft = TaskDraft {
            operation: spec.operation,
            description_id: spec.description_id,
            label: spec.label,
            entity: spec.entity,
            entity_name,
            above,
            locks: if driven { spec.locks } else { Vec::new() },
            cancelable: spec.cancelable,
            driven,
            reason: spec.reason,
            owner: spec.owner,
            parent: spec.parent,
            event_chain_id,
            change_tag: spec.change_tag,
            activation_id: spec.activation_id,
            description: spec.description,
        };
        let record = self.tables.tasks.add(draft, self.tables.time);
        self.touched.insert(record.id, None);
        self.tell(&record, Moment::Created, key);
        self.follow(record.parent);
        Ok(record)
    }

    /// Changes the status of a task. What it held goes to the next in line
    /// when it ends, and its parent's progress follows.
    pub fn apply(&mut self, id: TaskId, command: Command) -> Result<(), Fault> {
        let ended = |record: &Arc<TaskRecord>| record.state().is_done();
        let was_done = self.task(id).is_some_and(ended);
        if let Some(new) = self.change(id, command)? {
            if ended(&new) && !was_done {
                let next = self.tables.admission.release(id);
                self.events.extend(next.into_iter().map(Event::Start));
                self.tell(&new, Moment::Ended, None);
            }
            self.follow(new.parent);
        }
        Ok(())
    }

    /// The record after `command`, if that makes a difference.
    fn change(&mut self, id: TaskId, command: Command) -> Result<Option<Arc<TaskRecord>>, Fault> {
        let Some(old) = self.task(id).cloned() else { return Err(Fault::not_found(&id.moref())) };
        let new = Arc::new(old.after(command, self.tables.time)?);
        if new.status() == old.status() {
            return Ok(None);
        }
        self.put(old, &new);
        Ok(Some(new))
    }

    /// Says how far the work of a task is.
    pub fn report(&mut self, id: TaskId, progress: Progress) -> Result<(), Fault> {
        self.apply(id, Command::Report(progress))
    }

    /// A task no longer says how far its work is.
    pub fn unreport(&mut self, id: TaskId) -> Result<(), Fault> {
        self.apply(id, Command::Unreport)
    }

    /// Says in words where the work of a task is.
    pub fn describe(&mut self, id: TaskId, message: Object) -> Result<(), Fault> {
        self.apply(id, Command::Describe(message))
    }

    /// Says something of a task that nobody checks; see [`Claim`].
    pub fn claim(&mut self, id: TaskId, claim: Claim) -> Result<(), Fault> {
        let own = self.task(id).is_some_and(|record| !record.driven);
        self.apply(id, Command::Claim { claim, own })
    }

    /// What a front end commits together with everything else, if it is a `T`.
    pub fn aside<T: Any>(&self) -> Option<&T> {
        self.tables.aside::<T>()
    }

    /// Commits something of a front end's own together with everything else:
    /// there is one of each type.
    pub fn set_aside<T: Any + Send + Sync>(&mut self, value: T) {
        self.tables.asides.retain(|aside| !aside.is::<T>());
        self.tables.asides.push(Arc::new(value));
        self.tables_changed = true;
    }

    /// Keeps something that only one protocol knows of a task.
    pub fn set_extra(&mut self, id: TaskId, name: Str, value: Option<Value>) -> Result<(), Fault> {
        let Some(old) = self.task(id).cloned() else { return Err(Fault::not_found(&id.moref())) };
        let new = Arc::new(old.with_extra(name, value));
        self.put(old, &new);
        Ok(())
    }

    /// Asks for a task to be cancelled, and with it all tasks below it that
    /// can be. A job that has not begun ends at once; one that runs stops soon
    /// after; a task without a job only carries the wish, its owner ends it.
    pub fn cancel(&mut self, id: TaskId, by: Option<Str>) -> CancelOutcome {
        let outcome = cancel::judge(self.task(id).map(|record| record.status()));
        if outcome != CancelOutcome::Accepted {
            return outcome;
        }
        if self.apply(id, cancel_by(by, self.tables.time)).is_err() {
            return CancelOutcome::Finished;
        }
        let children: Vec<TaskId> = self.tables.tasks.children(id).map(|task| task.id).collect();
        // No deeper than `DEEPEST`.
        for child in children {
            self.cancel(child, None);
        }
        let Some(record) = self.task(id).filter(|record| record.driven) else { return outcome };
        match record.state() {
            State::Queued => {
                let end = crate::task::End::Cancelled(Fault::request_canceled());
                let ended = self.apply(id, Command::Finish(end));
                debug_assert!(ended.is_ok(), "a queued task can end");
            }
            State::Running => self.events.push(Event::Proceed(id)),
            State::Done(_) => {}
        }
        outcome
    }

    /// Forgets a task that has ended.
    pub(super) fn forget(&mut self, id: TaskId) {
        if let Some(record) = self.tables.tasks.forget(id) {
            self.touched.entry(id).or_insert(Some(record));
        }
    }

    /// A task is gone as if it had never been, whatever it was doing.
    pub(super) fn lose(&mut self, id: TaskId) {
        let Some(record) = self.tables.tasks.lose(id) else { return };
        let parent = record.parent;
        self.touched.entry(id).or_insert(Some(record));
        let next = self.tables.admission.release(id);
        self.events.extend(next.into_iter().map(Event::Start));
        self.follow(parent);
    }

    /// A task that was hidden is there for everybody.
    pub(super) fn reveal(&mut self, id: TaskId) {
        self.tables.tasks.reveal(id);
        if let Some(record) = self.task(id).cloned() {
            self.touched.entry(id).or_insert(Some(record));
        }
    }

    /// Tasks that ended at `until` or before are no longer recent.
    pub(super) fn age(&mut self, until: DateTime) {
        let aged = self.tables.tasks.age(until);
        self.tables_changed = true;
        self.projection.on_age(self.inventory, &aged);
    }

    /// Forgets what is beyond the limits of history.
    pub(super) fn trim_history(&mut self, retention: &Retention) {
        retention.trim(&mut self.tables.tasks, self.tables.time);
        self.tables_changed = true;
    }

    /// Forgets events that are beyond retention; whether there were any.
    pub(super) fn trim_events(&mut self, retention: &event::Retention) -> bool {
        self.tables.events.trim(retention, self.tables.time)
    }

    /// Whether events came or went by this change.
    pub(super) fn events_changed(&self) -> bool {
        let ends = |log: &EventLog| [log.oldest(), log.latest()].map(|it| it.map(|it| it.key));
        let before = self.inventory.companion::<Tables>();
        before.map(|before| ends(&before.events)).unwrap_or_default() != ends(&self.tables.events)
    }

    /// Commits the tables together with the inventory.
    pub(super) fn keep_tables(self) {
        let changed = self.tables_changed
            || !self.touched.is_empty()
            || self
                .inventory
                .companion::<Tables>()
                .is_none_or(|before| before.event_key != self.tables.event_key);
        if changed {
            self.inventory.set_companion(Arc::new(self.tables));
        }
    }

    /// The inventory part of the change.
    pub(super) fn inventory(&mut self) -> &mut Transaction {
        self.inventory
    }

    fn put(&mut self, old: Arc<TaskRecord>, new: &Arc<TaskRecord>) {
        self.tables.tasks.replace(new);
        self.touched.entry(old.id).or_insert(Some(old));
    }

    /// A running parent is as far as its children are, and so is its own
    /// parent; see [`crate::task::progress::Family::progress`].
    fn follow(&mut self, mut parent: Option<TaskId>) {
        while let Some(id) = parent {
            if self.task(id).is_none_or(|record| record.state() != State::Running) {
                return;
            }
            let progress = self.tables.tasks.family(id).progress();
            let followed = self.change(id, Command::Report(progress));
            debug_assert!(followed.is_ok(), "a running task can report");
            parent = followed.ok().flatten().and_then(|record| record.parent);
        }
    }
}

impl Deref for Tx<'_> {
    type Target = Transaction;

    fn deref(&self) -> &Transaction {
        self.inventory
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Transaction {
        self.inventory
    }
}

impl Read for Tx<'_> {
    fn properties(&self, mo: &MoRef) -> Option<&Properties> {
        self.inventory.properties(mo)
    }

    fn get(&self, mo: &MoRef) -> Option<&Object> {
        self.inventory.get(mo)
    }

    fn at(&self, mo: &MoRef, path: &StaticPath) -> Option<&Value> {
        self.inventory.at(mo, path)
    }

    fn find(&self, key: Key) -> &[MoRef] {
        self.inventory.find(key)
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("now", &self.tables.time)
            .field("inventory", &self.inventory)
            .field("tasks", &self.touched.keys())
            .finish_non_exhaustive()
    }
}
