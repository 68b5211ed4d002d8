//! Where machines can run: hosts that are able to, and what they must have
//! mounted and connected for a machine.

use super::vm::state::invalid_host_state;
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::task::Operation;
use crate::value::{MoRef, Object, Value};
use crate::{object, path};

/// Fails if the host cannot run machines: it is not connected, not on, in
/// maintenance or on the way there.
pub(super) fn check_able(tx: &Tx<'_>, host: &MoRef) -> Result<(), Fault> {
    if !tx.exists(host) {
        return Err(Fault::not_found(host));
    }
    if tx.text(host, path!(HostSystem, "runtime.connectionState")) != "connected" {
        return Err(Fault::of(
            ty::HostNotConnected,
            "Unable to communicate with the remote host, since it is disconnected.",
        ));
    }
    let idle = tx.at(host, path!(HostSystem, "runtime.inMaintenanceMode"));
    if idle.and_then(Value::as_bool) == Some(true)
        || is_entering_maintenance(tx, host)
        || tx.text(host, path!(HostSystem, "runtime.powerState")) != "poweredOn"
    {
        return Err(invalid_host_state(host));
    }
    Ok(())
}

/// Whether a running task is bringing the host into maintenance.
fn is_entering_maintenance(tx: &Tx<'_>, host: &MoRef) -> bool {
    let holder = tx.holder(host).and_then(|task| tx.task(task));
    holder
        .is_some_and(|task| task.operation == Operation::Method(method::EnterMaintenanceMode_Task))
}

/// The compute resource that a pool belongs to.
pub(super) fn owner(state: &(impl Read + ?Sized), pool: &MoRef) -> Result<MoRef, Fault> {
    let owner = state.moref(pool, path!(ResourcePool, "owner"));
    owner.cloned().ok_or_else(|| Fault::not_found(pool))
}

/// The hosts of a compute resource.
pub(super) fn hosts(state: &(impl Read + ?Sized), compute: &MoRef) -> Vec<MoRef> {
    state.morefs(compute, path!(ComputeResource, "host"))
}

/// The compute resource of a host.
pub(super) fn compute_of(state: &(impl Read + ?Sized), host: &MoRef) -> Option<MoRef> {
    state.moref(host, path!(HostSystem, "parent")).cloned()
}

/// How DRS of a cluster treats machines; nothing where DRS is off or absent.
pub(super) fn drs<'s>(state: &'s (impl Read + ?Sized), compute: &MoRef) -> Option<&'s str> {
    if !compute.ty().is_a(ty::ClusterComputeResource) {
        return None;
    }
    let config = state.at(compute, path!(ComputeResource, "configurationEx"))?.as_object()?;
    if !config.ty().is_a(ty::ClusterConfigInfoEx) {
        return None;
    }
    let drs = config.at(path!(ClusterConfigInfoEx, "drsConfig"))?.as_object()?;
    let enabled = drs.at(path!(ClusterDrsConfigInfo, "enabled")).and_then(Value::as_bool);
    let behavior = drs.at(path!(ClusterDrsConfigInfo, "defaultVmBehavior")).and_then(Value::as_str);
    (enabled == Some(true)).then(|| behavior.unwrap_or("fullyAutomated"))
}

/// Whether the host has mounted these datastores and is connected to these networks.
pub(super) fn reaches(
    state: &(impl Read + ?Sized),
    host: &MoRef,
    datastores: &[MoRef],
    networks: &[MoRef],
) -> bool {
    let mounted = state.morefs(host, path!(HostSystem, "datastore"));
    let connected = state.morefs(host, path!(HostSystem, "network"));
    datastores.iter().all(|it| mounted.contains(it))
        && networks.iter().all(|it| connected.contains(it))
}

/// The able host with the fewest machines, of those that reach what is
/// needed; equal ones in the order given. Without one, a fault that says why
/// each of them cannot.
pub(super) fn choose(
    tx: &Tx<'_>,
    hosts: &[MoRef],
    datastores: &[MoRef],
    networks: &[MoRef],
) -> Result<MoRef, Fault> {
    let mut reasons: Vec<(MoRef, Fault)> = Vec::new();
    let mut best: Option<(usize, &MoRef)> = None;
    for host in hosts {
        let able = check_able(tx, host).and_then(|()| {
            if reaches(tx, host, datastores, networks) { Ok(()) } else { Err(unreachable()) }
        });
        match able {
            Ok(()) => {
                let load =
                    tx.at(host, path!(HostSystem, "vm")).map_or(0, |vms| vms.elements().len());
                if best.is_none_or(|(least, _)| load < least) {
                    best = Some((load, host));
                }
            }
            Err(fault) => reasons.push((host.clone(), fault)),
        }
    }
    best.map(|(_, host)| host.clone()).ok_or_else(|| no_compatible_host(&reasons))
}

fn unreachable() -> Fault {
    Fault::of(
        ty::CannotAccessVmComponent,
        "The virtual machine's files or networks are not accessible from the host.",
    )
}

fn no_compatible_host(reasons: &[(MoRef, Fault)]) -> Fault {
    let hosts: Vec<&MoRef> = reasons.iter().map(|(host, _)| host).collect();
    let errors: Vec<Object> = reasons.iter().map(|(_, fault)| fault.localized()).collect();
    Fault::new(
        object!(NoCompatibleHost { host: hosts, error: errors }),
        "No host is compatible with the virtual machine.",
    )
}

/// The datacenter that something stands in.
pub(super) fn datacenter(state: &(impl Read + ?Sized), entity: &MoRef) -> Option<MoRef> {
    std::iter::successors(Some(entity.clone()), |at| super::containment::parent(state, at))
        .find(|at| at.ty().is_a(ty::Datacenter))
}
