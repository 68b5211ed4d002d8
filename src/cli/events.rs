//! The flags that say how long events are remembered.

use clap::Args;

use super::values::{self, Span};
use crate::config::Events;

#[derive(Debug, Args)]
#[command(next_help_heading = "Events")]
pub(super) struct EventFlags {
    /// Remember an event for so long
    #[arg(long, value_name = "DURATION", default_value_t = Span(Events::default().age))]
    event_age: Span,

    /// Remember at most so many events
    #[arg(long, value_name = "N", default_value_t = Events::default().count, value_parser = values::number)]
    event_count: usize,
}

impl From<EventFlags> for Events {
    fn from(flags: EventFlags) -> Self {
        Self { age: flags.event_age.0, count: flags.event_count }
    }
}
