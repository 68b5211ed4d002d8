//! The operations that change the inventory, called as a client calls them:
//! what they do, what they refuse, and that everything agrees afterwards.

mod agreement;
mod clone;
mod clusters;
mod create;
mod devices;
mod entities;
mod files;
mod guests;
mod hosts;
mod managers;
mod networks;
mod parity;
mod pools;
mod power;
mod reconfigure;
mod relocate;
mod snapshots;
mod vapps;

use std::sync::Arc;
use std::time::Duration;

use vimsim::collector::Source;
use vimsim::config::{ClockMode, Config};
use vimsim::fault::Fault;
use vimsim::inventory::{Read, Snapshot};
use vimsim::path;
use vimsim::schema::{Method, Type, Version, method, ty};
use vimsim::value::{IntoSlot, MoRef, Object, Value};
use vimsim::vsphere::{Call, Caller, Service, Session, SessionSource};

/// A simulator with a client that is logged in.
pub(crate) struct Sim {
    pub(crate) service: Arc<Service>,
    session: Arc<Session>,
}

/// What became of a task.
#[derive(Debug)]
pub(crate) struct Outcome {
    state: String,
    result: Option<Value>,
    error: Option<Object>,
}

impl Outcome {
    /// The result, which must be there.
    fn moref(&self) -> MoRef {
        let moref = self.result.as_ref().and_then(Value::as_moref);
        moref.unwrap_or_else(|| panic!("no reference in {self:?}")).clone()
    }

    /// The fault of a task that failed.
    fn fault(&self) -> &Object {
        assert_eq!(self.state, "error", "{self:?}");
        self.error.as_ref().expect("an error")
    }

    fn fault_type(&self) -> &'static str {
        self.fault().ty().name()
    }
}

/// The arguments of a call by name, as `args![spec = …, pool = …]`.
macro_rules! args {
    ($($name:ident = $value:expr),* $(,)?) => {
        &[$((stringify!($name), $crate::operations::argument($value))),*]
    };
}
pub(crate) use args;

/// A value that becomes an argument, whatever type the parameter has.
pub(crate) type Argument = Box<dyn FnOnce(vimsim::schema::Field) -> Option<Value>>;

pub(crate) fn argument(value: impl IntoSlot + 'static) -> std::cell::Cell<Option<Argument>> {
    std::cell::Cell::new(Some(Box::new(move |field| value.into_slot(field))))
}

pub(crate) type Named = (&'static str, std::cell::Cell<Option<Argument>>);

impl Sim {
    /// The default inventory, with the stepped clock.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The inventory of other settings.
    pub(crate) fn with(settings: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            clock: ClockMode::Stepped,
            seed: Some(7),
            // Days pass, and nobody logs in again.
            session_timeout: Duration::ZERO,
            ..Config::default()
        };
        settings(&mut config);
        Self::of(Service::new(config).expect("a service"))
    }

    /// A client of a server that is there.
    pub(crate) fn of(service: Arc<Service>) -> Self {
        let manager = service.content().session_manager.clone();
        let call = Call {
            this: manager,
            method: method::Login,
            args: arguments(
                method::Login,
                args![userName = "tester".to_owned(), password = "secret".to_owned()],
            ),
            caller: Caller::anonymous(Version::parse("8.0.3.0").expect("a version")),
        };
        now(service.call(&call)).expect("a login");
        let session = call.caller.began.get().expect("a session").clone();
        Self { service, session }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.service.engine().snapshot()
    }

    /// Calls a method; its answer.
    pub(crate) fn call(
        &self,
        this: &MoRef,
        method: Method,
        args: &[Named],
    ) -> Result<Option<Value>, Fault> {
        let mut caller = Caller::anonymous(Version::parse("8.0.3.0").expect("a version"));
        caller.session = Some(self.session.clone());
        let args = arguments(method, args);
        now(self.service.call(&Call { this: this.clone(), method, args, caller }))
    }

    /// Calls a method that makes a task, and leaves it to itself.
    pub(crate) fn start(
        &self,
        this: &MoRef,
        method: Method,
        args: &[Named],
    ) -> Result<MoRef, Fault> {
        let task = self.call(this, method, args)?;
        Ok(task.as_ref().and_then(Value::as_moref).expect("a task").clone())
    }

    /// Calls a method that makes a task, and waits for its end. Everything
    /// must agree afterwards, whatever the end.
    fn run(&self, this: &MoRef, method: Method, args: &[Named]) -> Result<Outcome, Fault> {
        let task = self.start(this, method, args)?;
        self.service.engine().run_until_idle(Duration::from_secs(3600)).expect("a stepped clock");
        agreement::check(&self.snapshot());
        Ok(self.outcome(&task))
    }

    /// Runs a task that must end well.
    pub(crate) fn done(&self, this: &MoRef, method: Method, args: &[Named]) -> Outcome {
        let outcome = self.run(this, method, args).expect("a task");
        assert_eq!(outcome.state, "success", "{outcome:?}");
        outcome
    }

    /// Runs a task that must fail, with this type of fault.
    fn fails(&self, this: &MoRef, method: Method, args: &[Named], fault: Type) -> Outcome {
        let before = self.snapshot();
        let outcome = self.run(this, method, args).expect("a task");
        assert_eq!(outcome.fault_type(), fault.name(), "{outcome:?}");
        agreement::same(&before, &self.snapshot());
        outcome
    }

    /// Makes a call that must be refused at once, with this type of fault.
    fn refused(&self, this: &MoRef, method: Method, args: &[Named], fault: Type) -> Fault {
        let before = self.snapshot();
        let refused = self.call(this, method, args).expect_err("a fault");
        assert_eq!(refused.ty(), fault, "{refused:?}");
        agreement::same(&before, &self.snapshot());
        refused
    }

    fn outcome(&self, task: &MoRef) -> Outcome {
        let snapshot = self.snapshot();
        let at = |path| snapshot.at(task, path).cloned();
        let error = at(path!(Task, "info.error"));
        let error = error
            .as_ref()
            .and_then(Value::as_object)
            .and_then(|error| error.at(path!(LocalizedMethodFault, "fault"))?.as_object().cloned());
        Outcome {
            state: snapshot.text(task, path!(Task, "info.state")).to_owned(),
            result: at(path!(Task, "info.result")),
            error,
        }
    }

    /// The entity of the type with the name.
    pub(crate) fn find(&self, ty: Type, name: &str) -> MoRef {
        let snapshot = self.snapshot();
        let mut found = snapshot
            .of_type(ty)
            .filter(|(mo, _)| snapshot.text(mo, path!(ManagedEntity, "name")) == name);
        found.next().unwrap_or_else(|| panic!("no {ty} {name}")).0.clone()
    }

    pub(crate) fn vm(&self, name: &str) -> MoRef {
        self.find(ty::VirtualMachine, name)
    }

    /// The folder `vm` of the first datacenter.
    fn vm_folder(&self) -> MoRef {
        let datacenter = self.find(ty::Datacenter, "DC0");
        self.snapshot().moref(&datacenter, path!(Datacenter, "vmFolder")).expect("a folder").clone()
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.service.engine().advance(time).expect("a stepped clock");
    }

    /// A property as the client sees it, computed ones too.
    pub(crate) fn shown(&self, mo: &MoRef, path: &vimsim::schema::StaticPath) -> Option<Value> {
        SessionSource::new(&self.service, Some(&self.session)).get(mo)?.value(path)
    }

    pub(crate) fn text(&self, mo: &MoRef, path: &vimsim::schema::StaticPath) -> String {
        self.snapshot().text(mo, path).to_owned()
    }

    fn number(&self, mo: &MoRef, path: &vimsim::schema::StaticPath) -> i64 {
        self.snapshot().at(mo, path).and_then(Value::as_i64).expect("a number")
    }

    /// The devices of a machine that are a `ty`.
    fn devices(&self, vm: &MoRef, ty: Type) -> Vec<Object> {
        let snapshot = self.snapshot();
        let devices = snapshot.at(vm, path!(VirtualMachine, "config.hardware.device"));
        let devices = devices.expect("devices").items().iter().filter_map(Value::as_object);
        devices.filter(|device| device.ty().is_a(ty)).cloned().collect()
    }
}

fn arguments(method: Method, args: &[Named]) -> Box<[Option<Value>]> {
    let mut list = vec![None; method.params().len()];
    for (name, value) in args {
        let (slot, field) = method.param(name).unwrap_or_else(|| panic!("{method} has no {name}"));
        let value = value.take().expect("an argument is used once");
        list[slot] = value(field);
    }
    list.into_boxed_slice()
}

/// The answer of a call that waits for nobody.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}
