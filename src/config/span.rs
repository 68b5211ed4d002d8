//! Durations as people write them, on the command line and in files.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration: numbers with units as Go writes them, and days (`300ms`, `1.5h`, `1h15m`, `2d`), or
/// ISO 8601 (`PT24H`, `P1DT12H`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

/// Longer than this is taken for a mistake: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// What a [`Span`] is read from, as a regular expression.
const PATTERN: &str = "^(P(?=.)([0-9]{1,3}W)?([0-9]{1,4}D)?\
     (T(?=[0-9])([0-9]{1,5}H)?([0-9]{1,6}M)?([0-9]{1,8}([.][0-9]{1,9})?S)?)?\
     |([0-9]{1,4}([.][0-9]{1,9})?d|[0-9]{1,5}([.][0-9]{1,9})?h|[0-9]{1,7}([.][0-9]{1,9})?m\
     |[0-9]{1,9}([.][0-9]{1,9})?(ns|us|µs|ms|s)){1,3}|0)$";

/// Unit names, longest first where one begins another, and their seconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = match text.strip_prefix('P') {
            Some(rest) => iso(rest),
            None if text == "0" => Some(0.0),
            None => units(text),
        };
        let seconds = seconds
            .ok_or_else(|| "expected a duration such as 30m, 90s, 1h15m or PT24H".to_owned())?;
        Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|duration| *duration <= LONGEST)
            .map(Self)
            .ok_or_else(|| "the duration is more than 100 years".to_owned())
    }
}

fn units(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = number(rest)?;
        let (unit, scale) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        seconds += number * scale;
        rest = after.strip_prefix(unit)?;
    }
    (!text.is_empty()).then_some(seconds)
}

/// What stands after the `P`; months and years have no length of their own.
fn iso(text: &str) -> Option<f64> {
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    let days = designated(date, &[('W', 604_800.0), ('D', 86_400.0)])?;
    let time = designated(time, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)])?;
    (!text.is_empty()).then_some(days + time)
}

/// Numbers with their designators, each once at the most and in their order.
fn designated(text: &str, designators: &[(char, f64)]) -> Option<f64> {
    let mut seconds = 0.0;
    let mut rest = text;
    for (designator, scale) in designators {
        let Some((number, after)) = number(rest) else { break };
        if let Some(after) = after.strip_prefix(*designator) {
            seconds += number * scale;
            rest = after;
        }
    }
    rest.is_empty().then_some(seconds)
}

fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (self.0.subsec_nanos(), seconds) {
            (0, 1..) if seconds.is_multiple_of(3600) => write!(out, "{}h", seconds / 3600),
            (0, 1..) if seconds.is_multiple_of(60) => write!(out, "{}m", seconds / 60),
            (0, _) => write!(out, "{seconds}s"),
            (part, _) if part % 1_000_000 == 0 => write!(out, "{}ms", self.0.as_millis()),
            _ => write!(out, "{}s", self.0.as_secs_f64()),
        }
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(source)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "How long: numbers with units, such as 300ms, 90s, 1.5h, 1h15m or 2d, or ISO 8601.",
            "pattern": PATTERN,
            "examples": ["24h", "1h30m", "1.5s", "PT24H"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Span, String> {
        text.parse()
    }

    #[test]
    fn both_ways_of_writing_a_duration() {
        for (text, seconds) in [
            ("24h", 86_400.0),
            ("1d", 86_400.0),
            ("1h30m", 5_400.0),
            ("1.5s", 1.5),
            ("250ms", 0.25),
            ("0", 0.0),
            ("PT24H", 86_400.0),
            ("P1DT12H", 129_600.0),
            ("P2W", 1_209_600.0),
            ("PT0.5S", 0.5),
            ("PT1H30M", 5_400.0),
        ] {
            assert_eq!(parse(text).map(|it| it.0.as_secs_f64()), Ok(seconds), "{text}");
        }
        for text in ["", "P", "PT", "24", "h", "1x", "P1H", "PT1D", "1y", "-1h", "PT1M1H", "1..5s"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("99999999h").unwrap_err().contains("100 years"));
    }

    #[test]
    fn what_is_written_is_read() {
        for seconds in [0.0, 1.0, 90.0, 3600.0, 172_800.0, 0.25, 0.000_25] {
            let span = Span(Duration::from_secs_f64(seconds));
            assert_eq!(parse(&span.to_string()), Ok(span), "{seconds}");
        }
    }
}
