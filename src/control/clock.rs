//! [`Clock`]: time under the user's control.

use std::time::Duration;

use super::ControlError;
use crate::engine::NotStepped;
use crate::value::DateTime;
use crate::vsphere::Service;

/// A simulator's time.
///
/// A stepped clock stands still until it is moved. What becomes due on the way
/// is done before the move returns, each thing at its own time.
#[derive(Clone, Copy, Debug)]
pub struct Clock<'a> {
    service: &'a Service,
}

/// What the clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// The time.
    pub now: DateTime,
    /// Whether the clock only moves when it is told to.
    pub stepped: bool,
    /// When the next work is due, if any waits.
    pub next: Option<DateTime>,
}

impl From<NotStepped> for ControlError {
    fn from(error: NotStepped) -> Self {
        Self::Conflict(error.to_string())
    }
}

impl<'a> Clock<'a> {
    pub(super) fn new(service: &'a Service) -> Self {
        Self { service }
    }

    /// What the clock says.
    pub fn state(&self) -> ClockState {
        let engine = self.service.engine();
        ClockState { now: engine.now(), stepped: engine.is_stepped(), next: engine.next_work() }
    }

    /// Stops the clock where it is, or lets it run on from there.
    pub fn set_stepped(&self, stepped: bool) {
        self.service.engine().set_stepped(stepped);
    }

    /// Moves a stepped clock on.
    pub fn advance(&self, duration: Duration) -> Result<ClockState, ControlError> {
        self.service.engine().advance(duration)?;
        Ok(self.state())
    }

    /// Moves a stepped clock to a time; never backwards.
    pub fn advance_to(&self, time: DateTime) -> Result<ClockState, ControlError> {
        let now = self.service.engine().now();
        if time < now {
            return Err(ControlError::invalid("to", &format!("it is {now} already")));
        }
        self.service.engine().advance_to(time)?;
        Ok(self.state())
    }

    /// Moves a stepped clock to the next work and does it; gives the time of
    /// that work, or nothing if none waits.
    pub fn advance_to_next(&self) -> Result<Option<DateTime>, ControlError> {
        Ok(self.service.engine().advance_to_next()?)
    }

    /// Moves a stepped clock from work to work until none waits, or until the
    /// next is more than `limit` away from now. Work that comes again and again
    /// (a task that is scheduled hourly) never ends by itself.
    pub fn run_until_idle(&self, limit: Duration) -> Result<ClockState, ControlError> {
        self.service.engine().run_until_idle(limit)?;
        Ok(self.state())
    }
}
