//! The methods of AuthorizationManager and UserDirectory.

use vimsim::schema::ty;
use vimsim::value::{Array, MoRef, Object, Value};
use vimsim::{object, path};

use super::world::{Args, Client, args, lacking, manager, server, usual};

const VM: &str = "/DC0/vm/DC0_H0_VM0";

fn texts(items: &[&str]) -> Array {
    Array::new(ty::STRING, items.iter().map(|item| Value::from(*item)).collect())
}

fn permission(principal: &str, role: i32) -> Object {
    object!(Permission { principal: principal, group: false, roleId: role, propagate: true })
}

fn set(entity: &MoRef, permissions: &[Object]) -> Args {
    let list = permissions.iter().cloned().map(Value::from).collect();
    args!(SetEntityPermissions, entity: entity, permission: Array::new(ty::Permission, list))
}

/// Permissions in short: principal, role, and the id of the entity.
fn short(list: Option<&Value>) -> Vec<String> {
    let line = |permission: &Object| {
        let at = |path| permission.at(path).unwrap();
        format!(
            "{} {} {}",
            at(path!(Permission, "principal")).as_str().unwrap(),
            at(path!(Permission, "roleId")).as_i32().unwrap(),
            at(path!(Permission, "entity")).as_moref().unwrap().id(),
        )
    };
    list.map(Value::items)
        .unwrap_or_default()
        .iter()
        .map(|it| line(it.as_object().unwrap()))
        .collect()
}

fn role(client: &Client, id: i32) -> Option<(String, Vec<String>)> {
    let list = client.fetch(&manager(), "roleList").unwrap().unwrap();
    let has = |role: &&Object| role.at(path!(AuthorizationRole, "roleId")) == Some(&id.into());
    let role = list.items().iter().filter_map(Value::as_object).find(has)?;
    let name = role.at(path!(AuthorizationRole, "name")).unwrap().as_str().unwrap();
    let privileges = role.at(path!(AuthorizationRole, "privilege")).unwrap().items();
    let privileges = privileges.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    Some((name.to_owned(), privileges))
}

#[test]
fn roles_come_change_and_go() {
    let service = server(None);
    let root = Client::of(&service, "root");
    let add = |name: &str, ids: &[&str]| {
        root.call(&manager(), args!(AddAuthorizationRole, name: name, privIds: texts(ids)))
    };
    let id =
        add("Night watch", &["VirtualMachine.Interact.Reset"]).unwrap().unwrap().as_i32().unwrap();
    let all = ["System.Anonymous", "System.Read", "System.View", "VirtualMachine.Interact.Reset"];
    let shown = role(&root, id).unwrap();
    assert_eq!((shown.0.as_str(), shown.1), ("Night watch", all.map(str::to_owned).to_vec()));
    assert_eq!(add("night WATCH", &[]).unwrap_err().ty(), ty::AlreadyExists);
    assert_eq!(add("", &[]).unwrap_err().ty(), ty::InvalidName);
    assert_eq!(add("x", &["No.Such"]).unwrap_err().ty(), ty::InvalidArgument);
    let update = |id: i32, name: &str, ids: &[&str]| {
        let ids = texts(ids);
        let call = args!(UpdateAuthorizationRole, roleId: id, newName: name, privIds: ids);
        root.call(&manager(), call)
    };
    update(id, "Day watch", &["Global.CancelTask"]).unwrap();
    let (name, privileges) = role(&root, id).unwrap();
    assert!(name == "Day watch" && privileges.contains(&"Global.CancelTask".to_owned()));
    assert!(!privileges.contains(&"VirtualMachine.Interact.Reset".to_owned()));
    assert_eq!(update(-1, "Boss", &[]).unwrap_err().ty(), ty::InvalidArgument);
    assert_eq!(update(id, "Admin", &[]).unwrap_err().ty(), ty::AlreadyExists);
    assert_eq!(update(999, "x", &[]).unwrap_err().ty(), ty::NotFound);
    assert_eq!(update(id, "Day watch", &["No.Such"]).unwrap_err().ty(), ty::NotFound);
    let remove = |id: i32, fail: bool| {
        root.call(&manager(), args!(RemoveAuthorizationRole, roleId: id, failIfUsed: fail))
    };
    root.call(&manager(), set(&root.at(VM), &[permission("ann", id)])).unwrap();
    assert_eq!(remove(id, true).unwrap_err().ty(), ty::RemoveFailed);
    remove(id, false).unwrap();
    assert!(role(&root, id).is_none());
    assert_eq!(short(root.fetch(&root.at(VM), "permission").unwrap().as_ref()), [""; 0]);
    assert_eq!(remove(id, false).unwrap_err().ty(), ty::NotFound);
    assert_eq!(remove(-5, false).unwrap_err().ty(), ty::InvalidArgument);
}

#[test]
fn permissions_are_set_found_replaced_and_removed() {
    let service = server(None);
    let root = Client::of(&service, "root");
    let (vm, folder) = (root.at(VM), root.root_folder());
    root.call(&manager(), set(&vm, &[permission("ann", -2), permission("bob@corp.local", -5)]))
        .unwrap();
    root.call(&manager(), set(&vm, &[permission("VSPHERE.LOCAL\\Ann", -1)])).unwrap();
    let on_vm =
        [format!("VSPHERE.LOCAL\\Ann -1 {}", vm.id()), format!("CORP.LOCAL\\bob -5 {}", vm.id())];
    assert_eq!(short(root.fetch(&vm, "permission").unwrap().as_ref()), on_vm);
    let of = |inherited: bool| {
        let call = args!(RetrieveEntityPermissions, entity: &vm, inherited: inherited);
        short(root.call(&manager(), call).unwrap().as_ref())
    };
    let on_root = [
        format!("VSPHERE.LOCAL\\Administrator -1 {}", folder.id()),
        format!("VSPHERE.LOCAL\\Administrators -1 {}", folder.id()),
    ];
    assert_eq!(of(false), on_vm);
    assert_eq!(of(true), [on_vm.as_slice(), on_root.as_slice()].concat());
    let all = short(root.call(&manager(), args!(RetrieveAllPermissions)).unwrap().as_ref());
    assert_eq!(all.len(), 4);
    let role = args!(RetrieveRolePermissions, roleId: -5);
    assert_eq!(short(root.call(&manager(), role).unwrap().as_ref()), on_vm[1..]);
    let reset = Array::new(ty::Permission, vec![permission("cat", -2).into()]);
    root.call(&manager(), args!(ResetEntityPermissions, entity: &vm, permission: reset)).unwrap();
    assert_eq!(of(false), [format!("VSPHERE.LOCAL\\cat -2 {}", vm.id())]);
    let remove = |user: &str, entity: &MoRef| {
        let call = args!(RemoveEntityPermission, entity: entity, user: user, isGroup: false);
        root.call(&manager(), call)
    };
    assert_eq!(remove("ann", &vm).unwrap_err().ty(), ty::NotFound);
    remove("cat", &vm).unwrap();
    assert_eq!(of(false), [""; 0]);
}

#[test]
fn permissions_that_cannot_be() {
    let service = usual();
    let root = Client::of(&service, "root");
    let vm = root.at(VM);
    let fails = |entity: &MoRef, permission: Object| {
        root.refused(&manager(), set(entity, &[permission])).ty()
    };
    assert_eq!(fails(&vm, permission("stranger", -2)), ty::UserNotFound);
    assert_eq!(fails(&vm, permission("reader", 999)), ty::NotFound);
    assert_eq!(fails(&vm, permission("reader", -3)), ty::InvalidArgument);
    assert_eq!(fails(&root.at("/DC0/vm"), permission("reader", -2)), ty::InvalidArgument);
    assert_eq!(
        fails(&root.at("/DC0/host/DC0_H0/DC0_H0"), permission("reader", -2)),
        ty::InvalidArgument
    );
    let gone = MoRef::new(ty::VirtualMachine, "vm-999999");
    assert_eq!(fails(&gone, permission("reader", -2)), ty::ManagedObjectNotFound);
    let none = args!(ResetEntityPermissions, entity: root.root_folder());
    assert_eq!(root.refused(&manager(), none).ty(), ty::AuthMinimumAdminPermission);
}

#[test]
fn nobody_gives_more_than_they_have() {
    let service = usual();
    let root = Client::of(&service, "root");
    let reader = Client::of(&service, "reader");
    let vm = root.at(VM);
    let fault = reader.refused(&manager(), set(&vm, &[permission("reader", -1)]));
    assert_eq!(lacking(&fault), (vm.clone(), "Authorization.ModifyPermissions".to_owned()));
    let ids = texts(&["Authorization.ModifyPermissions"]);
    let add = args!(AddAuthorizationRole, name: "Deputy", privIds: ids);
    let deputy = root.call(&manager(), add).unwrap().unwrap().as_i32().unwrap();
    root.call(&manager(), set(&vm, &[permission("reader", deputy)])).unwrap();
    // What changed counts for sessions that are there already.
    reader.call(&manager(), set(&vm, &[permission("owner", -2)])).unwrap();
    let fault = reader.refused(&manager(), set(&vm, &[permission("reader", -1)]));
    assert_eq!(fault.ty(), ty::NoPermission);
}

#[test]
fn merged_roles_move_their_permissions() {
    let service = server(None);
    let root = Client::of(&service, "root");
    let vm = root.at(VM);
    root.call(&manager(), set(&vm, &[permission("ann", -5)])).unwrap();
    let merge = |from: i32, to: i32| {
        root.call(&manager(), args!(MergePermissions, srcRoleId: from, dstRoleId: to))
    };
    merge(-5, -2).unwrap();
    let shown = short(root.fetch(&vm, "permission").unwrap().as_ref());
    assert_eq!(shown, [format!("VSPHERE.LOCAL\\ann -2 {}", vm.id())]);
    assert_eq!(merge(-1, -2).unwrap_err().ty(), ty::AuthMinimumAdminPermission);
    assert_eq!(merge(-2, -3).unwrap_err().ty(), ty::InvalidArgument);
    assert_eq!(merge(-2, 999).unwrap_err().ty(), ty::NotFound);
}

#[test]
fn who_holds_which_privileges() {
    let service = usual();
    let root = Client::of(&service, "root");
    let operator = Client::of(&service, "operator");
    let (vm, top) = (root.at(VM), root.root_folder());
    let key = operator.session.as_ref().unwrap().key.to_string();
    let asked = || texts(&["VirtualMachine.Interact.PowerOn", "VirtualMachine.Config.Rename"]);
    let on = |key: &str| {
        let call = args!(HasPrivilegeOnEntity, entity: &vm, sessionId: key, privId: asked());
        let answer = root.call(&manager(), call).unwrap().unwrap();
        answer.items().iter().map(|it| it.as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(on(&key), [true, false]);
    assert_eq!(on("no session"), [false, false]);
    assert_eq!(on(&root.session.as_ref().unwrap().key), [true, true]);
    let entities = || Array::of_refs([&vm, &top]);
    let granted = |answer: Value| {
        answer
            .items()
            .iter()
            .flat_map(|item| {
                let all = item.as_object().unwrap().at(path!(EntityPrivilege, "privAvailability"));
                all.unwrap().items().to_vec()
            })
            .map(|item| item.as_object().unwrap().field("isGranted").unwrap().as_bool().unwrap())
            .collect::<Vec<_>>()
    };
    let call =
        args!(HasPrivilegeOnEntities, entity: entities(), sessionId: key.as_str(), privId: asked());
    assert_eq!(granted(root.call(&manager(), call).unwrap().unwrap()), [true, false, false, false]);
    let call = args!(HasUserPrivilegeOnEntities, entities: entities(), userName: "owner@vsphere.local",
        privId: asked());
    assert_eq!(granted(root.call(&manager(), call).unwrap().unwrap()), [true, true, false, false]);
    let fetch = |user: &str| {
        let call = args!(FetchUserPrivilegeOnEntities, entities: entities(), userName: user);
        let answer = root.call(&manager(), call).unwrap().unwrap();
        let count = |item: &Value| {
            let held = item.as_object().unwrap().at(path!(UserPrivilegeResult, "privileges"));
            held.map(Value::items).unwrap_or_default().len()
        };
        answer.items().iter().map(count).collect::<Vec<_>>()
    };
    assert_eq!(fetch("reader"), [3, 3]);
    assert_eq!(fetch("nobody"), [0, 0]);
    assert!(fetch("root")[1] > 300);
}

#[test]
fn users_and_groups_are_found() {
    let service = usual();
    let root = Client::of(&service, "root");
    let directory = MoRef::new(ty::UserDirectory, "UserDirectory");
    let names = |args: Args| {
        let answer = root.call(&directory, args).unwrap().unwrap();
        let name = |item: &Value| {
            let item = item.as_object().unwrap();
            item.at(path!(UserSearchResult, "principal")).unwrap().as_str().unwrap().to_owned()
        };
        answer.items().iter().map(name).collect::<Vec<_>>()
    };
    macro_rules! search {
        ($($given:tt)*) => {
            args!(RetrieveUserGroups, searchStr: "", exactMatch: false, $($given)*)
        };
    }
    let users = names(search!(findUsers: true, findGroups: false));
    assert_eq!(users, ["Administrator", "nobody", "operator", "owner", "reader", "root"]);
    let groups = names(search!(domain: "vsphere.local", findUsers: false, findGroups: true));
    assert_eq!(groups, ["Administrators", "operators", "Users"]);
    let members = names(search!(belongsToGroup: "operators", findUsers: true, findGroups: true));
    assert_eq!(members, ["operator"]);
    let of_user = names(search!(belongsToUser: "operator", findUsers: true, findGroups: true));
    assert_eq!(of_user, ["operators"]);
    let exact = args!(RetrieveUserGroups, searchStr: "ROOT", exactMatch: true, findUsers: true, findGroups: true);
    assert_eq!(names(exact), ["root"]);
    let part = args!(RetrieveUserGroups, searchStr: "the adm", exactMatch: false, findUsers: true, findGroups: true);
    assert_eq!(names(part), ["root"]);
    let unknown = search!(domain: "elsewhere", findUsers: true, findGroups: false);
    assert_eq!(root.refused(&directory, unknown).ty(), ty::NotFound);
    let reader = Client::of(&service, "reader");
    let fault = reader.refused(&directory, search!(findUsers: true, findGroups: true));
    assert_eq!(lacking(&fault).1, "Authorization.ModifyPermissions");
}

#[test]
fn a_host_by_itself_knows_no_domains_and_answers_less() {
    let config = vimsim::Config { esx: true, ..vimsim::Config::default() };
    let service = vimsim::vsphere::Service::new(config).unwrap();
    let root = Client::of(&service, "root");
    let manager = MoRef::new(ty::AuthorizationManager, "ha-authmgr");
    let all = short(root.call(&manager, args!(RetrieveAllPermissions)).unwrap().as_ref());
    let top = root.root_folder();
    assert_eq!(all, ["dcui", "root", "vpxuser"].map(|name| format!("{name} -1 {}", top.id())));
    let asked = texts(&["System.Read"]);
    let has = args!(HasPrivilegeOnEntity, entity: &top, sessionId: "x", privId: asked);
    assert_eq!(root.refused(&manager, has).ty(), ty::NotSupported);
    let directory = MoRef::new(ty::UserDirectory, "ha-user-directory");
    let search = args!(RetrieveUserGroups, domain: "vsphere.local", searchStr: "",
        exactMatch: false, findUsers: true, findGroups: false);
    assert_eq!(root.refused(&directory, search).ty(), ty::NotSupported);
}

#[test]
fn the_users_file_is_read_by_its_flag() {
    let parse = |text: &str| {
        let file = std::env::temp_dir().join(format!(
            "vimsim-users-{}-{}.json",
            std::process::id(),
            text.len()
        ));
        std::fs::write(&file, text).unwrap();
        let arguments = ["vimsim".into(), "-users".into(), file.clone().into_os_string()];
        let parsed = vimsim::cli::parse(arguments);
        std::fs::remove_file(&file).unwrap();
        parsed
    };
    let good = parse(r#"{"users": {"ann": {"groups": ["a"]}}}"#).unwrap();
    let vimsim::cli::Invocation::Serve(config) = good else { panic!("{good:?}") };
    assert_eq!(config.access.unwrap().users["ann"].groups, ["a"]);
    let bad = parse(r#"{"users": ["ann"]}"#).unwrap_err();
    assert!(bad.to_string().contains("-users"), "{bad}");
}

#[test]
fn mistakes_in_the_users_file_are_found_at_the_start() {
    for (users, word) in [
        (r#"{"permissions": [{"user": "x", "role": "Admin"}]}"#, "user x"),
        (r#"{"permissions": [{"group": "x", "role": "Boss"}]}"#, "role Boss"),
        (r#"{"permissions": [{"group": "x", "role": "View"}]}"#, "View"),
        (r#"{"permissions": [{"group": "x", "role": "Admin", "entity": "/DC9"}]}"#, "/DC9"),
        (r#"{"permissions": [{"group": "x", "role": "Admin", "entity": "/DC0/vm"}]}"#, "/DC0/vm"),
        (r#"{"roles": {"R": ["No.Such"]}}"#, "No.Such"),
        (r#"{"roles": {"admin": []}}"#, "admin"),
    ] {
        let access = Some(vimsim::config::Access::parse(users).unwrap());
        let config = vimsim::Config { access, ..vimsim::Config::default() };
        let fault = vimsim::vsphere::Service::new(config).map(drop).unwrap_err();
        assert!(fault.message().contains(word), "{users}: {fault}");
    }
}
