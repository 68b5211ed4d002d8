//! What the benchmarks drive servers with: a server process, a client of few
//! parts, and requests.

#![allow(dead_code, reason = "each benchmark uses some of it")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server under load.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts `program` and waits until it answers a request.
    pub(crate) fn start(program: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(["-l", "127.0.0.1:0", "-tls=false"]).args(flags).env("RUST_LOG", "error");
        let begin = Instant::now();
        let mut server = Self::spawn(&mut command);
        let mut client = Client::new(&server.address);
        assert!(client.call(CONTENT).contains("RetrieveServiceContentResponse"));
        server.ready_after = begin.elapsed();
        server
    }

    /// Starts a server and waits for the line that says where it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let begin = Instant::now();
        let mut child = command
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
        Self { child, address, ready_after: begin.elapsed() }
    }

    /// Bytes of memory that the server holds.
    pub(crate) fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kb| kb * 1024)
    }

    /// How long the server has kept processors busy; in hundredths of a second,
    /// as Linux counts.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // What stands in brackets may hold spaces.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// How many files and connections the server has open.
    pub(crate) fn open_files(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.map_or(0, Iterator::count)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection, kept alive, with its session.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    address: String,
    cookie: String,
    reply: Reply,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let (address, cookie) = (address.to_owned(), String::new());
        Self { stream, address, cookie, reply: Reply::default() }
    }

    pub(crate) fn login(address: &str) -> Self {
        let mut client = Self::new(address);
        let reply = client.call(LOGIN);
        assert!(reply.contains("LoginResponse"), "{reply}");
        client
    }

    /// The request as it goes over the wire.
    pub(crate) fn request(&self, body: &str) -> Vec<u8> {
        request(&self.address, &self.cookie, body)
    }

    /// The request for a property by VI/JSON.
    pub(crate) fn json_property(&self, ty: &str, object: &str, property: &str) -> Vec<u8> {
        let Self { address, cookie, .. } = self;
        let token = cookie.split_once('=').map_or("", |(_, token)| token.trim_matches('"'));
        format!(
            "GET /sdk/vim25/8.0.1.0/{ty}/{object}/{property} HTTP/1.1\r\nHost: {address}\r\n\
             vmware-api-session-id: {token}\r\nCookie: {cookie}\r\n\r\n"
        )
        .into_bytes()
    }

    pub(crate) fn call(&mut self, body: &str) -> String {
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
    pub(crate) fn send(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).expect("the request is sent");
        self.reply.clear();
        while !self.reply.read(&mut self.stream).expect("the reply is read") {}
        self.reply.bytes()
    }
}

/// A reply as far as it has come. Its memory is used again for the next one, and nothing is
/// allocated for a look at its headers: it is servers that are measured.
#[derive(Default)]
pub(crate) struct Reply {
    buffer: Vec<u8>,
    filled: usize,
    end: Option<End>,
}

impl Reply {
    /// Makes room for the next reply.
    pub(crate) fn clear(&mut self) {
        (self.filled, self.end) = (0, None);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Reads once; whether the reply is whole now.
    pub(crate) fn read(&mut self, from: &mut impl Read) -> io::Result<bool> {
        if self.filled == self.buffer.len() {
            let size = (self.buffer.len() * 2).max(8 << 10);
            self.buffer.resize(size, 0);
        }
        let read = from.read(&mut self.buffer[self.filled..])?;
        assert!(read > 0, "the server closed the connection");
        self.filled += read;
        if self.end.is_none() {
            self.end = body_end(self.bytes());
        }
        Ok(self.end.is_some_and(|end| end.is_whole(self.bytes())))
    }
}

/// A request as it goes over the wire.
pub(crate) fn request(address: &str, cookie: &str, body: &str) -> Vec<u8> {
    let text = format!("{OPEN}{body}{CLOSE}");
    format!(
        "POST /sdk HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/xml\r\n\
         SOAPAction: \"urn:vim25/8.0.3.0\"\r\nCookie: {cookie}\r\n\
         Content-Length: {}\r\n\r\n{text}",
        text.len()
    )
    .into_bytes()
}

/// Where a reply ends.
#[derive(Clone, Copy)]
pub(crate) enum End {
    At(usize),
    LastChunk,
}

impl End {
    pub(crate) fn is_whole(self, reply: &[u8]) -> bool {
        match self {
            Self::At(end) => reply.len() >= end,
            Self::LastChunk => reply.ends_with(b"\r\n0\r\n\r\n"),
        }
    }
}

/// Where a reply ends of which so much has come, once its headers have.
pub(crate) fn body_end(reply: &[u8]) -> Option<End> {
    const LENGTH: &[u8] = b"content-length:";
    let head = reply.windows(4).position(|window| window == b"\r\n\r\n")?;
    let length = reply[..head].split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(LENGTH.len())?;
        name.eq_ignore_ascii_case(LENGTH).then_some(value)
    });
    Some(match length {
        Some(digits) => End::At(head + 4 + number(digits)),
        None => End::LastChunk,
    })
}
/// The number in a header's value.
fn number(value: &[u8]) -> usize {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

const OPEN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
    <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
    xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>";
const CLOSE: &str = "</soapenv:Body></soapenv:Envelope>";
const CONTENT: &str = "<RetrieveServiceContent xmlns=\"urn:vim25\">\
    <_this type=\"ServiceInstance\">ServiceInstance</_this></RetrieveServiceContent>";
pub(crate) const LOGIN: &str = "<Login xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager\
    </_this><userName>user</userName><password>pass</password></Login>";
pub(crate) const TIME_NOW: &str = "<CurrentTime xmlns=\"urn:vim25\">\
    <_this type=\"ServiceInstance\">ServiceInstance</_this></CurrentTime>";

pub(crate) fn view(client: &mut Client) -> String {
    let reply = client.call(
        "<CreateContainerView xmlns=\"urn:vim25\"><_this type=\"ViewManager\">ViewManager</_this>\
         <container type=\"Folder\">group-d1</container><type>VirtualMachine</type>\
         <recursive>true</recursive></CreateContainerView>",
    );
    between(&reply, "ContainerView\">", "<")
}

pub(crate) fn between(text: &str, open: &str, close: &str) -> String {
    let start = text.find(open).unwrap_or_else(|| panic!("no {open} in {text}")) + open.len();
    text[start..].split(close).next().unwrap_or_default().to_owned()
}

/// All virtual machines of a view with some of their properties.
pub(crate) fn retrieve(view: &str, properties: &[&str]) -> String {
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
pub(crate) fn task(client: &mut Client) -> String {
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
