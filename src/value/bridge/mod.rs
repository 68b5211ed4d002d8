//! The serde bridge: typed views of values, and values from typed views.
//!
//! Logic that computes with a spec declares the few fields it reads and has
//! them filled; what it does not declare is passed over:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use vimsim::object;
//! use vimsim::schema::ty;
//! use vimsim::value::{MoRef, Value, bridge};
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct CloneSpec {
//!     location: RelocateSpec,
//!     power_on: bool,
//!     config: Option<Value>,
//! }
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct RelocateSpec {
//!     pool: Option<MoRef>,
//!     disk_move_type: Option<String>,
//! }
//!
//! let pool = MoRef::new(ty::ResourcePool, "resgroup-8");
//! let spec = object!(VirtualMachineCloneSpec {
//!     location: object!(VirtualMachineRelocateSpec { pool: &pool }),
//!     powerOn: true,
//!     template: false,
//! });
//! let view: CloneSpec = bridge::from_object(&spec)?;
//! assert_eq!(view.location.pool, Some(pool));
//! assert!(view.power_on && view.config.is_none() && view.location.disk_move_type.is_none());
//!
//! #[derive(Serialize)]
//! struct Message { key: &'static str, message: Option<String> }
//! let message = Message { key: "phase.copy", message: None };
//! let object = bridge::to_object(ty::LocalizableMessage, &message)?;
//! assert_eq!(object, object!(LocalizableMessage { key: "phase.copy" }));
//! # Ok::<(), bridge::BridgeError>(())
//! ```
//!
//! What a view may hold, in both directions:
//! - numbers of any width that has room, `bool`, `String` and `&str`, bytes
//! - a member of an enumeration as a unit variant or as text
//! - an `Option` for what may be unset; an unset array is an empty `Vec` as well
//! - another view for a data object; where the schema declares a base type, an
//!   enum whose variants are called as types: the nearest base that has a
//!   variant is taken, `#[serde(other)]` takes the rest
//! - [`Value`], [`Object`], [`Array`], [`MoRef`], [`EnumValue`] and
//!   [`DateTime`], which share the original
//!
//! [`EnumValue`]: super::EnumValue
//! [`DateTime`]: super::DateTime
//! [`MoRef`]: super::MoRef
//! [`Array`]: super::Array

mod handover;
mod read;
mod write;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Object, Value};
use crate::schema::Type;

/// A view that does not fit the value, or a value that does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeError {
    /// The steps to the place, innermost first.
    steps: Vec<String>,
    message: String,
}

impl BridgeError {
    fn new(message: impl Into<String>) -> Self {
        Self { steps: Vec::new(), message: message.into() }
    }

    fn within(mut self, field: &str) -> Self {
        self.steps.push(field.to_owned());
        self
    }

    fn at_index(mut self, index: usize) -> Self {
        self.steps.push(format!("[{index}]"));
        self
    }

    /// The place as a property path, `deviceChange[0].device`; empty for the value itself.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        path
    }

    /// What is wrong there.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path(), self.message)
        }
    }
}

impl std::error::Error for BridgeError {}

impl serde::de::Error for BridgeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("not set").within(field)
    }
}

impl serde::ser::Error for BridgeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

/// Fills a view from a value.
pub fn from_value<'v, T: Deserialize<'v>>(value: &'v Value) -> Result<T, BridgeError> {
    T::deserialize(read::Reader::new(value))
}

/// Fills a view from a data object.
pub fn from_object<'v, T: Deserialize<'v>>(object: &'v Object) -> Result<T, BridgeError> {
    T::deserialize(read::ObjectReader(object))
}

/// Makes a data object of type `ty`, or of a type derived from it that the
/// view names, from a view.
pub fn to_object<T: Serialize + ?Sized>(ty: Type, view: &T) -> Result<Object, BridgeError> {
    match view.serialize(write::Writer::new(ty))? {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(BridgeError::new(format!("the view is no data object of type {ty}"))),
    }
}
