//! The documents about rules, snapshots and restarts, and what is asked of tasks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::model::Time;
use crate::control;
use crate::engine::Interrupted;
use crate::scenario::{Rule, RuleState};
use crate::vsphere::StateInfo;

/// How often a rule was looked at and acted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleCounts {
    /// The operations that it was about.
    pub seen: u64,
    /// Those to which something happened because of it.
    pub acted: u64,
}

impl From<control::RuleCounts> for RuleCounts {
    fn from(counts: control::RuleCounts) -> Self {
        Self { seen: counts.seen, acted: counts.acted }
    }
}

/// A rule as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RuleState")]
pub struct RuleView {
    /// Its name.
    pub name: String,
    /// What it says.
    pub rule: Rule,
    /// How often it did.
    pub counters: RuleCounts,
}

impl From<RuleState> for RuleView {
    fn from(state: RuleState) -> Self {
        Self { name: state.name, rule: state.rule, counters: state.counters.into() }
    }
}

/// Rules, in the order in which they are tried.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RuleList {
    /// The rules.
    pub rules: Vec<RuleView>,
}

/// A snapshot of the whole state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Snapshot")]
pub struct SnapshotView {
    /// What it is called.
    pub name: String,
    /// The time when it was saved.
    pub time: Time,
    /// How many managed objects it has.
    pub objects: u64,
    /// How many tasks had not ended.
    pub live_tasks: u64,
}

impl From<StateInfo> for SnapshotView {
    fn from(info: StateInfo) -> Self {
        Self {
            name: info.name,
            time: Time(info.time),
            objects: info.objects as u64,
            live_tasks: info.live_tasks as u64,
        }
    }
}

/// Snapshots, in the order of their names.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotList {
    /// The snapshots.
    pub snapshots: Vec<SnapshotView>,
}

/// How the server restarts.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// What clients find at the references of the tasks that were at work.
    #[serde(default)]
    pub tasks: AfterRestart,
}

/// What clients find at the reference of a task that a restart interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AfterRestart {
    /// Nothing, as with vCenter.
    #[default]
    Gone,
    /// The task, with its error.
    Failed,
}

impl From<AfterRestart> for Interrupted {
    fn from(after: AfterRestart) -> Self {
        match after {
            AfterRestart::Gone => Self::Gone,
            AfterRestart::Failed => Self::Failed,
        }
    }
}

/// What a restart ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restarted {
    /// How many sessions.
    pub sessions: u64,
    /// How many tasks that were at work.
    pub tasks: u64,
}

/// How a task is completed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    /// What it gives, as the task of its method does: a reference is `VirtualMachine:vm-12`. If
    /// missing, what it would have given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
}

/// How a task fails.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// The fault type of the vSphere schema: `InvalidPowerState`.
    pub fault: String,
    /// The message that people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The fields of the fault.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub fields: serde_json::Map<String, Json>,
}

/// What a task that asks is answered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The key of the choice.
    pub choice: String,
}
