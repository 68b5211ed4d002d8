//! `ListView`: the objects that a client lists, of whatever kind; the way to
//! watch many tasks with one filter.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::session::SessionObject;
use crate::inventory::Snapshot;
use crate::object;
use crate::schema::ty;
use crate::value::{Array, MoRef, Object};

/// A view of listed objects, in the order in which they were listed. One that
/// is destroyed stays listed until the client takes it out.
pub(super) struct ListView {
    listed: Mutex<Array>,
}

impl ListView {
    /// A view of `listed`.
    pub(super) fn new(listed: Vec<MoRef>) -> Self {
        let empty = Array::empty(ty::ManagedObject);
        Self { listed: Mutex::new(extended(&empty, listed)) }
    }

    /// Takes objects in and others out.
    pub(super) fn modify(&self, add: Vec<MoRef>, remove: &[MoRef]) {
        let remove: HashSet<&MoRef> = remove.iter().collect();
        let mut listed = self.listed();
        let left = listed.without(|value| value.as_moref().is_some_and(|mo| remove.contains(mo)));
        *listed = extended(&left, add);
    }

    /// Lists other objects instead.
    pub(super) fn reset(&self, listed: Vec<MoRef>) {
        *self.listed() = extended(&Array::empty(ty::ManagedObject), listed);
    }

    fn listed(&self) -> MutexGuard<'_, Array> {
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
        object!(ListView { view: self.listed().clone() })
    }
}
