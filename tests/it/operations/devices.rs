//! Devices that come, go and change.

use super::*;
use vimsim::object;

/// A disk in a file of its own, thick.
pub(crate) fn disk(key: i32, controller: i32, unit: Option<i32>, kilobytes: i64) -> Object {
    object!(VirtualDisk {
        key: key,
        backing: object!(VirtualDiskFlatVer2BackingInfo { fileName: "", diskMode: "persistent" }),
        controllerKey: controller,
        unitNumber: unit,
        capacityInKB: kilobytes,
    })
}

/// An adapter on the standard network.
pub(crate) fn card(key: i32) -> Object {
    object!(VirtualVmxnet3 {
        key: key,
        backing: object!(VirtualEthernetCardNetworkBackingInfo { deviceName: "VM Network" }),
    })
}

/// The file behind a disk.
pub(crate) fn file(disk: &Object) -> String {
    let backing = disk.at(path!(VirtualDevice, "backing")).and_then(Value::as_object);
    let file = backing.and_then(|it| it.at(path!(VirtualDeviceFileBackingInfo, "fileName")));
    file.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A change of devices, as a specification for `ReconfigVM_Task`.
pub(crate) fn spec(changes: Vec<Object>) -> Object {
    object!(VirtualMachineConfigSpec { deviceChange: changes })
}

pub(crate) fn add(device: Object) -> Object {
    let creates = device.ty().is_a(ty::VirtualDisk).then_some("create");
    object!(VirtualDeviceConfigSpec { operation: "add", fileOperation: creates, device: device })
}

pub(crate) fn edit(device: Object) -> Object {
    object!(VirtualDeviceConfigSpec { operation: "edit", device: device })
}

pub(crate) fn remove(device: Object) -> Object {
    object!(VirtualDeviceConfigSpec { operation: "remove", device: device })
}

const RECONFIGURE: Method = method::ReconfigVM_Task;

/// The default inventory with a machine of it, powered off.
fn with_machine_off() -> (Sim, MoRef) {
    let sim = Sim::with(|config| config.model.autostart = false);
    let vm = sim.vm("DC0_H0_VM0");
    (sim, vm)
}

fn labels(sim: &Sim, vm: &MoRef, of: Type) -> Vec<String> {
    let label = path!(VirtualDevice, "deviceInfo.label");
    let text = |device: &Object| device.at(label).and_then(Value::as_str).unwrap_or("-").to_owned();
    sim.devices(vm, of).iter().map(text).collect()
}

fn keys(sim: &Sim, vm: &MoRef, of: Type) -> Vec<i64> {
    let key = |device: &Object| device.at(path!(VirtualDevice, "key")).and_then(Value::as_i64);
    sim.devices(vm, of).iter().filter_map(key).collect()
}

#[test]
fn disks_and_adapters_come_and_go() {
    let (sim, vm) = with_machine_off();
    let changes =
        vec![add(disk(-1, 1000, None, 4096)), add(disk(-2, 1000, Some(5), 4096)), add(card(-3))];
    sim.done(&vm, RECONFIGURE, args![spec = spec(changes)]);
    assert_eq!(keys(&sim, &vm, ty::VirtualDisk), [2000, 2001, 2005]);
    assert_eq!(labels(&sim, &vm, ty::VirtualDisk), ["Hard disk 1", "Hard disk 2", "Hard disk 3"]);
    let files: Vec<String> = sim.devices(&vm, ty::VirtualDisk).iter().map(file).collect();
    assert_eq!(files[1], "[LocalDS_0] DC0_H0_VM0/DC0_H0_VM0_1.vmdk");
    assert_eq!(files[2], "[LocalDS_0] DC0_H0_VM0/DC0_H0_VM0_2.vmdk");
    assert_eq!(keys(&sim, &vm, ty::VirtualEthernetCard), [4000, 4001]);
    assert_eq!(labels(&sim, &vm, ty::VirtualEthernetCard)[1], "Network adapter 2");
    assert_eq!(sim.number(&vm, path!(VirtualMachine, "summary.config.numVirtualDisks")), 3);
    assert_eq!(sim.number(&vm, path!(VirtualMachine, "summary.config.numEthernetCards")), 2);

    let of_key = |of, key: i64| {
        let is_it = |device: &Object| {
            device.at(path!(VirtualDevice, "key")).and_then(Value::as_i64) == Some(key)
        };
        sim.devices(&vm, of).into_iter().find(is_it).expect("a device")
    };
    let changes =
        vec![remove(of_key(ty::VirtualDisk, 2001)), remove(of_key(ty::VirtualEthernetCard, 4000))];
    sim.done(&vm, RECONFIGURE, args![spec = spec(changes)]);
    assert_eq!(keys(&sim, &vm, ty::VirtualDisk), [2000, 2005]);
    assert_eq!(keys(&sim, &vm, ty::VirtualEthernetCard), [4001]);
    sim.done(&vm, RECONFIGURE, args![spec = spec(vec![add(disk(-1, 1000, None, 4096))])]);
    assert_eq!(labels(&sim, &vm, ty::VirtualDisk), ["Hard disk 1", "Hard disk 3", "Hard disk 2"]);
}

#[test]
fn controllers_come_with_what_hangs_on_them() {
    let (sim, vm) = with_machine_off();
    let sata = object!(VirtualAHCIController { key: -10, busNumber: 0 });
    let nvme = object!(VirtualNVMEController { key: -11, busNumber: 0 });
    let drive = object!(VirtualCdrom {
        key: -12,
        controllerKey: -10,
        backing: object!(VirtualCdromIsoBackingInfo { fileName: "[LocalDS_0] iso/a.iso" }),
    });
    let changes = vec![add(disk(-1, -11, None, 4096)), add(drive), add(sata), add(nvme)];
    sim.done(&vm, RECONFIGURE, args![spec = spec(changes)]);
    assert_eq!(keys(&sim, &vm, ty::VirtualAHCIController), [15000]);
    assert_eq!(keys(&sim, &vm, ty::VirtualNVMEController), [31000]);
    assert!(keys(&sim, &vm, ty::VirtualDisk).contains(&32000));
    assert!(keys(&sim, &vm, ty::VirtualCdrom).contains(&16000));
    let summary = path!(VirtualDevice, "deviceInfo.summary");
    let drive = sim.devices(&vm, ty::VirtualCdrom).pop().expect("a drive");
    assert_eq!(drive.at(summary).and_then(Value::as_str), Some("ISO [LocalDS_0] iso/a.iso"));

    // A controller goes with its devices or not at all.
    let controller = sim.devices(&vm, ty::VirtualNVMEController).remove(0);
    let outcome = sim.fails(
        &vm,
        RECONFIGURE,
        args![spec = spec(vec![remove(controller.clone())])],
        ty::InvalidDeviceOperation,
    );
    let bad = outcome.fault().at(path!(InvalidDeviceOperation, "badOp")).and_then(Value::as_str);
    assert_eq!(bad, Some("remove"));
    let on_it = sim.devices(&vm, ty::VirtualDisk).pop().expect("a disk");
    sim.done(&vm, RECONFIGURE, args![spec = spec(vec![remove(controller), remove(on_it)])]);
    assert!(keys(&sim, &vm, ty::VirtualNVMEController).is_empty());
}

#[test]
fn a_scsi_bus_keeps_unit_seven_and_can_be_full() {
    let (sim, vm) = with_machine_off();
    let changes = (0..14).map(|n| add(disk(-1 - n, 1000, None, 1024))).collect();
    sim.done(&vm, RECONFIGURE, args![spec = spec(changes)]);
    let keys = keys(&sim, &vm, ty::VirtualDisk);
    assert_eq!(keys.len(), 15);
    assert!(!keys.contains(&2007) && keys.contains(&2015));
    let one_more = spec(vec![add(card(-5)), add(disk(-1, 1000, None, 1024))]);
    let outcome = sim.fails(&vm, RECONFIGURE, args![spec = one_more], ty::InvalidDeviceSpec);
    let index = outcome.fault().at(path!(InvalidDeviceSpec, "deviceIndex")).and_then(Value::as_i64);
    assert_eq!(index, Some(1));
}

#[test]
fn wrong_devices_are_named_by_their_place() {
    let (sim, vm) = with_machine_off();
    let unknown = || object!(VirtualVmxnet3 { key: 4999 });
    let fails = |change: Object, fault| {
        let changes = spec(vec![add(card(-1)), change]);
        let outcome = sim.fails(&vm, RECONFIGURE, args![spec = changes], fault);
        let index = outcome.fault().at(path!(InvalidDeviceSpec, "deviceIndex"));
        assert_eq!(index.and_then(Value::as_i64), Some(1), "{outcome:?}");
    };
    fails(edit(unknown()), ty::InvalidDeviceSpec);
    fails(remove(unknown()), ty::InvalidDeviceSpec);
    fails(add(disk(-2, 1234, None, 4096)), ty::InvalidDeviceSpec);
    fails(add(disk(-2, 1000, Some(0), 4096)), ty::InvalidDeviceSpec);
    fails(add(disk(-2, 1000, Some(7), 4096)), ty::InvalidDeviceSpec);
    fails(add(disk(-2, 1000, None, 0)), ty::InvalidDeviceSpec);
    fails(object!(VirtualDeviceConfigSpec { device: card(-2) }), ty::InvalidDeviceSpec);
    let nowhere = object!(VirtualVmxnet3 {
        key: -2,
        backing: object!(VirtualEthernetCardNetworkBackingInfo { deviceName: "Nowhere" }),
    });
    fails(add(nowhere), ty::InvalidDeviceBacking);
    let with_file = object!(VirtualDeviceConfigSpec {
        operation: "add",
        fileOperation: "create",
        device: card(-2),
    });
    fails(with_file, ty::InvalidDeviceOperation);
    fails(
        remove(sim.devices(&vm, ty::VirtualMachineVideoCard).remove(0)),
        ty::InvalidDeviceOperation,
    );
    let wrong = |address: &str| {
        card(-2).with(const { ty::VirtualEthernetCard.slot("macAddress") }, address)
    };
    fails(add(wrong("nonsense")), ty::InvalidDeviceSpec);
}

#[test]
fn files_of_disks_are_checked() {
    let (sim, vm) = with_machine_off();
    let at = |file: &str, operation: Option<&str>| {
        let backing =
            object!(VirtualDiskFlatVer2BackingInfo { fileName: file, diskMode: "persistent" });
        let device =
            disk(-1, 1000, None, 4096).with(const { ty::VirtualDevice.slot("backing") }, backing);
        spec(vec![object!(VirtualDeviceConfigSpec {
            operation: "add",
            fileOperation: operation,
            device: device,
        })])
    };
    let fails = |change: Object, fault| sim.fails(&vm, RECONFIGURE, args![spec = change], fault);
    fails(at("[Nowhere] a.vmdk", Some("create")), ty::InvalidDatastorePath);
    fails(at("nonsense", Some("create")), ty::InvalidDatastorePath);
    fails(at("[LocalDS_0] DC0_H0_VM1/DC0_H0_VM1.vmdk", Some("create")), ty::FileAlreadyExists);
    fails(at("[LocalDS_0] a/b.vmdk", None), ty::FileNotFound);
    let huge = disk(-1, 1000, None, 1 << 40);
    fails(spec(vec![add(huge)]), ty::NoDiskSpace);
    // A disk of another machine can be shared.
    let shared = at("[LocalDS_0] DC0_H0_VM1/DC0_H0_VM1.vmdk", None);
    sim.done(&vm, RECONFIGURE, args![spec = shared]);
}

#[test]
fn disks_grow_and_do_not_shrink() {
    let (sim, vm) = with_machine_off();
    let slot = const { ty::VirtualDisk.slot("capacityInKB") };
    let held = sim.devices(&vm, ty::VirtualDisk).remove(0);
    let before = held.get(slot).and_then(Value::as_i64).expect("a size");
    sim.done(&vm, RECONFIGURE, args![spec = spec(vec![edit(held.with(slot, before * 2))])]);
    let grown = sim.devices(&vm, ty::VirtualDisk).remove(0);
    assert_eq!(grown.get(slot).and_then(Value::as_i64), Some(before * 2));
    let bytes = grown.at(path!(VirtualDisk, "capacityInBytes")).and_then(Value::as_i64);
    assert_eq!(bytes, Some(before * 2048));
    let summary = grown.at(path!(VirtualDevice, "deviceInfo.summary")).and_then(Value::as_str);
    assert_eq!(summary, Some("20,971,520 KB"));
    let smaller = spec(vec![edit(grown.with(slot, before))]);
    sim.fails(&vm, RECONFIGURE, args![spec = smaller], ty::InvalidDeviceSpec);
}

#[test]
fn adapters_change_their_network_and_address() {
    let (sim, vm) = with_machine_off();
    let group = sim.find(ty::DistributedVirtualPortgroup, "DC0_DVPG0");
    let standard = sim.find(ty::Network, "VM Network");
    let held = sim.devices(&vm, ty::VirtualEthernetCard).remove(0);
    let backing = card(-1).at(path!(VirtualDevice, "backing")).cloned();
    let slot = const { ty::VirtualDevice.slot("backing") };
    sim.done(&vm, RECONFIGURE, args![spec = spec(vec![edit(held.with(slot, backing))])]);
    let networks = sim.snapshot().morefs(&vm, path!(VirtualMachine, "network"));
    assert_eq!(networks, [standard]);
    assert!(!sim.snapshot().morefs(&group, path!(Network, "vm")).contains(&vm));
    let moved = sim.devices(&vm, ty::VirtualEthernetCard).remove(0);
    let summary = moved.at(path!(VirtualDevice, "deviceInfo.summary")).and_then(Value::as_str);
    assert_eq!(summary, Some("VM Network"));
    assert_eq!(
        moved.at(path!(VirtualEthernetCard, "macAddress")),
        held.at(path!(VirtualEthernetCard, "macAddress"))
    );
    let slot = const { ty::VirtualEthernetCard.slot("macAddress") };
    let mine = moved.with(slot, "00:50:56:01:02:03");
    let mine = mine.with(const { ty::VirtualEthernetCard.slot("addressType") }, "manual");
    sim.done(&vm, RECONFIGURE, args![spec = spec(vec![edit(mine)])]);
    let card = sim.devices(&vm, ty::VirtualEthernetCard).remove(0);
    assert_eq!(card.get(slot).and_then(Value::as_str), Some("00:50:56:01:02:03"));
}

#[test]
fn some_devices_can_be_plugged_while_the_machine_runs() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let changes = vec![add(disk(-1, 1000, None, 4096)), add(card(-2))];
    sim.done(&vm, RECONFIGURE, args![spec = spec(changes)]);
    let card = sim.devices(&vm, ty::VirtualEthernetCard).pop().expect("a card");
    let connected = card.at(path!(VirtualDevice, "connectable.connected"));
    assert_eq!(connected.and_then(Value::as_bool), Some(true));
    let floppy = object!(VirtualFloppy { key: -3, controllerKey: 400 });
    let outcome = sim.fails(
        &vm,
        RECONFIGURE,
        args![spec = spec(vec![add(floppy.clone())])],
        ty::InvalidPowerState,
    );
    assert_eq!(power::power_fault(outcome.fault()), ("poweredOff", "poweredOn"));
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    sim.done(&vm, RECONFIGURE, args![spec = spec(vec![add(floppy)])]);
    assert_eq!(keys(&sim, &vm, ty::VirtualFloppy), [8000]);
}

#[test]
fn a_disk_that_is_kept_can_be_used_again() {
    let (sim, vm) = with_machine_off();
    let file = "[LocalDS_0] DC0_H0_VM0/DC0_H0_VM0_1.vmdk";
    let existing = || {
        let backing =
            object!(VirtualDiskFlatVer2BackingInfo { fileName: file, diskMode: "persistent" });
        let disk = disk(-1, 1000, None, 0);
        let disk = disk.with(const { ty::VirtualDevice.slot("backing") }, backing);
        spec(vec![object!(VirtualDeviceConfigSpec { operation: "add", device: disk })])
    };
    sim.done(&vm, RECONFIGURE, args![spec = spec(vec![add(disk(-1, 1000, None, 4096))])]);
    let second = |sim: &Sim, vm: &MoRef| sim.devices(vm, ty::VirtualDisk).pop().expect("a disk");
    sim.done(&vm, RECONFIGURE, args![spec = spec(vec![remove(second(&sim, &vm))])]);
    let other = sim.vm("DC0_H0_VM1");
    sim.done(&other, RECONFIGURE, args![spec = existing()]);
    let held = second(&sim, &other);
    assert_eq!(devices::file(&held), file);
    assert_eq!(held.at(path!(VirtualDisk, "capacityInKB")).and_then(Value::as_i64), Some(4096));
    let destroy = object!(VirtualDeviceConfigSpec {
        operation: "remove",
        fileOperation: "destroy",
        device: held,
    });
    sim.done(&other, RECONFIGURE, args![spec = spec(vec![destroy])]);
    sim.fails(&vm, RECONFIGURE, args![spec = existing()], ty::FileNotFound);
}
