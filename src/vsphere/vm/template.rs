//! Machines that become templates, and templates that become machines.

use super::create::check_place;
use super::state::{self, OFF};
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{MoRef, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::service::Service;
use crate::vsphere::{model, placement};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::VirtualMachine, method::MarkAsTemplate, Handler::Now(mark_as_template)),
    (ty::VirtualMachine, method::MarkAsVirtualMachine, Handler::Now(mark_as_machine)),
];

fn mark_as_template(service: &Service, call: &Call) -> Answer {
    let vm = &call.this;
    service.commit(call, |tx| {
        state::refuse_busy(tx, vm)?;
        if state::is_template(tx, vm) {
            return Err(Fault::invalid_state());
        }
        state::require_power(tx, vm, OFF)?;
        mark(tx, vm, None)?;
        say(tx, vm, "com.vmware.vc.vm.VmConvertedToTemplateEvent", "became a template");
        Ok(())
    })?;
    Ok(None)
}

fn mark_as_machine(service: &Service, call: &Call) -> Answer {
    let vm = &call.this;
    let pool = call.moref(arg!(MarkAsVirtualMachine.pool));
    let pool = pool.ok_or_else(|| Fault::invalid_argument("pool"))?;
    let host = call.moref(arg!(MarkAsVirtualMachine.host));
    service.commit(call, |tx| {
        state::refuse_busy(tx, vm)?;
        check_place(tx, vm, pool, host, "host")?;
        if !state::is_template(tx, vm) {
            return Err(Fault::invalid_state());
        }
        let hosts = match host {
            Some(host) => vec![host.clone()],
            None => placement::hosts(tx, &placement::owner(tx, pool)?),
        };
        let now = state::host(tx, vm)?;
        if !hosts.contains(&now) {
            let datastores = tx.morefs(vm, path!(VirtualMachine, "datastore"));
            let host = placement::choose(tx, &hosts, &datastores, &[])?;
            tx.set(vm, path!(VirtualMachine, "runtime.host"), host)?;
        }
        mark(tx, vm, Some(pool))?;
        say(tx, vm, "com.vmware.vc.vm.TemplateConvertedToVmEvent", "became a virtual machine");
        Ok(())
    })?;
    Ok(None)
}

/// Says what has become of a machine, which the schema has no event types for.
fn say(tx: &mut Tx<'_>, vm: &MoRef, id: &str, what: &str) {
    let message = format!("{} {what}", tx.text(vm, path!(VirtualMachine, "name")));
    events::post_extended(tx, vm, (id, "info"), &message, &[]);
}

/// A machine has a pool, a template has none.
fn mark(tx: &mut Tx<'_>, vm: &MoRef, pool: Option<&MoRef>) -> Result<(), Fault> {
    let app = pool.filter(|pool| pool.ty().is_a(ty::VirtualApp)).cloned();
    let now = tx.now();
    model::vm::change(tx, vm, now, |machine| {
        let slot = const { ty::VirtualMachine.slot("config") };
        if let Some(config) = machine.get(slot).and_then(Value::as_object) {
            let template = const { ty::VirtualMachineConfigInfo.slot("template") };
            let config = config.with(template, pool.is_none());
            machine.set(slot, config);
        }
        machine.set(const { ty::VirtualMachine.slot("resourcePool") }, pool.cloned());
        machine.set(const { ty::VirtualMachine.slot("parentVApp") }, app);
        Ok(())
    })
}
