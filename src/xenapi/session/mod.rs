//! Sessions of XenAPI, and the class `session`.
//!
//! ```text
//!   login_with_password ──► alive ──logout, idle for a day, ended elsewhere──► over
//! ```
//!
//! Behind each stands a session of the simulated server, so that whoever lists
//! those (`SessionManager.sessionList`) sees XenAPI's clients, too, and ends
//! them if need be. Its reference is the secret that a client shows with every
//! call; both encodings and all listeners know the same sessions.

mod class;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::message::Role;
use super::server::Server;
use crate::value::{DateTime, Str};
use crate::vsphere;

pub(super) use class::CLASS;

/// One login.
#[derive(Debug)]
pub struct Session {
    reference: Str,
    uuid: Str,
    originator: Str,
    inner: Arc<vsphere::Session>,
}

impl Session {
    /// A session that has begun.
    pub(super) fn new(
        reference: Str,
        uuid: Str,
        originator: Str,
        inner: Arc<vsphere::Session>,
    ) -> Self {
        Self { reference, uuid, originator, inner }
    }

    /// The reference, which opens everything.
    pub fn reference(&self) -> &Str {
        &self.reference
    }

    /// The UUID.
    pub fn uuid(&self) -> &Str {
        &self.uuid
    }

    /// What the client said it is.
    pub fn originator(&self) -> &Str {
        &self.originator
    }

    /// The name of the user.
    pub fn user(&self) -> &Str {
        &self.inner.user_name
    }

    /// The session of the simulated server behind this one.
    pub fn inner(&self) -> &Arc<vsphere::Session> {
        &self.inner
    }

    /// Whether the user may do everything.
    pub fn is_superuser(&self, server: &Server) -> bool {
        server.service().may_everything(&self.inner)
    }

    /// Who the user is to the rules of ownership: everybody who may do
    /// everything is the same local superuser, who has no identifier.
    pub fn subject(&self, server: &Server) -> Str {
        if self.is_superuser(server) { Str::new() } else { self.user().clone() }
    }

    /// What the user may do, by the privileges that the user has anywhere.
    pub fn role(&self, server: &Server) -> Role {
        if self.is_superuser(server) {
            return Role::PoolAdmin;
        }
        let has = |all: &[&str]| {
            all.iter().all(|privilege| server.service().may_somewhere(&self.inner, privilege))
        };
        if has(&["Authorization.ModifyPermissions", "Host.Config.Maintenance"]) {
            Role::PoolAdmin
        } else if has(&["Host.Config.Maintenance"]) {
            Role::PoolOperator
        } else if has(&["VirtualMachine.Inventory.Create", "Resource.AssignVMToPool"]) {
            Role::VmPowerAdmin
        } else if has(&["VirtualMachine.Inventory.CreateFromExisting"]) {
            Role::VmAdmin
        } else if has(&["VirtualMachine.Interact.PowerOn"]) {
            Role::VmOperator
        } else {
            Role::ReadOnly
        }
    }

    /// Whether the session is over.
    pub fn has_ended(&self) -> bool {
        self.inner.has_ended()
    }

    /// Waits until the session is over.
    pub async fn ended(&self) {
        self.inner.until_ended().await;
    }

    /// When the session began.
    pub fn login_time(&self) -> DateTime {
        self.inner.login_time
    }

    /// When the latest call arrived.
    pub fn last_active(&self) -> DateTime {
        self.inner.last_active()
    }
}

/// All sessions that are alive, by their references.
#[derive(Debug, Default)]
pub struct Sessions {
    by_reference: RwLock<HashMap<Str, Arc<Session>>>,
}

impl Sessions {
    /// Adds a session, and forgets those that are over.
    pub(super) fn add(&self, session: Arc<Session>) {
        let mut all = self.by_reference.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, session| !session.has_ended());
        all.insert(session.reference.clone(), session);
    }

    /// The session with the reference, if it has not ended.
    pub fn find(&self, reference: &str) -> Option<Arc<Session>> {
        let all = self.by_reference.read().unwrap_or_else(PoisonError::into_inner);
        all.get(reference).filter(|session| !session.has_ended()).cloned()
    }

    /// All sessions, oldest first.
    pub fn list(&self) -> Vec<Arc<Session>> {
        let all = self.by_reference.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> =
            all.values().filter(|session| !session.has_ended()).cloned().collect();
        list.sort_by(|a, b| (a.login_time(), &a.uuid).cmp(&(b.login_time(), &b.uuid)));
        list
    }
}
