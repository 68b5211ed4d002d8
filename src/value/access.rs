//! Reading and replacing parts of a value by property path.
//!
//! Reading never fails: what is not there is `None`. Replacing copies the
//! objects on the way to the place and shares everything beside it.

use thiserror::Error;

use super::{Array, IntoSlot, Object, Value};
use crate::schema::{Key, Kind, StaticPath, Step, Type};

/// A place that cannot be replaced because something on the way is not there.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("nothing is set at step {step} of the path")]
pub struct Unreachable {
    /// The step, counted from zero, whose parent is unset.
    pub step: usize,
}

impl Object {
    /// The value at a path that was checked while compiling.
    pub fn at(&self, path: &StaticPath) -> Option<&Value> {
        let (last, front) = path.slots().split_last()?;
        let mut object = self;
        for slot in front {
            object = object.get(usize::from(*slot))?.as_object()?;
        }
        object.get(usize::from(*last))
    }

    /// The value at a path that may have keys in it.
    pub fn lookup(&self, steps: &[Step]) -> Option<&Value> {
        let (first, rest) = steps.split_first()?;
        let Step::Field(slot) = first else { return None };
        descend(self.get(usize::from(*slot))?, rest)
    }

    /// The object with the value at `path` replaced or unset.
    pub fn with_at(&self, path: &StaticPath, value: impl IntoSlot) -> Result<Self, Unreachable> {
        replace_slots(self, path.slots(), 0, value)
    }

    /// The object with the value at `steps` replaced, or unset; an element of
    /// an array that is unset leaves the array, a new key joins at its end.
    pub fn with_lookup(&self, steps: &[Step], value: Option<Value>) -> Result<Self, Unreachable> {
        replace_steps(self, steps, 0, value)
    }
}

pub(crate) fn descend<'v>(mut value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    for step in steps {
        value = match step {
            Step::Field(slot) => value.as_object()?.get(usize::from(*slot))?,
            Step::Key(key) => value.elements().find(|item| has_key(item, key))?,
        };
    }
    Some(value)
}

fn replace_slots(
    object: &Object,
    slots: &[u16],
    depth: usize,
    value: impl IntoSlot,
) -> Result<Object, Unreachable> {
    let Some((first, rest)) = slots.split_first() else { return Err(Unreachable { step: depth }) };
    let slot = usize::from(*first);
    if rest.is_empty() {
        return Ok(object.with(slot, value));
    }
    let inner =
        object.get(slot).and_then(Value::as_object).ok_or(Unreachable { step: depth + 1 })?;
    Ok(object.with(slot, replace_slots(inner, rest, depth + 1, value)?))
}

fn replace_steps(
    object: &Object,
    steps: &[Step],
    depth: usize,
    value: Option<Value>,
) -> Result<Object, Unreachable> {
    let Some((Step::Field(first), rest)) = steps.split_first() else {
        return Err(Unreachable { step: depth });
    };
    let slot = usize::from(*first);
    match rest.split_first() {
        None => Ok(object.with(slot, value)),
        Some((Step::Field(_), _)) => {
            let inner = object
                .get(slot)
                .and_then(Value::as_object)
                .ok_or(Unreachable { step: depth + 1 })?;
            Ok(object.with(slot, replace_steps(inner, rest, depth + 1, value)?))
        }
        Some((Step::Key(key), rest)) => {
            let array = object
                .get(slot)
                .and_then(Value::as_array)
                .ok_or(Unreachable { step: depth + 1 })?;
            Ok(object.with(slot, replace_element(array, key, rest, depth + 1, value)?))
        }
    }
}

fn replace_element(
    array: &Array,
    key: &Key,
    rest: &[Step],
    depth: usize,
    value: Option<Value>,
) -> Result<Array, Unreachable> {
    let place = array.items().iter().position(|item| has_key(item, key));
    let mut items = array.items().to_vec();
    match (place, rest.is_empty(), value) {
        (Some(at), true, Some(value)) => items.splice(at..=at, [value]).for_each(drop),
        (Some(at), true, None) => drop(items.remove(at)),
        (None, true, Some(value)) => items.push(value),
        (None, true, None) => {}
        (Some(at), false, value) => {
            let inner =
                items.get(at).and_then(Value::as_object).ok_or(Unreachable { step: depth + 1 })?;
            let inner = replace_steps(inner, rest, depth + 1, value)?;
            items.splice(at..=at, [Value::Object(inner)]).for_each(drop);
        }
        (None, false, _) => return Err(Unreachable { step: depth }),
    }
    Ok(Array::new(array.element(), items))
}

/// Whether `item`, an element of an array, is the one that `key` names.
pub fn has_key(item: &Value, key: &Key) -> bool {
    let held = match item {
        Value::Object(object) => object.ty().key_slot().and_then(|slot| object.get(slot)),
        other => Some(other),
    };
    match (held, key) {
        (Some(Value::Ref(mo)), Key::Text(text)) => mo.id() == text.as_str(),
        (Some(value), Key::Text(text)) => value.as_str() == Some(text.as_str()),
        (Some(value), Key::Int(number)) => value.as_i64() == Some(*number),
        (None, _) => false,
    }
}

/// The key of an element as a path has it between brackets: `4000` or
/// `"disk-1"`; nothing when elements of its type have none.
pub fn key_text(item: &Value) -> Option<String> {
    let held = match item {
        Value::Object(object) => object.get(object.ty().key_slot()?)?,
        other => other,
    };
    match held {
        Value::Ref(mo) => Some(quoted(mo.id())),
        Value::Byte(_) | Value::Short(_) | Value::Int(_) | Value::Long(_) => {
            held.as_i64().map(|number| number.to_string())
        }
        _ => held.as_str().map(quoted),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether the elements of an array declared as `element` are told apart by
/// key, so that a change can name one of them.
pub fn is_keyed(element: Type) -> bool {
    match element.kind() {
        Kind::Data => element.key_slot().is_some(),
        Kind::Managed => true,
        Kind::Primitive(_) | Kind::Enum | Kind::Array => false,
    }
}
