//! [`Snapshots`]: the whole state, kept by name.

use super::ControlError;
use crate::vsphere::{Service, StateInfo};

/// A simulator's snapshots of its whole state: inventory, tasks, events, rules,
/// time. Sessions stay as they are when a state is restored.
#[derive(Clone, Copy, Debug)]
pub struct Snapshots<'a> {
    service: &'a Service,
}

impl<'a> Snapshots<'a> {
    pub(super) fn new(service: &'a Service) -> Self {
        Self { service }
    }

    /// Keeps the state as it is now, instead of another of that name.
    pub fn save(&self, name: &str) -> StateInfo {
        self.service.save_state(name)
    }

    /// Returns to a state, which stays kept.
    pub fn restore(&self, name: &str) -> Result<StateInfo, ControlError> {
        let restored = self.service.restore_state(name);
        restored.map_err(|_| ControlError::not_found("snapshot", name))
    }

    /// What is kept, in the order of the names.
    pub fn list(&self) -> Vec<StateInfo> {
        self.service.saved_states()
    }

    /// Forgets a state.
    pub fn delete(&self, name: &str) -> Result<(), ControlError> {
        if self.service.drop_state(name) {
            Ok(())
        } else {
            Err(ControlError::not_found("snapshot", name))
        }
    }
}
