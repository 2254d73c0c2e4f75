//! Somebody else's bill.

use super::scene::{Role, Scene};
use crate::simulate::caller::{Caller, Session};
use crate::simulate::record::Outcome;
use crate::simulate::routine::RecordId;

/// The API gateway, and its call of the function behind the public API.
pub(super) fn api(scene: &mut Scene<'_>) -> (Role, RecordId) {
    let id = scene.id();
    let principal = "apigateway.amazonaws.com";
    let gateway = scene.role(Caller::service(&id, principal), Session::service(principal));
    let function = scene.public_function().name;
    scene.involve(&format!("arn:aws:lambda:{}:{id}:function:{function}", gateway.region));
    let names = [("function", &*function), ("invocation", "RequestResponse")];
    let invoke = scene.record(&gateway, "lambda:Invoke", Outcome::Done, &names);
    (gateway, invoke)
}

/// Requests pour in through the API; the account pays for every one.
pub(super) fn invocation_flood(scene: &mut Scene<'_>) {
    let (gateway, invoke) = api(scene);
    let (count, seconds) = (2_500 + scene.scale * 2, scene.dice.within((480, 720)));
    scene.flood(&gateway, &[invoke], count, seconds);
}

/// Instances with many processors, where nobody looks.
pub(super) fn mining(scene: &mut Scene<'_>) {
    let mut thief = scene.stolen_instance();
    thief.region = "ap-southeast-2";
    scene.done(&thief, "ec2:DescribeInstances", &[]);
    scene.done(&thief, "ec2:DescribeRegions", &[]);
    for _ in 0..scene.dice.within((3, 6)) {
        scene.wait((5, 40));
        let names = [("instance-type", "c7a.48xlarge"), ("instances", "4")];
        scene.done(&thief, "ec2:RunInstances", &names);
    }
}

/// Prompts on somebody else's account.
pub(super) fn model_abuse(scene: &mut Scene<'_>) {
    let user = scene.user();
    let mut thief = scene.stolen_key(&user);
    thief.region = "us-west-2";
    let names = [("model", "anthropic.claude-3-5-sonnet-20241022-v2:0")];
    scene.done(&thief, "bedrock:ListFoundationModels", &[]);
    scene.wait((5, 30));
    let invalid = Outcome::Failed("ValidationException", "max_tokens: must be greater than or equal to 1");
    scene.ended(&thief, "bedrock:InvokeModel", invalid, &names);
    scene.wait((20, 90));
    let invoke = [scene.record(&thief, "bedrock:InvokeModel", Outcome::Done, &names)];
    let (count, seconds) = (scene.dice.within((500, 900)).cast_unsigned(), scene.dice.within((600, 1_200)));
    scene.flood(&thief, &invoke, count, seconds);
}
