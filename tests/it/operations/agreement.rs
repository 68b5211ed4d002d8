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
    names(state, &mut wrong);
    identities(state, &mut wrong);
    devices(state, &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
    crate::model::check("after the operation", state);
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
