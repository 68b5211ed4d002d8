//! When a scheduled task runs next: pure functions of its scheduler.
//!
//! Times of day are UTC, as the API says. An interval counts whole units of the
//! calendar (hours, days, weeks from Sunday, months) from the unit in which the
//! first run falls; the first run is the first time that fits the pattern and
//! is not before `activeTime`. A day that a month does not have is its last.

use time::{Date, Duration, Month, Weekday};

use crate::value::DateTime;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;
/// The end of the year 9999, after which there is no time that can be written.
const END: i64 = 253_402_300_800 * SECOND;

/// When something is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    /// Not before this time, from which intervals count as well.
    pub(super) active: DateTime,
    /// Not after this time.
    pub(super) expire: Option<DateTime>,
    /// At which times.
    pub(super) pattern: Pattern,
}

/// The times at which something is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Once.
    Once(DateTime),
    /// Again and again: every so many units.
    Every {
        /// How many units lie between two runs; at least one.
        interval: i64,
        /// Which units, and when in them.
        unit: Unit,
    },
}

/// A unit of the calendar with the times in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// In an hour.
    Hour {
        /// The minute in it.
        minute: i64,
    },
    /// In a day.
    Day {
        /// The minute in it.
        minute: i64,
    },
    /// In a week, on some of its days.
    Week {
        /// The minute of the day.
        minute: i64,
        /// Which days, from Sunday.
        days: [bool; 7],
    },
    /// In a month.
    Month {
        /// The minute of the day.
        minute: i64,
        /// The day in it.
        day: DayOfMonth,
    },
}

/// A day of any month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayOfMonth {
    /// The day with this number.
    Number(u8),
    /// A day of the week, counted from zero.
    Nth(u8, Weekday),
    /// The last of its kind.
    Last(Weekday),
}

impl Schedule {
    /// The first run for a schedule that was made at `now`.
    pub(super) fn first(&self, now: DateTime) -> Option<DateTime> {
        match self.pattern {
            Pattern::Once(at) => {
                let at = at.max(self.active);
                self.unless_expired(at).filter(|at| *at >= now)
            }
            Pattern::Every { .. } => self.next(now),
        }
    }

    /// The run after the time `now`, at which it may just have run.
    pub(super) fn next(&self, now: DateTime) -> Option<DateTime> {
        let Pattern::Every { interval, unit } = self.pattern else { return None };
        let (active, now) = (self.active.micros(), now.micros());
        let next = match unit {
            Unit::Hour { minute } => steps(HOUR, minute * MINUTE, interval, active, now),
            Unit::Day { minute } => steps(DAY, minute * MINUTE, interval, active, now),
            Unit::Week { minute, days } => weekly(minute * MINUTE, &days, interval, active, now)?,
            Unit::Month { minute, day } => monthly(minute * MINUTE, day, interval, active, now)?,
        };
        self.unless_expired(DateTime::from_micros(next))
    }

    fn unless_expired(&self, at: DateTime) -> Option<DateTime> {
        let expired = self.expire.is_some_and(|expire| at > expire);
        (!expired && at.micros() < END).then_some(at)
    }
}

/// The first of the times `offset + n * unit` that is not before `active`, or a
/// whole number of intervals later, after `now`.
fn steps(unit: i64, offset: i64, interval: i64, active: i64, now: i64) -> i64 {
    let first = (active - offset - 1).div_euclid(unit) + 1;
    let after = (now - offset).div_euclid(unit) + 1;
    offset + align(first, after, interval) * unit
}

/// The smallest of `first`, `first + interval`, … that is not below `least`.
fn align(first: i64, least: i64, interval: i64) -> i64 {
    let missing = (least - first).max(0);
    first + (missing + interval - 1).div_euclid(interval) * interval
}

fn weekly(offset: i64, days: &[bool; 7], interval: i64, active: i64, now: i64) -> Option<i64> {
    // The epoch was a Thursday, four days after the Sunday that began its week.
    let week = |day: i64| (day + 4).div_euclid(7);
    let chosen = |from: i64| {
        (from..from + 7).find(|day| {
            let of_week = usize::try_from((day + 4).rem_euclid(7)).ok();
            of_week.and_then(|at| days.get(at)).copied().unwrap_or_default()
        })
    };
    let first = chosen((active - offset - 1).div_euclid(DAY) + 1)?;
    let day = chosen(((now - offset).div_euclid(DAY) + 1).max(first))?;
    let admitted = align(week(first), week(day), interval);
    let day = if admitted == week(day) { day } else { chosen(admitted * 7 - 4)? };
    Some(offset + day * DAY)
}

fn monthly(offset: i64, day: DayOfMonth, interval: i64, active: i64, now: i64) -> Option<i64> {
    let time = |month: i64| Some(offset + day.of(month)? * DAY);
    let not_before = |at: i64| {
        let month = month_of(at)?;
        Some(if time(month)? < at { month + 1 } else { month })
    };
    let first = not_before(active)?;
    time(align(first, not_before(now + 1)?, interval))
}

/// Months since the year 0 of the time.
fn month_of(at: i64) -> Option<i64> {
    let day = i32::try_from(at.div_euclid(DAY)).ok()?.checked_add(EPOCH)?;
    let date = Date::from_julian_day(day).ok()?;
    Some(i64::from(date.year()) * 12 + i64::from(u8::from(date.month())) - 1)
}

impl DayOfMonth {
    /// The day of a month, in days since the epoch.
    fn of(self, month: i64) -> Option<i64> {
        let name = Month::try_from(u8::try_from(month.rem_euclid(12) + 1).ok()?).ok()?;
        let year = i32::try_from(month.div_euclid(12)).ok()?;
        let first = Date::from_calendar_date(year, name, 1).ok()?;
        let length = name.length(year);
        let until = |from: Date, to: Weekday| {
            let distance = i16::from(to.number_days_from_sunday())
                - i16::from(from.weekday().number_days_from_sunday());
            i64::from(distance.rem_euclid(7))
        };
        let date = match self {
            Self::Number(number) => first.replace_day(number.clamp(1, length)).ok()?,
            Self::Nth(count, weekday) => {
                first.checked_add(Duration::days(until(first, weekday) + 7 * i64::from(count)))?
            }
            Self::Last(weekday) => {
                let week = first.replace_day(length.saturating_sub(6)).ok()?;
                week.checked_add(Duration::days(until(week, weekday)))?
            }
        };
        Some(i64::from(date.to_julian_day() - EPOCH))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;

    use super::*;

    fn at(text: &str) -> DateTime {
        DateTime::parse(text).unwrap_or(DateTime::EPOCH)
    }

    fn every(interval: i64, unit: Unit, active: &str) -> Schedule {
        Schedule { active: at(active), expire: None, pattern: Pattern::Every { interval, unit } }
    }

    /// The first runs after `now`.
    fn runs(schedule: &Schedule, now: &str, count: usize) -> Vec<String> {
        let next = |now: &DateTime| schedule.next(*now);
        std::iter::successors(schedule.next(at(now)), next)
            .take(count)
            .map(|time| time.to_string().trim_end_matches(":00Z").to_owned())
            .collect()
    }

    #[test]
    fn schedules_that_people_make() {
        let noon = 12 * 60;
        let start = "2025-01-01T00:20:00Z";
        let every_four_hours = every(4, Unit::Hour { minute: 15 }, start);
        assert_eq!(
            runs(&every_four_hours, start, 3),
            ["2025-01-01T01:15", "2025-01-01T05:15", "2025-01-01T09:15"]
        );
        let every_second_day = every(2, Unit::Day { minute: noon }, start);
        assert_eq!(runs(&every_second_day, start, 2), ["2025-01-01T12:00", "2025-01-03T12:00"]);
        let mut days = [false; 7];
        (days[1], days[5]) = (true, true);
        // 2025-01-01 is a Wednesday: its week has only the Friday left.
        let every_second_week = every(2, Unit::Week { minute: noon, days }, start);
        assert_eq!(
            runs(&every_second_week, start, 3),
            ["2025-01-03T12:00", "2025-01-13T12:00", "2025-01-17T12:00"]
        );
        let last_day = Unit::Month { minute: 0, day: DayOfMonth::Number(31) };
        assert_eq!(
            runs(&every(1, last_day, start), start, 4),
            ["2025-01-31T00:00", "2025-02-28T00:00", "2025-03-31T00:00", "2025-04-30T00:00"]
        );
        let last_friday = Unit::Month { minute: 0, day: DayOfMonth::Last(Weekday::Friday) };
        assert_eq!(
            runs(&every(3, last_friday, start), start, 2),
            ["2025-01-31T00:00", "2025-04-25T00:00"]
        );
        let third_tuesday = Unit::Month { minute: 0, day: DayOfMonth::Nth(2, Weekday::Tuesday) };
        assert_eq!(
            runs(&every(1, third_tuesday, start), start, 2),
            ["2025-01-21T00:00", "2025-02-18T00:00"]
        );
    }

    #[test]
    fn once_is_once_and_time_has_an_end() {
        let (start, later) = (at("2025-01-01T00:00:00Z"), at("2025-01-02T00:00:00Z"));
        let once = |at, expire| Schedule { active: start, expire, pattern: Pattern::Once(at) };
        assert_eq!(once(later, None).first(start), Some(later));
        assert_eq!(once(start, None).first(start), Some(start));
        assert_eq!(once(start, None).first(later), None);
        assert_eq!(once(later, Some(start)).first(start), None);
        assert_eq!(once(later, None).next(start), None);
        let hourly = every(999, Unit::Hour { minute: 0 }, "9999-12-31T20:00:00Z");
        assert_eq!(hourly.next(start), Some(at("9999-12-31T20:00:00Z")));
        assert_eq!(hourly.next(at("9999-12-31T20:00:00Z")), None);
        let day = DayOfMonth::Number(31);
        let monthly = every(7, Unit::Month { minute: 0, day }, "-9999-01-01T00:00:00Z");
        assert!(monthly.next(start).is_some());
        assert_eq!(monthly.next(at("9999-12-31T23:59:59Z")), None);
    }

    fn units() -> impl Strategy<Value = Unit> {
        let day = || 0..24 * 60_i64;
        let weekday = || (0..7_u8).prop_map(|n| Weekday::Sunday.nth_next(n));
        prop_oneof![
            (0..60_i64).prop_map(|minute| Unit::Hour { minute }),
            day().prop_map(|minute| Unit::Day { minute }),
            (day(), any::<[bool; 7]>())
                .prop_filter("a day", |(_, days)| days.contains(&true))
                .prop_map(|(minute, days)| Unit::Week { minute, days }),
            (day(), 1..=31_u8).prop_map(|(minute, number)| Unit::Month {
                minute,
                day: DayOfMonth::Number(number)
            }),
            (day(), 0..4_u8, weekday()).prop_map(|(minute, nth, weekday)| Unit::Month {
                minute,
                day: DayOfMonth::Nth(nth, weekday)
            }),
            (day(), weekday()).prop_map(|(minute, weekday)| Unit::Month {
                minute,
                day: DayOfMonth::Last(weekday)
            }),
        ]
    }

    /// Whether the pattern has a run at a whole minute, by what the calendar says.
    fn fits(unit: Unit, at: OffsetDateTime) -> bool {
        let of_day = i64::from(at.hour()) * 60 + i64::from(at.minute());
        let last = at.month().length(at.year());
        match unit {
            Unit::Hour { minute } => i64::from(at.minute()) == minute,
            Unit::Day { minute } => of_day == minute,
            Unit::Week { minute, days } => {
                let day = at.weekday().number_days_from_sunday();
                of_day == minute && days.get(usize::from(day)) == Some(&true)
            }
            Unit::Month { minute, day } => {
                of_day == minute
                    && match day {
                        DayOfMonth::Number(number) => at.day() == number.min(last),
                        DayOfMonth::Nth(n, weekday) => {
                            at.weekday() == weekday && (at.day() - 1) / 7 == n
                        }
                        DayOfMonth::Last(weekday) => at.weekday() == weekday && at.day() + 7 > last,
                    }
            }
        }
    }

    /// Counts the units of the calendar by walking over them, minute for minute
    /// or day for day.
    fn brute_force(schedule: &Schedule, now: i64) -> Option<i64> {
        let Pattern::Every { interval, unit } = schedule.pattern else { return None };
        let (step, offset) = match unit {
            Unit::Hour { .. } => (MINUTE, 0),
            Unit::Day { minute } | Unit::Week { minute, .. } | Unit::Month { minute, .. } => {
                (DAY, minute * MINUTE)
            }
        };
        let mut time = (schedule.active.micros().div_euclid(DAY) - 1) * DAY + offset;
        let mut unit_now = None;
        let mut units_since_first = None;
        loop {
            let date = DateTime::from_micros(time).to_offset()?;
            let name = match unit {
                Unit::Hour { .. } => (date.to_julian_day(), u16::from(date.hour())),
                Unit::Day { .. } => (date.to_julian_day(), 0),
                Unit::Week { .. } => {
                    let sunday = i32::from(date.weekday().number_days_from_sunday());
                    (date.to_julian_day() - sunday, 0)
                }
                Unit::Month { .. } => (date.year(), u16::from(u8::from(date.month()))),
            };
            if unit_now.replace(name) != Some(name) {
                units_since_first = units_since_first.map(|count: i64| count + 1);
            }
            if time >= schedule.active.micros() && fits(unit, date) {
                let count = *units_since_first.get_or_insert(0);
                if count % interval == 0 && time > now {
                    return Some(time);
                }
            }
            time += step;
        }
    }

    proptest! {
        #[test]
        fn the_next_run_is_the_one_that_counting_finds(
            unit in units(),
            interval in 1..6_i64,
            active in 1_700_000_000_000_000..1_800_000_000_000_000_i64,
            later in 0..200 * DAY,
            on_a_run in any::<bool>(),
        ) {
            let later = if matches!(unit, Unit::Hour { .. }) { later / 50 } else { later };
            let active = DateTime::from_micros(active);
            let schedule =
                Schedule { active, expire: None, pattern: Pattern::Every { interval, unit } };
            let mut now = active.micros() - DAY + later;
            if on_a_run {
                now = brute_force(&schedule, now).unwrap_or(now);
            }
            let expected = brute_force(&schedule, now).map(DateTime::from_micros);
            prop_assert_eq!(schedule.next(DateTime::from_micros(now)), expected);
        }

        #[test]
        fn no_schedule_panics_or_stands_still(
            unit in units(),
            interval in 1..1000_i64,
            active in -377_705_116_800_000_000_i64..253_402_300_800_000_000,
            now in -377_705_116_800_000_000_i64..253_402_300_800_000_000,
            life in proptest::option::of(0..400 * DAY),
        ) {
            let expire = life.map(|life| DateTime::from_micros(active + life));
            let schedule = Schedule {
                active: DateTime::from_micros(active),
                expire,
                pattern: Pattern::Every { interval, unit },
            };
            if let Some(next) = schedule.next(DateTime::from_micros(now)) {
                prop_assert!(next.micros() > now && next.micros() >= active);
                prop_assert!(expire.is_none_or(|expire| next <= expire));
            }
        }
    }
}
