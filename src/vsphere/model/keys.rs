//! By what objects of the inventory are found: the names below a container,
//! identities, addresses, files.
//!
//! A key leads to the few objects that may be meant; the functions here look at
//! each, so that what they return is right.

use crate::inventory::{Key, Keys, Properties, Read};
use crate::path;
use crate::schema::{StaticPath, Type, ty};
use crate::value::{MoRef, Value};

const CHILD: &str = "child";
const UUID: &str = "uuid";
const INSTANCE_UUID: &str = "instance uuid";
const DNS_NAME: &str = "dns name";
const ADDRESS: &str = "address";
const FILE: &str = "file";
const FOLDER: &str = "folder of files";

/// The keys of an object; see [`crate::inventory::KeysOf`].
pub(super) fn of(properties: &Properties, keys: &mut Keys) {
    let ty = properties.ty();
    if !ty.is_a(ty::ManagedEntity) {
        return;
    }
    let mut add = |place, path: &StaticPath, make: fn(&'static str, &str) -> Key| {
        let value = properties.value(path);
        let text = value.as_ref().and_then(Value::as_str).filter(|text| !text.is_empty());
        keys.extend(text.map(|text| make(place, text)));
    };
    if ty.is_a(ty::VirtualMachine) {
        add(UUID, path!(VirtualMachine, "config.uuid"), uuid_key);
        add(INSTANCE_UUID, path!(VirtualMachine, "config.instanceUuid"), uuid_key);
        add(DNS_NAME, path!(VirtualMachine, "guest.hostName"), caseless_key);
        add(ADDRESS, path!(VirtualMachine, "guest.ipAddress"), exact_key);
        add(FILE, path!(VirtualMachine, "config.files.vmPathName"), exact_key);
        add(FOLDER, path!(VirtualMachine, "config.files.vmPathName"), folder_key);
    } else if ty.is_a(ty::HostSystem) {
        add(UUID, path!(HostSystem, "hardware.systemInfo.uuid"), uuid_key);
    }
    let name = properties.value(path!(ManagedEntity, "name"));
    let Some(name) = name.as_ref().and_then(Value::as_str) else { return };
    for up in ways_up(ty) {
        if let Some(Value::Ref(container)) = properties.value(up) {
            let key = child_key(&container, name);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
}

/// The properties that lead from an entity to the containers that list it.
fn ways_up(ty: Type) -> &'static [&'static StaticPath] {
    if ty.is_a(ty::VirtualMachine) {
        &[path!(VirtualMachine, "parent"), path!(VirtualMachine, "resourcePool")]
    } else if ty.is_a(ty::VirtualApp) {
        &[path!(VirtualApp, "parent"), path!(VirtualApp, "parentFolder")]
    } else {
        &[path!(ManagedEntity, "parent")]
    }
}

fn child_key(container: &MoRef, name: &str) -> Key {
    Key::new(CHILD, Some(container), name.as_bytes())
}

fn exact_key(place: &'static str, text: &str) -> Key {
    Key::new(place, None, text.as_bytes())
}

/// The key for the folder at the root of a datastore that a file is in.
fn folder_key(place: &'static str, file: &str) -> Key {
    Key::new(place, None, top_folder(file).as_bytes())
}

fn top_folder(file: &str) -> &str {
    file.split_once('/').map_or("", |(folder, _)| folder)
}

fn caseless_key(place: &'static str, text: &str) -> Key {
    Key::new(place, None, text.to_ascii_lowercase().as_bytes())
}

fn uuid_key(place: &'static str, text: &str) -> Key {
    let digits: Vec<u8> = uuid_digits(text).collect();
    Key::new(place, None, &digits)
}

fn uuid_digits(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(|byte| *byte != b'-').map(|byte| byte.to_ascii_lowercase())
}

/// The entities called `name` that `container` lists, in the order of their
/// references.
pub fn children_called(state: &(impl Read + ?Sized), container: &MoRef, name: &str) -> Vec<MoRef> {
    let is_it = |mo: &MoRef, properties: &Properties| {
        let up = ways_up(mo.ty())
            .iter()
            .any(|up| properties.value(up).as_ref().and_then(Value::as_moref) == Some(container));
        let held = properties.value(path!(ManagedEntity, "name"));
        up && held.as_ref().and_then(Value::as_str) == Some(name)
    };
    found(state, child_key(container, name), is_it)
}

/// The machines (by instance or not), or the hosts, with a UUID, however it is
/// written.
pub fn with_uuid(
    state: &(impl Read + ?Sized),
    uuid: &str,
    machines: bool,
    instance: bool,
) -> Vec<MoRef> {
    let (ty, place, path): (Type, _, &StaticPath) = match (machines, instance) {
        (true, true) => {
            (ty::VirtualMachine, INSTANCE_UUID, path!(VirtualMachine, "config.instanceUuid"))
        }
        (true, false) => (ty::VirtualMachine, UUID, path!(VirtualMachine, "config.uuid")),
        (false, _) => (ty::HostSystem, UUID, path!(HostSystem, "hardware.systemInfo.uuid")),
    };
    let same = |held: &str| uuid_digits(held).eq(uuid_digits(uuid));
    found(state, uuid_key(place, uuid), |mo, properties| is_a_with(mo, properties, ty, path, same))
}

/// The machines whose guest has a name, in whatever case it is written.
pub fn machines_with_dns_name(state: &(impl Read + ?Sized), name: &str) -> Vec<MoRef> {
    let path = path!(VirtualMachine, "guest.hostName");
    let same = |held: &str| held.eq_ignore_ascii_case(name);
    found(state, caseless_key(DNS_NAME, name), |mo, properties| {
        is_a_with(mo, properties, ty::VirtualMachine, path, same)
    })
}

/// The machines whose guest has an address.
pub fn machines_with_address(state: &(impl Read + ?Sized), address: &str) -> Vec<MoRef> {
    let path = path!(VirtualMachine, "guest.ipAddress");
    found(state, exact_key(ADDRESS, address), |mo, properties| {
        is_a_with(mo, properties, ty::VirtualMachine, path, |held| held == address)
    })
}

/// The machines whose configuration is the file at a datastore path; there can
/// be one in each datacenter.
pub fn machines_with_file(state: &(impl Read + ?Sized), file: &str) -> Vec<MoRef> {
    let path = path!(VirtualMachine, "config.files.vmPathName");
    found(state, exact_key(FILE, file), |mo, properties| {
        is_a_with(mo, properties, ty::VirtualMachine, path, |held| held == file)
    })
}

/// The machines whose configuration is a file in a folder at the root of a
/// datastore, as in `[datastore] folder`, or below it.
pub fn machines_in_folder(state: &(impl Read + ?Sized), folder: &str) -> Vec<MoRef> {
    let path = path!(VirtualMachine, "config.files.vmPathName");
    found(state, exact_key(FOLDER, folder), |mo, properties| {
        is_a_with(mo, properties, ty::VirtualMachine, path, |held| top_folder(held) == folder)
    })
}

fn is_a_with(
    mo: &MoRef,
    properties: &Properties,
    ty: Type,
    path: &StaticPath,
    is_it: impl Fn(&str) -> bool,
) -> bool {
    mo.ty().is_a(ty) && properties.value(path).as_ref().and_then(Value::as_str).is_some_and(is_it)
}

fn found(
    state: &(impl Read + ?Sized),
    key: Key,
    is_it: impl Fn(&MoRef, &Properties) -> bool,
) -> Vec<MoRef> {
    let may_be = state.find(key).iter();
    let mut found: Vec<MoRef> = may_be
        .filter(|mo| state.properties(mo).is_some_and(|properties| is_it(mo, properties)))
        .cloned()
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::super::{build, rename, vm};
    use super::*;
    use crate::config::Config;
    use crate::inventory::{Snapshot, Store};
    use crate::value::DateTime;

    /// What a look at everything finds.
    fn scan(snapshot: &Snapshot, is_it: impl Fn(&MoRef) -> bool) -> Vec<MoRef> {
        let mut found: Vec<MoRef> =
            snapshot.refs(ty::ManagedEntity).filter(|mo| is_it(mo)).cloned().collect();
        found.sort();
        found
    }

    /// Whatever can be asked for of the entities that there are, and were.
    fn check(snapshot: &Snapshot, before: &Snapshot) {
        let name = path!(ManagedEntity, "name");
        for mo in before.refs(ty::ManagedEntity) {
            let called = before.text(mo, name);
            for up in ways_up(mo.ty()).iter().filter_map(|up| before.moref(mo, up)) {
                let expected = scan(snapshot, |other| {
                    let listed = ways_up(other.ty()).iter();
                    snapshot.text(other, name) == called
                        && listed.clone().any(|way| snapshot.moref(other, way) == Some(up))
                });
                assert_eq!(children_called(snapshot, up, called), expected, "{called} in {up}");
            }
        }
        let machines = || before.refs(ty::VirtualMachine);
        let having = |text: &str, path: &'static StaticPath| {
            scan(snapshot, |mo| mo.ty().is_a(ty::VirtualMachine) && snapshot.text(mo, path) == text)
        };
        for mo in machines() {
            let path = path!(VirtualMachine, "config.uuid");
            let text = before.text(mo, path);
            assert_eq!(with_uuid(snapshot, text, true, false), having(text, path));
            let plain = text.replace('-', "").to_uppercase();
            assert_eq!(with_uuid(snapshot, &plain, true, false), having(text, path));
            let path = path!(VirtualMachine, "config.instanceUuid");
            let text = before.text(mo, path);
            assert_eq!(with_uuid(snapshot, text, true, true), having(text, path));
            let path = path!(VirtualMachine, "guest.hostName");
            let text = before.text(mo, path);
            assert!(!text.is_empty());
            assert_eq!(machines_with_dns_name(snapshot, &text.to_uppercase()), having(text, path));
            let path = path!(VirtualMachine, "guest.ipAddress");
            let text = before.text(mo, path);
            assert_eq!(machines_with_address(snapshot, text), having(text, path));
            let path = path!(VirtualMachine, "config.files.vmPathName");
            let text = before.text(mo, path);
            assert_eq!(machines_with_file(snapshot, text), having(text, path));
            let folder = text.split('/').next().unwrap();
            assert!(machines_in_folder(snapshot, folder).contains(mo) == snapshot.exists(mo));
        }
        for host in snapshot.refs(ty::HostSystem) {
            let text = snapshot.text(host, path!(HostSystem, "hardware.systemInfo.uuid"));
            assert!(with_uuid(snapshot, text, false, false).contains(host));
            assert!(with_uuid(snapshot, text, true, false).is_empty());
        }
    }

    #[test]
    fn what_is_found_by_key_is_what_a_scan_finds() {
        let now = DateTime::from_micros(1_000_000);
        let store = Store::new();
        let mut config = Config::default();
        (config.model.dc, config.model.app, config.model.vm) = (2, 1, 3);
        store.commit(|tx| build(tx, &config, now)).unwrap();
        let first = store.snapshot();
        check(&first, &first);
        let mut machines: Vec<&MoRef> = first.refs(ty::VirtualMachine).collect();
        machines.sort();
        let [one, two, three, ..] = machines[..] else { panic!("few machines") };
        let folder = first.refs(ty::Folder).min().unwrap();
        store
            .commit(|tx| {
                rename(tx, one, "another", now)?;
                vm::remove(tx, two)?;
                tx.set(three, path!(VirtualMachine, "parent"), folder)
            })
            .unwrap();
        let second = store.snapshot();
        check(&second, &first);
        check(&second, &second);
        assert_eq!(
            children_called(&*second, folder, second.text(three, path!(ManagedEntity, "name"))),
            std::slice::from_ref(three)
        );
    }
}
