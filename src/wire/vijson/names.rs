//! The names in a document: of fields, and of types.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use super::context::Context;
use super::error::Problem;
use crate::schema::{Field, Kind, Primitive, Type, ty};

/// The type that a `_typeName` names, for a place of type `declared`.
pub(super) struct TypeName<'c> {
    pub(super) cx: &'c mut Context,
    pub(super) declared: Type,
}

impl<'de> DeserializeSeed<'de> for TypeName<'_> {
    type Value = Type;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Type, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for TypeName<'_> {
    type Value = Type;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a type")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Type, E> {
        let Self { cx, declared } = self;
        let Some(named) = Type::by_name(name) else {
            let name = name.chars().take(256).collect();
            return Err(cx.fail(Problem::UnknownType(name)));
        };
        narrow(named, declared).ok_or_else(|| {
            let (found, expected) = (named.name(), declared.name());
            cx.fail(Problem::TypeMismatch { found, expected })
        })
    }
}

/// The type to read when `named` is given where `declared` is; nothing if the
/// place cannot hold it.
fn narrow(named: Type, declared: Type) -> Option<Type> {
    match (declared.kind(), named.kind()) {
        (_, Kind::Primitive(Primitive::Any)) => None,
        (Kind::Primitive(Primitive::Any), _) => Some(named),
        (Kind::Primitive(Primitive::String), Kind::Primitive(Primitive::Uri)) => Some(declared),
        // A fault stands for itself, its message among its fields.
        _ if declared == ty::LocalizedMethodFault && named.is_a(ty::MethodFault) => Some(named),
        // References have one name; what they refer to is in `type`.
        (Kind::Managed, Kind::Managed) if named == ty::ManagedObject => Some(declared),
        _ => named.is_a(declared).then_some(named),
    }
}

/// The name of a field.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<String, D::Error> {
        json.deserialize_string(self)
    }
}

impl Visitor<'_> for Name {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        Ok(name.to_owned())
    }
}

/// The name of one of `fields`, or another one.
pub(super) struct Key {
    pub(super) fields: &'static [Field],
    pub(super) expected: usize,
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Result<(usize, Field), String>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Result<(usize, Field), String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(find(self.fields, self.expected, name).ok_or_else(|| name.to_owned()))
    }
}

/// The field of that name, most likely the one at `expected` or soon after.
pub(super) fn find(
    fields: &'static [Field],
    expected: usize,
    name: &str,
) -> Option<(usize, Field)> {
    let (before, after) = fields.split_at_checked(expected)?;
    let is = |(_, field): &(usize, &Field)| field.name() == name;
    let ahead = after.iter().enumerate().find(is).map(|(at, field)| (expected + at, *field));
    ahead.or_else(|| before.iter().enumerate().find(is).map(|(at, field)| (at, *field)))
}
