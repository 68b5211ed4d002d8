//! All rules of a simulator: added and removed at any time, looked at for each
//! call and each task, counted.

use std::any::Any;
use std::fmt;
use std::hash::{BuildHasher, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::Serialize;

use super::error::RuleError;
use super::matching::{Condition, Facts};
use super::rule::{FollowOn, ReplyFate, Rule, Then};
use super::timeline::{self, Timeline};
use crate::engine::{Director, Plan, Sequel, Tx};
use crate::fault::Fault;
use crate::ids::Ids;
use crate::inventory::Read;
use crate::schema::Method;
use crate::task::TaskRecord;
use crate::value::{MoRef, Str, Value};

/// More rules than these are refused: each call looks at all of them.
const MOST: usize = 10_000;

/// What the layer above does when a rule says so.
pub trait Actor: Send + Sync {
    /// Makes a task of `method` on `on`, for the user and the reasons of `after`.
    fn follow(&self, after: &TaskRecord, method: Method, on: &MoRef);
}

/// All rules, in the order in which they are tried.
pub struct Rules {
    list: ArcSwap<List>,
    /// Changes come one at a time.
    change: Mutex<u64>,
    seed: u64,
    actor: OnceLock<Arc<dyn Actor>>,
}

#[derive(Clone, Default)]
struct List {
    rules: Vec<Arc<Held>>,
    /// Whether some are about calls, so that most calls need not look.
    calls: bool,
}

/// A rule, checked, with its counters.
struct Held {
    name: Str,
    rule: Rule,
    condition: Condition,
    timeline: Option<Timeline>,
    fault: Option<Fault>,
    /// Where its chance begins.
    seed: u64,
    seen: AtomicU64,
    acted: AtomicU64,
}

/// How often a rule was looked at and acted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// The operations that it was about.
    pub seen: u64,
    /// Those to which something happened because of it.
    pub acted: u64,
}

/// A rule as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleState {
    /// Its name.
    pub name: String,
    /// What it says.
    pub rule: Rule,
    /// How often it did.
    pub counters: Counters,
}

/// The rules with their counters at some time, to return to.
#[derive(Clone)]
pub struct SavedRules {
    list: Arc<List>,
    counters: Vec<Counters>,
    named: u64,
}

/// What becomes of a call.
#[derive(Debug)]
pub struct Conduct {
    /// The rule that decided.
    pub rule: Str,
    /// Whether the session of the caller ends first.
    pub session_expired: bool,
    /// What the call gets instead of being made.
    pub fault: Option<Fault>,
    /// How long the reply is held back.
    pub delay: Duration,
    /// What the client gets instead of the reply.
    pub fate: Option<ReplyFate>,
    /// Whether the call is made.
    pub effect: bool,
    /// How the task goes that the call makes.
    pub directions: Option<Directions>,
    /// What happens after the call, and how much later.
    pub then: Option<(Duration, Then)>,
    held: HeldRef,
}

impl Conduct {
    /// The arguments that are replaced, by their paths.
    pub fn arguments(&self) -> impl Iterator<Item = (&str, &serde_json::Value)> {
        self.held.0.rule.arguments.iter().map(|(path, value)| (path.as_str(), value))
    }
}

/// How a task goes, decided before it exists.
#[derive(Debug)]
pub struct Directions {
    held: HeldRef,
    chance: Ids,
    actor: Option<ActorRef>,
}

#[derive(Clone)]
struct HeldRef(Arc<Held>);

#[derive(Clone)]
struct ActorRef(Arc<dyn Actor>);

impl Directions {
    /// The plan of a task of `method` that was asked to run for `asked`.
    pub fn plan(&self, method: Option<Method>, asked: Duration) -> Plan {
        let Some(timeline) = &self.held.0.timeline else { return Plan::even(asked) };
        let mut plan = timeline.plan(method, asked, &self.chance);
        if let Some((follow, actor)) = timeline.rule().follow.as_ref().zip(self.actor.clone())
            && let Some(method) = Method::by_name(&follow.method)
        {
            let after = follow.after.map_or(Duration::ZERO, |time| time.draw(&self.chance));
            plan.sequel = Some(Arc::new(Following { method, on: follow.on, after, actor }));
        }
        plan
    }
}

/// Makes a task when another one has succeeded.
#[derive(Debug)]
struct Following {
    method: Method,
    on: FollowOn,
    after: Duration,
    actor: ActorRef,
}

impl Sequel for Following {
    fn begin(&self, tx: &mut Tx<'_>, task: &Arc<TaskRecord>, result: Option<&Value>) {
        let on = match self.on {
            FollowOn::Entity => task.entity.as_ref(),
            FollowOn::Result => result.and_then(Value::as_moref),
        };
        let Some(on) = on.cloned() else {
            tracing::warn!(task = %task.id, "no object for the task that was to follow");
            return;
        };
        let (actor, task, method) = (self.actor.0.clone(), task.clone(), self.method);
        tx.call_after(self.after, Box::new(move |_| actor.follow(&task, method, &on)));
    }
}

impl Held {
    fn new(name: &str, rule: Rule, seed: u64) -> Result<Self, RuleError> {
        let condition = Condition::new(&rule.when).map_err(|error| error.within("when"))?;
        let probability = rule.when.probability;
        if probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return Err(RuleError::new("when.probability", "not from 0 to 1"));
        }
        if rule.when.nth.contains(&0) {
            return Err(RuleError::new("when.nth", "the first time is 1"));
        }
        if rule.task.is_none() && !rule.is_about_calls() {
            return Err(RuleError::new("", "the rule says nothing of what happens"));
        }
        let methods = || Method::all().filter(|method| condition.allows(*method));
        let timeline = rule.task.as_ref().map(|task| {
            // Without a pattern a result is checked against all methods.
            Timeline::new(task, methods()).map_err(|error| error.within("task"))
        });
        let timeline = timeline.transpose()?;
        let reply = rule.reply.as_ref();
        if let Some(delay) = reply.and_then(|reply| reply.delay) {
            delay.check().map_err(|error| error.within("reply.delay"))?;
        }
        if let Some(after) = rule.then.as_ref().and_then(|then| then.after) {
            after.check().map_err(|error| error.within("then.after"))?;
        }
        let fault = reply.and_then(|reply| reply.fault.as_ref());
        let fault =
            fault.map(|fault| timeline::fault(fault).map_err(|error| error.within("reply.fault")));
        let fault = fault.transpose()?;
        for (path, value) in &rule.arguments {
            for method in methods() {
                super::arguments::check(method, path, value)
                    .map_err(|error| error.within(path).within("arguments"))?;
            }
        }
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        hasher.write(name.as_bytes());
        Ok(Self {
            name: Str::from(name),
            seed: seed ^ hasher.finish(),
            rule,
            condition,
            timeline,
            fault,
            seen: AtomicU64::new(0),
            acted: AtomicU64::new(0),
        })
    }

    /// Counts an operation; if the rule acts on it, gives the chance of this
    /// time, which does not depend on any other.
    fn decide(&self, facts: &Facts<'_>, free: bool) -> Option<Ids> {
        if !self.condition.holds(facts) {
            return None;
        }
        let number = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
        let when = &self.rule.when;
        if !free || (!when.nth.is_empty() && !when.nth.contains(&number)) {
            return None;
        }
        let chance = Ids::seeded(Ids::seeded(self.seed.wrapping_add(number)).bits());
        if when.probability.is_some_and(|probability| !chance.chance(probability)) {
            return None;
        }
        let limit = when.times.unwrap_or(u64::MAX);
        let more = |acted: u64| (acted < limit).then(|| acted.saturating_add(1));
        self.acted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        tracing::debug!(rule = %self.name, number, "a rule acts");
        Some(chance)
    }

    fn counters(&self) -> Counters {
        Counters {
            seen: self.seen.load(Ordering::Relaxed),
            acted: self.acted.load(Ordering::Relaxed),
        }
    }
}

impl Rules {
    /// No rules as yet; their chance begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { list: ArcSwap::default(), change: Mutex::new(0), seed, actor: OnceLock::new() }
    }

    /// Who does what rules say beyond tasks and replies; only the first counts.
    pub fn set_actor(&self, actor: Arc<dyn Actor>) {
        let _ = self.actor.set(actor);
    }

    /// Checks a rule and adds it behind the others; gives its name.
    pub fn add(&self, rule: Rule) -> Result<String, RuleError> {
        let mut named = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let list = self.list.load_full();
        let is_taken = |name: &str| list.rules.iter().any(|held| held.name.as_str() == name);
        let name = match &rule.name {
            Some(name) if name.is_empty() => return Err(RuleError::new("name", "empty")),
            Some(name) if is_taken(name) => {
                return Err(RuleError::new("name", format!("there is a rule {name:?} already")));
            }
            Some(name) => name.clone(),
            None => loop {
                *named += 1;
                let name = format!("rule-{named}");
                if !is_taken(&name) {
                    break name;
                }
            },
        };
        if list.rules.len() >= MOST {
            return Err(RuleError::new("", format!("there are {MOST} rules already")));
        }
        let mut next = List::clone(&list);
        next.rules.push(Arc::new(Held::new(&name, rule, self.seed)?));
        self.publish(next);
        Ok(name)
    }

    /// Removes the rule of that name; whether there was one. What it has begun
    /// goes on.
    pub fn remove(&self, name: &str) -> bool {
        let _changing = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let list = self.list.load_full();
        let mut next = List::clone(&list);
        next.rules.retain(|held| held.name.as_str() != name);
        let removed = next.rules.len() < list.rules.len();
        self.publish(next);
        removed
    }

    /// Removes all rules.
    pub fn clear(&self) {
        let _changing = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        self.publish(List::default());
    }

    fn publish(&self, mut list: List) {
        list.calls = list.rules.iter().any(|held| held.rule.is_about_calls());
        self.list.store(Arc::new(list));
    }

    /// All rules in the order in which they are tried.
    pub fn list(&self) -> Vec<RuleState> {
        let list = self.list.load();
        let state = |held: &Arc<Held>| RuleState {
            name: held.name.to_string(),
            rule: held.rule.clone(),
            counters: held.counters(),
        };
        list.rules.iter().map(state).collect()
    }

    /// The rule of that name.
    pub fn get(&self, name: &str) -> Option<RuleState> {
        self.list().into_iter().find(|state| state.name == name)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.list.load().rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rules with their counters as they are.
    pub fn save(&self) -> SavedRules {
        let named = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let list = self.list.load_full();
        let counters = list.rules.iter().map(|held| held.counters()).collect();
        SavedRules { list, counters, named: *named }
    }

    /// Returns to what was saved.
    pub fn restore(&self, saved: &SavedRules) {
        let mut named = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        *named = saved.named;
        for (held, counters) in saved.list.rules.iter().zip(&saved.counters) {
            held.seen.store(counters.seen, Ordering::Relaxed);
            held.acted.store(counters.acted, Ordering::Relaxed);
        }
        self.list.store(saved.list.clone());
    }

    /// Whether any rule is about calls; if none is, [`Rules::conduct`] need not
    /// be asked.
    pub fn are_about_calls(&self) -> bool {
        self.list.load().calls
    }

    /// What becomes of a call; nothing out of the ordinary as a rule.
    pub fn conduct(&self, facts: &Facts<'_>) -> Option<Conduct> {
        let (held, chance) = self.first(facts, |held| held.rule.is_about_calls())?;
        let reply = held.rule.reply.as_ref();
        let fate = reply.and_then(|reply| reply.fate);
        let made = fate != Some(ReplyFate::Unavailable);
        let delay = reply.and_then(|reply| reply.delay);
        let then = held.rule.then.as_ref();
        Some(Conduct {
            rule: held.name.clone(),
            session_expired: reply.is_some_and(|reply| reply.session_expired),
            fault: held.fault.clone(),
            delay: delay.map_or(Duration::ZERO, |delay| delay.draw(&chance)),
            fate,
            effect: reply.and_then(|reply| reply.effect).unwrap_or(made),
            then: then.map(|then| {
                let after = then.after.map_or(Duration::ZERO, |after| after.draw(&chance));
                (after, then.clone())
            }),
            directions: held.timeline.is_some().then(|| self.directions(&held, chance)),
            held: HeldRef(held),
        })
    }

    /// How the task of a method goes that nobody else can answer; nothing if no
    /// rule says so.
    pub fn script(&self, facts: &Facts<'_>) -> Option<Directions> {
        let about_tasks = |held: &Held| held.timeline.is_some() && !held.rule.is_about_calls();
        let (held, chance) = self.first(facts, about_tasks)?;
        Some(self.directions(&held, chance))
    }

    /// Whether some rule could make a task of `method`.
    pub fn can_script(&self, method: Method) -> bool {
        let list = self.list.load();
        let scripts = |held: &Arc<Held>| held.timeline.is_some() && held.condition.allows(method);
        method.is_task() && list.rules.iter().any(scripts)
    }

    fn directions(&self, held: &Arc<Held>, chance: Ids) -> Directions {
        let actor = self.actor.get().cloned().map(ActorRef);
        Directions { held: HeldRef(held.clone()), chance, actor }
    }

    /// The first rule of a kind that acts on an operation; the others count it.
    fn first(&self, facts: &Facts<'_>, kind: impl Fn(&Held) -> bool) -> Option<(Arc<Held>, Ids)> {
        let mut found = None;
        for held in self.list.load().rules.iter().filter(|held| kind(held)) {
            if let Some(chance) = held.decide(facts, found.is_none()) {
                found = Some((held.clone(), chance));
            }
        }
        found
    }
}

impl Director for Rules {
    fn plan(&self, task: &TaskRecord, asked: Duration, state: &dyn Read) -> Plan {
        if self.is_empty() {
            return Plan::even(asked);
        }
        let facts = Facts::of(task, state);
        match self.script(&facts) {
            Some(directions) => directions.plan(facts.method, asked),
            None => Plan::even(asked),
        }
    }

    fn save(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(Arc::new(Self::save(self)))
    }

    fn restore(&self, saved: Option<&(dyn Any + Send + Sync)>) {
        if let Some(saved) = saved.and_then(|saved| saved.downcast_ref()) {
            Self::restore(self, saved);
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.load().rules.iter().map(|held| &held.name)).finish()
    }
}

impl fmt::Debug for SavedRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedRules").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl fmt::Debug for HeldRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

impl fmt::Debug for ActorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Actor")
    }
}
