//! Drives vimsim and, where Go is there, vcsim with the same requests in turn,
//! and prints how they compare: `cargo bench --bench load`.
//!
//! Times on one machine say little; the ratio within one run says more. Each
//! row is measured several times, the two servers in turn, and the spread is
//! printed beside the ratio. Some rows have a floor: the same bytes served by a
//! bare handler. Rows can be picked by words in their names, and the table can
//! be had as JSON: `cargo bench --bench load -- start --json`.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark measures real time, prints for a person, and stops where it stumbles"
)]

#[path = "../driver.rs"]
mod driver;
mod floor;
mod measure;
mod report;
mod requests;
mod rows;
mod scale;
mod waits;

use std::path::{Path, PathBuf};
use std::process::Command;

use report::{Measured, Report};
use rows::{ROWS, Row};

/// How often each row is measured on each server.
const ROUNDS: usize = 3;

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

/// Measures one row on both servers in turn, and on the floor if it has one.
fn measure(row: &Row, ours: &Path, peer: Option<&Path>) -> Measured {
    let peer = peer.filter(|_| row.peer);
    let mut measured = Measured::new(row);
    // What takes minutes on one of the servers is measured once.
    for _ in 0..if row.once { 1 } else { ROUNDS } {
        measured.own.push((row.measure)(ours));
        if let Some(peer) = peer {
            measured.peer.push((row.measure)(peer));
        }
        if let Some(floor) = row.floor {
            measured.floor.push(floor(ours));
        }
    }
    measured
}

fn main() {
    if let Some(file) = std::env::var_os(floor::FLOOR) {
        return floor::serve(Path::new(&file));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let words: Vec<&str> =
        arguments.iter().filter(|a| !a.starts_with('-')).map(String::as_str).collect();
    let wanted = |row: &&Row| words.is_empty() || words.iter().any(|word| row.name.contains(word));
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_vimsim"));
    let peer = peer();
    let mut report = Report::new(json);
    for row in ROWS.iter().filter(wanted) {
        report.add(&measure(row, &ours, peer.as_deref()));
    }
    report.end();
}
