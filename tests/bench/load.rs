//! Drives vimsim and, where Go is there, vcsim with the same requests in turn,
//! and prints how they compare: `cargo bench --bench load`.
//!
//! Times on one machine say little; the ratio within one run says more. Each
//! row is measured several times, the two servers in turn, and the spread is
//! printed beside the ratio. Rows can be picked: `cargo bench --bench load -- start`.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark measures real time, prints for a person, and stops where it stumbles"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often each row is measured on each server.
const ROUNDS: usize = 3;

/// How long one measurement takes.
const TIME: Duration = Duration::from_secs(2);

/// A server under load.
struct Server {
    child: Child,
    address: String,
    ready_after: Duration,
}

impl Server {
    /// Starts `program` and waits until it answers a request.
    fn start(program: &Path, flags: &[&str]) -> Self {
        let begin = Instant::now();
        let mut child = Command::new(program)
            .args(["-l", "127.0.0.1:0", "-tls=false"])
            .args(flags)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("the line with the URL");
        let address = line.split('@').nth(1).and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("no URL in {line:?}")).to_owned();
        let mut client = Client::new(&address);
        assert!(client.call(CONTENT).contains("RetrieveServiceContentResponse"));
        Self { child, address, ready_after: begin.elapsed() }
    }

    /// Bytes of memory that the server holds.
    fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kb| kb * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection, kept alive, with its session.
struct Client {
    stream: TcpStream,
    address: String,
    cookie: String,
    buffer: Vec<u8>,
}

impl Client {
    fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, address: address.to_owned(), cookie: String::new(), buffer: Vec::new() }
    }

    fn login(address: &str) -> Self {
        let mut client = Self::new(address);
        let reply = client.call(LOGIN);
        assert!(reply.contains("LoginResponse"), "{reply}");
        client
    }

    /// The request as it goes over the wire.
    fn request(&self, body: &str) -> Vec<u8> {
        let text = format!("{OPEN}{body}{CLOSE}");
        let (address, cookie) = (&self.address, &self.cookie);
        format!(
            "POST /sdk HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/xml\r\n\
             SOAPAction: \"urn:vim25/8.0.3.0\"\r\nCookie: {cookie}\r\n\
             Content-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .into_bytes()
    }

    fn call(&mut self, body: &str) -> String {
        let request = self.request(body);
        let reply = self.send(&request);
        let reply = String::from_utf8_lossy(reply).into_owned();
        let set = reply.lines().find_map(|line| {
            let lower = line.to_ascii_lowercase();
            lower.starts_with("set-cookie:").then(|| line["set-cookie:".len()..].trim().to_owned())
        });
        if let Some(cookie) = set {
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        }
        reply
    }

    /// Sends a request and reads the whole reply, headers included.
    fn send(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).expect("the request is sent");
        self.buffer.clear();
        let mut chunk = [0; 65_536];
        let mut end = None;
        loop {
            if end.is_none() {
                end = body_end(&self.buffer);
            }
            if end.is_some_and(|end| end.is_whole(&self.buffer)) {
                return &self.buffer;
            }
            let read = self.stream.read(&mut chunk).expect("the reply is read");
            assert!(read > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }
}

/// Where a reply ends.
#[derive(Clone, Copy)]
enum End {
    At(usize),
    LastChunk,
}

impl End {
    fn is_whole(self, reply: &[u8]) -> bool {
        match self {
            Self::At(end) => reply.len() >= end,
            Self::LastChunk => reply.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}

fn body_end(reply: &[u8]) -> Option<End> {
    let head = reply.windows(4).position(|window| window == b"\r\n\r\n")?;
    let headers = String::from_utf8_lossy(&reply[..head]).to_ascii_lowercase();
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length:"));
    Some(match length.and_then(|text| text.trim().parse::<usize>().ok()) {
        Some(length) => End::At(head + 4 + length),
        None => End::LastChunk,
    })
}

const OPEN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
    <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
    xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>";
const CLOSE: &str = "</soapenv:Body></soapenv:Envelope>";
const CONTENT: &str = "<RetrieveServiceContent xmlns=\"urn:vim25\">\
    <_this type=\"ServiceInstance\">ServiceInstance</_this></RetrieveServiceContent>";
const LOGIN: &str = "<Login xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager\
    </_this><userName>user</userName><password>pass</password></Login>";
const TIME_NOW: &str = "<CurrentTime xmlns=\"urn:vim25\">\
    <_this type=\"ServiceInstance\">ServiceInstance</_this></CurrentTime>";

fn view(client: &mut Client) -> String {
    let reply = client.call(
        "<CreateContainerView xmlns=\"urn:vim25\"><_this type=\"ViewManager\">ViewManager</_this>\
         <container type=\"Folder\">group-d1</container><type>VirtualMachine</type>\
         <recursive>true</recursive></CreateContainerView>",
    );
    between(&reply, "ContainerView\">", "<")
}

fn between(text: &str, open: &str, close: &str) -> String {
    let start = text.find(open).unwrap_or_else(|| panic!("no {open} in {text}")) + open.len();
    text[start..].split(close).next().unwrap_or_default().to_owned()
}

/// All virtual machines of a view with some of their properties.
fn retrieve(view: &str, properties: &[&str]) -> String {
    let paths: String = properties.iter().map(|p| format!("<pathSet>{p}</pathSet>")).collect();
    format!(
        "<RetrieveProperties xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">\
         propertyCollector</_this><specSet><propSet><type>VirtualMachine</type>{paths}</propSet>\
         <objectSet><obj type=\"ContainerView\">{view}</obj><skip>true</skip>\
         <selectSet xsi:type=\"TraversalSpec\"><type>ContainerView</type><path>view</path>\
         </selectSet></objectSet></specSet></RetrieveProperties>"
    )
}

/// A running task of our own.
fn task(client: &mut Client) -> String {
    let reply = client.call(
        "<CreateTask xmlns=\"urn:vim25\"><_this type=\"TaskManager\">TaskManager</_this>\
         <obj type=\"Folder\">group-d1</obj>\
         <taskTypeId>com.vmware.govmomi.simulator.test</taskTypeId>\
         <cancelable>true</cancelable></CreateTask>",
    );
    let task = between(&reply, "<key>", "<");
    let reply = client.call(&format!(
        "<SetTaskState xmlns=\"urn:vim25\"><_this type=\"Task\">{task}</_this>\
         <state>running</state></SetTaskState>"
    ));
    assert!(reply.contains("SetTaskStateResponse"), "{reply}");
    task
}

/// Replies a second over `connections`, each sending `body` again and again.
fn rate(address: &str, connections: usize, body: impl Fn(&mut Client) -> String + Sync) -> f64 {
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut client = Client::login(address);
                let body = body(&mut client);
                let first = client.call(&body);
                assert!(!first.contains("Fault>"), "{first}");
                let request = client.request(&body);
                while !stop.load(Ordering::Relaxed) {
                    client.send(&request);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while begin.elapsed() < TIME {
            std::thread::park_timeout(TIME - begin.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
    });
    done.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64()
}

/// One line of the table: what is measured, in what unit, and whether more is better.
struct Row {
    name: &'static str,
    unit: &'static str,
    more_is_better: bool,
    measure: fn(&Path) -> f64,
}

fn with_500_vms(program: &Path, measure: impl Fn(&str) -> f64) -> f64 {
    let server = Server::start(program, &["-vm", "250"]);
    measure(&server.address)
}

const ROWS: &[Row] = &[
    Row {
        name: "start, default inventory",
        unit: "ms",
        more_is_better: false,
        measure: |program| Server::start(program, &[]).ready_after.as_secs_f64() * 1e3,
    },
    Row {
        name: "start, 1,000 VMs",
        unit: "ms",
        more_is_better: false,
        measure: |program| Server::start(program, &["-vm", "500"]).ready_after.as_secs_f64() * 1e3,
    },
    Row {
        name: "memory, 1,000 VMs",
        unit: "MB",
        more_is_better: false,
        measure: |program| {
            let server = Server::start(program, &["-vm", "500"]);
            server.resident().unwrap_or_default() as f64 / 1e6
        },
    },
    Row {
        name: "CurrentTime, 8 connections",
        unit: "/s",
        more_is_better: true,
        measure: |program| {
            let server = Server::start(program, &[]);
            rate(&server.address, 8, |_| TIME_NOW.to_owned())
        },
    },
    Row {
        name: "500 VMs: name + powerState by ContainerView",
        unit: "/s",
        more_is_better: true,
        measure: |program| {
            with_500_vms(program, |address| {
                rate(address, 2, |client| retrieve(&view(client), &["name", "runtime.powerState"]))
            })
        },
    },
    Row {
        name: "500 VMs: config + summary",
        unit: "/s",
        more_is_better: true,
        measure: |program| {
            with_500_vms(program, |address| {
                rate(address, 2, |client| retrieve(&view(client), &["config", "summary"]))
            })
        },
    },
    Row {
        name: "UpdateProgress on one task, 8 connections",
        unit: "/s",
        more_is_better: true,
        measure: |program| {
            let server = Server::start(program, &[]);
            let task = task(&mut Client::login(&server.address));
            rate(&server.address, 8, |_| {
                format!(
                    "<UpdateProgress xmlns=\"urn:vim25\"><_this type=\"Task\">{task}</_this>\
                     <percentDone>50</percentDone></UpdateProgress>"
                )
            })
        },
    },
];

/// Builds the peer, if there is a Go to build it with.
fn peer() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/peer");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peer/vcsim");
    let built = Command::new("go")
        .args(["build", "-trimpath", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(folder)
        .env("CGO_ENABLED", "0")
        .status();
    match built {
        Ok(status) if status.success() => Some(program),
        _ => {
            eprintln!("go is missing or cannot build the peer: vimsim is measured alone");
            None
        }
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_vimsim"));
    let peer = peer();
    println!("{:<46} {:>12} {:>12} {:>9} {:>8}", "", "vimsim", "vcsim", "ratio", "spread");
    for row in ROWS {
        if !wanted.is_empty() && !wanted.iter().any(|word| row.name.contains(word.as_str())) {
            continue;
        }
        let (mut own, mut other, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        // The peer takes half a minute to start with many VMs: once is enough.
        let rounds = if row.name.starts_with("start, 1,000") { 1 } else { ROUNDS };
        for _ in 0..rounds {
            let a = (row.measure)(&ours);
            own.push(a);
            if let Some(peer) = &peer {
                let b = (row.measure)(peer);
                other.push(b);
                ratios.push(if row.more_is_better { a / b } else { b / a });
            }
        }
        let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ratios.iter().copied().fold(0.0, f64::max);
        let (a, b, ratio) = (median(&mut own), median(&mut other), median(&mut ratios));
        println!(
            "{:<46} {a:>9.1} {:<2} {b:>9.1} {:<2} {ratio:>8.1}x {:>7.0}%",
            row.name,
            row.unit,
            row.unit,
            (high - low) / ratio * 100.0
        );
    }
}
