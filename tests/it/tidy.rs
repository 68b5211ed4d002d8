//! The house is tidy: layers, headers, sizes, words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules a module may import, besides itself and the leaves.
const EDGES: &[(&str, &[&str])] = &[
    ("schema", &[]),
    ("value", &["schema"]),
    ("fault", &["schema", "value"]),
    ("inventory", &["schema", "value", "fault"]),
    ("task", &["schema", "value", "fault"]),
    ("event", &["schema", "value", "fault", "task"]),
    ("collector", &["schema", "value", "fault", "inventory"]),
    ("engine", &["schema", "value", "fault", "inventory", "task", "event"]),
    ("scenario", &["schema", "value", "fault", "inventory", "task", "engine"]),
    (
        "vsphere",
        &[
            "schema",
            "value",
            "fault",
            "inventory",
            "task",
            "event",
            "engine",
            "scenario",
            "collector",
        ],
    ),
    (
        "control",
        &["schema", "value", "fault", "inventory", "task", "engine", "scenario", "vsphere"],
    ),
    ("xenapi", &["schema", "value", "fault", "inventory", "task", "event", "engine", "vsphere"]),
    (
        "wire",
        &[
            "schema",
            "value",
            "fault",
            "inventory",
            "task",
            "scenario",
            "engine",
            "vsphere",
            "control",
            "xenapi",
        ],
    ),
    ("server", &[]),
    ("simulator", &["server", "wire", "control", "vsphere", "xenapi", "engine", "scenario"]),
    ("cli", &["schema", "value", "server", "simulator", "wire", "scenario"]),
    ("lib", &["simulator"]),
    ("main", &["cli"]),
];

/// Open to all.
const LEAVES: &[&str] = &["ids", "config", "connection"];

/// A file that is longer than this is no longer read in one sitting.
const LONGEST: usize = 700;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The part of a file before its unit tests, which may use whatever they need.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

#[test]
fn imports_only_point_downwards() {
    let edges: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in rust_files("src") {
        let text = fs::read_to_string(&path).expect("a text file");
        let inside = path.strip_prefix(root().join("src")).expect("a path below src");
        let module = inside.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
        let module = module.trim_end_matches(".rs");
        seen.insert(module.to_owned());
        if LEAVES.contains(&module) {
            if without_tests(&text).contains("use crate::") {
                wrong.push(format!("{}: a leaf imports", short(&path)));
            }
            continue;
        }
        let Some(allowed) = edges.get(module) else {
            wrong.push(format!("{}: the layers do not know {module}", short(&path)));
            continue;
        };
        for (number, line) in without_tests(&text).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for (at, _) in line.match_indices("crate::") {
                if line[..at].ends_with('$') {
                    continue;
                }
                let rest = &line[at + "crate::".len()..];
                let names: Vec<&str> = match rest.strip_prefix('{') {
                    Some(list) => list.split([',', '}', ' ']).collect(),
                    None => vec![rest],
                };
                for name in names {
                    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_'));
                    let name = &name[..end.unwrap_or(name.len())];
                    let own = name.is_empty() || name == module || LEAVES.contains(&name);
                    let is_macro = ["object", "path", "enum_value"].contains(&name);
                    if !own && !is_macro && !allowed.contains(name) {
                        let place = format!("{}:{}", short(&path), number + 1);
                        wrong.push(format!("{place}: {module} imports {name}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (module, _) in EDGES {
        assert!(seen.contains(*module), "the layers name {module}, which is not there");
    }
}

#[test]
fn every_file_says_what_it_is_for_and_can_be_read_in_one_sitting() {
    let mut wrong = Vec::new();
    for folder in ["src", "wsdl/build", "tests/it", "tests/bench"] {
        for path in rust_files(folder) {
            let text = fs::read_to_string(&path).expect("a text file");
            if !text.starts_with("//!") {
                wrong.push(format!("{}: does not open with //!", short(&path)));
            }
            let lines = text.lines().count();
            if lines > LONGEST {
                wrong.push(format!("{}: {lines} lines", short(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_wire_knows_a_status_code() {
    for path in rust_files("src") {
        let name = short(&path);
        let above = ["src/wire", "src/server", "src/cli", "src/main.rs"];
        if above.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text file");
        for word in ["StatusCode", "axum::", "hyper::", "quick_xml"] {
            assert!(!without_tests(&text).contains(word), "{name} knows {word}");
        }
    }
}

#[test]
fn only_the_engine_reads_a_clock() {
    for path in rust_files("src") {
        let name = short(&path);
        let timed = ["src/engine", "src/server", "src/cli", "src/wire", "src/simulator"];
        if timed.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text file");
        for word in ["SystemTime", "Instant::now", "tokio::time", "now_utc"] {
            assert!(!without_tests(&text).contains(word), "{name} reads the time by {word}");
        }
    }
}

#[test]
fn the_top_level_holds_what_it_should() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "wsdl",
        "tests",
        "examples",
        "README.md",
        "CHANGELOG.md",
        "target",
    ];
    for entry in fs::read_dir(root()).expect("the repository").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || allowed.contains(&name.as_str()), "{name}");
    }
}
