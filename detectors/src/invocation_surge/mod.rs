//! Placeholder.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::detector::{Around, ConfigError, Detector};
use crate::event::Event;
use crate::finding::Finding;
use crate::lattice::Join;
use crate::ledger::{Facts, Key, Ledger};
use crate::time::EventTime;

/// The detector.
#[derive(Clone, Debug)]
pub struct InvocationSurge {
    #[expect(dead_code, reason = "placeholder")]
    config: Config,
}

/// Its configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// What it remembers of a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remembered {}

impl Join for Remembered {
    fn join(&mut self, _: &Self) {}
}

impl Facts for Remembered {
    fn close(&mut self, _: i64) {}
    fn forget(&mut self, _: EventTime) {}
}

impl Detector for InvocationSurge {
    const NAME: &'static str = "invocation_surge";
    const PURPOSE: &'static str = "placeholder";
    const DOCS: &'static str = include_str!("mod.rs");
    type Config = Config;
    type Facts = Remembered;

    fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self { config })
    }

    fn claims(_: &Action) -> bool {
        false
    }

    fn observe(_: &Event<'_>, _: &mut Ledger<Remembered>) {}

    fn judge(&self, _: &Key, _: &Remembered, _: &Around<'_, Remembered>, _: &mut Vec<Finding>) {}
}
