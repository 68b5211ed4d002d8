//! The transport: paths, headers, encodings, and requests that are none.

use std::time::Duration;

use serde_json::{Value as Json, json};
use vimsim::config::ListenAddress;

use super::world::World;

fn login(user: &str) -> String {
    xml("session.login_with_password", &[user, "secret"])
}

fn xml(method: &str, params: &[&str]) -> String {
    let param = |text: &&str| format!("<param><value>{text}</value></param>");
    let params: String = params.iter().map(param).collect();
    format!(
        "<?xml version='1.0'?><methodCall><methodName>{method}</methodName>\
         <params>{params}</params></methodCall>"
    )
}

#[tokio::test]
async fn paths_and_headers() {
    let world = World::start().await;
    for path in ["/", "/RPC2", "/xmlrpc"] {
        let reply = world.post(path, login("root")).await;
        assert_eq!((reply.status, reply.content_type.as_str()), (200, "text/xml"), "{path}");
        assert!(reply.body.contains("<name>Status</name><value>Success</value>"), "{path}");
        let options = world.send("OPTIONS", path, "", b"").await;
        assert_eq!(options.status, 200);
    }
    let options = world.send("OPTIONS", "/jsonrpc", "", b"").await;
    assert_eq!(options.status, 200);
    // Any content type will do, and a body that comes in pieces.
    let odd = "Content-Type: application/x-www-form-urlencoded\r\n";
    let reply = world.send("POST", "/RPC2", odd, login("root").as_bytes()).await;
    assert!(reply.body.contains("Success"));
    assert_eq!(world.post("/elsewhere", login("root")).await.status, 404);
    assert_eq!(world.send("GET", "/RPC2", "", b"").await.status, 405);
    world.stop().await;
}

#[tokio::test]
async fn a_listener_of_its_own_takes_any_path() {
    let world = World::start_with(|config| {
        config.xenapi.listen = Some(ListenAddress { host: "127.0.0.1".to_owned(), port: 0 });
    })
    .await;
    for path in ["/", "/RPC2", "/xmlrpc", "/any/where"] {
        assert!(world.post(path, login("root")).await.body.contains("Success"), "{path}");
    }
    world.raw("system.listMethods", json!([])).await.expect("the list");
    // And vSphere's does not speak it.
    let url = world.simulator.url();
    assert_ne!(url.trim_end_matches("/sdk"), world.simulator.xenapi_url());
    world.stop().await;
}

#[tokio::test]
async fn the_list_of_methods_comes_bare() {
    let world = World::start().await;
    let reply = world.post("/RPC2", xml("system.listMethods", &[])).await;
    let start = "<?xml version=\"1.0\"?><methodResponse><params><param><value><array><data>";
    assert!(reply.body.starts_with(start), "{}", reply.body);
    for name in ["VM.get_all_records", "event.from", "system.listMethods", "task.cancel"] {
        assert!(reply.body.contains(&format!("<value>{name}</value>")), "{name}");
    }
    world.stop().await;
}

#[tokio::test]
async fn both_versions_of_json_rpc() {
    let world = World::start().await;
    let session = world.login().await;
    let post = async |request: Json| {
        let reply = world.post("/jsonrpc", request.to_string()).await;
        assert_eq!((reply.status, reply.content_type.as_str()), (200, "application/json"));
        serde_json::from_str::<Json>(&reply.body).expect("JSON")
    };
    let params = json!([session, session]);
    let method = "session.get_originator";
    for id in [json!(1), json!("one")] {
        let first = post(json!({ "method": method, "params": params, "id": id })).await;
        assert_eq!(first, json!({ "result": "", "error": null, "id": id }));
        let second =
            post(json!({ "jsonrpc": "2.0", "method": method, "params": params, "id": id })).await;
        assert_eq!(second, json!({ "jsonrpc": "2.0", "result": "", "id": id }));
    }
    let first = post(json!({ "method": "VM.fly", "params": [session], "id": 1 })).await;
    let failure = json!(["MESSAGE_METHOD_UNKNOWN", "VM.fly"]);
    assert_eq!(first, json!({ "result": null, "error": failure, "id": 1 }));
    let second =
        post(json!({ "jsonrpc": "2.0", "method": "VM.fly", "params": [session], "id": 1 })).await;
    let error = json!({ "code": 1, "message": "MESSAGE_METHOD_UNKNOWN", "data": ["VM.fly"] });
    assert_eq!(second, json!({ "jsonrpc": "2.0", "error": error, "id": 1 }));
    world.stop().await;
}

#[tokio::test]
async fn numbers_are_texts_in_xml_and_numbers_in_json() {
    let world = World::start().await;
    let session = world.login().await;
    let host = world.call(&session, "session.get_this_host", json!([session])).await;
    let host = host.expect("a host").as_str().expect("a reference").to_owned();
    let minor = world.call(&session, "host.get_API_version_minor", json!([host])).await;
    assert_eq!(minor, Ok(json!(21)));
    let minor = world.post("/", xml("host.get_API_version_minor", &[&session, &host])).await;
    assert!(minor.body.contains("<name>Value</name><value>21</value>"), "{}", minor.body);
    // And in requests they are whatever the client likes.
    let task = world.call(&session, "task.create", json!(["t", ""])).await.expect("a task");
    let task = task.as_str().expect("a reference");
    for number in ["<int>1</int>", "<i4>1</i4>", "<i8>1</i8>", "<double>1</double>", "1"] {
        let reply = world.post("/", xml("task.set_progress", &[&session, task, number])).await;
        assert!(reply.body.contains("Success"), "{number}: {}", reply.body);
    }
    world.stop().await;
}

#[tokio::test]
async fn what_is_no_request_gets_a_page_and_changes_nothing() {
    let world = World::start().await;
    let session = world.login().await;
    let before = world.simulator.service().engine().snapshot().version();
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(5000), close.repeat(5000));
    let good = login("root");
    let bad_xml = [
        String::new(),
        "<".to_owned(),
        "hello".to_owned(),
        "<methodCall/>".to_owned(),
        good.replace("</methodCall>", ""),
        good.replace("methodCall", "methodResponse"),
        good.replace("<value>", "<value><int>x</int>"),
        good.replace("<value>root</value>", "<value>&nobody;</value>"),
        good.replace("<value>root</value>", "<value><thing>1</thing></value>"),
        good.replace("<value>root</value>", "<value>a<string>b</string></value>"),
        good.replace("<value>root</value>", "<value><boolean>2</boolean></value>"),
        good.replace(
            "<value>root</value>",
            "<value><dateTime.iso8601>x</dateTime.iso8601></value>",
        ),
        format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{good}"),
        format!("{good}{good}"),
        xml("VM.start", &[&deep("<array><data><value>", "</value></data></array>")]),
        deep("<a>", "</a>"),
    ];
    for body in &bad_xml {
        let reply = world.post("/RPC2", body).await;
        let shown = &body[..body.len().min(100)];
        assert_eq!((reply.status, reply.content_type.as_str()), (500, "text/html"), "{shown}");
    }
    let call = json!({ "jsonrpc": "2.0", "method": "VM.get_all", "params": [session], "id": 1 });
    let with = |key: &str, value: Json| {
        let mut call = call.clone();
        call[key] = value;
        call.to_string()
    };
    let bad_json = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        format!("[{call}]"),
        "null".to_owned(),
        with("id", json!(null)),
        with("id", json!(1.5)),
        with("id", json!([])),
        with("method", json!(5)),
        with("params", json!({})),
        with("jsonrpc", json!("3.0")),
        with("jsonrpc", json!(2)),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{call} {call}"),
    ];
    for body in &bad_json {
        let reply = world.post("/jsonrpc", body).await;
        let shown = &body[..body.len().min(100)];
        assert_eq!((reply.status, reply.content_type.as_str()), (500, "text/html"), "{shown}");
    }
    // What is not UTF-8 is an error of the API.
    let mut broken = good.clone().into_bytes();
    let at = good.find("root").expect("the name");
    broken[at] = 0xff;
    let reply = world.post("/RPC2", &broken).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("<value>INVALID_VALUE</value>"), "{}", reply.body);
    let huge = xml("VM.get_by_name_label", &[&session, &"x".repeat(301 * 1024)]);
    assert_eq!(world.post("/RPC2", huge).await.status, 413);
    let large = xml("VM.get_by_name_label", &[&session, &"x".repeat(290 * 1024)]);
    assert_eq!(world.post("/RPC2", large).await.status, 200);
    assert_eq!(world.simulator.service().engine().snapshot().version(), before);
    world.stop().await;
}

#[tokio::test]
async fn what_xml_cannot_hold_does_not_get_in() {
    let world = World::start().await;
    let session = world.login().await;
    let pool = world.call(&session, "pool.get_all", json!([])).await.expect("a pool")[0].clone();
    let params = json!([pool, "key", "a\u{1}b"]);
    let failure = world.call(&session, "pool.add_to_other_config", params).await;
    assert_eq!(failure.expect_err("a control character")[0], "INVALID_VALUE");
    let params = json!([pool, "key", "ä <&> \" ' \t\n 中 😀"]);
    world.call(&session, "pool.add_to_other_config", params).await.expect("any other text");
    let pool = pool.as_str().expect("a reference");
    let reply = world.post("/", xml("pool.get_other_config", &[&session, pool])).await;
    assert!(reply.body.contains("ä &lt;&amp;&gt; &quot; ' \t\n 中 😀"), "{}", reply.body);
    world.stop().await;
}

#[tokio::test]
async fn headers_go_into_the_task() {
    let world = World::start().await;
    let session = world.login().await;
    let parent = world.call(&session, "task.create", json!(["above", ""])).await.expect("a task");
    let pool = world.call(&session, "VM.get_all", json!([])).await.expect("machines")[0].clone();
    let request = json!({
        "jsonrpc": "2.0", "method": "Async.VM.hard_shutdown", "params": [session, pool], "id": 1,
    });
    let headers = format!(
        "X-Http-Other-Config-Who: me\r\nSubtask-Of: {}\r\n",
        parent.as_str().expect("text")
    );
    let reply = world.send("POST", "/jsonrpc", &headers, request.to_string().as_bytes()).await;
    let reply: Json = serde_json::from_str(&reply.body).expect("JSON");
    let record = world.call(&session, "task.get_record", json!([reply["result"]])).await;
    let record = record.expect("the task");
    assert_eq!(record["other_config"], json!({ "http:who": "me" }));
    assert_eq!(record["subtask_of"], parent);
    let record = world.call(&session, "task.get_record", json!([parent])).await.expect("above");
    assert_eq!(record["subtasks"], json!([reply["result"]]));
    world.stop().await;
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_where_it_is_ended() {
    let world = World::start().await;
    let session = world.login().await;
    let engine = world.simulator.service().engine();
    engine.advance(Duration::from_secs(23 * 3600)).expect("a stepped clock");
    world.call(&session, "pool.get_all", json!([])).await.expect("still there");
    engine.advance(Duration::from_secs(24 * 3600 + 1)).expect("a stepped clock");
    let gone = world.call(&session, "pool.get_all", json!([])).await;
    assert_eq!(gone, Err(vec!["SESSION_INVALID".to_owned(), session]));
    // Sessions are among those of the server, which can end them.
    let session = world.login().await;
    let service = world.simulator.service();
    let inner = service.sessions().list();
    assert_eq!(inner.len(), 1);
    service.logout(&inner[0]);
    let gone = world.call(&session, "pool.get_all", json!([])).await;
    assert_eq!(gone, Err(vec!["SESSION_INVALID".to_owned(), session]));
    world.stop().await;
}
