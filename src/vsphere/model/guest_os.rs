//! The guest operating systems that machines can be made for.

use std::sync::OnceLock;

use super::data::rows;
use crate::object;
use crate::value::{Object, Value};

/// A guest operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestOs {
    /// The id, as in `config.guestId`: `ubuntu64Guest`.
    pub id: &'static str,
    /// The family: `linuxGuest`.
    pub family: &'static str,
    /// Whether it needs a 64-bit processor.
    pub wide: bool,
    /// How much memory to give it, in megabytes.
    pub memory: i32,
    /// How large a disk to give it, in gigabytes.
    pub disk: i32,
    /// The name that people read.
    pub full_name: &'static str,
}

/// Every guest operating system, in the order of the schema's identifiers.
pub fn all() -> &'static [GuestOs] {
    static ALL: OnceLock<Vec<GuestOs>> = OnceLock::new();
    ALL.get_or_init(|| {
        rows(include_str!("data/guests.txt"))
            .map(|mut row| GuestOs {
                id: row.next(),
                family: row.next(),
                wide: row.next() == "64",
                memory: row.next().parse().unwrap_or_default(),
                disk: row.next().parse().unwrap_or_default(),
                full_name: row.next(),
            })
            .collect()
    })
}

/// The guest operating system with the id.
pub fn find(id: &str) -> Option<&'static GuestOs> {
    all().iter().find(|guest| guest.id == id)
}

/// The family of the guest operating system with the id; other when it is not known.
pub fn family(id: &str) -> &'static str {
    find(id).map_or("otherGuestFamily", |guest| guest.family)
}

impl GuestOs {
    /// What a hypervisor says of it.
    pub fn descriptor(&self) -> Object {
        let windows = self.family == "windowsGuest";
        let modern = self.wide;
        let disks = if modern { "ParaVirtualSCSIController" } else { "VirtualLsiLogicController" };
        let adapter = if modern { "VirtualVmxnet3" } else { "VirtualE1000" };
        let firmware = if windows && modern { "efi" } else { "bios" };
        object!(GuestOsDescriptor {
            id: self.id,
            family: self.family,
            fullName: self.full_name,
            supportedMaxCPUs: if modern { 768 } else { 64 },
            numSupportedPhysicalSockets: if modern { 768 } else { 64 },
            numSupportedCoresPerSocket: if modern { 768 } else { 64 },
            supportedMinMemMB: 4,
            supportedMaxMemMB: if modern { 25_165_824 } else { 65_536 },
            recommendedMemMB: self.memory,
            recommendedColorDepth: 24,
            supportedDiskControllerList: [
                "VirtualIDEController",
                "VirtualBusLogicController",
                "VirtualLsiLogicController",
                "VirtualLsiLogicSASController",
                "ParaVirtualSCSIController",
                "VirtualAHCIController",
                "VirtualNVMEController",
            ],
            recommendedSCSIController: disks,
            recommendedDiskController: disks,
            supportedNumDisks: 60,
            recommendedDiskSizeMB: self.disk * 1024,
            recommendedCdromController: if modern {
                "VirtualAHCIController"
            } else {
                "VirtualIDEController"
            },
            supportedEthernetCard: [
                "VirtualE1000",
                "VirtualE1000e",
                "VirtualVmxnet3",
                "VirtualPCNet32"
            ],
            recommendedEthernetCard: adapter,
            supportsSlaveDisk: true,
            cpuFeatureMask: Vec::<Value>::new(),
            smcRequired: self.family == "darwinGuestFamily",
            supportsWakeOnLan: true,
            supportsVMI: false,
            supportsMemoryHotAdd: modern,
            supportsCpuHotAdd: modern,
            supportsCpuHotRemove: false,
            supportedFirmware: ["bios", "efi"],
            recommendedFirmware: firmware,
            supportedUSBControllerList: ["VirtualUSBController", "VirtualUSBXHCIController"],
            recommendedUSBController: "VirtualUSBXHCIController",
            supports3D: modern,
            recommended3D: false,
            smcRecommended: self.family == "darwinGuestFamily",
            ich7mRecommended: self.family == "darwinGuestFamily",
            usbRecommended: false,
            supportLevel: "supported",
            supportedForCreate: true,
            vRAMSizeInKB: object!(IntOption { min: 1024, max: 262_144, defaultValue: 4096 }),
            numSupportedFloppyDevices: 2,
            wakeOnLanEthernetCard: ["VirtualVmxnet3", "VirtualE1000"],
            supportsPvscsiControllerForBoot: modern,
            diskUuidEnabled: false,
            supportsHotPlugPCI: modern,
            supportsSecureBoot: modern,
            defaultSecureBoot: windows && modern,
            persistentMemorySupported: false,
            numRecommendedPhysicalSockets: 1,
            numRecommendedCoresPerSocket: 1,
            supportsTPM20: modern,
            recommendedTPM20: matches!(self.id, "windows11_64Guest" | "windows12_64Guest"),
            vwdtSupported: modern,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ty;

    #[test]
    fn every_identifier_of_the_schema_is_described() {
        let ids: Vec<&str> = all().iter().map(|guest| guest.id).collect();
        assert_eq!(ids, ty::VirtualMachineGuestOsIdentifier.enum_values());
        let families = ty::VirtualMachineGuestOsFamily.enum_values();
        for guest in all() {
            assert!(families.contains(&guest.family), "{guest:?}");
            assert!(guest.memory > 0 && guest.disk > 0 && !guest.full_name.is_empty(), "{guest:?}");
            assert_eq!(guest.descriptor().missing().count(), 0);
        }
    }
}
