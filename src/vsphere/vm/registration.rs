//! Machines that leave the inventory and keep their files, and come back.

use std::sync::Arc;

use super::create::{check_place, has_file};
use super::disks::datastore_of_host;
use super::{registry, state};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::datastore_path::DatastorePath;
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::folder::{free_child_name, require_kind};
use crate::vsphere::model::Catalog;
use crate::vsphere::model::folder::FolderKind;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::{left_files, placement};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::VirtualMachine, method::UnregisterVM, Handler::Now(unregister)),
    (ty::Folder, method::RegisterVM_Task, Handler::Task(register)),
];

fn unregister(service: &Service, call: &Call) -> Answer {
    let vm = &call.this;
    service.commit(call, |tx| {
        state::refuse_busy(tx, vm)?;
        state::refuse_running(tx, vm)?;
        leave(tx, vm)
    })?;
    Ok(None)
}

/// Takes a machine out of the inventory; its files stay.
pub(in crate::vsphere) fn leave(tx: &mut Tx<'_>, vm: &MoRef) -> Result<(), Fault> {
    events::life::removed(tx, vm);
    let (host, config) = (state::host(tx, vm)?, state::config(tx, vm)?);
    registry::remove(tx, vm)?;
    let home = config.at(path!(VirtualMachineConfigInfo, "files.vmPathName"));
    let home = DatastorePath::parse(home.and_then(Value::as_str).unwrap_or_default())?;
    if let Some(datastore) = datastore_of_host(tx, &host, &home.datastore) {
        left_files::keep_machine(tx, &datastore, &home, config);
    }
    Ok(())
}

fn register(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let snapshot = service.engine().snapshot();
    require_kind(&*snapshot, &call.this, FolderKind::Vm)?;
    let (pool, host) =
        (call.moref(arg!(RegisterVM_Task.pool)), call.moref(arg!(RegisterVM_Task.host)));
    let template = call.flag(arg!(RegisterVM_Task.asTemplate));
    match (template, pool, host) {
        (false, Some(pool), host) => check_place(&*snapshot, &call.this, pool, host, "host")?,
        (true, None, Some(host)) if snapshot.exists(host) => {}
        (true, None, Some(host)) => return Err(Fault::not_found(host)),
        (true, None, None) => return Err(Fault::invalid_argument("host")),
        (false, None, _) | (true, Some(_), _) => return Err(Fault::invalid_argument("pool")),
    }
    let job = Register {
        catalog: service.catalog().clone(),
        folder: call.this.clone(),
        path: call.text(arg!(RegisterVM_Task.path)).to_owned(),
        name: call.text(arg!(RegisterVM_Task.name)).to_owned(),
        pool: pool.cloned(),
        host: host.cloned(),
    };
    Ok(Operation::new(job).shared())
}

#[derive(Clone, Debug)]
struct Register {
    catalog: Arc<Catalog>,
    folder: MoRef,
    path: String,
    name: String,
    /// Nothing for a template.
    pool: Option<MoRef>,
    host: Option<MoRef>,
}

impl Register {
    /// The machine as it will be, with the place of its configuration file.
    fn plan(&self, tx: &Tx<'_>) -> Result<(registry::NewMachine, MoRef, DatastorePath), Fault> {
        let path = DatastorePath::parse(&self.path)?;
        let hosts = match (&self.host, &self.pool) {
            (Some(host), _) => vec![host.clone()],
            (None, Some(pool)) => placement::hosts(tx, &placement::owner(tx, pool)?),
            (None, None) => Vec::new(),
        };
        let datastore = hosts.iter().find_map(|host| datastore_of_host(tx, host, &path.datastore));
        let datastore = datastore.ok_or_else(|| not_found(&self.path))?;
        let file = path.to_string();
        if has_file(tx, &datastore, &file) {
            return Err(Fault::new(
                object!(AlreadyExists { name: &file }),
                format!("The object or item '{file}' already exists."),
            ));
        }
        let config = left_files::machine(tx, &datastore, &path);
        let config = config.ok_or_else(|| not_found(&self.path))?;
        let name = match self.name.as_str() {
            "" => config.at(path!(VirtualMachineConfigInfo, "name")).and_then(Value::as_str),
            name => Some(name),
        };
        let name = free_child_name(tx, &self.folder, name.unwrap_or_default())?;
        let host = placement::choose(tx, &hosts, std::slice::from_ref(&datastore), &[])?;
        let config = named(&config, &name, &path, self.pool.is_none());
        let new = registry::NewMachine {
            folder: self.folder.clone(),
            pool: self.pool.clone(),
            host,
            config,
        };
        Ok((new, datastore, path))
    }
}

impl Job for Register {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.plan(tx).map(drop)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let (new, datastore, path) = self.plan(tx)?;
        left_files::forget_machine(tx, &datastore, &path);
        let vm = registry::insert(tx, &self.catalog, &new)?;
        events::post(tx, &vm, object!(VmRegisteredEvent {}));
        Ok(Some(vm.into()))
    }
}

/// The configuration under the name that the machine gets, and with the name
/// that its datastore has by now.
fn named(config: &Object, name: &str, path: &DatastorePath, template: bool) -> Object {
    let before = config.at(path!(VirtualMachineConfigInfo, "files.vmPathName"));
    let before = DatastorePath::parse(before.and_then(Value::as_str).unwrap_or_default());
    let config = match before {
        Ok(before) if before.datastore != path.datastore => {
            crate::vsphere::model::rename::moved(config, &before.datastore, &path.datastore)
        }
        _ => config.clone(),
    };
    let config = config.with(const { ty::VirtualMachineConfigInfo.slot("name") }, name);
    config.with(const { ty::VirtualMachineConfigInfo.slot("template") }, template)
}

fn not_found(path: &str) -> Fault {
    Fault::of(ty::NotFound, format!("The configuration file '{path}' could not be found."))
}
