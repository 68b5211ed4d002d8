//! `LicenseManager` and `LicenseAssignmentManager`: keys, what they are good
//! for, and who uses them.
//!
//! Every well-formed key is a licence for everything; nothing here needs one.
//! An assignment is an object of the inventory that nothing refers to.

use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::service::Service;
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::{object, path};

pub(super) const METHODS: &[Entry] = &[
    (ty::LicenseManager, method::AddLicense, Handler::Now(add)),
    (ty::LicenseManager, method::UpdateLicense, Handler::Now(update)),
    (ty::LicenseManager, method::RemoveLicense, Handler::Now(remove)),
    (ty::LicenseManager, method::DecodeLicense, Handler::Now(decode)),
    (ty::LicenseManager, method::UpdateLicenseLabel, Handler::Now(set_label)),
    (ty::LicenseAssignmentManager, method::QueryAssignedLicenses, Handler::Now(assigned)),
    (ty::LicenseAssignmentManager, method::UpdateAssignedLicense, Handler::Now(assign)),
    (ty::LicenseAssignmentManager, method::RemoveAssignedLicense, Handler::Now(unassign)),
];

/// The key that is always there.
const EVALUATION: &str = "00000-00000-00000-00000-00000";

/// Five groups of five letters and digits.
fn is_key(key: &str) -> bool {
    let group = |group: &str| group.len() == 5 && group.bytes().all(|b| b.is_ascii_alphanumeric());
    key.split('-').count() == 5 && key.split('-').all(group)
}

fn asked(key: &str) -> Result<&str, Fault> {
    if is_key(key) { Ok(key) } else { Err(Fault::invalid_argument("licenseKey")) }
}

/// What a key is good for.
fn licence(key: &str, labels: Option<&Value>) -> Object {
    let feature = |key: &str, name: &str| {
        let value = object!(KeyValue { key: key, value: name });
        object!(KeyAnyValue { key: "feature", value: value })
    };
    object!(LicenseManagerLicenseInfo {
        licenseKey: key,
        editionKey: "vc.standard.instance",
        name: "vimsim Standard",
        total: 0,
        used: 0,
        costUnit: "server",
        properties: [
            object!(KeyAnyValue { key: "ProductName", value: Value::from("vimsim") }),
            feature("vmotion", "vSphere vMotion"),
            feature("das", "vSphere HA"),
        ],
        labels: labels.cloned(),
    })
}

fn key_of(licence: &Value) -> Option<&str> {
    licence.as_object()?.at(path!(LicenseManagerLicenseInfo, "licenseKey"))?.as_str()
}

const LICENCES: &crate::schema::StaticPath = path!(LicenseManager, "licenses");

fn held(state: &(impl Read + ?Sized), manager: &MoRef) -> Vec<Value> {
    state.at(manager, LICENCES).map_or(&[][..], Value::items).to_vec()
}

fn keep(tx: &mut Tx<'_>, manager: &MoRef, all: Vec<Value>) -> Result<(), Fault> {
    tx.set(manager, LICENCES, Array::new(ty::LicenseManagerLicenseInfo, all))
}

fn unknown(key: &str) -> Fault {
    let argument = object!(InvalidArgument { invalidProperty: "licenseKey" });
    Fault::new(argument, format!("There is no license '{key}'."))
}

/// A key that is there already stays as it is.
fn add(service: &Service, call: &Call) -> Answer {
    let key = asked(call.text(arg!(AddLicense.licenseKey)))?;
    let new = licence(key, call.get(arg!(AddLicense.labels)));
    let added = service.commit(call, |tx| {
        let mut all = held(tx, &call.this);
        if let Some(held) = all.iter().find(|held| key_of(held) == Some(key)) {
            return Ok(held.clone());
        }
        all.push(new.clone().into());
        keep(tx, &call.this, all)?;
        Ok(new.into())
    })?;
    Ok(Some(added))
}

fn update(service: &Service, call: &Call) -> Answer {
    let key = asked(call.text(arg!(UpdateLicense.licenseKey)))?;
    let labels = call.get(arg!(UpdateLicense.labels)).cloned();
    change(service, call, key, |held| {
        held.with(const { ty::LicenseManagerLicenseInfo.slot("labels") }, labels)
    })
    .map(Some)
}

fn set_label(service: &Service, call: &Call) -> Answer {
    let label = call.text(arg!(UpdateLicenseLabel.labelKey));
    let value = call.text(arg!(UpdateLicenseLabel.labelValue));
    change(service, call, call.text(arg!(UpdateLicenseLabel.licenseKey)), |held| {
        let slot = const { ty::LicenseManagerLicenseInfo.slot("labels") };
        let mut labels = held.get(slot).map_or(&[][..], Value::items).to_vec();
        labels.retain(|it| {
            let key = it.as_object().and_then(|it| it.at(path!(KeyValue, "key"))?.as_str());
            key != Some(label)
        });
        labels.push(object!(KeyValue { key: label, value: value }).into());
        held.with(slot, Array::new(ty::KeyValue, labels))
    })?;
    Ok(None)
}

/// Changes a licence that is there; gives it as it is then.
fn change(
    service: &Service,
    call: &Call,
    key: &str,
    change: impl FnOnce(&Object) -> Object,
) -> Result<Value, Fault> {
    service.commit(call, |tx| {
        let mut all = held(tx, &call.this);
        let found = all.iter_mut().find(|held| key_of(held) == Some(key));
        let found = found.ok_or_else(|| unknown(key))?;
        if let Some(object) = found.as_object() {
            let next = Value::from(change(object));
            *found = next;
        }
        let next = found.clone();
        keep(tx, &call.this, all)?;
        Ok(next)
    })
}

fn remove(service: &Service, call: &Call) -> Answer {
    let key = call.text(arg!(RemoveLicense.licenseKey));
    service.commit(call, |tx| {
        let mut all = held(tx, &call.this);
        let before = all.len();
        all.retain(|held| key_of(held) != Some(key));
        if all.len() == before {
            return Err(unknown(key));
        }
        if key == EVALUATION {
            return Err(Fault::invalid_argument("licenseKey"));
        }
        keep(tx, &call.this, all)
    })?;
    Ok(None)
}

/// What a key would be good for, whether it is there or not.
fn decode(service: &Service, call: &Call) -> Answer {
    let key = asked(call.text(arg!(DecodeLicense.licenseKey)))?;
    let all = held(&*service.engine().snapshot(), &call.this);
    let found = all.into_iter().find(|held| key_of(held) == Some(key));
    Ok(Some(found.unwrap_or_else(|| licence(key, None).into())))
}

fn assignment(entity: &str) -> MoRef {
    MoRef::new(ty::LicenseAssignmentManagerLicenseAssignment, &format!("license/{entity}"))
}

/// Who can have a licence: the server by its instance's id, hosts and clusters
/// by their references; with their names.
fn entities(state: &Snapshot) -> Vec<(String, String)> {
    let service = MoRef::new(ty::ServiceInstance, "ServiceInstance");
    let about = |path| state.text(&service, path).to_owned();
    let server = (
        about(path!(ServiceInstance, "content.about.instanceUuid")),
        about(path!(ServiceInstance, "content.about.name")),
    );
    let named =
        |mo: &MoRef| (mo.id().to_owned(), state.text(mo, path!(ManagedEntity, "name")).to_owned());
    let clusters = state.of_type(ty::ClusterComputeResource).map(|(mo, _)| named(mo));
    let hosts = state.of_type(ty::HostSystem).map(|(mo, _)| named(mo));
    let mut all: Vec<_> = clusters.chain(hosts).collect();
    all.sort();
    all.insert(0, server);
    all
}

/// The assignments of all, or of one; who has none of its own has the
/// evaluation.
fn assigned(service: &Service, call: &Call) -> Answer {
    let asked = call.get(arg!(QueryAssignedLicenses.entityId)).and_then(Value::as_str);
    let state = service.engine().snapshot();
    let mut entities = entities(&state);
    entities.retain(|(id, _)| asked.is_none_or(|asked| asked == id));
    let evaluation = manager(&*state).and_then(|manager| {
        held(&*state, &manager).into_iter().find(|held| key_of(held) == Some(EVALUATION))
    });
    let all = entities.iter().filter_map(|(id, name)| {
        if let Some(own) = state.get(&assignment(id)) {
            return Some(own.into());
        }
        let licence = evaluation.clone()?;
        let default = object!(LicenseAssignmentManagerLicenseAssignment {
            entityId: id.as_str(),
            entityDisplayName: name.as_str(),
            assignedLicense: licence,
        });
        Some(default.into())
    });
    let all = Array::new(ty::LicenseAssignmentManagerLicenseAssignment, all.collect());
    Ok(Some(all.into()))
}

fn manager(state: &(impl Read + ?Sized)) -> Option<MoRef> {
    let service = MoRef::new(ty::ServiceInstance, "ServiceInstance");
    state.moref(&service, path!(ServiceInstance, "content.licenseManager")).cloned()
}

/// A key that is not there yet is added. An empty one takes the licence away.
fn assign(service: &Service, call: &Call) -> Answer {
    let entity = call.text(arg!(UpdateAssignedLicense.entity));
    let known = entities(&service.engine().snapshot()).into_iter().find(|(id, _)| id == entity);
    let (_, name) = known.ok_or_else(|| Fault::invalid_argument("entity"))?;
    let key = call.text(arg!(UpdateAssignedLicense.licenseKey));
    let key = asked(if key.is_empty() { EVALUATION } else { key })?;
    let shown = call.text(arg!(UpdateAssignedLicense.entityDisplayName));
    let shown = if shown.is_empty() { name.as_str() } else { shown };
    let licence = service.commit(call, |tx| {
        let manager = manager(tx).ok_or_else(Fault::not_supported)?;
        let mut all = held(tx, &manager);
        let found = all.iter().find(|held| key_of(held) == Some(key)).cloned();
        let licence = match found {
            Some(found) => found,
            None => {
                let new = Value::from(licence(key, None));
                all.push(new.clone());
                keep(tx, &manager, all)?;
                new
            }
        };
        let own = assignment(entity);
        tx.remove(&own);
        tx.insert(
            own,
            object!(LicenseAssignmentManagerLicenseAssignment {
                entityId: entity,
                entityDisplayName: shown,
                assignedLicense: licence.clone(),
            }),
        );
        Ok(licence)
    })?;
    Ok(Some(licence))
}

fn unassign(service: &Service, call: &Call) -> Answer {
    let entity = call.text(arg!(RemoveAssignedLicense.entityId));
    service.commit(call, |tx| {
        if tx.remove(&assignment(entity)) {
            Ok(())
        } else {
            Err(Fault::invalid_argument("entityId"))
        }
    })?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn keys_have_five_groups_of_five() {
        assert!(is_key("ABCDE-12345-abcde-00000-ZZZZZ"));
        for wrong in ["", "ABCDE", "ABCDE-12345-abcde-00000", "ABCDE-12345-abcde-00000-ZZZZ!"] {
            assert!(!is_key(wrong), "{wrong}");
        }
    }
}
