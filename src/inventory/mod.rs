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
//!
//! - [`properties`], [`mould`]: what an object that nobody has changed costs
//! - [`index`]: finding objects by what is in them

pub mod changelog;
pub mod index;
pub mod mould;
mod objects;
pub mod properties;
pub mod snapshot;
pub mod store;
pub mod transaction;

pub use changelog::{Change, ChangeKind, ChangeLog, Commit, Mark};
pub use index::{Key, Keys, KeysOf};
pub use mould::{Fill, Mould};
pub use properties::{Cast, Properties};
pub use snapshot::{Read, Snapshot};
pub use store::Store;
pub use transaction::Transaction;
