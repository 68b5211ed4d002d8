//! What alarms do by themselves: actions, looks at what has become due, and
//! looks at everything that an alarm newly concerns.
//!
//! All of it is written down in the [`Table`] before it is done, and struck out
//! in the commit that does it. So a state that is brought back goes on where it
//! was, and nothing is done twice.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::definition::{Definition, below};
use super::moments;
use super::status::Status;
use super::table::{Act, ActKey, Cause, Review, Table};
use super::trigger::{Fires, Trigger};
use super::watch::{self, Watch};
use crate::engine::{Arranged, Engine, Restored, Ticket, Tx, Weight, aside_in};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot, Store};
use crate::path;
use crate::schema::ty;
use crate::task::Reason;
use crate::value::{MoRef, Object, Str, Value};
use crate::vsphere::action::{self, Calls, Occasion, Work, guarded};
use crate::vsphere::option_manager;
use crate::vsphere::service::Service;
use crate::vsphere::waker::Waker;

/// How many entities one commit looks at.
const LOT: usize = 1000;
/// How many entities are looked at before others get their turn.
const GLANCE: usize = 20_000;

/// Sees to it, in each commit, that alarms notice what happens.
#[derive(Debug)]
pub(in crate::vsphere) struct Watcher {
    store: Arc<Store>,
    service: OnceLock<Weak<Service>>,
}

impl Watcher {
    /// One for the objects of `store`.
    pub(in crate::vsphere) fn new(store: Arc<Store>) -> Self {
        Self { store, service: OnceLock::new() }
    }

    /// From now on there is a server that does what is to be done.
    pub(in crate::vsphere) fn serve(&self, service: Weak<Service>) {
        // Nobody else does that.
        let _ = self.service.set(service);
    }

    /// Part of each commit.
    pub(in crate::vsphere) fn watch(&self, tx: &mut Tx<'_>) {
        // The store's state is still the one before the commit.
        if !watch::watch(tx, || self.store.snapshot()) {
            return;
        }
        let service = self.service.get().cloned();
        let call = move |_: &Engine| {
            if let Some(service) = service.and_then(|service| service.upgrade()) {
                service.alarms().wake();
            }
        };
        tx.call_after(Duration::ZERO, Box::new(call));
    }
}

/// What is behind the alarms of a server.
#[derive(Debug)]
pub(in crate::vsphere) struct Alarms {
    service: Weak<Service>,
    waker: Waker,
}

impl Alarms {
    /// The alarms of a server.
    pub(in crate::vsphere) fn new(service: Weak<Service>) -> Self {
        let ring = |service: &Service, rung| {
            service.alarms().waker.rang(rung);
            service.alarms().wake();
        };
        Self { waker: Waker::new(service.clone(), ring), service }
    }

    /// What there is to save besides the inventory.
    pub(in crate::vsphere) fn ticket(&self) -> Option<Ticket> {
        self.waker.ticket()
    }

    /// Has `restore` bring back the state in which `saved` was the ticket.
    pub(in crate::vsphere) fn restore(
        &self,
        saved: Option<Ticket>,
        restore: impl FnOnce(&mut dyn FnMut(Ticket) -> Option<Arranged>) -> Restored,
    ) -> Restored {
        let restored = self.waker.restore(saved, restore);
        self.wake();
        restored
    }

    /// Takes up the alarms of an inventory that was saved elsewhere, with the
    /// states in which they were.
    pub(in crate::vsphere) fn resume(&self) -> Result<(), Fault> {
        let Some(service) = self.service.upgrade() else { return Ok(()) };
        let state = service.engine().snapshot();
        let mut all: Vec<MoRef> = state.refs(ty::Alarm).cloned().collect();
        if all.is_empty() {
            return Ok(());
        }
        all.sort();
        let root = &service.content().root_folder;
        let kept = state.at(root, path!(ManagedEntity, "triggeredAlarmState")).cloned();
        let kept = kept.as_ref().map(Value::items).unwrap_or_default();
        service.engine().commit(|tx| {
            all.iter().for_each(|alarm| tx.touch(alarm));
            Ok(())
        })?;
        service.engine().commit(|tx| {
            let Some(table) = tx.aside::<Table>().cloned() else { return Ok(()) };
            let mut watch = Watch::new(tx, table);
            kept.iter().filter_map(Value::as_object).for_each(|state| watch.adopt(state));
            let mut table = watch.table;
            table.settle();
            tx.set_aside(table);
            Ok(())
        })
    }

    /// Does what is due, and sees to it that what comes next is done in time.
    pub(in crate::vsphere) fn wake(&self) {
        let Some(service) = self.service.upgrade() else { return };
        loop {
            let (state, now) = (service.engine().snapshot(), service.engine().now());
            let Some(table) = aside_in::<Table>(&state) else { return };
            let due = table.due(now, LOT);
            let done = if !due.is_empty() {
                change(&service, |watch| {
                    due.iter().for_each(|(entity, alarm)| watch.tick(entity, alarm));
                })
            } else if let Some((key, act)) = table.first_act(now) {
                perform(&service, &state, table, key, act)
            } else if let Some(review) = table.review() {
                let looked = look(&service, &state, table, review);
                if looked.is_ok() {
                    // Others get their turn before the next lot.
                    let next = self.service.clone();
                    let call = move |_: &Engine| {
                        if let Some(service) = next.upgrade() {
                            service.alarms().wake();
                        }
                    };
                    service.engine().after(Duration::ZERO, Weight::Work, call);
                    return;
                }
                looked
            } else {
                if let Some(next) = table.next() {
                    self.waker.set(&service, next);
                }
                return;
            };
            if let Err(fault) = done {
                tracing::error!(%fault, "alarms could not be seen to");
                return;
            }
        }
    }
}

/// Changes what is known of alarms, and nothing that they have to notice.
pub(super) fn change<T>(
    service: &Service,
    change: impl FnOnce(&mut Watch<'_, '_>) -> T,
) -> Result<T, Fault> {
    service.engine().commit(|tx| settled(tx, change))
}

/// The same within a commit.
pub(super) fn settled<T>(
    tx: &mut Tx<'_>,
    change: impl FnOnce(&mut Watch<'_, '_>) -> T,
) -> Result<T, Fault> {
    let table = tx.aside::<Table>().cloned().unwrap_or_default();
    let mut watch = Watch::new(tx, table);
    let result = change(&mut watch);
    let mut table = watch.table;
    table.settle();
    tx.set_aside(table);
    Ok(result)
}

/// Looks at the next entities that an alarm newly concerns.
fn look(service: &Service, state: &Snapshot, table: &Table, review: &Review) -> Result<(), Fault> {
    let all = table.definitions().iter();
    let concerned: Vec<&Arc<Definition>> = all
        .filter(|it| it.enabled && it.looks)
        .filter(|it| review.alarm.as_ref().is_none_or(|alarm| it.alarm == *alarm))
        .collect();
    let list = review.list.clone().unwrap_or_else(|| {
        let types: Vec<_> = concerned.iter().flat_map(|it| it.types.iter().copied()).collect();
        below(state, &service.content().root_folder, &review.top, &types).into()
    });
    let now = service.engine().now();
    let is_noteworthy = |entity: &MoRef| {
        table.held(entity).is_some()
            || concerned.iter().filter(|it| it.is_of(entity)).any(|definition| {
                let mut leaves = definition.fresh_leaves();
                let verdict = definition.judge(state, entity, &mut leaves, now);
                verdict.status.is_triggered() || verdict.again.is_some()
            })
    };
    let (mut done, mut lot) = (review.done, Vec::new());
    for entity in list.iter().skip(review.done).take(GLANCE) {
        done += 1;
        if is_noteworthy(entity) {
            lot.push(entity.clone());
        }
        if lot.len() == LOT {
            break;
        }
    }
    let rest = (done < list.len()).then(|| Review { list: Some(list), done, ..review.clone() });
    change(service, |watch| {
        for entity in &lot {
            watch.assess(entity, review.alarm.as_ref(), true);
        }
        watch.table.set_review(rest);
    })
}

/// Does the actions that an alarm has for what has happened.
fn perform(
    service: &Arc<Service>,
    state: &Snapshot,
    table: &Table,
    key: ActKey,
    act: &Act,
) -> Result<(), Fault> {
    let definition = table.definition(&act.alarm).filter(|_| state.exists(&act.entity)).cloned();
    let occasion = definition.as_ref().map(|it| occasion(state, it, &act.entity));
    let wanted = |it: &&Trigger| match act.cause {
        Cause::Change(from, to) => it.fires(from, to) != Fires::No,
        Cause::Repeat(from, to) => it.fires(from, to) == Fires::Repeatedly,
        Cause::Event => true,
    };
    let mut works: Vec<(Object, Result<Work, Fault>)> = Vec::new();
    let room = service.room_for_task();
    if let Err(fault) = &room {
        tracing::warn!(alarm = %act.alarm, %fault, "an alarm's actions are left out");
    }
    if let (Some(definition), Some(occasion), Ok(())) = (&definition, &occasion, room) {
        for Trigger { action, .. } in definition.triggers.iter().filter(wanted) {
            let plan = || action::plan(service, state, action, &act.entity, occasion);
            works.push((action.clone(), guarded(plan)));
        }
    }
    let calls = service.engine().commit(|tx| {
        let Some(mut table) = tx.aside::<Table>().cloned() else { return Ok(Vec::new()) };
        // Somebody else was faster.
        let Some(act) = table.take_act(key) else { return Ok(Vec::new()) };
        tx.set_aside(table);
        let (Some(definition), Some(occasion)) = (&definition, &occasion) else {
            return Ok(Vec::new());
        };
        if works.is_empty() || !tx.exists(&act.entity) {
            return Ok(Vec::new());
        }
        moments::acted(tx, definition, &act.entity);
        tx.act_for(Some(&definition.user));
        let mut calls: Vec<Calls> = Vec::new();
        for (action, work) in works {
            let begun = match work {
                Ok(Work::Tasks(tasks, fault)) => {
                    action::submit(tx, occasion, tasks, fault).map(drop)
                }
                Ok(Work::Owned(spec)) => tx.create_task(*spec).map(drop),
                Ok(Work::Calls(list)) => {
                    calls.push(list);
                    Ok(())
                }
                Ok(Work::Abroad) => {
                    send(tx, definition, &act.entity, &action);
                    Ok(())
                }
                Err(fault) => Err(fault),
            };
            if let Err(fault) = begun {
                tracing::warn!(alarm = %act.alarm, %fault, "an alarm's action could not be done");
            }
        }
        Ok(calls)
    })?;
    for calls in calls {
        if let Err(fault) = action::make(service, calls) {
            tracing::warn!(alarm = %act.alarm, %fault, "an alarm's action failed");
        }
    }
    Ok(())
}

fn occasion(state: &Snapshot, definition: &Definition, entity: &MoRef) -> Occasion {
    Occasion {
        user: definition.user.clone(),
        reason: Reason::Alarm {
            alarm: definition.alarm.clone(),
            alarm_name: definition.name.clone(),
            entity: entity.clone(),
            entity_name: Str::from(state.text(entity, path!(ManagedEntity, "name"))),
        },
        entity: Some(entity.clone()),
        kind: ("alarm.Alarm.trigger", "Alarm action"),
    }
}

/// What would leave the server stays here; what a client sees of it does not.
/// A script counts as run and a trap as sent; a mail needs a server to send it.
fn send(tx: &mut Tx<'_>, definition: &Definition, entity: &MoRef, action: &Object) {
    let text = |path| action.at(path).and_then(Value::as_str).unwrap_or_default();
    if action.ty().is_a(ty::RunScriptAction) {
        moments::ran(tx, definition, entity, text(path!(RunScriptAction, "script")));
    } else if action.ty().is_a(ty::SendEmailAction) {
        let fault = option_manager::check_mail(tx).err();
        let to = text(path!(SendEmailAction, "toList"));
        moments::mailed(tx, definition, entity, to, fault.as_ref());
    } else {
        moments::trapped(tx, definition, entity);
    }
}

impl Watch<'_, '_> {
    /// Takes over a state that was saved elsewhere.
    fn adopt(&mut self, state: &Object) {
        let mo = |path| state.at(path).and_then(Value::as_moref);
        let known = mo(path!(AlarmState, "entity")).zip(mo(path!(AlarmState, "alarm")));
        let Some((entity, alarm)) = known.filter(|(entity, _)| self.tx.exists(entity)) else {
            return;
        };
        let status = state.at(path!(AlarmState, "overallStatus")).and_then(Value::as_str);
        let status = status.and_then(Status::parse).filter(|status| status.is_triggered());
        if let Some(status) = status {
            let time = state.at(path!(AlarmState, "time")).and_then(Value::as_date_time);
            let event = state.at(path!(AlarmState, "eventKey")).and_then(Value::as_i32);
            let user = state.at(path!(AlarmState, "acknowledgedByUser")).and_then(Value::as_str);
            let at = state.at(path!(AlarmState, "acknowledgedTime")).and_then(Value::as_date_time);
            self.note(entity, alarm, |mark| {
                mark.status = status;
                mark.time = time.unwrap_or(mark.time);
                mark.event = event;
                mark.acknowledged = user.map(Str::from).zip(at);
            });
        }
    }
}
