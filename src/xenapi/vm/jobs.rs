//! Jobs on machines, with the checks that XenAPI makes before vSphere's.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::operations::Operation;
use crate::engine::{Job, Ready, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::ty;
use crate::task::TaskId;
use crate::value::{MoRef, Str, Value};
use crate::xenapi::context::Context;
use crate::xenapi::failure::Failure;
use crate::xenapi::power::{PowerState, set_paused};
use crate::xenapi::server::Server;
use crate::xenapi::{class_of, mark};

/// A job whose failures are told in the terms of XenAPI.
#[derive(Clone)]
pub(super) struct Guarded {
    job: Box<dyn Job>,
    /// Whether the machine is paused afterwards; nothing if that does not change.
    paused: Option<bool>,
    scene: Option<Scene>,
    task: Option<TaskId>,
    failure: Option<Failure>,
}

/// What the checks look at.
#[derive(Clone)]
struct Scene {
    vm: MoRef,
    reference: Str,
    operation: &'static Operation,
    server: Weak<Server>,
    _busy: AtWork,
}

/// A session is not idle while a task of it runs: this one, not a copy that is
/// kept with a saved state.
struct AtWork(#[allow(dead_code, reason = "it is only dropped")] Option<Box<dyn Any + Send>>);

impl Clone for AtWork {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl Guarded {
    /// Guards a job.
    pub(super) fn new(job: Box<dyn Job>) -> Self {
        Self { job, paused: None, scene: None, task: None, failure: None }
    }

    /// The machine is to be paused as soon as it is there, or not to be.
    pub(super) fn paused(self, paused: bool) -> Self {
        Self { paused: Some(paused), ..self }
    }

    /// The checks are those of an operation on a machine.
    pub(super) fn on(
        self,
        context: &Context<'_>,
        vm: MoRef,
        operation: &'static Operation,
    ) -> Self {
        let engine = context.server.service().engine().downgrade();
        let start = context.server.service().engine().now();
        let busy = context.session.as_ref().map(|session| {
            let clock = move || engine.upgrade().map_or(start, |engine| engine.now());
            Box::new(session.inner().busy(clock)) as Box<dyn Any + Send>
        });
        let scene = Scene {
            reference: context.server.refs().reference(&vm),
            vm,
            operation,
            server: Arc::downgrade(context.server),
            _busy: AtWork(busy),
        };
        Self { scene: Some(scene), ..self }
    }
}

impl Scene {
    /// XenAPI's own rules: templates do not run, and each operation has its
    /// power states.
    fn check(&self, tx: &Tx<'_>) -> Result<(), (Fault, Option<Failure>)> {
        if !tx.exists(&self.vm) {
            return Err((Fault::not_found(&self.vm), None));
        }
        let template = tx.at(&self.vm, path!(VirtualMachine, "config.template"));
        if !self.operation.of_templates && template.and_then(Value::as_bool) == Some(true) {
            let failure = Failure::is_template(&self.reference);
            return Err((Fault::not_supported(), Some(failure)));
        }
        let state = PowerState::inside(tx, &self.vm);
        if self.operation.from.contains(&state) {
            return Ok(());
        }
        let existing = match tx.at(&self.vm, path!(VirtualMachine, "runtime.powerState")) {
            Some(Value::Enum(existing)) => *existing,
            _ => crate::enum_value!(VirtualMachinePowerState::poweredOff),
        };
        let failure =
            Failure::bad_power_state(&self.reference, &self.operation.expected(), state.lower());
        Err((Fault::invalid_power_state(None, existing), Some(failure)))
    }

    /// A fault of the job in the terms of XenAPI.
    fn explain(&self, tx: &Tx<'_>, fault: &Fault) -> Option<Failure> {
        if fault.is_a(ty::InvalidPowerState) {
            let actual = PowerState::inside(tx, &self.vm).lower();
            let expected = self.operation.expected();
            return Some(Failure::bad_power_state(&self.reference, &expected, actual));
        }
        if fault.is_a(ty::ToolsUnavailable) {
            return Some(Failure::lacks_feature(&self.reference));
        }
        let server = self.server.upgrade()?;
        Some(Failure::of(fault, &|mo| (class_of(mo.ty()), server.refs().reference(mo))))
    }
}

impl Job for Guarded {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        self.task = Some(task.id);
        if let Some(Err((fault, failure))) = self.scene.as_ref().map(|scene| scene.check(tx)) {
            self.failure = failure;
            return Err(fault);
        }
        self.job.begin(tx, task)
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        let result = self.job.complete(tx, task)?;
        if let (Some(scene), Some(paused)) = (&self.scene, self.paused) {
            set_paused(tx, &scene.vm, paused);
        }
        Ok(result)
    }

    fn undo(&mut self, tx: &mut Tx<'_>) {
        self.job.undo(tx);
    }

    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        self.job.stopped(tx, fault);
        let (Some(task), Some(scene)) = (self.task, &self.scene) else { return };
        if fault.is_a(ty::RequestCanceled) {
            return;
        }
        let failure = self.failure.clone().or_else(|| scene.explain(tx, fault));
        let list = failure.as_ref().map(mark::of_failure);
        // The task is there: it is about to end.
        let _ = tx.set_extra(task, Str::from(mark::FAILURE), list);
    }

    fn ready(&self, state: &dyn Read, task: &TaskContext<'_>) -> Ready {
        self.job.ready(state, task)
    }

    fn timeout(&self) -> Option<(Duration, Fault)> {
        self.job.timeout()
    }
}

/// Stops a machine without taking it out of memory, or lets it go on.
#[derive(Clone)]
pub(super) struct Pause {
    pub(super) vm: MoRef,
    pub(super) paused: bool,
}

impl Job for Pause {
    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        set_paused(tx, &self.vm, self.paused);
        Ok(None)
    }
}
