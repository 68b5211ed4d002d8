//! Values as what serde reads from.

use std::slice;

use serde::de::value::{BytesDeserializer, SeqDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::BridgeError;
use super::handover::{TOKEN, give};
use crate::schema::{Field, Type};
use crate::value::{Array, Object, Value};

/// A value to read from.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de>(&'de Value);

impl<'de> Reader<'de> {
    pub(super) fn new(value: &'de Value) -> Self {
        Self(value)
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = BridgeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        match self.0 {
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Byte(value) => visitor.visit_i8(*value),
            Value::Short(value) => visitor.visit_i16(*value),
            Value::Int(value) => visitor.visit_i32(*value),
            Value::Long(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f32(*value),
            Value::Double(value) => visitor.visit_f64(*value),
            Value::String(value) => visitor.visit_borrowed_str(value),
            Value::DateTime(value) => visitor.visit_string(value.to_string()),
            Value::Binary(value) => visitor.visit_borrowed_bytes(value.as_slice()),
            Value::Enum(value) => visitor.visit_borrowed_str(value.as_str()),
            // Only its own type may hold one: an id alone has lost its type.
            Value::Ref(_) => Err(de::Error::invalid_type(Unexpected::Other("reference"), &visitor)),
            Value::Object(value) => ObjectReader(value).deserialize_any(visitor),
            Value::Array(value) => {
                visitor.visit_seq(Items { rest: value.items().iter(), index: 0 })
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        match self.0 {
            Value::Object(value) => ObjectReader(value).deserialize_struct(name, fields, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        if name == TOKEN {
            give(self.0.clone(), visitor)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        match self.0 {
            Value::Object(value) => ObjectReader(value).deserialize_enum(name, variants, visitor),
            Value::Enum(value) => visitor.visit_enum(value.as_str().into_deserializer()),
            Value::String(value) => visitor.visit_enum(value.as_str().into_deserializer()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        match self.0 {
            Value::Binary(value) => {
                visitor.visit_seq(SeqDeserializer::new(value.as_slice().iter().copied()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        visitor.visit_unit()
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        match self.0 {
            Value::Binary(value) => {
                BytesDeserializer::new(value.as_slice()).deserialize_any(visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string byte_buf
        unit_struct tuple tuple_struct map identifier
    }
}

/// A data object to read from.
#[derive(Clone, Copy)]
pub(super) struct ObjectReader<'de>(pub(super) &'de Object);

impl<'de> Deserializer<'de> for ObjectReader<'de> {
    type Error = BridgeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        let fields = self.0.ty().fields().iter().zip(self.0.slots());
        visitor.visit_map(AllFields { fields, next: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        visitor.visit_map(NamedFields { object: self.0, names: fields.iter(), next: None })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        if name == TOKEN {
            give(Value::Object(self.0.clone()), visitor)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        let line = std::iter::successors(Some(self.0.ty()), |ty| ty.base());
        let nearest = line.map(Type::name).find(|name| variants.contains(name));
        let variant = nearest.unwrap_or_else(|| self.0.ty().name());
        visitor.visit_enum(ByType { variant, object: self.0 })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// An array field that is not set: nothing for an `Option`, else no elements.
#[derive(Clone, Copy)]
struct UnsetArray(Type);

impl<'de> Deserializer<'de> for UnsetArray {
    type Error = BridgeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        visitor.visit_seq(Items { rest: [].iter(), index: 0 })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        if name == TOKEN {
            give(Value::Array(Array::empty(self.0)), visitor)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The elements of an array.
struct Items<'de> {
    rest: slice::Iter<'de, Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = BridgeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, BridgeError> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Reader(value)).map(Some).map_err(|error| error.at_index(index))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The fields that a struct asks for, as far as there are such.
struct NamedFields<'de> {
    object: &'de Object,
    names: slice::Iter<'static, &'static str>,
    next: Option<(&'static str, Field, Option<&'de Value>)>,
}

impl<'de> MapAccess<'de> for NamedFields<'de> {
    type Error = BridgeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, BridgeError> {
        let (object, ty) = (self.object, self.object.ty());
        self.next = self.names.find_map(|name| {
            let (slot, field) = ty.field(name)?;
            let value = object.get(slot);
            (value.is_some() || field.is_array()).then_some((*name, field, value))
        });
        let Some((name, ..)) = self.next else { return Ok(None) };
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, BridgeError> {
        let Some((name, field, value)) = self.next.take() else {
            return Err(BridgeError::new("a field's value was asked for before its name"));
        };
        match value {
            Some(value) => seed.deserialize(Reader(value)),
            None => seed.deserialize(UnsetArray(field.ty())),
        }
        .map_err(|error| error.within(name))
    }
}

/// All fields that are set.
struct AllFields<'de> {
    fields: std::iter::Zip<slice::Iter<'static, Field>, slice::Iter<'de, Option<Value>>>,
    next: Option<(Field, &'de Value)>,
}

impl<'de> MapAccess<'de> for AllFields<'de> {
    type Error = BridgeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, BridgeError> {
        self.next = self.fields.find_map(|(field, value)| Some((*field, value.as_ref()?)));
        let Some((field, _)) = self.next else { return Ok(None) };
        seed.deserialize(field.name().into_deserializer()).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, BridgeError> {
        let Some((field, value)) = self.next.take() else {
            return Err(BridgeError::new("a field's value was asked for before its name"));
        };
        seed.deserialize(Reader(value)).map_err(|error| error.within(field.name()))
    }
}

/// An object where an enum asks which variant it is.
struct ByType<'de> {
    variant: &'static str,
    object: &'de Object,
}

impl<'de> EnumAccess<'de> for ByType<'de> {
    type Error = BridgeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), BridgeError> {
        let name = de::value::StrDeserializer::<BridgeError>::new(self.variant);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for ByType<'de> {
    type Error = BridgeError;

    fn unit_variant(self) -> Result<(), BridgeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, BridgeError> {
        seed.deserialize(ObjectReader(self.object))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, BridgeError> {
        ObjectReader(self.object).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        ObjectReader(self.object).deserialize_struct(self.variant, fields, visitor)
    }
}
