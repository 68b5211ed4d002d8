//! Commits from several threads while a client waits: nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use vimsim::collector::{Request, Wait};
use vimsim::schema::ty;
use vimsim::value::MoRef;
use vimsim::{object, path};

use super::client::{State, apply, retrieved};
use super::world::*;

const WRITERS: u32 = 3;
const COMMITS: u32 = 1500;

fn write(world: &World, writer: u32) {
    let own = |step: u32| vm(100 + writer * 10 + step % 4);
    let (root, sub) = (folder("root"), folder("sub"));
    let children = path!(Folder, "childEntity");
    for step in 0..COMMITS {
        world.commit(|tx| match step % 6 {
            0 => {
                tx.insert(own(step), machine(step, &root));
                tx.push_ref(&root, children, &own(step)).unwrap();
            }
            1 => {
                tx.remove_ref(&root, children, &own(step - 1)).unwrap();
                tx.push_ref(&sub, children, &own(step - 1)).unwrap();
            }
            2 => drop(tx.set(&own(step), path!(ManagedEntity, "name"), format!("{step}"))),
            3 => {
                let mo = own(step / 6);
                tx.remove_ref(&sub, children, &mo).unwrap();
                tx.remove_ref(&root, children, &mo).unwrap();
                tx.remove(&mo);
            }
            _ => {
                let name = format!("{writer} {step}");
                tx.set(&vm(1 + step % 4), path!(ManagedEntity, "name"), name).unwrap();
            }
        });
    }
}

#[test]
fn nothing_is_lost_while_others_write() {
    let world = Arc::new(World::new());
    let names = prop_set(ty::ManagedEntity, &["name"]);
    let members = object!(TraversalSpec { type: "ContainerView", path: "view" });
    let through_view = object!(ObjectSpec { obj: view(), skip: true, selectSet: vec![members] });
    let specs = [
        spec(vec![names.clone()], vec![tree(&folder("root")), object_spec(&folder("root"))]),
        spec(vec![names], vec![through_view]),
    ];
    let filters: Vec<MoRef> = ["f", "g"].map(filter).into();
    let collector = world.collector();
    for (mo, spec) in filters.iter().zip(&specs) {
        collector.create_filter(mo.clone(), spec, true, &world.see()).unwrap();
    }

    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let world = Arc::clone(&world);
            std::thread::spawn(move || write(&world, writer))
        })
        .collect();
    let finish = {
        let world = Arc::clone(&world);
        std::thread::spawn(move || {
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            world.set_name(&folder("root"), "done");
        })
    };

    let named = ["name".to_owned()];
    let client = async {
        let mut at = String::new();
        let mut states = vec![State::new(); 2];
        let mut done = false;
        loop {
            let fresh = specs.each_ref().map(|spec| {
                let contents =
                    Request::compile([spec]).unwrap().retrieve(&world.see()).unwrap().read();
                retrieved(&contents)
            });
            if done && states == fresh {
                break;
            }
            let options = object!(WaitOptions { maxObjectUpdates: 2 });
            let wait = Wait::ex(&at, Some(&options), collector.limits()).unwrap();
            let updates = collector.wait(&wait, || world.see(), std::future::pending()).await;
            let updates = updates.unwrap().unwrap();
            for (state, mo) in states.iter_mut().zip(&filters) {
                apply(state, mo, &updates, &named);
            }
            done |= told(&updates).iter().any(|line| line.ends_with("root name=done"));
            at = version(&updates);
        }
    };
    // The bound only turns a wait that nothing ends into a failure.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ended =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), client).await });
    finish.join().unwrap();
    ended.expect("every change reaches the client");
}
