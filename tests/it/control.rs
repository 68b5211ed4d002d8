//! The control API over HTTP: what it does, what it refuses, who may use it.

mod access;
mod api;
mod command;
mod document;
mod watch;

use std::io::Read;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use ureq::http::Request;
use vimsim::Simulator;
use vimsim::config::{ClockMode, Config, Delays, ListenAddress, Tls};
use vimsim::schema::method;
use vimsim::value::MoRef;

use crate::operations::Sim;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A simulator whose power-offs take a day of its stepped clock.
pub(crate) struct World {
    // Before the runtime, in which it ends.
    simulator: Option<Simulator>,
    client: Sim,
    agent: ureq::Agent,
    runtime: Runtime,
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    kind: String,
    body: Json,
}

impl Answer {
    /// The document of a request that was granted.
    #[track_caller]
    fn ok(self) -> Json {
        assert_eq!((self.status, self.kind.as_str()), (200, "application/json"), "{}", self.body);
        self.body
    }

    /// The problem of one that was not.
    #[track_caller]
    fn refused(self, status: u16) -> Json {
        let kind = "application/problem+json";
        assert_eq!((self.status, self.kind.as_str()), (status, kind), "{}", self.body);
        assert_eq!(self.body["status"], status);
        self.body
    }
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(settings: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: any_port(),
            tls: Tls::Off,
            clock: ClockMode::Stepped,
            // Days pass, and nobody logs in again.
            session_timeout: Duration::ZERO,
            seed: Some(7),
            delays: Delays { methods: vec![("PowerOffVM".into(), DAY)], ..Delays::default() },
            ..Config::default()
        };
        settings(&mut config);
        let runtime = Runtime::new().unwrap();
        let simulator = runtime.block_on(Simulator::start(config)).unwrap();
        let client = Sim::of(simulator.service().clone());
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_recv_response(Some(Duration::from_secs(20)))
            .build()
            .new_agent();
        Self { simulator: Some(simulator), client, agent, runtime }
    }

    fn simulator(&self) -> &Simulator {
        self.simulator.as_ref().unwrap()
    }

    fn url(&self) -> String {
        self.simulator().control_url().unwrap().to_owned()
    }

    fn request(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.url());
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.agent.run(request.body(body.to_owned()).unwrap()).unwrap();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap());
        let kind = kind.unwrap_or_default().to_owned();
        let text = response.body_mut().read_to_string().unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Json::String(text));
        Answer { status: response.status().as_u16(), kind, body }
    }

    fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "", &[])
    }

    fn post(&self, path: &str, body: &Json) -> Answer {
        self.request("POST", path, &body.to_string(), &[])
    }

    /// Opens a stream; it is read as it comes.
    fn stream(&self, path: &str, last: Option<&str>) -> impl Read + use<> {
        let url = format!("{}{path}", self.url());
        let mut request = Request::get(url);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.agent.run(request.body(()).unwrap()).unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        response.into_body().into_reader()
    }

    /// A power-off that has begun; its key.
    fn power_off(&self, vm: &str) -> String {
        let vm = self.client.vm(vm);
        let task: MoRef = self.client.start(&vm, method::PowerOffVM_Task, &[]).unwrap();
        task.id().to_owned()
    }

    fn state(&self, task: &str) -> String {
        let task = self.get(&format!("/tasks/{task}")).ok();
        task["state"].as_str().unwrap().to_owned()
    }

    fn advance(&self, duration: &str) {
        self.post("/clock/advance", &json!({ "duration": duration })).ok();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        drop(self.simulator.take());
    }
}

fn any_port() -> ListenAddress {
    ListenAddress { host: "127.0.0.1".to_owned(), port: 0 }
}
