//! [`Value`]: what travels in XenAPI's calls, whatever the encoding.
//!
//! XenAPI tells fewer types apart than vSphere, and on the wire fewer still: a
//! reference, a UUID and a member of an enumeration are all texts. [`Type`]
//! says which values a parameter takes and makes them what the code expects.

use crate::value::{DateTime, Str};

/// A reference to nothing.
pub const NULL_REF: &str = "OpaqueRef:NULL";

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing; on the wire an empty text.
    Void,
    /// A text, a reference, a UUID or a member of an enumeration.
    String(Str),
    /// A number; as XML it is a text.
    Int(i64),
    /// The only number with a type of its own in XML: a count in
    /// `valid_ref_counts`.
    Small(i32),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A point in time, to the second.
    Time(DateTime),
    /// A set, which is a list without an order.
    Set(Vec<Value>),
    /// A map, or a record: a map whose keys are the names of fields.
    Map(Vec<(Str, Value)>),
}

impl Value {
    /// A text, a reference, a UUID or a member of an enumeration.
    pub fn text(text: impl Into<Str>) -> Self {
        Self::String(text.into())
    }

    /// The reference to nothing.
    pub fn null() -> Self {
        Self::String(Str::from(NULL_REF))
    }

    /// A set of texts.
    pub fn texts<T: Into<Str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::Set(texts.into_iter().map(Self::text).collect())
    }

    /// A map from texts to texts.
    pub fn text_map<K: Into<Str>, V: Into<Str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), Self::text(value))).collect())
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if this is one without a fraction.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Small(number) => Some(i64::from(*number)),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            other => other.as_i64().map(|number| number as f64),
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The point in time, if this is one.
    pub fn as_time(&self) -> Option<DateTime> {
        if let Self::Time(value) = self { Some(*value) } else { None }
    }

    /// The items of a set; none for other values.
    pub fn items(&self) -> &[Value] {
        if let Self::Set(items) = self { items } else { &[] }
    }

    /// The entries of a map or record; none for other values.
    pub fn entries(&self) -> &[(Str, Value)] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    /// The entry of a map or record with this key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::text(value)
    }
}

impl From<Str> for Value {
    fn from(value: Str) -> Self {
        Self::String(value)
    }
}

impl From<DateTime> for Value {
    fn from(value: DateTime) -> Self {
        Self::Time(value)
    }
}

/// What a parameter, a field or a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Nothing.
    Void,
    /// A text.
    String,
    /// A reference to an object of the class.
    Ref(&'static str),
    /// One of these texts.
    Enum(&'static [&'static str]),
    /// A number without a fraction.
    Int,
    /// A number.
    Float,
    /// A truth value.
    Bool,
    /// A point in time.
    Time,
    /// A set of such values.
    Set(&'static Type),
    /// A map from such values to such values.
    Map(&'static Type, &'static Type),
    /// The record of an object of the class.
    Record(&'static str),
}

impl Type {
    /// The value as one of this type, or nothing if it cannot be one. A number
    /// may come as a text and a time, too; truth values come as what they are.
    pub fn accept(self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::Void, Value::Void) => Some(Value::Void),
            (Self::String | Self::Ref(_), value @ Value::String(_)) => Some(value),
            // An empty element has no type.
            (Self::String | Self::Ref(_), Value::Void) => Some(Value::String(Str::new())),
            (Self::Enum(members), Value::String(text)) => {
                members.contains(&text.as_str()).then_some(Value::String(text))
            }
            (Self::Int, Value::Int(number)) => Some(Value::Int(number)),
            (Self::Int, Value::Small(number)) => Some(Value::Int(i64::from(number))),
            (Self::Int, Value::String(text)) => text.trim().parse().ok().map(Value::Int),
            (Self::Float, Value::String(text)) => text.trim().parse().ok().map(Value::Float),
            (Self::Float, value) => value.as_f64().map(Value::Float),
            (Self::Bool, Value::Bool(value)) => Some(Value::Bool(value)),
            (Self::Time, Value::Time(time)) => Some(Value::Time(time)),
            (Self::Time, Value::String(text)) => parse_time(&text).map(Value::Time),
            (Self::Set(of), Value::Set(items)) => {
                items.into_iter().map(|item| of.accept(item)).collect::<Option<_>>().map(Value::Set)
            }
            (Self::Map(of_key, of), Value::Map(entries)) => entries
                .into_iter()
                .map(|(key, value)| {
                    of_key.accept(Value::String(key.clone()))?;
                    Some((key, of.accept(value)?))
                })
                .collect::<Option<_>>()
                .map(Value::Map),
            (Self::Record(_), value @ Value::Map(_)) => Some(value),
            _ => None,
        }
    }
}

/// A point in time as XenAPI writes it: `20250101T00:00:00Z`.
pub fn time_text(time: DateTime) -> String {
    let Some(at) = time.to_offset() else { return "19700101T00:00:00Z".to_owned() };
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}{:02}{:02}T{:02}:{:02}:{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Reads a point in time in the form that XenAPI writes, with or without its
/// `Z`, or in that of ISO 8601 with hyphens.
pub fn parse_time(text: &str) -> Option<DateTime> {
    let text = text.trim();
    let bare = text.strip_suffix('Z').unwrap_or(text);
    let (date, clock) = bare.split_once('T')?;
    let spread = if date.contains('-') {
        format!("{date}T{clock}Z")
    } else {
        let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
        format!("{year}-{month}-{day}T{clock}Z")
    };
    DateTime::parse(&spread).ok()
}

/// A number with a fraction as XML-RPC has it: sixteen significant digits, no
/// more of them than needed.
pub fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{number:.15e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-5..16).contains(&exponent) {
        let places = usize::try_from(15 - exponent).unwrap_or_default();
        let plain = format!("{number:.places$}");
        return trim_zeros(&plain).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim_zeros(digits), exponent.abs())
}

fn trim_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// Appends the value as XML-RPC writes it: `<value>…</value>`, without
/// whitespace. This is the form of a task's result under every encoding.
pub fn write_xml(value: &Value, out: &mut String) {
    out.push_str("<value>");
    match value {
        Value::Void => {}
        Value::String(text) => escape(text, out),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Small(number) => element("i4", &number.to_string(), out),
        Value::Float(number) => element("double", &float_text(*number), out),
        Value::Bool(flag) => element("boolean", if *flag { "1" } else { "0" }, out),
        Value::Time(time) => element("dateTime.iso8601", &time_text(*time), out),
        Value::Set(items) => {
            out.push_str("<array><data>");
            items.iter().for_each(|item| write_xml(item, out));
            out.push_str("</data></array>");
        }
        Value::Map(entries) => {
            out.push_str("<struct>");
            for (name, value) in entries {
                out.push_str("<member><name>");
                escape(name, out);
                out.push_str("</name>");
                write_xml(value, out);
                out.push_str("</member>");
            }
            out.push_str("</struct>");
        }
    }
    out.push_str("</value>");
}

/// Appends an element with a text that needs no escaping.
fn element(name: &str, text: &str, out: &mut String) {
    for part in ["<", name, ">", text, "</", name, ">"] {
        out.push_str(part);
    }
}

/// Appends a text with what XML cannot hold as it is in another form, or left
/// out if there is none.
pub fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Otherwise a reader would make it a line feed.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(value: &Value) -> String {
        let mut out = String::new();
        write_xml(value, &mut out);
        out
    }

    #[test]
    fn values_as_xml() {
        assert_eq!(xml(&Value::Void), "<value></value>");
        assert_eq!(xml(&Value::text("a<b&\r\u{1}")), "<value>a&lt;b&amp;&#13;</value>");
        assert_eq!(xml(&Value::Int(-5)), "<value>-5</value>");
        assert_eq!(xml(&Value::Small(7)), "<value><i4>7</i4></value>");
        assert_eq!(xml(&Value::Bool(true)), "<value><boolean>1</boolean></value>");
        assert_eq!(
            xml(&Value::Time(DateTime::from_micros(1_735_689_600_999_999))),
            "<value><dateTime.iso8601>20250101T00:00:00Z</dateTime.iso8601></value>"
        );
        assert_eq!(
            xml(&Value::Map(vec![("k".into(), Value::Set(vec![Value::Void]))])),
            "<value><struct><member><name>k</name><value><array><data><value></value></data>\
             </array></value></member></struct></value>"
        );
    }

    #[test]
    fn floats_have_sixteen_digits_at_the_most() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-0.5, "-0.5"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.3333333333333333"),
            (12345678.9, "12345678.9"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (0.000_01, "0.00001"),
        ] {
            assert_eq!(float_text(number), text);
        }
    }

    #[test]
    fn types_take_what_clients_send() {
        let text = |text: &str| Value::text(text);
        assert_eq!(Type::Int.accept(text("12")), Some(Value::Int(12)));
        assert_eq!(Type::Int.accept(text("12x")), None);
        assert_eq!(Type::Int.accept(Value::Float(1.0)), None);
        assert_eq!(Type::Float.accept(text("1e3")), Some(Value::Float(1000.0)));
        assert_eq!(Type::Float.accept(Value::Int(2)), Some(Value::Float(2.0)));
        assert_eq!(Type::Bool.accept(text("true")), None);
        assert_eq!(Type::Bool.accept(Value::Int(1)), None);
        assert_eq!(Type::String.accept(Value::Int(1)), None);
        assert_eq!(Type::Enum(&["a", "b"]).accept(text("c")), None);
        assert_eq!(
            Type::Set(&Type::Int).accept(Value::texts(["1", "2"])),
            Some(Value::Set(vec![Value::Int(1), Value::Int(2)]))
        );
        assert_eq!(Type::Set(&Type::Int).accept(Value::texts(["1", ""])), None);
        let time = Some(Value::Time(DateTime::from_micros(1_735_689_600_000_000)));
        for form in ["20250101T00:00:00Z", "20250101T00:00:00", "2025-01-01T00:00:00Z"] {
            assert_eq!(Type::Time.accept(text(form)), time, "{form}");
        }
        assert_eq!(Type::Time.accept(text("2025")), None);
        let map = Type::Map(&Type::String, &Type::Int);
        assert_eq!(
            map.accept(Value::text_map([("k", "1")])),
            Some(Value::Map(vec![("k".into(), Value::Int(1))]))
        );
    }
}
