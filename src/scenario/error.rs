//! What is wrong with a rule or with a scenario file, and where.

use std::fmt;

use thiserror::Error;

/// A rule that cannot be followed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{path}: {message}")]
pub struct RuleError {
    /// The field, as in `task.fail.fields.vm`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl RuleError {
    /// Something is wrong with the field at `path`.
    pub fn new(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { path: path.into(), message: message.to_string() }
    }

    /// The same, seen from one level above.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => outer.to_owned(),
            inner if inner.starts_with('[') => format!("{outer}{inner}"),
            inner => format!("{outer}.{inner}"),
        };
        self
    }
}

/// A scenario file that cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// It cannot be read.
    #[error("{0}")]
    Read(String),
    /// Something in it is wrong.
    #[error("line {line}: {}{message}", field(path))]
    Wrong {
        /// The line, counted from one.
        line: usize,
        /// The field, as in `rule[0].task.fail.fault`; empty if the text is no TOML.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

fn field(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}
