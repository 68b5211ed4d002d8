//! vimsim: a stand-in for vCenter and ESXi that speaks the real wire protocols.

pub mod cli;
pub mod collector;
pub mod config;
pub mod connection;
pub mod fault;
pub mod inventory;
pub mod schema;
pub mod server;
pub mod value;
pub mod wire;
