//! Who came and went.

use super::post_of_server;
use crate::engine::Engine;
use crate::object;
use crate::path;
use crate::value::{Object, Str, Value};
use crate::vsphere::session::{Session, shortened};

/// A session has begun.
pub(in crate::vsphere) fn began(engine: &Engine, session: &Session) {
    let event = object!(UserLoginSessionEvent {
        ipAddress: &session.address,
        userAgent: &session.user_agent,
        locale: session.locale(),
        sessionId: &session.key,
    });
    tell(engine, &session.user_name, &event);
}

/// A session has ended.
pub(in crate::vsphere) fn ended(engine: &Engine, session: &Session) {
    let calls = session.user_session();
    let calls = calls.at(path!(UserSession, "callCount")).and_then(Value::as_i64);
    let event = object!(UserLogoutSessionEvent {
        ipAddress: &session.address,
        userAgent: &session.user_agent,
        callCount: calls,
        sessionId: &session.key,
        loginTime: session.login_time,
    });
    tell(engine, &session.user_name, &event);
}

/// Somebody who may see nothing did not get in.
pub(in crate::vsphere) fn kept_out(engine: &Engine, user: &str, address: &Str) {
    let user = shortened(user).into();
    tell(engine, &user, &object!(NoAccessUserEvent { ipAddress: address }));
}

/// Somebody did not get in.
pub(in crate::vsphere) fn refused(engine: &Engine, user: &str, address: &Str) {
    let user = shortened(user).into();
    tell(engine, &user, &object!(BadUsernameSessionEvent { ipAddress: address }));
}

/// The user `by` ended somebody else's session.
pub(in crate::vsphere) fn terminated(engine: &Engine, by: &Str, session: &Session) {
    let event = object!(SessionTerminatedEvent {
        sessionId: &session.key,
        terminatedUsername: &session.user_name,
    });
    tell(engine, by, &event);
}

fn tell(engine: &Engine, user: &Str, event: &Object) {
    let told = engine.commit(|tx| {
        tx.act_for(Some(user));
        post_of_server(tx, event);
        Ok(())
    });
    if let Err(fault) = told {
        tracing::error!(%fault, "an event of a session could not be posted");
    }
}
