//! `PerformanceManager`: which numbers there are about machines, hosts, pools
//! and clusters, and series of them.
//!
//! The series are made up: they swing around what `quickStats` and the hardware
//! say now, by an amount that follows from entity, counter and time alone, so
//! whoever asks twice gets the same answer. They reach back beyond the start of
//! the simulator, as a client of a server in use expects it. There is one
//! instance of each counter, the sum.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::service::Service;
use super::vm::state;
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::schema::{Type, method, ty};
use crate::value::{Array, DateTime, MoRef, Object, Value};
use crate::{object, path};

pub(super) const METHODS: &[Entry] = &[
    (ty::PerformanceManager, method::QueryPerfProviderSummary, Handler::Now(provider)),
    (ty::PerformanceManager, method::QueryAvailablePerfMetric, Handler::Now(available)),
    (ty::PerformanceManager, method::QueryPerfCounter, Handler::Now(counters)),
    (ty::PerformanceManager, method::QueryPerfCounterByLevel, Handler::Now(counters_by_level)),
    (ty::PerformanceManager, method::QueryPerf, Handler::Now(query)),
];

/// Seconds between the samples of a series of the last hour.
const REAL_TIME: i64 = 20;
const HOUR: i64 = 3600;

/// Counters by group, name and rollup, and on which entities they are.
const SERIES: &[(&str, &str, &str, &[Type])] = &[
    ("cpu", "usage", "average", &[ty::VirtualMachine, ty::HostSystem, ty::ClusterComputeResource]),
    (
        "cpu",
        "usagemhz",
        "average",
        &[ty::VirtualMachine, ty::HostSystem, ty::ClusterComputeResource, ty::ResourcePool],
    ),
    ("cpu", "ready", "summation", &[ty::VirtualMachine]),
    ("mem", "usage", "average", &[ty::VirtualMachine, ty::HostSystem, ty::ClusterComputeResource]),
    (
        "mem",
        "consumed",
        "average",
        &[ty::VirtualMachine, ty::HostSystem, ty::ClusterComputeResource, ty::ResourcePool],
    ),
    ("mem", "active", "average", &[ty::VirtualMachine, ty::HostSystem]),
    ("net", "usage", "average", &[ty::VirtualMachine, ty::HostSystem]),
    ("disk", "usage", "average", &[ty::VirtualMachine, ty::HostSystem]),
    ("sys", "uptime", "latest", &[ty::VirtualMachine, ty::HostSystem]),
];

/// A counter that an entity has.
struct Counter {
    key: i32,
    group: &'static str,
    name: &'static str,
}

fn list<'s>(state: &'s Snapshot, manager: &MoRef) -> &'s [Value] {
    let list = state.at(manager, path!(PerformanceManager, "perfCounter"));
    list.map(Value::items).unwrap_or_default()
}

/// The counters of an entity.
fn of_entity(state: &Snapshot, manager: &MoRef, entity: &MoRef) -> Vec<Counter> {
    let all = list(state, manager);
    let there = SERIES.iter().filter(|(.., on)| on.iter().any(|of| entity.ty().is_a(*of)));
    let keyed = there.filter_map(|(group, name, rollup, _)| {
        let found = all.iter().filter_map(Value::as_object).find(|counter| {
            let text = |path| counter.at(path).and_then(Value::as_str);
            text(path!(PerfCounterInfo, "groupInfo.key")) == Some(group)
                && text(path!(PerfCounterInfo, "nameInfo.key")) == Some(name)
                && text(path!(PerfCounterInfo, "rollupType")) == Some(rollup)
        })?;
        let key = found.at(path!(PerfCounterInfo, "key"))?.as_i32()?;
        Some(Counter { key, group, name })
    });
    keyed.collect()
}

/// Whether there are series of the last hour: of machines and hosts.
fn is_current(entity: &MoRef) -> bool {
    entity.ty().is_a(ty::VirtualMachine) || entity.ty().is_a(ty::HostSystem)
}

fn existing<'c>(state: &Snapshot, entity: Option<&'c MoRef>) -> Result<&'c MoRef, Fault> {
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    if state.exists(entity) { Ok(entity) } else { Err(Fault::not_found(entity)) }
}

fn provider(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let entity = existing(&state, call.moref(arg!(QueryPerfProviderSummary.entity)))?;
    if of_entity(&state, &call.this, entity).is_empty() {
        return Err(Fault::invalid_argument("entity"));
    }
    let current = is_current(entity);
    let summary = object!(PerfProviderSummary {
        entity: entity,
        currentSupported: current,
        summarySupported: true,
        refreshRate: current.then_some(REAL_TIME),
    });
    Ok(Some(summary.into()))
}

fn available(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let entity = existing(&state, call.moref(arg!(QueryAvailablePerfMetric.entity)))?;
    let interval = call.get(arg!(QueryAvailablePerfMetric.intervalId)).and_then(Value::as_i64);
    let counters = if interval == Some(REAL_TIME) && !is_current(entity) {
        Vec::new()
    } else {
        of_entity(&state, &call.this, entity)
    };
    let ids = counters.iter().map(|it| Value::from(metric(it))).collect();
    Ok(Some(Array::new(ty::PerfMetricId, ids).into()))
}

fn metric(counter: &Counter) -> Object {
    object!(PerfMetricId { counterId: counter.key, instance: "" })
}

fn counter_key(counter: &Value) -> Option<i32> {
    counter.as_object()?.at(path!(PerfCounterInfo, "key"))?.as_i32()
}

fn counters(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let all = list(&state, &call.this);
    let wanted = call.required(arg!(QueryPerfCounter.counterId))?.items().iter();
    let found = wanted.map(|key| {
        let counter = all.iter().find(|it| counter_key(it) == key.as_i32());
        counter.cloned().ok_or_else(|| Fault::invalid_argument("counterId"))
    });
    Ok(Some(Array::new(ty::PerfCounterInfo, found.collect::<Result<_, _>>()?).into()))
}

fn counters_by_level(service: &Service, call: &Call) -> Answer {
    let most = call.required(arg!(QueryPerfCounterByLevel.level))?.as_i64().unwrap_or_default();
    if !(1..=4).contains(&most) {
        return Err(Fault::invalid_argument("level"));
    }
    let state = service.engine().snapshot();
    let level = |it: &Value| it.as_object()?.at(path!(PerfCounterInfo, "level"))?.as_i64();
    let found = list(&state, &call.this).iter().filter(|it| level(it).is_some_and(|it| it <= most));
    Ok(Some(Array::new(ty::PerfCounterInfo, found.cloned().collect()).into()))
}

fn query(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let now = service.engine().now();
    let specs = call.required(arg!(QueryPerf.querySpec))?.items().iter();
    let found = specs
        .filter_map(Value::as_object)
        .map(|spec| series(&state, &call.this, spec, now).map(Value::from));
    Ok(Some(Array::new(ty::PerfEntityMetricBase, found.collect::<Result<_, _>>()?).into()))
}

/// What is answered to one question.
fn series(
    state: &Snapshot,
    manager: &MoRef,
    spec: &Object,
    now: DateTime,
) -> Result<Object, Fault> {
    let entity = spec.at(path!(PerfQuerySpec, "entity")).and_then(Value::as_moref);
    let entity = existing(state, entity)?;
    let times = times(state, manager, spec, entity, now)?;
    let mut counters = of_entity(state, manager, entity);
    if let Some(wanted) =
        spec.at(path!(PerfQuerySpec, "metricId")).filter(|it| !it.items().is_empty())
    {
        let wanted: Vec<&Object> = wanted.items().iter().filter_map(Value::as_object).collect();
        counters.retain(|counter| {
            wanted.iter().any(|it| {
                let key = it.at(path!(PerfMetricId, "counterId")).and_then(Value::as_i32);
                let instance = it.at(path!(PerfMetricId, "instance")).and_then(Value::as_str);
                key == Some(counter.key) && matches!(instance, None | Some("" | "*"))
            })
        });
    }
    let values = |counter: &Counter| -> Vec<i64> {
        times.at.iter().map(|at| value(state, entity, counter, *at, times.interval)).collect()
    };
    match spec.at(path!(PerfQuerySpec, "format")).and_then(Value::as_str) {
        None | Some("" | "normal") => {
            let value = |counter| {
                object!(PerfMetricIntSeries { id: metric(counter), value: values(counter) })
            };
            let sample = |at: &DateTime| {
                object!(PerfSampleInfo { timestamp: *at, interval: times.interval })
            };
            Ok(object!(PerfEntityMetric {
                entity: entity,
                sampleInfo: times.at.iter().map(sample).collect::<Vec<_>>(),
                value: counters.iter().map(value).collect::<Vec<_>>(),
            }))
        }
        Some("csv") => {
            let value = |counter| {
                let texts: Vec<String> = values(counter).iter().map(ToString::to_string).collect();
                object!(PerfMetricSeriesCSV { id: metric(counter), value: texts.join(",") })
            };
            let sample = |at: &DateTime| {
                let mut text = format!("{},", times.interval).into_bytes();
                at.write(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            };
            let samples: Vec<String> = times.at.iter().map(sample).collect();
            Ok(object!(PerfEntityMetricCSV {
                entity: entity,
                sampleInfoCSV: samples.join(","),
                value: counters.iter().map(value).collect::<Vec<_>>(),
            }))
        }
        Some(_) => Err(Fault::invalid_argument("querySpec.format")),
    }
}

struct Times {
    interval: i64,
    at: Vec<DateTime>,
}

/// When the samples are from: after the start, until the end, as far back as
/// the interval's samples are kept. A machine that does not run has no current
/// ones.
fn times(
    state: &Snapshot,
    manager: &MoRef,
    spec: &Object,
    entity: &MoRef,
    now: DateTime,
) -> Result<Times, Fault> {
    let kept = |wanted: i64| {
        if wanted == REAL_TIME {
            return is_current(entity).then_some(HOUR);
        }
        let all = state.at(manager, path!(PerformanceManager, "historicalInterval"));
        let all = all.map(Value::items).unwrap_or_default().iter().filter_map(Value::as_object);
        let mut all = all.filter_map(|it| {
            let number = |path| it.at(path).and_then(Value::as_i64);
            Some((
                number(path!(PerfInterval, "samplingPeriod"))?,
                number(path!(PerfInterval, "length"))?,
            ))
        });
        all.find(|(period, _)| *period == wanted).map(|(_, length)| length)
    };
    let asked = spec.at(path!(PerfQuerySpec, "intervalId")).and_then(Value::as_i64);
    let interval = asked.unwrap_or(if is_current(entity) { REAL_TIME } else { 300 });
    let kept = kept(interval).filter(|_| interval > 0);
    let kept = kept.ok_or_else(|| Fault::invalid_argument("querySpec.interval"))?;
    let seconds = |path| {
        let at = spec.at(path).and_then(Value::as_date_time);
        at.map(|at| at.micros().div_euclid(1_000_000))
    };
    let now = now.micros().div_euclid(1_000_000);
    let end = seconds(path!(PerfQuerySpec, "endTime")).map_or(now, |end| end.min(now));
    let first = seconds(path!(PerfQuerySpec, "startTime")).unwrap_or(now - kept).max(now - kept);
    let is_idle = entity.ty().is_a(ty::VirtualMachine) && state::power(state, entity) != state::ON;
    let mut at = Vec::new();
    if !(is_idle && interval == REAL_TIME) {
        let mut next = (first.div_euclid(interval) + 1) * interval;
        while next <= end {
            at.push(DateTime::from_micros(next * 1_000_000));
            next += interval;
        }
    }
    // The latest ones count.
    let most = spec.at(path!(PerfQuerySpec, "maxSample")).and_then(Value::as_i64);
    let most = most.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0);
    if let Some(most) = most {
        at.drain(..at.len().saturating_sub(most));
    }
    Ok(Times { interval, at })
}

/// One number: what it is now, up to a fifth more or less.
fn value(state: &Snapshot, entity: &MoRef, counter: &Counter, at: DateTime, interval: i64) -> i64 {
    if counter.name == "uptime" {
        let path = if entity.ty().is_a(ty::HostSystem) {
            path!(HostSystem, "runtime.bootTime")
        } else {
            path!(VirtualMachine, "runtime.bootTime")
        };
        let boot = state.at(entity, path).and_then(Value::as_date_time);
        let up = boot.map_or(Duration::ZERO, |boot| at.since(boot));
        return i64::try_from(up.as_secs()).unwrap_or_default();
    }
    let mut hasher = foldhash::fast::FixedState::with_seed(0).build_hasher();
    hasher.write(entity.id().as_bytes());
    hasher.write_i32(counter.key);
    hasher.write_i64(at.micros());
    let swing = i64::try_from(hasher.finish() % 401).unwrap_or_default() - 200;
    let middle = middle(state, entity, counter, interval);
    (middle + middle * swing / 1000).max(0)
}

/// What a number swings around.
fn middle(state: &Snapshot, entity: &MoRef, counter: &Counter, interval: i64) -> i64 {
    match (counter.group, counter.name) {
        ("cpu", "ready") => 35 * interval / REAL_TIME,
        ("net", _) => 12,
        ("disk", _) => 40,
        (group, name) => {
            let level = level(state, entity, group, name).unwrap_or_default();
            if name == "usage" { level.min(8_000) } else { level }
        }
    }
}

/// What a counter says now, if that follows from what is kept of the entity.
pub(super) fn level(
    state: &(impl Read + ?Sized),
    entity: &MoRef,
    group: &str,
    name: &str,
) -> Option<i64> {
    // Not by reference: of what nobody has changed, nothing is made and kept.
    let of_object = |mo: &MoRef, path| state.properties(mo)?.value(path)?.as_i64();
    let number = |path| of_object(entity, path).unwrap_or_default();
    let of = entity.ty();
    // In MHz, MHz, MB and MB.
    let (cpu, most_cpu, memory, most_memory) = if of.is_a(ty::VirtualMachine) {
        (
            number(path!(VirtualMachine, "summary.quickStats.overallCpuUsage")),
            number(path!(VirtualMachine, "runtime.maxCpuUsage")),
            number(path!(VirtualMachine, "summary.quickStats.hostMemoryUsage")),
            number(path!(VirtualMachine, "config.hardware.memoryMB")),
        )
    } else if of.is_a(ty::HostSystem) {
        (
            number(path!(HostSystem, "summary.quickStats.overallCpuUsage")),
            number(path!(HostSystem, "summary.hardware.cpuMhz"))
                * number(path!(HostSystem, "summary.hardware.numCpuCores")),
            number(path!(HostSystem, "summary.quickStats.overallMemoryUsage")),
            number(path!(HostSystem, "summary.hardware.memorySize")) >> 20,
        )
    } else if of.is_a(ty::ClusterComputeResource) {
        let hosts = state.morefs(entity, path!(ComputeResource, "host"));
        let sum = |path| -> i64 { hosts.iter().filter_map(|host| of_object(host, path)).sum() };
        (
            sum(path!(HostSystem, "summary.quickStats.overallCpuUsage")),
            number(path!(ComputeResource, "summary.totalCpu")),
            sum(path!(HostSystem, "summary.quickStats.overallMemoryUsage")),
            number(path!(ComputeResource, "summary.totalMemory")) >> 20,
        )
    } else {
        (
            number(path!(ResourcePool, "runtime.cpu.overallUsage")),
            0,
            number(path!(ResourcePool, "runtime.memory.overallUsage")) >> 20,
            0,
        )
    };
    let share = |part: i64, whole: i64| if whole > 0 { part * 10_000 / whole } else { 0 };
    Some(match (group, name) {
        ("cpu", "usage") => share(cpu, most_cpu),
        ("cpu", "usagemhz") => cpu,
        ("mem", "usage") => share(memory, most_memory),
        ("mem", "consumed") => memory << 10,
        ("mem", "active") => memory << 8,
        _ => return None,
    })
}
