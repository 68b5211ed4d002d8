//! Large inventories and many tasks: how long a start takes and what is held.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::driver::{Client, Server, between};

/// Flags for so many virtual machines, half of them in each of the two pools.
fn flags(machines: usize) -> [String; 2] {
    ["-vm".to_owned(), (machines / 2).to_string()]
}

fn start(program: &Path, machines: usize) -> Server {
    let flags = flags(machines);
    Server::start(program, &flags.each_ref().map(String::as_str))
}

/// Seconds until a server with so many virtual machines answers.
pub(crate) fn ready_after(program: &Path, machines: usize) -> f64 {
    start(program, machines).ready_after.as_secs_f64()
}

/// Kilobytes that a virtual machine costs, over the server without any.
pub(crate) fn memory(program: &Path, machines: usize) -> f64 {
    let empty = start(program, 0).resident().map_or(f64::NAN, |bytes| bytes as f64);
    (start(program, machines).resident().map_or(f64::NAN, |bytes| bytes as f64) - empty)
        / 1e3
        / machines as f64
}

/// How many times as much memory the server holds when `tasks` tasks have come and gone. What is
/// kept of tasks, in history and as events, is kept for seconds here; the memory is given back
/// little by little in the seconds after that. What is left belongs to the allocator: by the
/// bench `memory`, no byte of a task is still in use.
pub(crate) fn forgotten(program: &Path, tasks: u64) -> f64 {
    const KEPT: Duration = Duration::from_secs(20);
    let (count, kept) = (tasks.to_string(), format!("{}s", KEPT.as_secs()));
    let server = Server::start(
        program,
        &[
            "-task-count",
            &count,
            "-task-history-count",
            &count,
            "-task-age",
            &kept,
            "-task-history-age",
            &kept,
            "-event-age",
            &kept,
        ],
    );
    // The first ones of everything: sessions, connections, tasks.
    create(&server.address, 1_000);
    std::thread::sleep(KEPT + Duration::from_secs(20));
    let before = server.resident().map_or(f64::NAN, |bytes| bytes as f64);
    create(&server.address, tasks);
    let most = server.resident().map_or(f64::NAN, |bytes| bytes as f64);
    let begin = Instant::now();
    std::thread::sleep(KEPT + Duration::from_secs(20));
    let after = server.resident().map_or(f64::NAN, |bytes| bytes as f64);
    eprintln!(
        "{tasks} tasks: {:.1} MB before, {:.1} MB with them, {:.1} MB {:.0} s later",
        before / 1e6,
        most / 1e6,
        after / 1e6,
        begin.elapsed().as_secs_f64()
    );
    after / before
}

/// Creates and ends so many tasks.
fn create(address: &str, tasks: u64) {
    const CLIENTS: u64 = 8;
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::login(address);
                for _ in 0..tasks / CLIENTS {
                    finished_task(&mut client);
                }
            });
        }
    });
}

fn finished_task(client: &mut Client) {
    let reply = client.call(
        "<CreateTask xmlns=\"urn:vim25\"><_this type=\"TaskManager\">TaskManager</_this>\
         <obj type=\"Folder\">group-d1</obj>\
         <taskTypeId>com.vmware.govmomi.simulator.test</taskTypeId>\
         <cancelable>true</cancelable></CreateTask>",
    );
    let task = between(&reply, "<key>", "<");
    client.call(&format!(
        "<SetTaskState xmlns=\"urn:vim25\"><_this type=\"Task\">{task}</_this>\
         <state>success</state></SetTaskState>"
    ));
}
