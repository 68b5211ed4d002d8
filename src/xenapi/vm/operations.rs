//! The messages of `VM`: each is one operation of the simulated server, done
//! by a task that vSphere's clients see as their own kind of it.

use super::fields::CLASS;
use super::jobs::{Guarded, Pause};
use crate::engine::TaskSpec;
use crate::inventory::Read;
use crate::schema::{Method, method};
use crate::task;
use crate::value::{self, MoRef, Str};
use crate::vsphere::call::arg;
use crate::vsphere::{Call, Caller};
use crate::xenapi::context::Context;
use crate::xenapi::failure::Failure;
use crate::xenapi::message::{Args, Message, Param, Role, Run};
use crate::xenapi::own::other_config_messages;
use crate::xenapi::power::PowerState::{self, Halted, Paused, Running, Suspended};
use crate::xenapi::value::Type;
use crate::xenapi::work::Work;
use crate::{object, path};

/// Something that can be done to a machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// The power states in which it can be done.
    pub from: &'static [PowerState],
    /// Whether it can be done to templates.
    pub of_templates: bool,
}

impl Operation {
    const fn new(name: &'static str, from: &'static [PowerState]) -> Self {
        Self { name, from, of_templates: false }
    }

    /// The power states in which it can be done, as a failure names them.
    pub fn expected(&self) -> String {
        self.from.iter().map(|state| state.lower()).collect::<Vec<_>>().join(", ")
    }
}

static START: Operation = Operation::new("start", &[Halted]);
static CLEAN_SHUTDOWN: Operation = Operation::new("clean_shutdown", &[Running]);
static CLEAN_REBOOT: Operation = Operation::new("clean_reboot", &[Running]);
static HARD_SHUTDOWN: Operation = Operation::new("hard_shutdown", &[Paused, Running, Suspended]);
static HARD_REBOOT: Operation = Operation::new("hard_reboot", &[Paused, Running]);
static PAUSE: Operation = Operation::new("pause", &[Running]);
static UNPAUSE: Operation = Operation::new("unpause", &[Paused]);
static SUSPEND: Operation = Operation::new("suspend", &[Running]);
static RESUME: Operation = Operation::new("resume", &[Suspended]);
static CLONE: Operation =
    Operation { of_templates: true, ..Operation::new("clone", &[Halted, Suspended]) };
static DESTROY: Operation =
    Operation { of_templates: true, ..Operation::new("destroy", &[Halted]) };

/// All of them.
pub(super) static OPERATIONS: [&Operation; 11] = [
    &START,
    &CLEAN_SHUTDOWN,
    &CLEAN_REBOOT,
    &HARD_SHUTDOWN,
    &HARD_REBOOT,
    &PAUSE,
    &UNPAUSE,
    &SUSPEND,
    &RESUME,
    &CLONE,
    &DESTROY,
];

const VM: Param = Param::new("vm", Type::Ref("VM"));
const FORCE: Param = Param::new("force", Type::Bool);

const fn message(
    name: &'static str,
    params: &'static [Param],
    result: Type,
    role: Role,
    run: fn(&Context<'_>, &Args) -> Result<Work, Failure>,
) -> Message {
    Message {
        name,
        params,
        result,
        session: true,
        is_async: true,
        role,
        since: "rio",
        run: Run::Work(run),
    }
}

const OPERATOR: Role = Role::VmOperator;
const ADMIN: Role = Role::VmAdmin;
const VOID: Type = Type::Void;
const NEW: Param = Param::new("new_name", Type::String);
const START_PAUSED: Param = Param::new("start_paused", Type::Bool);

const OTHER_CONFIG: [Message; 3] = other_config_messages!("VM", Role::VmAdmin);

pub(super) static MESSAGES: [Message; 14] = [
    message("VM.start", &[VM, START_PAUSED, FORCE], VOID, OPERATOR, start),
    message("VM.clean_shutdown", &[VM], VOID, OPERATOR, clean_shutdown),
    message("VM.clean_reboot", &[VM], VOID, OPERATOR, clean_reboot),
    message("VM.hard_shutdown", &[VM], VOID, OPERATOR, hard_shutdown),
    message("VM.hard_reboot", &[VM], VOID, OPERATOR, hard_reboot),
    message("VM.pause", &[VM], VOID, OPERATOR, pause),
    message("VM.unpause", &[VM], VOID, OPERATOR, unpause),
    message("VM.suspend", &[VM], VOID, OPERATOR, suspend),
    message("VM.resume", &[VM, START_PAUSED, FORCE], VOID, OPERATOR, resume),
    message("VM.clone", &[VM, NEW], Type::Ref("VM"), ADMIN, clone),
    message("VM.destroy", &[VM], VOID, ADMIN, destroy),
    OTHER_CONFIG[0],
    OTHER_CONFIG[1],
    OTHER_CONFIG[2],
];

/// One operation on the machine that the first argument names.
struct Plan<'c> {
    context: &'c Context<'c>,
    vm: MoRef,
    operation: &'static Operation,
}

impl<'c> Plan<'c> {
    fn new(
        context: &'c Context<'c>,
        args: &Args,
        operation: &'static Operation,
    ) -> Result<Self, Failure> {
        let vm = CLASS.find(&context.view(), args.text(0))?;
        Ok(Self { context, vm, operation })
    }

    /// The call of vSphere that does the same.
    fn call(&self, method: Method, given: Vec<(usize, value::Value)>) -> Call {
        let mut args = vec![None; method.params().len()];
        for (slot, value) in given {
            if let Some(place) = args.get_mut(slot) {
                *place = Some(value);
            }
        }
        let origin = self.context.origin;
        let service = self.context.server.service();
        let session = self.context.session.as_ref().map(|session| session.inner().clone());
        let caller = Caller {
            session,
            address: origin.address.parse().ok(),
            user_agent: origin.user_agent.clone(),
            ..Caller::anonymous(service.version())
        };
        Call { this: self.vm.clone(), method, args: args.into(), caller }
    }

    /// By a method of vSphere.
    fn by(self, method: Method, given: Vec<(usize, value::Value)>) -> Result<Work, Failure> {
        let call = self.call(method, given);
        let planned = self.context.server.service().plan(&call);
        let (spec, job) = planned.map_err(|fault| self.context.failure(&fault))?;
        Ok(self.work(spec, Guarded::new(job)))
    }

    /// By a method of vSphere after which the machine is in memory, paused or
    /// not, or no longer there.
    fn by_power(self, method: Method, paused: bool) -> Result<Work, Failure> {
        let call = self.call(method, Vec::new());
        let service = self.context.server.service();
        let planned = match self.operation.name {
            "hard_shutdown" => service.plan_switch_off(&call),
            _ => service.plan(&call),
        };
        let (spec, job) = planned.map_err(|fault| self.context.failure(&fault))?;
        Ok(self.work(spec, Guarded::new(job).paused(paused)))
    }

    /// The task, with XenAPI's own checks before the job's.
    fn work(self, mut spec: TaskSpec, guarded: Guarded) -> Work {
        // Whatever a client of XenAPI starts it can stop.
        spec.cancelable = true;
        let job = guarded.on(self.context, self.vm, self.operation);
        Work { spec, job: Box::new(job) }
    }

    /// By what vSphere has no word for. `privilege` is the nearest that it has.
    fn by_own(self, paused: bool, label: &str, privilege: &str) -> Result<Work, Failure> {
        let service = self.context.server.service();
        let session = self.context.session()?;
        let allowed = service.demand(session.inner(), &self.vm, privilege);
        allowed.map_err(|fault| self.context.failure(&fault))?;
        let name = self.context.name;
        let id = format!("VirtualMachine.{}", self.operation.name);
        let mut spec = TaskSpec::new(task::Operation::Internal(Str::from(name)), id);
        spec = spec.on(self.vm.clone());
        spec.label = Str::from(label);
        spec.reason = task::Reason::User(session.user().clone());
        spec.owner = Some(session.user().clone());
        spec.duration = service.duration_of(name);
        let job = Pause { vm: self.vm.clone(), paused };
        Ok(self.work(spec, Guarded::new(Box::new(job))))
    }
}

fn start(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    Plan::new(context, args, &START)?.by_power(method::PowerOnVM_Task, args.flag(1))
}

fn resume(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    Plan::new(context, args, &RESUME)?.by_power(method::PowerOnVM_Task, args.flag(1))
}

fn clean_shutdown(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    Plan::new(context, args, &CLEAN_SHUTDOWN)?.by(method::ShutdownGuest, Vec::new())
}

fn clean_reboot(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    Plan::new(context, args, &CLEAN_REBOOT)?.by(method::RebootGuest, Vec::new())
}

fn hard_shutdown(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    Plan::new(context, args, &HARD_SHUTDOWN)?.by_power(method::PowerOffVM_Task, false)
}

/// A machine that was paused runs afterwards.
fn hard_reboot(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    Plan::new(context, args, &HARD_REBOOT)?.by_power(method::ResetVM_Task, false)
}

fn suspend(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    Plan::new(context, args, &SUSPEND)?.by(method::SuspendVM_Task, Vec::new())
}

fn pause(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    let plan = Plan::new(context, args, &PAUSE)?;
    plan.by_own(true, "Pause virtual machine", "VirtualMachine.Interact.Suspend")
}

fn unpause(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    let plan = Plan::new(context, args, &UNPAUSE)?;
    plan.by_own(false, "Unpause virtual machine", "VirtualMachine.Interact.PowerOn")
}

/// The clone goes where its origin is. A template's clone is a template.
fn clone(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    let plan = Plan::new(context, args, &CLONE)?;
    let view = context.view();
    let folder = view.state().moref(&plan.vm, path!(VirtualMachine, "parent")).cloned();
    let folder = folder.ok_or_else(|| Failure::operation_not_allowed("The VM has no folder."))?;
    let template = super::fields::is_template(&view, &plan.vm);
    let spec = object!(VirtualMachineCloneSpec {
        location: object!(VirtualMachineRelocateSpec {}),
        powerOn: false,
        template: template,
    });
    plan.by(
        method::CloneVM_Task,
        vec![
            (arg!(CloneVM_Task.folder), value::Value::Ref(folder)),
            (arg!(CloneVM_Task.name), value::Value::from(args.text(1))),
            (arg!(CloneVM_Task.spec), value::Value::Object(spec)),
        ],
    )
}

fn destroy(context: &Context<'_>, args: &Args) -> Result<Work, Failure> {
    Plan::new(context, args, &DESTROY)?.by(method::Destroy_Task, Vec::new())
}
