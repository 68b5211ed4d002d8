//! The configuration of a new virtual machine.

use super::super::data::{Bundle, DataError};
use super::super::{device, pool, put};
use crate::object;
use crate::schema::ty;
use crate::value::{DateTime, Object, Str, Value};

/// The parts of a configuration that new machines have in common.
#[derive(Clone, Debug)]
pub struct Defaults {
    capability: Object,
    flags: Object,
    tools: Object,
    power_ops: Object,
    boot_options: Object,
    console: Object,
    latency: Object,
    extra_config: Value,
    devices: Vec<Value>,
    version: &'static str,
}

/// What a new machine is called and where its files are.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The machine's name.
    pub name: &'a str,
    /// The path of its configuration file: `[datastore] folder/name.vmx`.
    pub vmx_path: &'a str,
    /// The BIOS UUID.
    pub uuid: &'a str,
    /// The UUID that vCenter knows it by.
    pub instance_uuid: &'a str,
}

impl Defaults {
    /// Reads the data file; `version` is the hardware version of new machines.
    pub(in super::super) fn load(version: &'static str) -> Result<Self, DataError> {
        let bundle = Bundle::load("vm.json", include_str!("../data/vm.json"), &[])?;
        let devices = bundle.get("devices", ty::VirtualHardware)?;
        let extra = bundle.get("extraConfig", ty::VirtualMachineConfigSpec)?;
        let none = || Value::from(crate::value::Array::empty(ty::OptionValue));
        Ok(Self {
            capability: bundle.get("capability", ty::VirtualMachineCapability)?,
            flags: bundle.get("flags", ty::VirtualMachineFlagInfo)?,
            tools: bundle.get("tools", ty::ToolsConfigInfo)?,
            power_ops: bundle.get("powerOps", ty::VirtualMachineDefaultPowerOpInfo)?,
            boot_options: bundle.get("bootOptions", ty::VirtualMachineBootOptions)?,
            console: bundle.get("consolePreferences", ty::VirtualMachineConsolePreferences)?,
            latency: bundle.get("latency", ty::LatencySensitivity)?,
            extra_config: extra.field("extraConfig").cloned().unwrap_or_else(none),
            devices: devices.field("device").map(|d| d.items().to_vec()).unwrap_or_default(),
            version,
        })
    }

    /// `capability` of machines.
    pub fn capability(&self) -> &Object {
        &self.capability
    }

    /// The devices that every machine has: controllers, keyboard, mouse, video card.
    pub fn devices(&self) -> &[Value] {
        &self.devices
    }

    /// The hardware version of new machines.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// The configuration of a machine with one processor, 32 MB and these devices
    /// beside those that every machine has.
    pub fn config(&self, names: &Names<'_>, extra: &[Object], now: DateTime) -> Object {
        let devices: Vec<Value> =
            self.devices.iter().cloned().chain(extra.iter().map(Value::from)).collect();
        object!(VirtualMachineConfigInfo {
            changeVersion: now.to_string(),
            modified: now,
            name: names.name,
            guestFullName: "Other (32-bit)",
            version: self.version,
            uuid: names.uuid,
            createDate: now,
            instanceUuid: names.instance_uuid,
            npivTemporaryDisabled: true,
            template: false,
            guestId: "otherGuest",
            alternateGuestName: "",
            annotation: "",
            files: files(names.vmx_path),
            tools: &self.tools,
            flags: &self.flags,
            consolePreferences: &self.console,
            defaultPowerOps: &self.power_ops,
            rebootPowerOff: false,
            hardware: object!(VirtualHardware {
                numCPU: 1,
                numCoresPerSocket: 1,
                autoCoresPerSocket: false,
                memoryMB: 32,
                virtualICH7MPresent: false,
                virtualSMCPresent: false,
                device: device::relink(&devices),
                motherboardLayout: "i440bxHostBridge",
                simultaneousThreads: 1,
            }),
            vcpuConfig: Vec::<Value>::new(),
            cpuAllocation: pool::allocation(0, -1, false, 1000),
            memoryAllocation: pool::allocation(0, -1, false, 320),
            latencySensitivity: &self.latency,
            memoryHotAddEnabled: false,
            cpuHotAddEnabled: false,
            cpuHotRemoveEnabled: false,
            extraConfig: &self.extra_config,
            swapPlacement: "inherit",
            bootOptions: &self.boot_options,
            vAssertsEnabled: false,
            changeTrackingEnabled: false,
            firmware: "bios",
            maxMksConnections: -1,
            guestAutoLockEnabled: true,
            memoryReservationLockedToMax: false,
            nestedHVEnabled: false,
            vPMCEnabled: false,
            messageBusTunnelEnabled: false,
            migrateEncryption: "opportunistic",
            ftEncryptionMode: "ftEncryptionOpportunistic",
            sevEnabled: false,
            pmemFailoverEnabled: false,
        })
    }
}

/// `config.files` of a machine with this configuration file.
pub fn files(vmx_path: &str) -> Object {
    let folder = vmx_path.rsplit_once('/').map_or(vmx_path, |(folder, _)| folder);
    let folder = Str::from(format!("{folder}/"));
    let mut files = crate::value::ObjectBuilder::new(ty::VirtualMachineFileInfo);
    put!(
        files,
        VirtualMachineFileInfo {
            vmPathName: vmx_path,
            snapshotDirectory: &folder,
            suspendDirectory: &folder,
            logDirectory: folder,
        }
    );
    files.finish()
}
