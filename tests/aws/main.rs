//! The real function, between a Runtime API and a stand-in for AWS: objects into S3, alerts out of SNS.
//!
//! Needs Python with `pip install 'moto[server,all]'`; without it the tests say that they were left out. Run them with
//! `cargo test --features aws --test aws -- --nocapture`.

#![expect(clippy::print_stdout, reason = "tells what was left out, and what was measured")]

mod cloud;
mod runtime;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rand::seq::SliceRandom as _;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use trailhound::config::Config;
use trailhound::detectors::TimeRange;
use trailhound::detectors::catalogue::{Detectors, Ledgers};
use trailhound::engine::worker::{Intake, Worker};
use trailhound::ingest::{Origin, local};
use trailhound::simulate::{Options, Verdict, simulate};
use trailhound::store::snapshot;

use cloud::Cloud;
use runtime::{Answer, Function};

const TIME: Duration = Duration::from_secs(60);

/// A stand-in with all that is needed in it; or word that it is missing.
fn cloud(test: &str) -> Option<Cloud> {
    let cloud = Cloud::start();
    match &cloud {
        Some(cloud) => cloud.set_up(),
        None => println!("left out: {test}; it needs python3 with `pip install 'moto[server,all]'`"),
    }
    cloud
}

/// A small trail, and what the engine of replay makes of it.
struct Trail {
    /// Keys and bytes.
    objects: Vec<(String, Vec<u8>)>,
    ids: BTreeSet<String>,
    facts: Ledgers,
}

impl Trail {
    fn simulated(folder: &Path, seed: u64) -> Self {
        let logs = folder.join("trail");
        let options = Options { days: 3, accounts: 1, events_per_day: 200, seed, ..Options::default() };
        simulate(&options, &logs, 1, |_| Verdict::GoOn).expect("a simulated trail");
        let files = local::list(&[logs.join("AWSLogs")]).expect("files").into_iter().map(|file| {
            let key = file.path().strip_prefix(&logs).expect("a path below").to_string_lossy().into_owned();
            (key, std::fs::read(file.path()).expect("a file"))
        });
        let objects: Vec<_> = files.collect();
        let config = Config::default();
        let lateness_seconds = config.learning.lateness_seconds();
        let mut worker = Worker::new(Intake { lateness_seconds, ..Intake::default() }.into());
        for (key, bytes) in &objects {
            worker.take(&Origin::new(format!("s3://trail/{key}")), bytes);
        }
        let detectors = Detectors::new(&config.detectors).expect("defaults are valid");
        let found = detectors.judge(&worker.ledgers, &config.environment(), TimeRange::ALL);
        assert!(!found.is_empty(), "there must be something to find");
        Self { objects, ids: found.iter().map(|f| f.id()).collect(), facts: worker.ledgers }
    }
}

fn queue_event(messages: &[(String, String)]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|(id, body)| json!({ "messageId": id, "body": body, "eventSource": "aws:sqs" }))
        .collect();
    json!({ "Records": records })
}

/// The messages that an answer hands back.
fn handed_back(answer: &Value) -> BTreeSet<String> {
    let failures = answer["batchItemFailures"].as_array().expect("a batch response");
    failures.iter().map(|f| f["itemIdentifier"].as_str().expect("an id").to_owned()).collect()
}

/// Facts of the table, through the command.
fn pulled(cloud: &Cloud, folder: &Path) -> Ledgers {
    let file = folder.join("pulled");
    let pull = Command::new(env!("CARGO_BIN_EXE_trailhound"))
        .args(["facts", "pull", "--table", "facts"])
        .arg(&file)
        .envs(cloud.environment())
        .output()
        .expect("facts pull runs");
    assert!(pull.status.success(), "{}", String::from_utf8_lossy(&pull.stderr));
    snapshot::load(&file).expect("facts")
}

fn closed(mut facts: Ledgers) -> Ledgers {
    facts.close(i64::MAX / 120);
    facts
}

/// Plays the queue: batches in random sizes, what is handed back or was under way at a death comes again.
fn play(cloud: &Cloud, rng: &mut Pcg64Mcg, deaths: u32) {
    let mut messages: Vec<(String, String)> = cloud.drain("objects").into_iter().collect();
    messages.shuffle(rng);
    let mut deaths = deaths;
    let mut function = Function::start(&cloud.environment());
    while !messages.is_empty() {
        let batch: Vec<_> = messages.split_off(messages.len().saturating_sub(rng.random_range(20..120)));
        function.invoke(&queue_event(&batch), TIME);
        if deaths > 0 && rng.random_bool(0.7) {
            deaths -= 1;
            // Somewhere between fetching and recording; where, the machine decides.
            if function.answer(Duration::from_millis(rng.random_range(50..3_000))).is_none() {
                function.kill();
                function = Function::start(&cloud.environment());
            }
            // Answered or not: the queue delivers at least once.
            messages.extend(batch);
            continue;
        }
        match function.answer(TIME) {
            Some(Answer::Response(answer)) => {
                let failed = handed_back(&answer);
                messages.extend(batch.into_iter().filter(|(id, _)| failed.contains(id)));
            }
            Some(Answer::Failed(why)) => panic!("the function failed: {why}"),
            None => panic!("no answer in time"),
        }
    }
}

/// Every alert of replay came through the topic; repeats have the same id; the table holds replay's facts.
fn check(cloud: &Cloud, folder: &Path, Trail { ids, facts, .. }: Trail) {
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for alert in cloud.alerts() {
        *told.entry(alert.id).or_default() += 1;
    }
    let lost: Vec<_> = ids.iter().filter(|id| !told.contains_key(*id)).collect();
    println!(
        "{} alerts of replay, {} ids told, {} messages",
        ids.len(),
        told.len(),
        told.values().sum::<usize>()
    );
    assert!(lost.is_empty(), "lost {lost:?}");
    assert!(closed(pulled(cloud, folder)) == closed(facts), "other facts than replay's");
}

#[test]
fn what_live_tells_through_aws_is_what_replay_finds() {
    let Some(cloud) = cloud("what_live_tells_through_aws_is_what_replay_finds") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let trail = Trail::simulated(folder.path(), 11);
    for (key, bytes) in &trail.objects {
        cloud.put(key, bytes);
    }
    cloud.put("AWSLogs/123456789012/CloudTrail-Digest/us-east-1/x.json.gz", b"not read");
    play(&cloud, &mut Pcg64Mcg::seed_from_u64(1), 0);
    check(&cloud, folder.path(), trail);
}

#[test]
fn killed_and_refused_it_loses_nothing() {
    let Some(cloud) = cloud("killed_and_refused_it_loses_nothing") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let trail = Trail::simulated(folder.path(), 12);
    for (key, bytes) in &trail.objects {
        cloud.put(key, bytes);
    }
    cloud.faults(6);
    play(&cloud, &mut Pcg64Mcg::seed_from_u64(2), 6);
    cloud.faults(0);
    check(&cloud, folder.path(), trail);
}

#[test]
fn pushed_facts_are_pulled_as_they_were_and_pushing_again_writes_nothing() {
    let Some(cloud) = cloud("pushed_facts_are_pulled_as_they_were_and_pushing_again_writes_nothing") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let facts = Trail::simulated(folder.path(), 13).facts;
    snapshot::save(&facts, &folder.path().join("facts")).expect("a file");
    let push = || {
        let push = Command::new(env!("CARGO_BIN_EXE_trailhound"))
            .args(["facts", "push", "--table", "facts"])
            .arg(folder.path().join("facts"))
            .envs(cloud.environment())
            .output()
            .expect("facts push runs");
        assert!(push.status.success(), "{}", String::from_utf8_lossy(&push.stderr));
        String::from_utf8_lossy(&push.stdout).into_owned()
    };
    assert!(!push().contains(" 0 rows written"));
    assert!(pulled(&cloud, folder.path()) == facts);
    assert!(push().contains(" 0 rows written"));
}

#[test]
fn a_function_asks_for_work_soon_after_its_start() {
    let Some(cloud) = cloud("a_function_asks_for_work_soon_after_its_start") else { return };
    let mut times: Vec<_> = (0..5).map(|_| Function::start(&cloud.environment()).startup()).collect();
    times.sort_unstable();
    println!("process start to first next: median {:?} of {times:?}", times[2]);
    assert!(times[2] < Duration::from_secs(2));
}
