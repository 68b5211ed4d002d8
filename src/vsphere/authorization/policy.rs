//! Who may do what: roles, permissions, and the rules by which they add up.
//!
//! A user's privileges on an entity come from the nearest permissions above it:
//!
//! ```text
//!   permissions on the entity itself         any of them for the user or a
//!         │ none                             group of the user's decides
//!         ▼
//!   for each parent (a VM has two):          those that propagate decide
//!         │ none
//!         ▼
//!   the parent's parents …                   what several parents give is added
//! ```
//!
//! Among the permissions on one entity, the user's own counts and those for
//! groups do not; of several groups the privileges are added. The parts of a
//! complex entity (a datacenter's own folders, a root resource pool, the host
//! of a standalone compute resource) have the permissions of the whole, even
//! those that do not propagate, and none of their own.
//!
//! What no document says: a permission that does not propagate is no obstacle
//! to one from further up.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use imbl::OrdMap;
use smallvec::SmallVec;

use super::account::{Account, Directory};
use crate::inventory::Read;
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Str};
use crate::vsphere::containment;

/// The role that has every privilege.
pub(super) const ADMIN: i32 = -1;
/// The role of those who see an object only because of what is below it.
pub(super) const VIEW: i32 = -3;
/// The role of those who are not logged in.
pub(super) const ANONYMOUS: i32 = -4;

/// The numbers of roles; nearly always one.
pub type Roles = SmallVec<[i32; 2]>;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its number.
    pub id: i32,
    /// Its name.
    pub name: Str,
    /// Whether it came with the product, so that nobody can change it.
    pub system: bool,
    /// What it allows.
    pub privileges: BTreeSet<Str>,
}

impl Role {
    /// Whether the role allows `privilege`.
    pub fn allows(&self, privilege: &str) -> bool {
        self.id == ADMIN || self.privileges.contains(privilege)
    }
}

/// A role for a user or a group, on an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whose it is.
    pub who: Account,
    /// Whether that is a group.
    pub group: bool,
    /// The role.
    pub role: i32,
    /// Whether it counts below the entity too.
    pub propagate: bool,
}

impl Grant {
    /// Whether the grant is for the same user, or the same group.
    pub fn is_for(&self, who: &Account, group: bool) -> bool {
        self.group == group && self.who == *who
    }
}

/// All roles and permissions at one moment.
#[derive(Debug)]
pub struct Policy {
    /// The roles by number.
    pub roles: OrdMap<i32, Arc<Role>>,
    /// The permissions by entity.
    pub grants: OrdMap<MoRef, Arc<[Grant]>>,
    /// The users and groups.
    pub directory: Arc<Directory>,
    /// The root folder.
    pub root: MoRef,
    /// Whether everyone whom no permission names is an administrator.
    pub open: bool,
    restricts_nobody: bool,
    rights: Mutex<HashMap<Str, Option<Arc<Rights>>>>,
}

/// The users whose rights are remembered; beyond, they are worked out again.
const REMEMBERED: usize = 4_096;

impl Policy {
    /// A policy of these parts.
    pub fn new(
        roles: OrdMap<i32, Arc<Role>>,
        grants: OrdMap<MoRef, Arc<[Grant]>>,
        directory: Arc<Directory>,
        root: MoRef,
        open: bool,
    ) -> Self {
        let restricts_nobody =
            open && grants.values().flat_map(|grants| &**grants).all(|it| it.role == ADMIN);
        let rights = Mutex::default();
        Self { roles, grants, directory, root, open, restricts_nobody, rights }
    }

    /// Whether nobody is kept from anything.
    pub fn restricts_nobody(&self) -> bool {
        self.restricts_nobody
    }

    /// The role with this name, in any case.
    pub fn role_called(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.values().find(|role| role.name.eq_ignore_ascii_case(name))
    }

    /// What a user may do; nothing for one who may do everything.
    pub fn rights(&self, user: &str) -> Option<Arc<Rights>> {
        let account = self.directory.account(user);
        let mut known = self.rights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rights) = known.get(account.key()) {
            return rights.clone();
        }
        let rights = Rights::new(self, account.clone());
        let rights = (!rights.is_unlimited()).then(|| Arc::new(rights));
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(account.key().clone(), rights.clone());
        rights
    }
}

/// The roles that the permissions on one entity give to one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    /// On the entity.
    here: Roles,
    /// On what is below it.
    below: Roles,
}

/// What one user may do.
#[derive(Debug)]
pub struct Rights {
    user: Account,
    directory: Arc<Directory>,
    roles: OrdMap<i32, Arc<Role>>,
    root: MoRef,
    at: HashMap<MoRef, Held, foldhash::fast::FixedState>,
}

/// Of the grants for one user: the user's own, else all that groups give.
fn decide<'g>(grants: impl Iterator<Item = &'g Grant> + Clone) -> Roles {
    let own = grants.clone().find(|grant| !grant.group);
    let mut roles: Roles = match own {
        Some(own) => SmallVec::from_slice(&[own.role]),
        None => grants.map(|grant| grant.role).collect(),
    };
    roles.sort_unstable();
    roles.dedup();
    roles
}

impl Rights {
    fn new(policy: &Policy, user: Account) -> Self {
        let person = policy.directory.person(&user);
        let everyone = Grant { who: user.clone(), group: true, role: ADMIN, propagate: true };
        let concerns = |grant: &&Grant| {
            if grant.group {
                person.is_some_and(|person| person.groups.contains(grant.who.key()))
            } else {
                grant.who == user
            }
        };
        let mut at: HashMap<MoRef, Held, _> = HashMap::default();
        for (entity, grants) in &policy.grants {
            let open = policy.open && *entity == policy.root;
            let grants: Vec<&Grant> =
                grants.iter().filter(concerns).chain(open.then_some(&everyone)).collect();
            if !grants.is_empty() {
                let here = decide(grants.iter().copied());
                let below = decide(grants.iter().copied().filter(|grant| grant.propagate));
                at.insert(entity.clone(), Held { here, below });
            }
        }
        if policy.open {
            let all: Roles = SmallVec::from_slice(&[ADMIN]);
            at.entry(policy.root.clone()).or_insert_with(|| Held { here: all.clone(), below: all });
        }
        let directory = Arc::clone(&policy.directory);
        Self { roles: policy.roles.clone(), root: policy.root.clone(), at, user, directory }
    }

    /// Whether `name` is the user's.
    pub fn is_user(&self, name: &str) -> bool {
        self.directory.account(name) == self.user
    }

    /// The root folder.
    pub fn root(&self) -> &MoRef {
        &self.root
    }

    /// Whether the user has `privilege` on any entity.
    pub fn allow_anywhere(&self, privilege: &str) -> bool {
        self.at.values().any(|held| self.allow(&held.here, privilege))
    }

    /// Whether the user is an administrator of everything.
    fn is_unlimited(&self) -> bool {
        let admin = |roles: &Roles| roles.is_empty() || roles.contains(&ADMIN);
        self.at.get(&self.root).is_some_and(|held| held.below.contains(&ADMIN))
            && self.at.values().all(|held| admin(&held.here) && admin(&held.below))
    }

    /// The entities that have permissions for the user by which they are seen.
    pub fn seen(&self) -> impl Iterator<Item = &MoRef> {
        self.at.iter().filter(|(_, held)| self.allow(&held.here, "System.View")).map(|(mo, _)| mo)
    }

    /// Whether one of `roles` allows `privilege`.
    pub fn allow(&self, roles: &Roles, privilege: &str) -> bool {
        let role = |id| self.roles.get(id);
        roles.iter().filter_map(role).any(|role| role.allows(privilege))
    }

    /// All privileges of `roles`, in alphabetical order.
    pub fn privileges<'r>(&'r self, roles: &'r Roles) -> BTreeSet<&'r Str> {
        let role = |id| self.roles.get(id);
        roles.iter().filter_map(role).flat_map(|role| &role.privileges).collect()
    }

    /// The roles that the user has on `entity` by permissions; `memory` keeps
    /// what is found out of the way there.
    pub fn roles_on(
        &self,
        state: &(impl Read + ?Sized),
        entity: &MoRef,
        memory: &mut Memory,
    ) -> Roles {
        if let Some(whole) = whole(state, entity) {
            return self.roles_on(state, &whole, memory);
        }
        if let Some(held) = self.at.get(entity).filter(|held| !held.here.is_empty()) {
            return held.here.clone();
        }
        self.inherited(state, entity, memory, DEEPEST)
    }

    fn inherited(
        &self,
        state: &(impl Read + ?Sized),
        entity: &MoRef,
        memory: &mut Memory,
        depth: u32,
    ) -> Roles {
        let mut roles = Roles::new();
        for parent in parents(state, entity) {
            roles.extend(self.below(state, &parent, memory, depth));
        }
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// The roles that come from `entity` to what is below it.
    fn below(
        &self,
        state: &(impl Read + ?Sized),
        entity: &MoRef,
        memory: &mut Memory,
        depth: u32,
    ) -> Roles {
        // An inventory that was loaded from files may have a circle in it.
        let Some(depth) = depth.checked_sub(1) else { return Roles::new() };
        if let Some(roles) = memory.get(entity) {
            return roles.clone();
        }
        let held = self.at.get(entity).map(|held| &held.below).filter(|held| !held.is_empty());
        let roles = match held {
            Some(held) => held.clone(),
            None => self.inherited(state, entity, memory, depth),
        };
        memory.insert(entity.clone(), roles.clone());
        roles
    }
}

/// What comes from entities to those below them, as far as it was worked out.
pub type Memory = HashMap<MoRef, Roles, foldhash::fast::FixedState>;

/// What is nested deeper inherits nothing from further up: every walk must end.
const DEEPEST: u32 = 64;

/// The entities that `entity` inherits permissions from.
pub(super) fn parents(state: &(impl Read + ?Sized), entity: &MoRef) -> SmallVec<[MoRef; 2]> {
    let mut parents: SmallVec<[MoRef; 2]> =
        containment::parent(state, entity).into_iter().collect();
    let other = if entity.ty().is_a(ty::VirtualMachine) {
        state.moref(entity, path!(VirtualMachine, "resourcePool"))
    } else if entity.ty().is_a(ty::VirtualApp) {
        state.moref(entity, path!(VirtualApp, "parentFolder"))
    } else {
        None
    };
    parents.extend(other.filter(|other| !parents.contains(other)).cloned());
    parents
}

/// The complex entity whose permissions `entity` has, if it is part of one.
pub(super) fn whole(state: &(impl Read + ?Sized), entity: &MoRef) -> Option<MoRef> {
    let of = entity.ty();
    let may_be_part = of == ty::Folder || of == ty::ResourcePool || of == ty::HostSystem;
    let parent = containment::parent(state, entity).filter(|_| may_be_part)?;
    let is_part = if of == ty::Folder {
        parent.ty() == ty::Datacenter
    } else if of == ty::ResourcePool {
        parent.ty().is_a(ty::ComputeResource)
    } else {
        parent.ty() == ty::ComputeResource
    };
    is_part.then_some(parent)
}
