//! Events: what the server says has happened.
//!
//! Whoever changes something posts what it is in the same commit:
//!
//! ```text
//!   tx.set(vm, …, "poweredOn")?;
//!   events::post(tx, vm, object!(VmPoweredOnEvent {}));
//! ```
//!
//! Scene, chain, time, user and message are worked out. An event continues the
//! chain of the task whose job makes the change; the first of a chain is the
//! `TaskEvent` of its task, and has the chain's number.
//!
//! - `scene`: the objects around what an event is about
//! - `life`, `moves`, `changes`: events that several operations have in common
//! - `sessions`: who came and went
//! - `manager`, `collector`: the managed objects; `filter`: which events somebody
//!   wants; `arguments`: what events of a type can say
//! - `description`, `format`: how events read

mod arguments;
mod changes;
pub(super) mod collector;
mod description;
mod filter;
mod format;
pub(super) mod life;
pub(super) mod manager;
pub(super) mod moves;
mod scene;
pub(super) mod sessions;

pub(super) use changes::between as changes;
pub(super) use description::{attribute, description};
pub(super) use filter::Types;
pub(super) use format::word;
pub(super) use manager::object_of;
pub(super) use scene::{argument, entity_argument};

use std::sync::Arc;

use crate::engine::{Moment, Tx};
use crate::event::EventDraft;
use crate::inventory::Read;
use crate::schema::ty;
use crate::task::TaskRecord;
use crate::value::{MoRef, Object, ObjectBuilder, Value};
use crate::{object, path};

/// Says that `event` has happened to `about`, where that is now; nothing if it
/// is gone. Of a machine's event, `template` is filled in.
pub(super) fn post(tx: &mut Tx<'_>, about: &MoRef, event: Object) {
    if !tx.exists(about) {
        return;
    }
    let template = const { ty::VmEvent.slot("template") };
    let event = if event.ty().is_a(ty::VmEvent) && event.get(template).is_none() {
        event.with(template, super::vm::state::is_template(tx, about))
    } else {
        event
    };
    let scene = scene::scene(tx, about);
    tx.post(EventDraft::new(&event, scene));
}

/// Says something that the schema has no event type for, only an id:
/// `com.vmware.vc.vm.VmConvertedToTemplateEvent`. Scripts find out more from the
/// `arguments`, by their names.
pub(super) fn post_extended(
    tx: &mut Tx<'_>,
    about: &MoRef,
    (id, severity): (&str, &str),
    message: &str,
    arguments: &[(&str, Value)],
) {
    let name = tx.text(about, path!(ManagedEntity, "name")).to_owned();
    let arguments: Vec<Object> = arguments
        .iter()
        .map(|(key, value)| object!(KeyAnyValue { key: *key, value: value }))
        .collect();
    let event = object!(EventEx {
        eventTypeId: id,
        severity: severity,
        message: message,
        arguments: arguments,
        objectId: about.id(),
        objectType: about.ty().name(),
        objectName: name,
    });
    post(tx, about, event);
}

/// What is to be said of `event`, which happens to `about`.
pub(super) fn draft(state: &dyn Read, about: &MoRef, event: &Object) -> EventDraft {
    EventDraft::new(event, scene::scene(state, about))
}

/// What differs between two configurations of an object, for its event.
pub(super) fn between(before: &Object, after: &Object) -> Object {
    changes::between("config", before, after)
}

/// Says that `event` has happened to the server.
pub(super) fn post_of_server(tx: &mut Tx<'_>, event: &Object) {
    tx.post(EventDraft::new(event, scene::server()));
}

/// The event of a moment of a task. Of the end of one, the operation speaks
/// itself; what began by itself has nobody else who does.
pub(super) fn of_task(
    state: &dyn Read,
    task: &Arc<TaskRecord>,
    moment: Moment,
) -> Option<EventDraft> {
    let event = ObjectBuilder::new(match moment {
        Moment::Created => ty::TaskEvent,
        Moment::TimedOut => ty::TaskTimeoutEvent,
        Moment::Ended => return super::scheduled::of_end(state, task),
    });
    let entity = task.entity.as_ref().filter(|mo| mo.ty().is_a(ty::ManagedEntity));
    let scene = entity.map_or_else(scene::server, |entity| {
        scene::with(state, entity, ObjectBuilder::new(ty::Event), Arc::clone(&task.above))
    });
    let mut draft = EventDraft::new(&event.finish(), scene);
    draft.task = Some(Arc::clone(task));
    Some(draft)
}
