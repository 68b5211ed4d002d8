//! How fast reading and watching are on one core, without any protocol.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot start must stop"
)]

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use vimsim::collector::{Collector, Limits, Request, Wait};
use vimsim::config::{ClockMode, Model};
use vimsim::inventory::Read;
use vimsim::schema::{Method, method, ty};
use vimsim::value::{Array, MoRef, Object, Value};
use vimsim::vsphere::{Call, Caller, Service, Session, SessionSource};
use vimsim::wire::soap::encode_response;
use vimsim::{Config, object, path};

fn main() {
    divan::main();
}

/// A server, and a session with a view of all of its machines.
struct Bench {
    service: Arc<Service>,
    session: Arc<Session>,
    view: MoRef,
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Waker};
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

impl Bench {
    /// A server with `machines` virtual machines.
    fn new(machines: u32) -> Self {
        let model = Model { vm: machines / 2, ..Model::default() };
        let config =
            Config { clock: ClockMode::Stepped, seed: Some(1), model, ..Config::default() };
        let service = Service::new(config).expect("an inventory");
        let mut login = vec![None; method::Login.params().len()];
        login[method::Login.param_slot("userName")] = Some("user".into());
        login[method::Login.param_slot("password")] = Some("pass".into());
        let manager = service.content().session_manager.clone();
        let call = Self::prepare(&service, None, &manager, method::Login, login);
        ready(service.call(&call)).expect("a login");
        let session = call.caller.began.get().cloned().expect("a session");
        let mut args = vec![None; method::CreateContainerView.params().len()];
        let root = service.content().root_folder.clone();
        args[method::CreateContainerView.param_slot("container")] = Some(root.into());
        args[method::CreateContainerView.param_slot("type")] =
            Some(Array::new(ty::STRING, vec!["VirtualMachine".into()]).into());
        args[method::CreateContainerView.param_slot("recursive")] = Some(true.into());
        let views = MoRef::new(ty::ViewManager, "ViewManager");
        let call =
            Self::prepare(&service, Some(&session), &views, method::CreateContainerView, args);
        let view = ready(service.call(&call)).expect("a view");
        let view = view.as_ref().and_then(Value::as_moref).cloned().expect("a reference");
        Self { service, session, view }
    }

    fn prepare(
        service: &Service,
        session: Option<&Arc<Session>>,
        this: &MoRef,
        method: Method,
        args: Vec<Option<Value>>,
    ) -> Call {
        let mut caller = Caller::anonymous(service.version());
        caller.session = session.cloned();
        Call { this: this.clone(), method, args: args.into(), caller }
    }

    fn see(&self) -> SessionSource<'_> {
        SessionSource::new(&self.service, Some(&self.session))
    }

    fn spec(&self, paths: &[&str]) -> Object {
        let members = object!(TraversalSpec { type: "ContainerView", path: "view" });
        object!(PropertyFilterSpec {
            propSet: vec![
                object!(PropertySpec { type: "VirtualMachine", pathSet: paths.to_vec() })
            ],
            objectSet: vec![object!(ObjectSpec {
                obj: &self.view,
                skip: true,
                selectSet: vec![members],
            })],
        })
    }

    fn machine(&self) -> MoRef {
        let snapshot = self.service.engine().snapshot();
        let mut all: Vec<_> =
            snapshot.of_type(ty::VirtualMachine).map(|(mo, _)| mo.clone()).collect();
        all.sort();
        all.swap_remove(all.len() / 2)
    }
}

/// The call of a dashboard: one property or two of every machine.
#[divan::bench]
fn name_and_power_state_of_500(bencher: Bencher) {
    let bench = Bench::new(500);
    let spec = bench.spec(&["name", "runtime.powerState"]);
    bencher.counter(ItemsCount::new(500_usize)).bench_local(|| {
        Request::compile([&spec])
            .and_then(|request| request.retrieve(&bench.see()))
            .map(|found| found.read())
    });
}

/// The same as the whole call, with the reply's text.
#[divan::bench]
fn name_and_power_state_of_500_encoded(bencher: Bencher) {
    let bench = Bench::new(500);
    let specs = Array::new(
        ty::PropertyFilterSpec,
        vec![bench.spec(&["name", "runtime.powerState"]).into()],
    );
    let collector = MoRef::new(ty::PropertyCollector, "propertyCollector");
    let args = vec![Some(specs.into())];
    let method = method::RetrieveProperties;
    let call = Bench::prepare(&bench.service, Some(&bench.session), &collector, method, args);
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(500_usize)).bench_local(|| {
        let answer = ready(bench.service.call(&call)).expect("an answer");
        out.clear();
        encode_response(method, answer.as_ref(), bench.service.version(), &mut out);
        out.len()
    });
}

#[divan::bench]
fn config_and_summary_of_500(bencher: Bencher) {
    let bench = Bench::new(500);
    let spec = bench.spec(&["config", "summary"]);
    bencher.counter(ItemsCount::new(500_usize)).bench_local(|| {
        Request::compile([&spec])
            .and_then(|request| request.retrieve(&bench.see()))
            .map(|found| found.read())
    });
}

fn filters(bench: &Bench, count: usize) -> Vec<(Collector, String)> {
    let spec = bench.spec(&["name", "runtime.powerState"]);
    let filters = (0..count).map(|number| {
        let collector = Collector::new(bench.service.subscriptions().clone(), Limits::default());
        let mo = MoRef::new(ty::PropertyFilter, &format!("filter-{number}"));
        collector.create_filter(mo, &spec, true, &bench.see()).expect("a filter");
        let first = look(bench, &collector, "").expect("the first state");
        (collector, first)
    });
    filters.collect()
}

/// The version after what is new since `version`.
fn look(bench: &Bench, collector: &Collector, version: &str) -> Option<String> {
    let wait = Wait::check(version);
    let updates = ready(collector.wait(&wait, || bench.see(), std::future::pending()));
    let updates = updates.expect("a valid version")?;
    updates.field("version").and_then(Value::as_str).map(str::to_owned)
}

/// From nothing to the whole state of 10,000 machines, with all subscriptions.
#[divan::bench(sample_count = 20)]
fn first_update_of_10000(bencher: Bencher) {
    let bench = Bench::new(10_000);
    bencher.counter(ItemsCount::new(10_000_usize)).bench_local(|| filters(&bench, 1));
}

/// One machine of 10,000 changes under a number of filters that show them all.
#[divan::bench(args = [1, 100])]
fn one_change_in_10000(bencher: Bencher, watchers: usize) {
    let bench = Bench::new(10_000);
    let mut filters = filters(&bench, watchers);
    let machine = bench.machine();
    let mut count = 0_u64;
    bencher.counter(ItemsCount::new(watchers)).bench_local(|| {
        count += 1;
        let changed = bench
            .service
            .engine()
            .store()
            .commit(|tx| tx.set(&machine, path!(ManagedEntity, "name"), count.to_string()));
        changed.expect("the machine is there");
        for (collector, version) in &mut filters {
            *version = look(&bench, collector, version).expect("a change");
        }
    });
}

/// A machine comes and goes under a filter over 10,000.
#[divan::bench(sample_count = 50)]
fn one_joins_and_leaves_10000(bencher: Bencher) {
    let bench = Bench::new(10_000);
    let mut filters = filters(&bench, 1);
    let template = bench.machine();
    let snapshot = bench.service.engine().snapshot();
    let folder = snapshot.moref(&template, path!(ManagedEntity, "parent")).expect("a folder");
    let new = MoRef::new(ty::VirtualMachine, "vm-new");
    bencher.bench_local(|| {
        for joins in [true, false] {
            let changed = bench.service.engine().store().commit(|tx| {
                let children = path!(Folder, "childEntity");
                if joins {
                    let properties = tx.get(&template).cloned().expect("the machine is there");
                    tx.insert(new.clone(), properties);
                    tx.push_ref(folder, children, &new)
                } else {
                    tx.remove(&new);
                    tx.remove_ref(folder, children, &new)
                }
            });
            changed.expect("the folder is there");
            for (collector, version) in &mut filters {
                *version = look(&bench, collector, version).expect("a change");
            }
        }
    });
}
