//! Taking a host into maintenance and out of it.
//!
//! While `EnterMaintenanceMode_Task` runs, nothing new starts on the host, and
//! the task waits until nothing runs there any more. A cluster whose DRS is
//! fully automated moves the machines away, each by a task below this one;
//! elsewhere somebody else has to.

use std::time::Duration;

use crate::engine::{Job, Ready, TaskContext, TaskSpec, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::task::{Operation, TaskId};
use crate::value::{MoRef, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::operation;
use crate::vsphere::service::Service;
use crate::vsphere::vm::{relocate::Relocate, state};
use crate::vsphere::{model, placement};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::HostSystem, method::EnterMaintenanceMode_Task, Handler::Task(enter)),
    (ty::HostSystem, method::ExitMaintenanceMode_Task, Handler::Task(exit)),
];

/// What vCenter calls the migrations that DRS makes.
const VMOTION: &str = "Drm.ExecuteVMotionLRO";

fn enter(service: &Service, call: &Call) -> Result<operation::Operation, Fault> {
    let evacuate = call.flag(arg!(EnterMaintenanceMode_Task.evacuatePoweredOffVms));
    let job = Enter {
        host: call.this.clone(),
        timeout: timeout(call, arg!(EnterMaintenanceMode_Task.timeout)),
        all: evacuate,
        migration: migration(service, call),
        relocation: service.task_spec(call, ty::VirtualMachine, method::RelocateVM_Task),
        task: None,
    };
    Ok(operation::Operation::new(job).cancelable())
}

/// The migration of a machine that runs, as DRS makes one: it is no call of
/// anybody, so it has no name.
fn migration(service: &Service, call: &Call) -> TaskSpec {
    let mut spec = service.task_spec(call, ty::VirtualMachine, method::MigrateVM_Task);
    spec.operation = Operation::Internal(VMOTION.into());
    spec.description_id = VMOTION.into();
    spec.label = "Migrate virtual machine".into();
    spec
}

fn exit(_: &Service, call: &Call) -> Result<operation::Operation, Fault> {
    Ok(operation::Operation::new(Exit { host: call.this.clone() }))
}

/// Seconds; zero and less is for ever.
fn timeout(call: &Call, slot: usize) -> Option<Duration> {
    let seconds = call.get(slot).and_then(Value::as_i64).unwrap_or_default();
    u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

fn in_maintenance(state: &(impl Read + ?Sized), host: &MoRef) -> bool {
    let flag = state.at(host, path!(HostSystem, "runtime.inMaintenanceMode"));
    flag.and_then(Value::as_bool).unwrap_or_default()
}

#[derive(Clone, Debug)]
struct Enter {
    host: MoRef,
    timeout: Option<Duration>,
    /// Whether machines that do not run have to leave too.
    all: bool,
    /// What the task of each machine looks like that runs,
    migration: TaskSpec,
    /// and that of each other one.
    relocation: TaskSpec,
    /// The task itself, once it runs.
    task: Option<TaskId>,
}

impl Enter {
    /// The machines that are in the way.
    fn remaining(&self, state: &(impl Read + ?Sized)) -> Vec<MoRef> {
        let mut machines = state.morefs(&self.host, path!(HostSystem, "vm"));
        machines.retain(|vm| self.all || state::power(state, vm) == state::ON);
        machines
    }

    /// Starts a migration for each machine that can go somewhere. What cannot
    /// stays, and the task with it until somebody helps.
    fn evacuate(&self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        let compute = placement::compute_of(tx, &self.host);
        let Some(compute) = compute.filter(|it| placement::drs(tx, it) == Some("fullyAutomated"))
        else {
            return Ok(());
        };
        let mut others = placement::hosts(tx, &compute);
        others.retain(|host| host != &self.host);
        for vm in self.remaining(tx) {
            let datastores = tx.morefs(&vm, path!(VirtualMachine, "datastore"));
            let networks = tx.morefs(&vm, path!(VirtualMachine, "network"));
            if let Ok(to) = placement::choose(tx, &others, &datastores, &networks) {
                // Round and round, so that the next one finds another host.
                others.sort_by_key(|host| host == &to);
                let running = state::power(tx, &vm) == state::ON;
                let spec = if running { &self.migration } else { &self.relocation };
                let mut spec = spec.clone().on(vm.clone());
                spec.parent = Some(task.id);
                spec.cancelable = true;
                tx.submit(spec, Box::new(Relocate::to_host(vm, to)))?;
            }
        }
        Ok(())
    }
}

impl Job for Enter {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        if in_maintenance(tx, &self.host) {
            return Err(Fault::invalid_state());
        }
        self.task = Some(task.id);
        events::post(tx, &self.host, object!(EnteringMaintenanceModeEvent {}));
        self.evacuate(tx, task)
    }

    /// Who gives up leaves the machines where they are.
    fn undo(&mut self, tx: &mut Tx<'_>) {
        let Some(task) = self.task else { return };
        let children: Vec<TaskId> = tx.tasks().children(task).map(|child| child.id).collect();
        for child in children {
            tx.cancel(child, None);
        }
    }

    fn ready(&self, state: &dyn Read, _: &TaskContext<'_>) -> Ready {
        match self.remaining(state) {
            machines if machines.is_empty() => Ready::Now,
            mut machines => {
                machines.push(self.host.clone());
                Ready::After(machines)
            }
        }
    }

    fn timeout(&self) -> Option<(Duration, Fault)> {
        let fault = || Fault::of(ty::Timedout, "Operation timed out.");
        self.timeout.map(|timeout| (timeout, fault()))
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        set_maintenance(tx, &self.host, true)?;
        events::post(tx, &self.host, object!(EnteredMaintenanceModeEvent {}));
        Ok(None)
    }

    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        if fault.is_a(ty::RequestCanceled) {
            events::post(tx, &self.host, object!(CanceledHostOperationEvent {}));
        } else if fault.is_a(ty::Timedout) {
            events::post(tx, &self.host, object!(TimedOutHostOperationEvent {}));
        }
    }
}

#[derive(Clone, Debug)]
struct Exit {
    host: MoRef,
}

impl Job for Exit {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        if in_maintenance(tx, &self.host) { Ok(()) } else { Err(Fault::invalid_state()) }
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        set_maintenance(tx, &self.host, false)?;
        events::post(tx, &self.host, object!(ExitMaintenanceModeEvent {}));
        Ok(None)
    }
}

/// The flag, and what the host and its compute resource repeat or sum up of it.
fn set_maintenance(tx: &mut Tx<'_>, host: &MoRef, on: bool) -> Result<(), Fault> {
    tx.set(host, path!(HostSystem, "runtime.inMaintenanceMode"), on)?;
    model::host::refresh(tx, host)?;
    match placement::compute_of(tx, host) {
        Some(compute) => model::compute::refresh(tx, &compute),
        None => Ok(()),
    }
}
