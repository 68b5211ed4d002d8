//! XenAPI's events: who is told what, when, and who is left in peace.

mod from;
mod legacy;
mod mirror;
mod racing;
mod waiting;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::JoinHandle;
use vimsim::Config;
use vimsim::config::ClockMode;
use vimsim::engine::{Engine, Job, TaskContext, TaskSpec, Tx};
use vimsim::fault::Fault;
use vimsim::task::Operation;
use vimsim::value::{self, MoRef, Str};
use vimsim::vsphere::Service;
use vimsim::xenapi::{Failure, Origin, Request, Server, Value};

type Answer = Result<Value, Failure>;

/// A session of a server whose clock stands still.
#[derive(Clone)]
struct Client {
    server: Arc<Server>,
    session: Str,
}

/// The answer of a call that does not have to wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the call waits"),
    }
}

fn text(text: &str) -> Value {
    Value::text(text)
}

impl Client {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { clock: ClockMode::Stepped, seed: Some(3), ..Config::default() };
        change(&mut config);
        Self::of(&Server::new(Service::new(config).expect("a server")))
    }

    /// Another session.
    fn of(server: &Arc<Server>) -> Self {
        let params = vec![text("root"), text("secret")];
        let request = Request {
            name: "session.login_with_password".to_owned(),
            params,
            origin: Origin::default(),
        };
        let session = now(server.call(request)).expect("a session");
        let session = Str::from(session.as_str().expect("a reference"));
        Self { server: server.clone(), session }
    }

    fn engine(&self) -> &Engine {
        self.server.service().engine()
    }

    fn request(&self, name: &str, params: &[Value]) -> Request {
        let session = Value::String(self.session.clone());
        let params = std::iter::once(session).chain(params.iter().cloned()).collect();
        Request { name: name.to_owned(), params, origin: Origin::default() }
    }

    fn call(&self, name: &str, params: &[Value]) -> Answer {
        now(self.server.call(self.request(name, params)))
    }

    fn ok(&self, name: &str, params: &[Value]) -> Value {
        self.call(name, params).unwrap_or_else(|failure| panic!("{name}: {failure:?}"))
    }

    /// A call that may have to wait.
    fn spawn(&self, name: &str, params: &[Value]) -> JoinHandle<Answer> {
        let (server, request) = (self.server.clone(), self.request(name, params));
        tokio::spawn(async move { server.call(request).await })
    }

    fn from(&self, classes: &[&str], token: &str, timeout: f64) -> JoinHandle<Answer> {
        let classes = Value::texts(classes.iter().copied());
        self.spawn("event.from", &[classes, text(token), Value::Float(timeout)])
    }

    /// What has happened, without waiting: the events in short, and the token.
    fn look(&self, classes: &[&str], token: &str) -> (Vec<String>, String) {
        let classes = Value::texts(classes.iter().copied());
        short(&self.ok("event.from", &[classes, text(token), Value::Float(0.0)]))
    }

    fn create(&self, label: &str) -> Str {
        let task = self.ok("task.create", &[text(label), text("")]);
        Str::from(task.as_str().expect("a reference"))
    }

    fn set(&self, what: &str, task: &str, value: Value) {
        self.ok(&format!("task.set_{what}"), &[text(task), value]);
    }

    fn advance(&self, duration: Duration) {
        self.engine().advance(duration).expect("a stepped clock");
    }

    /// Work of the engine, as vSphere's methods begin it.
    fn begin(&self, seconds: u64) -> MoRef {
        let mut spec = TaskSpec::new(Operation::Internal(Str::from("Work")), "Example.work");
        spec.label = Str::from("Work");
        spec.duration = Duration::from_secs(seconds);
        spec.cancelable = true;
        self.engine().submit(spec, Box::new(Work)).expect("a task")
    }

    fn reference(&self, mo: &MoRef) -> Str {
        self.server.refs().reference(mo)
    }
}

#[derive(Clone)]
struct Work;

impl Job for Work {
    fn complete(
        &mut self,
        _: &mut Tx<'_>,
        _: &TaskContext<'_>,
    ) -> Result<Option<value::Value>, Fault> {
        Ok(None)
    }
}

/// Events in short, as `add NAME`, `mod NAME`, `del`, and the token.
fn short(reply: &Value) -> (Vec<String>, String) {
    let events = reply.get("events").expect("events").items().iter().map(|event| {
        let field = |name: &str| event.get(name).and_then(Value::as_str).expect("a text");
        let snapshot = event.get("snapshot").and_then(|it| it.get("name_label"));
        match snapshot.and_then(Value::as_str) {
            Some(name) => format!("{} {name}", field("operation")),
            None => field("operation").to_owned(),
        }
    });
    let token = reply.get("token").and_then(Value::as_str).expect("a token");
    (events.collect(), token.to_owned())
}

/// Lets everything that can run do so.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
