//! Time that only passes when it is told to: order, retention, calls.

use std::sync::atomic::{AtomicUsize, Ordering};

use vimsim::engine::Weight;
use vimsim::task::TaskId;

use super::*;

#[test]
fn a_thousand_due_in_the_same_instant_end_in_order() {
    let engine = stepped();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let expected: Vec<MoRef> = (0..1000)
        .map(|number| {
            let vm = machine(&engine, "x");
            let (order, at) = (Arc::clone(&order), vm.clone());
            let job = does(
                |_| Ok(()),
                move |_| {
                    order.lock().expect("order").push(at.clone());
                    Ok(None)
                },
            );
            let slow = TaskSpec { duration: SECOND, ..spec(&vm) };
            engine.submit(slow, Box::new(job)).unwrap();
            assert_eq!(engine.tasks().live_len(), number + 1);
            vm
        })
        .collect();
    engine.advance(SECOND).unwrap();
    assert_eq!(*order.lock().unwrap(), expected);
    assert_eq!(engine.tasks().live_len(), 0);
}

#[test]
fn a_day_passes_in_a_moment() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let day = TaskSpec { duration: 86_400 * SECOND, ..spec(&vm) };
    let task = engine.submit(day, rename(&vm, "b")).unwrap();
    engine.run_until_idle(100_000 * SECOND).unwrap();
    assert_eq!(engine.now(), NOON.after(86_400 * SECOND));
    let record = engine.task(&task).unwrap();
    assert_eq!(record.status().completed_at(), Some(engine.now()));
    assert_eq!(record.status().queued_at(), NOON);
}

#[test]
fn finished_tasks_beyond_retention_leave_nothing() {
    let engine = engine_with(Retention {
        age: 60 * SECOND,
        count: 32,
        history_age: 90 * SECOND,
        ..Retention::default()
    });
    let vm = machine(&engine, "a");
    for _ in 0..100 {
        engine.submit(spec(&vm), rename(&vm, "b")).unwrap();
    }
    let kept = engine.tasks().len();
    assert!((32..=34).contains(&kept), "{kept}");
    let last = TaskId::new(100).moref();
    assert!(engine.snapshot().exists(&last) && !engine.snapshot().exists(&TaskId::new(1).moref()));
    engine.advance(59 * SECOND).unwrap();
    assert!(engine.snapshot().exists(&last));
    engine.advance(SECOND).unwrap();
    let tasks = engine.tasks();
    assert_eq!((tasks.len(), engine.snapshot().len(), tasks.history().len()), (0, 1, 100));
    assert!(tasks.recent(None, 200).is_empty(), "what is no object is not listed");
    assert_eq!(
        tasks.recall(TaskId::new(1)).map(|task| task.mo.clone()),
        Some(TaskId::new(1).moref())
    );
    engine.advance(30 * SECOND).unwrap();
    assert_eq!((engine.tasks().history().len(), engine.waiting()), (0, 0));
}

#[test]
fn calls_come_at_their_time_and_can_be_taken_back() {
    let engine = stepped();
    let count = Arc::new(AtomicUsize::new(0));
    let call = || {
        let count = Arc::clone(&count);
        move |_: &Engine| {
            count.fetch_add(1, Ordering::SeqCst);
        }
    };
    engine.after(2 * SECOND, Weight::Work, call());
    let second = engine.after(2 * SECOND, Weight::Work, call());
    engine.after(2 * SECOND, Weight::Work, |_| panic!("a mistake in a call"));
    engine.after(3 * SECOND, Weight::Work, call());
    assert!(engine.forget_call(second) && !engine.forget_call(second));
    engine.advance(SECOND).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 0);
    assert_eq!(engine.advance_to_next().unwrap(), Some(NOON.after(2 * SECOND)));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    engine.run_until_idle(SECOND).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_sleeper_wakes_by_the_engines_clock() {
    let engine = stepped();
    let sleep = engine.sleep(3600 * SECOND);
    drop(engine.sleep(SECOND));
    assert_eq!(engine.waiting(), 1, "who no longer sleeps does not wait");
    engine.advance(3600 * SECOND).unwrap();
    sleep.await;
}
