//! The command line: every flag in each of its spellings, what is wrong, and the program itself.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use vimsim::cli::{Invocation, parse};
use vimsim::config::{ClockMode, Config, Direction, Export, LogFormat, Tls};

fn read(arguments: &[&str]) -> Result<Invocation, String> {
    let arguments = ["vimsim"].iter().chain(arguments).map(OsString::from);
    parse(arguments).map_err(|error| {
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    })
}

#[track_caller]
fn config(arguments: &[&str]) -> Config {
    match read(arguments) {
        Ok(Invocation::Serve(config)) => *config,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

fn error(arguments: &[&str]) -> String {
    match read(arguments) {
        Err(message) => message,
        Ok(other) => panic!("{arguments:?}: {other:?}"),
    }
}

/// Settings without what cannot be compared.
fn text(config: &Config) -> String {
    format!("{config:?}")
}

type Check = fn(&Config) -> bool;

/// Flags that take a value, a value that is not the default, and what it leads to.
const VALUES: &[(&str, &str, Check)] = &[
    ("l", "[::1]:9000", |c| c.listen.host == "::1" && c.listen.port == 9000),
    ("tunnel", "0", |c| c.tunnel == Some(0)),
    ("username", "someone", |c| c.login.username.as_deref() == Some("someone")),
    ("password", "s=e:c ret", |c| c.login.password.as_deref() == Some("s=e:c ret")),
    ("session-timeout", "1h30m", |c| c.session_timeout == Duration::from_secs(5400)),
    ("api-version", "7.0.3", |c| c.api_version == "7.0.3"),
    ("load", env!("CARGO_MANIFEST_DIR"), |c| {
        c.load.as_deref() == Some(Path::new(env!("CARGO_MANIFEST_DIR")))
    }),
    ("dc", "7", |c| c.model.dc == 7),
    ("cluster", "7", |c| c.model.cluster == 7),
    ("host", "7", |c| c.model.host == 7),
    ("standalone-host", "7", |c| c.model.standalone_host == 7),
    ("vm", "7", |c| c.model.vm == 7),
    ("ds", "7", |c| c.model.ds == 7),
    ("pool", "7", |c| c.model.pool == 7),
    ("app", "7", |c| c.model.app == 7),
    ("pod", "7", |c| c.model.pod == 7),
    ("folder", "7", |c| c.model.folder == 7),
    ("pg", "7", |c| c.model.pg == 7),
    ("pg-nsx", "7", |c| c.model.pg_nsx == 7),
    ("nsx", "7", |c| c.model.nsx == 7),
    ("delay", "250", |c| c.delays.all == Duration::from_millis(250)),
    ("method-delay", "PowerOnVM:100, CloneVM_Task:2s", |c| {
        c.delays.methods
            == [
                ("PowerOnVM".to_owned(), Duration::from_millis(100)),
                ("CloneVM_Task".to_owned(), Duration::from_secs(2)),
            ]
    }),
    ("delay-jitter", "0.5", |c| c.delays.jitter == 0.5),
    ("clock", "stepped", |c| c.clock == ClockMode::Stepped),
    ("seed", "42", |c| c.seed == Some(42)),
    ("task-age", "2h", |c| c.tasks.age == Duration::from_secs(7200)),
    ("task-count", "7", |c| c.tasks.count == 7),
    ("task-history-age", "48h", |c| c.tasks.history_age == Duration::from_secs(172_800)),
    ("task-history-count", "7", |c| c.tasks.history_count == 7),
    ("max-collectors", "7", |c| c.tasks.collectors == 7),
    ("xenapi-task-age", "5m", |c| c.xenapi.task_age == Duration::from_secs(300)),
    ("xenapi-task-count", "9", |c| c.xenapi.task_count == 9),
    ("xenapi-pending-age", "1h", |c| c.xenapi.pending_age == Duration::from_secs(3600)),
    ("xenapi-event-pause", "0s", |c| c.xenapi.event_pause == Duration::ZERO),
    ("event-age", "2h", |c| c.events.age == Duration::from_secs(7200)),
    ("event-count", "7", |c| c.events.count == 7),
    ("control-listen", "127.0.0.1:0", |c| c.control.listen.as_ref().is_some_and(|it| it.port == 0)),
    ("max-body", "64MiB", |c| c.limits.body == 64 << 20),
    ("max-depth", "7", |c| c.limits.xml_depth == 7),
    ("max-attributes", "7", |c| c.limits.xml_attributes == 7),
    ("max-connections", "7", |c| c.limits.connections == 7),
    ("max-requests", "64MiB", |c| c.limits.requests == 64 << 20),
    ("max-replies", "64MiB", |c| c.limits.replies == 64 << 20),
    ("max-sessions", "7", |c| c.limits.sessions == 7),
    ("max-filters", "7", |c| c.limits.filters == 7),
    ("max-tasks", "7", |c| c.limits.tasks == 7),
    ("max-views", "7", |c| c.limits.views == 7),
    ("max-property-collectors", "7", |c| c.limits.collectors == 7),
    ("max-objects", "7", |c| c.limits.objects == 7),
    ("max-all-objects", "7", |c| c.limits.all_objects == 7),
    ("header-timeout", "7s", |c| c.limits.header_time == Duration::from_secs(7)),
    ("body-timeout", "700ms", |c| c.limits.body_time == Duration::from_millis(700)),
    ("idle-timeout", "2h", |c| c.limits.idle_time == Duration::from_secs(7200)),
    ("grace", "0", |c| c.limits.grace == Duration::ZERO),
    ("E", "/some/file", |c| c.export == Export::File("/some/file".into())),
    ("trace-file", "/dev/null", |c| c.trace.is_some()),
    ("log-level", "debug", |c| c.log.filter.as_deref() == Some("debug")),
    ("log-format", "json", |c| c.log.format == LogFormat::Json),
];

/// Switches, and where they show.
const SWITCHES: &[(&str, Check)] = &[
    ("tls", |c| c.tls == Tls::SelfSigned),
    ("gzip", |c| c.gzip),
    ("control", |c| c.control.on),
    ("esx", |c| c.esx),
    ("autostart", |c| c.model.autostart),
    ("trace", |c| c.trace.is_some()),
    ("stdinexit", |c| c.stdin_exit),
];

#[test]
fn every_flag_takes_its_value_in_four_spellings() {
    for (flag, value, check) in VALUES {
        assert!(!check(&config(&[])), "-{flag}: the default must differ");
        let spellings: [&[&str]; 4] = [
            &[&format!("-{flag}"), value],
            &[&format!("--{flag}"), value],
            &[&format!("-{flag}={value}")],
            &[&format!("--{flag}={value}")],
        ];
        for spelling in spellings {
            assert!(check(&config(spelling)), "{spelling:?}");
            // It takes nothing that belongs to its neighbours.
            let between = [&["-esx"], spelling, &["-vm", "77"]].concat();
            let config = config(&between);
            assert!(config.esx && config.model.vm == 77, "{between:?}");
        }
    }
}

#[test]
fn every_switch_is_turned_on_and_off() {
    for (flag, is_on) in SWITCHES {
        for dashes in ["-", "--"] {
            assert!(is_on(&config(&[&format!("{dashes}{flag}")])), "{dashes}{flag}");
            for (on, values) in [
                (true, ["true", "1", "t", "T", "TRUE", "True"]),
                (false, ["false", "0", "f", "F", "FALSE", "False"]),
            ] {
                for value in values {
                    let spelling = format!("{dashes}{flag}={value}");
                    assert_eq!(is_on(&config(&[&spelling])), on, "{spelling}");
                }
            }
        }
        // As in Go, a switch does not take the next argument.
        assert!(error(&[&format!("-{flag}"), "false"]).contains("'false'"));
    }
}

#[test]
fn no_flags_mean_the_defaults_of_the_library() {
    assert_eq!(text(&config(&[])), text(&Config::default()));
}

#[test]
fn certificate_and_key_come_together() {
    let config = config(&["-tlscert", "c.pem", "-tlskey=k.pem"]);
    assert_eq!(config.tls, Tls::Files { certificate: "c.pem".into(), key: "k.pem".into() });
    assert!(error(&["-tlscert", "c.pem"]).contains("tlskey"));
    assert!(error(&["-tlskey", "k.pem"]).contains("tlscert"));
}

#[test]
fn values_may_look_like_flags() {
    assert_eq!(config(&["-tunnel", "-1"]).tunnel, None);
    assert_eq!(config(&["-tunnel=-1"]).tunnel, None);
    assert_eq!(config(&["-E", "-"]).export, Export::Stdout);
    assert_eq!(config(&["-password", "-vm"]).login.password.as_deref(), Some("-vm"));
}

#[test]
fn the_last_of_a_repeated_flag_counts() {
    let config = config(&["-vm", "1", "-tls=false", "-vm=2", "-tls", "--vm", "3"]);
    assert_eq!((config.model.vm, config.tls), (3, Tls::SelfSigned));
}

#[test]
fn an_empty_login_means_any() {
    let config = config(&["-username=", "-password", ""]);
    assert_eq!((&config.login.username, &config.login.password), (&None, &None));
    assert!(config.login.accepts("anybody", "anything") && !config.login.accepts("", ""));
}

#[test]
fn a_login_may_stand_in_a_file() {
    let path = scratch("secret").join("password");
    fs::write(&path, "from a file\n").unwrap();
    let config = config(&["-username", "me", "-password", path.to_str().unwrap()]);
    assert!(config.login.accepts("me", "from a file"));
    assert!(!config.login.accepts("me", "another") && !config.login.accepts("you", "from a file"));
    assert!(!text(&config).contains("from a file"), "passwords stay out of logs");
}

#[test]
fn a_trace_file_gets_both_directions() {
    let path = scratch("trace").join("trace.xml");
    let sink = config(&["-trace-file", path.to_str().unwrap()]).trace.unwrap();
    sink.record(Direction::Request, b"<question/>\n");
    sink.record(Direction::Reply, b"<answer/>");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "<!-- request -->\n<question/>\n<!-- reply -->\n<answer/>\n");
}

#[test]
fn what_is_wrong_is_named() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["-vmm", "3"], &["--vmm", "'--vm'"]),
        (&["--autostrat=false"], &["--autostrat", "'--autostart'"]),
        (&["-vm"], &["--vm", "required"]),
        (&["-vm", "many"], &["--vm", "many", "a number"]),
        (&["-vm", "-1"], &["--vm", "-1"]),
        (&["-tls=maybe"], &["--tls", "maybe", "true or false"]),
        (&["-l", "localhost"], &["--l", "HOST:PORT"]),
        (&["-l", "::1"], &["--l", "HOST:PORT"]),
        (&["-l", ":99999"], &["--l", "99999"]),
        (&["-tunnel", "70000"], &["--tunnel", "0 to 65535"]),
        (&["-delay", "soon"], &["--delay", "milliseconds"]),
        (&["-delay", "-5"], &["--delay", "-5"]),
        (&["-method-delay", "PowerOnVM"], &["--method-delay", "METHOD:MILLISECONDS"]),
        (&["-method-delay", "A:1,B:x"], &["--method-delay", "B:x"]),
        (&["-delay-jitter", "NaN"], &["--delay-jitter", "NaN"]),
        (&["-session-timeout", "30"], &["--session-timeout", "30m"]),
        (&["-session-timeout", "99999999999999999h"], &["--session-timeout", "100 years"]),
        (&["-header-timeout", "0"], &["--header-timeout", "longer than 0"]),
        (&["-max-connections", "0"], &["--max-connections", "1 or more"]),
        (&["-max-body", "1TiB"], &["--max-body", "32MiB"]),
        (&["-max-body", "99999999999999GiB"], &["--max-body", "too large"]),
        (&["-api-version", "eight"], &["--api-version", "8.0.3.0"]),
        (&["-clock", "slow"], &["--clock", "real, stepped"]),
        (&["-log-level", "vimsim=loud"], &["-log-level"]),
        (&["-load", "/no/such/directory"], &["-load", "/no/such/directory"]),
        (&["-trace-file", "/no/such/file"], &["-trace-file", "/no/such/file"]),
        (&["serve"], &["serve"]),
        (&["uuidgn"], &["uuidgn", "'uuidgen'"]),
    ];
    for (arguments, parts) in cases {
        let message = error(arguments);
        for part in *parts {
            assert!(message.contains(part), "{arguments:?}: {message}");
        }
    }
}

fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}"));
    // What an earlier run left is of no use.
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn vimsim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vimsim"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = vimsim(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn help_shows_every_flag_on_standard_output() {
    let (code, help, stderr) = output(&["-h"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let names = VALUES.iter().map(|(name, ..)| name).chain(SWITCHES.iter().map(|(name, _)| name));
    for name in names.chain(&["tlscert", "tlskey"]) {
        let shown = |line: &str| {
            line.strip_prefix(&format!("  -{name}"))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        assert!(help.lines().any(shown), "-{name} is missing");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    for spelling in ["--help", "-help", "--h"] {
        assert_eq!(output(&[spelling]).1, help);
    }
}

#[test]
fn sub_commands_print_and_exit() {
    let (code, uuid, _) = output(&["uuidgen"]);
    assert_eq!(code, Some(0));
    assert_eq!(uuid::Uuid::parse_str(uuid.trim()).unwrap().get_version_num(), 4);
    assert_ne!(output(&["uuidgen"]).1, uuid);
    // Flags may come first, as in `vcsim -vm 3 version`.
    let version = format!("vimsim {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(output(&["-vm", "3", "version"]), (Some(0), version, String::new()));
}

#[test]
fn wrong_flags_exit_with_2_and_failed_starts_with_1() {
    let (code, stdout, stderr) = output(&["-vmm", "3"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("vmm"), "{stderr}");
    let missing = ["-l", "127.0.0.1:0", "-tlscert", "/no/cert.pem", "-tlskey", "/no/key.pem"];
    let (code, stdout, stderr) = output(&missing);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("/no/cert.pem"), "{stderr}");
    let (code, _, stderr) = output(&["-l", "127.0.0.1:0", "-E", "/no/such/file"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("/no/such/file"), "{stderr}");
}

/// A started program, ended with the test.
struct Program(Child);

impl Program {
    fn start(arguments: &[&str]) -> Self {
        Self(
            vimsim(&[&["-l", "127.0.0.1:0"], arguments].concat())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }

    /// Waits for the line for people.
    fn ready(&mut self) {
        let mut line = String::new();
        BufReader::new(self.0.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("ready"), "{line}");
    }

    /// Checks the line for scripts, and takes the address out of it.
    #[track_caller]
    fn address(&self, line: &str, scheme: &str) -> String {
        let pid = format!(" GOVC_SIM_PID={}\n", self.0.id());
        line.strip_prefix(&format!("export GOVC_URL={scheme}://user:pass@"))
            .and_then(|rest| rest.strip_suffix(&pid))
            .and_then(|rest| rest.strip_suffix("/sdk"))
            .unwrap_or_else(|| panic!("{line}"))
            .to_owned()
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn end(mut self) -> (Option<i32>, String) {
        let mut stderr = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.0.wait().unwrap().code(), stderr)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[test]
fn the_url_is_on_standard_output_when_the_server_answers() {
    use std::io::Write as _;
    let mut program = Program::start(&["-tls=false"]);
    let line = program.line();
    let address = program.address(&line, "http");
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    stream.write_all(b"GET /about HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 "), "{reply}");

    program.signal(rustix::process::Signal::TERM);
    let (code, stderr) = program.end();
    assert_eq!(code, Some(0));
    assert!(stderr.contains(&format!("ready at http://{address}/sdk")), "{stderr}");
    assert!(stderr.contains("SIGTERM"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn the_url_goes_into_a_file_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt as _;
    let path = scratch("export").join("env");
    let mut program = Program::start(&["-log-level", "debug", "-E", path.to_str().unwrap()]);
    let mut stderr = BufReader::new(program.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("wrote the URL to") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "ended early");
    }
    program.address(&fs::read_to_string(&path).unwrap(), "https");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    program.signal(rustix::process::Signal::INT);
    assert_eq!(program.0.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn the_url_goes_into_a_fifo_when_somebody_reads() {
    let path = scratch("fifo").join("env");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut program = Program::start(&["-E", path.to_str().unwrap()]);
    program.ready();
    program.address(&fs::read_to_string(&path).unwrap(), "https");
    program.signal(rustix::process::Signal::TERM);
    assert_eq!(program.end().0, Some(0));
}

#[cfg(unix)]
#[test]
fn a_fifo_that_nobody_reads_does_not_keep_the_program() {
    let path = scratch("unread").join("env");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut program = Program::start(&["-E", path.to_str().unwrap()]);
    program.ready();
    program.signal(rustix::process::Signal::TERM);
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn stdinexit_ends_with_a_key_or_the_end_of_input() {
    use std::io::Write as _;
    for key in [&b"q\n"[..], b""] {
        let mut program = Program::start(&["-stdinexit"]);
        program.line();
        program.0.stdin.take().unwrap().write_all(key).unwrap();
        let (code, stderr) = program.end();
        assert_eq!(code, Some(0));
        assert!(stderr.contains("standard input"), "{stderr}");
    }
}

#[test]
fn logs_are_json_on_demand() {
    let mut program = Program::start(&["-stdinexit", "-log-format", "json"]);
    program.line();
    drop(program.0.stdin.take());
    let (_, stderr) = program.end();
    let mut lines = stderr.lines().map(|line| {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"))
    });
    let first = lines.next().unwrap();
    assert_eq!(first["level"], "INFO");
    assert!(first["message"].as_str().unwrap().contains("ready"), "{first}");
    assert!(lines.count() > 0);
}
