//! `VirtualApp`: machines that are switched on and off together.
//!
//! A machine in a vApp stands in the vApp's folder as well. Whether a vApp is
//! started is what its own operations say: switching its machines one by one
//! does not change it.

mod config;
mod copy;
mod lifecycle;
mod power;

use super::dispatch::{Entry, Handler};
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::VirtualApp, method::PowerOnVApp_Task, Handler::Task(power::power_on)),
    (ty::VirtualApp, method::PowerOffVApp_Task, Handler::Task(power::power_off)),
    (ty::VirtualApp, method::SuspendVApp_Task, Handler::Task(power::suspend)),
    (ty::VirtualApp, method::unregisterVApp_Task, Handler::Task(lifecycle::unregister)),
    (ty::VirtualApp, method::UpdateVAppConfig, Handler::Now(config::update)),
    (ty::VirtualApp, method::CloneVApp_Task, Handler::Task(copy::clone)),
    (ty::ResourcePool, method::CreateVApp, Handler::Now(lifecycle::create)),
    (ty::ResourcePool, method::CreateChildVM_Task, Handler::Task(lifecycle::create_machine)),
];

/// The machines in a vApp and in all pools and vApps below it.
fn machines(state: &(impl Read + ?Sized), app: &MoRef) -> Vec<MoRef> {
    let mut machines = state.morefs(app, path!(ResourcePool, "vm"));
    for pool in state.morefs(app, path!(ResourcePool, "resourcePool")) {
        machines.extend(self::machines(state, &pool));
    }
    machines
}

/// The vApps below a vApp, itself first.
fn apps(state: &(impl Read + ?Sized), app: &MoRef) -> Vec<MoRef> {
    let mut found = vec![app.clone()];
    for pool in state.morefs(app, path!(ResourcePool, "resourcePool")) {
        let below = apps(state, &pool);
        found.extend(below.into_iter().filter(|mo| mo.ty().is_a(ty::VirtualApp)));
    }
    found
}

/// The folder that a vApp stands in; a nested one stands in that of the vApp
/// around it.
fn folder(state: &(impl Read + ?Sized), app: &MoRef) -> Result<MoRef, Fault> {
    let up = |app: &MoRef| state.moref(app, path!(ResourcePool, "parent")).cloned();
    let mut around = std::iter::successors(Some(app.clone()), up);
    let found =
        around.find_map(|app| state.moref(&app, path!(VirtualApp, "parentFolder")).cloned());
    found.ok_or_else(|| Fault::not_found(app))
}

/// What a vApp says of one of its members: of a machine or of a nested vApp.
fn entity_config(state: &(impl Read + ?Sized), app: &MoRef, member: &MoRef) -> Option<Object> {
    let list = state.at(app, path!(VirtualApp, "vAppConfig.entityConfig"))?;
    let is_it = |entry: &&Object| {
        let key = entry.at(path!(VAppEntityConfigInfo, "key")).and_then(Value::as_moref);
        key == Some(member)
    };
    list.items().iter().filter_map(Value::as_object).find(is_it).cloned()
}

/// Shows in which state a vApp is.
fn set_state(
    tx: &mut Tx<'_>,
    app: &MoRef,
    state: &'static str,
    suspended: bool,
) -> Result<(), Fault> {
    let summary = tx.at(app, path!(ResourcePool, "summary")).and_then(Value::as_object);
    let Some(summary) = summary.filter(|it| it.ty().is_a(ty::VirtualAppSummary)) else {
        return Err(Fault::not_found(app));
    };
    let mut next = summary.edit();
    next.set(const { ty::VirtualAppSummary.slot("vAppState") }, state);
    next.set(const { ty::VirtualAppSummary.slot("suspended") }, suspended);
    tx.set(app, path!(ResourcePool, "summary"), next.finish())
}
