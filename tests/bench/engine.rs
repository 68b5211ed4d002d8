//! How fast the engine is on one core: commits, and tasks from their creation
//! to their success.

#![allow(clippy::expect_used, reason = "a benchmark that cannot start must stop")]

use std::cell::Cell;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use vimsim::engine::{Clock, Engine, Job, Projection, Settings, TaskContext, TaskSpec, Tx};
use vimsim::fault::Fault;
use vimsim::ids::Ids;
use vimsim::inventory::Store;
use vimsim::schema::ty;
use vimsim::task::{Operation, Outcome, Progress, Retention, State, Target, TaskRecord};
use vimsim::value::{DateTime, MoRef, Object, Str, Value};
use vimsim::{object, path};

fn main() {
    divan::main();
}

/// A whole `TaskInfo`, as a real projection makes it.
struct Whole;

impl Projection for Whole {
    fn project(&self, task: &TaskRecord) -> Object {
        let status = task.status();
        let state = match task.state() {
            State::Queued => "queued",
            State::Running => "running",
            State::Done(Outcome::Success) => "success",
            State::Done(Outcome::Failure | Outcome::Cancelled) => "error",
        };
        let user = task.reason.user();
        object!(Task {
            info: object!(TaskInfo {
                key: &task.key,
                task: &task.mo,
                descriptionId: &task.description_id,
                entity: task.entity.as_ref(),
                entityName: task.entity_name.as_ref(),
                locked: task.locked(),
                state: state,
                cancelled: status.cancel().is_some(),
                cancelable: status.cancelable(),
                error: status.error().map(Fault::localized),
                result: status.result(),
                progress: status.progress().map(Progress::percent),
                reason: user.map(|name| object!(TaskReasonUser { userName: name })),
                queueTime: status.queued_at(),
                startTime: status.started_at(),
                completeTime: status.completed_at(),
                eventChainId: task.event_chain_id,
            }),
        })
    }
}

/// An engine whose work is done on the calling thread.
fn engine() -> Engine {
    let settings = Settings {
        clock: Clock::stepped(DateTime::from_micros(1_700_000_000_000_000)),
        ids: Arc::new(Ids::seeded(1)),
        retention: Retention { count: 2_000_000, ..Retention::default() },
        ..Settings::default()
    };
    Engine::start(Arc::new(Store::new()), settings, Box::new(Whole)).expect("a thread")
}

fn machines(engine: &Engine, count: usize) -> Vec<MoRef> {
    let made = engine.commit(|tx| {
        let made = (0..count).map(|number| {
            let vm = tx.next_moref(ty::VirtualMachine, "vm");
            tx.insert(vm.clone(), object!(VirtualMachine { name: format!("vm{number}") }));
            vm
        });
        Ok(made.collect())
    });
    made.expect("virtual machines")
}

fn extension() -> TaskSpec {
    TaskSpec {
        reason: vimsim::task::Reason::User(Str::from("VSPHERE.LOCAL\\Administrator")),
        ..TaskSpec::new(Operation::Extension(Str::from("com.example.work")), "com.example.work")
    }
}

/// Fills the table with finished tasks.
fn history(engine: &Engine, count: usize) {
    for _ in 0..count {
        let task = engine.create_task(extension()).expect("a task").mo.clone();
        engine.set_state(&task, Target::Success, None, None).expect("an end");
    }
}

#[derive(Clone)]
struct Rename(MoRef);

impl Job for Rename {
    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        tx.set(&self.0, path!(VirtualMachine, "name"), "renamed")?;
        Ok(None)
    }
}

/// Commits that report the progress of one task, with so many tasks behind it.
#[divan::bench(args = [0, 1_000, 100_000])]
fn update_progress(bencher: Bencher<'_, '_>, finished: usize) {
    let engine = engine();
    machines(&engine, 1000);
    history(&engine, finished);
    let task = engine.create_task(extension()).expect("a task").mo.clone();
    engine.set_state(&task, Target::Running, None, None).expect("a start");
    let percent = Cell::new(0);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        percent.set((percent.get() + 1) % 101);
        engine.update_progress(&task, percent.get())
    });
}

/// `CreateTask`, running, success: three commits.
#[divan::bench(args = [0, 100_000])]
fn create_task_to_success(bencher: Bencher<'_, '_>, finished: usize) {
    let engine = engine();
    machines(&engine, 1000);
    history(&engine, finished);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let task = engine.create_task(extension())?.mo.clone();
        engine.set_state(&task, Target::Running, None, None)?;
        engine.set_state(&task, Target::Success, None, None)
    });
}

/// A job that takes no time, with its effect: three commits.
#[divan::bench(args = [0, 100_000])]
fn submit_to_success(bencher: Bencher<'_, '_>, finished: usize) {
    let engine = engine();
    let machines = machines(&engine, 1000);
    history(&engine, finished);
    let mut turn = machines.iter().cycle();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let vm = turn.next().expect("a machine").clone();
        engine.submit(extension().on(vm.clone()), Box::new(Rename(vm)))
    });
}

/// The same through the engine's thread, with a real clock: what a client of a
/// real server waits for.
#[divan::bench]
fn submit_to_success_by_thread(bencher: Bencher<'_, '_>) {
    let engine = Engine::start(Arc::new(Store::new()), Settings::default(), Box::new(Whole))
        .expect("a thread");
    let machines = machines(&engine, 1000);
    let mut turn = machines.iter().cycle();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let vm = turn.next().expect("a machine").clone();
        let task = engine.submit(extension().on(vm.clone()), Box::new(Rename(vm)));
        let task = task.expect("a task");
        while !engine.task(&task).is_some_and(|record| record.state().is_done()) {
            std::thread::yield_now();
        }
    });
}
