//! Chains of disk files: what a machine writes since a snapshot goes into a
//! file of its own, whose parent is the file that the snapshot keeps.
//!
//! ```text
//!   disk.vmdk ◄── disk-000001.vmdk ◄── disk-000002.vmdk
//!   first snapshot   second snapshot      the machine
//! ```

use std::collections::{HashMap, HashSet};

use super::seats::{at, file, text};
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Object, Value};
use crate::vsphere::datastore_path::DatastorePath;
use crate::vsphere::model::device::devices;

const PARENT: usize = ty::VirtualDiskFlatVer2BackingInfo.slot("parent");

/// The backing of a disk whose file can have a parent, and that a snapshot
/// does not pass over.
fn backing(device: &Object) -> Option<&Object> {
    let backing = at(device, path!(VirtualDevice, "backing"))?.as_object()?;
    let is_kept = device.ty().is_a(ty::VirtualDisk)
        && backing.ty().is_a(ty::VirtualDiskFlatVer2BackingInfo)
        && !is_independent(backing);
    is_kept.then_some(backing)
}

fn is_independent(backing: &Object) -> bool {
    text(backing, path!(VirtualDiskFlatVer2BackingInfo, "diskMode")).starts_with("independent")
}

/// Whether a disk of the configuration is left out of snapshots.
pub(super) fn has_independent(config: &Object) -> bool {
    devices(config).iter().filter_map(Value::as_object).any(|device| {
        let backing = at(device, path!(VirtualDevice, "backing")).and_then(Value::as_object);
        backing.is_some_and(is_independent)
    })
}

fn file_of(backing: &Object) -> &str {
    text(backing, path!(VirtualDiskFlatVer2BackingInfo, "fileName"))
}

fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or(file, |(folder, _)| folder)
}

/// The backing and those below it, the top first. A parent in another folder
/// belongs to another machine, whose linked clone this one is.
fn chain(backing: &Object) -> Vec<Object> {
    let below = |backing: &Object| {
        let parent = backing.get(PARENT)?.as_object()?;
        (folder(file_of(parent)) == folder(file_of(backing))).then(|| parent.clone())
    };
    std::iter::successors(Some(backing.clone()), below).collect()
}

/// The configuration with another backing for each disk with a chain.
fn each(config: &Object, mut change: impl FnMut(&Object) -> Object) -> Object {
    let slot = const { ty::VirtualDevice.slot("backing") };
    let changed: Vec<Value> = devices(config)
        .iter()
        .map(|device| match device.as_object() {
            Some(disk) => match backing(disk) {
                Some(held) => disk.with(slot, change(held)).into(),
                None => device.clone(),
            },
            None => device.clone(),
        })
        .collect();
    let place = path!(VirtualMachineConfigInfo, "hardware.device");
    config.with_at(place, changed).unwrap_or_else(|_| config.clone())
}

fn chains(config: &Object) -> Vec<Vec<Object>> {
    devices(config).iter().filter_map(Value::as_object).filter_map(backing).map(chain).collect()
}

/// The configuration with a new file on top of each disk; `others` are the
/// configurations of the machine whose files have to stay as they are.
pub(super) fn grown<'c>(config: &'c Object, others: impl Iterator<Item = &'c Object>) -> Object {
    let mut taken: HashSet<String> = HashSet::new();
    for config in others.chain([config]) {
        taken.extend(chains(config).iter().flatten().map(|backing| file_of(backing).to_owned()));
    }
    each(config, |held| {
        let file = next_file(file_of(held), &taken);
        taken.insert(file.clone());
        let mut next = held.edit();
        next.set(const { ty::VirtualDeviceFileBackingInfo.slot("fileName") }, file);
        next.set(
            const { ty::VirtualDiskFlatVer2BackingInfo.slot("deltaDiskFormat") },
            "seSparseFormat",
        );
        next.set(PARENT, held.clone());
        next.finish()
    })
}

/// `disk-000002.vmdk` for `disk.vmdk` and `disk-000001.vmdk`.
fn next_file(file: &str, taken: &HashSet<String>) -> String {
    let stem = file.strip_suffix(".vmdk").unwrap_or(file);
    let stem = match stem.rsplit_once('-') {
        Some((stem, number))
            if number.len() == 6 && number.bytes().all(|it| it.is_ascii_digit()) =>
        {
            stem
        }
        _ => stem,
    };
    let free = (1_u32..).map(|number| format!("{stem}-{number:06}.vmdk"));
    free.into_iter().find(|file| !taken.contains(file)).unwrap_or_else(|| file.to_owned())
}

/// Merges the files that no snapshot needs: `machine` is the configuration of
/// the machine, `kept` are those of its snapshots; they come back in order.
pub(super) fn merged(machine: &Object, kept: &[Object]) -> (Object, Vec<Object>) {
    let mut pinned: HashSet<String> = HashSet::new();
    for config in kept {
        let tops = chains(config);
        pinned.extend(tops.iter().filter_map(|it| it.first()).map(|it| file_of(it).to_owned()));
    }
    // What is written on top of which file.
    let mut above: HashMap<String, HashSet<String>> = HashMap::new();
    for chain in kept.iter().chain([machine]).flat_map(chains) {
        for (upper, lower) in chain.iter().zip(chain.iter().skip(1)) {
            above.entry(file_of(lower).to_owned()).or_default().insert(file_of(upper).to_owned());
        }
    }
    // A file that nobody keeps and that has one file above it takes that in.
    let gone: HashSet<String> = above
        .into_iter()
        .filter(|(file, upper)| !pinned.contains(file) && upper.len() == 1)
        .flat_map(|(_, upper)| upper)
        .collect();
    let shrink = |config: &Object| {
        each(config, |held| {
            let mut left = chain(held);
            let base = left.last().and_then(|base| base.get(PARENT).cloned());
            left.retain(|backing| !gone.contains(file_of(backing)));
            let parent = base.and_then(|base| base.as_object().cloned());
            let tower =
                left.iter().rev().fold(parent, |below, backing| Some(backing.with(PARENT, below)));
            tower.unwrap_or_else(|| held.clone())
        })
    };
    (shrink(machine), kept.iter().map(shrink).collect())
}

/// Where the files of a configuration went, by their paths before: each file
/// of a chain stays in the chain.
pub(super) fn moves(before: &Object, after: &Object) -> HashMap<String, Object> {
    let mut moves = HashMap::new();
    for device in devices(before).iter().filter_map(Value::as_object) {
        let key = at(device, path!(VirtualDevice, "key"));
        let other = devices(after).iter().filter_map(Value::as_object);
        let other = other.into_iter().find(|it| at(it, path!(VirtualDevice, "key")) == key);
        let (Some(held), Some(moved)) = (backing(device), other.and_then(backing)) else {
            continue;
        };
        if file(device) == file_of(moved) {
            continue;
        }
        for (old, new) in chain(held).iter().zip(chain(moved)) {
            moves.insert(file_of(old).to_owned(), new);
        }
    }
    moves
}

/// The configuration of a snapshot after its machine's files have moved.
pub(super) fn followed(config: &Object, moves: &HashMap<String, Object>) -> Object {
    each(config, |held| moves.get(file_of(held)).cloned().unwrap_or_else(|| held.clone()))
}

/// A backing with the files of its chain on another datastore, `store` by
/// name, under the paths that they have.
pub(super) fn on_datastore(held: &Object, datastore: &MoRef, store: &str) -> Object {
    let foreign = chain(held).last().and_then(|base| base.get(PARENT).cloned());
    let foreign = foreign.and_then(|parent| parent.as_object().cloned());
    let moved = |backing: &Object| {
        let mut next = backing.edit();
        let file = match DatastorePath::parse(file_of(backing)) {
            Ok(path) => DatastorePath::new(store, path.path.as_str()).to_string(),
            Err(_) => file_of(backing).to_owned(),
        };
        next.set(const { ty::VirtualDeviceFileBackingInfo.slot("fileName") }, file);
        next.set(const { ty::VirtualDeviceFileBackingInfo.slot("datastore") }, datastore);
        next
    };
    let tower = chain(held).iter().rev().fold(foreign, |below, backing| {
        let mut next = moved(backing);
        next.set(PARENT, below);
        Some(next.finish())
    });
    tower.unwrap_or_else(|| held.clone())
}
