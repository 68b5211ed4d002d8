//! Writing JSON: values by what is declared, straight into one buffer.
//!
//! Everything that is fixed for a type or a field, such as `,"name":`, is put
//! together once and copied from then on. An object always begins with its
//! `_typeName`, so a comma stands before every field, and nothing has to be
//! remembered.

use std::io::Write;
use std::sync::LazyLock;

use super::decode::plain;
use crate::fault::Fault;
use crate::path;
use crate::schema::{Field, Kind, Method, Type, Version, ty};
use crate::value::{Array, EnumValue, MoRef, Object, Value};
use crate::wire::scalar;

/// Texts by the number of a type or a field.
type Texts = Box<[Box<str>]>;

/// What stands before a field's value: `,"name":`.
static KEYS: LazyLock<Texts> = LazyLock::new(|| {
    let of_types = Type::all().filter(|ty| ty.kind() == Kind::Data).flat_map(Type::fields);
    let fields = of_types.chain(Method::all().flat_map(Method::params));
    texts(fields.map(|field| (field.index(), format!(",\"{}\":", field.name()))))
});

/// How an object begins: `{"_typeName":"TaskInfo"`.
static OPENINGS: LazyLock<Texts> = LazyLock::new(|| {
    texts(Type::all().map(|ty| (ty.index(), format!("{{\"_typeName\":\"{}\"", ty.name()))))
});

fn texts(all: impl Iterator<Item = (usize, String)>) -> Texts {
    let mut texts: Vec<Box<str>> = Vec::new();
    for (index, text) in all {
        if texts.len() <= index {
            texts.resize_with(index + 1, Box::default);
        }
        if let Some(place) = texts.get_mut(index) {
            *place = text.into();
        }
    }
    texts.into()
}

/// How a reference begins, whatever it refers to.
const REFERENCE: &str = "{\"_typeName\":\"ManagedObjectReference\",\"type\":\"";

/// Appends what a method or property declared as `field` answers to a client of
/// `version`; false if that is nothing.
pub fn encode_result(
    field: Field,
    value: Option<&Value>,
    version: Version,
    out: &mut Vec<u8>,
) -> bool {
    match value {
        Some(value) if !is_left_out(field, value) => {
            Encoder::new(out, version).place(field, value);
            true
        }
        None if field.is_array() && !field.is_optional() => {
            out.extend_from_slice(b"[]");
            true
        }
        _ => false,
    }
}

/// Appends a value that stands where `declared` is declared.
pub fn encode_value(declared: Type, value: &Value, version: Version, out: &mut Vec<u8>) {
    Encoder::new(out, version).value(declared, value);
}

/// Appends a fault as the body of a reply.
pub fn encode_fault(fault: &Fault, version: Version, out: &mut Vec<u8>) {
    Encoder::new(out, version).fault(fault.object(), Some(fault.message()));
}

/// Appends the body of a call, as a client of `version` writes it.
pub fn encode_arguments(
    method: Method,
    args: &[Option<Value>],
    version: Version,
    out: &mut Vec<u8>,
) {
    let mut encoder = Encoder::new(out, version);
    encoder.push("{\"_typeName\":\"");
    encoder.push(plain(method));
    encoder.push("RequestType\"");
    for (param, value) in method.params().iter().zip(args) {
        if let Some(value) = value {
            encoder.field(*param, value);
        }
    }
    encoder.push("}");
}

/// Whether a field is not written: it is an empty array, and need not be there.
fn is_left_out(field: Field, value: &Value) -> bool {
    field.is_array() && field.is_optional() && value.items().is_empty()
}

/// Writes values for a client of one version.
struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    version: Version,
    keys: &'static [Box<str>],
    openings: &'static [Box<str>],
}

impl<'o> Encoder<'o> {
    fn new(out: &'o mut Vec<u8>, version: Version) -> Self {
        Self { out, version, keys: &KEYS, openings: &OPENINGS }
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a field with its name.
    fn field(&mut self, field: Field, value: &Value) {
        if is_left_out(field, value) {
            return;
        }
        match self.keys.get(field.index()) {
            Some(key) => self.out.extend_from_slice(key.as_bytes()),
            None => {
                self.push(",\"");
                self.push(field.name());
                self.push("\":");
            }
        }
        self.place(field, value);
    }

    /// Writes what `field` holds.
    fn place(&mut self, field: Field, value: &Value) {
        if field.is_array() {
            self.items(field.ty(), value.items());
        } else {
            self.value(field.ty(), value);
        }
    }

    fn items(&mut self, element: Type, items: &[Value]) {
        self.push("[");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.push(",");
            }
            self.value(element, item);
        }
        self.push("]");
    }

    fn fields(&mut self, known: Type, object: &Object) {
        for (field, value) in known.fields().iter().zip(object.slots()) {
            if let Some(value) = value
                && field.since() <= self.version
            {
                self.field(*field, value);
            }
        }
    }

    fn open(&mut self, ty: Type) {
        match self.openings.get(ty.index()) {
            Some(opening) => self.out.extend_from_slice(opening.as_bytes()),
            None => self.push("{\"_typeName\":\"DynamicData\""),
        }
    }

    fn value(&mut self, declared: Type, value: &Value) {
        match value {
            Value::Object(object) if object.ty() == ty::LocalizedMethodFault => {
                let at = |path| object.at(path);
                let message = at(path!(LocalizedMethodFault, "localizedMessage"));
                match at(path!(LocalizedMethodFault, "fault")).and_then(Value::as_object) {
                    Some(fault) => self.fault(fault, message.and_then(Value::as_str)),
                    None => self.fault(&Object::empty(ty::MethodFault), None),
                }
            }
            Value::Object(object) => {
                let known = object.ty().known_to(self.version);
                self.open(known);
                self.fields(known, object);
                self.push("}");
            }
            Value::Ref(reference) => self.reference(reference),
            // Only what says nothing of its type needs a box, and only here.
            _ if declared == ty::ANY => {
                self.open(self.box_of(value));
                self.push(",\"_value\":");
                self.bare(value);
                self.push("}");
            }
            _ => self.bare(value),
        }
    }

    /// The type that the box around a value names.
    fn box_of(&self, value: &Value) -> Type {
        match value {
            Value::Enum(value) if value.ty().since() > self.version => ty::STRING,
            Value::Array(array) => self.element(array).array().unwrap_or(ty::ArrayOfAnyType),
            _ => value.ty(),
        }
    }

    fn element(&self, array: &Array) -> Type {
        match array.element() {
            ty::LocalizedMethodFault => ty::MethodFault,
            element => element.known_to(self.version),
        }
    }

    /// Writes a fault, wherever it stands, with its message among its fields.
    fn fault(&mut self, fault: &Object, message: Option<&str>) {
        let known = fault.ty().known_to(self.version);
        self.open(known);
        if let Some(message) = message {
            self.push(",\"faultstring\":");
            self.text(message);
        }
        self.fields(known, fault);
        self.push("}");
    }

    /// Writes a value that is neither an object nor a reference.
    fn bare(&mut self, value: &Value) {
        match value {
            Value::Boolean(value) => self.push(if *value { "true" } else { "false" }),
            Value::Byte(value) => scalar::write_integer(i64::from(*value), self.out),
            Value::Short(value) => scalar::write_integer(i64::from(*value), self.out),
            Value::Int(value) => scalar::write_integer(i64::from(*value), self.out),
            Value::Long(value) => scalar::write_integer(*value, self.out),
            Value::Float(value) if value.is_finite() => scalar::write_float(*value, self.out),
            Value::Float(value) => {
                self.quoted(|out| scalar::write_float(*value, out));
            }
            Value::Double(value) if value.is_finite() => scalar::write_double(*value, self.out),
            Value::Double(value) => {
                self.quoted(|out| scalar::write_double(*value, out));
            }
            Value::String(value) => self.text(value),
            Value::DateTime(value) => self.quoted(|out| value.write(out)),
            Value::Binary(value) => {
                self.quoted(|out| scalar::write_base64(value.as_slice(), out));
            }
            Value::Enum(value) => self.member(*value),
            Value::Array(array) => self.items(self.element(array), array.items()),
            Value::Ref(_) | Value::Object(_) => self.value(ty::ANY, value),
        }
    }

    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.push("\"");
        write(self.out);
        self.push("\"");
    }

    /// The members of an enumeration are plain words.
    fn member(&mut self, value: EnumValue) {
        self.push("\"");
        self.push(value.as_str());
        self.push("\"");
    }

    fn reference(&mut self, reference: &MoRef) {
        self.push(REFERENCE);
        self.push(reference.ty().known_to(self.version).name());
        self.push("\",\"value\":");
        self.text(reference.id());
        self.push("}");
    }

    fn text(&mut self, text: &str) {
        self.push("\"");
        escape(text, self.out);
        self.push("\"");
    }
}

/// Appends a text with what JSON does not allow in one written in another way.
fn escape(text: &str, out: &mut Vec<u8>) {
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let mut rest = text.as_bytes();
    while let Some(found) = rest.iter().position(is_special) {
        let (plain, tail) = rest.split_at(found);
        out.extend_from_slice(plain);
        let [byte, after @ ..] = tail else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            // Writing to memory does not fail.
            byte => drop(write!(out, "\\u{byte:04x}")),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_json_cannot_hold_as_it_is() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("a\"b\\c/d", "a\\\"b\\\\c/d"),
            ("tab\tline\nreturn\r", "tab\\tline\\nreturn\\r"),
            ("nul\0bell\u{7}", "nul\\u0000bell\\u0007"),
            ("Zürich 日本 \u{2028}", "Zürich 日本 \u{2028}"),
        ] {
            let mut out = Vec::new();
            escape(text, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn names_are_plain_words() {
        let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        for ty in Type::all() {
            assert!(plain(ty.name()), "{ty}");
            assert!(ty.fields().iter().all(|field| plain(field.name())), "{ty}");
            let json = |value: &&str| serde_json::to_string(value).ok();
            let bare = |value: &&str| Some(format!("\"{value}\""));
            assert!(ty.enum_values().iter().all(|value| json(value) == bare(value)), "{ty}");
        }
    }
}
