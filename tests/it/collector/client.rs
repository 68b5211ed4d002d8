//! What a client makes of updates: it applies each change to what it has.

use std::collections::BTreeMap;

use vimsim::schema::Key;
use vimsim::value::access::has_key;
use vimsim::value::{Array, MoRef, Object, Value};

use super::world::{list, obj, text};

/// The named properties of each object that have a value, and those that the
/// client was told it may not read.
pub(super) type State = BTreeMap<MoRef, BTreeMap<String, Value>>;

/// The state after `updates`; `names` are the properties that filters name.
pub(super) fn apply(state: &mut State, updates: &Object, names: &[String]) {
    for filter in list(updates, "filterSet") {
        for update in list(filter, "objectSet") {
            let mo = obj(update);
            match text(update, "kind").as_str() {
                "enter" => {
                    state.insert(mo.clone(), BTreeMap::new());
                }
                "leave" => {
                    assert!(state.remove(&mo).is_some(), "{mo} left, but was not there");
                    continue;
                }
                _ => assert!(state.contains_key(&mo), "{mo} changed, but was not there"),
            }
            let properties = state.get_mut(&mo).unwrap();
            for missing in list(update, "missingSet") {
                properties.remove(&text(missing, "path"));
            }
            for change in list(update, "changeSet") {
                change_properties(properties, change, names);
            }
        }
    }
}

fn change_properties(properties: &mut BTreeMap<String, Value>, change: &Object, names: &[String]) {
    let place = text(change, "name");
    let op = text(change, "op");
    let value = change.field("val").cloned();
    let mut applied = false;
    for name in names {
        let Some(rest) = place.strip_prefix(name.as_str()) else { continue };
        if rest.is_empty() {
            match &value {
                Some(value) => drop(properties.insert(name.clone(), value.clone())),
                None => drop(properties.remove(name)),
            }
            applied = true;
        } else if rest.starts_with(['.', '['])
            && let Some(old) = properties.get(name)
        {
            let new = replaced(old, rest, &op, value.clone());
            properties.insert(name.clone(), new);
            applied = true;
        }
    }
    assert!(applied, "{place} is no property that was asked for, or has no parent");
}

/// `old` with what stands at `rest`, a path below it, changed.
fn replaced(old: &Value, rest: &str, op: &str, value: Option<Value>) -> Value {
    if let Some(rest) = rest.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let object = old.as_object().expect("only objects have fields");
        let (slot, field) = object.ty().field(name).expect("the field exists");
        let new = if rest.is_empty() {
            value
        } else {
            let empty = Value::Array(Array::empty(field.ty()));
            let below = object.get(slot).or(field.is_array().then_some(&empty));
            Some(replaced(below.expect("the parent is set"), rest, op, value))
        };
        return Value::Object(object.with(slot, new));
    }
    let rest = rest.strip_prefix('[').expect("a key");
    let (key, rest) = rest.split_once(']').expect("the key ends");
    let key = match key.strip_prefix('"') {
        Some(quoted) => Key::Text(quoted.trim_end_matches('"').into()),
        None => Key::Int(key.parse().expect("a number")),
    };
    let array = old.as_array().expect("only arrays have elements");
    let mut items = array.items().to_vec();
    let at = items.iter().position(|item| has_key(item, &key));
    if rest.is_empty() {
        match (op, at, value) {
            ("add", None, Some(value)) => items.push(value),
            ("assign", Some(at), Some(value)) => items[at] = value,
            ("remove", Some(at), None) => drop(items.remove(at)),
            (op, at, value) => panic!("{op} of {value:?} at {at:?}"),
        }
    } else {
        let at = at.expect("the element exists");
        items[at] = replaced(&items[at], rest, op, value);
    }
    Value::Array(Array::new(array.element(), items))
}

/// The same state out of a retrieval.
pub(super) fn retrieved(contents: &[Object]) -> State {
    let mut state = State::new();
    for content in contents {
        let properties = list(content, "propSet")
            .into_iter()
            .map(|property| (text(property, "name"), property.field("val").cloned().unwrap()))
            .collect();
        assert!(state.insert(obj(content), properties).is_none(), "an object came twice");
    }
    state
}
