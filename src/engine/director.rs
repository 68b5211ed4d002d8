//! How a task goes: when it begins, what it says of its progress, where it
//! stops on the way, and how it ends.
//!
//! The engine asks a [`Director`] when a task is added. [`AsAsked`] does what
//! the caller of the task asked for; others may stretch, stall, hold or fail
//! tasks without the jobs knowing. What they answer is a [`Plan`]: a line of
//! [`Step`]s, each at its time since the start, of which the last one ends the
//! task.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::tx::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::task::{Progress, TaskRecord};
use crate::value::Value;

/// The finest step in which progress is reported: a client that looks more
/// often sees the same, and short tasks cost no commits for it.
const FINEST_STEP: Duration = Duration::from_millis(100);

/// How many reports a long task makes, roughly.
const REPORTS: u32 = 20;

/// Decides how tasks go.
pub trait Director: Send + Sync + fmt::Debug {
    /// How the job of `task` goes, which was asked to run for `asked`. Called
    /// inside the commit that adds the task, so it must be quick; `state` is
    /// the inventory as the commit leaves it.
    fn plan(&self, task: &TaskRecord, asked: Duration, state: &dyn Read) -> Plan;

    /// What it remembers of the tasks so far, if it does: part of a state that
    /// is saved.
    fn save(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }

    /// Goes back to what it remembered then.
    fn restore(&self, saved: Option<&(dyn Any + Send + Sync)>) {
        let _ = saved;
    }
}

/// Tasks run as long as they were asked to, with even progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsAsked;

impl Director for AsAsked {
    fn plan(&self, _: &TaskRecord, asked: Duration, _: &dyn Read) -> Plan {
        Plan::even(asked)
    }
}

/// How one task goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How long nobody can see the task, although its creator knows it.
    pub hidden: Duration,
    /// How long the task stays queued after its turn has come.
    pub queued: Duration,
    /// Whether it then stays queued until it is released.
    pub held: bool,
    /// What happens while it runs.
    pub course: Course,
    /// Whether the task can be cancelled, if not as its job says.
    pub cancelable: Option<bool>,
    /// How long a running task takes to stop when it is cancelled.
    pub stopping: Duration,
    /// What the task gives, instead of what its job does.
    pub result: Option<Value>,
    /// What follows when it has succeeded.
    pub sequel: Option<Arc<dyn Sequel>>,
}

impl Plan {
    /// A task that begins when its turn has come, runs for `running` with even
    /// progress, and has its effect.
    pub const fn even(running: Duration) -> Self {
        Self::of(Course::Even(running))
    }

    /// A task that begins when its turn has come, and then takes its course.
    pub const fn of(course: Course) -> Self {
        Self {
            hidden: Duration::ZERO,
            queued: Duration::ZERO,
            held: false,
            course,
            cancelable: None,
            stopping: Duration::ZERO,
            result: None,
            sequel: None,
        }
    }
}

/// What happens while a task runs.
#[derive(Clone, Debug)]
pub enum Course {
    /// It runs for so long, with even progress, and then has its effect.
    Even(Duration),
    /// These steps, in the order of their times. Where none of them ends the
    /// task, it has its effect after the last one.
    Steps(Arc<[Step]>),
}

/// One thing that happens to a running task.
#[derive(Clone, Debug)]
pub struct Step {
    /// How long after the start; the time for which the task is held does not
    /// count.
    pub after: Duration,
    /// What happens.
    pub act: Act,
}

/// What happens at a step.
#[derive(Clone, Debug)]
pub enum Act {
    /// The task says how far it is, or no longer says anything.
    Report(Option<Progress>),
    /// From now on the task can be cancelled, or no longer.
    Cancelable(bool),
    /// It stays as it is until it is released.
    Hold,
    /// It asks something, and waits for the answer.
    Ask(Arc<dyn Question>),
    /// It fails.
    Fail(Fault),
    /// It is gone, as if it had never been; its effect comes about or not.
    Vanish {
        /// Whether it does.
        effect: bool,
    },
    /// Its effect is due; the task ends as soon as its job is ready.
    Finish,
}

/// A question that a running task asks, and that somebody has to answer.
pub trait Question: Send + Sync + fmt::Debug {
    /// Shows the question; whether there is a place to show it. Without one the
    /// task goes on.
    fn ask(&self, tx: &mut Tx<'_>, task: &TaskRecord) -> bool;

    /// Takes the question back: it was answered, or the task has ended.
    fn withdraw(&self, tx: &mut Tx<'_>, task: &TaskRecord);

    /// What follows from an answer: the task goes on, or fails.
    fn answer(&self, choice: &str) -> Result<(), Fault>;
}

/// What follows when a task has succeeded.
pub trait Sequel: Send + Sync + fmt::Debug {
    /// Called in the commit of the success.
    fn begin(&self, tx: &mut Tx<'_>, task: &Arc<TaskRecord>, result: Option<&Value>);
}

impl Course {
    /// The step with this number, counted from zero.
    pub fn step(&self, number: u32) -> Step {
        match self {
            Self::Even(running) => {
                let report = (*running / REPORTS).max(FINEST_STEP);
                match report.checked_mul(number.saturating_add(1)) {
                    // A task that has ended has no progress, so none at the end.
                    Some(after) if after < *running => {
                        let share = after.as_secs_f64() / running.as_secs_f64();
                        Step { after, act: Act::Report(Some(Progress::from_fraction(share))) }
                    }
                    _ => Step { after: *running, act: Act::Finish },
                }
            }
            Self::Steps(steps) => {
                let step = usize::try_from(number).ok().and_then(|number| steps.get(number));
                let end = || steps.last().map_or(Duration::ZERO, |last| last.after);
                step.cloned().unwrap_or_else(|| Step { after: end(), act: Act::Finish })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percents(running: Duration) -> Vec<i32> {
        let course = Course::Even(running);
        let reports = (0..).map_while(|number| match course.step(number).act {
            Act::Report(progress) => progress.map(Progress::percent),
            _ => None,
        });
        reports.collect()
    }

    #[test]
    fn reports_are_even_and_end_before_the_end() {
        assert!(percents(Duration::ZERO).is_empty());
        assert!(percents(Duration::from_millis(100)).is_empty());
        assert_eq!(percents(Duration::from_millis(300)), [33, 67]);
        let day = percents(Duration::from_secs(86_400));
        assert_eq!((day.len(), day.first(), day.last()), (19, Some(&5), Some(&95)));
    }

    #[test]
    fn every_course_comes_to_its_end() {
        let second = Duration::from_secs(1);
        let report = Step { after: second, act: Act::Report(None) };
        for (course, number, end) in [
            (Course::Even(Duration::ZERO), 0, Duration::ZERO),
            (Course::Even(second), 9, second),
            (Course::Even(Duration::MAX), u32::MAX, Duration::MAX),
            (Course::Steps(Arc::new([])), 0, Duration::ZERO),
            (Course::Steps(Arc::new([report])), 1, second),
        ] {
            let step = course.step(number);
            assert!(matches!(step.act, Act::Finish) && step.after == end, "{course:?}");
        }
    }
}
