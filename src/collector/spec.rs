//! A filter's specification, checked against the schema and compiled, so that
//! a walk compares numbers and follows resolved paths.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::property::{Plan, Plans, Property, Selection};
use crate::fault::Fault;
use crate::path;
use crate::schema::{Kind, Path, Primitive, Type, Version, ty};
use crate::value::{MoRef, Object, Value};

/// A compiled `PropertyFilterSpec`.
#[derive(Debug)]
pub struct FilterSpec {
    value: Object,
    selections: Vec<Selection>,
    traversals: Vec<Traversal>,
    arrivals: Vec<Arrival>,
    /// For each arrival, whether it can be by a way that leads to itself.
    recursive: Vec<bool>,
    roots: Vec<Root>,
    report_missing: bool,
}

/// An object where the walk starts.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) object: MoRef,
    /// How it is reached: an index into the arrivals.
    pub(super) arrival: u32,
}

/// A way to go from objects of a type to others.
#[derive(Debug)]
pub(super) struct Traversal {
    pub(super) ty: Type,
    pub(super) property: Property,
    /// How the objects at its end are reached.
    pub(super) arrival: u32,
}

/// What being reached in a certain way means for an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Arrival {
    /// Not reported, only walked through.
    skip: bool,
    /// The traversals to apply: indices, in the order of the specification.
    select: Box<[u32]>,
}

impl FilterSpec {
    /// Checks and compiles `spec`, a `PropertyFilterSpec`; `argument` is how
    /// faults name it. No object is looked at.
    pub fn compile(spec: &Object, argument: &str) -> Result<Self, Fault> {
        let selections = items(spec.at(path!(PropertyFilterSpec, "propSet")))
            .map(selection)
            .collect::<Result<Vec<_>, _>>()?;
        if selections.is_empty() {
            return Err(Fault::invalid_argument(&format!("{argument}.propSet")));
        }
        let object_set: Vec<&Object> =
            items(spec.at(path!(PropertyFilterSpec, "objectSet"))).collect();
        if object_set.is_empty() {
            return Err(Fault::invalid_argument(&format!("{argument}.objectSet")));
        }
        let mut graph = Graph {
            argument,
            specs: Vec::new(),
            by_name: HashMap::new(),
            arrivals: Arrivals::default(),
        };
        let selected = object_set
            .iter()
            .map(|object| graph.collect(object.at(path!(ObjectSpec, "selectSet"))))
            .collect::<Result<Vec<_>, _>>()?;
        let traversals = graph.traversals()?;
        let roots = object_set
            .iter()
            .zip(&selected)
            .map(|(object, selected)| graph.root(object, selected))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            value: spec.clone(),
            selections,
            recursive: recursive(&traversals, &graph.arrivals.list),
            traversals,
            arrivals: graph.arrivals.list,
            roots,
            report_missing: truth(
                spec.at(path!(PropertyFilterSpec, "reportMissingObjectsInResults")),
            ),
        })
    }

    /// The `PropertyFilterSpec` that this was made from.
    pub fn value(&self) -> &Object {
        &self.value
    }

    /// The filter as a client of `version` means it, who does not know what
    /// came later when it asks for all properties.
    #[must_use]
    pub fn known_to(mut self, version: Version) -> Self {
        self.selections.iter_mut().for_each(|selection| selection.version = version);
        self
    }

    /// Whether a root that does not exist is reported rather than refused.
    pub fn reports_missing(&self) -> bool {
        self.report_missing
    }

    /// The objects that the walk starts from.
    pub fn root_objects(&self) -> impl Iterator<Item = &MoRef> {
        self.roots.iter().map(|root| &root.object)
    }

    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// Whether objects are reached through others.
    pub(super) fn walks(&self) -> bool {
        !self.traversals.is_empty()
    }

    fn arrival(&self, index: u32) -> Option<&Arrival> {
        self.arrivals.get(index as usize)
    }

    pub(super) fn is_recursive(&self, arrival: u32) -> bool {
        self.recursive.get(arrival as usize).copied().unwrap_or_default()
    }

    pub(super) fn traversal(&self, index: u32) -> Option<&Traversal> {
        self.traversals.get(index as usize)
    }

    /// The traversals that an arrival applies to objects of `ty`.
    pub(super) fn applied(
        &self,
        arrival: u32,
        ty: Type,
    ) -> impl DoubleEndedIterator<Item = (u32, &Traversal)> {
        let select = self.arrival(arrival).map_or(&[][..], |arrival| &arrival.select);
        select
            .iter()
            .filter_map(|index| Some((*index, self.traversals.get(*index as usize)?)))
            .filter(move |(_, traversal)| ty.is_a(traversal.ty))
    }

    /// Whether objects reached in this way are only walked through.
    pub(super) fn skips(&self, arrival: u32) -> bool {
        self.arrival(arrival).is_none_or(|arrival| arrival.skip)
    }

    /// Whether objects reached in this way have a traversal applied, if their
    /// type is right.
    pub(super) fn selects(&self, arrival: u32, traversal: u32) -> bool {
        self.arrival(arrival).is_some_and(|arrival| arrival.select.contains(&traversal))
    }

    /// What is reported of objects of `ty`; nothing when they are not.
    pub(super) fn plan<'p>(&self, plans: &'p mut Plans, ty: Type) -> Option<&'p Arc<Plan>> {
        plans.get(&self.selections, ty)
    }
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Object> {
    value.map(Value::items).unwrap_or_default().iter().filter_map(Value::as_object)
}

fn truth(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool).unwrap_or_default()
}

fn managed_type(name: Option<&Value>) -> Result<Type, Fault> {
    let name = name.and_then(Value::as_str).unwrap_or_default();
    Type::by_name(name)
        .filter(|ty| ty.kind() == Kind::Managed)
        .ok_or_else(|| Fault::invalid_type(name))
}

fn selection(spec: &Object) -> Result<Selection, Fault> {
    let ty = managed_type(spec.at(path!(PropertySpec, "type")))?;
    let all = truth(spec.at(path!(PropertySpec, "all")));
    let paths = spec.at(path!(PropertySpec, "pathSet")).map(Value::items).unwrap_or_default();
    let properties = if all {
        Vec::new()
    } else {
        paths
            .iter()
            .filter_map(Value::as_str)
            .map(|text| property(ty, text))
            .collect::<Result<_, _>>()?
    };
    Ok(Selection { ty, all, properties, version: Version::NEWEST })
}

/// The property `text` of managed objects of type `ty`.
pub(super) fn property(ty: Type, text: &str) -> Result<Property, Fault> {
    Path::parse(ty, text)
        .ok()
        .and_then(|path| Property::new(&path))
        .ok_or_else(|| Fault::invalid_property(text))
}

/// One element of a `selectSet`.
#[derive(Clone, Copy)]
enum Selected<'s> {
    /// A traversal that stands here.
    Here(u32),
    /// A traversal that stands anywhere in the specification, maybe further on.
    Named(&'s str),
}

/// The traversals of a specification while their names are being resolved.
struct Graph<'s> {
    argument: &'s str,
    specs: Vec<(&'s Object, Vec<Selected<'s>>)>,
    by_name: HashMap<&'s str, u32>,
    arrivals: Arrivals,
}

#[derive(Default)]
struct Arrivals {
    list: Vec<Arrival>,
    known: HashMap<Arrival, u32>,
}

impl Arrivals {
    /// The index of an arrival. Equal ones are one, because a filter over a
    /// thousand objects mostly names them all in the same way.
    fn add(&mut self, skip: bool, select: Box<[u32]>) -> u32 {
        let arrival = Arrival { skip, select };
        if let Some(known) = self.known.get(&arrival) {
            return *known;
        }
        let index = self.list.len() as u32;
        self.list.push(arrival.clone());
        self.known.insert(arrival, index);
        index
    }
}

impl<'s> Graph<'s> {
    fn fault(&self, place: &str) -> Fault {
        Fault::invalid_argument(&format!("{}.{place}", self.argument))
    }

    /// Gathers the traversals in a `selectSet`. The decoder bounds how deep
    /// they are nested, and so this recursion.
    fn collect(&mut self, set: Option<&'s Value>) -> Result<Vec<Selected<'s>>, Fault> {
        let mut selected = Vec::new();
        for item in items(set) {
            let name = item.at(path!(SelectionSpec, "name")).and_then(Value::as_str);
            let name = name.filter(|name| !name.is_empty());
            if !item.ty().is_a(ty::TraversalSpec) {
                let name = name.ok_or_else(|| self.fault("objectSet.selectSet.name"))?;
                selected.push(Selected::Named(name));
                continue;
            }
            let index = self.specs.len();
            self.specs.push((item, Vec::new()));
            if let Some(name) = name {
                self.by_name.entry(name).or_insert(index as u32);
            }
            let inner = self.collect(item.at(path!(TraversalSpec, "selectSet")))?;
            if let Some((_, place)) = self.specs.get_mut(index) {
                *place = inner;
            }
            selected.push(Selected::Here(index as u32));
        }
        Ok(selected)
    }

    fn resolve(&self, selected: &[Selected<'_>]) -> Result<Box<[u32]>, Fault> {
        let mut seen = HashSet::with_capacity(selected.len());
        let mut select = Vec::with_capacity(selected.len());
        for item in selected {
            let index = match item {
                Selected::Here(index) => *index,
                Selected::Named(name) => {
                    *self.by_name.get(name).ok_or_else(|| self.fault("objectSet.selectSet.name"))?
                }
            };
            if seen.insert(index) {
                select.push(index);
            }
        }
        Ok(select.into())
    }

    fn root(&mut self, spec: &Object, selected: &[Selected<'_>]) -> Result<Root, Fault> {
        let object = spec
            .at(path!(ObjectSpec, "obj"))
            .and_then(Value::as_moref)
            .ok_or_else(|| self.fault("objectSet.obj"))?;
        let select = self.resolve(selected)?;
        let arrival = self.arrivals.add(truth(spec.at(path!(ObjectSpec, "skip"))), select);
        Ok(Root { object: object.clone(), arrival })
    }

    fn traversals(&mut self) -> Result<Vec<Traversal>, Fault> {
        let specs = std::mem::take(&mut self.specs);
        let mut traversals = Vec::with_capacity(specs.len());
        for (spec, selected) in &specs {
            let ty = managed_type(spec.at(path!(TraversalSpec, "type")))?;
            let property = self.reference(ty, spec)?;
            let select = self.resolve(selected)?;
            let arrival = self.arrivals.add(truth(spec.at(path!(TraversalSpec, "skip"))), select);
            traversals.push(Traversal { ty, property, arrival });
        }
        Ok(traversals)
    }

    /// The property that a traversal follows, which has to hold references.
    fn reference(&self, ty: Type, spec: &Object) -> Result<Property, Fault> {
        let text = spec.at(path!(TraversalSpec, "path")).and_then(Value::as_str);
        let path = text.and_then(|text| Path::parse(ty, text).ok());
        path.filter(|path| {
            matches!(path.leaf().0.kind(), Kind::Managed | Kind::Primitive(Primitive::Any))
        })
        .and_then(|path| Property::new(&path))
        .ok_or_else(|| self.fault("objectSet.selectSet.path"))
    }
}

/// Which arrivals are by traversals that can lead to themselves: what is left
/// when the traversals that nothing leads to and those that lead nowhere are
/// taken away again and again. A few between two circles stay as well, which
/// only costs time.
fn recursive(traversals: &[Traversal], arrivals: &[Arrival]) -> Vec<bool> {
    let edges: Vec<(usize, usize)> = traversals
        .iter()
        .enumerate()
        .flat_map(|(from, traversal)| {
            let select = arrivals.get(traversal.arrival as usize).map(|arrival| &arrival.select);
            select.into_iter().flatten().map(move |to| (from, *to as usize))
        })
        .collect();
    let mut left = vec![true; traversals.len()];
    peel(&mut left, &edges);
    let reversed: Vec<_> = edges.into_iter().map(|(from, to)| (to, from)).collect();
    peel(&mut left, &reversed);
    let mut recursive = vec![false; arrivals.len()];
    for (traversal, left) in traversals.iter().zip(left) {
        if let Some(place) = recursive.get_mut(traversal.arrival as usize) {
            *place |= left;
        }
    }
    recursive
}

/// Takes away, as often as there are any, the points that no edge leads to.
fn peel(left: &mut [bool], edges: &[(usize, usize)]) {
    let mut incoming = vec![0_usize; left.len()];
    let mut outgoing = vec![Vec::new(); left.len()];
    for (from, to) in edges {
        if left.get(*from) == Some(&true)
            && let (Some(count), Some(list)) = (incoming.get_mut(*to), outgoing.get_mut(*from))
        {
            *count += 1;
            list.push(*to);
        }
    }
    let mut free: Vec<usize> = incoming
        .iter()
        .enumerate()
        .filter(|(_, count)| **count == 0)
        .map(|(index, _)| index)
        .collect();
    while let Some(index) = free.pop() {
        if let Some(place) = left.get_mut(index) {
            *place = false;
        }
        for to in outgoing.get(index).into_iter().flatten() {
            if let Some(count) = incoming.get_mut(*to) {
                *count -= 1;
                if *count == 0 {
                    free.push(*to);
                }
            }
        }
    }
}
