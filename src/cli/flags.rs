//! The flags, as `--help` groups them, and the [`Config`] that they add up to.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use super::control::ControlFlags;
use super::events::EventFlags;
use super::tasks::TaskFlags;
use super::values::{self, MethodDelays, OptionalPort, Size, Span};
use super::xenapi::XenApiFlags;
use crate::config::{
    Access, ClockMode, Config, Delays, Direction, Export, Limits, ListenAddress, Log, LogFormat,
    Login, Model, Tls, TraceSink,
};

/// The command line. Defaults are those of the library, so that both start the same server.
#[derive(Debug, Parser)]
#[command(
    name = "vimsim",
    version,
    about = "A stand-in for vCenter and ESXi that speaks the real wire protocols",
    override_usage = "vimsim [FLAGS]\n       vimsim uuidgen | scenario-schema | version | ctl …",
    args_override_self = true,
    disable_help_subcommand = true
)]
pub(super) struct Flags {
    #[command(flatten)]
    listening: Listening,
    #[command(flatten)]
    login: LoginFlags,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    timing: Timing,
    #[command(flatten)]
    tasks: TaskFlags,

    #[command(flatten)]
    events: EventFlags,
    #[command(flatten)]
    control: ControlFlags,
    #[command(flatten)]
    xenapi: XenApiFlags,
    #[command(flatten)]
    limits: LimitFlags,
    #[command(flatten)]
    output: Output,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub(super) task: Option<Task>,
}

/// What the program can do besides serving.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Print a random UUID
    Uuidgen,
    /// Print the JSON schema of scenario files
    ScenarioSchema,
    /// Print the version
    Version,
    /// Direct a server that runs: its tasks, its time; see `vimsim ctl --help`
    Ctl(Box<super::ctl::Ctl>),
}

fn default() -> Config {
    Config::default()
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Listening")]
struct Listening {
    /// Listen here; port 0 picks a free one, no host means all interfaces
    #[arg(long = "l", value_name = "HOST:PORT", default_value_t = default().listen)]
    listen: ListenAddress,

    /// HTTPS; with -tls=false plain HTTP
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true",
          num_args = 0..=1, require_equals = true, value_parser = values::switch,
          action = clap::ArgAction::Set)]
    tls: bool,

    /// PEM file with the certificate and its chain (default: self-signed, made at start)
    #[arg(long, value_name = "FILE", requires = "tlskey")]
    tlscert: Option<PathBuf>,

    /// PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", requires = "tlscert")]
    tlskey: Option<PathBuf>,

    /// Port of the SDK tunnel (logins by certificate); 0 picks a free one, -1 means none
    #[arg(long, value_name = "PORT", default_value = "-1", allow_hyphen_values = true,
          value_parser = values::optional_port)]
    tunnel: OptionalPort,

    /// Compress replies for clients that accept gzip
    #[arg(long, value_name = "BOOL", default_value_t = default().gzip, default_missing_value = "true",
          num_args = 0..=1, require_equals = true, value_parser = values::switch,
          action = clap::ArgAction::Set)]
    gzip: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Login")]
struct LoginFlags {
    /// Required user name, or a file that holds it (default: any)
    #[arg(long, value_name = "NAME|FILE")]
    username: Option<String>,

    /// Required password, or a file that holds it (default: any)
    #[arg(long, value_name = "PASSWORD|FILE")]
    password: Option<String>,

    /// JSON file with users, roles and permissions; its form is below (default: whoever logs in is
    /// an administrator)
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,

    /// End a session that is idle for so long; 0 means never
    #[arg(long, value_name = "DURATION", default_value_t = Span(default().session_timeout))]
    session_timeout: Span,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Product")]
struct Identity {
    /// A standalone ESXi host instead of a vCenter
    #[arg(long, value_name = "BOOL", default_value_t = default().esx, default_missing_value = "true",
          num_args = 0..=1, require_equals = true, value_parser = values::switch,
          action = clap::ArgAction::Set, hide_default_value = true)]
    esx: bool,

    /// API version announced to clients
    #[arg(long, value_name = "VERSION", default_value_t = default().api_version,
          value_parser = values::api_version)]
    api_version: String,

    /// Load an inventory saved with `govc object.save -d DIR` instead of making one
    #[arg(long, value_name = "DIR")]
    load: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Model (how many of each)")]
struct ModelFlags {
    /// Datacenters
    #[arg(long, value_name = "N", default_value_t = default().model.dc, value_parser = values::count)]
    dc: u32,

    /// Clusters in each datacenter
    #[arg(long, value_name = "N", default_value_t = default().model.cluster, value_parser = values::count)]
    cluster: u32,

    /// Hosts in each cluster
    #[arg(long, value_name = "N", default_value_t = default().model.host, value_parser = values::count)]
    host: u32,

    /// Standalone hosts in each datacenter
    #[arg(long, value_name = "N", default_value_t = default().model.standalone_host, value_parser = values::count)]
    standalone_host: u32,

    /// Virtual machines in each resource pool
    #[arg(long, value_name = "N", default_value_t = default().model.vm, value_parser = values::count)]
    vm: u32,

    /// Datastores in each datacenter
    #[arg(long, value_name = "N", default_value_t = default().model.ds, value_parser = values::count)]
    ds: u32,

    /// Resource pools in each cluster, besides its root pool
    #[arg(long, value_name = "N", default_value_t = default().model.pool, value_parser = values::count)]
    pool: u32,

    /// vApps in each cluster
    #[arg(long, value_name = "N", default_value_t = default().model.app, value_parser = values::count)]
    app: u32,

    /// Storage pods in each datacenter
    #[arg(long, value_name = "N", default_value_t = default().model.pod, value_parser = values::count)]
    pod: u32,

    /// Folders above each datacenter and each of its parts
    #[arg(long, value_name = "N", default_value_t = default().model.folder, value_parser = values::count)]
    folder: u32,

    /// Distributed port groups in each datacenter
    #[arg(long, value_name = "N", default_value_t = default().model.pg, value_parser = values::count)]
    pg: u32,

    /// NSX-backed port groups in each datacenter
    #[arg(long, value_name = "N", default_value_t = default().model.pg_nsx, value_parser = values::count)]
    pg_nsx: u32,

    /// NSX opaque networks in each datacenter
    #[arg(long, value_name = "N", default_value_t = default().model.nsx, value_parser = values::count)]
    nsx: u32,

    /// Power the virtual machines on
    #[arg(long, value_name = "BOOL", default_value_t = default().model.autostart,
          default_missing_value = "true", num_args = 0..=1, require_equals = true,
          value_parser = values::switch, action = clap::ArgAction::Set)]
    autostart: bool,
}

/// The clock, as the flag names it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ClockFlag {
    Real,
    Stepped,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Timing")]
struct Timing {
    /// TOML file with rules for tasks and calls, and other settings; `vimsim scenario-schema`
    /// prints its form
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,

    /// Delay every call: milliseconds, or a duration such as 2s
    #[arg(long, value_name = "MS", default_value = "0", value_parser = values::delay)]
    delay: Duration,

    /// Delays by method, in milliseconds or as durations: PowerOnVM makes the task run so long,
    /// PowerOnVM_Task delays the reply to the call
    #[arg(long, value_name = "METHOD:MS,…", default_value = "", hide_default_value = true,
          value_parser = values::method_delays)]
    method_delay: MethodDelays,

    /// Spread of all delays, as a coefficient of variation; 0.5 is a good start
    #[arg(long, value_name = "CV", default_value = "0", value_parser = values::jitter)]
    delay_jitter: f64,

    /// What makes time pass: the machine's clock (real), or only the control API (stepped)
    #[arg(long, value_name = "MODE", default_value = "real", hide_possible_values = true)]
    clock: ClockFlag,

    /// Start of all random choices: the same seed and calls give the same bytes
    /// (default: another one at each start)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitFlags {
    /// Largest request body, after decompression
    #[arg(long, value_name = "BYTES", default_value_t = Size(default().limits.body))]
    max_body: Size,

    /// Most memory for long request bodies that are worked on; further ones wait
    #[arg(long, value_name = "BYTES", default_value_t = Size(default().limits.requests))]
    max_requests: Size,

    /// Most memory for long replies that clients have not taken yet; further ones wait
    #[arg(long, value_name = "BYTES", default_value_t = Size(default().limits.replies))]
    max_replies: Size,

    /// Most XML elements inside each other, up to 1000
    #[arg(long, value_name = "N", default_value_t = default().limits.xml_depth, value_parser = values::depth)]
    max_depth: usize,

    /// Most attributes of an XML element
    #[arg(long, value_name = "N", default_value_t = default().limits.xml_attributes, value_parser = values::some)]
    max_attributes: usize,

    /// Most connections at a time
    #[arg(long, value_name = "N", default_value_t = default().limits.connections, value_parser = values::some)]
    max_connections: usize,

    /// Most sessions at a time; further logins are answered with status 503
    #[arg(long, value_name = "N", default_value_t = default().limits.sessions, value_parser = values::some)]
    max_sessions: usize,

    /// Most property filters of a session
    #[arg(long, value_name = "N", default_value_t = default().limits.filters, value_parser = values::some)]
    max_filters: usize,

    /// Most tasks that have not ended
    #[arg(long, value_name = "N", default_value_t = default().limits.tasks, value_parser = values::some)]
    max_tasks: usize,

    /// Most views of a session
    #[arg(long, value_name = "N", default_value_t = default().limits.views, value_parser = values::some)]
    max_views: usize,

    /// Most property collectors that a session makes
    #[arg(long, value_name = "N", default_value_t = default().limits.collectors, value_parser = values::some)]
    max_property_collectors: usize,

    /// Most objects that the filters and views of a session hold together
    #[arg(long, value_name = "N", default_value_t = default().limits.objects, value_parser = values::some)]
    max_objects: usize,

    /// Most objects that those of all sessions hold together
    #[arg(long, value_name = "N", default_value_t = default().limits.all_objects, value_parser = values::some)]
    max_all_objects: usize,

    /// Time for a request's headers to arrive
    #[arg(long, value_name = "DURATION", default_value_t = Span(default().limits.header_time), value_parser = values::some_time)]
    header_timeout: Span,

    /// Time for a request's body to arrive
    #[arg(long, value_name = "DURATION", default_value_t = Span(default().limits.body_time), value_parser = values::some_time)]
    body_timeout: Span,

    /// Keep an unused connection for so long
    #[arg(long, value_name = "DURATION", default_value_t = Span(default().limits.idle_time), value_parser = values::some_time)]
    idle_timeout: Span,

    /// At the end, wait so long for requests in flight
    #[arg(long, value_name = "DURATION", default_value_t = Span(default().limits.grace))]
    grace: Span,
}

/// The log's format, as the flag names it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatFlag {
    Text,
    Json,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct Output {
    /// Where to write the line `export GOVC_URL=… GOVC_SIM_PID=…` once ready: a file, a fifo, or -
    /// for standard output
    #[arg(long = "E", value_name = "FILE", default_value = "-", allow_hyphen_values = true)]
    export: PathBuf,

    /// Print SOAP messages, both ways
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true",
          num_args = 0..=1, require_equals = true, value_parser = values::switch,
          action = clap::ArgAction::Set, hide_default_value = true)]
    trace: bool,

    /// Where SOAP messages go; implies -trace (default: standard error)
    #[arg(long, value_name = "FILE")]
    trace_file: Option<PathBuf>,

    /// What to log: error, warn, info, debug, trace, or as in RUST_LOG (default: RUST_LOG, or info)
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,

    /// The form of log lines: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    log_format: FormatFlag,

    /// Exit when a line, or the end, is read from standard input
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true",
          num_args = 0..=1, require_equals = true, value_parser = values::switch,
          action = clap::ArgAction::Set, hide_default_value = true)]
    stdinexit: bool,
}

impl Flags {
    /// What the flags add up to. Reads the files that hold a login, and opens the trace file.
    pub(super) fn into_config(self) -> Result<Config, clap::Error> {
        let Self {
            listening,
            login,
            identity,
            model,
            timing,
            tasks,
            events,
            control,
            xenapi,
            limits,
            output,
            task: _,
        } = self;
        if let Some(dir) = identity.load.as_deref().filter(|dir| !dir.is_dir()) {
            return Err(wrong("load", format!("{} is not a directory", dir.display())));
        }
        if let Some(filter) = &output.log_level {
            super::log::check(filter).map_err(|error| wrong("log-level", error))?;
        }
        Ok(Config {
            tls: match (listening.tls, listening.tlscert, listening.tlskey) {
                (false, ..) => Tls::Off,
                (true, Some(certificate), Some(key)) => Tls::Files { certificate, key },
                (true, ..) => Tls::SelfSigned,
            },
            listen: listening.listen,
            gzip: listening.gzip,
            tunnel: listening.tunnel.0,
            login: Login {
                username: secret("username", login.username)?,
                password: secret("password", login.password)?,
            },
            access: login.users.as_deref().map(access).transpose()?,
            session_timeout: login.session_timeout.0,
            esx: identity.esx,
            api_version: identity.api_version,
            load: identity.load,
            model: model.into(),
            scenario: timing.scenario,
            delays: Delays {
                all: timing.delay,
                methods: timing.method_delay.0,
                jitter: timing.delay_jitter,
            },
            clock: match timing.clock {
                ClockFlag::Real => ClockMode::Real,
                ClockFlag::Stepped => ClockMode::Stepped,
            },
            seed: timing.seed,
            tasks: tasks.into(),
            events: events.into(),
            xenapi: xenapi.into(),
            control: control.into(),
            limits: limits.into(),
            export: if output.export == Path::new("-") {
                Export::Stdout
            } else {
                Export::File(output.export)
            },
            trace: match &output.trace_file {
                Some(path) => Some(trace_to(File::create(path).map_err(|error| {
                    wrong("trace-file", format!("cannot write {}: {error}", path.display()))
                })?)),
                None if output.trace => Some(trace_to(io::stderr())),
                None => None,
            },
            stdin_exit: output.stdinexit,
            log: Log {
                format: match output.log_format {
                    FormatFlag::Text => LogFormat::Text,
                    FormatFlag::Json => LogFormat::Json,
                },
                filter: output.log_level,
            },
        })
    }
}

impl From<ModelFlags> for Model {
    fn from(flags: ModelFlags) -> Self {
        Self {
            dc: flags.dc,
            cluster: flags.cluster,
            host: flags.host,
            standalone_host: flags.standalone_host,
            vm: flags.vm,
            ds: flags.ds,
            pool: flags.pool,
            app: flags.app,
            pod: flags.pod,
            folder: flags.folder,
            pg: flags.pg,
            pg_nsx: flags.pg_nsx,
            nsx: flags.nsx,
            autostart: flags.autostart,
        }
    }
}

impl From<LimitFlags> for Limits {
    fn from(flags: LimitFlags) -> Self {
        Self {
            body: flags.max_body.0,
            requests: flags.max_requests.0,
            replies: flags.max_replies.0.max(1),
            xml_depth: flags.max_depth,
            xml_attributes: flags.max_attributes,
            connections: flags.max_connections,
            header_time: flags.header_timeout.0,
            body_time: flags.body_timeout.0,
            idle_time: flags.idle_timeout.0,
            grace: flags.grace.0,
            sessions: flags.max_sessions,
            filters: flags.max_filters,
            tasks: flags.max_tasks,
            views: flags.max_views,
            collectors: flags.max_property_collectors,
            objects: flags.max_objects,
            all_objects: flags.max_all_objects,
            ..Self::default()
        }
    }
}

/// An error about one flag, found after parsing.
fn wrong(flag: &str, reason: impl std::fmt::Display) -> clap::Error {
    Flags::command().error(ErrorKind::ValueValidation, format!("-{flag}: {reason}"))
}

/// The text itself, or what the file of that name holds, as vcsim does for mounted secrets. Empty
/// means unset.
fn secret(flag: &str, value: Option<String>) -> Result<Option<String>, clap::Error> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    if !Path::new(&value).is_file() {
        return Ok(Some(value));
    }
    let text = std::fs::read_to_string(&value)
        .map_err(|error| wrong(flag, format!("cannot read {value}: {error}")))?;
    Ok(Some(text.trim().to_owned()))
}

/// What the file for `-users` says.
fn access(path: &Path) -> Result<Access, clap::Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong("users", format!("cannot read {}: {error}", path.display())))?;
    Access::parse(&text).map_err(|error| wrong("users", format!("{}: {error}", path.display())))
}

/// Writes every message on lines of its own, after one that says which way it went.
fn trace_to(out: impl Write + Send + 'static) -> TraceSink {
    let out = Mutex::new(out);
    TraceSink::new(move |direction, message| {
        let head: &[u8] = match direction {
            Direction::Request => b"<!-- request -->\n",
            Direction::Reply => b"<!-- reply -->\n",
        };
        let text = [head, message.trim_ascii_end(), b"\n"].concat();
        let mut out = out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A trace that cannot be written is not worth a request.
        let _ = out.write_all(&text).and_then(|()| out.flush());
    })
}
