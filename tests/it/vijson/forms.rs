//! The forms of JSON, as they stand on the wire.

use vimsim::fault::Fault;
use vimsim::schema::{Version, method, ty};
use vimsim::value::{Array, Binary, DateTime, MoRef, Value};
use vimsim::wire::vijson::{encode_arguments, encode_fault, encode_result};
use vimsim::{enum_value, object};

use super::{any, read, written};

#[track_caller]
fn is_written(value: impl Into<Value>, where_any: &str) {
    let value = value.into();
    assert_eq!(written(ty::ANY, &value, Version::NEWEST), where_any);
    assert_eq!(any(where_any), value);
}

#[test]
fn what_may_stand_anywhere_says_its_type() {
    is_written(true, r#"{"_typeName":"boolean","_value":true}"#);
    is_written(Value::Byte(-128), r#"{"_typeName":"byte","_value":-128}"#);
    is_written(Value::Short(7), r#"{"_typeName":"short","_value":7}"#);
    is_written(7, r#"{"_typeName":"int","_value":7}"#);
    is_written(i64::MIN, r#"{"_typeName":"long","_value":-9223372036854775808}"#);
    is_written(Value::Float(0.1), r#"{"_typeName":"float","_value":0.1}"#);
    is_written(Value::Double(1e300), r#"{"_typeName":"double","_value":1E300}"#);
    is_written(Value::Double(f64::INFINITY), r#"{"_typeName":"double","_value":"INF"}"#);
    is_written("a\"b\n", r#"{"_typeName":"string","_value":"a\"b\n"}"#);
    let time = DateTime::parse("2025-01-01T00:00:00.5Z").unwrap();
    is_written(time, r#"{"_typeName":"dateTime","_value":"2025-01-01T00:00:00.5Z"}"#);
    let bytes = Value::Binary(Binary::new(b"hello"));
    is_written(bytes, r#"{"_typeName":"base64Binary","_value":"aGVsbG8="}"#);
    let state = enum_value!(TaskInfoState::success);
    is_written(state, r#"{"_typeName":"TaskInfoState","_value":"success"}"#);
    let numbers = Array::new(ty::INT, vec![1.into(), 2.into()]);
    is_written(numbers, r#"{"_typeName":"ArrayOfInt","_value":[1,2]}"#);
    is_written(Array::empty(ty::STRING), r#"{"_typeName":"ArrayOfString","_value":[]}"#);
    let mixed = Array::new(ty::ANY, vec![1.into(), "x".into()]);
    is_written(
        mixed,
        r#"{"_typeName":"ArrayOfAnyType","_value":[{"_typeName":"int","_value":1},{"_typeName":"string","_value":"x"}]}"#,
    );
    let vm = MoRef::new(ty::VirtualMachine, "vm-57");
    let shown = r#"{"_typeName":"ManagedObjectReference","type":"VirtualMachine","value":"vm-57"}"#;
    is_written(&vm, shown);
    is_written(
        Array::of_refs([&vm]),
        &format!(r#"{{"_typeName":"ArrayOfManagedObjectReference","_value":[{shown}]}}"#),
    );
    let option = object!(OptionValue { key: "a", value: Value::from(1) });
    is_written(
        option,
        r#"{"_typeName":"OptionValue","key":"a","value":{"_typeName":"int","_value":1}}"#,
    );
}

#[test]
fn what_is_declared_is_not_boxed() {
    let info = object!(TaskInfo {
        key: "task-1",
        state: enum_value!(TaskInfoState::queued),
        cancelled: false,
        progress: 5,
    });
    let expected = r#"{"_typeName":"TaskInfo","key":"task-1","state":"queued","cancelled":false,"progress":5}"#;
    assert_eq!(written(ty::TaskInfo, &info.into(), Version::NEWEST), expected);
}

#[test]
fn references_in_every_form() {
    let vm = Value::Ref(MoRef::new(ty::VirtualMachine, "vm-57"));
    for (declared, text) in [
        (ty::ManagedEntity, r#"{"type":"VirtualMachine","value":"vm-57"}"#),
        (ty::ManagedEntity, r#"{"value":"vm-57","type":"VirtualMachine"}"#),
        (
            ty::ManagedEntity,
            r#"{"value":"vm-57","type":"VirtualMachine","_typeName":"ManagedObjectReference"}"#,
        ),
        (ty::VirtualMachine, r#"{"_typeName":"ManagedObjectReference","value":"vm-57"}"#),
        (
            ty::ANY,
            r#"{"_typeName":"ManagedObjectReference","_value":{"type":"VirtualMachine","value":"vm-57"}}"#,
        ),
        (
            ty::ANY,
            r#"{"_value":{"type":"VirtualMachine","value":"vm-57"},"_typeName":"ManagedObjectReference"}"#,
        ),
    ] {
        let read = read(declared, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(read.as_ref(), Some(&vm), "{text}");
    }
}

#[test]
fn a_type_need_not_be_named_where_it_is_declared() {
    let read = |text| read(ty::Description, text).unwrap_or_else(|error| panic!("{error}"));
    let plain = object!(Description { label: "a", summary: "b" });
    assert_eq!(read(r#"{"label":"a","summary":"b"}"#), Some(plain.into()));
    let derived = object!(ElementDescription { label: "a", summary: "b", key: "c" });
    let text = r#"{"label":"a","key":"c","summary":"b","_typeName":"ElementDescription"}"#;
    assert_eq!(read(text), Some(derived.into()));
    assert_eq!(read("null"), None);
}

#[test]
fn null_is_unset_and_empty_arrays_are_none() {
    let text = r#"{"_typeName":"LocalizableMessage","key":"k","arg":[],"message":null}"#;
    assert_eq!(any(text), Value::Object(object!(LocalizableMessage { key: "k" })));
    let empty = Array::empty(ty::KeyAnyValue);
    let message = object!(LocalizableMessage { key: "k", arg: empty });
    let shown = written(ty::ANY, &message.into(), Version::NEWEST);
    assert_eq!(shown, r#"{"_typeName":"LocalizableMessage","key":"k"}"#);
}

#[test]
fn what_is_newer_than_the_release_is_not_sent() {
    let fault = Fault::no_permission(&MoRef::new(ty::Folder, "group-d1"), "System.View");
    let shown = |version: &str| {
        let mut out = Vec::new();
        encode_fault(&fault, Version::parse(version).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert!(shown("8.0.1.0").contains("missingPrivileges"));
    assert!(!shown("7.0.0.0").contains("missingPrivileges"));
    let begin = r#"{"_typeName":"NoPermission","faultstring":"Permission to perform this operation was denied.","object":{"#;
    assert!(shown("7.0.0.0").starts_with(begin), "{}", shown("7.0.0.0"));
    assert!(shown("7.0.0.0").ends_with(r#","privilegeId":"System.View"}"#));
}

#[test]
fn a_fault_in_data_is_the_fault_itself() {
    let state = enum_value!(VirtualMachinePowerState::poweredOff);
    let fault = Fault::invalid_power_state(None, state).localized();
    let shown = r#"{"_typeName":"InvalidPowerState","faultstring":"The attempted operation cannot be performed in the current state (Powered off).","existingState":"poweredOff"}"#;
    is_written(&fault, shown);
    let declared = |text| read(ty::LocalizedMethodFault, text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(declared(shown).as_ref(), Some(&fault.clone().into()));
    // Without a message, in another order, and as SOAP has it.
    let bare = r#"{"existingState":"poweredOff","_typeName":"InvalidPowerState"}"#;
    let silent = object!(InvalidPowerState { existingState: state });
    let silent = object!(LocalizedMethodFault { fault: silent });
    assert_eq!(declared(bare), Some(silent.into()));
    let wrapped = r#"{"_typeName":"LocalizedMethodFault","fault":{"_typeName":"NotFound"},"localizedMessage":"x"}"#;
    let expected = Fault::of(ty::NotFound, "x").localized();
    assert_eq!(declared(wrapped), Some(expected.clone().into()));
    is_written(
        Array::new(ty::LocalizedMethodFault, vec![expected.into()]),
        r#"{"_typeName":"ArrayOfMethodFault","_value":[{"_typeName":"NotFound","faultstring":"x"}]}"#,
    );
    assert!(read(ty::LocalizedMethodFault, r#"{"_typeName":"Event"}"#).is_err());
    assert!(read(ty::OptionValue, r#"{"key":"a","faultstring":"x"}"#).is_err());
}

#[test]
fn results_that_are_nothing_have_no_body() {
    let encode = |method: vimsim::schema::Method, value: Option<&Value>| {
        let mut out = Vec::new();
        let field = method.result().expect("a result");
        encode_result(field, value, Version::NEWEST, &mut out)
            .then(|| String::from_utf8(out).unwrap())
    };
    let found = method::FindAllByDnsName;
    assert_eq!(encode(found, None).as_deref(), Some("[]"));
    let none = Value::Array(Array::empty(ty::ManagedObject));
    assert_eq!(encode(found, Some(&none)).as_deref(), Some("[]"));
    assert_eq!(encode(method::QueryEvents, None), None);
    assert_eq!(encode(method::QueryEvents, Some(&Array::empty(ty::Event).into())), None);
    assert_eq!(encode(method::FindByUuid, None), None);
}

#[test]
fn a_call_as_clients_write_it() {
    let mut out = Vec::new();
    let args = [Some(Value::from("a")), Some(Value::from("b")), None];
    encode_arguments(method::Login, &args, Version::NEWEST, &mut out);
    let expected = r#"{"_typeName":"LoginRequestType","userName":"a","password":"b"}"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let mut out = Vec::new();
    encode_arguments(method::PowerOnVM_Task, &[None], Version::NEWEST, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), r#"{"_typeName":"PowerOnVMRequestType"}"#);
}
