//! Doors opened: one call each that grants too much.

use super::scene::Scene;
use crate::simulate::document;

/// The guard against public buckets is removed, then the policy written.
pub(super) fn public_bucket(scene: &mut Scene<'_>) {
    let function = scene.function();
    let person = scene.hijacked_person();
    let bucket = format!("{}-{}", function.name, scene.id());
    let policy = document::public_bucket(&bucket);
    scene.done(&person, "s3:DeleteBucketPublicAccessBlock", &[("bucket", &bucket)]);
    scene.wait((5, 40));
    scene.done(&person, "s3:PutBucketPolicy", &[("bucket", &bucket), ("document", &policy)]);
}

/// A role that only Lambda could assume can now be assumed from elsewhere.
pub(super) fn foreign_trust(scene: &mut Scene<'_>) {
    let function = scene.function();
    let run = scene.ci_run();
    let trust = document::quoted(&document::foreign_trust(&scene.foreign_account()));
    let role = format!("{}-role", function.name);
    scene.done(&run, "iam:UpdateAssumeRolePolicy", &[("role", &role), ("quoted-document", &trust)]);
}

/// A function's resource policy with everybody in it.
pub(super) fn public_function(scene: &mut Scene<'_>) {
    let function = scene.function();
    let person = scene.hijacked_person();
    let names =
        [("function", &*function.name), ("statement", "integration-test"), ("grant", r#""principal":"*""#)];
    scene.done(&person, "lambda:AddPermission", &names);
}

/// First the selectors, then the trail itself.
pub(super) fn silenced_trail(scene: &mut Scene<'_>) {
    let person = scene.hijacked_person();
    let names = [("trail", "account-trail")];
    scene.done(&person, "cloudtrail:DescribeTrails", &[]);
    scene.wait((10, 60));
    scene.done(&person, "cloudtrail:PutEventSelectors", &names);
    scene.wait((30, 120));
    scene.done(&person, "cloudtrail:StopLogging", &names);
}

/// A disk, copied and handed out.
pub(super) fn shared_snapshot(scene: &mut Scene<'_>) {
    let person = scene.hijacked_person();
    let snapshot = format!("snap-{:017x}", scene.dice.bits() >> 4);
    let foreign = scene.foreign_account();
    let names = [
        ("volume", "vol-<hex:17>"),
        ("snapshot", &*snapshot),
        ("foreign", &*foreign),
        ("description", "migration"),
    ];
    scene.done(&person, "ec2:CreateSnapshot", &names);
    scene.wait((120, 600));
    scene.done(&person, "ec2:ModifySnapshotAttribute", &names);
}
