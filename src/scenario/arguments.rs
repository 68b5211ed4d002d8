//! Arguments of a call that a rule replaces.

use serde_json::Value as Json;

use super::error::RuleError;
use super::literal;
use crate::schema::{Field, Kind, Method, Type};
use crate::value::{Object, Value};

/// Whether `method` can have such an argument.
pub(super) fn check(method: Method, path: &str, json: &Json) -> Result<(), RuleError> {
    let (_, mut field) = param(method, path)?;
    for step in path.split('.').skip(1) {
        field = below(field.ty(), step)?.1;
    }
    literal::value(field, json).map(drop)
}

/// Replaces the argument at `path`, which was checked. What has no place in
/// these arguments, because an object on the way is not there, is left out.
pub fn replace(method: Method, args: &mut [Option<Value>], path: &str, json: &Json) {
    let Ok((slot, field)) = param(method, path) else { return };
    let Some(place) = args.get_mut(slot) else { return };
    let steps: Vec<&str> = path.split('.').skip(1).collect();
    match replaced(place.as_ref(), field, &steps, json) {
        Ok(next) => *place = next,
        Err(error) => tracing::warn!(%method, path, %error, "an argument could not be replaced"),
    }
}

fn param(method: Method, path: &str) -> Result<(usize, Field), RuleError> {
    let name = path.split('.').next().unwrap_or_default();
    let wrong = || RuleError::new("", format!("{method} has no argument {name:?}"));
    method.param(name).ok_or_else(wrong)
}

fn below(ty: Type, name: &str) -> Result<(usize, Field), RuleError> {
    // What is declared as a base may be of any type derived from it.
    let named = ty.derived().find_map(|derived| derived.field(name));
    named
        .filter(|_| ty.kind() == Kind::Data)
        .ok_or_else(|| RuleError::new("", format!("{ty} has no field {name:?}")))
}

fn replaced(
    held: Option<&Value>,
    field: Field,
    steps: &[&str],
    json: &Json,
) -> Result<Option<Value>, RuleError> {
    let Some((name, rest)) = steps.split_first() else { return literal::value(field, json) };
    let object: &Object = held
        .and_then(Value::as_object)
        .ok_or_else(|| RuleError::new(*name, "the object that has it is not given"))?;
    let (slot, inner) = object
        .ty()
        .field(name)
        .ok_or_else(|| RuleError::new(*name, format!("{} has no such field", object.ty())))?;
    let value = replaced(object.get(slot), inner, rest, json)?;
    Ok(Some(object.with(slot, value).into()))
}
