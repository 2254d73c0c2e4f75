//! CI: tests, Terraform plans and applies, deploys. Bursts, throttling, and the same policies written again and again.

use super::Character;
use crate::simulate::agents::{RUNNER, TERRAFORM};
use crate::simulate::caller::Caller;
use crate::simulate::clock::Rhythm;
use crate::simulate::dice::{Dice, unique_id};
use crate::simulate::document;
use crate::simulate::record::{Outcome, THROTTLED};
use crate::simulate::routine::{Activity, Actor, Episode, Menu, Numbered, Routine, Sessions, Step, Timing};
use crate::simulate::world::{HOME, Purpose, World};

/// The provider of CI's tokens.
const PROVIDER: &str = "token.actions.example.com";

const ROLES: [&str; 4] = ["ci-deploy", "ci-infrastructure", TESTS, "ci-release"];
/// The role of integration tests.
const TESTS: &str = "ci-integration-tests";

pub(super) fn settle(world: &mut World, account: usize, character: Character) {
    if world.accounts[account].purpose == Purpose::Management {
        return;
    }
    for role in &ROLES[..character.pipelines] {
        pipeline(world, account, role, character);
    }
    world.accounts[account].delivery_role = ROLES[0].to_owned();
}

fn pipeline(world: &mut World, account: usize, role: &str, character: Character) {
    let id = world.accounts[account].id.clone();
    let functions: Vec<String> = world.accounts[account].functions.iter().map(|f| f.name.clone()).collect();
    let stream = format!("{role} {id}");
    let mut dice = Dice::new(0, &stream);
    let addresses = (0..24).map(|_| super::machine_address(&mut dice)).collect();
    let opening = vec![Step::once(sign_in(world, &id, role))];
    let plan = plan(world, &id, role, &functions);
    let apply = apply(world, &id, role, &functions);
    let deploy = deploy(world, &id, role, &functions);
    let denials = refused(world, &id, role, &functions);
    let runs = [
        (
            0.5,
            Episode {
                opening: opening.clone(),
                menu: plan.clone(),
                bursts: (2, 12),
                calls: (6, 16),
                pause: (1, 6),
                closing: Vec::new(),
            },
        ),
        (
            0.2,
            Episode {
                opening: opening.clone(),
                menu: plan,
                bursts: (2, 12),
                calls: (6, 16),
                pause: (1, 6),
                closing: apply,
            },
        ),
        (0.3, Episode { opening: opening.clone(), closing: deploy, ..Episode::default() }),
    ];
    // Integration tests also try what has to be refused.
    let test_runs = if role == TESTS {
        vec![(0.6, Episode { opening: opening.clone(), closing: denials, ..Episode::default() })]
    } else {
        Vec::new()
    };
    world.actors.push(Actor {
        name: stream,
        sessions: Sessions::PerEpisode { name: "run-".to_owned(), numbered: Numbered::Yes, addresses },
        routines: runs
            .into_iter()
            .chain(test_runs)
            .map(|(share, episode)| Routine {
                timing: Timing::Rate(character.runs * share, Rhythm::Office),
                activity: Activity::Episode(episode),
            })
            .collect(),
        from: 0,
    });
}

/// The run exchanges its token for the role.
fn sign_in(world: &mut World, account: &str, role: &str) -> u32 {
    let subject = format!("repo:example/{role}:ref:refs/heads/main");
    let caller = Caller::web_identity(account, PROVIDER, &subject).calling_with(RUNNER);
    let role_id = unique_id("AROA", &format!("{account} {role}"));
    world.scribe(&caller, HOME).done(
        "sts:AssumeRoleWithWebIdentity",
        &[("role", role), ("role-id", &role_id), ("subject", &subject), ("provider", PROVIDER)],
    )
}

/// Terraform reads all it manages, some of which is not there, faster than AWS likes.
fn plan(world: &mut World, account: &str, role: &str, functions: &[String]) -> Menu {
    let mut scribe = world.scribe(&Caller::role(account, role, TERRAFORM), HOME);
    let mut menu = vec![
        (3, scribe.done("sts:GetCallerIdentity", &[])),
        (4, scribe.done("ec2:DescribeSecurityGroups", &[])),
        (4, scribe.done("ec2:DescribeSubnets", &[])),
        (3, scribe.done("ec2:DescribeVpcs", &[])),
        (2, scribe.done("ec2:DescribeRouteTables", &[])),
        (3, scribe.done("kms:DescribeKey", &[])),
        (2, scribe.done("logs:DescribeLogGroups", &[])),
        (2, scribe.done("events:DescribeRule", &[])),
        (2, scribe.done("apigateway:GetRestApi", &[])),
        (
            2,
            scribe.ended(
                "ec2:DescribeInstances",
                Outcome::Failed("Client.RequestLimitExceeded", "Request limit exceeded."),
                &[],
            ),
        ),
        (1, scribe.ended("ssm:DescribeParameters", THROTTLED, &[])),
    ];
    for function in functions {
        let bucket = format!("{function}-{account}");
        let function_role = format!("{function}-role");
        let names = [
            ("function", &**function),
            ("role", &*function_role),
            ("table", &**function),
            ("bucket", &*bucket),
        ];
        menu.extend([
            (3, scribe.done("lambda:GetFunction", &names)),
            (3, scribe.done("iam:GetRole", &names)),
            (3, scribe.done("iam:GetRolePolicy", &names)),
            (2, scribe.done("iam:ListAttachedRolePolicies", &names)),
            (2, scribe.done("dynamodb:DescribeTable", &names)),
            (2, scribe.done("s3:GetBucketPolicy", &names)),
            (
                1,
                scribe.ended(
                    "s3:GetBucketWebsite",
                    Outcome::Failed(
                        "NoSuchWebsiteConfiguration",
                        "The specified bucket does not have a website configuration",
                    ),
                    &names,
                ),
            ),
            (
                1,
                scribe.ended(
                    "lambda:GetPolicy",
                    Outcome::Failed(
                        "ResourceNotFoundException",
                        "The resource you requested does not exist.",
                    ),
                    &names,
                ),
            ),
        ]);
    }
    Menu::of(menu)
}

/// Terraform writes what it thinks has changed: mostly the documents of last time.
fn apply(world: &mut World, account: &str, role: &str, functions: &[String]) -> Vec<Step> {
    let mut scribe = world.scribe(&Caller::role(account, role, TERRAFORM), HOME);
    let preview = unique_id("AROA", &format!("{account} ci-preview"));
    let names = [("role", "ci-preview"), ("owner", account), ("role-id", &*preview)];
    let mut steps = vec![Step::perhaps(scribe.done("sts:AssumeRole", &names), 0.4)];
    for function in functions {
        let policy = document::quoted(&document::function_role(account, function));
        let function_role = format!("{function}-role");
        let names = [("function", &**function), ("role", &*function_role), ("quoted-document", &*policy)];
        steps.push(Step::perhaps(scribe.done("iam:PutRolePolicy", &names), 0.35));
        steps.push(Step::perhaps(scribe.done("lambda:UpdateFunctionConfiguration", &names), 0.25));
        let trust = document::quoted(&document::lambda_trust());
        let names = [("role", &*function_role), ("quoted-document", &*trust)];
        steps.push(Step::perhaps(scribe.done("iam:UpdateAssumeRolePolicy", &names), 0.1));
        let bucket = format!("{function}-{account}");
        let policy = document::bucket_of_role(account, &bucket, &function_role);
        let names = [("bucket", &*bucket), ("document", &*policy)];
        steps.push(Step::perhaps(scribe.done("s3:PutBucketPolicy", &names), 0.2));
        let parameter = format!("/{function}/config");
        let names = [("parameter", &*parameter)];
        steps.push(Step { times: (1, 6), ..Step::perhaps(scribe.done("ssm:PutParameter", &names), 0.3) });
        steps.push(Step {
            times: (1, 4),
            ..Step::perhaps(scribe.ended("ssm:PutParameter", THROTTLED, &names), 0.1)
        });
    }
    steps
}

/// What a test expects to be refused, in every run.
fn refused(world: &mut World, account: &str, role: &str, functions: &[String]) -> Vec<Step> {
    let mut scribe = world.scribe(&Caller::role(account, role, RUNNER), HOME);
    let mut steps = Vec::new();
    for function in functions {
        let bucket = format!("{function}-{account}");
        let names =
            [("table", &**function), ("bucket", &*bucket), ("key", "in/0.json"), ("function", &**function)];
        steps.push(Step::several(scribe.denied("dynamodb:PutItem", &names), (1, 3)));
        steps.push(Step::several(scribe.denied("s3:GetObject", &names), (1, 3)));
    }
    steps
}

/// New code for some of the functions.
fn deploy(world: &mut World, account: &str, role: &str, functions: &[String]) -> Vec<Step> {
    let mut scribe = world.scribe(&Caller::role(account, role, RUNNER), HOME);
    let bucket = format!("artifacts-{account}");
    let mut steps = vec![
        Step::once(scribe.done("sts:GetCallerIdentity", &[])),
        Step::several(
            scribe.done("s3:PutObject", &[("bucket", &bucket), ("key", "builds/<serial:900000>.zip")]),
            (1, 3),
        ),
    ];
    for function in functions {
        let names = [("function", &**function), ("bucket", &*bucket)];
        let update = Step::perhaps(scribe.done("lambda:UpdateFunctionCode", &names), 0.6);
        let wait =
            Step { times: (1, 4), pause: 4, ..Step::perhaps(scribe.done("lambda:GetFunction", &names), 0.6) };
        steps.extend([update, wait]);
    }
    steps
}
