//! Real clients against the real program: pyVmomi, govmomi with govc, zeep, vim_rs over VI/JSON, and
//! two of XenAPI.
//!
//! Each test starts a server of its own on a free port and runs one suite of `tests/clients` with
//! `GOVC_URL` naming it. What the suites need is installed once, in pinned versions, under
//! `target/clients`. Where `python3`, `go` or `node` is missing, or the packages cannot be had, a test says
//! so and is skipped; with `VIMSIM_CLIENTS=required` it fails.
//!
//! `VIMSIM_CLIENTS_SERVER=PROGRAM` runs the suites against another server with vcsim's command
//! line, to compare.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The server is up long before.
const START: Duration = Duration::from_secs(20);
/// A suite takes seconds; it ends itself, and shows where it hangs, a little earlier than this.
const SUITE: Duration = Duration::from_secs(100);
/// Fetching packages and building govc's commands takes half a minute when nothing is cached.
const SETUP: Duration = Duration::from_secs(600);
/// vim_rs is nearly a million lines: minutes, on a machine that has nothing else to do.
const BINDINGS: Duration = Duration::from_secs(1800);

/// A server whose power-offs take a while, and whose clones nobody waits for.
const SLOW: &[&str] = &["-method-delay", "PowerOffVM:4000,CloneVM:30000"];
/// A server whose machines take a while to start and to stop.
const HEAVY: &[&str] = &["-method-delay", "PowerOnVM:1500,PowerOffVM:300"];
/// A server on which a power-off takes a day, and whose days pass when somebody says so. Sessions
/// outlast them.
const DAYS: &[&str] =
    &["-clock", "stepped", "-method-delay", "PowerOffVM:24h", "-session-timeout", "0"];
/// A server with at least one of everything that the flags can ask for.
const ALL_KINDS: &[&str] =
    &["-folder=1", "-pod=1", "-app=1", "-pool=2", "-ds=2", "-pg=2", "-pg-nsx=1", "-nsx=1"];
/// A server with one account.
const LOCKED: &[&str] = &["-username", "root", "-password", "secret"];

mod pyvmomi {
    use super::{DAYS, LOCKED, SLOW, python};

    #[test]
    fn session() {
        python("pyvmomi", "session", &[]);
    }

    #[test]
    fn session_over_plain_http() {
        python("pyvmomi", "session", &["-tls=false"]);
    }

    #[test]
    fn login() {
        python("pyvmomi", "login", LOCKED);
    }

    #[test]
    fn inventory() {
        python("pyvmomi", "inventory", &[]);
    }

    #[test]
    fn vm() {
        python("pyvmomi", "vm", &[]);
    }

    #[test]
    fn tasks() {
        python("pyvmomi", "tasks", &[]);
    }

    #[test]
    fn events() {
        python("pyvmomi", "events", &[]);
    }

    #[test]
    fn scheduled_tasks() {
        python("pyvmomi", "scheduled", &[]);
    }

    #[test]
    fn alarms() {
        python("pyvmomi", "alarms", &[]);
    }

    #[test]
    fn directing() {
        python("pyvmomi", "directing", &[]);
    }

    #[test]
    fn scenarios() {
        python("pyvmomi", "scenarios", &[]);
    }

    #[test]
    fn ten_watchers_of_a_hundred_tasks() {
        python("pyvmomi", "watchers", &[]);
    }

    #[test]
    fn slow_tasks() {
        python("pyvmomi", "slow", SLOW);
    }

    #[test]
    fn time_under_control() {
        python("pyvmomi", "control", DAYS);
    }
}

mod xenapi {
    use super::{HEAVY, python};

    #[test]
    fn session() {
        python("xenapi", "session", &[]);
    }

    #[test]
    fn session_over_plain_http() {
        python("xenapi", "session", &["-tls=false"]);
    }

    #[test]
    fn tasks() {
        python("xenapi", "tasks", HEAVY);
    }

    #[test]
    fn events() {
        python("xenapi", "events", HEAVY);
    }
}

mod xen_api {
    use super::{HEAVY, node};

    #[test]
    fn objects_and_tasks() {
        node("xen-api", "pool", HEAVY);
    }

    #[test]
    fn over_plain_http() {
        node("xen-api", "pool", &[HEAVY, &["-tls=false"]].concat());
    }
}

mod zeep {
    use super::{ALL_KINDS, python};

    #[test]
    fn by_the_served_wsdl() {
        python("zeep", "zeep", &[]);
    }

    #[test]
    fn everything_fits_the_served_schema() {
        python("zeep", "schema", &[]);
    }

    #[test]
    fn everything_of_a_host_fits_the_served_schema() {
        python("zeep", "schema", &["-esx"]);
    }

    #[test]
    fn everything_that_can_be_modelled_fits_the_served_schema() {
        python("zeep", "schema", ALL_KINDS);
    }
}

/// The control API is what its document says, whatever is sent to it.
mod schemathesis {
    use super::python;

    #[test]
    fn fuzzed_by_its_document() {
        python("schemathesis", "control", &["-clock", "stepped", "-tls=false"]);
    }
}

mod govmomi {
    use super::{LOCKED, SLOW, go};

    #[test]
    fn session() {
        go("TestSession", &[]);
    }

    #[test]
    fn login() {
        go("TestLogin", LOCKED);
    }

    #[test]
    fn inventory() {
        go("TestInventory", &[]);
    }

    #[test]
    fn vm() {
        go("TestVM", &[]);
    }

    #[test]
    fn task() {
        go("TestTask", &[]);
    }

    #[test]
    fn events() {
        go("TestEvents", &[]);
    }

    #[test]
    fn ten_watchers_of_a_hundred_tasks() {
        go("TestWatchers", &[]);
    }

    #[test]
    fn slow_tasks() {
        go("TestSlow", SLOW);
    }
}

mod govc {
    use super::go;

    #[test]
    fn inventory() {
        go("TestGovc/inventory", &[]);
    }

    #[test]
    fn vm() {
        go("TestGovc/vm", &[]);
    }

    #[test]
    fn guests() {
        go("TestGovc/guests", &[]);
    }

    #[test]
    fn network() {
        go("TestGovc/network", &[]);
    }

    #[test]
    fn tasks() {
        go("TestGovc/tasks", &[]);
    }

    #[test]
    fn events() {
        go("TestGovc/events", &[]);
    }

    #[test]
    fn alarms() {
        go("TestGovc/alarms", &[]);
    }

    #[test]
    fn esx() {
        go("TestGovc/esx", &["-esx"]);
    }
}

mod vim_rs {
    use super::{SLOW, rust};

    #[test]
    fn session() {
        rust("session", &[]);
    }

    #[test]
    fn inventory() {
        rust("inventory", &[]);
    }

    #[test]
    fn tasks() {
        rust("tasks", &[]);
    }

    #[test]
    fn updates() {
        rust("updates", SLOW);
    }

    #[test]
    fn cancel() {
        rust("cancel", SLOW);
    }
}

/// What `examples/` shows works as it stands there.
mod examples {
    use super::{SETUP, Unavailable, against_server, available, clients, run, venv};
    use std::process::Command;

    #[test]
    fn cancel_task() {
        let mut curl = Command::new("curl");
        curl.arg("--version");
        let curl = run(curl, SETUP).map_err(|why| Unavailable(format!("no curl: {why}")));
        if available(curl).is_none() {
            return;
        }
        let mut script = Command::new("bash");
        script.arg(clients().join("../../examples/cancel_task.sh"));
        let output = against_server(script, &[]);
        for line in ["state=running progress=60 cancelled=true", "state=error progress= "] {
            assert!(output.contains(line), "{output}");
        }
    }

    #[test]
    fn xenapi_task() {
        let requirements = clients().join("xenapi/requirements.txt");
        let Some(venv) = available(venv("xenapi", &requirements)) else { return };
        let mut script = Command::new(venv.join("bin/python"));
        script.arg(clients().join("../../examples/xenapi_task.py"));
        let output = against_server(script, super::HEAVY);
        for line in
            ["vSphere: VirtualMachine.powerOn of DC0_H0_VM0", "XenAPI: success 100%", ": Running"]
        {
            assert!(output.contains(line), "{output}");
        }
    }

    #[test]
    fn power_cycle() {
        let requirements = clients().join("pyvmomi/requirements.txt");
        let Some(venv) = available(venv("pyvmomi", &requirements)) else { return };
        let mut script = Command::new(venv.join("bin/python"));
        script.arg(clients().join("../../examples/power_cycle.py"));
        let output = against_server(script, &[]);
        assert!(output.contains("DC0_H0_VM0: poweredOff"), "{output}");
        assert!(output.ends_with("DC0_H0_VM0: poweredOn\n"), "{output}");
    }
}

/// Why a suite cannot run on this machine.
struct Unavailable(String);

/// Runs `tests/clients/CLIENT/test_SUITE.py` against a server started with these flags.
fn python(client: &str, suite: &str, flags: &[&str]) {
    let home = clients().join(client);
    let Some(venv) = available(venv(client, &home.join("requirements.txt"))) else { return };
    let mut command = Command::new(venv.join("bin/python"));
    command
        .args(["-X", "faulthandler", "-W", "ignore::ResourceWarning", "-m", "unittest"])
        .arg(format!("test_{suite}"))
        .current_dir(home)
        .env("VIMSIM", env!("CARGO_BIN_EXE_vimsim"))
        .env("VIMSIM_EXAMPLES", clients().join("../../examples"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    against_server(command, flags);
}

/// Runs a test of the Go module `tests/clients/govmomi` against a server started with these flags.
fn go(test: &str, flags: &[&str]) {
    let home = clients().join("govmomi");
    let Some(tests) = available(go_tests(&home)) else { return };
    let pattern: Vec<_> = test.split('/').map(|part| format!("^{part}$")).collect();
    let mut command = Command::new(tests);
    command
        .arg(format!("-test.run={}", pattern.join("/")))
        .args(["-test.timeout=80s", "-test.v"])
        .current_dir(home);
    against_server(command, flags);
}

/// Runs a suite of the program `tests/clients/vim_rs` against a server started with these flags.
fn rust(suite: &str, flags: &[&str]) {
    let home = clients().join("vim_rs");
    let Some(program) = available(rust_program(&home)) else { return };
    let mut command = Command::new(program);
    command.arg(suite).env("RUST_BACKTRACE", "0");
    against_server(command, flags);
}

/// Runs `tests/clients/CLIENT/SUITE.test.mjs` against a server started with these flags.
fn node(client: &str, suite: &str, flags: &[&str]) {
    let home = clients().join(client);
    let Some(modules) = available(node_modules(client, &home)) else { return };
    let mut command = Command::new("node");
    command
        .arg("--test")
        .arg(format!("{suite}.test.mjs"))
        .current_dir(home)
        .env("MODULES", modules);
    against_server(command, flags);
}

/// A directory with the packages of a lock file.
fn node_modules(client: &str, home: &Path) -> Result<PathBuf, Unavailable> {
    let files = ["package.json", "package-lock.json"];
    let recipe: String =
        files.iter().map(|name| fs::read_to_string(home.join(name)).unwrap()).collect();
    once(&format!("{client}-modules"), &recipe, |dir| {
        fs::create_dir_all(dir).unwrap();
        for name in files {
            fs::copy(home.join(name), dir.join(name)).unwrap();
        }
        let mut version = Command::new("node");
        version.arg("--version");
        run(version, SETUP).map_err(|why| Unavailable(format!("no node: {why}")))?;
        let mut install = Command::new("npm");
        install.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]);
        install.current_dir(dir);
        run(install, SETUP)
            .map_err(|why| Unavailable(format!("no packages for {client}: {why}")))?;
        Ok(())
    })
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// What a client prints that must succeed against a server started with these flags.
fn against_server(mut command: Command, flags: &[&str]) -> String {
    let server = Server::start(flags);
    command.env("GOVC_URL", &server.url).env("NO_PROXY", "127.0.0.1");
    match run(command, SUITE) {
        Ok(output) => output,
        Err(why) => panic!("{why}\n--- the server's log ---\n{}", server.stop()),
    }
}

/// The environment, unless it cannot be had: then the test is skipped, or fails if the environment
/// variable says that clients are required.
fn available<T>(environment: Result<T, Unavailable>) -> Option<T> {
    match environment {
        Ok(environment) => Some(environment),
        Err(Unavailable(why)) if env::var_os("VIMSIM_CLIENTS").is_some_and(|v| v == "required") => {
            panic!("{why}")
        }
        Err(Unavailable(why)) => {
            let name = thread::current().name().unwrap_or_default().to_owned();
            // Not by `eprintln!`, which shows only what failed.
            let _ = writeln!(io::stderr(), "skipped: {name}: {why}");
            None
        }
    }
}

/// A virtual environment with the packages of a requirements file.
fn venv(client: &str, requirements: &Path) -> Result<PathBuf, Unavailable> {
    let recipe = fs::read_to_string(requirements).unwrap();
    once(&format!("{client}-venv"), &recipe, |venv| {
        let mut create = Command::new("python3");
        create.args(["-m", "venv"]).arg(venv);
        run(create, SETUP).map_err(|why| Unavailable(format!("no python3 with venv: {why}")))?;
        let mut install = Command::new(venv.join("bin/python"));
        install
            .args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps"])
            .arg("--requirement")
            .arg(requirements);
        run(install, SETUP)
            .map_err(|why| Unavailable(format!("no packages for {client}: {why}")))?;
        Ok(())
    })
}

/// The Go module's tests as a program, with govc's commands in it.
fn go_tests(home: &Path) -> Result<PathBuf, Unavailable> {
    let mut recipe = String::new();
    for name in ["go.mod", "commands/commands.go"] {
        recipe += &fs::read_to_string(home.join(name)).unwrap();
    }
    let mut sources: Vec<_> =
        fs::read_dir(home).unwrap().map(|file| file.unwrap().path()).collect();
    sources.sort();
    for source in sources.iter().filter(|path| path.extension().is_some_and(|e| e == "go")) {
        recipe += &fs::read_to_string(source).unwrap();
    }
    let tool = |args: &[&str]| {
        let mut command = Command::new("go");
        command
            .args(args)
            .current_dir(home)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-trimpath -p=2 -buildvcs=false -mod=readonly")
            .env("GOCACHE", cache().join("go-build"));
        command
    };
    let dir = once("govmomi-tests", &recipe, |dir| {
        fs::create_dir_all(dir).unwrap();
        run(tool(&["version"]), SETUP).map_err(|why| Unavailable(format!("no go: {why}")))?;
        run(tool(&["mod", "download"]), SETUP)
            .map_err(|why| Unavailable(format!("no Go modules: {why}")))?;
        let mut build = tool(&["test", "-c", "-o"]);
        build.arg(dir.join("tests")).arg(".");
        run(build, SETUP).unwrap_or_else(|why| panic!("{why}"));
        Ok(())
    })?;
    Ok(dir.join("tests"))
}

/// The Rust program with vim_rs in it. Cargo knows itself when there is nothing to do.
fn rust_program(home: &Path) -> Result<PathBuf, Unavailable> {
    let target = cache().join("vim_rs");
    let tool = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(args).arg("--manifest-path").arg(home.join("Cargo.toml"));
        command
    };
    run(tool(&["fetch", "--locked", "--quiet"]), SETUP)
        .map_err(|why| Unavailable(format!("no vim_rs: {why}")))?;
    let mut build = tool(&["build", "--locked", "--offline", "--quiet"]);
    build.arg("--target-dir").arg(&target);
    run(build, BINDINGS).unwrap_or_else(|why| panic!("{why}"));
    Ok(target.join("debug/vim-rs-client"))
}

/// Where environments are kept, `target/clients`.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients")
}

/// A directory that was filled once for this recipe, whoever else wants it at the same time.
fn once(
    name: &str,
    recipe: &str,
    fill: impl FnOnce(&Path) -> Result<(), Unavailable>,
) -> Result<PathBuf, Unavailable> {
    let (dir, stamp) = (cache().join(name), cache().join(format!("{name}.recipe")));
    fs::create_dir_all(cache()).unwrap();
    let lock = File::create(cache().join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !fs::read_to_string(&stamp).is_ok_and(|done| done == recipe) {
        let _ = fs::remove_file(&stamp);
        let _ = fs::remove_dir_all(&dir);
        fill(&dir)?;
        fs::write(&stamp, recipe).unwrap();
    }
    Ok(dir)
}

/// Runs a command to its end, and gives what it printed; the error is that, too.
fn run(mut command: Command, limit: Duration) -> Result<String, String> {
    let title = format!("{command:?}");
    let (mut reader, writer) = io::pipe().unwrap();
    command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().map_err(|error| format!("{title}: {error}"))?;
    drop(command); // and its ends of the pipe
    let (send, output) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = reader.read_to_end(&mut text);
        let _ = send.send(String::from_utf8_lossy(&text).into_owned());
    });
    let (text, hung) = match output.recv_timeout(limit) {
        Ok(text) => (text, false),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            let _ = child.kill();
            (output.recv_timeout(Duration::from_secs(1)).unwrap_or_default(), true)
        }
    };
    let status = child.wait().unwrap();
    match (hung, status.success()) {
        (false, true) => Ok(text),
        (false, false) => Err(format!("{title}: {status}\n{text}")),
        (true, _) => Err(format!("{title}: did not end in {limit:?}\n{text}")),
    }
}

/// A server process, ended with the test.
struct Server {
    process: Child,
    url: String,
    log: PathBuf,
}

impl Server {
    /// Starts the program on a free port and waits for its ready line.
    fn start(flags: &[&str]) -> Self {
        let program = env::var_os("VIMSIM_CLIENTS_SERVER")
            .unwrap_or_else(|| OsString::from(env!("CARGO_BIN_EXE_vimsim")));
        let name = thread::current().name().unwrap_or("server").replace("::", "-");
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
        let mut process = Command::new(program)
            .args(["-l", "127.0.0.1:0"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (send, lines) = mpsc::channel();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        // Reads on after the ready line, so that the server never blocks on a full pipe.
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut server = Self { process, url: String::new(), log };
        while server.url.is_empty() {
            let Ok(line) = lines.recv_timeout(START) else {
                panic!("the server did not say that it is ready\n{}", server.stop());
            };
            let url = line.split(' ').find_map(|word| word.strip_prefix("GOVC_URL="));
            server.url = url.unwrap_or_default().to_owned();
        }
        server
    }

    /// Ends the server and gives its log.
    fn stop(mut self) -> String {
        self.end();
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
