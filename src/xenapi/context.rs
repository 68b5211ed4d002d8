//! [`Context`]: everything a message is told besides its arguments.

use std::sync::Arc;

use super::failure::Failure;
use super::message::Role;
use super::server::Server;
use super::session::Session;
use super::view::View;
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::value::{MoRef, Str};

/// What the transport knows of a call.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's network address.
    pub address: Str,
    /// What the client says it is.
    pub user_agent: Str,
    /// What goes into `other_config` of the task that the call makes.
    pub other_config: Vec<(Str, Str)>,
    /// The reference to the task that is to be above the call's task.
    pub subtask_of: Option<Str>,
}

/// Who calls what.
#[derive(Debug)]
pub struct Context<'a> {
    /// The front end.
    pub server: &'a Arc<Server>,
    /// The name of the message, without `Async.`: `VM.start`.
    pub name: &'a str,
    /// Whether the asynchronous form was called.
    pub is_async: bool,
    /// The caller's session; the login has none.
    pub session: Option<Arc<Session>>,
    /// What the transport knows.
    pub origin: &'a Origin,
}

impl<'a> Context<'a> {
    /// The session. Messages that need one are not called without.
    pub fn session(&self) -> Result<&Arc<Session>, Failure> {
        self.session.as_ref().ok_or_else(|| Failure::session_invalid(""))
    }

    /// The latest state.
    pub fn view(&self) -> View<'a> {
        View::new(self.server)
    }

    /// The name on the wire: `Async.VM.start`.
    pub fn wire_name(&self) -> String {
        if self.is_async { format!("Async.{}", self.name) } else { self.name.to_owned() }
    }

    /// What the caller may do.
    pub fn role(&self) -> Role {
        self.session.as_ref().map_or(Role::ReadOnly, |session| session.role(self.server))
    }

    /// Fails unless the caller has the role; `permission` is what the failure
    /// names.
    pub fn require(&self, permission: &str, role: Role) -> Result<(), Failure> {
        if self.role() >= role {
            return Ok(());
        }
        let able: Vec<&str> =
            Role::ALL.iter().filter(|able| **able >= role).map(|able| able.name()).collect();
        Err(Failure::permission_denied(
            &permission.to_ascii_lowercase(),
            &format!(
                "No permission in user session. (Roles with this permission: {})",
                able.join(", ")
            ),
        ))
    }

    /// Runs `change` for the caller; see [`crate::engine::Engine::commit`].
    pub fn commit<T>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Failure> {
        let engine = self.server.service().engine();
        let done = engine.commit(|tx| {
            tx.act_for(self.session.as_ref().map(|session| session.user()));
            change(tx)
        });
        done.map_err(|fault| self.failure(&fault))
    }

    /// A fault in the terms of XenAPI.
    pub fn failure(&self, fault: &Fault) -> Failure {
        let refs = self.server.refs();
        Failure::of(fault, &|mo: &MoRef| (super::class_of(mo.ty()), refs.reference(mo)))
    }

    /// Whether an object is there.
    pub fn exists(&self, mo: &MoRef) -> bool {
        self.server.service().engine().snapshot().exists(mo)
    }
}
