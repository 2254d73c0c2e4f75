//! The facts one invocation works with.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use foldhash::quality::FixedState;
use trailhound_detectors::EventTime;

use super::kind::{AnyFacts, FactKey, State};
use crate::store::facts::Stamp;

/// Facts of one key as they are stored, as far as this process knows; nothing where nothing is stored.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) facts: Option<AnyFacts>,
    /// The state of their row.
    pub(super) stamp: Option<Stamp>,
    /// As they lie in the table.
    pub(super) rest: Rest,
    /// What is known of judging them.
    pub(super) cleared: Option<Cleared>,
}

/// Bytes of facts, as far as they must be known again: their number, and a hash that nobody outside this process can
/// foretell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) weight: usize,
    hash: u64,
}

impl Rest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        static SEED: LazyLock<FixedState> =
            LazyLock::new(|| FixedState::with_seed(RandomState::new().hash_one(0)));
        Self { weight: bytes.len(), hash: SEED.hash_one(bytes) }
    }
}

/// These rules found nothing in the facts that began at `since` or later, with those of other keys as they then were.
/// Judging is pure, so they will find nothing again.
#[derive(Clone, Debug)]
pub(super) struct Cleared {
    /// The number of the rules.
    pub(super) rules: u64,
    pub(super) since: EventTime,
    /// The keys that were asked for, with the state of their facts; nothing where there were none.
    pub(super) asked: Arc<[(FactKey, Option<State>)]>,
}

impl Held {
    pub(super) fn state(&self) -> Option<State> {
        self.facts.as_ref().map(AnyFacts::state)
    }
}

/// Whether somebody else may have written since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Read or written by this invocation.
    Fresh,
    /// From the cache.
    Cached,
}

/// Facts by key.
#[derive(Debug, Default)]
pub(super) struct Working {
    held: BTreeMap<FactKey, (Held, Freshness)>,
}

impl Working {
    pub(super) fn insert(&mut self, key: FactKey, held: Held, freshness: Freshness) {
        self.held.insert(key, (held, freshness));
    }

    pub(super) fn get(&self, key: &FactKey) -> Option<&Held> {
        self.held.get(key).map(|(held, _)| held)
    }

    pub(super) fn facts(&self, key: &FactKey) -> Option<&AnyFacts> {
        self.get(key)?.facts.as_ref()
    }

    pub(super) fn contains(&self, key: &FactKey) -> bool {
        self.held.contains_key(key)
    }

    pub(super) fn is_fresh(&self, key: &FactKey) -> bool {
        matches!(self.held.get(key), Some((_, Freshness::Fresh)))
    }
}
