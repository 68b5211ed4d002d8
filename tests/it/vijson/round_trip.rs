//! Whatever the schema allows survives being written as JSON and read.

use serde_json::Value as Json;
use vimsim::schema::{Kind, Method, Type, Version, ty};
use vimsim::value::Value;
use vimsim::wire::vijson::{Limits, decode_arguments, decode_value, encode_arguments};

use super::written;
use crate::maker::{Maker, known};

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
            assert_eq!(travel(ty::ANY, &value, Version::NEWEST), value, "{ty}, seed {seed}");
            assert_eq!(travel(ty, &value, Version::NEWEST), value, "{ty}, seed {seed}");
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
            assert_eq!(travel(ty::ANY, &value, Version::NEWEST), value, "{ty}, seed {seed}");
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
            assert_eq!(*read, *args, "{method}, seed {seed}");
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
            let expected = known(&object, true, version);
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
            assert_eq!(read, value, "{ty}\n{text}");
        }
    }
}
