//! What is wrong with a request in JSON, and where.

use std::fmt;

use thiserror::Error;

use crate::fault::Fault;
use crate::object;
use crate::schema::{Method, ty};

/// What is wrong.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Problem {
    /// Not JSON, or nested deeper than the server reads.
    #[error("The document is not well-formed JSON: {0}")]
    Malformed(String),
    /// More than the server reads.
    #[error("The document exceeds the server's limit on {0}")]
    Limit(&'static str),
    /// A required argument is not there.
    #[error("Required parameter {0} is missing")]
    MissingParameter(&'static str),
    /// A required field is not there.
    #[error("Required property {property} is missing from data object of type {ty}")]
    MissingProperty {
        /// The field.
        property: &'static str,
        /// The data object's type.
        ty: &'static str,
    },
    /// A name that the type or method does not have.
    #[error("Unexpected property \"{property}\" seen in {owner}")]
    Unexpected {
        /// The name.
        property: String,
        /// The type, or the method.
        owner: &'static str,
    },
    /// A name that stands twice in one object.
    #[error("Property \"{0}\" seen twice")]
    Twice(String),
    /// Something of another kind than the place can hold.
    #[error("Found {found} where {expected} is declared")]
    Mismatch {
        /// What stands there: a text, a number, an array…
        found: &'static str,
        /// The declared type.
        expected: &'static str,
    },
    /// A number or a text that the simple type does not allow.
    #[error("'{value}' is not a value of type {ty}")]
    InvalidValue {
        /// The value, cut short when it is long.
        value: String,
        /// The simple type or enumeration.
        ty: &'static str,
    },
    /// A type name that is not in the schema.
    #[error("The type '{0}' is not known")]
    UnknownType(String),
    /// A type that the place cannot hold.
    #[error("A value of type {found} cannot stand where {expected} is declared")]
    TypeMismatch {
        /// The type given.
        found: &'static str,
        /// The type declared.
        expected: &'static str,
    },
    /// Content of any type must say its type.
    #[error("A value of declared type anyType has no _typeName")]
    Untyped,
    /// A box without its content.
    #[error("A value of type {0} has no _value")]
    NoValue(&'static str),
}

/// A step on the way to the place of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a field of an object.
    Field(&'static str),
    /// Into an item of an array.
    Item(usize),
}

/// A request that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    problem: Problem,
    /// From the inside outwards.
    steps: Vec<Step>,
    line: usize,
    column: usize,
    method: Option<Method>,
}

impl DecodeError {
    /// An error at the end of `steps`, which lead from the inside outwards.
    pub(super) fn new(problem: Problem, steps: Vec<Step>, line: usize, column: usize) -> Self {
        Self(Box::new(Inner { problem, steps, line, column, method: None }))
    }

    /// The same error, in a call of `method`.
    pub(super) fn of(mut self, method: Method) -> Self {
        self.0.method = Some(method);
        self
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// The line, counted from 1; 0 where there is no document.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The column, counted from 1.
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// The way to the place, as in `specSet[0].propSet[1].type`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.0.steps.iter().rev() {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Step::Item(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.problem)?;
        if self.0.line > 0 {
            write!(f, "\nat line {}, column {}", self.0.line, self.0.column)?;
        }
        let path = self.path();
        if !path.is_empty() {
            write!(f, "\n\nwhile parsing {path}")?;
        }
        match self.0.method {
            Some(method) => write!(
                f,
                "\n\nwhile parsing HTTP request for method {}\non object of type {}",
                method.vmodl(),
                method.owner().vmodl(),
            ),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        let message = error.to_string();
        match error.problem() {
            Problem::UnknownType(name) => {
                Self::new(object!(InvalidType { argument: name }), message)
            }
            _ => Self::of(ty::InvalidRequest, message),
        }
    }
}
