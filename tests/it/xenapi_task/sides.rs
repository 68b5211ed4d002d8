//! One task, seen from both sides.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use vimsim::inventory::{Read, Snapshot};
use vimsim::path;
use vimsim::schema::ty;
use vimsim::task::{Claim, Outcome, Standing, State, Target, TaskId};
use vimsim::value::{MoRef, Str, Value};

use super::{Client, Work};
use crate::xenapi::world::World;

fn snapshot(world: &World) -> Arc<Snapshot> {
    world.simulator.service().engine().snapshot()
}

/// What a vSphere client reads: state, whether cancelled, and progress.
fn info(world: &World, task: &MoRef) -> (String, bool, Option<i32>) {
    let state = snapshot(world);
    let cancelled = state.at(task, path!(Task, "info.cancelled")).and_then(Value::as_bool);
    (
        state.text(task, path!(Task, "info.state")).to_owned(),
        cancelled.expect("a truth value"),
        state.at(task, path!(Task, "info.progress")).and_then(Value::as_i32),
    )
}

fn seen(state: &str, cancelled: bool, progress: Option<i32>) -> (String, bool, Option<i32>) {
    (state.to_owned(), cancelled, progress)
}

#[tokio::test]
async fn a_task_of_vsphere_is_one_of_xenapi() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let task = client.begin(Work::new(10));
    let reference = client.reference(&task);
    client.advance(Duration::from_secs(5));
    let record = client.record(&reference).await;
    assert_eq!(record["name_label"], "Work on something");
    assert_eq!((&record["status"], &record["progress"]), (&json!("pending"), &json!(0.5)));
    assert_eq!(record["allowed_operations"], json!(["cancel"]));
    assert_eq!(info(&world, &task), seen("running", false, Some(50)));
    client.advance(Duration::from_secs(5));
    let record = client.record(&reference).await;
    assert_eq!((&record["status"], &record["progress"]), (&json!("success"), &json!(1.0)));
    assert_eq!(record["finished"], "20250101T00:00:10Z");
    assert_eq!(info(&world, &task), seen("success", false, None));
    world.stop().await;
}

#[tokio::test]
async fn a_task_of_xenapi_is_one_of_vsphere() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let reference = client.create("Nightly backup").await;
    let task = client.task(&reference);
    let label = |name: &str| {
        let state = snapshot(&world);
        let info =
            state.at(&task, path!(Task, "info")).and_then(Value::as_object).expect("an info");
        info.field(name).cloned()
    };
    assert_eq!(info(&world, &task), seen("running", false, None));
    assert_eq!(label("descriptionId"), Some(Value::String(Str::from("task.create"))));
    client.ok("task.set_progress", json!([reference, 0.426])).await;
    assert_eq!(info(&world, &task), seen("running", false, Some(43)));
    client.ok("task.set_progress", json!([reference, -3.0])).await;
    assert_eq!(info(&world, &task), seen("running", false, Some(0)));
    client.ok("task.set_error_info", json!([reference, ["BROKEN", "1"]])).await;
    client.ok("task.set_result", json!([reference, "all well"])).await;
    // An error of a task that has not failed is no business of vSphere's.
    assert_eq!((label("error"), label("result")), (None, None));
    client.ok("task.set_status", json!([reference, "success"])).await;
    assert_eq!(info(&world, &task), seen("success", false, None));
    assert_eq!((label("error"), label("result")), (None, Some(Value::from("all well"))));
    assert!(label("completeTime").is_some());
    client.ok("task.set_status", json!([reference, "pending"])).await;
    assert_eq!(info(&world, &task), seen("running", false, None));
    assert_eq!((label("completeTime"), label("result")), (None, None));
    client.ok("task.set_status", json!([reference, "failure"])).await;
    assert_eq!(info(&world, &task).0, "error");
    let message = snapshot(&world);
    let message = message.text(&task, path!(Task, "info.error.localizedMessage"));
    assert_eq!(message, "A general system error occurred: BROKEN, 1");
    client.ok("task.set_status", json!([reference, "cancelled"])).await;
    let fault = label("error").and_then(|error| error.as_object()?.field("fault").cloned());
    assert_eq!(fault.and_then(|fault| Some(fault.as_object()?.ty())), Some(ty::RequestCanceled));
    world.stop().await;
}

#[tokio::test]
async fn a_cancel_from_either_side_is_seen_by_the_other_in_the_same_commit() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let engine = world.simulator.service().engine();
    let view = |task: &MoRef| client.reference(task);
    // From vSphere.
    let task = client.begin(Work::new(60));
    let before = engine.snapshot().version();
    let outcome = engine.commit(|tx| {
        let outcome = tx.cancel(TaskId::of(&task).expect("a task"), Some(Str::from("anna")));
        assert_eq!(tx.find_task(&task)?.status().standing(), Standing::Pending);
        Ok(outcome)
    });
    assert_eq!(outcome, Ok(vimsim::task::CancelOutcome::Accepted));
    let touched = engine.store().since(before).expect("the log");
    let first = touched.first().expect("a commit");
    assert!(first.changes.iter().any(|change| change.object == task));
    let record = client.record(&view(&task)).await;
    let operations = record["current_operations"].as_object().expect("a map").clone();
    assert_eq!(operations.values().collect::<Vec<_>>(), [&json!("cancel")]);
    assert_eq!(record["status"], "cancelled");
    assert_eq!(info(&world, &task), seen("error", true, None));
    // From XenAPI: the flag, its requester, and the operation are one change.
    let task = client.begin(Work::new(60));
    let reference = view(&task);
    let before = engine.snapshot().version();
    client.ok("task.cancel", json!([reference])).await;
    let commits = engine.store().since(before).expect("the log");
    let of_task =
        commits.iter().filter(|commit| commit.changes.iter().any(|change| change.object == task));
    // One that says that it is to stop, and one in which it has.
    assert_eq!(of_task.count(), 2);
    let asked = engine.task(&task).expect("the task").status().cancel().cloned();
    assert_eq!(asked.and_then(|request| request.by).as_deref(), Some("root"));
    assert_eq!(info(&world, &task), seen("error", true, None));
    world.stop().await;
}

#[tokio::test]
async fn a_wish_to_cancel_what_a_client_does_itself_is_seen_on_both_sides() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let reference = client.create("own").await;
    let task = client.task(&reference);
    client.ok("task.cancel", json!([reference])).await;
    assert_eq!(info(&world, &task), seen("running", true, None));
    assert_eq!(client.get("status", &reference).await, json!("pending"));
    client.ok("task.set_status", json!([reference, "cancelled"])).await;
    assert_eq!(info(&world, &task), seen("error", true, None));
    world.stop().await;
}

#[tokio::test]
async fn a_client_of_vsphere_may_end_a_task_of_xenapi() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let engine = world.simulator.service().engine();
    let reference = client.create("own").await;
    let task = client.task(&reference);
    client.ok("task.set_progress", json!([reference, 0.9])).await;
    engine.update_progress(&task, 25).expect("a running task");
    assert_eq!(client.get("progress", &reference).await, json!(0.25));
    let result = Some(Value::from("done"));
    engine.set_state(&task, Target::Success, result, None).expect("an end");
    let record = client.record(&reference).await;
    assert_eq!((&record["status"], &record["progress"]), (&json!("success"), &json!(1.0)));
    assert_eq!(record["result"], "<value>done</value>");
    assert_eq!(record["finished"], "20250101T00:00:00Z");
    world.stop().await;
}

#[tokio::test]
async fn destroying_hides_a_task_here_and_nowhere_else() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let task = client.begin(Work::new(0));
    let before = info(&world, &task);
    client.ok("task.destroy", json!([client.reference(&task)])).await;
    assert!(client.all().await.is_empty());
    assert_eq!(info(&world, &task), before);
    let engine = world.simulator.service().engine();
    assert_eq!(engine.tasks().recent(None, 200), [TaskId::of(&task).expect("a number")]);
    assert_eq!(engine.tasks().history().len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn what_a_client_says_of_work_that_is_not_its_own_stays_with_it() {
    let world = World::start().await;
    let client = Client::new(&world).await;
    let task = client.begin(Work::new(10));
    let reference = client.reference(&task);
    client.ok("task.set_status", json!([reference, "failure"])).await;
    client.ok("task.set_error_info", json!([reference, ["GAVE_UP"]])).await;
    assert_eq!(info(&world, &task).0, "running");
    client.advance(Duration::from_secs(10));
    let record = client.record(&reference).await;
    assert_eq!(
        (&record["status"], &record["error_info"]),
        (&json!("failure"), &json!(["GAVE_UP"]))
    );
    assert_eq!(
        (&record["result"], &record["finished"]),
        (&json!(""), &json!("19700101T00:00:00Z"))
    );
    assert_eq!(info(&world, &task), seen("success", false, None));
    world.stop().await;
}

#[tokio::test]
async fn the_memory_of_history_does_not_grow_by_what_xenapi_knows() {
    let world = World::start().await;
    let engine = world.simulator.service().engine();
    let task = engine
        .commit(|tx| {
            let operation = vimsim::task::Operation::Internal(Str::from("work"));
            let task = tx.create_task(vimsim::engine::TaskSpec::new(operation, "work"))?.id;
            tx.set_extra(task, Str::from("xenapi.name_label"), Some(Value::from("a")))?;
            tx.claim(task, Claim::Standing(Standing::Success))?;
            Ok(task)
        })
        .expect("a task");
    for _ in 0..1100 {
        let operation = vimsim::task::Operation::Internal(Str::from("work"));
        let spec = vimsim::engine::TaskSpec::new(operation, "work");
        let id = engine.create_task(spec).expect("a task").id;
        engine.commit(|tx| tx.claim(id, Claim::Standing(Standing::Success))).expect("an end");
    }
    let kept = engine.tasks().history().get(task).expect("a record");
    assert_eq!(kept.state(), State::Done(Outcome::Success));
    assert_eq!(kept.extra("xenapi.name_label"), None);
    world.stop().await;
}
