//! Machines that move.

use super::*;
use vimsim::object;

const RELOCATE: Method = method::RelocateVM_Task;
const HOST: &vimsim::schema::StaticPath = path!(VirtualMachine, "runtime.host");

#[test]
fn a_running_machine_moves_to_another_host_and_datastore() {
    let sim = Sim::with(|config| config.model.ds = 2);
    let vm = sim.vm("DC0_C0_RP0_VM0");
    let here = sim.snapshot().moref(&vm, HOST).expect("a host").clone();
    let hosts = ["DC0_C0_H0", "DC0_C0_H1"].map(|name| sim.find(ty::HostSystem, name));
    let there = hosts.into_iter().find(|host| *host != here).expect("a host");
    let store = sim.find(ty::Datastore, "LocalDS_1");
    let home = sim.find(ty::Datastore, "LocalDS_0");
    let before = sim.text(&vm, path!(VirtualMachine, "config.files.vmPathName"));
    let from = if before.starts_with("[LocalDS_0]") { home.clone() } else { store.clone() };
    let to = if from == home { store } else { home };
    let spec = object!(VirtualMachineRelocateSpec { host: &there, datastore: &to });
    sim.done(&vm, RELOCATE, args![spec = spec]);
    let snapshot = sim.snapshot();
    assert_eq!(snapshot.moref(&vm, HOST), Some(&there));
    assert_eq!(snapshot.morefs(&vm, path!(VirtualMachine, "datastore")), std::slice::from_ref(&to));
    assert_eq!(sim.text(&vm, path!(VirtualMachine, "runtime.powerState")), "poweredOn");
    let name = sim.text(&to, path!(Datastore, "name"));
    let disk = sim.devices(&vm, ty::VirtualDisk).remove(0);
    assert!(devices::file(&disk).starts_with(&format!("[{name}] ")), "{disk:?}");
    // One disk goes back alone.
    let spec = object!(VirtualMachineRelocateSpec {
        disk: [object!(VirtualMachineRelocateSpecDiskLocator { diskId: 2000, datastore: &from })],
    });
    sim.done(&vm, RELOCATE, args![spec = spec]);
    assert_eq!(sim.snapshot().morefs(&vm, path!(VirtualMachine, "datastore")).len(), 2);
}

#[test]
fn a_machine_changes_compute_resource_and_folder() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let folder = sim.call(&sim.vm_folder(), method::CreateFolder, args![name = "f"]);
    let folder = folder.expect("a folder").and_then(|it| it.as_moref().cloned()).expect("a folder");
    let (pool, host) = (create::pool(&sim, "DC0_C0"), sim.find(ty::HostSystem, "DC0_C0_H2"));
    let alone = object!(VirtualMachineRelocateSpec { host: &host });
    sim.refused(&vm, RELOCATE, args![spec = alone], ty::InvalidArgument);
    let spec = object!(VirtualMachineRelocateSpec { pool: &pool, host: &host, folder: &folder });
    sim.done(&vm, RELOCATE, args![spec = spec]);
    let snapshot = sim.snapshot();
    assert_eq!(snapshot.moref(&vm, HOST), Some(&host));
    assert_eq!(snapshot.moref(&vm, path!(VirtualMachine, "resourcePool")), Some(&pool));
    assert_eq!(snapshot.moref(&vm, path!(ManagedEntity, "parent")), Some(&folder));
    let back = create::pool(&sim, "DC0_H0");
    sim.done(
        &vm,
        method::MigrateVM_Task,
        args![pool = back, priority = "defaultPriority", state = "poweredOn"],
    );
    assert_eq!(sim.snapshot().moref(&vm, HOST), Some(&sim.find(ty::HostSystem, "DC0_H0")));
    sim.fails(
        &vm,
        method::MigrateVM_Task,
        args![
            host = sim.find(ty::HostSystem, "DC0_H0"),
            priority = "defaultPriority",
            state = "poweredOff"
        ],
        ty::InvalidPowerState,
    );
}

#[test]
fn hardware_is_upgraded_once() {
    let sim = Sim::with(|config| config.model.autostart = false);
    let vm = sim.vm("DC0_H0_VM0");
    let newest = sim.text(&vm, path!(VirtualMachine, "config.version"));
    sim.fails(&vm, method::UpgradeVM_Task, args![], ty::AlreadyUpgraded);
    let older = object!(VirtualMachineConfigSpec { version: "vmx-13" });
    sim.done(&vm, method::ReconfigVM_Task, args![spec = older]);
    sim.done(&vm, method::UpgradeVM_Task, args![version = "vmx-15"]);
    assert_eq!(sim.text(&vm, path!(VirtualMachine, "summary.config.hwVersion")), "vmx-15");
    sim.done(&vm, method::UpgradeVM_Task, args![]);
    assert_eq!(sim.text(&vm, path!(VirtualMachine, "config.version")), newest);
    sim.refused(&vm, method::UpgradeVM_Task, args![version = "vmx-99"], ty::InvalidArgument);
}
