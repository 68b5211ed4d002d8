//! A client that follows all tasks by updates, and may go away and come back.

use std::collections::BTreeMap;
use std::sync::Arc;

use vimsim::collector::{Collector, Limits, MayRead, Source, Subscriptions, Wait};
use vimsim::engine::{self, Engine};
use vimsim::inventory::{Properties, Snapshot, Transaction};
use vimsim::value::Array;

use super::*;

const PROPERTIES: [&str; 6] = [
    "info.state",
    "info.cancelled",
    "info.progress",
    "info.result",
    "info.startTime",
    "info.completeTime",
];

/// How a watcher goes on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resume {
    /// From the version it has.
    Continue,
    /// From the version before: the last answer got lost.
    Again,
    /// Without a version.
    Fresh,
    /// With a new session.
    Restart,
}

/// The values that the client was told of, by task and property.
pub(super) type Told = BTreeMap<MoRef, BTreeMap<String, Value>>;

/// What it knew at a version.
#[derive(Clone, Default)]
struct Known {
    version: String,
    told: Told,
}

pub(super) struct Watcher {
    index: Arc<Subscriptions>,
    collector: Collector,
    before: Known,
    last: Known,
}

fn manager() -> MoRef {
    MoRef::new(ty::TaskManager, "TaskManager")
}

/// Shows tasks as [`Plain`] does, and lists them all.
pub(super) struct Listed;

impl Projection for Listed {
    fn project(&self, task: &TaskRecord) -> Object {
        Plain.project(task)
    }

    fn on_change(&self, tx: &mut Transaction, old: Option<&TaskRecord>, _: &Arc<TaskRecord>) {
        if old.is_none() {
            tx.touch(&manager());
        }
    }
}

struct Seen(Arc<Snapshot>);

impl Source for Seen {
    fn get(&self, mo: &MoRef) -> Option<Properties> {
        if *mo != manager() {
            return self.0.properties(mo).cloned();
        }
        let tasks = engine::tasks_in(&self.0).into_iter().flat_map(vimsim::task::TaskTable::iter);
        let all: Vec<MoRef> = tasks.map(|task| task.mo.clone()).collect();
        Some(object!(TaskManager { recentTask: all }).into())
    }

    fn depends(&self, _: &MoRef, _: &mut dyn FnMut(&MoRef)) {}

    fn limits(&self) -> Option<Arc<dyn MayRead>> {
        None
    }

    fn version(&self) -> u64 {
        self.0.version()
    }
}

/// All tasks, found by the list of them.
fn everything() -> Object {
    let traversal = object!(TraversalSpec {
        type: "TaskManager",
        path: "recentTask",
        skip: false,
    });
    let start = object!(ObjectSpec { obj: manager(), skip: true, selectSet: vec![traversal] });
    let properties = object!(PropertySpec { type: "Task", pathSet: PROPERTIES.to_vec() });
    object!(PropertyFilterSpec { propSet: vec![properties], objectSet: vec![start] })
}

impl Watcher {
    /// Watches the tasks of an engine whose projection is [`Listed`].
    pub(super) fn new(engine: &Engine) -> Self {
        let index = Subscriptions::new();
        let told = Arc::clone(&index);
        assert!(engine.store().observe(Box::new(move |commit| told.on_commit(commit))));
        let made = engine.commit(|tx| {
            tx.insert(manager(), object!(TaskManager {}));
            Ok(())
        });
        made.expect("a task manager");
        let collector = Self::login(&index, engine);
        Self { index, collector, before: Known::default(), last: Known::default() }
    }

    fn login(index: &Arc<Subscriptions>, engine: &Engine) -> Collector {
        let collector = Collector::new(Arc::clone(index), Limits::default());
        let filter = MoRef::new(ty::PropertyFilter, "filter-1");
        let made = collector.create_filter(filter, &everything(), false, &Seen(engine.snapshot()));
        made.expect("a filter");
        collector
    }

    /// Asks once; gives what the client knows then.
    pub(super) fn resume(&mut self, engine: &Engine, how: Resume) -> &Told {
        let start = match how {
            Resume::Continue => self.last.clone(),
            Resume::Again => self.before.clone(),
            Resume::Fresh => Known::default(),
            Resume::Restart => {
                self.collector = Self::login(&self.index, engine);
                Known::default()
            }
        };
        let wait = Wait::check(&start.version);
        let answer = self.collector.wait(&wait, || Seen(engine.snapshot()), std::future::pending());
        let answer = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(answer);
        let mut now = start.clone();
        if let Some(updates) = answer.expect("an answer") {
            apply(&mut now.told, &updates);
            now.version = updates.field("version").and_then(Value::as_str).expect("one").to_owned();
        }
        self.before = start;
        self.last = now;
        &self.last.told
    }
}

fn list<'o>(object: &'o Object, field: &str) -> Vec<&'o Object> {
    let array = object.field(field).and_then(Value::as_array);
    array.into_iter().flat_map(Array::items).filter_map(Value::as_object).collect()
}

fn text<'o>(object: &'o Object, field: &str) -> &'o str {
    object.field(field).and_then(Value::as_str).expect("a text")
}

fn apply(told: &mut Told, updates: &Object) {
    let sets = list(updates, "filterSet");
    for update in sets.into_iter().flat_map(|set| list(set, "objectSet")) {
        let mo = update.field("obj").and_then(Value::as_moref).expect("an object");
        match text(update, "kind") {
            "enter" => drop(told.insert(mo.clone(), BTreeMap::new())),
            "leave" => assert!(told.remove(mo).is_some(), "{mo} left, but was not there"),
            _ => assert!(told.contains_key(mo), "{mo} changed, but was not there"),
        }
        for change in list(update, "changeSet") {
            let values = told.get_mut(mo).expect("an object");
            let name = text(change, "name").to_owned();
            match change.field("val") {
                Some(value) => drop(values.insert(name, value.clone())),
                None => drop(values.remove(&name)),
            }
        }
    }
}
