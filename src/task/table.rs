//! All tasks, as a persistent map: a copy costs a few pointers, and whoever
//! holds one has a snapshot that never changes.

use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::filter::TaskFilter;
use super::history::History;
use super::progress::Family;
use super::record::{TaskDraft, TaskId, TaskRecord};
use super::state::State;
use crate::fault::Fault;
use crate::value::{DateTime, MoRef, Value};

/// All tasks that are remembered, with what is looked up often.
#[derive(Clone, Debug)]
pub struct TaskTable {
    /// How many tasks there ever were; the next one gets the number after.
    created: u64,
    records: OrdMap<TaskId, Arc<TaskRecord>>,
    live: OrdSet<TaskId>,
    /// By the time of their end.
    finished: OrdSet<(DateTime, TaskId)>,
    /// By what they act on and the time of their end, which for those that
    /// have not ended is the end of time. A hash of the entity costs less to
    /// copy and compare; another entity with the same one does no harm.
    by_entity: OrdSet<(u64, DateTime, TaskId)>,
    /// Who ended then or before is no longer recent.
    aged: DateTime,
    history: History,
    /// Parent and child.
    members: OrdSet<(TaskId, TaskId)>,
    families: OrdMap<TaskId, Family>,
    /// Those that only their creators know of as yet.
    hidden: OrdSet<TaskId>,
}

/// What is remembered of the end of a task.
#[derive(PartialEq)]
struct End<'a>(State, Option<DateTime>, Option<&'a Value>, Option<&'a Fault>);

impl<'a> End<'a> {
    fn of(record: &'a TaskRecord) -> Self {
        let status = record.status();
        Self(status.state(), status.completed_at(), status.result(), status.error())
    }
}

/// When tasks end that have not ended.
const NEVER: DateTime = DateTime::from_micros(i64::MAX);

fn hash(entity: &MoRef) -> u64 {
    foldhash::fast::FixedState::default().hash_one(entity)
}

impl Default for TaskTable {
    fn default() -> Self {
        Self::new()
    }
}

impl TaskTable {
    /// A table without tasks.
    pub fn new() -> Self {
        Self {
            created: 0,
            records: OrdMap::new(),
            live: OrdSet::new(),
            finished: OrdSet::new(),
            by_entity: OrdSet::new(),
            aged: DateTime::from_micros(i64::MIN),
            history: History::default(),
            members: OrdSet::new(),
            families: OrdMap::new(),
            hidden: OrdSet::new(),
        }
    }

    /// The task with this number.
    pub fn get(&self, id: TaskId) -> Option<&Arc<TaskRecord>> {
        self.records.get(&id)
    }

    /// The task that a reference names.
    pub fn find(&self, mo: &MoRef) -> Option<&Arc<TaskRecord>> {
        self.get(TaskId::of(mo)?)
    }

    /// The task with this number, even if only history remembers it.
    pub fn recall(&self, id: TaskId) -> Option<Arc<TaskRecord>> {
        self.get(id).cloned().or_else(|| self.history.get(id))
    }

    /// How many tasks are remembered.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no tasks are remembered.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many tasks there ever were.
    pub const fn created(&self) -> u64 {
        self.created
    }

    /// All tasks that are remembered, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<TaskRecord>> {
        self.records.values()
    }

    /// The tasks that have not ended, oldest first.
    pub fn live(&self) -> impl DoubleEndedIterator<Item = &Arc<TaskRecord>> {
        self.live.iter().filter_map(|id| self.get(*id))
    }

    /// How many tasks have not ended.
    pub fn live_len(&self) -> usize {
        self.live.len()
    }

    /// The tasks that have ended, those that ended first before the others.
    pub fn finished(&self) -> impl DoubleEndedIterator<Item = &Arc<TaskRecord>> {
        self.finished.iter().filter_map(|(_, id)| self.get(*id))
    }

    /// Those of them that come after a place in that order, which is a time and
    /// a number.
    pub fn finished_after(
        &self,
        place: Option<(DateTime, TaskId)>,
    ) -> impl DoubleEndedIterator<Item = &Arc<TaskRecord>> {
        let first = place.map_or(Bound::Unbounded, Bound::Excluded);
        self.finished.range((first, Bound::Unbounded)).filter_map(|(_, id)| self.get(*id))
    }

    /// When the first of them ended.
    pub(super) fn first_end(&self) -> Option<DateTime> {
        self.finished.get_min().map(|(end, _)| *end)
    }

    /// How many tasks have ended and are remembered.
    pub fn finished_len(&self) -> usize {
        self.finished.len()
    }

    /// The tasks that `parent` made and that are remembered, oldest first.
    pub fn children(&self, parent: TaskId) -> impl Iterator<Item = &Arc<TaskRecord>> {
        self.members
            .range((parent, TaskId::new(0))..=(parent, TaskId::new(u64::MAX)))
            .filter_map(|(_, child)| self.get(*child))
    }

    /// Why the first task below `parent` that failed did.
    pub fn first_fault_below(&self, parent: TaskId) -> Option<Fault> {
        self.children(parent).find_map(|child| child.status().error().cloned())
    }

    /// What is known of the children of `parent` taken together.
    pub fn family(&self, parent: TaskId) -> Family {
        self.families.get(&parent).copied().unwrap_or_default()
    }

    /// The tasks above `id`: its parent first, the root last.
    pub fn ancestors(&self, id: TaskId) -> impl Iterator<Item = TaskId> {
        let parent = |id: TaskId| self.get(id)?.parent;
        std::iter::successors(parent(id), move |id| parent(*id))
    }

    /// Adds the task that `draft` describes, queued at `now`. The root of a
    /// child is its parent's root, or the parent if that is a root itself.
    pub fn add(&mut self, draft: TaskDraft, now: DateTime) -> Arc<TaskRecord> {
        self.created += 1;
        let id = TaskId::new(self.created);
        let root = draft
            .parent
            .map(|parent| self.recall(parent).and_then(|parent| parent.root).unwrap_or(parent));
        let record = Arc::new(TaskRecord::queued(id, root, draft, now));
        self.records.insert(id, Arc::clone(&record));
        self.live.insert(id);
        self.enter(&record, NEVER);
        if let Some(parent) = record.parent {
            self.members.insert((parent, id));
            self.update_family(parent, None, &record);
        }
        record
    }

    /// Replaces the record of a task that exists.
    pub fn replace(&mut self, record: &Arc<TaskRecord>) {
        let Some(old) = self.records.insert(record.id, Arc::clone(record)) else { return };
        let ended = old.state().is_done() || record.state().is_done();
        if ended && End::of(&old) != End::of(record) {
            self.move_end(&old, record);
        }
        if let Some(parent) = record.parent {
            self.update_family(parent, Some(&old), record);
        }
    }

    /// A task has ended, or a client said that its own has not after all, or
    /// that it has in another way.
    fn move_end(&mut self, old: &TaskRecord, record: &Arc<TaskRecord>) {
        let id = record.id;
        match old.status().completed_at() {
            Some(completed) => {
                self.finished.remove(&(completed, id));
                self.history.take_back(id);
            }
            None => {
                self.live.remove(&id);
            }
        }
        if let Some(entity) = &record.entity {
            let end = old.status().completed_at().unwrap_or(NEVER);
            self.by_entity.remove(&(hash(entity), end, id));
        }
        match record.status().completed_at() {
            Some(completed) => {
                self.finished.insert((completed, id));
                self.enter(record, completed);
                self.history.add(record);
            }
            None => {
                self.live.insert(id);
                self.enter(record, NEVER);
            }
        }
    }

    fn enter(&mut self, record: &TaskRecord, end: DateTime) {
        if let Some(entity) = &record.entity {
            self.by_entity.insert((hash(entity), end, record.id));
        }
    }

    /// Forgets a task that has ended, except in history. Tasks that have not
    /// are kept.
    pub fn forget(&mut self, id: TaskId) -> Option<Arc<TaskRecord>> {
        let record = Arc::clone(self.get(id)?);
        let completed = record.status().completed_at()?;
        self.records.remove(&id);
        self.finished.remove(&(completed, id));
        self.hidden.remove(&id);
        if self.families.contains_key(&id) {
            self.families.remove(&id);
        }
        if let Some(entity) = &record.entity {
            self.by_entity.remove(&(hash(entity), completed, id));
        }
        if let Some(parent) = record.parent {
            self.members.remove(&(parent, id));
        }
        Some(record)
    }

    /// Forgets a task, whether it has ended or not. If it has not, history
    /// never hears of it.
    pub fn lose(&mut self, id: TaskId) -> Option<Arc<TaskRecord>> {
        let record = Arc::clone(self.get(id)?);
        if record.state().is_done() {
            return self.forget(id);
        }
        self.records.remove(&id);
        self.live.remove(&id);
        self.families.remove(&id);
        self.hidden.remove(&id);
        if let Some(entity) = &record.entity {
            self.by_entity.remove(&(hash(entity), NEVER, id));
        }
        if let Some(parent) = record.parent {
            self.members.remove(&(parent, id));
            if let Some(family) = self.families.get_mut(&parent) {
                *family = family.without(record.status());
            }
        }
        Some(record)
    }

    /// From now on the task is only there for its creator.
    pub fn hide(&mut self, id: TaskId) {
        self.hidden.insert(id);
    }

    /// The task is there for everybody.
    pub fn reveal(&mut self, id: TaskId) {
        self.hidden.remove(&id);
    }

    /// Whether the task is only there for its creator.
    pub fn is_hidden(&self, id: TaskId) -> bool {
        self.hidden.contains(&id)
    }

    /// What is remembered of tasks that have ended.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Forgets what ended before `since`, and about all but `count` others.
    pub(super) fn trim_history(&mut self, since: DateTime, count: usize) {
        self.history.trim(since, count);
    }

    /// The tasks that match and were created after `after`, oldest first, at
    /// the most `max`: those of history as well as those that have not ended.
    pub fn newer(
        &self,
        filter: &TaskFilter,
        after: Option<TaskId>,
        max: usize,
    ) -> Vec<Arc<TaskRecord>> {
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let live = self.live_matching(filter, range);
        let fresh = self.history.fresh(filter, range);
        let settled = self.history.settled(filter, range);
        let ids = merge(merge(live, fresh, TaskId::lt), settled, TaskId::lt);
        ids.take(max).filter_map(|id| self.recall(id)).collect()
    }

    /// The tasks that match and were created before `before`, but not before
    /// `first`, newest first, at the most `max`.
    pub fn older(
        &self,
        filter: &TaskFilter,
        first: TaskId,
        before: Option<TaskId>,
        max: usize,
    ) -> Vec<Arc<TaskRecord>> {
        if before.is_some_and(|before| before <= first) {
            return Vec::new();
        }
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let range = (Bound::Included(first), end);
        let live = self.live_matching(filter, range).rev();
        let fresh = self.history.fresh(filter, range).rev();
        let settled = self.history.settled(filter, range).rev();
        let ids = merge(merge(live, fresh, TaskId::gt), settled, TaskId::gt);
        ids.take(max).filter_map(|id| self.recall(id)).collect()
    }

    fn live_matching<'a>(
        &'a self,
        filter: &'a TaskFilter,
        range: (Bound<TaskId>, Bound<TaskId>),
    ) -> impl DoubleEndedIterator<Item = TaskId> {
        let live = self.live.range(range).copied();
        live.filter(|id| self.get(*id).is_some_and(|record| filter.matches(record)))
    }

    /// The lowest number whose task can still change; all below it have ended.
    pub fn first_live(&self) -> TaskId {
        self.live.get_min().copied().unwrap_or(TaskId::new(self.created + 1))
    }

    /// The recent tasks, oldest first: all that have not ended, and the last
    /// `count` of those that ended recently; of all entities or of one.
    pub fn recent(&self, entity: Option<&MoRef>, count: usize) -> Vec<TaskId> {
        let recent = |end: &DateTime| *end > self.aged;
        let mut ids: Vec<TaskId> = match entity {
            None => {
                let ended = self.finished.iter().rev().take(count);
                let ended = ended.take_while(|(end, _)| recent(end)).map(|(_, id)| *id);
                self.live.iter().copied().chain(ended).collect()
            }
            Some(entity) => {
                let hash = hash(entity);
                let first = (hash, self.aged, TaskId::new(u64::MAX));
                let last = (hash, NEVER, TaskId::new(u64::MAX));
                let mut left = count;
                let range = (Bound::Excluded(first), Bound::Included(last));
                let all = self.by_entity.range(range).rev();
                let own = |id| self.get(id).is_some_and(|it| it.entity.as_ref() == Some(entity));
                all.filter(|(_, _, id)| own(*id))
                    .take_while(|(_, end, _)| {
                        let taken = *end == NEVER || left > 0;
                        left = left.saturating_sub(usize::from(*end != NEVER));
                        taken
                    })
                    .map(|(_, _, id)| *id)
                    .collect()
            }
        };
        if !self.hidden.is_empty() {
            ids.retain(|id| !self.is_hidden(*id));
        }
        ids.sort_unstable();
        ids
    }

    /// Whether a task that has ended is recent still.
    pub(crate) fn has_recent(&self) -> bool {
        self.finished.get_max().is_some_and(|(end, _)| *end > self.aged)
    }

    /// The end of the task that stops being recent next.
    pub(super) fn first_recent_end(&self) -> Option<DateTime> {
        let after = (Bound::Excluded((self.aged, TaskId::new(u64::MAX))), Bound::Unbounded);
        self.finished.range(after).next().map(|(end, _)| *end)
    }

    /// Who ended at `until` or before is no longer recent from now on; gives
    /// those who were until now.
    pub fn age(&mut self, until: DateTime) -> Vec<Arc<TaskRecord>> {
        if until <= self.aged {
            return Vec::new();
        }
        let ended = |time| (time, TaskId::new(u64::MAX));
        let range = (Bound::Excluded(ended(self.aged)), Bound::Included(ended(until)));
        let aged = self.finished.range(range).filter_map(|(_, id)| self.get(*id).cloned());
        let aged = aged.collect();
        self.aged = until;
        aged
    }

    fn update_family(&mut self, parent: TaskId, old: Option<&TaskRecord>, new: &TaskRecord) {
        // A parent that is forgotten needs no progress.
        if !self.records.contains_key(&parent) {
            return;
        }
        let before = self.family(parent);
        let after = before.after(old.map(TaskRecord::status), new.status());
        if after != before {
            self.families.insert(parent, after);
        }
    }
}

/// Both in one order; `first` says which of two comes first.
fn merge(
    a: impl Iterator<Item = TaskId>,
    b: impl Iterator<Item = TaskId>,
    first: impl Fn(&TaskId, &TaskId) -> bool,
) -> impl Iterator<Item = TaskId> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(left), Some(right)) if first(right, left) => b.next(),
        (None, _) => b.next(),
        (Some(_), _) => a.next(),
    })
}
