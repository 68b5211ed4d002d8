//! Moulds: an object with holes, from which others are cast.
//!
//! A mould is made once from a whole object whose texts have marks where
//! something will differ. Casting copies only what lies on the way to a mark;
//! everything else is shared by all casts.

use crate::value::{Array, MoRef, Object, Str, Value};

/// An object with holes.
#[derive(Clone, Debug)]
pub(super) struct Mould {
    object: Object,
    fields: Vec<(usize, Hole)>,
}

/// What differs at a place, or below it.
#[derive(Clone, Debug)]
enum Hole {
    /// The reference of the object itself.
    This,
    /// Nothing but the text for a mark.
    Mark(usize),
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
    Mark(usize),
}

/// The mark with a number below 8: a control character, which no name has.
pub(super) const fn mark(number: u8) -> char {
    (FIRST + number) as char
}

const FIRST: u8 = 0x01;
const LAST: u8 = 0x08;

fn number(letter: char) -> Option<usize> {
    let code = u8::try_from(letter).ok().filter(|code| (FIRST..=LAST).contains(code))?;
    Some(usize::from(code - FIRST))
}

impl Mould {
    /// The mould of `object`, which stands for `this`.
    pub(super) fn new(object: Object, this: &MoRef) -> Self {
        let fields = holes(object.slots().iter().map(Option::as_ref), this);
        Self { object, fields }
    }

    /// The object cast for `this`, with a text for each mark.
    pub(super) fn cast(&self, this: &MoRef, texts: &[Str]) -> Object {
        cast_object(&self.object, &self.fields, this, texts)
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
        Value::Array(array) => some(holes(array.items().iter().map(Some), this)).map(Hole::Array),
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

fn cast(value: Option<&Value>, hole: &Hole, this: &MoRef, texts: &[Str]) -> Option<Value> {
    Some(match (hole, value?) {
        (Hole::This, _) => Value::from(this),
        (Hole::Mark(mark), _) => Value::String(texts.get(*mark).cloned().unwrap_or_default()),
        (Hole::Text(pieces), _) => {
            let text: String = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Fixed(text) => text.as_str(),
                    Piece::Mark(mark) => texts.get(*mark).map(Str::as_str).unwrap_or_default(),
                })
                .collect();
            Value::from(text)
        }
        (Hole::Object(holes), Value::Object(object)) => {
            Value::Object(cast_object(object, holes, this, texts))
        }
        (Hole::Array(holes), Value::Array(array)) => {
            let mut items = array.items().to_vec();
            for (at, hole) in holes {
                if let Some(item) = items.get_mut(*at)
                    && let Some(cast) = cast(Some(item), hole, this, texts)
                {
                    *item = cast;
                }
            }
            Value::Array(Array::new(array.element(), items))
        }
        (Hole::Object(_) | Hole::Array(_), value) => value.clone(),
    })
}

fn cast_object(object: &Object, holes: &[(usize, Hole)], this: &MoRef, texts: &[Str]) -> Object {
    let mut next = object.edit();
    for (slot, hole) in holes {
        next.set(*slot, cast(object.get(*slot), hole, this, texts));
    }
    next.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;
    use crate::schema::ty;

    #[test]
    fn a_cast_differs_at_the_marks_and_shares_the_rest() {
        let (mould, vm) =
            (MoRef::new(ty::VirtualMachine, "mould"), MoRef::new(ty::VirtualMachine, "vm-1"));
        let fixed = object!(SharesInfo { shares: 1, level: "normal" });
        let whole = object!(ResourceConfigSpec {
            entity: &mould,
            changeVersion: format!("a{}b", mark(1)),
            cpuAllocation: object!(ResourceAllocationInfo { shares: &fixed }),
        });
        let list = object!(HostDnsConfig {
            hostName: mark(0).to_string(),
            address: vec!["1".to_owned(), format!("{}{}", mark(1), mark(0))],
        });
        let texts = [Str::from("x"), Str::from("yy")];
        let cast = Mould::new(whole.clone(), &mould).cast(&vm, &texts);
        assert_eq!(cast, {
            let spec = whole.with(const { ty::ResourceConfigSpec.slot("entity") }, &vm);
            spec.with(const { ty::ResourceConfigSpec.slot("changeVersion") }, "ayyb")
        });
        let cpu = |object: &Object| object.field("cpuAllocation").cloned();
        assert!(cpu(&cast).zip(cpu(&whole)).is_some_and(|(a, b)| a.same(&b)));
        let cast = Mould::new(list, &mould).cast(&vm, &texts);
        assert_eq!(cast, object!(HostDnsConfig { hostName: "x", address: vec!["1", "yyx"] }));
    }
}
