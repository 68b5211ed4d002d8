//! How fast history is with a million finished tasks in it, what one of them
//! costs, and whether they slow down what comes after them.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a benchmark talks and may stop")]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use divan::Bencher;
use vimsim::Config;
use vimsim::config::ClockMode;
use vimsim::engine::TaskSpec;
use vimsim::fault::Fault;
use vimsim::schema::{method, ty};
use vimsim::task::filter::{EntityFilter, Scope, TimeFilter, TimeKind, UserFilter};
use vimsim::task::{
    Command, End, Operation, Reason, Retention, Target, TaskDraft, TaskFilter, TaskId, TaskTable,
};
use vimsim::value::{DateTime, MoRef, Str, Value};
use vimsim::vsphere::Service;

const START: DateTime = DateTime::from_micros(1_700_000_000_000_000);
const TASKS: u64 = 1_000_000;
const MACHINES: u64 = 10_000;

fn main() {
    // Not when single benchmarks are asked for by name.
    if std::env::args().skip(1).all(|argument| argument.starts_with('-')) {
        say_what_a_task_costs();
    }
    divan::main();
}

fn say_what_a_task_costs() {
    let before = resident();
    LazyLock::force(&MILLION);
    if let (Some(before), Some(after)) = (before, resident()) {
        let each = after.saturating_sub(before) / TASKS;
        println!("a finished task costs {each} bytes in history");
        assert!(each <= 600, "more than was promised");
    }
}

/// The memory that this process has, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

/// A table in which only history is left: a task a second for eleven days, by a
/// hundred users, on ten thousand machines in a hundred pools on a thousand hosts.
static MILLION: LazyLock<TaskTable> = LazyLock::new(|| {
    let mut table = TaskTable::new();
    for number in 0..TASKS {
        let now = START.after(Duration::from_secs(number));
        add(&mut table, number, now);
        let last = table.finished_len() > 1;
        let oldest = last.then(|| table.finished().next().map(|task| task.id)).flatten();
        if let Some(id) = oldest {
            table.forget(id);
        }
    }
    table
});

fn add(table: &mut TaskTable, number: u64, now: DateTime) {
    let machine = number.wrapping_mul(7919) % MACHINES;
    let mo = |ty, prefix: &str, number: u64| MoRef::new(ty, &format!("{prefix}-{number}"));
    let above = [
        mo(ty::Folder, "group-v", 1),
        mo(ty::ResourcePool, "resgroup", machine % 100),
        mo(ty::HostSystem, "host", machine % 1000),
        mo(ty::ClusterComputeResource, "domain-c", machine % 100),
        mo(ty::Folder, "group-h", 1),
        mo(ty::Datacenter, "datacenter", 1),
        mo(ty::Folder, "group-d", 1),
    ];
    let user = || Str::from(format!("VSPHERE.LOCAL\\user{}", number % 100));
    let draft = TaskDraft {
        operation: Operation::Method(method::PowerOnVM_Task),
        description_id: Str::from("VirtualMachine.powerOn"),
        label: Str::from("Power On virtual machine"),
        entity: Some(mo(ty::VirtualMachine, "vm", machine)),
        entity_name: Some(Str::from(format!("DC0_C{}_RP0_VM{machine}", machine % 100))),
        above: above.into(),
        locks: Vec::new(),
        cancelable: false,
        driven: true,
        reason: Reason::User(user()),
        owner: Some(user()),
        parent: None,
        event_chain_id: i32::try_from(number).expect("a small number"),
        change_tag: None,
        activation_id: Some(Str::from(format!("activation-{number}"))),
        description: None,
    };
    let task = table.add(draft, now);
    let end = match number % 10 {
        0 => End::Failure(Some(Fault::invalid_state())),
        1..5 => End::Success(Some(Value::Ref(mo(ty::VirtualMachine, "vm", machine)))),
        _ => End::Success(None),
    };
    let running = task.after(Command::Start, now).expect("a start");
    table.replace(&Arc::new(running.clone()));
    table.replace(&Arc::new(running.after(Command::Finish(end), now).expect("an end")));
}

/// Filters, from those that let much through to those that let nothing through.
const FILTERS: &[&str] = &[
    "everything",
    "errors",
    "one user",
    "one machine",
    "one host and below",
    "a cluster without tasks",
    "an hour of eleven days",
    "one activation",
    "a thousand event chains",
    "one user's errors on one host",
    "nobody's",
];

fn filter(name: &str) -> TaskFilter {
    let user = |name: &str| Some(UserFilter::new(false, Some([name])));
    let host = |number: u64| {
        let entity = MoRef::new(ty::HostSystem, &format!("host-{number}"));
        Some(EntityFilter { entity, scope: Scope::Both })
    };
    let mut filter = TaskFilter::default();
    match name {
        "errors" => filter.states = Some(vec![Target::Error]),
        "one user" => filter.user = user("vsphere.local\\user42"),
        "one machine" => {
            let entity = MoRef::new(ty::VirtualMachine, "vm-4711");
            filter.entity = Some(EntityFilter { entity, scope: Scope::Itself });
        }
        "one host and below" => filter.entity = host(333),
        "a cluster without tasks" => {
            let entity = MoRef::new(ty::ClusterComputeResource, "domain-c4711");
            filter.entity = Some(EntityFilter { entity, scope: Scope::Below });
        }
        "an hour of eleven days" => {
            filter.time = Some(TimeFilter {
                kind: TimeKind::Completed,
                begin: Some(START.after(Duration::from_secs(500_000))),
                end: Some(START.after(Duration::from_secs(503_600))),
            });
        }
        "one activation" => {
            filter.activation_ids = Some([Str::from("activation-5")].into_iter().collect());
        }
        "a thousand event chains" => {
            filter.event_chains = Some((0..1000).map(|number| number * 999).collect());
        }
        "one user's errors on one host" => {
            filter.states = Some(vec![Target::Error]);
            filter.entity = host(330);
            filter.user = user("vsphere.local\\user30");
        }
        "nobody's" => filter.user = user("nobody"),
        _ => {}
    }
    filter
}

/// A page of a hundred from the newest end, among a million.
#[divan::bench(args = FILTERS)]
fn page_among_a_million(bencher: Bencher<'_, '_>, name: &str) {
    let filter = filter(name);
    bencher.bench_local(|| MILLION.older(&filter, TaskId::new(0), None, 100));
}

/// A task that ends, the filling of its segment included, and is forgotten.
#[divan::bench(args = [false, true], sample_count = 20, sample_size = 5000)]
fn a_task_after_a_million(bencher: Bencher<'_, '_>, behind: bool) {
    let mut table = if behind { MILLION.clone() } else { TaskTable::new() };
    let retention = Retention { history_count: 2_000_000, ..Retention::default() };
    let mut number = TASKS;
    bencher.bench_local(|| {
        number += 1;
        let now = START.after(Duration::from_secs(number));
        add(&mut table, number, now);
        let overdue = retention.overdue(&table, now.after(retention.age), 2);
        overdue.into_iter().for_each(|id| drop(table.forget(id)));
    });
}

/// `CreateTask` to success on a whole server: three commits, with the object,
/// the lists and the history. From fifty thousand on each one makes an older
/// one go; how many more came before must not matter.
#[divan::bench(args = [0, 60_000, 500_000], sample_count = 20, sample_size = 500)]
fn create_task_to_success_on_a_server(bencher: Bencher<'_, '_>, before: usize) {
    let config = Config { clock: ClockMode::Stepped, seed: Some(1), ..Config::default() };
    let service = Service::new(config).expect("a server");
    let engine = service.engine();
    let snapshot = engine.snapshot();
    let mut machines: Vec<MoRef> =
        snapshot.of_type(ty::VirtualMachine).map(|(mo, _)| mo.clone()).collect();
    machines.sort();
    let mut turn = machines.iter().cycle();
    let mut one = move || {
        let mut spec = TaskSpec::new(Operation::Extension(Str::from("com.example.work")), "work");
        spec.entity = turn.next().cloned();
        let task = engine.create_task(spec).expect("a task").mo.clone();
        engine.set_state(&task, Target::Running, None, None).expect("a start");
        engine.set_state(&task, Target::Success, None, None).expect("an end");
    };
    (0..before).for_each(|_| one());
    bencher.bench_local(one);
}
