//! [`Field`]: a field of a data object, a property of a managed object, a parameter or a result.

use std::fmt;

use super::tables::{self, FIELDS, Row};
use super::{Type, Version};

/// A data field, a property, a parameter or a result. An inherited field is the same `Field` in every
/// type that has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field(pub(super) u16);

const ARRAY: u8 = 1;
const OPTIONAL: u8 = 1 << 1;
const SECRET: u8 = 1 << 2;
const LINK: u8 = 1 << 3;
const LINKABLE: u8 = 1 << 4;

impl Field {
    const fn row(self) -> Row {
        FIELDS.row(self.0)
    }

    const fn has(self, flag: u8) -> bool {
        self.row().u8(5) & flag != 0
    }

    /// The element name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        let row = self.row();
        tables::text(row.u32(0) + 1, row.u8(4) as usize)
    }

    /// The opening tag, `<name>`.
    #[must_use]
    pub const fn open(self) -> &'static str {
        let row = self.row();
        tables::text(row.u32(0), row.u8(4) as usize + 2)
    }

    /// The closing tag, `</name>`.
    #[must_use]
    pub const fn close(self) -> &'static str {
        let row = self.row();
        let len = row.u8(4) as usize;
        tables::text(row.u32(0) + len + 2, len + 3)
    }

    /// The type of the value, or of one element of an array. A reference has the managed type that it
    /// refers to.
    #[must_use]
    pub const fn ty(self) -> Type {
        Type(self.row().u16(6))
    }

    /// Whether the value is an array.
    #[must_use]
    pub const fn is_array(self) -> bool {
        self.has(ARRAY)
    }

    /// Whether the value may be absent.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        self.has(OPTIONAL)
    }

    /// The version that introduced the field, never before its owner's.
    #[must_use]
    pub const fn since(self) -> Version {
        Version(self.row().u8(12))
    }

    /// The privilege that reading the property, or passing the parameter, needs.
    #[must_use]
    pub fn privilege(self) -> Option<&'static str> {
        let number = self.row().u16_or_none(8)?;
        tables::PRIVILEGES.get(usize::from(number)).copied()
    }

    /// Whether the value must not be shown, in logs for example.
    #[must_use]
    pub fn is_secret(self) -> bool {
        self.has(SECRET)
    }

    /// Whether the text is a link to an object that has a linkable field.
    #[must_use]
    pub fn is_link(self) -> bool {
        self.has(LINK)
    }

    /// Whether links may refer to the object by this field.
    #[must_use]
    pub fn is_linkable(self) -> bool {
        self.has(LINKABLE)
    }

    /// The fault type that a field holding a fault is limited to.
    #[must_use]
    pub fn fault(self) -> Option<Type> {
        self.row().u16_or_none(10).map(Type)
    }

    /// The field's number; it may change with the schema.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let array = if self.is_array() { "[]" } else { "" };
        let optional = if self.is_optional() { "?" } else { "" };
        write!(f, "{}{optional}: {}{array}", self.name(), self.ty())
    }
}
