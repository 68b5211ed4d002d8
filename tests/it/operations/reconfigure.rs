//! Another configuration for a machine.

use super::*;
use vimsim::object;

const RECONFIGURE: Method = method::ReconfigVM_Task;

fn option(key: &str, value: &str) -> Object {
    object!(OptionValue { key: key, value: Value::from(value) })
}

fn options(sim: &Sim, vm: &MoRef) -> Vec<(String, String)> {
    let snapshot = sim.snapshot();
    let options = snapshot.at(vm, path!(VirtualMachine, "config.extraConfig")).expect("options");
    let text =
        |option: &Object, path| option.at(path).and_then(Value::as_str).unwrap_or("-").to_owned();
    options
        .items()
        .iter()
        .filter_map(Value::as_object)
        .map(|it| (text(it, path!(OptionValue, "key")), text(it, path!(OptionValue, "value"))))
        .collect()
}

#[test]
fn a_configuration_changes_under_all_its_names() {
    let sim = Sim::with(|config| config.model.autostart = false);
    let vm = sim.vm("DC0_H0_VM0");
    let version = sim.text(&vm, path!(VirtualMachine, "config.changeVersion"));
    let spec = object!(VirtualMachineConfigSpec {
        changeVersion: &version,
        name: "renamed",
        numCPUs: 4,
        numCoresPerSocket: 2,
        memoryMB: 4096,
        annotation: "a note",
        guestId: "rhel9_64Guest",
        cpuHotAddEnabled: true,
        tools: object!(ToolsConfigInfo { syncTimeWithHost: true }),
        extraConfig: [option("guestinfo.a", "1"), option("guestinfo.b", "2")],
        managedBy: object!(ManagedByInfo { extensionKey: "com.example", type: "appliance" }),
    });
    sim.done(&vm, RECONFIGURE, args![spec = spec]);
    assert_eq!(sim.vm("renamed"), vm);
    assert_eq!(sim.number(&vm, path!(VirtualMachine, "config.hardware.numCPU")), 4);
    assert_eq!(sim.number(&vm, path!(VirtualMachine, "config.hardware.numCoresPerSocket")), 2);
    assert_eq!(sim.number(&vm, path!(VirtualMachine, "summary.config.memorySizeMB")), 4096);
    assert_eq!(sim.text(&vm, path!(VirtualMachine, "summary.config.annotation")), "a note");
    assert_eq!(
        sim.text(&vm, path!(VirtualMachine, "config.guestFullName")),
        "Red Hat Enterprise Linux 9 (64-bit)"
    );
    assert_eq!(sim.number(&vm, path!(VirtualMachine, "config.cpuAllocation.shares.shares")), 4000);
    let tools = path!(VirtualMachine, "config.tools.syncTimeWithHost");
    assert_eq!(sim.snapshot().at(&vm, tools).and_then(Value::as_bool), Some(true));
    assert!(
        !sim.text(&vm, path!(VirtualMachine, "config.tools.toolsUpgradePolicy")).is_empty(),
        "what the specification leaves out stays"
    );
    assert!(options(&sim, &vm).contains(&("guestinfo.a".into(), "1".into())));
    assert_ne!(sim.text(&vm, path!(VirtualMachine, "config.changeVersion")), version);

    let spec = object!(VirtualMachineConfigSpec {
        extraConfig: [option("guestinfo.a", ""), option("guestinfo.b", "3")],
        managedBy: object!(ManagedByInfo { extensionKey: "", type: "" }),
    });
    sim.done(&vm, RECONFIGURE, args![spec = spec]);
    let options = options(&sim, &vm);
    assert!(!options.iter().any(|(key, _)| key == "guestinfo.a"), "{options:?}");
    assert!(options.contains(&("guestinfo.b".into(), "3".into())));
    assert!(sim.snapshot().at(&vm, path!(VirtualMachine, "config.managedBy")).is_none());
}

#[test]
fn an_outdated_version_is_refused() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let version = sim.text(&vm, path!(VirtualMachine, "config.changeVersion"));
    let spec = |version: &str| {
        object!(VirtualMachineConfigSpec { changeVersion: version, annotation: "x" })
    };
    sim.done(&vm, RECONFIGURE, args![spec = spec(&version)]);
    sim.fails(&vm, RECONFIGURE, args![spec = spec(&version)], ty::ConcurrentAccess);
}

#[test]
fn a_running_machine_takes_only_some_changes() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let cpus = |count: i32| object!(VirtualMachineConfigSpec { numCPUs: count });
    let memory = |mb: i64| object!(VirtualMachineConfigSpec { memoryMB: mb });
    sim.fails(&vm, RECONFIGURE, args![spec = cpus(2)], ty::CpuHotPlugNotSupported);
    sim.fails(&vm, RECONFIGURE, args![spec = memory(64)], ty::MemoryHotPlugNotSupported);
    let hot =
        object!(VirtualMachineConfigSpec { cpuHotAddEnabled: true, memoryHotAddEnabled: true });
    let outcome = sim.fails(&vm, RECONFIGURE, args![spec = hot.clone()], ty::InvalidPowerState);
    assert_eq!(power::power_fault(outcome.fault()), ("poweredOff", "poweredOn"));
    // The same as now is no change.
    sim.done(&vm, RECONFIGURE, args![spec = cpus(1)]);
    let note = object!(VirtualMachineConfigSpec {
        annotation: "a note",
        guestId: sim.text(&vm, path!(VirtualMachine, "config.guestId")),
    });
    sim.done(&vm, RECONFIGURE, args![spec = note]);
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    sim.done(&vm, RECONFIGURE, args![spec = hot]);
    sim.done(&vm, method::PowerOnVM_Task, args![]);
    sim.done(&vm, RECONFIGURE, args![spec = cpus(2)]);
    sim.done(&vm, RECONFIGURE, args![spec = memory(64)]);
    sim.fails(&vm, RECONFIGURE, args![spec = cpus(1)], ty::CpuHotPlugNotSupported);
    sim.fails(&vm, RECONFIGURE, args![spec = memory(32)], ty::MemoryHotPlugNotSupported);
}

#[test]
fn bad_specifications_are_refused_where_they_belong() {
    let sim = Sim::with(|config| config.model.autostart = false);
    let vm = sim.vm("DC0_H0_VM0");
    let name = |name: &str| object!(VirtualMachineConfigSpec { name: name });
    sim.fails(&vm, RECONFIGURE, args![spec = name("DC0_H0_VM1")], ty::DuplicateName);
    sim.done(&vm, RECONFIGURE, args![spec = name("DC0_H0_VM0")]);
    let cores = object!(VirtualMachineConfigSpec { numCPUs: 4, numCoresPerSocket: 3 });
    sim.fails(&vm, RECONFIGURE, args![spec = cores], ty::InvalidArgument);
    let memory = object!(VirtualMachineConfigSpec { memoryMB: 5 });
    sim.refused(&vm, RECONFIGURE, args![spec = memory], ty::InvalidArgument);
    let uuid = object!(VirtualMachineConfigSpec { uuid: "nonsense" });
    sim.refused(&vm, RECONFIGURE, args![spec = uuid], ty::InvalidArgument);
    let crypto = object!(VirtualMachineConfigSpec { crypto: object!(CryptoSpecDecrypt {}) });
    let fault = sim.refused(&vm, RECONFIGURE, args![spec = crypto], ty::NotSupported);
    assert!(fault.message().contains("crypto"), "{fault}");
    let allocation = object!(VirtualMachineConfigSpec {
        cpuAllocation: object!(ResourceAllocationInfo { reservation: 500_i64, limit: 100_i64 }),
    });
    sim.fails(&vm, RECONFIGURE, args![spec = allocation], ty::InvalidArgument);
}

#[test]
fn a_reconfiguration_shows_nothing_before_its_end_and_nothing_if_cancelled() {
    let slow = vec![("ReconfigVM".into(), Duration::from_secs(5))];
    let sim = Sim::with(|config| config.delays.methods = slow);
    let vm = sim.vm("DC0_H0_VM0");
    let note = path!(VirtualMachine, "config.annotation");
    let spec = object!(VirtualMachineConfigSpec { annotation: "done" });
    let task = sim.start(&vm, RECONFIGURE, args![spec = spec]).expect("a task");
    sim.advance(Duration::from_secs(4));
    assert_eq!(sim.text(&vm, note), "");
    sim.refused(&task, method::CancelTask, args![], ty::NotSupported);
    sim.advance(Duration::from_secs(1));
    assert_eq!(sim.text(&vm, note), "done");
    // What cannot work fails at once.
    let task = sim
        .start(
            &vm,
            RECONFIGURE,
            args![spec = object!(VirtualMachineConfigSpec { name: "DC0_H0_VM1" })],
        )
        .expect("a task");
    assert_eq!(sim.outcome(&task).fault_type(), "DuplicateName");
}

#[test]
fn properties_of_an_appliance_are_changed_one_by_one() {
    let sim = Sim::with(|config| config.model.autostart = false);
    let vm = sim.vm("DC0_H0_VM0");
    let property = |operation: &str, key: i32, value: &str| {
        object!(VAppPropertySpec {
            operation: operation,
            removeKey: (operation == "remove").then(|| Value::from(key)),
            info: (operation != "remove").then(|| object!(VAppPropertyInfo {
                key: key,
                id: "ip",
                value: value
            })),
        })
    };
    let change = |property: Object| {
        let config = object!(VmConfigSpec { property: [property] });
        object!(VirtualMachineConfigSpec { vAppConfig: config })
    };
    let values = |sim: &Sim| {
        let snapshot = sim.snapshot();
        let config = snapshot.at(&vm, path!(VirtualMachine, "config.vAppConfig"))?.as_object()?;
        let list = config.at(path!(VmConfigInfo, "property"))?.items().to_vec();
        let value = |it: &Value| {
            it.as_object()?.at(path!(VAppPropertyInfo, "value"))?.as_str().map(str::to_owned)
        };
        Some(list.iter().filter_map(value).collect::<Vec<_>>())
    };
    sim.done(&vm, RECONFIGURE, args![spec = change(property("add", 0, "1.2.3.4"))]);
    sim.done(&vm, RECONFIGURE, args![spec = change(property("edit", 0, "5.6.7.8"))]);
    assert_eq!(values(&sim), Some(vec!["5.6.7.8".to_owned()]));
    sim.fails(
        &vm,
        RECONFIGURE,
        args![spec = change(property("edit", 7, "x"))],
        ty::InvalidArgument,
    );
    sim.done(&vm, RECONFIGURE, args![spec = change(property("remove", 0, ""))]);
    assert_eq!(values(&sim), Some(Vec::new()));
    let gone = object!(VirtualMachineConfigSpec { vAppConfigRemoved: true });
    sim.done(&vm, RECONFIGURE, args![spec = gone]);
    assert_eq!(values(&sim), None);
}
