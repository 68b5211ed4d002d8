//! What a virtual machine's guest tells about itself.

use super::super::guest_os::family;
use super::super::{device, identity};
use crate::inventory::Read;
use crate::schema::ty;
use crate::value::{MoRef, Object, Value};
use crate::{object, path};

/// The version of the tools that guests run, as `guest.toolsVersion` has it.
const TOOLS_VERSION: &str = "12389";

/// `guest` of a machine with this configuration. A name or an address that the
/// guest has already stays; a running guest without one gets one.
pub(super) fn guest(
    read: &impl Read,
    vm: &MoRef,
    config: &Object,
    on: bool,
    old: Option<&Object>,
) -> Object {
    let text = |field: &str| config.field(field).and_then(Value::as_str).unwrap_or_default();
    let had = |field: &str| old.and_then(|old| old.field(field)).and_then(Value::as_str);
    if !on {
        return object!(GuestInfo {
            toolsStatus: "toolsNotRunning",
            toolsVersionStatus: "guestToolsUnmanaged",
            toolsVersionStatus2: "guestToolsUnmanaged",
            toolsRunningStatus: "guestToolsNotRunning",
            toolsVersion: TOOLS_VERSION,
            toolsInstallType: "guestToolsTypeOpenVMTools",
            guestId: text("guestId"),
            guestFamily: family(text("guestId")),
            guestFullName: text("guestFullName"),
            hostName: had("hostName"),
            net: Vec::<Value>::new(),
            guestState: "notRunning",
            appHeartbeatStatus: "appStatusGray",
            guestOperationsReady: false,
            interactiveGuestOperationsReady: false,
            guestStateChangeSupported: false,
            hwVersion: text("version"),
        });
    }
    let host_name = had("hostName").map_or_else(|| host_name(text("name")), str::to_owned);
    let ip = had("ipAddress").map_or_else(|| address(vm), str::to_owned);
    let adapters = device::of_type(config, ty::VirtualEthernetCard);
    let net: Vec<Object> = adapters
        .enumerate()
        .map(|(at, nic)| adapter(read, nic, (at == 0).then_some(&ip)))
        .collect();
    object!(GuestInfo {
        toolsStatus: "toolsOk",
        toolsVersionStatus: "guestToolsUnmanaged",
        toolsVersionStatus2: "guestToolsUnmanaged",
        toolsRunningStatus: "guestToolsRunning",
        toolsVersion: TOOLS_VERSION,
        toolsInstallType: "guestToolsTypeOpenVMTools",
        guestId: text("guestId"),
        guestFamily: family(text("guestId")),
        guestFullName: text("guestFullName"),
        hostName: host_name,
        ipAddress: (!net.is_empty()).then_some(&ip),
        net: net,
        ipStack: Vec::<Value>::new(),
        disk: Vec::<Value>::new(),
        screen: object!(GuestScreenInfo { width: 800, height: 600 }),
        guestState: "running",
        appHeartbeatStatus: "appStatusGray",
        guestKernelCrashed: false,
        appState: "none",
        guestOperationsReady: true,
        interactiveGuestOperationsReady: false,
        guestStateChangeSupported: true,
        hwVersion: text("version"),
    })
}

fn adapter(read: &impl Read, nic: &Object, ip: Option<&String>) -> Object {
    let mac = nic.field("macAddress").and_then(Value::as_str);
    let network = network_name(read, nic);
    let config = ip.map(|ip| {
        object!(NetIpConfigInfo {
            ipAddress: [object!(NetIpConfigInfoIpAddress {
                ipAddress: ip,
                prefixLength: 16,
                state: "preferred",
            })],
        })
    });
    object!(GuestNicInfo {
        network: network,
        ipAddress: ip.into_iter().cloned().collect::<Vec<_>>(),
        macAddress: mac,
        connected: true,
        deviceConfigId: device::key(nic),
        ipConfig: config,
    })
}

/// The name of the network that an adapter is connected to.
fn network_name(read: &impl Read, nic: &Object) -> Option<String> {
    let backing = nic.field("backing")?.as_object()?;
    if let Some(name) = backing.field("deviceName").and_then(Value::as_str) {
        return Some(name.to_owned());
    }
    let key = backing.field("port")?.as_object()?.field("portgroupKey")?.as_str()?.to_owned();
    let group = MoRef::new(ty::DistributedVirtualPortgroup, &key);
    Some(read.text(&group, path!(ManagedEntity, "name")).to_owned()).filter(|name| !name.is_empty())
}

/// The address that a machine gets.
pub(in super::super) fn address(vm: &MoRef) -> String {
    identity::ip(1, number(vm))
}

/// The number in a generated id.
pub(in super::super) fn number(vm: &MoRef) -> u64 {
    let digits = vm.id().rsplit_once('-').map_or(vm.id(), |(_, digits)| digits);
    digits.parse().unwrap_or_default()
}

/// The machine's name as a host name: what such a name cannot hold becomes a hyphen.
pub(in super::super) fn host_name(name: &str) -> String {
    let letters =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    letters.collect::<String>().trim_matches('-').to_owned()
}
