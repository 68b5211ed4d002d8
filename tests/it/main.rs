//! The integration tests: one binary, one module a topic.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod alarms;
mod anything;
mod bounds;
mod bridge;
mod cli;
mod clients;
mod collector;
mod control;
mod engine;
mod events;
mod golden;
mod history;
mod maker;
mod many;
mod model;
mod operations;
mod privileges;
mod property_path;
mod saved;
mod scenario;
mod scheduled;
mod schema;
mod schema_build;
mod server;
mod sessions;
mod soap_codec;
mod tidy;
mod vijson;
mod xenapi;
mod xenapi_event;
mod xenapi_task;
