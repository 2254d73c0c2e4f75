//! What the function's environment says.

use std::env;

use aws_config::SdkConfig;

use crate::aws;
use crate::config::{Config, LoadError};
use crate::ingest::Allow;
use crate::ingest::envelope::ObjectRef;
use crate::ingest::s3::S3;
use crate::ingest::source::{FetchError, Source as _};
use crate::live::{Bounds, Settings};

/// Largest configuration, bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// Why the function can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something must be said and is not.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// The configuration can't be fetched.
    #[error("failed to fetch the configuration {uri}: {source}")]
    Fetch {
        /// Where it should be.
        uri: String,
        /// Why not.
        source: FetchError,
    },
    /// The configuration is wrong.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A detector refuses its configuration.
    #[error("detectors.{0}.{1}")]
    Detector(&'static str, trailhound_detectors::ConfigError),
}

/// The function's environment.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) table: String,
    pub(super) topic: String,
    pub(super) function: String,
    pub(super) settings: Settings,
}

impl Environment {
    /// Reads the environment, and the configuration it names.
    pub(super) async fn read(sdk: &SdkConfig) -> Result<Self, StartError> {
        let memory =
            env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok().and_then(|m| m.parse().ok()).unwrap_or(512);
        Ok(Self {
            table: required("TRAILHOUND_TABLE")?,
            topic: required("TRAILHOUND_TOPIC")?,
            function: env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
            settings: Settings {
                config: config(sdk).await?,
                allow: Allow {
                    buckets: list("TRAILHOUND_BUCKETS").collect(),
                    prefixes: list("TRAILHOUND_PREFIXES").collect(),
                    accounts: list("TRAILHOUND_ACCOUNTS").collect(),
                },
                bounds: Bounds::of_memory(memory),
                cache_bytes: usize::try_from((memory << 20) / 4).unwrap_or(usize::MAX),
            },
        })
    }
}

/// From `s3://bucket/key`, a file of the bundle, or the defaults.
async fn config(sdk: &SdkConfig) -> Result<Config, StartError> {
    let Ok(name) = env::var("TRAILHOUND_CONFIG") else { return Ok(Config::default()) };
    let Some((bucket, key)) = name.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) else {
        return Ok(Config::load(name.as_ref())?);
    };
    let object = ObjectRef { bucket: bucket.into(), key: key.into(), size: None };
    let fetched = S3::new(aws::s3(sdk)).fetch(&object, MAX_CONFIG).await;
    let bytes = fetched.map_err(|source| StartError::Fetch { uri: name.clone(), source })?;
    Ok(Config::parse(&String::from_utf8_lossy(&bytes), &name)?)
}

fn required(name: &'static str) -> Result<String, StartError> {
    env::var(name).ok().filter(|value| !value.is_empty()).ok_or(StartError::Missing(name))
}

fn list(name: &str) -> impl Iterator<Item = String> {
    let value = env::var(name).unwrap_or_default();
    let items: Vec<String> =
        value.split(',').map(|i| i.trim().to_owned()).filter(|i| !i.is_empty()).collect();
    items.into_iter()
}
