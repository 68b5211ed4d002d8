//! The engine's own thread, and races with it.

use std::sync::atomic::{AtomicUsize, Ordering};

use vimsim::inventory::Transaction;
use vimsim::task::{CancelOutcome, TaskId};

use super::*;

#[test]
fn the_same_calls_give_the_same_tasks() {
    let run = || {
        let engine = stepped();
        for number in 0..20 {
            let vm = machine(&engine, &format!("vm{number}"));
            let slow = TaskSpec { duration: SECOND * number, ..spec(&vm) };
            engine.submit(slow.clone(), rename(&vm, "b")).unwrap();
            engine.submit(slow, rename(&vm, "c")).unwrap();
            engine.advance(SECOND).unwrap();
        }
        let records: Vec<TaskRecord> = engine.tasks().iter().map(|t| (**t).clone()).collect();
        (records, engine.snapshot().version())
    };
    assert_eq!(run(), run());
}

/// A projection that tells what happens to tasks, in order.
struct Tells(std::sync::mpsc::Sender<(TaskId, State)>);

impl Projection for Tells {
    fn project(&self, task: &TaskRecord) -> Object {
        Plain.project(task)
    }

    fn on_change(&self, _: &mut Transaction, _: Option<&TaskRecord>, new: &Arc<TaskRecord>) {
        self.0.send((new.id, new.state())).expect("the test listens");
    }
}

#[test]
fn with_a_real_clock_a_thread_does_the_work() {
    let (tell, told) = std::sync::mpsc::channel();
    let store = Arc::new(Store::new());
    let engine =
        Engine::start(store, Settings::default(), Box::new(Tells(tell))).expect("a thread");
    let vm = machine(&engine, "a");
    for _ in 0..100 {
        let quick = TaskSpec { duration: Duration::from_micros(50), ..spec(&vm) };
        engine.submit(quick, rename(&vm, "b")).unwrap();
    }
    let mut seen: Vec<(TaskId, State)> = Vec::new();
    while seen.iter().filter(|(_, state)| state.is_done()).count() < 100 {
        seen.push(told.recv().expect("the engine goes on"));
    }
    for number in 1..=100 {
        let states: Vec<State> =
            seen.iter().filter(|(id, _)| id.number() == number).map(|(_, s)| *s).collect();
        assert_eq!(states, [State::Queued, State::Running, SUCCESS]);
    }
    let ends: Vec<u64> =
        seen.iter().filter(|(_, s)| s.is_done()).map(|(id, _)| id.number()).collect();
    assert!(ends.is_sorted(), "one entity, one order");
    // The last change is told inside its commit; another commit comes after it.
    engine.commit(|_| Ok(())).unwrap();
    for record in engine.tasks().iter() {
        let status = record.status();
        assert!(Some(status.queued_at()) <= status.started_at());
        assert!(status.started_at() <= status.completed_at());
    }
}

#[test]
fn cancel_and_completion_race_to_exactly_one_end() {
    let engine = real();
    let mut cancelled = 0;
    for round in 0..10_000_u32 {
        let vm = machine(&engine, "a");
        let ends = Arc::new(AtomicUsize::new(0));
        let job = Races { rename: *rename(&vm, "b"), ends: Arc::clone(&ends) };
        // Sometimes the one is a little faster, sometimes the other; on a machine
        // where it never is, at least one round in a hundred goes each way.
        let duration = match round % 100 {
            1 => 3600 * SECOND,
            some => Duration::from_micros(u64::from(some % 40)),
        };
        let task = engine.submit(TaskSpec { duration, ..spec(&vm) }, Box::new(job)).unwrap();
        while round.is_multiple_of(100) && !state(&engine, &task).is_done() {
            std::thread::yield_now();
        }
        for _ in 0..round % 997 {
            std::hint::spin_loop();
        }
        let outcome = engine.request_cancel(&task, None);
        while !state(&engine, &task).is_done() {
            std::thread::yield_now();
        }
        let record = engine.task(&task).unwrap();
        match outcome {
            CancelOutcome::Accepted => {
                cancelled += 1;
                assert_eq!(record.state(), CANCELLED);
                assert_eq!(record.status().result(), None);
                assert_eq!(name(&engine, &vm), "a");
            }
            CancelOutcome::Finished => {
                assert_eq!(record.state(), SUCCESS);
                assert_eq!(record.status().error(), None);
                assert_eq!(name(&engine, &vm), "b");
            }
            other => panic!("{other:?}"),
        }
        assert!(ends.load(Ordering::SeqCst) <= 1, "ended twice");
        engine.commit(|tx| Ok(tx.remove(&vm))).unwrap();
    }
    assert!((100..=9_900).contains(&cancelled), "{cancelled} of 10000 were cancelled");
}

/// Counts how often it ends.
#[derive(Clone)]
struct Races {
    rename: Rename,
    ends: Arc<AtomicUsize>,
}

impl Job for Races {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        self.rename.begin(tx, task)
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        self.ends.fetch_add(1, Ordering::SeqCst);
        self.rename.complete(tx, task)
    }

    fn undo(&mut self, tx: &mut Tx<'_>) {
        self.ends.fetch_add(1, Ordering::SeqCst);
        self.rename.undo(tx);
    }
}

#[test]
fn an_engine_goes_when_its_last_handle_goes() {
    let engine = real();
    let weak = engine.downgrade();
    drop(engine);
    while weak.upgrade().is_some() {
        std::thread::yield_now();
    }
}
