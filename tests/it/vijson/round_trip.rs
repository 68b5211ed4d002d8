//! Whatever the schema allows survives being written as JSON and read.

use serde_json::Value as Json;
use vimsim::schema::{Kind, Method, Type, Version, ty};
use vimsim::value::{Array, ObjectBuilder, Value};
use vimsim::wire::vijson::{Limits, decode_arguments, decode_value, encode_arguments};
use vimsim::{object, path};

use super::written;
use crate::maker::{Maker, known};

/// What is left of `value` in JSON, which has no room for two kinds of faults.
fn flat(value: &Value, is_any: bool) -> Value {
    let wrapped = |item: &Value| match item.as_object() {
        Some(fault) if fault.ty().is_a(ty::MethodFault) => {
            Value::Object(object!(LocalizedMethodFault { fault: fault }))
        }
        _ => item.clone(),
    };
    match value {
        Value::Object(object) => {
            let mut seen = ObjectBuilder::new(object.ty());
            for (slot, field) in object.ty().fields().iter().enumerate() {
                let value = object.get(slot).map(|value| match value {
                    // Only in a box is an array's type at stake.
                    Value::Array(array) if field.is_array() => {
                        let is_any = field.ty() == ty::ANY;
                        let items = array.items().iter().map(|item| flat(item, is_any));
                        Array::new(array.element(), items.collect()).into()
                    }
                    other => flat(other, field.ty() == ty::ANY),
                });
                seen.try_set(slot, value).expect("a part of what fitted");
            }
            let seen = seen.finish();
            let is_bare = seen.at(path!(LocalizedMethodFault, "localizedMessage")).is_none();
            match seen.at(path!(LocalizedMethodFault, "fault")) {
                Some(fault) if is_any && seen.ty() == ty::LocalizedMethodFault && is_bare => {
                    fault.clone()
                }
                _ => seen.into(),
            }
        }
        Value::Array(array) => {
            let items = array.items().iter().map(|item| flat(item, array.element() == ty::ANY));
            if array.element() == ty::MethodFault {
                let items = items.map(|item| wrapped(&item)).collect();
                return Array::new(ty::LocalizedMethodFault, items).into();
            }
            Array::new(array.element(), items.collect()).into()
        }
        other => other.clone(),
    }
}

#[track_caller]
fn travel(declared: Type, value: &Value, version: Version) -> Value {
    let text = written(declared, value, version);
    // Whoever reads JSON can read it.
    serde_json::from_str::<Json>(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    decode_value(declared, text.as_bytes(), version, Limits::default())
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
        .expect("something")
}

#[test]
fn every_data_type() {
    let mut count = 0;
    for ty in Type::all().filter(|ty| ty.kind() == Kind::Data) {
        for seed in 0..6 {
            let mut maker = Maker::new(seed << 32 | ty.index() as u64);
            let depth = if seed == 0 { 1 } else { 3 };
            let value = Value::Object(maker.object(ty, depth));
            let (bare, declared) = (flat(&value, true), flat(&value, false));
            assert_eq!(travel(ty::ANY, &value, Version::NEWEST), bare, "{ty}, seed {seed}");
            assert_eq!(travel(ty, &value, Version::NEWEST), declared, "{ty}, seed {seed}");
        }
        count += 1;
    }
    assert!(count > 3000, "{count} data types");
}

#[test]
fn every_other_type_where_any_is_declared() {
    for ty in Type::all().filter(|ty| !matches!(ty.kind(), Kind::Data) && *ty != ty::ANY) {
        for seed in 0..4 {
            let mut maker = Maker::new(seed << 32 | ty.index() as u64);
            let value = match ty.kind() {
                Kind::Array => maker.array(ty.element().unwrap(), 2),
                _ => maker.value(ty, 2),
            };
            let expected = flat(&value, true);
            assert_eq!(travel(ty::ANY, &value, Version::NEWEST), expected, "{ty}, seed {seed}");
        }
    }
}

#[test]
fn every_method() {
    for method in Method::all() {
        for seed in 0..4 {
            let mut maker = Maker::new(seed << 32 | method.index() as u64);
            let args: Vec<_> = method.params().iter().map(|param| maker.field(*param, 3)).collect();
            let mut text = Vec::new();
            encode_arguments(method, &args, Version::NEWEST, &mut text);
            let read = decode_arguments(method, &text, Version::NEWEST, Limits::default());
            let read = read.unwrap_or_else(|error| panic!("{error}"));
            let expected: Vec<_> = args
                .iter()
                .zip(method.params())
                .map(|(arg, param)| match arg.as_ref()? {
                    Value::Array(array) if param.is_array() => {
                        let items = array.items().iter().map(|item| flat(item, false)).collect();
                        Some(Array::new(array.element(), items).into())
                    }
                    arg => Some(flat(arg, param.ty() == ty::ANY)),
                })
                .collect();
            assert_eq!(*read, *expected, "{method}, seed {seed}");
        }
    }
}

#[test]
fn every_data_type_as_older_clients_see_it() {
    let versions: Vec<_> = Version::all().collect();
    for ty in Type::all().filter(|ty| ty.kind() == Kind::Data) {
        for seed in 0..4 {
            let mut maker = Maker::new(seed << 32 | ty.index() as u64);
            let version = maker.pick(&versions);
            let object = Value::Object(maker.object(ty, 3));
            let expected = flat(&known(&object, true, version), true);
            assert_eq!(travel(ty::ANY, &object, version), expected, "{ty} for {version}");
        }
    }
}

/// The same document with the members of every object in another order.
fn turned(json: Json) -> String {
    match json {
        Json::Object(members) => {
            let mut parts: Vec<String> = members
                .into_iter()
                .map(|(name, value)| format!("{}: {}", Json::from(name), turned(value)))
                .collect();
            parts.reverse();
            format!("{{ {} }}", parts.join(" ,\n"))
        }
        Json::Array(items) => {
            format!("[{}]", items.into_iter().map(turned).collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

#[test]
fn the_order_of_members_means_nothing() {
    let data: Vec<Type> = Type::all().filter(|ty| ty.kind() == Kind::Data).collect();
    for (seed, ty) in data.into_iter().enumerate().step_by(3) {
        let value = Value::Object(Maker::new(seed as u64).object(ty, 3));
        // Numbers pass through serde_json here, whose floats are not ours to test.
        let json: Json = serde_json::from_str(&written(ty, &value, Version::NEWEST)).unwrap();
        let text = turned(json);
        for declared in [ty, ty::ANY] {
            let read = decode_value(declared, text.as_bytes(), Version::NEWEST, Limits::default());
            let read = read.unwrap_or_else(|error| panic!("{error}\n{text}")).unwrap();
            assert_eq!(read, flat(&value, declared == ty::ANY), "{ty}\n{text}");
        }
    }
}
