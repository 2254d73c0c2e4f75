//! People: in the console and on the command line, from nine to five, through Identity Center or as IAM users.

use super::{Character, NEWCOMER};
use crate::simulate::agents::{CONSOLE, LAPTOP, OLD_PYTHON};
use crate::simulate::caller::{Caller, Session};
use crate::simulate::clock::Rhythm;
use crate::simulate::dice::{Dice, access_key};
use crate::simulate::record::Outcome;
use crate::simulate::routine::{
    Activity, Actor, Episode, Menu, Numbered, RecordId, Routine, Sessions, Step, Timing,
};
use crate::simulate::template::Bindings;
use crate::simulate::world::{HOME, Purpose, User, World};

/// Names AWS's documentation uses for people who do not exist.
const PEOPLE: [&str; 14] = [
    "mary.major",
    "richard.roe",
    "nikki.wolf",
    "mateo.jackson",
    "saanvi.sarkar",
    "terry.whitlock",
    "zhang.wei",
    "jorge.souza",
    "arnav.desai",
    "carlos.salazar",
    "diego.ramirez",
    "efua.owusu",
    "john.stiles",
    "kwaku.mensah",
];

pub(super) fn settle(world: &mut World, character: Character) {
    for (number, person) in PEOPLE[..character.people.min(PEOPLE.len())].iter().enumerate() {
        // Everybody develops, some look after production, two administer.
        let newcomer = if [3, 5, 8].contains(&number) { NEWCOMER } else { "" };
        for account in 0..world.accounts.len() {
            let set = match world.accounts[account].purpose {
                Purpose::Development => "PowerUserAccess",
                Purpose::Production if number % 3 == 0 => "PowerUserAccess",
                Purpose::Production => "ReadOnlyAccess",
                Purpose::Management if number < 2 => "AdministratorAccess",
                Purpose::Management => continue,
            };
            person_in(world, account, &Person { name: person, set, newcomer });
        }
    }
    for account in 0..world.accounts.len() {
        if world.accounts[account].purpose == Purpose::Production {
            key_user(world, account, "reporting");
            key_user(world, account, "legacy-backup");
            console_user(world, account, "facilities");
        }
    }
}

struct Person<'p> {
    name: &'p str,
    set: &'p str,
    newcomer: &'p str,
}

/// The office, and home.
fn desks(dice: &mut Dice) -> Vec<String> {
    vec!["192.0.2.10".to_owned(), "192.0.2.10".to_owned(), format!("192.0.2.{}", 20 + dice.below(200))]
}

fn person_in(world: &mut World, account: usize, person: &Person<'_>) {
    let Person { name, set, newcomer } = *person;
    let id = world.accounts[account].id.clone();
    let functions: Vec<String> = world.accounts[account].functions.iter().map(|f| f.name.clone()).collect();
    let caller = Caller::permission_set(&id, HOME, set, CONSOLE);
    let sign_in = sign_in(world, &caller);
    let reads = reads(world, &caller, &functions);
    let writes = match set {
        "ReadOnlyAccess" => refused_writes(world, &caller, &functions),
        _ => writes(world, &caller, &functions),
    };
    let session = Episode {
        opening: vec![Step::once(sign_in)],
        menu: reads,
        bursts: (4, 14),
        calls: (2, 7),
        pause: (20, 240),
        closing: writes,
    };
    if set == "PowerUserAccess" && newcomer.is_empty() {
        world.accounts[account].people.push(name.to_owned());
    }
    let shell = shell(world, &caller.calling_with(LAPTOP), &functions);
    let stream = format!("{name} {newcomer} {id}");
    let addresses = desks(&mut Dice::new(0, name));
    let sessions_a_day = match world.accounts[account].purpose {
        Purpose::Management => 0.6,
        Purpose::Production => 0.8,
        Purpose::Development => 1.2,
    };
    world.actors.push(Actor {
        name: stream,
        sessions: Sessions::PerEpisode {
            name: format!("{name}@example.com"),
            numbered: Numbered::No,
            addresses,
        },
        routines: vec![
            Routine {
                timing: Timing::Rate(sessions_a_day, Rhythm::Office),
                activity: Activity::Episode(session),
            },
            Routine { timing: Timing::Rate(0.4, Rhythm::Office), activity: Activity::Episode(shell) },
        ],
        from: 0,
    });
}

/// The sign-in as Identity Center users see it in the account.
fn sign_in(world: &mut World, caller: &Caller) -> RecordId {
    world.scribe(caller, HOME).done("signin:ConsoleLogin", &[("mfa", "No")])
}

/// What console pages read.
fn reads(world: &mut World, caller: &Caller, functions: &[String]) -> Menu {
    let mut scribe = world.scribe(caller, HOME);
    let plain = [
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeVolumes",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:ListMetrics",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:FilterLogEvents",
        "lambda:ListFunctions",
        "dynamodb:ListTables",
        "s3:ListBuckets",
        "health:DescribeEventAggregates",
        "ce:GetCostAndUsage",
        "notifications:ListNotificationHubs",
        "rds:DescribeDBInstances",
        "ecs:ListClusters",
    ];
    let mut menu: Vec<_> = plain.into_iter().map(|read| (4, scribe.done(read, &[]))).collect();
    for function in functions {
        let names: Bindings<'_> = &[("function", function), ("table", function)];
        menu.push((2, scribe.done("lambda:GetFunction", names)));
        menu.push((1, scribe.done("dynamodb:DescribeTable", names)));
        menu.push((
            1,
            scribe.ended(
                "lambda:GetPolicy",
                Outcome::Failed("ResourceNotFoundException", "The resource you requested does not exist."),
                names,
            ),
        ));
    }
    menu.extend(RARE_READS.map(|read| (1, scribe.done(read, &[]))));
    // Pages ask for more than their reader may see.
    menu.extend(REFUSED_READS.map(|read| (1, scribe.denied(read, &[]))));
    Menu::of(menu)
}

/// Pages that somebody opens once in a while.
const RARE_READS: [&str; 20] = [
    "ec2:DescribeImages",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeAddresses",
    "ec2:DescribeNatGateways",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSpotPriceHistory",
    "lambda:ListLayers",
    "lambda:GetAccountSettings",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "sns:ListTopics",
    "sqs:ListQueues",
    "events:ListRules",
    "states:ListStateMachines",
    "apigateway:GetRestApis",
    "acm:ListCertificates",
    "ecr:DescribeRepositories",
    "cloudformation:ListStacks",
    "cloudtrail:LookupEvents",
];
/// What pages ask for in vain.
const REFUSED_READS: [&str; 6] = [
    "organizations:DescribeOrganization",
    "ce:GetCostForecast",
    "support:DescribeTrustedAdvisorChecks",
    "compute-optimizer:GetEnrollmentStatus",
    "notifications:ListNotificationEvents",
    "sso:ListInstances",
];
/// What somebody does by hand in an emergency, and rightly.
const EMERGENCIES: [&str; 5] = [
    "ssm:StartSession",
    "lambda:UpdateFunctionCode",
    "logs:DeleteLogGroup",
    "ec2:StopInstances",
    "rds:DeleteDBSnapshot",
];
/// Changes that somebody makes once in a while.
const RARE_WRITES: [&str; 12] = [
    "cloudwatch:PutDashboard",
    "logs:PutRetentionPolicy",
    "lambda:PublishVersion",
    "lambda:PutFunctionConcurrency",
    "s3:PutBucketTagging",
    "dynamodb:UpdateTable",
    "sns:Subscribe",
    "sqs:PurgeQueue",
    "ecs:UpdateService",
    "rds:CreateDBSnapshot",
    "ec2:RebootInstances",
    "events:DisableRule",
];

/// What somebody who may change things changes now and then.
fn writes(world: &mut World, caller: &Caller, functions: &[String]) -> Vec<Step> {
    let mut scribe = world.scribe(caller, HOME);
    let mut steps = vec![
        Step::perhaps(scribe.done("cloudwatch:PutMetricAlarm", &[]), 0.1),
        Step::perhaps(scribe.done("logs:StartQuery", &[]), 0.5),
        Step::perhaps(scribe.done("ec2:CreateTags", &[]), 0.1),
    ];
    for write in RARE_WRITES {
        steps.push(Step::perhaps(scribe.done(write, &[]), 0.01));
    }
    let bucket = format!("artifacts-{}", caller.account);
    let names = functions.first().map(|function| [("function", &**function), ("bucket", &*bucket)]);
    for write in EMERGENCIES {
        steps.push(Step::perhaps(scribe.done(write, names.as_ref().map_or(&[], |names| &names[..])), 0.004));
    }
    for function in functions {
        let configure = scribe.done("lambda:UpdateFunctionConfiguration", &[("function", function)]);
        steps.push(Step::perhaps(configure, 0.05));
    }
    steps
}

/// Readers try to mend something now and then, and are refused a few times.
fn refused_writes(world: &mut World, caller: &Caller, functions: &[String]) -> Vec<Step> {
    let mut scribe = world.scribe(caller, HOME);
    let mut steps = vec![
        Step {
            times: (1, 3),
            pause: 20,
            ..Step::perhaps(scribe.denied("cloudwatch:PutMetricAlarm", &[]), 0.02)
        },
        Step { times: (1, 2), pause: 20, ..Step::perhaps(scribe.denied("ecs:UpdateService", &[]), 0.02) },
        Step { times: (1, 4), pause: 30, ..Step::perhaps(scribe.denied("ssm:StartSession", &[]), 0.01) },
    ];
    for function in functions {
        let configure = scribe.denied("lambda:UpdateFunctionConfiguration", &[("function", function)]);
        steps.push(Step { times: (1, 3), pause: 20, ..Step::perhaps(configure, 0.01) });
    }
    steps
}

/// An hour on the command line.
fn shell(world: &mut World, caller: &Caller, functions: &[String]) -> Episode {
    let mut scribe = world.scribe(caller, HOME);
    let mut menu = vec![
        (3, scribe.done("s3:ListBuckets", &[])),
        (2, scribe.done("ec2:DescribeInstances", &[])),
        (3, scribe.done("logs:FilterLogEvents", &[])),
    ];
    for function in functions {
        let parameter = format!("/{function}/config");
        menu.push((1, scribe.done("lambda:GetFunction", &[("function", function)])));
        menu.push((1, scribe.done("ssm:GetParameter", &[("parameter", &parameter)])));
    }
    let opening = vec![Step::once(scribe.done("sts:GetCallerIdentity", &[]))];
    Episode {
        opening,
        menu: Menu::of(menu),
        bursts: (2, 8),
        calls: (1, 3),
        pause: (15, 300),
        ..Episode::default()
    }
}

/// A program outside AWS with a user's long-lived key.
fn key_user(world: &mut World, account: usize, name: &str) {
    let id = world.accounts[account].id.clone();
    let agent = OLD_PYTHON;
    let key = Session::new("", &access_key("AKIA", &format!("{id} {name}")), 0, "192.0.2.240");
    let bucket = format!("{name}-{id}");
    let mut scribe = world.scribe(&Caller::user(&id, name, agent), HOME);
    let opening = vec![Step::once(scribe.done("sts:GetCallerIdentity", &[]))];
    let names: Bindings<'_> = &[("bucket", &bucket), ("key", "daily/<serial:5000>.csv")];
    let menu = Menu::of([
        (5, scribe.done("s3:PutObject", names)),
        (3, scribe.done("s3:GetObject", names)),
        (1, scribe.done("s3:ListObjects", names)),
    ]);
    let job = Episode { opening, menu, bursts: (2, 4), calls: (4, 8), pause: (1, 5), ..Episode::default() };
    world.actors.push(Actor {
        name: format!("{name} {id}"),
        sessions: Sessions::Fixed(key.clone()),
        routines: vec![Routine { timing: Timing::Every(14_400), activity: Activity::Episode(job) }],
        from: 0,
    });
    world.accounts[account].users.push(User { name: name.to_owned(), key });
}

/// An IAM user who signs in to the console and sometimes mistypes the password.
fn console_user(world: &mut World, account: usize, name: &str) {
    let id = world.accounts[account].id.clone();
    let mistake = Caller::failing_sign_in(&id, name, CONSOLE);
    let mistyped = world.scribe(&mistake, HOME).ended(
        "signin:ConsoleLogin",
        Outcome::Failed("", "Failed authentication"),
        &[("mfa", "No")],
    );
    let signed_in = world
        .scribe(&Caller::signing_in(&id, name, CONSOLE), HOME)
        .done("signin:ConsoleLogin", &[("mfa", "Yes")]);
    let menu = reads(world, &Caller::console_user(&id, name, CONSOLE), &[]);
    let session = Episode {
        opening: vec![
            Step { times: (1, 2), pause: 20, ..Step::perhaps(mistyped, 0.15) },
            Step::once(signed_in),
        ],
        menu,
        bursts: (3, 9),
        calls: (2, 6),
        pause: (20, 200),
        closing: Vec::new(),
    };
    world.actors.push(Actor {
        name: format!("{name} {id}"),
        sessions: Sessions::PerEpisode {
            name: name.to_owned(),
            numbered: Numbered::No,
            addresses: desks(&mut Dice::new(0, name)),
        },
        routines: vec![Routine {
            timing: Timing::Rate(0.7, Rhythm::Office),
            activity: Activity::Episode(session),
        }],
        from: 0,
    });
}
