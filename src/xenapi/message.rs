//! [`Message`]: one call of XenAPI: its parameters, who may make it, and how it
//! is answered.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::context::Context;
use super::failure::Failure;
use super::value::{Type, Value};
use super::work::Work;
use crate::value::{DateTime, Str};

/// What a message answers.
pub type Answer = Result<Value, Failure>;

/// An answer that is being waited for.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// How a message is answered.
#[derive(Clone, Copy)]
pub enum Run {
    /// At once: from what is there, or by a short commit.
    Now(fn(&Context<'_>, &Args) -> Answer),
    /// When something has happened; the call waits, nothing else does.
    Wait(for<'a> fn(&'a Context<'a>, &'a Args) -> Waiting<'a>),
    /// By a task of the engine. The synchronous form waits for its end, the
    /// asynchronous one answers its reference.
    Work(fn(&Context<'_>, &Args) -> Result<Work, Failure>),
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Wait(_) => "Wait",
            Self::Work(_) => "Work",
        })
    }
}

/// One parameter, besides the session that comes first.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub ty: Type,
    /// What it is when it is left out; nothing if it must be there.
    pub default: Option<Preset>,
}

impl Param {
    /// A parameter that must be there.
    pub const fn new(name: &'static str, ty: Type) -> Self {
        Self { name, ty, default: None }
    }

    /// A parameter that may be left out.
    pub const fn or(name: &'static str, ty: Type, default: Preset) -> Self {
        Self { name, ty, default: Some(default) }
    }
}

/// What a parameter is when it is left out.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// A text.
    Text(&'static str),
    /// A number.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// A set or a map without anything in it.
    Empty,
}

impl Preset {
    fn value(self, ty: Type) -> Value {
        match self {
            Self::Text(text) => Value::text(text),
            Self::Int(number) => Value::Int(number),
            Self::Bool(flag) => Value::Bool(flag),
            Self::Empty if matches!(ty, Type::Map(..)) => Value::Map(Vec::new()),
            Self::Empty => Value::Set(Vec::new()),
        }
    }
}

/// What somebody may do at least who may do a thing; the later may do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks, and changes nothing.
    ReadOnly,
    /// Starts and stops machines.
    VmOperator,
    /// Makes and changes machines.
    VmAdmin,
    /// Also what costs others their resources.
    VmPowerAdmin,
    /// Changes hosts and the pool.
    PoolOperator,
    /// Everything.
    PoolAdmin,
}

impl Role {
    /// All of them, from the least on.
    pub const ALL: [Self; 6] = [
        Self::ReadOnly,
        Self::VmOperator,
        Self::VmAdmin,
        Self::VmPowerAdmin,
        Self::PoolOperator,
        Self::PoolAdmin,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::VmOperator => "vm-operator",
            Self::VmAdmin => "vm-admin",
            Self::VmPowerAdmin => "vm-power-admin",
            Self::PoolOperator => "pool-operator",
            Self::PoolAdmin => "pool-admin",
        }
    }
}

/// One call of XenAPI.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Class and message: `VM.start`.
    pub name: &'static str,
    /// The parameters after the session.
    pub params: &'static [Param],
    /// What it answers.
    pub result: Type,
    /// Whether its first argument is the session; only the login does without.
    pub session: bool,
    /// Whether there is a form that begins with `Async.`.
    pub is_async: bool,
    /// Who may make it.
    pub role: Role,
    /// The release that brought it.
    pub since: &'static str,
    /// How it is answered.
    pub run: Run,
}

impl Message {
    /// A message that reads: for everybody, without an asynchronous form.
    pub const fn read(
        name: &'static str,
        params: &'static [Param],
        result: Type,
        run: fn(&Context<'_>, &Args) -> Answer,
    ) -> Self {
        Self {
            name,
            params,
            result,
            session: true,
            is_async: false,
            role: Role::ReadOnly,
            since: "rio",
            run: Run::Now(run),
        }
    }

    /// How few and how many arguments it takes, the session not counted.
    pub fn arity(&self) -> (usize, Option<usize>) {
        let least = self.params.iter().take_while(|param| param.default.is_none()).count();
        // Whoever has defaults takes more than it knows of, and ignores it.
        (least, (least == self.params.len()).then_some(least))
    }

    /// The arguments as the parameters want them; what is left out gets its
    /// default.
    pub fn accept(&self, given: Vec<Value>) -> Result<Args, Failure> {
        let mut given = given.into_iter();
        let mut args = Vec::with_capacity(self.params.len());
        for param in self.params {
            let value = match (given.next(), param.default) {
                (Some(value), _) => param.ty.accept(value).ok_or_else(|| {
                    Failure::internal_error(&format!(
                        "{}: the value of {} does not have the type {:?}",
                        self.name, param.name, param.ty
                    ))
                })?,
                (None, Some(default)) => default.value(param.ty),
                (None, None) => Value::Void,
            };
            args.push(value);
        }
        Ok(Args(args))
    }
}

/// Arguments that fit their parameters, in their order.
#[derive(Clone, Debug, Default)]
pub struct Args(Vec<Value>);

impl Args {
    /// Arguments from values that are known to fit.
    pub fn new(values: Vec<Value>) -> Self {
        Self(values)
    }

    /// The argument at `at`.
    pub fn get(&self, at: usize) -> &Value {
        self.0.get(at).unwrap_or(&Value::Void)
    }

    /// The text at `at`: also a reference, or a member of an enumeration.
    pub fn text(&self, at: usize) -> &str {
        self.get(at).as_str().unwrap_or_default()
    }

    /// The truth value at `at`.
    pub fn flag(&self, at: usize) -> bool {
        self.get(at).as_bool().unwrap_or_default()
    }

    /// The number at `at`.
    pub fn int(&self, at: usize) -> i64 {
        self.get(at).as_i64().unwrap_or_default()
    }

    /// The number with a fraction at `at`.
    pub fn float(&self, at: usize) -> f64 {
        self.get(at).as_f64().unwrap_or_default()
    }

    /// The point in time at `at`.
    pub fn time(&self, at: usize) -> DateTime {
        self.get(at).as_time().unwrap_or(DateTime::EPOCH)
    }

    /// The texts of the set at `at`.
    pub fn texts(&self, at: usize) -> Vec<Str> {
        self.get(at).items().iter().filter_map(Value::as_str).map(Str::from).collect()
    }

    /// The entries of the map from texts to texts at `at`.
    pub fn text_map(&self, at: usize) -> Vec<(Str, Str)> {
        let entries = self.get(at).entries().iter();
        entries.filter_map(|(key, value)| Some((key.clone(), Str::from(value.as_str()?)))).collect()
    }
}
