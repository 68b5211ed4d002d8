//! The one source of time, real or stepped.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use thiserror::Error;

use crate::value::DateTime;

/// What time it is for one simulator.
///
/// A real clock follows the machine's from the moment it was made and never
/// runs backwards. A stepped one stands still until it is moved.
#[derive(Debug)]
pub struct Clock {
    mode: RwLock<Mode>,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// `base` was the time at `start`.
    Real {
        base: DateTime,
        start: Instant,
    },
    Stepped {
        now: DateTime,
    },
}

/// The clock follows the machine's and cannot be moved.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the clock is real: only a stepped clock can be moved")]
pub struct NotStepped;

impl Clock {
    /// A clock that follows the machine's.
    pub fn real() -> Self {
        let since_epoch = machine_time().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::in_mode(Mode::Real { base: DateTime::EPOCH.after(since_epoch), start: ticks() })
    }

    /// A clock that stands at `now` until it is moved.
    pub fn stepped(now: DateTime) -> Self {
        Self::in_mode(Mode::Stepped { now })
    }

    fn in_mode(mode: Mode) -> Self {
        Self { mode: RwLock::new(mode) }
    }

    /// The time.
    pub fn now(&self) -> DateTime {
        match self.mode() {
            Mode::Real { base, start } => base.after(ticks().duration_since(start)),
            Mode::Stepped { now } => now,
        }
    }

    /// Whether the clock only moves when it is told to.
    pub fn is_stepped(&self) -> bool {
        matches!(self.mode(), Mode::Stepped { .. })
    }

    /// Stops the clock where it is, or lets it run on from there.
    pub(super) fn set_stepped(&self, stepped: bool) {
        let mut mode = self.mode.write().unwrap_or_else(PoisonError::into_inner);
        *mode = match (*mode, stepped) {
            (Mode::Real { base, start }, true) => {
                Mode::Stepped { now: base.after(ticks().duration_since(start)) }
            }
            (Mode::Stepped { now }, false) => Mode::Real { base: now, start: ticks() },
            (as_asked, _) => as_asked,
        };
    }

    /// Goes back to how the clock was: a stepped one stands where it stood, a
    /// real one runs, but never backwards.
    pub(super) fn restore(&self, time: DateTime, stepped: bool) {
        if stepped {
            let mut mode = self.mode.write().unwrap_or_else(PoisonError::into_inner);
            *mode = Mode::Stepped { now: time };
        } else {
            self.set_stepped(false);
        }
    }

    /// Moves a stepped clock forward to `time`; never backwards.
    pub(super) fn move_to(&self, time: DateTime) -> Result<(), NotStepped> {
        let mut mode = self.mode.write().unwrap_or_else(PoisonError::into_inner);
        let Mode::Stepped { now } = &mut *mode else { return Err(NotStepped) };
        *now = time.max(*now);
        Ok(())
    }

    /// How long until `due`; nothing when the clock is stepped and only its
    /// being moved brings that time about.
    pub(super) fn until(&self, due: DateTime) -> Option<Duration> {
        match self.mode() {
            Mode::Real { base, start } => {
                Some(due.since(base.after(ticks().duration_since(start))))
            }
            Mode::Stepped { now } => (due <= now).then_some(Duration::ZERO),
        }
    }

    fn mode(&self) -> Mode {
        *self.mode.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the one place")]
fn machine_time() -> SystemTime {
    SystemTime::now()
}

#[allow(clippy::disallowed_methods, reason = "this is the one place")]
fn ticks() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: DateTime = DateTime::from_micros(1_700_000_000_000_000);

    #[test]
    fn a_stepped_clock_moves_forward_when_told() {
        let clock = Clock::stepped(NOON);
        let later = NOON.after(Duration::from_secs(5));
        assert_eq!(clock.now(), NOON);
        assert_eq!(clock.move_to(later), Ok(()));
        assert_eq!(clock.move_to(NOON), Ok(()));
        assert_eq!(clock.now(), later);
    }

    #[test]
    fn a_clock_goes_back_to_how_it_was() {
        let clock = Clock::stepped(NOON);
        clock.set_stepped(false);
        clock.restore(NOON, true);
        assert_eq!((clock.now(), clock.is_stepped()), (NOON, true));
        assert_eq!(clock.move_to(NOON.after(Duration::from_secs(5))), Ok(()));
        clock.restore(NOON, false);
        assert!(clock.now() >= NOON.after(Duration::from_secs(5)) && !clock.is_stepped());
    }

    #[test]
    fn a_real_clock_goes_on_where_a_stepped_one_stood() {
        let clock = Clock::stepped(NOON);
        clock.set_stepped(false);
        assert!(clock.now() >= NOON && !clock.is_stepped());
        assert_eq!(clock.move_to(NOON), Err(NotStepped));
        clock.set_stepped(true);
        let stopped = clock.now();
        assert!(stopped >= NOON);
        assert_eq!(clock.now(), stopped);
    }
}
