//! The sessions of a server: how they begin, and what ends them.
//!
//! Nobody looks at sessions that nobody uses: one look is arranged for when the
//! first of them could have been idle for too long.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::events;
use super::service::Service;
use super::session::{NewSession, Session};
use crate::engine::{Engine, Weight};
use crate::fault::Fault;

/// The least time between two looks for sessions that have been idle for too long.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

impl Service {
    /// The session with the token, unless it has been idle for too long.
    pub fn session(&self, token: &str) -> Option<Arc<Session>> {
        let session = self.sessions().by_token(token)?;
        if session.is_idle(self.engine().now(), self.config().session_timeout) {
            self.end_session(&session);
            return None;
        }
        Some(session)
    }

    /// Begins a session.
    pub(super) fn begin_session(&self, login: NewSession) -> Result<Arc<Session>, Fault> {
        let session = Arc::new(Session::new(login, self.session_budget()));
        if !self.sessions().add(session.clone(), self.config().limits.sessions) {
            tracing::warn!(limit = self.config().limits.sessions, "too many sessions: no login");
            return Err(Fault::unavailable());
        }
        tracing::info!(user = %session.user_name, key = %session.key, "login");
        events::sessions::began(self.engine(), &session);
        self.touch(&self.content().session_manager);
        self.watch_idle();
        Ok(session)
    }

    /// Sees to it that somebody looks when a session could have been idle for
    /// too long. There is one look for all sessions, and not too many of them.
    fn watch_idle(&self) {
        let timeout = self.config().session_timeout;
        let mut watched = self.idle_watch.lock().unwrap_or_else(PoisonError::into_inner);
        if *watched {
            return;
        }
        let now = self.engine().now();
        let Some(first) = self.sessions().first_idle(now, timeout) else { return };
        *watched = true;
        let service = self.own();
        let look = move |_: &Engine| {
            if let Some(service) = service.upgrade() {
                service.end_idle();
            }
        };
        self.engine().after(first.since(now).max(IDLE_PAUSE), Weight::Background, look);
    }

    fn end_idle(&self) {
        let idle = self.sessions().idle(self.engine().now(), self.config().session_timeout);
        idle.iter().for_each(|session| self.end_session(session));
        *self.idle_watch.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.watch_idle();
    }

    /// Ends a session with everything that belongs to it.
    pub(super) fn end_session(&self, session: &Session) {
        if !self.sessions().end(session) {
            return;
        }
        tracing::info!(user = %session.user_name, key = %session.key, "logout");
        events::sessions::ended(self.engine(), session);
        self.touch(&self.content().session_manager);
    }

    /// Ends all sessions: whoever waits is answered.
    pub fn close(&self) {
        for session in self.sessions().list() {
            self.sessions().end(&session);
        }
    }
}
