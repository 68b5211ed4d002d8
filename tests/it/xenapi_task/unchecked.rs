//! What clients say of tasks without being checked: row by row, and at random
//! against a model that keeps both faces in full.

use std::sync::Arc;

use proptest::prelude::*;
use vimsim::engine::{Clock, Engine, Settings, TaskSpec, aside_in};
use vimsim::fault::Fault;
use vimsim::inventory::Store;
use vimsim::object;
use vimsim::schema::ty;
use vimsim::task::{
    CancelRequest, Claim, Command, End, Operation, Outcome, Progress, Said, Standing, State,
    Status, Target, TaskFilter, TaskId, TaskRecord, View, transition,
};
use vimsim::value::{DateTime, Object, Str, Value};

const CREATED: DateTime = DateTime::from_micros(1_000_000);
const STARTED: DateTime = DateTime::from_micros(2_000_000);
const ENDED: DateTime = DateTime::from_micros(3_000_000);
const NOW: DateTime = DateTime::from_micros(4_000_000);

const SUCCESS: State = State::Done(Outcome::Success);
const FAILURE: State = State::Done(Outcome::Failure);
const CANCELLED: State = State::Done(Outcome::Cancelled);

const STANDINGS: [Standing; 5] = [
    Standing::Pending,
    Standing::Success,
    Standing::Failure,
    Standing::Cancelling,
    Standing::Cancelled,
];

fn queued() -> Status {
    Status::queued(true, None, CREATED)
}

fn step(status: &Status, command: Command, now: DateTime) -> Status {
    transition(status, command, now).expect("a way")
}

fn running() -> Status {
    let started = step(&queued(), Command::Start, STARTED);
    step(&started, Command::Report(Progress::from_fraction(0.4)), STARTED)
}

fn succeeded() -> Status {
    step(&running(), Command::Finish(End::Success(Some(Value::from(7)))), ENDED)
}

fn failed() -> Status {
    step(&running(), Command::Finish(End::Failure(Some(Fault::invalid_state()))), ENDED)
}

fn cancelled() -> Status {
    step(&running(), Command::Finish(End::Cancelled(Fault::request_canceled())), ENDED)
}

fn claim(status: &Status, claim: Claim, own: bool) -> Status {
    step(status, Command::Claim { claim, own }, NOW)
}

fn stand(status: &Status, standing: Standing, own: bool) -> Status {
    claim(status, Claim::Standing(standing), own)
}

fn list(items: &[&str]) -> Arc<[Str]> {
    items.iter().map(|item| Str::from(*item)).collect()
}

#[test]
fn without_claims_the_second_face_follows_from_the_first() {
    let view = |status: &Status| {
        let view = status.view();
        (view.standing, view.progress, view.finished)
    };
    assert_eq!(view(&queued()), (Standing::Pending, 0.0, None));
    assert_eq!(view(&running()), (Standing::Pending, 0.4, None));
    assert_eq!(view(&succeeded()), (Standing::Success, 1.0, Some(ENDED)));
    assert_eq!(view(&failed()), (Standing::Failure, 1.0, Some(ENDED)));
    assert_eq!(view(&cancelled()), (Standing::Cancelled, 1.0, Some(ENDED)));
    assert_eq!(succeeded().view().result, Said::Typed(Some(Value::from(7))));
    assert_eq!(failed().view().error, Said::Typed(Fault::invalid_state()));
    // To be cancelled is no error there.
    assert_eq!(cancelled().view().error, Said::Nothing);
    assert!(!succeeded().is_claimed() && succeeded().progress().is_none());
}

#[test]
fn any_status_after_any_other_and_nothing_else() {
    for own in [false, true] {
        for from in [queued(), running(), succeeded(), failed(), cancelled()] {
            for first in STANDINGS {
                for second in STANDINGS {
                    let before = stand(&from, first, own);
                    let after = stand(&before, second, own);
                    let expected = View { standing: second, ..before.view() };
                    assert_eq!(after.view(), expected, "{first:?}, {second:?}, own {own}");
                    assert_eq!(after.standing(), second);
                }
            }
        }
    }
}

#[test]
fn pending_and_cancelling_reopen_a_clients_own_task() {
    for from in [queued(), succeeded(), failed(), cancelled()] {
        for standing in [Standing::Pending, Standing::Cancelling] {
            let open = stand(&from, standing, true);
            assert_eq!((open.state(), open.completed_at()), (State::Running, None));
            assert_eq!(open.started_at(), from.started_at().or(Some(NOW)));
            assert_eq!((open.result(), open.error()), (None, None));
            // Where no vSphere client looks, all of it is as it was.
            assert_eq!(open.view(), View { standing, ..from.view() });
        }
    }
    assert_eq!(stand(&running(), Standing::Pending, true), running());
}

#[test]
fn an_end_that_a_client_says_of_its_own_task_ends_it_without_a_time_of_its_own() {
    for (standing, state) in [
        (Standing::Success, SUCCESS),
        (Standing::Failure, FAILURE),
        (Standing::Cancelled, CANCELLED),
    ] {
        for from in [queued(), running()] {
            let ended = stand(&from, standing, true);
            assert_eq!((ended.state(), ended.completed_at()), (state, Some(NOW)));
            assert_eq!((ended.progress(), ended.view().progress), (None, from.view().progress));
            assert_eq!(ended.view().finished, None);
        }
        for from in [succeeded(), failed(), cancelled()] {
            let ended = stand(&from, standing, true);
            assert_eq!((ended.state(), ended.completed_at()), (state, Some(ENDED)));
        }
    }
    let ended = stand(&running(), Standing::Cancelled, true);
    assert_eq!(ended.error(), Some(&Fault::request_canceled()));
    assert_eq!(stand(&running(), Standing::Failure, true).error(), None);
}

#[test]
fn a_claim_of_status_leaves_a_task_with_a_job_as_it_is() {
    for from in [queued(), running(), succeeded(), failed(), cancelled()] {
        for standing in STANDINGS {
            let said = stand(&from, standing, false);
            assert_eq!(said.state(), from.state());
            assert_eq!(said.completed_at(), from.completed_at());
            assert_eq!((said.result(), said.error()), (from.result(), from.error()));
            assert_eq!((said.progress(), said.cancel()), (from.progress(), from.cancel()));
        }
    }
}

#[test]
fn an_end_counts_only_while_the_task_stands_as_pending() {
    let ends = [
        End::Success(Some(Value::from(7))),
        End::Failure(Some(Fault::invalid_state())),
        End::Cancelled(Fault::request_canceled()),
    ];
    for end in ends {
        let plain = step(&running(), Command::Finish(end.clone()), NOW);
        for standing in STANDINGS {
            let said = stand(&running(), standing, false);
            let ended = step(&said, Command::Finish(end.clone()), NOW);
            let pending = standing == Standing::Pending;
            let expected = if pending { plain.view() } else { said.view() };
            assert_eq!(ended.view(), expected, "{standing:?}");
            // The first face is honest in any case.
            assert_eq!((ended.state(), ended.result()), (plain.state(), plain.result()));
            assert_eq!((ended.error(), ended.completed_at()), (plain.error(), Some(NOW)));
        }
    }
    // Back to pending in time, and the end counts.
    let back = stand(&stand(&running(), Standing::Success, false), Standing::Pending, false);
    let ended = step(&back, Command::Finish(End::Success(None)), NOW);
    assert_eq!((ended.standing(), ended.is_claimed()), (Standing::Success, false));
    // Too late, and it stays pending for ever.
    let said = stand(&running(), Standing::Failure, false);
    let missed = step(&said, Command::Finish(End::Success(None)), NOW);
    let late = stand(&missed, Standing::Pending, false).view();
    assert_eq!((late.standing, late.finished, late.progress), (Standing::Pending, None, 0.4));
}

#[test]
fn an_owner_that_says_cancelling_can_still_end_by_the_checked_way() {
    let asked = stand(&running(), Standing::Cancelling, true);
    let command =
        Command::Set { to: Target::Error, result: None, fault: Some(Fault::request_canceled()) };
    let ended = step(&asked, command, NOW);
    assert_eq!((ended.state(), ended.standing()), (CANCELLED, Standing::Cancelled));
    assert_eq!(ended.view().finished, Some(NOW));
}

#[test]
fn progress_is_any_number_and_the_next_report_counts() {
    for number in [-1.0, 0.0, 0.25, 17.5, f64::INFINITY] {
        let said = claim(&running(), Claim::Progress(number), false);
        assert_eq!((said.view().progress, said.progress()), (number, running().progress()));
        let own = claim(&running(), Claim::Progress(number), true);
        assert_eq!(own.view().progress, number);
        assert_eq!(own.progress().map(Progress::fraction), Some(number));
        let ended = claim(&succeeded(), Claim::Progress(number), true);
        assert_eq!((ended.view().progress, ended.progress()), (number, None));
        let reported = step(&said, Command::Report(Progress::from_fraction(0.9)), NOW);
        assert_eq!((reported.view().progress, reported.is_claimed()), (0.9, false));
        let finished = step(&said, Command::Finish(End::Success(None)), NOW);
        assert_eq!(finished.view().progress, 1.0);
    }
    assert!(claim(&running(), Claim::Progress(f64::NAN), false).view().progress.is_nan());
}

#[test]
fn result_and_error_wait_for_the_end_that_they_belong_to() {
    for own in [false, true] {
        let said = claim(&running(), Claim::Result(Str::from("done")), own);
        let said = claim(&said, Claim::Error(list(&["BAD", "1"])), own);
        let view = said.view();
        assert_eq!(view.result, Said::Raw(Str::from("done")));
        assert_eq!(view.error, Said::Raw(list(&["BAD", "1"])));
        assert_eq!((said.result(), said.error()), (None, None));
        let text = Some(Value::String(Str::from("done")));
        let success = stand(&said, Standing::Success, own);
        assert_eq!(success.result().cloned(), text.clone().filter(|_| own));
        assert_eq!(success.error(), None);
        let failure = stand(&said, Standing::Failure, own);
        let reason = failure.error().map(|fault| (fault.ty(), fault.message().to_owned()));
        let expected = (ty::SystemError, "A general system error occurred: BAD, 1".to_owned());
        assert_eq!(reason, Some(expected).filter(|_| own));
        assert_eq!(failure.result(), None);
        // Said afterwards, it counts as well.
        let late =
            claim(&stand(&running(), Standing::Success, own), Claim::Result("done".into()), own);
        assert_eq!(late.result().cloned(), text.filter(|_| own));
    }
}

#[test]
fn the_end_writes_what_belongs_to_it_and_leaves_the_rest() {
    let said = claim(&running(), Claim::Result(Str::from("mine")), false);
    let said = claim(&said, Claim::Error(list(&["MINE"])), false);
    let success = step(&said, Command::Finish(End::Success(Some(Value::from(7)))), NOW).view();
    assert_eq!(success.result, Said::Typed(Some(Value::from(7))));
    assert_eq!(success.error, Said::Raw(list(&["MINE"])));
    let fault = Fault::invalid_state();
    let failure = step(&said, Command::Finish(End::Failure(Some(fault.clone()))), NOW).view();
    assert_eq!(failure.result, Said::Raw(Str::from("mine")));
    assert_eq!(failure.error, Said::Typed(fault));
}

#[test]
fn a_claim_to_cancel_raises_the_flag_of_a_clients_own_task_once() {
    let request = |by: &str| CancelRequest { by: Some(Str::from(by)), at: NOW };
    for from in [queued(), running()] {
        let asked = claim(&from, Claim::Cancel(request("anna")), true);
        assert_eq!((asked.state(), asked.cancel()), (from.state(), Some(&request("anna"))));
        assert_eq!(asked.view(), from.view());
        assert_eq!(claim(&asked, Claim::Cancel(request("bert")), true), asked);
        assert_eq!(claim(&from, Claim::Cancel(request("anna")), false), from);
    }
    for from in [succeeded(), failed(), cancelled()] {
        assert_eq!(claim(&from, Claim::Cancel(request("anna")), true), from);
    }
}

/// Both faces in full, by the rules as one would tell them.
#[derive(Clone, Debug)]
struct Model {
    own: bool,
    state: State,
    view: View,
    result: Option<Value>,
    error: Option<Fault>,
    completed: Option<DateTime>,
}

impl Model {
    fn end(&mut self, outcome: Outcome, result: Option<Value>, error: Option<Fault>) {
        self.state = State::Done(outcome);
        self.result = result.clone();
        self.error = error.clone();
        self.completed = Some(NOW);
        let waits = self.view.standing == Standing::Pending
            || self.own && self.view.standing == Standing::Cancelling;
        if !waits {
            return;
        }
        self.view.standing = match outcome {
            Outcome::Success => Standing::Success,
            Outcome::Failure => Standing::Failure,
            Outcome::Cancelled => Standing::Cancelled,
        };
        self.view.progress = 1.0;
        self.view.finished = Some(NOW);
        match outcome {
            Outcome::Success => self.view.result = Said::Typed(result),
            Outcome::Failure => self.view.error = error.map_or(Said::Nothing, Said::Typed),
            Outcome::Cancelled => {}
        }
    }

    fn claim(&mut self, claim: &Claim) {
        match claim {
            Claim::Progress(progress) => self.view.progress = *progress,
            Claim::Result(text) if text.is_empty() => self.view.result = Said::Nothing,
            Claim::Result(text) => self.view.result = Said::Raw(text.clone()),
            Claim::Error(list) if list.is_empty() => self.view.error = Said::Nothing,
            Claim::Error(list) => self.view.error = Said::Raw(list.clone()),
            Claim::Standing(standing) => self.view.standing = *standing,
            Claim::Cancel(_) => {}
        }
        let (true, Claim::Standing(standing)) = (self.own, claim) else { return self.give() };
        match standing {
            Standing::Pending | Standing::Cancelling => {
                if self.state != State::Running {
                    (self.result, self.error, self.completed) = (None, None, None);
                }
                self.state = State::Running;
            }
            Standing::Success | Standing::Failure | Standing::Cancelled => {
                let state = match standing {
                    Standing::Success => SUCCESS,
                    Standing::Failure => FAILURE,
                    _ => CANCELLED,
                };
                if self.state != state {
                    (self.result, self.error) = (None, None);
                    self.error = (state == CANCELLED).then(Fault::request_canceled);
                    self.completed = self.completed.or(Some(NOW));
                }
                self.state = state;
            }
        }
        self.give();
    }

    fn give(&mut self) {
        if !self.own {
            return;
        }
        if let (SUCCESS, Said::Raw(text)) = (self.state, &self.view.result) {
            self.result = Some(Value::String(text.clone()));
        }
        if let (FAILURE, Said::Raw(list)) = (self.state, &self.view.error) {
            self.error = Some(Fault::system_error(&list.join(", ")));
        }
    }

    fn apply(&mut self, command: &Command) -> bool {
        match (command, self.state) {
            (Command::Claim { claim, .. }, _) => self.claim(claim),
            (_, State::Done(_)) => return false,
            (Command::Start, State::Queued) => self.state = State::Running,
            (Command::Report(progress), State::Running) => {
                self.view.progress = progress.fraction();
            }
            (Command::Finish(End::Success(result)), _) => {
                self.end(Outcome::Success, result.clone(), None);
            }
            (Command::Finish(End::Failure(error)), _) => {
                self.end(Outcome::Failure, None, error.clone());
            }
            (Command::Finish(End::Cancelled(error)), _) => {
                self.end(Outcome::Cancelled, None, Some(error.clone()));
            }
            _ => return false,
        }
        true
    }
}

fn commands(own: bool) -> impl Strategy<Value = Command> {
    let text = prop_oneof![Just(""), Just("a"), Just("<value>b</value>")];
    let lists = prop_oneof![Just(list(&[])), Just(list(&["X"])), Just(list(&["Y", "1", "2"]))];
    let claims = prop_oneof![
        6 => prop::sample::select(&STANDINGS[..]).prop_map(Claim::Standing),
        2 => prop_oneof![Just(0.0), Just(1.0), Just(-3.5), Just(0.5)].prop_map(Claim::Progress),
        1 => text.prop_map(|text| Claim::Result(Str::from(text))),
        1 => lists.prop_map(Claim::Error),
    ];
    prop_oneof![
        6 => claims.prop_map(move |claim| Command::Claim { claim, own }),
        2 => Just(Command::Start),
        2 => (0..=100).prop_map(|percent| Command::Report(Progress::from_percent(percent))),
        1 => any::<bool>().prop_map(|some| Command::Finish(End::Success(some.then(|| 7.into())))),
        1 => any::<bool>().prop_map(|some| {
            Command::Finish(End::Failure(some.then(Fault::invalid_state)))
        }),
        1 => Just(Command::Finish(End::Cancelled(Fault::request_canceled()))),
    ]
}

fn histories() -> impl Strategy<Value = (bool, Vec<Command>)> {
    any::<bool>().prop_flat_map(|own| (Just(own), prop::collection::vec(commands(own), 1..30)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_faces_are_as_the_model_has_them((own, commands) in histories()) {
        let mut status = queued();
        let view = status.view();
        let mut model =
            Model { own, state: State::Queued, view, result: None, error: None, completed: None };
        for command in commands {
            let known = model.apply(&command);
            match transition(&status, command, NOW) {
                Ok(next) => status = next,
                Err(_) => prop_assert!(!known),
            }
            prop_assert_eq!(status.state(), model.state);
            prop_assert_eq!(status.view(), model.view.clone());
            prop_assert_eq!(status.result(), model.result.as_ref());
            prop_assert_eq!(status.error(), model.error.as_ref());
            prop_assert_eq!(status.completed_at(), model.completed);
            prop_assert_eq!(status.standing(), model.view.standing);
        }
    }
}

struct Plain;

impl vimsim::engine::Projection for Plain {
    fn project(&self, _: &TaskRecord) -> Object {
        object!(Task {})
    }
}

fn engine() -> Engine {
    let settings = Settings { clock: Clock::stepped(CREATED), ..Settings::default() };
    Engine::start(Arc::new(Store::new()), settings, Box::new(Plain)).expect("a thread")
}

fn create(engine: &Engine) -> TaskId {
    let operation = Operation::Extension(Str::from("com.example.work"));
    let spec = TaskSpec::new(operation, "com.example.work");
    engine.create_task(spec).expect("a task").id
}

fn say(engine: &Engine, id: TaskId, standing: Standing) {
    engine.commit(|tx| tx.claim(id, Claim::Standing(standing))).expect("a claim");
}

/// What the history collectors would find: each task once, as it is.
fn found(engine: &Engine) -> Vec<(TaskId, State)> {
    let tasks = engine.tasks().newer(&TaskFilter::default(), None, 10_000);
    tasks.iter().map(|task| (task.id, task.state())).collect()
}

#[test]
fn what_a_front_end_keeps_is_committed_with_the_rest_or_not_at_all() {
    #[derive(Debug, PartialEq)]
    struct Own(u8);
    #[derive(Debug, PartialEq)]
    struct Other(u8);
    let engine = engine();
    engine
        .commit(|tx| {
            assert_eq!(tx.aside::<Own>(), None);
            tx.set_aside(Own(1));
            tx.set_aside(Other(7));
            Ok(())
        })
        .expect("a commit");
    let before = engine.snapshot();
    let failed: Result<(), Fault> = engine.commit(|tx| {
        tx.set_aside(Own(2));
        assert_eq!(tx.aside::<Own>(), Some(&Own(2)));
        Err(Fault::invalid_state())
    });
    assert!(failed.is_err());
    assert_eq!(aside_in::<Own>(&engine.snapshot()), Some(&Own(1)));
    engine
        .commit(|tx| {
            tx.set_aside(Own(3));
            Ok(())
        })
        .expect("a commit");
    let now = engine.snapshot();
    assert_eq!((aside_in::<Own>(&now), aside_in::<Other>(&now)), (Some(&Own(3)), Some(&Other(7))));
    // Who holds a snapshot holds what was true then.
    assert_eq!(aside_in::<Own>(&before), Some(&Own(1)));
}

#[test]
fn the_table_and_its_history_follow_a_task_that_ends_again_and_again() {
    let engine = engine();
    let first = create(&engine);
    say(&engine, first, Standing::Success);
    assert_eq!(found(&engine), [(first, SUCCESS)]);
    say(&engine, first, Standing::Pending);
    let tasks = engine.tasks();
    assert_eq!((tasks.live_len(), tasks.finished_len(), tasks.history().len()), (1, 0, 0));
    assert_eq!(found(&engine), [(first, State::Running)]);
    say(&engine, first, Standing::Failure);
    say(&engine, first, Standing::Cancelled);
    let tasks = engine.tasks();
    assert_eq!((tasks.live_len(), tasks.finished_len(), tasks.history().len()), (0, 1, 1));
    assert_eq!(found(&engine), [(first, CANCELLED)]);
    // Long enough ago that history keeps it in its own form.
    let others: Vec<_> = (0..1100).map(|_| create(&engine)).collect();
    others.iter().for_each(|id| say(&engine, *id, Standing::Success));
    say(&engine, first, Standing::Pending);
    assert_eq!(found(&engine).first(), Some(&(first, State::Running)));
    say(&engine, first, Standing::Success);
    let all = found(&engine);
    assert_eq!((all.len(), all.first()), (1101, Some(&(first, SUCCESS))));
    assert_eq!(engine.tasks().history().len(), 1101);
    others.iter().for_each(|id| say(&engine, *id, Standing::Pending));
    assert_eq!((engine.tasks().live_len(), engine.tasks().history().len()), (1100, 1));
}
