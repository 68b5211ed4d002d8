//! The class `host`.

use super::class::{Class, Field};
use super::message::{Message, Role};
use super::own::{self, other_config_messages};
use super::value::{Type, Value};
use super::view::View;
use crate::inventory::Read;
use crate::path;
use crate::schema::ty;
use crate::value::{self, MoRef, Str};

const TEXTS: Type = Type::Set(&Type::String);
const MAP: Type = Type::Map(&Type::String, &Type::String);

/// The version of the API that is announced: that of XenServer 8.
const API_VERSION: (i64, i64) = (2, 21);

/// What a host of that release says of its software. Clients look for `xapi`.
const SOFTWARE: &[(&str, &str)] = &[
    ("product_brand", "XenServer"),
    ("product_version", "8.4.0"),
    ("product_version_text", "8"),
    ("product_version_text_short", "8"),
    ("platform_name", "XCP"),
    ("platform_version", "3.4.0"),
    ("build_number", "vimsim"),
    ("xapi", "24.19"),
    ("xapi_build", "24.19.2"),
    ("xen", "4.17.4"),
    ("linux", "4.19.0+1"),
    ("date", "2024-06-24"),
    ("db_schema", "5.779"),
];

static MESSAGES: &[Message] = &other_config_messages!("host", Role::PoolOperator);

fn empty_map(_: &View<'_>, _: &MoRef) -> Value {
    Value::Map(Vec::new())
}

fn empty_set(_: &View<'_>, _: &MoRef) -> Value {
    Value::Set(Vec::new())
}

fn name(view: &View<'_>, mo: &MoRef) -> Value {
    Value::text(view.state().text(mo, path!(HostSystem, "name")))
}

pub(super) static CLASS: Class = Class {
    name: "host",
    fields: &[
        Field::new("uuid", Type::String, |view, mo| Value::String(uuid(view, mo))),
        Field::new("name_label", Type::String, name),
        Field::new("name_description", Type::String, |view, mo| {
            let product = path!(HostSystem, "summary.config.product.fullName");
            Value::text(view.state().text(mo, product))
        }),
        Field::new("hostname", Type::String, name),
        Field::new("address", Type::String, name),
        Field::new("enabled", Type::Bool, |view, mo| Value::Bool(is_enabled(view, mo))),
        Field::new("API_version_major", Type::Int, |_, _| Value::Int(API_VERSION.0)),
        Field::new("API_version_minor", Type::Int, |_, _| Value::Int(API_VERSION.1)),
        Field::new("API_version_vendor", Type::String, |_, _| Value::text("XenSource")),
        Field::new("API_version_vendor_implementation", MAP, empty_map),
        Field::new("software_version", MAP, |_, _| Value::text_map(SOFTWARE.iter().copied())),
        Field::new("resident_VMs", Type::Set(&Type::Ref("VM")), residents),
        Field::new("metrics", Type::Ref("host_metrics"), |_, _| Value::null()),
        Field::new("other_config", MAP, own::other_config),
        Field::new("allowed_operations", TEXTS, empty_set),
        Field::new("current_operations", MAP, empty_map),
        Field::new("memory_overhead", Type::Int, |_, _| Value::Int(0)),
        Field::new("capabilities", TEXTS, empty_set),
        Field::new("cpu_configuration", MAP, empty_map),
        Field::new("logging", MAP, empty_map),
        Field::new("license_params", MAP, empty_map),
        Field::new("PIFs", Type::Set(&Type::Ref("PIF")), empty_set),
        Field::new("PBDs", Type::Set(&Type::Ref("PBD")), empty_set),
        Field::new("host_CPUs", Type::Set(&Type::Ref("host_cpu")), empty_set),
        Field::new("patches", Type::Set(&Type::Ref("host_patch")), empty_set),
        Field::new("suspend_image_sr", Type::Ref("SR"), |_, _| Value::null()),
        Field::new("crash_dump_sr", Type::Ref("SR"), |_, _| Value::null()),
        Field::new("tags", TEXTS, empty_set).since("orlando"),
        Field::new("blobs", MAP, empty_map).since("orlando"),
        Field::new("cpu_info", MAP, cpu_info).since("midnight_ride"),
        Field::new("edition", Type::String, |_, _| Value::text("")).since("midnight_ride"),
    ],
    messages: MESSAGES,
    objects,
    exists: |view, mo| view.exists(mo),
    by_uuid: |view, wanted| {
        objects(view).into_iter().find(|mo| uuid(view, mo).eq_ignore_ascii_case(wanted))
    },
    listed: true,
    own_getters: &[],
};

fn objects(view: &View<'_>) -> Vec<MoRef> {
    view.objects_of(ty::HostSystem)
}

fn uuid(view: &View<'_>, mo: &MoRef) -> Str {
    let given = view.state().text(mo, path!(HostSystem, "summary.hardware.uuid"));
    if given.is_empty() { view.server().refs().uuid(mo.id()) } else { Str::from(given) }
}

fn is_enabled(view: &View<'_>, mo: &MoRef) -> bool {
    let state = view.state();
    let maintenance = state.at(mo, path!(HostSystem, "runtime.inMaintenanceMode"));
    let connected = state.text(mo, path!(HostSystem, "runtime.connectionState")) == "connected";
    connected && !maintenance.and_then(value::Value::as_bool).unwrap_or_default()
}

/// The machines that are in a host's memory.
fn residents(view: &View<'_>, mo: &MoRef) -> Value {
    let mut all = view.state().morefs(mo, path!(HostSystem, "vm"));
    all.retain(|vm| super::vm::resident_on(view, vm).as_ref() == Some(mo));
    Value::Set(all.iter().map(|vm| Value::String(view.reference(vm))).collect())
}

fn cpu_info(view: &View<'_>, mo: &MoRef) -> Value {
    let state = view.state();
    let number = |path| {
        let number = state.at(mo, path).and_then(value::Value::as_i64);
        number.unwrap_or_default().to_string()
    };
    let model = state.text(mo, path!(HostSystem, "summary.hardware.cpuModel"));
    Value::text_map([
        ("cpu_count", number(path!(HostSystem, "summary.hardware.numCpuThreads"))),
        ("socket_count", number(path!(HostSystem, "summary.hardware.numCpuPkgs"))),
        ("speed", number(path!(HostSystem, "summary.hardware.cpuMhz"))),
        ("modelname", model.to_owned()),
    ])
}
