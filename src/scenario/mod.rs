//! Tasks, calls and time under the user's control: what shall go wrong, when
//! and how often.
//!
//! ```text
//!   a file (TOML) ──► Scenario: clock, seed, users, rules      a program, the control API
//!                                     │ Rules::add                      │
//!                                     ▼                                 ▼
//!                      Rules: checked against the schema, counted, changed at any time
//!                        │                        │
//!          Director: the plan of a task     Conduct: what becomes of a call and its reply
//! ```
//!
//! - [`rule`]: what a rule may say; the types are the format of files and of the API
//! - [`pattern`], [`chance`]: texts that match, times that vary
//! - [`literal`]: values of the schema, and faults, as JSON has them
//! - `matching`: which operations a rule is about; `timeline`: from a rule to a plan
//! - [`rules`]: all rules, their counters, and what follows from them
//! - [`mod@file`]: scenario files and their schema

pub mod arguments;
pub mod chance;
pub mod error;
pub mod file;
pub mod literal;
mod matching;
pub mod pattern;
mod question;
pub mod rule;
pub mod rules;
mod timeline;

pub use chance::{Chance, Time};
pub use error::{LoadError, RuleError};
pub use file::Scenario;
pub use matching::Facts;
pub use pattern::Patterns;
pub use rule::{
    Cancelable, Curve, Entity, FaultRule, Follow, Hold, Jump, NamedCurve, Percent, Question, Reply,
    ReplyFate, Rule, Stall, TaskRule, Then, Unset, Vanish, When,
};
pub use rules::{Actor, Conduct, Counters, Directions, RuleState, Rules, SavedRules};
