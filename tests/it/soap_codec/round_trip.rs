//! Whatever the schema allows survives being written and read.

use vimsim::schema::{Kind, Method, Type, Version, method, ty};
use vimsim::value::{EnumValue, MoRef, Str, Value};
use vimsim::wire::soap::{Header, Limits, Request, decode_request, encode_request};

use crate::maker::{Maker, known};

fn any_request(maker: &mut Maker, method: Method) -> Request {
    let Value::Ref(this) = maker.value(method.owner(), 0) else { panic!("a reference") };
    let args = method.params().iter().map(|param| maker.field(*param, 3)).collect();
    let mut text = || (maker.below(4) == 0).then(|| Str::from(maker.text()));
    let header = Header {
        operation_id: text(),
        activation_id: text(),
        change_tag: text(),
        session_cookie: text(),
        has_token: false,
    };
    Request { this, method, args, version: Version::NEWEST, header }
}

fn carry(value: &Value, version: Version) -> Request {
    let this = MoRef::new(ty::Task, "task-1");
    let method = method::SetTaskState;
    let state = EnumValue::parse(ty::TaskInfoState, "success").unwrap();
    let args = method.params().iter().map(|param| match param.name() {
        "state" => Some(state.into()),
        "result" => Some(value.clone()),
        _ => None,
    });
    Request { this, method, args: args.collect(), version, header: Header::default() }
}

#[track_caller]
fn travel(request: &Request) -> Request {
    let mut document = Vec::new();
    encode_request(request, &mut document);
    let action = format!("urn:vim25/{}", request.version);
    let limits = Limits::default();
    decode_request(&document, Some(&action), limits).unwrap_or_else(|error| {
        panic!("{error}\n{}", String::from_utf8_lossy(&document));
    })
}

#[test]
fn every_data_type() {
    let mut count = 0;
    for ty in Type::all().filter(|ty| ty.kind() == Kind::Data) {
        for seed in 0..6 {
            let mut maker = Maker::new(seed << 32 | ty.index() as u64);
            let depth = if seed == 0 { 1 } else { 3 };
            let request = carry(&maker.object(ty, depth).into(), Version::NEWEST);
            assert_eq!(travel(&request), request, "{ty}, seed {seed}");
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
            let request = carry(&value, Version::NEWEST);
            assert_eq!(travel(&request), request, "{ty}, seed {seed}");
        }
    }
}

#[test]
fn every_method() {
    for method in Method::all() {
        for seed in 0..4 {
            let mut maker = Maker::new(seed << 32 | method.index() as u64);
            let request = any_request(&mut maker, method);
            assert_eq!(travel(&request), request, "{method}, seed {seed}");
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
            let seen = travel(&carry(&object, version));
            let expected = carry(&known(&object, true, version), version);
            assert_eq!(seen, expected, "{ty} for {version}, seed {seed}");
        }
    }
}
