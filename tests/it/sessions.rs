//! Sessions as clients have them: how they begin, what ends them, and that
//! everything that belongs to one ends with it. Time is the stepped clock's.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use vimsim::config::{ClockMode, Config, Login};
use vimsim::fault::{Fault, Result};
use vimsim::schema::{Method, Type, method, ty};
use vimsim::value::{Array, MoRef, Object, Value};
use vimsim::vsphere::{Call, Caller, Service, Session};
use vimsim::{object, path};

const MINUTE: Duration = Duration::from_secs(60);

/// A client that may be logged in, as the front end sees it: it knows a token.
struct Client {
    service: Arc<Service>,
    token: String,
    has_certificate: bool,
    has_token: bool,
}

/// A call in the making: `args![Login: userName: "a", password: "b"]`.
macro_rules! args {
    ($method:ident $(, $param:tt : $value:expr)* $(,)?) => {{
        let given: Vec<(usize, Value)> =
            vec![$((method::$method.param_slot(stringify!($param)), Value::from($value))),*];
        let mut args = vec![None; method::$method.params().len()];
        given.into_iter().for_each(|(slot, value)| args[slot] = Some(value));
        (method::$method, args)
    }};
}

type Args = (Method, Vec<Option<Value>>);

/// A server on which sessions end after ten idle minutes.
fn server() -> Arc<Service> {
    server_with(|_| {})
}

fn server_with(settings: impl FnOnce(&mut Config)) -> Arc<Service> {
    let mut config = Config {
        clock: ClockMode::Stepped,
        seed: Some(7),
        session_timeout: 10 * MINUTE,
        ..Config::default()
    };
    settings(&mut config);
    Service::new(config).unwrap()
}

fn advance(service: &Service, time: Duration) {
    service.engine().advance(time).unwrap();
}

impl Client {
    /// Nobody yet.
    fn new(service: &Arc<Service>) -> Self {
        let service = service.clone();
        Self { service, token: String::new(), has_certificate: false, has_token: false }
    }

    /// Somebody who is logged in.
    fn of(service: &Arc<Service>, user: &str) -> Self {
        let mut client = Self::new(service);
        client.enter(args!(Login, userName: user, password: "secret")).unwrap();
        client
    }

    fn prepare(&self, this: &MoRef, (method, args): Args) -> Call {
        let mut caller = Caller::anonymous(self.service.version());
        caller.session = self.service.session(&self.token);
        caller.has_certificate = self.has_certificate;
        caller.has_token = self.has_token;
        Call { this: this.clone(), method, args: args.into(), caller }
    }

    fn call(&self, this: &MoRef, args: Args) -> Result<Option<Value>> {
        let call = self.prepare(this, args);
        poll(pin!(self.service.call(&call))).expect("an answer")
    }

    /// A call of the session manager.
    fn manage(&self, args: Args) -> Result<Option<Value>> {
        self.call(&manager(), args)
    }

    /// A call that begins a session, whose token the client keeps.
    fn enter(&mut self, args: Args) -> Result<Object> {
        let call = self.prepare(&manager(), args);
        let answer = poll(pin!(self.service.call(&call))).expect("an answer")?;
        let began = call.caller.began.get().expect("a session");
        self.token = began.token.to_string();
        let shown = answer.unwrap().as_object().cloned().unwrap();
        assert_eq!(text(&shown, "key"), began.key.as_str());
        Ok(shown)
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.service.sessions().by_token(&self.token)
    }

    fn key(&self) -> String {
        self.session().expect("a session").key.to_string()
    }

    fn is_alive(&self) -> bool {
        self.session().is_some()
    }

    fn fetch(&self, this: &MoRef, property: &str) -> Result<Option<Value>> {
        self.call(this, (method::Fetch, vec![Some(Value::from(property))]))
    }

    fn make(&self, this: &MoRef, args: Args) -> MoRef {
        self.call(this, args).unwrap().unwrap().as_moref().cloned().unwrap()
    }

    /// A filter on the name of all machines, through a view.
    fn watch_machines(&self) -> (MoRef, MoRef) {
        let types = Array::new(ty::STRING, vec![Value::from("VirtualMachine")]);
        let root = &self.service.content().root_folder;
        let create = args!(CreateContainerView, container: root, type: types, recursive: true);
        let view = self.make(&MoRef::new(ty::ViewManager, "ViewManager"), create);
        let members = object!(TraversalSpec { type: "ContainerView", path: "view", skip: false });
        let root = object!(ObjectSpec { obj: &view, skip: true, selectSet: vec![members] });
        let filter = self.filter(ty::VirtualMachine, "name", root);
        (view, filter)
    }

    fn filter(&self, of: Type, property: &str, root: Object) -> MoRef {
        let spec = object!(PropertyFilterSpec {
            propSet: vec![object!(PropertySpec { type: of.name(), pathSet: vec![property] })],
            objectSet: vec![root],
        });
        self.make(&collector(), args!(CreateFilter, spec: spec, partialUpdates: false))
    }

    /// A call that waits for changes after `version`.
    fn wait(&self, version: &str) -> Call {
        self.prepare(&collector(), args!(WaitForUpdatesEx, version: version))
    }

    /// The version of everything that there is to tell now.
    fn up_to_date(&self) -> String {
        let everything = self.call(&collector(), args!(CheckForUpdates, version: ""));
        text(everything.unwrap().unwrap().as_object().unwrap(), "version").to_owned()
    }

    /// The names of those who are logged in, as the client is told.
    fn users(&self) -> Vec<String> {
        users(&self.fetch(&manager(), "sessionList").unwrap().unwrap())
    }
}

fn manager() -> MoRef {
    MoRef::new(ty::SessionManager, "SessionManager")
}

fn collector() -> MoRef {
    MoRef::new(ty::PropertyCollector, "propertyCollector")
}

fn instance() -> MoRef {
    MoRef::new(ty::ServiceInstance, "ServiceInstance")
}

fn text<'o>(object: &'o Object, field: &str) -> &'o str {
    object.field(field).and_then(Value::as_str).unwrap_or_default()
}

fn users(list: &Value) -> Vec<String> {
    let sessions = list.items().iter().filter_map(Value::as_object);
    sessions.map(|session| text(session, "userName").to_owned()).collect()
}

fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn fault(answer: Result<impl std::fmt::Debug>) -> Type {
    answer.expect_err("a fault").ty()
}

/// Asks for the time, as clients do to keep a session.
fn time(client: &Client) -> Result<Option<Value>> {
    client.call(&instance(), args!(CurrentTime))
}

#[test]
fn idle_sessions_end_at_their_time_with_all_they_have() {
    let service = server();
    let idle = Client::of(&service, "idle");
    idle.watch_machines();
    idle.up_to_date();
    let busy = Client::of(&service, "busy");
    assert!(!service.subscriptions().is_empty());
    let key = idle.key();

    advance(&service, 5 * MINUTE);
    time(&busy).unwrap();
    advance(&service, 5 * MINUTE - Duration::from_micros(1));
    assert!(idle.is_alive());
    advance(&service, Duration::from_micros(1));
    assert!(!idle.is_alive(), "nobody called, and yet it has ended");
    assert!(service.subscriptions().is_empty());
    assert_eq!(fault(time(&idle)), ty::NotAuthenticated);
    let is_active = args!(SessionIsActive, sessionID: key.as_str(), userName: "idle");
    assert_eq!(busy.manage(is_active), Ok(Some(Value::Boolean(false))));
    assert_eq!(busy.users(), ["busy"]);

    advance(&service, 10 * MINUTE + Duration::from_secs(1));
    assert!(service.sessions().is_empty());
    let late = Client::of(&service, "late");
    advance(&service, 11 * MINUTE);
    assert!(!late.is_alive(), "sessions are watched again after there were none");
}

#[test]
fn sessions_without_a_timeout_do_not_end() {
    let service = server_with(|config| config.session_timeout = Duration::ZERO);
    let client = Client::of(&service, "patient");
    advance(&service, 100_000 * MINUTE);
    assert!(time(&client).is_ok());
}

#[test]
fn who_waits_is_not_idle_and_not_at_once_when_the_wait_is_over() {
    let service = server();
    let client = Client::of(&service, "waiting");
    client.watch_machines();
    let version = client.up_to_date();
    let call = client.wait(&version);
    let mut waiting = pin!(service.call(&call));
    assert!(poll(waiting.as_mut()).is_none());
    advance(&service, 60 * MINUTE);
    assert!(client.is_alive());

    let machine = service.engine().snapshot().of_type(ty::VirtualMachine).next().unwrap().0.clone();
    let renamed =
        service.engine().commit(|tx| tx.set(&machine, path!(VirtualMachine, "name"), "x"));
    renamed.unwrap();
    assert!(poll(waiting.as_mut()).unwrap().unwrap().is_some());
    advance(&service, 9 * MINUTE);
    assert!(client.is_alive());
    advance(&service, MINUTE);
    assert!(!client.is_alive());
}

#[test]
fn who_hangs_up_in_a_wait_is_idle_from_then_on() {
    let service = server();
    let client = Client::of(&service, "gone");
    let call = client.wait("");
    {
        let mut waiting = pin!(service.call(&call));
        assert!(poll(waiting.as_mut()).is_none());
        advance(&service, 30 * MINUTE);
    }
    advance(&service, 9 * MINUTE);
    assert!(client.is_alive());
    advance(&service, MINUTE);
    assert!(!client.is_alive());
}

#[test]
fn logins_are_checked() {
    let service = server_with(|config| {
        let login = |text: &str| Some(text.to_owned());
        config.login = Login { username: login("ann"), password: login("secret") };
    });
    let mut client = Client::new(&service);
    for (user, password) in [("ann", "wrong"), ("bob", "secret"), ("", "")] {
        let login = args!(Login, userName: user, password: password);
        assert_eq!(fault(client.enter(login)), ty::InvalidLogin, "{user}");
    }
    let elsewhere = args!(Login, userName: "ann", password: "secret", locale: "xx");
    assert_eq!(fault(client.enter(elsewhere)), ty::InvalidLocale);
    assert!(service.sessions().is_empty());

    let shown = client.enter(args!(Login, userName: "ann", password: "secret", locale: "de"));
    assert_eq!(text(&shown.unwrap(), "locale"), "de");
    let again = client.enter(args!(Login, userName: "ann", password: "secret"));
    assert_eq!(fault(again), ty::InvalidLogin);
    assert!(client.is_alive(), "who fails to log in again stays logged in");
}

#[test]
fn without_a_login_little_can_be_read() {
    let service = server();
    let nobody = Client::new(&service);
    assert!(nobody.call(&instance(), args!(RetrieveServiceContent)).is_ok());
    assert_eq!(nobody.fetch(&manager(), "currentSession"), Ok(None));
    assert_eq!(fault(nobody.fetch(&manager(), "sessionList")), ty::NotAuthenticated);
    assert_eq!(fault(time(&nobody)), ty::NotAuthenticated);
    assert_eq!(fault(nobody.manage(args!(Logout))), ty::NotAuthenticated);
    let forged = Client { token: "0".repeat(40), ..Client::new(&service) };
    assert_eq!(fault(time(&forged)), ty::NotAuthenticated);
}

#[test]
fn a_clone_ticket_is_good_for_one_login() {
    let service = server();
    let origin = Client::of(&service, "origin");
    let ticket = |client: &Client| -> String {
        let ticket = client.manage(args!(AcquireCloneTicket)).unwrap().unwrap();
        ticket.as_str().unwrap().to_owned()
    };
    let first = ticket(&origin);
    let clone = |ticket: &str| args!(CloneSession, cloneTicket: ticket);
    assert_eq!(fault(origin.manage(clone(&first))), ty::InvalidLogin, "who is logged in");

    let mut copy = Client::new(&service);
    let shown = copy.enter(clone(&first)).unwrap();
    assert_eq!(text(&shown, "userName"), "origin");
    assert_ne!(copy.key(), origin.key());
    assert_ne!(copy.token, origin.token);
    assert_eq!(fault(Client::new(&service).enter(clone(&first))), ty::InvalidLogin);
    assert_eq!(fault(Client::new(&service).enter(clone("cst-VCT-made-up"))), ty::InvalidLogin);

    let (left, kept) = (ticket(&origin), ticket(&copy));
    origin.manage(args!(Logout)).unwrap();
    assert_eq!(fault(Client::new(&service).enter(clone(&left))), ty::InvalidLogin);
    assert!(copy.is_alive() && Client::new(&service).enter(clone(&kept)).is_ok());
}

#[test]
fn sessions_are_terminated_one_by_one() {
    let service = server();
    let own = Client::of(&service, "own");
    let others: Vec<Client> = ["a", "b", "c"].map(|user| Client::of(&service, user)).into();
    let terminate = |keys: &[&str]| {
        let keys = keys.iter().map(|key| Value::from(*key)).collect();
        args!(TerminateSession, sessionId: Array::new(ty::STRING, keys))
    };
    let keys: Vec<String> = others.iter().map(Client::key).collect();
    let call = others[0].wait("");
    let mut waiting = pin!(service.call(&call));
    assert!(poll(waiting.as_mut()).is_none());

    let stopped = own.manage(terminate(&[&keys[0], "unknown", &keys[1]]));
    assert_eq!(fault(stopped), ty::NotFound);
    assert!(!others[0].is_alive() && others[1].is_alive(), "what came before stays done");
    assert_eq!(poll(waiting.as_mut()).unwrap(), Err(Fault::request_canceled()));

    let stopped = own.manage(terminate(&[&keys[1], &own.key(), &keys[2]]));
    assert_eq!(stopped, Err(Fault::invalid_argument("sessionId")));
    assert!(own.is_alive() && !others[1].is_alive() && others[2].is_alive());
    assert_eq!(own.manage(terminate(&[&keys[2]])), Ok(None));
    assert_eq!(own.users(), ["own"]);
}

#[test]
fn a_session_is_active_for_its_user() {
    let service = server();
    let (client, other) = (Client::of(&service, "ann"), Client::of(&service, "bob"));
    let is_active = |key: &str, user: &str| {
        let call = args!(SessionIsActive, sessionID: key, userName: user);
        other.manage(call).unwrap() == Some(Value::Boolean(true))
    };
    let key = client.key();
    assert!(is_active(&key, "ann"));
    assert!(!is_active(&key, "bob") && !is_active("unknown", "ann"));
    client.manage(args!(Logout)).unwrap();
    assert!(!is_active(&key, "ann"));
}

#[test]
fn extensions_log_in_with_a_certificate() {
    const KEY: &str = "com.vmware.govmomi.simulator";
    let service = server();
    let by_certificate = |key: &str| args!(LoginExtensionByCertificate, extensionKey: key);
    let by_name = |key: &str| args!(LoginExtensionBySubjectName, extensionKey: key);
    let mut client = Client::new(&service);
    for login in [by_certificate(KEY), by_name(KEY)] {
        assert_eq!(fault(client.enter(login)), ty::NoClientCertificate);
    }
    client.has_certificate = true;
    assert_eq!(fault(client.enter(by_certificate("unknown"))), ty::InvalidLogin);
    assert_eq!(fault(client.enter(by_name("unknown"))), ty::NotFound);
    assert_eq!(fault(client.enter(by_name(KEY))), ty::NoSubjectName);

    let shown = client.enter(by_certificate(KEY)).unwrap();
    assert_eq!(text(&shown, "userName"), KEY);
    assert_eq!(shown.field("extensionSession"), Some(&Value::Boolean(true)));
    assert_eq!(fault(client.enter(by_certificate(KEY))), ty::InvalidLogin, "it has a session");

    let extensions = MoRef::new(ty::ExtensionManager, "ExtensionManager");
    let named = object!(Extension {
        description: object!(Description { label: "named", summary: "named" }),
        key: "org.example.named",
        version: "1",
        subjectName: "CN=named",
        lastHeartbeatTime: service.engine().now(),
    });
    client.call(&extensions, args!(RegisterExtension, extension: named)).unwrap();
    let mut named = Client { has_certificate: true, ..Client::new(&service) };
    let shown = named.enter(by_name("org.example.named")).unwrap();
    assert_eq!(text(&shown, "userName"), "org.example.named");
}

#[test]
fn a_token_must_be_there() {
    let service = server();
    let mut client = Client::new(&service);
    assert_eq!(fault(client.enter(args!(LoginByToken))), ty::InvalidLogin);
    client.has_token = true;
    client.enter(args!(LoginByToken)).unwrap();
    assert_eq!(fault(client.enter(args!(LoginByToken))), ty::InvalidLogin);
}

#[test]
fn a_session_becomes_somebody_elses() {
    let service = server();
    let mut client = Client::of(&service, "ann");
    let before = client.token.clone();
    let (view, _) = client.watch_machines();
    assert_eq!(fault(client.enter(args!(ImpersonateUser, userName: ""))), ty::InvalidLogin);
    assert!(client.is_alive());
    let shown = client.enter(args!(ImpersonateUser, userName: "bob")).unwrap();
    assert_eq!(text(&shown, "userName"), "bob");
    assert_eq!(client.users(), ["bob"]);
    assert!(service.session(&before).is_none());
    assert_eq!(fault(client.fetch(&view, "view")), ty::ManagedObjectNotFound);
}

#[test]
fn who_watches_the_manager_sees_others_come_and_go() {
    let service = server();
    let watcher = Client::of(&service, "watcher");
    let root = object!(ObjectSpec { obj: manager() });
    watcher.filter(ty::SessionManager, "sessionList", root);
    let mut version = watcher.up_to_date();
    let mut next = |act: &mut dyn FnMut()| -> Vec<String> {
        let call = watcher.wait(&version);
        let mut waiting = pin!(service.call(&call));
        assert!(poll(waiting.as_mut()).is_none(), "nothing has happened yet");
        act();
        let set = poll(waiting.as_mut()).expect("an update").unwrap().unwrap();
        let set = set.as_object().unwrap();
        version = text(set, "version").to_owned();
        let part = |object: &Object, field: &str| {
            object.field(field).unwrap().items()[0].as_object().cloned().unwrap()
        };
        let update = part(&part(set, "filterSet"), "objectSet");
        let change = part(&update, "changeSet");
        assert_eq!((text(&update, "kind"), text(&change, "name")), ("modify", "sessionList"));
        users(change.field("val").unwrap())
    };
    let mut other = None;
    let come = &mut || other = Some(Client::of(&service, "other"));
    assert_eq!(next(come), ["watcher", "other"]);
    let other = other.unwrap();
    assert_eq!(next(&mut || drop(other.manage(args!(Logout)).unwrap())), ["watcher"]);
    let _idle = Client::of(&service, "idle");
    let both = watcher.call(&collector(), args!(CheckForUpdates, version: version.as_str()));
    version = text(both.unwrap().unwrap().as_object().unwrap(), "version").to_owned();
    let call = watcher.wait(&version);
    let mut waiting = pin!(service.call(&call));
    assert!(poll(waiting.as_mut()).is_none());
    advance(&service, 11 * MINUTE);
    assert!(poll(waiting.as_mut()).unwrap().unwrap().is_some(), "an idle one has gone");
}

#[test]
fn a_session_is_shown_as_it_is() {
    let service = server();
    let client = Client::of(&service, "ann");
    advance(&service, MINUTE);
    let own =
        |path: &str| client.fetch(&manager(), &format!("currentSession.{path}")).unwrap().unwrap();
    assert_eq!(own("userName").as_str(), Some("ann"));
    assert_eq!(own("lastActiveTime"), Value::DateTime(service.engine().now()));
    assert_ne!(own("loginTime"), own("lastActiveTime"));
    let calls = own("callCount").as_i64().unwrap();
    assert_eq!(own("callCount").as_i64(), Some(calls + 1));
    client.manage(args!(SetLocale, locale: "de")).unwrap();
    assert_eq!(own("locale").as_str(), Some("de"));
    assert_eq!(own("messageLocale").as_str(), Some("en"));
    assert_eq!(fault(client.manage(args!(SetLocale, locale: "xx"))), ty::InvalidLocale);

    client.manage(args!(UpdateServiceMessage, message: "down at noon")).unwrap();
    let message = Client::of(&service, "bob").fetch(&manager(), "message").unwrap().unwrap();
    assert_eq!(message.as_str(), Some("down at noon"));
}

#[test]
fn a_logout_ends_waits_and_drops_what_the_session_had() {
    let service = server();
    let client = Client::of(&service, "ann");
    let (view, filter) = client.watch_machines();
    let second = client.make(&collector(), args!(CreatePropertyCollector));
    let version = client.up_to_date();
    let calls =
        [client.wait(&version), client.prepare(&second, args!(WaitForUpdates, version: ""))];
    let mut waits = calls.each_ref().map(|call| Box::pin(service.call(call)));
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_none());
    }
    client.manage(args!(Logout)).unwrap();
    for wait in &mut waits {
        assert_eq!(poll(wait.as_mut()).unwrap(), Err(Fault::request_canceled()));
    }
    assert!(service.subscriptions().is_empty());
    assert_eq!(fault(client.manage(args!(Logout))), ty::NotAuthenticated);

    let mut client = client;
    client.enter(args!(Login, userName: "ann", password: "secret")).unwrap();
    for mo in [&view, &filter, &second] {
        let gone = client.call(mo, (method::Fetch, vec![Some(Value::from("filter"))]));
        assert_eq!(gone, Err(Fault::not_found(mo)));
    }
    let old = client.call(&collector(), args!(CheckForUpdates, version: version.as_str()));
    assert_eq!(fault(old), ty::InvalidCollectorVersion);
}

#[test]
fn what_belongs_to_a_session_is_out_of_reach_for_others() {
    let service = server();
    let (owner, other) = (Client::of(&service, "ann"), Client::of(&service, "ann"));
    let (view, filter) = owner.watch_machines();
    let second = owner.make(&collector(), args!(CreatePropertyCollector));
    for (mo, args) in [
        (&view, args!(DestroyView)),
        (&filter, args!(DestroyPropertyFilter)),
        (&second, args!(DestroyPropertyCollector)),
        (&second, args!(WaitForUpdatesEx, version: "")),
        (&second, args!(CancelWaitForUpdates)),
    ] {
        assert_eq!(other.call(mo, args), Err(Fault::not_found(mo)));
    }
    other.call(&collector(), args!(CancelWaitForUpdates)).unwrap();
    other.manage(args!(Logout)).unwrap();
    assert_eq!(owner.fetch(&view, "view").unwrap().unwrap().items().len(), 4);
    owner.call(&filter, args!(DestroyPropertyFilter)).unwrap();
    owner.call(&second, args!(DestroyPropertyCollector)).unwrap();
}

#[test]
fn closing_the_server_answers_everybody() {
    let service = server();
    let client = Client::of(&service, "ann");
    let call = client.wait("");
    let mut waiting = pin!(service.call(&call));
    assert!(poll(waiting.as_mut()).is_none());
    service.close();
    assert_eq!(poll(waiting.as_mut()).unwrap(), Err(Fault::request_canceled()));
}

#[test]
fn a_ticket_for_another_service_names_the_host() {
    let service = server();
    let spec =
        object!(SessionManagerHttpServiceRequestSpec { method: "httpGet", url: "https://x" });
    let ticket = Client::of(&service, "ann").manage(args!(AcquireGenericServiceTicket, spec: spec));
    let ticket = ticket.unwrap().unwrap();
    let ticket = ticket.as_object().unwrap();
    assert!(!text(ticket, "id").is_empty() && !text(ticket, "hostName").is_empty());
}

/// A call finds out that its session has ended before it begins, or while it is
/// held back: it is told so, and not that the collector is gone.
#[test]
fn a_call_of_a_session_that_is_over_is_not_authenticated() {
    let held_back = ("WaitForUpdatesEx".to_owned(), MINUTE);
    let service = server_with(|config| config.delays.methods = vec![held_back]);
    let (client, other) = (Client::of(&service, "one"), Client::of(&service, "other"));
    let (view, filter) = client.watch_machines();
    let own = client.make(&collector(), args!(CreatePropertyCollector));
    let terminate = || {
        let keys = Array::new(ty::STRING, vec![Value::from(client.key())]);
        other.manage(args!(TerminateSession, sessionId: keys)).unwrap();
    };
    // They have found their session, and wait for their turn.
    let late =
        [&collector(), &own].map(|this| client.prepare(this, args!(WaitForUpdatesEx, version: "")));
    let [first, second] = &late;
    let (mut first, mut second) = (pin!(service.call(first)), pin!(service.call(second)));
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    let later: Vec<Call> = [
        (&collector(), args!(CheckForUpdates, version: "")),
        (&own, args!(WaitForUpdates, version: "")),
        (&filter, args!(DestroyPropertyFilter)),
        (&view, args!(DestroyView)),
        (&manager(), args!(Logout)),
        (&instance(), args!(CurrentTime)),
    ]
    .into_iter()
    .map(|(this, args)| client.prepare(this, args))
    .collect();
    terminate();
    advance(&service, MINUTE);
    for waiting in [first, second] {
        assert_eq!(fault(poll(waiting).expect("it is over")), ty::NotAuthenticated);
    }
    for call in &later {
        let answer = poll(pin!(service.call(call))).expect("it is over");
        assert_eq!(fault(answer), ty::NotAuthenticated, "{}", call.method.name());
    }
}

/// Who was waiting already is told that the request was cancelled, whether the
/// session ends or the collector; and not that everything has left.
#[test]
fn who_waits_when_it_ends_is_cancelled() {
    let service = server();
    let client = Client::of(&service, "one");
    client.watch_machines();
    let at = client.up_to_date();
    let own = client.make(&collector(), args!(CreatePropertyCollector));
    let calls = [client.wait(&at), client.prepare(&own, args!(WaitForUpdates, version: ""))];
    let [first, second] = &calls;
    let (mut first, mut second) = (pin!(service.call(first)), pin!(service.call(second)));
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    client.call(&own, args!(DestroyPropertyCollector)).unwrap();
    assert_eq!(fault(poll(second).expect("it ends")), ty::RequestCanceled);
    assert!(poll(first.as_mut()).is_none());
    client.manage(args!(Logout)).unwrap();
    assert_eq!(fault(poll(first).expect("it ends")), ty::RequestCanceled);
    assert!(service.subscriptions().is_empty());
}
