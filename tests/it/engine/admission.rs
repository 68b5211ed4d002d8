//! Random families of tasks that want things of each other: nobody holds what
//! a stranger holds, nobody overtakes, and nobody waits for ever.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use vimsim::engine::Busy;
use vimsim::engine::admission::{Admission, Answer};
use vimsim::schema::ty;
use vimsim::task::TaskId;
use vimsim::value::MoRef;

const ENTITIES: u8 = 4;

#[derive(Clone, Debug)]
enum Step {
    /// A new task wants some entities; below a task at work, if there is one.
    Ask { below: Option<usize>, wants: BTreeSet<u8>, busy: Busy },
    /// A task that has no children left ends, whether it works or waits.
    End { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let busy = prop_oneof![4 => Just(Busy::Wait), 1 => Just(Busy::Refuse)];
    let wants = prop::collection::btree_set(0..ENTITIES, 0..4);
    prop_oneof![
        3 => (prop::option::of(0..20_usize), wants, busy)
            .prop_map(|(below, wants, busy)| Step::Ask { below, wants, busy }),
        2 => (0..20_usize).prop_map(|which| Step::End { which }),
    ]
}

#[derive(Debug)]
struct Task {
    above: Vec<TaskId>,
    wants: BTreeSet<u8>,
    works: bool,
}

#[derive(Default)]
struct World {
    admission: Admission,
    tasks: BTreeMap<TaskId, Task>,
    created: u64,
}

fn entity(number: u8) -> MoRef {
    MoRef::new(ty::VirtualMachine, &format!("vm-{number}"))
}

impl World {
    fn ask(&mut self, below: Option<usize>, wants: &BTreeSet<u8>, busy: Busy) {
        let at_work: Vec<TaskId> =
            self.tasks.iter().filter(|(_, task)| task.works).map(|(id, _)| *id).collect();
        let parent = below.and_then(|below| at_work.get(below % at_work.len().max(1)).copied());
        let above: Vec<TaskId> = parent.map_or_else(Vec::new, |parent| {
            std::iter::once(parent).chain(self.tasks[&parent].above.iter().copied()).collect()
        });
        self.created += 1;
        let id = TaskId::new(self.created);
        let locks: Vec<MoRef> = wants.iter().map(|number| entity(*number)).collect();
        let works = match self.admission.request(id, above.clone(), &locks, busy) {
            Answer::Granted => true,
            Answer::Waits => false,
            Answer::Refused(holder) => {
                let holder = &self.tasks[&holder];
                assert!(holder.works && !holder.wants.is_disjoint(wants));
                return;
            }
        };
        self.tasks.insert(id, Task { above, wants: wants.clone(), works });
    }

    fn end(&mut self, id: TaskId) {
        self.tasks.remove(&id);
        for next in self.admission.release(id) {
            let task = self.tasks.get_mut(&next).expect("a task that waits");
            assert!(!task.works);
            task.works = true;
        }
    }

    /// The tasks that have no children.
    fn leaves(&self) -> Vec<TaskId> {
        let has_child = |id: &TaskId| self.tasks.values().any(|task| task.above.contains(id));
        self.tasks.keys().filter(|id| !has_child(id)).copied().collect()
    }

    fn check(&self) {
        for number in 0..ENTITIES {
            let concerned =
                || self.tasks.iter().filter(move |(_, task)| task.wants.contains(&number));
            let holders: Vec<_> = concerned().filter(|(_, task)| task.works).collect();
            for (a, (id, _)) in holders.iter().enumerate() {
                let below = holders.iter().skip(a + 1).all(|(_, task)| task.above.contains(id));
                assert!(below, "two strangers hold {number}: {holders:?}");
            }
            let outermost = holders.first().map(|(id, _)| **id);
            assert_eq!(self.admission.holder(&entity(number)), outermost);
            if holders.is_empty() {
                // The first in line lacks something else, or it would work.
                let first = concerned().find(|(_, task)| task.above.is_empty());
                assert!(first.is_none_or(|(_, task)| task.wants.len() > 1), "{number} lies idle");
            }
        }
        // Among those who want the same, the older one works first.
        let roots = || self.tasks.values().filter(|task| task.above.is_empty());
        for (place, waits) in roots().enumerate().filter(|(_, task)| !task.works) {
            let overtaken = roots()
                .skip(place + 1)
                .any(|later| later.works && !later.wants.is_disjoint(&waits.wants));
            assert!(!overtaken, "overtaken: {waits:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_overtakes_and_nobody_waits_for_ever(steps in prop::collection::vec(step(), 80)) {
        let mut world = World::default();
        for step in &steps {
            match step {
                Step::Ask { below, wants, busy } => world.ask(*below, wants, *busy),
                Step::End { which } => {
                    let leaves = world.leaves();
                    if let Some(leaf) = leaves.get(which % leaves.len().max(1)) {
                        world.end(*leaf);
                    }
                }
            }
            world.check();
        }
        // Whoever works and has no children left ends; then all are gone.
        while let Some(id) = world.leaves().into_iter().find(|id| world.tasks[id].works) {
            world.end(id);
            world.check();
        }
        prop_assert!(world.tasks.is_empty(), "these wait for ever: {:?}", world.tasks);
        prop_assert!(world.admission.is_idle());
    }
}
