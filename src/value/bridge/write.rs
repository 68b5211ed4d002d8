//! Values as what serde writes to; the schema says what a view's parts become.

use serde::ser::{self, Impossible, Serialize, Serializer};

use super::BridgeError;
use super::handover::{TOKEN, take};
use crate::schema::{Field, Kind, Primitive, Type, ty};
use crate::value::object::fits;
use crate::value::{Array, Binary, DateTime, EnumValue, Object, ObjectBuilder, Str, Value};

type Result<T = Option<Value>> = std::result::Result<T, BridgeError>;

/// A place that a value is made for; nothing if the view leaves it unset.
#[derive(Clone, Copy)]
pub(super) struct Writer {
    declared: Type,
    is_array: bool,
}

impl Writer {
    pub(super) fn new(declared: Type) -> Self {
        Self { declared, is_array: false }
    }

    fn field(field: Field) -> Self {
        Self { declared: field.ty(), is_array: field.is_array() }
    }

    fn mismatch(self, found: &str) -> BridgeError {
        let array = if self.is_array { "an array of " } else { "" };
        BridgeError::new(format!("{found} does not fit {array}{}", self.declared))
    }

    fn primitive(self) -> Option<Primitive> {
        match self.declared.kind() {
            Kind::Primitive(primitive) if !self.is_array => Some(primitive),
            _ => None,
        }
    }

    /// Puts an integer; `any` is what it is where any type may be.
    fn integer<T>(self, number: T, any: impl FnOnce(T) -> Option<Value>) -> Result
    where
        T: Copy + std::fmt::Display + TryInto<i8> + TryInto<i16> + TryInto<i32> + TryInto<i64>,
    {
        let value = match self.primitive() {
            Some(Primitive::Byte) => number.try_into().ok().map(Value::Byte),
            Some(Primitive::Short) => number.try_into().ok().map(Value::Short),
            Some(Primitive::Int) => number.try_into().ok().map(Value::Int),
            Some(Primitive::Long) => number.try_into().ok().map(Value::Long),
            Some(Primitive::Float) => {
                number.try_into().ok().map(|number: i64| Value::Float(number as f32))
            }
            Some(Primitive::Double) => {
                number.try_into().ok().map(|number: i64| Value::Double(number as f64))
            }
            Some(Primitive::Any) => any(number),
            _ => None,
        };
        value.map(Some).ok_or_else(|| self.mismatch(&number.to_string()))
    }

    /// The type of the object that a struct called `name` becomes.
    fn object_type(self, name: &str) -> Result<Type> {
        let named = Type::by_name(name).filter(|ty| ty.kind() == Kind::Data);
        match named {
            Some(named)
                if named.is_a(self.declared) || self.primitive() == Some(Primitive::Any) =>
            {
                Ok(named)
            }
            _ if self.declared.kind() == Kind::Data && !self.is_array => Ok(self.declared),
            _ => Err(self.mismatch(name)),
        }
    }

    /// The type that an enum's variant names.
    fn variant_type(self, variant: &str) -> Result<Type> {
        let named = Type::by_name(variant).filter(|ty| ty.kind() == Kind::Data);
        let fitting = named
            .filter(|named| named.is_a(self.declared) || self.primitive() == Some(Primitive::Any));
        fitting.ok_or_else(|| self.mismatch(variant))
    }

    /// A value that comes as it is.
    fn ready(self, value: Value) -> Result {
        let value = match (value, self.declared.kind()) {
            (Value::Enum(member), Kind::Primitive(Primitive::String)) => {
                Value::String(Str::from(member.as_str()))
            }
            (Value::String(text), Kind::Enum) => return self.serialize_str(&text),
            (value, _) => value,
        };
        let fits = match &value {
            Value::Array(array) if self.is_array => array.all_are(self.declared),
            value => !self.is_array && value.is_a(self.declared),
        };
        if fits { Ok(Some(value)) } else { Err(self.mismatch(value.ty().name())) }
    }

    fn items(self, len: Option<usize>) -> Items {
        Items { place: self, items: Vec::with_capacity(len.unwrap_or(0).min(1024)) }
    }
}

impl Serializer for Writer {
    type Ok = Option<Value>;
    type Error = BridgeError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Impossible<Option<Value>, BridgeError>;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Fields;

    fn serialize_bool(self, value: bool) -> Result {
        match self.primitive() {
            Some(Primitive::Boolean | Primitive::Any) => Ok(Some(Value::Boolean(value))),
            _ => Err(self.mismatch("a boolean")),
        }
    }

    fn serialize_i8(self, value: i8) -> Result {
        self.integer(value, |value| Some(Value::Byte(value)))
    }

    fn serialize_i16(self, value: i16) -> Result {
        self.integer(value, |value| Some(Value::Short(value)))
    }

    fn serialize_i32(self, value: i32) -> Result {
        self.integer(value, |value| Some(Value::Int(value)))
    }

    fn serialize_i64(self, value: i64) -> Result {
        self.integer(value, |value| Some(Value::Long(value)))
    }

    fn serialize_u8(self, value: u8) -> Result {
        self.integer(value, |value| Some(Value::Short(value.into())))
    }

    fn serialize_u16(self, value: u16) -> Result {
        self.integer(value, |value| Some(Value::Int(value.into())))
    }

    fn serialize_u32(self, value: u32) -> Result {
        self.integer(value, |value| Some(Value::Long(value.into())))
    }

    fn serialize_u64(self, value: u64) -> Result {
        self.integer(value, |value| i64::try_from(value).ok().map(Value::Long))
    }

    fn serialize_f32(self, value: f32) -> Result {
        match self.primitive() {
            Some(Primitive::Float | Primitive::Any) => Ok(Some(Value::Float(value))),
            Some(Primitive::Double) => Ok(Some(Value::Double(value.into()))),
            _ => Err(self.mismatch("a float")),
        }
    }

    fn serialize_f64(self, value: f64) -> Result {
        match self.primitive() {
            Some(Primitive::Float) => Ok(Some(Value::Float(value as f32))),
            Some(Primitive::Double | Primitive::Any) => Ok(Some(Value::Double(value))),
            _ => Err(self.mismatch("a double")),
        }
    }

    fn serialize_char(self, value: char) -> Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result {
        let made = match (self.declared.kind(), self.is_array) {
            (Kind::Primitive(Primitive::String | Primitive::Uri | Primitive::Any), false) => {
                Some(Value::String(Str::from(value)))
            }
            (Kind::Primitive(Primitive::DateTime), false) => {
                DateTime::parse(value).ok().map(Value::DateTime)
            }
            (Kind::Enum, false) => EnumValue::parse(self.declared, value).map(Value::Enum),
            _ => None,
        };
        made.map(Some).ok_or_else(|| self.mismatch(&format!("{value:?}")))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        match self.primitive() {
            Some(Primitive::Binary | Primitive::Any) => Ok(Some(Value::Binary(Binary::new(value)))),
            _ => Err(self.mismatch("bytes")),
        }
    }

    fn serialize_none(self) -> Result {
        Ok(None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result {
        Ok(None)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result {
        ser::SerializeStruct::end(Fields::new(self.object_type(name)?))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result {
        if name == TOKEN {
            let value = take().ok_or_else(|| BridgeError::new("no value was handed over"))?;
            self.ready(value)
        } else {
            value.serialize(self)
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        value.serialize(Self::new(self.variant_type(variant)?))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items> {
        Ok(self.items(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Items> {
        Ok(self.items(Some(len)))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items> {
        Ok(self.items(Some(len)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        Err(self.mismatch(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields> {
        Ok(Fields::new(self.object_type("")?))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields> {
        Ok(Fields::new(self.object_type(name)?))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields> {
        Ok(Fields::new(self.variant_type(variant)?))
    }
}

/// An array in the making.
pub(super) struct Items {
    place: Writer,
    items: Vec<Value>,
}

impl Items {
    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
        let index = self.items.len();
        let element = match self.place.primitive() {
            // Bytes that come one by one.
            Some(Primitive::Binary) => Writer::new(ty::SHORT),
            _ => Writer::new(self.place.declared),
        };
        let made = item.serialize(element).map_err(|error| error.at_index(index))?;
        self.items.extend(made);
        Ok(())
    }

    fn finish(self) -> Result {
        if self.place.is_array {
            return Ok(Some(Value::Array(Array::new(self.place.declared, self.items))));
        }
        match self.place.primitive() {
            Some(Primitive::Binary) => {
                let bytes = self.items.iter().filter_map(Value::as_i64).map(u8::try_from);
                let bytes: std::result::Result<Vec<u8>, _> = bytes.collect();
                let bytes = bytes.map_err(|_| self.place.mismatch("a number above 255"))?;
                Ok(Some(Value::Binary(Binary::new(&bytes))))
            }
            Some(Primitive::Any) => {
                let mut types = self.items.iter().map(Value::ty);
                let first = types.next().unwrap_or(ty::ANY);
                let element = if types.all(|ty| ty == first) { first } else { ty::ANY };
                Ok(Some(Value::Array(Array::new(element, self.items))))
            }
            _ => Err(self.place.mismatch("an array")),
        }
    }
}

/// A data object in the making.
pub(super) struct Fields {
    object: ObjectBuilder,
    key: Option<String>,
}

impl Fields {
    fn new(ty: Type) -> Self {
        Self { object: ObjectBuilder::new(ty), key: None }
    }

    fn set<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        let ty = self.object.ty();
        let Some((slot, field)) = ty.field(name) else {
            return Err(BridgeError::new(format!("{ty} has no such field")).within(name));
        };
        let made = value.serialize(Writer::field(field)).map_err(|error| error.within(name))?;
        debug_assert!(made.as_ref().is_none_or(|made| fits(field, made)));
        self.object
            .try_set(slot, made)
            .map_err(|rejected| BridgeError::new(rejected.to_string()).within(name))
    }

    fn finish(self) -> Object {
        self.object.finish()
    }
}

macro_rules! items {
    ($($trait:ident :: $method:ident),+) => {$(
        impl ser::$trait for Items {
            type Ok = Option<Value>;
            type Error = BridgeError;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
                self.push(item)
            }

            fn end(self) -> Result {
                self.finish()
            }
        }
    )+};
}
items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field
);

macro_rules! fields {
    ($($trait:ident),+) => {$(
        impl ser::$trait for Fields {
            type Ok = Option<Value>;
            type Error = BridgeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<()> {
                self.set(name, value)
            }

            fn end(self) -> Result {
                Ok(Some(Value::Object(self.finish())))
            }
        }
    )+};
}
fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Fields {
    type Ok = Option<Value>;
    type Error = BridgeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        match key.serialize(Writer::new(ty::STRING))? {
            Some(Value::String(name)) => self.key = Some(name.to_string()),
            _ => return Err(BridgeError::new("a field's name is no text")),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let name = self.key.take().unwrap_or_default();
        self.set(&name, value)
    }

    fn end(self) -> Result {
        Ok(Some(Value::Object(self.finish())))
    }
}
