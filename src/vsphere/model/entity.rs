//! What all managed entities have.

use super::put;
use crate::schema::Type;
use crate::value::{MoRef, ObjectBuilder, Value};

/// The properties of an entity in the making, with those that all entities have.
pub fn entity(ty: Type, name: &str, parent: Option<&MoRef>) -> ObjectBuilder {
    let mut entity = ObjectBuilder::new(ty);
    let none = Vec::<Value>::new;
    put!(
        entity,
        ManagedEntity {
            value: none(),
            availableField: none(),
            parent: parent,
            customValue: none(),
            overallStatus: "green",
            configStatus: "green",
            configIssue: none(),
            effectiveRole: [-1],
            permission: none(),
            name: name,
            disabledMethod: none(),
            recentTask: none(),
            declaredAlarmState: none(),
            triggeredAlarmState: none(),
            alarmActionsEnabled: true,
            tag: none(),
        }
    );
    entity
}

/// What vCenter writes for characters that a name cannot have.
pub fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2f").replace('\\', "%5c")
}
