//! What is there under two names is the same, relations agree both ways, sums add up.

use std::collections::BTreeSet;

use vimsim::Config;
use vimsim::config::Model;
use vimsim::inventory::{Read, Snapshot};
use vimsim::path;
use vimsim::schema::{Type, ty};
use vimsim::value::{MoRef, Value};

use super::{all, at, fields, inventory, number, one, refs, vcenter, with};

/// Two names of one thing: the type, and the two paths.
const SAME: &[(Type, &str, &str)] = &[
    (ty::VirtualMachine, "name", "config.name"),
    (ty::VirtualMachine, "name", "summary.config.name"),
    (ty::VirtualMachine, "runtime", "summary.runtime"),
    (ty::VirtualMachine, "overallStatus", "summary.overallStatus"),
    (ty::VirtualMachine, "config.uuid", "summary.config.uuid"),
    (ty::VirtualMachine, "config.instanceUuid", "summary.config.instanceUuid"),
    (ty::VirtualMachine, "config.version", "summary.config.hwVersion"),
    (ty::VirtualMachine, "config.template", "summary.config.template"),
    (ty::VirtualMachine, "config.annotation", "summary.config.annotation"),
    (ty::VirtualMachine, "config.guestId", "summary.config.guestId"),
    (ty::VirtualMachine, "config.guestFullName", "summary.config.guestFullName"),
    (ty::VirtualMachine, "config.guestFullName", "summary.guest.guestFullName"),
    (ty::VirtualMachine, "config.files.vmPathName", "summary.config.vmPathName"),
    (ty::VirtualMachine, "config.hardware.numCPU", "summary.config.numCpu"),
    (ty::VirtualMachine, "config.hardware.memoryMB", "summary.config.memorySizeMB"),
    (ty::VirtualMachine, "config.hardware.memoryMB", "runtime.maxMemoryUsage"),
    (ty::VirtualMachine, "config.cpuAllocation", "resourceConfig.cpuAllocation"),
    (ty::VirtualMachine, "config.memoryAllocation", "resourceConfig.memoryAllocation"),
    (ty::VirtualMachine, "guest.toolsStatus", "summary.guest.toolsStatus"),
    (ty::VirtualMachine, "guest.toolsRunningStatus", "summary.guest.toolsRunningStatus"),
    (ty::VirtualMachine, "guest.hostName", "summary.guest.hostName"),
    (ty::VirtualMachine, "guest.ipAddress", "summary.guest.ipAddress"),
    (ty::VirtualMachine, "storage.timestamp", "summary.storage.timestamp"),
    (ty::VirtualMachine, "guestHeartbeatStatus", "summary.quickStats.guestHeartbeatStatus"),
    (ty::HostSystem, "name", "summary.config.name"),
    (ty::HostSystem, "runtime", "summary.runtime"),
    (ty::HostSystem, "overallStatus", "summary.overallStatus"),
    (ty::HostSystem, "hardware.systemInfo.uuid", "summary.hardware.uuid"),
    (ty::HostSystem, "hardware.memorySize", "summary.hardware.memorySize"),
    (ty::HostSystem, "config.product", "summary.config.product"),
    (ty::HostSystem, "config.systemResources", "systemResources"),
    (ty::Datastore, "name", "summary.name"),
    (ty::Datastore, "name", "info.name"),
    (ty::Datastore, "summary.url", "info.url"),
    (ty::Datastore, "summary.freeSpace", "info.freeSpace"),
    (ty::ClusterComputeResource, "summary", "summaryEx"),
    (ty::ResourcePool, "name", "summary.name"),
    (ty::ResourcePool, "config", "summary.config"),
    (ty::ResourcePool, "runtime", "summary.runtime"),
    (ty::Network, "name", "summary.name"),
    (ty::DistributedVirtualPortgroup, "name", "config.name"),
    (ty::DistributedVirtualSwitch, "name", "config.name"),
    (ty::DistributedVirtualSwitch, "name", "summary.name"),
    (ty::DistributedVirtualSwitch, "uuid", "config.uuid"),
    (ty::DistributedVirtualSwitch, "uuid", "summary.uuid"),
    (ty::StoragePod, "name", "summary.name"),
];

/// Two names of one thing agree, both ways of a relation agree, sums add up.
pub(crate) fn check(name: &str, read: &Snapshot) {
    same_under_both_names(name, read);
    relations_agree(name, read);
    sums_add_up(name, read);
}

fn same_under_both_names(name: &str, read: &Snapshot) {
    for (mo, properties) in read.iter() {
        for (_, a, b) in SAME.iter().filter(|(ty, ..)| mo.ty().is_a(*ty)) {
            let (left, right) = (at(properties, a), at(properties, b));
            // Numbers may be stored in different widths.
            let numbers = left.and_then(Value::as_i64).zip(right.and_then(Value::as_i64));
            let equal = numbers.map_or(left == right, |(left, right)| left == right);
            assert!(equal, "{name}: {mo} {a} {left:?} is not {b} {right:?}");
        }
    }
    for (mo, host) in read.of_type(ty::HostSystem) {
        for (manager, property, path) in [
            ("networkSystem", "networkInfo", "config.network"),
            ("storageSystem", "storageDeviceInfo", "config.storageDevice"),
            ("storageSystem", "fileSystemVolumeInfo", "config.fileSystemVolume"),
            ("datastoreSystem", "datastore", "datastore"),
            ("serviceSystem", "serviceInfo", "config.service"),
            ("firewallSystem", "firewallInfo", "config.firewall"),
            ("advancedOption", "setting", "config.option"),
            ("healthStatusSystem", "runtime", "runtime.healthSystemRuntime"),
        ] {
            let manager = one(host, &format!("configManager.{manager}")).unwrap();
            let copy = read.get(&manager).and_then(|manager| manager.field(property));
            assert_eq!(copy, at(host, path), "{name}: {manager}.{property} of {mo}");
        }
    }
}

/// Every `owner.list` contains exactly the objects whose `back` leads to it.
fn mirrored(name: &str, read: &Snapshot, owners: Type, list: &str, backs: &[(Type, &str)]) {
    for (owner, properties) in read.of_type(owners) {
        let listed: Vec<MoRef> = refs(properties, list);
        let once: BTreeSet<&MoRef> = listed.iter().collect();
        assert_eq!(once.len(), listed.len(), "{name}: {owner}.{list} names something twice");
        let mut expected = BTreeSet::new();
        for (ty, back) in backs {
            expected.extend(read.of_type(*ty).filter_map(|(mo, other)| {
                let leads =
                    one(other, back).as_ref() == Some(owner) || refs(other, back).contains(owner);
                leads.then_some(mo)
            }));
        }
        assert_eq!(once, expected, "{name}: {owner}.{list}");
    }
}

fn relations_agree(name: &str, read: &Snapshot) {
    use ty::{
        ComputeResource, Datastore, DistributedVirtualPortgroup, DistributedVirtualSwitch, Folder,
        HostSystem, ManagedEntity, Network, ResourcePool, VirtualApp, VirtualMachine,
    };
    let apps = (VirtualApp, "parentFolder");
    mirrored(name, read, Folder, "childEntity", &[(ManagedEntity, "parent"), apps]);
    mirrored(name, read, HostSystem, "vm", &[(VirtualMachine, "runtime.host")]);
    mirrored(name, read, ResourcePool, "vm", &[(VirtualMachine, "resourcePool")]);
    mirrored(name, read, ResourcePool, "resourcePool", &[(ResourcePool, "parent")]);
    mirrored(name, read, ComputeResource, "host", &[(HostSystem, "parent")]);
    mirrored(name, read, Datastore, "vm", &[(VirtualMachine, "datastore")]);
    mirrored(name, read, Network, "vm", &[(VirtualMachine, "network")]);
    mirrored(name, read, Network, "host", &[(HostSystem, "network")]);
    let switch = "config.distributedVirtualSwitch";
    mirrored(
        name,
        read,
        DistributedVirtualSwitch,
        "portgroup",
        &[(DistributedVirtualPortgroup, switch)],
    );
    for (store, properties) in read.of_type(Datastore) {
        let mounts = at(properties, "host").map_or(&[][..], Value::items);
        let mounted: BTreeSet<MoRef> =
            mounts.iter().filter_map(|mount| one(mount.as_object()?, "key")).collect();
        let hosts: BTreeSet<MoRef> = read
            .of_type(HostSystem)
            .filter(|(_, host)| refs(host, "datastore").contains(store))
            .map(|(mo, _)| mo.clone())
            .collect();
        assert_eq!(mounted, hosts, "{name}: {store}");
    }
}

/// The machines in a pool and in the pools below it.
fn machines_below(read: &Snapshot, pool: &MoRef) -> Vec<MoRef> {
    let mut machines = read.morefs(pool, path!(ResourcePool, "vm"));
    for child in read.morefs(pool, path!(ResourcePool, "resourcePool")) {
        machines.extend(machines_below(read, &child));
    }
    machines
}

fn sum(read: &Snapshot, machines: &[MoRef], path: &str) -> i64 {
    machines.iter().map(|vm| number(read.get(vm).unwrap(), path)).sum()
}

fn sums_add_up(name: &str, read: &Snapshot) {
    let (cpu, memory) =
        ("summary.quickStats.overallCpuUsage", "summary.quickStats.hostMemoryUsage");
    let mut idle = BTreeSet::new();
    for (mo, host) in read.of_type(ty::HostSystem) {
        let vms = refs(host, "vm");
        idle.insert((
            number(host, "summary.quickStats.overallCpuUsage") - sum(read, &vms, cpu),
            number(host, "summary.quickStats.overallMemoryUsage") - sum(read, &vms, memory),
        ));
        assert_eq!(idle.len(), 1, "{name}: {mo} uses something else beside its machines");
    }
    for (mo, pool) in read.of_type(ty::ResourcePool) {
        let vms = machines_below(read, mo);
        let configured = sum(read, &vms, "config.hardware.memoryMB");
        assert_eq!(number(pool, "summary.configuredMemoryMB"), configured, "{name}: {mo}");
        assert_eq!(number(pool, "runtime.cpu.overallUsage"), sum(read, &vms, cpu), "{name}: {mo}");
        let bytes = sum(read, &vms, memory) << 20;
        assert_eq!(number(pool, "runtime.memory.overallUsage"), bytes, "{name}: {mo}");
        let stats = number(pool, "summary.quickStats.hostMemoryUsage") << 20;
        assert_eq!(stats, bytes, "{name}: {mo}");
        let owner = one(pool, "owner").unwrap();
        let total = number(read.get(&owner).unwrap(), "summary.effectiveCpu");
        assert_eq!(number(pool, "runtime.cpu.maxUsage"), total, "{name}: {mo}");
    }
    for (mo, compute) in read.of_type(ty::ComputeResource) {
        let hosts = refs(compute, "host");
        let host_sum =
            |path: &str| hosts.iter().map(|h| number(read.get(h).unwrap(), path)).sum::<i64>();
        assert_eq!(
            number(compute, "summary.numHosts"),
            i64::try_from(hosts.len()).unwrap(),
            "{mo}"
        );
        let memory = host_sum("hardware.memorySize");
        assert_eq!(number(compute, "summary.totalMemory"), memory, "{name}: {mo}");
        let cores = host_sum("hardware.cpuInfo.numCpuCores");
        assert_eq!(number(compute, "summary.numCpuCores"), cores, "{name}: {mo}");
        if mo.ty().is_a(ty::ClusterComputeResource) {
            let vms = machines_below(read, &one(compute, "resourcePool").unwrap());
            let off = vms.iter().filter(|vm| {
                read.text(vm, path!(VirtualMachine, "runtime.powerState")) != "poweredOn"
            });
            let count = |n: usize| i64::try_from(n).unwrap();
            let usage = |field: &str| number(compute, &format!("summary.usageSummary.{field}"));
            assert_eq!(usage("totalVmCount"), count(vms.len()), "{name}: {mo}");
            assert_eq!(usage("poweredOffVmCount"), count(off.count()), "{name}: {mo}");
            assert_eq!(usage("cpuDemandMhz"), sum(read, &vms, cpu), "{name}: {mo}");
        }
    }
    for (mo, store) in read.of_type(ty::Datastore) {
        let usage = |path: &str| {
            let machines = read.of_type(ty::VirtualMachine);
            let parts =
                machines.flat_map(|(_, vm)| at(vm, "storage.perDatastoreUsage").unwrap().items());
            let here = parts
                .filter_map(Value::as_object)
                .filter(|p| one(p, "datastore").as_ref() == Some(mo));
            here.map(|part| number(part, path)).sum::<i64>()
        };
        let taken = number(store, "summary.capacity") - number(store, "summary.freeSpace");
        assert_eq!(taken, usage("committed"), "{name}: {mo}");
        assert_eq!(number(store, "summary.uncommitted"), usage("uncommitted"), "{name}: {mo}");
    }
}

#[test]
fn the_inventory_agrees_with_itself() {
    for (name, read) in all() {
        check(name, &read);
    }
}

#[test]
fn whatever_is_left_out_the_rest_is_whole() {
    let none = Model::default();
    for (name, config, machines) in [
        ("no datacenter", with(Model { dc: 0, ..none.clone() }), 0),
        ("no datastore", with(Model { ds: 0, ..none.clone() }), 0),
        ("clusters without hosts", with(Model { host: 0, ..none.clone() }), 2),
        ("no hosts", with(Model { cluster: 0, standalone_host: 0, ..none.clone() }), 0),
        ("no machines", with(Model { vm: 0, ..none.clone() }), 0),
        ("only NSX", with(Model { pg: 0, pg_nsx: 1, ..none.clone() }), 4),
        ("old", Config { api_version: "6.5".to_owned(), ..vcenter() }, 4),
    ] {
        let read = inventory(&config);
        check(name, &read);
        assert_eq!(read.of_type(ty::VirtualMachine).count(), machines, "{name}");
    }
}

#[test]
fn no_two_objects_share_an_identity() {
    for (name, read) in all() {
        for (ty, path) in [
            (ty::VirtualMachine, "config.uuid"),
            (ty::VirtualMachine, "config.instanceUuid"),
            (ty::HostSystem, "hardware.systemInfo.uuid"),
            (ty::Datastore, "summary.url"),
            (ty::DistributedVirtualSwitch, "uuid"),
        ] {
            let all: Vec<&Value> = read.of_type(ty).filter_map(|(_, o)| at(o, path)).collect();
            let distinct: BTreeSet<&str> = all.iter().filter_map(|value| value.as_str()).collect();
            assert_eq!(distinct.len(), all.len(), "{name}: {ty}.{path}");
        }
        let mut macs = Vec::new();
        for (mo, properties) in read.iter() {
            fields(&mo.to_string(), properties, &mut |place, value| {
                let adapter =
                    place.starts_with("VirtualMachine:") && place.ends_with(".macAddress");
                let own = adapter && place.contains(".config.");
                let physical = place.contains(".config.network.pnic") && place.ends_with(".mac");
                if own || physical {
                    macs.push(value.as_str().unwrap().to_owned());
                }
            });
        }
        let distinct: BTreeSet<&String> = macs.iter().collect();
        assert!(!macs.is_empty());
        assert_eq!(distinct.len(), macs.len(), "{name}: {macs:?}");
    }
}
