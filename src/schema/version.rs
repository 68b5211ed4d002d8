//! API versions and XML namespaces.

use std::cmp::Ordering;
use std::fmt;

use super::tables::VERSIONS;

/// An API version, `8.0.3.0` for example; they are ordered by age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub(super) u8);

impl Version {
    /// The first version.
    pub const OLDEST: Version = Version(0);
    /// The latest version that the schema knows.
    pub const NEWEST: Version = Version((VERSIONS.len() - 1) as u8);

    /// All versions, oldest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Version> {
        (0..=Self::NEWEST.0).map(Version)
    }

    /// The version as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        VERSIONS.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    /// The version that is written exactly like `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Version> {
        // Clients are rather new than old.
        Self::all().rev().find(|version| version.as_str() == text)
    }

    /// The latest version that is not above `text`, which need not be one of ours: a client may be newer
    /// than the schema. `None` when `text` is no version, or older than all.
    #[must_use]
    pub fn at_most(text: &str) -> Option<Version> {
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let below = |version: &Version| compare(version.as_str(), text) != Ordering::Greater;
        Self::parse(text).or_else(|| Self::all().rev().find(below))
    }
}

/// Compares dotted versions number by number. Missing numbers count as zero; what follows the digits
/// within a part (`2.5u2`) decides between equal numbers.
fn compare(a: &str, b: &str) -> Ordering {
    let mut a = a.split('.');
    let mut b = b.split('.');
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) => (part(x.unwrap_or("0")), part(y.unwrap_or("0"))),
        };
        if x != y {
            return x.cmp(&y);
        }
    }
}

fn part(text: &str) -> (u64, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    // Digits that do not fit are a very high number; none at all are zero.
    (number.parse().unwrap_or(if number.is_empty() { 0 } else { u64::MAX }), rest)
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The XML namespaces of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Everything but reflection.
    Vim25,
    /// The dynamic type manager.
    Reflect,
}

impl Namespace {
    pub(super) const fn from_number(number: u8) -> Self {
        if number == 1 { Self::Reflect } else { Self::Vim25 }
    }

    /// The namespace as it stands in `xmlns`.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Vim25 => "urn:vim25",
            Self::Reflect => "urn:reflect",
        }
    }
}
