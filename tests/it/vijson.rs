//! VI/JSON: the codec, and what clients get over HTTP.

mod errors;
mod forms;
mod http;
mod round_trip;

use vimsim::schema::{Type, Version, ty};
use vimsim::value::Value;
use vimsim::wire::vijson::{DecodeError, Limits, decode_value, encode_value};

/// A value as JSON, where `declared` is declared.
fn written(declared: Type, value: &Value, version: Version) -> String {
    let mut out = Vec::new();
    encode_value(declared, value, version, &mut out);
    String::from_utf8(out).expect("text")
}

/// What a JSON text is where `declared` is declared.
fn read(declared: Type, text: &str) -> Result<Option<Value>, DecodeError> {
    decode_value(declared, text.as_bytes(), Version::NEWEST, Limits::default())
}

/// What a JSON text is where anything may stand.
#[track_caller]
fn any(text: &str) -> Value {
    read(ty::ANY, text).unwrap_or_else(|error| panic!("{error}")).expect("not null")
}
