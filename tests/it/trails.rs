//! Whole trails through the whole program: a simulated one that must give the same bytes however it is read, and a small
//! one that is known by heart.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use trailhound::alert::Alert;
use trailhound::detectors::Severity;

use crate::trailhound::Folder;

/// Two days of two accounts.
fn simulated() -> Folder {
    let folder = Folder::new();
    let options = ["--days", "2", "--accounts", "2", "--events-per-day", "800"];
    let said = folder.run(&[&["simulate", "--out", "trail"], &options[..]].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    folder
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Alerts of a replay; there must be some.
fn alerts(folder: &Folder, arguments: &[&str]) -> String {
    let said = folder.run(&[&["replay", "--learning-days", "0", "--format", "json"], arguments].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(!said.stdout.is_empty());
    said.stdout
}

#[test]
fn order_repetition_and_threads_change_no_byte() {
    let folder = simulated();
    let expected = alerts(&folder, &["trail/AWSLogs", "--threads", "1"]);
    assert_eq!(alerts(&folder, &["trail/AWSLogs", "--threads", "5"]), expected);

    let files = files_below(&folder.path("trail/AWSLogs"));
    let mut backwards: Vec<&str> = files.iter().rev().map(|f| f.to_str().unwrap()).collect();
    backwards.push("trail/AWSLogs");
    // Named one by one, evidence names them by their whole paths.
    let named = alerts(&folder, &backwards)
        .replace(&format!("{}/", folder.path("").display()).replace("//", "/"), "");
    assert_eq!(named, expected);
}

#[test]
fn a_trail_in_two_parts_is_the_trail() {
    let folder = simulated();
    let expected = alerts(&folder, &["trail/AWSLogs"]);
    let root = folder.path("");
    let files = files_below(&folder.path("trail/AWSLogs"));
    let files: Vec<&str> = files.iter().map(|f| f.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
    let (first, second) = files.split_at(files.len() / 2);
    folder.run(&[&["replay", "--facts-out", "first.facts"], first].concat());
    assert_eq!(alerts(&folder, &[&["--facts-in", "first.facts"], second].concat()), expected);
}

/// A stolen key tries what it can, and then opens a bucket to the world.
fn known_by_heart() -> Folder {
    let mut records = String::new();
    let mut record = |second: u32, source: &str, name: &str, rest: &str| {
        let number = records.lines().count();
        writeln!(
            records,
            r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::123456789012:user/ci-deploy","accountId":"123456789012","accessKeyId":"AKIAEXAMPLE","userName":"ci-deploy"}},"eventTime":"2026-03-01T10:{:02}:{:02}Z","eventSource":"{source}.amazonaws.com","eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.9","userAgent":"aws-cli/2","eventID":"00000000-0000-4000-8000-{number:012}","eventType":"AwsApiCall","recipientAccountId":"123456789012","eventCategory":"Management",{rest}}}"#,
            second / 60,
            second % 60,
        )
        .unwrap();
    };
    let denied = r#""errorCode":"AccessDenied","errorMessage":"User: arn:aws:iam::123456789012:user/ci-deploy is not authorized to perform this action because no identity-based policy allows it","readOnly":true"#;
    for second in 0..60 {
        let (source, name) =
            [("iam", "ListUsers"), ("s3", "ListBuckets"), ("ec2", "DescribeInstances")][second as usize % 3];
        record(second * 3, source, name, denied);
    }
    record(
        240,
        "s3",
        "PutBucketPolicy",
        r#""readOnly":false,"requestParameters":{"bucketName":"salaries","bucketPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::salaries/*"}]}}"#,
    );
    Folder::new().with("trail/incident.ndjson", records)
}

#[test]
fn an_incident_known_by_heart() {
    let user = "arn:aws:iam::123456789012:user/ci-deploy";
    let told: Vec<Alert> = alerts(&known_by_heart(), &["trail"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(told.iter().all(|a| a.actor.as_ref().is_some_and(|actor| actor.id == user)), "{told:#?}");
    let by = |detector| told.iter().find(|a| a.detector == detector).unwrap();
    let burst = by("access_denied_spike");
    assert_eq!((&*burst.kind, burst.evidence_total), ("denied_calls", 60));
    let opened = by("policy_change");
    assert!(opened.severity >= Severity::High && opened.entity.id.contains("salaries"), "{opened:#?}");
    assert_eq!(&*opened.evidence[0].event_name, "PutBucketPolicy");
}

#[test]
fn what_is_suppressed_is_counted_and_ends_with_its_day() {
    let suppression = |day| {
        format!(
            "[[suppressions]]\nreason = 'a test of the key'\nexpires = {day}\nactor = '*:user/ci-deploy'\nsource = '203.0.113.0/24'\n"
        )
    };
    let folder = known_by_heart()
        .with("holds.toml", suppression("2026-03-01"))
        .with("expired.toml", suppression("2026-02-28"));
    let replay = |config: &str| {
        folder.run(&["replay", "trail", "--learning-days", "0", "--config", config, "--fail-on", "low"])
    };
    let holds = replay("holds.toml");
    assert_eq!((holds.code, holds.stdout.as_str()), (Some(0), ""), "{}", holds.stderr);
    assert!(holds.stderr.contains("until 2026-03-01: a test of the key"), "{}", holds.stderr);
    let expired = replay("expired.toml");
    assert_eq!(expired.code, Some(4), "{}", expired.stderr);
    assert!(expired.stderr.contains("told after it expired"), "{}", expired.stderr);
}

#[test]
fn a_file_of_alerts_is_what_standard_output_would_be() {
    let folder = known_by_heart();
    let expected = alerts(&folder, &["trail"]);
    let said = folder.run(&["replay", "trail", "--learning-days", "0", "--output", "alerts.jsonl"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{}", said.stderr);
    assert_eq!(fs::read_to_string(folder.path("alerts.jsonl")).unwrap(), expected);
    assert_eq!(folder.names(), ["alerts.jsonl", "trail"]);
}

#[test]
fn milder_alerts_are_left_out_and_counted() {
    let folder = known_by_heart();
    let all = alerts(&folder, &["trail"]);
    let said = folder.run(&[
        "replay",
        "trail",
        "--learning-days",
        "0",
        "--severity",
        "critical",
        "--fail-on",
        "informational",
    ]);
    assert_eq!(said.code, Some(4), "--fail-on looks at what is left out, too");
    let critical = all.lines().filter(|l| l.contains("\"severity\":\"critical\"")).count();
    assert_eq!(said.stdout.lines().count(), critical);
    assert!(said.stderr.contains("milder than critical"), "{}", said.stderr);
}
