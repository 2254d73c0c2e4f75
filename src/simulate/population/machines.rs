//! AWS itself at work in every account, and EC2 instances.

use super::{Character, calls, machine_address};
use crate::simulate::agents::{PYTHON, SSM_AGENT};
use crate::simulate::caller::{Caller, Session};
use crate::simulate::clock::{Days, Rhythm};
use crate::simulate::dice::{Dice, unique_id};
use crate::simulate::routine::{Activity, Actor, Episode, Menu, Routine, Sessions, Step, Timing};
use crate::simulate::world::{HOME, Machine, Purpose, World};

pub(super) fn settle(world: &mut World, account: usize, _: Character) {
    let id = world.accounts[account].id.clone();
    cloudtrail(world, &id);
    inventory(world, &id);
    linked_roles(world, &id);
    let machines: &[(&str, usize)] = match world.accounts[account].purpose {
        Purpose::Management => &[],
        Purpose::Production => &[("web-server", 2), ("batch-worker", 1)],
        Purpose::Development => &[("build-agent", 1)],
    };
    for (role, count) in machines {
        for number in 0..*count {
            instance(world, account, role, number);
        }
    }
}

/// CloudTrail checks the bucket it delivers to.
fn cloudtrail(world: &mut World, account: &str) {
    let caller = Caller::service(account, "cloudtrail.amazonaws.com");
    let mut scribe = world.scribe(&caller, HOME);
    let check = scribe.done("s3:GetBucketAcl", &[("bucket", &format!("trail-{account}"))]);
    world.actors.push(Actor {
        name: format!("cloudtrail {account}"),
        sessions: Sessions::Fixed(Session::service("cloudtrail.amazonaws.com")),
        routines: vec![calls(Timing::Every(3_600), [(1, check)])],
        from: 0,
    });
}

/// AWS Config and the like read everything, several times a day.
fn inventory(world: &mut World, account: &str) {
    const READS: [&str; 18] = [
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVolumes",
        "ec2:DescribeVpcs",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeAddresses",
        "iam:ListRoles",
        "iam:ListUsers",
        "iam:ListPolicies",
        "iam:GetAccountPasswordPolicy",
        "s3:ListBuckets",
        "lambda:ListFunctions",
        "dynamodb:ListTables",
        "kms:ListKeys",
        "cloudtrail:DescribeTrails",
        "rds:DescribeDBInstances",
    ];
    for (service, role, hours) in [
        ("config.amazonaws.com", "AWSServiceRoleForConfig", [1, 7, 13, 19].as_slice()),
        ("securityhub.amazonaws.com", "AWSServiceRoleForSecurityHub", [3, 15].as_slice()),
    ] {
        let caller = Caller::linked(account, service, role);
        let mut scribe = world.scribe(&caller, HOME);
        let menu = Menu::of(READS.map(|read| (1, scribe.done(read, &[]))));
        let sweep = Episode { menu, bursts: (4, 6), calls: (10, 14), pause: (5, 40), ..Episode::default() };
        let routines = hours.iter().map(|hour| Routine {
            timing: Timing::At(Days::All, *hour),
            activity: Activity::Episode(sweep.clone()),
        });
        world.actors.push(Actor {
            name: format!("{role} {account}"),
            sessions: Sessions::Renewed {
                every: 21_600,
                name: role.replace("AWSServiceRoleFor", ""),
                address: service.to_owned(),
                record: None,
            },
            routines: routines.collect(),
            from: 0,
        });
    }
}

/// Service-linked roles that look around all day.
fn linked_roles(world: &mut World, account: &str) {
    for (service, role, reads, every) in [
        (
            "trustedadvisor.amazonaws.com",
            "AWSServiceRoleForTrustedAdvisor",
            ["ec2:DescribeReservedInstances", "rds:DescribeDBInstances", "cloudwatch:DescribeAlarms"],
            3_600,
        ),
        (
            "autoscaling.amazonaws.com",
            "AWSServiceRoleForAutoScaling",
            [
                "ec2:DescribeInstances",
                "ec2:DescribeLaunchTemplates",
                "elasticloadbalancing:DescribeTargetHealth",
            ],
            1_200,
        ),
    ] {
        let caller = Caller::linked(account, service, role);
        let mut scribe = world.scribe(&caller, HOME);
        let menu = reads.map(|read| (1, scribe.done(read, &[])));
        world.actors.push(Actor {
            name: format!("{role} {account}"),
            sessions: Sessions::Renewed {
                every: 3_600,
                name: role.replace("AWSServiceRoleFor", ""),
                address: service.to_owned(),
                record: None,
            },
            routines: vec![calls(Timing::Every(every), menu)],
            from: 0,
        });
    }
}

/// An instance: the agent on it reports every few minutes, the program on it works through the day.
fn instance(world: &mut World, account: usize, role: &str, number: usize) {
    let id = world.accounts[account].id.clone();
    let stream = format!("{role} {number} {id}");
    let mut dice = Dice::new(0, &stream);
    let machine = Machine {
        role: role.to_owned(),
        id: format!("i-{:017x}", dice.bits() >> 4),
        address: machine_address(&mut dice),
    };
    let ec2 = Caller::service(&id, "ec2.amazonaws.com");
    let role_id = unique_id("AROA", &format!("{id} {role}"));
    let renewed = world.scribe(&ec2, HOME).done(
        "sts:AssumeRole",
        &[("owner", &id), ("role", role), ("role-id", &role_id), ("address", "ec2.amazonaws.com")],
    );
    let agent = Caller::instance(&id, role, SSM_AGENT);
    let mut scribe = world.scribe(&agent, HOME);
    let report = scribe.done("ssm:UpdateInstanceInformation", &[]);
    let associations = scribe.done("ssm:ListInstanceAssociations", &[]);
    let mut scribe = world.scribe(&agent.calling_with(PYTHON), HOME);
    let bucket = format!("{role}-assets-{id}");
    let work = [
        (6, scribe.done("s3:GetObject", &[("bucket", &bucket), ("key", "assets/<serial:400>.json")])),
        (2, scribe.done("s3:PutObject", &[("bucket", &bucket), ("key", "results/<serial:900000>.json")])),
        (2, scribe.done("kms:Decrypt", &[("context", "s3"), ("resource", &bucket)])),
        (1, scribe.done("ssm:GetParameter", &[("parameter", &format!("/{role}/config"))])),
        (1, scribe.done("ec2:DescribeTags", &[])),
    ];
    let deploy = Episode {
        opening: vec![
            Step::once(scribe.done("sts:GetCallerIdentity", &[])),
            Step::once(
                scribe.done("secretsmanager:GetSecretValue", &[("secret", &format!("{role}/database"))]),
            ),
        ],
        ..Episode::default()
    };
    world.actors.push(Actor {
        name: stream,
        sessions: Sessions::Renewed {
            every: 21_600,
            name: machine.id.clone(),
            address: machine.address.clone(),
            record: Some(renewed),
        },
        routines: vec![
            calls(Timing::Every(600), [(1, report)]),
            calls(Timing::Every(7_200), [(1, associations)]),
            calls(Timing::Volume(300.0, Rhythm::Customers), work),
            Routine { timing: Timing::Every(43_200), activity: Activity::Episode(deploy) },
        ],
        from: 0,
    });
    world.accounts[account].instances.push(machine);
}
