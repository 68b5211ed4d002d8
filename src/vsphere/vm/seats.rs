//! Where a virtual device sits: the controllers of the virtual hardware, how
//! many units each has, and the keys that follow from bus and unit.

use crate::schema::{Type, ty};
use crate::value::{Object, Value};
use crate::vsphere::model::device::capacity_text;
use crate::{path, schema::StaticPath};

/// A kind of controller and what can be attached to it.
#[derive(Debug)]
pub(super) struct Bus {
    /// The controller's type or base type.
    pub(super) controller: Type,
    /// The key of the controller with bus number 0.
    pub(super) first_key: i32,
    /// How many of them a machine can have.
    pub(super) most: i32,
    /// How many units one has.
    pub(super) units: i32,
    /// The unit that the controller takes for itself.
    pub(super) reserved: Option<i32>,
    /// The key of the device at unit 0 of bus 0.
    pub(super) device_key: i32,
}

const BUSES: [Bus; 4] = [
    Bus {
        controller: ty::VirtualIDEController,
        first_key: 200,
        most: 2,
        units: 2,
        reserved: None,
        device_key: 3000,
    },
    Bus {
        controller: ty::VirtualSCSIController,
        first_key: 1000,
        most: 4,
        units: 16,
        reserved: Some(7),
        device_key: 2000,
    },
    Bus {
        controller: ty::VirtualSATAController,
        first_key: 15000,
        most: 4,
        units: 30,
        reserved: None,
        device_key: 16000,
    },
    Bus {
        controller: ty::VirtualNVMEController,
        first_key: 31000,
        most: 4,
        units: 15,
        reserved: None,
        device_key: 32000,
    },
];

/// What a controller of type `controller` offers to disks and drives; nothing
/// for controllers that take neither.
pub(super) fn bus_of(controller: Type) -> Option<&'static Bus> {
    BUSES.iter().find(|bus| controller.is_a(bus.controller))
}

/// A kind of device that does not hang on a bus of [`BUSES`]: its keys follow
/// one another, and so do its units on a controller that every machine has.
#[derive(Debug)]
pub(super) struct Row {
    /// The device's type or base type.
    pub(super) device: Type,
    /// The key of the first one.
    pub(super) first_key: i32,
    /// How many a machine can have.
    pub(super) most: i32,
    /// The key of the controller.
    pub(super) controller: i32,
    /// The unit of the first one, where units are given out.
    pub(super) first_unit: Option<i32>,
}

const fn row(
    device: Type,
    first_key: i32,
    most: i32,
    controller: i32,
    first_unit: Option<i32>,
) -> Row {
    Row { device, first_key, most, controller, first_unit }
}

const ROWS: [Row; 17] = [
    row(ty::VirtualEthernetCard, 4000, 10, 100, Some(7)),
    row(ty::VirtualSoundCard, 5000, 1, 100, Some(40)),
    row(ty::VirtualUSBController, 7000, 1, 100, Some(22)),
    row(ty::VirtualUSBXHCIController, 14000, 1, 100, Some(23)),
    row(ty::VirtualPCIPassthrough, 13000, 16, 100, Some(41)),
    row(ty::VirtualMachineVMCIDevice, 12000, 1, 100, Some(17)),
    row(ty::VirtualMachineVideoCard, 500, 1, 100, Some(0)),
    row(ty::VirtualTPM, 11000, 1, 100, None),
    row(ty::VirtualWDT, 18000, 1, 100, Some(60)),
    row(ty::VirtualPrecisionClock, 19000, 1, 100, None),
    row(ty::VirtualNVDIMMController, 35000, 1, 100, None),
    row(ty::VirtualFloppy, 8000, 2, 400, Some(0)),
    row(ty::VirtualSerialPort, 9000, 32, 400, Some(0)),
    row(ty::VirtualParallelPort, 10000, 3, 400, Some(0)),
    row(ty::VirtualKeyboard, 600, 1, 300, Some(0)),
    row(ty::VirtualPointingDevice, 700, 1, 300, Some(1)),
    row(ty::VirtualUSB, 17000, 20, 7000, Some(0)),
];

/// The row that devices of type `device` stand in; nothing for those that hang on a bus.
pub(super) fn row_of(device: Type) -> Option<&'static Row> {
    ROWS.iter().find(|row| device.is_a(row.device))
}

/// Whether the device belongs to the virtual mainboard and cannot be removed.
pub(super) fn is_fixed(device: Type) -> bool {
    [
        ty::VirtualIDEController,
        ty::VirtualPS2Controller,
        ty::VirtualPCIController,
        ty::VirtualSIOController,
        ty::VirtualKeyboard,
        ty::VirtualPointingDevice,
        ty::VirtualMachineVideoCard,
        ty::VirtualMachineVMCIDevice,
    ]
    .into_iter()
    .any(|fixed| device.is_a(fixed))
}

/// Whether disks and drives hang on a controller of a [`Bus`].
pub(super) fn is_on_bus(device: Type) -> bool {
    device.is_a(ty::VirtualDisk)
        || device.is_a(ty::VirtualCdrom)
        || device.is_a(ty::VirtualSCSIPassthrough)
}

/// Whether a device can come and go while the machine runs.
pub(super) fn is_hot_pluggable(device: Type, controller: Option<Type>) -> bool {
    if is_on_bus(device) {
        return controller.is_some_and(|on| !on.is_a(ty::VirtualIDEController));
    }
    [
        ty::VirtualEthernetCard,
        ty::VirtualSCSIController,
        ty::VirtualSATAController,
        ty::VirtualNVMEController,
        ty::VirtualUSBController,
        ty::VirtualUSBXHCIController,
        ty::VirtualUSB,
    ]
    .into_iter()
    .any(|pluggable| device.is_a(pluggable))
}

/// The value at `path` if `object` is of the type that the path starts at;
/// devices are looked at through paths of types they may not be.
pub(super) fn at<'o>(object: &'o Object, path: &StaticPath) -> Option<&'o Value> {
    if object.ty().is_a(path.root()) { object.at(path) } else { None }
}

/// The text at `path`; empty when there is none.
pub(super) fn text<'o>(object: &'o Object, path: &StaticPath) -> &'o str {
    at(object, path).and_then(Value::as_str).unwrap_or_default()
}

/// The number at `path`, if it is set.
pub(super) fn number(object: &Object, path: &StaticPath) -> Option<i64> {
    at(object, path).and_then(Value::as_i64)
}

/// A controller's bus number.
pub(super) fn bus_number(controller: &Object) -> i32 {
    at(controller, path!(VirtualController, "busNumber"))
        .and_then(Value::as_i32)
        .unwrap_or_default()
}

/// The name and the summary that people see of a device; `ordinal` counts the
/// devices of its kind from zero.
pub(super) fn description(device: &Object, ordinal: i32) -> (String, String) {
    let of = device.ty();
    let one = ordinal + 1;
    let same = |text: &str| (format!("{text} {ordinal}"), format!("{text} {ordinal}"));
    if of.is_a(ty::VirtualDisk) {
        let kilobytes = number(device, path!(VirtualDisk, "capacityInKB")).unwrap_or_default();
        return (format!("Hard disk {one}"), capacity_text(kilobytes));
    }
    if of.is_a(ty::VirtualEthernetCard) {
        return (format!("Network adapter {one}"), String::new());
    }
    let scsi = [
        (ty::ParaVirtualSCSIController, "VMware paravirtual SCSI"),
        (ty::VirtualLsiLogicSASController, "LSI Logic SAS"),
        (ty::VirtualLsiLogicController, "LSI Logic"),
        (ty::VirtualBusLogicController, "BusLogic"),
    ];
    if let Some((_, summary)) = scsi.iter().find(|(ty, _)| of.is_a(*ty)) {
        return (format!("SCSI controller {ordinal}"), (*summary).to_owned());
    }
    let numbered_from_one = [
        (ty::VirtualCdrom, "CD/DVD drive", "Remote device"),
        (ty::VirtualFloppy, "Floppy drive", "Remote device"),
        (ty::VirtualSerialPort, "Serial port", "Remote device"),
        (ty::VirtualParallelPort, "Parallel port", "Remote device"),
        (ty::VirtualUSB, "USB", "Remote device"),
    ];
    if let Some((_, label, summary)) = numbered_from_one.iter().find(|(ty, ..)| of.is_a(*ty)) {
        let backing = at(device, path!(VirtualDevice, "backing")).and_then(Value::as_object);
        return (format!("{label} {one}"), backing_summary(backing).unwrap_or((*summary).into()));
    }
    if of.is_a(ty::VirtualIDEController) {
        return same("IDE");
    }
    if of.is_a(ty::VirtualPCIPassthrough) {
        return (format!("PCI device {ordinal}"), String::new());
    }
    let named = [
        (ty::VirtualAHCIController, "SATA controller", "AHCI"),
        (ty::VirtualSATAController, "SATA controller", "SATA"),
        (ty::VirtualNVMEController, "NVME controller", "NVME controller"),
        (ty::VirtualNVDIMMController, "NVDIMM controller", "NVDIMM controller"),
        (ty::VirtualPS2Controller, "PS2 controller", "PS2 controller"),
        (ty::VirtualPCIController, "PCI controller", "PCI controller"),
        (ty::VirtualSIOController, "SIO controller", "SIO controller"),
    ];
    if let Some((_, label, summary)) = named.iter().find(|(ty, ..)| of.is_a(*ty)) {
        return (format!("{label} {ordinal}"), format!("{summary} {ordinal}"));
    }
    let single = [
        (ty::VirtualKeyboard, "Keyboard ", "Keyboard"),
        (ty::VirtualPointingDevice, "Pointing device", "Pointing device; Device"),
        (ty::VirtualMachineVideoCard, "Video card ", "Video card"),
        (
            ty::VirtualMachineVMCIDevice,
            "VMCI device",
            "Device on the virtual machine PCI bus that provides support for the virtual machine \
             communication interface",
        ),
        (ty::VirtualUSBXHCIController, "USB xHCI controller ", "USB xHCI controller"),
        (ty::VirtualUSBController, "USB controller", "Auto connect Disabled"),
        (ty::VirtualSoundCard, "Sound card ", "Default playback device"),
        (ty::VirtualTPM, "Virtual TPM", "Trusted Platform Module"),
        (ty::VirtualWDT, "Watchdog timer", "Virtual watchdog timer"),
        (ty::VirtualPrecisionClock, "Precision clock", "Precision clock"),
    ];
    let found = single.iter().find(|(ty, ..)| of.is_a(*ty));
    found.map_or_else(
        || (of.name().to_owned(), of.name().to_owned()),
        |(_, label, summary)| ((*label).to_owned(), (*summary).to_owned()),
    )
}

/// The file behind a device; empty when there is none.
pub(super) fn file(device: &Object) -> &str {
    at(device, path!(VirtualDevice, "backing"))
        .and_then(Value::as_object)
        .map(|backing| text(backing, path!(VirtualDeviceFileBackingInfo, "fileName")))
        .unwrap_or_default()
}

fn backing_summary(backing: Option<&Object>) -> Option<String> {
    let backing = backing?;
    let file = text(backing, path!(VirtualDeviceFileBackingInfo, "fileName"));
    let device = text(backing, path!(VirtualDeviceDeviceBackingInfo, "deviceName"));
    let remote = text(backing, path!(VirtualDeviceRemoteDeviceBackingInfo, "deviceName"));
    match (file, device, remote) {
        ("", "", "") => None,
        ("", "", remote) => Some(format!("Remote {remote}")),
        ("", device, _) => Some(device.to_owned()),
        (file, ..) if file.ends_with(".iso") => Some(format!("ISO {file}")),
        (file, ..) => Some(format!("File {file}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_can_be_plugged_into_a_running_machine_but_not_on_ide() {
        assert!(is_hot_pluggable(ty::VirtualDisk, Some(ty::ParaVirtualSCSIController)));
        assert!(!is_hot_pluggable(ty::VirtualDisk, Some(ty::VirtualIDEController)));
        assert!(is_hot_pluggable(ty::VirtualVmxnet3, None));
        assert!(!is_hot_pluggable(ty::VirtualFloppy, None));
    }
}
