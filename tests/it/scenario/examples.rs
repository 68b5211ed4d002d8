//! The scenarios under `examples/` can be used.

use std::fs;
use std::path::Path;

use vimsim::scenario::Scenario;

#[test]
fn every_example_is_right_and_says_what_it_is_good_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenarios");
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|ending| ending == "toml") {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("#"), "{}: no comment at its beginning", file.display());
            let scenario = Scenario::parse(&text);
            let scenario = scenario.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(!scenario.description.is_empty(), "{}: no description", file.display());
            seen += 1;
        }
    }
    assert!(seen >= 8, "{seen} scenarios");
}
