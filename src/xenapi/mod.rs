//! XenAPI: what its classes and messages mean, on the inventory and the tasks
//! of the simulated server. Nothing here knows an encoding; that is
//! `wire::xenapi`.
//!
//! ```text
//!   Request ──► dispatch: name, count, types, session, role
//!                 │ getter          │ Now         │ Wait          │ Work
//!                 ▼                 ▼             ▼               ▼
//!               Class, View      commit        sleep, woken    a task of the engine:
//!               (a snapshot)                   by commits      the same that vSphere's
//!                                                              clients see
//! ```
//!
//! One simulated server is a pool; its hosts, machines and tasks are the same
//! objects that vSphere's clients see, under references of their own.
//!
//! - [`value`]: what travels; [`failure`]: what goes wrong
//! - [`message`], [`class`]: how calls and objects are described; [`catalogue`] joins them
//! - [`dispatch`]: from a request to its answer; [`context`]: who calls
//! - [`view`]: one state of everything; [`refs`]: references and UUIDs
//! - [`own`]: what only XenAPI knows of objects; [`power`]: power states
//! - [`work`]: tasks that do what a message asks for; [`mark`]: what only XenAPI knows of a task
//! - one file or folder for each class
//!
//! Whoever is logged in reads everything, as in the real product; what changes
//! something needs a role (derived from the user's privileges) and, on machines
//! and hosts, the privileges that vSphere asks for.

pub mod catalogue;
pub mod class;
pub mod context;
pub mod dispatch;
pub mod event;
pub mod failure;
pub mod filter;
mod host;
pub mod mark;
pub mod message;
pub mod own;
mod pool;
pub mod power;
pub mod refs;
pub mod server;
pub mod session;
pub mod task;
pub mod value;
pub mod view;
pub mod vm;
pub mod work;

pub use context::{Context, Origin};
pub use dispatch::Request;
pub use failure::Failure;
pub use server::Server;
pub use value::Value;

use crate::schema::{self, ty};

/// All classes.
static CLASSES: &[&class::Class] =
    &[&event::CLASS, &host::CLASS, &pool::CLASS, &session::CLASS, &task::CLASS, &vm::CLASS];

/// All classes that are served.
pub fn classes() -> &'static [&'static class::Class] {
    CLASSES
}

/// The name of the class whose objects a managed object type stands for; empty
/// if XenAPI does not know it.
pub fn class_of(of: schema::Type) -> &'static str {
    if of == ty::Task {
        "task"
    } else if of.is_a(ty::VirtualMachine) {
        "VM"
    } else if of.is_a(ty::HostSystem) {
        "host"
    } else if of == ty::ServiceInstance {
        "pool"
    } else {
        ""
    }
}

/// The class with this name; the empty name has none.
pub fn class_named(name: &str) -> Option<&'static class::Class> {
    CLASSES.iter().copied().find(|class| class.name == name)
}

/// The class with this name, in capitals or not.
pub fn class_named_any(name: &str) -> Option<&'static class::Class> {
    CLASSES.iter().copied().find(|class| class.name.eq_ignore_ascii_case(name))
}
