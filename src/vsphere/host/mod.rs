//! Hosts: what each of their methods means.

pub(super) mod maintenance;
