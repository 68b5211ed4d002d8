//! What operations post, and how it hangs together.

use std::time::Duration;

use vimsim::fault::Fault;
use vimsim::inventory::Read;
use vimsim::object;
use vimsim::path;
use vimsim::schema::ty;
use vimsim::value::{Array, MoRef, Object, Value};

use super::world::{Client, args, first, keys, message, number, text, types};

#[test]
fn a_power_off_is_a_chain_that_its_task_begins() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let task = client.run(&vm, args!(PowerOffVM_Task));
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "VmStoppingEvent", "VmPoweredOffEvent"]);
    let chain = number(&events[0], "key");
    for event in &events {
        assert_eq!(number(event, "chainId"), chain);
        assert_eq!(text(event, "userName"), "tester");
        assert_eq!(text(event, "vm.name"), "DC0_H0_VM0");
        assert_eq!(text(event, "host.name"), "DC0_H0");
        assert_eq!(text(event, "computeResource.name"), "DC0_H0");
        assert_eq!(text(event, "datacenter.name"), "DC0");
    }
    assert_eq!(message(&events[2]), "DC0_H0_VM0 on DC0_H0 in DC0 is powered off");
    let template = events[2].field("template").and_then(Value::as_bool);
    assert_eq!(template, Some(false));
    // The task as it was when it came into being.
    let info = events[0].field("info").and_then(Value::as_object).unwrap();
    assert_eq!(text(info, "key"), task.id());
    assert_eq!(text(info, "state"), "queued");
    assert_eq!(number(info, "eventChainId"), chain);
    assert_eq!(info.field("startTime"), None);
}

#[test]
fn power_operations_say_what_they_do_and_when() {
    let client = Client::with(|config| {
        config.delays.methods = vec![("SuspendVM".to_owned(), Duration::from_secs(10))];
    });
    let vm = client.named("DC0_H0_VM0");
    let task = client.make(&vm, args!(SuspendVM_Task));
    assert_eq!(types(&client.chain(&task)), ["TaskEvent", "VmSuspendingEvent"]);
    client.service.engine().advance(Duration::from_secs(10)).unwrap();
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "VmSuspendingEvent", "VmSuspendedEvent"]);
    let time = |event: &Object| event.field("createdTime").and_then(Value::as_date_time).unwrap();
    assert_eq!(time(&events[2]).since(time(&events[1])), Duration::from_secs(10));

    let resumed = client.run(&vm, args!(PowerOnVM_Task));
    let expected = ["TaskEvent", "VmResumingEvent", "VmPoweredOnEvent"];
    assert_eq!(types(&client.chain(&resumed)), expected);
    let reset = client.run(&vm, args!(ResetVM_Task));
    assert_eq!(types(&client.chain(&reset)), ["TaskEvent", "VmResettingEvent"]);
    client.run(&vm, args!(PowerOffVM_Task));
    let started = client.run(&vm, args!(PowerOnVM_Task));
    let expected = ["TaskEvent", "VmStartingEvent", "VmPoweredOnEvent"];
    assert_eq!(types(&client.chain(&started)), expected);
}

#[test]
fn what_fails_says_why() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let task = client.run(&vm, args!(PowerOnVM_Task));
    let events = client.chain(&task);
    // That it was about to start is taken back with the attempt.
    assert_eq!(types(&events), ["TaskEvent", "VmFailedToPowerOnEvent"]);
    let reason = events[1].field("reason").and_then(Value::as_object).unwrap();
    let fault = reason.field("fault").and_then(Value::as_object).unwrap();
    assert_eq!(fault.ty(), ty::InvalidPowerState);
    assert_eq!(
        message(&events[1]),
        "Cannot power on DC0_H0_VM0 on DC0_H0 in DC0: The attempted operation cannot be \
         performed in the current state (Powered on)."
    );
    client.run(&vm, args!(PowerOffVM_Task));
    for (args, expected) in [
        (args!(PowerOffVM_Task), "VmFailedToPowerOffEvent"),
        (args!(ResetVM_Task), "VmFailedToResetEvent"),
        (args!(SuspendVM_Task), "VmFailedToSuspendEvent"),
    ] {
        let task = client.run(&vm, args);
        assert_eq!(types(&client.chain(&task)), ["TaskEvent", expected]);
    }
}

#[test]
fn an_event_of_a_change_that_is_taken_back_never_existed() {
    let client = Client::new();
    let before = keys(&client.events(object!(EventFilterSpec {})));
    let root = client.service.content().root_folder.clone();
    let failed: Result<(), Fault> = client.service.engine().commit(|tx| {
        let scene = vimsim::event::Scene::default();
        tx.post(vimsim::event::EventDraft::new(&object!(GeneralEvent { message: "x" }), scene));
        assert_eq!(tx.events().len(), before.len() + 1);
        Err(Fault::invalid_state())
    });
    assert!(failed.is_err());
    assert_eq!(keys(&client.events(object!(EventFilterSpec {}))), before);
    // Nor does it leave a gap.
    client.call(&client.manager(), args!(LogUserEvent, entity: &root, msg: "hello")).unwrap();
    let after = keys(&client.events(object!(EventFilterSpec {})));
    assert_eq!(after.last().copied(), before.last().map(|last| last + 1));
}

#[test]
fn numbers_rise_with_the_commits() {
    let client = Client::new();
    for name in ["DC0_H0_VM0", "DC0_H0_VM1", "DC0_C0_RP0_VM0"] {
        client.run(&client.named(name), args!(PowerOffVM_Task));
    }
    let events = client.events(object!(EventFilterSpec {}));
    assert!(keys(&events).is_sorted_by(|a, b| a < b));
    let times: Vec<_> =
        events.iter().filter_map(|it| it.field("createdTime")?.as_date_time()).collect();
    assert!(times.is_sorted() && times.len() == events.len());
}

fn create(client: &Client, name: &str) -> (MoRef, MoRef) {
    let folder = client.named("vm");
    let pool = client.get(&client.named("DC0_H0_VM0"), "resourcePool").unwrap();
    let card = object!(VirtualDeviceConfigSpec {
        operation: "add",
        device: object!(VirtualE1000 {
            key: -1,
            backing: object!(VirtualEthernetCardNetworkBackingInfo { deviceName: "VM Network" }),
        }),
    });
    let spec = object!(VirtualMachineConfigSpec {
        name: name,
        files: object!(VirtualMachineFileInfo { vmPathName: "[LocalDS_0]" }),
        deviceChange: vec![card],
    });
    let task = client.run(&folder, args!(CreateVM_Task, config: spec, pool: pool));
    let info = client.get(&task, "info").unwrap();
    let result = info.as_object().unwrap().field("result").and_then(Value::as_moref);
    (task, result.unwrap_or_else(|| panic!("{info:?}")).clone())
}

#[test]
fn a_new_machine_is_told_with_its_identities() {
    let client = Client::new();
    let (task, vm) = create(&client, "new");
    let events = client.chain(&task);
    let expected = [
        "TaskEvent",
        "VmBeingCreatedEvent",
        "VmInstanceUuidAssignedEvent",
        "VmUuidAssignedEvent",
        "VmMacAssignedEvent",
        "VmCreatedEvent",
    ];
    assert_eq!(types(&events), expected);
    let snapshot = client.service.engine().snapshot();
    let uuid = snapshot.text(&vm, path!(VirtualMachine, "config.uuid"));
    assert_eq!(text(&events[3], "uuid"), uuid);
    assert_eq!(text(&events[4], "adapter"), "Network adapter 1");
    assert!(text(&events[4], "mac").contains(':'));
    assert_eq!(message(&events[5]), "Created new on DC0_H0 in DC0");
    assert_eq!(text(&events[0], "info.entityName"), "vm");
}

#[test]
fn a_reconfiguration_tells_what_has_changed() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    client.run(&vm, args!(PowerOffVM_Task));
    let spec = object!(VirtualMachineConfigSpec { memoryMB: 128, name: "other" });
    let task = client.run(&vm, args!(ReconfigVM_Task, spec: spec.clone()));
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "VmRenamedEvent", "VmReconfiguredEvent"]);
    assert_eq!(message(&events[1]), "Renamed DC0_H0_VM0 to other on DC0_H0 in DC0");
    let held = events[2].field("configSpec").and_then(Value::as_object);
    assert_eq!(held, Some(&spec));
    let modified = text(&events[2], "configChanges.modified");
    assert!(modified.contains("config.hardware.memoryMB: 32 -> 128;"), "{modified}");
    assert!(modified.contains("config.name: DC0_H0_VM0 -> other;"), "{modified}");
}

#[test]
fn renaming_and_removing_are_told_by_kind() {
    let client = Client::new();
    for (name, renamed, expected) in [
        ("DC0_H0_VM0", "a", "VmRenamedEvent"),
        ("DC0", "b", "DatacenterRenamedEvent"),
        ("LocalDS_0", "c", "DatastoreRenamedEvent"),
        ("DVS0", "d", "DvsRenamedEvent"),
        ("DC0_DVPG0", "e", "DVPortgroupRenamedEvent"),
        ("DC0_C0", "f", "ClusterReconfiguredEvent"),
    ] {
        let entity = client.named(name);
        let task = client.run(&entity, args!(Rename_Task, newName: renamed));
        let events = client.chain(&task);
        assert_eq!(types(&events), ["TaskEvent", expected], "{name}");
        if expected != "ClusterReconfiguredEvent" {
            assert_eq!((text(&events[1], "oldName"), text(&events[1], "newName")), (name, renamed));
        }
    }
    let vm = client.named("a");
    client.run(&vm, args!(PowerOffVM_Task));
    let task = client.run(&vm, args!(Destroy_Task));
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "VmRemovedEvent"]);
    // It is told where it was, although it is nowhere any more.
    assert_eq!(message(&events[1]), "Removed a on DC0_H0 in b");
}

#[test]
fn what_goes_with_a_cluster_is_told_one_by_one() {
    let client = Client::new();
    for name in ["DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1"] {
        client.run(&client.named(name), args!(PowerOffVM_Task));
    }
    let cluster = client.named("DC0_C0");
    let task = client.run(&cluster, args!(Destroy_Task));
    let events = client.chain(&task);
    let count = |of| events.iter().filter(|event| event.ty() == of).count();
    assert_eq!(count(ty::VmRemovedEvent), 2, "{:?}", types(&events));
    assert_eq!(count(ty::HostRemovedEvent), 3);
    assert_eq!(count(ty::ClusterDestroyedEvent), 1);
}

#[test]
fn pools_and_datacenters_are_told_without_a_task() {
    let client = Client::new();
    let parent = client.get(&client.named("DC0_C0"), "resourcePool").unwrap();
    let parent = parent.as_moref().unwrap();
    let spec = object!(ResourceConfigSpec {
        cpuAllocation: object!(ResourceAllocationInfo { reservation: 0, limit: -1 }),
        memoryAllocation: object!(ResourceAllocationInfo { reservation: 0, limit: -1 }),
    });
    let pool = client.make(parent, args!(CreateResourcePool, name: "p", spec: spec.clone()));
    let changed = object!(ResourceConfigSpec {
        cpuAllocation: object!(ResourceAllocationInfo { reservation: 5, limit: -1 }),
        memoryAllocation: object!(ResourceAllocationInfo { reservation: 0, limit: -1 }),
    });
    client.call(&pool, args!(UpdateConfig, config: changed)).unwrap();
    let vm = client.named("DC0_C0_RP0_VM0");
    let list = Array::of_refs(std::slice::from_ref(&vm));
    client.call(&pool, args!(MoveIntoResourcePool, list: list)).unwrap();
    client.run(&pool, args!(Destroy_Task));
    let filter = object!(EventFilterSpec {
        eventTypeId: vec!["ResourcePoolEvent", "VmResourcePoolMovedEvent"],
    });
    let events = client.events(filter);
    let expected = [
        "ResourcePoolCreatedEvent",
        "ResourcePoolReconfiguredEvent",
        "VmResourcePoolMovedEvent",
        "ResourcePoolDestroyedEvent",
    ];
    assert_eq!(types(&events), expected);
    assert_eq!(message(&events[0]), "Created resource pool p in Resources on DC0_C0 in DC0");
    let modified = text(&events[1], "configChanges.modified");
    assert!(modified.contains("config.cpuAllocation.reservation: 0 -> 5;"), "{modified}");
    assert_eq!(text(&events[2], "newParent.name"), "p");
    // What is done at once is by its caller, and a chain of its own.
    assert_eq!(text(&events[0], "userName"), "tester");
    assert_eq!(number(&events[0], "chainId"), number(&events[0], "key"));

    let root = client.service.content().root_folder.clone();
    client.make(&root, args!(CreateDatacenter, name: "DC1"));
    let events = client.events(object!(EventFilterSpec { eventTypeId: vec!["DatacenterEvent"] }));
    assert_eq!(message(&events[0]), "Created datacenter DC1 in folder Datacenters");
}

#[test]
fn maintenance_is_told_from_its_beginning_to_any_end() {
    let client = Client::new();
    let host = client.named("DC0_H0");
    let host = client
        .get(&host, "host")
        .map_or(host.clone(), |hosts| hosts.morefs().next().cloned().unwrap_or(host));
    let enter = |timeout: i32| args!(EnterMaintenanceMode_Task, timeout: timeout);
    // Machines run on the host, so the task waits.
    let task = client.make(&host, enter(0));
    assert_eq!(types(&client.chain(&task)), ["TaskEvent", "EnteringMaintenanceModeEvent"]);
    client.call(&task, args!(CancelTask)).unwrap();
    let expected = ["TaskEvent", "EnteringMaintenanceModeEvent", "CanceledHostOperationEvent"];
    assert_eq!(types(&client.chain(&task)), expected);

    let task = client.make(&host, enter(30));
    client.service.engine().advance(Duration::from_secs(30)).unwrap();
    let events = client.chain(&task);
    let expected = [
        "TaskEvent",
        "EnteringMaintenanceModeEvent",
        "TimedOutHostOperationEvent",
        "TaskTimeoutEvent",
    ];
    assert_eq!(types(&events), expected);
    assert_eq!(text(&events[3], "info.state"), "error");

    for name in ["DC0_H0_VM0", "DC0_H0_VM1"] {
        client.run(&client.named(name), args!(PowerOffVM_Task));
    }
    let task = client.run(&host, enter(0));
    let expected = ["TaskEvent", "EnteringMaintenanceModeEvent", "EnteredMaintenanceModeEvent"];
    assert_eq!(types(&client.chain(&task)), expected);
    let task = client.run(&host, args!(ExitMaintenanceMode_Task, timeout: 0));
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "ExitMaintenanceModeEvent"]);
    assert_eq!(message(&events[1]), "Host DC0_H0 in DC0 has left maintenance mode");
}

#[test]
fn sessions_are_told() {
    let mut client = Client::with(|config| {
        config.login.username = Some("tester".to_owned());
        config.login.password = Some("secret".to_owned());
    });
    assert!(client.login("tester", "wrong").is_err());
    client.login("tester", "secret").unwrap();
    let other = Client::of(&client.service, "tester");
    let manager = client.service.content().session_manager.clone();
    let key = other.session.as_ref().unwrap().key.clone();
    let ids = Array::new(ty::STRING, vec![key.as_str().into()]);
    client.call(&manager, args!(TerminateSession, sessionId: ids)).unwrap();
    let events = client.events(object!(EventFilterSpec { eventTypeId: vec!["SessionEvent"] }));
    let expected = [
        "ServerStartedSessionEvent",
        "UserLoginSessionEvent",
        "BadUsernameSessionEvent",
        "UserLoginSessionEvent",
        "UserLoginSessionEvent",
        "SessionTerminatedEvent",
        "UserLogoutSessionEvent",
    ];
    assert_eq!(types(&events), expected);
    assert_eq!(message(&events[1]), "User tester@192.0.2.7 logged in as tests");
    assert_eq!(text(&events[5], "sessionId"), key.as_str());
    let logout = first(&events, ty::UserLogoutSessionEvent);
    assert_eq!(text(logout, "sessionId"), key.as_str());
    assert!(message(logout).starts_with("User tester@192.0.2.7 logged out after 0 calls since "));
}

#[test]
fn idle_sessions_are_told_to_have_ended() {
    let client = Client::new();
    client.service.engine().advance(Duration::from_secs(40 * 60)).unwrap();
    let other = Client::of(&client.service, "other");
    let events = other.events(object!(EventFilterSpec { eventTypeId: vec!["SessionEvent"] }));
    let users: Vec<_> = events.iter().map(|it| (it.ty().name(), text(it, "userName"))).collect();
    let expected = [
        ("ServerStartedSessionEvent", ""),
        ("UserLoginSessionEvent", "tester"),
        ("UserLogoutSessionEvent", "tester"),
        ("UserLoginSessionEvent", "other"),
    ];
    assert_eq!(users, expected);
}

#[test]
fn a_task_of_an_extension_has_its_event_too() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let manager = client.service.content().task_manager.clone();
    let kind = "com.vmware.govmomi.simulator.test";
    let args = args!(CreateTask, obj: &vm, taskTypeId: kind, cancelable: true);
    let info = client.call(&manager, args).unwrap().unwrap();
    let task = info.as_object().unwrap().field("task").and_then(Value::as_moref).unwrap();
    let events = client.chain(task);
    assert_eq!(types(&events), ["TaskEvent"]);
    assert!(message(&events[0]).starts_with("Task: "), "{}", message(&events[0]));
    let told = events[0].field("info").cloned();
    assert_eq!(told, Some(info));
}
