//! `CloneVM_Task`: a machine or a template from another one.
//!
//! A copy that is to run is started by a task of its own, below the one of the
//! copy and after its end, as vCenter does it: who has waited for the copy may
//! see it off for a moment, and a start that fails does not fail the copy.
//!
//! A customization of the guest waits for its first start; see
//! [`super::customize`].

use std::collections::HashMap;
use std::sync::Arc;

use super::create::{check_place, home};
use super::devices::Machine;
use super::disks::{invalid_datastore, no_disk_space, taken_at_once};
use super::relocate::locators;
use super::seats::{at, text};
use super::{customize, power, registry, spec, state};
use crate::engine::{Job, TaskContext, TaskSpec, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{StaticPath, method, ty};
use crate::value::{DateTime, MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::datastore_path::DatastorePath;
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::folder::{free_child_name, require_kind};
use crate::vsphere::model::Catalog;
use crate::vsphere::model::device::{connectable, key};
use crate::vsphere::model::folder::FolderKind;
use crate::vsphere::model::identity::{MacSource, mac};
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::{model, placement};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] =
    &[(ty::VirtualMachine, method::CloneVM_Task, Handler::Task(clone))];

fn clone(service: &Service, call: &Call) -> Result<Operation, Fault> {
    service.require_vcenter()?;
    let folder = call.moref(arg!(CloneVM_Task.folder));
    let folder = folder.ok_or_else(|| Fault::invalid_argument("folder"))?;
    let spec = call.required(arg!(CloneVM_Task.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    if service.config().esx {
        // Cloning is vCenter's work: a host by itself cannot do it.
        return Err(Fault::not_supported());
    }
    let snapshot = service.engine().snapshot();
    require_kind(&*snapshot, folder, FolderKind::Vm)?;
    let asked = |path| at(spec, path).and_then(Value::as_moref);
    if at(spec, path!(VirtualMachineCloneSpec, "location.service")).is_some() {
        return Err(Fault::not_modelled("cloning to another vCenter"));
    }
    for path in [
        path!(VirtualMachineCloneSpec, "location.datastore"),
        path!(VirtualMachineCloneSpec, "snapshot"),
    ] {
        if let Some(unknown) = asked(path).filter(|mo| !snapshot.exists(mo)) {
            return Err(Fault::not_found(unknown));
        }
    }
    let own_pool = snapshot.moref(&call.this, path!(VirtualMachine, "resourcePool"));
    let pool = asked(path!(VirtualMachineCloneSpec, "location.pool")).or(own_pool);
    let pool = pool.ok_or_else(|| Fault::invalid_argument("spec.location.pool"))?;
    let host = asked(path!(VirtualMachineCloneSpec, "location.host"));
    check_place(&*snapshot, folder, pool, host, "spec.location.host")?;
    if asked(path!(VirtualMachineCloneSpec, "snapshot")).is_some_and(|snapshot_mo| {
        snapshot.moref(snapshot_mo, path!(VirtualMachineSnapshot, "vm")) != Some(&call.this)
    }) {
        return Err(Fault::invalid_argument("spec.snapshot"));
    }
    if let Some(Value::Object(config)) = at(spec, path!(VirtualMachineCloneSpec, "config")) {
        spec::check(service.catalog(), config)?;
    }
    let job = Clone {
        catalog: service.catalog().clone(),
        source: call.this.clone(),
        folder: folder.clone(),
        name: call.text(arg!(CloneVM_Task.name)).to_owned(),
        pool: pool.clone(),
        host: host.cloned(),
        spec: spec.clone(),
        start: power::start(service, call),
        instant: false,
    };
    Ok(Operation::new(job).shared().cancelable())
}

/// The copy of a machine, of a template or of a snapshot.
#[derive(Clone, Debug)]
pub(in crate::vsphere) struct Clone {
    /// What new machines are made from.
    pub(in crate::vsphere) catalog: Arc<Catalog>,
    /// The machine to copy.
    pub(in crate::vsphere) source: MoRef,
    /// The copy's folder.
    pub(in crate::vsphere) folder: MoRef,
    /// The copy's name.
    pub(in crate::vsphere) name: String,
    /// The copy's pool.
    pub(in crate::vsphere) pool: MoRef,
    /// The copy's host, if the client chose one.
    pub(in crate::vsphere) host: Option<MoRef>,
    /// The `VirtualMachineCloneSpec`.
    pub(in crate::vsphere) spec: Object,
    /// What the task looks like that starts the copy, if it is to run.
    pub(in crate::vsphere) start: TaskSpec,
    /// Whether the copy runs from the beginning, as its source does.
    pub(in crate::vsphere) instant: bool,
}

impl Clone {
    fn flag(&self, path: &StaticPath) -> bool {
        at(&self.spec, path).and_then(Value::as_bool).unwrap_or_default()
    }

    /// How the guest of the copy is to be customized.
    fn customization(&self) -> Option<&Object> {
        at(&self.spec, path!(VirtualMachineCloneSpec, "customization"))?.as_object()
    }

    /// Whether a machine is made from a template.
    fn deploys(&self, tx: &Tx<'_>) -> bool {
        state::is_template(tx, &self.source)
            && !self.flag(path!(VirtualMachineCloneSpec, "template"))
    }

    /// The configuration to copy: the machine's, or that of a snapshot.
    fn original(&self, tx: &Tx<'_>) -> Result<Object, Fault> {
        let snapshot = at(&self.spec, path!(VirtualMachineCloneSpec, "snapshot"));
        match snapshot.and_then(Value::as_moref) {
            Some(snapshot) => {
                let config = tx.at(snapshot, path!(VirtualMachineSnapshot, "config"));
                let config = config.and_then(Value::as_object).cloned();
                config.ok_or_else(|| Fault::not_found(snapshot))
            }
            None => state::config(tx, &self.source),
        }
    }

    /// The datastore for the configuration file, and for disks that are not
    /// placed one by one.
    fn datastore(&self, tx: &Tx<'_>, original: &Object) -> Result<MoRef, Fault> {
        let asked = at(&self.spec, path!(VirtualMachineCloneSpec, "location.datastore"));
        if let Some(datastore) = asked.and_then(Value::as_moref) {
            return Ok(datastore.clone());
        }
        let file = text(original, path!(VirtualMachineConfigInfo, "files.vmPathName"));
        let name = DatastorePath::parse(file)?.datastore;
        let used = tx.morefs(&self.source, path!(VirtualMachine, "datastore"));
        let is_it = |datastore: &MoRef| tx.text(datastore, path!(Datastore, "name")) == name;
        used.into_iter().find(is_it).ok_or_else(|| invalid_datastore(None, &name))
    }

    /// The host: the one asked for, or the source's if it is in the pool's
    /// compute resource, or the best of those.
    fn place(&self, tx: &Tx<'_>, datastores: &[MoRef]) -> Result<MoRef, Fault> {
        if let Some(host) = &self.host {
            placement::check_able(tx, host)?;
            if !placement::reaches(tx, host, datastores, &[]) {
                return Err(invalid_datastore(datastores.first(), ""));
            }
            return Ok(host.clone());
        }
        let hosts = placement::hosts(tx, &placement::owner(tx, &self.pool)?);
        let reaching: Vec<MoRef> = hosts
            .into_iter()
            .filter(|host| placement::reaches(tx, host, datastores, &[]))
            .collect();
        if reaching.is_empty() {
            return Err(invalid_datastore(datastores.first(), ""));
        }
        let now = state::host(tx, &self.source)?;
        if reaching.contains(&now) && placement::check_able(tx, &now).is_ok() {
            return Ok(now);
        }
        let networks = tx.morefs(&self.source, path!(VirtualMachine, "network"));
        placement::choose(tx, &reaching, &[], &networks)
            .or_else(|_| placement::choose(tx, &reaching, &[], &[]))
    }

    /// The machine as it will be.
    fn plan(&self, tx: &mut Tx<'_>) -> Result<registry::NewMachine, Fault> {
        let name = free_child_name(tx, &self.folder, &self.name)?;
        let original = self.original(tx)?;
        let datastore = self.datastore(tx, &original)?;
        let location = at(&self.spec, path!(VirtualMachineCloneSpec, "location"));
        let mut placed = location.and_then(Value::as_object).map(locators).unwrap_or_default();
        placed.retain(|_, to| *to != datastore);
        let mut datastores = vec![datastore.clone()];
        datastores.extend(placed.values().cloned());
        let host = self.place(tx, &datastores)?;
        let store = DatastorePath::new(tx.text(&datastore, path!(Datastore, "name")), "");
        let home = home(tx, &datastore, &store, &name)?;
        let now = tx.now();
        let template = self.flag(path!(VirtualMachineCloneSpec, "template"));
        let config = self.copied(tx, &original, &name, &home, template, now);
        let (config, taken) = self.with_disks(tx, config, &home, &datastore, &placed);
        for (datastore, bytes) in taken {
            let free = tx.at(&datastore, path!(Datastore, "summary.freeSpace"));
            if bytes > free.and_then(Value::as_i64).unwrap_or_default() {
                let store = tx.text(&datastore, path!(Datastore, "name"));
                return Err(no_disk_space(&home.to_string(), store));
            }
        }
        let machine = Machine { host: host.clone(), home, powered_on: false };
        let config = self.adjusted(tx, &machine, config, now)?;
        let pool = (!template).then(|| self.pool.clone());
        Ok(registry::NewMachine { folder: self.folder.clone(), pool, host, config })
    }

    /// The configuration under a new name, with identities of its own.
    fn copied(
        &self,
        tx: &mut Tx<'_>,
        original: &Object,
        name: &str,
        home: &DatastorePath,
        template: bool,
        now: DateTime,
    ) -> Object {
        let mut next = original.edit();
        for (slot, value) in [
            (const { ty::VirtualMachineConfigInfo.slot("name") }, Value::from(name)),
            (const { ty::VirtualMachineConfigInfo.slot("template") }, template.into()),
            (const { ty::VirtualMachineConfigInfo.slot("createDate") }, now.into()),
            (
                const { ty::VirtualMachineConfigInfo.slot("uuid") },
                tx.ids().uuid().hyphenated().to_string().into(),
            ),
            (
                const { ty::VirtualMachineConfigInfo.slot("instanceUuid") },
                tx.ids().session_key().into(),
            ),
        ] {
            next.set(slot, value);
        }
        for slot in [
            const { ty::VirtualMachineConfigInfo.slot("ftInfo") },
            const { ty::VirtualMachineConfigInfo.slot("repConfig") },
            const { ty::VirtualMachineConfigInfo.slot("forkConfigInfo") },
            const { ty::VirtualMachineConfigInfo.slot("managedBy") },
        ] {
            next.set(slot, None::<Value>);
        }
        next.set(
            const { ty::VirtualMachineConfigInfo.slot("files") },
            model::vm::config_files(&home.to_string()),
        );
        spec::stamp(&mut next, original, now);
        next.finish()
    }

    /// The configuration with disks in files of their own and adapters with
    /// addresses of their own; with the bytes that the disks take at once.
    fn with_disks(
        &self,
        tx: &mut Tx<'_>,
        config: Object,
        home: &DatastorePath,
        datastore: &MoRef,
        placed: &HashMap<i32, MoRef>,
    ) -> (Object, HashMap<MoRef, i64>) {
        let mut taken = HashMap::new();
        let mut count = 0_u32;
        let devices = at(&config, path!(VirtualMachineConfigInfo, "hardware.device"));
        let devices = devices.map_or(&[][..], Value::items).to_vec();
        let devices: Vec<Value> = devices
            .into_iter()
            .map(|device| {
                let Some(device) = device.as_object() else { return device };
                if device.ty().is_a(ty::VirtualEthernetCard) {
                    return own_address(tx, device).into();
                }
                if !device.ty().is_a(ty::VirtualDisk) {
                    return device.clone().into();
                }
                let to = placed.get(&key(device)).unwrap_or(datastore);
                let store = tx.text(to, path!(Datastore, "name")).to_owned();
                let folder = DatastorePath::new(&store, home.folder().path);
                let stem = home.stem();
                let file = match count {
                    0 => folder.join(&format!("{stem}.vmdk")),
                    count => folder.join(&format!("{stem}_{count}.vmdk")),
                };
                count += 1;
                let disk = self.own_file(tx, device, &file, to);
                *taken.entry(to.clone()).or_default() += taken_at_once(&disk);
                disk.into()
            })
            .collect();
        let path = path!(VirtualMachineConfigInfo, "hardware.device");
        (config.with_at(path, devices).unwrap_or(config), taken)
    }

    fn own_file(&self, tx: &Tx<'_>, disk: &Object, file: &DatastorePath, on: &MoRef) -> Object {
        let Some(Value::Object(held)) = disk.at(path!(VirtualDevice, "backing")) else {
            return disk.clone();
        };
        let mut backing = held.edit();
        if held.ty().is_a(ty::VirtualDeviceFileBackingInfo) {
            backing
                .set(const { ty::VirtualDeviceFileBackingInfo.slot("fileName") }, file.to_string());
            backing.set(const { ty::VirtualDeviceFileBackingInfo.slot("datastore") }, on);
        }
        if held.ty().is_a(ty::VirtualDiskFlatVer2BackingInfo) {
            let uuid = tx.ids().uuid().hyphenated().to_string();
            backing.set(const { ty::VirtualDiskFlatVer2BackingInfo.slot("uuid") }, uuid);
            let linked = text(&self.spec, path!(VirtualMachineCloneSpec, "location.diskMoveType"))
                == "createNewChildDiskBacking";
            let parent = linked.then(|| held.clone());
            backing.set(const { ty::VirtualDiskFlatVer2BackingInfo.slot("parent") }, parent);
            let slot = const { ty::VirtualDiskFlatVer2BackingInfo.slot("thinProvisioned") };
            match text(&self.spec, path!(VirtualMachineCloneSpec, "location.transform")) {
                "sparse" => drop(backing.set(slot, true)),
                "flat" => drop(backing.set(slot, false)),
                _ => {}
            }
            if linked {
                backing.set(slot, true);
            }
        }
        disk.with(const { ty::VirtualDevice.slot("backing") }, backing.finish())
    }

    /// The configuration with what the specification changes on the way.
    fn adjusted(
        &self,
        tx: &mut Tx<'_>,
        machine: &Machine,
        mut config: Object,
        now: DateTime,
    ) -> Result<Object, Fault> {
        let devices = at(&self.spec, path!(VirtualMachineCloneSpec, "location.deviceChange"));
        if let Some(Value::Array(changes)) = devices.filter(|list| !list.items().is_empty()) {
            let change = object!(VirtualMachineConfigSpec { deviceChange: changes.clone() });
            config = spec::apply(tx, machine, &config, &change, now)?;
        }
        let Some(Value::Object(change)) = at(&self.spec, path!(VirtualMachineCloneSpec, "config"))
        else {
            return Ok(config);
        };
        let slot = const { ty::VirtualMachineConfigSpec.slot("changeVersion") };
        let change = change.with(slot, None::<Value>);
        spec::apply(tx, machine, &config, &change, now)
    }
}

impl Job for Clone {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        state::refuse_busy(tx, &self.source)?;
        if self.instant {
            state::require_power(tx, &self.source, state::ON)?;
        }
        let plan = self.plan(tx)?;
        if let Some(spec) = self.customization() {
            customize::check(spec, &plan.config)?;
        }
        // What is deployed is told of itself, once it is there.
        if !self.deploys(tx) {
            let (folder, host) =
                (events::argument(tx, &self.folder), events::argument(tx, &plan.host));
            let event = object!(VmBeingClonedEvent {
                destFolder: folder,
                destName: &self.name,
                destHost: host,
            });
            events::post(tx, &self.source, event);
        }
        Ok(())
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        let new = self.plan(tx)?;
        let is_machine = new.pool.is_some();
        let deploys = self.deploys(tx);
        let vm = registry::insert(tx, &self.catalog, &new)?;
        let source = events::argument(tx, &self.source);
        if deploys {
            events::post(tx, &vm, object!(VmBeingDeployedEvent { srcTemplate: source.clone() }));
        }
        events::life::identified(tx, &vm);
        let made = if deploys {
            object!(VmDeployedEvent { srcTemplate: source })
        } else {
            object!(VmClonedEvent { sourceVm: source })
        };
        events::post(tx, &vm, made);
        if let Some(spec) = self.customization().filter(|_| is_machine) {
            customize::put(tx, &vm, spec)?;
        }
        if self.instant {
            state::require_power(tx, &self.source, state::ON)?;
            let now = tx.now();
            model::vm::set_power(tx, &vm, state::ON, None, now)?;
            events::post(tx, &vm, object!(VmPoweredOnEvent {}));
        } else if is_machine && self.flag(path!(VirtualMachineCloneSpec, "powerOn")) {
            // The copy is there whether it can be started or not.
            let mut start = self.start.clone().on(vm.clone());
            start.parent = Some(task.id);
            tx.submit(start, Box::new(power::PowerOn { vm: vm.clone(), host: None }))?;
        }
        Ok(Some(vm.into()))
    }

    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        let reason = fault.localized();
        let host = self.host.clone().or_else(|| state::host(tx, &self.source).ok());
        let (folder, host) =
            (events::argument(tx, &self.folder), host.and_then(|host| events::argument(tx, &host)));
        let event = object!(VmCloneFailedEvent {
            destFolder: folder,
            destName: &self.name,
            destHost: host,
            reason: reason,
        });
        events::post(tx, &self.source, event);
    }
}

/// An adapter that is not connected yet, with an address that no other has;
/// one that somebody chose stays.
fn own_address(tx: &mut Tx<'_>, card: &Object) -> Object {
    let mut next = card.edit();
    if text(card, path!(VirtualEthernetCard, "addressType")) != "manual" {
        let address = mac(MacSource::VCenter, tx.next_number());
        next.set(const { ty::VirtualEthernetCard.slot("macAddress") }, address);
    }
    let slot = const { ty::VirtualDevice.slot("connectable") };
    let is_starting = |info: &Object| {
        at(info, path!(VirtualDeviceConnectInfo, "startConnected")).and_then(Value::as_bool)
    };
    if card.get(slot).and_then(Value::as_object).and_then(is_starting) == Some(true) {
        next.set(slot, connectable(false));
    }
    next.finish()
}
