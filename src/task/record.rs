//! Everything known about one task, in terms that no protocol owns.
//!
//! Front ends render their own view of a record: vSphere a `TaskInfo`, XenAPI
//! a task record. What only one of them has lives in the extension map.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::state::{Command, State, Status, TaskError, transition};
use crate::schema::{Method, ty};
use crate::value::{DateTime, MoRef, Object, Str, Value};

/// The number of a task. Numbers rise with creation, so they also order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(u64);

impl TaskId {
    /// The task with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The task that a key names: `task-17`.
    pub fn parse(key: &str) -> Option<Self> {
        let digits = key.strip_prefix("task-")?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        if plain { digits.parse().ok().map(Self) } else { None }
    }

    /// The task that a reference names, if it names one.
    pub fn of(mo: &MoRef) -> Option<Self> {
        if mo.ty() == ty::Task { Self::parse(mo.id()) } else { None }
    }

    /// The reference to the task.
    pub fn moref(self) -> MoRef {
        MoRef::new(ty::Task, &self.to_string())
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task-{}", self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A method of the schema.
    Method(Method),
    /// A task type that an extension registered: its owner does the work.
    Extension(Str),
    /// Something that vimsim does on its own account.
    Internal(Str),
}

/// Why a task exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A user asked for it.
    User(
        /// The name of the user.
        Str,
    ),
    /// An alarm's action.
    Alarm {
        /// The alarm.
        alarm: MoRef,
        /// Its name.
        alarm_name: Str,
        /// What the alarm was about.
        entity: MoRef,
        /// The name of that.
        entity_name: Str,
    },
    /// A scheduled task was due.
    Schedule {
        /// The scheduled task.
        scheduled_task: MoRef,
        /// Its name.
        name: Str,
    },
    /// vimsim itself.
    System,
}

impl Reason {
    /// The name of the user who asked, if a user did.
    pub fn user(&self) -> Option<&Str> {
        if let Self::User(name) = self { Some(name) } else { None }
    }

    /// The alarm or the scheduled task, if one is the reason.
    pub fn occasion(&self) -> Option<&MoRef> {
        match self {
            Self::Alarm { alarm: occasion, .. }
            | Self::Schedule { scheduled_task: occasion, .. } => Some(occasion),
            Self::User(_) | Self::System => None,
        }
    }
}

/// What is known of a task before it exists.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDraft {
    /// What it does.
    pub operation: Operation,
    /// The id under which clients look up its label: `VirtualMachine.powerOn`.
    pub description_id: Str,
    /// The label, as in "Power On virtual machine".
    pub label: Str,
    /// What it acts on.
    pub entity: Option<MoRef>,
    /// The name of that at the time of creation.
    pub entity_name: Option<Str>,
    /// Everything that stood above that in the inventory at that time.
    pub above: Arc<[MoRef]>,
    /// What it holds while it runs.
    pub locks: Vec<MoRef>,
    /// Whether the work can be stopped.
    pub cancelable: bool,
    /// Whether a job of the engine does the work; otherwise its creator does.
    pub driven: bool,
    /// Why it exists.
    pub reason: Reason,
    /// Who created it: the user of the session, whatever the reason says.
    pub owner: Option<Str>,
    /// The task that made this one.
    pub parent: Option<TaskId>,
    /// The chain that its events belong to.
    pub event_chain_id: i32,
    /// A tag that the caller gave.
    pub change_tag: Option<Str>,
    /// A token of the client.
    pub activation_id: Option<Str>,
    /// Where the work is, in words (a `LocalizableMessage`).
    pub description: Option<Object>,
}

/// One task. Immutable: a change makes another record.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRecord {
    /// Its number.
    pub id: TaskId,
    /// Its reference.
    pub mo: MoRef,
    /// Its key, which is the id of the reference.
    pub key: Str,
    /// What it does.
    pub operation: Operation,
    /// The id under which clients look up its label: `VirtualMachine.powerOn`.
    pub description_id: Str,
    /// The label, as in "Power On virtual machine".
    pub label: Str,
    /// What it acts on.
    pub entity: Option<MoRef>,
    /// The name of that at the time of creation.
    pub entity_name: Option<Str>,
    /// Everything that stood above that in the inventory at that time.
    pub above: Arc<[MoRef]>,
    /// Whether a job of the engine does the work; otherwise its creator does.
    pub driven: bool,
    /// Why it exists.
    pub reason: Reason,
    /// Who created it: the user of the session, whatever the reason says.
    pub owner: Option<Str>,
    /// The chain that its events belong to.
    pub event_chain_id: i32,
    /// A tag that the caller gave.
    pub change_tag: Option<Str>,
    /// A token of the client.
    pub activation_id: Option<Str>,
    /// The task that made this one.
    pub parent: Option<TaskId>,
    /// The first task of the chain that led to this one.
    pub root: Option<TaskId>,
    locks: Arc<[MoRef]>,
    extension: Option<Arc<BTreeMap<Str, Value>>>,
    status: Status,
}

impl TaskRecord {
    /// The record of the task that `draft` describes, queued at `now`.
    pub(super) fn queued(
        id: TaskId,
        root: Option<TaskId>,
        draft: TaskDraft,
        now: DateTime,
    ) -> Self {
        let mo = id.moref();
        Self {
            id,
            key: Str::from(mo.id()),
            mo,
            operation: draft.operation,
            description_id: draft.description_id,
            label: draft.label,
            entity: draft.entity,
            entity_name: draft.entity_name,
            above: draft.above,
            driven: draft.driven,
            reason: draft.reason,
            owner: draft.owner,
            event_chain_id: draft.event_chain_id,
            change_tag: draft.change_tag,
            activation_id: draft.activation_id,
            parent: draft.parent,
            root,
            locks: draft.locks.into(),
            extension: None,
            status: Status::queued(draft.cancelable, draft.description, now),
        }
    }

    /// The record that history kept: it had ended with this status.
    pub(super) fn ended(
        id: TaskId,
        root: Option<TaskId>,
        draft: TaskDraft,
        status: Status,
    ) -> Self {
        let queued_at = status.queued_at();
        Self { status, ..Self::queued(id, root, draft, queued_at) }
    }

    /// Its state, and everything that changes with it.
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// Where it is in its life.
    pub const fn state(&self) -> State {
        self.status.state()
    }

    /// What it holds now: nothing unless it is running.
    pub fn locked(&self) -> &[MoRef] {
        if self.state() == State::Running { &self.locks } else { &[] }
    }

    /// What it holds when it runs.
    pub fn locks(&self) -> &[MoRef] {
        &self.locks
    }

    /// The user behind it: who asked for it, or who made what asked for it.
    pub fn user(&self) -> Option<&Str> {
        self.reason.user().or(self.owner.as_ref())
    }

    /// Something that only one protocol knows of the task.
    pub fn extra(&self, name: &str) -> Option<&Value> {
        self.extension.as_ref()?.get(name)
    }

    /// The record with something that only one protocol knows of the task.
    #[must_use]
    pub fn with_extra(&self, name: Str, value: Option<Value>) -> Self {
        let mut extension = self.extension.as_deref().cloned().unwrap_or_default();
        match value {
            Some(value) => extension.insert(name, value),
            None => extension.remove(&name),
        };
        let extension = (!extension.is_empty()).then(|| Arc::new(extension));
        Self { extension, ..self.clone() }
    }

    /// The record after `command`; see [`transition`].
    pub fn after(&self, command: Command, now: DateTime) -> Result<Self, TaskError> {
        Ok(Self { status: transition(&self.status, command, now)?, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_a_task_in_one_way_only() {
        assert_eq!(TaskId::parse("task-17"), Some(TaskId::new(17)));
        for key in ["task-", "task-017", "task-0", "task-+1", "task--1", "Task-1", "task-1 ", "1"] {
            assert_eq!(TaskId::parse(key), None, "{key}");
        }
        assert_eq!(TaskId::parse("task-99999999999999999999"), None);
        assert_eq!(TaskId::of(&TaskId::new(5).moref()), Some(TaskId::new(5)));
        assert_eq!(TaskId::of(&MoRef::new(ty::Folder, "task-5")), None);
    }
}
