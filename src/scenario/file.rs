//! Scenario files: TOML, checked against the schema when they are loaded.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::error::{LoadError, RuleError};
use super::rule::{Rule, Then};
use super::rules::Rules;
use crate::config::{Access, ClockMode, Config, Group, Permission, User};

/// How a simulated server behaves: its clock, its chance, its users, and the
/// rules by which tasks and calls go their ways.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "A scenario of vimsim")]
pub struct Scenario {
    /// What this is good for, for people.
    pub description: String,
    /// What makes time pass: the machine's clock (`real`), or only the control
    /// API (`stepped`). Default: as the command line says.
    pub clock: Option<ClockMode>,
    /// Start of all random choices, unless the command line has one.
    pub seed: Option<u64>,
    /// The users by name, as in the file for `-users`; if there are any, only
    /// they can log in.
    pub users: BTreeMap<String, User>,
    /// The groups by name.
    pub groups: BTreeMap<String, Group>,
    /// The privileges of each role, by its name.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Who has which role on what.
    pub permissions: Vec<Permission>,
    /// The rules, in the order in which they are tried.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
    /// What happens by itself, so much after the start.
    #[serde(rename = "timer")]
    pub timers: Vec<Then>,
}

impl Scenario {
    /// Reads the text of a file and checks it.
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        let parsed = toml::Deserializer::parse(text)
            .map_err(|error| wrong(text, error.span(), String::new(), error.message()))?;
        let scenario: Self = serde_path_to_error::deserialize(parsed).map_err(|error| {
            let path = error.path().to_string();
            let path = if path == "." { String::new() } else { path };
            let inner = error.into_inner();
            wrong(text, inner.span(), path, inner.message())
        })?;
        scenario.check().map_err(|error| {
            let line = line_of(text, &error.path);
            LoadError::Wrong { line, path: error.path, message: error.message }
        })?;
        Ok(scenario)
    }

    /// Reads a file and checks it.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let read = |error: io::Error| LoadError::Read(error.to_string());
        Self::parse(&fs::read_to_string(path).map_err(read)?)
    }

    /// Whether the rules can be followed.
    fn check(&self) -> Result<(), RuleError> {
        self.add_to(&Rules::new(0))?;
        for (index, permission) in self.permissions.iter().enumerate() {
            if permission.user.is_some() == permission.group.is_some() {
                let place = format!("permissions[{index}]");
                return Err(RuleError::new(place, "must have either a user or a group"));
            }
        }
        for (index, timer) in self.timers.iter().enumerate() {
            if let Some(after) = timer.after {
                let place = format!("timer[{index}].after");
                after.check().map_err(|error| error.within(&place))?;
            }
        }
        Ok(())
    }

    /// Adds the rules to others.
    pub fn add_to(&self, rules: &Rules) -> Result<(), RuleError> {
        for (index, rule) in self.rules.iter().enumerate() {
            rules.add(rule.clone()).map_err(|error| error.within(&format!("rule[{index}]")))?;
        }
        Ok(())
    }

    /// The settings with what the scenario says besides its rules. A seed and
    /// users that are there already stay.
    #[must_use]
    pub fn apply(&self, mut config: Config) -> Config {
        if let Some(clock) = self.clock {
            config.clock = clock;
        }
        config.seed = config.seed.or(self.seed);
        if config.access.is_none() && !self.users.is_empty() {
            config.access = Some(Access {
                users: self.users.clone(),
                groups: self.groups.clone(),
                roles: self.roles.clone(),
                permissions: self.permissions.clone(),
            });
        }
        config
    }

    /// The JSON schema of scenario files.
    pub fn schema() -> serde_json::Value {
        schema_for!(Self).to_value()
    }
}

/// A mistake that the reader of the file found.
fn wrong(
    text: &str,
    span: Option<std::ops::Range<usize>>,
    path: String,
    message: &str,
) -> LoadError {
    let by_path = || line_of(text, &path);
    let line = span.map_or_else(by_path, |span| line_at(text, span.start));
    let message = message.trim().replace('\n', ", ");
    LoadError::Wrong { line, path, message }
}

/// The line, counted from one, of a place in a text.
fn line_at(text: &str, place: usize) -> usize {
    let before = text.as_bytes().get(..place).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The line of the field that a path names, or of the last one on the way to it
/// that is there.
fn line_of(text: &str, path: &str) -> usize {
    let Ok(table) = DeTable::parse(text) else { return 1 };
    let mut place = 0;
    let mut at: Option<&DeValue<'_>> = None;
    for step in path.split(['.', '[']).map(|step| step.trim_end_matches(']')) {
        let next = match at {
            None => table.get_ref().get_key_value(step).map(|(key, value)| (key.span(), value)),
            Some(DeValue::Table(table)) => {
                table.get_key_value(step).map(|(key, value)| (key.span(), value))
            }
            Some(DeValue::Array(items)) => {
                let item = step.parse().ok().and_then(|index: usize| items.get(index));
                item.map(|item| (item.span(), item))
            }
            Some(_) => None,
        };
        let Some((span, value)) = next else { break };
        place = span.start;
        at = Some(value.get_ref());
    }
    line_at(text, place)
}
