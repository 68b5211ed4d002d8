//! `CustomFieldsManager`: which custom fields there are, and their values on
//! entities.
//!
//! `availableField` of an entity is computed when it is read: a field that is
//! defined is there on every entity of its type at once, on those of tomorrow too.

use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::events;
use super::managed_entity::set_field;
use super::service::Service;
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::{Properties, Read, Snapshot};
use crate::schema::{Type, method, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::{object, path};

pub(super) const METHODS: &[Entry] = &[
    (ty::CustomFieldsManager, method::AddCustomFieldDef, Handler::Now(add)),
    (ty::CustomFieldsManager, method::RemoveCustomFieldDef, Handler::Now(remove)),
    (ty::CustomFieldsManager, method::RenameCustomFieldDef, Handler::Now(rename)),
    (ty::CustomFieldsManager, method::SetField, Handler::Now(set)),
];

fn manager() -> MoRef {
    MoRef::new(ty::CustomFieldsManager, "CustomFieldsManager")
}

/// The definitions there are.
fn defined(state: &(impl Read + ?Sized)) -> &[Value] {
    let fields = state.at(&manager(), path!(CustomFieldsManager, "field"));
    fields.map(Value::items).unwrap_or_default()
}

fn key(field: &Value) -> Option<i32> {
    field.as_object()?.at(path!(CustomFieldDef, "key"))?.as_i32()
}

fn name(field: &Value) -> Option<&str> {
    field.as_object()?.at(path!(CustomFieldDef, "name"))?.as_str()
}

/// Whether entities of type `of` have the field.
fn applies(field: &Value, of: Type) -> bool {
    let field = field.as_object();
    let wanted = field.and_then(|it| it.at(path!(CustomFieldDef, "managedObjectType"))?.as_str());
    wanted.is_none_or(|wanted| entity_type(wanted).is_some_and(|wanted| of.is_a(wanted)))
}

/// The type of entities that a client names, in either spelling.
fn entity_type(name: &str) -> Option<Type> {
    let found = Type::by_name(name.strip_prefix("vim.").unwrap_or(name));
    found.filter(|of| of.is_a(ty::ManagedEntity))
}

/// An entity as it is read, with the fields that it can have.
pub(super) fn shown(state: &Snapshot, mo: &MoRef, stored: Properties) -> Properties {
    let fields = defined(state);
    if fields.is_empty() {
        return stored;
    }
    let available = fields.iter().filter(|field| applies(field, mo.ty())).cloned().collect();
    let slot = const { ty::ManagedEntity.slot("availableField") };
    stored.with(slot, Array::new(ty::CustomFieldDef, available))
}

/// A name that no other field has.
fn free_name(state: &(impl Read + ?Sized), asked: &str, of: Option<i32>) -> Result<(), Fault> {
    if asked.is_empty() {
        return Err(Fault::invalid_argument("name"));
    }
    let taken = defined(state).iter().any(|it| name(it) == Some(asked) && key(it) != of);
    if taken { Err(Fault::duplicate_name(asked, &manager())) } else { Ok(()) }
}

fn check_policy(state: &(impl Read + ?Sized), policy: Option<&Value>) -> Result<(), Fault> {
    let Some(policy) = policy.and_then(Value::as_object) else { return Ok(()) };
    let authority = MoRef::new(ty::AuthorizationManager, "AuthorizationManager");
    let known = state.at(&authority, path!(AuthorizationManager, "privilegeList"));
    let known = known.map(Value::items).unwrap_or_default();
    let is_known = |wanted: &str| {
        let ids = known.iter().filter_map(Value::as_object);
        ids.filter_map(|it| it.at(path!(AuthorizationPrivilege, "privId"))?.as_str())
            .any(|id| id == wanted)
    };
    match policy.iter().filter_map(|(_, value)| value.as_str()).find(|id| !is_known(id)) {
        Some(unknown) => Err(Fault::new(
            object!(InvalidPrivilege { privilege: unknown }),
            format!("The privilege '{unknown}' is not known."),
        )),
        None => Ok(()),
    }
}

fn add(service: &Service, call: &Call) -> Answer {
    let asked = call.text(arg!(AddCustomFieldDef.name));
    let of = match call.text(arg!(AddCustomFieldDef.moType)) {
        "" => None,
        of => Some(entity_type(of).ok_or_else(|| Fault::invalid_argument("moType"))?),
    };
    let policies = (
        call.get(arg!(AddCustomFieldDef.fieldDefPolicy)),
        call.get(arg!(AddCustomFieldDef.fieldPolicy)),
    );
    let field = service.commit(call, |tx| {
        free_name(tx, asked, None)?;
        check_policy(tx, policies.0)?;
        check_policy(tx, policies.1)?;
        // From the counter behind ids: the key of a removed field never comes back.
        let key = i32::try_from(tx.next_number()).unwrap_or(i32::MAX);
        let field = object!(CustomFieldDef {
            key: key,
            name: asked,
            type: "string",
            managedObjectType: of.map(Type::name),
            fieldDefPrivileges: policies.0,
            fieldInstancePrivileges: policies.1,
        });
        let mut all = defined(tx).to_vec();
        all.push(Value::from(&field));
        write(tx, all)?;
        let event = object!(CustomFieldDefAddedEvent { fieldKey: key, name: asked });
        events::post_of_server(tx, &event);
        Ok(field)
    })?;
    service.touch_all();
    Ok(Some(field.into()))
}

fn write(tx: &mut Tx<'_>, fields: Vec<Value>) -> Result<(), Fault> {
    let fields = Array::new(ty::CustomFieldDef, fields);
    tx.set(&manager(), path!(CustomFieldsManager, "field"), fields)
}

/// Gives a custom field of an entity a value, as somebody wants it.
pub(super) fn change_field(
    tx: &mut Tx<'_>,
    entity: &MoRef,
    key: i32,
    value: &str,
) -> Result<(), Fault> {
    let name = name(find(tx, key)?).unwrap_or_default().to_owned();
    let held = tx.at(entity, path!(ExtensibleManagedObject, "value")).map(Value::items);
    let held =
        held.unwrap_or_default().iter().filter_map(Value::as_object).find(|held| {
            held.at(path!(CustomFieldValue, "key")).and_then(Value::as_i32) == Some(key)
        });
    let before = held.and_then(|held| held.field("value")).and_then(Value::as_str);
    let before = before.map(str::to_owned);
    set_field(tx, entity, key, value)?;
    if !entity.ty().is_a(ty::ManagedEntity) {
        return Ok(());
    }
    let argument = events::entity_argument(tx, entity);
    let event = object!(CustomFieldValueChangedEvent {
        entity: argument,
        fieldKey: key,
        name: name,
        value: value,
        prevState: before,
    });
    events::post(tx, entity, event);
    Ok(())
}

/// The definition with the key.
fn find(state: &(impl Read + ?Sized), wanted: i32) -> Result<&Value, Fault> {
    let found = defined(state).iter().find(|field| key(field) == Some(wanted));
    found.ok_or_else(|| Fault::invalid_argument("key"))
}

fn asked_key(call: &Call, slot: usize) -> Result<i32, Fault> {
    call.required(slot)?.as_i32().ok_or_else(|| Fault::invalid_argument("key"))
}

fn remove(service: &Service, call: &Call) -> Answer {
    let wanted = asked_key(call, arg!(RemoveCustomFieldDef.key))?;
    service.commit(call, |tx| {
        let name = name(find(tx, wanted)?).unwrap_or_default().to_owned();
        let event = object!(CustomFieldDefRemovedEvent { fieldKey: wanted, name: name });
        events::post_of_server(tx, &event);
        let has_it = |object: &Object| {
            let held = object.at(path!(ExtensibleManagedObject, "value")).map(Value::items);
            held.unwrap_or_default().iter().filter_map(Value::as_object).any(|held| {
                held.at(path!(CustomFieldValue, "key")).and_then(Value::as_i32) == Some(wanted)
            })
        };
        let holders: Vec<MoRef> = tx
            .iter()
            .filter(|(mo, object)| mo.ty().is_a(ty::ExtensibleManagedObject) && has_it(object))
            .map(|(mo, _)| mo.clone())
            .collect();
        for holder in holders {
            set_field(tx, &holder, wanted, "")?;
        }
        let rest = defined(tx).iter().filter(|field| key(field) != Some(wanted)).cloned().collect();
        write(tx, rest)
    })?;
    service.touch_all();
    Ok(None)
}

fn rename(service: &Service, call: &Call) -> Answer {
    let wanted = asked_key(call, arg!(RenameCustomFieldDef.key))?;
    let asked = call.text(arg!(RenameCustomFieldDef.name));
    service.commit(call, |tx| {
        let name = name(find(tx, wanted)?).unwrap_or_default().to_owned();
        free_name(tx, asked, Some(wanted))?;
        let slot = const { ty::CustomFieldDef.slot("name") };
        let renamed = |field: &Value| match field.as_object() {
            Some(object) if key(field) == Some(wanted) => object.with(slot, asked).into(),
            _ => field.clone(),
        };
        let all = defined(tx).iter().map(renamed).collect();
        write(tx, all)?;
        let event =
            object!(CustomFieldDefRenamedEvent { fieldKey: wanted, name: name, newName: asked });
        events::post_of_server(tx, &event);
        Ok(())
    })?;
    service.touch_all();
    Ok(None)
}

fn set(service: &Service, call: &Call) -> Answer {
    let wanted = asked_key(call, arg!(SetField.key))?;
    let entity =
        call.moref(arg!(SetField.entity)).ok_or_else(|| Fault::invalid_argument("entity"))?;
    let value = call.text(arg!(SetField.value));
    service.commit(call, |tx| {
        if !tx.exists(entity) {
            return Err(Fault::not_found(entity));
        }
        if !applies(find(tx, wanted)?, entity.ty()) {
            return Err(Fault::invalid_argument("entity"));
        }
        change_field(tx, entity, wanted, value)
    })?;
    Ok(None)
}
