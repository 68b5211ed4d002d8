//! One field of many tasks: each different value once, and for every task one
//! byte that says which.

use std::hash::{BuildHasher, Hash};

use super::rows::{Row, Rows};

/// Different values, found by a hash of 16 bits that lies beside them: looking
/// for one reads a few cache lines, however large the values are.
#[derive(Clone, Debug)]
pub(super) struct Dictionary<T> {
    values: Vec<T>,
    hashes: Vec<u16>,
}

/// A value that is looked for, in many dictionaries.
#[derive(Clone, Debug)]
pub(super) struct Wanted<T> {
    value: T,
    hash: u16,
}

impl<T: Hash> Wanted<T> {
    pub(super) fn new(value: T) -> Self {
        Self { hash: hash(&value), value }
    }
}

impl<T> Default for Dictionary<T> {
    fn default() -> Self {
        Self { values: Vec::new(), hashes: Vec::new() }
    }
}

impl<T: Eq + Hash> Dictionary<T> {
    /// The place of a value, if it is there.
    pub(super) fn find(&self, wanted: &Wanted<T>) -> Option<usize> {
        self.find_hashed(&wanted.value, wanted.hash)
    }

    fn find_hashed(&self, value: &T, hash: u16) -> Option<usize> {
        let mut same = self.hashes.iter().enumerate().filter(|(_, held)| **held == hash);
        same.find(|(place, _)| self.values.get(*place) == Some(value)).map(|(place, _)| place)
    }

    /// The place of a value, which is added if it is not there.
    pub(super) fn place(&mut self, value: T) -> usize {
        let hash = hash(&value);
        self.find_hashed(&value, hash).unwrap_or_else(|| {
            self.values.push(value);
            self.hashes.push(hash);
            self.values.len() - 1
        })
    }

    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.values.get(place)
    }

    fn shrink(&mut self) {
        self.values.shrink_to_fit();
        self.hashes.shrink_to_fit();
    }
}

fn hash<T: Hash>(value: &T) -> u16 {
    (foldhash::fast::FixedState::default().hash_one(value) >> 48) as u16
}

/// The values of one field for the tasks of one segment.
#[derive(Clone, Debug)]
pub(super) struct Column<T> {
    distinct: Dictionary<T>,
    /// Which value each row has; empty while all have the first one.
    codes: Vec<u8>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { distinct: Dictionary::default(), codes: Vec::new() }
    }
}

impl<T: Eq + Hash> Column<T> {
    /// Sets the value of a row. There are as many rows as a byte has values, so
    /// a byte is enough to name one, as long as each row is set once.
    pub(super) fn set(&mut self, row: Row, value: T) {
        let code = self.distinct.place(value);
        if code > 0 && self.codes.is_empty() {
            self.codes = vec![0; Rows::COUNT];
        }
        if let Some(place) = self.codes.get_mut(usize::from(row)) {
            debug_assert!(code < Rows::COUNT, "more values than rows");
            *place = code as u8;
        }
    }

    /// The value of a row that was set.
    pub(super) fn get(&self, row: Row) -> Option<&T> {
        self.distinct.get(self.code(row))
    }

    fn code(&self, row: Row) -> usize {
        self.codes.get(usize::from(row)).copied().map_or(0, usize::from)
    }

    /// Keeps the rows whose value satisfies `wanted`, which is asked once for
    /// each different value, or once for each row if these are fewer.
    pub(super) fn keep(&self, rows: &mut Rows, wanted: impl Fn(&T) -> bool) {
        if rows.len() < self.distinct.values.len() {
            rows.retain(|row| self.get(row).is_some_and(&wanted));
        } else {
            self.keep_codes(rows, self.distinct.values.iter().map(wanted));
        }
    }

    /// Keeps the rows that have one of `wanted`.
    pub(super) fn keep_any(&self, rows: &mut Rows, wanted: &[Wanted<T>]) {
        let mut hits = [false; Rows::COUNT];
        for wanted in wanted {
            let place = self.distinct.find(wanted).and_then(|place| hits.get_mut(place));
            if let Some(hit) = place {
                *hit = true;
            }
        }
        self.keep_codes(rows, hits.into_iter().take(self.distinct.values.len()));
    }

    fn keep_codes(&self, rows: &mut Rows, hits: impl Iterator<Item = bool>) {
        let mut table = [false; Rows::COUNT];
        let (mut any, mut all) = (false, true);
        for (place, hit) in table.iter_mut().zip(hits) {
            *place = hit;
            any |= hit;
            all &= hit;
        }
        if !any {
            *rows = Rows::default();
        } else if !all {
            *rows = rows.and(Rows::of(&self.codes, |code| {
                table.get(usize::from(code)).copied().unwrap_or_default()
            }));
        }
    }

    /// Gives back what was allocated in advance.
    pub(super) fn shrink(&mut self) {
        self.distinct.shrink();
    }

    /// The number of different values.
    pub(super) fn distinct(&self) -> usize {
        self.distinct.values.len()
    }
}
