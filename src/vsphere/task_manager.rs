//! `TaskManager`: the tasks there are, what their kinds are called, and tasks
//! that clients make for themselves.

use super::call::{Call, arg};
use super::descriptions;
use super::dispatch::{Answer, Entry, Handler};
use super::service::Service;
use crate::engine::{TaskSpec, tasks_in};
use crate::fault::Fault;
use crate::inventory::{Properties, Read, Snapshot};
use crate::path;
use crate::schema::{method, ty};
use crate::task::{Operation, Reason, TaskId};
use crate::value::{MoRef, Object, Str, Value};

pub(super) const METHODS: &[Entry] =
    &[(ty::TaskManager, method::CreateTask, Handler::Now(create_task))];

/// The manager with its recent tasks, and with what the settings say.
pub(super) fn properties(service: &Service, snapshot: &Snapshot, stored: &Object) -> Object {
    let mut properties = stored.edit();
    let recent = recent(service, snapshot, None);
    properties.set(const { ty::TaskManager.slot("recentTask") }, recent);
    let extensions = super::extension_manager::task_types(snapshot);
    if !extensions.is_empty()
        && let Some(description) =
            stored.at(path!(TaskManager, "description")).and_then(Value::as_object)
    {
        let description = descriptions::with_extensions(description, &extensions);
        properties.set(const { ty::TaskManager.slot("description") }, description);
    }
    let collectors = i32::try_from(service.config().tasks.collectors).unwrap_or(i32::MAX);
    properties.set(const { ty::TaskManager.slot("maxCollector") }, collectors);
    properties.finish()
}

/// An entity with its recent tasks.
pub(super) fn entity_properties(
    service: &Service,
    snapshot: &Snapshot,
    entity: &MoRef,
    stored: Properties,
) -> Properties {
    let recent = recent(service, snapshot, Some(entity));
    if recent.is_empty() {
        return stored;
    }
    stored.with(const { ty::ManagedEntity.slot("recentTask") }, recent)
}

/// The tasks that `recentTask` lists, oldest first: those of one entity, or all.
fn recent(service: &Service, snapshot: &Snapshot, entity: Option<&MoRef>) -> Vec<MoRef> {
    let Some(tasks) = tasks_in(snapshot) else { return Vec::new() };
    let recent = tasks.recent(entity, service.engine().retention().recent_count);
    recent.into_iter().filter_map(|id| Some(tasks.get(id)?.mo.clone())).collect()
}

/// Makes a task that its creator drives. The reply is the task's info at that
/// moment; its `name` is unset, its `descriptionId` the task type.
fn create_task(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let entity = call.required(arg!(CreateTask.obj))?.as_moref();
    let entity = entity.ok_or_else(|| Fault::invalid_argument("obj"))?;
    if !snapshot.exists(entity) {
        return Err(Fault::not_found(entity));
    }
    let kind = call.text(arg!(CreateTask.taskTypeId));
    let known = super::extension_manager::task_type(&snapshot, kind);
    let known = known.ok_or_else(|| Fault::invalid_argument("taskType"))?;
    let parent = match call.text(arg!(CreateTask.parentTaskKey)) {
        "" => None,
        key => {
            let tasks = service.engine().tasks();
            let known = TaskId::parse(key).filter(|id| tasks.recall(*id).is_some());
            Some(known.ok_or_else(|| Fault::invalid_argument("parentTaskKey"))?)
        }
    };
    let session = call.session()?;
    let initiator = match call.text(arg!(CreateTask.initiatedBy)) {
        "" => session.user_name.clone(),
        name => Str::from(name),
    };
    let mut spec = TaskSpec::new(Operation::Extension(known.id.clone()), known.id);
    spec.label = known.label;
    // A task can be about any object; what it shows are entities.
    spec.entity = Some(entity).filter(|mo| mo.ty().is_a(ty::ManagedEntity)).cloned();
    spec.cancelable = call.flag(arg!(CreateTask.cancelable));
    spec.reason = Reason::User(initiator);
    spec.owner = Some(session.user_name.clone());
    spec.parent = parent;
    let token = call.get(arg!(CreateTask.activationId)).and_then(Value::as_str).map(Str::from);
    spec.activation_id = token.or_else(|| call.caller.activation_id.clone());
    spec.change_tag.clone_from(&call.caller.change_tag);
    service.room_for_task()?;
    let record = service.engine().create_task(spec)?;
    Ok(Some(super::task::info(&record).into()))
}
