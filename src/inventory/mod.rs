//! The inventory: every managed object with its properties, as immutable
//! snapshots that follow one another by commits.
//!
//! ```text
//!   Store::commit(|tx| …) ──► Transaction ──ok──► Snapshot n+1 ──► readers (Arc)
//!         one at a time            │                   │
//!                                  └─fault─► nothing   └──► ChangeLog ──► observers
//! ```
//!
//! A reader holds an `Arc<Snapshot>` and never waits. A commit is a short
//! critical section: no await, no I/O, no clock.

pub mod changelog;
pub mod snapshot;
pub mod store;
pub mod transaction;

pub use changelog::{Change, ChangeKind, ChangeLog, Commit};
pub use snapshot::{Read, Snapshot};
pub use store::Store;
pub use transaction::Transaction;
