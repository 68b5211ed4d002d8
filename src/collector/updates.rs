//! What a filter has told its client, and what it tells next.
//!
//! A filter remembers of each object the state in which it was last reported:
//! one pointer to the properties of that time. Objects that may differ from it
//! stand in a queue. To report is to take an object from the queue and compare
//! what was with what is, so a page of updates is a stop in that work, and
//! nothing is computed ahead of the client.

use std::collections::{HashMap, HashSet, VecDeque};

use triomphe::ThinArc;

use super::Source;
use super::budget::{Exceeded, Share, weight};
use super::contents::missing_set;
use super::membership::{Membership, Walk};
use super::property::{Plans, Property, Reading};
use super::spec::FilterSpec;
use super::subscriptions::{Changed, Subscriber};
use crate::fault::Fault;
use crate::inventory::Properties;
use crate::value::diff::{Change, Op, diff};
use crate::value::{EnumValue, MoRef, Object, Str, Value};
use crate::{enum_value, object};

type Hasher = foldhash::fast::FixedState;

/// The state in which an object was last reported.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    object: Properties,
    /// The properties that the caller was not allowed to read, by their place
    /// in the plan; mostly none.
    withheld: Option<ThinArc<(), u32>>,
}

/// What a report replaced, so that the state before it can be told again.
#[derive(Clone, Debug)]
pub(super) struct Undo {
    /// The filter, by its number.
    pub(super) filter: u64,
    /// The object.
    pub(super) object: MoRef,
    /// How it had been reported before; nothing when it had not been.
    pub(super) before: Option<Reported>,
}

/// What one reply replaced: each object once, as it was before the reply.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    list: Vec<Undo>,
    known: HashSet<(u64, MoRef), Hasher>,
}

impl Replaced {
    fn note(&mut self, undo: Undo) {
        if self.known.insert((undo.filter, undo.object.clone())) {
            self.list.push(undo);
        }
    }

    /// The entries, the latest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Undo> {
        self.list.iter().rev()
    }

    /// The entries, and none left.
    pub(super) fn take(&mut self) -> Vec<Undo> {
        self.known = HashSet::default();
        let mut list = std::mem::take(&mut self.list);
        list.shrink_to_fit();
        list
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Forgets a filter's entries.
    pub(super) fn forget(&mut self, filter: u64) {
        self.list.retain(|undo| undo.filter != filter);
        self.known.retain(|(number, _)| *number != filter);
    }
}

/// A standing filter.
#[derive(Debug)]
pub(super) struct Filter {
    mo: MoRef,
    number: u64,
    spec: FilterSpec,
    partial: bool,
    plans: Plans,
    members: Membership,
    started: bool,
    subscriber: Subscriber,
    queue: Queue,
    reported: HashMap<MoRef, Reported, Hasher>,
    /// Where the client stands apart from `reported`, because it asks from an
    /// older version; an object is here until it is told of.
    base: HashMap<MoRef, Option<Reported>, Hasher>,
    missing: Missing,
    /// What all of this counts.
    share: Share,
    /// What the specification counts.
    weight: usize,
}

/// Roots that did not exist when the filter was first used.
#[derive(Debug, Default)]
struct Missing {
    objects: Vec<MoRef>,
    /// The version in which they were reported.
    told: Option<u64>,
    due: bool,
}

/// The state that a client has and wants to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// None: it wants everything.
    Nothing,
    /// The state of a version.
    Version(u64),
}

/// Objects to look at, each once, in the order in which they came up.
#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<MoRef>,
    known: HashSet<MoRef, Hasher>,
}

impl Queue {
    fn push(&mut self, mo: &MoRef) {
        if self.known.insert(mo.clone()) {
            self.order.push_back(mo.clone());
        }
    }

    fn pop(&mut self) -> Option<MoRef> {
        let mo = self.order.pop_front()?;
        self.known.remove(&mo);
        if self.order.is_empty() {
            // The first look at much made it large.
            *self = Self::default();
        }
        Some(mo)
    }
}

impl Filter {
    /// A filter that has not looked at anything yet; what it will hold counts
    /// in `share`.
    pub(super) fn new(
        mo: MoRef,
        number: u64,
        spec: FilterSpec,
        partial: bool,
        subscriber: Subscriber,
        mut share: Share,
    ) -> Result<Self, Exceeded> {
        let weight = weight(spec.value());
        share.hold(weight)?;
        Ok(Self {
            mo,
            number,
            spec,
            partial,
            plans: Plans::default(),
            members: Membership::default(),
            started: false,
            subscriber,
            queue: Queue::default(),
            reported: HashMap::default(),
            base: HashMap::default(),
            missing: Missing { due: true, ..Missing::default() },
            share,
            weight,
        })
    }

    /// Whether the next look, perhaps one from the start, may be at very much.
    pub(super) fn may_be_large(&self, anew: bool) -> bool {
        (anew || !self.started) && self.spec.walks()
    }

    /// The reference to the filter.
    pub(super) fn mo(&self) -> &MoRef {
        &self.mo
    }

    /// The filter's number, which [`Undo`] names it by.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The specification.
    pub(super) fn spec(&self) -> &FilterSpec {
        &self.spec
    }

    /// Whether changes are told as the parts that changed.
    pub(super) fn is_partial(&self) -> bool {
        self.partial
    }

    /// Gets ready to tell what is different from `base`; `undo` leads there
    /// from what was reported last, the latest first.
    pub(super) fn begin<'u>(&mut self, base: Base, undo: impl Iterator<Item = &'u Undo>) {
        self.base.clear();
        self.missing.due = match (base, self.missing.told) {
            (Base::Version(version), Some(told)) => told > version,
            (Base::Nothing, _) | (_, None) => true,
        };
        match base {
            Base::Nothing => {
                self.base.extend(self.reported.keys().map(|mo| (mo.clone(), None)));
                // Walking again queues everything, in the order of the walk.
                self.started = false;
            }
            Base::Version(_) => {
                for undo in undo.filter(|undo| undo.filter == self.number) {
                    self.queue.push(&undo.object);
                    self.base.insert(undo.object.clone(), undo.before.clone());
                }
            }
        }
    }

    /// What changed since the last call. To be asked before the source is
    /// made that [`Filter::refresh`] gets.
    pub(super) fn take_changed(&mut self) -> Changed {
        self.subscriber.take()
    }

    /// Brings the membership up to date and queues what may have to be told.
    /// `source` is replaced by a newer one where the filter came to depend on
    /// objects while they changed. A filter that has become too large forgets
    /// everything and is to be begun anew.
    pub(super) fn refresh<S: Source>(
        &mut self,
        changed: &Changed,
        source: &mut S,
        newer: &impl Fn() -> S,
    ) -> Result<(), Exceeded> {
        self.follow(changed, source, newer).inspect_err(|_| self.give_up())
    }

    fn give_up(&mut self) {
        self.members = Membership::default();
        self.subscriber.retain(|_| false);
        self.queue = Queue::default();
        self.reported = HashMap::default();
        self.base = HashMap::default();
        self.started = false;
        // Less can always be held.
        let _ = self.share.hold(self.weight);
    }

    fn follow<S: Source>(
        &mut self,
        changed: &Changed,
        source: &mut S,
        newer: &impl Fn() -> S,
    ) -> Result<(), Exceeded> {
        let mut fresh = match changed {
            Changed::These(objects) if self.started => {
                self.walk(source, |members, walk| members.changed(walk, objects))?
            }
            Changed::These(_) | Changed::Anything => self.walk(source, Membership::start)?,
        };
        while !fresh.is_empty() {
            let next = newer();
            if next.version() == source.version() {
                break;
            }
            *source = next;
            fresh = self.walk(source, |members, walk| members.changed(walk, &fresh))?;
        }
        // What is not told yet is held besides, and what has gone meanwhile.
        let held = self.members.len().max(self.queue.order.len()).max(self.reported.len());
        self.share.hold(self.weight + held)?;
        if !self.started {
            self.started = true;
            if self.spec.reports_missing() {
                let roots = self.spec.root_objects();
                self.missing.objects =
                    roots.filter(|mo| source.get(mo).is_none()).cloned().collect();
            }
        }
        Ok(())
    }

    /// Walks; gives the objects that were subscribed to for the first time.
    fn walk<S: Source>(
        &mut self,
        source: &S,
        walk: impl FnOnce(&mut Membership, &mut Walk<'_, S>),
    ) -> Result<Vec<MoRef>, Exceeded> {
        let queue = &mut self.queue;
        let mut state = Walk {
            spec: &self.spec,
            source,
            subscriber: &mut self.subscriber,
            affected: &mut |mo| queue.push(mo),
            fresh: Vec::new(),
            share: &mut self.share,
            apart: self.weight,
            exceeded: None,
        };
        walk(&mut self.members, &mut state);
        state.exceeded.map_or(Ok(state.fresh), Err)
    }

    /// How many objects the filter watches.
    pub(super) fn watched(&self) -> usize {
        self.members.len()
    }

    /// Tells up to `max` objects' updates, as a `PropertyFilterUpdate`, which
    /// are part of `version`; what they replace goes to `replaced`. The second
    /// value says how many there are, the third whether there are more.
    pub(super) fn report<S: Source>(
        &mut self,
        source: &S,
        max: usize,
        version: u64,
        replaced: &mut Replaced,
    ) -> (Option<Object>, usize, bool) {
        let mut updates: Vec<Object> = Vec::new();
        let mut more = false;
        while let Some(mo) = self.queue.order.front() {
            let mo = mo.clone();
            let (update, now) = self.assess(source, &mo);
            if update.is_some() && updates.len() == max {
                more = true;
                break;
            }
            self.queue.pop();
            // With nothing to tell, the client's state is this one as well,
            // unless it was compared with another than the last.
            let elsewhere = self.base.remove(&mo).is_some();
            let before = self.remember(&mo, now);
            if let Some(before) = before
                && (update.is_some() || elsewhere)
            {
                replaced.note(Undo { filter: self.number, object: mo, before });
            }
            updates.extend(update);
        }
        let missing = self.tell_missing(version);
        let count = updates.len();
        if count == 0 && missing.is_none() {
            return (None, 0, more);
        }
        let update = object!(PropertyFilterUpdate {
            filter: &self.mo,
            objectSet: Some(updates).filter(|updates| !updates.is_empty()),
            missingSet: missing,
        });
        (Some(update), count, more)
    }

    /// Takes the state in which `mo` is known now; gives the one that this
    /// replaces, if it is another.
    fn remember(&mut self, mo: &MoRef, now: Option<Reported>) -> Option<Option<Reported>> {
        match now {
            Some(now) if self.reported.get(mo).is_some_and(|before| before.same(&now)) => None,
            Some(now) => Some(self.reported.insert(mo.clone(), now)),
            None => self.reported.remove(mo).map(Some),
        }
    }

    fn tell_missing(&mut self, version: u64) -> Option<Vec<Object>> {
        if !std::mem::take(&mut self.missing.due) || self.missing.objects.is_empty() {
            return None;
        }
        self.missing.told = Some(version);
        let missing =
            self.missing.objects.iter().map(|mo| {
                object!(MissingObject { obj: mo, fault: Fault::not_found(mo).localized() })
            });
        Some(missing.collect())
    }

    /// What there is to tell of `mo`, and its state once that is told.
    fn assess<S: Source>(&mut self, source: &S, mo: &MoRef) -> (Option<Object>, Option<Reported>) {
        let object = if self.members.selects(&self.spec, mo) { source.get(mo) } else { None };
        let plan = object
            .as_ref()
            .and_then(|object| self.spec.plan(&mut self.plans, object.ty()))
            .cloned();
        let before = match self.base.get(mo) {
            Some(base) => base.as_ref(),
            None => self.reported.get(mo),
        };
        let (Some(object), Some(plan)) = (object, plan) else {
            let leave = before.map(|_| object_update(mo, LEAVE, Vec::new(), &[]));
            return (leave, None);
        };
        let (mut changes, mut missing, mut withheld) = (Vec::new(), Vec::new(), Vec::new());
        for (place, property) in (0..).zip(plan.properties()) {
            let was_withheld = before.is_some_and(|before| before.withholds(place));
            if let Err(fault) = source.may_read(mo, property.first()) {
                withheld.push(place);
                if !was_withheld {
                    missing.push((property.name().clone(), fault));
                }
                continue;
            }
            match before.filter(|_| !was_withheld) {
                None => entered(property, property.read(&object), &mut changes),
                Some(before) if property.same(&before.object, &object) => {}
                Some(before) => {
                    let old = property.read(&before.object);
                    let detail = match (self.partial, plan.is_nested()) {
                        (false, _) => Detail::Whole,
                        (true, true) => Detail::Overlapping,
                        (true, false) => Detail::Parts,
                    };
                    changed(property, &old, property.read(&object), detail, &mut changes);
                }
            }
        }
        let withheld = Some(withheld).filter(|list| !list.is_empty());
        let withheld = withheld.map(|list| ThinArc::from_header_and_slice((), &list));
        if plan.is_nested() {
            let mut told = HashSet::new();
            changes.retain(|change: &Change| told.insert(change.path.clone()));
        }
        let update = match before {
            None => Some(object_update(mo, ENTER, changes, &missing)),
            Some(_) if changes.is_empty() && missing.is_empty() => None,
            Some(_) => Some(object_update(mo, MODIFY, changes, &missing)),
        };
        (update, Some(Reported { object, withheld }))
    }
}

impl Reported {
    fn withholds(&self, place: u32) -> bool {
        self.withheld.as_ref().is_some_and(|list| list.slice.contains(&place))
    }

    fn same(&self, other: &Self) -> bool {
        self.object.same(&other.object) && self.withheld == other.withheld
    }
}

const ENTER: EnumValue = enum_value!(ObjectUpdateKind::enter);
const MODIFY: EnumValue = enum_value!(ObjectUpdateKind::modify);
const LEAVE: EnumValue = enum_value!(ObjectUpdateKind::leave);

/// A property of an object that the client does not know yet.
fn entered(property: &Property, now: Reading, out: &mut Vec<Change>) {
    match now {
        Reading::Value(value) => assign(property, Some(value), out),
        Reading::Unset => assign(property, None, out),
        Reading::NoElement | Reading::Unreachable => {}
    }
}

/// How a filter tells changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Each property whole.
    Whole,
    /// The parts that changed.
    Parts,
    /// The parts, but of properties that are parts of others: an element may
    /// have joined with all of the outer one already, so it is only assigned.
    Overlapping,
}

/// A property that may differ from what the client knows.
fn changed(
    property: &Property,
    old: &Reading,
    new: Reading,
    detail: Detail,
    out: &mut Vec<Change>,
) {
    match (old, new) {
        (Reading::Value(old), Reading::Value(new)) if detail != Detail::Whole => {
            diff(property.name(), Some(old), Some(&new), out);
        }
        (Reading::Value(old), Reading::Value(new)) => {
            if *old != new {
                assign(property, Some(new), out);
            }
        }
        (Reading::NoElement, Reading::Value(new)) if detail == Detail::Parts => {
            tell(property, Op::Add, Some(new), out);
        }
        (_, Reading::Value(new)) => assign(property, Some(new), out),
        (Reading::Value(_), Reading::Unset) => assign(property, None, out),
        (Reading::Value(_), Reading::NoElement) => tell(property, Op::Remove, None, out),
        (Reading::Value(_), Reading::Unreachable) => {
            tell(property, Op::IndirectRemove, None, out);
        }
        // Nothing there before, nothing there now.
        (Reading::Unset | Reading::NoElement | Reading::Unreachable, _) => {}
    }
}

fn assign(property: &Property, value: Option<Value>, out: &mut Vec<Change>) {
    tell(property, Op::Assign, value, out);
}

fn tell(property: &Property, op: Op, value: Option<Value>, out: &mut Vec<Change>) {
    out.push(Change { path: property.name().to_string(), op, value });
}

fn object_update(
    mo: &MoRef,
    kind: EnumValue,
    changes: Vec<Change>,
    missing: &[(Str, Fault)],
) -> Object {
    let changes: Vec<Object> = changes
        .into_iter()
        .map(|change| {
            let op = match change.op {
                Op::Add => enum_value!(PropertyChangeOp::add),
                Op::Remove => enum_value!(PropertyChangeOp::remove),
                Op::Assign => enum_value!(PropertyChangeOp::assign),
                Op::IndirectRemove => enum_value!(PropertyChangeOp::indirectRemove),
            };
            object!(PropertyChange { name: change.path, op: op, val: change.value })
        })
        .collect();
    object!(ObjectUpdate {
        kind: kind,
        obj: mo,
        changeSet: Some(changes).filter(|changes| !changes.is_empty()),
        missingSet: missing_set(missing),
    })
}
