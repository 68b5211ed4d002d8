//! `Folder`: making things in it and moving things into it.

use std::collections::HashSet;

use super::call::{Call, arg};
use super::containment;
use super::dispatch::{Answer, Entry, Handler};
use super::events;
use super::model::folder::{DatacenterFolders, FolderKind, folder, insert_datacenter, storage_pod};
use super::operation::Operation;
use super::service::Service;
use super::{names, placement};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Value};
use crate::{object, path};

pub(super) const METHODS: &[Entry] = &[
    (ty::Folder, method::CreateFolder, Handler::Now(create_folder)),
    (ty::Folder, method::CreateDatacenter, Handler::Now(create_datacenter)),
    (ty::Folder, method::CreateStoragePod, Handler::Now(create_storage_pod)),
    (ty::Folder, method::MoveIntoFolder_Task, Handler::Task(move_into)),
];

/// What a folder is for; a fault of the call when that is not what is wanted.
pub(super) fn require_kind(
    state: &(impl Read + ?Sized),
    mo: &MoRef,
    wanted: FolderKind,
) -> Result<(), Fault> {
    match state.get(mo).map(FolderKind::of) {
        None => Err(Fault::not_found(mo)),
        Some(kind) if kind == Some(wanted) => Ok(()),
        Some(_) => Err(Fault::not_supported()),
    }
}

/// A name for a new child of a folder, in the form that the inventory stores.
pub(super) fn free_child_name(
    state: &(impl Read + ?Sized),
    parent: &MoRef,
    asked: &str,
) -> Result<String, Fault> {
    if !state.exists(parent) {
        return Err(Fault::not_found(parent));
    }
    let name = names::stored(asked, None)?;
    names::check_free(state, parent, ty::ManagedEntity, &name, None)?;
    Ok(name)
}

fn create_folder(service: &Service, call: &Call) -> Answer {
    service.require_vcenter()?;
    let asked = call.text(arg!(CreateFolder.name));
    let made = service.engine().commit(|tx| {
        let parent = &call.this;
        let kind = tx.get(parent).and_then(FolderKind::of);
        let kind = kind.filter(|_| !parent.ty().is_a(ty::StoragePod));
        let kind = kind.ok_or_else(Fault::not_supported)?;
        let name = free_child_name(tx, parent, asked)?;
        let mo = new_folder(tx, kind);
        tx.insert(mo.clone(), folder(kind, &name, Some(parent)));
        tx.push_ref(parent, path!(Folder, "childEntity"), &mo)?;
        Ok(mo)
    })?;
    Ok(Some(made.into()))
}

fn new_folder(tx: &mut Tx<'_>, kind: FolderKind) -> MoRef {
    let number = tx.next_number();
    MoRef::new(ty::Folder, &format!("{}{number}", kind.prefix()))
}

fn create_datacenter(service: &Service, call: &Call) -> Answer {
    service.require_vcenter()?;
    let asked = call.text(arg!(CreateDatacenter.name));
    let version = service.catalog().release().hardware_version();
    let made = service.commit(call, |tx| {
        let parent = &call.this;
        require_kind(tx, parent, FolderKind::Datacenter)?;
        let name = free_child_name(tx, parent, asked)?;
        let mo = tx.next_moref(ty::Datacenter, "datacenter");
        let folders = DatacenterFolders {
            vm: new_folder(tx, FolderKind::Vm),
            host: new_folder(tx, FolderKind::Host),
            datastore: new_folder(tx, FolderKind::Datastore),
            network: new_folder(tx, FolderKind::Network),
        };
        insert_datacenter(tx, &mo, &folders, &name, parent, version);
        tx.push_ref(parent, path!(Folder, "childEntity"), &mo)?;
        let into = events::argument(tx, parent);
        events::post(tx, &mo, object!(DatacenterCreatedEvent { parent: into }));
        Ok(mo)
    })?;
    Ok(Some(made.into()))
}

fn create_storage_pod(service: &Service, call: &Call) -> Answer {
    service.require_vcenter()?;
    let asked = call.text(arg!(CreateStoragePod.name));
    let made = service.engine().commit(|tx| {
        let parent = &call.this;
        require_kind(tx, parent, FolderKind::Datastore)?;
        let name = free_child_name(tx, parent, asked)?;
        let mo = tx.next_moref(ty::StoragePod, "group-p");
        tx.insert(mo.clone(), storage_pod(&name, parent));
        tx.push_ref(parent, path!(Folder, "childEntity"), &mo)?;
        Ok(mo)
    })?;
    Ok(Some(made.into()))
}

fn move_into(service: &Service, call: &Call) -> Result<Operation, Fault> {
    service.require_vcenter()?;
    let list = call.required(arg!(MoveIntoFolder_Task.list))?;
    let list: Vec<MoRef> = list.morefs().cloned().collect();
    let snapshot = service.engine().snapshot();
    if let Some(unknown) = list.iter().find(|entity| !snapshot.exists(entity)) {
        return Err(Fault::not_found(unknown));
    }
    let kind = snapshot.get(&call.this).and_then(FolderKind::of);
    for entity in &list {
        if !may_hold(&*snapshot, &call.this, kind, entity) {
            return Err(Fault::not_supported());
        }
    }
    Ok(Operation::new(MoveInto { folder: call.this.clone(), list }).shared())
}

/// Whether a folder of a kind can hold the entity, wherever it is now.
fn may_hold(
    state: &(impl Read + ?Sized),
    folder: &MoRef,
    kind: Option<FolderKind>,
    entity: &MoRef,
) -> bool {
    let of = entity.ty();
    if folder.ty().is_a(ty::StoragePod) {
        return of.is_a(ty::Datastore);
    }
    let Some(kind) = kind else { return false };
    if of == ty::Folder {
        let parent = containment::parent(state, entity);
        let is_root = parent.is_none_or(|parent| parent.ty().is_a(ty::Datacenter));
        return !is_root && state.get(entity).and_then(FolderKind::of) == Some(kind);
    }
    match kind {
        FolderKind::Datacenter => of.is_a(ty::Datacenter),
        FolderKind::Vm => of.is_a(ty::VirtualMachine),
        FolderKind::Host => of.is_a(ty::ComputeResource),
        FolderKind::Datastore => of.is_a(ty::Datastore) || of.is_a(ty::StoragePod),
        FolderKind::Network => {
            (of.is_a(ty::Network) && !of.is_a(ty::DistributedVirtualPortgroup))
                || of.is_a(ty::DistributedVirtualSwitch)
        }
    }
}

#[derive(Clone, Debug)]
struct MoveInto {
    folder: MoRef,
    list: Vec<MoRef>,
}

impl MoveInto {
    /// All of the list can move, or nothing does.
    fn check(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        let home = placement::datacenter(tx, &self.folder);
        let mut moved = HashSet::new();
        for entity in &self.list {
            if !tx.exists(entity) {
                return Err(Fault::not_found(entity));
            }
            let is_above = containment::is_below(tx, &self.folder, entity);
            let is_elsewhere =
                !entity.ty().is_a(ty::Datacenter) && placement::datacenter(tx, entity) != home;
            if is_above || (is_elsewhere && entity.ty() != ty::Folder) {
                return Err(invalid_folder(&self.folder));
            }
            if is_elsewhere && home.is_some() {
                return Err(invalid_folder(&self.folder));
            }
            let name = tx.text(entity, path!(ManagedEntity, "name"));
            names::check_free(tx, &self.folder, ty::ManagedEntity, name, Some(entity))?;
            if !moved.insert(name) {
                return Err(Fault::duplicate_name(name, entity));
            }
        }
        Ok(())
    }
}

fn invalid_folder(target: &MoRef) -> Fault {
    Fault::new(
        object!(InvalidFolder { target: target }),
        "The destination folder is not valid for the entity.",
    )
}

impl Job for MoveInto {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.check(tx)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        self.check(tx)?;
        for entity in &self.list {
            if let Some(parent) = tx.moref(entity, path!(ManagedEntity, "parent")).cloned() {
                tx.remove_ref(&parent, path!(Folder, "childEntity"), entity)?;
            }
            tx.set(entity, path!(ManagedEntity, "parent"), &self.folder)?;
            tx.push_ref(&self.folder, path!(Folder, "childEntity"), entity)?;
        }
        Ok(None)
    }
}
