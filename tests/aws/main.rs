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
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::seq::SliceRandom as _;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};
use trailhound::config::Config;
use trailhound::detectors::catalogue::{Detectors, Ledgers};
use trailhound::detectors::{EventTime, TimeRange};
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
        Self::simulated_from(folder, seed, Options::default().start)
    }

    fn simulated_from(folder: &Path, seed: u64, start: EventTime) -> Self {
        let logs = folder.join("trail");
        let options =
            Options { start, days: 3, accounts: 1, events_per_day: 200, seed, ..Options::default() };
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

/// What a backlog showed is told once nothing of it was handled for ten minutes. Rather than wait, time is turned back in the
/// one row that says when that was.
fn settle(cloud: &Cloud) {
    cloud.forget_activity();
    let function = Function::start(&cloud.environment());
    for _ in 0..20 {
        function.invoke(&schedule("2026-03-20T00:00:00Z"), TIME);
        match function.answer(TIME) {
            Some(Answer::Response(_)) => return,
            Some(Answer::Failed(_)) => {}
            None => panic!("no answer in time"),
        }
    }
    panic!("something is held back for ever: {:?}", function.log());
}

/// Every alert of replay came through the topic; repeats have the same id; the table holds replay's facts.
fn check(cloud: &Cloud, folder: &Path, Trail { ids, facts, .. }: Trail) {
    settle(cloud);
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for alert in cloud.alerts().into_iter().filter(|alert| alert.detector != "coverage") {
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
    assert_eq!(told.len(), ids.len(), "told what replay does not find");
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

fn schedule(time: &str) -> Value {
    json!({ "source": "aws.events", "detail-type": "Scheduled Event", "time": time, "detail": {} })
}

#[test]
fn a_configuration_is_taken_over_while_running_and_a_broken_one_is_not() {
    let Some(cloud) = cloud("a_configuration_is_taken_over_while_running_and_a_broken_one_is_not") else {
        return;
    };
    let mut environment = cloud.environment();
    environment.push(("TRAILHOUND_CONFIG", "ssm:/trailhound".to_owned()));
    environment.push(("TRAILHOUND_CONFIG_RELOAD_SECONDS", "1".to_owned()));
    let refused = |why: &str| {
        let (ended, log) = Function::start(&environment).end();
        assert!(!ended.success() && log.contains(why), "{log}");
    };
    refused("ParameterNotFound");
    cloud.parameter("/trailhound", "[learning]\ndayz = 3\n");
    refused("ssm:/trailhound:2:1: unknown field `dayz` in [learning]; did you mean `days`?");
    cloud.parameter("/trailhound", "[learning]\ndays = 3\n");
    let function = Function::start(&environment);
    let digest = |days: u32| {
        let mut config = Config::default();
        config.learning.days = days;
        config.digest().to_string()
    };
    let judged_by = || {
        std::thread::sleep(Duration::from_millis(1_100));
        function.invoke(&schedule("2026-03-01T10:00:00Z"), TIME);
        assert!(matches!(function.answer(TIME), Some(Answer::Response(Value::Null))));
        let log = function.log();
        let looked = log.iter().rev().find(|line| line["message"] == "looked").expect("a line");
        looked["config"].as_str().expect("a digest").to_owned()
    };
    assert_eq!(judged_by(), digest(3));
    cloud.parameter("/trailhound", "[learning]\ndays = 5\n");
    assert_eq!(judged_by(), digest(5));
    cloud.parameter("/trailhound", "[learning\n");
    assert_eq!(judged_by(), digest(5), "a broken one changes nothing");
    assert!(function.log().iter().any(|line| line["config_reload_failed"] == 1), "and is told");
    assert!(function.log().iter().any(|line| line["message"] == "kept the old configuration"));
}

#[test]
fn a_trail_that_stops_is_told_by_the_schedule_alone() {
    let Some(cloud) = cloud("a_trail_that_stops_is_told_by_the_schedule_alone") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    // The newest days there are: the function does not believe in deliveries of long ago or of the future.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed();
    let today = EventTime::of_day(EventTime(now).day());
    let trail = Trail::simulated_from(folder.path(), 14, today.plus(-4 * 86_400));
    for (key, bytes) in &trail.objects {
        cloud.put(key, bytes);
    }
    play(&cloud, &mut Pcg64Mcg::seed_from_u64(3), 0);
    let function = Function::start(&cloud.environment());
    for hours in [80, 81, 82] {
        function.invoke(&schedule(&today.plus(hours * 3_600).to_string()), TIME);
        assert!(matches!(function.answer(TIME), Some(Answer::Response(Value::Null))), "{:?}", function.log());
    }
    let coverage = function.log();
    let coverage = coverage.iter().rev().find(|line| line["accounts"].is_u64() && line["blind"].is_array());
    let coverage = coverage.expect("a line about what is covered");
    assert_eq!((&coverage["accounts"], &coverage["accounts_silent"]), (&json!(1), &json!(1)), "{coverage}");
    let alerts = cloud.alerts();
    let silent: Vec<_> = alerts.iter().filter(|alert| alert.kind == "trail_silent").collect();
    assert_eq!(silent.len(), 1, "one silence, one alert");
    assert_eq!(silent[0].entity.kind, "account");
}

#[test]
fn a_function_asks_for_work_soon_after_its_start() {
    let Some(cloud) = cloud("a_function_asks_for_work_soon_after_its_start") else { return };
    let mut times: Vec<_> = (0..5).map(|_| Function::start(&cloud.environment()).startup()).collect();
    times.sort_unstable();
    println!("process start to first next: median {:?} of {times:?}", times[2]);
    assert!(times[2] < Duration::from_secs(2));
}
