//! Very many sessions at once: most clients of a vCenter are logged in and
//! wait. Half of the sessions here wait, each for an object of its own.
//!
//! One thread drives them all, so that the server has a processor of its own
//! on a machine of two. What is measured includes what that thread needs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::driver::{Server, TIME_NOW, body_end, request};
use crate::{TIMES, between, call_on, row};

const SESSIONS: usize = 10_000;
const WAITING: usize = 5_000;

/// How many clients come and go at the same time.
const AT_ONCE: usize = 64;

/// Open files that are not connections of sessions: the runtime's, the pipe's,
/// and those of the clients that measure.
const SPARE: usize = 100;

/// A client whose calls do not block.
struct Session {
    stream: TcpStream,
    address: String,
    cookie: String,
    buffer: Vec<u8>,
}

impl Session {
    async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, address: address.to_owned(), cookie: String::new(), buffer: Vec::new() }
    }

    async fn login(address: &str) -> Self {
        let mut session = Self::connect(address).await;
        session.log_in().await;
        session
    }

    async fn log_in(&mut self) {
        let reply = self.call(crate::driver::LOGIN).await;
        assert!(reply.contains("LoginResponse"), "{reply}");
        self.cookie = between(&reply, "vmware_soap_session=", ";");
        self.cookie.insert_str(0, "vmware_soap_session=");
    }

    async fn call(&mut self, body: &str) -> String {
        let request = request(&self.address, &self.cookie, body);
        self.stream.write_all(&request).await.expect("the request is sent");
        self.buffer.clear();
        loop {
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).await.expect("the reply is read");
            assert!(read > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&chunk[..read]);
            if body_end(&self.buffer).is_some_and(|end| end.is_whole(&self.buffer)) {
                let reply = String::from_utf8_lossy(&self.buffer).into_owned();
                // What waits for long holds nothing.
                self.buffer = Vec::new();
                return reply;
            }
        }
    }

    /// A filter on one property of one object, and the version to wait from.
    async fn watch(&mut self, what: &Watched) -> String {
        let Watched { ty, mo, property } = what;
        let filter = format!(
            "<spec><propSet><type>{ty}</type><pathSet>{property}</pathSet></propSet>\
             <objectSet><obj type=\"{ty}\">{mo}</obj></objectSet></spec>\
             <partialUpdates>false</partialUpdates>"
        );
        let reply = self.call(&on_collector("CreateFilter", &filter)).await;
        assert!(reply.contains("CreateFilterResponse"), "{reply}");
        between(&self.call(&wait("")).await, "<version>", "<")
    }
}

fn on_collector(method: &str, arguments: &str) -> String {
    call_on("PropertyCollector", "propertyCollector", method, arguments)
}

fn wait(version: &str) -> String {
    on_collector("WaitForUpdatesEx", &format!("<version>{version}</version>"))
}

/// What a session waits for.
#[derive(Clone)]
struct Watched {
    ty: &'static str,
    mo: String,
    property: &'static str,
}

/// The median and the 99th percentile, in milliseconds.
fn spread(name: &str, mut taken: Vec<f64>) {
    taken.sort_by(f64::total_cmp);
    row(name, taken[taken.len() / 2], "ms");
    row("    99th percentile", taken[taken.len() * 99 / 100], "ms");
}

fn since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}

/// The limit of open files, as high as it may be.
fn open_files() -> usize {
    #[cfg(not(unix))]
    return usize::MAX;
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
        getrlimit(Resource::Nofile).current.map_or(usize::MAX, |most| most as usize)
    }
}

/// Very many sessions, half of which wait.
pub(crate) fn crowd(program: &Path) {
    let connections = SESSIONS.min(open_files().saturating_sub(SPARE));
    let server =
        Server::start(program, &["-vm", &(WAITING / 4 + 1).to_string(), "-session-timeout", "0"]);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a thread").block_on(drive(&server, connections));
}

async fn drive(server: &Server, connections: usize) {
    let address = server.address.as_str();
    let mut changer = Session::login(address).await;
    let watched = objects(&mut changer).await;
    let before = server.resident().unwrap_or_default();
    row("memory before", before as f64 / 1e6, "MB");
    let held = |what: &str, before: u64, count: usize| {
        let bytes = server.resident().unwrap_or_default().saturating_sub(before);
        row(&format!("    memory for each {what}"), bytes as f64 / count as f64 / 1e3, "KB");
    };

    let begin = Instant::now();
    let (sessions, logins) = log_in(address, connections).await;
    row(&format!("{SESSIONS} logins over {connections} connections"), since(begin) / 1e3, "s");
    spread("    one of 64 at the same time", logins);
    held("session, with its connection", before, SESSIONS);
    idle(server, "10,000 sessions that do nothing").await;

    let before = server.resident().unwrap_or_default();
    let begin = Instant::now();
    let (told, replies) = mpsc::unbounded_channel();
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let (waiting, resting) = begin_waits(sessions, &watched, &told, &stop).await;
    row(&format!("until {WAITING} of them wait"), since(begin) / 1e3, "s");
    // The last requests are on their way.
    tokio::time::sleep(Duration::from_secs(2)).await;
    held("session that waits", before, WAITING);
    idle(server, "5,000 of 10,000 sessions wait").await;

    changes(&mut changer, &watched, replies).await;
    small_calls(address, &mut changer).await;
    end(server, waiting, resting, &stop, &watched, &mut changer).await;
}

/// What the sessions wait for: tasks and machines in turn.
async fn objects(client: &mut Session) -> Vec<Watched> {
    let view = client
        .call(&call_on(
            "ViewManager",
            "ViewManager",
            "CreateContainerView",
            "<container type=\"Folder\">group-d1</container><type>VirtualMachine</type>\
             <recursive>true</recursive>",
        ))
        .await;
    let view = between(&view, "ContainerView\">", "<");
    let reply = client.call(&crate::driver::retrieve(&view, &["name"])).await;
    let machines = reply.split("<obj type=\"VirtualMachine\">").skip(1);
    let mut machines = machines.map(|rest| rest.split('<').next().unwrap_or_default().to_owned());
    let mut watched = Vec::with_capacity(WAITING);
    while watched.len() < WAITING {
        let create = "<obj type=\"Folder\">group-d1</obj>\
             <taskTypeId>com.vmware.govmomi.simulator.test</taskTypeId>\
             <cancelable>true</cancelable>";
        let reply = client.call(&call_on("TaskManager", "TaskManager", "CreateTask", create)).await;
        let task = between(&reply, "<key>", "<");
        let run = call_on("Task", &task, "SetTaskState", "<state>running</state>");
        let reply = client.call(&run).await;
        assert!(reply.contains("SetTaskStateResponse"), "{reply}");
        watched.push(Watched { ty: "Task", mo: task, property: "info.progress" });
        let mo = machines.next().expect("a machine for every second session");
        watched.push(Watched { ty: "VirtualMachine", mo, property: "name" });
    }
    watched
}

/// Logs all sessions in. Those for which there is no connection leave theirs,
/// and only their cookies are kept.
async fn log_in(address: &str, connections: usize) -> (Vec<Session>, Vec<f64>) {
    let turns = std::sync::Arc::new(Semaphore::new(AT_ONCE));
    let mut logins = JoinSet::new();
    for number in 0..SESSIONS {
        let (turns, address) = (turns.clone(), address.to_owned());
        logins.spawn(async move {
            let _turn = turns.acquire_owned().await.expect("a turn");
            let mut session = Session::connect(&address).await;
            let begin = Instant::now();
            session.log_in().await;
            (number, since(begin), session)
        });
    }
    let (mut sessions, mut taken) = (Vec::new(), Vec::new());
    while let Some(done) = logins.join_next().await {
        let (number, time, session) = done.expect("a login");
        taken.push(time);
        if number < connections {
            sessions.push(session);
        }
    }
    (sessions, taken)
}

/// The share of one processor that the server needs while nobody asks for
/// anything.
async fn idle(server: &Server, what: &str) {
    const WATCHED: Duration = Duration::from_secs(5);
    let before = server.processor_time();
    tokio::time::sleep(WATCHED).await;
    let busy = server.processor_time().saturating_sub(before).as_secs_f64();
    row(&format!("processor, {what}"), busy / WATCHED.as_secs_f64() * 100.0, "%");
}

/// A reply to the wait of a session.
type Told = (usize, Instant);

async fn begin_waits(
    mut sessions: Vec<Session>,
    watched: &[Watched],
    told: &mpsc::UnboundedSender<Told>,
    stop: &std::sync::Arc<AtomicBool>,
) -> (JoinSet<Session>, Vec<Session>) {
    let turns = std::sync::Arc::new(Semaphore::new(AT_ONCE));
    let mut waiting = JoinSet::new();
    let (ready, mut begun) = mpsc::unbounded_channel();
    for (number, what) in watched.iter().cloned().enumerate() {
        let mut session = sessions.pop().expect("a session");
        let (turns, told) = (turns.clone(), told.clone());
        let (stop, ready) = (stop.clone(), ready.clone());
        waiting.spawn(async move {
            let turn = turns.acquire_owned().await.expect("a turn");
            let mut version = session.watch(&what).await;
            drop(turn);
            ready.send(()).expect("somebody counts");
            while !stop.load(Ordering::Relaxed) {
                let reply = session.call(&wait(&version)).await;
                if told.send((number, Instant::now())).is_err() {
                    break;
                }
                version = between(&reply, "<version>", "<");
            }
            session
        });
    }
    for _ in watched {
        begun.recv().await.expect("a session that waits");
    }
    (waiting, sessions)
}

/// The call that changes what a session waits for: no two of the same number
/// for one of them, or nothing would change.
fn change(what: &Watched, number: usize) -> String {
    let Watched { ty, mo, .. } = what;
    let (method, argument) = match *ty {
        "Task" => ("UpdateProgress", format!("<percentDone>{number}</percentDone>")),
        _ => ("Rename_Task", format!("<newName>renamed {number} {mo}</newName>")),
    };
    call_on(ty, mo, method, &argument)
}

async fn changes(
    changer: &mut Session,
    watched: &[Watched],
    mut replies: mpsc::UnboundedReceiver<Told>,
) {
    for (name, first) in [("UpdateProgress", 0), ("Rename_Task", 1)] {
        let mut taken = Vec::new();
        for round in 0..TIMES {
            let number = (round * 24 + first) % watched.len();
            let begin = Instant::now();
            changer.call(&change(&watched[number], round % 90 + 1)).await;
            let (who, at) = replies.recv().await.expect("whom it concerns is told");
            assert_eq!(who, number, "and nobody else");
            taken.push(at.saturating_duration_since(begin).as_secs_f64() * 1e3);
        }
        spread(&format!("{name} to the reply of the one who waits for it"), taken);
    }
    // Everything changes, one after the other, as fast as one client can.
    let begin = Instant::now();
    let mut begun = vec![begin; watched.len()];
    for (number, what) in watched.iter().enumerate().step_by(2) {
        begun[number] = Instant::now();
        changer.call(&change(what, 95)).await;
    }
    let mut taken = Vec::new();
    for _ in (0..watched.len()).step_by(2) {
        let (who, at) = replies.recv().await.expect("all are told");
        taken.push(at.saturating_duration_since(begun[who]).as_secs_f64() * 1e3);
    }
    row(&format!("{} changes in a row, until all are told", taken.len()), since(begin) / 1e3, "s");
    spread("    from each to its reply", taken);
}

async fn small_calls(address: &str, client: &mut Session) {
    let mut taken = Vec::new();
    for _ in 0..TIMES {
        let begin = Instant::now();
        client.call(TIME_NOW).await;
        taken.push(since(begin));
    }
    spread("CurrentTime beside them", taken);
    let mut taken = Vec::new();
    for _ in 0..TIMES {
        let mut session = Session::connect(address).await;
        let begin = Instant::now();
        session.log_in().await;
        taken.push(since(begin));
        session.call(LOGOUT).await;
    }
    spread("Login beside them", taken);
}

const LOGOUT: &str = "<Logout xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager\
    </_this></Logout>";

/// Everybody who waits is told once more, and then everybody logs out.
async fn end(
    server: &Server,
    mut waiting: JoinSet<Session>,
    resting: Vec<Session>,
    stop: &AtomicBool,
    watched: &[Watched],
    changer: &mut Session,
) {
    stop.store(true, Ordering::Relaxed);
    let begin = Instant::now();
    for what in watched {
        changer.call(&change(what, 99)).await;
    }
    let mut sessions = resting;
    while let Some(session) = waiting.join_next().await {
        sessions.push(session.expect("a wait that ended"));
    }
    row("until all who waited are told and stop", since(begin) / 1e3, "s");
    let begin = Instant::now();
    let turns = std::sync::Arc::new(Semaphore::new(AT_ONCE));
    let mut logouts = JoinSet::new();
    let count = sessions.len();
    for mut session in sessions {
        let turns = turns.clone();
        logouts.spawn(async move {
            let _turn = turns.acquire_owned().await.expect("a turn");
            let reply = session.call(LOGOUT).await;
            assert!(reply.contains("LogoutResponse"), "{reply}");
        });
    }
    while logouts.join_next().await.is_some() {}
    while server.open_files() > SPARE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    row(&format!("{count} logouts, until all connections are gone"), since(begin) / 1e3, "s");
    // The allocator gives memory back some seconds later.
    tokio::time::sleep(Duration::from_secs(15)).await;
    row("memory 15 s after that", server.resident().unwrap_or_default() as f64 / 1e6, "MB");
}
