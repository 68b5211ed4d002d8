//! How far a task is, and how far a parent is by its children.

use super::state::{Outcome, State, Status};

/// How far the work is: zero at its start, one at its end.
///
/// Kept as it was given, because one protocol speaks in whole percents and
/// clamps, and another in any floating-point number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Progress(f64);

impl Progress {
    /// The end of the work.
    pub const DONE: Self = Self(1.0);

    /// `percent` as `UpdateProgress` gives it: below 0 is 0, above 100 is 100.
    /// `OutOfBounds`, which the method declares, came only from VirtualCenter 2.
    pub fn from_percent(percent: i32) -> Self {
        Self(f64::from(percent.clamp(0, 100)) / 100.0)
    }

    /// A share of the whole as it is.
    pub const fn from_fraction(fraction: f64) -> Self {
        Self(fraction)
    }

    /// The share as it was given.
    pub const fn fraction(self) -> f64 {
        self.0
    }

    /// The nearest whole percent from 0 to 100; what is no number counts as 0.
    pub fn percent(self) -> i32 {
        // Clamped, so the conversion is exact; it makes 0 of what is no number.
        (self.0 * 100.0).round().clamp(0.0, 100.0) as i32
    }
}

/// One millionth of a task: children add up in whole numbers, so that the sum
/// can be kept up to date without rounding errors piling up.
const WHOLE: u64 = 1_000_000;

/// What a parent knows of its children: enough for its progress, whatever
/// their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Family {
    children: u64,
    live: u64,
    sum: u64,
}

impl Family {
    /// How many children there were, those that are forgotten by now included.
    pub const fn children(self) -> u64 {
        self.children
    }

    /// How many of them have not ended.
    pub const fn live(self) -> u64 {
        self.live
    }

    /// The progress of the parent: the mean of its children, where one that
    /// has ended counts as whole, however it ended, and one that has reported
    /// nothing as nothing.
    pub fn progress(self) -> Progress {
        if self.children == 0 {
            return Progress(0.0);
        }
        Progress(self.sum as f64 / (self.children * WHOLE) as f64)
    }

    /// The family after a child went from `old` (nothing: it is new) to `new`.
    #[must_use]
    pub fn after(self, old: Option<&Status>, new: &Status) -> Self {
        let live = |status: &Status| u64::from(!status.state().is_done());
        Self {
            children: self.children + u64::from(old.is_none()),
            live: (self.live + live(new)).saturating_sub(old.map_or(0, live)),
            sum: (self.sum + share(new)).saturating_sub(old.map_or(0, share)),
        }
    }

    /// The family after a child is gone that nobody knows the end of: it counts
    /// as one that has ended.
    #[must_use]
    pub fn without(self, child: &Status) -> Self {
        if child.state().is_done() {
            return self;
        }
        Self {
            children: self.children,
            live: self.live.saturating_sub(1),
            sum: (self.sum + WHOLE).saturating_sub(share(child)),
        }
    }
}

fn share(status: &Status) -> u64 {
    match status.state() {
        State::Done(Outcome::Success | Outcome::Failure | Outcome::Cancelled) => WHOLE,
        State::Queued | State::Running => status
            .progress()
            .map_or(0, |progress| (progress.0.clamp(0.0, 1.0) * WHOLE as f64).round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_are_clamped_and_survive() {
        for percent in -5..=105 {
            assert_eq!(Progress::from_percent(percent).percent(), percent.clamp(0, 100));
        }
        assert_eq!(Progress::from_percent(i32::MIN).percent(), 0);
        assert_eq!(Progress::from_percent(i32::MAX).percent(), 100);
    }

    #[test]
    fn any_number_becomes_a_percent() {
        for (fraction, percent) in [
            (f64::NAN, 0),
            (f64::INFINITY, 100),
            (f64::NEG_INFINITY, 0),
            (-1.0, 0),
            (0.004, 0),
            (0.005, 1),
            (2.5, 100),
        ] {
            assert_eq!(Progress::from_fraction(fraction).percent(), percent, "{fraction}");
        }
    }
}
