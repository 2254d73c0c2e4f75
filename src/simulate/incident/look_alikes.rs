//! Harmless, and alike; and what is no attack and still worth a word.

use super::scene::Scene;
use crate::simulate::dice::unique_id;
use crate::simulate::document;
use crate::simulate::record::{NOT_ALLOWED, Outcome, THROTTLED};

/// Terraform has lost its state and writes everything again, trust policies too.
pub(super) fn policies_again(scene: &mut Scene<'_>) {
    let run = scene.ci_run();
    let id = scene.id();
    for function in scene.account().functions.clone() {
        let role = format!("{}-role", function.name);
        let bucket = format!("{}-{id}", function.name);
        let of_role = document::quoted(&document::function_role(&id, &function.name));
        scene.done(&run, "iam:PutRolePolicy", &[("role", &role), ("quoted-document", &of_role)]);
        let trust = document::quoted(&document::lambda_trust());
        scene.done(&run, "iam:UpdateAssumeRolePolicy", &[("role", &role), ("quoted-document", &trust)]);
        let of_bucket = document::bucket_of_role(&id, &bucket, &role);
        scene.done(&run, "s3:PutBucketPolicy", &[("bucket", &bucket), ("document", &of_bucket)]);
    }
}

/// A new role takes some seconds to be known everywhere.
pub(super) fn eventual_consistency(scene: &mut Scene<'_>) {
    let run = scene.ci_run();
    let id = scene.id();
    let role = "ci-preview";
    let role_id = unique_id("AROA", &format!("{id} {role}"));
    let names = [("role", role), ("owner", &*id), ("role-id", &*role_id)];
    for _ in 0..3 {
        scene.ended(&run, "sts:AssumeRole", NOT_ALLOWED, &names);
        scene.wait((1, 2));
    }
    scene.ended(&run, "sts:AssumeRole", Outcome::Done, &names);
}

/// Many small writes, faster than the API allows.
pub(super) fn throttled_run(scene: &mut Scene<'_>) {
    let run = scene.ci_run();
    let function = scene.function();
    let parameter = format!("/{}/config", function.name);
    let writes = [
        scene.record(&run, "ssm:PutParameter", Outcome::Done, &[("parameter", &parameter)]),
        scene.record(&run, "ssm:PutParameter", THROTTLED, &[("parameter", &parameter)]),
    ];
    scene.flood(&run, &writes, 60, 25);
}

/// A responder's run of Terraform sets things right.
pub(super) fn clean_up(scene: &mut Scene<'_>) {
    let run = scene.ci_run();
    let id = scene.id();
    let function = scene.function();
    let role = format!("{}-role", function.name);
    let bucket = format!("{}-{id}", function.name);
    let trust = document::quoted(&document::lambda_trust());
    scene.done(&run, "iam:UpdateAssumeRolePolicy", &[("role", &role), ("quoted-document", &trust)]);
    let policy = document::bucket_of_role(&id, &bucket, &role);
    scene.done(&run, "s3:PutBucketPolicy", &[("bucket", &bucket), ("document", &policy)]);
}

/// A run takes a permission too many away; the function is denied until the next run gives it back.
pub(super) fn outage(scene: &mut Scene<'_>) {
    let id = scene.id();
    let function = scene.function();
    let role = format!("{}-role", function.name);
    let run = scene.ci_run();
    let broken = document::quoted(&document::function_role_reading(&id, &function.name));
    scene.done(&run, "iam:PutRolePolicy", &[("role", &role), ("quoted-document", &broken)]);
    scene.wait((20, 60));
    let victim = scene.function_itself(&function);
    let denied = [scene.record(&victim, "dynamodb:PutItem", NOT_ALLOWED, &[("table", &function.name)])];
    let count = 150 + scene.scale;
    scene.flood(&victim, &denied, count, 1_200);
    let run = scene.ci_run();
    let mended = document::quoted(&document::function_role(&id, &function.name));
    scene.done(&run, "iam:PutRolePolicy", &[("role", &role), ("quoted-document", &mended)]);
}

/// Marketing has sent a mail to everybody: a good day.
pub(super) fn campaign(scene: &mut Scene<'_>) {
    let (gateway, invoke) = super::cost::api(scene);
    let count = 4 * scene.scale;
    scene.flood(&gateway, &[invoke], count, 7_200);
}
