//! Changes between a refusal and a success that let nothing through.

use crate::policy_change::lifted::tests::{GET, KIM, NO, Told, stories};

const READ: &str = r#"{\"Action\":\"s3:GetObject\",\"Effect\":\"Allow\",\"Resource\":\"*\"}"#;
const WRITE: &str = r#"{\"Action\":\"s3:PutObject\",\"Effect\":\"Allow\",\"Resource\":\"*\"}"#;
const DENY: &str = r#"{\"Action\":\"secretsmanager:*\",\"Effect\":\"Deny\",\"Resource\":\"*\"}"#;

/// A call of kim's that changes something, and its parameters.
type Change<'c> = (&'c str, &'c str);

/// How many stories are told when the first changes are made before the refusal, and the others after.
fn told(before: &[Change<'_>], after: &[Change<'_>]) -> usize {
    let made = |start: i64, changes: &[Change<'_>]| -> Vec<(String, String, i64)> {
        let minutes = start..;
        changes
            .iter()
            .zip(minutes)
            .map(|((call, request), at)| (call.to_string(), request.to_string(), at))
            .collect()
    };
    let (before, after) = (made(1, before), made(11, after));
    fn calls(made: &[(String, String, i64)]) -> impl Iterator<Item = Told<'_>> {
        made.iter().map(|(call, request, at)| (KIM, call.as_str(), request.as_str(), "", *at))
    }
    let mut all: Vec<Told<'_>> = calls(&before).collect();
    all.push((KIM, GET, "{}", NO, 10));
    all.extend(calls(&after));
    all.push((KIM, GET, "{}", "", 30));
    stories(&all).len()
}

#[test]
fn inline_policies_lift_only_what_they_add() {
    let put = |statements: &[&str]| {
        format!(
            r#"{{"userName":"kim","policyName":"p","policyDocument":"{{\"Statement\":[{}]}}"}}"#,
            statements.join(",")
        )
    };
    let (read, both, deny) = (put(&[READ]), put(&[READ, WRITE]), put(&[DENY]));
    let (denied, none) = (put(&[READ, DENY]), put(&[]));
    let call = "iam:PutUserPolicy";
    let gone = ("iam:DeleteUserPolicy", r#"{"userName":"kim","policyName":"p"}"#);
    let (read, both, deny, denied, none) =
        ((call, &*read), (call, &*both), (call, &*deny), (call, &*denied), (call, &*none));
    assert_eq!(told(&[], &[read]), 1);
    assert_eq!(told(&[], &[deny]), 0, "it denies only");
    assert_eq!(told(&[both], &[both]), 0, "the same again");
    assert_eq!(told(&[both], &[read]), 0, "narrower");
    assert_eq!(told(&[read], &[both]), 1, "wider");
    assert_eq!(told(&[read], &[read, both, both]), 1, "wider, then the same again");
    assert_eq!(told(&[denied], &[read]), 1, "a denial is gone");
    assert_eq!(told(&[read], &[denied]), 0, "a denial is new");
    assert_eq!(told(&[read], &[gone]), 0, "it is known to have denied nothing");
    assert_eq!(told(&[denied], &[gone]), 1, "its denial is gone");
    assert_eq!(told(&[], &[gone]), 1, "what it said is not known");
    assert_eq!(told(&[], &[none]), 1, "what it said before is not known");
    assert_eq!(told(&[read, gone], &[read]), 1, "given back");
}

#[test]
fn managed_policies_lift_only_what_is_new() {
    let arn = "arn:aws:iam::111122223333:policy/p";
    let own = |arn: &str| format!(r#"{{"userName":"kim","policyArn":"{arn}"}}"#);
    let version = |statement: &str, counts: bool| {
        format!(
            r#"{{"policyArn":"{arn}","setAsDefault":{counts},"policyDocument":"{{\"Statement\":[{statement}]}}"}}"#
        )
    };
    let (theirs, read_only, deny_all) =
        (own(arn), own("arn:aws:iam::aws:policy/ReadOnlyAccess"), own("arn:aws:iam::aws:policy/AWSDenyAll"));
    let (attach, detach, write) = ("iam:AttachUserPolicy", "iam:DetachUserPolicy", "iam:CreatePolicyVersion");
    assert_eq!(told(&[], &[(attach, &read_only)]), 1);
    assert_eq!(told(&[(attach, &read_only)], &[(attach, &read_only)]), 0, "attached already");
    assert_eq!(told(&[(attach, &read_only), (detach, &read_only)], &[(attach, &read_only)]), 1);
    assert_eq!(told(&[], &[(detach, &read_only)]), 0, "it denies nothing");
    assert_eq!(told(&[], &[(attach, &deny_all)]), 0, "it allows nothing");
    assert_eq!(told(&[], &[(detach, &deny_all)]), 1);
    let (read, deny, aside) = (version(READ, true), version(DENY, true), version(READ, false));
    assert_eq!(told(&[(attach, &theirs)], &[(write, &read)]), 1);
    assert_eq!(told(&[(attach, &theirs), (write, &read)], &[(write, &read)]), 0, "nothing new");
    assert_eq!(told(&[(attach, &theirs), (write, &read)], &[(write, &aside)]), 0, "it does not count");
    assert_eq!(told(&[(write, &deny)], &[(attach, &theirs)]), 0, "it is known to allow nothing");
    assert_eq!(told(&[(write, &read)], &[(detach, &theirs)]), 0, "it is known to deny nothing");
    assert_eq!(told(&[(write, &deny)], &[(detach, &theirs)]), 1);
    assert_eq!(told(&[], &[(detach, &theirs)]), 1, "what it says is not known");
}

#[test]
fn policies_of_resources_lift_only_what_they_add() {
    let secret = |effect: &str, action: &str| {
        format!(
            r#"{{"secretId":"s","resourcePolicy":"{{\"Statement\":{{\"Action\":\"{action}\",\"Effect\":\"{effect}\",\"Principal\":{{\"AWS\":\"{KIM}\"}},\"Resource\":\"*\"}}}}"}}"#
        )
    };
    let (wide, narrow) = (secret("Allow", "secretsmanager:*"), secret("Allow", "secretsmanager:Get*"));
    let deny = secret("Deny", "secretsmanager:*");
    let put = "secretsmanager:PutResourcePolicy";
    let gone = ("secretsmanager:DeleteResourcePolicy", r#"{"secretId":"s"}"#);
    assert_eq!(told(&[], &[(put, &narrow)]), 1);
    assert_eq!(told(&[(put, &narrow)], &[(put, &narrow)]), 0, "the same again");
    assert_eq!(told(&[(put, &wide)], &[(put, &narrow)]), 0, "narrower");
    assert_eq!(told(&[(put, &narrow)], &[(put, &wide)]), 1);
    assert_eq!(told(&[(put, &narrow)], &[gone]), 0, "it is known to have denied nothing");
    assert_eq!(told(&[(put, &deny)], &[gone]), 1);
    assert_eq!(told(&[], &[gone]), 1, "what it said is not known");
    let grant = format!(r#"{{"keyId":"k","granteePrincipal":"{KIM}","operations":["Decrypt"]}}"#);
    let grant = ("kms:CreateGrant", &*grant);
    assert_eq!(told(&[grant], &[grant]), 1, "that the first was retired may not be known");
    let key = format!(
        r#"{{"policy":"{{\"Statement\":{{\"Action\":\"kms:*\",\"Effect\":\"Allow\",\"Principal\":{{\"AWS\":\"{KIM}\"}},\"Resource\":\"*\"}}}}"}}"#
    );
    assert_eq!(
        told(&[], &[("kms:CreateKey", &key)]),
        0,
        "nothing was kept from anybody by a key that was not there"
    );
    let key = key.replacen('{', r#"{"keyId":"k","policyName":"default","#, 1);
    assert_eq!(told(&[], &[("kms:PutKeyPolicy", &key)]), 1);
}
