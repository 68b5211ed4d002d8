//! What must agree in every state of the inventory, however it came about.

use std::collections::{BTreeMap, BTreeSet};

use vimsim::inventory::{Read, Snapshot};
use vimsim::path;
use vimsim::schema::{StaticPath, Type, ty};
use vimsim::value::{MoRef, Object, Value};

/// Fails with a list of everything that does not agree.
pub(crate) fn check(state: &Snapshot) {
    let mut wrong = Vec::new();
    references(state, &mut wrong);
    required(state, &mut wrong);
    links(state, &mut wrong);
    copies(state, &mut wrong);
    names(state, &mut wrong);
    identities(state, &mut wrong);
    sums(state, &mut wrong);
    devices(state, &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Fails unless both states hold the same, tasks and the lists of them aside.
pub(crate) fn same(before: &Snapshot, after: &Snapshot) {
    let differing: Vec<String> = before
        .iter()
        .chain(after.iter())
        .map(|(mo, _)| mo)
        .filter(|mo| !is_of_tasks(mo.ty()))
        .filter(|mo| quiet(before, mo) != quiet(after, mo))
        .map(ToString::to_string)
        .collect();
    assert!(differing.is_empty(), "a failure left something behind: {differing:?}");
}

fn is_of_tasks(of: Type) -> bool {
    of.is_a(ty::Task) || of.is_a(ty::TaskManager) || of.is_a(ty::EventManager)
}

/// The properties without what changes with every task.
fn quiet(state: &Snapshot, mo: &MoRef) -> Option<Object> {
    let properties = state.get(mo)?;
    if mo.ty().is_a(ty::ManagedEntity) {
        return properties.with_at(path!(ManagedEntity, "recentTask"), None::<Value>).ok();
    }
    Some(properties.clone())
}

fn visit(place: &str, value: &Value, found: &mut impl FnMut(&str, &Value)) {
    found(place, value);
    match value {
        Value::Object(object) => {
            for (field, value) in object.iter() {
                visit(&format!("{place}.{}", field.name()), value, found);
            }
        }
        Value::Array(array) => {
            for item in array.items() {
                visit(place, item, found);
            }
        }
        _ => {}
    }
}

fn every(state: &Snapshot, mut found: impl FnMut(&MoRef, &str, &Value)) {
    for (mo, properties) in state.iter().filter(|(mo, _)| !is_of_tasks(mo.ty())) {
        for (field, value) in properties.iter() {
            visit(field.name(), value, &mut |place, value| found(mo, place, value));
        }
    }
}

fn references(state: &Snapshot, wrong: &mut Vec<String>) {
    every(state, |mo, place, value| {
        if let Value::Ref(other) = value
            && !state.exists(other)
        {
            wrong.push(format!("{mo}.{place}: there is no {other}"));
        }
    });
}

fn required(state: &Snapshot, wrong: &mut Vec<String>) {
    every(state, |mo, place, value| {
        if let Value::Object(object) = value {
            for field in object.missing() {
                wrong.push(format!("{mo}.{place} ({}): {} is not set", object.ty(), field.name()));
            }
        }
    });
}

type Side = (Type, &'static StaticPath);

/// Properties that name one another: who stands in the one stands in the other.
const LINKS: &[(Side, Side)] = &[
    (
        (ty::VirtualMachine, path!(VirtualMachine, "runtime.host")),
        (ty::HostSystem, path!(HostSystem, "vm")),
    ),
    (
        (ty::VirtualMachine, path!(VirtualMachine, "resourcePool")),
        (ty::ResourcePool, path!(ResourcePool, "vm")),
    ),
    (
        (ty::VirtualMachine, path!(VirtualMachine, "datastore")),
        (ty::Datastore, path!(Datastore, "vm")),
    ),
    ((ty::VirtualMachine, path!(VirtualMachine, "network")), (ty::Network, path!(Network, "vm"))),
    ((ty::HostSystem, path!(HostSystem, "network")), (ty::Network, path!(Network, "host"))),
    (
        (ty::ResourcePool, path!(ResourcePool, "parent")),
        (ty::ResourcePool, path!(ResourcePool, "resourcePool")),
    ),
    (
        (ty::ManagedEntity, path!(ManagedEntity, "parent")),
        (ty::Folder, path!(Folder, "childEntity")),
    ),
    (
        (ty::HostSystem, path!(HostSystem, "parent")),
        (ty::ComputeResource, path!(ComputeResource, "host")),
    ),
];

fn named(state: &Snapshot, mo: &MoRef, path: &StaticPath) -> Vec<MoRef> {
    match state.at(mo, path) {
        Some(Value::Ref(other)) => vec![other.clone()],
        Some(value) => value.morefs().cloned().collect(),
        None => Vec::new(),
    }
}

fn links(state: &Snapshot, wrong: &mut Vec<String>) {
    for ((one, forth), (other, back)) in LINKS {
        let pairs = |from: Type, path: &'static StaticPath, to: Type| {
            let mut pairs = Vec::new();
            for (mo, _) in state.of_type(from) {
                let named = named(state, mo, path);
                pairs.extend(
                    named.into_iter().filter(|it| it.ty().is_a(to)).map(|it| (mo.clone(), it)),
                );
            }
            pairs
        };
        let (there, returned) = (pairs(*one, forth, *other), pairs(*other, back, *one));
        let unique: BTreeSet<_> = there.iter().cloned().collect();
        let turned: BTreeSet<_> = returned.iter().cloned().map(|(a, b)| (b, a)).collect();
        if unique.len() != there.len() || turned.len() != returned.len() {
            wrong.push(format!("{forth} or {back} names something twice"));
        }
        for (a, b) in unique.symmetric_difference(&turned) {
            wrong.push(format!("{forth} and {back} differ about {a} and {b}"));
        }
    }
}

/// Two names of one thing.
const COPIES: &[(Type, &StaticPath, &StaticPath)] = &[
    (
        ty::VirtualMachine,
        path!(VirtualMachine, "name"),
        path!(VirtualMachine, "summary.config.name"),
    ),
    (ty::VirtualMachine, path!(VirtualMachine, "name"), path!(VirtualMachine, "config.name")),
    (
        ty::VirtualMachine,
        path!(VirtualMachine, "runtime"),
        path!(VirtualMachine, "summary.runtime"),
    ),
    (
        ty::VirtualMachine,
        path!(VirtualMachine, "config.hardware.numCPU"),
        path!(VirtualMachine, "summary.config.numCpu"),
    ),
    (
        ty::VirtualMachine,
        path!(VirtualMachine, "config.hardware.memoryMB"),
        path!(VirtualMachine, "summary.config.memorySizeMB"),
    ),
    (
        ty::VirtualMachine,
        path!(VirtualMachine, "config.annotation"),
        path!(VirtualMachine, "summary.config.annotation"),
    ),
    (
        ty::VirtualMachine,
        path!(VirtualMachine, "config.template"),
        path!(VirtualMachine, "summary.config.template"),
    ),
    (
        ty::VirtualMachine,
        path!(VirtualMachine, "config.guestId"),
        path!(VirtualMachine, "summary.config.guestId"),
    ),
    (
        ty::VirtualMachine,
        path!(VirtualMachine, "config.files.vmPathName"),
        path!(VirtualMachine, "summary.config.vmPathName"),
    ),
    (
        ty::VirtualMachine,
        path!(VirtualMachine, "customValue"),
        path!(VirtualMachine, "summary.customValue"),
    ),
    (ty::HostSystem, path!(HostSystem, "runtime"), path!(HostSystem, "summary.runtime")),
    (ty::HostSystem, path!(HostSystem, "name"), path!(HostSystem, "summary.config.name")),
    (ty::ResourcePool, path!(ResourcePool, "name"), path!(ResourcePool, "summary.name")),
    (ty::ResourcePool, path!(ResourcePool, "config"), path!(ResourcePool, "summary.config")),
    (ty::ResourcePool, path!(ResourcePool, "runtime"), path!(ResourcePool, "summary.runtime")),
    (ty::Datastore, path!(Datastore, "name"), path!(Datastore, "summary.name")),
    (ty::Datastore, path!(Datastore, "name"), path!(Datastore, "info.name")),
    (ty::Datastore, path!(Datastore, "summary.freeSpace"), path!(Datastore, "info.freeSpace")),
    (ty::Network, path!(Network, "name"), path!(Network, "summary.name")),
    (
        ty::DistributedVirtualPortgroup,
        path!(DistributedVirtualPortgroup, "name"),
        path!(DistributedVirtualPortgroup, "config.name"),
    ),
];

fn copies(state: &Snapshot, wrong: &mut Vec<String>) {
    for (of, one, other) in COPIES {
        for (mo, _) in state.of_type(*of) {
            if state.at(mo, one) != state.at(mo, other) {
                let (one_is, other_is) = (state.at(mo, one), state.at(mo, other));
                wrong.push(format!("{mo}: {one} is {one_is:?}, {other} is {other_is:?}"));
            }
        }
    }
}

fn names(state: &Snapshot, wrong: &mut Vec<String>) {
    for (folder, _) in state.of_type(ty::Folder) {
        let children = state.morefs(folder, path!(Folder, "childEntity"));
        let names: BTreeSet<&str> =
            children.iter().map(|it| state.text(it, path!(ManagedEntity, "name"))).collect();
        if names.len() != children.len() {
            wrong.push(format!("{folder}: two children have one name"));
        }
    }
}

fn identities(state: &Snapshot, wrong: &mut Vec<String>) {
    let mut seen: BTreeMap<String, MoRef> = BTreeMap::new();
    let mut once = |kind: &str, text: &str, vm: &MoRef| {
        if let Some(other) = seen.insert(format!("{kind} {text}"), vm.clone()) {
            wrong.push(format!("{kind} {text} of {vm} is that of {other} too"));
        }
    };
    for (vm, properties) in state.of_type(ty::VirtualMachine) {
        once("uuid", state.text(vm, path!(VirtualMachine, "config.uuid")), vm);
        once("uuid", state.text(vm, path!(VirtualMachine, "config.instanceUuid")), vm);
        once("file", state.text(vm, path!(VirtualMachine, "config.files.vmPathName")), vm);
        let devices = properties.at(path!(VirtualMachine, "config.hardware.device"));
        for device in devices.map_or(&[][..], Value::items).iter().filter_map(Value::as_object) {
            if device.ty().is_a(ty::VirtualEthernetCard) {
                let address = device.at(path!(VirtualEthernetCard, "macAddress"));
                once("address", address.and_then(Value::as_str).expect("an address"), vm);
            }
        }
    }
}

fn number(object: &Object, path: &StaticPath) -> i64 {
    object.at(path).and_then(Value::as_i64).unwrap_or_default()
}

/// The processor load of a host without machines.
const OWN_LOAD: i64 = 120;

/// Sums are what the machines add up to.
fn sums(state: &Snapshot, wrong: &mut Vec<String>) {
    let mut by_host: BTreeMap<MoRef, i64> = BTreeMap::new();
    let mut by_store: BTreeMap<MoRef, i64> = BTreeMap::new();
    let mut by_pool: BTreeMap<MoRef, i64> = BTreeMap::new();
    for (_, vm) in state.of_type(ty::VirtualMachine) {
        let moref = |path| vm.at(path).and_then(Value::as_moref);
        if let Some(host) = moref(path!(VirtualMachine, "runtime.host")) {
            *by_host.entry(host.clone()).or_default() +=
                number(vm, path!(VirtualMachine, "summary.quickStats.overallCpuUsage"));
        }
        let mut pool = moref(path!(VirtualMachine, "resourcePool"));
        while let Some(at) = pool.filter(|pool| pool.ty().is_a(ty::ResourcePool)) {
            *by_pool.entry(at.clone()).or_default() +=
                number(vm, path!(VirtualMachine, "summary.config.memorySizeMB"));
            pool = state.moref(at, path!(ResourcePool, "parent"));
        }
        let usage = vm.at(path!(VirtualMachine, "storage.perDatastoreUsage"));
        for usage in usage.map_or(&[][..], Value::items).iter().filter_map(Value::as_object) {
            let store = usage.at(path!(VirtualMachineUsageOnDatastore, "datastore"));
            let store = store.and_then(Value::as_moref).expect("a datastore");
            *by_store.entry(store.clone()).or_default() +=
                number(usage, path!(VirtualMachineUsageOnDatastore, "committed"));
        }
    }
    let mut compare = |mo: &MoRef, what: &str, shown: i64, sum: Option<&i64>| {
        let sum = sum.copied().unwrap_or_default();
        if shown != sum {
            wrong.push(format!("{mo}: {what} is {shown}, its machines add up to {sum}"));
        }
    };
    for (mo, host) in state.of_type(ty::HostSystem) {
        // What the host needs for itself is the same everywhere.
        let shown =
            number(host, path!(HostSystem, "summary.quickStats.overallCpuUsage")) - OWN_LOAD;
        compare(mo, "overallCpuUsage", shown, by_host.get(mo));
    }
    for (mo, pool) in state.of_type(ty::ResourcePool) {
        let shown = number(pool, path!(ResourcePool, "summary.configuredMemoryMB"));
        compare(mo, "configuredMemoryMB", shown, by_pool.get(mo));
    }
    for (mo, store) in state.of_type(ty::Datastore) {
        let used = number(store, path!(Datastore, "summary.capacity"))
            - number(store, path!(Datastore, "summary.freeSpace"));
        compare(mo, "used space", used, by_store.get(mo));
    }
}

/// Devices have keys and seats of their own, and controllers know what hangs on them.
fn devices(state: &Snapshot, wrong: &mut Vec<String>) {
    for (vm, properties) in state.of_type(ty::VirtualMachine) {
        let devices = properties.at(path!(VirtualMachine, "config.hardware.device"));
        let devices: Vec<&Object> =
            devices.expect("devices").items().iter().filter_map(Value::as_object).collect();
        let key = |device: &Object| number(device, path!(VirtualDevice, "key"));
        let keys: BTreeSet<i64> = devices.iter().map(|device| key(device)).collect();
        if keys.len() != devices.len() {
            wrong.push(format!("{vm}: two devices have one key"));
        }
        let mut seats = BTreeSet::new();
        for device in &devices {
            let controller =
                device.at(path!(VirtualDevice, "controllerKey")).and_then(Value::as_i64);
            let unit = device.at(path!(VirtualDevice, "unitNumber")).and_then(Value::as_i64);
            if controller.is_some_and(|controller| !keys.contains(&controller)) {
                wrong.push(format!("{vm}: device {} hangs on nothing", key(device)));
            }
            if let (Some(controller), Some(unit)) = (controller, unit)
                && !seats.insert((controller, unit))
            {
                wrong.push(format!("{vm}: two devices on unit {unit} of {controller}"));
            }
            if device.ty().is_a(ty::VirtualController) {
                let listed: Vec<i64> = device
                    .at(path!(VirtualController, "device"))
                    .map_or(&[][..], Value::items)
                    .iter()
                    .filter_map(Value::as_i64)
                    .collect();
                let hanging: Vec<i64> = devices
                    .iter()
                    .filter(|it| number(it, path!(VirtualDevice, "controllerKey")) == key(device))
                    .map(|it| key(it))
                    .collect();
                if listed != hanging {
                    wrong.push(format!(
                        "{vm}: controller {} lists {listed:?}, not {hanging:?}",
                        key(device)
                    ));
                }
            }
        }
    }
}
