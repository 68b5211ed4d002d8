//! `PowerOnVApp_Task`, `PowerOffVApp_Task`, `SuspendVApp_Task`: a task for
//! each machine below one for the vApp.
//!
//! Machines start in the order of `vAppConfig.entityConfig` and stop in the
//! opposite one: those with the same `startOrder` together, after all before
//! them have ended, and after the longest of the delays that those have. The
//! tasks of machines that wait for that are queued. A guest is up as soon as
//! its machine runs, so who waits for one does not wait long.
//!
//! ```text
//!   startOrder 1 ──start──┤ startDelay ├ startOrder 2 ──start──┤ … the vApp is started
//! ```

use std::time::Duration;

use super::{apps, entity_config, machines, set_state};
use crate::engine::{Busy, Job, Ready, TaskContext, TaskSpec, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{method, ty};
use crate::task::{Outcome, State, TaskId};
use crate::value::{MoRef, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::vm::power::{self, Leave, PowerOn};
use crate::vsphere::vm::state::{self, OFF, ON, SUSPENDED};

pub(super) fn power_on(service: &Service, call: &Call) -> Result<Operation, Fault> {
    operation(service, call, Goal::On)
}

pub(super) fn power_off(service: &Service, call: &Call) -> Result<Operation, Fault> {
    operation(service, call, Goal::Off { force: call.flag(arg!(PowerOffVApp_Task.force)) })
}

pub(super) fn suspend(service: &Service, call: &Call) -> Result<Operation, Fault> {
    operation(service, call, Goal::Suspended)
}

fn operation(service: &Service, call: &Call, goal: Goal) -> Result<Operation, Fault> {
    let snapshot = service.engine().snapshot();
    // Nobody else switches a member meanwhile.
    let mut held = machines(&*snapshot, &call.this);
    held.extend(apps(&*snapshot, &call.this));
    let common = |mut spec: TaskSpec| {
        spec.busy = Busy::Wait;
        spec.cancelable = true;
        spec
    };
    let spec = |method| common(service.task_spec(call, ty::VirtualMachine, method));
    let job = Switch {
        app: call.this.clone(),
        goal,
        on: common(power::start(service, call)),
        off: spec(method::PowerOffVM_Task),
        suspend: spec(method::SuspendVM_Task),
        was_suspended: false,
    };
    Ok(Operation::new(job).locking(held).cancelable())
}

/// Where a vApp is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    On,
    /// By force all machines go off at once, whatever the vApp says of them.
    Off {
        force: bool,
    },
    Suspended,
}

/// What is done to one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    On,
    Off,
    /// The guest is asked to go down by itself.
    ShutDown,
    Suspend,
}

/// A machine, what is done to it, and when.
struct Step {
    /// The start orders of the vApps around it, outermost first, and its own.
    order: Vec<i32>,
    /// How long the next one waits, for each of them.
    delays: Vec<Duration>,
    vm: MoRef,
    action: Action,
}

/// How long `after` waits for what comes before it: as long as the members say
/// that stand next to one of those around it, or to itself.
fn pause(steps: &[Step], before: &Step, after: &Step) -> Duration {
    let Some(level) = before.order.iter().zip(&after.order).position(|(one, other)| one != other)
    else {
        return Duration::ZERO;
    };
    let inside = before.order.get(..=level);
    let neighbours = steps.iter().filter(|step| step.order.get(..=level) == inside);
    neighbours.filter_map(|step| step.delays.get(level)).max().copied().unwrap_or_default()
}

#[derive(Clone, Debug)]
struct Switch {
    app: MoRef,
    goal: Goal,
    /// What the tasks of the machines look like.
    on: TaskSpec,
    off: TaskSpec,
    suspend: TaskSpec,
    was_suspended: bool,
}

impl Switch {
    fn check(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        if !tx.exists(&self.app) {
            return Err(Fault::not_found(&self.app));
        }
        let is_started = tx.at(&self.app, path!(ResourcePool, "summary"));
        let is_started = is_started.and_then(Value::as_object).and_then(|it| it.field("vAppState"));
        let is_started = is_started.and_then(Value::as_str) == Some("started");
        match self.goal {
            Goal::On if is_started => Err(Fault::invalid_power_state(Some(ON), ON)),
            Goal::On => Ok(()),
            _ if is_started => Ok(()),
            Goal::Off { .. } => Err(Fault::invalid_power_state(Some(OFF), self.stopped(tx))),
            Goal::Suspended => Err(Fault::invalid_power_state(Some(ON), self.stopped(tx))),
        }
    }

    fn is_suspended(&self, tx: &Tx<'_>) -> bool {
        let summary = tx.at(&self.app, path!(ResourcePool, "summary")).and_then(Value::as_object);
        let flag = summary.and_then(|summary| summary.field("suspended"));
        flag.and_then(Value::as_bool).unwrap_or_default()
    }

    fn stopped(&self, tx: &Tx<'_>) -> crate::value::EnumValue {
        if self.is_suspended(tx) { SUSPENDED } else { OFF }
    }

    /// What is to be done, in the order in which it is.
    fn steps(&self, tx: &Tx<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        self.gather(tx, &self.app, (&[], &[]), &mut steps);
        steps.sort_by(|one, other| one.order.cmp(&other.order));
        match self.goal {
            Goal::On => {}
            Goal::Off { force: true } => steps.iter_mut().for_each(|step| step.order.clear()),
            Goal::Off { .. } | Goal::Suspended => steps.reverse(),
        }
        steps
    }

    /// The steps for all members of `app`, which itself is at this place among
    /// others, with these delays after it.
    fn gather(
        &self,
        tx: &Tx<'_>,
        app: &MoRef,
        (order, delays): (&[i32], &[Duration]),
        steps: &mut Vec<Step>,
    ) {
        let pools = tx.morefs(app, path!(ResourcePool, "resourcePool"));
        for member in tx.morefs(app, path!(ResourcePool, "vm")).into_iter().chain(pools) {
            let config = entity_config(tx, app, &member);
            let field = |name| config.as_ref().and_then(|config| config.field(name));
            let place = field("startOrder").and_then(Value::as_i32).unwrap_or(i32::MAX);
            let order: Vec<i32> = order.iter().copied().chain([place]).collect();
            let delay = if self.goal == Goal::On { "startDelay" } else { "stopDelay" };
            let waits_for_guest = self.goal == Goal::On
                && field("waitingForGuest").and_then(Value::as_bool) == Some(true);
            let delay = field(delay).and_then(Value::as_i32).filter(|_| !waits_for_guest);
            let delay = u64::try_from(delay.unwrap_or_default()).unwrap_or_default();
            let delay = Duration::from_secs(delay);
            let delays: Vec<Duration> = delays.iter().copied().chain([delay]).collect();
            let wish = |name| field(name).and_then(Value::as_str).unwrap_or_default();
            if member.ty().is_a(ty::ResourcePool) {
                self.gather(tx, &member, (&order, &delays), steps);
                continue;
            }
            let power = state::power(tx, &member);
            let action = match self.goal {
                Goal::On if power != ON && wish("startAction") != "none" => Action::On,
                Goal::Suspended if power == ON => Action::Suspend,
                Goal::Off { force: true } if power == ON => Action::Off,
                Goal::Off { .. } if power == ON => match wish("stopAction") {
                    "none" => continue,
                    "suspend" => Action::Suspend,
                    "guestShutdown" => Action::ShutDown,
                    _ => Action::Off,
                },
                _ => continue,
            };
            steps.push(Step { order, delays, vm: member, action });
        }
    }

    fn show(&self, tx: &mut Tx<'_>, state: &'static str, suspended: bool) -> Result<(), Fault> {
        apps(tx, &self.app).iter().try_for_each(|app| set_state(tx, app, state, suspended))
    }
}

impl Job for Switch {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        self.check(tx)?;
        let steps = self.steps(tx);
        let has_running = machines(tx, &self.app).iter().any(|vm| state::power(tx, vm) == ON);
        if self.goal == Goal::On && steps.is_empty() && !has_running {
            return Err(Fault::of(
                ty::MissingPowerOnConfiguration,
                "The vApp has no virtual machine that it is configured to power on.",
            ));
        }
        self.was_suspended = self.is_suspended(tx);
        let (state, suspended) = match self.goal {
            Goal::On => ("starting", self.was_suspended),
            Goal::Off { .. } => ("stopping", false),
            Goal::Suspended => ("stopping", true),
        };
        self.show(tx, state, suspended)?;
        let groups: Vec<&[Step]> = steps.chunk_by(|one, other| one.order == other.order).collect();
        let gate = |before: &Step, after: &Step| {
            MoRef::new(ty::Task, &format!("{}/{}/{}", task.id, before.vm.id(), after.vm.id()))
        };
        for (number, group) in groups.iter().enumerate() {
            let before = number.checked_sub(1).and_then(|before| groups.get(before)).copied();
            let after = groups.get(number + 1).copied();
            for step in *group {
                let spec = match step.action {
                    Action::On => &self.on,
                    Action::Off | Action::ShutDown => &self.off,
                    Action::Suspend => &self.suspend,
                };
                let mut spec = spec.clone().on(step.vm.clone());
                spec.parent = Some(task.id);
                if let Some(before) = before.and_then(<[Step]>::first) {
                    spec.lead = pause(&steps, before, step);
                }
                spec.gates.extend(before.unwrap_or_default().iter().map(|it| gate(it, step)));
                spec.gates.extend(after.unwrap_or_default().iter().map(|it| gate(step, it)));
                let vm = step.vm.clone();
                let job: Box<dyn Job> = match step.action {
                    Action::On => {
                        Box::new(InTurn { above: task.id, job: PowerOn { vm, host: None } })
                    }
                    Action::Off => Box::new(Leave::off(vm)),
                    Action::ShutDown => Box::new(Leave::shut_down(vm)),
                    Action::Suspend => Box::new(Leave::suspend(vm)),
                };
                tx.submit(spec, job)?;
            }
        }
        Ok(())
    }

    fn ready(&self, _: &dyn Read, _: &TaskContext<'_>) -> Ready {
        Ready::Children
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        if let Some(fault) = tx.tasks().first_fault_below(task.id) {
            return Err(fault);
        }
        match self.goal {
            Goal::On => self.show(tx, "started", false)?,
            Goal::Off { .. } => self.show(tx, "stopped", false)?,
            Goal::Suspended => self.show(tx, "stopped", true)?,
        }
        Ok(None)
    }

    fn undo(&mut self, tx: &mut Tx<'_>) {
        // What its machines did before somebody or something stopped it stays.
        let is_running = machines(tx, &self.app).iter().any(|vm| state::power(tx, vm) == ON);
        let (state, suspended) =
            if is_running { ("started", false) } else { ("stopped", self.was_suspended) };
        if let Err(fault) = self.show(tx, state, suspended) {
            tracing::debug!(%fault, "a vApp went while it was switched");
        }
    }
}

/// The start of one machine, which is given up when one before it failed.
#[derive(Clone, Debug)]
struct InTurn {
    above: TaskId,
    job: PowerOn,
}

impl Job for InTurn {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        let failed = |state| matches!(state, State::Done(Outcome::Failure | Outcome::Cancelled));
        if tx.tasks().children(self.above).any(|child| failed(child.state())) {
            return Err(Fault::request_canceled());
        }
        self.job.begin(tx, task)
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        self.job.complete(tx, task)
    }

    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        self.job.stopped(tx, fault);
        // Those after it are not kept waiting for nothing.
        let waiting = tx.tasks().children(self.above).filter(|it| it.state() == State::Queued);
        for next in waiting.map(|task| task.id).collect::<Vec<_>>() {
            tx.cancel(next, None);
        }
    }
}
