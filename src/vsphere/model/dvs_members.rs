//! The hosts that are members of a distributed switch, and what everybody says
//! of it: the switch, the host, the port groups, the compute resource.

use super::{dvs, dvs_ports, host};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::path;
use crate::schema::ty;
use crate::value::{Array, MoRef, Object, Value};

/// The members of a switch.
pub fn hosts(read: &(impl Read + ?Sized), switch: &MoRef) -> Vec<MoRef> {
    read.morefs(switch, path!(DistributedVirtualSwitch, "summary.hostMember"))
}

/// A host becomes a member, with the adapters of `backing` as uplinks.
pub fn join(
    tx: &mut Transaction,
    switch: &MoRef,
    host: &MoRef,
    backing: Option<&Object>,
) -> Result<(), Fault> {
    for list in [
        path!(DistributedVirtualSwitch, "summary.hostMember"),
        path!(DistributedVirtualSwitch, "summary.host"),
    ] {
        tx.push_ref(switch, list, host)?;
    }
    let uplinks = tx.morefs(switch, path!(DistributedVirtualSwitch, "config.uplinkPortgroup"));
    let devices = devices(backing);
    if let Some(uplinks) = uplinks.first() {
        let product = tx.at(switch, path!(DistributedVirtualSwitch, "config.productInfo"));
        let product = product.and_then(Value::as_object).cloned();
        let member = dvs::member(host, uplinks, &devices, product.as_ref());
        edit(tx, switch, |members| members.push(member.into()))?;
        let proxy = dvs::proxy_switch_with(
            tx.text(switch, path!(ManagedEntity, "name")),
            tx.text(switch, path!(DistributedVirtualSwitch, "uuid")),
            uplinks,
            &devices,
        );
        edit_proxies(tx, host, |proxies| proxies.push(proxy.into()))?;
        let more = ports(tx, uplinks).saturating_add(dvs::UPLINKS.len());
        dvs_ports::resize(tx, uplinks, more)?;
    }
    for group in tx.morefs(switch, path!(DistributedVirtualSwitch, "portgroup")) {
        connect(tx, &group, host)?;
    }
    count(tx, switch)
}

/// A member has other uplinks.
pub fn change(
    tx: &mut Transaction,
    switch: &MoRef,
    host: &MoRef,
    backing: Option<&Object>,
) -> Result<(), Fault> {
    if backing.is_none() {
        return Ok(());
    }
    leave(tx, switch, host)?;
    join(tx, switch, host, backing)
}

/// A host is no member any more.
pub fn leave(tx: &mut Transaction, switch: &MoRef, host: &MoRef) -> Result<(), Fault> {
    for list in [
        path!(DistributedVirtualSwitch, "summary.hostMember"),
        path!(DistributedVirtualSwitch, "summary.host"),
    ] {
        tx.remove_ref(switch, list, host)?;
    }
    edit(tx, switch, |members| {
        members.retain(|member| {
            let of = member.as_object().and_then(|it| {
                it.at(path!(DistributedVirtualSwitchHostMember, "config.host"))?.as_moref()
            });
            of != Some(host)
        });
    })?;
    let uuid = tx.text(switch, path!(DistributedVirtualSwitch, "uuid")).to_owned();
    edit_proxies(tx, host, |proxies| {
        proxies.retain(|proxy| {
            let of = proxy.as_object().and_then(|it| it.field("dvsUuid")?.as_str());
            of != Some(uuid.as_str())
        });
    })?;
    let uplinks = tx.morefs(switch, path!(DistributedVirtualSwitch, "config.uplinkPortgroup"));
    if let Some(uplinks) = uplinks.first() {
        let less = ports(tx, uplinks).saturating_sub(dvs::UPLINKS.len());
        dvs_ports::resize(tx, uplinks, less)?;
    }
    for group in tx.morefs(switch, path!(DistributedVirtualSwitch, "portgroup")) {
        tx.remove_ref(&group, path!(Network, "host"), host)?;
        tx.remove_ref(host, path!(HostSystem, "network"), &group)?;
        narrow(tx, &group, host)?;
    }
    count(tx, switch)
}

/// A new port group belongs to a switch and to all of its members.
pub fn add_group(tx: &mut Transaction, switch: &MoRef, group: &MoRef) -> Result<(), Fault> {
    tx.push_ref(switch, path!(DistributedVirtualSwitch, "portgroup"), group)?;
    let groups = tx.morefs(switch, path!(DistributedVirtualSwitch, "portgroup"));
    let names: Vec<String> = groups
        .iter()
        .map(|group| tx.text(group, path!(ManagedEntity, "name")).to_owned())
        .collect();
    tx.set(switch, path!(DistributedVirtualSwitch, "summary.portgroupName"), names)?;
    hosts(tx, switch).iter().try_for_each(|host| connect(tx, group, host))
}

/// The physical adapters that a client names for a member.
fn devices(backing: Option<&Object>) -> Vec<String> {
    let list = backing.and_then(|backing| backing.field("pnicSpec")).map_or(&[][..], Value::items);
    let names = list.iter().filter_map(|it| it.as_object()?.field("pnicDevice")?.as_str());
    names.map(str::to_owned).collect()
}

fn ports(tx: &Transaction, group: &MoRef) -> usize {
    let keys = tx.at(group, path!(DistributedVirtualPortgroup, "portKeys"));
    keys.map_or(0, |keys| keys.items().len())
}

fn edit(
    tx: &mut Transaction,
    switch: &MoRef,
    change: impl FnOnce(&mut Vec<Value>),
) -> Result<(), Fault> {
    let path = path!(DistributedVirtualSwitch, "config.host");
    let mut members = tx.at(switch, path).map_or(&[][..], Value::items).to_vec();
    change(&mut members);
    tx.set(switch, path, Array::new(ty::DistributedVirtualSwitchHostMember, members))
}

fn edit_proxies(
    tx: &mut Transaction,
    mo: &MoRef,
    change: impl FnOnce(&mut Vec<Value>),
) -> Result<(), Fault> {
    let path = path!(HostSystem, "config.network.proxySwitch");
    let mut proxies = tx.at(mo, path).map_or(&[][..], Value::items).to_vec();
    change(&mut proxies);
    tx.set(mo, path, Array::new(ty::HostProxySwitch, proxies))?;
    host::refresh(tx, mo)
}

/// A host has a network, and with it its compute resource.
fn connect(tx: &mut Transaction, group: &MoRef, host: &MoRef) -> Result<(), Fault> {
    tx.push_ref(group, path!(Network, "host"), host)?;
    tx.push_ref(host, path!(HostSystem, "network"), group)?;
    let compute = tx.moref(host, path!(ManagedEntity, "parent")).cloned();
    match compute {
        Some(compute) if compute.ty().is_a(ty::ComputeResource) => {
            tx.push_ref(&compute, path!(ComputeResource, "network"), group)
        }
        _ => Ok(()),
    }
}

/// A compute resource has what at least one of its hosts has.
fn narrow(tx: &mut Transaction, group: &MoRef, host: &MoRef) -> Result<(), Fault> {
    let Some(compute) = tx.moref(host, path!(ManagedEntity, "parent")).cloned() else {
        return Ok(());
    };
    let has = |host: &MoRef| tx.morefs(host, path!(HostSystem, "network")).contains(group);
    if tx.morefs(&compute, path!(ComputeResource, "host")).iter().any(has) {
        return Ok(());
    }
    tx.remove_ref(&compute, path!(ComputeResource, "network"), group)
}

/// The numbers that follow from the members.
fn count(tx: &mut Transaction, switch: &MoRef) -> Result<(), Fault> {
    let members = hosts(tx, switch);
    let number = i64::try_from(members.len()).unwrap_or_default();
    tx.set(switch, path!(DistributedVirtualSwitch, "summary.numHosts"), number)?;
    let states = dvs::member_states(&members);
    tx.set(switch, path!(DistributedVirtualSwitch, "runtime.hostMemberRuntime"), states)
}
