//! Parents and children: progress upwards, cancelling downwards.

use vimsim::task::{Target, TaskId};

use super::*;

/// Makes a child for each of `children`, which take as many seconds.
fn parent(children: Vec<(MoRef, u32, bool)>) -> impl Job {
    #[derive(Clone)]
    struct Parent(Vec<(MoRef, u32, bool)>);
    impl Job for Parent {
        fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
            for (vm, seconds, cancelable) in &self.0 {
                let duration = SECOND * *seconds;
                let child = TaskSpec {
                    parent: Some(task.id),
                    duration,
                    cancelable: *cancelable,
                    ..spec(vm)
                };
                tx.submit(child, rename(vm, "done"))?;
            }
            Ok(())
        }
        fn ready(&self, _: &dyn Read, _: &TaskContext<'_>) -> Ready {
            Ready::Children
        }
        fn complete(
            &mut self,
            _: &mut Tx<'_>,
            _: &TaskContext<'_>,
        ) -> Result<Option<Value>, Fault> {
            Ok(None)
        }
    }
    Parent(children)
}

#[test]
fn a_parent_is_as_far_as_its_children() {
    let engine = stepped();
    let (a, b) = (machine(&engine, "a"), machine(&engine, "b"));
    let job = parent(vec![(a.clone(), 10, true), (b, 20, true)]);
    let task = engine.submit(TaskSpec::new(operation(), "x"), Box::new(job)).unwrap();
    let id = TaskId::of(&task).unwrap();
    assert_eq!(engine.tasks().children(id).count(), 2);
    assert!(engine.tasks().children(id).all(|child| child.root == Some(id)));
    engine.advance(5 * SECOND).unwrap();
    assert_eq!(progress(&engine, &task), Some(38), "(50 + 25) / 2");
    engine.advance(5 * SECOND).unwrap();
    assert_eq!(name(&engine, &a), "done");
    assert_eq!(progress(&engine, &task), Some(75), "(100 + 50) / 2");
    engine.advance(10 * SECOND).unwrap();
    assert_eq!(state(&engine, &task), SUCCESS);
    assert_eq!(progress(&engine, &task), None);
}

#[test]
fn cancelling_a_parent_cancels_its_children() {
    let engine = stepped();
    let (a, b) = (machine(&engine, "a"), machine(&engine, "b"));
    let job = parent(vec![(a.clone(), 10, true), (b.clone(), 20, false)]);
    let cancelable = TaskSpec { cancelable: true, ..TaskSpec::new(operation(), "x") };
    let task = engine.submit(cancelable, Box::new(job)).unwrap();
    engine.cancel(&task, None).unwrap();
    assert_eq!(name(&engine, &a), "a");
    assert_eq!(state(&engine, &task), State::Running, "a child cannot be cancelled");
    engine.cancel(&task, None).unwrap();
    engine.advance(20 * SECOND).unwrap();
    assert_eq!(state(&engine, &task), CANCELLED);
    assert_eq!(name(&engine, &b), "done");
}

#[test]
fn an_unknown_parent_is_an_invalid_argument() {
    let engine = stepped();
    let orphan = TaskSpec { parent: Some(TaskId::new(9)), ..TaskSpec::new(operation(), "x") };
    let error = engine.create_task(orphan).unwrap_err();
    assert_eq!(error, Fault::invalid_argument("parentTaskKey"));
}

#[test]
fn families_are_not_deeper_than_one_commit_can_follow() {
    let engine = stepped();
    let mut line = Vec::new();
    let deeper = loop {
        let parent = line.last().map(|task: &Arc<TaskRecord>| task.id);
        let below = TaskSpec { parent, cancelable: true, ..TaskSpec::new(operation(), "x") };
        match engine.create_task(below) {
            Ok(task) => line.push(task),
            Err(fault) => break fault,
        }
        engine.set_state(&line.last().unwrap().mo, Target::Running, None, None).unwrap();
    };
    assert_eq!(deeper, Fault::invalid_argument("parentTaskKey"));
    let (first, last) = (line.first().unwrap().mo.clone(), line.last().unwrap().mo.clone());
    engine.update_progress(&last, 40).unwrap();
    assert_eq!(progress(&engine, &first), Some(40));
    engine.cancel(&first, None).unwrap();
    assert!(engine.task(&last).unwrap().status().cancel().is_some());
}
