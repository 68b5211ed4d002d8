//! Hosts that join the inventory: by themselves or in a cluster.
//!
//! Whoever gives a host's name gets one: it has the hardware of all the others,
//! no machines, the datacenter's standard networks, and of its datastores
//! those that all the hosts beside it have.

use std::sync::Arc;

use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{Type, method, ty};
use crate::value::{MoRef, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::containment;
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::folder::require_kind;
use crate::vsphere::model::folder::FolderKind;
use crate::vsphere::model::host::NewHost;
use crate::vsphere::model::pool::NewPool;
use crate::vsphere::model::{self, Catalog};
use crate::vsphere::operation::Operation;
use crate::vsphere::placement;
use crate::vsphere::service::Service;
use crate::{object, path};

use super::connection::set_connection;

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::Folder, method::AddStandaloneHost_Task, Handler::Task(add_standalone)),
    (ty::ClusterComputeResource, method::AddHost_Task, Handler::Task(add)),
];

/// Numbers from here on are the addresses of hosts that join; below are those
/// of the initial inventory.
const FIRST_NUMBER: u64 = 1_000_000;

fn add_standalone(service: &Service, call: &Call) -> Result<Operation, Fault> {
    require_kind(&*service.engine().snapshot(), &call.this, FolderKind::Host)?;
    let connected = call.flag(arg!(AddStandaloneHost_Task.addConnected));
    plan(service, call, arg!(AddStandaloneHost_Task.spec), connected)
}

fn add(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let connected = call.flag(arg!(AddHost_Task.asConnected));
    plan(service, call, arg!(AddHost_Task.spec), connected)
}

fn plan(service: &Service, call: &Call, spec: usize, connected: bool) -> Result<Operation, Fault> {
    if service.catalog().is_esx() {
        return Err(Fault::not_supported());
    }
    let spec = call.required(spec)?.as_object();
    let name = spec.and_then(|spec| spec.at(path!(HostConnectSpec, "hostName"))?.as_str());
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Fault::invalid_argument("spec.hostName"))?.to_owned();
    let catalog = service.catalog().clone();
    Ok(Operation::new(Join { catalog, place: call.this.clone(), name, connected }).shared())
}

#[derive(Clone, Debug)]
struct Join {
    catalog: Arc<Catalog>,
    /// A folder of hosts, or a cluster.
    place: MoRef,
    name: String,
    connected: bool,
}

impl Join {
    fn check(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        if !tx.exists(&self.place) {
            return Err(Fault::not_found(&self.place));
        }
        let has_name = |mo: &MoRef| {
            mo.ty().is_a(ty::HostSystem)
                && tx.text(mo, path!(HostSystem, "name")).eq_ignore_ascii_case(&self.name)
        };
        match tx.all_refs().find(|mo| has_name(mo)) {
            Some(holder) => Err(Fault::duplicate_name(&self.name, holder)),
            None => Ok(()),
        }
    }
}

impl Job for Join {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.check(tx)
    }

    /// The result is what was made: the compute resource of a host by itself,
    /// the host in a cluster.
    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        self.check(tx)?;
        let (compute, alone) = if self.place.ty().is_a(ty::Folder) {
            (new_compute(tx, &self.place, &self.name, ty::ComputeResource)?, true)
        } else {
            (self.place.clone(), false)
        };
        let host = tx.next_moref(ty::HostSystem, "host");
        let number = tx.next_number();
        self.catalog.host().insert(
            tx,
            &NewHost {
                mo: &host,
                name: &self.name,
                parent: &compute,
                number: FIRST_NUMBER + number,
                seed: &self.name,
                proxy_switches: Vec::new(),
            },
        )?;
        equip(tx, &host, &compute)?;
        tx.push_ref(&compute, path!(ComputeResource, "host"), &host)?;
        model::compute::refresh(tx, &compute)?;
        events::post(tx, &host, object!(HostAddedEvent {}));
        if self.connected {
            events::post(tx, &host, object!(HostConnectedEvent {}));
        } else {
            set_connection(tx, &host, "disconnected")?;
        }
        Ok(Some(if alone { compute } else { host }.into()))
    }

    fn stopped(&self, tx: &mut Tx<'_>, _: &Fault) {
        events::post(tx, &self.place, object!(HostAddFailedEvent { hostname: &self.name }));
    }
}

/// A compute resource without hosts, with its root pool: for a host by itself,
/// or a cluster.
pub(in crate::vsphere) fn new_compute(
    tx: &mut Tx<'_>,
    folder: &MoRef,
    name: &str,
    of: Type,
) -> Result<MoRef, Fault> {
    let now = tx.now();
    let is_cluster = of.is_a(ty::ClusterComputeResource);
    let prefix = if is_cluster { "domain-c" } else { "computeresource-" };
    let mo = MoRef::new(of, &format!("{prefix}{}", tx.next_number()));
    let pool = tx.next_moref(ty::ResourcePool, "resgroup");
    let environment = MoRef::new(ty::EnvironmentBrowser, &format!("envbrowser-{}", mo.id()));
    let browser = MoRef::new(ty::HostDatastoreBrowser, &format!("datastoreBrowser-{}", mo.id()));
    tx.insert(browser.clone(), model::datastore::browser(&[]));
    tx.insert(environment.clone(), object!(EnvironmentBrowser { datastoreBrowser: &browser }));
    let properties = model::compute::compute_resource(&model::compute::NewCompute {
        mo: &mo,
        name,
        parent: folder,
        pool: &pool,
        environment: &environment,
    });
    tx.insert(mo.clone(), properties);
    let root = NewPool { mo: &pool, name: "Resources", parent: &mo, owner: &mo, now };
    tx.insert(pool.clone(), model::pool::resource_pool(&root, (0, 0)));
    tx.push_ref(folder, path!(Folder, "childEntity"), &mo)?;
    Ok(mo)
}

/// Gives a new host its datastores and networks, and tells both.
fn equip(tx: &mut Tx<'_>, host: &MoRef, compute: &MoRef) -> Result<(), Fault> {
    let Some(datacenter) = placement::datacenter(tx, compute) else { return Ok(()) };
    let mut beside = placement::hosts(tx, compute);
    if beside.is_empty() {
        beside = hosts_below(tx, &datacenter);
        beside.retain(|other| other != host);
    }
    let mut stores = tx.morefs(&datacenter, path!(Datacenter, "datastore"));
    stores.retain(|store| {
        !beside.is_empty()
            && beside
                .iter()
                .all(|other| tx.morefs(other, path!(HostSystem, "datastore")).contains(store))
    });
    let mut networks = tx.morefs(&datacenter, path!(Datacenter, "network"));
    networks.retain(|network| network.ty() == ty::Network);
    for store in &stores {
        let Some(mount) = tx.get(store).map(model::datastore::mount_info) else { continue };
        let held = tx.at(store, path!(Datastore, "host")).map(|held| held.items().to_vec());
        let mut mounts = held.unwrap_or_default();
        mounts.push(object!(DatastoreHostMount { key: host, mountInfo: mount }).into());
        tx.set(store, path!(Datastore, "host"), mounts)?;
        tx.push_ref(compute, path!(ComputeResource, "datastore"), store)?;
    }
    model::host::mount(tx, host, &stores)?;
    for network in &networks {
        tx.push_ref(network, path!(Network, "host"), host)?;
        tx.push_ref(compute, path!(ComputeResource, "network"), network)?;
    }
    tx.set(host, path!(HostSystem, "network"), networks)?;
    let browser = tx
        .moref(compute, path!(ComputeResource, "environmentBrowser"))
        .and_then(|it| tx.moref(it, path!(EnvironmentBrowser, "datastoreBrowser")))
        .cloned();
    let all = tx.morefs(compute, path!(ComputeResource, "datastore"));
    match browser {
        Some(browser) => tx.set(&browser, path!(HostDatastoreBrowser, "datastore"), all),
        None => Ok(()),
    }
}

fn hosts_below(tx: &Tx<'_>, top: &MoRef) -> Vec<MoRef> {
    let is_there = |mo: &&MoRef| mo.ty().is_a(ty::HostSystem) && containment::is_below(tx, mo, top);
    tx.all_refs().filter(is_there).cloned().collect()
}
