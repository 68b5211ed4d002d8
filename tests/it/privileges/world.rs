//! A server with users, and clients that call it.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use vimsim::Config;
use vimsim::config::{Access, ClockMode};
use vimsim::fault::{Fault, Result};
use vimsim::inventory::Read;
use vimsim::path;
use vimsim::schema::{Method, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::vsphere::{Call, Caller, Service, Session};

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

/// Users of every kind.
const USERS: &str = r#"{
    "users": {
        "root": {"password": "toor", "fullName": "The Administrator"},
        "reader": {"password": "r"},
        "operator": {"groups": ["operators"]},
        "owner": {},
        "nobody": {}
    },
    "roles": {
        "Operator": ["VirtualMachine.Interact.*"],
        "Extension": ["Task.*", "Extension.Register"]
    },
    "permissions": [
        {"user": "root", "role": "Admin"},
        {"user": "reader", "role": "ReadOnly"},
        {"group": "operators", "role": "Operator", "entity": "/DC0"},
        {"user": "owner", "role": "Admin", "entity": "/DC0/vm/DC0_H0_VM0"}
    ]
}"#;

/// A server and perhaps a login.
pub(super) struct Client {
    pub(super) service: Arc<Service>,
    pub(super) session: Option<Arc<Session>>,
}

/// The answer of a call that does not have to wait.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the call waits"),
    }
}

/// A server with these users, in the form of the file.
pub(super) fn server(users: Option<&str>) -> Arc<Service> {
    let config = Config {
        access: users.map(|users| Access::parse(users).unwrap()),
        clock: ClockMode::Stepped,
        seed: Some(7),
        ..Config::default()
    };
    Service::new(config).unwrap()
}

/// A server with the usual users.
pub(super) fn usual() -> Arc<Service> {
    server(Some(USERS))
}

pub(super) fn manager() -> MoRef {
    MoRef::new(ty::AuthorizationManager, "AuthorizationManager")
}

impl Client {
    /// A login that succeeds, with the password `r`, or `toor` for root.
    pub(super) fn of(service: &Arc<Service>, user: &str) -> Self {
        let mut client = Self { service: service.clone(), session: None };
        client.login(user, if user == "root" { "toor" } else { "r" }).unwrap();
        client
    }

    pub(super) fn login(&mut self, user: &str, password: &str) -> Result<()> {
        self.session = None;
        let this = self.service.content().session_manager.clone();
        let call = self.prepare(&this, args!(Login, userName: user, password: password));
        now(self.service.call(&call))?;
        self.session = call.caller.began.get().cloned();
        Ok(())
    }

    pub(super) fn login_extension(&mut self, key: &str) {
        let this = self.service.content().session_manager.clone();
        let args = args!(LoginExtensionByCertificate, extensionKey: key);
        let mut call = self.prepare(&this, args);
        call.caller.has_certificate = true;
        now(self.service.call(&call)).unwrap();
        self.session = call.caller.began.get().cloned();
    }

    fn prepare(&self, this: &MoRef, (method, args): Args) -> Call {
        let mut caller = Caller::anonymous(self.service.version());
        caller.session = self.session.clone();
        Call { this: this.clone(), method, args: args.into(), caller }
    }

    pub(super) fn call(&self, this: &MoRef, args: Args) -> Result<Option<Value>> {
        now(self.service.call(&self.prepare(this, args)))
    }

    /// The fault of a call that must not succeed.
    pub(super) fn refused(&self, this: &MoRef, args: Args) -> Fault {
        let method = args.0;
        match self.call(this, args) {
            Ok(answer) => panic!("{method} on {this} answers {answer:?}"),
            Err(fault) => fault,
        }
    }

    pub(super) fn root_folder(&self) -> MoRef {
        self.service.content().root_folder.clone()
    }

    /// The entity at an inventory path, whoever may see it.
    pub(super) fn at(&self, inventory_path: &str) -> MoRef {
        let snapshot = self.service.engine().snapshot();
        inventory_path.split('/').filter(|name| !name.is_empty()).fold(
            self.root_folder(),
            |at, name| {
                vimsim::vsphere::containment::children(&*snapshot, &at)
                    .into_iter()
                    .find(|mo| snapshot.text(mo, path!(ManagedEntity, "name")) == name)
                    .unwrap_or_else(|| panic!("no {name} in {inventory_path}"))
            },
        )
    }

    pub(super) fn fetch(&self, this: &MoRef, property: &str) -> Result<Option<Value>> {
        self.call(this, args!(Fetch, prop: property))
    }

    pub(super) fn refs(&self, this: &MoRef, property: &str) -> Vec<MoRef> {
        let value = self.fetch(this, property).unwrap();
        value.map(|value| value.morefs().cloned().collect()).unwrap_or_default()
    }
}

/// What a `NoPermission` says: the object and the first privilege.
pub(super) fn lacking(fault: &Fault) -> (MoRef, String) {
    assert_eq!(fault.ty(), ty::NoPermission, "{fault}");
    let object = fault.object().at(path!(NoPermission, "object")).and_then(Value::as_moref);
    let privilege = fault.object().at(path!(NoPermission, "privilegeId")).and_then(Value::as_str);
    (object.unwrap().clone(), privilege.unwrap().to_owned())
}

/// All that a `NoPermission` says is missing.
pub(super) fn all_lacking(fault: &Fault) -> Vec<(MoRef, Vec<String>)> {
    let all = fault.object().at(path!(NoPermission, "missingPrivileges")).unwrap();
    let texts = |value: &Value| {
        value.items().iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    all.items()
        .iter()
        .filter_map(Value::as_object)
        .map(|missing| {
            let entity = missing.at(path!(NoPermissionEntityPrivileges, "entity")).unwrap();
            let ids = missing.at(path!(NoPermissionEntityPrivileges, "privilegeIds")).unwrap();
            (entity.as_moref().unwrap().clone(), texts(ids))
        })
        .collect()
}

/// A task of a job that takes a while, made by the engine for `owner`.
pub(super) fn long_task(client: &Client, entity: &MoRef, owner: &str) -> MoRef {
    use vimsim::engine::{Job, TaskContext, TaskSpec, Tx};
    use vimsim::task::Operation;

    #[derive(Clone)]
    struct Idle;
    impl Job for Idle {
        fn complete(&mut self, _: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>> {
            Ok(None)
        }
    }
    let mut spec = TaskSpec::new(Operation::Internal("test".into()), "test");
    spec.entity = Some(entity.clone());
    spec.owner = Some(owner.into());
    spec.cancelable = true;
    spec.duration = std::time::Duration::from_secs(60);
    client.service.engine().submit(spec, Box::new(Idle)).unwrap()
}

/// What one read of an object's properties gives: names that have values, and faults by name.
pub(super) fn read(
    client: &Client,
    mo: &MoRef,
    properties: &[&str],
) -> (Vec<String>, Vec<(String, Object)>) {
    use vimsim::object;
    let spec = object!(PropertyFilterSpec {
        propSet: vec![object!(PropertySpec { type: mo.ty().name(), pathSet: properties.to_vec() })],
        objectSet: vec![object!(ObjectSpec { obj: mo })],
    });
    let specs = vimsim::value::Array::new(ty::PropertyFilterSpec, vec![spec.into()]);
    let collector = MoRef::new(ty::PropertyCollector, "propertyCollector");
    let answer = client.call(&collector, args!(RetrieveProperties, specSet: specs)).unwrap();
    let contents = answer.unwrap();
    let content = contents.items()[0].as_object().unwrap().clone();
    let list = |path| content.at(path).map(|v: &Value| v.items().to_vec()).unwrap_or_default();
    let name = |item: &Value, field: &str| {
        item.as_object().unwrap().field(field).unwrap().as_str().unwrap().to_owned()
    };
    let had = list(path!(ObjectContent, "propSet")).iter().map(|item| name(item, "name")).collect();
    let missing = list(path!(ObjectContent, "missingSet"))
        .iter()
        .map(|item| {
            let fault = item.as_object().unwrap().at(path!(MissingProperty, "fault.fault"));
            (name(item, "path"), fault.unwrap().as_object().unwrap().clone())
        })
        .collect();
    (had, missing)
}
