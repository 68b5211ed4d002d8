//! What restricted callers read, and what they do not see.

use vimsim::object;
use vimsim::schema::ty;
use vimsim::value::{Array, MoRef, Value};

use super::world::{Client, args, lacking, long_task, manager, read, server, usual};

const VM: &str = "/DC0/vm/DC0_H0_VM0";
const OTHER: &str = "/DC0/vm/DC0_H0_VM1";

#[test]
fn what_may_not_be_read_is_missing_and_the_rest_is_there() {
    let service = usual();
    let owner = Client::of(&service, "owner");
    // Above its own machine, the owner sees that there is something, and no more.
    let folder = owner.at("/DC0/vm");
    let (had, missing) = read(&owner, &folder, &["name", "overallStatus", "alarmActionsEnabled"]);
    assert_eq!(had, ["name"]);
    let of = |index: usize| {
        let (path, fault) = &missing[index];
        let privilege = fault.field("privilegeId").and_then(Value::as_str).unwrap().to_owned();
        (path.as_str(), fault.ty(), fault.field("object").unwrap().as_moref().cloned(), privilege)
    };
    let read = "System.Read".to_owned();
    let expected = ("overallStatus", ty::NoPermission, Some(folder.clone()), read.clone());
    assert_eq!(of(0), expected);
    assert_eq!(of(1), ("alarmActionsEnabled", ty::NoPermission, Some(folder), read));
    assert_eq!(missing.len(), 2);
}

#[test]
fn an_entity_out_of_sight_has_no_readable_property() {
    let service = usual();
    let owner = Client::of(&service, "owner");
    let other = owner.at(OTHER);
    let fault = owner.fetch(&other, "name").unwrap_err();
    assert_eq!(lacking(&fault), (other.clone(), "System.View".to_owned()));
    let (had, missing) = read(&owner, &other, &["name", "config"]);
    assert_eq!((had.len(), missing.len()), (0, 2));
}

#[test]
fn lists_and_searches_leave_out_what_is_out_of_sight() {
    let service = usual();
    let owner = Client::of(&service, "owner");
    let (vm, other, folder) = (owner.at(VM), owner.at(OTHER), owner.at("/DC0/vm"));
    assert_eq!(owner.refs(&folder, "childEntity"), std::slice::from_ref(&vm));
    let root = Client::of(&service, "root");
    assert_eq!(root.refs(&folder, "childEntity").len(), 4);
    let index = MoRef::new(ty::SearchIndex, "SearchIndex");
    let find = |client: &Client, path: &str| {
        client.call(&index, args!(FindByInventoryPath, inventoryPath: path)).unwrap()
    };
    assert_eq!(find(&owner, VM), Some(vm.clone().into()));
    assert_eq!(find(&owner, OTHER), None);
    assert_eq!(find(&root, OTHER), Some(other.into()));
    let views = MoRef::new(ty::ViewManager, "ViewManager");
    let types = Array::new(ty::STRING, vec!["VirtualMachine".into()]);
    let view =
        args!(CreateContainerView, container: owner.root_folder(), type: types, recursive: true);
    let view = owner.call(&views, view).unwrap().unwrap().as_moref().unwrap().clone();
    assert_eq!(owner.refs(&view, "view"), [vm]);
}

#[test]
fn the_effective_role_is_the_callers() {
    let service = usual();
    let role = |user: &str, path: &str| {
        let client = Client::of(&service, user);
        let roles = client.fetch(&client.at(path), "effectiveRole").unwrap().unwrap();
        roles.items().iter().filter_map(Value::as_i32).collect::<Vec<_>>()
    };
    assert_eq!(role("root", VM), [-1]);
    assert_eq!(role("reader", VM), [-2]);
    assert_eq!(role("owner", VM), [-1]);
    assert_eq!(role("owner", "/DC0/vm"), [-3]);
    assert_eq!(role("owner", "/"), [-3]);
    // The host of a standalone compute resource is seen with it.
    assert_eq!(role("owner", "/DC0/host/DC0_H0/DC0_H0"), [-3]);
}

#[test]
fn recent_tasks_are_those_of_entities_in_sight() {
    let service = usual();
    let owner = Client::of(&service, "owner");
    let on_own = long_task(&owner, &owner.at(VM), "root");
    let on_other = long_task(&owner, &owner.at(OTHER), "root");
    let tasks = service.content().task_manager.clone();
    assert_eq!(owner.refs(&tasks, "recentTask"), std::slice::from_ref(&on_own));
    assert_eq!(owner.refs(&owner.at(VM), "recentTask"), std::slice::from_ref(&on_own));
    assert!(owner.fetch(&on_own, "info").unwrap().is_some());
    let fault = owner.fetch(&on_other, "info").unwrap_err();
    assert_eq!(lacking(&fault), (owner.at(OTHER), "System.Read".to_owned()));
    let root = Client::of(&service, "root");
    assert_eq!(root.refs(&tasks, "recentTask").len(), 2);
}

#[test]
fn who_destroys_something_can_still_wait_for_the_task() {
    let service = usual();
    let owner = Client::of(&service, "owner");
    let vm = owner.at(VM);
    let [own, foreign] = ["owner", "root"].map(|user| long_task(&owner, &vm, user));
    service.engine().commit(|tx| Ok(tx.remove(&vm))).unwrap();
    assert!(owner.fetch(&own, "info").is_ok());
    let refused = owner.fetch(&foreign, "info").unwrap_err();
    assert_eq!(lacking(&refused), (owner.root_folder(), "System.Read".to_owned()));
    assert!(Client::of(&service, "root").fetch(&foreign, "info").is_ok());
    // Nothing of the owner's is left to see, but the session goes on.
    let tasks = service.content().task_manager.clone();
    assert!(owner.refs(&tasks, "recentTask").contains(&own));
}

#[test]
fn a_hosts_managers_are_guarded_by_the_host() {
    let service = server(Some(
        r#"{"users": {"ann": {}},
            "permissions": [{"user": "ann", "role": "ReadOnly", "entity": "/DC0/host/DC0_H0"}]}"#,
    ));
    let ann = Client::of(&service, "ann");
    let manager_of = |path: &str| {
        let snapshot = service.engine().snapshot();
        let place = vimsim::path!(HostSystem, "configManager.networkSystem");
        vimsim::inventory::Read::moref(&*snapshot, &ann.at(path), place).unwrap().clone()
    };
    // The permission is on the compute resource, whose part the host is.
    let own = manager_of("/DC0/host/DC0_H0/DC0_H0");
    assert!(ann.fetch(&own, "networkInfo").is_ok());
    let fault = ann.refused(&own, args!(RefreshNetworkSystem));
    assert_eq!(
        lacking(&fault),
        (ann.at("/DC0/host/DC0_H0/DC0_H0"), "Host.Config.Network".to_owned())
    );
    let other = manager_of("/DC0/host/DC0_C0/DC0_C0_H0");
    let fault = ann.fetch(&other, "networkInfo").unwrap_err();
    assert_eq!(lacking(&fault), (ann.at("/DC0/host/DC0_C0/DC0_C0_H0"), "System.Read".to_owned()));
}

#[test]
fn properties_of_managers_have_privileges_too() {
    let service = usual();
    let reader = Client::of(&service, "reader");
    let sessions = service.content().session_manager.clone();
    let fault = reader.fetch(&sessions, "sessionList").unwrap_err();
    assert_eq!(lacking(&fault), (reader.root_folder(), "Sessions.TerminateSession".to_owned()));
    assert!(reader.fetch(&sessions, "currentSession").is_ok());
    let root = Client::of(&service, "root");
    assert_eq!(root.fetch(&sessions, "sessionList").unwrap().unwrap().items().len(), 2);
    let mut nobody = Client::of(&service, "reader");
    nobody.session = None;
    let fault = nobody.fetch(&manager(), "roleList").unwrap_err();
    assert_eq!(fault.ty(), ty::NotAuthenticated);
}

#[test]
fn a_watcher_sees_new_permissions_at_once() {
    let service = usual();
    let owner = Client::of(&service, "owner");
    let collector = MoRef::new(ty::PropertyCollector, "propertyCollector");
    let folder = owner.at("/DC0/vm");
    let spec = object!(PropertyFilterSpec {
        propSet: vec![object!(PropertySpec { type: "Folder", pathSet: vec!["childEntity"] })],
        objectSet: vec![object!(ObjectSpec { obj: &folder })],
    });
    owner.call(&collector, args!(CreateFilter, spec: spec, partialUpdates: false)).unwrap();
    let check = |version: &str| owner.call(&collector, args!(CheckForUpdates, version: version));
    let first = check("").unwrap().unwrap();
    let version = first.as_object().unwrap().field("version").unwrap().as_str().unwrap().to_owned();
    assert_eq!(check(&version).unwrap(), None);
    let permission =
        object!(Permission { principal: "owner", group: false, roleId: -2, propagate: true });
    let permissions = Array::new(ty::Permission, vec![permission.into()]);
    let root = Client::of(&service, "root");
    let other = owner.at(OTHER);
    let set = args!(SetEntityPermissions, entity: &other, permission: permissions);
    root.call(&manager(), set).unwrap();
    let update = format!("{:?}", check(&version).unwrap().expect("an update"));
    assert!(update.contains(&other.to_string()), "{update}");
}
