//! Long lists of references, in pieces, so that a change copies one piece and
//! not the list: a folder may hold a million machines.

use std::iter::FusedIterator;
use std::sync::OnceLock;

use smallvec::SmallVec;
use triomphe::Arc;

use super::{MoRef, Value};
use crate::schema::Type;

/// How long a piece is made.
const PIECE: usize = 512;
/// A piece that is longer is cut in two.
const MOST: usize = 2 * PIECE;
/// From here on a list of references is kept in pieces.
pub(super) const LONG: usize = MOST;

/// A long list of references.
#[derive(Debug, Default)]
pub(super) struct Long {
    pieces: Vec<Arc<Piece>>,
    len: usize,
    /// All of it in one piece, for the few who need that.
    flat: OnceLock<Box<[Value]>>,
}

#[derive(Debug)]
struct Piece {
    items: Box<[Value]>,
    /// Of each item a few bits, so that one is found by a look at little memory.
    prints: Box<[u16]>,
    types: SmallVec<[Type; 2]>,
}

impl Piece {
    fn new(items: Box<[Value]>) -> Arc<Self> {
        let prints = items.iter().map(|item| item.as_moref().map_or(0, MoRef::print)).collect();
        let mut types: SmallVec<[Type; 2]> = SmallVec::new();
        for item in &items {
            let ty = item.ty();
            if !types.contains(&ty) {
                types.push(ty);
            }
        }
        Arc::new(Self { items, prints, types })
    }

    fn position(&self, print: u16, mo: &MoRef) -> Option<usize> {
        // Nearly always it is not here, and the prints say so.
        if !self.prints.contains(&print) {
            return None;
        }
        let pairs = self.prints.iter().zip(&self.items);
        pairs.enumerate().find_map(|(at, (held, item))| {
            (*held == print && item.as_moref() == Some(mo)).then_some(at)
        })
    }
}

impl Long {
    pub(super) fn new(items: impl IntoIterator<Item = Value>) -> Self {
        let mut items = items.into_iter();
        let mut long = Self::default();
        loop {
            let piece: Box<[Value]> = items.by_ref().take(PIECE).collect();
            if piece.is_empty() {
                return long;
            }
            long.len += piece.len();
            long.pieces.push(Piece::new(piece));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn flat(&self) -> &[Value] {
        self.flat.get_or_init(|| self.iter().cloned().collect())
    }

    pub(super) fn iter(&self) -> Items<'_> {
        Items { front: [].iter(), pieces: self.pieces.iter() }
    }

    /// Whether each item is an instance of `ty`.
    pub(super) fn all_are(&self, ty: Type) -> bool {
        let mut last = None;
        self.pieces.iter().flat_map(|piece| &piece.types).all(|known| {
            let is_known = last == Some(*known);
            last = Some(*known);
            is_known || known.is_a(ty)
        })
    }

    pub(super) fn contains(&self, mo: &MoRef) -> bool {
        let print = mo.print();
        self.pieces.iter().any(|piece| piece.position(print, mo).is_some())
    }

    pub(super) fn with_pushed(&self, value: Value) -> Self {
        let mut pieces = self.pieces.clone();
        match pieces.last_mut().filter(|piece| piece.items.len() < PIECE) {
            Some(last) => {
                *last = Piece::new(last.items.iter().cloned().chain([value]).collect());
            }
            None => pieces.push(Piece::new([value].into())),
        }
        Self { pieces, len: self.len + 1, flat: OnceLock::new() }
    }

    /// The list without `mo`; nothing when it is not in the list.
    pub(super) fn without(&self, mo: &MoRef) -> Option<Self> {
        let print = mo.print();
        let mut all = self.pieces.iter().enumerate();
        let (place, gone) =
            all.find_map(|(place, piece)| Some((place, piece.position(print, mo)?)))?;
        let piece = self.pieces.get(place)?;
        let rest = piece.items.iter().enumerate().filter(|(at, _)| *at != gone);
        let mut rest: Vec<Value> = rest.map(|(_, item)| item.clone()).collect();
        // What has become short joins the piece behind it.
        let mut end = place + 1;
        if let Some(next) = self.pieces.get(end)
            && rest.len() + next.items.len() <= PIECE
        {
            rest.extend(next.items.iter().cloned());
            end += 1;
        }
        let mut pieces = self.pieces.clone();
        let piece = (!rest.is_empty()).then(|| Piece::new(rest.into()));
        pieces.splice(place..end, piece);
        Some(Self { pieces, len: self.len - 1, flat: OnceLock::new() })
    }

    /// How many items both lists begin with, and how many of the others they
    /// end with. Pieces that both share are not looked into.
    pub(super) fn common_ends(&self, other: &Self) -> (usize, usize) {
        let shared = |(a, b): &(&Arc<Piece>, &Arc<Piece>)| Arc::ptr_eq(a, b);
        let both = || self.pieces.iter().zip(&other.pieces);
        let pieces = both().take_while(shared).count();
        let mut front: usize = both().take(pieces).map(|(piece, _)| piece.items.len()).sum();
        let rest = after(self, pieces).zip(after(other, pieces));
        front += rest.take_while(|(a, b)| a == b).count();
        let most = self.len.min(other.len) - front;
        let mut back = 0;
        let ends = || self.pieces.iter().rev().zip(other.pieces.iter().rev());
        let mut pieces = 0;
        for (piece, _) in ends().take_while(shared) {
            if back + piece.items.len() > most {
                break;
            }
            back += piece.items.len();
            pieces += 1;
        }
        let more = before(self, pieces).zip(before(other, pieces)).take(most - back);
        back += more.take_while(|(a, b)| a == b).count();
        (front, back)
    }

    /// The items from `start` to before `end`.
    pub(super) fn range(&self, start: usize, end: usize) -> impl Iterator<Item = &Value> {
        let mut skipped = 0;
        let mut pieces = self.pieces.iter();
        while let Some(piece) = pieces.as_slice().first()
            && skipped + piece.items.len() <= start
        {
            skipped += piece.items.len();
            pieces.next();
        }
        let rest = pieces.flat_map(|piece| piece.items.iter());
        rest.skip(start - skipped).take(end.saturating_sub(start))
    }
}

/// The items behind the first `pieces` pieces.
fn after(long: &Long, pieces: usize) -> impl Iterator<Item = &Value> {
    long.pieces.iter().skip(pieces).flat_map(|piece| piece.items.iter())
}

/// The items before the last `pieces` pieces, the last first.
fn before(long: &Long, pieces: usize) -> impl Iterator<Item = &Value> {
    long.pieces.iter().rev().skip(pieces).flat_map(|piece| piece.items.iter().rev())
}

impl PartialEq for Long {
    fn eq(&self, other: &Self) -> bool {
        if self.len != other.len {
            return false;
        }
        let shared = |(a, b): (&Arc<Piece>, &Arc<Piece>)| Arc::ptr_eq(a, b) || a.items == b.items;
        let aligned = |(a, b): (&Arc<Piece>, &Arc<Piece>)| a.items.len() == b.items.len();
        let mut both = self.pieces.iter().zip(&other.pieces);
        if both.clone().all(aligned) { both.all(shared) } else { self.iter().eq(other.iter()) }
    }
}

/// The items of an array, in their order.
#[derive(Clone, Debug, Default)]
pub struct Items<'a> {
    front: std::slice::Iter<'a, Value>,
    pieces: std::slice::Iter<'a, Arc<Piece>>,
}

impl<'a> Items<'a> {
    pub(super) fn of(items: &'a [Value]) -> Self {
        Self { front: items.iter(), pieces: [].iter() }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a Value;

    fn next(&mut self) -> Option<&'a Value> {
        loop {
            if let Some(value) = self.front.next() {
                return Some(value);
            }
            self.front = self.pieces.next()?.items.iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest: usize = self.pieces.clone().map(|piece| piece.items.len()).sum();
        (self.front.len() + rest, Some(self.front.len() + rest))
    }
}

impl FusedIterator for Items<'_> {}

impl ExactSizeIterator for Items<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ty;

    fn mo(number: usize) -> MoRef {
        MoRef::new(ty::VirtualMachine, &format!("vm-{number}"))
    }

    fn long(numbers: impl IntoIterator<Item = usize>) -> Long {
        Long::new(numbers.into_iter().map(|number| Value::from(mo(number))))
    }

    #[test]
    fn a_list_is_the_same_in_pieces_and_at_once() {
        let list = long(0..5000);
        assert_eq!((list.len(), list.iter().len(), list.flat().len()), (5000, 5000, 5000));
        assert!(list.iter().eq(list.flat()));
        let more = list.with_pushed(mo(5000).into());
        assert!(more.iter().eq(long(0..5001).iter()) && more == long(0..5001) && more != list);
        assert!(more.contains(&mo(5000)) && !list.contains(&mo(5000)));
        let mut less = more;
        for gone in (1000..3000).chain([0, 5000]) {
            less = less.without(&mo(gone)).unwrap();
        }
        assert!(less.without(&mo(1000)).is_none());
        assert_eq!(less, long((1..1000).chain(3000..5000)));
        assert!(less.pieces.iter().all(|piece| !piece.items.is_empty()));
        assert!(less.pieces.len() <= 10, "short pieces join");
        assert!(less.all_are(ty::ManagedEntity) && !less.all_are(ty::Folder));
    }

    #[test]
    fn a_change_copies_one_piece_and_is_found_by_looking_at_one() {
        let before = long(0..100_000);
        let after = before.without(&mo(70_000)).unwrap().with_pushed(mo(100_000).into());
        let known: Vec<*const Value> = before.pieces.iter().map(|p| p.items.as_ptr()).collect();
        let new = after.pieces.iter().filter(|p| !known.contains(&p.items.as_ptr())).count();
        assert_eq!(new, 2);
        assert_eq!(before.common_ends(&after), (70_000, 0));
        let shorter = before.without(&mo(70_000)).unwrap();
        assert_eq!(before.common_ends(&shorter), (70_000, 29_999));
        let gone: Vec<_> = before.range(70_000, 70_001).cloned().collect();
        assert_eq!(gone, [Value::from(mo(70_000))]);
        let longer = before.with_pushed(mo(100_000).into());
        assert_eq!(before.common_ends(&longer), (100_000, 0));
        assert_eq!(longer.common_ends(&longer), (100_001, 0));
    }
}
