//! What judges, and how: everything that follows from a configuration, replaced as a whole when that changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trailhound_detectors::catalogue::Detectors;
use trailhound_detectors::{ConfigError, Environment};

use super::judge::Court;
use super::read::{Bounds, Reader};
use crate::alert::Provenance;
use crate::config::{Config, Coverage};
use crate::engine::worker::{Intake, Selection};
use crate::inflate;
use crate::suppress::Suppression;

/// What follows from a configuration.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) detectors: Detectors,
    pub(super) environment: Environment,
    pub(super) provenance: Provenance,
    pub(super) suppressions: Vec<Suppression>,
    pub(super) coverage: Coverage,
    pub(super) reader: Reader,
    /// A number that no others of this process have.
    number: u64,
}

static RULES: AtomicU64 = AtomicU64::new(0);

impl Rules {
    /// Who judges by them.
    pub(super) fn court(&self) -> Court<'_> {
        Court { detectors: &self.detectors, environment: &self.environment, rules: self.number }
    }

    /// The rules of a configuration, or the detector that refuses it.
    pub(super) fn new(config: Config, bounds: &Bounds) -> Result<Arc<Self>, (&'static str, ConfigError)> {
        let limits = &config.limits;
        let intake = Intake {
            limits: inflate::Limits {
                max_bytes: ((limits.inflated_mib as usize) << 20).min(bounds.inflated_bytes),
                max_ratio: limits.inflation_ratio as usize,
            },
            lateness_seconds: config.learning.lateness_seconds(),
            selection: Selection::default(),
        };
        let stored = u64::from(limits.stored_mib) << 20;
        let bounds = Bounds { object_bytes: bounds.object_bytes.min(stored), ..bounds.clone() };
        Ok(Arc::new(Self {
            detectors: Detectors::new(&config.detectors)?,
            environment: config.environment(),
            provenance: Provenance { config: config.digest() },
            coverage: config.coverage,
            suppressions: config.suppressions,
            reader: Reader::new(intake, bounds),
            number: RULES.fetch_add(1, Ordering::Relaxed),
        }))
    }
}
