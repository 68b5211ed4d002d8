//! What operations ask about a machine, and the faults when the answer is no.

use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::value::{EnumValue, MoRef, Object, Value};
use crate::{enum_value, object, path};

/// The machine runs.
pub(crate) const ON: EnumValue = enum_value!(VirtualMachinePowerState::poweredOn);
/// The machine does not run and has nothing in memory.
pub(crate) const OFF: EnumValue = enum_value!(VirtualMachinePowerState::poweredOff);
/// The machine's memory is in a file.
pub(crate) const SUSPENDED: EnumValue = enum_value!(VirtualMachinePowerState::suspended);

/// The power state of a machine.
pub(crate) fn power(state: &(impl Read + ?Sized), vm: &MoRef) -> EnumValue {
    match state.at(vm, path!(VirtualMachine, "runtime.powerState")) {
        Some(Value::Enum(power)) => *power,
        _ => OFF,
    }
}

/// Whether the machine is a template.
pub(crate) fn is_template(state: &(impl Read + ?Sized), vm: &MoRef) -> bool {
    let flag = state.at(vm, path!(VirtualMachine, "config.template"));
    flag.and_then(Value::as_bool).unwrap_or_default()
}

/// The machine's host.
pub(crate) fn host(state: &(impl Read + ?Sized), vm: &MoRef) -> Result<MoRef, Fault> {
    let host = state.moref(vm, path!(VirtualMachine, "runtime.host"));
    host.cloned()
        .ok_or_else(|| if state.exists(vm) { Fault::invalid_state() } else { Fault::not_found(vm) })
}

/// The machine's configuration.
pub(crate) fn config(state: &(impl Read + ?Sized), vm: &MoRef) -> Result<Object, Fault> {
    let config = state.at(vm, path!(VirtualMachine, "config")).and_then(Value::as_object);
    config
        .cloned()
        .ok_or_else(|| if state.exists(vm) { Fault::invalid_state() } else { Fault::not_found(vm) })
}

/// Fails unless the machine is in the power state that an operation needs.
pub(crate) fn require_power(
    state: &(impl Read + ?Sized),
    vm: &MoRef,
    needed: EnumValue,
) -> Result<(), Fault> {
    if !state.exists(vm) {
        return Err(Fault::not_found(vm));
    }
    match power(state, vm) {
        existing if existing == needed => Ok(()),
        existing => Err(Fault::invalid_power_state(Some(needed), existing)),
    }
}

/// Fails if the machine runs: it has to be off or suspended.
pub(crate) fn refuse_running(state: &(impl Read + ?Sized), vm: &MoRef) -> Result<(), Fault> {
    if power(state, vm) == ON { Err(Fault::invalid_power_state(Some(OFF), ON)) } else { Ok(()) }
}

/// Fails while a task holds the machine: for operations that happen at once.
pub(crate) fn refuse_busy(tx: &Tx<'_>, vm: &MoRef) -> Result<(), Fault> {
    match tx.holder(vm) {
        Some(task) => Err(Fault::task_in_progress(&task.moref())),
        None => Ok(()),
    }
}

/// The host cannot do what is asked of it now.
pub(crate) fn invalid_host_state(host: &MoRef) -> Fault {
    Fault::new(
        object!(InvalidHostState { host: host }),
        "The operation is not allowed in the current state of the host.",
    )
}
