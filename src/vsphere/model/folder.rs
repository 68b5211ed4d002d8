//! Folders, datacenters and storage pods.

use super::entity::entity;
use super::put;
use crate::inventory::Transaction;
use crate::object;
use crate::schema::ty;
use crate::value::{MoRef, Object, Value};

/// What a folder is for, and so what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// Datacenters; the root folder is one of these.
    Datacenter,
    /// Virtual machines and vApps.
    Vm,
    /// Hosts and clusters.
    Host,
    /// Datastores and storage pods.
    Datastore,
    /// Networks and distributed switches.
    Network,
}

impl FolderKind {
    /// The prefix of generated ids.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Datacenter => "group-d",
            Self::Vm => "group-v",
            Self::Host => "group-h",
            Self::Datastore => "group-s",
            Self::Network => "group-n",
        }
    }

    /// `childType` of such a folder.
    pub fn child_types(self) -> &'static [&'static str] {
        match self {
            Self::Datacenter => &["Folder", "Datacenter"],
            Self::Vm => &["Folder", "VirtualMachine", "VirtualApp"],
            Self::Host => &["Folder", "ComputeResource"],
            Self::Datastore => &["Folder", "Datastore", "StoragePod"],
            Self::Network => &["Folder", "Network", "DistributedVirtualSwitch"],
        }
    }

    /// What a folder with this `childType` is for.
    pub fn of(folder: &Object) -> Option<Self> {
        let types = folder.field("childType").map_or(&[][..], Value::items);
        let has = |name: &str| types.iter().any(|ty| ty.as_str() == Some(name));
        [
            (Self::Datacenter, "Datacenter"),
            (Self::Vm, "VirtualMachine"),
            (Self::Host, "ComputeResource"),
            (Self::Datastore, "Datastore"),
            (Self::Network, "Network"),
        ]
        .into_iter()
        .find_map(|(kind, name)| has(name).then_some(kind))
    }
}

/// The properties of a folder without children.
pub fn folder(kind: FolderKind, name: &str, parent: Option<&MoRef>) -> Object {
    let mut folder = entity(ty::Folder, name, parent);
    put!(folder, Folder { childType: kind.child_types(), childEntity: Vec::<Value>::new() });
    folder.finish()
}

/// The four folders of a datacenter.
#[derive(Clone, Debug)]
pub struct DatacenterFolders {
    /// For virtual machines.
    pub vm: MoRef,
    /// For hosts and clusters.
    pub host: MoRef,
    /// For datastores.
    pub datastore: MoRef,
    /// For networks.
    pub network: MoRef,
}

/// Adds a datacenter and its four folders to the folder `parent`, whose list of
/// children is left to the caller.
pub fn insert_datacenter(
    tx: &mut Transaction,
    mo: &MoRef,
    folders: &DatacenterFolders,
    name: &str,
    parent: &MoRef,
    hardware_version: &str,
) {
    for (folder_mo, kind, name) in [
        (&folders.vm, FolderKind::Vm, "vm"),
        (&folders.host, FolderKind::Host, "host"),
        (&folders.datastore, FolderKind::Datastore, "datastore"),
        (&folders.network, FolderKind::Network, "network"),
    ] {
        tx.insert(folder_mo.clone(), folder(kind, name, Some(mo)));
    }
    let mut datacenter = entity(ty::Datacenter, name, Some(parent));
    put!(
        datacenter,
        Datacenter {
            vmFolder: &folders.vm,
            hostFolder: &folders.host,
            datastoreFolder: &folders.datastore,
            networkFolder: &folders.network,
            datastore: Vec::<Value>::new(),
            network: Vec::<Value>::new(),
            configuration: object!(DatacenterConfigInfo {
                defaultHardwareVersionKey: hardware_version,
            }),
        }
    );
    tx.insert(mo.clone(), datacenter.finish());
}

/// The properties of a storage pod without datastores.
pub fn storage_pod(name: &str, parent: &MoRef) -> Object {
    let mut pod = entity(ty::StoragePod, name, Some(parent));
    let balance = object!(StorageDrsSpaceLoadBalanceConfig {
        spaceThresholdMode: "utilization",
        spaceUtilizationThreshold: 80,
        minSpaceUtilizationDifference: 5,
    });
    let io = object!(StorageDrsIoLoadBalanceConfig {
        reservablePercentThreshold: 60,
        reservableThresholdMode: "automated",
        ioLatencyThreshold: 15,
        ioLoadImbalanceThreshold: 5,
    });
    let config = object!(StorageDrsPodConfigInfo {
        enabled: false,
        ioLoadBalanceEnabled: true,
        defaultVmBehavior: "manual",
        loadBalanceInterval: 480,
        defaultIntraVmAffinity: true,
        spaceLoadBalanceConfig: balance,
        ioLoadBalanceConfig: io,
    });
    put!(
        pod,
        StoragePod {
            childType: ["Datastore"],
            childEntity: Vec::<Value>::new(),
            summary: object!(StoragePodSummary { name: name, capacity: 0, freeSpace: 0 }),
            podStorageDrsEntry: object!(PodStorageDrsEntry {
                storageDrsConfig: object!(StorageDrsConfigInfo { podConfig: config }),
            }),
        }
    );
    pod.finish()
}
