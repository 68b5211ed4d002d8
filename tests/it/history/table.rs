//! The table and its history against a list that is read from end to end.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use vimsim::fault::Fault;
use vimsim::schema::{method, ty};
use vimsim::task::filter::{EntityFilter, Scope, TimeFilter, TimeKind, UserFilter};
use vimsim::task::{
    Command, End, Operation, Reason, Retention, Target, TaskDraft, TaskFilter, TaskId, TaskRecord,
    TaskTable,
};
use vimsim::value::{DateTime, MoRef, Str, Value};

const START: DateTime = DateTime::from_micros(1_700_000_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// Everything that a task may be made of, from one number.
fn draft(seed: u64) -> TaskDraft {
    let pick = |shift: u32, of: u64| (seed >> shift) % of;
    let vm = |number: u64| MoRef::new(ty::VirtualMachine, &format!("vm-{number}"));
    let folder = |number: u64| MoRef::new(ty::Folder, &format!("group-v{number}"));
    let entity = pick(0, 40);
    let reason = match pick(8, 5) {
        0 => Reason::System,
        1 => Reason::Alarm {
            alarm: MoRef::new(ty::Alarm, &format!("alarm-{}", pick(12, 3))),
            alarm_name: Str::from("Heat"),
            entity: vm(1),
            entity_name: Str::from("one"),
        },
        2 => Reason::Schedule {
            scheduled_task: MoRef::new(ty::ScheduledTask, &format!("schedule-{}", pick(12, 3))),
            name: Str::from("Nightly"),
        },
        _ => Reason::User(Str::from(format!("User{}", pick(12, 4)))),
    };
    TaskDraft {
        operation: match pick(16, 3) {
            0 => Operation::Method(method::PowerOnVM_Task),
            1 => Operation::Internal(Str::from("upkeep")),
            _ => Operation::Extension(Str::from("com.example.work")),
        },
        description_id: Str::from(format!("work.{}", pick(18, 5))),
        label: Str::from("Work"),
        entity: (entity > 0).then(|| vm(entity)),
        entity_name: (entity > 1).then(|| Str::from(format!("machine {}", pick(20, 50)))),
        above: (0..pick(24, 4)).map(|depth| folder(depth * 10 + pick(26, 3))).collect(),
        locks: Vec::new(),
        cancelable: pick(28, 2) == 0,
        driven: pick(29, 2) == 0,
        reason,
        owner: (pick(30, 3) > 0).then(|| Str::from("owner")),
        parent: (pick(32, 6) == 0).then(|| TaskId::new(1 + pick(34, 20))),
        event_chain_id: i32::try_from(pick(40, 1000)).unwrap(),
        change_tag: (pick(44, 4) == 0)
            .then(|| Str::from(["red", "", "blue"][pick(46, 3) as usize])),
        activation_id: (pick(48, 3) == 0).then(|| Str::from(format!("token-{}", pick(50, 9)))),
        description: None,
    }
}

fn end(seed: u64) -> End {
    match seed % 4 {
        0 => End::Success(None),
        1 => End::Success(Some(Value::Ref(MoRef::new(ty::VirtualMachine, "vm-7")))),
        2 => End::Failure((seed & 8 == 0).then(Fault::invalid_state)),
        _ => End::Cancelled(Fault::request_canceled()),
    }
}

/// A filter that asks for some of what drafts are made of.
fn filter() -> impl Strategy<Value = TaskFilter> {
    let entity = proptest::option::weighted(
        0.3,
        (0..12_u64, 0..3_usize, any::<bool>()).prop_map(|(number, scope, vm)| EntityFilter {
            entity: if vm {
                MoRef::new(ty::VirtualMachine, &format!("vm-{number}"))
            } else {
                MoRef::new(ty::Folder, &format!("group-v{number}"))
            },
            scope: [Scope::Itself, Scope::Below, Scope::Both][scope],
        }),
    );
    let moment =
        || proptest::option::of((0..4000_u32).prop_map(|second| START.after(second * SECOND)));
    let time = proptest::option::weighted(
        0.3,
        (0..3_usize, moment(), moment()).prop_map(|(kind, begin, end)| TimeFilter {
            kind: [TimeKind::Queued, TimeKind::Started, TimeKind::Completed][kind],
            begin,
            end,
        }),
    );
    let user = proptest::option::weighted(
        0.3,
        (any::<bool>(), proptest::option::of(0..5_u32)).prop_map(|(system, user)| {
            let name = user.map(|user| format!("uSER{user}"));
            UserFilter::new(system, name.as_deref().map(|name| [name, "nobody"]))
        }),
    );
    let states = proptest::option::weighted(
        0.3,
        proptest::sample::subsequence(
            vec![Target::Queued, Target::Running, Target::Success, Target::Error],
            0..4,
        ),
    );
    let numbers =
        || proptest::option::weighted(0.15, proptest::collection::hash_set(0..30_u64, 0..12));
    let rare = (numbers(), numbers(), numbers(), numbers(), numbers(), numbers());
    (entity, time, user, states, rare).prop_map(|(entity, time, user, states, rare)| {
        let (chains, tokens, tags, parents, roots, reasons) = rare;
        let which = reasons.map(|reasons| reasons.len() as u64);
        TaskFilter {
            entity,
            time,
            user,
            states,
            alarm: which
                .filter(|which| which % 2 == 0)
                .map(|which| MoRef::new(ty::Alarm, &format!("alarm-{}", which % 3))),
            scheduled_task: which
                .filter(|which| which % 2 == 1)
                .map(|which| MoRef::new(ty::ScheduledTask, &format!("schedule-{}", which % 3))),
            event_chains: chains.map(|set| set.into_iter().map(|chain| chain as i32).collect()),
            activation_ids: tokens.map(|set| {
                set.into_iter().map(|token| Str::from(format!("token-{token}"))).collect()
            }),
            tags: tags.map(|set| {
                set.into_iter()
                    .map(|tag| Str::from(["red", "", "green"][tag as usize % 3]))
                    .collect()
            }),
            parents: parents.map(|set| set.into_iter().map(TaskId::new).collect()),
            roots: roots.map(|set| set.into_iter().map(TaskId::new).collect()),
        }
    })
}

#[derive(Clone, Debug)]
enum Step {
    /// So many tasks; most of them end at once, some in another order.
    Add(u64, u16),
    /// The live task that is nearest to the number ends.
    End(u64),
    Start(u64),
    /// Forgets finished tasks as objects.
    Forget(u16),
    Newer(TaskFilter, u64, usize),
    Older(TaskFilter, u64, u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<u64>(), 1..700_u16).prop_map(|(seed, count)| Step::Add(seed, count)),
        2 => any::<u64>().prop_map(Step::End),
        1 => any::<u64>().prop_map(Step::Start),
        1 => (1..500_u16).prop_map(Step::Forget),
        4 => (filter(), 0..4000_u64, 1..50_usize)
            .prop_map(|(filter, after, max)| Step::Newer(filter, after, max)),
        4 => (filter(), 0..4000_u64, 0..4000_u64, 1..50_usize)
            .prop_map(|(filter, first, before, max)| Step::Older(filter, first, before, max)),
    ]
}

/// The same random numbers for the same seed.
fn spread(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

struct World {
    table: TaskTable,
    /// All tasks there ever were, by number.
    all: Vec<Arc<TaskRecord>>,
    now: DateTime,
}

impl World {
    fn add(&mut self, seed: u64) {
        self.now = self.now.after(SECOND / 2);
        let record = self.table.add(draft(spread(seed)), self.now);
        self.all.push(record);
    }

    fn apply(&mut self, at: usize, command: Command) {
        self.now = self.now.after(SECOND / 3);
        let Some(record) = self.all.get_mut(at) else { return };
        if let Ok(next) = record.after(command, self.now) {
            *record = Arc::new(next);
            self.table.replace(record);
        }
    }

    /// The place of a live task near `number`.
    fn live(&self, number: u64) -> Option<usize> {
        let live: Vec<usize> =
            (0..self.all.len()).filter(|at| !self.all[*at].state().is_done()).collect();
        (!live.is_empty()).then(|| live[number as usize % live.len()])
    }

    fn newer(&self, filter: &TaskFilter, after: u64, max: usize) -> Vec<Arc<TaskRecord>> {
        let all = self.all.iter().filter(|task| task.id.number() > after && filter.matches(task));
        all.take(max).cloned().collect()
    }

    fn older(
        &self,
        filter: &TaskFilter,
        first: u64,
        before: u64,
        max: usize,
    ) -> Vec<Arc<TaskRecord>> {
        let range = first..before.max(first);
        let all = self.all.iter().rev();
        all.filter(|task| range.contains(&task.id.number()) && filter.matches(task))
            .take(max)
            .cloned()
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_page_of_history_is_what_a_reader_of_everything_finds(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut world = World { table: TaskTable::new(), all: Vec::new(), now: START };
        for step in steps {
            match step {
                Step::Add(seed, count) => {
                    let first = world.all.len();
                    (0..u64::from(count)).for_each(|number| world.add(seed.wrapping_add(number)));
                    for at in first..world.all.len() {
                        let chance = spread(seed ^ at as u64);
                        if chance.is_multiple_of(8) {
                            continue;
                        }
                        if !chance.is_multiple_of(3) {
                            world.apply(at, Command::Start);
                        }
                        world.apply(at, Command::Finish(end(chance >> 8)));
                    }
                }
                Step::End(number) => {
                    if let Some(at) = world.live(number) {
                        world.apply(at, Command::Finish(end(number)));
                    }
                }
                Step::Start(number) => {
                    if let Some(at) = world.live(number) {
                        world.apply(at, Command::Start);
                    }
                }
                Step::Forget(count) => {
                    let gone: Vec<TaskId> =
                        world.table.finished().take(usize::from(count)).map(|task| task.id).collect();
                    gone.into_iter().for_each(|id| drop(world.table.forget(id)));
                }
                Step::Newer(filter, after, max) => {
                    let found = world.table.newer(&filter, Some(TaskId::new(after)), max);
                    prop_assert_eq!(found, world.newer(&filter, after, max));
                }
                Step::Older(filter, first, before, max) => {
                    let found =
                        world.table.older(&filter, TaskId::new(first), Some(TaskId::new(before)), max);
                    prop_assert_eq!(found, world.older(&filter, first, before, max));
                }
            }
        }
        let everything = TaskFilter::default();
        prop_assert_eq!(world.table.newer(&everything, None, usize::MAX), world.all);
    }
}

#[test]
fn history_is_trimmed_by_age_whatever_the_order_of_the_ends() {
    let mut world = World { table: TaskTable::new(), all: Vec::new(), now: START };
    (0..3000).for_each(|seed| world.add(seed));
    // The last ones end first.
    (0..3000).rev().for_each(|at| world.apply(at, Command::Finish(end(at as u64))));
    let retention = Retention {
        age: Duration::ZERO,
        history_age: 100 * SECOND,
        history_count: 100_000,
        ..Retention::default()
    };
    retention.trim(&mut world.table, world.now);
    let oldest = world.now.before(100 * SECOND);
    let young =
        world.all.iter().filter(|task| task.status().completed_at().unwrap() > oldest).count();
    let kept = world.table.history().len();
    assert!(kept >= young && kept <= young + 256, "{kept} of {young}");
    retention.trim(&mut world.table, world.now.after(100 * SECOND));
    assert!(world.table.history().is_empty());
}
