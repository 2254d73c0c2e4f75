//! Facts only grow: the join-semilattices that detectors are built of.
//!
//! Every type here obeys three laws, tested over the whole catalogue: joining is commutative, associative and
//! idempotent. So events may arrive twice, late, in any order, and on any number of machines.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use crate::event::CallId;
use crate::finding::Evidence;
use crate::time::{DAY, EventTime};

/// Facts that can be joined. Laws: commutative, associative, idempotent.
pub trait Join {
    /// Takes in everything `other` knows.
    fn join(&mut self, other: &Self);

    /// The same where the other is of no further use: its parts need not be copied.
    fn absorb(&mut self, other: Self)
    where
        Self: Sized,
    {
        self.join(&other);
    }

    /// Whether joining `other` would change nothing. Where there is much to know, this looks only at what `other` has.
    fn covers(&self, other: &Self) -> bool
    where
        Self: Clone + PartialEq,
    {
        shows_nothing_new(self, other)
    }
}

/// [`Join::covers`], by joining.
pub(crate) fn shows_nothing_new<T: Join + Clone + PartialEq>(mine: &T, theirs: &T) -> bool {
    let mut joined = mine.clone();
    joined.join(theirs);
    joined == *mine
}

/// Nothing to know: for names that have no value.
impl Join for () {
    fn join(&mut self, (): &Self) {}
}

impl<K: Ord + Clone, V: Join + Clone + PartialEq> Join for BTreeMap<K, V> {
    fn join(&mut self, other: &Self) {
        for (key, value) in other {
            match self.entry(key.clone()) {
                Entry::Occupied(mut mine) => mine.get_mut().join(value),
                Entry::Vacant(slot) => {
                    slot.insert(value.clone());
                }
            }
        }
    }

    fn absorb(&mut self, other: Self) {
        for (key, value) in other {
            match self.entry(key) {
                Entry::Occupied(mut mine) => mine.get_mut().absorb(value),
                Entry::Vacant(slot) => {
                    slot.insert(value);
                }
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        other.iter().all(|(key, theirs)| self.get(key).is_some_and(|mine| mine.covers(theirs)))
    }
}

impl<T: Join + Clone> Join for Option<T> {
    fn join(&mut self, other: &Self) {
        match (self.as_mut(), other) {
            (Some(mine), Some(theirs)) => mine.join(theirs),
            (None, Some(theirs)) => *self = Some(theirs.clone()),
            (_, None) => {}
        }
    }
}

/// A set, joined by union.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Set<T: Ord>(pub std::collections::BTreeSet<T>);

impl<T: Ord> Default for Set<T> {
    fn default() -> Self {
        Self(std::collections::BTreeSet::new())
    }
}

impl<T: Ord + Clone> Join for Set<T> {
    fn join(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    fn covers(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }
}

/// The largest value seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Max<T>(pub T);

impl<T: Ord + Clone> Join for Max<T> {
    fn join(&mut self, other: &Self) {
        if other.0 > self.0 {
            self.0 = other.0.clone();
        }
    }
}

/// Activity closer together than this is one episode. Structural: facts can't answer questions about shorter gaps, so
/// every forgetting period in the configuration is at least this long.
pub const EPISODE_GAP: i64 = DAY;

/// When something was active: intervals of event time, merged when closer than [`EPISODE_GAP`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episodes {
    /// Disjoint, ordered, further apart than the gap; each from first to last event.
    spans: Vec<(EventTime, EventTime)>,
}

impl Episodes {
    /// Something happened at `time`.
    pub fn touch(&mut self, time: EventTime) {
        if let Some((start, end)) = self.spans.last_mut()
            && *start <= time
        {
            if time <= *end {
                return;
            }
            if time.0 - end.0 <= EPISODE_GAP {
                *end = time;
                return;
            }
        }
        self.add(time, time);
    }

    fn add(&mut self, start: EventTime, end: EventTime) {
        let first = self.spans.partition_point(|(_, e)| e.plus(EPISODE_GAP) < start);
        let last = self.spans.partition_point(|(s, _)| *s <= end.plus(EPISODE_GAP));
        let merged =
            self.spans[first..last].iter().fold((start, end), |(s, e), (ms, me)| (s.min(*ms), e.max(*me)));
        self.spans.splice(first..last, [merged]);
    }

    /// The first event ever.
    pub fn first(&self) -> Option<EventTime> {
        self.spans.first().map(|(start, _)| *start)
    }

    /// The last event.
    pub fn last(&self) -> Option<EventTime> {
        self.spans.last().map(|(_, end)| *end)
    }

    /// The episodes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (EventTime, EventTime)> + '_ {
        self.spans.iter().copied()
    }

    /// The last activity strictly before `time`.
    pub fn last_before(&self, time: EventTime) -> Option<EventTime> {
        let until = self.spans.partition_point(|(start, _)| *start < time);
        let (_, end) = self.spans[..until].last()?;
        // Inside an episode, activity is dense at the scale of the gap: "just before" is all that is known.
        Some(if *end < time { *end } else { time.plus(-1) })
    }

    /// The starts of episodes that follow a silence of at least `gap` seconds; the very first start is one too.
    pub fn onsets(&self, gap: i64) -> impl Iterator<Item = EventTime> + '_ {
        let mut before: Option<EventTime> = None;
        self.spans.iter().filter_map(move |(start, end)| {
            let onset = before.is_none_or(|b| start.0.saturating_sub(b.0) >= gap);
            before = Some(*end);
            onset.then_some(*start)
        })
    }

    /// Nothing happened.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Drops episodes that ended before `horizon`.
    pub fn forget(&mut self, horizon: EventTime) {
        self.spans.retain(|(_, end)| *end >= horizon);
    }
}

impl Join for Episodes {
    fn join(&mut self, other: &Self) {
        for (start, end) in &other.spans {
            self.add(*start, *end);
        }
    }
}

/// Up to this many ids a [`Distinct`] is exact.
pub const EXACT: usize = 512;
const PRECISION: u32 = 12;

/// How many different calls: exact up to [`EXACT`], HyperLogLog registers (4,096; standard error 1.6 %) beyond. The form
/// depends only on the set, never on the order it was seen in.
///
/// P. Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm", 2007.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Distinct {
    /// The ids themselves, sorted.
    Exact(Vec<u64>),
    /// The registers.
    Registers(Vec<u8>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Distinct {
    /// Adds a call.
    pub fn insert(&mut self, call: CallId) {
        self.insert_hash(call.0);
    }

    /// Adds anything, by a well-mixed hash.
    pub fn insert_hash(&mut self, hash: u64) {
        match self {
            Self::Exact(ids) => {
                let at = match ids.last() {
                    Some(last) if *last < hash => ids.len(),
                    None => 0,
                    _ => match ids.binary_search(&hash) {
                        Ok(_) => return,
                        Err(at) => at,
                    },
                };
                ids.insert(at, hash);
                if ids.len() > EXACT {
                    *self = Self::Registers(registers_of(ids));
                }
            }
            Self::Registers(registers) => raise(registers, hash),
        }
    }

    /// How many, exactly or estimated.
    pub fn count(&self) -> u64 {
        match self {
            Self::Exact(ids) => ids.len() as u64,
            Self::Registers(registers) => estimate(registers),
        }
    }

    /// Whether [`Distinct::count`] is exact.
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }
}

fn registers_of(ids: &[u64]) -> Vec<u8> {
    let mut registers = vec![0; 1 << PRECISION];
    for id in ids {
        raise(&mut registers, *id);
    }
    registers
}

fn raise(registers: &mut [u8], hash: u64) {
    let index = (hash >> (64 - PRECISION)) as usize;
    let rank = ((hash << PRECISION) | (1 << (PRECISION - 1))).leading_zeros() + 1;
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(rank as u8);
    }
}

fn estimate(registers: &[u8]) -> u64 {
    let m = registers.len() as f64;
    let sum: f64 = registers.iter().map(|r| 2f64.powi(-i32::from(*r))).sum();
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
    let empty = registers.iter().filter(|r| **r == 0).count();
    let estimate = if raw <= 2.5 * m && empty > 0 { m * (m / empty as f64).ln() } else { raw };
    // The exact form ends at EXACT: more than that were seen.
    (estimate.round() as u64).max(EXACT as u64 + 1)
}

impl Join for Distinct {
    fn join(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Exact(mine), Self::Exact(theirs)) => {
                mine.extend_from_slice(theirs);
                mine.sort_unstable();
                mine.dedup();
                if mine.len() > EXACT {
                    *self = Self::Registers(registers_of(mine));
                }
            }
            (Self::Exact(mine), Self::Registers(theirs)) => {
                let mut registers = theirs.clone();
                for id in mine {
                    raise(&mut registers, *id);
                }
                *self = Self::Registers(registers);
            }
            (Self::Registers(mine), Self::Exact(theirs)) => {
                for id in theirs {
                    raise(mine, *id);
                }
            }
            (Self::Registers(mine), Self::Registers(theirs)) => {
                for (m, t) in mine.iter_mut().zip(theirs) {
                    *m = (*m).max(*t);
                }
            }
        }
    }
}

/// The `K` first pieces of evidence by (time, event id, object), one an event id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sample<const K: usize> {
    kept: Vec<Evidence>,
}

impl<const K: usize> Sample<K> {
    /// Whether evidence at `time` could still enter. Ask first: making evidence costs.
    pub fn wants(&self, time: EventTime) -> bool {
        self.kept.len() < K || self.kept.last().is_some_and(|last| time <= last.time)
    }

    /// Adds evidence; of one event in several objects the first object stays.
    pub fn insert(&mut self, evidence: Evidence) {
        if let Some(same) =
            self.kept.iter_mut().find(|e| e.event_id == evidence.event_id && e.time == evidence.time)
        {
            if evidence < *same {
                *same = evidence;
            }
            return;
        }
        let at = self.kept.partition_point(|e| *e < evidence);
        if at < K {
            self.kept.insert(at, evidence);
            self.kept.truncate(K);
        }
    }

    /// The evidence, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Evidence> {
        self.kept.iter()
    }

    /// Nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl<const K: usize> Join for Sample<K> {
    fn join(&mut self, other: &Self) {
        for evidence in &other.kept {
            if self.wants(evidence.time) {
                self.insert(evidence.clone());
            }
        }
    }
}

/// Values by key, at most `N` of them: those of the smallest keys. What was left out once stays out whatever comes
/// later, so what is kept depends only on the keys seen, never on their order. Keys are well-mixed hashes, so no sort of
/// value is kept before another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Smallest<V, const N: usize>(BTreeMap<u64, V>);

impl<V, const N: usize> Default for Smallest<V, N> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V, const N: usize> Smallest<V, N> {
    /// The value of a key, made when it is new; nothing when there is no place for the key.
    pub fn grow(&mut self, key: u64, new: impl FnOnce() -> V) -> Option<&mut V> {
        if self.is_full() && !self.0.contains_key(&key) {
            let largest = self.0.last_entry()?;
            if *largest.key() < key {
                return None;
            }
            largest.remove();
        }
        Some(self.0.entry(key).or_insert_with(new))
    }

    /// The value of a key.
    pub fn get(&self, key: u64) -> Option<&V> {
        self.0.get(&key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values()
    }

    /// The keys and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// Keeps only some of the values, which may be changed.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        self.0.retain(|_, value| keep(value));
    }

    /// Whether there is no place left: others may have been left out.
    pub fn is_full(&self) -> bool {
        self.0.len() >= N
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V: Join + Clone + PartialEq, const N: usize> Join for Smallest<V, N> {
    fn join(&mut self, other: &Self) {
        self.0.join(&other.0);
        while self.0.len() > N {
            self.0.pop_last();
        }
    }

    fn covers(&self, other: &Self) -> bool {
        let beyond = self.0.last_key_value().filter(|_| self.is_full()).map(|(largest, _)| *largest);
        other.0.iter().all(|(key, theirs)| match self.0.get(key) {
            Some(mine) => mine.covers(theirs),
            None => beyond.is_some_and(|largest| largest < *key),
        })
    }
}

/// Values by (time, event id): each is judged against its predecessor. Beyond the retention only the newest stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History<T> {
    entries: BTreeMap<(EventTime, u64), T>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> History<T> {
    /// Adds a value. Two values for one moment and call keep the smaller, whichever came first.
    pub fn insert(&mut self, time: EventTime, call: CallId, value: T) {
        match self.entries.entry((time, call.0)) {
            Entry::Occupied(mut known) => {
                if value < *known.get() {
                    known.insert(value);
                }
            }
            Entry::Vacant(slot) => {
                slot.insert(value);
            }
        }
    }

    /// The values in order, each with its time and call.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (EventTime, CallId, &T)> {
        self.entries.iter().map(|((time, call), value)| (*time, CallId(*call), value))
    }

    /// The newest value strictly before a moment.
    pub fn before(&self, time: EventTime, call: CallId) -> Option<(EventTime, CallId, &T)> {
        self.entries.range(..(time, call.0)).next_back().map(|((t, c), value)| (*t, CallId(*c), value))
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// No values.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops what is older than `horizon`, but for the newest of it: later values are judged against that.
    pub fn forget(&mut self, horizon: EventTime) {
        let newest_old = self.entries.range(..(horizon, 0)).next_back().map(|(key, _)| *key);
        if let Some(keep_from) = newest_old {
            self.entries = self.entries.split_off(&keep_from);
        }
    }
}

impl<T: Ord + Clone> Join for History<T> {
    fn join(&mut self, other: &Self) {
        for (time, call, value) in other.iter() {
            self.insert(time, call, value.clone());
        }
    }
}

#[cfg(test)]
#[path = "lattice_tests.rs"]
mod tests;
