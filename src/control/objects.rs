//! [`Objects`]: finding entities by what a person knows of them.

use std::sync::Arc;

use super::ControlError;
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::schema::{Type, ty};
use crate::value::MoRef;
use crate::vsphere::{Service, containment};

/// A simulator's inventory.
#[derive(Clone, Copy, Debug)]
pub struct Objects<'a> {
    service: &'a Service,
}

impl<'a> Objects<'a> {
    pub(super) fn new(service: &'a Service) -> Self {
        Self { service }
    }

    /// The inventory as it is.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.service.engine().snapshot()
    }

    /// The entities that `text` may mean: one by its reference (`vm-12` or
    /// `VirtualMachine:vm-12`), one by its inventory path (`/DC0/vm/DC0_H0_VM0`),
    /// or all that have it as their name.
    pub fn find(&self, text: &str) -> Vec<MoRef> {
        let snapshot = self.snapshot();
        if text.starts_with('/') {
            return self.by_path(&snapshot, text).into_iter().collect();
        }
        if let Some(mo) = by_reference(&snapshot, text) {
            return vec![mo];
        }
        let mut found: Vec<MoRef> = snapshot
            .refs(ty::ManagedEntity)
            .filter(|mo| snapshot.text(mo, path!(ManagedEntity, "name")) == text)
            .cloned()
            .collect();
        found.sort();
        found
    }

    /// The one entity that `text` means; see [`Objects::find`].
    pub fn get(&self, text: &str) -> Result<MoRef, ControlError> {
        let mut found = self.find(text);
        match (found.pop(), found.len()) {
            (Some(only), 0) => Ok(only),
            (None, _) => Err(ControlError::not_found("entity", text)),
            (Some(_), others) => Err(ControlError::Conflict(format!(
                "{} entities are called {text}: name one by its path",
                others + 1
            ))),
        }
    }

    /// The entity's name.
    pub fn name(&self, snapshot: &Snapshot, mo: &MoRef) -> Option<String> {
        let is_entity = mo.ty().is_a(ty::ManagedEntity) && snapshot.exists(mo);
        is_entity.then(|| snapshot.text(mo, path!(ManagedEntity, "name")).to_owned())
    }

    /// The entity's inventory path: `/DC0/vm/DC0_H0_VM0`.
    pub fn path(&self, snapshot: &Snapshot, mo: &MoRef) -> Option<String> {
        let root = &self.service.content().root_folder;
        let mut names = Vec::new();
        let mut at = mo.clone();
        while &at != root {
            names.push(self.name(snapshot, &at)?);
            at = containment::parent(snapshot, &at)?;
        }
        names.reverse();
        Some(format!("/{}", names.join("/")))
    }

    fn by_path(&self, snapshot: &Snapshot, text: &str) -> Option<MoRef> {
        let root = self.service.content().root_folder.clone();
        text.split('/').filter(|name| !name.is_empty()).try_fold(root, |at, name| {
            containment::children(snapshot, &at).into_iter().find(|mo| {
                let held = snapshot.text(mo, path!(ManagedEntity, "name"));
                held == name || held == containment::escape(name)
            })
        })
    }
}

/// The object that a reference names, with its type or without.
fn by_reference(snapshot: &Snapshot, text: &str) -> Option<MoRef> {
    if let Some((ty, id)) = text.split_once(':') {
        let mo = MoRef::new(Type::by_name(ty).filter(|ty| ty.is_a(ty::ManagedEntity))?, id);
        return snapshot.exists(&mo).then_some(mo);
    }
    snapshot.refs(ty::ManagedEntity).find(|mo| mo.id() == text).cloned()
}
