//! Jobs by the clock, and the odd tool that has never had the permissions it asks for.

use super::{Character, machine_address};
use crate::simulate::agents::{GO, JAVA, PYTHON};
use crate::simulate::caller::Caller;
use crate::simulate::clock::Days;
use crate::simulate::dice::{Dice, access_key, unique_id};
use crate::simulate::record::PAIR;
use crate::simulate::routine::{Activity, Actor, Episode, Menu, Numbered, Routine, Sessions, Step, Timing};
use crate::simulate::world::{HOME, Purpose, World};

pub(super) fn settle(world: &mut World, account: usize, character: Character) {
    match world.accounts[account].purpose {
        Purpose::Management => monthly_report(world, account),
        Purpose::Development => {}
        Purpose::Production => {
            misconfigured_exporter(world, account);
            backup(world, account);
            for number in 0..character.data_jobs {
                data_job(world, account, number);
            }
        }
    }
    posture_scan(world, account);
}

/// A job's sessions: a new one each time, from one machine.
fn sessions(stream: &str) -> Sessions {
    Sessions::PerEpisode {
        name: "job-".to_owned(),
        numbered: Numbered::Yes,
        addresses: vec![machine_address(&mut Dice::new(0, stream))],
    }
}

/// An exporter of metrics that asks for costs every ten minutes and has always been refused.
fn misconfigured_exporter(world: &mut World, account: usize) {
    let id = world.accounts[account].id.clone();
    let role = "metrics-exporter";
    let mut scribe = world.scribe(&Caller::role(&id, role, GO), HOME);
    let opening = vec![
        Step::once(scribe.done("cloudwatch:GetMetricData", &[])),
        Step::several(scribe.denied("ce:GetCostAndUsage", &[]), (1, 2)),
        Step::once(scribe.denied("tag:GetResources", &[])),
    ];
    world.actors.push(Actor {
        name: format!("{role} {id}"),
        sessions: Sessions::Renewed {
            every: 3_600,
            name: "exporter".to_owned(),
            address: machine_address(&mut Dice::new(0, role)),
            record: None,
        },
        routines: vec![Routine {
            timing: Timing::Every(600),
            activity: Activity::Episode(Episode { opening, ..Episode::default() }),
        }],
        from: 0,
    });
}

/// The security account's scanner walks through every account at night: an enumeration, and a welcome one.
fn posture_scan(world: &mut World, account: usize) {
    const READS: [&str; 16] = [
        "iam:ListUsers",
        "iam:ListRoles",
        "iam:ListPolicies",
        "iam:GetAccountSummary",
        "iam:GetCredentialReport",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSnapshots",
        "ec2:DescribeInstances",
        "s3:ListBuckets",
        "rds:DescribeDBSnapshots",
        "lambda:ListFunctions",
        "kms:ListKeys",
        "cloudtrail:DescribeTrails",
        "config:DescribeConfigurationRecorders",
        "guardduty:ListDetectors",
        "sns:ListTopics",
    ];
    let id = world.accounts[account].id.clone();
    let home = world.accounts[0].id.clone();
    let role = "posture-audit";
    let mut opening = Vec::new();
    if home != id {
        // The caller's account and the role's account both log the call.
        let user = "posture-scanner";
        let mut caller = Caller::user(&home, user, PYTHON);
        let key = access_key("AKIA", &format!("{home} {user}"));
        caller.identity = caller.identity.replace("<key-id>", &key);
        let role_id = unique_id("AROA", &format!("{id} {role}"));
        let names = [("owner", &*id), ("role", role), ("role-id", &*role_id), (PAIR, "")];
        opening.push(Step {
            pause: 0,
            ..Step::once(world.scribe(&caller, HOME).done("sts:AssumeRole", &names))
        });
        let mut from_outside =
            Caller::other_account(&id, &home, &unique_id("AIDA", &format!("{home} {user}")));
        from_outside.identity = from_outside.identity.replace(":<session>", "");
        let seen = world.scribe(&from_outside.calling_with(PYTHON), HOME).done("sts:AssumeRole", &names);
        opening.push(Step::once(seen));
    }
    let mut scribe = world.scribe(&Caller::role(&id, role, PYTHON), HOME);
    let denied = scribe.denied("account:GetAlternateContact", &[]);
    opening.push(Step::once(denied));
    let menu = Menu::of(READS.map(|read| (1, scribe.done(read, &[]))));
    let scan =
        Episode { opening, menu, bursts: (4, 6), calls: (12, 20), pause: (1, 4), ..Episode::default() };
    let stream = format!("{role} {id}");
    world.actors.push(Actor {
        sessions: sessions(&stream),
        name: stream,
        routines: vec![Routine { timing: Timing::At(Days::All, 2), activity: Activity::Episode(scan) }],
        from: 0,
    });
}

/// Snapshots every night; the old ones go on Sundays.
fn backup(world: &mut World, account: usize) {
    let id = world.accounts[account].id.clone();
    let role = "backup";
    let mut scribe = world.scribe(&Caller::role(&id, role, GO), HOME);
    let volumes = Step::once(scribe.done("ec2:DescribeVolumes", &[]));
    let names = [("volume", "vol-<hex:17>"), ("snapshot", "snap-<hex:17>"), ("description", "nightly")];
    let create = Step::several(scribe.done("ec2:CreateSnapshot", &names), (3, 6));
    let delete = Step::several(scribe.done("ec2:DeleteSnapshot", &[]), (10, 25));
    let episode = |steps: &[&Step]| {
        Activity::Episode(Episode { opening: steps.iter().copied().cloned().collect(), ..Episode::default() })
    };
    let stream = format!("{role} {id}");
    world.actors.push(Actor {
        sessions: sessions(&stream),
        name: stream,
        routines: vec![
            Routine { timing: Timing::At(Days::All, 1), activity: episode(&[&volumes, &create]) },
            Routine { timing: Timing::At(Days::Weekly(7), 4), activity: episode(&[&volumes, &delete]) },
        ],
        from: 0,
    });
}

/// The finance department's report, on the second of the month.
fn monthly_report(world: &mut World, account: usize) {
    let id = world.accounts[account].id.clone();
    let role = "finance-report";
    let mut scribe = world.scribe(&Caller::role(&id, role, GO), HOME);
    let opening = vec![
        Step::once(scribe.done("organizations:ListAccounts", &[])),
        Step::several(scribe.done("ce:GetCostAndUsage", &[]), (10, 30)),
        Step::once(scribe.done(
            "s3:PutObject",
            &[("bucket", &format!("finance-{id}")), ("key", "costs/<serial:9000>.csv")],
        )),
    ];
    let stream = format!("{role} {id}");
    let report = Activity::Episode(Episode { opening, ..Episode::default() });
    world.actors.push(Actor {
        sessions: sessions(&stream),
        name: stream,
        routines: vec![
            Routine { timing: Timing::At(Days::Monthly(2), 6), activity: report.clone() },
            Routine { timing: Timing::At(Days::Weekly(1), 6), activity: report },
        ],
        from: 0,
    });
}

/// Reads a bucket from one end to the other, every night; twice on the first of the month, and all of it on Sundays.
fn data_job(world: &mut World, account: usize, number: usize) {
    const JOBS: [&str; 4] = ["warehouse-load", "clickstream-rollup", "ledger-export", "feature-store"];
    let id = world.accounts[account].id.clone();
    let role = JOBS[number % JOBS.len()];
    let bucket = format!("{role}-{id}");
    let mut scribe = world.scribe(&Caller::role(&id, role, JAVA), HOME);
    let opening = vec![Step::several(scribe.done("s3:ListObjects", &[("bucket", &bucket)]), (1, 4))];
    let names = [("bucket", &*bucket), ("key", "year=2026/part-<serial:90000>.parquet")];
    let menu = Menu::of([
        (8, scribe.done("s3:GetObject", &names)),
        (2, scribe.done("s3:PutObject", &names)),
        (1, scribe.done("kms:Decrypt", &[("context", "s3"), ("resource", &bucket)])),
    ]);
    let night =
        Episode { opening, menu, bursts: (10, 15), calls: (5, 12), pause: (1, 8), ..Episode::default() };
    let everything = Episode { bursts: (40, 50), ..night.clone() };
    let stream = format!("{role} {id}");
    world.actors.push(Actor {
        sessions: sessions(&stream),
        name: stream,
        routines: vec![
            Routine { timing: Timing::At(Days::All, 3), activity: Activity::Episode(night.clone()) },
            Routine { timing: Timing::At(Days::Monthly(1), 4), activity: Activity::Episode(night.clone()) },
            Routine { timing: Timing::At(Days::Weekly(7), 5), activity: Activity::Episode(everything) },
        ],
        from: 0,
    });
}
