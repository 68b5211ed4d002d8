//! The vApp part of a configuration: properties and products that an OVF
//! package brought, changed entry by entry.

use super::seats::{at, text};
use crate::fault::Fault;
use crate::path;
use crate::schema::ty;
use crate::value::{Array, Object, ObjectBuilder, Value};

/// Takes over `vAppConfig`, or takes it away.
pub(super) fn take(next: &mut ObjectBuilder, config: &Object, spec: &Object) -> Result<(), Fault> {
    let slot = const { ty::VirtualMachineConfigInfo.slot("vAppConfig") };
    let removed = at(spec, path!(VirtualMachineConfigSpec, "vAppConfigRemoved"));
    if removed.and_then(Value::as_bool) == Some(true) {
        next.set(slot, None::<Value>);
        return Ok(());
    }
    let Some(Value::Object(asked)) = at(spec, path!(VirtualMachineConfigSpec, "vAppConfig")) else {
        return Ok(());
    };
    let mut info = match config.get(slot).and_then(Value::as_object) {
        Some(held) => held.edit(),
        None => blank(),
    };
    for (field, value) in asked.iter() {
        let Some((target, place)) = ty::VmConfigInfo.field(field.name()) else { continue };
        if matches!(field.name(), "property" | "product" | "ovfSection") {
            let held = info.get(target).map(|held| held.items().to_vec()).unwrap_or_default();
            let items = updated(held, value.items(), field.name(), "configSpec.vAppConfig")?;
            info.set(target, Array::new(place.ty(), items));
        } else {
            info.set(target, value);
        }
    }
    next.set(slot, info.finish());
    Ok(())
}

/// Takes over the lists of properties, products and OVF sections that `asked`
/// changes entry by entry; `prefix` names `asked` in faults.
pub(in crate::vsphere) fn update_lists(
    info: &mut ObjectBuilder,
    asked: &Object,
    prefix: &str,
) -> Result<(), Fault> {
    for name in ["property", "product", "ovfSection"] {
        let Some((target, place)) = info.ty().field(name) else { continue };
        let Some(changes) = asked.field(name) else { continue };
        let held = info.get(target).map(|held| held.items().to_vec()).unwrap_or_default();
        let items = updated(held, changes.items(), name, prefix)?;
        info.set(target, Array::new(place.ty(), items));
    }
    Ok(())
}

fn blank() -> ObjectBuilder {
    let mut info = ObjectBuilder::new(ty::VmConfigInfo);
    info.set(
        const { ty::VmConfigInfo.slot("ipAssignment") },
        Object::empty(ty::VAppIPAssignmentInfo),
    );
    info.set(const { ty::VmConfigInfo.slot("installBootRequired") }, false);
    info.set(const { ty::VmConfigInfo.slot("installBootStopDelay") }, 0);
    info
}

/// The list with each `ArrayUpdateSpec` carried out. Adding what is there, or
/// changing what is not, is a mistake of the client.
fn updated(
    mut held: Vec<Value>,
    specs: &[Value],
    field: &str,
    prefix: &str,
) -> Result<Vec<Value>, Fault> {
    for (index, spec) in specs.iter().filter_map(Value::as_object).enumerate() {
        let wrong =
            |part: &str| Err(Fault::invalid_argument(&format!("{prefix}.{field}[{index}].{part}")));
        let operation = text(spec, path!(ArrayUpdateSpec, "operation"));
        let info = spec.field("info");
        let key = match operation {
            "remove" => at(spec, path!(ArrayUpdateSpec, "removeKey")),
            _ => info.and_then(Value::as_object).and_then(key_of),
        };
        let place = held
            .iter()
            .position(|item| item.as_object().and_then(key_of).is_some_and(|own| Some(own) == key));
        match (operation, info, place) {
            ("add", Some(info), None) => held.push(info.clone()),
            ("edit", Some(info), Some(place)) => {
                held.splice(place..=place, [merged(held.get(place), info)]).for_each(drop);
            }
            ("remove", _, Some(place)) => drop(held.remove(place)),
            ("add" | "edit", None, _) => return wrong("info"),
            ("remove", ..) => return wrong("removeKey"),
            _ => return wrong("info.key"),
        }
    }
    Ok(held)
}

fn key_of(item: &Object) -> Option<&Value> {
    item.get(item.ty().key_slot()?)
}

fn merged(held: Option<&Value>, asked: &Value) -> Value {
    match (held.and_then(Value::as_object), asked.as_object()) {
        (Some(held), Some(asked)) => super::spec::merged(held, asked).into(),
        _ => asked.clone(),
    }
}
