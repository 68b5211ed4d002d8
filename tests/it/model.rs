//! The initial inventory: names, references, completeness, agreement.

use std::collections::BTreeSet;

use vimsim::fault::Fault;
use vimsim::inventory::{Read, Snapshot, Store, Transaction};
use vimsim::schema::{Type, ty};
use vimsim::value::{DateTime, MoRef, Object, Value, diff};
use vimsim::vsphere::model::vm::{self as vm_model, Names, NewMachine};
use vimsim::vsphere::model::{
    Catalog, ModelOptions, build, device, dvs_ports, environment, rename,
};
use vimsim::{enum_value, path};

fn now() -> DateTime {
    DateTime::parse("2026-01-02T03:04:05Z").unwrap()
}

fn inventory(options: &ModelOptions) -> Snapshot {
    let store = Store::new();
    store.commit(|tx| build(tx, options, now())).unwrap();
    Snapshot::clone(&store.snapshot())
}

/// The inventories that every rule below must hold for.
fn all() -> Vec<(&'static str, Snapshot)> {
    let vcenter = ModelOptions::vcenter();
    vec![
        ("default", inventory(&vcenter)),
        ("esx", inventory(&ModelOptions::esx())),
        (
            "everything",
            inventory(&ModelOptions {
                dc: 2,
                pool: 2,
                app: 1,
                pod: 1,
                folder: 1,
                ds: 2,
                pg: 2,
                pg_nsx: 1,
                nsx: 1,
                vm: 4,
                ..vcenter.clone()
            }),
        ),
        ("off", inventory(&ModelOptions { autostart: false, pg: 0, ..vcenter })),
    ]
}

/// The path of an entity from the root, without the root's own name.
fn path_of(read: &Snapshot, mo: &MoRef) -> String {
    let Some(parent) = read.moref(mo, path!(ManagedEntity, "parent")) else { return String::new() };
    format!("{}/{}", path_of(read, parent), read.text(mo, path!(ManagedEntity, "name")))
}

fn entities(read: &Snapshot) -> BTreeSet<String> {
    read.of_type(ty::ManagedEntity).map(|(mo, _)| format!("{} {mo}", path_of(read, mo))).collect()
}

#[test]
fn the_default_tree_has_the_names_and_ids_that_scripts_know() {
    let read = inventory(&ModelOptions::vcenter());
    let expected = [
        " Folder:group-d1",
        "/DC0 Datacenter:datacenter-2",
        "/DC0/vm Folder:group-v3",
        "/DC0/host Folder:group-h4",
        "/DC0/datastore Folder:group-s5",
        "/DC0/network Folder:group-n6",
        "/DC0/network/VM Network Network:network-7",
        "/DC0/network/DVS0 DistributedVirtualSwitch:dvs-9",
        "/DC0/network/DVS0-DVUplinks-9 DistributedVirtualPortgroup:dvportgroup-11",
        "/DC0/network/DC0_DVPG0 DistributedVirtualPortgroup:dvportgroup-13",
        "/DC0/host/DC0_H0 ComputeResource:domain-s24",
        "/DC0/host/DC0_H0/DC0_H0 HostSystem:host-21",
        "/DC0/host/DC0_H0/Resources ResourcePool:resgroup-23",
        "/DC0/host/DC0_C0 ClusterComputeResource:domain-c28",
        "/DC0/host/DC0_C0/DC0_C0_H0 HostSystem:host-35",
        "/DC0/host/DC0_C0/DC0_C0_H1 HostSystem:host-42",
        "/DC0/host/DC0_C0/DC0_C0_H2 HostSystem:host-49",
        "/DC0/host/DC0_C0/Resources ResourcePool:resgroup-27",
        "/DC0/datastore/LocalDS_0 Datastore:datastore-52",
        "/DC0/vm/DC0_H0_VM0 VirtualMachine:vm-55",
        "/DC0/vm/DC0_H0_VM1 VirtualMachine:vm-57",
        "/DC0/vm/DC0_C0_RP0_VM0 VirtualMachine:vm-59",
        "/DC0/vm/DC0_C0_RP0_VM1 VirtualMachine:vm-61",
    ];
    let expected: BTreeSet<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(entities(&read), expected);
}

#[test]
fn the_first_task_gets_the_number_that_it_has_in_vcsim() -> Result<(), Fault> {
    let store = Store::new();
    store.commit(|tx| build(tx, &ModelOptions::vcenter(), now()))?;
    let (task, _) = store.commit(|tx| Ok::<_, Fault>(tx.next_moref(ty::Task, "task")))?;
    assert_eq!(task.id(), "task-63");
    Ok(())
}

#[test]
fn the_tree_of_a_host_by_itself() {
    let read = inventory(&ModelOptions::esx());
    let expected = [
        " Folder:ha-folder-root",
        "/ha-datacenter Datacenter:ha-datacenter",
        "/ha-datacenter/vm Folder:ha-folder-vm",
        "/ha-datacenter/host Folder:ha-folder-host",
        "/ha-datacenter/datastore Folder:ha-folder-datastore",
        "/ha-datacenter/network Folder:ha-folder-network",
        "/ha-datacenter/network/VM Network Network:HaNetwork-VM Network",
        "/ha-datacenter/host/localhost.localdomain ComputeResource:ha-compute-res",
        "/ha-datacenter/host/localhost.localdomain/localhost.localdomain HostSystem:ha-host",
        "/ha-datacenter/host/localhost.localdomain/Resources ResourcePool:ha-root-pool",
    ];
    let expected: BTreeSet<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    let all = entities(&read);
    let (known, rest): (BTreeSet<_>, BTreeSet<_>) =
        all.into_iter().partition(|line| line.contains(":ha-") || line.contains(":HaNetwork"));
    assert_eq!(known, expected);
    let names: Vec<&str> = rest.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        names,
        [
            "/ha-datacenter/datastore/LocalDS_0",
            "/ha-datacenter/vm/ha-host_VM0",
            "/ha-datacenter/vm/ha-host_VM1",
        ]
    );
}

#[test]
fn flags_shape_the_tree_as_in_vcsim() {
    let options = ModelOptions { folder: 1, pool: 1, app: 1, pod: 1, ..ModelOptions::vcenter() };
    let read = inventory(&options);
    let paths: BTreeSet<String> = read
        .of_type(ty::ManagedEntity)
        .filter(|(mo, _)| !mo.ty().is_a(ty::HostSystem))
        .map(|(mo, _)| path_of(&read, mo))
        .collect();
    for expected in [
        "/F0/DC0/vm/F0/DC0_H0_VM1",
        "/F0/DC0/vm/F0/DC0_C0_RP1_VM0",
        "/F0/DC0/vm/F0/DC0_C0_APP0_VM1",
        "/F0/DC0/host/F0/DC0_C0/Resources/DC0_C0_RP1",
        "/F0/DC0/host/F0/DC0_C0/Resources/DC0_C0_APP0",
        "/F0/DC0/host/F0/DC0_H0/Resources",
        "/F0/DC0/datastore/DC0_POD0",
        "/F0/DC0/datastore/F0/LocalDS_0",
        "/F0/DC0/network/VM Network",
        "/F0/DC0/network/F0/DC0_DVPG0",
    ] {
        assert!(paths.contains(expected), "no {expected} in {paths:#?}");
    }
    assert!(!paths.iter().any(|path| path.contains("_RP0_")), "{paths:#?}");
}

/// Calls `visit` with every data object below `value`, and where it is.
fn objects(place: &str, value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(place, value);
    match value {
        Value::Object(object) => fields(place, object, visit),
        Value::Array(array) => {
            for (at, item) in array.items().iter().enumerate() {
                objects(&format!("{place}[{at}]"), item, visit);
            }
        }
        _ => {}
    }
}

fn fields(place: &str, object: &Object, visit: &mut impl FnMut(&str, &Value)) {
    for (field, value) in object.iter() {
        objects(&format!("{place}.{}", field.name()), value, visit);
    }
}

#[test]
fn every_required_property_is_set() {
    let mut missing = BTreeSet::new();
    for (_, read) in all() {
        for (mo, properties) in read.iter() {
            missing.extend(properties.missing().map(|f| format!("{}.{}", mo.ty(), f.name())));
            fields(mo.ty().name(), properties, &mut |place, value| {
                if let Value::Object(object) = value {
                    missing.extend(
                        object
                            .missing()
                            .map(|field| format!("{place} ({}).{}", object.ty(), field.name())),
                    );
                }
            });
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_reference_leads_somewhere() {
    for (name, read) in all() {
        let mut dangling = BTreeSet::new();
        for (mo, properties) in read.iter() {
            fields(&mo.to_string(), properties, &mut |place, value| {
                if let Value::Ref(other) = value
                    && !read.exists(other)
                {
                    dangling.insert(format!("{place}: {other}"));
                }
            });
        }
        assert!(dangling.is_empty(), "{name}: {dangling:#?}");
    }
}

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

/// The value at a path without keys, walked by names.
fn at<'v>(object: &'v Object, path: &str) -> Option<&'v Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let value = object.field(first)?;
    match rest {
        Some(rest) => at(value.as_object()?, rest),
        None => Some(value),
    }
}

fn number(object: &Object, path: &str) -> i64 {
    at(object, path).and_then(Value::as_i64).unwrap_or_else(|| panic!("{object:?}: no {path}"))
}

fn refs(object: &Object, path: &str) -> Vec<MoRef> {
    at(object, path).map(|value| value.morefs().cloned().collect()).unwrap_or_default()
}

fn one(object: &Object, path: &str) -> Option<MoRef> {
    at(object, path).and_then(Value::as_moref).cloned()
}

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

/// Changes the default inventory, checks it, and returns it.
fn after(change: impl FnOnce(&mut Transaction) -> Result<(), Fault>) -> Snapshot {
    let store = Store::new();
    store.commit(|tx| build(tx, &ModelOptions::vcenter(), now())).unwrap();
    store.commit(change).unwrap();
    let read = Snapshot::clone(&store.snapshot());
    check("after a change", &read);
    read
}

fn vm(number: u32) -> MoRef {
    MoRef::new(ty::VirtualMachine, &format!("vm-{number}"))
}

#[test]
fn a_machine_that_came_and_went_leaves_no_trace() {
    let before = inventory(&ModelOptions::vcenter());
    let catalog = Catalog::new(&ModelOptions::vcenter(), now()).unwrap();
    let new = vm(900);
    let there = MoRef::new(ty::HostSystem, "host-35");
    let pool = MoRef::new(ty::ResourcePool, "resgroup-27");
    let insert = |tx: &mut Transaction| {
        let names = Names {
            name: "new",
            vmx_path: "[LocalDS_0] new/new.vmx",
            uuid: "1",
            instance_uuid: "2",
        };
        let store = MoRef::new(ty::Datastore, "datastore-52");
        let network = MoRef::new(ty::Network, "network-7");
        let backing = device::flat_backing("[LocalDS_0] new/new.vmdk", Some(&store), false, "3");
        let (connection, summary) = device::network_backing(tx, &network);
        let devices = [
            device::scsi_controller(0),
            device::disk(1, 0, 0, 1 << 30, backing),
            device::nic(0, connection, &summary, "00:50:56:00:00:01", true),
        ];
        let environment = tx.moref(&vm(59), path!(VirtualMachine, "environmentBrowser")).cloned();
        vm_model::insert(
            tx,
            &new,
            &NewMachine {
                config: catalog.vm().config(&names, &devices, now()),
                capability: catalog.vm().capability(),
                folder: &MoRef::new(ty::Folder, "group-v3"),
                pool: Some(&pool),
                host: Some(&there),
                environment: &environment.unwrap(),
                on: true,
                now: now(),
            },
        )
    };
    let with = after(insert);
    let properties = with.get(&new).unwrap();
    assert_eq!(properties.missing().count(), 0);
    assert_eq!(refs(properties, "network"), [MoRef::new(ty::Network, "network-7")]);
    assert_eq!(refs(properties, "datastore"), [MoRef::new(ty::Datastore, "datastore-52")]);
    assert!(number(properties, "summary.storage.committed") > 1 << 30);
    let gone = after(|tx| {
        insert(tx)?;
        vm_model::remove(tx, &new)
    });
    for (mo, properties) in before.iter() {
        assert_eq!(gone.get(mo), Some(properties), "{mo}");
    }
    assert_eq!(gone.len(), before.len());
}

#[test]
fn power_moves_every_place_that_shows_it() {
    let off = enum_value!(VirtualMachinePowerState::poweredOff);
    let on = enum_value!(VirtualMachinePowerState::poweredOn);
    let read = after(|tx| vm_model::set_power(tx, &vm(59), off, None, now()));
    let machine = read.get(&vm(59)).unwrap();
    assert_eq!(at(machine, "summary.runtime.powerState"), Some(&Value::Enum(off)));
    assert_eq!(at(machine, "guest.ipAddress"), None);
    assert_eq!(number(machine, "summary.quickStats.overallCpuUsage"), 0);
    let connected = device::devices(at(machine, "config").unwrap().as_object().unwrap())
        .iter()
        .filter_map(|device| at(device.as_object()?, "connectable.connected")?.as_bool());
    assert_eq!(connected.filter(|connected| *connected).count(), 0);

    let before = inventory(&ModelOptions::vcenter());
    let back = after(|tx| {
        vm_model::set_power(tx, &vm(59), off, None, now())?;
        vm_model::set_power(tx, &vm(59), on, None, now())
    });
    assert_eq!(back.get(&vm(59)), before.get(&vm(59)));
}

#[test]
fn a_machine_that_moves_is_counted_where_it_is() {
    let read = after(|tx| {
        vm_model::change(tx, &vm(55), now(), |machine| {
            machine.set(
                const { ty::VirtualMachine.slot("resourcePool") },
                MoRef::new(ty::ResourcePool, "resgroup-27"),
            );
            let slot = const { ty::VirtualMachine.slot("runtime") };
            let runtime = machine.get(slot).and_then(Value::as_object).unwrap();
            let host = MoRef::new(ty::HostSystem, "host-49");
            let moved = runtime.with(const { ty::VirtualMachineRuntimeInfo.slot("host") }, host);
            machine.set(slot, moved);
            Ok(())
        })
    });
    let cluster = read.get(&MoRef::new(ty::ClusterComputeResource, "domain-c28")).unwrap();
    assert_eq!(number(cluster, "summary.usageSummary.totalVmCount"), 3);
}

#[test]
fn a_change_shares_what_it_does_not_touch() {
    let before = inventory(&ModelOptions::vcenter());
    let read = after(|tx| vm_model::rename(tx, &vm(55), "other", now()));
    let (old, new) = (before.get(&vm(55)).unwrap(), read.get(&vm(55)).unwrap());
    assert_eq!(at(new, "name").and_then(Value::as_str), Some("other"));
    let mut changes = Vec::new();
    diff::objects("", old, new, &mut changes);
    let paths: BTreeSet<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, BTreeSet::from(["name", "config.name", "summary.config.name"]));

    // What all machines have in common is one allocation.
    let store = Store::new();
    store.commit(|tx| build(tx, &ModelOptions::vcenter(), now())).unwrap();
    let snapshot = store.snapshot();
    let pair = [vm(55), vm(57)].map(|vm| snapshot.get(&vm).unwrap().clone());
    for path in
        ["capability", "runtime", "config.flags", "config.cpuAllocation", "storage", "datastore"]
    {
        let [a, b] = pair.each_ref().map(|vm| at(vm, path).unwrap());
        assert!(a.same(b), "{path} is there twice");
    }
}

#[test]
fn a_new_name_reaches_everything_that_repeats_it() {
    let entities = [
        MoRef::new(ty::VirtualMachine, "vm-55"),
        MoRef::new(ty::Datastore, "datastore-52"),
        MoRef::new(ty::DistributedVirtualPortgroup, "dvportgroup-13"),
        MoRef::new(ty::DistributedVirtualSwitch, "dvs-9"),
        MoRef::new(ty::Network, "network-7"),
        MoRef::new(ty::ResourcePool, "resgroup-27"),
        MoRef::new(ty::ClusterComputeResource, "domain-c28"),
        MoRef::new(ty::Folder, "group-v3"),
        MoRef::new(ty::Datacenter, "datacenter-2"),
    ];
    let before = inventory(&ModelOptions::vcenter());
    for mo in entities {
        let old = before.text(&mo, path!(ManagedEntity, "name")).to_owned();
        let read = after(|tx| rename(tx, &mo, "renamed", now()));
        assert_eq!(read.text(&mo, path!(ManagedEntity, "name")), "renamed", "{mo}");
        if matches!(
            old.as_str(),
            "Resources" | "vm" | "VM Network" | "DC0" | "DC0_C0" | "DVS0" | "DC0_H0_VM0"
        ) {
            continue;
        }
        // A name that is like no other's must not be left anywhere.
        for (other, properties) in read.iter() {
            fields(&other.to_string(), properties, &mut |place, value| {
                let text = value.as_str().unwrap_or_default();
                assert!(!text.contains(&old), "{mo}: {place} is still {text}");
            });
        }
    }
}

#[test]
fn what_machines_can_have_is_complete() {
    let options = ModelOptions { nsx: 1, ..ModelOptions::vcenter() };
    let catalog = Catalog::new(&options, now()).unwrap();
    let read = inventory(&options);
    let whole = |object: &Object| {
        let mut missing: BTreeSet<String> =
            object.missing().map(|field| field.name().to_owned()).collect();
        fields(object.ty().name(), object, &mut |place, value| {
            if let Value::Object(inner) = value {
                missing.extend(inner.missing().map(|field| format!("{place}.{}", field.name())));
            }
        });
        assert!(missing.is_empty(), "{missing:#?}");
    };
    let option = environment::config_option(&catalog, None, &[]).unwrap().unwrap();
    whole(&option);
    assert_eq!(at(&option, "version").and_then(Value::as_str), Some("vmx-21"));
    let one = environment::config_option(&catalog, Some("vmx-19"), &["ubuntu64Guest"]).unwrap();
    assert_eq!(at(&one.unwrap(), "guestOSDescriptor").map(|list| list.items().len()), Some(1));
    assert_eq!(environment::config_option(&catalog, Some("vmx-22"), &[]).unwrap(), None);
    let cluster = MoRef::new(ty::ClusterComputeResource, "domain-c29");
    let target = environment::config_target(&read, &cluster);
    whole(&target);
    assert_eq!(at(&target, "opaqueNetwork").map(|list| list.items().len()), Some(1));
    assert_eq!(at(&target, "datastore").map(|list| list.items().len()), Some(1));
    assert!(environment::descriptors(&catalog, &[]).len() > 5);
}

#[test]
fn every_machine_on_a_port_group_has_a_port() {
    let options = ModelOptions { vm: 6, ..ModelOptions::vcenter() };
    let read = inventory(&options);
    check("ports", &read);
    let (switch, _) = read.of_type(ty::DistributedVirtualSwitch).next().unwrap();
    let ports = dvs_ports::ports(&read, switch, &[]);
    assert!(ports.iter().all(|port| port.missing().count() == 0));
    let all = read.get(switch).unwrap();
    assert_eq!(number(all, "config.numPorts"), i64::try_from(ports.len()).unwrap());
    let keys: BTreeSet<&str> = ports.iter().filter_map(|port| at(port, "key")?.as_str()).collect();
    assert_eq!(keys.len(), ports.len(), "{keys:?}");
    let connected: BTreeSet<MoRef> =
        ports.iter().filter_map(|port| one(port, "connectee.connectedEntity")).collect();
    let machines = read.of_type(ty::VirtualMachine).map(|(mo, _)| mo.clone());
    let hosts = read.of_type(ty::HostSystem).map(|(mo, _)| mo.clone());
    assert_eq!(connected, machines.chain(hosts).collect());
    let (group, _) = read
        .of_type(ty::DistributedVirtualPortgroup)
        .find(|(_, group)| at(group, "config.uplink") == Some(&Value::Boolean(false)))
        .unwrap();
    assert_eq!(dvs_ports::ports(&read, switch, &[group.id()]).len(), 16);
}
