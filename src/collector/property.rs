//! The selected properties of one type, resolved, and how they are read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::inventory::Properties;
use crate::schema::{Field, Path, Step, Type, Version};
use crate::value::{Array, Str, Value};

/// One property that a filter names, resolved against the type it is named for.
#[derive(Clone, Debug)]
pub(super) struct Property {
    name: Str,
    steps: Arc<[Step]>,
    /// The first step: what the right to read is asked for.
    first: Field,
    slot: usize,
    /// What an array that is not set reads as.
    empty: Option<Value>,
}

/// Some of the properties of an object, by their places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots(u64);

impl Slots {
    /// All properties.
    pub const ALL: Self = Self(u64::MAX);

    /// These, and the one at `slot`.
    #[must_use]
    pub const fn and(self, slot: usize) -> Self {
        // Those far back are one.
        let bit = if slot < 63 { slot } else { 63 };
        Self(self.0 | 1 << bit)
    }

    /// Whether the property at `slot` is among them; maybe also if it is not.
    pub const fn has(self, slot: usize) -> bool {
        self.0 & Self(0).and(slot).0 != 0
    }

    /// Both together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a property is at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reading {
    /// It has a value; an array that is not set has an empty one.
    Value(Value),
    /// It has none.
    Unset,
    /// The array has no element with the key.
    NoElement,
    /// Something above it in its path is not there.
    Unreachable,
}

impl Reading {
    /// The value, if there is one.
    pub(super) fn value(self) -> Option<Value> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }
}

impl Property {
    /// The property at `path`; nothing for a path without a step.
    pub(super) fn new(path: &Path) -> Option<Self> {
        let Some(Step::Field(slot)) = path.steps().first() else { return None };
        let slot = usize::from(*slot);
        let first = *path.root().fields().get(slot)?;
        let (ty, array) = path.leaf();
        Some(Self {
            name: path.text().clone(),
            steps: path.steps().into(),
            first,
            slot,
            empty: array.then(|| Value::Array(Array::empty(ty))),
        })
    }

    /// The property of a managed object at `slot`, whole.
    fn whole(ty: Type, slot: usize) -> Option<Self> {
        let first = *ty.fields().get(slot)?;
        Some(Self {
            name: Str::from(first.name()),
            steps: [Step::Field(u16::try_from(slot).ok()?)].into(),
            first,
            slot,
            empty: first.is_array().then(|| Value::Array(Array::empty(first.ty()))),
        })
    }

    /// The property as the client named it.
    pub(super) fn name(&self) -> &Str {
        &self.name
    }

    /// The property of the managed object that the path starts with.
    pub(super) fn first(&self) -> Field {
        self.first
    }

    /// Where it is in the managed object: the place of the first step.
    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    /// Whether two states of an object certainly agree about the property.
    pub(super) fn same(&self, a: &Properties, b: &Properties) -> bool {
        a.same_at(b, self.slot)
    }

    /// What the property is in `object`.
    pub(super) fn read(&self, object: &Properties) -> Reading {
        if let [_] = &*self.steps {
            return match object.get(self.slot) {
                Some(value) => Reading::Value(value),
                None => self.unset(),
            };
        }
        match object.lookup(&self.steps) {
            Some(value) => Reading::Value(value),
            None => self.absent(object),
        }
    }

    fn unset(&self) -> Reading {
        self.empty.clone().map_or(Reading::Unset, Reading::Value)
    }

    /// Why a path of several steps leads to nothing.
    fn absent(&self, object: &Properties) -> Reading {
        let Some((last, parents)) = self.steps.split_last() else { return Reading::Unreachable };
        match last {
            Step::Field(_) if object.lookup(parents).is_some() => self.unset(),
            Step::Field(_) => Reading::Unreachable,
            // An array that is not set is one without elements, if its own parent is there.
            Step::Key(_) => match parents.split_last() {
                Some((_, above)) if above.is_empty() || object.lookup(above).is_some() => {
                    Reading::NoElement
                }
                _ => Reading::Unreachable,
            },
        }
    }
}

/// What one `PropertySpec` asks of the objects of its type.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    pub(super) ty: Type,
    pub(super) all: bool,
    pub(super) properties: Vec<Property>,
    /// What "all" is to the client: nothing newer than this.
    pub(super) version: Version,
}

/// What a filter reports of the objects of one concrete type.
#[derive(Debug)]
pub(super) struct Plan {
    properties: Box<[Property]>,
    slots: Slots,
    nested: bool,
}

impl Plan {
    fn new(properties: Vec<Property>, nested: bool) -> Self {
        let slots = properties.iter().fold(Slots::default(), |slots, it| slots.and(it.slot));
        Self { properties: properties.into(), slots, nested }
    }

    /// Which properties of the object it reads.
    pub(super) fn slots(&self) -> Slots {
        self.slots
    }

    /// The union of what `selections` ask of objects of `ty`; nothing when no
    /// selection matches, so that such objects are not reported at all.
    fn of(selections: &[Selection], ty: Type) -> Option<Self> {
        let mut matching = selections.iter().filter(|selection| ty.is_a(selection.ty)).peekable();
        matching.peek()?;
        let mut properties: Vec<Property> = Vec::new();
        if let Some(all) = matching.clone().find(|selection| selection.all) {
            let known = ty.fields().iter().enumerate().filter(|(_, f)| f.since() <= all.version);
            properties.extend(known.filter_map(|(slot, _)| Property::whole(ty, slot)));
        }
        properties.extend(matching.flat_map(|selection| &selection.properties).cloned());
        let mut known: HashSet<Arc<[Step]>> = HashSet::with_capacity(properties.len());
        properties.retain(|property| known.insert(Arc::clone(&property.steps)));
        let nested = properties.iter().any(|inner| {
            (1..inner.steps.len())
                .any(|end| inner.steps.get(..end).is_some_and(|outer| known.contains(outer)))
        });
        if nested {
            // What is told of the outer one stands, and the inner ones repeat it.
            properties.sort_by_key(|property| property.steps.len());
        }
        Some(Self::new(properties, nested))
    }

    /// What several plans ask of one object: each property once, where it is
    /// named first.
    pub(super) fn join(plans: impl Iterator<Item = Arc<Self>>) -> Arc<Self> {
        let mut plans = plans.peekable();
        let first = plans.next();
        if let (Some(first), None) = (&first, plans.peek()) {
            return Arc::clone(first);
        }
        let mut known = HashSet::new();
        let mut properties: Vec<Property> = Vec::new();
        for plan in first.into_iter().chain(plans) {
            let new = plan.properties.iter().filter(|it| known.insert(it.name.clone()));
            properties.extend(new.cloned());
        }
        Arc::new(Self::new(properties, false))
    }

    /// The properties, in the order in which they were named; where some are
    /// parts of others, those first that can have parts.
    pub(super) fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// Whether one of the properties is part of another, so that a change can
    /// be told twice.
    pub(super) fn is_nested(&self) -> bool {
        self.nested
    }
}

/// Plans that several pages and rows are read by.
pub(super) type Shared = Arc<[Arc<Plan>]>;

/// The plans of one filter by concrete type, each made when first asked for.
#[derive(Debug, Default)]
pub(super) struct Plans {
    by_type: HashMap<Type, Option<Arc<Plan>>>,
    last: Option<(Type, Option<Arc<Plan>>)>,
}

impl Plans {
    pub(super) fn get(&mut self, selections: &[Selection], ty: Type) -> Option<&Arc<Plan>> {
        // Objects of one type come in rows, so the last answer is mostly the next one.
        if self.last.as_ref().is_none_or(|(last, _)| *last != ty) {
            let plan =
                self.by_type.entry(ty).or_insert_with(|| Plan::of(selections, ty).map(Arc::new));
            self.last = Some((ty, plan.clone()));
        }
        self.last.as_ref().and_then(|(_, plan)| plan.as_ref())
    }
}
