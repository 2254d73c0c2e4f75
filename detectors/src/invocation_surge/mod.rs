#![doc = include_str!("README.md")]

mod advice;
mod bottom;
mod config;
#[cfg(test)]
mod differential;
mod facts;
mod families;
mod growth;
mod judge;
mod kin;
mod observe;
mod tell;
#[cfg(test)]
mod tests;
mod told;

pub use bottom::Bottom;
pub use config::Config;
pub use facts::Remembered;
pub use families::Family;

use crate::action::Action;
use crate::detector::{Around, Claim, ConfigError, Detector};
use crate::event::Event;
use crate::finding::Finding;
use crate::ledger::{Class, Key, Ledger};

const NAME: &str = "invocation_surge";

/// The detector.
#[derive(Clone, Debug)]
pub struct InvocationSurge {
    config: Config,
}

impl Detector for InvocationSurge {
    const NAME: &'static str = NAME;
    /// 3: what is in open minutes is not counted for their days yet, which an older function would lose.
    const FACTS_VERSION: u32 = 3;
    const PURPOSE: &'static str = "Functions, models, stores, secrets and APIs called far more than ever before: what it costs, and who drives it";
    const DOCS: &'static str = include_str!("README.md");
    type Config = Config;
    type Facts = Remembered;

    fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { config })
    }

    fn class_name(class: Class) -> String {
        match families::Family::of(class) {
            Some((family, subject)) => format!("{family:?} by {subject:?}").to_lowercase(),
            None => "since when it is watched".to_owned(),
        }
    }

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
        judge::judge(&self.config, key, facts, around, out);
    }
}
