//! Renaming: every place that repeats a name is brought along.

use super::datastore_path::DatastorePath;
use super::model;
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{StaticPath, ty};
use crate::value::{Array, MoRef, Object, Str, Value};

/// Gives an entity a name that is free and in the form that the inventory stores.
pub(super) fn rename(tx: &mut Tx<'_>, entity: &MoRef, name: &str) -> Result<(), Fault> {
    let before = tx.text(entity, path!(ManagedEntity, "name")).to_owned();
    tx.set(entity, path!(ManagedEntity, "name"), name)?;
    for path in copies(entity) {
        if tx.at(entity, path).is_some() {
            tx.set(entity, path, name)?;
        }
    }
    let of = entity.ty();
    if of.is_a(ty::VirtualMachine) {
        let now = tx.now();
        model::vm::refresh(tx, entity, now)?;
    } else if of.is_a(ty::Datastore) {
        rename_datastore(tx, entity, &before, name)?;
    } else if of.is_a(ty::Network) {
        let now = tx.now();
        for vm in tx.morefs(entity, path!(Network, "vm")) {
            model::vm::refresh(tx, &vm, now)?;
        }
    }
    Ok(())
}

/// Where an entity repeats its own name.
fn copies(entity: &MoRef) -> &'static [&'static StaticPath] {
    let of = entity.ty();
    if of.is_a(ty::VirtualMachine) {
        &[path!(VirtualMachine, "config.name")]
    } else if of.is_a(ty::ResourcePool) {
        &[path!(ResourcePool, "summary.name")]
    } else if of.is_a(ty::StoragePod) {
        &[path!(StoragePod, "summary.name")]
    } else if of.is_a(ty::Datastore) {
        &[path!(Datastore, "summary.name"), path!(Datastore, "info.name")]
    } else if of.is_a(ty::DistributedVirtualPortgroup) {
        &[
            path!(DistributedVirtualPortgroup, "summary.name"),
            path!(DistributedVirtualPortgroup, "config.name"),
        ]
    } else if of.is_a(ty::DistributedVirtualSwitch) {
        &[
            path!(DistributedVirtualSwitch, "summary.name"),
            path!(DistributedVirtualSwitch, "config.name"),
        ]
    } else {
        &[]
    }
}

/// A datastore's name is part of the path of every file on it.
fn rename_datastore(
    tx: &mut Tx<'_>,
    datastore: &MoRef,
    before: &str,
    name: &str,
) -> Result<(), Fault> {
    let info = tx.at(datastore, path!(Datastore, "info")).and_then(Value::as_object);
    if let Some(info) = info.filter(|info| info.ty().is_a(ty::VmfsDatastoreInfo)).cloned()
        && let Ok(info) = info.with_at(path!(VmfsDatastoreInfo, "vmfs.name"), name)
    {
        tx.set(datastore, path!(Datastore, "info"), info)?;
    }
    let now = tx.now();
    for vm in tx.morefs(datastore, path!(Datastore, "vm")) {
        let Some(config) = tx.at(&vm, path!(VirtualMachine, "config")).cloned() else { continue };
        let config = moved(&config, before, name);
        tx.set(&vm, path!(VirtualMachine, "config"), config)?;
        model::vm::refresh(tx, &vm, now)?;
        for snapshot in tx.morefs(&vm, path!(VirtualMachine, "rootSnapshot")) {
            rename_in_snapshots(tx, &snapshot, before, name)?;
        }
    }
    Ok(())
}

fn rename_in_snapshots(
    tx: &mut Tx<'_>,
    snapshot: &MoRef,
    before: &str,
    name: &str,
) -> Result<(), Fault> {
    let config = tx.at(snapshot, path!(VirtualMachineSnapshot, "config")).cloned();
    if let Some(config) = config {
        let config = moved(&config, before, name);
        tx.set(snapshot, path!(VirtualMachineSnapshot, "config"), config)?;
    }
    for child in tx.morefs(snapshot, path!(VirtualMachineSnapshot, "childSnapshot")) {
        rename_in_snapshots(tx, &child, before, name)?;
    }
    Ok(())
}

/// The value with every path on the datastore `before` turned into one on
/// `after`; what holds no such path is shared.
fn moved(value: &Value, before: &str, after: &str) -> Value {
    match value {
        Value::String(text) => match DatastorePath::parse(text) {
            Ok(path) if path.datastore == before && text.starts_with('[') => {
                Value::String(Str::from(DatastorePath::new(after, path.path).to_string()))
            }
            _ => value.clone(),
        },
        Value::Object(object) => {
            moved_object(object, before, after).map_or_else(|| value.clone(), Value::Object)
        }
        Value::Array(array) => {
            let items: Vec<Value> =
                array.items().iter().map(|item| moved(item, before, after)).collect();
            if items.iter().zip(array.items()).all(|(new, old)| new.same(old)) {
                return value.clone();
            }
            Value::Array(Array::new(array.element(), items))
        }
        _ => value.clone(),
    }
}

/// The object with its paths turned, or nothing if there is none in it.
fn moved_object(object: &Object, before: &str, after: &str) -> Option<Object> {
    let mut next = None;
    for (slot, value) in object.slots().iter().enumerate() {
        let Some(value) = value else { continue };
        let new = moved(value, before, after);
        if !new.same(value) {
            next.get_or_insert_with(|| object.edit()).set(slot, new);
        }
    }
    next.map(crate::value::ObjectBuilder::finish)
}
