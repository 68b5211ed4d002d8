//! The `vimsim` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    vimsim::cli::main(std::env::args_os())
}
