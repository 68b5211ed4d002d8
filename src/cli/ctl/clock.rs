//! `vimsim ctl clock`.

use clap::{Args, Subcommand};

use super::client::{Client, CtlError};
use super::{Output, table};
use crate::config::Span;
use crate::value::DateTime;
use crate::wire::control::model::{Advance, ClockChange, ClockMode, ClockView, Idle, Time};

/// The clock.
#[derive(Debug, Args)]
pub(super) struct Clock {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read it (this is what happens without a word)
    Get,
    /// Let it run on with the machine's clock, from where it is
    Real,
    /// Stop it where it is; then it only moves when it is told to
    Stepped,
    /// Move it by a duration: 90s, 1h30m, 24h, PT24H
    Advance {
        /// By how much
        duration: Span,
    },
    /// Move it to a time: 2026-01-01T00:00:00Z
    To {
        /// To which time
        #[arg(value_parser = time)]
        time: Time,
    },
    /// Move it to the next event
    Next,
    /// Move it until nothing waits
    Idle {
        /// Leave what is due later than this from now [default: 365 days]
        #[arg(long, value_name = "DURATION")]
        limit: Option<Span>,
    },
}

fn time(text: &str) -> Result<Time, String> {
    let expected = |_| "expected a time such as 2026-01-01T00:00:00Z".to_owned();
    DateTime::parse(text).map(Time).map_err(expected)
}

impl Clock {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let mode = |mode| client.call("PUT", "/clock", Some(&ClockChange { mode }));
        let advance = |by: &Advance| client.call("POST", "/clock/advance", Some(by));
        let clock: ClockView = match self.action.as_ref().unwrap_or(&Action::Get) {
            Action::Get => client.get("/clock")?,
            Action::Real => mode(ClockMode::Real)?,
            Action::Stepped => mode(ClockMode::Stepped)?,
            Action::Advance { duration } => {
                advance(&Advance { duration: Some(*duration), to: None })?
            }
            Action::To { time } => advance(&Advance { duration: None, to: Some(*time) })?,
            Action::Next => client.post("/clock/next")?,
            Action::Idle { limit } => {
                client.call("POST", "/clock/idle", Some(&Idle { limit: *limit }))?
            }
        };
        out.show(&clock, |clock| {
            let mode = match clock.mode {
                ClockMode::Real => "real",
                ClockMode::Stepped => "stepped",
            };
            table::pairs([
                ("Now", Some(clock.now.0.to_string())),
                ("Mode", Some(mode.to_owned())),
                ("Next event", Some(table::or_dash(clock.next.map(|next| next.0)))),
            ])
        })
    }
}
