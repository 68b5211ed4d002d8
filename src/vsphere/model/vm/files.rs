//! The files of a virtual machine, and the space they take: `layout`,
//! `layoutEx`, `storage`.

use super::super::device;
use crate::object;
use crate::schema::ty;
use crate::value::{Array, DateTime, MoRef, Object, Value};

const CONFIG_SIZE: i64 = 2_787;
const NVRAM_SIZE: i64 = 8_684;
const LOG_SIZE: i64 = 224_513;
const SNAPSHOT_SIZE: i64 = 29_012;
const DESCRIPTOR_SIZE: i64 = 532;
/// How much of a thin disk is written to begin with: one part in this many.
const THIN_SHARE: i64 = 64;

/// What decides which files there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// Whether the machine runs, and so has a swap file.
    pub(super) on: bool,
    /// Whether its memory is in a file.
    pub(super) suspended: bool,
}

/// A snapshot of a machine, as far as it has files.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The snapshot.
    pub(super) snapshot: MoRef,
    /// Its number.
    pub(super) id: i64,
    /// The configuration that it keeps.
    pub(super) config: Object,
    /// Whether it keeps the machine's memory.
    pub(super) memory: bool,
}

/// The files of a machine.
#[derive(Debug)]
pub(super) struct Files {
    /// `layout`.
    pub(super) layout: Object,
    /// `layoutEx`, with the given time stamp.
    pub(super) layout_ex: Object,
    /// Space by datastore name: taken, and what may still be taken.
    pub(super) usage: Vec<Usage>,
}

/// The space that a machine takes on one datastore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// The datastore's name.
    pub(super) datastore: String,
    /// Bytes that are taken.
    pub(super) committed: i64,
    /// Bytes that the machine may take beyond that.
    pub(super) uncommitted: i64,
}

/// The name between the brackets of `[datastore] path`, and the path.
pub fn split_path(path: &str) -> Option<(&str, &str)> {
    let (name, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((name, rest.trim_start()))
}

/// Makes the list of files of a machine with this configuration.
pub(super) fn files(
    config: &Object,
    state: State,
    snapshots: &[Taken],
    timestamp: DateTime,
) -> Files {
    let text = |field: &str| config.field(field).and_then(Value::as_str).unwrap_or_default();
    let vmx = config
        .field("files")
        .and_then(Value::as_object)
        .and_then(|files| files.field("vmPathName"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let stem = vmx.strip_suffix(".vmx").unwrap_or(vmx);
    let (home, vmx_file) = split_path(vmx).unwrap_or(("", vmx));
    let folder = vmx.rsplit_once('/').map_or(vmx, |(folder, _)| folder);
    let file_stem = vmx_file.strip_suffix(".vmx").unwrap_or(vmx_file);
    let file_stem = file_stem.rsplit_once('/').map_or(file_stem, |(_, name)| name);
    let memory = memory_bytes(config);

    let mut list = List::default();
    list.add(home, vmx.to_owned(), "config", CONFIG_SIZE);
    list.add(home, format!("{stem}.vmsd"), "snapshotList", 0);
    list.add(
        home,
        format!("{stem}.nvram"),
        "nvram",
        if text("firmware") == "efi" { 270_840 } else { NVRAM_SIZE },
    );
    list.add(home, format!("{folder}/vmware.log"), "log", LOG_SIZE);
    if state.on {
        list.add(home, format!("{stem}.vswp"), "swap", memory);
    } else {
        list.promise(home, memory);
    }
    if state.suspended {
        list.add(home, format!("{stem}.vmss"), "suspend", memory);
    }
    let mut disks = Vec::new();
    let mut simple_disks = Vec::new();
    for disk in device::of_type(config, ty::VirtualDisk) {
        let Some(name) = device::file(disk) else { continue };
        let chain = list.chain(home, disk, true);
        let files: Vec<String> = list.descriptors(&chain);
        disks.push(disk_layout(disk, &chain));
        simple_disks.push(object!(VirtualMachineFileLayoutDiskLayout {
            key: device::key(disk),
            diskFile: if files.is_empty() { vec![name.to_string()] } else { files },
        }));
    }
    let mut kept = Vec::new();
    let mut simple_kept = Vec::new();
    for taken in snapshots {
        let data = format!("{stem}-Snapshot{}.vmsn", taken.id);
        simple_kept.push(object!(VirtualMachineFileLayoutSnapshotLayout {
            key: &taken.snapshot,
            snapshotFile: [data.rsplit_once('/').map_or(data.as_str(), |(_, name)| name)],
        }));
        let data = list.add(home, data, "snapshotData", SNAPSHOT_SIZE);
        let memory = taken.memory.then(|| {
            let file = format!("{stem}-Snapshot{}.vmem", taken.id);
            list.add(home, file, "snapshotMemory", memory_bytes(&taken.config))
        });
        let disks = device::of_type(&taken.config, ty::VirtualDisk).map(|disk| {
            let chain = list.chain(home, disk, false);
            disk_layout(disk, &chain)
        });
        let disks: Vec<Object> = disks.collect();
        kept.push(object!(VirtualMachineFileLayoutExSnapshotLayout {
            key: &taken.snapshot,
            dataKey: data,
            memoryKey: memory.unwrap_or(-1),
            disk: disks,
        }));
    }
    let swap = state.on.then(|| format!("{stem}.vswp"));
    Files {
        layout: object!(VirtualMachineFileLayout {
            configFile: [format!("{file_stem}.nvram"), format!("{file_stem}.vmsd")],
            logFile: ["vmware.log"],
            disk: simple_disks,
            snapshot: simple_kept,
            swapFile: swap,
        }),
        layout_ex: object!(VirtualMachineFileLayoutEx {
            file: list.files,
            disk: disks,
            snapshot: kept,
            timestamp: timestamp,
        }),
        usage: list.usage,
    }
}

fn disk_layout(disk: &Object, chain: &[[i32; 2]]) -> Object {
    let units =
        chain.iter().map(|keys| object!(VirtualMachineFileLayoutExDiskUnit { fileKey: *keys }));
    object!(VirtualMachineFileLayoutExDiskLayout {
        key: device::key(disk),
        chain: units.collect::<Vec<Object>>(),
    })
}

fn memory_bytes(config: &Object) -> i64 {
    let megabytes = config
        .field("hardware")
        .and_then(Value::as_object)
        .and_then(|hardware| hardware.field("memoryMB"))
        .and_then(Value::as_i64);
    megabytes.unwrap_or_default() << 20
}

#[derive(Default)]
struct List {
    files: Vec<Object>,
    usage: Vec<Usage>,
}

impl List {
    fn add(&mut self, store: &str, name: String, kind: &str, size: i64) -> i32 {
        let key = i32::try_from(self.files.len()).unwrap_or(i32::MAX);
        self.files.push(object!(VirtualMachineFileLayoutExFileInfo {
            key: key,
            name: name,
            type: kind,
            size: size,
            uniqueSize: size,
            accessible: true,
        }));
        self.count(store, size, 0);
        key
    }

    /// The files of a disk and of what it was written on top of in the same
    /// folder, the lowest first; each file is counted once.
    fn chain(&mut self, home: &str, disk: &Object, is_written: bool) -> Vec<[i32; 2]> {
        let size = disk.field("capacityInBytes").and_then(Value::as_i64).unwrap_or_default();
        let mut at = disk.field("backing").and_then(Value::as_object);
        let mut chain: Vec<[i32; 2]> = Vec::new();
        let mut folder: Option<&str> = None;
        while let Some(backing) = at {
            let Some(name) = backing.field("fileName").and_then(Value::as_str) else { break };
            let here = name.rsplit_once('/').map_or(name, |(folder, _)| folder);
            if folder.is_some_and(|folder| folder != here) {
                break;
            }
            folder = Some(here);
            let (store, _) = split_path(name).unwrap_or((home, ""));
            let parent = backing.field("parent").and_then(Value::as_object);
            let thin = backing.field("thinProvisioned").and_then(Value::as_bool);
            let is_part = thin.unwrap_or_default() || parent.is_some();
            let written = if is_part { size / THIN_SHARE } else { size };
            let stem = name.strip_suffix(".vmdk").unwrap_or(name);
            let part = if parent.is_some() { "sesparse" } else { "flat" };
            let extent = format!("{stem}-{part}.vmdk");
            let descriptor = self.once(store, name.to_owned(), "diskDescriptor", DESCRIPTOR_SIZE);
            let extent = self.once(store, extent, "diskExtent", written);
            if is_written && chain.is_empty() {
                self.promise(store, size - written);
            }
            chain.push([descriptor, extent]);
            at = parent;
        }
        chain.reverse();
        chain
    }

    /// The descriptors of a chain.
    fn descriptors(&self, chain: &[[i32; 2]]) -> Vec<String> {
        let name = |[key, _]: &[i32; 2]| {
            let file = self.files.get(usize::try_from(*key).ok()?)?;
            Some(file.field("name")?.as_str()?.to_owned())
        };
        chain.iter().filter_map(name).collect()
    }

    /// The key of a file that may be in the list already.
    fn once(&mut self, store: &str, name: String, kind: &str, size: i64) -> i32 {
        let is_it = |file: &Object| file.field("name").and_then(Value::as_str) == Some(&name);
        match self.files.iter().position(is_it) {
            Some(key) => i32::try_from(key).unwrap_or(i32::MAX),
            None => self.add(store, name, kind, size),
        }
    }

    fn promise(&mut self, store: &str, size: i64) {
        self.count(store, 0, size);
    }

    fn count(&mut self, store: &str, committed: i64, uncommitted: i64) {
        match self.usage.iter_mut().find(|usage| usage.datastore == store) {
            Some(usage) => {
                usage.committed += committed;
                usage.uncommitted += uncommitted;
            }
            None => self.usage.push(Usage { datastore: store.to_owned(), committed, uncommitted }),
        }
    }
}

/// `storage` of a machine, from its usage by datastore reference.
pub(super) fn storage(usage: &[(MoRef, Usage)], timestamp: DateTime) -> Object {
    let per_datastore = usage.iter().map(|(datastore, usage)| {
        Value::from(object!(VirtualMachineUsageOnDatastore {
            datastore: datastore,
            committed: usage.committed,
            uncommitted: usage.uncommitted,
            unshared: usage.committed,
        }))
    });
    object!(VirtualMachineStorageInfo {
        perDatastoreUsage: Array::new(ty::VirtualMachineUsageOnDatastore, per_datastore.collect()),
        timestamp: timestamp,
    })
}

/// `summary.storage`, the sum of `storage`.
pub(super) fn storage_summary(usage: &[(MoRef, Usage)], timestamp: DateTime) -> Object {
    let committed: i64 = usage.iter().map(|(_, usage)| usage.committed).sum();
    object!(VirtualMachineStorageSummary {
        committed: committed,
        uncommitted: usage.iter().map(|(_, usage)| usage.uncommitted).sum::<i64>(),
        unshared: committed,
        timestamp: timestamp,
    })
}
