//! The simulated vCenter or ESXi: its state, its sessions, and the one entry
//! for calls.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use super::alarm::{Alarms, Watcher};
use super::authorization::{self, Access, Authorization};
use super::call::Call;
use super::delays::Delays;
use super::descriptions;
use super::directing::{self, Steward};
use super::dispatch::{Answer, Dispatch, Handler, Reply, Waiting};
use super::events;
use super::large::LargeCalls;
use super::model::Catalog;
use super::operation::Operation;
use super::saved::States;
use super::scheduled::Schedules;
use super::session::{Session, Sessions};
use super::session_manager::Tickets;
use super::task::TaskProjection;
use super::view::ContainerViews;
use super::{METHODS, model};
use crate::collector::{Budget, Subscriptions};
use crate::config::{ClockMode, Config};
use crate::engine::{Busy, Clock, Engine, Job, Settings, TaskSpec, Tx};
use crate::event;
use crate::fault::Fault;
use crate::ids::Ids;
use crate::inventory::{Read, Snapshot, Store, Transaction};
use crate::path;
use crate::scenario::{Directions, Rules};
use crate::schema::{Method, Type, Version, ty};
use crate::task::{Feed, Reason, Retention};
use crate::value::{DateTime, MoRef, Object, Value};

/// The well-known objects that vimsim itself has to find.
#[derive(Clone, Debug)]
pub struct Content {
    /// The root folder of the inventory.
    pub root_folder: MoRef,
    /// The session manager.
    pub session_manager: MoRef,
    /// The task manager.
    pub task_manager: MoRef,
    /// The event manager, which an inventory that was loaded may lack.
    pub event_manager: Option<MoRef>,
}

impl Content {
    fn read(snapshot: &Snapshot) -> Option<Self> {
        let service = MoRef::new(ty::ServiceInstance, "ServiceInstance");
        let at = |path| snapshot.moref(&service, path).cloned();
        Some(Self {
            root_folder: at(path!(ServiceInstance, "content.rootFolder"))?,
            session_manager: at(path!(ServiceInstance, "content.sessionManager"))?,
            task_manager: at(path!(ServiceInstance, "content.taskManager"))?,
            event_manager: at(path!(ServiceInstance, "content.eventManager")),
        })
    }
}

/// Where the stepped clock starts: 2025-01-01T00:00:00Z, the same for every run.
const STEPPED_START: DateTime = DateTime::from_micros(1_735_689_600_000_000);

/// One simulated server.
#[derive(Debug)]
pub struct Service {
    /// For what comes back to the server later.
    own: Weak<Self>,
    config: Config,
    version: Version,
    engine: Engine,
    ids: Arc<Ids>,
    subscriptions: Arc<Subscriptions>,
    sessions: Sessions,
    tickets: Tickets,
    views: ContainerViews,
    large_calls: LargeCalls,
    /// What the objects of all sessions count against.
    pub(super) budget: Arc<Budget>,
    dispatch: Dispatch,
    catalog: Arc<Catalog>,
    delays: Delays,
    content: Content,
    authorization: Authorization,
    schedules: Schedules,
    alarms: Alarms,
    pub(super) rules: Arc<Rules>,
    states: States,
    touches: AtomicU64,
    feed: Arc<Feed>,
    /// Calls of methods that are not modelled, by method.
    unsupported: Mutex<BTreeMap<&'static str, u64>>,
    /// Whether a look for idle sessions is arranged.
    pub(super) idle_watch: Mutex<bool>,
}

impl Service {
    /// A server with the inventory that `config` describes.
    pub fn new(config: Config) -> Result<Arc<Self>, Fault> {
        Self::with_inventory(config, model::build_with)
    }

    /// A server with an inventory that was saved elsewhere: an `ObjectContent`
    /// for each object. They say whether it is a vCenter or a host.
    pub fn with_saved(config: Config, contents: &[Object]) -> Result<Arc<Self>, Fault> {
        let config = Config { esx: model::is_host(contents), ..config };
        let load = |tx: &mut Transaction, catalog: &Catalog, _: &Config| {
            model::load(tx, catalog, contents)
        };
        let service = Self::with_inventory(config, load)?;
        service.alarms.resume()?;
        Ok(service)
    }

    fn with_inventory(
        config: Config,
        build: impl FnOnce(&mut Transaction, &Catalog, &Config) -> Result<(), Fault>,
    ) -> Result<Arc<Self>, Fault> {
        let version = Version::at_most(&config.api_version)
            .ok_or_else(|| Fault::system_error("the API version is not known"))?;
        let ids = Arc::new(config.seed.map_or_else(Ids::random, Ids::seeded));
        let rules = Arc::new(Rules::new(config.seed.unwrap_or_else(|| Ids::random().bits())));
        let clock = match config.clock {
            ClockMode::Real => Clock::real(),
            ClockMode::Stepped => Clock::stepped(STEPPED_START),
        };
        let store = Arc::new(Store::new());
        let now = clock.now();
        let catalog = Arc::new(Catalog::new(&config, now)?);
        store.commit(|tx| build(tx, &catalog, &config))?;
        let content = Content::read(&store.snapshot())
            .ok_or_else(|| Fault::system_error("the inventory has no service content"))?;
        let authorization = Authorization::new(&config, &store, &content.root_folder)?;
        let subscriptions = Subscriptions::new();
        let observed = subscriptions.clone();
        let feed = Arc::new(Feed::default());
        let fed = feed.clone();
        store.observe(Box::new(move |commit| {
            observed.on_commit(commit);
            fed.publish(commit.version);
        }));
        let watcher = Arc::new(Watcher::new(store.clone()));
        let projection = TaskProjection {
            manager: content.task_manager.clone(),
            event_manager: content.event_manager.clone(),
            feed: feed.clone(),
            watcher: watcher.clone(),
        };
        let settings = Settings {
            clock,
            ids: ids.clone(),
            retention: retention(&config),
            event_retention: event::Retention {
                age: config.events.age,
                count: config.events.count,
            },
            director: rules.clone(),
        };
        let engine = Engine::start(store, settings, Box::new(projection))
            .map_err(|error| Fault::system_error(&error.to_string()))?;
        let delays = Delays::new(&config.delays);
        let dispatch = Dispatch::new(METHODS);
        let service = Arc::new_cyclic(|own| Self {
            own: own.clone(),
            schedules: Schedules::new(own.clone(), now),
            alarms: Alarms::new(own.clone()),
            version,
            engine,
            ids,
            subscriptions,
            sessions: Sessions::default(),
            tickets: Tickets::default(),
            views: ContainerViews::default(),
            large_calls: LargeCalls::new(config.limits.replies),
            budget: Budget::new(config.limits.all_objects),
            dispatch,
            catalog,
            delays,
            content,
            authorization,
            rules,
            states: States::default(),
            touches: AtomicU64::new(0),
            feed,
            unsupported: Mutex::default(),
            idle_watch: Mutex::new(false),
            config,
        });
        watcher.serve(service.own());
        service.rules.set_actor(Arc::new(Steward(Arc::downgrade(&service))));
        events::life::started(&service.engine)?;
        service.schedules.resume()?;
        Ok(service)
    }

    /// For what comes back to the server later.
    pub(super) fn own(&self) -> Weak<Self> {
        self.own.clone()
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The API version that the server announces.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Where time passes.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The source of ids.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Who is logged in.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// What new inventory objects are made from.
    pub(super) fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Fails where a host by itself is simulated: it cannot do what a vCenter can.
    pub(super) fn require_vcenter(&self) -> Result<(), Fault> {
        if self.config.esx { Err(Fault::not_supported()) } else { Ok(()) }
    }

    /// The well-known objects.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Who waits for which objects.
    pub fn subscriptions(&self) -> &Arc<Subscriptions> {
        &self.subscriptions
    }

    /// What happens to tasks.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// How often methods were called that are not modelled, by method.
    pub fn unsupported(&self) -> BTreeMap<&'static str, u64> {
        self.unsupported.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets which methods were called that are not modelled.
    pub fn forget_unsupported(&self) {
        self.unsupported.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether logins are checked at all: a password is set, or there are users.
    pub fn checks_logins(&self) -> bool {
        self.config.login.password.is_some() || self.config.access.is_some()
    }

    /// Whether a user may log in with a password.
    pub fn accepts(&self, user: &str, password: &str) -> bool {
        self.authorization.accepts(&self.config, user, password)
    }

    /// Whether a user may do everything.
    pub fn is_administrator(&self, user: &str) -> bool {
        self.authorization.rights(user).is_none()
    }

    /// Who may do what.
    pub(super) fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    /// What a session may do in a state; nothing if it may do everything.
    /// Extensions may: vCenter gives them an administrator's account.
    pub(super) fn access(&self, session: &Session, state: &Arc<Snapshot>) -> Option<Access> {
        let user = Some(&session.user_name).filter(|_| !session.extension)?;
        let rights = self.authorization.rights(user)?;
        Some(Access::new(rights, state.clone()))
    }

    pub(super) fn delays(&self) -> &Delays {
        &self.delays
    }

    /// What begins by itself.
    pub(super) fn schedules(&self) -> &Schedules {
        &self.schedules
    }

    /// What is noticed by itself.
    pub(super) fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    /// The turns of calls that read much.
    pub fn large_calls(&self) -> &LargeCalls {
        &self.large_calls
    }

    /// The container views of all sessions.
    pub(super) fn views(&self) -> &ContainerViews {
        &self.views
    }

    /// The states that are kept by name.
    pub(super) fn states(&self) -> &States {
        &self.states
    }

    pub(super) fn tickets(&self) -> &Tickets {
        &self.tickets
    }

    /// The methods that are answered.
    pub fn methods(&self) -> Vec<Method> {
        self.dispatch.methods()
    }

    /// Runs `change` for the caller, who is named in the events that it posts;
    /// see [`Engine::commit`].
    pub(super) fn commit<T>(
        &self,
        call: &Call,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.engine.commit(|tx| {
            tx.act_for(call.caller.session.as_ref().map(|session| &session.user_name));
            tx.tag(call.caller.change_tag.as_ref());
            change(tx)
        })
    }

    /// Tells those who watch `mo` that something computed about it has changed.
    pub(super) fn touch(&self, mo: &MoRef) {
        self.touches.fetch_add(1, Ordering::AcqRel);
        self.subscriptions.touch(mo);
    }

    /// Tells everyone who watches anything that it may look different now.
    pub(super) fn touch_all(&self) {
        self.touches.fetch_add(1, Ordering::AcqRel);
        self.subscriptions.touch_all();
    }

    /// How often something computed has changed.
    pub(super) fn touches(&self) -> u64 {
        self.touches.load(Ordering::Acquire)
    }

    /// Answers a call. The checks come in the order of the real product:
    /// login, object, privileges, then what the method itself looks at.
    pub async fn call(self: &Arc<Self>, call: &Call) -> Answer {
        self.reply(call).await.map(Reply::into_value)
    }

    /// As [`Service::call`], with what was found of many objects still to be read.
    pub async fn reply(self: &Arc<Self>, call: &Call) -> Result<Reply, Fault> {
        match self.conduct(call) {
            Some(conduct) => self.conducted(call, conduct).await,
            None => self.make(call, None).await,
        }
    }

    /// Answers a call; its task goes as `directions` say, if there are any.
    pub(super) async fn make(
        self: &Arc<Self>,
        call: &Call,
        directions: Option<&Directions>,
    ) -> Result<Reply, Fault> {
        let session = call.caller.session.as_ref();
        let _busy = session.map(|session| session.busy(|| self.engine.now()));
        self.check(call)?;
        let scripted;
        let (handler, directions) = match self.handler(call) {
            Some(handler) => (handler, directions),
            None => {
                scripted = if directions.is_none() { self.script(call) } else { None };
                let directions = directions.or(scripted.as_ref()).filter(|_| call.method.is_task());
                let Some(directions) = directions else { return Err(self.not_modelled(call)) };
                (Handler::Task(|_, call| Ok(directing::scripted(call))), Some(directions))
            }
        };
        let delay = self.delays.reply(call.method, &self.ids, self.engine.is_stepped());
        if !delay.is_zero() {
            self.engine.sleep(delay).await;
        }
        let answer = match handler {
            Handler::Now(answer) => {
                let answer = || answer(self, call).map(Reply::Value);
                catch_unwind(AssertUnwindSafe(answer)).map_err(|_| ())
            }
            Handler::Read(read) => {
                catch_unwind(AssertUnwindSafe(|| read(self, call))).map_err(|_| ())
            }
            Handler::Task(plan) => {
                let start = || plan(self, call).and_then(|work| self.start(call, work, directions));
                catch_unwind(AssertUnwindSafe(|| start().map(Reply::Value))).map_err(|_| ())
            }
            Handler::Wait(wait) => {
                guarded(wait(self, call)).await.map(|answer| answer.map(Reply::Value))
            }
        };
        let answer = answer.unwrap_or_else(|()| {
            tracing::error!(method = call.method.name(), this = %call.this, "a method panicked");
            Err(Fault::system_error("an internal error; the server's log says where"))
        });
        // What was not found may have gone with the session, while the call was under way.
        answer.map_err(|fault| {
            if fault.is_a(ty::ManagedObjectNotFound) && session.is_some_and(|s| s.has_ended()) {
                return Fault::not_authenticated(&call.this);
            }
            fault
        })
    }

    /// The handler of a call that may be made.
    pub(super) fn admit(&self, call: &Call) -> Result<Handler, Fault> {
        self.check(call)?;
        self.handler(call).ok_or_else(|| self.not_modelled(call))
    }

    /// What answers calls of a method on such an object.
    pub(super) fn handler(&self, call: &Call) -> Option<Handler> {
        self.dispatch.find(call.this.ty(), call.method)
    }

    fn not_modelled(&self, call: &Call) -> Fault {
        tracing::info!(method = call.method.name(), this = %call.this, "not modelled");
        self.count_unsupported(call.method);
        Fault::not_modelled(call.method.name())
    }

    /// Whether a call may be made.
    fn check(&self, call: &Call) -> Result<(), Fault> {
        let session = call.caller.session.as_ref().filter(|session| !session.has_ended());
        if session.is_none() && call.method.privilege() != Some("System.Anonymous") {
            return Err(Fault::not_authenticated(&call.this));
        }
        let exists = self.engine.snapshot().exists(&call.this)
            || session.is_some_and(|session| session.object(&call.this).is_some());
        if !exists {
            // It may have gone with the session just now.
            return Err(if session.is_some_and(|session| session.has_ended()) {
                Fault::not_authenticated(&call.this)
            } else {
                Fault::not_found(&call.this)
            });
        }
        if !call.this.ty().is_a(call.method.owner()) {
            return Err(Fault::method_not_found(&call.this, call.method.name()));
        }
        authorization::check(self, call)
    }

    fn count_unsupported(&self, method: Method) {
        let mut counts = self.unsupported.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(method.name()).or_default() += 1;
    }

    /// Makes the task that does the work of a call.
    fn start(&self, call: &Call, work: Operation, directions: Option<&Directions>) -> Answer {
        self.room_for_task()?;
        let (mut spec, job) = self.prepare(call, work);
        spec.plan = directions.map(|directions| directions.plan(Some(call.method), spec.duration));
        self.engine.submit(spec, job).map(|task| Some(Value::Ref(task)))
    }

    /// The task that does the work of a call, and its job.
    pub(super) fn prepare(&self, call: &Call, work: Operation) -> (TaskSpec, Box<dyn Job>) {
        let entity = work.entity.unwrap_or_else(|| call.this.clone());
        let mut spec = self.task_spec(call, call.this.ty(), call.method);
        if work.holds {
            spec.locks.push(entity.clone());
        }
        spec.entity = Some(entity).filter(|entity| entity.ty().is_a(ty::ManagedEntity));
        spec.locks.extend(work.locks);
        spec.cancelable = work.cancelable;
        (spec, work.job)
    }

    /// A task for the caller, as `method` makes one on receivers of type `receiver`.
    pub(super) fn task_spec(&self, call: &Call, receiver: Type, method: Method) -> TaskSpec {
        let operation = crate::task::Operation::Method(method);
        let mut spec = match descriptions::of(receiver, method) {
            Some(known) => {
                let mut spec = TaskSpec::new(operation, known.id.clone());
                spec.label = known.label.clone();
                spec
            }
            None => TaskSpec::new(operation, descriptions::id(receiver, method)),
        };
        spec.busy =
            if method.faults().contains(&ty::TaskInProgress) { Busy::Refuse } else { Busy::Wait };
        spec.duration = self.delays.task(method, &self.ids);
        spec.activation_id.clone_from(&call.caller.activation_id);
        spec.change_tag.clone_from(&call.caller.change_tag);
        if let Some(session) = &call.caller.session {
            spec.reason = Reason::User(session.user_name.clone());
            spec.owner = Some(session.user_name.clone());
        }
        spec
    }
}

/// Polls `waiting` so that a panic in it ends this call and nothing else.
async fn guarded(mut waiting: Waiting<'_>) -> Result<Answer, ()> {
    std::future::poll_fn(move |context| {
        match catch_unwind(AssertUnwindSafe(|| waiting.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(())),
        }
    })
    .await
}

/// How long the settings keep tasks; what counts as recent is the same for all.
fn retention(config: &Config) -> Retention {
    let mut retention = Retention {
        age: config.tasks.age,
        count: config.tasks.count,
        history_age: config.tasks.history_age,
        history_count: config.tasks.history_count,
        ..Retention::default()
    };
    if config.esx {
        // Only vCenter limits the number of recent tasks, and a host has no history.
        retention.recent_count = usize::MAX;
        retention.history_count = 0;
        retention.history_age = Duration::ZERO;
    }
    retention
}
