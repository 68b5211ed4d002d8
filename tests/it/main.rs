//! The integration tests: one binary, one module a topic.

mod property_path;
mod schema;
mod schema_build;
