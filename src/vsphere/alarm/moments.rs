//! The events of an alarm's life.
//!
//! Of the two entities that such an event names, `source` is the one that the
//! alarm is declared on and `entity` the one that triggered it: the reference
//! words it the other way round, but this is what real servers send, and how
//! scripts read it.

use super::definition::Definition;
use super::status::Status;
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::object;
use crate::value::{MoRef, Object};
use crate::vsphere::events::{self, entity_argument};

/// What the events say of an alarm.
pub(super) fn argument(definition: &Definition) -> Object {
    object!(AlarmEventArgument { name: &definition.name, alarm: &definition.alarm })
}

/// Says that something has happened by itself.
fn tell(tx: &mut Tx<'_>, entity: &MoRef, event: &Object) {
    if tx.exists(entity) {
        let draft = events::draft(tx, entity, event);
        tx.post_apart(draft);
    }
}

/// The status of an entity is another one.
pub(super) fn changed(
    tx: &mut Tx<'_>,
    definition: &Definition,
    entity: &MoRef,
    from: Status,
    to: Status,
) {
    let event = object!(AlarmStatusChangedEvent {
        alarm: argument(definition),
        source: entity_argument(tx, &definition.entity),
        entity: entity_argument(tx, entity),
        from: from.name(),
        to: to.name(),
    });
    tell(tx, entity, &event);
}

/// Its actions are done.
pub(super) fn acted(tx: &mut Tx<'_>, definition: &Definition, entity: &MoRef) {
    let event = object!(AlarmActionTriggeredEvent {
        alarm: argument(definition),
        source: entity_argument(tx, &definition.entity),
        entity: entity_argument(tx, entity),
    });
    tell(tx, entity, &event);
}

/// Somebody has reset it.
pub(super) fn cleared(tx: &mut Tx<'_>, definition: &Definition, entity: &MoRef, from: Status) {
    let event = object!(AlarmClearedEvent {
        alarm: argument(definition),
        source: entity_argument(tx, &definition.entity),
        entity: entity_argument(tx, entity),
        from: from.name(),
    });
    events::post(tx, entity, event);
}

/// Somebody has taken note of it.
pub(super) fn acknowledged(tx: &mut Tx<'_>, definition: &Definition, entity: &MoRef) {
    let event = object!(AlarmAcknowledgedEvent {
        alarm: argument(definition),
        source: entity_argument(tx, &definition.entity),
        entity: entity_argument(tx, entity),
    });
    events::post(tx, entity, event);
}

/// A script was run: none is, but this is what a client sees of it.
pub(super) fn ran(tx: &mut Tx<'_>, definition: &Definition, entity: &MoRef, script: &str) {
    let event = object!(AlarmScriptCompleteEvent {
        alarm: argument(definition),
        entity: entity_argument(tx, entity),
        script: script,
    });
    tell(tx, entity, &event);
}

/// A mail was sent, or could not be.
pub(super) fn mailed(
    tx: &mut Tx<'_>,
    definition: &Definition,
    entity: &MoRef,
    to: &str,
    fault: Option<&Fault>,
) {
    let (alarm, of) = (argument(definition), entity_argument(tx, entity));
    let event = match fault {
        None => object!(AlarmEmailCompletedEvent { alarm: alarm, entity: of, to: to }),
        Some(fault) => object!(AlarmEmailFailedEvent {
            alarm: alarm,
            entity: of,
            to: to,
            reason: fault.localized(),
        }),
    };
    tell(tx, entity, &event);
}

/// A trap was sent.
pub(super) fn trapped(tx: &mut Tx<'_>, definition: &Definition, entity: &MoRef) {
    let event = object!(AlarmSnmpCompletedEvent {
        alarm: argument(definition),
        entity: entity_argument(tx, entity),
    });
    tell(tx, entity, &event);
}
