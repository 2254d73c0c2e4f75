//! What the function's environment says.

use std::env;
use std::time::Duration;

use aws_config::SdkConfig;

use super::configuration::{Configuration, ConfigurationError};
use crate::ingest::Allow;
use crate::live::{Bounds, Settings};

/// The configuration is fetched again after this, seconds, unless the environment says otherwise.
const RELOAD: u64 = 300;

/// Why the function can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something must be said and is not.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// Something is said that means nothing.
    #[error("the environment variable {0} must be a whole number of seconds, 0 for never")]
    NoNumber(&'static str),
    /// There is no configuration, or it is wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
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
    pub(super) configuration: Configuration,
}

impl Environment {
    /// Reads the environment, and the configuration it names.
    pub(super) async fn read(sdk: &SdkConfig) -> Result<Self, StartError> {
        let memory =
            env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok().and_then(|m| m.parse().ok()).unwrap_or(512);
        let (table, topic) = (required("TRAILHOUND_TABLE")?, required("TRAILHOUND_TOPIC")?);
        let name = env::var("TRAILHOUND_CONFIG").unwrap_or_default();
        let reload = seconds("TRAILHOUND_CONFIG_RELOAD_SECONDS", RELOAD)?;
        let (configuration, config) = Configuration::start(sdk, name, reload).await?;
        Ok(Self {
            table,
            topic,
            function: env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
            configuration,
            settings: Settings {
                config,
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

fn seconds(name: &'static str, default: u64) -> Result<Duration, StartError> {
    let text = env::var(name).unwrap_or_default();
    if text.is_empty() {
        return Ok(Duration::from_secs(default));
    }
    text.parse().map(Duration::from_secs).map_err(|_| StartError::NoNumber(name))
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
