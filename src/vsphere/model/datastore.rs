//! Datastores, and the browsers that list their files.

use super::entity::entity;
use super::{identity, put};
use crate::fault::Fault;
use crate::inventory::{Read, Transaction};
use crate::schema::{Type, ty};
use crate::value::{Array, DateTime, MoRef, Object, Value};
use crate::{object, path};

const TIB: i64 = 1 << 40;
/// The capacity of a datastore, unless its machines need more.
pub const CAPACITY: i64 = 4 * TIB;
/// About what one generated machine takes.
const MACHINE: i64 = 200 << 20;
const MAX_FILE: i64 = 64 * TIB;
const MAX_DISK: i64 = 62 * TIB;
/// The size of the small disk that each host boots from, in the same kind of description.
const BLOCK: i64 = 512;

/// The formats that virtual disks on VMFS may have.
const DISK_FORMATS: [&str; 2] = ["native_512", "native_4k"];

/// A datastore to be made.
#[derive(Debug)]
pub struct NewDatastore<'a> {
    /// Its reference.
    pub mo: &'a MoRef,
    /// Its name.
    pub name: &'a str,
    /// The datastore folder or storage pod that holds it.
    pub parent: &'a MoRef,
    /// What tells it apart from one of the same name elsewhere.
    pub seed: &'a str,
    /// The browser of its files.
    pub browser: &'a MoRef,
    /// Its size.
    pub capacity: i64,
    /// Now.
    pub now: DateTime,
}

/// The properties of an empty VMFS datastore that no host has mounted.
pub fn datastore(new: &NewDatastore<'_>) -> Object {
    let uuid = volume_uuid(new.seed);
    let url = format!("ds:///vmfs/volumes/{uuid}/");
    let mut store = entity(ty::Datastore, new.name, Some(new.parent));
    put!(
        store,
        Datastore {
            info: object!(VmfsDatastoreInfo {
                name: new.name,
                url: &url,
                freeSpace: new.capacity,
                maxFileSize: MAX_FILE,
                maxVirtualDiskCapacity: MAX_DISK,
                maxMemoryFileSize: MAX_FILE,
                timestamp: new.now,
                containerId: "",
                supportedVDiskFormats: DISK_FORMATS,
                logicalSectorSize: 512,
                physicalSectorSize: 512,
                maxPhysicalRDMFileSize: MAX_FILE,
                maxVirtualRDMFileSize: MAX_DISK,
                vmfs: volume(new.name, &uuid, new.capacity, &disk_name(&uuid)),
            }),
            summary: object!(DatastoreSummary {
                datastore: new.mo,
                name: new.name,
                url: &url,
                capacity: new.capacity,
                freeSpace: new.capacity,
                uncommitted: 0,
                accessible: true,
                multipleHostAccess: true,
                type: "VMFS",
                maintenanceMode: "normal",
            }),
            host: Vec::<Value>::new(),
            vm: Vec::<Value>::new(),
            browser: new.browser,
            capability: object!(DatastoreCapability {
                directoryHierarchySupported: true,
                rawDiskMappingsSupported: true,
                perFileThinProvisioningSupported: true,
                storageIORMSupported: true,
                nativeSnapshotSupported: false,
                topLevelDirectoryCreateSupported: true,
                seSparseSupported: true,
                vmfsSparseSupported: true,
                vsanSparseSupported: false,
                upitSupported: false,
                vmdkExpandSupported: true,
                clusteredVmdkSupported: false,
            }),
            iormConfiguration: object!(StorageIORMInfo {
                enabled: false,
                congestionThresholdMode: "automatic",
                congestionThreshold: 30,
                percentOfPeakThroughput: 90,
                statsCollectionEnabled: false,
                reservationEnabled: false,
                statsAggregationDisabled: false,
                reservableIopsThreshold: 0,
            }),
        }
    );
    store.finish()
}

/// The capacity of a datastore that holds `machines` generated machines and is
/// at most half full.
pub fn capacity_for(machines: i64) -> i64 {
    let mut capacity = CAPACITY;
    while capacity < machines.saturating_mul(2 * MACHINE) {
        capacity *= 2;
    }
    capacity
}

/// The UUID of a volume in the form that VMFS has.
fn volume_uuid(seed: &str) -> String {
    let hex: String = identity::uuid(seed).chars().filter(|c| *c != '-').collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    format!("{}-{}-{}-{}", part(0, 8), part(8, 16), part(16, 20), part(20, 32))
}

/// The name of the disk that a volume is on.
fn disk_name(volume: &str) -> String {
    let hex: String = volume.chars().filter(|c| *c != '-').collect();
    format!("naa.6{}", hex.get(..31).unwrap_or_default())
}

fn volume(name: &str, uuid: &str, capacity: i64, disk: &str) -> Object {
    object!(HostVmfsVolume {
        type: "VMFS",
        name: name,
        capacity: capacity,
        blockSizeMb: 1,
        blockSize: 1024,
        unmapGranularity: 1024,
        unmapPriority: "low",
        maxBlocks: 63_963_136,
        majorVersion: 6,
        version: "6.82",
        uuid: uuid,
        extent: [object!(HostScsiDiskPartition { diskName: disk, partition: 1 })],
        vmfsUpgradable: false,
        ssd: true,
        local: false,
    })
}

/// How a host mounts the datastore with these properties.
pub fn mount_info(store: &Object) -> Object {
    let uuid =
        store.at(path!(Datastore, "summary.url")).and_then(Value::as_str).unwrap_or_default();
    object!(HostMountInfo {
        path: uuid.strip_prefix("ds://").unwrap_or(uuid).trim_end_matches('/'),
        accessMode: "readWrite",
        mounted: true,
        accessible: true,
    })
}

/// `config.storageDevice` and `config.fileSystemVolume` of a host that has
/// mounted these datastores: each is on a disk of its own, seen through the
/// second adapter; the host boots from the first.
pub(super) fn host_storage(stores: &[&Object]) -> (Object, Object) {
    let adapters = [
        object!(HostBlockHba {
            key: "key-vim.host.BlockHba-vmhba0",
            device: "vmhba0",
            bus: 2,
            status: "unknown",
            model: "SATA AHCI controller",
            driver: "vmw_ahci",
            pci: "0000:02:00.0",
            storageProtocol: "scsi",
        }),
        object!(HostParallelScsiHba {
            key: "key-vim.host.ParallelScsiHba-vmhba1",
            device: "vmhba1",
            bus: 3,
            status: "unknown",
            model: "PVSCSI SCSI Controller",
            driver: "pvscsi",
            pci: "0000:03:00.0",
            storageProtocol: "scsi",
        }),
    ];
    let boot = Lun::new("mpx.vmhba0:C0:T0:L0", "Local VMware Disk", 34_359_738_368, 0, true);
    let shared = stores.iter().zip(0..).filter_map(|(store, unit)| {
        let volume = store.at(path!(Datastore, "info"))?.as_object()?.field("vmfs")?.as_object()?;
        let extent = volume.field("extent")?.items().first()?.as_object()?;
        let name = extent.field("diskName")?.as_str()?;
        let size = volume.field("capacity")?.as_i64()?;
        Some(Lun::new(name, &format!("VMware Disk ({name})"), size, unit, false))
    });
    let luns: Vec<Lun> = std::iter::once(boot).chain(shared).collect();
    let device = object!(HostStorageDeviceInfo {
        hostBusAdapter: adapters,
        scsiLun: luns.iter().map(Lun::disk).collect::<Vec<_>>(),
        scsiTopology: object!(HostScsiTopology {
            adapter: vec![topology(0, &luns, true), topology(1, &luns, false)],
        }),
        multipathInfo: object!(HostMultipathInfo {
            lun: luns.iter().map(Lun::multipath).collect::<Vec<_>>(),
        }),
        softwareInternetScsiEnabled: false,
    });
    let mounts = stores.iter().filter_map(|store| {
        let volume = store.at(path!(Datastore, "info"))?.as_object()?.field("vmfs")?.clone();
        Some(object!(HostFileSystemMountInfo {
            mountInfo: mount_info(store),
            volume: volume,
            vStorageSupport: "vStorageSupported",
        }))
    });
    let volumes = object!(HostFileSystemVolumeInfo {
        volumeTypeList: [
            "VMFS-5", "VMFS-6", "NFS", "NFS41", "vsan", "VVOL", "VFFS", "OTHER", "PMEM"
        ],
        mountInfo: mounts.collect::<Vec<_>>(),
    });
    (device, volumes)
}

fn topology(adapter: usize, luns: &[Lun], boot: bool) -> Object {
    let (key, device) = if boot {
        ("key-vim.host.BlockHba-vmhba0", "vmhba0")
    } else {
        ("key-vim.host.ParallelScsiHba-vmhba1", "vmhba1")
    };
    let on_it = luns.iter().filter(|lun| lun.boot == boot).map(|lun| {
        object!(HostScsiTopologyLun {
            key: format!("key-vim.host.ScsiTopology.Lun-{}", lun.uuid),
            lun: lun.unit,
            scsiLun: lun.key(),
        })
    });
    let target = object!(HostScsiTopologyTarget {
        key: format!("key-vim.host.ScsiTopology.Target-{device}:0:0"),
        target: 0,
        lun: on_it.collect::<Vec<_>>(),
        transport: Object::empty(if boot {
            ty::HostBlockAdapterTargetTransport
        } else {
            ty::HostParallelScsiTargetTransport
        }),
    });
    object!(HostScsiTopologyInterface {
        key: format!("key-vim.host.ScsiTopology.Interface-vmhba{adapter}"),
        adapter: key,
        target: [target],
    })
}

/// A disk as a host sees it.
struct Lun {
    name: String,
    display: String,
    uuid: String,
    size: i64,
    unit: i32,
    boot: bool,
}

impl Lun {
    fn new(name: &str, display: &str, size: i64, unit: i32, boot: bool) -> Self {
        let uuid = identity::uuid(name).replace('-', "");
        Self { name: name.to_owned(), display: display.to_owned(), uuid, size, unit, boot }
    }

    fn key(&self) -> String {
        format!("key-vim.host.ScsiDisk-{}", self.uuid)
    }

    fn disk(&self) -> Object {
        object!(HostScsiDisk {
            deviceName: format!("/vmfs/devices/disks/{}", self.name),
            deviceType: "disk",
            key: self.key(),
            uuid: &self.uuid,
            descriptor: [object!(ScsiLunDescriptor { quality: "highQuality", id: &self.name })],
            canonicalName: &self.name,
            displayName: &self.display,
            lunType: "disk",
            vendor: "VMware  ",
            model: "Virtual disk    ",
            revision: "2.0 ",
            scsiLevel: 6,
            serialNumber: "unavailable",
            queueDepth: 64,
            operationalState: ["ok"],
            capabilities: object!(ScsiLunCapabilities { updateDisplayNameSupported: !self.boot }),
            vStorageSupport: if self.boot { "vStorageUnsupported" } else { "vStorageSupported" },
            protocolEndpoint: false,
            perenniallyReserved: false,
            clusteredVmdkSupported: false,
            capacity: object!(HostDiskDimensionsLba { blockSize: 512, block: self.size / BLOCK }),
            devicePath: format!("/vmfs/devices/disks/{}", self.name),
            ssd: true,
            localDisk: self.boot,
            physicalLocation: Vec::<Value>::new(),
            emulatedDIXDIFEnabled: false,
            scsiDiskType: "native512",
        })
    }

    fn multipath(&self) -> Object {
        let (adapter, hba) = if self.boot {
            ("key-vim.host.BlockHba-vmhba0", "vmhba0")
        } else {
            ("key-vim.host.ParallelScsiHba-vmhba1", "vmhba1")
        };
        let unit_key = format!("key-vim.host.MultipathInfo.LogicalUnit-{}", self.uuid);
        let path = format!("{hba}:C0:T0:L{}", self.unit);
        object!(HostMultipathInfoLogicalUnit {
            key: &unit_key,
            id: &self.uuid,
            lun: self.key(),
            path: [object!(HostMultipathInfoPath {
                key: format!("key-vim.host.MultipathInfo.Path-{path}"),
                name: &path,
                pathState: "active",
                state: "active",
                isWorkingPath: true,
                adapter: adapter,
                lun: &unit_key,
            })],
            policy: object!(HostMultipathInfoFixedLogicalUnitPolicy {
                policy: "VMW_PSP_FIXED",
                prefer: &path,
            }),
            storageArrayTypePolicy: object!(HostMultipathInfoLogicalUnitStorageArrayTypePolicy {
                policy: "VMW_SATP_LOCAL",
            }),
        })
    }
}

/// The properties of a browser of these datastores.
pub fn browser(stores: &[MoRef]) -> Object {
    let queries = [
        ty::FolderFileQuery,
        ty::FloppyImageFileQuery,
        ty::IsoImageFileQuery,
        ty::VmConfigFileQuery,
        ty::TemplateConfigFileQuery,
        ty::VmDiskFileQuery,
        ty::VmLogFileQuery,
        ty::VmNvramFileQuery,
        ty::VmSnapshotFileQuery,
    ];
    let supported = |ty: Type| Value::from(Object::empty(ty));
    object!(HostDatastoreBrowser {
        datastore: stores,
        supportedType: Array::new(ty::FileQuery, queries.into_iter().map(supported).collect()),
    })
}

/// Adds to the space that is taken, or may still be taken, on a datastore; the
/// only writer of free space, which clients read in `summary`, in `info` and,
/// summed up, in the storage pod.
pub fn take_space(
    tx: &mut Transaction,
    store: &MoRef,
    committed: i64,
    uncommitted: i64,
) -> Result<(), Fault> {
    let number =
        |tx: &Transaction, path| tx.at(store, path).and_then(Value::as_i64).unwrap_or_default();
    let free = number(tx, path!(Datastore, "summary.freeSpace")) - committed;
    let promised = number(tx, path!(Datastore, "summary.uncommitted")) + uncommitted;
    tx.set(store, path!(Datastore, "summary.freeSpace"), free)?;
    tx.set(store, path!(Datastore, "summary.uncommitted"), promised)?;
    tx.set(store, path!(Datastore, "info.freeSpace"), free)?;
    let parent = tx.moref(store, path!(Datastore, "parent")).cloned();
    let Some(pod) = parent.filter(|parent| parent.ty().is_a(ty::StoragePod)) else { return Ok(()) };
    let pod_free = tx.at(&pod, path!(StoragePod, "summary.freeSpace")).and_then(Value::as_i64);
    tx.set(&pod, path!(StoragePod, "summary.freeSpace"), pod_free.unwrap_or_default() - committed)
}
