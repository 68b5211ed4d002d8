//! Writing data: values to elements, straight into one buffer.
//!
//! Fields come in declaration order; `xsi:type` stands where the declared type
//! does not say what follows; what a client of an older version does not know
//! is left out, or sent as the base type that it does know.

use super::decode::item_name;
use crate::schema::{Field, Namespace, Type, Version, ty};
use crate::value::{Array, EnumValue, MoRef, Object, Value};
use crate::vsphere::{Row, Told, missing_property};
use crate::wire::scalar;

/// Writes values for a client of one version.
pub(super) struct Encoder<'o> {
    /// Where the text goes.
    pub(super) out: &'o mut Vec<u8>,
    version: Version,
    /// The namespace that elements without a prefix are in.
    namespace: Namespace,
}

impl<'o> Encoder<'o> {
    /// An encoder for a client of `version` inside an element of `namespace`.
    pub(super) fn new(out: &'o mut Vec<u8>, version: Version, namespace: Namespace) -> Self {
        Self { out, version, namespace }
    }

    /// Writes what `field` holds: one element, or one for each item of an array.
    pub(super) fn field(&mut self, field: Field, value: &Value) {
        if field.is_array() {
            for item in value.elements() {
                self.element(field.open(), field.close(), field.ty(), item);
            }
        } else {
            self.element(field.open(), field.close(), field.ty(), value);
        }
    }

    /// Writes the fields of an object that its version knows.
    pub(super) fn fields(&mut self, known: Type, object: &Object) {
        for (field, value) in known.fields().iter().zip(object.slots()) {
            if let Some(value) = value
                && field.since() <= self.version
            {
                self.field(*field, value);
            }
        }
    }

    /// Writes what was found of one object as an `ObjectContent` in `field`.
    pub(super) fn content(&mut self, field: Field, row: Row<'_>) {
        self.push(field.open());
        self.push("<obj");
        self.target(row.object());
        self.push("</obj>");
        let mut missing = Vec::new();
        for told in row.told() {
            match told {
                Told::Value(name, value) => {
                    self.push("<propSet><name>");
                    escape(name, self.out);
                    self.push("</name>");
                    self.element("<val>", "</val>", ty::ANY, &value);
                    self.push("</propSet>");
                }
                Told::Missing(name, fault) => missing.push(missing_property(name, &fault)),
            }
        }
        for property in missing {
            self.element("<missingSet>", "</missingSet>", ty::MissingProperty, &property.into());
        }
        self.push(field.close());
    }

    /// The type nearest to `ty` in its line of bases that the client knows.
    pub(super) fn known(&self, ty: Type) -> Type {
        ty.known_to(self.version)
    }

    /// Writes one element; `open` and `close` are its tags.
    fn element(&mut self, open: &str, close: &str, declared: Type, value: &Value) {
        // Scalars need no type where anything but `anyType` is declared.
        let typed = declared == ty::ANY;
        match value {
            Value::Boolean(value) => {
                self.scalar(open, "boolean", typed);
                self.push(if *value { "true" } else { "false" });
            }
            Value::Byte(value) => self.integer(open, "byte", typed, i64::from(*value)),
            Value::Short(value) => self.integer(open, "short", typed, i64::from(*value)),
            Value::Int(value) => self.integer(open, "int", typed, i64::from(*value)),
            Value::Long(value) => self.integer(open, "long", typed, *value),
            Value::Float(value) => {
                self.scalar(open, "float", typed);
                scalar::write_float(*value, self.out);
            }
            Value::Double(value) => {
                self.scalar(open, "double", typed);
                scalar::write_double(*value, self.out);
            }
            Value::String(value) => {
                self.scalar(open, "string", typed);
                escape(value, self.out);
            }
            Value::DateTime(value) => {
                self.scalar(open, "dateTime", typed);
                value.write(self.out);
            }
            Value::Binary(value) => {
                self.scalar(open, "base64Binary", typed);
                scalar::write_base64(value.as_slice(), self.out);
            }
            Value::Enum(value) => self.member(open, typed, *value),
            Value::Ref(value) => self.reference(open, typed, value),
            Value::Object(value) => {
                let known = self.known(value.ty());
                if known == declared {
                    self.push(open);
                } else {
                    self.start(open);
                    self.xsi_type(known);
                }
                self.fields(known, value);
            }
            Value::Array(value) => self.array(open, value),
        }
        self.push(close);
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes an opening tag up to where attributes may follow.
    fn start(&mut self, open: &str) {
        self.push(open.strip_suffix('>').unwrap_or(open));
    }

    fn scalar(&mut self, open: &str, name: &str, typed: bool) {
        if typed {
            self.start(open);
            self.push(" xsi:type=\"xsd:");
            self.push(name);
            self.push("\">");
        } else {
            self.push(open);
        }
    }

    fn integer(&mut self, open: &str, name: &str, typed: bool, value: i64) {
        self.scalar(open, name, typed);
        scalar::write_integer(value, self.out);
    }

    fn member(&mut self, open: &str, typed: bool, value: EnumValue) {
        if typed && value.ty().since() <= self.version {
            self.start(open);
            self.xsi_type(value.ty());
        } else {
            self.scalar(open, "string", typed);
        }
        escape(value.as_str(), self.out);
    }

    fn reference(&mut self, open: &str, typed: bool, value: &MoRef) {
        self.start(open);
        if typed {
            self.push(" type=\"");
            self.push(self.known(value.ty()).name());
            self.push("\"");
            self.named("ManagedObjectReference", Namespace::Vim25);
            escape(value.id(), self.out);
        } else {
            self.target(value);
        }
    }

    /// Ends an opening tag with the type that a reference names, and says which
    /// object it is.
    fn target(&mut self, value: &MoRef) {
        self.push(" type=\"");
        self.push(self.known(value.ty()).name());
        self.push("\">");
        escape(value.id(), self.out);
    }

    fn array(&mut self, open: &str, value: &Array) {
        let element = self.known(value.element());
        self.start(open);
        self.xsi_type(element.array().unwrap_or(ty::ArrayOfAnyType));
        let name = item_name(element);
        let (item_open, item_close) = (format!("<{name}>"), format!("</{name}>"));
        for item in value.iter() {
            self.element(&item_open, &item_close, element, item);
        }
    }

    /// Ends an opening tag with the type of what follows.
    pub(super) fn xsi_type(&mut self, ty: Type) {
        self.named(ty.name(), ty.namespace());
    }

    fn named(&mut self, name: &str, namespace: Namespace) {
        if namespace == self.namespace {
            self.push(" xsi:type=\"");
        } else {
            self.push(" xmlns:of=\"");
            self.push(namespace.uri());
            self.push("\" xsi:type=\"of:");
        }
        self.push(name);
        self.push("\">");
    }
}

/// What a byte of text becomes; nothing for the bytes that stay.
const fn replacement(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        // A reader would take the bare character for a line end.
        b'\r' => Some("&#xD;"),
        b'\t' | b'\n' => None,
        // XML 1.0 has no way to write these.
        0..b' ' => Some("\u{fffd}"),
        _ => None,
    }
}

#[allow(clippy::indexing_slicing, reason = "runs while compiling")]
static IS_SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        // The last character of the basic plane, U+FFFE and U+FFFF start with 0xef.
        table[byte] = replacement(byte as u8).is_some() || byte == 0xef;
        byte += 1;
    }
    table
};

fn is_special(byte: u8) -> bool {
    IS_SPECIAL.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Appends text with what means something in XML written in another way, and
/// what XML cannot hold replaced.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(found) = rest.iter().position(|byte| is_special(*byte)) {
        let (plain, tail) = rest.split_at(found);
        out.extend_from_slice(plain);
        rest = match tail {
            [0xef, 0xbf, 0xbe | 0xbf, after @ ..] => {
                out.extend_from_slice("\u{fffd}".as_bytes());
                after
            }
            [byte, after @ ..] => {
                match replacement(*byte) {
                    Some(text) => out.extend_from_slice(text.as_bytes()),
                    None => out.push(*byte),
                }
                after
            }
            [] => tail,
        };
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn text_that_xml_cannot_hold_as_it_is() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("a<b>&\"c'", "a&lt;b&gt;&amp;\"c'"),
            ("tab\tline\nreturn\r", "tab\tline\nreturn&#xD;"),
            ("nul\0bell\u{7}", "nul\u{fffd}bell\u{fffd}"),
            ("\u{fffe}x\u{ffff}\u{fffd}\u{ff01}", "\u{fffd}x\u{fffd}\u{fffd}\u{ff01}"),
            ("Zürich 日本", "Zürich 日本"),
        ] {
            let mut out = Vec::new();
            escape(text, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
