#![doc = include_str!("README.md")]

mod analysis;
mod at_hand;
mod breadth;
mod calls;
#[cfg(test)]
mod calls_tests;
mod cedar;
mod condition;
#[cfg(test)]
mod coverage;
mod deeds;
mod difference;
mod document;
mod documents;
mod escalation;
mod explain;
mod extract;
mod facts;
mod full;
mod held;
mod identity;
mod judge;
mod lifted;
mod lifts;
mod network;
mod next;
mod notes;
mod opensearch;
mod path;
mod reach;
mod resource;
mod shares;
mod state;
mod steps;
mod story;
mod tell;
#[cfg(test)]
mod tests;
mod together;
mod tries;
mod vendors;
mod verdict;
mod widens;
pub(crate) mod wildcard;
mod work;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::detector::{Around, Claim, ConfigError, Detector};
use crate::event::Event;
use crate::finding::{Finding, Severity};
use crate::ledger::{Class, Key, Ledger};

pub use analysis::Kind;
pub use document::Unreadable;
pub use explain::{Explanation, explain};
pub use facts::Remembered;
pub use notes::Notes;
pub use verdict::{Code, Verdict};

/// The detector.
#[derive(Clone, Debug)]
pub struct PolicyChange {
    config: Config,
}

/// `[detectors.policy_change]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Changes below this severity make no finding.
    pub report_from: Severity,
}

impl Default for Config {
    fn default() -> Self {
        Self { report_from: Severity::Low }
    }
}

impl Detector for PolicyChange {
    const NAME: &'static str = "policy_change";
    const PURPOSE: &'static str =
        "calls that widen access, weaken guardrails, mint credentials or blind detection";
    const DOCS: &'static str = include_str!("README.md");
    /// 2: steps know the managed policy they attached; a call may have several effects on one resource; changes know how grave
    /// they are. 3: resources end. 4: any
    /// call that was refused or went through, of each the first of an hour; which policies a user, role or group was given. 5: steps
    /// that let the actor in know where the facts of what they changed stand.
    const FACTS_VERSION: u32 = 5;
    type Config = Config;
    type Facts = Remembered;

    fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self { config })
    }

    fn class_name(class: Class) -> String {
        let name = match class {
            extract::RESOURCE => "changes of a resource",
            steps::ACTOR => "steps of an actor",
            held::HOLDER => "policies of a user, role or group",
            Class(other) => return format!("class {other}"),
        };
        name.to_owned()
    }

    fn claim(action: &Action) -> Claim {
        extract::claim(action)
    }

    fn observe<'e, 'a: 'e>(
        events: impl Iterator<Item = (Claim, &'e Event<'a>)>,
        ledger: &mut Ledger<Remembered>,
    ) {
        extract::observe(events, ledger);
    }

    fn judge(&self, key: &Key, facts: &Remembered, around: &Around<'_, Remembered>, out: &mut Vec<Finding>) {
        match key.class {
            steps::ACTOR => story::actor(&self.config, key, facts, around, out),
            held::HOLDER => {}
            _ => judge::resource(&self.config, key, facts, around, out),
        }
    }
}
