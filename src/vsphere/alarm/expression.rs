//! Expressions: what an alarm looks at, and what colour that is.
//!
//! Pure: an expression asks [`Facts`] about one entity, and keeps what it has
//! to remember between two looks in [`Leaf`]s: which event was the latest, and
//! since when a number is beyond a bound.

use std::time::Duration;

use super::counter::Counter;
use super::status::Status;
use crate::event::EventRecord;
use crate::schema::{Path, Type};
use crate::value::{DateTime, Str};
use crate::vsphere::events;

/// What can be asked about an entity.
pub(super) trait Facts {
    /// Its type.
    fn ty(&self) -> Type;

    /// A property in words; nothing if it is not set.
    fn text(&self, path: &Path) -> Option<String>;

    /// A number; nothing if nobody knows it now.
    fn number(&self, counter: Counter) -> Option<i64>;
}

/// A condition, or several.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// A property is, or is not, what it should be.
    State(State),
    /// A number is beyond a bound.
    Metric(Metric),
    /// Something has happened.
    Event(Event),
    /// All of them.
    And(Vec<Self>),
    /// One of them.
    Or(Vec<Self>),
}

/// `StateAlarmExpression`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub(super) of: Type,
    pub(super) path: Path,
    /// Whether it is the other values that matter.
    pub(super) unequal: bool,
    pub(super) yellow: Option<Str>,
    pub(super) red: Option<Str>,
}

/// `MetricAlarmExpression`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    pub(super) of: Type,
    /// Nothing: one that has no number here.
    pub(super) counter: Option<Counter>,
    pub(super) below: bool,
    pub(super) yellow: Option<Bound>,
    pub(super) red: Option<Bound>,
    pub(super) leaf: usize,
}

/// A bound, and how long a number must be beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) value: i64,
    pub(super) lasting: Duration,
}

/// `EventAlarmExpression`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) kinds: events::Types,
    /// The type of the object on which it is logged; nothing: the one that the
    /// alarm is declared on.
    pub(super) of: Option<Type>,
    pub(super) comparisons: Vec<Comparison>,
    /// Nothing: it only sets off actions, each time.
    pub(super) status: Option<Status>,
    pub(super) leaf: usize,
}

/// What an attribute of an event must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) attribute: String,
    pub(super) operator: Operator,
    pub(super) value: String,
}

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    Differs,
    StartsWith,
    StartsOtherwise,
    EndsWith,
    EndsOtherwise,
}

/// What is remembered of one condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaf {
    /// What the latest event made of it.
    pub(super) status: Status,
    /// Since when the number is beyond the yellow bound.
    pub(super) yellow: Option<DateTime>,
    /// Since when the number is beyond the red bound.
    pub(super) red: Option<DateTime>,
}

/// What a look gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: Status,
    /// When it may be another one without anything changing.
    pub(super) again: Option<DateTime>,
}

impl Expression {
    /// Calls `visit` with every condition in it.
    pub(super) fn visit<'e>(&'e self, visit: &mut impl FnMut(&'e Self)) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().for_each(|part| part.visit(visit));
            }
            condition => visit(condition),
        }
    }

    /// What an entity is like now; `tolerance` in hundredths of a percent.
    pub(super) fn judge(
        &self,
        facts: &impl Facts,
        leaves: &mut [Leaf],
        now: DateTime,
        tolerance: i64,
    ) -> Verdict {
        match self {
            Self::State(state) => Verdict { status: state.judge(facts), again: None },
            Self::Metric(metric) => {
                let mut none = Leaf::default();
                let leaf = leaves.get_mut(metric.leaf).unwrap_or(&mut none);
                metric.judge(facts, leaf, now, tolerance)
            }
            Self::Event(event) => {
                let status = leaves.get(event.leaf).map_or(Status::Gray, |leaf| leaf.status);
                Verdict { status, again: None }
            }
            Self::And(parts) | Self::Or(parts) => {
                // Each is asked, for what it has to remember.
                let verdicts: Vec<Verdict> =
                    parts.iter().map(|it| it.judge(facts, leaves, now, tolerance)).collect();
                let statuses = verdicts.iter().map(|verdict| verdict.status);
                let status = match self {
                    Self::And(_) => Status::all(statuses),
                    _ => Status::any(statuses),
                };
                Verdict { status, again: verdicts.iter().filter_map(|it| it.again).min() }
            }
        }
    }

    /// Remembers the event that the condition at `leaf` waits for. Where one of
    /// several suffices, it is the latest event that counts, so the others are
    /// as if nothing had happened.
    pub(super) fn strike(&self, leaf: usize, leaves: &mut [Leaf]) -> bool {
        match self {
            Self::State(_) | Self::Metric(_) => false,
            Self::Event(event) => {
                let found = event.leaf == leaf;
                if let Some(leaf) = leaves.get_mut(leaf).filter(|_| found) {
                    leaf.status = event.status.unwrap_or_default();
                }
                found
            }
            Self::And(parts) => parts.iter().any(|part| part.strike(leaf, leaves)),
            Self::Or(parts) => {
                let Some(struck) = parts.iter().position(|part| part.strike(leaf, leaves)) else {
                    return false;
                };
                let others = parts.iter().enumerate().filter(|(at, _)| *at != struck);
                others.for_each(|(_, other)| other.forget_events(leaves));
                true
            }
        }
    }

    /// As if no event had happened.
    pub(super) fn forget_events(&self, leaves: &mut [Leaf]) {
        self.visit(&mut |condition| {
            if let Self::Event(event) = condition
                && let Some(leaf) = leaves.get_mut(event.leaf)
            {
                leaf.status = Status::Gray;
            }
        });
    }
}

impl State {
    fn judge(&self, facts: &impl Facts) -> Status {
        if !facts.ty().is_a(self.of) {
            return Status::Gray;
        }
        let Some(text) = facts.text(&self.path) else { return Status::Gray };
        let holds = |value: &Option<Str>| {
            value.as_ref().is_some_and(|value| (value.as_str() == text) != self.unequal)
        };
        if holds(&self.red) {
            Status::Red
        } else if holds(&self.yellow) {
            Status::Yellow
        } else {
            Status::Green
        }
    }
}

impl Metric {
    fn judge(&self, facts: &impl Facts, leaf: &mut Leaf, now: DateTime, tolerance: i64) -> Verdict {
        let known = self.counter.filter(|_| facts.ty().is_a(self.of));
        let Some((counter, number)) = known.and_then(|it| Some((it, facts.number(it)?))) else {
            (leaf.yellow, leaf.red) = (None, None);
            return Verdict::default();
        };
        let mut verdict = Verdict { status: Status::Green, again: None };
        for (bound, since, status) in [
            (self.yellow, &mut leaf.yellow, Status::Yellow),
            (self.red, &mut leaf.red, Status::Red),
        ] {
            let Some(bound) = bound else { continue };
            let margin = counter.margin(bound.value, tolerance);
            let beyond = if self.below {
                number < bound.value.saturating_sub(margin)
            } else {
                number > bound.value.saturating_add(margin)
            };
            if !beyond {
                *since = None;
                continue;
            }
            let since = if bound.lasting.is_zero() { now } else { *since.get_or_insert(now) };
            let due = since.after(bound.lasting);
            if due <= now {
                verdict.status = status;
            } else {
                verdict.again = Some(verdict.again.map_or(due, |again| again.min(due)));
            }
        }
        verdict
    }
}

impl Event {
    /// Whether it is the event that is waited for, wherever it happened.
    pub(super) fn is(&self, event: &EventRecord) -> bool {
        self.kinds.hold(event)
            && self.comparisons.iter().all(|comparison| {
                let found = events::attribute(event, &comparison.attribute);
                comparison.holds(&found.unwrap_or_default())
            })
    }
}

impl Comparison {
    fn holds(&self, found: &str) -> bool {
        let value = self.value.as_str();
        match self.operator {
            Operator::Equals => found == value,
            Operator::Differs => found != value,
            Operator::StartsWith => found.starts_with(value),
            Operator::StartsOtherwise => !found.starts_with(value),
            Operator::EndsWith => found.ends_with(value),
            Operator::EndsOtherwise => !found.ends_with(value),
        }
    }
}

impl Operator {
    /// The operator that the API calls so.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "equals" => Self::Equals,
            "notEqualTo" => Self::Differs,
            "startsWith" => Self::StartsWith,
            "doesNotStartWith" => Self::StartsOtherwise,
            "endsWith" => Self::EndsWith,
            "doesNotEndWith" => Self::EndsOtherwise,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Status::{Gray, Green, Red, Yellow};
    use super::*;
    use crate::schema::ty;

    const COUNTER: Counter = Counter::MHZ;

    /// A machine with a power state and a number.
    struct Machine(Option<&'static str>, Option<i64>);

    impl Facts for Machine {
        fn ty(&self) -> Type {
            ty::VirtualMachine
        }

        fn text(&self, _: &Path) -> Option<String> {
            self.0.map(str::to_owned)
        }

        fn number(&self, _: Counter) -> Option<i64> {
            self.1
        }
    }

    fn at(seconds: u64) -> DateTime {
        DateTime::EPOCH.after(Duration::from_secs(seconds))
    }

    fn state(unequal: bool, yellow: Option<&str>, red: Option<&str>) -> Expression {
        let (of, value) = (ty::VirtualMachine, |text: &str| Str::from(text));
        let path = Path::parse(of, "runtime.powerState").unwrap();
        Expression::State(State {
            of,
            path,
            unequal,
            yellow: yellow.map(value),
            red: red.map(value),
        })
    }

    fn metric(below: bool, yellow: Option<(i64, u64)>, red: Option<(i64, u64)>) -> Expression {
        let bound = |(value, lasting)| Bound { value, lasting: Duration::from_secs(lasting) };
        Expression::Metric(Metric {
            of: ty::VirtualMachine,
            counter: Some(COUNTER),
            below,
            yellow: yellow.map(bound),
            red: red.map(bound),
            leaf: 0,
        })
    }

    fn event(leaf: usize, status: Option<Status>) -> Expression {
        let kinds = events::Types::named(vec!["VmEvent".to_owned()]).unwrap();
        Expression::Event(Event { kinds, of: None, comparisons: Vec::new(), status, leaf })
    }

    fn judge(expression: &Expression, machine: &Machine) -> Status {
        expression.judge(machine, &mut [Leaf::default()], at(0), 0).status
    }

    #[test]
    fn a_property_is_what_it_should_be_or_not() {
        let (both, other) =
            (state(false, Some("suspended"), Some("off")), state(true, Some("on"), None));
        let table = [
            (&both, Some("off"), Red),
            (&both, Some("suspended"), Yellow),
            (&both, Some("on"), Green),
            (&both, None, Gray),
            (&other, Some("on"), Green),
            (&other, Some("off"), Yellow),
            (&other, None, Gray),
        ];
        for (expression, power, expected) in table {
            assert_eq!(judge(expression, &Machine(power, None)), expected, "{power:?}");
        }
    }

    proptest! {
        /// Red before yellow, and each on its side of its bound.
        #[test]
        fn a_number_is_beyond_a_bound_or_not(
            number in -20..20_i64,
            yellow in prop::option::of(-20..20_i64),
            red in prop::option::of(-20..20_i64),
            below: bool,
        ) {
            let expression = metric(below, yellow.map(|it| (it, 0)), red.map(|it| (it, 0)));
            let beyond = |bound: Option<i64>| {
                bound.is_some_and(|bound| if below { number < bound } else { number > bound })
            };
            let expected = if beyond(red) { Red } else if beyond(yellow) { Yellow } else { Green };
            prop_assert_eq!(judge(&expression, &Machine(None, Some(number))), expected);
            prop_assert_eq!(judge(&expression, &Machine(None, None)), Gray);
        }

        /// Of alternatives the latest event counts, whatever came before it.
        #[test]
        fn the_latest_event_counts(
            statuses in prop::collection::vec(prop::sample::select(Status::ALL.to_vec()), 1..5),
            came in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
        ) {
            let parts = statuses.iter().enumerate().map(|(leaf, it)| event(leaf, Some(*it)));
            let expression = Expression::Or(parts.collect());
            let mut leaves = vec![Leaf::default(); statuses.len()];
            for index in came {
                let leaf = index.index(statuses.len());
                prop_assert!(expression.strike(leaf, &mut leaves));
                let verdict = expression.judge(&Machine(None, None), &mut leaves, at(0), 0);
                prop_assert_eq!(verdict.status, statuses[leaf]);
            }
            expression.forget_events(&mut leaves);
            prop_assert_eq!(leaves, vec![Leaf::default(); statuses.len()]);
        }
    }

    #[test]
    fn a_number_must_stay_beyond_a_bound() {
        let expression = metric(false, Some((10, 30)), Some((20, 60)));
        let mut leaves = [Leaf::default()];
        let mut look = |seconds, number| {
            expression.judge(&Machine(None, Some(number)), &mut leaves, at(seconds), 0)
        };
        let verdict = |status, again: Option<u64>| Verdict { status, again: again.map(at) };
        assert_eq!(look(0, 25), verdict(Green, Some(30)));
        assert_eq!(look(10, 25), verdict(Green, Some(30)));
        assert_eq!(look(30, 25), verdict(Yellow, Some(60)));
        assert_eq!(look(40, 15), verdict(Yellow, None));
        assert_eq!(look(50, 25), verdict(Yellow, Some(110)));
        assert_eq!(look(110, 25), verdict(Red, None));
        assert_eq!(look(111, 5), verdict(Green, None));
        assert_eq!(look(112, 15), verdict(Green, Some(142)));
    }

    #[test]
    fn tolerance_moves_a_bound_away() {
        let table = [(false, 110, Green), (false, 111, Red), (true, 90, Green), (true, 89, Red)];
        for (below, number, expected) in table {
            let expression = metric(below, None, Some((100, 0)));
            let machine = Machine(None, Some(number));
            let verdict = expression.judge(&machine, &mut [Leaf::default()], at(0), 1_000);
            assert_eq!(verdict.status, expected, "{number}");
        }
        assert_eq!(Counter::SHARE.margin(7_500, 500), 500, "of a percentage, points");
    }

    #[test]
    fn all_of_several_events_must_have_come_unless_they_are_gray() {
        let expression = Expression::Or(vec![
            Expression::And(vec![event(0, Some(Red)), event(1, Some(Yellow))]),
            event(2, Some(Green)),
        ]);
        let mut leaves = [Leaf::default(); 3];
        let table = [(0, Red), (1, Yellow), (2, Green), (1, Yellow), (0, Yellow)];
        for (leaf, expected) in table {
            expression.strike(leaf, &mut leaves);
            let verdict = expression.judge(&Machine(None, None), &mut leaves, at(0), 0);
            assert_eq!(verdict.status, expected, "after {leaf}");
        }
        assert!(!expression.strike(3, &mut leaves));
    }
}
