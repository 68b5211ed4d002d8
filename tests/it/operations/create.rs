//! New machines.

use super::*;
use vimsim::object;

/// A specification of a small machine with a disk and an adapter.
pub(crate) fn small(name: &str) -> Object {
    object!(VirtualMachineConfigSpec {
        name: name,
        guestId: "ubuntu64Guest",
        files: object!(VirtualMachineFileInfo { vmPathName: "[LocalDS_0]" }),
        numCPUs: 2,
        memoryMB: 2048,
        deviceChange: [
            object!(VirtualDeviceConfigSpec {
                operation: "add",
                fileOperation: "create",
                device: devices::disk(-1, -100, None, 1 << 20),
            }),
            object!(VirtualDeviceConfigSpec {
                operation: "add",
                device: object!(ParaVirtualSCSIController {
                    key: -100,
                    busNumber: 0,
                    sharedBus: "noSharing",
                }),
            }),
            object!(VirtualDeviceConfigSpec { operation: "add", device: devices::card(-2) }),
        ],
    })
}

/// The root pool of the compute resource with the name.
pub(crate) fn pool(sim: &Sim, compute: &str) -> MoRef {
    let compute = sim.find(ty::ComputeResource, compute);
    let pool = path!(ComputeResource, "resourcePool");
    sim.snapshot().moref(&compute, pool).expect("a pool").clone()
}

#[test]
fn a_new_machine_stands_everywhere_it_should() {
    let sim = Sim::new();
    let (folder, pool) = (sim.vm_folder(), pool(&sim, "DC0_H0"));
    let outcome = sim.done(
        &folder,
        method::CreateVM_Task,
        args![config = small("fresh"), pool = pool.clone()],
    );
    let vm = outcome.moref();
    assert_eq!(sim.vm("fresh"), vm);
    assert_eq!(sim.text(&vm, path!(VirtualMachine, "runtime.powerState")), "poweredOff");
    assert_eq!(
        sim.text(&vm, path!(VirtualMachine, "config.files.vmPathName")),
        "[LocalDS_0] fresh/fresh.vmx"
    );
    assert_eq!(
        sim.text(&vm, path!(VirtualMachine, "summary.config.guestFullName")),
        "Ubuntu Linux (64-bit)"
    );
    assert_eq!(sim.number(&vm, path!(VirtualMachine, "summary.config.numCpu")), 2);
    let disk = sim.devices(&vm, ty::VirtualDisk).remove(0);
    let at = |path| disk.at(path).and_then(Value::as_i64);
    assert_eq!(at(path!(VirtualDevice, "key")), Some(2000));
    assert_eq!(at(path!(VirtualDevice, "controllerKey")), Some(1000));
    assert_eq!(devices::file(&disk), "[LocalDS_0] fresh/fresh.vmdk");
    let card = sim.devices(&vm, ty::VirtualEthernetCard).remove(0);
    assert_eq!(card.at(path!(VirtualDevice, "key")).and_then(Value::as_i64), Some(4000));
    let network = sim.find(ty::Network, "VM Network");
    assert!(sim.snapshot().morefs(&network, path!(Network, "vm")).contains(&vm));
    sim.done(&vm, method::PowerOnVM_Task, args![]);
    assert!(!sim.text(&vm, path!(VirtualMachine, "guest.ipAddress")).is_empty());
}

#[test]
fn space_on_the_datastore_follows_the_disks() {
    let sim = Sim::new();
    let store = sim.find(ty::Datastore, "LocalDS_0");
    let free = |sim: &Sim| sim.number(&store, path!(Datastore, "summary.freeSpace"));
    let before = free(&sim);
    let (folder, pool) = (sim.vm_folder(), pool(&sim, "DC0_H0"));
    let vm = sim.done(&folder, method::CreateVM_Task, args![config = small("fat"), pool = pool]);
    assert!(before - free(&sim) >= 1 << 30, "the thick disk takes its gigabyte");
    sim.done(&vm.moref(), method::Destroy_Task, args![]);
    assert_eq!(free(&sim), before);
}

#[test]
fn a_cluster_finds_a_host() {
    let sim = Sim::new();
    let (folder, pool) = (sim.vm_folder(), pool(&sim, "DC0_C0"));
    let mut hosts = Vec::new();
    for number in 0..3 {
        let spec = small(&format!("vm{number}"));
        let outcome =
            sim.done(&folder, method::CreateVM_Task, args![config = spec, pool = pool.clone()]);
        let host = path!(VirtualMachine, "runtime.host");
        hosts.push(sim.snapshot().moref(&outcome.moref(), host).expect("a host").clone());
    }
    let cluster = sim.find(ty::ClusterComputeResource, "DC0_C0");
    let of_cluster = sim.snapshot().morefs(&cluster, path!(ComputeResource, "host"));
    assert!(hosts.iter().all(|host| of_cluster.contains(host)));
    hosts.sort();
    hosts.dedup();
    assert!(hosts.len() > 1, "the load is spread: {hosts:?}");
}

#[test]
fn what_cannot_be_made_is_refused() {
    let sim = Sim::new();
    let (folder, pool) = (sim.vm_folder(), pool(&sim, "DC0_H0"));
    let create = method::CreateVM_Task;
    let fails = |spec: Object, fault| {
        sim.fails(&folder, create, args![config = spec, pool = pool.clone()], fault)
    };
    fails(small("DC0_H0_VM0"), ty::DuplicateName);
    fails(small(&"x".repeat(81)), ty::InvalidName);
    let with_path = |path: &str| {
        let files = object!(VirtualMachineFileInfo { vmPathName: path });
        let slot = const { ty::VirtualMachineConfigSpec.slot("files") };
        small("a").with(slot, files)
    };
    fails(with_path("[Nowhere] a"), ty::InvalidDatastorePath);
    fails(with_path("a/b.vmx"), ty::InvalidDatastorePath);
    fails(with_path(""), ty::InvalidVmConfig);
    fails(with_path("[LocalDS_0] DC0_H0_VM0/DC0_H0_VM0.vmx"), ty::FileAlreadyExists);

    let refused = |this: &MoRef, spec: Object, fault| {
        sim.refused(this, create, args![config = spec, pool = pool.clone()], fault)
    };
    let with = |slot, value: i64| small("a").with(slot, value);
    let memory = const { ty::VirtualMachineConfigSpec.slot("memoryMB") };
    let fault = refused(&folder, with(memory, 3), ty::InvalidArgument);
    let property = path!(InvalidArgument, "invalidProperty");
    assert_eq!(fault.object().at(property).and_then(Value::as_str), Some("configSpec.memoryMB"));
    refused(
        &folder,
        with(const { ty::VirtualMachineConfigSpec.slot("numCPUs") }, -1),
        ty::InvalidArgument,
    );
    let guest = const { ty::VirtualMachineConfigSpec.slot("guestId") };
    refused(&folder, small("a").with(guest, "templeOS"), ty::InvalidArgument);
    let datacenter = sim.find(ty::Datacenter, "DC0");
    let hosts = sim.snapshot().moref(&datacenter, path!(Datacenter, "hostFolder")).cloned();
    refused(&hosts.expect("a folder"), small("a"), ty::NotSupported);
    let gone = MoRef::new(ty::ResourcePool, "resgroup-999");
    sim.refused(
        &folder,
        create,
        args![config = small("a"), pool = gone],
        ty::ManagedObjectNotFound,
    );
    let host = sim.find(ty::HostSystem, "DC0_C0_H0");
    let args = args![config = small("a"), pool = pool.clone(), host = host];
    sim.refused(&folder, create, args, ty::InvalidArgument);
}

#[test]
fn folders_of_machines_are_never_shared() {
    let sim = Sim::new();
    let (folder, pool) = (sim.vm_folder(), pool(&sim, "DC0_H0"));
    let inner = sim.call(&folder, method::CreateFolder, args![name = "inner"]).expect("a folder");
    let inner = inner.as_ref().and_then(Value::as_moref).expect("a folder").clone();
    let create = |folder: &MoRef| {
        sim.done(folder, method::CreateVM_Task, args![config = small("twin"), pool = pool.clone()])
            .moref()
    };
    create(&folder);
    let twin = create(&inner);
    assert_eq!(
        sim.text(&twin, path!(VirtualMachine, "config.files.vmPathName")),
        "[LocalDS_0] twin_1/twin.vmx"
    );
}

#[test]
fn a_cancelled_creation_leaves_nothing() {
    let sim = Sim::with(|config| {
        config.delays.methods = vec![("CreateVM".into(), Duration::from_secs(9))];
    });
    let (folder, pool) = (sim.vm_folder(), pool(&sim, "DC0_H0"));
    let before = sim.snapshot();
    let task = sim
        .start(&folder, method::CreateVM_Task, args![config = small("never"), pool = pool.clone()])
        .expect("a task");
    let other = sim
        .start(&folder, method::CreateVM_Task, args![config = small("other"), pool = pool])
        .expect("a task");
    let state = path!(Task, "info.state");
    assert_eq!(sim.text(&other, state), "running", "machines are made side by side");
    for task in [&task, &other] {
        sim.call(task, method::CancelTask, args![]).expect("a cancel");
    }
    sim.advance(Duration::from_secs(10));
    assert_eq!(sim.outcome(&task).fault_type(), "RequestCanceled");
    agreement::same(&before, &sim.snapshot());
}
