//! `ContainerView`: what a container contains, directly or all the way down.
//!
//! Between commits that move objects about, a view is the same. So the last
//! answer is kept together with the containers that it was computed from, and
//! holds as long as these contain the same, which a look at pointers tells.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::super::containment::ways;
use super::super::session::SessionObject;
use crate::inventory::{Read, Snapshot};
use crate::schema::{StaticPath, Type, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::{object, path};

/// A view of what one container contains.
pub(super) struct ContainerView {
    container: MoRef,
    types: Vec<Type>,
    recursive: bool,
    last: Mutex<Option<Answer>>,
}

/// What a view showed at a version, and what that was computed from.
struct Answer {
    version: u64,
    containers: Vec<Container>,
    properties: Object,
}

/// One object that a view looks into, as it was.
struct Container {
    mo: MoRef,
    ways: &'static [&'static StaticPath],
    state: Option<Object>,
}

impl ContainerView {
    /// A view of the objects of `types` in `container`; of all types if there are none.
    pub(super) fn new(container: MoRef, types: Vec<Type>, recursive: bool) -> Self {
        Self { container, types, recursive, last: Mutex::new(None) }
    }

    /// What `read` makes of the answer for `snapshot`.
    fn answer<T>(&self, snapshot: &Snapshot, read: impl FnOnce(&Answer) -> T) -> T {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !last.as_mut().is_some_and(|known| known.holds(snapshot)) {
            *last = None;
        }
        read(last.get_or_insert_with(|| self.compute(snapshot)))
    }

    fn compute(&self, snapshot: &Snapshot) -> Answer {
        let mut containers = Vec::new();
        let mut members = Vec::new();
        let mut seen: HashSet<MoRef, foldhash::fast::FixedState> = HashSet::default();
        let mut open = vec![self.container.clone()];
        while let Some(mo) = open.pop() {
            if mo != self.container && self.shows(&mo) {
                members.push(Value::Ref(mo.clone()));
            }
            let ways = self.ways(&mo);
            if ways.is_empty() || (!self.recursive && mo != self.container) {
                continue;
            }
            let state = snapshot.get(&mo).cloned();
            let start = open.len();
            for value in ways.iter().filter_map(|way| state.as_ref()?.at(way)) {
                for child in value.as_moref().into_iter().chain(value.morefs()) {
                    if *child != self.container && seen.insert(child.clone()) {
                        open.push(child.clone());
                    }
                }
            }
            // Taken from the end, and the first is to be first.
            if let Some(added) = open.get_mut(start..) {
                added.reverse();
            }
            containers.push(Container { mo, ways, state });
        }
        let properties = object!(ContainerView {
            container: &self.container,
            type: self.types.iter().map(|ty| ty.name()).collect::<Vec<_>>(),
            recursive: self.recursive,
            view: Array::new(ty::ManagedObject, members),
        });
        Answer { version: snapshot.version(), containers, properties }
    }

    /// The properties that lead from an object to what it contains. A host is
    /// a container only when the view is of that host.
    fn ways(&self, mo: &MoRef) -> &'static [&'static StaticPath] {
        if mo.ty().is_a(ty::HostSystem) && *mo == self.container {
            return &[path!(HostSystem, "vm")];
        }
        ways(mo)
    }

    fn shows(&self, mo: &MoRef) -> bool {
        self.types.is_empty() || self.types.iter().any(|ty| mo.ty().is_a(*ty))
    }
}

impl Answer {
    /// Whether the containers contain in `snapshot` what they did; then the
    /// answer is good for that version too.
    fn holds(&mut self, snapshot: &Snapshot) -> bool {
        if self.version == snapshot.version() {
            return true;
        }
        for Container { mo, ways, state } in &mut self.containers {
            let now = snapshot.get(mo);
            let (Some(now), Some(before)) = (now, &*state) else {
                if now.is_none() && state.is_none() {
                    continue;
                }
                return false;
            };
            if now.same(before) {
                continue;
            }
            if !ways.iter().all(|way| now.at(way) == before.at(way)) {
                return false;
            }
            *state = Some(now.clone());
        }
        self.version = snapshot.version();
        true
    }
}

impl SessionObject for ContainerView {
    fn properties(&self, snapshot: &Snapshot) -> Object {
        self.answer(snapshot, |answer| answer.properties.clone())
    }

    fn depends(&self, snapshot: &Snapshot, add: &mut dyn FnMut(&MoRef)) {
        self.answer(snapshot, |answer| answer.containers.iter().for_each(|part| add(&part.mo)));
    }
}
