//! A made-up week of an organisation, as CloudTrail would deliver it.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use trailhound_detectors::EventTime;
use trailhound_detectors::time::{DAY, HOUR, MINUTE};

use crate::ingest::ObjectRef;

/// 2026-03-02T00:00:00Z.
const START: i64 = 1_772_409_600;
pub(super) const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const ROUTINE: [(&str, &str); 5] = [
    ("ec2", "DescribeInstances"),
    ("s3", "ListBuckets"),
    ("lambda", "Invoke"),
    ("dynamodb", "DescribeTable"),
    ("logs", "CreateLogStream"),
];
const RARE: [(&str, &str); 6] = [
    ("iam", "CreateAccessKey"),
    ("iam", "AttachUserPolicy"),
    ("iam", "PutRolePolicy"),
    ("cloudtrail", "StopLogging"),
    ("kms", "ScheduleKeyDeletion"),
    ("s3", "PutBucketPolicy"),
];

/// Objects delivered within minutes, every three hours.
pub(super) const TOGETHER: usize = 2 * ACCOUNTS.len();

/// Log objects in the order of their delivery.
pub(super) fn week(seed: u64, days: i64) -> Vec<(ObjectRef, Vec<u8>)> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut objects = Vec::new();
    for quarter in 0..days * DAY / (3 * HOUR) {
        let delivered = START + (quarter + 1) * 3 * HOUR;
        for account in ACCOUNTS {
            let mut records: Vec<Value> = Vec::new();
            for _ in 0..rng.random_range(4..12) {
                let (service, name) = ROUTINE[rng.random_range(0..ROUTINE.len())];
                records.push(record(&mut rng, account, (service, name), delivered, ""));
            }
            if rng.random_bool(0.15) {
                let rare = RARE[rng.random_range(0..RARE.len())];
                records.push(record(&mut rng, account, rare, delivered, ""));
            }
            if rng.random_bool(0.05) {
                let burst = delivered - 10 * MINUTE;
                for _ in 0..rng.random_range(60..120) {
                    let (service, name) = RARE[rng.random_range(0..RARE.len())];
                    let mut denied = record(&mut rng, account, (service, name), delivered, "AccessDenied");
                    denied["userIdentity"] = user(account, "mallory");
                    denied["eventTime"] = at(burst + rng.random_range(0..240));
                    records.push(denied);
                }
            }
            // Some records come in two files.
            let (head, copied) = records.split_at(records.len() / 2);
            objects.push(object(account, delivered, objects.len(), head));
            objects.push(object(
                account,
                delivered + 5 * MINUTE,
                objects.len(),
                &[copied, &head[..1]].concat(),
            ));
        }
    }
    objects
}

/// A call of no interest, not long before a delivery.
pub(super) fn routine(rng: &mut impl Rng, account: &str, delivered: i64) -> Value {
    record(rng, account, ROUTINE[0], delivered, "")
}

fn record(rng: &mut impl Rng, account: &str, action: (&str, &str), delivered: i64, error: &str) -> Value {
    let actor = ["deploy", "app", "audit"][rng.random_range(0..3)];
    let mut record = json!({
        "eventVersion": "1.11",
        "eventID": format!("{:016x}-{:016x}", rng.random::<u64>(), rng.random::<u64>()),
        "eventTime": at(delivered - rng.random_range(0..3 * HOUR - MINUTE)),
        "eventSource": format!("{}.amazonaws.com", action.0),
        "eventName": action.1,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.15",
        "userIdentity": user(account, actor),
        "requestParameters": {
            "userName": "kim", "roleName": "app", "bucketName": "b", "name": "trail", "functionName": "f",
            "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "policyName": "p",
            "policyDocument": "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}",
            "bucketPolicy": {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}}
        },
        "recipientAccountId": account,
        "eventCategory": "Management",
        "eventType": "AwsApiCall",
    });
    if !error.is_empty() {
        record["errorCode"] = error.into();
        record["errorMessage"] = "is not authorized to perform this".into();
    }
    record
}

fn user(account: &str, name: &str) -> Value {
    json!({
        "type": "IAMUser", "userName": name, "accountId": account, "principalId": format!("AIDA{name}"),
        "arn": format!("arn:aws:iam::{account}:user/{name}"), "accessKeyId": format!("AKIA{name}")
    })
}

fn at(seconds: i64) -> Value {
    EventTime(seconds).to_string().into()
}

/// One object, with the name CloudTrail would give it.
pub(super) fn object(
    account: &str,
    delivered: i64,
    number: usize,
    records: &[Value],
) -> (ObjectRef, Vec<u8>) {
    let time: String =
        EventTime(delivered).to_string().chars().filter(|c| c.is_ascii_alphanumeric()).take(13).collect();
    let key = format!(
        "AWSLogs/{account}/CloudTrail/eu-west-1/2026/03/02/{account}_CloudTrail_eu-west-1_{time}Z_{number:05}.json.gz"
    );
    let stored = gzip(json!({ "Records": records }).to_string().as_bytes());
    (ObjectRef { bucket: "trail".into(), key: key.into(), size: Some(stored.len() as u64) }, stored)
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
