//! A server, and a client that makes tasks and reads about them.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use vimsim::config::{ClockMode, Config};
use vimsim::engine::TaskSpec;
use vimsim::fault::{Fault, Result};
use vimsim::inventory::{Read, Snapshot};
use vimsim::schema::{Method, method, ty};
use vimsim::task::{Operation, Reason, TaskId};
use vimsim::value::{Array, MoRef, Object, Str, Value};
use vimsim::vsphere::{Call, Caller, Service, Session};
use vimsim::{object, path};

/// A call in the making: `args![Login: userName: "a", password: "b"]`.
macro_rules! args {
    ($method:ident $(, $param:tt : $value:expr)* $(,)?) => {{
        use vimsim::schema::method;
        let given: Vec<(usize, vimsim::value::Value)> = vec![$((
            method::$method.param_slot(stringify!($param)),
            vimsim::value::Value::from($value),
        )),*];
        let mut args = vec![None; method::$method.params().len()];
        given.into_iter().for_each(|(slot, value)| args[slot] = Some(value));
        (method::$method, args)
    }};
}
pub(super) use args;

pub(super) type Args = (Method, Vec<Option<Value>>);

/// A type of tasks that an extension has registered from the start.
pub(super) const KIND: &str = "com.vmware.govmomi.simulator.test";

/// No tasks.
pub(super) const NONE: [u64; 0] = [];

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A server and a login.
pub(super) struct Client {
    pub(super) service: Arc<Service>,
    pub(super) session: Arc<Session>,
}

/// The answer of a call that does not have to wait.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the call waits"),
    }
}

impl Client {
    /// On a vCenter whose clock is stepped.
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With other settings.
    pub(super) fn with(settings: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            clock: ClockMode::Stepped,
            seed: Some(7),
            // Days pass here.
            session_timeout: Duration::ZERO,
            ..Config::default()
        };
        settings(&mut config);
        Self::login(&Service::new(config).unwrap(), "alice")
    }

    /// Another session on a server.
    pub(super) fn login(service: &Arc<Service>, user: &str) -> Self {
        let (method, args) = args!(Login, userName: user, password: "secret");
        let this = service.content().session_manager.clone();
        let caller = Caller::anonymous(service.version());
        let call = Call { this, method, args: args.into(), caller };
        now(service.call(&call)).unwrap();
        let session = call.caller.began.get().unwrap().clone();
        Self { service: service.clone(), session }
    }

    pub(super) fn call(&self, this: &MoRef, (method, args): Args) -> Result<Option<Value>> {
        let mut caller = Caller::anonymous(self.service.version());
        caller.session = Some(self.session.clone());
        now(self.service.call(&Call { this: this.clone(), method, args: args.into(), caller }))
    }

    pub(super) fn refused(&self, this: &MoRef, args: Args) -> Fault {
        match self.call(this, args) {
            Ok(answer) => panic!("{answer:?}"),
            Err(fault) => fault,
        }
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.service.engine().snapshot()
    }

    pub(super) fn manager(&self) -> MoRef {
        self.service.content().task_manager.clone()
    }

    pub(super) fn pass(&self, time: Duration) {
        self.service.engine().advance(time).unwrap();
    }

    /// The entity with the name.
    pub(super) fn named(&self, name: &str) -> MoRef {
        let snapshot = self.snapshot();
        let all = snapshot.of_type(ty::ManagedEntity).map(|(mo, _)| mo);
        let mut found: Vec<&MoRef> =
            all.filter(|mo| snapshot.text(mo, path!(ManagedEntity, "name")) == name).collect();
        found.sort();
        found.first().copied().unwrap_or_else(|| panic!("no {name}")).clone()
    }

    /// A property as this client reads it.
    pub(super) fn read(&self, this: &MoRef, property: &str) -> Option<Value> {
        self.call(this, (method::Fetch, vec![Some(Value::from(property))])).unwrap()
    }

    /// The ids of what a property refers to.
    pub(super) fn ids(&self, this: &MoRef, property: &str) -> Vec<String> {
        let value = self.read(this, property).unwrap();
        value.morefs().map(|mo| mo.id().to_owned()).collect()
    }

    /// A task of an extension on `entity`, in `state`.
    pub(super) fn task(&self, entity: &MoRef, state: &str) -> MoRef {
        let args = args!(CreateTask, obj: entity, taskTypeId: KIND, cancelable: true);
        let info = self.call(&self.manager(), args).unwrap().unwrap();
        let info = info.as_object().unwrap();
        let task = info.at(path!(TaskInfo, "task")).and_then(Value::as_moref).unwrap().clone();
        if state != "queued" {
            self.set_state(&task, state);
        }
        task
    }

    pub(super) fn set_state(&self, task: &MoRef, state: &str) {
        self.call(task, args!(SetTaskState, state: member("TaskInfoState", state))).unwrap();
    }

    /// A task that the engine is asked for directly.
    pub(super) fn engine_task(&self, change: impl FnOnce(&mut TaskSpec)) -> MoRef {
        let mut spec = TaskSpec::new(Operation::Internal(Str::from("upkeep")), "upkeep");
        spec.reason = Reason::System;
        change(&mut spec);
        self.service.engine().create_task(spec).unwrap().mo.clone()
    }

    /// A collector of the tasks that a filter lets through.
    pub(super) fn collector(&self, filter: &Object) -> MoRef {
        self.make(&self.manager(), args!(CreateCollectorForTasks, filter: filter))
    }

    pub(super) fn make(&self, this: &MoRef, args: Args) -> MoRef {
        self.call(this, args).unwrap().unwrap().as_moref().unwrap().clone()
    }

    pub(super) fn next(&self, collector: &MoRef, max: i32) -> Vec<u64> {
        keys(&self.call(collector, args!(ReadNextTasks, maxCount: max)).unwrap())
    }

    pub(super) fn previous(&self, collector: &MoRef, max: i32) -> Vec<u64> {
        keys(&self.call(collector, args!(ReadPreviousTasks, maxCount: max)).unwrap())
    }

    pub(super) fn latest(&self, collector: &MoRef) -> Vec<u64> {
        keys(&self.read(collector, "latestPage"))
    }

    /// The tasks that a filter lets through.
    pub(super) fn matching(&self, filter: &Object) -> Vec<u64> {
        let collector = self.collector(filter);
        let found = self.next(&collector, 1000);
        self.call(&collector, args!(DestroyCollector)).unwrap();
        found
    }

    /// A filter that watches one property of one object.
    pub(super) fn watch(&self, mo: &MoRef, property: &str) {
        let spec = object!(PropertyFilterSpec {
            propSet: vec![object!(PropertySpec { type: mo.ty().name(), pathSet: vec![property] })],
            objectSet: vec![object!(ObjectSpec { obj: mo })],
        });
        let collector = MoRef::new(ty::PropertyCollector, "propertyCollector");
        self.call(&collector, args!(CreateFilter, spec: spec, partialUpdates: false)).unwrap();
    }

    /// Whether the filters have something to tell since the last time.
    pub(super) fn told(&self, version: &mut String) -> bool {
        let collector = MoRef::new(ty::PropertyCollector, "propertyCollector");
        let args = args!(CheckForUpdates, version: version.as_str());
        let Some(updates) = self.call(&collector, args).unwrap() else { return false };
        let updates = updates.as_object().unwrap();
        *version = updates.at(path!(UpdateSet, "version")).unwrap().as_str().unwrap().to_owned();
        true
    }
}

/// A member of an enumeration by name.
pub(super) fn member(of: &str, name: &str) -> Value {
    let of = vimsim::schema::Type::by_name(of).unwrap();
    Value::Enum(vimsim::value::EnumValue::parse(of, name).unwrap())
}

pub(super) fn strings(texts: &[&str]) -> Array {
    Array::new(ty::STRING, texts.iter().map(|text| Value::from(*text)).collect())
}

/// The number of a task.
pub(super) fn number(task: &MoRef) -> u64 {
    TaskId::of(task).unwrap().number()
}

/// The numbers of the tasks in a list of `TaskInfo`.
fn keys(infos: &Option<Value>) -> Vec<u64> {
    let infos = infos.as_ref().map(Value::items).unwrap_or_default();
    let key = |info: &Value| {
        let key = info.as_object().unwrap().at(path!(TaskInfo, "key")).unwrap();
        TaskId::parse(key.as_str().unwrap()).unwrap().number()
    };
    infos.iter().map(key).collect()
}
