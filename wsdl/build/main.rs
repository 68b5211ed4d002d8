//! Build script: compiles the schema in `wsdl/` into static tables.
//!
//! The passes, in order: [`xsd`] reads the documents, [`collect`] gathers their declarations,
//! [`overrides`] applies our deviations, [`resolve`] turns names into numbers, [`emit`] writes tables.

// A build script reports by printing and fails by stopping the build.
#![allow(clippy::print_stdout, clippy::indexing_slicing, clippy::expect_used, unreachable_pub)]

mod collect;
mod emit;
#[path = "../../src/schema/hash.rs"]
mod hash;
mod overrides;
mod resolve;
mod xsd;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use collect::Problem;

fn main() -> ExitCode {
    let root = PathBuf::from("wsdl");
    match compile(&root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compile(root: &Path) -> Result<(), Box<dyn Error>> {
    let mut schemas = Vec::new();
    let mut definitions = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(root)?.collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    for entry in files {
        let name = entry.file_name().to_string_lossy().into_owned();
        let read = || std::fs::read_to_string(entry.path());
        if name.ends_with(".xsd") || name.ends_with(".wsdl") {
            println!("cargo:rerun-if-changed=wsdl/{name}");
        }
        if name.ends_with(".xsd") {
            let schema = yaserde::de::from_str(&read()?).map_err(|e| format!("{name}: {e}"))?;
            schemas.push((name, schema));
        } else if name.ends_with(".wsdl") {
            let wsdl = yaserde::de::from_str(&read()?).map_err(|e| format!("{name}: {e}"))?;
            definitions.push((name, wsdl));
        }
    }
    let (mut symbols, problems) = collect::collect(&schemas, &definitions);
    if !problems.is_empty() {
        return Err(report(root, &problems).into());
    }
    overrides::apply(&mut symbols);
    let model = resolve::resolve(&symbols).map_err(|problems| report(root, &problems))?;
    let out = std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    emit::emit(&model, Path::new(&out))?;
    Ok(())
}

/// All problems, each with file and line.
fn report(root: &Path, problems: &[Problem]) -> String {
    let lines = problems.iter().map(|problem| {
        let place = &problem.place;
        let text = std::fs::read_to_string(root.join(&place.file)).unwrap_or_default();
        let line = place.line(&text).map_or_else(String::new, |line| format!(":{line}"));
        format!("wsdl/{}{line}: {}: {}", place.file, place.path.join("/"), problem.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}
