//! Tasks, the clock, counters, objects.

use std::thread;
use std::time::Instant;

use serde_json::{Value as Json, json};
use vimsim::inventory::Read as _;
use vimsim::path;
use vimsim::schema::ty;

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
#[allow(clippy::disallowed_methods, reason = "this one is about real time")]
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
    let modelled = world.simulator().service().methods();
    let absent = ty::VirtualMachine
        .methods()
        .find(|it| it.params().is_empty() && !modelled.contains(it))
        .expect("a method that is not modelled");
    for _ in 0..3 {
        world.client.call(&vm, absent, &[]).expect_err("not modelled");
    }
    let counted = json!({ absent.name(): 3 });
    assert_eq!(world.get("/counters").ok()["unsupported"], counted);
    let before = world.request("DELETE", "/counters", "", &[]).ok();
    assert_eq!(before["unsupported"], counted);
    assert_eq!(world.get("/counters").ok()["unsupported"], json!({}));
}

#[test]
fn a_task_is_completed_with_its_effect() {
    let world = World::new();
    let task = world.power_off("DC0_H0_VM0");
    let done = world.post(&format!("/tasks/{task}/complete"), &json!({})).ok();
    assert_eq!((&done["state"], done.get("result")), (&json!("success"), None));
    let vm = world.client.vm("DC0_H0_VM0");
    let state = world.client.snapshot();
    assert_eq!(state.text(&vm, path!(VirtualMachine, "runtime.powerState")), "poweredOff");
    world.post(&format!("/tasks/{task}/complete"), &json!({})).refused(409);

    let other = world.power_off("DC0_H0_VM1");
    let with = json!({ "result": "VirtualMachine:vm-1" });
    let problem = world.post(&format!("/tasks/{other}/complete"), &with).refused(422);
    assert_eq!(problem["errors"][0]["pointer"], "/result", "a power-off gives nothing");
    assert_eq!(world.state(&other), "running");
}

#[test]
fn a_task_fails_with_a_fault_of_the_schema() {
    let world = World::new();
    let task = world.power_off("DC0_H0_VM0");
    let fail = format!("/tasks/{task}/fail");
    for (body, pointer) in [
        (json!({ "fault": "NoSuchFault" }), "/fault"),
        (json!({ "fault": "VirtualMachine" }), "/fault"),
        (json!({ "fault": "InvalidPowerState", "fields": { "nothing": 1 } }), "/fields/nothing"),
        (json!({ "fault": "InvalidPowerState" }), "/fault"),
    ] {
        let problem = world.post(&fail, &body).refused(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    world.post(&fail, &json!({})).refused(400);
    assert_eq!(world.state(&task), "running");
    let body = json!({
        "fault": "InvalidPowerState",
        "message": "Not now.",
        "fields": { "existingState": "suspended" },
    });
    let failed = world.post(&fail, &body).ok();
    assert_eq!(failed["state"], "error");
    assert_eq!(
        failed["error"],
        json!({
            "type": "InvalidPowerState",
            "message": "Not now.",
            "fields": { "existingState": "suspended" },
        })
    );
    let vm = world.client.vm("DC0_H0_VM0");
    let state = world.client.snapshot();
    assert_eq!(state.text(&vm, path!(VirtualMachine, "runtime.powerState")), "poweredOn");
}

#[test]
fn rules_are_added_counted_and_removed() {
    let world = World::new();
    assert_eq!(world.get("/rules").ok(), json!({ "rules": [] }));
    let rule = json!({
        "name": "stuck",
        "when": { "method": "PowerOffVM_Task" },
        "task": { "running": "1h", "hold": { "at": 50 } },
    });
    let added = world.post("/rules", &rule).ok();
    assert_eq!(
        (&added["name"], &added["counters"]),
        (&json!("stuck"), &json!({"seen": 0, "acted": 0}))
    );
    let problem = world.post("/rules", &rule).refused(422);
    assert_eq!(problem["errors"][0]["pointer"], "/name", "there is one of that name");
    let wrong =
        json!({ "when": { "method": "PowerOffVM_Task" }, "task": { "fail": { "fault": "No" } } });
    let problem = world.post("/rules", &wrong).refused(422);
    assert_eq!(problem["errors"][0]["pointer"], "/task/fail/fault", "{problem}");

    let task = world.power_off("DC0_H0_VM0");
    world.advance("5h");
    let held = world.get(&format!("/tasks/{task}")).ok();
    assert_eq!((&held["progress"], &held["held"]), (&json!(50), &json!(true)));
    let counts = json!({ "seen": 1, "acted": 1 });
    assert_eq!(world.get("/rules/stuck").ok()["counters"], counts);
    assert_eq!(world.get("/counters").ok()["rules"], json!({ "stuck": counts }));

    world.request("DELETE", "/rules/stuck", "", &[]).ok();
    world.request("DELETE", "/rules/stuck", "", &[]).refused(404);
    world.get("/rules/stuck").refused(404);
    world.post("/rules", &rule).ok();
    assert_eq!(world.request("DELETE", "/rules", "", &[]).ok()["rules"][0]["name"], "stuck");
    assert_eq!(world.get("/rules").ok(), json!({ "rules": [] }));
}

#[test]
fn the_whole_state_is_saved_and_restored() {
    let world = World::new();
    let saved = world.request("PUT", "/snapshots/clean", "", &[]).ok();
    assert_eq!((&saved["name"], &saved["liveTasks"]), (&json!("clean"), &json!(0)));
    let task = world.power_off("DC0_H0_VM0");
    world.request("PUT", "/snapshots/busy", "", &[]).ok();
    let rule = json!({ "name": "slow", "when": { "method": "*" }, "task": { "running": "1h" } });
    world.post("/rules", &rule).ok();
    world.advance("24h");
    assert_eq!(world.state(&task), "success");

    world.post("/snapshots/busy/restore", &json!({})).ok();
    assert_eq!(world.state(&task), "running");
    assert_eq!(world.get("/clock").ok()["now"], "2025-01-01T00:00:00Z");
    assert_eq!(world.get("/rules").ok(), json!({ "rules": [] }), "rules are part of it");
    world.post("/snapshots/clean/restore", &json!({})).ok();
    world.get(&format!("/tasks/{task}")).refused(404);
    let names = |list: Json| -> Vec<Json> {
        list["snapshots"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect()
    };
    assert_eq!(names(world.get("/snapshots").ok()), [json!("busy"), json!("clean")]);
    world.request("DELETE", "/snapshots/busy", "", &[]).ok();
    world.request("DELETE", "/snapshots/busy", "", &[]).refused(404);
    world.post("/snapshots/busy/restore", &json!({})).refused(404);
    world.request("PUT", "/snapshots/a%20b", "", &[]).refused(400);
    assert_eq!(names(world.get("/snapshots").ok()), [json!("clean")]);
}

#[test]
fn a_restart_ends_sessions_and_tasks() {
    let world = World::new();
    let task = world.power_off("DC0_H0_VM0");
    let ended = world.post("/restart", &json!({ "tasks": "failed" })).ok();
    assert_eq!(ended, json!({ "sessions": 1, "tasks": 1 }));
    assert_eq!(world.state(&task), "error");
    assert!(world.simulator().service().sessions().is_empty());
    assert_eq!(world.post("/restart", &json!({})).ok(), json!({ "sessions": 0, "tasks": 0 }));
    world.post("/restart", &json!({ "tasks": "kept" })).refused(400);
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
