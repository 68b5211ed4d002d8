//! What is left in memory of what is gone: `cargo bench --bench memory`.
//!
//! Makes and unmakes many of everything, in a server without sockets and with a
//! stepped clock, and counts the bytes in use before and after. Rows can be
//! picked by their names. `cargo test` does the same with small numbers: the
//! counts are exact, so a leak shows in those as well. What the whole program
//! holds, allocator included, is a row of `cargo bench --bench load`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints for a person and stops where it stumbles"
)]

use std::alloc::System;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cap::Cap;
use vimsim::config::{ClockMode, Events, Tasks};
use vimsim::engine::{Busy, Job, TaskContext, TaskSpec, Tx};
use vimsim::fault::Fault;
use vimsim::inventory::Read;
use vimsim::schema::{Method, Type, method, ty};
use vimsim::task::Operation;
use vimsim::value::{Array, IntoSlot, MoRef, Value};
use vimsim::vsphere::{Call, Caller, Service, Session};
use vimsim::{Config, object, path};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// How long finished tasks and events are kept here.
const KEPT: Duration = Duration::from_secs(20);

/// What may be left of everything, whatever it was, in bytes: lists keep some room,
/// and numbers grow longer.
const SLACK: usize = 32 << 10;

/// More commits than are kept for nobody in particular.
const COMMITS: usize = 2_000;

/// What is made and unmade.
struct Row {
    name: &'static str,
    /// How often: as a benchmark, and as a test.
    rounds: [usize; 2],
    does: Does,
}

/// How it is done.
enum Does {
    /// One after the other.
    Each(fn(&World, usize)),
    /// All of them, and then all that were made go.
    All(fn(&World, usize) -> Vec<Unmake>),
}

/// Makes something undone.
type Unmake = Box<dyn FnOnce(&World)>;

use Does::{All, Each};

const ROWS: &[Row] = &[
    Row { name: "tasks", rounds: [1_000_000, 20_000], does: Each(World::task) },
    Row { name: "tasks on machines", rounds: [200_000, 4_000], does: Each(World::power) },
    Row { name: "events", rounds: [1_000_000, 20_000], does: Each(World::event) },
    Row { name: "sessions", rounds: [100_000, 5_000], does: Each(World::session) },
    Row { name: "sessions and what they made", rounds: [20_000, 500], does: Each(World::laden) },
    Row { name: "machines", rounds: [100_000, 500], does: Each(World::machine) },
    Row { name: "snapshots", rounds: [50_000, 500], does: Each(World::snapshot) },
    Row { name: "folders", rounds: [100_000, 2_000], does: Each(World::folder) },
    Row { name: "filters", rounds: [100_000, 2_000], does: Each(World::filter) },
    Row { name: "collectors", rounds: [100_000, 2_000], does: Each(World::collector) },
    Row { name: "views", rounds: [100_000, 2_000], does: Each(World::view) },
    Row { name: "history collectors", rounds: [100_000, 2_000], does: Each(World::history) },
    Row { name: "jobs at once", rounds: [200_000, 10_000], does: All(World::jobs) },
    Row { name: "sessions at once", rounds: [15_000, 5_000], does: All(World::sessions) },
    Row { name: "filters at once", rounds: [9_000, 3_000], does: All(World::filters) },
    Row { name: "folders at once", rounds: [20_000, 3_000], does: All(World::folders) },
];

/// A server and somebody who is logged in.
struct World {
    service: Arc<Service>,
    session: Arc<Session>,
    machines: Vec<MoRef>,
    vm_folder: MoRef,
}

/// A job that does nothing.
#[derive(Clone)]
struct Nothing;

impl Job for Nothing {
    fn complete(&mut self, _: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        Ok(None)
    }
}

type Named = (&'static str, Box<dyn FnOnce(vimsim::schema::Field) -> Option<Value>>);

fn arg(name: &'static str, value: impl IntoSlot + 'static) -> Named {
    (name, Box::new(move |field| value.into_slot(field)))
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Waker};
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn call(
    service: &Arc<Service>,
    session: Option<&Arc<Session>>,
    this: &MoRef,
    method: Method,
    args: Vec<Named>,
) -> (Option<Value>, Call) {
    let mut list = vec![None; method.params().len()];
    for (name, value) in args {
        let (slot, field) = method.param(name).expect("a parameter");
        list[slot] = value(field);
    }
    let mut caller = Caller::anonymous(service.version());
    caller.session = session.cloned();
    let call = Call { this: this.clone(), method, args: list.into(), caller };
    let answer = ready(service.call(&call));
    (answer.unwrap_or_else(|fault| panic!("{method}: {fault:?}")), call)
}

fn login(service: &Arc<Service>) -> Arc<Session> {
    let manager = service.content().session_manager.clone();
    let args = vec![arg("userName", "user".to_owned()), arg("password", "pass".to_owned())];
    let (_, call) = call(service, None, &manager, method::Login, args);
    call.caller.began.get().cloned().expect("a session")
}

impl World {
    fn new() -> Self {
        let config = Config {
            clock: ClockMode::Stepped,
            seed: Some(1),
            session_timeout: Duration::ZERO,
            tasks: Tasks {
                age: KEPT,
                count: usize::MAX / 4,
                history_age: KEPT,
                history_count: usize::MAX / 4,
                ..Tasks::default()
            },
            events: Events { age: KEPT, count: usize::MAX / 4 },
            ..Config::default()
        };
        let service = Service::new(config).expect("a server");
        let session = login(&service);
        let snapshot = service.engine().snapshot();
        let mut machines: Vec<MoRef> = snapshot.refs(ty::VirtualMachine).cloned().collect();
        machines.sort();
        let datacenter = snapshot.refs(ty::Datacenter).next().expect("a datacenter");
        let vm_folder = snapshot.moref(datacenter, path!(Datacenter, "vmFolder"));
        let vm_folder = vm_folder.cloned().expect("a folder");
        Self { service, session, machines, vm_folder }
    }

    /// The same server, and somebody else.
    fn other(&self) -> Self {
        Self {
            service: self.service.clone(),
            session: login(&self.service),
            machines: self.machines.clone(),
            vm_folder: self.vm_folder.clone(),
        }
    }

    fn call(&self, this: &MoRef, method: Method, args: Vec<Named>) -> Option<Value> {
        call(&self.service, Some(&self.session), this, method, args).0
    }

    fn made(&self, this: &MoRef, method: Method, args: Vec<Named>) -> MoRef {
        let made = self.call(this, method, args);
        made.as_ref().and_then(Value::as_moref).cloned().expect("a reference")
    }

    /// Runs a task to its end, which must be a good one; what it gives.
    fn run(&self, this: &MoRef, method: Method, args: Vec<Named>) -> Option<Value> {
        let task = self.made(this, method, args);
        self.service.engine().run_until_idle(Duration::from_secs(10)).expect("a stepped clock");
        let task = self.service.engine().task(&task).expect("a task");
        let status = task.status();
        assert!(status.error().is_none(), "{method}: {:?}", status.error());
        status.result().cloned()
    }

    fn manager(&self, ty: Type, id: &str) -> MoRef {
        MoRef::new(ty, id)
    }

    /// Time passes until everything that is to be forgotten is, and what was
    /// done is no longer among the latest.
    fn rest(&self) {
        let engine = self.service.engine();
        engine.advance(Duration::from_secs(3600)).expect("a stepped clock");
        let root = &self.service.content().root_folder;
        for _ in 0..COMMITS {
            let touched = engine.commit(|tx| {
                tx.touch(root);
                Ok(())
            });
            touched.expect("a commit");
        }
    }

    /// Does it so often; what is in use at the most.
    fn run_row(&self, does: &Does, rounds: usize) -> usize {
        match does {
            Each(round) => {
                (0..rounds).for_each(|number| round(self, number));
                ALLOCATOR.allocated()
            }
            All(make) => {
                let made = make(self, rounds);
                let most = ALLOCATOR.allocated();
                made.into_iter().for_each(|unmake| unmake(self));
                most
            }
        }
    }

    fn task(&self, _: usize) {
        let manager = self.manager(ty::TaskManager, "TaskManager");
        let args = vec![
            arg("obj", self.service.content().root_folder.clone()),
            arg("taskTypeId", "com.vmware.govmomi.simulator.test".to_owned()),
            arg("cancelable", true),
        ];
        let info = self.call(&manager, method::CreateTask, args);
        let info = info.as_ref().and_then(Value::as_object).expect("a task");
        let task = info.at(path!(TaskInfo, "task")).and_then(Value::as_moref).expect("a task");
        let state = vimsim::enum_value!(TaskInfoState::success);
        self.call(task, method::SetTaskState, vec![arg("state", state)]);
    }

    fn power(&self, number: usize) {
        let vm = self.machines[number / 2 % self.machines.len()].clone();
        let method = [method::PowerOffVM_Task, method::PowerOnVM_Task][number % 2];
        self.run(&vm, method, vec![]);
    }

    fn event(&self, number: usize) {
        let manager = self.manager(ty::EventManager, "EventManager");
        let event =
            object!(GeneralUserEvent { message: format!("something {number}"), userName: "user" });
        self.call(&manager, method::PostEvent, vec![arg("eventToPost", event)]);
    }

    fn session(&self, _: usize) {
        let manager = self.service.content().session_manager.clone();
        let session = login(&self.service);
        call(&self.service, Some(&session), &manager, method::Logout, vec![]);
    }

    /// A session that leaves without cleaning up.
    fn laden(&self, number: usize) {
        let manager = self.service.content().session_manager.clone();
        let other = self.other();
        let view = other.container();
        other.watch(&view);
        let own = other.made(&other.collector_of(), method::CreatePropertyCollector, vec![]);
        other.create_filter(&own, &view);
        other.histories();
        if number.is_multiple_of(2) {
            other.call(&manager, method::Logout, vec![]);
        } else {
            let keys = Array::new(ty::STRING, vec![other.session.key.clone().into()]);
            self.call(&manager, method::TerminateSession, vec![arg("sessionId", keys)]);
        }
    }

    fn machine(&self, number: usize) {
        let source = self.machines[0].clone();
        let spec = object!(VirtualMachineCloneSpec {
            location: object!(VirtualMachineRelocateSpec {}),
            powerOn: false,
            template: false,
        });
        let args = vec![
            arg("folder", self.vm_folder.clone()),
            arg("name", format!("copy {number}")),
            arg("spec", spec),
        ];
        let made = self.run(&source, method::CloneVM_Task, args);
        let made = made.as_ref().and_then(Value::as_moref).expect("a machine");
        self.run(made, method::Destroy_Task, vec![]);
    }

    fn snapshot(&self, number: usize) {
        let vm = self.machines[0].clone();
        let args = vec![
            arg("name", format!("snapshot {number}")),
            arg("memory", false),
            arg("quiesce", false),
        ];
        let made = self.run(&vm, method::CreateSnapshot_Task, args);
        let made = made.as_ref().and_then(Value::as_moref).expect("a snapshot");
        let args = vec![arg("removeChildren", false)];
        self.run(made, method::RemoveSnapshot_Task, args);
    }

    fn folder(&self, number: usize) {
        let args = vec![arg("name", format!("folder {number}"))];
        let folder = self.made(&self.vm_folder.clone(), method::CreateFolder, args);
        self.run(&folder, method::Destroy_Task, vec![]);
    }

    fn collector_of(&self) -> MoRef {
        self.manager(ty::PropertyCollector, "propertyCollector")
    }

    fn container(&self) -> MoRef {
        let manager = self.manager(ty::ViewManager, "ViewManager");
        let types = Array::new(ty::STRING, vec!["VirtualMachine".into()]);
        let args = vec![
            arg("container", self.service.content().root_folder.clone()),
            arg("type", types),
            arg("recursive", true),
        ];
        self.made(&manager, method::CreateContainerView, args)
    }

    fn create_filter(&self, collector: &MoRef, view: &MoRef) -> MoRef {
        let members = object!(TraversalSpec { type: "ContainerView", path: "view" });
        let paths = vec!["name", "runtime.powerState"];
        let spec = object!(PropertyFilterSpec {
            propSet: vec![object!(PropertySpec { type: "VirtualMachine", pathSet: paths })],
            objectSet: vec![object!(ObjectSpec {
                obj: view,
                skip: true,
                selectSet: vec![members]
            })],
        });
        let args = vec![arg("spec", spec), arg("partialUpdates", true)];
        self.made(collector, method::CreateFilter, args)
    }

    /// A filter that has been read.
    fn watch(&self, view: &MoRef) -> MoRef {
        let collector = self.collector_of();
        let filter = self.create_filter(&collector, view);
        let args = vec![arg("version", String::new())];
        self.call(&collector, method::WaitForUpdatesEx, args).expect("updates");
        filter
    }

    fn filter(&self, _: usize) {
        let view = self.container();
        let filter = self.watch(&view);
        self.call(&filter, method::DestroyPropertyFilter, vec![]);
        self.call(&view, method::DestroyView, vec![]);
    }

    fn collector(&self, _: usize) {
        let view = self.container();
        let own = self.made(&self.collector_of(), method::CreatePropertyCollector, vec![]);
        self.create_filter(&own, &view);
        let args = vec![arg("version", String::new())];
        self.call(&own, method::WaitForUpdatesEx, args).expect("updates");
        self.call(&own, method::DestroyPropertyCollector, vec![]);
        self.call(&view, method::DestroyView, vec![]);
    }

    fn view(&self, _: usize) {
        let manager = self.manager(ty::ViewManager, "ViewManager");
        let view = self.container();
        let list = self.made(&manager, method::CreateListView, vec![]);
        self.call(&view, method::DestroyView, vec![]);
        self.call(&list, method::DestroyView, vec![]);
    }

    fn histories(&self) -> [MoRef; 2] {
        let tasks = self.manager(ty::TaskManager, "TaskManager");
        let events = self.manager(ty::EventManager, "EventManager");
        let filter = vec![arg("filter", object!(TaskFilterSpec {}))];
        let tasks = self.made(&tasks, method::CreateCollectorForTasks, filter);
        let filter = vec![arg("filter", object!(EventFilterSpec {}))];
        [tasks, self.made(&events, method::CreateCollectorForEvents, filter)]
    }

    /// Jobs that run, and others that wait for them.
    fn jobs(&self, count: usize) -> Vec<Unmake> {
        let engine = self.service.engine();
        for number in 0..count {
            let vm = self.machines[number % self.machines.len()].clone();
            let operation = Operation::Internal("waiting".into());
            let spec = TaskSpec {
                duration: Duration::from_millis(1),
                busy: Busy::Wait,
                ..TaskSpec::new(operation, "waiting").on(vm)
            };
            engine.submit(spec, Box::new(Nothing)).expect("a job");
        }
        let all = |world: &Self| {
            let engine = world.service.engine();
            engine.run_until_idle(Duration::from_secs(3600)).expect("a stepped clock");
            assert_eq!(engine.tasks().live_len(), 0, "a job is left");
        };
        vec![Box::new(all)]
    }

    fn sessions(&self, count: usize) -> Vec<Unmake> {
        let one = |_| -> Unmake {
            let session = login(&self.service);
            Box::new(move |world| {
                let manager = world.service.content().session_manager.clone();
                call(&world.service, Some(&session), &manager, method::Logout, vec![]);
            })
        };
        (0..count).map(one).collect()
    }

    /// Filters that have been read, of a session that ends after them: what was
    /// said of them last is kept until then.
    fn filters(&self, count: usize) -> Vec<Unmake> {
        let own = Arc::new(self.other());
        let view = own.container();
        let one = |_| -> Unmake {
            let (own, filter) = (own.clone(), own.create_filter(&own.collector_of(), &view));
            Box::new(move |_| {
                own.call(&filter, method::DestroyPropertyFilter, vec![]);
            })
        };
        let mut made: Vec<Unmake> = (0..count).map(one).collect();
        let args = vec![arg("version", String::new())];
        own.call(&own.collector_of(), method::WaitForUpdatesEx, args).expect("updates");
        made.push(Box::new(move |_| {
            own.call(&view, method::DestroyView, vec![]);
            let manager = own.service.content().session_manager.clone();
            own.call(&manager, method::Logout, vec![]);
        }));
        made
    }

    fn folders(&self, count: usize) -> Vec<Unmake> {
        let one = |number| -> Unmake {
            let args = vec![arg("name", format!("folder {number}"))];
            let folder = self.made(&self.vm_folder.clone(), method::CreateFolder, args);
            Box::new(move |world| {
                world.run(&folder, method::Destroy_Task, vec![]);
            })
        };
        (0..count).map(one).collect()
    }

    fn history(&self, _: usize) {
        for collector in self.histories() {
            self.call(&collector, method::DestroyCollector, vec![]);
        }
    }
}

/// Whether nothing is left of what `row` makes.
fn check(row: &Row, rounds: usize) -> bool {
    let world = World::new();
    // The first of everything, and as many as what is kept of the last ones holds.
    let warm = row.rounds[1];
    world.run_row(&row.does, warm);
    world.rest();
    let before = ALLOCATOR.allocated();
    let most = world.run_row(&row.does, rounds);
    world.rest();
    let after = ALLOCATOR.allocated();
    let left = after.saturating_sub(before);
    let [begin, top, end] = [before, most, after].map(|bytes| bytes as f64 / 1e6);
    println!(
        "{:<28} {rounds:>9}: {begin:8.2} MB before, {top:8.2} MB with them, {end:8.2} MB after, {:.2} B left of each",
        row.name,
        left as f64 / rounds as f64,
    );
    left <= SLACK
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bench = arguments.iter().any(|argument| argument == "--bench");
    let words: Vec<&str> =
        arguments.iter().filter(|a| !a.starts_with('-')).map(String::as_str).collect();
    let wanted = |row: &&Row| words.is_empty() || words.contains(&row.name);
    let mut leaks = Vec::new();
    for row in ROWS.iter().filter(wanted) {
        if !check(row, row.rounds[usize::from(!bench)]) {
            leaks.push(row.name);
        }
    }
    if leaks.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("something is left of: {}", leaks.join(", "));
    ExitCode::FAILURE
}
