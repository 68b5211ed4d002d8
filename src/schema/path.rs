//! Property paths: names joined by dots, with keys for elements of arrays.

use super::Type;

/// A path without keys that was resolved while compiling; see [`path!`](crate::path).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StaticPath {
    root: Type,
    slots: [u16; Self::LONGEST],
    len: usize,
    text: &'static str,
}

impl StaticPath {
    const LONGEST: usize = 8;

    /// Resolves `text` from `root`; in a constant, a wrong name does not compile.
    pub const fn new(root: Type, text: &'static str) -> Self {
        let bytes = text.as_bytes();
        let mut slots = [0; Self::LONGEST];
        let (mut len, mut start, mut at, mut ty) = (0, 0, 0, root);
        while at <= bytes.len() {
            if at == bytes.len() || bytes[at] == b'.' {
                let (_, tail) = text.split_at(start);
                let (name, _) = tail.split_at(at - start);
                let slot = ty.slot(name);
                slots[len] = slot as u16;
                len += 1;
                let field = ty.fields()[slot];
                assert!(at == bytes.len() || !field.is_array(), "an array's element needs a key");
                ty = field.ty();
                start = at + 1;
            }
            at += 1;
        }
        Self { root, slots, len, text }
    }

    /// The type that the path starts from.
    pub const fn root(&self) -> Type {
        self.root
    }

    /// The slots to go through.
    pub fn slots(&self) -> &[u16] {
        self.slots.get(..self.len).unwrap_or_default()
    }

    /// The path as it is written.
    pub const fn text(&self) -> &'static str {
        self.text
    }
}

/// What stands between brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A number.
    Int(i64),
    /// Text in quotes: a string key, or a reference's id.
    Text(String),
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// To the field at a slot.
    Field(u16),
    /// To the element with a key.
    Key(Key),
}

/// A `&'static` [`StaticPath`], checked while compiling:
/// `path!(VirtualMachine, "runtime.powerState")`.
#[macro_export]
macro_rules! path {
    ($root:ident, $text:literal) => {
        const { &$crate::schema::StaticPath::new($crate::schema::ty::$root, $text) }
    };
}
