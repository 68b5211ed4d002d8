//! What a `VirtualMachineConfigSpec` does to the configuration of a machine.
//!
//! Most fields of the specification have a namesake in the configuration and
//! are taken over as they are, or field by field where they are objects. The
//! rest is listed in [`apply`].

use super::devices::{self, Machine};
use super::seats::{at, number, text};
use crate::engine::Tx;
use crate::fault::Fault;
use crate::schema::{StaticPath, ty};
use crate::value::{Array, DateTime, Object, ObjectBuilder, Value};
use crate::vsphere::model::{Catalog, environment, guest_os};
use crate::{enum_value, object, path};

/// Fields that vimsim does not model and that would change what clients see.
const UNMODELLED: [&str; 7] = [
    "crypto",
    "npivWorldWideNameOp",
    "deviceSwap",
    "virtualNuma",
    "repConfig",
    "tagSpecs",
    "vmPlacementPolicies",
];

/// Fields that [`apply`] treats by themselves, or that say how to apply the
/// rest: storage profiles have no effect that the inventory shows.
const SPECIAL: [&str; 19] = [
    "changeVersion",
    "name",
    "files",
    "numCPUs",
    "numCoresPerSocket",
    "memoryMB",
    "virtualICH7MPresent",
    "virtualSMCPresent",
    "motherboardLayout",
    "simultaneousThreads",
    "deviceChange",
    "extraConfig",
    "powerOpInfo",
    "cpuFeatureMask",
    "managedBy",
    "vAppConfig",
    "vAppConfigRemoved",
    "vmProfile",
    "guestId",
];

/// Fields that can only be changed while the machine is off.
const COLD: [&str; 21] = [
    "version",
    "uuid",
    "instanceUuid",
    "guestId",
    "alternateGuestName",
    "firmware",
    "cpuHotAddEnabled",
    "cpuHotRemoveEnabled",
    "memoryHotAddEnabled",
    "nestedHVEnabled",
    "vPMCEnabled",
    "vAssertsEnabled",
    "sevEnabled",
    "sevSnpEnabled",
    "tdxEnabled",
    "npivDesiredNodeWwns",
    "npivDesiredPortWwns",
    "flags",
    "guestAutoLockEnabled",
    "messageBusTunnelEnabled",
    "memoryReservationLockedToMax",
];

/// Checks what needs no machine to be checked: the fault is the call's.
pub(super) fn check(catalog: &Catalog, spec: &Object) -> Result<(), Fault> {
    let wrong = |field: &str| Err(Fault::invalid_argument(&format!("configSpec.{field}")));
    for field in UNMODELLED {
        if spec.field(field).is_some_and(|value| value.as_array().is_none_or(|a| !a.is_empty())) {
            return Err(Fault::not_modelled(&format!("VirtualMachineConfigSpec.{field}")));
        }
    }
    let guest = text(spec, path!(VirtualMachineConfigSpec, "guestId"));
    if !guest.is_empty() && guest_os::find(guest).is_none() {
        return wrong("guestId");
    }
    let (cpus, cores) = (
        number(spec, path!(VirtualMachineConfigSpec, "numCPUs")),
        number(spec, path!(VirtualMachineConfigSpec, "numCoresPerSocket")),
    );
    if cpus.is_some_and(|cpus| !(0..=768).contains(&cpus)) {
        return wrong("numCPUs");
    }
    if cores.is_some_and(|cores| cores < 0) {
        return wrong("numCoresPerSocket");
    }
    let memory = number(spec, path!(VirtualMachineConfigSpec, "memoryMB"));
    if memory.is_some_and(|memory| !(0..=25_165_824).contains(&memory) || memory % 4 != 0) {
        return wrong("memoryMB");
    }
    for (field, path) in [
        ("uuid", path!(VirtualMachineConfigSpec, "uuid")),
        ("instanceUuid", path!(VirtualMachineConfigSpec, "instanceUuid")),
    ] {
        let given = text(spec, path);
        if !given.is_empty() && uuid::Uuid::try_parse(given).is_err() {
            return wrong(field);
        }
    }
    let version = text(spec, path!(VirtualMachineConfigSpec, "version"));
    if !version.is_empty() && !environment::supports(catalog, version) {
        return wrong("version");
    }
    let firmware = text(spec, path!(VirtualMachineConfigSpec, "firmware"));
    if !matches!(firmware, "" | "bios" | "efi") {
        return wrong("firmware");
    }
    Ok(())
}

/// The configuration that `spec` makes of `config`. The name is not part of it:
/// a name has its place in the folder too.
pub(super) fn apply(
    tx: &mut Tx<'_>,
    machine: &Machine,
    config: &Object,
    spec: &Object,
    now: DateTime,
) -> Result<Object, Fault> {
    let version = text(spec, path!(VirtualMachineConfigSpec, "changeVersion"));
    if !version.is_empty()
        && version != text(config, path!(VirtualMachineConfigInfo, "changeVersion"))
    {
        return Err(Fault::of(
            ty::ConcurrentAccess,
            "Another task or user has changed the configuration of the object.",
        ));
    }
    if machine.powered_on {
        check_hot(config, spec)?;
    }
    let mut next = config.edit();
    take_namesakes(&mut next, config, spec);
    take_guest(&mut next, spec);
    let hardware = hardware(tx, machine, config, spec)?;
    set_shares(&mut next, &hardware);
    next.set(const { ty::VirtualMachineConfigInfo.slot("hardware") }, hardware);
    take_options(&mut next, config, spec);
    take_managed_by(&mut next, spec);
    super::vapp_config::take(&mut next, config, spec)?;
    check_allocations(&next)?;
    stamp(&mut next, config, now);
    Ok(next.finish())
}

/// Marks the configuration as changed now; two changes never have one version.
pub(super) fn stamp(next: &mut ObjectBuilder, before: &Object, now: DateTime) {
    let held = text(before, path!(VirtualMachineConfigInfo, "changeVersion"));
    let mut at = now;
    while at.to_string() == held {
        at = DateTime::from_micros(at.micros() + 1);
    }
    next.set(const { ty::VirtualMachineConfigInfo.slot("changeVersion") }, at.to_string());
    next.set(const { ty::VirtualMachineConfigInfo.slot("modified") }, now);
}

fn powered_off_needed() -> Fault {
    Fault::invalid_power_state(
        Some(enum_value!(VirtualMachinePowerState::poweredOff)),
        enum_value!(VirtualMachinePowerState::poweredOn),
    )
}

/// What a running machine cannot take.
fn check_hot(config: &Object, spec: &Object) -> Result<(), Fault> {
    let flag = |path: &StaticPath| at(config, path).and_then(Value::as_bool).unwrap_or_default();
    let cpus = number(spec, path!(VirtualMachineConfigSpec, "numCPUs")).filter(|cpus| *cpus > 0);
    let cpus_now = number(config, path!(VirtualMachineConfigInfo, "hardware.numCPU"));
    let may_add = flag(path!(VirtualMachineConfigInfo, "cpuHotAddEnabled"));
    let may_remove = flag(path!(VirtualMachineConfigInfo, "cpuHotRemoveEnabled"));
    if cpus.is_some_and(|cpus| Some(cpus) > cpus_now && !may_add)
        || cpus.is_some_and(|cpus| Some(cpus) < cpus_now && !may_remove)
    {
        return Err(Fault::of(
            ty::CpuHotPlugNotSupported,
            "CPU hot plug is not supported for this virtual machine.",
        ));
    }
    let memory = number(spec, path!(VirtualMachineConfigSpec, "memoryMB")).filter(|mb| *mb > 0);
    let memory_now = number(config, path!(VirtualMachineConfigInfo, "hardware.memoryMB"));
    let may_add = flag(path!(VirtualMachineConfigInfo, "memoryHotAddEnabled"));
    if memory
        .is_some_and(|memory| Some(memory) < memory_now || (Some(memory) > memory_now && !may_add))
    {
        return Err(Fault::of(
            ty::MemoryHotPlugNotSupported,
            "Memory hot plug is not supported for this virtual machine.",
        ));
    }
    let cores = number(spec, path!(VirtualMachineConfigSpec, "numCoresPerSocket"));
    let cores_now = number(config, path!(VirtualMachineConfigInfo, "hardware.numCoresPerSocket"));
    if cores.is_some_and(|cores| cores > 0 && Some(cores) != cores_now) {
        return Err(powered_off_needed());
    }
    for field in COLD {
        let changes = match (spec.field(field), config.field(field)) {
            (None, _) => false,
            (Some(Value::Object(asked)), Some(Value::Object(now))) => merged(now, asked) != *now,
            (Some(Value::Boolean(false)), None) => false,
            (Some(Value::String(asked)), now) if asked.is_empty() => {
                now.and_then(Value::as_str).is_some_and(|now| !now.is_empty())
            }
            (asked, now) => asked != now,
        };
        if changes {
            return Err(powered_off_needed());
        }
    }
    Ok(())
}

/// `now` with the fields that are set in `asked`, an object of the same type.
pub(in crate::vsphere) fn merged(now: &Object, asked: &Object) -> Object {
    if now.ty() != asked.ty() {
        return asked.clone();
    }
    let mut next = now.edit();
    for (slot, value) in asked.slots().iter().enumerate() {
        if let Some(value) = value {
            next.set(slot, value);
        }
    }
    next.finish()
}

fn take_namesakes(next: &mut ObjectBuilder, config: &Object, spec: &Object) {
    for (field, value) in spec.iter().filter(|(field, _)| !SPECIAL.contains(&field.name())) {
        let Some((slot, target)) = ty::VirtualMachineConfigInfo.field(field.name()) else {
            continue;
        };
        if !crate::value::object::fits(target, value) {
            continue;
        }
        match (config.get(slot), value) {
            (Some(Value::Object(now)), Value::Object(asked)) => {
                next.set(slot, merged(now, asked));
            }
            (_, Value::Array(items)) if items.is_empty() => {}
            _ => {
                next.set(slot, value);
            }
        }
    }
    if let Some(Value::Object(asked)) = at(spec, path!(VirtualMachineConfigSpec, "powerOpInfo")) {
        let slot = const { ty::VirtualMachineConfigInfo.slot("defaultPowerOps") };
        let now = config.get(slot).and_then(Value::as_object);
        next.set(slot, now.map_or_else(|| asked.clone(), |now| merged(now, asked)));
    }
    if let Some(Value::Object(asked)) = at(spec, path!(VirtualMachineConfigSpec, "files")) {
        // The configuration file stays where it is; the other folders can move.
        let slot = const { ty::VirtualMachineConfigInfo.slot("files") };
        if let Some(Value::Object(now)) = config.get(slot) {
            let place = const { ty::VirtualMachineFileInfo.slot("vmPathName") };
            let kept = now.get(place).cloned();
            next.set(slot, merged(now, asked).with(place, kept));
        }
    }
    for path in
        [path!(VirtualMachineConfigInfo, "uuid"), path!(VirtualMachineConfigInfo, "instanceUuid")]
    {
        let Some(slot) = path.slots().first().copied().map(usize::from) else { continue };
        let given =
            next.get(slot).and_then(Value::as_str).and_then(|it| uuid::Uuid::parse_str(it).ok());
        match given {
            Some(uuid) => next.set(slot, uuid.hyphenated().to_string()),
            None => next.set(slot, config.get(slot).cloned()),
        };
    }
}

fn take_guest(next: &mut ObjectBuilder, spec: &Object) {
    let guest = text(spec, path!(VirtualMachineConfigSpec, "guestId"));
    if !guest.is_empty() {
        next.set(const { ty::VirtualMachineConfigInfo.slot("guestId") }, guest);
        let name = guest_os::find(guest).map_or(guest, |known| known.full_name);
        next.set(const { ty::VirtualMachineConfigInfo.slot("guestFullName") }, name);
    }
    let other = text(spec, path!(VirtualMachineConfigSpec, "alternateGuestName"));
    if !other.is_empty() {
        next.set(const { ty::VirtualMachineConfigInfo.slot("guestFullName") }, other);
    }
}

fn hardware(
    tx: &mut Tx<'_>,
    machine: &Machine,
    config: &Object,
    spec: &Object,
) -> Result<Object, Fault> {
    let held = at(config, path!(VirtualMachineConfigInfo, "hardware")).and_then(Value::as_object);
    let held = held.cloned().unwrap_or_else(|| Object::empty(ty::VirtualHardware));
    let mut next = held.edit();
    for (field, target) in [
        ("virtualICH7MPresent", const { ty::VirtualHardware.slot("virtualICH7MPresent") }),
        ("virtualSMCPresent", const { ty::VirtualHardware.slot("virtualSMCPresent") }),
        ("motherboardLayout", const { ty::VirtualHardware.slot("motherboardLayout") }),
        ("simultaneousThreads", const { ty::VirtualHardware.slot("simultaneousThreads") }),
    ] {
        if let Some(value) = spec.field(field) {
            next.set(target, value);
        }
    }
    let asked = |path: &StaticPath| number(spec, path).filter(|number| *number > 0);
    if let Some(memory) = asked(path!(VirtualMachineConfigSpec, "memoryMB")) {
        next.set(const { ty::VirtualHardware.slot("memoryMB") }, memory);
    }
    let cpus_now = number(&held, path!(VirtualHardware, "numCPU")).unwrap_or(1);
    let cpus = asked(path!(VirtualMachineConfigSpec, "numCPUs")).unwrap_or(cpus_now);
    next.set(const { ty::VirtualHardware.slot("numCPU") }, cpus);
    let cores_now = number(&held, path!(VirtualHardware, "numCoresPerSocket")).unwrap_or(1).max(1);
    let cores = match asked(path!(VirtualMachineConfigSpec, "numCoresPerSocket")) {
        Some(cores) if cpus % cores != 0 => {
            return Err(Fault::invalid_argument("configSpec.numCoresPerSocket"));
        }
        Some(cores) => cores,
        None if cpus % cores_now != 0 => 1,
        None => cores_now,
    };
    next.set(const { ty::VirtualHardware.slot("numCoresPerSocket") }, cores);
    let changes =
        at(spec, path!(VirtualMachineConfigSpec, "deviceChange")).map_or(&[][..], Value::items);
    if !changes.is_empty() {
        let devices = at(&held, path!(VirtualHardware, "device")).map_or(&[][..], Value::items);
        let devices = devices::change(tx, machine, devices, changes)?;
        next.set(const { ty::VirtualHardware.slot("device") }, devices);
    }
    Ok(next.finish())
}

/// Levels of shares stand for a number of shares per processor and per megabyte.
fn set_shares(next: &mut ObjectBuilder, hardware: &Object) {
    let cpus = number(hardware, path!(VirtualHardware, "numCPU")).unwrap_or(1);
    let memory = number(hardware, path!(VirtualHardware, "memoryMB")).unwrap_or_default();
    for (slot, normal) in [
        (const { ty::VirtualMachineConfigInfo.slot("cpuAllocation") }, cpus * 1000),
        (const { ty::VirtualMachineConfigInfo.slot("memoryAllocation") }, memory * 10),
    ] {
        let Some(allocation) = next.get(slot).and_then(Value::as_object).cloned() else { continue };
        let level = text(&allocation, path!(ResourceAllocationInfo, "shares.level"));
        let shares = match level {
            "low" => normal / 2,
            "normal" => normal,
            "high" => normal * 2,
            _ => continue,
        };
        let shares = object!(SharesInfo { shares: shares, level: level });
        next.set(
            slot,
            allocation.with(const { ty::ResourceAllocationInfo.slot("shares") }, shares),
        );
    }
}

fn check_allocations(next: &ObjectBuilder) -> Result<(), Fault> {
    for (slot, name) in [
        (const { ty::VirtualMachineConfigInfo.slot("cpuAllocation") }, "cpuAllocation"),
        (const { ty::VirtualMachineConfigInfo.slot("memoryAllocation") }, "memoryAllocation"),
    ] {
        let Some(Value::Object(allocation)) = next.get(slot) else { continue };
        let limit = number(allocation, path!(ResourceAllocationInfo, "limit")).unwrap_or(-1);
        let reservation = number(allocation, path!(ResourceAllocationInfo, "reservation"));
        let reservation = reservation.unwrap_or_default();
        if limit < -1 {
            return Err(Fault::invalid_argument(&format!("configSpec.{name}.limit")));
        }
        if reservation < 0 || (limit >= 0 && reservation > limit) {
            return Err(Fault::invalid_argument(&format!("configSpec.{name}.reservation")));
        }
    }
    Ok(())
}

/// Options come one by one: a value replaces or adds one, an empty value removes it.
fn take_options(next: &mut ObjectBuilder, config: &Object, spec: &Object) {
    let asked =
        at(spec, path!(VirtualMachineConfigSpec, "extraConfig")).map_or(&[][..], Value::items);
    if asked.is_empty() {
        return;
    }
    let slot = const { ty::VirtualMachineConfigInfo.slot("extraConfig") };
    let mut options = config.get(slot).map(|held| held.items().to_vec()).unwrap_or_default();
    for option in asked.iter().filter_map(Value::as_object) {
        let key = text(option, path!(OptionValue, "key"));
        let value = at(option, path!(OptionValue, "value"));
        let is_key = |held: &Value| {
            held.as_object().is_some_and(|held| text(held, path!(OptionValue, "key")) == key)
        };
        if key.is_empty() {
            continue;
        }
        if value.is_none_or(|value| value.as_str() == Some("")) {
            options.retain(|held| !is_key(held));
            continue;
        }
        let stored = Value::Object(object!(OptionValue { key: key, value: value }));
        match options.iter_mut().find(|held| is_key(held)) {
            Some(held) => *held = stored,
            None => options.push(stored),
        }
    }
    next.set(slot, Array::new(ty::OptionValue, options));
}

/// An empty extension key gives a managed machine back to people.
fn take_managed_by(next: &mut ObjectBuilder, spec: &Object) {
    let Some(Value::Object(asked)) = at(spec, path!(VirtualMachineConfigSpec, "managedBy")) else {
        return;
    };
    let free = text(asked, path!(ManagedByInfo, "extensionKey")).is_empty();
    let slot = const { ty::VirtualMachineConfigInfo.slot("managedBy") };
    next.set(slot, (!free).then(|| asked.clone()));
}
