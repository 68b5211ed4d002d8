//! Property paths that the compiler resolves; see [`path!`](crate::path).

use std::fmt;

use arcstr::ArcStr;

use super::path::{Path, PathRef, Step};
use super::{Field, Kind, Type, tables};

/// A path without keys, resolved while compiling; made by [`path!`](crate::path).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StaticPath {
    root: Type,
    slots: [u16; Self::LONGEST],
    len: usize,
    text: &'static str,
}

impl StaticPath {
    /// The most steps that a path can have.
    pub const LONGEST: usize = 8;

    /// Resolves `text` as a path that starts at `root`. For paths written in code: in a constant, a
    /// mistyped path does not compile.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[allow(clippy::panic, clippy::indexing_slicing, reason = "meant to fail in constants")]
    pub const fn new(root: Type, text: &'static str) -> Self {
        let mut path = Self { root, slots: [0; Self::LONGEST], len: 0, text };
        let mut ty = root;
        let mut array = false;
        let mut rest = text.as_bytes();
        loop {
            assert!(path.len < Self::LONGEST, "the path has too many steps");
            assert!(!array, "the path goes through an array");
            assert!(
                path.len == 0 || matches!(ty.kind(), Kind::Data),
                "the path goes through a leaf"
            );
            let mut end = 0;
            while end < rest.len() && rest[end] != b'.' {
                end += 1;
            }
            let (name, after) = rest.split_at(end);
            let Some(slot) = tables::position(ty.fields(), name) else {
                panic!("the type has no field of this name")
            };
            let field = ty.fields()[slot];
            ty = field.ty();
            array = field.is_array();
            path.slots[path.len] = slot as u16;
            path.len += 1;
            match after {
                [] => return path,
                [_, after @ ..] => rest = after,
            }
        }
    }

    /// The type that the path starts at.
    #[must_use]
    pub const fn root(&self) -> Type {
        self.root
    }

    /// The slots to go through, at least one.
    #[must_use]
    pub const fn slots(&self) -> &[u16] {
        self.slots.split_at(self.len).0
    }

    /// The path as text.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Whether `prefix` leads to this path's value or to something that contains it.
    #[must_use]
    pub fn starts_with<'b>(&self, prefix: impl Into<PathRef<'b>>) -> bool {
        PathRef::from(self).starts_with(prefix)
    }

    /// The declared type at the end of the path, and whether there is an array of it.
    #[must_use]
    pub fn leaf(&self) -> (Type, bool) {
        PathRef::from(self).leaf()
    }

    /// The last field on the way.
    #[must_use]
    pub fn field(&self) -> Option<Field> {
        PathRef::from(self).field()
    }
}

impl fmt::Debug for StaticPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.root, self.text)
    }
}

impl fmt::Display for StaticPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl<'a> From<&'a StaticPath> for PathRef<'a> {
    fn from(path: &'a StaticPath) -> Self {
        PathRef::of_slots(path.root, path.text, path.slots())
    }
}

impl From<&StaticPath> for Path {
    fn from(path: &StaticPath) -> Self {
        let steps = path.slots().iter().copied().map(Step::Field).collect();
        Path::new(path.root, ArcStr::from(path.text), steps)
    }
}

/// A property path that the compiler resolves: `path!(VirtualMachine, "runtime.powerState")` is a
/// `&'static` [`StaticPath`](crate::schema::StaticPath).
///
/// ```
/// use vimsim::path;
/// use vimsim::schema::ty;
/// let path = path!(VirtualMachine, "runtime.powerState");
/// assert_eq!(path.leaf(), (ty::VirtualMachinePowerState, false));
/// ```
///
/// A mistyped path does not compile:
///
/// ```compile_fail
/// use vimsim::path;
/// let path = path!(VirtualMachine, "runtime.powrState");
/// ```
#[macro_export]
macro_rules! path {
    ($root:ident, $text:literal) => {
        const { &$crate::schema::StaticPath::new($crate::schema::ty::$root, $text) }
    };
}
