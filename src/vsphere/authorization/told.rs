//! What has changed of roles and permissions, told by events.

use super::Draft;
use super::policy::{Grant, Policy, Role};
use crate::engine::Tx;
use crate::inventory::Read;
use crate::object;
use crate::value::{MoRef, Object, Str};
use crate::vsphere::events;

/// Tells what differs from `before`.
pub(super) fn changes(tx: &mut Tx<'_>, before: &Policy, after: &Draft) {
    for role in after.roles.values() {
        match before.roles.get(&role.id) {
            Some(held) if held == role => {}
            held => {
                let event = held.map_or_else(|| added(role), |held| updated(held, role));
                events::post_of_server(tx, &event);
            }
        }
    }
    for role in before.roles.values().filter(|role| !after.roles.contains_key(&role.id)) {
        events::post_of_server(tx, &object!(RoleRemovedEvent { role: argument(role) }));
    }
    for entity in &after.touched {
        let held = before.grants.get(entity).map(|grants| &**grants).unwrap_or_default();
        permissions(tx, entity, held, after.on(entity), before, after);
    }
}

fn argument(role: &Role) -> Object {
    object!(RoleEventArgument { roleId: role.id, name: &role.name })
}

fn added(role: &Role) -> Object {
    let all: Vec<&Str> = role.privileges.iter().collect();
    object!(RoleAddedEvent { role: argument(role), privilegeList: all })
}

fn updated(before: &Role, role: &Role) -> Object {
    let all: Vec<&Str> = role.privileges.iter().collect();
    let new: Vec<&Str> = role.privileges.difference(&before.privileges).collect();
    let old: Vec<&Str> = before.privileges.difference(&role.privileges).collect();
    object!(RoleUpdatedEvent {
        role: argument(role),
        privilegeList: all,
        prevRoleName: (before.name != role.name).then_some(&before.name),
        privilegesAdded: new,
        privilegesRemoved: old,
    })
}

fn permissions(
    tx: &mut Tx<'_>,
    entity: &MoRef,
    before: &[Grant],
    after: &[Grant],
    policy: &Policy,
    draft: &Draft,
) {
    if !tx.exists(entity) {
        return;
    }
    let about = events::entity_argument(tx, entity);
    let same = |one: &Grant, other: &Grant| one.is_for(&other.who, other.group);
    let role = |id: i32| draft.roles.get(&id).or_else(|| policy.roles.get(&id));
    let role = |grant: &Grant| role(grant.role).map(|role| argument(role));
    for grant in before.iter().filter(|held| !after.iter().any(|grant| same(held, grant))) {
        let event = object!(PermissionRemovedEvent {
            entity: &about,
            principal: grant.who.shown(),
            group: grant.group,
        });
        events::post(tx, entity, event);
    }
    for grant in after {
        let event = match before.iter().find(|held| same(held, grant)) {
            Some(held) if held == grant => continue,
            Some(held) => object!(PermissionUpdatedEvent {
                entity: &about,
                principal: grant.who.shown(),
                group: grant.group,
                role: role(grant),
                propagate: grant.propagate,
                prevRole: role(held),
                prevPropagate: held.propagate,
            }),
            None => object!(PermissionAddedEvent {
                entity: &about,
                principal: grant.who.shown(),
                group: grant.group,
                role: role(grant),
                propagate: grant.propagate,
            }),
        };
        events::post(tx, entity, event);
    }
}
