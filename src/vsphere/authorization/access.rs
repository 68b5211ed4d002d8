//! What one restricted caller may do at one moment.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::guard::{Guard, guard, guard_of_task};
use super::policy::{Memory, Rights, Roles, VIEW, parents, whole};
use crate::fault::Fault;
use crate::inventory::{Properties, Read, Snapshot};
use crate::object;
use crate::schema::{Field, Kind, ty};
use crate::task::TaskRecord;
use crate::value::{MoRef, Object, Value};

type Hasher = foldhash::fast::FixedState;

/// A caller who may not do everything, and the state that the caller looks at.
#[derive(Debug)]
pub struct Access {
    rights: Arc<Rights>,
    state: Arc<Snapshot>,
    memory: Mutex<Known>,
    above: OnceLock<HashSet<MoRef, Hasher>>,
}

/// What was worked out in this state.
#[derive(Debug, Default)]
struct Known {
    inherited: Memory,
    roles: HashMap<MoRef, Roles, Hasher>,
}

/// A privilege on something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Where it is asked for.
    pub on: Guard,
    /// Which.
    pub privilege: &'static str,
}

impl Access {
    /// What the holder of `rights` may do in `state`.
    pub fn new(rights: Arc<Rights>, state: Arc<Snapshot>) -> Self {
        Self { rights, state, memory: Mutex::default(), above: OnceLock::new() }
    }

    /// The state looked at.
    pub fn state(&self) -> &Snapshot {
        &self.state
    }

    /// The rights by themselves.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// The roles that the caller has on an entity. One that stands above
    /// something that the caller sees is seen itself: it is held in the role
    /// `View`, unless there is a permission that says otherwise.
    pub fn roles(&self, entity: &MoRef) -> Roles {
        let mut known = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roles) = known.roles.get(entity) {
            return roles.clone();
        }
        let mut roles = self.rights.roles_on(&*self.state, entity, &mut known.inherited);
        let is_above = |mo: &MoRef| self.above().contains(mo);
        if roles.is_empty()
            && (is_above(entity) || whole(&*self.state, entity).is_some_and(|mo| is_above(&mo)))
        {
            roles.push(VIEW);
        }
        known.roles.insert(entity.clone(), roles.clone());
        roles
    }

    /// What stands above the entities on which the caller has permissions.
    fn above(&self) -> &HashSet<MoRef, Hasher> {
        self.above.get_or_init(|| {
            let mut above: HashSet<MoRef, Hasher> = HashSet::default();
            let mut open: Vec<MoRef> =
                self.rights.seen().filter(|mo| self.state.exists(mo)).cloned().collect();
            while let Some(mo) = open.pop() {
                let further = parents(&*self.state, &mo);
                open.extend(further.into_iter().filter(|parent| above.insert(parent.clone())));
            }
            above
        })
    }

    /// Whether the caller sees anything at all.
    pub fn sees_anything(&self) -> bool {
        self.rights.seen().any(|mo| self.state.exists(mo))
    }

    /// What guards `mo` against this caller.
    pub fn guard(&self, mo: &MoRef) -> Guard {
        guard(&self.state, self.rights.root(), mo, |name| self.is_caller(name))
    }

    /// Whether `name` is the caller's.
    pub fn is_caller(&self, name: &str) -> bool {
        self.rights.is_user(name)
    }

    /// Whether the caller has a privilege.
    pub fn has(&self, need: &Need) -> bool {
        self.allows(&need.on, need.privilege)
    }

    /// Whether the caller has `privilege` on what `on` says. Whoever is logged
    /// in may see that there is a server.
    pub fn allows(&self, on: &Guard, privilege: &str) -> bool {
        match on {
            _ if privilege == "System.Anonymous" => true,
            Guard::Own => true,
            Guard::Entity(entity) => self.rights.allow(&self.roles(entity), privilege),
            Guard::Server => {
                privilege == "System.View"
                    || self.rights.allow(&self.roles(self.rights.root()), privilege)
            }
        }
    }

    /// Whether the caller has `privilege` on `mo`, or on what guards it.
    pub fn may(&self, mo: &MoRef, privilege: &str) -> bool {
        self.allows(&self.guard(mo), privilege)
    }

    /// Whether the caller sees `mo`.
    pub fn sees(&self, mo: &MoRef) -> bool {
        self.may(mo, "System.View")
    }

    /// Whether the caller may read about a task, even if only history knows it.
    pub fn may_read_task(&self, task: &TaskRecord) -> bool {
        let guard =
            guard_of_task(&self.state, self.rights.root(), task, |name| self.is_caller(name));
        self.allows(&guard, "System.Read")
    }

    /// Says which of `needs` the caller lacks, if any.
    pub fn demand(&self, needs: &[Need]) -> Result<(), Fault> {
        let lacking: Vec<(&MoRef, &'static str)> = needs
            .iter()
            .filter(|need| !self.has(need))
            .map(|need| (self.place(&need.on), need.privilege))
            .collect();
        refuse(&lacking)
    }

    fn place<'a>(&'a self, on: &'a Guard) -> &'a MoRef {
        if let Guard::Entity(entity) = on { entity } else { self.rights.root() }
    }

    /// Whether the caller may read a property of `mo`. One without a privilege
    /// of its own needs `System.Read` where an entity guards the object.
    pub fn may_read(&self, mo: &MoRef, property: Field) -> Result<(), Fault> {
        let declared = property.privilege();
        if declared == Some("System.Anonymous") {
            return Ok(());
        }
        let on = self.guard(mo);
        let privilege = match (declared, &on) {
            (Some(privilege), _) => privilege,
            (None, Guard::Entity(_)) => "System.Read",
            (None, Guard::Server | Guard::Own) => return Ok(()),
        };
        self.demand(&[Need { on, privilege }])
    }

    /// The properties of `mo` as the caller sees them: lists name only what the
    /// caller sees, and the effective role is the caller's.
    pub fn show(&self, mo: &MoRef, stored: Properties) -> Properties {
        let mut shown = stored;
        for (slot, field) in shown.ty().fields().iter().enumerate() {
            if !field.is_array() || field.ty().kind() != Kind::Managed {
                continue;
            }
            let Some(Value::Array(list)) = shown.get(slot) else { continue };
            if list.iter().filter_map(Value::as_moref).all(|mo| self.sees(mo)) {
                continue;
            }
            let seen = list.without(|item| item.as_moref().is_some_and(|mo| !self.sees(mo)));
            shown = shown.with(slot, seen);
        }
        if mo.ty().is_a(ty::ManagedEntity) {
            let slot = const { ty::ManagedEntity.slot("effectiveRole") };
            let roles = self.roles(mo).to_vec();
            shown = shown.with(slot, roles);
        }
        shown
    }
}

/// The fault for privileges that are lacking: it names the first of them, and
/// all to clients that know how to read that.
pub(super) fn refuse(lacking: &[(&MoRef, &str)]) -> Result<(), Fault> {
    let Some((object, privilege)) = lacking.first() else { return Ok(()) };
    let mut by_entity: Vec<(&MoRef, Vec<&str>)> = Vec::new();
    for (entity, privilege) in lacking {
        match by_entity.iter_mut().find(|(known, _)| known == entity) {
            Some((_, privileges)) if privileges.contains(privilege) => {}
            Some((_, privileges)) => privileges.push(privilege),
            None => by_entity.push((entity, vec![privilege])),
        }
    }
    let missing: Vec<Object> = by_entity
        .into_iter()
        .map(|(entity, privileges)| {
            object!(NoPermissionEntityPrivileges { entity: entity, privilegeIds: privileges })
        })
        .collect();
    Err(Fault::new(
        object!(NoPermission {
            object: *object,
            privilegeId: *privilege,
            missingPrivileges: missing,
        }),
        "Permission to perform this operation was denied.",
    ))
}
