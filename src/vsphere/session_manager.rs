//! `SessionManager`: logging in and out, and knowing who is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::authorization::Access;
use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::events;
use super::service::Service;
use super::session::{NewSession, Session};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::object;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Str, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::SessionManager, method::Login, Handler::Now(login)),
    (ty::SessionManager, method::LoginByToken, Handler::Now(login_by_token)),
    (ty::SessionManager, method::LoginExtensionByCertificate, Handler::Now(login_extension_cert)),
    (ty::SessionManager, method::LoginExtensionBySubjectName, Handler::Now(login_extension_name)),
    (ty::SessionManager, method::ImpersonateUser, Handler::Now(impersonate)),
    (ty::SessionManager, method::Logout, Handler::Now(logout)),
    (ty::SessionManager, method::SessionIsActive, Handler::Now(is_active)),
    (ty::SessionManager, method::TerminateSession, Handler::Now(terminate)),
    (ty::SessionManager, method::AcquireCloneTicket, Handler::Now(acquire_clone_ticket)),
    (ty::SessionManager, method::CloneSession, Handler::Now(clone_session)),
    (ty::SessionManager, method::AcquireGenericServiceTicket, Handler::Now(acquire_service_ticket)),
    (ty::SessionManager, method::SetLocale, Handler::Now(set_locale)),
    (ty::SessionManager, method::UpdateServiceMessage, Handler::Now(update_message)),
];

/// Tickets that were handed out and not used: each is good for one login.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    clone: Mutex<Vec<(Str, Arc<Session>)>>,
}

/// More tickets than this are not kept: the oldest are forgotten.
const TICKETS: usize = 1_000;

impl Tickets {
    fn add(&self, ticket: Str, session: Arc<Session>) {
        let mut held = self.clone.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= TICKETS {
            held.remove(0);
        }
        held.push((ticket, session));
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.clone.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self, ticket: &str) -> Option<Arc<Session>> {
        let mut held = self.clone.lock().unwrap_or_else(PoisonError::into_inner);
        let at = held.iter().position(|(text, _)| text == ticket)?;
        Some(held.remove(at).1)
    }
}

/// The manager's properties as the caller sees them.
pub(super) fn properties(
    service: &Service,
    session: Option<&Arc<Session>>,
    stored: &Object,
) -> Object {
    let mut properties = stored.edit();
    let all: Vec<Object> = service.sessions().list().iter().map(|s| s.user_session()).collect();
    properties.set(const { ty::SessionManager.slot("sessionList") }, all);
    let current = session.map(|session| session.user_session());
    properties.set(const { ty::SessionManager.slot("currentSession") }, current);
    properties.finish()
}

fn login(service: &Service, call: &Call) -> Answer {
    let (user, password) = (call.text(arg!(Login.userName)), call.text(arg!(Login.password)));
    let accepted = service.authorization().accepts(service.config(), user, password);
    if call.caller.session.is_some() || !accepted {
        events::sessions::refused(service.engine(), user, &call.caller.address_text());
        return Err(Fault::invalid_login());
    }
    let locale = locale(service, call, arg!(Login.locale))?;
    begin(service, call, user, locale, false)
}

/// A SAML token stands in the SOAP header. It must be there, but its assertion
/// is not checked here: the user is the one that a configured login names.
fn login_by_token(service: &Service, call: &Call) -> Answer {
    let locale = locale(service, call, arg!(LoginByToken.locale))?;
    if call.caller.session.is_some() || !call.caller.has_token {
        return Err(Fault::invalid_login());
    }
    let user = service.config().login.username.clone();
    begin(service, call, user.as_deref().unwrap_or("Administrator@vsphere.local"), locale, false)
}

fn login_extension_cert(service: &Service, call: &Call) -> Answer {
    let key = call.text(arg!(LoginExtensionByCertificate.extensionKey));
    let locale = locale(service, call, arg!(LoginExtensionByCertificate.locale))?;
    may_be_extension(call)?;
    if super::extension_manager::find(&service.engine().snapshot(), key).is_none() {
        return Err(Fault::invalid_login());
    }
    begin(service, call, key, locale, true)
}

fn login_extension_name(service: &Service, call: &Call) -> Answer {
    let key = call.text(arg!(LoginExtensionBySubjectName.extensionKey));
    let locale = locale(service, call, arg!(LoginExtensionBySubjectName.locale))?;
    may_be_extension(call)?;
    let snapshot = service.engine().snapshot();
    let extension = super::extension_manager::find(&snapshot, key).and_then(Value::as_object);
    let extension =
        extension.ok_or_else(|| Fault::of(ty::NotFound, "The extension could not be found."))?;
    if extension.at(path!(Extension, "subjectName")).is_none() {
        return Err(Fault::of(ty::NoSubjectName, "The extension has no subject name."));
    }
    begin(service, call, key, locale, true)
}

/// Extensions prove who they are by a certificate, of which only that it is
/// there is checked.
fn may_be_extension(call: &Call) -> Result<(), Fault> {
    if call.caller.session.is_some() {
        return Err(Fault::invalid_login());
    }
    if !call.caller.has_certificate {
        return Err(Fault::of(ty::NoClientCertificate, "The client has sent no certificate."));
    }
    Ok(())
}

fn impersonate(service: &Service, call: &Call) -> Answer {
    let session = call.session()?;
    let user = call.text(arg!(ImpersonateUser.userName));
    if user.is_empty() {
        return Err(Fault::invalid_login());
    }
    let locale = locale(service, call, arg!(ImpersonateUser.locale))?;
    enter(service, user)?;
    service.end_session(session);
    begin(service, call, user, locale, false)
}

/// Begins a session for a client that logs in with a password by another front
/// end; it may be idle for `idle`.
pub(super) fn log_in(
    service: &Service,
    (user, password): (&str, &str),
    (address, user_agent): (&Str, &Str),
    idle: Duration,
) -> Result<Arc<Session>, Fault> {
    if !service.authorization().accepts(service.config(), user, password) {
        events::sessions::refused(service.engine(), user, address);
        return Err(Fault::invalid_login());
    }
    enter(service, user)
        .inspect_err(|_| events::sessions::kept_out(service.engine(), user, address))?;
    let (key, token) = service.sessions().fresh(service.ids());
    service.begin_session(NewSession {
        key,
        token,
        user_name: Str::from(user),
        full_name: service.authorization().full_name(user),
        address: address.clone(),
        user_agent: user_agent.clone(),
        locale: Str::from("en"),
        now: service.engine().now(),
        extension: false,
        idle_limit: Some(idle),
    })
}

/// Names of users are no longer than this: they stand in sessions, tasks and events.
const LONGEST_NAME: usize = 1024;

/// The longest name of a locale.
const LONGEST_LOCALE: usize = 64;

/// Who may see nothing at all does not get in.
fn enter(service: &Service, user: &str) -> Result<(), Fault> {
    if user.len() > LONGEST_NAME {
        return Err(Fault::invalid_login());
    }
    let Some(rights) = service.authorization().rights(user) else { return Ok(()) };
    if Access::new(rights, service.engine().snapshot()).sees_anything() {
        return Ok(());
    }
    Err(Fault::no_permission(&service.content().root_folder, "System.View"))
}

fn begin(service: &Service, call: &Call, user: &str, locale: Str, extension: bool) -> Answer {
    if !extension {
        enter(service, user).inspect_err(|_| {
            events::sessions::kept_out(service.engine(), user, &call.caller.address_text());
        })?;
    }
    let (key, token) = service.sessions().fresh(service.ids());
    let session = service.begin_session(NewSession {
        key,
        token,
        user_name: Str::from(user),
        full_name: service.authorization().full_name(user),
        address: call.caller.address_text(),
        user_agent: call.caller.user_agent.clone(),
        locale,
        now: service.engine().now(),
        extension,
        idle_limit: None,
    })?;
    let shown = session.user_session();
    // A call begins one session at the most: the front end reads it from here.
    let _ = call.caller.began.set(session);
    Ok(Some(shown.into()))
}

/// The locale asked for, or the default; one that is not supported is a fault.
fn locale(service: &Service, call: &Call, slot: usize) -> Result<Str, Fault> {
    let wanted = call.text(slot);
    if wanted.is_empty() {
        return Ok(Str::from("en"));
    }
    let snapshot = service.engine().snapshot();
    let supported = Read::at(
        &*snapshot,
        &service.content().session_manager,
        path!(SessionManager, "supportedLocaleList"),
    );
    let known = wanted.len() <= LONGEST_LOCALE
        && supported.is_some_and(|list| {
            let language = wanted.split(['_', '-', '.']).next().unwrap_or(wanted);
            list.items().iter().filter_map(Value::as_str).any(|locale| {
                locale == wanted
                    || locale == language
                    || locale.starts_with(&format!("{language}_"))
            })
        });
    if known {
        Ok(Str::from(wanted))
    } else {
        Err(Fault::of(ty::InvalidLocale, format!("The locale '{wanted}' is not supported.")))
    }
}

fn logout(service: &Service, call: &Call) -> Answer {
    service.end_session(call.session()?);
    Ok(None)
}

fn is_active(service: &Service, call: &Call) -> Answer {
    let key = call.text(arg!(SessionIsActive.sessionID));
    let user = call.text(arg!(SessionIsActive.userName));
    let active = service.sessions().by_key(key).is_some_and(|session| session.user_name == user);
    Ok(Some(active.into()))
}

fn terminate(service: &Service, call: &Call) -> Answer {
    let own = call.session()?;
    for id in call.required(arg!(TerminateSession.sessionId))?.items() {
        let id = id.as_str().unwrap_or_default();
        if own.key == id {
            return Err(Fault::invalid_argument("sessionId"));
        }
        let session = service
            .sessions()
            .by_key(id)
            .ok_or_else(|| Fault::of(ty::NotFound, "The session could not be found."))?;
        events::sessions::terminated(service.engine(), &own.user_name, &session);
        service.end_session(&session);
    }
    Ok(None)
}

fn acquire_clone_ticket(service: &Service, call: &Call) -> Answer {
    let session = call.session()?;
    let ticket =
        Str::from(format!("cst-VCT-{}--tp-{}", service.ids().uuid(), service.ids().cookie()));
    service.tickets().add(ticket.clone(), session.clone());
    Ok(Some(ticket.into()))
}

fn clone_session(service: &Service, call: &Call) -> Answer {
    if call.caller.session.is_some() {
        return Err(Fault::invalid_login());
    }
    let origin = service
        .tickets()
        .take(call.text(arg!(CloneSession.cloneTicket)))
        .filter(|session| !session.has_ended())
        .ok_or_else(Fault::invalid_login)?;
    begin(service, call, &origin.user_name, origin.locale(), origin.extension)
}

fn acquire_service_ticket(service: &Service, call: &Call) -> Answer {
    call.required(arg!(AcquireGenericServiceTicket.spec))?;
    Ok(Some(
        object!(SessionManagerGenericServiceTicket {
            id: service.ids().cookie(),
            hostName: &service.config().listen.host,
        })
        .into(),
    ))
}

fn set_locale(service: &Service, call: &Call) -> Answer {
    let locale = locale(service, call, arg!(SetLocale.locale))?;
    call.session()?.set_locale(locale);
    service.touch(&call.this);
    Ok(None)
}

fn update_message(service: &Service, call: &Call) -> Answer {
    let message = call.text(arg!(UpdateServiceMessage.message));
    let manager: &MoRef = &call.this;
    service.commit(call, |tx| {
        let before = tx.text(manager, path!(SessionManager, "message")).to_owned();
        tx.set(manager, path!(SessionManager, "message"), message)?;
        let event = object!(GlobalMessageChangedEvent { message: message, prevMessage: before });
        events::post_of_server(tx, &event);
        Ok(())
    })?;
    Ok(None)
}
