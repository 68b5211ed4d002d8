//! `vimsim ctl`: a running simulator directed from the command line, by its
//! control API.

mod client;
mod clock;
mod rules;
mod server;
mod sse;
mod table;
mod tasks;
mod watch;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use client::{Client, CtlError};

/// What `vimsim ctl` is asked to do.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Exit status: 0 when done, 1 when the server refuses or a task that was waited \
                  for has failed, 2 for a wrong command line, 3 when the server cannot be reached."
)]
pub struct Ctl {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

/// Which server, and in which form it is shown.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The server [env: VIMSIM_URL or GOVC_URL, default: https://127.0.0.1:8989]
    #[arg(short, long, global = true, value_name = "URL")]
    url: Option<String>,

    /// Trust any certificate; on loopback any is trusted [env: GOVC_INSECURE]
    #[arg(short = 'k', long, global = true)]
    insecure: bool,

    /// Trust certificates of this authority, a PEM file [env: GOVC_TLS_CA_CERTS]
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// JSON instead of tables; of a watch, a document a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List tasks, or watch them
    Tasks(tasks::List),
    /// Show one task, or wait for its end
    Task(tasks::Show),
    /// Hold tasks where they are until they are released
    Hold(tasks::Keys),
    /// Let held tasks go on
    Release(tasks::Keys),
    /// Take the next step of a task's plan, and hold it there
    Step(tasks::Keys),
    /// Complete a task with its effect, whatever its plan has left
    Complete(tasks::Complete),
    /// Fail a task with a fault of the vSphere schema
    Fail(tasks::Fail),
    /// Answer what a task asks
    Answer(tasks::Answer),
    /// Cancel tasks, as a client would
    Cancel(tasks::Keys),
    /// Lose tasks: they are gone, as if they had never been
    Lose(tasks::Keys),
    /// Read the clock, stop it, move it
    Clock(clock::Clock),
    /// Say what shall happen to tasks and calls
    Rules(rules::Rules),
    /// Restart the simulated server, as clients know it
    Restart(server::Restart),
    /// Save the whole state by name, and return to it
    Snapshot(server::Snapshot),
    /// Count what became of calls
    Counters(server::Counters),
    /// Find inventory objects by reference, path or name
    Find(server::Find),
    /// Print the OpenAPI document of the control API
    Openapi,
    /// Print a script that completes commands in a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Does what was asked for; gives the exit status.
pub(super) fn run(ctl: &Ctl) -> ExitCode {
    match ctl.run() {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has seen enough, as `head` does.
        Err(CtlError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            // There is nothing to be done when even this cannot be printed.
            let _ = writeln!(io::stderr(), "vimsim ctl: {error}");
            ExitCode::from(error.status())
        }
    }
}

impl Ctl {
    fn run(&self) -> Result<(), CtlError> {
        if let Command::Completion { shell } = &self.command {
            return complete(*shell);
        }
        let client = Client::new(&self.target)?;
        let out = Output { json: self.target.json };
        match &self.command {
            Command::Tasks(list) => list.run(&client, out),
            Command::Task(show) => show.run(&client, out),
            Command::Hold(keys) => keys.run(&client, out, "hold"),
            Command::Release(keys) => keys.run(&client, out, "release"),
            Command::Step(keys) => keys.run(&client, out, "step"),
            Command::Complete(complete) => complete.run(&client, out),
            Command::Fail(fail) => fail.run(&client, out),
            Command::Answer(answer) => answer.run(&client, out),
            Command::Cancel(keys) => keys.run(&client, out, "cancel"),
            Command::Lose(keys) => keys.run(&client, out, "lose"),
            Command::Clock(clock) => clock.run(&client, out),
            Command::Rules(rules) => rules.run(&client, out),
            Command::Restart(restart) => restart.run(&client, out),
            Command::Snapshot(snapshot) => snapshot.run(&client, out),
            Command::Counters(counters) => counters.run(&client, out),
            Command::Find(find) => find.run(&client, out),
            Command::Openapi => {
                let document: serde_json::Value = client.get("/openapi.json")?;
                Output { json: true }.show(&document, |_| String::new())
            }
            Command::Completion { .. } => Ok(()),
        }
    }
}

/// The script for a shell; the program's own flags are in it as well.
fn complete(shell: clap_complete::Shell) -> Result<(), CtlError> {
    #[derive(Parser)]
    #[command(name = "vimsim")]
    struct Program {
        #[command(subcommand)]
        _task: super::flags::Task,
    }
    let mut command = <Program as clap::CommandFactory>::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "vimsim", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}

/// In which form results are shown.
#[derive(Clone, Copy, Debug)]
struct Output {
    json: bool,
}

impl Output {
    /// Prints a document, or what people read instead.
    fn show<T: Serialize>(
        self,
        document: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), CtlError> {
        let text = if self.json {
            serde_json::to_string_pretty(document).map_err(io::Error::from)?
        } else {
            text(document)
        };
        let mut out = io::stdout().lock();
        if !text.is_empty() {
            writeln!(out, "{text}")?;
        }
        Ok(out.flush()?)
    }

    /// Prints a line of its own.
    fn line(self, text: &str) -> Result<(), CtlError> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }
}
