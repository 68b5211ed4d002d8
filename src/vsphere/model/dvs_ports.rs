//! The ports of distributed switches: how many a port group has, and what is
//! connected to each (`FetchDVPorts`).

use super::{device, put};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::schema::ty;
use crate::value::{Array, MoRef, Object, Value};
use crate::{object, path};

/// Ports are added by so many at a time.
const STEP: usize = 8;

/// Gives a port group as many ports as machines are connected to it, if it has fewer.
pub(super) fn expand(tx: &mut Transaction, group: &MoRef) -> Result<(), Fault> {
    let keys = path!(DistributedVirtualPortgroup, "portKeys");
    let needed = tx.at(group, path!(Network, "vm")).map_or(0, |list| list.elements().len());
    let have = tx.at(group, keys).map_or(0, |list| list.elements().len());
    if needed <= have { Ok(()) } else { resize(tx, group, needed.next_multiple_of(STEP)) }
}

/// Gives a port group so many ports; the last ones go first.
pub fn resize(tx: &mut Transaction, group: &MoRef, count: usize) -> Result<(), Fault> {
    let keys = path!(DistributedVirtualPortgroup, "portKeys");
    let have = tx.at(group, keys).map_or(0, |list| list.elements().len());
    let switch = path!(DistributedVirtualPortgroup, "config.distributedVirtualSwitch");
    let Some(switch) = tx.moref(group, switch).cloned() else { return Ok(()) };
    let groups = tx.morefs(&switch, path!(DistributedVirtualSwitch, "portgroup"));
    let last = groups.iter().filter_map(|group| {
        let keys = tx.at(group, keys)?.items();
        // They are in ascending order, each group's.
        keys.iter().rev().find_map(|key| key.as_str()?.parse::<usize>().ok())
    });
    let first = last.max().map_or(0, |last| last + 1);
    let all = tx.at(group, keys).map_or(&[][..], Value::items).to_vec();
    let new = (first..first + count.saturating_sub(have)).map(|port| Value::from(port.to_string()));
    let all = Array::new(ty::STRING, all.into_iter().chain(new).take(count).collect());
    let number = |count: usize| i64::try_from(count).unwrap_or_default();
    tx.set(group, keys, all)?;
    tx.set(group, path!(DistributedVirtualPortgroup, "config.numPorts"), number(count))?;
    let added = number(count) - number(have);
    for place in [
        path!(DistributedVirtualSwitch, "config.numPorts"),
        path!(DistributedVirtualSwitch, "summary.numPorts"),
    ] {
        let before = tx.at(&switch, place).and_then(Value::as_i64).unwrap_or_default();
        tx.set(&switch, place, before + added)?;
    }
    Ok(())
}

/// The ports of a switch's port groups: of all, or of those with one of the
/// keys. A group's machines are on its first ports, in the order in which they
/// are listed; uplinks are on the hosts.
pub fn ports(read: &impl Read, switch: &MoRef, keys: &[&str]) -> Vec<Object> {
    let groups = read.morefs(switch, path!(DistributedVirtualSwitch, "portgroup"));
    let groups = groups.iter().filter(|group| keys.is_empty() || keys.contains(&group.id()));
    groups.flat_map(|group| of_group(read, switch, group)).collect()
}

fn of_group(read: &impl Read, switch: &MoRef, group: &MoRef) -> Vec<Object> {
    let at = |path| read.at(group, path);
    let uplink = at(path!(DistributedVirtualPortgroup, "config.uplink"));
    let uplink = uplink.and_then(Value::as_bool).unwrap_or_default();
    let keys = at(path!(DistributedVirtualPortgroup, "portKeys")).map_or(&[][..], Value::items);
    let created = read.at(switch, path!(DistributedVirtualSwitch, "config.createTime"));
    let config = object!(DVPortConfigInfo {
        setting: at(path!(DistributedVirtualPortgroup, "config.defaultPortConfig")),
        configVersion: "0",
    });
    let connections = if uplink { uplinks(read, switch) } else { adapters(read, group) };
    let mut connections = connections.into_iter();
    let port = |key: &Value| {
        let connection = connections.next();
        let mut port = object!(DistributedVirtualPort {
            key: key,
            config: &config,
            dvsUuid: read.text(switch, path!(DistributedVirtualSwitch, "uuid")),
            portgroupKey: group.id(),
            conflict: false,
            lastStatusChange: created,
            hostLocalPort: false,
        })
        .edit();
        if let Some(Connection { host, connectee, mac }) = connection {
            put!(
                port,
                DistributedVirtualPort {
                    proxyHost: host,
                    connectee: connectee,
                    state: state(mac.as_deref()),
                }
            );
        }
        port.finish()
    };
    keys.iter().map(port).collect()
}

struct Connection {
    host: Option<MoRef>,
    connectee: Object,
    mac: Option<String>,
}

/// The adapters that are connected to a port group.
fn adapters(read: &impl Read, group: &MoRef) -> Vec<Connection> {
    let mut found = Vec::new();
    for vm in read.morefs(group, path!(Network, "vm")) {
        let Some(config) = read.at(&vm, path!(VirtualMachine, "config")).and_then(Value::as_object)
        else {
            continue;
        };
        let here = device::of_type(config, ty::VirtualEthernetCard).filter(|nic| {
            let key = nic.field("backing").and_then(Value::as_object).and_then(|b| b.field("port"));
            let key = key.and_then(Value::as_object).and_then(|port| port.field("portgroupKey"));
            key.and_then(Value::as_str) == Some(group.id())
        });
        found.extend(here.map(|nic| Connection {
            host: read.moref(&vm, path!(VirtualMachine, "runtime.host")).cloned(),
            connectee: object!(DistributedVirtualSwitchPortConnectee {
                connectedEntity: &vm,
                nicKey: device::key(nic).to_string(),
                type: "vmVnic",
            }),
            mac: nic.field("macAddress").and_then(Value::as_str).map(str::to_owned),
        }));
    }
    found
}

/// The adapters of the hosts that are a switch's uplinks.
fn uplinks(read: &impl Read, switch: &MoRef) -> Vec<Connection> {
    let members = read.at(switch, path!(DistributedVirtualSwitch, "config.host"));
    let members = members.map_or(&[][..], Value::items).iter().filter_map(Value::as_object);
    let mut found = Vec::new();
    for member in members {
        let host = member.at(path!(DistributedVirtualSwitchHostMember, "config.host"));
        let Some(host) = host.and_then(Value::as_moref) else { continue };
        let backing = member.at(path!(DistributedVirtualSwitchHostMember, "config.backing"));
        let nics = backing.and_then(Value::as_object).and_then(|it| it.field("pnicSpec"));
        let nics = nics.map_or(&[][..], Value::items).iter().filter_map(Value::as_object);
        found.extend(nics.filter_map(|nic| nic.field("pnicDevice")).map(|nic| Connection {
            host: Some(host.clone()),
            connectee: object!(DistributedVirtualSwitchPortConnectee {
                connectedEntity: host,
                nicKey: nic,
                type: "pnic",
            }),
            mac: None,
        }));
    }
    found
}

fn state(mac: Option<&str>) -> Object {
    object!(DVPortState {
        runtimeInfo: object!(DVPortStatus {
            linkUp: true,
            blocked: false,
            trunkingMode: false,
            mtu: 1500,
            macAddress: mac,
        }),
        stats: object!(DistributedVirtualSwitchPortStatistics {
            packetsInMulticast: 0,
            packetsOutMulticast: 0,
            bytesInMulticast: 0,
            bytesOutMulticast: 0,
            packetsInUnicast: 0,
            packetsOutUnicast: 0,
            bytesInUnicast: 0,
            bytesOutUnicast: 0,
            packetsInBroadcast: 0,
            packetsOutBroadcast: 0,
            bytesInBroadcast: 0,
            bytesOutBroadcast: 0,
            packetsInDropped: 0,
            packetsOutDropped: 0,
            packetsInException: 0,
            packetsOutException: 0,
        }),
    })
}
