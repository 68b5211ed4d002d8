//! What changed between two values, as property changes.
//!
//! The comparison starts at pointers, so it costs what differs, not what is
//! there. Elements of keyed arrays are named by their key: one that joined is
//! an `add`, one that left a `remove`; arrays without keys are assigned whole.

use super::access::{is_keyed, key_text};
use super::{Array, Object, Value};
use crate::schema::Type;

/// What happened to the place that a change names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// An element joined a collection.
    Add,
    /// An element left a collection.
    Remove,
    /// The value was set, replaced, or unset.
    Assign,
    /// Something above the place in its path is gone.
    IndirectRemove,
}

/// One changed place.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The property path.
    pub path: String,
    /// What happened.
    pub op: Op,
    /// The new value, unless there is none.
    pub value: Option<Value>,
}

/// Appends what differs between `old` and `new`, two states of the place `path`.
pub fn diff(path: &str, old: Option<&Value>, new: Option<&Value>, out: &mut Vec<Change>) {
    match (old, new) {
        (None, None) => {}
        (Some(old), Some(new)) => changed(path, old, new, out),
        (_, new) => assign(path, new.cloned(), out),
    }
}

fn assign(path: &str, value: Option<Value>, out: &mut Vec<Change>) {
    out.push(Change { path: path.to_owned(), op: Op::Assign, value });
}

fn changed(path: &str, old: &Value, new: &Value, out: &mut Vec<Change>) {
    if old.same(new) {
        return;
    }
    match (old, new) {
        (Value::Object(a), Value::Object(b)) if a.ty() == b.ty() => objects(path, a, b, out),
        (Value::Array(a), Value::Array(b)) => arrays(path, a, b, out),
        _ if old == new => {}
        _ => assign(path, Some(new.clone()), out),
    }
}

/// Appends what differs between two objects of one type that stand at `path`.
pub fn objects(path: &str, old: &Object, new: &Object, out: &mut Vec<Change>) {
    let fields = old.ty().fields().iter();
    for ((field, a), b) in fields.zip(old.slots()).zip(new.slots()) {
        match (a, b) {
            (None, None) => {}
            (Some(a), Some(b)) if a.same(b) => {}
            _ => {
                let place = if path.is_empty() {
                    field.name().to_owned()
                } else {
                    format!("{path}.{}", field.name())
                };
                diff(&place, a.as_ref(), b.as_ref(), out);
            }
        }
    }
}

fn arrays(path: &str, old: &Array, new: &Array, out: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let keys = |array: &Array, element: Type| {
        if !is_keyed(element) {
            return None;
        }
        let keys: Option<Vec<String>> = array.items().iter().map(key_text).collect();
        keys.filter(|keys| {
            let mut seen = std::collections::HashSet::new();
            keys.iter().all(|key| seen.insert(key.as_str()))
        })
    };
    let (Some(old_keys), Some(new_keys)) = (keys(old, old.element()), keys(new, new.element()))
    else {
        return assign(path, Some(Value::Array(new.clone())), out);
    };
    let before: std::collections::HashMap<&str, &Value> =
        old_keys.iter().map(String::as_str).zip(old.items()).collect();
    let after: std::collections::HashSet<&str> = new_keys.iter().map(String::as_str).collect();
    let start = out.len();
    for key in old_keys.iter().filter(|key| !after.contains(key.as_str())) {
        out.push(Change { path: format!("{path}[{key}]"), op: Op::Remove, value: None });
    }
    for (key, item) in new_keys.iter().zip(new.items()) {
        let place = format!("{path}[{key}]");
        match before.get(key.as_str()) {
            None => out.push(Change { path: place, op: Op::Add, value: Some(item.clone()) }),
            Some(old) => changed(&place, old, item, out),
        }
    }
    // The same elements in another order: only the whole array can say so.
    if out.len() == start {
        assign(path, Some(Value::Array(new.clone())), out);
    }
}
