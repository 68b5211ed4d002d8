//! Durations as people write them, on the command line and in files.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration as Go writes it: `300ms`, `1.5h`, `1h15m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

/// Unit names, longest first where one begins another, and their seconds.
const UNITS: [(&str, f64); 7] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a duration such as 30m, 90s or 1h15m".to_owned();
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut seconds = 0.0;
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .filter(|end| *end > 0)
                .ok_or_else(wrong)?;
            let (number, after) = rest.split_at(end);
            let number: f64 = number.parse().map_err(|_| wrong())?;
            let (unit, scale) =
                UNITS.iter().find(|(unit, _)| after.starts_with(unit)).ok_or_else(wrong)?;
            seconds += number * scale;
            rest = after.strip_prefix(unit).unwrap_or_default();
        }
        if text.is_empty() {
            return Err(wrong());
        }
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|_| "the duration is too long".to_owned())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (self.0.subsec_nanos(), seconds) {
            (0, 1..) if seconds.is_multiple_of(3600) => write!(out, "{}h", seconds / 3600),
            (0, 1..) if seconds.is_multiple_of(60) => write!(out, "{}m", seconds / 60),
            (0, _) => write!(out, "{seconds}s"),
            _ => write!(out, "{}ms", self.0.as_millis()),
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
            "description": "How long: numbers with units, such as 300ms, 90s, 1.5h or 1h15m.",
            "pattern": "^(0|([0-9.]+(ns|us|µs|ms|s|m|h))+)$",
        })
    }
}
