//! How long tasks are kept, and how many collectors may read of them.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long finished tasks are kept. Of an age and a count, both hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tasks {
    /// How long after its end a task can be read as an object. Default: a day.
    pub age: Duration,
    /// How many finished tasks can be. Default: 50,000, about a hundred megabytes.
    pub count: usize,
    /// How long after its end a task is found by history collectors. Default: 30 days.
    pub history_age: Duration,
    /// How many finished tasks history collectors find. Default: 300,000, about as much memory.
    pub history_count: usize,
    /// How many history collectors of a kind a session may have. Default: 32.
    pub collectors: usize,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            age: DAY,
            count: 50_000,
            history_age: 30 * DAY,
            history_count: 300_000,
            collectors: 32,
        }
    }
}
