//! Many clients at once, and how much one of them can have: limits are settings,
//! and what is over one is refused and leaves nothing behind.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use vimsim::config::{ClockMode, Config, Limits};
use vimsim::fault::Result;
use vimsim::schema::method;
use vimsim::schema::{Method, ty};
use vimsim::value::{Array, MoRef, Value};
use vimsim::vsphere::{Call, Caller, Service, Session};
use vimsim::{enum_value, object};

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

struct Client {
    service: Arc<Service>,
    session: Arc<Session>,
}

fn server(limits: Limits) -> Arc<Service> {
    let config = Config { clock: ClockMode::Stepped, seed: Some(7), limits, ..Config::default() };
    Service::new(config).unwrap()
}

fn call(service: &Arc<Service>, session: Option<&Arc<Session>>, this: &MoRef, args: Args) -> Call {
    let (method, args) = args;
    let mut caller = Caller::anonymous(service.version());
    caller.session = session.cloned();
    Call { this: this.clone(), method, args: args.into(), caller }
}

fn answer(service: &Arc<Service>, call: &Call) -> Result<Option<Value>> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(service.call(call)).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the call waits"),
    }
}

fn login(service: &Arc<Service>) -> Result<Client> {
    let manager = &service.content().session_manager;
    let call = call(service, None, manager, args!(Login, userName: "user", password: "pass"));
    answer(service, &call)?;
    let session = call.caller.began.get().cloned().expect("a session");
    Ok(Client { service: service.clone(), session })
}

impl Client {
    fn prepare(&self, this: &MoRef, args: Args) -> Call {
        call(&self.service, Some(&self.session), this, args)
    }

    fn call(&self, this: &MoRef, args: Args) -> Result<Option<Value>> {
        answer(&self.service, &self.prepare(this, args))
    }

    fn make(&self, this: &MoRef, args: Args) -> MoRef {
        self.call(this, args).unwrap().unwrap().as_moref().cloned().unwrap()
    }

    fn task(&self) -> MoRef {
        let create = args!(
            CreateTask,
            obj: &self.service.content().root_folder,
            taskTypeId: "com.vmware.govmomi.simulator.test",
            cancelable: true,
        );
        let info = self.call(&self.service.content().task_manager, create).unwrap().unwrap();
        info.as_object().and_then(|info| info.field("task")?.as_moref()).cloned().unwrap()
    }

    fn watch(&self, task: &MoRef) -> Result<Option<Value>> {
        let spec = object!(PropertyFilterSpec {
            propSet: vec![object!(PropertySpec { type: "Task", pathSet: vec!["info.state"] })],
            objectSet: vec![object!(ObjectSpec { obj: task })],
        });
        self.call(&collector(), args!(CreateFilter, spec: spec, partialUpdates: true))
    }

    fn up_to_date(&self) -> String {
        let updates = self.call(&collector(), args!(CheckForUpdates, version: ""));
        let updates = updates.unwrap().unwrap();
        let version = updates.as_object().and_then(|updates| updates.field("version"));
        version.and_then(Value::as_str).unwrap().to_owned()
    }
}

fn collector() -> MoRef {
    MoRef::new(ty::PropertyCollector, "propertyCollector")
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Each of many sessions waits for its own task. A task that goes on wakes the
/// one who waits for it and nobody else, and what all of them had is gone when
/// they are.
#[test]
fn of_many_who_wait_only_the_one_concerned_is_woken() {
    const CLIENTS: usize = 500;
    let service = server(Limits::default());
    let clients: Vec<Client> = (0..CLIENTS).map(|_| login(&service).unwrap()).collect();
    assert_eq!(service.sessions().len(), CLIENTS);
    let tasks: Vec<MoRef> = clients.iter().map(Client::task).collect();
    let calls: Vec<Call> = clients
        .iter()
        .zip(&tasks)
        .map(|(client, task)| {
            client.watch(task).unwrap();
            let version = client.up_to_date();
            client.prepare(&collector(), args!(WaitForUpdatesEx, version: version))
        })
        .collect();
    let wakes: Vec<Arc<Wakes>> = (0..CLIENTS).map(|_| Arc::default()).collect();
    let mut waiting: Vec<_> = calls.iter().map(|call| Box::pin(service.call(call))).collect();
    let mut poll = |number: usize| {
        let waker = Waker::from(wakes[number].clone());
        waiting[number].as_mut().poll(&mut Context::from_waker(&waker))
    };
    for number in 0..CLIENTS {
        assert!(poll(number).is_pending());
    }
    let counts =
        || -> Vec<usize> { wakes.iter().map(|wakes| wakes.0.load(Ordering::Relaxed)).collect() };
    let mut expected = counts();
    for number in [0, 17, CLIENTS - 1] {
        let running = Value::Enum(enum_value!(TaskInfoState::running));
        clients[number].call(&tasks[number], args!(SetTaskState, state: running)).unwrap();
        expected[number] += 1;
        assert_eq!(counts(), expected, "only client {number} is woken");
        let Poll::Ready(Ok(Some(updates))) = poll(number) else { panic!("no updates") };
        let updates = format!("{updates:?}");
        assert!(updates.contains(tasks[number].id()));
    }
    assert_eq!(service.subscriptions().len(), CLIENTS);
    service.close();
    for number in (1..CLIENTS - 1).filter(|number| *number != 17) {
        let Poll::Ready(Err(fault)) = poll(number) else { panic!("{number} still waits") };
        assert_eq!(fault.ty(), ty::RequestCanceled);
    }
    assert!(service.subscriptions().is_empty());
    assert!(service.sessions().is_empty());
}

/// vCenter answers with HTTP's status 503, which is what the fault becomes.
#[test]
fn there_are_only_so_many_sessions() {
    let service = server(Limits { sessions: 3, ..Limits::default() });
    let clients: Vec<Client> = (0..3).map(|_| login(&service).unwrap()).collect();
    let Err(fault) = login(&service) else { panic!("a fourth session") };
    assert_eq!(fault.ty(), ty::HttpFault);
    assert_eq!(vimsim::wire::faults::on_wire(fault.ty()).status, 503);
    assert_eq!(service.sessions().len(), 3);
    let manager = service.content().session_manager.clone();
    clients[0].call(&manager, args!(Logout)).unwrap();
    assert!(login(&service).is_ok());
}

/// What a client may make as long as it likes does not stay as long as it is.
#[test]
fn a_login_leaves_no_long_texts() {
    let service = server(Limits::default());
    let manager = service.content().session_manager.clone();
    let long = "x".repeat(1 << 20);
    let log_in = |name: &str, locale: Option<&str>| {
        let args = args!(Login, userName: name, password: "pass");
        let mut call = call(&service, None, &manager, args);
        if let Some(locale) = locale {
            call.args[method::Login.param_slot("locale")] = Some(Value::from(locale));
        }
        call.caller.user_agent = long.as_str().into();
        answer(&service, &call).map(|_| call.caller.began.get().cloned().expect("a session"))
    };
    assert_eq!(log_in(&long, None).unwrap_err().ty(), ty::InvalidLogin);
    assert_eq!(log_in("user", Some(&format!("en_{long}"))).unwrap_err().ty(), ty::InvalidLocale);
    assert_eq!(log_in("user", Some("en")).unwrap().user_agent.len(), 1024);
    let snapshot = service.engine().snapshot();
    let events = vimsim::engine::events_in(&snapshot).unwrap();
    assert!(events.iter().all(|event| event.user.len() <= 1024));
}

#[test]
fn a_session_has_only_so_many_filters() {
    let service = server(Limits { filters: 2, ..Limits::default() });
    let (client, other) = (login(&service).unwrap(), login(&service).unwrap());
    let task = client.task();
    let first = client.watch(&task).unwrap().unwrap().as_moref().cloned().unwrap();
    client.watch(&task).unwrap();
    assert_eq!(client.watch(&task).unwrap_err().ty(), ty::SystemError);
    // What was refused is not there: neither in the list nor in the updates.
    let fetch = || (method::Fetch, vec![Some(Value::from("filter"))]);
    let filters = client.call(&collector(), fetch()).unwrap().unwrap();
    assert_eq!(filters.morefs().count(), 2);
    let updates = client.call(&collector(), args!(CheckForUpdates, version: "")).unwrap();
    let updates = updates.unwrap();
    let sets = updates.as_object().and_then(|updates| updates.field("filterSet"));
    assert_eq!(sets.map(|sets| sets.items().len()), Some(2));
    // Another session has its own, and one that goes makes room.
    other.watch(&task).unwrap();
    client.call(&first, args!(DestroyPropertyFilter)).unwrap();
    client.watch(&task).unwrap();
}

/// A task that has ended makes room for another.
#[test]
fn only_so_many_tasks_are_at_work() {
    let service = server(Limits { tasks: 2, ..Limits::default() });
    let client = login(&service).unwrap();
    let create = || {
        args!(
            CreateTask,
            obj: &service.content().root_folder,
            taskTypeId: "com.vmware.govmomi.simulator.test",
            cancelable: true,
        )
    };
    let manager = service.content().task_manager.clone();
    let (first, _second) = (client.task(), client.task());
    assert_eq!(client.call(&manager, create()).unwrap_err().ty(), ty::SystemError);
    let snapshot = service.engine().snapshot();
    let (vm, _) = snapshot.iter().find(|(mo, _)| mo.ty() == ty::VirtualMachine).unwrap();
    let off = client.call(vm, args!(PowerOffVM_Task));
    assert_eq!(off.unwrap_err().ty(), ty::SystemError);
    client.call(&first, args!(CancelTask)).unwrap();
    let ended = Value::Enum(enum_value!(TaskInfoState::error));
    let fault = vimsim::fault::Fault::request_canceled().localized();
    let end = args!(SetTaskState, state: ended, fault: fault);
    client.call(&first, end).unwrap();
    client.call(vm, args!(PowerOffVM_Task)).unwrap();
}

#[test]
fn a_session_has_only_so_many_views_and_collectors() {
    let service = server(Limits { views: 2, collectors: 1, ..Limits::default() });
    let client = login(&service).unwrap();
    let manager = MoRef::new(ty::ViewManager, "ViewManager");
    let list = || {
        let listed = Array::of_refs(std::slice::from_ref(&service.content().root_folder));
        args!(CreateListView, obj: listed)
    };
    let view = client.make(&manager, list());
    // Views of all kinds count together.
    client.make(&manager, args!(CreateInventoryView));
    assert_eq!(client.call(&manager, list()).unwrap_err().ty(), ty::SystemError);
    client.call(&view, args!(DestroyView)).unwrap();
    client.make(&manager, list());

    client.up_to_date_or_nothing();
    let own = client.make(&collector(), args!(CreatePropertyCollector));
    let second = client.call(&collector(), args!(CreatePropertyCollector));
    assert_eq!(second.unwrap_err().ty(), ty::SystemError);
    client.call(&own, args!(DestroyPropertyCollector)).unwrap();
    client.make(&collector(), args!(CreatePropertyCollector));
}

impl Client {
    /// Uses the default collector, which does not count.
    fn up_to_date_or_nothing(&self) {
        assert_eq!(self.call(&collector(), args!(CheckForUpdates, version: "")), Ok(None));
    }
}

/// What long replies hold is bounded: the next one waits until a client has
/// taken its own.
#[test]
fn long_replies_wait_for_room() {
    let calls = vimsim::vsphere::large::LargeCalls::new(1000);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut context = Context::from_waker(&waker);
    let first = calls.hold(999);
    {
        let Poll::Ready(turn) = pin!(calls.turn()).poll(&mut context) else { panic!("no room") };
        assert!(turn.is_some());
    }
    let second = calls.hold(5000);
    assert_eq!(calls.held(), 5999);
    let mut third = pin!(calls.turn());
    assert!(third.as_mut().poll(&mut context).is_pending());
    drop(first);
    assert!(third.as_mut().poll(&mut context).is_pending());
    drop(second);
    assert!(wakes.0.load(Ordering::Relaxed) > 0);
    assert!(third.poll(&mut context).is_ready());
    assert_eq!(calls.held(), 0);
}

/// A client that asks for much and takes nothing holds a piece of its reply, as
/// long as it is there, and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_held_until_it_is_taken() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: vimsim::config::Tls::Off,
        model: vimsim::config::Model { vm: 1000, ..Default::default() },
        ..Config::default()
    };
    let simulator = vimsim::Simulator::start(config).await.unwrap();
    let service = simulator.service().clone();
    let session = login(&service).unwrap().session;
    let root = service.content().root_folder.id().to_owned();
    let down = |from: &str, path: &str| {
        format!(
            "<selectSet xsi:type=\"TraversalSpec\"><name>{path}</name><type>{from}</type>\
             <path>{path}</path><selectSet><name>childEntity</name></selectSet>\
             <selectSet><name>vmFolder</name></selectSet></selectSet>"
        )
    };
    let body = format!(
        "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><Body>\
         <RetrieveProperties xmlns=\"urn:vim25\">\
         <_this type=\"PropertyCollector\">propertyCollector</_this><specSet>\
         <propSet><type>VirtualMachine</type><all>true</all></propSet>\
         <objectSet><obj type=\"Folder\">{root}</obj>{}{}</objectSet>\
         </specSet></RetrieveProperties></Body></Envelope>",
        down("Folder", "childEntity"),
        down("Datacenter", "vmFolder"),
    );
    let address = simulator.url().trim_start_matches("http://").split('/').next().unwrap();
    let address = address.rsplit('@').next().unwrap().to_owned();
    let mut client = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /sdk HTTP/1.1\r\nhost: vc\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\
         cookie: vmware_soap_session={}\r\n\r\n",
        body.len(),
        session.token
    );
    client.write_all((head + &body).as_bytes()).await.unwrap();
    let mut first = [0; 15];
    client.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    // The whole is tens of megabytes; written are a piece that is being sent, and the next.
    while service.large_calls().held() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..1000 {
        let held = service.large_calls().held();
        assert!(held < 4 << 20, "{held} bytes are held");
        tokio::task::yield_now().await;
    }
    drop(client);
    let taken = async {
        while service.large_calls().held() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, taken).await.expect("nothing is held for who is gone");
    simulator.stop().await;
}
