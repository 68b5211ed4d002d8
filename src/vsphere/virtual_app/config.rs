//! `UpdateVAppConfig`: what a vApp says of itself and of its members.

use super::machines;
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::ty;
use crate::value::{Array, MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::Answer;
use crate::vsphere::service::Service;
use crate::vsphere::vm::{state, vapp_config};

pub(super) fn update(service: &Service, call: &Call) -> Answer {
    let spec = call.required(arg!(UpdateVAppConfig.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    service.engine().commit(|tx| {
        state::refuse_busy(tx, &call.this)?;
        apply(tx, &call.this, spec)
    })?;
    Ok(None)
}

/// Takes over what `spec` says; what it leaves out stays.
pub(super) fn apply(tx: &mut Tx<'_>, app: &MoRef, spec: &Object) -> Result<(), Fault> {
    let held = tx.at(app, path!(VirtualApp, "vAppConfig")).and_then(Value::as_object);
    let held = held.cloned().ok_or_else(|| Fault::not_found(app))?;
    let mut next = held.edit();
    for (field, value) in spec.iter() {
        let Some((target, _)) = ty::VAppConfigInfo.field(field.name()) else { continue };
        match field.name() {
            "property" | "product" | "ovfSection" => {}
            "entityConfig" => {
                let entries = entries(tx, app, &held, value.items())?;
                next.set(target, Array::new(ty::VAppEntityConfigInfo, entries));
            }
            _ => drop(next.set(target, value)),
        }
    }
    vapp_config::update_lists(&mut next, spec, "spec")?;
    tx.set(app, path!(VirtualApp, "vAppConfig"), next.finish())
}

/// The entries of members with those of `asked` in the place of, or merged
/// into, the ones that are there.
fn entries(tx: &Tx<'_>, app: &MoRef, held: &Object, asked: &[Value]) -> Result<Vec<Value>, Fault> {
    let key = |entry: &Value| entry.as_object()?.field("key")?.as_moref().cloned();
    let mut list = held.field("entityConfig").map_or(&[][..], Value::items).to_vec();
    let mut members = machines(tx, app);
    members.extend(tx.morefs(app, path!(ResourcePool, "resourcePool")));
    for entry in asked {
        let member = key(entry).filter(|member| members.contains(member));
        let member = member.ok_or_else(|| Fault::invalid_argument("spec.entityConfig.key"))?;
        let place = list.iter().position(|held| key(held).as_ref() == Some(&member));
        let before = place.map(|place| list.remove(place));
        let merged = match (before.as_ref().and_then(Value::as_object), entry.as_object()) {
            (Some(before), Some(entry)) => crate::vsphere::vm::merged(before, entry).into(),
            _ => entry.clone(),
        };
        list.push(merged);
    }
    Ok(list)
}
