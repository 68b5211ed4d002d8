//! Many machines from one template.
//!
//! A template is a whole machine, made and derived once for each place. A
//! machine stamped from it shares everything that does not depend on its name,
//! which is nearly everything: that is what makes a large inventory start fast
//! and stay small.

use super::catalog::Catalog;
use super::identity::{self, MacSource};
use super::vm::{self, Names, NewMachine};
use super::{device, put};
use crate::inventory::Read;
use crate::path;
use crate::schema::ty;
use crate::value::{Array, DateTime, MoRef, Object, Value};

const DISK_CAPACITY: i64 = 10 << 30;

/// Where a machine is, and what it is connected to.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder that holds it.
    pub folder: &'a MoRef,
    /// The pool or vApp that it runs in.
    pub pool: &'a MoRef,
    /// Its host.
    pub host: &'a MoRef,
    /// What answers questions about its hardware.
    pub environment: &'a MoRef,
    /// Where its files are.
    pub datastore: &'a MoRef,
    /// What its adapter is connected to.
    pub network: &'a MoRef,
}

/// A machine to stamp others from.
#[derive(Clone, Debug)]
pub struct Template {
    properties: Object,
    datastore: String,
    mac_source: MacSource,
}

impl Template {
    /// Makes the template for a place: one processor, 32 MB, a disk of 10 GB, a
    /// CD drive and a network adapter, as vcsim's machines have.
    pub fn new(read: &impl Read, catalog: &Catalog, place: &Place<'_>, on: bool) -> Self {
        let datastore = read.text(place.datastore, path!(Datastore, "name")).to_owned();
        let vmx = vmx_path(&datastore, "template");
        let backing = device::flat_backing(&disk_path(&vmx), Some(place.datastore), true, "");
        let (network, summary) = device::network_backing(read, place.network);
        let extra = [
            device::scsi_controller(0),
            device::cdrom(),
            device::disk(1, 0, 0, DISK_CAPACITY, backing),
            device::nic(0, network, &summary, "", on),
        ];
        let names = Names { name: "template", vmx_path: &vmx, uuid: "", instance_uuid: "" };
        let vm = MoRef::new(ty::VirtualMachine, "vm-0");
        let properties = vm::machine(
            read,
            &vm,
            &NewMachine {
                config: catalog.vm().config(&names, &extra, catalog.now()),
                capability: catalog.vm().capability(),
                folder: place.folder,
                pool: Some(place.pool),
                host: Some(place.host),
                environment: place.environment,
                on,
                now: catalog.now(),
            },
        );
        let mac_source = if catalog.is_esx() { MacSource::Host } else { MacSource::VCenter };
        Self { properties, datastore, mac_source }
    }

    /// The properties of the machine `vm` called `name`, which are a function of
    /// these two and the template.
    pub fn stamp(&self, read: &impl Read, vm: &MoRef, name: &str, now: DateTime) -> Object {
        let mut machine = self.properties.edit();
        let slot = const { ty::VirtualMachine.slot("config") };
        if let Some(config) = self.properties.get(slot).and_then(Value::as_object) {
            let config = self.config(config, vm, name);
            machine.set(slot, config);
        }
        // What the template's guest is called is not what this one's is.
        machine.set(const { ty::VirtualMachine.slot("guest") }, None::<Value>);
        vm::derived(read, vm, &machine.finish(), now)
    }

    fn config(&self, template: &Object, vm: &MoRef, name: &str) -> Object {
        let vmx = vmx_path(&self.datastore, name);
        let number = vm.id().trim_start_matches("vm-").parse().unwrap_or_default();
        let uuid = identity::uuid(&vmx);
        let mut config = template.edit();
        put!(
            config,
            VirtualMachineConfigInfo {
                name: name,
                instanceUuid: identity::uuid(&uuid),
                uuid: uuid,
                files: vm::config_files(&vmx),
            }
        );
        let slot = const { ty::VirtualMachineConfigInfo.slot("hardware") };
        if let Some(hardware) = template.get(slot).and_then(Value::as_object) {
            let devices = device::devices(template).iter().map(|device| match device.as_object() {
                Some(disk) if disk.ty() == ty::VirtualDisk => own_disk(disk, &disk_path(&vmx)),
                Some(nic) if nic.ty().is_a(ty::VirtualEthernetCard) => {
                    let mac = identity::mac(self.mac_source, number);
                    nic.with(const { ty::VirtualEthernetCard.slot("macAddress") }, mac).into()
                }
                _ => device.clone(),
            });
            let devices = Array::new(ty::VirtualDevice, devices.collect());
            config.set(slot, hardware.with(const { ty::VirtualHardware.slot("device") }, devices));
        }
        config.finish()
    }
}

fn own_disk(disk: &Object, path: &str) -> Value {
    let slot = const { ty::VirtualDisk.slot("backing") };
    let Some(backing) = disk.get(slot).and_then(Value::as_object) else { return disk.into() };
    let mut backing = backing.edit();
    put!(backing, VirtualDiskFlatVer2BackingInfo { fileName: path, uuid: identity::uuid(path) });
    disk.with(slot, backing.finish()).into()
}

fn vmx_path(datastore: &str, name: &str) -> String {
    format!("[{datastore}] {name}/{name}.vmx")
}

fn disk_path(vmx: &str) -> String {
    format!("{}.vmdk", vmx.trim_end_matches(".vmx"))
}
