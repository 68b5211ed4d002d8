//! Every message of the class over the wire, with what it fails with.

use std::time::Duration;

use serde_json::{Value as Json, json};
use vimsim::fault::Fault;
use vimsim::value::{Str, Value};
use vimsim::xenapi::classes;

use super::{Client, Work};
use crate::xenapi::world::World;

/// The names that the class must answer to, besides getters of fields.
const MESSAGES: [&str; 18] = [
    "create",
    "destroy",
    "cancel",
    "set_status",
    "set_progress",
    "set_result",
    "set_error_info",
    "add_to_other_config",
    "remove_from_other_config",
    "set_other_config",
    "get_all",
    "get_all_records",
    "get_all_records_where",
    "get_all_where",
    "get_record",
    "get_by_uuid",
    "get_by_name_label",
    "get_uuid",
];

const FIELDS: [&str; 17] = [
    "uuid",
    "name_label",
    "name_description",
    "allowed_operations",
    "current_operations",
    "created",
    "finished",
    "status",
    "resident_on",
    "progress",
    "type",
    "result",
    "error_info",
    "other_config",
    "subtask_of",
    "subtasks",
    "backtrace",
];

#[tokio::test]
async fn all_messages_are_listed_and_no_others() {
    let world = World::start().await;
    let listed = world.raw("system.listMethods", json!([])).await.expect("the list");
    let mut own: Vec<&str> = listed
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Json::as_str)
        .filter_map(|name| name.strip_prefix("task."))
        .collect();
    let getters: Vec<String> = FIELDS.iter().map(|field| format!("get_{field}")).collect();
    let mut expected: Vec<&str> = MESSAGES.to_vec();
    expected.extend(getters.iter().map(String::as_str).filter(|name| *name != "get_uuid"));
    own.sort_unstable();
    expected.sort_unstable();
    assert_eq!(own, expected);
    let class = classes().iter().find(|class| class.name == "task").expect("the class");
    assert_eq!(class.fields.iter().map(|field| field.name).collect::<Vec<_>>(), FIELDS);
    world.stop().await;
}

#[tokio::test]
async fn a_new_task_has_all_its_fields_as_documented() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let task = client.create("Nightly backup").await;
    let record = client.record(&task).await;
    let host = client.ok("session.get_this_host", json!([client.session])).await;
    let uuid = record["uuid"].clone();
    assert_ne!(task, format!("OpaqueRef:{}", super::text(&uuid)));
    let expected = json!({
        "uuid": uuid,
        "name_label": "Nightly backup",
        "name_description": "for tests",
        "allowed_operations": [],
        "current_operations": {},
        "created": "20250101T00:00:00Z",
        "finished": "19700101T00:00:00Z",
        "status": "pending",
        "resident_on": host,
        "progress": 0.0,
        "type": "<none/>",
        "result": "",
        "error_info": [],
        "other_config": {},
        "subtask_of": "OpaqueRef:NULL",
        "subtasks": [],
        "backtrace": "()",
    });
    assert_eq!(record, expected);
    for field in FIELDS {
        assert_eq!(client.get(field, &task).await, expected[field], "{field}");
    }
    assert_eq!(client.ok("task.get_by_uuid", json!([uuid])).await, json!(task));
    let named = client.ok("task.get_by_name_label", json!(["Nightly backup"])).await;
    assert_eq!(named, json!([task]));
    assert_eq!(client.ok("task.get_by_name_label", json!(["nobody"])).await, json!([]));
    assert_eq!(client.ok("task.get_all", json!([])).await, json!([task]));
    assert_eq!(client.ok("task.get_all_records", json!([])).await, json!({ task: record }));
    world.stop().await;
}

#[tokio::test]
async fn the_setters_write_their_field_and_nothing_else() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let task = client.create("own").await;
    let mut expected = client.record(&task).await;
    let steps = [
        ("set_progress", "progress", json!(0.5)),
        ("set_progress", "progress", json!(-7.25)),
        ("set_result", "result", json!("<value>anything</value>")),
        ("set_error_info", "error_info", json!(["CODE", "1"])),
        ("set_status", "status", json!("success")),
        ("set_status", "status", json!("pending")),
        ("set_status", "status", json!("cancelling")),
        ("set_status", "status", json!("cancelled")),
        ("set_status", "status", json!("failure")),
        ("set_result", "result", json!("")),
        ("set_error_info", "error_info", json!([])),
        ("set_progress", "progress", json!(3.0)),
        ("set_other_config", "other_config", json!({ "a": "1" })),
    ];
    for (message, field, value) in steps {
        let answer = client.ok(&format!("task.{message}"), json!([task, value])).await;
        assert_eq!(answer, json!(""));
        expected[field] = value;
        assert_eq!(client.record(&task).await, expected, "{message}");
    }
    let wrong = client.error("task.set_status", json!([task, "queued"])).await;
    assert_eq!(wrong[0], "INTERNAL_ERROR");
    let wrong = client.error("task.set_progress", json!([task, "much"])).await;
    assert_eq!(wrong[0], "INTERNAL_ERROR");
    assert_eq!(
        client.error("task.set_resident_on", json!([task, ""])).await,
        ["MESSAGE_METHOD_UNKNOWN", "task.set_resident_on"]
    );
    world.stop().await;
}

#[tokio::test]
async fn other_config_is_a_map_with_messages_of_its_own() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let task = client.create("own").await;
    client.ok("task.add_to_other_config", json!([task, "k", "v"])).await;
    client.ok("task.add_to_other_config", json!([task, "l", "w"])).await;
    let twice = client.error("task.add_to_other_config", json!([task, "k", "x"])).await;
    assert_eq!(twice, ["MAP_DUPLICATE_KEY", "task", "other_config", &task, "k"]);
    client.ok("task.remove_from_other_config", json!([task, "nothing"])).await;
    client.ok("task.remove_from_other_config", json!([task, "l"])).await;
    assert_eq!(client.get("other_config", &task).await, json!({ "k": "v" }));
    let by = client.ok("Async.task.set_other_config", json!([task, { "z": "1" }])).await;
    assert_eq!(client.get("status", &super::text(&by)).await, json!("success"));
    assert_eq!(client.get("result", &super::text(&by)).await, json!("<value></value>"));
    assert_eq!(client.get("other_config", &task).await, json!({ "z": "1" }));
    world.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let none = "OpaqueRef:00000000-0000-4000-8000-000000000000";
    for message in ["get_record", "get_status", "destroy", "cancel", "get_subtasks"] {
        let error = client.error(&format!("task.{message}"), json!([none])).await;
        assert_eq!(error, ["HANDLE_INVALID", "task", none], "{message}");
    }
    for (message, value) in [
        ("set_status", json!("success")),
        ("set_progress", json!(1.0)),
        ("set_result", json!("")),
        ("set_error_info", json!([])),
        ("set_other_config", json!({})),
        ("remove_from_other_config", json!("k")),
    ] {
        let error = client.error(&format!("task.{message}"), json!([none, value])).await;
        assert_eq!(error, ["HANDLE_INVALID", "task", none], "{message}");
    }
    let error = client.error("task.get_by_uuid", json!(["no"])).await;
    assert_eq!(error, ["UUID_INVALID", "task", "no"]);
    let error = client.error("task.create", json!(["only a label"])).await;
    assert_eq!(error, ["MESSAGE_PARAMETER_COUNT_MISMATCH", "task.create", "2", "1"]);
    let error = client.error("Async.task.create", json!(["a", "b"])).await;
    assert_eq!(error, ["Fault", "No async mode for this operation (rpc: task.create)"]);
    let error = client.error("Async.task.get_all", json!([])).await;
    assert_eq!(error, ["Fault", "No async mode for this operation (rpc: task.get_all)"]);
    world.stop().await;
}

#[tokio::test]
async fn destroying_ends_the_view_at_once_or_as_soon_as_the_task_is_over() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let over = client.create("over").await;
    client.ok("task.set_status", json!([over, "failure"])).await;
    client.ok("task.destroy", json!([over])).await;
    assert_eq!(
        client.error("task.get_status", json!([over])).await,
        ["HANDLE_INVALID", "task", over.as_str()]
    );
    assert_eq!(client.error("task.destroy", json!([over])).await[0], "HANDLE_INVALID");
    let pending = client.create("pending").await;
    for _ in 0..2 {
        client.ok("task.destroy", json!([pending])).await;
        let operations = client.get("current_operations", &pending).await;
        assert_eq!(operations, json!({ "task": "destroy" }));
    }
    client.ok("task.set_status", json!([pending, "success"])).await;
    assert_eq!(client.all().await, [pending.as_str()]);
    client.advance(Duration::from_secs(30));
    assert!(client.all().await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn cancelling_replaces_the_operation_and_never_fails() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let own = client.create("own").await;
    let cancel = |task: String| {
        let client = &client;
        async move {
            client.ok("task.cancel", json!([task])).await;
            let operations = client.get("current_operations", &task).await;
            let operations = operations.as_object().expect("a map").clone();
            assert_eq!(operations.len(), 1);
            operations.into_iter().next().expect("an entry")
        }
    };
    let first = cancel(own.clone()).await;
    assert!(first.0.starts_with("DummyRef:|") && first.0.ends_with("|task.cancel"));
    assert_eq!(first.1, "cancel");
    assert_ne!(cancel(own.clone()).await.0, first.0);
    assert_eq!(client.get("status", &own).await, json!("pending"));
    client.ok("task.set_status", json!([own, "success"])).await;
    cancel(own.clone()).await;
    assert_eq!(client.get("status", &own).await, json!("success"));

    let stopped = client.reference(&client.begin(Work::new(60)));
    assert_eq!(client.get("allowed_operations", &stopped).await, json!(["cancel"]));
    cancel(stopped.clone()).await;
    let record = client.record(&stopped).await;
    assert_eq!((&record["status"], &record["progress"]), (&json!("cancelled"), &json!(1.0)));
    assert_eq!((&record["error_info"], &record["result"]), (&json!([]), &json!("")));
    assert_eq!(record["finished"], "20250101T00:00:00Z");
    assert_eq!(record["allowed_operations"], json!([]));

    let work = Work { cancelable: false, ..Work::new(60) };
    let stubborn = client.reference(&client.begin(work));
    assert_eq!(client.get("allowed_operations", &stubborn).await, json!([]));
    cancel(stubborn.clone()).await;
    client.advance(Duration::from_secs(60));
    assert_eq!(client.get("status", &stubborn).await, json!("success"));
    world.stop().await;
}

#[tokio::test]
async fn results_are_xml_and_errors_have_a_code() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let vm = vimsim::value::MoRef::new(vimsim::schema::ty::VirtualMachine, "vm-1");
    let reference = client.reference(&vm);
    for (end, result) in [
        (None, "<value></value>".to_owned()),
        (Some(Value::from(&vm)), format!("<value>{reference}</value>")),
        (Some(Value::from(12)), "<value>12</value>".to_owned()),
        (Some(Value::from(true)), "<value><boolean>1</boolean></value>".to_owned()),
        (Some(Value::String(Str::from("a<b"))), "<value>a&lt;b</value>".to_owned()),
    ] {
        let task = client.begin(Work { end: Ok(end), ..Work::new(0) });
        let record = client.record(&client.reference(&task)).await;
        assert_eq!((&record["status"], &record["result"]), (&json!("success"), &json!(result)));
        assert_eq!((&record["progress"], &record["error_info"]), (&json!(1.0), &json!([])));
    }
    let busy = client.begin(Work::new(60));
    for (fault, expected) in [
        (Fault::not_found(&vm), vec!["HANDLE_INVALID".to_owned(), "VM".to_owned(), reference]),
        (
            Fault::not_supported(),
            vec![
                "OPERATION_NOT_ALLOWED".to_owned(),
                "The operation is not supported on the object.".to_owned(),
            ],
        ),
        (
            Fault::system_error("broken"),
            vec![
                "INTERNAL_ERROR".to_owned(),
                "SystemError: A general system error occurred: broken".to_owned(),
            ],
        ),
        (
            Fault::task_in_progress(&busy),
            vec![
                "OTHER_OPERATION_IN_PROGRESS".to_owned(),
                String::new(),
                String::new(),
                String::new(),
                client.reference(&busy),
            ],
        ),
    ] {
        let task = client.begin(Work { end: Err(fault), ..Work::new(0) });
        let record = client.record(&client.reference(&task)).await;
        assert_eq!(
            (&record["status"], &record["error_info"]),
            (&json!("failure"), &json!(expected))
        );
        assert_eq!((&record["result"], &record["progress"]), (&json!(""), &json!(1.0)));
    }
    world.stop().await;
}

#[tokio::test]
async fn the_filter_language_finds_tasks() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let first = client.create("first").await;
    let second = client.create("second").await;
    client.ok("task.set_status", json!([second, "success"])).await;
    client.ok("task.set_other_config", json!([second, { "k": "it's" }])).await;
    for (expr, found) in [
        ("true", vec![&first, &second]),
        ("not true", vec![]),
        (r#"field "status" = "success""#, vec![&second]),
        (
            r#"field "name__label" = "first" or field "name__label" = "second""#,
            vec![&first, &second],
        ),
        (r#"not (field "status"="success") and true"#, vec![&first]),
        (r#"field "other_config" = "(('k' 'it\\'s'))""#, vec![&second]),
        (&format!(r#"field "_ref" = "{first}""#), vec![&first]),
        (
            r#"field "subtask_of" = "OpaqueRef:NULL" and field "progress" = "0""#,
            vec![&first, &second],
        ),
    ] {
        let all = client.ok("task.get_all_where", json!([expr])).await;
        assert_eq!(all, json!(found), "{expr}");
        let records = client.ok("task.get_all_records_where", json!([expr])).await;
        let records = records.as_object().expect("a map").clone();
        assert_eq!(records.len(), found.len());
        for task in found {
            assert_eq!(records[task], client.record(task).await);
        }
    }
    let wrong = client.error("task.get_all_where", json!(["field ="])).await;
    assert_eq!(
        wrong,
        [
            "INVALID_VALUE",
            "field =",
            "unexpected \u{201c}=\u{201d} at 6, where the name of a field should be"
        ]
    );
    let wrong = client.error("task.get_all_records_where", json!([r#"field "nope" = """#])).await;
    assert_eq!(wrong, ["INTERNAL_ERROR", "task has no field nope"]);
    world.stop().await;
}

#[tokio::test]
async fn children_are_found_from_their_parent_and_back() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let parent = client.create("parent").await;
    let headers = format!("Subtask-Of: {parent}\r\nX-Http-Other-Config-Origin: tests\r\n");
    let request = json!({ "jsonrpc": "2.0", "method": "Async.task.cancel",
        "params": [client.session, parent], "id": 1 });
    let reply = world.send("POST", "/jsonrpc", &headers, request.to_string().as_bytes()).await;
    let reply: Json = serde_json::from_str(&reply.body).expect("JSON");
    let child = super::text(&reply["result"]);
    let record = client.record(&child).await;
    assert_eq!(record["subtask_of"], json!(parent));
    assert_eq!(record["name_label"], "Async.task.cancel");
    assert_eq!(record["other_config"], json!({ "http:origin": "tests" }));
    assert_eq!(client.get("subtasks", &parent).await, json!([child]));
    client.ok("task.destroy", json!([child])).await;
    assert_eq!(client.get("subtasks", &parent).await, json!([]));
    world.stop().await;
}
