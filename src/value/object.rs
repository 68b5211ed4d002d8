//! Data objects, and the property sets of managed objects: a type and one slot
//! for each of its fields, in declaration order, base type first.

use std::fmt;

use thiserror::Error;
use triomphe::ThinArc;

use super::{IntoSlot, Value};
use crate::schema::{Field, Type};

/// An immutable, shared instance of a data type, or the properties of a managed object.
#[derive(Clone)]
pub struct Object(ThinArc<Type, Option<Value>>);

impl Object {
    /// An instance of `ty` without any field set.
    pub fn empty(ty: Type) -> Self {
        ObjectBuilder::new(ty).finish()
    }

    /// An instance of `ty` from what its slots hold, which was checked before.
    pub(crate) fn from_slots(
        ty: Type,
        slots: impl ExactSizeIterator<Item = Option<Value>>,
    ) -> Self {
        debug_assert_eq!(slots.len(), ty.fields().len());
        Self(ThinArc::from_header_and_iter(ty, slots))
    }

    /// The concrete type.
    pub fn ty(&self) -> Type {
        self.0.header.header
    }

    /// The value of the field at `slot`, if it is set.
    pub fn get(&self, slot: usize) -> Option<&Value> {
        self.0.slice.get(slot)?.as_ref()
    }

    /// The value of the field called `name`, if there is such a field and it is set.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.get(self.ty().field(name)?.0)
    }

    /// All slots, in the order of [`Type::fields`].
    pub fn slots(&self) -> &[Option<Value>] {
        &self.0.slice
    }

    /// The fields that are set, with their descriptions.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &Value)> {
        self.ty()
            .fields()
            .iter()
            .zip(self.slots())
            .filter_map(|(field, value)| value.as_ref().map(|value| (*field, value)))
    }

    /// Whether both are the same allocation.
    pub fn same(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.as_ptr(), other.0.as_ptr())
    }

    /// A builder that starts from this object's fields.
    pub fn edit(&self) -> ObjectBuilder {
        ObjectBuilder { ty: self.ty(), slots: self.slots().to_vec() }
    }

    /// The object with the field at `slot` replaced or unset.
    #[must_use]
    pub fn with(&self, slot: usize, value: impl IntoSlot) -> Self {
        let mut builder = self.edit();
        builder.set(slot, value);
        builder.finish()
    }

    /// The names of the required fields that are not set.
    pub fn missing(&self) -> impl Iterator<Item = Field> {
        self.ty()
            .fields()
            .iter()
            .zip(self.slots())
            .filter(|(field, value)| value.is_none() && !field.is_optional() && !field.is_array())
            .map(|(field, _)| *field)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || (self.ty() == other.ty() && self.slots() == other.slots())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(self.ty().name());
        for (field, value) in self.iter() {
            out.field(field.name(), value);
        }
        out.finish()
    }
}

/// A value that its place cannot hold; the value is handed back.
#[derive(Debug, Error)]
#[error("{ty}.{field} cannot hold {value:?}")]
pub struct Rejected {
    /// The type whose field was to be set.
    pub ty: &'static str,
    /// The field, or a number when the type has no such slot.
    pub field: String,
    /// What was to be stored.
    pub value: Value,
}

/// An object in the making.
#[derive(Debug)]
#[must_use = "the object exists after `finish`"]
pub struct ObjectBuilder {
    ty: Type,
    slots: Vec<Option<Value>>,
}

impl ObjectBuilder {
    /// Starts an instance of `ty` with no field set.
    pub fn new(ty: Type) -> Self {
        Self { ty, slots: vec![None; ty.fields().len()] }
    }

    /// The type of the object in the making.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// The value now in `slot`.
    pub fn get(&self, slot: usize) -> Option<&Value> {
        self.slots.get(slot)?.as_ref()
    }

    /// Sets or unsets the field at `slot`. A value that does not fit is a
    /// mistake in vimsim, not in its input: debug builds stop there, release
    /// builds leave the field as it was and log it.
    pub fn set(&mut self, slot: usize, value: impl IntoSlot) -> &mut Self {
        let Some(field) = self.ty.fields().get(slot) else {
            debug_assert!(false, "{} has no slot {slot}", self.ty.name());
            return self;
        };
        let value = value.into_slot(*field);
        if let Err(rejected) = self.try_set(slot, value) {
            tracing::error!(%rejected, "a value of the wrong type was not stored");
            debug_assert!(false, "{rejected}");
        }
        self
    }

    /// Sets or unsets the field at `slot` if the field can hold the value.
    pub fn try_set(&mut self, slot: usize, value: Option<Value>) -> Result<(), Box<Rejected>> {
        let place = self.ty.fields().get(slot).copied();
        match (place, self.slots.get_mut(slot), value) {
            (Some(_), Some(stored), None) => *stored = None,
            (Some(field), Some(stored), Some(value)) if fits(field, &value) => {
                *stored = Some(value);
            }
            (_, _, None) => {}
            (field, _, Some(value)) => {
                return Err(Box::new(Rejected {
                    ty: self.ty.name(),
                    field: field.map_or_else(|| slot.to_string(), |f| f.name().to_owned()),
                    value,
                }));
            }
        }
        Ok(())
    }

    /// The object.
    pub fn finish(self) -> Object {
        Object(ThinArc::from_header_and_iter(self.ty, self.slots.into_iter()))
    }
}

/// Whether `field` can hold `value`: the declared type or one derived from it,
/// an array where the field is one.
pub fn fits(field: Field, value: &Value) -> bool {
    if field.is_array() {
        match value {
            Value::Array(array) => array.all_are(field.ty()),
            _ => false,
        }
    } else {
        value.is_a(field.ty())
    }
}
