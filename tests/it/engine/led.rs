//! Tasks led by hand: held, released, stepped, completed, failed, lost.

use vimsim::engine::Refused;
use vimsim::task::{TaskFilter, TaskId};

use super::*;

/// A rename that takes ten seconds.
fn slow(engine: &Engine, vm: &MoRef, to: &str) -> MoRef {
    engine.submit(TaskSpec { duration: 10 * SECOND, ..spec(vm) }, rename(vm, to)).unwrap()
}

#[test]
fn a_held_task_stands_still_and_then_goes_on_where_it_stood() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let task = slow(&engine, &vm, "b");
    engine.advance(6 * SECOND).unwrap();
    engine.hold(&task).unwrap();
    assert!(engine.is_held(&task));
    assert_eq!(engine.hold(&task), Err(Refused::Held));
    engine.advance(24 * 3600 * SECOND).unwrap();
    assert_eq!(progress(&engine, &task), Some(60));
    engine.release(&task).unwrap();
    assert_eq!(engine.release(&task), Err(Refused::NotHeld));
    engine.advance(3 * SECOND).unwrap();
    assert_eq!(progress(&engine, &task), Some(90));
    engine.advance(SECOND).unwrap();
    assert_eq!(state(&engine, &task), SUCCESS);
    assert_eq!(engine.hold(&task), Err(Refused::Finished));
    assert_eq!(engine.waiting(), HOUSEKEEPING);
}

#[test]
fn a_task_held_in_line_does_not_begin_when_its_turn_comes() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let first = slow(&engine, &vm, "b");
    let second = slow(&engine, &vm, "c");
    engine.hold(&second).unwrap();
    assert_eq!(engine.step_task(&second), Err(Refused::Waits));
    assert_eq!(engine.complete(&second, None), Err(Refused::Waits));
    engine.advance(3600 * SECOND).unwrap();
    assert_eq!(state(&engine, &first), SUCCESS);
    assert_eq!(state(&engine, &second), State::Queued);
    engine.release(&second).unwrap();
    assert_eq!(state(&engine, &second), State::Running);
    engine.advance(10 * SECOND).unwrap();
    assert_eq!(name(&engine, &vm), "c");
}

#[test]
fn a_step_leads_to_the_next_report_and_holds_there() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let held = Plan { held: true, ..Plan::even(SECOND) };
    let task = engine.submit(TaskSpec { plan: Some(held), ..spec(&vm) }, rename(&vm, "b")).unwrap();
    assert_eq!((state(&engine, &task), engine.is_held(&task)), (State::Queued, true));
    engine.step_task(&task).unwrap();
    assert_eq!((state(&engine, &task), progress(&engine, &task)), (State::Running, None));
    for percent in 1..10 {
        engine.step_task(&task).unwrap();
        engine.advance(SECOND).unwrap();
        assert_eq!(progress(&engine, &task), Some(percent * 10));
    }
    engine.step_task(&task).unwrap();
    assert_eq!(state(&engine, &task), SUCCESS);
    assert_eq!(engine.step_task(&task), Err(Refused::Finished));
}

#[test]
fn a_task_is_completed_or_failed_where_it_is() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let task = slow(&engine, &vm, "b");
    engine.hold(&task).unwrap();
    engine.complete(&task, Some(Value::from(7))).unwrap();
    assert_eq!(state(&engine, &task), SUCCESS);
    assert_eq!(engine.task(&task).unwrap().status().result(), Some(&Value::from(7)));
    assert_eq!(name(&engine, &vm), "b", "its effect is there");
    // From the queue as well.
    let held = Plan { held: true, ..Plan::even(SECOND) };
    let queued = TaskSpec { plan: Some(held.clone()), ..spec(&vm) };
    let task = engine.submit(queued.clone(), rename(&vm, "c")).unwrap();
    engine.complete(&task, None).unwrap();
    assert_eq!(engine.task(&task).unwrap().status().result(), Some(&Value::from(&vm)));
    let task = slow(&engine, &vm, "d");
    engine.advance(6 * SECOND).unwrap();
    engine.fail_task(&task, Fault::invalid_state()).unwrap();
    assert!(fault(&engine, &task).is_a(ty::InvalidState));
    let task = engine.submit(queued, rename(&vm, "d")).unwrap();
    engine.fail_task(&task, Fault::invalid_state()).unwrap();
    assert_eq!(state(&engine, &task), FAILURE);
    assert_eq!(name(&engine, &vm), "c");
    assert_eq!(engine.fail_task(&task, Fault::invalid_state()), Err(Refused::Finished));
    assert_eq!(engine.waiting(), HOUSEKEEPING);
}

#[test]
fn a_lost_task_leaves_nothing_and_lets_the_next_one_begin() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let task = slow(&engine, &vm, "b");
    let next = slow(&engine, &vm, "c");
    engine.advance(SECOND).unwrap();
    engine.lose(&task).unwrap();
    assert!(engine.task(&task).is_none() && !engine.snapshot().exists(&task));
    assert_eq!(engine.tasks().recent(None, 100), [TaskId::of(&next).unwrap()]);
    assert_eq!(engine.tasks().newer(&TaskFilter::default(), None, 100).len(), 1);
    for refused in [engine.hold(&task), engine.lose(&task), engine.complete(&task, None)] {
        assert_eq!(refused, Err(Refused::Absent));
    }
    assert_eq!(name(&engine, &vm), "a (working)", "by the next one");
    engine.advance(10 * SECOND).unwrap();
    assert_eq!(name(&engine, &vm), "c");
    // One that has ended is gone, too.
    engine.lose(&next).unwrap();
    assert!(engine.task(&next).is_none());
    assert_eq!(engine.waiting(), 1, "history remembers it for a while");
}

#[test]
fn a_held_task_can_be_cancelled() {
    let engine = stepped();
    let vm = machine(&engine, "a");
    let task = slow(&engine, &vm, "b");
    engine.hold(&task).unwrap();
    engine.cancel(&task, None).unwrap();
    assert_eq!(state(&engine, &task), CANCELLED);
    assert_eq!(name(&engine, &vm), "a");
}

#[test]
fn a_held_task_does_not_give_up_before_it_is_released() {
    let engine = stepped();
    let (vm, guest) = (machine(&engine, "a"), machine(&engine, "guest"));
    let job = Does {
        ready: Ready::After(vec![guest]),
        timeout: Some((10 * SECOND, Fault::of(ty::Timedout, "Operation timed out."))),
        ..does(|_| Ok(()), |_| Ok(None))
    };
    let task = engine.submit(spec(&vm), Box::new(job)).unwrap();
    engine.hold(&task).unwrap();
    engine.advance(60 * SECOND).unwrap();
    assert_eq!(state(&engine, &task), State::Running);
    engine.release(&task).unwrap();
    assert!(fault(&engine, &task).is_a(ty::Timedout));
}

#[test]
fn a_task_of_an_extension_is_ended_and_lost_but_not_held() {
    let engine = stepped();
    let made = || {
        let spec = TaskSpec::new(operation(), "com.example.work");
        engine.create_task(spec).unwrap().mo.clone()
    };
    let task = made();
    assert_eq!(engine.hold(&task), Err(Refused::NotDriven));
    assert_eq!(engine.step_task(&task), Err(Refused::NotDriven));
    engine.complete(&task, Some(Value::from(1))).unwrap();
    assert_eq!(state(&engine, &task), SUCCESS);
    let task = made();
    engine.fail_task(&task, Fault::invalid_state()).unwrap();
    assert_eq!(state(&engine, &task), FAILURE);
    let task = made();
    engine.lose(&task).unwrap();
    assert!(engine.task(&task).is_none());
}

#[test]
fn a_parent_goes_on_when_its_last_child_is_lost() {
    let engine = stepped();
    let (vm, other) = (machine(&engine, "a"), machine(&engine, "b"));
    let of = other.clone();
    let family = Does {
        ready: Ready::Children,
        ..does(
            move |tx: &mut Tx<'_>| {
                let parent = tx.tasks().live().next().map(|task| task.id);
                let child = TaskSpec { duration: 10 * SECOND, parent, ..spec(&of) };
                tx.submit(child, rename(&of, "c")).map(drop)
            },
            |_| Ok(None),
        )
    };
    let parent = engine.submit(spec(&vm), Box::new(family)).unwrap();
    engine.advance(SECOND).unwrap();
    let child = engine.tasks().live().last().unwrap().mo.clone();
    assert_ne!(child, parent);
    assert_eq!(state(&engine, &parent), State::Running);
    engine.lose(&child).unwrap();
    assert_eq!(state(&engine, &parent), SUCCESS);
}
