//! Whatever is called with whatever the schema allows, the answer is one that
//! the schema allows: no panic, no `SystemError`, no fault that the method does
//! not declare, no result of another type; and afterwards every property of
//! every object is still what the schema says.
//!
//! Calls go straight to the seam of the front ends, so arguments may be what no
//! codec would let through: empty arrays, for example. The clock is stepped and
//! everything is seeded: a failure repeats.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use vimsim::config::{ClockMode, Config, Model};
use vimsim::engine::tasks_in;
use vimsim::fault::Fault;
use vimsim::schema::{Field, Method, Type, Version, method, ty};
use vimsim::value::object::fits;
use vimsim::value::{Array, MoRef, Value};
use vimsim::vsphere::{Call, Caller, Service, Session};
use vimsim::wire::{soap, vijson};

use crate::maker::Maker;

/// Somebody who calls anything.
struct Monkey {
    service: Arc<Service>,
    session: Arc<Session>,
    maker: Maker,
    /// What the session has made.
    own: Vec<MoRef>,
    /// What is wrong, once for each method and kind.
    wrong: BTreeSet<String>,
}

fn now(service: &Arc<Service>, call: &Call) -> Option<Result<Option<Value>, Fault>> {
    let mut answer = pin!(service.call(call));
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn login(service: &Arc<Service>) -> Arc<Session> {
    let this = service.content().session_manager.clone();
    let args = Box::new([Some("root".into()), Some("secret".into()), None]);
    let caller = Caller::anonymous(service.version());
    let call = Call { this, method: method::Login, args, caller };
    now(service, &call).expect("no delay").expect("a session");
    call.caller.began.get().expect("a session").clone()
}

/// Faults that methods give and the schema does not know of.
const UNDECLARED: &[(Method, Type)] = &[
    // Its declaration is not in the schema at all.
    (method::Fetch, ty::InvalidProperty),
    // A finished task, as the simulator that everybody knows has it.
    (method::SetTaskDescription, ty::InvalidState),
    // As `AcquireTicket`, which declares it.
    (method::AcquireMksTicket, ty::InvalidState),
    // Elsewhere it says which hosts and why.
    (method::PlaceVm, ty::NoCompatibleHost),
];

/// Texts that mean something somewhere.
const TEXTS: &[&str] = &[
    "",
    "DC0",
    "DC0_H0_VM0",
    "/DC0/vm/DC0_H0_VM0",
    "[LocalDS_0]",
    "[LocalDS_0] DC0_H0_VM0/DC0_H0_VM0.vmx",
    "[LocalDS_0] DC0_H0_VM0/disk1.vmdk",
    "[",
    "[LocalDS_0] ../../x",
    "ServiceInstance",
    "VirtualMachine",
    "name",
    "config.hardware.device[4000]",
    "task-1",
    "root",
    "edit",
    "add",
    "remove",
    "\0",
    "%2f",
    "192.168.0.1",
];

impl Monkey {
    fn new(seed: u64) -> Self {
        let config = Config {
            clock: ClockMode::Stepped,
            seed: Some(seed),
            session_timeout: Duration::ZERO,
            model: Model { app: 1, pool: 1, pod: 1, folder: 1, ..Model::default() },
            ..Config::default()
        };
        let service = Service::new(config).expect("a service");
        let session = login(&service);
        let maker = Maker::new(seed);
        Self { service, session, maker, own: Vec::new(), wrong: BTreeSet::new() }
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.maker.below(count) == 0
    }

    /// An object that has the method, or something like it.
    fn receiver(&mut self, method: Method) -> MoRef {
        self.existing(method.owner()).unwrap_or_else(|| MoRef::new(method.owner(), "none"))
    }

    fn existing(&mut self, of: Type) -> Option<MoRef> {
        let own: Vec<MoRef> = self.own.iter().filter(|mo| mo.ty().is_a(of)).cloned().collect();
        if !own.is_empty() && self.one_in(2) {
            return own.get(self.maker.below(own.len())).cloned();
        }
        let snapshot = self.service.engine().snapshot();
        let mut all: Vec<&MoRef> = snapshot.of_type(of).map(|(mo, _)| mo).collect();
        all.sort();
        (!all.is_empty()).then(|| all[self.maker.below(all.len())].clone())
    }

    fn argument(&mut self, field: Field) -> Option<Value> {
        match self.maker.below(10) {
            0 if field.is_optional() => None,
            1 if field.is_array() => Some(Array::empty(field.ty()).into()),
            choice => {
                let value = self.maker.field(field, choice % 4);
                value.map(|value| self.settled(value))
            }
        }
    }

    /// The value with some references to what there is, and some texts that mean something.
    fn settled(&mut self, value: Value) -> Value {
        match value {
            Value::Ref(mo) if !self.one_in(4) => {
                // A reference of the declared type or any below it was made.
                self.existing(mo.ty()).map_or(Value::Ref(mo), Value::Ref)
            }
            Value::String(_) if !self.one_in(3) => self.maker.pick(TEXTS).into(),
            Value::Int(_) if self.one_in(3) => Value::Int(self.maker.below(3) as i32 - 1),
            Value::Int(_) if self.one_in(4) => Value::Int(i32::MAX),
            Value::Long(_) if self.one_in(4) => Value::Long(i64::MIN),
            Value::Array(array) => {
                let items = array.items().iter().map(|item| self.settled(item.clone()));
                let items = items.collect();
                Array::new(array.element(), items).into()
            }
            Value::Object(object) => {
                let mut edit = object.edit();
                for (slot, value) in object.slots().iter().enumerate() {
                    if let Some(value) = value {
                        let value = self.settled(value.clone());
                        edit.try_set(slot, Some(value)).expect("of the same type");
                    }
                }
                edit.finish().into()
            }
            other => other,
        }
    }

    fn call(&mut self, method: Method) {
        let this = self.receiver(method);
        let args: Box<[_]> = method.params().iter().map(|param| self.argument(*param)).collect();
        let mut caller = Caller::anonymous(self.service.version());
        caller.session = Some(self.session.clone());
        let call = Call { this, method, args, caller };
        match now(&self.service, &call) {
            // It waits for something that will not happen.
            None => {}
            Some(Ok(value)) => {
                if let Some(Value::Ref(mo)) = &value {
                    self.own.push(mo.clone());
                }
                self.check_result(&call, value.as_ref());
            }
            Some(Err(fault)) => self.check_fault(&call, &fault),
        }
        if self.service.session(&self.session.token).is_none() {
            self.session = login(&self.service);
            self.own.clear();
        }
    }

    fn is_wrong(&mut self, call: &Call, what: &str) {
        let mut text = format!("{} {what}", call.method);
        if std::env::var_os("VIMSIM_ANYTHING_SHOWS").is_some() {
            let _ = write!(text, "\n    {:?} {:?}", call.this, call.args);
        }
        self.wrong.insert(text);
    }

    fn check_result(&mut self, call: &Call, value: Option<&Value>) {
        match (call.method.result(), value) {
            (None, None) => {}
            (None, Some(_)) => self.is_wrong(call, "is void and answers"),
            (Some(field), None) if field.is_optional() || field.is_array() => {}
            (Some(_), None) => self.is_wrong(call, "answers nothing"),
            (Some(field), Some(value)) => {
                if !fits(field, value) {
                    self.is_wrong(call, "answers something of another type");
                }
                if let Err(error) = written(field, value) {
                    self.is_wrong(call, &format!("answers what cannot be read: {error}"));
                }
            }
        }
    }

    fn check_fault(&mut self, call: &Call, fault: &Fault) {
        let all = call.method.faults().iter();
        let undeclared = UNDECLARED.iter().filter(|(method, _)| *method == call.method);
        let mut all = all.chain(undeclared.map(|(_, ty)| ty));
        let declared = all.any(|ty| fault.is_a(*ty));
        if fault.is_a(ty::SystemError) {
            self.is_wrong(call, &format!("ends with SystemError: {}", fault.message()));
        } else if !declared && !fault.is_a(ty::RuntimeFault) {
            self.is_wrong(call, &format!("does not declare {}", fault.ty()));
        }
    }

    /// Time passes, and the work that was begun is done.
    fn rest(&mut self) {
        self.service.engine().advance(Duration::from_secs(7)).expect("a stepped clock");
        let snapshot = self.service.engine().snapshot();
        for task in tasks_in(&snapshot).expect("tasks").iter() {
            if let Some(fault) = task.status().error()
                && fault.is_a(ty::SystemError)
            {
                let name = task.description_id.as_str();
                self.wrong.insert(format!("the task {name} ends with {fault}"));
            }
        }
    }

    /// Every property is what the schema says.
    fn look_around(&mut self) {
        let snapshot = self.service.engine().snapshot();
        for (mo, properties) in snapshot.iter() {
            for (field, value) in properties.iter() {
                let place = format!("{}.{}", mo.ty(), field.name());
                if !fits(field, value) {
                    self.wrong.insert(format!("{place} holds something of another type"));
                }
                if let Err(error) = written(field, value) {
                    self.wrong.insert(format!("{place} cannot be read: {error}"));
                }
            }
        }
    }
}

/// Whether a client can read a value: required fields are there, and of their types.
fn written(field: Field, value: &Value) -> Result<(), String> {
    let items = if field.is_array() { value.items() } else { std::slice::from_ref(value) };
    for item in items {
        let mut json = Vec::new();
        vijson::encode_value(field.ty(), item, Version::NEWEST, &mut json);
        let limits = vijson::Limits::default();
        let read = vijson::decode_value(field.ty(), &json, Version::NEWEST, limits);
        read.map_err(|error| format!("{} at {}", error.problem(), error.path()))?;
    }
    let mut xml = Vec::new();
    soap::encode_response(method::Fetch, Some(value), Version::NEWEST, &mut xml);
    std::str::from_utf8(&xml).map(drop).map_err(|error| error.to_string())
}

fn run(seed: u64) {
    let mut monkey = Monkey::new(seed);
    let mut methods: Vec<Method> = monkey.service.methods();
    // Another order for each seed.
    for last in (1..methods.len()).rev() {
        let other = monkey.maker.below(last + 1);
        methods.swap(last, other);
    }
    for (number, method) in methods.into_iter().enumerate() {
        // What ends things is called less often, or soon there would be nothing.
        let ends = ["Destroy", "Remove", "Unregister", "Terminate", "Logout", "Disconnect"];
        let times = if ends.iter().any(|word| method.name().contains(word)) { 2 } else { 6 };
        for _ in 0..times {
            monkey.call(method);
        }
        if number % 20 == 0 {
            monkey.rest();
        }
    }
    monkey.rest();
    monkey.look_around();
    let wrong: Vec<&str> = monkey.wrong.iter().map(String::as_str).collect();
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_that_is_called_breaks_anything() {
    for seed in 1..=3 {
        run(seed);
    }
}

/// `VIMSIM_SEEDS=N cargo test --test it -- --ignored anything` for longer looks.
#[test]
#[ignore = "takes minutes"]
fn nothing_that_is_called_for_long_breaks_anything() {
    let seeds = std::env::var("VIMSIM_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 100..100 + seeds.unwrap_or(100) {
        run(seed);
    }
}
