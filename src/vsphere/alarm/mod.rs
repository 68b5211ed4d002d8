//! Alarms.
mod manager;
pub(super) use manager::{METHODS, declared};
