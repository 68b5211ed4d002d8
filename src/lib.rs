//! vimsim: a stand-in for vCenter and ESXi that speaks the real wire protocols,
//! so that anyone can test automation without a lab.
//!
//! ```no_run
//! use vimsim::{Config, Simulator};
//!
//! # async fn example() -> Result<(), vimsim::StartError> {
//! let simulator = Simulator::start(Config::default()).await?;
//! println!("point a client at {}", simulator.url());
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//!
//! Imports only point downwards; `tests/it/tidy.rs` holds these edges.
//!
//! ```text
//! main → cli → simulator → server     connections, TLS, limits, graceful shutdown
//!                  │
//!                  ▼
//!                wire/                the only layer that knows HTTP, XML, status codes
//!                  │
//!                  ├───────────────► xenapi/   XenAPI's classes: what each message means
//!                  ▼                   │
//!              control/                │        tasks and time under the user's control
//!                  │                   │
//!                  ▼                   │
//!              vsphere/ ◄──────────────┘        managed objects: what each method means
//!             ┌────┴─────┐
//!             ▼          ▼
//!          engine/    collector/      where time passes; reading, and waiting for change
//!         ┌───┴────┐     │
//!         ▼        ▼     │
//!  event, task  inventory/ ◄──┘       events and rules of a task; snapshots and commits
//!         └───┬────┘
//!             ▼
//!   fault → value → schema            ids, config, connection: leaves, open to all
//! ```
//!
//! | where | what |
//! | --- | --- |
//! | `wsdl/` | the vSphere schema, the one source of types; `generate.py` writes it, `build/` compiles it |
//! | [`schema`] | what types exist: handles into static tables, property paths |
//! | [`value`] | what instances look like: values, access by path, diff, serde bridge |
//! | [`fault`] | what goes wrong, in the terms of the API |
//! | [`inventory`] | every managed object: snapshots, transactions, the change log; moulds, keys |
//! | [`task`] | the one transition function, records, the table of tasks |
//! | [`event`] | what happened: records of events, the log of them |
//! | [`engine`] | clock, scheduler, admission, jobs and who runs them |
//! | [`scenario`] | rules for tasks, calls and time under the user's control; scenario files |
//! | [`collector`] | filters, traversal, updates, waits |
//! | [`vsphere`] | the call seam, dispatch, sessions, one managed object type a file; `model/` is the initial inventory |
//! | [`control`] | directing a simulator: what the control API and a program that embeds it share |
//! | [`xenapi`] | classes, messages, sessions and references of XenAPI, on the same inventory and tasks |
//! | [`wire`] | SOAP, VI/JSON and XenAPI in and out, cookies, faults on the wire; the control API |
//! | [`server`], [`cli`] | sockets; the command line, `vimsim ctl` included |
//!
//! # Invariants
//!
//! 1. **One writer, free readers.** A change happens only inside a commit: a
//!    short critical section without await, I/O or clock. A reader holds a
//!    snapshot and never waits.
//! 2. **Atomic or not at all.** A commit that returns a fault leaves no trace.
//!    A job's effect and its task's success land in one commit. A reference
//!    returned to a client is already readable.
//! 3. **One door for task state.** `task/state.rs` is a pure function; nothing
//!    else writes it.
//! 4. **Time has one source.** Nothing below `engine` reads a clock. With the
//!    stepped clock, the same seed and the same calls give the same bytes.
//! 5. **The core is protocol-neutral.** `engine` declares `Job`, `vsphere`
//!    implements it. Only `wire` knows a status code.
//! 6. **Types are data.** No field list, method list, privilege or version is
//!    written by hand outside `wsdl/`. A mistyped path does not compile.
//! 7. **Values are immutable and shared.**
//! 8. **Nothing polls.** A waiter sleeps until a commit touches its filter.
//! 9. **Input cannot panic or starve the server.**
//! 10. **No globals.** Everything belongs to a [`Simulator`]; a process can hold many.

pub mod cli;
pub mod collector;
pub mod config;
pub mod connection;
pub mod control;
pub mod engine;
pub mod event;
pub mod fault;
pub mod ids;
pub mod inventory;
pub mod scenario;
pub mod schema;
pub mod server;
mod simulator;
pub mod task;
pub mod value;
pub mod vsphere;
pub mod wire;
pub mod xenapi;

pub use config::Config;
pub use simulator::{Simulator, StartError};
