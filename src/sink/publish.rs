//! Somewhere alerts are published to, one by one answered for.

use std::error::Error;
use std::future::Future;

use crate::alert::Alert;

/// An alert that is not known to have been published.
#[derive(Debug, thiserror::Error)]
#[error("failed to publish an alert")]
pub struct PublishError {
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
}

/// Publishes alerts.
pub trait Publish: Send + Sync {
    /// Publishes alerts; one answer each, in their order. An alert that failed may have been published all the same.
    fn publish(&self, alerts: &[Alert]) -> impl Future<Output = Vec<Result<(), PublishError>>> + Send;
}
