//! The managers of one host: which there are, what they are called, and the
//! properties that they repeat from the host.

use std::time::Duration;

use super::super::put;
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::schema::{StaticPath, Type, ty};
use crate::value::{DateTime, MoRef, Object, ObjectBuilder, Value};
use crate::{object, path};

/// How long a host's certificate is valid: five years.
const VALIDITY: Duration = Duration::from_secs(5 * 365 * 24 * 3600);

/// A manager: its field in `configManager`, its type, the prefix of its id on a
/// vCenter, and its id on a host by itself.
type Manager = (&'static str, Type, &'static str, &'static str);

const MANAGERS: &[Manager] = &[
    ("cpuScheduler", ty::HostCpuSchedulerSystem, "cpuSchedulerSystem", "cpuSchedulerSystem"),
    ("datastoreSystem", ty::HostDatastoreSystem, "datastoreSystem", "ha-datastoresystem"),
    ("memoryManager", ty::HostMemorySystem, "memoryManagerSystem", "memoryManagerSystem"),
    ("storageSystem", ty::HostStorageSystem, "storageSystem", "storageSystem"),
    ("networkSystem", ty::HostNetworkSystem, "networkSystem", "networkSystem"),
    ("vmotionSystem", ty::HostVMotionSystem, "vmotionSystem", "ha-vmotion-system"),
    ("virtualNicManager", ty::HostVirtualNicManager, "virtualNicManager", "ha-vnic-mgr"),
    ("serviceSystem", ty::HostServiceSystem, "serviceSystem", "serviceSystem"),
    ("firewallSystem", ty::HostFirewallSystem, "firewallSystem", "firewallSystem"),
    ("advancedOption", ty::OptionManager, "EsxHostAdvSettings", "ha-adv-options"),
    ("diagnosticSystem", ty::HostDiagnosticSystem, "diagnosticSystem", "diagnosticsystem"),
    ("autoStartManager", ty::HostAutoStartManager, "autoStartManager", "ha-autostart-mgr"),
    ("snmpSystem", ty::HostSnmpSystem, "snmpSystem", "ha-snmp-agent"),
    ("dateTimeSystem", ty::HostDateTimeSystem, "dateTimeSystem", "dateTimeSystem"),
    ("patchManager", ty::HostPatchManager, "patchManager", "ha-host-patch-manager"),
    (
        "imageConfigManager",
        ty::HostImageConfigManager,
        "imageConfigManager",
        "ha-image-config-manager",
    ),
    ("bootDeviceSystem", ty::HostBootDeviceSystem, "bootDeviceSystem", "ha-boot-device-system"),
    ("firmwareSystem", ty::HostFirmwareSystem, "firmwareSystem", "ha-firmwareSystem"),
    ("healthStatusSystem", ty::HostHealthStatusSystem, "healthStatusSystem", "healthStatusSystem"),
    ("pciPassthruSystem", ty::HostPciPassthruSystem, "pciPassthruSystem", "ha-pcipassthrusystem"),
    ("kernelModuleSystem", ty::HostKernelModuleSystem, "kernelModuleSystem", "kernelModuleSystem"),
    (
        "authenticationManager",
        ty::HostAuthenticationManager,
        "authenticationManager",
        "ha-auth-manager",
    ),
    ("powerSystem", ty::HostPowerSystem, "powerSystem", "ha-power-system"),
    (
        "cacheConfigurationManager",
        ty::HostCacheConfigurationManager,
        "cacheConfigManager",
        "ha-cache-configuration-manager",
    ),
    (
        "esxAgentHostManager",
        ty::HostEsxAgentHostManager,
        "esxAgentHostManager",
        "ha-esx-agent-host-manager",
    ),
    ("iscsiManager", ty::IscsiManager, "iscsiManager", "iscsiManager"),
    ("vFlashManager", ty::HostVFlashManager, "vFlashManager", "ha-vflash-manager"),
    ("vsanSystem", ty::HostVsanSystem, "vsanSystem", "vsanSystem"),
    ("messageBusProxy", ty::MessageBusProxy, "messageBusProxy", "messageBusProxy"),
    ("hostAccessManager", ty::HostAccessManager, "hostAccessManager", "ha-host-access-manager"),
    ("graphicsManager", ty::HostGraphicsManager, "graphicsManager", "ha-graphics-manager"),
    (
        "vsanInternalSystem",
        ty::HostVsanInternalSystem,
        "vsanInternalSystem",
        "ha-vsan-internal-system",
    ),
    (
        "certificateManager",
        ty::HostCertificateManager,
        "certificateManager",
        "ha-certificate-manager",
    ),
    ("cryptoManager", ty::CryptoManagerHost, "cryptoManager", "ha-crypto-manager"),
    ("nvdimmSystem", ty::HostNvdimmSystem, "nvdimmSystem", "ha-nvdimm-system"),
    (
        "assignableHardwareManager",
        ty::HostAssignableHardwareManager,
        "assignableHardwareManager",
        "ha-assignable-hardware-manager",
    ),
];

/// Managers that are the whole simulator's on a host by itself.
const OWN_ON_ESX: &[(&str, Type, &str)] = &[
    ("licenseManager", ty::LicenseManager, "ha-license-manager"),
    ("userDirectory", ty::UserDirectory, "ha-user-directory"),
    ("accountManager", ty::HostLocalAccountManager, "ha-localacctmgr"),
];

/// Copies a property of a host to one of its managers.
type Copy = (Type, usize, &'static StaticPath);

macro_rules! copies {
    ($($type:ident . $property:ident = $path:literal),+ $(,)?) => {
        &[$((ty::$type, const { ty::$type.slot(stringify!($property)) }, path!(HostSystem, $path))),+]
    };
}

const COPIES: &[Copy] = copies![
    HostCpuSchedulerSystem.cpuSchedulerInfo = "config.cpuScheduler",
    HostCpuSchedulerSystem.hyperthreadInfo = "config.hyperThread",
    HostDatastoreSystem.datastore = "datastore",
    HostDatastoreSystem.capabilities = "config.datastoreCapabilities",
    HostMemorySystem.consoleReservationInfo = "config.consoleReservation",
    HostMemorySystem.virtualMachineReservationInfo = "config.virtualMachineReservation",
    HostStorageSystem.storageDeviceInfo = "config.storageDevice",
    HostStorageSystem.fileSystemVolumeInfo = "config.fileSystemVolume",
    HostStorageSystem.systemFile = "config.systemFile",
    HostStorageSystem.multipathStateInfo = "config.multipathState",
    HostNetworkSystem.capabilities = "config.capabilities",
    HostNetworkSystem.networkInfo = "config.network",
    HostNetworkSystem.offloadCapabilities = "config.offloadCapabilities",
    HostNetworkSystem.dnsConfig = "config.network.dnsConfig",
    HostNetworkSystem.ipRouteConfig = "config.network.ipRouteConfig",
    HostVMotionSystem.netConfig = "config.vmotion.netConfig",
    HostVMotionSystem.ipConfig = "config.vmotion.ipConfig",
    HostVirtualNicManager.info = "config.virtualNicManagerInfo",
    HostServiceSystem.serviceInfo = "config.service",
    HostFirewallSystem.firewallInfo = "config.firewall",
    OptionManager.setting = "config.option",
    OptionManager.supportedOption = "config.optionDef",
    HostDiagnosticSystem.activePartition = "config.activeDiagnosticPartition",
    HostAutoStartManager.config = "config.autoStart",
    HostDateTimeSystem.dateTimeInfo = "config.dateTimeInfo",
    HostHealthStatusSystem.runtime = "runtime.healthSystemRuntime",
    HostPciPassthruSystem.pciPassthruInfo = "config.pciPassthruInfo",
    HostAuthenticationManager.info = "config.authenticationManagerInfo",
    HostPowerSystem.capability = "config.powerSystemCapability",
    HostPowerSystem.info = "config.powerSystemInfo",
    HostCacheConfigurationManager.cacheConfigurationInfo = "config.cacheConfigurationInfo",
    HostVFlashManager.vFlashConfigInfo = "config.vFlashConfigInfo",
    HostVsanSystem.config = "config.vsanHostConfig",
    HostAccessManager.lockdownMode = "config.lockdownMode",
    HostGraphicsManager.graphicsInfo = "config.graphicsInfo",
    HostGraphicsManager.graphicsConfig = "config.graphicsConfig",
    HostAssignableHardwareManager.config = "config.assignableHardwareConfig",
    HostAssignableHardwareManager.binding = "config.assignableHardwareBinding",
];

/// The references of a host's managers.
#[derive(Debug)]
pub struct Managers<'a> {
    host: &'a MoRef,
    esx: bool,
}

impl<'a> Managers<'a> {
    /// The managers of `host`.
    pub fn of(host: &'a MoRef, esx: bool) -> Self {
        Self { host, esx }
    }

    fn number(&self) -> &str {
        self.host.id().rsplit_once('-').map_or(self.host.id(), |(_, number)| number)
    }

    fn moref(&self, ty: Type, prefix: &str, esx_id: &str) -> MoRef {
        if self.esx {
            MoRef::new(ty, esx_id)
        } else {
            MoRef::new(ty, &format!("{prefix}-{}", self.number()))
        }
    }

    /// The references with their fields in `configManager`.
    fn all(&self) -> impl Iterator<Item = (&'static str, MoRef)> {
        let local = if self.esx { OWN_ON_ESX } else { &[] };
        let own =
            MANAGERS.iter().map(|(field, ty, prefix, id)| (*field, self.moref(*ty, prefix, id)));
        own.chain(local.iter().map(|(field, ty, id)| (*field, MoRef::new(*ty, id))))
    }

    /// `configManager`.
    pub(super) fn config_manager(&self) -> Object {
        let mut manager = ObjectBuilder::new(ty::HostConfigManager);
        for (field, mo) in self.all() {
            if let Some((slot, _)) = ty::HostConfigManager.field(field) {
                manager.set(slot, mo);
            }
        }
        manager.finish()
    }

    /// The browser of the host's datastores.
    pub(super) fn browser(&self) -> MoRef {
        self.moref(ty::HostDatastoreBrowser, "datastoreBrowser-host", "ha-host-datastorebrowser")
    }

    fn stores(&self) -> [MoRef; 2] {
        [
            self.moref(
                ty::HostLocalAuthentication,
                "localAuthentication",
                "ha-local-authentication",
            ),
            self.moref(
                ty::HostActiveDirectoryAuthentication,
                "activeDirectoryAuthentication",
                "ha-ad-auth",
            ),
        ]
    }

    /// Every object that belongs to the host alone, to be removed with it.
    pub fn belongings(&self) -> Vec<MoRef> {
        let managers = MANAGERS.iter().map(|(_, ty, prefix, id)| self.moref(*ty, prefix, id));
        managers.chain(self.stores()).chain([self.browser()]).collect()
    }

    /// Adds the managers with what they do not repeat from the host.
    pub(super) fn insert(&self, tx: &mut Transaction, name: &str, now: DateTime) {
        for (_, ty, prefix, id) in MANAGERS {
            tx.insert(self.moref(*ty, prefix, id), self.own_properties(*ty, name, now));
        }
        let [local, directory] = self.stores();
        tx.insert(
            local,
            object!(HostLocalAuthentication {
                info: object!(HostLocalAuthenticationInfo { enabled: true })
            }),
        );
        tx.insert(
            directory,
            object!(HostActiveDirectoryAuthentication {
                info: object!(HostActiveDirectoryInfo {
                    enabled: false,
                    smartCardAuthenticationEnabled: false,
                }),
            }),
        );
    }

    fn own_properties(&self, manager: Type, name: &str, now: DateTime) -> Object {
        let mut own = ObjectBuilder::new(manager);
        match manager {
            ty::HostSnmpSystem => put!(
                own,
                HostSnmpSystem {
                    configuration: object!(HostSnmpConfigSpec {
                        enabled: false,
                        port: 161,
                        readOnlyCommunities: Vec::<Value>::new(),
                        trapTargets: Vec::<Value>::new(),
                    }),
                    limits: object!(HostSnmpSystemAgentLimits {
                        maxReadOnlyCommunities: 10,
                        maxTrapDestinations: 3,
                        maxCommunityLength: 64,
                        maxBufferSize: 1500,
                        capability: "COMPLETE",
                    }),
                }
            ),
            ty::HostAuthenticationManager => {
                put!(own, HostAuthenticationManager { supportedStore: self.stores() });
            }
            ty::HostEsxAgentHostManager => put!(
                own,
                HostEsxAgentHostManager {
                    configInfo: object!(HostEsxAgentHostManagerConfigInfo {}),
                }
            ),
            ty::HostCertificateManager => put!(
                own,
                HostCertificateManager {
                    certificateInfo: object!(HostCertificateManagerCertificateInfo {
                        issuer: "O=vimsim,OU=vimsim,CN=vimsim",
                        subject: format!("OU=vimsim,O=vimsim,CN={name}"),
                        notBefore: now,
                        notAfter: now.after(VALIDITY),
                        status: "good",
                    }),
                }
            ),
            ty::CryptoManagerHost => put!(own, CryptoManagerHost { enabled: false }),
            ty::HostNvdimmSystem => put!(
                own,
                HostNvdimmSystem {
                    nvdimmSystemInfo: object!(NvdimmSystemInfo {
                        summary: object!(NvdimmSummary {
                            numDimms: 0,
                            healthStatus: "normal",
                            totalCapacity: 0,
                            persistentCapacity: 0,
                            blockCapacity: 0,
                            availableCapacity: 0,
                            numInterleavesets: 0,
                            numNamespaces: 0,
                        }),
                    }),
                }
            ),
            _ => {}
        }
        own.finish()
    }
}

/// Copies to each manager what it repeats from its host.
pub(super) fn refresh(tx: &mut Transaction, host: &MoRef) -> Result<(), Fault> {
    let Some(props) = tx.get(host).cloned() else { return Err(Fault::not_found(host)) };
    let manager = props.at(path!(HostSystem, "configManager")).and_then(Value::as_object);
    let managers: Vec<MoRef> = manager
        .map(|manager| manager.iter().filter_map(|(_, value)| value.as_moref().cloned()).collect())
        .unwrap_or_default();
    for mo in managers {
        let mut copies = COPIES.iter().filter(|(ty, ..)| *ty == mo.ty()).peekable();
        if copies.peek().is_none() {
            continue;
        }
        let Some(old) = tx.get(&mo) else { continue };
        let mut next = old.edit();
        for (_, slot, path) in copies {
            next.set(*slot, props.at(path));
        }
        let next = next.finish();
        if &next != old {
            tx.replace(&mo, next)?;
        }
    }
    Ok(())
}
