//! Saved inventories: folders of XML files, one object each, as
//! `govc object.save -d DIR` writes them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::decode::Decoder;
use super::error::DecodeError;
use super::reader::{Limits, Reader};
use crate::schema::{Version, ty};
use crate::value::{Object, Value};

/// Why an inventory cannot be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The folder or a file in it.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The folder or the file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What stands in a file.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        source: DecodeError,
    },
    /// There is nothing in the folder.
    #[error("{} has no .xml files; `govc object.save -d` makes such a folder", .0.display())]
    Empty(PathBuf),
}

/// An inventory is the user's own file, which may be large.
const LIMITS: Limits =
    Limits { depth: 256, attributes: 64, elements: usize::MAX, text: 1 << 30, fields: usize::MAX };

/// Reads a folder: an `ObjectContent` from each file, in the order of their names.
pub(crate) fn read(folder: &Path) -> Result<Vec<Object>, LoadError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.extension().is_some_and(|ending| ending == "xml") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(LoadError::Empty(folder.to_owned()));
    }
    files.sort();
    files.iter().map(|path| file(path)).collect()
}

fn failed(path: &Path) -> impl Fn(io::Error) -> LoadError {
    |source| LoadError::Io { path: path.to_owned(), source }
}

fn file(path: &Path) -> Result<Object, LoadError> {
    let text = fs::read(path).map_err(failed(path))?;
    document(&text).map_err(|source| LoadError::Content { path: path.to_owned(), source })
}

fn document(text: &[u8]) -> Result<Object, DecodeError> {
    let xml = Reader::new(text, LIMITS)?;
    let mut decoder = Decoder::new(xml, Version::NEWEST);
    let content = decoder.xml.root().and_then(|root| {
        let content = decoder.value(&root, ty::ObjectContent)?;
        decoder.xml.finish()?;
        Ok(content)
    });
    match content.map_err(|error| error.locate(text))? {
        Some(Value::Object(content)) => Ok(content),
        _ => Ok(Object::empty(ty::ObjectContent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path;

    #[test]
    fn a_file_as_govc_writes_it() {
        let text = b"<ObjectContent>\n  <obj type=\"Folder\">group-d1</obj>\n  <propSet>\n    \
            <name>name</name>\n    <val xmlns:_i=\"http://www.w3.org/2001/XMLSchema-instance\" \
            _i:type=\"string\">Datacenters</val>\n  </propSet>\n</ObjectContent>";
        let content = document(text).expect("a document");
        let obj = content.at(path!(ObjectContent, "obj")).and_then(Value::as_moref);
        assert_eq!(obj.map(ToString::to_string).as_deref(), Some("Folder:group-d1"));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let text =
            b"<ObjectContent>\n<obj type=\"Folder\">group-d1</obj>\n<colour/></ObjectContent>";
        let error = document(text).expect_err("an error");
        assert_eq!((error.place().line, error.problem().to_string().contains("colour")), (3, true));
    }
}
