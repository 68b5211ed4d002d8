//! What front ends of other products ask of the server: logins, privileges,
//! the work of a method as a job, and the end of a task.

use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::dispatch::Handler;
use super::service::Service;
use super::session::Session;
use super::session_manager;
use super::vm;
use crate::engine::{Job, TaskSpec};
use crate::fault::Fault;
use crate::task::TaskRecord;
use crate::value::{MoRef, Str};

impl Service {
    /// Begins a session for a user with a password; the rules are those of
    /// `Login`. The session ends when it has been idle for `idle`.
    pub fn login(
        &self,
        user: &str,
        password: &str,
        address: &Str,
        user_agent: &Str,
        idle: Duration,
    ) -> Result<Arc<Session>, Fault> {
        session_manager::log_in(self, (user, password), (address, user_agent), idle)
    }

    /// Ends a session.
    pub fn logout(&self, session: &Session) {
        self.end_session(session);
    }

    /// Whether nothing is kept from the user of a session.
    pub fn may_everything(&self, session: &Session) -> bool {
        self.access(session, &self.engine().snapshot()).is_none()
    }

    /// Whether the user of a session has a privilege on anything.
    pub fn may_somewhere(&self, session: &Session, privilege: &str) -> bool {
        match self.access(session, &self.engine().snapshot()) {
            None => true,
            Some(access) => access.rights().seen().any(|mo| access.may(mo, privilege)),
        }
    }

    /// The task that would do the work of a call, and its job: whoever submits
    /// it does what the method does. Calls of the guest that have no task in
    /// the API are jobs, too.
    pub fn plan(&self, call: &Call) -> Result<(TaskSpec, Box<dyn Job>), Fault> {
        match self.admit(call)? {
            Handler::Task(plan) => Ok(self.prepare(call, plan(self, call)?)),
            Handler::Now(_) => {
                let work = vm::power::of_guest(call).ok_or_else(Fault::not_supported)?;
                Ok(self.prepare(call, work))
            }
            Handler::Read(_) | Handler::Wait(_) => Err(Fault::not_supported()),
        }
    }

    /// As [`Service::plan`] of `PowerOffVM_Task`, for a machine that runs and
    /// for one that is suspended, whose memory is thrown away.
    pub fn plan_switch_off(&self, call: &Call) -> Result<(TaskSpec, Box<dyn Job>), Fault> {
        self.admit(call)?;
        Ok(self.prepare(call, vm::power::switch_off(call)))
    }

    /// Fails unless the user of a session has a privilege on an object.
    pub fn demand(&self, session: &Session, mo: &MoRef, privilege: &str) -> Result<(), Fault> {
        match self.access(session, &self.engine().snapshot()) {
            Some(access) if !access.may(mo, privilege) => Err(Fault::no_permission(mo, privilege)),
            _ => Ok(()),
        }
    }

    /// How long a task runs that does something of another product's API.
    pub fn duration_of(&self, name: &str) -> Duration {
        self.delays().of(name, self.ids())
    }

    /// Waits until a task has ended, and gives it as it is then; nothing if
    /// there is none.
    pub async fn until_ended(&self, task: &MoRef) -> Option<Arc<TaskRecord>> {
        let mut watch = self.subscriptions().watch(task);
        loop {
            let record = self.engine().task(task)?;
            if record.state().is_done() {
                return Some(record);
            }
            watch.changed().await;
        }
    }
}
