//! `RetrieveArgumentDescription`: what an event of a type can say, for those
//! who compare events with values.

use super::description::words;
use super::format::Format;
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::object;
use crate::path;
use crate::schema::{Field, Kind, Primitive, Type, ty};
use crate::value::{Array, MoRef, Object, Str, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::Answer;
use crate::vsphere::service::Service;

/// What every event has and nobody compares.
const OWN: [&str; 5] = ["key", "chainId", "createdTime", "fullFormattedMessage", "auditId"];

pub(super) fn describe(service: &Service, call: &Call) -> Answer {
    let id = call.text(arg!(RetrieveArgumentDescription.eventTypeId));
    let ty = Type::by_name(id).or_else(|| Type::by_vmodl(id)).filter(|ty| ty.is_a(ty::Event));
    let described: Vec<Value> = match ty {
        Some(ty) => {
            let fields = ty.fields().iter().filter(|field| !OWN.contains(&field.name()));
            fields.map(|field| of_field(ty, *field).into()).collect()
        }
        None => {
            let state = service.engine().snapshot();
            let known =
                registered(&state, id).ok_or_else(|| Fault::invalid_argument("eventTypeId"))?;
            of_schema(known, id).into_iter().map(Value::from).collect()
        }
    };
    Ok(Some(Array::new(ty::EventArgDesc, described).into()))
}

fn describe_one(name: &str, kind: &str, declared_by: &str) -> Object {
    let label = words(name);
    let description = object!(ElementDescription {
        key: format!("{declared_by}.{name}"),
        label: &label,
        summary: &label,
    });
    object!(EventArgDesc { name: name, type: kind, description: description })
}

fn of_field(ty: Type, field: Field) -> Object {
    let declared_by = std::iter::successors(Some(ty), |ty| ty.base())
        .take_while(|ty| ty.fields().contains(&field))
        .last()
        .unwrap_or(ty);
    describe_one(field.name(), kind_of(field.ty()), declared_by.name())
}

/// What a type is called here.
fn kind_of(of: Type) -> &'static str {
    let entities = [
        (ty::VmEventArgument, "vm"),
        (ty::HostEventArgument, "host"),
        (ty::ResourcePoolEventArgument, "resourcepool"),
        (ty::ComputeResourceEventArgument, "computeresource"),
        (ty::DatacenterEventArgument, "datacenter"),
        (ty::DatastoreEventArgument, "datastore"),
        (ty::NetworkEventArgument, "network"),
        (ty::DvsEventArgument, "dvs"),
    ];
    if let Some((_, name)) = entities.iter().find(|(ty, _)| of.is_a(*ty)) {
        return name;
    }
    match of.kind() {
        Kind::Primitive(Primitive::Boolean) => "bool",
        Kind::Primitive(Primitive::Byte | Primitive::Short | Primitive::Int) => "int",
        Kind::Primitive(Primitive::Long) => "long",
        Kind::Primitive(Primitive::Float | Primitive::Double) => "float",
        Kind::Managed => "moid",
        Kind::Primitive(_) | Kind::Enum => "string",
        Kind::Data | Kind::Array => of.name(),
    }
}

/// The event type that some extension has registered: its description.
fn registered<'s>(state: &'s Snapshot, id: &str) -> Option<&'s Object> {
    extensions(state).find_map(|extension| {
        let types = extension.at(path!(Extension, "eventList")).map(Value::items);
        types.unwrap_or_default().iter().filter_map(Value::as_object).find(|it| {
            it.at(path!(ExtensionEventTypeInfo, "eventID")).and_then(Value::as_str) == Some(id)
        })
    })
}

fn extensions(state: &Snapshot) -> impl Iterator<Item = &Object> {
    let service = MoRef::new(ty::ServiceInstance, "ServiceInstance");
    let manager = state.moref(&service, path!(ServiceInstance, "content.extensionManager"));
    let list = manager.and_then(|mo| state.at(mo, path!(ExtensionManager, "extensionList")));
    list.map(Value::items).unwrap_or_default().iter().filter_map(Value::as_object)
}

/// The arguments in the XML that describes an extension's event type. Only
/// what stands between the tags counts; the rest is the extension's affair.
fn of_schema(known: &Object, id: &str) -> Vec<Object> {
    let text = known.at(path!(ExtensionEventTypeInfo, "eventTypeSchema")).and_then(Value::as_str);
    let mut found = Vec::new();
    let mut rest = text.unwrap_or_default();
    while let Some((inside, after)) = element(rest, "argument") {
        if let (Some((name, _)), Some((kind, _))) =
            (element(inside, "name"), element(inside, "type"))
        {
            found.push(describe_one(name.trim(), kind.trim(), id));
        }
        rest = after;
    }
    found
}

/// The content of the first element called `name`, and what follows it.
fn element<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str)> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
}

/// An extension's event with the message for which the extension has
/// registered a format: `<id>.fullFormat` in the resources of its events.
pub(super) fn localized(state: &Snapshot, event: &Object) -> Object {
    let text = |path| event.at(path).and_then(Value::as_str).unwrap_or_default();
    if !event.ty().is_a(ty::EventEx) || !text(path!(EventEx, "message")).is_empty() {
        return event.clone();
    }
    let wanted = format!("{}.fullFormat", text(path!(EventEx, "eventTypeId")));
    let resources = extensions(state)
        .filter_map(|extension| extension.at(path!(Extension, "resourceList")))
        .flat_map(Value::items)
        .filter_map(Value::as_object)
        .filter(|it| {
            it.at(path!(ExtensionResourceInfo, "module")).and_then(Value::as_str) == Some("event")
        });
    let format = resources
        .filter_map(|resource| resource.at(path!(ExtensionResourceInfo, "data")))
        .flat_map(Value::items)
        .filter_map(Value::as_object)
        .find(|pair| pair.at(path!(KeyValue, "key")).and_then(Value::as_str) == Some(&wanted))
        .and_then(|pair| pair.at(path!(KeyValue, "value")).and_then(Value::as_str));
    let Some(format) = format else { return event.clone() };
    let arguments = event.at(path!(EventEx, "arguments")).map(Value::items).unwrap_or_default();
    let argument = |name: &str| {
        let mut pairs = arguments.iter().filter_map(Value::as_object);
        let pair = pairs
            .find(|it| it.at(path!(KeyAnyValue, "key")).and_then(Value::as_str) == Some(name))?;
        pair.at(path!(KeyAnyValue, "value")).cloned()
    };
    let read = |name: &str| argument(name).or_else(|| event.field(name).cloned());
    let message = Str::from(Format::parse_plain(format).fill(&read));
    event.with(const { ty::EventEx.slot("message") }, Some(message).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(described: &[Object]) -> Vec<(&str, &str)> {
        described
            .iter()
            .map(|it| {
                let text = |name| it.field(name).and_then(Value::as_str).unwrap_or_default();
                (text("name"), text("type"))
            })
            .collect()
    }

    #[test]
    fn arguments_are_read_from_what_an_extension_registered() {
        let known = object!(ExtensionEventTypeInfo {
            eventID: "com.example.done",
            eventTypeSchema: "<EventType><arguments><argument><name>size</name><type>long</type>\
                </argument>\n<argument> <name>vm</name> <type>vm</type></argument></arguments>",
        });
        let found = of_schema(&known, "com.example.done");
        assert_eq!(names(&found), [("size", "long"), ("vm", "vm")]);
        assert!(of_schema(&object!(ExtensionEventTypeInfo { eventID: "x" }), "x").is_empty());
    }

    #[test]
    fn fields_say_where_they_are_declared() {
        let field = ty::VmRenamedEvent.field("template").map(|(_, field)| field);
        let described = field.map(|field| of_field(ty::VmRenamedEvent, field)).unwrap();
        let key = described.field("description").and_then(Value::as_object);
        let key = key.and_then(|it| it.field("key")).and_then(Value::as_str);
        assert_eq!(key, Some("VmEvent.template"));
        assert_eq!(names(&[described]), [("template", "bool")]);
    }
}
