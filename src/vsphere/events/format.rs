//! Formats: how an event reads, with its fields in their places.
//!
//! `{vm.name}` stands for a field or for one below it; `.msg` of a fault is its
//! message. What stands in brackets belongs to the one field in it: without
//! that it is left out.

use crate::schema::ty;
use crate::value::{Object, Value};

/// What a format is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    Field(&'t str),
    Optional(Vec<Piece<'t>>),
}

/// A format, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format<'t>(Vec<Piece<'t>>);

impl<'t> Format<'t> {
    /// A format without brackets: those in `text` are text.
    pub(super) fn parse_plain(text: &'t str) -> Self {
        Self(plain(text))
    }

    /// The format that `text` describes.
    pub(super) fn parse(text: &'t str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, inside, after)) = group(rest, '[', ']') {
            pieces.extend(plain(before));
            pieces.push(Piece::Optional(plain(inside)));
            rest = after;
        }
        pieces.extend(plain(rest));
        Self(pieces)
    }

    /// The fields in their places; `read` gives the value of the first step of
    /// a path.
    pub(super) fn fill(&self, read: &dyn Fn(&str) -> Option<Value>) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(words) => text.push_str(words),
                Piece::Field(path) => text.push_str(&spoken(path, read).unwrap_or_default()),
                Piece::Optional(pieces) => {
                    text.extend(optional(pieces, read).into_iter().flatten());
                }
            }
        }
        text
    }

    /// The format as the API describes it, for readers who know the fields
    /// that `known` names: what brackets hold of those is left out, of the
    /// rest it stays.
    pub(super) fn describe(&self, known: &[&str]) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Optional(pieces) if pieces.iter().any(|piece| piece.is_one_of(known)) => {}
                Piece::Optional(pieces) => pieces.iter().for_each(|piece| piece.write(&mut text)),
                piece => piece.write(&mut text),
            }
        }
        text
    }

    /// The paths of all fields.
    #[cfg(test)]
    pub(super) fn fields(&self) -> Vec<&'t str> {
        let inner = self.0.iter().flat_map(|piece| match piece {
            Piece::Optional(pieces) => pieces.iter().collect(),
            piece => vec![piece],
        });
        inner
            .filter_map(|piece| if let Piece::Field(path) = piece { Some(*path) } else { None })
            .collect()
    }
}

impl Piece<'_> {
    fn is_one_of(&self, paths: &[&str]) -> bool {
        matches!(self, Self::Field(path) if paths.contains(path))
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Text(words) => text.push_str(words),
            Self::Field(path) => {
                text.push('{');
                text.push_str(path);
                text.push('}');
            }
            Self::Optional(_) => {}
        }
    }
}

/// What is before, inside and after the first pair of `open` and `close`.
fn group(text: &str, open: char, close: char) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(open)?;
    let (inside, after) = rest.split_once(close)?;
    Some((before, inside, after))
}

fn plain(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, path, after)) = group(rest, '{', '}') {
        pieces.extend([Piece::Text(before), Piece::Field(path)]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

fn optional(pieces: &[Piece<'_>], read: &dyn Fn(&str) -> Option<Value>) -> Option<Vec<String>> {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(words) => Some((*words).to_owned()),
            Piece::Field(path) => spoken(path, read),
            Piece::Optional(_) => None,
        })
        .collect()
}

/// The value at a path, in words; nothing if it is not set.
pub(super) fn spoken(path: &str, read: &dyn Fn(&str) -> Option<Value>) -> Option<String> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    text(&read(first)?, rest).filter(|text| !text.is_empty())
}

fn text(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Array(array) => {
            let items = array.items().iter().map(|item| text(item, path));
            Some(items.collect::<Option<Vec<_>>>()?.join(", "))
        }
        Value::Object(object) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            text(object.field(real_name(object, first))?, rest)
        }
        value => word(value),
    }
}

/// A single value in words; nothing for those that have parts.
pub(in crate::vsphere) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        Value::Enum(member) => Some(member.as_str().to_owned()),
        Value::DateTime(time) => Some(time.to_string()),
        Value::Ref(mo) => Some(mo.id().to_owned()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Byte(number) => Some(number.to_string()),
        Value::Short(number) => Some(number.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Long(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        Value::Binary(_) | Value::Object(_) | Value::Array(_) => None,
    }
}

/// The name of the field that formats call `name`.
fn real_name<'a>(object: &Object, name: &'a str) -> &'a str {
    let is_fault = object.ty().is_a(ty::LocalizedMethodFault);
    if is_fault && name == "msg" { "localizedMessage" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;

    const TEXT: &str = "Moved {vm.name}[ on {host.name}][ to {to}]: {reason.msg}";

    #[test]
    fn what_is_not_set_is_left_out_with_its_brackets() {
        let fault = crate::fault::Fault::invalid_state().localized();
        let read = |name: &str| match name {
            "vm" => Some(object!(VmEventArgument { name: "a" }).into()),
            "reason" => Some(fault.clone().into()),
            "to" => Some(Value::from(5)),
            _ => None,
        };
        let format = Format::parse(TEXT);
        let expected = "Moved a to 5: The operation is not allowed in the current state.";
        assert_eq!(format.fill(&read), expected);
        assert_eq!(format.fields(), ["vm.name", "host.name", "to", "reason.msg"]);
        assert_eq!(format.fill(&|_| None), "Moved : ");
    }

    #[test]
    fn who_knows_the_host_is_not_told_it() {
        let format = Format::parse(TEXT);
        let full = "Moved {vm.name} on {host.name} to {to}: {reason.msg}";
        assert_eq!(format.describe(&[]), full);
        assert_eq!(format.describe(&["host.name"]), "Moved {vm.name} to {to}: {reason.msg}");
    }
}
