//! `CustomizationSpecManager`: specifications for guests that are kept under a name.
//!
//! `info` lists them; each whole one is an object of the inventory that nothing
//! refers to.

use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::service::Service;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::CustomizationSpecManager, method::DoesCustomizationSpecExist, Handler::Now(exists)),
    (ty::CustomizationSpecManager, method::GetCustomizationSpec, Handler::Now(get)),
    (ty::CustomizationSpecManager, method::CreateCustomizationSpec, Handler::Now(create)),
    (ty::CustomizationSpecManager, method::OverwriteCustomizationSpec, Handler::Now(overwrite)),
    (ty::CustomizationSpecManager, method::DeleteCustomizationSpec, Handler::Now(delete)),
];

fn kept(name: &str) -> MoRef {
    MoRef::new(ty::CustomizationSpecItem, &format!("CustomizationSpecManager/{name}"))
}

fn not_found(name: &str) -> Fault {
    Fault::of(ty::NotFound, format!("The customization specification '{name}' was not found."))
}

fn exists(service: &Service, call: &Call) -> Answer {
    let name = call.text(arg!(DoesCustomizationSpecExist.name));
    Ok(Some(service.engine().snapshot().exists(&kept(name)).into()))
}

fn get(service: &Service, call: &Call) -> Answer {
    let name = call.text(arg!(GetCustomizationSpec.name));
    let state = service.engine().snapshot();
    state.get(&kept(name)).map(|item| Some(item.into())).ok_or_else(|| not_found(name))
}

fn create(service: &Service, call: &Call) -> Answer {
    let item = call.required(arg!(CreateCustomizationSpec.item))?.as_object();
    let item = item.ok_or_else(|| Fault::invalid_argument("item"))?;
    let name = item.at(path!(CustomizationSpecItem, "info.name")).and_then(Value::as_str);
    let name = name.filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| Fault::invalid_argument("item.info.name"))?;
    service.engine().commit(|tx| {
        if tx.exists(&kept(name)) {
            let text = format!("The customization specification '{name}' already exists.");
            return Err(Fault::new(crate::object!(AlreadyExists { name: name }), text));
        }
        let now = tx.now();
        let set = |item: &crate::value::Object, path, value: Value| {
            item.with_at(path, value).map_err(|error| Fault::system_error(&error.to_string()))
        };
        let item = set(item, path!(CustomizationSpecItem, "info.lastUpdateTime"), now.into())?;
        let version = now.micros().div_euclid(1_000_000).to_string();
        let item = set(&item, path!(CustomizationSpecItem, "info.changeVersion"), version.into())?;
        let held = tx.at(&call.this, path!(CustomizationSpecManager, "info")).map(Value::items);
        let mut all = held.unwrap_or_default().to_vec();
        all.extend(item.at(path!(CustomizationSpecItem, "info")).cloned());
        let all = Array::new(ty::CustomizationSpecInfo, all);
        tx.set(&call.this, path!(CustomizationSpecManager, "info"), all)?;
        tx.insert(kept(name), item);
        Ok(())
    })?;
    Ok(None)
}

/// A specification takes the place of the one with its name. It must be as new
/// as that, if it says how new it is.
fn overwrite(service: &Service, call: &Call) -> Answer {
    let item = call.required(arg!(OverwriteCustomizationSpec.item))?.as_object();
    let item = item.ok_or_else(|| Fault::invalid_argument("item"))?;
    let text = |item: &crate::value::Object, path| -> String {
        item.at(path).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let name = text(item, path!(CustomizationSpecItem, "info.name"));
    let version = path!(CustomizationSpecItem, "info.changeVersion");
    service.commit(call, |tx| {
        let held = tx.get(&kept(&name)).cloned().ok_or_else(|| not_found(&name))?;
        let asked = text(item, version);
        if !asked.is_empty() && asked != text(&held, version) {
            return Err(Fault::of(
                ty::ConcurrentAccess,
                "The customization specification has been changed by someone else.",
            ));
        }
        let number = text(&held, version).parse::<u64>().unwrap_or_default().saturating_add(1);
        let set = |item: &crate::value::Object, path, value: Value| {
            item.with_at(path, value).map_err(|error| Fault::system_error(&error.to_string()))
        };
        let now = tx.now();
        let item = set(item, path!(CustomizationSpecItem, "info.lastUpdateTime"), now.into())?;
        let item = set(&item, version, number.to_string().into())?;
        let info = item.at(path!(CustomizationSpecItem, "info")).cloned();
        let held = tx.at(&call.this, path!(CustomizationSpecManager, "info")).map(Value::items);
        let all = held.unwrap_or_default().iter().map(|it| {
            let of = it.as_object().and_then(|it| it.at(path!(CustomizationSpecInfo, "name")));
            match &info {
                Some(info) if of.and_then(Value::as_str) == Some(&name) => info.clone(),
                _ => it.clone(),
            }
        });
        let all = Array::new(ty::CustomizationSpecInfo, all.collect());
        tx.set(&call.this, path!(CustomizationSpecManager, "info"), all)?;
        tx.replace(&kept(&name), item)
    })?;
    Ok(None)
}

fn delete(service: &Service, call: &Call) -> Answer {
    let name = call.text(arg!(DeleteCustomizationSpec.name));
    service.engine().commit(|tx| {
        if !tx.remove(&kept(name)) {
            return Err(not_found(name));
        }
        let is_it = |info: &Value| {
            let info = info.as_object().and_then(|it| it.at(path!(CustomizationSpecInfo, "name")));
            info.and_then(Value::as_str) == Some(name)
        };
        let held = tx.at(&call.this, path!(CustomizationSpecManager, "info")).map(Value::items);
        let all = held.unwrap_or_default().iter().filter(|it| !is_it(it)).cloned().collect();
        let all = Array::new(ty::CustomizationSpecInfo, all);
        tx.set(&call.this, path!(CustomizationSpecManager, "info"), all)
    })?;
    Ok(None)
}
