//! `EventHistoryCollector`: pages, positions, and the latest page.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use vimsim::fault::Result;
use vimsim::object;
use vimsim::schema::ty;
use vimsim::value::{MoRef, Object, Value};

use super::world::{Args, Client, args, keys, number, objects, text, types};

/// Posts so many events, called by their number.
fn post(client: &Client, count: usize) {
    for _ in 0..count {
        let event = object!(GeneralEvent { message: "x" });
        client.call(&client.manager(), args!(PostEvent, eventToPost: event)).unwrap();
    }
}

fn general() -> Object {
    object!(EventFilterSpec { eventTypeId: vec!["GeneralEvent"] })
}

fn collector(client: &Client, filter: Object) -> MoRef {
    client.make(&client.manager(), args!(CreateCollectorForEvents, filter: filter))
}

fn read(client: &Client, collector: &MoRef, args: Args) -> Vec<i32> {
    keys(&objects(client.call(collector, args).unwrap().as_ref()))
}

fn next(client: &Client, collector: &MoRef, count: i32) -> Vec<i32> {
    read(client, collector, args!(ReadNextEvents, maxCount: count))
}

fn previous(client: &Client, collector: &MoRef, count: i32) -> Vec<i32> {
    read(client, collector, args!(ReadPreviousEvents, maxCount: count))
}

fn page(client: &Client, collector: &MoRef) -> Vec<i32> {
    keys(&objects(client.get(collector, "latestPage").as_ref()))
}

fn reversed(keys: &[i32]) -> Vec<i32> {
    keys.iter().rev().copied().collect()
}

#[test]
fn a_collector_is_read_from_both_ends() {
    let client = Client::new();
    post(&client, 25);
    let all = keys(&client.events(general()));
    let it = collector(&client, general());
    assert_eq!(next(&client, &it, 10), all[..10]);
    assert_eq!(next(&client, &it, 10), all[10..20]);
    assert_eq!(previous(&client, &it, 5), reversed(&all[15..20]));
    assert_eq!(next(&client, &it, 100), all[15..]);
    assert!(next(&client, &it, 1).is_empty());
    // What is new comes after the end.
    post(&client, 1);
    assert_eq!(next(&client, &it, 5).len(), 1);
    client.call(&it, args!(RewindCollector)).unwrap();
    assert!(previous(&client, &it, 5).is_empty());
    assert_eq!(next(&client, &it, 3), all[..3]);
    // Before the latest page, which has ten entries.
    client.call(&it, args!(ResetCollector)).unwrap();
    assert_eq!(previous(&client, &it, 4), reversed(&all[12..16]));
    for wrong in [0, -1] {
        let read = client.call(&it, args!(ReadNextEvents, maxCount: wrong));
        assert_eq!(read.unwrap_err().ty(), ty::InvalidArgument);
    }
}

#[test]
fn the_latest_page_is_as_large_as_is_asked_for() {
    let client = Client::new();
    post(&client, 40);
    let all = keys(&client.events(general()));
    let newest = |count: usize| reversed(&all[all.len() - count..]);
    let it = collector(&client, general());
    assert_eq!(page(&client, &it), newest(10));
    client.call(&it, args!(SetCollectorPageSize, maxCount: 25)).unwrap();
    assert_eq!(page(&client, &it), newest(25));
    client.call(&it, args!(SetCollectorPageSize, maxCount: 3)).unwrap();
    assert_eq!(page(&client, &it), newest(3));
    let slot = const { ty::EventFilterSpec.slot("maxCount") };
    let sized = collector(&client, general().with(slot, 30));
    assert_eq!(page(&client, &sized), newest(30));
    let filter = client.get(&sized, "filter");
    assert_eq!(filter, Some(general().with(slot, 30).into()));
    assert_eq!(client.get(&sized, "initialized"), Some(true.into()));
    post(&client, 2);
    let all = keys(&client.events(general()));
    assert_eq!(page(&client, &it), reversed(&all[all.len() - 3..]));
    let fault = client.call(&it, args!(SetCollectorPageSize, maxCount: 1001)).unwrap_err();
    assert_eq!(text(fault.object(), "invalidProperty"), "maxCount");
}

#[test]
fn a_page_may_come_a_moment_later() {
    let client = Client::new();
    post(&client, 2);
    let slot = const { ty::EventFilterSpec.slot("delayedInit") };
    let it = collector(&client, general().with(slot, true));
    assert_eq!(client.get(&it, "initialized"), Some(false.into()));
    assert!(page(&client, &it).is_empty());
    assert_eq!(next(&client, &it, 5).len(), 2);
    client.service.engine().advance(Duration::from_secs(1)).unwrap();
    assert_eq!(client.get(&it, "initialized"), Some(true.into()));
    assert_eq!(page(&client, &it).len(), 2);
}

fn property_collector() -> MoRef {
    MoRef::new(ty::PropertyCollector, "propertyCollector")
}

fn watch(client: &Client, it: &MoRef) -> String {
    let spec = object!(PropertyFilterSpec {
        propSet: vec![object!(PropertySpec {
            type: "EventHistoryCollector",
            pathSet: vec!["latestPage"],
        })],
        objectSet: vec![object!(ObjectSpec { obj: it })],
    });
    client.make(&property_collector(), args!(CreateFilter, spec: spec, partialUpdates: false));
    let first = client.call(&property_collector(), args!(WaitForUpdatesEx)).unwrap();
    text(first.as_ref().unwrap().as_object().unwrap(), "version").to_owned()
}

/// The events that an update tells as the latest page.
fn told(update: Result<Option<Value>>) -> Vec<i32> {
    let update = update.unwrap().unwrap();
    let mut at = update.as_object().unwrap().clone();
    for step in ["filterSet", "objectSet", "changeSet"] {
        let next = at.field(step).map(Value::items).unwrap_or_default();
        assert_eq!(next.len(), 1, "{at:?}");
        at = next[0].as_object().unwrap().clone();
    }
    assert_eq!((text(&at, "name"), text(&at, "op")), ("latestPage", "assign"));
    keys(&objects(at.field("val")))
}

#[test]
fn a_waiter_is_woken_by_what_passes_and_by_nothing_else() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let filter = object!(EventFilterSpec { eventTypeId: vec!["VmPoweredOffEvent"] });
    let it = collector(&client, filter.clone());
    let version = watch(&client, &it);
    let call = client.prepare(&property_collector(), args!(WaitForUpdatesEx, version: &*version));
    let service = Arc::clone(&client.service);
    let mut waiting = Box::pin(service.call(&call));
    let mut poll = || waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    // A session of another user, and events that the filter does not let through.
    let other = Client::of(&client.service, "other");
    post(&other, 3);
    assert!(poll().is_pending());
    other.run(&vm, args!(PowerOffVM_Task));
    let Poll::Ready(update) = poll() else { panic!("the event did not wake the waiter") };
    assert_eq!(told(update), keys(&client.events(filter)));
}

#[test]
fn the_effect_and_its_event_are_seen_together() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    client.run(&vm, args!(PowerOffVM_Task));
    let snapshot = client.service.engine().snapshot();
    let log = vimsim::engine::events_in(&snapshot).unwrap();
    let off = log.iter().rev().find(|event| event.ty == ty::VmPoweredOffEvent).unwrap();
    let task = vimsim::engine::tasks_in(&snapshot).unwrap();
    let done = task.iter().find(|task| task.event_chain_id == off.chain).unwrap();
    assert_eq!(done.status().completed_at(), Some(off.time));
}

#[test]
fn collectors_belong_to_their_session_and_are_counted() {
    let client = Client::with(|config| config.tasks.collectors = 2);
    let it = collector(&client, general());
    let other = Client::of(&client.service, "other");
    let read = other.call(&it, args!(ReadNextEvents, maxCount: 1));
    assert_eq!(read.unwrap_err().ty(), ty::ManagedObjectNotFound);
    collector(&client, general());
    let args = || args!(CreateCollectorForEvents, filter: general());
    let third = client.call(&client.manager(), args());
    assert_eq!(third.unwrap_err().ty(), ty::InvalidState);
    client.call(&it, args!(DestroyCollector)).unwrap();
    assert_eq!(client.get(&client.manager(), "maxCollector"), Some(Value::Int(2)));
    assert!(client.call(&client.manager(), args()).is_ok());
    let gone = client.call(&it, args!(RewindCollector));
    assert_eq!(gone.unwrap_err().ty(), ty::ManagedObjectNotFound);
}

#[test]
fn what_is_beyond_retention_is_gone_from_pages() {
    let client = Client::with(|config| config.events.count = 20);
    post(&client, 15);
    let it = collector(&client, general());
    assert_eq!(next(&client, &it, 5).len(), 5);
    post(&client, 18);
    let left = keys(&client.events(general()));
    assert_eq!(left.len(), 20);
    // The position is where it was: in what is forgotten.
    assert_eq!(next(&client, &it, 100), left);
    client.call(&it, args!(RewindCollector)).unwrap();
    assert_eq!(next(&client, &it, 3), left[..3]);
    let log = |client: &Client| {
        vimsim::engine::events_in(&client.service.engine().snapshot()).unwrap().len()
    };
    assert_eq!(log(&client), 20);
    // Age counts as well, without anybody asking.
    client.service.engine().advance(Duration::from_secs(31 * 24 * 3600)).unwrap();
    assert_eq!(log(&client), 0);
}

#[test]
fn a_host_has_collectors_too() {
    let client = Client::with(|config| config.esx = true);
    let vm = client.named("ha-host_VM0");
    let it = collector(&client, object!(EventFilterSpec {}));
    client.run(&vm, args!(PowerOffVM_Task));
    let latest = objects(client.get(&it, "latestPage").as_ref());
    assert_eq!(types(&latest)[..2], ["VmPoweredOffEvent", "VmStoppingEvent"]);
    assert!(number(&latest[0], "key") > number(&latest[1], "key"));
}
