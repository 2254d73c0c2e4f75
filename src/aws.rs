//! Clients of AWS, with the one TLS stack the binaries carry.

use std::env;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::sdk_config::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// How often a request is made at most.
const ATTEMPTS: u32 = 5;
/// The longest pause before the second attempt; it doubles from there. The SDK's own second is half an invocation's time
/// gone after three refusals, and what still fails is handed back to the queue anyway.
const PAUSE: Duration = Duration::from_millis(150);

/// For a Lambda function: everything stands in its environment. Looking in files, at metadata services and for roles to
/// assume, as commands do, would be a twentieth of the binary.
///
/// Read are `AWS_REGION`, the credentials, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3` and the like, `AWS_USE_FIPS_ENDPOINT` and
/// `AWS_USE_DUALSTACK_ENDPOINT`.
pub fn of_function() -> SdkConfig {
    let is_true = |name: &str| env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(env::var("AWS_REGION").ok().map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .use_fips(is_true("AWS_USE_FIPS_ENDPOINT"))
        .use_dual_stack(is_true("AWS_USE_DUALSTACK_ENDPOINT"))
        .service_config(Environment)
        .http_client(https())
        .retry_config(retries())
        .timeout_config(timeouts());
    config.set_endpoint_url(env::var("AWS_ENDPOINT_URL").ok());
    config.build()
}

/// Settings of single services in the environment, such as `AWS_ENDPOINT_URL_DYNAMODB`.
#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        env::var(format!("{}_{service}", key.env())).or_else(|_| env::var(key.env())).ok()
    }
}

/// For a command: credentials wherever the AWS tools look for them.
pub async fn of_command() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(https())
        .retry_config(retries())
        .timeout_config(timeouts())
        .load()
        .await
}

fn https() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(PAUSE)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(20))
        .build()
}

/// A client of S3. Stand-ins at an address of their own know buckets by path only.
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    s3_in(config, None)
}

/// A client of S3 in a region, or in the one of the configuration.
pub fn s3_in(config: &SdkConfig, region: Option<String>) -> aws_sdk_s3::Client {
    let is_stand_in = config.endpoint_url().is_some();
    let region = region.map(Region::new).or_else(|| config.region().cloned());
    // Buckets that lie elsewhere say so.
    let region = region.unwrap_or(Region::from_static("us-east-1"));
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(is_stand_in).region(region);
    aws_sdk_s3::Client::from_conf(config.build())
}

/// A client of DynamoDB.
pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(config)
}
