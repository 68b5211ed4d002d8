//! Events as facts: what happened, kept small, in the order in which it did.
//!
//! Everything here is pure, like the tasks beside it: no clock, no lock, and an
//! [`EventLog`] is cloned in a few instructions. It is committed together with
//! the effects that its events tell of, so that whoever sees the one sees the
//! other, and an event of a change that was taken back never existed.
//!
//! - [`record`]: one event, without what can be worked out when it is read
//! - [`log`]: all events that are remembered, and for how long

pub mod log;
pub mod record;

pub use log::{EventLog, Retention};
pub use record::{EventDraft, EventRecord, Scene};
