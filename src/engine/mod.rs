//! Where time passes: runs jobs, and every change goes through here.
//!
//! ```text
//!   submit ──► commit: task queued ──► admission: entity free?
//!                                        │ yes      │ no: wait, or refuse
//!                  ┌─────────────────────┘          └──► its turn, later
//!                  ▼
//!   driver:  commit: running, Job::begin
//!                  │   the steps of its Plan: progress, progress, …
//!                  ▼
//!            Job::ready ──no──► sleep until a commit touches what it names
//!                  │ yes
//!                  ▼
//!            commit: Job::complete and success   or   Job::undo and the fault
//! ```
//!
//! Three rules hold it together:
//!
//! - **One door.** [`Engine::commit`] is the only way to change the inventory
//!   and the tasks, and changes both or neither. Every task shows in the
//!   inventory as a managed object of the same commit, so whoever reads or
//!   watches objects sees tasks as well.
//! - **Nobody waits while holding something.** A job runs inside commits only,
//!   for moments; between them it is a row in a table and a line in the queue.
//! - **One queue.** Everything that waits for a time waits in the
//!   [`Scheduler`]; one thread sleeps until the earliest of them. With a
//!   stepped [`Clock`] nobody sleeps: work that is due runs on the thread that
//!   made it due, so that a run can be repeated exactly.
//!
//! Locks are taken in this order: the store's writer, the jobs, the queue.

pub mod admission;
pub mod api;
pub mod clock;
pub mod commit;
pub mod director;
mod driver;
mod entry;
pub mod hand;
pub mod job;
pub mod restart;
pub mod saved;
pub mod scheduler;
pub mod tx;

pub use admission::Busy;
pub use api::{Engine, Settings, WeakEngine, aside_in, events_in, tasks_in};
pub use clock::{Clock, NotStepped};
pub use commit::{Moment, Projection};
pub use director::{Act, AsAsked, Course, Director, Plan, Question, Sequel, Step};
pub use hand::Refused;
pub use job::{Job, Ready, TaskContext, TaskSpec};
pub use restart::Interrupted;
pub use saved::{Arranged, Restored, Saved};
pub use scheduler::{Scheduler, Ticket, Weight};
pub use tx::Tx;
