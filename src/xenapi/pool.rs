//! The class `pool`: the simulated server as a whole.

use super::class::{Class, Field};
use super::message::{Message, Role};
use super::own::{self, other_config_messages};
use super::value::{Type, Value};
use super::view::View;
use crate::inventory::Read;
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Str};

const MAP: Type = Type::Map(&Type::String, &Type::String);
const NO_OPERATIONS: Type = Type::Map(&Type::String, &Type::String);

static MESSAGES: &[Message] = &other_config_messages!("pool", Role::PoolOperator);

fn empty_map(_: &View<'_>, _: &MoRef) -> Value {
    Value::Map(Vec::new())
}

fn empty_set(_: &View<'_>, _: &MoRef) -> Value {
    Value::Set(Vec::new())
}

fn null(_: &View<'_>, _: &MoRef) -> Value {
    Value::null()
}

fn no(_: &View<'_>, _: &MoRef) -> Value {
    Value::Bool(false)
}

pub(super) static CLASS: Class = Class {
    name: "pool",
    fields: &[
        Field::new("uuid", Type::String, |view, mo| Value::String(uuid(view, mo))),
        Field::new("name_label", Type::String, |view, mo| {
            Value::text(view.state().text(mo, path!(ServiceInstance, "content.about.name")))
        }),
        Field::new("name_description", Type::String, |view, mo| {
            Value::text(view.state().text(mo, path!(ServiceInstance, "content.about.fullName")))
        }),
        Field::new("master", Type::Ref("host"), |view, _| {
            Value::String(view.reference_or_null(view.master().as_ref()))
        }),
        Field::new("default_SR", Type::Ref("SR"), null),
        Field::new("suspend_image_SR", Type::Ref("SR"), null),
        Field::new("crash_dump_SR", Type::Ref("SR"), null),
        Field::new("other_config", MAP, own::other_config),
        Field::new("ha_enabled", Type::Bool, no).since("orlando"),
        Field::new("ha_configuration", MAP, empty_map).since("orlando"),
        Field::new("ha_statefiles", Type::Set(&Type::String), empty_set).since("orlando"),
        Field::new("gui_config", MAP, empty_map).since("orlando"),
        Field::new("tags", Type::Set(&Type::String), empty_set).since("orlando"),
        Field::new("blobs", MAP, empty_map).since("orlando"),
        Field::new("restrictions", MAP, empty_map).since("boston"),
        Field::new("allowed_operations", Type::Set(&Type::String), empty_set).since("tampa"),
        Field::new("current_operations", NO_OPERATIONS, empty_map).since("tampa"),
        Field::new("cpu_info", MAP, empty_map).since("ely"),
    ],
    messages: MESSAGES,
    objects,
    exists: |view, mo| mo.ty() == ty::ServiceInstance && view.exists(mo),
    by_uuid: |view, wanted| {
        objects(view).into_iter().find(|mo| uuid(view, mo).eq_ignore_ascii_case(wanted))
    },
    listed: true,
    own_getters: &[],
};

fn objects(view: &View<'_>) -> Vec<MoRef> {
    view.objects_of(ty::ServiceInstance)
}

/// That of the simulated vCenter; a host by itself has none.
fn uuid(view: &View<'_>, mo: &MoRef) -> Str {
    let given = view.state().text(mo, path!(ServiceInstance, "content.about.instanceUuid"));
    if given.is_empty() { view.server().refs().uuid("pool") } else { Str::from(given) }
}
