//! How long finished tasks are kept: as recent ones, as objects, in history.

use std::time::Duration;

use super::history::History;
use super::record::TaskId;
use super::table::TaskTable;
use crate::value::DateTime;

/// How long finished tasks are kept. Of an age and a count, both hold; tasks
/// that have not ended stay in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long after its end a task can still be read as an object.
    pub age: Duration,
    /// How many finished tasks can be.
    pub count: usize,
    /// How long after its end a task counts as recent.
    pub recent_age: Duration,
    /// How many finished tasks count as recent: of all of them, and of those of
    /// each entity.
    pub recent_count: usize,
    /// How long after its end a task is remembered in history.
    pub history_age: Duration,
    /// How many finished tasks history remembers, give or take a segment. It
    /// never remembers fewer than there are objects of.
    pub history_count: usize,
}

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

impl Default for Retention {
    /// What vCenter does for recent tasks and for history; objects for a day.
    /// The counts are bounds on memory: about a hundred megabytes of objects,
    /// and as much of history.
    fn default() -> Self {
        Self {
            age: Duration::from_secs(DAY),
            count: 50_000,
            recent_age: Duration::from_secs(10 * MINUTE),
            recent_count: 200,
            history_age: Duration::from_secs(30 * DAY),
            history_count: 300_000,
        }
    }
}

impl Retention {
    /// How far the count may be exceeded before somebody cleans up: cleaning
    /// in lots costs less than after each task.
    const fn slack(&self) -> usize {
        self.count / 16
    }

    fn history_limits(&self) -> (Duration, usize) {
        (
            self.history_age.max(self.age),
            self.history_count.max(self.count.saturating_add(self.slack())),
        )
    }

    /// Whether more is remembered than the counts allow, by so much that it
    /// is worth while to clean up.
    pub fn exceeded(&self, tasks: &TaskTable) -> bool {
        let (_, count) = self.history_limits();
        tasks.finished_len() > self.count.saturating_add(self.slack())
            || tasks.history().len() > count.saturating_add(History::SLACK)
    }

    /// When the next cleaning is due because of age, if anything is there to
    /// age.
    pub fn next(&self, tasks: &TaskTable) -> Option<DateTime> {
        let (age, _) = self.history_limits();
        let object = tasks.first_end().map(|oldest| oldest.after(self.age));
        let kept = tasks.history().first_end().map(|end| end.after(age));
        match (object, kept) {
            (Some(object), Some(kept)) => Some(object.min(kept)),
            (object, kept) => object.or(kept),
        }
    }

    /// The finished tasks that no longer show as objects, oldest end first, at
    /// the most `limit` of them.
    pub fn overdue(&self, tasks: &TaskTable, now: DateTime, limit: usize) -> Vec<TaskId> {
        let surplus = tasks.finished_len().saturating_sub(self.count);
        tasks
            .finished()
            .enumerate()
            .take_while(|(place, record)| {
                let aged = record
                    .status()
                    .completed_at()
                    .is_some_and(|completed| completed.after(self.age) <= now);
                aged || *place < surplus
            })
            .take(limit)
            .map(|(_, record)| record.id)
            .collect()
    }

    /// Forgets what is beyond the limits of history.
    pub fn trim(&self, tasks: &mut TaskTable, now: DateTime) {
        let (age, count) = self.history_limits();
        tasks.trim_history(now.before(age), count);
    }

    /// When the next of the recent tasks is no longer recent.
    pub fn next_aging(&self, tasks: &TaskTable) -> Option<DateTime> {
        Some(tasks.first_recent_end()?.after(self.recent_age))
    }
}
