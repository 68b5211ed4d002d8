//! The collector and the views as calls of a session on a whole server.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use vimsim::Config;
use vimsim::config::ClockMode;
use vimsim::fault::{Fault, Result};
use vimsim::inventory::{Read, Transaction};
use vimsim::schema::{Method, Version, method, ty};
use vimsim::value::{Array, MoRef, Object, Value};
use vimsim::vsphere::{Call, Caller, Service, Session};
use vimsim::{object, path};

use super::world::{list, now, prop_set, spec, told, version};

/// A server with a session.
struct Client {
    service: Arc<Service>,
    session: Option<Arc<Session>>,
}

/// A call in the making: `args![Login: userName: "a", password: "b"]`.
macro_rules! args {
    ($method:ident $(, $param:tt : $value:expr)* $(,)?) => {{
        let given: Vec<(usize, Value)> =
            vec![$((method::$method.param_slot(stringify!($param)), Value::from($value))),*];
        let mut args = vec![None; method::$method.params().len()];
        given.into_iter().for_each(|(slot, value)| args[slot] = Some(value));
        (method::$method, args)
    }};
}

type Args = (Method, Vec<Option<Value>>);

impl Client {
    fn new() -> Self {
        let config = Config {
            clock: ClockMode::Stepped,
            seed: Some(7),
            // Days pass, and nobody logs in again.
            session_timeout: Duration::ZERO,
            ..Config::default()
        };
        let service = Service::new(config).unwrap();
        let mut client = Self { service, session: None };
        client.login();
        client
    }

    fn caller(&self) -> Caller {
        let mut caller = Caller::anonymous(self.service.version());
        caller.session = self.session.clone();
        caller
    }

    fn login(&mut self) {
        self.session = None;
        let (method, args) = args!(Login, userName: "user", password: "pass");
        let caller = self.caller();
        let manager = self.service.content().session_manager.clone();
        let call = Call { this: manager, method, args: args.into(), caller };
        now(self.service.call(&call)).unwrap();
        self.session = call.caller.began.get().cloned();
        assert!(self.session.is_some());
    }

    fn other_session(&self) -> Self {
        let mut other = Self { service: self.service.clone(), session: None };
        other.login();
        other
    }

    fn prepare(&self, this: &MoRef, (method, args): Args) -> Call {
        Call { this: this.clone(), method, args: args.into(), caller: self.caller() }
    }

    fn call(&self, this: &MoRef, args: Args) -> Result<Option<Value>> {
        now(self.service.call(&self.prepare(this, args)))
    }

    fn make(&self, this: &MoRef, args: Args) -> MoRef {
        self.call(this, args).unwrap().unwrap().as_moref().cloned().unwrap()
    }

    fn commit(&self, change: impl FnOnce(&mut Transaction)) {
        let changed = self.service.engine().store().commit(|tx| {
            change(tx);
            Ok::<_, Fault>(())
        });
        changed.unwrap();
    }

    fn named(&self, name: &str) -> MoRef {
        let snapshot = self.service.engine().snapshot();
        let mut found =
            snapshot.of_type(ty::ManagedEntity).map(|(mo, _)| mo.clone()).collect::<Vec<_>>();
        found.sort();
        let name_of = |mo: &MoRef| snapshot.text(mo, path!(ManagedEntity, "name")).to_owned();
        found.into_iter().find(|mo| name_of(mo) == name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn name(&self, mo: &MoRef) -> String {
        self.service.engine().snapshot().text(mo, path!(ManagedEntity, "name")).to_owned()
    }

    fn fetch(&self, this: &MoRef, property: &str) -> Result<Option<Value>> {
        let args = vec![Some(Value::from(property))];
        self.call(this, (method::Fetch, args))
    }

    /// The names of what is in a view.
    fn view(&self, view: &MoRef) -> Vec<String> {
        self.fetch(view, "view").unwrap().unwrap().morefs().map(|mo| self.name(mo)).collect()
    }

    fn container_view(&self, container: &str, types: &[&str], recursive: bool) -> MoRef {
        self.make(&views(), container_view(&self.named(container), types, recursive))
    }

    fn filter(&self, spec: Object) -> MoRef {
        self.make(&collector(), args!(CreateFilter, spec: spec, partialUpdates: true))
    }

    fn check(&self, at: &mut String) -> Vec<String> {
        let answer = self.call(&collector(), args!(CheckForUpdates, version: at.as_str())).unwrap();
        let Some(updates) = answer.as_ref().and_then(Value::as_object) else { return Vec::new() };
        *at = version(updates);
        told(updates)
    }
}

fn collector() -> MoRef {
    MoRef::new(ty::PropertyCollector, "propertyCollector")
}

fn views() -> MoRef {
    MoRef::new(ty::ViewManager, "ViewManager")
}

fn strings(texts: &[&str]) -> Array {
    Array::new(ty::STRING, texts.iter().map(|text| Value::from(*text)).collect())
}

fn refs(list: &[MoRef]) -> Array {
    Array::of_refs(list)
}

fn container_view(container: &MoRef, types: &[&str], recursive: bool) -> Args {
    args!(CreateContainerView, container: container, type: strings(types), recursive: recursive)
}

/// What is seen through a view of some type: its members' names.
fn through(view: &MoRef) -> Object {
    let members = object!(TraversalSpec { type: view.ty().name(), path: "view", skip: false });
    let root = object!(ObjectSpec { obj: view, skip: true, selectSet: vec![members] });
    spec(vec![prop_set(ty::ManagedEntity, &["name"])], vec![root])
}

#[test]
fn container_views_hold_what_the_container_does() {
    let client = Client::new();
    let all = client.container_view("Datacenters", &["VirtualMachine"], true);
    assert_eq!(client.view(&all), ["DC0_H0_VM0", "DC0_H0_VM1", "DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1"]);
    let direct = client.container_view("DC0", &[], false);
    assert_eq!(client.view(&direct), ["vm", "host", "datastore", "network"]);
    let hosts = client.container_view("DC0", &["HostSystem", "Datastore"], true);
    assert_eq!(client.view(&hosts), ["DC0_H0", "DC0_C0_H0", "DC0_C0_H1", "DC0_C0_H2", "LocalDS_0"]);
    // Derived types are of their base types.
    let resources = client.container_view("host", &["ComputeResource"], false);
    assert_eq!(client.view(&resources), ["DC0_H0", "DC0_C0"]);
    let cluster = client.container_view("DC0_C0", &["VirtualMachine", "ResourcePool"], true);
    assert_eq!(client.view(&cluster), ["Resources", "DC0_C0_RP0_VM0", "DC0_C0_RP0_VM1"]);
    let view = client.fetch(&cluster, "container").unwrap().unwrap();
    assert_eq!(view.as_moref(), Some(&client.named("DC0_C0")));
    let snapshot = client.service.engine().snapshot();
    let host = snapshot
        .of_type(ty::HostSystem)
        .map(|(mo, _)| mo.clone())
        .find(|mo| client.name(mo) == "DC0_H0");
    let on_host = client.make(&views(), container_view(&host.unwrap(), &["VirtualMachine"], true));
    assert_eq!(client.view(&on_host), ["DC0_H0_VM0", "DC0_H0_VM1"]);
}

#[test]
fn container_views_are_checked() {
    let client = Client::new();
    let refused = |container: &MoRef, types: &[&str]| {
        client.call(&views(), container_view(container, types, true)).unwrap_err()
    };
    let root = client.named("Datacenters");
    let vm = client.named("DC0_H0_VM0");
    assert_eq!(refused(&vm, &[]), Fault::invalid_argument("container"));
    assert_eq!(refused(&root, &["Nothing"]), Fault::invalid_argument("type"));
    assert_eq!(refused(&root, &["Task"]), Fault::invalid_argument("type"));
    let gone = MoRef::new(ty::Folder, "group-v999");
    assert_eq!(refused(&gone, &[]), Fault::not_found(&gone));
}

#[test]
fn members_that_come_and_go_enter_and_leave() {
    let client = Client::new();
    let view = client.container_view("Datacenters", &["VirtualMachine"], true);
    client.filter(through(&view));
    let mut at = String::new();
    assert_eq!(client.check(&mut at).len(), 4);

    let (folder, template) = (client.named("vm"), client.named("DC0_H0_VM0"));
    let new = MoRef::new(ty::VirtualMachine, "vm-900");
    client.commit(|tx| {
        let machine = tx.get(&template).cloned().unwrap();
        let name = const { ty::VirtualMachine.slot("name") };
        tx.insert(new.clone(), machine.with(name, "new"));
        tx.push_ref(&folder, path!(Folder, "childEntity"), &new).unwrap();
    });
    assert_eq!(client.check(&mut at), ["enter vm-900 name=new"]);
    client.commit(|tx| tx.set(&new, path!(ManagedEntity, "name"), "newer").unwrap());
    assert_eq!(client.check(&mut at), ["modify vm-900 name=newer"]);
    client.commit(|tx| {
        tx.remove_ref(&folder, path!(Folder, "childEntity"), &new).unwrap();
        assert!(tx.remove(&new));
    });
    assert_eq!(client.check(&mut at), ["leave vm-900"]);

    client.call(&view, args!(DestroyView)).unwrap();
    assert_eq!(client.check(&mut at).len(), 4, "all members leave");
    assert_eq!(client.call(&view, args!(DestroyView)), Err(Fault::not_found(&view)));
}

#[test]
fn list_views_list_what_they_are_told() {
    let client = Client::new();
    let vms: Vec<MoRef> =
        ["DC0_H0_VM0", "DC0_H0_VM1", "DC0_C0_RP0_VM0"].map(|name| client.named(name)).into();
    let gone = MoRef::new(ty::VirtualMachine, "vm-999");
    let with_gone = |list: &[MoRef]| refs(&[list, std::slice::from_ref(&gone)].concat());
    let create = args!(CreateListView, obj: with_gone(&vms[..1]));
    assert_eq!(client.call(&views(), create), Err(Fault::not_found(&gone)));

    let view = client.make(&views(), args!(CreateListView, obj: refs(&vms[..1])));
    client.filter(through(&view));
    let mut at = String::new();
    assert_eq!(client.check(&mut at).len(), 1);
    let unresolved =
        |answer: Option<Value>| -> Vec<MoRef> { answer.unwrap().morefs().cloned().collect() };

    let modify = args!(
        ModifyListView,
        add: with_gone(&vms[1..]),
        remove: refs(&vms[..1]),
    );
    assert_eq!(unresolved(client.call(&view, modify).unwrap()), std::slice::from_ref(&gone));
    assert_eq!(client.view(&view), ["DC0_H0_VM1", "DC0_C0_RP0_VM0"]);
    let mut lines = client.check(&mut at);
    lines.sort();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[2].starts_with("leave"));

    let reset = args!(ResetListView, obj: with_gone(&vms[2..]));
    assert_eq!(unresolved(client.call(&view, reset).unwrap()), [gone]);
    assert_eq!(client.view(&view), ["DC0_C0_RP0_VM0"]);
    assert_eq!(client.check(&mut at).len(), 1);

    let hosts = client.container_view("DC0_C0", &["HostSystem"], true);
    client.call(&view, args!(ResetListViewFromView, view: &hosts)).unwrap();
    assert_eq!(client.view(&view), ["DC0_C0_H0", "DC0_C0_H1", "DC0_C0_H2"]);
    assert_eq!(client.check(&mut at).len(), 4);
    let copy = client.make(&views(), args!(CreateListViewFromView, view: &hosts));
    assert_eq!(client.view(&copy), client.view(&hosts));
}

#[test]
fn inventory_views_open_and_close() {
    let client = Client::new();
    let view = client.make(&views(), args!(CreateInventoryView));
    assert_eq!(client.view(&view), ["Datacenters"]);
    let [root, dc, host] = ["Datacenters", "DC0", "host"].map(|name| client.named(name));
    let open = |list: &[MoRef]| {
        client.call(&view, args!(OpenInventoryViewFolder, entity: refs(list))).unwrap()
    };
    open(&[root, dc.clone()]);
    assert_eq!(client.view(&view), ["Datacenters", "DC0", "vm", "host", "datastore", "network"]);
    client.filter(through(&view));
    let mut at = String::new();
    assert_eq!(client.check(&mut at).len(), 6);
    open(&[host]);
    assert_eq!(client.check(&mut at).len(), 2, "two compute resources");
    client.call(&view, args!(CloseInventoryViewFolder, entity: refs(&[dc]))).unwrap();
    assert_eq!(client.view(&view), ["Datacenters", "DC0"]);
    assert_eq!(client.check(&mut at).len(), 6);
}

#[test]
fn what_a_session_has_is_its_own() {
    let client = Client::new();
    let view = client.container_view("DC0", &[], false);
    let filter = client.filter(through(&view));
    assert_eq!(client.fetch(&views(), "viewList").unwrap().unwrap().items().len(), 1);
    let shown = |client: &Client| -> Vec<MoRef> {
        client.fetch(&collector(), "filter").unwrap().unwrap().morefs().cloned().collect()
    };
    assert_eq!(shown(&client), std::slice::from_ref(&filter));
    assert_eq!(client.fetch(&filter, "partialUpdates").unwrap(), Some(Value::Boolean(true)));
    assert!(filter.id().starts_with("session[52"), "{filter}");

    let other = client.other_session();
    assert_eq!(shown(&other), []);
    assert_eq!(other.fetch(&view, "view"), Err(Fault::not_found(&view)));
    assert_eq!(other.call(&view, args!(DestroyView)), Err(Fault::not_found(&view)));
    let theirs = other.call(&filter, args!(DestroyPropertyFilter));
    assert_eq!(theirs, Err(Fault::not_found(&filter)));
    let mut at = String::new();
    assert_eq!(other.check(&mut at), [""; 0]);
    client.check(&mut at);
    let fault = other.call(&collector(), args!(CheckForUpdates, version: at.as_str())).unwrap_err();
    assert_eq!(fault.ty(), ty::InvalidCollectorVersion);

    client.call(&filter, args!(DestroyPropertyFilter)).unwrap();
    assert_eq!(shown(&client), []);
    let again = client.call(&filter, args!(DestroyPropertyFilter));
    assert_eq!(again, Err(Fault::not_found(&filter)));
}

#[test]
fn a_logout_ends_waits_and_what_they_watch() {
    let client = Client::new();
    let view = client.container_view("DC0", &[], true);
    client.filter(through(&view));
    let mut at = String::new();
    client.check(&mut at);
    let call = client.prepare(&collector(), args!(WaitForUpdatesEx, version: at.as_str()));
    let mut waiting = std::pin::pin!(client.service.call(&call));
    assert_eq!(poll(waiting.as_mut()), None);
    assert!(!client.service.subscriptions().is_empty());
    client.call(&client.service.content().session_manager.clone(), args!(Logout)).unwrap();
    let ended = poll(waiting).expect("the wait ends");
    assert_eq!(ended.unwrap_err().ty(), ty::RequestCanceled);
    assert!(client.service.subscriptions().is_empty());
}

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[test]
fn a_stepped_clock_ends_a_wait() {
    let client = Client::new();
    let task = client.named("DC0_H0_VM0");
    client.filter(spec(
        vec![prop_set(ty::VirtualMachine, &["name"])],
        vec![object!(ObjectSpec { obj: &task })],
    ));
    let mut at = String::new();
    client.check(&mut at);
    let options = object!(WaitOptions { maxWaitSeconds: 10 });
    let args = args!(WaitForUpdatesEx, version: at.as_str(), options: options);
    let call = client.prepare(&collector(), args);
    let mut waiting = std::pin::pin!(client.service.call(&call));
    assert_eq!(poll(waiting.as_mut()), None);
    client.service.engine().advance(Duration::from_secs(9)).unwrap();
    assert_eq!(poll(waiting.as_mut()), None);
    client.service.engine().advance(Duration::from_secs(1)).unwrap();
    assert_eq!(poll(waiting), Some(Ok(None)));
}

#[test]
fn a_task_is_watched_to_its_end() {
    let client = Client::new();
    let manager = client.service.content().task_manager.clone();
    let create = args!(
        CreateTask,
        obj: client.named("DC0_H0_VM0"),
        taskTypeId: "com.vmware.govmomi.simulator.test",
        cancelable: true,
    );
    let info = client.call(&manager, create).unwrap().unwrap();
    let task = info.as_object().and_then(|info| info.field("task")?.as_moref()).cloned().unwrap();
    let watcher = client.other_session();
    let spec = spec(
        vec![prop_set(ty::Task, &["info.state", "info.progress"])],
        vec![object!(ObjectSpec { obj: &task })],
    );
    watcher.filter(spec);
    let mut at = String::new();
    let id = task.id();
    assert_eq!(watcher.check(&mut at), [format!("enter {id} info.state=queued info.progress")]);
    let running = Value::Enum(vimsim::enum_value!(TaskInfoState::running));
    client.call(&task, args!(SetTaskState, state: running)).unwrap();
    client.call(&task, args!(UpdateProgress, percentDone: 40)).unwrap();
    assert_eq!(
        watcher.check(&mut at),
        [format!("modify {id} info.state=running info.progress=40")]
    );
    let done = Value::Enum(vimsim::enum_value!(TaskInfoState::success));
    client.call(&task, args!(SetTaskState, state: done)).unwrap();
    assert_eq!(watcher.check(&mut at), [format!("modify {id} info.state=success info.progress")]);
}

#[test]
fn own_collectors_have_their_own_filters_and_versions() {
    let client = Client::new();
    let own = client.make(&collector(), args!(CreatePropertyCollector));
    let root = client.named("Datacenters");
    let one = spec(vec![prop_set(ty::Folder, &["name"])], vec![object!(ObjectSpec { obj: &root })]);
    let filter = client.make(&own, args!(CreateFilter, spec: one, partialUpdates: false));
    let mut at = String::new();
    assert_eq!(client.check(&mut at), [""; 0], "the default collector has no filter");
    let updates = client.call(&own, args!(WaitForUpdates, version: "")).unwrap().unwrap();
    assert_eq!(told(updates.as_object().unwrap()).len(), 1);
    client.call(&own, args!(DestroyPropertyCollector)).unwrap();
    assert_eq!(client.fetch(&filter, "spec"), Err(Fault::not_found(&filter)));
    let gone = client.call(&own, args!(CheckForUpdates, version: "1"));
    assert_eq!(gone, Err(Fault::not_found(&own)));
    let fault = client.call(&collector(), args!(DestroyPropertyCollector)).unwrap_err();
    assert_eq!(fault, Fault::not_supported());
}

#[test]
fn without_a_login_little_is_read() {
    let client = Client::new();
    let nobody = Client { service: client.service.clone(), session: None };
    let instance = MoRef::new(ty::ServiceInstance, "ServiceInstance");
    let one = spec(
        vec![prop_set(ty::ServiceInstance, &["content", "capability"])],
        vec![object!(ObjectSpec { obj: &instance })],
    );
    let specs = Array::new(ty::PropertyFilterSpec, vec![one.clone().into()]);
    let result = nobody.call(
        &collector(),
        args!(RetrievePropertiesEx, specSet: specs.clone(), options: object!(RetrieveOptions {})),
    );
    let result = result.unwrap().unwrap();
    let objects = list(result.as_object().unwrap(), "objects");
    let names = |field: &str, name: &str| -> Vec<String> {
        list(objects[0], field).iter().map(|item| super::world::text(item, name)).collect()
    };
    assert_eq!(names("propSet", "name"), ["content"]);
    assert_eq!(names("missingSet", "path"), ["capability"]);
    let contents = nobody.call(&collector(), args!(RetrieveProperties, specSet: specs)).unwrap();
    assert_eq!(contents.unwrap().items().len(), 1);
    for args in [
        args!(CreateFilter, spec: one, partialUpdates: true),
        args!(WaitForUpdatesEx, version: ""),
        args!(CreatePropertyCollector),
    ] {
        let fault = nobody.call(&collector(), args).unwrap_err();
        assert_eq!(fault.ty(), ty::NotAuthenticated);
    }
    assert_eq!(nobody.fetch(&instance, "content").map(|value| value.is_some()), Ok(true));
    for (this, property) in [(&instance, "capability"), (&client.named("DC0"), "name")] {
        let fault = nobody.fetch(this, property).unwrap_err();
        assert_eq!(fault.ty(), ty::NotAuthenticated, "{this}.{property}");
    }
}

#[test]
fn cancelling_ends_a_wait() {
    let client = Client::new();
    let call = client.prepare(&collector(), args!(WaitForUpdates, version: ""));
    let mut waiting = std::pin::pin!(client.service.call(&call));
    assert_eq!(poll(waiting.as_mut()), None);
    client.call(&collector(), args!(CancelWaitForUpdates)).unwrap();
    assert_eq!(poll(waiting).unwrap().unwrap_err().ty(), ty::RequestCanceled);
}

#[test]
fn all_properties_are_those_that_the_client_knows() {
    let client = Client::new();
    let cluster = client.named("DC0_C0");
    let all = object!(PropertySpec { type: cluster.ty().name(), all: true });
    let spec = spec(vec![all], vec![object!(ObjectSpec { obj: &cluster })]);
    let names = |version: &str| {
        let specs = Array::new(ty::PropertyFilterSpec, vec![spec.clone().into()]);
        let mut call = client.prepare(&collector(), args!(RetrieveProperties, specSet: specs));
        call.caller.version = Version::parse(version).unwrap();
        let contents = now(client.service.call(&call)).unwrap().unwrap();
        let content = contents.items()[0].as_object().unwrap().clone();
        let names = list(&content, "propSet");
        names.iter().map(|p| p.field("name").unwrap().as_str().unwrap().to_owned()).collect()
    };
    let (old, new): (Vec<String>, Vec<String>) = (names("7.0.3.0"), names("8.0.3.0"));
    let known = |name: &str| cluster.ty().field(name).unwrap().1.since();
    assert!(old.len() < new.len());
    assert!(old.iter().all(|name| known(name) <= Version::parse("7.0.3.0").unwrap()));
}
