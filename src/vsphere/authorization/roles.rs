//! Roles: adding, changing and removing them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::policy::{ADMIN, Policy, Role};
use super::{Authorization, no_such_role};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::object;
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Object, Str, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::Answer;
use crate::vsphere::service::Service;

/// What every role allows that is not the product's own.
const ALWAYS: [&str; 3] = ["System.Anonymous", "System.Read", "System.View"];

/// The privileges with those that every role has.
pub(super) fn complete(privileges: impl IntoIterator<Item = Str>) -> BTreeSet<Str> {
    privileges.into_iter().chain(ALWAYS.map(Str::from)).collect()
}

/// The role that an `AuthorizationRole` describes.
pub(super) fn read(role: &Object) -> Option<Role> {
    let privileges = role.at(path!(AuthorizationRole, "privilege")).map(Value::items);
    Some(Role {
        id: role.at(path!(AuthorizationRole, "roleId"))?.as_i32()?,
        name: Str::from(role.at(path!(AuthorizationRole, "name"))?.as_str()?),
        system: role.at(path!(AuthorizationRole, "system"))?.as_bool()?,
        privileges: privileges
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .map(Str::from)
            .collect(),
    })
}

/// A role as an `AuthorizationRole`.
pub(super) fn show(role: &Role) -> Object {
    let privileges: Vec<&Str> = role.privileges.iter().collect();
    object!(AuthorizationRole {
        roleId: role.id,
        system: role.system,
        name: &role.name,
        info: object!(Description { label: &role.name, summary: &role.name }),
        privilege: privileges,
    })
}

/// The next `roleList`: roles that have not changed stay as they are and where
/// they are, new ones come last.
pub(super) fn in_order(tx: &Transaction, manager: &MoRef, roles: Vec<Object>) -> Vec<Object> {
    let id = |role: &Object| role.at(path!(AuthorizationRole, "roleId")).cloned();
    let held = tx.at(manager, path!(AuthorizationManager, "roleList"));
    let held = held.map(Value::items).unwrap_or_default().iter().filter_map(Value::as_object);
    let mut rest = roles;
    let mut ordered = Vec::new();
    for held in held {
        let Some(at) = rest.iter().position(|role| id(role) == id(held)) else { continue };
        let role = rest.remove(at);
        let same = read(held) == read(&role);
        ordered.push(if same { held.clone() } else { role });
    }
    ordered.extend(rest);
    ordered
}

/// The privileges that an argument lists; `unknown` makes the fault for one
/// that there is not.
fn listed(
    authorization: &Authorization,
    call: &Call,
    slot: usize,
    unknown: impl Fn(&str) -> Fault,
) -> Result<Vec<Str>, Fault> {
    let ids = call.get(slot).map(Value::items).unwrap_or_default();
    ids.iter()
        .filter_map(Value::as_str)
        .map(|id| if authorization.knows(id) { Ok(Str::from(id)) } else { Err(unknown(id)) })
        .collect()
}

fn checked_name<'c>(
    policy: &Policy,
    call: &'c Call,
    slot: usize,
    own: Option<i32>,
) -> Result<&'c str, Fault> {
    let name = call.text(slot);
    if name.trim().is_empty() {
        return Err(Fault::invalid_name(name, None));
    }
    match policy.role_called(name).filter(|role| Some(role.id) != own) {
        Some(_) => Err(Fault::new(
            object!(AlreadyExists { name: name }),
            format!("The name '{name}' already exists."),
        )),
        None => Ok(name),
    }
}

/// Who gives privileges must have them, on the root folder.
fn may_give<'p>(
    service: &Service,
    call: &Call,
    privileges: impl IntoIterator<Item = &'p Str>,
) -> Result<(), Fault> {
    let root = service.content().root_folder.clone();
    super::privileges::must_hold(service, call, &root, privileges)
}

pub(super) fn add(service: &Service, call: &Call) -> Answer {
    let authorization = service.authorization();
    let unknown = |_: &str| Fault::invalid_argument("privIds");
    let privileges = listed(authorization, call, arg!(AddAuthorizationRole.privIds), unknown)?;
    may_give(service, call, &privileges)?;
    let id = authorization.change(service, call, |policy, draft| {
        let name = checked_name(policy, call, arg!(AddAuthorizationRole.name), None)?;
        Ok(draft.add_role(name, privileges))
    })?;
    Ok(Some(id.into()))
}

/// A role that may be changed.
fn changeable(policy: &Policy, id: i32) -> Result<&Arc<Role>, Fault> {
    let role = policy.roles.get(&id).ok_or_else(|| no_such_role(id))?;
    if role.system || role.id == ADMIN { Err(Fault::invalid_argument("roleId")) } else { Ok(role) }
}

pub(super) fn update(service: &Service, call: &Call) -> Answer {
    let authorization = service.authorization();
    let id = role_id(call, arg!(UpdateAuthorizationRole.roleId))?;
    let unknown =
        |id: &str| Fault::of(ty::NotFound, format!("The privilege '{id}' could not be found."));
    let privileges = listed(authorization, call, arg!(UpdateAuthorizationRole.privIds), unknown)?;
    authorization.change(service, call, |policy, draft| {
        let role = changeable(policy, id)?;
        let name = checked_name(policy, call, arg!(UpdateAuthorizationRole.newName), Some(id))?;
        let privileges = complete(privileges);
        may_give(service, call, privileges.symmetric_difference(&role.privileges))?;
        let role = Role { name: Str::from(name), privileges, ..Role::clone(role) };
        draft.roles.insert(id, Arc::new(role));
        Ok(())
    })?;
    Ok(None)
}

/// Removes a role, and the permissions that use it unless that must not be.
pub(super) fn remove(service: &Service, call: &Call) -> Answer {
    let id = role_id(call, arg!(RemoveAuthorizationRole.roleId))?;
    let fail_if_used = call.flag(arg!(RemoveAuthorizationRole.failIfUsed));
    let snapshot = service.engine().snapshot();
    service.authorization().change(service, call, |policy, draft| {
        changeable(policy, id)?;
        for (entity, grants) in &policy.grants {
            if !grants.iter().any(|grant| grant.role == id) {
                continue;
            }
            if fail_if_used && snapshot.exists(entity) {
                return Err(Fault::of(ty::RemoveFailed, "The role has permissions."));
            }
            let rest = grants.iter().filter(|grant| grant.role != id).cloned().collect();
            draft.put(entity, rest);
        }
        draft.roles.remove(&id);
        Ok(())
    })?;
    Ok(None)
}

/// The number of a role, from an argument.
pub(super) fn role_id(call: &Call, slot: usize) -> Result<i32, Fault> {
    call.required(slot)?.as_i32().ok_or_else(|| Fault::invalid_argument("roleId"))
}
