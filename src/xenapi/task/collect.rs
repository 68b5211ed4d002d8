//! Which tasks XenAPI's clients no longer see, and when that is decided.
//!
//! Every half a minute, while somebody is logged in, these go:
//!
//! 1. those that are over and were to be destroyed;
//! 2. those that were over more than 65 minutes ago; whoever says that its own
//!    task is over sets no time, so that it goes at once;
//! 3. those that are not over after a day and have not got any further since
//!    the last time;
//! 4. of the rest, if there are more than two hundred, those that were over
//!    first; never one that is not.
//!
//! A session of which a task is not over is kept from being idle by the same
//! look at things.
//!
//! Nothing is destroyed: the tasks are hidden here, and vSphere's clients see
//! them for as long as they do. Tasks end in an order, so what has to be
//! remembered is mostly one place in it; those on which clients wrote
//! themselves are looked at one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::is_visible;
use crate::config::XenApi;
use crate::engine::{Tx, Weight};
use crate::fault::Fault;
use crate::task::{TaskId, TaskRecord, TaskTable};
use crate::value::{DateTime, Str, Value};
use crate::xenapi::mark;
use crate::xenapi::server::Server;

/// A place in the order in which tasks ended.
type Place = (DateTime, TaskId);

/// What collections have hidden, committed together with the tasks.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// All that ended here or before is hidden …
    last: Option<Place>,
    /// … but these, on which clients have written.
    kept: imbl::OrdSet<TaskId>,
    /// How far those were at the last time that are old and not over.
    stale: BTreeMap<TaskId, u64>,
}

impl Collected {
    /// Whether a task is hidden that ended then.
    pub(super) fn holds(&self, completed: DateTime, id: TaskId) -> bool {
        self.last.is_some_and(|last| (completed, id) <= last) && !self.kept.contains(&id)
    }
}

/// A client writes on a task: it is no longer one of many.
pub(super) fn keep(tx: &mut Tx<'_>, id: TaskId) {
    let collected = tx.aside::<Collected>();
    if collected.is_none_or(|collected| !collected.kept.contains(&id)) {
        let mut next = collected.cloned().unwrap_or_default();
        next.kept.insert(id);
        tx.set_aside(next);
    }
}

/// All tasks that are not hidden, oldest first.
pub(super) fn visible<'t>(
    tasks: &'t TaskTable,
    collected: Option<&Collected>,
) -> Vec<&'t Arc<TaskRecord>> {
    let last = collected.and_then(|collected| collected.last);
    let ended = tasks.finished_after(last);
    let kept = collected.into_iter().flat_map(|collected| &collected.kept);
    // Those that ended later, or not at all, are among the others.
    let kept = kept.filter_map(|id| tasks.get(*id)).filter(|task| {
        task.status()
            .completed_at()
            .is_some_and(|end| last.is_some_and(|last| (end, task.id) <= last))
    });
    let mut all: Vec<_> = tasks.live().chain(ended).chain(kept).collect();
    all.retain(|task| is_visible(collected, task));
    all.sort_unstable_by_key(|task| task.id);
    all
}

/// Hides what is to be hidden now; `watched` says whether anybody is to be told.
fn collect(tx: &mut Tx<'_>, limits: &XenApi, watched: bool) -> Result<(), Fault> {
    let now = tx.now();
    let before = tx.aside::<Collected>().cloned().unwrap_or_default();
    let mut next = before.clone();
    next.stale.clear();
    let mut gone: Vec<Arc<TaskRecord>> = Vec::new();
    let mut over: Vec<(DateTime, Arc<TaskRecord>)> = Vec::new();
    let mut waiting = 0;
    for task in visible(tx.tasks(), Some(&before)) {
        let status = task.status();
        if status.standing().outcome().is_some() {
            let claimed = status.is_claimed();
            let finished = if claimed { status.view().finished } else { status.completed_at() };
            let finished = finished.unwrap_or(DateTime::EPOCH);
            if mark::flag(task, super::DOOMED) || finished.after(limits.task_age) <= now {
                gone.push(task.clone());
            } else {
                over.push((finished, task.clone()));
            }
            continue;
        }
        if status.queued_at().after(limits.pending_age) <= now {
            let progress = status.view().progress.to_bits();
            if before.stale.get(&task.id) == Some(&progress) {
                gone.push(task.clone());
                continue;
            }
            next.stale.insert(task.id, progress);
        }
        waiting += 1;
    }
    let surplus = over.len().saturating_sub(limits.task_count.saturating_sub(waiting));
    over.sort_by_key(|(finished, task)| (*finished, task.id));
    gone.extend(over.into_iter().take(surplus).map(|(_, task)| task));
    for task in gone {
        // A place in the order of ends says enough of a task that follows it.
        let ended = task.status().completed_at().filter(|_| !next.kept.contains(&task.id));
        match ended {
            Some(ended) if !task.status().is_claimed() && !mark::flag(&task, super::DOOMED) => {
                next.last = next.last.max(Some((ended, task.id)));
                if watched {
                    tx.touch(&task.mo);
                }
            }
            _ => {
                next.kept.remove(&task.id);
                tx.set_extra(task.id, Str::from(super::HIDDEN), Some(Value::Boolean(true)))?;
            }
        }
    }
    next.kept = next.kept.iter().filter(|id| tx.task(**id).is_some()).copied().collect();
    let same = (next.last, &next.stale, next.kept.len())
        == (before.last, &before.stale, before.kept.len());
    if !same {
        tx.set_aside(next);
    }
    Ok(())
}

/// Sees to it that tasks are collected while somebody is logged in.
#[derive(Debug, Default)]
pub struct Collector {
    /// Whether the next time is arranged.
    armed: Mutex<bool>,
}

impl Server {
    /// Somebody has logged in: collects at once, unless that is being done
    /// anyway, and from then on as long as anybody is.
    pub(in crate::xenapi) fn watch_tasks(self: &Arc<Self>) {
        let mut armed = self.collector().armed.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *armed, true) {
            return;
        }
        drop(armed);
        self.collect_tasks();
    }

    /// Sessions whose tasks are not over are not idle.
    fn keep_sessions(&self) {
        let engine = self.service().engine();
        let tasks = engine.tasks();
        let pending = tasks.live().filter_map(|task| mark::text(task, mark::SESSION));
        let waited_for: BTreeSet<&Str> = pending.collect();
        for session in waited_for.iter().filter_map(|reference| self.sessions().find(reference)) {
            drop(session.inner().busy(|| engine.now()));
        }
    }

    fn collect_tasks(self: &Arc<Self>) {
        let engine = self.service().engine();
        let limits = &self.config().xenapi;
        // Asked inside the commit; see `Hub::activate`.
        let collected = engine.commit(|tx| collect(tx, limits, self.events().is_active()));
        if let Err(fault) = collected {
            tracing::error!(%fault, "tasks could not be collected");
        }
        self.keep_sessions();
        let server = Arc::downgrade(self);
        engine.after(limits.collect_every, Weight::Background, move |_| {
            let Some(server) = server.upgrade() else { return };
            if server.sessions().list().is_empty() {
                let armed = &server.collector().armed;
                *armed.lock().unwrap_or_else(PoisonError::into_inner) = false;
            } else {
                server.collect_tasks();
            }
        });
    }
}
