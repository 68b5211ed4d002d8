//! The four colours, and how those of several conditions make one.

use crate::value::Str;

/// How well something is, from nobody knows to badly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// Nobody knows.
    #[default]
    Gray,
    /// It is well.
    Green,
    /// It might have a problem.
    Yellow,
    /// It has a problem.
    Red,
}

impl Status {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [Self; 4] = [Self::Gray, Self::Green, Self::Yellow, Self::Red];

    /// The status that the API calls so.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "gray" => Self::Gray,
            "green" => Self::Green,
            "yellow" => Self::Yellow,
            "red" => Self::Red,
            _ => return None,
        })
    }

    /// What the API calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gray => "gray",
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }

    /// Whether an alarm with it is triggered.
    pub(super) fn is_triggered(self) -> bool {
        self >= Self::Yellow
    }

    /// The same, where gray counts as green: between these two nothing happens.
    pub(super) fn settled(self) -> Self {
        self.max(Self::Green)
    }

    /// The status of several conditions, one of which suffices.
    pub(super) fn any(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max().unwrap_or_default()
    }

    /// The status of several conditions that must all hold; gray ones do not
    /// count.
    pub(super) fn all(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().filter(|status| *status != Self::Gray).min().unwrap_or_default()
    }
}

impl From<Status> for Str {
    fn from(status: Status) -> Self {
        Self::from(status.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Status::{Gray, Green, Red, Yellow};
    use super::*;

    fn some() -> impl Strategy<Value = Vec<Status>> {
        prop::collection::vec(prop::sample::select(Status::ALL.to_vec()), 1..5)
    }

    proptest! {
        /// The rules as the reference words them.
        #[test]
        fn expressions_are_joined_by_the_rules(statuses in some()) {
            let has = |status| statuses.contains(&status);
            let known: Vec<Status> = statuses.iter().copied().filter(|it| *it != Gray).collect();
            let any = if known.is_empty() { Gray }
                else if has(Red) { Red }
                else if has(Yellow) { Yellow }
                else { Green };
            prop_assert_eq!(Status::any(statuses.iter().copied()), any);
            let all = if known.is_empty() { Gray }
                else if known.iter().all(|it| *it == Red) { Red }
                else if known.iter().all(|it| [Red, Yellow].contains(it)) { Yellow }
                else { Green };
            prop_assert_eq!(Status::all(statuses.iter().copied()), all);
        }
    }

    #[test]
    fn names_lead_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.name()), Some(status));
        }
        assert_eq!(Status::parse("unset"), None);
    }
}
