//! Points in time as `xsd:dateTime` has them: UTC, to the microsecond.

use std::fmt;
use std::time::Duration;

use thiserror::Error;
use time::{Date, Month, OffsetDateTime};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// From the start of the year -9999 to the end of the year 9999.
const RANGE: std::ops::Range<i64> = -377_705_116_800..253_402_300_800;

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateTime(i64);

/// Text that is not an `xsd:dateTime`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("'{0}' is not a dateTime")]
pub struct DateTimeError(pub String);

impl DateTime {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The point `micros` microseconds after (or before) the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The point `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The point `duration` earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The time that passed from `earlier` to this point; zero when it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads `YYYY-MM-DDThh:mm:ss[.fraction][Z|±hh:mm]`; text without an
    /// offset is taken as UTC, a fraction may have any length and is cut to
    /// microseconds, `24:00:00` is the next day's start.
    pub fn parse(text: &str) -> Result<Self, DateTimeError> {
        parse(text.trim_matches([' ', '\t', '\r', '\n']).as_bytes())
            .ok_or_else(|| DateTimeError(text.chars().take(64).collect()))
    }

    /// Appends the text form: UTC with `Z`, no trailing zeros in the fraction.
    pub fn write(self, out: &mut Vec<u8>) {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let micros = self.0.rem_euclid(MICROS_PER_SECOND);
        let (days, second) =
            (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
        let (year, month, day) = civil_from_days(days);
        if year < 0 {
            out.push(b'-');
        }
        digits(out, year.unsigned_abs(), 4);
        out.push(b'-');
        digits(out, month, 2);
        out.push(b'-');
        digits(out, day, 2);
        out.push(b'T');
        let second = second.unsigned_abs();
        digits(out, second / 3600, 2);
        out.push(b':');
        digits(out, second / 60 % 60, 2);
        out.push(b':');
        digits(out, second % 60, 2);
        if micros != 0 {
            out.push(b'.');
            let (mut fraction, mut width) = (micros.unsigned_abs(), 6);
            while fraction % 10 == 0 {
                fraction /= 10;
                width -= 1;
            }
            digits(out, fraction, width);
        }
        out.push(b'Z');
    }

    /// The same point as the `time` crate has it; nothing outside its range.
    pub fn to_offset(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000).ok()
    }
}

/// Appends `number` with at least `width` digits.
fn digits(out: &mut Vec<u8>, number: u64, width: usize) {
    let mut buffer = [b'0'; 20];
    let (mut rest, mut used) = (number, 0);
    for digit in buffer.iter_mut().rev() {
        if rest == 0 && used >= width {
            break;
        }
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
    }
    out.extend_from_slice(buffer.get(buffer.len() - used..).unwrap_or_default());
}

/// Year, month and day of a day number, by counting in eras of 400 years that start in March.
fn civil_from_days(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month.unsigned_abs(), day.unsigned_abs())
}

fn parse(bytes: &[u8]) -> Option<DateTime> {
    let (negative, rest) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, bytes),
    };
    let (year, rest) = number(rest, 4, 6)?;
    let (month, rest) = number(skip(rest, b'-')?, 2, 2)?;
    let (day, rest) = number(skip(rest, b'-')?, 2, 2)?;
    let (hour, rest) = number(skip(rest, b'T')?, 2, 2)?;
    let (minute, rest) = number(skip(rest, b':')?, 2, 2)?;
    let (second, mut rest) = number(skip(rest, b':')?, 2, 2)?;
    let mut micros = 0;
    if let Some(fraction) = skip(rest, b'.') {
        let len = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if len == 0 {
            return None;
        }
        for place in 0..6 {
            let digit = fraction.get(place).filter(|b| b.is_ascii_digit() && place < len);
            micros = micros * 10 + i64::from(digit.map_or(0, |b| b - b'0'));
        }
        rest = fraction.get(len..)?;
    }
    let offset = offset_seconds(rest)?;
    let whole_day = hour == 24 && minute == 0 && second == 0 && micros == 0;
    if !(hour < 24 || whole_day) || minute > 59 || second > 60 {
        return None;
    }
    let year = i32::try_from(if negative { -year } else { year }).ok()?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()?;
    let days = i64::from(date.to_julian_day()) - 2_440_588;
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
    // An offset can lead out of the years that can be written again.
    RANGE.contains(&seconds).then_some(DateTime(seconds * MICROS_PER_SECOND + micros))
}

fn offset_seconds(bytes: &[u8]) -> Option<i64> {
    let (sign, rest) = match bytes.split_first() {
        None => return Some(0),
        Some((b'Z' | b'z', [])) => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, rest) = number(rest, 2, 2)?;
    let (minutes, rest) = number(skip(rest, b':').unwrap_or(rest), 2, 2)?;
    (rest.is_empty() && hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn skip(bytes: &[u8], expected: u8) -> Option<&[u8]> {
    bytes.split_first().filter(|(first, _)| **first == expected).map(|(_, rest)| rest)
}

fn number(bytes: &[u8], min: usize, max: usize) -> Option<(i64, &[u8])> {
    let len = bytes.iter().take(max).take_while(|b| b.is_ascii_digit()).count();
    if len < min {
        return None;
    }
    let (head, rest) = bytes.split_at_checked(len)?;
    Some((head.iter().fold(0, |sum, b| sum * 10 + i64::from(b - b'0')), rest))
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(28);
        self.write(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_clients_send() {
        for (text, expected) in [
            ("2013-12-31T01:01:51.15455Z", "2013-12-31T01:01:51.15455Z"),
            ("2024-02-29T23:59:59+01:00", "2024-02-29T22:59:59Z"),
            ("2024-02-29T23:59:59.123456789-05:30", "2024-03-01T05:29:59.123456Z"),
            ("1969-12-31T23:59:59.9", "1969-12-31T23:59:59.9Z"),
            ("2024-12-31T24:00:00Z", "2025-01-01T00:00:00Z"),
            (" 2024-12-31T10:00:00Z\n", "2024-12-31T10:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
            ("-9999-01-01T00:00:00Z", "-9999-01-01T00:00:00Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(DateTime::parse(text).map(|t| t.to_string()), Ok(expected.to_owned()));
        }
        for text in [
            "",
            "2024",
            "2024-13-01T00:00:00Z",
            "2024-02-30T00:00:00Z",
            "2024-01-01T25:00:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00Zx",
            "2024-01-01 00:00:00",
            "9999-12-31T23:59:59-00:01",
            "-9999-01-01T00:00:00+00:01",
        ] {
            assert!(DateTime::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trip(micros in -60_000_000_000_000_000_i64..200_000_000_000_000_000) {
            let time = DateTime::from_micros(micros);
            prop_assert_eq!(DateTime::parse(&time.to_string()), Ok(time));
        }
    }
}
