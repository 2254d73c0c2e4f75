//! What a group gives to who becomes a member.

use crate::policy_change::tests::found;

type Told<'c> = (&'c str, &'c str, &'c str, &'c str);

const ADMIN: &str = r#"{"groupName":"ops","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#;
const OWN: &str = r#"{"groupName":"ops","policyArn":"arn:aws:iam::111122223333:policy/p"}"#;
const INLINE: &str = r#"{"groupName":"ops","policyName":"i","policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"*\"}}"}"#;
const POLICY: &str = r#"{"setAsDefault":true,"policyArn":"arn:aws:iam::111122223333:policy/p","policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}"}"#;
const MILD: &str = r#"{"groupName":"ops","policyArn":"arn:aws:iam::aws:policy/ReadOnlyAccess"}"#;
const MEMBER: Told<'_> = ("iam", "AddUserToGroup", r#"{"groupName":"ops","userName":"sam"}"#, "");
const SELF: Told<'_> = ("iam", "AddUserToGroup", r#"{"groupName":"ops","userName":"kim"}"#, "");
const LOGIN: Told<'_> = ("iam", "CreateLoginProfile", r#"{"userName":"sam"}"#, "");
const KEY: Told<'_> = ("iam", "CreateAccessKey", r#"{"userName":"sam"}"#, "");

fn attached(request: &'static str) -> Told<'static> {
    ("iam", "AttachGroupPolicy", request, "")
}

/// Stories that begin with rights.
fn stories(calls: &[Told<'_>]) -> Vec<String> {
    found(calls).into_iter().filter(|line| line.contains("gave_rights") || line.contains("denied ")).collect()
}

#[test]
fn membership_gives_what_the_group_has() {
    let wrote = ("iam", "CreatePolicyVersion", POLICY, "");
    let inline = ("iam", "PutGroupPolicy", INLINE, "");
    let detached = ("iam", "DetachGroupPolicy", ADMIN, "");
    let deleted = ("iam", "DeleteGroupPolicy", r#"{"groupName":"ops","policyName":"i"}"#, "");
    let told = ["high gave_rights made_credentials"];
    for (why, calls, told) in [
        ("administrators", &[attached(ADMIN), MEMBER, LOGIN][..], &told[..]),
        ("keys", &[attached(ADMIN), MEMBER, KEY], &told),
        ("by an inline policy", &[inline, MEMBER, KEY], &told),
        ("by a policy of one's own", &[wrote, attached(OWN), MEMBER, KEY], &told),
        ("mild", &[attached(MILD), MEMBER, KEY], &[]),
        ("nothing is known of it", &[MEMBER, KEY], &[]),
        ("a policy of one's own that is not known", &[attached(OWN), MEMBER, KEY], &[]),
        ("not any more", &[attached(ADMIN), detached, MEMBER, KEY], &[]),
        ("not any more, inline", &[inline, deleted, MEMBER, KEY], &[]),
        ("one of two is left", &[attached(ADMIN), inline, detached, MEMBER, KEY], &told),
        ("another user", &[attached(ADMIN), SELF, KEY], &[]),
        ("refused", &[("iam", "AttachGroupPolicy", ADMIN, "AccessDenied"), MEMBER, KEY], &[]),
    ] {
        let credentials: Vec<String> =
            stories(calls).into_iter().filter(|line| line.ends_with("made_credentials")).collect();
        assert_eq!(credentials, told, "{why}");
    }
    assert_eq!(
        found(&[attached(ADMIN), KEY, MEMBER])
            .iter()
            .filter(|l| l.contains("made_credentials gave_rights"))
            .count(),
        1,
        "in the other order"
    );
}

#[test]
fn who_joins_a_group_itself_uses_its_rights() {
    let used = ("iam", "CreateUser", r#"{"userName":"w"}"#, "");
    assert_eq!(stories(&[attached(ADMIN), SELF, used]), ["high gave_rights allowed"]);
    assert_eq!(stories(&[attached(MILD), SELF, used]), [""; 0]);
    assert_eq!(stories(&[attached(ADMIN), MEMBER, used]), [""; 0], "somebody else joined");
    let read = |error| ("secretsmanager", "GetSecretValue", r#"{"secretId":"s"}"#, error);
    assert_eq!(stories(&[attached(ADMIN), SELF, read("")]), [""; 0], "reading changes no access");
    let story = ["medium denied gave_rights allowed"];
    assert_eq!(stories(&[read("AccessDenied"), SELF, read("")]), story, "whatever is known of the group");
    assert_eq!(stories(&[read("AccessDenied"), MEMBER, read("")]), [""; 0]);
}

/// An inline policy of a user, by its name.
fn inline(user: &str, policy: &str, action: &str) -> String {
    format!(
        r#"{{"userName":"{user}","policyName":"{policy}","policyDocument":"{{\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"{action}\",\"Resource\":\"*\"}}}}"}}"#
    )
}

#[test]
fn a_path_split_over_two_policies_is_seen() {
    let (pass, run) = (inline("sam", "a", "iam:PassRole"), inline("sam", "b", "ec2:RunInstances"));
    let (elsewhere, read) = (inline("eve", "b", "ec2:RunInstances"), inline("sam", "b", "ec2:Describe*"));
    let (pass, run): (Told<'_>, Told<'_>) =
        (("iam", "PutUserPolicy", &pass, ""), ("iam", "PutUserPolicy", &run, ""));
    let (elsewhere, read): (Told<'_>, Told<'_>) =
        (("iam", "PutUserPolicy", &elsewhere, ""), ("iam", "PutUserPolicy", &read, ""));
    let gone: Told<'_> = ("iam", "DeleteUserPolicy", r#"{"userName":"sam","policyName":"a"}"#, "");
    let told = |calls: &[Told<'_>]| {
        found(calls).into_iter().filter(|line| line.contains("escalation_by_service")).count()
    };
    assert_eq!(told(&[pass]), 0);
    assert_eq!(told(&[run]), 0);
    assert_eq!(told(&[pass, run]), 1);
    assert_eq!(told(&[run, pass]), 1, "whichever comes last");
    assert_eq!(told(&[pass, run, run, pass]), 1, "nothing new");
    assert_eq!(told(&[pass, elsewhere]), 0, "of another user");
    assert_eq!(told(&[pass, read]), 0, "no such action");
    assert_eq!(told(&[pass, gone, run]), 0, "not any more");
    assert_eq!(told(&[pass, run, read, run]), 2, "taken away and given again");
}
