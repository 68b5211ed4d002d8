//! What changed between two values, as property changes.
//!
//! The comparison starts at pointers, so it costs what differs, not what is
//! there. Elements of keyed arrays are named by their key: one that joined is
//! an `add`, one that left a `remove`; arrays without keys are assigned whole.

use std::collections::{HashMap, HashSet};

use super::access::{is_keyed, key_text};
use super::{Array, Object, Value};
use crate::schema::Kind;

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
    let (before, after, tail) = old.differing(new);
    if before.is_empty() && after.is_empty() {
        return;
    }
    let start = out.len();
    if by_key(path, old, new, (&before, &after, tail), out).is_none() {
        out.truncate(start);
        assign(path, Some(Value::Array(new.clone())), out);
    }
}

/// Tells which elements left, changed and joined, if that says it all: keys
/// tell the elements apart, and what joined stands at the end.
fn by_key(
    path: &str,
    old: &Array,
    new: &Array,
    (before, after, tail): (&[&Value], &[&Value], usize),
    out: &mut Vec<Change>,
) -> Option<()> {
    let old_keys = keys(old, before)?;
    let new_keys = keys(new, after)?;
    let kept: HashSet<&str> = new_keys.iter().map(String::as_str).collect();
    let known: HashMap<&str, &Value> =
        old_keys.iter().map(String::as_str).zip(before.iter().copied()).collect();
    let stayed = old_keys.iter().filter(|key| kept.contains(key.as_str()));
    let joined = new_keys.iter().filter(|key| !known.contains_key(key.as_str()));
    if !stayed.chain(joined.clone()).eq(&new_keys) || (tail > 0 && joined.count() > 0) {
        return None;
    }
    for key in old_keys.iter().filter(|key| !kept.contains(key.as_str())) {
        out.push(Change { path: format!("{path}[{key}]"), op: Op::Remove, value: None });
    }
    for (key, item) in new_keys.iter().zip(after) {
        let place = format!("{path}[{key}]");
        match known.get(key.as_str()) {
            None => out.push(Change { path: place, op: Op::Add, value: Some((*item).clone()) }),
            Some(old) => changed(&place, old, item, out),
        }
    }
    Some(())
}

/// The keys of `part` of an array, if the array's elements have keys and each
/// its own. References are taken to be distinct: the arrays of them are sets.
fn keys(array: &Array, part: &[&Value]) -> Option<Vec<String>> {
    if !is_keyed(array.element()) {
        return None;
    }
    if array.element().kind() == Kind::Data {
        let mut seen = HashSet::with_capacity(array.len());
        if !array.items().iter().all(|item| key_text(item).is_some_and(|key| seen.insert(key))) {
            return None;
        }
    }
    part.iter().map(|item| key_text(item)).collect()
}
