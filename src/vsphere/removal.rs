//! `Destroy_Task`: what can be destroyed and when, and taking it out of the
//! inventory with all that belongs to it, so that nothing refers to it any more.

use std::collections::HashSet;

use super::containment;
use super::events;
use super::left_files;
use super::model;
use super::placement;
use super::scheduled;
use super::vm::{registry, state};
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{Type, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::{object, path};

/// Whether an entity can be destroyed at all: what the inventory itself
/// consists of cannot, and a host by itself goes with its compute resource.
pub(super) fn can_be_destroyed(state: &(impl Read + ?Sized), entity: &MoRef) -> bool {
    let Some(parent) = containment::parent(state, entity) else { return false };
    let (of, within) = (entity.ty(), parent.ty());
    let is_root = (of.is_a(ty::Folder) && within.is_a(ty::Datacenter))
        || (of.is_a(ty::ResourcePool) && within.is_a(ty::ComputeResource))
        || (of.is_a(ty::HostSystem) && !within.is_a(ty::ClusterComputeResource));
    !is_root
}

/// Fails if the entity cannot be destroyed in the state that it is in.
pub(super) fn check(tx: &Tx<'_>, entity: &MoRef) -> Result<(), Fault> {
    // Not recursive: clients decide how deep folders and vApps are nested.
    let mut open = vec![entity.clone()];
    while let Some(entity) = open.pop() {
        let start = open.len();
        open.extend(check_alone(tx, &entity)?);
        // Taken from the end, and the first is to be first.
        if let Some(below) = open.get_mut(start..) {
            below.reverse();
        }
    }
    Ok(())
}

/// Gives what stands or falls with the entity.
fn check_alone(tx: &Tx<'_>, entity: &MoRef) -> Result<Vec<MoRef>, Fault> {
    let Some(properties) = tx.get(entity) else { return Err(Fault::not_found(entity)) };
    let of = entity.ty();
    if of.is_a(ty::VirtualMachine) {
        state::refuse_running(tx, entity)?;
    } else if of.is_a(ty::VirtualApp) {
        let mut below = tx.morefs(entity, path!(ResourcePool, "vm"));
        below.extend(tx.morefs(entity, path!(ResourcePool, "resourcePool")));
        return Ok(below);
    } else if of.is_a(ty::HostSystem) {
        let idle = properties.at(path!(HostSystem, "runtime.inMaintenanceMode"));
        let connected =
            tx.text(entity, path!(HostSystem, "runtime.connectionState")) == "connected";
        if connected && idle.and_then(Value::as_bool) != Some(true) {
            return Err(state::invalid_host_state(entity));
        }
    } else if of.is_a(ty::Datastore) {
        refuse_used(tx, entity, &tx.morefs(entity, path!(Datastore, "vm")))?;
    } else if of.is_a(ty::Network) {
        refuse_used(tx, entity, &tx.morefs(entity, path!(Network, "vm")))?;
    } else if of.is_a(ty::DistributedVirtualSwitch) {
        for group in tx.morefs(entity, path!(DistributedVirtualSwitch, "portgroup")) {
            refuse_used(tx, entity, &tx.morefs(&group, path!(Network, "vm")))?;
        }
    } else if of.is_a(ty::Folder) && !of.is_a(ty::StoragePod) {
        return Ok(tx.morefs(entity, path!(Folder, "childEntity")));
    }
    Ok(Vec::new())
}

fn refuse_used(tx: &Tx<'_>, entity: &MoRef, users: &[MoRef]) -> Result<(), Fault> {
    if users.is_empty() {
        return Ok(());
    }
    let name = tx.text(entity, path!(ManagedEntity, "name"));
    Err(Fault::new(
        object!(ResourceInUse { type: entity.ty().name(), name: name }),
        format!("The resource '{name}' is in use."),
    ))
}

/// Destroys an entity that [`check`] lets go.
pub(super) fn destroy(tx: &mut Tx<'_>, entity: &MoRef) -> Result<(), Fault> {
    let of = entity.ty();
    if of.is_a(ty::VirtualMachine) {
        events::life::removed(tx, entity);
        return registry::remove(tx, entity);
    }
    if of.is_a(ty::StoragePod) {
        return dissolve_pod(tx, entity);
    }
    if of == ty::ResourcePool {
        return dissolve_pool(tx, entity);
    }
    if of.is_a(ty::Datastore) {
        unmount(tx, entity)?;
    }
    let mut gone = HashSet::new();
    let compute = placement::compute_of(tx, entity).filter(|_| of.is_a(ty::HostSystem));
    gather(tx, entity, &mut gone)?;
    scrub(tx, &gone)?;
    match compute {
        Some(compute) => {
            narrow(tx, &compute)?;
            model::compute::refresh(tx, &compute)
        }
        None => Ok(()),
    }
}

/// Takes a datastore off every host that has it mounted.
fn unmount(tx: &mut Tx<'_>, datastore: &MoRef) -> Result<(), Fault> {
    let mounts = tx.at(datastore, path!(Datastore, "host")).map_or(&[][..], Value::items);
    let hosts: Vec<MoRef> = mounts
        .iter()
        .filter_map(|mount| mount.as_object()?.at(path!(DatastoreHostMount, "key"))?.as_moref())
        .cloned()
        .collect();
    for host in hosts {
        let mut others = tx.morefs(&host, path!(HostSystem, "datastore"));
        others.retain(|other| other != datastore);
        model::host::mount(tx, &host, &others)?;
    }
    Ok(())
}

/// Without one of its hosts, a compute resource has what the others have.
fn narrow(tx: &mut Tx<'_>, compute: &MoRef) -> Result<(), Fault> {
    for (of_host, of_compute) in [
        (path!(HostSystem, "datastore"), path!(ComputeResource, "datastore")),
        (path!(HostSystem, "network"), path!(ComputeResource, "network")),
    ] {
        let hosts = placement::hosts(tx, compute);
        let left: HashSet<MoRef> = hosts.iter().flat_map(|host| tx.morefs(host, of_host)).collect();
        let mut list = tx.morefs(compute, of_compute);
        list.retain(|it| left.contains(it));
        tx.set(compute, of_compute, list)?;
    }
    Ok(())
}

/// Puts what goes with `entity` into `gone`; machines below it leave at once,
/// with their share of all sums.
fn gather(tx: &mut Tx<'_>, entity: &MoRef, gone: &mut HashSet<MoRef>) -> Result<(), Fault> {
    let (mut open, mut entities) = (vec![entity.clone()], Vec::new());
    while let Some(entity) = open.pop() {
        if !gone.insert(entity.clone()) {
            continue;
        }
        let of = entity.ty();
        let mut below = containment::children(tx, &entity);
        if of.is_a(ty::HostSystem) {
            below.extend(tx.morefs(&entity, path!(HostSystem, "vm")));
        }
        if of.is_a(ty::DistributedVirtualSwitch) {
            below.extend(tx.morefs(&entity, path!(DistributedVirtualSwitch, "portgroup")));
        }
        for child in below {
            if !child.ty().is_a(ty::VirtualMachine) {
                open.push(child);
            } else if tx.exists(&child) {
                events::life::removed(tx, &child);
                registry::remove(tx, &child)?;
            }
        }
        gone.extend(belongings(tx, &entity));
        entities.push(entity);
    }
    entities.iter().rev().for_each(|entity| events::life::removed(tx, entity));
    Ok(())
}

/// The objects that are part of an entity and of no other.
fn belongings(tx: &Tx<'_>, entity: &MoRef) -> Vec<MoRef> {
    let of = entity.ty();
    let one = |path| tx.moref(entity, path).cloned().into_iter().collect();
    if of.is_a(ty::HostSystem) {
        return model::host::Managers::of(entity, false).belongings();
    }
    if of.is_a(ty::ComputeResource) {
        let mut all: Vec<MoRef> = one(path!(ComputeResource, "environmentBrowser"));
        let browsers: Vec<MoRef> = all
            .iter()
            .filter_map(|it| tx.moref(it, path!(EnvironmentBrowser, "datastoreBrowser")))
            .cloned()
            .collect();
        all.extend(browsers);
        return all;
    }
    if of.is_a(ty::Datastore) {
        let mut all: Vec<MoRef> = one(path!(Datastore, "browser"));
        all.extend(left_files::on(tx, entity));
        return all;
    }
    Vec::new()
}

/// The datastores of a pod stay, where the pod stood.
fn dissolve_pod(tx: &mut Tx<'_>, pod: &MoRef) -> Result<(), Fault> {
    let parent = tx.moref(pod, path!(ManagedEntity, "parent")).cloned();
    let parent = parent.ok_or_else(|| Fault::not_found(pod))?;
    for datastore in tx.morefs(pod, path!(Folder, "childEntity")) {
        tx.set(&datastore, path!(ManagedEntity, "parent"), &parent)?;
        tx.push_ref(&parent, path!(Folder, "childEntity"), &datastore)?;
    }
    tx.remove_ref(&parent, path!(Folder, "childEntity"), pod)?;
    scheduled::forget(tx, |mo| mo == pod)?;
    tx.remove(pod);
    Ok(())
}

/// What a pool holds goes to the pool above it.
pub(super) fn dissolve_pool(tx: &mut Tx<'_>, pool: &MoRef) -> Result<(), Fault> {
    events::life::removed(tx, pool);
    let parent = tx.moref(pool, path!(ResourcePool, "parent")).cloned();
    let parent = parent.ok_or_else(|| Fault::not_found(pool))?;
    for vm in tx.morefs(pool, path!(ResourcePool, "vm")) {
        registry::move_to_pool(tx, &vm, &parent)?;
    }
    for child in tx.morefs(pool, path!(ResourcePool, "resourcePool")) {
        super::resource_pool::move_pool(tx, &child, &parent)?;
    }
    tx.remove_ref(&parent, path!(ResourcePool, "resourcePool"), pool)?;
    scheduled::forget(tx, |mo| mo == pool)?;
    tx.remove(pool);
    Ok(())
}

/// Removes objects and every reference to them. Machines refer only to what
/// cannot go without them; tasks keep what they were about, and scheduled ones
/// their arguments.
fn scrub(tx: &mut Tx<'_>, gone: &HashSet<MoRef>) -> Result<(), Fault> {
    scheduled::forget(tx, |mo| gone.contains(mo))?;
    for mo in gone {
        tx.remove(mo);
    }
    let kept = |of: Type| [ty::VirtualMachine, ty::Task, ty::ScheduledTask].contains(&of);
    let changed: Vec<(MoRef, Object)> = tx
        .iter()
        .filter(|(mo, _)| !kept(mo.ty()))
        .filter_map(|(mo, properties)| Some((mo.clone(), without(properties, gone)?)))
        .collect();
    changed.into_iter().try_for_each(|(mo, properties)| tx.replace(&mo, properties))
}

/// The object without references to what is gone; nothing if it has none.
fn without(object: &Object, gone: &HashSet<MoRef>) -> Option<Object> {
    let mut next = None;
    for (slot, value) in object.slots().iter().enumerate() {
        let edited = match value {
            Some(Value::Ref(mo)) if gone.contains(mo) => None,
            Some(Value::Object(inner)) => match without(inner, gone) {
                Some(inner) => Some(Value::Object(inner)),
                None => continue,
            },
            Some(Value::Array(array)) => match array_without(array, gone) {
                Some(array) => Some(Value::Array(array)),
                None => continue,
            },
            _ => continue,
        };
        next.get_or_insert_with(|| object.edit()).set(slot, edited);
    }
    next.map(crate::value::ObjectBuilder::finish)
}

fn array_without(array: &Array, gone: &HashSet<MoRef>) -> Option<Array> {
    let mut changed = false;
    let mut items = Vec::with_capacity(array.len());
    for item in array.items() {
        let is_about = match item {
            Value::Ref(mo) => gone.contains(mo),
            Value::Object(object) => names_gone(object, gone, 2),
            _ => false,
        };
        if is_about {
            changed = true;
            continue;
        }
        match item.as_object().and_then(|object| without(object, gone)) {
            Some(object) => {
                changed = true;
                items.push(Value::Object(object));
            }
            None => items.push(item.clone()),
        }
    }
    changed.then(|| Array::new(array.element(), items))
}

/// Whether an element of an array is about something that is gone: it names it
/// in a field of its own, or of an object in it.
fn names_gone(object: &Object, gone: &HashSet<MoRef>, depth: u8) -> bool {
    depth > 0
        && object.iter().any(|(_, value)| match value {
            Value::Ref(mo) => gone.contains(mo),
            Value::Object(inner) => names_gone(inner, gone, depth - 1),
            _ => false,
        })
}
