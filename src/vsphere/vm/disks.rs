//! Virtual disks of a machine: their files, their sizes and the room they take.

use super::devices::{Bench, Change};
use super::seats::{self, at, number, text};
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::ty;
use crate::value::{EnumValue, MoRef, Object, ObjectBuilder, Value};
use crate::vsphere::datastore_path::{DatastorePath, invalid_path};
use crate::vsphere::left_files;
use crate::vsphere::model::device::{key, shares};
use crate::{object, path};

/// The datastore called `name` that `host` has mounted.
pub(super) fn datastore_of_host(
    state: &(impl Read + ?Sized),
    host: &MoRef,
    name: &str,
) -> Option<MoRef> {
    state
        .morefs(host, path!(HostSystem, "datastore"))
        .into_iter()
        .find(|datastore| state.text(datastore, path!(Datastore, "name")) == name)
}

/// The disk in this file: one that a machine has, or one that was left.
fn disk_with_file(tx: &Tx<'_>, datastore: &MoRef, file: &DatastorePath) -> Option<Object> {
    let text = file.to_string();
    let of_machine = tx.morefs(datastore, path!(Datastore, "vm")).iter().find_map(|vm| {
        let devices = tx.properties(vm)?;
        let devices = devices.value(path!(VirtualMachine, "config.hardware.device"))?;
        let mut disks = devices.items().iter().filter_map(Value::as_object);
        disks.find(|disk| disk.ty().is_a(ty::VirtualDisk) && seats::file(disk) == text).cloned()
    });
    of_machine.or_else(|| left_files::disk(tx, datastore, file))
}

/// Files of disks that a change of devices leaves on their datastores, and
/// that it takes into use; `changes` says which are to be destroyed.
pub(super) fn account(
    tx: &mut Tx<'_>,
    host: &MoRef,
    before: &[Value],
    after: &[Value],
    changes: &[Value],
) {
    let disks = |list: &[Value]| -> Vec<Object> {
        let devices = list.iter().filter_map(Value::as_object);
        devices.filter(|device| device.ty().is_a(ty::VirtualDisk)).cloned().collect()
    };
    let destroyed: Vec<i32> = changes
        .iter()
        .filter_map(Value::as_object)
        .filter(|it| text(it, path!(VirtualDeviceConfigSpec, "fileOperation")) == "destroy")
        .filter_map(|it| at(it, path!(VirtualDeviceConfigSpec, "device"))?.as_object().map(key))
        .collect();
    let (before, after) = (disks(before), disks(after));
    let has = |list: &[Object], disk: &Object| {
        list.iter().any(|other| seats::file(other) == seats::file(disk))
    };
    let place = |tx: &Tx<'_>, disk: &Object| {
        let file = DatastorePath::parse(seats::file(disk)).ok()?;
        Some((datastore_of_host(tx, host, &file.datastore)?, file))
    };
    for disk in before.iter().filter(|disk| !has(&after, disk)) {
        if let (false, Some((datastore, file))) = (destroyed.contains(&key(disk)), place(tx, disk))
        {
            left_files::keep_disk(tx, &datastore, &file, disk);
        }
    }
    for disk in after.iter().filter(|disk| !has(&before, disk)) {
        if let Some((datastore, file)) = place(tx, disk) {
            left_files::forget_disk(tx, &datastore, &file);
        }
    }
}

fn file_fault(ty: crate::schema::Type, file: &str, message: String) -> Fault {
    let mut fault = ObjectBuilder::new(ty);
    fault.set(const { ty::FileFault.slot("file") }, file);
    Fault::new(fault.finish(), message)
}

/// The capacity that a disk is described with, in bytes.
fn capacity(disk: &Object) -> i64 {
    match number(disk, path!(VirtualDisk, "capacityInBytes")) {
        Some(bytes) if bytes > 0 => bytes,
        _ => number(disk, path!(VirtualDisk, "capacityInKB"))
            .unwrap_or_default()
            .saturating_mul(1024),
    }
}

fn set_capacity(disk: &mut ObjectBuilder, bytes: i64) {
    disk.set(const { ty::VirtualDisk.slot("capacityInKB") }, bytes / 1024);
    disk.set(const { ty::VirtualDisk.slot("capacityInBytes") }, bytes);
}

fn is_thin(backing: &Object) -> bool {
    !backing.ty().is_a(ty::VirtualDiskFlatVer2BackingInfo)
        || backing
            .at(path!(VirtualDiskFlatVer2BackingInfo, "thinProvisioned"))
            .and_then(Value::as_bool)
            .unwrap_or_default()
}

impl Bench<'_, '_> {
    /// Gives a new disk its file, its identity and its size.
    pub(super) fn complete_disk(
        &mut self,
        change: &Change<'_>,
        disk: &mut ObjectBuilder,
    ) -> Result<(), Fault> {
        let backing = change.device.at(path!(VirtualDevice, "backing")).and_then(Value::as_object);
        let backing = backing.ok_or_else(|| change.invalid_backing())?;
        if !backing.ty().is_a(ty::VirtualDeviceFileBackingInfo)
            || backing.ty().is_a(ty::VirtualDiskRawDiskMappingVer1BackingInfo)
        {
            return Err(Fault::not_modelled("raw disks"));
        }
        if !backing.ty().name().starts_with("VirtualDisk") {
            return Err(change.invalid_backing());
        }
        let (datastore, file) = self.place_disk(change, backing)?;
        let is_new = !change.file_operation.is_empty();
        let source = match (is_new, parent_file(backing)) {
            (false, _) => Some((file.clone(), datastore.clone())),
            (true, Some(parent)) => Some(self.place_of(change, parent)?),
            (true, None) => None,
        };
        let bytes = match source {
            Some((file, datastore)) => {
                let there = disk_with_file(self.tx, &datastore, &file);
                capacity(&there.ok_or_else(|| {
                    let message = format!("File {file} was not found");
                    file_fault(ty::FileNotFound, &file.to_string(), message)
                })?)
            }
            None => capacity(change.device),
        };
        if bytes <= 0 {
            return Err(change.invalid());
        }
        if is_new && !is_thin(backing) {
            self.allocate(&datastore, &file, bytes)?;
        }
        set_capacity(disk, bytes);
        let backing = self.disk_backing(change, backing, &datastore, &file)?;
        disk.set(const { ty::VirtualDevice.slot("backing") }, backing);
        let allocation = const { ty::VirtualDisk.slot("storageIOAllocation") };
        if disk.get(allocation).is_none() {
            disk.set(
                allocation,
                object!(StorageIOAllocationInfo {
                    limit: -1_i64,
                    shares: shares("normal", 1000),
                    reservation: 0,
                }),
            );
        }
        Ok(())
    }

    /// A file that is there already, and its datastore.
    fn place_of(&self, change: &Change<'_>, file: &str) -> Result<(DatastorePath, MoRef), Fault> {
        let path = DatastorePath::parse(file)?;
        let datastore = datastore_of_host(self.tx, &self.machine.host, &path.datastore);
        datastore.map(|datastore| (path, datastore)).ok_or_else(|| change.invalid_backing())
    }

    /// Where the disk's file is or will be.
    fn place_disk(
        &self,
        change: &Change<'_>,
        backing: &Object,
    ) -> Result<(MoRef, DatastorePath), Fault> {
        let asked = text(backing, path!(VirtualDeviceFileBackingInfo, "fileName"));
        let named = at(backing, path!(VirtualDeviceFileBackingInfo, "datastore"));
        let path = match (asked, named.and_then(Value::as_moref)) {
            ("", Some(datastore)) => {
                DatastorePath::new(self.tx.text(datastore, path!(Datastore, "name")), "")
            }
            ("", None) => DatastorePath::new(&self.machine.home.datastore, ""),
            (asked, _) => DatastorePath::parse(asked)?,
        };
        let datastore = datastore_of_host(self.tx, &self.machine.host, &path.datastore)
            .ok_or_else(|| invalid_path(&path.to_string()))?;
        if change.file_operation.is_empty() {
            return if path.is_folder() {
                Err(change.invalid_backing())
            } else {
                Ok((datastore, path))
            };
        }
        if path.is_folder() {
            return Ok((datastore, self.free_file(&path)));
        }
        if !path.path.ends_with(".vmdk") {
            return Err(invalid_path(&path.to_string()));
        }
        let file = path.to_string();
        let here = self.devices.iter().any(|device| seats::file(device) == file);
        if change.file_operation == "create"
            && (here || disk_with_file(self.tx, &datastore, &path).is_some())
        {
            let message =
                format!("Cannot complete the operation because the file {file} already exists");
            return Err(file_fault(ty::FileAlreadyExists, &file, message));
        }
        Ok((datastore, path))
    }

    /// A name for a new disk that no disk of the machine has: beside the
    /// configuration file, or in a folder of that name on another datastore.
    fn free_file(&self, asked: &DatastorePath) -> DatastorePath {
        let home = self.machine.home.folder();
        let folder = if asked.path.is_empty() {
            DatastorePath::new(&asked.datastore, home.path)
        } else {
            asked.clone()
        };
        let stem = self.machine.home.stem();
        (0_u32..)
            .map(|count| match count {
                0 => folder.join(&format!("{stem}.vmdk")),
                count => folder.join(&format!("{stem}_{count}.vmdk")),
            })
            .find(|path| {
                let file = path.to_string();
                !self.devices.iter().any(|device| seats::file(device) == file)
            })
            .unwrap_or(folder)
    }

    fn disk_backing(
        &mut self,
        change: &Change<'_>,
        asked: &Object,
        datastore: &MoRef,
        file: &DatastorePath,
    ) -> Result<Object, Fault> {
        let mut backing = asked.edit();
        backing.set(const { ty::VirtualDeviceFileBackingInfo.slot("fileName") }, file.to_string());
        backing.set(const { ty::VirtualDeviceFileBackingInfo.slot("datastore") }, datastore);
        if asked.ty().is_a(ty::VirtualDiskFlatVer2BackingInfo) {
            let mode = text(asked, path!(VirtualDiskFlatVer2BackingInfo, "diskMode"));
            if !mode.is_empty() && EnumValue::parse(ty::VirtualDiskMode, mode).is_none() {
                return Err(change.invalid_backing());
            }
            let mode = if mode.is_empty() { "persistent" } else { mode };
            backing.set(const { ty::VirtualDiskFlatVer2BackingInfo.slot("diskMode") }, mode);
            let defaults = [
                (const { ty::VirtualDiskFlatVer2BackingInfo.slot("split") }, Value::from(false)),
                (const { ty::VirtualDiskFlatVer2BackingInfo.slot("writeThrough") }, false.into()),
                (
                    const { ty::VirtualDiskFlatVer2BackingInfo.slot("thinProvisioned") },
                    false.into(),
                ),
                (const { ty::VirtualDiskFlatVer2BackingInfo.slot("digestEnabled") }, false.into()),
                (
                    const { ty::VirtualDiskFlatVer2BackingInfo.slot("uuid") },
                    self.tx.ids().uuid().hyphenated().to_string().into(),
                ),
            ];
            for (slot, value) in defaults {
                if backing.get(slot).is_none() {
                    backing.set(slot, value);
                }
            }
        }
        Ok(backing.finish())
    }

    /// Keeps room on the datastore for a disk whose blocks are all taken at once.
    fn allocate(
        &mut self,
        datastore: &MoRef,
        file: &DatastorePath,
        bytes: i64,
    ) -> Result<(), Fault> {
        let free = self.tx.at(datastore, path!(Datastore, "summary.freeSpace"));
        let free = free.and_then(Value::as_i64).unwrap_or_default();
        let allocated = self.allocated.entry(datastore.clone()).or_default();
        *allocated = allocated.saturating_add(bytes);
        if *allocated > free {
            return Err(no_disk_space(&file.to_string(), &file.datastore));
        }
        Ok(())
    }

    /// A disk can grow and change its mode; its file stays where it is.
    pub(super) fn edit_disk(
        &mut self,
        change: &Change<'_>,
        held: &Object,
        disk: &mut ObjectBuilder,
    ) -> Result<(), Fault> {
        let (before, asked) = (capacity(held), capacity(change.device));
        let bytes = if asked == 0 { before } else { self.wanted_capacity(change, held) };
        if bytes < before {
            return Err(change.invalid());
        }
        set_capacity(disk, bytes);
        let now = held.at(path!(VirtualDevice, "backing")).and_then(Value::as_object);
        let asked = change.device.at(path!(VirtualDevice, "backing")).and_then(Value::as_object);
        if let (Some(now), Some(asked)) = (now, asked) {
            let file = text(asked, path!(VirtualDeviceFileBackingInfo, "fileName"));
            if asked.ty() != now.ty() || !(file.is_empty() || file == seats::file(held)) {
                return Err(change.invalid_backing());
            }
            let mut backing = now.edit();
            for (slot, value) in asked.slots().iter().enumerate() {
                let is_place = [
                    const { ty::VirtualDeviceFileBackingInfo.slot("fileName") },
                    const { ty::VirtualDeviceFileBackingInfo.slot("datastore") },
                ]
                .contains(&slot);
                if let (Some(value), false) = (value, is_place) {
                    backing.set(slot, value);
                }
            }
            disk.set(const { ty::VirtualDevice.slot("backing") }, backing.finish());
        }
        if bytes > before
            && now.is_some_and(|backing| !is_thin(backing))
            && let Ok(file) = DatastorePath::parse(seats::file(held))
            && let Some(store) = datastore_of_host(self.tx, &self.machine.host, &file.datastore)
        {
            self.allocate(&store, &file, bytes - before)?;
        }
        Ok(())
    }

    /// Clients send a whole device back with one of its two capacities changed:
    /// the one that differs from what is there is meant.
    fn wanted_capacity(&self, change: &Change<'_>, held: &Object) -> i64 {
        let of = |disk: &Object| {
            (
                number(disk, path!(VirtualDisk, "capacityInBytes")),
                number(disk, path!(VirtualDisk, "capacityInKB")),
            )
        };
        let ((bytes, kilobytes), (bytes_now, _)) = (of(change.device), of(held));
        match (bytes, kilobytes) {
            (Some(bytes), _) if Some(bytes) != bytes_now && bytes > 0 => bytes,
            (_, Some(kilobytes)) if kilobytes > 0 && kilobytes != capacity(held) / 1024 => {
                kilobytes.saturating_mul(1024)
            }
            _ => capacity(held),
        }
    }
}

/// The file of which a new disk keeps only the differences.
fn parent_file(backing: &Object) -> Option<&str> {
    let parent = backing.field("parent")?.as_object()?;
    let file = text(parent, path!(VirtualDeviceFileBackingInfo, "fileName"));
    (!file.is_empty()).then_some(file)
}

/// The datastore has no room for the file.
pub(super) fn no_disk_space(file: &str, datastore: &str) -> Fault {
    Fault::new(
        object!(NoDiskSpace { file: file, datastore: datastore }),
        format!("Insufficient disk space on datastore '{datastore}'."),
    )
}

/// The bytes that a disk takes before anything is written to it.
pub(super) fn taken_at_once(disk: &Object) -> i64 {
    let backing = at(disk, path!(VirtualDevice, "backing")).and_then(Value::as_object);
    if backing.is_none_or(is_thin) { 0 } else { capacity(disk) }
}

/// The datastore does not exist for the host.
pub(super) fn invalid_datastore(datastore: Option<&MoRef>, name: &str) -> Fault {
    Fault::new(
        object!(InvalidDatastore {
            datastore: datastore,
            name: (!name.is_empty()).then_some(name),
        }),
        "Operation failed since the datastore is not accessible from the host.",
    )
}
