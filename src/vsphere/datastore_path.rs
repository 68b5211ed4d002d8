//! Paths of files on datastores, as the API writes them: `[LocalDS_0] DC0_H0_VM0/DC0_H0_VM0.vmx`.

use std::fmt;

use crate::fault::Fault;
use crate::object;

/// A file or folder on a datastore.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DatastorePath {
    /// The datastore's name.
    pub(crate) datastore: String,
    /// The path below the datastore's root; empty for the root itself.
    pub(crate) path: String,
}

impl DatastorePath {
    /// The place `path` on the datastore called `datastore`.
    pub(crate) fn new(datastore: &str, path: impl Into<String>) -> Self {
        Self { datastore: datastore.to_owned(), path: path.into() }
    }

    /// Reads `[datastore] path`, with or without the path.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let inside = text.trim().strip_prefix('[').and_then(|rest| rest.split_once(']'));
        match inside {
            Some((datastore, path)) if !datastore.is_empty() => {
                Ok(Self::new(datastore, path.trim().trim_start_matches('/')))
            }
            _ => Err(invalid_path(text)),
        }
    }

    /// The folder that the file stands in.
    pub(crate) fn folder(&self) -> Self {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Self::new(&self.datastore, folder)
    }

    /// The last part of the path.
    pub(crate) fn file_name(&self) -> &str {
        self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name)
    }

    /// The last part of the path without its extension.
    pub(crate) fn stem(&self) -> &str {
        let name = self.file_name();
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }

    /// The file called `name` in this folder.
    pub(crate) fn join(&self, name: &str) -> Self {
        let folder = self.path.trim_end_matches('/');
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        Self::new(&self.datastore, path)
    }

    /// Whether the path names a folder: the root, or something that ends with a slash.
    pub(crate) fn is_folder(&self) -> bool {
        self.path.is_empty() || self.path.ends_with('/')
    }

    /// Whether this is `folder` or something in it.
    pub(crate) fn is_within(&self, folder: &Self) -> bool {
        let top = folder.path.trim_end_matches('/');
        self.datastore == folder.datastore
            && (top.is_empty()
                || self.path == top
                || self.path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/')))
    }
}

impl fmt::Display for DatastorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.datastore, self.path)
    }
}

/// The text is not a path on a datastore.
pub(crate) fn invalid_path(text: &str) -> Fault {
    Fault::new(
        object!(InvalidDatastorePath { name: text, datastorePath: text }),
        format!("Invalid datastore path '{text}'."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_taken_apart() -> Result<(), Fault> {
        let path = DatastorePath::parse("[ds 1] a b/c.vmdk")?;
        assert_eq!((path.datastore.as_str(), path.path.as_str()), ("ds 1", "a b/c.vmdk"));
        assert_eq!((path.stem(), path.file_name()), ("c", "c.vmdk"));
        assert_eq!(path.folder().join("d.vmdk").to_string(), "[ds 1] a b/d.vmdk");
        assert!(DatastorePath::parse("[ds 1]")?.is_folder());
        for wrong in ["", "a/b", "[] a", "[ds"] {
            assert!(DatastorePath::parse(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }
}
