//! Moulds: an object with holes, from which others are cast.
//!
//! A mould is made once from a whole object whose texts have marks where
//! something will differ. What is cast from it is a function of the mould, the
//! object's reference and its name, so nothing else has to be kept: a place
//! without a hole is read from the mould itself, one with a hole is made when
//! it is read. Casting the whole copies only what lies on the way to a mark;
//! everything else is shared by all casts.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use crate::value::{Array, MoRef, Object, Str, Value};

/// What is put into the holes.
pub trait Fill: Send + Sync {
    /// The text for a mark of the object `this` called `name`; the same for the
    /// same arguments, always. [`NAME`] is not asked for.
    fn text(&self, this: &MoRef, name: &str, mark: u8) -> Str;
}

/// An object with holes.
pub struct Mould {
    object: Object,
    holes: Vec<(usize, Hole)>,
    fill: Box<dyn Fill>,
}

/// What differs at a place, or below it.
#[derive(Clone, Debug)]
enum Hole {
    /// The reference of the object itself.
    This,
    /// Nothing but the text for a mark.
    Mark(u8),
    /// A text with marks in it.
    Text(Vec<Piece>),
    /// An object with holes.
    Object(Vec<(usize, Hole)>),
    /// An array with holes in some of its elements.
    Array(Vec<(usize, Hole)>),
}

#[derive(Clone, Debug)]
enum Piece {
    Fixed(Str),
    Mark(u8),
}

/// The number of the mark where the name stands.
pub const NAME: u8 = 0;

/// The mark with a number below 8: a control character, which no name has.
pub const fn mark(number: u8) -> char {
    (FIRST + number) as char
}

const FIRST: u8 = 0x01;
const LAST: u8 = 0x08;

fn number(letter: char) -> Option<u8> {
    let code = u8::try_from(letter).ok().filter(|code| (FIRST..=LAST).contains(code))?;
    Some(code - FIRST)
}

/// What one cast differs by.
pub(super) struct Seeds<'a> {
    this: &'a MoRef,
    name: &'a Value,
    /// The texts that were asked for.
    texts: [OnceCell<Str>; (LAST - FIRST) as usize + 1],
}

impl<'a> Seeds<'a> {
    /// Those of the object `this` called `name`, which is a string.
    pub(super) fn new(this: &'a MoRef, name: &'a Value) -> Self {
        Self { this, name, texts: Default::default() }
    }
}

/// Where a path leads in a mould.
pub(super) enum Found<'m> {
    /// To something that all casts have alike.
    Alike(&'m Value),
    /// To the name.
    Name,
    /// To something that differs, or has parts that do; and how many steps of
    /// the path lead there.
    Differs(Differing<'m>, usize),
    /// To nothing.
    Nothing,
}

/// A value of a mould with the hole in it.
#[derive(Clone, Copy)]
pub(super) struct Differing<'m>(&'m Value, &'m Hole);

impl Mould {
    /// The mould of `object`, which stands for `this`.
    pub fn new(object: Object, this: &MoRef, fill: Box<dyn Fill>) -> Arc<Self> {
        let holes = holes(object.slots().iter().map(Option::as_ref), this);
        Arc::new(Self { object, holes, fill })
    }

    /// What the casts differ from.
    pub(super) fn object(&self) -> &Object {
        &self.object
    }

    /// Where `slots` lead; a place that differs is found as soon as nothing but
    /// the whole of it can be cast.
    pub(super) fn find(&self, slots: impl IntoIterator<Item = usize>) -> Found<'_> {
        let mut slots = slots.into_iter().peekable();
        let mut object = &self.object;
        let mut open = Some(&self.holes);
        let mut steps = 0;
        while let Some(slot) = slots.next() {
            steps += 1;
            let Some(value) = object.get(slot) else { return Found::Nothing };
            let hole = open.and_then(|holes| {
                let at = holes.binary_search_by_key(&slot, |(slot, _)| *slot).ok()?;
                holes.get(at).map(|(_, hole)| hole)
            });
            let is_last = slots.peek().is_none();
            match (hole, value) {
                (Some(Hole::Mark(NAME)), _) if is_last => return Found::Name,
                (Some(Hole::Object(holes)), Value::Object(inner)) if !is_last => {
                    (object, open) = (inner, Some(holes));
                }
                (Some(hole), _) => return Found::Differs(Differing(value, hole), steps),
                (None, value) if is_last => return Found::Alike(value),
                (None, Value::Object(inner)) => (object, open) = (inner, None),
                (None, _) => return Found::Nothing,
            }
        }
        Found::Nothing
    }

    /// The whole object.
    pub(super) fn cast(&self, seeds: &Seeds<'_>) -> Object {
        self.cast_object(&self.object, &self.holes, seeds)
    }

    /// A part of the object.
    pub(super) fn cast_part(&self, part: Differing<'_>, seeds: &Seeds<'_>) -> Value {
        self.cast_value(part.0, part.1, seeds)
    }

    fn text(&self, mark: u8, seeds: &Seeds<'_>) -> Str {
        let make = || match seeds.name {
            Value::String(name) if mark == NAME => name.clone(),
            name => self.fill.text(seeds.this, name.as_str().unwrap_or_default(), mark),
        };
        seeds.texts.get(usize::from(mark)).map_or_else(make, |text| text.get_or_init(make).clone())
    }

    fn cast_value(&self, value: &Value, hole: &Hole, seeds: &Seeds<'_>) -> Value {
        match (hole, value) {
            (Hole::This, _) => Value::from(seeds.this),
            (Hole::Mark(mark), _) => Value::String(self.text(*mark, seeds)),
            (Hole::Text(pieces), _) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Fixed(fixed) => text.push_str(fixed),
                        Piece::Mark(mark) => text.push_str(&self.text(*mark, seeds)),
                    }
                }
                Value::from(text)
            }
            (Hole::Object(holes), Value::Object(object)) => {
                Value::Object(self.cast_object(object, holes, seeds))
            }
            (Hole::Array(holes), Value::Array(array)) => {
                let mut items = array.items().to_vec();
                for (at, hole) in holes {
                    if let Some(item) = items.get_mut(*at) {
                        *item = self.cast_value(item, hole, seeds);
                    }
                }
                Value::Array(Array::new(array.element(), items))
            }
            (Hole::Object(_) | Hole::Array(_), value) => value.clone(),
        }
    }

    fn cast_object(&self, object: &Object, holes: &[(usize, Hole)], seeds: &Seeds<'_>) -> Object {
        let mut holes = holes.iter().peekable();
        let slots = object.slots().iter().enumerate().map(|(slot, value)| {
            let hole = holes.next_if(|(at, _)| *at == slot);
            match (hole, value) {
                (Some((_, hole)), Some(value)) => Some(self.cast_value(value, hole, seeds)),
                (_, value) => value.clone(),
            }
        });
        // A cast has the types of the mould, which were checked when it was made.
        let slots: Vec<Option<Value>> = slots.collect();
        Object::from_slots(object.ty(), slots.into_iter())
    }
}

impl fmt::Debug for Mould {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mould").field("ty", &self.object.ty()).finish_non_exhaustive()
    }
}

fn holes<'v>(values: impl Iterator<Item = Option<&'v Value>>, this: &MoRef) -> Vec<(usize, Hole)> {
    let found = values.enumerate().filter_map(|(at, value)| Some((at, hole(value?, this)?)));
    found.collect()
}

fn hole(value: &Value, this: &MoRef) -> Option<Hole> {
    let some = |holes: Vec<(usize, Hole)>| (!holes.is_empty()).then_some(holes);
    match value {
        Value::Ref(mo) => (mo == this).then_some(Hole::This),
        Value::String(text) => text_hole(text),
        Value::Object(object) => {
            some(holes(object.slots().iter().map(Option::as_ref), this)).map(Hole::Object)
        }
        Value::Array(array) => some(holes(array.iter().map(Some), this)).map(Hole::Array),
        _ => None,
    }
}

fn text_hole(text: &str) -> Option<Hole> {
    let mut pieces = Vec::new();
    let mut fixed = String::new();
    for letter in text.chars() {
        let Some(mark) = number(letter) else {
            fixed.push(letter);
            continue;
        };
        if !fixed.is_empty() {
            pieces.push(Piece::Fixed(Str::from(std::mem::take(&mut fixed))));
        }
        pieces.push(Piece::Mark(mark));
    }
    if !fixed.is_empty() {
        pieces.push(Piece::Fixed(Str::from(fixed)));
    }
    match pieces.as_slice() {
        [Piece::Mark(mark)] => Some(Hole::Mark(*mark)),
        pieces if pieces.iter().any(|piece| matches!(piece, Piece::Mark(_))) => {
            Some(Hole::Text(pieces.to_vec()))
        }
        _ => None,
    }
}
