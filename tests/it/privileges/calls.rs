//! Calls that are made and calls that are refused.

use vimsim::fault::Fault;
use vimsim::schema::ty;
use vimsim::value::{Array, MoRef, Value};
use vimsim::{object, path};

use super::world::{Client, all_lacking, args, lacking, long_task, server, usual};

const VM: &str = "/DC0/vm/DC0_H0_VM0";

#[test]
fn a_call_needs_its_privilege_on_the_receiver() {
    let service = usual();
    let reader = Client::of(&service, "reader");
    let vm = reader.at(VM);
    let fault = reader.refused(&vm, args!(PowerOffVM_Task));
    let missing = "VirtualMachine.Interact.PowerOff".to_owned();
    assert_eq!(lacking(&fault), (vm.clone(), missing.clone()));
    assert_eq!(all_lacking(&fault), [(vm, vec![missing])]);
    assert_eq!(fault.message(), "Permission to perform this operation was denied.");
}

/// Refused for another reason than privileges, or not at all.
fn passes(answer: &Result<Option<Value>, Fault>) -> bool {
    !matches!(answer, Err(fault) if fault.is_a(ty::NoPermission))
}

#[test]
fn a_role_counts_where_it_was_given_and_nowhere_else() {
    let service = usual();
    let operator = Client::of(&service, "operator");
    let (vm, host) = (operator.at(VM), operator.at("/DC0/host/DC0_H0/DC0_H0"));
    assert!(passes(&operator.call(&vm, args!(PowerOffVM_Task))));
    let rename = operator.refused(&vm, args!(Rename_Task, newName: "other"));
    assert_eq!(lacking(&rename), (vm, "VirtualMachine.Config.Rename".to_owned()));
    let reboot = operator.refused(&host, args!(RebootHost_Task, force: true));
    assert_eq!(lacking(&reboot), (host, "Host.Config.Maintenance".to_owned()));
}

#[test]
fn login_comes_first_then_the_object_then_privileges_then_arguments() {
    let service = usual();
    let mut client = Client::of(&service, "reader");
    let gone = MoRef::new(ty::Task, "task-9999");
    let update = || args!(UpdateProgress, percentDone: 500);
    assert_eq!(client.refused(&gone, update()).ty(), ty::ManagedObjectNotFound);
    let task = long_task(&client, &client.at(VM), "root");
    let fault = client.refused(&task, update());
    assert_eq!(lacking(&fault), (client.root_folder(), "Task.Update".to_owned()));
    client.session = None;
    assert_eq!(client.refused(&gone, update()).ty(), ty::NotAuthenticated);
}

#[test]
fn objects_that_arguments_name_have_privileges_too() {
    let service = server(Some(
        r#"{"users": {"maker": {}},
            "roles": {"Maker": ["VirtualMachine.Inventory.Create", "Datastore.AllocateSpace"]},
            "permissions": [{"user": "maker", "role": "Maker", "entity": "/DC0"}]}"#,
    ));
    let maker = Client::of(&service, "maker");
    let (folder, pool) = (maker.at("/DC0/vm"), maker.at("/DC0/host/DC0_H0/Resources"));
    let network = maker.at("/DC0/network/VM Network");
    let card = object!(VirtualVmxnet3 {
        key: -1,
        backing: object!(VirtualEthernetCardNetworkBackingInfo {
            deviceName: "VM Network",
            network: &network,
        }),
    });
    let change = object!(VirtualDeviceConfigSpec { operation: "add", device: card });
    let config = object!(VirtualMachineConfigSpec {
        name: "new",
        files: object!(VirtualMachineFileInfo { vmPathName: "[LocalDS_0]" }),
        deviceChange: vec![change],
    });
    let create = args!(CreateVM_Task, config: config, pool: &pool);
    let expected =
        [(pool, "Resource.AssignVMToPool".to_owned()), (network, "Network.Assign".to_owned())];
    let all = all_lacking(&maker.refused(&folder, create));
    assert_eq!(all, expected.map(|(mo, privilege)| (mo, vec![privilege])));
}

#[test]
fn only_owners_and_those_who_may_cancel_tasks() {
    let service = server(Some(
        r#"{"users": {"ann": {}, "bob": {}, "cat": {}},
            "roles": {"Canceller": ["Global.CancelTask"]},
            "permissions": [{"user": "ann", "role": "ReadOnly"}, {"user": "bob", "role": "ReadOnly"},
                            {"user": "cat", "role": "Canceller"}]}"#,
    ));
    let [ann, bob, cat] = ["ann", "bob", "cat"].map(|name| Client::of(&service, name));
    let vm = ann.at(VM);
    let task = long_task(&ann, &vm, "ANN@vsphere.local");
    let fault = bob.refused(&task, args!(CancelTask));
    assert_eq!(lacking(&fault), (vm.clone(), "Global.CancelTask".to_owned()));
    assert_eq!(ann.call(&task, args!(CancelTask)).unwrap(), None);
    let task = long_task(&ann, &vm, "ann");
    assert_eq!(cat.call(&task, args!(CancelTask)).unwrap(), None);
}

#[test]
fn tasks_are_made_and_driven_by_who_may_on_the_root_folder() {
    let service = server(Some(
        r#"{"users": {"ext": {}, "reader": {}},
            "roles": {"Extension": ["Task.*", "Extension.Register"]},
            "permissions": [{"user": "ext", "role": "Extension"}, {"user": "reader", "role": "ReadOnly"}]}"#,
    ));
    let [ext, reader] = ["ext", "reader"].map(|name| Client::of(&service, name));
    let extension = object!(Extension {
        description: object!(Description { label: "x", summary: "x" }),
        key: "com.example.x",
        version: "1",
        lastHeartbeatTime: service.engine().now(),
        taskList: vec![object!(ExtensionTaskTypeInfo { taskID: "com.example.x.work" })],
    });
    let extensions = MoRef::new(ty::ExtensionManager, "ExtensionManager");
    ext.call(&extensions, args!(RegisterExtension, extension: extension)).unwrap();
    let create =
        || args!(CreateTask, obj: ext.at(VM), taskTypeId: "com.example.x.work", cancelable: false);
    let manager = service.content().task_manager.clone();
    let refused = reader.refused(&manager, create());
    assert_eq!(lacking(&refused), (reader.root_folder(), "Task.Create".to_owned()));
    let info = ext.call(&manager, create()).unwrap().unwrap();
    let task = info.as_object().unwrap().at(path!(TaskInfo, "task")).unwrap();
    let task = task.as_moref().unwrap().clone();
    let running = || args!(SetTaskState, state: vimsim::enum_value!(TaskInfoState::running));
    assert_eq!(lacking(&reader.refused(&task, running())).1, "Task.Update");
    ext.call(&task, running()).unwrap();
}

#[test]
fn to_destroy_needs_the_privilege_on_the_parent_as_well() {
    let service = usual();
    let owner = Client::of(&service, "owner");
    let vm = owner.at(VM);
    let folder = owner.at("/DC0/vm");
    let fault = owner.refused(&vm, args!(Destroy_Task));
    assert_eq!(lacking(&fault), (folder, "VirtualMachine.Inventory.Delete".to_owned()));
    let root = Client::of(&service, "root");
    assert!(passes(&root.call(&vm, args!(Destroy_Task))));
}

#[test]
fn a_move_is_asked_for_on_the_object_and_both_folders() {
    let service = usual();
    let owner = Client::of(&service, "owner");
    let (vm, folder) = (owner.at(VM), owner.at("/DC0/vm"));
    let list = Array::of_refs([&vm]);
    let fault = owner.refused(&folder, args!(MoveIntoFolder_Task, list: list));
    let privilege = "VirtualMachine.Inventory.Move".to_owned();
    assert_eq!(all_lacking(&fault), [(folder, vec![privilege])]);
}

#[test]
fn a_clone_needs_privileges_on_all_that_it_touches() {
    let service = usual();
    let operator = Client::of(&service, "operator");
    let (vm, folder) = (operator.at(VM), operator.at("/DC0/vm"));
    let (datastore, pool) =
        (operator.at("/DC0/datastore/LocalDS_0"), operator.at("/DC0/host/DC0_H0/Resources"));
    let location = object!(VirtualMachineRelocateSpec { datastore: &datastore, pool: &pool });
    let spec =
        object!(VirtualMachineCloneSpec { location: location, template: false, powerOn: false });
    let clone = args!(CloneVM_Task, folder: &folder, name: "copy", spec: spec);
    let all = all_lacking(&operator.refused(&vm, clone));
    let expected = [
        (vm, "VirtualMachine.Provisioning.Clone"),
        (folder, "VirtualMachine.Inventory.CreateFromExisting"),
        (pool, "Resource.AssignVMToPool"),
        (datastore, "Datastore.AllocateSpace"),
    ];
    assert_eq!(all, expected.map(|(mo, privilege)| (mo, vec![privilege.to_owned()])));
}

#[test]
fn sessions_of_others_are_for_those_who_may() {
    let service = usual();
    let reader = Client::of(&service, "reader");
    let sessions = service.content().session_manager.clone();
    let key = reader.session.as_ref().unwrap().key.clone();
    let ids = Array::new(ty::STRING, vec![Value::String(key.clone())]);
    let fault = reader.refused(&sessions, args!(TerminateSession, sessionId: ids.clone()));
    assert_eq!(lacking(&fault), (reader.root_folder(), "Sessions.TerminateSession".to_owned()));
    let active = args!(SessionIsActive, sessionID: key.as_str(), userName: "reader");
    assert_eq!(lacking(&reader.refused(&sessions, active)).1, "Sessions.ValidateSession");
    let root = Client::of(&service, "root");
    root.call(&sessions, args!(TerminateSession, sessionId: ids)).unwrap();
    assert!(reader.session.as_ref().unwrap().has_ended());
    assert!(root.call(&sessions, args!(Logout)).is_ok());
}

#[test]
fn passwords_are_checked_and_who_sees_nothing_stays_out() {
    let service = usual();
    let mut client = Client { service, session: None };
    for (user, password) in
        [("root", "wrong"), ("reader", ""), ("stranger", "x"), ("Administrator@vsphere.local", "x")]
    {
        assert_eq!(client.login(user, password).unwrap_err().ty(), ty::InvalidLogin, "{user}");
    }
    let nobody = client.login("nobody", "x").unwrap_err();
    assert_eq!(lacking(&nobody), (client.root_folder(), "System.View".to_owned()));
    client.login("VSPHERE.LOCAL\\Root", "toor").unwrap();
    assert_eq!(client.session.as_ref().unwrap().full_name, "The Administrator");
}

#[test]
fn an_extension_is_an_administrator() {
    let service = server(Some(
        r#"{"users": {"root": {}}, "permissions": [{"user": "root", "role": "Admin"}]}"#,
    ));
    let root = Client::of(&service, "root");
    let extension = object!(Extension {
        description: object!(Description { label: "x", summary: "x" }),
        key: "com.example.x",
        version: "1",
        lastHeartbeatTime: service.engine().now(),
    });
    let extensions = MoRef::new(ty::ExtensionManager, "ExtensionManager");
    root.call(&extensions, args!(RegisterExtension, extension: extension)).unwrap();
    let mut client = Client { service, session: None };
    client.login_extension("com.example.x");
    assert!(passes(&client.call(&client.at(VM), args!(PowerOffVM_Task))));
}

#[test]
fn what_old_clients_do_not_know_is_newer_than_they_are() {
    let field = ty::NoPermission.field("missingPrivileges").unwrap().1;
    assert_eq!(field.since().as_str(), "7.0.3.2");
}

#[test]
fn without_users_everyone_may_do_everything() {
    let service = server(None);
    let anyone = Client::of(&service, "anyone");
    assert!(passes(&anyone.call(&anyone.at(VM), args!(PowerOffVM_Task))));
    let sessions = service.content().session_manager.clone();
    let message = args!(UpdateServiceMessage, message: "hello");
    anyone.call(&sessions, message).unwrap();
}
