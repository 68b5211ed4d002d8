//! The schema tables: what they must say about well-known types, fields and methods.

use vimsim::schema::{Kind, Method, Primitive, Type, Version, method, ty};

const STATE: usize = ty::TaskInfo.slot("state");

#[test]
fn task_info_keeps_the_declared_order() {
    let names: Vec<_> = ty::TaskInfo.fields().iter().map(|field| field.name()).collect();
    assert_eq!(names[..5], ["key", "task", "description", "name", "descriptionId"]);
    assert_eq!(names[STATE], "state");
    let state = ty::TaskInfo.fields()[STATE];
    assert_eq!((state.open(), state.close()), ("<state>", "</state>"));
    assert_eq!(state.ty(), ty::TaskInfoState);
}

#[test]
fn every_name_finds_its_type() {
    for ty in Type::all() {
        assert_eq!(Type::by_name(ty.name()), Some(ty));
        assert_eq!(Type::by_vmodl(ty.vmodl()), Some(ty));
    }
    for method in Method::all() {
        assert_eq!(Method::by_name(method.name()), Some(method));
    }
}

#[test]
fn power_on_belongs_to_the_virtual_machine() {
    let power_on = method::PowerOnVM_Task;
    assert_eq!(power_on.owner(), ty::VirtualMachine);
    assert_eq!(power_on.privilege(), Some("VirtualMachine.Interact.PowerOn"));
    assert_eq!(power_on.result().map(|result| result.ty()), Some(ty::Task));
    assert!(power_on.faults().contains(&ty::InvalidState));
    assert_eq!(ty::STRING.kind(), Kind::Primitive(Primitive::String));
    assert!(Version::parse("8.0.3.0").is_some());
}
