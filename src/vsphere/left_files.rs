//! Files on datastores that no machine uses: the configuration of a machine
//! that was unregistered, a disk that was taken out and kept.
//!
//! They are objects of the inventory that nothing refers to, so they change
//! together with everything else, and clients see them only by using their
//! path. The space they take is not counted.

use super::datastore_path::DatastorePath;
use crate::engine::Tx;
use crate::inventory::Read;
use crate::schema::{Type, ty};
use crate::value::{MoRef, Object};

/// What stands for the file: named by the datastore's reference, which stays
/// when the datastore gets another name.
pub(super) fn standing_for(kind: Type, datastore: &MoRef, path: &str) -> MoRef {
    MoRef::new(kind, &format!("{}/{path}", datastore.id()))
}

/// Whether objects of a type stand for files: what is left of a machine, or
/// what clients made.
fn is_file(of: Type) -> bool {
    [ty::VirtualMachineConfigInfo, ty::VirtualDisk].contains(&of) || of.is_a(ty::FileInfo)
}

/// The path of the file that an object stands for, if it is on the datastore.
pub(super) fn path_on<'m>(mo: &'m MoRef, datastore: &MoRef) -> Option<&'m str> {
    if !is_file(mo.ty()) {
        return None;
    }
    mo.id().strip_prefix(datastore.id())?.strip_prefix('/')
}

/// Keeps the configuration of a machine that leaves the inventory.
pub(super) fn keep_machine(
    tx: &mut Tx<'_>,
    datastore: &MoRef,
    path: &DatastorePath,
    config: Object,
) {
    tx.insert(standing_for(ty::VirtualMachineConfigInfo, datastore, &path.path), config);
}

/// The configuration that was kept under the path.
pub(super) fn machine(tx: &Tx<'_>, datastore: &MoRef, path: &DatastorePath) -> Option<Object> {
    tx.get(&standing_for(ty::VirtualMachineConfigInfo, datastore, &path.path)).cloned()
}

/// The machine is in the inventory again.
pub(super) fn forget_machine(tx: &mut Tx<'_>, datastore: &MoRef, path: &DatastorePath) {
    tx.remove(&standing_for(ty::VirtualMachineConfigInfo, datastore, &path.path));
}

/// Keeps a disk that a machine no longer has.
pub(super) fn keep_disk(tx: &mut Tx<'_>, datastore: &MoRef, path: &DatastorePath, disk: &Object) {
    tx.insert(standing_for(ty::VirtualDisk, datastore, &path.path), disk.clone());
}

/// The disk that was kept under the path.
pub(super) fn disk(tx: &Tx<'_>, datastore: &MoRef, path: &DatastorePath) -> Option<Object> {
    tx.get(&standing_for(ty::VirtualDisk, datastore, &path.path)).cloned()
}

/// A machine has the disk again.
pub(super) fn forget_disk(tx: &mut Tx<'_>, datastore: &MoRef, path: &DatastorePath) {
    tx.remove(&standing_for(ty::VirtualDisk, datastore, &path.path));
}

/// All that is left on a datastore.
pub(super) fn on(tx: &Tx<'_>, datastore: &MoRef) -> Vec<MoRef> {
    tx.all_refs().filter(|mo| path_on(mo, datastore).is_some()).cloned().collect()
}
