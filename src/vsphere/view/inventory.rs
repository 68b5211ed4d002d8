//! `InventoryView`: the part of the inventory tree that a client has opened, as
//! a tree control shows it: the root, and below each opened container that can
//! be seen what it contains.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::containment::children;
use super::super::session::SessionObject;
use crate::inventory::Snapshot;
use crate::object;
use crate::value::{MoRef, Object};

/// A view of the opened part of the tree.
pub(super) struct InventoryView {
    root: MoRef,
    opened: Mutex<HashSet<MoRef>>,
}

impl InventoryView {
    /// A view of the tree below `root`, with nothing opened.
    pub(super) fn new(root: MoRef) -> Self {
        Self { root, opened: Mutex::default() }
    }

    /// Shows what these contain.
    pub(super) fn open(&self, folders: &[MoRef]) {
        self.opened().extend(folders.iter().cloned());
    }

    /// Hides what these contain, and what was opened below them.
    pub(super) fn close_folders(&self, folders: &[MoRef]) {
        let mut opened = self.opened();
        for folder in folders {
            opened.remove(folder);
        }
    }

    fn opened(&self) -> MutexGuard<'_, HashSet<MoRef>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `shown` with each object in view, and whether it is opened.
    fn walk(&self, snapshot: &Snapshot, mut shown: impl FnMut(MoRef, bool)) {
        let opened = self.opened();
        let mut seen = HashSet::from([self.root.clone()]);
        let mut open = vec![self.root.clone()];
        while let Some(mo) = open.pop() {
            let is_open = opened.contains(&mo);
            if is_open {
                let found = children(snapshot, &mo).into_iter().rev();
                open.extend(found.filter(|child| seen.insert(child.clone())));
            }
            shown(mo, is_open);
        }
    }
}

impl SessionObject for InventoryView {
    fn properties(&self, snapshot: &Snapshot) -> Object {
        let mut view = Vec::new();
        self.walk(snapshot, |mo, _| view.push(mo));
        object!(InventoryView { view: view })
    }

    fn depends(&self, snapshot: &Snapshot, add: &mut dyn FnMut(&MoRef)) {
        self.walk(snapshot, |mo, is_open| {
            if is_open {
                add(&mo);
            }
        });
    }
}
