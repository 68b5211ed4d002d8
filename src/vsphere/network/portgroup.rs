//! `AddDVPortgroup_Task`, `CreateDVPortgroup_Task`,
//! `ReconfigureDVPortgroup_Task`: the port groups of distributed switches.

use super::{enlist, next_version, take, text};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::folder::free_child_name;
use crate::vsphere::managed_entity;
use crate::vsphere::model::dvs::{self, PortGroup};
use crate::vsphere::model::{self, dvs_members, dvs_ports};
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::DistributedVirtualSwitch, method::AddDVPortgroup_Task, Handler::Task(add)),
    (ty::DistributedVirtualSwitch, method::CreateDVPortgroup_Task, Handler::Task(create)),
    (
        ty::DistributedVirtualPortgroup,
        method::ReconfigureDVPortgroup_Task,
        Handler::Task(reconfigure),
    ),
];

/// What is not simply taken over from a specification.
const SPECIAL: [&str; 3] = ["configVersion", "name", "numPorts"];

const TYPES: [&str; 3] = ["earlyBinding", "lateBinding", "ephemeral"];

fn add(_: &Service, call: &Call) -> Result<Operation, Fault> {
    let specs = call.required(arg!(AddDVPortgroup_Task.spec))?;
    let specs: Vec<Object> = specs.items().iter().filter_map(Value::as_object).cloned().collect();
    specs.iter().try_for_each(check_new)?;
    Ok(Operation::new(Create { switch: call.this.clone(), specs, alone: false }))
}

fn create(_: &Service, call: &Call) -> Result<Operation, Fault> {
    let spec = call.required(arg!(CreateDVPortgroup_Task.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    check_new(spec)?;
    let specs = vec![spec.clone()];
    Ok(Operation::new(Create { switch: call.this.clone(), specs, alone: true }))
}

fn reconfigure(_: &Service, call: &Call) -> Result<Operation, Fault> {
    let spec = call.required(arg!(ReconfigureDVPortgroup_Task.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    check(spec)?;
    Ok(Operation::new(Reconfigure { group: call.this.clone(), spec: spec.clone() }))
}

fn check_new(spec: &Object) -> Result<(), Fault> {
    if text(spec, "name").is_empty() {
        return Err(Fault::invalid_argument("spec.name"));
    }
    check(spec)
}

fn check(spec: &Object) -> Result<(), Fault> {
    let of = text(spec, "type");
    if !of.is_empty() && !TYPES.contains(&of) {
        return Err(Fault::invalid_argument("spec.type"));
    }
    match count(spec) {
        Some(None) => Err(Fault::invalid_argument("spec.numPorts")),
        _ => Ok(()),
    }
}

/// The most ports of a port group.
const MOST: usize = 8192;

/// How many ports are asked for, if the specification says; nothing in it: that
/// cannot be.
fn count(spec: &Object) -> Option<Option<usize>> {
    let asked = spec.field("numPorts")?.as_i64()?;
    Some(usize::try_from(asked).ok().filter(|count| *count <= MOST))
}

#[derive(Clone, Debug)]
struct Create {
    switch: MoRef,
    specs: Vec<Object>,
    /// Whether the one group is the result.
    alone: bool,
}

impl Create {
    fn folder(&self, tx: &Tx<'_>) -> Result<MoRef, Fault> {
        let folder = tx.moref(&self.switch, path!(ManagedEntity, "parent")).cloned();
        folder.ok_or_else(|| Fault::not_found(&self.switch))
    }
}

impl Job for Create {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        let folder = self.folder(tx)?;
        self.specs
            .iter()
            .try_for_each(|spec| free_child_name(tx, &folder, text(spec, "name")).map(drop))
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let folder = self.folder(tx)?;
        let mut made = Vec::new();
        for spec in &self.specs {
            let name = free_child_name(tx, &folder, text(spec, "name"))?;
            let group = tx.next_moref(ty::DistributedVirtualPortgroup, "dvportgroup");
            let properties = dvs::portgroup(&PortGroup {
                mo: &group,
                name: &name,
                parent: &folder,
                switch: &self.switch,
                uplink: false,
                first_port: 0,
                ports: 0,
                segment: None,
            });
            tx.insert(group.clone(), properties);
            tx.push_ref(&folder, path!(Folder, "childEntity"), &group)?;
            dvs_members::add_group(tx, &self.switch, &group)?;
            enlist(tx, &group)?;
            let ports = usize::try_from(dvs::PORTS).unwrap_or_default();
            dvs_ports::resize(tx, &group, count(spec).flatten().unwrap_or(ports))?;
            configure(tx, &group, spec)?;
            events::post(tx, &group, object!(DVPortgroupCreatedEvent {}));
            made.push(group);
        }
        Ok(made.pop().filter(|_| self.alone).map(Value::from))
    }
}

#[derive(Clone, Debug)]
struct Reconfigure {
    group: MoRef,
    spec: Object,
}

impl Reconfigure {
    fn config(&self, tx: &Tx<'_>) -> Result<Object, Fault> {
        let config = tx.at(&self.group, path!(DistributedVirtualPortgroup, "config"));
        config.and_then(Value::as_object).cloned().ok_or_else(|| Fault::not_found(&self.group))
    }
}

impl Job for Reconfigure {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.config(tx)?;
        let version = path!(DistributedVirtualPortgroup, "config.configVersion");
        next_version(tx, &self.group, version, self.spec.field("configVersion"))?;
        let used = tx.at(&self.group, path!(Network, "vm")).map_or(0, |list| list.elements().len());
        match count(&self.spec).flatten() {
            Some(count) if count < used => Err(Fault::new(
                object!(ResourceInUse { type: "DistributedVirtualPort", name: self.group.id() }),
                format!("{used} ports of the port group are in use."),
            )),
            _ => Ok(()),
        }
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        self.begin(tx, task)?;
        let before = self.config(tx)?;
        let name = text(&self.spec, "name");
        if !name.is_empty() && name != text(&before, "name") {
            let old = text(&before, "name").to_owned();
            let name = managed_entity::free_name(tx, &self.group, name)?;
            let now = tx.now();
            model::rename(tx, &self.group, &name, now)?;
            events::life::renamed(tx, &self.group, &old);
        }
        if let Some(count) = count(&self.spec).flatten() {
            dvs_ports::resize(tx, &self.group, count)?;
        }
        configure(tx, &self.group, &self.spec)?;
        let changes = events::between(&before, &self.config(tx)?);
        let spec = &self.spec;
        let event =
            object!(DVPortgroupReconfiguredEvent { configSpec: spec, configChanges: changes });
        events::post(tx, &self.group, event);
        Ok(None)
    }
}

/// Changes a port group as `spec` says; name and number of ports aside.
fn configure(tx: &mut Tx<'_>, group: &MoRef, spec: &Object) -> Result<(), Fault> {
    let path = path!(DistributedVirtualPortgroup, "config.configVersion");
    let version = next_version(tx, group, path, None)?;
    let held = tx.at(group, path!(DistributedVirtualPortgroup, "config"));
    let held = held.and_then(Value::as_object).ok_or_else(|| Fault::not_found(group))?;
    let mut next = held.edit();
    take(&mut next, spec, &SPECIAL);
    next.set(const { ty::DVPortgroupConfigInfo.slot("configVersion") }, version);
    tx.set(group, path!(DistributedVirtualPortgroup, "config"), next.finish())
}
