//! `ScheduledTaskManager` and `ScheduledTask`: work that begins by itself.
//!
//! ```text
//!   Create, Reconfigure ──► info.nextRunTime ──► one timer, for the earliest
//!                                ▲                        │ due
//!                                │ next_run               ▼
//!   RunScheduledTask ────────────┴───────────────────►   run ──► a task with
//!                                                                TaskReasonSchedule
//!        info.state, progress, error, result, activeTask ◄── follow ──╯
//! ```
//!
//! - `next_run`: when, as pure functions
//! - `scheduler`: reading when a client wants it; what, is for `action`
//! - `manager`: the methods
//! - `run`: doing it
//! - `moments`: the events of it
//!
//! Choices where the documents leave one:
//!
//! - Names are unique on the server. `state` is `queued` before the first run;
//!   then it is that of the latest run, and a run that is not over makes
//!   `RunScheduledTask`, `Reconfigure` and `Remove` fail with `InvalidState`.
//!   When the next run is due before that, it is left out.
//! - `OnceTaskScheduler.runAt` must not lie in the past; unset it means now.
//!   `AfterStartupTaskScheduler` means this start of the server if that time is
//!   still to come, else the next one. A disabled schedule has no `nextRunTime`,
//!   but can be run by `RunScheduledTask`.
//! - A run may do what the user may who last modified the scheduled task, as
//!   roles and permissions are when it begins.
//! - A method that is no `_Task` makes no task: the run is over when the method
//!   has returned. On a container that does not have the method, the method is
//!   called on what the container directly contains, below one task.
//! - `RunScriptAction`, `SendEmailAction` and `SendSNMPAction` are accepted; each
//!   run of them fails with `NotSupported`. Nobody gets the mail to `notification`,
//!   but there is an event of each: sent if `mail.smtp.server` is set, or failed.
//! - A scheduled task goes with the object that it is for.

mod manager;
mod moments;
mod next_run;
mod run;
mod scheduler;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use super::dispatch::{Entry, Handler};
use super::service::Service;
use super::waker::Waker;
use crate::engine::{Arranged, Restored, Ticket, Tx};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot, Transaction};
use crate::path;
use crate::schema::{StaticPath, method, ty};
use crate::task::{Reason, TaskRecord};
use crate::value::{DateTime, MoRef, Object, ObjectBuilder, Value};

pub(super) use moments::{notify, of_end};
use next_run::Schedule;

#[rustfmt::skip]
pub(super) const METHODS: &[Entry] = &[
    (ty::ScheduledTaskManager, method::CreateScheduledTask, Handler::Now(manager::create)),
    (ty::ScheduledTaskManager, method::CreateObjectScheduledTask, Handler::Now(manager::create_for_object)),
    (ty::ScheduledTaskManager, method::RetrieveEntityScheduledTask, Handler::Now(manager::of_entity)),
    (ty::ScheduledTaskManager, method::RetrieveObjectScheduledTask, Handler::Now(manager::of_object)),
    (ty::ScheduledTask, method::RunScheduledTask, Handler::Now(manager::run)),
    (ty::ScheduledTask, method::ReconfigureScheduledTask, Handler::Now(manager::reconfigure)),
    (ty::ScheduledTask, method::RemoveScheduledTask, Handler::Now(manager::remove)),
];

/// What is behind all scheduled tasks of a server.
#[derive(Debug)]
pub(super) struct Schedules {
    service: Weak<Service>,
    /// When the server started, in microseconds.
    started: AtomicI64,
    waker: Waker,
}

/// The schedules of a state that is saved.
#[derive(Debug)]
pub(super) struct Saved {
    started: DateTime,
    ticket: Option<Ticket>,
}

impl Schedules {
    /// The schedules of a server that starts now.
    pub(super) fn new(service: Weak<Service>, started: DateTime) -> Self {
        let started = AtomicI64::new(started.micros());
        let ring = |service: &Service, rung| {
            service.schedules().waker.rang(rung);
            service.schedules().wake();
        };
        Self { waker: Waker::new(service.clone(), ring), service, started }
    }

    /// When the server started.
    fn started(&self) -> DateTime {
        DateTime::from_micros(self.started.load(Ordering::Acquire))
    }

    /// The server starts once more, now.
    pub(super) fn restart(&self) -> Result<(), Fault> {
        if let Some(service) = self.service.upgrade() {
            self.started.store(service.engine().now().micros(), Ordering::Release);
        }
        self.resume()
    }

    /// What there is to save besides the inventory.
    pub(super) fn save(&self) -> Saved {
        Saved { started: self.started(), ticket: self.waker.ticket() }
    }

    /// Has `restore` bring back the state that `saved` is a part of, with the
    /// timer in its old place among all that waits.
    pub(super) fn restore(
        &self,
        saved: &Saved,
        restore: impl FnOnce(&mut dyn FnMut(Ticket) -> Option<Arranged>) -> Restored,
    ) -> Restored {
        let restored = self.waker.restore(saved.ticket, restore);
        self.started.store(saved.started.micros(), Ordering::Release);
        self.wake();
        restored
    }

    /// Takes up the scheduled tasks that the inventory has from the start. Runs
    /// that were not over when it was saved are forgotten, like their tasks.
    pub(super) fn resume(&self) -> Result<(), Fault> {
        let Some(service) = self.service.upgrade() else { return Ok(()) };
        if all(&*service.engine().snapshot()).is_empty() {
            return Ok(());
        }
        service.engine().commit(|tx| {
            let now = tx.now();
            for task in all(tx) {
                let first = info(tx, &task).and_then(|info| {
                    is_enabled(info).then(|| self.schedule(info))?.ok()?.first(now)
                });
                let ran = info(tx, &task).is_some_and(|info| !is_running(info));
                update(tx, &task, |info| {
                    info.set(const { ty::ScheduledTaskInfo.slot("nextRunTime") }, first);
                    if !ran {
                        let state = crate::enum_value!(TaskInfoState::queued);
                        info.set(const { ty::ScheduledTaskInfo.slot("state") }, state);
                        info.set(const { ty::ScheduledTaskInfo.slot("activeTask") }, None::<MoRef>);
                    }
                })?;
            }
            Ok(())
        })?;
        self.wake();
        Ok(())
    }

    /// Does what is due, and sees to it that what comes next is done in time.
    pub(super) fn wake(&self) {
        let Some(service) = self.service.upgrade() else { return };
        let (now, state) = (service.engine().now(), service.engine().snapshot());
        let mut due = waiting(&state);
        due.retain(|(next, _)| *next <= now);
        // Those of the same instant run in the order in which they were made.
        due.sort_by_key(|(next, _)| *next);
        for (at, task) in due {
            run::when_due(&service, &task, at);
        }
        self.arm(&service);
    }

    fn arm(&self, service: &Service) {
        let next = waiting(&service.engine().snapshot()).into_iter().map(|(next, _)| next).min();
        if let Some(next) = next {
            self.waker.set(service, next);
        }
    }

    /// The schedule of a scheduled task that was accepted.
    fn schedule(&self, info: &Object) -> Result<Schedule, Fault> {
        let made = time(info, path!(ScheduledTaskInfo, "lastModifiedTime"));
        let scheduler = info.at(path!(ScheduledTaskInfo, "scheduler")).and_then(Value::as_object);
        let scheduler = scheduler.ok_or_else(|| Fault::invalid_argument("spec.scheduler"))?;
        scheduler::read(scheduler, made.unwrap_or(self.started()), self.started())
    }
}

/// The scheduled tasks of the server, in the order in which they were made.
fn all(state: &(impl Read + ?Sized)) -> Vec<MoRef> {
    state.morefs(&manager(), path!(ScheduledTaskManager, "scheduledTask"))
}

fn manager() -> MoRef {
    MoRef::new(ty::ScheduledTaskManager, "ScheduledTaskManager")
}

fn waiting(state: &Snapshot) -> Vec<(DateTime, MoRef)> {
    let next = |mo: &MoRef| time(info(state, mo)?, path!(ScheduledTaskInfo, "nextRunTime"));
    all(state).into_iter().filter_map(|mo| next(&mo).map(|next| (next, mo))).collect()
}

fn info<'s>(state: &'s (impl Read + ?Sized), task: &MoRef) -> Option<&'s Object> {
    state.at(task, path!(ScheduledTask, "info"))?.as_object()
}

fn time(info: &Object, path: &StaticPath) -> Option<DateTime> {
    info.at(path).and_then(Value::as_date_time)
}

fn is_enabled(info: &Object) -> bool {
    info.at(path!(ScheduledTaskInfo, "enabled")).and_then(Value::as_bool).unwrap_or_default()
}

/// Whether a run is not over yet.
fn is_running(info: &Object) -> bool {
    let state = info.at(path!(ScheduledTaskInfo, "state")).and_then(Value::as_str);
    state == Some("running") || info.at(path!(ScheduledTaskInfo, "activeTask")).is_some()
}

/// Changes the info of a scheduled task.
fn update(
    tx: &mut Transaction,
    task: &MoRef,
    edit: impl FnOnce(&mut ObjectBuilder),
) -> Result<(), Fault> {
    let mut info = info(tx, task).ok_or_else(|| Fault::not_found(task))?.edit();
    edit(&mut info);
    tx.set(task, path!(ScheduledTask, "info"), info.finish())
}

/// Shows in a scheduled task what became of the task that its run made; part of
/// the commit that changes that task.
pub(super) fn follow(tx: &mut Transaction, old: Option<&TaskRecord>, new: &TaskRecord) {
    let Reason::Schedule { scheduled_task, .. } = &new.reason else { return };
    let Some(info) = info(tx, scheduled_task) else { return };
    let active = info.at(path!(ScheduledTaskInfo, "activeTask")).and_then(Value::as_moref);
    // A task below another one shows in that.
    if new.parent.is_some() || (old.is_some() && active != Some(&new.mo)) {
        return;
    }
    let shown = super::task::info(new);
    let at = |path| shown.at(path).cloned();
    let mut next = info.edit();
    let active = Some(&new.mo).filter(|_| !new.state().is_done());
    next.set(const { ty::ScheduledTaskInfo.slot("activeTask") }, active);
    for (slot, value) in [
        (const { ty::ScheduledTaskInfo.slot("state") }, at(path!(TaskInfo, "state"))),
        (const { ty::ScheduledTaskInfo.slot("progress") }, at(path!(TaskInfo, "progress"))),
        (const { ty::ScheduledTaskInfo.slot("error") }, at(path!(TaskInfo, "error"))),
        (const { ty::ScheduledTaskInfo.slot("result") }, at(path!(TaskInfo, "result"))),
    ] {
        next.set(slot, value);
    }
    // The scheduled task is there, and the property is its own.
    let _ = tx.set(scheduled_task, path!(ScheduledTask, "info"), next.finish());
}

/// Removes the scheduled tasks of objects that are gone.
pub(super) fn forget(tx: &mut Tx<'_>, gone: impl Fn(&MoRef) -> bool) -> Result<(), Fault> {
    let is_of_gone = |task: &MoRef| {
        let info = info(tx, task);
        let at = |path| info.and_then(|info| info.at(path)).and_then(Value::as_moref);
        let objects =
            [path!(ScheduledTaskInfo, "entity"), path!(ScheduledTaskInfo, "taskObject")].map(at);
        objects.into_iter().flatten().any(&gone)
    };
    let leaving: Vec<MoRef> = all(tx).into_iter().filter(is_of_gone).collect();
    leaving.iter().try_for_each(|task| remove(tx, task))
}

fn remove(tx: &mut Tx<'_>, task: &MoRef) -> Result<(), Fault> {
    if let Some(info) = info(tx, task).cloned() {
        moments::tell(tx, &info, ty::ScheduledTaskRemovedEvent);
    }
    tx.remove_ref(&manager(), path!(ScheduledTaskManager, "scheduledTask"), task)?;
    tx.remove(task);
    Ok(())
}

/// A strong handle, for work that a call begins.
fn strong(service: &Service) -> Result<Arc<Service>, Fault> {
    let service = service.schedules().service.upgrade();
    service.ok_or_else(|| Fault::system_error("the server is going down"))
}
