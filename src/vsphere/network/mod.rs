//! Distributed switches and their port groups: how they are made, changed and
//! looked up.
//!
//! - `switch`: switches, and the hosts that are their members
//! - `portgroup`: port groups
//! - `lookup`: ports, and switches and groups by their keys

pub(super) mod lookup;
pub(super) mod portgroup;
pub(super) mod switch;

use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{StaticPath, ty};
use crate::value::object::fits;
use crate::value::{MoRef, Object, ObjectBuilder, Value};
use crate::vsphere::placement;

/// Takes over what `spec` says under the names of `next`, but for `special`.
/// What it leaves out stays, at every depth.
fn take(next: &mut ObjectBuilder, spec: &Object, special: &[&str]) {
    for (field, value) in spec.iter().filter(|(field, _)| !special.contains(&field.name())) {
        let Some((slot, target)) = next.ty().field(field.name()) else { continue };
        if !fits(target, value) {
            continue;
        }
        match (next.get(slot), value) {
            (Some(Value::Object(now)), Value::Object(asked)) => {
                let laid = overlaid(now, asked);
                next.set(slot, laid);
            }
            (_, Value::Array(items)) if items.is_empty() => {}
            _ => drop(next.set(slot, value)),
        }
    }
}

/// `now` with what is set in `asked`.
pub(super) fn overlaid(now: &Object, asked: &Object) -> Object {
    if now.ty() != asked.ty() {
        return asked.clone();
    }
    let mut next = now.edit();
    take(&mut next, asked, &[]);
    next.finish()
}

/// Fails if the client has seen another version of a configuration than there
/// is; gives the next one.
fn next_version(
    tx: &Tx<'_>,
    mo: &MoRef,
    path: &StaticPath,
    asked: Option<&Value>,
) -> Result<String, Fault> {
    let held = tx.text(mo, path);
    if asked.and_then(Value::as_str).is_some_and(|asked| !asked.is_empty() && asked != held) {
        return Err(Fault::of(
            ty::ConcurrentAccess,
            "The object has been changed by someone else in the meantime.",
        ));
    }
    Ok(held.parse::<u64>().unwrap_or_default().saturating_add(1).to_string())
}

/// A new port group is one of its datacenter's networks.
fn enlist(tx: &mut Tx<'_>, group: &MoRef) -> Result<(), Fault> {
    match placement::datacenter(tx, group) {
        Some(datacenter) => tx.push_ref(&datacenter, path!(Datacenter, "network"), group),
        None => Ok(()),
    }
}

/// The text that a field of a specification holds.
fn text<'o>(spec: &'o Object, field: &str) -> &'o str {
    spec.field(field).and_then(Value::as_str).unwrap_or_default()
}
