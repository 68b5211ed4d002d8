//! Whose tasks somebody may change.

use serde_json::json;
use vimsim::config::Access;

use super::{Client, Work};
use crate::xenapi::world::World;

const USERS: &str = r#"{
    "users": { "ann": {}, "bob": {}, "olga": {}, "vera": {} },
    "roles": {
        "Operator": ["Host.Config.*"],
        "Starter": ["VirtualMachine.Interact.PowerOn"]
    },
    "permissions": [
        { "user": "ann", "role": "ReadOnly" },
        { "user": "bob", "role": "ReadOnly" },
        { "user": "olga", "role": "Operator" },
        { "user": "vera", "role": "Starter" }
    ]
}"#;

async fn world() -> World {
    World::start_with(|config| {
        config.access = Some(Access::parse(USERS).expect("users"));
        config.login.username = None;
        config.login.password = None;
    })
    .await
}

const DENIED: [&str; 2] = ["RBAC_PERMISSION_DENIED", "task.destroy/any"];

#[tokio::test]
async fn a_task_belongs_to_the_user_of_the_session_that_made_it() {
    let world = world().await;
    let ann = Client::of(&world, "ann").await;
    let also_ann = Client::of(&world, "ann").await;
    let (bob, olga) = (Client::of(&world, "bob").await, Client::of(&world, "olga").await);
    let task = ann.create("ann's").await;
    for (message, value) in [
        ("set_status", json!("success")),
        ("set_progress", json!(0.5)),
        ("set_result", json!("r")),
        ("set_error_info", json!(["E"])),
        ("set_other_config", json!({ "a": "b" })),
        ("remove_from_other_config", json!("a")),
    ] {
        let (message, params) = (format!("task.{message}"), json!([task, value]));
        assert_eq!(bob.error(&message, params.clone()).await[..2], DENIED, "{message}");
        for able in [&ann, &also_ann, &olga] {
            able.ok(&message, params.clone()).await;
        }
    }
    let denied = bob.error("task.add_to_other_config", json!([task, "k", "v"])).await;
    assert_eq!(denied[..2], DENIED);
    assert!(denied[2].contains("pool-operator") && denied[2].contains("pool-admin"));
    for message in ["task.cancel", "task.destroy"] {
        assert_eq!(bob.error(message, json!([task])).await[..2], DENIED, "{message}");
    }
    // Reading is for everybody.
    assert_eq!(bob.get("status", &task).await, json!("success"));
    olga.ok("task.cancel", json!([task])).await;
    also_ann.ok("task.destroy", json!([task])).await;
    world.stop().await;
}

#[tokio::test]
async fn a_denied_call_changes_nothing_and_an_asynchronous_one_fails_as_a_task() {
    let world = world().await;
    let (ann, bob) = (Client::of(&world, "ann").await, Client::of(&world, "bob").await);
    let task = ann.create("ann's").await;
    let before = ann.record(&task).await;
    let by = super::text(&bob.ok("Async.task.cancel", json!([task])).await);
    let record = bob.record(&by).await;
    assert_eq!(
        (&record["status"], &record["error_info"][0]),
        (&json!("failure"), &json!(DENIED[0]))
    );
    assert_eq!(record["error_info"][1], DENIED[1]);
    assert_eq!(ann.record(&task).await, before);
    world.stop().await;
}

#[tokio::test]
async fn what_is_nobodys_is_for_pool_operators() {
    let world = world().await;
    let (ann, bob) = (Client::of(&world, "ann").await, Client::of(&world, "bob").await);
    let olga = Client::of(&world, "olga").await;
    let orphan = ann.create("orphan").await;
    ann.ok("session.logout", json!([])).await;
    let ann = Client::of(&world, "ann").await;
    let foreign = bob.reference(&bob.begin(Work::new(60)));
    let none = "OpaqueRef:00000000-0000-4000-8000-000000000000".to_owned();
    for task in [&orphan, &foreign, &none] {
        assert_eq!(ann.error("task.cancel", json!([task])).await[..2], DENIED);
    }
    olga.ok("task.cancel", json!([orphan])).await;
    olga.ok("task.cancel", json!([foreign])).await;
    let error = olga.error("task.cancel", json!([none])).await;
    assert_eq!(error, ["HANDLE_INVALID", "task", none.as_str()]);
    world.stop().await;
}

#[tokio::test]
async fn keys_that_others_believe_need_a_role() {
    let world = world().await;
    let (ann, vera) = (Client::of(&world, "ann").await, Client::of(&world, "vera").await);
    for client in [&ann, &vera] {
        let task = client.create("own").await;
        let may = std::ptr::eq(client, &vera);
        for (message, params, key) in [
            ("add_to_other_config", json!([task, "XenCenterUUID", "1"]), "xencenteruuid"),
            ("remove_from_other_config", json!([task, "applies_to"]), "applies_to"),
            (
                "set_other_config",
                json!([task, { "XenCenterMeddlingActionTitle": "1" }]),
                "xencentermeddlingactiontitle",
            ),
        ] {
            let answer = client.call(&format!("task.{message}"), params).await;
            let expected =
                vec!["RBAC_PERMISSION_DENIED".to_owned(), format!("task.{message}/key:{key}")];
            let answer = answer.map_err(|mut error| {
                error.truncate(2);
                error
            });
            assert_eq!(answer, if may { Ok(json!("")) } else { Err(expected) });
        }
    }
    world.stop().await;
}
