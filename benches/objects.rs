//! What is benchmarked: one large object as CloudTrail delivers it, and many small ones.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use trailhound::inflate::{Inflater, Limits};
use trailhound::ingest::local;

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
