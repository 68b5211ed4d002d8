//! Questions about privileges: who holds which, and whether a caller does.

use std::sync::Arc;

use super::access::{Access, refuse};
use super::guard::Guard;
use super::policy::ADMIN;
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::object;
use crate::schema::ty;
use crate::value::{Array, MoRef, Object, Str, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::Answer;
use crate::vsphere::service::Service;

/// Who is asked about.
enum Holder {
    /// Nobody who is known.
    Nobody,
    /// One who may do everything.
    Admin,
    /// One who may not.
    Limited(Access),
}

impl Holder {
    fn of(access: Option<Access>) -> Self {
        access.map_or(Self::Admin, Self::Limited)
    }

    /// Whether the holder has a privilege on `mo`; on what is not an entity the
    /// root folder decides.
    fn has(&self, mo: &MoRef, privilege: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::Admin => true,
            Self::Limited(access) => access.allows(&place(mo), privilege),
        }
    }
}

fn place(mo: &MoRef) -> Guard {
    if mo.ty().is_a(ty::ManagedEntity) { Guard::Entity(mo.clone()) } else { Guard::Server }
}

/// Holds a caller to what may be given away: only what the caller has.
pub(super) fn must_hold<'p>(
    service: &Service,
    call: &Call,
    on: &MoRef,
    privileges: impl IntoIterator<Item = &'p Str>,
) -> Result<(), Fault> {
    let Some(access) = service.access(call.session()?, &service.engine().snapshot()) else {
        return Ok(());
    };
    let guard = access.guard(on);
    let lacking: Vec<(&MoRef, &str)> = privileges
        .into_iter()
        .filter(|privilege| !access.allows(&guard, privilege))
        .map(|privilege| (on, privilege.as_str()))
        .collect();
    refuse(&lacking)
}

/// These methods are vCenter's alone.
fn on_vcenter(service: &Service) -> Result<(), Fault> {
    if service.config().esx { Err(Fault::not_supported()) } else { Ok(()) }
}

fn session_holder(service: &Service, snapshot: &Arc<Snapshot>, key: &str) -> Holder {
    match service.sessions().by_key(key) {
        Some(session) => Holder::of(service.access(&session, snapshot)),
        None => Holder::Nobody,
    }
}

fn user_holder(service: &Service, snapshot: &Arc<Snapshot>, user: &str) -> Holder {
    let rights = service.authorization().rights(user);
    Holder::of(rights.map(|rights| Access::new(rights, Arc::clone(snapshot))))
}

fn texts(call: &Call, slot: usize) -> Vec<&str> {
    call.get(slot).map(Value::items).unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

fn existing<'c>(snapshot: &Snapshot, call: &'c Call, slot: usize) -> Result<Vec<&'c MoRef>, Fault> {
    let named = call.required(slot)?;
    let all = named.as_moref().into_iter().chain(named.morefs());
    all.map(|mo| if snapshot.exists(mo) { Ok(mo) } else { Err(Fault::not_found(mo)) }).collect()
}

pub(super) fn of_session(service: &Service, call: &Call) -> Answer {
    on_vcenter(service)?;
    let snapshot = service.engine().snapshot();
    let entities = existing(&snapshot, call, arg!(HasPrivilegeOnEntity.entity))?;
    let holder =
        session_holder(service, &snapshot, call.text(arg!(HasPrivilegeOnEntity.sessionId)));
    let asked = texts(call, arg!(HasPrivilegeOnEntity.privId));
    let answers = entities
        .into_iter()
        .flat_map(|mo| asked.iter().map(|id| Value::from(holder.has(mo, id))).collect::<Vec<_>>());
    Ok(Some(Value::Array(Array::new(ty::BOOLEAN, answers.collect()))))
}

pub(super) fn of_session_on_all(service: &Service, call: &Call) -> Answer {
    on_vcenter(service)?;
    let snapshot = service.engine().snapshot();
    let entities = existing(&snapshot, call, arg!(HasPrivilegeOnEntities.entity))?;
    let holder =
        session_holder(service, &snapshot, call.text(arg!(HasPrivilegeOnEntities.sessionId)));
    Ok(Some(availability(&holder, &entities, &texts(call, arg!(HasPrivilegeOnEntities.privId)))))
}

pub(super) fn of_user(service: &Service, call: &Call) -> Answer {
    on_vcenter(service)?;
    let snapshot = service.engine().snapshot();
    let entities = existing(&snapshot, call, arg!(HasUserPrivilegeOnEntities.entities))?;
    // The reply can only name entities of the inventory.
    if !entities.iter().all(|mo| mo.ty().is_a(ty::ManagedEntity)) {
        return Err(Fault::invalid_argument("entities"));
    }
    let user = call.text(arg!(HasUserPrivilegeOnEntities.userName));
    let holder = user_holder(service, &snapshot, user);
    let asked = texts(call, arg!(HasUserPrivilegeOnEntities.privId));
    Ok(Some(availability(&holder, &entities, &asked)))
}

fn availability(holder: &Holder, entities: &[&MoRef], asked: &[&str]) -> Value {
    let of_entity = |mo: &&MoRef| {
        let each: Vec<Object> = asked
            .iter()
            .map(|id| object!(PrivilegeAvailability { privId: *id, isGranted: holder.has(mo, id) }))
            .collect();
        Value::Object(object!(EntityPrivilege { entity: *mo, privAvailability: each }))
    };
    Value::Array(Array::new(ty::EntityPrivilege, entities.iter().map(of_entity).collect()))
}

pub(super) fn all_of_user(service: &Service, call: &Call) -> Answer {
    on_vcenter(service)?;
    let snapshot = service.engine().snapshot();
    let entities = existing(&snapshot, call, arg!(FetchUserPrivilegeOnEntities.entities))?;
    let user = call.text(arg!(FetchUserPrivilegeOnEntities.userName));
    let holder = user_holder(service, &snapshot, user);
    let policy = service.authorization().policy();
    let of_entity = |mo: &MoRef| {
        let held: Vec<Str> = match &holder {
            Holder::Nobody => Vec::new(),
            Holder::Admin => policy
                .roles
                .get(&ADMIN)
                .map(|role| role.privileges.iter().cloned().collect())
                .unwrap_or_default(),
            Holder::Limited(access) => {
                let entity = match place(mo) {
                    Guard::Entity(entity) => entity,
                    Guard::Server | Guard::Own => policy.root.clone(),
                };
                let roles = access.roles(&entity);
                access.rights().privileges(&roles).into_iter().cloned().collect()
            }
        };
        Value::Object(object!(UserPrivilegeResult { entity: mo, privileges: held }))
    };
    let results = entities.into_iter().map(of_entity).collect();
    Ok(Some(Value::Array(Array::new(ty::UserPrivilegeResult, results))))
}
