//! A small inventory, and short ways to write what tests ask of it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use vimsim::collector::{Collector, Limits, MayRead, Source, Subscriptions, Wait};
use vimsim::fault::{Fault, Result};
use vimsim::inventory::{Properties, Read, Snapshot, Store, Transaction};
use vimsim::schema::{Field, Type, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::{object, path};

/// A store whose commits reach the subscriptions, and who may read what.
pub(super) struct World {
    pub(super) store: Arc<Store>,
    pub(super) subscriptions: Arc<Subscriptions>,
    pub(super) withheld: Arc<Mutex<HashSet<(MoRef, &'static str)>>>,
}

/// What a caller sees of a [`World`].
pub(super) struct Seen {
    snapshot: Arc<Snapshot>,
    withheld: HashSet<(MoRef, &'static str)>,
}

impl Seen {
    /// The folders that the view looks through, and the machines in them.
    fn view(&self) -> (Vec<MoRef>, Vec<MoRef>) {
        let (mut folders, mut machines) = (vec![folder("root"), folder("f0")], Vec::new());
        let mut next = 0;
        while let Some(mo) = folders.get(next).cloned() {
            next += 1;
            for child in self.snapshot.morefs(&mo, path!(Folder, "childEntity")) {
                let list = if child.ty() == ty::Folder { &mut folders } else { &mut machines };
                if !list.contains(&child) {
                    list.push(child);
                }
            }
        }
        (folders, machines)
    }
}

/// What is kept from the caller.
#[derive(Debug)]
struct Withheld(HashSet<(MoRef, &'static str)>);

impl MayRead for Withheld {
    fn may_read(&self, mo: &MoRef, property: Field) -> Result<()> {
        if self.0.contains(&(mo.clone(), property.name())) {
            return Err(Fault::not_authenticated(mo));
        }
        Ok(())
    }
}

impl Source for Seen {
    fn get(&self, mo: &MoRef) -> Option<Properties> {
        if *mo == view() {
            return Some(object!(ContainerView { view: self.view().1 }).into());
        }
        self.snapshot.properties(mo).cloned()
    }

    fn depends(&self, mo: &MoRef, add: &mut dyn FnMut(&MoRef)) {
        if *mo == view() {
            self.view().0.iter().for_each(add);
        }
    }

    fn limits(&self) -> Option<Arc<dyn MayRead>> {
        let limits = || Arc::new(Withheld(self.withheld.clone())) as Arc<dyn MayRead>;
        (!self.withheld.is_empty()).then(limits)
    }

    fn version(&self) -> u64 {
        self.snapshot.version()
    }
}

impl World {
    pub(super) fn empty() -> Self {
        let store = Arc::new(Store::new());
        let subscriptions = Subscriptions::new();
        let index = Arc::clone(&subscriptions);
        assert!(store.observe(Box::new(move |commit| index.on_commit(commit))));
        Self { store, subscriptions, withheld: Arc::default() }
    }

    /// A folder `root` with the VMs `vm-1` to `vm-3` and the folder `sub`, which
    /// has `vm-4`; a task `task-1`.
    pub(super) fn new() -> Self {
        let world = Self::empty();
        world.commit(|tx| {
            for number in 1..=4 {
                let parent = if number == 4 { folder("sub") } else { folder("root") };
                tx.insert(vm(number), machine(number, &parent));
            }
            tx.insert(
                folder("root"),
                object!(Folder {
                    name: "root",
                    childEntity: vec![vm(1), vm(2), folder("sub"), vm(3)],
                }),
            );
            tx.insert(
                folder("sub"),
                object!(Folder { name: "sub", parent: folder("root"), childEntity: vec![vm(4)] }),
            );
            tx.insert(
                task(),
                object!(Task { info: object!(TaskInfo { key: "task-1", state: "queued" }) }),
            );
        });
        world
    }

    pub(super) fn commit(&self, change: impl FnOnce(&mut Transaction)) {
        let done = self.store.commit(|tx| {
            change(tx);
            Ok::<_, Fault>(())
        });
        done.expect("the closure cannot fail");
    }

    pub(super) fn see(&self) -> Seen {
        Seen { snapshot: self.store.snapshot(), withheld: self.withheld.lock().unwrap().clone() }
    }

    pub(super) fn withhold(&self, mo: MoRef, property: &'static str) {
        self.withheld.lock().unwrap().insert((mo, property));
    }

    pub(super) fn collector(&self) -> Collector {
        Collector::new(Arc::clone(&self.subscriptions), Limits::default())
    }

    pub(super) fn check(&self, collector: &Collector, version: &str) -> Result<Option<Object>> {
        now(collector.wait(&Wait::check(version), || self.see(), std::future::pending()))
    }

    /// `WaitForUpdatesEx` with maxWaitSeconds 0 and a page size.
    pub(super) fn poll(
        &self,
        collector: &Collector,
        version: &str,
        max: impl Into<Option<i32>>,
    ) -> Result<Option<Object>> {
        let options = object!(WaitOptions { maxWaitSeconds: 0, maxObjectUpdates: max.into() });
        let wait = Wait::ex(version, Some(&options), collector.limits())?;
        now(collector.wait(&wait, || self.see(), std::future::pending()))
    }

    pub(super) fn set_name(&self, mo: &MoRef, name: &str) {
        self.commit(|tx| tx.set(mo, path!(ManagedEntity, "name"), name).unwrap());
    }
}

/// The result of a future that has nothing to wait for.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Waker};
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits"),
    }
}

pub(super) fn vm(number: u32) -> MoRef {
    MoRef::new(ty::VirtualMachine, &format!("vm-{number}"))
}

pub(super) fn folder(id: &str) -> MoRef {
    MoRef::new(ty::Folder, id)
}

pub(super) fn task() -> MoRef {
    MoRef::new(ty::Task, "task-1")
}

/// An object that is in no snapshot: all machines below the folders `root` and `f0`.
pub(super) fn view() -> MoRef {
    MoRef::new(ty::ContainerView, "view")
}

pub(super) fn filter(id: &str) -> MoRef {
    MoRef::new(ty::PropertyFilter, id)
}

pub(super) fn machine(number: u32, parent: &MoRef) -> Object {
    object!(VirtualMachine {
        name: format!("VM{number}"),
        parent: parent,
        runtime: object!(VirtualMachineRuntimeInfo {
            powerState: "poweredOn",
            connectionState: "connected",
        }),
        config: object!(VirtualMachineConfigInfo {
            name: format!("VM{number}"),
            hardware: object!(VirtualHardware {
                numCPU: 2,
                device: vec![device(200, None), device(4000, Some("00:50:56:00:00:01"))],
            }),
            extraConfig: vec![object!(OptionValue { key: "guestinfo.a", value: "1" })],
        }),
    })
}

/// A virtual device; with an address, a network card.
pub(super) fn device(key: i32, address: Option<&str>) -> Object {
    match address {
        None => object!(VirtualController { key: key, busNumber: 0 }),
        Some(address) => object!(VirtualE1000 { key: key, macAddress: address }),
    }
}

pub(super) fn prop_set(ty: Type, paths: &[&str]) -> Object {
    object!(PropertySpec { type: ty.name(), pathSet: paths.to_vec() })
}

pub(super) fn everything(ty: Type) -> Object {
    object!(PropertySpec { type: ty.name(), all: true })
}

pub(super) fn object_spec(obj: &MoRef) -> Object {
    object!(ObjectSpec { obj: obj })
}

/// From a folder through all folders below it, without the root.
pub(super) fn tree(root: &MoRef) -> Object {
    let down = object!(TraversalSpec {
        name: "down",
        type: "Folder",
        path: "childEntity",
        selectSet: vec![object!(SelectionSpec { name: "down" })],
    });
    object!(ObjectSpec { obj: root, skip: true, selectSet: vec![down] })
}

pub(super) fn spec(prop_set: Vec<Object>, object_set: Vec<Object>) -> Object {
    object!(PropertyFilterSpec { propSet: prop_set, objectSet: object_set })
}

/// The objects in an array field.
pub(super) fn list<'o>(object: &'o Object, field: &str) -> Vec<&'o Object> {
    object
        .field(field)
        .map(Value::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_object)
        .collect()
}

pub(super) fn text(object: &Object, field: &str) -> String {
    object.field(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn obj(content: &Object) -> MoRef {
    content.field("obj").and_then(Value::as_moref).cloned().expect("obj is required")
}

pub(super) fn version(updates: &Object) -> String {
    text(updates, "version")
}

/// The updates of a set in short: `enter vm-1 name=VM1`, one line each.
pub(super) fn told(updates: &Object) -> Vec<String> {
    let mut lines = Vec::new();
    for filter in list(updates, "filterSet") {
        for update in list(filter, "objectSet") {
            let mut line = format!("{} {}", text(update, "kind"), obj(update).id());
            for change in list(update, "changeSet") {
                let op = match text(change, "op").as_str() {
                    "assign" => "",
                    "add" => "+",
                    "remove" => "-",
                    _ => "--",
                };
                line += &format!(" {op}{}", text(change, "name"));
                if let Some(value) = change.field("val") {
                    line += &format!("={}", short(value));
                }
            }
            for missing in list(update, "missingSet") {
                line += &format!(" !{}", text(missing, "path"));
            }
            lines.push(line);
        }
        for missing in list(filter, "missingSet") {
            lines.push(format!("missing {}", obj(missing).id()));
        }
    }
    lines
}

pub(super) fn short(value: &Value) -> String {
    match value {
        Value::Ref(mo) => mo.id().to_owned(),
        Value::Object(object) => {
            let fields: Vec<String> = object
                .iter()
                .map(|(field, value)| format!("{}:{}", field.name(), short(value)))
                .collect();
            format!("{}{{{}}}", object.ty().name(), fields.join(","))
        }
        Value::Array(array) => {
            format!("[{}]", array.items().iter().map(short).collect::<Vec<_>>().join(","))
        }
        other => match (other.as_str(), other.as_i64(), other.as_bool()) {
            (Some(text), ..) => text.to_owned(),
            (_, Some(number), _) => number.to_string(),
            (.., Some(truth)) => truth.to_string(),
            _ => format!("{other:?}"),
        },
    }
}
