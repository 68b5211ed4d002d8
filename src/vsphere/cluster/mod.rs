//! Clusters: how they are made and configured, and where they would put a
//! machine. Hosts join them by `AddHost_Task`, which is the host's affair.

pub(super) mod configuration;
pub(super) mod create;
pub(super) mod placing;
