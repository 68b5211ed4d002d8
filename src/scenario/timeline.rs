//! From what a rule says of a task to the plan that the engine follows.
//!
//! A curve of progress is a line through points in time. Whatever happens "at
//! n %" happens when that line passes n, and the task says n then, unless it
//! says nothing at all:
//!
//! ```text
//!   100 ┤                       ╭─ full: 100 % for a while
//!       │              ╭────────╯
//!    60 ┤      ╭───────╯ stall, hold, question, fail, vanish
//!       │  ╭───╯
//!     0 ┼──┴──────────────────────────────► time since the start
//! ```

use std::sync::Arc;
use std::time::Duration;

use super::chance::Time;
use super::error::RuleError;
use super::literal;
use super::question::VmQuestion;
use super::rule::{Cancelable, Curve, FaultRule, Hold, NamedCurve, Percent, TaskRule};
use crate::engine::{Act, Course, Plan, Step};
use crate::fault::Fault;
use crate::ids::Ids;
use crate::schema::Method;
use crate::task::Progress;
use crate::value::Value;

/// How many reports a linear task makes, and the least time between them.
const REPORTS: u32 = 20;
const FINEST_STEP: Duration = Duration::from_millis(100);

/// What a rule says of a task, checked.
#[derive(Debug)]
pub(super) struct Timeline {
    rule: TaskRule,
    fail: Option<Fault>,
    /// The result, by the methods that the rule is about: it is of the type
    /// that the method declares.
    results: Vec<(Method, Option<Value>)>,
}

impl Timeline {
    /// `methods` are those that the rule may be about.
    pub(super) fn new(
        rule: &TaskRule,
        methods: impl Iterator<Item = Method>,
    ) -> Result<Self, RuleError> {
        check(rule)?;
        let fail = match &rule.fail {
            Some(fail) => Some(fault(fail).map_err(|error| error.within("fail"))?),
            None => None,
        };
        let mut results = Vec::new();
        if let Some(result) = &rule.result {
            for method in methods.filter(|method| method.is_task()) {
                let result = literal::task_result(method, result);
                results.push((method, result.map_err(|error| error.within("result"))?));
            }
        }
        Ok(Self { rule: rule.clone(), fail, results })
    }

    /// What follows when the task has succeeded.
    pub(super) fn rule(&self) -> &TaskRule {
        &self.rule
    }

    /// How a task of `method` goes that was asked to run for `asked`.
    pub(super) fn plan(&self, method: Option<Method>, asked: Duration, chance: &Ids) -> Plan {
        let rule = &self.rule;
        let draw = |time: &Option<Time>| time.as_ref().map(|time| time.draw(chance));
        let hidden = draw(&rule.hidden).unwrap_or_default();
        let queued = draw(&rule.queued).unwrap_or_default();
        let running = draw(&rule.running).unwrap_or(asked);
        let stopping = draw(&rule.stopping).unwrap_or_default();
        let full = draw(&rule.full);
        let result = self.results.iter().find(|(of, _)| Some(*of) == method);
        Plan {
            hidden,
            queued,
            held: rule.hold == Some(Hold::QUEUED),
            course: self.course(running, full, chance),
            cancelable: rule.cancelable.map(|cancelable| match cancelable {
                Cancelable::Always(cancelable) => cancelable,
                Cancelable::Until { until } => until > 0,
            }),
            stopping,
            result: result.and_then(|(_, value)| value.clone()),
            sequel: None,
        }
    }

    fn course(&self, running: Duration, full: Option<Duration>, chance: &Ids) -> Course {
        let rule = &self.rule;
        let line = Line::new(rule.progress.as_ref(), running);
        let mut marks: Vec<Mark> = Vec::new();
        for (time, percent) in &line.reports {
            let hidden = rule.unset.is_some_and(|unset| {
                let to = unset.to.map_or(running, |to| line.time(to));
                *time >= line.time(unset.from) && *time < to
            });
            if !hidden {
                marks.push(Mark::report(*time, *percent));
            }
        }
        let mut at = |percent: Percent, rank: u8, what: What| {
            let time = line.time(percent);
            let ends = matches!(what, What::Act(Act::Fail(_) | Act::Vanish { .. }));
            if line.speaks && !(ends && percent == 100) && percent > 0 {
                marks.push(Mark::report(time, f64::from(percent)));
            }
            marks.push(Mark { time, rank, what });
        };
        if let Some(Cancelable::Until { until }) = rule.cancelable {
            at(until, 1, What::Act(Act::Cancelable(false)));
        }
        if let Some(unset) = rule.unset {
            at(unset.from, 2, What::Act(Act::Report(None)));
            if let Some(to) = unset.to {
                let back = Progress::from_percent(i32::from(to));
                at(to, 2, What::Act(Act::Report(Some(back))));
            }
        }
        if let Some(full) = full {
            at(100, 3, What::Pause(full));
        }
        for stall in &rule.stall {
            at(stall.at, 3, What::Pause(stall.time.draw(chance)));
        }
        if let Some(question) = &rule.question {
            at(question.at, 4, What::Act(Act::Ask(Arc::new(VmQuestion::new(question)))));
        }
        if let Some(Hold::At { at: percent }) = rule.hold {
            at(percent, 5, What::Act(Act::Hold));
        }
        if let Some((rule, fault)) = rule.fail.as_ref().zip(self.fail.as_ref()) {
            at(rule.at.unwrap_or(100), 6, What::Act(Act::Fail(fault.clone())));
        }
        if let Some(vanish) = rule.vanish {
            at(vanish.at, 6, What::Act(Act::Vanish { effect: vanish.effect }));
        }
        marks.push(Mark { time: running, rank: 7, what: What::Act(Act::Finish) });
        Course::Steps(steps(marks).into())
    }
}

/// Something on the line.
struct Mark {
    time: Duration,
    /// What comes first of an instant.
    rank: u8,
    what: What,
}

enum What {
    Act(Act),
    /// All that comes later comes so much later.
    Pause(Duration),
}

impl Mark {
    fn report(time: Duration, percent: f64) -> Self {
        let progress = Progress::from_fraction(percent / 100.0);
        Self { time, rank: 0, what: What::Act(Act::Report(Some(progress))) }
    }
}

/// The marks in their order, up to the first one that ends the task.
fn steps(mut marks: Vec<Mark>) -> Vec<Step> {
    marks.sort_by_key(|mark| (mark.time, mark.rank));
    let mut steps = Vec::with_capacity(marks.len());
    let mut pauses = Duration::ZERO;
    for mark in marks {
        match mark.what {
            What::Pause(time) => pauses = pauses.saturating_add(time),
            What::Act(act) => {
                let ends = matches!(act, Act::Fail(_) | Act::Vanish { .. } | Act::Finish);
                steps.push(Step { after: mark.time.saturating_add(pauses), act });
                if ends {
                    break;
                }
            }
        }
    }
    steps
}

/// A curve of progress over a certain time.
struct Line {
    /// Whether the task says anything.
    speaks: bool,
    reports: Vec<(Duration, f64)>,
    /// The reports between the two ends of the task.
    points: Vec<(Duration, f64)>,
}

impl Line {
    fn new(curve: Option<&Curve>, running: Duration) -> Self {
        let even = |from: f64, to: f64| -> Vec<(Duration, f64)> {
            let step = (running / REPORTS).max(FINEST_STEP);
            let times = (1..).map_while(|number| step.checked_mul(number));
            let times = times.take_while(|time| *time < running);
            let share = |time: Duration| time.as_secs_f64() / running.as_secs_f64();
            times.map(|time| (time, from + (to - from) * share(time))).collect()
        };
        let (mut from, mut to, mut speaks) = (0.0, 100.0, true);
        let reports = match curve {
            None | Some(Curve::Named(NamedCurve::Linear)) => even(0.0, 100.0),
            Some(Curve::Named(NamedCurve::Backwards)) => {
                (from, to) = (100.0, 0.0);
                even(100.0, 0.0)
            }
            Some(Curve::Named(NamedCurve::None)) => {
                speaks = false;
                Vec::new()
            }
            Some(Curve::Steps(percents)) => {
                let parts = u32::try_from(percents.len() + 1).unwrap_or(u32::MAX);
                let times = (1..).map(|number| running / parts * number);
                times.zip(percents.iter().map(|percent| f64::from(*percent))).collect()
            }
            Some(Curve::Jumps(jumps)) => {
                let jumps = jumps.iter().map(|jump| (jump.after.0, f64::from(jump.percent)));
                jumps.filter(|(time, _)| *time < running).collect()
            }
        };
        let mut points = vec![(Duration::ZERO, from)];
        points.extend(&reports);
        points.push((running, to));
        Self { speaks, reports, points }
    }

    /// When the line first passes a percentage.
    fn time(&self, percent: Percent) -> Duration {
        let wanted = f64::from(percent);
        let crossing = self.points.iter().zip(self.points.iter().skip(1)).find_map(|(a, b)| {
            let ((start, from), (end, to)) = (*a, *b);
            let inside = (from.min(to)..=from.max(to)).contains(&wanted);
            inside.then(|| {
                let share = if from == to { 0.0 } else { (wanted - from) / (to - from) };
                start + end.saturating_sub(start).mul_f64(share.clamp(0.0, 1.0))
            })
        });
        let crossing = crossing.unwrap_or_default();
        // As fine as times are told.
        let micros = u64::try_from(crossing.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros)
    }
}

/// The fault that a rule names.
pub(super) fn fault(rule: &FaultRule) -> Result<Fault, RuleError> {
    literal::fault(&rule.fault, rule.message.as_deref(), &rule.fields)
}

/// What can be wrong with what is said of a task, besides its fault and result.
fn check(rule: &TaskRule) -> Result<(), RuleError> {
    let times = [
        ("hidden", rule.hidden.as_ref()),
        ("queued", rule.queued.as_ref()),
        ("running", rule.running.as_ref()),
        ("full", rule.full.as_ref()),
        ("stopping", rule.stopping.as_ref()),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            time.check().map_err(|error| error.within(name))?;
        }
    }
    for (index, stall) in rule.stall.iter().enumerate() {
        let place = format!("stall[{index}]");
        stall.time.check().map_err(|error| error.within("for").within(&place))?;
        percent(&format!("{place}.at"), stall.at)?;
    }
    match &rule.progress {
        Some(Curve::Steps(steps)) => {
            for (index, step) in steps.iter().enumerate() {
                percent(&format!("progress[{index}]"), *step)?;
            }
        }
        Some(Curve::Jumps(jumps)) => {
            let mut before = Duration::ZERO;
            for (index, jump) in jumps.iter().enumerate() {
                percent(&format!("progress[{index}].percent"), jump.percent)?;
                let place = format!("progress[{index}].after");
                if jump.after.0 < before {
                    return Err(RuleError::new(place, "earlier than the one before"));
                }
                if let Some(Time::Fixed(running)) = rule.running
                    && jump.after >= running
                {
                    return Err(RuleError::new(place, "not before the end of the task"));
                }
                before = jump.after.0;
            }
        }
        Some(Curve::Named(_)) | None => {}
    }
    if let Some(unset) = rule.unset {
        percent("unset.from", unset.from)?;
        if let Some(to) = unset.to {
            percent("unset.to", to)?;
            if to <= unset.from {
                return Err(RuleError::new("unset.to", "not above from"));
            }
        }
    }
    if let Some(Cancelable::Until { until }) = rule.cancelable {
        percent("cancelable.until", until)?;
    }
    if let Some(Hold::At { at }) = rule.hold {
        percent("hold.at", at)?;
    }
    if let Some(question) = &rule.question {
        percent("question.at", question.at)?;
        if question.choices.is_empty() {
            return Err(RuleError::new("question.choices", "there must be one at least"));
        }
        let known = |key: u32| usize::try_from(key).is_ok_and(|key| key < question.choices.len());
        if !known(question.default) {
            return Err(RuleError::new("question.default", "there is no such choice"));
        }
        if let Some(index) = question.failing.iter().position(|key| !known(*key)) {
            let place = format!("question.failing[{index}]");
            return Err(RuleError::new(place, "there is no such choice"));
        }
    }
    if let Some(at) = rule.fail.as_ref().and_then(|fail| fail.at) {
        percent("fail.at", at)?;
    }
    if let Some(vanish) = rule.vanish {
        percent("vanish.at", vanish.at)?;
    }
    if let Some(follow) = &rule.follow {
        let known = Method::by_name(&follow.method).filter(|method| method.is_task());
        let method = known.ok_or_else(|| {
            let message = format!("the schema has no task method {:?}", follow.method);
            RuleError::new("follow.method", message)
        })?;
        let needed = method.params().iter().find(|param| !param.is_optional() && !param.is_array());
        if let Some(param) = needed {
            let message = format!("{method} needs the argument {}", param.name());
            return Err(RuleError::new("follow.method", message));
        }
    }
    Ok(())
}

fn percent(path: &str, percent: Percent) -> Result<(), RuleError> {
    if percent <= 100 { Ok(()) } else { Err(RuleError::new(path, "more than 100 %")) }
}
