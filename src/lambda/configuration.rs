//! Where the configuration comes from, and when it is fetched again.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::parameter::{self, ParameterError};
use crate::aws;
use crate::config::{Config, LoadError};
use crate::ingest::envelope::ObjectRef;
use crate::ingest::s3::S3;
use crate::ingest::source::{FetchError, Source as _};

/// Largest configuration, bytes.
const MAX_BYTES: u64 = 1 << 20;
/// A reload may take so much of an invocation's time; a start takes what it needs.
const BRIEFLY: Duration = Duration::from_secs(5);

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// An object of S3 can't be fetched.
    #[error("failed to fetch the configuration {name}: {source}")]
    Object {
        /// Where it should be.
        name: String,
        /// Why not.
        source: FetchError,
    },
    /// A parameter can't be fetched.
    #[error("failed to fetch the configuration {name}: {why}")]
    Parameter {
        /// Where it should be.
        name: String,
        /// Why not, as AWS says it.
        why: String,
    },
    /// It is no text.
    #[error("the configuration {0} is not UTF-8")]
    NotText(String),
    /// Fetching took too long.
    #[error("fetching the configuration {0} took too long")]
    TooLong(String),
    /// It is wrong.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Where the configuration lies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Nowhere: the defaults.
    Defaults,
    /// In a file of the bundle, which does not change.
    File(PathBuf),
    /// In S3.
    Object { bucket: String, key: String },
    /// In Systems Manager.
    Parameter(String),
}

impl Place {
    /// `s3://bucket/key`, `ssm:NAME`, or a file; nothing for the defaults.
    fn of(name: &str) -> Self {
        if name.is_empty() {
            return Self::Defaults;
        }
        if let Some((bucket, key)) = name.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) {
            return Self::Object { bucket: bucket.to_owned(), key: key.to_owned() };
        }
        match name.strip_prefix("ssm:") {
            Some(parameter) => Self::Parameter(parameter.to_owned()),
            None => Self::File(name.into()),
        }
    }
}

/// The configuration of a running function.
#[derive(Debug)]
pub(super) struct Configuration {
    sdk: SdkConfig,
    name: String,
    place: Place,
    every: Duration,
    /// What was last fetched, and when; nobody fetches while another does.
    fetched: Mutex<(String, Instant)>,
}

impl Configuration {
    /// Fetches the configuration of this name; it is fetched again `every` so long.
    pub(super) async fn start(
        sdk: &SdkConfig,
        name: String,
        every: Duration,
    ) -> Result<(Self, Config), ConfigurationError> {
        let place = Place::of(&name);
        let configuration = Self {
            sdk: sdk.clone(),
            place,
            every,
            fetched: Mutex::new((String::new(), Instant::now())),
            name,
        };
        let text = configuration.fetch().await?;
        let config = Config::parse(&text, &configuration.name)?;
        *configuration.fetched.lock().await = (text, Instant::now());
        Ok((configuration, config))
    }

    /// Another configuration, if it is time to look and there is one. A broken one is told each time it is looked at.
    pub(super) async fn reload(&self) -> Result<Option<Config>, ConfigurationError> {
        if matches!(self.place, Place::Defaults | Place::File(_)) || self.every.is_zero() {
            return Ok(None);
        }
        let Ok(mut fetched) = self.fetched.try_lock() else { return Ok(None) };
        if fetched.1.elapsed() < self.every {
            return Ok(None);
        }
        fetched.1 = Instant::now();
        let text = timeout(BRIEFLY, self.fetch()).await;
        let text = text.map_err(|_| ConfigurationError::TooLong(self.name.clone()))??;
        if text == fetched.0 {
            return Ok(None);
        }
        let config = Config::parse(&text, &self.name)?;
        fetched.0 = text;
        Ok(Some(config))
    }

    async fn fetch(&self) -> Result<String, ConfigurationError> {
        match &self.place {
            Place::Defaults => Ok(String::new()),
            Place::File(path) => std::fs::read_to_string(path)
                .map_err(|source| LoadError::Read { path: path.clone(), source }.into()),
            Place::Object { bucket, key } => {
                let object =
                    ObjectRef { bucket: bucket.as_str().into(), key: key.as_str().into(), size: None };
                let fetched = S3::new(aws::s3(&self.sdk)).fetch(&object, MAX_BYTES).await;
                let bytes = fetched
                    .map_err(|source| ConfigurationError::Object { name: self.name.clone(), source })?;
                String::from_utf8(bytes).map_err(|_| ConfigurationError::NotText(self.name.clone()))
            }
            Place::Parameter(parameter) => {
                let told = |error: ParameterError| ConfigurationError::Parameter {
                    name: self.name.clone(),
                    why: error.to_string(),
                };
                parameter::get(&self.sdk, parameter).await.map_err(told)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_where_it_lies() {
        assert_eq!(Place::of(""), Place::Defaults);
        assert_eq!(Place::of("s3://b/a/k"), Place::Object { bucket: "b".into(), key: "a/k".into() });
        assert_eq!(Place::of("ssm:/trailhound/config"), Place::Parameter("/trailhound/config".into()));
        assert_eq!(Place::of("trailhound.toml"), Place::File("trailhound.toml".into()));
        assert_eq!(Place::of("s3://no-key"), Place::File("s3://no-key".into()));
    }
}
