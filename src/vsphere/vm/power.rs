//! Switching machines on and off.
//!
//! ```text
//!               PowerOn            PowerOff, ShutdownGuest
//!   poweredOff ─────────► poweredOn ─────────► poweredOff
//!                         │  ▲  ╰─ Reset, RebootGuest
//!    Suspend, StandbyGuest│  │PowerOn
//!                         ▼  │
//!                       suspended
//! ```

use super::state::{self, OFF, ON, SUSPENDED};
use crate::engine::{Job, TaskContext, TaskSpec, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::task;
use crate::value::{EnumValue, MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::{model, placement};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::VirtualMachine, method::PowerOnVM_Task, Handler::Task(power_on)),
    (ty::VirtualMachine, method::PowerOffVM_Task, Handler::Task(power_off)),
    (ty::VirtualMachine, method::ResetVM_Task, Handler::Task(reset)),
    (ty::VirtualMachine, method::SuspendVM_Task, Handler::Task(suspend)),
    (ty::VirtualMachine, method::ShutdownGuest, Handler::Now(shut_down_guest)),
    (ty::VirtualMachine, method::RebootGuest, Handler::Now(reboot_guest)),
    (ty::VirtualMachine, method::StandbyGuest, Handler::Now(put_guest_on_standby)),
];

fn power_on(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let host = call.moref(arg!(PowerOnVM_Task.host)).cloned();
    if let Some(host) = host.as_ref().filter(|host| !service.engine().snapshot().exists(host)) {
        return Err(Fault::not_found(host));
    }
    Ok(Operation::new(PowerOn { vm: call.this.clone(), host }))
}

fn power_off(_: &Service, call: &Call) -> Result<Operation, Fault> {
    Ok(Operation::new(Leave::off(call.this.clone())))
}

fn reset(_: &Service, call: &Call) -> Result<Operation, Fault> {
    Ok(Operation::new(Leave { vm: call.this.clone(), to: ON, shown: ON, by_guest: false }))
}

fn suspend(_: &Service, call: &Call) -> Result<Operation, Fault> {
    Ok(Operation::new(Leave::suspend(call.this.clone())))
}

/// What vCenter calls the start of a machine that another operation asks for.
const START: &str = "Datacenter.ExecuteVmPowerOnLRO";

/// The task of a start that `call` brings with it: of one of several machines,
/// of a member of a vApp, of a clone. It is no call of anybody, so it has no
/// name.
pub(in crate::vsphere) fn start(service: &Service, call: &Call) -> TaskSpec {
    let mut spec = service.task_spec(call, ty::VirtualMachine, method::PowerOnVM_Task);
    spec.operation = task::Operation::Internal(START.into());
    spec.description_id = START.into();
    spec
}

/// Starts a machine, on its host or on another of the same compute resource.
#[derive(Clone, Debug)]
pub(in crate::vsphere) struct PowerOn {
    /// The machine.
    pub(in crate::vsphere) vm: MoRef,
    /// The host that the client wants.
    pub(in crate::vsphere) host: Option<MoRef>,
}

impl PowerOn {
    /// Where the machine can start: on the host that is asked for, else where
    /// it is, else where the cluster finds a place.
    fn place(&self, tx: &Tx<'_>) -> Result<MoRef, Fault> {
        let now = state::host(tx, &self.vm)?;
        let datastores = tx.morefs(&self.vm, path!(VirtualMachine, "datastore"));
        let networks = tx.morefs(&self.vm, path!(VirtualMachine, "network"));
        let compute = placement::compute_of(tx, &now);
        if let Some(host) = self.host.as_ref().filter(|host| **host != now) {
            if placement::compute_of(tx, host) != compute {
                return Err(Fault::invalid_argument("host"));
            }
            let host = std::slice::from_ref(host);
            return placement::choose(tx, host, &datastores, &networks);
        }
        match (placement::check_able(tx, &now), compute) {
            (Ok(()), _) => Ok(now),
            (Err(_), Some(compute)) if placement::drs(tx, &compute).is_some() => {
                placement::choose(tx, &placement::hosts(tx, &compute), &datastores, &networks)
            }
            (Err(fault), _) => Err(fault),
        }
    }
}

impl PowerOn {
    /// A machine has no more processors than its host has threads.
    fn check_processors(&self, tx: &Tx<'_>, host: &MoRef) -> Result<(), Fault> {
        let wanted = tx.at(&self.vm, path!(VirtualMachine, "config.hardware.numCPU"));
        let there = tx.at(host, path!(HostSystem, "summary.hardware.numCpuThreads"));
        let (wanted, there) = (wanted.and_then(Value::as_i64), there.and_then(Value::as_i64));
        match (wanted, there) {
            (Some(wanted), Some(there)) if wanted > there => Err(Fault::new(
                object!(NotEnoughLogicalCpus { numCpuDest: there, numCpuVm: wanted, host: host }),
                format!("The virtual machine needs {wanted} processors, the host has {there}."),
            )),
            _ => Ok(()),
        }
    }
}

/// Whether the machine can be started at all; where is another question.
pub(in crate::vsphere) fn check_can_start(tx: &Tx<'_>, vm: &MoRef) -> Result<(), Fault> {
    if !tx.exists(vm) {
        return Err(Fault::not_found(vm));
    }
    if state::is_template(tx, vm) {
        return Err(Fault::not_supported());
    }
    match state::power(tx, vm) {
        ON => Err(Fault::invalid_power_state(Some(ON), ON)),
        _ => Ok(()),
    }
}

impl Job for PowerOn {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        check_can_start(tx, &self.vm)?;
        let host = self.place(tx)?;
        self.check_processors(tx, &host)?;
        let event = match state::power(tx, &self.vm) {
            SUSPENDED => object!(VmResumingEvent {}),
            _ => object!(VmStartingEvent {}),
        };
        events::post(tx, &self.vm, event);
        Ok(())
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        check_can_start(tx, &self.vm)?;
        let (host, now) = (self.place(tx)?, tx.now());
        let moved = state::host(tx, &self.vm)? != host;
        model::vm::set_power(tx, &self.vm, ON, Some(&host), now)?;
        let by_drs = moved && self.host.is_none();
        let on =
            if by_drs { object!(DrsVmPoweredOnEvent {}) } else { object!(VmPoweredOnEvent {}) };
        events::post(tx, &self.vm, on);
        super::customize::started(tx, &self.vm)?;
        Ok(None)
    }

    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        let reason = fault.localized();
        events::post(tx, &self.vm, object!(VmFailedToPowerOnEvent { reason: reason }));
    }
}

/// Takes a machine that runs to another state, or to the same by a restart.
#[derive(Clone, Debug)]
pub(in crate::vsphere) struct Leave {
    vm: MoRef,
    to: EnumValue,
    /// The state that a fault names as requested: for power operations where
    /// they lead, for others what they need.
    shown: EnumValue,
    /// Whether the guest is asked, if it listens.
    by_guest: bool,
}

impl Leave {
    /// Switches a machine off.
    pub(in crate::vsphere) fn off(vm: MoRef) -> Self {
        Self { vm, to: OFF, shown: OFF, by_guest: false }
    }

    /// Has the guest of a machine go down; without tools it is switched off.
    pub(in crate::vsphere) fn shut_down(vm: MoRef) -> Self {
        Self { by_guest: true, ..Self::off(vm) }
    }

    /// Suspends a machine.
    pub(in crate::vsphere) fn suspend(vm: MoRef) -> Self {
        Self { vm, to: SUSPENDED, shown: ON, by_guest: false }
    }

    fn check(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        if !tx.exists(&self.vm) {
            return Err(Fault::not_found(&self.vm));
        }
        match state::power(tx, &self.vm) {
            ON => Ok(()),
            existing => Err(Fault::invalid_power_state(Some(self.shown), existing)),
        }
    }
}

impl Job for Leave {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.check(tx)?;
        let event = match self.to {
            OFF if self.by_guest && has_tools(tx, &self.vm) => object!(VmGuestShutdownEvent {}),
            OFF => object!(VmStoppingEvent {}),
            SUSPENDED => object!(VmSuspendingEvent {}),
            _ => object!(VmResettingEvent {}),
        };
        events::post(tx, &self.vm, event);
        Ok(())
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        self.check(tx)?;
        leave(tx, &self.vm, self.to)?;
        Ok(None)
    }

    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        let reason = fault.localized();
        let event = match self.to {
            OFF => object!(VmFailedToPowerOffEvent { reason: reason }),
            SUSPENDED => object!(VmFailedToSuspendEvent { reason: reason }),
            _ => object!(VmFailedToResetEvent { reason: reason }),
        };
        events::post(tx, &self.vm, event);
    }
}

/// Switches off a machine that runs, or throws away the memory of one that is
/// suspended.
pub(in crate::vsphere) fn switch_off(call: &Call) -> Operation {
    Operation::new(SwitchOff(Leave::off(call.this.clone())))
}

#[derive(Clone, Debug)]
struct SwitchOff(Leave);

impl Job for SwitchOff {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        if state::power(tx, &self.0.vm) != SUSPENDED {
            return self.0.begin(tx, task);
        }
        events::post(tx, &self.0.vm, object!(VmStoppingEvent {}));
        Ok(())
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        if state::power(tx, &self.0.vm) != SUSPENDED {
            return self.0.complete(tx, task);
        }
        leave(tx, &self.0.vm, OFF)?;
        Ok(None)
    }

    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        self.0.stopped(tx, fault);
    }
}

fn shut_down_guest(service: &Service, call: &Call) -> Answer {
    ask_guest(service, call, OFF)
}

fn reboot_guest(service: &Service, call: &Call) -> Answer {
    ask_guest(service, call, ON)
}

fn put_guest_on_standby(service: &Service, call: &Call) -> Answer {
    ask_guest(service, call, SUSPENDED)
}

/// Whether the guest listens.
pub(in crate::vsphere) fn has_tools(state: &(impl Read + ?Sized), vm: &MoRef) -> bool {
    state.text(vm, path!(VirtualMachine, "guest.toolsRunningStatus")) == "guestToolsRunning"
}

/// The guest does what it is asked at once; there is no task to wait for.
fn ask_guest(service: &Service, call: &Call, to: EnumValue) -> Answer {
    let vm = &call.this;
    service.commit(call, |tx| {
        state::refuse_busy(tx, vm)?;
        guest_leaves(tx, vm, to)
    })?;
    Ok(None)
}

fn check_guest(tx: &Tx<'_>, vm: &MoRef) -> Result<(), Fault> {
    state::require_power(tx, vm, ON)?;
    if has_tools(tx, vm) {
        return Ok(());
    }
    Err(Fault::of(
        ty::ToolsUnavailable,
        "Cannot complete operation because VMware Tools is not running in this virtual machine.",
    ))
}

fn guest_leaves(tx: &mut Tx<'_>, vm: &MoRef, to: EnumValue) -> Result<(), Fault> {
    check_guest(tx, vm)?;
    let event = match to {
        OFF => object!(VmGuestShutdownEvent {}),
        SUSPENDED => object!(VmGuestStandbyEvent {}),
        _ => object!(VmGuestRebootEvent {}),
    };
    events::post(tx, vm, event);
    leave(tx, vm, to)
}

/// What the guest is asked to do as a task, for front ends that have one.
pub(in crate::vsphere) fn of_guest(call: &Call) -> Option<Operation> {
    let to = match call.method {
        method::ShutdownGuest => OFF,
        method::RebootGuest => ON,
        method::StandbyGuest => SUSPENDED,
        _ => return None,
    };
    // A guest takes its time, and can be told to forget it.
    Some(Operation::new(AskGuest { vm: call.this.clone(), to }).cancelable())
}

/// The guest takes its machine to another state.
#[derive(Clone, Debug)]
struct AskGuest {
    vm: MoRef,
    to: EnumValue,
}

impl Job for AskGuest {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        check_guest(tx, &self.vm)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        guest_leaves(tx, &self.vm, self.to)?;
        Ok(None)
    }
}

/// What is said when a machine has come into a power state.
pub(in crate::vsphere) fn arrived(power: EnumValue) -> Object {
    match power {
        OFF => object!(VmPoweredOffEvent {}),
        SUSPENDED => object!(VmSuspendedEvent {}),
        _ => object!(VmPoweredOnEvent {}),
    }
}

/// Takes a running machine to another state; to the same by a restart.
fn leave(tx: &mut Tx<'_>, vm: &MoRef, to: EnumValue) -> Result<(), Fault> {
    let now = tx.now();
    if to != ON {
        model::vm::set_power(tx, vm, to, None, now)?;
        events::post(tx, vm, arrived(to));
        return Ok(());
    }
    tx.set(vm, path!(VirtualMachine, "runtime.bootTime"), now)?;
    model::vm::refresh(tx, vm, now)
}
