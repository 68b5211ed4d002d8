//! Compute resources: standalone hosts and clusters, and the sums over their hosts.

use super::entity::entity;
use super::{pool, put};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::schema::ty;
use crate::value::{MoRef, Object, ObjectBuilder, Value};
use crate::{object, path};

/// The references that a compute resource is made of.
#[derive(Clone, Debug)]
pub struct NewCompute<'a> {
    /// Its reference: a `ComputeResource` or a `ClusterComputeResource`.
    pub mo: &'a MoRef,
    /// Its name.
    pub name: &'a str,
    /// The host folder that holds it.
    pub parent: &'a MoRef,
    /// Its root resource pool.
    pub pool: &'a MoRef,
    /// What answers questions about its hardware.
    pub environment: &'a MoRef,
}

/// The properties of a compute resource without hosts.
pub fn compute_resource(new: &NewCompute<'_>) -> Object {
    let mut compute = entity(new.mo.ty(), new.name, Some(new.parent));
    put!(
        compute,
        ComputeResource {
            resourcePool: new.pool,
            host: Vec::<Value>::new(),
            datastore: Vec::<Value>::new(),
            network: Vec::<Value>::new(),
            environmentBrowser: new.environment,
            lifecycleManaged: false,
            configManagerEnabled: false,
        }
    );
    if new.mo.ty().is_a(ty::ClusterComputeResource) {
        cluster_fields(&mut compute);
    } else {
        put!(
            compute,
            ComputeResource {
                summary: summary(ObjectBuilder::new(ty::ComputeResourceSummary), &[]),
                configurationEx: object!(ComputeResourceConfigInfo {
                    vmSwapPlacement: "vmDirectory",
                    spbmEnabled: false,
                }),
            }
        );
    }
    compute.finish()
}

fn cluster_fields(cluster: &mut ObjectBuilder) {
    let none = Vec::<Value>::new;
    let (das, drs) = (das_config(), drs_config());
    let summary = summary(cluster_summary().edit(), &[]);
    put!(
        cluster,
        ClusterComputeResource {
            summary: &summary,
            summaryEx: &summary,
            configurationEx: object!(ClusterConfigInfoEx {
                vmSwapPlacement: "vmDirectory",
                spbmEnabled: false,
                systemVMsConfig: object!(ClusterSystemVMsConfigInfo {
                    allowedDatastores: none(),
                    notAllowedDatastores: none(),
                    dsTagCategoriesToExclude: none(),
                    deploymentMode: "SYSTEM_MANAGED",
                }),
                dasConfig: &das,
                dasVmConfig: none(),
                drsConfig: &drs,
                drsVmConfig: none(),
                rule: none(),
                orchestration: object!(ClusterOrchestrationInfo {
                    defaultVmReadiness: object!(ClusterVmReadiness {
                        readyCondition: "none",
                        postReadyDelay: 0,
                    }),
                }),
                vmOrchestration: none(),
                dpmConfigInfo: object!(ClusterDpmConfigInfo {
                    enabled: false,
                    defaultDpmBehavior: "automated",
                    hostPowerActionRate: 3,
                }),
                dpmHostConfig: none(),
                vsanConfigInfo: object!(VsanClusterConfigInfo { enabled: false }),
                group: none(),
                infraUpdateHaConfig: object!(ClusterInfraUpdateHaConfigInfo { enabled: false }),
                proactiveDrsConfig: object!(ClusterProactiveDrsConfigInfo { enabled: false }),
            }),
            configuration: object!(ClusterConfigInfo {
                dasConfig: das,
                dasVmConfig: none(),
                drsConfig: drs,
                drsVmConfig: none(),
                rule: none(),
            }),
            recommendation: none(),
            drsRecommendation: none(),
            migrationHistory: none(),
            actionHistory: none(),
            drsFault: none(),
        }
    );
}

fn das_config() -> Object {
    object!(ClusterDasConfigInfo {
        enabled: false,
        vmMonitoring: "vmMonitoringDisabled",
        hostMonitoring: "enabled",
        vmComponentProtecting: "disabled",
        failoverLevel: 1,
        admissionControlPolicy: object!(ClusterFailoverLevelAdmissionControlPolicy {
            resourceReductionToToleratePercent: 100,
            failoverLevel: 1,
        }),
        admissionControlEnabled: true,
        defaultVmSettings: object!(ClusterDasVmSettings {
            restartPriority: "medium",
            restartPriorityTimeout: -1,
            isolationResponse: "none",
            vmToolsMonitoringSettings: object!(ClusterVmToolsMonitoringSettings {
                enabled: false,
                vmMonitoring: "vmMonitoringDisabled",
                clusterSettings: false,
                failureInterval: 30,
                minUpTime: 120,
                maxFailures: 3,
                maxFailureWindow: 3600,
            }),
        }),
        option: Vec::<Value>::new(),
        heartbeatDatastore: Vec::<Value>::new(),
        hBDatastoreCandidatePolicy: "allFeasibleDsWithUserPreference",
    })
}

fn drs_config() -> Object {
    object!(ClusterDrsConfigInfo {
        enabled: true,
        enableVmBehaviorOverrides: true,
        defaultVmBehavior: "fullyAutomated",
        vmotionRate: 3,
        scaleDescendantsShares: "disabled",
        option: Vec::<Value>::new(),
    })
}

fn cluster_summary() -> Object {
    object!(ClusterComputeResourceSummary {
        currentFailoverLevel: 0,
        numVmotions: 0,
        targetBalance: -1000,
        currentBalance: -1000,
        drsScore: 100,
        usageSummary: object!(ClusterUsageSummary {
            totalCpuCapacityMhz: 0,
            totalMemCapacityMB: 0,
            cpuReservationMhz: 0,
            memReservationMB: 0,
            poweredOffCpuReservationMhz: 0,
            poweredOffMemReservationMB: 0,
            cpuDemandMhz: 0,
            memDemandMB: 0,
            statsGenNumber: 0,
            cpuEntitledMhz: 0,
            memEntitledMB: 0,
            poweredOffVmCount: 0,
            totalVmCount: 0,
        }),
        clusterMaintenanceModeStatus: "NOT_IN_MAINTENANCE",
    })
}

/// What one host brings into the sums.
#[derive(Clone, Copy, Debug, Default)]
struct Capacity {
    cores: i64,
    threads: i64,
    mhz: i64,
    memory: i64,
    effective: bool,
}

fn capacity(read: &impl Read, host: &MoRef) -> Capacity {
    let number = |path| read.at(host, path).and_then(Value::as_i64).unwrap_or_default();
    let cores = number(path!(HostSystem, "summary.hardware.numCpuCores"));
    let idle = read.at(host, path!(HostSystem, "runtime.inMaintenanceMode"));
    Capacity {
        cores,
        threads: number(path!(HostSystem, "summary.hardware.numCpuThreads")),
        mhz: cores * number(path!(HostSystem, "summary.hardware.cpuMhz")),
        memory: number(path!(HostSystem, "summary.hardware.memorySize")),
        effective: read.text(host, path!(HostSystem, "runtime.connectionState")) == "connected"
            && idle.and_then(Value::as_bool) != Some(true),
    }
}

fn summary(mut summary: ObjectBuilder, hosts: &[Capacity]) -> Object {
    let sum = |part: fn(&Capacity) -> i64| hosts.iter().map(part).sum::<i64>();
    let able: Vec<Capacity> = hosts.iter().copied().filter(|host| host.effective).collect();
    let count = |hosts: &[Capacity]| i64::try_from(hosts.len()).unwrap_or_default();
    put!(
        summary,
        ComputeResourceSummary {
            totalCpu: sum(|host| host.mhz),
            totalMemory: sum(|host| host.memory),
            numCpuCores: sum(|host| host.cores),
            numCpuThreads: sum(|host| host.threads),
            effectiveCpu: able.iter().map(|host| host.mhz).sum::<i64>(),
            effectiveMemory: able.iter().map(|host| host.memory >> 20).sum::<i64>(),
            numHosts: count(hosts),
            numEffectiveHosts: count(&able),
            overallStatus: "green",
        }
    );
    summary.finish()
}

/// Makes the sums over the hosts of a compute resource anew, and the limits of
/// its root pool with them; to be called when a host comes, goes, or becomes
/// able or unable to run machines.
pub fn refresh(tx: &mut Transaction, compute: &MoRef) -> Result<(), Fault> {
    let hosts = tx.morefs(compute, path!(ComputeResource, "host"));
    let capacities: Vec<Capacity> = hosts.iter().map(|host| capacity(tx, host)).collect();
    let Some(props) = tx.get(compute) else { return Err(Fault::not_found(compute)) };
    let old = props.at(path!(ComputeResource, "summary")).and_then(Value::as_object);
    let old = old.map_or_else(|| ObjectBuilder::new(ty::ComputeResourceSummary), Object::edit);
    let mut new = summary(old, &capacities);
    let total = |path| new.at(path).and_then(Value::as_i64).unwrap_or_default();
    let (mhz, bytes) = (
        total(path!(ComputeResourceSummary, "totalCpu")),
        total(path!(ComputeResourceSummary, "totalMemory")),
    );
    let (effective_mhz, effective_mb) = (
        total(path!(ComputeResourceSummary, "effectiveCpu")),
        total(path!(ComputeResourceSummary, "effectiveMemory")),
    );
    let mut next = props.edit();
    if compute.ty().is_a(ty::ClusterComputeResource) {
        if let Some(usage) = new.field("usageSummary").and_then(Value::as_object) {
            let mut usage = usage.edit();
            put!(
                usage,
                ClusterUsageSummary { totalCpuCapacityMhz: mhz, totalMemCapacityMB: bytes >> 20 }
            );
            let slot = const { ty::ClusterComputeResourceSummary.slot("usageSummary") };
            new = new.with(slot, usage.finish());
        }
        put!(next, ClusterComputeResource { summaryEx: &new });
    }
    put!(next, ComputeResource { summary: new });
    let root = props.at(path!(ComputeResource, "resourcePool")).and_then(Value::as_moref).cloned();
    tx.replace(compute, next.finish())?;
    match root {
        Some(root) => pool::set_capacity(tx, &root, effective_mhz, effective_mb),
        None => Ok(()),
    }
}
