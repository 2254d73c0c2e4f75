//! Judging the keys a batch touched, with the facts it asks for, and again with fresh ones before anybody is told.
//!
//! What is judged to be nothing is remembered with the facts that were looked at: nothing else goes into a judgement, so
//! while those stay as they are it need not be made again. What was found is judged each time, as it may not have been told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use trailhound_detectors::catalogue::Detectors;
use trailhound_detectors::{Environment, EventTime, Finding, Severity};

use super::desk::{Desk, Trouble};
use super::kind::{Bench, FactKey, Judged, State};
use super::read::Batch;
use super::working::{Cleared, Freshness, Held, Working};
use crate::store::table::Table;

/// How often a key is judged again with facts it asked for: the longest chain of access keys that is followed.
const ROUNDS: usize = 8;
/// Facts of keys that only others ask for may be so old while nothing is found.
const RECENT: Duration = Duration::from_secs(60);

/// A judgement that asks for more keys is not remembered.
const MOST_ASKED: usize = 64;

/// A finding, the objects that taught about its key, and the key; none where no detector found it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) finding: Finding,
    pub(super) objects: Vec<usize>,
    pub(super) key: Option<FactKey>,
}

/// What judging the keys of a batch gave.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) found: Vec<Found>,
    /// Keys whose judgement rests on facts of others, too.
    pub(super) leaning: BTreeSet<FactKey>,
    /// Keys whose judgement lacks facts.
    pub(super) troubles: BTreeMap<FactKey, Trouble>,
}

/// Who judges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Court<'a> {
    pub(super) detectors: &'a Detectors,
    pub(super) environment: &'a Environment,
    /// The number of the rules: of no others in this process.
    pub(super) rules: u64,
}

impl<T: Table> Desk<'_, T> {
    /// Judges every touched key whose facts are safe.
    pub(super) async fn judge(
        &mut self,
        court: Court<'_>,
        batch: &Batch,
        working: &mut Working,
        unsafe_keys: &BTreeMap<FactKey, Trouble>,
    ) -> Judgement {
        let Judgement { mut found, mut leaning, mut troubles } = Judgement::default();
        let mut pending: Vec<&FactKey> = Vec::new();
        for (key, touched) in batch.touched.iter().filter(|(key, _)| !unsafe_keys.contains_key(*key)) {
            match self.cleared(court.rules, (key, touched.since), working) {
                Some(cleared) if cleared.asked.is_empty() => {}
                Some(_) => {
                    leaning.insert(key.clone());
                }
                None => pending.push(key),
            }
        }
        for round in 0..ROUNDS {
            let mut wanted: BTreeMap<FactKey, BTreeSet<&FactKey>> = BTreeMap::new();
            for key in std::mem::take(&mut pending) {
                let touched = &batch.touched[key];
                let judged = self.judge_one(court, key, touched.since, working);
                let lacking =
                    if round + 1 == ROUNDS { BTreeSet::new() } else { self.lacking(key, &judged, working) };
                if !judged.asked.is_empty() {
                    leaning.insert(key.clone());
                }
                if judged.findings.is_empty() && lacking.is_empty() {
                    self.clear(court.rules, (key, touched.since), judged.asked, working);
                } else if lacking.is_empty() {
                    found.extend(judged.findings.into_iter().map(|finding| Found {
                        finding,
                        objects: touched.objects.clone(),
                        key: Some(key.clone()),
                    }));
                }
                for lack in lacking {
                    wanted.entry(lack).or_default().insert(key);
                }
            }
            if wanted.is_empty() {
                break;
            }
            let lost = self.load(wanted.keys().cloned(), working).await;
            let again: BTreeSet<&FactKey> = wanted.values().flatten().copied().collect();
            for (lack, trouble) in lost {
                for key in &wanted[&lack] {
                    troubles.insert((*key).clone(), trouble.clone());
                }
            }
            pending = again.into_iter().filter(|key| !troubles.contains_key(*key)).collect();
        }
        Judgement { found, leaning, troubles }
    }

    /// What was remembered of a judgement that found nothing, if it would find nothing again.
    fn cleared(&self, rules: u64, (key, since): (&FactKey, EventTime), working: &Working) -> Option<Cleared> {
        let cleared = working.get(key)?.cleared.as_ref()?;
        let is_as_it_was = |(asked, state): &(FactKey, Option<State>)| match working.get(asked) {
            Some(held) => held.state() == *state,
            None => self.cache.recent_facts(asked, RECENT).is_some_and(|held| held.state() == *state),
        };
        let still =
            cleared.rules == rules && cleared.since <= since && cleared.asked.iter().all(is_as_it_was);
        still.then(|| cleared.clone())
    }

    /// Remembers that nothing was found about a key, with all the facts it asked for.
    fn clear(
        &self,
        rules: u64,
        (key, since): (&FactKey, EventTime),
        asked: BTreeSet<FactKey>,
        working: &Working,
    ) {
        let Some(held) = working.get(key).filter(|_| asked.len() <= MOST_ASKED) else { return };
        let state = |asked: FactKey| {
            let state = working.get(&asked).and_then(Held::state);
            (asked, state)
        };
        let cleared = Cleared { rules, since, asked: asked.into_iter().map(state).collect() };
        self.cache.clear(key, held.state(), cleared);
    }

    /// Judges one key, taking from the cache what it asks for.
    fn judge_one(&self, court: Court<'_>, key: &FactKey, since: EventTime, working: &mut Working) -> Judged {
        let Court { detectors, environment, .. } = court;
        loop {
            let judged = self.kind(key).judge(Bench { detectors, environment, working }, key, since);
            let cached: Vec<_> = judged
                .asked
                .iter()
                .filter(|asked| !working.contains(asked))
                .filter_map(|asked| Some((asked.clone(), self.cache.recent_facts(asked, RECENT)?)))
                .collect();
            if cached.is_empty() {
                return judged;
            }
            for (asked, held) in cached {
                working.insert(asked, held, Freshness::Cached);
            }
        }
    }

    /// What must be loaded before this judgement counts: facts never seen; and, where it would be news, facts that
    /// somebody else may have written since.
    fn lacking(&self, key: &FactKey, judged: &Judged, working: &Working) -> BTreeSet<FactKey> {
        let missing: BTreeSet<_> = judged.asked.iter().filter(|a| !working.contains(a)).cloned().collect();
        if !missing.is_empty() || !judged.findings.iter().any(|f| self.is_news(&f.id(), f.severity)) {
            return missing;
        }
        let read = judged.asked.iter().chain([key]);
        read.filter(|key| !working.is_fresh(key)).cloned().collect()
    }

    /// As far as this process knows.
    pub(super) fn is_news(&self, id: &str, severity: Severity) -> bool {
        self.cache.sent(id).is_none_or(|sent| severity > sent.severity)
    }
}
