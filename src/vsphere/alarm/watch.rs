//! What a commit means for alarms: part of every commit, after all else.
//!
//! Costs nothing while there are no alarms; otherwise it looks at what the
//! commit touched, and at the events that it posted.

use std::sync::Arc;
use std::time::Duration;

use super::definition::Definition;
use super::expression::Expression;
use super::moments;
use super::status::Status;
use super::table::{Act, Cause, Mark, Table};
use super::trigger::Fires;
use crate::engine::Tx;
use crate::event::EventRecord;
use crate::inventory::{Change, ChangeKind, Read, Snapshot};
use crate::path;
use crate::schema::ty;
use crate::value::{DateTime, MoRef, Str, Value};
use crate::vsphere::{containment, events};

/// How far apart the actions of one alarm on one entity are at the least: two
/// alarms that undo each other's work must not stop time.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes in what a change did. `before` gives the state before it; whether there
/// is something to do for alarms, now or later, that was not before.
pub(super) fn watch(tx: &mut Tx<'_>, before: impl FnOnce() -> Arc<Snapshot>) -> bool {
    let touches_alarm = |tx: &Tx<'_>| tx.changes().iter().any(|it| it.object.ty() == ty::Alarm);
    let mut table = match tx.aside::<Table>() {
        Some(table) if !table.is_idle() => table.clone(),
        _ if touches_alarm(tx) => Table::default(),
        _ => return false,
    };
    if table.take_settled() {
        let has_more = table.next().is_some();
        tx.set_aside(table);
        return has_more;
    }
    let (next, before) = (table.next(), before());
    let mut watch = Watch::new(tx, table);
    let changes = watch.tx.changes().to_vec();
    watch.take_alarms(&before, &changes);
    watch.take_entities(&before, &changes);
    watch.take_events();
    if !watch.changed {
        return false;
    }
    let table = watch.table;
    let has_more = table.review().is_some() || table.next() != next;
    tx.set_aside(table);
    has_more
}

/// A table in the making, with the change that it is part of.
pub(super) struct Watch<'w, 't> {
    pub(super) tx: &'w mut Tx<'t>,
    pub(super) table: Table,
    pub(super) changed: bool,
}

/// What stands above an entity, once somebody asks.
type Above = Option<Vec<MoRef>>;

impl<'w, 't> Watch<'w, 't> {
    pub(super) fn new(tx: &'w mut Tx<'t>, table: Table) -> Self {
        Self { tx, table, changed: false }
    }

    /// Alarms that came, went or are other ones now.
    fn take_alarms(&mut self, before: &Snapshot, changes: &[Change]) {
        for change in changes {
            let mo = &change.object;
            if mo.ty() == ty::Alarm {
                self.take_alarm(before, mo);
            } else if change.kind == ChangeKind::Destroyed && mo.ty().is_a(ty::ManagedEntity) {
                self.drop_entity(mo);
            }
        }
    }

    fn take_alarm(&mut self, before: &Snapshot, alarm: &MoRef) {
        let info = self.tx.at(alarm, path!(Alarm, "info")).and_then(Value::as_object);
        let read = info.map(|info| Definition::of_info(before, info));
        let old = self.table.definition(alarm).cloned();
        let definition = match read {
            Some(Ok(definition)) => definition,
            unreadable => {
                if let Some(Err(fault)) = unreadable {
                    tracing::warn!(%alarm, %fault, "an alarm cannot be watched");
                }
                self.table.undefine(alarm);
                self.forget(alarm);
                return;
            }
        };
        let same = |old: &Arc<Definition>| {
            old.enabled == definition.enabled
                && old.tolerance == definition.tolerance
                && old.expression == definition.expression
        };
        let is_same = old.as_ref().is_some_and(same);
        if !is_same {
            self.forget(alarm);
            if definition.enabled && definition.looks {
                self.table.push_review(Some(alarm), &definition.entity);
            }
        }
        self.table.define(definition);
        self.changed = true;
    }

    /// Nothing is noted of an alarm any more.
    fn forget(&mut self, alarm: &MoRef) {
        self.changed = true;
        for entity in self.table.marked(alarm) {
            self.put(&entity, alarm, None);
        }
    }

    /// An entity is gone, with the alarms that were declared on it.
    fn drop_entity(&mut self, entity: &MoRef) {
        if let Some(held) = self.table.held(entity).cloned() {
            for mark in &held.marks {
                self.put(entity, &mark.alarm, None);
            }
        }
        let all = Arc::clone(self.table.definitions());
        for definition in all.iter().filter(|it| it.entity == *entity) {
            self.tx.remove(&definition.alarm);
            self.table.undefine(&definition.alarm);
            self.forget(&definition.alarm);
        }
    }

    /// Entities that came or are other ones now.
    fn take_entities(&mut self, before: &Snapshot, changes: &[Change]) {
        for change in changes {
            let mo = &change.object;
            if change.kind == ChangeKind::Destroyed || !mo.ty().is_a(ty::ManagedEntity) {
                continue;
            }
            if change.kind == ChangeKind::Modified && !mo.ty().is_a(ty::VirtualMachine) {
                self.follow(before, mo);
            }
            self.assess(mo, None, change.kind == ChangeKind::Created);
        }
    }

    /// What is no machine may stand somewhere else, and with it all below it.
    fn follow(&mut self, before: &Snapshot, container: &MoRef) {
        let tx = &*self.tx;
        if containment::parent(before, container) == containment::parent(tx, container)
            && (!container.ty().is_a(ty::VirtualApp)
                || containment::above(before, container) == containment::above(tx, container))
        {
            return;
        }
        let below = self.table.below(container).cloned().unwrap_or_default();
        for entity in &below {
            self.place(entity);
        }
        self.table.push_review(None, container);
        self.changed = true;
    }

    /// An entity may stand somewhere else.
    fn place(&mut self, entity: &MoRef) {
        let above = containment::above(&*self.tx, entity);
        for container in self.table.replace(entity, &above) {
            self.tx.touch(&container);
            self.changed = true;
        }
    }

    /// Looks at an entity for one alarm, or for all that it inherits; one that
    /// is `new` has no status before.
    pub(super) fn assess(&mut self, entity: &MoRef, alarm: Option<&MoRef>, new: bool) {
        if !self.tx.exists(entity) {
            return;
        }
        let mut above: Above = None;
        if let Some(held) = self.table.held(entity).cloned() {
            self.place(entity);
            // What it no longer inherits is not noted any more.
            let above = above.get_or_insert_with(|| containment::above(&*self.tx, entity));
            for mark in &held.marks {
                let definition = self.table.definition(&mark.alarm);
                if definition.is_none_or(|it| !it.reaches(entity, above)) {
                    self.put(entity, &mark.alarm, None);
                }
            }
        }
        let all = Arc::clone(self.table.definitions());
        for definition in all.iter() {
            let asked = alarm.is_none_or(|alarm| definition.alarm == *alarm);
            if asked && definition.enabled && definition.looks && definition.is_of(entity) {
                let reached = definition.everywhere || {
                    let look = || containment::above(&*self.tx, entity);
                    definition.reaches(entity, above.get_or_insert_with(look))
                };
                if reached {
                    self.judge(definition, entity, new, None);
                }
            }
        }
    }

    /// Events that were posted. Those of alarms set off none: that could go on
    /// for ever.
    fn take_events(&mut self) {
        let all = Arc::clone(self.table.definitions());
        if !all.iter().any(|it| it.enabled && it.listens) {
            return;
        }
        let posted: Vec<Arc<EventRecord>> =
            self.tx.posted().filter(|event| !event.ty.is_a(ty::AlarmEvent)).cloned().collect();
        for event in &posted {
            for definition in all.iter().filter(|it| it.enabled && it.listens) {
                self.take_event(definition, event);
            }
        }
    }

    fn take_event(&mut self, definition: &Arc<Definition>, event: &EventRecord) {
        let mut conditions = Vec::new();
        definition.expression.visit(&mut |condition| {
            if let Expression::Event(condition) = condition {
                conditions.push(condition);
            }
        });
        for condition in conditions.into_iter().filter(|condition| condition.is(event)) {
            let entity = match condition.of {
                Some(of) => events::object_of(event, of),
                // Of the server, whatever is its own is the root's.
                None => Some(definition.entity.clone())
                    .filter(|entity| event.scene.about().is_none_or(|about| about == entity)),
            };
            let Some(entity) = entity.filter(|entity| self.tx.exists(entity)) else { continue };
            let above = containment::above(&*self.tx, &entity);
            if !definition.reaches(&entity, &above) {
                continue;
            }
            if condition.status.is_some() {
                self.judge(definition, &entity, false, Some((condition.leaf, event.key)));
                return;
            }
            self.ring(definition, &entity);
        }
    }

    /// Something without a status happened: actions are done, each time. While
    /// some wait, others do not join them.
    fn ring(&mut self, definition: &Arc<Definition>, entity: &MoRef) {
        let mut mark = self.mark(definition, entity);
        if mark.disabled
            || definition.triggers.is_empty()
            || !acts(self.tx, entity)
            || self.table.has_act(entity, &definition.alarm)
        {
            return;
        }
        self.act(&mut mark, entity, Cause::Event);
        self.put(entity, &definition.alarm, Some(mark));
    }

    fn mark(&self, definition: &Definition, entity: &MoRef) -> Mark {
        let mark = self.table.mark(entity, &definition.alarm).cloned();
        mark.unwrap_or_else(|| Mark::new(definition, definition.calm()))
    }

    /// Gives an entity the status that it has now; `struck` is an event that
    /// has come, and the leaf that waits for it.
    fn judge(
        &mut self,
        definition: &Arc<Definition>,
        entity: &MoRef,
        new: bool,
        struck: Option<(usize, i32)>,
    ) {
        let now = self.tx.now();
        let before = self.table.mark(entity, &definition.alarm).cloned();
        let mut mark = before.clone().unwrap_or_else(|| {
            let status = if new { Status::Gray } else { definition.calm() };
            Mark::new(definition, status)
        });
        if mark.disabled {
            return;
        }
        if let Some((leaf, _)) = struck {
            definition.expression.strike(leaf, &mut mark.leaves);
        }
        let verdict = definition.judge(&*self.tx, entity, &mut mark.leaves, now);
        let mut status = verdict.status;
        mark.again = verdict.again;
        // Shortly after a trigger no other is noticed; events always are.
        let quiet = mark.reported.map(|at| at.after(definition.pause)).filter(|end| *end > now);
        if let Some(end) = quiet
            && struck.is_none()
            && status > mark.status
            && status.is_triggered()
        {
            status = mark.status;
            mark.again = Some(mark.again.map_or(end, |again| again.min(end)));
        }
        let noted = before.is_some() || status.is_triggered() || mark.again.is_some();
        let remembers = mark.leaves != definition.fresh_leaves();
        if !noted && !remembers {
            return;
        }
        if status != mark.status {
            let event = struck.map(|(_, key)| key);
            self.turn(definition, entity, &mut mark, (status, event));
        }
        if before.as_ref() != Some(&mark) {
            self.put(entity, &definition.alarm, Some(mark));
        }
    }

    /// A status becomes another one: that is told, and actions are to be done.
    fn turn(
        &mut self,
        definition: &Arc<Definition>,
        entity: &MoRef,
        mark: &mut Mark,
        (to, event): (Status, Option<i32>),
    ) {
        let (from, now) = (mark.status, self.tx.now());
        mark.status = to;
        mark.time = now;
        mark.repeat = None;
        mark.event = event.filter(|_| to.is_triggered());
        if from.settled() == to.settled() {
            return;
        }
        moments::changed(self.tx, definition, entity, from, to);
        if to.is_triggered() && to > from {
            mark.reported = Some(now);
        }
        let heard = mark.acknowledged.is_some();
        if !to.is_triggered() {
            mark.acknowledged = None;
        }
        if heard || !acts(self.tx, entity) {
            return;
        }
        let fires: Vec<Fires> = definition.triggers.iter().map(|it| it.fires(from, to)).collect();
        if fires.iter().any(|it| *it != Fires::No) {
            self.act(mark, entity, Cause::Change(from, to));
        }
        if fires.contains(&Fires::Repeatedly) {
            mark.repeat = definition.repeat_after.map(|after| (from, now.after(after)));
        }
    }

    fn act(&mut self, mark: &mut Mark, entity: &MoRef, cause: Cause) {
        let now = self.tx.now();
        let at = mark.acted.map_or(now, |acted| now.max(acted.after(PAUSE)));
        mark.acted = Some(at);
        let act = Act { alarm: mark.alarm.clone(), entity: entity.clone(), cause };
        self.table.push_act(at, act);
        self.changed = true;
    }

    /// The time has come that was noted of an entity.
    pub(super) fn tick(&mut self, entity: &MoRef, alarm: &MoRef) {
        let Some(definition) = self.table.definition(alarm).cloned() else { return };
        let Some(mut mark) = self.table.mark(entity, alarm).cloned() else { return };
        let now = self.tx.now();
        if let Some((from, at)) = mark.repeat.filter(|(_, at)| *at <= now) {
            if acts(self.tx, entity) {
                let cause = Cause::Repeat(from, mark.status);
                self.act(&mut mark, entity, cause);
            }
            let after = definition.repeat_after;
            mark.repeat = after.map(|after| (from, next_after(at, after, now)));
        }
        mark.again = mark.again.filter(|at| *at > now);
        self.put(entity, alarm, Some(mark));
        self.assess(entity, Some(alarm), false);
    }

    /// Somebody resets a triggered alarm.
    pub(super) fn clear(&mut self, entity: &MoRef, alarm: &MoRef) {
        let Some(definition) = self.table.definition(alarm).cloned() else { return };
        let Some(mut mark) = self.table.mark(entity, alarm).cloned() else { return };
        moments::cleared(self.tx, &definition, entity, mark.status);
        definition.expression.forget_events(&mut mark.leaves);
        mark.status = Status::Green;
        mark.time = self.tx.now();
        (mark.acknowledged, mark.event, mark.repeat) = (None, None, None);
        self.put(entity, alarm, Some(mark));
    }

    /// Notes something that is known otherwise.
    pub(super) fn note(&mut self, entity: &MoRef, alarm: &MoRef, edit: impl FnOnce(&mut Mark)) {
        let Some(definition) = self.table.definition(alarm).cloned() else { return };
        let mut mark = self.mark(&definition, entity);
        edit(&mut mark);
        self.put(entity, alarm, Some(mark));
    }

    /// Somebody has taken note of a triggered alarm: no actions until it is
    /// triggered the next time. Whether there was anything to note.
    pub(super) fn acknowledge(&mut self, entity: &MoRef, alarm: &MoRef, user: &Str) -> bool {
        let mark = self.table.mark(entity, alarm);
        let open = mark.filter(|it| it.status.is_triggered() && it.acknowledged.is_none());
        let Some(mut mark) = open.cloned() else { return false };
        mark.acknowledged = Some((user.clone(), self.tx.now()));
        mark.repeat = None;
        self.put(entity, alarm, Some(mark));
        true
    }

    /// Somebody does not want an alarm on an entity, or wants it again.
    pub(super) fn set_disabled(&mut self, entity: &MoRef, alarm: &MoRef, disabled: bool) {
        let Some(definition) = self.table.definition(alarm).cloned() else { return };
        if self.mark(&definition, entity).disabled == disabled {
            return;
        }
        let mut mark = Mark::new(&definition, Status::Gray);
        mark.time = self.tx.now();
        mark.disabled = disabled;
        self.put(entity, alarm, Some(mark));
        self.assess(entity, Some(alarm), false);
    }

    /// Notes something of an entity, and has those look who watch it.
    fn put(&mut self, entity: &MoRef, alarm: &MoRef, mark: Option<Mark>) {
        let shows = |mark: Option<&Mark>| mark.is_some_and(|it| it.status.is_triggered());
        let was = shows(self.table.mark(entity, alarm));
        let shown = was || shows(mark.as_ref());
        let tx = &*self.tx;
        let above = self.table.set(entity, alarm, mark, || containment::above(tx, entity));
        self.changed = true;
        self.tx.touch(entity);
        if shown {
            above.iter().for_each(|container| self.tx.touch(container));
        }
    }
}

/// Whether actions are done for an entity: nobody has said otherwise of it or
/// of what stands above it.
fn acts(state: &(impl Read + ?Sized), entity: &MoRef) -> bool {
    let mut open = Some(entity.clone());
    while let Some(mo) = open {
        let flag = state.at(&mo, path!(ManagedEntity, "alarmActionsEnabled"));
        if flag.and_then(Value::as_bool) == Some(false) {
            return false;
        }
        open = containment::parent(state, &mo);
    }
    true
}

/// The first time after `now` that is a whole number of steps after `at`.
fn next_after(at: DateTime, step: Duration, now: DateTime) -> DateTime {
    let (gone, step) = (now.since(at).as_micros(), step.as_micros().max(1));
    let steps = i64::try_from((gone / step + 1) * step).unwrap_or(i64::MAX);
    DateTime::from_micros(at.micros().saturating_add(steps))
}
