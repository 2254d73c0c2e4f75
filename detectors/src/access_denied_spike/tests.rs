//! Scenes: what happened, and what is told of it.

use super::{AccessDeniedSpike, Config};
use crate::Detector as _;
use crate::environment::Learning;
use crate::finding::Finding;
use crate::testing::{Call, find, role, teach, user};
use crate::time::EventTime;

/// 2026-03-02T10:00:00Z, a Monday.
const TEN: EventTime = EventTime(1_772_445_600);
const NO_LEARNING: Learning = Learning { days: 0, forget_after_days: 90, lateness_minutes: 180 };

fn detector() -> AccessDeniedSpike {
    AccessDeniedSpike::new(Config::default()).unwrap()
}

fn found_in(calls: &[Call<'_>]) -> Vec<Finding> {
    find(&detector(), &teach::<AccessDeniedSpike>(calls), NO_LEARNING)
}

/// `kind severity` of each finding.
fn told(calls: &[Call<'_>]) -> Vec<String> {
    found_in(calls).iter().map(|f| format!("{} {}", f.kind, f.severity)).collect()
}

fn denied<'a>(service: &'a str, name: &'a str, time: EventTime) -> Call<'a> {
    Call { error_code: "AccessDenied", error_message: "Access Denied", ..Call::new(service, name, time) }
}

/// `count` copies of a call, `spacing` seconds apart.
fn repeated<'a>(call: &Call<'a>, count: i64, spacing: i64) -> Vec<Call<'a>> {
    (0..count)
        .map(|n| Call { id: format!("{} {n}", call.id), time: call.time.plus(n * spacing), ..call.clone() })
        .collect()
}

#[test]
fn a_burst_is_told_from_its_threshold_on() {
    let polling = denied("s3", "GetObject", TEN);
    assert_eq!(told(&repeated(&polling, 29, 4)), [""; 0]);
    assert_eq!(told(&repeated(&polling, 30, 4)), ["denied_calls low"]);
    // A secret, again and again, is worth looking at sooner.
    let secrets = denied("secretsmanager", "GetSecretValue", TEN);
    assert_eq!(told(&repeated(&secrets, 9, 4)), [""; 0]);
    assert_eq!(told(&repeated(&secrets, 10, 4)), ["denied_calls medium"]);
}

#[test]
fn a_role_that_is_tried_right_after_it_was_made_is_not_probing() {
    let making = Call { request: r#"{"roleName":"fresh"}"#, ..Call::new("iam", "CreateRole", TEN.plus(-30)) };
    let message = "User: arn:aws:iam::111122223333:user/kim is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/fresh";
    let trying = Call { error_message: message, ..denied("sts", "AssumeRole", TEN) };
    let mut calls = repeated(&trying, 40, 1);
    assert_eq!(told(&calls), ["role_denied low"]);
    calls.push(making);
    assert_eq!(told(&calls), [""; 0]);
}

#[test]
fn many_actors_refused_by_one_policy_are_an_outage_and_no_attack() {
    let message = "User: x is not authorized to perform: s3:GetObject on resource: y with an explicit deny in a service control policy: arn:aws:organizations::999988887777:policy/o-a/service_control_policy/p-12345678";
    let arns: Vec<String> =
        (0..5).map(|n| format!("arn:aws:sts::111122223333:assumed-role/app-{n}/i-0{n}")).collect();
    let mut calls = vec![Call {
        request: r#"{"policyId":"p-12345678","content":"{}"}"#,
        account: "999988887777",
        identity: user("arn:aws:iam::999988887777:user/lee"),
        ..Call::new("organizations", "UpdatePolicy", TEN.plus(-240))
    }];
    for (n, arn) in arns.iter().enumerate() {
        let call = Call {
            id: format!("{n}"),
            identity: role(arn),
            error_message: message,
            ..denied("s3", "GetObject", TEN)
        };
        calls.extend(repeated(&call, 40, 2));
    }
    let found = found_in(&calls);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].kind, found[0].actors.len()), ("permissions_outage", 5));
    let text = &found[0].summary;
    for part in [
        "4 minutes before it began, arn:aws:iam::999988887777:user/lee called organizations:UpdatePolicy on p-12345678",
        "100 % refused by an explicit deny in a service control policy: arn:aws:organizations::999988887777:policy/o-a/service_control_policy/p-12345678",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let steps = &found[0].next_steps;
    assert_eq!(steps, &["Read the policy: aws organizations describe-policy --policy-id p-12345678"]);
}
