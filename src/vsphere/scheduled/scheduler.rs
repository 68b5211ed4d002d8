//! Reading a `TaskScheduler`: what it may say, and the schedule that it means.

use time::Weekday;

use super::next_run::{DayOfMonth, Pattern, Schedule, Unit};
use crate::fault::Fault;
use crate::path;
use crate::schema::{StaticPath, ty};
use crate::value::{DateTime, Object, Value};

/// The schedule that `scheduler` means when it is submitted at `made` to a
/// server that started at `started`. What is wrong is named as a part of `spec`.
pub(super) fn read(
    scheduler: &Object,
    made: DateTime,
    started: DateTime,
) -> Result<Schedule, Fault> {
    let time = |path| scheduler.at(path).and_then(Value::as_date_time);
    let active = time(path!(TaskScheduler, "activeTime"));
    let expire = time(path!(TaskScheduler, "expireTime"));
    if expire.is_some_and(|expire| expire < active.unwrap_or(made)) {
        return Err(wrong("expireTime"));
    }
    let of = scheduler.ty();
    let pattern = if of == ty::OnceTaskScheduler {
        Pattern::Once(time(path!(OnceTaskScheduler, "runAt")).unwrap_or(made))
    } else if of == ty::AfterStartupTaskScheduler {
        let minutes = path!(AfterStartupTaskScheduler, "minute");
        let minutes = number(scheduler, minutes, 0, i32::MAX.into())?;
        Pattern::Once(DateTime::from_micros(started.micros() + minutes * 60_000_000))
    } else {
        let unit = unit(scheduler)?;
        let interval = number(scheduler, path!(RecurrentTaskScheduler, "interval"), 1, 999)?;
        Pattern::Every { interval, unit }
    };
    Ok(Schedule { active: active.unwrap_or(made), expire, pattern })
}

/// Fails if the scheduler means one time, and that has passed.
pub(super) fn refuse_past(scheduler: &Object, now: DateTime) -> Result<(), Fault> {
    let at = Some(scheduler).filter(|scheduler| scheduler.ty() == ty::OnceTaskScheduler);
    let at = at.and_then(|it| it.at(path!(OnceTaskScheduler, "runAt"))?.as_date_time());
    if at.is_some_and(|at| at < now) { Err(wrong("runAt")) } else { Ok(()) }
}

fn unit(scheduler: &Object) -> Result<Unit, Fault> {
    let of = scheduler.ty();
    if !of.is_a(ty::HourlyTaskScheduler) || of == ty::MonthlyTaskScheduler {
        return Err(Fault::invalid_argument("spec.scheduler"));
    }
    let minute = number(scheduler, path!(HourlyTaskScheduler, "minute"), 0, 59)?;
    if of == ty::HourlyTaskScheduler {
        return Ok(Unit::Hour { minute });
    }
    let hour = number(scheduler, path!(DailyTaskScheduler, "hour"), 0, 23)?;
    let minute = hour * 60 + minute;
    if of == ty::DailyTaskScheduler {
        return Ok(Unit::Day { minute });
    }
    if of == ty::WeeklyTaskScheduler {
        let days = [
            path!(WeeklyTaskScheduler, "sunday"),
            path!(WeeklyTaskScheduler, "monday"),
            path!(WeeklyTaskScheduler, "tuesday"),
            path!(WeeklyTaskScheduler, "wednesday"),
            path!(WeeklyTaskScheduler, "thursday"),
            path!(WeeklyTaskScheduler, "friday"),
            path!(WeeklyTaskScheduler, "saturday"),
        ]
        .map(|day| scheduler.at(day).and_then(Value::as_bool).unwrap_or_default());
        if !days.contains(&true) {
            return Err(wrong("sunday"));
        }
        return Ok(Unit::Week { minute, days });
    }
    let day = if of == ty::MonthlyByDayTaskScheduler {
        let day = number(scheduler, path!(MonthlyByDayTaskScheduler, "day"), 1, 31)?;
        DayOfMonth::Number(u8::try_from(day).map_err(|_| wrong("day"))?)
    } else {
        weekday(scheduler)?
    };
    Ok(Unit::Month { minute, day })
}

fn weekday(scheduler: &Object) -> Result<DayOfMonth, Fault> {
    let text = |path| scheduler.at(path).and_then(Value::as_str).unwrap_or_default();
    let weekday = match text(path!(MonthlyByWeekdayTaskScheduler, "weekday")) {
        "sunday" => Weekday::Sunday,
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        _ => return Err(wrong("weekday")),
    };
    Ok(match text(path!(MonthlyByWeekdayTaskScheduler, "offset")) {
        "first" => DayOfMonth::Nth(0, weekday),
        "second" => DayOfMonth::Nth(1, weekday),
        "third" => DayOfMonth::Nth(2, weekday),
        "fourth" => DayOfMonth::Nth(3, weekday),
        "last" => DayOfMonth::Last(weekday),
        _ => return Err(wrong("offset")),
    })
}

fn number(scheduler: &Object, path: &StaticPath, least: i64, most: i64) -> Result<i64, Fault> {
    let number = scheduler.at(path).and_then(Value::as_i64);
    number.filter(|number| (least..=most).contains(number)).ok_or_else(|| wrong(path.text()))
}

fn wrong(field: &str) -> Fault {
    Fault::invalid_argument(&format!("spec.scheduler.{field}"))
}
