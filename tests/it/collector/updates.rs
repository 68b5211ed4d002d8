//! What filters report, and from which version on.

use vimsim::collector::Collector;
use vimsim::schema::ty;
use vimsim::value::{MoRef, Object, Value};
use vimsim::{object, path};

use super::world::*;

/// A collector with one filter over the tree of the folder `root`.
fn watch_tree(world: &World, partial: bool, props: Vec<Object>) -> Collector {
    watch(world, partial, &spec(props, vec![tree(&folder("root"))]))
}

fn watch(world: &World, partial: bool, spec: &Object) -> Collector {
    let collector = world.collector();
    collector.create_filter(filter("f"), spec, partial, &world.see()).unwrap();
    collector
}

/// One VM and these properties of it.
fn watch_one(world: &World, partial: bool, paths: &[&str]) -> Collector {
    watch(
        world,
        partial,
        &spec(vec![prop_set(ty::VirtualMachine, paths)], vec![object_spec(&vm(1))]),
    )
}

/// What is new since `version`, which becomes the new version.
fn news(world: &World, collector: &Collector, at: &mut String) -> Vec<String> {
    match world.check(collector, at).unwrap() {
        None => Vec::new(),
        Some(updates) => {
            *at = version(&updates);
            told(&updates)
        }
    }
}

#[test]
fn objects_enter_change_and_leave() {
    let world = World::new();
    let collector = watch_tree(&world, true, vec![prop_set(ty::ManagedEntity, &["name"])]);
    let mut at = String::new();
    assert_eq!(
        news(&world, &collector, &mut at),
        [
            "enter vm-1 name=VM1",
            "enter vm-2 name=VM2",
            "enter sub name=sub",
            "enter vm-4 name=VM4",
            "enter vm-3 name=VM3"
        ]
    );
    assert_eq!(at, "1");
    assert_eq!(news(&world, &collector, &mut at), [""; 0]);

    world.set_name(&vm(4), "four");
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-4 name=four"]);
    assert_eq!(at, "2");
    // A change of what the filter does not show.
    world.commit(|tx| {
        tx.set(&vm(4), path!(VirtualMachine, "runtime.powerState"), "poweredOff").unwrap();
    });
    assert_eq!(news(&world, &collector, &mut at), [""; 0]);

    // Gone, cut off, and new, all in one commit.
    world.commit(|tx| {
        assert!(tx.remove(&vm(1)));
        tx.insert(vm(5), machine(5, &folder("root")));
        let children = vec![vm(2), vm(3), vm(5)];
        tx.set(&folder("root"), path!(Folder, "childEntity"), children).unwrap();
    });
    assert_eq!(
        news(&world, &collector, &mut at),
        ["leave vm-1", "enter vm-5 name=VM5", "leave sub", "leave vm-4"]
    );
    world.set_name(&vm(4), "unheard");
    assert_eq!(news(&world, &collector, &mut at), [""; 0]);
}

#[test]
fn an_object_destroyed_without_its_parent_s_knowledge_leaves() {
    let world = World::new();
    let collector = watch_tree(&world, true, vec![prop_set(ty::VirtualMachine, &[])]);
    let mut at = String::new();
    assert_eq!(
        news(&world, &collector, &mut at),
        ["enter vm-1", "enter vm-2", "enter vm-4", "enter vm-3"]
    );
    world.commit(|tx| assert!(tx.remove(&vm(2))));
    assert_eq!(news(&world, &collector, &mut at), ["leave vm-2"]);
    // The reference to it is still there, and so is its place.
    world.commit(|tx| tx.insert(vm(2), machine(2, &folder("root"))));
    assert_eq!(news(&world, &collector, &mut at), ["enter vm-2"]);
}

#[test]
fn circles_that_are_cut_off_leave() {
    let world = World::new();
    world.commit(|tx| {
        tx.insert(folder("low"), object!(Folder { name: "low", childEntity: vec![folder("sub")] }));
        tx.push_ref(&folder("sub"), path!(Folder, "childEntity"), &folder("low")).unwrap();
    });
    let collector = watch_tree(&world, true, vec![prop_set(ty::Folder, &[])]);
    let mut at = String::new();
    assert_eq!(news(&world, &collector, &mut at), ["enter sub", "enter low"]);
    world.commit(|tx| {
        tx.remove_ref(&folder("root"), path!(Folder, "childEntity"), &folder("sub")).unwrap();
    });
    assert_eq!(news(&world, &collector, &mut at), ["leave sub", "leave low"]);
}

#[test]
fn what_a_view_is_computed_from_changes_its_members() {
    let world = World::new();
    let members = object!(TraversalSpec { type: "ContainerView", path: "view" });
    let root = object!(ObjectSpec { obj: view(), skip: true, selectSet: vec![members] });
    let names = vec![prop_set(ty::VirtualMachine, &["name"])];
    let collector = watch(&world, true, &spec(names, vec![root]));
    let mut at = String::new();
    assert_eq!(news(&world, &collector, &mut at).len(), 4);
    world.commit(|tx| {
        tx.insert(vm(5), machine(5, &folder("sub")));
        tx.push_ref(&folder("sub"), path!(Folder, "childEntity"), &vm(5)).unwrap();
    });
    assert_eq!(news(&world, &collector, &mut at), ["enter vm-5 name=VM5"]);
    world.commit(|tx| {
        tx.remove_ref(&folder("root"), path!(Folder, "childEntity"), &folder("sub")).unwrap();
    });
    assert_eq!(news(&world, &collector, &mut at), ["leave vm-4", "leave vm-5"]);
    // What the view no longer looks through is of no concern.
    let watched = world.subscriptions.len();
    assert_eq!(watched, 6, "the view, the folders root and f0, three machines");
}

#[test]
fn moving_inside_the_tree_is_no_news() {
    let world = World::new();
    let collector = watch_tree(&world, true, vec![prop_set(ty::ManagedEntity, &["name"])]);
    let mut at = String::new();
    news(&world, &collector, &mut at);
    world.commit(|tx| {
        tx.remove_ref(&folder("root"), path!(Folder, "childEntity"), &vm(1)).unwrap();
        tx.push_ref(&folder("sub"), path!(Folder, "childEntity"), &vm(1)).unwrap();
    });
    assert_eq!(news(&world, &collector, &mut at), [""; 0]);
    world.set_name(&vm(1), "moved");
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 name=moved"]);
}

/// Runs the same changes under both kinds of filter.
fn both(paths: &[&str], change: impl Fn(&World), partial: &[&str], whole: &[&str]) {
    for (is_partial, expected) in [(true, partial), (false, whole)] {
        let world = World::new();
        let collector = watch_one(&world, is_partial, paths);
        let mut at = String::new();
        news(&world, &collector, &mut at);
        change(&world);
        assert_eq!(news(&world, &collector, &mut at), expected, "partial: {is_partial}");
    }
}

#[test]
fn partial_updates_name_the_part() {
    both(
        &["runtime"],
        |world| {
            world.commit(|tx| {
                tx.set(&vm(1), path!(VirtualMachine, "runtime.powerState"), "suspended").unwrap();
            });
        },
        &["modify vm-1 runtime.powerState=suspended"],
        &["modify vm-1 \
           runtime=VirtualMachineRuntimeInfo{connectionState:connected,powerState:suspended}"],
    );
    let device = |devices: Vec<Object>| {
        move |world: &World| {
            world.commit(|tx| {
                let place = path!(VirtualMachine, "config.hardware.device");
                tx.set(&vm(1), place, devices.clone()).unwrap();
            });
        }
    };
    both(
        &["config.hardware.device"],
        device(vec![
            device_with_bus(200, 1),
            super::world::device(4001, Some("00:50:56:00:00:02")),
        ]),
        &["modify vm-1 -config.hardware.device[4000] \
           config.hardware.device[200].busNumber=1 \
           +config.hardware.device[4001]=VirtualE1000{key:4001,macAddress:00:50:56:00:00:02}"],
        &["modify vm-1 config.hardware.device=\
           [VirtualController{key:200,busNumber:1},VirtualE1000{key:4001,macAddress:00:50:56:00:00:02}]"],
    );
    // Another order is told as a whole.
    both(
        &["config.hardware.device"],
        device(vec![
            super::world::device(4000, Some("00:50:56:00:00:01")),
            super::world::device(200, None),
        ]),
        &["modify vm-1 config.hardware.device=\
           [VirtualE1000{key:4000,macAddress:00:50:56:00:00:01},VirtualController{key:200,busNumber:0}]"],
        &["modify vm-1 config.hardware.device=\
           [VirtualE1000{key:4000,macAddress:00:50:56:00:00:01},VirtualController{key:200,busNumber:0}]"],
    );
    // One element by name.
    both(
        &["config.hardware.device[4000]", "config.hardware.device[7]"],
        device(vec![device_with_bus(7, 3)]),
        &["modify vm-1 -config.hardware.device[4000] \
           +config.hardware.device[7]=VirtualController{key:7,busNumber:3}"],
        &["modify vm-1 -config.hardware.device[4000] \
           config.hardware.device[7]=VirtualController{key:7,busNumber:3}"],
    );
}

fn device_with_bus(key: i32, bus: i32) -> Object {
    object!(VirtualController { key: key, busNumber: bus })
}

#[test]
fn unkeyed_arrays_are_told_whole() {
    for partial in [true, false] {
        let world = World::new();
        let collector = watch_one(&world, partial, &["configStatus", "tag", "disabledMethod"]);
        let mut at = String::new();
        assert_eq!(
            news(&world, &collector, &mut at),
            ["enter vm-1 configStatus tag=[] disabledMethod=[]"]
        );
        world.commit(|tx| {
            tx.set(&vm(1), path!(VirtualMachine, "disabledMethod"), vec!["PowerOn"]).unwrap();
        });
        assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 disabledMethod=[PowerOn]"]);
        world.commit(|tx| {
            tx.set(&vm(1), path!(VirtualMachine, "disabledMethod"), None::<Value>).unwrap();
        });
        assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 disabledMethod=[]"]);
    }
}

#[test]
fn what_is_unset_has_no_value() {
    let paths = ["guest", "runtime.host", "guest.disk"];
    let world = World::new();
    let collector = watch_one(&world, true, &paths);
    let mut at = String::new();
    // Below an unset parent there is nothing to tell.
    assert_eq!(news(&world, &collector, &mut at), ["enter vm-1 guest runtime.host"]);
    let host = MoRef::new(ty::HostSystem, "host-1");
    world.commit(|tx| {
        tx.set(&vm(1), path!(VirtualMachine, "runtime.host"), &host).unwrap();
        tx.set(&vm(1), path!(VirtualMachine, "guest"), object!(GuestInfo {})).unwrap();
    });
    assert_eq!(
        news(&world, &collector, &mut at),
        ["modify vm-1 guest=GuestInfo{} runtime.host=host-1 guest.disk=[]"]
    );
    world.commit(|tx| {
        tx.set(&vm(1), path!(VirtualMachine, "runtime"), None::<Value>).unwrap();
        tx.set(&vm(1), path!(VirtualMachine, "guest"), None::<Value>).unwrap();
    });
    assert_eq!(
        news(&world, &collector, &mut at),
        ["modify vm-1 guest --runtime.host --guest.disk"]
    );
}

#[test]
fn overlapping_properties_are_told_once() {
    let world = World::new();
    let collector = watch_one(&world, true, &["runtime", "runtime.powerState"]);
    let mut at = String::new();
    news(&world, &collector, &mut at);
    world.commit(|tx| {
        tx.set(&vm(1), path!(VirtualMachine, "runtime.powerState"), "suspended").unwrap();
    });
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 runtime.powerState=suspended"]);
}

#[test]
fn what_may_not_be_read_is_named_once() {
    let world = World::new();
    world.withhold(vm(1), "runtime");
    let collector = watch_one(&world, true, &["name", "runtime.powerState"]);
    let mut at = String::new();
    assert_eq!(news(&world, &collector, &mut at), ["enter vm-1 name=VM1 !runtime.powerState"]);
    world.set_name(&vm(1), "one");
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 name=one"]);
    world.withheld.lock().unwrap().clear();
    world.subscriptions.touch(&vm(1));
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 runtime.powerState=poweredOn"]);
    world.withhold(vm(1), "name");
    world.subscriptions.touch(&vm(1));
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 !name"]);
}

#[test]
fn missing_roots_are_reported_once_a_version() {
    let world = World::new();
    let lenient = object!(PropertyFilterSpec {
        propSet: vec![prop_set(ty::VirtualMachine, &["name"])],
        objectSet: vec![object_spec(&vm(1)), object_spec(&vm(9))],
        reportMissingObjectsInResults: true,
    });
    let collector = watch(&world, true, &lenient);
    let mut at = String::new();
    assert_eq!(news(&world, &collector, &mut at), ["enter vm-1 name=VM1", "missing vm-9"]);
    assert_eq!(news(&world, &collector, &mut at), [""; 0]);
    world.set_name(&vm(1), "one");
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 name=one"]);
    let mut again = String::new();
    assert_eq!(news(&world, &collector, &mut again), ["enter vm-1 name=one", "missing vm-9"]);
}

#[test]
fn filters_come_and_go_between_versions() {
    let world = World::new();
    let collector = watch_one(&world, true, &["name"]);
    assert!(world.check(&world.collector(), "").unwrap().is_none(), "no filters, no updates");
    let mut at = String::new();
    assert_eq!(news(&world, &collector, &mut at), ["enter vm-1 name=VM1"]);
    let second = spec(vec![prop_set(ty::VirtualMachine, &["name"])], vec![object_spec(&vm(2))]);
    collector.create_filter(filter("g"), &second, true, &world.see()).unwrap();
    world.set_name(&vm(1), "one");
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 name=one", "enter vm-2 name=VM2"]);
    assert_eq!(collector.filters(), [filter("f"), filter("g")]);
    assert_eq!(collector.filter(&filter("g")), Some((second, true)));
    assert!(collector.destroy_filter(&filter("f")));
    assert!(!collector.destroy_filter(&filter("f")));
    world.set_name(&vm(1), "uno");
    world.set_name(&vm(2), "due");
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-2 name=due"]);
    // Numbers go on when the filters are gone.
    assert!(collector.destroy_filter(&filter("g")));
    assert_eq!(news(&world, &collector, &mut at), [""; 0]);
    assert_eq!(at, "3");
    assert!(world.subscriptions.is_empty(), "nobody depends on anything any more");
}

#[test]
fn a_lost_reply_is_asked_for_again() {
    let world = World::new();
    let collector = watch_one(&world, true, &["name", "runtime.powerState"]);
    let mut at = String::new();
    news(&world, &collector, &mut at);
    world.set_name(&vm(1), "one");
    let mut lost = at.clone();
    assert_eq!(news(&world, &collector, &mut lost), ["modify vm-1 name=one"]);
    world.commit(|tx| {
        tx.set(&vm(1), path!(VirtualMachine, "runtime.powerState"), "suspended").unwrap();
    });
    // As often as need be.
    for _ in 0..3 {
        let mut retry = at.clone();
        assert_eq!(
            news(&world, &collector, &mut retry),
            ["modify vm-1 name=one runtime.powerState=suspended"]
        );
    }
    // Who did get it goes on from there.
    assert_eq!(news(&world, &collector, &mut lost), ["modify vm-1 runtime.powerState=suspended"]);
}

#[test]
fn versions_are_checked() {
    let world = World::new();
    let collector = watch_one(&world, true, &["name"]);
    let invalid = |version: &str| {
        let fault = world.check(&collector, version).expect_err(version);
        assert_eq!(fault.ty(), ty::InvalidCollectorVersion, "{version}");
    };
    invalid("0");
    invalid("1");
    let mut at = String::new();
    for number in 1..=3 {
        world.set_name(&vm(1), &format!("name {number}"));
        news(&world, &collector, &mut at);
    }
    assert_eq!(at, "3");
    ["0", "1", "4", "03", "+3", "3 ", "-", "P", "3_1", "99999999999999999999"]
        .into_iter()
        .for_each(invalid);
    assert!(world.check(&collector, "3").unwrap().is_none());
    assert!(world.check(&collector, "2").unwrap().is_some());
    let other = world.collector();
    assert_eq!(world.check(&other, "3").unwrap_err().ty(), ty::InvalidCollectorVersion);
}

#[test]
fn everything_again_from_the_empty_version() {
    let world = World::new();
    let collector = watch_tree(&world, true, vec![prop_set(ty::VirtualMachine, &["name"])]);
    let mut at = String::new();
    let all = news(&world, &collector, &mut at);
    let mut again = String::new();
    assert_eq!(news(&world, &collector, &mut again), all);
    assert_eq!((at.as_str(), again.as_str()), ("1", "2"));
    world.set_name(&vm(1), "one");
    // The client with the version before it is served as well.
    assert_eq!(news(&world, &collector, &mut at), ["modify vm-1 name=one"]);
    assert_eq!(news(&world, &collector, &mut again), ["modify vm-1 name=one"]);
}

fn page(world: &World, collector: &Collector, at: &str, max: i32) -> (Vec<String>, String, bool) {
    let updates = world.poll(collector, at, max).unwrap().expect("there is more");
    let truncated = updates.field("truncated").and_then(Value::as_bool).unwrap_or_default();
    (told(&updates), version(&updates), truncated)
}

#[test]
fn pages_have_versions_for_one_call() {
    let world = World::new();
    let collector = watch_tree(&world, true, vec![prop_set(ty::VirtualMachine, &["name"])]);
    let second = spec(vec![prop_set(ty::Task, &["info.key"])], vec![object_spec(&task())]);
    collector.create_filter(filter("g"), &second, true, &world.see()).unwrap();

    let (lines, at, truncated) = page(&world, &collector, "", 2);
    assert_eq!(lines, ["enter vm-1 name=VM1", "enter vm-2 name=VM2"]);
    assert_eq!((at.as_str(), truncated), ("0_1", true));
    // A page is read when it is asked for.
    world.set_name(&vm(3), "three");
    world.set_name(&vm(1), "one");
    let (lines, at, truncated) = page(&world, &collector, &at, 2);
    assert_eq!(lines, ["enter vm-4 name=VM4", "enter vm-3 name=three"]);
    assert_eq!((at.as_str(), truncated), ("0_2", true));
    let stale = world.poll(&collector, "0_1", 2).unwrap_err();
    assert_eq!(stale.ty(), ty::InvalidCollectorVersion);
    // That was a call with another version: the rest is given up.
    assert_eq!(world.poll(&collector, &at, 2).unwrap_err().ty(), ty::InvalidCollectorVersion);

    let (_, at, _) = page(&world, &collector, "", 2);
    assert_eq!(at, "0_1");
    for call in [world.check(&collector, &at), world.poll(&collector, &at, 2)] {
        assert_eq!(call.unwrap_err().ty(), ty::InvalidCollectorVersion, "only the Ex call pages");
    }
    let (_, at, _) = page(&world, &collector, "", 4);
    let (lines, at, truncated) = page(&world, &collector, &at, 4);
    assert_eq!(lines, ["enter task-1 info.key=task-1"]);
    assert_eq!((at.as_str(), truncated), ("1", false));
    assert!(world.poll(&collector, &at, 4).unwrap().is_none());

    // Exactly one page is not truncated.
    let (_, at, truncated) = page(&world, &collector, "", 5);
    assert_eq!((at.as_str(), truncated), ("2", false));
    let (_, at, _) = {
        world.set_name(&vm(1), "1");
        world.set_name(&vm(2), "2");
        page(&world, &collector, &at, 1)
    };
    assert_eq!(at, "2_1");
    // Given up half way, and told from the version before: nothing is lost.
    let (lines, at, _) = page(&world, &collector, "2", 5);
    assert_eq!((lines.len(), at.as_str()), (2, "3"));
}

#[test]
fn check_and_wait_for_updates_do_not_page() {
    let world = World::empty();
    world.commit(|tx| {
        for number in 0..250 {
            tx.insert(vm(number), machine(number, &folder("root")));
        }
        let all = (0..250).map(vm).collect::<Vec<_>>();
        tx.insert(folder("root"), object!(Folder { name: "root", childEntity: all }));
    });
    let collector = watch_tree(&world, true, vec![prop_set(ty::VirtualMachine, &["name"])]);
    let updates = world.check(&collector, "").unwrap().unwrap();
    assert_eq!((told(&updates).len(), updates.field("truncated")), (250, None));
    let updates = world.poll(&collector, "", None).unwrap().unwrap();
    assert_eq!(told(&updates).len(), 100);
}
