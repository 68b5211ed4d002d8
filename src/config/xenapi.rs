//! XenAPI: where it is served, and how long things are kept there.

use std::time::Duration;

use super::ListenAddress;

/// The settings of XenAPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XenApi {
    /// An address of its own, with TLS as on the main one. Default: none, XenAPI is served beside
    /// vSphere.
    pub listen: Option<ListenAddress>,
    /// How long a session may be idle before it ends; zero means for ever. Default: a day.
    pub session_timeout: Duration,
}

impl Default for XenApi {
    fn default() -> Self {
        Self { listen: None, session_timeout: Duration::from_secs(24 * 60 * 60) }
    }
}
