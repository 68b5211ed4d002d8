//! The events of a scheduled task's life.

use std::sync::Arc;

use crate::engine::Tx;
use crate::event::{EventDraft, EventRecord};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{Type, ty};
use crate::task::{Reason, TaskRecord};
use crate::value::{MoRef, Object, ObjectBuilder, Value};
use crate::vsphere::{events, option_manager};

/// Says that something has happened to the scheduled task with this info.
pub(super) fn tell(tx: &mut Tx<'_>, info: &Object, of: Type) {
    if let Some(entity) = entity(info) {
        let event = event(tx, info, of).finish();
        events::post(tx, entity, event);
    }
}

/// Says that a scheduled task is another one now, and in what.
pub(super) fn tell_change(tx: &mut Tx<'_>, before: &Object, after: &Object) {
    let Some(entity) = entity(after) else { return };
    let changes = events::changes("info", before, after);
    let mut event = event(tx, after, ty::ScheduledTaskReconfiguredEvent);
    event.set(const { ty::ScheduledTaskReconfiguredEvent.slot("configChanges") }, changes);
    events::post(tx, entity, event.finish());
}

/// Says that a run is over.
pub(super) fn tell_end(tx: &mut Tx<'_>, info: &Object, fault: Option<&Fault>) {
    if let Some(entity) = entity(info) {
        let event = end(tx, info, fault);
        events::post(tx, entity, event);
    }
}

/// The event of the end of a task, if it is that of a run.
pub(in crate::vsphere) fn of_end(state: &dyn Read, task: &TaskRecord) -> Option<EventDraft> {
    let Reason::Schedule { scheduled_task, .. } = &task.reason else { return None };
    let info = super::info(state, scheduled_task).filter(|_| task.parent.is_none())?;
    let event = end(state, info, task.status().error());
    Some(events::draft(state, entity(info)?, &event))
}

/// Says that somebody was told of the runs that this change ended, or could not
/// be: whoever is to be notified by mail.
pub(in crate::vsphere) fn notify(tx: &mut Tx<'_>) {
    let is_end =
        |of: Type| of == ty::ScheduledTaskCompletedEvent || of == ty::ScheduledTaskFailedEvent;
    let ended: Vec<Arc<EventRecord>> =
        tx.posted().filter(|event| is_end(event.ty)).cloned().collect();
    for ended in ended {
        let argument = ended.get(const { ty::ScheduledTaskEvent.slot("scheduledTask") });
        let task = argument.and_then(Value::as_object).and_then(|it| {
            it.at(path!(ScheduledTaskEventArgument, "scheduledTask"))?.as_moref().cloned()
        });
        let Some(info) = task.and_then(|task| super::info(&*tx, &task).cloned()) else { continue };
        let to = info.at(path!(ScheduledTaskInfo, "notification")).and_then(Value::as_str);
        let to = to.map(str::trim).filter(|to| !to.is_empty());
        let Some((to, entity)) = to.zip(entity(&info)) else { continue };
        let event = match option_manager::check_mail(tx) {
            Ok(()) => {
                let mut event = event(tx, &info, ty::ScheduledTaskEmailCompletedEvent);
                event.set(const { ty::ScheduledTaskEmailCompletedEvent.slot("to") }, to);
                event
            }
            Err(fault) => {
                let mut event = event(tx, &info, ty::ScheduledTaskEmailFailedEvent);
                event.set(const { ty::ScheduledTaskEmailFailedEvent.slot("to") }, to);
                let reason = const { ty::ScheduledTaskEmailFailedEvent.slot("reason") };
                event.set(reason, fault.localized());
                event
            }
        };
        let mut draft = events::draft(tx, entity, &event.finish());
        draft.chain = Some(ended.chain);
        draft.user = Some(ended.user.clone());
        tx.post(draft);
    }
}

fn end(state: &(impl Read + ?Sized), info: &Object, fault: Option<&Fault>) -> Object {
    let Some(fault) = fault else {
        return event(state, info, ty::ScheduledTaskCompletedEvent).finish();
    };
    let mut event = event(state, info, ty::ScheduledTaskFailedEvent);
    event.set(const { ty::ScheduledTaskFailedEvent.slot("reason") }, fault.localized());
    event.finish()
}

fn event(state: &(impl Read + ?Sized), info: &Object, of: Type) -> ObjectBuilder {
    let at = |path| info.at(path);
    let task = at(path!(ScheduledTaskInfo, "scheduledTask")).and_then(Value::as_moref);
    let name = at(path!(ScheduledTaskInfo, "name")).and_then(Value::as_str);
    let argument = crate::object!(ScheduledTaskEventArgument {
        name: name.unwrap_or_default(),
        scheduledTask: task,
    });
    let mut event = ObjectBuilder::new(of);
    event.set(const { ty::ScheduledTaskEvent.slot("scheduledTask") }, argument);
    let entity = entity(info).map(|entity| events::entity_argument(state, entity));
    event.set(const { ty::ScheduledTaskEvent.slot("entity") }, entity);
    event
}

fn entity(info: &Object) -> Option<&MoRef> {
    info.at(path!(ScheduledTaskInfo, "entity")).and_then(Value::as_moref)
}
