//! Virtual machines: what each of their methods means, one file a verb.

mod cards;
pub(super) mod clone;
pub(super) mod create;
pub(super) mod customize;
mod devices;
mod disk_chain;
mod disks;
pub(super) mod instant_clone;
pub(super) mod power;
pub(super) mod question;
pub(super) mod reconfigure;
pub(super) mod registration;
pub(super) mod registry;
pub(super) mod relocate;
mod seats;
pub(super) mod snapshot;
mod snapshot_tree;
mod spec;
pub(super) mod state;
pub(super) mod template;
pub(super) mod upkeep;
pub(super) mod vapp_config;

pub(super) use spec::merged;
