//! Many machines from one template.
//!
//! A template is a whole machine, made and derived once for each place. A
//! machine stamped from it shares everything that does not depend on its name,
//! which is nearly everything: that is what makes a large inventory start fast
//! and stay small. Its properties are a function of the template, its reference
//! and its name, so these are all that is kept of it.

use super::catalog::Catalog;
use super::identity::{self, MacSource};
use super::vm::{self, Names, NewMachine};
use super::{device, put};
use std::sync::Arc;

use crate::inventory::mould::{NAME, mark};
use crate::inventory::{Cast, Fill, Mould, Properties, Read};
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Object, ObjectBuilder, Str};

const DISK_CAPACITY: i64 = 10 << 30;

// What differs from machine to machine beside its name, by the number of its mark.
const UUID: u8 = 1;
const INSTANCE_UUID: u8 = 2;
const DISK_UUID: u8 = 3;
const MAC: u8 = 4;
const HOST_NAME: u8 = 5;
const ADDRESS: u8 = 6;

/// Where a machine is, and what it is connected to.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder that holds it.
    pub folder: &'a MoRef,
    /// The pool or vApp that it runs in.
    pub pool: &'a MoRef,
    /// Its host.
    pub host: &'a MoRef,
    /// What answers questions about its hardware.
    pub environment: &'a MoRef,
    /// Where its files are.
    pub datastore: &'a MoRef,
    /// What its adapter is connected to.
    pub network: &'a MoRef,
}

/// A machine to stamp others from.
#[derive(Clone, Debug)]
pub struct Template {
    mould: Arc<Mould>,
}

/// What is told of a machine by its reference and its name.
struct Identities {
    datastore: String,
    mac_source: MacSource,
}

impl Fill for Identities {
    fn text(&self, vm: &MoRef, name: &str, mark: u8) -> Str {
        let vmx = || vmx_path(&self.datastore, name);
        Str::from(match mark {
            UUID => identity::uuid(&vmx()),
            INSTANCE_UUID => identity::uuid(&identity::uuid(&vmx())),
            DISK_UUID => identity::uuid(&disk_path(&vmx())),
            MAC => identity::mac(self.mac_source, vm::number(vm)),
            HOST_NAME => vm::host_name(name),
            ADDRESS => vm::address(vm),
            _ => name.to_owned(),
        })
    }
}

impl Template {
    /// Makes the template for a place: one processor, 32 MB, a disk of 10 GB, a
    /// CD drive and a network adapter, as vcsim's machines have.
    pub fn new(read: &impl Read, catalog: &Catalog, place: &Place<'_>, on: bool) -> Self {
        let text = |number| mark(number).to_string();
        let this = MoRef::new(ty::VirtualMachine, "template");
        let machine = machine(read, catalog, place, on, &this, &text);
        let machine = if on { with_marked_guest(read, &this, &machine, catalog) } else { machine };
        let datastore = read.text(place.datastore, path!(Datastore, "name")).to_owned();
        let mac_source = if catalog.is_esx() { MacSource::Host } else { MacSource::VCenter };
        let identities = Identities { datastore, mac_source };
        Self { mould: Mould::new(machine, &this, Box::new(identities)) }
    }

    /// The properties of the machine `vm` called `name`.
    pub fn stamp(&self, vm: &MoRef, name: &str) -> Properties {
        Cast::new(Arc::clone(&self.mould), vm.clone(), Str::from(name)).into()
    }
}

/// A machine in a place, with the texts that differ from machine to machine.
fn machine(
    read: &impl Read,
    catalog: &Catalog,
    place: &Place<'_>,
    on: bool,
    this: &MoRef,
    text: &dyn Fn(u8) -> String,
) -> Object {
    let datastore = read.text(place.datastore, path!(Datastore, "name"));
    let vmx = vmx_path(datastore, &text(NAME));
    let backing =
        device::flat_backing(&disk_path(&vmx), Some(place.datastore), true, &text(DISK_UUID));
    let (network, summary) = device::network_backing(read, place.network);
    let extra = [
        device::scsi_controller(0),
        device::cdrom(),
        device::disk(1, 0, 0, DISK_CAPACITY, backing),
        device::nic(0, network, &summary, &text(MAC), on),
    ];
    let names = Names {
        name: &text(NAME),
        vmx_path: &vmx,
        uuid: &text(UUID),
        instance_uuid: &text(INSTANCE_UUID),
    };
    let new = NewMachine {
        config: catalog.vm().config(&names, &extra, catalog.now()),
        capability: catalog.vm().capability(),
        folder: place.folder,
        pool: Some(place.pool),
        host: Some(place.host),
        environment: place.environment,
        on,
        now: catalog.now(),
    };
    vm::machine(read, this, &new)
}

/// The machine with marks where its guest's name and address stand.
fn with_marked_guest(
    read: &impl Read,
    this: &MoRef,
    machine: &Object,
    catalog: &Catalog,
) -> Object {
    let mut guest = ObjectBuilder::new(ty::GuestInfo);
    put!(
        guest,
        GuestInfo { hostName: mark(HOST_NAME).to_string(), ipAddress: mark(ADDRESS).to_string() }
    );
    let machine = machine.with(const { ty::VirtualMachine.slot("guest") }, guest.finish());
    vm::derived(read, this, &machine, catalog.now())
}

fn vmx_path(datastore: &str, name: &str) -> String {
    format!("[{datastore}] {name}/{name}.vmx")
}

fn disk_path(vmx: &str) -> String {
    format!("{}.vmdk", vmx.strip_suffix(".vmx").unwrap_or(vmx))
}

#[cfg(test)]
mod tests {
    use super::super::build;
    use super::*;
    use crate::config::Config;
    use crate::inventory::Store;
    use crate::value::{DateTime, Value};

    #[test]
    fn a_stamped_machine_is_what_would_have_been_derived() {
        let now = DateTime::from_micros(1_000_000);
        for autostart in [true, false] {
            let store = Store::new();
            let mut config = Config::default();
            config.model.autostart = autostart;
            store.commit(|tx| build(tx, &config, now)).unwrap();
            let snapshot = store.snapshot();
            let later = now.after(std::time::Duration::from_secs(60));
            assert_eq!(snapshot.of_type(ty::VirtualMachine).count(), 4);
            for (vm, machine) in snapshot.of_type(ty::VirtualMachine) {
                // Nothing changes, not even a time stamp: all of it was right.
                assert_eq!(&vm::derived(&*snapshot, vm, machine, later), machine, "{vm}");
                // And it is right without what was there before, too.
                let slots = ["name", "guest", "summary", "layoutEx", "storage", "resourceConfig"];
                let bare = slots.iter().fold(machine.clone(), |machine, slot| {
                    let (slot, _) = machine.ty().field(slot).unwrap();
                    machine.with(slot, None::<Value>)
                });
                assert_eq!(&vm::derived(&*snapshot, vm, &bare, now), machine, "{vm}");
            }
        }
    }

    /// The reference, or the first of several, at a path.
    fn first_ref(machine: &Object, path: &crate::schema::StaticPath) -> MoRef {
        let value = machine.at(path).unwrap();
        value.as_moref().or_else(|| value.morefs().next()).cloned().unwrap()
    }

    #[test]
    fn a_stamped_machine_is_one_made_in_full_and_reads_alike_in_parts() {
        let now = DateTime::from_micros(1_000_000);
        for (autostart, esx) in [(true, false), (false, false), (true, true)] {
            let store = Store::new();
            let mut config = Config::default();
            config.model.autostart = autostart;
            config.model.app = 1;
            config.esx = esx;
            let catalog = Catalog::new(&config, now).unwrap();
            store.commit(|tx| super::super::build_with(tx, &catalog, &config)).unwrap();
            let snapshot = store.snapshot();
            let mut count = 0;
            for vm in snapshot.refs(ty::VirtualMachine) {
                count += 1;
                let kept = snapshot.properties(vm).unwrap();
                let Properties::Cast(_) = kept else { panic!("{vm} is not a cast") };
                for (slot, field) in ty::VirtualMachine.fields().iter().enumerate() {
                    let part = kept.get(slot);
                    assert_eq!(part.as_ref(), kept.to_object().get(slot), "{vm} {}", field.name());
                    let inner = part.as_ref().and_then(Value::as_object);
                    for (at, value) in inner.iter().flat_map(|it| it.slots().iter().enumerate()) {
                        let steps = [slot, at].map(|at| crate::schema::Step::Field(at as u16));
                        assert_eq!(kept.lookup(&steps), *value, "{vm} {}[{at}]", field.name());
                    }
                }
                let whole = kept.to_object();
                let at = |path| first_ref(&whole, path);
                let place = Place {
                    folder: &at(path!(VirtualMachine, "parent")),
                    pool: &at(path!(VirtualMachine, "resourcePool")),
                    host: &at(path!(VirtualMachine, "runtime.host")),
                    environment: &at(path!(VirtualMachine, "environmentBrowser")),
                    datastore: &at(path!(VirtualMachine, "datastore")),
                    network: &at(path!(VirtualMachine, "network")),
                };
                let datastore = snapshot.text(place.datastore, path!(Datastore, "name")).to_owned();
                let source = if esx { MacSource::Host } else { MacSource::VCenter };
                let identities = Identities { datastore, mac_source: source };
                let name = snapshot.text(vm, path!(VirtualMachine, "name"));
                let text = |number| identities.text(vm, name, number).to_string();
                let made = machine(&*snapshot, &catalog, &place, autostart, vm, &text);
                assert_eq!(made, whole, "{vm}");
            }
            assert!(count >= 2);
        }
    }
}
