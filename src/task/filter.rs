//! Which tasks somebody wants: conditions that hold together.

use std::collections::HashSet;

use super::record::{Reason, TaskId, TaskRecord};
use super::state::{State, Target};
use crate::value::{DateTime, MoRef, Str};

type Set<T> = HashSet<T, foldhash::fast::FixedState>;

/// Conditions on tasks. All that are set must hold; of the values in one list
/// any will do; what is not set is no limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFilter {
    /// What the task acts on.
    pub entity: Option<EntityFilter>,
    /// When it was created, started or ended.
    pub time: Option<TimeFilter>,
    /// Who wanted it.
    pub user: Option<UserFilter>,
    /// Its state.
    pub states: Option<Vec<Target>>,
    /// The alarm that is its reason.
    pub alarm: Option<MoRef>,
    /// The scheduled task that is its reason.
    pub scheduled_task: Option<MoRef>,
    /// Its client's token.
    pub activation_ids: Option<Set<Str>>,
    /// The chain of its events.
    pub event_chains: Option<Set<i32>>,
    /// Its tag; the empty text stands for tasks without one.
    pub tags: Option<Set<Str>>,
    /// The task that made it.
    pub parents: Option<Set<TaskId>>,
    /// The first task of its chain. The first task itself has no such field,
    /// so it does not match.
    pub roots: Option<Set<TaskId>>,
}

/// How tasks are selected along the inventory tree.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityFilter {
    /// The entity from which one looks.
    pub entity: MoRef,
    /// What counts from there.
    pub scope: Scope,
}

/// Which entities count, seen from one of them. What stands below it is what
/// did so when the task was created: that is known even of entities that are
/// gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Only the entity itself.
    Itself,
    /// Everything below it, but not itself.
    Below,
    /// Itself and everything below it.
    Both,
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeFilter {
    /// Which of a task's times must lie in it; a task that lacks it does not match.
    pub kind: TimeKind,
    /// The first moment.
    pub begin: Option<DateTime>,
    /// The last moment.
    pub end: Option<DateTime>,
}

/// One of a task's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeKind {
    /// When it was created.
    Queued,
    /// When its work began.
    Started,
    /// When it ended.
    Completed,
}

/// Whose tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Those that no user asked for, but the system, an alarm or a schedule.
    system: bool,
    /// Those of these users, folded; when not set, of every user.
    users: Option<Set<Str>>,
}

/// A user's name as it is compared: letter case does not matter.
pub(super) fn folded(name: &Str) -> Str {
    let lower = name.to_lowercase();
    if lower == name.as_str() { name.clone() } else { Str::from(lower) }
}

impl UserFilter {
    /// Of the system, and of users by their names; letter case does not matter.
    pub fn new<'a>(system: bool, users: Option<impl IntoIterator<Item = &'a str>>) -> Self {
        let fold = |name: &str| folded(&Str::from(name));
        Self { system, users: users.map(|users| users.into_iter().map(fold).collect()) }
    }

    /// Whether a task with this reason matches. Of the system and a list of
    /// users, either will do.
    pub fn matches(&self, reason: &Reason) -> bool {
        self.matches_folded(reason.user().map(folded).as_ref())
    }

    pub(super) fn matches_folded(&self, user: Option<&Str>) -> bool {
        match (user, &self.users) {
            (None, _) => self.system,
            (Some(_), None) => true,
            (Some(name), Some(users)) => users.contains(name),
        }
    }

    /// The folded users that match, nobody for the system; nothing if they
    /// are not listed.
    pub(super) fn listed(&self) -> Option<impl Iterator<Item = Option<Str>>> {
        let system = self.system.then_some(None);
        Some(self.users.as_ref()?.iter().cloned().map(Some).chain(system))
    }

    /// Whether tasks that no user asked for match.
    pub(super) const fn includes_system(&self) -> bool {
        self.system
    }
}

impl TimeFilter {
    /// Whether a time lies in the span.
    pub fn holds(&self, time: Option<DateTime>) -> bool {
        time.is_some_and(|time| {
            self.begin.is_none_or(|begin| begin <= time) && self.end.is_none_or(|end| time <= end)
        })
    }

    /// Whether nothing between `first` and `last` can lie in the span.
    pub(super) fn misses(&self, first: DateTime, last: DateTime) -> bool {
        self.begin.is_some_and(|begin| last < begin) || self.end.is_some_and(|end| end < first)
    }
}

impl EntityFilter {
    /// Whether a task matches that acts on `entity` below the entities `above`.
    pub fn matches(&self, entity: Option<&MoRef>, above: &[MoRef]) -> bool {
        let itself = || entity == Some(&self.entity);
        let below = || above.contains(&self.entity);
        match self.scope {
            Scope::Itself => itself(),
            Scope::Below => below(),
            Scope::Both => itself() || below(),
        }
    }
}

impl TaskFilter {
    /// Whether a task matches.
    pub fn matches(&self, task: &TaskRecord) -> bool {
        let status = task.status();
        // By what is compared fastest, not in the order of the fields.
        wants(&self.states, |states| states.contains(&Target::of(status.state())))
            && wants(&self.time, |time| time.holds(time.kind.of(task)))
            && self.matches_event_chain(task.event_chain_id)
            && self.matches_parent(task.parent)
            && self.matches_root(task.root)
            && self.matches_cause(&task.reason)
            && wants(&self.user, |user| user.matches(&task.reason))
            && wants(&self.entity, |of| of.matches(task.entity.as_ref(), &task.above))
            && self.matches_activation(task.activation_id.as_ref())
            && self.matches_tag(task.change_tag.as_ref())
    }

    pub(super) fn matches_event_chain(&self, chain: i32) -> bool {
        wants(&self.event_chains, |chains| chains.contains(&chain))
    }

    pub(super) fn matches_parent(&self, parent: Option<TaskId>) -> bool {
        wants(&self.parents, |keys| parent.is_some_and(|parent| keys.contains(&parent)))
    }

    pub(super) fn matches_root(&self, root: Option<TaskId>) -> bool {
        wants(&self.roots, |keys| root.is_some_and(|root| keys.contains(&root)))
    }

    /// Whether alarm and scheduled task are as wanted.
    pub(super) fn matches_cause(&self, reason: &Reason) -> bool {
        let alarm = if let Reason::Alarm { alarm, .. } = reason { Some(alarm) } else { None };
        let schedule = if let Reason::Schedule { scheduled_task, .. } = reason {
            Some(scheduled_task)
        } else {
            None
        };
        wants(&self.alarm, |wanted| alarm == Some(wanted))
            && wants(&self.scheduled_task, |wanted| schedule == Some(wanted))
    }

    pub(super) fn matches_activation(&self, id: Option<&Str>) -> bool {
        wants(&self.activation_ids, |ids| id.is_some_and(|id| ids.contains(id)))
    }

    pub(super) fn matches_tag(&self, tag: Option<&Str>) -> bool {
        wants(&self.tags, |tags| tags.contains(tag.map_or("", |tag| tag.as_str())))
    }
}

impl TimeKind {
    /// This one of a task's times.
    pub fn of(self, task: &TaskRecord) -> Option<DateTime> {
        let status = task.status();
        match self {
            Self::Queued => Some(status.queued_at()),
            Self::Started => status.started_at(),
            Self::Completed => status.completed_at(),
        }
    }
}

impl Target {
    /// The state as vSphere tells states apart: a cancelled task is an error.
    pub const fn of(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Done(super::Outcome::Success) => Self::Success,
            State::Done(super::Outcome::Failure | super::Outcome::Cancelled) => Self::Error,
        }
    }
}

/// A condition that is not set holds.
fn wants<T>(condition: &Option<T>, holds: impl FnOnce(&T) -> bool) -> bool {
    condition.as_ref().is_none_or(holds)
}
