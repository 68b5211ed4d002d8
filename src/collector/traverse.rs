//! The objects that a specification selects, found by one walk.

use std::hash::BuildHasher as _;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use super::Source;
use super::contents::Found;
use super::property::{Property, Reading, Slots};
use super::spec::{FilterSpec, Traversal};
use crate::fault::Fault;
use crate::inventory::Properties;
use crate::schema::Type;
use crate::value::{Items, MoRef, Value};

/// What a walk has done with an object.
struct Known {
    object: MoRef,
    /// As it is reported, and by which plan; nothing unless it was visited.
    visited: Option<(Properties, u32)>,
    /// When it was visited.
    turn: u32,
    /// The traversals that were applied to it: each is once, so circles end.
    applied: SmallVec<[u32; 2]>,
}

/// The objects that a walk has met, each once.
#[derive(Default)]
struct Met {
    all: Vec<Known>,
    /// Where each is in the list.
    places: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
    turns: u32,
}

impl Met {
    /// What is known of an object that is met now.
    fn meet(&mut self, object: MoRef) -> Option<&mut Known> {
        let Self { all, places, hasher, .. } = self;
        let hash = |place: &u32| all.get(*place as usize).map(|it| hasher.hash_one(&it.object));
        let same = |place: &u32| all.get(*place as usize).is_some_and(|it| it.object == object);
        let entry = places.entry(hasher.hash_one(&object), same, |place| hash(place).unwrap_or(0));
        let place = match entry {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let place = all.len() as u32;
                new.insert(place);
                all.push(Known { object, visited: None, turn: 0, applied: SmallVec::new() });
                place
            }
        };
        self.all.get_mut(place as usize)
    }

    /// Makes room for so many more.
    fn reserve(&mut self, more: usize) {
        let Self { all, places, hasher, .. } = self;
        all.reserve(more);
        let hash = |place: &u32| all.get(*place as usize).map(|it| hasher.hash_one(&it.object));
        places.reserve(more, |place| hash(place).unwrap_or(0));
    }

    /// Those that were visited, in that order.
    fn into_found(mut self) -> Vec<Found> {
        // Mostly they were met in the same order.
        if !self.all.is_sorted_by_key(|known| known.turn) {
            self.all.sort_by_key(|known| known.turn);
        }
        let mut found = Vec::with_capacity(self.turns as usize);
        found.extend(self.all.into_iter().filter_map(|known| {
            let (properties, plan) = known.visited?;
            Some(Found { object: known.object, properties, plan })
        }));
        found
    }
}

/// Walks `spec` and gives each selected object that exists once, in an order
/// that depends on nothing but the specification and the inventory: an object
/// comes before what is reached through it. What is read of objects of a type,
/// and the number of the plan for it, is what `wants` says; nothing if such
/// objects are not reported.
///
/// A root that does not exist is a fault, unless the specification says
/// otherwise; an object that went away on the way is left out.
pub(super) fn walk<S: Source>(
    spec: &FilterSpec,
    source: &S,
    mut wants: impl FnMut(Type) -> Option<(u32, Slots)>,
) -> Result<Vec<Found>, Fault> {
    let mut met = Met::default();
    let mut todo: Vec<(MoRef, u32)> = Vec::new();
    for root in spec.roots() {
        todo.push((root.object.clone(), root.arrival));
        let mut is_root = true;
        while let Some((mo, arrival)) = todo.pop() {
            let must_exist = std::mem::take(&mut is_root) && !spec.reports_missing();
            let turns = met.turns + 1;
            let Some(known) = met.meet(mo) else { continue };
            let ty = known.object.ty();
            let visits = !spec.skips(arrival) && known.visited.is_none();
            let mut next: SmallVec<[&Traversal; 4]> = SmallVec::new();
            for (index, traversal) in spec.applied(arrival, ty) {
                if !known.applied.contains(&index) {
                    known.applied.push(index);
                    next.push(traversal);
                }
            }
            let wanted = if visits { wants(ty) } else { None };
            if wanted.is_none() && next.is_empty() && !must_exist {
                continue;
            }
            let slots = wanted.map_or(Slots::default(), |(_, slots)| slots);
            let slots = next.iter().fold(slots, |slots, it| slots.and(it.property.slot()));
            let Some(object) = source.get_some(&known.object, slots) else {
                if must_exist {
                    return Err(Fault::not_found(&known.object));
                }
                continue;
            };
            let before = todo.len();
            for traversal in next.iter().rev() {
                let found = read(source, &known.object, &object, &traversal.property);
                let start = todo.len();
                let found = references(found.as_ref());
                todo.extend(found.map(|mo| (mo.clone(), traversal.arrival)));
                // Taken from the end, and the first is to be first.
                if let Some(added) = todo.get_mut(start..) {
                    added.reverse();
                }
            }
            if let Some((plan, _)) = wanted {
                known.visited = Some((object, plan));
                known.turn = turns;
                met.turns = turns;
            }
            met.reserve(todo.len() - before);
        }
    }
    Ok(met.into_found())
}

/// What a traversal finds in an object; nothing where the caller may not read.
pub(super) fn read<S: Source>(
    source: &S,
    mo: &MoRef,
    object: &Properties,
    property: &Property,
) -> Option<Value> {
    source.may_read(mo, property.first()).ok()?;
    match property.read(object) {
        Reading::Value(value) => Some(value),
        Reading::Unset | Reading::NoElement | Reading::Unreachable => None,
    }
}

/// The references in what a traversal found.
pub(super) fn references(found: Option<&Value>) -> impl Iterator<Item = &MoRef> {
    let (array, one) = match found {
        Some(Value::Array(array)) => (array.iter(), None),
        other => (Items::default(), other),
    };
    one.into_iter().chain(array).filter_map(Value::as_moref)
}
