//! From an action to calls, from those to tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::read::{self, Action};
use crate::engine::{Job, Ready, TaskContext, TaskSpec, Tx};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::schema::Method;
use crate::task::{Operation, Reason};
use crate::value::{MoRef, Object, Str, Value};
use crate::vsphere::call::{Call, Caller};
use crate::vsphere::dispatch::{Answer, Handler};
use crate::vsphere::extension_manager;
use crate::vsphere::service::Service;
use crate::vsphere::session::{NewSession, Session};

/// A task to be made, with the work of it.
type Planned = (TaskSpec, Box<dyn Job>);

/// A call to be made of a method that makes no task.
type Immediate = (fn(&Service, &Call) -> Answer, Call);

/// Calls to be made, and what went wrong with others.
pub(in crate::vsphere) type Calls = (Vec<Immediate>, Option<Fault>);

/// Why the server does something, and for whom.
#[derive(Clone, Debug)]
pub(in crate::vsphere) struct Occasion {
    /// The user who may do it.
    pub(in crate::vsphere) user: Str,
    /// What its tasks give as their reason.
    pub(in crate::vsphere) reason: Reason,
    /// The entity that it is about.
    pub(in crate::vsphere) entity: Option<MoRef>,
    /// The kind of the task that stands above several, and what it is called.
    pub(in crate::vsphere) kind: (&'static str, &'static str),
}

/// What is going to be done.
pub(in crate::vsphere) enum Work {
    /// Make tasks; those that could not be planned leave one fault.
    Tasks(Vec<Planned>, Option<Fault>),
    /// Make a task that its owner drives.
    Owned(Box<TaskSpec>),
    /// Call methods that make no task.
    Calls(Calls),
    /// Something that leaves the server.
    Abroad,
}

/// Runs something that a client has chosen; a panic in it is a fault.
pub(in crate::vsphere) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!("an action panicked");
        Err(Fault::system_error("an internal error; the server's log says where"))
    })
}

/// Makes calls; gives the answer of the last, or the first fault of all.
pub(in crate::vsphere) fn make(service: &Service, calls: Calls) -> Answer {
    let (calls, mut fault) = calls;
    let mut result = None;
    for (handler, call) in calls {
        match guarded(|| handler(service, &call)) {
            Ok(answer) => result = answer,
            Err(wrong) => fault = fault.or(Some(wrong)),
        }
    }
    fault.map_or(Ok(result), Err)
}

/// Makes tasks: one by itself, or several below another one.
/// Whether there are any.
pub(in crate::vsphere) fn submit(
    tx: &mut Tx<'_>,
    occasion: &Occasion,
    mut tasks: Vec<Planned>,
    fault: Option<Fault>,
) -> Result<bool, Fault> {
    match tasks.len() {
        0 => return Ok(false),
        1 if fault.is_none() => {
            for (spec, job) in tasks.drain(..) {
                tx.submit(spec, job)?;
            }
        }
        _ => {
            let (id, label) = occasion.kind;
            let mut spec = TaskSpec::new(Operation::Internal(Str::from(id)), id);
            spec.label = Str::from(label);
            spec.entity.clone_from(&occasion.entity);
            spec.cancelable = true;
            if let Some((first, _)) = tasks.first() {
                spec.reason = first.reason.clone();
                spec.owner = first.owner.clone();
            }
            tx.submit(spec, Box::new(Fleet { tasks, fault }))?;
        }
    }
    Ok(true)
}

/// Does the same to several objects.
#[derive(Clone)]
struct Fleet {
    tasks: Vec<Planned>,
    fault: Option<Fault>,
}

impl Job for Fleet {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        for (mut spec, job) in self.tasks.drain(..) {
            // What is gone since a moment ago is left out.
            if spec.entity.as_ref().is_some_and(|entity| tx.exists(entity)) {
                spec.parent = Some(task.id);
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
        match self.fault.take().or_else(|| tx.tasks().first_fault_below(task.id)) {
            Some(fault) => Err(fault),
            None => Ok(None),
        }
    }
}

/// What `action` means now, for `object`.
pub(in crate::vsphere) fn plan(
    service: &Arc<Service>,
    state: &Snapshot,
    action: &Object,
    object: &MoRef,
    occasion: &Occasion,
) -> Result<Work, Fault> {
    match read::read(state, action, object)? {
        Action::Call { method, args } => {
            let targets = read::targets(state, object, method);
            plan_calls(service, occasion, &targets, method, &args)
        }
        Action::CreateTask { kind, cancelable } => {
            let mut spec = TaskSpec::new(Operation::Extension(kind.id.clone()), kind.id);
            spec.label = kind.label;
            spec.entity = Some(object.clone());
            spec.cancelable = cancelable;
            spec.reason = occasion.reason.clone();
            spec.owner = Some(occasion.user.clone());
            Ok(Work::Owned(Box::new(spec)))
        }
        Action::Abroad => Ok(Work::Abroad),
    }
}

fn plan_calls(
    service: &Arc<Service>,
    occasion: &Occasion,
    targets: &[MoRef],
    method: Method,
    args: &[Option<Value>],
) -> Result<Work, Fault> {
    let (mut tasks, mut calls, mut fault) = (Vec::new(), Vec::new(), None);
    let session = Arc::new(session(service, &occasion.user));
    for target in targets {
        let mut caller = Caller::anonymous(service.version());
        caller.session = Some(session.clone());
        let call = Call { this: target.clone(), method, args: args.into(), caller };
        let planned = service.admit(&call).and_then(|handler| match handler {
            Handler::Task(plan) => {
                let (mut spec, job) = service.prepare(&call, plan(service, &call)?);
                spec.reason = occasion.reason.clone();
                tasks.push((spec, job));
                Ok(())
            }
            Handler::Now(answer) => {
                calls.push((answer, call));
                Ok(())
            }
            Handler::Read(_) | Handler::Wait(_) => Err(Fault::not_supported()),
        });
        if let Err(wrong) = planned {
            fault.get_or_insert(wrong);
        }
    }
    match fault {
        Some(fault) if tasks.is_empty() && calls.is_empty() => Err(fault),
        fault if calls.is_empty() => Ok(Work::Tasks(tasks, fault)),
        fault => Ok(Work::Calls((calls, fault))),
    }
}

/// A session for this only, which nobody else knows.
fn session(service: &Service, user: &Str) -> Session {
    let state = service.engine().snapshot();
    let login = NewSession {
        key: Str::from(service.ids().session_key()),
        token: Str::new(),
        full_name: service.authorization().full_name(user),
        address: Str::new(),
        user_agent: Str::new(),
        locale: Str::from("en"),
        now: service.engine().now(),
        extension: extension_manager::find(&state, user).is_some(),
        user_name: user.clone(),
        idle_limit: None,
    };
    Session::new(login, service.session_budget())
}
