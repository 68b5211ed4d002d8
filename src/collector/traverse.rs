//! The objects that a specification selects, found by one walk.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::Source;
use super::property::{Property, Reading, Slots};
use super::spec::{FilterSpec, Traversal};
use crate::fault::Fault;
use crate::inventory::Properties;
use crate::schema::Type;
use crate::value::{Items, MoRef, Value};

/// What the walk has done with an object.
#[derive(Default)]
struct Seen {
    visited: bool,
    /// The traversals that were applied to it: each is once, so circles end.
    applied: SmallVec<[u32; 4]>,
}

/// Who is told what a walk finds.
pub(super) trait Visitor {
    /// What is read of objects of a type; nothing if they are not to be visited.
    fn wants(&mut self, ty: Type) -> Option<Slots>;

    /// An object of a type that is wanted, with at least what is read of it.
    fn visit(&mut self, object: MoRef, properties: Properties);
}

/// Walks `spec` and visits once each selected object that exists, in an order that depends on nothing but the specification and the inventory:
/// an object comes before what is reached through it.
///
/// A root that does not exist is a fault, unless the specification says
/// otherwise; an object that went away on the way is left out.
pub(super) fn walk<S: Source>(
    spec: &FilterSpec,
    source: &S,
    visitor: &mut impl Visitor,
) -> Result<(), Fault> {
    let mut seen: HashMap<MoRef, Seen, foldhash::fast::FixedState> = HashMap::default();
    let mut todo: Vec<(MoRef, u32)> = Vec::new();
    for root in spec.roots() {
        todo.push((root.object.clone(), root.arrival));
        let mut is_root = true;
        while let Some((mo, arrival)) = todo.pop() {
            let must_exist = std::mem::take(&mut is_root) && !spec.reports_missing();
            let seen = seen.entry(mo.clone()).or_default();
            let visits = !spec.skips(arrival) && !seen.visited;
            let mut next: SmallVec<[&Traversal; 4]> = SmallVec::new();
            for (index, traversal) in spec.applied(arrival, mo.ty()) {
                if !seen.applied.contains(&index) {
                    seen.applied.push(index);
                    next.push(traversal);
                }
            }
            let wanted = if visits { visitor.wants(mo.ty()) } else { None };
            if wanted.is_none() && next.is_empty() && !must_exist {
                continue;
            }
            let slots = next.iter().fold(wanted.unwrap_or_default(), |slots, traversal| {
                slots.and(traversal.property.slot())
            });
            let Some(object) = source.get_some(&mo, slots) else {
                if must_exist {
                    return Err(Fault::not_found(&mo));
                }
                continue;
            };
            for traversal in next.iter().rev() {
                let found = read(source, &mo, &object, &traversal.property);
                let start = todo.len();
                let found = references(found.as_ref());
                todo.extend(found.map(|mo| (mo.clone(), traversal.arrival)));
                // Taken from the end, and the first is to be first.
                if let Some(added) = todo.get_mut(start..) {
                    added.reverse();
                }
            }
            if wanted.is_some() {
                seen.visited = true;
                visitor.visit(mo, object);
            }
        }
    }
    Ok(())
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
