//! The methods of `AlarmManager` and `Alarm`.

use super::definition::Definition;
use super::moments;
use super::run;
use super::show;
use super::status::Status;
use super::table::Table;
use crate::engine::{Tx, aside_in};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, Object, ObjectBuilder, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::service::Service;
use crate::vsphere::{containment, events};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::AlarmManager, method::CreateAlarm, Handler::Now(create)),
    (ty::AlarmManager, method::GetAlarm, Handler::Now(list)),
    (ty::AlarmManager, method::GetAlarmState, Handler::Now(states)),
    (ty::AlarmManager, method::AcknowledgeAlarm, Handler::Now(acknowledge)),
    (ty::AlarmManager, method::ClearTriggeredAlarms, Handler::Now(clear)),
    (ty::AlarmManager, method::DisableAlarm, Handler::Now(disable)),
    (ty::AlarmManager, method::EnableAlarm, Handler::Now(enable)),
    (ty::AlarmManager, method::EnableAlarmActions, Handler::Now(enable_actions)),
    (ty::AlarmManager, method::AreAlarmActionsEnabled, Handler::Now(has_actions)),
    (ty::Alarm, method::ReconfigureAlarm, Handler::Now(reconfigure)),
    (ty::Alarm, method::RemoveAlarm, Handler::Now(remove)),
];

/// The name of a specification, which is there and no other alarm's than `own`.
fn free_name(tx: &Tx<'_>, spec: &Object, own: Option<&MoRef>) -> Result<String, Fault> {
    let name = spec.at(path!(AlarmSpec, "name")).and_then(Value::as_str).unwrap_or_default();
    if name.trim().is_empty() {
        return Err(Fault::invalid_name(name, None));
    }
    let table = tx.aside::<Table>();
    let mut all = table.into_iter().flat_map(|table| table.definitions().iter());
    match all.find(|it| Some(&it.alarm) != own && it.name == name) {
        Some(other) => Err(Fault::duplicate_name(name, &other.alarm)),
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
    check(service, spec, entity)?;
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
        tx.touch(entity);
        Ok(alarm)
    })?;
    Ok(Some(made.into()))
}

/// Fails if a specification makes no sense for an alarm on `entity`.
fn check(service: &Service, spec: &Object, entity: &MoRef) -> Result<(), Fault> {
    let state = service.engine().snapshot();
    if !state.exists(entity) {
        return Err(Fault::not_found(entity));
    }
    let none = MoRef::new(ty::Alarm, "");
    Definition::read(&state, spec, &none, entity).map(drop)
}

/// What is known of all alarms.
fn table(state: &Snapshot) -> Table {
    aside_in::<Table>(state).cloned().unwrap_or_default()
}

/// The alarms that are declared on an entity; without one, all.
fn list(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let of = call.moref(arg!(GetAlarm.entity));
    if let Some(entity) = of.filter(|entity| !state.exists(entity)) {
        return Err(Fault::not_found(entity));
    }
    let access = call.caller.session.as_ref().and_then(|it| service.access(it, &state));
    let table = table(&state);
    let found = table
        .definitions()
        .iter()
        .filter(|it| of.is_none_or(|of| it.entity == *of))
        .filter(|it| access.as_ref().is_none_or(|access| access.sees(&it.alarm)))
        .map(|it| it.alarm.clone());
    let found = found.map(Value::from).collect();
    Ok(Some(Array::new(ty::Alarm, found).into()))
}

fn states(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let entity = call.moref(arg!(GetAlarmState.entity)).filter(|entity| state.exists(entity));
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    let states = show::declared(&state, &table(&state), entity);
    let states = states.into_iter().map(Value::from).collect();
    Ok(Some(Array::new(ty::AlarmState, states).into()))
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

/// An alarm and an entity that has or inherits it.
fn pair<'c>(
    service: &Service,
    call: &'c Call,
    (alarm, entity): (usize, usize),
) -> Result<(&'c MoRef, &'c MoRef), Fault> {
    let named = |slot, name| call.moref(slot).ok_or_else(|| Fault::invalid_argument(name));
    let (alarm, entity) = (named(alarm, "alarm")?, named(entity, "entity")?);
    let state = service.engine().snapshot();
    let table = table(&state);
    let definition = table.definition(alarm).ok_or_else(|| Fault::invalid_argument("alarm"))?;
    let above = containment::above(&*state, entity);
    let has = state.exists(entity)
        && definition.reaches(entity, &above)
        && (definition.is_of(entity) || definition.entity == *entity);
    if has { Ok((alarm, entity)) } else { Err(Fault::invalid_argument("entity")) }
}

/// An alarm that is not triggered, or that somebody has acknowledged, stays as
/// it is.
fn acknowledge(service: &Service, call: &Call) -> Answer {
    let slots = (arg!(AcknowledgeAlarm.alarm), arg!(AcknowledgeAlarm.entity));
    let (alarm, entity) = pair(service, call, slots)?;
    let user = call.session()?.user_name.clone();
    service.commit(call, |tx| {
        run::settled(tx, |watch| {
            if watch.acknowledge(entity, alarm, &user)
                && let Some(definition) = watch.table.definition(alarm).cloned()
            {
                moments::acknowledged(watch.tx, &definition, entity);
            }
        })
    })?;
    Ok(None)
}

/// They are green until what they look at changes, or an event comes.
fn clear(service: &Service, call: &Call) -> Answer {
    let filter = call.required(arg!(ClearTriggeredAlarms.filter))?.as_object();
    let filter = filter.ok_or_else(|| Fault::invalid_argument("filter"))?;
    let statuses = filter.at(path!(AlarmFilterSpec, "status")).map(Value::items);
    let statuses: Vec<Status> =
        statuses.unwrap_or_default().iter().filter_map(|it| Status::parse(it.as_str()?)).collect();
    let text = |path| filter.at(path).and_then(Value::as_str).unwrap_or_default();
    let of = match text(path!(AlarmFilterSpec, "typeEntity")) {
        "" | "entityTypeAll" => None,
        "entityTypeHost" => Some(ty::HostSystem),
        "entityTypeVm" => Some(ty::VirtualMachine),
        _ => return Err(Fault::invalid_argument("filter.typeEntity")),
    };
    let events = match text(path!(AlarmFilterSpec, "typeTrigger")) {
        "" | "triggerTypeAll" => None,
        "triggerTypeEvent" => Some(true),
        "triggerTypeMetric" => Some(false),
        _ => return Err(Fault::invalid_argument("filter.typeTrigger")),
    };
    service.commit(call, |tx| {
        run::settled(tx, |watch| {
            let mut found: Vec<(MoRef, MoRef)> = Vec::new();
            for (entity, held) in watch.table.noted() {
                let marks = held.marks.iter().filter(|mark| {
                    let listens = watch.table.definition(&mark.alarm).is_some_and(|it| it.listens);
                    mark.status.is_triggered()
                        && (statuses.is_empty() || statuses.contains(&mark.status))
                        && of.is_none_or(|of| entity.ty().is_a(of))
                        && events.is_none_or(|events| events == listens)
                });
                found.extend(marks.map(|mark| (entity.clone(), mark.alarm.clone())));
            }
            found.sort();
            found.iter().for_each(|(entity, alarm)| watch.clear(entity, alarm));
        })
    })?;
    Ok(None)
}

fn disable(service: &Service, call: &Call) -> Answer {
    let pair = pair(service, call, (arg!(DisableAlarm.alarm), arg!(DisableAlarm.entity)))?;
    set_disabled(service, call, pair, true)
}

fn enable(service: &Service, call: &Call) -> Answer {
    let pair = pair(service, call, (arg!(EnableAlarm.alarm), arg!(EnableAlarm.entity)))?;
    set_disabled(service, call, pair, false)
}

fn set_disabled(
    service: &Service,
    call: &Call,
    (alarm, entity): (&MoRef, &MoRef),
    disabled: bool,
) -> Answer {
    service
        .commit(call, |tx| run::settled(tx, |watch| watch.set_disabled(entity, alarm, disabled)))?;
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
    check(service, spec, &entity_of(&*service.engine().snapshot(), alarm)?)?;
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
        tx.remove(alarm);
        tx.touch(&entity);
        Ok(())
    })?;
    Ok(None)
}
