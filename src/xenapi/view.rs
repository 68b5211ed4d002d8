//! [`View`]: the inventory at one moment, with XenAPI's names for its objects.

use std::sync::{Arc, OnceLock};

use super::class::Class;
use super::server::Server;
use crate::engine::tasks_in;
use crate::inventory::{Read, Snapshot};
use crate::schema::ty;
use crate::task::{TaskId, TaskRecord, TaskTable};
use crate::value::{MoRef, Str};

use super::value::NULL_REF;

/// One state of everything.
#[derive(Debug)]
pub struct View<'a> {
    server: &'a Arc<Server>,
    state: Arc<Snapshot>,
    /// Looked up once, because many fields name it.
    master: OnceLock<Option<MoRef>>,
}

impl<'a> View<'a> {
    /// The latest state.
    pub fn new(server: &'a Arc<Server>) -> Self {
        Self::of(server, server.service().engine().snapshot())
    }

    /// A state that somebody has kept.
    pub fn of(server: &'a Arc<Server>, state: Arc<Snapshot>) -> Self {
        Self { server, state, master: OnceLock::new() }
    }

    /// The front end.
    pub fn server(&self) -> &'a Arc<Server> {
        self.server
    }

    /// The inventory.
    pub fn state(&self) -> &Arc<Snapshot> {
        &self.state
    }

    /// The tasks.
    pub fn tasks(&self) -> Option<&TaskTable> {
        tasks_in(&self.state)
    }

    /// A task that is not history yet.
    pub fn task(&self, mo: &MoRef) -> Option<&Arc<TaskRecord>> {
        self.tasks()?.find(mo)
    }

    /// The reference to an object: `OpaqueRef:…`.
    pub fn reference(&self, mo: &MoRef) -> Str {
        self.server.refs().reference(mo)
    }

    /// The reference to an object that may not be there.
    pub fn reference_or_null(&self, mo: Option<&MoRef>) -> Str {
        mo.map_or_else(|| Str::from(NULL_REF), |mo| self.reference(mo))
    }

    /// The object of a class that a reference names, if it exists.
    pub fn resolve(&self, class: &Class, reference: &str) -> Option<MoRef> {
        let mo = self.server.refs().resolve(reference, &self.state)?;
        (super::class_of(mo.ty()) == class.name && (class.exists)(self, &mo)).then_some(mo)
    }

    /// The reference to the task with this number.
    pub fn task_reference(&self, id: TaskId) -> Str {
        self.server.refs().reference(&id.moref())
    }

    /// The objects of `of`, in the order of their names.
    pub fn objects_of(&self, of: crate::schema::Type) -> Vec<MoRef> {
        let mut all: Vec<MoRef> = self.state.refs(of).cloned().collect();
        all.sort_by(|a, b| (a.id().len(), a.id()).cmp(&(b.id().len(), b.id())));
        all
    }

    /// The host that speaks for the pool.
    pub fn master(&self) -> Option<MoRef> {
        let first = || self.objects_of(ty::HostSystem).into_iter().next();
        self.master.get_or_init(first).clone()
    }

    /// Whether an object exists in the inventory.
    pub fn exists(&self, mo: &MoRef) -> bool {
        self.state.exists(mo)
    }
}
