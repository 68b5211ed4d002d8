//! `CreateTask` with all its arguments and faults, and `TaskInfo` to the letter.

use vimsim::fault::Fault;
use vimsim::path;
use vimsim::schema::{method, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::{enum_value, object};

use vimsim::vsphere::{Call, Caller};

use super::client::*;

fn info(client: &Client, args: Args) -> Object {
    let answer = client.call(&client.manager(), args).unwrap().unwrap();
    answer.as_object().unwrap().clone()
}

fn text<'o>(info: &'o Object, field: &str) -> Option<&'o str> {
    info.field(field).and_then(Value::as_str)
}

#[test]
fn a_task_is_what_was_asked_for() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let plain = info(&client, args!(CreateTask, obj: &vm, taskTypeId: KIND, cancelable: false));
    let now = client.service.engine().now();
    let chain = plain.field("eventChainId").cloned();
    assert!(chain.as_ref().and_then(Value::as_i32).is_some_and(|chain| chain > 0));
    let mut expected = object!(TaskInfo {
        key: "task-1",
        task: MoRef::new(ty::Task, "task-1"),
        descriptionId: KIND,
        entity: &vm,
        entityName: "DC0_H0_VM0",
        state: enum_value!(TaskInfoState::queued),
        cancelled: false,
        cancelable: false,
        reason: object!(TaskReasonUser { userName: "alice" }),
        queueTime: now,
    })
    .edit();
    expected.set(const { ty::TaskInfo.slot("eventChainId") }, chain);
    assert_eq!(plain, expected.finish());

    let child = info(
        &client,
        args!(
            CreateTask,
            obj: &vm,
            taskTypeId: KIND,
            initiatedBy: "DOMAIN\\carol",
            cancelable: true,
            parentTaskKey: "task-1",
            activationId: "token-1",
        ),
    );
    assert_eq!(child.field("cancelable"), Some(&Value::Boolean(true)));
    assert_eq!(text(&child, "activationId"), Some("token-1"));
    assert_eq!(
        (text(&child, "parentTaskKey"), text(&child, "rootTaskKey")),
        (Some("task-1"), Some("task-1"))
    );
    assert_eq!(child.field("name"), None);
    let reason = child.field("reason").and_then(Value::as_object).unwrap();
    assert_eq!(text(reason, "userName"), Some("DOMAIN\\carol"));
    let grandchild = info(
        &client,
        args!(CreateTask, obj: &vm, taskTypeId: KIND, cancelable: true, parentTaskKey: "task-2"),
    );
    assert_eq!(
        (text(&grandchild, "parentTaskKey"), text(&grandchild, "rootTaskKey")),
        (Some("task-2"), Some("task-1"))
    );
    // The reply is the task as it is.
    let task = MoRef::new(ty::Task, "task-3");
    assert_eq!(client.read(&task, "info"), Some(Value::Object(grandchild)));
}

#[test]
fn what_the_caller_marks_is_on_tasks_and_events() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let marked = |this: &MoRef, (method, args): Args| {
        let mut caller = Caller::anonymous(client.service.version());
        caller.session = Some(client.session.clone());
        caller.activation_id = Some("from-the-header".into());
        caller.change_tag = Some("ticket 7".into());
        let call = Call { this: this.clone(), method, args: args.into(), caller };
        now(client.service.call(&call)).unwrap().unwrap()
    };
    let of = |task: &MoRef| client.read(task, "info").unwrap().as_object().unwrap().clone();
    let task = marked(&vm, args!(PowerOffVM_Task));
    let shown = of(task.as_moref().unwrap());
    assert_eq!(text(&shown, "activationId"), Some("from-the-header"));
    assert_eq!(text(&shown, "changeTag"), Some("ticket 7"));
    // What the argument says goes before what the message says.
    let own = args!(CreateTask, obj: &vm, taskTypeId: KIND, cancelable: true, activationId: "own");
    let own = marked(&client.manager(), own);
    assert_eq!(text(own.as_object().unwrap(), "activationId"), Some("own"));
    assert_eq!(text(own.as_object().unwrap(), "changeTag"), Some("ticket 7"));
    let field = args!(AddCustomFieldDef, name: "owner");
    marked(&MoRef::new(ty::CustomFieldsManager, "CustomFieldsManager"), field);
    let state = client.snapshot();
    let log = vimsim::engine::events_in(&state).unwrap();
    let tagged: Vec<&str> = log
        .iter()
        .filter(|event| event.tag.as_deref() == Some("ticket 7"))
        .map(|event| event.ty.name())
        .collect();
    let expected = [
        "TaskEvent",
        "VmStoppingEvent",
        "VmPoweredOffEvent",
        "TaskEvent",
        "CustomFieldDefAddedEvent",
    ];
    assert_eq!(tagged, expected);
}

#[test]
fn a_parent_may_be_over_and_gone() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    client.task(&vm, "success");
    client.pass(2 * 24 * 3600 * SECOND);
    assert!(client.service.engine().task(&MoRef::new(ty::Task, "task-1")).is_none());
    let args =
        args!(CreateTask, obj: &vm, taskTypeId: KIND, cancelable: false, parentTaskKey: "task-1");
    assert_eq!(text(&info(&client, args), "rootTaskKey"), Some("task-1"));
}

#[test]
fn what_is_not_there_is_refused() {
    let client = Client::new();
    let (vm, manager) = (client.named("DC0_H0_VM0"), client.manager());
    let gone = MoRef::new(ty::VirtualMachine, "vm-999");
    let create = |obj: &MoRef, kind: &str, parent: &str| {
        let args = args!(
            CreateTask,
            obj: obj,
            taskTypeId: kind,
            cancelable: true,
            parentTaskKey: parent,
        );
        client.refused(&manager, args)
    };
    assert_eq!(create(&gone, KIND, ""), Fault::not_found(&gone));
    assert_eq!(create(&vm, "com.example.unknown", ""), Fault::invalid_argument("taskType"));
    for key in ["task-7", "nonsense"] {
        assert_eq!(create(&vm, KIND, key), Fault::invalid_argument("parentTaskKey"));
    }
    assert_eq!(client.service.engine().tasks().len(), 0, "nothing was made");
}

#[test]
fn extensions_say_what_their_tasks_are_called() {
    let client = Client::new();
    let manager = MoRef::new(ty::ExtensionManager, "ExtensionManager");
    let pair = |key: &str, value: &str| object!(KeyValue { key: key, value: value });
    let texts = |locale: &str, label: &str| {
        object!(ExtensionResourceInfo {
            locale: locale,
            module: "task",
            data: vec![pair("com.example.scan.label", label)],
        })
    };
    let extension = object!(Extension {
        description: object!(Description { label: "Scanner", summary: "Scans" }),
        key: "com.example",
        version: "1.0",
        lastHeartbeatTime: client.service.engine().now(),
        taskList: vec![
            object!(ExtensionTaskTypeInfo { taskID: "com.example.scan" }),
            object!(ExtensionTaskTypeInfo { taskID: "com.example.bare" }),
        ],
        resourceList: vec![texts("de", "Durchsuchen"), texts("en", "Scan")],
    });
    client.watch(&client.manager(), "description");
    let mut version = String::new();
    assert!(client.told(&mut version));
    client.call(&manager, args!(RegisterExtension, extension: extension)).unwrap();
    assert!(client.told(&mut version), "the description has changed");
    let label = |id: &str| {
        let description = client.read(&client.manager(), "description").unwrap();
        let methods = description
            .as_object()
            .unwrap()
            .at(path!(TaskDescription, "methodInfo"))
            .unwrap()
            .clone();
        let mut methods = methods.items().iter().filter_map(Value::as_object);
        methods
            .find(|known| text(known, "key") == Some(id))
            .and_then(|k| text(k, "label").map(str::to_owned))
    };
    assert_eq!(label("com.example.scan").as_deref(), Some("Scan"));
    assert_eq!(label("com.example.bare").as_deref(), Some("com.example.bare"));
    assert_eq!(label("VirtualMachine.powerOn").as_deref(), Some("Power On virtual machine"));
    let args = args!(
        CreateTask,
        obj: client.named("DC0"),
        taskTypeId: "com.example.scan",
        cancelable: false,
    );
    client.call(&client.manager(), args).unwrap();
    client.call(&manager, args!(UnregisterExtension, extensionKey: "com.example")).unwrap();
    assert!(client.told(&mut version));
    assert_eq!(label("com.example.scan"), None);
}

#[test]
fn progress_has_details_and_both_end_with_the_work() {
    let client = Client::new();
    let task = client.task(&client.named("DC0"), "running");
    let engine = client.service.engine();
    let detail = object!(KeyAnyValue { key: "disk", value: Value::from(3) });
    let details = vimsim::value::Array::new(ty::KeyAnyValue, vec![detail.into()]);
    engine.change(&task, vimsim::task::Command::Details(Some(details.clone()))).unwrap();
    client.call(&task, args!(UpdateProgress, percentDone: 101)).unwrap();
    let read =
        |property| client.call(&task, (method::Fetch, vec![Some(Value::from(property))])).unwrap();
    assert_eq!(read("info.progressDetails"), Some(Value::Array(details)));
    assert_eq!(read("info.progress"), Some(Value::Int(100)));
    client.set_state(&task, "success");
    assert_eq!(read("info.progress"), None);
    assert_eq!(read("info.progressDetails").map_or(0, |left| left.items().len()), 0);
}
