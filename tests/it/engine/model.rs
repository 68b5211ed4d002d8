//! Random commands on the engine and on a model of it that is small enough to
//! be believed: after each of them both say the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use vimsim::engine::{Busy, Clock, Engine, Saved, Settings, TaskSpec};
use vimsim::fault::Fault;
use vimsim::ids::Ids;
use vimsim::inventory::{Read, Store};
use vimsim::path;
use vimsim::schema::ty;
use vimsim::task::{Operation, Outcome, Progress, Retention, State, Target, TaskId};
use vimsim::value::{MoRef, Object, Str, Value};
use vimsim::{engine, object};

use super::watcher::{Listed, Resume, Told, Watcher};
use super::{NOON, SECOND, machine, name, spec};

/// How many machines there are to work on.
const MACHINES: usize = 4;

/// Far beyond what a run takes, so that the model need not forget tasks.
const AMPLE: Retention = Retention {
    age: Duration::from_secs(1_000_000_000),
    count: 1_000_000,
    recent_age: Duration::from_secs(600),
    recent_count: 200,
    history_age: Duration::from_secs(1_000_000_000),
    history_count: 1_000_000,
};

/// What a client, or time, may do. Tasks are meant by their number, which may
/// not exist.
#[derive(Clone, Debug)]
enum Step {
    /// With a parent, which may have ended or not exist.
    Create {
        cancelable: bool,
        parent: Option<u64>,
    },
    Submit {
        machine: usize,
        seconds: u64,
        cancelable: bool,
        busy: Busy,
    },
    SetState {
        task: u64,
        to: Target,
        result: bool,
        fault: Option<FaultKind>,
    },
    Progress {
        task: u64,
        percent: i32,
    },
    Describe {
        task: u64,
        key: u8,
    },
    Cancel {
        task: u64,
    },
    Advance {
        seconds: u64,
    },
    /// The whole state is kept aside.
    Save,
    /// What was kept last comes back.
    Restore,
    /// A watcher asks, and has to find what the model says.
    Watch(Resume),
}

#[derive(Clone, Copy, Debug)]
enum FaultKind {
    Vim,
    Cancelled,
    Runtime,
}

impl FaultKind {
    fn fault(self) -> Fault {
        match self {
            Self::Vim => Fault::of(ty::NotFound, "not found"),
            Self::Cancelled => Fault::request_canceled(),
            Self::Runtime => Fault::not_supported(),
        }
    }
}

fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    // Recent tasks are more interesting than old ones: numbers count from the newest.
    let task = || prop_oneof![8 => 0..6_u64, 1 => 0..40_u64];
    let target = prop_oneof![
        Just(Target::Queued),
        Just(Target::Running),
        Just(Target::Success),
        Just(Target::Error),
    ];
    let fault = prop_oneof![
        3 => Just(None),
        1 => Just(Some(FaultKind::Vim)),
        1 => Just(Some(FaultKind::Cancelled)),
        1 => Just(Some(FaultKind::Runtime)),
    ];
    let resume = prop_oneof![
        3 => Just(Resume::Continue),
        1 => Just(Resume::Again),
        1 => Just(Resume::Fresh),
        1 => Just(Resume::Restart),
    ];
    let busy = prop_oneof![Just(Busy::Wait), Just(Busy::Refuse)];
    let step = prop_oneof![
        3 => (any::<bool>(), prop::option::of(task())).prop_map(
            |(cancelable, parent)| Step::Create { cancelable, parent },
        ),
        4 => (0..MACHINES, prop::sample::select(&[0_u64, 1, 2, 4][..]), any::<bool>(), busy).prop_map(
            |(machine, seconds, cancelable, busy)| Step::Submit {
                machine,
                seconds,
                cancelable,
                busy,
            },
        ),
        5 => (task(), target, prop::bool::weighted(0.2), fault).prop_map(
            |(task, to, result, fault)| Step::SetState { task, to, result, fault },
        ),
        4 => (task(), -20..130_i32).prop_map(|(task, percent)| Step::Progress { task, percent }),
        1 => (task(), any::<u8>()).prop_map(|(task, key)| Step::Describe { task, key }),
        3 => task().prop_map(|task| Step::Cancel { task }),
        3 => (0..3_u64).prop_map(|seconds| Step::Advance { seconds }),
        1 => resume.prop_map(Step::Watch),
        1 => prop_oneof![1 => Just(Step::Save), 2 => Just(Step::Restore)],
    ];
    prop::collection::vec(step, count)
}

/// A task as the model has it.
#[derive(Clone, Debug)]
struct Model {
    state: State,
    cancelable: bool,
    cancelled: bool,
    /// How far it is: one is the whole.
    progress: Option<f64>,
    description: Option<u8>,
    result: Option<Value>,
    error: Option<&'static str>,
    /// Seconds from the beginning.
    times: (u64, Option<u64>, Option<u64>),
    job: Option<Work>,
    parent: Option<u64>,
    children: Vec<u64>,
    /// A job that was cancelled and waits for its children.
    stopping: bool,
}

impl Model {
    fn percent(&self) -> Option<i32> {
        self.progress.map(|progress| (progress * 100.0).round() as i32)
    }
}

#[derive(Clone, Copy, Debug)]
struct Work {
    machine: usize,
    seconds: u64,
}

/// All of the engine that the model knows.
#[derive(Clone, Default)]
struct World {
    tasks: BTreeMap<u64, Model>,
    now: u64,
    /// Who works on a machine and who waits for it.
    holder: [Option<u64>; MACHINES],
    line: [VecDeque<u64>; MACHINES],
    /// The name of a machine is the number of the task that renamed it last.
    names: [u64; MACHINES],
    /// When the jobs at work end: time, order, task.
    ends: BTreeMap<(u64, u64), u64>,
    order: u64,
}

/// What a call answers: a kind of fault, or nothing.
type Answer = Result<(), &'static str>;

impl World {
    fn create(&mut self, cancelable: bool, parent: Option<u64>) -> Answer {
        if parent.is_some_and(|parent| !self.tasks.contains_key(&parent)) {
            return Err("InvalidArgument");
        }
        self.add(cancelable, None, parent);
        Ok(())
    }

    fn add(&mut self, cancelable: bool, job: Option<Work>, parent: Option<u64>) -> u64 {
        let number = self.tasks.len() as u64 + 1;
        let task = Model {
            state: State::Queued,
            cancelable,
            cancelled: false,
            progress: None,
            description: None,
            result: None,
            error: None,
            times: (self.now, None, None),
            job,
            parent,
            children: Vec::new(),
            stopping: false,
        };
        self.tasks.insert(number, task);
        if let Some(parent) = parent {
            self.tasks.get_mut(&parent).expect("a parent").children.push(number);
            self.follow(parent);
        }
        number
    }

    /// A running parent is as far as its children are on the average, and so
    /// is its own parent, if that made a difference.
    fn follow(&mut self, parent: u64) {
        let task = &self.tasks[&parent];
        if task.state != State::Running {
            return;
        }
        let share = |child: &u64| {
            let child = &self.tasks[child];
            if child.state.is_done() { 1.0 } else { child.progress.unwrap_or(0.0) }
        };
        // In millionths, as the engine counts, so that nothing is rounded otherwise.
        let sum: f64 = task.children.iter().map(|child| (share(child) * 1e6).round()).sum();
        let progress = Some(sum / (task.children.len() as f64 * 1e6));
        let (same, above) = (task.progress == progress, task.parent);
        self.tasks.get_mut(&parent).expect("a parent").progress = progress;
        if !same && let Some(above) = above {
            self.follow(above);
        }
    }

    /// A task changed: what is above it follows, or ends at last.
    fn changed(&mut self, number: u64) {
        let Some(parent) = self.tasks[&number].parent else { return };
        self.follow(parent);
        if self.tasks[&parent].stopping && !self.has_live_children(parent) {
            self.end(parent, Outcome::Cancelled, None, Some("RequestCanceled"));
        }
    }

    fn has_live_children(&self, number: u64) -> bool {
        self.tasks[&number].children.iter().any(|child| !self.tasks[child].state.is_done())
    }

    fn submit(&mut self, work: Work, cancelable: bool, busy: Busy) {
        let number = self.add(cancelable, Some(work), None);
        match (self.holder[work.machine], busy) {
            (None, _) => self.start(number),
            (Some(_), Busy::Wait) => self.line[work.machine].push_back(number),
            (Some(_), Busy::Refuse) => {
                self.end(number, Outcome::Failure, None, Some("TaskInProgress"));
            }
        }
    }

    fn start(&mut self, number: u64) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(&number) else { return };
        let Some(work) = task.job else { return };
        task.state = State::Running;
        task.times.1 = Some(now);
        self.holder[work.machine] = Some(number);
        if work.seconds == 0 {
            return self.succeed(number);
        }
        self.order += 1;
        self.ends.insert((now + work.seconds, self.order), number);
    }

    fn succeed(&mut self, number: u64) {
        let Some(work) = self.tasks[&number].job else { return };
        self.names[work.machine] = number;
        self.end(number, Outcome::Success, Some(Value::from(true)), None);
    }

    /// Ends a task; who waited for its machine goes on.
    fn end(
        &mut self,
        number: u64,
        outcome: Outcome,
        result: Option<Value>,
        error: Option<&'static str>,
    ) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(&number) else { return };
        task.state = State::Done(outcome);
        task.progress = None;
        task.result = result;
        task.error = error;
        task.times.2 = Some(now);
        task.stopping = false;
        let job = task.job;
        self.changed(number);
        let Some(work) = job else { return };
        self.ends.retain(|_, task| *task != number);
        self.line[work.machine].retain(|task| *task != number);
        if self.holder[work.machine] == Some(number) {
            self.holder[work.machine] = None;
            if let Some(next) = self.line[work.machine].pop_front() {
                self.start(next);
            }
        }
    }

    fn set_state(
        &mut self,
        number: u64,
        to: Target,
        result: bool,
        fault: Option<FaultKind>,
    ) -> Answer {
        let now = self.now;
        let task = self.tasks.get_mut(&number).ok_or("ManagedObjectNotFound")?;
        let only_admission = task.job.is_some() && task.state == State::Queued;
        let misplaced = (result && to != Target::Success)
            || (fault.is_some() && to != Target::Error)
            || matches!(fault, Some(FaultKind::Runtime));
        match (task.state, to) {
            (State::Done(_), _) | (State::Running, Target::Queued) => Err("InvalidState"),
            _ if misplaced => Err("InvalidState"),
            (State::Queued, Target::Running) if only_admission => Err("InvalidState"),
            (State::Queued, Target::Queued) | (State::Running, Target::Running) => Ok(()),
            (State::Queued, Target::Running) => {
                task.state = State::Running;
                task.times.1 = Some(now);
                self.changed(number);
                Ok(())
            }
            (_, Target::Success) => {
                self.end(number, Outcome::Success, result.then(|| Value::from(true)), None);
                Ok(())
            }
            (_, Target::Error) => {
                let (outcome, error) = match fault {
                    Some(FaultKind::Cancelled) => (Outcome::Cancelled, Some("RequestCanceled")),
                    Some(FaultKind::Vim) => (Outcome::Failure, Some("NotFound")),
                    _ => (Outcome::Failure, None),
                };
                self.end(number, outcome, None, error);
                Ok(())
            }
        }
    }

    fn progress(&mut self, number: u64, percent: i32) -> Answer {
        let task = self.tasks.get_mut(&number).ok_or("ManagedObjectNotFound")?;
        if task.state != State::Running {
            return Err("InvalidState");
        }
        let progress = Some(f64::from(percent.clamp(0, 100)) / 100.0);
        if task.progress != progress {
            task.progress = progress;
            self.changed(number);
        }
        Ok(())
    }

    fn describe(&mut self, number: u64, key: u8) -> Answer {
        let task = self.tasks.get_mut(&number).ok_or("ManagedObjectNotFound")?;
        if task.state.is_done() {
            return Err("InvalidState");
        }
        if task.description != Some(key) {
            task.description = Some(key);
            self.changed(number);
        }
        Ok(())
    }

    fn cancel(&mut self, number: u64) -> Answer {
        let task = self.tasks.get_mut(&number).ok_or("ManagedObjectNotFound")?;
        if task.state.is_done() {
            return Err("InvalidState");
        }
        if task.cancelled {
            return Ok(());
        }
        if !task.cancelable {
            return Err("NotSupported");
        }
        task.cancelled = true;
        let (job, state, children) = (task.job, task.state, task.children.clone());
        self.changed(number);
        // What cannot be cancelled, or has ended, is left alone.
        for child in children {
            let _ = self.cancel(child);
        }
        if job.is_some() {
            if state == State::Running && self.has_live_children(number) {
                self.ends.retain(|_, task| *task != number);
                self.tasks.get_mut(&number).expect("the task").stopping = true;
            } else {
                self.end(number, Outcome::Cancelled, None, Some("RequestCanceled"));
            }
        }
        Ok(())
    }

    /// Reports of progress within a second are not modelled: tasks that take 1,
    /// 2 or 4 seconds report every 100 or 200 milliseconds, so at a whole
    /// second what they said last is how far they are.
    fn advance(&mut self, seconds: u64) {
        let target = self.now + seconds;
        while let Some((&(time, order), &number)) = self.ends.first_key_value() {
            if time > target {
                break;
            }
            self.now = time;
            self.ends.remove(&(time, order));
            self.succeed(number);
        }
        let elapsed = seconds > 0;
        self.now = target;
        for task in self.tasks.values_mut().filter(|_| elapsed) {
            if let (State::Running, Some(work), Some(started)) =
                (task.state, task.job, task.times.1)
                && target > started
                && task.children.is_empty()
            {
                task.progress = Some((target - started) as f64 / work.seconds as f64);
            }
        }
    }
}

struct Pair {
    engine: Engine,
    machines: Vec<MoRef>,
    world: World,
    watcher: Watcher,
    kept: Option<(Saved, World)>,
}

impl Pair {
    fn new() -> Self {
        let settings = Settings {
            clock: Clock::stepped(NOON),
            ids: Arc::new(Ids::seeded(1)),
            retention: AMPLE,
            ..Settings::default()
        };
        let engine = Engine::start(Arc::new(Store::new()), settings, Box::new(Listed));
        let engine = engine.expect("a thread");
        let machines = (0..MACHINES).map(|_| machine(&engine, "0")).collect();
        let watcher = Watcher::new(&engine);
        Self { engine, machines, world: World::default(), watcher, kept: None }
    }

    /// The number of the task that is `back` before the newest.
    fn number(&self, back: u64) -> u64 {
        (self.world.tasks.len() as u64).saturating_sub(back)
    }

    fn step(&mut self, step: &Step) {
        let Self { engine, machines, .. } = self;
        match *step {
            Step::Create { cancelable, parent } => {
                let operation = Operation::Extension(Str::from("com.example.work"));
                let parent = parent.map(|back| self.number(back));
                let spec = TaskSpec {
                    cancelable,
                    parent: parent.map(TaskId::new),
                    ..TaskSpec::new(operation, "com.example.work")
                };
                let answer = self.engine.create_task(spec).map(drop);
                same(answer, self.world.create(cancelable, parent));
            }
            Step::Submit { machine, seconds, cancelable, busy } => {
                let vm = &machines[machine];
                let duration = SECOND * u32::try_from(seconds).expect("few seconds");
                let spec = TaskSpec { cancelable, busy, duration, ..spec(vm) };
                let number = self.world.tasks.len() as u64 + 1;
                engine.submit(spec, Box::new(Named { vm: vm.clone(), number })).expect("a task");
                self.world.submit(Work { machine, seconds }, cancelable, busy);
            }
            Step::SetState { task, to, result, fault } => {
                let number = self.number(task);
                let value = result.then(|| Value::from(true));
                let answer = self.engine.set_state(
                    &TaskId::new(number).moref(),
                    to,
                    value,
                    fault.map(FaultKind::fault),
                );
                same(answer, self.world.set_state(number, to, result, fault));
            }
            Step::Progress { task, percent } => {
                let number = self.number(task);
                let answer = self.engine.update_progress(&TaskId::new(number).moref(), percent);
                same(answer, self.world.progress(number, percent));
            }
            Step::Describe { task, key } => {
                let number = self.number(task);
                let mo = TaskId::new(number).moref();
                let answer = self.engine.set_description(&mo, message(key));
                same(answer, self.world.describe(number, key));
            }
            Step::Cancel { task } => {
                let number = self.number(task);
                let answer = self.engine.cancel(&TaskId::new(number).moref(), None);
                same(answer, self.world.cancel(number));
            }
            Step::Advance { seconds } => {
                let duration = SECOND * u32::try_from(seconds).expect("few seconds");
                engine.advance(duration).expect("a stepped clock");
                self.world.advance(seconds);
            }
            Step::Save => self.kept = Some((engine.save(), self.world.clone())),
            Step::Restore => {
                if let Some((saved, world)) = &self.kept {
                    engine.restore(saved, &mut |_| None);
                    self.world = world.clone();
                }
            }
            Step::Watch(how) => {
                let told = self.watcher.resume(&self.engine, how);
                compare_told(told, &self.world);
            }
        }
        self.compare_recent();
    }

    /// What a step can have touched: the latest tasks, and the machines.
    fn compare_recent(&self) {
        let newest = self.world.tasks.len() as u64;
        for number in newest.saturating_sub(8)..=newest {
            self.compare(number);
        }
        for (machine, vm) in self.machines.iter().enumerate() {
            let expected = match self.world.holder[machine] {
                Some(_) => format!("{} (working)", self.world.names[machine]),
                None => self.world.names[machine].to_string(),
            };
            assert_eq!(name(&self.engine, vm), expected);
        }
    }

    /// Everything, in the table and as objects.
    fn compare_all(&self) {
        assert_eq!(self.engine.tasks().len(), self.world.tasks.len());
        let live = self.world.tasks.values().filter(|task| !task.state.is_done()).count();
        assert_eq!(self.engine.tasks().live_len(), live);
        self.world.tasks.keys().for_each(|number| self.compare(*number));
    }

    fn compare(&self, number: u64) {
        let snapshot = self.engine.snapshot();
        let mo = TaskId::new(number).moref();
        let record = engine::tasks_in(&snapshot).and_then(|tasks| tasks.find(&mo));
        let Some(model) = self.world.tasks.get(&number) else {
            return assert!(record.is_none() && !snapshot.exists(&mo));
        };
        let status = record.expect("a record").status();
        assert_eq!(status.state(), model.state, "{mo}");
        assert_eq!(status.cancel().is_some(), model.cancelled, "{mo}");
        assert_eq!(status.progress().map(Progress::percent), model.percent(), "{mo}");
        assert_eq!(status.result(), model.result.as_ref(), "{mo}");
        assert_eq!(status.error().map(|fault| fault.ty().name()), model.error, "{mo}");
        assert_eq!(status.description().cloned(), model.description.map(message), "{mo}");
        let seconds = |time: vimsim::value::DateTime| time.since(NOON).as_secs();
        let times = (
            seconds(status.queued_at()),
            status.started_at().map(seconds),
            status.completed_at().map(seconds),
        );
        assert_eq!(times, model.times, "{mo}");
        let progress = snapshot.at(&mo, path!(Task, "info.progress")).and_then(Value::as_i32);
        assert_eq!(progress, model.percent(), "{mo} as an object");
    }
}

/// A watcher knows everything, whatever it missed in between.
fn compare_told(told: &Told, world: &World) {
    assert_eq!(told.len(), world.tasks.len());
    for (number, model) in &world.tasks {
        let mo = TaskId::new(*number).moref();
        let values = told.get(&mo).unwrap_or_else(|| panic!("{mo} is missing"));
        let state = match model.state {
            State::Queued => "queued",
            State::Running => "running",
            State::Done(Outcome::Success) => "success",
            State::Done(Outcome::Failure | Outcome::Cancelled) => "error",
        };
        let time = |time: u64| NOON.after(Duration::from_secs(time));
        let expected = [
            ("info.state", Some(Value::from(state))),
            ("info.cancelled", Some(Value::from(model.cancelled))),
            ("info.progress", model.percent().map(Value::from)),
            ("info.result", model.result.clone()),
            ("info.startTime", model.times.1.map(time).map(Value::from)),
            ("info.completeTime", model.times.2.map(time).map(Value::from)),
        ];
        for (name, value) in expected {
            let told = values.get(name);
            // A text may be a string or an enum; both read the same.
            let same = match (told.and_then(Value::as_str), value.as_ref().and_then(Value::as_str))
            {
                (Some(told), Some(value)) => told == value,
                _ => told == value.as_ref(),
            };
            assert!(same, "{mo} {name}: {told:?} instead of {value:?}");
        }
    }
}

fn message(key: u8) -> Object {
    object!(LocalizableMessage { key: key.to_string() })
}

fn same(answer: Result<(), Fault>, expected: Answer) {
    assert_eq!(answer.map_err(|fault| fault.ty().name()), expected);
}

/// Renames its machine to its number; see [`super::Rename`].
#[derive(Clone)]
struct Named {
    vm: MoRef,
    number: u64,
}

mod named {
    use super::*;
    use vimsim::engine::{Job, TaskContext, Tx};

    impl Job for Named {
        fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
            self.number = task.id.number();
            let working = format!("{} (working)", tx.text(&self.vm, path!(VirtualMachine, "name")));
            tx.set(&self.vm, path!(VirtualMachine, "name"), working)
        }

        fn complete(
            &mut self,
            tx: &mut Tx<'_>,
            _: &TaskContext<'_>,
        ) -> Result<Option<Value>, Fault> {
            tx.set(&self.vm, path!(VirtualMachine, "name"), self.number.to_string())?;
            Ok(Some(Value::from(true)))
        }

        fn undo(&mut self, tx: &mut Tx<'_>) {
            let working = tx.text(&self.vm, path!(VirtualMachine, "name")).to_owned();
            let before = working.trim_end_matches(" (working)");
            tx.set(&self.vm, path!(VirtualMachine, "name"), before).expect("the machine");
        }
    }
}

fn run(steps: &[Step]) {
    let mut pair = Pair::new();
    for step in steps {
        pair.step(step);
    }
    pair.compare_all();
    compare_told(pair.watcher.resume(&pair.engine, Resume::Continue), &pair.world);
}

/// Two hundred runs, unless `PROPTEST_CASES` asks for more: two thousand make
/// a million steps.
fn runs() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(200),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(runs())]

    /// Five hundred steps a run.
    #[test]
    fn the_engine_does_what_the_model_does(steps in steps(500)) {
        run(&steps);
    }
}
