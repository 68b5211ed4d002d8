//! The texts that flags take, read and written: durations, sizes, switches, delays.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub(super) use crate::config::Span;

/// A duration that is not zero.
pub(super) fn some_time(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if span.0.is_zero() { Err("expected a duration longer than 0".to_owned()) } else { Ok(span) }
}

/// A number of bytes: `1048576`, `512KiB`, `32MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let shift = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            _ => return Err("expected bytes, such as 1048576, 512KiB or 32MiB".to_owned()),
        };
        let number: usize =
            number.parse().map_err(|_| "expected bytes, such as 32MiB".to_owned())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(|| "the size is too large".to_owned())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes.is_multiple_of(1 << 20) => {
                write!(out, "{}MiB", bytes >> 20)
            }
            bytes if bytes > 0 && bytes.is_multiple_of(1 << 10) => {
                write!(out, "{}KiB", bytes >> 10)
            }
            bytes => write!(out, "{bytes}"),
        }
    }
}

/// How many of something.
pub(super) fn count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "expected a number of 0 or more".to_owned())
}

/// How many of something, where memory is the only limit.
pub(super) fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected a number of 0 or more".to_owned())
}

/// How many of something that there must be.
pub(super) fn some(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number of 1 or more".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// How deep XML may be nested: no deeper than the workers' stacks are.
pub(super) fn depth(text: &str) -> Result<usize, String> {
    match some(text)? {
        depth @ ..=1000 => Ok(depth),
        _ => Err("expected a number from 1 to 1000".to_owned()),
    }
}

/// A switch, in all the spellings that Go takes.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// A delay: milliseconds, or a duration with its unit.
pub(super) fn delay(text: &str) -> Result<Duration, String> {
    if let Ok(milliseconds) = text.parse() {
        return Ok(Duration::from_millis(milliseconds));
    }
    Span::from_str(text)
        .map(|span| span.0)
        .map_err(|_| "expected milliseconds, or a duration such as 2s".to_owned())
}

/// Delays by method: `PowerOffVM:500,CloneVM_Task:2s`.
pub(super) fn method_delays(text: &str) -> Result<MethodDelays, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let parse = |entry: &str| {
        let (name, time) = entry
            .split_once(':')
            .filter(|(name, _)| !name.trim().is_empty())
            .ok_or_else(|| format!("{entry:?} is not of the form METHOD:MILLISECONDS"))?;
        let time = delay(time.trim()).map_err(|error| format!("in {entry:?}: {error}"))?;
        Ok((name.trim().to_owned(), time))
    };
    entries.map(parse).collect::<Result<_, String>>().map(MethodDelays)
}

/// What [`method_delays`] reads. A type of its own, because clap takes a plain list for a flag
/// that may be repeated.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MethodDelays(pub(super) Vec<(String, Duration)>);

/// A coefficient of variation.
pub(super) fn jitter(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite() && *value >= 0.0)
        .ok_or_else(|| "expected a number of 0 or more, such as 0.5".to_owned())
}

/// A version such as 8.0.3.0.
pub(super) fn api_version(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| part.parse::<u32>().is_ok();
    if (2..=4).contains(&parts.len()) && parts.iter().all(is_number) {
        Ok(text.to_owned())
    } else {
        Err("expected a version such as 8.0.3.0".to_owned())
    }
}

/// A port, or a negative number for none.
pub(super) fn optional_port(text: &str) -> Result<OptionalPort, String> {
    match text.parse::<i64>() {
        Ok(..0) => Ok(OptionalPort(None)),
        Ok(port) if u16::try_from(port).is_ok() => Ok(OptionalPort(u16::try_from(port).ok())),
        _ => Err("expected a port (0 to 65535), or -1 for none".to_owned()),
    }
}

/// What [`optional_port`] reads. A type of its own, because clap takes a plain `Option` for a flag
/// that may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OptionalPort(pub(super) Option<u16>);
