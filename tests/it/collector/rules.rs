//! Rules of the collector that are one sentence each: what is checked, what a
//! version is good for, what an update says, and what ends a wait.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use vimsim::collector::{Collector, Request, Wait};
use vimsim::fault::Fault;
use vimsim::schema::{Type, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::{object, path};

use super::world::*;

fn watch(world: &World, partial: bool, spec: &Object) -> Collector {
    let collector = world.collector();
    collector.create_filter(filter("f"), spec, partial, &world.see()).unwrap();
    collector
}

fn one(paths: &[&str], mo: &MoRef) -> Object {
    spec(vec![prop_set(mo.ty(), paths)], vec![object_spec(mo)])
}

/// What is new since `at`, which becomes the new version.
fn news(world: &World, collector: &Collector, at: &mut String) -> Vec<String> {
    let Some(updates) = world.check(collector, at).unwrap() else { return Vec::new() };
    *at = version(&updates);
    told(&updates)
}

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// A filter is refused when it is made, with the fault of a retrieval.
#[test]
fn filters_are_checked_as_retrievals_are() {
    let world = World::new();
    let refused = |spec: &Object| {
        let filter =
            world.collector().create_filter(filter("f"), spec, true, &world.see()).unwrap_err();
        let once = Request::compile([spec]).and_then(|request| request.retrieve(&world.see()));
        assert_eq!(once.unwrap_err().ty(), filter.ty());
        filter
    };
    let fault = refused(&one(&["nothing"], &vm(1)));
    assert_eq!(fault, Fault::invalid_property("nothing"));
    assert_eq!(fault.message(), "", "as vCenter: the name is in the detail");
    let unknown = object!(PropertySpec { type: "Nothing", all: true });
    assert_eq!(refused(&spec(vec![unknown], vec![object_spec(&vm(1))])).ty(), ty::InvalidType);
    assert_eq!(refused(&spec(vec![], vec![object_spec(&vm(1))])).ty(), ty::InvalidArgument);
    assert_eq!(refused(&spec(vec![everything(ty::Task)], vec![])).ty(), ty::InvalidArgument);
    assert_eq!(refused(&one(&["name"], &vm(9))), Fault::not_found(&vm(9)));
}

/// Only declared types count on the way. vCenter refuses each of these, although
/// the values there are of the derived types: pyvmomi#423 (the LACP groups of a
/// switch), govmomi#2318 (the VLAN of a port group); others found the same for
/// the HA settings of a cluster. The property has to be read whole.
#[test]
fn a_path_does_not_lead_into_what_only_a_derived_type_has() {
    let switch = MoRef::new(ty::VmwareDistributedVirtualSwitch, "dvs-1");
    let world = World::new();
    let config = object!(VMwareDVSConfigInfo { name: "dvs", maxMtu: 9000 });
    world.commit(|tx| {
        tx.insert(
            switch.clone(),
            object!(VmwareDistributedVirtualSwitch { name: "dvs", config: config }),
        );
    });
    let refused = |of: Type, path: &str| {
        let spec = spec(vec![prop_set(of, &[path])], vec![object_spec(&switch)]);
        let once = Request::compile([&spec]).unwrap_err();
        assert_eq!(once, Fault::invalid_property(path), "{} {path}", of.name());
    };
    for (of, path) in [
        (ty::VmwareDistributedVirtualSwitch, "config.maxMtu"),
        (ty::VmwareDistributedVirtualSwitch, "config.lacpGroupConfig"),
        (ty::DistributedVirtualSwitch, "config.lacpGroupConfig"),
        (ty::DistributedVirtualPortgroup, "config.defaultPortConfig.vlan"),
        (ty::DistributedVirtualPortgroup, "config.defaultPortConfig.vlan.vlanId"),
        (ty::ClusterComputeResource, "configurationEx.dasConfig"),
        (ty::ClusterComputeResource, "configurationEx.dasConfig.enabled"),
        (ty::ClusterComputeResource, "summary.numVmotions"),
        (ty::Datastore, "info.vmfs"),
        (ty::VirtualMachine, "config.hardware.device[4000].macAddress"),
    ] {
        refused(of, path);
    }
    // What the declared type has is there, and the whole has everything.
    let spec = one(&["config.name", "config"], &switch);
    let contents = Request::compile([&spec]).unwrap().retrieve(&world.see()).unwrap().read();
    let values: Vec<&Object> = list(&contents[0], "propSet");
    let whole = values.iter().find(|property| text(property, "name") == "config").unwrap();
    let whole = whole.field("val").and_then(Value::as_object).unwrap();
    assert_eq!(whole.ty(), ty::VMwareDVSConfigInfo);
    assert_eq!(whole.field("maxMtu").and_then(Value::as_i64), Some(9000));
    assert_eq!(values.len(), 2);
}

/// A change in a part that only the derived type has is a change all the same:
/// told as that part, or as the whole.
#[test]
fn a_change_in_what_only_a_derived_type_has_is_told() {
    let switch = MoRef::new(ty::VmwareDistributedVirtualSwitch, "dvs-1");
    for (partial, expected) in [
        (true, "modify dvs-1 config.maxMtu=9000"),
        (false, "modify dvs-1 config=VMwareDVSConfigInfo{name:dvs,maxMtu:9000}"),
    ] {
        let world = World::new();
        let set = |mtu: i32| {
            let config = object!(VMwareDVSConfigInfo { name: "dvs", maxMtu: mtu });
            let switch = switch.clone();
            world.commit(|tx| {
                tx.insert(switch, object!(VmwareDistributedVirtualSwitch { config: config }));
            });
        };
        set(1500);
        let collector = watch(&world, partial, &one(&["config"], &switch));
        let mut at = String::new();
        news(&world, &collector, &mut at);
        set(9000);
        assert_eq!(news(&world, &collector, &mut at), [expected]);
    }
}

/// The version of a page is good for the next WaitForUpdatesEx of the same
/// collector, and for nothing else.
#[test]
fn a_page_s_version_is_for_the_next_extended_wait_only() {
    let world = World::new();
    let names = vec![prop_set(ty::VirtualMachine, &["name"])];
    let collector = watch(&world, true, &spec(names.clone(), vec![tree(&folder("root"))]));
    let first = || {
        let updates = world.poll(&collector, "", 1).unwrap().unwrap();
        assert_eq!(updates.field("truncated"), Some(&Value::Boolean(true)));
        version(&updates)
    };
    let invalid = |answer: vimsim::fault::Result<Option<Object>>| {
        assert_eq!(answer.unwrap_err().ty(), ty::InvalidCollectorVersion);
    };
    // Not for CheckForUpdates, nor for WaitForUpdates.
    invalid(world.check(&collector, &first()));
    let plain = Wait::plain(&first());
    invalid(now(collector.wait(&plain, || world.see(), std::future::pending())));
    // Not a second time.
    let page = first();
    assert!(world.poll(&collector, &page, 1).unwrap().is_some());
    invalid(world.poll(&collector, &page, 1));
    // Not behind another call, whatever became of that.
    let page = first();
    invalid(world.check(&collector, "77"));
    invalid(world.poll(&collector, &page, 1));
    // Not with another collector.
    let other = watch(&world, true, &spec(names, vec![tree(&folder("root"))]));
    assert_eq!(version(&world.poll(&other, "", 1).unwrap().unwrap()), "0_1");
    let page = first();
    assert!(world.poll(&collector, &page, 1).unwrap().is_some());
    invalid(world.poll(&other, "0_2", 1));
}

/// The current version and the one before it are good; older ones are discarded.
#[test]
fn older_versions_than_the_one_before_are_discarded() {
    let world = World::new();
    let collector = watch(&world, true, &one(&["name"], &vm(1)));
    let mut at = String::new();
    let mut versions = Vec::new();
    for number in 0..4 {
        world.set_name(&vm(1), &format!("name {number}"));
        news(&world, &collector, &mut at);
        versions.push(at.clone());
    }
    let again = |version: &str| world.check(&collector, version);
    assert_eq!(again(&versions[3]), Ok(None));
    assert_eq!(told(&again(&versions[2]).unwrap().unwrap()), ["modify vm-1 name=name 3"]);
    for old in &versions[..2] {
        assert_eq!(again(old).unwrap_err().ty(), ty::InvalidCollectorVersion);
    }
}

/// What vanishes with its parent is removed indirectly, in both kinds of filter.
#[test]
fn what_goes_with_its_parent_is_removed_indirectly() {
    for partial in [true, false] {
        let world = World::new();
        let paths = [
            "config.hardware.device[4000]",
            "config.hardware.device[4000].key",
            "config.extraConfig[\"guestinfo.a\"].value",
            "config.name",
        ];
        let collector = watch(&world, partial, &one(&paths, &vm(1)));
        let mut at = String::new();
        news(&world, &collector, &mut at);
        let devices = vec![device(200, None)];
        world.commit(|tx| {
            tx.set(&vm(1), path!(VirtualMachine, "config.hardware.device"), devices).unwrap();
        });
        let lines = news(&world, &collector, &mut at);
        assert_eq!(
            lines,
            ["modify vm-1 -config.hardware.device[4000] --config.hardware.device[4000].key"]
        );
        world.commit(|tx| {
            tx.set(&vm(1), path!(VirtualMachine, "config"), None::<Value>).unwrap();
        });
        assert_eq!(
            news(&world, &collector, &mut at),
            ["modify vm-1 --config.name --config.extraConfig[\"guestinfo.a\"].value"]
        );
        world.commit(|tx| tx.insert(vm(1), machine(1, &folder("root"))));
        let lines = news(&world, &collector, &mut at);
        assert_eq!(lines.len(), 1);
        for back in &paths {
            assert!(lines[0].contains(back), "{back} is back: {lines:?}");
        }
    }
}

/// Who waits for a task with partialUpdates off gets the property as it was
/// named, whole; with partialUpdates on, the parts.
#[test]
fn a_task_s_info_is_told_whole_or_in_parts() {
    for (partial, names) in [(false, vec!["info"]), (true, vec!["info.state", "info.progress"])] {
        let world = World::new();
        let collector = watch(&world, partial, &one(&["info"], &task()));
        let mut at = String::new();
        news(&world, &collector, &mut at);
        world.commit(|tx| {
            tx.set(&task(), path!(Task, "info.state"), "running").unwrap();
            tx.set(&task(), path!(Task, "info.progress"), 10).unwrap();
        });
        let updates = world.check(&collector, &at).unwrap().unwrap();
        let set = list(list(&updates, "filterSet")[0], "objectSet")[0].clone();
        let changes = list(&set, "changeSet");
        let told: Vec<String> = changes.iter().map(|change| text(change, "name")).collect();
        assert_eq!(told, names, "partial: {partial}");
        if !partial {
            let info = changes[0].field("val").and_then(Value::as_object).unwrap();
            assert_eq!((info.ty(), text(info, "key").as_str()), (ty::TaskInfo, "task-1"));
        }
    }
}

/// A root that goes leaves, and enters when it comes back; one that was missing
/// enters when it comes.
#[test]
fn roots_come_and_go() {
    let world = World::new();
    let collector = watch(&world, true, &one(&["name"], &vm(1)));
    let lenient = object!(PropertyFilterSpec {
        propSet: vec![prop_set(ty::VirtualMachine, &["name"])],
        objectSet: vec![object_spec(&vm(9))],
        reportMissingObjectsInResults: true,
    });
    collector.create_filter(filter("g"), &lenient, true, &world.see()).unwrap();
    let mut at = String::new();
    assert_eq!(news(&world, &collector, &mut at), ["enter vm-1 name=VM1", "missing vm-9"]);
    world.commit(|tx| assert!(tx.remove(&vm(1))));
    assert_eq!(news(&world, &collector, &mut at), ["leave vm-1"]);
    world.commit(|tx| {
        tx.insert(vm(1), machine(1, &folder("root")));
        tx.insert(vm(9), machine(9, &folder("root")));
    });
    let lines = news(&world, &collector, &mut at);
    assert_eq!(lines, ["enter vm-1 name=VM1", "enter vm-9 name=VM9"]);
    let mut again = String::new();
    news(&world, &collector, &mut again);
    assert_eq!(world.check(&collector, &again), Ok(None));
}

/// A filter that is destroyed while a call waits says nothing any more, and the
/// call goes on for the others.
#[test]
fn a_filter_destroyed_during_a_wait_does_not_end_it() {
    let world = World::new();
    let collector = watch(&world, true, &one(&["name"], &vm(1)));
    let second = one(&["name"], &vm(2));
    collector.create_filter(filter("g"), &second, true, &world.see()).unwrap();
    let mut at = String::new();
    news(&world, &collector, &mut at);
    let wait = Wait::plain(&at);
    let mut waiting = pin!(collector.wait(&wait, || world.see(), std::future::pending()));
    assert_eq!(poll(waiting.as_mut()), None);
    assert!(collector.destroy_filter(&filter("f")));
    world.set_name(&vm(1), "unheard");
    assert_eq!(poll(waiting.as_mut()), None);
    world.set_name(&vm(2), "heard");
    let updates = poll(waiting).expect("it is ready").unwrap().unwrap();
    assert_eq!(told(&updates), ["modify vm-2 name=heard"]);
}

/// Cancelling has no effect on what is being calculated, nor on what comes later.
#[test]
fn cancelling_without_a_wait_has_no_effect() {
    let world = World::new();
    let collector = watch(&world, true, &one(&["name"], &vm(1)));
    collector.cancel_wait();
    let mut at = String::new();
    assert_eq!(news(&world, &collector, &mut at).len(), 1);
    // The cancellation comes while the reply is made.
    world.set_name(&vm(1), "one");
    let cancelling = || {
        collector.cancel_wait();
        world.see()
    };
    let wait = Wait::plain(&at);
    let updates = now(collector.wait(&wait, cancelling, std::future::pending())).unwrap().unwrap();
    assert_eq!(told(&updates), ["modify vm-1 name=one"]);
}

/// Two paths to the same place, and a type with its base, report it once.
#[test]
fn what_is_named_twice_is_told_once() {
    let world = World::new();
    let props = vec![
        prop_set(ty::VirtualMachine, &["name", "name"]),
        prop_set(ty::ManagedEntity, &["name"]),
    ];
    let collector = watch(&world, true, &spec(props, vec![object_spec(&vm(1))]));
    let mut at = String::new();
    assert_eq!(news(&world, &collector, &mut at), ["enter vm-1 name=VM1"]);
    world.set_name(&vm(1), "one");
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 name=one"]);
}

/// What somebody has begun to read and does not fetch is given up for what is
/// begun after it: of many unfinished retrievals the oldest go.
#[test]
fn unfinished_retrievals_are_bounded() {
    let world = World::new();
    let collector = world.collector();
    let names = spec(vec![prop_set(ty::VirtualMachine, &["name"])], vec![tree(&folder("root"))]);
    let options = object!(RetrieveOptions { maxObjects: 1 });
    let tokens: Vec<String> = (0..65)
        .map(|_| {
            let page = collector.retrieve([&names], Some(&options), &world.see());
            page.unwrap().unwrap().token.expect("there is more").to_string()
        })
        .collect();
    let go_on = |token: &str| collector.continue_retrieval(token, &world.see());
    assert_eq!(go_on(&tokens[0]).unwrap_err(), Fault::invalid_argument("token"));
    assert!(go_on(&tokens[1]).is_ok());
    assert!(go_on(&tokens[64]).is_ok());
}
