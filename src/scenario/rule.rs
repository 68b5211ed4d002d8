//! What a rule may say. These types are the format of scenario files and of
//! the control API; their comments are its documentation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::chance::Time;
use super::pattern::Patterns;

/// How far a task is, in percent from 0 to 100.
pub type Percent = u8;

/// Which operations a rule is about, and what happens to them.
///
/// Of all rules that are about an operation, the first one decides how its
/// task goes, and the first one that says something of calls decides what
/// becomes of the call and its reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rule {
    /// The name under which the rule is counted and removed; no two rules have
    /// the same. Default: `rule-1` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which operations the rule is about. Default: all.
    #[serde(skip_serializing_if = "When::is_default")]
    pub when: When,
    /// How the task of such an operation goes. A method of the schema that
    /// vimsim does not model, but that returns a task, runs as this says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskRule>,
    /// What becomes of such a call and of its reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// Arguments of the call that are replaced before it is made, by their
    /// paths: `"spec.powerOn" = false`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, Json>,
    /// What happens after the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

/// Which operations a rule is about: those for which everything holds that is
/// said here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// The method by its WSDL name: `PowerOnVM_Task`, `PowerO*VM_Task`.
    #[serde(skip_serializing_if = "Patterns::is_empty")]
    pub method: Patterns,
    /// The task's description id: `VirtualMachine.powerOn`, `*.destroy`.
    #[serde(skip_serializing_if = "Patterns::is_empty")]
    pub description_id: Patterns,
    /// What the operation is about.
    #[serde(skip_serializing_if = "Entity::is_default")]
    pub entity: Entity,
    /// The name of the user who called, as the session has it.
    #[serde(skip_serializing_if = "Patterns::is_empty")]
    pub user: Patterns,
    /// Only the operations with these numbers, counted from one among those
    /// for which the above holds.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "super::pattern::one_or_many")]
    #[schemars(with = "super::pattern::OneOrMany<u64>")]
    pub nth: Vec<u64>,
    /// At most so many times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Only with this probability, from 0 to 1. The same seed gives the same
    /// choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: Option<f64>,
}

/// What an operation is about: the receiver of a call, the entity of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Entity {
    /// Its type, or one that it is derived from: `VirtualMachine`.
    #[serde(rename = "type", skip_serializing_if = "Patterns::is_empty")]
    pub ty: Patterns,
    /// Its name: `DC0_H0_VM*`.
    #[serde(skip_serializing_if = "Patterns::is_empty")]
    pub name: Patterns,
    /// Its inventory path: `/DC0/vm/**`.
    #[serde(skip_serializing_if = "Patterns::is_empty")]
    pub path: Patterns,
    /// Its managed object id: `vm-57`.
    #[serde(skip_serializing_if = "Patterns::is_empty")]
    pub moref: Patterns,
}

/// How a task goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TaskRule {
    /// How long nobody can read the task after its reference was returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Time>,
    /// How long it stays queued after its turn has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<Time>,
    /// How long it runs; stalls, holds and questions come on top. Default: as
    /// long as without the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<Time>,
    /// What it says of its progress meanwhile. Default: `linear`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Curve>,
    /// Where it makes a pause.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "super::pattern::one_or_many")]
    #[schemars(with = "super::pattern::OneOrMany<Stall>")]
    pub stall: Vec<Stall>,
    /// Where its progress is unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unset: Option<Unset>,
    /// How long it goes on running when it is at 100 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<Time>,
    /// Whether it can be cancelled. Default: as without the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelable: Option<Cancelable>,
    /// How long it takes to stop when it is cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Time>,
    /// Where it stays until it is released: `queued`, or at a percentage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// A question that its virtual machine asks, and on whose answer it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    /// How it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail: Option<FaultRule>,
    /// Where it vanishes: from then on it was never there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vanish: Option<Vanish>,
    /// What it gives when it succeeds, instead of its own result. References
    /// are written as `VirtualMachine:vm-57`, data objects as tables with
    /// `_typeName` where the type does not follow from the method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// A task that begins when it has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<Follow>,
}

/// What a task says of its progress while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected linear, none, backwards, a list of percentages, or a list of tables with after and percent"
)]
pub enum Curve {
    /// A well-known one.
    Named(NamedCurve),
    /// These percentages, at even intervals.
    Steps(Vec<Percent>),
    /// These percentages, at these times.
    Jumps(Vec<Jump>),
}

/// A well-known way of progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NamedCurve {
    /// Evenly from 0 to 100.
    #[default]
    Linear,
    /// It says nothing.
    None,
    /// Evenly from 100 to 0.
    Backwards,
}

/// A report of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jump {
    /// How long after the start.
    pub after: crate::config::Span,
    /// What it says.
    #[schemars(range(max = 100))]
    pub percent: Percent,
}

/// A pause in a task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stall {
    /// Where.
    #[schemars(range(max = 100))]
    pub at: Percent,
    /// How long.
    #[serde(rename = "for")]
    pub time: Time,
}

/// A part of a task in which it does not say how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unset {
    /// From there on.
    #[schemars(range(max = 100))]
    pub from: Percent,
    /// Until there. Default: until its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub to: Option<Percent>,
}

/// Whether a task can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected true, false, or a table with until")]
pub enum Cancelable {
    /// Always, or never.
    Always(bool),
    /// Until it is so far.
    Until {
        /// How far.
        #[schemars(range(max = 100))]
        until: Percent,
    },
}

/// Where a task stays until it is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected \"queued\" or a table with at")]
pub enum Hold {
    /// Before it begins.
    Queued(QueuedWord),
    /// On the way.
    At {
        /// How far it is then.
        #[schemars(range(max = 100))]
        at: Percent,
    },
}

/// The word for a task that has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum QueuedWord {
    /// Not begun.
    Queued,
}

impl Hold {
    /// Before it begins.
    pub const QUEUED: Self = Self::Queued(QueuedWord::Queued);
}

/// A question that a virtual machine asks (`runtime.question`), which
/// `AnswerVM` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// How far the task is then.
    #[schemars(range(max = 100))]
    pub at: Percent,
    /// The text.
    pub text: String,
    /// The answers to choose from; their keys are `0`, `1` and so on.
    pub choices: Vec<String>,
    /// The key of the answer that is proposed.
    #[serde(default)]
    pub default: u32,
    /// The keys of the answers with which the task fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<u32>,
}

/// A fault of the schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRule {
    /// How far the task is then. Default: at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub at: Option<Percent>,
    /// Its type: `InsufficientResourcesFault`.
    pub fault: String,
    /// The message that a person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its fields.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub fields: serde_json::Map<String, Json>,
}

/// How a task vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vanish {
    /// How far it is then.
    #[schemars(range(max = 100))]
    pub at: Percent,
    /// Whether its work is done all the same. Default: no.
    #[serde(default)]
    pub effect: bool,
}

/// A task that begins when another one has succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Follow {
    /// Its method, which must return a task and need no arguments: `PowerOnVM_Task`.
    pub method: String,
    /// What it is about. Default: the entity of the first task.
    #[serde(default)]
    pub on: FollowOn,
    /// How much later it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Time>,
}

/// What a following task is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FollowOn {
    /// The entity of the first task.
    #[default]
    Entity,
    /// What the first task gave.
    Result,
}

/// What becomes of a call and its reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Reply {
    /// Whether the caller's session ends before the call is made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub session_expired: bool,
    /// A fault that the call gets instead of being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultRule>,
    /// How long the reply is held back after the call was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Time>,
    /// What the client gets instead of the whole reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<ReplyFate>,
    /// Whether the call is made although its reply does not arrive. Default:
    /// yes, but not with `unavailable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<bool>,
}

/// What a client gets instead of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReplyFate {
    /// Nothing: the connection is closed without a word.
    Lost,
    /// Nothing: the connection stays open without a word.
    Silent,
    /// Half of the reply, then the end of the connection.
    Cut,
    /// A reset of the TCP connection.
    Reset,
    /// HTTP status 503, as a proxy gives it whose server is down.
    Unavailable,
}

/// What happens by itself: after a call, or at a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Then {
    /// How much later. Default: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Time>,
    /// The server restarts: its sessions are gone, its running tasks have
    /// failed, and references to tasks that had ended lead nowhere.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restart: bool,
    /// All tasks are gone, the finished ones as well; with a restart, those that
    /// it interrupts, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lose_tasks: bool,
    /// All sessions end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub end_sessions: bool,
}

impl When {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Calls of the methods with such names.
    pub fn method(method: impl Into<Patterns>) -> Self {
        Self { method: method.into(), ..Self::default() }
    }

    /// Only what is about entities with such names.
    #[must_use]
    pub fn named(mut self, name: impl Into<Patterns>) -> Self {
        self.entity.name = name.into();
        self
    }

    /// Only what such users ask for.
    #[must_use]
    pub fn by(mut self, user: impl Into<Patterns>) -> Self {
        self.user = user.into();
        self
    }

    /// Only the `nth` time, counted from one.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = vec![nth];
        self
    }

    /// At most so many times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Only with this probability.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = Some(probability);
        self
    }
}

impl Entity {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Rule {
    /// A rule that says nothing as yet about anything.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Which operations the rule is about.
    #[must_use]
    pub fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    /// How their tasks go.
    #[must_use]
    pub fn task(self, task: TaskRule) -> Self {
        Self { task: Some(task), ..self }
    }

    /// What becomes of the calls and their replies.
    #[must_use]
    pub fn reply(self, reply: Reply) -> Self {
        Self { reply: Some(reply), ..self }
    }

    /// Whether the rule is about calls, not only about tasks.
    pub fn is_about_calls(&self) -> bool {
        self.reply.is_some() || self.then.is_some() || !self.arguments.is_empty()
    }
}
