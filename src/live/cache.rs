//! Facts and sent alerts that a warm process remembers, so that what it knows costs no I/O.
//!
//! Cached facts are never ahead of the store, so a conditional write tells when they are behind.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use super::kind::{FactKey, State};
use super::working::{Cleared, Held};
use crate::store::facts::Sent;

/// What an entry costs beside its facts, bytes: key, table, allocation.
const OVERHEAD: usize = 512;
/// Facts in memory are some times larger than their bytes at rest.
const INFLATION: usize = 3;

/// A map that forgets what was not used for longest once it weighs too much.
#[derive(Debug)]
struct Bounded<K: Eq + Hash, V> {
    entries: DashMap<K, Entry<V>>,
    limit: usize,
    weight: AtomicUsize,
    clock: AtomicU64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    used: AtomicU64,
}

impl<K: Eq + Hash + Clone, V: Clone> Bounded<K, V> {
    fn new(limit: usize) -> Self {
        Self { entries: DashMap::new(), limit, weight: AtomicUsize::new(0), clock: AtomicU64::new(0) }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn get(&self, key: &K) -> Option<V> {
        let entry = self.entries.get(key)?;
        entry.used.store(self.tick(), Ordering::Relaxed);
        Some(entry.value.clone())
    }

    fn put(&self, key: K, value: V, weight: usize) {
        let entry = Entry { value, weight, used: AtomicU64::new(self.tick()) };
        self.weight.fetch_add(weight, Ordering::Relaxed);
        if let Some(old) = self.entries.insert(key, entry) {
            self.weight.fetch_sub(old.weight, Ordering::Relaxed);
        }
        if self.weight.load(Ordering::Relaxed) > self.limit {
            self.shrink();
        }
    }

    fn change(&self, key: &K, change: impl FnOnce(&mut V)) {
        if let Some(mut entry) = self.entries.get_mut(key) {
            change(&mut entry.value);
        }
    }

    fn remove(&self, key: &K) {
        if let Some((_, old)) = self.entries.remove(key) {
            self.weight.fetch_sub(old.weight, Ordering::Relaxed);
        }
    }

    /// Drops the older half, by use: rarely, and all at once.
    fn shrink(&self) {
        let mut ages: Vec<u64> = self.entries.iter().map(|e| e.used.load(Ordering::Relaxed)).collect();
        ages.sort_unstable();
        let Some(median) = ages.get(ages.len() / 2).copied() else { return };
        self.entries.retain(|_, entry| {
            let keep = entry.used.load(Ordering::Relaxed) > median;
            if !keep {
                self.weight.fetch_sub(entry.weight, Ordering::Relaxed);
            }
            keep
        });
    }
}

/// What a warm process remembers.
#[derive(Debug)]
pub(super) struct Cache {
    facts: Bounded<FactKey, (Held, Instant)>,
    sent: Bounded<String, Sent>,
}

impl Cache {
    /// A cache of about so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { facts: Bounded::new(bytes), sent: Bounded::new(bytes / 16) }
    }

    pub(super) fn facts(&self, key: &FactKey) -> Option<Held> {
        Some(self.facts.get(key)?.0)
    }

    /// Facts that were read or written no longer ago than `age`.
    pub(super) fn recent_facts(&self, key: &FactKey, age: Duration) -> Option<Held> {
        self.facts.get(key).filter(|(_, since)| since.elapsed() <= age).map(|(held, _)| held)
    }

    pub(super) fn keep(&self, key: FactKey, held: Held) {
        let weight = OVERHEAD + key.key.entity.len() + held.rest.weight * INFLATION;
        self.facts.put(key, (held, Instant::now()), weight);
    }

    /// Judging these facts of a key found nothing; of no interest if others are cached by now.
    pub(super) fn clear(&self, key: &FactKey, state: Option<State>, cleared: Cleared) {
        self.facts.change(key, |(held, _)| {
            if held.state() == state {
                held.cleared = Some(cleared);
            }
        });
    }

    pub(super) fn drop_facts(&self, key: &FactKey) {
        self.facts.remove(key);
    }

    pub(super) fn sent(&self, id: &str) -> Option<Sent> {
        self.sent.get(&id.to_owned())
    }

    pub(super) fn keep_sent(&self, id: &str, sent: Sent) {
        self.sent.put(id.to_owned(), sent, OVERHEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_stays_below_the_limit_and_what_is_used_stays() {
        let map: Bounded<u32, u32> = Bounded::new(1_000);
        for key in 0..10_000 {
            map.put(key, key, 10);
            assert_eq!(map.get(&0), Some(0), "used all the time, after {key}");
            assert!(map.weight.load(Ordering::Relaxed) <= 1_000);
        }
        assert_eq!(map.get(&9_999), Some(9_999));
        assert_eq!(map.get(&5), None);
        assert_eq!(map.entries.len() * 10, map.weight.load(Ordering::Relaxed));
    }

    #[test]
    fn replacing_and_removing_keep_the_weight_right() {
        let map: Bounded<u32, u32> = Bounded::new(1_000);
        map.put(1, 1, 900);
        map.put(1, 2, 50);
        map.put(2, 3, 60);
        map.remove(&1);
        map.remove(&1);
        assert_eq!(map.weight.load(Ordering::Relaxed), 60);
        map.put(3, 4, 5_000);
        assert_eq!(map.weight.load(Ordering::Relaxed), map.entries.iter().map(|e| e.weight).sum::<usize>());
    }
}
