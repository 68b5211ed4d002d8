//! What is kept of 256 tasks with neighbouring numbers, field by field; how
//! they are searched is in [`super::query`].

use std::sync::Arc;

use smallvec::SmallVec;

use super::column::{Column, Dictionary};
use super::rows::{Row, Rows};
use crate::fault::Fault;
use crate::task::CancelRequest;
use crate::task::filter::{TimeFilter, folded};
use crate::task::record::{Operation, Reason, TaskDraft, TaskId, TaskRecord};
use crate::task::state::{Ended, Outcome, State, Status};
use crate::value::{DateTime, MoRef, Object, Str, Value};

/// The finished tasks whose numbers differ in the last eight bits only.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) present: Rows,
    /// Of those, the ones that failed, and the ones that were cancelled.
    pub(super) failed: Rows,
    pub(super) cancelled: Rows,
    kinds: Column<Kind>,
    pub(super) entities: Column<Option<MoRef>>,
    names: Column<Option<Str>>,
    /// Everything that stands above any entity here.
    pub(super) above: Dictionary<MoRef>,
    /// Which of those stand above a task's entity.
    pub(super) places: Column<SmallVec<[u32; 8]>>,
    causes: Column<Cause>,
    /// Who asked, as it is compared.
    pub(super) users: Column<Option<Str>>,
    /// The alarm or scheduled task that asked.
    pub(super) occasions: Column<Option<MoRef>>,
    pub(super) parents: Column<Option<TaskId>>,
    pub(super) roots: Column<Option<TaskId>>,
    pub(super) tags: Column<Option<Str>>,
    pub(super) activations: Column<Option<Str>>,
    pub(super) queued: Times,
    pub(super) started: Times,
    pub(super) completed: Times,
    pub(super) chains: Numbers<i32>,
    cancelable: Rows,
    driven: Rows,
    results: Sparse<Value>,
    /// Faults, each different one once, as long as few are different.
    errors: Sparse<Arc<Fault>>,
    rest: Sparse<Box<Rest>>,
}

/// What a task did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    operation: Operation,
    description_id: Str,
    label: Str,
}

/// Why there was a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cause {
    reason: Reason,
    owner: Option<Str>,
}

/// What only some tasks have. What only one protocol knows of a task is not
/// kept: it shows tasks no longer than they are in the table.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rest {
    description: Option<Object>,
    cancel: Option<CancelRequest>,
}

/// A number for each row, with the range they are in.
#[derive(Clone, Debug)]
pub(super) struct Numbers<T> {
    pub(super) values: Vec<T>,
    pub(super) first: T,
    pub(super) last: T,
}

/// Microseconds; the least number stands for no time.
pub(super) type Times = Numbers<i64>;

const NO_TIME: i64 = i64::MIN;

/// With how many faults a new one is compared.
const FAULTS: usize = 8;

/// Something that not every task has; nothing is allocated while none has.
#[derive(Clone, Debug)]
struct Sparse<T> {
    values: Vec<Option<T>>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { values: Vec::new() }
    }
}

impl<T> Sparse<T> {
    fn get(&self, row: Row) -> Option<&T> {
        self.values.get(usize::from(row))?.as_ref()
    }

    fn set(&mut self, row: Row, value: T) {
        if self.values.is_empty() {
            self.values.resize_with(Rows::COUNT, || None);
        }
        if let Some(place) = self.values.get_mut(usize::from(row)) {
            *place = Some(value);
        }
    }

    fn clear(&mut self, row: Row) {
        if let Some(place) = self.values.get_mut(usize::from(row)) {
            *place = None;
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.values.iter().flatten()
    }
}

impl<T: Copy + Ord> Numbers<T> {
    /// All rows have `unset`, which is not in the range.
    fn new(unset: T, least: T, most: T) -> Self {
        Self { values: vec![unset; Rows::COUNT], first: most, last: least }
    }

    fn get(&self, row: Row) -> Option<T> {
        self.values.get(usize::from(row)).copied()
    }

    fn set(&mut self, row: Row, value: T) {
        if let Some(place) = self.values.get_mut(usize::from(row)) {
            *place = value;
            self.first = self.first.min(value);
            self.last = self.last.max(value);
        }
    }

    pub(super) fn keep(&self, rows: &mut Rows, wanted: impl Fn(T) -> bool) {
        rows.retain(|row| self.get(row).is_some_and(&wanted));
    }
}

impl Times {
    fn none() -> Self {
        Self::new(NO_TIME, NO_TIME, i64::MAX)
    }

    fn time(&self, row: Row) -> Option<DateTime> {
        self.get(row).filter(|time| *time != NO_TIME).map(DateTime::from_micros)
    }

    fn set_time(&mut self, row: Row, time: Option<DateTime>) {
        if let Some(time) = time {
            self.set(row, time.micros());
        }
    }

    fn clear(&mut self, row: Row) {
        if let Some(place) = self.values.get_mut(usize::from(row)) {
            *place = NO_TIME;
        }
    }

    /// Whether no row can have a time in the span.
    pub(super) fn miss(&self, span: &TimeFilter) -> bool {
        span.misses(DateTime::from_micros(self.first), DateTime::from_micros(self.last))
    }

    pub(super) fn keep_within(&self, rows: &mut Rows, span: &TimeFilter) {
        self.keep(rows, |time| {
            span.holds((time != NO_TIME).then_some(DateTime::from_micros(time)))
        });
    }
}

impl Default for Segment {
    fn default() -> Self {
        Self {
            present: Rows::default(),
            failed: Rows::default(),
            cancelled: Rows::default(),
            kinds: Column::default(),
            entities: Column::default(),
            names: Column::default(),
            above: Dictionary::default(),
            places: Column::default(),
            causes: Column::default(),
            users: Column::default(),
            occasions: Column::default(),
            parents: Column::default(),
            roots: Column::default(),
            tags: Column::default(),
            activations: Column::default(),
            queued: Times::none(),
            started: Times::none(),
            completed: Times::none(),
            chains: Numbers::new(0, i32::MIN, i32::MAX),
            cancelable: Rows::default(),
            driven: Rows::default(),
            results: Sparse::default(),
            errors: Sparse::default(),
            rest: Sparse::default(),
        }
    }
}

/// The number of the segment that a task belongs to, and its row there.
pub(super) const fn place(id: TaskId) -> (u64, Row) {
    (id.number() >> 8, (id.number() & 0xff) as Row)
}

/// The task in a row of a segment.
pub(super) const fn id(segment: u64, row: Row) -> TaskId {
    TaskId::new(segment << 8 | row as u64)
}

impl Segment {
    /// How many tasks are kept here.
    pub(super) fn len(&self) -> usize {
        self.present.len()
    }

    /// When the last of the tasks ended.
    pub(super) fn last_end(&self) -> DateTime {
        DateTime::from_micros(self.completed.last)
    }

    /// Adds a task that has ended; each once.
    pub(super) fn add(&mut self, task: &TaskRecord) {
        let (_, row) = place(task.id);
        let status = task.status();
        let State::Done(outcome) = status.state() else { return };
        if self.present.contains(row) {
            return;
        }
        self.present.insert(row);
        self.kinds.set(
            row,
            Kind {
                operation: task.operation.clone(),
                description_id: task.description_id.clone(),
                label: task.label.clone(),
            },
        );
        self.entities.set(row, task.entity.clone());
        self.names.set(row, task.entity_name.clone());
        let above = task.above.iter().map(|mo| self.above.place(mo.clone()) as u32);
        self.places.set(row, above.collect());
        self.users.set(row, task.reason.user().map(folded));
        self.occasions.set(row, task.reason.occasion().cloned());
        self.causes.set(row, Cause { reason: task.reason.clone(), owner: task.owner.clone() });
        self.parents.set(row, task.parent);
        self.roots.set(row, task.root);
        self.tags.set(row, task.change_tag.clone());
        self.activations.set(row, task.activation_id.clone());
        self.queued.set_time(row, Some(status.queued_at()));
        self.started.set_time(row, status.started_at());
        self.completed.set_time(row, status.completed_at());
        self.chains.set(row, task.event_chain_id);
        let marks = [
            (&mut self.failed, outcome == Outcome::Failure),
            (&mut self.cancelled, outcome == Outcome::Cancelled),
            (&mut self.cancelable, status.cancelable()),
            (&mut self.driven, task.driven),
        ];
        marks.into_iter().filter(|(_, set)| *set).for_each(|(rows, _)| rows.insert(row));
        if let Some(result) = status.result() {
            self.results.set(row, result.clone());
        }
        if let Some(error) = status.error() {
            let same = |known: &&Arc<Fault>| ***known == *error;
            let known = self.errors.iter().rev().take(FAULTS).find(same).cloned();
            self.errors.set(row, known.unwrap_or_else(|| Arc::new(error.clone())));
        }
        let rest =
            Rest { description: status.description().cloned(), cancel: status.cancel().cloned() };
        if rest != Rest::default() {
            self.rest.set(row, Box::new(rest));
        }
    }

    /// Whether the task in a row is kept here.
    pub(super) fn contains(&self, row: Row) -> bool {
        self.present.contains(row)
    }

    /// Forgets the task in a row, which may be added again.
    pub(super) fn remove(&mut self, row: Row) {
        let marks = [
            &mut self.present,
            &mut self.failed,
            &mut self.cancelled,
            &mut self.cancelable,
            &mut self.driven,
        ];
        marks.into_iter().for_each(|rows| rows.remove(row));
        self.started.clear(row);
        self.results.clear(row);
        self.errors.clear(row);
        self.rest.clear(row);
    }

    /// Gives back what was allocated in advance.
    pub(super) fn shrink(&mut self) {
        self.kinds.shrink();
        self.entities.shrink();
        self.names.shrink();
        self.places.shrink();
        self.causes.shrink();
        self.above.shrink();
        self.users.shrink();
        self.occasions.shrink();
        self.parents.shrink();
        self.roots.shrink();
        self.tags.shrink();
        self.activations.shrink();
    }

    fn outcome(&self, row: Row) -> Outcome {
        if self.failed.contains(row) {
            Outcome::Failure
        } else if self.cancelled.contains(row) {
            Outcome::Cancelled
        } else {
            Outcome::Success
        }
    }

    /// The task in a row as it was when it ended, without what it had held.
    pub(super) fn record(&self, segment: u64, row: Row) -> Option<TaskRecord> {
        if !self.present.contains(row) {
            return None;
        }
        let kind = self.kinds.get(row)?.clone();
        let cause = self.causes.get(row)?.clone();
        let above = self.places.get(row)?.iter();
        let above = above.filter_map(|place| self.above.get(*place as usize)).cloned();
        let rest = self.rest.get(row).map(|rest| Rest::clone(rest)).unwrap_or_default();
        let draft = TaskDraft {
            operation: kind.operation,
            description_id: kind.description_id,
            label: kind.label,
            entity: self.entities.get(row)?.clone(),
            entity_name: self.names.get(row)?.clone(),
            above: above.collect(),
            locks: Vec::new(),
            cancelable: self.cancelable.contains(row),
            driven: self.driven.contains(row),
            reason: cause.reason,
            owner: cause.owner,
            parent: *self.parents.get(row)?,
            event_chain_id: self.chains.get(row)?,
            change_tag: self.tags.get(row)?.clone(),
            activation_id: self.activations.get(row)?.clone(),
            description: None,
        };
        let status = Status::ended(Ended {
            outcome: self.outcome(row),
            cancelable: draft.cancelable,
            cancel: rest.cancel,
            description: rest.description,
            result: self.results.get(row).cloned(),
            error: self.errors.get(row).map(|error| Fault::clone(error)),
            queued_at: self.queued.time(row)?,
            started_at: self.started.time(row),
            completed_at: self.completed.time(row)?,
        });
        let root = *self.roots.get(row)?;
        Some(TaskRecord::ended(id(segment, row), root, draft, status))
    }
}
