//! `Task`: a task record as vSphere clients see it, and the four methods that
//! its owner and its watchers call.

use std::sync::Arc;

use super::alarm::Watcher;
use super::call::{Call, arg};
use super::containment;
use super::dispatch::{Answer, Entry, Handler};
use super::events;
use super::service::Service;
use crate::engine::{Moment, Projection, Tx};
use crate::event::EventDraft;
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::object;
use crate::path;
use crate::schema::{method, ty};
use crate::task::{Change, Feed, Operation, Outcome, Progress, Reason, State, Target, TaskRecord};
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

/// Shows task records as managed objects. `recentTask` is computed when it is
/// read, from the table that is part of the same snapshot; here its owners are
/// told that it has changed.
#[derive(Debug)]
pub(super) struct TaskProjection {
    /// The task manager, whose `recentTask` lists all.
    pub(super) manager: MoRef,
    /// The event manager, if there is one: its `latestEvent` is computed.
    pub(super) event_manager: Option<MoRef>,
    /// Where changes are told to whoever watches tasks.
    pub(super) feed: Arc<Feed>,
    /// Who looks at each change for alarms.
    pub(super) watcher: Arc<Watcher>,
}

impl TaskProjection {
    fn touch(&self, tx: &mut Transaction, task: &TaskRecord) {
        tx.touch(&self.manager);
        if let Some(entity) = task.entity.as_ref().filter(|mo| mo.ty().is_a(ty::ManagedEntity)) {
            tx.touch(entity);
        }
    }
}

impl Projection for TaskProjection {
    fn project(&self, record: &TaskRecord) -> Object {
        object!(Task { info: info(record) })
    }

    fn above(&self, state: &dyn Read, entity: &MoRef) -> Arc<[MoRef]> {
        containment::above(state, entity).into()
    }

    fn event(
        &self,
        state: &dyn Read,
        task: &Arc<TaskRecord>,
        moment: Moment,
    ) -> Option<EventDraft> {
        events::of_task(state, task, moment)
    }

    fn watch(&self, tx: &mut Tx<'_>) {
        super::scheduled::notify(tx);
        self.watcher.watch(tx);
    }

    fn on_events(&self, tx: &mut Transaction) {
        if let Some(manager) = &self.event_manager {
            tx.touch(manager);
        }
    }

    fn on_change(&self, tx: &mut Transaction, old: Option<&TaskRecord>, new: &Arc<TaskRecord>) {
        self.feed.push(Change { version: tx.version(), task: Arc::clone(new), gone: false });
        if old.is_none_or(|old| old.state() != new.state()) {
            self.touch(tx, new);
        }
        super::scheduled::follow(tx, old, new);
    }

    fn on_age(&self, tx: &mut Transaction, tasks: &[Arc<TaskRecord>]) {
        tasks.iter().for_each(|task| self.touch(tx, task));
    }

    fn on_forget(&self, tx: &mut Transaction, task: &Arc<TaskRecord>) {
        self.feed.push(Change { version: tx.version(), task: Arc::clone(task), gone: true });
        self.touch(tx, task);
    }
}
