//! vimsim: a stand-in for vCenter and ESXi that speaks the real wire protocols.

pub mod collector;
pub mod fault;
pub mod inventory;
pub mod schema;
pub mod value;
