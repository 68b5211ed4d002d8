//! The property collector over a small inventory, without any protocol.

mod bounds;
mod client;
mod cost;
mod racing;
mod random;
mod retrieve;
mod rules;
mod service;
mod updates;
mod waiting;
#[allow(dead_code, reason = "not every module uses all of it")]
mod world;
