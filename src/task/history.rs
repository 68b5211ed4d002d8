//! How long finished tasks are kept, and which are recent.

use std::time::Duration;

use super::record::TaskId;
use super::table::TaskTable;
use crate::value::DateTime;

/// How long finished tasks stay readable as objects. Both limits hold; tasks
/// that have not ended stay in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long after its end a task is kept.
    pub age: Duration,
    /// How many finished tasks are kept.
    pub count: usize,
}

impl Default for Retention {
    /// A day, and at the most fifty thousand: about a hundred megabytes.
    fn default() -> Self {
        Self { age: Duration::from_secs(24 * 60 * 60), count: 50_000 }
    }
}

impl Retention {
    /// How far the count may be exceeded before somebody cleans up: cleaning
    /// in lots costs less than after each task.
    const fn slack(&self) -> usize {
        self.count / 16
    }

    /// When the next cleaning is due, if anything is there to age.
    pub fn next(&self, tasks: &TaskTable, now: DateTime) -> Option<DateTime> {
        if tasks.finished_len() > self.count.saturating_add(self.slack()) {
            return Some(now);
        }
        let oldest = tasks.finished().next()?.status().completed_at()?;
        Some(oldest.after(self.age))
    }

    /// The finished tasks that are beyond the limits, oldest end first, at the
    /// most `limit` of them.
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
}

/// The recent tasks, newest first: all that have not ended, and of the others
/// those that ended less than `age` before `now`, among the last `count`.
pub fn recent(tasks: &TaskTable, now: DateTime, age: Duration, count: usize) -> Vec<TaskId> {
    let ended = tasks.finished().rev().take(count).take_while(|record| {
        record.status().completed_at().is_some_and(|completed| completed.after(age) > now)
    });
    let mut recent: Vec<TaskId> = tasks.live().chain(ended).map(|record| record.id).collect();
    recent.sort_unstable_by(|a, b| b.cmp(a));
    recent
}
