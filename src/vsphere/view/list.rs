//! `ListView`: the objects that a client lists, of whatever kind; the way to
//! watch many tasks with one filter.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::session::SessionObject;
use crate::collector::{Exceeded, Share};
use crate::inventory::Snapshot;
use crate::object;
use crate::schema::ty;
use crate::value::{Array, MoRef, Object, Value};

/// A view of listed objects, in the order in which they were listed. One that
/// is destroyed stays listed until the client takes it out.
pub(super) struct ListView {
    listed: Mutex<Listed>,
}

/// The objects, and what they count.
struct Listed {
    array: Array,
    share: Share,
}

impl Listed {
    fn set(&mut self, array: Array) -> Result<(), Exceeded> {
        self.share.hold(array.len())?;
        self.array = array;
        Ok(())
    }
}

impl ListView {
    /// A view of `listed`, which count in `share`.
    pub(super) fn new(listed: Vec<MoRef>, share: Share) -> Result<Self, Exceeded> {
        let mut view = Listed { array: Array::empty(ty::ManagedObject), share };
        view.set(extended(&view.array, listed))?;
        Ok(Self { listed: Mutex::new(view) })
    }

    /// Takes objects in and others out, if there may be so many.
    pub(super) fn modify(&self, add: Vec<MoRef>, remove: &[MoRef]) -> Result<(), Exceeded> {
        let remove: HashSet<&MoRef> = remove.iter().collect();
        let mut listed = self.listed();
        let is_removed = |value: &Value| value.as_moref().is_some_and(|mo| remove.contains(mo));
        let left = listed.array.without(is_removed);
        listed.set(extended(&left, add))
    }

    /// Lists other objects instead, if there may be so many.
    pub(super) fn reset(&self, listed: Vec<MoRef>) -> Result<(), Exceeded> {
        self.listed().set(extended(&Array::empty(ty::ManagedObject), listed))
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `listed` with those of `add` that are new to it at its end.
fn extended(listed: &Array, add: Vec<MoRef>) -> Array {
    let mut items = listed.items().to_vec();
    let mut known: HashSet<MoRef> =
        listed.items().iter().filter_map(|v| v.as_moref().cloned()).collect();
    items.extend(add.into_iter().filter(|mo| known.insert(mo.clone())).map(Into::into));
    Array::new(ty::ManagedObject, items)
}

impl SessionObject for ListView {
    fn properties(&self, _: &Snapshot) -> Object {
        object!(ListView { view: self.listed().array.clone() })
    }
}
