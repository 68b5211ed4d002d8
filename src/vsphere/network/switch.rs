//! `CreateDVS_Task`, `ReconfigureDvs_Task`: distributed switches, and the hosts
//! that are their members.

use super::{enlist, next_version, take, text};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::folder::{free_child_name, require_kind};
use crate::vsphere::model::dvs::{self, PortGroup, Switch};
use crate::vsphere::model::folder::FolderKind;
use crate::vsphere::model::{self, dvs_members};
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::{managed_entity, placement};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::Folder, method::CreateDVS_Task, Handler::Task(create)),
    (ty::DistributedVirtualSwitch, method::ReconfigureDvs_Task, Handler::Task(reconfigure)),
];

/// What is not simply taken over from a specification.
const SPECIAL: [&str; 7] = [
    "configVersion",
    "name",
    "host",
    "numStandalonePorts",
    "pvlanConfigSpec",
    "vspanConfigSpec",
    "uplinkPortgroup",
];

fn create(service: &Service, call: &Call) -> Result<Operation, Fault> {
    service.require_vcenter()?;
    require_kind(&*service.engine().snapshot(), &call.this, FolderKind::Network)?;
    let spec = call.required(arg!(CreateDVS_Task.spec))?.as_object();
    let config = spec.and_then(|spec| spec.at(path!(DVSCreateSpec, "configSpec"))?.as_object());
    let config = config.ok_or_else(|| Fault::invalid_argument("spec.configSpec"))?;
    if text(config, "name").is_empty() {
        return Err(Fault::invalid_argument("spec.configSpec.name"));
    }
    let asked = spec.and_then(|spec| spec.at(path!(DVSCreateSpec, "productInfo.version")));
    let version = asked.and_then(Value::as_str).filter(|version| !version.is_empty());
    let version = version.unwrap_or(service.catalog().release().switch_version()).to_owned();
    let job = Create { folder: call.this.clone(), version, spec: config.clone() };
    Ok(Operation::new(job).shared())
}

fn reconfigure(_: &Service, call: &Call) -> Result<Operation, Fault> {
    let spec = call.required(arg!(ReconfigureDvs_Task.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    Ok(Operation::new(Reconfigure { switch: call.this.clone(), spec: spec.clone() }))
}

#[derive(Clone, Debug)]
struct Create {
    folder: MoRef,
    version: String,
    /// A `DVSConfigSpec`.
    spec: Object,
}

impl Create {
    fn make(&self, tx: &mut Tx<'_>) -> Result<MoRef, Fault> {
        let name = free_child_name(tx, &self.folder, text(&self.spec, "name"))?;
        let number = tx.next_number();
        let switch = MoRef::new(ty::DistributedVirtualSwitch, &format!("dvs-{number}"));
        let uplinks = tx.next_moref(ty::DistributedVirtualPortgroup, "dvportgroup");
        let uplinks_name = format!("{name}-DVUplinks-{number}");
        let uuid = tx.ids().uuid().hyphenated().to_string();
        let group = dvs::portgroup(&PortGroup {
            mo: &uplinks,
            name: &uplinks_name,
            parent: &self.folder,
            switch: &switch,
            uplink: true,
            first_port: 0,
            ports: 0,
            segment: None,
        });
        let properties = dvs::switch(&Switch {
            mo: &switch,
            name: &name,
            uuid: &uuid,
            parent: &self.folder,
            uplinks: &uplinks,
            portgroups: &[(uplinks.clone(), uplinks_name)],
            hosts: &[],
            version: &self.version,
            now: tx.now(),
        });
        for (mo, properties) in [(&switch, properties), (&uplinks, group)] {
            tx.insert(mo.clone(), properties);
            tx.push_ref(&self.folder, path!(Folder, "childEntity"), mo)?;
        }
        enlist(tx, &uplinks)?;
        let into = events::argument(tx, &self.folder);
        events::post(tx, &switch, object!(DvsCreatedEvent { parent: into }));
        events::post(tx, &uplinks, object!(DVPortgroupCreatedEvent {}));
        configure(tx, &switch, &self.spec)?;
        Ok(switch)
    }
}

impl Job for Create {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        free_child_name(tx, &self.folder, text(&self.spec, "name"))?;
        members(&self.spec).try_for_each(|asked| check_member(tx, &self.folder, None, asked))
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        Ok(Some(self.make(tx)?.into()))
    }
}

#[derive(Clone, Debug)]
struct Reconfigure {
    switch: MoRef,
    spec: Object,
}

impl Job for Reconfigure {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        if !tx.exists(&self.switch) {
            return Err(Fault::not_found(&self.switch));
        }
        let version = path!(DistributedVirtualSwitch, "config.configVersion");
        next_version(tx, &self.switch, version, self.spec.field("configVersion"))?;
        members(&self.spec)
            .try_for_each(|asked| check_member(tx, &self.switch, Some(&self.switch), asked))
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        self.begin(tx, task)?;
        let before = config(tx, &self.switch)?;
        let name = text(&self.spec, "name");
        if !name.is_empty() && name != text(&before, "name") {
            let old = text(&before, "name").to_owned();
            let name = managed_entity::free_name(tx, &self.switch, name)?;
            let now = tx.now();
            model::rename(tx, &self.switch, &name, now)?;
            events::life::renamed(tx, &self.switch, &old);
        }
        configure(tx, &self.switch, &self.spec)?;
        let changes = events::between(&before, &config(tx, &self.switch)?);
        let spec = &self.spec;
        let event = object!(DvsReconfiguredEvent { configSpec: spec, configChanges: changes });
        events::post(tx, &self.switch, event);
        Ok(None)
    }
}

fn config(state: &(impl Read + ?Sized), switch: &MoRef) -> Result<Object, Fault> {
    let config = state.at(switch, path!(DistributedVirtualSwitch, "config"));
    config.and_then(Value::as_object).cloned().ok_or_else(|| Fault::not_found(switch))
}

/// What a specification says of hosts.
fn members(spec: &Object) -> impl Iterator<Item = &Object> {
    let list = spec.field("host").map_or(&[][..], Value::items);
    list.iter().filter_map(Value::as_object)
}

fn host_of(asked: &Object) -> Result<&MoRef, Fault> {
    let host = asked.at(path!(DistributedVirtualSwitchHostMemberConfigSpec, "host"));
    host.and_then(Value::as_moref).ok_or_else(|| Fault::invalid_argument("spec.host.host"))
}

/// Whether a host can become a member, be changed or leave; `near` stands in
/// the switch's datacenter.
fn check_member(
    tx: &Tx<'_>,
    near: &MoRef,
    switch: Option<&MoRef>,
    asked: &Object,
) -> Result<(), Fault> {
    let host = host_of(asked)?;
    if !tx.exists(host) {
        return Err(Fault::not_found(host));
    }
    if placement::datacenter(tx, host) != placement::datacenter(tx, near) {
        return Err(Fault::invalid_argument("spec.host.host"));
    }
    let is_member = switch.is_some_and(|switch| dvs_members::hosts(tx, switch).contains(host));
    match text(asked, "operation") {
        "add" if is_member => Err(Fault::new(
            object!(AlreadyExists { name: tx.text(host, path!(HostSystem, "name")) }),
            "The host is a member of the switch already.",
        )),
        "add" => Ok(()),
        "edit" | "remove" if !is_member => {
            Err(Fault::of(ty::NotFound, "The host is not a member of the switch."))
        }
        "edit" => Ok(()),
        "remove" => match switch {
            Some(switch) => check_unused(tx, switch, host),
            None => Ok(()),
        },
        _ => Err(Fault::invalid_argument("spec.host.operation")),
    }
}

/// A host on which machines are connected to a switch cannot leave it.
fn check_unused(tx: &Tx<'_>, switch: &MoRef, host: &MoRef) -> Result<(), Fault> {
    let machines = tx.morefs(host, path!(HostSystem, "vm"));
    let groups = tx.morefs(switch, path!(DistributedVirtualSwitch, "portgroup"));
    let used = groups.iter().flat_map(|group| tx.morefs(group, path!(Network, "vm")));
    match used.into_iter().find(|vm| machines.contains(vm)) {
        Some(vm) => Err(Fault::new(
            object!(ResourceInUse { type: "DistributedVirtualSwitch", name: switch.id() }),
            format!("The switch is in use by {vm} on the host."),
        )),
        None => Ok(()),
    }
}

/// Changes a switch as `spec` says; its name aside.
fn configure(tx: &mut Tx<'_>, switch: &MoRef, spec: &Object) -> Result<(), Fault> {
    for asked in members(spec) {
        let host = host_of(asked)?.clone();
        let argument = events::argument(tx, &host);
        let backing = asked.at(path!(DistributedVirtualSwitchHostMemberConfigSpec, "backing"));
        let backing = backing.and_then(Value::as_object);
        match text(asked, "operation") {
            "remove" => {
                dvs_members::leave(tx, switch, &host)?;
                events::post(tx, switch, object!(DvsHostLeftEvent { hostLeft: argument }));
            }
            "edit" => dvs_members::change(tx, switch, &host, backing)?,
            _ => {
                dvs_members::join(tx, switch, &host, backing)?;
                events::post(tx, switch, object!(DvsHostJoinedEvent { hostJoined: argument }));
            }
        }
    }
    let held = config(tx, switch)?;
    let path = path!(DistributedVirtualSwitch, "config.configVersion");
    let version = next_version(tx, switch, path, None)?;
    let mut next = held.edit();
    take(&mut next, spec, &SPECIAL);
    if let Some((slot, _)) = next.ty().field("pvlanConfig") {
        let held = held.field("pvlanConfig").map_or(&[][..], Value::items);
        let asked = spec.field("pvlanConfigSpec").map_or(&[][..], Value::items);
        next.set(slot, private_vlans(held, asked)?);
    }
    next.set(const { ty::DVSConfigInfo.slot("configVersion") }, version);
    let next = next.finish();
    for (field, path) in [
        ("description", path!(DistributedVirtualSwitch, "summary.description")),
        ("contact", path!(DistributedVirtualSwitch, "summary.contact")),
    ] {
        tx.set(switch, path, next.field(field).cloned())?;
    }
    tx.set(switch, path!(DistributedVirtualSwitch, "config"), next)
}

/// The private VLANs with those that are added, without those that are removed.
fn private_vlans(held: &[Value], asked: &[Value]) -> Result<Array, Fault> {
    let mut list = held.to_vec();
    for asked in asked.iter().filter_map(Value::as_object) {
        let entry = asked.at(path!(VMwareDVSPvlanConfigSpec, "pvlanEntry")).cloned();
        let entry = entry.ok_or_else(|| Fault::invalid_argument("spec.pvlanConfigSpec"))?;
        match text(asked, "operation") {
            "add" if !list.contains(&entry) => list.push(entry),
            "remove" if list.contains(&entry) => list.retain(|held| *held != entry),
            _ => return Err(Fault::invalid_argument("spec.pvlanConfigSpec.operation")),
        }
    }
    Ok(Array::new(ty::VMwareDVSPvlanMapEntry, list))
}
