//! Guests that are customized, instant clones, tools, tickets, disks of their own.

use super::*;
use vimsim::object;

const POWER: &vimsim::schema::StaticPath = path!(VirtualMachine, "runtime.powerState");
const PENDING: &vimsim::schema::StaticPath =
    path!(VirtualMachine, "config.tools.pendingCustomization");

fn nic(ip: &str) -> Object {
    object!(CustomizationAdapterMapping {
        adapter: object!(CustomizationIPSettings {
            ip: object!(CustomizationFixedIp { ipAddress: ip }),
            subnetMask: "255.255.255.0",
        }),
    })
}

fn spec(name: &str, nics: Vec<Object>) -> Object {
    object!(CustomizationSpec {
        identity: object!(CustomizationLinuxPrep {
            hostName: object!(CustomizationFixedName { name: name }),
            domain: "example.org",
        }),
        globalIPSettings: object!(CustomizationGlobalIPSettings {}),
        nicSettingMap: nics,
    })
}

fn guest(sim: &Sim, vm: &MoRef) -> (String, String) {
    let text = |path| sim.text(vm, path);
    (text(path!(VirtualMachine, "guest.hostName")), text(path!(VirtualMachine, "guest.ipAddress")))
}

#[test]
fn a_guest_is_customized_when_its_machine_starts() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let good = || spec("web", vec![nic("10.0.0.7")]);
    sim.fails(&vm, method::CustomizeVM_Task, args![spec = good()], ty::InvalidPowerState);
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    let two = || spec("web", vec![nic("10.0.0.7"), nic("10.0.0.8")]);
    sim.fails(&vm, method::CustomizeVM_Task, args![spec = two()], ty::NicSettingMismatch);
    sim.refused(&vm, method::CheckCustomizationSpec, args![spec = two()], ty::NicSettingMismatch);
    sim.call(&vm, method::CheckCustomizationSpec, args![spec = good()]).expect("it fits");
    sim.done(&vm, method::CustomizeVM_Task, args![spec = good()]);
    assert!(sim.text(&vm, PENDING).starts_with("imcf-"));
    sim.fails(&vm, method::CustomizeVM_Task, args![spec = good()], ty::CustomizationPending);
    sim.done(&vm, method::PowerOnVM_Task, args![]);
    assert_eq!(guest(&sim, &vm), ("web".into(), "10.0.0.7".into()));
    assert_eq!(sim.text(&vm, PENDING), "");
    let status = path!(VirtualMachine, "guest.customizationInfo");
    let status = sim.snapshot().at(&vm, status).and_then(Value::as_object).cloned();
    let status = status.expect("a status").field("customizationStatus").cloned();
    assert_eq!(status, Some(Value::from("TOOLSDEPLOYPKG_SUCCEEDED")));
    // It stays so.
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    sim.done(&vm, method::PowerOnVM_Task, args![]);
    assert_eq!(guest(&sim, &vm), ("web".into(), "10.0.0.7".into()));
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    sim.done(&vm, method::Destroy_Task, args![]);
    let kept = sim.snapshot().of_type(ty::CustomizationSpec).count();
    assert_eq!(kept, 0);
}

#[test]
fn a_clone_brings_its_customization() {
    let sim = Sim::new();
    let (source, folder) = (sim.vm("DC0_H0_VM0"), sim.vm_folder());
    let clone = |customization: Object| {
        object!(VirtualMachineCloneSpec {
            location: object!(VirtualMachineRelocateSpec {}),
            template: false,
            powerOn: true,
            customization: customization,
        })
    };
    let wrong = clone(spec("x", vec![nic("10.0.0.1"), nic("10.0.0.2")]));
    let args = args![folder = folder.clone(), name = "copy".to_owned(), spec = wrong];
    sim.fails(&source, method::CloneVM_Task, args, ty::NicSettingMismatch);
    let right = clone(spec("x", vec![nic("10.0.0.1")]));
    let args = args![folder = folder, name = "copy".to_owned(), spec = right];
    let copy = sim.done(&source, method::CloneVM_Task, args).moref();
    assert_eq!(guest(&sim, &copy), ("x".into(), "10.0.0.1".into()));
}

#[test]
fn an_instant_clone_runs_as_its_source_does() {
    let sim = Sim::new();
    let source = sim.vm("DC0_H0_VM0");
    let spec = || {
        object!(VirtualMachineInstantCloneSpec {
            name: "instant",
            location: object!(VirtualMachineRelocateSpec {}),
            config: [object!(OptionValue { key: "guestinfo.a", value: Value::from("b") })],
        })
    };
    let copy = sim.done(&source, method::InstantClone_Task, args![spec = spec()]).moref();
    assert_eq!(sim.text(&copy, POWER), "poweredOn");
    let host = path!(VirtualMachine, "runtime.host");
    assert_eq!(sim.snapshot().moref(&copy, host), sim.snapshot().moref(&source, host));
    let disk = sim.devices(&copy, ty::VirtualDisk).remove(0);
    let backing = disk.field("backing").and_then(Value::as_object).expect("a backing").clone();
    assert!(backing.field("parent").is_some(), "a child disk");
    // There is no second task: it has never been off.
    let snapshot = sim.snapshot();
    let starts = snapshot.of_type(ty::Task).filter(|(mo, _)| {
        snapshot.text(mo, path!(Task, "info.descriptionId")) == "Datacenter.ExecuteVmPowerOnLRO"
    });
    assert_eq!(starts.count(), 0);
    sim.fails(&source, method::InstantClone_Task, args![spec = spec()], ty::DuplicateName);
    sim.done(&source, method::PowerOffVM_Task, args![]);
    let args = args![spec = spec()];
    sim.fails(&source, method::InstantClone_Task, args, ty::InvalidPowerState);
    // A disk of its own.
    sim.done(&copy, method::PromoteDisks_Task, args![unlink = true]);
    let disk = sim.devices(&copy, ty::VirtualDisk).remove(0);
    let backing = disk.field("backing").and_then(Value::as_object).expect("a backing").clone();
    assert!(backing.field("parent").is_none());
    let args = args![unlink = true, disks = vec![devices::disk(77, 1000, None, 4096)]];
    sim.fails(&copy, method::PromoteDisks_Task, args, ty::InvalidArgument);
}

#[test]
fn small_things_need_the_right_power_state() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    sim.done(&vm, method::UpgradeTools_Task, args![]);
    let ticket = sim.call(&vm, method::AcquireTicket, args![ticketType = "webmks".to_owned()]);
    let ticket = ticket.expect("a ticket").expect("a ticket");
    let url = ticket.as_object().and_then(|it| it.field("url")).and_then(Value::as_str);
    assert!(url.is_some_and(|url| url.starts_with("wss://DC0_H0:443/ticket/")), "{url:?}");
    let wrong = args![ticketType = "none".to_owned()];
    sim.refused(&vm, method::AcquireTicket, wrong, ty::InvalidArgument);
    sim.refused(&vm, method::DefragmentAllDisks, args![], ty::InvalidPowerState);
    sim.refused(&vm, method::ResetGuestInformation, args![], ty::InvalidPowerState);
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    sim.call(&vm, method::DefragmentAllDisks, args![]).expect("done");
    sim.call(&vm, method::ResetGuestInformation, args![]).expect("done");
    assert_eq!(sim.text(&vm, path!(VirtualMachine, "guest.hostName")), "");
    sim.refused(&vm, method::AcquireMksTicket, args![], ty::InvalidPowerState);
    sim.fails(&vm, method::UpgradeTools_Task, args![], ty::InvalidPowerState);
}
