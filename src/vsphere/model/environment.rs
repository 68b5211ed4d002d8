//! What an EnvironmentBrowser knows: which hardware versions there are, and
//! what a machine of one can have.

use super::catalog::Catalog;
use super::data::Bundle;
use super::guest_os;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::ty;
use crate::value::{Array, MoRef, Object, Value};
use crate::{object, path};

/// The hardware versions, newest first, with the release that brought each.
const VERSIONS: [(&str, &str); 12] = [
    ("vmx-22", "ESX 9.0"),
    ("vmx-21", "ESXi 8.0 U2"),
    ("vmx-20", "ESXi 8.0"),
    ("vmx-19", "ESXi 7.0 U2"),
    ("vmx-18", "ESXi 7.0 U1"),
    ("vmx-17", "ESXi 7.0"),
    ("vmx-15", "ESXi 6.7 U2"),
    ("vmx-14", "ESXi 6.7"),
    ("vmx-13", "ESXi 6.5"),
    ("vmx-11", "ESXi 6.0"),
    ("vmx-10", "ESXi 5.5"),
    ("vmx-09", "ESXi 5.1"),
];

/// The hardware versions that a release has.
fn versions(catalog: &Catalog) -> impl Iterator<Item = (&'static str, &'static str)> {
    let newest = catalog.release().hardware_version();
    VERSIONS.into_iter().skip_while(move |(version, _)| *version != newest)
}

/// Whether machines can have the hardware version.
pub fn supports(catalog: &Catalog, version: &str) -> bool {
    versions(catalog).any(|(known, _)| known == version)
}

/// The hardware versions that machines on `hosts` can have (`QueryConfigOptionDescriptor`).
pub fn descriptors(catalog: &Catalog, hosts: &[MoRef]) -> Array {
    let newest = catalog.release().hardware_version();
    let descriptor = |(version, release): (&str, &str)| {
        Value::from(object!(VirtualMachineConfigOptionDescriptor {
            key: version,
            description: release,
            host: hosts,
            createSupported: true,
            defaultConfigOption: version == newest,
            runSupported: true,
            upgradeSupported: true,
        }))
    };
    Array::new(
        ty::VirtualMachineConfigOptionDescriptor,
        versions(catalog).map(descriptor).collect(),
    )
}

/// What machines of a hardware version can have (`QueryConfigOption`): for all
/// guests, or for those with one of the ids. Nothing for an unknown version.
pub fn config_option(
    catalog: &Catalog,
    version: Option<&str>,
    guest_ids: &[&str],
) -> Result<Option<Object>, Fault> {
    let wanted = version.unwrap_or(catalog.release().hardware_version());
    let Some((version, release)) = versions(catalog).find(|(known, _)| *known == wanted) else {
        return Ok(None);
    };
    let guests = guest_os::all().iter();
    let guests = guests.filter(|guest| guest_ids.is_empty() || guest_ids.contains(&guest.id));
    let guests = guests.map(|guest| Value::from(guest.descriptor())).collect();
    let number: i32 = version.trim_start_matches("vmx-").parse().unwrap_or_default();
    let devices = catalog.vm().devices().to_vec();
    let text = include_str!("data/config-option.json");
    let bundle = Bundle::load(
        "config-option.json",
        text,
        &[
            ("version", version.into()),
            ("description", release.into()),
            ("number", number.into()),
            ("guests", Array::new(ty::GuestOsDescriptor, guests).into()),
            ("capabilities", catalog.vm().capability().into()),
            ("devices", Array::new(ty::VirtualDevice, devices).into()),
        ],
    )?;
    Ok(Some(bundle.get("option", ty::VirtualMachineConfigOption)?))
}

/// What machines on a compute resource can be connected to (`QueryConfigTarget`).
pub fn config_target(read: &impl Read, compute: &MoRef) -> Object {
    let hosts = read.morefs(compute, path!(ComputeResource, "host"));
    let number =
        |host: &MoRef, path| read.at(host, path).and_then(Value::as_i64).unwrap_or_default();
    let most = |path| hosts.iter().map(|host| number(host, path)).max().unwrap_or_default();
    let threads = most(path!(HostSystem, "summary.hardware.numCpuThreads"));
    let memory = most(path!(HostSystem, "summary.hardware.memorySize")) >> 20;
    let stores = read.morefs(compute, path!(ComputeResource, "datastore"));
    let networks = read.morefs(compute, path!(ComputeResource, "network"));
    let of_type = |ty| networks.iter().filter(move |network| network.ty() == ty);
    let standard = of_type(ty::Network).map(|network| {
        object!(VirtualMachineNetworkInfo {
            name: read.text(network, path!(Network, "name")),
            network: read.at(network, path!(Network, "summary")),
            vswitch: "vSwitch0",
        })
    });
    let opaque = of_type(ty::OpaqueNetwork).map(|network| {
        object!(OpaqueNetworkTargetInfo {
            name: read.text(network, path!(Network, "name")),
            network: read.at(network, path!(Network, "summary")),
            networkReservationSupported: false,
        })
    });
    let groups = of_type(ty::DistributedVirtualPortgroup);
    let pool = read.moref(compute, path!(ComputeResource, "resourcePool"));
    object!(ConfigTarget {
        numCpus: threads,
        numCpuCores: most(path!(HostSystem, "summary.hardware.numCpuCores")),
        numNumaNodes: most(path!(HostSystem, "hardware.numaInfo.numNodes")),
        maxCpusPerHost: threads,
        smcPresent: false,
        datastore: stores.iter().map(|store| datastore_info(read, store)).collect::<Vec<_>>(),
        network: standard.collect::<Vec<_>>(),
        opaqueNetwork: opaque.collect::<Vec<_>>(),
        distributedVirtualPortgroup: groups.map(|g| portgroup_info(read, g)).collect::<Vec<_>>(),
        distributedVirtualSwitch: switch_infos(read, &networks),
        maxMemMBOptimalPerf: memory,
        supportedMaxMemMB: 25_165_824,
        resourcePool: pool.and_then(|pool| read.at(pool, path!(ResourcePool, "runtime"))),
        autoVmotion: false,
    })
}

fn datastore_info(read: &impl Read, store: &MoRef) -> Object {
    let at = |path| read.at(store, path).cloned();
    object!(VirtualMachineDatastoreInfo {
        name: read.text(store, path!(Datastore, "name")),
        datastore: at(path!(Datastore, "summary")),
        capability: at(path!(Datastore, "capability")),
        maxFileSize: at(path!(Datastore, "info.maxFileSize")),
        maxVirtualDiskCapacity: at(path!(Datastore, "info.maxVirtualDiskCapacity")),
        mode: "readWrite",
        vStorageSupport: "vStorageSupported",
    })
}

fn portgroup_info(read: &impl Read, group: &MoRef) -> Object {
    let switch = path!(DistributedVirtualPortgroup, "config.distributedVirtualSwitch");
    let switch = read.moref(group, switch);
    let of_switch = |path| switch.map_or("", |switch| read.text(switch, path));
    object!(DistributedVirtualPortgroupInfo {
        switchName: of_switch(path!(ManagedEntity, "name")),
        switchUuid: of_switch(path!(DistributedVirtualSwitch, "uuid")),
        portgroupName: read.text(group, path!(ManagedEntity, "name")),
        portgroupKey: group.id(),
        portgroupType: read.text(group, path!(DistributedVirtualPortgroup, "config.type")),
        uplinkPortgroup: read.at(group, path!(DistributedVirtualPortgroup, "config.uplink")),
        portgroup: group,
        networkReservationSupported: false,
    })
}

fn switch_infos(read: &impl Read, networks: &[MoRef]) -> Vec<Object> {
    let place = path!(DistributedVirtualPortgroup, "config.distributedVirtualSwitch");
    let mut switches: Vec<&MoRef> = networks
        .iter()
        .filter(|n| n.ty().is_a(ty::DistributedVirtualPortgroup))
        .filter_map(|n| read.moref(n, place))
        .collect();
    switches.sort();
    switches.dedup();
    let info = |switch: &MoRef| {
        object!(DistributedVirtualSwitchInfo {
            switchName: read.text(switch, path!(ManagedEntity, "name")),
            switchUuid: read.text(switch, path!(DistributedVirtualSwitch, "uuid")),
            distributedVirtualSwitch: switch,
            networkReservationSupported: true,
        })
    };
    switches.into_iter().map(info).collect()
}
