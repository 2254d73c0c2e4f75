//! The same events give the same alerts, whatever files they stand in: in any order, copied, or split.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::trailhound::Folder;

/// Ten simulated days: enough for incidents, and for records delivered late and twice.
fn trail() -> Folder {
    let folder = Folder::new();
    let options = "simulate --out trail --days 10 --accounts 1 --events-per-day 1500 --seed 11";
    let said = folder.run(&options.split(' ').collect::<Vec<_>>());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    folder
}

/// The alerts of a replay, one a line.
fn alerts(folder: &Folder, arguments: &[&str]) -> String {
    let mut all = vec!["replay", "--learning-days", "0", "--format", "json"];
    all.extend(arguments);
    let said = folder.run(&all);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.lines().count() > 3, "a comparison of nothing: {}", said.stderr);
    said.stdout
}

/// The alerts without the names of log objects: those change when records move to other files.
fn without_objects(alerts: &str) -> Vec<Value> {
    alerts
        .lines()
        .map(|line| {
            let mut alert: Value = serde_json::from_str(line).unwrap();
            for evidence in alert["evidence"].as_array_mut().unwrap() {
                evidence.as_object_mut().unwrap().remove("object");
            }
            alert
        })
        .collect()
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn records(object: &Path) -> Vec<Value> {
    let mut text = String::new();
    #[expect(clippy::disallowed_types, reason = "the test reads what the simulation wrote, without caps")]
    flate2::read::GzDecoder::new(fs::File::open(object).unwrap()).read_to_string(&mut text).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["Records"].as_array().unwrap().clone()
}

fn write_object(path: &Path, records: &[Value]) {
    let mut gzip =
        flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), flate2::Compression::fast());
    gzip.write_all(serde_json::json!({ "Records": records }).to_string().as_bytes()).unwrap();
    gzip.finish().unwrap();
}

#[test]
fn shuffled_copied_and_split_files_give_the_same_alerts() {
    let folder = trail();
    let before = without_objects(&alerts(&folder, &["trail/AWSLogs"]));
    let scattered = folder.path("scattered");
    fs::create_dir(&scattered).unwrap();
    for (n, object) in objects(&folder.path("trail/AWSLogs")).iter().enumerate() {
        let mut records = records(object);
        records.reverse();
        // The delivery time stays in the name: it decides what is late.
        let name = object.file_name().unwrap().to_str().unwrap();
        let (head, _) = name.rsplit_once('_').unwrap();
        let parts = 1 + n % 3;
        for (part, chunk) in records.chunks(records.len().div_ceil(parts).max(1)).enumerate() {
            write_object(&scattered.join(format!("{head}_part{part}n{n}.json.gz")), chunk);
        }
        if n % 4 == 0 {
            write_object(&scattered.join(format!("{head}_copy{n}.json.gz")), &records);
        }
    }
    let after = without_objects(&alerts(&folder, &["scattered", "--threads", "2"]));
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        assert_eq!(after, before);
    }
}
