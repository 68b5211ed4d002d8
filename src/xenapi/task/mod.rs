//! The class `task`: every task of the simulated server, whoever began it.
//!
//! ```text
//!   Async.X, task.create, any *_Task of vSphere ──► in view
//!                                                     │
//!          destroy, once it is over ── collection ────┴──► hidden here; vSphere's
//!          (asked for before: then)    (see `collect`)     clients notice nothing
//! ```
//!
//! What a client reads is the second face of a record
//! ([`crate::task::unchecked`]), with what only XenAPI knows ([`mark`]). Where
//! documents and implementation of the real product disagree:
//!
//! | about | here |
//! | --- | --- |
//! | `type` | always `<none/>`, as implemented; documented as a class |
//! | `cancel` of what cannot be cancelled | succeeds, as implemented; `OPERATION_NOT_ALLOWED` is documented |
//! | `cancelling` | only clients say so, as implemented |
//! | `set_resident_on` | no message, as implemented |
//! | `result` | any value as XML-RPC text, as implemented; nothing or a reference is documented |
//! | `progress` of a task that is over | 1, unless clients said otherwise |
//! | `other_config` | not writable as a field; messages of its own, as since 25.8 |
//! | destroying twice what is not over | the same as once; the real product fails with `MAP_DUPLICATE_KEY` |
//! | how many tasks stay | two hundred less those that are not over, as its comment says, not as its code counts |
//! | tasks of vSphere's clients | by the name that vSphere shows; they belong to nobody here, so that only a pool operator changes them |

pub mod collect;
mod fields;
mod messages;

use std::sync::Arc;

use super::class::Class;
use super::mark;
use super::view::View;
use crate::engine::aside_in;
use crate::task::TaskRecord;
use crate::value::MoRef;

use self::collect::Collected;

/// The class.
pub(super) static CLASS: Class = Class {
    name: "task",
    fields: fields::FIELDS,
    messages: messages::MESSAGES,
    objects,
    exists: |view, mo| find(view, mo).is_some(),
    by_uuid: |view, uuid| {
        let mo = view.server().refs().task_by_uuid(uuid)?.moref();
        find(view, &mo).map(|task| task.mo.clone())
    },
    listed: true,
    own_getters: &[],
};

/// Set once a client of XenAPI is not to see the task any more.
pub const HIDDEN: &str = "xenapi.hidden";
/// Set once the task is to be hidden as soon as it is over.
pub const DOOMED: &str = "xenapi.destroy";
/// The reference to the latest call that cancelled the task, whose own task is
/// in no database.
pub const CANCELLED_BY: &str = "xenapi.cancel";

/// A task that XenAPI's clients see.
fn find<'v>(view: &'v View<'_>, mo: &MoRef) -> Option<&'v Arc<TaskRecord>> {
    let collected = aside_in::<Collected>(view.state());
    view.task(mo).filter(|task| is_visible(collected, task))
}

/// Whether XenAPI's clients see a task.
fn is_visible(collected: Option<&Collected>, task: &TaskRecord) -> bool {
    if mark::flag(task, HIDDEN) {
        return false;
    }
    let Some(completed) = task.status().completed_at() else { return true };
    // The task of a synchronous call is gone with the reply.
    !mark::flag(task, mark::SYNCHRONOUS)
        && collected.is_none_or(|collected| !collected.holds(completed, task.id))
}

/// All tasks that XenAPI's clients see, oldest first.
fn objects(view: &View<'_>) -> Vec<MoRef> {
    all(view).iter().map(|task| task.mo.clone()).collect()
}

/// See [`objects`].
fn all<'v>(view: &'v View<'_>) -> Vec<&'v Arc<TaskRecord>> {
    let Some(tasks) = view.tasks() else { return Vec::new() };
    collect::visible(tasks, aside_in::<Collected>(view.state()))
}
