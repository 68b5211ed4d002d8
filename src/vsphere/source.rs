//! What one caller sees at one moment: the snapshot, the objects of the
//! caller's session, and the few properties that are computed when read.

use std::sync::Arc;

use super::authorization::Access;
use super::call::Call;
use super::service::Service;
use super::session::Session;
use crate::collector::Source;
use crate::fault::Fault;
use crate::inventory::{Properties, Read, Snapshot};
use crate::schema::{Field, Version, ty};
use crate::value::{MoRef, Object};

/// A snapshot as a session sees it.
#[derive(Debug)]
pub struct SessionSource<'s> {
    service: &'s Service,
    snapshot: Arc<Snapshot>,
    session: Option<&'s Arc<Session>>,
    /// What the session may do, unless it may do everything.
    access: Option<Access>,
    touches: u64,
    version: Version,
    /// Whether what follows from alarms may be read.
    alarms: bool,
}

impl<'s> SessionSource<'s> {
    /// The latest state as `session` sees it; nobody's session sees what needs no login.
    pub fn new(service: &'s Service, session: Option<&'s Arc<Session>>) -> Self {
        let touches = service.touches();
        let snapshot = service.engine().snapshot();
        let access = session.and_then(|session| service.access(session, &snapshot));
        let version = Version::NEWEST;
        Self { service, snapshot, session, access, touches, version, alarms: true }
    }

    /// The latest state as the caller of `call` sees it.
    pub fn of(service: &'s Service, call: &'s Call) -> Self {
        Self { version: call.caller.version, ..Self::new(service, call.caller.session.as_ref()) }
    }

    /// The same for somebody who reads only what these filters name, and does
    /// not compare it with what is read later.
    pub(super) fn reading<'o>(mut self, mut filters: impl Iterator<Item = &'o Object>) -> Self {
        self.alarms = filters.any(super::alarm::are_read_by);
        self
    }

    /// An object of the session.
    fn own(&self, mo: &MoRef) -> Option<Object> {
        let object = self.session?.object(mo)?;
        Some(match &self.access {
            Some(access) => object.properties_for(&self.snapshot, access),
            None => object.properties(&self.snapshot),
        })
    }

    /// The snapshot below.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The properties of `mo`, as one sees them who may see everything.
    fn all(&self, mo: &MoRef) -> Option<Properties> {
        let Some(kept) = self.snapshot.properties(mo) else {
            return self.own(mo).map(Properties::Made);
        };
        if mo.ty().is_a(ty::ManagedEntity) {
            let service = self.service;
            let entity = super::task_manager::entity_properties(service, &self.snapshot, mo, kept);
            let entity = if self.alarms {
                let access = self.access.as_ref();
                super::alarm::entity_properties(access, &self.snapshot, mo, entity)
            } else {
                entity
            };
            return Some(super::custom_fields::shown(&self.snapshot, mo, entity));
        }
        let Properties::Made(stored) = kept else { return Some(kept.clone()) };
        let shown = if mo.ty() == ty::SessionManager {
            super::session_manager::properties(self.service, self.session, stored)
        } else if mo.ty() == ty::ServiceInstance {
            super::service_instance::properties(self.service, stored)
        } else if mo.ty() == ty::PropertyCollector {
            // The default collector is the session's own once it was used.
            self.own(mo).unwrap_or_else(|| stored.clone())
        } else if mo.ty() == ty::EventManager {
            super::events::manager::properties(
                self.service,
                self.access.as_ref(),
                &self.snapshot,
                stored,
            )
        } else if mo.ty() == ty::ViewManager {
            super::view::properties(self.session, stored)
        } else if mo.ty() == ty::TaskManager {
            super::task_manager::properties(self.service, &self.snapshot, stored)
        } else {
            stored.clone()
        };
        Some(Properties::Made(shown))
    }
}

impl Source for SessionSource<'_> {
    fn get(&self, mo: &MoRef) -> Option<Properties> {
        let all = self.all(mo)?;
        Some(match &self.access {
            Some(access) => access.show(mo, all),
            None => all,
        })
    }

    fn depends(&self, mo: &MoRef, add: &mut dyn FnMut(&MoRef)) {
        if let Some(object) = self.session.and_then(|session| session.object(mo)) {
            object.depends(&self.snapshot, add);
        }
    }

    fn speaks(&self) -> Version {
        self.version
    }

    fn version(&self) -> u64 {
        // Both only ever grow, so the sum changes with either.
        self.snapshot.version() + self.touches
    }

    fn may_read(&self, mo: &MoRef, property: Field) -> Result<(), Fault> {
        match (self.session, &self.access) {
            (Some(_), Some(access)) => access.may_read(mo, property),
            (Some(_), None) => Ok(()),
            (None, _) if property.privilege() == Some("System.Anonymous") => Ok(()),
            (None, _) => Err(Fault::not_authenticated(mo)),
        }
    }
}
