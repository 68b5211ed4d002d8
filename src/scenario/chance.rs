//! Times that vary, and the chance behind them.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::RuleError;
use crate::config::Span;
use crate::ids::Ids;

/// How long something takes: always the same, or by chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Time {
    /// Always the same.
    Fixed(Span),
    /// By chance.
    Chance(Chance),
}

/// How a time is spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "distribution", rename_all = "camelCase", deny_unknown_fields)]
pub enum Chance {
    /// Evenly between two times.
    Uniform {
        /// The shortest.
        min: Span,
        /// The longest.
        max: Span,
    },
    /// Around a mean, as a bell curve; never below zero.
    Normal {
        /// The mean.
        mean: Span,
        /// The standard deviation.
        deviation: Span,
    },
    /// Mostly short, now and then long: as between independent events.
    Exponential {
        /// The mean.
        mean: Span,
    },
}

impl Time {
    /// A time of this kind.
    pub fn draw(&self, chance: &Ids) -> Duration {
        let seconds = match self {
            Self::Fixed(span) => return span.0,
            Self::Chance(Chance::Uniform { min, max }) => {
                let (min, max) = (min.0.as_secs_f64(), max.0.as_secs_f64());
                min + (max - min) * chance.fraction()
            }
            Self::Chance(Chance::Normal { mean, deviation }) => {
                // Box and Muller's way from two even numbers to a normal one.
                let radius = (-2.0 * (1.0 - chance.fraction()).ln()).sqrt();
                let angle = 2.0 * std::f64::consts::PI * chance.fraction();
                mean.0.as_secs_f64() + deviation.0.as_secs_f64() * radius * angle.cos()
            }
            Self::Chance(Chance::Exponential { mean }) => {
                -mean.0.as_secs_f64() * (1.0 - chance.fraction()).ln()
            }
        };
        // To the microsecond, which is as fine as times are told.
        let micros = (seconds.max(0.0) * 1e6).round();
        Duration::try_from_secs_f64(micros / 1e6).unwrap_or(Duration::MAX)
    }

    /// Whether the two ends are in order.
    pub(super) fn check(&self) -> Result<(), RuleError> {
        match self {
            Self::Chance(Chance::Uniform { min, max }) if min > max => {
                Err(RuleError::new("min", "longer than max"))
            }
            _ => Ok(()),
        }
    }
}

impl From<Duration> for Time {
    fn from(duration: Duration) -> Self {
        Self::Fixed(Span(duration))
    }
}

impl From<Chance> for Time {
    fn from(chance: Chance) -> Self {
        Self::Chance(chance)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl<'de> Visitor<'de> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a duration such as \"10s\", or a table with a distribution")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
        text.parse().map(Time::Fixed).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Time, A::Error> {
        Chance::deserialize(MapAccessDeserializer::new(map)).map(Time::Chance)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "How long something takes: always the same, or by chance.",
            "anyOf": [generator.subschema_for::<Span>(), generator.subschema_for::<Chance>()],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_mean_and_the_bounds_that_they_say() {
        let span = |seconds| Span(Duration::from_secs(seconds));
        let chance = Ids::seeded(7);
        let mean_of = |time: Time| {
            let sum: f64 = (0..4000).map(|_| time.draw(&chance).as_secs_f64()).sum();
            sum / 4000.0
        };
        let uniform = Chance::Uniform { min: span(10), max: span(20) };
        let normal = Chance::Normal { mean: span(15), deviation: span(2) };
        let exponential = Chance::Exponential { mean: span(15) };
        for chance in [uniform, normal, exponential] {
            let mean = mean_of(chance.into());
            assert!((14.0..16.0).contains(&mean), "{chance:?}: {mean}");
        }
        for _ in 0..1000 {
            let drawn = Time::from(uniform).draw(&chance);
            assert!(drawn >= span(10).0 && drawn <= span(20).0);
        }
        assert_eq!(Time::from(span(3).0).draw(&chance), span(3).0);
    }
}
