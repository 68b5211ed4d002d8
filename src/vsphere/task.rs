//! `Task`: a task record as vSphere clients see it, and the four methods that
//! its owner and its watchers call.

use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::service::Service;
use crate::engine::Projection;
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::object;
use crate::path;
use crate::schema::{StaticPath, method, ty};
use crate::task::{Operation, Outcome, Progress, Reason, State, Target, TaskRecord};
use crate::value::{MoRef, Object, Str, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::Task, method::CancelTask, Handler::Now(cancel)),
    (ty::Task, method::SetTaskState, Handler::Now(set_state)),
    (ty::Task, method::UpdateProgress, Handler::Now(update_progress)),
    (ty::Task, method::SetTaskDescription, Handler::Now(set_description)),
];

fn cancel(service: &Service, call: &Call) -> Answer {
    let user = call.session()?.user_name.clone();
    service.engine().cancel(&call.this, Some(user))?;
    Ok(None)
}

fn set_state(service: &Service, call: &Call) -> Answer {
    let state = call.required(arg!(SetTaskState.state))?.as_str();
    let target = state.and_then(Target::parse).ok_or_else(|| Fault::invalid_argument("state"))?;
    let result = call.get(arg!(SetTaskState.result)).cloned();
    let fault = call.get(arg!(SetTaskState.fault)).and_then(Value::as_object).map(fault);
    service.engine().set_state(&call.this, target, result, fault.transpose()?)?;
    Ok(None)
}

/// The fault that a client gives as `LocalizedMethodFault`.
fn fault(given: &Object) -> Result<Fault, Fault> {
    let object = given.at(path!(LocalizedMethodFault, "fault")).and_then(Value::as_object);
    let message = given.at(path!(LocalizedMethodFault, "localizedMessage")).and_then(Value::as_str);
    let object = object.ok_or_else(|| Fault::invalid_argument("fault"))?;
    Ok(Fault::new(object.clone(), message.unwrap_or_default()))
}

fn update_progress(service: &Service, call: &Call) -> Answer {
    let percent = call.required(arg!(UpdateProgress.percentDone))?.as_i32();
    let percent = percent.ok_or_else(|| Fault::invalid_argument("percentDone"))?;
    service.engine().update_progress(&call.this, percent)?;
    Ok(None)
}

fn set_description(service: &Service, call: &Call) -> Answer {
    let given = call.required(arg!(SetTaskDescription.description))?.as_object().cloned();
    let given = given.ok_or_else(|| Fault::invalid_argument("description"))?;
    service.engine().set_description(&call.this, given)?;
    Ok(None)
}

/// The `TaskInfo` of a record.
pub(super) fn info(record: &TaskRecord) -> Object {
    let status = record.status();
    let state = match record.state() {
        State::Queued => crate::enum_value!(TaskInfoState::queued),
        State::Running => crate::enum_value!(TaskInfoState::running),
        State::Done(Outcome::Success) => crate::enum_value!(TaskInfoState::success),
        State::Done(Outcome::Failure | Outcome::Cancelled) => {
            crate::enum_value!(TaskInfoState::error)
        }
    };
    let name = match &record.operation {
        Operation::Method(method) => Some(Str::from(method.name())),
        Operation::Extension(_) | Operation::Internal(_) => None,
    };
    let locked = record.locked();
    let running = record.state() == State::Running;
    object!(TaskInfo {
        key: &record.key,
        task: &record.mo,
        description: status.description(),
        name: name,
        descriptionId: &record.description_id,
        entity: record.entity.as_ref(),
        entityName: record.entity_name.as_ref(),
        locked: (!locked.is_empty()).then_some(locked),
        state: state,
        cancelled: status.cancel().is_some(),
        cancelable: status.cancelable(),
        error: status.error().map(Fault::localized),
        result: status.result(),
        progress: status.progress().filter(|_| running).map(Progress::percent),
        progressDetails: status.details().cloned(),
        reason: reason(&record.reason),
        queueTime: status.queued_at(),
        startTime: status.started_at(),
        completeTime: status.completed_at(),
        eventChainId: record.event_chain_id,
        changeTag: record.change_tag.as_ref(),
        parentTaskKey: record.parent.map(|id| id.to_string()),
        rootTaskKey: record.root.map(|id| id.to_string()),
        activationId: record.activation_id.as_ref(),
    })
}

fn reason(reason: &Reason) -> Object {
    match reason {
        Reason::User(name) => object!(TaskReasonUser { userName: name }),
        Reason::Alarm { alarm, alarm_name, entity, entity_name } => object!(TaskReasonAlarm {
            alarmName: alarm_name,
            alarm: alarm,
            entityName: entity_name,
            entity: entity,
        }),
        Reason::Schedule { scheduled_task, name } => {
            object!(TaskReasonSchedule { name: name, scheduledTask: scheduled_task })
        }
        Reason::System => object!(TaskReasonSystem {}),
    }
}

/// How many finished tasks `recentTask` shows at the most, on the manager and
/// on each entity.
const RECENT: usize = 200;

/// Shows task records as managed objects, and keeps `recentTask`.
#[derive(Debug)]
pub(super) struct TaskProjection {
    /// The task manager, whose `recentTask` lists all.
    pub(super) manager: MoRef,
}

impl Projection for TaskProjection {
    fn project(&self, record: &TaskRecord) -> Object {
        object!(Task { info: info(record) })
    }

    fn on_change(&self, tx: &mut Transaction, old: Option<&TaskRecord>, new: &TaskRecord) {
        if old.is_none() {
            recent(tx, &self.manager, path!(TaskManager, "recentTask"), &new.mo);
            if let Some(entity) = new.entity.as_ref().filter(|mo| mo.ty().is_a(ty::ManagedEntity)) {
                recent(tx, entity, path!(ManagedEntity, "recentTask"), &new.mo);
            }
        }
    }

    fn on_forget(&self, tx: &mut Transaction, task: &TaskRecord) {
        let lists = [
            Some((&self.manager, path!(TaskManager, "recentTask"))),
            task.entity.as_ref().map(|mo| (mo, path!(ManagedEntity, "recentTask"))),
        ];
        for (owner, place) in lists.into_iter().flatten() {
            if tx.at(owner, place).is_some() {
                // The owner was there a moment ago, inside the same commit.
                let _ = tx.remove_ref(owner, place, &task.mo);
            }
        }
    }
}

/// Adds a task at the end of a `recentTask` list, and drops the oldest ones
/// that no longer belong there.
fn recent(tx: &mut Transaction, owner: &MoRef, place: &StaticPath, task: &MoRef) {
    if !tx.exists(owner) {
        return;
    }
    let mut tasks = tx.morefs(owner, place);
    tasks.push(task.clone());
    let surplus = tasks.len().saturating_sub(RECENT);
    tasks.drain(..surplus);
    // The owner is there, and the property is one of its own.
    let _ = tx.set(owner, place, tasks);
}
