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

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

mod driver;

use driver::{Client, Server, TIME_NOW, retrieve, task, view};

/// How often each row is measured on each server.
const ROUNDS: usize = 3;

/// How long one measurement takes.
const TIME: Duration = Duration::from_secs(2);

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
