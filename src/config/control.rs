//! The control API: whether it is served, and where.

use super::ListenAddress;

/// The control API. By default it is served beside everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlApi {
    /// Whether it is served.
    pub on: bool,
    /// Another address to serve it on, and there only.
    pub listen: Option<ListenAddress>,
}

impl Default for ControlApi {
    fn default() -> Self {
        Self { on: true, listen: None }
    }
}
