//! The flags that say how XenAPI keeps tasks and tells of events.

use clap::Args;

use super::values::{self, Span};
use crate::config::{ListenAddress, XenApi};

#[derive(Debug, Args)]
#[command(next_help_heading = "XenAPI")]
pub(super) struct XenApiFlags {
    /// Listen here for XenAPI, and serve it nowhere else (default: beside vSphere)
    #[arg(long, value_name = "HOST:PORT")]
    xenapi_listen: Option<ListenAddress>,

    /// Show a finished task in XenAPI for so long
    #[arg(long, value_name = "DURATION", default_value_t = Span(XenApi::default().task_age))]
    xenapi_task_age: Span,

    /// Show at most so many tasks in XenAPI, if enough of them have finished
    #[arg(long, value_name = "N", default_value_t = XenApi::default().task_count, value_parser = values::number)]
    xenapi_task_count: usize,

    /// Show a task in XenAPI for so long that does not get any further
    #[arg(long, value_name = "DURATION", default_value_t = Span(XenApi::default().pending_age))]
    xenapi_pending_age: Span,

    /// Gather events for so long before event.from is answered
    #[arg(long, value_name = "DURATION", default_value_t = Span(XenApi::default().event_pause))]
    xenapi_event_pause: Span,
}

impl From<XenApiFlags> for XenApi {
    fn from(flags: XenApiFlags) -> Self {
        Self {
            listen: flags.xenapi_listen,
            task_age: flags.xenapi_task_age.0,
            task_count: flags.xenapi_task_count,
            pending_age: flags.xenapi_pending_age.0,
            event_pause: flags.xenapi_event_pause.0,
            ..Self::default()
        }
    }
}
