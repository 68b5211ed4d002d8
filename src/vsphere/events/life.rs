//! What comes into the inventory, changes its name or shape, and leaves: the
//! events that several operations have in common.

use super::{argument, changes, post, post_of_server};
use crate::engine::{Engine, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::object;
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Object, Value};
use crate::vsphere::vm::state;

/// Of more machines than this it is not told how they came into being.
const TOLD: usize = 1000;

/// The server has started, with the machines that it found: each was created
/// and perhaps started, by nobody in particular.
pub(in crate::vsphere) fn started(engine: &Engine) -> Result<(), Fault> {
    let snapshot = engine.snapshot();
    let machines = snapshot.refs(ty::VirtualMachine);
    let mut machines: Vec<&MoRef> = machines.take(TOLD + 1).collect();
    if machines.len() > TOLD {
        machines.clear();
    }
    // By their numbers.
    machines.sort_by_key(|vm| (vm.id().len(), vm.id()));
    engine.commit(|tx| {
        post_of_server(tx, &object!(ServerStartedSessionEvent {}));
        for vm in machines {
            tx.end_chain();
            post(tx, vm, object!(VmBeingCreatedEvent {}));
            identified(tx, vm);
            post(tx, vm, object!(VmCreatedEvent {}));
            if state::power(tx, vm) == state::ON {
                post(tx, vm, object!(VmStartingEvent {}));
                post(tx, vm, object!(VmPoweredOnEvent {}));
            }
        }
        Ok(())
    })
}

/// The server has started again, with all that it had.
pub(in crate::vsphere) fn restarted(engine: &Engine) -> Result<(), Fault> {
    engine.commit(|tx| {
        post_of_server(tx, &object!(ServerStartedSessionEvent {}));
        Ok(())
    })
}

/// A machine has got its identities.
pub(in crate::vsphere) fn identified(tx: &mut Tx<'_>, vm: &MoRef) {
    let text = |path| Some(tx.text(vm, path)).filter(|text| !text.is_empty()).map(str::to_owned);
    let instance = text(path!(VirtualMachine, "config.instanceUuid"));
    let uuid = text(path!(VirtualMachine, "config.uuid"));
    if let Some(instance) = instance {
        post(tx, vm, object!(VmInstanceUuidAssignedEvent { instanceUuid: instance }));
    }
    if let Some(uuid) = uuid {
        post(tx, vm, object!(VmUuidAssignedEvent { uuid: uuid }));
    }
    addressed(tx, vm, None);
}

/// Network adapters of a machine have got their addresses: those that were not
/// there `before`.
fn addressed(tx: &mut Tx<'_>, vm: &MoRef, before: Option<&Object>) {
    let had = before.map(adapters).unwrap_or_default();
    let config = tx.at(vm, path!(VirtualMachine, "config")).and_then(Value::as_object);
    let has = config.map(adapters).unwrap_or_default();
    for (adapter, mac) in has {
        match had.iter().find(|(other, _)| *other == adapter) {
            Some((_, old)) if *old == mac => {}
            Some((_, old)) => {
                let (old, new) = (old.as_str(), mac.as_str());
                post(
                    tx,
                    vm,
                    object!(VmMacChangedEvent { adapter: adapter, oldMac: old, newMac: new }),
                );
            }
            None => post(tx, vm, object!(VmMacAssignedEvent { adapter: adapter, mac: mac })),
        }
    }
}

/// The network adapters in a configuration, with their addresses.
fn adapters(config: &Object) -> Vec<(String, String)> {
    let devices = config.at(path!(VirtualMachineConfigInfo, "hardware.device"));
    let devices = devices.map_or(&[][..], Value::items).iter().filter_map(Value::as_object);
    devices
        .filter(|device| device.ty().is_a(ty::VirtualEthernetCard))
        .filter_map(|card| {
            let label = card.at(path!(VirtualDevice, "deviceInfo.label"))?.as_str()?;
            let mac = card.at(path!(VirtualEthernetCard, "macAddress"))?.as_str()?;
            Some((label.to_owned(), mac.to_owned()))
        })
        .collect()
}

/// A machine has another configuration than `before`, as `spec` wanted it.
pub(in crate::vsphere) fn reconfigured(
    tx: &mut Tx<'_>,
    vm: &MoRef,
    before: &Object,
    spec: &Object,
) {
    let Some(Value::Object(after)) = tx.at(vm, path!(VirtualMachine, "config")).cloned() else {
        return;
    };
    let of = |config: &Object, path| {
        config.at(path).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let name = path!(VirtualMachineConfigInfo, "name");
    if of(before, name) != of(&after, name) {
        renamed(tx, vm, &of(before, name));
    }
    let uuid = path!(VirtualMachineConfigInfo, "uuid");
    if of(before, uuid) != of(&after, uuid) {
        let (old, new) = (of(before, uuid), of(&after, uuid));
        post(tx, vm, object!(VmUuidChangedEvent { oldUuid: old, newUuid: new }));
    }
    let instance = path!(VirtualMachineConfigInfo, "instanceUuid");
    if of(before, instance) != of(&after, instance) {
        let (old, new) = (of(before, instance), of(&after, instance));
        post(
            tx,
            vm,
            object!(VmInstanceUuidChangedEvent { oldInstanceUuid: old, newInstanceUuid: new }),
        );
    }
    addressed(tx, vm, Some(before));
    let changes = changes::between("config", before, &after);
    post(tx, vm, object!(VmReconfiguredEvent { configSpec: spec, configChanges: changes }));
}

/// An entity, which was called `before`, has another name.
pub(in crate::vsphere) fn renamed(tx: &mut Tx<'_>, entity: &MoRef, before: &str) {
    let name = tx.text(entity, path!(ManagedEntity, "name")).to_owned();
    let of = entity.ty();
    let event = if of.is_a(ty::VirtualMachine) {
        object!(VmRenamedEvent { oldName: before, newName: name })
    } else if of.is_a(ty::Datacenter) {
        object!(DatacenterRenamedEvent { oldName: before, newName: name })
    } else if of.is_a(ty::Datastore) {
        let datastore = argument(tx, entity);
        object!(DatastoreRenamedEvent { oldName: before, newName: name, datastore: datastore })
    } else if of.is_a(ty::DistributedVirtualPortgroup) {
        object!(DVPortgroupRenamedEvent { oldName: before, newName: name })
    } else if of.is_a(ty::DistributedVirtualSwitch) {
        object!(DvsRenamedEvent { oldName: before, newName: name })
    } else if of.is_a(ty::ResourcePool) {
        let pool = argument(tx, entity);
        let changes = changes::one("name", before, &name);
        object!(ResourcePoolReconfiguredEvent { resourcePool: pool, configChanges: changes })
    } else if of.is_a(ty::ClusterComputeResource) {
        object!(ClusterReconfiguredEvent { configChanges: changes::one("name", before, &name) })
    } else {
        // Of other entities the API has no event.
        return;
    };
    post(tx, entity, event);
}

/// An entity is about to leave the inventory.
pub(in crate::vsphere) fn removed(tx: &mut Tx<'_>, entity: &MoRef) {
    let of = entity.ty();
    let event = if of.is_a(ty::VirtualMachine) {
        object!(VmRemovedEvent {})
    } else if of.is_a(ty::HostSystem) {
        object!(HostRemovedEvent {})
    } else if of.is_a(ty::ClusterComputeResource) {
        object!(ClusterDestroyedEvent {})
    } else if of.is_a(ty::ResourcePool) {
        object!(ResourcePoolDestroyedEvent { resourcePool: argument(tx, entity) })
    } else if of.is_a(ty::Datastore) {
        object!(DatastoreDestroyedEvent { datastore: argument(tx, entity) })
    } else if of.is_a(ty::DistributedVirtualPortgroup) {
        object!(DVPortgroupDestroyedEvent {})
    } else if of.is_a(ty::DistributedVirtualSwitch) {
        object!(DvsDestroyedEvent {})
    } else {
        return;
    };
    post(tx, entity, event);
}

/// A resource pool has another configuration.
pub(in crate::vsphere) fn pool_reconfigured(
    tx: &mut Tx<'_>,
    pool: &MoRef,
    before: &Object,
    after: &Object,
) {
    let changes = changes::between("config", before, after);
    let argument = argument(tx, pool);
    let event =
        object!(ResourcePoolReconfiguredEvent { resourcePool: argument, configChanges: changes });
    post(tx, pool, event);
}

/// A machine or a pool has come from another pool into this one.
pub(in crate::vsphere) fn moved_to_pool(
    tx: &mut Tx<'_>,
    what: &MoRef,
    from: Option<&MoRef>,
    to: &MoRef,
) {
    let Some(from) = from.filter(|from| *from != to) else { return };
    let (old, new) = (argument(tx, from), argument(tx, to));
    let event = if what.ty().is_a(ty::VirtualMachine) {
        object!(VmResourcePoolMovedEvent { oldParent: old, newParent: new })
    } else {
        let pool = argument(tx, what);
        object!(ResourcePoolMovedEvent { resourcePool: pool, oldParent: old, newParent: new })
    };
    post(tx, what, event);
}
