//! Scenario files and rules: what is accepted, what is refused and where, and
//! what rules do to tasks and calls.

mod examples;
mod fate;
mod files;
mod rules;
