//! The life of a task: the one function that changes its state.
//!
//! ```text
//!               Start, Set running              Report, Details
//!    queued ─────────────────────────► running ───┐
//!      │                                  │  ▲    │
//!      │ Finish, Set success, Set error   │  └────┘
//!      └────────────────┬─────────────────┘
//!                       ▼
//!      done: success │ failure │ cancelled            nothing leads out …
//!                       │      ▲
//!                       └──────┘ … but Claim, of a task without a job:
//!      any state ◄──────────────►  running, success, failure, cancelled
//! ```
//!
//! A [`Claim`] is what a client says without being checked; see
//! [`super::unchecked`] for the second face that it writes on. Who does the
//! work decides what it means for the first one:
//!
//! | claim | a client's own task | a task with a job |
//! | --- | --- | --- |
//! | pending, cancelling | running, even if it had ended; no `completeTime` then | stays as it is |
//! | success, failure, cancelled | ends so, now; one that had ended keeps its `completeTime` | stays as it is |
//! | progress | reported, while running | stays as it is |
//! | result, error | given, as text and as `SystemError`; with success, with failure only | stays as it is |
//! | cancel | the flag is raised, unless it has ended: the client looks at it | stays as it is |
//!
//! On the second face a claim writes its field and no other. There, the work
//! that ends writes only while the task stands as pending; if a client says
//! that it is over already, or being cancelled, the real end changes nothing.
//! Of a client's own task that stands as cancelling, an end that is told
//! through the checked commands does count: nobody else will tell it.
//!
//! Beside the state runs the request to cancel, which is only a flag: it may
//! be raised while queued or running and is never lowered. Who does the work
//! sees it and ends the task, as cancelled or otherwise.
//!
//! [`Phase`] (how far) and [`Outcome`] (how it ended) are told apart because
//! protocols draw the line differently: to vSphere a cancelled task is an
//! error with a certain fault, to XenAPI it is a status of its own.

use std::sync::Arc;

use thiserror::Error;

use super::cancel::{self, CancelOutcome, CancelRequest};
use super::progress::Progress;
use super::unchecked::{Claim, Claims, Said, Standing, View};
use crate::fault::Fault;
use crate::schema::ty;
use crate::value::{Array, DateTime, Object, Str, Value};

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It waits for its turn.
    Queued,
    /// Its work is being done.
    Running,
    /// It has ended, and does not change again by checked commands.
    Done,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The work is done and its effect is there.
    Success,
    /// Something went wrong; the effect is not there.
    Failure,
    /// The work was stopped on request; the effect is not there.
    Cancelled,
}

/// Phase and outcome as one, so that only a task that is done has an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// See [`Phase::Queued`].
    Queued,
    /// See [`Phase::Running`].
    Running,
    /// See [`Phase::Done`].
    Done(Outcome),
}

impl State {
    /// How far the task is.
    pub const fn phase(self) -> Phase {
        match self {
            Self::Queued => Phase::Queued,
            Self::Running => Phase::Running,
            Self::Done(_) => Phase::Done,
        }
    }

    /// How the task ended, once it has.
    pub const fn outcome(self) -> Option<Outcome> {
        if let Self::Done(outcome) = self { Some(outcome) } else { None }
    }

    /// Whether the task has ended.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Done(_))
    }
}

/// Everything about a task that changes, which only [`transition`] does.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    state: State,
    cancelable: bool,
    cancel: Option<CancelRequest>,
    progress: Option<Progress>,
    details: Option<Array>,
    description: Option<Object>,
    result: Option<Value>,
    error: Option<Fault>,
    queued_at: DateTime,
    started_at: Option<DateTime>,
    completed_at: Option<DateTime>,
    claims: Option<Arc<Claims>>,
}

/// What a status says once the task has ended: all that history keeps of it.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) cancelable: bool,
    pub(super) cancel: Option<CancelRequest>,
    pub(super) description: Option<Object>,
    pub(super) result: Option<Value>,
    pub(super) error: Option<Fault>,
    pub(super) queued_at: DateTime,
    pub(super) started_at: Option<DateTime>,
    pub(super) completed_at: DateTime,
}

impl Status {
    /// The status of a task that was created at `now`.
    pub const fn queued(cancelable: bool, description: Option<Object>, now: DateTime) -> Self {
        Self {
            state: State::Queued,
            cancelable,
            cancel: None,
            progress: None,
            details: None,
            description,
            result: None,
            error: None,
            queued_at: now,
            started_at: None,
            completed_at: None,
            claims: None,
        }
    }

    /// The status of a task that ended long ago, from what was kept of it.
    pub(super) fn ended(ended: Ended) -> Self {
        Self {
            state: State::Done(ended.outcome),
            cancelable: ended.cancelable,
            cancel: ended.cancel,
            progress: None,
            details: None,
            description: ended.description,
            result: ended.result,
            error: ended.error,
            queued_at: ended.queued_at,
            started_at: ended.started_at,
            completed_at: Some(ended.completed_at),
            claims: None,
        }
    }

    /// Where the task is in its life.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether the work can be stopped.
    pub const fn cancelable(&self) -> bool {
        self.cancelable
    }

    /// The request to cancel, from the moment of the request on.
    pub const fn cancel(&self) -> Option<&CancelRequest> {
        self.cancel.as_ref()
    }

    /// How far the work is, if somebody said so; only while running.
    pub const fn progress(&self) -> Option<Progress> {
        self.progress
    }

    /// Details of the progress (`KeyAnyValue` items); only while running.
    pub const fn details(&self) -> Option<&Array> {
        self.details.as_ref()
    }

    /// The current phase of the work in words (a `LocalizableMessage`).
    pub const fn description(&self) -> Option<&Object> {
        self.description.as_ref()
    }

    /// What a successful task gave.
    pub const fn result(&self) -> Option<&Value> {
        self.result.as_ref()
    }

    /// Why a task failed; a cancelled one has `RequestCanceled`. A failed
    /// extension task may have none.
    pub const fn error(&self) -> Option<&Fault> {
        self.error.as_ref()
    }

    /// When the task was created.
    pub const fn queued_at(&self) -> DateTime {
        self.queued_at
    }

    /// When the work began; never, if the task ended while queued.
    pub const fn started_at(&self) -> Option<DateTime> {
        self.started_at
    }

    /// When the task ended.
    pub const fn completed_at(&self) -> Option<DateTime> {
        self.completed_at
    }

    /// The face on which clients may write.
    pub fn view(&self) -> View {
        let derived = self.derived();
        self.claims.as_ref().map_or(derived.clone(), |claims| claims.over(derived))
    }

    /// Where the task is by that face.
    pub fn standing(&self) -> Standing {
        self.claims.as_ref().and_then(|claims| claims.standing()).unwrap_or(self.state.into())
    }

    /// Whether that face says anything that does not follow from the rest.
    pub const fn is_claimed(&self) -> bool {
        self.claims.is_some()
    }

    /// That face as it is while no client has written on it.
    fn derived(&self) -> View {
        View {
            standing: self.state.into(),
            progress: match self.state {
                State::Done(_) => 1.0,
                State::Queued | State::Running => self.progress.map_or(0.0, Progress::fraction),
            },
            result: match self.state {
                State::Done(Outcome::Success) => Said::Typed(self.result.clone()),
                _ => Said::Nothing,
            },
            error: match (self.state, &self.error) {
                (State::Done(Outcome::Failure), Some(error)) => Said::Typed(error.clone()),
                _ => Said::Nothing,
            },
            finished: self.completed_at,
        }
    }

    fn latest(&self) -> DateTime {
        self.started_at.unwrap_or(self.queued_at)
    }

    fn started(&self, now: DateTime) -> Self {
        Self { state: State::Running, started_at: Some(now), ..self.clone() }
    }

    fn finished(&self, end: End, now: DateTime) -> Self {
        let (outcome, result, error) = match end {
            End::Success(result) => (Outcome::Success, result, None),
            End::Failure(error) => (Outcome::Failure, None, error),
            End::Cancelled(error) => (Outcome::Cancelled, None, Some(error)),
        };
        Self {
            state: State::Done(outcome),
            progress: None,
            details: None,
            result,
            error,
            completed_at: Some(now),
            ..self.clone()
        }
    }
}

/// What may be asked of a task's status.
#[derive(Clone, Debug)]
pub enum Command {
    /// The engine begins the work of a queued task.
    Start,
    /// The engine ends a task whose work it does.
    Finish(End),
    /// Whoever does the work of a task says where it is (`SetTaskState`).
    Set {
        /// The state to go to.
        to: Target,
        /// What the task gives; only with success.
        result: Option<Value>,
        /// Why the task failed; only with error.
        fault: Option<Fault>,
    },
    /// The work is so far (`UpdateProgress`).
    Report(Progress),
    /// Nothing is said any more of how far the work is.
    Unreport,
    /// The progress in detail; none takes the details away.
    Details(Option<Array>),
    /// The work is now at something that a person may read (`SetTaskDescription`).
    Describe(Object),
    /// Somebody wants the work to stop (`CancelTask`).
    Cancel(CancelRequest),
    /// From now on the work can be stopped, or no longer.
    SetCancelable(bool),
    /// A client says something without being checked.
    Claim {
        /// What it says.
        claim: Claim,
        /// Whether it is for clients to say how the work goes: no job does it.
        own: bool,
    },
}

/// How the engine ends a task.
#[derive(Clone, Debug)]
pub enum End {
    /// With what it gives, if that is anything.
    Success(Option<Value>),
    /// With the reason. Without one only where a client left it out.
    Failure(Option<Fault>),
    /// Stopped on request; the fault says so to protocols that need one.
    Cancelled(Fault),
}

/// A state as `SetTaskState` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `queued`
    Queued,
    /// `running`
    Running,
    /// `success`
    Success,
    /// `error`
    Error,
}

impl Target {
    /// The target that a member of `TaskInfoState` names.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "queued" => Self::Queued,
            "running" => Self::Running,
            "success" => Self::Success,
            "error" => Self::Error,
            _ => return None,
        })
    }
}

/// Why a command was refused; the task is as it was.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TaskError {
    /// The task has ended.
    #[error("the task has ended")]
    Finished,
    /// The command is only for running tasks.
    #[error("the task is not running")]
    NotRunning,
    /// No way leads from the one state to the other.
    #[error("a task that is {from:?} cannot become {to:?}")]
    NoWay {
        /// Where the task is.
        from: Phase,
        /// Where it was to go.
        to: Target,
    },
    /// A result goes with success only.
    #[error("a result can only be given with success")]
    ResultWithoutSuccess,
    /// A fault goes with error only.
    #[error("a fault can only be given with error")]
    FaultWithoutError,
    /// The fault is none that a task may end with.
    #[error("{0} is not a fault that a task can end with")]
    UnfitFault(&'static str),
    /// The work cannot be stopped.
    #[error("the task cannot be cancelled")]
    NotCancelable,
}

impl From<TaskError> for Fault {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::NotCancelable => Self::not_supported(),
            TaskError::Finished
            | TaskError::NotRunning
            | TaskError::NoWay { .. }
            | TaskError::ResultWithoutSuccess
            | TaskError::FaultWithoutError
            | TaskError::UnfitFault(_) => Self::invalid_state(),
        }
    }
}

/// The status that follows from `command` at `now`, or why there is none. A
/// command that changes nothing gives an equal status.
///
/// The reference says little about `SetTaskState`; what it leaves open is
/// decided thus:
///
/// - Checks come in this order: the task has ended, a result or fault that
///   does not belong, the way from state to state. The first two are
///   documented as `InvalidState`, the order is our choice.
/// - To the state that it is in: nothing changes, `startTime` stays. Inferred.
/// - `running` to `queued`: refused. Inferred; the peer simulator allows it.
/// - From `queued` straight to an end: allowed, without a `startTime`. Inferred.
/// - `error` without a fault: accepted, the error stays unset. Inferred; the
///   peer simulator does so.
/// - The fault must be a `VimFault` ("set incorrectly" otherwise). The sources
///   disagree about `RequestCanceled`, a runtime fault that an extension must
///   use to report that it honoured a cancel: accepted, and such a task counts
///   as cancelled. `SystemError`, a runtime fault too, is what `govc task.set`
///   sends for any failure: accepted.
///
/// And the other commands:
///
/// - `UpdateProgress` unless running: refused, as documented.
/// - `SetTaskDescription` on a task that has ended: the reference declares no
///   fault, the peer simulator refuses; refused, because a finished task never
///   changes.
/// - `CancelTask`: see [`cancel::judge`].
/// - An end takes progress and its details away. The sources disagree (ESX
///   keeps 100); this is what vCenter was seen to do.
///
/// Times never run backwards within a task: a `now` before the latest of its
/// times counts as that one.
pub fn transition(status: &Status, command: Command, now: DateTime) -> Result<Status, TaskError> {
    let now = now.max(status.latest());
    let command = match command {
        Command::Claim { claim, own } => return Ok(claimed(status, claim, own, now)),
        command => command,
    };
    let reported = matches!(command, Command::Report(_));
    let mut next = checked(status, command, now)?;
    if let Some(claims) = &status.claims {
        let derived = next.derived();
        let mut view = status.view();
        if next.state.is_done() && !status.state.is_done() {
            view.end(&derived, claims.own());
        } else if reported {
            view.progress = derived.progress;
        }
        next.claims = Claims::between(&derived, view, claims.own());
    }
    Ok(next)
}

/// The rules for all commands but claims.
fn checked(status: &Status, command: Command, now: DateTime) -> Result<Status, TaskError> {
    match command {
        Command::Start => match status.state {
            State::Queued => Ok(status.started(now)),
            State::Running => Err(TaskError::NoWay { from: Phase::Running, to: Target::Running }),
            State::Done(_) => Err(TaskError::Finished),
        },
        Command::Finish(end) => match status.state {
            State::Queued | State::Running => Ok(status.finished(end, now)),
            State::Done(_) => Err(TaskError::Finished),
        },
        Command::Set { to, result, fault } => set(status, to, result, fault, now),
        Command::Report(progress) => {
            running(status)?;
            Ok(Status { progress: Some(progress), ..status.clone() })
        }
        Command::Unreport => {
            running(status)?;
            Ok(Status { progress: None, ..status.clone() })
        }
        Command::Details(details) => {
            running(status)?;
            Ok(Status { details, ..status.clone() })
        }
        Command::Describe(description) => {
            live(status)?;
            Ok(Status { description: Some(description), ..status.clone() })
        }
        Command::Cancel(request) => match cancel::judge(Some(status)) {
            CancelOutcome::Accepted => Ok(Status { cancel: Some(request), ..status.clone() }),
            CancelOutcome::AlreadyAsked => Ok(status.clone()),
            CancelOutcome::NotCancellable => Err(TaskError::NotCancelable),
            CancelOutcome::Finished | CancelOutcome::Absent => Err(TaskError::Finished),
        },
        Command::SetCancelable(cancelable) => {
            live(status)?;
            Ok(Status { cancelable, ..status.clone() })
        }
        // Not checked; see [`claimed`].
        Command::Claim { .. } => Ok(status.clone()),
    }
}

/// What `claim` makes of a status. It is never refused.
fn claimed(status: &Status, claim: Claim, own: bool, now: DateTime) -> Status {
    let mut view = status.view();
    let mut next = status.clone();
    match &claim {
        Claim::Standing(standing) if own => next = stand(next, *standing, now),
        Claim::Progress(progress) if own && status.state == State::Running => {
            next.progress = Some(Progress::from_fraction(*progress));
        }
        Claim::Cancel(request) if own && !status.state.is_done() => {
            next.cancel.get_or_insert_with(|| request.clone());
        }
        _ => {}
    }
    view.set(claim);
    if own {
        give(&mut next, &view);
    }
    next.claims = Claims::between(&next.derived(), view, own);
    next
}

/// What a client said of the result and the error of its own task counts once
/// the task has ended in the way that such belongs to.
fn give(status: &mut Status, view: &View) {
    match (status.state, &view.result, &view.error) {
        (State::Done(Outcome::Success), Said::Raw(text), _) => {
            status.result = Some(Value::String(text.clone()));
        }
        (State::Done(Outcome::Failure), _, Said::Raw(list)) => {
            status.error = Some(Fault::system_error(&list.join(", ")));
        }
        _ => {}
    }
}

/// The status of a client's own task that it says stands so.
fn stand(status: Status, standing: Standing, now: DateTime) -> Status {
    let Some(outcome) = standing.outcome() else {
        if status.state == State::Running {
            return status;
        }
        let started_at = status.started_at.or(Some(now));
        return Status {
            state: State::Running,
            result: None,
            error: None,
            completed_at: None,
            started_at,
            ..status
        };
    };
    if status.state == State::Done(outcome) {
        return status;
    }
    let end = match outcome {
        Outcome::Success => End::Success(None),
        Outcome::Failure => End::Failure(None),
        Outcome::Cancelled => End::Cancelled(Fault::request_canceled()),
    };
    status.finished(end, status.completed_at.unwrap_or(now))
}

fn running(status: &Status) -> Result<(), TaskError> {
    if status.state == State::Running { Ok(()) } else { Err(TaskError::NotRunning) }
}

fn live(status: &Status) -> Result<(), TaskError> {
    if status.state.is_done() { Err(TaskError::Finished) } else { Ok(()) }
}

fn set(
    status: &Status,
    to: Target,
    result: Option<Value>,
    fault: Option<Fault>,
    now: DateTime,
) -> Result<Status, TaskError> {
    live(status)?;
    if result.is_some() && to != Target::Success {
        return Err(TaskError::ResultWithoutSuccess);
    }
    if let Some(fault) = &fault {
        if to != Target::Error {
            return Err(TaskError::FaultWithoutError);
        }
        let fit = [ty::VimFault, ty::RequestCanceled, ty::SystemError];
        if !fit.iter().any(|ty| fault.is_a(*ty)) {
            return Err(TaskError::UnfitFault(fault.ty().name()));
        }
    }
    match (status.state, to) {
        (State::Done(_), _) => Err(TaskError::Finished),
        (State::Queued, Target::Queued) | (State::Running, Target::Running) => Ok(status.clone()),
        (State::Queued, Target::Running) => Ok(status.started(now)),
        (State::Running, Target::Queued) => Err(TaskError::NoWay { from: Phase::Running, to }),
        (State::Queued | State::Running, Target::Success) => {
            Ok(status.finished(End::Success(result), now))
        }
        (State::Queued | State::Running, Target::Error) => Ok(status.finished(
            match fault {
                Some(fault) if fault.is_a(ty::RequestCanceled) => End::Cancelled(fault),
                fault => End::Failure(fault),
            },
            now,
        )),
    }
}

/// A request to cancel by `who`, as a command.
pub const fn cancel_by(who: Option<Str>, now: DateTime) -> Command {
    Command::Cancel(CancelRequest { by: who, at: now })
}
