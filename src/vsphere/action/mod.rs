//! What the server does by itself, because a schedule or an alarm says so.
//!
//! ```text
//!   Action ── read ──► a method and its arguments ── plan ──► calls, tasks
//!                                                      │
//!                       in a commit of the schedule or alarm: submit
//! ```
//!
//! - `read`: what an `Action` means
//! - `work`: calls of methods for a user who is not there, and tasks from those

mod read;
mod work;

pub(super) use read::{read, read_for};
pub(super) use work::{Calls, Occasion, Work, guarded, make, plan, submit};
