//! Tasks, the clock, counters, objects.

use std::thread;
use std::time::Instant;

use serde_json::{Value as Json, json};
use vimsim::schema::method;

use super::World;

#[test]
fn a_task_is_held_released_and_ends() {
    let world = World::new();
    let task = world.power_off("DC0_H0_VM0");
    let seen = world.get(&format!("/tasks/{task}")).ok();
    assert_eq!(seen["state"], "running");
    assert_eq!(seen["method"], "PowerOffVM_Task");
    assert_eq!(seen["entity"]["type"], "VirtualMachine");
    assert_eq!(seen["entity"]["name"], "DC0_H0_VM0");
    assert_eq!((&seen["user"], &seen["reason"]), (&json!("tester"), &json!("user")));
    assert_eq!(seen["startTime"], "2025-01-01T00:00:00Z");

    world.advance("12h");
    let held = world.post(&format!("/tasks/{task}/hold"), &json!({})).ok();
    assert_eq!((&held["held"], &held["progress"]), (&json!(true), &json!(50)));
    world.post(&format!("/tasks/{task}/hold"), &json!({})).refused(409);
    world.advance("P7D");
    assert_eq!(world.state(&task), "running");

    let free = world.post(&format!("/tasks/{task}/release"), &json!({})).ok();
    assert_eq!(free["held"], false);
    world.advance("11h59m");
    assert_eq!(world.state(&task), "running");
    world.advance("1m");
    assert_eq!(world.state(&task), "success");
    for verb in ["hold", "release", "step", "cancel"] {
        world.post(&format!("/tasks/{task}/{verb}"), &json!({})).refused(409);
    }
}

#[test]
fn a_day_passes_in_no_time() {
    let world = World::new();
    let task = world.power_off("DC0_H0_VM0");
    let began = Instant::now();
    world.advance("24h");
    assert_eq!(world.state(&task), "success");
    // The limit only tells a day from no time.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn a_task_is_stepped_through() {
    let world = World::new();
    let task = world.power_off("DC0_H0_VM0");
    let mut progress = Vec::new();
    while world.state(&task) == "running" {
        let seen = world.post(&format!("/tasks/{task}/step"), &json!({})).ok();
        progress.extend(seen["progress"].as_u64());
        assert!(progress.len() < 50, "{progress:?}");
    }
    assert_eq!(world.state(&task), "success");
    assert!(progress.is_sorted() && progress.len() > 10, "{progress:?}");
    assert_eq!(world.get("/clock").ok()["now"], "2025-01-01T00:00:00Z", "no time has passed");
}

#[test]
fn a_task_is_cancelled_by_whom_it_was() {
    let world = World::new();
    let task = world.power_off("DC0_H0_VM0");
    // Power-offs cannot be cancelled.
    world.post(&format!("/tasks/{task}/cancel"), &json!({})).refused(409);
    let seen = world.get(&format!("/tasks/{task}")).ok();
    assert_eq!((&seen["cancelable"], seen.get("cancel")), (&json!(false), None));
}

#[test]
fn a_lost_task_is_gone() {
    let world = World::new();
    let (lost, kept) = (world.power_off("DC0_H0_VM0"), world.power_off("DC0_H0_VM1"));
    let last = world.post(&format!("/tasks/{lost}/lose"), &json!({})).ok();
    assert_eq!(last["key"], lost.as_str());
    world.get(&format!("/tasks/{lost}")).refused(404);
    world.post(&format!("/tasks/{lost}/lose"), &json!({})).refused(404);
    assert_eq!(world.state(&kept), "running");
}

#[test]
fn tasks_are_listed_by_what_is_known_of_them() {
    let world = World::new();
    let one = world.power_off("DC0_H0_VM0");
    world.advance("24h");
    let two = world.power_off("DC0_H0_VM1");
    let keys = |query: &str| -> Vec<String> {
        let page = world.get(&format!("/tasks{query}")).ok();
        let keys = page["tasks"].as_array().unwrap().iter();
        keys.map(|task| task["key"].as_str().unwrap().to_owned()).collect()
    };
    let (both, none) = (vec![one.clone(), two.clone()], Vec::<String>::new());
    let (first, second) = (vec![one.clone()], vec![two.clone()]);
    for (query, expected) in [
        ("", &both),
        ("?order=newest", &vec![two.clone(), one.clone()]),
        ("?state=running", &second),
        ("?state=live", &second),
        ("?state=done", &first),
        ("?state=success", &first),
        ("?state=cancelled", &none),
        ("?method=PowerOffVM", &both),
        ("?method=PowerOffVM_Task", &both),
        ("?method=poweroff*", &both),
        ("?method=VirtualMachine.powerOff", &both),
        ("?method=PowerOnVM", &none),
        ("?user=tester", &both),
        ("?user=nobody", &none),
        ("?entity=DC0_H0_VM0", &first),
        ("?entity=/DC0/vm/DC0_H0_VM1", &second),
        ("?entity=/DC0", &both),
        (&*format!("?after={one}"), &second),
        (&*format!("?order=newest&after={two}"), &first),
    ] {
        assert_eq!(&keys(query), expected, "{query}");
    }
    let page = world.get("/tasks?limit=1").ok();
    assert_eq!((page["tasks"].as_array().unwrap().len(), &page["next"]), (1, &json!(one)));
    let page = world.get(&format!("/tasks?limit=1&after={one}")).ok();
    assert_eq!((&page["tasks"][0]["key"], page.get("next")), (&json!(two), None));
    world.get("/tasks?entity=nothing").refused(404);
}

#[test]
fn what_is_wrong_is_named() {
    let world = World::new();
    let in_url = |name: &str| json!([name, null]);
    let in_body = |pointer: &str| json!([null, pointer]);
    for (method, path, body, status, place) in [
        ("GET", "/tasks?limit=0", "", 400, Some(in_url("limit"))),
        ("GET", "/tasks?limit=x", "", 400, Some(in_url("limit"))),
        ("GET", "/tasks?state=gone", "", 400, Some(in_url("state"))),
        ("GET", "/tasks?after=17", "", 400, Some(in_url("after"))),
        ("GET", "/tasks?limt=1", "", 400, Some(in_url("limt"))),
        ("GET", "/tasks/17", "", 400, Some(in_url("task"))),
        ("GET", "/tasks/task-17", "", 404, None),
        ("GET", "/objects", "", 400, None),
        ("GET", "/nothing", "", 404, None),
        ("PUT", "/clock", "{}", 400, None),
        ("PUT", "/clock", r#"{"mode": "slow"}"#, 400, Some(in_body("/mode"))),
        ("POST", "/clock/advance", "{", 400, None),
        ("POST", "/clock/advance", "", 422, Some(in_body("/duration"))),
        ("POST", "/clock/advance", r#"{"duration": "soon"}"#, 400, Some(in_body("/duration"))),
        ("POST", "/clock/advance", r#"{"duration": 5}"#, 400, Some(in_body("/duration"))),
        ("POST", "/clock/advance", r#"{"durration": "5s"}"#, 400, Some(in_body("/durration"))),
        ("POST", "/clock/advance", r#"{"to": "2001-01-01T00:00:00Z"}"#, 422, Some(in_body("/to"))),
        ("POST", "/clock/advance", r#"{"duration": "1s"} x"#, 400, None),
        ("POST", "/clock/idle", r#"{"limit": "1 parsec"}"#, 400, Some(in_body("/limit"))),
    ] {
        let problem = world.request(method, path, body, &[]).refused(status);
        let named = problem["errors"].get(0).map(|it| json!([it["parameter"], it["pointer"]]));
        assert_eq!(named, place, "{method} {path} {body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|it| !it.is_empty()), "{problem}");
    }
}

#[test]
fn the_clock_is_stopped_and_moved() {
    let world = World::new();
    let now = |answer: Json| answer["now"].as_str().unwrap().to_owned();
    assert_eq!(world.get("/clock").ok(), json!({"now": "2025-01-01T00:00:00Z", "mode": "stepped"}));
    let task = world.power_off("DC0_H0_VM0");
    assert_eq!(world.get("/clock").ok()["next"], "2025-01-01T01:12:00Z", "the first report");
    assert_eq!(now(world.post("/clock/next", &json!({})).ok()), "2025-01-01T01:12:00Z");
    let to = json!({ "to": "2025-01-01T12:00:00Z" });
    assert_eq!(now(world.post("/clock/advance", &to).ok()), "2025-01-01T12:00:00Z");
    world.post("/clock/idle", &json!({ "limit": "1h" })).ok();
    assert_eq!(world.state(&task), "running");
    let idle = world.post("/clock/idle", &json!({})).ok();
    assert_eq!(idle, json!({"now": "2025-01-02T00:00:00Z", "mode": "stepped"}));
    assert_eq!(world.state(&task), "success");

    let real = world.request("PUT", "/clock", r#"{"mode": "real"}"#, &[]).ok();
    assert_eq!(real["mode"], "real");
    for path in ["advance", "next", "idle"] {
        let body = if path == "advance" { json!({"duration": "1s"}) } else { json!({}) };
        world.post(&format!("/clock/{path}"), &body).refused(409);
    }
    let stepped = world.request("PUT", "/clock", r#"{"mode": "stepped"}"#, &[]).ok();
    assert!(now(stepped).starts_with("2025-01-02T"), "it goes on from where it is");
}

#[test]
fn two_clients_move_the_clock_at_once() {
    let world = World::new();
    let tasks = [world.power_off("DC0_H0_VM0"), world.power_off("DC0_H0_VM1")];
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..24).for_each(|_| world.advance("1h")));
        }
    });
    assert_eq!(world.get("/clock").ok()["now"], "2025-01-03T00:00:00Z", "nothing is lost");
    for task in tasks {
        let task = world.get(&format!("/tasks/{task}")).ok();
        assert_eq!(task["completeTime"], "2025-01-02T00:00:00Z");
    }
}

#[test]
fn calls_that_are_not_modelled_are_counted() {
    let world = World::new();
    assert_eq!(world.get("/counters").ok()["unsupported"], json!({}));
    let vm = world.client.vm("DC0_H0_VM0");
    for _ in 0..3 {
        world.client.call(&vm, method::AcquireMksTicket, &[]).expect_err("not modelled");
    }
    assert_eq!(world.get("/counters").ok()["unsupported"], json!({ "AcquireMksTicket": 3 }));
    let before = world.request("DELETE", "/counters", "", &[]).ok();
    assert_eq!(before["unsupported"], json!({ "AcquireMksTicket": 3 }));
    assert_eq!(world.get("/counters").ok()["unsupported"], json!({}));
}

#[test]
fn objects_are_found_by_what_a_person_knows() {
    let world = World::new();
    let vm = world.client.vm("DC0_H0_VM0");
    let expected = json!({
        "type": "VirtualMachine", "id": vm.id(), "name": "DC0_H0_VM0", "path": "/DC0/vm/DC0_H0_VM0",
    });
    for text in
        ["DC0_H0_VM0", "/DC0/vm/DC0_H0_VM0", vm.id(), &format!("VirtualMachine:{}", vm.id())]
    {
        let found = world.get(&format!("/objects?find={text}")).ok();
        assert_eq!(found["objects"], json!([expected]), "{text}");
    }
    assert_eq!(world.get("/objects?find=nothing").ok()["objects"], json!([]));
    assert_eq!(world.get("/objects?find=/").ok()["objects"][0]["type"], "Folder");
}
