//! The static tables and how their packed rows are read. The layouts are those of
//! `wsdl/build/emit.rs`; nothing outside `schema` sees them.

#![allow(
    clippy::indexing_slicing,
    reason = "all numbers come from the build script, none from outside"
)]

use super::{Field, Type, hash};

include!(concat!(env!("OUT_DIR"), "/tables.rs"));

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name))
    };
}

/// Stands for "none" wherever a number may be absent.
pub(super) const NONE: u16 = u16::MAX;

static POOL: &str = include_str!(concat!(env!("OUT_DIR"), "/pool.txt"));

/// A table of rows with `N` bytes each.
pub(super) struct Rows<const N: usize>(&'static [u8]);

pub(super) static TYPES: Rows<32> = Rows(file!("types.bin"));
pub(super) static FIELDS: Rows<16> = Rows(file!("fields.bin"));
pub(super) static METHODS: Rows<32> = Rows(file!("methods.bin"));

impl<const N: usize> Rows<N> {
    /// One row.
    pub(super) const fn row(&self, index: u16) -> Row {
        Row(self.0, index as usize * N)
    }
}

/// One row: reads little-endian numbers at fixed offsets.
#[derive(Clone, Copy)]
pub(super) struct Row(&'static [u8], usize);

impl Row {
    pub(super) const fn u8(self, at: usize) -> u8 {
        self.0[self.1 + at]
    }

    pub(super) const fn u16(self, at: usize) -> u16 {
        u16::from_le_bytes([self.u8(at), self.u8(at + 1)])
    }

    pub(super) const fn u32(self, at: usize) -> usize {
        (self.u16(at) as usize) | (self.u16(at + 2) as usize) << 16
    }

    pub(super) const fn u16_or_none(self, at: usize) -> Option<u16> {
        match self.u16(at) {
            NONE => None,
            number => Some(number),
        }
    }
}

/// A piece of the text pool.
pub(super) const fn text(at: usize, len: usize) -> &'static str {
    POOL.split_at(at).1.split_at(len).0
}

static FIELD_LISTS: [Field; FIELD_LISTS_LEN] = {
    let packed = Row(file!("field_lists.bin"), 0);
    let mut lists = [Field(0); FIELD_LISTS_LEN];
    let mut i = 0;
    while i < FIELD_LISTS_LEN {
        lists[i] = Field(packed.u16(2 * i));
        i += 1;
    }
    lists
};

static FAULT_LISTS: [Type; FAULT_LISTS_LEN] = {
    let packed = Row(file!("fault_lists.bin"), 0);
    let mut lists = [Type(0); FAULT_LISTS_LEN];
    let mut i = 0;
    while i < FAULT_LISTS_LEN {
        lists[i] = Type(packed.u16(2 * i));
        i += 1;
    }
    lists
};

const fn part<T>(list: &'static [T], start: usize, len: usize) -> &'static [T] {
    list.split_at(start).1.split_at(len).0
}

/// A list of fields, properties or parameters.
pub(super) const fn field_list(start: usize, len: usize) -> &'static [Field] {
    part(&FIELD_LISTS, start, len)
}

/// The declared faults of a method.
pub(super) const fn fault_list(start: usize, len: usize) -> &'static [Type] {
    part(&FAULT_LISTS, start, len)
}

/// The values of an enumeration.
pub(super) const fn value_list(start: usize, len: usize) -> &'static [&'static str] {
    part(&VALUES, start, len)
}

/// A table from name to number, searched by [`hash`].
pub(super) struct Names(&'static [u8]);

pub(super) static BY_NAME: Names = Names(file!("by_name.bin"));
pub(super) static BY_VMODL: Names = Names(file!("by_vmodl.bin"));
pub(super) static BY_METHOD: Names = Names(file!("by_method.bin"));

impl Names {
    /// The first entry under the hash of `name` that `is` says is meant.
    pub(super) fn find(&self, name: &str, is: impl Fn(u16) -> bool) -> Option<u16> {
        let mask = self.0.len() / 2 - 1;
        let mut slot = hash::hash(name.as_bytes()) & mask;
        while let Some(number) = Row(self.0, 2 * slot).u16_or_none(0) {
            if is(number) {
                return Some(number);
            }
            slot = (slot + 1) & mask;
        }
        None
    }
}

/// Whether two texts are equal, in constants too.
pub(super) const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// The position of the field called `name`, in constants too.
pub(super) const fn position(fields: &[Field], name: &[u8]) -> Option<usize> {
    let mut i = 0;
    while i < fields.len() {
        if same(fields[i].name().as_bytes(), name) {
            return Some(i);
        }
        i += 1;
    }
    None
}
