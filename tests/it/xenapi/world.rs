//! A simulator and a small client for it.

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vimsim::config::{ClockMode, ListenAddress, Tls};
use vimsim::{Config, Simulator};

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// A simulator whose clock stands still.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    address: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: ListenAddress { host: "127.0.0.1".to_owned(), port: 0 },
            tls: Tls::Off,
            clock: ClockMode::Stepped,
            seed: Some(1),
            ..Config::default()
        };
        config.login.username = Some("root".to_owned());
        config.login.password = Some("secret".to_owned());
        change(&mut config);
        let simulator = Simulator::start(config).await.expect("the simulator starts");
        let address = simulator.xenapi_url().trim_start_matches("http://").to_owned();
        Self { simulator, address }
    }

    pub(crate) async fn stop(self) {
        self.simulator.stop().await;
    }

    /// Sends a body and gives what comes back.
    pub(crate) async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Reply {
        self.send("POST", path, "", body.as_ref()).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: vimsim\r\nConnection: close\r\n{headers}\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("the head is sent");
        stream.write_all(body).await.expect("the body is sent");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.expect("a reply");
        let reply = String::from_utf8(reply).expect("a reply in UTF-8");
        let (head, body) = reply.split_once("\r\n\r\n").expect("headers and a body");
        let header = |wanted: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map_or_else(String::new, |(_, value)| value.to_owned())
        };
        Reply {
            status: head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"),
            content_type: header("content-type"),
            body: body.to_owned(),
        }
    }

    /// A call by JSON-RPC 2.0 with all its arguments.
    pub(crate) async fn raw(&self, method: &str, params: Json) -> Result<Json, Vec<String>> {
        let request = json!({ "jsonrpc": "2.0", "method": method, "params": params, "id": 7 });
        let reply = self.post("/jsonrpc", request.to_string()).await;
        assert_eq!((reply.status, reply.content_type.as_str()), (200, "application/json"));
        let mut reply: Json = serde_json::from_str(&reply.body).expect("JSON");
        assert_eq!(reply["id"], 7);
        if reply["error"].is_null() {
            return Ok(reply["result"].take());
        }
        let error = &reply["error"];
        let data = error["data"].as_array().expect("parameters");
        let all = std::iter::once(&error["message"]).chain(data);
        Err(all.map(|text| text.as_str().expect("a text").to_owned()).collect())
    }

    /// A call in a session.
    pub(crate) async fn call(
        &self,
        session: &str,
        method: &str,
        params: Json,
    ) -> Result<Json, Vec<String>> {
        let mut all = vec![json!(session)];
        all.extend(params.as_array().expect("a list").iter().cloned());
        self.raw(method, Json::Array(all)).await
    }

    /// Logs the administrator in.
    pub(crate) async fn login(&self) -> String {
        let session = self.raw("session.login_with_password", json!(["root", "secret"])).await;
        session.expect("a session").as_str().expect("a reference").to_owned()
    }
}
