//! Virtual machines: how one is made, and how everything that repeats or sums
//! up its properties follows a change.
//!
//! ```text
//!   change config, runtime, …  ──► refresh ──► derived properties   (derive.rs)
//!                                     │
//!                                     ├──► lists of hosts, pools, datastores, networks
//!                                     └──► sums of hosts, pools, datastores, clusters
//! ```

mod config;
mod derive;
mod files;
mod guest;

pub use config::{Defaults, Names, files as config_files};
pub(super) use derive::{Share, derive as derived, share};
pub use files::split_path;
pub(super) use guest::{address, host_name, number};

use super::entity::entity;
use super::totals::Totals;
use super::{device, dvs_ports, put};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::schema::{StaticPath, ty};
use crate::value::{Array, DateTime, EnumValue, MoRef, Object, ObjectBuilder, Value};
use crate::{enum_value, object, path};

/// A machine to be made.
#[derive(Clone, Debug)]
pub struct NewMachine<'a> {
    /// Its configuration; see [`Defaults::config`].
    pub config: Object,
    /// What its kind of machine can do.
    pub capability: &'a Object,
    /// The folder that holds it.
    pub folder: &'a MoRef,
    /// The pool or vApp that it runs in; a template has none.
    pub pool: Option<&'a MoRef>,
    /// The host that it is registered on.
    pub host: Option<&'a MoRef>,
    /// What answers questions about its hardware.
    pub environment: &'a MoRef,
    /// Whether it runs.
    pub on: bool,
    /// Now.
    pub now: DateTime,
}

/// The properties of a machine, all of them.
pub(super) fn machine(read: &impl Read, vm: &MoRef, new: &NewMachine<'_>) -> Object {
    let mut machine = entity(ty::VirtualMachine, "", Some(new.folder));
    let in_app = new.pool.filter(|pool| pool.ty().is_a(ty::VirtualApp));
    put!(
        machine,
        VirtualMachine {
            capability: new.capability,
            config: &new.config,
            environmentBrowser: new.environment,
            resourcePool: new.pool,
            parentVApp: in_app,
            runtime: runtime(new.host, new.on, new.now),
            rootSnapshot: Vec::<Value>::new(),
        }
    );
    derive::derive(read, vm, &machine.finish(), new.now)
}

fn runtime(host: Option<&MoRef>, on: bool, now: DateTime) -> Object {
    object!(VirtualMachineRuntimeInfo {
        host: host,
        connectionState: "connected",
        powerState: if on { "poweredOn" } else { "poweredOff" },
        vmFailoverInProgress: false,
        faultToleranceState: "notConfigured",
        toolsInstallerMounted: false,
        bootTime: on.then_some(now),
        suspendInterval: 0,
        numMksConnections: 0,
        recordReplayState: "inactive",
        cleanPowerOff: (!on).then_some(true),
        onlineStandby: false,
        consolidationNeeded: false,
        offlineFeatureRequirement: Vec::<Value>::new(),
        featureRequirement: Vec::<Value>::new(),
        featureMask: Vec::<Value>::new(),
        vFlashCacheAllocation: 0,
        paused: false,
        snapshotInBackground: false,
        instantCloneFrozen: false,
        suspendedToMemory: false,
        cryptoState: None::<&str>,
        iommuActive: false,
        diskChainBroken: false,
    })
}

/// Adds a machine to the inventory: to its folder, host, pool, datastores and
/// networks, and to the sums that they show.
pub fn insert(tx: &mut Transaction, vm: &MoRef, new: &NewMachine<'_>) -> Result<(), Fault> {
    let properties = machine(tx, vm, new);
    join_lists(tx, vm, &properties)?;
    let mut totals = Totals::default();
    totals.add(tx, &properties);
    tx.insert(vm.clone(), properties);
    totals.write(tx)
}

/// Takes a machine out of the inventory, and out of every list and sum.
pub fn remove(tx: &mut Transaction, vm: &MoRef) -> Result<(), Fault> {
    let Some(properties) = tx.get(vm).cloned() else { return Err(Fault::not_found(vm)) };
    leave_lists(tx, vm, &properties)?;
    let mut totals = Totals::default();
    totals.remove(tx, &properties);
    tx.remove(vm);
    totals.write(tx)
}

/// Where a machine is listed: the references in its properties, and the list
/// that each of them keeps.
fn lists(properties: &Object) -> Vec<(MoRef, &'static StaticPath)> {
    let mut lists = Vec::new();
    let one = |path| properties.at(path).and_then(Value::as_moref).cloned();
    if let Some(folder) = one(path!(VirtualMachine, "parent")) {
        lists.push((folder, path!(Folder, "childEntity")));
    }
    if let Some(pool) = one(path!(VirtualMachine, "resourcePool")) {
        lists.push((pool, path!(ResourcePool, "vm")));
    }
    if let Some(host) = one(path!(VirtualMachine, "summary.runtime.host")) {
        lists.push((host, path!(HostSystem, "vm")));
    }
    let many = |path| properties.at(path).map_or(&[][..], Value::items);
    for store in many(path!(VirtualMachine, "datastore")).iter().filter_map(Value::as_moref) {
        lists.push((store.clone(), path!(Datastore, "vm")));
    }
    for network in many(path!(VirtualMachine, "network")).iter().filter_map(Value::as_moref) {
        lists.push((network.clone(), path!(Network, "vm")));
    }
    lists
}

/// The switches whose `summary.vm` lists a machine.
fn switches(read: &impl Read, properties: &Object) -> Vec<MoRef> {
    let networks = properties.at(path!(VirtualMachine, "network")).map_or(&[][..], Value::items);
    let mut switches: Vec<MoRef> = Vec::new();
    for network in networks.iter().filter_map(Value::as_moref) {
        let switch = path!(DistributedVirtualPortgroup, "config.distributedVirtualSwitch");
        if network.ty().is_a(ty::DistributedVirtualPortgroup)
            && let Some(switch) = read.moref(network, switch)
            && !switches.contains(switch)
        {
            switches.push(switch.clone());
        }
    }
    switches
}

/// All lists that a machine with these properties stands in.
pub(super) fn memberships(
    read: &impl Read,
    properties: &Object,
) -> Vec<(MoRef, &'static StaticPath)> {
    let switches = switches(read, properties);
    let switches =
        switches.into_iter().map(|switch| (switch, path!(DistributedVirtualSwitch, "summary.vm")));
    lists(properties).into_iter().chain(switches).collect()
}

fn join_lists(tx: &mut Transaction, vm: &MoRef, properties: &Object) -> Result<(), Fault> {
    memberships(tx, properties).iter().try_for_each(|(owner, path)| join(tx, owner, path, vm))
}

fn join(
    tx: &mut Transaction,
    owner: &MoRef,
    path: &'static StaticPath,
    vm: &MoRef,
) -> Result<(), Fault> {
    tx.push_ref(owner, path, vm)?;
    if owner.ty().is_a(ty::DistributedVirtualPortgroup) {
        dvs_ports::expand(tx, owner)?;
    }
    Ok(())
}

fn leave_lists(tx: &mut Transaction, vm: &MoRef, properties: &Object) -> Result<(), Fault> {
    leave_app(tx, vm, properties.at(path!(VirtualMachine, "parentVApp")))?;
    let lists = memberships(tx, properties);
    for (owner, path) in lists.iter().filter(|(owner, _)| tx.exists(owner)).collect::<Vec<_>>() {
        tx.remove_ref(owner, path, vm)?;
    }
    Ok(())
}

/// The vApp that a machine was in has nothing more to say of it.
fn leave_app(tx: &mut Transaction, vm: &MoRef, app: Option<&Value>) -> Result<(), Fault> {
    let Some(app) = app.and_then(Value::as_moref).filter(|app| tx.exists(app)) else {
        return Ok(());
    };
    let place = path!(VirtualApp, "vAppConfig.entityConfig");
    let held = tx.at(app, place).map_or(&[][..], Value::items);
    let is_about = |entry: &Value| {
        let key = entry.as_object().and_then(|entry| entry.field("key")).and_then(Value::as_moref);
        key == Some(vm)
    };
    if !held.iter().any(is_about) {
        return Ok(());
    }
    let rest: Vec<Value> = held.iter().filter(|entry| !is_about(entry)).cloned().collect();
    tx.set(app, place, Array::new(ty::VAppEntityConfigInfo, rest))
}

/// Changes a machine's own properties (`config`, `runtime`, `resourcePool`,
/// `parent`, `overallStatus`, …) and lets everything follow: what repeats them
/// in the machine, the lists that it stands in, the sums above it.
pub fn change(
    tx: &mut Transaction,
    vm: &MoRef,
    now: DateTime,
    change: impl FnOnce(&mut ObjectBuilder) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some(old) = tx.get(vm).cloned() else { return Err(Fault::not_found(vm)) };
    let mut builder = old.edit();
    change(&mut builder)?;
    settle(tx, vm, &old, &builder.finish(), now)
}

/// Lets everything follow after `config` or `runtime` were set directly; for
/// another pool, host or folder use [`change`], which sees where the machine was.
pub fn refresh(tx: &mut Transaction, vm: &MoRef, now: DateTime) -> Result<(), Fault> {
    let Some(properties) = tx.get(vm).cloned() else { return Err(Fault::not_found(vm)) };
    settle(tx, vm, &properties, &properties, now)
}

fn settle(
    tx: &mut Transaction,
    vm: &MoRef,
    old: &Object,
    changed: &Object,
    now: DateTime,
) -> Result<(), Fault> {
    let linked = with_linked_devices(changed)?;
    let new = derive::derive(tx, vm, &linked, now);
    let before = memberships(tx, old);
    let after = memberships(tx, &new);
    for (owner, path) in before.iter().filter(|list| !after.contains(list)) {
        tx.remove_ref(owner, path, vm)?;
    }
    for (owner, path) in after.iter().filter(|list| !before.contains(list)) {
        join(tx, owner, path, vm)?;
    }
    let app = path!(VirtualMachine, "parentVApp");
    if old.at(app) != new.at(app) {
        leave_app(tx, vm, old.at(app))?;
    }
    let mut totals = Totals::default();
    totals.remove(tx, old);
    totals.add(tx, &new);
    tx.replace(vm, new)?;
    totals.write(tx)
}

/// The properties with the controllers' lists of devices made anew.
fn with_linked_devices(properties: &Object) -> Result<Object, Fault> {
    let place = path!(VirtualMachine, "config.hardware.device");
    let Some(devices) = properties.at(place).map(Value::items) else {
        return Ok(properties.clone());
    };
    let linked = device::relink(devices);
    if linked.iter().zip(devices).all(|(new, old)| new.same(old)) {
        return Ok(properties.clone());
    }
    properties
        .with_at(place, linked)
        .map_err(|error| Fault::system_error(&format!("cannot set the devices: {error}")))
}

/// Powers a machine on or off, or suspends it, on `host` if one is given; the
/// rest follows.
pub fn set_power(
    tx: &mut Transaction,
    vm: &MoRef,
    state: EnumValue,
    host: Option<&MoRef>,
    now: DateTime,
) -> Result<(), Fault> {
    let on = state == enum_value!(VirtualMachinePowerState::poweredOn);
    let suspended = state == enum_value!(VirtualMachinePowerState::suspended);
    change(tx, vm, now, |machine| {
        let slot = const { ty::VirtualMachine.slot("runtime") };
        let Some(runtime) = machine.get(slot).and_then(Value::as_object) else { return Ok(()) };
        let was_on = runtime.field("powerState").and_then(Value::as_str) == Some("poweredOn");
        let mut next = runtime.edit();
        put!(next, VirtualMachineRuntimeInfo { powerState: Value::Enum(state) });
        if on {
            put!(
                next,
                VirtualMachineRuntimeInfo {
                    suspendTime: None::<DateTime>,
                    cleanPowerOff: None::<bool>,
                }
            );
            if !was_on {
                put!(next, VirtualMachineRuntimeInfo { bootTime: now });
            }
        } else {
            put!(
                next,
                VirtualMachineRuntimeInfo {
                    bootTime: None::<DateTime>,
                    suspendTime: suspended.then_some(now),
                    cleanPowerOff: (!suspended).then_some(true),
                }
            );
        }
        if let Some(host) = host {
            put!(next, VirtualMachineRuntimeInfo { host: host });
        }
        machine.set(slot, next.finish());
        let config = const { ty::VirtualMachine.slot("config") };
        if let Some(connected) = machine.get(config).and_then(|c| with_connections(c, on)) {
            machine.set(config, connected);
        }
        Ok(())
    })
}

/// The configuration with its removable devices connected or not, as far as
/// they start connected.
fn with_connections(config: &Value, on: bool) -> Option<Object> {
    let config = config.as_object()?;
    let devices =
        device::devices(config).iter().map(|device| connected(device, on)).collect::<Vec<_>>();
    config.with_at(path!(VirtualMachineConfigInfo, "hardware.device"), devices).ok()
}

fn connected(device: &Value, on: bool) -> Value {
    let changed = || {
        let object = device.as_object()?;
        let (slot, _) = object.ty().field("connectable")?;
        let info = object.get(slot)?.as_object()?;
        let flag = |field: &str| info.field(field).and_then(Value::as_bool);
        let wanted = on && flag("startConnected") == Some(true);
        if flag("connected") == Some(wanted) {
            return None;
        }
        let mut info = info.edit();
        put!(
            info,
            VirtualDeviceConnectInfo {
                connected: wanted,
                status: if wanted { "ok" } else { "untried" },
            }
        );
        Some(Value::Object(object.with(slot, info.finish())))
    };
    changed().unwrap_or_else(|| device.clone())
}

/// Gives a machine another name; the rest follows.
pub fn rename(tx: &mut Transaction, vm: &MoRef, name: &str, now: DateTime) -> Result<(), Fault> {
    change(tx, vm, now, |machine| {
        let slot = const { ty::VirtualMachine.slot("config") };
        if let Some(config) = machine.get(slot).and_then(Value::as_object) {
            let renamed = config.with(const { ty::VirtualMachineConfigInfo.slot("name") }, name);
            machine.set(slot, renamed);
        }
        Ok(())
    })
}
