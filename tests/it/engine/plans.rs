//! Random plans: what is seen of a task is what its plan says, in that order
//! and at those times.

use proptest::prelude::*;
use vimsim::engine::{Act, Course, Step};

use super::*;

/// What a plan may say, as data that can be compared.
#[derive(Clone, Debug, PartialEq)]
enum Say {
    Report(Option<i32>),
    Cancelable(bool),
    Hold,
}

#[derive(Clone, Debug, PartialEq)]
enum End {
    Success,
    Failure,
    Vanish { effect: bool },
}

#[derive(Clone, Debug)]
struct Script {
    hidden: u64,
    queued: u64,
    held: bool,
    /// Each after so many seconds more.
    says: Vec<(u64, Say)>,
    last: u64,
    end: End,
    result: Option<i32>,
}

impl Script {
    fn plan(&self) -> Plan {
        let mut after = Duration::ZERO;
        let mut steps = Vec::new();
        for (seconds, say) in &self.says {
            after += Duration::from_secs(*seconds);
            let act = match say {
                Say::Report(percent) => Act::Report(percent.map(Progress::from_percent)),
                Say::Cancelable(cancelable) => Act::Cancelable(*cancelable),
                Say::Hold => Act::Hold,
            };
            steps.push(Step { after, act });
        }
        after += Duration::from_secs(self.last);
        let act = match self.end {
            End::Success => Act::Finish,
            End::Failure => Act::Fail(Fault::invalid_state()),
            End::Vanish { effect } => Act::Vanish { effect },
        };
        steps.push(Step { after, act });
        Plan {
            hidden: Duration::from_secs(self.hidden),
            queued: Duration::from_secs(self.queued),
            held: self.held,
            result: self.result.map(Value::from),
            cancelable: Some(false),
            ..Plan::of(Course::Steps(steps.into()))
        }
    }
}

fn script() -> impl Strategy<Value = Script> {
    let say = prop_oneof![
        4 => prop::option::of(0..=100).prop_map(Say::Report),
        1 => any::<bool>().prop_map(Say::Cancelable),
        1 => Just(Say::Hold),
    ];
    let end = prop_oneof![
        3 => Just(End::Success),
        1 => Just(End::Failure),
        1 => any::<bool>().prop_map(|effect| End::Vanish { effect }),
    ];
    (
        0..5_u64,
        0..5_u64,
        any::<bool>(),
        prop::collection::vec((0..4_u64, say), 0..12),
        0..4_u64,
        end,
        prop::option::of(0..9),
    )
        .prop_map(|(hidden, queued, held, says, last, end, result)| Script {
            hidden,
            queued,
            held,
            says,
            last,
            end,
            result,
        })
}

/// Moves the clock by so many seconds; nothing may happen before the last.
fn pass(engine: &Engine, seconds: u64, still: impl Fn() -> String) {
    let before = still();
    for second in 0..seconds {
        if second + 1 == seconds {
            engine.advance(SECOND).unwrap();
        } else {
            engine.advance(SECOND - Duration::from_millis(1)).unwrap();
            assert_eq!(still(), before);
            engine.advance(Duration::from_millis(1)).unwrap();
            assert_eq!(still(), before);
        }
    }
}

/// Held means held; then it goes on.
fn let_go(engine: &Engine, task: &MoRef, still: impl Fn() -> String) {
    assert!(engine.is_held(task));
    let before = still();
    engine.advance(3600 * SECOND).unwrap();
    assert_eq!(still(), before);
    engine.release(task).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_seen_is_what_is_planned(script in script()) {
        let engine = stepped();
        let vm = machine(&engine, "a");
        let spec = TaskSpec { plan: Some(script.plan()), ..spec(&vm) };
        let task = engine.submit(spec, rename(&vm, "b")).unwrap();
        let still = || format!("{:?}", engine.task(&task).map(|task| task.status().clone()));
        let begun = engine.now();
        let appears = begun.after(Duration::from_secs(script.hidden));
        let shown = |engine: &Engine| {
            let there = engine.task(&task).is_some() && engine.now() >= appears;
            assert_eq!(engine.snapshot().exists(&task), there);
        };
        shown(&engine);
        if script.held {
            prop_assert_eq!(state(&engine, &task), State::Queued);
            let_go(&engine, &task, still);
        }
        if script.queued > 0 {
            prop_assert_eq!(state(&engine, &task), State::Queued);
            pass(&engine, script.queued, still);
        }
        shown(&engine);
        let (mut percent, mut cancelable) = (None, false);
        for (place, (seconds, say)) in script.says.iter().enumerate() {
            pass(&engine, *seconds, still);
            match say {
                Say::Report(report) => percent = *report,
                Say::Cancelable(can) => cancelable = *can,
                Say::Hold => {
                    let_go(&engine, &task, still);
                    shown(&engine);
                }
            }
            // All of an instant comes at once.
            let more = script.says.get(place + 1).is_some_and(|(seconds, _)| *seconds == 0);
            let ends = place + 1 == script.says.len() && script.last == 0;
            if !more && !ends {
                let record = engine.task(&task).unwrap();
                prop_assert_eq!(record.state(), State::Running);
                prop_assert_eq!(progress(&engine, &task), percent);
                prop_assert_eq!(record.status().cancelable(), cancelable);
            }
        }
        pass(&engine, script.last, still);
        let record = engine.task(&task);
        match script.end {
            End::Success => {
                let record = record.unwrap();
                prop_assert_eq!(record.state(), SUCCESS);
                let own = Value::from(&vm);
                let given = script.result.map(Value::from).unwrap_or(own);
                prop_assert_eq!(record.status().result(), Some(&given));
                prop_assert_eq!(name(&engine, &vm), "b");
            }
            End::Failure => {
                prop_assert_eq!(record.unwrap().state(), FAILURE);
                prop_assert_eq!(name(&engine, &vm), "a");
            }
            End::Vanish { effect } => {
                prop_assert!(record.is_none() && !engine.snapshot().exists(&task));
                prop_assert_eq!(name(&engine, &vm), if effect { "b" } else { "a" });
            }
        }
        // Nothing of it is left to come, but its showing if it was hidden.
        engine.advance(Duration::from_secs(script.hidden)).unwrap();
        let done = engine.task(&task).is_some();
        prop_assert_eq!(engine.snapshot().exists(&task), done);
        prop_assert_eq!(engine.waiting(), if done { HOUSEKEEPING } else { 0 });
    }
}

#[test]
fn stopping_takes_as_long_as_the_plan_says() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let plan = Plan { stopping: 5 * SECOND, ..Plan::even(2 * SECOND) };
    let task = engine.submit(TaskSpec { plan: Some(plan), ..spec(&vm) }, rename(&vm, "b")).unwrap();
    engine.advance(SECOND).unwrap();
    engine.cancel(&task, None).unwrap();
    engine.advance(4 * SECOND).unwrap();
    assert_eq!(state(&engine, &task), State::Running, "and its effect has not come");
    assert_eq!(progress(&engine, &task), Some(50));
    engine.advance(SECOND).unwrap();
    assert_eq!(state(&engine, &task), CANCELLED);
    assert_eq!(name(&engine, &vm), "a");
    assert_eq!(engine.waiting(), HOUSEKEEPING);
}
