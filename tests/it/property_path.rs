//! Property paths: which texts are paths of which type, and what they lead to.

use vimsim::path;
use vimsim::schema::{Field, Key, Path, PathError, PathRef, StaticPath, Step, Type, ty};

fn parse(root: Type, text: &str) -> Path {
    Path::parse(root, text).expect(text)
}

fn refuse(root: Type, text: &str) -> PathError {
    Path::parse(root, text).expect_err(text)
}

#[test]
fn paths_lead_to_the_declared_type() {
    for (text, ty, array) in [
        ("name", ty::STRING, false),
        ("runtime", ty::VirtualMachineRuntimeInfo, false),
        ("runtime.powerState", ty::VirtualMachinePowerState, false),
        ("runtime.host", ty::HostSystem, false),
        ("recentTask", ty::Task, true),
        ("recentTask[\"task-1\"]", ty::Task, false),
        ("config.hardware.device", ty::VirtualDevice, true),
        ("config.hardware.device[4000]", ty::VirtualDevice, false),
        ("config.hardware.device[-5].backing", ty::VirtualDeviceBackingInfo, false),
        ("config.extraConfig[\"guestinfo.a]b\"].value", ty::ANY, false),
    ] {
        let path = parse(ty::VirtualMachine, text);
        assert_eq!((path.leaf(), path.text().as_str()), ((ty, array), text));
        // The steps alone give the same path and text.
        let again = Path::from_steps(path.root(), path.steps()).expect("its own steps");
        assert_eq!((again.text().as_str(), &again), (text, &path));
    }
}

#[test]
fn keys_keep_every_character() {
    let path = parse(ty::VirtualMachine, r#"config.extraConfig["a\"b\\c.d"]"#);
    assert_eq!(path.steps()[2], Step::Key(Key::Text(r#"a"b\c.d"#.into())));
    let again = Path::from_steps(path.root(), path.steps()).expect("its own steps");
    assert_eq!(again.text(), path.text());
}

#[test]
fn what_is_no_path_is_refused_with_the_segment() {
    for (text, segment) in [
        ("", ""),
        ("nmae", "nmae"),
        ("Name", "Name"),
        ("runtime.", ""),
        (".runtime", ""),
        ("runtime..host", ""),
        ("runtime.powerState.x", "x"),
        ("runtime.host.name", "name"),
        ("config.hardware.device.key", "key"),
        ("config.hardware.device[4000].macAddress", "macAddress"),
        ("config.hardware.device[\"4000\"]", "device"),
        ("config.hardware.device[]", "device[]"),
        ("config.hardware.device[4000", "device[4000"),
        ("config.hardware.device[4000]key", "key"),
        ("config.hardware.device[4000][1]", "[1]"),
        ("config.hardware.device[99999999999999999999]", "device[99999999999999999999]"),
        ("config.extraConfig[7]", "extraConfig"),
        ("config.extraConfig[\"a].value", "extraConfig[\"a].value"),
        ("config.extraConfig[\"a\"].value.x", "x"),
        ("runtime[1]", "runtime"),
        ("guest.net[0]", "net"),
    ] {
        assert_eq!(refuse(ty::VirtualMachine, text).segment(), segment, "{text:?}");
    }
    assert!(matches!(
        refuse(ty::VirtualMachine, "config.hardware.device.key"),
        PathError::KeyMissing { .. }
    ));
    assert!(matches!(refuse(ty::VirtualMachine, "guest.net[0]"), PathError::NoKey { .. }));
    assert!(matches!(refuse(ty::VirtualMachine, "runtime[1]"), PathError::NotAnArray { .. }));
    assert!(matches!(refuse(ty::STRING, "length"), PathError::NoSuchField { .. }));
}

#[test]
fn a_prefix_contains_its_path() {
    let state = parse(ty::VirtualMachine, "runtime.powerState");
    let runtime = parse(ty::VirtualMachine, "runtime");
    assert!(state.starts_with(&runtime) && state.starts_with(&state));
    assert!(!runtime.starts_with(&state));
    assert!(!parse(ty::VirtualMachine, "resourcePool").starts_with(&runtime));
    // What a base declares is the same path in what derives from it, and of nothing else.
    assert!(parse(ty::VirtualMachine, "name").starts_with(path!(ManagedEntity, "name")));
    assert!(!path!(Datastore, "name").starts_with(path!(VirtualMachine, "name")));
    let device = parse(ty::VirtualMachine, "config.hardware.device");
    let one = parse(ty::VirtualMachine, "config.hardware.device[4000].key");
    assert!(one.starts_with(&device));
    assert!(!one.starts_with(&parse(ty::VirtualMachine, "config.hardware.device[4001]")));
}

#[test]
fn the_compiler_resolves_paths_alike() {
    const POWER: &StaticPath = path!(VirtualMachine, "summary.runtime.powerState");
    let parsed = parse(ty::VirtualMachine, "summary.runtime.powerState");
    assert!(PathRef::from(POWER).steps().eq(PathRef::from(&parsed).steps()));
    assert_eq!(Path::from(POWER), parsed);
    assert_eq!(POWER.leaf(), (ty::VirtualMachinePowerState, false));
    assert_eq!(POWER.field().map(Field::name), Some("powerState"));
    assert_eq!(path!(TaskInfo, "state").slots().len(), 1);
}

#[test]
fn steps_that_do_not_fit_are_refused() {
    assert!(Path::from_steps(ty::VirtualMachine, &[]).is_err());
    assert!(Path::from_steps(ty::VirtualMachine, &[Step::Field(9999)]).is_err());
    assert!(Path::from_steps(ty::VirtualMachine, &[Step::Key(Key::Int(1))]).is_err());
}
