//! The fields of `VM`.

use super::current;
use super::operations::MESSAGES;
use crate::inventory::Read;
use crate::path;
use crate::schema::{StaticPath, ty};
use crate::value::{self, MoRef, Str};
use crate::xenapi::class::{Class, Field};
use crate::xenapi::own;
use crate::xenapi::power::PowerState;
use crate::xenapi::value::{Type, Value};
use crate::xenapi::view::View;

const TEXTS: Type = Type::Set(&Type::String);
const MAP: Type = Type::Map(&Type::String, &Type::String);

fn empty_map(_: &View<'_>, _: &MoRef) -> Value {
    Value::Map(Vec::new())
}

fn empty_set(_: &View<'_>, _: &MoRef) -> Value {
    Value::Set(Vec::new())
}

fn empty_text(_: &View<'_>, _: &MoRef) -> Value {
    Value::text("")
}

fn null(_: &View<'_>, _: &MoRef) -> Value {
    Value::null()
}

fn no(_: &View<'_>, _: &MoRef) -> Value {
    Value::Bool(false)
}

pub(in crate::xenapi) static CLASS: Class = Class {
    name: "VM",
    fields: &[
        Field::new("uuid", Type::String, |view, mo| Value::String(uuid(view, mo))),
        Field::new("allowed_operations", TEXTS, |view, mo| {
            Value::texts(current::allowed(view, mo).iter().map(|operation| operation.name))
        }),
        Field::new("current_operations", MAP, |view, mo| Value::text_map(current::of(view, mo))),
        Field::new("name_label", Type::String, |view, mo| {
            Value::text(view.state().text(mo, path!(VirtualMachine, "name")))
        }),
        Field::new("name_description", Type::String, |view, mo| {
            Value::text(view.state().text(mo, path!(VirtualMachine, "config.annotation")))
        }),
        Field::new("power_state", Type::Enum(PowerState::NAMES), |view, mo| {
            Value::text(PowerState::of(view.state(), mo).name())
        }),
        Field::new("user_version", Type::Int, |_, _| Value::Int(1)),
        Field::new("is_a_template", Type::Bool, |view, mo| Value::Bool(is_template(view, mo))),
        Field::new("is_default_template", Type::Bool, no).since("falcon"),
        Field::new("suspend_VDI", Type::Ref("VDI"), null),
        Field::new("resident_on", Type::Ref("host"), |view, mo| {
            Value::String(view.reference_or_null(resident_on(view, mo).as_ref()))
        }),
        Field::new("affinity", Type::Ref("host"), null),
        Field::new("memory_overhead", Type::Int, |_, _| Value::Int(0)),
        Field::new("memory_target", Type::Int, memory),
        Field::new("memory_static_max", Type::Int, memory),
        Field::new("memory_dynamic_max", Type::Int, memory),
        Field::new("memory_dynamic_min", Type::Int, memory),
        Field::new("memory_static_min", Type::Int, |_, _| Value::Int(0)),
        Field::new("VCPUs_params", MAP, empty_map),
        Field::new("VCPUs_max", Type::Int, processors),
        Field::new("VCPUs_at_startup", Type::Int, processors),
        Field::new("actions_after_shutdown", Type::String, |_, _| Value::text("destroy")),
        Field::new("actions_after_reboot", Type::String, |_, _| Value::text("restart")),
        Field::new("actions_after_crash", Type::String, |_, _| Value::text("restart")),
        Field::new("consoles", Type::Set(&Type::Ref("console")), empty_set),
        Field::new("VIFs", Type::Set(&Type::Ref("VIF")), empty_set),
        Field::new("VBDs", Type::Set(&Type::Ref("VBD")), empty_set),
        Field::new("VTPMs", Type::Set(&Type::Ref("VTPM")), empty_set),
        Field::new("PV_bootloader", Type::String, empty_text),
        Field::new("PV_kernel", Type::String, empty_text),
        Field::new("PV_ramdisk", Type::String, empty_text),
        Field::new("PV_args", Type::String, empty_text),
        Field::new("PV_bootloader_args", Type::String, empty_text),
        Field::new("HVM_boot_policy", Type::String, |_, _| Value::text("BIOS order")),
        Field::new("HVM_boot_params", MAP, empty_map),
        Field::new("platform", MAP, empty_map),
        Field::new("other_config", MAP, own::other_config),
        Field::new("domid", Type::Int, |_, _| Value::Int(-1)),
        Field::new("domarch", Type::String, empty_text),
        Field::new("is_control_domain", Type::Bool, no),
        Field::new("metrics", Type::Ref("VM_metrics"), null),
        Field::new("guest_metrics", Type::Ref("VM_guest_metrics"), null),
        Field::new("recommendations", Type::String, empty_text),
        Field::new("xenstore_data", MAP, empty_map).since("miami"),
        Field::new("is_a_snapshot", Type::Bool, no).since("orlando"),
        Field::new("snapshot_of", Type::Ref("VM"), null).since("orlando"),
        Field::new("snapshots", Type::Set(&Type::Ref("VM")), empty_set).since("orlando"),
        Field::new("snapshot_time", Type::Time, |_, _| Value::Time(value::DateTime::EPOCH))
            .since("orlando"),
        Field::new("blobs", MAP, empty_map).since("orlando"),
        Field::new("tags", TEXTS, empty_set).since("orlando"),
        Field::new("blocked_operations", MAP, empty_map).since("orlando"),
        Field::new("parent", Type::Ref("VM"), null).since("midnight_ride"),
        Field::new("children", Type::Set(&Type::Ref("VM")), empty_set).since("midnight_ride"),
        Field::new("domain_type", Type::String, |_, _| Value::text("hvm")).since("jura"),
    ],
    messages: &MESSAGES,
    objects,
    exists: |view, mo| view.exists(mo),
    by_uuid: |view, wanted| {
        objects(view).into_iter().find(|mo| uuid(view, mo).eq_ignore_ascii_case(wanted))
    },
    listed: true,
    own_getters: &[],
};

fn objects(view: &View<'_>) -> Vec<MoRef> {
    view.objects_of(ty::VirtualMachine)
}

/// What vCenter guarantees to be unique, else what the guest sees.
fn uuid(view: &View<'_>, mo: &MoRef) -> Str {
    let text = |path: &StaticPath| view.state().text(mo, path);
    let own = text(path!(VirtualMachine, "config.instanceUuid"));
    let bios = text(path!(VirtualMachine, "config.uuid"));
    match (own, bios) {
        ("", "") => view.server().refs().uuid(mo.id()),
        ("", bios) => Str::from(bios),
        (own, _) => Str::from(own),
    }
}

pub(super) fn is_template(view: &View<'_>, mo: &MoRef) -> bool {
    let flag = view.state().at(mo, path!(VirtualMachine, "config.template"));
    flag.and_then(value::Value::as_bool).unwrap_or_default()
}

/// The host in whose memory a machine is.
pub fn resident_on(view: &View<'_>, mo: &MoRef) -> Option<MoRef> {
    match PowerState::of(view.state(), mo) {
        PowerState::Running | PowerState::Paused => {
            view.state().moref(mo, path!(VirtualMachine, "runtime.host")).cloned()
        }
        PowerState::Halted | PowerState::Suspended => None,
    }
}

fn number(view: &View<'_>, mo: &MoRef, path: &StaticPath) -> i64 {
    view.state().at(mo, path).and_then(value::Value::as_i64).unwrap_or_default()
}

/// In bytes.
fn memory(view: &View<'_>, mo: &MoRef) -> Value {
    let megabytes = number(view, mo, path!(VirtualMachine, "config.hardware.memoryMB"));
    Value::Int(megabytes.saturating_mul(1 << 20))
}

fn processors(view: &View<'_>, mo: &MoRef) -> Value {
    Value::Int(number(view, mo, path!(VirtualMachine, "config.hardware.numCPU")))
}
