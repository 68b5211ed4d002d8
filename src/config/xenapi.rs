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
    /// How long after its end a task can be read in XenAPI. Default: 65 minutes.
    pub task_age: Duration,
    /// How many tasks can, if so many have ended; those that have not stay. Default: 200.
    pub task_count: usize,
    /// How long a task can be read that does not get any further. Default: a day.
    pub pending_age: Duration,
    /// How often those that no longer can are looked for. Default: every 30 seconds.
    pub collect_every: Duration,
    /// How long `event.from` waits for more once something has happened. Default: 50 milliseconds.
    pub event_pause: Duration,
}

impl Default for XenApi {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self {
            listen: None,
            session_timeout: day,
            task_age: Duration::from_secs(65 * 60),
            task_count: 200,
            pending_age: day,
            collect_every: Duration::from_secs(30),
            event_pause: Duration::from_millis(50),
        }
    }
}
