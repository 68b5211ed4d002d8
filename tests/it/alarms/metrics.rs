//! Alarms that look at numbers, and how long they wait.

use vimsim::inventory::Read;
use vimsim::schema::{method, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::{object, path};

use super::{Client, is_off, spec};
use crate::operations::args;

/// The number of the counter with this group and name, of averages.
fn counter(client: &Client, group: &str, name: &str) -> i32 {
    let state = client.sim.snapshot();
    let manager = MoRef::new(ty::PerformanceManager, "PerfMgr");
    let all = state.at(&manager, path!(PerformanceManager, "perfCounter")).expect("counters");
    let mut all = all.items().iter().filter_map(Value::as_object);
    let is_it = |it: &&Object| {
        let text = |path| it.at(path).and_then(Value::as_str);
        text(path!(PerfCounterInfo, "groupInfo.key")) == Some(group)
            && text(path!(PerfCounterInfo, "nameInfo.key")) == Some(name)
            && text(path!(PerfCounterInfo, "rollupType")) == Some("average")
    };
    let found = all.find(is_it).expect("a counter");
    found.at(path!(PerfCounterInfo, "key")).and_then(Value::as_i32).expect("a key")
}

struct Bounds {
    yellow: Option<i32>,
    red: Option<i32>,
    lasting: Option<i32>,
}

fn metric(id: i32, of: &str, operator: &str, bounds: &Bounds) -> Object {
    object!(MetricAlarmExpression {
        operator: operator,
        type: of,
        metric: object!(PerfMetricId { counterId: id, instance: "" }),
        yellow: bounds.yellow,
        yellowInterval: bounds.lasting,
        red: bounds.red,
        redInterval: bounds.lasting,
    })
}

fn cpu(client: &Client) -> i32 {
    let path = path!(VirtualMachine, "summary.quickStats.overallCpuUsage");
    let number = client.sim.snapshot().at(&client.vm, path).and_then(Value::as_i32);
    number.expect("a number")
}

fn with_setting(spec: &Object, tolerance: i32, pause: i32) -> Object {
    let setting = object!(AlarmSetting { toleranceRange: tolerance, reportingFrequency: pause });
    spec.with(const { ty::AlarmSpec.slot("setting") }, setting)
}

#[test]
fn numbers_are_compared_with_bounds() {
    let client = Client::new();
    let (mhz, share) = (counter(&client, "cpu", "usagemhz"), counter(&client, "cpu", "usage"));
    let now = cpu(&client);
    assert!(now > 0);
    let both = |yellow, red| Bounds { yellow: Some(yellow), red: Some(red), lasting: None };
    let table = [
        (mhz, "isAbove", both(now - 1, now), "yellow"),
        (mhz, "isAbove", both(now - 2, now - 1), "red"),
        (mhz, "isAbove", both(now, now + 1), "green"),
        (mhz, "isBelow", both(now + 1, now), "yellow"),
        (mhz, "isBelow", both(now + 2, now + 1), "red"),
        (share, "isBelow", both(10_001, 0), "yellow"),
        (share, "isAbove", both(10_000, 10_000), "green"),
        // Its numbers are made up when somebody asks.
        (counter(&client, "net", "usage"), "isAbove", both(-2, -1), "gray"),
    ];
    let mut alarms = Vec::new();
    for (at, (id, operator, bounds, expected)) in table.into_iter().enumerate() {
        let expression = metric(id, "VirtualMachine", operator, &bounds);
        let alarm = client.made(&client.vm, spec(&format!("alarm {at}"), expression));
        assert_eq!(client.status(&client.vm, &alarm), expected, "alarm {at}");
        alarms.push(alarm);
    }
    // Of a machine that does not run nothing is known.
    client.power(false);
    for alarm in &alarms {
        assert_eq!(client.status(&client.vm, alarm), "gray");
    }
    client.power(true);
    assert_eq!(client.status(&client.vm, &alarms[1]), "red");
}

#[test]
fn numbers_of_hosts_and_clusters_follow_their_machines() {
    let client = Client::new();
    let id = counter(&client, "cpu", "usagemhz");
    let bounds = Bounds { yellow: None, red: Some(0), lasting: None };
    let on_host = metric(id, "HostSystem", "isAbove", &bounds);
    let alarm = client.made(&client.root, spec("host", on_host));
    let host = client.sim.find(ty::HostSystem, "DC0_H0");
    assert_eq!(client.status(&host, &alarm), "red");
    for name in ["DC0_H0_VM0", "DC0_H0_VM1"] {
        client.sim.done(&client.sim.vm(name), method::PowerOffVM_Task, args![]);
    }
    let used = client.sim.snapshot();
    let used = used.at(&host, path!(HostSystem, "summary.quickStats.overallCpuUsage"));
    let expected = if used.and_then(Value::as_i64) > Some(0) { "red" } else { "green" };
    assert_eq!(client.status(&host, &alarm), expected);
}

/// How far beyond a bound is far enough: points of a percentage, parts of others.
#[test]
fn tolerance_is_added_to_bounds() {
    let client = Client::new();
    let id = counter(&client, "cpu", "usagemhz");
    let now = cpu(&client);
    let bound = Bounds { yellow: None, red: Some(now * 10 / 11 - 1), lasting: None };
    let expression = metric(id, "VirtualMachine", "isAbove", &bound);
    let one = spec("tolerant", expression);
    let alarm = client.made(&client.vm, with_setting(&one, 1_000, 0));
    assert_eq!(client.status(&client.vm, &alarm), "red");
    let less = with_setting(&one, 2_000, 0);
    client.sim.call(&alarm, method::ReconfigureAlarm, args![spec = less]).expect("changed");
    assert_eq!(client.status(&client.vm, &alarm), "green");
    let wrong = client.create(&client.vm, with_setting(&spec("wrong", is_off()), -1, 0));
    assert_eq!(wrong.expect_err("a fault").ty(), ty::InvalidArgument);
}

#[test]
fn a_number_must_be_beyond_a_bound_for_long_enough() {
    let client = Client::new();
    let id = counter(&client, "cpu", "usagemhz");
    let bound = Bounds { yellow: None, red: Some(0), lasting: Some(60) };
    let expression = metric(id, "VirtualMachine", "isAbove", &bound);
    let alarm = client.made(&client.vm, spec("lasting", expression));
    assert_eq!(client.status(&client.vm, &alarm), "green");
    client.advance(59);
    assert_eq!(client.status(&client.vm, &alarm), "green");
    client.advance(1);
    assert_eq!(client.status(&client.vm, &alarm), "red");
    // In between it was not, so the time begins anew.
    let off = client.sim.start(&client.vm, method::PowerOffVM_Task, args![]).expect("a task");
    client.advance(30);
    assert_eq!(client.sim.text(&off, path!(Task, "info.state")), "success");
    let on = client.sim.start(&client.vm, method::PowerOnVM_Task, args![]);
    on.expect("a task");
    client.advance(30);
    assert_ne!(client.status(&client.vm, &alarm), "red");
    client.advance(90);
    assert_eq!(client.status(&client.vm, &alarm), "red");
}

/// A trigger soon after another one is noticed when the pause is over.
#[test]
fn triggers_that_follow_each_other_are_reported_after_a_pause() {
    let client = Client::new();
    let alarm = client.made(&client.vm, with_setting(&spec("off", is_off()), 0, 4 * 3600));
    client.power(false);
    client.power(true);
    client.power(false);
    assert_eq!(client.changes(), ["green to red", "red to green"]);
    assert_eq!(client.status(&client.vm, &alarm), "green");
    client.advance(4 * 3600);
    assert_eq!(client.status(&client.vm, &alarm), "red");
    assert_eq!(client.changes().len(), 3);
}
