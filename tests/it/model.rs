//! The initial inventory: names, references, completeness, agreement.

use std::collections::BTreeSet;

use vimsim::Config;
use vimsim::config::Model;
use vimsim::fault::Fault;
use vimsim::inventory::{Read, Snapshot, Store};
use vimsim::path;
use vimsim::schema::ty;
use vimsim::value::{DateTime, MoRef, Object, Value};
use vimsim::vsphere::model::{Catalog, build, dvs_ports, environment};

mod agreement;
mod changes;

pub(crate) use agreement::check;

fn now() -> DateTime {
    DateTime::parse("2026-01-02T03:04:05Z").unwrap()
}

fn vcenter() -> Config {
    Config::default()
}

fn esx() -> Config {
    Config { esx: true, ..Config::default() }
}

fn with(model: Model) -> Config {
    Config { model, ..Config::default() }
}

fn inventory(config: &Config) -> Snapshot {
    let store = Store::new();
    store.commit(|tx| build(tx, config, now())).unwrap();
    Snapshot::clone(&store.snapshot())
}

/// The inventories that every rule below must hold for.
fn all() -> Vec<(&'static str, Snapshot)> {
    vec![
        ("default", inventory(&vcenter())),
        ("esx", inventory(&esx())),
        (
            "everything",
            inventory(&with(Model {
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
                ..Model::default()
            })),
        ),
        ("off", inventory(&with(Model { autostart: false, pg: 0, ..Model::default() }))),
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
    let read = inventory(&vcenter());
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
    store.commit(|tx| build(tx, &vcenter(), now()))?;
    let (task, _) = store.commit(|tx| Ok::<_, Fault>(tx.next_moref(ty::Task, "task")))?;
    assert_eq!(task.id(), "task-63");
    Ok(())
}

#[test]
fn the_tree_of_a_host_by_itself() {
    let read = inventory(&esx());
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
    let options = with(Model { folder: 1, pool: 1, app: 1, pod: 1, ..Model::default() });
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

#[test]
fn what_machines_can_have_is_complete() {
    let options = with(Model { nsx: 1, ..Model::default() });
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
    let options = with(Model { vm: 6, ..Model::default() });
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
