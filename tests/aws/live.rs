//! The real function against the stand-in in this process: everything that can go wrong does.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::bounded;
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::json;
use trailhound::detectors::EventTime;
use trailhound::simulate::Options;

use crate::pocket::faults::Faults;
use crate::pocket::{Pocket, Step, Trap, TrapMoment};
use crate::queue::{Message, Play, TIME, handed_back, play, queue_event, schedule, settle};
use crate::runtime::{Answer, Function};
use crate::trail::{Trail, pulled};

/// A stand-in with a trail in it, and word of each object; of some twice.
fn delivered(trail: &Trail) -> (Pocket, Vec<Message>) {
    let pocket = Pocket::start();
    let mut messages = Vec::new();
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    for (n, (key, bytes)) in trail.objects.iter().enumerate() {
        pocket.put(key, bytes);
        messages.push(Message::of_object(format!("m-{n}"), key, bytes.len() as u64));
        if rng.random_range(0..8) == 0 {
            messages.push(Message::of_object(format!("again-{n}"), key, bytes.len() as u64));
        }
    }
    (pocket, messages)
}

fn check(trail: Trail, pocket: &Pocket) -> String {
    pocket.forget_activity();
    settle(&pocket.environment());
    let folder = tempfile::tempdir().expect("a folder");
    let pulled = pulled(pocket.environment_of("tests"), folder.path());
    trail.check(pocket.alerts(), pulled)
}

#[test]
fn one_four_and_sixteen_handlers_tell_what_replay_finds() {
    let folder = tempfile::tempdir().expect("a folder");
    let trails: Vec<_> =
        [Some(Trail::small(folder.path(), 21)), Trail::at_hand()].into_iter().flatten().collect();
    for trail in trails {
        let Trail { objects, ids, facts } = trail;
        for handlers in [1, 4, 16] {
            let trail = Trail { objects: objects.clone(), ids: ids.clone(), facts: facts.clone() };
            let (pocket, messages) = delivered(&trail);
            let dead = play(
                messages,
                &pocket.environment(),
                &Play { handlers, seed: 5, receives: 5, ..Play::default() },
            );
            assert_eq!(dead, []);
            println!("{handlers} handlers: {}", check(trail, &pocket));
        }
    }
}

#[test]
fn killed_at_each_step_it_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    // Enough for alerts, and soon done.
    let trail = Trail::small(folder.path(), 22).last(150);
    let Trail { objects, ids, facts } = trail;
    let mut closed_traps = 0;
    for (step, later) in
        [(Step::Fetch, 40), (Step::Read, 2), (Step::Save, 60), (Step::Publish, 0), (Step::Record, 2)]
    {
        for moment in [TrapMoment::Arrived, TrapMoment::Done] {
            for after in BTreeSet::from([0, later]) {
                let trail = Trail { objects: objects.clone(), ids: ids.clone(), facts: facts.clone() };
                let (pocket, messages) = delivered(&trail);
                let (closed, is_closed) = bounded(1);
                pocket.trap(Trap { step, after, moment, closed });
                let function = Function::start(&pocket.environment());
                // What a backlog shows is told when it is settled. The trap closes somewhere, or the step never came so often.
                for event in [queue_event(&messages), schedule("2026-03-20T00:00:00Z")] {
                    function.invoke(&event, TIME);
                    crossbeam_channel::select! {
                        recv(is_closed) -> _ => {
                            closed_traps += 1;
                            break;
                        }
                        recv(function.answers()) -> _ => pocket.forget_activity(),
                    }
                }
                function.kill();
                pocket.untrap();
                let told_before = pocket.alerts().len();
                let dead = play(messages, &pocket.environment(), &Play { receives: 2, ..Play::default() });
                assert_eq!(dead, []);
                println!(
                    "{step:?} {moment:?} after {after}, told before {told_before}: {}",
                    check(trail, &pocket)
                );
            }
        }
    }
    assert!(closed_traps >= 16, "the traps must be where the function goes: {closed_traps}");
}

/// Refused, throttled, cut off, dripping, lost, stalled, out of time and killed.
fn under_faults(trail: Trail, how: &Play, one_in: u32, stalls: u32) {
    let (pocket, messages) = delivered(&trail);
    pocket.faults(Faults::one_in(one_in, stalls, 9));
    let (count, started) = (messages.len(), Instant::now());
    let dead = play(messages, &pocket.environment(), how);
    assert_eq!(dead, []);
    let (calls, faults) = (pocket.take_calls(), pocket.faults_met());
    println!("{count} messages, {} handlers, {} deaths, {:?}", how.handlers, how.deaths, started.elapsed());
    println!("calls {calls:?}\nfaults {faults:?}\n{}", check(trail, &pocket));
}

#[test]
fn killed_and_refused_it_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let how = Play { handlers: 2, seed: 7, deaths: 6, hurried_one_in: 12, ..Play::default() };
    under_faults(Trail::small(folder.path(), 23), &how, 15, 1);
}

#[test]
#[ignore = "takes minutes: scripts/try-aws --long"]
fn ten_thousand_objects_under_faults_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { days: 20, accounts: 4, events_per_day: 2_000, seed: 24, ..Options::default() };
    let trail = Trail::simulated(folder.path(), options).last(10_000);
    assert_eq!(trail.objects.len(), 10_000);
    let how = Play { handlers: 4, seed: 8, deaths: 40, hurried_one_in: 25, ..Play::default() };
    under_faults(trail, &how, 25, 12);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory is writable")
}

#[test]
fn hostile_objects_cost_only_themselves() {
    let folder = tempfile::tempdir().expect("a folder");
    let trail = Trail::small(folder.path(), 25);
    let (pocket, mut messages) = delivered(&trail);
    let day = "AWSLogs/123456789012/CloudTrail/us-east-1/2026/03/01";
    // More than the function has room for.
    let bomb = gzip(&vec![b' '; 160 << 20]);
    // What must come again, and end apart.
    let bad = [
        ("bomb", bomb.clone(), bomb.len() as u64),
        ("bomb-that-looks-small", bomb, 5),
        ("picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), 16),
        ("page", b"<html>not found</html>".to_vec(), 22),
        ("half-gzip", gzip(b"{\"Records\":[")[..18].to_vec(), 18),
        ("claims-to-be-huge", gzip(b"{\"Records\":[]}"), u64::MAX / 4),
        ("missing", Vec::new(), 100),
    ];
    // What is nobody's business, and is acknowledged.
    let foreign = [
        "AWSLogs/123456789012/Config/x.json.gz".to_owned(),
        "AWSLogs/123456789012/CloudTrail-Digest/us-east-1/x.json.gz".to_owned(),
        "../../etc/passwd".to_owned(),
        "/etc/passwd.json".to_owned(),
        format!("AWSLogs/../../123456789012/{}/x.json", "y/".repeat(600)),
        "\u{1b}[31m\u{0}.json".to_owned(),
    ];
    let mut expected = BTreeSet::new();
    for (name, bytes, size) in bad {
        let key = format!("{day}/{name}.json.gz");
        if name != "missing" {
            pocket.put(&key, &bytes);
        }
        expected.insert(name.to_owned());
        messages.push(Message::of_object(name, &key, size));
    }
    for (n, key) in foreign.iter().enumerate() {
        pocket.put(key, b"not to be read");
        messages.push(Message::of_object(format!("foreign-{n}"), key, 14));
    }
    // A key that climbs, within the layout: it is a name like any other, and there is no such object.
    let climbing = format!("{day}/../../../../../../etc/passwd.json");
    expected.insert("climbing".to_owned());
    messages.push(Message::of_object("climbing", &climbing, 10));
    for (id, body) in [
        ("no-json", "{"),
        ("no-notice", "{}"),
        (
            "key-of-no-text",
            "{\"Records\":[{\"s3\":{\"bucket\":{\"name\":\"trail\"},\"object\":{\"key\":\"%FF\"}}}]}",
        ),
    ] {
        expected.insert(id.to_owned());
        messages.push(Message::new(id, body));
    }
    let other_bucket = json!({ "s3Bucket": "other", "s3ObjectKey": [format!("{day}/x.json.gz")] });
    messages.push(Message::new("other-bucket", other_bucket.to_string()));
    let how = Play { handlers: 2, seed: 4, receives: 2, ..Play::default() };
    let dead: BTreeSet<String> =
        play(messages, &pocket.environment(), &how).into_iter().map(|m| m.id).collect();
    assert_eq!(dead, expected);
    let fetched = pocket.take_fetched();
    for key in &foreign {
        assert!(!fetched.contains(key), "{key}");
    }
    println!("{}", check(trail, &pocket));
}

/// An object of one user's calls, all of the same two actions in the same minute, delivered so many minutes later.
fn routine(minute: EventTime, later: i64) -> (String, Vec<u8>) {
    let records: Vec<_> = (0..50)
        .map(|n| {
            json!({
                "eventVersion": "1.08", "eventTime": minute.plus(n).to_string(), "eventSource": "ec2.amazonaws.com",
                "eventName": if n % 2 == 0 { "DescribeInstances" } else { "DescribeVpcs" },
                "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "userAgent": "aws-cli", "readOnly": true,
                "userIdentity": {
                    "type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/ann", "accountId": "123456789012",
                    "userName": "ann", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "principalId": "AIDAEXAMPLE"
                },
                "eventID": format!("e-{later}-{n}"), "recipientAccountId": "123456789012", "eventType": "AwsApiCall"
            })
        })
        .collect();
    let delivered = minute.plus(60 * later).to_string().replace(['-', ':'], "");
    let key = format!(
        "AWSLogs/123456789012/CloudTrail/us-east-1/2026/03/02/123456789012_CloudTrail_us-east-1_{}Z_a.json.gz",
        &delivered[..13]
    );
    (key, gzip(json!({ "Records": records }).to_string().as_bytes()))
}

#[test]
fn a_warm_function_asks_the_table_nothing_about_known_calls_of_known_actors() {
    let pocket = Pocket::start();
    let function = Function::start(&pocket.environment());
    let mut calls = Vec::new();
    // Of now: what is old belongs to a backlog, and that is written down.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed();
    let minute = EventTime::of_minute(EventTime(now).minute() - 15);
    for later in 3..6 {
        let (key, bytes) = routine(minute, later);
        pocket.put(&key, &bytes);
        let message = Message::of_object(format!("m-{later}"), &key, bytes.len() as u64);
        function.invoke(&queue_event(&[message]), TIME);
        match function.answer(TIME) {
            Some(Answer::Response(answer)) => assert_eq!(handed_back(&answer), BTreeSet::new()),
            other => panic!("{other:?}"),
        }
        calls.push(pocket.take_calls());
    }
    println!("{calls:?}");
    assert!(
        calls[0].get(&Step::Save).is_some_and(|saves| *saves > 0),
        "the first teaches something: {calls:?}"
    );
    assert_eq!(calls[2].keys().collect::<Vec<_>>(), [&Step::Fetch], "{calls:?}");
}

#[test]
fn a_function_asks_for_work_soon_after_its_start() {
    let pocket = Pocket::start();
    let mut times: Vec<Duration> =
        (0..15).map(|_| Function::start(&pocket.environment()).startup()).collect();
    times.sort_unstable();
    println!("process start to first next: median {:?} of {times:?}", times[7]);
    // For the debug build of a busy machine; `scripts/try-aws --long` prints the figure of docs/operating.md.
    assert!(times[7] < Duration::from_secs(2));
}
