//! The files on a datastore: those of its machines, those that were left
//! there, and the folders and copies that clients made.
//!
//! A machine's files are what its `layoutEx` says. What clients make is kept in
//! one object of the inventory for each of them, like all that is left on a
//! datastore; see [`super::left_files`]. The space they take is not counted.

use std::collections::BTreeMap;

use super::datastore_path::DatastorePath;
use super::left_files;
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot, Transaction};
use crate::schema::{Type, ty};
use crate::value::{DateTime, MoRef, Object, Value};
use crate::{object, path};

/// What stands under a path.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// What it is: a type of `FileInfo`.
    pub(super) kind: Type,
    /// Bytes.
    pub(super) size: i64,
    /// When it was written.
    pub(super) modified: DateTime,
    /// The object that stands for it; nothing for a machine's file.
    pub(super) object: Option<MoRef>,
    /// The machine whose it is.
    pub(super) machine: Option<MoRef>,
}

impl Entry {
    /// Whether it is a folder.
    pub(super) fn is_folder(&self) -> bool {
        self.kind == ty::FolderFileInfo
    }
}

/// All objects of a state.
pub(super) trait All: Read {
    /// The references to them.
    fn all(&self) -> Box<dyn Iterator<Item = &MoRef> + '_>;
}

impl All for Snapshot {
    fn all(&self) -> Box<dyn Iterator<Item = &MoRef> + '_> {
        Box::new(self.all_refs())
    }
}

impl All for Tx<'_> {
    fn all(&self) -> Box<dyn Iterator<Item = &MoRef> + '_> {
        Box::new(Transaction::all_refs(self))
    }
}

/// What is on a datastore, by path. Every folder on the way to a file is there.
pub(super) fn on(state: &(impl All + ?Sized), datastore: &MoRef) -> BTreeMap<String, Entry> {
    let name = state.text(datastore, path!(Datastore, "name"));
    let mut found = BTreeMap::new();
    for vm in state.morefs(datastore, path!(Datastore, "vm")) {
        let Some(machine) = state.properties(&vm) else { continue };
        let written = machine.value(path!(VirtualMachine, "layoutEx.timestamp"));
        let written = written.as_ref().and_then(Value::as_date_time);
        let modified = written.unwrap_or(DateTime::EPOCH);
        let files = machine.value(path!(VirtualMachine, "layoutEx.file"));
        for file in files.iter().flat_map(Value::elements).filter_map(Value::as_object) {
            let path = file.at(path!(VirtualMachineFileLayoutExFileInfo, "name"));
            let path = path.and_then(Value::as_str).and_then(|it| DatastorePath::parse(it).ok());
            let Some(path) = path.filter(|path| path.datastore == name) else { continue };
            // A disk is shown as one file; its extent is not.
            let of = file.at(path!(VirtualMachineFileLayoutExFileInfo, "type"));
            if of.and_then(Value::as_str) == Some("diskExtent") {
                if let Some(Entry { size, .. }) = found.get_mut(&descriptor(&path.path)) {
                    *size = size_of(file);
                }
                continue;
            }
            let kind = kind(&path.path);
            let machine = Some(vm.clone());
            let size = size_of(file);
            put(&mut found, &path.path, Entry { kind, size, modified, object: None, machine });
        }
    }
    for mo in state.all() {
        let Some(path) = left_files::path_on(mo, datastore) else { continue };
        let Some(object) = state.get(mo) else { continue };
        let made = object.at(path!(FileInfo, "modification")).and_then(Value::as_date_time);
        let (kind, size) = if mo.ty().is_a(ty::FileInfo) {
            let size = object.at(path!(FileInfo, "fileSize")).and_then(Value::as_i64);
            (mo.ty(), size.unwrap_or_default())
        } else {
            (kind(path), 0)
        };
        let modified = made.unwrap_or(DateTime::EPOCH);
        let object = Some(mo.clone());
        put(&mut found, path, Entry { kind, size, modified, object, machine: None });
    }
    found
}

fn size_of(file: &Object) -> i64 {
    let size = file.at(path!(VirtualMachineFileLayoutExFileInfo, "size"));
    size.and_then(Value::as_i64).unwrap_or_default()
}

fn descriptor(extent: &str) -> String {
    extent.strip_suffix("-flat.vmdk").map_or_else(|| extent.to_owned(), |it| format!("{it}.vmdk"))
}

/// Puts an entry into the list, with the folders above it.
fn put(found: &mut BTreeMap<String, Entry>, path: &str, entry: Entry) {
    let path = path.trim_matches('/');
    let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
    for folder in above {
        let implied = Entry {
            kind: ty::FolderFileInfo,
            size: 0,
            modified: entry.modified,
            object: None,
            machine: entry.machine.clone(),
        };
        found.entry(folder.to_owned()).or_insert(implied);
    }
    found.insert(path.to_owned(), entry);
}

/// What a file is, by its name.
pub(super) fn kind(path: &str) -> Type {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("vmx") => ty::VmConfigFileInfo,
        Some("vmtx") => ty::TemplateConfigFileInfo,
        Some("vmdk") => ty::VmDiskFileInfo,
        Some("log") => ty::VmLogFileInfo,
        Some("nvram") => ty::VmNvramFileInfo,
        Some("vmsn" | "vmsd") => ty::VmSnapshotFileInfo,
        Some("iso") => ty::IsoImageFileInfo,
        Some("flp") => ty::FloppyImageFileInfo,
        _ => ty::FileInfo,
    }
}

/// Makes a folder or an empty file.
pub(super) fn make(tx: &mut Tx<'_>, datastore: &MoRef, path: &str, kind: Type, size: i64) {
    let path = path.trim_matches('/');
    let mut info = object!(FileInfo { path: path, fileSize: size, modification: tx.now() });
    if kind != ty::FileInfo {
        let mut own = crate::value::ObjectBuilder::new(kind);
        for (slot, value) in info.slots().iter().enumerate() {
            own.set(slot, value.clone());
        }
        info = own.finish();
    }
    tx.insert(left_files::standing_for(kind, datastore, path), info);
}

/// The path that a client gives for a file or folder, without a slash at its
/// end; a dot stands for the root.
pub(super) fn parse(text: &str) -> Result<DatastorePath, Fault> {
    let mut path = DatastorePath::parse(text)?;
    path.path.truncate(path.path.trim_end_matches('/').len());
    if path.path == "." {
        path.path.clear();
    }
    Ok(path)
}

/// There is no such file.
pub(super) fn not_found(path: &DatastorePath) -> Fault {
    let path = path.to_string();
    Fault::new(object!(FileNotFound { file: &path }), format!("File {path} was not found"))
}

/// There is such a file.
pub(super) fn exists(path: &DatastorePath) -> Fault {
    let path = path.to_string();
    let text = format!("Cannot complete the operation because the file {path} already exists");
    Fault::new(object!(FileAlreadyExists { file: path }), text)
}
