//! `PropertyCollector` and `PropertyFilter`: the calls by which clients read
//! and wait. The work is done in [`crate::collector`]; here it gets a session.
//!
//! The default collector is one object for everybody, but what it holds
//! (filters, versions, pages) is each session's own. It and the collectors that
//! a session makes are session objects; the default one from its first use on.

use std::sync::Arc;
use std::time::Duration;

use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler, Reply, Waiting};
use super::service::Service;
use super::session::{Session, SessionObject};
use super::source::SessionSource;
use crate::collector::{Collector, Limits, Page, Request, Source, Wait, fetch};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::object;
use crate::schema::{Type, method, ty};
use crate::value::{MoRef, Object, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::PropertyCollector, method::CreateFilter, Handler::Now(create_filter)),
    (ty::PropertyCollector, method::RetrieveProperties, Handler::Read(retrieve)),
    (ty::PropertyCollector, method::RetrievePropertiesEx, Handler::Read(retrieve_ex)),
    (ty::PropertyCollector, method::ContinueRetrievePropertiesEx, Handler::Read(continue_retrieve)),
    (ty::PropertyCollector, method::CancelRetrievePropertiesEx, Handler::Now(cancel_retrieve)),
    (ty::PropertyCollector, method::CheckForUpdates, Handler::Wait(check)),
    (ty::PropertyCollector, method::WaitForUpdates, Handler::Wait(wait)),
    (ty::PropertyCollector, method::WaitForUpdatesEx, Handler::Wait(wait_ex)),
    (ty::PropertyCollector, method::CancelWaitForUpdates, Handler::Now(cancel_wait)),
    (ty::PropertyCollector, method::CreatePropertyCollector, Handler::Now(create_collector)),
    (ty::PropertyCollector, method::DestroyPropertyCollector, Handler::Now(destroy_collector)),
    (ty::PropertyFilter, method::DestroyPropertyFilter, Handler::Now(destroy_filter)),
    (ty::ManagedObject, method::Fetch, Handler::Now(fetch_property)),
];

/// Any managed object tells any of its properties.
fn fetch_property(service: &Service, call: &Call) -> Answer {
    let source = SessionSource::of(service, call);
    fetch(&source, &call.this, call.text(arg!(Fetch.prop)))
}

/// A collector in its session.
struct SessionCollector(Collector);

impl SessionCollector {
    fn new(service: &Service, session: &Session) -> Self {
        let index = service.subscriptions().clone();
        Self(Collector::within(index, Limits::default(), session.budget().clone()))
    }
}

impl SessionObject for SessionCollector {
    fn properties(&self, _: &Snapshot) -> Object {
        object!(PropertyCollector { filter: self.0.filters() })
    }

    fn close(&self) {
        self.0.close();
    }
}

/// A filter in its session; what it does is its collector's.
struct SessionFilter {
    mo: MoRef,
    manager: MoRef,
    collector: Arc<SessionCollector>,
}

impl SessionObject for SessionFilter {
    fn properties(&self, _: &Snapshot) -> Object {
        let (spec, partial) = self.collector.0.filter(&self.mo).unzip();
        object!(PropertyFilter { spec: spec, partialUpdates: partial })
    }

    fn close(&self) {
        self.collector.0.destroy_filter(&self.mo);
    }
}

/// A new reference to an object of a session, as vCenter writes them.
pub(super) fn session_moref(service: &Service, session: &Session, ty: Type) -> MoRef {
    loop {
        let mo =
            MoRef::new(ty, &format!("session[{}]{}", session.key, service.ids().session_key()));
        // One may come up again when the source of ids has gone back.
        if session.object(&mo).is_none() {
            return mo;
        }
    }
}

/// Gives a session an object, within the limit on objects of its kind.
pub(super) fn give(
    session: &Session,
    mo: &MoRef,
    object: Arc<dyn SessionObject>,
    (kind, limit): (Type, usize),
) -> Result<(), Fault> {
    if session.add_limited(mo.clone(), object, kind, limit) {
        return Ok(());
    }
    // Which faults the real product has for this is not documented; this one every
    // method may raise. Who is logged out meanwhile is told that instead.
    Err(if session.has_ended() {
        Fault::not_found(mo)
    } else {
        let name = kind.name();
        Fault::system_error(&format!("a session cannot have more than {limit} of {name}"))
    })
}

/// The caller's collector that the call is for.
fn collector(service: &Service, call: &Call) -> Result<Arc<SessionCollector>, Fault> {
    let session = call.session()?;
    let make = || Arc::new(SessionCollector::new(service, session));
    if service.engine().snapshot().exists(&call.this) {
        session.object_or_add(&call.this, make)
    } else {
        session.object_as(&call.this)
    }
    .ok_or_else(|| Fault::not_found(&call.this))
}

fn specs(value: Option<&Value>) -> impl Iterator<Item = &Object> {
    value.map(Value::items).unwrap_or_default().iter().filter_map(Value::as_object)
}

fn retrieve(service: &Service, call: &Call) -> Result<Reply, Fault> {
    let specs = specs(call.get(arg!(RetrieveProperties.specSet)));
    let source = SessionSource::of(service, call);
    let contents = Request::compile(specs)?.known_to(source.speaks()).retrieve(&source)?;
    Ok(Reply::Contents(contents))
}

fn retrieve_ex(service: &Service, call: &Call) -> Result<Reply, Fault> {
    let specs = specs(call.get(arg!(RetrievePropertiesEx.specSet)));
    let options = call.get(arg!(RetrievePropertiesEx.options)).and_then(Value::as_object);
    let source = SessionSource::of(service, call);
    let page = if call.caller.session.is_some() {
        collector(service, call)?.0.retrieve(specs, options, &source)?
    } else {
        // Nobody could come back for a second page, and all that can be read
        // without a login are a few properties of a few objects.
        let contents = Request::compile(specs)?.known_to(source.speaks()).retrieve(&source)?;
        (!contents.is_empty()).then_some(Page { token: None, contents })
    };
    Ok(page.map_or(Reply::Value(None), Reply::Page))
}

fn continue_retrieve(service: &Service, call: &Call) -> Result<Reply, Fault> {
    let token = call.text(arg!(ContinueRetrievePropertiesEx.token));
    let source = SessionSource::of(service, call);
    collector(service, call)?.0.continue_retrieval(token, &source).map(Reply::Page)
}

fn cancel_retrieve(service: &Service, call: &Call) -> Answer {
    let token = call.text(arg!(CancelRetrievePropertiesEx.token));
    collector(service, call)?.0.cancel_retrieval(token)?;
    Ok(None)
}

fn create_filter(service: &Service, call: &Call) -> Answer {
    let session = call.session()?;
    let collector = collector(service, call)?;
    let spec = call.required(arg!(CreateFilter.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    let partial = call.flag(arg!(CreateFilter.partialUpdates));
    let mo = session_moref(service, session, ty::PropertyFilter);
    let limits = &service.config().limits;
    let source = SessionSource::of(service, call);
    collector.0.create_filter(mo.clone(), spec, partial, &source)?;
    let filter = SessionFilter { mo: mo.clone(), manager: call.this.clone(), collector };
    give(session, &mo, Arc::new(filter), (ty::PropertyFilter, limits.filters))?;
    service.touch(&call.this);
    Ok(Some(mo.into()))
}

fn destroy_filter(service: &Service, call: &Call) -> Answer {
    let session = call.session()?;
    let filter: Option<Arc<SessionFilter>> = session.object_as(&call.this);
    let filter = filter.ok_or_else(|| Fault::not_found(&call.this))?;
    if !session.remove_object(&call.this) {
        return Err(Fault::not_found(&call.this));
    }
    service.touch(&call.this);
    service.touch(&filter.manager);
    Ok(None)
}

fn create_collector(service: &Service, call: &Call) -> Answer {
    let session = call.session()?;
    let mo = session_moref(service, session, ty::PropertyCollector);
    let limit = service.config().limits.collectors;
    let collector = Arc::new(SessionCollector::new(service, session));
    give(session, &mo, collector, (ty::PropertyCollector, limit))?;
    Ok(Some(mo.into()))
}

fn destroy_collector(service: &Service, call: &Call) -> Answer {
    let session = call.session()?;
    if service.engine().snapshot().exists(&call.this) {
        return Err(Fault::not_supported());
    }
    let filters = collector(service, call)?.0.filters();
    if !session.remove_object(&call.this) {
        return Err(Fault::not_found(&call.this));
    }
    for filter in filters {
        session.remove_object(&filter);
    }
    service.touch(&call.this);
    Ok(None)
}

fn check<'a>(service: &'a Arc<Service>, call: &'a Call) -> Waiting<'a> {
    let wait = Wait::check(call.text(arg!(CheckForUpdates.version)));
    Box::pin(updates(service, call, Ok(wait)))
}

fn wait<'a>(service: &'a Arc<Service>, call: &'a Call) -> Waiting<'a> {
    let wait = Wait::plain(call.text(arg!(WaitForUpdates.version)));
    Box::pin(updates(service, call, Ok(wait)))
}

fn wait_ex<'a>(service: &'a Arc<Service>, call: &'a Call) -> Waiting<'a> {
    let version = call.text(arg!(WaitForUpdatesEx.version));
    let options = call.get(arg!(WaitForUpdatesEx.options)).and_then(Value::as_object);
    Box::pin(updates(service, call, Wait::ex(version, options, Limits::default())))
}

async fn updates(service: &Arc<Service>, call: &Call, wait: Result<Wait, Fault>) -> Answer {
    let wait = wait?;
    let collector = collector(service, call)?;
    let source = || SessionSource::of(service, call);
    let updates = collector.0.wait(&wait, source, timeout(service, wait.max_wait())).await?;
    // What an ending session still sees is not what there is.
    if call.session()?.has_ended() {
        return Err(Fault::request_canceled());
    }
    Ok(updates.map(Value::Object))
}

/// Ends when a wait is over, by the clock of the server.
async fn timeout(service: &Service, after: Option<Duration>) {
    match after {
        Some(after) => service.engine().sleep(after).await,
        None => std::future::pending().await,
    }
}

fn cancel_wait(service: &Service, call: &Call) -> Answer {
    collector(service, call)?.0.cancel_wait();
    Ok(None)
}
