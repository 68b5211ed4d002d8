//! Who may declare alarms, for whom they act, and who sees what they say.

use std::time::Duration;

use vimsim::object;
use vimsim::path;
use vimsim::schema::ty;
use vimsim::value::{MoRef, Object, Value};
use vimsim::vsphere::Service;

use super::world::{Client, args, lacking, server};

const VM: &str = "/DC0/vm/DC0_H0_VM0";
const OTHER: &str = "/DC0/vm/DC0_H0_VM1";
const WORLD: &str = r#"{
    "users": {"root": {"password": "toor"}, "maker": {}, "half": {}},
    "roles": {"Maker": ["Alarm.*", "VirtualMachine.Interact.PowerOff"]},
    "permissions": [
        {"user": "root", "role": "Admin"},
        {"user": "maker", "role": "Maker", "entity": "/DC0"},
        {"user": "half", "role": "ReadOnly", "entity": "/DC0"},
        {"user": "half", "role": "NoAccess", "entity": "/DC0/vm/DC0_H0_VM1"}
    ]
}"#;

fn manager() -> MoRef {
    MoRef::new(ty::AlarmManager, "AlarmManager")
}

fn spec(action: Object) -> Object {
    let change = object!(AlarmTriggeringActionTransitionSpec {
        startState: "green",
        finalState: "red",
        repeats: false,
    });
    object!(AlarmSpec {
        name: "off",
        description: "for a test",
        enabled: true,
        expression: object!(StateAlarmExpression {
            operator: "isEqual",
            type: "VirtualMachine",
            statePath: "runtime.powerState",
            red: "poweredOff",
        }),
        action: object!(AlarmTriggeringAction {
            action: action,
            transitionSpecs: vec![change],
            green2yellow: false,
            yellow2red: false,
            red2yellow: false,
            yellow2green: false,
        }),
    })
}

fn power_on() -> Object {
    object!(MethodAction { name: "PowerOnVM_Task" })
}

fn settle(service: &Service) {
    service.engine().run_until_idle(Duration::from_secs(60)).expect("a stepped clock");
}

#[test]
fn alarms_act_with_what_their_maker_may_do() {
    let service = server(Some(WORLD));
    let (root, maker) = (Client::of(&service, "root"), Client::of(&service, "maker"));
    let (vm, datacenter) = (root.at(VM), root.at("/DC0"));
    let create = |on: &MoRef, action: Object| args!(CreateAlarm, entity: on, spec: spec(action));
    let fault = maker.refused(&manager(), create(&maker.root_folder(), power_on()));
    assert_eq!(lacking(&fault), (maker.root_folder(), "Alarm.Create".to_owned()));
    let script = object!(RunScriptAction { script: "/bin/tell" });
    let fault = maker.refused(&manager(), create(&datacenter, script));
    assert_eq!(lacking(&fault), (datacenter.clone(), "Global.ScriptAction".to_owned()));
    let alarm = maker.call(&manager(), create(&datacenter, power_on())).unwrap().unwrap();
    let alarm = alarm.as_moref().unwrap().clone();
    let power = || {
        settle(&service);
        let state = service.engine().snapshot();
        vimsim::inventory::Read::text(&*state, &vm, path!(VirtualMachine, "runtime.powerState"))
            .to_owned()
    };
    let off = || root.call(&vm, args!(PowerOffVM_Task)).unwrap();
    off();
    assert_eq!(power(), "poweredOff", "the maker may not power on");
    assert!(triggered(&maker, &datacenter).contains(&vm));
    root.call(&vm, args!(PowerOnVM_Task)).unwrap();
    assert_eq!(power(), "poweredOn");
    root.call(&alarm, args!(ReconfigureAlarm, spec: spec(power_on()))).unwrap();
    off();
    assert_eq!(power(), "poweredOn", "root may");
}

fn triggered(client: &Client, mo: &MoRef) -> Vec<MoRef> {
    let states = client.fetch(mo, "triggeredAlarmState").unwrap().unwrap();
    let states = states.items().iter().filter_map(Value::as_object);
    states
        .map(|it| it.at(path!(AlarmState, "entity")).unwrap().as_moref().unwrap().clone())
        .collect()
}

#[test]
fn what_is_out_of_sight_is_not_shown_as_triggered() {
    let service = server(Some(WORLD));
    let (root, half) = (Client::of(&service, "root"), Client::of(&service, "half"));
    let snmp = spec(object!(SendSNMPAction {}));
    root.call(&manager(), args!(CreateAlarm, entity: &root.root_folder(), spec: snmp)).unwrap();
    let (vm, other, datacenter) = (root.at(VM), root.at(OTHER), root.at("/DC0"));
    for vm in [&vm, &other] {
        root.call(vm, args!(PowerOffVM_Task)).unwrap();
    }
    settle(&service);
    let mut all = triggered(&root, &datacenter);
    all.sort();
    assert_eq!(all, [vm.clone(), other]);
    assert_eq!(triggered(&half, &datacenter), [vm]);
}
