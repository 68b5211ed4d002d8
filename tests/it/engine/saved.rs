//! The whole state, kept aside and brought back.

use std::sync::atomic::{AtomicU32, Ordering};

use vimsim::engine::Weight;
use vimsim::inventory::ChangeKind;

use super::*;

fn restore(engine: &Engine, saved: &vimsim::engine::Saved) {
    let restored = engine.restore(saved, &mut |_| None);
    assert!(restored.complete);
}

#[test]
fn a_line_of_tasks_goes_on_where_it_was_as_often_as_wanted() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let submit = |to: &str| {
        engine.submit(TaskSpec { duration: 10 * SECOND, ..spec(&vm) }, rename(&vm, to)).unwrap()
    };
    let tasks = [submit("b"), submit("c")];
    engine.advance(4 * SECOND).unwrap();
    let saved = engine.save();
    assert_eq!((saved.jobs(), saved.time()), (2, NOON.after(4 * SECOND)));
    for round in 0..3 {
        assert_eq!(name(&engine, &vm), "a (working)");
        assert_eq!(progress(&engine, &tasks[0]), Some(40));
        assert_eq!(
            tasks.each_ref().map(|task| state(&engine, task)),
            [State::Running, State::Queued]
        );
        engine.advance(6 * SECOND).unwrap();
        assert_eq!(name(&engine, &vm), "b (working)");
        let end = if round == 1 { CANCELLED } else { SUCCESS };
        if round == 1 {
            engine.cancel(&tasks[1], None).unwrap();
        }
        engine.advance(10 * SECOND).unwrap();
        assert_eq!(state(&engine, &tasks[1]), end);
        assert_eq!(name(&engine, &vm), if round == 1 { "b" } else { "c" });
        let since = engine.snapshot().version();
        restore(&engine, &saved);
        assert_eq!(engine.now(), NOON.after(4 * SECOND));
        let commits = engine.store().since(since).unwrap();
        assert_eq!(commits.len(), 1, "it is one more commit");
        assert!(commits[0].changes.iter().all(|change| change.kind == ChangeKind::Modified));
    }
}

#[test]
fn objects_come_and_go_with_their_numbers() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let bits = engine.save();
    let first = machine(&engine, "b");
    let number = engine.ids().bits();
    engine.commit(|tx| Ok(tx.remove(&vm))).unwrap();
    restore(&engine, &bits);
    let snapshot = engine.snapshot();
    assert!(snapshot.exists(&vm) && !snapshot.exists(&first));
    let kinds = |mo: &MoRef| {
        let commits = engine.store().since(snapshot.version() - 1).unwrap();
        commits[0].changes.iter().find(|change| change.object == *mo).unwrap().kind
    };
    assert_eq!((kinds(&vm), kinds(&first)), (ChangeKind::Created, ChangeKind::Destroyed));
    assert_eq!(machine(&engine, "c"), first, "the number is free again");
    assert_eq!(engine.ids().bits(), number);
}

#[test]
fn a_log_that_does_not_reach_back_costs_a_look_at_everything() {
    let engine = stepped();
    let (a, b) = (machine(&engine, "a"), machine(&engine, "b"));
    let saved = engine.save();
    for number in 0..70_000 {
        let named =
            engine.commit(|tx| tx.set(&a, path!(VirtualMachine, "name"), number.to_string()));
        named.unwrap();
    }
    let new = machine(&engine, "new");
    let version = engine.snapshot().version();
    assert!(!engine.restore(&saved, &mut |_| None).complete);
    assert_eq!((name(&engine, &a).as_str(), name(&engine, &b).as_str()), ("a", "b"));
    let commits = engine.store().since(version).unwrap();
    let mut changed: Vec<_> = commits[0].changes.iter().map(|it| (&it.object, it.kind)).collect();
    changed.sort_by_key(|(mo, _)| *mo);
    assert_eq!(changed, [(&a, ChangeKind::Modified), (&new, ChangeKind::Destroyed)]);
}

#[test]
fn calls_wait_for_as_long_as_they_would_have() {
    let engine = stepped();
    let rang = Arc::new(AtomicU32::new(0));
    let call = |after: u32| {
        let rang = Arc::clone(&rang);
        engine.after(after * SECOND, Weight::Work, move |_| {
            rang.fetch_add(1, Ordering::Relaxed);
        })
    };
    let first = call(100);
    let saved = engine.save();
    engine.advance(50 * SECOND).unwrap();
    let second = call(8);
    engine.restore(&saved, &mut |ticket| {
        assert_eq!(ticket, first);
        let rang = Arc::clone(&rang);
        Some(Box::new(move |_| {
            rang.fetch_add(10, Ordering::Relaxed);
        }))
    });
    engine.advance(7 * SECOND).unwrap();
    assert_eq!(rang.load(Ordering::Relaxed), 0);
    engine.advance(SECOND).unwrap();
    assert_eq!(rang.load(Ordering::Relaxed), 1, "the second one has waited for eight seconds");
    engine.advance(42 * SECOND).unwrap();
    assert_eq!(rang.load(Ordering::Relaxed), 2, "the first one for a hundred");
    engine.advance(50 * SECOND).unwrap();
    assert_eq!(rang.load(Ordering::Relaxed), 12, "and what came back for it");
    assert!(!engine.forget_call(second) && !engine.forget_call(first));
}

#[test]
fn a_call_can_be_taken_back_by_its_ticket_after_all() {
    let engine = stepped();
    let saved = engine.save();
    engine.advance(5 * SECOND).unwrap();
    let ticket = engine.after(SECOND, Weight::Work, |_| panic!("it was taken back"));
    restore(&engine, &saved);
    assert_eq!(engine.waiting(), 1);
    assert!(engine.forget_call(ticket));
    engine.advance(100 * SECOND).unwrap();
    assert_eq!(engine.waiting(), 0);
}

#[test]
fn by_a_real_clock_what_waited_has_as_long_to_wait_as_then() {
    let engine = real();
    let vm = machine(&engine, "a");
    let hour = 3600 * SECOND;
    let task = engine.submit(TaskSpec { duration: hour, ..spec(&vm) }, rename(&vm, "b")).unwrap();
    while state(&engine, &task) != State::Running {
        std::thread::yield_now();
    }
    let saved = engine.save();
    let left = engine.next_work().unwrap().since(saved.time());
    // Held for a moment, it does not even notice.
    engine.cancel(&task, None).unwrap();
    while state(&engine, &task) != CANCELLED {
        std::thread::yield_now();
    }
    let before = engine.now();
    restore(&engine, &saved);
    assert_eq!(
        (state(&engine, &task), name(&engine, &vm).as_str()),
        (State::Running, "a (working)")
    );
    assert!(engine.now() >= before, "a real clock never goes back");
    let due = engine.next_work().unwrap();
    assert!(due.since(before) >= left && due.since(engine.now()) <= left);
    engine.cancel(&task, None).unwrap();
    while state(&engine, &task) != CANCELLED {
        std::thread::yield_now();
    }
    assert_eq!(name(&engine, &vm), "a");
}

#[test]
fn what_waits_to_be_cleaned_away_is_cleaned_away() {
    let retention = Retention { age: 60 * SECOND, recent_age: 30 * SECOND, ..Retention::default() };
    let engine = engine_with(retention);
    let vm = machine(&engine, "a");
    let task = engine.submit(spec(&vm), rename(&vm, "b")).unwrap();
    engine.advance(10 * SECOND).unwrap();
    let saved = engine.save();
    for _ in 0..2 {
        assert_eq!(engine.tasks().recent(None, 10).len(), 1);
        engine.advance(20 * SECOND).unwrap();
        assert_eq!(engine.tasks().recent(None, 10).len(), 0);
        assert!(engine.task(&task).is_some());
        engine.advance(30 * SECOND).unwrap();
        assert!(engine.task(&task).is_none());
        restore(&engine, &saved);
    }
}
