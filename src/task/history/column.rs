//! One field of many tasks: each different value once, and for every task one
//! byte that says which.
//!
//! A search asks for hashes only, which lie together: what it finds are
//! candidates, that their values confirm once everything else has.

use std::hash::{BuildHasher, Hash};

use smallvec::SmallVec;

use super::rows::{Row, Rows};

/// How many hashes are compared at once.
const LOT: usize = 32;

/// Different values, found by a hash of 16 bits that lies beside them: looking
/// for one reads a few cache lines, however large the values are.
#[derive(Clone, Debug)]
pub(super) struct Dictionary<T> {
    values: Vec<T>,
    hashes: Vec<u16>,
}

/// The hashes of what is looked for, in many dictionaries.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// A single one.
    One(u16),
    /// Any of several: a bit for each hash that there can be, so that a long
    /// list costs no more than a short one.
    Any(Box<[u64; 1024]>),
}

impl Wanted {
    /// Any of these values.
    pub(super) fn any<T: Hash>(values: impl IntoIterator<Item = T>) -> Self {
        let mut hashes = values.into_iter().map(|value| hash(&value));
        let (first, second) = (hashes.next(), hashes.next());
        if let (Some(only), None) = (first, second) {
            return Self::One(only);
        }
        let mut bits = Box::new([0; 1024]);
        for hash in first.into_iter().chain(second).chain(hashes) {
            if let Some(word) = bits.get_mut(usize::from(hash / 64)) {
                *word |= 1 << (hash % 64);
            }
        }
        Self::Any(bits)
    }

    /// This value.
    pub(super) fn one<T: Hash>(value: &T) -> Self {
        Self::One(hash(value))
    }
}

impl<T> Default for Dictionary<T> {
    fn default() -> Self {
        Self { values: Vec::new(), hashes: Vec::new() }
    }
}

impl<T> Dictionary<T> {
    /// Calls `found` with each place that may have what is wanted.
    pub(super) fn candidates(&self, wanted: &Wanted, mut found: impl FnMut(usize)) {
        match wanted {
            Wanted::One(wanted) => find(&self.hashes, *wanted, found),
            Wanted::Any(bits) => {
                for (place, hash) in self.hashes.iter().enumerate() {
                    let word = bits.get(usize::from(*hash / 64)).copied().unwrap_or_default();
                    if word >> (*hash % 64) & 1 == 1 {
                        found(place);
                    }
                }
            }
        }
    }

    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.values.get(place)
    }

    /// Gives back what was allocated in advance.
    pub(super) fn shrink(&mut self) {
        self.values.shrink_to_fit();
        self.hashes.shrink_to_fit();
    }
}

impl<T: Eq + Hash> Dictionary<T> {
    /// The place of a value, which is added if it is not there.
    pub(super) fn place(&mut self, value: T) -> usize {
        let hash = hash(&value);
        let mut known = None;
        find(&self.hashes, hash, |place| {
            if self.values.get(place) == Some(&value) {
                known = Some(place);
            }
        });
        known.unwrap_or_else(|| {
            self.values.push(value);
            self.hashes.push(hash);
            self.values.len() - 1
        })
    }
}

/// Calls `found` with each place of `wanted`. A lot without it is dismissed by
/// a few instructions.
fn find(hashes: &[u16], wanted: u16, mut found: impl FnMut(usize)) {
    let (lots, rest) = hashes.as_chunks::<LOT>();
    let mut look = |first: usize, lot: &[u16]| {
        for (at, _) in lot.iter().enumerate().filter(|(_, hash)| **hash == wanted) {
            found(first + at);
        }
    };
    for (number, lot) in lots.iter().enumerate() {
        if has(lot, wanted) {
            look(number * LOT, lot);
        }
    }
    look(lots.len() * LOT, rest);
}

/// On its own, so that it becomes vector instructions.
#[inline(never)]
fn has(lot: &[u16; LOT], wanted: u16) -> bool {
    lot.iter().fold(false, |any, hash| any | (*hash == wanted))
}

fn hash<T: Hash>(value: &T) -> u16 {
    // The fast one mixes too little for so few bits.
    (foldhash::quality::FixedState::default().hash_one(value) >> 48) as u16
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
}

impl<T> Column<T> {
    /// The value of a row that was set.
    pub(super) fn get(&self, row: Row) -> Option<&T> {
        self.distinct.get(usize::from(self.code(row)))
    }

    fn code(&self, row: Row) -> u8 {
        self.codes.get(usize::from(row)).copied().unwrap_or_default()
    }

    /// The codes of the values that may be wanted.
    pub(super) fn candidates(&self, wanted: &Wanted) -> Rows {
        let mut codes = Rows::default();
        self.distinct.candidates(wanted, |place| codes.insert(place as u8));
        codes
    }

    /// Keeps the rows that have one of the codes.
    pub(super) fn keep_codes(&self, rows: &mut Rows, codes: Rows) {
        if self.codes.is_empty() {
            if !codes.contains(0) {
                *rows = Rows::default();
            }
        } else if rows.len() <= 8 {
            rows.retain(|row| codes.contains(self.code(row)));
        } else {
            *rows = rows.and(Rows::of(&self.codes, codes));
        }
    }

    /// Keeps the rows whose value satisfies `wanted`, which is asked once for
    /// each different value, or once for each row if these are fewer.
    pub(super) fn keep(&self, rows: &mut Rows, wanted: impl Fn(&T) -> bool) {
        if rows.len() < self.distinct.values.len() {
            rows.retain(|row| self.get(row).is_some_and(&wanted));
        } else {
            let mut codes = Rows::default();
            let values = self.distinct.values.iter().enumerate();
            values.filter(|(_, value)| wanted(value)).for_each(|(at, _)| codes.insert(at as u8));
            self.keep_codes(rows, codes);
        }
    }

    /// Gives back what was allocated in advance.
    pub(super) fn shrink(&mut self) {
        self.distinct.shrink();
    }
}

/// Places in a dictionary that may have what is wanted: hardly ever two.
pub(super) type Places = SmallVec<[u32; 4]>;
