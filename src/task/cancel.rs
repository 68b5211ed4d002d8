//! Cancelling: what a request meets, told apart finely enough for every
//! protocol to answer in its own way.

use super::state::{Status, TaskError};
use crate::fault::Fault;
use crate::value::{DateTime, MoRef, Str};

/// Somebody's wish that a task's work stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRequest {
    /// Who asked; nobody when vimsim itself did, as for the children of a
    /// cancelled parent.
    pub by: Option<Str>,
    /// When.
    pub at: DateTime,
}

/// What a request to cancel met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelOutcome {
    /// The work will stop.
    Accepted,
    /// It was asked before and has not ended yet; several requests are one.
    AlreadyAsked,
    /// The work cannot be stopped.
    NotCancellable,
    /// The task has ended.
    Finished,
    /// There is no such task.
    Absent,
}

/// What a request to cancel a task with this status meets.
///
/// The documentation says both that several requests count as one and that a
/// cancelled task answers `InvalidState`; we read the second as a task that
/// has ended. If it has ended and is not cancellable either, the end wins. It
/// says that queued tasks can be cancelled in one place and only running ones
/// in another; both can. Where both hold, a request that was accepted stays
/// accepted although the work can no longer be stopped.
pub fn judge(status: Option<&Status>) -> CancelOutcome {
    match status {
        None => CancelOutcome::Absent,
        Some(status) if status.state().is_done() => CancelOutcome::Finished,
        Some(status) if status.cancel().is_some() => CancelOutcome::AlreadyAsked,
        Some(status) if !status.cancelable() => CancelOutcome::NotCancellable,
        Some(_) => CancelOutcome::Accepted,
    }
}

impl CancelOutcome {
    /// The answer in the terms of vSphere, where `task` was to be cancelled.
    pub fn into_result(self, task: &MoRef) -> Result<(), Fault> {
        match self {
            Self::Accepted | Self::AlreadyAsked => Ok(()),
            Self::NotCancellable => Err(TaskError::NotCancelable.into()),
            Self::Finished => Err(TaskError::Finished.into()),
            Self::Absent => Err(Fault::not_found(task)),
        }
    }
}
