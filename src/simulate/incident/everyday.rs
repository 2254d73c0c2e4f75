//! What happens in any organisation: unusual, and nobody's fault. Nothing here has a label: an alert on it counts as one
//! too many.

use super::scene::Scene;
use crate::simulate::agents::OLD_PYTHON;
use crate::simulate::caller::{Caller, Session};
use crate::simulate::dice::{access_key, unique_id};
use crate::simulate::document;
use crate::simulate::record::Outcome;

/// A name, and how it goes.
type Happening = (&'static str, fn(&mut Scene<'_>));

/// In the order they come round.
pub(super) const EVERYDAY: &[Happening] = &[
    ("new function", new_function),
    ("wider policy", wider_policy),
    ("onboarding", onboarding),
    ("rotated key", rotated_key),
    ("new function again", new_function),
    ("second region", second_region),
    ("backfill", backfill),
    ("load test", load_test),
];

/// Terraform makes a function, its role, and lets an API call it.
fn new_function(scene: &mut Scene<'_>) {
    let run = scene.ci_run();
    let id = scene.id();
    let function = format!("feature-{}", scene.dice.below(900));
    let role = format!("{function}-role");
    let role_id = unique_id("AROA", &format!("{id} {role}"));
    let trust = document::quoted(&document::lambda_trust());
    let names =
        [("function", &*function), ("role", &*role), ("role-id", &*role_id), ("quoted-document", &*trust)];
    scene.done(&run, "iam:CreateRole", &names);
    let policy = document::quoted(&document::function_role(&id, &function));
    scene.done(&run, "iam:PutRolePolicy", &[("role", &role), ("quoted-document", &policy)]);
    scene.wait((5, 15));
    let bucket = format!("artifacts-{id}");
    scene.done(&run, "lambda:CreateFunction", &[("function", &function), ("bucket", &bucket)]);
    scene.done(&run, "logs:CreateLogGroup", &[("function", &function)]);
    let grant = format!(
        r#""principal":"apigateway.amazonaws.com","sourceArn":"arn:aws:execute-api:eu-west-1:{id}:a1b2c3d4e5/*/GET/{function}""#
    );
    let names = [("function", &*function), ("statement", "api"), ("grant", &*grant)];
    scene.done(&run, "lambda:AddPermission", &names);
}

/// A function may now delete what it could write.
fn wider_policy(scene: &mut Scene<'_>) {
    let run = scene.ci_run();
    let id = scene.id();
    let function = scene.function();
    let role = format!("{}-role", function.name);
    let policy = document::quoted(&document::function_role_deleting(&id, &function.name));
    scene.done(&run, "iam:PutRolePolicy", &[("role", &role), ("quoted-document", &policy)]);
}

/// An administrator gives a new colleague access to an account.
fn onboarding(scene: &mut Scene<'_>) {
    let owner = scene.id();
    let administrator = scene.administrator();
    scene.done(&administrator, "sso-directory:DescribeUsers", &[]);
    scene.wait((20, 90));
    scene.done(&administrator, "sso:ListPermissionSets", &[]);
    scene.wait((20, 90));
    scene.done(&administrator, "sso:CreateAccountAssignment", &[("owner", &owner)]);
}

/// A program replaces its own key.
fn rotated_key(scene: &mut Scene<'_>) {
    let user = scene.user();
    let caller = Caller::user(&scene.id(), &user.name, OLD_PYTHON);
    let owner = scene.role(caller, user.key);
    let next = access_key("AKIA", &format!("{} {}", user.name, scene.now));
    let names = [("user", &*user.name), ("new-key", &*next)];
    scene.done(&owner, "iam:ListAccessKeys", &names);
    scene.done(&owner, "iam:CreateAccessKey", &names);
    scene.wait((60, 600));
    scene.done(&owner, "iam:DeleteAccessKey", &names);
}

/// Terraform is pointed at another region, and plans there.
fn second_region(scene: &mut Scene<'_>) {
    let mut run = scene.ci_run();
    run.region = "eu-central-1";
    for action in [
        "sts:GetCallerIdentity",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeSecurityGroups",
        "kms:DescribeKey",
        "logs:DescribeLogGroups",
    ] {
        scene.done(&run, action, &[]);
    }
}

/// A day of messages is worked through once more: a function is called ten times as often as usual, for an hour.
fn backfill(scene: &mut Scene<'_>) {
    let function = scene.function();
    let caller = Caller::service(&scene.id(), "lambda.amazonaws.com");
    let queue = scene.role(caller, Session::service("lambda.amazonaws.com"));
    let names = [("function", &*function.name), ("invocation", "RequestResponse")];
    let invoke = [scene.record(&queue, "lambda:Invoke", Outcome::Done, &names)];
    let count = 1_200 + scene.scale * 3;
    scene.flood(&queue, &invoke, count, 3_600);
}

/// Somebody tries how much the API bears before a launch.
fn load_test(scene: &mut Scene<'_>) {
    let (gateway, invoke) = super::cost::api(scene);
    let count = 600 + scene.scale;
    scene.flood(&gateway, &[invoke], count, 900);
}
