//! Which tasks are no longer seen, by the stepped clock.

use std::time::Duration;

use serde_json::json;
use vimsim::inventory::Read;

use super::{Client, MINUTE, Work};
use crate::xenapi::world::World;

const HALF: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn what_is_over_for_long_goes_and_stays_for_vsphere() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let task = client.begin(Work::new(0));
    let reference = client.reference(&task);
    client.advance(MINUTE * 65 - HALF);
    assert_eq!(client.get("status", &reference).await, json!("success"));
    client.advance(HALF);
    assert_eq!(client.error("task.get_status", json!([reference])).await[0], "HANDLE_INVALID");
    assert_eq!(client.ok("task.get_all", json!([])).await, json!([]));
    let engine = world.simulator.service().engine();
    assert!(engine.snapshot().exists(&task) && engine.task(&task).is_some());
    let uuid = world.simulator.xenapi().refs().task_uuid(engine.task(&task).expect("it").id);
    let gone = client.error("task.get_by_uuid", json!([uuid.as_str()])).await;
    assert_eq!(gone, ["UUID_INVALID", "task", uuid.as_str()]);
    world.stop().await;
}

#[tokio::test]
async fn a_task_that_its_client_says_is_over_has_no_time_and_goes_next() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let said = client.create("said").await;
    client.ok("task.set_status", json!([said, "success"])).await;
    assert_eq!(client.get("finished", &said).await, json!("19700101T00:00:00Z"));
    client.advance(HALF - Duration::from_secs(1));
    assert_eq!(client.all().await, [said]);
    client.advance(Duration::from_secs(1));
    assert!(client.all().await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn two_hundred_stay_and_those_that_are_not_over_in_any_case() {
    let world = World::start_with(|config| config.xenapi.task_count = 5).await;
    let client = Client::new(&world).await;
    let mut over = Vec::new();
    for _ in 0..6 {
        let task = client.begin(Work::new(0));
        over.push(client.reference(&task));
        client.advance(Duration::from_secs(1));
    }
    client.advance(HALF);
    assert_eq!(client.all().await, over[1..]);
    let pending = [client.create("a").await, client.create("b").await];
    client.advance(HALF);
    assert_eq!(client.all().await, [&over[3..], &pending].concat());
    for _ in 0..5 {
        client.create("more").await;
    }
    client.advance(HALF);
    let left = client.all().await;
    assert_eq!((left.len(), &left[..2]), (7, &pending[..]));
    world.stop().await;
}

#[tokio::test]
async fn who_is_pending_for_a_day_without_getting_further_goes() {
    let world = World::start_with(|config| {
        config.xenapi.session_timeout = DAY * 10;
        config.session_timeout = DAY * 10;
    })
    .await;
    let client = Client::new(&world).await;
    let still = client.create("still").await;
    let moving = client.create("moving").await;
    client.advance(DAY);
    assert_eq!(client.all().await, [still.as_str(), moving.as_str()]);
    client.ok("task.set_progress", json!([moving, 0.5])).await;
    client.advance(HALF);
    assert_eq!(client.all().await, [moving.as_str()]);
    client.advance(HALF);
    assert!(client.all().await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn nobody_is_collected_for_while_nobody_is_logged_in() {
    let world = World::start().await;
    let engine = world.simulator.service().engine();
    let client = Client::new(&world).await;
    let during = engine.waiting();
    client.advance(MINUTE);
    assert_eq!(engine.waiting(), during);
    client.ok("session.logout", json!([])).await;
    client.advance(MINUTE);
    // What is left is the look for idle sessions, of which there was one.
    assert_eq!(engine.waiting(), during - 1);
    // Whoever comes later finds what has to be gone gone.
    let task = client.begin(Work::new(0));
    client.advance(MINUTE * 70);
    let client = Client::new(&world).await;
    assert!(client.all().await.is_empty());
    assert!(engine.task(&task).is_some());
    world.stop().await;
}

#[tokio::test]
async fn a_session_is_not_idle_while_its_task_is_not_over() {
    let world = World::start_with(|config| config.xenapi.session_timeout = MINUTE).await;
    let client = Client::new(&world).await;
    let task = client.create("long").await;
    for _ in 0..10 {
        client.advance(MINUTE * 2 / 3);
    }
    client.ok("task.set_status", json!([task, "success"])).await;
    for _ in 0..3 {
        client.advance(HALF);
    }
    assert_eq!(client.error("task.get_all", json!([])).await[0], "SESSION_INVALID");
    world.stop().await;
}
