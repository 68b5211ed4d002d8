//! [`Tasks`]: finding and watching tasks, and deciding how they go.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::objects::Objects;
use super::{Control, ControlError};
use crate::engine::{Engine, Refused, tasks_in};
use crate::fault::Fault;
use crate::task::filter::{EntityFilter, Scope, UserFilter};
use crate::task::{
    CancelOutcome, Feed, Operation, Outcome, State, Target, TaskFilter, TaskId, TaskRecord,
};
use crate::value::{MoRef, Str, Value};
use crate::vsphere::Service;

/// How many tasks a page has if nobody says.
const PAGE: usize = 100;
/// How many tasks a page has at the most.
const LARGEST_PAGE: usize = 1_000;
/// How many changes a watcher takes at a time.
const GULP: usize = 64;

/// A simulator's tasks.
#[derive(Clone, Copy, Debug)]
pub struct Tasks<'a> {
    service: &'a Arc<Service>,
}

/// Which tasks are wanted. What is not set is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// What the task acts on, or what that stands below: a reference, a path or
    /// a name.
    pub entity: Option<String>,
    /// The method, with or without `_Task`, or the description id; `*` stands
    /// for any text.
    pub method: Option<String>,
    /// The user who asked for it.
    pub user: Option<String>,
}

/// Where a task is in its life, as a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFilter {
    /// Exactly there.
    Is(State),
    /// Queued or running.
    Live,
    /// Ended, in whatever way.
    Done,
}

/// In which order tasks are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those created first before the others.
    #[default]
    Oldest,
    /// Those created last before the others.
    Newest,
}

/// One page of tasks, as a wish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Which tasks.
    pub which: Which,
    /// Where they are in their lives.
    pub state: Option<StateFilter>,
    /// In which order.
    pub order: Order,
    /// Only those that come after this one, in that order.
    pub after: Option<TaskId>,
    /// How many; 1,000 at the most, 100 if not set.
    pub limit: Option<usize>,
}

/// One page of tasks.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The tasks.
    pub tasks: Vec<Arc<TaskRecord>>,
    /// What [`TaskQuery::after`] must be for the next page, if there is one.
    pub next: Option<TaskId>,
}

/// What a watcher sees.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// A task is there, or has changed.
    Task(Arc<TaskRecord>),
    /// A task is gone: lost, or no longer remembered. This is how it was last.
    Gone(Arc<TaskRecord>),
    /// The tasks are others now, or the watcher was too slow to hear of all
    /// changes: what it knows no longer counts. All live tasks follow.
    Reset,
}

impl<'a> Tasks<'a> {
    pub(super) fn new(service: &'a Arc<Service>) -> Self {
        Self { service }
    }

    /// The tasks that match, those included that only history remembers.
    pub fn list(&self, query: &TaskQuery) -> Result<Page, ControlError> {
        let limit = query.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
        let matcher = Matcher::new(self.service, &query.which)?;
        let mut filter = matcher.filter.clone();
        filter.states = query.state.map(StateFilter::targets);
        let table = self.service.engine().tasks();
        let mut page = Page::default();
        let mut after = query.after;
        loop {
            let found = match query.order {
                Order::Oldest => table.newer(&filter, after, limit + 1),
                Order::Newest => table.older(&filter, TaskId::new(0), after, limit + 1),
            };
            let whole = found.len() <= limit;
            for record in found {
                after = Some(record.id);
                let wanted = query.state.is_none_or(|state| state.matches(record.state()));
                if !wanted || !matcher.matches_method(&record) {
                    continue;
                }
                if page.tasks.len() == limit {
                    page.next = page.tasks.last().map(|last| last.id);
                    return Ok(page);
                }
                page.tasks.push(record);
            }
            if whole {
                return Ok(page);
            }
        }
    }

    /// The task with this number.
    pub fn get(&self, id: TaskId) -> Result<Arc<TaskRecord>, ControlError> {
        let record = self.service.engine().tasks().recall(id);
        record.ok_or_else(|| ControlError::not_found("task", &id))
    }

    /// Asks for a task to be cancelled, as a client would.
    pub fn cancel(&self, id: TaskId, by: Option<Str>) -> Result<Arc<TaskRecord>, ControlError> {
        let task = self.get(id)?;
        match self.service.engine().request_cancel(&task.mo, by) {
            CancelOutcome::Accepted | CancelOutcome::AlreadyAsked => self.get(id),
            CancelOutcome::NotCancellable => {
                Err(ControlError::Conflict(format!("{id} cannot be cancelled")))
            }
            CancelOutcome::Finished => Err(ControlError::Conflict(format!("{id} has ended"))),
            CancelOutcome::Absent => Err(ControlError::not_found("task", &id)),
        }
    }

    /// Whether a task stays as it is until it is released.
    pub fn is_held(&self, task: &TaskRecord) -> bool {
        !task.state().is_done() && self.service.engine().is_held(&task.mo)
    }

    /// Holds a task where it is: queued, or running with the progress that it
    /// shows. It can still be cancelled.
    pub fn hold(&self, id: TaskId) -> Result<Arc<TaskRecord>, ControlError> {
        self.lead(id, Engine::hold)
    }

    /// Lets a held task go on.
    pub fn release(&self, id: TaskId) -> Result<Arc<TaskRecord>, ControlError> {
        self.lead(id, Engine::release)
    }

    /// Takes the next step of a task's plan at once, and holds the task there:
    /// a queued task begins, a running one makes its next report, and after the
    /// last one it ends.
    pub fn step(&self, id: TaskId) -> Result<Arc<TaskRecord>, ControlError> {
        self.lead(id, Engine::step_task)
    }

    /// Ends a task as a success, with its effect; it gives `result`, or what it
    /// would have given.
    pub fn complete(
        &self,
        id: TaskId,
        result: Option<Value>,
    ) -> Result<Arc<TaskRecord>, ControlError> {
        self.lead(id, |engine, task| engine.complete(task, result))
    }

    /// Ends a task with a fault, without its effect.
    pub fn fail(&self, id: TaskId, fault: Fault) -> Result<Arc<TaskRecord>, ControlError> {
        self.lead(id, |engine, task| engine.fail_task(task, fault))
    }

    /// A task is gone, as if it had never been: nobody finds it any more. Gives
    /// how it was last.
    pub fn lose(&self, id: TaskId) -> Result<Arc<TaskRecord>, ControlError> {
        let last = self.get(id)?;
        self.service.engine().lose(&last.mo).map_err(|refused| refuse(id, refused))?;
        Ok(last)
    }

    /// Answers what a task asks.
    pub fn answer(&self, id: TaskId, choice: &str) -> Result<Arc<TaskRecord>, ControlError> {
        self.lead(id, |engine, task| engine.answer(task, choice))
    }

    fn lead(
        &self,
        id: TaskId,
        change: impl FnOnce(&Engine, &MoRef) -> Result<(), Refused>,
    ) -> Result<Arc<TaskRecord>, ControlError> {
        let task = self.get(id)?;
        change(self.service.engine(), &task.mo).map_err(|refused| refuse(id, refused))?;
        // A task that is no longer remembered was there a moment ago.
        Ok(self.get(id).unwrap_or(task))
    }

    /// Watches the tasks that match: the live ones as they are, then every
    /// change.
    pub fn watch(&self, which: &Which) -> Result<Watch, ControlError> {
        let matcher = Matcher::new(self.service, which)?;
        let mut watch = Watch::new(self.service, Sight::Some(Box::new(matcher)));
        watch.look();
        Ok(watch)
    }

    /// Watches one task until it has ended.
    pub fn watch_one(&self, id: TaskId) -> Result<Watch, ControlError> {
        self.get(id)?;
        let mut watch = Watch::new(self.service, Sight::One(id));
        watch.look();
        Ok(watch)
    }
}

fn refuse(id: TaskId, refused: Refused) -> ControlError {
    match refused {
        Refused::Absent => ControlError::not_found("task", &id),
        Refused::Fault(fault) => fault.into(),
        refused => ControlError::Conflict(format!("{id}: {refused}")),
    }
}

impl StateFilter {
    /// Whether a task in `state` is wanted.
    pub fn matches(self, state: State) -> bool {
        match self {
            Self::Is(wanted) => wanted == state,
            Self::Live => !state.is_done(),
            Self::Done => state.is_done(),
        }
    }

    /// What is looked for first; a cancelled task is an error there.
    fn targets(self) -> Vec<Target> {
        match self {
            Self::Is(state) => vec![Target::of(state)],
            Self::Live => vec![Target::Queued, Target::Running],
            Self::Done => vec![Target::Success, Target::Error],
        }
    }
}

/// What a wish means in terms of records.
#[derive(Clone, Debug)]
struct Matcher {
    filter: TaskFilter,
    method: Option<String>,
}

impl Matcher {
    fn new(service: &Service, which: &Which) -> Result<Self, ControlError> {
        let entity = match &which.entity {
            Some(text) => {
                let entity = Objects::new(service).get(text)?;
                Some(EntityFilter { entity, scope: Scope::Both })
            }
            None => None,
        };
        let user = which.user.as_deref().map(|user| UserFilter::new(false, Some([user])));
        let filter = TaskFilter { entity, user, ..TaskFilter::default() };
        Ok(Self { filter, method: which.method.clone() })
    }

    fn matches(&self, task: &TaskRecord) -> bool {
        self.filter.matches(task) && self.matches_method(task)
    }

    fn matches_method(&self, task: &TaskRecord) -> bool {
        let Some(wanted) = &self.method else { return true };
        let name = match &task.operation {
            Operation::Method(method) => method.name(),
            Operation::Extension(name) | Operation::Internal(name) => name.as_str(),
        };
        let plain = name.strip_suffix("_Task").unwrap_or(name);
        [name, plain, &task.description_id].iter().any(|text| glob(wanted, text))
    }
}

/// Whether `text` is as `pattern` says, where `*` stands for any text. Takes
/// no longer than the lengths of both multiplied.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    // The latest star, and how much of the text it stands for.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, read));
                at += 1;
            }
            Some(wanted) if wanted.eq_ignore_ascii_case(byte) => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((after, until)) => {
                    star = Some((after, until + 1));
                    (at, read) = (after, until + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// A look at tasks that goes on. It sleeps until a commit changes a task.
#[derive(Debug)]
pub struct Watch {
    service: Arc<Service>,
    sight: Sight,
    wake: watch::Receiver<u64>,
    /// The next change to read.
    place: u64,
    /// What this version holds has been seen.
    seen: u64,
    pending: VecDeque<(u64, WatchEvent)>,
    over: bool,
}

#[derive(Clone, Debug)]
enum Sight {
    Some(Box<Matcher>),
    One(TaskId),
}

impl Watch {
    fn new(service: &Arc<Service>, sight: Sight) -> Self {
        Self {
            service: Arc::clone(service),
            sight,
            wake: service.feed().watch(),
            place: 0,
            seen: 0,
            pending: VecDeque::new(),
            over: false,
        }
    }

    fn feed(&self) -> &Feed {
        self.service.feed()
    }

    /// Goes on where an earlier watch was, by what [`Watch::next`] gave with its
    /// last event. If that is too long ago, the watch begins with a reset.
    pub fn resume(&mut self, place: u64) {
        self.pending.clear();
        self.over = false;
        (self.place, self.seen) = (place, 0);
        if self.feed().read(place, 1).is_err() {
            self.start_over();
        }
    }

    /// Tells of the tasks as they are now.
    fn look(&mut self) {
        // The place first: what happens in between is in the snapshot, and
        // recognised by its version.
        self.place = self.feed().place();
        let snapshot = self.service.engine().snapshot();
        self.seen = snapshot.version();
        let Some(table) = tasks_in(&snapshot) else { return };
        let found: Vec<Arc<TaskRecord>> = match &self.sight {
            Sight::Some(matcher) => {
                table.live().filter(|task| matcher.matches(task)).cloned().collect()
            }
            Sight::One(id) => table.recall(*id).into_iter().collect(),
        };
        if matches!(self.sight, Sight::One(_)) {
            self.over = found.first().is_none_or(|task| task.state().is_done());
        }
        self.pending.extend(found.into_iter().map(|task| (self.place, WatchEvent::Task(task))));
    }

    fn start_over(&mut self) {
        self.pending.push_back((self.feed().place(), WatchEvent::Reset));
        self.look();
    }

    /// The next event, with the place to resume from after it. Nothing when the
    /// one task that is watched has ended.
    pub async fn next(&mut self) -> Option<(u64, WatchEvent)> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            self.wake.borrow_and_update();
            if !self.read() && self.wake.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Takes what is there; whether there was anything.
    fn read(&mut self) -> bool {
        let Ok(changes) = self.feed().read(self.place, GULP) else {
            self.start_over();
            return true;
        };
        let any = !changes.is_empty();
        if let Sight::One(id) = &self.sight
            && !any
        {
            // Whoever resumes after the end has heard of it.
            let task = self.service.engine().tasks().recall(*id);
            self.over = task.is_none_or(|task| task.state().is_done());
            return self.over;
        }
        for change in changes {
            self.place += 1;
            let wanted = match &self.sight {
                Sight::Some(matcher) => matcher.matches(&change.task),
                Sight::One(id) => change.task.id == *id,
            };
            if change.version <= self.seen || !wanted || self.over {
                continue;
            }
            if matches!(self.sight, Sight::One(_)) {
                self.over = change.gone || change.task.state().is_done();
            }
            let event = if change.gone {
                WatchEvent::Gone(change.task)
            } else {
                WatchEvent::Task(change.task)
            };
            self.pending.push_back((self.place, event));
        }
        any
    }
}

impl Control {
    /// The task that a text names: its key, `task-17`, as it is or as govc
    /// writes it, `Task:task-17`.
    pub fn task_id(text: &str) -> Option<TaskId> {
        TaskId::parse(text.strip_prefix("Task:").unwrap_or(text))
    }
}

/// The reference that a task's entity is shown by.
pub fn entity_text(mo: &MoRef) -> String {
    format!("{}:{}", mo.ty().name(), mo.id())
}

/// A state in one word: `queued`, `running`, `success`, `error`, `cancelled`.
pub const fn state_word(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Running => "running",
        State::Done(Outcome::Success) => "success",
        State::Done(Outcome::Failure) => "error",
        State::Done(Outcome::Cancelled) => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("PowerOnVM", "powerOnVM", true),
            ("Power*", "PowerOnVM_Task", true),
            ("*VM*", "PowerOnVM_Task", true),
            ("*", "", true),
            ("Power*Host", "PowerOnVM", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("é*", "e", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
