//! Logging of the program: tracing to standard error, and panics among it.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{Log, LogFormat};

/// Is this a filter? Its syntax is that of `RUST_LOG`.
pub(super) fn check(filter: &str) -> Result<(), String> {
    EnvFilter::try_new(filter).map(drop).map_err(|error| error.to_string())
}

/// A bare level is about this program; the libraries below it only warn.
fn scoped(filter: &str) -> String {
    if filter.parse::<tracing::Level>().is_ok() {
        format!("warn,vimsim={filter}")
    } else {
        filter.to_owned()
    }
}

/// Starts logging, unless a subscriber is there already.
pub(super) fn start(log: &Log) {
    let filter = match &log.filter {
        Some(filter) => EnvFilter::new(scoped(filter)),
        None => {
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(scoped("info")))
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // An error means that somebody else has installed a subscriber, which then gets our events.
    let _ = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = match panic.payload().downcast_ref::<String>() {
            Some(text) => text.as_str(),
            None => panic.payload().downcast_ref::<&str>().copied().unwrap_or_default(),
        };
        tracing::error!(location, message, "panic");
    }));
}
