//! What is remembered of finished tasks, long after they are gone from the
//! inventory: a few hundred bytes each, and a filter finds its page among a
//! million of them in moments.
//!
//! ```text
//!   task ends ──► fresh ──1024 of them──► segments of 256, by task number
//!                                              │
//!                          beyond retention ───┴──► gone, a segment at a time
//! ```
//!
//! A task number says which segment it is in and where, so numbers that are
//! still running are only holes. Everything is persistent, like the table
//! that it is part of: whoever holds a copy reads what was true then.

mod column;
mod query;
mod rows;
mod segment;

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use self::query::Query;
use self::rows::Rows;
use self::segment::{Segment, id, place};
use super::filter::TaskFilter;
use super::record::{TaskId, TaskRecord};
use crate::value::DateTime;

/// How many finished tasks wait for their segments: a segment is copied when
/// something is added to it, so much is added at once.
const FRESH: usize = 4 * Rows::COUNT;

/// All finished tasks that are remembered.
#[derive(Clone, Debug, Default)]
pub struct History {
    segments: OrdMap<u64, Arc<Segment>>,
    /// The segments by the last end in them.
    ends: OrdSet<(DateTime, u64)>,
    fresh: OrdMap<TaskId, Arc<TaskRecord>>,
    /// The first end among the fresh ones.
    fresh_since: Option<DateTime>,
    len: usize,
}

impl History {
    /// How many tasks are remembered.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no task is remembered.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A task that has ended, as it was then.
    pub fn get(&self, id: TaskId) -> Option<Arc<TaskRecord>> {
        if let Some(record) = self.fresh.get(&id) {
            return Some(Arc::clone(record));
        }
        let (number, row) = place(id);
        self.segments.get(&number)?.record(number, row).map(Arc::new)
    }

    /// Remembers a task that has just ended.
    pub(super) fn add(&mut self, record: &Arc<TaskRecord>) {
        let Some(ended) = record.status().completed_at() else { return };
        if self.fresh.insert(record.id, Arc::clone(record)).is_none() {
            self.len += 1;
        }
        self.fresh_since = Some(self.fresh_since.map_or(ended, |since| since.min(ended)));
        if self.fresh.len() >= FRESH {
            self.settle();
        }
    }

    /// Forgets a task that has not ended after all.
    pub(super) fn take_back(&mut self, id: TaskId) {
        if self.fresh.remove(&id).is_some() {
            self.len -= 1;
            return;
        }
        let (number, row) = place(id);
        if let Some(segment) = self.segments.get(&number)
            && segment.contains(row)
        {
            // It keeps its place by the last end: it goes no earlier by that.
            let mut segment = Segment::clone(segment);
            segment.remove(row);
            self.segments.insert(number, Arc::new(segment));
            self.len -= 1;
        }
    }

    /// Puts the fresh ones into their segments.
    fn settle(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh).into_iter().peekable();
        self.fresh_since = None;
        while let Some((first, _)) = fresh.peek() {
            let (number, _) = place(*first);
            let mut segment = match self.segments.get(&number) {
                Some(segment) => {
                    self.ends.remove(&(segment.last_end(), number));
                    Segment::clone(segment)
                }
                None => Segment::default(),
            };
            while let Some((_, record)) = fresh.next_if(|(id, _)| place(*id).0 == number) {
                segment.add(&record);
            }
            segment.shrink();
            self.ends.insert((segment.last_end(), number));
            self.segments.insert(number, Arc::new(segment));
        }
    }

    /// When the first task ended that is forgotten next because of its age.
    pub(super) fn first_end(&self) -> Option<DateTime> {
        let settled = self.ends.get_min().map(|(end, _)| *end);
        match (settled, self.fresh_since) {
            (Some(settled), Some(fresh)) => Some(settled.min(fresh)),
            (settled, fresh) => settled.or(fresh),
        }
    }

    /// How many tasks may be remembered too many before it is worth while to
    /// forget some.
    pub(super) const SLACK: usize = Rows::COUNT;

    /// Forgets tasks that ended before `since`, and of the rest those with the
    /// lowest numbers, as long as `count` are left. A segment goes as a whole,
    /// once all of it may go.
    pub(super) fn trim(&mut self, since: DateTime, count: usize) {
        if self.fresh_since.is_some_and(|end| end <= since)
            || self.len > count.saturating_add(Self::SLACK)
        {
            self.settle();
        }
        while let Some((end, number)) = self.ends.get_min().copied() {
            if end > since {
                break;
            }
            self.drop_segment(number);
        }
        while let Some((number, segment)) = self.segments.get_min()
            && self.len >= count.saturating_add(segment.len())
        {
            let number = *number;
            self.drop_segment(number);
        }
    }

    fn drop_segment(&mut self, number: u64) {
        if let Some(segment) = self.segments.remove(&number) {
            self.ends.remove(&(segment.last_end(), number));
            self.len -= segment.len();
        }
    }

    /// The fresh ones with a number in the range that match.
    pub(super) fn fresh<'a>(
        &'a self,
        filter: &'a TaskFilter,
        range: (Bound<TaskId>, Bound<TaskId>),
    ) -> impl DoubleEndedIterator<Item = TaskId> {
        let fresh = self.fresh.range(range);
        fresh.filter(|(_, record)| filter.matches(record)).map(|(id, _)| *id)
    }

    /// The settled ones with a number in the range that match.
    pub(super) fn settled<'a>(
        &'a self,
        filter: &'a TaskFilter,
        range: (Bound<TaskId>, Bound<TaskId>),
    ) -> impl DoubleEndedIterator<Item = TaskId> {
        let number = |bound: Bound<TaskId>| match bound {
            Bound::Included(id) | Bound::Excluded(id) => Bound::Included(place(id).0),
            Bound::Unbounded => Bound::Unbounded,
        };
        let segments = self.segments.range((number(range.0), number(range.1)));
        let query = Query::new(filter);
        segments.flat_map(move |(number, segment)| {
            let number = *number;
            let rows = query.select(segment).iter().map(move |row| id(number, row));
            rows.filter(move |id| std::ops::RangeBounds::contains(&range, id))
        })
    }
}
