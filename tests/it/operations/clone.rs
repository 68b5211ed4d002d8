//! Machines from machines.

use super::*;
use vimsim::object;

const CLONE: Method = method::CloneVM_Task;

fn spec() -> Object {
    object!(VirtualMachineCloneSpec {
        location: object!(VirtualMachineRelocateSpec {}),
        template: false,
        powerOn: false,
    })
}

fn with(field: usize, value: impl IntoSlot) -> Object {
    spec().with(field, value)
}

const LOCATION: usize = ty::VirtualMachineCloneSpec.slot("location");
const POWER_ON: usize = ty::VirtualMachineCloneSpec.slot("powerOn");
const TEMPLATE: usize = ty::VirtualMachineCloneSpec.slot("template");
const CONFIG: usize = ty::VirtualMachineCloneSpec.slot("config");

fn clone(sim: &Sim, source: &MoRef, name: &str, spec: Object) -> MoRef {
    let folder = sim.vm_folder();
    sim.done(source, CLONE, args![folder = folder, name = name.to_owned(), spec = spec]).moref()
}

#[test]
fn a_clone_is_a_machine_of_its_own() {
    let sim = Sim::new();
    let source = sim.vm("DC0_C0_RP0_VM0");
    let config = object!(VirtualMachineConfigSpec {
        numCPUs: 2,
        annotation: "cloned",
        deviceChange: [devices::add(devices::disk(-1, 1000, None, 4096))],
    });
    let copy = clone(&sim, &source, "copy", with(CONFIG, config).with(POWER_ON, true));
    assert_eq!(sim.vm("copy"), copy);
    for path in [
        path!(VirtualMachine, "config.uuid"),
        path!(VirtualMachine, "config.instanceUuid"),
        path!(VirtualMachine, "guest.ipAddress"),
        path!(VirtualMachine, "guest.hostName"),
    ] {
        assert_ne!(sim.text(&copy, path), sim.text(&source, path), "{path}");
    }
    let power = path!(VirtualMachine, "runtime.powerState");
    assert_eq!(sim.text(&copy, power), "poweredOn");
    assert_eq!(sim.number(&copy, path!(VirtualMachine, "config.hardware.numCPU")), 2);
    assert_eq!(sim.text(&copy, path!(VirtualMachine, "config.annotation")), "cloned");
    let files: Vec<String> =
        sim.devices(&copy, ty::VirtualDisk).iter().map(devices::file).collect();
    assert_eq!(files, ["[LocalDS_0] copy/copy.vmdk", "[LocalDS_0] copy/copy_1.vmdk"]);
    let pool = path!(VirtualMachine, "resourcePool");
    let snapshot = sim.snapshot();
    assert_eq!(snapshot.moref(&copy, pool), snapshot.moref(&source, pool));
    assert_eq!(sim.devices(&source, ty::VirtualDisk).len(), 1, "the source is as it was");
}

#[test]
fn templates_are_cloned_into_a_pool_and_never_run() {
    let sim = Sim::new();
    let source = sim.vm("DC0_H0_VM0");
    let template = clone(&sim, &source, "golden", with(TEMPLATE, true).with(POWER_ON, true));
    assert!(sim.snapshot().moref(&template, path!(VirtualMachine, "resourcePool")).is_none());
    assert_eq!(sim.text(&template, path!(VirtualMachine, "runtime.powerState")), "poweredOff");
    sim.fails(&template, method::PowerOnVM_Task, args![], ty::NotSupported);
    let folder = sim.vm_folder();
    let fault = sim.refused(
        &template,
        CLONE,
        args![folder = folder, name = "a", spec = spec()],
        ty::InvalidArgument,
    );
    assert!(fault.message().contains("spec.location.pool"), "{fault}");
    let pool = create::pool(&sim, "DC0_C0");
    let location = object!(VirtualMachineRelocateSpec { pool: &pool });
    let vm = clone(&sim, &template, "from-golden", with(LOCATION, location));
    let host = sim.snapshot().moref(&vm, path!(VirtualMachine, "runtime.host")).cloned();
    let cluster = sim.find(ty::ClusterComputeResource, "DC0_C0");
    let hosts = sim.snapshot().morefs(&cluster, path!(ComputeResource, "host"));
    assert!(hosts.contains(&host.expect("a host")));
    sim.done(&vm, method::PowerOnVM_Task, args![]);
}

#[test]
fn a_machine_becomes_a_template_and_a_machine_again() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    sim.refused(&vm, method::MarkAsTemplate, args![], ty::InvalidPowerState);
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    let pool = sim.snapshot().moref(&vm, path!(VirtualMachine, "resourcePool")).cloned();
    let pool = pool.expect("a pool");
    sim.refused(&vm, method::MarkAsVirtualMachine, args![pool = pool.clone()], ty::InvalidState);
    sim.call(&vm, method::MarkAsTemplate, args![]).expect("a template");
    agreement::check(&sim.snapshot());
    assert!(!sim.snapshot().morefs(&pool, path!(ResourcePool, "vm")).contains(&vm));
    sim.fails(&vm, method::PowerOnVM_Task, args![], ty::NotSupported);
    sim.call(&vm, method::MarkAsVirtualMachine, args![pool = pool.clone()]).expect("a machine");
    agreement::check(&sim.snapshot());
    assert!(sim.snapshot().morefs(&pool, path!(ResourcePool, "vm")).contains(&vm));
    sim.done(&vm, method::PowerOnVM_Task, args![]);
}

#[test]
fn a_clone_goes_where_it_is_sent() {
    let sim = Sim::with(|config| config.model.ds = 2);
    let source = sim.vm("DC0_H0_VM0");
    let (host, store) =
        (sim.find(ty::HostSystem, "DC0_C0_H2"), sim.find(ty::Datastore, "LocalDS_1"));
    let pool = create::pool(&sim, "DC0_C0");
    let location =
        object!(VirtualMachineRelocateSpec { pool: &pool, host: &host, datastore: &store });
    let copy = clone(&sim, &source, "copy", with(LOCATION, location));
    let snapshot = sim.snapshot();
    assert_eq!(snapshot.moref(&copy, path!(VirtualMachine, "runtime.host")), Some(&host));
    assert_eq!(snapshot.morefs(&copy, path!(VirtualMachine, "datastore")), [store]);
    assert_eq!(
        sim.text(&copy, path!(VirtualMachine, "config.files.vmPathName")),
        "[LocalDS_1] copy/copy.vmx"
    );
    // One disk elsewhere than the rest.
    let home = sim.find(ty::Datastore, "LocalDS_0");
    let location = object!(VirtualMachineRelocateSpec {
        disk: [object!(VirtualMachineRelocateSpecDiskLocator { diskId: 2000, datastore: &home })],
    });
    let split = clone(&sim, &copy, "split", with(LOCATION, location));
    let disk = sim.devices(&split, ty::VirtualDisk).remove(0);
    assert_eq!(devices::file(&disk), "[LocalDS_0] split/split.vmdk");
    assert_eq!(sim.snapshot().morefs(&split, path!(VirtualMachine, "datastore")).len(), 2);
}

#[test]
fn clones_that_cannot_be_are_refused() {
    let sim = Sim::new();
    let source = sim.vm("DC0_H0_VM0");
    let folder = sim.vm_folder();
    let fails = |name: &'static str, spec: Object, fault| {
        sim.fails(&source, CLONE, args![folder = folder.clone(), name = name, spec = spec], fault)
    };
    fails("DC0_H0_VM1", spec(), ty::DuplicateName);
    fails("", spec(), ty::InvalidName);
    let refused = |spec: Object, fault| {
        sim.refused(&source, CLONE, args![folder = folder.clone(), name = "a", spec = spec], fault)
    };
    let location = |location: Object| with(LOCATION, location);
    let gone = MoRef::new(ty::Datastore, "datastore-999");
    refused(
        location(object!(VirtualMachineRelocateSpec { datastore: &gone })),
        ty::ManagedObjectNotFound,
    );
    let gone = MoRef::new(ty::HostSystem, "host-999");
    refused(
        location(object!(VirtualMachineRelocateSpec { host: &gone })),
        ty::ManagedObjectNotFound,
    );
    let elsewhere = sim.find(ty::HostSystem, "DC0_C0_H0");
    refused(
        location(object!(VirtualMachineRelocateSpec { host: &elsewhere })),
        ty::InvalidArgument,
    );
    let root = MoRef::new(ty::Folder, "group-d1");
    sim.refused(&source, CLONE, args![folder = root, name = "a", spec = spec()], ty::NotSupported);
}

#[test]
fn clones_of_one_template_run_side_by_side_and_can_be_cancelled() {
    let slow = vec![("CloneVM".into(), Duration::from_secs(10))];
    let sim = Sim::with(|config| config.delays.methods = slow);
    let source = sim.vm("DC0_H0_VM0");
    let start = |name: &'static str| {
        let folder = sim.vm_folder();
        sim.start(&source, CLONE, args![folder = folder, name = name, spec = spec()])
            .expect("a task")
    };
    let (one, two, twin) = (start("one"), start("two"), start("two"));
    sim.advance(Duration::from_secs(5));
    sim.call(&one, method::CancelTask, args![]).expect("a cancel");
    sim.advance(Duration::from_secs(5));
    assert_eq!(sim.outcome(&one).fault_type(), "RequestCanceled");
    assert_eq!(sim.outcome(&two).state, "success");
    assert_eq!(sim.outcome(&twin).fault_type(), "DuplicateName");
    let names: Vec<String> = sim
        .snapshot()
        .of_type(ty::VirtualMachine)
        .map(|(vm, _)| sim.text(vm, path!(VirtualMachine, "name")))
        .collect();
    assert!(names.contains(&"two".to_owned()) && !names.contains(&"one".to_owned()));
    agreement::check(&sim.snapshot());
}

#[test]
fn a_copy_that_cannot_start_is_there_all_the_same() {
    let sim = Sim::with(|config| {
        config.delays.methods = vec![("PowerOnVM".into(), Duration::from_secs(10))];
    });
    let source = sim.vm("DC0_C0_RP0_VM0");
    let folder = sim.vm_folder();
    let args = args![folder = folder, name = "copy".to_owned(), spec = with(POWER_ON, true)];
    let task = sim.start(&source, CLONE, args).expect("a task");
    // The copy is made; its start goes on.
    let copy = sim.outcome(&task).moref();
    let power = path!(VirtualMachine, "runtime.powerState");
    assert_eq!(sim.text(&copy, power), "poweredOff");
    let holder = sim.start(&copy, method::ReconfigVM_Task, args![spec = rename()]);
    assert_eq!(sim.outcome(&holder.expect("a task")).fault_type(), "TaskInProgress");
    for name in ["DC0_C0_H0", "DC0_C0_H1", "DC0_C0_H2"] {
        let host = sim.find(ty::HostSystem, name);
        sim.start(&host, method::DisconnectHost_Task, args![]).expect("a task");
    }
    sim.advance(Duration::from_secs(10));
    assert_eq!(
        (sim.outcome(&task).state.as_str(), sim.text(&copy, power)),
        ("success", "poweredOff".to_owned())
    );
    let snapshot = sim.snapshot();
    let start = snapshot
        .of_type(ty::Task)
        .find(|(mo, _)| snapshot.text(mo, path!(Task, "info.parentTaskKey")) == task.id());
    assert_eq!(sim.outcome(start.expect("a start").0).state, "error");
}

fn rename() -> Object {
    object!(VirtualMachineConfigSpec { annotation: "changed" })
}
