//! How permissions add up, on a small inventory.

use std::sync::Arc;

use vimsim::config::Access;
use vimsim::fault::Fault;
use vimsim::inventory::{Snapshot, Store};
use vimsim::schema::{Type, ty};
use vimsim::value::{MoRef, Str};
use vimsim::vsphere::authorization::{Directory, Grant, Memory, Policy, Role};
use vimsim::{object, path};

const ADMIN: i32 = -1;
const NO_ACCESS: i32 = -5;
const OPERATOR: i32 = 11;
const KEEPER: i32 = 12;
const NONE: [i32; 0] = [];

fn mo(ty: Type, id: &str) -> MoRef {
    MoRef::new(ty, id)
}

fn root() -> MoRef {
    mo(ty::Folder, "root")
}

fn dc() -> MoRef {
    mo(ty::Datacenter, "dc")
}

fn vm_folder() -> MoRef {
    mo(ty::Folder, "vms")
}

fn team() -> MoRef {
    mo(ty::Folder, "team")
}

fn vm() -> MoRef {
    mo(ty::VirtualMachine, "vm")
}

fn host() -> MoRef {
    mo(ty::HostSystem, "host")
}

fn standalone() -> MoRef {
    mo(ty::ComputeResource, "standalone")
}

fn root_pool() -> MoRef {
    mo(ty::ResourcePool, "root-pool")
}

fn pool() -> MoRef {
    mo(ty::ResourcePool, "pool")
}

/// `vm` is in the folder `team` and in the pool `pool` of a standalone host.
fn state() -> Arc<Snapshot> {
    let store = Store::new();
    let hosts = mo(ty::Folder, "hosts");
    let made = store.commit(|tx| {
        tx.insert(root(), object!(Folder { name: "root" }));
        tx.insert(dc(), object!(Datacenter { name: "dc", parent: root() }));
        tx.insert(vm_folder(), object!(Folder { name: "vm", parent: dc() }));
        tx.insert(hosts.clone(), object!(Folder { name: "host", parent: dc() }));
        tx.insert(team(), object!(Folder { name: "team", parent: vm_folder() }));
        tx.insert(standalone(), object!(ComputeResource { name: "h", parent: hosts.clone() }));
        tx.insert(host(), object!(HostSystem { name: "h", parent: standalone() }));
        tx.insert(root_pool(), object!(ResourcePool { name: "r", parent: standalone() }));
        tx.insert(pool(), object!(ResourcePool { name: "p", parent: root_pool() }));
        tx.insert(vm(), object!(VirtualMachine { name: "vm", parent: team() }));
        tx.set(&vm(), path!(VirtualMachine, "resourcePool"), pool())?;
        Ok::<_, Fault>(())
    });
    made.unwrap();
    store.snapshot()
}

fn directory() -> Directory {
    let mut directory = Directory::new(false, None);
    let access = Access::parse(r#"{"users": {"ann": {"groups": ["ops", "keepers"]}, "bob": {}}}"#);
    directory.extend(&access.unwrap());
    directory
}

/// A permission: on what, `user:NAME` or `group:NAME`, the role, and whether it propagates.
type Given<'a> = (MoRef, &'a str, i32, bool);

fn policy(given: &[Given<'_>], open: bool) -> Policy {
    let role = |id, name: &str, privileges: &[&str]| {
        let privileges = privileges.iter().map(|id| Str::from(*id)).collect();
        (id, Arc::new(Role { id, name: Str::from(name), system: id < 0, privileges }))
    };
    let roles = [
        role(ADMIN, "Admin", &[]),
        role(NO_ACCESS, "NoAccess", &[]),
        role(OPERATOR, "Operator", &["System.View", "System.Read", "A"]),
        role(KEEPER, "Keeper", &["System.View", "System.Read", "B"]),
    ];
    let directory = directory();
    let mut grants = imbl::OrdMap::<MoRef, Arc<[Grant]>>::new();
    for (entity, who, role, propagate) in given {
        let (kind, name) = who.split_once(':').unwrap();
        let grant = Grant {
            who: directory.account(name),
            group: kind == "group",
            role: *role,
            propagate: *propagate,
        };
        let held = grants.get(entity).map(|held| held.to_vec()).unwrap_or_default();
        grants.insert(entity.clone(), held.into_iter().chain([grant]).collect());
    }
    Policy::new(roles.into_iter().collect(), grants, Arc::new(directory), root(), open)
}

/// The roles of a user on an entity, given these permissions.
fn roles(given: &[Given<'_>], user: &str, on: &MoRef) -> Vec<i32> {
    match policy(given, false).rights(user) {
        Some(rights) => rights.roles_on(&*state(), on, &mut Memory::default()).to_vec(),
        None => vec![ADMIN],
    }
}

#[test]
fn a_permission_counts_on_what_is_below_if_it_propagates() {
    let given = [(dc(), "user:bob", OPERATOR, true)];
    for on in [dc(), vm_folder(), team(), vm(), standalone(), host(), pool()] {
        assert_eq!(roles(&given, "bob", &on), [OPERATOR], "{on}");
    }
    assert_eq!(roles(&given, "bob", &root()), NONE);
    assert_eq!(roles(&given, "ann", &vm()), NONE);
    let given = [(team(), "user:bob", OPERATOR, false)];
    assert_eq!(roles(&given, "bob", &team()), [OPERATOR]);
    assert_eq!(roles(&given, "bob", &vm()), NONE);
}

#[test]
fn a_permission_further_down_overrides_one_further_up() {
    let given = [
        (root(), "user:bob", KEEPER, true),
        (team(), "user:bob", NO_ACCESS, true),
        (dc(), "group:ops", OPERATOR, true),
        (team(), "group:keepers", KEEPER, true),
    ];
    // The pool is not below the team's folder, and adds what comes from there.
    assert_eq!(roles(&given, "bob", &team()), [NO_ACCESS]);
    assert_eq!(roles(&given, "bob", &vm()), [NO_ACCESS, KEEPER]);
    // It overrides even when it is for another group of the user's.
    assert_eq!(roles(&given, "ann", &team()), [KEEPER]);
    assert_eq!(roles(&given, "ann", &vm_folder()), [OPERATOR]);
}

#[test]
fn groups_add_up_on_one_entity_and_the_users_own_permission_precedes_them() {
    let groups = [(team(), "group:ops", OPERATOR, true), (team(), "group:keepers", KEEPER, true)];
    assert_eq!(roles(&groups, "ann", &team()), [OPERATOR, KEEPER]);
    assert_eq!(roles(&groups, "bob", &team()), NONE);
    let own = [groups[0].clone(), groups[1].clone(), (team(), "user:ann", NO_ACCESS, true)];
    assert_eq!(roles(&own, "ann", &team()), [NO_ACCESS]);
    // A group's permission on the entity counts before the user's own above it.
    let above = [(dc(), "user:ann", NO_ACCESS, true), groups[0].clone()];
    assert_eq!(roles(&above, "ann", &team()), [OPERATOR]);
}

#[test]
fn a_machine_inherits_from_its_folder_and_from_its_pool() {
    let given = [(team(), "user:bob", OPERATOR, true), (pool(), "user:bob", KEEPER, true)];
    assert_eq!(roles(&given, "bob", &vm()), [OPERATOR, KEEPER]);
    let own = [given[0].clone(), given[1].clone(), (vm(), "user:bob", NO_ACCESS, false)];
    assert_eq!(roles(&own, "bob", &vm()), [NO_ACCESS]);
}

#[test]
fn what_does_not_propagate_is_no_obstacle_to_what_comes_from_further_up() {
    let given = [(dc(), "user:bob", OPERATOR, true), (team(), "user:bob", NO_ACCESS, false)];
    assert_eq!(roles(&given, "bob", &team()), [NO_ACCESS]);
    assert_eq!(roles(&given, "bob", &vm()), [OPERATOR]);
}

#[test]
fn parts_of_a_complex_entity_have_the_permissions_of_the_whole() {
    let given = [(dc(), "user:bob", OPERATOR, false), (standalone(), "user:bob", KEEPER, false)];
    assert_eq!(roles(&given, "bob", &vm_folder()), [OPERATOR]);
    assert_eq!(roles(&given, "bob", &team()), NONE);
    assert_eq!(roles(&given, "bob", &host()), [KEEPER]);
    assert_eq!(roles(&given, "bob", &root_pool()), [KEEPER]);
    assert_eq!(roles(&given, "bob", &pool()), NONE);
    // Whatever might stand on a part itself counts for nothing.
    let part = [given[0].clone(), (vm_folder(), "user:bob", NO_ACCESS, true)];
    assert_eq!(roles(&part, "bob", &vm_folder()), [OPERATOR]);
}

#[test]
fn who_is_administrator_everywhere_is_not_checked_at_all() {
    let admin = (root(), "user:bob", ADMIN, true);
    assert!(policy(std::slice::from_ref(&admin), false).rights("bob").is_none());
    assert!(policy(std::slice::from_ref(&admin), false).rights("BOB@vsphere.local").is_none());
    assert!(policy(&[(root(), "user:bob", ADMIN, false)], false).rights("bob").is_some());
    let less = (vm(), "user:bob", OPERATOR, true);
    assert!(policy(&[admin.clone(), less], false).rights("bob").is_some());
    let other = (vm(), "user:ann", OPERATOR, true);
    assert!(policy(&[admin, other], false).rights("bob").is_none());
}

#[test]
fn without_a_configuration_everyone_is_administrator_unless_a_permission_says_otherwise() {
    assert!(policy(&[], true).restricts_nobody());
    assert!(policy(&[(dc(), "user:ann", ADMIN, true)], true).restricts_nobody());
    let policy = policy(&[(team(), "user:bob", OPERATOR, true)], true);
    assert!(!policy.restricts_nobody());
    assert!(policy.rights("ann").is_none() && policy.rights("anyone").is_none());
    let rights = policy.rights("bob").unwrap();
    let on = |on: &MoRef| rights.roles_on(&*state(), on, &mut Memory::default()).to_vec();
    assert_eq!(on(&team()), [OPERATOR]);
    assert_eq!(on(&host()), [ADMIN]);
}
