//! What only XenAPI knows of a task: entries in the extension map of its record.

use std::sync::Arc;

use super::failure::Failure;
use super::value::Value;
use crate::schema::ty;
use crate::task::TaskRecord;
use crate::value::{self, Array, Str};

/// The name of the task as the call had it: `Async.VM.start`.
pub const NAME: &str = "xenapi.name_label";
/// The reference to the session that made the task.
pub const SESSION: &str = "xenapi.session";
/// The subject of that session; see [`super::session::Session::subject`].
pub const SUBJECT: &str = "xenapi.subject";
/// Set where the task is that of a synchronous call: XenAPI's clients see it
/// until it has ended, and no longer.
pub const SYNCHRONOUS: &str = "xenapi.synchronous";
/// The map `other_config`.
pub const OTHER_CONFIG: &str = "xenapi.other_config";
/// Code and parameters of a failure that the fault alone does not tell.
pub const FAILURE: &str = "xenapi.failure";
/// The result as XenAPI tells it, where the task's own is something else: the
/// text of an XML-RPC value.
pub const RESULT: &str = "xenapi.result";

/// An entry that is a text.
pub fn text<'a>(task: &'a TaskRecord, name: &str) -> Option<&'a Str> {
    match task.extra(name) {
        Some(value::Value::String(text)) => Some(text),
        _ => None,
    }
}

/// An entry that is a truth value.
pub fn flag(task: &TaskRecord, name: &str) -> bool {
    task.extra(name).and_then(value::Value::as_bool).unwrap_or_default()
}

/// An entry that is a list of texts.
pub fn texts(task: &TaskRecord, name: &str) -> Option<Vec<Str>> {
    Some(read_texts(task.extra(name)?))
}

/// An entry that is a map from texts to texts.
pub fn map(task: &TaskRecord, name: &str) -> Vec<(Str, Str)> {
    let flat = texts(task, name).unwrap_or_default();
    let mut flat = flat.into_iter();
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (flat.next(), flat.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// A list of texts, as an entry holds it.
pub fn of_texts(texts: impl IntoIterator<Item = Str>) -> value::Value {
    let items = texts.into_iter().map(value::Value::String).collect();
    value::Value::Array(Array::new(ty::STRING, items))
}

/// A map from texts to texts, as an entry holds it.
pub fn of_map(pairs: impl IntoIterator<Item = (Str, Str)>) -> value::Value {
    of_texts(pairs.into_iter().flat_map(|(key, value)| [key, value]))
}

/// A failure, as an entry holds it.
pub fn of_failure(failure: &Failure) -> value::Value {
    of_texts(failure.description().cloned())
}

/// The failure that an entry holds.
pub fn failure(task: &Arc<TaskRecord>) -> Option<Failure> {
    Failure::from_description(texts(task, FAILURE)?)
}

fn read_texts(value: &value::Value) -> Vec<Str> {
    let items = value.items().iter();
    items
        .filter_map(|item| if let value::Value::String(text) = item { Some(text) } else { None })
        .cloned()
        .collect()
}

/// The map as a value of XenAPI.
pub fn map_value(pairs: Vec<(Str, Str)>) -> Value {
    Value::text_map(pairs)
}
