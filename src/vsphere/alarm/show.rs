//! How alarms show: the properties of entities that follow from them, computed
//! when they are read.
//!
//! - `declaredAlarmState` has each alarm that is declared on the entity or above
//!   it and that the entity, or something below it, can trigger. Of an entity
//!   that the alarm does not look at itself, its status is gray.
//! - `triggeredAlarmState` has what the entity has triggered, and everything
//!   below it: in its folder, in its pool, on its host.
//! - `overallStatus` is the worst of the entity's own alarms, or of what else is
//!   known of it. `configStatus` has nothing to do with alarms.

use std::sync::Arc;

use super::definition::Definition;
use super::status::Status;
use super::table::{Mark, Table};
use crate::collector::Slots;
use crate::engine::aside_in;
use crate::inventory::{Properties, Snapshot};
use crate::object;
use crate::schema::{Type, ty};
use crate::value::{DateTime, MoRef, Object, Value};
use crate::vsphere::authorization::Access;
use crate::vsphere::containment;

/// An entity with what its alarms say in `slots`; `access` is what the reader may do.
pub(in crate::vsphere) fn entity_properties(
    access: Option<&Access>,
    state: &Snapshot,
    entity: &MoRef,
    stored: Properties,
    slots: Slots,
) -> Properties {
    let Some(table) = aside_in::<Table>(state).filter(|table| !table.is_idle()) else {
        return stored;
    };
    let mut shown = stored;
    let slot = const { ty::ManagedEntity.slot("declaredAlarmState") };
    if slots.has(slot) {
        let declared = declared(state, table, entity);
        if !declared.is_empty() {
            shown = shown.with(slot, declared);
        }
    }
    let slot = const { ty::ManagedEntity.slot("triggeredAlarmState") };
    if slots.has(slot) {
        let triggered = triggered(access, table, entity);
        if !triggered.is_empty() {
            shown = shown.with(slot, triggered);
        }
    }
    let marks = table.held(entity).map(|held| held.marks.iter());
    let worst = Status::any(marks.into_iter().flatten().map(|mark| mark.status));
    if worst.is_triggered() { with_status(shown, worst) } else { shown }
}

/// The alarms that an entity has or inherits, each with its status.
pub(super) fn declared(state: &Snapshot, table: &Table, entity: &MoRef) -> Vec<Object> {
    let mut above = None;
    let all = table.definitions().iter().filter(|definition| {
        concerns(definition, entity)
            && (definition.everywhere || {
                let above = above.get_or_insert_with(|| containment::above(state, entity));
                definition.reaches(entity, above)
            })
    });
    all.map(|definition| match table.mark(entity, &definition.alarm) {
        Some(mark) => state_of(entity, mark),
        None => unnoted(state, definition, entity),
    })
    .collect()
}

/// Whether an entity, or something below one like it, can trigger an alarm.
fn concerns(definition: &Arc<Definition>, entity: &MoRef) -> bool {
    definition.is_of(entity)
        || definition.entity == *entity
        || definition.types.iter().any(|of| may_hold(entity.ty(), *of))
}

/// Whether something of type `of` may stand below a container.
fn may_hold(container: Type, of: Type) -> bool {
    let held: &[Type] = if container.is_a(ty::Folder) || container.is_a(ty::Datacenter) {
        return true;
    } else if container.is_a(ty::ComputeResource) {
        &[ty::HostSystem, ty::ResourcePool, ty::VirtualMachine]
    } else if container.is_a(ty::ResourcePool) {
        &[ty::ResourcePool, ty::VirtualMachine]
    } else if container.is_a(ty::HostSystem) {
        &[ty::VirtualMachine]
    } else {
        &[]
    };
    held.iter().any(|held| of.is_a(*held))
}

/// The states of everything that is triggered on an entity or below it.
fn triggered(access: Option<&Access>, table: &Table, entity: &MoRef) -> Vec<Object> {
    let below = table.below(entity).into_iter().flatten();
    let seen = below.filter(|mo| access.is_none_or(|access| access.sees(mo)));
    let all = std::iter::once(entity).chain(seen);
    all.filter_map(|mo| Some((mo, table.held(mo)?)))
        .flat_map(|(mo, held)| held.marks.iter().map(move |mark| (mo, mark)))
        .filter(|(_, mark)| mark.status.is_triggered())
        .map(|(mo, mark)| state_of(mo, mark))
        .collect()
}

fn state_of(entity: &MoRef, mark: &Mark) -> Object {
    let (by, at) = mark.acknowledged.clone().unzip();
    object!(AlarmState {
        key: key(&mark.alarm, entity),
        entity: entity,
        alarm: &mark.alarm,
        overallStatus: mark.status.name(),
        time: mark.time,
        acknowledged: mark.acknowledged.is_some(),
        acknowledgedByUser: by,
        acknowledgedTime: at,
        eventKey: mark.event,
        disabled: mark.disabled.then_some(true),
    })
}

/// The state of an entity about which nothing is noted: what it looks like now,
/// which is nothing to speak of.
fn unnoted(state: &Snapshot, definition: &Definition, entity: &MoRef) -> Object {
    let looks = definition.enabled && definition.looks && definition.is_of(entity);
    let mut status = Status::Gray;
    if looks {
        let now = DateTime::EPOCH;
        status = definition.judge(state, entity, &mut definition.fresh_leaves(), now).status;
    }
    object!(AlarmState {
        key: key(&definition.alarm, entity),
        entity: entity,
        alarm: &definition.alarm,
        // What is triggered and not noted is about to be.
        overallStatus: Some(status).filter(|it| !it.is_triggered()).unwrap_or_default().name(),
        time: definition.modified,
        acknowledged: false,
    })
}

fn key(alarm: &MoRef, entity: &MoRef) -> String {
    format!("{}.{}", alarm.id(), entity.id())
}

/// The entity with a status that is at least as bad, in all places that say so.
fn with_status(shown: Properties, worst: Status) -> Properties {
    let slot = const { ty::ManagedEntity.slot("overallStatus") };
    let stored = shown.get(slot);
    let stored = stored.as_ref().and_then(Value::as_str).and_then(Status::parse);
    if stored.is_some_and(|stored| stored >= worst) {
        return shown;
    }
    let summary = shown.ty().field("summary").and_then(|(place, _)| {
        let Value::Object(summary) = shown.get(place)? else { return None };
        let (inner, field) = summary.ty().field("overallStatus")?;
        (field.ty() == ty::ManagedEntityStatus)
            .then(|| (place, summary.with(inner, status_value(worst))))
    });
    let shown = shown.with(slot, status_value(worst));
    match summary {
        Some((place, summary)) => shown.with(place, summary),
        None => shown,
    }
}

fn status_value(status: Status) -> Value {
    match status {
        Status::Gray => crate::enum_value!(ManagedEntityStatus::gray),
        Status::Green => crate::enum_value!(ManagedEntityStatus::green),
        Status::Yellow => crate::enum_value!(ManagedEntityStatus::yellow),
        Status::Red => crate::enum_value!(ManagedEntityStatus::red),
    }
    .into()
}
