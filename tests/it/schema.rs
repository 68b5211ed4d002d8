//! The schema tables: how large they are, and what they must say about well-known types and methods.

use std::collections::HashSet;

use vimsim::schema::{Kind, Method, Namespace, Primitive, Type, Version, method, ty};

// Names written in code are resolved by the compiler; that these lines compile is a test.
const STATE: usize = ty::TaskInfo.slot("state");
const RUNNING: u16 = ty::TaskInfoState.enum_index("running");
const SNAPSHOT_NAME: usize = method::CreateSnapshot_Task.param_slot("name");
const IS_A_FAULT: bool = ty::InvalidPowerState.is_a(ty::MethodFault);
const VM: (&str, &str, Kind) =
    (ty::VirtualMachine.name(), ty::VirtualMachine.vmodl(), ty::VirtualMachine.kind());

#[test]
fn the_schema_is_whole() {
    let count = |kind: Kind| Type::all().filter(|ty| ty.kind() == kind).count();
    let fields = |kind: Kind| {
        let types = Type::all().filter(|ty| ty.kind() == kind);
        types.flat_map(|ty| ty.fields().iter().map(|field| field.index())).collect::<HashSet<_>>()
    };
    let summary = [
        ("enumerations", count(Kind::Enum)),
        ("data objects", count(Kind::Data)),
        ("managed objects", count(Kind::Managed)),
        ("array types", count(Kind::Array)),
        ("enumeration values", Type::all().map(|ty| ty.enum_values().len()).sum()),
        ("data fields", fields(Kind::Data).len()),
        ("properties", fields(Kind::Managed).len()),
        ("methods", Method::count()),
        ("task methods", Method::all().filter(|method| method.is_task()).count()),
        ("parameters", Method::all().map(|method| method.params().len()).sum()),
        ("faults", ty::MethodFault.derived().count()),
        ("events", ty::Event.derived().count()),
        ("versions", Version::all().count()),
    ];
    // The figures of pyvmomi's type tables; they change only when wsdl/ is written anew.
    let expected = [
        ("enumerations", 449),
        ("data objects", 3045),
        ("managed objects", 143),
        ("array types", 3507),
        ("enumeration values", 2095),
        ("data fields", 7872),
        ("properties", 266),
        ("methods", 982),
        ("task methods", 249),
        ("parameters", 1541),
        ("faults", 699),
        ("events", 443),
        ("versions", 36),
    ];
    assert_eq!(summary, expected);
}

#[test]
fn every_name_leads_to_its_type_and_method() {
    for ty in Type::all() {
        assert_eq!(Type::by_name(ty.name()), Some(ty));
        assert_eq!(Type::by_vmodl(ty.vmodl()), Some(ty));
    }
    for method in Method::all() {
        assert_eq!(Method::by_name(method.name()), Some(method));
        assert_eq!(method.response(), format!("{}Response", method.name()));
        assert!(method.owner().methods().any(|own| own == method));
    }
    assert_eq!(Type::by_name("Taskinfo"), None);
    assert_eq!(Type::by_name(""), None);
    assert_eq!(Type::by_vmodl("vim.vm.device.VirtualDisk"), Some(ty::VirtualDisk));
    assert_eq!(Method::by_name("PowerOnVM"), None);
}

#[test]
fn inheritance_and_its_numbering_agree() {
    for ty in Type::all() {
        let mut ancestors = HashSet::from([ty]);
        let mut base = ty.base();
        while let Some(ancestor) = base {
            ancestors.insert(ancestor);
            // What a base has comes first, at the same slots.
            assert!(ty.fields().starts_with(ancestor.fields()), "{ty} and {ancestor}");
            assert!(ancestor.derived().any(|derived| derived == ty));
            base = ancestor.base();
        }
        for other in [ty::MethodFault, ty::Event, ty::DynamicData, ty::ManagedEntity, ty] {
            assert_eq!(ty.is_a(other), ancestors.contains(&other), "{ty} and {other}");
        }
    }
    const { assert!(IS_A_FAULT) };
    assert_eq!(ty::InvalidPowerState.base(), Some(ty::InvalidState));
    assert!(!ty::InvalidState.is_a(ty::InvalidPowerState));
}

#[test]
fn arrays_and_their_elements_agree() {
    for ty in Type::all() {
        match (ty.kind(), ty.array(), ty.element()) {
            (Kind::Array, None, Some(element)) => assert_eq!(element.array(), Some(ty)),
            (Kind::Managed, Some(array), None) => {
                assert_eq!(array, ty::ArrayOfManagedObjectReference);
            }
            (_, Some(array), None) => assert_eq!(array.element(), Some(ty)),
            (_, array, None) => assert_eq!(array, None),
            other => panic!("{ty}: {other:?}"),
        }
    }
    assert_eq!(ty::STRING.array(), Some(ty::ArrayOfString));
    assert_eq!(ty::ArrayOfEvent.element(), Some(ty::Event));
    assert_eq!(Type::by_name("ManagedObjectReference"), Some(ty::ManagedObject));
}

#[test]
fn task_info_has_the_declared_order() {
    let names: Vec<_> = ty::TaskInfo.fields().iter().map(|field| field.name()).collect();
    assert_eq!(
        names.join(" "),
        "key task description name descriptionId entity entityName locked state cancelled cancelable \
         error result progress progressDetails reason queueTime startTime completeTime eventChainId \
         changeTag parentTaskKey rootTaskKey activationId"
    );
    let state = ty::TaskInfo.fields()[STATE];
    assert_eq!((state.open(), state.name(), state.close()), ("<state>", "state", "</state>"));
    assert_eq!(
        (state.ty(), state.is_array(), state.is_optional()),
        (ty::TaskInfoState, false, false)
    );
    assert_eq!(ty::TaskInfoState.enum_values(), ["queued", "running", "success", "error"]);
    assert_eq!(ty::TaskInfoState.enum_value("running"), Some(RUNNING));
    assert_eq!(ty::TaskInfoState.enum_value("Running"), None);

    let field = |name| ty::TaskInfo.field(name).expect(name).1;
    assert_eq!(field("task").ty(), ty::Task);
    assert_eq!(field("result").ty(), ty::ANY);
    assert!(field("locked").is_array());
    assert_eq!(field("locked").ty(), ty::ManagedEntity);
    assert_eq!(field("activationId").since(), Version::parse("6.0").unwrap());
    assert_eq!(ty::TaskInfo.field("nothing"), None);
}

#[test]
fn power_on_belongs_to_the_virtual_machine() {
    let power_on = method::PowerOnVM_Task;
    assert_eq!(power_on.owner(), ty::VirtualMachine);
    assert_eq!(power_on.vmodl(), "powerOn");
    assert_eq!(power_on.privilege(), Some("VirtualMachine.Interact.PowerOn"));
    assert_eq!(power_on.result().map(vimsim::schema::Field::ty), Some(ty::Task));
    assert_eq!(power_on.task_result(), None);
    assert!(power_on.is_task());
    assert_eq!(power_on.params().len(), 1);
    assert_eq!(power_on.params()[0].ty(), ty::HostSystem);
    for fault in [ty::TaskInProgress, ty::InvalidState, ty::InsufficientResourcesFault] {
        assert!(power_on.faults().contains(&fault));
    }
    assert_eq!(VM, ("VirtualMachine", "vim.VirtualMachine", Kind::Managed),);
}

#[test]
fn methods_of_many_shapes() {
    assert_eq!(SNAPSHOT_NAME, 0);
    let cloned = method::CloneVM_Task.task_result().expect("a clone task has a result");
    assert_eq!(cloned.ty(), ty::VirtualMachine);
    // Inherited methods come along, void ones have no result.
    assert!(ty::VirtualMachine.methods().any(|method| method == method::Destroy_Task));
    assert_eq!(method::Destroy_Task.owner(), ty::ManagedEntity);
    assert_eq!(method::CancelTask.result(), None);
    let (slot, policy) = method::CreateFilter.param("partialUpdates").expect("has the parameter");
    assert_eq!((slot, policy.ty()), (1, ty::BOOLEAN));
    let read = method::RetrieveProperties.result().expect("has a result");
    assert!(read.is_array());
    assert_eq!(method::DynamicTypeMgrQueryTypeInfo.namespace().uri(), "urn:reflect");
    assert_eq!(method::PowerOnVM_Task.namespace(), Namespace::Vim25);
}

#[test]
fn fields_say_what_may_be_shown_and_how_elements_are_named() {
    let kind = |name: &str| Type::by_name(name).map(Type::kind);
    assert_eq!(kind("dateTime"), Some(Kind::Primitive(Primitive::DateTime)));
    assert_eq!(kind("anyType"), Some(Kind::Primitive(Primitive::Any)));
    assert_eq!(ty::BINARY.name(), "base64Binary");
    let (_, password) = method::Login.param("password").expect("has a password");
    assert!(password.is_secret());
    assert_eq!(ty::VirtualDisk.key_slot(), Some(0));
    assert_eq!(ty::OptionValue.key_slot(), Some(0));
    assert_eq!(ty::GuestNicInfo.key_slot(), None);
}

#[test]
fn versions_are_ordered_and_rounded_down() {
    let version = |text| Version::parse(text).expect(text);
    assert!(version("5.5") < version("6.0"));
    assert!(version("6.9.1") < version("7.0.0.0"));
    assert!(version("8.0.0.2") < version("8.0.1.0"));
    assert_eq!(Version::OLDEST.as_str(), "2.0");
    assert_eq!(Version::NEWEST.as_str(), "9.1.1.0");
    assert!(Version::all().is_sorted());
    for version in Version::all() {
        assert_eq!(Version::at_most(version.as_str()), Some(version));
    }
    assert_eq!(Version::parse("8.0.3"), None);
    assert_eq!(Version::at_most("8.0.3"), Some(version("8.0.3.0")));
    assert_eq!(Version::at_most("8.0.2.99"), Some(version("8.0.2.0")));
    assert_eq!(Version::at_most("99.9"), Some(Version::NEWEST));
    assert_eq!(Version::at_most("1.0"), None);
    assert_eq!(Version::at_most("dev"), None);
    assert_eq!(Version::at_most(""), None);
}
