//! Another name for an entity, and everything that repeats the name.

use super::{host, vm};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::path;
use crate::schema::{StaticPath, ty};
use crate::value::{Array, DateTime, MoRef, Object, Str, Value};

/// Gives an entity another name. Whether it may have the name is for the
/// caller to say.
pub fn rename(tx: &mut Transaction, mo: &MoRef, name: &str, now: DateTime) -> Result<(), Fault> {
    let kind = mo.ty();
    if kind.is_a(ty::VirtualMachine) {
        return vm::rename(tx, mo, name, now);
    }
    let old = Str::from(tx.text(mo, path!(ManagedEntity, "name")));
    set_all(tx, mo, &[path!(ManagedEntity, "name")], name)?;
    if kind.is_a(ty::Datastore) {
        datastore(tx, mo, &old, name, now)
    } else if kind.is_a(ty::DistributedVirtualSwitch) {
        switch(tx, mo, name)
    } else if kind.is_a(ty::Network) {
        network(tx, mo, &old, name, now)
    } else if kind.is_a(ty::ResourcePool) {
        set_all(tx, mo, &[path!(ResourcePool, "summary.name")], name)
    } else if kind.is_a(ty::StoragePod) {
        set_all(tx, mo, &[path!(StoragePod, "summary.name")], name)
    } else if kind.is_a(ty::HostSystem) {
        host::refresh(tx, mo)
    } else {
        Ok(())
    }
}

fn set_all(
    tx: &mut Transaction,
    mo: &MoRef,
    places: &[&'static StaticPath],
    name: &str,
) -> Result<(), Fault> {
    places.iter().try_for_each(|place| tx.set(mo, place, name))
}

/// A datastore's name stands in the description of its volume, on every host
/// that has it mounted, and in the paths of every file on it.
fn datastore(
    tx: &mut Transaction,
    mo: &MoRef,
    old: &str,
    name: &str,
    now: DateTime,
) -> Result<(), Fault> {
    set_all(tx, mo, &[path!(Datastore, "info.name"), path!(Datastore, "summary.name")], name)?;
    let info = tx.at(mo, path!(Datastore, "info")).and_then(Value::as_object).cloned();
    if let Some(info) = info.filter(|info| info.ty().is_a(ty::VmfsDatastoreInfo))
        && let Ok(info) = info.with_at(path!(VmfsDatastoreInfo, "vmfs.name"), name)
    {
        tx.set(mo, path!(Datastore, "info"), info)?;
    }
    let mounts = tx.at(mo, path!(Datastore, "host")).map_or(&[][..], Value::items);
    let hosts: Vec<MoRef> = mounts
        .iter()
        .filter_map(|mount| mount.as_object()?.field("key")?.as_moref().cloned())
        .collect();
    for host in hosts {
        let stores = tx.morefs(&host, path!(HostSystem, "datastore"));
        host::mount(tx, &host, &stores)?;
    }
    for machine in tx.morefs(mo, path!(Datastore, "vm")) {
        let mut snapshots = tx.morefs(&machine, path!(VirtualMachine, "rootSnapshot"));
        while let Some(snapshot) = snapshots.pop() {
            snapshots.extend(tx.morefs(&snapshot, path!(VirtualMachineSnapshot, "childSnapshot")));
            let config = path!(VirtualMachineSnapshot, "config");
            if let Some(kept) = tx.at(&snapshot, config).and_then(Value::as_object).cloned() {
                tx.set(&snapshot, config, moved(&kept, old, name))?;
            }
        }
        vm::change(tx, &machine, now, |properties| {
            let slot = const { ty::VirtualMachine.slot("config") };
            if let Some(config) = properties.get(slot) {
                let moved = replaced(config, &format!("[{old}]"), &format!("[{name}]"));
                properties.set(slot, moved);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The object with every path on the datastore called `old` turned into one on `new`.
pub fn moved(object: &Object, old: &str, new: &str) -> Object {
    let moved = replaced_in(object, &format!("[{old}]"), &format!("[{new}]"));
    moved.unwrap_or_else(|| object.clone())
}

/// The value with every text that starts with `old` starting with `new` instead.
fn replaced(value: &Value, old: &str, new: &str) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix(old) {
            Some(rest) => Value::from(format!("{new}{rest}")),
            None => value.clone(),
        },
        Value::Array(array) => {
            let items: Vec<Value> =
                array.items().iter().map(|item| replaced(item, old, new)).collect();
            if items.iter().zip(array.items()).all(|(a, b)| a.same(b)) {
                return value.clone();
            }
            Value::Array(Array::new(array.element(), items))
        }
        Value::Object(object) => {
            replaced_in(object, old, new).map_or_else(|| value.clone(), Value::Object)
        }
        _ => value.clone(),
    }
}

fn replaced_in(object: &Object, old: &str, new: &str) -> Option<Object> {
    let mut next = None;
    for (slot, value) in object.slots().iter().enumerate() {
        let Some(value) = value else { continue };
        let other = replaced(value, old, new);
        if !other.same(value) {
            next.get_or_insert_with(|| object.edit()).set(slot, other);
        }
    }
    next.map(crate::value::ObjectBuilder::finish)
}

fn switch(tx: &mut Transaction, mo: &MoRef, name: &str) -> Result<(), Fault> {
    let places = [
        path!(DistributedVirtualSwitch, "config.name"),
        path!(DistributedVirtualSwitch, "summary.name"),
    ];
    set_all(tx, mo, &places, name)?;
    let uuid = Str::from(tx.text(mo, path!(DistributedVirtualSwitch, "uuid")));
    for host in tx.morefs(mo, path!(DistributedVirtualSwitch, "summary.hostMember")) {
        let place = path!(HostSystem, "config.network.proxySwitch");
        let Some(proxies) = tx.at(&host, place).and_then(Value::as_array) else { continue };
        let renamed = proxies.items().iter().map(|proxy| match proxy.as_object() {
            Some(proxy) if proxy.field("dvsUuid").and_then(Value::as_str) == Some(&uuid) => {
                proxy.with(const { ty::HostProxySwitch.slot("dvsName") }, name).into()
            }
            _ => proxy.clone(),
        });
        let renamed = Array::new(ty::HostProxySwitch, renamed.collect());
        tx.set(&host, place, renamed)?;
        host::refresh(tx, &host)?;
    }
    Ok(())
}

fn network(
    tx: &mut Transaction,
    mo: &MoRef,
    old: &str,
    name: &str,
    now: DateTime,
) -> Result<(), Fault> {
    set_all(tx, mo, &[path!(Network, "summary.name")], name)?;
    if mo.ty().is_a(ty::DistributedVirtualPortgroup) {
        set_all(tx, mo, &[path!(DistributedVirtualPortgroup, "config.name")], name)?;
        let switch = path!(DistributedVirtualPortgroup, "config.distributedVirtualSwitch");
        if let Some(switch) = tx.moref(mo, switch).cloned() {
            let groups = tx.morefs(&switch, path!(DistributedVirtualSwitch, "portgroup"));
            let names: Vec<String> = groups
                .iter()
                .map(|group| tx.text(group, path!(ManagedEntity, "name")).to_owned())
                .collect();
            tx.set(&switch, path!(DistributedVirtualSwitch, "summary.portgroupName"), names)?;
        }
    }
    for machine in tx.morefs(mo, path!(Network, "vm")) {
        vm::change(tx, &machine, now, |properties| {
            let slot = const { ty::VirtualMachine.slot("config") };
            let place = path!(VirtualMachineConfigInfo, "hardware.device");
            let Some(config) = properties.get(slot).and_then(Value::as_object) else {
                return Ok(());
            };
            let devices: Vec<Value> = super::device::devices(config)
                .iter()
                .map(|device| connected_to(device, old, name))
                .collect();
            if let Ok(config) = config.with_at(place, devices) {
                properties.set(slot, config);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// An adapter that names its network `old`, with the name `new`.
fn connected_to(device: &Value, old: &str, new: &str) -> Value {
    let renamed = || {
        let adapter = device.as_object().filter(|d| d.ty().is_a(ty::VirtualEthernetCard))?;
        let slot = const { ty::VirtualDevice.slot("backing") };
        let backing = adapter.get(slot)?.as_object()?;
        let (name, _) = backing.ty().field("deviceName")?;
        if backing.get(name)?.as_str() != Some(old) {
            return None;
        }
        let label = path!(VirtualDevice, "deviceInfo.summary");
        let adapter = adapter.with(slot, backing.with(name, new));
        Some(adapter.with_at(label, new).unwrap_or(adapter))
    };
    renamed().map_or_else(|| device.clone(), Value::Object)
}
