//! The objects that a standing filter selects, kept up to date change by change.
//!
//! The same walk as [`traverse`](super::traverse), but it remembers: for each
//! object in how many ways it is reached, and what each traversal that was
//! applied to it has found. When an object changes, only its own traversals are
//! read again, and only what they find more or less of is followed. Work is in
//! proportion to what changed.
//!
//! Counting alone cannot see that two objects which lead to each other have
//! been cut off from the roots. So when an object that leads on loses one way
//! and keeps another, which can be part of a circle, the walk starts over; that
//! happens when a part of the inventory moves, not when something changes.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use super::Source;
use super::budget::{Exceeded, Share};
use super::spec::FilterSpec;
use super::subscriptions::Subscriber;
use super::traverse::{read, references};
use crate::value::{MoRef, Value};

type Hasher = foldhash::fast::FixedState;

/// The walk of one filter over the inventory.
#[derive(Debug, Default)]
pub(super) struct Membership {
    nodes: HashMap<MoRef, Node, Hasher>,
    /// For objects that others are computed from: which ones.
    dependents: HashMap<MoRef, SmallVec<[MoRef; 1]>, Hasher>,
    /// Objects that may be cut off without their count showing it.
    doubtful: Vec<MoRef>,
}

/// What the walk knows of an object that it reached, whether it exists or not.
/// There are very many of these: most are reached in one way and lead nowhere.
#[derive(Debug)]
struct Node {
    /// A way in which it is reached, and how often; never, in one that is new.
    way: Way,
    /// What most objects do not have.
    more: Option<Box<More>>,
}

/// A way in which an object is reached, by the arrival, and how often.
#[derive(Clone, Copy, Debug)]
struct Way {
    arrival: u32,
    count: u32,
}

/// What the walk knows of an object besides one way to it.
#[derive(Debug, Default)]
struct More {
    /// The other ways, all of them taken at least once.
    ways: Vec<Way>,
    onward: Onward,
}

impl Node {
    /// An object that is reached by `arrival`, the first time.
    fn new(arrival: u32) -> Self {
        Self { way: Way { arrival, count: 0 }, more: None }
    }

    /// In which ways the object is reached.
    fn ways(&self) -> impl Iterator<Item = u32> {
        let others = self.more.iter().flat_map(|more| &more.ways);
        std::iter::once(&self.way).chain(others).map(|way| way.arrival)
    }

    /// The object is reached by `arrival` once more; whether that is a new way.
    fn come(&mut self, arrival: u32) -> bool {
        let others = self.more.iter_mut().flat_map(|more| &mut more.ways);
        let mut all = std::iter::once(&mut self.way).chain(others);
        if let Some(way) = all.find(|way| way.arrival == arrival) {
            way.count += 1;
            return way.count == 1;
        }
        self.more().ways.push(Way { arrival, count: 1 });
        true
    }

    /// The object is reached by `arrival` once less.
    fn go(&mut self, arrival: u32) -> Gone {
        let others = self.more.iter_mut().flat_map(|more| &mut more.ways);
        let mut all = std::iter::once(&mut self.way).chain(others);
        let Some(way) = all.find(|way| way.arrival == arrival) else { return Gone::Nothing };
        way.count -= 1;
        if way.count > 0 {
            return Gone::Once;
        }
        let ways = self.more.as_mut().map(|more| &mut more.ways);
        if self.way.count > 0 {
            if let Some(ways) = ways {
                ways.retain(|way| way.count > 0);
            }
            return Gone::Way;
        }
        match ways.and_then(Vec::pop) {
            Some(other) => {
                self.way = other;
                Gone::Way
            }
            None => Gone::All,
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    fn onward(&mut self) -> Option<&mut Onward> {
        self.more.as_mut().map(|more| &mut more.onward)
    }
}

/// What is left when a way to an object has gone once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// It was not reached in this way.
    Nothing,
    /// The same ways.
    Once,
    /// Other ways.
    Way,
    /// None.
    All,
}

/// Where an object leads.
#[derive(Debug, Default)]
struct Onward {
    /// What each applied traversal has found.
    found: SmallVec<[(u32, Option<Value>); 2]>,
    depends: Vec<MoRef>,
}

/// One way to an object that came or went.
enum Step {
    Come(MoRef, u32),
    Go(MoRef, u32),
}

/// What a change of membership works with.
pub(super) struct Walk<'w, S> {
    /// What is selected.
    pub(super) spec: &'w FilterSpec,
    /// What the caller sees.
    pub(super) source: &'w S,
    /// The filter's subscriptions.
    pub(super) subscriber: &'w mut Subscriber,
    /// Takes the objects that may have joined, changed or left.
    pub(super) affected: &'w mut dyn FnMut(&MoRef),
    /// Objects subscribed to for the first time, which `source` may show as
    /// they were before.
    pub(super) fresh: Vec<MoRef>,
    /// What the filter holds, and how much of that is not for members.
    pub(super) share: &'w mut Share,
    pub(super) apart: usize,
    /// Whether the walk has stopped because there was no more room: what it
    /// knows then is not to be used.
    pub(super) exceeded: Option<Exceeded>,
}

impl<S: Source> Walk<'_, S> {
    fn subscribe(&mut self, mo: &MoRef) {
        if self.subscriber.subscribe(mo) {
            self.fresh.push(mo.clone());
        }
    }

    /// Takes room for so many objects, or stops.
    fn hold(&mut self, members: usize) {
        if let Err(exceeded) = self.share.hold(self.apart + members) {
            self.exceeded = Some(exceeded);
        }
    }
}

impl Membership {
    /// Whether `mo`, if it exists, is selected.
    pub(super) fn selects(&self, spec: &FilterSpec, mo: &MoRef) -> bool {
        self.nodes.get(mo).is_some_and(|node| node.ways().any(|way| !spec.skips(way)))
    }

    /// How many objects are remembered.
    pub(super) fn len(&self) -> usize {
        self.nodes.len() + self.dependents.len()
    }

    /// Walks from the roots and forgets what was known before.
    pub(super) fn start<S: Source>(&mut self, walk: &mut Walk<'_, S>) {
        let before = std::mem::take(self);
        let roots = walk.spec.roots().iter();
        let mut steps: Vec<Step> =
            roots.rev().map(|root| Step::Come(root.object.clone(), root.arrival)).collect();
        self.run(walk, &mut steps);
        for mo in before.nodes.keys().filter(|mo| !self.nodes.contains_key(mo)) {
            (walk.affected)(mo);
        }
        if self.nodes.capacity() / 4 > self.nodes.len() {
            self.nodes.shrink_to_fit();
        }
        let (nodes, dependents) = (&self.nodes, &self.dependents);
        walk.subscriber.retain(|mo| nodes.contains_key(mo) || dependents.contains_key(mo));
    }

    /// Takes in that `objects` may have changed, come into being, or gone.
    pub(super) fn changed<S: Source>(&mut self, walk: &mut Walk<'_, S>, objects: &[MoRef]) {
        for mo in objects {
            self.reread(walk, mo);
            for dependent in self.dependents.get(mo).cloned().unwrap_or_default() {
                self.reread(walk, &dependent);
            }
        }
        let doubtful = std::mem::take(&mut self.doubtful);
        if doubtful.iter().any(|mo| self.nodes.contains_key(mo)) {
            self.start(walk);
        }
    }

    fn reread<S: Source>(&mut self, walk: &mut Walk<'_, S>, mo: &MoRef) {
        let Some(node) = self.nodes.get_mut(mo) else { return };
        (walk.affected)(mo);
        let object = walk.source.get(mo);
        let mut steps = Vec::new();
        for (index, found) in node.onward().into_iter().flat_map(|onward| &mut onward.found) {
            let Some(traversal) = walk.spec.traversal(*index) else { continue };
            let now = object
                .as_ref()
                .and_then(|object| read(walk.source, mo, object, &traversal.property));
            compare(found.as_ref(), now.as_ref(), traversal.arrival, &mut steps);
            *found = now;
        }
        self.depend(walk, mo);
        // Taken from the end: what comes before what goes, and each in its order.
        steps.reverse();
        steps.sort_by_key(|step| matches!(step, Step::Come(..)));
        self.run(walk, &mut steps);
    }

    /// Takes `steps` from the end, and those that follow from them.
    fn run<S: Source>(&mut self, walk: &mut Walk<'_, S>, steps: &mut Vec<Step>) {
        while walk.exceeded.is_none()
            && let Some(step) = steps.pop()
        {
            match step {
                Step::Come(mo, way) => self.come(walk, &mo, way, steps),
                Step::Go(mo, way) => self.go(walk, &mo, way, steps),
            }
        }
    }

    fn come<S: Source>(
        &mut self,
        walk: &mut Walk<'_, S>,
        mo: &MoRef,
        way: u32,
        steps: &mut Vec<Step>,
    ) {
        let known = self.nodes.contains_key(mo);
        if !known {
            walk.hold(self.len() + 1);
            if walk.exceeded.is_some() {
                return;
            }
            walk.subscribe(mo);
        }
        let node = self.nodes.entry(mo.clone()).or_insert_with(|| Node::new(way));
        if !node.come(way) {
            return;
        }
        (walk.affected)(mo);
        let mut object = None;
        let start = steps.len();
        for (index, traversal) in walk.spec.applied(way, mo.ty()) {
            let onward = &mut node.more().onward;
            if onward.found.iter().any(|(other, _)| *other == index) {
                continue;
            }
            let object = object.get_or_insert_with(|| walk.source.get(mo));
            let found = object
                .as_ref()
                .and_then(|object| read(walk.source, mo, object, &traversal.property));
            let to = references(found.as_ref());
            steps.extend(to.map(|to| Step::Come(to.clone(), traversal.arrival)));
            onward.found.push((index, found));
        }
        // Taken from the end, and the first is to be first.
        if let Some(added) = steps.get_mut(start..) {
            added.reverse();
        }
        if !known {
            self.depend(walk, mo);
        }
    }

    fn go<S: Source>(
        &mut self,
        walk: &mut Walk<'_, S>,
        mo: &MoRef,
        way: u32,
        steps: &mut Vec<Step>,
    ) {
        let Some(node) = self.nodes.get_mut(mo) else { return };
        let gone = node.go(way);
        if matches!(gone, Gone::Way | Gone::All) {
            (walk.affected)(mo);
        }
        if gone == Gone::Nothing {
            return;
        }
        if gone == Gone::All {
            let more = self.nodes.remove(mo).and_then(|node| node.more);
            if let Some(more) = more {
                for (index, found) in &more.onward.found {
                    leave(walk.spec, *index, found.as_ref(), steps);
                }
                self.release(walk, mo, &more.onward.depends);
            }
            if !self.dependents.contains_key(mo) {
                walk.subscriber.unsubscribe(mo);
            }
            return;
        }
        let ways: SmallVec<[u32; 4]> = node.ways().collect();
        let Some(onward) = node.onward() else { return };
        // What leads nowhere is in no circle.
        if ways.iter().any(|way| walk.spec.is_recursive(*way))
            && onward.found.iter().any(|(_, found)| leads_on(found.as_ref()))
        {
            self.doubtful.push(mo.clone());
        }
        onward.found.retain(|(index, found)| {
            let applies = ways.iter().any(|way| walk.spec.selects(*way, *index));
            if !applies {
                leave(walk.spec, *index, found.as_ref(), steps);
            }
            applies
        });
    }

    /// Learns again which objects `mo` is computed from.
    fn depend<S: Source>(&mut self, walk: &mut Walk<'_, S>, mo: &MoRef) {
        let mut depends = Vec::new();
        walk.source.depends(mo, &mut |other| depends.push(other.clone()));
        let Some(node) = self.nodes.get_mut(mo) else { return };
        let before = node.onward().map(|onward| std::mem::take(&mut onward.depends));
        let before = before.unwrap_or_default();
        if depends.is_empty() && before.is_empty() {
            return;
        }
        node.more().onward.depends.clone_from(&depends);
        if depends == before {
            return;
        }
        let kept: HashSet<&MoRef> = before.iter().collect();
        for other in depends.iter().filter(|other| !kept.contains(other)) {
            walk.hold(self.len() + 1);
            if walk.exceeded.is_some() {
                return;
            }
            walk.subscribe(other);
            self.dependents.entry(other.clone()).or_default().push(mo.clone());
        }
        let now: HashSet<&MoRef> = depends.iter().collect();
        let gone: Vec<MoRef> =
            before.iter().filter(|other| !now.contains(other)).cloned().collect();
        self.release(walk, mo, &gone);
    }

    fn release<S: Source>(&mut self, walk: &mut Walk<'_, S>, mo: &MoRef, depends: &[MoRef]) {
        for other in depends {
            let Some(dependents) = self.dependents.get_mut(other) else { continue };
            dependents.retain(|dependent| dependent != mo);
            if dependents.is_empty() {
                self.dependents.remove(other);
                if !self.nodes.contains_key(other) {
                    walk.subscriber.unsubscribe(other);
                }
            }
        }
    }
}

/// Whether a traversal has found anything.
fn leads_on(found: Option<&Value>) -> bool {
    references(found).next().is_some()
}

/// The steps that undo what a traversal has found.
fn leave(spec: &FilterSpec, index: u32, found: Option<&Value>, steps: &mut Vec<Step>) {
    let Some(traversal) = spec.traversal(index) else { return };
    steps.extend(references(found).map(|mo| Step::Go(mo.clone(), traversal.arrival)));
}

/// The steps from what a traversal found before to what it finds now.
fn compare(before: Option<&Value>, now: Option<&Value>, way: u32, steps: &mut Vec<Step>) {
    if let (Some(before), Some(now)) = (before, now)
        && before.same(now)
    {
        return;
    }
    // Mostly one came or went somewhere, and all before and behind it are the same.
    let (before, now): (Vec<&MoRef>, Vec<&MoRef>) = match (before, now) {
        (Some(Value::Array(before)), Some(Value::Array(now))) => {
            let (before, now, _) = before.differing(now);
            let before = before.into_iter().filter_map(Value::as_moref).collect();
            (before, now.into_iter().filter_map(Value::as_moref).collect())
        }
        _ => (references(before).collect(), references(now).collect()),
    };
    let mut balance: HashMap<&MoRef, i64, Hasher> = HashMap::default();
    for mo in before.iter().copied() {
        *balance.entry(mo).or_default() -= 1;
    }
    for mo in now.iter().copied() {
        *balance.entry(mo).or_default() += 1;
    }
    // In the order of the arrays, not of the map: the same calls give the same replies.
    for mo in before.iter().chain(&now).copied() {
        let Some(count) = balance.remove(mo) else { continue };
        for _ in 0..count.unsigned_abs() {
            steps.push(if count < 0 {
                Step::Go(mo.clone(), way)
            } else {
                Step::Come(mo.clone(), way)
            });
        }
    }
}
