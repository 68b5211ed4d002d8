//! How long events are remembered.

use std::time::Duration;

/// How long events are remembered. Both limits hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// How long after it happened. Default: 30 days.
    pub age: Duration,
    /// How many events. Default: 100,000, about thirty megabytes.
    pub count: usize,
}

impl Default for Events {
    fn default() -> Self {
        Self { age: Duration::from_secs(30 * 24 * 60 * 60), count: 100_000 }
    }
}
