//! The events of one operation after the other.

use std::time::Duration;

use vimsim::object;
use vimsim::schema::ty;
use vimsim::value::{MoRef, Object, Value};

use super::world::{Client, args, first, message, number, text, types};

fn clone(client: &Client, source: &MoRef, name: &str, spec: Object) -> (MoRef, Vec<Object>) {
    let folder = client.named("vm");
    let task = client.run(source, args!(CloneVM_Task, folder: folder, name: name, spec: spec));
    let events = client.chain(&task);
    (task, events)
}

fn clone_spec(client: &Client, template: bool, power_on: bool) -> Object {
    let pool = client.get(&client.named("DC0_H0_VM0"), "resourcePool");
    object!(VirtualMachineCloneSpec {
        location: object!(VirtualMachineRelocateSpec { pool: pool }),
        template: template,
        powerOn: power_on,
    })
}

#[test]
fn the_server_tells_what_it_starts_with() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let by = object!(EventFilterSpecByEntity { entity: &vm, recursion: "self" });
    let events = client.events(object!(EventFilterSpec { entity: by }));
    let expected = [
        "VmBeingCreatedEvent",
        "VmInstanceUuidAssignedEvent",
        "VmUuidAssignedEvent",
        "VmMacAssignedEvent",
        "VmCreatedEvent",
        "VmStartingEvent",
        "VmPoweredOnEvent",
    ];
    assert_eq!(types(&events), expected);
    assert!(events.iter().all(|it| number(it, "chainId") == number(&events[0], "key")));
    let all = client.events(object!(EventFilterSpec {}));
    assert_eq!(all[0].ty(), ty::ServerStartedSessionEvent);
    let many = Client::with(|config| config.model.vm = 600);
    let filter = object!(EventFilterSpec { eventTypeId: vec!["VmEvent"] });
    assert!(many.events(filter).is_empty());
}

#[test]
fn a_clone_is_told_of_its_source_and_of_itself() {
    let client = Client::new();
    let source = client.named("DC0_H0_VM0");
    let (task, events) = clone(&client, &source, "copy", clone_spec(&client, false, true));
    let expected = [
        "TaskEvent",
        "VmBeingClonedEvent",
        "VmInstanceUuidAssignedEvent",
        "VmUuidAssignedEvent",
        "VmMacAssignedEvent",
        "VmClonedEvent",
    ];
    assert_eq!(types(&events), expected);
    assert_eq!(message(&events[1]), "Cloning DC0_H0_VM0 on DC0_H0 in DC0 to copy in vm on DC0_H0");
    assert_eq!(message(&events[5]), "copy on DC0_H0 in DC0 was cloned from DC0_H0_VM0");
    let info = client.get(&task, "info").unwrap();
    let made = info.as_object().unwrap().field("result").and_then(Value::as_moref).unwrap();
    let told = first(&events, ty::VmClonedEvent).field("vm").and_then(Value::as_object);
    assert_eq!(told.and_then(|it| it.field("vm")).and_then(Value::as_moref), Some(made));

    // The copy is started by another task.
    let all = client.events(object!(EventFilterSpec {}));
    let starting = all.iter().rfind(|it| it.ty() == ty::VmStartingEvent).unwrap();
    let chain = object!(EventFilterSpec { eventChainId: number(starting, "chainId") });
    let start = client.events(chain);
    assert_eq!(types(&start), ["TaskEvent", "VmStartingEvent", "VmPoweredOnEvent"]);
    assert_eq!(text(&start[0], "info.descriptionId"), "Datacenter.ExecuteVmPowerOnLRO");
    assert_eq!(text(&start[0], "info.parentTaskKey"), task.id());
    assert_eq!(text(&start[0], "info.rootTaskKey"), task.id());
    assert_eq!((text(&start[0], "userName"), text(&start[2], "vm.name")), ("tester", "copy"));

    let (_, events) = clone(&client, &source, "copy", clone_spec(&client, false, false));
    assert_eq!(types(&events), ["TaskEvent", "VmCloneFailedEvent"]);
    let reason = first(&events, ty::VmCloneFailedEvent).field("reason").cloned();
    let reason = reason.as_ref().and_then(Value::as_object).unwrap();
    let fault = reason.field("fault").and_then(Value::as_object).unwrap();
    assert_eq!(fault.ty(), ty::DuplicateName);
}

#[test]
fn a_cancelled_clone_has_failed() {
    let client = Client::with(|config| {
        config.delays.methods = vec![("CloneVM".to_owned(), Duration::from_secs(10))];
    });
    let (source, folder) = (client.named("DC0_H0_VM0"), client.named("vm"));
    let spec = clone_spec(&client, false, false);
    let args = args!(CloneVM_Task, folder: folder, name: "copy", spec: spec);
    let task = client.make(&source, args);
    client.call(&task, args!(CancelTask)).unwrap();
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "VmBeingClonedEvent", "VmCloneFailedEvent"]);
    assert!(message(&events[2]).ends_with(": The task was canceled by a user."));
}

#[test]
fn what_comes_from_a_template_is_deployed() {
    let client = Client::new();
    let source = client.named("DC0_H0_VM0");
    clone(&client, &source, "template", clone_spec(&client, true, false));
    let template = client.named("template");
    let (_, events) = clone(&client, &template, "deployed", clone_spec(&client, false, false));
    let expected = [
        "TaskEvent",
        "VmBeingDeployedEvent",
        "VmInstanceUuidAssignedEvent",
        "VmUuidAssignedEvent",
        "VmMacAssignedEvent",
        "VmDeployedEvent",
    ];
    assert_eq!(types(&events), expected);
    assert_eq!(
        message(&events[5]),
        "deployed on DC0_H0 in DC0 was deployed from template template"
    );
    let flags: Vec<_> = events
        .iter()
        .filter_map(|event| event.field("template").and_then(Value::as_bool))
        .collect();
    assert_eq!(flags, [false; 5]);
}

#[test]
fn moves_tell_where_from_and_where_to() {
    let client = Client::new();
    let vm = client.named("DC0_C0_RP0_VM0");
    let now = client.get(&vm, "runtime.host").unwrap();
    let hosts = client.get(&client.named("DC0_C0"), "host").unwrap();
    let other = hosts.morefs().find(|host| Some(*host) != now.as_moref()).unwrap().clone();
    let name = |mo: &MoRef| client.get(mo, "name").unwrap().as_str().unwrap().to_owned();
    let (from, to) = (name(now.as_moref().unwrap()), name(&other));
    let priority = vimsim::value::EnumValue::parse(ty::VirtualMachineMovePriority, "highPriority");
    let priority = Value::Enum(priority.unwrap());
    let task = client.run(&vm, args!(MigrateVM_Task, host: &other, priority: priority));
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "VmBeingHotMigratedEvent", "VmMigratedEvent"]);
    assert_eq!(text(&events[1], "destHost.name"), to);
    assert_eq!(text(&events[2], "sourceHost.name"), from);
    assert_eq!(text(&events[2], "host.name"), to);

    client.run(&vm, args!(PowerOffVM_Task));
    let back = object!(VirtualMachineRelocateSpec { host: now.as_moref() });
    let task = client.run(&vm, args!(RelocateVM_Task, spec: back));
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "VmBeingMigratedEvent", "VmMigratedEvent"]);
}

#[test]
fn an_evacuation_is_told_machine_by_machine() {
    let client = Client::new();
    let vm = client.named("DC0_C0_RP0_VM0");
    let host = client.get(&vm, "runtime.host").unwrap().as_moref().unwrap().clone();
    let task = client.run(&host, args!(EnterMaintenanceMode_Task, timeout: 0));
    let expected = ["TaskEvent", "EnteringMaintenanceModeEvent", "EnteredMaintenanceModeEvent"];
    assert_eq!(types(&client.chain(&task)), expected);
    let filter = object!(EventFilterSpec { eventTypeId: vec!["VmMigratedEvent"] });
    let events = client.events(filter);
    assert_eq!(types(&events).first(), Some(&"DrsVmMigratedEvent"));
    let by = object!(EventFilterSpec { eventChainId: number(&events[0], "chainId") });
    let expected = ["TaskEvent", "VmBeingHotMigratedEvent", "DrsVmMigratedEvent"];
    assert_eq!(types(&client.events(by)), expected);
}

#[test]
fn hosts_come_and_go() {
    let client = Client::new();
    let hosts = client.named("host");
    let spec = object!(HostConnectSpec { hostName: "new.example", force: false });
    let task =
        client.run(&hosts, args!(AddStandaloneHost_Task, spec: spec.clone(), addConnected: true));
    assert_eq!(types(&client.chain(&task)), ["TaskEvent", "HostAddedEvent", "HostConnectedEvent"]);
    let task = client.run(&hosts, args!(AddStandaloneHost_Task, spec: spec, addConnected: true));
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "HostAddFailedEvent"]);
    assert_eq!(message(&events[1]), "Cannot add host new.example in DC0");
    let snapshot = client.service.engine().snapshot();
    let host = snapshot.of_type(ty::HostSystem).map(|(mo, _)| mo).find(|mo| {
        use vimsim::inventory::Read;
        snapshot.text(mo, vimsim::path!(HostSystem, "name")) == "new.example"
    });
    let host = host.unwrap();
    let of = |args| types(&client.chain(&client.run(host, args)));
    let disconnected = of(args!(DisconnectHost_Task));
    assert_eq!(disconnected, ["TaskEvent", "HostDisconnectedEvent"]);
    assert_eq!(of(args!(ReconnectHost_Task)), ["TaskEvent", "HostConnectedEvent"]);
    assert_eq!(of(args!(ReconnectHost_Task)), ["TaskEvent", "HostReconnectionFailedEvent"]);
    let down = of(args!(ShutdownHost_Task, force: true));
    assert_eq!(down, ["TaskEvent", "HostShutdownEvent", "HostConnectionLostEvent"]);
}

#[test]
fn custom_fields_are_told() {
    let client = Client::new();
    let manager = MoRef::new(ty::CustomFieldsManager, "CustomFieldsManager");
    let vm = client.named("DC0_H0_VM0");
    let field = client.call(&manager, args!(AddCustomFieldDef, name: "owner")).unwrap().unwrap();
    let key = number(field.as_object().unwrap(), "key");
    let set = |value: &str| args!(SetField, entity: &vm, key: key, value: value);
    client.call(&manager, set("ann")).unwrap();
    client.call(&vm, args!(setCustomValue, key: "owner", value: "bob")).unwrap();
    client.call(&manager, args!(RenameCustomFieldDef, key: key, name: "team")).unwrap();
    client.call(&manager, args!(RemoveCustomFieldDef, key: key)).unwrap();
    let filter = object!(EventFilterSpec { eventTypeId: vec!["CustomFieldEvent"] });
    let events = client.events(filter);
    let messages: Vec<&str> = events.iter().map(message).collect();
    let expected = [
        "Created custom field owner",
        "Field owner of DC0_H0_VM0 is now ann",
        "Field owner of DC0_H0_VM0 is now bob",
        "Renamed custom field owner to team",
        "Removed custom field team",
    ];
    assert_eq!(messages, expected);
    assert_eq!(text(&events[2], "prevState"), "ann");
    assert!(events.iter().all(|event| text(event, "userName") == "tester"));
}

#[test]
fn files_are_told() {
    let client = Client::new();
    let (manager, datacenter) = (MoRef::new(ty::FileManager, "FileManager"), client.named("DC0"));
    let folder = "[LocalDS_0] a";
    client.call(&manager, args!(MakeDirectory, name: folder, datacenter: &datacenter)).unwrap();
    let task = client.run(
        &manager,
        args!(
            MoveDatastoreFile_Task,
            sourceName: folder,
            sourceDatacenter: &datacenter,
            destinationName: "[LocalDS_0] b",
        ),
    );
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "DatastoreFileMovedEvent"]);
    assert_eq!(text(&events[1], "ds.name"), "LocalDS_0");
    let delete = args!(DeleteDatastoreFile_Task, name: "[LocalDS_0] b", datacenter: &datacenter);
    let task = client.run(&manager, delete);
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "DatastoreFileDeletedEvent"]);
    assert_eq!(message(&events[1]), "Deleted [LocalDS_0] b on LocalDS_0 in DC0");
}

#[test]
fn roles_and_permissions_are_told() {
    let client = Client::new();
    let manager = MoRef::new(ty::AuthorizationManager, "AuthorizationManager");
    let vm = client.named("DC0_H0_VM0");
    let strings = |texts: &[&str]| {
        vimsim::value::Array::new(ty::STRING, texts.iter().map(|text| Value::from(*text)).collect())
    };
    let add = args!(AddAuthorizationRole, name: "ops", privIds: strings(&["Task.Create"]));
    let role = client.call(&manager, add).unwrap().unwrap().as_i32().unwrap();
    let grant = |propagate: bool| {
        let permission = object!(Permission {
            principal: "ann",
            group: false,
            roleId: role,
            propagate: propagate,
        });
        let list = vimsim::value::Array::new(ty::Permission, vec![permission.into()]);
        args!(SetEntityPermissions, entity: &vm, permission: list)
    };
    client.call(&manager, grant(true)).unwrap();
    client.call(&manager, grant(true)).unwrap();
    client.call(&manager, grant(false)).unwrap();
    let update = args!(
        UpdateAuthorizationRole,
        roleId: role,
        newName: "operators",
        privIds: strings(&["Task.Update"]),
    );
    client.call(&manager, update).unwrap();
    let remove = args!(RemoveAuthorizationRole, roleId: role, failIfUsed: false);
    client.call(&manager, remove).unwrap();
    let events =
        client.events(object!(EventFilterSpec { eventTypeId: vec!["AuthorizationEvent"] }));
    let expected = [
        "RoleAddedEvent",
        "PermissionAddedEvent",
        "PermissionUpdatedEvent",
        "RoleUpdatedEvent",
        "RoleRemovedEvent",
        "PermissionRemovedEvent",
    ];
    assert_eq!(types(&events), expected);
    assert_eq!(text(&events[2], "role.name"), "ops");
    assert_eq!(events[2].field("prevPropagate"), Some(&Value::Boolean(true)));
    assert_eq!(text(&events[3], "prevRoleName"), "ops");
    let added = events[3].field("privilegesAdded").map(Value::items).unwrap_or_default();
    assert_eq!(added, [Value::from("Task.Update")]);
    // The last two are one change, and one chain.
    assert_eq!(number(&events[5], "chainId"), number(&events[4], "key"));
}

#[test]
fn a_restricted_user_sees_what_is_below_the_permissions() {
    let users = r#"{
        "users": {"root": {"password": "secret"}, "owner": {"password": "secret"}},
        "permissions": [
            {"user": "root", "role": "Admin"},
            {"user": "owner", "role": "Admin", "entity": "/DC0/vm/DC0_H0_VM0"}
        ]
    }"#;
    let access = vimsim::config::Access::parse(users).unwrap();
    let config = vimsim::Config {
        access: Some(access),
        clock: vimsim::config::ClockMode::Stepped,
        seed: Some(7),
        ..vimsim::Config::default()
    };
    let service = vimsim::vsphere::Service::new(config).unwrap();
    let (root, owner) = (Client::of(&service, "root"), Client::of(&service, "owner"));
    for name in ["DC0_H0_VM0", "DC0_H0_VM1"] {
        root.run(&root.named(name), args!(PowerOffVM_Task));
    }
    let filter = || object!(EventFilterSpec { eventTypeId: vec!["VmPoweredOffEvent"] });
    assert_eq!(root.events(filter()).len(), 2);
    let seen = owner.events(filter());
    assert_eq!(seen.iter().map(|it| text(it, "vm.name")).collect::<Vec<_>>(), ["DC0_H0_VM0"]);
    // Of logins only the own one.
    let logins = object!(EventFilterSpec { eventTypeId: vec!["UserLoginSessionEvent"] });
    let logins = owner.events(logins);
    assert_eq!(logins.iter().map(|it| text(it, "userName")).collect::<Vec<_>>(), ["owner"]);
    let latest = owner.get(&owner.manager(), "latestEvent").unwrap();
    assert_eq!(text(latest.as_object().unwrap(), "vm.name"), "DC0_H0_VM0");
    let args = args!(CreateCollectorForEvents, filter: filter());
    let collector = owner.make(&owner.manager(), args);
    let page = owner.get(&collector, "latestPage");
    assert_eq!(super::world::objects(page.as_ref()).len(), 1);
}

/// The ids of the events that the schema has no types for.
fn extended(events: &[Object]) -> Vec<&str> {
    let known = events.iter().filter(|it| it.ty() == ty::EventEx);
    known.map(|it| text(it, "eventTypeId")).collect()
}

#[test]
fn a_revert_is_told_with_the_snapshot() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let create = args!(
        CreateSnapshot_Task,
        name: "first",
        description: "",
        memory: false,
        quiesce: false
    );
    let task = client.run(&vm, create);
    assert_eq!(types(&client.chain(&task)), ["TaskEvent"], "of the others their tasks tell");
    let info = client.get(&task, "info").unwrap();
    let snapshot = info.as_object().unwrap().field("result").and_then(Value::as_moref).unwrap();
    let snapshot = snapshot.clone();
    let task = client.run(&snapshot, args!(RevertToSnapshot_Task));
    let events = client.chain(&task);
    assert_eq!(extended(&events), ["com.vmware.vc.vm.VmStateRevertedToSnapshot"]);
    let told = first(&events, ty::EventEx);
    let said = "DC0_H0_VM0 has been reverted to the state of snapshot first, with ID 1";
    assert_eq!((message(told), text(told, "vm.name")), (said, "DC0_H0_VM0"));
    let remove = args!(RemoveSnapshot_Task, removeChildren: false, consolidate: false);
    let task = client.run(&snapshot, remove);
    assert_eq!(extended(&client.chain(&task)), ["com.vmware.vc.VmDiskConsolidationNeeded"]);
    let task = client.run(&vm, args!(ConsolidateVMDisks_Task));
    assert_eq!(extended(&client.chain(&task)), ["com.vmware.vc.VmDiskConsolidatedEvent"]);
    let task = client.run(&vm, args!(RevertToCurrentSnapshot_Task));
    assert_eq!(
        extended(&client.chain(&task)),
        ["com.vmware.vc.vm.VmStateFailedToRevertToSnapshot"]
    );
}

#[test]
fn templates_tell_when_they_become_machines() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let pool = client.get(&vm, "resourcePool").unwrap();
    client.run(&vm, args!(PowerOffVM_Task));
    client.call(&vm, args!(MarkAsTemplate)).unwrap();
    client.call(&vm, args!(MarkAsVirtualMachine, pool: pool)).unwrap();
    let filter = object!(EventFilterSpec { eventTypeId: vec!["EventEx"] });
    let events = client.events(filter);
    let expected = [
        "com.vmware.vc.vm.VmConvertedToTemplateEvent",
        "com.vmware.vc.vm.TemplateConvertedToVmEvent",
    ];
    assert_eq!(extended(&events), expected);
    assert!(events.iter().all(|it| text(it, "userName") == "tester"));
}
