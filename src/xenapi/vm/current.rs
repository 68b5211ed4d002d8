//! What is being done to a machine, and what can be.

use super::fields::is_template;
use super::operations::{OPERATIONS, Operation};
use crate::schema::method;
use crate::task::{self, TaskRecord};
use crate::value::{MoRef, Str};
use crate::xenapi::mark;
use crate::xenapi::power::PowerState;
use crate::xenapi::view::View;

/// More tasks than these do not run on one machine at a time.
const AT_A_TIME: usize = 64;

/// The operation that a task does to its machine: `start`.
pub fn operation_of(task: &TaskRecord) -> Option<&'static str> {
    if let Some(name) = mark::text(task, mark::NAME) {
        return name.strip_prefix("Async.").unwrap_or(name).strip_prefix("VM.").and_then(known);
    }
    match &task.operation {
        task::Operation::Method(of) => {
            Some(NAMES.iter().find(|(known, _)| known == of).map_or(OTHER, |(_, name)| *name))
        }
        task::Operation::Internal(name) => name.strip_prefix("VM.").and_then(known),
        task::Operation::Extension(_) => None,
    }
}

fn known(name: &str) -> Option<&'static str> {
    OPERATIONS.iter().map(|operation| operation.name).find(|known| *known == name)
}

/// What vSphere's methods are called in XenAPI.
const NAMES: &[(crate::schema::Method, &str)] = &[
    (method::PowerOnVM_Task, "start"),
    (method::PowerOffVM_Task, "hard_shutdown"),
    (method::ShutdownGuest, "clean_shutdown"),
    (method::RebootGuest, "clean_reboot"),
    (method::StandbyGuest, "suspend"),
    (method::ResetVM_Task, "hard_reboot"),
    (method::SuspendVM_Task, "suspend"),
    (method::CloneVM_Task, "clone"),
    (method::Destroy_Task, "destroy"),
    (method::CreateSnapshot_Task, "snapshot"),
    (method::CreateSnapshotEx_Task, "snapshot"),
    (method::RevertToSnapshot_Task, "revert"),
    (method::RevertToCurrentSnapshot_Task, "revert"),
    (method::MigrateVM_Task, "pool_migrate"),
    (method::RelocateVM_Task, "migrate_send"),
    (method::ReconfigVM_Task, "changing_VCPUs"),
];

/// What XenAPI has no word for.
const OTHER: &str = "call_plugin";

/// The tasks that are at work on a machine.
fn tasks<'v>(view: &'v View<'_>, vm: &MoRef) -> Vec<&'v TaskRecord> {
    let Some(tasks) = view.tasks() else { return Vec::new() };
    let ids = tasks.recent(Some(vm), AT_A_TIME).into_iter();
    ids.filter_map(|id| tasks.get(id))
        .map(AsRef::as_ref)
        .filter(|task: &&TaskRecord| !task.state().is_done())
        .collect()
}

/// `current_operations`: what is being done, by the reference to its task. This
/// is the only way from a machine to its tasks.
pub(super) fn of(view: &View<'_>, vm: &MoRef) -> Vec<(Str, Str)> {
    let tasks = tasks(view, vm).into_iter();
    let pairs =
        tasks.filter_map(|task| Some((view.reference(&task.mo), Str::from(operation_of(task)?))));
    pairs.collect()
}

/// The task that holds a machine, with what it does.
pub fn holder(view: &View<'_>, task: &MoRef) -> Option<(&'static str, Str)> {
    let record = view.task(task)?;
    Some((operation_of(record).unwrap_or(OTHER), view.reference(task)))
}

/// `allowed_operations`: what could be started now.
pub(super) fn allowed(view: &View<'_>, vm: &MoRef) -> Vec<&'static Operation> {
    if !of(view, vm).is_empty() {
        return Vec::new();
    }
    let (state, template) = (PowerState::of(view.state(), vm), is_template(view, vm));
    let all = OPERATIONS.iter().copied();
    all.filter(|operation| operation.from.contains(&state) && (operation.of_templates || !template))
        .collect()
}
