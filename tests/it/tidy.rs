//! The habits of this code base, as tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of the crate a module may name. An arrow that is not here is a change of architecture: discuss it in
/// ARCHITECTURE.md first. `detectors` may be named by all.
const ARROWS: &[(&str, &[&str])] = &[
    ("alert", &[]),
    ("inflate", &[]),
    ("ingest", &[]),
    ("whole_file", &[]),
    ("store", &["whole_file"]),
    ("suppress", &[]),
    ("simulate", &[]),
    ("sink", &["alert"]),
    ("parse", &["ingest"]),
    ("config", &["suppress"]),
    ("engine", &["ingest", "inflate", "parse", "store", "alert", "sink", "suppress"]),
    ("replay", &["engine", "ingest", "store", "whole_file"]),
    ("tune", &["replay", "engine", "config"]),
    ("report", &["tune", "replay", "engine", "alert", "suppress"]),
    ("live", &["engine", "ingest", "inflate", "store", "sink", "alert", "config", "suppress"]),
    ("aws", &[]),
    (
        "lambda",
        &["live", "aws", "engine", "ingest", "inflate", "store", "sink", "alert", "config", "suppress"],
    ),
    (
        "cli",
        &[
            "live",
            "aws",
            "store",
            "replay",
            "tune",
            "report",
            "config",
            "simulate",
            "engine",
            "ingest",
            "inflate",
            "sink",
            "alert",
            "suppress",
            "whole_file",
        ],
    ),
];

/// The only places that know AWS's types.
const AWS: &[&str] = &[
    "src/aws",
    "src/ingest/s3",
    "src/store/dynamo",
    "src/sink/sns",
    "src/lambda",
    "src/bin/trailhound-lambda",
];

const LONGEST_FILE: usize = 600;

struct Source {
    /// From the repository's root, `/` between.
    path: String,
    text: String,
}

impl Source {
    /// The module of the crate the file belongs to: `src/engine/tally.rs` → `engine`.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next()?;
        Some(first.strip_suffix(".rs").unwrap_or(first)).filter(|m| !matches!(*m, "lib" | "bin"))
    }

    /// Tests may reach further.
    fn is_tests(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/") || self.path.ends_with("testing.rs")
    }

    /// Without comments: what is said there binds nobody.
    fn code(&self) -> String {
        self.text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|f| root.join(f)).filter(|f| f.exists()).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!sources.is_empty());
    sources
}

fn everything() -> Vec<Source> {
    sources(&["src", "detectors/src", "detectors/tests", "tests", "benches", "fuzz/fuzz_targets"])
}

/// The names that follow `crate::`, grouped imports too.
fn named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (i, _) in code.match_indices("crate::") {
        let rest = &code[i + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default(),
            None => rest,
        };
        let take = if rest.starts_with('{') { usize::MAX } else { 1 };
        for name in list.split(',').take(take) {
            let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(name);
        }
    }
    names.remove("");
    names
}

#[test]
fn names_are_found_in_single_and_grouped_imports() {
    let found =
        named("use crate::alert::Alert;\nuse crate::{engine::Tally, store};\nlet x = crate::sink::y();");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["alert", "engine", "sink", "store"]);
}

#[test]
fn arrows_between_modules_point_down() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources(&["src"]) {
        let Some(module) = source.module().filter(|_| !source.is_tests()) else { continue };
        let Some(allowed) = allowed.get(module) else {
            wrong.push(format!("{}: module `{module}` has no line in ARROWS", source.path));
            continue;
        };
        for name in named(&source.code()) {
            if name != module && name != "detectors" && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{}: {module} → {name}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that ARROWS does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn arrows_make_no_circle() {
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut settled = BTreeSet::new();
    // Every round settles the modules that name only settled ones; a circle never settles.
    for _ in ARROWS {
        for (module, names) in &arrows {
            if names.iter().all(|n| settled.contains(n)) {
                settled.insert(*module);
            }
        }
    }
    let all: BTreeSet<_> = arrows.keys().copied().collect();
    assert_eq!(settled, all);
}

#[test]
fn aws_types_stay_at_the_edge() {
    for source in sources(&["src", "detectors/src"]) {
        if AWS.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        for name in ["aws_sdk", "aws_config", "aws_smithy", "lambda_runtime"] {
            assert!(!source.code().contains(name), "{} names {name}: only {AWS:?} may", source.path);
        }
    }
}

#[test]
fn detectors_do_no_io_and_know_no_clock() {
    for source in sources(&["detectors/src"]).iter().filter(|s| !s.is_tests()) {
        for name in [
            "std::fs",
            "TcpStream",
            "UdpSocket",
            "std::io",
            "std::env",
            "std::process",
            "std::thread",
            "std::time",
            "tokio",
            "rand::",
        ] {
            assert!(!source.code().contains(name), "{} names {name}", source.path);
        }
    }
}

#[test]
fn only_one_file_knows_gzip() {
    for source in sources(&["src"]).iter().filter(|s| !s.is_tests()) {
        let code = source.code();
        let names_gzip = ["flate2::", "libdeflater::"].iter().any(|name| code.contains(name));
        let may = source.path == "src/inflate.rs"
            || source.path.starts_with("src/inflate/")
            || source.module() == Some("simulate");
        assert!(may || !names_gzip, "{} inflates: `inflate` has the caps", source.path);
    }
}

#[test]
fn files_are_short() {
    for source in everything() {
        let lines = source.text.lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines: {LONGEST_FILE} are enough", source.path);
    }
}

#[test]
fn files_are_named_for_what_they_hold() {
    for source in everything() {
        for word in ["util", "helper", "manager", "common", "misc"] {
            assert!(!source.path.contains(word), "{}: `{word}` names nothing", source.path);
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    // Spelt so that this file does not find itself.
    let marks = ["TO", "FIX", "XX", "todo", "unimplemented"].into_iter().zip(["DO", "ME", "X", "!(", "!("]);
    let marks: Vec<String> = marks.map(|(a, b)| format!("{a}{b}")).collect();
    for source in everything() {
        for (i, line) in source.text.lines().enumerate() {
            for mark in &marks {
                assert!(!line.contains(mark), "{}:{} holds {mark}", source.path, i + 1);
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for source in everything() {
        let is_exempt = source.is_tests() || source.path.starts_with("fuzz/");
        assert!(
            is_exempt || source.text.starts_with("//!") || source.text.starts_with("#![doc"),
            "{} has no head",
            source.path
        );
    }
}
