//! Files made from the code itself, and held to it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use trailhound::detectors::catalogue;

/// Compares a file with what it should be, or rewrites it when asked to.
fn assert_in_step(file: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("TRAILHOUND_BLESS").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == wanted, "{file} is out of step: TRAILHOUND_BLESS=1 cargo test --test it generated");
}

#[test]
fn the_list_of_detectors() {
    let mut text = String::from(DETECTORS_HEAD);
    for entry in catalogue::ENTRIES {
        let (name, docs) = (entry.name, format!("detectors/src/{}/README.md", entry.name));
        let said = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&docs)).unwrap_or_default();
        assert_eq!(entry.docs, said, "the documentation of {name} is not {docs}");
        writeln!(text, "| [{name}](../{docs}) | {} |", entry.purpose).unwrap();
    }
    assert_in_step("docs/detectors.md", &text);
}

const DETECTORS_HEAD: &str = "\
<!-- Written from the catalogue: see CONTRIBUTING.md. -->

# Detectors

Each page says which behaviour the detector looks for, which events it reads, what it remembers, when it fires, when it errs,
and what can be configured. `trailhound detectors NAME` shows the same.

| detector | finds |
|---|---|
";
