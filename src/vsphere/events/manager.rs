//! `EventManager`: asking for events, and posting them from outside.

use std::sync::Arc;

use super::arguments::{describe, localized};
use super::filter::{EventFilter, MOST};
use super::{description, entity_argument, scene};
use crate::engine::{Tx, events_in};
use crate::event::{EventDraft, EventRecord, Scene};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::object;
use crate::path;
use crate::schema::{Type, method, ty};
use crate::task::TaskId;
use crate::value::{Array, MoRef, Object, ObjectBuilder, Str, Value};
use crate::vsphere::authorization::Access;
use crate::vsphere::call::{Call, arg};
use crate::vsphere::containment;
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::service::Service;

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::EventManager, method::QueryEvents, Handler::Now(query)),
    (ty::EventManager, method::LogUserEvent, Handler::Now(log_user_event)),
    (ty::EventManager, method::PostEvent, Handler::Now(post)),
    (ty::EventManager, method::RetrieveArgumentDescription, Handler::Now(describe)),
];

/// The manager with the latest event that the caller may see, and with what
/// the settings say.
pub(in crate::vsphere) fn properties(
    service: &Service,
    access: Option<&Access>,
    state: &Snapshot,
    stored: &Object,
) -> Object {
    let mut manager = stored.edit();
    let seen = |event: &&Arc<EventRecord>| access.is_none_or(|access| may_see(access, event));
    let latest = events_in(state).and_then(|log| log.iter().rev().find(seen));
    let latest = latest.map(|event| description::show(event, true));
    manager.set(const { ty::EventManager.slot("latestEvent") }, latest);
    let collectors = i32::try_from(service.config().tasks.collectors).unwrap_or(i32::MAX);
    manager.set(const { ty::EventManager.slot("maxCollector") }, collectors);
    manager.finish()
}

/// Whether a caller may see an event: who may read what it is about. The
/// server's own events, and those about what is gone, are seen by who may read
/// the root folder, and by who caused them.
pub(in crate::vsphere) fn may_see(access: &Access, event: &EventRecord) -> bool {
    match event.scene.about() {
        Some(about) if access.state().exists(about) => access.may(about, "System.Read"),
        _ => access.is_caller(&event.user) || access.may(access.rights().root(), "System.Read"),
    }
}

/// Gives the events that pass, newest first; of too many the newest, unless
/// the caller wants a page that begins somewhere else.
///
/// The reference names no order. Newest first is that of the latest page, and
/// what the peer simulator does.
fn query(service: &Service, call: &Call) -> Answer {
    let spec = call.required(arg!(QueryEvents.filter))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("filter"))?;
    let filter = EventFilter::new(spec, &service.content().root_folder)?;
    let view = call.get(arg!(QueryEvents.eventViewSpec)).and_then(Value::as_object);
    let state = service.engine().snapshot();
    let access = call.caller.session.as_ref().and_then(|it| service.access(it, &state));
    let Some(log) = events_in(&state) else { return Ok(None) };
    let mut span = filter.span(log);
    let mut forward = false;
    if let Some(view) = view {
        let start = view.field("startEventId").and_then(Value::as_i32);
        let start = start.filter(|start| *start >= 0);
        let start = start.ok_or_else(|| Fault::invalid_argument("eventViewSpec.startEventId"))?;
        forward = view.field("isForward").and_then(Value::as_bool).unwrap_or_default();
        if forward {
            span.start = span.start.max(log.partition_point(|event| event.key <= start));
        } else {
            span.end = span.end.min(log.partition_point(|event| event.key < start));
        }
    }
    let wanted = |event: &&Arc<EventRecord>| {
        filter.passes(event) && access.as_ref().is_none_or(|access| may_see(access, event))
    };
    let most = filter.count.unwrap_or(MOST);
    let events = log.range(span);
    let found: Vec<_> = if forward {
        events.filter(wanted).take(most).collect()
    } else {
        events.rev().filter(wanted).take(most).collect()
    };
    let found = found.into_iter().map(|event| description::show(event, filter.message).into());
    Ok(Some(Array::new(ty::Event, found.collect()).into()))
}

fn log_user_event(service: &Service, call: &Call) -> Answer {
    let entity = call.moref(arg!(LogUserEvent.entity));
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    let text = call.text(arg!(LogUserEvent.msg));
    if text.is_empty() {
        return Err(Fault::invalid_argument("msg"));
    }
    let kinds = [ty::Datacenter, ty::VirtualMachine, ty::HostSystem, ty::ComputeResource];
    let fits = *entity == service.content().root_folder
        || kinds.iter().any(|kind| entity.ty().is_a(*kind));
    service.commit(call, |tx| {
        if !tx.exists(entity) {
            return Err(Fault::not_found(entity));
        }
        if !fits {
            return Err(Fault::invalid_argument("entity"));
        }
        let argument = entity_argument(tx, entity);
        super::post(tx, entity, object!(GeneralUserEvent { message: text, entity: argument }));
        Ok(())
    })?;
    Ok(None)
}

/// The fields of an event that name an inventory object, the narrowest first:
/// the event is about the first that is set.
const ARGUMENTS: [(usize, &str, &str); 7] = [
    (ty::Event.slot("vm"), "vm", "vm"),
    (ty::Event.slot("host"), "host", "host"),
    (ty::Event.slot("ds"), "ds", "datastore"),
    (ty::Event.slot("net"), "net", "network"),
    (ty::Event.slot("dvs"), "dvs", "dvs"),
    (ty::Event.slot("computeResource"), "computeResource", "computeResource"),
    (ty::Event.slot("datacenter"), "datacenter", "datacenter"),
];

/// The object of a type that an event is logged on: what it is about, or what
/// it names around that.
pub(in crate::vsphere) fn object_of(event: &EventRecord, of: Type) -> Option<MoRef> {
    if let Some(about) = event.scene.about().filter(|about| about.ty().is_a(of)) {
        return Some(about.clone());
    }
    let mut named = ARGUMENTS.iter().filter_map(|(slot, _, reference)| {
        event.get(*slot)?.as_object()?.field(reference)?.as_moref()
    });
    named.find(|mo| mo.ty().is_a(of)).cloned()
}

/// Posts an event that the caller has made. Key, chain and time are the
/// server's; the user is the caller unless the event names one, the message is
/// worked out unless there is nothing to say. Of the objects around the event
/// those that it leaves out are added.
fn post(service: &Service, call: &Call) -> Answer {
    let event = call.required(arg!(PostEvent.eventToPost))?.as_object();
    let event = event.ok_or_else(|| Fault::invalid_argument("eventToPost"))?;
    if event.ty().is_a(ty::EventEx) {
        let severity = event.at(path!(EventEx, "severity")).and_then(Value::as_str);
        if severity.is_some_and(|it| !["", "info", "warning", "error", "user"].contains(&it)) {
            return Err(Fault::invalid_argument("eventToPost.severity"));
        }
    }
    let task = call.get(arg!(PostEvent.taskInfo)).and_then(Value::as_object);
    let event = localized(&service.engine().snapshot(), event);
    service.commit(call, |tx| {
        let about = about(tx, &event)?;
        let mut draft = EventDraft::new(&event, around(tx, &event, about));
        draft.chain = task.map(|task| chain_of(tx, task)).transpose()?;
        draft.user = said(&event, path!(Event, "userName"));
        draft.tag = said(&event, path!(Event, "changeTag"));
        tx.post(draft);
        Ok(())
    })?;
    Ok(None)
}

fn said(event: &Object, path: &crate::schema::StaticPath) -> Option<Str> {
    event.at(path).and_then(Value::as_str).filter(|text| !text.is_empty()).map(Str::from)
}

/// What an event is about: the narrowest of its objects, all of which must
/// exist; of an extension's event also the object that it names by id.
fn about(tx: &Tx<'_>, event: &Object) -> Result<Option<MoRef>, Fault> {
    let mut about = None;
    for (slot, name, reference) in ARGUMENTS {
        let Some(Value::Object(argument)) = event.get(slot) else { continue };
        let mo = argument.field(reference).and_then(Value::as_moref);
        let mo = mo.filter(|mo| tx.exists(mo));
        let mo = mo.ok_or_else(|| Fault::invalid_argument(&format!("eventToPost.{name}")))?;
        about = about.or_else(|| Some(mo.clone()));
    }
    if about.is_none() && event.ty().is_a(ty::EventEx) {
        let text = |path| event.at(path).and_then(Value::as_str).unwrap_or_default();
        let kind = Type::by_name(text(path!(EventEx, "objectType")));
        let mo = kind.map(|kind| MoRef::new(kind, text(path!(EventEx, "objectId"))));
        about = mo.filter(|mo| mo.ty().is_a(ty::ManagedEntity) && tx.exists(mo));
    }
    Ok(about)
}

/// The scene of an event: what it says of it, and what belongs to that.
fn around(tx: &Tx<'_>, event: &Object, about: Option<MoRef>) -> Scene {
    let mut arguments = ObjectBuilder::new(ty::Event);
    let common = event.slots().iter().take(ty::Event.fields().len());
    for (slot, value) in common.enumerate() {
        arguments.set(slot, value.clone());
    }
    for own in ["key", "chainId", "createdTime", "userName", "changeTag"] {
        if let Some((slot, _)) = ty::Event.field(own) {
            arguments.set(slot, None::<Value>);
        }
    }
    match about {
        Some(about) => {
            let above = containment::above(tx, &about).into();
            scene::with(tx, &about, arguments, above)
        }
        None => Scene::new(&arguments.finish(), None, Arc::default()),
    }
}

/// The chain of a task that a client names by its info.
fn chain_of(tx: &Tx<'_>, info: &Object) -> Result<i32, Fault> {
    let key = info.at(path!(TaskInfo, "key")).and_then(Value::as_str).unwrap_or_default();
    let task = TaskId::parse(key).and_then(|id| tx.tasks().recall(id));
    task.map(|task| task.event_chain_id).ok_or_else(|| Fault::invalid_argument("taskInfo"))
}
