//! [`Server`]: the state of the XenAPI front end of one simulator: who is
//! logged in, and the names of its objects.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::context::Origin;
use super::event::Hub;
use super::failure::Failure;
use super::message::Role;
use super::refs::Refs;
use super::session::{Session, Sessions};
use super::task::collect::Collector;
use crate::config::Config;
use crate::ids::Ids;
use crate::value::Str;
use crate::vsphere::Service;

/// What the seed of the simulator is mixed with, so that XenAPI's ids are not
/// those of vSphere, and taking one changes none of the others.
const OWN: u64 = 0x7865_6e61_7069;

/// The front end. It speaks for the simulated server as a pool of one.
#[derive(Debug)]
pub struct Server {
    service: Arc<Service>,
    catalogue: Catalogue,
    ids: Ids,
    refs: Refs,
    sessions: Sessions,
    events: Hub,
    collector: Collector,
}

impl Server {
    /// The front end of a simulated server.
    pub fn new(service: Arc<Service>) -> Arc<Self> {
        let ids = service.config().seed.map_or_else(Ids::random, |seed| Ids::seeded(seed ^ OWN));
        let refs = Refs::new(ids.bits());
        let server = Arc::new(Self {
            service,
            catalogue: Catalogue::new(),
            refs,
            ids,
            sessions: Sessions::default(),
            events: Hub::default(),
            collector: Collector::default(),
        });
        let weak = Arc::downgrade(&server);
        server.service.subscriptions().listen(Box::new(move || {
            if let Some(server) = weak.upgrade() {
                server.events.on_commit(&server);
            }
        }));
        server
    }

    /// The simulated server.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        self.service.config()
    }

    /// All messages.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The names of objects.
    pub fn refs(&self) -> &Refs {
        &self.refs
    }

    /// The source of ids.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Who waits for events.
    pub fn events(&self) -> &Hub {
        &self.events
    }

    /// What hides tasks whose time is over.
    pub(super) fn collector(&self) -> &Collector {
        &self.collector
    }

    /// Who is logged in.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The session that a client shows, unless it has been idle for too long.
    pub fn session(&self, reference: &str) -> Result<Arc<Session>, Failure> {
        let found = self.sessions.find(reference);
        // The service ends those that have been idle.
        let found = found.filter(|it| self.service.session(&it.inner().token).is_some());
        found.ok_or_else(|| Failure::session_invalid(reference))
    }

    /// Begins a session.
    pub(super) fn login(
        self: &Arc<Self>,
        user: &str,
        password: &str,
        originator: &str,
        origin: &Origin,
    ) -> Result<Arc<Session>, Failure> {
        let idle = self.config().xenapi.session_timeout;
        let inner = self.service.login(user, password, &origin.address, &origin.user_agent, idle);
        let inner = inner.map_err(|_| Failure::authentication_failed(user))?;
        let session = Arc::new(Session::new(
            Str::from(format!("OpaqueRef:{}", self.ids.uuid())),
            Str::from(self.ids.uuid().to_string()),
            Str::from(originator),
            inner,
        ));
        self.sessions.add(session.clone());
        self.watch_tasks();
        Ok(session)
    }

    /// The permissions that a role has: the messages that it may call.
    pub fn permissions(&self, role: Role) -> Vec<Str> {
        self.catalogue.permissions(role)
    }
}
