//! Virtual devices: how they are numbered, labelled and backed.
//!
//! vSphere numbers a device by what it is and where it sits: 1000 is the first
//! SCSI controller, 2000 + 16 × bus + unit a disk on it, 4000 the first network
//! adapter. Clients rely on these numbers, so every device made here has them.

use crate::inventory::Read;
use crate::schema::{Type, ty};
use crate::value::{Array, MoRef, Object, Str, Value};
use crate::{object, path};

/// The PCI controller that network adapters, SCSI controllers and others sit on.
pub const PCI: i32 = 100;
/// The first IDE controller; the second follows.
pub const IDE: i32 = 200;
/// The first SCSI controller.
pub const SCSI: i32 = 1000;
/// The unit of a SCSI bus that the controller itself has.
pub const SCSI_OWN_UNIT: i32 = 7;
/// The first network adapter.
pub const NIC: i32 = 4000;
/// The PCI unit of the first network adapter.
pub const NIC_UNIT: i32 = 7;

/// The key of a device.
pub fn key(device: &Object) -> i32 {
    number(device, "key").unwrap_or_default()
}

/// The key of the controller that a device sits on.
pub fn controller_key(device: &Object) -> Option<i32> {
    number(device, "controllerKey")
}

/// The place of a device on its controller.
pub fn unit_number(device: &Object) -> Option<i32> {
    number(device, "unitNumber")
}

fn number(device: &Object, field: &str) -> Option<i32> {
    device.field(field).and_then(Value::as_i32)
}

/// The devices of a configuration (`VirtualMachineConfigInfo`).
pub fn devices(config: &Object) -> &[Value] {
    config.at(path!(VirtualMachineConfigInfo, "hardware.device")).map_or(&[], Value::items)
}

/// The devices of a configuration that are a `ty`.
pub fn of_type(config: &Object, ty: Type) -> impl Iterator<Item = &Object> {
    devices(config).iter().filter_map(Value::as_object).filter(move |device| device.ty().is_a(ty))
}

/// The shares that a level stands for: of disks 1000, of network adapters 50.
pub fn shares(level: &str, normal: i32) -> Object {
    let shares = match level {
        "low" => normal / 2,
        "high" => normal * 2,
        _ => normal,
    };
    object!(SharesInfo { shares: shares, level: level })
}

/// A paravirtual SCSI controller on bus `bus`.
pub fn scsi_controller(bus: i32) -> Object {
    object!(ParaVirtualSCSIController {
        key: SCSI + bus,
        deviceInfo: description(&format!("SCSI controller {bus}"), "VMware paravirtual SCSI"),
        controllerKey: PCI,
        unitNumber: 3 + bus,
        busNumber: bus,
        device: Vec::<i32>::new(),
        hotAddRemove: true,
        sharedBus: "noSharing",
        scsiCtlrUnitNumber: SCSI_OWN_UNIT,
    })
}

/// A file that holds the whole of a disk.
pub fn flat_backing(file: &str, datastore: Option<&MoRef>, thin: bool, uuid: &str) -> Object {
    object!(VirtualDiskFlatVer2BackingInfo {
        fileName: file,
        datastore: datastore,
        diskMode: "persistent",
        split: false,
        writeThrough: false,
        thinProvisioned: thin,
        eagerlyScrub: false,
        uuid: uuid,
        digestEnabled: false,
        sharing: "sharingNone",
    })
}

/// A disk of `capacity` bytes at a place on a SCSI bus, the `ordinal`-th of its machine.
pub fn disk(ordinal: usize, bus: i32, unit: i32, capacity: i64, backing: Object) -> Object {
    object!(VirtualDisk {
        key: disk_key(bus, unit),
        deviceInfo: description(&disk_label(ordinal), &capacity_text(capacity / 1024)),
        backing: backing,
        controllerKey: SCSI + bus,
        unitNumber: unit,
        capacityInKB: capacity / 1024,
        capacityInBytes: capacity,
        shares: shares("normal", 1000),
        storageIOAllocation: object!(StorageIOAllocationInfo {
            limit: -1_i64,
            shares: shares("normal", 1000),
            reservation: 0,
        }),
        nativeUnmanagedLinkedClone: false,
        guestReadOnly: false,
    })
}

/// The key of the disk at a place on a SCSI bus.
pub fn disk_key(bus: i32, unit: i32) -> i32 {
    2000 + 16 * bus + unit
}

/// A CD drive without a disc, on the first IDE controller.
pub fn cdrom() -> Object {
    object!(VirtualCdrom {
        key: 3000,
        deviceInfo: description("CD/DVD drive 1", "Remote device"),
        backing: object!(VirtualCdromRemotePassthroughBackingInfo {
            deviceName: "",
            useAutoDetect: false,
            exclusive: false,
        }),
        connectable: object!(VirtualDeviceConnectInfo {
            startConnected: false,
            allowGuestControl: true,
            connected: false,
            status: "untried",
        }),
        controllerKey: IDE,
        unitNumber: 0,
    })
}

/// The `index`-th network adapter (from zero), a vmxnet3.
pub fn nic(index: i32, backing: Object, summary: &str, mac: &str, connected: bool) -> Object {
    object!(VirtualVmxnet3 {
        key: NIC + index,
        deviceInfo: description(&nic_label(index), summary),
        backing: backing,
        connectable: connectable(connected),
        slotInfo: object!(VirtualDevicePciBusSlotInfo { pciSlotNumber: 192 + 32 * index }),
        controllerKey: PCI,
        unitNumber: NIC_UNIT + index,
        addressType: "assigned",
        macAddress: mac,
        wakeOnLanEnabled: true,
        resourceAllocation: object!(VirtualEthernetCardResourceAllocation {
            reservation: 0,
            share: shares("normal", 50),
            limit: -1_i64,
        }),
        uptCompatibilityEnabled: true,
    })
}

/// How a removable device is connected while its machine is on or off.
pub fn connectable(connected: bool) -> Object {
    object!(VirtualDeviceConnectInfo {
        migrateConnect: "unset",
        startConnected: true,
        allowGuestControl: true,
        connected: connected,
        status: if connected { "ok" } else { "untried" },
    })
}

/// The backing that connects an adapter to `network`, and what its summary says.
pub fn network_backing(read: &impl Read, network: &MoRef) -> (Object, String) {
    let name = read.text(network, path!(Network, "name"));
    if network.ty().is_a(ty::DistributedVirtualPortgroup) {
        let switch = read
            .moref(network, path!(DistributedVirtualPortgroup, "config.distributedVirtualSwitch"));
        let uuid =
            switch.map_or("", |switch| read.text(switch, path!(DistributedVirtualSwitch, "uuid")));
        let port = object!(DistributedVirtualSwitchPortConnection {
            switchUuid: uuid,
            portgroupKey: network.id(),
        });
        let backing = object!(VirtualEthernetCardDistributedVirtualPortBackingInfo { port: port });
        return (backing, format!("DVSwitch: {uuid}"));
    }
    if network.ty().is_a(ty::OpaqueNetwork) {
        let summary = read.at(network, path!(Network, "summary")).and_then(Value::as_object);
        let text = |field| {
            summary.and_then(|s| s.field(field)).and_then(Value::as_str).unwrap_or_default()
        };
        let (id, kind) = (text("opaqueNetworkId"), text("opaqueNetworkType"));
        let backing = object!(VirtualEthernetCardOpaqueNetworkBackingInfo {
            opaqueNetworkId: id,
            opaqueNetworkType: kind,
        });
        return (backing, format!("{kind}: {id}"));
    }
    let backing = object!(VirtualEthernetCardNetworkBackingInfo {
        deviceName: name,
        useAutoDetect: false,
        network: network,
    });
    (backing, name.to_owned())
}

/// The label of the `ordinal`-th disk.
pub fn disk_label(ordinal: usize) -> String {
    format!("Hard disk {ordinal}")
}

/// The label of the adapter with `index`, from zero.
pub fn nic_label(index: i32) -> String {
    format!("Network adapter {}", index + 1)
}

/// A capacity as summaries of disks have it: `10,485,760 KB`.
pub fn capacity_text(kilobytes: i64) -> String {
    let digits = kilobytes.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + " KB"
}

fn description(label: &str, summary: &str) -> Object {
    object!(Description { label: label, summary: summary })
}

/// The devices with each controller's list of what sits on it made anew. This
/// is the only writer of those lists; devices that stay as they are are shared.
pub fn relink(devices: &[Value]) -> Vec<Value> {
    devices.iter().map(|device| relinked(device, devices)).collect()
}

fn relinked(device: &Value, devices: &[Value]) -> Value {
    let Some(object) = device.as_object().filter(|object| object.ty().is_a(ty::VirtualController))
    else {
        return device.clone();
    };
    let own = key(object);
    let on_it: Vec<Value> = devices
        .iter()
        .filter_map(Value::as_object)
        .filter(|other| controller_key(other) == Some(own))
        .map(|other| Value::Int(key(other)))
        .collect();
    let slot = const { ty::VirtualController.slot("device") };
    if object.get(slot).map_or(&[][..], Value::items) == on_it.as_slice()
        && object.get(slot).is_some()
    {
        return device.clone();
    }
    Value::Object(object.with(slot, Array::new(ty::INT, on_it)))
}

/// The file behind a disk or an ISO image, as `[datastore] path`.
pub fn file(device: &Object) -> Option<&Str> {
    let backing = device.field("backing")?.as_object()?;
    match backing.field("fileName")? {
        Value::String(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_list_what_sits_on_them() {
        let backing = flat_backing("[a] b/b.vmdk", None, true, "u");
        let devices =
            [Value::from(scsi_controller(0)), Value::from(disk(1, 0, 0, 1 << 30, backing))];
        let linked = relink(&devices);
        let on_it = linked[0].as_object().and_then(|c| c.field("device")).map(Value::items);
        assert_eq!(on_it, Some(&[Value::Int(2000)][..]));
        assert!(linked[1].same(&devices[1]));
        assert!(relink(&linked)[0].same(&linked[0]), "nothing to change, nothing copied");
    }

    #[test]
    fn capacities_have_separators() {
        for (kilobytes, text) in [(0, "0 KB"), (999, "999 KB"), (10_485_760, "10,485,760 KB")] {
            assert_eq!(capacity_text(kilobytes), text);
        }
    }
}
