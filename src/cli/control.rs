//! The flags of the control API.

use clap::Args;

use super::values;
use crate::config::{ControlApi, ListenAddress};

#[derive(Debug, Args)]
#[command(next_help_heading = "Control API")]
pub(super) struct ControlFlags {
    /// Serve the control API under /vimsim/v1; `vimsim ctl` uses it
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true",
          num_args = 0..=1, require_equals = true, value_parser = values::switch,
          action = clap::ArgAction::Set)]
    control: bool,

    /// Serve the control API here, and only here; the URL is written as VIMSIM_URL
    #[arg(long, value_name = "HOST:PORT")]
    control_listen: Option<ListenAddress>,
}

impl From<ControlFlags> for ControlApi {
    fn from(flags: ControlFlags) -> Self {
        Self { on: flags.control, listen: flags.control_listen }
    }
}
