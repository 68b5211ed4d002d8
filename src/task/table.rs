//! All tasks, as a persistent map: a copy costs a few pointers, and whoever
//! holds one has a snapshot that never changes.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::progress::Family;
use super::record::{TaskDraft, TaskId, TaskRecord};
use crate::value::{DateTime, MoRef};

/// All tasks that are remembered, with what is looked up often.
#[derive(Clone, Debug, Default)]
pub struct TaskTable {
    /// How many tasks there ever were; the next one gets the number after.
    created: u64,
    records: OrdMap<TaskId, Arc<TaskRecord>>,
    live: OrdSet<TaskId>,
    /// By the time of their end.
    finished: OrdSet<(DateTime, TaskId)>,
    /// Parent and child.
    members: OrdSet<(TaskId, TaskId)>,
    families: OrdMap<TaskId, Family>,
}

impl TaskTable {
    /// A table without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// The task with this number.
    pub fn get(&self, id: TaskId) -> Option<&Arc<TaskRecord>> {
        self.records.get(&id)
    }

    /// The task that a reference names.
    pub fn find(&self, mo: &MoRef) -> Option<&Arc<TaskRecord>> {
        self.get(TaskId::of(mo)?)
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
            .map(|parent| self.get(parent).and_then(|parent| parent.root).unwrap_or(parent));
        let record = Arc::new(TaskRecord::queued(id, root, draft, now));
        self.records.insert(id, Arc::clone(&record));
        self.live.insert(id);
        if let Some(parent) = record.parent {
            self.members.insert((parent, id));
            self.update_family(parent, None, &record);
        }
        record
    }

    /// Replaces the record of a task that exists.
    pub fn replace(&mut self, record: &Arc<TaskRecord>) {
        let Some(old) = self.records.insert(record.id, Arc::clone(record)) else { return };
        if let Some(completed) = record.status().completed_at()
            && self.live.remove(&record.id).is_some()
        {
            self.finished.insert((completed, record.id));
        }
        if let Some(parent) = record.parent {
            self.update_family(parent, Some(&old), record);
        }
    }

    /// Forgets a task that has ended. Tasks that have not are kept.
    pub fn forget(&mut self, id: TaskId) -> Option<Arc<TaskRecord>> {
        let record = Arc::clone(self.get(id)?);
        let completed = record.status().completed_at()?;
        self.records.remove(&id);
        self.finished.remove(&(completed, id));
        self.families.remove(&id);
        if let Some(parent) = record.parent {
            self.members.remove(&(parent, id));
        }
        Some(record)
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
