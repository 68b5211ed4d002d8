//! A server with a client that asks for events.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use vimsim::config::{ClockMode, Config};
use vimsim::fault::Result;
use vimsim::inventory::Read;
use vimsim::path;
use vimsim::schema::{Method, Type, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::vsphere::{Call, Caller, Service, Session};

/// A call in the making: `args![Login: userName: "a", password: "b"]`.
macro_rules! args {
    ($method:ident $(, $param:tt : $value:expr)* $(,)?) => {{
        use vimsim::schema::method;
        let given: Vec<(usize, vimsim::value::Value)> = vec![$((
            method::$method.param_slot(stringify!($param)),
            vimsim::value::Value::from($value),
        )),*];
        let mut args = vec![None; method::$method.params().len()];
        given.into_iter().for_each(|(slot, value)| args[slot] = Some(value));
        (method::$method, args)
    }};
}
pub(super) use args;

pub(super) type Args = (Method, Vec<Option<Value>>);

/// A server and a login.
pub(super) struct Client {
    pub(super) service: Arc<Service>,
    pub(super) session: Option<Arc<Session>>,
}

/// The answer of a call that does not have to wait.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the call waits"),
    }
}

impl Client {
    /// A client of a new server whose clock stands still.
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same with other settings.
    pub(super) fn with(settings: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { clock: ClockMode::Stepped, seed: Some(7), ..Config::default() };
        settings(&mut config);
        Self::of(&Service::new(config).unwrap(), "tester")
    }

    /// Another client of the same server.
    pub(super) fn of(service: &Arc<Service>, user: &str) -> Self {
        let mut client = Self { service: service.clone(), session: None };
        client.login(user, "secret").unwrap();
        client
    }

    pub(super) fn login(&mut self, user: &str, password: &str) -> Result<()> {
        self.session = None;
        let this = self.service.content().session_manager.clone();
        let call = self.prepare(&this, args!(Login, userName: user, password: password));
        now(self.service.call(&call))?;
        self.session = call.caller.began.get().cloned();
        Ok(())
    }

    pub(super) fn prepare(&self, this: &MoRef, (method, args): Args) -> Call {
        let mut caller = Caller::anonymous(self.service.version());
        caller.session = self.session.clone();
        caller.address = "192.0.2.7".parse().ok();
        caller.user_agent = "tests".into();
        Call { this: this.clone(), method, args: args.into(), caller }
    }

    pub(super) fn call(&self, this: &MoRef, args: Args) -> Result<Option<Value>> {
        now(self.service.call(&self.prepare(this, args)))
    }

    /// Calls a method that answers with a reference.
    pub(super) fn make(&self, this: &MoRef, args: Args) -> MoRef {
        self.call(this, args).unwrap().unwrap().as_moref().cloned().unwrap()
    }

    /// Calls a method that makes a task, and lets all time pass that it needs.
    pub(super) fn run(&self, this: &MoRef, args: Args) -> MoRef {
        let task = self.make(this, args);
        self.service.engine().run_until_idle(Duration::from_secs(3600)).unwrap();
        task
    }

    pub(super) fn named(&self, name: &str) -> MoRef {
        let snapshot = self.service.engine().snapshot();
        let mut found: Vec<MoRef> = snapshot
            .of_type(ty::ManagedEntity)
            .filter(|(mo, _)| snapshot.text(mo, path!(ManagedEntity, "name")) == name)
            .map(|(mo, _)| mo.clone())
            .collect();
        found.sort();
        found.into_iter().next().unwrap_or_else(|| panic!("no {name}"))
    }

    /// One property of an object.
    pub(super) fn get(&self, this: &MoRef, property: &str) -> Option<Value> {
        self.call(this, args!(Fetch, prop: property)).unwrap()
    }

    /// The event manager.
    pub(super) fn manager(&self) -> MoRef {
        self.service.content().event_manager.clone().unwrap()
    }

    /// The events that a filter lets through, oldest first.
    pub(super) fn events(&self, filter: Object) -> Vec<Object> {
        let mut found = self.query(filter).unwrap();
        found.reverse();
        found
    }

    /// What QueryEvents answers.
    pub(super) fn query(&self, filter: Object) -> Result<Vec<Object>> {
        let answer = self.call(&self.manager(), args!(QueryEvents, filter: filter))?;
        Ok(objects(answer.as_ref()))
    }

    /// The events in the chain of a task, oldest first.
    pub(super) fn chain(&self, task: &MoRef) -> Vec<Object> {
        let info = self.get(task, "info").unwrap();
        let chain = number(info.as_object().unwrap(), "eventChainId");
        self.events(vimsim::object!(EventFilterSpec { eventChainId: chain }))
    }
}

pub(super) fn objects(value: Option<&Value>) -> Vec<Object> {
    let items = value.map(Value::items).unwrap_or_default();
    items.iter().map(|item| item.as_object().unwrap().clone()).collect()
}

pub(super) fn number(object: &Object, field: &str) -> i32 {
    object.field(field).and_then(Value::as_i32).unwrap_or_else(|| panic!("no {field}: {object:?}"))
}

pub(super) fn text<'a>(object: &'a Object, path: &str) -> &'a str {
    let mut at = object;
    let (front, last) = path.rsplit_once('.').unwrap_or(("", path));
    for step in front.split('.').filter(|step| !step.is_empty()) {
        at = at
            .field(step)
            .and_then(Value::as_object)
            .unwrap_or_else(|| panic!("no {step}: {at:?}"));
    }
    at.field(last).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn message(event: &Object) -> &str {
    text(event, "fullFormattedMessage")
}

pub(super) fn types(events: &[Object]) -> Vec<&'static str> {
    events.iter().map(|event| event.ty().name()).collect()
}

pub(super) fn keys(events: &[Object]) -> Vec<i32> {
    events.iter().map(|event| number(event, "key")).collect()
}

/// The first event of a type.
pub(super) fn first(events: &[Object], of: Type) -> &Object {
    let found = events.iter().find(|event| event.ty() == of);
    found.unwrap_or_else(|| panic!("no {of} among {:?}", types(events)))
}
