//! Reading once: the selected objects, and what is asked of each.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Source;
use super::contents::{Contents, Found};
use super::property::{Plan, Plans, Reading, Shared, Slots};
use super::spec::{self, FilterSpec};
use super::traverse::{self, Visitor};
use crate::fault::Fault;
use crate::inventory::Properties;
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
        let mut all = Several::default();
        let mut known: Vec<Plans> = self.specs.iter().map(|_| Plans::default()).collect();
        for (index, (spec, plans)) in self.specs.iter().zip(&mut known).enumerate() {
            let index = index as u32;
            traverse::walk(spec, source, &mut One { index, spec, plans, all: &mut all })?;
        }
        let Several { mut found, by, .. } = all;
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

/// What several specifications select, and which of them select it.
#[derive(Default)]
struct Several {
    found: Vec<Found>,
    by: Vec<SmallVec<[u32; 2]>>,
    places: HashMap<MoRef, usize, foldhash::fast::FixedState>,
}

/// One of several specifications.
struct One<'s> {
    index: u32,
    spec: &'s FilterSpec,
    plans: &'s mut Plans,
    all: &'s mut Several,
}

impl Visitor for One<'_> {
    fn wants(&mut self, ty: Type) -> Option<Slots> {
        // Another specification may read other properties of the same object.
        self.spec.plan(self.plans, ty).map(|_| Slots::ALL)
    }

    fn visit(&mut self, object: MoRef, properties: Properties) {
        let Several { found, by, places } = &mut *self.all;
        let place = *places.entry(object.clone()).or_insert(found.len());
        match by.get_mut(place) {
            Some(specs) => specs.push(self.index),
            None => {
                by.push(SmallVec::from_slice(&[self.index]));
                found.push(Found { object, properties, plan: 0 });
            }
        }
    }
}

/// What one specification selects.
struct Only<'s> {
    spec: &'s FilterSpec,
    known: Plans,
    plans: Vec<Arc<Plan>>,
    numbers: HashMap<Type, u32>,
    /// Objects of one type come in rows, so the last answer is mostly the next one.
    last: Option<(Type, Option<(u32, Slots)>)>,
    found: Vec<Found>,
}

impl Visitor for Only<'_> {
    fn wants(&mut self, ty: Type) -> Option<Slots> {
        if let Some((last, wanted)) = self.last
            && last == ty
        {
            return wanted.map(|(_, slots)| slots);
        }
        let plans = &mut self.plans;
        let wanted = self.spec.plan(&mut self.known, ty).map(|plan| {
            let number = *self.numbers.entry(ty).or_insert_with(|| {
                plans.push(Arc::clone(plan));
                plans.len() as u32 - 1
            });
            (number, plan.slots())
        });
        self.last = Some((ty, wanted));
        wanted.map(|(_, slots)| slots)
    }

    fn visit(&mut self, object: MoRef, properties: Properties) {
        // It was wanted just now.
        if let Some((_, Some((plan, _)))) = self.last {
            self.found.push(Found { object, properties, plan });
        }
    }
}

/// What one specification selects.
fn find_one<S: Source>(spec: &FilterSpec, source: &S) -> Result<(Shared, Vec<Found>), Fault> {
    let mut only = Only {
        spec,
        known: Plans::default(),
        plans: Vec::new(),
        numbers: HashMap::new(),
        last: None,
        found: Vec::new(),
    };
    traverse::walk(spec, source, &mut only)?;
    Ok((only.plans.into(), only.found))
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
