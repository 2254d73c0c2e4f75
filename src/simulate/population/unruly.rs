//! What keeps a real organisation from being quiet: scanners that may not read everything, runs that look for drift, programs
//! that retry what is refused, people called out at night, days of release and month ends, machines that come and go.

use super::{Character, NEWCOMER, machine_address};
use crate::simulate::agents::{CONSOLE, GO, JAVA, PYTHON, RUNTIME, TERRAFORM};
use crate::simulate::caller::Caller;
use crate::simulate::clock::{Days, Rhythm};
use crate::simulate::dice::Dice;
use crate::simulate::record::Outcome;
use crate::simulate::routine::{Activity, Actor, Episode, Menu, Numbered, Routine, Sessions, Step, Timing};
use crate::simulate::world::{HOME, Purpose, World};

pub(super) fn settle(world: &mut World, account: usize, character: Character) {
    let purpose = world.accounts[account].purpose;
    vendor_scanner(world, account, "");
    drift(world, account, character);
    if purpose == Purpose::Production {
        // Another vendor is tried out later on.
        vendor_scanner(world, account, NEWCOMER);
        retrier(world, account);
        release(world, account);
        month_end(world, account);
        scaling(world, account);
    }
    if purpose != Purpose::Management {
        on_call(world, account);
    }
}

/// A new session each time, from a few machines.
fn sessions(stream: &str, name: &str) -> Sessions {
    let mut dice = Dice::new(0, stream);
    let addresses = (0..3).map(|_| machine_address(&mut dice)).collect();
    Sessions::PerEpisode { name: name.to_owned(), numbered: Numbered::Yes, addresses }
}

fn actor(stream: String, sessions: Sessions, routines: Vec<(Timing, Episode)>) -> Actor {
    let routine = |(timing, episode)| Routine { timing, activity: Activity::Episode(episode) };
    Actor { name: stream, sessions, routines: routines.into_iter().map(routine).collect(), from: 0 }
}

/// A vendor's scanner walks through all services four times a day. Its policy is older than some of its checks.
fn vendor_scanner(world: &mut World, account: usize, newcomer: &str) {
    const READS: [&str; 20] = [
        "iam:ListUsers",
        "iam:ListRoles",
        "iam:ListAccessKeys",
        "iam:ListAttachedUserPolicies",
        "iam:GetAccountAuthorizationDetails",
        "ec2:DescribeInstances",
        "ec2:DescribeImages",
        "ec2:DescribeVpcs",
        "ec2:DescribeSecurityGroups",
        "s3:ListBuckets",
        "rds:DescribeDBInstances",
        "rds:DescribeDBSnapshots",
        "lambda:ListFunctions",
        "dynamodb:ListTables",
        "kms:ListKeys",
        "ecr:DescribeRepositories",
        "ecs:ListClusters",
        "sqs:ListQueues",
        "sns:ListTopics",
        "cloudtrail:DescribeTrails",
    ];
    const REFUSED: [&str; 9] = [
        "bedrock:ListFoundationModels",
        "bedrock:GetModelInvocationLoggingConfiguration",
        "sso:ListInstances",
        "organizations:DescribeOrganization",
        "support:DescribeTrustedAdvisorChecks",
        "account:GetAlternateContact",
        "backup:ListBackupVaults",
        "wafv2:ListWebACLs",
        "macie2:GetMacieSession",
    ];
    let id = world.accounts[account].id.clone();
    let role = if newcomer.is_empty() { "cloud-posture-vendor" } else { "inventory-trial" };
    let mut scribe = world.scribe(&Caller::role(&id, role, PYTHON), HOME);
    let opening = vec![Step::once(scribe.done("sts:GetCallerIdentity", &[]))];
    let menu = Menu::of(READS.map(|read| (1, scribe.done(read, &[]))));
    let closing = REFUSED.map(|read| Step::several(scribe.denied(read, &[]), (1, 2))).to_vec();
    let scan = Episode { opening, menu, bursts: (2, 4), calls: (10, 18), pause: (1, 5), closing };
    let stream = format!("{role} {newcomer} {id}");
    let routines = [4, 10, 16, 22].map(|hour| (Timing::At(Days::All, hour), scan.clone()));
    world.actors.push(actor(stream.clone(), sessions(&stream, "scan-"), routines.to_vec()));
}

/// Terraform plans by the clock to see what has drifted, without the permissions to read all of it, and tries again.
fn drift(world: &mut World, account: usize, character: Character) {
    let id = world.accounts[account].id.clone();
    let role = "ci-drift";
    let mut scribe = world.scribe(&Caller::role(&id, role, TERRAFORM), HOME);
    let opening = vec![Step::once(scribe.done("sts:GetCallerIdentity", &[]))];
    let menu = Menu::of([
        (4, scribe.done("ec2:DescribeSecurityGroups", &[])),
        (4, scribe.done("ec2:DescribeSubnets", &[])),
        (3, scribe.done("iam:ListRoles", &[])),
        (3, scribe.done("kms:DescribeKey", &[])),
        (2, scribe.done("logs:DescribeLogGroups", &[])),
        (2, scribe.done("events:ListRules", &[])),
    ]);
    let closing = ["shield:DescribeProtection", "ce:ListCostAllocationTags", "route53domains:ListDomains"]
        .map(|read| Step { pause: 6, ..Step::several(scribe.denied(read, &[]), (1, 4)) })
        .to_vec();
    let plan = Episode { opening, menu, bursts: (1, 3), calls: (8, 16), pause: (1, 5), closing };
    let stream = format!("{role} {id}");
    let every = if character.pipelines > 1 { 7_200 } else { 14_400 };
    world.actors.push(actor(stream.clone(), sessions(&stream, "drift-"), vec![(Timing::Every(every), plan)]));
}

/// A program sends mail it may not send, and tries every message several times.
fn retrier(world: &mut World, account: usize) {
    let id = world.accounts[account].id.clone();
    let role = "notifier-role";
    let mut scribe = world.scribe(&Caller::role(&id, role, RUNTIME), HOME);
    let opening = vec![
        Step::once(scribe.done("sqs:SendMessage", &[("queue", "notifier")])),
        Step { pause: 4, ..Step::several(scribe.denied("ses:SendRawEmail", &[]), (2, 6)) },
    ];
    let message = Episode { opening, ..Episode::default() };
    let stream = format!("{role} {id}");
    let routines = vec![(Timing::Rate(40.0, Rhythm::Customers), message)];
    world.actors.push(actor(stream.clone(), sessions(&stream, "notifier-"), routines));
}

/// Every Thursday all changes of a week go out at once, each with its configuration and secrets.
fn release(world: &mut World, account: usize) {
    let id = world.accounts[account].id.clone();
    let functions: Vec<String> = world.accounts[account].functions.iter().map(|f| f.name.clone()).collect();
    let role = "release-train";
    let mut scribe = world.scribe(&Caller::role(&id, role, GO), HOME);
    let mut opening = Vec::new();
    for function in &functions {
        let (bucket, parameter) = (format!("artifacts-{id}"), format!("/{function}/config"));
        let names = [("function", &**function), ("bucket", &*bucket), ("parameter", &*parameter)];
        opening.push(Step::several(scribe.done("ssm:GetParameter", &names), (2, 8)));
        let secret = format!("{function}/credentials");
        opening.push(Step::once(scribe.done("secretsmanager:GetSecretValue", &[("secret", &secret)])));
        opening.push(Step::several(scribe.done("lambda:UpdateFunctionCode", &names), (1, 3)));
        opening.push(Step::once(scribe.done("lambda:UpdateFunctionConfiguration", &names)));
        opening.push(Step { pause: 6, ..Step::several(scribe.done("lambda:GetFunction", &names), (2, 9)) });
    }
    let train = Episode { opening, ..Episode::default() };
    let stream = format!("{role} {id}");
    let routines = vec![
        (Timing::At(Days::Weekly(4), 9), train.clone()),
        // And again where something was forgotten.
        (Timing::Rate(0.15, Rhythm::Office), train),
    ];
    world.actors.push(actor(stream.clone(), sessions(&stream, "train-"), routines));
}

/// On the last days of a month the books are closed: everything of the month is read once more.
fn month_end(world: &mut World, account: usize) {
    let id = world.accounts[account].id.clone();
    let role = "month-end-close";
    let bucket = format!("ledger-{id}");
    let mut scribe = world.scribe(&Caller::role(&id, role, JAVA), HOME);
    let opening = vec![Step::several(scribe.done("s3:ListObjects", &[("bucket", &bucket)]), (2, 6))];
    let names = [("bucket", &*bucket), ("key", "month/part-<serial:90000>.parquet")];
    let menu = Menu::of([(9, scribe.done("s3:GetObject", &names)), (1, scribe.done("s3:PutObject", &names))]);
    let close =
        Episode { opening, menu, bursts: (4, 7), calls: (140, 260), pause: (5, 60), closing: Vec::new() };
    let weekly = Episode { bursts: (1, 2), calls: (40, 90), ..close.clone() };
    let stream = format!("{role} {id}");
    let routines = vec![(Timing::At(Days::Monthly(2), 3), close), (Timing::At(Days::Weekly(6), 3), weekly)];
    world.actors.push(actor(stream.clone(), sessions(&stream, "close-"), routines));
}

/// Machines come in the morning and go at night, more of them on Mondays; some types are sold out.
fn scaling(world: &mut World, account: usize) {
    let id = world.accounts[account].id.clone();
    let caller = Caller::linked(&id, "autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling");
    let mut scribe = world.scribe(&caller, HOME);
    let names = [("instance-type", "m6i.xlarge"), ("instances", "1")];
    let sold_out = Outcome::Failed(
        "Server.InsufficientInstanceCapacity",
        "We currently do not have sufficient capacity in the Availability Zone you requested.",
    );
    let run = scribe.done("ec2:RunInstances", &names);
    let (failed, end) = (
        Step::perhaps(scribe.ended("ec2:RunInstances", sold_out, &names), 0.2),
        scribe.done("ec2:TerminateInstances", &names),
    );
    let grow = |times| Episode {
        opening: vec![failed.clone(), Step { pause: 12, ..Step::several(run, times) }],
        ..Episode::default()
    };
    let shrink =
        Episode { opening: vec![Step { pause: 40, ..Step::several(end, (4, 9)) }], ..Episode::default() };
    let stream = format!("scaling {id}");
    let sessions = Sessions::Renewed {
        every: 3_600,
        name: "AutoScaling".to_owned(),
        address: "autoscaling.amazonaws.com".to_owned(),
        record: None,
    };
    let routines = vec![
        (Timing::At(Days::All, 6), grow((3, 8))),
        (Timing::At(Days::Weekly(1), 7), grow((6, 11))),
        (Timing::At(Days::All, 20), shrink),
    ];
    world.actors.push(actor(stream, sessions, routines));
}

/// Somebody is called out: pages of the console and a shell on a machine, at any hour, more than the readers' role may see.
fn on_call(world: &mut World, account: usize) {
    const PAGES: [&str; 12] = [
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "logs:StartQuery",
        "logs:GetQueryResults",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceStatus",
        "rds:DescribeDBInstances",
        "rds:DescribeEvents",
        "lambda:ListFunctions",
        "elasticloadbalancing:DescribeTargetHealth",
        "ecs:DescribeServices",
        "health:DescribeEvents",
    ];
    const REFUSED: [&str; 5] = [
        "ce:GetCostForecast",
        "support:DescribeTrustedAdvisorChecks",
        "compute-optimizer:GetEnrollmentStatus",
        "savingsplans:DescribeSavingsPlans",
        "notifications:ListNotificationEvents",
    ];
    let id = world.accounts[account].id.clone();
    let set = "OnCallAccess";
    for (person, nights) in [("richard.roe", 0.12), ("terry.whitlock", 0.12), ("saanvi.sarkar", 0.08)] {
        let mut scribe = world.scribe(&Caller::permission_set(&id, HOME, set, CONSOLE), HOME);
        let opening = vec![Step::once(scribe.done("signin:ConsoleLogin", &[("mfa", "No")]))];
        let mut menu: Vec<_> = PAGES.map(|page| (6, scribe.done(page, &[]))).to_vec();
        menu.extend(REFUSED.map(|page| (1, scribe.denied(page, &[]))));
        let closing = vec![
            Step::perhaps(scribe.done("ssm:StartSession", &[]), 0.5),
            Step::perhaps(scribe.done("ec2:RebootInstances", &[]), 0.3),
            Step::perhaps(scribe.done("ecs:UpdateService", &[]), 0.3),
            Step::perhaps(scribe.done("lambda:PutFunctionConcurrency", &[]), 0.1),
        ];
        let menu = Menu::of(menu);
        let night = Episode { opening, menu, bursts: (8, 25), calls: (3, 14), pause: (10, 120), closing };
        let sessions = Sessions::PerEpisode {
            name: format!("{person}@example.com"),
            numbered: Numbered::No,
            addresses: vec![format!("192.0.2.{}", 20 + Dice::new(0, person).below(200))],
        };
        let routines = vec![(Timing::Rate(nights, Rhythm::Flat), night)];
        world.actors.push(actor(format!("on call {person} {id}"), sessions, routines));
    }
}
