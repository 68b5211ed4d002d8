//! What operations do to the inventory: everything follows a change.

use std::collections::BTreeSet;

use vimsim::fault::Fault;
use vimsim::inventory::{Read, Snapshot, Store, Transaction};
use vimsim::schema::ty;
use vimsim::value::{MoRef, Value, diff};
use vimsim::vsphere::model::vm::{self as vm_model, Names, NewMachine};
use vimsim::vsphere::model::{Catalog, build, device, rename};
use vimsim::{enum_value, path};

use super::{agreement::check, at, fields, inventory, now, number, refs, vcenter};

/// Changes the default inventory, checks it, and returns it.
fn after(change: impl FnOnce(&mut Transaction) -> Result<(), Fault>) -> Snapshot {
    let store = Store::new();
    store.commit(|tx| build(tx, &vcenter(), now())).unwrap();
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
    let before = inventory(&vcenter());
    let catalog = Catalog::new(&vcenter(), now()).unwrap();
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

    let before = inventory(&vcenter());
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
    let before = inventory(&vcenter());
    let read = after(|tx| vm_model::rename(tx, &vm(55), "other", now()));
    let (old, new) = (before.get(&vm(55)).unwrap(), read.get(&vm(55)).unwrap());
    assert_eq!(at(new, "name").and_then(Value::as_str), Some("other"));
    let mut changes = Vec::new();
    diff::objects("", old, new, &mut changes);
    let paths: BTreeSet<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, BTreeSet::from(["name", "config.name", "summary.config.name"]));

    // What all machines have in common is one allocation.
    let store = Store::new();
    store.commit(|tx| build(tx, &vcenter(), now())).unwrap();
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
    let before = inventory(&vcenter());
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
