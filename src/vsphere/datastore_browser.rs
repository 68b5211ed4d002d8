//! `HostDatastoreBrowser`: what is in the folders of a datastore.

use std::collections::BTreeMap;

use super::call::{Call, arg};
use super::datastore_path::DatastorePath;
use super::dispatch::{Entry, Handler};
use super::files;
use super::operation::Operation;
use super::service::Service;
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{Type, method, ty};
use crate::value::{Array, MoRef, Object, ObjectBuilder, Value};
use crate::{object, path};

pub(super) const METHODS: &[Entry] = &[
    (ty::HostDatastoreBrowser, method::SearchDatastore_Task, Handler::Task(search)),
    (ty::HostDatastoreBrowser, method::SearchDatastoreSubFolders_Task, Handler::Task(search_below)),
];

fn search(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let path = call.text(arg!(SearchDatastore_Task.datastorePath));
    plan(service, call, path, arg!(SearchDatastore_Task.searchSpec), false)
}

fn search_below(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let path = call.text(arg!(SearchDatastoreSubFolders_Task.datastorePath));
    plan(service, call, path, arg!(SearchDatastoreSubFolders_Task.searchSpec), true)
}

fn plan(
    service: &Service,
    call: &Call,
    asked: &str,
    spec: usize,
    below: bool,
) -> Result<Operation, Fault> {
    let path = files::parse(asked)?;
    let snapshot = service.engine().snapshot();
    let mut browsed =
        snapshot.morefs(&call.this, path!(HostDatastoreBrowser, "datastore")).into_iter();
    let datastore =
        browsed.find(|it| snapshot.text(it, path!(Datastore, "name")) == path.datastore);
    let datastore = datastore.ok_or_else(|| {
        let name = path.datastore.as_str();
        let text = format!("Invalid datastore '{name}'.");
        Fault::new(object!(InvalidDatastore { name: name }), text)
    })?;
    let wanted = Wanted::read(call.get(spec).and_then(Value::as_object));
    let job = Search { datastore: datastore.clone(), path, wanted, below };
    Ok(Operation::new(job).on(&datastore).shared())
}

/// Which files are looked for, and what is said about them.
#[derive(Clone, Debug)]
struct Wanted {
    /// Types of `FileInfo`; all when there are none.
    kinds: Vec<Type>,
    patterns: Vec<String>,
    any_case: bool,
    folders_first: bool,
    typed: bool,
    size: bool,
    modified: bool,
    owner: bool,
}

impl Wanted {
    fn read(spec: Option<&Object>) -> Self {
        let flag = |path| {
            let value = spec.and_then(|spec| spec.at(path)).and_then(Value::as_bool);
            value.unwrap_or_default()
        };
        let at = |path| spec.and_then(|spec| spec.at(path)).map(Value::items).unwrap_or_default();
        let queries = at(path!(HostDatastoreBrowserSearchSpec, "query")).iter();
        // What a `VmDiskFileQuery` looks for is a `VmDiskFileInfo`.
        let kinds: Vec<Type> = queries
            .filter_map(|query| {
                let name = query.ty().name().strip_suffix("Query")?;
                Type::by_name(&format!("{name}Info"))
            })
            .collect();
        let patterns = at(path!(HostDatastoreBrowserSearchSpec, "matchPattern")).iter();
        Self {
            typed: !kinds.is_empty()
                || flag(path!(HostDatastoreBrowserSearchSpec, "details.fileType")),
            kinds,
            patterns: patterns.filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
            any_case: flag(path!(HostDatastoreBrowserSearchSpec, "searchCaseInsensitive")),
            folders_first: flag(path!(HostDatastoreBrowserSearchSpec, "sortFoldersFirst")),
            size: flag(path!(HostDatastoreBrowserSearchSpec, "details.fileSize")),
            modified: flag(path!(HostDatastoreBrowserSearchSpec, "details.modification")),
            owner: flag(path!(HostDatastoreBrowserSearchSpec, "details.fileOwner")),
        }
    }

    fn fits(&self, name: &str, entry: &files::Entry) -> bool {
        let is_kind = |kind: &Type| {
            // The bare query finds everything, as no query does.
            *kind == ty::FileInfo || entry.kind.is_a(*kind)
        };
        let matches = |pattern: &String| {
            if self.any_case {
                matches_glob(&pattern.to_lowercase(), &name.to_lowercase())
            } else {
                matches_glob(pattern, name)
            }
        };
        (self.kinds.is_empty() || self.kinds.iter().any(is_kind))
            && (self.patterns.is_empty() || self.patterns.iter().any(matches))
    }

    fn info(&self, name: &str, entry: &files::Entry) -> Value {
        let mut info = ObjectBuilder::new(if self.typed { entry.kind } else { ty::FileInfo });
        info.set(const { ty::FileInfo.slot("path") }, name);
        if entry.is_folder() {
            info.set(const { ty::FileInfo.slot("friendlyName") }, name);
        }
        if self.size {
            info.set(const { ty::FileInfo.slot("fileSize") }, entry.size);
        }
        if self.modified {
            info.set(const { ty::FileInfo.slot("modification") }, entry.modified);
        }
        if self.owner {
            info.set(const { ty::FileInfo.slot("owner") }, "root");
        }
        info.finish().into()
    }
}

/// Whether `name` is what `pattern` describes: `*` stands for any characters,
/// `?` for one.
fn matches_glob(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // Which beginnings of the name fit the pattern so far.
    let mut fits = vec![false; name.len() + 1];
    if let Some(first) = fits.first_mut() {
        *first = true;
    }
    for wanted in pattern.chars() {
        let mut next = Vec::with_capacity(fits.len());
        for at in 0..fits.len() {
            let here = fits.get(at).copied().unwrap_or_default();
            let before = at.checked_sub(1);
            let fit = if wanted == '*' {
                here || before.and_then(|at| next.get(at).copied()).unwrap_or_default()
            } else {
                before.is_some_and(|at| {
                    fits.get(at) == Some(&true) && (wanted == '?' || name.get(at) == Some(&wanted))
                })
            };
            next.push(fit);
        }
        fits = next;
    }
    fits.last().copied().unwrap_or_default()
}

/// Looks into one folder, or into all below it too. The result is an answer
/// for each folder.
#[derive(Clone, Debug)]
struct Search {
    datastore: MoRef,
    path: DatastorePath,
    wanted: Wanted,
    below: bool,
}

impl Search {
    fn folders(&self, tx: &Tx<'_>) -> Result<BTreeMap<String, Vec<(String, files::Entry)>>, Fault> {
        if !tx.exists(&self.datastore) {
            return Err(Fault::not_found(&self.datastore));
        }
        let all = files::on(tx, &self.datastore);
        let top = self.path.path.as_str();
        if !top.is_empty() && !all.get(top).is_some_and(files::Entry::is_folder) {
            return Err(files::not_found(&self.path));
        }
        let mut folders = BTreeMap::from([(top.to_owned(), Vec::new())]);
        for (path, entry) in all {
            let path = DatastorePath::new(&self.path.datastore, path);
            if path.path == top || !path.is_within(&self.path) {
                continue;
            }
            let folder = path.folder().path;
            if self.below && entry.is_folder() {
                folders.entry(path.path.clone()).or_default();
            }
            if self.below || folder == top {
                let name = path.file_name().to_owned();
                folders.entry(folder).or_default().push((name, entry));
            }
        }
        Ok(folders)
    }
}

impl Job for Search {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.folders(tx).map(drop)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let mut results = Vec::new();
        for (folder, mut content) in self.folders(tx)? {
            content.retain(|(name, entry)| self.wanted.fits(name, entry));
            if self.wanted.folders_first {
                content.sort_by_key(|(_, entry)| !entry.is_folder());
            }
            let found = content.iter().map(|(name, entry)| self.wanted.info(name, entry)).collect();
            let folder = DatastorePath::new(&self.path.datastore, folder).to_string();
            results.push(Value::from(object!(HostDatastoreBrowserSearchResults {
                datastore: &self.datastore,
                folderPath: if folder.ends_with(' ') {
                    folder.trim_end().to_owned()
                } else {
                    folder + "/"
                },
                file: Array::new(ty::FileInfo, found),
            })));
        }
        if self.below {
            return Ok(Some(Array::new(ty::HostDatastoreBrowserSearchResults, results).into()));
        }
        Ok(results.into_iter().next())
    }
}
