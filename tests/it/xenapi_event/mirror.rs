//! A client that keeps a mirror of all tasks by events alone: whatever happens,
//! and whenever it asks, the mirror is what a client reads that asks for all.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use vimsim::value::Str;
use vimsim::xenapi::Value;

use super::{Client, text};

#[derive(Clone, Debug)]
enum Step {
    Create,
    Begin(u64),
    Progress(usize, f64),
    Status(usize, &'static str),
    Cancel(usize),
    Destroy(usize),
    Inject(usize),
    Advance(u64),
    /// The client asks what has happened since it last asked, or goes back to
    /// where it was the time before.
    Ask {
        again: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let statuses = ["pending", "success", "failure", "cancelling", "cancelled"];
    let step = prop_oneof![
        3 => Just(Step::Create),
        3 => prop::sample::select(&[0_u64, 5, 60][..]).prop_map(Step::Begin),
        3 => (any::<usize>(), 0.0..1.0).prop_map(|(at, progress)| Step::Progress(at, progress)),
        4 => (any::<usize>(), prop::sample::select(statuses.to_vec()))
            .prop_map(|(at, status)| Step::Status(at, status)),
        2 => any::<usize>().prop_map(Step::Cancel),
        3 => any::<usize>().prop_map(Step::Destroy),
        1 => any::<usize>().prop_map(Step::Inject),
        2 => prop::sample::select(&[1_u64, 30, 3600, 86_400][..]).prop_map(Step::Advance),
        4 => any::<bool>().prop_map(|again| Step::Ask { again }),
    ];
    prop::collection::vec(step, 1..60)
}

type Mirror = BTreeMap<Str, Value>;

/// Asks, and brings the mirror up to date by the answer alone.
fn ask(client: &Client, mirror: &mut Mirror, token: &str) -> String {
    let reply = client.ok("event.from", &[Value::texts(["task"]), text(token), Value::Float(0.0)]);
    for event in reply.get("events").expect("events").items() {
        let field = |name: &str| event.get(name).and_then(Value::as_str).expect("a text");
        let (operation, reference) = (field("operation"), Str::from(field("ref")));
        match event.get("snapshot") {
            Some(snapshot) => {
                let before = mirror.insert(reference, snapshot.clone());
                assert_eq!(before.is_none(), operation == "add", "{operation}");
            }
            None => {
                assert_eq!(operation, "del");
                assert!(mirror.remove(&reference).is_some());
            }
        }
    }
    let counts = reply.get("valid_ref_counts").and_then(|counts| counts.get("task"));
    assert_eq!(counts.and_then(Value::as_i64), i64::try_from(mirror.len()).ok());
    reply.get("token").and_then(Value::as_str).expect("a token").to_owned()
}

fn run(steps: &[Step]) {
    let client = Client::with(|config| {
        config.xenapi.task_count = 8;
        config.xenapi.session_timeout = Duration::ZERO;
    });
    let mut mirror = Mirror::new();
    let mut token = ask(&client, &mut mirror, "");
    let mut before = (token.clone(), mirror.clone());
    let mut tasks: Vec<Str> = Vec::new();
    for step in steps {
        let named = |at: usize| tasks.get(at.checked_rem(tasks.len())?).cloned();
        match *step {
            Step::Create => tasks.push(client.create("own")),
            Step::Begin(seconds) => {
                let task = client.begin(seconds);
                tasks.push(client.reference(&task));
            }
            Step::Advance(seconds) => client.advance(Duration::from_secs(seconds)),
            Step::Ask { again } => {
                if again {
                    (token, mirror) = before;
                }
                before = (token.clone(), mirror.clone());
                token = ask(&client, &mut mirror, &token);
            }
            Step::Progress(at, progress) => {
                if let Some(task) = named(at) {
                    let params = [Value::String(task), Value::Float(progress)];
                    drop(client.call("task.set_progress", &params));
                }
            }
            Step::Status(at, status) => {
                if let Some(task) = named(at) {
                    drop(client.call("task.set_status", &[Value::String(task), text(status)]));
                }
            }
            Step::Cancel(at) => {
                if let Some(task) = named(at) {
                    drop(client.call("task.cancel", &[Value::String(task)]));
                }
            }
            Step::Destroy(at) => {
                if let Some(task) = named(at) {
                    drop(client.call("task.destroy", &[Value::String(task)]));
                }
            }
            Step::Inject(at) => {
                if let Some(task) = named(at) {
                    drop(client.call("event.inject", &[text("task"), Value::String(task)]));
                }
            }
        }
    }
    ask(&client, &mut mirror, &token);
    let all = client.ok("task.get_all_records", &[]);
    let all: Mirror = all.entries().iter().cloned().collect();
    assert_eq!(mirror, all);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mirror_by_events_is_what_there_is(steps in steps()) {
        run(&steps);
    }
}
