//! Records for the laws: generated traffic that gives every detector something to remember and something to find.

use proptest::prelude::*;
use trailhound_detectors::action::stable_hash;
use trailhound_detectors::catalogue::{self, Ledgers};
use trailhound_detectors::event::{CallId, Category, Event, Parts, Session, Timeliness};
use trailhound_detectors::json::Raw;
use trailhound_detectors::time::EventTime;
use trailhound_detectors::{ActionTable, ActorTable, Identity};

/// 2026-03-02T00:00:00Z, a Monday.
pub(crate) const START: i64 = 1_772_409_600;

/// What a call looks like: service, name, error code, error message, request, response.
type Template = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const TEMPLATES: &[Template] = &[
    ("ec2", "DescribeInstances", "", "", "{}", "null"),
    (
        "ec2",
        "DescribeInstances",
        "Client.UnauthorizedOperation",
        "You are not authorized to perform this operation.",
        "{}",
        "null",
    ),
    ("s3", "ListBuckets", "AccessDenied", "Access Denied", "null", "null"),
    (
        "iam",
        "CreateUser",
        "AccessDenied",
        "User: arn:aws:iam::111122223333:user/kim is not authorized to perform: iam:CreateUser on resource: x because no identity-based policy allows the iam:CreateUser action",
        "null",
        "null",
    ),
    (
        "organizations",
        "LeaveOrganization",
        "AccessDeniedException",
        "explicit deny in a service control policy",
        "null",
        "null",
    ),
    ("signin", "ConsoleLogin", "", "Failed authentication", "null", r#"{"ConsoleLogin":"Failure"}"#),
    ("signin", "ConsoleLogin", "", "", "null", r#"{"ConsoleLogin":"Success"}"#),
    (
        "iam",
        "PutRolePolicy",
        "",
        "",
        r#"{"roleName":"app","policyName":"p","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}"#,
        "null",
    ),
    (
        "iam",
        "PutRolePolicy",
        "",
        "",
        r#"{"roleName":"app","policyName":"p","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"arn:aws:s3:::b/*\"}]}"}"#,
        "null",
    ),
    (
        "s3",
        "PutBucketPolicy",
        "",
        "",
        r#"{"bucketName":"b","bucketPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}}"#,
        "null",
    ),
    ("s3", "PutBucketPolicy", "", "", r#"{"reason":"requestParameters too large","omitted":true}"#, "null"),
    ("s3", "DeleteBucketPolicy", "", "", r#"{"bucketName":"b"}"#, "null"),
    (
        "iam",
        "CreatePolicyVersion",
        "",
        "",
        r#"{"policyArn":"arn:aws:iam::111122223333:policy/p","policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"iam:*\",\"Resource\":\"*\"}}","setAsDefault":false}"#,
        r#"{"policyVersion":{"versionId":"v2","isDefaultVersion":false}}"#,
    ),
    (
        "iam",
        "SetDefaultPolicyVersion",
        "",
        "",
        r#"{"policyArn":"arn:aws:iam::111122223333:policy/p","versionId":"v2"}"#,
        "null",
    ),
    (
        "iam",
        "AttachUserPolicy",
        "",
        "",
        r#"{"userName":"kim","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#,
        "null",
    ),
    (
        "iam",
        "CreateAccessKey",
        "",
        "",
        r#"{"userName":"kim"}"#,
        r#"{"accessKey":{"userName":"kim","accessKeyId":"AKIAEXAMPLE000000001"}}"#,
    ),
    (
        "lambda",
        "AddPermission20150331v2",
        "",
        "",
        r#"{"functionName":"f","statementId":"s","action":"lambda:InvokeFunction","principal":"*"}"#,
        "null",
    ),
    ("cloudtrail", "StopLogging", "", "", r#"{"name":"org-trail"}"#, "null"),
    (
        "sts",
        "AssumeRole",
        "",
        "",
        r#"{"roleArn":"arn:aws:iam::111122223333:role/app","roleSessionName":"x"}"#,
        r#"{"credentials":{"accessKeyId":"ASIAEXAMPLE000000001"},"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/app/x"}}"#,
    ),
    ("sts", "AssumeRole", "AccessDenied", "not authorized to perform: sts:AssumeRole", "null", "null"),
    (
        "lambda",
        "Invoke",
        "",
        "",
        r#"{"functionName":"arn:aws:lambda:eu-west-1:111122223333:function:f"}"#,
        "null",
    ),
    (
        "lambda",
        "InvokeExecution",
        "",
        "",
        r#"{"functionName":"arn:aws:lambda:eu-west-1:111122223333:function:f"}"#,
        "null",
    ),
    ("dynamodb", "Scan", "", "", r#"{"tableName":"orders"}"#, "null"),
    (
        "secretsmanager",
        "GetSecretValue",
        "",
        "",
        r#"{"secretId":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:one"}"#,
        "null",
    ),
    ("secretsmanager", "GetSecretValue", "", "", r#"{"secretId":"two"}"#, "null"),
    ("secretsmanager", "GetSecretValue", "AccessDeniedException", "no", "null", "null"),
    (
        "iam",
        "PutUserPolicy",
        "",
        "",
        r#"{"userName":"kim","policyName":"p","policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"secretsmanager:*\",\"Resource\":\"arn:aws:secretsmanager:eu-west-1:111122223333:secret:one\"}}"}"#,
        "null",
    ),
    (
        "iam",
        "AttachGroupPolicy",
        "",
        "",
        r#"{"groupName":"ops","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#,
        "null",
    ),
    ("iam", "AddUserToGroup", "", "", r#"{"groupName":"ops","userName":"kim"}"#, "null"),
    ("ssm", "PutParameter", "ThrottlingException", "Rate exceeded", r#"{"name":"/a"}"#, "null"),
    ("ec2", "RunInstances", "", "", r#"{"instanceType":"p5.48xlarge"}"#, "null"),
    ("bedrock", "InvokeModel", "", "", r#"{"modelId":"anthropic.claude"}"#, "null"),
];

fn identities() -> [Identity<'static>; 8] {
    let none = Identity::default();
    let role =
        |arn, issuer_arn| Identity { kind: "AssumedRole", arn, issuer_arn, account: "111122223333", ..none };
    [
        role("arn:aws:sts::111122223333:assumed-role/app/i-0a", "arn:aws:iam::111122223333:role/app"),
        role("arn:aws:sts::111122223333:assumed-role/app/i-0b", "arn:aws:iam::111122223333:role/app"),
        role("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0/kim@example.org", ""),
        Identity {
            kind: "IAMUser",
            arn: "arn:aws:iam::111122223333:user/kim",
            account: "111122223333",
            user_name: "kim",
            ..none
        },
        Identity { kind: "Root", arn: "arn:aws:iam::111122223333:root", account: "111122223333", ..none },
        Identity { kind: "AWSService", invoked_by: "lambda.amazonaws.com", ..none },
        Identity { kind: "AWSAccount", account: "ANONYMOUS_PRINCIPAL", principal_id: "", ..none },
        Identity { kind: "AWSAccount", account: "444455556666", principal_id: "AIDAEXAMPLE", ..none },
    ]
}

/// A record: everything but the object is decided by these few numbers, so copies are true copies.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    id: u64,
    time: i64,
    template: usize,
    identity: usize,
    late: bool,
    object: u8,
}

impl Record {
    /// The same record in another log object.
    pub(crate) fn copied_to(&self, object: u8) -> Self {
        Self { object, ..self.clone() }
    }
}

/// Bursts of calls over some days.
pub(crate) fn traffic() -> impl Strategy<Value = Vec<Record>> {
    let burst = (
        (0i64..12, 8i64..20, 0i64..3_600),
        0..TEMPLATES.len(),
        0..identities().len(),
        prop_oneof![3 => 1usize..4, 1 => 20usize..70],
        prop_oneof![0i64..6, 30i64..90],
        0u8..16,
    );
    prop::collection::vec(burst, 1..16).prop_map(|bursts| {
        let mut records = Vec::new();
        for ((day, hour, second), template, identity, count, spacing, late) in bursts {
            for n in 0..count {
                let id = records.len() as u64;
                records.push(Record {
                    id,
                    time: START + day * 86_400 + hour * 3_600 + second + spacing * n as i64,
                    template,
                    identity,
                    late: late == 0,
                    object: (id % 5) as u8,
                });
            }
        }
        records
    })
}

/// What every detector remembers of records, in their order.
pub(crate) fn observe<'r>(records: impl IntoIterator<Item = &'r Record>) -> Ledgers {
    let mut ledgers = Ledgers::default();
    observe_into(&mut ledgers, records);
    ledgers
}

/// Grows facts by records, in their order.
pub(crate) fn observe_into<'r>(ledgers: &mut Ledgers, records: impl IntoIterator<Item = &'r Record>) {
    let mut actions = ActionTable::new(catalogue::claims);
    let mut actors = ActorTable::default();
    let identities = identities();
    for record in records {
        let (service, name, error_code, error_message, request, response) = TEMPLATES[record.template];
        let event_id = format!("00000000-0000-4000-8000-{:012x}", record.id);
        let identity = &identities[record.identity];
        let parts =
            Parts::new(Raw::new(request), Raw::new(response), Raw::default(), Raw::default(), Raw::default());
        let is_data = matches!(name, "Invoke" | "InvokeExecution" | "Scan");
        let action = actions.intern(&format!("{service}.amazonaws.com"), name);
        let event = Event {
            call: CallId(stable_hash(event_id.as_bytes())),
            event_id: &event_id,
            time: EventTime(record.time),
            timeliness: if record.late { Timeliness::Late } else { Timeliness::OnTime },
            action: actions.at(action),
            actor: &actors.intern(identity).clone(),
            session: Session {
                name: identity.session_name(),
                access_key: "AKIAEXAMPLE",
                ..Session::default()
            },
            account: "111122223333",
            region: ["eu-west-1", "us-east-1"][(record.id % 7 == 0) as usize],
            source_ip: ["198.51.100.7", "203.0.113.9"][(record.id % 3 == 0) as usize],
            user_agent: "aws-cli/2.15.0",
            error_code,
            error_message,
            read_only: None,
            category: if is_data { Category::Data } else { Category::Management },
            event_type: if service == "signin" { "AwsConsoleSignIn" } else { "AwsApiCall" },
            request_id: &event_id,
            shared_event_id: "",
            vpc_endpoint: "",
            object: &["s3://logs/a", "s3://logs/b", "s3://logs/c", "s3://logs/d", "s3://logs/e"]
                [usize::from(record.object % 5)]
            .into(),
            parts: &parts,
        };
        ledgers.observe(&[event]);
    }
}
