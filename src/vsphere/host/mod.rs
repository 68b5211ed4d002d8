//! Hosts: what each of their methods means.

pub(super) mod connection;
pub(super) mod joining;
pub(super) mod maintenance;
pub(super) mod services;
pub(super) mod settings;
