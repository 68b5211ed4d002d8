//! Switching machines on and off.

use super::*;

const POWER: &vimsim::schema::StaticPath = path!(VirtualMachine, "runtime.powerState");

/// What an `InvalidPowerState` says: the state requested, the state found.
pub(crate) fn power_fault(fault: &Object) -> (&str, &str) {
    let at = |path| fault.at(path).and_then(Value::as_str).unwrap_or("-");
    assert_eq!(fault.ty(), ty::InvalidPowerState);
    (at(path!(InvalidPowerState, "requestedState")), at(path!(InvalidPowerState, "existingState")))
}

#[test]
fn a_power_cycle_moves_everything_that_shows_it() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let connected = |sim: &Sim| {
        let card = sim.devices(&vm, ty::VirtualEthernetCard).remove(0);
        card.at(path!(VirtualDevice, "connectable.connected")).and_then(Value::as_bool)
    };
    let guest = path!(VirtualMachine, "guest.guestState");
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    assert_eq!(
        (sim.text(&vm, POWER), sim.text(&vm, guest)),
        ("poweredOff".into(), "notRunning".into())
    );
    assert_eq!(connected(&sim), Some(false));
    assert!(sim.snapshot().at(&vm, path!(VirtualMachine, "runtime.bootTime")).is_none());
    sim.done(&vm, method::PowerOnVM_Task, args![]);
    assert_eq!(
        (sim.text(&vm, POWER), sim.text(&vm, guest)),
        ("poweredOn".into(), "running".into())
    );
    assert_eq!(connected(&sim), Some(true));
    sim.done(&vm, method::SuspendVM_Task, args![]);
    assert_eq!(sim.text(&vm, POWER), "suspended");
    assert!(sim.snapshot().at(&vm, path!(VirtualMachine, "runtime.suspendTime")).is_some());
    sim.done(&vm, method::PowerOnVM_Task, args![]);
    assert_eq!(sim.text(&vm, POWER), "poweredOn");
    assert!(sim.snapshot().at(&vm, path!(VirtualMachine, "runtime.bootTime")).is_some());
}

#[test]
fn a_reset_is_a_new_boot() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let boot =
        |sim: &Sim| sim.snapshot().at(&vm, path!(VirtualMachine, "runtime.bootTime")).cloned();
    let before = boot(&sim);
    sim.advance(Duration::from_secs(60));
    sim.done(&vm, method::ResetVM_Task, args![]);
    assert_eq!(sim.text(&vm, POWER), "poweredOn");
    assert_ne!(boot(&sim), before);
}

#[test]
fn faults_name_the_target_of_power_operations_and_the_need_of_others() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let fails = |method| {
        let outcome = sim.fails(&vm, method, args![], ty::InvalidPowerState);
        let (requested, existing) = power_fault(outcome.fault());
        (requested.to_owned(), existing.to_owned())
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(fails(method::PowerOnVM_Task), pair("poweredOn", "poweredOn"));
    assert_eq!(fails(method::Destroy_Task), pair("poweredOff", "poweredOn"));
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    assert_eq!(fails(method::PowerOffVM_Task), pair("poweredOff", "poweredOff"));
    assert_eq!(fails(method::ResetVM_Task), pair("poweredOn", "poweredOff"));
    assert_eq!(fails(method::SuspendVM_Task), pair("poweredOn", "poweredOff"));
}

#[test]
fn guests_do_what_they_are_asked_at_once() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    sim.call(&vm, method::RebootGuest, args![]).expect("a reboot");
    sim.call(&vm, method::StandbyGuest, args![]).expect("standby");
    assert_eq!(sim.text(&vm, POWER), "suspended");
    sim.refused(&vm, method::ShutdownGuest, args![], ty::InvalidPowerState);
    sim.done(&vm, method::PowerOnVM_Task, args![]);
    sim.call(&vm, method::ShutdownGuest, args![]).expect("a shutdown");
    assert_eq!(sim.text(&vm, POWER), "poweredOff");
    agreement::check(&sim.snapshot());
}

#[test]
fn a_machine_that_is_busy_refuses() {
    let sim = Sim::with(|config| {
        config.delays.methods = vec![("PowerOffVM".into(), Duration::from_secs(5))];
    });
    let vm = sim.vm("DC0_H0_VM0");
    let slow = sim.start(&vm, method::PowerOffVM_Task, args![]).expect("a task");
    let busy = sim.start(&vm, method::ResetVM_Task, args![]).expect("a task");
    assert_eq!(sim.outcome(&busy).fault_type(), "TaskInProgress");
    assert_eq!(sim.text(&vm, POWER), "poweredOn", "no effect before the end");
    sim.refused(&vm, method::ShutdownGuest, args![], ty::TaskInProgress);
    sim.advance(Duration::from_secs(5));
    assert_eq!(sim.outcome(&slow).state, "success");
    assert_eq!(sim.text(&vm, POWER), "poweredOff");
}

#[test]
fn many_machines_start_by_a_task_each() {
    let sim = Sim::with(|config| config.model.autostart = false);
    let datacenter = sim.find(ty::Datacenter, "DC0");
    let names = ["DC0_H0_VM0", "DC0_H0_VM1", "DC0_C0_RP0_VM0"];
    let machines: Vec<MoRef> = names.iter().map(|name| sim.vm(name)).collect();
    sim.done(&machines[0], method::PowerOnVM_Task, args![]);
    let outcome = sim.done(&datacenter, method::PowerOnMultiVM_Task, args![vm = machines.clone()]);
    let result = outcome.result.expect("a result");
    let result = result.as_object().expect("an object");
    let list = |path| result.at(path).map_or(&[][..], Value::items);
    let attempted = list(path!(ClusterPowerOnVmResult, "attempted"));
    let refused = list(path!(ClusterPowerOnVmResult, "notAttempted"));
    assert_eq!((attempted.len(), refused.len()), (2, 1));
    let refused = refused[0].as_object().expect("an object");
    let vm = refused.at(path!(ClusterNotAttemptedVmInfo, "vm")).and_then(Value::as_moref);
    assert_eq!(vm, Some(&machines[0]));
    let child = attempted[0].as_object().expect("an object");
    let child = child.at(path!(ClusterAttemptedVmInfo, "task")).and_then(Value::as_moref);
    let child = child.expect("a task").clone();
    // It is vCenter's own task: no call of anybody.
    assert_eq!(sim.snapshot().at(&child, path!(Task, "info.name")), None);
    let id = sim.text(&child, path!(Task, "info.descriptionId"));
    assert_eq!(id, "Datacenter.ExecuteVmPowerOnLRO");
    assert!(sim.snapshot().at(&child, path!(Task, "info.parentTaskKey")).is_some());
    for vm in &machines {
        assert_eq!(sim.text(vm, POWER), "poweredOn");
    }
}

#[test]
fn machines_start_on_the_host_asked_for() {
    let sim = Sim::with(|config| config.model.autostart = false);
    let vm = sim.vm("DC0_C0_RP0_VM0");
    let now = sim.snapshot().moref(&vm, path!(VirtualMachine, "runtime.host")).cloned();
    let hosts = ["DC0_C0_H0", "DC0_C0_H1"].map(|name| sim.find(ty::HostSystem, name));
    let other = hosts.into_iter().find(|host| Some(host) != now.as_ref()).expect("a host");
    sim.done(&vm, method::PowerOnVM_Task, args![host = other.clone()]);
    let now = sim.snapshot().moref(&vm, path!(VirtualMachine, "runtime.host")).cloned();
    assert_eq!(now, Some(other));
    let gone = MoRef::new(ty::HostSystem, "host-999");
    sim.refused(&vm, method::PowerOnVM_Task, args![host = gone], ty::ManagedObjectNotFound);
}

#[test]
fn a_machine_needs_no_more_processors_than_its_host_has() {
    let sim = Sim::with(|config| config.model.autostart = false);
    for name in ["DC0_H0_VM0", "DC0_C0_RP0_VM0"] {
        let vm = sim.vm(name);
        let spec = vimsim::object!(VirtualMachineConfigSpec { numCPUs: 128 });
        sim.done(&vm, method::ReconfigVM_Task, args![spec = spec]);
        sim.fails(&vm, method::PowerOnVM_Task, args![], ty::NotEnoughLogicalCpus);
    }
}
