//! `RelocateVM_Task` and `MigrateVM_Task`: a machine goes to another host,
//! pool, folder or datastore, running or not.

use std::collections::HashMap;

use super::devices::Machine;
use super::disks::{datastore_of_host, invalid_datastore, no_disk_space, taken_at_once};
use super::seats::{self, at, text};
use super::{disk_chain, snapshot, spec, state};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{EnumValue, MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::datastore_path::DatastorePath;
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::events::moves::{Origin, Way};
use crate::vsphere::model::device::key;
use crate::vsphere::model::folder::FolderKind;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::{events, folder, model, names, placement};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::VirtualMachine, method::RelocateVM_Task, Handler::Task(relocate)),
    (ty::VirtualMachine, method::MigrateVM_Task, Handler::Task(migrate)),
];

/// Where a machine goes; what is not set stays.
#[derive(Clone, Debug, Default)]
struct Target {
    host: Option<MoRef>,
    pool: Option<MoRef>,
    folder: Option<MoRef>,
    datastore: Option<MoRef>,
    /// Disks that go elsewhere than the rest, by key.
    disks: HashMap<i32, MoRef>,
    /// Changes of devices on the way, as a configuration specification.
    changes: Option<Object>,
    /// The power state that the client takes the machine to be in.
    power: Option<EnumValue>,
}

fn relocate(service: &Service, call: &Call) -> Result<Operation, Fault> {
    service.require_vcenter()?;
    let spec = call.required(arg!(RelocateVM_Task.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    if at(spec, path!(VirtualMachineRelocateSpec, "service")).is_some() {
        return Err(Fault::not_modelled("relocation to another vCenter"));
    }
    let asked = |path| at(spec, path).and_then(Value::as_moref).cloned();
    let changes = at(spec, path!(VirtualMachineRelocateSpec, "deviceChange"));
    let changes = changes.and_then(Value::as_array).filter(|list| !list.is_empty()).cloned();
    let target = Target {
        host: asked(path!(VirtualMachineRelocateSpec, "host")),
        pool: asked(path!(VirtualMachineRelocateSpec, "pool")),
        folder: asked(path!(VirtualMachineRelocateSpec, "folder")),
        datastore: asked(path!(VirtualMachineRelocateSpec, "datastore")),
        disks: locators(spec),
        changes: changes.map(|list| object!(VirtualMachineConfigSpec { deviceChange: list })),
        power: None,
    };
    begin(service, call, target, "spec.")
}

fn migrate(service: &Service, call: &Call) -> Result<Operation, Fault> {
    service.require_vcenter()?;
    let power = match call.get(arg!(MigrateVM_Task.state)) {
        Some(Value::Enum(power)) => Some(*power),
        _ => None,
    };
    let target = Target {
        host: call.moref(arg!(MigrateVM_Task.host)).cloned(),
        pool: call.moref(arg!(MigrateVM_Task.pool)).cloned(),
        power,
        ..Target::default()
    };
    begin(service, call, target, "")
}

/// The datastores that disks are sent to one by one, by the disk's key.
pub(super) fn locators(spec: &Object) -> HashMap<i32, MoRef> {
    let list = at(spec, path!(VirtualMachineRelocateSpec, "disk"));
    let list = list.map_or(&[][..], Value::items).iter().filter_map(Value::as_object);
    list.filter_map(|locator| {
        let disk = at(locator, path!(VirtualMachineRelocateSpecDiskLocator, "diskId"))?;
        let datastore = at(locator, path!(VirtualMachineRelocateSpecDiskLocator, "datastore"))?;
        Some((disk.as_i32()?, datastore.as_moref()?.clone()))
    })
    .collect()
}

/// Checks what the call names, then leaves the rest to the task.
fn begin(service: &Service, call: &Call, target: Target, prefix: &str) -> Result<Operation, Fault> {
    let snapshot = service.engine().snapshot();
    let named = [&target.host, &target.pool, &target.folder, &target.datastore];
    let named = named.into_iter().flatten().chain(target.disks.values());
    if let Some(unknown) = named.into_iter().find(|mo| !snapshot.exists(mo)) {
        return Err(Fault::not_found(unknown));
    }
    let wrong = |part: &str| Fault::invalid_argument(&format!("{prefix}{part}"));
    if let Some(folder) = &target.folder {
        folder::require_kind(&*snapshot, folder, FolderKind::Vm)?;
    }
    let compute = match (&target.pool, &target.host) {
        (Some(pool), _) => Some(placement::owner(&*snapshot, pool)?),
        (None, Some(host)) => {
            // Without a pool the machine stays in its own, so the host must be near.
            let now = state::host(&*snapshot, &call.this)?;
            let stays = placement::compute_of(&*snapshot, &now);
            if placement::compute_of(&*snapshot, host) != stays
                && !state::is_template(&*snapshot, &call.this)
            {
                return Err(wrong("pool"));
            }
            None
        }
        (None, None) => None,
    };
    if let (Some(compute), Some(host)) = (&compute, &target.host)
        && placement::compute_of(&*snapshot, host).as_ref() != Some(compute)
    {
        return Err(wrong("host"));
    }
    let job = Relocate { vm: call.this.clone(), target, by_drs: false };
    Ok(Operation::new(job).cancelable())
}

/// Takes a machine to where it is to go; its power state stays.
#[derive(Clone, Debug)]
pub(in crate::vsphere) struct Relocate {
    vm: MoRef,
    target: Target,
    /// Whether DRS has it so.
    by_drs: bool,
}

/// Everything about a machine that a relocation can change.
struct Plan {
    host: MoRef,
    pool: Option<MoRef>,
    config: Object,
}

impl Relocate {
    /// Takes a machine to another host of its compute resource, because DRS
    /// has it so.
    pub(in crate::vsphere) fn to_host(vm: MoRef, host: MoRef) -> Self {
        Self { vm, target: Target { host: Some(host), ..Target::default() }, by_drs: true }
    }

    fn way(&self) -> Way {
        let files = self.target.datastore.is_some() || !self.target.disks.is_empty();
        match (files, self.by_drs) {
            (true, _) => Way::Relocation,
            (false, true) => Way::ByDrs,
            (false, false) => Way::Migration,
        }
    }

    fn plan(&self, tx: &mut Tx<'_>) -> Result<Plan, Fault> {
        let now = state::host(tx, &self.vm)?;
        let power = state::power(tx, &self.vm);
        if let Some(expected) = self.target.power.filter(|expected| *expected != power) {
            return Err(Fault::invalid_power_state(Some(expected), power));
        }
        if let Some(folder) = &self.target.folder {
            let name = tx.text(&self.vm, path!(VirtualMachine, "name"));
            names::check_free(tx, folder, ty::ManagedEntity, name, Some(&self.vm))?;
        }
        let (config, datastores) = self.moved(tx)?;
        let host = self.host(tx, &now, &datastores)?;
        let machine =
            Machine { host: host.clone(), home: home_of(&config)?, powered_on: power == state::ON };
        let config = match &self.target.changes {
            Some(changes) => {
                let time = tx.now();
                spec::apply(tx, &machine, &config, changes, time)?
            }
            None => config,
        };
        let pool = self.target.pool.as_ref().filter(|_| !state::is_template(tx, &self.vm));
        let held = tx.moref(&self.vm, path!(VirtualMachine, "resourcePool"));
        Ok(Plan { host, pool: pool.or(held).cloned(), config })
    }

    /// The host to go to: one that can take the machine with all its files.
    fn host(&self, tx: &Tx<'_>, now: &MoRef, datastores: &[MoRef]) -> Result<MoRef, Fault> {
        let networks = tx.morefs(&self.vm, path!(VirtualMachine, "network"));
        // Adapters can be connected to another network on the way.
        let networks = if self.target.changes.is_some() { &[][..] } else { &networks[..] };
        let candidates = match (&self.target.host, &self.target.pool) {
            (Some(host), _) => vec![host.clone()],
            (None, Some(pool)) => placement::hosts(tx, &placement::owner(tx, pool)?),
            (None, None) => vec![now.clone()],
        };
        if candidates.contains(now) && self.target.host.is_none() {
            return match placement::reaches(tx, now, datastores, &[]) {
                true => Ok(now.clone()),
                false => Err(invalid_datastore(datastores.first(), "")),
            };
        }
        placement::choose(tx, &candidates, datastores, networks)
    }

    /// The configuration with its files where they go, and the datastores of
    /// all of them.
    fn moved(&self, tx: &Tx<'_>) -> Result<(Object, Vec<MoRef>), Fault> {
        let (config, now) = (state::config(tx, &self.vm)?, state::host(tx, &self.vm)?);
        let home = home_of(&config)?;
        let mut datastores = Vec::new();
        let mut needed: HashMap<MoRef, i64> = HashMap::new();
        let mut config = config;
        let stays = datastore_of_host(tx, &now, &home.datastore);
        let to = self.target.datastore.as_ref().or(stays.as_ref());
        let to = to.ok_or_else(|| invalid_datastore(None, &home.datastore))?.clone();
        if self.target.datastore.is_some() {
            let store = tx.text(&to, path!(Datastore, "name"));
            let home = DatastorePath::new(store, home.path.as_str());
            let files = model::vm::config_files(&home.to_string());
            config = config.with(const { ty::VirtualMachineConfigInfo.slot("files") }, files);
        }
        datastores.push(to);
        let devices = model::device::devices(&config).to_vec();
        let mut moved = Vec::with_capacity(devices.len());
        for device in &devices {
            let disk = device.as_object().filter(|device| device.ty().is_a(ty::VirtualDisk));
            let Some(disk) = disk else {
                moved.push(device.clone());
                continue;
            };
            let to = self.target.disks.get(&key(disk)).or(self.target.datastore.as_ref());
            let held = DatastorePath::parse(seats::file(disk))?;
            match to.filter(|to| tx.text(to, path!(Datastore, "name")) != held.datastore) {
                Some(to) => {
                    *needed.entry(to.clone()).or_default() += taken_at_once(disk);
                    datastores.push(to.clone());
                    moved.push(with_file(tx, disk, &held, to).into());
                }
                None => {
                    datastores.extend(datastore_of_host(tx, &now, &held.datastore));
                    moved.push(device.clone());
                }
            }
        }
        for (datastore, bytes) in needed {
            let free = tx.at(&datastore, path!(Datastore, "summary.freeSpace"));
            if bytes > free.and_then(Value::as_i64).unwrap_or_default() {
                let store = tx.text(&datastore, path!(Datastore, "name"));
                return Err(no_disk_space(&home.path, store));
            }
        }
        let path = path!(VirtualMachineConfigInfo, "hardware.device");
        Ok((config.with_at(path, moved).unwrap_or(config), datastores))
    }
}

/// Where the configuration file is.
fn home_of(config: &Object) -> Result<DatastorePath, Fault> {
    DatastorePath::parse(text(config, path!(VirtualMachineConfigInfo, "files.vmPathName")))
}

/// The disk with its file under the same path on another datastore.
fn with_file(tx: &Tx<'_>, disk: &Object, held: &DatastorePath, to: &MoRef) -> Object {
    let Some(Value::Object(backing)) = disk.at(path!(VirtualDevice, "backing")) else {
        return disk.clone();
    };
    let store = tx.text(to, path!(Datastore, "name"));
    if backing.ty().is_a(ty::VirtualDiskFlatVer2BackingInfo) {
        let backing = disk_chain::on_datastore(backing, to, store);
        return disk.with(const { ty::VirtualDevice.slot("backing") }, backing);
    }
    let file = DatastorePath::new(store, held.path.as_str());
    let mut backing = backing.edit();
    backing.set(const { ty::VirtualDeviceFileBackingInfo.slot("fileName") }, file.to_string());
    backing.set(const { ty::VirtualDeviceFileBackingInfo.slot("datastore") }, to);
    disk.with(const { ty::VirtualDevice.slot("backing") }, backing.finish())
}

impl Job for Relocate {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        let plan = self.plan(tx)?;
        let files = self.target.datastore.as_ref();
        events::moves::begun(tx, &self.vm, self.way(), &plan.host, files);
        Ok(())
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let Plan { host, pool, config } = self.plan(tx)?;
        let app = pool.clone().filter(|pool| pool.ty().is_a(ty::VirtualApp));
        let now = tx.now();
        let before = state::config(tx, &self.vm)?;
        let from = Origin::of(tx, &self.vm)?;
        snapshot::follow(tx, &self.vm, &before, &config)?;
        model::vm::change(tx, &self.vm, now, |machine| {
            let slot = const { ty::VirtualMachine.slot("runtime") };
            if let Some(runtime) = machine.get(slot).and_then(Value::as_object) {
                let place = const { ty::VirtualMachineRuntimeInfo.slot("host") };
                let runtime = runtime.with(place, host);
                machine.set(slot, runtime);
            }
            machine.set(const { ty::VirtualMachine.slot("config") }, config);
            machine.set(const { ty::VirtualMachine.slot("resourcePool") }, pool);
            machine.set(const { ty::VirtualMachine.slot("parentVApp") }, app);
            if let Some(folder) = &self.target.folder {
                machine.set(const { ty::VirtualMachine.slot("parent") }, folder);
            }
            Ok(())
        })?;
        events::moves::done(tx, &self.vm, self.way(), from);
        Ok(None)
    }

    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        events::moves::failed(tx, &self.vm, self.way(), self.target.host.as_ref(), fault);
    }
}
