//! JSON-RPC in its versions 1.0 and 2.0; a request without `jsonrpc` is of the
//! first.

use serde_json::Value as Json;

use super::Malformed;
use crate::value::Str;
use crate::xenapi::value::time_text;
use crate::xenapi::{Failure, Value};

/// A request, with what its reply has to repeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The method's name.
    pub name: String,
    /// The arguments.
    pub params: Vec<Value>,
    /// Version and id.
    pub head: Head,
}

/// What a reply repeats of its request.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Whether the request is of version 2.0.
    pub second: bool,
    /// A number or a text.
    pub id: Json,
}

/// Reads a request. The parser bounds the depth.
pub fn decode(body: &[u8]) -> Result<Call, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let json: Json =
        serde_json::from_str(text).map_err(|error| Malformed::Document(error.to_string()))?;
    let Json::Object(mut request) = json else {
        return Err(Malformed::NoRequest("the request is not an object"));
    };
    let second = match request.get("jsonrpc") {
        None => false,
        Some(Json::String(version)) if version == "2.0" => true,
        Some(Json::String(version)) if version == "1.0" => false,
        Some(_) => return Err(Malformed::NoRequest("the version is not known")),
    };
    let id = match request.remove("id") {
        Some(id @ Json::String(_)) => id,
        Some(Json::Number(number)) if number.is_i64() => Json::Number(number),
        _ => return Err(Malformed::NoRequest("the id is neither a whole number nor a text")),
    };
    let Some(Json::String(name)) = request.remove("method") else {
        return Err(Malformed::NoRequest("there is no method"));
    };
    let params = match request.remove("params") {
        Some(Json::Array(params)) => params.into_iter().map(value).collect(),
        None => Vec::new(),
        Some(_) => return Err(Malformed::NoRequest("the parameters are not a list")),
    };
    Ok(Call { name, params, head: Head { second, id } })
}

fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Void,
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::Set(items.into_iter().map(value).collect()),
        Json::Object(entries) => Value::Map(
            entries.into_iter().map(|(name, item)| (Str::from(name), value(item))).collect(),
        ),
    }
}

/// An answer in the version of its request.
pub fn encode(answer: &Result<Value, Failure>, head: &Head) -> String {
    let mut out = String::with_capacity(512);
    out.push('{');
    if head.second {
        out.push_str("\"jsonrpc\":\"2.0\",");
    }
    match (answer, head.second) {
        (Ok(value), second) => {
            out.push_str("\"result\":");
            write(value, &mut out);
            if !second {
                out.push_str(",\"error\":null");
            }
        }
        (Err(failure), false) => {
            out.push_str("\"result\":null,\"error\":");
            write(&Value::texts(failure.description().cloned()), &mut out);
        }
        (Err(failure), true) => {
            out.push_str("\"error\":{\"code\":1,\"message\":");
            write_text(&failure.code, &mut out);
            out.push_str(",\"data\":");
            write(&Value::texts(failure.params.iter().cloned()), &mut out);
            out.push('}');
        }
    }
    out.push_str(",\"id\":");
    out.push_str(&head.id.to_string());
    out.push('}');
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Void => out.push_str("\"\""),
        Value::String(text) => write_text(text, out),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Small(number) => out.push_str(&number.to_string()),
        // What is no number in JSON is written as null.
        Value::Float(number) => out.push_str(&Json::from(*number).to_string()),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Time(time) => write_text(&time_text(*time), out),
        Value::Set(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (at, (name, item)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    // With its quotes.
    out.push_str(&Json::from(text).to_string());
}
