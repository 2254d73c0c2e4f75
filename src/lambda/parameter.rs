//! One call of Systems Manager: `GetParameter`. Its SDK has a hundred and forty more, and would be the largest thing in the
//! build; this signs the one request with what the other clients sign theirs with.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_s3::config::ProvideCredentials as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::{Value, json};

const SERVICE: &str = "ssm";
const TARGET: &str = "AmazonSSM.GetParameter";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// How often the parameter is asked for.
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt; it doubles from there.
const PAUSE: Duration = Duration::from_millis(200);
/// For one attempt.
const PATIENCE: Duration = Duration::from_secs(5);

type Failed = Box<dyn Error + Send + Sync>;

/// Why a parameter can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParameterError {
    /// Systems Manager said no.
    #[error("{code}: {message}")]
    Refused {
        /// The kind of refusal, as AWS names it.
        code: String,
        message: String,
    },
    /// There was no answer that means anything.
    #[error("no answer from Systems Manager: {0}")]
    Failed(Failed),
}

impl ParameterError {
    /// Asking again may help.
    fn may_pass(&self) -> bool {
        match self {
            Self::Refused { code, .. } => code.contains("Throttl") || code.contains("InternalServer"),
            Self::Failed(_) => true,
        }
    }
}

/// The value of a parameter, decrypted.
pub(super) async fn get(sdk: &SdkConfig, name: &str) -> Result<String, ParameterError> {
    let mut attempt = 1;
    loop {
        let asked = tokio::time::timeout(PATIENCE, ask(sdk, name)).await;
        match asked.unwrap_or_else(|_| Err(ParameterError::Failed("it took too long".into()))) {
            Err(error) if error.may_pass() && attempt < ATTEMPTS => {
                tokio::time::sleep(PAUSE * 2u32.pow(attempt - 1)).await;
                attempt += 1;
            }
            done => return done,
        }
    }
}

async fn ask(sdk: &SdkConfig, name: &str) -> Result<String, ParameterError> {
    let request = signed(sdk, name).await.map_err(ParameterError::Failed)?;
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
    let answer = connector.call(request).await.map_err(|e| ParameterError::Failed(e.into()))?;
    let is_success = answer.status().is_success();
    let body = ByteStream::new(answer.into_body()).collect().await;
    let body = body.map_err(|e| ParameterError::Failed(e.into()))?.into_bytes();
    value(is_success, &body)
}

/// What an answer says.
fn value(is_success: bool, body: &[u8]) -> Result<String, ParameterError> {
    let answer: Value = serde_json::from_slice(body).map_err(|e| ParameterError::Failed(e.into()))?;
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    if is_success {
        return text("/Parameter/Value")
            .ok_or_else(|| ParameterError::Failed("an answer without a value".into()));
    }
    let code = text("/__type").unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().to_owned();
    let message = text("/message").or_else(|| text("/Message")).unwrap_or_default();
    Err(ParameterError::Refused { code, message })
}

async fn signed(sdk: &SdkConfig, name: &str) -> Result<HttpRequest, Failed> {
    let region = sdk.region().ok_or("no region is set")?.as_ref();
    let endpoint = sdk.endpoint_url().map_or_else(|| endpoint(region), str::to_owned);
    let body = json!({ "Name": name, "WithDecryption": true }).to_string();
    let credentials =
        sdk.credentials_provider().ok_or("no credentials are set")?.provide_credentials().await?;
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let headers = [("x-amz-target", TARGET), ("content-type", CONTENT_TYPE)];
    let signable =
        SignableRequest::new("POST", &endpoint, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let mut request = HttpRequest::new(body.into());
    request.set_method("POST")?;
    request.set_uri(endpoint)?;
    for (name, value) in headers {
        request.headers_mut().insert(name, value);
    }
    for (name, value) in instructions.headers() {
        request.headers_mut().insert(name.to_owned(), value.to_owned());
    }
    Ok(request)
}

fn endpoint(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{SERVICE}.{region}.{domain}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_value_or_says_why_not() {
        assert_eq!(value(true, br#"{"Parameter":{"Value":"a = 1","Version":2}}"#).unwrap(), "a = 1");
        let refused =
            value(false, br#"{"__type":"com.amazon#ParameterNotFound","message":"gone"}"#).unwrap_err();
        assert_eq!(refused.to_string(), "ParameterNotFound: gone");
        assert!(!refused.may_pass());
        assert!(value(false, br#"{"__type":"ThrottlingException","message":""}"#).unwrap_err().may_pass());
        assert!(value(false, b"<html>").unwrap_err().may_pass());
        assert!(value(true, b"{}").is_err());
    }

    #[test]
    fn china_has_a_domain_of_its_own() {
        assert_eq!(endpoint("eu-west-1"), "https://ssm.eu-west-1.amazonaws.com/");
        assert_eq!(endpoint("cn-north-1"), "https://ssm.cn-north-1.amazonaws.com.cn/");
    }
}
