//! `Datacenter`: `PowerOnMultiVM_Task`.

use super::call::{Call, arg};
use super::dispatch::{Entry, Handler};
use super::operation::Operation;
use super::placement;
use super::service::Service;
use super::vm::power::{self, PowerOn, check_can_start};
use crate::engine::{Job, Ready, TaskContext, TaskSpec, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::object;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Value};

pub(super) const METHODS: &[Entry] =
    &[(ty::Datacenter, method::PowerOnMultiVM_Task, Handler::Task(power_on))];

fn power_on(service: &Service, call: &Call) -> Result<Operation, Fault> {
    service.require_vcenter()?;
    let list = call.required(arg!(PowerOnMultiVM_Task.vm))?;
    let list: Vec<MoRef> = list.morefs().cloned().collect();
    let snapshot = service.engine().snapshot();
    for vm in &list {
        if !snapshot.exists(vm) {
            return Err(Fault::not_found(vm));
        }
        if placement::datacenter(&*snapshot, vm).as_ref() != Some(&call.this) {
            return Err(Fault::invalid_argument("vm"));
        }
    }
    let job = PowerOnMulti {
        list,
        start: power::start(service, call),
        attempted: Vec::new(),
        not_attempted: Vec::new(),
    };
    Ok(Operation::new(job).shared())
}

/// Starts machines, each by a task below this one; the result says which were
/// tried, and why the others were not.
#[derive(Clone, Debug)]
struct PowerOnMulti {
    list: Vec<MoRef>,
    /// What the task of each start looks like.
    start: TaskSpec,
    attempted: Vec<Object>,
    not_attempted: Vec<Object>,
}

impl Job for PowerOnMulti {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        let mut seen: Vec<&MoRef> = Vec::new();
        for vm in &self.list {
            if seen.contains(&vm) {
                continue;
            }
            seen.push(vm);
            if let Err(fault) = check_can_start(tx, vm) {
                let fault = fault.localized();
                self.not_attempted
                    .push(object!(ClusterNotAttemptedVmInfo { vm: vm, fault: fault }));
                continue;
            }
            let mut spec = self.start.clone().on(vm.clone());
            spec.parent = Some(task.id);
            let start = tx.submit(spec, Box::new(PowerOn { vm: vm.clone(), host: None }))?;
            self.attempted.push(object!(ClusterAttemptedVmInfo { vm: vm, task: start }));
        }
        Ok(())
    }

    fn ready(&self, _: &dyn Read, _: &TaskContext<'_>) -> Ready {
        Ready::Children
    }

    fn complete(&mut self, _: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let result = object!(ClusterPowerOnVmResult {
            attempted: std::mem::take(&mut self.attempted),
            notAttempted: std::mem::take(&mut self.not_attempted),
        });
        Ok(Some(result.into()))
    }
}
