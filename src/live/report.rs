//! What became of an invocation: counts that add up, and the messages to hand back.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::tally::Tally;

/// What one invocation asked of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Touched keys that the warm cache knew.
    pub cache_hits: u64,
    /// Reads, of up to a hundred rows each.
    pub reads: u64,
    /// Rows written, or tried to.
    pub writes: u64,
    /// Writes that somebody else came before.
    pub conflicts: u64,
    /// Times that deliveries were written down.
    pub notes: u64,
}

/// What became of the findings. Always: `found = published + failed + known + suppressed + held`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertCounts {
    /// Findings, alerted on before or not.
    pub found: u64,
    /// Published, by detector.
    pub published: BTreeMap<String, u64>,
    /// Not known to be published: their messages are handed back.
    pub failed: u64,
    /// Published before, with the same severity or a higher one.
    pub known: u64,
    /// Silenced by the configuration.
    pub suppressed: u64,
    /// Of a backlog: judged again when it is worked off.
    pub held: u64,
}

/// What became of an invocation.
#[derive(Debug, Default)]
pub struct Report {
    /// Messages it came with.
    pub messages: u64,
    /// Objects they named, each once.
    pub objects: u64,
    /// Notices that were no concern of ours, by reason.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Seconds from the delivery of the newest object to now, where names tell it.
    pub delay: Option<i64>,
    /// Keys the records taught about.
    pub keys: u64,
    /// What became of objects and records.
    pub tally: Tally,
    /// What the store was asked.
    pub store: StoreCounts,
    /// What became of the findings.
    pub alerts: AlertCounts,
    /// A changed configuration is broken or can't be fetched, and the one before it judged.
    pub kept_old_config: bool,
    /// What went wrong, in words: no record, no secret.
    pub troubles: Vec<String>,
    /// Ids of the messages to hand back.
    pub failed: BTreeSet<String>,
}

/// More troubles than this are not told one by one.
const TOLD: usize = 20;

impl Report {
    /// Something went wrong.
    pub(super) fn trouble(&mut self, what: impl FnOnce() -> String) {
        if self.troubles.len() < TOLD {
            self.troubles.push(what());
        }
    }
}
