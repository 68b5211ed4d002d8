//! Distributed switches, their members and port groups.

use super::*;
use vimsim::object;

const GROUPS: &vimsim::schema::StaticPath = path!(DistributedVirtualSwitch, "portgroup");

fn network_folder(sim: &Sim) -> MoRef {
    let datacenter = sim.find(ty::Datacenter, "DC0");
    let snapshot = sim.snapshot();
    snapshot.moref(&datacenter, path!(Datacenter, "networkFolder")).expect("a folder").clone()
}

fn member(host: &MoRef, operation: &str) -> Object {
    object!(DistributedVirtualSwitchHostMemberConfigSpec {
        operation: operation,
        host: host,
        backing: object!(DistributedVirtualSwitchHostMemberPnicBacking {
            pnicSpec: [object!(DistributedVirtualSwitchHostMemberPnicSpec {
                pnicDevice: "vmnic1"
            })],
        }),
    })
}

/// A switch with one host.
fn switch(sim: &Sim, name: &str, host: &MoRef) -> MoRef {
    let config = object!(VMwareDVSConfigSpec {
        name: name,
        maxMtu: 9000,
        description: "of mine",
        host: [member(host, "add")],
        uplinkPortPolicy: object!(DVSNameArrayUplinkPortPolicy { uplinkPortName: ["up"] }),
    });
    let spec = object!(DVSCreateSpec { configSpec: config });
    sim.done(&network_folder(sim), method::CreateDVS_Task, args![spec = spec]).moref()
}

fn group_spec(name: &str, vlan: i32) -> Object {
    object!(DVPortgroupConfigSpec {
        name: name,
        type: "earlyBinding",
        numPorts: 16,
        defaultPortConfig: object!(VMwareDVSPortSetting {
            vlan: object!(VmwareDistributedVirtualSwitchVlanIdSpec {
                inherited: false,
                vlanId: vlan
            }),
        }),
    })
}

fn vlan(sim: &Sim, group: &MoRef) -> Option<i64> {
    let path = path!(DistributedVirtualPortgroup, "config.defaultPortConfig");
    let snapshot = sim.snapshot();
    let setting = snapshot.at(group, path).and_then(Value::as_object)?;
    setting.field("vlan")?.as_object()?.field("vlanId")?.as_i64()
}

fn ports(sim: &Sim, switch: &MoRef, criteria: Object) -> Vec<Object> {
    let found = sim.call(switch, method::FetchDVPorts, args![criteria = criteria]).expect("ports");
    let found = found.expect("a list");
    found.items().iter().map(|port| port.as_object().expect("a port").clone()).collect()
}

#[test]
fn a_switch_is_made_with_its_members_and_groups() {
    let sim = Sim::new();
    let (host, other) = (sim.find(ty::HostSystem, "DC0_H0"), sim.find(ty::HostSystem, "DC0_C0_H0"));
    let switch = switch(&sim, "mine", &host);
    assert_eq!(sim.number(&switch, path!(DistributedVirtualSwitch, "summary.numHosts")), 1);
    let spec = vec![group_spec("one", 7), group_spec("two", 8)];
    let answer = sim.done(&switch, method::AddDVPortgroup_Task, args![spec = spec]);
    assert_eq!(answer.result, None);
    let two = sim.find(ty::DistributedVirtualPortgroup, "two");
    assert_eq!(vlan(&sim, &two), Some(8));
    let datacenter = sim.find(ty::Datacenter, "DC0");
    let of_datacenter =
        |sim: &Sim| sim.snapshot().morefs(&datacenter, path!(Datacenter, "network"));
    assert!(of_datacenter(&sim).contains(&two));
    assert_eq!(sim.snapshot().morefs(&switch, GROUPS).len(), 3);
    let made =
        sim.done(&switch, method::CreateDVPortgroup_Task, args![spec = group_spec("three", 9)]);
    assert_eq!(made.moref(), sim.find(ty::DistributedVirtualPortgroup, "three"));
    let taken = args![spec = group_spec("three", 9)];
    sim.fails(&switch, method::CreateDVPortgroup_Task, taken, ty::DuplicateName);
    // Who becomes a member has the groups, and so has its cluster.
    let networks = |mo: &MoRef, path| sim.snapshot().morefs(mo, path);
    let cluster = sim.find(ty::ClusterComputeResource, "DC0_C0");
    assert!(!networks(&cluster, path!(ComputeResource, "network")).contains(&two));
    let join = object!(DVSConfigSpec { configVersion: "2", host: [member(&other, "add")] });
    sim.done(&switch, method::ReconfigureDvs_Task, args![spec = join.clone()]);
    assert!(networks(&other, path!(HostSystem, "network")).contains(&two));
    assert!(networks(&cluster, path!(ComputeResource, "network")).contains(&two));
    sim.fails(&switch, method::ReconfigureDvs_Task, args![spec = join], ty::ConcurrentAccess);
    let again = object!(DVSConfigSpec { host: [member(&other, "add")] });
    sim.fails(&switch, method::ReconfigureDvs_Task, args![spec = again], ty::AlreadyExists);
    let uplinks =
        object!(DistributedVirtualSwitchPortCriteria { uplinkPort: true, connected: true });
    assert_eq!(ports(&sim, &switch, uplinks).len(), 2);
    let leave = object!(DVSConfigSpec { name: "renamed", host: [member(&other, "remove")] });
    sim.done(&switch, method::ReconfigureDvs_Task, args![spec = leave.clone()]);
    assert!(!networks(&cluster, path!(ComputeResource, "network")).contains(&two));
    assert_eq!(sim.find(ty::DistributedVirtualSwitch, "renamed"), switch);
    sim.fails(&switch, method::ReconfigureDvs_Task, args![spec = leave], ty::NotFound);
    sim.done(&switch, method::Destroy_Task, args![]);
    assert!(!sim.snapshot().exists(&two) && !of_datacenter(&sim).contains(&two));
}

#[test]
fn a_port_group_is_changed_used_and_found() {
    let sim = Sim::new();
    let host = sim.find(ty::HostSystem, "DC0_H0");
    let switch = switch(&sim, "mine", &host);
    let group = sim
        .done(&switch, method::CreateDVPortgroup_Task, args![spec = group_spec("web", 7)])
        .moref();
    let uuid = sim.text(&switch, path!(DistributedVirtualSwitch, "uuid"));
    let vm = sim.vm("DC0_H0_VM0");
    let mut nic = sim.devices(&vm, ty::VirtualEthernetCard).remove(0);
    let backing = object!(VirtualEthernetCardDistributedVirtualPortBackingInfo {
        port: object!(DistributedVirtualSwitchPortConnection {
            switchUuid: uuid.as_str(),
            portgroupKey: group.id(),
        }),
    });
    nic = nic.with(ty::VirtualDevice.slot("backing"), backing);
    let change = object!(VirtualDeviceConfigSpec { operation: "edit", device: nic });
    let spec = object!(VirtualMachineConfigSpec { deviceChange: [change] });
    sim.done(&vm, method::ReconfigVM_Task, args![spec = spec]);
    assert_eq!(sim.snapshot().morefs(&group, path!(Network, "vm")), std::slice::from_ref(&vm));
    let criteria =
        object!(DistributedVirtualSwitchPortCriteria { portgroupKey: [group.id()], inside: true });
    let all = ports(&sim, &switch, criteria);
    assert_eq!(all.len(), 16);
    assert_eq!(all.iter().filter(|port| port.field("connectee").is_some()).count(), 1);
    let spec = object!(DVPortgroupConfigSpec {
        configVersion: "1",
        name: "db",
        numPorts: 4,
        description: "d",
        defaultPortConfig: object!(VMwareDVSPortSetting {
            blocked: object!(BoolPolicy { inherited: false, value: true }),
        }),
    });
    sim.done(&group, method::ReconfigureDVPortgroup_Task, args![spec = spec.clone()]);
    assert_eq!(vlan(&sim, &group), Some(7), "what is left out stays");
    let keys = path!(DistributedVirtualPortgroup, "portKeys");
    assert_eq!(sim.snapshot().at(&group, keys).map(|keys| keys.items().len()), Some(4));
    assert_eq!(sim.find(ty::DistributedVirtualPortgroup, "db"), group);
    sim.fails(
        &group,
        method::ReconfigureDVPortgroup_Task,
        args![spec = spec],
        ty::ConcurrentAccess,
    );
    let none = object!(DVPortgroupConfigSpec { numPorts: 0 });
    sim.fails(&group, method::ReconfigureDVPortgroup_Task, args![spec = none], ty::ResourceInUse);
    let leave = object!(DVSConfigSpec { host: [member(&host, "remove")] });
    sim.fails(&switch, method::ReconfigureDvs_Task, args![spec = leave], ty::ResourceInUse);
    // By keys.
    let manager = sim.snapshot();
    let manager = manager.of_type(ty::DistributedVirtualSwitchManager).next().expect("one").0;
    let args = args![switchUuid = uuid.clone(), portgroupKey = group.id().to_owned()];
    let found = sim.call(manager, method::DVSManagerLookupDvPortGroup, args).expect("a group");
    assert_eq!(found, Some(Value::from(&group)));
    let found = sim.call(manager, method::QueryDvsByUuid, args![uuid = uuid]).expect("a switch");
    assert_eq!(found, Some(Value::from(&switch)));
    let args = args![uuid = "none".to_owned()];
    sim.refused(manager, method::QueryDvsByUuid, args, ty::NotFound);
}
