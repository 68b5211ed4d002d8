//! The `vimsim` program.

use std::process::ExitCode;

/// What the system's allocator was given it keeps: here, what a million tasks
/// took is given back once they are forgotten.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    vimsim::cli::main(std::env::args_os())
}
