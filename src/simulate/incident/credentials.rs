//! Credentials in the wrong hands.

use super::scene::{Role, Scene};
use crate::simulate::agents::CONSOLE;
use crate::simulate::caller::{Caller, Session};
use crate::simulate::dice::{access_key, unique_id};
use crate::simulate::record::{NOT_ALLOWED, Outcome};

/// What tools for finding out one's permissions try, beginning with what is most often allowed.
const PROBES: [&str; 34] = [
    "s3:ListBuckets",
    "iam:ListUsers",
    "iam:ListRoles",
    "iam:GetAccountAuthorizationDetails",
    "ec2:DescribeInstances",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVpcs",
    "lambda:ListFunctions",
    "dynamodb:ListTables",
    "secretsmanager:ListSecrets",
    "ssm:DescribeParameters",
    "kms:ListKeys",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSnapshots",
    "sns:ListTopics",
    "sqs:ListQueues",
    "cloudtrail:DescribeTrails",
    "cloudformation:ListStacks",
    "ecr:DescribeRepositories",
    "ecs:ListClusters",
    "eks:ListClusters",
    "logs:DescribeLogGroups",
    "route53:ListHostedZones",
    "ses:GetSendQuota",
    "glue:GetDatabases",
    "athena:ListWorkGroups",
    "redshift:DescribeClusters",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "organizations:DescribeOrganization",
    "guardduty:ListDetectors",
    "sso:ListInstances",
    "bedrock:ListFoundationModels",
];

fn probe(scene: &mut Scene<'_>, role: &Role, rounds: i64) {
    for _ in 0..rounds {
        let mut probes = PROBES;
        scene.dice.shuffle(&mut probes);
        for action in probes {
            scene.ended(role, action, NOT_ALLOWED, &[("bucket", "s3")]);
        }
    }
}

/// A key from a leaked configuration file: who am I, then everything there is.
pub(super) fn stolen_key(scene: &mut Scene<'_>) {
    let user = scene.user();
    let thief = scene.stolen_key(&user);
    scene.done(&thief, "sts:GetCallerIdentity", &[]);
    scene.wait((5, 40));
    let rounds = scene.dice.within((2, 4));
    probe(scene, &thief, rounds);
}

/// Code that got into a function tries the same with the function's role, from within.
pub(super) fn function_probing(scene: &mut Scene<'_>) {
    let function = scene.function();
    let role = scene.function_itself(&function);
    scene.done(&role, "sts:GetCallerIdentity", &[]);
    probe(scene, &role, 1);
}

/// One guess a user, over several minutes, from one address.
pub(super) fn password_spraying(scene: &mut Scene<'_>) {
    const NAMES: [&str; 16] = [
        "admin",
        "administrator",
        "root",
        "test",
        "backup",
        "deploy",
        "jenkins",
        "terraform",
        "support",
        "finance",
        "facilities",
        "reporting",
        "dev",
        "ops",
        "service",
        "aws",
    ];
    let id = scene.id();
    let address = scene.outside();
    scene.involve(&address);
    for _ in 0..scene.dice.within((2, 3)) {
        for name in NAMES {
            let session = Session::new("", "", 0, &address);
            let victim = scene.role(Caller::failing_sign_in(&id, name, CONSOLE), session);
            let failed = Outcome::Failed("", "Failed authentication");
            scene.ended(&victim, "signin:ConsoleLogin", failed, &[("mfa", "No")]);
            scene.wait((1, 8));
        }
    }
}

/// The role of an instance makes a user, gives it a key and everything else, and the new user looks around.
pub(super) fn new_administrator(scene: &mut Scene<'_>) {
    let thief = scene.stolen_instance();
    let id = scene.id();
    let user = "support-temp";
    let key = access_key("AKIA", &format!("{id} {user} {}", scene.now));
    let names = [
        ("user", user),
        ("user-id", &*unique_id("AIDA", &format!("{id} {user}"))),
        ("new-key", &key),
        ("policy-arn", "arn:aws:iam::aws:policy/AdministratorAccess"),
    ];
    scene.done(&thief, "sts:GetCallerIdentity", &[]);
    for action in ["iam:ListUsers", "iam:CreateUser", "iam:CreateAccessKey", "iam:AttachUserPolicy"] {
        scene.wait((3, 20));
        scene.done(&thief, action, &names);
    }
    scene.wait((60, 300));
    let session = Session::new("", &key, 0, &thief.session.address);
    let administrator = scene.role(Caller::user(&id, user, &thief.caller.agent), session);
    for action in ["sts:GetCallerIdentity", "s3:ListBuckets", "iam:ListRoles", "secretsmanager:ListSecrets"] {
        scene.done(&administrator, action, &[("bucket", "s3")]);
        scene.wait((2, 30));
    }
}

/// Out of the organisation is out of its guardrails: one call, denied, and never made before.
pub(super) fn leaving_organization(scene: &mut Scene<'_>) {
    let thief = scene.hijacked_person();
    scene.done(&thief, "sts:GetCallerIdentity", &[]);
    scene.wait((5, 30));
    let guarded = Outcome::Denied("with an explicit deny in a service control policy");
    scene.ended(&thief, "organizations:LeaveOrganization", guarded, &[]);
}
