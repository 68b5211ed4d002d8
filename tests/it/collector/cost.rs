//! What a change costs: how many objects are looked at, not how long it takes.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use vimsim::collector::{Collector, MayRead, Source, Wait};
use vimsim::inventory::Properties;
use vimsim::schema::ty;
use vimsim::value::{MoRef, Object};
use vimsim::{object, path};

use super::world::*;

const MACHINES: u32 = 100_000;

/// Counts the objects that are read of a source.
struct Counting {
    seen: Seen,
    looks: Rc<Cell<usize>>,
}

impl Source for Counting {
    fn get(&self, mo: &MoRef) -> Option<Properties> {
        self.looks.set(self.looks.get() + 1);
        self.seen.get(mo)
    }

    fn depends(&self, mo: &MoRef, add: &mut dyn FnMut(&MoRef)) {
        self.seen.depends(mo, add);
    }

    fn limits(&self) -> Option<Arc<dyn MayRead>> {
        self.seen.limits()
    }

    fn version(&self) -> u64 {
        self.seen.version()
    }
}

/// A folder with very many machines in folders of a thousand.
fn large_world() -> World {
    let world = World::empty();
    world.commit(|tx| {
        let folders: Vec<MoRef> =
            (0..MACHINES / 1000).map(|number| folder(&format!("g{number}"))).collect();
        for (number, place) in (0..).zip(&folders) {
            let machines: Vec<MoRef> = (number * 1000..(number + 1) * 1000).map(vm).collect();
            for machine in &machines {
                tx.insert(machine.clone(), object!(VirtualMachine { name: machine.id() }));
            }
            tx.insert(place.clone(), object!(Folder { name: place.id(), childEntity: machines }));
        }
        tx.insert(folder("root"), object!(Folder { name: "root", childEntity: folders }));
    });
    world
}

/// A client and how many objects its last call looked at.
struct Client<'w> {
    world: &'w World,
    collector: Collector,
    looks: Rc<Cell<usize>>,
    at: String,
}

impl<'w> Client<'w> {
    fn new(world: &'w World, spec: &Object) -> Self {
        let collector = world.collector();
        collector.create_filter(filter("f"), spec, true, &world.see()).unwrap();
        Self { world, collector, looks: Rc::default(), at: String::new() }
    }

    /// How many updates there are, and how many objects were looked at for them.
    fn check(&mut self) -> (usize, usize) {
        self.looks.set(0);
        let looks = Rc::clone(&self.looks);
        let source = || Counting { seen: self.world.see(), looks: Rc::clone(&looks) };
        let wait = Wait::check(&self.at);
        let answer = now(self.collector.wait(&wait, source, std::future::pending()));
        let told = answer.unwrap().map_or(0, |updates| {
            self.at = version(&updates);
            told(&updates).len()
        });
        (told, self.looks.get())
    }
}

#[test]
fn a_filter_over_very_many_objects_looks_at_those_that_changed() {
    let world = large_world();
    let names = vec![prop_set(ty::VirtualMachine, &["name"])];
    let all = spec(names.clone(), vec![tree(&folder("root"))]);
    let mut client = Client::new(&world, &all);
    let (told, looks) = client.check();
    assert_eq!(told, MACHINES as usize);
    assert!(looks >= told, "{looks} looks are counted");
    assert_eq!(client.check(), (0, 0), "nothing changed, and nothing is looked at");

    // For each object that changed, the walk and the report look once.
    for changed in [1, 10, 1000] {
        for number in 0..changed {
            world.set_name(&vm(number * 97), &format!("changed in a row of {changed}"));
        }
        let (told, looks) = client.check();
        assert_eq!(told, changed as usize);
        assert!(looks <= 2 * told, "{looks} looks for {told} changes");
    }

    // Members that come and go cost what came and went, not what is there.
    let place = folder("g50");
    world.commit(|tx| {
        tx.insert(vm(MACHINES), object!(VirtualMachine { name: "new" }));
        tx.push_ref(&place, path!(Folder, "childEntity"), &vm(MACHINES)).unwrap();
        tx.remove_ref(&place, path!(Folder, "childEntity"), &vm(50_000)).unwrap();
    });
    let (told, looks) = client.check();
    assert_eq!(told, 2);
    assert!(looks <= 8, "{looks} looks for one that came and one that went");

    // A whole folder moves: its thousand machines, not the hundred thousand.
    let children = path!(Folder, "childEntity");
    world.commit(|tx| tx.remove_ref(&folder("root"), children, &folder("g7")).unwrap());
    let (told, looks) = client.check();
    assert_eq!(told, 1000);
    assert!(looks <= 4 * told, "{looks} looks for {told} that left");

    // What nobody watches is no reason to look.
    world.commit(|tx| tx.insert(vm(MACHINES + 1), object!(VirtualMachine { name: "apart" })));
    assert_eq!(client.check(), (0, 0));
}

/// A commit finds the filters that it touches by the index: the others look at
/// nothing, not even to find out that nothing is new.
#[test]
fn a_commit_makes_only_those_look_whom_it_concerns() {
    let world = World::empty();
    let count = 1000;
    world.commit(|tx| {
        for number in 0..count {
            tx.insert(vm(number), object!(VirtualMachine { name: "m" }));
        }
    });
    let mut clients: Vec<Client<'_>> = (0..count)
        .map(|number| {
            let names = vec![prop_set(ty::VirtualMachine, &["name"])];
            Client::new(&world, &spec(names, vec![object_spec(&vm(number))]))
        })
        .collect();
    for client in &mut clients {
        assert_eq!(client.check().0, 1);
    }
    world.set_name(&vm(17), "changed");
    for (number, client) in (0..).zip(&mut clients) {
        let expected = if number == 17 { (1, 2) } else { (0, 0) };
        assert_eq!(client.check(), expected, "client {number}");
    }
}
