//! The whole server at one moment, kept by name and brought back; and its
//! restart.
//!
//! ```text
//!   save_state ──► a name: inventory, tasks and their jobs, events, history,
//!                  alarms, scheduled tasks, rules, roles and permissions, ids, chance, time
//!   restore_state ──► all of that again, as one more change
//! ```
//!
//! What belongs to clients stays with them: whoever is logged in stays so, with
//! views, filters and collectors, and who waits for updates is told what is
//! different. So a test suite logs in once and goes back after each test. With
//! a stepped clock and a seed the same calls give the same bytes again, if the
//! sessions and their objects are those of then; a session that began since
//! keeps its key, and others get other ones.
//!
//! A restart is what clients of vCenter meet: every session ends, and with it
//! the calls that wait (`RequestCanceled`); what was at work has failed and is
//! undone; no reference to a task of before can be read any more, only history
//! and events tell of them. Which fault vCenter gives those tasks is nowhere
//! documented; here it is `SystemError`. Connections are not cut and no request
//! is turned away: the restart takes no time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::authorization::Policy;
use super::events;
use super::scheduled;
use super::service::Service;
use crate::engine::{Engine, Interrupted, Saved, Ticket, tasks_in};
use crate::fault::Fault;
use crate::scenario::SavedRules;
use crate::task::TaskTable;
use crate::value::DateTime;

/// A state that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateInfo {
    /// What it is called.
    pub name: String,
    /// The time by the server's clock when it was saved.
    pub time: DateTime,
    /// How many managed objects it has, those of sessions not counted.
    pub objects: usize,
    /// How many tasks had not ended.
    pub live_tasks: usize,
}

/// There is no state of that name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("there is no saved state {0}")]
pub struct NoSuchState(
    /// The name.
    pub String,
);

/// The states that are kept, by name.
#[derive(Debug, Default)]
pub(super) struct States(Mutex<BTreeMap<String, Arc<State>>>);

/// One of them.
#[derive(Debug)]
struct State {
    engine: Saved,
    policy: Arc<Policy>,
    schedules: scheduled::Saved,
    alarms: Option<Ticket>,
    rules: SavedRules,
}

impl State {
    fn info(&self, name: &str) -> StateInfo {
        let snapshot = self.engine.snapshot();
        StateInfo {
            name: name.to_owned(),
            time: self.engine.time(),
            objects: snapshot.len(),
            live_tasks: tasks_in(snapshot).map_or(0, TaskTable::live_len),
        }
    }
}

impl States {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<State>>> {
        // Every state of the map is whole, whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// Keeps the state as it is now under `name`, instead of another one that
    /// was called that.
    pub fn save_state(&self, name: &str) -> StateInfo {
        let state = State {
            policy: self.authorization().policy(),
            schedules: self.schedules().save(),
            alarms: self.alarms().ticket(),
            rules: self.rules().save(),
            engine: self.engine().save(),
        };
        let info = state.info(name);
        self.states().lock().insert(name.to_owned(), Arc::new(state));
        info
    }

    /// Goes back to the state that is called `name`, which stays kept. This
    /// takes milliseconds.
    pub fn restore_state(&self, name: &str) -> Result<StateInfo, NoSuchState> {
        let state = self.states().lock().get(name).cloned();
        let state = state.ok_or_else(|| NoSuchState(name.to_owned()))?;
        let before = self.engine().now();
        let restored = self.schedules().restore(&state.schedules, |schedule| {
            self.alarms().restore(state.alarms, |alarm| {
                let mut arrange = |ticket| schedule(ticket).or_else(|| alarm(ticket));
                self.engine().restore(&state.engine, &mut arrange)
            })
        });
        self.authorization().set_policy(&state.policy);
        self.rules().restore(&state.rules);
        let now = self.engine().now();
        if now < before {
            let back = before.since(now);
            self.sessions().list().iter().for_each(|session| session.go_back(back));
        }
        self.feed().start_over();
        if restored.complete {
            self.touch(&self.content().session_manager);
        } else {
            self.touch_all();
        }
        Ok(state.info(name))
    }

    /// The states that are kept, in the order of their names.
    pub fn saved_states(&self) -> Vec<StateInfo> {
        self.states().lock().iter().map(|(name, state)| state.info(name)).collect()
    }

    /// Forgets a state that is kept; whether there was one.
    pub fn drop_state(&self, name: &str) -> bool {
        self.states().lock().remove(name).is_some()
    }

    /// Does to clients what a restart of the server does. Scheduled tasks that
    /// run after startup have their time counted from now on.
    pub fn restart(&self, interrupted: Interrupted) -> Result<(), Fault> {
        self.restart_by(|engine, fault| engine.restart(fault, interrupted))
    }

    /// The same from a call that the engine makes.
    pub(super) fn restart_now(&self, interrupted: Interrupted) -> Result<(), Fault> {
        self.restart_by(|engine, fault| engine.restart_now(fault, interrupted))
    }

    fn restart_by(&self, restart: impl FnOnce(&Engine, &Fault)) -> Result<(), Fault> {
        self.close();
        self.tickets().clear();
        let fault = Fault::system_error("The server was restarted before the task had ended.");
        restart(self.engine(), &fault);
        events::life::restarted(self.engine())?;
        self.touch(&self.content().session_manager);
        self.alarms().wake();
        self.schedules().restart()
    }
}
