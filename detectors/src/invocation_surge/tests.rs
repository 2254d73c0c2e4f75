//! What the detector finds, and what it leaves alone.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::families::Subject;
use super::{Config, Family, InvocationSurge, Remembered};
use crate::action::stable_hash;
use crate::actor::Identity;
use crate::detector::Detector;
use crate::environment::Learning;
use crate::event::Session;
use crate::finding::{Finding, Severity};
use crate::ledger::{KeyRef, Ledger};
use crate::testing::{self, ACCOUNT, Call, teach};
use crate::time::{DAY, EventTime, HOUR, MINUTE};

const ORDERS: &str = "arn:aws:lambda:eu-west-1:111122223333:function:orders";
const ORDERS_RESOURCE: &str = r#"[{"accountId":"111122223333","type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:eu-west-1:111122223333:function:orders"}]"#;
const ORDERS_ROLE: &str = "arn:aws:sts::111122223333:assumed-role/orders-role/orders";

fn detector(config: &str) -> InvocationSurge {
    InvocationSurge::new(toml::from_str(config).unwrap()).unwrap()
}

/// 2026-03-02T00:00:00Z, a Monday.
const MONDAY: EventTime = EventTime(1_772_409_600);

fn call(service: &'static str, name: &'static str) -> Call<'static> {
    Call::new(service, name, MONDAY)
}

fn via_cloudformation() -> Session<'static> {
    Session { invoked_by: "cloudformation.amazonaws.com", ..Session::default() }
}

fn service(principal: &str) -> Identity<'_> {
    Identity { kind: "AWSService", invoked_by: principal, ..Identity::default() }
}

fn facts<'a>(calls: impl IntoIterator<Item = Call<'a>>) -> Ledger<Remembered> {
    let calls: Vec<Call<'a>> = calls.into_iter().collect();
    teach::<InvocationSurge>(&calls)
}

fn judge(detector: &InvocationSurge, ledger: &Ledger<Remembered>, learning_days: u32) -> Vec<Finding> {
    testing::find(detector, ledger, Learning { days: learning_days, ..Learning::default() })
}

fn find<'a>(calls: impl IntoIterator<Item = Call<'a>>, learning_days: u32) -> Vec<Finding> {
    judge(&detector(""), &facts(calls), learning_days)
}

fn kinds(found: &[Finding]) -> Vec<(&'static str, String)> {
    found.iter().map(|f| (f.kind, f.window.start.to_string())).collect()
}

/// `count` copies of a call, evenly over some seconds.
fn burst<'a>(call: &Call<'a>, start: EventTime, count: u64, seconds: i64) -> Vec<Call<'a>> {
    (0..count)
        .map(|nth| {
            let id = format!("{:016x}", stable_hash(format!("{start} {nth} {call:?}").as_bytes()));
            Call { time: start.plus(nth as i64 * seconds / count as i64), id, ..call.clone() }
        })
        .collect()
}

/// A burst of a call at ten on each of some days from Monday on.
fn daily<'a>(call: &Call<'a>, days: i64, count: u64) -> Vec<Call<'a>> {
    (0..days).flat_map(|day| burst(call, MONDAY.plus(day * DAY + 10 * HOUR), count, 250)).collect()
}

fn invoke() -> Call<'static> {
    Call {
        identity: service("apigateway.amazonaws.com"),
        resources: ORDERS_RESOURCE,
        ..call("lambda", "Invoke")
    }
}

#[test]
fn a_function_called_far_more_than_on_its_busiest_days() {
    let mut calls = daily(&invoke(), 30, 200);
    let ten = MONDAY.plus(30 * DAY + 10 * HOUR);
    calls.extend(burst(&invoke(), ten, 799, 200));
    assert_eq!(find(calls.clone(), 14), [], "just below four times the second busiest day");
    calls.push(Call { time: ten.plus(299), id: "one more".to_owned(), ..invoke() });
    let found = find(calls, 14);
    assert_eq!(kinds(&found), [("function_surge", "2026-04-01T10:00:00Z".to_owned())]);
    let finding = &found[0];
    assert_eq!(finding.title, "orders: 800 invocations in 5 minutes, 4 times the usual");
    assert_eq!((&*finding.entity.id, finding.entity.kind), (ORDERS, "function"));
    assert_eq!((finding.severity, finding.region.as_deref()), (Severity::Medium, Some("eu-west-1")));
    let measure = finding.measure.as_ref().unwrap();
    assert_eq!((measure.observed, measure.expected, measure.threshold), (800.0, Some(200.0), 800.0));
    assert_eq!(
        finding.reasons[0].text,
        "800, busiest in 30 days of this function; before: 200; a surge from 800 on"
    );
    assert_eq!(finding.actors[0].id, "apigateway.amazonaws.com");
    assert_eq!(finding.actor.as_ref().unwrap().kind, "AWSService");
    assert_eq!((finding.evidence.len(), finding.evidence_total), (5, 800));
}

#[test]
fn at_an_hour_when_it_is_usually_idle_a_record_is_enough() {
    let at = |hour: i64, count: u64| {
        let mut calls = daily(&invoke(), 30, 400);
        calls.extend(burst(&invoke(), MONDAY.plus(30 * DAY + hour * HOUR), count, 200));
        find(calls, 14)
    };
    assert_eq!(at(10, 700), []);
    assert_eq!(at(3, 599), [], "less than half as much again as on usual days");
    let found = at(3, 600);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].reasons.iter().any(|r| r.text == "usually none about 03:00 UTC"),
        "{:?}",
        found[0].reasons
    );
}

#[test]
fn a_young_function_is_compared_with_those_whose_names_begin_alike() {
    let worker = |name: &str| format!("arn:aws:lambda:eu-west-1:111122223333:function:{name}");
    let [old, new, other] = ["shop-cart", "shop-till", "till"].map(|name| {
        let arn = worker(name);
        let resources = format!(r#"[{{"ARN":"{arn}","type":"AWS::Lambda::Function"}}]"#);
        Call { resources: resources.leak(), ..call("lambda", "Invoke") }
    });
    let birth = MONDAY.plus(30 * DAY + 10 * HOUR);
    let with = |young: &Call<'static>| {
        let mut calls = daily(&old, 30, 1_000);
        calls.extend(burst(young, birth, 3_000, 200));
        find(calls, 14).len()
    };
    assert_eq!((with(&new), with(&other)), (0, 1), "four times what its kin is used to would be a surge");
}

#[test]
fn a_young_key_without_kin_is_measured_by_the_middle_of_its_account() {
    let bucket = |name: &'static str| Call {
        identity: service("apigateway.amazonaws.com"),
        request: name,
        ..call("s3", "PutObject")
    };
    let birth = MONDAY.plus(30 * DAY + 10 * HOUR);
    let with = |others: &[&'static str]| {
        let mut calls: Vec<_> = others.iter().flat_map(|name| daily(&bucket(name), 30, 1_000)).collect();
        calls.extend(burst(&bucket(r#"{"bucketName":"new"}"#), birth, 6_000, 250));
        find(calls, 14).len()
    };
    let buckets = [r#"{"bucketName":"a"}"#, r#"{"bucketName":"b"}"#, r#"{"bucketName":"c"}"#];
    assert_eq!((with(&buckets[..1]), with(&buckets)), (1, 0), "one other says nothing, three do");
}

#[test]
fn what_is_counted_and_what_is_not() {
    let counted = |call: Call<'static>, key: KeyRef<'_>| {
        let ledger = facts(burst(&call, MONDAY, 7, 60));
        ledger.get(key).map_or(0, |facts| facts.calls.days().busiest.into_values().max().unwrap_or(0))
    };
    let target =
        |family: Family, entity| KeyRef { class: family.class(Subject::Target), account: ACCOUNT, entity };
    let orders = target(Family::Function, ORDERS);
    let asynchronous = |request| Call { resources: "null", request, ..invoke() };
    for (call, times) in [
        (invoke(), 7),
        (asynchronous(r#"{"functionName":"orders"}"#), 7),
        (asynchronous(r#"{"functionName":"111122223333:function:orders:live"}"#), 7),
        (asynchronous(r#"{"functionName":"arn:aws:lambda:eu-west-1:111122223333:function:orders:7"}"#), 7),
        (Call { error_code: "TooManyRequestsException", ..invoke() }, 7),
        (Call { error_code: "AccessDenied", ..invoke() }, 0),
        (Call { error_code: "ResourceNotFoundException", ..invoke() }, 0),
        (Call { late: true, ..invoke() }, 0),
        (Call { service: "lambda", name: "InvokeExecution", ..invoke() }, 0),
        (Call { service: "lambda", name: "Invoke20150331", ..invoke() }, 7),
    ] {
        assert_eq!(counted(call.clone(), orders), times, "{call:?}");
    }
    let throttled = KeyRef { class: Family::Function.class(Subject::Throttled), ..orders };
    assert_eq!(counted(Call { error_code: "TooManyRequestsException", ..invoke() }, throttled), 7);
    let attempts = target(Family::Attempts, ORDERS);
    assert_eq!(counted(Call { service: "lambda", name: "InvokeExecution", ..invoke() }, attempts), 7);
    let writes = target(Family::Api, "eu-west-1/iam:CreateUser");
    let create = Call { ..call("iam", "CreateUser") };
    assert_eq!(counted(create.clone(), writes), 7);
    assert_eq!(counted(Call { read_only: Some(true), ..create.clone() }, writes), 0);
    assert_eq!(counted(Call { session: via_cloudformation(), ..create.clone() }, writes), 0);
    assert_eq!(counted(Call { identity: service("ecs.amazonaws.com"), ..create }, writes), 0);
    let machines = target(Family::Compute, "ec2:RunInstances");
    for (request, response, times) in [
        (
            r#"{"instanceType":"m7i.large","instancesSet":{"items":[{"minCount":1,"maxCount":4}]}}"#,
            "null",
            56,
        ),
        (
            r#"{"instanceType":"c7a.48xlarge","instancesSet":{"items":[{"maxCount":9}]}}"#,
            r#"{"instancesSet":{"items":[{}]}}"#,
            7 * 192,
        ),
        (r#"{"instanceType":"t3.xlarge","maxCount":3}"#, "null", 84),
        ("null", "null", 14),
        (r#"{"instanceType":"x.99999999999999999999xlarge","maxCount":-3}"#, "null", 14),
    ] {
        let run = Call { request, response, ..call("ec2", "RunInstances") };
        let counted = counted(run, machines);
        // Beyond 512 it is an estimate.
        assert!(counted.abs_diff(times) * 20 <= times, "{counted}: {request} {response}");
    }
}

fn secret_reads(different: u64, reads: u64) -> Vec<(EventTime, u64, String)> {
    (0..reads)
        .map(|nth| {
            let secret = nth % different;
            let id = format!(
                r#"{{"secretId":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/{secret}-AbCdEf"}}"#
            );
            (MONDAY.plus(20 * DAY + nth as i64 / 10), nth, id)
        })
        .collect()
}

fn read<'a>((time, nth, request): &'a (EventTime, u64, String)) -> Call<'a> {
    Call { time: *time, id: nth.to_string(), request, ..call("secretsmanager", "GetSecretValue") }
}

#[test]
fn different_secrets_matter_and_not_how_often_one_is_read() {
    let before = || [call("iam", "CreateUser")];
    for (different, reads, expected) in [(14, 20, 0), (15, 15, 1), (20, 20, 1), (1, 200, 0)] {
        let reads = secret_reads(different, reads);
        let found = find(before().into_iter().chain(reads.iter().map(read)), 14);
        assert_eq!(found.len(), expected, "{different}: {:?}", kinds(&found));
    }
    let reads = secret_reads(20, 20);
    let found = find(before().into_iter().chain(reads.iter().map(read)), 14);
    assert_eq!((found[0].kind, found[0].severity), ("secrets_read_out", Severity::High));
    assert_eq!(found[0].actor.as_ref().unwrap().id, "arn:aws:iam::111122223333:user/kim");
    assert!(
        found[0]
            .reasons
            .iter()
            .any(|r| r.code == "names" && r.text.starts_with("20 different, among them app/"))
    );
    // Read on behalf of somebody by a service that always does: nothing to compare with, so nothing to say.
    let by_service = reads.iter().map(|r| Call { session: via_cloudformation(), ..read(r) });
    assert_eq!(find(by_service, 0), []);
}

#[test]
fn a_functions_role_reads_out_a_table() {
    let resources = r#"[{"accountId":"111122223333","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:eu-west-1:111122223333:table/orders"}]"#;
    let get = Call { identity: testing::role(ORDERS_ROLE), resources, ..call("dynamodb", "GetItem") };
    let mut calls = daily(&get, 20, 120);
    let scan = Call { service: "dynamodb", name: "Scan", source_ip: "203.0.113.66", ..get };
    calls.extend(burst(&scan, MONDAY.plus(20 * DAY), 400, 120));
    let found = find(calls.clone(), 14);
    assert_eq!(found.len(), 1, "the table tells what its one reader tells already: {:?}", kinds(&found));
    let by_actor = &found[0];
    assert_eq!(by_actor.entity.kind, "actor");
    assert_eq!(by_actor.entity.id, "arn:aws:iam::111122223333:role/orders-role");
    assert_eq!(by_actor.kind, "scans_read_out");
    let drivers = "100 % on arn:aws:dynamodb:eu-west-1:111122223333:table/orders, 100 % from 203.0.113.66";
    assert_eq!(by_actor.reasons[1].text, drivers);
    assert_eq!(by_actor.actor.as_ref().unwrap().session.as_deref(), Some("orders"));
    let other = Call { identity: testing::role("arn:aws:sts::111122223333:assumed-role/batch/i-0a"), ..scan };
    calls.extend(burst(&other, MONDAY.plus(20 * DAY), 25, 120));
    calls.extend(burst(&Call { region: "eu-west-2", ..other }, MONDAY.plus(20 * DAY), 300, 120));
    let found = find(calls, 14);
    assert_eq!(found.iter().filter(|f| f.entity.kind == "table").count(), 1, "{:?}", kinds(&found));
}

#[test]
fn a_burst_over_the_hour_and_the_day_after_are_one_and_a_larger_one_is_told() {
    let mut calls = daily(&invoke(), 20, 100);
    let night = MONDAY.plus(20 * DAY + 3 * HOUR);
    calls.extend(burst(&invoke(), night.plus(57 * MINUTE), 4_000, 600));
    calls.extend(burst(&invoke(), night.plus(6 * HOUR), 2_500, 200));
    assert_eq!(kinds(&find(calls.clone(), 14)), [("function_surge", "2026-03-22T03:57:00Z".to_owned())]);
    calls.extend(burst(&invoke(), night.plus(8 * HOUR), 12_000, 200));
    let found = find(calls, 14);
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].continues.as_deref(), Some(&*found[0].id()));
}

#[test]
fn what_was_done_twice_in_a_month_does_not_hide_the_next_time_and_three_times_do() {
    let mut calls = daily(&invoke(), 50, 100);
    let flood = |day| burst(&invoke(), MONDAY.plus(day * DAY + 12 * HOUR), 2_000, 250);
    for (day, told) in [(20, 1), (30, 2), (40, 3), (45, 3)] {
        calls.extend(flood(day));
        assert_eq!(find(calls.clone(), 14).len(), told, "after day {day}");
    }
}

#[test]
fn a_new_level_is_told_once_and_learnt() {
    let mut calls = daily(&invoke(), 20, 100);
    for hour in 0..20 * 24 {
        calls.extend(burst(&invoke(), MONDAY.plus(20 * DAY + hour * HOUR), 500, 200));
    }
    assert_eq!(find(calls, 14).len(), 1);
}

#[test]
fn while_learning_everyday_volume_is_no_surge_and_a_read_out_still_is() {
    let busy = burst(&invoke(), MONDAY.plus(10 * HOUR), 5_000, 200);
    assert_eq!(find(busy.clone(), 14), [], "the first day of an account");
    assert_eq!(find(busy, 0).len(), 1, "judged without learning");
    let reads = secret_reads(60, 60);
    let found = find(reads.iter().map(read), 14);
    assert_eq!((found.len(), found[0].severity), (1, Severity::Medium));
    let model = Call { request: r#"{"modelId":"anthropic.claude"}"#, ..call("bedrock", "InvokeModel") };
    assert_eq!(find(burst(&model, MONDAY, 200, 200), 14).len(), 1, "each call is dear");
    let few = secret_reads(20, 20);
    assert_eq!(find(few.iter().map(read), 14), []);
    assert_eq!(find(few.iter().map(read), 0).len(), 1);
}

#[test]
fn a_young_key_is_compared_with_the_same_in_other_accounts() {
    let other = Call {
        identity: testing::role("arn:aws:sts::444455556666:assumed-role/backup/x"),
        account: "444455556666",

        request: r#"{"bucketName":"b"}"#,
        ..call("s3", "GetObject")
    };
    let own = Call {
        identity: testing::role("arn:aws:sts::111122223333:assumed-role/backup/x"),
        account: ACCOUNT,
        ..other.clone()
    };
    let long_ago = Call { ..call("iam", "CreateUser") };
    let burst = burst(&own, MONDAY.plus(20 * DAY), 3_000, 200);
    let by_actor = |calls: Vec<Call<'static>>| {
        find(calls, 60).into_iter().filter(|f| f.entity.kind == "actor").collect::<Vec<_>>()
    };
    let mut alone = vec![long_ago];
    alone.extend(burst);
    assert_eq!(by_actor(alone.clone()).len(), 1, "{:?}", kinds(&by_actor(alone)));
    let mut both = daily(&other, 20, 3_000);
    both.extend(alone);
    assert_eq!(by_actor(both), []);
}

#[test]
fn a_function_that_calls_itself_and_one_fed_by_what_it_writes() {
    let own = Call { identity: testing::role(ORDERS_ROLE), ..invoke() };
    let found = find(burst(&own, MONDAY, 1_000, 200), 0);
    assert!(found[0].reasons.iter().any(|r| r.code == "recursion"), "{:?}", found[0].reasons);
    assert_eq!(found[0].severity, Severity::High);
    let fed = Call {
        identity: service("s3.amazonaws.com"),
        request: r#"{"functionName":"orders","sourceArn":"arn:aws:s3:::in"}"#,
        ..invoke()
    };
    let put = Call {
        identity: testing::role(ORDERS_ROLE),
        request: r#"{"bucketName":"in"}"#,
        ..call("s3", "PutObject")
    };
    let mut calls = burst(&fed, MONDAY, 600, 200);
    let reasons = |calls: Vec<Call<'static>>| find(calls, 0)[0].reasons.clone();
    assert!(!reasons(calls.clone()).iter().any(|r| r.code == "recursion"));
    calls.extend(burst(&put, MONDAY, 600, 200));
    assert!(
        reasons(calls)
            .iter()
            .any(|r| r.code == "recursion" && r.text.contains("triggered by arn:aws:s3:::in"))
    );
}

#[test]
fn retries_of_asynchronous_calls_are_a_storm_only_when_they_fail() {
    let attempt = Call {
        service: "lambda",
        name: "InvokeExecution",
        identity: service("lambda.amazonaws.com"),
        ..invoke()
    };
    let ids: Vec<String> = (0..60).map(|n| format!("request-{n}")).collect();
    let attempts = |times: u64| -> Vec<Call<'_>> {
        (0..60 * times)
            .map(|n| Call {
                id: n.to_string(),
                time: MONDAY.plus((n / 60) as i64 * MINUTE + 3),
                request_id: &ids[(n % 60) as usize],
                ..attempt.clone()
            })
            .collect()
    };
    assert_eq!(find(attempts(1), 0), []);
    let found = find(attempts(3), 0);
    assert_eq!(found[0].title, "orders: 180 attempts in 5 minutes for 60 requests");
    assert_eq!((found.len(), found[0].kind), (1, "retry_storm"));
}

#[test]
fn slow_growth_is_told_when_three_days_were_far_above_two_weeks() {
    let at = |day: i64, per_hour: u64| -> Vec<Call<'static>> {
        (0..24)
            .flat_map(|hour| burst(&invoke(), MONDAY.plus(day * DAY + hour * HOUR), per_hour, 3_600))
            .collect()
    };
    let mut calls: Vec<Call<'static>> = (0..20).flat_map(|day| at(day, 60)).collect();
    calls.extend((20..22).flat_map(|day| at(day, 300)));
    assert_eq!(find(calls.clone(), 14), []);
    calls.extend((22..26).flat_map(|day| at(day, 300)));
    let found = find(calls, 14);
    assert_eq!(kinds(&found), [("function_growth", "2026-03-25T03:00:00Z".to_owned())]);
    assert_eq!(found[0].evidence.len(), 3);
}

#[test]
fn throttling_is_told_apart_and_with_the_surge() {
    let mut calls = burst(&Call { error_code: "TooManyRequestsException", ..invoke() }, MONDAY, 150, 60);
    calls.extend(burst(&invoke(), MONDAY, 400, 60));
    let found = find(calls, 0);
    assert_eq!(found.len(), 2, "{:?}", kinds(&found));
    let surge = found.iter().find(|f| f.kind == "function_surge").unwrap();
    assert!(surge.reasons.iter().any(|r| r.text == "150 calls were throttled in 5 minutes"));
}

#[test]
fn the_cost_is_an_estimate_from_the_price_table() {
    let invoke = Call {
        request: r#"{"modelId":"anthropic.claude-3-opus-20240229-v1:0"}"#,
        ..call("bedrock", "InvokeModel")
    };
    let ledger = facts(burst(&invoke, MONDAY, 100, 60));
    let dollars = |config: &str| {
        let found = judge(&detector(config), &ledger, 0);
        let cost = found[0].reasons.iter().find(|r| r.code == "cost_estimate").map(|r| r.text.clone());
        (cost.unwrap_or_default(), found[0].severity)
    };
    assert_eq!(dollars("").0, "about $12.00 an hour at this rate: an estimate from the configured prices");
    let (text, severity) = dollars("prices = { \"anthropic.claude-3-opus\" = 0.1 }");
    assert!(text.starts_with("about $120.00 an hour"), "{text}");
    assert!(severity > dollars("").1, "dear surges are graver");
    assert_eq!(dollars("prices = {}").0, "");
}

#[test]
fn defaults_are_valid_and_fields_unknown_are_refused() {
    assert!(InvocationSurge::new(Config::default()).is_ok());
    assert!(toml::from_str::<Config>("threshold = 3").is_err());
}

proptest! {
    /// Windows, days and findings against counting every call of every window on one's fingers.
    #[test]
    fn equals_the_slow_way(
        calls in prop::collection::vec((0i64..12, 0i64..900), 1..300),
        order in any::<u64>(),
        copies in 0usize..50,
    ) {
        let ids: Vec<(EventTime, String)> =
            calls.iter().map(|(quarter, second)| (MONDAY.plus(quarter * 6 * HOUR + second - 450), format!("{quarter} {second}"))).collect();
        let made = |(time, id): &(EventTime, String)| Call { time: *time, id: id.clone(), ..invoke() };
        let mut shown: Vec<Call<'_>> = ids.iter().chain(ids.iter().take(copies)).map(made).collect();
        shown.sort_by_key(|call| stable_hash(format!("{order} {}", call.id).as_bytes()));
        let ledger = facts(shown);
        let key = KeyRef { class: Family::Function.class(Subject::Target), account: ACCOUNT, entity: ORDERS };
        let remembered = ledger.get(key).unwrap();

        let distinct: BTreeMap<&String, i64> = ids.iter().map(|(time, id)| (id, time.minute())).collect();
        let in_window = |start: i64| distinct.values().filter(|m| (start..start + 5).contains(*m)).count() as u64;
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        let mut totals: BTreeMap<i64, u64> = BTreeMap::new();
        for start in distinct.values() {
            let day = EventTime::of_minute(*start).day();
            let busiest = days.entry(day).or_default();
            *busiest = (*busiest).max(in_window(*start));
            *totals.entry(day).or_default() += 1;
        }
        prop_assert_eq!(remembered.calls.days().busiest, days);
        for (day, total) in totals {
            let counted = remembered.days()[&day].counted.count();
            let is_right = if total < 32 { counted == total } else { counted >= 32 };
            prop_assert!(is_right, "{} counted as {}", total, counted);
        }
    }
}
