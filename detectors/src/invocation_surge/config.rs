//! `[detectors.invocation_surge]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::families::{Family, Subject};
use crate::detector::ConfigError;

/// Windows with fewer throttled calls are not remembered.
pub(super) const LEAST_THROTTLED: u64 = 20;

/// When a surge is a surge, and what calls cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A window this many times the expected one is a surge; more than 1.
    pub factor: f64,
    /// Thresholds are this many times higher while a key is still being learnt; at least 1.
    pub learning_multiple: f64,
    /// Surges of one key closer together than this are one, hours.
    pub episode_gap_hours: u32,
    /// Three days in a row, each this many times the usual day, are growth; more than 1.
    pub growth_factor: f64,
    /// An estimate from this on, US dollars an hour, makes a surge graver.
    pub dear_usd_per_hour: f64,
    /// Fewer throttled calls of one thing than this in 5 minutes are no surge.
    pub throttled: u64,
    /// Fewer than this in 5 minutes are no surge, by family. Families left out keep their default.
    pub floors: BTreeMap<Family, u64>,
    /// Estimated prices, US dollars: of one call of a family, or of one virtual processor for an hour for `compute`. A name instead of a
    /// family (the start of a model id, an instance type, an ARN) prices what it names; the longest that fits wins.
    pub prices: BTreeMap<String, f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            factor: 4.0,
            learning_multiple: 3.0,
            episode_gap_hours: 26,
            growth_factor: 3.0,
            dear_usd_per_hour: 20.0,
            throttled: 100,
            floors: Family::ALL.into_iter().map(|family| (family, family.traits().floor)).collect(),
            prices: PRICES.iter().map(|(name, price)| ((*name).to_owned(), *price)).collect(),
        }
    }
}

/// List prices of us-east-1, from the services' pricing pages, with an assumption where CloudTrail does not tell enough.
const PRICES: &[(&str, f64)] = &[
    ("function", 0.000_001_9), // a request, and 200 ms of 512 MB
    ("model", 0.01),           // about 1,000 tokens in and 500 out of a middling model
    ("agent", 0.02),           // two model calls
    ("workflow", 0.000_25),    // ten state transitions
    ("endpoint", 0.000_01),    // capacity is paid by the hour; this is serverless inference for 100 ms
    ("message", 0.000_000_5),  // a queue or topic request
    ("sns:Publish", 0.006),    // without a topic: a text message
    ("objects", 0.000_000_4),
    ("object_writes", 0.000_005),
    ("items", 0.000_000_125),
    ("item_writes", 0.000_000_625),
    ("scans", 0.000_016), // a megabyte, eventually consistent
    ("secrets", 0.000_005),
    ("parameters", 0.0),
    ("decrypts", 0.000_003),
    ("compute", 0.05), // a virtual processor, an hour
    ("g4dn.", 0.13),
    ("g5.", 0.25),
    ("g6.", 0.2),
    ("inf2.", 0.19),
    ("p3.", 0.38),
    ("p4", 0.34),
    ("p5", 0.3),
    ("trn1", 0.17),
    ("jobs", 0.01),
];

impl Config {
    /// The floor of a family's keys.
    pub(super) fn floor(&self, family: Family, subject: Subject) -> u64 {
        if subject == Subject::Throttled {
            return self.throttled;
        }
        self.floors.get(&family).copied().unwrap_or(family.traits().floor)
    }

    /// The price of one of `family`, called `name`, if the table has any.
    pub(super) fn price(&self, family: Family, name: &str) -> Option<f64> {
        let named =
            self.prices.iter().filter(|(prefix, _)| !prefix.is_empty() && name.starts_with(&***prefix));
        let named = named.max_by_key(|(prefix, _)| prefix.len()).map(|(_, price)| *price);
        named.or_else(|| self.prices.get(family.traits().name).copied())
    }

    /// Why these values can't be.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (field, value, least) in
            [("factor", self.factor, 1.0), ("growth_factor", self.growth_factor, 1.0)]
        {
            if !(value.is_finite() && value > least) {
                return Err(ConfigError::new(field, format!("{value} is not a number above {least}")));
            }
        }
        if !(self.learning_multiple.is_finite() && self.learning_multiple >= 1.0) {
            return Err(ConfigError::new("learning_multiple", "must be a number from 1 on"));
        }
        if !(self.dear_usd_per_hour.is_finite() && self.dear_usd_per_hour > 0.0) {
            return Err(ConfigError::new("dear_usd_per_hour", "must be a number above 0"));
        }
        if !(1..=48).contains(&self.episode_gap_hours) {
            return Err(ConfigError::new("episode_gap_hours", "must be from 1 to 48 hours"));
        }
        if self.throttled < LEAST_THROTTLED {
            let reason =
                format!("{}, but windows below {LEAST_THROTTLED} are not remembered", self.throttled);
            return Err(ConfigError::new("throttled", reason));
        }
        for (family, floor) in &self.floors {
            let least = family.traits().least;
            if *floor < least {
                let reason = format!(
                    "{} = {floor}, but windows below {least} are not remembered",
                    family.traits().name
                );
                return Err(ConfigError::new("floors", reason));
            }
        }
        for (name, price) in &self.prices {
            if !(price.is_finite() && *price >= 0.0) {
                return Err(ConfigError::new("prices", format!("{name} = {price} is not a price")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_with_its_field() {
        assert_eq!(Config::default().check(), Ok(()));
        for (text, field) in [
            ("factor = 1.0", "factor"),
            ("factor = nan", "factor"),
            ("growth_factor = 0.5", "growth_factor"),
            ("learning_multiple = 0.9", "learning_multiple"),
            ("dear_usd_per_hour = 0.0", "dear_usd_per_hour"),
            ("episode_gap_hours = 0", "episode_gap_hours"),
            ("throttled = 1", "throttled"),
            ("floors = { secrets = 2 }", "floors"),
            ("prices = { function = -0.1 }", "prices"),
        ] {
            let config: Config = toml::from_str(text).unwrap();
            assert_eq!(config.check().unwrap_err().field, field, "{text}");
        }
        assert!(toml::from_str::<Config>("floors = { function_calls = 9 }").is_err());
    }

    #[test]
    fn a_floor_left_out_keeps_its_default_and_the_longest_name_prices() {
        let config: Config = toml::from_str("floors = { secrets = 9 }").unwrap();
        assert_eq!(
            (config.floor(Family::Secrets, Subject::Actor), config.floor(Family::Compute, Subject::Target)),
            (9, 64)
        );
        let config: Config =
            toml::from_str("[prices]\nmodel = 0.01\n\"anthropic.\" = 0.02\n\"anthropic.claude-opus\" = 0.1")
                .unwrap();
        assert_eq!(config.price(Family::Model, "anthropic.claude-opus-4"), Some(0.1));
        assert_eq!(config.price(Family::Model, "anthropic.claude-haiku"), Some(0.02));
        assert_eq!(config.price(Family::Model, "meta.llama"), Some(0.01));
        assert_eq!(config.price(Family::Api, "eu-west-1/iam:CreateUser"), None);
    }
}
