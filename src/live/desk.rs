//! The store, as one invocation uses it: facts loaded, joined with what a batch taught, and written if that is news.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};
use trailhound_detectors::EventTime;

use super::cache::Cache;
use super::kind::{AnyFacts, FactKey, Kind, Tidy};
use super::read::Batch;
use super::report::StoreCounts;
use super::working::{Freshness, Held, Rest, Working};
use crate::store::facts::{FactStore, Stamp, Stored};
use crate::store::item::{self, ItemError};
use crate::store::table::{PutError, READ_BATCH, Table, TableError};

/// Reads of up to [`READ_BATCH`] rows under way at once.
const READS: usize = 4;
/// Writes under way at once.
const WRITES: usize = 16;
/// How often facts are joined anew because somebody else wrote them.
const ATTEMPTS: u32 = 10;
/// The pause before the third attempt; it doubles from there, and half of it is random.
const PAUSE: Duration = Duration::from_millis(20);

/// Why facts of a key could not be loaded or saved.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The table did not do what it was asked.
    #[error("{0}: {source}", source = .0.source)]
    Table(Arc<TableError>),
    /// What is stored can't be read.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// Others kept writing.
    #[error("others kept writing the same facts")]
    Contended,
    /// There was no time left.
    #[error("no time was left")]
    OutOfTime,
}

impl From<TableError> for Trouble {
    fn from(error: TableError) -> Self {
        Self::Table(Arc::new(error))
    }
}

/// What one invocation does with the store.
pub(super) struct Desk<'a, T> {
    pub(super) store: &'a FactStore<T>,
    pub(super) cache: &'a Cache,
    pub(super) kinds: &'a [Box<dyn Kind>],
    pub(super) deadline: Instant,
    /// Nothing while a backlog is worked off.
    pub(super) tidy: Option<Tidy>,
    /// Until when rows written now are kept.
    pub(super) expires: EventTime,
    /// Rows that expire before this are written anew, changed or not.
    pub(super) renew_before: EventTime,
    pub(super) counts: StoreCounts,
}

/// A row to be written.
struct Write {
    key: FactKey,
    facts: AnyFacts,
    bytes: Vec<u8>,
    stamp: Option<Stamp>,
}

impl<T: Table> Desk<'_, T> {
    /// The detector of a key.
    pub(super) fn kind(&self, key: &FactKey) -> &dyn Kind {
        &*self.kinds[usize::from(key.kind)]
    }

    /// Loads keys into the working set and the cache. Answers for those that could not be loaded.
    pub(super) async fn load(
        &mut self,
        keys: impl IntoIterator<Item = FactKey>,
        working: &mut Working,
    ) -> BTreeMap<FactKey, Trouble> {
        let keys: Vec<FactKey> = keys.into_iter().collect();
        let mut troubles = BTreeMap::new();
        let (store, deadline) = (self.store, self.deadline);
        let mut reads = Vec::new();
        for keys in keys.chunks(READ_BATCH) {
            let names: Vec<String> = keys.iter().map(|k| item::name(self.kind(k).name(), &k.key)).collect();
            reads.push(async move { (keys, timeout_at(deadline, store.load(&names)).await) });
        }
        let reads: Vec<_> = futures_util::stream::iter(reads).buffer_unordered(READS).collect().await;
        for (keys, read) in reads {
            self.counts.reads += 1;
            match read {
                Ok(Ok(found)) => {
                    for (key, stored) in keys.iter().zip(found) {
                        match self.held(key, stored) {
                            Ok(held) => {
                                self.cache.keep(key.clone(), held.clone());
                                working.insert(key.clone(), held, Freshness::Fresh);
                            }
                            Err(error) => {
                                troubles.insert(key.clone(), error.into());
                            }
                        }
                    }
                }
                Ok(Err(error)) => {
                    let trouble = Trouble::from(error);
                    troubles.extend(keys.iter().map(|key| (key.clone(), trouble.clone())));
                }
                Err(_) => troubles.extend(keys.iter().map(|key| (key.clone(), Trouble::OutOfTime))),
            }
        }
        troubles
    }

    fn held(&self, key: &FactKey, stored: Option<Stored>) -> Result<Held, ItemError> {
        let Some(Stored { stamp, bytes }) = stored else {
            return Ok(Held { facts: None, stamp: None, rest: Rest::default(), cleared: None });
        };
        let rest = Rest::of(&bytes);
        // What is remembered of these bytes holds, and they need not be opened again.
        if let Some(cached) = self.cache.facts(key).filter(|held| held.facts.is_some() && held.rest == rest) {
            return Ok(Held { stamp: Some(stamp), ..cached });
        }
        let kind = self.kind(key);
        let (found, facts) = kind.decode(&bytes)?;
        if found != key.key {
            return Err(ItemError::Damaged { detector: kind.name(), what: "facts of another key".into() });
        }
        Ok(Held { facts: Some(facts), stamp: Some(stamp), rest, cleared: None })
    }

    /// Sees to it that the store holds what a batch taught. Answers for the keys for which it may not.
    pub(super) async fn settle(
        &mut self,
        batch: &Batch,
        working: &mut Working,
    ) -> BTreeMap<FactKey, Trouble> {
        let mut unknown = Vec::new();
        for key in batch.touched.keys() {
            match self.cache.facts(key) {
                Some(held) => {
                    self.counts.cache_hits += 1;
                    working.insert(key.clone(), held, Freshness::Cached);
                }
                None => unknown.push(key.clone()),
            }
        }
        let mut troubles = self.load(unknown, working).await;
        let mut pending: BTreeSet<FactKey> =
            batch.touched.keys().filter(|key| !troubles.contains_key(*key)).cloned().collect();
        let mut last = BTreeMap::new();
        for attempt in 0..ATTEMPTS {
            let (writes, refused) = self.joined(&pending, batch, working);
            troubles.extend(refused);
            last = self.write(writes, working).await;
            if last.is_empty() {
                return troubles;
            }
            pause(attempt, self.deadline).await;
            let lost = self.load(last.keys().cloned(), working).await;
            pending = last.keys().filter(|key| !lost.contains_key(*key)).cloned().collect();
            troubles.extend(lost);
            last.retain(|key, _| pending.contains(key));
        }
        troubles.extend(last);
        troubles
    }

    /// What must be written for these keys; and the keys whose facts can't be.
    fn joined(
        &self,
        keys: &BTreeSet<FactKey>,
        batch: &Batch,
        working: &Working,
    ) -> (Vec<Write>, BTreeMap<FactKey, Trouble>) {
        let (mut writes, mut refused) = (Vec::new(), BTreeMap::new());
        for key in keys {
            let Some(known) = working.get(key) else { continue };
            let kind = self.kind(key);
            let Some(joined) = kind.join(&batch.ledgers, key, known.facts.as_ref(), self.tidy) else {
                continue;
            };
            let expires_soon = known.stamp.as_ref().is_some_and(|stamp| stamp.expires < self.renew_before);
            if !joined.is_news && !expires_soon {
                continue;
            }
            match kind.encode(&key.key, &joined.facts) {
                Ok(bytes) => writes.push(Write {
                    key: key.clone(),
                    facts: joined.facts,
                    bytes,
                    stamp: known.stamp.clone(),
                }),
                Err(error) => {
                    refused.insert(key.clone(), error.into());
                }
            }
        }
        (writes, refused)
    }

    /// Writes rows. Answers for those that are not known to be written, with what to say if that stays so.
    async fn write(&mut self, writes: Vec<Write>, working: &mut Working) -> BTreeMap<FactKey, Trouble> {
        let (store, deadline, expires) = (self.store, self.deadline, self.expires);
        let named =
            writes.into_iter().map(|write| (item::name(self.kind(&write.key).name(), &write.key.key), write));
        let named: Vec<_> = named.collect();
        let written: Vec<_> = futures_util::stream::iter(named)
            .map(|(name, write)| async move {
                let save = store.save(&name, &write.bytes, expires, write.stamp.as_ref());
                let saved = timeout_at(deadline, save).await;
                (write, saved)
            })
            .buffer_unordered(WRITES)
            .collect()
            .await;
        let mut unwritten = BTreeMap::new();
        for (write, saved) in written {
            let Write { key, facts, bytes, .. } = write;
            self.counts.writes += 1;
            let trouble = match saved {
                Ok(Ok(stamp)) => {
                    let rest = Rest::of(&bytes);
                    let held = Held { facts: Some(facts), stamp: Some(stamp), rest, cleared: None };
                    self.cache.keep(key.clone(), held.clone());
                    working.insert(key, held, Freshness::Fresh);
                    continue;
                }
                Ok(Err(PutError::Conflict)) => {
                    self.counts.conflicts += 1;
                    Trouble::Contended
                }
                Ok(Err(PutError::Failed(error))) => Trouble::from(error),
                Err(_) => Trouble::OutOfTime,
            };
            // Whatever is cached is behind the store, or may be.
            self.cache.drop_facts(&key);
            unwritten.insert(key, trouble);
        }
        unwritten
    }
}

/// Waits before the third and later attempts at what others keep doing first.
pub(super) async fn pause(attempt: u32, deadline: Instant) {
    if attempt > 0 {
        let most = PAUSE * 2u32.saturating_pow(attempt - 1).min(64);
        let pause = most.mul_f64(0.5 + f64::from(chance()) / 512.0);
        tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
    }
}

/// Enough chance to keep writers from meeting again and again: the fast end of the clock.
fn chance() -> u8 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (since.subsec_nanos() >> 8) as u8
}
