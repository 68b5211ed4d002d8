//! Tasks as facts: what a task is and how its state may change.
//!
//! Everything here is pure. There is no clock (whoever asks for a change says
//! when it is), no lock and no I/O; a [`TaskTable`] is cloned in a few
//! instructions, so that a commit that fails simply forgets its copy.
//!
//! - [`state`]: the one function that changes a task's state
//! - [`unchecked`]: what clients say of a task without being checked
//! - [`record`]: everything known about one task, neutral to protocols
//! - [`table`]: all tasks, with what is looked up often
//! - [`progress`]: how far a task is, and a parent by its children
//! - [`cancel`]: what a request to cancel meets
//! - [`filter`]: which tasks somebody wants
//! - [`feed`]: what happens to tasks, for whoever watches
//! - [`history`]: finished tasks, kept small, and found by a filter
//! - [`retention`]: how long finished tasks are kept

pub mod cancel;
pub mod feed;
pub mod filter;
pub mod history;
pub mod progress;
pub mod record;
pub mod retention;
pub mod state;
pub mod table;
pub mod unchecked;

pub use cancel::{CancelOutcome, CancelRequest};
pub use feed::{Change, Feed};
pub use filter::TaskFilter;
pub use history::History;
pub use progress::Progress;
pub use record::{Operation, Reason, TaskDraft, TaskId, TaskRecord};
pub use retention::Retention;
pub use state::{Command, End, Outcome, Phase, State, Status, Target, TaskError, transition};
pub use table::TaskTable;
pub use unchecked::{Claim, Said, Standing, View};
