//! What is known of all alarms at one moment; part of the same snapshots as the
//! inventory, so saved and brought back with it.
//!
//! - A state is kept only of an entity about which something had to be noted:
//!   its alarm was triggered once, or an event came, or a number is beyond a
//!   bound. All others are as they look when somebody asks.
//! - Of each container it is known what is triggered below it, so that reading
//!   `triggeredAlarmState` costs what it lists.

use std::sync::Arc;

use imbl::{GenericHashMap, OrdMap, OrdSet, Vector};

use super::definition::Definition;
use super::expression::Leaf;
use super::status::Status;
use crate::value::{DateTime, MoRef, Str};

type HashMap<K, V> =
    GenericHashMap<K, V, foldhash::fast::FixedState, imbl::shared_ptr::DefaultSharedPtr>;

/// Something that is to be looked at again by itself: when, the entity, the alarm.
type Due = (DateTime, MoRef, MoRef);

/// When an action is to be done, and a number that no other has.
pub(super) type ActKey = (DateTime, u64);

/// All of it. A copy costs a few pointers.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    definitions: Arc<Vec<Arc<Definition>>>,
    states: HashMap<MoRef, Arc<Held>>,
    below: HashMap<MoRef, OrdSet<MoRef>>,
    due: OrdSet<Due>,
    acts: OrdMap<ActKey, Act>,
    last_act: u64,
    reviews: Vector<Review>,
    /// Whether the change under way was made by whoever looks at alarms, so
    /// that nobody has to look because of it.
    settled: bool,
}

/// What is noted about one entity.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// What stands above it, if one of its alarms is triggered.
    pub(super) above: Arc<[MoRef]>,
    pub(super) marks: Vec<Mark>,
}

impl Held {
    fn is_triggered(&self) -> bool {
        self.marks.iter().any(|mark| mark.status.is_triggered())
    }
}

/// The state of one alarm on one entity.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    pub(super) alarm: MoRef,
    pub(super) status: Status,
    /// Since when it is.
    pub(super) time: DateTime,
    /// Who has taken note of it, and when.
    pub(super) acknowledged: Option<(Str, DateTime)>,
    /// The event that triggered it.
    pub(super) event: Option<i32>,
    /// Somebody does not want it on this entity.
    pub(super) disabled: bool,
    pub(super) leaves: Vec<Leaf>,
    /// When it was triggered for the last time.
    pub(super) reported: Option<DateTime>,
    /// When its actions are done, or were, for the last time.
    pub(super) acted: Option<DateTime>,
    /// When its status may be another one without anything changing.
    pub(super) again: Option<DateTime>,
    /// The status before, and when the actions of the change are done again.
    pub(super) repeat: Option<(Status, DateTime)>,
}

impl Mark {
    /// What is noted first.
    pub(super) fn new(definition: &Definition, status: Status) -> Self {
        Self {
            alarm: definition.alarm.clone(),
            status,
            time: definition.modified,
            acknowledged: None,
            event: None,
            disabled: false,
            leaves: definition.fresh_leaves(),
            reported: None,
            acted: None,
            again: None,
            repeat: None,
        }
    }

    fn due(&self) -> Option<DateTime> {
        let repeat = self.repeat.map(|(_, at)| at);
        self.again.into_iter().chain(repeat).min()
    }
}

/// Why actions are to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The status became another one.
    Change(Status, Status),
    /// It still is, since that change.
    Repeat(Status, Status),
    /// Something happened that has no status.
    Event,
}

/// Actions of an alarm on an entity that are to be done.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) alarm: MoRef,
    pub(super) entity: MoRef,
    pub(super) cause: Cause,
}

/// Entities that have to be looked at because of something other than what they
/// are like themselves.
#[derive(Clone, Debug)]
pub(super) struct Review {
    /// The one alarm in question, or all.
    pub(super) alarm: Option<MoRef>,
    /// What they stand below.
    pub(super) top: MoRef,
    /// The entities, once they are known.
    pub(super) list: Option<Arc<[MoRef]>>,
    /// How many are done.
    pub(super) done: usize,
}

impl Table {
    /// Whether there is nothing to watch, and nothing noted.
    pub(super) fn is_idle(&self) -> bool {
        self.definitions.is_empty() && self.states.is_empty()
    }

    /// All alarms, in the order in which they were made.
    pub(super) fn definitions(&self) -> &Arc<Vec<Arc<Definition>>> {
        &self.definitions
    }

    pub(super) fn definition(&self, alarm: &MoRef) -> Option<&Arc<Definition>> {
        self.definitions.iter().find(|it| it.alarm == *alarm)
    }

    /// Puts an alarm in the place of what it was before, or at the end.
    pub(super) fn define(&mut self, definition: Definition) {
        let all = Arc::make_mut(&mut self.definitions);
        let definition = Arc::new(definition);
        match all.iter_mut().find(|it| it.alarm == definition.alarm) {
            Some(place) => *place = definition,
            None => all.push(definition),
        }
    }

    pub(super) fn undefine(&mut self, alarm: &MoRef) {
        Arc::make_mut(&mut self.definitions).retain(|it| it.alarm != *alarm);
        self.reviews.retain(|review| review.alarm.as_ref() != Some(alarm));
    }

    /// What is noted about an entity.
    pub(super) fn held(&self, entity: &MoRef) -> Option<&Arc<Held>> {
        self.states.get(entity)
    }

    pub(super) fn mark(&self, entity: &MoRef, alarm: &MoRef) -> Option<&Mark> {
        self.states.get(entity)?.marks.iter().find(|mark| mark.alarm == *alarm)
    }

    /// The entities below a container of which an alarm is triggered.
    pub(super) fn below(&self, container: &MoRef) -> Option<&OrdSet<MoRef>> {
        self.below.get(container)
    }

    /// All entities about which something is noted.
    pub(super) fn noted(&self) -> impl Iterator<Item = (&MoRef, &Arc<Held>)> {
        self.states.iter()
    }

    /// The entities with something noted about one alarm.
    pub(super) fn marked(&self, alarm: &MoRef) -> Vec<MoRef> {
        let has = |held: &Held| held.marks.iter().any(|mark| mark.alarm == *alarm);
        let all = self.states.iter().filter(|(_, held)| has(held));
        all.map(|(entity, _)| entity.clone()).collect()
    }

    /// Notes something, or with `None` nothing any more; `above` gives what
    /// stands above the entity. Gives the containers that now show something
    /// else.
    pub(super) fn set(
        &mut self,
        entity: &MoRef,
        alarm: &MoRef,
        mark: Option<Mark>,
        above: impl FnOnce() -> Vec<MoRef>,
    ) -> Arc<[MoRef]> {
        let before = self.states.get(entity).cloned().unwrap_or_default();
        let mut held = Held::clone(&before);
        let place = held.marks.iter().position(|it| it.alarm == *alarm);
        let old = place.map(|at| held.marks.remove(at));
        if let Some(due) = old.as_ref().and_then(Mark::due) {
            self.due.remove(&(due, entity.clone(), alarm.clone()));
        }
        if let Some(due) = mark.as_ref().and_then(Mark::due) {
            self.due.insert((due, entity.clone(), alarm.clone()));
        }
        if let Some(mark) = mark {
            let at = place.unwrap_or(held.marks.len());
            held.marks.insert(at, mark);
        }
        let (was, is) = (before.is_triggered(), held.is_triggered());
        if is && !was {
            held.above = above().into();
            self.join(entity, &held.above);
        } else if was && !is {
            self.leave(entity, &held.above);
        }
        let shown = Arc::clone(&held.above);
        if !is {
            held.above = Arc::default();
        }
        if held.marks.is_empty() {
            self.states.remove(entity);
        } else {
            self.states.insert(entity.clone(), Arc::new(held));
        }
        shown
    }

    /// An entity with a triggered alarm stands below `above` now. Gives all
    /// containers that show something else because of it.
    pub(super) fn replace(&mut self, entity: &MoRef, above: &[MoRef]) -> Vec<MoRef> {
        let Some(held) = self.states.get(entity).filter(|held| held.is_triggered()) else {
            return Vec::new();
        };
        if *held.above == *above {
            return Vec::new();
        }
        let before = Arc::clone(&held.above);
        let next = Held { above: above.into(), marks: held.marks.clone() };
        self.states.insert(entity.clone(), Arc::new(next));
        self.leave(entity, &before);
        self.join(entity, above);
        let left = before.iter().filter(|mo| !above.contains(mo));
        let came = above.iter().filter(|mo| !before.contains(mo));
        left.chain(came).cloned().collect()
    }

    fn join(&mut self, entity: &MoRef, above: &[MoRef]) {
        for container in above {
            self.below.entry(container.clone()).or_default().insert(entity.clone());
        }
    }

    fn leave(&mut self, entity: &MoRef, above: &[MoRef]) {
        for container in above {
            let Some(all) = self.below.get_mut(container) else { continue };
            all.remove(entity);
            if all.is_empty() {
                self.below.remove(container);
            }
        }
    }

    /// The change that this is a part of concerns nothing but alarms.
    pub(super) fn settle(&mut self) {
        self.settled = true;
    }

    /// Whether it does; from now on it does not.
    pub(super) fn take_settled(&mut self) -> bool {
        std::mem::take(&mut self.settled)
    }

    /// When something is to be looked at or done next.
    pub(super) fn next(&self) -> Option<DateTime> {
        let due = self.due.get_min().map(|(at, ..)| *at);
        let act = self.acts.get_min().map(|((at, _), _)| *at);
        due.into_iter().chain(act).min()
    }

    /// What is to be looked at by `now`, the first of it.
    pub(super) fn due(&self, now: DateTime, most: usize) -> Vec<(MoRef, MoRef)> {
        let due = self.due.iter().take_while(|(at, ..)| *at <= now).take(most);
        due.map(|(_, entity, alarm)| (entity.clone(), alarm.clone())).collect()
    }

    pub(super) fn push_act(&mut self, at: DateTime, act: Act) {
        self.last_act += 1;
        self.acts.insert((at, self.last_act), act);
    }

    /// The first action to be done by `now`.
    pub(super) fn first_act(&self, now: DateTime) -> Option<(ActKey, &Act)> {
        let (key, act) = self.acts.get_min()?;
        (key.0 <= now).then_some((*key, act))
    }

    pub(super) fn take_act(&mut self, key: ActKey) -> Option<Act> {
        self.acts.remove(&key)
    }

    /// Whether actions without a status wait already.
    pub(super) fn has_act(&self, entity: &MoRef, alarm: &MoRef) -> bool {
        self.acts
            .values()
            .any(|act| act.cause == Cause::Event && act.entity == *entity && act.alarm == *alarm)
    }

    pub(super) fn push_review(&mut self, alarm: Option<&MoRef>, top: &MoRef) {
        let alarm = alarm.cloned();
        self.reviews.push_back(Review { alarm, top: top.clone(), list: None, done: 0 });
    }

    /// The review that is under way, or the next.
    pub(super) fn review(&self) -> Option<&Review> {
        self.reviews.front()
    }

    /// How far the review that is under way has come; nothing when it is over.
    pub(super) fn set_review(&mut self, review: Option<Review>) {
        self.reviews.pop_front();
        if let Some(review) = review {
            self.reviews.push_front(review);
        }
    }
}
