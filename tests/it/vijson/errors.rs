//! What is wrong with a document is said with its place.

use vimsim::fault::Fault;
use vimsim::schema::{Method, Version, method, ty};
use vimsim::wire::vijson::{DecodeError, Limits, Problem, decode_arguments, decode_value};

#[track_caller]
fn refused(method: Method, text: &str) -> DecodeError {
    match decode_arguments(method, text.as_bytes(), Version::NEWEST, Limits::default()) {
        Ok(args) => panic!("{text} is read as {args:?}"),
        Err(error) => error,
    }
}

#[test]
fn each_mistake_has_its_name_and_place() {
    let retrieve = method::RetrievePropertiesEx;
    type Is = fn(&Problem) -> bool;
    let cases: &[(Method, &str, &str, Is)] = &[
        (method::Login, "", "", |p| *p == Problem::MissingParameter("userName")),
        (method::Login, "null", "", |p| matches!(p, Problem::Malformed(_))),
        (method::Login, "[]", "", |p| matches!(p, Problem::Malformed(_))),
        (method::Login, r#"{"userName":"a"}"#, "", |p| *p == Problem::MissingParameter("password")),
        (method::Login, r#"{"userName":"a","password":"b"} x"#, "", |p| {
            matches!(p, Problem::Malformed(_))
        }),
        (method::Login, r#"{"userName":"a","password":"b""#, "", |p| {
            matches!(p, Problem::Malformed(_))
        }),
        (method::Login, r#"{"userName":"a","userName":"b"}"#, "", |p| {
            *p == Problem::Twice("userName".into())
        }),
        (method::Login, r#"{"userName":1}"#, "userName", |p| {
            *p == Problem::Mismatch { found: "a number", expected: "string" }
        }),
        (method::Login, r#"{"userName":["a"]}"#, "userName", |p| {
            *p == Problem::Mismatch { found: "an array", expected: "string" }
        }),
        (method::Login, r#"{"username":"a"}"#, "", |p| {
            *p == Problem::Unexpected { property: "username".into(), owner: "Login" }
        }),
        (method::Login, r#"{"_typeName":"LogoutRequestType","userName":"a"}"#, "", |p| {
            *p == Problem::UnknownType("LogoutRequestType".into())
        }),
        (
            retrieve,
            r#"{"specSet":[{"propSet":[{"type":"Folder"},{"type":7}]}]}"#,
            "specSet[0].propSet[1].type",
            |p| matches!(p, Problem::Mismatch { .. }),
        ),
        (retrieve, r#"{"specSet":[{"propSet":[{"all":1}]}]}"#, "specSet[0].propSet[0].all", |p| {
            *p == Problem::Mismatch { found: "a number", expected: "boolean" }
        }),
        (retrieve, r#"{"specSet":[{"propSet":[{}]}]}"#, "specSet[0].propSet[0]", |p| {
            *p == Problem::MissingProperty { property: "type", ty: "PropertySpec" }
        }),
        (retrieve, r#"{"specSet":{}}"#, "specSet", |p| {
            *p == Problem::Mismatch { found: "an object", expected: "ArrayOfPropertyFilterSpec" }
        }),
        (retrieve, r#"{"specSet":[null]}"#, "specSet[0]", |p| {
            *p == Problem::Mismatch { found: "null", expected: "PropertyFilterSpec" }
        }),
        (retrieve, r#"{"specSet":[],"options":{"maxObjects":1.5}}"#, "options.maxObjects", |p| {
            *p == Problem::InvalidValue { value: "1.5".into(), ty: "int" }
        }),
        (
            retrieve,
            r#"{"specSet":[],"options":{"maxObjects":2147483648}}"#,
            "options.maxObjects",
            |p| *p == Problem::InvalidValue { value: "2147483648".into(), ty: "int" },
        ),
        (retrieve, r#"{"specSet":[],"options":{"_typeName":"Wrong"}}"#, "options._typeName", |p| {
            *p == Problem::UnknownType("Wrong".into())
        }),
        (retrieve, r#"{"specSet":[],"options":{"_typeName":"Event"}}"#, "options._typeName", |p| {
            *p == Problem::TypeMismatch { found: "Event", expected: "RetrieveOptions" }
        }),
        (method::SetTaskState, r#"{"state":"done"}"#, "state", |p| {
            matches!(p, Problem::InvalidValue { ty: "TaskInfoState", .. })
        }),
        (method::SetTaskState, r#"{"state":"success","result":"x"}"#, "result", |p| {
            *p == Problem::Untyped
        }),
        (method::SetTaskState, r#"{"state":"success","result":{"a":1}}"#, "result", |p| {
            *p == Problem::Untyped
        }),
        (
            method::SetTaskState,
            r#"{"state":"success","result":{"_typeName":"int"}}"#,
            "result",
            |p| *p == Problem::NoValue("int"),
        ),
        (
            method::SetTaskState,
            r#"{"state":"success","result":{"_typeName":"int","_value":"1"}}"#,
            "result._value",
            |p| *p == Problem::Mismatch { found: "a text", expected: "int" },
        ),
        (
            method::SetTaskState,
            r#"{"state":"success","result":{"_typeName":"ArrayOfInt","_value":[1,true]}}"#,
            "result._value[1]",
            |p| *p == Problem::Mismatch { found: "a truth value", expected: "int" },
        ),
        (
            method::SetTaskState,
            r#"{"state":"success","result":{"_typeName":"OptionValue","key":"a","key":"b"}}"#,
            "result",
            |p| *p == Problem::Twice("key".into()),
        ),
        (
            method::CreateTask,
            r#"{"obj":{"type":"Nothing","value":"x"},"taskTypeId":"a","cancelable":true}"#,
            "obj",
            |p| *p == Problem::UnknownType("Nothing".into()),
        ),
        (
            method::CreateTask,
            r#"{"obj":{"type":"Folder"},"taskTypeId":"a","cancelable":true}"#,
            "obj",
            |p| matches!(p, Problem::MissingProperty { property: "value", .. }),
        ),
        (
            method::FindByUuid,
            r#"{"datacenter":{"type":"VirtualMachine","value":"vm-1"},"uuid":"x","vmSearch":true}"#,
            "datacenter",
            |p| *p == Problem::TypeMismatch { found: "VirtualMachine", expected: "Datacenter" },
        ),
    ];
    for (method, text, path, is) in cases {
        let error = refused(*method, text);
        assert!(is(error.problem()), "{text}: {error:?}");
        assert_eq!(error.path(), *path, "{text}: {error:?}");
        assert!(error.to_string().contains(method.vmodl()), "{error}");
    }
}

#[test]
fn a_mistake_has_its_line() {
    let error = refused(method::Login, "{\n  \"userName\": \"a\",\n  \"password\": 7\n}");
    assert_eq!((error.line(), error.path().as_str()), (3, "password"));
    let expected = "Found a number where string is declared\nat line 3, column 15\n\n\
        while parsing password\n\n\
        while parsing HTTP request for method login\non object of type vim.SessionManager";
    assert_eq!(error.to_string(), expected);
    let fault = Fault::from(error);
    assert_eq!((fault.ty(), fault.message()), (ty::InvalidRequest, expected));
    let unknown =
        refused(method::SetTaskState, r#"{"state":"success","result":{"_typeName":"X"}}"#);
    assert_eq!(Fault::from(unknown).ty(), ty::InvalidType);
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "{",
        "{]",
        "{'a':1}",
        "{\"userName\"}",
        "\u{feff}{}",
        "{\"userName\":\"\u{1}\"}",
        "nul",
        "<a/>",
    ] {
        let error = refused(method::Login, text);
        assert!(matches!(error.problem(), Problem::Malformed(_)), "{text}: {error:?}");
    }
    let bytes = b"{\"userName\":\"\xff\"}";
    let error = decode_arguments(method::Login, bytes, Version::NEWEST, Limits::default());
    assert!(matches!(error.unwrap_err().problem(), Problem::Malformed(_)));
}

#[test]
fn every_cut_document_is_refused() {
    let text = r#"{"_typeName":"SetTaskStateRequestType","state":"success","result":{"key":"a","value":{"_value":[1,2],"_typeName":"ArrayOfInt"},"_typeName":"OptionValue"}}"#;
    let read = |text: &[u8]| {
        decode_arguments(method::SetTaskState, text, Version::NEWEST, Limits::default())
    };
    assert!(read(text.as_bytes()).is_ok());
    for end in 1..text.len() {
        assert!(read(&text.as_bytes()[..end]).is_err(), "{}", &text[..end]);
    }
}

#[test]
fn limits_hold() {
    let read = |text: &str, limits| decode_value(ty::ANY, text.as_bytes(), Version::NEWEST, limits);
    let problem = |text: &str, limits| read(text, limits).unwrap_err().problem().clone();
    let few = Limits { values: 10, text: 10, fields: 10 };
    let many = format!(r#"{{"_typeName":"ArrayOfInt","_value":[{}1]}}"#, "1,".repeat(20));
    assert_eq!(problem(&many, few), Problem::Limit("values"));
    let long = r#"{"_typeName":"string","_value":"01234567890"}"#;
    assert_eq!(problem(long, few), Problem::Limit("the length of a text"));
    let wide = r#"{"_typeName":"VirtualMachineConfigSpec"}"#;
    assert_eq!(problem(wide, few), Problem::Limit("fields"));
    assert!(read(&many, Limits::default()).is_ok());
    // Deep documents are refused, whether their types stand in front or not.
    let deep = 100_000;
    let open = r#"{"_typeName":"KeyAnyValue","key":"k","value":"#;
    for text in [
        format!("{}null{}", open.repeat(deep), "}".repeat(deep)),
        format!(r#"{}null{}"#, r#"{"key":"k","value":"#.repeat(deep), "}".repeat(deep)),
        "[".repeat(deep),
    ] {
        let problem = problem(&text, Limits::default());
        assert!(matches!(problem, Problem::Malformed(_) | Problem::Untyped), "{problem:?}");
    }
    let fits = format!("{}null{}", open.repeat(100), "}".repeat(100));
    assert!(matches!(problem(&fits, Limits::default()), Problem::MissingProperty { .. }));
}
