//! vApps: switched as one, made, changed, copied and taken away.

use super::*;
use vimsim::object;

const POWER: &vimsim::schema::StaticPath = path!(VirtualMachine, "runtime.powerState");

/// An inventory with a vApp of three machines, where switching one takes ten seconds.
fn simulator(autostart: bool) -> (Sim, MoRef, Vec<MoRef>) {
    let sim = Sim::with(|config| {
        config.model.app = 1;
        config.model.vm = 3;
        config.model.autostart = autostart;
        let methods = ["PowerOnVM", "PowerOffVM", "SuspendVM"];
        config.delays.methods = methods.map(|name| (name.into(), Duration::from_secs(10))).to_vec();
    });
    let app = sim.find(ty::VirtualApp, "DC0_C0_APP0");
    let machines = sim.snapshot().morefs(&app, path!(ResourcePool, "vm"));
    assert_eq!(machines.len(), 3);
    (sim, app, machines)
}

fn state(sim: &Sim, app: &MoRef) -> String {
    let snapshot = sim.snapshot();
    let summary = snapshot.at(app, path!(ResourcePool, "summary")).and_then(Value::as_object);
    let summary = summary.expect("a summary");
    let suspended = summary.field("suspended").and_then(Value::as_bool) == Some(true);
    let state = summary.field("vAppState").and_then(Value::as_str).expect("a state");
    if suspended { format!("{state}, suspended") } else { state.to_owned() }
}

fn power(sim: &Sim, machines: &[MoRef]) -> Vec<String> {
    machines.iter().map(|vm| sim.text(vm, POWER)).collect()
}

fn children(sim: &Sim, parent: &MoRef) -> Vec<MoRef> {
    let key = sim.text(parent, path!(Task, "info.key"));
    let snapshot = sim.snapshot();
    let tasks = snapshot.of_type(ty::Task).map(|(mo, _)| mo);
    let mut tasks: Vec<MoRef> = tasks
        .filter(|mo| snapshot.text(mo, path!(Task, "info.parentTaskKey")) == key)
        .cloned()
        .collect();
    tasks.sort_by_key(|mo| {
        snapshot.at(mo, path!(Task, "info.eventChainId")).and_then(Value::as_i64)
    });
    tasks
}

/// Says of each machine in which place it starts.
fn set_order(sim: &Sim, app: &MoRef, order: &[(&MoRef, i32)]) {
    let entries: Vec<Object> = order
        .iter()
        .map(|(vm, place)| {
            object!(VAppEntityConfigInfo { key: *vm, startOrder: *place, stopAction: "powerOff" })
        })
        .collect();
    let spec = object!(VAppConfigSpec { entityConfig: entries });
    sim.call(app, method::UpdateVAppConfig, args![spec = spec]).expect("a change");
}

#[test]
fn a_vapp_starts_its_machines_in_order_and_keeps_others_away() {
    let (sim, app, vms) = simulator(false);
    set_order(&sim, &app, &[(&vms[0], 2), (&vms[1], 1), (&vms[2], 2)]);
    assert_eq!(state(&sim, &app), "stopped");
    let task = sim.start(&app, method::PowerOnVApp_Task, args![]).expect("a task");
    assert_eq!(state(&sim, &app), "starting");
    let steps = children(&sim, &task);
    assert_eq!(steps.len(), 3);
    assert_eq!(
        sim.text(&steps[0], path!(Task, "info.rootTaskKey")),
        sim.text(&task, path!(Task, "info.key"))
    );
    let states =
        |sim: &Sim| -> Vec<String> { steps.iter().map(|task| sim.outcome(task).state).collect() };
    assert_eq!(states(&sim), ["running", "queued", "queued"]);
    let busy = sim.start(&vms[0], method::PowerOnVM_Task, args![]).expect("a task");
    assert_eq!(sim.outcome(&busy).fault_type(), "TaskInProgress");
    sim.advance(Duration::from_secs(10));
    assert_eq!(states(&sim), ["success", "running", "running"]);
    assert_eq!(power(&sim, &vms), ["poweredOff", "poweredOn", "poweredOff"]);
    assert_eq!(sim.number(&task, path!(Task, "info.progress")), 33);
    sim.advance(Duration::from_secs(10));
    assert_eq!(sim.outcome(&task).state, "success");
    assert_eq!(
        (state(&sim, &app), power(&sim, &vms)),
        ("started".into(), vec!["poweredOn".to_owned(); 3])
    );
    sim.fails(&app, method::PowerOnVApp_Task, args![], ty::InvalidPowerState);
    // The other way round.
    let task = sim.start(&app, method::PowerOffVApp_Task, args![force = false]).expect("a task");
    sim.advance(Duration::from_secs(10));
    assert_eq!(
        (state(&sim, &app), power(&sim, &vms)),
        ("stopping".into(), vec!["poweredOff".to_owned(), "poweredOn".into(), "poweredOff".into()])
    );
    sim.advance(Duration::from_secs(10));
    assert_eq!((sim.outcome(&task).state, state(&sim, &app)), ("success".into(), "stopped".into()));
    let outcome =
        sim.fails(&app, method::PowerOffVApp_Task, args![force = false], ty::InvalidPowerState);
    assert_eq!(power::power_fault(outcome.fault()), ("poweredOff", "poweredOff"));
}

#[test]
fn a_vapp_is_suspended_and_resumed() {
    let (sim, app, vms) = simulator(true);
    assert_eq!(state(&sim, &app), "started");
    sim.done(&app, method::SuspendVApp_Task, args![]);
    assert_eq!(
        (state(&sim, &app), power(&sim, &vms)),
        ("stopped, suspended".into(), vec!["suspended".to_owned(); 3])
    );
    let outcome = sim.fails(&app, method::SuspendVApp_Task, args![], ty::InvalidPowerState);
    assert_eq!(power::power_fault(outcome.fault()), ("poweredOn", "suspended"));
    sim.done(&app, method::PowerOnVApp_Task, args![]);
    assert_eq!(
        (state(&sim, &app), power(&sim, &vms)),
        ("started".into(), vec!["poweredOn".to_owned(); 3])
    );
    let task = sim.start(&app, method::PowerOffVApp_Task, args![force = true]).expect("a task");
    sim.advance(Duration::from_secs(10));
    assert_eq!(sim.outcome(&task).state, "success", "all at once");
}

#[test]
fn cancelling_a_start_stops_what_has_not_happened() {
    let (sim, app, vms) = simulator(false);
    set_order(&sim, &app, &[(&vms[0], 1), (&vms[1], 2), (&vms[2], 3)]);
    let task = sim.start(&app, method::PowerOnVApp_Task, args![]).expect("a task");
    sim.advance(Duration::from_secs(15));
    sim.call(&task, method::CancelTask, args![]).expect("a cancel");
    sim.advance(Duration::from_secs(60));
    assert_eq!(sim.outcome(&task).fault_type(), "RequestCanceled");
    let ends: Vec<String> = children(&sim, &task).iter().map(|it| sim.outcome(it).state).collect();
    assert_eq!(ends, ["success", "error", "error"]);
    assert_eq!(power(&sim, &vms), ["poweredOn", "poweredOff", "poweredOff"]);
    assert_eq!(state(&sim, &app), "started");
    agreement::check(&sim.snapshot());
}

#[test]
fn the_first_machine_that_cannot_start_ends_the_sequence() {
    let (sim, app, vms) = simulator(false);
    set_order(&sim, &app, &[(&vms[0], 1), (&vms[1], 2), (&vms[2], 3)]);
    for name in ["DC0_C0_H0", "DC0_C0_H1", "DC0_C0_H2"] {
        let host = sim.find(ty::HostSystem, name);
        sim.done(&host, method::EnterMaintenanceMode_Task, args![timeout = 0]);
    }
    let task = sim.start(&app, method::PowerOnVApp_Task, args![]).expect("a task");
    sim.advance(Duration::from_secs(60));
    assert_eq!(sim.outcome(&task).fault_type(), "NoCompatibleHost");
    let ends: Vec<String> =
        children(&sim, &task).iter().map(|it| sim.outcome(it).fault_type().to_owned()).collect();
    assert_eq!(ends, ["NoCompatibleHost", "RequestCanceled", "RequestCanceled"]);
    assert_eq!(state(&sim, &app), "stopped");
}

#[test]
fn vapps_come_and_go() {
    let (sim, old, vms) = simulator(false);
    let pool = sim.snapshot().moref(&old, path!(ResourcePool, "parent")).expect("a pool").clone();
    let folder = sim.vm_folder();
    let resources = || {
        let allocation = || {
            object!(ResourceAllocationInfo {
                reservation: 0,
                expandableReservation: true,
                limit: -1,
                shares: object!(SharesInfo { shares: 0, level: "normal" }),
            })
        };
        object!(ResourceConfigSpec { cpuAllocation: allocation(), memoryAllocation: allocation() })
    };
    let spec = object!(VAppConfigSpec { annotation: "of mine" });
    let made = sim.call(
        &pool,
        method::CreateVApp,
        args![
            name = "mine".to_owned(),
            resSpec = resources(),
            configSpec = spec.clone(),
            vmFolder = folder.clone()
        ],
    );
    let app = made.expect("a vApp").as_ref().and_then(Value::as_moref).expect("a vApp").clone();
    agreement::check(&sim.snapshot());
    assert_eq!(sim.text(&app, path!(VirtualApp, "vAppConfig.annotation")), "of mine");
    assert_eq!(state(&sim, &app), "stopped");
    sim.refused(
        &pool,
        method::CreateVApp,
        args![
            name = "mine".to_owned(),
            resSpec = resources(),
            configSpec = spec.clone(),
            vmFolder = folder
        ],
        ty::DuplicateName,
    );
    let nested = sim.call(
        &app,
        method::CreateVApp,
        args![name = "inner".to_owned(), resSpec = resources(), configSpec = spec],
    );
    let nested =
        nested.expect("a vApp").as_ref().and_then(Value::as_moref).expect("a vApp").clone();
    sim.fails(&app, method::PowerOnVApp_Task, args![], ty::MissingPowerOnConfiguration);
    let config = object!(VirtualMachineConfigSpec {
        name: "child",
        guestId: "otherGuest",
        files: object!(VirtualMachineFileInfo { vmPathName: "[LocalDS_0]" }),
    });
    sim.refused(
        &pool,
        method::CreateChildVM_Task,
        args![config = config.clone()],
        ty::NotSupported,
    );
    let child = sim.done(&nested, method::CreateChildVM_Task, args![config = config]).moref();
    assert_eq!(sim.snapshot().moref(&child, path!(VirtualMachine, "parentVApp")), Some(&nested));
    sim.done(&app, method::PowerOnVApp_Task, args![]);
    assert_eq!(sim.text(&child, POWER), "poweredOn");
    assert_eq!(state(&sim, &nested), "started");
    sim.fails(&app, method::unregisterVApp_Task, args![], ty::InvalidPowerState);
    sim.done(&app, method::PowerOffVApp_Task, args![force = false]);
    sim.done(&app, method::unregisterVApp_Task, args![]);
    assert!(!sim.snapshot().exists(&app) && !sim.snapshot().exists(&child));
    set_order(&sim, &old, &[(&vms[0], 1), (&vms[1], 2)]);
    sim.done(&vms[0], method::Destroy_Task, args![]);
    let entries = path!(VirtualApp, "vAppConfig.entityConfig");
    assert_eq!(sim.snapshot().at(&old, entries).map(|list| list.items().len()), Some(1));
    sim.done(&old, method::Destroy_Task, args![]);
    assert!(!sim.snapshot().exists(&vms[1]));
}

#[test]
fn a_copy_of_a_vapp_has_copies_of_its_machines() {
    let (sim, app, vms) = simulator(false);
    set_order(&sim, &app, &[(&vms[0], 1), (&vms[1], 2), (&vms[2], 3)]);
    let pool = sim.snapshot().moref(&app, path!(ResourcePool, "parent")).expect("a pool").clone();
    let datastore = sim.snapshot().morefs(&vms[0], path!(VirtualMachine, "datastore")).remove(0);
    let spec = object!(VAppCloneSpec { location: datastore });
    let args = args![name = "copy".to_owned(), target = pool.clone(), spec = spec.clone()];
    let copy = sim.done(&app, method::CloneVApp_Task, args).moref();
    let members = sim.snapshot().morefs(&copy, path!(ResourcePool, "vm"));
    assert_eq!(members.len(), 3);
    let entries = path!(VirtualApp, "vAppConfig.entityConfig");
    assert_eq!(sim.snapshot().at(&copy, entries).map(|list| list.items().len()), Some(3));
    sim.done(&copy, method::PowerOnVApp_Task, args![]);
    assert_eq!(power(&sim, &members), vec!["poweredOn".to_owned(); 3]);
    let args = args![name = "copy".to_owned(), target = pool, spec = spec];
    sim.fails(&app, method::CloneVApp_Task, args, ty::DuplicateName);
}

#[test]
fn a_vapp_is_not_cloned_into_itself() {
    let (sim, app, vms) = simulator(false);
    let datastore = sim.snapshot().morefs(&vms[0], path!(VirtualMachine, "datastore")).remove(0);
    let spec = object!(VAppCloneSpec { location: datastore });
    let args = args![name = "copy".to_owned(), target = app.clone(), spec = spec];
    let fault = sim.call(&app, method::CloneVApp_Task, args).expect_err("no place");
    assert_eq!(fault.ty(), ty::InvalidArgument);
    assert_eq!(sim.snapshot().morefs(&app, path!(ResourcePool, "resourcePool")), []);
}

/// The members with their places and delays, one second a step.
fn set_delays(sim: &Sim, app: &MoRef, members: &[(&MoRef, i32, i32, &str)]) {
    let entries: Vec<Object> = members
        .iter()
        .map(|(member, place, delay, stop)| {
            object!(VAppEntityConfigInfo {
                key: *member,
                startOrder: *place,
                startDelay: *delay,
                stopDelay: *delay,
                startAction: "powerOn",
                stopAction: *stop,
            })
        })
        .collect();
    let spec = object!(VAppConfigSpec { entityConfig: entries });
    sim.call(app, method::UpdateVAppConfig, args![spec = spec]).expect("a change");
}

#[test]
fn the_next_machine_waits_for_the_delay_of_the_one_before() {
    let (sim, app, vms) = simulator(false);
    let stop = "powerOff";
    set_delays(&sim, &app, &[(&vms[0], 1, 20, stop), (&vms[1], 1, 5, stop), (&vms[2], 2, 9, stop)]);
    let task = sim.start(&app, method::PowerOnVApp_Task, args![]).expect("a task");
    let last = children(&sim, &task)[2].clone();
    sim.advance(Duration::from_secs(29));
    assert_eq!(power(&sim, &vms), ["poweredOn", "poweredOn", "poweredOff"]);
    assert_eq!(sim.outcome(&last).state, "queued");
    sim.advance(Duration::from_secs(1));
    assert_eq!(sim.outcome(&last).state, "running");
    sim.advance(Duration::from_secs(10));
    // Nobody waits for the last one.
    assert_eq!((sim.outcome(&task).state, state(&sim, &app)), ("success".into(), "started".into()));
    let task = sim.start(&app, method::PowerOffVApp_Task, args![force = false]).expect("a task");
    sim.advance(Duration::from_secs(18));
    assert_eq!(power(&sim, &vms), ["poweredOn", "poweredOn", "poweredOff"]);
    sim.advance(Duration::from_secs(11));
    assert_eq!(sim.outcome(&task).state, "success");
    // By force nothing is waited for.
    sim.done(&app, method::PowerOnVApp_Task, args![]);
    let task = sim.start(&app, method::PowerOffVApp_Task, args![force = true]).expect("a task");
    sim.advance(Duration::from_secs(10));
    assert_eq!(sim.outcome(&task).state, "success");
}

#[test]
fn who_is_cancelled_between_two_machines_does_not_wait() {
    let (sim, app, vms) = simulator(false);
    let stop = "guestShutdown";
    set_delays(
        &sim,
        &app,
        &[(&vms[0], 1, 60, stop), (&vms[1], 2, 60, stop), (&vms[2], 3, 0, stop)],
    );
    let task = sim.start(&app, method::PowerOnVApp_Task, args![]).expect("a task");
    sim.advance(Duration::from_secs(30));
    sim.call(&task, method::CancelTask, args![]).expect("a cancel");
    assert_eq!(sim.outcome(&task).fault_type(), "RequestCanceled");
    assert_eq!(power(&sim, &vms), ["poweredOn", "poweredOff", "poweredOff"]);
    agreement::check(&sim.snapshot());
    // Neither do those after one that fails.
    sim.done(&app, method::PowerOffVApp_Task, args![force = true]);
    set_delays(
        &sim,
        &app,
        &[(&vms[0], 1, 60, stop), (&vms[1], 2, 60, stop), (&vms[2], 3, 0, stop)],
    );
    for name in ["DC0_C0_H0", "DC0_C0_H1", "DC0_C0_H2"] {
        let host = sim.find(ty::HostSystem, name);
        sim.done(&host, method::EnterMaintenanceMode_Task, args![timeout = 0]);
    }
    let task = sim.start(&app, method::PowerOnVApp_Task, args![]).expect("a task");
    assert_eq!(sim.outcome(&task).fault_type(), "NoCompatibleHost");
}

#[test]
fn a_copy_has_what_is_nested() {
    let (sim, app, vms) = simulator(false);
    let resources = || {
        let allocation = || {
            object!(ResourceAllocationInfo {
                reservation: 0,
                expandableReservation: true,
                limit: -1,
                shares: object!(SharesInfo { shares: 0, level: "normal" }),
            })
        };
        object!(ResourceConfigSpec { cpuAllocation: allocation(), memoryAllocation: allocation() })
    };
    let spec = object!(VAppConfigSpec { annotation: "inside" });
    let args = args![name = "inner".to_owned(), resSpec = resources(), configSpec = spec];
    let inner = sim.call(&app, method::CreateVApp, args).expect("a vApp");
    let inner = inner.as_ref().and_then(Value::as_moref).expect("a vApp").clone();
    let args = args![name = "pool".to_owned(), spec = resources()];
    let pool = sim.call(&inner, method::CreateResourcePool, args).expect("a pool");
    let pool = pool.as_ref().and_then(Value::as_moref).expect("a pool").clone();
    let into = args![list = vec![vms[1].clone()]];
    sim.call(&inner, method::MoveIntoResourcePool, into).expect("a move");
    let into = args![list = vec![vms[2].clone()]];
    sim.call(&pool, method::MoveIntoResourcePool, into).expect("a move");
    set_delays(&sim, &app, &[(&vms[0], 1, 0, "powerOff"), (&inner, 2, 0, "powerOff")]);
    set_delays(&sim, &inner, &[(&vms[1], 7, 0, "powerOff")]);
    let datastore = sim.snapshot().morefs(&vms[0], path!(VirtualMachine, "datastore")).remove(0);
    let target = sim.snapshot().moref(&app, path!(ResourcePool, "parent")).expect("a pool").clone();
    let spec = object!(VAppCloneSpec { location: datastore });
    let args = args![name = "copy".to_owned(), target = target.clone(), spec = spec];
    let copy = sim.done(&app, method::CloneVApp_Task, args).moref();
    let below = |mo: &MoRef, path| sim.snapshot().morefs(mo, path);
    let (pools, machines) = (path!(ResourcePool, "resourcePool"), path!(ResourcePool, "vm"));
    let copied = below(&copy, pools).remove(0);
    assert_eq!(copied.ty(), ty::VirtualApp);
    assert_eq!(sim.text(&copied, path!(VirtualApp, "vAppConfig.annotation")), "inside");
    let copied_pool = below(&copied, pools).remove(0);
    assert_eq!(
        (copied_pool.ty(), sim.text(&copied_pool, path!(ResourcePool, "name"))),
        (ty::ResourcePool, "pool".to_owned())
    );
    for mo in [&copy, &copied, &copied_pool] {
        assert_eq!(below(mo, machines).len(), 1, "{mo}");
    }
    let keys = |app: &MoRef| -> Vec<MoRef> {
        let snapshot = sim.snapshot();
        let entries = snapshot.at(app, path!(VirtualApp, "vAppConfig.entityConfig"));
        let entries = entries.map_or(&[][..], Value::items).iter().filter_map(Value::as_object);
        entries.filter_map(|it| it.field("key")?.as_moref().cloned()).collect()
    };
    assert_eq!(keys(&copy), [below(&copy, machines).remove(0), copied.clone()]);
    assert_eq!(keys(&copied), below(&copied, machines));
    // One that fails leaves nothing.
    let datastore = sim.snapshot().morefs(&vms[0], path!(VirtualMachine, "datastore")).remove(0);
    for name in ["DC0_C0_H0", "DC0_C0_H1", "DC0_C0_H2"] {
        let host = sim.find(ty::HostSystem, name);
        sim.done(&host, method::EnterMaintenanceMode_Task, args![timeout = 0]);
    }
    let spec = object!(VAppCloneSpec { location: datastore });
    let args = args![name = "other".to_owned(), target = target, spec = spec];
    sim.fails(&app, method::CloneVApp_Task, args, ty::NoCompatibleHost);
}
