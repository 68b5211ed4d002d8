//! Sums that hosts, resource pools, clusters and datastores show of the virtual
//! machines on them.
//!
//! The sums move by what a machine's share of them changes, so the cost of a
//! change does not grow with the number of machines. What a machine's share is
//! stands in its own derived properties ([`share`]); taking the old share away
//! and adding the new one is all there is to it.

use std::collections::BTreeMap;

use super::datastore;
use super::vm::{Share, share};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Object, ObjectBuilder, Value};

/// Changes of sums, collected and then written at once.
#[derive(Debug, Default)]
pub struct Totals {
    hosts: BTreeMap<MoRef, Change>,
    pools: BTreeMap<MoRef, Change>,
    owners: BTreeMap<MoRef, Change>,
    datastores: BTreeMap<MoRef, (i64, i64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Change {
    machines: i64,
    off: i64,
    cpu: i64,
    memory: i64,
    guest_memory: i64,
    overhead: i64,
    configured: i64,
    cpu_reservation: i64,
    memory_reservation: i64,
    off_cpu_reservation: i64,
    off_memory_reservation: i64,
}

impl Change {
    fn add(&mut self, share: &Share, sign: i64) {
        let running = i64::from(share.on) * sign;
        let resting = sign - running;
        self.machines += sign;
        self.off += resting;
        self.cpu += share.cpu * sign;
        self.memory += share.memory * sign;
        self.guest_memory += share.guest_memory * sign;
        self.overhead += share.overhead * sign;
        self.configured += share.configured * sign;
        self.cpu_reservation += share.cpu_reservation * running;
        self.memory_reservation += share.memory_reservation * running;
        self.off_cpu_reservation += share.cpu_reservation * resting;
        self.off_memory_reservation += share.memory_reservation * resting;
    }
}

impl Totals {
    /// Counts a machine in.
    pub fn add(&mut self, read: &impl Read, machine: &Object) {
        self.count(read, machine, 1);
    }

    /// Counts in as many machines as this one as `times` says.
    pub(super) fn add_times(&mut self, read: &impl Read, machine: &Object, times: i64) {
        self.count(read, machine, times);
    }

    /// Counts a machine out.
    pub fn remove(&mut self, read: &impl Read, machine: &Object) {
        self.count(read, machine, -1);
    }

    fn count(&mut self, read: &impl Read, machine: &Object, sign: i64) {
        let share = share(machine);
        let moref = |path| machine.at(path).and_then(Value::as_moref);
        if let Some(host) = moref(path!(VirtualMachine, "summary.runtime.host")) {
            self.hosts.entry(host.clone()).or_default().add(&share, sign);
        }
        let mut pool = moref(path!(VirtualMachine, "resourcePool")).cloned();
        if let Some(pool) = &pool
            && let Some(owner) = read.moref(pool, path!(ResourcePool, "owner"))
        {
            self.owners.entry(owner.clone()).or_default().add(&share, sign);
        }
        while let Some(at) = pool.filter(|pool| pool.ty().is_a(ty::ResourcePool)) {
            self.pools.entry(at.clone()).or_default().add(&share, sign);
            pool = read.moref(&at, path!(ResourcePool, "parent")).cloned();
        }
        let usage = machine.at(path!(VirtualMachine, "storage.perDatastoreUsage"));
        for usage in usage.map_or(&[][..], Value::items).iter().filter_map(Value::as_object) {
            let number = |path| usage.at(path).and_then(Value::as_i64).unwrap_or_default() * sign;
            let store = usage.at(path!(VirtualMachineUsageOnDatastore, "datastore"));
            if let Some(store) = store.and_then(Value::as_moref) {
                let space = self.datastores.entry(store.clone()).or_default();
                space.0 += number(path!(VirtualMachineUsageOnDatastore, "committed"));
                space.1 += number(path!(VirtualMachineUsageOnDatastore, "uncommitted"));
            }
        }
    }

    /// The bytes that the counted machines take on a datastore.
    pub fn committed(&self, store: &MoRef) -> i64 {
        self.datastores.get(store).map_or(0, |(committed, _)| *committed)
    }

    /// Writes the changes.
    pub fn write(self, tx: &mut Transaction) -> Result<(), Fault> {
        for (host, change) in &self.hosts {
            write(tx, host, |props| of_host(props, change))?;
        }
        for (pool, change) in &self.pools {
            write(tx, pool, |props| of_pool(props, change))?;
        }
        for (owner, change) in &self.owners {
            if owner.ty().is_a(ty::ClusterComputeResource) {
                write(tx, owner, |props| of_cluster(props, change))?;
            }
        }
        self.datastores
            .iter()
            .try_for_each(|(store, space)| datastore::take_space(tx, store, space.0, space.1))
    }
}

/// Replaces the properties of `mo`, if it is still there.
fn write(
    tx: &mut Transaction,
    mo: &MoRef,
    change: impl FnOnce(&Object) -> Option<Object>,
) -> Result<(), Fault> {
    match tx.get(mo).and_then(change) {
        Some(next) => tx.replace(mo, next),
        None => Ok(()),
    }
}

/// Takes machines out of all sums, makes a change to what stands above them,
/// and counts them in again where they are then.
pub fn around(
    tx: &mut Transaction,
    machines: &[MoRef],
    change: impl FnOnce(&mut Transaction) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut totals = Totals::default();
    for properties in machines.iter().filter_map(|vm| tx.get(vm)) {
        totals.remove(tx, properties);
    }
    totals.write(tx)?;
    change(tx)?;
    let mut totals = Totals::default();
    for properties in machines.iter().filter_map(|vm| tx.get(vm)) {
        totals.add(tx, properties);
    }
    totals.write(tx)
}

fn bump(builder: &mut ObjectBuilder, slot: usize, by: i64) {
    let before = builder.get(slot).and_then(Value::as_i64).unwrap_or_default();
    if by != 0 {
        builder.set(slot, before + by);
    }
}

/// Adds to number fields of an object: `bump!(builder, Type { field: amount })`.
macro_rules! bump {
    ($builder:expr, $type:ident { $($field:ident : $by:expr),* $(,)? }) => {
        $(bump(&mut $builder, const { ty::$type.slot(stringify!($field)) }, $by);)*
    };
}

fn of_host(props: &Object, change: &Change) -> Option<Object> {
    let mut stats = props.at(path!(HostSystem, "summary.quickStats"))?.as_object()?.edit();
    bump!(
        stats,
        HostListSummaryQuickStats {
            overallCpuUsage: change.cpu,
            overallMemoryUsage: change.memory,
        }
    );
    props.with_at(path!(HostSystem, "summary.quickStats"), stats.finish()).ok()
}

fn of_cluster(props: &Object, change: &Change) -> Option<Object> {
    let summary = props.at(path!(ClusterComputeResource, "summaryEx"))?.as_object()?;
    let mut usage =
        summary.at(path!(ClusterComputeResourceSummary, "usageSummary"))?.as_object()?.edit();
    bump!(
        usage,
        ClusterUsageSummary {
            cpuReservationMhz: change.cpu_reservation,
            memReservationMB: change.memory_reservation,
            poweredOffCpuReservationMhz: change.off_cpu_reservation,
            poweredOffMemReservationMB: change.off_memory_reservation,
            cpuDemandMhz: change.cpu,
            memDemandMB: change.memory,
            cpuEntitledMhz: change.cpu,
            memEntitledMB: change.memory,
            poweredOffVmCount: change.off,
            totalVmCount: change.machines,
        }
    );
    let summary = summary
        .with(const { ty::ClusterComputeResourceSummary.slot("usageSummary") }, usage.finish());
    let mut next = props.edit();
    next.set(const { ty::ClusterComputeResource.slot("summary") }, &summary);
    next.set(const { ty::ClusterComputeResource.slot("summaryEx") }, &summary);
    Some(next.finish())
}

fn of_pool(props: &Object, change: &Change) -> Option<Object> {
    let runtime = props.at(path!(ResourcePool, "runtime"))?.as_object()?;
    let usage = |path, used: i64, reserved: i64| {
        let mut usage = runtime.at(path)?.as_object()?.edit();
        bump!(
            usage,
            ResourcePoolResourceUsage {
                reservationUsed: reserved,
                reservationUsedForVm: reserved,
                unreservedForPool: -reserved,
                unreservedForVm: -reserved,
                overallUsage: used,
            }
        );
        Some(usage.finish())
    };
    let cpu = usage(path!(ResourcePoolRuntimeInfo, "cpu"), change.cpu, change.cpu_reservation)?;
    let memory = usage(
        path!(ResourcePoolRuntimeInfo, "memory"),
        change.memory << 20,
        change.memory_reservation << 20,
    )?;
    let mut runtime = runtime.edit();
    runtime.set(const { ty::ResourcePoolRuntimeInfo.slot("cpu") }, cpu);
    runtime.set(const { ty::ResourcePoolRuntimeInfo.slot("memory") }, memory);
    let runtime = runtime.finish();
    let summary = props.at(path!(ResourcePool, "summary"))?.as_object()?;
    let mut stats = summary.at(path!(ResourcePoolSummary, "quickStats"))?.as_object()?.edit();
    bump!(
        stats,
        ResourcePoolQuickStats {
            overallCpuUsage: change.cpu,
            overallCpuDemand: change.cpu,
            guestMemoryUsage: change.guest_memory,
            hostMemoryUsage: change.memory,
            distributedCpuEntitlement: change.cpu,
            distributedMemoryEntitlement: change.memory,
            privateMemory: change.memory - change.overhead,
            overheadMemory: change.overhead,
            consumedOverheadMemory: change.overhead,
        }
    );
    let mut summary = summary.edit();
    summary.set(const { ty::ResourcePoolSummary.slot("runtime") }, &runtime);
    summary.set(const { ty::ResourcePoolSummary.slot("quickStats") }, stats.finish());
    bump!(summary, ResourcePoolSummary { configuredMemoryMB: change.configured });
    let mut next = props.edit();
    next.set(const { ty::ResourcePool.slot("runtime") }, runtime);
    next.set(const { ty::ResourcePool.slot("summary") }, summary.finish());
    Some(next.finish())
}
