//! A detector with its types forgotten, so that what waits for the network can handle facts of any.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trailhound_detectors::catalogue::{self, Detectors, Ledgers, Slot, Visit};
use trailhound_detectors::{
    Around, Detector, Environment, EventTime, Facts, Finding, Join as _, Key, KeyRef, Lookup, TimeRange,
};

use super::working::Working;
use crate::store::item::{self, ItemError};

/// Which facts: the detector's place in the catalogue, and the key. In order of the digest, which tells nearly all of them
/// apart at a glance; names begin alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FactKey {
    digest: u64,
    pub(super) kind: u8,
    pub(super) key: Key,
}

impl FactKey {
    pub(super) fn new(kind: u8, key: Key) -> Self {
        Self { digest: key.digest(), kind, key }
    }

    /// [`Key::digest`].
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }
}

impl Hash for FactKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Names of one digest can be made up: these are for maps that outlive a batch.
        (self.digest, self.kind, &*self.key.entity).hash(state);
    }
}

/// Facts of one key of some detector; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct AnyFacts {
    facts: Arc<dyn Any + Send + Sync>,
    state: State,
}

/// Facts in one state; no two of a process share it, not even equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(u64);

static STATES: AtomicU64 = AtomicU64::new(0);

impl AnyFacts {
    fn new<F: Facts>(facts: F) -> Self {
        Self { facts: Arc::new(facts), state: State(STATES.fetch_add(1, Ordering::Relaxed)) }
    }

    /// Nobody changes facts: these, for as long as they are cached.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// The facts, if they are of this type; within one detector they always are.
    fn get<F: Facts>(&self) -> Option<&F> {
        self.facts.downcast_ref()
    }
}

/// How old facts are tidied before they are stored. Neither changes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tidy {
    /// Windows that end at or before this minute are folded into peaks.
    pub(super) closed: i64,
    /// What ended before is forgotten.
    pub(super) horizon: EventTime,
}

/// Facts of a batch joined with what was known.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) facts: AnyFacts,
    /// They say more than what was known.
    pub(super) is_news: bool,
}

/// What judging one key gave.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) findings: Vec<Finding>,
    /// Other keys it asked for, there or not.
    pub(super) asked: BTreeSet<FactKey>,
}

/// Everything that judging is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bench<'a> {
    pub(super) detectors: &'a Detectors,
    pub(super) environment: &'a Environment,
    pub(super) working: &'a Working,
}

/// One detector of the catalogue.
pub(super) trait Kind: Send + Sync {
    fn name(&self) -> &'static str;
    /// The keys that a batch taught about, in no order.
    fn keys(&self, batch: &Ledgers) -> Vec<FactKey>;
    /// Joins what a batch taught about a key with what was known of it.
    fn join(
        &self,
        batch: &Ledgers,
        key: &FactKey,
        known: Option<&AnyFacts>,
        tidy: Option<Tidy>,
    ) -> Option<Joined>;
    fn encode(&self, key: &Key, facts: &AnyFacts) -> Result<Vec<u8>, ItemError>;
    fn decode(&self, bytes: &[u8]) -> Result<(Key, AnyFacts), ItemError>;
    /// Judges a key of the working set for what began at `since` or later.
    fn judge(&self, bench: Bench<'_>, key: &FactKey, since: EventTime) -> Judged;
}

/// The catalogue, in its order.
pub(super) fn kinds() -> Vec<Box<dyn Kind>> {
    struct Kinds(Vec<Box<dyn Kind>>);
    impl Visit for Kinds {
        fn visit<D: Detector>(&mut self, slot: Slot<D>) {
            let place = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
            self.0.push(Box::new(Typed { slot, place }));
        }
    }
    let mut kinds = Kinds(Vec::new());
    catalogue::each(&mut kinds);
    kinds.0
}

struct Typed<D: Detector> {
    slot: Slot<D>,
    place: u8,
}

impl<D: Detector> Kind for Typed<D> {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn keys(&self, batch: &Ledgers) -> Vec<FactKey> {
        let key = |(digest, key): (u64, &Key)| FactKey { digest, kind: self.place, key: key.clone() };
        (self.slot.facts)(batch).keys().map(key).collect()
    }

    fn join(
        &self,
        batch: &Ledgers,
        key: &FactKey,
        known: Option<&AnyFacts>,
        tidy: Option<Tidy>,
    ) -> Option<Joined> {
        let taught = (self.slot.facts)(batch).get_by(key.digest, key.key.as_ref())?;
        let known: Option<(&AnyFacts, &D::Facts)> = known.and_then(|held| Some((held, held.get()?)));
        let mut facts = match known {
            Some((held, known)) => {
                if known.covers(taught) {
                    // Tidied when they were written; what has come to its end since is tidied with the next news.
                    return Some(Joined { facts: held.clone(), is_news: false });
                }
                let mut facts = known.clone();
                facts.join(taught);
                facts
            }
            None => taught.clone(),
        };
        if let Some(Tidy { closed, horizon }) = tidy {
            facts.close(closed);
            facts.forget(horizon);
        }
        let is_news = known.is_none_or(|(_, known)| *known != facts);
        Some(Joined { is_news, facts: AnyFacts::new(facts) })
    }

    fn encode(&self, key: &Key, facts: &AnyFacts) -> Result<Vec<u8>, ItemError> {
        match facts.get() {
            Some(facts) => item::encode::<D>(key, facts),
            None => Err(ItemError::Damaged { detector: D::NAME, what: "facts of another detector".into() }),
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<(Key, AnyFacts), ItemError> {
        let (key, facts) = item::decode::<D>(bytes)?;
        Ok((key, AnyFacts::new(facts)))
    }

    fn judge(&self, bench: Bench<'_>, key: &FactKey, since: EventTime) -> Judged {
        let asked = RefCell::default();
        let mut findings = Vec::new();
        if let Some(facts) = bench.working.facts(key).and_then(AnyFacts::get) {
            let span = TimeRange { start: since, end: EventTime(i64::MAX) };
            let others = Others { working: bench.working, kind: self.place, asked: &asked };
            // Notes of another key would hide what this one asks for.
            let notes = Default::default();
            let around = Around { others: &others, environment: bench.environment, span, notes: &notes };
            (self.slot.detector)(bench.detectors).judge(&key.key, facts, &around, &mut findings);
            findings.retain(|finding| span.contains(finding.window.start));
        }
        Judged { findings, asked: asked.into_inner() }
    }
}

/// Looks other keys up in the working set, and remembers which were asked for.
struct Others<'a> {
    working: &'a Working,
    kind: u8,
    asked: &'a RefCell<BTreeSet<FactKey>>,
}

impl<F: Facts> Lookup<F> for Others<'_> {
    fn facts(&self, key: KeyRef<'_>) -> Option<&F> {
        let key = FactKey::new(self.kind, key.to_key());
        let found = self.working.facts(&key).and_then(AnyFacts::get);
        self.asked.borrow_mut().insert(key);
        found
    }
}
