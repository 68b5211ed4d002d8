//! Every setting of a simulator and its server, as plain data.
//!
//! The command line fills a [`Config`]; a program that embeds vimsim starts from
//! `Config::default()` and changes what it needs. Nothing here opens a file or a socket.

mod access;
mod control;
mod events;
mod limits;
mod span;
mod tasks;
mod xenapi;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

pub use access::{Access, AccessError, Group, Permission, User};
pub use control::ControlApi;
pub use events::Events;
pub use limits::Limits;
pub use span::Span;
pub use tasks::Tasks;
pub use xenapi::XenApi;

/// What to simulate, where to serve it, and within which limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 picks a free one. Default 127.0.0.1:8989.
    pub listen: ListenAddress,
    /// HTTPS or plain HTTP. Default: HTTPS with a certificate made at start.
    pub tls: Tls,
    /// What a client must say to log in. Default: any non-empty name and password.
    pub login: Login,
    /// Users, roles and permissions. Default: whoever logs in is an administrator.
    pub access: Option<Access>,
    /// Where the line with the URL goes once the server is ready. Default: standard output.
    pub export: Export,
    /// A standalone ESX host instead of a vCenter.
    pub esx: bool,
    /// The API version announced to clients. Default 8.0.3.0.
    pub api_version: String,
    /// How much of everything the generated inventory has.
    pub model: Model,
    /// A directory written by `govc object.save`, loaded instead of a generated inventory.
    pub load: Option<PathBuf>,
    /// A file with rules for tasks and calls, and other settings. Default: none.
    pub scenario: Option<PathBuf>,
    /// Time added to calls and tasks. Default: none.
    pub delays: Delays,
    /// How long finished tasks are kept.
    pub tasks: Tasks,
    /// How long events are remembered.
    pub events: Events,
    /// XenAPI, the protocol of XenServer.
    pub xenapi: XenApi,
    /// How long a session may be idle before it ends; zero means for ever. Default 30 minutes.
    pub session_timeout: Duration,
    /// Bounds on what one client can make the server hold or wait for.
    pub limits: Limits,
    /// Compress replies for clients that accept gzip. Requests may always be compressed.
    pub gzip: bool,
    /// The control API. Default: served, on the same address as everything else.
    pub control: ControlApi,
    /// The port of the SDK tunnel, an HTTP proxy for logins by client certificate; 0 picks a free
    /// one. Default: no tunnel.
    pub tunnel: Option<u16>,
    /// Receives every SOAP message, both ways. Default: nobody.
    pub trace: Option<TraceSink>,
    /// End the program when a line, or the end, is read from standard input.
    pub stdin_exit: bool,
    /// How the program logs. A library user installs a `tracing` subscriber instead.
    pub log: Log,
    /// What makes time pass. Default: real time.
    pub clock: ClockMode,
    /// Start of all pseudo-random choices: the same seed and the same calls give the same bytes.
    /// Without one, each run chooses anew, so that an old session's cookie opens nothing.
    pub seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: ListenAddress { host: "127.0.0.1".to_owned(), port: 8989 },
            tls: Tls::SelfSigned,
            login: Login::default(),
            access: None,
            export: Export::Stdout,
            esx: false,
            api_version: "8.0.3.0".to_owned(),
            model: Model::default(),
            load: None,
            scenario: None,
            delays: Delays::default(),
            tasks: Tasks::default(),
            events: Events::default(),
            xenapi: XenApi::default(),
            session_timeout: Duration::from_secs(30 * 60),
            limits: Limits::default(),
            gzip: true,
            control: ControlApi::default(),
            tunnel: None,
            trace: None,
            stdin_exit: false,
            log: Log::default(),
            clock: ClockMode::Real,
            seed: None,
        }
    }
}

/// A host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// A name, an IPv4 or an IPv6 address without brackets; empty means every interface.
    pub host: String,
    /// The TCP port; 0 picks a free one.
    pub port: u16,
}

/// Why a text is not a [`ListenAddress`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// There is no `:` before a port.
    #[error("expected HOST:PORT, such as 127.0.0.1:8989, [::1]:0 or :443")]
    NoPort,
    /// What follows the last `:` is not a port.
    #[error("{0:?} is not a port (0 to 65535)")]
    Port(String),
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(ListenAddressError::NoPort)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // An IPv6 address without brackets would lose its last group to the port.
        if bare.is_none() && host.contains(':') {
            return Err(ListenAddressError::NoPort);
        }
        let port = port.parse().map_err(|_| ListenAddressError::Port(port.to_owned()))?;
        Ok(Self { host: bare.unwrap_or(host).to_owned(), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

/// How connections are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP.
    Off,
    /// HTTPS with a certificate made at start.
    SelfSigned,
    /// HTTPS with a given certificate.
    Files {
        /// A PEM file with the certificate, followed by the rest of its chain.
        certificate: PathBuf,
        /// A PEM file with the private key: PKCS#8, PKCS#1 or SEC1.
        key: PathBuf,
    },
}

/// What a login must match. A part that is unset accepts any non-empty text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The required user name.
    pub username: Option<String>,
    /// The required password.
    pub password: Option<String>,
}

impl Login {
    /// May this user name and password log in?
    pub fn accepts(&self, username: &str, password: &str) -> bool {
        let matches = |required: &Option<String>, given: &str| match required {
            Some(required) => required == given,
            None => !given.is_empty(),
        };
        matches(&self.username, username) && matches(&self.password, password)
    }
}

impl fmt::Debug for Login {
    /// Leaves the password out: settings end up in logs.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Login")
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .finish()
    }
}

/// Where the `export GOVC_URL=…` line goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// To standard output.
    Stdout,
    /// To a file, which is created or replaced, or to a fifo.
    File(PathBuf),
}

/// How much of everything the generated inventory has. The names are those of the flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Datacenters.
    pub dc: u32,
    /// Clusters in each datacenter.
    pub cluster: u32,
    /// Hosts in each cluster.
    pub host: u32,
    /// Standalone hosts in each datacenter.
    pub standalone_host: u32,
    /// Virtual machines in each resource pool.
    pub vm: u32,
    /// Datastores in each datacenter.
    pub ds: u32,
    /// Resource pools in each cluster, besides its root pool.
    pub pool: u32,
    /// vApps in each cluster.
    pub app: u32,
    /// Storage pods in each datacenter.
    pub pod: u32,
    /// Folders put above each datacenter and each of its parts.
    pub folder: u32,
    /// Distributed port groups in each datacenter.
    pub pg: u32,
    /// NSX-backed port groups in each datacenter.
    pub pg_nsx: u32,
    /// NSX opaque networks in each datacenter.
    pub nsx: u32,
    /// Are the virtual machines powered on?
    pub autostart: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            dc: 1,
            cluster: 1,
            host: 3,
            standalone_host: 1,
            vm: 2,
            ds: 1,
            pool: 0,
            app: 0,
            pod: 0,
            folder: 0,
            pg: 1,
            pg_nsx: 0,
            nsx: 0,
            autostart: true,
        }
    }
}

/// Time added to calls and tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delays {
    /// Added to every call; while the clock is stepped, to the tasks of calls only, since a reply
    /// that is held back would wait for somebody else to step.
    pub all: Duration,
    /// By name, in the order given: a name that ends in `_Task` delays the reply to that call;
    /// another name makes the tasks of that method run as long.
    pub methods: Vec<(String, Duration)>,
    /// Spread of all delays, as a coefficient of variation; 0 means none.
    pub jitter: f64,
}

/// Which way a traced message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    Request,
    /// To the client.
    Reply,
}

/// Receives SOAP messages as they go over the wire, before compression.
#[derive(Clone)]
pub struct TraceSink(Arc<Recorder>);

type Recorder = dyn Fn(Direction, &[u8]) + Send + Sync;

impl TraceSink {
    /// Calls `sink` with every message; it must not block for long.
    pub fn new(sink: impl Fn(Direction, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Hands over one message.
    pub fn record(&self, direction: Direction, message: &[u8]) {
        (self.0)(direction, message);
    }
}

impl fmt::Debug for TraceSink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TraceSink")
    }
}

/// How the program logs, on standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Lines for people or for programs.
    pub format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`; unset, that variable decides, else `info`.
    pub filter: Option<String>,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What makes time pass.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum ClockMode {
    /// The machine's clock.
    #[default]
    Real,
    /// Time stands still until it is told to advance.
    Stepped,
}
