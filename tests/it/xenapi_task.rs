//! XenAPI's tasks, and what they are to the one record that all front ends show.

mod collection;
mod messages;
mod owners;
mod sides;
mod unchecked;

use std::time::Duration;

use serde_json::{Value as Json, json};
use vimsim::engine::{Job, TaskContext, TaskSpec, Tx};
use vimsim::fault::Fault;
use vimsim::task::Operation;
use vimsim::value::{MoRef, Str, Value};

use crate::xenapi::world::World;

/// A session and its simulator.
struct Client<'w> {
    world: &'w World,
    session: String,
}

impl<'w> Client<'w> {
    async fn new(world: &'w World) -> Self {
        Self { world, session: world.login().await }
    }

    /// A session of a user whose password is `secret`.
    async fn of(world: &'w World, user: &str) -> Self {
        let session = world.raw("session.login_with_password", json!([user, "secret"])).await;
        Self { world, session: session.expect("a session").as_str().expect("a text").to_owned() }
    }

    async fn call(&self, method: &str, params: Json) -> Result<Json, Vec<String>> {
        self.world.call(&self.session, method, params).await
    }

    /// A call that must succeed.
    async fn ok(&self, method: &str, params: Json) -> Json {
        let shown = format!("{method}{params}");
        self.call(method, params).await.unwrap_or_else(|error| panic!("{shown}: {error:?}"))
    }

    /// A call that must fail.
    async fn error(&self, method: &str, params: Json) -> Vec<String> {
        let shown = format!("{method}{params}");
        self.call(method, params).await.expect_err(&shown)
    }

    async fn create(&self, label: &str) -> String {
        text(&self.ok("task.create", json!([label, "for tests"])).await)
    }

    async fn record(&self, task: &str) -> Json {
        self.ok("task.get_record", json!([task])).await
    }

    async fn get(&self, field: &str, task: &str) -> Json {
        self.ok(&format!("task.get_{field}"), json!([task])).await
    }

    async fn all(&self) -> Vec<String> {
        let all = self.ok("task.get_all", json!([])).await;
        all.as_array().expect("a list").iter().map(text).collect()
    }

    /// The reference to a task of the engine.
    fn reference(&self, task: &MoRef) -> String {
        self.world.simulator.xenapi().refs().reference(task).to_string()
    }

    /// The task of the engine that a reference names.
    fn task(&self, reference: &str) -> MoRef {
        let snapshot = self.world.simulator.service().engine().snapshot();
        self.world.simulator.xenapi().refs().resolve(reference, &snapshot).expect("a task")
    }

    fn advance(&self, duration: Duration) {
        self.world.simulator.service().engine().advance(duration).expect("a stepped clock");
    }

    /// Begins work that takes a while, as vSphere's methods do.
    fn begin(&self, work: Work) -> MoRef {
        let engine = self.world.simulator.service().engine();
        let mut spec = TaskSpec::new(Operation::Internal(Str::from("Work")), "Example.work");
        spec.label = Str::from("Work on something");
        spec.duration = work.takes;
        spec.cancelable = work.cancelable;
        engine.submit(spec, Box::new(work)).expect("a task")
    }
}

fn text(value: &Json) -> String {
    value.as_str().expect("a text").to_owned()
}

const MINUTE: Duration = Duration::from_secs(60);

/// Work for a while, with an end.
#[derive(Clone)]
struct Work {
    takes: Duration,
    cancelable: bool,
    end: Result<Option<Value>, Fault>,
}

impl Work {
    fn new(seconds: u64) -> Self {
        Self { takes: Duration::from_secs(seconds), cancelable: true, end: Ok(None) }
    }
}

impl Job for Work {
    fn complete(&mut self, _: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        self.end.clone()
    }
}
