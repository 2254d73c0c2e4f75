//! The contract of a detector.

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::action::Action;
use crate::environment::Environment;
use crate::event::Event;
use crate::finding::Finding;
use crate::ledger::{Class, Facts, Key, KeyRef, Ledger};
use crate::time::TimeRange;

/// A detector: what it remembers, and how it judges. `claims` and `observe` can't see the configuration, so facts can't
/// depend on it: one pass over history serves any number of configurations.
pub trait Detector: Sized + Send + Sync + 'static {
    /// The one spelling: module, configuration table, alert field, metric label.
    const NAME: &'static str;
    /// One line on what it finds.
    const PURPOSE: &'static str;
    /// The module's documentation: behaviour, events, facts, when it fires, known false positives, knobs.
    const DOCS: &'static str;
    /// The form of its facts at rest. Raise it when the form changes; newer forms are refused by name, and so are older
    /// ones that [`Detector::migrate`] can't read.
    const FACTS_VERSION: u32 = 1;
    /// Its table in the configuration.
    type Config: Serialize + DeserializeOwned + Default + Clone + PartialEq + Debug + JsonSchema + Send + Sync;
    /// What it remembers of a key.
    type Facts: Facts;

    /// A detector with this configuration, or why the configuration is refused.
    fn new(config: Self::Config) -> Result<Self, ConfigError>;

    /// Reads facts at rest of an older version; nothing where no way leads from there.
    fn migrate(_version: u32, _facts: &[u8]) -> Option<Self::Facts> {
        None
    }

    /// What facts of a class are about, for people who look at them.
    fn class_name(class: Class) -> String {
        format!("class {}", class.0)
    }

    /// What sort of action this is to the detector: a number of its own, or 0 where no events of it are wanted. Asked once an
    /// action.
    fn claim(action: &Action) -> Claim;

    /// Grows facts. No thresholds, clock, I/O, randomness or logging. Runs on every claimed event, each with the claim on its
    /// action, some at a time; facts come out alike however many that are.
    fn observe<'e, 'a: 'e>(
        events: impl Iterator<Item = (Claim, &'e Event<'a>)>,
        ledger: &mut Ledger<Self::Facts>,
    );

    /// Pure and level-triggered: the same facts give the same findings with the same ids. Only findings anchored
    /// inside `around.span` are wanted; others are dropped by the caller.
    fn judge(&self, key: &Key, facts: &Self::Facts, around: &Around<'_, Self::Facts>, out: &mut Vec<Finding>);
}

/// [`Detector::claim`].
pub type Claim = u8;

/// A configuration value that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ConfigError {
    /// The field, as it is written in the configuration.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl ConfigError {
    /// An error about a field.
    pub fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}

/// Facts of other keys, by name. Judging never scans.
pub trait Lookup<F> {
    /// The facts of a key, if there are any.
    fn facts(&self, key: KeyRef<'_>) -> Option<&F>;
}

impl<F: Facts> Lookup<F> for Ledger<F> {
    fn facts(&self, key: KeyRef<'_>) -> Option<&F> {
        self.get(key)
    }
}

/// What judging may look at beside the key's own facts.
pub struct Around<'a, F: Facts> {
    /// Facts of other keys of the same detector.
    pub others: &'a dyn Lookup<F>,
    /// The world as configured.
    pub environment: &'a Environment,
    /// The event times findings are wanted for.
    pub span: TimeRange,
    /// What was found out for other keys in the same `others` and `environment`.
    pub notes: &'a F::Notes,
}
