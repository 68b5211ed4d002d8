//! A run of a scheduled task: from its action to calls, from those to tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::action::{self, Action};
use super::{info, is_running, moments, update};
use crate::engine::{Job, Ready, TaskContext, TaskSpec, Tx};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::schema::{Method, ty};
use crate::task::{Operation, Outcome, Reason, State};
use crate::value::{DateTime, MoRef, Object, ObjectBuilder, Str, Value};
use crate::vsphere::call::{Call, Caller};
use crate::vsphere::dispatch::{Answer, Handler};
use crate::vsphere::extension_manager;
use crate::vsphere::service::Service;
use crate::vsphere::session::{NewSession, Session};
use crate::{enum_value, path};

/// A task to be made, with the work of it.
type Planned = (TaskSpec, Box<dyn Job>);

/// A call to be made of a method that makes no task.
type Immediate = (fn(&Service, &Call) -> Answer, Call);

/// Calls to be made, and what went wrong with others.
type Calls = (Vec<Immediate>, Option<Fault>);

/// What a run is going to do.
enum Work {
    /// Make tasks; those that could not be planned leave one fault.
    Tasks(Vec<Planned>, Option<Fault>),
    /// Make a task that its owner drives.
    Owned(Box<TaskSpec>),
    /// Call methods that make no task.
    Calls(Calls),
}

/// Runs a scheduled task whose time `at` has come.
pub(super) fn when_due(service: &Arc<Service>, task: &MoRef, at: DateTime) {
    if let Err(fault) = run(service, task, Some(at)) {
        tracing::warn!(%task, %fault, "a scheduled task could not be run");
    }
}

/// Runs a scheduled task because somebody asks for that.
pub(super) fn now(service: &Arc<Service>, task: &MoRef) -> Result<(), Fault> {
    run(service, task, None)
}

/// What goes wrong with the action is not a fault of this: the scheduled task
/// shows it.
fn run(service: &Arc<Service>, task: &MoRef, due: Option<DateTime>) -> Result<(), Fault> {
    let state = service.engine().snapshot();
    let before = info(&*state, task).ok_or_else(|| Fault::not_found(task))?;
    let work = guarded(|| plan(service, &state, before));
    let calls = service.engine().commit(|tx| begin(service, tx, before, due, work))?;
    let Some((calls, mut fault)) = calls else { return Ok(()) };
    let mut result = None;
    for (handler, call) in calls {
        match guarded(|| handler(service, &call)) {
            Ok(answer) => result = answer,
            Err(wrong) => fault = fault.or(Some(wrong)),
        }
    }
    service.engine().commit(|tx| {
        tx.act_for(Some(&user(before)));
        update(tx, task, |info| end(info, fault.as_ref(), result))?;
        moments::tell_end(tx, before, fault.as_ref());
        Ok(())
    })
}

fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!("a scheduled action panicked");
        Err(Fault::system_error("an internal error; the server's log says where"))
    })
}

/// The commit in which a run begins; the calls that remain to be made.
fn begin(
    service: &Service,
    tx: &mut Tx<'_>,
    planned: &Object,
    due: Option<DateTime>,
    work: Result<Work, Fault>,
) -> Result<Option<Calls>, Fault> {
    let task = planned.at(path!(ScheduledTaskInfo, "scheduledTask")).and_then(Value::as_moref);
    let task = task.ok_or_else(Fault::invalid_state)?;
    let info = info(tx, task).ok_or_else(|| Fault::not_found(task))?.clone();
    let mut next = super::time(&info, path!(ScheduledTaskInfo, "nextRunTime"));
    let now = tx.now();
    if due.is_some() {
        // Somebody else was faster, or the schedule is another one by now.
        if next != due {
            return Ok(None);
        }
        next = service.schedules().schedule(&info).ok().and_then(|schedule| schedule.next(now));
    }
    let place = const { ty::ScheduledTaskInfo.slot("nextRunTime") };
    if is_running(&info) {
        if due.is_none() {
            return Err(Fault::invalid_state());
        }
        update(tx, task, |info| {
            info.set(place, next);
        })?;
        return Ok(None);
    }
    let mut next_info = info.edit();
    next_info.set(place, next);
    next_info.set(const { ty::ScheduledTaskInfo.slot("prevRunTime") }, now);
    next_info.set(const { ty::ScheduledTaskInfo.slot("error") }, None::<Object>);
    next_info.set(const { ty::ScheduledTaskInfo.slot("result") }, None::<Value>);
    next_info
        .set(const { ty::ScheduledTaskInfo.slot("state") }, enum_value!(TaskInfoState::running));
    tx.act_for(Some(&user(&info)));
    moments::tell(tx, &info, ty::ScheduledTaskStartedEvent);
    let (mut calls, mut over) = (None, None);
    match work {
        Ok(Work::Tasks(tasks, fault)) => match submit(tx, &info, tasks, fault.clone()) {
            Ok(true) => {}
            Ok(false) => over = Some(fault),
            Err(fault) => over = Some(Some(fault)),
        },
        Ok(Work::Owned(spec)) => over = tx.create_task(*spec).err().map(Some),
        Ok(Work::Calls(list)) => calls = Some(list),
        Err(fault) => over = Some(Some(fault)),
    }
    if let Some(fault) = over {
        end(&mut next_info, fault.as_ref(), None);
        moments::tell_end(tx, &info, fault.as_ref());
    }
    tx.set(task, path!(ScheduledTask, "info"), next_info.finish())?;
    Ok(calls)
}

/// Shows in an info that a run is over.
fn end(info: &mut ObjectBuilder, fault: Option<&Fault>, result: Option<Value>) {
    let state = match fault {
        None => enum_value!(TaskInfoState::success),
        Some(_) => enum_value!(TaskInfoState::error),
    };
    info.set(const { ty::ScheduledTaskInfo.slot("state") }, state);
    info.set(const { ty::ScheduledTaskInfo.slot("error") }, fault.map(Fault::localized));
    info.set(const { ty::ScheduledTaskInfo.slot("result") }, result);
}

/// Makes the tasks of a run: one by itself, or several below another one.
/// Whether there are any.
fn submit(
    tx: &mut Tx<'_>,
    info: &Object,
    mut tasks: Vec<Planned>,
    fault: Option<Fault>,
) -> Result<bool, Fault> {
    match tasks.len() {
        0 => return Ok(false),
        1 if fault.is_none() => {
            for (spec, job) in tasks.drain(..) {
                tx.submit(spec, job)?;
            }
        }
        _ => {
            let id = "scheduler.ScheduledTask.run";
            let mut spec = TaskSpec::new(Operation::Internal(Str::from(id)), id);
            spec.label = Str::from("Run scheduled task");
            spec.entity =
                info.at(path!(ScheduledTaskInfo, "entity")).and_then(Value::as_moref).cloned();
            spec.cancelable = true;
            if let Some((first, _)) = tasks.first() {
                spec.reason = first.reason.clone();
                spec.owner = first.owner.clone();
            }
            tx.submit(spec, Box::new(Fleet { tasks, fault }))?;
        }
    }
    Ok(true)
}

/// Does the same to several objects.
#[derive(Clone)]
struct Fleet {
    tasks: Vec<Planned>,
    fault: Option<Fault>,
}

impl Job for Fleet {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        for (mut spec, job) in self.tasks.drain(..) {
            // What is gone since a moment ago is left out.
            if spec.entity.as_ref().is_some_and(|entity| tx.exists(entity)) {
                spec.parent = Some(task.id);
                tx.submit(spec, job)?;
            }
        }
        Ok(())
    }

    fn ready(&self, _: &dyn Read, _: &TaskContext<'_>) -> Ready {
        Ready::Children
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        let failed = tx.tasks().children(task.id).find_map(|child| {
            let failed = !matches!(child.state(), State::Done(Outcome::Success));
            failed.then(|| child.status().error().cloned()).flatten()
        });
        match self.fault.take().or(failed) {
            Some(fault) => Err(fault),
            None => Ok(None),
        }
    }
}

fn plan(service: &Arc<Service>, state: &Snapshot, info: &Object) -> Result<Work, Fault> {
    let object = info.at(path!(ScheduledTaskInfo, "taskObject")).and_then(Value::as_moref);
    let object = object.ok_or_else(Fault::invalid_state)?;
    let action = info.at(path!(ScheduledTaskInfo, "action")).and_then(Value::as_object);
    let action = action.ok_or_else(|| Fault::invalid_argument("spec.action"))?;
    match action::read(state, action, object)? {
        Action::Call { method, args } => {
            let targets = action::targets(state, object, method);
            plan_calls(service, state, info, &targets, method, &args)
        }
        Action::CreateTask { kind, cancelable } => {
            let mut spec = TaskSpec::new(Operation::Extension(kind.id.clone()), kind.id);
            spec.label = kind.label;
            spec.entity = Some(object.clone());
            spec.cancelable = cancelable;
            spec.reason = reason(info);
            spec.owner = Some(user(info));
            Ok(Work::Owned(Box::new(spec)))
        }
        Action::Unsupported => Err(Fault::not_modelled(action.ty().name())),
    }
}

fn plan_calls(
    service: &Arc<Service>,
    state: &Snapshot,
    info: &Object,
    targets: &[MoRef],
    method: Method,
    args: &[Option<Value>],
) -> Result<Work, Fault> {
    let (mut tasks, mut calls, mut fault) = (Vec::new(), Vec::new(), None);
    let session = Arc::new(session(service, state, info));
    for target in targets {
        let mut caller = Caller::anonymous(service.version());
        caller.session = Some(session.clone());
        let call = Call { this: target.clone(), method, args: args.into(), caller };
        let planned = service.admit(&call).and_then(|handler| match handler {
            Handler::Task(plan) => {
                let (mut spec, job) = service.prepare(&call, plan(service, &call)?);
                spec.reason = reason(info);
                tasks.push((spec, job));
                Ok(())
            }
            Handler::Now(answer) => {
                calls.push((answer, call));
                Ok(())
            }
            Handler::Wait(_) => Err(Fault::not_supported()),
        });
        if let Err(wrong) = planned {
            fault.get_or_insert(wrong);
        }
    }
    match fault {
        Some(fault) if tasks.is_empty() && calls.is_empty() => Err(fault),
        fault if calls.is_empty() => Ok(Work::Tasks(tasks, fault)),
        fault => Ok(Work::Calls((calls, fault))),
    }
}

/// The user for whom a run is made.
fn user(info: &Object) -> Str {
    let user = info.at(path!(ScheduledTaskInfo, "lastModifiedUser")).and_then(Value::as_str);
    Str::from(user.unwrap_or_default())
}

fn reason(info: &Object) -> Reason {
    let name = info.at(path!(ScheduledTaskInfo, "name")).and_then(Value::as_str);
    let task = info.at(path!(ScheduledTaskInfo, "scheduledTask")).and_then(Value::as_moref);
    match task {
        Some(task) => Reason::Schedule {
            scheduled_task: task.clone(),
            name: Str::from(name.unwrap_or_default()),
        },
        None => Reason::System,
    }
}

/// A session for one run, which nobody else knows.
fn session(service: &Service, state: &Snapshot, info: &Object) -> Session {
    let user = user(info);
    let login = NewSession {
        key: Str::from(service.ids().session_key()),
        token: Str::new(),
        full_name: service.authorization().full_name(&user),
        address: Str::new(),
        user_agent: Str::new(),
        locale: Str::from("en"),
        now: service.engine().now(),
        extension: extension_manager::find(state, &user).is_some(),
        user_name: user,
        idle_limit: None,
    };
    Session::new(login, service.session_budget())
}
