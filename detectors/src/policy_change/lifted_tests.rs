//! Calls of any sort, refused, then let through.

use crate::Detector;
use crate::actor::Identity;
use crate::environment::Environment;
use crate::finding::Finding;
use crate::policy_change::{Config, PolicyChange};
use crate::testing::{Call, find_in, role, teach, user};
use crate::time::{EventTime, HOUR};

/// On the hour.
const NOON: EventTime = EventTime(1_772_366_400);

pub(in crate::policy_change) const KIM: &str = "arn:aws:iam::111122223333:user/kim";
const APP: &str = "arn:aws:sts::111122223333:assumed-role/app/i-0a";

/// Who calls, what, with which parameters and error, how many minutes after noon.
pub(in crate::policy_change) type Told<'c> = (&'c str, &'c str, &'c str, &'c str, i64);

fn identity(arn: &str) -> Identity<'_> {
    if arn.contains(":user/") { user(arn) } else { role(arn) }
}

fn calls<'c>(told: &[Told<'c>]) -> Vec<Call<'c>> {
    let of = |(n, (arn, action, request, error_code, minutes)): (usize, &Told<'c>)| {
        let (service, name) = action.split_once(':').unwrap();
        let new = Call::new(service, name, NOON.plus(60 * minutes));
        Call { id: format!("{n}"), identity: identity(arn), request, error_code, ..new }
    };
    told.iter().enumerate().map(of).collect()
}

fn stories_of(calls: &[Call<'_>]) -> Vec<Finding> {
    let detector = PolicyChange::new(Config::default()).unwrap();
    let ledger = teach::<PolicyChange>(calls);
    let found = find_in(&detector, &ledger, &Environment::default());
    let found: Vec<Finding> = found.into_iter().filter(|f| f.kind == "denied_changed_allowed").collect();
    // What is closed as time goes on changes nothing.
    for minutes in [5, 70, 30 * 60] {
        let mut closed = ledger.clone();
        closed.close(NOON.minute() + minutes);
        let again = find_in(&detector, &closed, &Environment::default());
        let again: Vec<Finding> = again.into_iter().filter(|f| f.kind == "denied_changed_allowed").collect();
        assert_eq!(again, found, "closed after {minutes} minutes");
    }
    found
}

/// What was refused and got through, by whom, and its reasons.
pub(in crate::policy_change) fn stories(told: &[Told<'_>]) -> Vec<String> {
    let found = stories_of(&calls(told));
    let line = |finding: &Finding| {
        let codes: Vec<&str> = finding.reasons.iter().map(|r| r.code).collect();
        format!("{} {}: {}", finding.severity, finding.title, codes.join(" "))
    };
    found.iter().map(line).collect()
}

pub(in crate::policy_change) const GET: &str = "secretsmanager:GetSecretValue";
const LIST: &str = "s3:ListBuckets";
pub(in crate::policy_change) const NO: &str = "AccessDenied";
const INLINE: &str = r#"{"userName":"kim","policyName":"p","policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"secretsmanager:*\",\"Resource\":\"arn:aws:secretsmanager:eu-west-1:111122223333:secret:s\"}}"}"#;
const OWN: Told<'_> = (KIM, "iam:PutUserPolicy", INLINE, "", 10);

#[test]
fn any_call_that_was_refused_and_got_through_after_ones_own_change_is_a_story() {
    for call in [GET, LIST, "s3:GetObject", "ec2:DescribeInstances", "iam:CreateUser", "dynamodb:Scan"] {
        let told = [(KIM, call, "{}", NO, 5), OWN, (KIM, call, "{}", "", 20)];
        let story = format!(
            "medium kim was refused {call}, changed user/kim, and got through: denied gave_rights allowed"
        );
        assert_eq!(stories(&told), [story]);
    }
    let role_policy = INLINE.replace("userName", "roleName").replace("kim", "app");
    let told = [
        (APP, GET, "{}", "AccessDeniedException", 5),
        (APP, "iam:PutRolePolicy", role_policy.as_str(), "", 10),
        (APP, GET, "{}", "", 20),
    ];
    let story = "medium app was refused secretsmanager:GetSecretValue, changed role/app, and got through: denied gave_rights allowed";
    assert_eq!(stories(&told), [story]);
}

#[test]
fn its_three_events_are_told() {
    let calls =
        calls(&[(KIM, GET, "{}", NO, 5), OWN, (KIM, GET, "{}", "", 1_000), (KIM, GET, "{}", "", 1_010)]);
    let found = stories_of(&calls);
    assert_eq!(found.len(), 1);
    let evidence: Vec<i64> = found[0].evidence.iter().map(|e| (e.time.0 - NOON.0) / 60).collect();
    assert_eq!(evidence, [5, 10, 1_000]);
    assert_eq!(found[0].window.start, NOON.plus(60_000));
    assert!(found[0].reasons[0].text.contains("GetSecretValue of secretsmanager.amazonaws.com"));
    assert!(found[0].reasons[0].text.contains("refused with AccessDenied"));
}

#[test]
fn what_is_no_such_story() {
    let other = "arn:aws:iam::111122223333:user/sam";
    let denied = (KIM, GET, "{}", NO, 5);
    let passed = (KIM, GET, "{}", "", 20);
    let at = |(arn, call, request, error, _): Told<'static>, minutes| (arn, call, request, error, minutes);
    let by = |arn, (_, call, request, error, minutes): Told<'static>| (arn, call, request, error, minutes);
    let quiet: &[(&str, &[Told<'_>])] = &[
        ("an ordinary retry", &[denied, passed]),
        ("lifted by somebody else", &[denied, by(other, OWN), passed]),
        ("the change came first", &[at(OWN, 1), denied, passed]),
        ("the change came last", &[denied, passed, at(OWN, 30)]),
        ("it went through already", &[at(passed, 1), denied, OWN, passed]),
        ("it went through before the change", &[denied, at(passed, 7), OWN, passed]),
        ("another actor was refused", &[by(other, denied), OWN, passed]),
        ("another actor got through", &[denied, OWN, by(other, passed)]),
        ("another call got through", &[denied, OWN, (KIM, LIST, "{}", "", 20)]),
        ("more than a day", &[denied, OWN, at(passed, 24 * 60 + 6)]),
        ("it failed for another reason", &[(KIM, GET, "{}", "ThrottlingException", 5), OWN, passed]),
        ("the change was refused too", &[denied, (KIM, "iam:PutUserPolicy", INLINE, NO, 10), passed]),
        ("the change is the call", &[(KIM, "iam:PutUserPolicy", INLINE, NO, 5), OWN]),
    ];
    for (why, told) in quiet {
        assert_eq!(stories(told), [""; 0], "{why}");
    }
    assert_eq!(stories(&[denied, OWN, at(passed, 24 * 60 + 5)]).len(), 1, "just a day");
    let again = |change| [at(passed, 1), denied, OWN, passed, at(denied, 70), change, at(passed, 80)];
    assert_eq!(stories(&again(at(OWN, 75))).len(), 0, "nothing new by the same policy");
    let other = INLINE.replace("secretsmanager:*", "*");
    let other = (KIM, "iam:PutUserPolicy", other.as_str(), "", 75);
    assert_eq!(stories(&again(other)).len(), 1, "refused again in another hour");
}

#[test]
fn services_and_what_they_call_for_somebody_do_not_count() {
    let told = [(KIM, GET, "{}", NO, 5), OWN, (KIM, GET, "{}", "", 20)];
    let mut through = calls(&told);
    through[2].session.invoked_by = "cloudformation.amazonaws.com";
    assert!(stories_of(&through).is_empty());
    let mut late = calls(&told);
    late[2].late = true;
    assert!(stories_of(&late).is_empty());
}

#[test]
fn the_first_of_an_hour_is_kept_whatever_the_order_and_repeats_change_nothing() {
    let told: Vec<Told<'_>> = (0..50).map(|n| (KIM, LIST, "{}", "", [7, 3, 9, 3, 66][n % 5])).collect();
    let calls = calls(&told);
    let one = teach::<PolicyChange>(&calls);
    let backwards: Vec<Call<'_>> = calls.iter().rev().cloned().collect();
    assert_eq!(one, teach::<PolicyChange>(&backwards));
    let mut joined = teach::<PolicyChange>(&calls[..20]);
    joined.absorb(teach::<PolicyChange>(&calls[10..]));
    assert_eq!(one, joined);
    let mut closed = one.clone();
    closed.close((NOON.0 + 3 * HOUR) / 60);
    let empty = crate::policy_change::Remembered::default();
    assert!(closed.sorted().iter().all(|(_, facts)| **facts == empty), "nothing refused them");
}

fn bucket_policy(principal: &str) -> String {
    format!(
        r#"{{"bucketName":"b","bucketPolicy":{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}}}}}}"#
    )
}

/// Codes of the stories where a user was refused a call, made a change, and got through.
fn lifted_by(call: &str, change: &str, request: &str) -> Vec<String> {
    let told = [(KIM, call, "{}", NO, 5), (KIM, change, request, "", 10), (KIM, call, "{}", "", 20)];
    stories(&told).iter().filter_map(|line| Some(line.rsplit_once(": ")?.1.to_owned())).collect()
}

#[test]
fn a_policy_of_the_resource_that_names_the_caller_lifts_a_refusal() {
    let told = "denied changed_access allowed";
    let grant = format!(r#"{{"keyId":"k","granteePrincipal":"{KIM}","operations":["Decrypt"]}}"#);
    let statement = |principal: &str| {
        format!(
            r#"{{\"Statement\":{{\"Effect\":\"Allow\",\"Principal\":{{\"AWS\":\"{principal}\"}},\"Action\":\"*\",\"Resource\":\"*\"}}}}"#
        )
    };
    let secret = format!(r#"{{"secretId":"s","resourcePolicy":"{}"}}"#, statement(KIM));
    let key = format!(r#"{{"keyId":"k","policyName":"default","policy":"{}"}}"#, statement(KIM));
    let function = format!(
        r#"{{"functionName":"f","statementId":"s","action":"lambda:InvokeFunction","principal":"{KIM}"}}"#
    );
    for (call, change, request) in [
        ("s3:GetObject", "s3:PutBucketPolicy", bucket_policy(KIM)),
        ("s3:GetObject", "s3:PutBucketPolicy", bucket_policy("arn:aws:iam::111122223333:user/path/kim")),
        ("s3:GetObject", "s3:PutBucketPolicy", bucket_policy("*")),
        ("s3:GetObject", "s3:DeleteBucketPolicy", r#"{"bucketName":"b"}"#.to_owned()),
        (GET, "secretsmanager:PutResourcePolicy", secret),
        ("kms:Decrypt", "kms:CreateGrant", grant.clone()),
        (GET, "kms:CreateGrant", grant),
        ("s3:GetObject", "kms:PutKeyPolicy", key),
        ("lambda:Invoke", "lambda:AddPermission20150331v2", function),
    ] {
        assert_eq!(lifted_by(call, change, &request), [told], "{change} {request}");
    }
}

#[test]
fn what_is_taken_away_from_the_caller_lifts_a_refusal() {
    let told = "denied changed_access allowed";
    let quarantine = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    for (change, request) in [
        ("iam:DetachUserPolicy", format!(r#"{{"userName":"kim","policyArn":"{quarantine}"}}"#)),
        ("iam:DeleteUserPolicy", r#"{"userName":"kim","policyName":"deny"}"#.to_owned()),
        ("iam:DeleteUserPermissionsBoundary", r#"{"userName":"kim"}"#.to_owned()),
    ] {
        assert_eq!(lifted_by("ec2:RunInstances", change, &request), [told], "{change}");
        let others = request.replace("kim", "sam");
        assert_eq!(lifted_by("ec2:RunInstances", change, &others), [""; 0], "{change} of another");
    }
}

#[test]
fn a_new_version_of_a_policy_lifts_a_refusal_where_it_names_the_call_or_is_the_callers() {
    let arn = "arn:aws:iam::111122223333:policy/p";
    let version = |effect: &str, action: &str| {
        format!(
            r#"{{"policyArn":"{arn}","setAsDefault":true,"policyDocument":"{{\"Statement\":{{\"Effect\":\"{effect}\",\"Action\":\"{action}\",\"Resource\":\"arn:aws:x:::y\"}}}}"}}"#
        )
    };
    let told = "denied gave_rights allowed";
    let names = version("Allow", "secretsmanager:Get*");
    for (request, expected) in [
        (&names, &[told][..]),
        (&version("Allow", "*"), &[told]),
        (&version("Deny", "secretsmanager:Get*"), &[]),
        (&version("Allow", "secretsmanager:List*"), &[]),
    ] {
        assert_eq!(lifted_by(GET, "iam:CreatePolicyVersion", request), expected, "{request}");
    }
    // Once it is known to be another's, it lifts nothing; once it is the caller's, whatever it adds.
    let own = |user| format!(r#"{{"userName":"{user}","policyArn":"{arn}"}}"#);
    let (attach, detach) = (own("kim"), own("kim"));
    let mild = version("Allow", "s3:*");
    for (held, request, count) in [
        (&[(KIM, "iam:AttachUserPolicy", attach.as_str(), "", 1)][..], &mild, 1),
        (
            &[
                (KIM, "iam:AttachUserPolicy", attach.as_str(), "", 1),
                (KIM, "iam:DetachUserPolicy", detach.as_str(), "", 2),
            ],
            &names,
            0,
        ),
    ] {
        let tried = [
            (KIM, GET, "{}", NO, 5),
            (KIM, "iam:CreatePolicyVersion", request.as_str(), "", 10),
            (KIM, GET, "{}", "", 20),
        ];
        assert_eq!(stories(&[held, &tried].concat()).len(), count);
    }
}

#[test]
fn a_change_that_lifts_many_refusals_is_told_once_for_each_service() {
    let calls = [GET, "secretsmanager:ListSecrets", LIST, "s3:GetObject", "ec2:DescribeInstances"];
    let tried = |error, from: i64| {
        let minutes = from..;
        calls.iter().zip(minutes).map(move |(call, at)| (KIM, *call, "{}", error, at)).collect::<Vec<_>>()
    };
    let told = [tried(NO, 1), vec![OWN], tried("", 20)].concat();
    let lines = stories(&told);
    assert_eq!(lines.len(), 3, "{lines:?}");
    let named = |call: &str| lines.iter().any(|line| line.contains(&format!("refused {call},")));
    assert!(named(GET) && named(LIST) && named("ec2:DescribeInstances"), "{lines:?}");
    // Another change, another story: of a call that it was not told of that day.
    let other = INLINE.replace(r#""p""#, r#""q""#);
    let more = [
        (KIM, "s3:PutObject", "{}", NO, 30),
        (KIM, "iam:PutUserPolicy", other.as_str(), "", 31),
        (KIM, "s3:PutObject", "{}", "", 32),
    ];
    assert_eq!(stories(&[told, more.to_vec()].concat()).len(), 4);
}

#[test]
fn every_code_of_the_table_that_means_denied_is_a_refusal() {
    let rows = include_str!("../../data/denied_codes.tsv").lines().map(|line| line.split('\t'));
    let denied: Vec<&str> = rows
        .filter_map(|mut fields| Some((fields.next()?, fields.next()?)))
        .filter(|row| row.1 == "denied")
        .map(|row| row.0)
        .collect();
    assert!(denied.len() > 20);
    for code in denied {
        assert_eq!(stories(&[(KIM, GET, "{}", code, 5), OWN, (KIM, GET, "{}", "", 20)]).len(), 1, "{code}");
    }
}

#[test]
fn policies_of_resources_that_lift_nothing() {
    for (call, change, request) in [
        ("s3:GetObject", "s3:PutBucketPolicy", bucket_policy("arn:aws:iam::111122223333:user/sam")),
        ("s3:GetObject", "s3:PutBucketPolicy", bucket_policy("arn:aws:iam::444455556666:user/kim")),
        ("s3:GetObject", "s3:PutBucketPolicy", bucket_policy("arn:aws:iam::111122223333:role/kim")),
        ("s3:GetObject", "s3:PutBucketPolicy", bucket_policy(KIM).replace("Allow", "Deny")),
        (GET, "s3:PutBucketPolicy", bucket_policy(KIM)),
    ] {
        assert_eq!(lifted_by(call, change, &request), [""; 0], "{change} {request}");
    }
    let by_session = bucket_policy("arn:aws:sts::111122223333:assumed-role/app/i-0a");
    let told = [
        (APP, "s3:GetObject", "{}", NO, 5),
        (APP, "s3:PutBucketPolicy", by_session.as_str(), "", 10),
        (APP, "s3:GetObject", "{}", "", 20),
    ];
    assert_eq!(stories(&told).len(), 1);
}
