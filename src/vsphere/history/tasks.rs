//! `TaskHistoryCollector`, and the methods of `TaskManager` that read history.

use std::sync::Arc;

use serde::Deserialize;

use super::{Collector, History, LARGEST_PAGE};
use crate::engine::tasks_in;
use crate::fault::Fault;
use crate::inventory::Snapshot;
use crate::object;
use crate::path;
use crate::schema::{Type, method, ty};
use crate::task::filter::{EntityFilter, Scope, TimeFilter, TimeKind, UserFilter};
use crate::task::{Target, TaskFilter, TaskId, TaskRecord, TaskTable};
use crate::value::{DateTime, EnumValue, MoRef, Object, Str, Value, bridge};
use crate::vsphere::authorization::Access;
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::service::Service;
use crate::vsphere::task::info;

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::TaskManager, method::CreateCollectorForTasks, Handler::Now(create)),
    (
        ty::TaskManager,
        method::CreateCollectorWithInfoFilterForTasks,
        Handler::Now(create_with_info_filter),
    ),
    (ty::TaskManager, method::ReadNextTasksByViewSpec, Handler::Now(read_by_view)),
    (ty::TaskHistoryCollector, method::ReadNextTasks, Handler::Now(read_next)),
    (ty::TaskHistoryCollector, method::ReadPreviousTasks, Handler::Now(read_previous)),
    (ty::TaskHistoryCollector, method::RewindCollector, Handler::Now(super::rewind::<Tasks>)),
    (ty::TaskHistoryCollector, method::ResetCollector, Handler::Now(super::reset::<Tasks>)),
    (
        ty::TaskHistoryCollector,
        method::SetCollectorPageSize,
        Handler::Now(super::set_page_size::<Tasks>),
    ),
    (ty::TaskHistoryCollector, method::DestroyCollector, Handler::Now(super::destroy)),
];

/// The tasks that a filter lets through.
struct Tasks {
    filter: TaskFilter,
    results: Results,
}

/// Which tasks are told together with their results.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Results {
    #[serde(default)]
    remove_all: bool,
    #[serde(default)]
    description_ids: Vec<String>,
    #[serde(default)]
    filter_in: bool,
}

impl Results {
    /// Of a `TaskInfoFilterSpec`.
    fn new(spec: Option<&Object>) -> Result<Self, Fault> {
        let of = spec.and_then(|spec| spec.at(path!(TaskInfoFilterSpec, "filterTaskResults")));
        Ok(match of {
            Some(given) => bridge::from_value(given)?,
            None => Self::default(),
        })
    }

    /// Whether the result of a task is told. Of the tasks that are named only,
    /// or of all but those; if none are named, of all.
    fn tells(&self, description_id: &str) -> bool {
        let named = || self.description_ids.iter().any(|id| id == description_id);
        !self.remove_all && (self.description_ids.is_empty() || named() == self.filter_in)
    }
}

impl History for Tasks {
    type Entry = Arc<TaskRecord>;

    const COLLECTOR: Type = ty::TaskHistoryCollector;
    const ENTRY: Type = ty::TaskInfo;
    // So real servers were seen to do.
    const REFILLS: bool = false;

    fn key(entry: &Self::Entry) -> u64 {
        entry.id.number()
    }

    fn stamp(entry: &Self::Entry) -> u32 {
        Target::of(entry.state()) as u32
    }

    fn show(&self, entry: &Self::Entry) -> Object {
        let info = info(entry);
        if entry.status().result().is_none() || self.results.tells(&entry.description_id) {
            return info;
        }
        info.with(const { ty::TaskInfo.slot("result") }, None::<Value>)
    }

    fn shows(access: &Access, entry: &Self::Entry) -> bool {
        access.may_read_task(entry)
    }

    fn properties(&self, filter: &Object, page: Vec<Object>) -> Object {
        object!(TaskHistoryCollector { filter: filter, latestPage: page })
    }

    fn newer(&self, state: &Snapshot, after: u64, max: usize) -> Vec<Self::Entry> {
        let Some(tasks) = tasks_in(state) else { return Vec::new() };
        tasks.newer(&self.filter, Some(TaskId::new(after)), max)
    }

    fn older(&self, state: &Snapshot, first: u64, before: u64, max: usize) -> Vec<Self::Entry> {
        let Some(tasks) = tasks_in(state) else { return Vec::new() };
        tasks.older(&self.filter, TaskId::new(first), Some(TaskId::new(before)), max)
    }

    fn newest(&self, state: &Snapshot) -> u64 {
        tasks_in(state).map_or(0, TaskTable::created)
    }

    fn settled(&self, state: &Snapshot) -> u64 {
        tasks_in(state).map_or(1, |tasks| tasks.first_live().number())
    }
}

fn create(service: &Service, call: &Call) -> Answer {
    make(service, call, arg!(CreateCollectorForTasks.filter), None)
}

fn create_with_info_filter(service: &Service, call: &Call) -> Answer {
    let results = call.get(arg!(CreateCollectorWithInfoFilterForTasks.infoFilter));
    let filter = arg!(CreateCollectorWithInfoFilterForTasks.filter);
    make(service, call, filter, results.and_then(Value::as_object))
}

fn make(service: &Service, call: &Call, filter: usize, results: Option<&Object>) -> Answer {
    // A host keeps no history.
    service.require_vcenter()?;
    let spec = call.required(filter)?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("filter"))?;
    let history = Tasks { filter: read_filter(spec)?, results: Results::new(results)? };
    let signal = service.content().task_manager.clone();
    let collector =
        Collector::new(history, spec.clone(), signal, &service.engine().snapshot(), None);
    super::add(service, call, service.config().tasks.collectors, collector)
}

fn read_next(service: &Service, call: &Call) -> Answer {
    super::read_next::<Tasks>(service, call, arg!(ReadNextTasks.maxCount))
}

fn read_previous(service: &Service, call: &Call) -> Answer {
    super::read_previous::<Tasks>(service, call, arg!(ReadPreviousTasks.maxCount))
}

/// One page beside a task that the caller names: a count above zero asks for
/// the tasks before it, or for the newest if it names none; a count below zero
/// for those after it. Both come newest first, as they are shown: the reference
/// does not say, and calls the one the next page and the other the previous.
fn read_by_view(service: &Service, call: &Call) -> Answer {
    service.require_vcenter()?;
    let view = call.required(arg!(ReadNextTasksByViewSpec.viewSpec))?.as_object();
    let view = view.filter(|view| view.ty().is_a(ty::TaskManagerViewByStartId));
    let view = view.ok_or_else(|| Fault::invalid_argument("viewSpec"))?;
    let start = view.at(path!(TaskManagerViewByStartId, "startId")).and_then(Value::as_str);
    let count = view.at(path!(TaskManagerViewByStartId, "count")).and_then(Value::as_i64);
    let count = count.unwrap_or_default();
    let start = match start.unwrap_or_default() {
        "" if count > 0 => None,
        "task-0" => Some(TaskId::new(0)),
        key => Some(TaskId::parse(key).ok_or_else(|| Fault::invalid_argument("viewSpec.startId"))?),
    };
    let max = usize::try_from(count.unsigned_abs()).unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE);
    if max == 0 {
        return Err(Fault::invalid_argument("viewSpec.count"));
    }
    let spec = call.required(arg!(ReadNextTasksByViewSpec.filterSpec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("filterSpec"))?;
    let results = call.get(arg!(ReadNextTasksByViewSpec.infoFilterSpec));
    let results = Results::new(results.and_then(Value::as_object))?;
    let history = Tasks { filter: read_filter(spec)?, results };
    let state = service.engine().snapshot();
    let Some(tasks) = tasks_in(&state) else { return Ok(None) };
    let page = if count > 0 {
        tasks.older(&history.filter, TaskId::new(0), start, max)
    } else {
        let mut page = tasks.newer(&history.filter, start, max);
        page.reverse();
        page
    };
    super::reply(service, call, &state, &history, &page)
}

/// A `TaskFilterSpec`, as far as it is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    entity: Option<SpecByEntity>,
    time: Option<SpecByTime>,
    user_name: Option<SpecByUsername>,
    alarm: Option<MoRef>,
    scheduled_task: Option<MoRef>,
    #[serde(default)]
    activation_id: Vec<String>,
    #[serde(default)]
    state: Vec<EnumValue>,
    #[serde(default)]
    event_chain_id: Vec<i32>,
    #[serde(default)]
    tag: Vec<String>,
    #[serde(default)]
    parent_task_key: Vec<String>,
    #[serde(default)]
    root_task_key: Vec<String>,
}

#[derive(Deserialize)]
struct SpecByEntity {
    entity: MoRef,
    recursion: Recursion,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Recursion {
    #[serde(rename = "self")]
    Itself,
    Children,
    All,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecByTime {
    time_type: TimeOption,
    begin_time: Option<DateTime>,
    end_time: Option<DateTime>,
}

#[derive(Deserialize)]
enum TimeOption {
    #[serde(rename = "queuedTime")]
    Queued,
    #[serde(rename = "startedTime")]
    Started,
    #[serde(rename = "completedTime")]
    Completed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecByUsername {
    system_user: bool,
    #[serde(default)]
    user_list: Vec<String>,
}

/// The filter that a `TaskFilterSpec` describes. An entity need not exist any
/// more: its tasks are remembered.
fn read_filter(spec: &Object) -> Result<TaskFilter, Fault> {
    let spec: Spec = bridge::from_object(spec)?;
    let states: Vec<Target> =
        spec.state.iter().filter_map(|state| Target::parse(state.as_str())).collect();
    Ok(TaskFilter {
        entity: spec.entity.map(|by| EntityFilter {
            entity: by.entity,
            scope: match by.recursion {
                Recursion::Itself => Scope::Itself,
                Recursion::Children => Scope::Below,
                Recursion::All => Scope::Both,
            },
        }),
        time: spec.time.map(|by| TimeFilter {
            kind: match by.time_type {
                TimeOption::Queued => TimeKind::Queued,
                TimeOption::Started => TimeKind::Started,
                TimeOption::Completed => TimeKind::Completed,
            },
            begin: by.begin_time,
            end: by.end_time,
        }),
        user: spec.user_name.map(|by| {
            let users = (!by.user_list.is_empty()).then_some(&by.user_list);
            UserFilter::new(by.system_user, users.map(|list| list.iter().map(String::as_str)))
        }),
        states: (!states.is_empty()).then_some(states),
        alarm: spec.alarm,
        scheduled_task: spec.scheduled_task,
        activation_ids: set(texts(&spec.activation_id)),
        event_chains: set(spec.event_chain_id),
        tags: set(texts(&spec.tag)),
        parents: keys(&spec.parent_task_key),
        roots: keys(&spec.root_task_key),
    })
}

fn texts(texts: &[String]) -> Vec<Str> {
    texts.iter().map(Str::from).collect()
}

/// An array that is empty is one that is not set.
fn set<T: Eq + std::hash::Hash, S: std::hash::BuildHasher + Default>(
    values: Vec<T>,
) -> Option<std::collections::HashSet<T, S>> {
    (!values.is_empty()).then(|| values.into_iter().collect())
}

/// Keys that name no task match none, but they are a condition all the same.
fn keys<S: std::hash::BuildHasher + Default>(
    keys: &[String],
) -> Option<std::collections::HashSet<TaskId, S>> {
    (!keys.is_empty()).then(|| keys.iter().filter_map(|key| TaskId::parse(key)).collect())
}
