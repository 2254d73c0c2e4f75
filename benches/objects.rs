//! What is benchmarked: one large object as CloudTrail delivers it, and many small ones.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use trailhound::inflate::{Inflater, Limits};
use trailhound::ingest::{LocalFile, local};
use trailhound::simulate::{self, Options, Shape, Verdict};
use trailhound_detectors::EventTime;

/// What the configuration has without being told otherwise.
pub(crate) const LATENESS_SECONDS: i64 = 3 * 3_600;

const RECORDS: &str = include_str!("../tests/fixtures/records.ndjson");

/// The JSON of one object with so many records: the fixtures over and over, each time with another id and address.
pub(crate) fn object(records: usize) -> Vec<u8> {
    let mut text = String::from(r#"{"Records":["#);
    for (i, record) in RECORDS.lines().cycle().take(records).enumerate() {
        let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let fresh =
            format!(r#""eventID":"{:08x}-0000-4000-8000-{:012x}""#, mixed >> 32, mixed & 0xffff_ffff_ffff);
        let id = record.find(r#""eventID":"#).expect("fixtures have ids");
        let separator = if i == 0 { "" } else { "," };
        text.extend([separator, &record[..id], &fresh, &record[id + fresh.len()..]]);
    }
    text.push_str("]}");
    text.into_bytes()
}

/// The JSON of the large object.
pub(crate) fn large() -> Vec<u8> {
    let Some(folder) = std::env::var_os("TRAILHOUND_DATA") else { return object(4_000) };
    let files = local::list(&[folder.into()]).expect("TRAILHOUND_DATA is a folder");
    let file = files.iter().max_by_key(|f| f.bytes).expect("TRAILHOUND_DATA holds files");
    let mut stored = Vec::new();
    local::read(file, u64::MAX, &mut stored).expect("readable");
    Inflater::new(Limits::default()).inflate(&stored).0.to_vec()
}

/// As CloudTrail stores it.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory is writable")
}

/// Files of five records each, as most accounts have most of them.
pub(crate) fn small_files(folder: &Path, count: usize) -> Vec<LocalFile> {
    let stored = gzip(&object(5));
    for n in 0..count {
        let name = format!(
            "123456789012_CloudTrail_us-east-1_20230710T{:02}{:02}Z_{n:016}.json.gz",
            n / 60 % 24,
            n % 60
        );
        std::fs::write(folder.join(name), &stored).expect("a temporary folder is writable");
    }
    local::list(&[folder.to_owned()]).expect("a temporary folder can be listed")
}

/// The folder of a whole trail, and what keeps it there: two simulated days of 40,000 events, or `TRAILHOUND_DATA`.
pub(crate) fn trail() -> (TempDir, OsString) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if let Some(data) = std::env::var_os("TRAILHOUND_DATA") {
        return (folder, data);
    }
    let options = Options {
        start: EventTime::of_day(20_513),
        days: 2,
        accounts: 3,
        events_per_day: 40_000,
        incidents: None,
        shape: Shape::Quiet,
        seed: 1,
    };
    simulate::simulate(&options, folder.path(), 1, |_| Verdict::GoOn)
        .expect("a temporary folder is writable");
    let root = folder.path().join("AWSLogs").into_os_string();
    (folder, root)
}
