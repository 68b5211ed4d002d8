//! The flags that say how long tasks are kept.

use clap::Args;

use super::values::{self, Span};
use crate::config::Tasks;

#[derive(Debug, Args)]
#[command(next_help_heading = "Tasks")]
pub(super) struct TaskFlags {
    /// Keep a finished task as an object for so long
    #[arg(long, value_name = "DURATION", default_value_t = Span(Tasks::default().age))]
    task_age: Span,

    /// Keep at most so many finished tasks as objects
    #[arg(long, value_name = "N", default_value_t = Tasks::default().count, value_parser = values::number)]
    task_count: usize,

    /// Keep a finished task in history for so long
    #[arg(long, value_name = "DURATION", default_value_t = Span(Tasks::default().history_age))]
    task_history_age: Span,

    /// Keep at most so many finished tasks in history
    #[arg(long, value_name = "N", default_value_t = Tasks::default().history_count, value_parser = values::number)]
    task_history_count: usize,

    /// Most history collectors of a kind in a session
    #[arg(long, value_name = "N", default_value_t = Tasks::default().collectors, value_parser = values::number)]
    max_collectors: usize,
}

impl From<TaskFlags> for Tasks {
    fn from(flags: TaskFlags) -> Self {
        Self {
            age: flags.task_age.0,
            count: flags.task_count,
            history_age: flags.task_history_age.0,
            history_count: flags.task_history_count,
            collectors: flags.max_collectors,
        }
    }
}
