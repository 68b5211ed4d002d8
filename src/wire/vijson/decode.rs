//! Reading JSON: values by the type that the place declares and the type that
//! `_typeName` names.
//!
//! serde_json does the lexing and says where reading stands; what may stand
//! there is the schema's, so every value is read by a seed that knows the
//! declared type. Fields in the making live on one stack that all nested objects
//! share, so an object costs one allocation, its own. An object is read as it
//! comes when its type is known by then; only where a derived type may still be
//! named after some fields, it is put aside first (`buffer`).

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::buffer::{self, TYPE_NAME};
use super::context::{Context, Limits};
use super::error::{DecodeError, Problem, Step};
use super::names::{Key, Name, TypeName, find};
use crate::object;
use crate::schema::{Field, Kind, Method, Primitive, Type, Version, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::wire::scalar;
use crate::wire::soap::decode::is_demanded;

/// The name of the field that has the content of a box.
const VALUE: &str = "_value";

/// The name of the field that has a fault's message.
const MESSAGE: &str = "faultstring";

/// Reads the arguments of a call of `method` by a client of `version`, one for
/// each of [`Method::params`]. No body at all is no arguments.
pub fn decode_arguments(
    method: Method,
    body: &[u8],
    version: Version,
    limits: Limits,
) -> Result<Box<[Option<Value>]>, DecodeError> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let mut cx = Context::new(version, limits);
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = Arguments { cx: &mut cx, method }.deserialize(&mut json);
    match read.and_then(|()| json.end()) {
        Ok(()) => Ok(std::mem::take(&mut cx.slots).into()),
        Err(error) => Err(cx.error(&error).of(method)),
    }
}

/// Reads a value that a place of type `declared` can hold; nothing for null.
pub fn decode_value(
    declared: Type,
    body: &[u8],
    version: Version,
    limits: Limits,
) -> Result<Option<Value>, DecodeError> {
    let mut cx = Context::new(version, limits);
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = Place { cx: &mut cx, declared }.deserialize(&mut json);
    read.and_then(|value| json.end().map(|()| value)).map_err(|error| cx.error(&error))
}

/// The arguments of a call, which are left on the stack of slots.
struct Arguments<'c> {
    cx: &'c mut Context,
    method: Method,
}

impl<'de> DeserializeSeed<'de> for Arguments<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Arguments<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the arguments of {}", self.method)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { cx, method } = self;
        let params = method.params();
        members(cx, &mut map, &Owner::Method(method), None)?;
        let missing = params
            .iter()
            .zip(&cx.slots)
            .find(|(param, value)| value.is_none() && is_demanded(**param, cx.version));
        match missing {
            Some((param, _)) => Err(cx.fail(Problem::MissingParameter(param.name()))),
            None => Ok(()),
        }
    }
}

/// A place for one value.
struct Place<'c> {
    cx: &'c mut Context,
    declared: Type,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Value>, D::Error> {
        self.cx.count()?;
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.declared.name())
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Option<Value>, E> {
        match self.declared.kind() {
            Kind::Primitive(Primitive::Boolean) => Ok(Some(Value::Boolean(value))),
            _ => Err(self.cx.scalar("a truth value", self.declared)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<Value>, E> {
        self.cx.integer(i128::from(value), self.declared)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<Value>, E> {
        self.cx.integer(i128::from(value), self.declared)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<Value>, E> {
        match self.declared.kind() {
            Kind::Primitive(Primitive::Float) => Ok(Some(Value::Float(value as f32))),
            Kind::Primitive(Primitive::Double) => Ok(Some(Value::Double(value))),
            Kind::Primitive(
                Primitive::Byte | Primitive::Short | Primitive::Int | Primitive::Long,
            ) => Err(self.cx.invalid(&value.to_string(), self.declared)),
            _ => Err(self.cx.scalar("a number", self.declared)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<Value>, E> {
        self.cx.text(text, self.declared)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Option<Value>, A::Error> {
        Err(self.cx.scalar("an array", self.declared))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        let Self { cx, declared } = self;
        match map.next_key_seed(Name)? {
            Some(name) if name == TYPE_NAME => {
                let named = TypeName { cx: &mut *cx, declared };
                let actual =
                    map.next_value_seed(named).map_err(cx.within(Step::Field(TYPE_NAME)))?;
                let value = typed(cx, map, actual, None)?;
                Ok(Some(if declared == ty::LocalizedMethodFault {
                    localized(value)
                } else {
                    value
                }))
            }
            Some(name) if is_open(declared) => {
                let entries = buffer::read(&mut map, name)?;
                let has_type = entries.first().is_some_and(|(name, _)| name == TYPE_NAME);
                let map = MapDeserializer::<_, serde_json::Error>::new(entries.into_iter());
                let read = if has_type {
                    Place { cx, declared }.visit_map(map)
                } else if declared == ty::ANY {
                    return Err(cx.fail(Problem::Untyped));
                } else {
                    typed(cx, map, declared, None).map(Some)
                };
                read.map_err(|error| buffer::carry(&error))
            }
            first => match declared.kind() {
                Kind::Data | Kind::Managed => typed(cx, map, declared, first).map(Some),
                Kind::Primitive(Primitive::Any) => Err(cx.fail(Problem::Untyped)),
                _ => Err(cx.mismatch("an object", declared)),
            },
        }
    }
}

/// Whether an object in a place of this type can be of another one.
fn is_open(declared: Type) -> bool {
    match declared.kind() {
        Kind::Primitive(Primitive::Any) => true,
        Kind::Data => declared.derived().nth(1).is_some() || declared == ty::LocalizedMethodFault,
        _ => false,
    }
}

/// Reads the rest of an object of type `actual`; `first` is its first name, if
/// that is read already.
fn typed<'de, A: MapAccess<'de>>(
    cx: &mut Context,
    mut map: A,
    actual: Type,
    first: Option<String>,
) -> Result<Value, A::Error> {
    match actual.kind() {
        Kind::Data => object(cx, &mut map, actual, first),
        Kind::Managed => reference(cx, map, actual, first),
        Kind::Primitive(_) | Kind::Enum | Kind::Array => unboxed(cx, map, actual),
    }
}

/// Reads the content of a box.
fn unboxed<'de, A: MapAccess<'de>>(
    cx: &mut Context,
    mut map: A,
    actual: Type,
) -> Result<Value, A::Error> {
    match map.next_key_seed(Name)? {
        Some(name) if name == VALUE => {}
        Some(name) => return Err(cx.fail(unexpected(&name, actual.name()))),
        None => return Err(cx.fail(Problem::NoValue(actual.name()))),
    }
    let value = match actual.element() {
        Some(element) => {
            let is_fault = element == ty::MethodFault;
            let element = if is_fault { ty::LocalizedMethodFault } else { element };
            let items = Items { cx: &mut *cx, element };
            map.next_value_seed(items).map(|array| array.map(Value::Array))
        }
        None => map.next_value_seed(Place { cx: &mut *cx, declared: actual }),
    };
    let value = value.map_err(cx.within(Step::Field(VALUE)))?;
    if let Some(name) = map.next_key_seed(Name)? {
        return Err(cx.fail(unexpected(&name, actual.name())));
    }
    value.ok_or_else(|| cx.fail(Problem::NoValue(actual.name())))
}

/// Reads a reference that a place of type `declared` can hold; it may be boxed.
fn reference<'de, A: MapAccess<'de>>(
    cx: &mut Context,
    mut map: A,
    declared: Type,
    mut first: Option<String>,
) -> Result<Value, A::Error> {
    let (mut kind, mut id) = (None, None);
    loop {
        let name = match first.take() {
            Some(name) => name,
            None => match map.next_key_seed(Name)? {
                Some(name) => name,
                None => break,
            },
        };
        let (place, step) = match name.as_str() {
            "type" => (&mut kind, "type"),
            "value" => (&mut id, "value"),
            VALUE if kind.is_none() && id.is_none() => {
                let inner = Place { cx: &mut *cx, declared };
                let inner = map.next_value_seed(inner).map_err(cx.within(Step::Field(VALUE)))?;
                if let Some(name) = map.next_key_seed(Name)? {
                    return Err(cx.fail(unexpected(&name, "ManagedObjectReference")));
                }
                return inner.ok_or_else(|| cx.fail(Problem::NoValue("ManagedObjectReference")));
            }
            TYPE_NAME => {
                let named = TypeName { cx: &mut *cx, declared };
                map.next_value_seed(named).map_err(cx.within(Step::Field(TYPE_NAME)))?;
                continue;
            }
            _ => return Err(cx.fail(unexpected(&name, "ManagedObjectReference"))),
        };
        if place.is_some() {
            return Err(cx.fail(Problem::Twice(name)));
        }
        let text = Place { cx: &mut *cx, declared: ty::STRING };
        *place = map.next_value_seed(text).map_err(cx.within(Step::Field(step)))?;
    }
    let actual = match kind.as_ref().and_then(Value::as_str) {
        None => declared,
        Some(name) => match Type::by_name(name).filter(|named| named.kind() == Kind::Managed) {
            Some(named) if named.is_a(declared) => named,
            Some(named) => {
                let (found, expected) = (named.name(), declared.name());
                return Err(cx.fail(Problem::TypeMismatch { found, expected }));
            }
            None => return Err(cx.fail(Problem::UnknownType(name.to_owned()))),
        },
    };
    match id.as_ref().and_then(Value::as_str) {
        Some(id) => Ok(Value::Ref(MoRef::new(actual, scalar::trim(id)))),
        None => {
            let (property, ty) = ("value", "ManagedObjectReference");
            Err(cx.fail(Problem::MissingProperty { property, ty }))
        }
    }
}

fn object<'de, A: MapAccess<'de>>(
    cx: &mut Context,
    map: &mut A,
    ty: Type,
    first: Option<String>,
) -> Result<Value, A::Error> {
    let base = cx.slots.len();
    let message = members(cx, map, &Owner::Data(ty), first)?;
    let set = cx.slots.get(base..).unwrap_or_default();
    let missing = ty
        .fields()
        .iter()
        .zip(set)
        .find(|(field, value)| value.is_none() && is_demanded(**field, cx.version));
    if let Some((field, _)) = missing {
        let problem = Problem::MissingProperty { property: field.name(), ty: ty.name() };
        return Err(cx.fail(problem));
    }
    let object = Object::from_slots(ty, cx.slots.drain(base..));
    Ok(match message {
        Some(message) => {
            object!(LocalizedMethodFault { fault: object, localizedMessage: message }).into()
        }
        None => object.into(),
    })
}

/// A fault for a place that holds it with its message, which it may not have.
fn localized(value: Value) -> Value {
    match value {
        Value::Object(fault) if fault.ty().is_a(ty::MethodFault) => {
            object!(LocalizedMethodFault { fault: fault }).into()
        }
        other => other,
    }
}

/// The name of a method in that of its request's type.
pub(super) fn plain(method: Method) -> &'static str {
    method.name().strip_suffix("_Task").unwrap_or(method.name())
}

/// What has members: a data object, or a call.
enum Owner {
    Data(Type),
    Method(Method),
}

impl Owner {
    fn fields(&self) -> &'static [Field] {
        match self {
            Self::Data(ty) => ty.fields(),
            Self::Method(method) => method.params(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Data(ty) => ty.name(),
            Self::Method(method) => method.name(),
        }
    }

    fn is_fault(&self) -> bool {
        matches!(self, Self::Data(ty) if ty.is_a(ty::MethodFault))
    }

    /// Whether `name` is what the owner's `_typeName` may be.
    fn is_called(&self, name: &str) -> bool {
        match self {
            Self::Data(ty) => ty.name() == name,
            Self::Method(method) => {
                name.strip_suffix("RequestType").is_some_and(|of| of == plain(*method))
            }
        }
    }
}

/// Reads the rest of an object, and leaves one slot for each field of its owner
/// on the stack. What is left over is a fault's message.
fn members<'de, A: MapAccess<'de>>(
    cx: &mut Context,
    map: &mut A,
    owner: &Owner,
    mut first: Option<String>,
) -> Result<Option<Value>, A::Error> {
    let fields = owner.fields();
    cx.fields += fields.len();
    if cx.fields > cx.limits.fields {
        return Err(cx.fail(Problem::Limit("fields")));
    }
    let base = cx.slots.len();
    cx.slots.resize_with(base + fields.len(), || None);
    let (mut expected, mut message) = (0, None);
    loop {
        let key = match first.take() {
            Some(name) => Some(find(fields, expected, &name).ok_or(name)),
            None => map.next_key_seed(Key { fields, expected })?,
        };
        let (slot, field) = match key {
            None => return Ok(message),
            Some(Ok(found)) => found,
            Some(Err(name)) if name == MESSAGE && owner.is_fault() => {
                let text = Place { cx: &mut *cx, declared: ty::STRING };
                message = map.next_value_seed(text).map_err(cx.within(Step::Field(MESSAGE)))?;
                continue;
            }
            Some(Err(name)) if name == TYPE_NAME => {
                let own: String = map.next_value()?;
                if !owner.is_called(&own) {
                    let found = Type::by_name(&own).map(Type::name);
                    let expected = owner.name();
                    return Err(cx.fail(match found {
                        Some(found) => Problem::TypeMismatch { found, expected },
                        None => Problem::UnknownType(own),
                    }));
                }
                continue;
            }
            Some(Err(name)) => return Err(cx.fail(unexpected(&name, owner.name()))),
        };
        if cx.slots.get(base + slot).is_some_and(Option::is_some) {
            return Err(cx.fail(Problem::Twice(field.name().to_owned())));
        }
        let value = if field.is_array() {
            // As in SOAP, there is no difference between an empty array and none.
            let items = Items { cx: &mut *cx, element: field.ty() };
            let array = map.next_value_seed(items);
            array.map(|array| array.filter(|array| !array.is_empty()).map(Value::Array))
        } else {
            map.next_value_seed(Place { cx: &mut *cx, declared: field.ty() })
        };
        let value = value.map_err(cx.within(Step::Field(field.name())))?;
        if let Some(stored) = cx.slots.get_mut(base + slot) {
            *stored = value;
        }
        expected = slot + 1;
    }
}

fn unexpected(name: &str, owner: &'static str) -> Problem {
    let property = name.chars().take(64).collect();
    Problem::Unexpected { property, owner }
}

/// An array; nothing for null.
struct Items<'c> {
    cx: &'c mut Context,
    element: Type,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Option<Array>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Array>, D::Error> {
        self.cx.count()?;
        json.deserialize_any(self)
    }
}

impl Items<'_> {
    fn refuse<E: Error>(self, found: &'static str) -> E {
        let array = self.element.array().unwrap_or(ty::ArrayOfAnyType);
        self.cx.mismatch(found, array)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Option<Array>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {}", self.element)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Array>, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<Array>, E> {
        Err(self.refuse("a truth value"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Option<Array>, E> {
        Err(self.refuse("a number"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Option<Array>, E> {
        Err(self.refuse("a number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Option<Array>, E> {
        Err(self.refuse("a number"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Option<Array>, E> {
        Err(self.refuse("a text"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Option<Array>, A::Error> {
        Err(self.refuse("an object"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<Array>, A::Error> {
        let Self { cx, element } = self;
        let start = cx.items.len();
        loop {
            let index = cx.items.len() - start;
            let item = seq.next_element_seed(Place { cx: &mut *cx, declared: element });
            match item.map_err(cx.within(Step::Item(index)))? {
                None => break,
                Some(Some(value)) => cx.items.push(value),
                Some(None) => {
                    let error = cx.mismatch("null", element);
                    return Err(cx.within(Step::Item(index))(error));
                }
            }
        }
        Ok(Some(Array::from_items(element, cx.items.drain(start..))))
    }
}
