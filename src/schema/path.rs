//! Property paths: `config.hardware.device[4000].backing`, resolved against the schema.
//!
//! A path starts at a type and goes from field to field. An array must be entered by a key before its
//! elements have fields, and from there only the declared element type counts: `device[4000].key` is a
//! path, `device[4000].macAddress` is none, because a `VirtualDevice` has no MAC address. Keys are whole
//! numbers, or text in quotes: the element's `key` field, the id of a reference, or the text itself.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use arcstr::ArcStr;
use thiserror::Error;

use super::{Field, Kind, Primitive, Type};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into the field at this slot.
    Field(u16),
    /// To the element of an array that has this key.
    Key(Key),
}

/// What tells one element of an array from the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A whole number: `[4000]`.
    Int(i64),
    /// Text, or the id of a reference: `["guestinfo.name"]`.
    Text(ArcStr),
}

impl fmt::Display for Key {
    /// Writes the key as it stands in a path, with its brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(f, "[{number}]"),
            Self::Text(text) => {
                f.write_str("[\"")?;
                for char in text.chars() {
                    if matches!(char, '"' | '\\') {
                        f.write_char('\\')?;
                    }
                    f.write_char(char)?;
                }
                f.write_str("\"]")
            }
        }
    }
}

/// Why a text is not a property path of a type. Each names the segment that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    /// No field of this name.
    #[error("{ty} has no property {segment:?}")]
    NoSuchField {
        /// The segment.
        segment: String,
        /// The type that it was looked for in.
        ty: Type,
    },
    /// A field of an array, without saying of which element.
    #[error("{segment:?} is asked of an array; an element must be named by its key")]
    KeyMissing {
        /// The segment after the array.
        segment: String,
    },
    /// A key on what is not an array.
    #[error("{segment:?} has a key but is no array")]
    NotAnArray {
        /// The segment with the key.
        segment: String,
    },
    /// A key on an array whose elements have none.
    #[error("the elements of {segment:?} have no key")]
    NoKey {
        /// The segment with the key.
        segment: String,
    },
    /// A key that is not well formed, or not of the kind that the elements have.
    #[error("the key of {segment:?} is not {expected}")]
    BadKey {
        /// The segment with the key.
        segment: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl PathError {
    /// The segment that is wrong.
    #[must_use]
    pub fn segment(&self) -> &str {
        match self {
            Self::NoSuchField { segment, .. }
            | Self::KeyMissing { segment }
            | Self::NotAnArray { segment }
            | Self::NoKey { segment }
            | Self::BadKey { segment, .. } => segment,
        }
    }
}

/// A borrowed path of either kind: [`Path`] or [`StaticPath`](super::StaticPath).
#[derive(Clone, Copy)]
pub struct PathRef<'a> {
    root: Type,
    text: &'a str,
    steps: Steps<'a>,
}

#[derive(Clone, Copy)]
enum Steps<'a> {
    Slots(&'a [u16]),
    Mixed(&'a [Step]),
}

/// One step of a [`PathRef`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepRef<'a> {
    /// Into the field at this slot.
    Field(u16),
    /// To the element of an array that has this key.
    Key(&'a Key),
}

impl<'a> PathRef<'a> {
    pub(super) const fn of_slots(root: Type, text: &'a str, slots: &'a [u16]) -> Self {
        Self { root, text, steps: Steps::Slots(slots) }
    }

    /// The type that the path starts at.
    #[must_use]
    pub const fn root(self) -> Type {
        self.root
    }

    /// The path as text.
    #[must_use]
    pub const fn text(self) -> &'a str {
        self.text
    }

    /// The steps, at least one.
    pub fn steps(self) -> impl Iterator<Item = StepRef<'a>> {
        let (slots, mixed) = match self.steps {
            Steps::Slots(slots) => (slots, [].as_slice()),
            Steps::Mixed(mixed) => ([].as_slice(), mixed),
        };
        slots.iter().copied().map(StepRef::Field).chain(mixed.iter().map(|step| match step {
            Step::Field(slot) => StepRef::Field(*slot),
            Step::Key(key) => StepRef::Key(key),
        }))
    }

    /// Whether `prefix` leads to this path's value or to something that contains it.
    #[must_use]
    pub fn starts_with<'b>(self, prefix: impl Into<PathRef<'b>>) -> bool {
        let prefix = prefix.into();
        let mut steps = self.steps();
        // A base and what derives from it have the same slots; other types have nothing in common.
        (self.root.is_a(prefix.root) || prefix.root.is_a(self.root))
            && prefix.steps().all(|step| steps.next() == Some(step))
    }

    /// The declared type at the end of the path, and whether there is an array of it.
    #[must_use]
    pub fn leaf(self) -> (Type, bool) {
        let (place, _) = self.walk();
        (place.ty, place.array)
    }

    /// The last field on the way.
    #[must_use]
    pub fn field(self) -> Option<Field> {
        self.walk().1
    }

    fn walk(self) -> (Place, Option<Field>) {
        let mut place = Place { ty: self.root, array: false };
        let mut last = None;
        for step in self.steps() {
            match step {
                StepRef::Key(_) => place.array = false,
                StepRef::Field(slot) => {
                    let Some(&field) = place.ty.fields().get(usize::from(slot)) else { break };
                    place = Place { ty: field.ty(), array: field.is_array() };
                    last = Some(field);
                }
            }
        }
        (place, last)
    }
}

impl fmt::Debug for PathRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.root, self.text)
    }
}

/// How far a path has come.
#[derive(Clone, Copy)]
struct Place {
    ty: Type,
    array: bool,
}

/// What kind of key the elements of an array have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Int,
    Text,
}

fn key_kind(element: Type) -> Option<KeyKind> {
    match element.kind() {
        Kind::Primitive(Primitive::Byte | Primitive::Short | Primitive::Int | Primitive::Long) => {
            Some(KeyKind::Int)
        }
        Kind::Primitive(Primitive::String | Primitive::Uri) | Kind::Enum | Kind::Managed => {
            Some(KeyKind::Text)
        }
        Kind::Data => key_kind(element.fields().get(element.key_slot()?)?.ty()),
        Kind::Primitive(_) | Kind::Array => None,
    }
}

impl Place {
    fn enter(self, name: &str, is_root: bool) -> Result<(Self, Step), PathError> {
        let segment = || name.to_owned();
        if self.array {
            return Err(PathError::KeyMissing { segment: segment() });
        }
        // A reference ends a path: what it refers to is another object.
        let inside = is_root || self.ty.kind() == Kind::Data;
        let found = if inside { self.ty.field(name) } else { None };
        let found = found.and_then(|(slot, field)| Some((u16::try_from(slot).ok()?, field)));
        let (slot, field) =
            found.ok_or_else(|| PathError::NoSuchField { segment: segment(), ty: self.ty })?;
        Ok((Self { ty: field.ty(), array: field.is_array() }, Step::Field(slot)))
    }

    fn pick(self, key: &Key, segment: &str) -> Result<Self, PathError> {
        let segment = || segment.to_owned();
        if !self.array {
            return Err(PathError::NotAnArray { segment: segment() });
        }
        let kind = key_kind(self.ty).ok_or_else(|| PathError::NoKey { segment: segment() })?;
        match (kind, key) {
            (KeyKind::Int, Key::Int(_)) | (KeyKind::Text, Key::Text(_)) => {
                Ok(Self { array: false, ..self })
            }
            (KeyKind::Int, _) => Err(bad_key(segment(), "a whole number")),
            (KeyKind::Text, _) => Err(bad_key(segment(), "text in quotes")),
        }
    }
}

fn bad_key(segment: String, expected: &'static str) -> PathError {
    PathError::BadKey { segment, expected }
}

/// A property path, resolved against the schema. A clone shares it.
#[derive(Clone, PartialEq, Eq)]
pub struct Path(Arc<Resolved>);

#[derive(PartialEq, Eq)]
struct Resolved {
    root: Type,
    steps: Box<[Step]>,
    text: ArcStr,
}

impl Path {
    pub(super) fn new(root: Type, text: ArcStr, steps: Box<[Step]>) -> Self {
        Self(Arc::new(Resolved { root, steps, text }))
    }

    /// Resolves `text` as a path that starts at `root`.
    ///
    /// # Errors
    /// When it is none; the error names the segment that is wrong.
    pub fn parse(root: Type, text: &str) -> Result<Self, PathError> {
        let mut steps = Vec::with_capacity(4);
        let mut place = Place { ty: root, array: false };
        let mut rest = text;
        loop {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let (next, step) = place.enter(name, steps.is_empty())?;
            place = next;
            steps.push(step);
            rest = after;
            if let Some(inside) = after.strip_prefix('[') {
                let (key, after) = parse_key(inside)
                    .ok_or_else(|| bad_key(format!("{name}{rest}"), "well formed"))?;
                place = place.pick(&key, name)?;
                steps.push(Step::Key(key));
                rest = after;
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.is_empty() => break,
                None => return Err(PathError::NoSuchField { segment: rest.into(), ty: place.ty }),
            }
        }
        Ok(Self::new(root, text.into(), steps.into()))
    }

    /// Puts a path together from its steps.
    ///
    /// # Errors
    /// When they do not fit the schema, like [`parse`](Path::parse).
    pub fn from_steps(root: Type, steps: &[Step]) -> Result<Self, PathError> {
        let mut text = String::new();
        let mut place = Place { ty: root, array: false };
        let mut last = "";
        for (i, step) in steps.iter().enumerate() {
            match step {
                Step::Field(slot) => {
                    let field = place.ty.fields().get(usize::from(*slot)).copied();
                    last = field.map_or("", Field::name);
                    (place, _) = place.enter(last, i == 0)?;
                    if i > 0 {
                        text.push('.');
                    }
                    text.push_str(last);
                }
                Step::Key(key) => {
                    place = place.pick(key, last)?;
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{key}");
                }
            }
        }
        if steps.is_empty() {
            return Err(PathError::NoSuchField { segment: text, ty: root });
        }
        Ok(Self::new(root, text.into(), steps.into()))
    }

    /// The type that the path starts at.
    #[must_use]
    pub fn root(&self) -> Type {
        self.0.root
    }

    /// The path as text, which can be shared.
    #[must_use]
    pub fn text(&self) -> &ArcStr {
        &self.0.text
    }

    /// The steps, at least one.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0.steps
    }

    /// Whether `prefix` leads to this path's value or to something that contains it.
    #[must_use]
    pub fn starts_with<'b>(&self, prefix: impl Into<PathRef<'b>>) -> bool {
        PathRef::from(self).starts_with(prefix)
    }

    /// The declared type at the end of the path, and whether there is an array of it.
    #[must_use]
    pub fn leaf(&self) -> (Type, bool) {
        PathRef::from(self).leaf()
    }

    /// The last field on the way.
    #[must_use]
    pub fn field(&self) -> Option<Field> {
        PathRef::from(self).field()
    }
}

/// The key at the start of `text`, which follows an opening bracket, and what follows the closing one.
fn parse_key(text: &str) -> Option<(Key, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (number, rest) = text.split_once(']')?;
        return Some((Key::Int(number.parse().ok()?), rest));
    };
    let mut key = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => break,
            '\\' => key.push(chars.next()?),
            other => key.push(other),
        }
    }
    let rest = chars.as_str().strip_prefix(']')?;
    Some((Key::Text(key.into()), rest))
}

impl<'a> From<&'a Path> for PathRef<'a> {
    fn from(path: &'a Path) -> Self {
        PathRef { root: path.0.root, text: &path.0.text, steps: Steps::Mixed(&path.0.steps) }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.root(), self.text())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
