//! Resource pools and vApps.

use super::entity::entity;
use super::{identity, put};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::schema::ty;
use crate::value::{DateTime, MoRef, Object, Value};
use crate::{object, path};

/// The references that a pool is made of.
#[derive(Clone, Debug)]
pub struct NewPool<'a> {
    /// Its reference: a `ResourcePool` or a `VirtualApp`.
    pub mo: &'a MoRef,
    /// Its name.
    pub name: &'a str,
    /// The pool above, or the compute resource of a root pool.
    pub parent: &'a MoRef,
    /// The compute resource.
    pub owner: &'a MoRef,
    /// Now.
    pub now: DateTime,
}

/// An allocation of a resource; `limit` is -1 where there is none.
pub fn allocation(reservation: i64, limit: i64, expandable: bool, shares: i32) -> Object {
    object!(ResourceAllocationInfo {
        reservation: reservation,
        expandableReservation: expandable,
        limit: limit,
        shares: object!(SharesInfo { shares: shares, level: "normal" }),
    })
}

/// The properties of a pool without members that may use all there is.
/// `capacity` is what the compute resource has, in MHz and megabytes.
pub fn resource_pool(new: &NewPool<'_>, capacity: (i64, i64)) -> Object {
    let config = object!(ResourceConfigSpec {
        entity: new.mo,
        changeVersion: "",
        lastModified: new.now,
        cpuAllocation: allocation(0, -1, true, 4000),
        memoryAllocation: allocation(0, -1, true, 163_840),
        scaleDescendantsShares: "disabled",
    });
    pool_with(new, &config, capacity)
}

fn pool_with(new: &NewPool<'_>, config: &Object, (mhz, mb): (i64, i64)) -> Object {
    let none = Vec::<Value>::new;
    let runtime = object!(ResourcePoolRuntimeInfo {
        memory: usage(mb << 20),
        cpu: usage(mhz),
        overallStatus: "green",
        sharesScalable: "none",
    });
    let mut pool = entity(new.mo.ty(), new.name, Some(new.parent));
    put!(
        pool,
        ResourcePool {
            runtime: &runtime,
            owner: new.owner,
            resourcePool: none(),
            vm: none(),
            config: config,
            childConfiguration: none(),
        }
    );
    if new.mo.ty().is_a(ty::VirtualApp) {
        let instance = identity::uuid(&format!("{}:{}", new.owner.id(), new.mo.id()));
        put!(
            pool,
            VirtualApp {
                summary: object!(VirtualAppSummary {
                    name: new.name,
                    config: config,
                    runtime: &runtime,
                    quickStats: quick_stats(),
                    configuredMemoryMB: 0,
                    vAppState: "started",
                    suspended: false,
                    installBootRequired: false,
                    instanceUuid: &instance,
                }),
                datastore: none(),
                network: none(),
                vAppConfig: object!(VAppConfigInfo {
                    product: none(),
                    property: none(),
                    ipAssignment: object!(VAppIPAssignmentInfo {
                        supportedAllocationScheme: none(),
                        ipAllocationPolicy: "fixedPolicy",
                        supportedIpProtocol: ["IPv4"],
                        ipProtocol: "IPv4",
                    }),
                    eula: none(),
                    ovfSection: none(),
                    ovfEnvironmentTransport: none(),
                    installBootRequired: false,
                    installBootStopDelay: 0,
                    entityConfig: none(),
                    annotation: "",
                    instanceUuid: instance,
                }),
                childLink: none(),
            }
        );
    } else {
        put!(
            pool,
            ResourcePool {
                summary: object!(ResourcePoolSummary {
                    name: new.name,
                    config: config,
                    runtime: &runtime,
                    quickStats: quick_stats(),
                    configuredMemoryMB: 0,
                }),
            }
        );
    }
    pool.finish()
}

/// Shows a vApp as stopped.
pub(super) fn set_stopped(tx: &mut Transaction, app: &MoRef) -> Result<(), Fault> {
    let summary = tx.at(app, path!(ResourcePool, "summary")).and_then(Value::as_object);
    let Some(summary) = summary else { return Err(Fault::not_found(app)) };
    let summary = summary.with(const { ty::VirtualAppSummary.slot("vAppState") }, "stopped");
    tx.set(app, path!(ResourcePool, "summary"), summary)
}

fn usage(capacity: i64) -> Object {
    object!(ResourcePoolResourceUsage {
        reservationUsed: 0,
        reservationUsedForVm: 0,
        unreservedForPool: capacity,
        unreservedForVm: capacity,
        overallUsage: 0,
        maxUsage: capacity,
    })
}

fn quick_stats() -> Object {
    object!(ResourcePoolQuickStats {
        overallCpuUsage: 0,
        overallCpuDemand: 0,
        guestMemoryUsage: 0,
        hostMemoryUsage: 0,
        distributedCpuEntitlement: 0,
        distributedMemoryEntitlement: 0,
        staticCpuEntitlement: 0,
        staticMemoryEntitlement: 0,
        privateMemory: 0,
        sharedMemory: 0,
        swappedMemory: 0,
        balloonedMemory: 0,
        overheadMemory: 0,
        consumedOverheadMemory: 0,
        compressedMemory: 0,
    })
}

/// Gives a root pool what its hosts have together, in MHz and megabytes; the
/// pools below may use as much.
pub(super) fn set_capacity(
    tx: &mut Transaction,
    root: &MoRef,
    mhz: i64,
    mb: i64,
) -> Result<(), Fault> {
    let Some(props) = tx.get(root) else { return Err(Fault::not_found(root)) };
    let config = props.at(path!(ResourcePool, "config")).and_then(Value::as_object);
    let mut config =
        config.map_or_else(|| Object::empty(ty::ResourceConfigSpec), Object::clone).edit();
    put!(
        config,
        ResourceConfigSpec {
            cpuAllocation: allocation(mhz, mhz, true, 4000),
            memoryAllocation: allocation(mb, mb, true, 163_840),
        }
    );
    let next = with_config(props, &config.finish());
    tx.replace(root, next)?;
    let mut pools = vec![root.clone()];
    while let Some(pool) = pools.pop() {
        pools.extend(tx.morefs(&pool, path!(ResourcePool, "resourcePool")));
        set_usage_limits(tx, &pool, mhz, mb << 20)?;
    }
    Ok(())
}

/// The properties with another configuration, under both of its names.
pub fn with_config(props: &Object, config: &Object) -> Object {
    let mut next = props.edit();
    next.set(const { ty::ResourcePool.slot("config") }, config);
    if let Some(summary) = props.at(path!(ResourcePool, "summary")).and_then(Value::as_object) {
        let summary = summary.with(const { ty::ResourcePoolSummary.slot("config") }, config);
        next.set(const { ty::ResourcePool.slot("summary") }, summary);
    }
    next.finish()
}

fn set_usage_limits(tx: &mut Transaction, pool: &MoRef, mhz: i64, bytes: i64) -> Result<(), Fault> {
    let runtime = tx.at(pool, path!(ResourcePool, "runtime")).and_then(Value::as_object);
    let Some(runtime) = runtime.cloned() else { return Ok(()) };
    let limited = |path, limit: i64| {
        let usage = runtime.at(path)?.as_object()?;
        let reserved = usage.field("reservationUsed")?.as_i64()?;
        let mut usage = usage.edit();
        put!(
            usage,
            ResourcePoolResourceUsage {
                unreservedForPool: limit - reserved,
                unreservedForVm: limit - reserved,
                maxUsage: limit,
            }
        );
        Some(usage.finish())
    };
    let mut next = runtime.edit();
    put!(
        next,
        ResourcePoolRuntimeInfo {
            cpu: limited(path!(ResourcePoolRuntimeInfo, "cpu"), mhz),
            memory: limited(path!(ResourcePoolRuntimeInfo, "memory"), bytes),
        }
    );
    let next = next.finish();
    tx.set(pool, path!(ResourcePool, "runtime"), &next)?;
    tx.set(pool, path!(ResourcePool, "summary.runtime"), &next)
}
