//! Machines coming into the inventory, moving in it and leaving it.

use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::ty;
use crate::value::{DateTime, MoRef, Object};
use crate::vsphere::datastore_path::DatastorePath;
use crate::vsphere::model::Catalog;
use crate::vsphere::{model, placement, scheduled};

/// A machine or template to be added.
#[derive(Debug)]
pub(super) struct NewMachine {
    /// Its folder.
    pub(super) folder: MoRef,
    /// Its pool; nothing for a template.
    pub(super) pool: Option<MoRef>,
    /// Its host.
    pub(super) host: MoRef,
    /// Its configuration.
    pub(super) config: Object,
}

/// The configuration that a new machine has before anything is said about it.
pub(super) fn blank_config(
    tx: &Tx<'_>,
    catalog: &Catalog,
    name: &str,
    home: &DatastorePath,
    now: DateTime,
) -> Object {
    let names = model::vm::Names {
        name,
        vmx_path: &home.to_string(),
        uuid: &tx.ids().uuid().hyphenated().to_string(),
        instance_uuid: &tx.ids().session_key(),
    };
    catalog.vm().config(&names, &[], now)
}

/// Adds a machine, powered off.
pub(super) fn insert(tx: &mut Tx<'_>, catalog: &Catalog, new: &NewMachine) -> Result<MoRef, Fault> {
    let vm = tx.next_moref(ty::VirtualMachine, "vm");
    let compute = placement::compute_of(tx, &new.host);
    let environment = compute.and_then(|compute| {
        tx.moref(&compute, path!(ComputeResource, "environmentBrowser")).cloned()
    });
    let environment = environment.ok_or_else(|| Fault::not_found(&new.host))?;
    let machine = model::vm::NewMachine {
        config: new.config.clone(),
        capability: catalog.vm().capability(),
        folder: &new.folder,
        pool: new.pool.as_ref(),
        host: Some(&new.host),
        environment: &environment,
        on: false,
        now: tx.now(),
    };
    model::vm::insert(tx, &vm, &machine)?;
    Ok(vm)
}

/// Takes a machine out of the inventory, with its snapshots.
pub(in crate::vsphere) fn remove(tx: &mut Tx<'_>, vm: &MoRef) -> Result<(), Fault> {
    let mut snapshots = tx.morefs(vm, path!(VirtualMachine, "rootSnapshot"));
    while let Some(snapshot) = snapshots.pop() {
        snapshots.extend(tx.morefs(&snapshot, path!(VirtualMachineSnapshot, "childSnapshot")));
        scheduled::forget(tx, |mo| *mo == snapshot)?;
        tx.remove(&snapshot);
    }
    scheduled::forget(tx, |mo| mo == vm)?;
    tx.remove(&super::customize::kept(vm));
    model::vm::remove(tx, vm)
}

/// Puts a machine into another pool of the same compute resource.
pub(in crate::vsphere) fn move_to_pool(
    tx: &mut Tx<'_>,
    vm: &MoRef,
    pool: &MoRef,
) -> Result<(), Fault> {
    let (now, app) = (tx.now(), pool.ty().is_a(ty::VirtualApp).then(|| pool.clone()));
    model::vm::change(tx, vm, now, |machine| {
        machine.set(const { ty::VirtualMachine.slot("resourcePool") }, pool);
        machine.set(const { ty::VirtualMachine.slot("parentVApp") }, app);
        Ok(())
    })
}
