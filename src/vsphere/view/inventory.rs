//! `InventoryView`: the part of the inventory tree that a client has opened, as
//! a tree control shows it: the root, and below each opened container that can
//! be seen what it contains.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::containment::children;
use super::super::session::SessionObject;
use crate::collector::{Exceeded, Share};
use crate::inventory::Snapshot;
use crate::object;
use crate::value::{MoRef, Object};

/// A view of the opened part of the tree.
pub(super) struct InventoryView {
    root: MoRef,
    opened: Mutex<Opened>,
}

/// The objects that are opened, and what they count.
struct Opened {
    objects: HashSet<MoRef>,
    share: Share,
}

impl InventoryView {
    /// A view of the tree below `root`, with nothing opened; what is opened
    /// counts in `share`.
    pub(super) fn new(root: MoRef, share: Share) -> Self {
        Self { root, opened: Mutex::new(Opened { objects: HashSet::new(), share }) }
    }

    /// Shows what these contain, if so many may be opened.
    pub(super) fn open(&self, folders: &[MoRef]) -> Result<(), Exceeded> {
        let mut opened = self.opened();
        let new: HashSet<&MoRef> =
            folders.iter().filter(|mo| !opened.objects.contains(mo)).collect();
        let held = opened.objects.len() + new.len();
        opened.share.hold(held)?;
        opened.objects.extend(new.into_iter().cloned());
        Ok(())
    }

    /// Hides what these contain, and what was opened below them.
    pub(super) fn close_folders(&self, folders: &[MoRef]) {
        let mut opened = self.opened();
        for folder in folders {
            opened.objects.remove(folder);
        }
        let held = opened.objects.len();
        // Less can always be held.
        let _ = opened.share.hold(held);
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `shown` with each object in view, and whether it is opened.
    fn walk(&self, snapshot: &Snapshot, mut shown: impl FnMut(MoRef, bool)) {
        let opened = self.opened();
        let mut seen = HashSet::from([self.root.clone()]);
        let mut open = vec![self.root.clone()];
        while let Some(mo) = open.pop() {
            let is_open = opened.objects.contains(&mo);
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
