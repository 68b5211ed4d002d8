//! Durations as people and programs write them.

use std::time::Duration;

/// Longer than this is taken for a mistake: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// What [`parse`] takes, as a regular expression.
pub const PATTERN: &str = "^(P(?=.)([0-9]{1,3}W)?([0-9]{1,4}D)?\
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

/// The duration that a text means: ISO 8601 (`PT24H`, `P1DT12H`) or numbers with
/// units (`24h`, `1h30m`, `1.5s`). The error says what is expected.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let seconds = match text.strip_prefix('P') {
        Some(rest) => iso(rest),
        None if text == "0" => Some(0.0),
        None => units(text),
    };
    let seconds = seconds
        .ok_or_else(|| format!("{text:?} is not a duration such as 24h, 1h30m, 1.5s or PT24H"))?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| format!("{text:?} is more than 100 years"))
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

/// The shortest text for a duration, in whole units.
pub fn write(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (duration.subsec_nanos(), seconds) {
        (0, 0) => "0s".to_owned(),
        (0, _) if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        (0, _) if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        (0, _) if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        (0, _) => format!("{seconds}s"),
        _ => format!("{}s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(parse(text).map(|it| it.as_secs_f64()), Ok(seconds), "{text}");
        }
        for text in ["", "P", "PT", "24", "h", "1x", "P1H", "PT1D", "1y", "-1h", "PT1M1H", "1..5s"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("99999999h").unwrap_err().contains("100 years"));
    }

    #[test]
    fn what_is_written_is_read() {
        for seconds in [0.0, 1.0, 90.0, 3600.0, 172_800.0, 0.25] {
            let duration = Duration::from_secs_f64(seconds);
            assert_eq!(parse(&write(duration)), Ok(duration), "{seconds}");
        }
    }
}
