//! From a call to the function that answers it.
//!
//! Every managed object's file lists its methods in a table of [`Entry`]s; the
//! tables are joined here. The receiver's concrete type is asked first, then
//! its base types, so a virtual machine answers `Destroy_Task` in its own way.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::call::Call;
use super::operation::Operation;
use super::service::Service;
// What a [`Reply`] is made of, for those who write it.
pub use crate::collector::{Contents, Page, Row, Told, missing_property};
use crate::fault::Fault;
use crate::schema::{Method, Type};
use crate::value::Value;

/// What a method answers: nothing for void.
pub type Answer = Result<Option<Value>, Fault>;

/// An answer on its way to the wire. What was read of many objects is found,
/// but not read yet: whoever writes the reply reads one after the other.
#[derive(Debug)]
pub enum Reply {
    /// The value; nothing for void.
    Value(Option<Value>),
    /// An array of `ObjectContent`.
    Contents(Contents),
    /// A `RetrieveResult`.
    Page(Page),
}

impl Reply {
    /// The answer as a value, read whole.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Self::Value(value) => value,
            Self::Contents(contents) => Some(contents.into_value()),
            Self::Page(page) => Some(page.into_object().into()),
        }
    }
}

/// An answer that is being waited for.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// How a method is answered.
#[derive(Clone, Copy)]
pub enum Handler {
    /// At once: from what is there, or by a short commit.
    Now(fn(&Service, &Call) -> Answer),
    /// At once, by what was found of many objects.
    Read(fn(&Service, &Call) -> Result<Reply, Fault>),
    /// By a task, whose reference is the reply.
    Task(fn(&Service, &Call) -> Result<Operation, Fault>),
    /// When something has happened; the call waits, nothing else does.
    Wait(for<'a> fn(&'a Arc<Service>, &'a Call) -> Waiting<'a>),
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Read(_) => "Read",
            Self::Task(_) => "Task",
            Self::Wait(_) => "Wait",
        })
    }
}

/// One method of one managed object type.
pub type Entry = (Type, Method, Handler);

/// All methods that vimsim answers.
pub struct Dispatch {
    handlers: HashMap<(Type, Method), Handler, foldhash::fast::FixedState>,
}

impl Dispatch {
    /// Joins the tables of all managed objects.
    pub fn new(tables: &[&[Entry]]) -> Self {
        let mut handlers = HashMap::default();
        for (ty, method, handler) in tables.iter().copied().flatten() {
            let before = handlers.insert((*ty, *method), *handler);
            debug_assert!(before.is_none(), "{} stands twice for {}", method.name(), ty.name());
        }
        Self { handlers }
    }

    /// The handler of `method` for receivers of type `ty`.
    pub fn find(&self, ty: Type, method: Method) -> Option<Handler> {
        let mut at = Some(ty);
        while let Some(ty) = at {
            if let Some(handler) = self.handlers.get(&(ty, method)) {
                return Some(*handler);
            }
            at = ty.base();
        }
        None
    }

    /// The methods that are answered for at least one type.
    pub fn methods(&self) -> Vec<Method> {
        let mut all: Vec<Method> = self.handlers.keys().map(|(_, method)| *method).collect();
        all.sort();
        all.dedup();
        all
    }
}

impl std::fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatch").field("handlers", &self.handlers.len()).finish()
    }
}
