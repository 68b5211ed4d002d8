//! Collectors against a model that keeps no state it could get wrong: it reads
//! the whole history each time.

use std::sync::{Arc, Mutex, PoisonError};

use proptest::prelude::*;

use super::*;
use crate::object;

/// An entry as the test makes it; until it has ended, everything may change.
#[derive(Clone, Debug)]
struct Thing {
    key: u64,
    stamp: u32,
    progress: i32,
    matches: bool,
    ended: bool,
}

/// Things that are shared with the test.
#[derive(Clone, Default)]
struct Things(Arc<Mutex<Vec<Thing>>>);

impl Things {
    fn with<T>(&self, read: impl FnOnce(&mut Vec<Thing>) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn matching(&self) -> Vec<Thing> {
        self.with(|all| all.iter().filter(|thing| thing.matches).cloned().collect())
    }
}

impl History for Things {
    type Entry = Thing;

    const COLLECTOR: Type = crate::schema::ty::TaskHistoryCollector;
    const ENTRY: Type = crate::schema::ty::TaskInfo;
    const REFILLS: bool = false;

    fn key(entry: &Thing) -> u64 {
        entry.key
    }

    fn stamp(entry: &Thing) -> u32 {
        entry.stamp
    }

    fn show(&self, entry: &Thing) -> Object {
        shown(entry)
    }

    fn shows(_: &Access, _: &Thing) -> bool {
        true
    }

    fn properties(&self, filter: &Object, page: Vec<Object>) -> Object {
        object!(TaskHistoryCollector { filter: filter, latestPage: page })
    }

    fn newer(&self, _: &Snapshot, after: u64, max: usize) -> Vec<Thing> {
        self.matching().into_iter().filter(|thing| thing.key > after).take(max).collect()
    }

    fn older(&self, _: &Snapshot, first: u64, before: u64, max: usize) -> Vec<Thing> {
        let all = self.matching().into_iter().rev();
        all.filter(|thing| thing.key >= first && thing.key < before).take(max).collect()
    }

    fn newest(&self, _: &Snapshot) -> u64 {
        self.with(|all| all.len() as u64)
    }

    fn settled(&self, state: &Snapshot) -> u64 {
        let live = self.with(|all| all.iter().find(|thing| !thing.ended).map(|thing| thing.key));
        live.unwrap_or(self.newest(state) + 1)
    }
}

fn shown(thing: &Thing) -> Object {
    object!(TaskInfo {
        key: thing.key.to_string(),
        eventChainId: i32::try_from(thing.stamp).unwrap_or_default(),
        progress: thing.progress,
    })
}

/// What can happen; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Add(bool),
    Progress(usize),
    Stamp(usize, bool),
    End(usize),
    Next(usize),
    Previous(usize),
    Rewind,
    Reset,
    Size(usize),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<bool>().prop_map(Step::Add),
        2 => any::<usize>().prop_map(Step::Progress),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, matches)| Step::Stamp(which, matches)),
        4 => any::<usize>().prop_map(Step::End),
        2 => (1..5_usize).prop_map(Step::Next),
        2 => (1..5_usize).prop_map(Step::Previous),
        1 => Just(Step::Rewind),
        1 => Just(Step::Reset),
        1 => (1..12_usize).prop_map(Step::Size),
        4 => Just(Step::Look),
    ]
}

/// The collector as the documents describe it.
#[derive(Debug)]
struct Model {
    position: u64,
    size: usize,
    /// Whatever has a lower key is out of the page for good.
    out: u64,
    /// What was shown of an entry when its stamp was last seen.
    shown: Vec<(u64, u32, Object)>,
}

impl Model {
    fn page(&mut self, things: &Things) -> Vec<Object> {
        let all = things.matching().into_iter().rev().filter(|thing| thing.key >= self.out);
        let page: Vec<Thing> = all.take(self.size).collect();
        if let (Some(last), true) = (page.last(), page.len() == self.size) {
            self.out = last.key;
        }
        let before = std::mem::take(&mut self.shown);
        for thing in &page {
            let same = |known: &&(u64, u32, Object)| (known.0, known.1) == (thing.key, thing.stamp);
            let object = before.iter().find(same).map_or_else(|| shown(thing), |k| k.2.clone());
            self.shown.push((thing.key, thing.stamp, object));
        }
        self.shown.iter().map(|known| known.2.clone()).collect()
    }

    fn next(&mut self, things: &Things, max: usize) -> Vec<u64> {
        let all = things.matching().into_iter().map(|thing| thing.key);
        let page: Vec<u64> = all.filter(|key| *key > self.position).take(max).collect();
        self.position = page.last().copied().unwrap_or(self.position);
        page
    }

    fn previous(&mut self, things: &Things, max: usize) -> Vec<u64> {
        let all = things.matching().into_iter().rev().map(|thing| thing.key);
        let page: Vec<u64> = all.filter(|key| *key <= self.position).take(max).collect();
        self.position = page.last().map_or(self.position, |key| key - 1);
        page
    }
}

fn change(things: &Things, which: usize, change: impl FnOnce(&mut Thing)) {
    things.with(|all| {
        let live: Vec<usize> =
            (0..all.len()).filter(|at| all.get(*at).is_some_and(|t| !t.ended)).collect();
        let chosen = live.get(which.checked_rem(live.len()).unwrap_or_default());
        if let Some(thing) = chosen.and_then(|at| all.get_mut(*at)) {
            change(thing);
        }
    });
}

fn keys(entries: &[Thing]) -> Vec<u64> {
    entries.iter().map(|thing| thing.key).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_collector_is_what_the_documents_say(
        early in proptest::collection::vec(any::<bool>(), 0..15),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let things = Things::default();
        let add = |matches: bool| {
            things.with(|all| {
                let key = all.len() as u64 + 1;
                all.push(Thing { key, stamp: 0, progress: 0, matches, ended: false });
            });
        };
        early.into_iter().for_each(add);
        let state = Snapshot::empty();
        let filter = object!(TaskFilterSpec {});
        let signal = MoRef::new(crate::schema::ty::TaskManager, "TaskManager");
        let collector = Collector::new(things.clone(), filter.clone(), signal, &state, None);
        let mut model = Model { position: 0, size: PAGE, out: 0, shown: Vec::new() };
        model.page(&things);
        for step in steps {
            match step {
                Step::Add(matches) => add(matches),
                Step::Progress(which) => change(&things, which, |thing| thing.progress += 1),
                Step::Stamp(which, matches) => change(&things, which, |thing| {
                    thing.stamp += 1;
                    thing.matches = matches;
                }),
                Step::End(which) => change(&things, which, |thing| {
                    thing.stamp += 1;
                    thing.ended = true;
                }),
                Step::Next(max) => {
                    let page = collector.read_next(&state, max);
                    prop_assert_eq!(keys(&page), model.next(&things, max));
                }
                Step::Previous(max) => {
                    let page = collector.read_previous(&state, max);
                    prop_assert_eq!(keys(&page), model.previous(&things, max));
                }
                Step::Rewind => {
                    collector.rewind();
                    model.position = 0;
                }
                Step::Reset => {
                    collector.reset(&state);
                    model.page(&things);
                    let first = model.shown.last().map(|known| known.0 - 1);
                    model.position = first.unwrap_or(things.newest(&state));
                }
                Step::Size(size) => {
                    collector.set_page_size(&state, size);
                    model.page(&things);
                    model.size = size;
                    model.page(&things);
                }
                Step::Look => {
                    let properties = SessionObject::properties(&collector, &state);
                    let page = model.page(&things);
                    prop_assert_eq!(properties, things.properties(&filter, page));
                }
            }
        }
    }
}
