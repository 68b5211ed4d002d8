//! The documents of the control API. The server writes them and `vimsim ctl`
//! reads them; what the API is described by is generated from them.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::config::Span;
use crate::control;
use crate::task::{Operation, Outcome, Reason, State, TaskRecord};
use crate::value::{DateTime, MoRef, Value};

pub use super::forms::{
    AfterRestart, Answer, Complete, Fail, Restart, Restarted, RuleCounts, RuleList, RuleView,
    SnapshotList, SnapshotView,
};

/// Where a task is in its life. To vSphere clients a cancelled task is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// It waits for its turn.
    Queued,
    /// Its work is being done.
    Running,
    /// It has ended well.
    Success,
    /// It has failed.
    Error,
    /// It was stopped on request.
    Cancelled,
}

impl From<State> for TaskState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Done(Outcome::Success) => Self::Success,
            State::Done(Outcome::Failure) => Self::Error,
            State::Done(Outcome::Cancelled) => Self::Cancelled,
        }
    }
}

impl TaskState {
    /// Whether the task has ended.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Cancelled)
    }

    /// The state in one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A managed object, by its reference and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// The managed object type: `VirtualMachine`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the reference: `vm-12`.
    pub id: String,
    /// The name; that of a task's entity is the one at the task's creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The inventory path; not of a task's entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Entity {
    pub(super) fn new(mo: &MoRef, name: Option<String>, path: Option<String>) -> Self {
        Self { kind: mo.ty().name().to_owned(), id: mo.id().to_owned(), name, path }
    }
}

/// The inventory objects that were asked for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Entities {
    /// The objects, in the order of their references.
    pub objects: Vec<Entity>,
}

/// A wish that a task's work stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelWish {
    /// The user; missing when the server itself asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub at: Time,
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The fault type of the vSphere schema: `InvalidPowerState`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The message that people read.
    pub message: String,
    /// The fields of the fault that are set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Json>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The key, which is the id of the reference: `task-17`.
    pub key: String,
    /// The method, `PowerOnVM_Task`; not of tasks that extensions made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The id under which clients look up the label: `VirtualMachine.powerOn`.
    pub description_id: String,
    /// The label.
    pub label: String,
    /// What the task acts on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Entity>,
    /// The user who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Why it exists.
    pub reason: TaskReason,
    /// Where it is in its life.
    pub state: TaskState,
    /// How far it is, in percent, if it says so; only while running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// Whether it stays as it is until it is released.
    pub held: bool,
    /// Whether it can be cancelled.
    pub cancelable: bool,
    /// Who wants it to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<CancelWish>,
    /// When it was created.
    pub queue_time: Time,
    /// When its work began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_time: Option<Time>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// The key of the task that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// Why a task exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskReason {
    /// A user asked for it.
    User,
    /// An alarm's action.
    Alarm,
    /// A scheduled task was due.
    Schedule,
    /// The server itself.
    System,
}

impl Task {
    pub(super) fn new(record: &TaskRecord, held: bool) -> Self {
        let status = record.status();
        let method = match &record.operation {
            Operation::Method(method) => Some(method.name().to_owned()),
            Operation::Extension(_) | Operation::Internal(_) => None,
        };
        Self {
            key: record.key.to_string(),
            method,
            description_id: record.description_id.to_string(),
            label: record.label.to_string(),
            entity: record.entity.as_ref().map(|mo| {
                Entity::new(mo, record.entity_name.as_ref().map(ToString::to_string), None)
            }),
            user: record.user().map(ToString::to_string),
            reason: match record.reason {
                Reason::User(_) => TaskReason::User,
                Reason::Alarm { .. } => TaskReason::Alarm,
                Reason::Schedule { .. } => TaskReason::Schedule,
                Reason::System => TaskReason::System,
            },
            state: record.state().into(),
            progress: status.progress().and_then(|progress| u8::try_from(progress.percent()).ok()),
            held,
            cancelable: status.cancelable(),
            cancel: status.cancel().map(|cancel| CancelWish {
                by: cancel.by.as_ref().map(ToString::to_string),
                at: Time(cancel.at),
            }),
            queue_time: Time(status.queued_at()),
            start_time: status.started_at().map(Time),
            complete_time: status.completed_at().map(Time),
            error: status.error().map(|fault| Failure {
                kind: fault.ty().name().to_owned(),
                message: fault.message().to_owned(),
                fields: fault
                    .object()
                    .iter()
                    .map(|(field, value)| (field.name().to_owned(), json(value)))
                    .collect(),
            }),
            result: status.result().map(json),
            parent: record.parent.map(|id| id.to_string()),
        }
    }
}

/// A value as JSON: data objects say their type in `_typeName`, references are
/// written `Type:id`.
fn json(value: &Value) -> Json {
    match value {
        Value::Boolean(it) => (*it).into(),
        Value::Byte(it) => (*it).into(),
        Value::Short(it) => (*it).into(),
        Value::Int(it) => (*it).into(),
        Value::Long(it) => (*it).into(),
        Value::Float(it) => (*it).into(),
        Value::Double(it) => (*it).into(),
        Value::String(it) => it.as_str().into(),
        Value::DateTime(it) => it.to_string().into(),
        Value::Binary(it) => {
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, it.as_slice()).into()
        }
        Value::Enum(it) => it.as_str().into(),
        Value::Ref(it) => control::tasks::entity_text(it).into(),
        Value::Object(it) => {
            let fields = it.iter().map(|(field, value)| (field.name().to_owned(), json(value)));
            let name = ("_typeName".to_owned(), it.ty().name().into());
            Json::Object(std::iter::once(name).chain(fields).collect())
        }
        Value::Array(it) => it.items().iter().map(json).collect(),
    }
}

/// One page of tasks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// What `after` must be for the next page; missing on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What makes time pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClockMode {
    /// The machine's clock.
    Real,
    /// Only this API: the clock stands until it is moved.
    Stepped,
}

/// What the clock says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockView {
    /// The time.
    pub now: Time,
    /// What makes it pass.
    pub mode: ClockMode,
    /// When the next work is due; missing if none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,
}

impl From<control::ClockState> for ClockView {
    fn from(state: control::ClockState) -> Self {
        Self {
            now: Time(state.now),
            mode: if state.stepped { ClockMode::Stepped } else { ClockMode::Real },
            next: state.next.map(Time),
        }
    }
}

/// How the clock is to be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockChange {
    /// What makes time pass. It goes on from where it is.
    pub mode: ClockMode,
}

/// How far to move a stepped clock: by a duration, or to a time.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// By so much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// To this time, which must not be past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
}

/// How far to run at the most.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Idle {
    /// Work that is due later than so much from now is left; 365 days if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Span>,
}

/// What became of calls, counted since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counters {
    /// Calls of methods that are not modelled, by method.
    pub unsupported: BTreeMap<String, u64>,
    /// What rules did, by their names.
    pub rules: BTreeMap<String, RuleCounts>,
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub DateTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        DateTime::parse(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "A point in time, as RFC 3339 has it.",
        })
    }
}
