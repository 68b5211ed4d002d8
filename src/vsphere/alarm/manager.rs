//! `AlarmManager` and `Alarm`: alarms are declared, changed, acknowledged and
//! removed, and each entity says which it has.
//!
//! Nothing sets one off yet: the state of every alarm stays `gray`, which is
//! that of an alarm that has not been evaluated.

use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::service::Service;
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, Object, ObjectBuilder, Value};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::AlarmManager, method::CreateAlarm, Handler::Now(create)),
    (ty::AlarmManager, method::GetAlarm, Handler::Now(list)),
    (ty::AlarmManager, method::GetAlarmState, Handler::Now(states)),
    (ty::AlarmManager, method::AcknowledgeAlarm, Handler::Now(acknowledge)),
    (ty::AlarmManager, method::EnableAlarmActions, Handler::Now(enable_actions)),
    (ty::AlarmManager, method::AreAlarmActionsEnabled, Handler::Now(has_actions)),
    (ty::Alarm, method::ReconfigureAlarm, Handler::Now(reconfigure)),
    (ty::Alarm, method::RemoveAlarm, Handler::Now(remove)),
];

const STATES: &crate::schema::StaticPath = path!(ManagedEntity, "declaredAlarmState");

/// The name of a specification, which is there and no other alarm's than `own`.
fn free_name(tx: &Tx<'_>, spec: &Object, own: Option<&MoRef>) -> Result<String, Fault> {
    let name = spec.at(path!(AlarmSpec, "name")).and_then(Value::as_str).unwrap_or_default();
    if name.trim().is_empty() {
        return Err(Fault::invalid_name(name, None));
    }
    let same = |(mo, _): &(&MoRef, &Object)| {
        mo.ty() == ty::Alarm && Some(*mo) != own && tx.text(mo, path!(Alarm, "info.name")) == name
    };
    match tx.iter().find(same) {
        Some((other, _)) => Err(Fault::duplicate_name(name, other)),
        None => Ok(name.to_owned()),
    }
}

/// The `AlarmInfo` of a specification.
fn info(tx: &Tx<'_>, spec: &Object, user: &str, alarm: &MoRef, entity: &MoRef) -> ObjectBuilder {
    let mut info = ObjectBuilder::new(ty::AlarmInfo);
    for (field, value) in spec.iter() {
        if let Some((slot, _)) = ty::AlarmInfo.field(field.name()) {
            info.set(slot, value);
        }
    }
    info.set(const { ty::AlarmInfo.slot("key") }, alarm.id());
    info.set(const { ty::AlarmInfo.slot("alarm") }, alarm);
    info.set(const { ty::AlarmInfo.slot("entity") }, entity);
    info.set(const { ty::AlarmInfo.slot("lastModifiedTime") }, tx.now());
    info.set(const { ty::AlarmInfo.slot("lastModifiedUser") }, user);
    info.set(const { ty::AlarmInfo.slot("creationEventId") }, 0);
    info
}

fn create(service: &Service, call: &Call) -> Answer {
    let entity = call.moref(arg!(CreateAlarm.entity));
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    let spec = call.required(arg!(CreateAlarm.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    let user = call.session()?.user_name.clone();
    let made = service.commit(call, |tx| {
        if !tx.exists(entity) || !entity.ty().is_a(ty::ManagedEntity) {
            return Err(Fault::not_found(entity));
        }
        let name = free_name(tx, spec, None)?;
        let alarm = tx.next_moref(ty::Alarm, "alarm");
        let mut info = info(tx, spec, &user, &alarm, entity);
        let of = events::entity_argument(tx, entity);
        let subject = object!(AlarmEventArgument { name: name, alarm: &alarm });
        let event = object!(AlarmCreatedEvent { alarm: subject, entity: of });
        events::post(tx, entity, event);
        let key = tx.events().latest().map(|event| event.key);
        info.set(const { ty::AlarmInfo.slot("creationEventId") }, key.unwrap_or_default());
        let fields = Vec::<Value>::new;
        tx.insert(
            alarm.clone(),
            object!(Alarm { value: fields(), availableField: fields(), info: info.finish() }),
        );
        let state = object!(AlarmState {
            key: format!("{}.{}", alarm.id(), entity.id()),
            entity: entity,
            alarm: &alarm,
            overallStatus: "gray",
            time: tx.now(),
            acknowledged: false,
        });
        let mut all = held(tx, entity);
        all.push(state.into());
        keep(tx, entity, all)?;
        Ok(alarm)
    })?;
    Ok(Some(made.into()))
}

fn held(state: &(impl Read + ?Sized), entity: &MoRef) -> Vec<Value> {
    state.at(entity, STATES).map_or(&[][..], Value::items).to_vec()
}

fn keep(tx: &mut Tx<'_>, entity: &MoRef, all: Vec<Value>) -> Result<(), Fault> {
    tx.set(entity, STATES, Array::new(ty::AlarmState, all))
}

fn alarm_of(state: &Value) -> Option<&MoRef> {
    state.as_object()?.at(path!(AlarmState, "alarm"))?.as_moref()
}

/// The alarms that are declared on an entity.
pub(in crate::vsphere) fn declared(state: &(impl Read + ?Sized), entity: &MoRef) -> Vec<MoRef> {
    held(state, entity).iter().filter_map(alarm_of).cloned().collect()
}

/// The alarms that are declared on an entity; without one, all.
fn list(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let found: Vec<MoRef> = match call.moref(arg!(GetAlarm.entity)) {
        Some(entity) if !state.exists(entity) => return Err(Fault::not_found(entity)),
        Some(entity) => declared(&*state, entity),
        None => state.of_type(ty::Alarm).map(|(mo, _)| mo.clone()).collect(),
    };
    let found = found.into_iter().map(Value::from).collect();
    Ok(Some(Array::new(ty::Alarm, found).into()))
}

fn states(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let entity = call.moref(arg!(GetAlarmState.entity)).filter(|entity| state.exists(entity));
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    Ok(Some(Array::new(ty::AlarmState, held(&*state, entity)).into()))
}

/// The alarm called, with its entity.
fn entity_of(state: &(impl Read + ?Sized), alarm: &MoRef) -> Result<MoRef, Fault> {
    let entity = state.moref(alarm, path!(Alarm, "info.entity")).cloned();
    entity.ok_or_else(|| Fault::not_found(alarm))
}

fn subject(state: &(impl Read + ?Sized), alarm: &MoRef) -> Object {
    let name = state.text(alarm, path!(Alarm, "info.name"));
    object!(AlarmEventArgument { name: name, alarm: alarm })
}

fn acknowledge(service: &Service, call: &Call) -> Answer {
    let named = |slot, name| call.moref(slot).ok_or_else(|| Fault::invalid_argument(name));
    let alarm = named(arg!(AcknowledgeAlarm.alarm), "alarm")?;
    let entity = named(arg!(AcknowledgeAlarm.entity), "entity")?;
    let user = call.session()?.user_name.clone();
    service.commit(call, |tx| {
        let source = entity_of(tx, alarm)?;
        let now = tx.now();
        let mut all = held(tx, entity);
        let found = all.iter_mut().find(|state| alarm_of(state) == Some(alarm));
        let found = found.ok_or_else(|| Fault::invalid_argument("entity"))?;
        if let Some(state) = found.as_object() {
            let mut next = state.edit();
            next.set(const { ty::AlarmState.slot("acknowledged") }, true);
            next.set(const { ty::AlarmState.slot("acknowledgedByUser") }, user.as_str());
            next.set(const { ty::AlarmState.slot("acknowledgedTime") }, now);
            *found = next.finish().into();
        }
        keep(tx, entity, all)?;
        let (source, of) =
            (events::entity_argument(tx, &source), events::entity_argument(tx, entity));
        let alarm = subject(tx, alarm);
        let event = object!(AlarmAcknowledgedEvent { alarm: alarm, source: source, entity: of });
        events::post(tx, entity, event);
        Ok(())
    })?;
    Ok(None)
}

fn enable_actions(service: &Service, call: &Call) -> Answer {
    let entity = call.moref(arg!(EnableAlarmActions.entity));
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    let enabled = call.flag(arg!(EnableAlarmActions.enabled));
    service
        .commit(call, |tx| tx.set(entity, path!(ManagedEntity, "alarmActionsEnabled"), enabled))?;
    Ok(None)
}

/// They are, until somebody says otherwise.
fn has_actions(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let entity = call.moref(arg!(AreAlarmActionsEnabled.entity));
    let entity = entity.filter(|entity| state.exists(entity));
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    let flag = state.at(entity, path!(ManagedEntity, "alarmActionsEnabled"));
    Ok(Some(flag.and_then(Value::as_bool).unwrap_or(true).into()))
}

fn reconfigure(service: &Service, call: &Call) -> Answer {
    let spec = call.required(arg!(ReconfigureAlarm.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    let (alarm, user) = (&call.this, call.session()?.user_name.clone());
    service.commit(call, |tx| {
        let entity = entity_of(tx, alarm)?;
        free_name(tx, spec, Some(alarm))?;
        let before = tx.at(alarm, path!(Alarm, "info")).and_then(Value::as_object).cloned();
        let before = before.ok_or_else(|| Fault::not_found(alarm))?;
        let slot = const { ty::AlarmInfo.slot("creationEventId") };
        let mut next = info(tx, spec, &user, alarm, &entity);
        next.set(slot, before.get(slot).cloned());
        let next = next.finish();
        let changes = events::between(&before, &next);
        tx.set(alarm, path!(Alarm, "info"), next)?;
        let (of, alarm) = (events::entity_argument(tx, &entity), subject(tx, alarm));
        let event =
            object!(AlarmReconfiguredEvent { alarm: alarm, entity: of, configChanges: changes });
        events::post(tx, &entity, event);
        Ok(())
    })?;
    Ok(None)
}

fn remove(service: &Service, call: &Call) -> Answer {
    let alarm = &call.this;
    service.commit(call, |tx| {
        let entity = entity_of(tx, alarm)?;
        let (of, told) = (events::entity_argument(tx, &entity), subject(tx, alarm));
        events::post(tx, &entity, object!(AlarmRemovedEvent { alarm: told, entity: of }));
        let mut all = held(tx, &entity);
        all.retain(|state| alarm_of(state) != Some(alarm));
        keep(tx, &entity, all)?;
        tx.remove(alarm);
        Ok(())
    })?;
    Ok(None)
}
