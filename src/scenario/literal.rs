//! Values of the schema as JSON has them, so that people can write them down.
//!
//! Objects are tables of their fields, with `_typeName` where the type does not
//! follow from the place; references are `VirtualMachine:vm-57`, or a table of
//! `type` and `value`; points in time and members of enumerations are texts.

use serde_json::{Map, Value as Json};

use super::error::RuleError;
use crate::fault::Fault;
use crate::schema::{Field, Kind, Method, Primitive, Type, ty};
use crate::value::{Array, DateTime, EnumValue, MoRef, Object, ObjectBuilder, Str, Value};

/// The key that names the type of a table.
const TYPE: &str = "_typeName";

/// What `json` says, for a place that is declared as `field`; nothing for null.
pub fn value(field: Field, json: &Json) -> Result<Option<Value>, RuleError> {
    match json {
        Json::Null if field.is_optional() || field.is_array() => Ok(None),
        Json::Array(items) if field.is_array() => array(field.ty(), items).map(Some),
        _ if field.is_array() => Err(mismatch(json, &format!("a list of {}", field.ty()))),
        _ => of_type(field.ty(), json).map(Some),
    }
}

/// What a successful task of `method` gives; nothing for null.
pub fn task_result(method: Method, json: &Json) -> Result<Option<Value>, RuleError> {
    match (method.task_result(), json) {
        (_, Json::Null) => Ok(None),
        (Some(field), _) => value(field, json),
        (None, _) => Err(RuleError::new("", format!("the task of {method} gives nothing"))),
    }
}

/// A fault by its name, with its fields.
pub fn fault(
    name: &str,
    message: Option<&str>,
    fields: &Map<String, Json>,
) -> Result<Fault, RuleError> {
    let fault = Type::by_name(name)
        .filter(|fault| fault.is_a(ty::MethodFault))
        .ok_or_else(|| RuleError::new("fault", format!("the schema has no fault {name:?}")))?;
    let object = object(fault, fields).map_err(|error| error.within("fields"))?;
    if let Some(missing) = object.missing().next() {
        let message = format!("{name} needs the field {}", missing.name());
        return Err(RuleError::new("fault", message));
    }
    Ok(Fault::new(object, message.unwrap_or(name)))
}

fn mismatch(json: &Json, wanted: &str) -> RuleError {
    let mut text = json.to_string();
    if text.chars().count() > 40 {
        text = text.chars().take(40).chain(['…']).collect();
    }
    RuleError::new("", format!("{text} is not {wanted}"))
}

fn array(element: Type, items: &[Json]) -> Result<Value, RuleError> {
    let items = items.iter().enumerate().map(|(index, item)| {
        of_type(element, item).map_err(|error| error.within(&format!("[{index}]")))
    });
    Ok(Value::Array(Array::new(element, items.collect::<Result<Vec<_>, _>>()?)))
}

fn of_type(declared: Type, json: &Json) -> Result<Value, RuleError> {
    let wrong = || mismatch(json, &format!("a value of type {declared}"));
    match (declared.kind(), json) {
        (Kind::Primitive(Primitive::Any), _) => anything(json),
        (Kind::Primitive(primitive), _) => scalar(primitive, json).ok_or_else(wrong),
        (Kind::Enum, Json::String(text)) => {
            EnumValue::parse(declared, text).map(Value::Enum).ok_or_else(|| {
                let values = declared.enum_values().join(", ");
                RuleError::new("", format!("{text:?} is none of {values}"))
            })
        }
        (Kind::Managed, _) => reference(declared, json),
        (Kind::Data, Json::Object(fields)) => {
            let named = named_type(fields)?.unwrap_or(declared);
            if named.is_a(declared) && named.kind() == Kind::Data {
                object(named, fields).map(Value::Object)
            } else {
                Err(RuleError::new(TYPE, format!("{named} is not a {declared}")))
            }
        }
        (Kind::Array, Json::Array(items)) => array(declared.element().unwrap_or(ty::ANY), items),
        _ => Err(wrong()),
    }
}

fn scalar(primitive: Primitive, json: &Json) -> Option<Value> {
    let integer = || json.as_i64();
    Some(match primitive {
        Primitive::Boolean => Value::Boolean(json.as_bool()?),
        Primitive::Byte => Value::Byte(integer()?.try_into().ok()?),
        Primitive::Short => Value::Short(integer()?.try_into().ok()?),
        Primitive::Int => Value::Int(integer()?.try_into().ok()?),
        Primitive::Long => Value::Long(integer()?),
        Primitive::Float => Value::Float(json.as_f64()? as f32),
        Primitive::Double => Value::Double(json.as_f64()?),
        Primitive::String | Primitive::Uri => Value::String(Str::from(json.as_str()?)),
        Primitive::DateTime => Value::DateTime(DateTime::parse(json.as_str()?).ok()?),
        // Nobody writes bytes by hand.
        Primitive::Binary | Primitive::Any => return None,
    })
}

/// Where any type may stand, the text decides.
fn anything(json: &Json) -> Result<Value, RuleError> {
    Ok(match json {
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(number) => i32::try_from(number).map_or(Value::Long(number), Value::Int),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => match parse_reference(text) {
            Some(mo) => Value::Ref(mo),
            None => Value::String(Str::from(text.as_str())),
        },
        Json::Array(items) => {
            let items = items.iter().enumerate().map(|(index, item)| {
                anything(item).map_err(|error| error.within(&format!("[{index}]")))
            });
            let items: Vec<Value> = items.collect::<Result<_, _>>()?;
            let first = items.first().map_or(ty::ANY, Value::ty);
            let same = items.iter().all(|item| item.ty() == first);
            Value::Array(Array::new(if same { first } else { ty::ANY }, items))
        }
        Json::Object(fields) => match named_type(fields)? {
            Some(named) if named.kind() == Kind::Data => object(named, fields)?.into(),
            Some(named) => return Err(RuleError::new(TYPE, format!("{named} is no data object"))),
            None => reference(ty::ManagedObject, json)?,
        },
        Json::Null => return Err(mismatch(json, "a value")),
    })
}

fn named_type(fields: &Map<String, Json>) -> Result<Option<Type>, RuleError> {
    let Some(name) = fields.get(TYPE) else { return Ok(None) };
    let known = name.as_str().and_then(Type::by_name);
    known.map(Some).ok_or_else(|| RuleError::new(TYPE, format!("the schema has no type {name}")))
}

fn object(ty: Type, fields: &Map<String, Json>) -> Result<Object, RuleError> {
    let mut builder = ObjectBuilder::new(ty);
    for (name, json) in fields.iter().filter(|(name, _)| *name != TYPE) {
        let (slot, field) = ty
            .field(name)
            .ok_or_else(|| RuleError::new(name, format!("{ty} has no such field")))?;
        let value = value(field, json).map_err(|error| error.within(name))?;
        builder.try_set(slot, value).map_err(|rejected| RuleError::new(name, rejected))?;
    }
    Ok(builder.finish())
}

fn reference(declared: Type, json: &Json) -> Result<Value, RuleError> {
    let mo = match json {
        Json::String(text) => parse_reference(text),
        Json::Object(fields) => {
            let part = |name: &str| fields.get(name).and_then(Json::as_str);
            let ty = part("type").and_then(Type::by_name).filter(|ty| ty.kind() == Kind::Managed);
            ty.zip(part("value")).map(|(ty, id)| MoRef::new(ty, id))
        }
        _ => None,
    };
    mo.filter(|mo| mo.ty().is_a(declared))
        .map(Value::Ref)
        .ok_or_else(|| mismatch(json, &format!("a reference such as {declared}:vm-57")))
}

fn parse_reference(text: &str) -> Option<MoRef> {
    let (name, id) = text.split_once(':')?;
    let ty = Type::by_name(name).filter(|ty| ty.kind() == Kind::Managed)?;
    (!id.is_empty()).then(|| MoRef::new(ty, id))
}
