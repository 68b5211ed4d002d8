//! Reading once: the selected objects with the selected properties.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::Source;
use super::property::{Plans, Property, Reading};
use super::spec::{self, FilterSpec};
use super::traverse;
use crate::fault::Fault;
use crate::inventory::Properties;
use crate::object;
use crate::schema::{Type, Version, ty};
use crate::value::{Array, MoRef, Object, Str, Value};

/// Several specifications that are answered together.
#[derive(Debug)]
pub struct Request {
    specs: Vec<FilterSpec>,
    plans: Vec<Plans>,
    /// The properties of the object that is being read.
    values: Vec<Value>,
}

/// An object that a request selects, and by which of its specifications.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) object: MoRef,
    specs: SmallVec<[u32; 2]>,
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
        let plans = specs.iter().map(|_| Plans::default()).collect();
        Ok(Self { specs, plans, values: Vec::new() })
    }

    /// The request as a client of `version` means it; see [`FilterSpec::known_to`].
    #[must_use]
    pub fn known_to(mut self, version: Version) -> Self {
        self.specs = self.specs.into_iter().map(|spec| spec.known_to(version)).collect();
        self
    }

    /// All selected objects as `ObjectContent`, each once.
    pub fn retrieve<S: Source>(&mut self, source: &S) -> Result<Vec<Object>, Fault> {
        self.retrieve_some(source, usize::MAX).map(|(contents, _)| contents)
    }

    /// The first `max` of the selected objects, and which ones are left.
    pub(super) fn retrieve_some<S: Source>(
        &mut self,
        source: &S,
        max: usize,
    ) -> Result<(Vec<Object>, Vec<Selected>), Fault> {
        let mut contents = Vec::new();
        let mut rest = Vec::new();
        let found = self.find(source)?;
        for (selected, object) in found {
            if contents.len() < max {
                contents.push(self.content(source, &selected, &object));
            } else {
                rest.push(selected);
            }
        }
        Ok((contents, rest))
    }

    /// The selected objects that have anything to report.
    fn find<S: Source>(&mut self, source: &S) -> Result<Vec<(Selected, Properties)>, Fault> {
        let mut found: Vec<(Selected, Properties)> = Vec::new();
        let several = self.specs.len() > 1;
        let mut places: HashMap<MoRef, usize, foldhash::fast::FixedState> = HashMap::default();
        for (index, (spec, plans)) in self.specs.iter().zip(&mut self.plans).enumerate() {
            let index = index as u32;
            traverse::walk(spec, source, |mo, object| {
                if spec.plan(plans, object.ty()).is_none() {
                    return;
                }
                if several {
                    let place = *places.entry(mo.clone()).or_insert(found.len());
                    if let Some((selected, _)) = found.get_mut(place) {
                        selected.specs.push(index);
                        return;
                    }
                }
                let specs = SmallVec::from_slice(&[index]);
                found.push((Selected { object: mo, specs }, object));
            })?;
        }
        Ok(found)
    }

    /// The `ObjectContent` of one object.
    pub(super) fn content<S: Source>(
        &mut self,
        source: &S,
        selected: &Selected,
        object: &Properties,
    ) -> Object {
        self.values.clear();
        let mut missing = Vec::new();
        for index in &selected.specs {
            let index = *index as usize;
            let (Some(spec), Some(plans)) = (self.specs.get(index), self.plans.get_mut(index))
            else {
                continue;
            };
            let Some(plan) = spec.plan(plans, object.ty()) else { continue };
            for property in plan.properties() {
                let name = property.name();
                if selected.specs.len() > 1 && is_told(&self.values, &missing, name) {
                    continue;
                }
                match read(source, &selected.object, object, property) {
                    Ok(Some(value)) => self.values.push(dynamic_property(name, value)),
                    Ok(None) => {}
                    Err(fault) => missing.push((name.clone(), fault)),
                }
            }
        }
        let values = (!self.values.is_empty())
            .then(|| Array::from_items(ty::DynamicProperty, self.values.drain(..)));
        let missing = missing_set(&missing)
            .map(|set| Array::from_items(ty::MissingProperty, set.into_iter().map(Value::Object)));
        const { assert!(slots(ty::ObjectContent, ["obj", "propSet", "missingSet"])) };
        let slots = [
            Some(Value::Ref(selected.object.clone())),
            values.map(Value::Array),
            missing.map(Value::Array),
        ];
        Object::from_slots(ty::ObjectContent, slots.into_iter())
    }
}

/// Whether a type has these fields in this order, so that its slots can be
/// filled without looking them up: replies are made of a thousand such objects.
const fn slots<const N: usize>(ty: Type, names: [&str; N]) -> bool {
    let mut at = 0;
    let mut rest = names.as_slice();
    while let [name, tail @ ..] = rest {
        if ty.slot(name) != at {
            return false;
        }
        at += 1;
        rest = tail;
    }
    at == ty.fields().len()
}

fn dynamic_property(name: &Str, value: Value) -> Value {
    const { assert!(slots(ty::DynamicProperty, ["name", "val"])) };
    let slots = [Some(Value::String(name.clone())), Some(value)];
    Value::Object(Object::from_slots(ty::DynamicProperty, slots.into_iter()))
}

fn is_told(values: &[Value], missing: &[(Str, Fault)], name: &Str) -> bool {
    let told = |value: &Value| {
        let told = value.as_object().and_then(|property| property.get(0)?.as_str());
        told == Some(name.as_str())
    };
    values.iter().any(told) || missing.iter().any(|(path, _)| path == name)
}

fn read<S: Source>(
    source: &S,
    mo: &MoRef,
    object: &Properties,
    property: &Property,
) -> Result<Option<Value>, Fault> {
    source.may_read(mo, property.first())?;
    Ok(property.read(object).value())
}

/// A `missingSet` of properties, unless it would be empty.
pub(super) fn missing_set(missing: &[(Str, Fault)]) -> Option<Vec<Object>> {
    let set: Vec<Object> = missing
        .iter()
        .map(|(path, fault)| object!(MissingProperty { path: path, fault: fault.localized() }))
        .collect();
    Some(set).filter(|set| !set.is_empty())
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
