//! The properties of a virtual machine that repeat or sum up others.
//!
//! What a client reads under two names is written here and nowhere else: an
//! operation changes `config`, `runtime` and what else is listed below, and
//! [`derive`] makes everything else follow. What comes out equal keeps its
//! allocation, so an untouched part stays shared with other machines.
//!
//! | read from | written here |
//! | --- | --- |
//! | `config`, `runtime.host`, `runtime.powerState` | `name`, `guest`, `layout`, `layoutEx`, `storage`, `datastore`, `network`, `resourceConfig`, `guestHeartbeatStatus`, the limits in `runtime` |
//! | all of these, `overallStatus`, `customValue` | `summary` |

use super::super::{device, put};
use super::files::{self, Files, State, Taken, Usage};
use super::guest;
use crate::inventory::Read;
use crate::schema::ty;
use crate::value::{DateTime, IntoSlot, MoRef, Object, ObjectBuilder, Value};
use crate::{object, path};

/// What one virtual processor may use, in MHz, where the host does not say.
const CORE_MHZ: i64 = 3_600;

/// The properties of `vm` with all that follows from others made anew.
pub(in super::super) fn derive(
    read: &impl Read,
    vm: &MoRef,
    props: &Object,
    now: DateTime,
) -> Object {
    let mut next = Keeping { old: props, new: props.edit() };
    let Some(config) = props.at(path!(VirtualMachine, "config")).and_then(Value::as_object) else {
        return props.clone();
    };
    let runtime = runtime(read, props, config);
    let power = text_of(&runtime, "powerState");
    let state = State { on: power == "poweredOn", suspended: power == "suspended" };
    next.set(const { ty::VirtualMachine.slot("name") }, config.field("name").cloned());
    next.set(const { ty::VirtualMachine.slot("runtime") }, runtime.clone());

    let old_guest = props.at(path!(VirtualMachine, "guest")).and_then(Value::as_object);
    let guest = guest::guest(read, vm, config, state.on, old_guest);
    next.set(const { ty::VirtualMachine.slot("guest") }, guest);

    let stamp = |path| props.at(path).and_then(Value::as_date_time).unwrap_or(now);
    let taken = snapshots(read, props);
    let time = stamp(path!(VirtualMachine, "layoutEx.timestamp"));
    let files = files::files(config, state, &taken, time);
    let Files { layout, layout_ex, usage } = files;
    next.set(const { ty::VirtualMachine.slot("layout") }, layout);
    if props.at(path!(VirtualMachine, "layoutEx")).and_then(Value::as_object) != Some(&layout_ex) {
        let layout_ex =
            layout_ex.with(const { ty::VirtualMachineFileLayoutEx.slot("timestamp") }, now);
        next.set(const { ty::VirtualMachine.slot("layoutEx") }, layout_ex);
    }

    let usage = by_reference(read, config, &runtime, usage);
    let storage = files::storage(&usage, stamp(path!(VirtualMachine, "storage.timestamp")));
    let same =
        props.at(path!(VirtualMachine, "storage")).and_then(Value::as_object) == Some(&storage);
    let stamp = if same { stamp(path!(VirtualMachine, "storage.timestamp")) } else { now };
    if !same {
        next.set(
            const { ty::VirtualMachine.slot("storage") },
            storage.with(const { ty::VirtualMachineStorageInfo.slot("timestamp") }, now),
        );
    }
    let datastores: Vec<&MoRef> = usage.iter().map(|(datastore, _)| datastore).collect();
    next.set(const { ty::VirtualMachine.slot("datastore") }, datastores);
    let networks: Vec<MoRef> = networks(read, config, &runtime);
    next.set(const { ty::VirtualMachine.slot("network") }, networks);
    next.set(const { ty::VirtualMachine.slot("resourceConfig") }, resource_config(vm, config));
    let heartbeat = if state.on { "green" } else { "gray" };
    next.set(const { ty::VirtualMachine.slot("guestHeartbeatStatus") }, heartbeat);

    let summary = summary(vm, &next.new, config, &usage, stamp);
    next.set(const { ty::VirtualMachine.slot("summary") }, summary);
    next.new.finish()
}

/// Sets fields, but keeps the old value where the new one is equal.
struct Keeping<'o> {
    old: &'o Object,
    new: ObjectBuilder,
}

impl Keeping<'_> {
    fn set(&mut self, slot: usize, value: impl IntoSlot) {
        let Some(field) = self.old.ty().fields().get(slot) else { return };
        let value = value.into_slot(*field);
        if self.old.get(slot) != value.as_ref() {
            self.new.set(slot, value);
        }
    }
}

/// The snapshots of a machine with these properties.
fn snapshots(read: &impl Read, props: &Object) -> Vec<Taken> {
    let roots = props.at(path!(VirtualMachine, "snapshot.rootSnapshotList"));
    let mut open: Vec<&Value> = roots.map_or(&[][..], Value::items).iter().rev().collect();
    let mut taken = Vec::new();
    while let Some(node) = open.pop() {
        let Some(node) = node.as_object() else { continue };
        let below = node.field("childSnapshotList").map_or(&[][..], Value::items);
        open.extend(below.iter().rev());
        let Some(snapshot) = node.field("snapshot").and_then(Value::as_moref) else { continue };
        let config = read.at(snapshot, path!(VirtualMachineSnapshot, "config"));
        let Some(config) = config.and_then(Value::as_object) else { continue };
        taken.push(Taken {
            snapshot: snapshot.clone(),
            id: int_of(node, "id"),
            config: config.clone(),
            memory: text_of(node, "state") == "poweredOn",
        });
    }
    taken
}

fn text_of<'o>(object: &'o Object, field: &str) -> &'o str {
    object.field(field).and_then(Value::as_str).unwrap_or_default()
}

fn int_of(object: &Object, field: &str) -> i64 {
    object.field(field).and_then(Value::as_i64).unwrap_or_default()
}

fn hardware(config: &Object) -> (i64, i64) {
    let number = |path| config.at(path).and_then(Value::as_i64).unwrap_or_default();
    (
        number(path!(VirtualMachineConfigInfo, "hardware.numCPU")),
        number(path!(VirtualMachineConfigInfo, "hardware.memoryMB")),
    )
}

/// `runtime` with the limits that follow from hardware and power state.
fn runtime(read: &impl Read, props: &Object, config: &Object) -> Object {
    let Some(runtime) = props.at(path!(VirtualMachine, "runtime")).and_then(Value::as_object)
    else {
        return Object::empty(ty::VirtualMachineRuntimeInfo);
    };
    let (cpus, memory) = hardware(config);
    let on = text_of(runtime, "powerState") == "poweredOn";
    let host = runtime.at(path!(VirtualMachineRuntimeInfo, "host")).and_then(Value::as_moref);
    let mhz = host
        .and_then(|host| read.at(host, path!(HostSystem, "summary.hardware.cpuMhz")))
        .and_then(Value::as_i64)
        .unwrap_or(CORE_MHZ);
    let adapters = device::of_type(config, ty::VirtualEthernetCard).map(|nic| {
        object!(VirtualMachineDeviceRuntimeInfo {
            runtimeState: object!(VirtualMachineDeviceRuntimeInfoVirtualEthernetCardRuntimeState {
                vmDirectPathGen2Active: false,
                vmDirectPathGen2InactiveReasonVm: Vec::<Value>::new(),
                vmDirectPathGen2InactiveReasonOther: ["vmNptIncompatibleNetwork"],
                uptv2Active: false,
            }),
            key: device::key(nic),
        })
    });
    let adapters: Vec<Object> = if on { adapters.collect() } else { Vec::new() };
    let mut next = Keeping { old: runtime, new: runtime.edit() };
    next.set(const { ty::VirtualMachineRuntimeInfo.slot("device") }, adapters);
    next.set(const { ty::VirtualMachineRuntimeInfo.slot("maxCpuUsage") }, cpus * mhz);
    next.set(const { ty::VirtualMachineRuntimeInfo.slot("maxMemoryUsage") }, memory);
    next.set(
        const { ty::VirtualMachineRuntimeInfo.slot("memoryOverhead") },
        on.then(|| overhead(cpus, memory) << 20),
    );
    let new = next.new.finish();
    if &new == runtime { runtime.clone() } else { new }
}

/// The megabytes of host memory that running a machine takes beside its own.
fn overhead(cpus: i64, memory: i64) -> i64 {
    24 + 6 * cpus + memory / 128
}

fn by_reference(
    read: &impl Read,
    config: &Object,
    runtime: &Object,
    usage: Vec<Usage>,
) -> Vec<(MoRef, Usage)> {
    usage
        .into_iter()
        .filter_map(|usage| {
            let found = datastore_called(read, config, runtime, &usage.datastore)?;
            Some((found, usage))
        })
        .collect()
}

/// The datastore called `name` that the machine can reach.
fn datastore_called(
    read: &impl Read,
    config: &Object,
    runtime: &Object,
    name: &str,
) -> Option<MoRef> {
    let of_disk = device::of_type(config, ty::VirtualDisk).find_map(|disk| {
        let (store, _) = files::split_path(device::file(disk)?)?;
        let datastore = disk.field("backing")?.as_object()?.field("datastore")?.as_moref()?;
        (store == name && read.exists(datastore)).then(|| datastore.clone())
    });
    of_disk.or_else(|| {
        let host = runtime.field("host")?.as_moref()?;
        let mut on_host = read.at(host, path!(HostSystem, "datastore"))?.morefs();
        on_host.find(|store| read.text(store, path!(ManagedEntity, "name")) == name).cloned()
    })
}

fn networks(read: &impl Read, config: &Object, runtime: &Object) -> Vec<MoRef> {
    let mut networks = Vec::new();
    for nic in device::of_type(config, ty::VirtualEthernetCard) {
        let found = network_of(read, nic, runtime);
        if let Some(network) = found.filter(|network| !networks.contains(network)) {
            networks.push(network);
        }
    }
    networks
}

/// The network that an adapter's backing connects it to.
fn network_of(read: &impl Read, nic: &Object, runtime: &Object) -> Option<MoRef> {
    let backing = nic.field("backing")?.as_object()?;
    if let Some(network) = backing.field("network").and_then(Value::as_moref) {
        return Some(network.clone()).filter(|network| read.exists(network));
    }
    if let Some(port) = backing.field("port").and_then(Value::as_object) {
        let key = port.field("portgroupKey")?.as_str()?;
        let group = MoRef::new(ty::DistributedVirtualPortgroup, key);
        return Some(group).filter(|group| read.exists(group));
    }
    let (name, id) = (backing.field("deviceName"), backing.field("opaqueNetworkId"));
    let host = runtime.field("host")?.as_moref()?;
    let mut on_host = read.at(host, path!(HostSystem, "network"))?.morefs();
    on_host
        .find(|network| match id {
            Some(id) => {
                let summary =
                    read.at(network, path!(Network, "summary")).and_then(Value::as_object);
                summary.and_then(|summary| summary.field("opaqueNetworkId")) == Some(id)
            }
            None => name.is_some() && read.at(network, path!(ManagedEntity, "name")) == name,
        })
        .cloned()
}

fn resource_config(vm: &MoRef, config: &Object) -> Object {
    object!(ResourceConfigSpec {
        entity: vm,
        changeVersion: text_of(config, "changeVersion"),
        lastModified: config.field("modified").cloned(),
        cpuAllocation: config.field("cpuAllocation").cloned(),
        memoryAllocation: config.field("memoryAllocation").cloned(),
    })
}

fn summary(
    vm: &MoRef,
    props: &ObjectBuilder,
    config: &Object,
    usage: &[(MoRef, Usage)],
    storage_time: DateTime,
) -> Object {
    let get = |slot: usize| props.get(slot);
    let runtime = get(const { ty::VirtualMachine.slot("runtime") });
    let guest = get(const { ty::VirtualMachine.slot("guest") }).and_then(Value::as_object);
    let status = get(const { ty::VirtualMachine.slot("overallStatus") });
    let custom = get(const { ty::VirtualMachine.slot("customValue") });
    let on =
        runtime.and_then(Value::as_object).is_some_and(|r| text_of(r, "powerState") == "poweredOn");
    let old = get(const { ty::VirtualMachine.slot("summary") }).and_then(Value::as_object);
    let empty;
    let old = match old {
        Some(old) => old,
        None => {
            empty = Object::empty(ty::VirtualMachineSummary);
            &empty
        }
    };
    let mut next = Keeping { old, new: old.edit() };
    next.set(const { ty::VirtualMachineSummary.slot("vm") }, vm);
    next.set(const { ty::VirtualMachineSummary.slot("runtime") }, runtime.cloned());
    next.set(
        const { ty::VirtualMachineSummary.slot("guest") },
        guest.map(|g| guest_summary(config, g)),
    );
    next.set(const { ty::VirtualMachineSummary.slot("config") }, config_summary(config));
    let storage = files::storage_summary(usage, storage_time);
    next.set(const { ty::VirtualMachineSummary.slot("storage") }, storage);
    next.set(const { ty::VirtualMachineSummary.slot("quickStats") }, quick_stats(config, on));
    next.set(const { ty::VirtualMachineSummary.slot("overallStatus") }, status.cloned());
    next.set(const { ty::VirtualMachineSummary.slot("customValue") }, custom.cloned());
    let mut new = next.new;
    // The very same allocation, so that the two names cost one.
    new.set(const { ty::VirtualMachineSummary.slot("runtime") }, runtime.cloned());
    new.finish()
}

fn guest_summary(config: &Object, guest: &Object) -> Object {
    let mut summary = ObjectBuilder::new(ty::VirtualMachineGuestSummary);
    put!(
        summary,
        VirtualMachineGuestSummary {
            guestId: config.field("guestId").cloned(),
            guestFullName: config.field("guestFullName").cloned(),
            toolsStatus: guest.field("toolsStatus").cloned(),
            toolsVersionStatus: guest.field("toolsVersionStatus").cloned(),
            toolsVersionStatus2: guest.field("toolsVersionStatus2").cloned(),
            toolsRunningStatus: guest.field("toolsRunningStatus").cloned(),
            hostName: guest.field("hostName").cloned(),
            ipAddress: guest.field("ipAddress").cloned(),
            hwVersion: guest.field("hwVersion").cloned(),
        }
    );
    summary.finish()
}

fn config_summary(config: &Object) -> Object {
    let (cpus, memory) = hardware(config);
    let count = |ty| i64::try_from(device::of_type(config, ty).count()).unwrap_or_default();
    let reservation = |field: &str| {
        config.field(field).and_then(Value::as_object).and_then(|a| a.field("reservation")).cloned()
    };
    let number = |value: Option<Value>| value.as_ref().and_then(Value::as_i64);
    let vm_path = config.at(path!(VirtualMachineConfigInfo, "files.vmPathName"));
    object!(VirtualMachineConfigSummary {
        name: config.field("name").cloned(),
        template: config.field("template").cloned(),
        vmPathName: vm_path.cloned(),
        memorySizeMB: memory,
        cpuReservation: number(reservation("cpuAllocation")),
        memoryReservation: number(reservation("memoryAllocation")),
        numCpu: cpus,
        numEthernetCards: count(ty::VirtualEthernetCard),
        numVirtualDisks: count(ty::VirtualDisk),
        uuid: config.field("uuid").cloned(),
        instanceUuid: config.field("instanceUuid").cloned(),
        guestId: config.field("guestId").cloned(),
        guestFullName: config.field("guestFullName").cloned(),
        annotation: config.field("annotation").cloned(),
        installBootRequired: false,
        managedBy: config.field("managedBy").cloned(),
        tpmPresent: count(ty::VirtualTPM) > 0,
        numVmiopBackings: 0,
        hwVersion: config.field("version").cloned(),
    })
}

/// What a machine uses: a small, steady load while it runs.
fn quick_stats(config: &Object, on: bool) -> Object {
    let (cpus, memory) = hardware(config);
    let load = |amount: i64| if on { amount } else { 0 };
    let overhead = overhead(cpus, memory);
    object!(VirtualMachineQuickStats {
        overallCpuUsage: load(36 * cpus),
        overallCpuDemand: load(36 * cpus),
        overallCpuReadiness: 0,
        guestMemoryUsage: load(memory / 10),
        hostMemoryUsage: load(memory / 2 + overhead),
        guestHeartbeatStatus: if on { "green" } else { "gray" },
        distributedCpuEntitlement: load(36 * cpus),
        distributedMemoryEntitlement: load(memory / 2 + overhead),
        staticCpuEntitlement: load(CORE_MHZ * cpus),
        staticMemoryEntitlement: load(memory + overhead),
        grantedMemory: load(memory),
        privateMemory: load(memory / 2),
        sharedMemory: 0,
        swappedMemory: 0,
        balloonedMemory: 0,
        consumedOverheadMemory: load(overhead),
        ftLogBandwidth: -1,
        ftSecondaryLatency: -1,
        ftLatencyStatus: "gray",
        compressedMemory: 0,
        ssdSwappedMemory: 0,
        activeMemory: load(memory / 10),
    })
}

/// The sums that `vm`'s host, pool, datastores and cluster show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Share {
    /// Whether the machine runs.
    pub(in super::super) on: bool,
    /// MHz in use.
    pub(in super::super) cpu: i64,
    /// Megabytes of host memory in use.
    pub(in super::super) memory: i64,
    /// Megabytes of memory that the guest uses.
    pub(in super::super) guest_memory: i64,
    /// Megabytes of overhead in use.
    pub(in super::super) overhead: i64,
    /// Megabytes that the machine has configured.
    pub(in super::super) configured: i64,
    /// MHz reserved by its configuration.
    pub(in super::super) cpu_reservation: i64,
    /// Megabytes reserved by its configuration.
    pub(in super::super) memory_reservation: i64,
}

/// What `props`, as last derived, add to the sums above the machine.
pub(in super::super) fn share(props: &Object) -> Share {
    let Some(summary) = props.at(path!(VirtualMachine, "summary")).and_then(Value::as_object)
    else {
        return Share::default();
    };
    let part = |field| summary.field(field).and_then(Value::as_object);
    let stats = |field| part("quickStats").map_or(0, |stats| int_of(stats, field));
    let config = |field| part("config").map_or(0, |config| int_of(config, field));
    Share {
        on: part("runtime").is_some_and(|runtime| text_of(runtime, "powerState") == "poweredOn"),
        cpu: stats("overallCpuUsage"),
        memory: stats("hostMemoryUsage"),
        guest_memory: stats("guestMemoryUsage"),
        overhead: stats("consumedOverheadMemory"),
        configured: config("memorySizeMB"),
        cpu_reservation: config("cpuReservation"),
        memory_reservation: config("memoryReservation"),
    }
}
