//! Tests over made events.

use super::{Config, FirstTimePrivilege};
use crate::actor::Identity;
use crate::detector::Detector;
use crate::environment::{Environment, Learning};
use crate::event::{Category, Session};
use crate::finding::{Finding, Severity};
use crate::testing::{ACCOUNT, Call, find, find_in, role, teach, user};
use crate::time::{DAY, EventTime};

/// The day of the events that matter; what comes before makes them known.
const TODAY: &str = "2026-03-31";

fn at(time: &str) -> EventTime {
    EventTime::parse(&format!("{TODAY}T{time}Z")).unwrap()
}

/// Nine o'clock, so many days before today.
fn days_ago(days: i64) -> EventTime {
    at("09:00:00").plus(-days * DAY)
}

/// A successful call: the actor by a short name, the action by its label.
fn call(time: EventTime, actor: &'static str, label: &'static str) -> Call<'static> {
    let (service, name) = label.split_once(':').unwrap();
    let identity = match actor {
        "alice" => user("arn:aws:iam::111122223333:user/alice"),
        "ci" => user("arn:aws:iam::111122223333:user/ci"),
        "alice;id" => user("arn:aws:iam::111122223333:user/alice;id"),
        "root" => Identity { kind: "Root", account: ACCOUNT, ..Identity::default() },
        "config" => {
            Identity { kind: "AWSService", invoked_by: "config.amazonaws.com", ..Identity::default() }
        }
        "deploy" => role("arn:aws:sts::111122223333:assumed-role/deploy/session"),
        "auditor" => role("arn:aws:sts::111122223333:assumed-role/auditor/session"),
        "new" => role("arn:aws:sts::111122223333:assumed-role/new/session"),
        "new elsewhere" => role("arn:aws:sts::444455556666:assumed-role/new/session"),
        "kim" => role("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/kim"),
        "lee" => role("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/lee"),
        "a" => role("arn:aws:sts::111122223333:assumed-role/a/session"),
        "b" => role("arn:aws:sts::111122223333:assumed-role/b/session"),
        "c" => role("arn:aws:sts::111122223333:assumed-role/c/session"),
        "d" => role("arn:aws:sts::111122223333:assumed-role/d/session"),
        other => panic!("no such actor: {other}"),
    };
    let id = format!("{actor} {label} {time}");
    Call {
        id,
        identity,
        account: if actor == "new elsewhere" { "444455556666" } else { ACCOUNT },
        ..Call::new(service, name, time)
    }
}

fn with_key(access_key: &'static str, call: Call<'static>) -> Call<'static> {
    Call { session: Session { access_key, ..call.session }, ..call }
}

/// A month in which alice reads, a deploy role writes, and several others do what is common.
fn usual_month() -> Vec<Call<'static>> {
    let mut calls = Vec::new();
    for day in 1..=30 {
        calls.push(call(days_ago(day), "alice", "s3:ListBuckets"));
        calls.push(call(days_ago(day), "alice", "s3:CreateBucket"));
        calls.push(call(days_ago(day), "deploy", "lambda:UpdateFunctionCode20150331v2"));
        for role in ["a", "b", "c", "d"] {
            calls.push(call(days_ago(day), role, "ec2:RunInstances"));
        }
    }
    calls
}

fn judge_with(config: Config, learning: Learning, calls: &[Call<'_>]) -> Vec<Finding> {
    find(&FirstTimePrivilege::new(config).unwrap(), &teach::<FirstTimePrivilege>(calls), learning)
}

/// What is found after the usual month.
fn judge(today: &[Call<'_>]) -> Vec<Finding> {
    let mut calls = usual_month();
    calls.extend_from_slice(today);
    judge_with(Config::default(), Learning::default(), &calls)
}

fn codes(finding: &Finding) -> Vec<&str> {
    finding.reasons.iter().map(|reason| reason.code).collect()
}

#[test]
fn a_usual_month_is_quiet() {
    assert_eq!(judge(&[]), []);
}

#[test]
fn a_grave_call_new_to_the_account_is_found_once_and_known_afterwards() {
    let found = judge(&[
        call(at("10:00:00"), "alice", "iam:CreateAccessKey"),
        call(at("10:30:00"), "alice", "iam:CreateAccessKey"),
        call(at("15:00:00"), "alice", "iam:CreateAccessKey"),
    ]);
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!(finding.title, "alice: iam:CreateAccessKey for the first time");
    assert_eq!(finding.severity, Severity::Medium);
    assert_eq!(finding.window.start, at("10:00:00"));
    assert_eq!((finding.evidence.len(), finding.evidence_total), (1, 1));
    assert_eq!(finding.mitre, ["T1098.001"]);
    assert_eq!(codes(finding), ["first_action"]);
    assert!(finding.reasons[0].text.contains("nobody in the account did before"), "{:?}", finding.reasons);
}

#[test]
fn what_many_others_do_is_no_alert_and_what_few_do_is_one() {
    assert_eq!(judge(&[call(at("10:00:00"), "alice", "ec2:RunInstances")]), []);
    let found = judge(&[call(at("10:00:00"), "alice", "lambda:UpdateFunctionCode20150331v2")]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Low);
    assert!(found[0].reasons[0].text.contains("one other in the account"), "{:?}", found[0].reasons);
}

#[test]
fn a_denied_call_is_an_attempt_and_teaches_nothing() {
    let denied =
        |time| Call { error_code: "AccessDenied", ..call(time, "alice", "organizations:LeaveOrganization") };
    let found = judge(&[denied(at("10:00:00"))]);
    assert_eq!((found.len(), found[0].severity), (1, Severity::Medium));
    assert_eq!(codes(&found[0]), ["first_attempt"]);
    assert_eq!(found[0].title, "alice: organizations:LeaveOrganization (failed) for the first time");
    // Tried weeks before: going through is still the first time.
    let found =
        judge(&[denied(days_ago(10)), call(at("10:00:00"), "alice", "organizations:LeaveOrganization")]);
    let kinds: Vec<_> = found.iter().map(|f| (f.window.start, codes(f)[0], f.severity)).collect();
    assert_eq!(
        kinds,
        [(days_ago(10), "first_attempt", Severity::Medium), (at("10:00:00"), "first_action", Severity::High)]
    );
    // Tried, then done, within an hour: one thing.
    let found =
        judge(&[denied(at("10:00:00")), call(at("10:01:00"), "alice", "organizations:LeaveOrganization")]);
    assert_eq!((found.len(), codes(&found[0])), (1, vec!["first_action"]));
}

#[test]
fn what_was_not_used_for_the_forgetting_period_is_new_again() {
    let old = |days| call(days_ago(days), "alice", "cloudtrail:StopLogging");
    let today = call(at("10:00:00"), "alice", "cloudtrail:StopLogging");
    let starts =
        |calls: &[Call<'_>]| -> Vec<EventTime> { judge(calls).iter().map(|f| f.window.start).collect() };
    // Day 89 lies before the month that is known: alice was being learnt, but two times 40 points are enough.
    assert_eq!(starts(&[old(80), old(79), today.clone()]).len(), 0);
    assert_eq!(starts(&[old(100), old(99), today]), [at("10:00:00")]);
}

#[test]
fn while_an_actor_is_learnt_only_the_gravest_is_told() {
    let fresh = |action| [call(at("10:00:00"), "new", action)];
    assert_eq!(judge(&fresh("ec2:CreateVpc")), []);
    assert_eq!(judge(&fresh("iam:PutRolePolicy")), []);
    assert_eq!(judge(&fresh("iam:CreateAccessKey")), []);
    let found = judge(&fresh("organizations:LeaveOrganization"));
    assert_eq!(found.len(), 1);
    assert!(codes(&found[0]).contains(&"learning"));
    let none = judge_with(
        Config::default(),
        Learning { days: 0, ..Learning::default() },
        &fresh("iam:CreateAccessKey"),
    );
    assert_eq!(none.len(), 1, "without a learning period");
}

#[test]
fn siblings_knowledge_is_inherited() {
    let elsewhere = |day| call(days_ago(day), "new elsewhere", "cloudtrail:StopLogging");
    let mut calls: Vec<_> = (1..20).map(elsewhere).collect();
    calls.push(call(at("10:00:00"), "new", "cloudtrail:StopLogging"));
    assert_eq!(judge(&calls).iter().filter(|f| f.account == ACCOUNT).count(), 0);
    let colleague = call(days_ago(3), "kim", "iam:CreateUser");
    let found = judge(&[colleague, call(at("10:00:00"), "lee", "iam:CreateUser")]);
    assert_eq!(found, []);
}

#[test]
fn many_ordinary_things_at_once_are_no_alert_but_with_a_new_region_they_are() {
    let actions = [
        "ec2:CreateVpc",
        "ec2:CreateSubnet",
        "sqs:CreateQueue",
        "sns:CreateTopic",
        "ecs:CreateCluster",
        "s3:ListParts",
    ];
    let in_region = |region| -> Vec<Call<'static>> {
        actions.iter().map(|action| Call { region, ..call(at("10:00:00"), "alice", action) }).collect()
    };
    assert_eq!(judge(&in_region("eu-west-1")), []);
    let found = judge(&in_region("ap-east-1"));
    assert_eq!((found.len(), codes(&found[0])[0]), (1, "first_region"));
    assert!(!found[0].evidence.is_empty());
}

#[test]
fn a_first_change_after_only_reading_weighs() {
    let reader = |day| call(days_ago(day), "auditor", "ec2:DescribeInstances");
    let mut calls: Vec<_> = (1..30).map(reader).collect();
    for action in ["ec2:CreateVpc", "ec2:CreateSubnet", "ec2:CreateRouteTable"] {
        calls.push(call(at("10:00:00"), "auditor", action));
    }
    let found = judge(&calls);
    assert_eq!((found.len(), codes(&found[0])[0]), (1, "first_change"));
}

#[test]
fn sign_ins_by_other_means_are_found_and_the_usual_ones_are_not() {
    let mut calls: Vec<_> = (1..30).map(|day| call(days_ago(day), "ci", "s3:ListBuckets")).collect();
    assert_eq!(judge(&calls), []);
    let console = Call {
        user_agent: "Mozilla/5.0",
        source_ip: "203.0.113.77",
        ..call(at("10:00:00"), "ci", "signin:ConsoleLogin")
    };
    calls.push(console);
    let found = judge(&calls);
    assert_eq!(codes(&found[0]), ["first_sign_in", "first_network", "first_client", "first_action"]);
    let root =
        judge(&[Call { user_agent: "Mozilla/5.0", ..call(at("10:00:00"), "root", "signin:ConsoleLogin") }]);
    assert_eq!((root.len(), codes(&root[0])[0]), (1, "first_sign_in"));
}

#[test]
fn services_never_alert_and_data_events_teach_calls_only() {
    let service = call(at("10:00:00"), "config", "cloudtrail:StopLogging");
    let data = Call {
        category: Category::Data,
        source_ip: "203.0.113.77",
        ..call(at("10:00:00"), "alice", "s3:GetObject")
    };
    assert_eq!(judge(&[service, data]), []);
}

#[test]
fn evidence_is_what_justifies_the_finding() {
    let mut calls: Vec<_> =
        ["s3:GetBucketAcl", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:CreateRole"]
            .iter()
            .map(|action| call(at("10:00:00"), "alice", action))
            .collect();
    calls.push(call(at("10:40:00"), "alice", "ssm:SendCommand"));
    let found = judge(&calls);
    assert_eq!(found.len(), 1);
    let names: Vec<_> = found[0].evidence.iter().map(|e| &*e.name).collect();
    assert_eq!(names, ["SendCommand"]);
    assert_eq!(found[0].evidence_total, 5);
    assert_eq!(found[0].window.start, at("10:00:00"));
}

#[test]
fn the_root_of_a_role_chain_is_named() {
    let response = r#"{"credentials":{"accessKeyId":"ASIADEPLOY"}}"#;
    let request = r#"{"roleArn":"arn:aws:iam::111122223333:role/deploy"}"#;
    let assume = Call { request, response, ..call(at("09:59:00"), "alice", "sts:AssumeRole") };
    let abuse = with_key("ASIADEPLOY", call(at("10:00:00"), "deploy", "cloudtrail:StopLogging"));
    let found = judge(&[assume, abuse]);
    let root = found.iter().flat_map(|f| &f.reasons).find(|r| r.code == "root_of_chain").unwrap();
    assert_eq!(
        root.text,
        "the session was opened by arn:aws:iam::111122223333:user/alice at 2026-03-31T09:59:00Z"
    );
}

#[test]
fn commands_in_next_steps_hold_no_text_an_attacker_chose() {
    let stop = call(at("10:00:00"), "alice;id", "cloudtrail:StopLogging");
    let found = judge(&[with_key("AKIA$(curl evil)", stop)]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].next_steps.iter().all(|step| !step.contains("$(") && !step.contains("--user-name alice;id"))
    );
}

#[test]
fn configurations_that_can_not_be_are_refused() {
    let refused = |config| FirstTimePrivilege::new(config).map(drop).map_err(|e| e.field);
    assert_eq!(refused(Config { min_score: 0, ..Config::default() }), Err("min_score"));
    assert_eq!(
        refused(Config { min_score_while_learning: 29, ..Config::default() }),
        Err("min_score_while_learning")
    );
    assert_eq!(
        refused(Config { quiet_actions: vec!["iam".into()], ..Config::default() }),
        Err("quiet_actions")
    );
    assert_eq!(refused(Config { quiet_actions: vec!["iam:*".into()], ..Config::default() }), Ok(()));
}

#[test]
fn quiet_actions_are_quiet() {
    let mut calls = usual_month();
    calls.push(call(at("10:00:00"), "alice", "iam:CreateAccessKey"));
    let config = Config { quiet_actions: vec!["iam:Create*".into()], ..Config::default() };
    assert_eq!(judge_with(config, Learning::default(), &calls), []);
}

#[test]
fn a_deploy_role_is_one_level_milder_unless_a_call_is_grave_by_itself() {
    let severity_of = |deploy_roles: &[&str], action| {
        let mut calls = usual_month();
        calls.push(call(at("10:00:00"), "deploy", action));
        let mut environment = Environment::default();
        environment.organization.deploy_roles = deploy_roles.iter().map(|role| (*role).to_owned()).collect();
        let ledger = teach::<FirstTimePrivilege>(&calls);
        let found = find_in(&FirstTimePrivilege::new(Config::default()).unwrap(), &ledger, &environment);
        found[0].severity
    };
    let deploy = ["arn:aws:iam::*:role/deploy"];
    assert_eq!(severity_of(&[], "iam:PutRolePolicy"), Severity::Low);
    assert_eq!(severity_of(&deploy, "iam:PutRolePolicy"), Severity::Informational);
    assert_eq!(severity_of(&["arn:aws:iam::*:role/other"], "iam:PutRolePolicy"), Severity::Low);
    assert_eq!(severity_of(&deploy, "cloudtrail:StopLogging"), Severity::High);
}

#[test]
fn what_was_done_on_one_day_only_is_not_yet_usual() {
    let with = |days: &[i64]| {
        let mut calls = usual_month();
        calls.extend(days.iter().map(|day| call(days_ago(*day), "alice", "iam:CreateAccessKey")));
        calls.push(call(at("10:00:00"), "alice", "iam:CreateAccessKey"));
        judge_with(Config::default(), Learning::default(), &calls)
            .pop()
            .filter(|f| f.window.start >= at("00:00:00"))
    };
    let again = with(&[12]).unwrap();
    assert_eq!(again.title, "alice: iam:CreateAccessKey for the second time ever");
    let text = &again.reasons[0].text;
    assert!(
        text.contains("use of iam:CreateAccessKey") && text.contains("only on 2026-03-19 before"),
        "{text}"
    );
    assert!(text.contains("nobody else in the account"), "{text}");
    assert_eq!(with(&[12, 11]), None, "two days running");
    assert_eq!(with(&[24, 12]), None, "two occasions");
    assert_eq!(with(&[3]), None, "the same week");
}

#[test]
fn a_failed_call_teaches_nothing_and_is_told_again_after_a_while() {
    let failed = |time, id: &str| Call {
        error_code: "AccessDenied",
        id: id.to_owned(),
        ..call(time, "alice", "organizations:LeaveOrganization")
    };
    let mut calls = usual_month();
    calls.extend([failed(days_ago(10), "known"), failed(at("10:00:00"), "again")]);
    let found = judge_with(Config::default(), Learning::default(), &calls);
    assert_eq!(found.len(), 1, "ten days later it is the same story");
    calls.retain(|call| call.id != "known");
    calls.push(failed(days_ago(15), "long ago"));
    assert_eq!(judge_with(Config::default(), Learning::default(), &calls).len(), 2);
}
