//! The `vimsim` program.

use std::process::ExitCode;

/// What the system's allocator was given it keeps: here, what a million tasks
/// took is given back once they are forgotten.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    vimsim::cli::main(std::env::args_os())
}
