//! Hosts going into maintenance.

use super::*;

const ENTER: Method = method::EnterMaintenanceMode_Task;
const EXIT: Method = method::ExitMaintenanceMode_Task;
const IDLE: &vimsim::schema::StaticPath = path!(HostSystem, "runtime.inMaintenanceMode");

fn is_idle(sim: &Sim, host: &MoRef) -> bool {
    sim.snapshot().at(host, IDLE).and_then(Value::as_bool).expect("a flag")
}

#[test]
fn a_host_by_itself_waits_until_nothing_runs_on_it() {
    let sim = Sim::new();
    let host = sim.find(ty::HostSystem, "DC0_H0");
    let task = sim.start(&host, ENTER, args![timeout = 0]).expect("a task");
    sim.advance(Duration::from_secs(3600));
    assert_eq!(sim.outcome(&task).state, "running");
    assert!(!is_idle(&sim, &host));
    let (one, two) = (sim.vm("DC0_H0_VM0"), sim.vm("DC0_H0_VM1"));
    sim.done(&one, method::PowerOffVM_Task, args![]);
    // Nothing starts on a host that is on its way.
    sim.fails(&one, method::PowerOnVM_Task, args![], ty::InvalidHostState);
    assert_eq!(sim.outcome(&task).state, "running");
    sim.done(&two, method::PowerOffVM_Task, args![]);
    assert_eq!(sim.outcome(&task).state, "success");
    assert!(is_idle(&sim, &host));
    let compute = sim.find(ty::ComputeResource, "DC0_H0");
    let effective = path!(ComputeResource, "summary.numEffectiveHosts");
    assert_eq!(sim.number(&compute, effective), 0);
    sim.fails(&one, method::PowerOnVM_Task, args![], ty::InvalidHostState);
    sim.fails(&host, ENTER, args![timeout = 0], ty::InvalidState);
    sim.done(&host, EXIT, args![timeout = 0]);
    assert!(!is_idle(&sim, &host));
    assert_eq!(sim.number(&compute, effective), 1);
    sim.fails(&host, EXIT, args![timeout = 0], ty::InvalidState);
    sim.done(&one, method::PowerOnVM_Task, args![]);
}

#[test]
fn patience_ends_after_the_timeout() {
    let sim = Sim::new();
    let host = sim.find(ty::HostSystem, "DC0_H0");
    let task = sim.start(&host, ENTER, args![timeout = 60]).expect("a task");
    sim.advance(Duration::from_secs(59));
    assert_eq!(sim.outcome(&task).state, "running");
    sim.advance(Duration::from_secs(1));
    assert_eq!(sim.outcome(&task).fault_type(), "Timedout");
    assert!(!is_idle(&sim, &host));
    let again = sim.start(&host, ENTER, args![timeout = 0]).expect("a task");
    sim.call(&again, method::CancelTask, args![]).expect("a cancel");
    assert_eq!(sim.outcome(&again).fault_type(), "RequestCanceled");
    assert!(!is_idle(&sim, &host));
}

#[test]
fn a_cluster_moves_machines_away_by_tasks_of_their_own() {
    let sim = Sim::with(|config| {
        config.model.vm = 6;
        config.delays.methods = vec![("MigrateVM".into(), Duration::from_secs(10))];
    });
    let vm = sim.vm("DC0_C0_RP0_VM0");
    let host = path!(VirtualMachine, "runtime.host");
    let from = sim.snapshot().moref(&vm, host).expect("a host").clone();
    let before = sim.snapshot().morefs(&from, path!(HostSystem, "vm"));
    assert!(!before.is_empty());
    let task = sim.start(&from, ENTER, args![timeout = 0]).expect("a task");
    assert_eq!(sim.outcome(&task).state, "running");
    let parent = sim.text(&task, path!(Task, "info.key"));
    let snapshot = sim.snapshot();
    let children: Vec<&MoRef> = snapshot
        .of_type(ty::Task)
        .map(|(mo, _)| mo)
        .filter(|mo| sim.text(mo, path!(Task, "info.parentTaskKey")) == parent)
        .collect();
    assert_eq!(children.len(), before.len());
    for child in children {
        let described = sim.text(child, path!(Task, "info.descriptionId"));
        assert_eq!(described, "Drm.ExecuteVMotionLRO");
        assert!(sim.snapshot().at(child, path!(Task, "info.name")).is_none());
        assert_eq!(sim.text(child, path!(Task, "info.rootTaskKey")), parent);
    }
    sim.advance(Duration::from_secs(10));
    assert_eq!(sim.outcome(&task).state, "success");
    assert!(is_idle(&sim, &from));
    assert!(sim.snapshot().morefs(&from, path!(HostSystem, "vm")).is_empty());
    let now = sim.snapshot().moref(&vm, host).expect("a host").clone();
    assert_ne!(now, from);
    assert_eq!(sim.text(&vm, path!(VirtualMachine, "runtime.powerState")), "poweredOn");
    agreement::check(&sim.snapshot());
}

#[test]
fn who_gives_up_evacuating_leaves_the_machines_where_they_are() {
    for cancelled in [true, false] {
        let sim = Sim::with(|config| {
            config.model.vm = 6;
            config.delays.methods = vec![("MigrateVM".into(), Duration::from_secs(10))];
        });
        let vm = sim.vm("DC0_C0_RP0_VM0");
        let host = path!(VirtualMachine, "runtime.host");
        let from = sim.snapshot().moref(&vm, host).expect("a host").clone();
        let before = sim.snapshot().morefs(&from, path!(HostSystem, "vm"));
        let timeout = if cancelled { 0 } else { 4 };
        let task = sim.start(&from, ENTER, args![timeout = timeout]).expect("a task");
        sim.advance(Duration::from_secs(3));
        if cancelled {
            sim.call(&task, method::CancelTask, args![]).expect("a cancel");
        }
        sim.advance(Duration::from_secs(60));
        let fault = if cancelled { "RequestCanceled" } else { "Timedout" };
        assert_eq!(sim.outcome(&task).fault_type(), fault);
        assert_eq!(sim.snapshot().morefs(&from, path!(HostSystem, "vm")), before);
        assert!(!is_idle(&sim, &from));
        agreement::check(&sim.snapshot());
    }
}

#[test]
fn a_machine_of_a_cluster_starts_on_another_host_than_one_in_maintenance() {
    let sim = Sim::with(|config| config.model.autostart = false);
    let vm = sim.vm("DC0_C0_RP0_VM0");
    let host = path!(VirtualMachine, "runtime.host");
    let from = sim.snapshot().moref(&vm, host).expect("a host").clone();
    sim.done(&from, ENTER, args![timeout = 0]);
    assert_eq!(sim.snapshot().moref(&vm, host), Some(&from), "it does not run, so it may stay");
    sim.done(&vm, method::PowerOnVM_Task, args![]);
    assert_ne!(sim.snapshot().moref(&vm, host), Some(&from));
    // With every host in maintenance there is no place.
    let other = sim.vm("DC0_C0_RP0_VM1");
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    for name in ["DC0_C0_H0", "DC0_C0_H1", "DC0_C0_H2"] {
        let host = sim.find(ty::HostSystem, name);
        if !is_idle(&sim, &host) {
            sim.done(&host, ENTER, args![timeout = 0]);
        }
    }
    let outcome = sim.fails(&other, method::PowerOnVM_Task, args![], ty::NoCompatibleHost);
    let errors =
        outcome.fault().at(path!(NoCompatibleHost, "error")).map_or(0, |it| it.items().len());
    assert_eq!(errors, 3);
}

#[test]
fn machines_that_are_off_leave_too_if_asked() {
    let sim = Sim::with(|config| config.model.autostart = false);
    let vm = sim.vm("DC0_C0_RP0_VM0");
    let host = path!(VirtualMachine, "runtime.host");
    let from = sim.snapshot().moref(&vm, host).expect("a host").clone();
    sim.done(&from, ENTER, args![timeout = 0, evacuatePoweredOffVms = true]);
    assert_ne!(sim.snapshot().moref(&vm, host), Some(&from));
}

#[test]
fn a_host_leaves_its_cluster_in_maintenance_only() {
    let sim = Sim::with(|config| config.model.autostart = false);
    let host = sim.find(ty::HostSystem, "DC0_C0_H0");
    sim.fails(&host, method::Destroy_Task, args![], ty::InvalidHostState);
    sim.done(&host, ENTER, args![timeout = 0, evacuatePoweredOffVms = true]);
    sim.done(&host, method::Destroy_Task, args![]);
    assert!(!sim.snapshot().exists(&host));
    let cluster = sim.find(ty::ClusterComputeResource, "DC0_C0");
    assert_eq!(sim.number(&cluster, path!(ComputeResource, "summary.numHosts")), 2);
    let alone = sim.find(ty::HostSystem, "DC0_H0");
    sim.refused(&alone, method::Destroy_Task, args![], ty::NotSupported);
}

#[test]
fn the_firewall_of_a_host_is_opened_and_closed() {
    let sim = Sim::new();
    let host = sim.find(ty::HostSystem, "DC0_H0");
    let manager = |path| sim.snapshot().moref(&host, path).expect("a manager").clone();
    let firewall = manager(path!(HostSystem, "configManager.firewallSystem"));
    let is_open = || {
        let snapshot = sim.snapshot();
        let sets = snapshot.at(&firewall, path!(HostFirewallSystem, "firewallInfo.ruleset"));
        let sets = sets.expect("rule sets").items().iter().filter_map(Value::as_object);
        let ssh = |set: &&Object| set.field("key").and_then(Value::as_str) == Some("sshServer");
        sets.filter(ssh).any(|set| set.field("enabled").and_then(Value::as_bool) == Some(true))
    };
    assert!(is_open());
    let ssh = args![id = "sshServer".to_owned()];
    sim.call(&firewall, method::DisableRuleset, ssh).expect("closed");
    assert!(!is_open());
    let ssh = args![id = "sshServer".to_owned()];
    sim.call(&firewall, method::EnableRuleset, ssh).expect("open");
    assert!(is_open());
    let unknown = args![id = "none".to_owned()];
    sim.refused(&firewall, method::EnableRuleset, unknown, ty::NotFound);
    let storage = manager(path!(HostSystem, "configManager.storageSystem"));
    sim.call(&storage, method::RescanAllHba, args![]).expect("a look");
    sim.done(&host, method::DisconnectHost_Task, args![]);
    sim.refused(&storage, method::RescanAllHba, args![], ty::HostNotConnected);
    agreement::check(&sim.snapshot());
}
