//! Directing a simulator: its tasks, its time, and what it remembers, under the
//! user's control. Programs that embed a simulator use this as it is; the
//! control API is the same over HTTP.
//!
//! - [`tasks`]: finding and watching tasks, and deciding how they go
//! - [`clock`]: stopping time, and moving it
//! - [`objects`]: finding entities by what a person knows of them
//! - [`snapshots`]: the whole state, kept by name
//!
//! What happens by rules is in [`scenario`](crate::scenario).
//!
//! ```
//! use std::time::Duration;
//! use vimsim::Config;
//! use vimsim::config::ClockMode;
//! use vimsim::control::Control;
//! use vimsim::vsphere::Service;
//!
//! let config = Config { clock: ClockMode::Stepped, ..Config::default() };
//! let control = Control::new(Service::new(config)?);
//! let before = control.clock().state().now;
//! control.clock().advance(Duration::from_secs(24 * 3600))?;
//! assert_eq!(control.clock().state().now.since(before), Duration::from_secs(24 * 3600));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod clock;
pub mod objects;
pub mod snapshots;
pub mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

pub use clock::{Clock, ClockState};
pub use objects::Objects;
pub use snapshots::Snapshots;
pub use tasks::{Order, Page, StateFilter, TaskQuery, Tasks, Watch, WatchEvent, Which};

use crate::engine::Interrupted;
use crate::fault::Fault;
pub use crate::scenario::rules::Counters as RuleCounts;
use crate::scenario::{RuleError, Rules};
use crate::vsphere::Service;

/// A handle on everything about a simulator that can be directed.
#[derive(Clone, Debug)]
pub struct Control {
    service: Arc<Service>,
}

/// Why a wish was not granted; nothing has changed.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ControlError {
    /// What was named is not there.
    #[error("there is no {what} {name}")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// What it was called.
        name: String,
    },
    /// It cannot be done as things are.
    #[error("{0}")]
    Conflict(String),
    /// A part of the wish makes no sense.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which part, as in `fault.type`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The simulated server refuses.
    #[error("{0}")]
    Fault(#[from] Fault),
}

impl ControlError {
    pub(crate) fn not_found(what: &'static str, name: &(impl ToString + ?Sized)) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }

    pub(crate) fn invalid(field: impl Into<String>, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Invalid { field: field.into(), reason: reason.to_string() }
    }
}

impl From<RuleError> for ControlError {
    fn from(error: RuleError) -> Self {
        Self::Invalid { field: error.path, reason: error.message }
    }
}

/// What became of calls, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls of methods that are not modelled, by method.
    pub unsupported: BTreeMap<&'static str, u64>,
    /// What rules did, by their names.
    pub rules: BTreeMap<String, RuleCounts>,
}

impl Control {
    /// Directs `service`.
    pub fn new(service: Arc<Service>) -> Self {
        Self { service }
    }

    /// The simulated server.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Its tasks.
    pub fn tasks(&self) -> Tasks<'_> {
        Tasks::new(&self.service)
    }

    /// Its time.
    pub fn clock(&self) -> Clock<'_> {
        Clock::new(&self.service)
    }

    /// Its inventory.
    pub fn objects(&self) -> Objects<'_> {
        Objects::new(&self.service)
    }

    /// The rules by which tasks and calls go their ways.
    pub fn rules(&self) -> &Rules {
        self.service.rules()
    }

    /// Its states that are kept.
    pub fn snapshots(&self) -> Snapshots<'_> {
        Snapshots::new(&self.service)
    }

    /// Does to clients what a restart of the server does: sessions end, and
    /// tasks at work have failed.
    pub fn restart(&self, interrupted: Interrupted) -> Result<(), ControlError> {
        Ok(self.service.restart(interrupted)?)
    }

    /// What became of calls.
    pub fn counters(&self) -> Counters {
        let rules = self.rules().list().into_iter();
        Counters {
            unsupported: self.service.unsupported(),
            rules: rules.map(|rule| (rule.name, rule.counters)).collect(),
        }
    }

    /// Counts calls of methods that are not modelled from zero again.
    pub fn reset_counters(&self) {
        self.service.forget_unsupported();
    }
}
