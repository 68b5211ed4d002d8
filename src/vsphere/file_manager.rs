//! `FileManager`: making folders on datastores; deleting, moving and copying
//! what is there.
//!
//! What belongs to a machine of the inventory is in use: it cannot be deleted
//! or moved, but it can be copied.

use super::call::{Call, arg};
use super::datastore_path::{DatastorePath, invalid_path};
use super::dispatch::{Answer, Entry, Handler};
use super::events;
use super::files::{self, All};
use super::left_files;
use super::operation::Operation;
use super::placement;
use super::service::Service;
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Value};
use crate::{object, path};

pub(super) const METHODS: &[Entry] = &[
    (ty::FileManager, method::MakeDirectory, Handler::Now(make_directory)),
    (ty::FileManager, method::DeleteDatastoreFile_Task, Handler::Task(delete)),
    (ty::FileManager, method::MoveDatastoreFile_Task, Handler::Task(move_file)),
    (ty::FileManager, method::CopyDatastoreFile_Task, Handler::Task(copy)),
];

/// A path with the datastore that it is on.
#[derive(Clone, Debug)]
struct Place {
    datastore: MoRef,
    path: DatastorePath,
}

impl Place {
    /// The place that a client names, without a slash at its end. On a vCenter
    /// it has to say in which datacenter.
    fn find(service: &Service, name: &str, datacenter: Option<&MoRef>) -> Result<Self, Fault> {
        let path = files::parse(name)?;
        let snapshot = service.engine().snapshot();
        if let Some(unknown) = datacenter.filter(|mo| !snapshot.exists(mo)) {
            return Err(Fault::not_found(unknown));
        }
        if datacenter.is_none() && !service.catalog().is_esx() {
            return Err(Fault::invalid_argument("datacenter"));
        }
        let is_it = |mo: &&MoRef| {
            snapshot.text(mo, path!(Datastore, "name")) == path.datastore
                && datacenter.is_none_or(|wanted| {
                    placement::datacenter(&*snapshot, mo).as_ref() == Some(wanted)
                })
        };
        let datastore = snapshot.refs(ty::Datastore).find(is_it).cloned();
        let datastore = datastore.ok_or_else(|| {
            let name = path.datastore.as_str();
            let text = format!("Invalid datastore '{name}'.");
            Fault::new(object!(InvalidDatastore { name: name }), text)
        })?;
        Ok(Self { datastore, path })
    }

    /// Something below the root of the datastore: the root stays as it is.
    fn below_root(self, name: &str) -> Result<Self, Fault> {
        if self.path.path.is_empty() { Err(invalid_path(name)) } else { Ok(self) }
    }

    /// Fails unless the folder of the place is there.
    fn check_folder(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        let folder = self.path.folder();
        let is_there = folder.path.is_empty()
            || files::on(tx, &self.datastore)
                .get(&folder.path)
                .is_some_and(files::Entry::is_folder);
        if is_there { Ok(()) } else { Err(files::not_found(&folder)) }
    }

    /// What is at the place and, for a folder, in it; with the paths from there.
    fn content(&self, state: &(impl All + ?Sized)) -> Vec<(String, files::Entry)> {
        let top = &self.path.path;
        let rest = |path: &str| {
            let rest = path.strip_prefix(top.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
        };
        let all = files::on(state, &self.datastore).into_iter();
        all.filter_map(|(path, entry)| Some((rest(&path)?, entry))).collect()
    }
}

fn make_directory(service: &Service, call: &Call) -> Answer {
    let name = call.text(arg!(MakeDirectory.name));
    let place = Place::find(service, name, call.moref(arg!(MakeDirectory.datacenter)))?;
    let place = place.below_root(name)?;
    let with_parents = call.flag(arg!(MakeDirectory.createParentDirectories));
    service.engine().commit(|tx| {
        if files::on(tx, &place.datastore).contains_key(&place.path.path) {
            return Err(files::exists(&place.path));
        }
        if !with_parents {
            place.check_folder(tx)?;
        }
        let path = place.path.path.as_str();
        let above: Vec<&str> =
            path.match_indices('/').filter_map(|(at, _)| path.get(..at)).collect();
        let held = files::on(tx, &place.datastore);
        for folder in above.into_iter().chain([path]) {
            match held.get(folder) {
                Some(entry) if entry.is_folder() => {}
                Some(_) => return Err(files::exists(&place.path)),
                None => files::make(tx, &place.datastore, folder, ty::FolderFileInfo, 0),
            }
        }
        Ok(())
    })?;
    Ok(None)
}

fn delete(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let name = call.text(arg!(DeleteDatastoreFile_Task.name));
    let datacenter = call.moref(arg!(DeleteDatastoreFile_Task.datacenter));
    let place = Place::find(service, name, datacenter)?.below_root(name)?;
    let datastore = place.datastore.clone();
    Ok(Operation::new(Delete { place }).on(&datastore).shared())
}

#[derive(Clone, Debug)]
struct Delete {
    place: Place,
}

impl Job for Delete {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        free_content(tx, &self.place).map(drop)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        for (_, entry) in free_content(tx, &self.place)? {
            if let Some(object) = &entry.object {
                tx.remove(object);
            }
        }
        let datastore = events::argument(tx, &self.place.datastore);
        let event = object!(DatastoreFileDeletedEvent {
            datastore: datastore,
            targetFile: self.place.path.to_string(),
            succeeded: true,
        });
        events::post(tx, &self.place.datastore, event);
        Ok(None)
    }
}

/// What is at a place, if it is there and no machine uses any of it.
fn free_content(tx: &Tx<'_>, place: &Place) -> Result<Vec<(String, files::Entry)>, Fault> {
    let content = place.content(tx);
    if content.is_empty() {
        return Err(files::not_found(&place.path));
    }
    if content.iter().any(|(_, entry)| entry.machine.is_some()) {
        let path = place.path.to_string();
        let text = format!("Cannot complete the operation because the file {path} is in use");
        return Err(Fault::new(object!(FileLocked { file: path }), text));
    }
    Ok(content)
}

fn move_file(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let source = call.text(arg!(MoveDatastoreFile_Task.sourceName));
    let from = call.moref(arg!(MoveDatastoreFile_Task.sourceDatacenter));
    let target = call.text(arg!(MoveDatastoreFile_Task.destinationName));
    let to = call.moref(arg!(MoveDatastoreFile_Task.destinationDatacenter)).or(from);
    let force = call.flag(arg!(MoveDatastoreFile_Task.force));
    transfer(service, (source, from), (target, to), force, true)
}

fn copy(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let source = call.text(arg!(CopyDatastoreFile_Task.sourceName));
    let from = call.moref(arg!(CopyDatastoreFile_Task.sourceDatacenter));
    let target = call.text(arg!(CopyDatastoreFile_Task.destinationName));
    let to = call.moref(arg!(CopyDatastoreFile_Task.destinationDatacenter)).or(from);
    let force = call.flag(arg!(CopyDatastoreFile_Task.force));
    transfer(service, (source, from), (target, to), force, false)
}

fn transfer(
    service: &Service,
    (source, from): (&str, Option<&MoRef>),
    (target, to): (&str, Option<&MoRef>),
    force: bool,
    moves: bool,
) -> Result<Operation, Fault> {
    let from = Place::find(service, source, from)?.below_root(source)?;
    let to = Place::find(service, target, to)?.below_root(target)?;
    let datastore = to.datastore.clone();
    Ok(Operation::new(Transfer { from, to, force, moves }).on(&datastore).shared())
}

/// Moves or copies a file, or a folder with all that is in it.
#[derive(Clone, Debug)]
struct Transfer {
    from: Place,
    to: Place,
    /// Whether a file in the way is replaced.
    force: bool,
    moves: bool,
}

impl Transfer {
    fn check(&self, tx: &Tx<'_>) -> Result<Vec<(String, files::Entry)>, Fault> {
        let content =
            if self.moves { free_content(tx, &self.from)? } else { self.from.content(tx) };
        if content.is_empty() {
            return Err(files::not_found(&self.from.path));
        }
        // Into itself nothing fits.
        if self.from.datastore == self.to.datastore && self.to.path.is_within(&self.from.path) {
            return Err(files::exists(&self.to.path));
        }
        self.to.check_folder(tx)?;
        let in_the_way = self.to.content(tx);
        if !in_the_way.is_empty() {
            let is_folder = in_the_way.iter().any(|(_, entry)| entry.is_folder());
            if !self.force || is_folder {
                return Err(files::exists(&self.to.path));
            }
            free_content(tx, &self.to)?;
        }
        Ok(content)
    }
}

impl Job for Transfer {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.check(tx).map(drop)
    }

    /// A disk or a configuration stays what it was when it moves; a copy is a
    /// file like any other.
    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let content = self.check(tx)?;
        for (_, entry) in self.to.content(tx) {
            if let Some(object) = &entry.object {
                tx.remove(object);
            }
        }
        for (rest, entry) in content {
            let path = format!("{}{rest}", self.to.path.path);
            match entry.object.filter(|_| self.moves) {
                Some(object) => {
                    if let Some(held) = tx.get(&object).cloned() {
                        tx.remove(&object);
                        let is_left = !object.ty().is_a(ty::FileInfo);
                        if is_left {
                            tx.insert(
                                left_files::standing_for(object.ty(), &self.to.datastore, &path),
                                held,
                            );
                            continue;
                        }
                    }
                    files::make(tx, &self.to.datastore, &path, entry.kind, entry.size);
                }
                None => files::make(tx, &self.to.datastore, &path, entry.kind, entry.size),
            }
        }
        let datastore = events::argument(tx, &self.to.datastore);
        let source = events::argument(tx, &self.from.datastore);
        let (target, file) = (self.to.path.to_string(), self.from.path.to_string());
        let event = if self.moves {
            object!(DatastoreFileMovedEvent {
                datastore: datastore,
                targetFile: target,
                succeeded: true,
                sourceDatastore: source,
                sourceFile: file,
            })
        } else {
            object!(DatastoreFileCopiedEvent {
                datastore: datastore,
                targetFile: target,
                succeeded: true,
                sourceDatastore: source,
                sourceFile: file,
            })
        };
        events::post(tx, &self.to.datastore, event);
        Ok(None)
    }
}
