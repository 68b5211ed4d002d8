//! Alarms that look at what entities are like: who has them, who shows them.

use vimsim::inventory::Read;
use vimsim::schema::{method, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::{object, path};

use super::{Client, is_off, manager, spec, word};
use crate::operations::args;

#[test]
fn an_alarm_shows_on_the_entity_and_on_all_above_it() {
    let client = Client::new();
    let alarm = client.made(&client.root, spec("off", is_off()));
    let (vm, state) = (&client.vm, client.sim.snapshot());
    let host = state.moref(vm, path!(VirtualMachine, "runtime.host")).expect("a host").clone();
    let pool = state.moref(vm, path!(VirtualMachine, "resourcePool")).expect("a pool").clone();
    let folder = state.moref(vm, path!(ManagedEntity, "parent")).expect("a folder").clone();
    let datacenter = client.sim.find(ty::Datacenter, "DC0");
    let other = client.sim.vm("DC0_H0_VM1");
    assert_eq!(client.status(vm, &alarm), "green");
    assert_eq!(client.status(&datacenter, &alarm), "gray");
    assert!(client.declared(&client.sim.find(ty::Datastore, "LocalDS_0"), &alarm).is_none());
    client.power(false);
    let expected = vec![(alarm.clone(), vm.clone(), "red".to_owned())];
    for mo in [vm, &host, &pool, &folder, &datacenter, &client.root] {
        assert_eq!(client.triggered(mo), expected, "{mo}");
    }
    assert!(client.triggered(&other).is_empty());
    assert_eq!(
        (client.status(vm, &alarm), client.status(&other, &alarm)),
        ("red".into(), "green".into())
    );
    let overall =
        |mo: &MoRef, path| client.sim.shown(mo, path).and_then(|v| Some(v.as_str()?.to_owned()));
    let own = path!(ManagedEntity, "overallStatus");
    assert_eq!(overall(vm, own).as_deref(), Some("red"));
    assert_eq!(overall(vm, path!(VirtualMachine, "summary.overallStatus")).as_deref(), Some("red"));
    assert_eq!(overall(&folder, own).as_deref(), Some("green"));
    assert_eq!(overall(vm, path!(ManagedEntity, "configStatus")).as_deref(), Some("green"));
    client.power(true);
    for mo in [vm, &host, &pool, &folder, &datacenter, &client.root] {
        assert!(client.triggered(mo).is_empty(), "{mo}");
    }
    assert_eq!(overall(vm, own).as_deref(), Some("green"));
    assert_eq!(client.changes(), ["green to red", "red to green"]);
    let told = client.events(ty::AlarmStatusChangedEvent);
    let entity = |field, path| -> MoRef {
        let argument = told[0].field(field).and_then(Value::as_object).expect("an argument");
        argument.at(path).and_then(Value::as_moref).expect("an entity").clone()
    };
    assert_eq!(&entity("entity", path!(ManagedEntityEventArgument, "entity")), vm);
    assert_eq!(entity("source", path!(ManagedEntityEventArgument, "entity")), client.root);
    assert_eq!(word(&told[0], "userName"), "");
    assert_eq!(told[0].field("chainId"), told[0].field("key"));
}

#[test]
fn a_new_alarm_looks_at_what_is_there() {
    let client = Client::new();
    client.power(false);
    let alarm = client.made(&client.root, spec("off", is_off()));
    assert_eq!(client.triggered(&client.root).len(), 1);
    assert_eq!(client.changes(), ["gray to red"]);
    let asked =
        client.sim.call(&manager(), method::GetAlarmState, args![entity = client.vm.clone()]);
    assert_eq!(super::states(&asked.unwrap().unwrap()), client.triggered(&client.vm));
    // Another expression is another alarm, as far as states go.
    let on = object!(StateAlarmExpression {
        operator: "isUnequal",
        type: "vim.VirtualMachine",
        statePath: "runtime.powerState",
        yellow: "poweredOff",
    });
    client.sim.call(&alarm, method::ReconfigureAlarm, args![spec = spec("on", on)]).unwrap();
    let machines = client.sim.snapshot().refs(ty::VirtualMachine).count();
    assert_eq!(client.triggered(&client.root).len(), machines - 1);
    assert!(client.triggered(&client.vm).is_empty());
    let off = spec("on", is_off()).with(const { ty::AlarmSpec.slot("enabled") }, false);
    client.sim.call(&alarm, method::ReconfigureAlarm, args![spec = off]).unwrap();
    assert!(client.triggered(&client.root).is_empty());
    assert_eq!(client.status(&client.vm, &alarm), "gray");
    client.sim.call(&alarm, method::ReconfigureAlarm, args![spec = spec("on", is_off())]).unwrap();
    assert_eq!(client.triggered(&client.root).len(), 1);
    client.sim.call(&alarm, method::RemoveAlarm, args![]).unwrap();
    assert!(client.triggered(&client.root).is_empty());
    assert!(client.declared(&client.vm, &alarm).is_none());
}

#[test]
fn what_comes_moves_and_goes_is_noticed() {
    let client = Client::new();
    let vms = client.sim.snapshot();
    let vms = vms.moref(&client.vm, path!(ManagedEntity, "parent")).expect("a folder").clone();
    let make = |within: &MoRef, name: &str| {
        let made = client.sim.call(within, method::CreateFolder, args![name = name.to_owned()]);
        made.unwrap().unwrap().as_moref().unwrap().clone()
    };
    let (watched, free) = (make(&vms, "watched"), make(&vms, "free"));
    let inner = make(&free, "inner");
    let alarm = client.made(&watched, spec("off", is_off()));
    let lists = |mo: &MoRef| client.triggered(mo).into_iter().map(|it| it.1).collect::<Vec<_>>();
    let vm = &client.vm;
    client.power(false);
    assert!(lists(&client.root).is_empty());
    let move_to = |what: &MoRef, to: &MoRef| {
        client.sim.done(to, method::MoveIntoFolder_Task, args![list = vec![what.clone()]]);
    };
    move_to(vm, &watched);
    assert_eq!(lists(&watched), std::slice::from_ref(vm));
    move_to(vm, &inner);
    assert!(lists(&client.root).is_empty() && client.declared(vm, &alarm).is_none());
    // With the folder that it is in, and the folder around that.
    move_to(&inner, &watched);
    assert_eq!(
        (lists(&watched), lists(&inner), lists(&free)),
        (vec![vm.clone()], vec![vm.clone()], vec![])
    );
    let spec = object!(VirtualMachineCloneSpec {
        location: object!(VirtualMachineRelocateSpec {}),
        powerOn: false,
        template: false,
    });
    let given = args![folder = inner.clone(), name = "copy".to_owned(), spec = spec];
    let copy = client.sim.done(vm, method::CloneVM_Task, given);
    let copy = client.sim.vm(&{
        drop(copy);
        "copy".to_owned()
    });
    assert_eq!(lists(&watched).len(), 2);
    assert!(client.changes().contains(&"gray to red".to_owned()));
    move_to(&inner, &free);
    assert!(lists(&client.root).is_empty());
    move_to(&inner, &watched);
    assert_eq!(lists(&client.root).len(), 2);
    client.sim.done(&copy, method::Destroy_Task, args![]);
    assert_eq!(lists(&client.root), std::slice::from_ref(vm));
    client.sim.done(&watched, method::Destroy_Task, args![]);
    assert!(lists(&client.root).is_empty());
    let left = client.sim.call(&manager(), method::GetAlarm, args![]).unwrap().unwrap();
    assert!(left.items().is_empty(), "an alarm goes with its entity");
}

#[test]
fn conditions_are_joined() {
    let client = Client::new();
    let state = |ty: &str, path: &str, red: &str| object!(StateAlarmExpression { operator: "isEqual", type: ty, statePath: path, red: red });
    let both = object!(AndAlarmExpression {
        expression: vec![
            is_off(),
            object!(OrAlarmExpression {
                expression: vec![
                    state("VirtualMachine", "config.template", "true"),
                    state("VirtualMachine", "name", "DC0_H0_VM0"),
                ],
            }),
        ],
    });
    let alarm = client.made(&client.root, spec("both", both));
    client.power(false);
    assert_eq!(client.status(&client.vm, &alarm), "red");
    client.sim.done(&client.sim.vm("DC0_H0_VM1"), method::PowerOffVM_Task, args![]);
    assert_eq!(client.triggered(&client.root).len(), 1);
    let rename = args![newName = "another".to_owned()];
    client.sim.done(&client.vm, method::Rename_Task, rename);
    assert_eq!(client.status(&client.vm, &alarm), "green");
}

#[test]
fn specifications_that_make_no_sense_are_named() {
    let client = Client::new();
    let state = |ty: &str, path: &str, red: Option<&str>| object!(StateAlarmExpression { operator: "isEqual", type: ty, statePath: path, red: red });
    let event =
        |kind: &str, of: &str| object!(EventAlarmExpression { eventType: kind, objectType: of });
    let metric = |id: i32| {
        object!(MetricAlarmExpression {
            operator: "isAbove",
            type: "VirtualMachine",
            metric: object!(PerfMetricId { counterId: id, instance: "" }),
            red: 1,
        })
    };
    let mut nested = is_off();
    for _ in 0..20 {
        nested = object!(OrAlarmExpression { expression: vec![nested] });
    }
    let none: Vec<Object> = Vec::new();
    let table = [
        (state("Nothing", "name", Some("a")), "spec.expression.type"),
        (state("Task", "info.state", Some("a")), "spec.expression.type"),
        (state("VirtualMachine", "nothing", Some("a")), "spec.expression.statePath"),
        (state("VirtualMachine", "config", Some("a")), "spec.expression.statePath"),
        (state("VirtualMachine", "recentTask", Some("a")), "spec.expression.statePath"),
        (state("VirtualMachine", "name", None), "spec.expression.red"),
        (event("NothingEvent", "VirtualMachine"), "spec.expression.eventType"),
        (event("VmPoweredOnEvent", "Nothing"), "spec.expression.objectType"),
        (metric(999_999), "spec.expression.metric.counterId"),
        (object!(AndAlarmExpression { expression: none }), "spec.expression.expression"),
        (nested, "spec.expression"),
    ];
    for (expression, place) in table {
        let fault = client.create(&client.root, spec("a", expression)).expect_err(place);
        assert_eq!(fault.ty(), ty::InvalidArgument, "{fault:?}");
        let named = fault.object().at(path!(InvalidArgument, "invalidProperty"));
        assert_eq!(named.and_then(Value::as_str), Some(place));
    }
}

/// More than one lot of them.
#[test]
fn an_alarm_on_thousands_notices_them_all_and_keeps_what_it_must() {
    let client = Client::with(|config| {
        config.model.vm = 1100;
    });
    let on = object!(StateAlarmExpression {
        operator: "isEqual",
        type: "VirtualMachine",
        statePath: "runtime.powerState",
        red: "poweredOn",
    });
    let alarm = client.made(&client.root, spec("on", on));
    let machines = client.sim.snapshot().refs(ty::VirtualMachine).count();
    assert!(machines > 2000);
    assert_eq!(client.triggered(&client.root).len(), machines);
    client.power(false);
    assert_eq!(client.triggered(&client.root).len(), machines - 1);
    client.sim.call(&alarm, method::RemoveAlarm, args![]).unwrap();
    assert!(client.triggered(&client.root).is_empty());
}
