//! Policy documents.

/// A document as a JSON string, the way IAM logs it.
pub(super) fn quoted(document: &str) -> String {
    serde_json::Value::from(document).to_string()
}

/// What a function's role may do: its own table, bucket and log group.
pub(super) fn function_role(account: &str, function: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem","dynamodb:Query"],"Resource":"arn:aws:dynamodb:eu-west-1:{account}:table/{function}"}},{{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::{function}-{account}/*"}}]}}"#
    )
}

/// The same, and deleting from the table.
pub(super) fn function_role_deleting(account: &str, function: &str) -> String {
    function_role(account, function)
        .replace(r#""dynamodb:Query""#, r#""dynamodb:Query","dynamodb:DeleteItem""#)
}

/// The same without writing to the table: a mistake.
pub(super) fn function_role_reading(account: &str, function: &str) -> String {
    function_role(account, function).replace(r#""dynamodb:PutItem","#, "")
}

/// A bucket that one role of the same account may read.
pub(super) fn bucket_of_role(account: &str, bucket: &str, role: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Owner","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:role/{role}"}},"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::{bucket}/*"}},{{"Sid":"TlsOnly","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::{bucket}","arn:aws:s3:::{bucket}/*"],"Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}]}}"#
    )
}

/// A bucket that everybody may read.
pub(super) fn public_bucket(bucket: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"PublicRead","Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::{bucket}","arn:aws:s3:::{bucket}/*"]}}]}}"#
    )
}

/// A role that Lambda may assume.
pub(super) fn lambda_trust() -> String {
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#.to_owned()
}

/// A role that Lambda and another account may assume.
pub(super) fn foreign_trust(foreign: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"lambda.amazonaws.com"}},"Action":"sts:AssumeRole"}},{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{foreign}:root"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}
