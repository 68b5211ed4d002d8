//! Data files: instances of schema types written as JSON and compiled into the
//! program.
//!
//! Field names are the schema's; `_typeName` says the type where it is not the
//! declared one. A text that starts with `$` stands for a value that is bound
//! when the file is loaded: `"$now"`, `"$host"`. References are `"Type:id"`.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use thiserror::Error;

use crate::fault::Fault;
use crate::schema::{Field, Kind, Primitive, Type};
use crate::value::{Array, DateTime, EnumValue, MoRef, Object, ObjectBuilder, Str, Value};

/// What is wrong in a data file, and where.
#[derive(Debug, Error)]
#[error("{place}: {problem}")]
pub struct DataError {
    place: String,
    problem: String,
}

impl DataError {
    fn new(problem: impl Into<String>) -> Self {
        Self { place: String::new(), problem: problem.into() }
    }

    /// A word that does not belong into a line of a table.
    pub(super) fn in_table(file: &str, line: i32, word: &str) -> Self {
        Self { place: format!("{file}, entry {line}"), problem: format!("'{word}' is not known") }
    }

    /// The same error, seen from one level further out.
    fn inside(mut self, name: &str) -> Self {
        self.place = match self.place.as_str() {
            "" => name.to_owned(),
            rest if rest.starts_with('[') => format!("{name}{rest}"),
            rest => format!("{name}.{rest}"),
        };
        self
    }
}

impl From<DataError> for Fault {
    fn from(error: DataError) -> Self {
        Self::system_error(&format!("a data file of vimsim is wrong: {error}"))
    }
}

/// The values that names with a `$` stand for.
pub(super) type Bindings<'a> = &'a [(&'a str, Value)];

/// The named objects of one file.
#[derive(Debug)]
pub(super) struct Bundle {
    file: &'static str,
    objects: BTreeMap<String, Object>,
}

impl Bundle {
    /// Reads `text`: a JSON object with a name for each object in it.
    pub(super) fn load(
        file: &'static str,
        text: &str,
        bindings: Bindings<'_>,
    ) -> Result<Self, DataError> {
        let json: BTreeMap<String, Json> = serde_json::from_str(text)
            .map_err(|error| DataError::new(error.to_string()).inside(file))?;
        let objects = json
            .iter()
            .map(|(name, json)| {
                let object =
                    typed_object(json, bindings).map_err(|e| e.inside(name).inside(file))?;
                Ok((name.clone(), object))
            })
            .collect::<Result<_, DataError>>()?;
        Ok(Self { file, objects })
    }

    /// The object called `name`, which must be a `ty`.
    pub(super) fn get(&self, name: &str, ty: Type) -> Result<Object, DataError> {
        match self.objects.get(name) {
            Some(object) if object.ty().is_a(ty) => Ok(object.clone()),
            Some(object) => {
                Err(DataError::new(format!("is a {}, not a {ty}", object.ty())).inside(name))
            }
            None => Err(DataError::new("is missing").inside(name)),
        }
        .map_err(|error: DataError| error.inside(self.file))
    }

    /// All objects, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.objects.iter().map(|(name, object)| (name.as_str(), object))
    }
}

/// An object that names its own type.
fn typed_object(json: &Json, bindings: Bindings<'_>) -> Result<Object, DataError> {
    let name = json.get("_typeName").and_then(Json::as_str);
    let name = name.ok_or_else(|| DataError::new("has no _typeName"))?;
    object(type_called(name)?, json, bindings)
}

fn type_called(name: &str) -> Result<Type, DataError> {
    Type::by_name(name).ok_or_else(|| DataError::new(format!("there is no type {name}")))
}

fn object(declared: Type, json: &Json, bindings: Bindings<'_>) -> Result<Object, DataError> {
    let Json::Object(fields) = json else {
        return Err(DataError::new(format!("is not a {declared}")));
    };
    let ty = match fields.get("_typeName").and_then(Json::as_str) {
        Some(name) => type_called(name)?,
        None => declared,
    };
    if !ty.is_a(declared) {
        return Err(DataError::new(format!("{ty} is not a {declared}")));
    }
    let mut builder = ObjectBuilder::new(ty);
    for (name, json) in fields.iter().filter(|(name, _)| *name != "_typeName") {
        let (slot, field) =
            ty.field(name).ok_or_else(|| DataError::new(format!("{ty} has no field {name}")))?;
        let value = field_value(field, json, bindings).map_err(|e| e.inside(name))?;
        builder
            .try_set(slot, Some(value))
            .map_err(|error| DataError::new(error.to_string()).inside(name))?;
    }
    Ok(builder.finish())
}

fn field_value(field: Field, json: &Json, bindings: Bindings<'_>) -> Result<Value, DataError> {
    if let Some(value) = bound(json, bindings)? {
        return Ok(value);
    }
    if !field.is_array() {
        return value(field.ty(), json, bindings);
    }
    let Json::Array(items) = json else { return Err(DataError::new("is not an array")) };
    let items = items
        .iter()
        .enumerate()
        .map(|(at, json)| {
            value(field.ty(), json, bindings).map_err(|e| e.inside(&format!("[{at}]")))
        })
        .collect::<Result<_, _>>()?;
    Ok(Value::Array(Array::new(field.ty(), items)))
}

fn bound(json: &Json, bindings: Bindings<'_>) -> Result<Option<Value>, DataError> {
    let Some(name) = json.as_str().and_then(|text| text.strip_prefix('$')) else { return Ok(None) };
    let value = bindings.iter().find(|(bound, _)| *bound == name).map(|(_, value)| value.clone());
    value.map(Some).ok_or_else(|| DataError::new(format!("nothing is bound to ${name}")))
}

fn value(ty: Type, json: &Json, bindings: Bindings<'_>) -> Result<Value, DataError> {
    if let Some(value) = bound(json, bindings)? {
        return Ok(value);
    }
    let found = match (ty.kind(), json) {
        (Kind::Data, _) => return object(ty, json, bindings).map(Value::Object),
        (Kind::Primitive(Primitive::Any), _) => return any(json, bindings),
        (Kind::Enum, Json::String(text)) => EnumValue::parse(ty, text).map(Value::Enum),
        (Kind::Managed, Json::String(text)) => reference(text).map(Value::Ref),
        (Kind::Primitive(primitive), json) => scalar(primitive, json),
        (Kind::Array | Kind::Enum | Kind::Managed, _) => None,
    };
    found.ok_or_else(|| DataError::new(format!("{json} is not a {ty}")))
}

fn reference(text: &str) -> Option<MoRef> {
    let (ty, id) = text.split_once(':')?;
    Some(MoRef::new(Type::by_name(ty)?, id))
}

fn scalar(primitive: Primitive, json: &Json) -> Option<Value> {
    Some(match primitive {
        Primitive::Boolean => Value::Boolean(json.as_bool()?),
        Primitive::Byte => Value::Byte(i8::try_from(json.as_i64()?).ok()?),
        Primitive::Short => Value::Short(i16::try_from(json.as_i64()?).ok()?),
        Primitive::Int => Value::Int(i32::try_from(json.as_i64()?).ok()?),
        Primitive::Long => Value::Long(json.as_i64()?),
        Primitive::Float => Value::Float(json.as_f64()? as f32),
        Primitive::Double => Value::Double(json.as_f64()?),
        Primitive::String | Primitive::Uri => Value::String(Str::from(json.as_str()?)),
        Primitive::DateTime => Value::DateTime(DateTime::parse(json.as_str()?).ok()?),
        Primitive::Binary | Primitive::Any => return None,
    })
}

/// A value where the schema allows any: a JSON number is an `int`; what else
/// is wanted says so, `{"_typeName": "long", "_value": 5}`.
fn any(json: &Json, bindings: Bindings<'_>) -> Result<Value, DataError> {
    if let Some(inner) = json.get("_value") {
        let name = json.get("_typeName").and_then(Json::as_str).unwrap_or_default();
        return value(type_called(name)?, inner, bindings);
    }
    let primitive = match json {
        Json::Bool(_) => Primitive::Boolean,
        Json::Number(number) if number.is_f64() => Primitive::Double,
        Json::Number(_) => Primitive::Int,
        Json::String(_) => Primitive::String,
        Json::Object(_) => return typed_object(json, bindings).map(Value::Object),
        Json::Null | Json::Array(_) => return Err(DataError::new(format!("{json} has no type"))),
    };
    scalar(primitive, json).ok_or_else(|| DataError::new(format!("{json} is too large")))
}

/// The lines of a table: fields between `|`, without empty lines and those that
/// start with `#`.
pub(super) fn rows(text: &'static str) -> impl Iterator<Item = Row> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| Row { rest: Some(line) })
}

/// One line of a table; each call of [`next`](Row::next) takes a field.
#[derive(Debug)]
pub(super) struct Row {
    rest: Option<&'static str>,
}

impl Row {
    /// The next field; empty after the last.
    pub(super) fn next(&mut self) -> &'static str {
        let Some(rest) = self.rest else { return "" };
        let (field, rest) = match rest.split_once('|') {
            Some((field, rest)) => (field, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        field.trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ty;

    fn load(text: &str) -> Result<Object, DataError> {
        let now = Value::from(DateTime::from_micros(0));
        Bundle::load("test", text, &[("now", now)])?.get("it", ty::DynamicData)
    }

    #[test]
    fn fields_take_their_declared_types() {
        let option = load(
            r#"{"it": {"_typeName": "OptionValue", "key": "a", "value": {"_typeName": "long", "_value": 5}}}"#,
        );
        assert_eq!(option.unwrap(), crate::object!(OptionValue { key: "a", value: 5_i64 }));
        let license = load(
            r#"{"it": {"_typeName": "LicenseDiagnostics", "opState": "normal",
            "sourceLatency": 1, "lastStatusUpdate": "$now"}}"#,
        );
        assert_eq!(license.unwrap().field("sourceLatency"), Some(&Value::Float(1.0)));
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        for (text, message) in [
            (r#"{"it": {}}"#, "test.it: has no _typeName"),
            (r#"{"it": {"_typeName": "Nothing"}}"#, "test.it: there is no type Nothing"),
            (
                r#"{"it": {"_typeName": "HostNumaInfo", "numaNode": [{"cpuID": [1, 40000]}]}}"#,
                "test.it.numaNode[0].cpuID[1]: 40000 is not a short",
            ),
            (
                r#"{"it": {"_typeName": "OptionValue", "value": "$later"}}"#,
                "test.it.value: nothing is bound to $later",
            ),
            (
                r#"{"it": {"_typeName": "OptionValue", "kay": 1}}"#,
                "test.it: OptionValue has no field kay",
            ),
        ] {
            assert_eq!(load(text).unwrap_err().to_string(), message);
        }
    }
}
