//! What instances of schema types look like.
//!
//! A [`Value`] is two words wide: scalars are held in place, everything larger
//! is one thin pointer to something immutable and shared. Copying a value is
//! therefore cheap, an untouched subtree is the same allocation in the old and
//! the new state, and comparing two versions of a state starts with comparing
//! pointers.
//!
//! - [`moref`]: references to managed objects
//! - [`object`], [`mod@array`]: data objects and arrays, and how one is made
//! - [`datetime`]: points in time, with their text form
//! - [`access`]: reading and replacing by property path
//! - [`diff`]: what changed between two values
//! - [`bridge`]: serde in both directions, for typed views

pub mod access;
pub mod array;
pub mod bridge;
pub mod datetime;
pub mod diff;
mod long;
mod macros;
pub mod moref;
pub mod object;
pub mod slot;

pub use arcstr::ArcStr as Str;
pub use array::Array;
pub use datetime::DateTime;
pub use long::Items;
pub use moref::MoRef;
pub use object::{Object, ObjectBuilder, Rejected};
pub use slot::IntoSlot;

use crate::schema::{Kind, Primitive, Type, ty};

/// One instance of a schema type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `xsd:boolean`.
    Boolean(bool),
    /// `xsd:byte`.
    Byte(i8),
    /// `xsd:short`.
    Short(i16),
    /// `xsd:int`.
    Int(i32),
    /// `xsd:long`.
    Long(i64),
    /// `xsd:float`.
    Float(f32),
    /// `xsd:double`.
    Double(f64),
    /// `xsd:string`, `xsd:anyURI` and the schema's named strings.
    String(Str),
    /// `xsd:dateTime`.
    DateTime(DateTime),
    /// `xsd:base64Binary`.
    Binary(Binary),
    /// A member of a schema enumeration.
    Enum(EnumValue),
    /// A reference to a managed object.
    Ref(MoRef),
    /// A data object.
    Object(Object),
    /// An array, which knows the type of its elements.
    Array(Array),
}

/// A member of a schema enumeration: a type and a position in its list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnumValue {
    ty: Type,
    index: u16,
}

impl EnumValue {
    /// The member of `ty` at `index`; see [`crate::enum_value!`] for the checked way.
    pub const fn new(ty: Type, index: u16) -> Self {
        Self { ty, index }
    }

    /// The member of `ty` that is written as `text`.
    pub fn parse(ty: Type, text: &str) -> Option<Self> {
        ty.enum_value(text).map(|index| Self { ty, index })
    }

    /// The enumeration.
    pub const fn ty(self) -> Type {
        self.ty
    }

    /// How the member is written.
    pub fn as_str(self) -> &'static str {
        self.ty.enum_values().get(usize::from(self.index)).copied().unwrap_or_default()
    }
}

impl std::fmt::Debug for EnumValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::{}", self.ty.name(), self.as_str())
    }
}

/// Shared bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary(triomphe::ThinArc<(), u8>);

impl Binary {
    /// Copies `bytes` into a shared allocation.
    pub fn new(bytes: &[u8]) -> Self {
        Self(triomphe::ThinArc::from_header_and_slice((), bytes))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0.slice
    }
}

impl Value {
    /// The concrete type of this value; for arrays the `ArrayOf` type.
    pub fn ty(&self) -> Type {
        match self {
            Self::Boolean(_) => ty::BOOLEAN,
            Self::Byte(_) => ty::BYTE,
            Self::Short(_) => ty::SHORT,
            Self::Int(_) => ty::INT,
            Self::Long(_) => ty::LONG,
            Self::Float(_) => ty::FLOAT,
            Self::Double(_) => ty::DOUBLE,
            Self::String(_) => ty::STRING,
            Self::DateTime(_) => ty::DATE_TIME,
            Self::Binary(_) => ty::BINARY,
            Self::Enum(value) => value.ty,
            Self::Ref(mo) => mo.ty(),
            Self::Object(object) => object.ty(),
            Self::Array(array) => array.ty(),
        }
    }

    /// Whether a place of (element) type `ty` may hold this value.
    pub fn is_a(&self, ty: Type) -> bool {
        match ty.kind() {
            Kind::Primitive(Primitive::Any) => true,
            Kind::Primitive(Primitive::String | Primitive::Uri) => {
                matches!(self, Self::String(_))
            }
            Kind::Primitive(_) => self.ty() == ty,
            Kind::Enum => matches!(self, Self::Enum(value) if value.ty == ty),
            Kind::Data => matches!(self, Self::Object(object) if object.ty().is_a(ty)),
            Kind::Managed => matches!(self, Self::Ref(mo) if mo.ty().is_a(ty)),
            Kind::Array => matches!(self, Self::Array(array) if array.ty() == ty),
        }
    }

    /// The text, if this is a string or an enumeration's member.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Enum(value) => Some(value.as_str()),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(value) = self { Some(*value) } else { None }
    }

    /// The number, if this is an integer of any width.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Byte(value) => Some(i64::from(*value)),
            Self::Short(value) => Some(i64::from(*value)),
            Self::Int(value) => Some(i64::from(*value)),
            Self::Long(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if this is an integer that fits.
    pub fn as_i32(&self) -> Option<i32> {
        self.as_i64().and_then(|value| i32::try_from(value).ok())
    }

    /// The point in time, if this is one.
    pub fn as_date_time(&self) -> Option<DateTime> {
        if let Self::DateTime(value) = self { Some(*value) } else { None }
    }

    /// The reference, if this is one.
    pub fn as_moref(&self) -> Option<&MoRef> {
        if let Self::Ref(mo) = self { Some(mo) } else { None }
    }

    /// The data object, if this is one.
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The array, if this is one.
    pub fn as_array(&self) -> Option<&Array> {
        if let Self::Array(array) = self { Some(array) } else { None }
    }

    /// The elements, if this is an array; nothing otherwise.
    pub fn items(&self) -> &[Value] {
        self.as_array().map_or(&[], Array::items)
    }

    /// The elements one after the other, if this is an array; nothing otherwise.
    pub fn elements(&self) -> Items<'_> {
        self.as_array().map_or_else(|| Items::of(&[]), Array::iter)
    }

    /// The references in an array of references; nothing for other values.
    pub fn morefs(&self) -> impl Iterator<Item = &MoRef> {
        self.elements().filter_map(Self::as_moref)
    }

    /// Whether both are the same allocation or the same scalar: true means
    /// equal, false means that a closer look is needed.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(a), Self::Object(b)) => a.same(b),
            (Self::Array(a), Self::Array(b)) => a.same(b),
            (Self::String(a), Self::String(b)) => Str::ptr_eq(a, b) || a == b,
            (Self::Binary(a), Self::Binary(b)) => a == b,
            (Self::Object(_) | Self::Array(_), _) => false,
            _ => self == other,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Long(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(Str::from(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(Str::from(value))
    }
}

impl From<Str> for Value {
    fn from(value: Str) -> Self {
        Self::String(value)
    }
}

impl From<DateTime> for Value {
    fn from(value: DateTime) -> Self {
        Self::DateTime(value)
    }
}

impl From<EnumValue> for Value {
    fn from(value: EnumValue) -> Self {
        Self::Enum(value)
    }
}

impl From<MoRef> for Value {
    fn from(value: MoRef) -> Self {
        Self::Ref(value)
    }
}

impl From<&MoRef> for Value {
    fn from(value: &MoRef) -> Self {
        Self::Ref(value.clone())
    }
}

impl From<Object> for Value {
    fn from(value: Object) -> Self {
        Self::Object(value)
    }
}

impl From<&Object> for Value {
    fn from(value: &Object) -> Self {
        Self::Object(value.clone())
    }
}

impl From<Array> for Value {
    fn from(value: Array) -> Self {
        Self::Array(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_two_words() {
        assert_eq!(size_of::<Value>(), 16);
        assert_eq!(size_of::<Option<Value>>(), 16);
    }

    #[test]
    fn values_can_cross_threads() {
        fn check<T: Send + Sync>() {}
        check::<Value>();
    }
}
