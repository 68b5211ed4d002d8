//! vimsim: a stand-in for vCenter and ESXi that speaks the real wire protocols.

pub mod cli;
pub mod collector;
pub mod config;
pub mod connection;
pub mod engine;
pub mod fault;
pub mod ids;
pub mod inventory;
pub mod schema;
pub mod server;
pub mod task;
pub mod value;
pub mod wire;
