//! The integration tests: one binary, one module a topic.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod admission;
mod bridge;
mod collector;
mod property_path;
mod schema;
mod schema_build;
mod soap_codec;
mod task_model;
mod task_state;
mod tasks_engine;
mod tidy;
