//! What a client makes of updates: it applies each change to what it has.

use std::collections::BTreeMap;

use vimsim::schema::Key;
use vimsim::value::access::has_key;
use vimsim::value::{Array, MoRef, Object, Value};

use super::world::{list, obj, text};

/// The named properties of each object that have a value, and those that the
/// client was told it may not read.
pub(super) type State = BTreeMap<MoRef, BTreeMap<String, Value>>;

/// Applies what `updates` say of `filter`, which names the properties `names`.
pub(super) fn apply(state: &mut State, filter: &MoRef, updates: &Object, names: &[String]) {
    let sets = list(updates, "filterSet").into_iter();
    for set in sets.filter(|set| set.field("filter").and_then(Value::as_moref) == Some(filter)) {
        for update in list(set, "objectSet") {
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
        } else if op != "indirectRemove"
            && rest.starts_with(['.', '['])
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
    let (key, rest) = key(rest.strip_prefix('[').expect("a key"));
    let array = old.as_array().expect("only arrays have elements");
    let mut items = array.items().to_vec();
    let at = items.iter().position(|item| has_key(item, &key));
    if rest.is_empty() {
        match (op, at, value) {
            ("add", None, Some(value)) => items.push(value),
            ("assign", Some(at), Some(value)) => items[at] = value,
            ("remove", Some(at), None) => drop(items.remove(at)),
            // Of two overlapping properties, the outer one was told whole.
            ("remove", None, None) => {}
            (op, at, value) => panic!("{op} of {value:?} at {at:?}"),
        }
    } else {
        let at = at.expect("the element exists");
        items[at] = replaced(&items[at], rest, op, value);
    }
    Value::Array(Array::new(array.element(), items))
}

/// The key behind an opening bracket, and what follows it.
fn key(text: &str) -> (Key, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (number, rest) = text.split_once(']').expect("the key ends");
        return (Key::Int(number.parse().expect("a number")), rest);
    };
    let mut key = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next().expect("the quote ends") {
            '"' => break,
            '\\' => key.extend(chars.next()),
            other => key.push(other),
        }
    }
    (Key::Text(key.into()), chars.as_str().strip_prefix(']').expect("the key ends"))
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
