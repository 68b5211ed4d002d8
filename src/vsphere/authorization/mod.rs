//! `AuthorizationManager`: roles, permissions, and whether a call may be made.
//!
//! ```text
//!   config, roleList, permissions ──► Policy ──► Rights of a user ──► Access: the
//!        (changed by methods)                 nothing for who may do all     rights
//!                                                                      in a snapshot
//!   call ──► needs ──► Access::demand ──► NoPermission, or on to the method
//!   read ──► Access::may_read ──► missingSet;  Access::show ──► what lists name
//! ```
//!
//! - `account`: users, groups and their names
//! - `policy`: roles, permissions and the rules by which they add up
//! - `guard`: which entity an object's privileges are asked for on
//! - `access`: one caller in one state
//! - `needs`, `machine`: what a call needs
//! - `roles`, `permissions`, `privileges`: the methods
//! - `told`: the events that changes are told by
//!
//! Without a configuration everyone is an administrator whom no permission
//! says otherwise of, and checks cost one look at the policy. An entity that a
//! caller must not see (no `System.View`) is left out of every list of
//! references that is a property of its own (`childEntity`, `vm`, `recentTask`,
//! a view's `view`), is not found by `SearchIndex`, and is not reached by
//! traversals; whoever knows its reference gets `NoPermission` from methods and
//! for each of its properties. A filter learns of changed permissions at once,
//! but of an entity that came into view because its ancestors moved only with
//! the next change of the entity.

mod access;
mod account;
mod guard;
mod machine;
mod needs;
mod permissions;
mod policy;
mod privileges;
mod roles;
mod told;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use imbl::OrdMap;

pub use access::{Access, Need};
pub use account::{Account, Directory, Person};
pub use guard::Guard;
pub(super) use guard::host_of;
pub use policy::{Grant, Memory, Policy, Rights, Role, Roles};

use super::call::Call;
use super::containment;
use super::dispatch::{Entry, Handler};
use super::service::Service;
use crate::config::{self, Config};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot, Store, Transaction};
use crate::object;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Str, Value};

#[rustfmt::skip]
pub(super) const METHODS: &[Entry] = &[
    (ty::AuthorizationManager, method::AddAuthorizationRole, Handler::Now(roles::add)),
    (ty::AuthorizationManager, method::RemoveAuthorizationRole, Handler::Now(roles::remove)),
    (ty::AuthorizationManager, method::UpdateAuthorizationRole, Handler::Now(roles::update)),
    (ty::AuthorizationManager, method::MergePermissions, Handler::Now(permissions::merge)),
    (ty::AuthorizationManager, method::RetrieveRolePermissions, Handler::Now(permissions::of_role)),
    (ty::AuthorizationManager, method::RetrieveEntityPermissions, Handler::Now(permissions::of_entity)),
    (ty::AuthorizationManager, method::RetrieveAllPermissions, Handler::Now(permissions::all)),
    (ty::AuthorizationManager, method::SetEntityPermissions, Handler::Now(permissions::set)),
    (ty::AuthorizationManager, method::ResetEntityPermissions, Handler::Now(permissions::reset)),
    (ty::AuthorizationManager, method::RemoveEntityPermission, Handler::Now(permissions::remove)),
    (ty::AuthorizationManager, method::HasPrivilegeOnEntity, Handler::Now(privileges::of_session)),
    (ty::AuthorizationManager, method::HasPrivilegeOnEntities, Handler::Now(privileges::of_session_on_all)),
    (ty::AuthorizationManager, method::HasUserPrivilegeOnEntities, Handler::Now(privileges::of_user)),
    (ty::AuthorizationManager, method::FetchUserPrivilegeOnEntities, Handler::Now(privileges::all_of_user)),
];

/// Who may do what, on one server.
#[derive(Debug)]
pub struct Authorization {
    manager: MoRef,
    policy: ArcSwap<Policy>,
    /// The privileges that there are.
    known: BTreeSet<Str>,
    /// Changes of the policy come one after the other.
    change: Mutex<()>,
}

impl Authorization {
    /// Reads the roles from the inventory and the rest from the settings.
    pub(super) fn new(config: &Config, store: &Store, root: &MoRef) -> Result<Self, Fault> {
        let snapshot = store.snapshot();
        let service = MoRef::new(ty::ServiceInstance, "ServiceInstance");
        let manager = snapshot
            .moref(&service, path!(ServiceInstance, "content.authorizationManager"))
            .cloned()
            .unwrap_or_else(|| MoRef::new(ty::AuthorizationManager, "AuthorizationManager"));
        let list = |path| snapshot.at(&manager, path).map(Value::items).unwrap_or_default();
        let known = list(path!(AuthorizationManager, "privilegeList"))
            .iter()
            .filter_map(Value::as_object)
            .filter_map(|it| it.at(path!(AuthorizationPrivilege, "privId")).and_then(Value::as_str))
            .map(Str::from)
            .collect();
        let roles = list(path!(AuthorizationManager, "roleList"))
            .iter()
            .filter_map(|role| roles::read(role.as_object()?))
            .map(|role| (role.id, Arc::new(role)))
            .collect();
        let mut directory = Directory::new(config.esx, config.login.username.as_deref());
        if let Some(access) = &config.access {
            directory.extend(access);
        }
        let open = config.access.is_none();
        let policy = Policy::new(roles, OrdMap::new(), Arc::new(directory), root.clone(), open);
        let new = Self {
            manager,
            policy: ArcSwap::from_pointee(policy),
            known,
            change: Mutex::default(),
        };
        let draft = new.first(config, &snapshot)?;
        let policy = new.policy.load_full();
        store.commit(|tx| new.write(tx, &policy, &draft))?;
        new.publish(&policy, draft);
        Ok(new)
    }

    /// Goes back to other roles and permissions, whose objects are those of the
    /// inventory already.
    pub(super) fn set_policy(&self, policy: &Arc<Policy>) {
        let _change = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        self.policy.store(Arc::clone(policy));
    }

    /// The roles and permissions that there are from the start.
    fn first(&self, config: &Config, snapshot: &Snapshot) -> Result<Draft, Fault> {
        let policy = self.policy.load();
        let mut draft = Draft::of(&policy);
        let directory = &policy.directory;
        let admin = |name: &str, group| Grant {
            who: directory.account(name),
            group,
            role: policy::ADMIN,
            propagate: true,
        };
        let mut first = if config.esx {
            vec![admin("dcui", false), admin("root", false), admin("vpxuser", false)]
        } else {
            vec![admin("Administrator", false), admin("Administrators", true)]
        };
        first.extend(config.login.username.as_deref().map(|name| admin(name, false)));
        for grant in first {
            draft.set(&policy.root, grant);
        }
        let Some(access) = &config.access else { return Ok(draft) };
        for (name, privileges) in &access.roles {
            self.first_role(name, privileges, &mut draft)?;
        }
        for permission in &access.permissions {
            let (entity, grant) = self.first_grant(permission, snapshot, &draft)?;
            draft.set(&entity, grant);
        }
        Ok(draft)
    }

    fn first_role(&self, name: &str, wanted: &[String], draft: &mut Draft) -> Result<(), Fault> {
        if draft.role_called(name).is_some() {
            return Err(unusable(&format!("there is a role {name} already")));
        }
        let mut privileges = Vec::new();
        for wanted in wanted {
            let prefix = wanted.strip_suffix('*');
            let fits = |id: &&Str| match prefix {
                Some(prefix) => id.starts_with(prefix),
                None => id.as_str() == wanted,
            };
            let before = privileges.len();
            privileges.extend(self.known.iter().filter(fits).cloned());
            if privileges.len() == before {
                return Err(unusable(&format!("role {name}: there is no privilege {wanted}")));
            }
        }
        draft.add_role(name, privileges);
        Ok(())
    }

    fn first_grant(
        &self,
        permission: &config::Permission,
        snapshot: &Snapshot,
        draft: &Draft,
    ) -> Result<(MoRef, Grant), Fault> {
        let policy = self.policy.load();
        let role = draft
            .role_called(&permission.role)
            .ok_or_else(|| unusable(&format!("there is no role {}", permission.role)))?;
        if matches!(role.id, policy::VIEW | policy::ANONYMOUS) {
            return Err(unusable(&format!("the role {} cannot be given", role.name)));
        }
        let names = permission.entity.split('/').filter(|name| !name.is_empty());
        let mut entity = policy.root.clone();
        for name in names {
            entity = containment::children(snapshot, &entity)
                .into_iter()
                .find(|mo| {
                    let held = snapshot.text(mo, path!(ManagedEntity, "name"));
                    held == name || held == containment::escape(name)
                })
                .ok_or_else(|| unusable(&format!("there is no entity {}", permission.entity)))?;
        }
        if policy::whole(snapshot, &entity).is_some() {
            return Err(unusable(&format!(
                "{} has the permissions of what it is part of",
                permission.entity
            )));
        }
        let name = permission.user.as_deref().or(permission.group.as_deref()).unwrap_or_default();
        let who = policy.directory.account(name);
        if permission.user.is_some() && policy.directory.person(&who).is_none() {
            return Err(unusable(&format!("there is no user {name}")));
        }
        let grant = Grant {
            who,
            group: permission.group.is_some(),
            role: role.id,
            propagate: permission.propagate,
        };
        Ok((entity, grant))
    }

    /// The roles and permissions as they are.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Whether there is such a privilege.
    fn knows(&self, privilege: &str) -> bool {
        self.known.contains(privilege)
    }

    /// Whether nobody is kept from anything.
    fn restricts_nobody(&self) -> bool {
        self.policy.load().restricts_nobody()
    }

    /// What a user may do; nothing for one who may do everything.
    pub fn rights(&self, user: &str) -> Option<Arc<Rights>> {
        if self.restricts_nobody() { None } else { self.policy.load().rights(user) }
    }

    /// The name in full of a user, or the name if that is all there is.
    pub(super) fn full_name(&self, user: &str) -> Str {
        let directory = &self.policy.load().directory;
        let person = directory.person(&directory.account(user));
        let known = person.map(|person| &person.full_name).filter(|name| !name.is_empty());
        known.cloned().unwrap_or_else(|| Str::from(user))
    }

    /// Whether a user may log in with a password.
    pub(super) fn accepts(&self, config: &Config, user: &str, password: &str) -> bool {
        let policy = self.policy.load();
        if policy.open || config.login.username.is_some() && config.login.accepts(user, password) {
            return config.login.accepts(user, password);
        }
        let account = policy.directory.account(user);
        let listed = config.access.as_ref().is_some_and(|access| {
            access.users.keys().any(|name| policy.directory.account(name) == account)
        });
        listed && policy.directory.person(&account).is_some_and(|it| it.has_password(password))
    }

    /// Makes changes of roles and permissions: the inventory first, then what
    /// is checked. Fails when nobody would be an administrator afterwards.
    fn change<T>(
        &self,
        service: &Service,
        call: &Call,
        edit: impl FnOnce(&Policy, &mut Draft) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let guard = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = self.policy.load_full();
        let mut draft = Draft::of(&policy);
        let result = edit(&policy, &mut draft)?;
        let root = draft.grants.get(&policy.root).map(|grants| &**grants).unwrap_or_default();
        if !root.iter().any(|grant| grant.role == policy::ADMIN) {
            return Err(Fault::of(
                ty::AuthMinimumAdminPermission,
                "There would be no administrator on the root folder.",
            ));
        }
        service.commit(call, |tx| {
            self.write(tx, &policy, &draft)?;
            told::changes(tx, &policy, &draft);
            Ok(())
        })?;
        self.publish(&policy, draft);
        drop(guard);
        service.touch_all();
        Ok(result)
    }

    /// Writes what differs from `before` into the inventory.
    fn write(&self, tx: &mut Transaction, before: &Policy, draft: &Draft) -> Result<(), Fault> {
        if before.roles != draft.roles && tx.exists(&self.manager) {
            let list: Vec<Object> = draft.roles.values().map(|role| roles::show(role)).collect();
            tx.set(
                &self.manager,
                path!(AuthorizationManager, "roleList"),
                roles::in_order(tx, &self.manager, list),
            )?;
        }
        for entity in &draft.touched {
            if tx.exists(entity) {
                tx.set(entity, path!(ManagedEntity, "permission"), draft.shown(entity))?;
            }
        }
        Ok(())
    }

    fn publish(&self, before: &Policy, draft: Draft) {
        let directory = Arc::clone(&before.directory);
        let root = before.root.clone();
        let policy = Policy::new(draft.roles, draft.grants, directory, root, before.open);
        self.policy.store(Arc::new(policy));
    }
}

fn unusable(reason: &str) -> Fault {
    Fault::system_error(&format!("users: {reason}"))
}

/// Roles and permissions in the making.
#[derive(Debug)]
struct Draft {
    roles: OrdMap<i32, Arc<Role>>,
    grants: OrdMap<MoRef, Arc<[Grant]>>,
    touched: BTreeSet<MoRef>,
}

impl Draft {
    fn of(policy: &Policy) -> Self {
        Self {
            roles: policy.roles.clone(),
            grants: policy.grants.clone(),
            touched: BTreeSet::new(),
        }
    }

    fn role_called(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.values().find(|role| role.name.eq_ignore_ascii_case(name))
    }

    /// Adds a role with the privileges and those that every role has.
    fn add_role(&mut self, name: &str, privileges: impl IntoIterator<Item = Str>) -> i32 {
        let last = self.roles.keys().next_back().copied().unwrap_or_default();
        // The numbers up to ten are those of sample roles.
        let id = last.max(10) + 1;
        let privileges = roles::complete(privileges);
        let role = Role { id, name: Str::from(name), system: false, privileges };
        self.roles.insert(id, Arc::new(role));
        id
    }

    fn on(&self, entity: &MoRef) -> &[Grant] {
        self.grants.get(entity).map(|grants| &**grants).unwrap_or_default()
    }

    fn put(&mut self, entity: &MoRef, grants: Vec<Grant>) {
        self.touched.insert(entity.clone());
        if grants.is_empty() {
            self.grants.remove(entity);
        } else {
            self.grants.insert(entity.clone(), grants.into());
        }
    }

    /// Adds a grant, or replaces the one that its holder has on the entity.
    fn set(&mut self, entity: &MoRef, grant: Grant) {
        let mut grants = self.on(entity).to_vec();
        match grants.iter_mut().find(|held| held.is_for(&grant.who, grant.group)) {
            Some(held) => *held = grant,
            None => grants.push(grant),
        }
        self.put(entity, grants);
    }

    /// The `permission` of an entity.
    fn shown(&self, entity: &MoRef) -> Vec<Object> {
        self.on(entity).iter().map(|grant| permissions::show(entity, grant)).collect()
    }
}

/// Lets a call through that its caller may make.
pub(super) fn check(service: &Service, call: &Call) -> Result<(), Fault> {
    let Some(session) = &call.caller.session else { return Ok(()) };
    if service.authorization().restricts_nobody() {
        return Ok(());
    }
    match service.access(session, &service.engine().snapshot()) {
        Some(access) => access.demand(&needs::of(&access, call)),
        None => Ok(()),
    }
}

/// A list with one permission for each user or group: `(MoRef, Grant)` pairs
/// as the API shows them.
fn answer<'g>(found: impl IntoIterator<Item = (&'g MoRef, &'g Grant)>) -> Value {
    let items = found
        .into_iter()
        .map(|(entity, grant)| Value::Object(permissions::show(entity, grant)))
        .collect();
    Value::Array(crate::value::Array::new(ty::Permission, items))
}

/// The fault for a role that does not exist.
fn no_such_role(id: i32) -> Fault {
    Fault::new(object!(NotFound {}), format!("The role {id} could not be found."))
}
