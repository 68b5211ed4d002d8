//! The rows of the table.

use std::path::Path;

use crate::driver::{Client, Server, TIME_NOW, retrieve, task, view};
use crate::measure::{cost, cost_of, rate, rate_of};
use crate::requests::{machines, one_machine, progress};
use crate::{scale, waits};

/// One line of the table: what is measured, in what unit, and whether more is better.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) more_is_better: bool,
    /// What is aimed at, on two cores.
    pub(crate) target: &'static str,
    pub(crate) measure: fn(&Path) -> f64,
    /// The same bytes, by a bare handler.
    pub(crate) floor: Option<fn(&Path) -> f64>,
    /// Whether the peer can do it in a time that one would wait for.
    pub(crate) peer: bool,
    /// Whether once is enough, because it takes long.
    pub(crate) once: bool,
}

impl Row {
    const fn of(name: &'static str, measure: fn(&Path) -> f64) -> Self {
        Self {
            name,
            unit: "/s",
            more_is_better: true,
            target: "",
            measure,
            floor: None,
            peer: true,
            once: false,
        }
    }

    /// Less of `unit` is better.
    const fn less(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self.more_is_better = false;
        self
    }

    const fn target(mut self, target: &'static str) -> Self {
        self.target = target;
        self
    }

    const fn floor(mut self, floor: fn(&Path) -> f64) -> Self {
        self.floor = Some(floor);
        self
    }

    const fn alone(mut self) -> Self {
        self.peer = false;
        self
    }

    const fn once(mut self) -> Self {
        self.once = true;
        self
    }
}

pub(crate) const ROWS: &[Row] = &[
    Row::of("start until ready, default inventory", |program| {
        Server::start(program, &[]).ready_after.as_secs_f64() * 1e3
    })
    .less("ms"),
    Row::of("start until ready, 1,000 VMs", |program| {
        Server::start(program, &["-vm", "500"]).ready_after.as_secs_f64() * 1e3
    })
    .less("ms")
    .target("500x")
    .once(),
    Row::of("start until ready, 100,000 VMs", |program| scale::ready_after(program, 100_000))
        .less("s")
        .target("2 s")
        .alone(),
    Row::of("memory over the empty server, 100,000 VMs", |program| scale::memory(program, 100_000))
        .less("KB/VM")
        .target("2 KB/VM")
        .alone()
        .once(),
    Row::of("start until ready, 1,000,000 VMs", |program| scale::ready_after(program, 1_000_000))
        .less("s")
        .target("20 s")
        .alone()
        .once(),
    Row::of("resident memory, 1,000,000 VMs", |program| {
        scale::memory(program, 1_000_000) * 1_000_000.0 / 1e6
    })
    .less("GB")
    .target("4 GB")
    .alone()
    .once(),
    Row::of("CurrentTime, 8 connections", |program| {
        let server = Server::start(program, &[]);
        rate(&server.address, 8, |_| TIME_NOW.to_owned())
    })
    .target("4x")
    .floor(|ours| {
        let server = Server::start(ours, &[]);
        floor_of(&server, 8, &|_| TIME_NOW.to_owned())
    }),
    Row::of("CurrentTime, 8 connections: the server's work per call", |program| {
        cost(&Server::start(program, &[]), 8, |_| TIME_NOW.to_owned())
    })
    .less("us")
    .floor(|ours| {
        let server = Server::start(ours, &[]);
        floor_cost(&server, 8, &|_| TIME_NOW.to_owned())
    }),
    Row::of("one VM: name, 8 connections", |program| {
        let server = Server::start(program, &[]);
        rate(&server.address, 8, |client| one_machine(&first_machine(client), "name"))
    })
    .target("8x"),
    Row::of("one VM: whole config, 8 connections", |program| {
        let server = Server::start(program, &[]);
        rate(&server.address, 8, |client| one_machine(&first_machine(client), "config"))
    })
    .target("20x"),
    Row::of("VI/JSON: name of one VM, 8 connections", |program| {
        let server = Server::start(program, &[]);
        rate_of((0..8).map(|_| {
            let mut client = Client::login(&server.address);
            let machine = first_machine(&mut client);
            let request = client.json_property("VirtualMachine", &machine, "name");
            let reply = String::from_utf8_lossy(client.send(&request)).into_owned();
            assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("\"DC0_"), "{reply}");
            (client, request)
        }))
    })
    // The peer does not speak it.
    .alone(),
    Row::of("500 VMs: name + powerState by ContainerView", |program| {
        let server = Server::start(program, &["-vm", "250"]);
        rate(&server.address, 2, names_and_states)
    })
    .target("60x, floor 0.5x")
    .floor(|ours| {
        let server = Server::start(ours, &["-vm", "250"]);
        floor_of(&server, 2, &names_and_states)
    }),
    Row::of("500 VMs: config + summary", |program| {
        let server = Server::start(program, &["-vm", "250"]);
        rate(&server.address, 2, |client| retrieve(&view(client), &["config", "summary"]))
    })
    .target("60x")
    .floor(|ours| {
        let server = Server::start(ours, &["-vm", "250"]);
        floor_of(&server, 2, &|client| retrieve(&view(client), &["config", "summary"]))
    }),
    Row::of("UpdateProgress on one task, 8 connections", |program| {
        let server = Server::start(program, &[]);
        let task = task(&mut Client::login(&server.address));
        rate(&server.address, 8, |_| progress(&task, 50))
    })
    .target("4x"),
    Row::of("PowerOff and PowerOn, waited for as govmomi does, 8 clients", |program| {
        waits::power_cycles(program, 8)
    })
    .target("5x"),
    Row::of("1,000 sessions wait for a task each: change to reply, p99", |program| {
        waits::own_tasks(program, 1_000)
    })
    .less("ms")
    .target("5 ms")
    // The peer forgets tasks while they run, the older of a few hundred.
    .alone(),
    Row::of("5,000 sessions wait for a task each: change to reply, p99", |program| {
        waits::own_tasks(program, 5_000)
    })
    .less("ms")
    .alone(),
    Row::of("a change in 10,000 VMs, 100 filters: to the last reply", |program| {
        waits::one_change(program, 10_000, 100)
    })
    .less("ms")
    .target("20 ms")
    .alone(),
    Row::of("CancelTask while 4 clients read all of 10,000 VMs, p99", |program| {
        waits::cancel_under_load(program, 10_000)
    })
    .less("ms")
    .alone(),
    Row::of("memory after 1,000,000 forgotten tasks, to before", |program| {
        scale::forgotten(program, 1_000_000)
    })
    .less("x")
    .target("1.1x")
    .alone()
    .once(),
];

fn first_machine(client: &mut Client) -> String {
    machines(client).into_iter().next().expect("a machine")
}

fn names_and_states(client: &mut Client) -> String {
    retrieve(&view(client), &["name", "runtime.powerState"])
}

/// The rate at which a bare handler sends what `server` answers to the request.
fn floor_of(server: &Server, connections: usize, body: &dyn Fn(&mut Client) -> String) -> f64 {
    let (floor, request) = floor_for(server, body);
    rate_of(clients_of(&floor, connections, &request))
}

/// What the bare handler works for each of these, in microseconds.
fn floor_cost(server: &Server, connections: usize, body: &dyn Fn(&mut Client) -> String) -> f64 {
    let (floor, request) = floor_for(server, body);
    cost_of(&floor, clients_of(&floor, connections, &request))
}

/// A bare handler that sends what `server` answers to a request, and that request.
fn floor_for(server: &Server, body: &dyn Fn(&mut Client) -> String) -> (Server, String) {
    let mut client = Client::login(&server.address);
    let request = body(&mut client);
    let reply = client.call(&request);
    let content = reply.split_once("\r\n\r\n").map_or("", |(_, content)| content);
    (crate::floor::start(content.as_bytes()), request)
}

fn clients_of(
    server: &Server,
    connections: usize,
    request: &str,
) -> impl Iterator<Item = (Client, Vec<u8>)> {
    (0..connections).map(|_| {
        let client = Client::new(&server.address);
        let request = client.request(request);
        (client, request)
    })
}
