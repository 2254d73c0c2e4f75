//! Simulations end to end: what is on disk is read back with a plain parser.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

fn small() -> Options {
    Options { days: 2, events_per_day: 1_500, ..Options::default() }
}

fn run(options: &Options, threads: usize) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let summary = simulate(options, folder.path(), threads, |_| Verdict::GoOn).unwrap();
    (folder, summary)
}

/// Every log object below a folder, by its key.
fn objects(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(key, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The records of every log object.
fn records(folder: &Path) -> BTreeMap<String, Vec<Value>> {
    let mut inflate = libdeflater::Decompressor::new();
    let mut logs = BTreeMap::new();
    for (key, gzip) in objects(folder).into_iter().filter(|(key, _)| key.starts_with("AWSLogs/")) {
        let length = u32::from_le_bytes(*gzip.last_chunk().unwrap()) as usize;
        let mut json = vec![0; length];
        inflate.gzip_decompress(&gzip, &mut json).unwrap();
        let mut log: Value = serde_json::from_slice(&json).unwrap();
        let Value::Array(records) = log["Records"].take() else { panic!("{key}: no records") };
        logs.insert(key, records);
    }
    logs
}

fn seconds(time: &Value) -> i64 {
    EventTime::parse(time.as_str().unwrap()).unwrap().0
}

#[test]
fn the_same_options_give_the_same_bytes_on_any_number_of_threads() {
    let (first, _) = run(&small(), 1);
    let (second, _) = run(&small(), 3);
    let (other, _) = run(&Options { seed: 2, ..small() }, 1);
    assert!(objects(first.path()) == objects(second.path()));
    assert!(objects(first.path()) != objects(other.path()));
}

#[test]
fn files_are_laid_out_and_filled_as_aws_does() {
    let (folder, summary) = run(&small(), 2);
    let logs = records(folder.path());
    let mut lags = Vec::new();
    let mut disordered = 0;
    let mut ids = BTreeMap::<String, u32>::new();
    for (key, records) in &logs {
        let parts: Vec<_> = key.split('/').collect();
        let [_, organization, account, "CloudTrail", region, year, month, day, name] = parts[..] else {
            panic!("{key}")
        };
        assert!(organization.starts_with("o-") && organization.len() == 12, "{key}");
        let stamp = name.strip_prefix(&format!("{account}_CloudTrail_{region}_{year}{month}{day}T")).unwrap();
        let (time, unique) = stamp.split_once("Z_").unwrap();
        assert_eq!(unique.strip_suffix(".json.gz").unwrap().len(), 16, "{key}");
        let delivered =
            EventTime::parse(&format!("{year}-{month}-{day}T{}:{}:00Z", &time[..2], &time[2..])).unwrap();
        assert!(!records.is_empty(), "{key}");
        let mut times = Vec::new();
        for record in records {
            assert_eq!(record["recipientAccountId"], account, "{key}");
            assert_eq!(record["awsRegion"], region, "{key}");
            times.push(seconds(&record["eventTime"]));
            lags.push(delivered.0 - seconds(&record["eventTime"]));
            *ids.entry(record["eventID"].as_str().unwrap().to_owned()).or_default() += 1;
            assert!(!record.to_string().contains('<'), "a name was not bound: {record}");
        }
        disordered += u32::from(!times.is_sorted());
    }
    assert_eq!(logs.len() as u64, summary.files);
    assert_eq!(ids.len() as u64, summary.events);
    lags.sort_unstable();
    let median = lags[lags.len() / 2];
    assert!((120..=300).contains(&median), "median lag {median}");
    assert!(lags[0] >= 20 && lags[lags.len() * 99 / 100] <= 700);
    assert!(disordered > logs.len() as u32 / 40, "{disordered} of {} out of order", logs.len());
    // The second trail of the first account, and deliveries repeated.
    let twice = ids.values().filter(|count| **count > 1).count();
    assert!(twice > ids.len() / 50 && twice < ids.len() / 2, "{twice} of {} delivered twice", ids.len());
}

#[test]
fn volume_and_sizes_are_plausible() {
    let (_folder, summary) = run(&Options { events_per_day: 6_000, ..small() }, 2);
    let per_day = summary.events / 2;
    assert!((4_000..=12_000).contains(&per_day), "{per_day} events a day");
    let (record, ratio) = (summary.json_bytes / summary.events, summary.json_bytes / summary.gzip_bytes);
    assert!((1_000..=2_200).contains(&record), "{record} bytes a record");
    assert!((3..=15).contains(&ratio), "compressed {ratio} times");
}

#[test]
fn labels_name_events_that_exist() {
    let (folder, summary) = run(&Options { days: 3, incidents: Some(16), ..small() }, 2);
    let logs = records(folder.path());
    let stored: Value =
        serde_json::from_slice(&fs::read(folder.path().join("labels.json")).unwrap()).unwrap();
    assert_eq!(stored, serde_json::to_value(&summary.labels).unwrap());
    assert!(summary.labels.iter().filter(|l| l.expectation == Expectation::Must).count() >= 12);
    assert!(summary.labels.iter().filter(|l| l.expectation == Expectation::MustNot).count() >= 4);
    for label in &summary.labels {
        assert!(!label.key_events.is_empty(), "{}", label.description);
        assert!(!label.actors.is_empty() || label.description.contains("endpoint"), "{}", label.description);
        let held: BTreeMap<_, _> = label
            .files
            .iter()
            .flat_map(|file| &logs[file])
            .map(|r| (r["eventID"].as_str().unwrap(), r))
            .collect();
        for event in &label.key_events {
            let record = held[&*event.event_id];
            assert_eq!(record["eventName"], *event.event_name);
            assert_eq!(record["eventTime"], *event.event_time);
            assert_eq!(record["errorCode"].as_str(), event.error_code.as_deref());
            assert!(label.window[0] <= event.event_time && event.event_time <= label.window[1]);
        }
    }
}

#[test]
fn cross_account_calls_are_logged_in_both_accounts() {
    let (folder, _) = run(&small(), 2);
    let mut pairs = BTreeMap::<String, BTreeSet<(String, String)>>::new();
    for record in records(folder.path()).into_values().flatten() {
        if let Some(shared) = record["sharedEventID"].as_str() {
            let side = |field: &str| record[field].as_str().unwrap().to_owned();
            pairs.entry(shared.to_owned()).or_default().insert((side("recipientAccountId"), side("eventID")));
        }
    }
    let both: Vec<_> = pairs.values().filter(|sides| sides.len() > 1).collect();
    assert!(!both.is_empty());
    for sides in both {
        let accounts: BTreeSet<_> = sides.iter().map(|(account, _)| account).collect();
        assert_eq!((sides.len(), accounts.len()), (2, 2));
    }
}

#[test]
fn every_shape_and_size_of_organisation_runs() {
    for shape in Shape::ALL {
        for accounts in [1, 5] {
            let (_folder, summary) = run(&Options { days: 1, accounts, shape, ..small() }, 2);
            assert!(summary.events > 700, "{shape:?} {accounts}: {}", summary.events);
        }
    }
}

#[test]
fn a_folder_with_something_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "").unwrap();
    let refused = simulate(&small(), folder.path(), 1, |_| Verdict::GoOn).unwrap_err();
    assert!(refused.to_string().ends_with("is not empty: choose a new folder"), "{refused}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn stopping_stops() {
    let folder = tempfile::tempdir().unwrap();
    let stopped =
        simulate(
            &small(),
            folder.path(),
            1,
            |progress| {
                if progress.days == 1 { Verdict::Stop } else { Verdict::GoOn }
            },
        );
    assert!(matches!(stopped, Err(SimulateError::Stopped)));
}

#[test]
fn options_out_of_range_are_refused() {
    for options in [
        Options { days: 0, ..small() },
        Options { accounts: 0, ..small() },
        Options { events_per_day: 1, ..small() },
    ] {
        let folder = tempfile::tempdir().unwrap();
        let refused = simulate(&options, folder.path(), 1, |_| Verdict::GoOn).unwrap_err();
        assert!(matches!(refused, SimulateError::OutOfRange { .. }), "{refused}");
    }
}
