//! [`Type`]: a data object, enumeration, managed object, array or scalar of the schema.

use std::fmt;

use super::tables::{self, TYPES};
use super::{Field, Method, Namespace, Version};

/// A type of the schema.
///
/// Types are numbered in preorder of inheritance, so [`is_a`](Type::is_a) compares numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Type(pub(super) u16);

/// What a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A scalar of XSD.
    Primitive(Primitive),
    /// An enumeration: text out of a fixed list.
    Enum,
    /// A data object: fields in a fixed order.
    Data,
    /// A managed object; a value of it is a reference.
    Managed,
    /// An `ArrayOf…` type, which names arrays where the declared type is `anyType`.
    Array,
}

/// The scalars of XSD that the schema uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// `xsd:boolean`
    Boolean,
    /// `xsd:byte`
    Byte,
    /// `xsd:short`
    Short,
    /// `xsd:int`
    Int,
    /// `xsd:long`
    Long,
    /// `xsd:float`
    Float,
    /// `xsd:double`
    Double,
    /// `xsd:string`
    String,
    /// `xsd:anyURI`
    Uri,
    /// `xsd:dateTime`
    DateTime,
    /// `xsd:base64Binary`
    Binary,
    /// `xsd:anyType`
    Any,
}

/// In the order of their numbers, which is that of the build script's list.
const PRIMITIVES: [Primitive; tables::FIRST_ENUM as usize] = [
    Primitive::Boolean,
    Primitive::Byte,
    Primitive::Short,
    Primitive::Int,
    Primitive::Long,
    Primitive::Float,
    Primitive::Double,
    Primitive::String,
    Primitive::Uri,
    Primitive::DateTime,
    Primitive::Binary,
    Primitive::Any,
];

impl Type {
    /// The name in WSDL and in `xsi:type`: `TaskInfo`, `string`, `ArrayOfInt`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        let row = TYPES.row(self.0);
        tables::text(row.u32(0), row.u16(4) as usize)
    }

    /// The VMODL name: `vim.TaskInfo`; of a scalar the plain name, of an array the element's with `[]`.
    #[must_use]
    pub const fn vmodl(self) -> &'static str {
        let row = TYPES.row(self.0);
        tables::text(row.u32(8), row.u16(6) as usize)
    }

    /// What the type is.
    #[must_use]
    #[allow(clippy::indexing_slicing, reason = "there are as many scalars as numbers below")]
    pub const fn kind(self) -> Kind {
        match self.0 {
            ..tables::FIRST_ENUM => Kind::Primitive(PRIMITIVES[self.0 as usize]),
            tables::FIRST_ENUM..tables::FIRST_DATA => Kind::Enum,
            tables::FIRST_DATA..tables::FIRST_MANAGED => Kind::Data,
            tables::FIRST_MANAGED..tables::FIRST_ARRAY => Kind::Managed,
            _ => Kind::Array,
        }
    }

    /// The type that this one extends.
    #[must_use]
    pub fn base(self) -> Option<Type> {
        TYPES.row(self.0).u16_or_none(12).map(Type)
    }

    /// Whether this is `ancestor` or derived from it.
    #[must_use]
    pub const fn is_a(self, ancestor: Type) -> bool {
        ancestor.0 <= self.0 && self.0 <= ancestor.last()
    }

    const fn last(self) -> u16 {
        TYPES.row(self.0).u16(14)
    }

    /// The version that introduced the type.
    #[must_use]
    pub const fn since(self) -> Version {
        Version(TYPES.row(self.0).u8(28))
    }

    /// This type, or the nearest one in its line of bases that `version` has.
    #[must_use]
    pub fn known_to(self, version: Version) -> Type {
        let mut known = self;
        while known.since() > version
            && let Some(base) = known.base()
        {
            known = base;
        }
        known
    }

    /// The XML namespace of the type.
    #[must_use]
    pub fn namespace(self) -> Namespace {
        Namespace::from_number(TYPES.row(self.0).u8(29))
    }

    const fn is_composite(self) -> bool {
        tables::FIRST_DATA <= self.0 && self.0 < tables::FIRST_ARRAY
    }

    /// All fields of a data object or properties of a managed object, inherited ones first, in the order
    /// of declaration; a slot is an index into this list. Empty for other kinds.
    #[must_use]
    pub const fn fields(self) -> &'static [Field] {
        if !self.is_composite() {
            return &[];
        }
        let row = TYPES.row(self.0);
        tables::field_list(row.u32(16), row.u16(20) as usize)
    }

    /// The field called `name`, with its slot.
    #[must_use]
    pub fn field(self, name: &str) -> Option<(usize, Field)> {
        let mut fields = self.fields().iter().copied().enumerate();
        fields.find(|(_, field)| field.name() == name)
    }

    /// The slot of the field called `name`. For names written in code: in a constant, a mistyped name
    /// does not compile.
    ///
    /// # Panics
    /// When the type has no such field.
    #[must_use]
    #[allow(clippy::panic, reason = "meant to fail in constants")]
    pub const fn slot(self, name: &str) -> usize {
        match tables::position(self.fields(), name.as_bytes()) {
            Some(slot) => slot,
            None => panic!("the type has no field of this name"),
        }
    }

    /// The slot of the field that names an element of this type in a property path, as
    /// `device[4000]` does by `key`. `None` when elements have no key.
    #[must_use]
    pub const fn key_slot(self) -> Option<usize> {
        match TYPES.row(self.0).u16_or_none(30) {
            Some(slot) => Some(slot as usize),
            None => None,
        }
    }

    /// The methods of a managed object: its own, then the inherited ones from base to base.
    pub fn methods(self) -> impl Iterator<Item = Method> {
        std::iter::successors(Some(self), |ty| ty.base()).flat_map(|ty| {
            let row = TYPES.row(ty.0);
            let (first, count) = (row.u16(24), row.u16(26));
            (first..first + count).map(Method)
        })
    }

    /// The values of an enumeration. Empty for other kinds.
    #[must_use]
    pub const fn enum_values(self) -> &'static [&'static str] {
        if !matches!(self.kind(), Kind::Enum) {
            return &[];
        }
        let row = TYPES.row(self.0);
        tables::value_list(row.u32(16), row.u16(20) as usize)
    }

    /// The index of `text` among the values of an enumeration.
    #[must_use]
    pub fn enum_value(self, text: &str) -> Option<u16> {
        let at = self.enum_values().iter().position(|value| *value == text)?;
        u16::try_from(at).ok()
    }

    /// Like [`enum_value`](Type::enum_value), for values written in code: in a constant, a mistyped
    /// value does not compile.
    ///
    /// # Panics
    /// When the type has no such value.
    #[must_use]
    #[allow(clippy::panic, clippy::indexing_slicing, reason = "meant to fail in constants")]
    pub const fn enum_index(self, text: &str) -> u16 {
        let values = self.enum_values();
        let mut index = 0;
        while (index as usize) < values.len() {
            if tables::same(values[index as usize].as_bytes(), text.as_bytes()) {
                return index;
            }
            index += 1;
        }
        panic!("the enumeration has no such value")
    }

    /// The element type of an `ArrayOf…` type; of all references, the root of managed objects.
    #[must_use]
    pub fn element(self) -> Option<Type> {
        if self.0 < tables::FIRST_ARRAY {
            return None;
        }
        TYPES.row(self.0).u16_or_none(22).map(Type)
    }

    /// The `ArrayOf…` type of this type. Managed objects share `ArrayOfManagedObjectReference`.
    #[must_use]
    pub fn array(self) -> Option<Type> {
        if self.0 >= tables::FIRST_ARRAY {
            return None;
        }
        TYPES.row(self.0).u16_or_none(22).map(Type)
    }

    /// The type with this WSDL name. `ManagedObjectReference` is the root of managed objects.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Type> {
        tables::BY_NAME
            .find(name, |number| Type(number).name() == name)
            .map(Type)
            .or_else(|| (name == REFERENCE).then_some(super::ty::ManagedObject))
    }

    /// The type with this VMODL name.
    #[must_use]
    pub fn by_vmodl(name: &str) -> Option<Type> {
        tables::BY_VMODL.find(name, |number| Type(number).vmodl() == name).map(Type)
    }

    /// All types.
    pub fn all() -> impl Iterator<Item = Type> {
        (0..tables::TYPE_COUNT).map(Type)
    }

    /// This type and everything derived from it.
    pub fn derived(self) -> impl Iterator<Item = Type> {
        (self.0..=self.last()).map(Type)
    }

    /// The type's number, below [`COUNT`](Type::COUNT); it may change with the schema.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// How many types there are.
    pub const COUNT: usize = tables::TYPE_COUNT as usize;
}

/// What references are called on the wire, whatever they refer to.
const REFERENCE: &str = "ManagedObjectReference";

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
