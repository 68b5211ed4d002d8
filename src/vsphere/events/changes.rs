//! What has changed in a configuration, in the words of its events: a line for
//! each property, as in `config.hardware.memoryMB: 32 -> 64`.

use std::fmt::Write;

use crate::object;
use crate::value::access::key_text;
use crate::value::diff::{self, Change, Op};
use crate::value::{Object, Value};

/// Events are to be read: of more changes than this only the first are told.
const MOST: usize = 100;

/// These change with every change, and tell nothing.
const STAMPS: [&str; 2] = ["changeVersion", "modified"];

/// Longer values are told by their kind.
const LONGEST: usize = 200;

/// What differs between two states of the object that is called `name`.
pub(in crate::vsphere) fn between(name: &str, before: &Object, after: &Object) -> Object {
    let mut changes = Vec::new();
    diff::objects("", before, after, &mut changes);
    let (mut modified, mut added, mut deleted) = (String::new(), String::new(), String::new());
    let tells = |change: &&Change| !STAMPS.contains(&change.path.as_str());
    for Change { path, op, value } in changes.iter().filter(tells).take(MOST) {
        let new = value.as_ref().map_or_else(|| "<unset>".to_owned(), told);
        // A `String` takes whatever is written to it.
        let _ = match op {
            Op::Add => write!(added, "{name}.{path}: {new}; "),
            Op::Remove | Op::IndirectRemove => write!(deleted, "{name}.{path}; "),
            Op::Assign => {
                let old = value_at(before, path).map_or_else(|| "<unset>".to_owned(), told);
                write!(modified, "{name}.{path}: {old} -> {new}; ")
            }
        };
    }
    object!(ChangesInfoEventArgument {
        modified: modified.trim_end(),
        added: added.trim_end(),
        deleted: deleted.trim_end(),
    })
}

/// That one property has changed.
pub(super) fn one(path: &str, before: &str, after: &str) -> Object {
    object!(ChangesInfoEventArgument { modified: format!("{path}: {before} -> {after};") })
}

/// The value at a path that a comparison has found, which goes through objects
/// of whatever types there are.
fn value_at<'v>(object: &'v Object, path: &str) -> Option<&'v Value> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, mut rest) = path.split_at_checked(end)?;
    let mut value = object.field(name)?;
    if let Some(keyed) = rest.strip_prefix('[') {
        // A key may hold whatever a client put into it.
        let is_it = |item: &&Value| {
            let key = key_text(item).unwrap_or_default();
            let after = keyed.strip_prefix(key.as_str()).and_then(|after| after.strip_prefix(']'));
            after.is_some_and(|after| after.is_empty() || after.starts_with('.'))
        };
        value = value.items().iter().find(is_it)?;
        let key = key_text(value).unwrap_or_default();
        rest = keyed.get(key.len() + 1..)?;
    }
    match rest.strip_prefix('.') {
        Some(rest) => value_at(value.as_object()?, rest),
        None => Some(value),
    }
}

/// A value in words.
fn told(value: &Value) -> String {
    let text = match value {
        Value::Array(array) => {
            format!("({})", array.items().iter().map(told).collect::<Vec<_>>().join(", "))
        }
        Value::Object(object) => {
            let fields =
                object.iter().map(|(field, value)| format!("{} = {}", field.name(), told(value)));
            format!("({})", fields.collect::<Vec<_>>().join(", "))
        }
        value => super::format::word(value).unwrap_or_default(),
    };
    if text.len() <= LONGEST {
        return text;
    }
    let kind = value.ty();
    format!("({kind})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;

    fn config(memory: i32, options: &[(&str, &str)], disk: i64) -> Object {
        let options: Vec<Object> = options
            .iter()
            .map(|(key, value)| object!(OptionValue { key: *key, value: *value }))
            .collect();
        let disk = object!(VirtualDisk { key: 2000, capacityInKB: disk });
        object!(VirtualMachineConfigInfo {
            changeVersion: memory.to_string(),
            hardware: object!(VirtualHardware { memoryMB: memory, device: vec![disk] }),
            extraConfig: options,
        })
    }

    #[test]
    fn changes_are_told_a_property_at_a_time() {
        let before = config(32, &[("a.b", "1"), ("c", "2")], 10);
        let after = config(64, &[("a.b", "3"), ("d", "4")], 20);
        let told = between("config", &before, &after);
        let text = |field| told.field(field).and_then(Value::as_str).unwrap_or_default();
        assert_eq!(
            text("modified"),
            "config.hardware.memoryMB: 32 -> 64; \
             config.hardware.device[2000].capacityInKB: 10 -> 20; \
             config.extraConfig[\"a.b\"].value: 1 -> 3;"
        );
        assert_eq!(text("added"), "config.extraConfig[\"d\"]: (key = d, value = 4);");
        assert_eq!(text("deleted"), "config.extraConfig[\"c\"];");
    }
}
