//! Devices that come, go and change.

use super::*;
use vimsim::object;

/// A disk in a file of its own, thick.
pub(crate) fn disk(key: i32, controller: i32, unit: Option<i32>, kilobytes: i64) -> Object {
    object!(VirtualDisk {
        key: key,
        backing: object!(VirtualDiskFlatVer2BackingInfo { fileName: "", diskMode: "persistent" }),
        controllerKey: controller,
        unitNumber: unit,
        capacityInKB: kilobytes,
    })
}

/// An adapter on the standard network.
pub(crate) fn card(key: i32) -> Object {
    object!(VirtualVmxnet3 {
        key: key,
        backing: object!(VirtualEthernetCardNetworkBackingInfo { deviceName: "VM Network" }),
    })
}

/// The file behind a disk.
pub(crate) fn file(disk: &Object) -> String {
    let backing = disk.at(path!(VirtualDevice, "backing")).and_then(Value::as_object);
    let file = backing.and_then(|it| it.at(path!(VirtualDeviceFileBackingInfo, "fileName")));
    file.and_then(Value::as_str).unwrap_or_default().to_owned()
}
