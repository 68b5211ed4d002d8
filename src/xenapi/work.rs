//! [`Work`]: what a message wants done by a task of the engine, and what the
//! task's end means to XenAPI.

use std::fmt;

use super::context::Context;
use super::failure::Failure;
use super::mark;
use super::value::Value;
use super::view::View;
use crate::engine::{Busy, Job, TaskSpec, Tx};
use crate::fault::Fault;
use crate::schema::ty;
use crate::task::{Command, End, Operation, Outcome, Reason, State, TaskId, TaskRecord};
use crate::value::{self, MoRef, Str};

/// No more tasks than these wait for one object.
const PENDING: usize = 100;

/// A task that is to be made, and its job.
pub struct Work {
    /// The task.
    pub spec: TaskSpec,
    /// What does its work.
    pub job: Box<dyn Job>,
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// Makes the task of a call and lets its job begin; the task's reference in
    /// the inventory.
    pub(super) fn submit(&self, work: Work) -> Result<MoRef, Failure> {
        let Work { mut spec, job } = work;
        // Who finds an object at work is told so and does not wait.
        spec.busy = Busy::Refuse;
        spec.parent = spec.parent.or_else(|| self.parent());
        let view = self.view();
        if let (Some(tasks), Some(entity)) = (view.tasks(), &spec.entity) {
            let near = tasks.recent(Some(entity), 2 * PENDING).into_iter();
            let waiting = near.filter_map(|id| tasks.get(id));
            if waiting.filter(|task| task.state() == State::Queued).count() > PENDING {
                return Err(Failure::too_many_pending());
            }
        }
        if self.server.service().room_for_task().is_err() {
            return Err(Failure::too_many_pending());
        }
        self.commit(|tx| {
            let task = tx.submit(spec, job)?;
            if let Some(id) = TaskId::of(&task) {
                self.sign(tx, id)?;
            }
            Ok(task)
        })
    }

    /// Makes a task that has ended already: for asynchronous calls that are
    /// answered at once, and for those that cannot begin.
    pub(super) fn submit_ended(&self, answer: Result<Value, Failure>) -> Result<MoRef, Failure> {
        let operation = Operation::Internal(Str::from(self.name));
        let mut spec = TaskSpec::new(operation, self.name);
        spec.label = Str::from(self.name);
        spec.parent = self.parent();
        if let Some(session) = &self.session {
            spec.reason = Reason::User(session.user().clone());
            spec.owner = Some(session.user().clone());
        }
        self.commit(|tx| {
            let record = tx.create_task(spec)?;
            self.sign(tx, record.id)?;
            tx.apply(record.id, Command::Start)?;
            let end = match answer {
                Ok(value) => {
                    let mut text = String::new();
                    super::value::write_xml(&value, &mut text);
                    let text = value::Value::from(text.as_str());
                    tx.set_extra(record.id, Str::from(mark::RESULT), Some(text))?;
                    End::Success(None)
                }
                Err(failure) => {
                    let list = mark::of_failure(&failure);
                    tx.set_extra(record.id, Str::from(mark::FAILURE), Some(list))?;
                    let params = failure.params.join(", ");
                    let reason = format!("{}: {params}", failure.code);
                    End::Failure(Some(Fault::system_error(&reason)))
                }
            };
            tx.apply(record.id, Command::Finish(end))?;
            Ok(record.mo.clone())
        })
    }

    /// Notes on a new task what only XenAPI knows of it.
    pub fn sign(&self, tx: &mut Tx<'_>, task: TaskId) -> Result<(), Fault> {
        let text = |text: Str| Some(value::Value::String(text));
        tx.set_extra(task, Str::from(mark::NAME), text(Str::from(self.wire_name())))?;
        if let Some(session) = &self.session {
            tx.set_extra(task, Str::from(mark::SESSION), text(session.reference().clone()))?;
            tx.set_extra(task, Str::from(mark::SUBJECT), text(session.subject(self.server)))?;
        }
        if !self.is_async {
            tx.set_extra(task, Str::from(mark::SYNCHRONOUS), Some(value::Value::Boolean(true)))?;
        }
        if !self.origin.other_config.is_empty() {
            let map = mark::of_map(self.origin.other_config.iter().cloned());
            tx.set_extra(task, Str::from(mark::OTHER_CONFIG), Some(map))?;
        }
        Ok(())
    }

    /// The task that the caller wants above the new one, if it is alive.
    pub fn parent(&self) -> Option<TaskId> {
        let reference = self.origin.subtask_of.as_ref()?;
        let view = self.view();
        let mo = self.server.refs().resolve(reference, view.state())?;
        view.task(&mo).filter(|task| !task.state().is_done()).map(|task| task.id)
    }

    /// Waits until a task has ended, and tells how.
    pub(super) async fn outcome(&self, task: &MoRef) -> Result<Value, Failure> {
        let record = self.server.service().until_ended(task).await;
        let record = record.ok_or_else(|| Failure::handle_invalid("task", task.id()))?;
        let view = self.view();
        match record.state() {
            State::Done(Outcome::Success) => Ok(result(&view, &record)),
            _ => Err(failure(&view, &record)),
        }
    }
}

/// What a task that succeeded gives, in the terms of XenAPI.
pub fn result(view: &View<'_>, task: &TaskRecord) -> Value {
    task.status().result().map_or(Value::Void, |result| neutral(view, result))
}

/// Why a task did not succeed, in the terms of XenAPI.
pub fn failure(view: &View<'_>, task: &TaskRecord) -> Failure {
    if let Some(known) = mark::texts(task, mark::FAILURE).and_then(Failure::from_description) {
        return known;
    }
    if task.state() == State::Done(Outcome::Cancelled) {
        return Failure::task_cancelled(&view.reference(&task.mo));
    }
    match task.status().error() {
        Some(fault) => {
            let refs = view.server().refs();
            let failure = Failure::of(fault, &|mo| (super::class_of(mo.ty()), refs.reference(mo)));
            about(view, task, fault, failure)
        }
        None => Failure::internal_error("The task failed without saying why."),
    }
}

/// Adds to a failure what the object of its task tells.
fn about(view: &View<'_>, task: &TaskRecord, fault: &Fault, failure: Failure) -> Failure {
    let Some(entity) = &task.entity else { return failure };
    let (class, reference) = (super::class_of(entity.ty()), view.reference(entity));
    if fault.is_a(ty::TaskInProgress) {
        let holder = fault.object().field("task").and_then(value::Value::as_moref);
        if let Some((operation, task)) = holder.and_then(|mo| super::vm::holder(view, mo)) {
            return Failure::other_operation(class, &reference, operation, &task);
        }
    }
    if fault.is_a(ty::InvalidPowerState)
        && let [_, expected, actual] = failure.params.as_slice()
    {
        return Failure::bad_power_state(&reference, expected, actual);
    }
    failure
}

/// A value of the schema as XenAPI tells it: references as its own, what has a
/// text as that.
pub fn neutral(view: &View<'_>, given: &value::Value) -> Value {
    match given {
        value::Value::Boolean(flag) => Value::Bool(*flag),
        value::Value::Float(number) => Value::Float(f64::from(*number)),
        value::Value::Double(number) => Value::Float(*number),
        value::Value::String(text) => Value::String(text.clone()),
        value::Value::DateTime(time) => Value::Time(*time),
        value::Value::Ref(mo) => Value::String(view.reference(mo)),
        value::Value::Array(array) => {
            Value::Set(array.items().iter().map(|item| neutral(view, item)).collect())
        }
        value::Value::Object(object) => {
            let fields = object.ty().fields().iter().enumerate();
            let set = fields.filter_map(|(slot, field)| {
                Some((Str::from(field.name()), neutral(view, object.get(slot)?)))
            });
            Value::Map(set.collect())
        }
        other => match (other.as_i64(), other.as_str()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(text)) => Value::text(text),
            (None, None) => Value::Void,
        },
    }
}
