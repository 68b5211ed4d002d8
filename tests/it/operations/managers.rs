//! Licences and alarms.

use super::*;
use vimsim::object;

fn manager(sim: &Sim, of: Type) -> MoRef {
    let snapshot = sim.snapshot();
    let mut found = snapshot.of_type(of).map(|(mo, _)| mo.clone());
    found.next().expect("a manager")
}

fn field(value: &Value, path: &str) -> String {
    let mut value = value.clone();
    for name in path.split('.') {
        value = value.as_object().and_then(|it| it.field(name)).expect("a field").clone();
    }
    value.as_str().expect("a text").to_owned()
}

#[test]
fn licences_come_are_assigned_and_go() {
    let sim = Sim::new();
    let licences = manager(&sim, ty::LicenseManager);
    let assignments = manager(&sim, ty::LicenseAssignmentManager);
    let key = || "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE".to_owned();
    let list = |sim: &Sim| {
        let snapshot = sim.snapshot();
        snapshot.at(&licences, path!(LicenseManager, "licenses")).map(|it| it.items().len())
    };
    assert_eq!(list(&sim), Some(1));
    let wrong = args![licenseKey = "AAAAA".to_owned()];
    sim.refused(&licences, method::AddLicense, wrong, ty::InvalidArgument);
    sim.call(&licences, method::AddLicense, args![licenseKey = key()]).expect("a licence");
    sim.call(&licences, method::AddLicense, args![licenseKey = key()]).expect("the same");
    assert_eq!(list(&sim), Some(2));
    let label =
        args![licenseKey = key(), labelKey = "team".to_owned(), labelValue = "a".to_owned()];
    sim.call(&licences, method::UpdateLicenseLabel, label).expect("a label");
    let decoded = sim.call(&licences, method::DecodeLicense, args![licenseKey = key()]);
    let labels = decoded.expect("a licence").expect("a licence");
    let labels = labels.as_object().and_then(|it| it.field("labels")).expect("labels").clone();
    assert_eq!(field(&labels.items()[0], "value"), "a");
    // Who has none of its own has the evaluation.
    let host = sim.find(ty::HostSystem, "DC0_H0");
    let of = |sim: &Sim| {
        let args = args![entityId = host.id().to_owned()];
        let answer = sim.call(&assignments, method::QueryAssignedLicenses, args).expect("a list");
        field(&answer.expect("a list").items()[0], "assignedLicense.licenseKey")
    };
    assert_eq!(of(&sim), "00000-00000-00000-00000-00000");
    let args = args![entity = host.id().to_owned(), licenseKey = key()];
    sim.call(&assignments, method::UpdateAssignedLicense, args).expect("a licence");
    assert_eq!(of(&sim), key());
    let nobody = args![entity = "nobody".to_owned(), licenseKey = key()];
    sim.refused(&assignments, method::UpdateAssignedLicense, nobody, ty::InvalidArgument);
    let args = args![entityId = host.id().to_owned()];
    sim.call(&assignments, method::RemoveAssignedLicense, args).expect("gone");
    sim.call(&licences, method::RemoveLicense, args![licenseKey = key()]).expect("gone");
    assert_eq!(list(&sim), Some(1));
    let again = args![licenseKey = key()];
    sim.refused(&licences, method::RemoveLicense, again, ty::InvalidArgument);
}

fn alarm(name: &str) -> Object {
    object!(AlarmSpec {
        name: name,
        description: "of mine",
        enabled: true,
        expression: object!(StateAlarmExpression {
            operator: "isEqual",
            type: "VirtualMachine",
            statePath: "runtime.powerState",
            red: "poweredOff",
        }),
    })
}

#[test]
fn alarms_are_declared_changed_and_removed() {
    let sim = Sim::new();
    let alarms = manager(&sim, ty::AlarmManager);
    let vm = sim.vm("DC0_H0_VM0");
    let create = |sim: &Sim, name: &str| {
        sim.call(&alarms, method::CreateAlarm, args![entity = vm.clone(), spec = alarm(name)])
    };
    let made = create(&sim, "one").expect("an alarm");
    let one = made.as_ref().and_then(Value::as_moref).expect("an alarm").clone();
    assert_eq!(create(&sim, "one").expect_err("a fault").ty(), ty::DuplicateName);
    create(&sim, "two").expect("an alarm");
    let declared = |sim: &Sim, args: &[Named]| {
        let found = sim.call(&alarms, method::GetAlarm, args).expect("alarms").expect("alarms");
        found.items().len()
    };
    assert_eq!(declared(&sim, args![entity = vm.clone()]), 2);
    assert_eq!(declared(&sim, args![entity = sim.vm("DC0_H0_VM1")]), 0);
    assert_eq!(declared(&sim, args![]), 2);
    sim.refused(&one, method::ReconfigureAlarm, args![spec = alarm("two")], ty::DuplicateName);
    sim.call(&one, method::ReconfigureAlarm, args![spec = alarm("three")]).expect("changed");
    assert_eq!(sim.text(&one, path!(Alarm, "info.name")), "three");
    assert_ne!(sim.number(&one, path!(Alarm, "info.creationEventId")), 0);
    agreement::check(&sim.snapshot());
    sim.call(&one, method::RemoveAlarm, args![]).expect("gone");
    assert_eq!(declared(&sim, args![]), 1);
    // An alarm goes with its entity.
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    sim.done(&vm, method::Destroy_Task, args![]);
    assert_eq!(declared(&sim, args![]), 0);
}
