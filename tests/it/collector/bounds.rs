//! What a collector may hold: filters over too much are refused and hold
//! nothing, whatever happens around them, and versions remember only so much.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use vimsim::collector::{Budget, Collector, Limits};
use vimsim::inventory::Read;
use vimsim::schema::ty;
use vimsim::value::{MoRef, Object};
use vimsim::{object, path};

use super::world::*;

/// The folders `f0` to `f3`, of which `f0` holds the others.
fn world(machines: u32) -> World {
    let world = World::empty();
    world.commit(|tx| {
        let mut children: Vec<Vec<MoRef>> =
            vec![(1..4).map(|number| folder(&format!("f{number}"))).collect()];
        children.resize(4, Vec::new());
        for number in 0..machines {
            tx.insert(vm(number), object!(VirtualMachine { name: vm(number).id() }));
            children[number as usize % 4].push(vm(number));
        }
        for (number, children) in children.into_iter().enumerate() {
            let mo = folder(&format!("f{number}"));
            tx.insert(mo.clone(), object!(Folder { name: mo.id(), childEntity: children }));
        }
    });
    world
}

fn names_below(root: &MoRef) -> Object {
    spec(vec![prop_set(ty::ManagedEntity, &["name"])], vec![tree(root)])
}

fn within(world: &World, budget: &Arc<Budget>) -> Collector {
    Collector::within(world.subscriptions.clone(), Limits::default(), budget.clone())
}

fn entered(updates: &Object, of: &MoRef) -> BTreeSet<MoRef> {
    let sets = list(updates, "filterSet").into_iter();
    let sets = sets.filter(|set| set.field("filter").and_then(|mo| mo.as_moref()) == Some(of));
    sets.flat_map(|set| list(set, "objectSet")).map(obj).collect()
}

#[test]
fn a_filter_over_too_much_ends_the_wait_and_holds_nothing() {
    let world = world(100);
    let budget = Budget::new(90);
    let collector = within(&world, &budget);
    let (small, large) = (filter("small"), filter("large"));
    collector
        .create_filter(small.clone(), &names_below(&folder("f1")), true, &world.see())
        .unwrap();
    let updates = world.check(&collector, "").unwrap().unwrap();
    let at = version(&updates);
    assert_eq!(entered(&updates, &small).len(), 25);
    let (held, watched) = (budget.held(), world.subscriptions.len());
    collector
        .create_filter(large.clone(), &names_below(&folder("f0")), true, &world.see())
        .unwrap();
    let with_spec = budget.held();
    for _ in 0..2 {
        let fault = world.check(&collector, &at).unwrap_err();
        assert_eq!(fault.ty(), ty::SystemError);
        assert!(fault.message().contains("90 objects"), "{}", fault.message());
        assert_eq!(budget.held(), with_spec, "only what the client wrote is held");
        assert_eq!(world.subscriptions.len(), watched);
    }
    // Without it the others go on where they were.
    collector.destroy_filter(&large);
    assert_eq!(budget.held(), held);
    world.set_name(&vm(1), "new");
    let updates = world.check(&collector, &at).unwrap().unwrap();
    assert_eq!(told(&updates), ["modify vm-1 name=new"]);
    // What is told grows until it is too much.
    world.commit(|tx| {
        for number in 200..300 {
            tx.insert(vm(number), object!(VirtualMachine { name: vm(number).id() }));
            tx.push_ref(&folder("f1"), path!(Folder, "childEntity"), &vm(number)).unwrap();
        }
    });
    let fault = world.check(&collector, &version(&updates)).unwrap_err();
    assert_eq!(fault.ty(), ty::SystemError);
    assert_eq!(world.subscriptions.len(), 0);
    // A specification counts before anything is watched.
    let many: Vec<Object> = (0..100).map(|number| object_spec(&vm(number))).collect();
    let many = spec(vec![prop_set(ty::VirtualMachine, &["name"])], many);
    let refused = collector.create_filter(filter("many"), &many, true, &world.see());
    assert_eq!(refused.unwrap_err().ty(), ty::SystemError);
    assert_eq!(collector.filters(), [small]);
    drop(collector);
    assert_eq!(budget.held(), 0);
}

/// A client that asks from the same version again and again gets everything
/// since, and what it asked from stays good.
#[test]
fn an_old_version_stays_good_however_often_it_is_asked_from() {
    let world = world(40);
    let collector = world.collector();
    collector.create_filter(filter("f"), &names_below(&folder("f0")), true, &world.see()).unwrap();
    let first = version(&world.check(&collector, "").unwrap().unwrap());
    let mut last = first.clone();
    for round in 0..100 {
        for number in 0..40 {
            world.set_name(&vm(number), &format!("{round}"));
        }
        let updates = world.check(&collector, &first).unwrap().unwrap();
        let told = told(&updates);
        assert_eq!(told.len(), 40, "each once, in round {round}");
        assert!(told.iter().all(|line| line.ends_with(&format!("name={round}"))));
        last = version(&updates);
    }
    assert_eq!(world.check(&collector, &last).unwrap(), None);
}

/// A client that never takes all of a reply is not waited for without end.
#[test]
fn who_never_completes_a_reply_starts_over() {
    let world = world(8);
    let collector = world.collector();
    collector.create_filter(filter("f"), &names_below(&folder("f0")), true, &world.see()).unwrap();
    let first = version(&world.check(&collector, "").unwrap().unwrap());
    let children = path!(Folder, "childEntity");
    let turn = |number: u32| {
        world.commit(|tx| {
            for number in (0..8).map(|place| 8 * number + place) {
                let new = vm(1000 + number);
                tx.insert(new.clone(), object!(VirtualMachine { name: new.id() }));
                tx.push_ref(&folder("f1"), children, &new).unwrap();
            }
            if let Some(old) = number.checked_sub(3) {
                for number in (0..8).map(|place| 8 * old + place) {
                    tx.remove_ref(&folder("f1"), children, &vm(1000 + number)).unwrap();
                    assert!(tx.remove(&vm(1000 + number)));
                }
            }
        });
        world.poll(&collector, &first, 4)
    };
    let given_up = (0..2_000).find_map(|number| turn(number).err());
    assert_eq!(given_up.expect("it ends").ty(), ty::InvalidCollectorVersion);
    let all = world.check(&collector, "").unwrap().unwrap();
    let there = world.see();
    let present = |number: &u32| there.get_name(&vm(*number)).is_some();
    let machines = (0..50_000).filter(present).count();
    assert_eq!(entered(&all, &filter("f")).len(), machines + 3);
}

impl Seen {
    fn get_name(&self, mo: &MoRef) -> Option<()> {
        use vimsim::collector::Source as _;
        self.get(mo).map(drop)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Create(u8, u8),
    Destroy(u8),
    Move(u32, u8, u8),
    Look(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8, 0..4u8).prop_map(|(name, root)| Step::Create(name, root)),
        (0..4u8).prop_map(Step::Destroy),
        (0..40u32, 0..4u8, 0..4u8).prop_map(|(vm, from, to)| Step::Move(vm, from, to)),
        any::<bool>().prop_map(Step::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Never more than the limit is held, what is refused is not held, and a
    /// reply that is given is complete.
    #[test]
    fn no_more_is_held_than_may_be(limit in 20..120usize, steps in prop::collection::vec(step(), 1..40)) {
        let world = world(40);
        let whole = Budget::new(100);
        let budget = Budget::within(limit, &whole);
        let collector = within(&world, &budget);
        let mut roots: Vec<Option<MoRef>> = vec![None; 4];
        let mut at = String::new();
        for step in steps {
            match step {
                Step::Create(name, root) => {
                    let place = &mut roots[usize::from(name)];
                    let root = folder(&format!("f{root}"));
                    let mo = filter(&name.to_string());
                    let is_new = place.is_none();
                    if is_new
                        && collector.create_filter(mo, &names_below(&root), true, &world.see()).is_ok()
                    {
                        *place = Some(root);
                    }
                }
                Step::Destroy(name) => {
                    let there = roots[usize::from(name)].take().is_some();
                    prop_assert_eq!(collector.destroy_filter(&filter(&name.to_string())), there);
                }
                Step::Move(number, from, to) => world.commit(|tx| {
                    let children = path!(Folder, "childEntity");
                    let (from, to) = (folder(&format!("f{from}")), folder(&format!("f{to}")));
                    let there = tx.morefs(&from, children).contains(&vm(number));
                    if there && from != to {
                        tx.remove_ref(&from, children, &vm(number)).unwrap();
                        tx.push_ref(&to, children, &vm(number)).unwrap();
                    }
                }),
                Step::Look(anew) => match world.check(&collector, if anew { "" } else { &at }) {
                    Ok(updates) => {
                        let is_complete = anew || at.is_empty();
                        if let Some(updates) = updates {
                            at = version(&updates);
                            for (number, root) in roots.iter().enumerate().filter(|_| is_complete) {
                                let Some(root) = root else { continue };
                                let once = vimsim::collector::Request::compile([&names_below(root)]).unwrap();
                                let there = once.retrieve(&world.see()).unwrap().read();
                                let told = entered(&updates, &filter(&number.to_string()));
                                prop_assert_eq!(told, there.iter().map(obj).collect::<BTreeSet<_>>());
                            }
                        }
                    }
                    Err(fault) => prop_assert!(
                        fault.ty() == ty::SystemError || fault.ty() == ty::InvalidCollectorVersion
                    ),
                },
            }
            prop_assert!(budget.held() <= limit.min(100));
            prop_assert_eq!(budget.held(), whole.held());
        }
        drop(collector);
        prop_assert_eq!(whole.held(), 0);
        prop_assert!(world.subscriptions.is_empty());
    }
}
