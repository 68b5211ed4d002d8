//! What the engine is asked to do: a task, and the job that does its work.

use std::fmt;
use std::time::Duration;

use super::admission::Busy;
use super::director::Plan;
use super::tx::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::task::{Operation, Reason, TaskId};
use crate::value::{MoRef, Object, Str, Value};

/// A task that somebody wants.
#[derive(Clone, Debug)]
pub struct TaskSpec {
    /// What it does.
    pub operation: Operation,
    /// The id under which clients look up its label: `VirtualMachine.powerOn`.
    pub description_id: Str,
    /// The label, as in "Power On virtual machine".
    pub label: Str,
    /// What it acts on. It must exist when the task is created.
    pub entity: Option<MoRef>,
    /// The name of that; when left out, its property `name` at creation.
    pub entity_name: Option<Str>,
    /// What it holds while it runs; one task at a time holds an entity.
    pub locks: Vec<MoRef>,
    /// What it holds besides, for an order among siblings: names that mean
    /// nothing elsewhere and that nobody sees.
    pub gates: Vec<MoRef>,
    /// What happens when one of those is held already.
    pub busy: Busy,
    /// Whether the work can be stopped.
    pub cancelable: bool,
    /// Why the task exists.
    pub reason: Reason,
    /// Who creates it: the user of the session, whatever the reason says.
    pub owner: Option<Str>,
    /// The task that makes this one.
    pub parent: Option<TaskId>,
    /// The event chain to join; a new one when left out.
    pub event_chain_id: Option<i32>,
    /// A tag that the caller gave.
    pub change_tag: Option<Str>,
    /// A token of the client.
    pub activation_id: Option<Str>,
    /// Where the work is, in words (a `LocalizableMessage`).
    pub description: Option<Object>,
    /// How long the task stays queued although it has all that it needs: for
    /// pauses between one task and the next.
    pub lead: Duration,
    /// How long the work takes, if its director does not say otherwise.
    pub duration: Duration,
    /// How the task goes, if that is decided already; otherwise the director is
    /// asked.
    pub plan: Option<Plan>,
}

impl TaskSpec {
    /// A task without an entity that waits for nobody, cannot be stopped, and
    /// takes no time.
    pub fn new(operation: Operation, description_id: impl Into<Str>) -> Self {
        Self {
            operation,
            description_id: description_id.into(),
            label: Str::new(),
            entity: None,
            entity_name: None,
            locks: Vec::new(),
            gates: Vec::new(),
            busy: Busy::Wait,
            cancelable: false,
            reason: Reason::System,
            owner: None,
            parent: None,
            event_chain_id: None,
            change_tag: None,
            activation_id: None,
            description: None,
            lead: Duration::ZERO,
            duration: Duration::ZERO,
            plan: None,
        }
    }

    /// The task acts on `entity` and holds it while it runs.
    #[must_use]
    pub fn on(mut self, entity: MoRef) -> Self {
        self.locks.push(entity.clone());
        self.entity = Some(entity);
        self
    }
}

/// What a job is told of its task.
#[derive(Clone, Copy, Debug)]
pub struct TaskContext<'a> {
    /// The number of the task.
    pub id: TaskId,
    /// The reference to the task.
    pub mo: &'a MoRef,
    /// Whether somebody asked for the task to be cancelled.
    pub cancelled: bool,
}

/// The work of a task.
///
/// Each method runs inside a commit, so it must be quick: no I/O, no waiting.
/// How long the work seems to take is the engine's business. A fault takes
/// back everything that the method changed, and becomes the task's error.
///
/// A job is [`Clone`]: it is copied when the whole state is saved.
pub trait Job: Copied + Send + 'static {
    /// The first moment of running: the place for checks of state. What it
    /// changes is seen while the task runs.
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        let _ = (tx, task);
        Ok(())
    }

    /// The effect and what the task gives, in the commit that makes the task a
    /// success.
    fn complete(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>)
    -> Result<Option<Value>, Fault>;

    /// Takes back what [`Job::begin`] did, in the commit that ends the task
    /// as failed or cancelled.
    fn undo(&mut self, tx: &mut Tx<'_>) {
        let _ = tx;
    }

    /// Says, by events, that the task ends without its effect: by `fault`, which
    /// is `RequestCanceled` if somebody cancelled it. In the commit that ends
    /// the task, after [`Job::undo`] if the job had begun.
    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        let _ = (tx, fault);
    }

    /// What must hold before [`Job::complete`], besides the time.
    fn ready(&self, state: &dyn Read, task: &TaskContext<'_>) -> Ready {
        let _ = (state, task);
        Ready::Now
    }

    /// How long after its start the task gives up, if it is not ready by then,
    /// and with which fault.
    fn timeout(&self) -> Option<(Duration, Fault)> {
        None
    }
}

/// What can be copied without being known: every job that is [`Clone`].
pub trait Copied {
    /// A copy as it is now.
    fn copied(&self) -> Box<dyn Job>;
}

impl<J: Job + Clone> Copied for J {
    fn copied(&self) -> Box<dyn Job> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Job> {
    fn clone(&self) -> Self {
        self.as_ref().copied()
    }
}

/// Whether a job can be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It can.
    Now,
    /// Not before one of these objects changes; then ask again.
    After(Vec<MoRef>),
    /// Not before all tasks that the job's task made have ended.
    Children,
}

impl fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}
