//! Directing a simulator from a Rust test: tasks, time and faults happen as the
//! test says, and a day passes in a moment.
//!
//! Run it with `cargo run --example direct`.

use std::time::Duration;

use vimsim::config::{ClockMode, ListenAddress, Tls};
use vimsim::inventory::Read;
use vimsim::path;
use vimsim::scenario::{
    Cancelable, FaultRule, Hold, Reply, ReplyFate, Rule, RuleError, Stall, TaskRule, When,
};
use vimsim::schema::{Version, method};
use vimsim::task::{Progress, TaskId};
use vimsim::value::{MoRef, Value};
use vimsim::vsphere::{Call, Caller};
use vimsim::{Config, Simulator};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main]
#[allow(clippy::print_stdout, reason = "an example shows what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Time stands still until the test moves it, and chance begins at a seed: the same calls
    // give the same bytes each time.
    let simulator = Simulator::start(Config {
        listen: ListenAddress { host: "127.0.0.1".to_owned(), port: 0 },
        tls: Tls::Off,
        clock: ClockMode::Stepped,
        seed: Some(7),
        ..Config::default()
    })
    .await?;

    // The first power-off takes a day, stalls at 60 %, and cannot be cancelled from there on.
    let day = Duration::from_secs(24 * 3600);
    let slow = TaskRule {
        running: Some(day.into()),
        stall: vec![Stall { at: 60, time: (30 * MINUTE).into() }],
        cancelable: Some(Cancelable::Until { until: 60 }),
        ..TaskRule::default()
    };
    // The second one fails at 60 %, with a fault of the schema.
    let failing = TaskRule {
        running: Some(MINUTE.into()),
        fail: Some(FaultRule {
            at: Some(60),
            fault: "HostConnectFault".to_owned(),
            message: Some("The host is on fire.".to_owned()),
            fields: serde_json::Map::new(),
        }),
        ..TaskRule::default()
    };
    // The third one waits at 40 % for the test.
    let held = TaskRule {
        running: Some(MINUTE.into()),
        hold: Some(Hold::At { at: 40 }),
        ..TaskRule::default()
    };
    let rules = simulator.rules();
    for (nth, task) in (1..).zip([slow, failing, held]) {
        let when = When::method("PowerOffVM_Task").nth(nth);
        rules.add(Rule::new(format!("power-off {nth}")).when(when).task(task))?;
    }
    // And one reply in ten to other calls never arrives, although the call was made.
    let lost = Reply { fate: Some(ReplyFate::Lost), ..Reply::default() };
    rules.add(
        Rule::new("lost")
            .when(When::method("*VM_Task").named("DC0_C0*").probability(0.1))
            .reply(lost),
    )?;

    // A rule that cannot be followed is refused when it is added, with the place of the mistake.
    let wrong = TaskRule { fail: Some(unknown_fault()), ..TaskRule::default() };
    let refused: Result<String, RuleError> = rules.add(Rule::new("wrong").task(wrong));
    println!("refused: {}", refused.err().ok_or("it was accepted")?);

    // Any client may now be pointed at `simulator.url()`; here the calls are made directly.
    let machine = |name: &str| simulator.control().objects().get(&format!("/DC0/vm/{name}"));
    let clock = simulator.clock();

    let slow = machine("DC0_H0_VM0")?;
    let first = power_off(&simulator, &slow).await?;
    clock.advance(day / 2)?;
    println!("after half a day: {} %", percent(&simulator, &first).unwrap_or_default());
    clock.advance(day)?;
    println!("a day later the machine is {}", power_state(&simulator, &slow));

    let second = power_off(&simulator, &machine("DC0_H0_VM1")?).await?;
    clock.advance(MINUTE)?;
    let record = simulator.service().engine().task(&second).ok_or("no task")?;
    println!("the second one: {}", record.status().error().ok_or("no error")?);

    let third = power_off(&simulator, &machine("DC0_C0_RP0_VM0")?).await?;
    clock.run_until_idle(day)?;
    println!("the third one is held at {} %", percent(&simulator, &third).unwrap_or_default());
    simulator.tasks().release(TaskId::of(&third).ok_or("no task")?)?;
    clock.run_until_idle(day)?;
    println!(
        "and then it ends: {:?}",
        simulator.service().engine().task(&third).map(|t| t.state())
    );

    for state in rules.list() {
        println!("{}: acted {} times", state.name, state.counters.acted);
    }
    simulator.stop().await;
    Ok(())
}

fn unknown_fault() -> FaultRule {
    let fields = serde_json::Map::new();
    FaultRule { at: None, fault: "NoSuchFault".to_owned(), message: None, fields }
}

/// Calls `PowerOffVM_Task` as a client does that has logged in.
async fn power_off(
    simulator: &Simulator,
    machine: &MoRef,
) -> Result<MoRef, Box<dyn std::error::Error>> {
    let login = Call {
        this: simulator.service().content().session_manager.clone(),
        method: method::Login,
        args: [Some("user".into()), Some("pass".into()), None].into(),
        caller: Caller::anonymous(Version::NEWEST),
    };
    simulator.service().call(&login).await?;
    let session = login.caller.began.get().cloned();
    let call = Call {
        this: machine.clone(),
        method: method::PowerOffVM_Task,
        args: [].into(),
        caller: Caller { session, ..Caller::anonymous(Version::NEWEST) },
    };
    let task = simulator.service().call(&call).await?;
    Ok(task.as_ref().and_then(Value::as_moref).cloned().ok_or("no reference to a task")?)
}

fn percent(simulator: &Simulator, task: &MoRef) -> Option<i32> {
    simulator.service().engine().task(task)?.status().progress().map(Progress::percent)
}

fn power_state(simulator: &Simulator, machine: &MoRef) -> String {
    let snapshot = simulator.service().engine().snapshot();
    snapshot.text(machine, path!(VirtualMachine, "runtime.powerState")).to_owned()
}
