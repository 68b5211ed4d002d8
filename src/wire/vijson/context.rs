//! What is shared while one document is read: limits, what is in the making, and
//! what turned out to be wrong.

use serde::de::Error;

use super::error::{DecodeError, Problem, Step};
use crate::schema::{Kind, Primitive, Type, Version, ty};
use crate::value::{EnumValue, Str, Value};
use crate::wire::scalar;

/// How much of a document is read before it is refused. Objects and arrays may
/// be 127 inside each other, which is the reader's own limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Values in all: objects, arrays, and what is in them.
    pub values: usize,
    /// Bytes of one text.
    pub text: usize,
    /// Fields of all data objects, set or not: what a small object can make the
    /// server allocate.
    pub fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { values: 1_000_000, text: 16 << 20, fields: 4_000_000 }
    }
}

/// What all the seeds of one document share.
pub(super) struct Context {
    /// What the client speaks: fields newer than this are not demanded.
    pub(super) version: Version,
    pub(super) limits: Limits,
    /// Fields of the objects that are being read.
    pub(super) slots: Vec<Option<Value>>,
    /// Items of the arrays that are being read.
    pub(super) items: Vec<Value>,
    /// How many fields all objects have so far, and how many values there are.
    pub(super) fields: usize,
    values: usize,
    /// What is wrong, if the schema says so, and the way there from the inside.
    problem: Option<Problem>,
    steps: Vec<Step>,
}

impl Context {
    pub(super) fn new(version: Version, limits: Limits) -> Self {
        Self {
            version,
            limits,
            slots: Vec::new(),
            items: Vec::new(),
            fields: 0,
            values: 0,
            problem: None,
            steps: Vec::new(),
        }
    }

    /// Stops reading because of `problem`.
    pub(super) fn fail<E: Error>(&mut self, problem: Problem) -> E {
        self.problem = Some(problem);
        E::custom("refused")
    }

    /// An error, one step further outside.
    pub(super) fn within<E>(&mut self, step: Step) -> impl FnOnce(E) -> E + '_ {
        move |error| {
            self.steps.push(step);
            error
        }
    }

    /// What has stopped reading: a seed, or else the JSON itself.
    pub(super) fn error(&mut self, error: &serde_json::Error) -> DecodeError {
        let steps = std::mem::take(&mut self.steps);
        let problem = self.problem.take().unwrap_or_else(|| {
            let text = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            Problem::Malformed(text.strip_suffix(&place).unwrap_or(&text).to_owned())
        });
        DecodeError::new(problem, steps, error.line(), error.column())
    }

    pub(super) fn count<E: Error>(&mut self) -> Result<(), E> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(self.fail(Problem::Limit("values")));
        }
        Ok(())
    }

    pub(super) fn mismatch<E: Error>(&mut self, found: &'static str, declared: Type) -> E {
        self.fail(Problem::Mismatch { found, expected: declared.name() })
    }

    /// Something that stands where any type may stand, and does not say its own.
    pub(super) fn scalar<E: Error>(&mut self, found: &'static str, declared: Type) -> E {
        if declared == ty::ANY {
            self.fail(Problem::Untyped)
        } else {
            self.mismatch(found, declared)
        }
    }

    pub(super) fn invalid<E: Error>(&mut self, value: &str, declared: Type) -> E {
        let value = value.chars().take(64).collect();
        self.fail(Problem::InvalidValue { value, ty: declared.name() })
    }

    pub(super) fn integer<E: Error>(
        &mut self,
        number: i128,
        declared: Type,
    ) -> Result<Option<Value>, E> {
        let Kind::Primitive(primitive) = declared.kind() else {
            return Err(self.mismatch("a number", declared));
        };
        let value = match primitive {
            Primitive::Byte => number.try_into().ok().map(Value::Byte),
            Primitive::Short => number.try_into().ok().map(Value::Short),
            Primitive::Int => number.try_into().ok().map(Value::Int),
            Primitive::Long => number.try_into().ok().map(Value::Long),
            Primitive::Float => Some(Value::Float(number as f32)),
            Primitive::Double => Some(Value::Double(number as f64)),
            _ => return Err(self.scalar("a number", declared)),
        };
        value.map(Some).ok_or_else(|| self.invalid(&number.to_string(), declared))
    }

    pub(super) fn text<E: Error>(
        &mut self,
        text: &str,
        declared: Type,
    ) -> Result<Option<Value>, E> {
        if text.len() > self.limits.text {
            return Err(self.fail(Problem::Limit("the length of a text")));
        }
        let value = match declared.kind() {
            Kind::Primitive(Primitive::String | Primitive::Uri) => {
                Some(Value::String(Str::from(text)))
            }
            Kind::Primitive(kind @ (Primitive::DateTime | Primitive::Binary)) => {
                scalar::parse(kind, text)
            }
            Kind::Primitive(kind @ (Primitive::Float | Primitive::Double)) => {
                let is_word = matches!(text, "INF" | "-INF" | "NaN");
                is_word.then(|| scalar::parse(kind, text)).flatten()
            }
            Kind::Enum => EnumValue::parse(declared, text).map(Value::Enum),
            _ => return Err(self.scalar("a text", declared)),
        };
        value.map(Some).ok_or_else(|| self.invalid(text, declared))
    }
}
