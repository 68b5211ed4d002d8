//! XenAPI over the real wire.

mod errors;
mod wire;
pub(crate) mod world;

use serde_json::json;

use world::World;

#[tokio::test]
async fn a_session_is_known_to_both_encodings() {
    let world = World::start().await;
    let body = "<?xml version='1.0'?><methodCall><methodName>session.login_with_password\
        </methodName><params><param><value><string>root</string></value></param>\
        <param><value>secret</value></param></params></methodCall>";
    let reply = world.post("/RPC2", body).await;
    assert_eq!(reply.content_type, "text/xml");
    let session = reply.body.split("<value>").find(|part| part.starts_with("OpaqueRef:"));
    let session = session.and_then(|part| part.split('<').next()).expect("a reference").to_owned();
    let host = world.call(&session, "session.get_this_host", json!([session])).await;
    assert!(host.expect("the host").as_str().is_some_and(|text| text.starts_with("OpaqueRef:")));
    world.call(&session, "session.logout", json!([])).await.expect("the end");
    let gone = world.call(&session, "session.get_uuid", json!([session])).await;
    assert_eq!(gone, Err(vec!["SESSION_INVALID".to_owned(), session]));
    world.stop().await;
}

#[tokio::test]
async fn whoever_logs_in_without_a_session_is_told_what_is_wrong() {
    let world = World::start().await;
    let session = world.login().await;
    let unknown = world.call(&session, "VM.fly", json!([])).await;
    assert_eq!(unknown, Err(vec!["MESSAGE_METHOD_UNKNOWN".to_owned(), "VM.fly".to_owned()]));
    let wrong = world.raw("session.login_with_password", json!(["root", "no"])).await;
    assert_eq!(
        wrong.map_err(|it| it[..2].join(" ")),
        Err("SESSION_AUTHENTICATION_FAILED root".into())
    );
    world.stop().await;
}
