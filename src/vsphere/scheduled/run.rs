//! A run of a scheduled task, from its beginning to its end.

use std::sync::Arc;

use super::{info, is_running, moments, update};
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Snapshot;
use crate::schema::ty;
use crate::task::Reason;
use crate::value::{DateTime, MoRef, Object, ObjectBuilder, Str, Value};
use crate::vsphere::action::{self, Calls, Occasion, Work, guarded, submit};
use crate::vsphere::service::Service;
use crate::{enum_value, path};

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
    let Some(calls) = calls else { return Ok(()) };
    let (fault, result) = match action::make(service, calls) {
        Ok(result) => (None, result),
        Err(fault) => (Some(fault), None),
    };
    service.engine().commit(|tx| {
        tx.act_for(Some(&user(before)));
        update(tx, task, |info| end(info, fault.as_ref(), result))?;
        moments::tell_end(tx, before, fault.as_ref());
        Ok(())
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
        Ok(Work::Tasks(tasks, fault)) => match submit(tx, &occasion(&info), tasks, fault.clone()) {
            Ok(true) => {}
            Ok(false) => over = Some(fault),
            Err(fault) => over = Some(Some(fault)),
        },
        Ok(Work::Owned(spec)) => over = tx.create_task(*spec).err().map(Some),
        Ok(Work::Calls(list)) => calls = Some(list),
        Ok(Work::Abroad) => over = Some(Some(Fault::not_supported())),
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

fn plan(service: &Arc<Service>, state: &Snapshot, info: &Object) -> Result<Work, Fault> {
    let object = info.at(path!(ScheduledTaskInfo, "taskObject")).and_then(Value::as_moref);
    let object = object.ok_or_else(Fault::invalid_state)?;
    let action = info.at(path!(ScheduledTaskInfo, "action")).and_then(Value::as_object);
    let action = action.ok_or_else(|| Fault::invalid_argument("spec.action"))?;
    match action::plan(service, state, action, object, &occasion(info))? {
        Work::Abroad => Err(Fault::not_modelled(action.ty().name())),
        work => Ok(work),
    }
}

fn occasion(info: &Object) -> Occasion {
    Occasion {
        user: user(info),
        reason: reason(info),
        entity: info.at(path!(ScheduledTaskInfo, "entity")).and_then(Value::as_moref).cloned(),
        kind: ("scheduler.ScheduledTask.run", "Run scheduled task"),
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
