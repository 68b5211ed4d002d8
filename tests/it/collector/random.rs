//! Random changes under random filters: what a client puts together from
//! updates is always what a retrieval gives.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vimsim::collector::{Collector, Request};
use vimsim::inventory::{Read, Transaction};
use vimsim::schema::{Type, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::{object, path};

use super::client::{State, apply, retrieved};
use super::world::*;

const FOLDERS: u8 = 5;
const MACHINES: u8 = 6;

/// The properties that filters choose from; some are parts of others.
const MACHINE_PROPERTIES: [&str; 12] = [
    "name",
    "runtime",
    "runtime.powerState",
    "config",
    "config.hardware.device",
    "config.hardware.device[1]",
    "config.hardware.device[2].key",
    "config.extraConfig",
    "config.extraConfig[\"a\"].value",
    "config.hardware.numCPU",
    "disabledMethod",
    "network",
];
const FOLDER_PROPERTIES: [&str; 3] = ["name", "childEntity", "childType"];

fn any_folder(number: u8) -> MoRef {
    folder(&format!("f{}", number % FOLDERS))
}

fn any_machine(number: u8) -> MoRef {
    vm(u32::from(number % MACHINES))
}

fn any_object(number: u8) -> MoRef {
    let number = number % (FOLDERS + MACHINES);
    if number < FOLDERS { any_folder(number) } else { any_machine(number - FOLDERS) }
}

/// The elements of `all` whose bits are set, in an order that depends on `mask`.
fn choose<T: Clone>(all: &[T], mask: u16) -> Vec<T> {
    let mut chosen: Vec<T> = all
        .iter()
        .enumerate()
        .filter(|(place, _)| mask >> place & 1 == 1)
        .map(|(_, item)| item.clone())
        .collect();
    if mask.is_multiple_of(3) {
        chosen.reverse();
    }
    if !chosen.is_empty() {
        let by = usize::from(mask) % chosen.len();
        chosen.rotate_left(by);
    }
    chosen
}

/// One thing that happens: what, to whom, and how.
type Event = (u8, u8, u16);

fn edit(tx: &mut Transaction, (what, whom, how): Event) {
    let machine = any_machine(whom);
    let set = |tx: &mut Transaction, path, value: Option<Value>| {
        // What has no parent at the moment is not set.
        drop(tx.set(&machine, path, value));
    };
    match what {
        0 => drop(tx.set(
            &any_object(whom),
            path!(ManagedEntity, "name"),
            format!("name {}", how % 4),
        )),
        1 => {
            let all: Vec<MoRef> = (0..FOLDERS + MACHINES).map(any_object).collect();
            drop(tx.set(&any_folder(whom), path!(Folder, "childEntity"), choose(&all, how)));
        }
        2 => {
            let devices = choose(&[1, 2, 3], how).into_iter().map(|key| match how / 8 % 3 {
                0 => object!(VirtualController { key: key, busNumber: i32::from(how / 24 % 2) }),
                1 => object!(VirtualE1000 { key: key, macAddress: "00:50:56:00:00:01" }),
                _ => object!(VirtualE1000 { key: key, unitNumber: i32::from(how / 24 % 5) }),
            });
            let devices: Vec<Object> = devices.collect();
            drop(tx.set(&machine, path!(VirtualMachine, "config.hardware.device"), devices));
        }
        3 => {
            let state = ["poweredOn", "poweredOff", "suspended"][usize::from(how) % 3];
            drop(tx.set(&machine, path!(VirtualMachine, "runtime.powerState"), state));
        }
        4 => {
            let options = choose(&["a", "b", "quo\\\"te"], how)
                .into_iter()
                .map(|key| object!(OptionValue { key: key, value: i32::from(how / 8 % 3) }));
            let options: Vec<Object> = options.collect();
            drop(tx.set(&machine, path!(VirtualMachine, "config.extraConfig"), options));
        }
        5 => {
            let methods = choose(&["PowerOn", "PowerOff", "Reset"], how);
            let methods = Some(methods).filter(|_| how % 5 > 0);
            drop(tx.set(&machine, path!(VirtualMachine, "disabledMethod"), methods));
        }
        6 => match how % 4 {
            0 => set(tx, path!(VirtualMachine, "runtime"), None),
            1 => set(tx, path!(VirtualMachine, "config"), None),
            2 => set(tx, path!(VirtualMachine, "config.hardware"), None),
            _ => {
                let fresh = super::world::machine(u32::from(how), &any_folder(0));
                if tx.exists(&machine) {
                    tx.insert(machine.clone(), fresh);
                }
            }
        },
        7 => drop(tx.set(&any_object(whom), path!(ManagedEntity, "parent"), any_folder(how as u8))),
        8 => drop(tx.remove(&any_object(whom))),
        9 => {
            let networks: Vec<MoRef> = ["a", "b", "c"].map(|id| MoRef::new(ty::Network, id)).into();
            drop(tx.set(&machine, path!(VirtualMachine, "network"), choose(&networks, how)));
        }
        _ => create(tx, &any_object(whom), how),
    }
}

fn create(tx: &mut Transaction, mo: &MoRef, how: u16) {
    if tx.exists(mo) {
        return;
    }
    let properties = if mo.ty() == ty::VirtualMachine {
        machine(u32::from(how), &any_folder(how as u8))
    } else {
        object!(Folder { name: mo.id() })
    };
    tx.insert(mo.clone(), properties);
}

/// A specification that `choice` stands for, and the names of its properties.
fn any_spec(choice: &[u16; 4]) -> (Object, Vec<String>) {
    let [machine, folder, walk, roots] = *choice;
    let mut prop_sets = Vec::new();
    let mut names = Vec::new();
    let mut add = |ty: Type, all: &[&'static str], mask: u16| {
        let chosen = choose(all, mask);
        names.extend(chosen.iter().map(|name| (*name).to_owned()));
        prop_sets.push(prop_set(ty, &chosen));
    };
    add(ty::VirtualMachine, &MACHINE_PROPERTIES, machine);
    if folder % 4 > 0 {
        add(ty::Folder, &FOLDER_PROPERTIES, folder / 4);
    }
    if folder % 8 == 1 {
        add(ty::ManagedEntity, &["name", "parent"], folder / 32);
    }
    let named = |name: &str| object!(SelectionSpec { name: name });
    let down = object!(TraversalSpec {
        name: "down",
        type: "Folder",
        path: "childEntity",
        skip: walk % 5 == 1,
        selectSet: choose(&[named("down"), named("up"), named("net")], (walk / 8) | 1),
    });
    let up = object!(TraversalSpec {
        name: "up",
        type: "ManagedEntity",
        path: "parent",
        skip: walk % 7 == 1,
        selectSet: choose(&[named("down"), named("net"), named("up")], walk / 64),
    });
    let net = object!(TraversalSpec { name: "net", type: "VirtualMachine", path: "network" });
    let traversals = [down, up, net];
    let root = |place: u8, bits: u16| {
        object!(ObjectSpec {
            obj: any_object(place),
            skip: bits & 1 == 1,
            selectSet: choose(&traversals, (bits / 2) | 1),
        })
    };
    // The names are defined at the first, which has all of them.
    let mut object_set = vec![object!(ObjectSpec {
        obj: any_folder(0),
        skip: roots & 1 == 1,
        selectSet: traversals.to_vec(),
    })];
    if roots / 4 % 3 == 0 {
        let all = object!(TraversalSpec {
            type: "ContainerView",
            path: "view",
            selectSet: choose(&[named("up"), named("net")], walk / 512),
        });
        object_set.push(object!(ObjectSpec { obj: view(), skip: true, selectSet: vec![all] }));
        if roots / 16 % 2 == 0 {
            object_set.remove(0);
            object_set.push(object!(ObjectSpec {
                obj: vm(0),
                skip: true,
                selectSet: traversals.to_vec(),
            }));
        }
    }
    for bits in [roots / 2, roots / 256] {
        if bits % 3 == 0 {
            object_set.push(root(bits as u8 / 3, bits / 8));
        }
    }
    let spec = object!(PropertyFilterSpec {
        propSet: prop_sets,
        objectSet: object_set,
        reportMissingObjectsInResults: true,
    });
    (spec, names)
}

/// A client and what it made of the versions that it has got.
struct Client<'w> {
    world: &'w World,
    collector: Collector,
    filters: Vec<(MoRef, Object, Vec<String>)>,
    /// The version that the client goes on from next, and its state.
    at: (String, BTreeMap<MoRef, State>),
    /// The version that the last reply was made from.
    before: (String, BTreeMap<MoRef, State>),
    /// The last version that is not of a page.
    whole: (String, BTreeMap<MoRef, State>),
}

impl<'w> Client<'w> {
    fn new(world: &'w World, choices: &[[u16; 4]]) -> Self {
        let collector = world.collector();
        let mut filters = Vec::new();
        for (number, choice) in choices.iter().enumerate() {
            let (spec, names) = any_spec(choice);
            let mo = filter(&number.to_string());
            let partial = number % 2 == 0;
            collector.create_filter(mo.clone(), &spec, partial, &world.see()).unwrap();
            filters.push((mo, spec, names));
        }
        let at = (String::new(), BTreeMap::new());
        Self { world, collector, filters, before: at.clone(), whole: at.clone(), at }
    }

    /// Calls once, from where the client is.
    fn call(&mut self, max: Option<i32>) {
        let paged = self.at.0.contains('_');
        if self.at.0.is_empty() {
            self.at.1.clear();
        }
        let reply = match max {
            None if !paged => self.world.check(&self.collector, &self.at.0),
            max => self.world.poll(&self.collector, &self.at.0, max.unwrap_or(3)),
        };
        let reply = reply.unwrap_or_else(|fault| panic!("version {:?}: {fault}", self.at.0));
        let mut truncated = false;
        if let Some(updates) = &reply {
            truncated = updates.field("truncated").is_some();
            if !paged {
                self.before = self.at.clone();
            }
            for (mo, _, names) in &self.filters {
                apply(self.at.1.entry(mo.clone()).or_default(), mo, updates, names);
            }
            self.at.0 = version(updates);
            if !truncated {
                self.whole = self.at.clone();
            }
        }
        if !truncated && !paged {
            self.compare();
        }
    }

    fn compare(&self) {
        for (mo, spec, _) in &self.filters {
            let fresh =
                Request::compile([spec]).unwrap().retrieve(&self.world.see()).unwrap().read();
            let state = self.at.1.get(mo).cloned().unwrap_or_default();
            assert_eq!(state, retrieved(&fresh), "filter {}", mo.id());
        }
    }
}

fn run(choices: &[[u16; 4]], events: &[Event]) {
    let world = World::empty();
    world.commit(|tx| {
        for number in 0..FOLDERS + MACHINES {
            if number % 4 < 3 {
                create(tx, &any_object(number), u16::from(number));
            }
        }
        for number in 0..FOLDERS {
            edit(tx, (1, number, 0b1_0110_1011_u16.rotate_left(u32::from(number) * 3)));
        }
    });
    let mut client = Client::new(&world, choices);
    let mut edits = Vec::new();
    for event in events {
        let (what, whom, how) = *event;
        if what < 12 {
            edits.push((what, whom, how));
            continue;
        }
        if !edits.is_empty() {
            world.commit(|tx| edits.drain(..).for_each(|event| edit(tx, event)));
        }
        match what {
            // The changes are in, and nobody looks yet.
            12 => {}
            13 => {
                let property = ["name", "runtime", "childEntity", "config"][usize::from(how) % 4];
                let place = (any_object(whom), property);
                let mut withheld = world.withheld.lock().unwrap();
                if !withheld.remove(&place) {
                    withheld.insert(place.clone());
                }
                drop(withheld);
                world.subscriptions.touch(&place.0);
            }
            14 => {
                // The reply was lost.
                client.at = client.before.clone();
                client.call(None);
            }
            15 => {
                // The rest of the pages is not wanted.
                client.at = client.whole.clone();
                client.call(Some(i32::from(how % 5) + 1));
            }
            16 => {
                client.at.0.clear();
                client.call(Some(i32::from(how % 7) + 1));
            }
            17 => {
                // The client is gone, and comes back as somebody new.
                client.collector.close();
                client = Client::new(&world, choices);
                client.call(Some(i32::from(how % 7) + 1));
            }
            18 => client.call(Some(i32::from(how % 3) + 1)),
            _ => client.call(None),
        }
    }
    client.at = client.whole.clone();
    client.call(None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_client_that_applies_updates_has_what_is_there(
        choices in prop::collection::vec(any::<[u16; 4]>(), 1..4),
        events in prop::collection::vec((0_u8..22, any::<u8>(), any::<u16>()), 1..80),
    ) {
        run(&choices, &events);
    }
}
