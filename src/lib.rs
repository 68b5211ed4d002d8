//! vimsim: a stand-in for vCenter and ESXi that speaks the real wire protocols.

pub mod schema;
