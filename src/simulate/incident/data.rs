//! Data read out.

use super::scene::Scene;
use crate::simulate::agents::LAPTOP;
use crate::simulate::record::{NOT_ALLOWED, Outcome};

/// The classic of serverless: credentials leak from a function's environment; whoever has them may do what the function
/// may, and reads its table from end to end.
pub(super) fn table_read_out(scene: &mut Scene<'_>) {
    let function = scene.function();
    let address = scene.outside();
    let thief = scene.function_role(&function, &address, LAPTOP);
    let table = [("table", &*function.name)];
    scene.done(&thief, "sts:GetCallerIdentity", &[]);
    scene.wait((10, 60));
    scene.ended(&thief, "dynamodb:ListTables", NOT_ALLOWED, &[]);
    scene.wait((10, 60));
    let reads = [
        scene.record(&thief, "dynamodb:Scan", Outcome::Done, &table),
        scene.record(&thief, "dynamodb:GetItem", Outcome::Done, &table),
    ];
    let (count, seconds) = (900 + scene.scale * 2, scene.dice.within((300, 480)));
    scene.flood(&thief, &reads, count, seconds);
}

/// Every secret there is, in about a minute.
pub(super) fn secrets_read_out(scene: &mut Scene<'_>) {
    let person = scene.hijacked_person();
    scene.done(&person, "secretsmanager:ListSecrets", &[]);
    scene.wait((2, 10));
    for number in 0..scene.dice.within((35, 60)) {
        scene.done(
            &person,
            "secretsmanager:GetSecretValue",
            &[("secret", &format!("service-{number}/credentials"))],
        );
    }
}

/// A backup key that usually writes reads everything.
pub(super) fn bucket_download(scene: &mut Scene<'_>) {
    let user = scene.user();
    let thief = scene.stolen_key(&user);
    let bucket = format!("{}-{}", user.name, scene.id());
    let names = [("bucket", &*bucket), ("key", "daily/<serial:5000>.csv")];
    scene.done(&thief, "s3:ListObjects", &names);
    scene.wait((2, 20));
    let read = [scene.record(&thief, "s3:GetObject", Outcome::Done, &names)];
    let (count, seconds) = (1_200 + scene.scale, scene.dice.within((240, 420)));
    scene.flood(&thief, &read, count, seconds);
}
