//! Reading once: the selected objects, and what is asked of each.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Source;
use super::contents::{Contents, Found};
use super::property::{Plan, Plans, Reading, Shared, Slots};
use super::spec::{self, FilterSpec};
use super::traverse;
use crate::fault::Fault;
use crate::schema::{Type, Version};
use crate::value::{MoRef, Object, Value};

/// Several specifications that are answered together.
#[derive(Debug)]
pub struct Request {
    specs: Vec<FilterSpec>,
}

impl Request {
    /// Checks and compiles the `PropertyFilterSpec`s of a call.
    pub fn compile<'s>(specs: impl IntoIterator<Item = &'s Object>) -> Result<Self, Fault> {
        let specs = specs
            .into_iter()
            .map(|spec| FilterSpec::compile(spec, "specSet"))
            .collect::<Result<Vec<_>, _>>()?;
        if specs.is_empty() {
            return Err(Fault::invalid_argument("specSet"));
        }
        Ok(Self { specs })
    }

    /// The request as a client of `version` means it; see [`FilterSpec::known_to`].
    #[must_use]
    pub fn known_to(mut self, version: Version) -> Self {
        self.specs = self.specs.into_iter().map(|spec| spec.known_to(version)).collect();
        self
    }

    /// The selected objects, each once, still to be read.
    pub fn retrieve<S: Source>(&self, source: &S) -> Result<Contents, Fault> {
        let (plans, found) = self.find(source)?;
        Ok(Contents::new(plans, found, source.limits()))
    }

    /// The selected objects that have anything to report, and how they are read.
    pub(super) fn find<S: Source>(&self, source: &S) -> Result<(Shared, Vec<Found>), Fault> {
        if let [spec] = self.specs.as_slice() {
            return find_one(spec, source);
        }
        let mut found: Vec<Found> = Vec::new();
        let mut by: Vec<SmallVec<[u32; 2]>> = Vec::new();
        let mut places: HashMap<MoRef, usize, foldhash::fast::FixedState> = HashMap::default();
        let mut known: Vec<Plans> = self.specs.iter().map(|_| Plans::default()).collect();
        for (index, (spec, plans)) in self.specs.iter().zip(&mut known).enumerate() {
            // Another specification may read other properties of the same object.
            let wants = |ty| spec.plan(plans, ty).map(|_| (0, Slots::ALL));
            for one in traverse::walk(spec, source, wants)? {
                let place = *places.entry(one.object.clone()).or_insert(found.len());
                match by.get_mut(place) {
                    Some(specs) => specs.push(index as u32),
                    None => {
                        by.push(SmallVec::from_slice(&[index as u32]));
                        found.push(one);
                    }
                }
            }
        }
        // Objects of one type that the same specifications select are read alike.
        let mut joined: Vec<Arc<Plan>> = Vec::new();
        let mut numbers: HashMap<(Type, SmallVec<[u32; 2]>), u32> = HashMap::new();
        for (found, specs) in found.iter_mut().zip(by) {
            let ty = found.properties.ty();
            found.plan = *numbers.entry((ty, specs)).or_insert_with_key(|(ty, specs)| {
                let parts = specs.iter().filter_map(|index| {
                    let index = *index as usize;
                    self.specs.get(index)?.plan(known.get_mut(index)?, *ty).cloned()
                });
                joined.push(Plan::join(parts));
                joined.len() as u32 - 1
            });
        }
        Ok((joined.into(), found))
    }
}

/// What one specification selects.
fn find_one<S: Source>(spec: &FilterSpec, source: &S) -> Result<(Shared, Vec<Found>), Fault> {
    let mut known = Plans::default();
    let mut plans: Vec<Arc<Plan>> = Vec::new();
    let mut numbers: HashMap<Type, u32> = HashMap::new();
    // Objects of one type come in rows, so the last answer is mostly the next one.
    let mut last: Option<(Type, Option<(u32, Slots)>)> = None;
    let found = traverse::walk(spec, source, |ty| match last {
        Some((of, wanted)) if of == ty => wanted,
        _ => {
            let wanted = spec.plan(&mut known, ty).map(|plan| {
                let number = *numbers.entry(ty).or_insert_with(|| {
                    plans.push(Arc::clone(plan));
                    plans.len() as u32 - 1
                });
                (number, plan.slots())
            });
            last = Some((ty, wanted));
            wanted
        }
    })?;
    Ok((plans.into(), found))
}

/// The value of one property of one object: the `Fetch` of newer clients.
pub fn fetch<S: Source>(source: &S, mo: &MoRef, path: &str) -> Result<Option<Value>, Fault> {
    let object = source.get(mo).ok_or_else(|| Fault::not_found(mo))?;
    let property = spec::property(object.ty(), path)?;
    source.may_read(mo, property.first())?;
    match property.read(&object) {
        Reading::Value(value) => Ok(Some(value)),
        Reading::Unset | Reading::NoElement | Reading::Unreachable => Ok(None),
    }
}
