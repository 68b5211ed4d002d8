//! References to managed objects: a type and an id that is unique within it.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};

use triomphe::ThinArc;

use crate::schema::Type;

/// A managed object reference. One word, cheap to clone.
#[derive(Clone)]
pub struct MoRef(ThinArc<Type, u8>);

impl MoRef {
    /// The reference to the object `id` of type `ty`.
    pub fn new(ty: Type, id: &str) -> Self {
        Self(ThinArc::from_header_and_slice(ty, id.as_bytes()))
    }

    /// The type that the reference names.
    pub fn ty(&self) -> Type {
        self.0.header.header
    }

    /// The id, as in `vm-57`.
    pub fn id(&self) -> &str {
        // The bytes came from a `&str` in `new`, so the default is never taken.
        std::str::from_utf8(&self.0.slice).unwrap_or_default()
    }

    /// A few bits of the reference: two that differ in them are not the same.
    pub(super) fn print(&self) -> u16 {
        let hash = BuildHasher::hash_one(&foldhash::fast::FixedState::default(), self);
        (hash >> 48) as u16
    }

    /// The vmodl type and id, as vCenter writes them in messages: `vim.Task:task-9`.
    pub fn vmodl(&self) -> String {
        format!("{}:{}", self.ty().vmodl(), self.id())
    }
}

impl PartialEq for MoRef {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.as_ptr(), other.0.as_ptr())
            || (self.ty() == other.ty() && self.0.slice == other.0.slice)
    }
}

impl Eq for MoRef {}

impl Hash for MoRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ty().hash(state);
        self.0.slice.hash(state);
    }
}

impl PartialOrd for MoRef {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MoRef {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.ty(), &self.0.slice).cmp(&(other.ty(), &other.0.slice))
    }
}

impl fmt::Debug for MoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.ty().name(), self.id())
    }
}
