//! Reading once: what is selected, what is read, and what is refused.

use vimsim::collector::{Page, Request, fetch};
use vimsim::fault::{Fault, Result};
use vimsim::schema::ty;
use vimsim::value::Object;
use vimsim::{object, path};

use super::world::*;

fn retrieve(world: &World, specs: &[Object]) -> Result<Vec<Object>> {
    Ok(Request::compile(specs)?.retrieve(&world.see())?.read())
}

/// The contents in short: `vm-1 name=VM1`.
fn lines(contents: &[Object]) -> Vec<String> {
    contents
        .iter()
        .map(|content| {
            let mut line = obj(content).id().to_owned();
            for property in list(content, "propSet") {
                line += &format!(
                    " {}={}",
                    text(property, "name"),
                    short(property.field("val").unwrap())
                );
            }
            for missing in list(content, "missingSet") {
                line += &format!(" !{}", text(missing, "path"));
            }
            line
        })
        .collect()
}

fn check(world: &World, spec: Object, expected: &[&str]) {
    assert_eq!(lines(&retrieve(world, &[spec]).unwrap()), expected);
}

fn refused(spec: &Object) -> Fault {
    let world = World::new();
    let fault = retrieve(&world, std::slice::from_ref(spec)).expect_err("the spec is wrong");
    let created =
        world.collector().create_filter(filter("f"), spec, true, &world.see()).unwrap_err();
    assert_eq!(created.ty(), fault.ty(), "filters are checked like retrievals");
    fault
}

#[test]
fn a_walk_goes_down_in_order_and_finds_each_object_once() {
    let world = World::new();
    let names = prop_set(ty::ManagedEntity, &["name"]);
    check(
        &world,
        spec(vec![names.clone()], vec![tree(&folder("root")), tree(&folder("sub"))]),
        &["vm-1 name=VM1", "vm-2 name=VM2", "sub name=sub", "vm-4 name=VM4", "vm-3 name=VM3"],
    );
    let machines = prop_set(ty::VirtualMachine, &["name"]);
    check(&world, spec(vec![machines], vec![tree(&folder("sub"))]), &["vm-4 name=VM4"]);
}

#[test]
fn circles_end() {
    let world = World::new();
    world.commit(|tx| {
        tx.push_ref(&folder("sub"), path!(Folder, "childEntity"), &folder("root")).unwrap();
    });
    let names = prop_set(ty::Folder, &["name"]);
    check(
        &world,
        spec(vec![names], vec![tree(&folder("root"))]),
        &["sub name=sub", "root name=root"],
    );
}

#[test]
fn skip_leaves_out_but_walks_on() {
    let world = World::new();
    let children =
        |skip: bool| object!(TraversalSpec { type: "Folder", path: "childEntity", skip: skip });
    let nothing = prop_set(ty::ManagedEntity, &[]);
    let from = |root_skip: bool, select: Vec<Object>| {
        object!(ObjectSpec { obj: folder("root"), skip: root_skip, selectSet: select })
    };
    check(&world, spec(vec![nothing.clone()], vec![from(false, vec![children(true)])]), &["root"]);
    check(
        &world,
        spec(vec![nothing.clone()], vec![from(true, vec![children(false)])]),
        &["vm-1", "vm-2", "sub", "vm-3"],
    );
    // Skipped by one traversal, wanted by another.
    check(
        &world,
        spec(vec![nothing], vec![from(true, vec![children(true), children(false)])]),
        &["vm-1", "vm-2", "sub", "vm-3"],
    );
}

#[test]
fn a_traversal_applies_to_its_type_and_those_derived_from_it() {
    let world = World::new();
    let up = object!(TraversalSpec { type: "ManagedEntity", path: "parent" });
    let from = |mo| object!(ObjectSpec { obj: mo, skip: true, selectSet: vec![up.clone()] });
    let names = prop_set(ty::ManagedEntity, &["name"]);
    check(&world, spec(vec![names.clone()], vec![from(vm(1))]), &["root name=root"]);
    check(&world, spec(vec![names], vec![from(task())]), &[]);
}

#[test]
fn a_name_may_be_defined_after_its_use() {
    let world = World::new();
    let later = object!(TraversalSpec { name: "up", type: "VirtualMachine", path: "parent" });
    let first = object!(ObjectSpec {
        obj: vm(4),
        skip: true,
        selectSet: vec![object!(SelectionSpec { name: "up" })],
    });
    let second = object!(ObjectSpec { obj: vm(1), skip: true, selectSet: vec![later] });
    let names = prop_set(ty::ManagedEntity, &["name"]);
    check(&world, spec(vec![names], vec![first, second]), &["sub name=sub", "root name=root"]);
}

#[test]
fn property_specs_add_up() {
    let world = World::new();
    let one = vec![object_spec(&vm(1))];
    check(
        &world,
        spec(
            vec![
                prop_set(ty::VirtualMachine, &["name", "runtime.powerState", "name"]),
                prop_set(ty::ManagedEntity, &["parent", "name"]),
                prop_set(ty::Folder, &["childEntity"]),
            ],
            one.clone(),
        ),
        &["vm-1 name=VM1 runtime.powerState=poweredOn parent=root"],
    );
    // Prefixes are reported as they are named, both.
    check(
        &world,
        spec(vec![prop_set(ty::VirtualMachine, &["runtime.powerState", "runtime"])], one.clone()),
        &["vm-1 \
           runtime=VirtualMachineRuntimeInfo{connectionState:connected,powerState:poweredOn} \
           runtime.powerState=poweredOn"],
    );
    // Nothing is asked of this type: the object is not reported at all.
    check(&world, spec(vec![prop_set(ty::Folder, &["name"])], one.clone()), &[]);
    // All properties, whatever else is named; unset scalars are left out.
    let all = object!(PropertySpec { type: "ManagedEntity", all: true, pathSet: vec!["nonsense"] });
    let contents = retrieve(&world, &[spec(vec![all], one)]).unwrap();
    let names: Vec<String> =
        list(&contents[0], "propSet").iter().map(|property| text(property, "name")).collect();
    assert!(names.contains(&"runtime".to_owned()) && !names.contains(&"guest".to_owned()));
    // Arrays are there although they are empty.
    assert!(names.contains(&"network".to_owned()));
}

#[test]
fn paths_go_through_keyed_arrays() {
    let world = World::new();
    let paths = [
        "config.hardware.device[4000].key",
        "config.extraConfig[\"guestinfo.a\"].value",
        "config.hardware.device[17]",
        "guest.disk",
        "config.hardware.numCPU",
        "config.cpuFeatureMask",
        "config.uuid",
    ];
    // The element that is not there, what lies below an unset parent, and an unset
    // scalar are left out; an unset array is empty.
    check(
        &world,
        spec(vec![prop_set(ty::VirtualMachine, &paths)], vec![object_spec(&vm(1))]),
        &[
            "vm-1 config.hardware.device[4000].key=4000 config.extraConfig[\"guestinfo.a\"].value=1 \
           config.hardware.numCPU=2 config.cpuFeatureMask=[]",
        ],
    );
    for wrong in [
        "config.hardware.device.key",
        "config.hardware.device[4000].macAddress",
        "config.hardware.device[\"a\"]",
        "runtime.powerState.x",
        "name[1]",
        "",
        "name.",
    ] {
        let spec = spec(vec![prop_set(ty::VirtualMachine, &[wrong])], vec![object_spec(&vm(1))]);
        let fault = refused(&spec);
        assert_eq!(fault.ty(), ty::InvalidProperty, "{wrong}");
        assert_eq!(text(fault.object(), "name"), wrong);
        assert_eq!(fault.message(), "");
    }
}

#[test]
fn wrong_specifications_are_refused() {
    let names = || vec![prop_set(ty::ManagedEntity, &["name"])];
    let one = || vec![object_spec(&vm(1))];
    let invalid = |spec: Object| {
        let fault = refused(&spec);
        assert_eq!(fault.ty(), ty::InvalidArgument, "{fault}");
        text(fault.object(), "invalidProperty")
    };
    assert_eq!(invalid(spec(vec![], one())), "specSet.propSet");
    assert_eq!(invalid(spec(names(), vec![])), "specSet.objectSet");
    assert_eq!(
        refused(&spec(vec![object!(PropertySpec { type: "VirtualMaschine" })], one())),
        Fault::invalid_type("VirtualMaschine")
    );
    assert_eq!(
        refused(&spec(vec![prop_set(ty::TaskInfo, &["key"])], one())).ty(),
        ty::InvalidType,
        "only managed objects have properties"
    );
    let select = |selection: Object| {
        let root = object!(ObjectSpec { obj: vm(1), selectSet: vec![selection] });
        spec(names(), vec![root])
    };
    for (selection, property) in [
        (object!(SelectionSpec { name: "nowhere" }), "specSet.objectSet.selectSet.name"),
        (object!(SelectionSpec {}), "specSet.objectSet.selectSet.name"),
        (
            object!(TraversalSpec { type: "VirtualMachine", path: "nothing" }),
            "specSet.objectSet.selectSet.path",
        ),
        (
            object!(TraversalSpec { type: "VirtualMachine", path: "name" }),
            "specSet.objectSet.selectSet.path",
        ),
    ] {
        assert_eq!(invalid(select(selection)), property);
    }
    let traversal = object!(TraversalSpec { type: "Nothing", path: "parent" });
    assert_eq!(refused(&select(traversal)), Fault::invalid_type("Nothing"));
    assert_eq!(
        retrieve(&World::new(), &[]).unwrap_err().ty(),
        ty::InvalidArgument,
        "there must be a specification"
    );
}

#[test]
fn a_root_that_is_gone_is_a_fault_unless_it_may_be() {
    let world = World::new();
    let names = || vec![prop_set(ty::ManagedEntity, &["name"])];
    let fault = refused(&spec(names(), vec![object_spec(&vm(9)), object_spec(&vm(1))]));
    assert_eq!(fault, Fault::not_found(&vm(9)));
    let lenient = object!(PropertyFilterSpec {
        propSet: names(),
        objectSet: vec![object_spec(&vm(9)), object_spec(&vm(1))],
        reportMissingObjectsInResults: true,
    });
    check(&world, lenient, &["vm-1 name=VM1"]);
    // Gone on the way: left out without a word.
    world.commit(|tx| assert!(tx.remove(&vm(2))));
    check(
        &world,
        spec(names(), vec![tree(&folder("root"))]),
        &["vm-1 name=VM1", "sub name=sub", "vm-4 name=VM4", "vm-3 name=VM3"],
    );
}

#[test]
fn what_may_not_be_read_is_named() {
    let world = World::new();
    world.withhold(vm(1), "runtime");
    check(
        &world,
        spec(
            vec![prop_set(ty::VirtualMachine, &["name", "runtime.powerState"])],
            vec![object_spec(&vm(1))],
        ),
        &["vm-1 name=VM1 !runtime.powerState"],
    );
    world.withhold(folder("root"), "childEntity");
    let names = prop_set(ty::ManagedEntity, &["name"]);
    check(&world, spec(vec![names], vec![tree(&folder("root"))]), &[]);
}

#[test]
fn an_object_comes_once_over_all_specifications() {
    let world = World::new();
    let specs = [
        spec(vec![prop_set(ty::VirtualMachine, &["name"])], vec![tree(&folder("root"))]),
        spec(
            vec![prop_set(ty::VirtualMachine, &["name", "runtime.powerState"])],
            vec![object_spec(&vm(2))],
        ),
    ];
    assert_eq!(
        lines(&retrieve(&world, &specs).unwrap()),
        [
            "vm-1 name=VM1",
            "vm-2 name=VM2 runtime.powerState=poweredOn",
            "vm-4 name=VM4",
            "vm-3 name=VM3"
        ]
    );
}

#[test]
fn pages_have_tokens_for_one_call() {
    let world = World::new();
    let collector = world.collector();
    let names = spec(vec![prop_set(ty::VirtualMachine, &["name"])], vec![tree(&folder("root"))]);
    let options = |max: i32| object!(RetrieveOptions { maxObjects: max });
    let start = |options: &Object| collector.retrieve([&names], Some(options), &world.see());
    for illegal in [0, -1] {
        assert_eq!(start(&options(illegal)).unwrap_err().ty(), ty::InvalidArgument);
    }
    let page =
        |page: &Page| (lines(&page.contents.read()), page.token.as_ref().map(ToString::to_string));

    let (first, token) = page(&start(&options(2)).unwrap().unwrap());
    assert_eq!(first, ["vm-1 name=VM1", "vm-2 name=VM2"]);
    let token = token.expect("there is more");
    // Read when asked for: gone objects are left out.
    world.commit(|tx| assert!(tx.remove(&vm(4))));
    let again = collector.continue_retrieval(&token, &world.see()).unwrap();
    assert_eq!(page(&again), (vec!["vm-3 name=VM3".to_owned()], None));
    let fault = collector.continue_retrieval(&token, &world.see()).unwrap_err();
    assert_eq!(fault, Fault::invalid_argument("token"));

    let (_, token) = page(&start(&options(1)).unwrap().unwrap());
    let token = token.expect("there is more");
    collector.cancel_retrieval(&token).unwrap();
    assert_eq!(collector.cancel_retrieval(&token).unwrap_err().ty(), ty::InvalidArgument);
    assert_eq!(
        world.collector().continue_retrieval(&token, &world.see()).unwrap_err().ty(),
        ty::InvalidArgument,
        "another collector's token"
    );

    let all = collector.retrieve([&names], None, &world.see()).unwrap().unwrap();
    assert_eq!(page(&all).1, None);
    let none = spec(vec![prop_set(ty::HostSystem, &["name"])], vec![tree(&folder("root"))]);
    assert!(collector.retrieve([&none], None, &world.see()).unwrap().is_none());
}

#[test]
fn fetch_reads_one_property() {
    let world = World::new();
    let fetch = |mo, path| fetch(&world.see(), &mo, path);
    let state = fetch(task(), "info.state").unwrap().unwrap();
    assert_eq!((state.ty(), state.as_str()), (ty::TaskInfoState, Some("queued")));
    assert_eq!(fetch(vm(1), "guest").unwrap(), None);
    let network = fetch(vm(1), "network").unwrap().unwrap();
    assert_eq!(network.ty(), ty::ArrayOfManagedObjectReference);
    assert!(network.items().is_empty());
    assert_eq!(fetch(task(), "nothing").unwrap_err(), Fault::invalid_property("nothing"));
    assert_eq!(fetch(vm(9), "name").unwrap_err(), Fault::not_found(&vm(9)));
    world.withhold(vm(1), "name");
    assert_eq!(fetch(vm(1), "name").unwrap_err().ty(), ty::NotAuthenticated);
}
