//! What is kept of 256 tasks with neighbouring numbers, field by field.
//!
//! A filter is asked of a whole segment at once: each field that it names
//! takes rows away, and most segments are dismissed by a look at a few bytes.

use std::hash::Hash;
use std::sync::Arc;

use smallvec::SmallVec;

use super::column::{Column, Dictionary, Wanted};
use super::rows::{Row, Rows};
use crate::fault::Fault;
use crate::task::CancelRequest;
use crate::task::filter::{Scope, TaskFilter, TimeFilter, TimeKind, UserFilter, folded};
use crate::task::record::{Operation, Reason, TaskDraft, TaskId, TaskRecord};
use crate::task::state::{Ended, Outcome, State, Status, Target};
use crate::value::{DateTime, MoRef, Object, Str, Value};

/// The finished tasks whose numbers differ in the last eight bits only.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    present: Rows,
    kinds: Column<Kind>,
    entities: Column<Option<MoRef>>,
    names: Column<Option<Str>>,
    /// Everything that stands above any entity here.
    above: Dictionary<MoRef>,
    /// Which of those stand above a task's entity.
    places: Column<SmallVec<[u32; 8]>>,
    causes: Column<Cause>,
    /// Who asked, as it is compared.
    users: Column<Option<Str>>,
    parents: Column<Option<TaskId>>,
    roots: Column<Option<TaskId>>,
    tags: Column<Option<Str>>,
    activations: Column<Option<Str>>,
    queued: Times,
    started: Times,
    completed: Times,
    chains: Numbers<i32>,
    flags: Vec<u8>,
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
struct Numbers<T> {
    values: Vec<T>,
    first: T,
    last: T,
}

/// Microseconds; the least number stands for no time.
type Times = Numbers<i64>;

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

const CANCELABLE: u8 = 4;
const DRIVEN: u8 = 8;

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

    fn keep(&self, rows: &mut Rows, wanted: impl Fn(T) -> bool) {
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

    fn keep_within(&self, rows: &mut Rows, span: &TimeFilter) {
        if span.misses(DateTime::from_micros(self.first), DateTime::from_micros(self.last)) {
            *rows = Rows::default();
        } else {
            self.keep(rows, |time| {
                span.holds((time != NO_TIME).then_some(DateTime::from_micros(time)))
            });
        }
    }
}

impl Default for Segment {
    fn default() -> Self {
        Self {
            present: Rows::default(),
            kinds: Column::default(),
            entities: Column::default(),
            names: Column::default(),
            above: Dictionary::default(),
            places: Column::default(),
            causes: Column::default(),
            users: Column::default(),
            parents: Column::default(),
            roots: Column::default(),
            tags: Column::default(),
            activations: Column::default(),
            queued: Times::none(),
            started: Times::none(),
            completed: Times::none(),
            chains: Numbers::new(0, i32::MIN, i32::MAX),
            flags: vec![0; Rows::COUNT],
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
        self.causes.set(row, Cause { reason: task.reason.clone(), owner: task.owner.clone() });
        self.parents.set(row, task.parent);
        self.roots.set(row, task.root);
        self.tags.set(row, task.change_tag.clone());
        self.activations.set(row, task.activation_id.clone());
        self.queued.set_time(row, Some(status.queued_at()));
        self.started.set_time(row, status.started_at());
        self.completed.set_time(row, status.completed_at());
        self.chains.set(row, task.event_chain_id);
        let outcome = match outcome {
            Outcome::Success => 0,
            Outcome::Failure => 1,
            Outcome::Cancelled => 2,
        };
        let cancelable = if status.cancelable() { CANCELABLE } else { 0 };
        let driven = if task.driven { DRIVEN } else { 0 };
        if let Some(flags) = self.flags.get_mut(usize::from(row)) {
            *flags = outcome | cancelable | driven;
        }
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
        self.present.retain(|kept| kept != row);
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
        self.users.shrink();
        self.parents.shrink();
        self.roots.shrink();
        self.tags.shrink();
        self.activations.shrink();
    }

    fn flags(&self, row: Row) -> u8 {
        self.flags.get(usize::from(row)).copied().unwrap_or_default()
    }

    fn outcome(&self, row: Row) -> Outcome {
        match self.flags(row) & 3 {
            0 => Outcome::Success,
            1 => Outcome::Failure,
            _ => Outcome::Cancelled,
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
        let flags = self.flags(row);
        let rest = self.rest.get(row).map(|rest| Rest::clone(rest)).unwrap_or_default();
        let draft = TaskDraft {
            operation: kind.operation,
            description_id: kind.description_id,
            label: kind.label,
            entity: self.entities.get(row)?.clone(),
            entity_name: self.names.get(row)?.clone(),
            above: above.collect(),
            locks: Vec::new(),
            cancelable: flags & CANCELABLE != 0,
            driven: flags & DRIVEN != 0,
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

    /// The rows that match.
    pub(super) fn select(&self, query: &Query<'_>) -> Rows {
        let mut rows = self.present;
        // What leaves few rows at little cost comes first.
        let steps = [Self::select_names, Self::select_entity, Self::select_numbers];
        for select in steps {
            if !rows.is_empty() {
                select(self, query, &mut rows);
            }
        }
        rows
    }

    fn select_names(&self, query: &Query<'_>, rows: &mut Rows) {
        let filter = query.filter;
        if let Some(user) = &filter.user {
            let matches = |name: &Option<Str>| user.matches_folded(name.as_ref());
            match &query.users {
                Some(listed) => keep(&self.users, rows, Some(listed), matches),
                None => self.users.keep(rows, matches),
            }
        }
        keep(&self.activations, rows, query.activations.as_deref(), |id| {
            filter.matches_activation(id.as_ref())
        });
        keep(&self.parents, rows, query.parents.as_deref(), |id| filter.matches_parent(*id));
        keep(&self.roots, rows, query.roots.as_deref(), |id| filter.matches_root(*id));
        if filter.tags.is_some() {
            self.tags.keep(rows, |tag| filter.matches_tag(tag.as_ref()));
        }
        if filter.alarm.is_some() || filter.scheduled_task.is_some() {
            self.causes.keep(rows, |cause| filter.matches_cause(&cause.reason));
        }
    }

    fn select_entity(&self, query: &Query<'_>, rows: &mut Rows) {
        let Some((scope, entity, above)) = &query.entity else { return };
        let mut itself = Rows::default();
        if *scope != Scope::Below {
            itself = *rows;
            self.entities.keep_any(&mut itself, std::slice::from_ref(entity));
        }
        let mut below = Rows::default();
        if *scope != Scope::Itself
            && let Some(place) = self.above.find(above)
        {
            below = *rows;
            self.places.keep(&mut below, |places| places.contains(&(place as u32)));
        }
        *rows = itself.or(below);
    }

    fn select_numbers(&self, query: &Query<'_>, rows: &mut Rows) {
        let filter = query.filter;
        if let Some(span) = &filter.time {
            let times = match span.kind {
                TimeKind::Queued => &self.queued,
                TimeKind::Started => &self.started,
                TimeKind::Completed => &self.completed,
            };
            times.keep_within(rows, span);
        }
        if let Some(states) = &filter.states {
            let wanted = |outcome| states.contains(&Target::of(State::Done(outcome)));
            rows.retain(|row| wanted(self.outcome(row)));
        }
        if let Some(wanted) = &filter.event_chains {
            let range = self.chains.first..=self.chains.last;
            if wanted.iter().any(|chain| range.contains(chain)) {
                self.chains.keep(rows, |chain| wanted.contains(&chain));
            } else {
                *rows = Rows::default();
            }
        }
    }
}

/// A filter that is asked of many segments, with what they are searched for.
#[derive(Debug)]
pub(super) struct Query<'f> {
    filter: &'f TaskFilter,
    entity: Option<(Scope, Wanted<Option<MoRef>>, Wanted<MoRef>)>,
    users: Option<Vec<Wanted<Option<Str>>>>,
    activations: Option<Vec<Wanted<Option<Str>>>>,
    parents: Option<Vec<Wanted<Option<TaskId>>>>,
    roots: Option<Vec<Wanted<Option<TaskId>>>>,
}

impl<'f> Query<'f> {
    pub(super) fn new(filter: &'f TaskFilter) -> Self {
        let entity = filter.entity.as_ref().map(|wanted| {
            let entity = &wanted.entity;
            (wanted.scope, Wanted::new(Some(entity.clone())), Wanted::new(entity.clone()))
        });
        Self {
            filter,
            entity,
            users: filter.user.as_ref().and_then(UserFilter::listed).map(search),
            activations: filter.activation_ids.as_ref().map(|ids| search(some(ids))),
            parents: filter.parents.as_ref().map(|ids| search(some(ids))),
            roots: filter.roots.as_ref().map(|ids| search(some(ids))),
        }
    }
}

fn search<T: Hash>(values: impl IntoIterator<Item = T>) -> Vec<Wanted<T>> {
    values.into_iter().map(Wanted::new).collect()
}

fn some<'s, T: Clone + 's>(
    values: impl IntoIterator<Item = &'s T>,
) -> impl Iterator<Item = Option<T>> {
    values.into_iter().cloned().map(Some)
}

/// Keeps the rows with one of the wanted values; by the smaller of both lists.
fn keep<T: Eq + Hash>(
    column: &Column<T>,
    rows: &mut Rows,
    wanted: Option<&[Wanted<T>]>,
    matches: impl Fn(&T) -> bool,
) {
    match wanted {
        Some(wanted) if wanted.len() < column.distinct() => column.keep_any(rows, wanted),
        Some(_) => column.keep(rows, matches),
        None => {}
    }
}
