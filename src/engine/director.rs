//! How a task goes: how long it runs and what it says of its progress.
//!
//! The engine asks a [`Director`] when a job starts. [`AsAsked`] does what the
//! caller of the task asked for; others may stretch, stall or hurry tasks
//! without the jobs knowing.

use std::fmt;
use std::time::Duration;

use crate::task::{Progress, TaskRecord};

/// The finest step in which progress is reported: a client that looks more
/// often sees the same, and short tasks cost no commits for it.
const FINEST_STEP: Duration = Duration::from_millis(100);

/// How many reports a long task makes, roughly.
const REPORTS: u32 = 20;

/// Decides how tasks go.
pub trait Director: Send + Sync + fmt::Debug {
    /// How the job of `task` goes, which was asked to run for `asked`.
    fn plan(&self, task: &TaskRecord, asked: Duration) -> Plan;
}

/// How one task goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How long it runs before its effect is due.
    pub running: Duration,
}

impl Plan {
    /// The report with this number, counted from one: how long after the start
    /// it is made, and what it says. None at or after the end, because a task
    /// that has ended has no progress.
    pub fn report(&self, number: u32) -> Option<(Duration, Progress)> {
        let after = (self.running / REPORTS).max(FINEST_STEP).checked_mul(number)?;
        let share = after.as_secs_f64() / self.running.as_secs_f64();
        (after < self.running).then(|| (after, Progress::from_fraction(share)))
    }
}

/// Tasks run as long as they were asked to, with even progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsAsked;

impl Director for AsAsked {
    fn plan(&self, _: &TaskRecord, asked: Duration) -> Plan {
        Plan { running: asked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percents(running: Duration) -> Vec<i32> {
        let plan = Plan { running };
        (1..).map_while(|number| plan.report(number)).map(|(_, p)| p.percent()).collect()
    }

    #[test]
    fn reports_are_even_and_end_before_the_end() {
        assert!(percents(Duration::ZERO).is_empty());
        assert!(percents(Duration::from_millis(100)).is_empty());
        assert_eq!(percents(Duration::from_millis(300)), [33, 67]);
        let day = percents(Duration::from_secs(86_400));
        assert_eq!((day.len(), day.first(), day.last()), (19, Some(&5), Some(&95)));
    }
}
