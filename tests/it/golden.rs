//! Golden requests and replies over the real wire.
//!
//! A folder of `tests/golden` is one client's conversation with a server of
//! its own: each `NN-name.request` is sent, and what comes back must be
//! `NN-name.reply`, byte for byte. The clock stands still and the ids are
//! seeded, so the bytes repeat. With `VIMSIM_GOLDEN=write` the replies are
//! written instead, to be read and committed.
//!
//! A request is its body, which is sent to `POST /sdk` in a SOAP envelope
//! with the conversation's cookie; or a line `# METHOD PATH`, under which the
//! body is sent as it stands. What `vmware-api-session-id` was told last is sent
//! back likewise.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vimsim::config::{ClockMode, ListenAddress, Tls};
use vimsim::{Config, Simulator};

const OPEN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body>\n";
const CLOSE: &str = "</Body></Envelope>\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

async fn start() -> Simulator {
    let mut config = Config {
        listen: ListenAddress { host: "127.0.0.1".to_owned(), port: 0 },
        tls: Tls::Off,
        clock: ClockMode::Stepped,
        seed: Some(1),
        ..Config::default()
    };
    config.login.username = Some("root".to_owned());
    config.login.password = Some("secret".to_owned());
    config.limits.body = 65_536;
    Simulator::start(config).await.expect("the simulator starts")
}

/// What a client has to show again.
#[derive(Default)]
struct Shown {
    cookie: String,
    session: String,
}

/// Sends one request and gives status line, content type, cookie and body.
async fn exchange(address: &str, request: &str, own: &mut Shown) -> String {
    let (method, path, body) = match request.strip_prefix("# ") {
        Some(rest) => {
            let (line, body) = rest.split_once('\n').unwrap_or((rest, ""));
            let (method, path) = line.split_once(' ').expect("a method and a path");
            (method, path, body.to_owned())
        }
        None => ("POST", "/sdk", format!("{OPEN}{request}{CLOSE}")),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: vimsim\r\nContent-Type: text/xml\r\n\
         SOAPAction: \"urn:vim25/8.0.3.0\"\r\nUser-Agent: golden\r\nCookie: {}\r\n\
         {}Connection: close\r\nContent-Length: {}\r\n\r\n",
        own.cookie,
        own.session,
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(head.as_bytes()).await.expect("the head is sent");
    stream.write_all(body.as_bytes()).await.expect("the body is sent");
    let mut reply = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut reply))
        .await
        .expect("a reply in time")
        .expect("a reply");
    let reply = String::from_utf8(reply).expect("a reply in UTF-8");
    let (head, body) = reply.split_once("\r\n\r\n").expect("headers and a body");
    let mut shown = String::new();
    for (number, line) in head.lines().enumerate() {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let told = ["content-type", "set-cookie", "allow", "vmware-api-session-id"];
        if number == 0 || told.contains(&name.as_str()) {
            let _ = writeln!(shown, "{line}");
        }
        if name == "set-cookie" {
            // All of it goes back, as pyVmomi does it.
            own.cookie = line[name.len() + 1..].trim().to_owned();
        }
        if name == "vmware-api-session-id" {
            own.session = format!("{line}\r\n");
        }
    }
    format!("{shown}\n{body}\n")
}

async fn converse(name: &str) {
    let simulator = start().await;
    let address = simulator.url().trim_start_matches("http://").trim_end_matches("/sdk");
    let mut requests: Vec<PathBuf> = fs::read_dir(folder().join(name))
        .expect("the conversation's folder")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "request"))
        .collect();
    requests.sort();
    assert!(!requests.is_empty(), "{name} is empty");
    let mut own = Shown::default();
    let mut wrong = String::new();
    let mut references: Vec<(String, String)> = Vec::new();
    for path in requests {
        let mut request = fs::read_to_string(&path).expect("a request");
        for (number, reference) in &references {
            request = request.replace(&format!("{{{number}}}"), reference);
        }
        let reply = exchange(address, &request, &mut own).await;
        if let Some(reference) = reply.find("OpaqueRef:").and_then(|at| reply.get(at..at + 46)) {
            let name = path.file_name().expect("a name").to_string_lossy();
            references.push((name[..2].to_owned(), reference.to_owned()));
        }
        let expected = path.with_extension("reply");
        if std::env::var("VIMSIM_GOLDEN").is_ok_and(|mode| mode == "write") {
            fs::write(&expected, &reply).expect("the reply is written");
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if reply != expected {
            let _ = writeln!(wrong, "--- {}\n{reply}\n--- expected\n{expected}", path.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    simulator.stop().await;
}

#[tokio::test]
async fn session() {
    converse("session").await;
}

#[tokio::test]
async fn task() {
    converse("task").await;
}

#[tokio::test]
async fn vijson() {
    converse("vijson").await;
}

#[tokio::test]
async fn xenapi() {
    converse("xenapi").await;
}

#[tokio::test]
async fn bad() {
    converse("bad").await;
}

#[tokio::test]
async fn a_bad_request_leaves_the_server_as_it_was() {
    let simulator = start().await;
    let address = simulator.url().trim_start_matches("http://").trim_end_matches("/sdk");
    let mut own = Shown::default();
    let login = fs::read_to_string(folder().join("bad/01-login.request")).expect("the login");
    exchange(address, &login, &mut own).await;
    let before = simulator.service().engine().snapshot().version();
    for request in fs::read_dir(folder().join("bad")).expect("the folder").flatten() {
        let name = request.file_name();
        if name != "01-login.request" && name.to_string_lossy().ends_with(".request") {
            let request = fs::read_to_string(request.path()).expect("a request");
            exchange(address, &request, &mut own).await;
        }
    }
    assert_eq!(simulator.service().engine().snapshot().version(), before);
    simulator.stop().await;
}
