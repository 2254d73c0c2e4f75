//! Clients of AWS, with the one TLS stack the binaries carry.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// How often a request is made at most.
const ATTEMPTS: u32 = 5;
/// The longest pause before the second attempt; it doubles from there. The SDK's own second is half an invocation's time
/// gone after three refusals, and what still fails is handed back to the queue anyway.
const PAUSE: Duration = Duration::from_millis(150);

/// For a Lambda function: credentials stand in its environment, and nowhere else.
pub async fn of_function() -> SdkConfig {
    loader().credentials_provider(EnvironmentVariableCredentialsProvider::new()).load().await
}

/// For a command: credentials wherever the AWS tools look for them.
pub async fn of_command() -> SdkConfig {
    loader().load().await
}

fn loader() -> ConfigLoader {
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(20))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(PAUSE))
        .timeout_config(timeouts)
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
