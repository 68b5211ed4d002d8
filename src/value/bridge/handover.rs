//! How a [`Value`] passes through serde unchanged.
//!
//! Serde knows no way to hand an object of one's own from a deserializer to
//! the type that asks for it. Here the type asks for a newtype of a secret
//! name; a deserializer or serializer of this bridge knows the name and hands
//! the value over beside serde, in a slot that is empty before and after. Any
//! other format does not know the name, finds no value and reports an error.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{self, Serialize, Serializer};

use crate::value::{Array, DateTime, EnumValue, MoRef, Object, Value};

/// The name that types ask by.
pub(super) const TOKEN: &str = "$vimsim::value::Value";

thread_local! {
    static SLOT: Cell<Option<Value>> = const { Cell::new(None) };
}

/// Hands `value` to the type behind `visitor`, which asked for it.
pub(super) fn give<'de, V: Visitor<'de>, E: de::Error>(
    value: Value,
    visitor: V,
) -> Result<V::Value, E> {
    SLOT.set(Some(value));
    let given = visitor.visit_unit();
    SLOT.set(None);
    given
}

/// The value that was offered together with the name.
pub(super) fn take() -> Option<Value> {
    SLOT.take()
}

struct Asking;

impl Visitor<'_> for Asking {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the schema")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        take().ok_or_else(|| E::custom("a value of the schema is read from another one only"))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TOKEN, Asking)
    }
}

/// Stands in serde's hands for the value that is in the slot.
struct Offered;

impl Serialize for Offered {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        drop(take());
        Err(ser::Error::custom("a value of the schema is written into another one only"))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SLOT.set(Some(self.clone()));
        serializer.serialize_newtype_struct(TOKEN, &Offered)
    }
}

macro_rules! through_value {
    ($($type:ident by $variant:ident, $name:literal;)+) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match Value::deserialize(deserializer)? {
                    Value::$variant(value) => Ok(value),
                    other => Err(de::Error::custom(format_args!(
                        concat!("{} is no ", $name), other.ty(),
                    ))),
                }
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Value::$variant(self.clone()).serialize(serializer)
            }
        }
    )+};
}

through_value! {
    Object by Object, "data object";
    Array by Array, "array";
    MoRef by Ref, "reference";
    EnumValue by Enum, "member of an enumeration";
    DateTime by DateTime, "dateTime";
}
