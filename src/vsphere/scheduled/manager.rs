//! The methods of `ScheduledTaskManager` and `ScheduledTask`.

use super::{all, info, is_enabled, is_running, moments, scheduler, update};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::ty;
use crate::value::{Array, MoRef, Object, ObjectBuilder, Str, Value};
use crate::vsphere::action;
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::Answer;
use crate::vsphere::service::Service;
use crate::{enum_value, object, path};

/// The most characters that the name of a scheduled task can have.
const LONGEST: usize = 80;

pub(super) fn create(service: &Service, call: &Call) -> Answer {
    let entity = call.required(arg!(CreateScheduledTask.entity))?.as_moref();
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    make(service, call, entity, arg!(CreateScheduledTask.spec))
}

pub(super) fn create_for_object(service: &Service, call: &Call) -> Answer {
    let object = call.required(arg!(CreateObjectScheduledTask.obj))?.as_moref();
    let object = object.ok_or_else(|| Fault::invalid_argument("obj"))?;
    make(service, call, object, arg!(CreateObjectScheduledTask.spec))
}

fn make(service: &Service, call: &Call, object: &MoRef, slot: usize) -> Answer {
    if !service.engine().snapshot().exists(object) {
        return Err(Fault::not_found(object));
    }
    let spec = checked(service, call, object, slot)?;
    let user = &call.session()?.user_name;
    let is_entity = object.ty().is_a(ty::ManagedEntity);
    // What is no entity belongs to the server.
    let entity = if is_entity { object } else { &service.content().root_folder };
    let made = service.commit(call, |tx| {
        if !tx.exists(object) {
            return Err(Fault::not_found(object));
        }
        refuse_taken(tx, &spec, None)?;
        let task = tx.next_moref(ty::ScheduledTask, "schedule");
        let info = object!(ScheduledTaskInfo {
            scheduledTask: &task,
            entity: entity,
            taskObject: object,
            lastModifiedTime: tx.now(),
            lastModifiedUser: user,
            state: enum_value!(TaskInfoState::queued),
        });
        let mut info = info.edit();
        apply(service, &spec, &mut info)?;
        let none = Vec::<Value>::new;
        let info = info.finish();
        let properties =
            object!(ScheduledTask { value: none(), availableField: none(), info: &info });
        tx.insert(task.clone(), properties);
        moments::tell(tx, &info, ty::ScheduledTaskCreatedEvent);
        tx.push_ref(&call.this, path!(ScheduledTaskManager, "scheduledTask"), &task)?;
        Ok(task)
    })?;
    service.schedules().wake();
    Ok(Some(made.into()))
}

/// The spec in `slot`, if it can be one of `object`.
fn checked(service: &Service, call: &Call, object: &MoRef, slot: usize) -> Result<Object, Fault> {
    let spec = call.required(slot)?.as_object().ok_or_else(|| Fault::invalid_argument("spec"))?;
    let name = name(spec);
    if name.trim().is_empty() || name.chars().count() > LONGEST {
        return Err(Fault::invalid_name(name, None));
    }
    let part = |path, name| {
        let part = spec.at(path).and_then(Value::as_object);
        part.ok_or_else(|| Fault::invalid_argument(name))
    };
    let now = service.engine().now();
    let when = part(path!(ScheduledTaskSpec, "scheduler"), "spec.scheduler")?;
    scheduler::read(when, now, service.schedules().started())?;
    scheduler::refuse_past(when, now)?;
    let what = part(path!(ScheduledTaskSpec, "action"), "spec.action")?;
    action::read(&service.engine().snapshot(), what, object)?;
    Ok(spec.clone())
}

fn name(spec: &Object) -> &str {
    spec.at(path!(ScheduledTaskSpec, "name")).and_then(Value::as_str).unwrap_or_default()
}

/// Fails if a scheduled task other than `own` has the name.
fn refuse_taken(
    state: &(impl Read + ?Sized),
    spec: &Object,
    own: Option<&MoRef>,
) -> Result<(), Fault> {
    let name = name(spec);
    let holder = all(state).into_iter().find(|other| {
        Some(other) != own && state.text(other, path!(ScheduledTask, "info.name")) == name
    });
    holder.map_or(Ok(()), |holder| Err(Fault::duplicate_name(name, &holder)))
}

/// Puts a spec into the info that says when it was given.
fn apply(service: &Service, spec: &Object, info: &mut ObjectBuilder) -> Result<(), Fault> {
    // The fields of a spec are the first ones of an info.
    for slot in 0..ty::ScheduledTaskSpec.fields().len() {
        info.set(slot, spec.get(slot).cloned());
    }
    let made = info.get(const { ty::ScheduledTaskInfo.slot("lastModifiedTime") });
    let made = made.and_then(Value::as_date_time).unwrap_or(service.engine().now());
    let scheduler = spec.at(path!(ScheduledTaskSpec, "scheduler")).and_then(Value::as_object);
    let scheduler = scheduler.ok_or_else(|| Fault::invalid_argument("spec.scheduler"))?;
    let schedule = scheduler::read(scheduler, made, service.schedules().started())?;
    let first = is_enabled(spec).then(|| schedule.first(made)).flatten();
    info.set(const { ty::ScheduledTaskInfo.slot("nextRunTime") }, first);
    Ok(())
}

pub(super) fn of_entity(service: &Service, call: &Call) -> Answer {
    let entity = call.moref(arg!(RetrieveEntityScheduledTask.entity));
    Ok(list(service, call, entity, |info| info.at(path!(ScheduledTaskInfo, "entity"))))
}

pub(super) fn of_object(service: &Service, call: &Call) -> Answer {
    let object = call.moref(arg!(RetrieveObjectScheduledTask.obj));
    Ok(list(service, call, object, |info| info.at(path!(ScheduledTaskInfo, "taskObject"))))
}

/// The scheduled tasks that the caller may see, all or those of one object.
fn list(
    service: &Service,
    call: &Call,
    of: Option<&MoRef>,
    object: impl Fn(&Object) -> Option<&Value>,
) -> Option<Value> {
    let state = service.engine().snapshot();
    let session = call.caller.session.as_ref();
    let access = session.and_then(|session| service.access(session, &state));
    let mut found = all(&*state);
    found.retain(|task| {
        let its = info(&*state, task).and_then(&object).and_then(Value::as_moref);
        (of.is_none() || its == of) && access.as_ref().is_none_or(|access| access.sees(task))
    });
    Some(Value::Array(Array::of_refs(&found))).filter(|_| !found.is_empty())
}

pub(super) fn run(service: &Service, call: &Call) -> Answer {
    super::run::now(&super::strong(service)?, &call.this)?;
    service.schedules().wake();
    Ok(None)
}

pub(super) fn reconfigure(service: &Service, call: &Call) -> Answer {
    let task = &call.this;
    let state = service.engine().snapshot();
    let object = state.moref(task, path!(ScheduledTask, "info.taskObject"));
    let object = object.ok_or_else(|| Fault::not_found(task))?;
    let spec = checked(service, call, object, arg!(ReconfigureScheduledTask.spec))?;
    let user = Str::clone(&call.session()?.user_name);
    service.commit(call, |tx| {
        refuse_running(tx, task)?;
        refuse_taken(tx, &spec, Some(task))?;
        let now = tx.now();
        let before = info(tx, task).cloned();
        let mut result = Ok(());
        update(tx, task, |info| {
            info.set(const { ty::ScheduledTaskInfo.slot("lastModifiedTime") }, now);
            info.set(const { ty::ScheduledTaskInfo.slot("lastModifiedUser") }, user);
            result = apply(service, &spec, info);
        })?;
        if let Some((before, after)) = before.zip(info(tx, task).cloned()) {
            moments::tell_change(tx, &before, &after);
        }
        result
    })?;
    service.schedules().wake();
    Ok(None)
}

pub(super) fn remove(service: &Service, call: &Call) -> Answer {
    service.commit(call, |tx| {
        refuse_running(tx, &call.this)?;
        super::remove(tx, &call.this)
    })?;
    Ok(None)
}

fn refuse_running(state: &(impl Read + ?Sized), task: &MoRef) -> Result<(), Fault> {
    let info = info(state, task).ok_or_else(|| Fault::not_found(task))?;
    if is_running(info) { Err(Fault::invalid_state()) } else { Ok(()) }
}
