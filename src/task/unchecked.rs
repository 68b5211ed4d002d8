//! What clients say of a task without anybody checking it, as XenAPI lets them.
//!
//! XenAPI has setters that write one field and nothing else: any status after
//! any other, a progress of any size, a result and an error whatever the
//! status. So a task has a second face. As long as nobody used such a setter
//! it follows from the checked status; what differs from that is kept here,
//! and nothing else is. [`super::state::transition`] alone writes it.

use std::sync::Arc;

use super::cancel::CancelRequest;
use super::state::{Outcome, State};
use crate::fault::Fault;
use crate::value::{DateTime, Str, Value};

/// Where a task is, as whoever sets it may say: with a step between being
/// asked to stop and having stopped, and without a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Not over.
    Pending,
    /// Over, and done.
    Success,
    /// Over, and gone wrong.
    Failure,
    /// About to stop on request. Only clients say so.
    Cancelling,
    /// Stopped on request.
    Cancelled,
}

impl Standing {
    /// How a task ended that stands so; nothing if it has not ended.
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Pending | Self::Cancelling => None,
            Self::Success => Some(Outcome::Success),
            Self::Failure => Some(Outcome::Failure),
            Self::Cancelled => Some(Outcome::Cancelled),
        }
    }
}

impl From<State> for Standing {
    fn from(state: State) -> Self {
        match state {
            State::Queued | State::Running => Self::Pending,
            State::Done(Outcome::Success) => Self::Success,
            State::Done(Outcome::Failure) => Self::Failure,
            State::Done(Outcome::Cancelled) => Self::Cancelled,
        }
    }
}

/// One field, as a client sets it.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// Where the task is.
    Standing(Standing),
    /// How far it is; any number.
    Progress(f64),
    /// What it gives, as text.
    Result(Str),
    /// Why it failed: a code and what belongs to it.
    Error(Arc<[Str]>),
    /// Somebody wants the work to stop, whether it can be stopped or not.
    Cancel(CancelRequest),
}

/// Something that the work gives in terms of the value model, or that a client
/// set in terms of its protocol.
#[derive(Clone, Debug, PartialEq)]
pub enum Said<T, R> {
    /// Neither.
    Nothing,
    /// By the work.
    Typed(T),
    /// By a client.
    Raw(R),
}

/// What the work gave, which is nothing if it was only to be done.
pub type SaidResult = Said<Option<Value>, Str>;
/// Why the work failed.
pub type SaidError = Said<Fault, Arc<[Str]>>;

/// The face of a task on which clients may write.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Where it is.
    pub standing: Standing,
    /// How far it is: any number.
    pub progress: f64,
    /// What it gives.
    pub result: SaidResult,
    /// Why it failed.
    pub error: SaidError,
    /// When its work ended. A client that says that it did sets no time.
    pub finished: Option<DateTime>,
}

/// What differs between that face and the one that follows from the checked status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    standing: Option<Standing>,
    progress: Option<f64>,
    result: Option<SaidResult>,
    error: Option<SaidError>,
    finished: Option<Option<DateTime>>,
    /// Whether it is for clients to say how the work goes.
    own: bool,
}

impl Claims {
    /// What has to be kept to make `view` of what follows by itself.
    pub(super) fn between(derived: &View, view: View, own: bool) -> Option<Arc<Self>> {
        let same_progress = derived.progress.to_bits() == view.progress.to_bits();
        let claims = Self {
            standing: (derived.standing != view.standing).then_some(view.standing),
            progress: (!same_progress).then_some(view.progress),
            result: (derived.result != view.result).then_some(view.result),
            error: (derived.error != view.error).then_some(view.error),
            finished: (derived.finished != view.finished).then_some(view.finished),
            own,
        };
        let none = Self { own, ..Self::default() };
        (claims != none).then(|| Arc::new(claims))
    }

    /// The face with what clients said of it.
    pub(super) fn over(&self, derived: View) -> View {
        View {
            standing: self.standing.unwrap_or(derived.standing),
            progress: self.progress.unwrap_or(derived.progress),
            result: self.result.clone().unwrap_or(derived.result),
            error: self.error.clone().unwrap_or(derived.error),
            finished: self.finished.unwrap_or(derived.finished),
        }
    }

    /// Where the task is, if clients say that it is elsewhere than it is.
    pub(super) const fn standing(&self) -> Option<Standing> {
        self.standing
    }

    /// Whether it is for clients to say how the work goes.
    pub(super) const fn own(&self) -> bool {
        self.own
    }
}

impl View {
    /// What `claim` makes of it: one field, and no other.
    pub(super) fn set(&mut self, claim: Claim) {
        match claim {
            Claim::Standing(standing) => self.standing = standing,
            Claim::Progress(progress) => self.progress = progress,
            Claim::Result(text) if text.is_empty() => self.result = Said::Nothing,
            Claim::Result(text) => self.result = Said::Raw(text),
            Claim::Error(list) if list.is_empty() => self.error = Said::Nothing,
            Claim::Error(list) => self.error = Said::Raw(list),
            Claim::Cancel(_) => {}
        }
    }

    /// The work has ended, as `derived` says. It counts only while nobody says
    /// that the task is at something else.
    pub(super) fn end(&mut self, derived: &Self, own: bool) {
        let waiting = match self.standing {
            Standing::Pending => true,
            Standing::Cancelling => own,
            Standing::Success | Standing::Failure | Standing::Cancelled => false,
        };
        if !waiting {
            return;
        }
        match derived.standing {
            Standing::Success => self.result = derived.result.clone(),
            Standing::Failure => self.error = derived.error.clone(),
            Standing::Cancelled | Standing::Pending | Standing::Cancelling => {}
        }
        self.standing = derived.standing;
        self.progress = derived.progress;
        self.finished = derived.finished;
    }
}
