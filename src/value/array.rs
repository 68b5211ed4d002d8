//! Arrays: immutable, shared, and aware of the type of their elements.

use std::fmt;

use triomphe::ThinArc;

use super::long::{Items, LONG, Long};
use super::{MoRef, Value};
use crate::schema::{Kind, Type, ty};

/// An array of values of one declared element type.
///
/// A long list of references is kept in pieces, so that adding or taking out
/// one copies little; [`Array::iter`] reads it as it is, [`Array::items`] makes
/// it one piece first.
#[derive(Clone)]
pub struct Array(ThinArc<Head, Value>);

#[derive(Debug)]
struct Head {
    element: Type,
    /// The elements, if there are many and they are references.
    long: Option<Box<Long>>,
}

impl Array {
    /// An array whose elements are declared as `element`; arrays of references
    /// may give any managed object type.
    pub fn new(element: Type, items: Vec<Value>) -> Self {
        Self::from_items(element, items.into_iter())
    }

    /// An array from items whose number is known, without a list in between.
    pub(crate) fn from_items(element: Type, items: impl ExactSizeIterator<Item = Value>) -> Self {
        if items.len() >= LONG && element.kind() == Kind::Managed {
            return Self::in_pieces(element, Long::new(items));
        }
        Self(ThinArc::from_header_and_iter(Head { element, long: None }, items))
    }

    fn in_pieces(element: Type, long: Long) -> Self {
        let head = Head { element, long: Some(Box::new(long)) };
        Self(ThinArc::from_header_and_iter(head, std::iter::empty()))
    }

    fn long(&self) -> Option<&Long> {
        self.0.header.header.long.as_deref()
    }

    /// An array without elements.
    pub fn empty(element: Type) -> Self {
        Self::new(element, Vec::new())
    }

    /// An array of references.
    pub fn of_refs<'a>(refs: impl IntoIterator<Item = &'a MoRef>) -> Self {
        Self::new(ty::ManagedObject, refs.into_iter().map(Value::from).collect())
    }

    /// The declared type of the elements.
    pub fn element(&self) -> Type {
        self.0.header.header.element
    }

    /// The `ArrayOf` type; all references share `ArrayOfManagedObjectReference`.
    pub fn ty(&self) -> Type {
        self.element().array().unwrap_or(ty::ArrayOfAnyType)
    }

    /// The elements, one after the other.
    pub fn iter(&self) -> Items<'_> {
        self.long().map_or_else(|| Items::of(&self.0.slice), Long::iter)
    }

    /// The elements in one piece; of a long list of references that is a copy,
    /// made once.
    pub fn items(&self) -> &[Value] {
        self.long().map_or(&self.0.slice, Long::flat)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.long().map_or(self.0.slice.len(), Long::len)
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether each element is an instance of `ty`.
    pub fn all_are(&self, ty: Type) -> bool {
        match self.long() {
            Some(long) => long.all_are(ty),
            None => self.0.slice.iter().all(|item| item.is_a(ty)),
        }
    }

    /// Whether `mo` is one of the elements.
    pub fn contains_ref(&self, mo: &MoRef) -> bool {
        match self.long() {
            Some(long) => long.contains(mo),
            None => self.0.slice.iter().any(|item| item.as_moref() == Some(mo)),
        }
    }

    /// Whether both are the same allocation.
    pub fn same(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.as_ptr(), other.0.as_ptr())
    }

    /// The array with `value` at its end.
    #[must_use]
    pub fn with_pushed(&self, value: Value) -> Self {
        if let Some(long) = self.long() {
            return Self::in_pieces(self.element(), long.with_pushed(value));
        }
        let mut items = self.items().to_vec();
        items.push(value);
        Self::new(self.element(), items)
    }

    /// The array without `mo`.
    #[must_use]
    pub fn without_ref(&self, mo: &MoRef) -> Self {
        match self.long() {
            // One that became short is a list like any other.
            Some(long) if long.len() > LONG / 2 => match long.without(mo) {
                Some(long) => Self::in_pieces(self.element(), long),
                None => self.clone(),
            },
            _ => self.without(|value| value.as_moref() == Some(mo)),
        }
    }

    /// What is left of both without what they begin and end with alike, and
    /// how long that end is. Of long lists, what they share is not looked at.
    pub fn differing<'v>(&'v self, other: &'v Self) -> (Vec<&'v Value>, Vec<&'v Value>, usize) {
        if let (Some(one), Some(two)) = (self.long(), other.long()) {
            let (front, back) = one.common_ends(two);
            let rest = |long: &'v Long| long.range(front, long.len() - back).collect();
            return (rest(one), rest(two), back);
        }
        let front = self.iter().zip(other.iter()).take_while(|(a, b)| a == b).count();
        let (one, two) = (self.items(), other.items());
        let rest = |items: &'v [Value]| items.get(front..).unwrap_or_default();
        let (one, two) = (rest(one), rest(two));
        let back = one.iter().rev().zip(two.iter().rev()).take_while(|(a, b)| a == b).count();
        let middle = |items: &'v [Value]| items.iter().take(items.len() - back).collect();
        (middle(one), middle(two), back)
    }

    /// The array without the elements for which `gone` holds.
    #[must_use]
    pub fn without(&self, mut gone: impl FnMut(&Value) -> bool) -> Self {
        Self::new(self.element(), self.iter().filter(|v| !gone(v)).cloned().collect())
    }
}

impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
            || ((self.element() == other.element()
                || (self.element().kind() == Kind::Managed
                    && other.element().kind() == Kind::Managed))
                && match (self.long(), other.long()) {
                    (Some(one), Some(two)) => one == two,
                    _ => self.iter().eq(other.iter()),
                })
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
