//! Which entity guards an object: where a privilege on the object is asked for.

use crate::engine::tasks_in;
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::schema::{StaticPath, Type, ty};
use crate::task::TaskRecord;
use crate::value::{MoRef, Value};

/// Where the privileges of an object come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// An entity.
    Entity(MoRef),
    /// The server: what needs more than a login is asked for on the root folder.
    Server,
    /// Nobody: it is the caller's own.
    Own,
}

/// What guards `mo` on a server with this root folder; `is_caller` knows the
/// caller's name.
///
/// - an entity: itself
/// - a task: the entity that it is about. When that is gone, the root folder;
///   but who created the task still sees it, or nobody who destroys a virtual
///   machine could wait for the end of it.
/// - a snapshot, an export lease, an alarm, a scheduled task: what they are of
/// - a host's manager: the host; a browser: the datastore, host or compute
///   resource whose it is
/// - everything else, the objects of sessions among them: the server
pub(super) fn guard(
    state: &Snapshot,
    root: &MoRef,
    mo: &MoRef,
    is_caller: impl Fn(&str) -> bool,
) -> Guard {
    let of = mo.ty();
    if of.is_a(ty::ManagedEntity) {
        return Guard::Entity(mo.clone());
    }
    if of == ty::Task {
        return task(state, root, mo, is_caller);
    }
    let named: Option<&StaticPath> = if of == ty::VirtualMachineSnapshot {
        Some(path!(VirtualMachineSnapshot, "vm"))
    } else if of == ty::HttpNfcLease {
        Some(path!(HttpNfcLease, "info.entity"))
    } else if of == ty::Alarm {
        Some(path!(Alarm, "info.entity"))
    } else if of == ty::ScheduledTask {
        Some(path!(ScheduledTask, "info.entity"))
    } else {
        None
    };
    if let Some(path) = named {
        return entity(state.moref(mo, path).cloned());
    }
    if of == ty::HostDatastoreBrowser {
        let browsers = [
            (ty::Datastore, path!(Datastore, "browser")),
            (ty::HostSystem, path!(HostSystem, "datastoreBrowser")),
        ];
        let owner = browsers.iter().find_map(|(ty, path)| owner(state, mo, *ty, path));
        return entity(owner);
    }
    if of == ty::EnvironmentBrowser {
        let path = path!(ComputeResource, "environmentBrowser");
        return entity(owner(state, mo, ty::ComputeResource, path));
    }
    if is_host_manager(of) {
        return entity(host_of(state, mo));
    }
    Guard::Server
}

fn entity(found: Option<MoRef>) -> Guard {
    found.filter(|mo| mo.ty().is_a(ty::ManagedEntity)).map_or(Guard::Server, Guard::Entity)
}

fn task(state: &Snapshot, root: &MoRef, mo: &MoRef, is_caller: impl Fn(&str) -> bool) -> Guard {
    let task = tasks_in(state).and_then(|tasks| tasks.find(mo));
    match task {
        Some(task) => guard_of_task(state, root, task, is_caller),
        None => Guard::Entity(root.clone()),
    }
}

/// What guards a task, whether it is an object still or only remembered.
pub(super) fn guard_of_task(
    state: &Snapshot,
    root: &MoRef,
    task: &TaskRecord,
    is_caller: impl Fn(&str) -> bool,
) -> Guard {
    match task.entity.as_ref().filter(|entity| state.exists(entity)) {
        Some(about) if about.ty().is_a(ty::ManagedEntity) => Guard::Entity(about.clone()),
        Some(about) if about.ty() != ty::Task => match guard(state, root, about, is_caller) {
            Guard::Server => Guard::Entity(root.clone()),
            other => other,
        },
        _ if task.owner.as_deref().is_some_and(is_caller) => Guard::Own,
        _ => Guard::Entity(root.clone()),
    }
}

/// The object of type `ty` whose property at `path` is `mo`.
fn owner(state: &Snapshot, mo: &MoRef, ty: Type, path: &StaticPath) -> Option<MoRef> {
    // Ids often tell: the browser of `datastore-12` is `datastoreBrowser-datastore-12`.
    let guess = mo.id().split_once('-').map(|(_, rest)| MoRef::new(ty, rest));
    let is_owner = |owner: &MoRef| state.moref(owner, path) == Some(mo);
    guess.filter(&is_owner).or_else(|| state.refs(ty).find(|owner| is_owner(owner)).cloned())
}

fn is_host_manager(of: Type) -> bool {
    ty::HostConfigManager.fields().iter().any(|field| of.is_a(field.ty()))
}

/// The host that has `mo` among its managers.
pub(in crate::vsphere) fn host_of(state: &Snapshot, mo: &MoRef) -> Option<MoRef> {
    let has = |host: &MoRef| {
        let managers = state.at(host, path!(HostSystem, "configManager"));
        let managers = managers.and_then(Value::as_object);
        managers.is_some_and(|managers| {
            managers.slots().iter().flatten().any(|value| value.as_moref() == Some(mo))
        })
    };
    // vCenter numbers the managers like their host: `networkSystem-21` is of `host-21`.
    let number = mo.id().rsplit_once('-').map_or("", |(_, number)| number);
    let guess = MoRef::new(ty::HostSystem, &format!("host-{number}"));
    if has(&guess) {
        return Some(guess);
    }
    state.refs(ty::HostSystem).find(|host| has(host)).cloned()
}
