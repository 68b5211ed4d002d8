//! Arrays: immutable, shared, and aware of the type of their elements.

use std::fmt;

use triomphe::ThinArc;

use super::Value;
use crate::schema::{Kind, Type, ty};

/// An array of values of one declared element type.
#[derive(Clone)]
pub struct Array(ThinArc<Type, Value>);

impl Array {
    /// An array whose elements are declared as `element`; arrays of references
    /// may give any managed object type.
    pub fn new(element: Type, items: Vec<Value>) -> Self {
        Self(ThinArc::from_header_and_iter(element, items.into_iter()))
    }

    /// An array from items whose number is known, without a list in between.
    pub(crate) fn from_items(element: Type, items: impl ExactSizeIterator<Item = Value>) -> Self {
        Self(ThinArc::from_header_and_iter(element, items))
    }

    /// An array without elements.
    pub fn empty(element: Type) -> Self {
        Self::new(element, Vec::new())
    }

    /// An array of references.
    pub fn of_refs<'a>(refs: impl IntoIterator<Item = &'a super::MoRef>) -> Self {
        Self::new(ty::ManagedObject, refs.into_iter().map(Value::from).collect())
    }

    /// The declared type of the elements.
    pub fn element(&self) -> Type {
        self.0.header.header
    }

    /// The `ArrayOf` type; all references share `ArrayOfManagedObjectReference`.
    pub fn ty(&self) -> Type {
        self.element().array().unwrap_or(ty::ArrayOfAnyType)
    }

    /// The elements.
    pub fn items(&self) -> &[Value] {
        &self.0.slice
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.items().len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.items().is_empty()
    }

    /// Whether both are the same allocation.
    pub fn same(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.as_ptr(), other.0.as_ptr())
    }

    /// The array with `value` at its end.
    #[must_use]
    pub fn with_pushed(&self, value: Value) -> Self {
        let mut items = self.items().to_vec();
        items.push(value);
        Self::new(self.element(), items)
    }

    /// The array without the elements for which `gone` holds.
    #[must_use]
    pub fn without(&self, mut gone: impl FnMut(&Value) -> bool) -> Self {
        Self::new(self.element(), self.items().iter().filter(|v| !gone(v)).cloned().collect())
    }
}

impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
            || ((self.element() == other.element()
                || (self.element().kind() == Kind::Managed
                    && other.element().kind() == Kind::Managed))
                && self.items() == other.items())
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.items()).finish()
    }
}
