//! Calls that wait: what wakes them, what ends them, and what leaves them alone.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use vimsim::collector::{Collector, Limits, Wait};
use vimsim::fault::{Fault, Result};
use vimsim::schema::ty;
use vimsim::value::Object;
use vimsim::{object, path};

use super::world::*;

/// Counts how often a future asked to be polled again.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn poll<T>(self: &Arc<Self>, future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self)))) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }
}

fn watch_vm(world: &World, collector: &Collector, number: u32) {
    let names = prop_set(ty::VirtualMachine, &["name"]);
    let spec = spec(vec![names], vec![object_spec(&vm(number))]);
    let mo = filter(&format!("f{number}"));
    collector.create_filter(mo, &spec, true, &world.see()).unwrap();
}

async fn wait(world: &World, collector: &Collector, version: &str) -> Result<Option<Object>> {
    collector.wait(&Wait::plain(version), || world.see(), std::future::pending()).await
}

#[test]
fn only_a_commit_that_concerns_it_wakes_a_wait() {
    let world = World::new();
    let collector = world.collector();
    watch_vm(&world, &collector, 1);
    let at = version(&world.check(&collector, "").unwrap().unwrap());
    let wakes = Arc::new(Wakes::default());
    let mut waiting = pin!(wait(&world, &collector, &at));
    assert!(wakes.poll(waiting.as_mut()).is_none());
    let before = wakes.count();

    world.set_name(&vm(2), "not watched");
    assert_eq!(wakes.count(), before, "nobody asked about it");

    // Watched, but not what the filter shows: one look, and back to sleep.
    world.commit(|tx| {
        tx.set(&vm(1), path!(VirtualMachine, "runtime.powerState"), "suspended").unwrap();
    });
    assert_eq!(wakes.count(), before + 1);
    assert!(wakes.poll(waiting.as_mut()).is_none());

    world.set_name(&vm(1), "one");
    assert_eq!(wakes.count(), before + 2);
    let updates = wakes.poll(waiting).expect("it is ready").unwrap().unwrap();
    assert_eq!(told(&updates), ["modify vm-1 name=one"]);
}

#[test]
fn what_joins_is_watched_and_what_left_is_not() {
    let world = World::new();
    let collector = world.collector();
    let names = prop_set(ty::VirtualMachine, &["name"]);
    let tree = spec(vec![names], vec![tree(&folder("root"))]);
    collector.create_filter(filter("f"), &tree, true, &world.see()).unwrap();
    let at = version(&world.check(&collector, "").unwrap().unwrap());
    let watched = world.subscriptions.len();
    world.commit(|tx| {
        tx.insert(vm(5), machine(5, &folder("sub")));
        tx.push_ref(&folder("sub"), path!(Folder, "childEntity"), &vm(5)).unwrap();
        tx.remove_ref(&folder("root"), path!(Folder, "childEntity"), &vm(1)).unwrap();
    });
    let at = version(&world.check(&collector, &at).unwrap().unwrap());
    assert_eq!(world.subscriptions.len(), watched);

    let wakes = Arc::new(Wakes::default());
    let mut waiting = pin!(wait(&world, &collector, &at));
    assert!(wakes.poll(waiting.as_mut()).is_none());
    let before = wakes.count();
    world.set_name(&vm(1), "left");
    assert_eq!(wakes.count(), before);
    world.set_name(&vm(5), "joined");
    let updates = wakes.poll(waiting).expect("it is ready").unwrap().unwrap();
    assert_eq!(told(&updates), ["modify vm-5 name=joined"]);
}

#[test]
fn a_filter_made_during_a_wait_ends_it() {
    let world = World::new();
    let collector = world.collector();
    let wakes = Arc::new(Wakes::default());
    let mut waiting = pin!(wait(&world, &collector, ""));
    assert!(wakes.poll(waiting.as_mut()).is_none(), "without filters there is nothing to tell");
    watch_vm(&world, &collector, 1);
    let updates = wakes.poll(waiting).expect("it is ready").unwrap().unwrap();
    assert_eq!(told(&updates), ["enter vm-1 name=VM1"]);
}

#[test]
fn a_wait_ends_when_its_time_is_up() {
    let world = World::new();
    let collector = world.collector();
    watch_vm(&world, &collector, 1);
    let at = version(&world.check(&collector, "").unwrap().unwrap());
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let options = object!(WaitOptions { maxWaitSeconds: 30 });
    let request = Wait::ex(&at, Some(&options), Limits::default()).unwrap();
    assert_eq!(request.max_wait(), Some(Duration::from_secs(30)));
    let timeout = async { ended.await.expect("the clock goes on") };
    let mut waiting = pin!(collector.wait(&request, || world.see(), timeout));
    let wakes = Arc::new(Wakes::default());
    assert!(wakes.poll(waiting.as_mut()).is_none());
    end.send(()).unwrap();
    assert_eq!(wakes.poll(waiting), Some(Ok(None)));
    // Nothing is lost by it.
    world.set_name(&vm(1), "one");
    let updates = world.check(&collector, &at).unwrap().unwrap();
    assert_eq!(told(&updates), ["modify vm-1 name=one"]);
}

#[test]
fn options_are_checked() {
    let ex = |options: Object| Wait::ex("", Some(&options), Limits::default());
    for (options, argument) in [
        (object!(WaitOptions { maxWaitSeconds: -1 }), "options.maxWaitSeconds"),
        (object!(WaitOptions { maxObjectUpdates: 0 }), "options.maxObjectUpdates"),
        (object!(WaitOptions { maxObjectUpdates: -5 }), "options.maxObjectUpdates"),
    ] {
        assert_eq!(ex(options).unwrap_err(), Fault::invalid_argument(argument));
    }
    let at_once = ex(object!(WaitOptions { maxWaitSeconds: 0 })).unwrap();
    assert_eq!(at_once.max_wait(), None);
    let world = World::new();
    assert_eq!(world.poll(&world.collector(), "", None), Ok(None));
}

#[test]
fn waits_can_be_cancelled() {
    let world = World::new();
    let collector = world.collector();
    watch_vm(&world, &collector, 1);
    let at = version(&world.check(&collector, "").unwrap().unwrap());
    let wakes = Arc::new(Wakes::default());
    {
        let mut first = pin!(wait(&world, &collector, &at));
        let mut second = pin!(wait(&world, &collector, &at));
        assert!(wakes.poll(first.as_mut()).is_none());
        assert!(wakes.poll(second.as_mut()).is_none());
        collector.cancel_wait();
        for waiting in [first, second] {
            let fault = wakes.poll(waiting).expect("it ends").unwrap_err();
            assert_eq!(fault.ty(), ty::RequestCanceled);
        }
    }
    // Those that come later wait again.
    let mut later = pin!(wait(&world, &collector, &at));
    assert!(wakes.poll(later.as_mut()).is_none());
    collector.close();
    let fault = wakes.poll(later).expect("it ends").unwrap_err();
    assert_eq!(fault.ty(), ty::RequestCanceled);
    assert!(world.subscriptions.is_empty());
}

#[test]
fn calls_on_one_collector_take_turns() {
    let world = World::new();
    let collector = world.collector();
    watch_vm(&world, &collector, 1);
    let at = version(&world.check(&collector, "").unwrap().unwrap());
    let wakes = Arc::new(Wakes::default());
    let mut first = pin!(wait(&world, &collector, &at));
    assert!(wakes.poll(first.as_mut()).is_none());
    let check = Wait::check(&at);
    let mut second = pin!(collector.wait(&check, || world.see(), std::future::pending()));
    assert!(wakes.poll(second.as_mut()).is_none(), "the first has not come back");
    world.set_name(&vm(1), "one");
    assert!(wakes.poll(second.as_mut()).is_none());
    let updates = wakes.poll(first).expect("it is ready").unwrap().unwrap();
    assert_eq!(told(&updates), ["modify vm-1 name=one"]);
    // From the same version the same again.
    let again = wakes.poll(second).expect("its turn has come").unwrap().unwrap();
    assert_eq!(told(&again), told(&updates));
    // Another collector of the same session does not wait for this one.
    let other = world.collector();
    watch_vm(&world, &other, 1);
    assert_eq!(told(&world.check(&other, "").unwrap().unwrap()), ["enter vm-1 name=one"]);
}

#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    let world = World::new();
    let collector = world.collector();
    watch_vm(&world, &collector, 1);
    let at = version(&world.check(&collector, "").unwrap().unwrap());
    let wakes = Arc::new(Wakes::default());
    {
        let mut waiting = pin!(wait(&world, &collector, &at));
        assert!(wakes.poll(waiting.as_mut()).is_none());
        world.set_name(&vm(1), "one");
    }
    let updates = world.check(&collector, &at).unwrap().unwrap();
    assert_eq!(told(&updates), ["modify vm-1 name=one"]);
}

/// An idle collector remembers little, however much changes.
#[test]
fn too_many_changes_are_found_by_looking() {
    let world = World::empty();
    let count = 3000;
    world.commit(|tx| {
        for number in 0..count {
            tx.insert(vm(number), machine(number, &folder("root")));
        }
        let all = (0..count).map(vm).collect::<Vec<_>>();
        tx.insert(folder("root"), object!(Folder { name: "root", childEntity: all }));
    });
    let collector = world.collector();
    let names = prop_set(ty::VirtualMachine, &["name"]);
    let tree = spec(vec![names], vec![tree(&folder("root"))]);
    collector.create_filter(filter("f"), &tree, true, &world.see()).unwrap();
    let at = version(&world.check(&collector, "").unwrap().unwrap());
    for number in 0..count {
        world.set_name(&vm(number), "again");
    }
    let updates = world.check(&collector, &at).unwrap().unwrap();
    assert_eq!(told(&updates).len(), count as usize);
    assert!(world.check(&collector, &version(&updates)).unwrap().is_none());
}

/// Between the moment that a filter looks at and its subscription, things happen.
#[test]
fn what_changes_just_before_the_subscription_is_seen() {
    let world = World::new();
    let collector = world.collector();
    let names = prop_set(ty::VirtualMachine, &["name"]);
    let tree = spec(vec![names], vec![tree(&folder("root"))]);
    collector.create_filter(filter("f"), &tree, true, &world.see()).unwrap();
    let looks = AtomicUsize::new(0);
    let late = || {
        let seen = world.see();
        match looks.fetch_add(1, Ordering::Relaxed) {
            0 => world.commit(|tx| {
                tx.insert(vm(5), machine(5, &folder("sub")));
                tx.push_ref(&folder("sub"), path!(Folder, "childEntity"), &vm(5)).unwrap();
            }),
            1 => world.set_name(&vm(5), "raced"),
            _ => {}
        }
        seen
    };
    let check = Wait::check("");
    let updates = now(collector.wait(&check, late, std::future::pending())).unwrap().unwrap();
    let mut lines = told(&updates);
    if let Some(more) = world.check(&collector, &version(&updates)).unwrap() {
        lines.extend(told(&more));
    }
    assert_eq!(lines.last().map(String::as_str), Some("enter vm-5 name=raced"));
    assert_eq!(lines.len(), 5);
}
