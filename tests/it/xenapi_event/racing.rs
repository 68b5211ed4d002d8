//! In real time, with several who change things at once: a client that follows
//! by events alone loses nothing and is told nothing that does not fit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use vimsim::config::ClockMode;
use vimsim::value::Str;
use vimsim::xenapi::Value;

use super::{Client, text};

/// Takes an answer into the mirror, in which everything must have its place.
fn take_in(mirror: &mut BTreeMap<Str, Value>, reply: &Value) -> String {
    for event in reply.get("events").expect("events").items() {
        let field = |name: &str| event.get(name).and_then(Value::as_str).expect("a text");
        let reference = Str::from(field("ref"));
        match (field("operation"), event.get("snapshot")) {
            ("add", Some(record)) => assert!(mirror.insert(reference, record.clone()).is_none()),
            ("mod", Some(record)) => assert!(mirror.insert(reference, record.clone()).is_some()),
            ("del", None) => assert!(mirror.remove(&reference).is_some()),
            other => panic!("{other:?}"),
        }
    }
    let counts = reply.get("valid_ref_counts").and_then(|counts| counts.get("task"));
    assert_eq!(counts.and_then(Value::as_i64), i64::try_from(mirror.len()).ok());
    reply.get("token").and_then(Value::as_str).expect("a token").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_between_those_who_change_and_those_who_wait() {
    let client = Client::with(|config| {
        config.clock = ClockMode::Real;
        config.xenapi.event_pause = Duration::from_millis(1);
        config.xenapi.collect_every = Duration::from_secs(3600);
    });
    let over = AtomicBool::new(false);
    let handle = tokio::runtime::Handle::current();
    let work = |client: &Client| {
        let (mut kept, mut begun) = (Vec::new(), Vec::new());
        for number in 0..150 {
            let task = client.create("own");
            begun.push(client.begin(0));
            client.set("progress", &task, Value::Float(f64::from(number)));
            if number % 3 != 0 {
                client.set("status", &task, text("success"));
                client.ok("task.destroy", &[Value::String(task)]);
            } else {
                kept.push(task);
            }
        }
        for task in begun {
            handle.block_on(client.server.service().until_ended(&task)).expect("an end");
        }
        kept
    };
    let follower = Client::of(&client.server);
    let mut mirror = BTreeMap::new();
    let mut token = String::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let client = Client::of(&client.server);
                let work = &work;
                scope.spawn(move || work(&client))
            })
            .collect();
        let (over, follower, mirror, token) = (&over, &follower, &mut mirror, &mut token);
        let handle = &handle;
        scope.spawn(move || {
            while !over.load(Ordering::Acquire) {
                let params = [Value::texts(["task"]), text(token), Value::Float(0.05)];
                let request = follower.request("event.from", &params);
                let reply = handle.block_on(follower.server.call(request)).expect("a reply");
                *token = take_in(mirror, &reply);
            }
        });
        let kept: usize = workers.into_iter().map(|it| it.join().expect("no panic").len()).sum();
        assert_eq!(kept, 150);
        over.store(true, Ordering::Release);
    });
    let last =
        follower.ok("event.from", &[Value::texts(["task"]), text(&token), Value::Float(0.0)]);
    take_in(&mut mirror, &last);
    let all = client.ok("task.get_all_records", &[]);
    assert_eq!(mirror, all.entries().iter().cloned().collect());
}
