//! Renaming, moving and destroying of all kinds of entities.

use super::*;

fn made(answer: Result<Option<Value>, Fault>) -> MoRef {
    let answer = answer.expect("an answer");
    answer.as_ref().and_then(Value::as_moref).expect("a reference").clone()
}

#[test]
fn folders_are_made_filled_and_destroyed() {
    let sim = Sim::new();
    let top = sim.vm_folder();
    let outer = made(sim.call(&top, method::CreateFolder, args![name = "outer/a"]));
    let name = path!(ManagedEntity, "name");
    assert_eq!(sim.text(&outer, name), "outer%2fa");
    sim.refused(&top, method::CreateFolder, args![name = "outer%2fa"], ty::DuplicateName);
    sim.refused(&top, method::CreateFolder, args![name = ""], ty::InvalidName);
    let inner = made(sim.call(&outer, method::CreateFolder, args![name = "inner"]));
    let vm = sim.vm("DC0_H0_VM0");
    sim.done(&inner, method::MoveIntoFolder_Task, args![list = vec![vm.clone()]]);
    assert_eq!(sim.snapshot().moref(&vm, path!(ManagedEntity, "parent")), Some(&inner));
    let hosts = sim.find(ty::ComputeResource, "DC0_H0");
    sim.refused(&inner, method::MoveIntoFolder_Task, args![list = vec![hosts]], ty::NotSupported);
    let fails = method::MoveIntoFolder_Task;
    sim.fails(&inner, fails, args![list = vec![outer.clone()]], ty::InvalidFolder);
    // What runs keeps its folder from going.
    sim.fails(&outer, method::Destroy_Task, args![], ty::InvalidPowerState);
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    sim.done(&outer, method::Destroy_Task, args![]);
    for gone in [&outer, &inner, &vm] {
        assert!(!sim.snapshot().exists(gone));
        sim.refused(gone, method::Rename_Task, args![newName = "x"], ty::ManagedObjectNotFound);
    }
    sim.refused(&top, method::Destroy_Task, args![], ty::NotSupported);
    let root = MoRef::new(ty::Folder, "group-d1");
    sim.refused(&root, method::Destroy_Task, args![], ty::NotSupported);
}

#[test]
fn datacenters_come_and_go_with_all_that_is_in_them() {
    let sim = Sim::new();
    let root = MoRef::new(ty::Folder, "group-d1");
    let new = made(sim.call(&root, method::CreateDatacenter, args![name = "DC1"]));
    agreement::check(&sim.snapshot());
    sim.refused(&root, method::CreateDatacenter, args![name = "DC1"], ty::DuplicateName);
    sim.refused(&sim.vm_folder(), method::CreateDatacenter, args![name = "x"], ty::NotSupported);
    sim.done(&new, method::Destroy_Task, args![]);
    let old = sim.find(ty::Datacenter, "DC0");
    sim.done(&old, method::Destroy_Task, args![]);
    let snapshot = sim.snapshot();
    let left: Vec<&MoRef> = snapshot.of_type(ty::ManagedEntity).map(|(mo, _)| mo).collect();
    assert_eq!(left, [&root]);
    let hosts = snapshot.iter().filter(|(mo, _)| mo.ty().name().starts_with("HostStorage")).count();
    assert_eq!(hosts, 0, "managers of hosts go with them");
    let browsers = snapshot.iter().filter(|(mo, _)| mo.ty().name().ends_with("Browser")).count();
    assert_eq!(browsers, 0, "so do browsers");
}

#[test]
fn names_change_everywhere_and_stay_unique() {
    let sim = Sim::new();
    for (of, name) in [
        (ty::VirtualMachine, "DC0_H0_VM0"),
        (ty::ClusterComputeResource, "DC0_C0"),
        (ty::Datacenter, "DC0"),
        (ty::DistributedVirtualPortgroup, "DC0_DVPG0"),
        (ty::DistributedVirtualSwitch, "DVS0"),
        (ty::Datastore, "LocalDS_0"),
    ] {
        let mo = sim.find(of, name);
        sim.done(&mo, method::Rename_Task, args![newName = "new name"]);
        assert_eq!(sim.find(of, "new name"), mo);
        sim.done(&mo, method::Rename_Task, args![newName = name]);
    }
    let vm = sim.vm("DC0_H0_VM0");
    sim.fails(&vm, method::Rename_Task, args![newName = "DC0_H0_VM1"], ty::DuplicateName);
    sim.fails(&vm, method::Rename_Task, args![newName = ""], ty::InvalidName);
    sim.done(&vm, method::Rename_Task, args![newName = "DC0_H0_VM0"]);
    for (of, name) in [(ty::HostSystem, "DC0_H0"), (ty::ComputeResource, "DC0_H0")] {
        let mo = sim.find(of, name);
        sim.refused(&mo, method::Rename_Task, args![newName = "x"], ty::NotSupported);
    }
}

#[test]
fn what_is_in_use_cannot_be_destroyed() {
    let sim = Sim::new();
    for (of, name) in [
        (ty::Datastore, "LocalDS_0"),
        (ty::DistributedVirtualPortgroup, "DC0_DVPG0"),
        (ty::DistributedVirtualSwitch, "DVS0"),
    ] {
        sim.fails(&sim.find(of, name), method::Destroy_Task, args![], ty::ResourceInUse);
    }
    let sim = Sim::with(|config| config.model.vm = 0);
    let host = sim.find(ty::HostSystem, "DC0_H0");
    let volumes = |sim: &Sim| {
        let mounts = path!(HostSystem, "config.fileSystemVolume.mountInfo");
        sim.snapshot().at(&host, mounts).map_or(0, |list| list.items().len())
    };
    assert_eq!(volumes(&sim), 1);
    sim.done(&sim.find(ty::Datastore, "LocalDS_0"), method::Destroy_Task, args![]);
    assert_eq!(volumes(&sim), 0, "no host has it mounted any more");
    for (of, name) in [
        (ty::DistributedVirtualPortgroup, "DC0_DVPG0"),
        (ty::DistributedVirtualSwitch, "DVS0"),
        (ty::ClusterComputeResource, "DC0_C0"),
        (ty::ComputeResource, "DC0_H0"),
    ] {
        let mo = sim.find(of, name);
        sim.done(&mo, method::Destroy_Task, args![]);
        assert!(!sim.snapshot().exists(&mo));
    }
}

#[test]
fn a_machine_can_be_unregistered_and_registered_again() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    sim.refused(&vm, method::UnregisterVM, args![], ty::InvalidPowerState);
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    let uuid = sim.text(&vm, path!(VirtualMachine, "config.uuid"));
    sim.call(&vm, method::UnregisterVM, args![]).expect("no machine");
    assert!(!sim.snapshot().exists(&vm));
    agreement::check(&sim.snapshot());
    let (folder, pool) = (sim.vm_folder(), create::pool(&sim, "DC0_H0"));
    let register = |path: &'static str, name: &'static str| args_of(path, name, pool.clone());
    let file = "[LocalDS_0] DC0_H0_VM0/DC0_H0_VM0.vmx";
    sim.fails(&folder, REGISTER, &register("[LocalDS_0] a/a.vmx", ""), ty::NotFound);
    sim.fails(&folder, REGISTER, &register("nonsense", ""), ty::InvalidDatastorePath);
    sim.fails(&folder, REGISTER, &register(file, "DC0_H0_VM1"), ty::DuplicateName);
    let store = sim.find(ty::Datastore, "LocalDS_0");
    sim.done(&store, method::Rename_Task, args![newName = "moved"]);
    let file = "[moved] DC0_H0_VM0/DC0_H0_VM0.vmx";
    let back = sim.done(&folder, REGISTER, &register(file, "back")).moref();
    assert_eq!(sim.text(&back, path!(VirtualMachine, "name")), "back");
    assert_eq!(sim.text(&back, path!(VirtualMachine, "config.uuid")), uuid);
    let disk = sim.devices(&back, ty::VirtualDisk).remove(0);
    assert_eq!(devices::file(&disk), "[moved] DC0_H0_VM0/DC0_H0_VM0.vmdk");
    sim.fails(&folder, REGISTER, &register(file, "again"), ty::AlreadyExists);
    sim.done(&back, method::PowerOnVM_Task, args![]);
}

const REGISTER: Method = method::RegisterVM_Task;

fn args_of(path: &'static str, name: &'static str, pool: MoRef) -> [Named; 4] {
    [
        ("path", argument(path)),
        ("name", argument((!name.is_empty()).then_some(name))),
        ("asTemplate", argument(false)),
        ("pool", argument(pool)),
    ]
}

#[test]
fn a_host_by_itself_knows_machines_and_pools_only() {
    let sim = Sim::with(|config| config.esx = true);
    let vm = sim.vm("ha-host_VM0");
    let folder =
        sim.snapshot().moref(&vm, path!(ManagedEntity, "parent")).expect("a folder").clone();
    sim.refused(&folder, method::CreateFolder, args![name = "x"], ty::NotSupported);
    let clone = args![
        folder = folder.clone(),
        name = "x",
        spec = vimsim::object!(VirtualMachineCloneSpec {
            location: vimsim::object!(VirtualMachineRelocateSpec {}),
            template: false,
            powerOn: false,
        }),
    ];
    sim.refused(&vm, method::CloneVM_Task, clone, ty::NotSupported);
    let compute = sim.snapshot().of_type(ty::ComputeResource).map(|(mo, _)| mo.clone()).next();
    let compute = compute.expect("a compute resource");
    sim.refused(&compute, method::Destroy_Task, args![], ty::NotSupported);
    let pool = sim.snapshot().moref(&compute, path!(ComputeResource, "resourcePool")).cloned();
    let pool = pool.expect("a pool");
    let made = args![config = create::small("fresh"), pool = pool];
    let fresh = sim.done(&folder, method::CreateVM_Task, made).moref();
    sim.done(&fresh, method::PowerOnVM_Task, args![]);
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    sim.done(&vm, method::Destroy_Task, args![]);
}

/// A walk that recurses once for each level would need more than this stack.
#[test]
fn what_clients_nest_deep_can_be_destroyed() {
    const LEVELS: usize = 2000;
    let deep = || {
        let sim = Sim::new();
        let mut folder = sim.vm_folder();
        let mut outermost = None;
        for _ in 0..LEVELS {
            let made = sim.call(&folder, method::CreateFolder, args![name = "f"]);
            folder = made.expect("a folder").as_ref().and_then(Value::as_moref).unwrap().clone();
            outermost.get_or_insert_with(|| folder.clone());
        }
        let outermost = outermost.expect("folders");
        let target = args![list = vec![outermost.clone()]];
        let task = sim.start(&folder, method::MoveIntoFolder_Task, target).expect("a task");
        assert_eq!(sim.outcome(&task).fault_type(), "InvalidFolder");
        sim.start(&outermost, method::Destroy_Task, args![]).expect("a task");
        assert!(!sim.snapshot().exists(&folder) && !sim.snapshot().exists(&outermost));
    };
    let thread = std::thread::Builder::new().stack_size(LEVELS * 192).spawn(deep);
    thread.expect("a thread").join().expect("no panic");
}
