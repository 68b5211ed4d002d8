//! `CreateVM_Task`: a machine from a specification.

use std::sync::Arc;

use super::devices::Machine;
use super::disks::datastore_of_host;
use super::seats::text;
use super::{disks, registry, spec};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::datastore_path::{DatastorePath, invalid_path};
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::folder::{free_child_name, require_kind};
use crate::vsphere::model::Catalog;
use crate::vsphere::model::device::devices;
use crate::vsphere::model::folder::FolderKind;
use crate::vsphere::model::keys;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::{left_files, placement};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] =
    &[(ty::Folder, method::CreateVM_Task, Handler::Task(create))];

fn create(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let spec = call.required(arg!(CreateVM_Task.config))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("config"))?;
    let pool = call.moref(arg!(CreateVM_Task.pool));
    let pool = pool.ok_or_else(|| Fault::invalid_argument("pool"))?;
    let host = call.moref(arg!(CreateVM_Task.host));
    require_kind(&*service.engine().snapshot(), &call.this, FolderKind::Vm)?;
    operation(service, &call.this, pool, host, spec)
}

/// The task that makes a machine in a folder and a pool of it.
pub(in crate::vsphere) fn operation(
    service: &Service,
    folder: &MoRef,
    pool: &MoRef,
    host: Option<&MoRef>,
    spec: &Object,
) -> Result<Operation, Fault> {
    check_place(&*service.engine().snapshot(), folder, pool, host, "host")?;
    if text(spec, path!(VirtualMachineConfigSpec, "name")).is_empty() {
        return Err(Fault::invalid_argument("configSpec.name"));
    }
    spec::check(service.catalog(), spec)?;
    let job = Create {
        catalog: service.catalog().clone(),
        folder: folder.clone(),
        pool: pool.clone(),
        host: host.cloned(),
        spec: spec.clone(),
    };
    Ok(Operation::new(job).shared().cancelable())
}

/// Fails if pool or host do not exist, do not belong together, or belong to
/// another datacenter than the folder; `argument` names the host.
pub(super) fn check_place(
    state: &(impl Read + ?Sized),
    folder: &MoRef,
    pool: &MoRef,
    host: Option<&MoRef>,
    argument: &str,
) -> Result<(), Fault> {
    if let Some(unknown) = [Some(pool), host].into_iter().flatten().find(|mo| !state.exists(mo)) {
        return Err(Fault::not_found(unknown));
    }
    let owner = placement::owner(state, pool)?;
    if host.is_some_and(|host| placement::compute_of(state, host).as_ref() != Some(&owner)) {
        return Err(Fault::invalid_argument(argument));
    }
    if placement::datacenter(state, &owner) != placement::datacenter(state, folder) {
        return Err(Fault::invalid_argument("pool"));
    }
    Ok(())
}

#[derive(Clone, Debug)]
struct Create {
    catalog: Arc<Catalog>,
    folder: MoRef,
    pool: MoRef,
    host: Option<MoRef>,
    spec: Object,
}

impl Create {
    /// The machine as it will be.
    fn plan(&self, tx: &mut Tx<'_>) -> Result<registry::NewMachine, Fault> {
        let asked = text(&self.spec, path!(VirtualMachineConfigSpec, "name"));
        let name = free_child_name(tx, &self.folder, asked)?;
        let asked = text(&self.spec, path!(VirtualMachineConfigSpec, "files.vmPathName"));
        if asked.is_empty() {
            return Err(invalid_config("configSpec.files.vmPathName"));
        }
        let asked = DatastorePath::parse(asked)?;
        let candidates = match &self.host {
            Some(host) => vec![host.clone()],
            None => placement::hosts(tx, &placement::owner(tx, &self.pool)?),
        };
        let (host, datastore) = choose_host(tx, &candidates, &asked)?;
        let home = home(tx, &datastore, &asked, &name)?;
        let machine = Machine { host: host.clone(), home, powered_on: false };
        let now = tx.now();
        let config = registry::blank_config(tx, &self.catalog, &name, &machine.home, now);
        let mut wanted = self.spec.edit();
        // A new machine has no version that the client could have read.
        wanted.set(const { ty::VirtualMachineConfigSpec.slot("changeVersion") }, None::<Value>);
        let config = spec::apply(tx, &machine, &config, &wanted.finish(), now)?;
        Ok(registry::NewMachine {
            folder: self.folder.clone(),
            pool: Some(self.pool.clone()),
            host,
            config,
        })
    }
}

impl Job for Create {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.plan(tx).map(drop)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let new = self.plan(tx)?;
        disks::account(tx, &new.host, &[], devices(&new.config), &[]);
        let vm = registry::insert(tx, &self.catalog, &new)?;
        // Nobody can refer to the machine before it is there.
        let spec = &self.spec;
        events::post(tx, &vm, object!(VmBeingCreatedEvent { configSpec: spec }));
        events::life::identified(tx, &vm);
        events::post(tx, &vm, object!(VmCreatedEvent {}));
        Ok(Some(vm.into()))
    }
}

/// A part of a configuration is missing or wrong.
pub(super) fn invalid_config(property: &str) -> Fault {
    Fault::new(
        object!(InvalidVmConfig { property: property }),
        format!("Invalid virtual machine configuration: {property}."),
    )
}

/// A host for a machine whose files are on the datastore that `path` names,
/// and that datastore.
fn choose_host(
    tx: &Tx<'_>,
    candidates: &[MoRef],
    path: &DatastorePath,
) -> Result<(MoRef, MoRef), Fault> {
    let mounted: Vec<(MoRef, MoRef)> = candidates
        .iter()
        .filter_map(|host| Some((host.clone(), datastore_of_host(tx, host, &path.datastore)?)))
        .collect();
    if mounted.is_empty() {
        return Err(invalid_path(&path.to_string()));
    }
    if let [(host, datastore)] = mounted.as_slice() {
        placement::check_able(tx, host)?;
        return Ok((host.clone(), datastore.clone()));
    }
    let hosts: Vec<MoRef> = mounted.iter().map(|(host, _)| host.clone()).collect();
    let host = placement::choose(tx, &hosts, &[], &[])?;
    let datastore = mounted.into_iter().find(|(mounted, _)| *mounted == host);
    datastore.ok_or_else(|| invalid_path(&path.to_string()))
}

/// Where the configuration file of a new machine goes: as asked, or into a
/// folder of its own, named after the machine.
pub(super) fn home(
    tx: &Tx<'_>,
    datastore: &MoRef,
    asked: &DatastorePath,
    name: &str,
) -> Result<DatastorePath, Fault> {
    if asked.path.ends_with(".vmx") {
        let file = asked.to_string();
        if has_file(tx, datastore, &file) || left_files::machine(tx, datastore, asked).is_some() {
            return Err(Fault::new(
                object!(FileAlreadyExists { file: &file }),
                format!("Cannot complete the operation because the file {file} already exists"),
            ));
        }
        return Ok(asked.clone());
    }
    if !asked.path.is_empty() {
        return Ok(asked.join(&format!("{name}.vmx")));
    }
    let folders = (0_u32..).map(|count| match count {
        0 => name.to_owned(),
        count => format!("{name}_{count}"),
    });
    folders
        .map(|folder| DatastorePath::new(&asked.datastore, folder))
        .filter(|folder| {
            let inside = keys::machines_in_folder(tx, &folder.to_string());
            !inside.iter().any(|vm| is_on(tx, vm, datastore))
        })
        .map(|folder| folder.join(&format!("{name}.vmx")))
        .find(|file| left_files::machine(tx, datastore, file).is_none())
        .ok_or_else(|| invalid_path(&asked.to_string()))
}

/// Whether a machine's configuration is the file on a datastore.
pub(super) fn has_file(tx: &Tx<'_>, datastore: &MoRef, file: &str) -> bool {
    keys::machines_with_file(tx, file).iter().any(|vm| is_on(tx, vm, datastore))
}

/// Whether a machine is listed by a datastore.
fn is_on(tx: &Tx<'_>, vm: &MoRef, datastore: &MoRef) -> bool {
    let listed = tx.at(datastore, path!(Datastore, "vm")).and_then(Value::as_array);
    listed.is_some_and(|listed| listed.contains_ref(vm))
}
