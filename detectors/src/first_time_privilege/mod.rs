#![doc = include_str!("README.md")]

mod facts;
mod grave;
mod lately;
mod novelty;
mod observe;
mod origin;
mod report;
mod score;
mod stretches;
#[cfg(test)]
mod stretches_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use facts::Remembered;

use crate::action::Action;
use crate::chain::Link;
use crate::detector::{Around, Claim, ConfigError, Detector};
use crate::event::Event;
use crate::finding::Finding;
use crate::ledger::{Class, Key, Ledger};
use crate::policy_change::wildcard::{self, Case};
use novelty::{Novelty, Setting};
use score::Hour;

const NAME: &str = "first_time_privilege";

/// The detector.
#[derive(Clone, Debug)]
pub struct FirstTimePrivilege {
    config: Config,
}

/// Its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The least points of an hour that raise an alert. A high-gravity call that is new to the account has 50.
    pub min_score: u32,
    /// The same of an actor or account just born; at least `min_score`, to which it falls over the learning period.
    pub min_score_while_learning: u32,
    /// Whether calls from a network new to the actor count.
    pub source_networks: bool,
    /// Calls whose first use is nothing to tell of: `service:Name`, where `*` and `?` stand for any characters.
    pub quiet_actions: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { min_score: 30, min_score_while_learning: 60, source_networks: true, quiet_actions: Vec::new() }
    }
}

impl Config {
    fn check(&self) -> Result<(), ConfigError> {
        if self.min_score == 0 {
            return Err(ConfigError::new("min_score", "must be at least 1"));
        }
        if self.min_score_while_learning < self.min_score {
            return Err(ConfigError::new(
                "min_score_while_learning",
                format!("must be at least min_score, {}", self.min_score),
            ));
        }
        let is_action =
            |action: &str| action.split_once(':').is_some_and(|(s, n)| !s.is_empty() && !n.is_empty());
        if let Some(wrong) = self.quiet_actions.iter().find(|action| !is_action(action)) {
            return Err(ConfigError::new("quiet_actions", format!("`{wrong}` is no `service:Name`")));
        }
        Ok(())
    }

    /// The points that are needed when so many percent of the learning period are over.
    fn threshold(&self, maturity: u32) -> u32 {
        let stricter = self.min_score_while_learning - self.min_score;
        self.min_score + (u64::from(stricter) * u64::from(100 - maturity.min(100)) / 100) as u32
    }

    fn is_quiet(&self, label: &str) -> bool {
        self.quiet_actions.iter().any(|quiet| wildcard::matches(quiet, label, Case::Ignored))
    }
}

impl Detector for FirstTimePrivilege {
    const NAME: &'static str = NAME;
    const FACTS_VERSION: u32 = 2;
    const PURPOSE: &'static str =
        "dangerous actions, roles, regions and ways of access that an actor never used before";
    const DOCS: &'static str = include_str!("README.md");
    type Config = Config;
    type Facts = Remembered;

    fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { config })
    }

    fn class_name(class: Class) -> String {
        let name = match class {
            facts::ACTOR => "what it uses",
            facts::SHARED => "what all of them use",
            facts::CHAIN => "who opened the session",
            Class(other) => return format!("class {other}"),
        };
        name.to_owned()
    }

    fn claim(action: &Action) -> Claim {
        observe::claim(action)
    }

    fn observe<'e, 'a: 'e>(
        events: impl Iterator<Item = (Claim, &'e Event<'a>)>,
        ledger: &mut Ledger<Remembered>,
    ) {
        observe::observe(events, ledger);
    }

    fn judge(&self, key: &Key, facts: &Remembered, around: &Around<'_, Remembered>, out: &mut Vec<Finding>) {
        let Some(setting) = facts.actor().and_then(|actor| Setting::of(key, actor, around)) else { return };
        let mut hours: BTreeMap<i64, Vec<Novelty<'_>>> = BTreeMap::new();
        for novelty in setting.novelties(around.span, &self.config) {
            hours.entry(novelty.time().hour()).or_default().push(novelty);
        }
        out.extend(
            hours
                .into_iter()
                .map(|(hour, novelties)| Hour::of(hour, novelties, &setting, &self.config))
                .filter(Hour::is_enough)
                .filter_map(|hour| report::finding(&hour, &setting, around.others)),
        );
    }
}

/// The caller at the root of the session an access key belongs to, as remembered here.
pub fn root_of<'l>(
    ledger: &'l Ledger<Remembered>,
    access_key: &str,
    time: crate::time::EventTime,
) -> Option<&'l Link> {
    crate::chain::root(|key| ledger.get(facts::chain_key(key)).and_then(Remembered::link), access_key, time)
}
