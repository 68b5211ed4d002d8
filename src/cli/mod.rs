//! The command line: reads the flags, starts the server, says that it is ready, and ends it.

mod argv;
mod control;
mod ctl;
mod events;
mod flags;
mod help;
mod log;
mod ready;
mod tasks;
mod values;
mod xenapi;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

pub use ctl::Ctl;

use crate::config::Config;
use crate::simulator::{Bound, StartError};

/// The workers' stacks, in bytes: reading a document takes some for each element inside another.
const STACK: usize = 8 << 20;

/// What a command line asks for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Invocation {
    /// Serve until stopped.
    Serve(Box<Config>),
    /// Print a random UUID.
    Uuidgen,
    /// Print the JSON schema of scenario files.
    ScenarioSchema,
    /// Print the version.
    Version,
    /// Direct a server that runs.
    Ctl(Box<Ctl>),
}

/// Reads a command line, the program's name first. An error is printed and carries the exit
/// status, `--help` too.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let command = flags::Flags::command();
    let text = help::render(&command);
    let mut command = command.override_help(text);
    let arguments = argv::normalize(&command, arguments);
    let matches = command.try_get_matches_from_mut(arguments)?;
    let flags =
        flags::Flags::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok(match flags.task {
        Some(flags::Task::Uuidgen) => Invocation::Uuidgen,
        Some(flags::Task::ScenarioSchema) => Invocation::ScenarioSchema,
        Some(flags::Task::Version) => Invocation::Version,
        Some(flags::Task::Ctl(ctl)) => Invocation::Ctl(ctl),
        None => Invocation::Serve(Box::new(flags.into_config()?)),
    })
}

/// The whole program, from its arguments to its exit status.
#[allow(clippy::print_stdout, reason = "what these commands are for")]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(arguments) {
        Ok(Invocation::Serve(config)) => run(&config),
        Ok(Invocation::Uuidgen) => {
            println!("{}", uuid::Uuid::new_v4());
            ExitCode::SUCCESS
        }
        Ok(Invocation::ScenarioSchema) => {
            println!("{:#}", crate::scenario::Scenario::schema());
            ExitCode::SUCCESS
        }
        Ok(Invocation::Version) => {
            println!("vimsim {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Invocation::Ctl(ctl)) => ctl::run(&ctl),
        Err(error) => {
            // There is nothing to be done when even this cannot be printed.
            let _ = error.print();
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// Serves until a signal (or standard input) says to stop.
pub fn run(config: &Config) -> ExitCode {
    log::start(&config.log);
    raise_file_limit();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the worker threads");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(serve(config));
    // Nothing that is left is worth waiting for.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: &Config) -> Result<ExitCode, StartError> {
    let bound = Bound::new(config.clone()).await?;
    let mut stop = ready::Stop::listen(config.stdin_exit);
    let failed = ready::announce(config, &bound.server, bound.control.as_ref());
    let shutdown = bound.server.shutdown();
    let mut serving = std::pin::pin!(bound.serve(std::future::pending()));
    tokio::select! {
        () = serving.as_mut() => {}
        reason = stop.next() => tracing::info!("stopping: {reason}"),
        error = failed => {
            tracing::error!("{error}");
            return Ok(ExitCode::FAILURE);
        }
    }
    shutdown.begin();
    // Who asks twice does not want to wait.
    tokio::select! {
        () = serving => {}
        reason = stop.next() => tracing::warn!("stopping at once: {reason}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Every connection is an open file, and the limit that programs start with is low.
fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        // Without it there are fewer connections, that is all.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
