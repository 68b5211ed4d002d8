//! What every managed entity answers: `Rename_Task`, `Destroy_Task`, `Reload`,
//! and the values of custom fields.

use super::call::{Call, arg};
use super::containment;
use super::custom_fields;
use super::dispatch::{Answer, Entry, Handler};
use super::events;
use super::names;
use super::operation::Operation;
use super::service::Service;
use super::{model, removal};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, Value};
use crate::{object, path};

pub(super) const METHODS: &[Entry] = &[
    (ty::ManagedEntity, method::Rename_Task, Handler::Task(start_rename)),
    (ty::ManagedEntity, method::Destroy_Task, Handler::Task(start_destroy)),
    (ty::ManagedEntity, method::Reload, Handler::Now(reload)),
    (ty::ExtensibleManagedObject, method::setCustomValue, Handler::Now(set_custom_value)),
];

/// The name `asked` in the form in which the inventory stores it, if the
/// entity can have it.
pub(super) fn free_name(
    state: &(impl Read + ?Sized),
    entity: &MoRef,
    asked: &str,
) -> Result<String, Fault> {
    let name = names::stored(asked, Some(entity))?;
    if let Some(parent) = containment::parent(state, entity) {
        let in_pool = parent.ty().is_a(ty::ResourcePool) && entity.ty().is_a(ty::ResourcePool);
        let of = if in_pool { ty::ResourcePool } else { ty::ManagedEntity };
        names::check_free(state, &parent, of, &name, Some(entity))?;
    }
    Ok(name)
}

/// Whether the name of an entity is its own: a host's is its address, the root
/// of a compute resource's pools and standard networks are named by others.
fn can_be_renamed(state: &(impl Read + ?Sized), entity: &MoRef) -> bool {
    let of = entity.ty();
    let parent = containment::parent(state, entity);
    let on_compute = parent.as_ref().is_some_and(|parent| parent.ty().is_a(ty::ComputeResource));
    !(parent.is_none()
        || of.is_a(ty::HostSystem)
        || of == ty::ComputeResource
        || of == ty::Network
        || of == ty::OpaqueNetwork
        || (of.is_a(ty::ResourcePool) && on_compute))
}

fn start_rename(service: &Service, call: &Call) -> Result<Operation, Fault> {
    if !can_be_renamed(&*service.engine().snapshot(), &call.this) {
        return Err(Fault::not_supported());
    }
    let asked = call.text(arg!(Rename_Task.newName)).to_owned();
    Ok(Operation::new(Rename { entity: call.this.clone(), asked }))
}

#[derive(Clone, Debug)]
struct Rename {
    entity: MoRef,
    asked: String,
}

impl Job for Rename {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        free_name(tx, &self.entity, &self.asked).map(drop)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let name = free_name(tx, &self.entity, &self.asked)?;
        let now = tx.now();
        let before = tx.text(&self.entity, path!(ManagedEntity, "name")).to_owned();
        model::rename(tx, &self.entity, &name, now)?;
        events::life::renamed(tx, &self.entity, &before);
        Ok(None)
    }
}

fn start_destroy(service: &Service, call: &Call) -> Result<Operation, Fault> {
    // Of what a host by itself has, machines and pools can go.
    if !(call.this.ty().is_a(ty::VirtualMachine) || call.this.ty().is_a(ty::ResourcePool)) {
        service.require_vcenter()?;
    }
    if !removal::can_be_destroyed(&*service.engine().snapshot(), &call.this) {
        return Err(Fault::not_supported());
    }
    Ok(Operation::new(Destroy { entity: call.this.clone() }))
}

#[derive(Clone, Debug)]
struct Destroy {
    entity: MoRef,
}

impl Job for Destroy {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        removal::check(tx, &self.entity)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        removal::check(tx, &self.entity)?;
        removal::destroy(tx, &self.entity)?;
        Ok(None)
    }
}

/// Everything is always up to date here.
fn reload(_: &Service, _: &Call) -> Answer {
    Ok(None)
}

/// Custom fields are named by their definition: unknown names are a mistake.
fn set_custom_value(service: &Service, call: &Call) -> Answer {
    let (name, value) =
        (call.text(arg!(setCustomValue.key)), call.text(arg!(setCustomValue.value)));
    service.commit(call, |tx| {
        let manager = MoRef::new(ty::CustomFieldsManager, "CustomFieldsManager");
        let fields = tx.at(&manager, path!(CustomFieldsManager, "field"));
        let key = fields.map_or(&[][..], Value::items).iter().find_map(|field| {
            let field = field.as_object()?;
            let is_it = field.at(path!(CustomFieldDef, "name"))?.as_str()? == name;
            is_it.then(|| field.at(path!(CustomFieldDef, "key"))?.as_i32()).flatten()
        });
        let key = key.ok_or_else(|| Fault::invalid_argument("key"))?;
        custom_fields::change_field(tx, &call.this, key, value)
    })?;
    Ok(None)
}

/// Gives the custom field `key` of an entity a value, under each of its names;
/// an empty value takes it away.
pub(super) fn set_field(tx: &mut Tx<'_>, mo: &MoRef, key: i32, value: &str) -> Result<(), Fault> {
    let is_entity = mo.ty().is_a(ty::ManagedEntity);
    let held = tx.at(mo, path!(ExtensibleManagedObject, "value"));
    let mut values = held.map(|held| held.items().to_vec()).unwrap_or_default();
    values.retain(|held| {
        let held = held.as_object().and_then(|held| held.at(path!(CustomFieldValue, "key")));
        held.and_then(Value::as_i32) != Some(key)
    });
    if !value.is_empty() {
        values.push(object!(CustomFieldStringValue { key: key, value: value }).into());
    }
    let values = Array::new(ty::CustomFieldValue, values);
    tx.set(mo, path!(ExtensibleManagedObject, "value"), values.clone())?;
    if is_entity {
        tx.set(mo, path!(ManagedEntity, "customValue"), values.clone())?;
    }
    if mo.ty().is_a(ty::VirtualMachine) {
        let now = tx.now();
        model::vm::refresh(tx, mo, now)?;
    } else if mo.ty().is_a(ty::HostSystem) {
        tx.set(mo, path!(HostSystem, "summary.customValue"), values)?;
    }
    Ok(())
}
