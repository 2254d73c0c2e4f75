//! Scenes: what happened, and what is told of it.

use super::facts::EVIDENCE;
use super::{AccessDeniedSpike, Config, Remembered};
use crate::Detector as _;
use crate::actor::Identity;
use crate::environment::Learning;
use crate::event::Session;
use crate::finding::Finding;
use crate::ledger::Ledger;
use crate::testing::{Call, find, role, teach, user};
use crate::time::{DAY, EventTime, HOUR, MINUTE};

/// 2026-03-02T10:00:00Z, a Monday.
const TEN: EventTime = EventTime(1_772_445_600);
const NO_LEARNING: Learning = Learning { days: 0, forget_after_days: 90, lateness_minutes: 180 };

fn found_in(calls: &[Call<'_>]) -> Vec<Finding> {
    let detector = AccessDeniedSpike::new(Config::default()).unwrap();
    find(&detector, &teach::<AccessDeniedSpike>(calls), NO_LEARNING)
}

/// `kind severity` of each finding.
fn told(calls: &[Call<'_>]) -> Vec<String> {
    found_in(calls).iter().map(|f| format!("{} {}", f.kind, f.severity)).collect()
}

/// The only finding.
fn only(calls: &[Call<'_>]) -> Finding {
    let mut found = found_in(calls);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
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

/// One call of each of these, a second apart.
fn each_of<'a>(calls: &[(&'a str, &'a str)], time: EventTime) -> Vec<Call<'a>> {
    let calls = calls.iter().enumerate();
    calls.map(|(n, (service, name))| denied(service, name, time.plus(n as i64))).collect()
}

fn has_reason(finding: &Finding, code: &str, text: &str) -> bool {
    finding.reasons.iter().any(|reason| reason.code == code && reason.text.contains(text))
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
    // The same calls again are the same calls.
    let mut copies = repeated(&polling, 29, 4);
    copies.extend(copies.clone());
    assert_eq!(told(&copies), [""; 0]);
    // Slower than the window.
    assert_eq!(told(&repeated(&polling, 300, 11)), [""; 0]);
    // Late records open no window.
    let late: Vec<_> = repeated(&polling, 30, 4).into_iter().map(|c| Call { late: true, ..c }).collect();
    assert_eq!(told(&late), [""; 0]);
}

#[test]
fn throttling_missing_things_and_successes_are_no_refusals() {
    for error_code in ["ThrottlingException", "NoSuchBucketPolicy", "TrailNotFoundException", ""] {
        let call = Call { error_code, ..Call::new("ssm", "PutParameter", TEN) };
        assert_eq!(told(&repeated(&call, 500, 0)), [""; 0], "{error_code}");
    }
}

#[test]
fn few_calls_of_many_actions_are_taking_stock() {
    let stocktaking = each_of(
        &[
            ("s3", "ListBuckets"),
            ("iam", "ListUsers"),
            ("ec2", "DescribeInstances"),
            ("lambda", "ListFunctions20150331"),
            ("rds", "DescribeDBInstances"),
            ("kms", "ListKeys"),
        ],
        TEN,
    );
    let finding = only(&stocktaking);
    assert_eq!((finding.kind, finding.severity.name()), ("denied_calls", "medium"));
    assert_eq!(finding.mitre, ["T1526", "T1580"]);
    assert!(has_reason(&finding, "enumeration", "6 of 6"), "{finding:#?}");
    let more = [
        ("sns", "ListTopics"),
        ("sqs", "ListQueues"),
        ("ecs", "ListClusters"),
        ("eks", "ListClusters"),
        ("glue", "GetDatabases"),
        ("athena", "ListWorkGroups"),
    ];
    assert_eq!(told(&[stocktaking.clone(), each_of(&more, TEN)].concat()), ["denied_calls high"]);
    assert_eq!(told(&stocktaking[..5]), [""; 0]);
    // People click through the console.
    let by_people = |calls: &[Call<'static>]| -> Vec<Call<'static>> {
        let session = Session { from_console: true, ..Session::default() };
        calls.iter().map(|call| Call { session, ..call.clone() }).collect()
    };
    assert_eq!(told(&by_people(&stocktaking)), [""; 0]);
    let many = by_people(&stocktaking).iter().flat_map(|call| repeated(call, 3, 60)).collect::<Vec<_>>();
    assert_eq!(told(&many), ["denied_calls low"]);
}

#[test]
fn what_is_usual_is_no_spike_and_one_bad_day_is_not_usual() {
    let polling = denied("s3", "GetObject", TEN);
    let day = |day: i64, count: i64| {
        repeated(
            &Call { time: TEN.plus(day * DAY), ..denied("s3", "GetObject", TEN.plus(day * DAY)) },
            count,
            2,
        )
    };
    // Forty a day: told on the first day, known within a day, usual from then on.
    let steady: Vec<_> = (0..20).flat_map(|d| day(d, 40)).collect();
    assert_eq!(only(&steady).window.start.day(), polling.time.day());
    // Ten times that is news, and says against what.
    let flood = [steady.clone(), day(20, 400)].concat();
    let found = found_in(&flood);
    assert_eq!(found.len(), 2);
    let finding = &found[1];
    assert!(has_reason(finding, "busiest", "busiest in 20 days of its own; before: 40"), "{finding:#?}");
    let measure = finding.measure.as_ref().unwrap();
    let sizes = (measure.observed, measure.expected, measure.threshold);
    assert!((105.0..=150.0).contains(&sizes.0) && sizes.1 == Some(40.0) && sizes.2 == 120.0, "{sizes:?}");
    // A month later it is news again.
    assert_eq!(found_in(&[flood.clone(), day(40, 400)].concat()).len(), 3);
    // But twice makes a habit.
    assert_eq!(found_in(&[flood, day(40, 400), day(60, 400)].concat()).len(), 3);
}

#[test]
fn steady_refusal_is_told_once_at_its_onset_and_when_it_grows() {
    let polling = denied("s3", "GetObject", TEN);
    let steady = repeated(&polling, 30 * 360, 10);
    let finding = only(&steady);
    assert_eq!(finding.window.start, TEN);
    let more = Call { id: "more".into(), time: TEN.plus(5 * HOUR), ..polling };
    let found = found_in(&[steady, repeated(&more, 120, 1)].concat());
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].continues, Some(found[0].id()));
}

#[test]
fn a_burst_across_the_hour_is_one_burst() {
    let polling = denied("s3", "GetObject", TEN.plus(-90));
    let finding = only(&repeated(&polling, 600, 1));
    assert_eq!(finding.measure.unwrap().observed, 300.0);
    assert_eq!(finding.window.start, TEN.plus(-MINUTE));
}

#[test]
fn roles_of_one_name_know_what_is_usual_for_each_other() {
    let of_account = |account: &str| format!("arn:aws:sts::{account}:assumed-role/scanner/x");
    let (old, new, other) = (
        of_account("111122223333"),
        of_account("444455556666"),
        "arn:aws:sts::444455556666:assumed-role/other/x",
    );
    let mut calls: Vec<_> = (0..20)
        .flat_map(|day| {
            let time = TEN.plus(day * DAY);
            repeated(&Call { identity: role(&old), ..denied("s3", "GetObject", time) }, 60, 2)
        })
        .collect();
    let time = TEN.plus(20 * DAY);
    calls.extend(repeated(
        &Call { id: "new".into(), identity: role(&new), ..denied("s3", "GetObject", time) },
        60,
        2,
    ));
    assert_eq!(told(&calls), ["denied_calls low"]);
    calls.extend(repeated(
        &Call { id: "other".into(), identity: role(other), ..denied("s3", "GetObject", time) },
        60,
        2,
    ));
    assert_eq!(told(&calls), ["denied_calls low", "denied_calls low"]);
}

#[test]
fn the_first_refusal_of_a_grave_call_to_a_quiet_actor_is_told() {
    let leaving = denied("organizations", "LeaveOrganization", TEN);
    let finding = only(std::slice::from_ref(&leaving));
    assert_eq!((finding.kind, finding.severity.name()), ("grave_call_denied", "medium"));
    assert_eq!(finding.mitre, ["T1666"]);
    // Not again within the forgetting period, and not for calls that honest mistakes refuse.
    let again = Call { id: "again".into(), time: TEN.plus(80 * DAY), ..leaving.clone() };
    assert_eq!(told(&[leaving.clone(), again]).len(), 1);
    assert_eq!(told(&[denied("secretsmanager", "GetSecretValue", TEN)]), [""; 0]);
    // A permission needed besides counts too: passing a role is never an event.
    let message = "User: kim is not authorized to perform: iam:AttachRolePolicy on resource: r because no identity-based policy allows it";
    assert_eq!(
        told(&[Call { error_message: message, ..denied("cloudformation", "ExecuteChangeSet", TEN) }]).len(),
        1
    );
    // While the account is being learnt it is milder.
    let detector = AccessDeniedSpike::new(Config::default()).unwrap();
    let found = find(&detector, &teach::<AccessDeniedSpike>([&leaving]), Learning::default());
    assert_eq!(found[0].severity.name(), "low");
}

#[test]
fn a_role_that_is_tried_right_after_it_was_made_is_not_probing() {
    let making = Call { request: r#"{"roleName":"fresh"}"#, ..Call::new("iam", "CreateRole", TEN.plus(-30)) };
    let message = "User: arn:aws:iam::111122223333:user/kim is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/fresh";
    let trying = Call { error_message: message, ..denied("sts", "AssumeRole", TEN) };
    assert_eq!(told(&repeated(&trying, 3, 2)), [""; 0]);
    let mut calls = repeated(&trying, 40, 1);
    assert_eq!(told(&calls), ["role_denied low"]);
    calls.push(making);
    assert_eq!(told(&calls), [""; 0]);
}

#[test]
fn roles_by_guessed_names_are_probing() {
    let messages: Vec<String> = (0..6)
        .map(|n| format!("User: kim is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/admin-{n}"))
        .collect();
    let calls: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(n, error_message)| Call { error_message, ..denied("sts", "AssumeRole", TEN.plus(n as i64)) })
        .collect();
    assert_eq!(told(&calls), ["role_denied medium"]);
    assert_eq!(told(&calls[..5]), [""; 0]);
}

#[test]
fn guessed_passwords_second_factors_and_the_root_user() {
    let failed = Call {
        error_message: "Failed authentication",
        response: r#"{"ConsoleLogin":"Failure"}"#,
        ..Call::new("signin", "ConsoleLogin", TEN)
    };
    assert_eq!(told(&repeated(&failed, 4, 5)), [""; 0]);
    assert_eq!(told(&repeated(&failed, 5, 5)), ["failed_sign_in low"]);
    let by_mfa = Call { additional: r#"{"MFAUsed":"Yes"}"#, ..failed.clone() };
    assert_eq!(told(&repeated(&by_mfa, 5, 5)), ["failed_mfa medium"]);
    let root = Identity { kind: "Root", account: "111122223333", ..Identity::default() };
    let by_root = Call { identity: root, ..failed.clone() };
    assert_eq!(told(&repeated(&by_root, 3, 5)), ["failed_sign_in high"]);
    // Several users, one address.
    let users: Vec<String> = (0..5).map(|n| format!("arn:aws:iam::111122223333:user/u{n}")).collect();
    let spraying: Vec<_> =
        users.iter().map(|arn| Call { id: arn.clone(), identity: user(arn), ..failed.clone() }).collect();
    let finding = only(&spraying);
    assert_eq!((finding.kind, finding.severity.name()), ("password_spraying", "high"));
    assert_eq!(
        (&*finding.entity.id, finding.entity.kind, finding.actors.len()),
        ("198.51.100.7", "address", 5)
    );
    assert_eq!(finding.account, "111122223333");
    let inside: Vec<_> = spraying.iter().map(|c| Call { source_ip: "AWS Internal", ..c.clone() }).collect();
    assert_eq!(told(&inside), [""; 0]);
}

#[test]
fn several_actors_refused_from_one_address_are_probing_unless_aws_calls() {
    let users: Vec<String> = (0..4).map(|n| format!("arn:aws:iam::111122223333:user/u{n}")).collect();
    let from = |source_ip: &'static str| {
        let of_user = |arn| Call { identity: user(arn), source_ip, ..denied("s3", "ListBuckets", TEN) };
        let calls = users.iter().flat_map(|arn| repeated(&Call { id: arn.clone(), ..of_user(arn) }, 3, 1));
        told(&calls.collect::<Vec<_>>())
    };
    assert_eq!(from("203.0.113.9"), ["credential_probing medium"]);
    assert_eq!(from("2001:db8::1"), ["credential_probing medium"]);
    assert_eq!(from("075.050.255.067"), ["credential_probing medium"]);
    for service in ["AWS Internal", "cloudformation.amazonaws.com", ""] {
        assert_eq!(from(service), [""; 0], "{service}");
    }
}

#[test]
fn services_are_kept_apart() {
    let dependency = Call { error_code: "KMSAccessDeniedException", ..Call::new("lambda", "Invoke", TEN) };
    assert_eq!(told(&repeated(&dependency, 99, 1)), [""; 0]);
    assert_eq!(told(&repeated(&dependency, 100, 1)), ["service_denied low"]);
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
    // Who is refused hours later by the same policy is no attacker either.
    let late = "arn:aws:sts::111122223333:assumed-role/app-late/x";
    for (n, arn) in arns.iter().map(String::as_str).chain([late]).enumerate() {
        let time = TEN.plus(3 * HOUR);
        let call = Call {
            id: format!("late {n}"),
            identity: role(arn),
            error_message: message,
            ..denied("s3", "GetObject", time)
        };
        calls.extend(repeated(&call, 40, 2));
    }
    let finding = only(&calls);
    assert_eq!((finding.kind, finding.actors.len()), ("permissions_outage", 5));
    let change = "4 minutes before it began, arn:aws:iam::999988887777:user/lee called organizations:UpdatePolicy on p-12345678";
    assert!(has_reason(&finding, "recent_change", change), "{finding:#?}");
    let cause = "100 % refused by an explicit deny in a service control policy: arn:aws:organizations::999988887777:policy/o-a/service_control_policy/p-12345678";
    assert!(has_reason(&finding, "root_cause", cause), "{finding:#?}");
    let read_it = "Read the policy: aws organizations describe-policy --policy-id p-12345678";
    assert_eq!(finding.next_steps.last().map(String::as_str), Some(read_it));
}

#[test]
fn a_role_whose_policy_was_just_changed_is_rather_broken_than_stolen() {
    let app = "arn:aws:sts::111122223333:assumed-role/app/i-0a";
    let call = Call { identity: role(app), ..denied("secretsmanager", "GetSecretValue", TEN) };
    let mut calls = repeated(&call, 20, 2);
    assert_eq!(told(&calls), ["denied_calls medium"]);
    calls.push(Call {
        request: r#"{"roleName":"app","policyName":"p"}"#,
        ..Call::new("iam", "DeleteRolePolicy", TEN.plus(-61))
    });
    let finding = only(&calls);
    let change =
        "1 minute before it began, arn:aws:iam::111122223333:user/kim called iam:DeleteRolePolicy on app";
    assert!(has_reason(&finding, "recent_change", change), "{finding:#?}");
    assert_eq!(finding.severity.name(), "low");
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    let refused = |config: Config| AccessDeniedSpike::new(config).unwrap_err().field;
    let good = Config::default();
    assert_eq!(refused(Config { min_calls: 2, ..good.clone() }), "min_calls");
    assert_eq!(refused(Config { min_calls: 40, ..good.clone() }), "min_calls_of_one_action");
    assert_eq!(refused(Config { min_actors_of_outage: 1, ..good.clone() }), "min_actors_of_outage");
    assert_eq!(refused(Config { times_expected: f64::NAN, ..good.clone() }), "times_expected");
    assert_eq!(refused(Config { times_expected: 1.0, ..good }), "times_expected");
}

#[test]
fn what_comes_too_slowly_for_a_window_is_told_by_the_day() {
    const ACTIONS: [(&str, &str); 12] = [
        ("s3", "ListBuckets"),
        ("iam", "ListUsers"),
        ("iam", "ListRoles"),
        ("ec2", "DescribeInstances"),
        ("ec2", "DescribeVpcs"),
        ("lambda", "ListFunctions20150331"),
        ("rds", "DescribeDBInstances"),
        ("kms", "ListKeys"),
        ("sns", "ListTopics"),
        ("sqs", "ListQueues"),
        ("ssm", "DescribeParameters"),
        ("ecs", "ListClusters"),
    ];
    let calls = |day: i64, many: usize| -> Vec<Call<'static>> {
        let time = |n: usize| TEN.plus(day * DAY + n as i64 * 20 * MINUTE);
        ACTIONS[..many]
            .iter()
            .enumerate()
            .map(|(n, (service, name))| denied(service, name, time(n)))
            .collect()
    };
    let finding = only(&calls(0, 12));
    assert_eq!((finding.kind, finding.severity.name()), ("slow_probing", "medium"));
    assert_eq!(finding.window.start, TEN.plus(11 * 20 * MINUTE), "told when it was too much");
    assert_eq!(told(&calls(0, 11)), [""; 0]);
    // Daily, it is told on the days it is not yet usual on.
    let daily: Vec<_> = (0..6).flat_map(|day| calls(day, 12)).collect();
    assert_eq!(told(&daily), ["slow_probing medium"]);
}

#[test]
fn users_tried_one_after_the_other_and_a_guess_that_was_right() {
    let users: Vec<String> = (0..8).map(|n| format!("arn:aws:iam::111122223333:user/u{n}")).collect();
    let failed = |n: usize, spacing: i64| Call {
        id: format!("failed {n}"),
        identity: user(&users[n]),
        error_message: "Failed authentication",
        response: r#"{"ConsoleLogin":"Failure"}"#,
        ..Call::new("signin", "ConsoleLogin", TEN.plus(n as i64 * spacing))
    };
    let slowly: Vec<_> = (0..8).map(|n| failed(n, HOUR)).collect();
    assert_eq!(told(&slowly), ["slow_spraying medium"]);
    let mut quickly: Vec<_> = (0..8).map(|n| failed(n, 10)).collect();
    assert_eq!(told(&quickly), ["password_spraying high"]);
    quickly.push(Call {
        identity: user(&users[7]),
        response: r#"{"ConsoleLogin":"Success"}"#,
        ..Call::new("signin", "ConsoleLogin", TEN.plus(10 * MINUTE))
    });
    let finding = only(&quickly);
    assert_eq!(finding.severity.name(), "critical");
    assert!(has_reason(&finding, "then_signed_in", "2026-03-02T10:10:00Z from 198.51.100.7"), "{finding:#?}");
}

#[test]
fn less_is_enough_at_an_hour_or_on_a_weekday_when_refusals_are_usually_none() {
    let burst = |time: EventTime, count: i64| repeated(&denied("s3", "GetObject", time), count, 2);
    let mondays_to_fridays = (0..28).filter(|day| day % 7 < 5);
    let usual: Vec<_> = mondays_to_fridays.flat_map(|day| burst(TEN.plus(day * DAY), 24)).collect();
    let with = |time: EventTime, count: i64| [usual.clone(), burst(time, count)].concat();
    let (night, saturday) = (TEN.plus(28 * DAY + 12 * HOUR), TEN.plus(33 * DAY));
    for (time, text) in [(night, "usually none about 22:00 UTC"), (saturday, "usually none on a Saturday")] {
        let finding = only(&with(time, 36));
        assert!(has_reason(&finding, "unusual_time", text), "{finding:#?}");
        assert_eq!(found_in(&with(time, 35)), [], "half as much again as usual is the least");
    }
    let an_hour_late = TEN.plus(28 * DAY + HOUR);
    assert_eq!(found_in(&with(an_hour_late, 71)), []);
    let finding = only(&with(an_hour_late, 72));
    assert!(!has_reason(&finding, "unusual_time", ""), "{finding:#?}");
}

const WALK: [(&str, &str); 8] = [
    ("s3", "ListBuckets"),
    ("iam", "ListUsers"),
    ("ec2", "DescribeInstances"),
    ("rds", "DescribeDBInstances"),
    ("kms", "ListKeys"),
    ("sns", "ListTopics"),
    ("sqs", "ListQueues"),
    ("ecs", "ListClusters"),
];

/// What is told of facts as they are, and once they are closed.
fn open_and_closed(ledger: &Ledger<Remembered>) -> [Vec<Finding>; 2] {
    let detector = AccessDeniedSpike::new(Config::default()).unwrap();
    let mut closed = ledger.clone();
    closed.close(i64::MAX / 2);
    [ledger, &closed].map(|ledger| find(&detector, ledger, NO_LEARNING))
}

/// A scanner that is refused the same every hour of a month, and a burst of it at the end.
#[test]
fn of_hours_as_all_others_little_is_kept_and_nothing_is_told_otherwise() {
    let mut calls: Vec<Call<'_>> =
        (0..24 * 24).flat_map(|hour| each_of(&WALK, TEN.plus(hour * HOUR))).collect();
    calls.extend(repeated(&denied("ssm", "GetParameter", TEN.plus(23 * DAY + 20 * MINUTE)), 40, 2));
    let [told, closed] = open_and_closed(&teach::<AccessDeniedSpike>(&calls));
    assert_eq!(told.iter().map(|f| f.kind).collect::<Vec<_>>(), ["denied_calls", "denied_calls"]);
    assert!(told[1].evidence.len() == EVIDENCE && *told[1].evidence[0].name == *"GetParameter");
    assert_eq!(closed, told);

    let mut as_it_came = Ledger::default();
    for day in calls.chunks(WALK.len() * 24) {
        as_it_came.absorb(teach::<AccessDeniedSpike>(day));
        as_it_came.close(day[0].time.minute() - 180);
    }
    as_it_came.close(i64::MAX / 2);
    assert_eq!(open_and_closed(&as_it_came), [told.clone(), told]);
    for (key, facts) in as_it_came.sorted() {
        let kept: usize = facts.windows.hours(0).values().map(|peak| peak.summary.sample.iter().len()).sum();
        // Of the first days, which nothing was before, and of the burst.
        assert!(kept <= 4 * 24 * EVIDENCE, "{kept} of {key:?}");
    }
}

/// Refusals of many actions on three days, and a flood of one that is learnt after everything was closed: it makes the second
/// day's busiest window a narrow one, and the third day's is no less usual for that.
#[test]
fn what_is_learnt_later_makes_no_hour_less_ordinary() {
    let walks: Vec<Call<'_>> = [0, 1, 7]
        .into_iter()
        .flat_map(|day| {
            let twice =
                [0, 20].into_iter().flat_map(move |after| each_of(&WALK, TEN.plus(day * DAY + after)));
            twice.map(|call| Call { id: format!("{} {}", call.id, call.time.0), ..call })
        })
        .collect();
    let flood = repeated(&denied("ssm", "GetParameter", TEN.plus(DAY + 30 * MINUTE)), 60, 2);
    let whole = teach::<AccessDeniedSpike>(walks.iter().chain(&flood));
    let mut in_parts = teach::<AccessDeniedSpike>(&walks);
    in_parts.close(i64::MAX / 2);
    let thin = |ledger: &Ledger<Remembered>| {
        let hours = ledger.sorted().into_iter().flat_map(|(_, facts)| facts.windows.hours(0).into_values());
        hours.filter(|peak| peak.summary.is_thin()).count()
    };
    assert!(thin(&in_parts) > 0);
    in_parts.absorb(teach::<AccessDeniedSpike>(&flood));
    let [told, closed] = open_and_closed(&whole);
    assert_eq!(closed, told);
    assert_eq!(open_and_closed(&in_parts), [told.clone(), told]);
}
