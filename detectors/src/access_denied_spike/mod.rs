#![doc = include_str!("README.md")]

mod addresses;
mod background;
mod burst;
mod calls;
mod changes;
mod denial;
#[cfg(test)]
mod differential;
mod draft;
mod facts;
mod first;
mod firsts;
mod grave;
mod message;
mod observe;
mod outage;
mod roles;
mod series;
mod services;
mod sign_ins;
mod slow;
mod summary;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::baseline::Expectation;
use crate::detector::{Around, Claim, ConfigError, Detector};
use crate::event::Event;
use crate::finding::Finding;
use crate::ledger::{Class, Key, Ledger};

pub use facts::Remembered;
pub use summary::Summary;

/// The detector.
#[derive(Clone, Debug)]
pub struct AccessDeniedSpike {
    config: Config,
}

/// Its configuration. Every number counts within a sliding window of five minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Refused calls of one actor that are a burst, when they are of several actions or a grave one; at least 3.
    pub min_calls: u32,
    /// Refused calls of one actor that are a burst, when they are of one or two actions; at least `min_calls`.
    pub min_calls_of_one_action: u32,
    /// Different refused actions of one actor that are a burst, however few the calls; at least 3.
    pub min_actions: u32,
    /// Failed sign-ins, or wrong second factors, of one user that are a burst; at least 3.
    pub min_failed_sign_ins: u32,
    /// Actors refused, or users failing to sign in, from one address that are an attack on them all; at least 2.
    pub min_actors_of_address: u32,
    /// Actors of one account refused for one cause that are an outage; at least 2.
    pub min_actors_of_outage: u32,
    /// A burst is this many times larger than what earlier days lead one to expect; more than 1.
    pub times_expected: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            min_calls: 10,
            min_calls_of_one_action: 30,
            min_actions: 6,
            min_failed_sign_ins: 5,
            min_actors_of_address: 4,
            min_actors_of_outage: 5,
            times_expected: 3.0,
        }
    }
}

impl Config {
    /// The least count that is large beside what was expected, if anything was.
    fn above(&self, expectation: Option<&Expectation<'_>>) -> u64 {
        expectation.map_or(0, |expectation| expectation.times(self.times_expected).ceil() as u64)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let least = u32::try_from(facts::FLOOR).unwrap_or(u32::MAX);
        for (field, value, least) in [
            ("min_calls", self.min_calls, least),
            ("min_calls_of_one_action", self.min_calls_of_one_action, self.min_calls),
            ("min_actions", self.min_actions, least),
            ("min_failed_sign_ins", self.min_failed_sign_ins, least),
            ("min_actors_of_address", self.min_actors_of_address, 2),
            ("min_actors_of_outage", self.min_actors_of_outage, 2),
        ] {
            if value < least {
                return Err(ConfigError::new(field, format!("{value} is too few: at least {least}")));
            }
        }
        // What is as large as expected is no burst: of hours that were ordinary nothing is kept that could be told.
        if !self.times_expected.is_finite() || self.times_expected <= 1.0 {
            return Err(ConfigError::new("times_expected", "must be a number above 1"));
        }
        Ok(())
    }
}

impl Detector for AccessDeniedSpike {
    const NAME: &'static str = "access_denied_spike";
    const FACTS_VERSION: u32 = 4;
    const PURPOSE: &'static str =
        "refused calls, roles and sign-ins that stand out: probing, brute force, broken permissions";
    const DOCS: &'static str = include_str!("README.md");
    type Config = Config;
    type Facts = Remembered;

    fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { config })
    }

    fn class_name(class: Class) -> String {
        let name = match class {
            observe::CALLS => "refused calls",
            observe::ROLES => "roles not given",
            observe::SERVICES => "refusals of services",
            observe::SIGN_INS => "failed sign-ins",
            observe::SECOND_FACTORS => "wrong second factors",
            observe::SOURCE_CALLS => "refused calls from an address",
            observe::SOURCE_SIGN_INS => "failed sign-ins from an address",
            observe::ACCOUNT => "refusals, whoever called",
            observe::CHANGES => "changes that can lock others out",
            observe::SIBLINGS => "refused calls of all of one name",
            Class(other) => return format!("class {other}"),
        };
        name.to_owned()
    }

    /// Any call can be refused, and an action does not tell whether it was.
    fn claim(action: &Action) -> Claim {
        observe::claim(action)
    }

    fn observe<'e, 'a: 'e>(
        events: impl Iterator<Item = (Claim, &'e Event<'a>)>,
        ledger: &mut Ledger<Remembered>,
    ) {
        events.for_each(|(claim, event)| observe::observe(event, claim, ledger));
    }

    fn judge(&self, key: &Key, facts: &Remembered, around: &Around<'_, Remembered>, out: &mut Vec<Finding>) {
        match key.class {
            observe::CALLS => {
                let bursts = self.judge_calls(key, facts, around);
                out.extend(self.judge_firsts(key, facts, around, &bursts));
                out.extend(self.judge_days(key, facts, around, &bursts));
                out.extend(bursts);
            }
            observe::ROLES => out.extend(self.judge_roles(key, facts, around)),
            observe::SERVICES => out.extend(self.judge_services(key, facts, around)),
            observe::SIGN_INS | observe::SECOND_FACTORS => {
                out.extend(self.judge_sign_ins(key, facts, around))
            }
            observe::SOURCE_CALLS => out.extend(self.judge_source_calls(key, facts, around)),
            observe::SOURCE_SIGN_INS => {
                let bursts = self.judge_source_sign_ins(key, facts, around);
                out.extend(self.judge_days(key, facts, around, &bursts));
                out.extend(bursts);
            }
            observe::ACCOUNT => out.extend(self.judge_account(key, facts, around)),
            _ => {}
        }
    }
}
