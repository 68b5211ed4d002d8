//! Rows that are kept as they were written: what many clients ask again and
//! again about objects that have not changed is copied, not written anew.
//!
//! A row is what a reply says of one object: a function of the object's
//! properties, of the plan by which they are read, and of the client's version.
//! Properties are immutable and shared, so whether a kept row still holds is
//! one comparison of pointers, and nobody has to be told of a change.
//!
//! ```text
//!   shape (version, element, type, names)  ──►  table: object ──► properties, text
//! ```
//!
//! The rows of a whole reply are kept in a row as well: if all its objects are
//! the same as the last time, they are copied at once.
//!
//! A shape's rows are kept from the second time on that somebody asks for it.
//! All tables together have a limit; beyond it, the one that was asked for
//! least recently goes. Rows of callers from whom something is kept back are
//! never kept, because they are theirs alone.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::encode::Encoder;
use crate::inventory::Properties;
use crate::schema::{Field, Type, Version};
use crate::value::{MoRef, Str};
use crate::vsphere::Row;

type Hasher = foldhash::fast::FixedState;

/// How many bytes all rows together may have.
const LIMIT: usize = 64 << 20;

/// How many shapes are known at a time.
const SHAPES: usize = 256;

/// Of so many whole replies that are not the last one again, one is kept.
const OTHERS: u32 = 4;

/// Fewer rows are not kept as a whole.
pub(super) const MANY: usize = 16;

/// What a row costs besides its text.
const OVERHEAD: usize = 96;

/// The rows that are kept.
#[derive(Debug)]
pub(crate) struct Kept {
    tables: Mutex<HashMap<u64, Arc<Table>, Hasher>>,
    clock: AtomicU64,
    limit: usize,
}

/// What the rows of a table have in common.
#[derive(Debug, PartialEq)]
struct Shape {
    version: Version,
    field: Field,
    ty: Type,
    names: Box<[Str]>,
}

/// The rows of one shape.
#[derive(Debug)]
pub(super) struct Table {
    shape: Shape,
    rows: RwLock<HashMap<MoRef, Text, Hasher>>,
    /// The rows of a whole reply, and how often they were others than wanted.
    whole: RwLock<Option<Whole>>,
    others: AtomicU32,
    bytes: AtomicUsize,
    /// When it was asked for last.
    used: AtomicU64,
    /// Whether it was too large for all the room there is.
    outgrown: AtomicBool,
}

#[derive(Debug)]
struct Text {
    of: Properties,
    text: Box<[u8]>,
}

/// A row, and how it was written.
type Written<'c> = (Row<'c>, Box<[u8]>);

/// All rows of a reply.
#[derive(Debug)]
struct Whole {
    of: Vec<(MoRef, Properties)>,
    text: Box<[u8]>,
}

impl Whole {
    fn is_of<'c>(&self, plan: u32, mut rows: impl Iterator<Item = Row<'c>>) -> bool {
        let mut of = self.of.iter();
        let same = rows.all(|row| {
            let same = |(mo, properties): &(MoRef, Properties)| {
                mo == row.object() && properties.same(row.properties())
            };
            row.plan() == plan && of.next().is_some_and(same)
        });
        same && of.next().is_none()
    }

    fn cost(&self) -> usize {
        self.text.len() + self.of.len() * size_of::<(MoRef, Properties)>()
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::within(LIMIT)
    }
}

impl Kept {
    /// Rows of `limit` bytes at the most.
    pub(super) fn within(limit: usize) -> Self {
        Self { tables: Mutex::default(), clock: AtomicU64::new(0), limit }
    }

    /// How many bytes the rows have.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.values().map(|table| table.bytes.load(Ordering::Relaxed)).sum()
    }

    /// The table for rows like `row` in `field`; nothing if nobody has asked
    /// for such rows before.
    pub(super) fn table(&self, version: Version, field: Field, row: Row<'_>) -> Option<Arc<Table>> {
        let ty = row.properties().ty();
        let mut hasher = Hasher::default().build_hasher();
        (version, field, ty).hash(&mut hasher);
        row.names().for_each(|name| name.hash(&mut hasher));
        let key = hasher.finish();
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = tables.get(&key) {
            let shape = &table.shape;
            let same = (shape.version, shape.field, shape.ty) == (version, field, ty)
                && shape.names.iter().eq(row.names());
            table.used.store(now, Ordering::Relaxed);
            return (same && !table.outgrown.load(Ordering::Relaxed)).then(|| Arc::clone(table));
        }
        let shape = Shape { version, field, ty, names: row.names().cloned().collect() };
        tables.insert(key, Arc::new(Table::new(shape, now)));
        // Shapes are a client's words: they take room as rows do.
        drop(tables);
        self.make_room(None);
        None
    }

    /// Keeps rows that were just written.
    pub(super) fn keep(&self, table: &Arc<Table>, rows: Vec<Written<'_>>) {
        if !rows.is_empty() {
            table.insert(rows);
            self.make_room(Some(table));
        }
    }

    /// Lets tables go until the others have room, `last` at the very last.
    pub(super) fn make_room(&self, last: Option<&Arc<Table>>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: usize = tables.values().map(|table| table.cost()).sum();
        while all > self.limit || tables.len() > SHAPES {
            let others = tables
                .iter()
                .filter(|(_, table)| last.is_none_or(|last| !Arc::ptr_eq(last, table)));
            let oldest = others.min_by_key(|(_, table)| table.used.load(Ordering::Relaxed));
            let Some(key) = oldest.map(|(key, _)| *key) else { break };
            all -= tables.remove(&key).map_or(0, |table| table.cost());
        }
        if all > self.limit
            && let Some(last) = last
        {
            last.outgrown.store(true, Ordering::Relaxed);
            last.clear();
        }
    }
}

impl Table {
    fn new(shape: Shape, now: u64) -> Self {
        Self {
            shape,
            rows: RwLock::default(),
            whole: RwLock::default(),
            others: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
            used: AtomicU64::new(now),
            outgrown: AtomicBool::new(false),
        }
    }

    /// What it takes: the rows, and the words of its shape.
    fn cost(&self) -> usize {
        let words: usize = self.shape.names.iter().map(|name| name.len() + 16).sum();
        self.bytes.load(Ordering::Relaxed) + words + OVERHEAD
    }

    /// Writes all of `rows`, if they are those of the last whole reply, and all
    /// read by `plan`.
    pub(super) fn write_whole<'c>(
        &self,
        plan: u32,
        rows: impl Iterator<Item = Row<'c>>,
        out: &mut Vec<u8>,
    ) -> bool {
        let whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        match &*whole {
            Some(whole) if whole.is_of(plan, rows) => {
                out.extend_from_slice(&whole.text);
                true
            }
            _ => false,
        }
    }

    /// Keeps the rows of a whole reply. Where replies of several kinds have one
    /// shape, each is the last for a while, so that little is kept in vain.
    pub(super) fn keep_whole<'c>(&self, rows: impl Iterator<Item = Row<'c>>, text: &[u8]) {
        if !self.others.fetch_add(1, Ordering::Relaxed).is_multiple_of(OTHERS) {
            return;
        }
        let of = rows.map(|row| (row.object().clone(), row.properties().clone())).collect();
        let new = Whole { of, text: text.into() };
        let mut whole = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        self.bytes.fetch_add(new.cost(), Ordering::Relaxed);
        if let Some(old) = whole.replace(new) {
            self.bytes.fetch_sub(old.cost(), Ordering::Relaxed);
        }
    }

    /// Writes `rows` until `out` is as long as `until`, the kept ones as they
    /// are kept; how many, and those that were not.
    pub(super) fn write<'c>(
        &self,
        rows: impl Iterator<Item = Row<'c>>,
        encoder: &mut Encoder<'_>,
        until: usize,
    ) -> (usize, Vec<Written<'c>>) {
        let mut written = 0;
        let mut new = Vec::new();
        let kept = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            match kept.get(row.object()).filter(|kept| kept.of.same(row.properties())) {
                Some(kept) => encoder.out.extend_from_slice(&kept.text),
                None => {
                    let start = encoder.out.len();
                    encoder.content(self.shape.field, row);
                    new.push((row, encoder.out.get(start..).unwrap_or_default().into()));
                }
            }
            written += 1;
            if encoder.out.len() >= until {
                break;
            }
        }
        (written, new)
    }

    fn insert(&self, new: Vec<Written<'_>>) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (row, text) in new {
            let (object, of) = (row.object().clone(), row.properties().clone());
            self.bytes.fetch_add(text.len() + OVERHEAD, Ordering::Relaxed);
            if let Some(old) = rows.insert(object, Text { of, text }) {
                self.bytes.fetch_sub(old.text.len() + OVERHEAD, Ordering::Relaxed);
            }
        }
    }

    fn clear(&self) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let mut whole = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        *rows = HashMap::default();
        *whole = None;
        // Under both locks: what is counted is what is there.
        self.bytes.store(0, Ordering::Relaxed);
    }
}
