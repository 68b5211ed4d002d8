//! What a retrieval has found: objects as they were at one moment, each with
//! what is asked of it, still to be read.
//!
//! Reading them is left to who needs it, object by object: a front end writes
//! each down as it reads it, and a reply of any length is never in memory whole.

use std::sync::Arc;

use super::MayRead;
use super::property::{Plan, Property, Shared};
use crate::fault::Fault;
use crate::inventory::Properties;
use crate::object;
use crate::schema::{Field, Type, ty};
use crate::value::{Array, MoRef, Object, Str, Value};

/// An object that was found, and the plan by which it is read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) object: MoRef,
    pub(super) properties: Properties,
    pub(super) plan: u32,
}

/// Objects that were found, and what is to be read of them.
#[derive(Clone, Debug)]
pub struct Contents {
    plans: Shared,
    found: Vec<Found>,
    limits: Option<Arc<dyn MayRead>>,
}

/// One object of [`Contents`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'c> {
    found: &'c Found,
    plan: &'c Arc<Plan>,
    limits: Option<&'c dyn MayRead>,
}

/// What a row says of one property.
#[derive(Debug)]
pub enum Told<'c> {
    /// Its name and its value.
    Value(&'c Str, Value),
    /// Its name, and why the caller may not read it.
    Missing(&'c Str, Fault),
}

impl Contents {
    pub(super) fn new(plans: Shared, found: Vec<Found>, limits: Option<Arc<dyn MayRead>>) -> Self {
        Self { plans, found, limits }
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether nothing is kept from the caller, so that a row says the same to
    /// everybody of whom that is true.
    pub fn is_whole(&self) -> bool {
        self.limits.is_none()
    }

    /// The objects from number `start` on.
    pub fn rows(&self, start: usize) -> impl Iterator<Item = Row<'_>> {
        self.found.get(start..).unwrap_or_default().iter().filter_map(|found| {
            let plan = self.plans.get(found.plan as usize)?;
            Some(Row { found, plan, limits: self.limits.as_deref() })
        })
    }

    /// All of it read, as `ObjectContent`s.
    pub fn read(&self) -> Vec<Object> {
        self.rows(0).map(Row::read).collect()
    }

    /// All of it read, as one array.
    pub fn into_value(self) -> Value {
        Array::new(ty::ObjectContent, self.read().into_iter().map(Value::Object).collect()).into()
    }
}

impl<'c> Row<'c> {
    /// The object.
    pub fn object(self) -> &'c MoRef {
        &self.found.object
    }

    /// Its properties, as the caller sees them.
    pub fn properties(self) -> &'c Properties {
        &self.found.properties
    }

    /// Which of the plans of its [`Contents`] it is read by.
    pub fn plan(self) -> u32 {
        self.found.plan
    }

    /// What is asked of it, by name.
    pub fn names(self) -> impl Iterator<Item = &'c Str> {
        self.plan.properties().iter().map(Property::name)
    }

    /// What there is to tell, in the order in which it was asked for.
    pub fn told(self) -> impl Iterator<Item = Told<'c>> {
        self.plan.properties().iter().filter_map(move |property| {
            let name = property.name();
            if let Some(limits) = self.limits
                && let Err(fault) = limits.may_read(self.object(), property.first())
            {
                return Some(Told::Missing(name, fault));
            }
            Some(Told::Value(name, property.read(self.properties()).value()?))
        })
    }

    /// The `ObjectContent` of the object.
    pub fn read(self) -> Object {
        let (mut values, mut missing) = (Vec::new(), Vec::new());
        for told in self.told() {
            match told {
                Told::Value(name, value) => values.push(dynamic_property(name, value)),
                Told::Missing(name, fault) => missing.push((name.clone(), fault)),
            }
        }
        let values = (!values.is_empty()).then(|| Array::new(ty::DynamicProperty, values));
        let missing = missing_set(&missing)
            .map(|set| Array::from_items(ty::MissingProperty, set.into_iter().map(Value::Object)));
        const { assert!(slots(ty::ObjectContent, ["obj", "propSet", "missingSet"])) };
        let slots = [
            Some(Value::Ref(self.object().clone())),
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

/// A `missingSet` of properties, unless it would be empty.
pub(super) fn missing_set(missing: &[(Str, Fault)]) -> Option<Vec<Object>> {
    let set: Vec<Object> =
        missing.iter().map(|(path, fault)| missing_property(path, fault)).collect();
    Some(set).filter(|set| !set.is_empty())
}

/// A property that the caller may not read, and why.
pub fn missing_property(path: &Str, fault: &Fault) -> Object {
    object!(MissingProperty { path: path, fault: fault.localized() })
}

/// What a page of a retrieval is: objects, and the token for the next page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Good for one call, if anything is left.
    pub token: Option<Str>,
    /// The objects of this page.
    pub contents: Contents,
}

impl Page {
    /// The page as a `RetrieveResult`.
    pub fn into_object(self) -> Object {
        object!(RetrieveResult { token: self.token, objects: self.contents.read() })
    }
}

/// Nobody: who has no session reads what needs no login.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl MayRead for Nobody {
    fn may_read(&self, mo: &MoRef, property: Field) -> Result<(), Fault> {
        match property.privilege() {
            Some("System.Anonymous") => Ok(()),
            _ => Err(Fault::not_authenticated(mo)),
        }
    }
}
