//! The life of a task, row by row: which way leads where, and what is refused.

use vimsim::fault::Fault;
use vimsim::object;
use vimsim::schema::ty;
use vimsim::task::state::cancel_by;
use vimsim::task::{
    CancelOutcome, Command, End, Outcome, Phase, Progress, State, Status, Target, TaskError,
    cancel, transition,
};
use vimsim::value::{Array, DateTime, Str, Value};

const CREATED: DateTime = DateTime::from_micros(1_000_000);
const STARTED: DateTime = DateTime::from_micros(2_000_000);
const NOW: DateTime = DateTime::from_micros(3_000_000);

const SUCCESS: State = State::Done(Outcome::Success);
const FAILURE: State = State::Done(Outcome::Failure);
const CANCELLED: State = State::Done(Outcome::Cancelled);

fn queued() -> Status {
    Status::queued(true, None, CREATED)
}

fn running() -> Status {
    let started = transition(&queued(), Command::Start, STARTED).expect("a start");
    transition(&started, Command::Report(Progress::from_percent(40)), STARTED).expect("a report")
}

fn done(end: End) -> Status {
    transition(&running(), Command::Finish(end), STARTED).expect("an end")
}

fn succeeded() -> Status {
    done(End::Success(Some(Value::from(7))))
}

fn failed() -> Status {
    done(End::Failure(Some(Fault::invalid_state())))
}

fn cancelled() -> Status {
    done(End::Cancelled(Fault::request_canceled()))
}

fn set(from: &Status, to: Target) -> Result<Status, TaskError> {
    set_with(from, to, None, None)
}

fn set_with(
    from: &Status,
    to: Target,
    result: Option<Value>,
    fault: Option<Fault>,
) -> Result<Status, TaskError> {
    transition(from, Command::Set { to, result, fault }, NOW)
}

#[test]
fn queued_to_queued_changes_nothing() {
    assert_eq!(set(&queued(), Target::Queued), Ok(queued()));
}

#[test]
fn queued_to_running_starts() {
    let status = set(&queued(), Target::Running).unwrap();
    assert_eq!(status.state(), State::Running);
    assert_eq!((status.started_at(), status.completed_at()), (Some(NOW), None));
    assert_eq!(status.progress(), None);
}

#[test]
fn queued_to_success_ends_without_a_start() {
    let status = set_with(&queued(), Target::Success, Some(Value::from(1)), None).unwrap();
    assert_eq!(status.state(), SUCCESS);
    assert_eq!((status.started_at(), status.completed_at()), (None, Some(NOW)));
    assert_eq!(status.result(), Some(&Value::from(1)));
}

#[test]
fn queued_to_error_ends_without_a_start() {
    let status = set_with(&queued(), Target::Error, None, Some(Fault::invalid_state())).unwrap();
    assert_eq!(status.state(), FAILURE);
    assert_eq!((status.started_at(), status.completed_at()), (None, Some(NOW)));
}

#[test]
fn running_to_queued_is_refused() {
    let error = TaskError::NoWay { from: Phase::Running, to: Target::Queued };
    assert_eq!(set(&running(), Target::Queued), Err(error));
}

#[test]
fn running_to_running_changes_nothing() {
    assert_eq!(set(&running(), Target::Running), Ok(running()));
}

#[test]
fn running_to_success_ends_and_drops_the_progress() {
    let status = set(&running(), Target::Success).unwrap();
    assert_eq!((status.state(), status.progress()), (SUCCESS, None));
    assert_eq!((status.started_at(), status.completed_at()), (Some(STARTED), Some(NOW)));
    assert_eq!((status.result(), status.error()), (None, None));
}

#[test]
fn running_to_error_ends_and_drops_the_progress() {
    let fault = Fault::invalid_state();
    let status = set_with(&running(), Target::Error, None, Some(fault.clone())).unwrap();
    assert_eq!((status.state(), status.progress()), (FAILURE, None));
    assert_eq!((status.started_at(), status.completed_at()), (Some(STARTED), Some(NOW)));
    assert_eq!((status.result(), status.error()), (None, Some(&fault)));
}

#[test]
fn nothing_leads_out_of_an_end() {
    for ended in [succeeded(), failed(), cancelled()] {
        for to in [Target::Queued, Target::Running, Target::Success, Target::Error] {
            assert_eq!(set(&ended, to), Err(TaskError::Finished), "to {to:?}");
        }
        let message = object!(LocalizableMessage { key: "x" });
        for command in [
            Command::Start,
            Command::Finish(End::Success(None)),
            Command::Describe(message),
            Command::SetCancelable(false),
            cancel_by(None, NOW),
        ] {
            let shown = format!("{command:?}");
            assert_eq!(transition(&ended, command, NOW), Err(TaskError::Finished), "{shown}");
        }
        for command in [Command::Report(Progress::DONE), Command::Details(None)] {
            let shown = format!("{command:?}");
            assert_eq!(transition(&ended, command, NOW), Err(TaskError::NotRunning), "{shown}");
        }
    }
}

#[test]
fn a_result_goes_with_success_only() {
    for from in [queued(), running()] {
        for to in [Target::Queued, Target::Running, Target::Error] {
            let refused = set_with(&from, to, Some(Value::from(1)), None);
            assert_eq!(refused, Err(TaskError::ResultWithoutSuccess), "to {to:?}");
        }
    }
}

#[test]
fn a_fault_goes_with_error_only() {
    for from in [queued(), running()] {
        for to in [Target::Queued, Target::Running, Target::Success] {
            let refused = set_with(&from, to, None, Some(Fault::invalid_state()));
            assert_eq!(refused, Err(TaskError::FaultWithoutError), "to {to:?}");
        }
    }
}

#[test]
fn a_task_ends_with_a_vim_fault() {
    let refused = set_with(&running(), Target::Error, None, Some(Fault::not_supported()));
    assert_eq!(refused, Err(TaskError::UnfitFault("NotSupported")));
    let busy = Fault::of(ty::TaskInProgress, "busy");
    assert_eq!(set_with(&running(), Target::Error, None, Some(busy)).unwrap().state(), FAILURE);
}

#[test]
fn a_task_that_ends_with_request_canceled_is_cancelled() {
    let fault = Fault::request_canceled();
    let status = set_with(&running(), Target::Error, None, Some(fault.clone())).unwrap();
    assert_eq!((status.state(), status.error()), (CANCELLED, Some(&fault)));
}

#[test]
fn an_error_needs_no_fault() {
    let status = set(&running(), Target::Error).unwrap();
    assert_eq!((status.state(), status.error()), (FAILURE, None));
}

#[test]
fn an_end_is_noticed_before_a_misplaced_result_and_that_before_the_way() {
    let misplaced = |from: &Status| set_with(from, Target::Queued, Some(Value::from(1)), None);
    assert_eq!(misplaced(&succeeded()), Err(TaskError::Finished));
    assert_eq!(misplaced(&running()), Err(TaskError::ResultWithoutSuccess));
    let both =
        set_with(&running(), Target::Running, Some(Value::from(1)), Some(Fault::not_supported()));
    assert_eq!(both, Err(TaskError::ResultWithoutSuccess));
}

#[test]
fn progress_and_details_are_for_running_tasks() {
    let details = Array::empty(ty::KeyAnyValue);
    let report = |from: &Status| {
        let command = Command::Report(Progress::from_percent(150));
        transition(from, command, NOW).map(|status| status.progress().map(Progress::percent))
    };
    let detail = |from: &Status| {
        let command = Command::Details(Some(details.clone()));
        transition(from, command, NOW).map(|status| status.details().cloned())
    };
    assert_eq!(report(&running()), Ok(Some(100)));
    assert_eq!(report(&queued()), Err(TaskError::NotRunning));
    assert_eq!(detail(&running()), Ok(Some(details.clone())));
    assert_eq!(detail(&queued()), Err(TaskError::NotRunning));
    let detailed = transition(&running(), Command::Details(Some(details)), NOW).unwrap();
    assert_eq!(set(&detailed, Target::Success).unwrap().details(), None);
}

#[test]
fn a_description_is_for_tasks_that_have_not_ended_and_stays() {
    let message = object!(LocalizableMessage { key: "phase.copy", message: "Copying" });
    for from in [queued(), running()] {
        let described = transition(&from, Command::Describe(message.clone()), NOW).unwrap();
        let ended = set(&described, Target::Success).unwrap();
        assert_eq!(ended.description(), Some(&message));
    }
}

#[test]
fn cancelling_raises_a_flag_once() {
    for from in [queued(), running()] {
        let by = |who: &str| cancel_by(Some(Str::from(who)), NOW);
        let asked = transition(&from, by("anna"), NOW).unwrap();
        assert_eq!((asked.state(), asked.progress()), (from.state(), from.progress()));
        assert_eq!(transition(&asked, by("bert"), NOW), Ok(asked.clone()));
        let request = asked.cancel().unwrap();
        assert_eq!((request.by.as_deref(), request.at), (Some("anna"), NOW));
        // Its owner may still bring it to any end; the flag stays.
        let ended = set(&asked, Target::Success).unwrap();
        assert_eq!((ended.state(), ended.cancel()), (SUCCESS, asked.cancel()));
    }
}

#[test]
fn cancelling_meets_what_the_status_says() {
    let fixed = |status: &Status| transition(status, Command::SetCancelable(false), NOW);
    let fixed_running = fixed(&running()).unwrap();
    assert_eq!(cancel::judge(None), CancelOutcome::Absent);
    assert_eq!(cancel::judge(Some(&fixed_running)), CancelOutcome::NotCancellable);
    let refused = transition(&fixed_running, cancel_by(None, NOW), NOW);
    assert_eq!(refused, Err(TaskError::NotCancelable));
    let asked = transition(&running(), cancel_by(None, NOW), NOW).unwrap();
    assert_eq!(cancel::judge(Some(&asked)), CancelOutcome::AlreadyAsked);
    assert_eq!(cancel::judge(Some(&fixed(&asked).unwrap())), CancelOutcome::AlreadyAsked);
    // The end counts more than that it could never be cancelled.
    let ended = set(&fixed_running, Target::Success).unwrap();
    assert_eq!(cancel::judge(Some(&ended)), CancelOutcome::Finished);
}

#[test]
fn what_is_refused_is_a_fault_of_the_api() {
    for (error, fault) in [
        (TaskError::Finished, ty::InvalidState),
        (TaskError::NotRunning, ty::InvalidState),
        (TaskError::NoWay { from: Phase::Running, to: Target::Queued }, ty::InvalidState),
        (TaskError::ResultWithoutSuccess, ty::InvalidState),
        (TaskError::FaultWithoutError, ty::InvalidState),
        (TaskError::UnfitFault("NotSupported"), ty::InvalidState),
        (TaskError::NotCancelable, ty::NotSupported),
    ] {
        assert_eq!(Fault::from(error).ty(), fault);
    }
}

#[test]
fn the_engines_commands_follow_the_same_ways() {
    assert_eq!(
        transition(&running(), Command::Start, NOW),
        Err(TaskError::NoWay { from: Phase::Running, to: Target::Running })
    );
    let ended = transition(&queued(), Command::Finish(End::Success(None)), NOW).unwrap();
    assert_eq!((ended.started_at(), ended.completed_at()), (None, Some(NOW)));
    assert_eq!(cancelled().error(), Some(&Fault::request_canceled()));
    assert_eq!(failed().state().outcome(), Some(Outcome::Failure));
    assert_eq!(succeeded().state().phase(), Phase::Done);
}

#[test]
fn times_never_run_backwards() {
    let started = transition(&queued(), Command::Start, DateTime::EPOCH).unwrap();
    assert_eq!(started.started_at(), Some(CREATED));
    let ended = transition(&running(), Command::Finish(End::Success(None)), CREATED).unwrap();
    assert_eq!(ended.completed_at(), Some(STARTED));
}
