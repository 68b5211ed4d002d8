//! Clients that wait: how soon they know.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::driver::{Client, Server, between, retrieve, task, view};
use crate::measure::{median, quantile, rounds};
use crate::requests::{machines, object_filter, progress, settle, view_filter, wait};

/// Threads that only wait need little room.
const STACK: usize = 256 << 10;

/// Power operations a second, each waited for with the calls of govmomi's `Task.Wait`: a
/// collector, a filter on `info`, updates until the end, the collector's end.
pub(crate) fn power_cycles(program: &Path, clients: usize) -> f64 {
    let server = Server::start(program, &["-vm", "8"]);
    let cycles = rounds(&server.address, clients, |client, number| {
        let machine = machines(client).into_iter().nth(number).expect("a machine for each client");
        move |client: &mut Client| {
            for operation in ["PowerOffVM_Task", "PowerOnVM_Task"] {
                let reply = client.call(&format!(
                    "<{operation} xmlns=\"urn:vim25\"><_this type=\"VirtualMachine\">{machine}\
                     </_this></{operation}>"
                ));
                wait_for(client, &between(&reply, "type=\"Task\">", "<"));
            }
        }
    });
    cycles * 2.0
}

fn wait_for(client: &mut Client, task: &str) {
    let reply = client.call(
        "<CreatePropertyCollector xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">\
         propertyCollector</_this></CreatePropertyCollector>",
    );
    let collector = between(&reply, "type=\"PropertyCollector\">", "<");
    client.call(&object_filter(&collector, "Task", task, "info"));
    let mut version = String::new();
    loop {
        let reply = client.call(&wait(&collector, &version));
        if reply.contains("<state>success</state>") {
            break;
        }
        assert!(!reply.contains("<state>error</state>"), "{reply}");
        version = between(&reply, "<version>", "<");
    }
    client.call(&format!(
        "<DestroyPropertyCollector xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">\
         {collector}</_this></DestroyPropertyCollector>"
    ));
}

/// Milliseconds from a change of a task until the one session that waits for it has its reply,
/// not exceeded by 99 of 100; each of `sessions` sessions waits for a task of its own.
pub(crate) fn own_tasks(program: &Path, sessions: usize) -> f64 {
    let server = Server::start(program, &[]);
    let address = server.address.as_str();
    let (ready, waiting) = mpsc::channel();
    let (woken, replies) = mpsc::channel();
    let mut tasks = Vec::with_capacity(sessions);
    let mut changer = Client::login(address);
    for _ in 0..sessions {
        tasks.push(task(&mut changer));
    }
    std::thread::scope(|scope| {
        for (number, task) in tasks.iter().enumerate() {
            let (ready, woken) = (ready.clone(), woken.clone());
            let waiter = move || {
                let mut client = Client::login(address);
                client.call(&object_filter("propertyCollector", "Task", task, "info.progress"));
                let version = settle(&mut client);
                let request = client.request(&wait("propertyCollector", &version));
                ready.send(()).expect("somebody counts");
                client.send(&request);
                woken.send((number, Instant::now())).expect("somebody counts");
            };
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, waiter).expect("a thread");
            // One after the other: it is not the logins that are measured.
            waiting.recv().expect("the waiter is ready");
        }
        // The last requests are on their way.
        std::thread::sleep(Duration::from_millis(500));
        let changed: Vec<Instant> = tasks
            .iter()
            .map(|task| {
                let request = changer.request(&progress(task, 50));
                let begin = Instant::now();
                changer.send(&request);
                begin
            })
            .collect();
        let times: Vec<f64> = (0..sessions)
            .map(|_| {
                let (number, at) = replies.recv().expect("every waiter is woken");
                at.saturating_duration_since(changed[number]).as_secs_f64() * 1e3
            })
            .collect();
        quantile(&times, 0.99)
    })
}

/// Milliseconds from a change of one of many virtual machines until the last of `filters` sessions
/// that watch them all has its reply.
pub(crate) fn one_change(program: &Path, count: usize, filters: usize) -> f64 {
    let server = Server::start(program, &["-vm", &(count / 2).to_string()]);
    let address = server.address.as_str();
    let mut changer = Client::login(address);
    let machine = machines(&mut changer).into_iter().next().expect("a machine");
    let (ready, waiting) = mpsc::channel();
    let (woken, replies) = mpsc::channel();
    const CHANGES: usize = 11;
    std::thread::scope(|scope| {
        for _ in 0..filters {
            let (ready, woken) = (ready.clone(), woken.clone());
            let watcher = move || {
                let mut client = Client::login(address);
                let view = view(&mut client);
                client.call(&view_filter(&view, &["name", "runtime.powerState"]));
                let mut version = settle(&mut client);
                for _ in 0..CHANGES {
                    let request = client.request(&wait("propertyCollector", &version));
                    ready.send(()).expect("somebody counts");
                    let reply = String::from_utf8_lossy(client.send(&request)).into_owned();
                    woken.send(Instant::now()).expect("somebody counts");
                    version = between(&reply, "<version>", "<");
                }
            };
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, watcher).expect("a thread");
        }
        let times: Vec<f64> = (0..CHANGES)
            .map(|number| {
                (0..filters).for_each(|_| waiting.recv().expect("the watcher is ready"));
                std::thread::sleep(Duration::from_millis(100));
                let request = changer.request(&format!(
                    "<Rename_Task xmlns=\"urn:vim25\"><_this type=\"VirtualMachine\">{machine}\
                     </_this><newName>renamed-{number}</newName></Rename_Task>"
                ));
                let begin = Instant::now();
                changer.send(&request);
                let last =
                    (0..filters).map(|_| replies.recv().expect("every watcher is woken")).max();
                last.map_or(f64::NAN, |at| at.saturating_duration_since(begin).as_secs_f64() * 1e3)
            })
            .collect();
        median(&times)
    })
}

/// Milliseconds that `CancelTask` takes, not exceeded by 99 of 100, while four clients read
/// everything about many virtual machines again and again.
pub(crate) fn cancel_under_load(program: &Path, count: usize) -> f64 {
    let server = Server::start(program, &["-vm", &(count / 2).to_string()]);
    let address = server.address.as_str();
    let stop = AtomicBool::new(false);
    let times = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::login(address);
                let view = view(&mut client);
                let request = client.request(&retrieve(&view, &["config", "summary"]));
                while !stop.load(Ordering::Relaxed) {
                    client.send(&request);
                }
            });
        }
        let mut client = Client::login(address);
        // The readers are at work.
        std::thread::sleep(Duration::from_millis(500));
        for _ in 0..200 {
            let task = task(&mut client);
            let request = client.request(&format!(
                "<CancelTask xmlns=\"urn:vim25\"><_this type=\"Task\">{task}</_this></CancelTask>"
            ));
            let begin = Instant::now();
            client.send(&request);
            times.lock().expect("one thread").push(begin.elapsed().as_secs_f64() * 1e3);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let times = times.into_inner().expect("one thread");
    quantile(&times, 0.99)
}
