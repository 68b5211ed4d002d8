//! `event.register` and `event.next`.

use vimsim::value::Str;
use vimsim::xenapi::{Failure, Value};

use super::{Client, settle, text};

/// Operation and progress of each event.
fn told(answer: super::Answer) -> Vec<(String, f64)> {
    let events = answer.expect("events");
    let events = events.items().iter().map(|event| {
        let operation = event.get("operation").and_then(Value::as_str).expect("a text");
        let snapshot = event.get("snapshot").and_then(|it| it.get("progress"));
        (operation.to_owned(), snapshot.and_then(Value::as_f64).unwrap_or(-1.0))
    });
    events.collect()
}

fn tell(operation: &str, progress: f64) -> (String, f64) {
    (operation.to_owned(), progress)
}

#[test]
fn events_queue_up_one_by_one_from_the_registration_on() {
    let client = Client::new();
    let task = client.create("a");
    client.ok("event.register", &[Value::texts(["task"])]);
    client.set("progress", &task, Value::Float(0.25));
    client.set("progress", &task, Value::Float(0.5));
    client.set("status", &task, text("success"));
    client.ok("task.destroy", &[Value::String(task.clone())]);
    let brief = client.create("brief");
    let answer = client.call("event.next", &[]);
    let first = answer.clone().expect("events").items()[0].clone();
    assert_eq!(first.get("ref"), Some(&Value::String(task)));
    assert_eq!(first.get("class"), Some(&text("task")));
    assert_eq!(first.get("timestamp"), Some(&text("1735689600")));
    assert_eq!(
        told(answer),
        [
            tell("mod", 0.25),
            tell("mod", 0.5),
            tell("mod", 0.5),
            tell("del", -1.0),
            tell("add", 0.0)
        ]
    );
    client.ok("event.unregister", &[Value::texts(["task"])]);
    client.set("progress", &brief, Value::Float(0.5));
    let expected = Err(Failure::session_not_registered(&client.session));
    assert_eq!(client.call("event.next", &[]), expected);
    // Registrations belong to their sessions.
    client.ok("event.register", &[Value::texts(["*"])]);
    let other = Client::of(&client.server);
    assert_eq!(other.call("event.next", &[]), Err(Failure::session_not_registered(&other.session)));
}

#[tokio::test]
async fn next_waits_for_as_long_as_it_takes() {
    let client = Client::new();
    client.ok("event.register", &[Value::texts(["task"])]);
    let (first, second) = (client.spawn("event.next", &[]), client.spawn("event.next", &[]));
    settle().await;
    client.advance(std::time::Duration::from_secs(3600));
    settle().await;
    assert!(!first.is_finished() && !second.is_finished());
    client.create("a");
    settle().await;
    // They split the stream.
    assert!(first.is_finished() != second.is_finished());
    client.create("b");
    let (first, second) = (first.await.expect("no panic"), second.await.expect("no panic"));
    assert_eq!((told(first), told(second)), (vec![tell("add", 0.0)], vec![tell("add", 0.0)]));
    let waiting = client.spawn("event.next", &[]);
    settle().await;
    client.ok("event.unregister", &[Value::texts(["task"])]);
    let expected = Err(Failure::session_not_registered(&client.session));
    assert_eq!(waiting.await.expect("no panic"), expected);
    client.ok("event.register", &[Value::texts(["task"])]);
    let waiting = client.spawn("event.next", &[]);
    settle().await;
    client.ok("session.logout", &[]);
    assert_eq!(waiting.await.expect("no panic"), Err(Failure::session_invalid(&client.session)));
}

#[test]
fn who_does_not_fetch_loses_events_and_starts_over() {
    let client = Client::new();
    let task = client.create("a");
    client.ok("event.register", &[Value::texts(["task"])]);
    for number in 0..50 {
        let long = Str::from(format!("{number}{}", "x".repeat(250 * 1024)));
        client.set("result", &task, Value::String(long));
    }
    assert_eq!(client.call("event.next", &[]).err(), Some(Failure::events_lost()));
    let expected = Err(Failure::session_not_registered(&client.session));
    assert_eq!(client.call("event.next", &[]), expected);
    client.ok("event.register", &[Value::texts(["task"])]);
    client.set("progress", &task, Value::Float(0.5));
    assert_eq!(told(client.call("event.next", &[])), [tell("mod", 0.5)]);
}

#[test]
fn the_current_number_rises_with_what_happens() {
    let client = Client::new();
    let current = || client.ok("event.get_current_id", &[]).as_i64().expect("a number");
    let before = current();
    client.create("a");
    assert!(current() > before);
}
