//! The OpenAPI document: it describes what there is, and what there is does as
//! it says. (The suite of schemathesis in `clients` goes further.)

use serde_json::{Value as Json, json};

use super::World;

/// What a reference in the document stands for.
fn resolve<'d>(document: &'d Json, schema: &'d Json) -> &'d Json {
    match schema["$ref"].as_str() {
        Some(path) => document.pointer(path.trim_start_matches('#')).expect(path),
        None => schema,
    }
}

/// Whether a value is as a schema says; the part of JSON Schema that is used.
fn check(document: &Json, schema: &Json, value: &Json, place: &str) {
    let schema = resolve(document, schema);
    for any in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[any].as_array() {
            let fits = |choice: &&Json| {
                let choice = resolve(document, choice);
                choice["const"] == *value
                    || choice["type"] == kind(value)
                    || choice["enum"].as_array().is_some_and(|it| it.contains(value))
            };
            let choice = choices.iter().find(fits);
            return check(
                document,
                choice.unwrap_or_else(|| panic!("{place}: {value}")),
                value,
                place,
            );
        }
    }
    let types = match &schema["type"] {
        Json::Null => return,
        Json::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    assert!(types.contains(&kind(value).into()), "{place}: {value} is not {types:?}");
    if let Some(required) = schema["required"].as_array() {
        for name in required {
            assert!(value.get(name.as_str().unwrap()).is_some(), "{place}: no {name}");
        }
    }
    if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, value) in fields {
            let schema =
                known.get(name).unwrap_or_else(|| panic!("{place}: {name} is not described"));
            check(document, schema, value, &format!("{place}.{name}"));
        }
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{place}[{at}]"));
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

#[test]
fn every_reply_is_as_the_document_says() {
    let world = World::new();
    let document = world.get("/openapi.json").ok();
    assert_eq!(document["openapi"], "3.1.0");
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let place = format!("{method} {path}");
            for part in ["operationId", "summary", "tags"] {
                assert!(!operation[part].is_null(), "{place}: no {part}");
            }
            if path.ends_with("watch") || path == "/restart" {
                continue;
            }
            // Twice: on a task that is there, and on nothing at all.
            let task = world.power_off("DC0_H0_VM0");
            for name in [task.as_str(), "task-999999"] {
                let url = path.replace("{task}", name).replace("{name}", name);
                let body = if operation["requestBody"].is_null() { "" } else { "{}" };
                let answer = world.request(&method.to_uppercase(), &url, body, &[]);
                let said = &operation["responses"][answer.status.to_string()];
                assert!(!said.is_null(), "{place}: {} is not described", answer.status);
                let schema = &said["content"][&answer.kind]["schema"];
                assert!(!schema.is_null(), "{place}: {} is not described", answer.kind);
                check(&document, schema, &answer.body, &place);
            }
            world.request("POST", &format!("/tasks/{task}/lose"), "", &[]);
        }
    }
    assert!(operations > 15, "{operations}");
}

#[test]
fn what_is_not_there_is_not_allowed() {
    let world = World::new();
    assert_eq!(world.request("DELETE", "/clock", "", &[]).status, 405);
    assert_eq!(world.post("/tasks", &json!({})).status, 405);
}
