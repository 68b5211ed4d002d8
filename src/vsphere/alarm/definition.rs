//! Reading an `AlarmSpec`: what an alarm looks at, and what it does.

use std::time::Duration;

use super::counter::Counter;
use super::expression::{
    Bound, Comparison, Event, Expression, Facts, Leaf, Metric, Operator, State, Verdict,
};
use super::status::Status;
use super::trigger::{self, Trigger};
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::schema::{Kind, Path, Type, ty};
use crate::value::{DateTime, MoRef, Object, Str, Value};
use crate::vsphere::{containment, events};

/// How deep expressions may be nested.
const DEEPEST: usize = 16;

/// An alarm, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub(super) alarm: MoRef,
    pub(super) name: Str,
    /// What it is declared on.
    pub(super) entity: MoRef,
    pub(super) enabled: bool,
    /// For whom its actions are done.
    pub(super) user: Str,
    pub(super) modified: DateTime,
    pub(super) expression: Expression,
    pub(super) triggers: Vec<Trigger>,
    /// How long until actions that repeat are done again.
    pub(super) repeat_after: Option<Duration>,
    pub(super) tolerance: i64,
    /// How long after a trigger no other is noticed.
    pub(super) pause: Duration,
    /// The types of the entities that have a state of it.
    pub(super) types: Vec<Type>,
    /// Whether its own entity has one, whatever type that is.
    pub(super) itself: bool,
    /// Whether it is declared above everything.
    pub(super) everywhere: bool,
    /// Whether it looks at what entities are like, not only at events.
    pub(super) looks: bool,
    /// Whether it waits for events.
    pub(super) listens: bool,
    /// How many leaves its expression has.
    pub(super) leaves: usize,
}

impl Definition {
    /// What `spec`, or an `AlarmInfo`, says of an alarm on `entity`. What is
    /// wrong is named as a part of `spec`.
    pub(super) fn read(
        state: &Snapshot,
        spec: &Object,
        alarm: &MoRef,
        entity: &MoRef,
    ) -> Result<Self, Fault> {
        let text = |path| spec.at(path).and_then(Value::as_str).unwrap_or_default();
        let expression = spec.at(path!(AlarmSpec, "expression")).and_then(Value::as_object);
        let expression = expression.ok_or_else(|| wrong(""))?;
        let mut leaves = 0;
        let expression = read(state, expression, &mut leaves, DEEPEST)?;
        let (mut types, mut itself) = (Vec::new(), false);
        let (mut looks, mut listens, mut stateless) = (false, false, true);
        expression.visit(&mut |condition| {
            let of = match condition {
                Expression::State(state) => Some(state.of),
                Expression::Metric(metric) => Some(metric.of),
                Expression::Event(event) => event.of,
                Expression::And(_) | Expression::Or(_) => None,
            };
            let is_event = matches!(condition, Expression::Event(_));
            looks |= !is_event;
            listens |= is_event;
            stateless &= matches!(condition, Expression::Event(Event { status: None, .. }));
            itself |= of.is_none();
            types.extend(of.filter(|of| !types.contains(of)));
        });
        let may_act_on = if types.is_empty() { vec![entity.ty()] } else { types.clone() };
        let triggers = match spec.at(path!(AlarmSpec, "action")).and_then(Value::as_object) {
            Some(action) => trigger::read(state, action, &may_act_on, stateless)?,
            None => Vec::new(),
        };
        let frequency = spec.at(path!(AlarmSpec, "actionFrequency")).and_then(Value::as_i64);
        let setting = spec.at(path!(AlarmSpec, "setting")).and_then(Value::as_object);
        let number = |path| setting.and_then(|it| it.at(path)?.as_i64()).unwrap_or_default();
        let tolerance = number(path!(AlarmSetting, "toleranceRange"));
        let pause = number(path!(AlarmSetting, "reportingFrequency"));
        if tolerance < 0 || pause < 0 {
            return Err(Fault::invalid_argument("spec.setting"));
        }
        if frequency.is_some_and(|frequency| frequency < 0) {
            return Err(Fault::invalid_argument("spec.actionFrequency"));
        }
        Ok(Self {
            alarm: alarm.clone(),
            name: text(path!(AlarmSpec, "name")).into(),
            entity: entity.clone(),
            enabled: spec.at(path!(AlarmSpec, "enabled")).and_then(Value::as_bool) == Some(true),
            user: Str::new(),
            modified: DateTime::EPOCH,
            expression,
            triggers,
            repeat_after: frequency.map(seconds).filter(|after| !after.is_zero()),
            tolerance,
            pause: seconds(pause),
            types,
            itself,
            everywhere: entity.ty().is_a(ty::Folder)
                && containment::parent(state, entity).is_none(),
            looks,
            listens,
            leaves,
        })
    }

    /// What the info of an alarm says.
    pub(super) fn of_info(state: &Snapshot, info: &Object) -> Result<Self, Fault> {
        let mo = |path| info.at(path).and_then(Value::as_moref).ok_or_else(Fault::invalid_state);
        let (alarm, entity) = (mo(path!(AlarmInfo, "alarm"))?, mo(path!(AlarmInfo, "entity"))?);
        let mut read = Self::read(state, info, alarm, entity)?;
        let user = info.at(path!(AlarmInfo, "lastModifiedUser")).and_then(Value::as_str);
        read.user = user.unwrap_or_default().into();
        let modified = info.at(path!(AlarmInfo, "lastModifiedTime"));
        read.modified = modified.and_then(Value::as_date_time).unwrap_or(DateTime::EPOCH);
        Ok(read)
    }

    /// Whether an entity that stands where the alarm is inherited has a state
    /// of it.
    pub(super) fn is_of(&self, entity: &MoRef) -> bool {
        self.types.iter().any(|of| entity.ty().is_a(*of)) || (self.itself && *entity == self.entity)
    }

    /// Whether an entity below which `above` stands inherits the alarm, or has
    /// it itself.
    pub(super) fn reaches(&self, entity: &MoRef, above: &[MoRef]) -> bool {
        self.everywhere || self.entity == *entity || above.contains(&self.entity)
    }

    /// The status of an entity that nobody has noted anything about: nothing
    /// is wrong with it.
    pub(super) fn calm(&self) -> Status {
        if self.looks { Status::Green } else { Status::Gray }
    }

    /// What an entity is like now.
    pub(super) fn judge(
        &self,
        state: &(impl Read + ?Sized),
        entity: &MoRef,
        leaves: &mut [Leaf],
        now: DateTime,
    ) -> Verdict {
        self.expression.judge(&Known { state, entity }, leaves, now, self.tolerance)
    }

    /// What is remembered before anything is.
    pub(super) fn fresh_leaves(&self) -> Vec<Leaf> {
        vec![Leaf::default(); self.leaves]
    }
}

/// What the inventory knows of an entity.
struct Known<'s, S: ?Sized> {
    state: &'s S,
    entity: &'s MoRef,
}

impl<S: Read + ?Sized> Facts for Known<'_, S> {
    fn ty(&self) -> Type {
        self.entity.ty()
    }

    fn text(&self, path: &Path) -> Option<String> {
        // Not by reference: of what nobody has changed, nothing is made and kept.
        events::word(&self.state.properties(self.entity)?.lookup(path.steps())?)
    }

    fn number(&self, counter: Counter) -> Option<i64> {
        counter.of(self.state, self.entity)
    }
}

/// Everything below `top`, and `top`, that is of one of the types.
pub(super) fn below(state: &Snapshot, root: &MoRef, top: &MoRef, types: &[Type]) -> Vec<MoRef> {
    let wanted = |mo: &MoRef| types.iter().any(|of| mo.ty().is_a(*of));
    if top == root {
        return state.all_refs().filter(|mo| wanted(mo)).cloned().collect();
    }
    let mut known: std::collections::HashSet<MoRef, foldhash::fast::FixedState> =
        std::collections::HashSet::default();
    let (mut open, mut found) = (vec![top.clone()], Vec::new());
    while let Some(mo) = open.pop() {
        if !known.insert(mo.clone()) {
            continue;
        }
        open.extend(containment::children(state, &mo));
        if mo.ty().is_a(ty::HostSystem) {
            open.extend(state.morefs(&mo, path!(HostSystem, "vm")));
        }
        if wanted(&mo) {
            found.push(mo);
        }
    }
    found
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

fn read(
    state: &Snapshot,
    given: &Object,
    leaves: &mut usize,
    depth: usize,
) -> Result<Expression, Fault> {
    let of = given.ty();
    if of.is_a(ty::StateAlarmExpression) {
        return read_state(given).map(Expression::State);
    }
    if of.is_a(ty::MetricAlarmExpression) {
        return read_metric(state, given, leaves).map(Expression::Metric);
    }
    if of.is_a(ty::EventAlarmExpression) {
        return read_event(given, leaves).map(Expression::Event);
    }
    let (is_and, parts) = if of.is_a(ty::AndAlarmExpression) {
        (true, given.at(path!(AndAlarmExpression, "expression")))
    } else if of.is_a(ty::OrAlarmExpression) {
        (false, given.at(path!(OrAlarmExpression, "expression")))
    } else {
        return Err(wrong(""));
    };
    let depth = depth.checked_sub(1).ok_or_else(|| wrong(""))?;
    let parts = parts.map(Value::items).unwrap_or_default().iter().filter_map(Value::as_object);
    let parts = parts.map(|part| read(state, part, leaves, depth));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    if parts.is_empty() {
        return Err(wrong(".expression"));
    }
    Ok(if is_and { Expression::And(parts) } else { Expression::Or(parts) })
}

/// The type of entities that a client names, in either spelling.
fn entity_type(name: &str, field: &str) -> Result<Type, Fault> {
    let found = Type::by_name(name).or_else(|| Type::by_vmodl(name));
    found.filter(|of| of.is_a(ty::ManagedEntity)).ok_or_else(|| wrong(field))
}

fn read_state(given: &Object) -> Result<State, Fault> {
    let text = |path| given.at(path).and_then(Value::as_str);
    let of = entity_type(text(path!(StateAlarmExpression, "type")).unwrap_or_default(), ".type")?;
    let path = text(path!(StateAlarmExpression, "statePath")).unwrap_or_default();
    let path = Path::parse(of, path).map_err(|_| wrong(".statePath"))?;
    // What is computed when somebody reads it changes without a word.
    let computed = [
        "recentTask",
        "triggeredAlarmState",
        "declaredAlarmState",
        "overallStatus",
        "availableField",
        "effectiveRole",
    ];
    let (leaf, is_array) = path.leaf();
    let first = path.text().split(['.', '[']).next().unwrap_or_default();
    if is_array || leaf.kind() == Kind::Data || computed.contains(&first) {
        return Err(wrong(".statePath"));
    }
    let value = |path| text(path).map(Str::from);
    let (yellow, red) =
        (value(path!(StateAlarmExpression, "yellow")), value(path!(StateAlarmExpression, "red")));
    if yellow.is_none() && red.is_none() {
        return Err(wrong(".red"));
    }
    let unequal = text(path!(StateAlarmExpression, "operator")) == Some("isUnequal");
    Ok(State { of, path, unequal, yellow, red })
}

fn read_metric(state: &Snapshot, given: &Object, leaves: &mut usize) -> Result<Metric, Fault> {
    let text = |path| given.at(path).and_then(Value::as_str);
    let number = |path| given.at(path).and_then(Value::as_i64);
    let of = entity_type(text(path!(MetricAlarmExpression, "type")).unwrap_or_default(), ".type")?;
    let id = given.at(path!(MetricAlarmExpression, "metric.counterId")).and_then(Value::as_i32);
    let counter = Counter::read(state, id.unwrap_or_default())?;
    let bound = |value, lasting| -> Result<Option<Bound>, Fault> {
        let Some(value) = number(value) else { return Ok(None) };
        let lasting = number(lasting).unwrap_or_default();
        if lasting < 0 {
            return Err(wrong(".redInterval"));
        }
        Ok(Some(Bound { value, lasting: seconds(lasting) }))
    };
    let yellow = bound(
        path!(MetricAlarmExpression, "yellow"),
        path!(MetricAlarmExpression, "yellowInterval"),
    )?;
    let red =
        bound(path!(MetricAlarmExpression, "red"), path!(MetricAlarmExpression, "redInterval"))?;
    if yellow.is_none() && red.is_none() {
        return Err(wrong(".red"));
    }
    let below = text(path!(MetricAlarmExpression, "operator")) == Some("isBelow");
    let leaf = *leaves;
    *leaves += 1;
    Ok(Metric { of, counter, below, yellow, red, leaf })
}

fn read_event(given: &Object, leaves: &mut usize) -> Result<Event, Fault> {
    let text = |path| given.at(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = text(path!(EventAlarmExpression, "eventTypeId"));
    let kind = text(path!(EventAlarmExpression, "eventType"));
    let name = id.or(kind).ok_or_else(|| wrong(".eventType"))?;
    let kinds = events::Types::named(vec![name.to_owned()]);
    // An id may be one that an extension made up, a type may not.
    let kinds = kinds.filter(|kinds| id.is_some() || kinds.are_known());
    let kinds = kinds.ok_or_else(|| wrong(".eventType"))?;
    let of = text(path!(EventAlarmExpression, "objectType"));
    let of = of.map(|of| entity_type(of, ".objectType")).transpose()?;
    let comparisons = given.at(path!(EventAlarmExpression, "comparisons")).map(Value::items);
    let comparisons = comparisons.unwrap_or_default().iter().filter_map(Value::as_object);
    let comparisons = comparisons.map(|it| {
        let text = |path| it.at(path).and_then(Value::as_str).unwrap_or_default();
        let operator = Operator::parse(text(path!(EventAlarmExpressionComparison, "operator")));
        Ok(Comparison {
            attribute: text(path!(EventAlarmExpressionComparison, "attributeName")).to_owned(),
            operator: operator.ok_or_else(|| wrong(".comparisons.operator"))?,
            value: text(path!(EventAlarmExpressionComparison, "value")).to_owned(),
        })
    });
    let comparisons = comparisons.collect::<Result<_, Fault>>()?;
    let status = given.at(path!(EventAlarmExpression, "status")).and_then(Value::as_str);
    let leaf = *leaves;
    *leaves += 1;
    Ok(Event { kinds, of, comparisons, status: status.and_then(Status::parse), leaf })
}

fn wrong(field: &str) -> Fault {
    Fault::invalid_argument(&format!("spec.expression{field}"))
}
