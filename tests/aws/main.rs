//! The real function and the real commands against stand-ins for AWS, over HTTP and with the real SDK.
//!
//! Most tests bring their stand-in along, [`pocket`]: quick, at fault on demand, and offline. That it tells the truth is what
//! the tests of this file are for: they run against moto, which others wrote, with notifications from S3 through SQS and
//! alerts from SNS through SQS. They need Python with `pip install -r tests/aws/requirements.txt`; without it they say that
//! they were left out, and how to run them.

#![expect(clippy::print_stdout, reason = "tells what was left out, and what was measured")]

mod cloud;
mod http;
mod live;
mod pocket;
mod queue;
mod replay;
mod runtime;
mod trail;

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use trailhound::config::Config;
use trailhound::detectors::EventTime;
use trailhound::store::snapshot;

use cloud::Cloud;
use queue::{Message, Play, TIME, play, schedule, settle};
use runtime::{Answer, Function};
use trail::{Trail, pulled};

/// Moto with all that is needed in it; or word that it is missing.
fn cloud(test: &str) -> Option<Cloud> {
    let cloud = Cloud::start();
    match &cloud {
        Some(cloud) => cloud.set_up(),
        None => {
            // Past the harness, which swallows what tests print that pass.
            let word = format!(
                "\nleft out: {test}; to run it: python3 -m venv .venv && .venv/bin/pip install -r \
                 tests/aws/requirements.txt && TRAILHOUND_PYTHON=.venv/bin/python cargo test --test aws\n"
            );
            let _ = std::io::Write::write_all(&mut std::io::stderr(), word.as_bytes());
        }
    }
    cloud
}

/// What S3 told the queue.
fn waiting(cloud: &Cloud) -> Vec<Message> {
    cloud.drain("objects").into_iter().map(|(id, body)| Message::new(id, body)).collect()
}

#[test]
fn what_live_tells_through_moto_is_what_replay_finds() {
    let Some(cloud) = cloud("what_live_tells_through_moto_is_what_replay_finds") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let trail = Trail::small(folder.path(), 11).last(250);
    for (key, bytes) in &trail.objects {
        cloud.put(key, bytes);
    }
    cloud.put("AWSLogs/123456789012/CloudTrail-Digest/us-east-1/x.json.gz", b"not read");
    let dead =
        play(waiting(&cloud), &cloud.environment(), &Play { handlers: 2, receives: 3, ..Play::default() });
    assert_eq!(dead, []);
    cloud.forget_activity();
    settle(&cloud.environment());
    let pulled = pulled(cloud.environment(), folder.path());
    println!("{}", trail.check(cloud.alerts(), pulled));
}

#[test]
fn pushed_facts_are_pulled_as_they_were_and_pushing_again_writes_nothing() {
    let Some(cloud) = cloud("pushed_facts_are_pulled_as_they_were_and_pushing_again_writes_nothing") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let facts = Trail::small(folder.path(), 13).facts;
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
    assert!(pulled(cloud.environment(), folder.path()) == facts);
    assert!(push().contains(" 0 rows written"));
}

#[test]
fn moto_lists_and_hands_out_a_trail_as_the_pocket_does() {
    let Some(cloud) = cloud("moto_lists_and_hands_out_a_trail_as_the_pocket_does") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let trail = Trail::small(folder.path(), 11).last(250);
    let pocket = pocket::Pocket::start();
    for (key, bytes) in &trail.objects {
        cloud.put(key, bytes);
        pocket.put(key, bytes);
    }
    let told = |environment: Vec<(&'static str, String)>| {
        let mut replay = Command::new(env!("CARGO_BIN_EXE_trailhound"));
        replay.args(["replay", "s3://trail/AWSLogs", "--format", "json", "--learning-days", "0"]);
        let output = replay.envs(environment).output().expect("replay runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(told(cloud.environment()), told(pocket.environment()));
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
    let is_look = |line: &Value| line["message"] == "looked";
    let judged_by = || {
        let before = function.log().iter().filter(|line| is_look(line)).count();
        std::thread::sleep(Duration::from_millis(1_100));
        function.invoke(&schedule("2026-03-01T10:00:00Z"), TIME);
        assert!(matches!(function.answer(TIME), Some(Answer::Response(Value::Null))));
        let log = function.logged(before, is_look);
        let looked = log.iter().rev().find(|line| is_look(line)).expect("a line");
        looked["config"].as_str().expect("a digest").to_owned()
    };
    assert_eq!(judged_by(), digest(3));
    cloud.parameter("/trailhound", "[learning]\ndays = 5\n");
    assert_eq!(judged_by(), digest(5));
    cloud.parameter("/trailhound", "[learning\n");
    assert_eq!(judged_by(), digest(5), "a broken one changes nothing");
    function.logged(0, |line| line["config_reload_failed"] == 1);
    function.logged(0, |line| line["message"] == "kept the old configuration");
}

#[test]
fn a_trail_that_stops_is_told_by_the_schedule_alone() {
    let Some(cloud) = cloud("a_trail_that_stops_is_told_by_the_schedule_alone") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    // The newest days there are: the function does not believe in deliveries of long ago or of the future.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed();
    let today = EventTime::of_day(EventTime(now).day());
    let trail = Trail::small_from(folder.path(), 14, today.plus(-4 * 86_400));
    for (key, bytes) in &trail.objects {
        cloud.put(key, bytes);
    }
    assert_eq!(play(waiting(&cloud), &cloud.environment(), &Play { receives: 3, ..Play::default() }), []);
    let function = Function::start(&cloud.environment());
    for hours in [80, 81, 82] {
        function.invoke(&schedule(&today.plus(hours * 3_600).to_string()), TIME);
        assert!(matches!(function.answer(TIME), Some(Answer::Response(Value::Null))), "{:?}", function.log());
    }
    let is_coverage = |line: &Value| line["accounts"].is_u64() && line["blind"].is_array();
    let coverage = function.logged(2, is_coverage);
    let coverage = coverage.iter().rev().find(|line| is_coverage(line));
    let coverage = coverage.expect("a line about what is covered");
    assert_eq!((&coverage["accounts"], &coverage["accounts_silent"]), (&json!(1), &json!(1)), "{coverage}");
    let alerts = cloud.alerts();
    let silent: Vec<_> = alerts.iter().filter(|alert| alert.kind == "trail_silent").collect();
    assert_eq!(silent.len(), 1, "one silence, one alert");
    assert_eq!(silent[0].entity.kind, "account");
}
