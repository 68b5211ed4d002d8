//! What one caller sees at one moment: the snapshot, the objects of the
//! caller's session, and the few properties that are computed when read.

use std::sync::Arc;

use super::authorization::Access;
use super::call::Call;
use super::service::Service;
use super::session::Session;
use crate::collector::{MayRead, Nobody, Slots, Source};
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
    access: Option<Arc<Access>>,
    touches: u64,
    version: Version,
}

impl<'s> SessionSource<'s> {
    /// The latest state as `session` sees it; nobody's session sees what needs no login.
    pub fn new(service: &'s Service, session: Option<&'s Arc<Session>>) -> Self {
        let touches = service.touches();
        let snapshot = service.engine().snapshot();
        let access = session.and_then(|session| service.access(session, &snapshot)).map(Arc::new);
        Self { service, snapshot, session, access, touches, version: Version::NEWEST }
    }

    /// The latest state as the caller of `call` sees it.
    pub fn of(service: &'s Service, call: &'s Call) -> Self {
        Self { version: call.caller.version, ..Self::new(service, call.caller.session.as_ref()) }
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

    /// The properties of `mo` in `slots`, as one sees them who may see everything.
    fn some(&self, mo: &MoRef, slots: Slots) -> Option<Properties> {
        let Some(kept) = self.snapshot.properties(mo) else {
            return self.own(mo).map(Properties::Made);
        };
        if mo.ty().is_a(ty::ManagedEntity) {
            let mut entity = kept.clone();
            if slots.has(const { ty::ManagedEntity.slot("recentTask") }) {
                let (service, state) = (self.service, &self.snapshot);
                entity = super::task_manager::entity_properties(service, state, mo, entity);
            }
            let access = self.access.as_deref();
            entity = super::alarm::entity_properties(access, &self.snapshot, mo, entity, slots);
            if slots.has(const { ty::ManagedEntity.slot("availableField") }) {
                entity = super::custom_fields::shown(&self.snapshot, mo, entity);
            }
            return Some(entity);
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
                self.access.as_deref(),
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

impl MayRead for Access {
    fn may_read(&self, mo: &MoRef, property: Field) -> Result<(), Fault> {
        Self::may_read(self, mo, property)
    }
}

impl Source for SessionSource<'_> {
    fn get(&self, mo: &MoRef) -> Option<Properties> {
        self.get_some(mo, Slots::ALL)
    }

    fn get_some(&self, mo: &MoRef, slots: Slots) -> Option<Properties> {
        let some = self.some(mo, slots)?;
        Some(match &self.access {
            Some(access) => access.show(mo, some),
            None => some,
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

    fn limits(&self) -> Option<Arc<dyn MayRead>> {
        match (self.session, &self.access) {
            (Some(_), Some(access)) => Some(access.clone()),
            (Some(_), None) => None,
            (None, _) => Some(Arc::new(Nobody)),
        }
    }

    fn may_read(&self, mo: &MoRef, property: Field) -> Result<(), Fault> {
        match (self.session, &self.access) {
            (Some(_), Some(access)) => access.may_read(mo, property),
            (Some(_), None) => Ok(()),
            (None, _) => Nobody.may_read(mo, property),
        }
    }
}
