//! Calls as rule sets test them: what is said of each, and what of those that come after.

use crate::policy_change::tests::{all, found};

type Call<'c> = (&'c str, &'c str, &'c str, &'c str);

const TRUST: &str = r#"{"roleName":"r","assumeRolePolicyDocument":"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"999988887777\"},\"Action\":\"sts:AssumeRole\"}]}"}"#;
const TOPIC: &str = r#"{"topicArn":"arn:aws:sns:eu-west-1:111122223333:t","attributeName":"Policy","attributeValue":"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"999988887777\"},\"Action\":\"sns:Publish\",\"Resource\":\"*\"}]}"}"#;
const INVOKE: &str =
    r#"{"functionName":"f","statementId":"s","principal":"*","action":"lambda:InvokeFunction"}"#;

fn acl(canned: &str) -> String {
    format!(r#"{{"bucketName":"b","acl":"","x-amz-acl":["{canned}"]}}"#)
}

#[test]
fn what_comes_under_the_name_of_what_was_deleted_is_news() {
    let role: Call<'_> = ("iam", "CreateRole", TRUST, "");
    let deleted: Call<'_> = ("iam", "DeleteRole", r#"{"roleName":"r"}"#, "");
    let told = "high other_account_trust";
    assert_eq!(found(&[role, role]), [told]);
    assert_eq!(found(&[role, deleted, role]), [told, told]);
    let refused = ("iam", "DeleteRole", r#"{"roleName":"r"}"#, "AccessDenied");
    assert_eq!(found(&[role, refused, role]), [told]);
    let unseen = ("iam", "DeleteRole", "null", "AccessDenied");
    assert_eq!(found(&[unseen]), [""; 0]);

    let invoke: Call<'_> = ("lambda", "AddPermission20150331v2", INVOKE, "");
    let function = ("lambda", "DeleteFunction20150331", r#"{"functionName":"f"}"#, "");
    assert_eq!(found(&[invoke, function, invoke]), ["high public", "high public"]);
    let version = ("lambda", "DeleteFunction20150331", r#"{"functionName":"f","qualifier":"3"}"#, "");
    assert_eq!(found(&[invoke, version, invoke]), ["high public"]);
}

#[test]
fn a_deleted_deny_is_no_lost_deny_when_its_bucket_is_gone_too() {
    let deny = r#"{"bucketName":"b","bucketPolicy":{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}}"#;
    let put: Call<'_> = ("s3", "PutBucketPolicy", deny, "");
    assert_eq!(found(&[put, ("s3", "DeleteBucket", r#"{"bucketName":"b"}"#, "")]), [""; 0]);
    assert_eq!(
        found(&[put, ("s3", "DeleteBucketPolicy", r#"{"bucketName":"b"}"#, "")]),
        ["medium deny_removed"]
    );
}

#[test]
fn an_access_control_list_replaces_the_one_before_and_leaves_the_policy_alone() {
    let (public, private) = (acl("public-read"), acl("private"));
    let public: Call<'_> = ("s3", "PutBucketAcl", &public, "");
    let private: Call<'_> = ("s3", "PutBucketAcl", &private, "");
    assert_eq!(found(&[public, public]), ["high public"]);
    assert_eq!(found(&[public, private, public]), ["high public", "high public"]);
    let policy = r#"{"bucketName":"b","bucketPolicy":{"Statement":[{"Effect":"Allow","Principal":{"AWS":"999988887777"},"Action":"s3:GetObject","Resource":"*"}]}}"#;
    let policy: Call<'_> = ("s3", "PutBucketPolicy", policy, "");
    assert_eq!(found(&[policy, private, policy]), ["high other_account"]);
}

#[test]
fn a_list_that_gives_another_account_rights_is_told() {
    let grant = |owner: &str| {
        format!(
            r#"{{"bucketName":"b","AccessControlPolicy":{{"Owner":{{"ID":"{owner}"}},"AccessControlList":{{"Grant":[
            {{"Grantee":{{"ID":"me","xsi:type":"CanonicalUser"}},"Permission":"FULL_CONTROL"}},
            {{"Grantee":{{"ID":"c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0"}},"Permission":"FULL_CONTROL"}}]}}}}}}"#
        )
    };
    assert_eq!(all(&[("s3", "PutBucketAcl", &grant("me"), "")]), [""; 0]);
    // A canonical id does not tell whose it is.
    assert_eq!(all(&[("s3", "PutBucketAcl", &grant("somebody"), "")]), ["informational undecided"]);
}

#[test]
fn a_header_that_names_ids_is_read_like_a_list() {
    let header = |grantees: &str| {
        format!(r#"{{"bucketName":"b","accessControlList":{{"x-amz-grant-read":"{grantees}"}}}}"#)
    };
    for (grantees, expected) in [
        (
            r#"id=\"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be\""#,
            &["informational undecided"][..],
        ),
        (r#"emailAddress=\"kim@example.org\", id=\"abc\""#, &["informational undecided undecided"]),
        (r#"id=abc, uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""#, &["high public undecided"]),
        (r#"uri=\"http://acs.amazonaws.com/groups/s3/LogDelivery\""#, &[]),
        (r#"id=\"c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0\""#, &[]),
    ] {
        assert_eq!(all(&[("s3", "PutBucketAcl", &header(grantees), "")]), expected, "{grantees}");
    }
}

#[test]
fn a_denial_of_all_but_named_ones_is_a_fence_of_their_accounts() {
    let policy = |spared: &str| {
        format!(
            r#"{{"bucketName":"b","bucketPolicy":{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}},
            {{"Effect":"Deny","NotPrincipal":{spared},"Action":"s3:*","Resource":"*"}}]}}}}"#
        )
    };
    for (spared, expected) in [
        (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, &[""; 0][..]),
        (r#"{"AWS":["111122223333","arn:aws:iam::999988887777:role/r"]}"#, &["high other_account"]),
        (r#"{"AWS":"*"}"#, &["high public"]),
        (r#"{"Service":"cloudfront.amazonaws.com"}"#, &["high public"]),
    ] {
        assert_eq!(found(&[("s3", "PutBucketPolicy", &policy(spared), "")]), expected, "{spared}");
    }
    let conditional = policy(r#"{"AWS":"111122223333"}"#).replace(
        r#""Action":"s3:*""#,
        r#""Action":"s3:*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#,
    );
    assert_eq!(found(&[("s3", "PutBucketPolicy", &conditional, "")]), ["high public"]);
    let other_action = policy(r#"{"AWS":"111122223333"}"#).replace("s3:*", "s3:PutObject");
    assert_eq!(found(&[("s3", "PutBucketPolicy", &other_action, "")]), ["high public"]);
}

#[test]
fn rules_of_search_are_told_where_they_say_more_than_those_before() {
    let rules = |name: &str, principals: &str| {
        let policy = format!(
            r#"[{{\"Rules\":[{{\"ResourceType\":\"index\",\"Resource\":[\"index/*/*\"],\"Permission\":[\"aoss:ReadDocument\"]}}],\"Principal\":[{principals}],\"Description\":\"{name}\"}}]"#
        );
        format!(r#"{{"name":"p","type":"data","policy":"{policy}"}}"#)
    };
    let foreign = r#"\"arn:aws:iam::999988887777:role/r\""#;
    let (one, again) = (rules("a", foreign), rules("b", foreign));
    let more = rules("c", &format!(r#"{foreign},\"arn:aws:iam::444455556666:role/r\""#));
    fn call<'c>(name: &'c str, request: &'c str) -> Call<'c> {
        ("aoss", name, request, "")
    }
    assert_eq!(found(&[call("CreateAccessPolicy", &one)]), ["high other_account"]);
    assert_eq!(found(&[call("CreateAccessPolicy", &one), call("UpdateAccessPolicy", &again)]).len(), 1);
    assert_eq!(found(&[call("CreateAccessPolicy", &one), call("UpdateAccessPolicy", &more)]).len(), 2);
}

#[test]
fn what_a_grant_changed_is_not_taken_for_a_reapplied_document() {
    let set: Call<'_> = ("sns", "SetTopicAttributes", TOPIC, "");
    let topic = r#"{"topicArn":"arn:aws:sns:eu-west-1:111122223333:t","label":""}"#;
    let taken: Call<'_> = ("sns", "RemovePermission", topic, "");
    assert_eq!(found(&[set, set]), ["high other_account"]);
    assert_eq!(found(&[set, taken, set]), ["high other_account", "high other_account"]);
}

#[test]
fn rules_of_firewalls_and_templates_are_no_policies() {
    for (service, name, request) in [
        (
            "wafv2",
            "CreateWebACL",
            r#"{"name":"w","rules":[{"name":"a","statement":{"managedRuleGroupStatement":{"vendorName":"AWS"}}}]}"#,
        ),
        ("ssm", "CreateDocument", r#"{"name":"d","content":"Statement: nothing of an Effect"}"#),
        (
            "cloudformation",
            "CreateStack",
            r#"{"stackName":"s","templateBody":"{\"Resources\":{\"P\":{\"Statement\":[{\"Effect\":\"Allow\"}]}}}"}"#,
        ),
        (
            "access-analyzer",
            "CreateAccessPreview",
            r#"{"configurations":{"b":{"s3Bucket":{"bucketPolicy":"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}}}}"#,
        ),
    ] {
        assert_eq!(found(&[(service, name, request, "")]), [""; 0], "{service}:{name}");
    }
    let unknown = r#"{"name":"x","accessRules":{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}}"#;
    assert_eq!(found(&[("novelty", "PutThingAccess", unknown, "")]).len(), 1);
}

#[test]
fn exposure_is_told_however_the_call_says_it() {
    for (service, name, request, expected) in [
        (
            "ec2",
            "ModifySecurityGroupRules",
            r#"{"ModifySecurityGroupRulesRequest":{"GroupId":"sg-1","SecurityGroupRule":{"SecurityGroupRuleId":"sgr-1","SecurityGroupRule":{"IpProtocol":"tcp","FromPort":22,"ToPort":22,"CidrIpv4":"0.0.0.0/0"}}}}"#,
            "high network_admin",
        ),
        (
            "ec2",
            "CreateNetworkAclEntry",
            r#"{"networkAclId":"acl-1","ipv6CidrBlock":"::/0","ruleAction":"allow","egress":false,"aclProtocol":"6"}"#,
            "low switch",
        ),
        (
            "rds",
            "RestoreDBInstanceFromDBSnapshot",
            r#"{"dBInstanceIdentifier":"d","publiclyAccessible":true}"#,
            "medium switch",
        ),
        (
            "s3",
            "PutBucketPublicAccessBlock",
            r#"{"bucketName":"b","PublicAccessBlockConfiguration":{"BlockPublicAcls":true}}"#,
            "medium switch",
        ),
        (
            "iam",
            "AttachUserPolicy",
            r#"{"userName":"u","policyArn":"arn:aws:iam::aws:policy/AmazonS3FullAccess"}"#,
            "medium data_wildcard",
        ),
    ] {
        assert_eq!(found(&[(service, name, request, "")]), [expected], "{name}");
    }
    let whole = r#"{"bucketName":"b","PublicAccessBlockConfiguration":{"BlockPublicAcls":true,"IgnorePublicAcls":true,"BlockPublicPolicy":true,"RestrictPublicBuckets":true}}"#;
    assert_eq!(found(&[("s3", "PutBucketPublicAccessBlock", whole, "")]), [""; 0]);
}

#[test]
fn attempts_at_what_would_be_told_are_told() {
    let entry = r#"{"networkAclId":"acl-1","cidrBlock":"0.0.0.0/0","ruleAction":"allow","egress":false,"aclProtocol":"6"}"#;
    assert_eq!(found(&[("ec2", "CreateNetworkAclEntry", entry, "")]), ["low switch"]);
    let failed = found(&[("ec2", "CreateNetworkAclEntry", entry, "Client.UnauthorizedOperation")]);
    assert_eq!(failed, ["low switch attempt"]);
}
