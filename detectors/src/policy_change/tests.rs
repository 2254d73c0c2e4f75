//! Events in, findings out.

use crate::actor::Identity;
use crate::environment::Environment;
use crate::finding::{Finding, Severity};
use crate::ledger::Ledger;
use crate::policy_change::facts::{MAX_AN_HOUR, Remembered};
use crate::policy_change::{Config, PolicyChange};
use crate::testing::{Call, teach};
use crate::time::{EventTime, TimeRange};
use crate::{Around, Detector, Join};

const NOON: EventTime = EventTime(1_772_366_400);

fn judge(ledger: &Ledger<Remembered>, environment: &Environment) -> Vec<Finding> {
    judge_from(Config::default().report_from, ledger, environment)
}

fn judge_from(report_from: Severity, ledger: &Ledger<Remembered>, environment: &Environment) -> Vec<Finding> {
    let detector = PolicyChange::new(Config { report_from }).unwrap();
    let notes = Default::default();
    let around = Around { others: ledger, environment, span: TimeRange::ALL, notes: &notes };
    let mut found = Vec::new();
    for (key, facts) in ledger.sorted() {
        detector.judge(key, facts, &around, &mut found);
    }
    crate::catalogue::sort_findings(&mut found);
    found
}

/// Each call a minute after the one before: (service, name, parameters, error code). What is found: severity and codes.
pub(super) fn found(calls: &[(&str, &str, &str, &str)]) -> Vec<String> {
    found_from(Config::default().report_from, calls)
}

fn found_from(report_from: Severity, calls: &[(&str, &str, &str, &str)]) -> Vec<String> {
    let calls: Vec<Call<'_>> = calls
        .iter()
        .enumerate()
        .map(|(i, (service, name, request, error_code))| Call {
            request,
            error_code,
            ..Call::new(service, name, NOON.plus(60 * i as i64))
        })
        .collect();
    judge_from(report_from, &teach::<PolicyChange>(&calls), &Environment::default())
        .iter()
        .map(line)
        .collect()
}

/// The same, with what is below the level of reports.
pub(super) fn all(calls: &[(&str, &str, &str, &str)]) -> Vec<String> {
    found_from(Severity::Informational, calls)
}

fn line(finding: &Finding) -> String {
    let codes: Vec<&str> = finding.reasons.iter().map(|r| r.code).collect();
    format!("{} {}", finding.severity, codes.join(" "))
}

const FOREIGN: &str = r#"{"bucketName":"b","bucketPolicy":{"Statement":{"Effect":"Allow","Principal":{"AWS":"999988887777"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}}"#;
const OWN: &str = r#"{"bucketName":"b","bucketPolicy":{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}}"#;

#[test]
fn documents_are_found_in_every_dress() {
    let statement = r#"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"x:Get\",\"Resource\":\"*\"}]}"#;
    let encoded = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22*%22%2C%22Action%22%3A%22x%3AGet%22%7D%5D%7D";
    for (service, name, request) in [
        (
            "secretsmanager",
            "PutResourcePolicy",
            format!(r#"{{"secretId":"s","resourcePolicy":"{statement}"}}"#),
        ),
        (
            "sqs",
            "SetQueueAttributes",
            format!(r#"{{"queueUrl":"q","attributes":{{"Policy":"{statement}"}}}}"#),
        ),
        (
            "sns",
            "SetTopicAttributes",
            format!(r#"{{"topicArn":"t","attributeName":"Policy","attributeValue":"{statement}"}}"#),
        ),
        (
            "apigateway",
            "UpdateRestApi",
            format!(
                r#"{{"restApiId":"a","patchOperations":[{{"op":"replace","path":"/policy","value":"{statement}"}}]}}"#
            ),
        ),
        (
            "apigateway",
            "CreateRestApi",
            format!(r#"{{"createRestApiInput":{{"name":"a","policy":"{statement}"}}}}"#),
        ),
        ("ecr", "SetRepositoryPolicy", format!(r#"{{"repositoryName":"r","policyText":"{statement}"}}"#)),
        ("kms", "PutKeyPolicy", format!(r#"{{"keyId":"k","policy":"{encoded}"}}"#)),
        (
            "glacier",
            "SetVaultAccessPolicy",
            format!(r#"{{"vaultName":"v","policy":{{"policy":"{statement}"}}}}"#),
        ),
        ("newservice", "PutThingPolicy", format!(r#"{{"thing":{{"deep":["{statement}"]}}}}"#)),
    ] {
        assert_eq!(found(&[(service, name, &request, "")]), ["high public"], "{service} {name}");
    }
    assert_eq!(
        found(&[(
            "s3",
            "PutBucketPolicy",
            r#"{"bucketName":"b","policy":"","bucketPolicy":{"Statement":[]}}"#,
            ""
        )]),
        [""; 0]
    );
    assert_eq!(
        found(&[(
            "sns",
            "SetTopicAttributes",
            r#"{"attributeName":"DisplayName","attributeValue":"x"}"#,
            ""
        )]),
        [""; 0]
    );
}

#[test]
fn a_re_apply_and_a_narrowing_are_silent_and_a_widening_is_told_once() {
    let put = |policy| ("s3", "PutBucketPolicy", policy, "");
    assert_eq!(found(&[put(FOREIGN)]), ["high other_account"]);
    assert_eq!(found(&[put(FOREIGN), put(FOREIGN)]), ["high other_account"]);
    assert_eq!(found(&[put(FOREIGN), put(OWN)]), ["high other_account"]);
    assert_eq!(found(&[put(OWN), put(FOREIGN)]), ["high other_account"]);
    assert_eq!(
        found(&[put(FOREIGN), ("s3", "DeleteBucketPolicy", r#"{"bucketName":"b"}"#, ""), put(FOREIGN)]).len(),
        2
    );
}

#[test]
fn the_difference_is_in_plain_words() {
    let calls: Vec<Call<'_>> = [OWN, FOREIGN]
        .iter()
        .enumerate()
        .map(|(i, request)| Call { request, ..Call::new("s3", "PutBucketPolicy", NOON.plus(i as i64)) })
        .collect();
    let finding = judge(&teach::<PolicyChange>(&calls), &Environment::default()).remove(0);
    assert!(
        finding.summary.contains("Added: Allow s3:GetObject on arn:aws:s3:::b/* to 999988887777."),
        "{}",
        finding.summary
    );
    assert!(
        finding.summary.contains("Removed: Allow s3:GetObject on arn:aws:s3:::b/* to 111122223333."),
        "{}",
        finding.summary
    );
    assert_eq!(finding.title, "bucket b is shared with an unknown account (by kim)");
    assert_eq!(finding.mitre, ["T1537"]);
}

#[test]
fn attempts_are_one_level_milder_and_retries_are_told_once() {
    let put = |error| ("s3", "PutBucketPolicy", FOREIGN, error);
    assert_eq!(found(&[put("AccessDenied"), put("AccessDenied")]), ["medium other_account attempt"]);
    assert_eq!(
        found(&[put("AccessDenied"), put("")]),
        ["medium other_account attempt", "high other_account"]
    );
    assert_eq!(found(&[("iam", "PutRolePolicy", "null", "AccessDenied")]), ["low undecided attempt"]);
    assert_eq!(found(&[("sts", "AssumeRole", "null", "AccessDenied")]), [""; 0]);
}

#[test]
fn grants_without_a_document_are_judged_like_documents() {
    for (service, name, request, expected) in [
        (
            "lambda",
            "AddPermission20150331v2",
            r#"{"functionName":"f","statementId":"s","principal":"*","action":"lambda:InvokeFunction"}"#,
            "high public",
        ),
        (
            "lambda",
            "AddPermission20150331v2",
            r#"{"functionName":"f","principal":"*","action":"lambda:InvokeFunction","principalOrgID":"o-abc12345"}"#,
            "low other_organization",
        ),
        (
            "lambda",
            "AddPermission20150331v2",
            r#"{"functionName":"f","principal":"s3.amazonaws.com","action":"lambda:InvokeFunction"}"#,
            "medium confused_deputy",
        ),
        (
            "lambda",
            "AddPermission20150331v2",
            r#"{"functionName":"f","principal":"s3.amazonaws.com","action":"lambda:InvokeFunction","sourceArn":"arn:aws:s3:::b"}"#,
            "",
        ),
        (
            "ec2",
            "ModifySnapshotAttribute",
            r#"{"snapshotId":"s","createVolumePermission":{"add":{"items":[{"group":"all"}]}}}"#,
            "high public",
        ),
        (
            "ec2",
            "ModifySnapshotAttribute",
            r#"{"snapshotId":"s","createVolumePermission":{"remove":{"items":[{"userId":"999988887777"}]}}}"#,
            "",
        ),
        (
            "ec2",
            "ModifyImageAttribute",
            r#"{"imageId":"i","launchPermission":{"add":{"items":[{"userId":"111122223333"}]}}}"#,
            "",
        ),
        (
            "rds",
            "ModifyDBSnapshotAttribute",
            r#"{"dBSnapshotIdentifier":"s","attributeName":"restore","valuesToAdd":["all"]}"#,
            "high public",
        ),
        (
            "ssm",
            "ModifyDocumentPermission",
            r#"{"name":"d","permissionType":"Share","accountIdsToAdd":["all"]}"#,
            "high public",
        ),
        (
            "events",
            "PutPermission",
            r#"{"principal":"*","action":"events:PutEvents","statementId":"s","condition":{"type":"StringEquals","key":"aws:PrincipalOrgID","value":"o-abc12345"}}"#,
            "low other_organization",
        ),
        ("s3", "PutBucketAcl", r#"{"bucketName":"b","x-amz-acl":"public-read"}"#, "high public"),
        ("s3", "PutObject", r#"{"bucketName":"b","key":"k","X-Amz-Acl":"private"}"#, ""),
        (
            "s3",
            "PutBucketAcl",
            r#"{"bucketName":"b","AccessControlPolicy":{"AccessControlList":{"Grant":{"Grantee":{"URI":"http://acs.amazonaws.com/groups/global/AllUsers"},"Permission":"WRITE"}}}}"#,
            "critical public_control",
        ),
        (
            "kms",
            "CreateGrant",
            r#"{"keyId":"k","granteePrincipal":"arn:aws:iam::999988887777:role/r","operations":["Decrypt"]}"#,
            "high other_account",
        ),
        (
            "ram",
            "CreateResourceShare",
            r#"{"name":"n","principals":["999988887777"],"allowExternalPrincipals":true}"#,
            "high other_account",
        ),
        (
            "ec2",
            "ModifyVpcEndpointServicePermissions",
            r#"{"ModifyVpcEndpointServicePermissionsRequest":{"ServiceId":"v","AddAllowedPrincipals":{"tag":1,"content":"*"}}}"#,
            "high public",
        ),
    ] {
        let expected: &[&str] = if expected.is_empty() { &[] } else { &[expected] };
        assert_eq!(found(&[(service, name, request, "")]), expected, "{service} {name} {request}");
    }
}

#[test]
fn attachments_are_judged_by_what_the_policy_says() {
    let attach = |arn: &'static str| match arn {
        "admin" => (
            "iam",
            "AttachUserPolicy",
            r#"{"userName":"u","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#,
            "",
        ),
        "own" => (
            "iam",
            "AttachUserPolicy",
            r#"{"userName":"u","policyArn":"arn:aws:iam::111122223333:policy/p"}"#,
            "",
        ),
        _ => (
            "iam",
            "AttachUserPolicy",
            r#"{"userName":"u","policyArn":"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"}"#,
            "",
        ),
    };
    assert_eq!(found(&[attach("admin"), attach("admin")]), ["high admin"], "the second attaches nothing new");
    assert_eq!(found(&[attach("managed")]), [""; 0]);
    assert_eq!(found(&[attach("own")]), ["low not_seen"], "nothing is known of it");
    let version = r#"{"policyArn":"arn:aws:iam::111122223333:policy/p","setAsDefault":true,"policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"*\"}}"}"#;
    assert_eq!(
        found(&[("iam", "CreatePolicyVersion", version, ""), attach("own")]),
        ["high iam_all", "high iam_all"]
    );
    let quarantine =
        r#"{"userName":"u","policyArn":"arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"}"#;
    let aws = Identity { kind: "AWSService", invoked_by: "iam.amazonaws.com", ..Identity::default() };
    let call = Call { request: quarantine, identity: aws, ..Call::new("iam", "AttachUserPolicy", NOON) };
    let ledger = teach::<PolicyChange>([&call]);
    let lines: Vec<String> = judge(&ledger, &Environment::default()).iter().map(line).collect();
    assert_eq!(lines, ["high quarantined"], "AWS's own call, and news");
    assert_eq!(found(&[("iam", "DetachUserPolicy", quarantine, "")]), ["medium deny_removed"]);
}

#[test]
fn what_is_not_known_is_said_to_be_and_what_is_known_is_used() {
    let doc = |statement: &str| serde_json::to_string(&format!(r#"{{"Statement":[{statement}]}}"#)).unwrap();
    let arn = "arn:aws:iam::111122223333:policy/p";
    let create = |statement: &str| {
        format!(
            r#"{{"policyName":"p","policyArn":"{arn}","setAsDefault":true,"policyDocument":{}}}"#,
            doc(statement)
        )
    };
    let (wide, denying, narrow) = (
        create(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#),
        create(r#"{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*"}"#),
        create(r#"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}"#),
    );
    let on_role = format!(r#"{{"roleName":"r","policyArn":"{arn}"}}"#);
    let version = |id: &str| format!(r#"{{"policyArn":"{arn}","versionId":"{id}"}}"#);
    let (v1, v9) = (version("v1"), version("v9"));
    fn write(text: &str) -> (&str, &str, &str, &str) {
        ("iam", "CreatePolicyVersion", text, "")
    }
    let (attach, detach) = (
        ("iam", "AttachRolePolicy", on_role.as_str(), ""),
        ("iam", "DetachRolePolicy", on_role.as_str(), ""),
    );
    // Told at informational, below what is reported by default.
    assert_eq!(found(&[detach]), [""; 0]);
    assert_eq!(all(&[detach]), ["informational undecided"]);
    assert_eq!(
        all(&[("iam", "DeleteRolePolicy", r#"{"roleName":"r","policyName":"p"}"#, "")]),
        ["informational undecided"]
    );
    assert_eq!(all(&[("s3", "PutBucketPolicy", r#"{"bucketName":"b"}"#, "")]), ["informational undecided"]);
    assert_eq!(found(&[write(&narrow), attach]), [""; 0], "known, and harmless");
    assert_eq!(found(&[write(&denying), attach, detach]), ["medium deny_removed"]);
    assert_eq!(found(&[("iam", "SetDefaultPolicyVersion", &v9, "")]), ["low undecided"]);
    // Rolled back to a version from before memory: what stands is unknown, so the next text counts whole.
    assert_eq!(
        found(&[write(&narrow), ("iam", "SetDefaultPolicyVersion", &v1, ""), write(&wide)]),
        ["low undecided", "high admin"]
    );
    // Taken away and set again: no re-apply.
    let queue = |policy: &str| format!(r#"{{"queueUrl":"q","attributes":{{"Policy":{policy}}}}}"#);
    let open = queue(&doc(r#"{"Effect":"Allow","Principal":"*","Action":"sqs:ReceiveMessage"}"#));
    let shut = queue(r#""""#);
    fn set(text: &str) -> (&str, &str, &str, &str) {
        ("sqs", "SetQueueAttributes", text, "")
    }
    assert_eq!(found(&[set(&open), set(&open)]), ["high public"]);
    assert_eq!(found(&[set(&open), set(&shut), set(&open)]), ["high public", "high public"]);
}

#[test]
fn cedar_is_judged_as_far_as_it_can_be() {
    let create = |definition: &str| format!(r#"{{"policyStoreId":"PS1","definition":{definition}}}"#);
    for (definition, expected) in [
        (r#"{"static":{"statement":"permit(principal, action, resource);"}}"#, "medium cedar_all"),
        (
            r#"{"static":{"statement":"permit(principal, action, resource) when { context.x };"}}"#,
            "low undecided",
        ),
        (r#"{"static":{"statement":"forbid(principal, action, resource);"}}"#, ""),
        (r#"{"templateLinked":{"policyTemplateId":"PT1"}}"#, "low undecided"),
        (r#""HIDDEN_DUE_TO_SECURITY_REASONS""#, "low undecided"),
    ] {
        let request = create(definition);
        let expected: &[&str] = if expected.is_empty() { &[] } else { &[expected] };
        assert_eq!(found(&[("verifiedpermissions", "CreatePolicy", &request, "")]), expected, "{definition}");
    }
}

#[test]
fn grants_to_one_resource_in_great_number_stay_known() {
    let requests: Vec<String> = (0..300)
        .map(|i| {
            format!(
                r#"{{"functionName":"f","statementId":"s{i}","principal":"{:012}","action":"lambda:InvokeFunction"}}"#,
                500_000_000_000_u64 + i
            )
        })
        .collect();
    // Ten an hour, so that none is left out.
    let calls: Vec<Call<'_>> = requests
        .iter()
        .enumerate()
        .map(|(i, request)| Call {
            request,
            ..Call::new("lambda", "AddPermission20150331v2", NOON.plus(360 * i as i64))
        })
        .collect();
    let found = judge(&teach::<PolicyChange>(&calls), &Environment::default());
    assert_eq!(found.len(), 300);
    assert!(found.iter().all(|finding| finding.reasons.len() == 1), "each tells of its own grant only");
}

#[test]
fn an_earlier_version_is_remembered() {
    let wide = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let request = serde_json::json!({ "policyArn": "arn:p", "setAsDefault": false, "policyDocument": wide })
        .to_string();
    let version = Call {
        request: &request,
        response: r#"{"policyVersion":{"versionId":"v2"}}"#,
        ..Call::new("iam", "CreatePolicyVersion", NOON)
    };
    let set = |id, minutes: i64| Call {
        request: id,
        ..Call::new("iam", "SetDefaultPolicyVersion", NOON.plus(60 * minutes))
    };
    let (known, unknown) =
        (r#"{"policyArn":"arn:p","versionId":"v2"}"#, r#"{"policyArn":"arn:p","versionId":"v1"}"#);
    let lines = |calls: &[Call<'_>]| -> Vec<String> {
        judge(&teach::<PolicyChange>(calls), &Environment::default()).iter().map(line).collect()
    };
    assert_eq!(lines(&[version.clone(), set(known, 1)]), ["high admin"]);
    assert_eq!(lines(&[version, set(unknown, 1)]), ["low undecided"]);
}

#[test]
fn lost_denials_are_told() {
    let put = |statement: &str| {
        format!(
            r#"{{"roleName":"r","policyName":"p","policyDocument":{}}}"#,
            serde_json::to_string(&format!(r#"{{"Statement":[{statement}]}}"#)).unwrap()
        )
    };
    let deny = put(r#"{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*"}"#);
    let none = put(r#"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}"#);
    let delete = r#"{"roleName":"r","policyName":"p"}"#;
    assert_eq!(
        found(&[("iam", "PutRolePolicy", &deny, ""), ("iam", "PutRolePolicy", &none, "")]),
        ["medium deny_removed"]
    );
    assert_eq!(
        found(&[("iam", "PutRolePolicy", &deny, ""), ("iam", "DeleteRolePolicy", delete, "")]),
        ["medium deny_removed"]
    );
    assert_eq!(
        found(&[("iam", "PutRolePolicy", &none, ""), ("iam", "DeleteRolePolicy", delete, "")]),
        [""; 0]
    );
}

#[test]
fn omitted_parameters_and_malformed_documents_are_findings() {
    let omitted = r#"{"omitted":true,"reason":"requestParameters too large"}"#;
    assert_eq!(found(&[("iam", "PutRolePolicy", omitted, "")]), ["high omitted"]);
    assert_eq!(found(&[("s3", "PutBucketPolicy", omitted, "")]), ["high omitted"]);
    let broken = r#"{"roleName":"r","policyName":"p","policyDocument":"{\"Statement\":"}"#;
    assert_eq!(found(&[("iam", "PutRolePolicy", broken, "")]), ["medium unreadable"]);
}

#[test]
fn the_world_as_configured_counts() {
    let call = Call { request: FOREIGN, ..Call::new("s3", "PutBucketPolicy", NOON) };
    let ledger = teach::<PolicyChange>([&call]);
    let with = |change: &dyn Fn(&mut Environment)| {
        let mut environment = Environment::default();
        change(&mut environment);
        judge(&ledger, &environment).iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(with(&|e| e.organization.accounts = ["999988887777".to_owned()].into()), [""; 0]);
    assert_eq!(with(&|e| e.organization.trusted_accounts = ["999988887777".to_owned()].into()), [""; 0]);
    assert_eq!(
        with(&|e| e.organization.vendor_accounts = [("999988887777".to_owned(), "Acme".to_owned())].into()),
        ["low vendor"]
    );
    assert_eq!(
        with(&|e| e.organization.sensitive_resources = vec!["arn:aws:s3:::b".to_owned()]),
        ["critical other_account"]
    );
    assert_eq!(
        with(&|e| e.organization.deploy_roles = vec!["arn:aws:iam::*:user/kim".to_owned()]),
        ["medium other_account"]
    );
    // A deploy role's usual changes are milder; what gives everything to somebody, or something to everybody, is not.
    let deploy =
        |e: &mut Environment| e.organization.deploy_roles = vec!["arn:aws:iam::*:user/kim".to_owned()];
    let sensitive = |pattern: &str| {
        let pattern = pattern.to_owned();
        move |e: &mut Environment| e.organization.sensitive_resources = vec![pattern.clone()]
    };
    let of = |(service, name, request): (&str, &str, &str), change: &dyn Fn(&mut Environment)| {
        let mut environment = Environment::default();
        change(&mut environment);
        let ledger = teach::<PolicyChange>([&Call { request, ..Call::new(service, name, NOON) }]);
        judge(&ledger, &environment).iter().map(line).collect::<Vec<_>>()
    };
    let public = FOREIGN.replace(r#"{"AWS":"999988887777"}"#, r#""*""#);
    let admin = r#"{"roleName":"r","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#;
    let power = r#"{"roleName":"r","policyArn":"arn:aws:iam::aws:policy/PowerUserAccess"}"#;
    let policy = |action: &str| {
        format!(
            r#"{{"roleName":"r","policyName":"p","policyDocument":"{{\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"{action}\",\"Resource\":\"*\"}}}}"}}"#
        )
    };
    let (iam, escalating) = (policy("iam:*"), policy("iam:PutUserPolicy"));
    for (call, expected) in [
        (("s3", "PutBucketPolicy", public.as_str()), "high public"),
        (("iam", "AttachRolePolicy", admin), "high admin"),
        (("iam", "PutRolePolicy", iam.as_str()), "high iam_all"),
        (("iam", "PutRolePolicy", escalating.as_str()), "medium escalation"),
        (("iam", "AttachRolePolicy", power), "low not_action_power"),
        (("cloudtrail", "StopLogging", r#"{"name":"t"}"#), "medium switch"),
    ] {
        assert_eq!(of(call, &deploy), [expected], "{call:?}");
    }
    // Names are made ARNs for the patterns.
    for (call, pattern, expected) in [
        (("iam", "AttachRolePolicy", power), "arn:aws:iam::111122223333:role/r", "high not_action_power"),
        (
            ("iam", "AttachRolePolicy", power),
            "arn:aws:iam::111122223333:role/other",
            "medium not_action_power",
        ),
        (("iam", "PutRolePolicy", escalating.as_str()), "arn:aws:iam::*:role/r", "critical escalation"),
        (
            ("cloudtrail", "StopLogging", r#"{"name":"t"}"#),
            "arn:aws:cloudtrail:*:*:trail/t",
            "critical switch",
        ),
        (
            ("lambda", "DeleteFunction20150331", r#"{"functionName":"watch"}"#),
            "arn:aws:lambda:*:*:function:watch",
            "medium switch",
        ),
        (
            ("sns", "DeleteTopic", r#"{"topicArn":"arn:aws:sns:eu-west-1:111122223333:alerts"}"#),
            "arn:aws:sns:*:*:alerts",
            "medium switch",
        ),
    ] {
        assert_eq!(of(call, &sensitive(pattern)), [expected], "{call:?} {pattern}");
    }
}

#[test]
fn a_flood_hides_nothing() {
    let requests: Vec<String> = (0..MAX_AN_HOUR * 2)
        .map(|i| if i == 40 { FOREIGN.to_owned() } else { OWN.replace("b/*", &format!("b/{i}")) })
        .collect();
    let calls: Vec<Call<'_>> = requests
        .iter()
        .enumerate()
        .map(|(i, request)| Call { request, ..Call::new("s3", "PutBucketPolicy", NOON.plus(i as i64)) })
        .collect();
    let forwards = teach::<PolicyChange>(&calls);
    let backwards = teach::<PolicyChange>(calls.iter().rev());
    assert_eq!(forwards, backwards);
    assert!(judge(&forwards, &Environment::default()).iter().any(|f| f.severity == Severity::High));
    let mut joined = teach::<PolicyChange>(&calls[..50]);
    joined.absorb(teach::<PolicyChange>(&calls[30..]));
    assert_eq!(joined, forwards);
    let (_, facts) = forwards.sorted()[0];
    let mut twice = facts.clone();
    twice.join(facts);
    assert_eq!(&twice, facts);
    assert_eq!(facts.changes().count(), MAX_AN_HOUR);
}
