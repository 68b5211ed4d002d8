//! What a `_Task` method asks the engine to do, and how its task is described.

use crate::engine::Job;
use crate::value::MoRef;

/// Work that a method wants done as a task.
pub struct Operation {
    pub(super) job: Box<dyn Job>,
    pub(super) entity: Option<MoRef>,
    pub(super) locks: Vec<MoRef>,
    pub(super) cancelable: bool,
    pub(super) holds: bool,
}

impl Operation {
    /// A task that runs `job` on the method's receiver, which it locks.
    pub fn new(job: impl Job) -> Self {
        Self { job: Box::new(job), entity: None, locks: Vec::new(), cancelable: false, holds: true }
    }

    /// Names another entity than the receiver as what the task is about.
    #[must_use]
    pub fn on(mut self, entity: &MoRef) -> Self {
        self.entity = Some(entity.clone());
        self
    }

    /// Locks these objects too while the task runs.
    #[must_use]
    pub fn locking(mut self, objects: impl IntoIterator<Item = MoRef>) -> Self {
        self.locks.extend(objects);
        self
    }

    /// Leaves the entity free while the task runs: others may work on it too,
    /// as when several machines are made in one folder or from one template.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.holds = false;
        self
    }

    /// Lets clients cancel the task.
    #[must_use]
    pub fn cancelable(mut self) -> Self {
        self.cancelable = true;
        self
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation")
            .field("entity", &self.entity)
            .field("locks", &self.locks)
            .field("cancelable", &self.cancelable)
            .finish_non_exhaustive()
    }
}
