//! An inventory that was saved from a server: its objects instead of made ones.

use super::catalog::Catalog;
use super::{keys, service};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::path;
use crate::schema::{Kind, ty};
use crate::value::{MoRef, Object, ObjectBuilder, Value};

/// Makes the inventory that `contents`, each an `ObjectContent`, describe. The
/// server's own managers are vimsim's, with the properties that were saved.
/// What the schema does not know, and tasks and sessions of the server, are
/// left out.
pub fn load(tx: &mut Transaction, catalog: &Catalog, contents: &[Object]) -> Result<(), Fault> {
    tx.index_by(keys::of);
    service::insert(tx, catalog.is_esx(), catalog.about(), catalog.now())?;
    let mut last = 0;
    for content in contents {
        let Some(mo) = content.at(path!(ObjectContent, "obj")).and_then(Value::as_moref) else {
            continue;
        };
        if [ty::Task, ty::SessionManager, ty::PropertyCollector].contains(&mo.ty()) {
            continue;
        }
        let number = mo.id().rsplit('-').next().and_then(|digits| digits.parse().ok());
        last = last.max(number.unwrap_or(0));
        let properties = properties(tx.get(mo), mo, content);
        tx.insert(mo.clone(), properties);
    }
    tx.skip_numbers(last);
    complete(tx);
    Ok(())
}

/// Whether the saved server is a host by itself.
pub fn is_host(contents: &[Object]) -> bool {
    contents.iter().any(|content| {
        let properties = content.at(path!(ObjectContent, "propSet")).map(Value::items);
        properties.unwrap_or_default().iter().filter_map(Value::as_object).any(|property| {
            let value = property.at(path!(DynamicProperty, "val")).and_then(Value::as_object);
            value.and_then(|v| v.at(path!(ServiceContent, "about.apiType"))).and_then(Value::as_str)
                == Some("HostAgent")
        })
    })
}

fn properties(held: Option<&Object>, mo: &MoRef, content: &Object) -> Object {
    let mut properties = held.map_or_else(|| ObjectBuilder::new(mo.ty()), Object::edit);
    let saved = content.at(path!(ObjectContent, "propSet")).map(Value::items).unwrap_or_default();
    for property in saved.iter().filter_map(Value::as_object) {
        let name = property.at(path!(DynamicProperty, "name")).and_then(Value::as_str);
        let Some((slot, field)) = name.and_then(|name| mo.ty().field(name)) else { continue };
        if field.ty() == ty::Task {
            continue;
        }
        let value = property.at(path!(DynamicProperty, "val")).cloned();
        if let Err(rejected) = properties.try_set(slot, value) {
            tracing::warn!(%mo, %rejected, "a saved property was left out");
        }
    }
    properties.finish()
}

/// Gives every manager that is named but was not saved an object.
fn complete(tx: &mut Transaction) {
    let instance = MoRef::new(ty::ServiceInstance, "ServiceInstance");
    let Some(content) = tx.at(&instance, path!(ServiceInstance, "content")) else { return };
    let Some(content) = content.as_object().cloned() else { return };
    for (field, value) in content.iter() {
        let Some(mo) = value.as_moref().filter(|mo| !tx.exists(mo)) else { continue };
        debug_assert_eq!(field.ty().kind(), Kind::Managed);
        tracing::warn!(%mo, "named by the saved service, but not saved");
        tx.insert(mo.clone(), Object::empty(mo.ty()));
    }
}
