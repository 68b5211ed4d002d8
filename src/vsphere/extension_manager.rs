//! `ExtensionManager`: who extends the server, with the task types they bring.

use super::call::{Call, arg};
use super::descriptions::Description;
use super::dispatch::{Answer, Entry, Handler};
use super::service::Service;
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot, Transaction};
use crate::path;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Str, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::ExtensionManager, method::FindExtension, Handler::Now(find_extension)),
    (ty::ExtensionManager, method::RegisterExtension, Handler::Now(register)),
    (ty::ExtensionManager, method::UpdateExtension, Handler::Now(update)),
    (ty::ExtensionManager, method::UnregisterExtension, Handler::Now(unregister)),
    (ty::ExtensionManager, method::SetExtensionCertificate, Handler::Now(set_certificate)),
    (ty::ExtensionManager, method::QueryManagedBy, Handler::Now(managed_by)),
];

/// The one object of its type on a server.
fn list(snapshot: &Snapshot) -> &[Value] {
    snapshot
        .get(&MoRef::new(ty::ExtensionManager, "ExtensionManager"))
        .and_then(|object| object.at(path!(ExtensionManager, "extensionList")))
        .map(Value::items)
        .unwrap_or_default()
}

fn key(extension: &Value) -> &str {
    extension
        .as_object()
        .and_then(|extension| extension.at(path!(Extension, "key")))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The extension with the key.
pub(super) fn find<'s>(snapshot: &'s Snapshot, wanted: &str) -> Option<&'s Value> {
    list(snapshot).iter().find(|extension| key(extension) == wanted)
}

/// The task types that extensions have registered. What they are called stands
/// in the extension's resources, as `<task type>.label` and `.summary`.
pub(super) fn task_types(snapshot: &Snapshot) -> Vec<Description> {
    let mut found = Vec::new();
    for extension in list(snapshot).iter().filter_map(Value::as_object) {
        let tasks = extension.at(path!(Extension, "taskList")).map(Value::items);
        let tasks = tasks.unwrap_or_default().iter().filter_map(Value::as_object);
        let ids =
            tasks.filter_map(|task| task.at(path!(ExtensionTaskTypeInfo, "taskID"))?.as_str());
        found.extend(ids.map(|id| {
            let text = |what| resource(extension, &format!("{id}.{what}"));
            let label = text("label").unwrap_or(id);
            Description {
                id: id.into(),
                label: label.into(),
                summary: text("summary").unwrap_or(label).into(),
            }
        }));
    }
    found
}

/// The task type with the id, if some extension has registered it.
pub(super) fn task_type(snapshot: &Snapshot, id: &str) -> Option<Description> {
    task_types(snapshot).into_iter().find(|known| known.id == id)
}

/// A text of an extension about tasks; in English if it is there.
fn resource<'e>(extension: &'e Object, key: &str) -> Option<&'e str> {
    let resources = extension.at(path!(Extension, "resourceList")).map(Value::items);
    let resources = resources.unwrap_or_default().iter().filter_map(Value::as_object);
    let text = |object: &'e Object, path| object.at(path).and_then(Value::as_str);
    let of_tasks = resources.filter(|resource| {
        text(resource, path!(ExtensionResourceInfo, "module"))
            .is_some_and(|module| module == "task")
    });
    let mut texts = of_tasks.filter_map(|resource| {
        let english = text(resource, path!(ExtensionResourceInfo, "locale"))
            .is_some_and(|locale| locale.starts_with("en"));
        let data = resource.at(path!(ExtensionResourceInfo, "data")).map(Value::items);
        let mut data = data.unwrap_or_default().iter().filter_map(Value::as_object);
        let found = data.find(|pair| text(pair, path!(KeyValue, "key")) == Some(key))?;
        Some((english, text(found, path!(KeyValue, "value"))?))
    });
    let first = texts.next()?;
    if first.0 { Some(first.1) } else { texts.find(|text| text.0).or(Some(first)).map(|t| t.1) }
}

fn find_extension(service: &Service, call: &Call) -> Answer {
    let wanted = call.text(arg!(FindExtension.extensionKey));
    Ok(find(&service.engine().snapshot(), wanted).cloned())
}

fn not_found(name: &str) -> Fault {
    Fault::of(ty::NotFound, format!("The extension '{name}' could not be found."))
}

fn change(
    service: &Service,
    manager: &MoRef,
    edit: impl FnOnce(&mut Vec<Value>) -> Result<(), Fault>,
) -> Answer {
    service.engine().commit(|tx| {
        let path = path!(ExtensionManager, "extensionList");
        let tx: &mut Transaction = tx;
        let mut all = tx.at(manager, path).map(|v| v.items().to_vec()).unwrap_or_default();
        edit(&mut all)?;
        // Their task types stand in its description.
        tx.touch(&service.content().task_manager);
        tx.set(manager, path, all)
    })?;
    Ok(None)
}

fn given(call: &Call, slot: usize) -> Result<&Object, Fault> {
    call.required(slot)?.as_object().ok_or_else(|| Fault::invalid_argument("extension"))
}

fn register(service: &Service, call: &Call) -> Answer {
    let extension = Value::Object(given(call, arg!(RegisterExtension.extension))?.clone());
    if key(&extension).is_empty() {
        return Err(Fault::invalid_argument("extension.key"));
    }
    change(service, &call.this, |all| {
        if all.iter().any(|held| key(held) == key(&extension)) {
            return Err(Fault::invalid_argument("extension.key"));
        }
        all.push(extension.clone());
        Ok(())
    })
}

fn update(service: &Service, call: &Call) -> Answer {
    let extension = Value::Object(given(call, arg!(UpdateExtension.extension))?.clone());
    change(service, &call.this, |all| {
        let held = all.iter_mut().find(|held| key(held) == key(&extension));
        *held.ok_or_else(|| not_found(key(&extension)))? = extension.clone();
        Ok(())
    })
}

fn unregister(service: &Service, call: &Call) -> Answer {
    let wanted = call.text(arg!(UnregisterExtension.extensionKey));
    change(service, &call.this, |all| {
        let before = all.len();
        all.retain(|held| key(held) != wanted);
        if all.len() == before { Err(not_found(wanted)) } else { Ok(()) }
    })
}

fn set_certificate(service: &Service, call: &Call) -> Answer {
    let wanted = call.text(arg!(SetExtensionCertificate.extensionKey));
    if call.get(arg!(SetExtensionCertificate.certificatePem)).is_none() {
        return Err(Fault::of(ty::NoClientCertificate, "No client certificate was presented."));
    }
    let subject = Str::from(format!("OU=vimsim, CN={wanted}"));
    change(service, &call.this, |all| {
        let held = all.iter_mut().find(|held| key(held) == wanted);
        let held = held.ok_or_else(|| not_found(wanted))?;
        if let Some(object) = held.as_object() {
            let slot = const { ty::Extension.slot("subjectName") };
            *held = object.with(slot, subject).into();
        }
        Ok(())
    })
}

fn managed_by(service: &Service, call: &Call) -> Answer {
    let wanted = call.text(arg!(QueryManagedBy.extensionKey));
    let snapshot = service.engine().snapshot();
    let mut found: Vec<MoRef> = snapshot
        .refs(ty::VirtualMachine)
        .filter(|mo| {
            snapshot.text(mo, path!(VirtualMachine, "config.managedBy.extensionKey")) == wanted
        })
        .cloned()
        .collect();
    found.sort();
    Ok(Some(Value::Array(crate::value::Array::of_refs(&found))))
}
