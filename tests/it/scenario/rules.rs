//! Which operations rules are about, what they decide, and that they decide
//! the same for the same seed.

use std::time::Duration;

use vimsim::config::Span;
use vimsim::engine::Refused;
use vimsim::scenario::{
    Chance, Counters, Curve, FaultRule, Hold, NamedCurve, Reply, ReplyFate, Rule, Scenario,
    TaskRule, Then, When,
};
use vimsim::schema::{Version, method, ty};
use vimsim::task::{Progress, State};
use vimsim::value::{MoRef, Value};
use vimsim::wire::soap::{encode_fault, encode_response};

use crate::operations::Sim;

const SECOND: Duration = Duration::from_secs(1);

fn failing(name: &str, when: When) -> Rule {
    let fault = FaultRule {
        at: None,
        fault: "Timedout".to_owned(),
        message: Some(name.to_owned()),
        fields: serde_json::Map::new(),
    };
    Rule::new(name).when(when).task(TaskRule { fail: Some(fault), ..TaskRule::default() })
}

/// Resets a machine; the message of the fault, if the task fails.
fn reset(sim: &Sim) -> Option<String> {
    let task = sim.start(&sim.vm("DC0_H0_VM0"), method::ResetVM_Task, &[]).unwrap();
    sim.service.engine().run_until_idle(3600 * SECOND).unwrap();
    let record = sim.service.engine().task(&task).unwrap();
    record.status().error().map(|fault| fault.message().to_owned())
}

#[test]
fn the_first_rule_that_acts_decides_and_all_are_counted() {
    let sim = Sim::new();
    let rules = sim.service.rules();
    rules.add(failing("a", When::method("ResetVM_Task").nth(2))).unwrap();
    rules.add(failing("b", When::method("Reset*").times(2))).unwrap();
    rules.add(failing("c", When::default())).unwrap();
    let seen: Vec<_> = (0..4).map(|_| reset(&sim).unwrap()).collect();
    assert_eq!(seen, ["b", "a", "b", "c"]);
    let counters: Vec<_> = rules.list().into_iter().map(|rule| rule.counters).collect();
    let counted = |seen, acted| Counters { seen, acted };
    assert_eq!(counters, [counted(4, 1), counted(4, 2), counted(4, 1)]);
}

#[test]
fn rules_come_and_go_and_return_with_their_counters() {
    let sim = Sim::new();
    let rules = sim.service.rules();
    assert_eq!(reset(&sim), None);
    let name = rules.add(Rule { name: None, ..failing("x", When::default()) }).unwrap();
    assert_eq!(name, "rule-1");
    rules.add(failing("y", When::default().times(1))).unwrap();
    assert!(reset(&sim).is_some());
    let saved = rules.save();
    assert!(rules.remove("rule-1") && !rules.remove("rule-1"));
    assert_eq!((reset(&sim).as_deref(), reset(&sim)), (Some("y"), None));
    assert_eq!(rules.get("y").unwrap().counters, Counters { seen: 3, acted: 1 });
    rules.clear();
    assert!(rules.is_empty());
    rules.restore(&saved);
    assert_eq!(rules.len(), 2);
    assert_eq!(rules.get("y").unwrap().counters, Counters { seen: 1, acted: 0 });
    assert!(rules.remove("rule-1"));
    assert_eq!((reset(&sim).as_deref(), reset(&sim)), (Some("y"), None));
}

#[test]
fn a_saved_state_has_the_rules_with_their_counters_and_the_held_tasks() {
    let sim = Sim::new();
    let rules = sim.service.rules();
    let held = TaskRule { hold: Some(Hold::At { at: 40 }), ..TaskRule::default() };
    let held = TaskRule { running: Some((10 * SECOND).into()), ..held };
    rules.add(Rule::new("held").when(When::method("PowerOff*")).task(held)).unwrap();
    rules.add(failing("x", When::method("ResetVM_Task").nth(2))).unwrap();
    assert_eq!(reset(&sim), None);
    let vm = sim.vm("DC0_H0_VM1");
    let task = sim.start(&vm, method::PowerOffVM_Task, &[]).unwrap();
    sim.advance(5 * SECOND);
    sim.service.save_state("begun");
    for _ in 0..2 {
        let engine = sim.service.engine();
        assert!(engine.is_held(&task) && engine.task(&task).is_some());
        assert_eq!(reset(&sim).as_deref(), Some("x"));
        assert_eq!(reset(&sim), None);
        rules.remove("x");
        engine.release(&task).unwrap();
        sim.advance(6 * SECOND);
        assert!(engine.task(&task).unwrap().state().is_done());
        sim.service.restore_state("begun").unwrap();
    }
}

/// What a task says of its progress, from one event to the next, until it
/// neither runs nor waits any longer.
fn course(sim: &Sim, task: TaskRule) -> Vec<Option<i32>> {
    sim.service.rules().clear();
    sim.service.rules().add(Rule::new("course").task(task)).unwrap();
    let task = sim.start(&sim.vm("DC0_H0_VM0"), method::ResetVM_Task, &[]).unwrap();
    let engine = sim.service.engine();
    let mut seen = Vec::new();
    while engine.task(&task).is_some_and(|task| !task.state().is_done()) && !engine.is_held(&task) {
        let record = engine.task(&task).unwrap();
        let percent = record.status().progress().map(Progress::percent);
        if seen.last() != Some(&percent) {
            seen.push(percent);
        }
        engine.advance_to_next().unwrap();
    }
    seen
}

#[test]
fn curves_pass_what_is_at_a_percentage_at_that_percentage() {
    let sim = Sim::new();
    let running = Some((10 * SECOND).into());
    let base = TaskRule { running, ..TaskRule::default() };
    let steps = |percents: &[u8]| Some(Curve::Steps(percents.to_vec()));
    let with = |text: &str| {
        let text = format!("[[rule]]\n[rule.task]\nrunning = '10s'\n{text}");
        Scenario::parse(&text).unwrap().rules.remove(0).task.unwrap()
    };
    let half = TaskRule { progress: steps(&[10, 40, 30]), ..base.clone() };
    assert_eq!(course(&sim, half), [None, Some(10), Some(40), Some(30)]);
    let none = TaskRule { progress: Some(Curve::Named(NamedCurve::None)), ..base.clone() };
    assert_eq!(course(&sim, none), [None]);
    let back =
        course(&sim, TaskRule { progress: Some(Curve::Named(NamedCurve::Backwards)), ..base });
    assert_eq!((back.len(), back[1], back[19]), (20, Some(95), Some(5)));
    // Between two steps; above the last one; at the very end and at the very beginning.
    let held = |at| format!("progress = [10, 50]\nhold = {{ at = {at} }}");
    for (at, last) in [(30, Some(30)), (80, Some(80)), (100, Some(100)), (0, None)] {
        let task = with(&held(at));
        sim.service.rules().clear();
        sim.service.rules().add(Rule::new("held").task(task)).unwrap();
        let task = sim.start(&sim.vm("DC0_H0_VM0"), method::ResetVM_Task, &[]).unwrap();
        let engine = sim.service.engine();
        engine.run_until_idle(3600 * SECOND).unwrap();
        let record = engine.task(&task).unwrap();
        assert_eq!(record.state(), State::Running, "{at}");
        assert_eq!(record.status().progress().map(Progress::percent), last, "{at}");
        engine.release(&task).unwrap();
        engine.run_until_idle(3600 * SECOND).unwrap();
        assert!(engine.task(&task).unwrap().state().is_done(), "{at}");
    }
    // What has no percentage that it could say says nothing on its way either.
    assert_eq!(course(&sim, with("progress = 'none'\nstall = { at = 50, for = '1m' }")), [None]);
    let unset = "progress = [20, 60, 90]\nunset = { from = 60, to = 70 }";
    assert_eq!(course(&sim, with(unset)), [None, Some(20), None, Some(70), Some(90)]);
    let full = course(&sim, with("progress = [50]\nfull = '1m'"));
    assert_eq!(full, [None, Some(50), Some(100)]);
}

#[test]
fn a_stall_takes_its_time_and_nothing_else() {
    let sim = Sim::new();
    let text = "[[rule]]\n[rule.task]\nrunning = '10s'\nfull = '5s'\n\
                stall = [{ at = 50, for = '1m' }, { at = 50, for = '1m' }]";
    let rule = Scenario::parse(text).unwrap().rules.remove(0);
    sim.service.rules().add(rule).unwrap();
    let task = sim.start(&sim.vm("DC0_H0_VM0"), method::ResetVM_Task, &[]).unwrap();
    sim.service.engine().run_until_idle(3600 * SECOND).unwrap();
    let record = sim.service.engine().task(&task).unwrap();
    let status = record.status();
    let took = status.completed_at().unwrap().since(status.started_at().unwrap());
    assert_eq!(took, 135 * SECOND);
}

#[test]
fn what_does_not_apply_is_refused_by_name() {
    let sim = Sim::new();
    sim.service
        .rules()
        .add(Rule::new("held").task(TaskRule { hold: Some(Hold::QUEUED), ..TaskRule::default() }))
        .unwrap();
    let task = sim.start(&sim.vm("DC0_H0_VM0"), method::ResetVM_Task, &[]).unwrap();
    let engine = sim.service.engine();
    assert_eq!(engine.hold(&task), Err(Refused::Held));
    assert_eq!(engine.answer(&task, "0"), Err(Refused::NothingAsked));
    engine.release(&task).unwrap();
    assert_eq!(engine.release(&task), Err(Refused::Finished));
}

/// A run full of chance; every reply, as bytes.
fn replies(seed: u64) -> Vec<Vec<u8>> {
    let sim = Sim::with(|config| config.seed = Some(seed));
    let spread = Chance::Normal { mean: Span(10 * SECOND), deviation: Span(5 * SECOND) };
    let rules = sim.service.rules();
    rules.add(failing("now and then", When::default().probability(0.3))).unwrap();
    let reply = Reply { fate: Some(ReplyFate::Cut), ..Reply::default() };
    rules.add(Rule::new("cut").when(When::default().probability(0.2)).reply(reply)).unwrap();
    let task = TaskRule {
        queued: Some(Chance::Exponential { mean: Span(SECOND) }.into()),
        running: Some(spread.into()),
        ..TaskRule::default()
    };
    rules.add(Rule::new("slow").task(task)).unwrap();
    let mut replies = Vec::new();
    let mut keep = |method, answer: Result<Option<Value>, _>| {
        let mut bytes = Vec::new();
        match &answer {
            Ok(value) => encode_response(method, value.as_ref(), Version::NEWEST, &mut bytes),
            Err(fault) => encode_fault(fault, Version::NEWEST, &mut bytes),
        }
        replies.push(bytes);
        answer
    };
    let machines = ["DC0_H0_VM0", "DC0_H0_VM1", "DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1"];
    for round in 0..5 {
        let mut tasks: Vec<MoRef> = Vec::new();
        for name in machines {
            let answer =
                keep(method::ResetVM_Task, sim.call(&sim.vm(name), method::ResetVM_Task, &[]));
            tasks.extend(answer.ok().flatten().as_ref().and_then(Value::as_moref).cloned());
        }
        for _ in 0..4 {
            sim.advance(Duration::from_millis(3700 + round));
            for task in &tasks {
                let prop = crate::operations::argument("info".to_owned());
                let read = sim.call(task, method::Fetch, &[("prop", prop)]);
                let _ = keep(method::Fetch, read);
            }
        }
    }
    replies
}

#[test]
fn the_same_seed_and_calls_give_the_same_bytes() {
    let first = replies(7);
    assert!(first.len() > 50);
    assert!(first == replies(7), "the bytes differ");
    assert!(first != replies(8), "chance makes no difference");
}

#[test]
fn what_happens_by_itself_happens_at_its_time() {
    let sim = Sim::new();
    sim.service
        .rules()
        .add(
            Rule::new("slow")
                .task(TaskRule { running: Some((3600 * SECOND).into()), ..TaskRule::default() }),
        )
        .unwrap();
    let task = sim.start(&sim.vm("DC0_H0_VM0"), method::ResetVM_Task, &[]).unwrap();
    let then = Then { restart: true, ..Then::default() };
    sim.service.arrange(10 * SECOND, then);
    sim.advance(9 * SECOND);
    assert_eq!(sim.service.engine().task(&task).unwrap().state(), State::Running);
    assert_eq!(sim.service.sessions().len(), 1);
    sim.advance(SECOND);
    assert!(
        sim.service.engine().task(&task).unwrap().status().error().unwrap().is_a(ty::SystemError)
    );
    assert_eq!(sim.service.sessions().len(), 0);
}
