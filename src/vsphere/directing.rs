//! What rules say of calls, carried out: sessions that expire, faults, other
//! arguments, replies that come late or not at all, tasks of methods that are
//! not modelled, and what happens afterwards.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::call::Call;
use super::descriptions;
use super::dispatch::{Answer, Handler, Reply};
use super::operation::Operation;
use super::service::Service;
use crate::engine::{Interrupted, Job, TaskContext, Tx, Weight};
use crate::fault::Fault;
use crate::inventory::Snapshot;
use crate::scenario::{Actor, Conduct, Directions, Facts, Rules, Then, arguments};
use crate::schema::{Method, ty};
use crate::task::TaskRecord;
use crate::value::{MoRef, Str, Value};

impl Service {
    /// The rules by which tasks and calls go their ways; they may be changed at
    /// any time.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What rules say of a call.
    pub(super) fn conduct(&self, call: &Call) -> Option<Conduct> {
        if !self.rules.are_about_calls() {
            return None;
        }
        let id = description_id(call);
        self.rules.conduct(&facts(call, &id, &self.engine().snapshot()))
    }

    /// Answers a call as rules say.
    pub(super) async fn conducted(
        self: &Arc<Self>,
        call: &Call,
        conduct: Conduct,
    ) -> Result<Reply, Fault> {
        let changed = self.changed(call, &conduct);
        let made = changed.as_ref().unwrap_or(call);
        let answer = match &conduct.fault {
            Some(fault) => Err(fault.clone()),
            None if conduct.effect => self.make(made, conduct.directions.as_ref()).await,
            None => Ok(Reply::Value(None)),
        };
        if let Some(began) = changed.and_then(|changed| changed.caller.began.into_inner()) {
            // The caller has begun none, because the copy made the call.
            let _ = call.caller.began.set(began);
        }
        if !conduct.delay.is_zero() {
            self.engine().sleep(conduct.delay).await;
        }
        if let Some(fate) = conduct.fate {
            // A call is made once.
            let _ = call.caller.fate.set(fate);
        }
        if let Some((after, then)) = conduct.then {
            self.arrange(after, then);
        }
        answer
    }

    /// The call as it is to be made, if not as it came.
    fn changed(&self, call: &Call, conduct: &Conduct) -> Option<Call> {
        let mut arguments = conduct.arguments().peekable();
        if !conduct.session_expired && arguments.peek().is_none() {
            return None;
        }
        let mut changed = call.clone();
        if conduct.session_expired
            && let Some(session) = changed.caller.session.take()
        {
            self.end_session(&session);
        }
        for (path, value) in arguments {
            arguments::replace(call.method, &mut changed.args, path, value);
        }
        Some(changed)
    }

    /// How the task of a method goes that vimsim does not model, if a rule says.
    pub(super) fn script(&self, call: &Call) -> Option<Directions> {
        if !self.rules.can_script(call.method) {
            return None;
        }
        let id = description_id(call);
        self.rules.script(&facts(call, &id, &self.engine().snapshot()))
    }

    /// Has something happen later.
    pub fn arrange(&self, after: Duration, what: Then) {
        let service = self.own();
        let call = move |_: &crate::engine::Engine| {
            if let Some(service) = service.upgrade() {
                service.happen(&what);
            }
        };
        self.engine().after(after, Weight::Work, call);
    }

    /// Has something happen now. Called by the engine only.
    fn happen(&self, what: &Then) {
        if what.restart {
            let interrupted = if what.lose_tasks { Interrupted::Gone } else { Interrupted::Failed };
            if let Err(fault) = self.restart_now(interrupted) {
                tracing::error!(%fault, "the restart was not complete");
            }
        }
        if what.lose_tasks {
            let tasks: Vec<MoRef> =
                self.engine().tasks().iter().map(|task| task.mo.clone()).collect();
            for task in tasks {
                // One that is gone meanwhile is lost already.
                let _ = self.engine().lose(&task);
            }
        }
        if what.end_sessions {
            for session in self.sessions().list() {
                self.end_session(&session);
            }
        }
    }
}

/// The description id of the task that a call would make.
fn description_id(call: &Call) -> Str {
    let (receiver, method) = (call.this.ty(), call.method);
    let known = descriptions::of(receiver, method).map(|known| known.id.clone());
    known.unwrap_or_else(|| Str::from(descriptions::id(receiver, method)))
}

fn facts<'a>(call: &'a Call, id: &'a str, state: &'a Snapshot) -> Facts<'a> {
    Facts {
        method: Some(call.method),
        description_id: id,
        entity: Some(&call.this),
        user: call.caller.session.as_ref().map(|session| session.user_name.as_str()),
        state,
    }
}

/// A task that does nothing but go as a rule says.
#[derive(Clone, Debug)]
struct Scripted;

impl Job for Scripted {
    fn complete(&mut self, _: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        Ok(None)
    }
}

/// The work of a method that is not modelled: none.
pub(super) fn scripted(call: &Call) -> Operation {
    let operation = Operation::new(Scripted);
    // Managers do many things at a time.
    if call.this.ty().is_a(ty::ManagedEntity) { operation } else { operation.shared() }
}

/// Does for rules what only the server can.
pub(super) struct Steward(pub(super) Weak<Service>);

impl Actor for Steward {
    fn follow(&self, after: &TaskRecord, method: Method, on: &MoRef) {
        let Some(service) = self.0.upgrade() else { return };
        let made = service.follow(after, method, on);
        if let Err(fault) = made {
            tracing::warn!(%method, %on, %fault, "the task that was to follow could not be made");
        }
    }
}

impl Service {
    fn follow(&self, after: &TaskRecord, method: Method, on: &MoRef) -> Answer {
        if !on.ty().is_a(method.owner()) {
            return Err(Fault::method_not_found(on, method.name()));
        }
        let call = Call {
            this: on.clone(),
            method,
            args: vec![None; method.params().len()].into(),
            caller: super::call::Caller::anonymous(self.version()),
        };
        let work = match self.handler(&call) {
            Some(Handler::Task(plan)) => plan(self, &call)?,
            _ => scripted(&call),
        };
        let (mut spec, job) = self.prepare(&call, work);
        spec.reason = after.reason.clone();
        spec.owner.clone_from(&after.owner);
        self.engine().submit(spec, job).map(|task| Some(Value::Ref(task)))
    }
}
