//! The front ends: the only layer that knows HTTP, XML, JSON and status codes.
//!
//! - [`soap`]: the vSphere API as SOAP
//! - [`faults`]: the one table that says how a fault travels

pub mod faults;
pub mod soap;
