//! `event.from`: what a reply holds, and when it comes.

use std::time::Duration;

use vimsim::xenapi::{Failure, Value};

use super::{Client, settle, short, text};

const PAUSE: Duration = Duration::from_millis(50);

#[test]
fn the_first_reply_has_every_object() {
    let client = Client::new();
    let task = client.create("a");
    client.create("b");
    let reply = client.ok("event.from", &[Value::texts(["Task"]), text(""), Value::Float(30.0)]);
    assert_eq!(short(&reply).0, ["add a", "add b"]);
    let events = reply.get("events").expect("events").items();
    let field = |name: &str| events[0].get(name).cloned();
    assert_eq!(field("class"), Some(text("task")));
    assert_eq!(field("ref"), Some(Value::String(task.clone())));
    assert_eq!(field("timestamp"), Some(text("0.0")));
    assert!(field("id").is_some_and(|id| id.as_str().is_some()));
    assert_eq!(field("snapshot"), Some(client.ok("task.get_record", &[Value::String(task)])));
    let counts = reply.get("valid_ref_counts").expect("counts");
    assert_eq!(counts.get("task"), Some(&Value::Small(2)));
    assert_eq!(counts.get("session"), Some(&Value::Small(1)));
    let listed: Vec<&str> = counts.entries().iter().map(|(name, _)| name.as_str()).collect();
    assert!(listed.iter().all(|name| *name == name.to_ascii_lowercase() && *name != "event"));
}

#[test]
fn each_object_comes_once_and_what_was_never_there_does_not() {
    let client = Client::new();
    let (changed, gone, both) =
        (client.create("changed"), client.create("gone"), client.create("both"));
    let (_, token) = client.look(&["task"], "");
    assert_eq!(client.look(&["task"], &token), (vec![], token.clone()));
    client.set("progress", &changed, Value::Float(0.1));
    let new = client.create("new");
    let brief = client.create("brief");
    client.set("progress", &changed, Value::Float(0.2));
    client.set("progress", &new, Value::Float(0.2));
    for task in [&gone, &brief, &both] {
        client.set("progress", task, Value::Float(0.3));
        client.set("status", task, text("success"));
        client.ok("task.destroy", &[Value::String(task.clone())]);
    }
    let (events, later) = client.look(&["task"], &token);
    assert_eq!(events, ["add new", "mod changed", "del", "del"]);
    assert!(later > token);
    assert_eq!(client.look(&["task"], &later).0, [""; 0]);
    // The older token tells the same story again.
    assert_eq!(client.look(&["task"], &token).0, events);
}

#[test]
fn only_what_was_asked_for_comes() {
    let client = Client::new();
    let (one, other) = (client.create("one"), client.create("other"));
    let only = format!("TASK/{one}");
    assert_eq!(client.look(&[&only], "").0, ["add one"]);
    assert_eq!(client.look(&["*"], "").0.iter().filter(|it| it.starts_with("add o")).count(), 2);
    for classes in [&["nothing"][..], &[], &["session"], &["task/OpaqueRef:NULL"]] {
        assert_eq!(client.look(classes, "").0, [""; 0], "{classes:?}");
    }
    let (_, token) = client.look(&[&only], "");
    client.set("status", &other, text("success"));
    assert_eq!(client.look(&[&only], &token).0, [""; 0]);
    client.set("status", &one, text("success"));
    client.ok("task.destroy", &[Value::String(one)]);
    assert_eq!(client.look(&[&only], &token).0, ["del"]);
}

#[test]
fn a_token_that_is_none_is_refused() {
    let client = Client::new();
    for token in ["x", "1", "1,2,3", "-1,0"] {
        let params = [Value::texts(["*"]), text(token), Value::Float(0.0)];
        let expected = Failure::new("EVENT_FROM_TOKEN_PARSE_FAILURE", [token]);
        assert_eq!(client.call("event.from", &params), Err(expected));
    }
}

#[test]
fn inject_counts_an_object_as_changed_and_gives_the_token_before() {
    let client = Client::new();
    let task = client.create("a");
    let token = client.ok("event.inject", &[text("task"), Value::String(task.clone())]);
    let token = token.as_str().expect("a token");
    assert_eq!(client.look(&["task"], token).0, ["mod a"]);
    for (class, reference) in [("vm", task.as_str()), ("task", "OpaqueRef:NULL"), ("x", "y")] {
        let expected = Failure::handle_invalid(class, reference);
        assert_eq!(client.call("event.inject", &[text(class), text(reference)]), Err(expected));
    }
}

#[test]
fn tasks_of_vsphere_and_collected_ones_make_events() {
    let client = Client::new();
    let (_, token) = client.look(&["task"], "");
    let task = client.begin(10);
    let (events, token) = client.look(&["task"], &token);
    assert_eq!(events, ["add Work"]);
    client.advance(Duration::from_secs(10));
    let (events, token) = client.look(&["task"], &token);
    assert_eq!(events, ["mod Work"]);
    client.advance(Duration::from_secs(66 * 60));
    let (events, token) = client.look(&["task"], &token);
    assert_eq!(events, ["del"]);
    assert!(client.engine().task(&task).is_some());
    // What becomes of it for vSphere's clients is no business of these.
    client.advance(Duration::from_secs(3 * 24 * 60 * 60));
    let again = Client::of(&client.server);
    assert_eq!(again.look(&["task"], &token).0, [""; 0]);
}

#[test]
fn a_machine_that_is_gone_is_still_known_by_its_reference() {
    let client = Client::new();
    let vm = client.ok("VM.get_all", &[]).items()[0].clone();
    let vm = vm.as_str().expect("a reference");
    let only = format!("vm/{vm}");
    let (events, token) = client.look(&[&only], "");
    assert_eq!(events.len(), 1);
    let mo = client.server.refs().resolve(vm, &client.engine().snapshot()).expect("a machine");
    client
        .engine()
        .commit(|tx| {
            tx.remove(&mo);
            Ok(())
        })
        .expect("a commit");
    assert_eq!(client.look(&[&only], &token).0, ["del"]);
}

#[tokio::test]
async fn a_call_waits_for_its_time_and_no_longer() {
    let client = Client::new();
    let (_, token) = client.look(&["task"], "");
    let call = client.from(&["task"], &token, 60.1);
    settle().await;
    client.advance(Duration::from_secs(60));
    settle().await;
    assert!(!call.is_finished());
    client.advance(Duration::from_millis(100));
    let reply = call.await.expect("no panic").expect("a reply");
    assert_eq!(short(&reply), (vec![], token.clone()));
    // No time at all, or none that makes sense, is a day.
    for timeout in [-1.0, f64::NAN, 1e9] {
        let call = client.from(&[], &token, timeout);
        settle().await;
        client.advance(Duration::from_secs(24 * 60 * 60 - 1));
        settle().await;
        assert!(!call.is_finished(), "{timeout}");
        client.advance(Duration::from_secs(1));
        assert!(call.await.expect("no panic").is_ok());
    }
}

#[tokio::test]
async fn what_happens_within_a_moment_comes_in_one_reply() {
    let client = Client::new();
    let (_, token) = client.look(&["*"], "");
    let call = client.from(&["*"], &token, 60.0);
    settle().await;
    client.create("a");
    settle().await;
    client.advance(PAUSE / 2);
    client.create("b");
    settle().await;
    assert!(!call.is_finished());
    client.advance(PAUSE / 2);
    let reply = call.await.expect("no panic").expect("a reply");
    let (events, token) = short(&reply);
    assert_eq!(events.iter().filter(|it| *it == "add a" || *it == "add b").count(), 2);
    // What is there already is gathered as well, unless it is of tasks only.
    client.create("c");
    let tasks = client.from(&["task"], &token, 60.0);
    let all = client.from(&["*"], &token, 60.0);
    settle().await;
    assert!(tasks.is_finished() && !all.is_finished());
    client.create("d");
    client.advance(PAUSE);
    let (tasks, all) = (tasks.await, all.await);
    let events = |reply: Result<super::Answer, _>| short(&reply.expect("no panic").expect("it")).0;
    assert_eq!(events(tasks), ["add c"]);
    assert_eq!(events(all), ["add c", "add d"]);
}

#[tokio::test]
async fn the_pause_is_a_setting() {
    let client = Client::with(|config| config.xenapi.event_pause = Duration::ZERO);
    let (_, token) = client.look(&["*"], "");
    let call = client.from(&["*"], &token, 60.0);
    settle().await;
    client.create("a");
    settle().await;
    assert!(call.is_finished());
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_calls() {
    let client = Client::new();
    let other = Client::of(&client.server);
    let (_, token) = client.look(&["task"], "");
    let calls = [client.from(&["task"], &token, 60.0), client.from(&[], "", 60.0)];
    let kept = other.from(&["task"], &token, 60.0);
    settle().await;
    client.ok("session.logout", &[]);
    for call in calls {
        let failure = Failure::session_invalid(&client.session);
        assert_eq!(call.await.expect("no panic"), Err(failure));
    }
    settle().await;
    assert!(!kept.is_finished());
}
