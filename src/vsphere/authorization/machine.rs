//! What a virtual machine's configuration needs: privileges that depend on
//! what a spec changes. The source is the text of `ReconfigVM_Task` and
//! `CreateVM_Task` in the API reference; changes that it does not name count as
//! settings.

use std::collections::BTreeSet;

use super::needs::datastore_of;
use crate::inventory::Snapshot;
use crate::path;
use crate::schema::{StaticPath, ty};
use crate::value::{MoRef, Object, Value};

/// What a spec needs, and where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wants {
    /// On the machine, or on the folder in which one is created.
    pub(super) machine: BTreeSet<&'static str>,
    /// `Datastore.AllocateSpace` on these.
    pub(super) allocate: BTreeSet<MoRef>,
    /// `Network.Assign` on these.
    pub(super) assign: BTreeSet<MoRef>,
}

macro_rules! fields {
    ($($name:literal => $privilege:literal),+ $(,)?) => {
        &[$((path!(VirtualMachineConfigSpec, $name), concat!("VirtualMachine.Config.", $privilege))),+]
    };
}

/// Fields whose presence is a change of their own kind.
const FIELDS: &[(&StaticPath, &str)] = fields![
    "annotation" => "Annotation",
    "numCPUs" => "CPUCount",
    "numCoresPerSocket" => "CPUCount",
    "memoryMB" => "Memory",
    "cpuAllocation" => "Resource",
    "memoryAllocation" => "Resource",
    "latencySensitivity" => "Resource",
    "cpuAffinity" => "Resource",
    "memoryAffinity" => "Resource",
    "networkShaper" => "Resource",
    "memoryReservationLockedToMax" => "Resource",
    "extraConfig" => "AdvancedConfig",
    "swapPlacement" => "SwapPlacement",
    "changeTrackingEnabled" => "ChangeTracking",
    "maxMksConnections" => "MksControl",
    "guestAutoLockEnabled" => "MksControl",
    "managedBy" => "ManagedBy",
    "version" => "Settings",
    "uuid" => "Settings",
    "instanceUuid" => "Settings",
    "guestId" => "Settings",
    "alternateGuestName" => "Settings",
    "files" => "Settings",
    "tools" => "Settings",
    "flags" => "Settings",
    "consolePreferences" => "Settings",
    "powerOpInfo" => "Settings",
    "memoryHotAddEnabled" => "Settings",
    "cpuHotAddEnabled" => "Settings",
    "cpuHotRemoveEnabled" => "Settings",
    "cpuFeatureMask" => "Settings",
    "bootOptions" => "Settings",
    "firmware" => "Settings",
    "nestedHVEnabled" => "Settings",
    "vPMCEnabled" => "Settings",
    "vAppConfig" => "Settings",
    "vAppConfigRemoved" => "Settings",
];

/// Fields that count for a machine that is being created.
const ON_CREATION: &[(&StaticPath, &str)] = fields![
    "extraConfig" => "AdvancedConfig",
    "swapPlacement" => "SwapPlacement",
    "changeTrackingEnabled" => "ChangeTracking",
];

/// What reconfiguring `machine` as `spec` says needs.
pub(super) fn to_reconfigure(state: &Snapshot, machine: &Object, spec: &Object) -> Wants {
    let mut wants = Wants::default();
    let name = spec.at(path!(VirtualMachineConfigSpec, "name"));
    if name.is_some_and(|name| Some(name) != machine.at(path!(VirtualMachine, "name"))) {
        wants.machine.insert("VirtualMachine.Config.Rename");
    }
    set_fields(spec, FIELDS, &mut wants);
    encryption(spec, false, &mut wants);
    let devices = machine.at(path!(VirtualMachine, "config.hardware.device"));
    let devices = devices.map(Value::items).unwrap_or_default();
    for change in changes(spec.at(path!(VirtualMachineConfigSpec, "deviceChange"))) {
        let Some(device) = device(change) else { continue };
        let key = device.at(path!(VirtualDevice, "key"));
        let now = devices
            .iter()
            .filter_map(Value::as_object)
            .find(|held| held.at(path!(VirtualDevice, "key")) == key);
        match operation(change) {
            "add" => add(state, change, device, true, &mut wants),
            "remove" => remove(device, &mut wants),
            _ => edit(state, device, now, &mut wants),
        }
    }
    wants
}

/// What creating a machine as `spec` says needs.
pub(super) fn to_create(state: &Snapshot, spec: &Object) -> Wants {
    let mut wants = Wants::default();
    set_fields(spec, ON_CREATION, &mut wants);
    encryption(spec, true, &mut wants);
    let home = spec.at(path!(VirtualMachineConfigSpec, "files.vmPathName"));
    wants.allocate.extend(home.and_then(Value::as_str).and_then(|path| datastore_of(state, path)));
    for change in changes(spec.at(path!(VirtualMachineConfigSpec, "deviceChange"))) {
        if let Some(device) = device(change) {
            add(state, change, device, false, &mut wants);
        }
    }
    wants
}

/// The privilege that a change of encryption needs, by the text of each spec in
/// the API reference; `is_new` is said of what is being made.
pub(super) fn crypto(spec: Option<&Value>, is_new: bool) -> Option<&'static str> {
    let of = spec?.as_object()?.ty();
    let is = |ty| of.is_a(ty);
    if is(ty::CryptoSpecEncrypt) {
        Some(if is_new { "Cryptographer.EncryptNew" } else { "Cryptographer.Encrypt" })
    } else if is(ty::CryptoSpecDecrypt) {
        Some("Cryptographer.Decrypt")
    } else if is(ty::CryptoSpecDeepRecrypt) || is(ty::CryptoSpecShallowRecrypt) {
        Some("Cryptographer.Recrypt")
    } else if is(ty::CryptoSpecRegister) {
        Some("Cryptographer.RegisterVM")
    } else {
        None
    }
}

/// The privileges for the encryption that a spec and its device changes ask for.
fn encryption(spec: &Object, is_new: bool, wants: &mut Wants) {
    let own = spec.at(path!(VirtualMachineConfigSpec, "crypto"));
    wants.machine.extend(crypto(own, is_new));
    for change in changes(spec.at(path!(VirtualMachineConfigSpec, "deviceChange"))) {
        let disk = change.at(path!(VirtualDeviceConfigSpec, "backing.crypto"));
        let is_new = change.at(path!(VirtualDeviceConfigSpec, "fileOperation")).is_some();
        wants.machine.extend(crypto(disk, is_new));
        if is_new && crypto(disk, true).is_some() {
            wants.machine.insert("Cryptographer.AddDisk");
        }
    }
}

/// The networks that device changes connect a machine to.
pub(super) fn networks(list: Option<&Value>) -> BTreeSet<MoRef> {
    changes(list).filter_map(device).filter_map(network).collect()
}

fn set_fields(spec: &Object, fields: &[(&StaticPath, &'static str)], wants: &mut Wants) {
    for (path, privilege) in fields {
        if spec.at(path).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty())) {
            wants.machine.insert(privilege);
        }
    }
}

fn changes(list: Option<&Value>) -> impl Iterator<Item = &Object> {
    list.map(Value::items).unwrap_or_default().iter().filter_map(Value::as_object)
}

fn device(change: &Object) -> Option<&Object> {
    change.at(path!(VirtualDeviceConfigSpec, "device")).and_then(Value::as_object)
}

fn operation(change: &Object) -> &str {
    let operation = change.at(path!(VirtualDeviceConfigSpec, "operation"));
    operation.and_then(Value::as_str).unwrap_or("edit")
}

fn backing(device: &Object) -> Option<&Object> {
    device.at(path!(VirtualDevice, "backing")).and_then(Value::as_object)
}

/// A raw device mapping, or a SCSI device that is passed through.
fn is_raw(device: &Object) -> bool {
    let raw = [
        ty::VirtualDiskRawDiskMappingVer1BackingInfo,
        ty::VirtualDiskRawDiskVer2BackingInfo,
        ty::VirtualDiskPartitionedRawDiskVer2BackingInfo,
    ];
    device.ty().is_a(ty::VirtualSCSIPassthrough)
        || backing(device).is_some_and(|backing| raw.iter().any(|ty| backing.ty().is_a(*ty)))
}

/// The privilege for adding, removing and editing devices of some kinds alike.
fn special(device: &Object) -> Option<&'static str> {
    if is_raw(device) {
        Some("VirtualMachine.Config.RawDevice")
    } else if device.ty().is_a(ty::VirtualUSB) {
        Some("VirtualMachine.Config.HostUSBDevice")
    } else {
        None
    }
}

fn add(state: &Snapshot, change: &Object, device: &Object, to_existing: bool, wants: &mut Wants) {
    let creates_file = change.at(path!(VirtualDeviceConfigSpec, "fileOperation")).is_some();
    let is_disk = device.ty().is_a(ty::VirtualDisk);
    if let Some(privilege) = special(device) {
        wants.machine.insert(privilege);
    } else if is_disk && creates_file {
        wants.machine.insert("VirtualMachine.Config.AddNewDisk");
    } else if is_disk {
        wants.machine.insert("VirtualMachine.Config.AddExistingDisk");
    } else if to_existing {
        wants.machine.insert("VirtualMachine.Config.AddRemoveDevice");
    }
    if is_disk && creates_file {
        wants.allocate.extend(file_datastore(state, device));
    }
    wants.assign.extend(network(device));
}

fn remove(device: &Object, wants: &mut Wants) {
    wants.machine.insert(match special(device) {
        Some(privilege) => privilege,
        None if device.ty().is_a(ty::VirtualDisk) => "VirtualMachine.Config.RemoveDisk",
        None => "VirtualMachine.Config.AddRemoveDevice",
    });
}

fn edit(state: &Snapshot, device: &Object, now: Option<&Object>, wants: &mut Wants) {
    if let Some(privilege) = special(device) {
        wants.machine.insert(privilege);
        return;
    }
    let differs = |path: &StaticPath| {
        let new = device.at(path);
        new.is_some() && new != now.and_then(|now| now.at(path))
    };
    let size = |device: Option<&Object>| {
        let size = device.and_then(|device| device.at(path!(VirtualDisk, "capacityInKB")));
        size.and_then(Value::as_i64).unwrap_or_default()
    };
    let mut known = false;
    let mut want = |privilege| {
        known = true;
        wants.machine.insert(privilege);
    };
    if differs(path!(VirtualDevice, "connectable")) {
        want("VirtualMachine.Interact.DeviceConnection");
    }
    let new_backing = differs(path!(VirtualDevice, "backing"));
    if device.ty().is_a(ty::VirtualCdrom) && new_backing {
        want("VirtualMachine.Interact.SetCDMedia");
    } else if device.ty().is_a(ty::VirtualFloppy) && new_backing {
        want("VirtualMachine.Interact.SetFloppyMedia");
    } else if device.ty().is_a(ty::VirtualDisk) && size(Some(device)) > size(now) {
        want("VirtualMachine.Config.DiskExtend");
        wants.allocate.extend(file_datastore(state, now.unwrap_or(device)));
    } else if new_backing {
        want("VirtualMachine.Config.EditDevice");
        wants.assign.extend(network(device));
    }
    if !known {
        wants.machine.insert("VirtualMachine.Config.EditDevice");
    }
}

fn file_datastore(state: &Snapshot, device: &Object) -> Option<MoRef> {
    let backing = backing(device).filter(|it| it.ty().is_a(ty::VirtualDeviceFileBackingInfo))?;
    let named = backing.at(path!(VirtualDeviceFileBackingInfo, "datastore"));
    named.and_then(Value::as_moref).cloned().or_else(|| {
        let file = backing.at(path!(VirtualDeviceFileBackingInfo, "fileName"));
        file.and_then(Value::as_str).and_then(|path| datastore_of(state, path))
    })
}

fn network(device: &Object) -> Option<MoRef> {
    let backing = backing(device)?;
    if backing.ty().is_a(ty::VirtualEthernetCardNetworkBackingInfo) {
        let network = backing.at(path!(VirtualEthernetCardNetworkBackingInfo, "network"));
        network.and_then(Value::as_moref).cloned()
    } else if backing.ty().is_a(ty::VirtualEthernetCardDistributedVirtualPortBackingInfo) {
        let path = path!(VirtualEthernetCardDistributedVirtualPortBackingInfo, "port.portgroupKey");
        let key = backing.at(path).and_then(Value::as_str)?;
        Some(MoRef::new(ty::DistributedVirtualPortgroup, key))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;

    fn disk(file: &str, kilobytes: i64) -> Object {
        object!(VirtualDisk {
            key: 2000,
            backing: object!(VirtualDiskFlatVer2BackingInfo {
                fileName: file,
                diskMode: "persistent",
                datastore: MoRef::new(ty::Datastore, "datastore-1"),
            }),
            capacityInKB: kilobytes,
        })
    }

    fn change(operation: &str, file: Option<&str>, device: Object) -> Object {
        object!(VirtualDeviceConfigSpec {
            operation: operation,
            fileOperation: file,
            device: device,
        })
    }

    fn card(network: &str) -> Object {
        object!(VirtualVmxnet3 {
            key: 4000,
            backing: object!(VirtualEthernetCardNetworkBackingInfo {
                deviceName: network,
                network: MoRef::new(ty::Network, network),
            }),
        })
    }

    fn machine() -> Object {
        let hardware = object!(VirtualHardware {
            numCPU: 1,
            memoryMB: 32,
            device: vec![disk("[a] vm/vm.vmdk", 1024), card("network-1")],
        });
        object!(VirtualMachine {
            name: "vm",
            config: object!(VirtualMachineConfigInfo { name: "vm", hardware: hardware }),
        })
    }

    fn reconfigure(spec: &Object) -> Wants {
        to_reconfigure(&Snapshot::empty(), &machine(), spec)
    }

    fn of_change(operation: &str, file: Option<&str>, device: Object) -> Wants {
        let changes = vec![change(operation, file, device)];
        reconfigure(&object!(VirtualMachineConfigSpec { deviceChange: changes }))
    }

    #[test]
    fn each_kind_of_change_has_its_privilege() {
        let wants = reconfigure(&object!(VirtualMachineConfigSpec {
            name: "other",
            numCPUs: 4,
            annotation: "text",
            extraConfig: vec![object!(OptionValue { key: "a", value: Value::from("b") })],
        }));
        let expected = [
            "VirtualMachine.Config.AdvancedConfig",
            "VirtualMachine.Config.Annotation",
            "VirtualMachine.Config.CPUCount",
            "VirtualMachine.Config.Rename",
        ];
        assert_eq!(wants.machine.iter().copied().collect::<Vec<_>>(), expected);
        assert!(reconfigure(&object!(VirtualMachineConfigSpec { name: "vm" })).machine.is_empty());
    }

    #[test]
    fn disks_are_added_removed_and_extended_each_in_its_way() {
        let only = |wants: Wants| wants.machine.into_iter().collect::<Vec<_>>();
        let store = BTreeSet::from([MoRef::new(ty::Datastore, "datastore-1")]);
        let new = of_change("add", Some("create"), disk("", 10));
        assert_eq!(new.allocate, store);
        assert_eq!(only(new), ["VirtualMachine.Config.AddNewDisk"]);
        let old = of_change("add", None, disk("[a] other.vmdk", 10));
        assert!(old.allocate.is_empty());
        assert_eq!(only(old), ["VirtualMachine.Config.AddExistingDisk"]);
        assert_eq!(
            only(of_change("remove", None, disk("", 10))),
            ["VirtualMachine.Config.RemoveDisk"]
        );
        let larger = of_change("edit", None, disk("[a] vm/vm.vmdk", 2048));
        assert_eq!(larger.allocate, store);
        assert_eq!(only(larger), ["VirtualMachine.Config.DiskExtend"]);
        let other = of_change("edit", None, disk("[a] other.vmdk", 1024));
        assert_eq!(only(other), ["VirtualMachine.Config.EditDevice"]);
    }

    #[test]
    fn encryption_needs_a_cryptographer() {
        let key = object!(CryptoKeyId { keyId: "k" });
        let spec = object!(VirtualMachineConfigSpec {
            crypto: object!(CryptoSpecEncrypt { cryptoKeyId: &key }),
            deviceChange: vec![object!(VirtualDeviceConfigSpec {
                operation: "add",
                fileOperation: "create",
                device: disk("", 10),
                backing: object!(VirtualDeviceConfigSpecBackingSpec {
                    crypto: object!(CryptoSpecEncrypt { cryptoKeyId: &key }),
                }),
            })],
        });
        let of = |wants: Wants| {
            let all = wants.machine.into_iter();
            all.filter(|it| it.starts_with("Cryptographer")).collect::<Vec<_>>()
        };
        let (new, add) = ("Cryptographer.EncryptNew", "Cryptographer.AddDisk");
        assert_eq!(of(reconfigure(&spec)), [add, "Cryptographer.Encrypt", new]);
        assert_eq!(of(to_create(&Snapshot::empty(), &spec)), [add, new]);
        let again = object!(CryptoSpecDeepRecrypt { newKeyId: &key });
        let spec = object!(VirtualMachineConfigSpec { crypto: again });
        assert_eq!(of(reconfigure(&spec)), ["Cryptographer.Recrypt"]);
        let none = object!(VirtualMachineConfigSpec { crypto: object!(CryptoSpecNoOp {}) });
        assert!(of(reconfigure(&none)).is_empty());
    }

    #[test]
    fn a_card_needs_its_new_network_and_only_that() {
        let same = of_change("edit", None, card("network-1"));
        assert!(same.assign.is_empty());
        let other = of_change("edit", None, card("network-2"));
        assert_eq!(other.assign, BTreeSet::from([MoRef::new(ty::Network, "network-2")]));
    }
}
