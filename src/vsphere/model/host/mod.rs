//! Hosts: hardware, configuration, and the managers that clients reach through
//! `configManager`.
//!
//! Most of a host is the same on every host and shared; [`HostTemplate`] holds
//! it. What is read under two names, `summary` and the managers' properties
//! above all, is written by [`refresh`] and nowhere else.

mod managers;

use super::data::{Bundle, DataError};
use super::entity::entity;
use super::identity::{MacSource, ip, mac, uuid};
use super::{datastore, put};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::schema::ty;
use crate::value::{Array, DateTime, MoRef, Object, Str, Value};
use crate::{object, path};

pub use managers::Managers;

/// The parts that all hosts have in common.
#[derive(Clone, Debug)]
pub struct HostTemplate {
    capability: Object,
    health: Object,
    services: Object,
    firewall: Object,
    config: Object,
    product: Object,
    esx: bool,
    now: DateTime,
}

/// A host to be made.
#[derive(Debug)]
pub struct NewHost<'a> {
    /// Its reference.
    pub mo: &'a MoRef,
    /// Its name.
    pub name: &'a str,
    /// The compute resource.
    pub parent: &'a MoRef,
    /// Its number among the hosts of the inventory; its addresses follow from it.
    pub number: u64,
    /// What tells it apart from a host of the same name elsewhere.
    pub seed: &'a str,
    /// Distributed switches as the host sees them.
    pub proxy_switches: Vec<Object>,
}

impl HostTemplate {
    /// Reads the data files; `product` describes the hypervisor.
    pub(super) fn load(product: Object, esx: bool, now: DateTime) -> Result<Self, DataError> {
        let text = include_str!("../data/host.json");
        let thumbprint = Value::from(thumbprint("vpxuser"));
        let bundle = Bundle::load("host.json", text, &[("thumbprint", thumbprint)])?;
        Ok(Self {
            capability: bundle.get("capability", ty::HostCapability)?,
            health: bundle.get("health", ty::HealthSystemRuntime)?,
            services: bundle.get("services", ty::HostServiceInfo)?,
            firewall: bundle.get("firewall", ty::HostFirewallInfo)?,
            config: bundle.get("config", ty::HostConfigInfo)?,
            product,
            esx,
            now,
        })
    }

    /// The hypervisor, as `config.product` has it.
    pub fn product(&self) -> &Object {
        &self.product
    }

    /// Adds a host with its managers, without datastores, networks and machines;
    /// the parent's list of hosts is left to the caller.
    pub fn insert(&self, tx: &mut Transaction, new: &NewHost<'_>) -> Result<(), Fault> {
        let managers = Managers::of(new.mo, self.esx);
        let browser = managers.browser();
        let config = self.config(new)?;
        let mut host = entity(ty::HostSystem, new.name, Some(new.parent));
        put!(
            host,
            HostSystem {
                runtime: self.runtime(),
                hardware: config.hardware,
                capability: &self.capability,
                licensableResource: licensable(),
                configManager: managers.config_manager(),
                config: config.config,
                vm: Vec::<Value>::new(),
                datastore: Vec::<Value>::new(),
                network: Vec::<Value>::new(),
                datastoreBrowser: &browser,
            }
        );
        tx.insert(browser, datastore::browser(&[]));
        managers.insert(tx, new.name, self.now);
        tx.insert(new.mo.clone(), host.finish());
        refresh(tx, new.mo)
    }

    fn runtime(&self) -> Object {
        object!(HostRuntimeInfo {
            connectionState: "connected",
            powerState: "poweredOn",
            standbyMode: "none",
            inMaintenanceMode: false,
            inQuarantineMode: false,
            bootTime: self.now,
            healthSystemRuntime: &self.health,
            networkRuntimeInfo: object!(HostRuntimeInfoNetworkRuntimeInfo {
                netStackInstanceRuntimeInfo: [object!(
                    HostRuntimeInfoNetStackInstanceRuntimeInfo {
                        netStackInstanceKey: "defaultTcpipStack",
                        state: "active",
                        vmknicKeys: ["vmk0"],
                        maxNumberOfConnections: 11_000,
                        currentIpV6Enabled: true,
                    }
                )],
            }),
            hostMaxVirtualDiskCapacity: 68_169_720_922_112_i64,
            cryptoState: "incapable",
            partialMaintenanceMode: Vec::<Value>::new(),
        })
    }

    /// The parts that a host does not share.
    fn config(&self, new: &NewHost<'_>) -> Result<Own, Fault> {
        let (host_name, domain) = new.name.split_once('.').unwrap_or((new.name, "localdomain"));
        let proxies = new.proxy_switches.iter().map(Value::from).collect();
        let proxies = Value::from(Array::new(ty::HostProxySwitch, proxies));
        let nic = |index: u64| Value::from(mac(MacSource::Physical, new.number * 8 + index));
        let bindings = [
            ("uuid", Value::from(uuid(&format!("host {}", new.seed)))),
            ("serial", Value::from(format!("VMware-{:04}", new.number))),
            ("hostname", Value::from(host_name)),
            ("domain", Value::from(domain)),
            ("ip", Value::from(ip(0, 10 + new.number))),
            ("vmk0mac", nic(0)),
            ("pnic0mac", nic(0)),
            ("pnic1mac", nic(1)),
            ("pnic2mac", nic(2)),
            ("pnic3mac", nic(3)),
            ("proxySwitch", proxies),
        ];
        let own = include_str!("../data/host-own.json");
        let bundle = Bundle::load("host-own.json", own, &bindings)?;
        let mut config = self.config.edit();
        let options = bundle.get("options", ty::HostConfigInfo)?;
        let (storage, volumes) = datastore::host_storage(&[]);
        let vnics = bundle.get("nicManager", ty::HostVirtualNicManagerInfo)?;
        put!(
            config,
            HostConfigInfo {
                host: new.mo,
                product: &self.product,
                storageDevice: storage,
                fileSystemVolume: volumes,
                network: bundle.get("network", ty::HostNetworkInfo)?,
                virtualNicManagerInfo: vnics,
                service: &self.services,
                firewall: &self.firewall,
                option: options.field("option").cloned(),
                vmotion: object!(HostVMotionInfo {}),
                vsanHostConfig: object!(VsanHostConfigInfo { enabled: false, hostSystem: new.mo }),
            }
        );
        let hardware = bundle.get("hardware", ty::HostHardwareInfo)?;
        Ok(Own { config: config.finish(), hardware })
    }
}

struct Own {
    config: Object,
    hardware: Object,
}

/// What of a host can be licensed.
fn licensable() -> Object {
    let resource = |key: &str, value: i32| object!(KeyAnyValue { key: key, value: value });
    object!(HostLicensableResourceInfo {
        resource: [
            resource("numCpuPackages", 2),
            resource("numCpuCores", 16),
            resource("memorySize", 131_072),
            resource("numVmsStarted", 0),
        ],
    })
}

/// Twenty bytes that look like the fingerprint of a certificate.
pub(super) fn thumbprint(name: &str) -> String {
    let hex = (uuid(name) + &uuid(&format!("{name} thumbprint"))).replace('-', "").to_uppercase();
    let bytes: Vec<&str> = (0..20).filter_map(|at| hex.get(2 * at..2 * at + 2)).collect();
    bytes.join(":")
}

/// Makes everything follow that repeats other properties of a host: `summary`,
/// `systemResources`, what its datastores are to its storage, and its managers.
pub fn refresh(tx: &mut Transaction, host: &MoRef) -> Result<(), Fault> {
    let Some(props) = tx.get(host) else { return Err(Fault::not_found(host)) };
    let mut next = props.edit();
    let at = |path| props.at(path).cloned();
    put!(
        next,
        HostSystem {
            summary: summary(host, props),
            systemResources: at(path!(HostSystem, "config.systemResources")),
        }
    );
    let next = next.finish();
    if &next != props {
        tx.replace(host, next)?;
    }
    managers::refresh(tx, host)
}

/// Mounts exactly these datastores on a host.
pub fn mount(tx: &mut Transaction, host: &MoRef, stores: &[MoRef]) -> Result<(), Fault> {
    let found: Vec<&Object> = stores.iter().filter_map(|store| tx.get(store)).collect();
    let (device, volumes) = datastore::host_storage(&found);
    set_storage(tx, host, stores, &device, &volumes)
}

/// Like [`mount`], with the descriptions of disks and volumes already made.
pub(super) fn set_storage(
    tx: &mut Transaction,
    host: &MoRef,
    stores: &[MoRef],
    device: &Object,
    volumes: &Object,
) -> Result<(), Fault> {
    tx.set(host, path!(HostSystem, "config.storageDevice"), device)?;
    tx.set(host, path!(HostSystem, "config.fileSystemVolume"), volumes)?;
    tx.set(host, path!(HostSystem, "datastore"), stores)?;
    if let Some(browser) = tx.moref(host, path!(HostSystem, "datastoreBrowser")).cloned() {
        tx.set(&browser, path!(HostDatastoreBrowser, "datastore"), stores)?;
    }
    refresh(tx, host)
}

fn summary(host: &MoRef, props: &Object) -> Object {
    let old = props.at(path!(HostSystem, "summary")).and_then(Value::as_object);
    let at = |path| props.at(path).cloned();
    let stats = old.and_then(|old| old.field("quickStats")).cloned().unwrap_or_else(|| {
        Value::from(object!(HostListSummaryQuickStats {
            overallCpuUsage: 120,
            overallMemoryUsage: 1_854,
            distributedCpuFairness: 1_000,
            distributedMemoryFairness: 1_000,
            availablePMemCapacity: 0,
            uptime: 0,
        }))
    });
    let mut summary = old.map_or_else(|| Object::empty(ty::HostListSummary), Object::clone).edit();
    put!(
        summary,
        HostListSummary {
            host: host,
            hardware: hardware_summary(props),
            runtime: at(path!(HostSystem, "runtime")),
            config: config_summary(props),
            quickStats: stats,
            overallStatus: at(path!(HostSystem, "overallStatus")),
            rebootRequired: false,
            maintenanceModeRequired: false,
            customValue: at(path!(HostSystem, "customValue")),
            managementServerIp: "127.0.0.1",
            maxEVCModeKey: "intel-icelake",
        }
    );
    let new = summary.finish();
    // Equal parts keep their allocation.
    match old {
        Some(old) if old == &new => old.clone(),
        _ => new,
    }
}

fn hardware_summary(props: &Object) -> Option<Object> {
    let hardware = props.at(path!(HostSystem, "hardware"))?.as_object()?;
    let at = |path| hardware.at(path).cloned();
    let count =
        |path| props.at(path).map_or(0, |value| i64::try_from(value.elements().len()).unwrap_or(0));
    let hz = hardware.at(path!(HostHardwareInfo, "cpuInfo.hz")).and_then(Value::as_i64);
    let packages = hardware.at(path!(HostHardwareInfo, "cpuPkg")).map_or(&[][..], Value::items);
    let model = packages.first().and_then(Value::as_object).and_then(|p| p.field("description"));
    Some(object!(HostHardwareSummary {
        vendor: at(path!(HostHardwareInfo, "systemInfo.vendor")),
        model: at(path!(HostHardwareInfo, "systemInfo.model")),
        uuid: at(path!(HostHardwareInfo, "systemInfo.uuid")),
        otherIdentifyingInfo: at(path!(HostHardwareInfo, "systemInfo.otherIdentifyingInfo")),
        memorySize: at(path!(HostHardwareInfo, "memorySize")),
        cpuModel: model.cloned(),
        cpuMhz: hz.unwrap_or_default() / 1_000_000,
        numCpuPkgs: at(path!(HostHardwareInfo, "cpuInfo.numCpuPackages")),
        numCpuCores: at(path!(HostHardwareInfo, "cpuInfo.numCpuCores")),
        numCpuThreads: at(path!(HostHardwareInfo, "cpuInfo.numCpuThreads")),
        numNics: count(path!(HostSystem, "config.network.pnic")),
        numHBAs: count(path!(HostSystem, "config.storageDevice.hostBusAdapter")),
    }))
}

fn config_summary(props: &Object) -> Object {
    let at = |path| props.at(path).cloned();
    let name = props.at(path!(HostSystem, "name")).and_then(Value::as_str).unwrap_or_default();
    let nics = props.at(path!(HostSystem, "config.virtualNicManagerInfo.netConfig"));
    let vmotion =
        nics.map_or(&[][..], Value::items).iter().filter_map(Value::as_object).any(|nic| {
            nic.field("nicType").and_then(Value::as_str) == Some("vmotion")
                && nic.field("selectedVnic").is_some_and(|selected| !selected.items().is_empty())
        });
    object!(HostConfigSummary {
        name: name,
        port: 443,
        sslThumbprint: thumbprint(name),
        product: at(path!(HostSystem, "config.product")),
        vmotionEnabled: vmotion,
        faultToleranceEnabled: false,
        featureVersion: at(path!(HostSystem, "config.featureVersion")),
        agentVmDatastore: None::<Str>,
    })
}
