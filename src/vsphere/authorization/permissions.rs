//! Permissions: finding, giving and taking them.
//!
//! A choice: the documentation also refuses permissions for whoever is an
//! administrator on the root folder; vCenter's clients give them all the same,
//! and here they may.

use std::collections::HashSet;

use super::policy::{ADMIN, ANONYMOUS, Grant, Policy, VIEW, parents, whole};
use super::roles::role_id;
use super::{Draft, answer, no_such_role, privileges};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::object;
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Object, Str, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::Answer;
use crate::vsphere::service::Service;

/// A grant as a `Permission`.
pub(super) fn show(entity: &MoRef, grant: &Grant) -> Object {
    object!(Permission {
        entity: entity,
        principal: grant.who.shown(),
        group: grant.group,
        roleId: grant.role,
        propagate: grant.propagate,
    })
}

/// The permissions that `which` picks, on entities that the caller sees.
fn visible(service: &Service, call: &Call, which: impl Fn(&Grant) -> bool) -> Answer {
    let policy = service.authorization().policy();
    let snapshot = service.engine().snapshot();
    let access = service.access(call.session()?, &snapshot);
    let sees =
        |mo: &MoRef| snapshot.exists(mo) && access.as_ref().is_none_or(|access| access.sees(mo));
    let found = policy
        .grants
        .iter()
        .filter(|(entity, _)| sees(entity))
        .flat_map(|(entity, grants)| grants.iter().map(move |grant| (entity, grant)))
        .filter(|(_, grant)| which(grant));
    Ok(Some(answer(found)))
}

pub(super) fn all(service: &Service, call: &Call) -> Answer {
    visible(service, call, |_| true)
}

pub(super) fn of_role(service: &Service, call: &Call) -> Answer {
    let role = role_id(call, arg!(RetrieveRolePermissions.roleId))?;
    if !service.authorization().policy().roles.contains_key(&role) {
        return Err(no_such_role(role));
    }
    visible(service, call, |grant| grant.role == role)
}

pub(super) fn of_entity(service: &Service, call: &Call) -> Answer {
    let entity = entity(service, call, arg!(RetrieveEntityPermissions.entity))?;
    let snapshot = service.engine().snapshot();
    let policy = service.authorization().policy();
    let mut found = Vec::new();
    let holder = whole(&*snapshot, entity).unwrap_or_else(|| entity.clone());
    let own = policy.grants.get(&holder).map(|grants| &**grants).unwrap_or_default();
    found.extend(own.iter().map(|grant| (holder.clone(), grant)));
    if call.flag(arg!(RetrieveEntityPermissions.inherited)) {
        let known = own.iter().map(key).collect();
        inherited(&policy, &snapshot, &holder, &known, &mut found);
    }
    Ok(Some(answer(found.iter().map(|(entity, grant)| (entity, *grant)))))
}

type Key<'g> = (&'g Str, bool);

fn key(grant: &Grant) -> Key<'_> {
    (grant.who.key(), grant.group)
}

/// Adds the permissions from above that are effective on `entity`: those of
/// users and groups that have none nearer, which are those in `known`.
fn inherited<'p>(
    policy: &'p Policy,
    snapshot: &Snapshot,
    entity: &MoRef,
    known: &HashSet<Key<'p>>,
    found: &mut Vec<(MoRef, &'p Grant)>,
) {
    let above = |entity: &MoRef| parents(snapshot, entity).into_iter().rev();
    let mut open: Vec<(MoRef, HashSet<Key<'p>>)> =
        above(entity).map(|parent| (parent, known.clone())).collect();
    while let Some((parent, mut known)) = open.pop() {
        for grant in policy.grants.get(&parent).map(|grants| &**grants).unwrap_or_default() {
            if grant.propagate && known.insert(key(grant)) {
                let is_new = !found.iter().any(|(mo, held)| *mo == parent && *held == grant);
                if is_new {
                    found.push((parent.clone(), grant));
                }
            }
        }
        open.extend(above(&parent).map(|next| (next, known.clone())));
    }
}

fn entity<'c>(service: &Service, call: &'c Call, slot: usize) -> Result<&'c MoRef, Fault> {
    let entity = call.required(slot)?.as_moref();
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    if service.engine().snapshot().exists(entity) {
        Ok(entity)
    } else {
        Err(Fault::not_found(entity))
    }
}

/// An entity that can have permissions of its own.
fn holder<'c>(service: &Service, call: &'c Call, slot: usize) -> Result<&'c MoRef, Fault> {
    let entity = entity(service, call, slot)?;
    if whole(&*service.engine().snapshot(), entity).is_some() {
        return Err(Fault::invalid_argument("entity"));
    }
    Ok(entity)
}

/// The permissions that an argument lists, each checked.
fn listed(service: &Service, call: &Call, on: &MoRef, slot: usize) -> Result<Vec<Grant>, Fault> {
    let policy = service.authorization().policy();
    let items = call.get(slot).map(Value::items).unwrap_or_default();
    let grants = items.iter().filter_map(Value::as_object).map(|item| {
        let at = |path| item.at(path);
        let role = at(path!(Permission, "roleId")).and_then(Value::as_i32).unwrap_or_default();
        let who = at(path!(Permission, "principal")).and_then(Value::as_str).unwrap_or_default();
        let flag = |path| at(path).and_then(Value::as_bool).unwrap_or_default();
        let grant = Grant {
            who: policy.directory.account(who),
            group: flag(path!(Permission, "group")),
            role,
            propagate: flag(path!(Permission, "propagate")),
        };
        let named = at(path!(Permission, "entity")).and_then(Value::as_moref);
        if named.is_some_and(|named| named != on) {
            return Err(Fault::invalid_argument("permission.entity"));
        }
        let Some(known) = policy.roles.get(&role) else { return Err(no_such_role(role)) };
        if matches!(role, VIEW | ANONYMOUS) {
            return Err(Fault::invalid_argument("permission.roleId"));
        }
        if who.is_empty() || !is_known(&policy, &grant) {
            return Err(Fault::new(
                object!(UserNotFound { principal: who, unresolved: false }),
                format!("The user or group named '{who}' does not exist."),
            ));
        }
        privileges::must_hold(service, call, on, &known.privileges)?;
        Ok(grant)
    });
    grants.collect()
}

/// Whether the user or group exists: anyone, where anyone may log in.
fn is_known(policy: &Policy, grant: &Grant) -> bool {
    policy.open
        || if grant.group {
            policy.directory.group(&grant.who).is_some()
        } else {
            policy.directory.person(&grant.who).is_some()
        }
}

/// Adds permissions, or changes those that are there. Other than documented,
/// either all of them take effect or none.
pub(super) fn set(service: &Service, call: &Call) -> Answer {
    let on = holder(service, call, arg!(SetEntityPermissions.entity))?;
    let grants = listed(service, call, on, arg!(SetEntityPermissions.permission))?;
    service.authorization().change(service, call, |_, draft| {
        for grant in grants {
            draft.set(on, grant);
        }
        Ok(())
    })?;
    Ok(None)
}

/// Replaces all permissions of an entity.
pub(super) fn reset(service: &Service, call: &Call) -> Answer {
    let on = holder(service, call, arg!(ResetEntityPermissions.entity))?;
    let grants = listed(service, call, on, arg!(ResetEntityPermissions.permission))?;
    service.authorization().change(service, call, |_, draft| {
        draft.put(on, Vec::new());
        for grant in grants {
            draft.set(on, grant);
        }
        Ok(())
    })?;
    Ok(None)
}

pub(super) fn remove(service: &Service, call: &Call) -> Answer {
    let on = holder(service, call, arg!(RemoveEntityPermission.entity))?;
    let user = call.text(arg!(RemoveEntityPermission.user));
    let group = call.flag(arg!(RemoveEntityPermission.isGroup));
    service.authorization().change(service, call, |policy, draft| {
        let who = policy.directory.account(user);
        let held = draft.on(on).iter().find(|grant| grant.is_for(&who, group)).cloned();
        let held = held.ok_or_else(|| {
            Fault::of(ty::NotFound, format!("There is no permission for '{user}'."))
        })?;
        if let Some(role) = policy.roles.get(&held.role) {
            privileges::must_hold(service, call, on, &role.privileges)?;
        }
        let rest = draft.on(on).iter().filter(|grant| !grant.is_for(&who, group)).cloned();
        let rest = rest.collect();
        draft.put(on, rest);
        Ok(())
    })?;
    Ok(None)
}

/// Gives all who have one role another.
pub(super) fn merge(service: &Service, call: &Call) -> Answer {
    let from = role_id(call, arg!(MergePermissions.srcRoleId))?;
    let to = role_id(call, arg!(MergePermissions.dstRoleId))?;
    service.authorization().change(service, call, |policy, draft| {
        for id in [from, to] {
            let role = policy.roles.get(&id).ok_or_else(|| no_such_role(id))?;
            privileges::must_hold(service, call, &policy.root, &role.privileges)?;
        }
        if matches!(to, VIEW | ANONYMOUS) || from == to {
            return Err(Fault::invalid_argument("dstRoleId"));
        }
        if from == ADMIN {
            return Err(Fault::of(
                ty::AuthMinimumAdminPermission,
                "There would be no administrator on the root folder.",
            ));
        }
        merge_into(policy, draft, from, to);
        Ok(())
    })?;
    Ok(None)
}

fn merge_into(policy: &Policy, draft: &mut Draft, from: i32, to: i32) {
    for (entity, grants) in &policy.grants {
        if grants.iter().any(|grant| grant.role == from) {
            let role = |role| if role == from { to } else { role };
            let changed =
                grants.iter().map(|grant| Grant { role: role(grant.role), ..grant.clone() });
            draft.put(entity, changed.collect());
        }
    }
}
