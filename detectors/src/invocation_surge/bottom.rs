//! The `K` things with the smallest hashes: an unbiased sample of all that were seen, whatever the order or the copies.
//!
//! From the largest hash kept the number of all can be told: exactly below `K`, from there on with a standard error
//! of about 1/√(K−2).
//! K. Beyer et al., "On synopses for distinct-value estimation under multiset operations", 2007.

use serde::{Deserialize, Serialize};

use crate::lattice::Join;

/// The `K` values with the smallest well-mixed hashes, each hash once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bottom<const K: usize, T = ()> {
    /// Sorted by hash.
    kept: Vec<(u64, T)>,
}

impl<const K: usize, T> Default for Bottom<K, T> {
    fn default() -> Self {
        Self { kept: Vec::new() }
    }
}

impl<const K: usize, T: Ord> Bottom<K, T> {
    /// Adds a value, made only if its hash belongs to the sample. Two values of one hash keep the smaller.
    pub fn insert_with(&mut self, hash: u64, value: impl FnOnce() -> T) {
        if self.kept.len() == K && self.kept.last().is_some_and(|(last, _)| *last < hash) {
            return;
        }
        match self.kept.binary_search_by_key(&hash, |(h, _)| *h) {
            Ok(at) => {
                let value = value();
                if value < self.kept[at].1 {
                    self.kept[at].1 = value;
                }
            }
            Err(at) => {
                self.kept.insert(at, (hash, value()));
                self.kept.truncate(K);
            }
        }
    }

    /// How many different hashes were seen, exactly below `K` or estimated.
    pub fn count(&self) -> u64 {
        match self.kept.last() {
            Some((largest, _)) if self.kept.len() == K => {
                let covered = (*largest as f64 + 1.0) / 2f64.powi(64);
                (((K - 1) as f64 / covered).round() as u64).max(K as u64)
            }
            _ => self.kept.len() as u64,
        }
    }

    /// How many values are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The hashes of the sample, smallest first.
    pub fn hashes(&self) -> impl Iterator<Item = u64> {
        self.kept.iter().map(|(hash, _)| *hash)
    }

    /// The sampled values.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.kept.iter().map(|(_, value)| value)
    }
}

impl<const K: usize, T: Ord + Clone> Join for Bottom<K, T> {
    fn join(&mut self, other: &Self) {
        for (hash, value) in &other.kept {
            self.insert_with(*hash, || value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::action::stable_hash;

    proptest! {
        /// Against sorting everything.
        #[test]
        fn keeps_what_sorting_would(
            seen in prop::collection::vec((0u64..60, 0u8..4), 0..120),
            cut in any::<prop::sample::Index>(),
        ) {
            let fill = |part: &[(u64, u8)]| {
                let mut bottom = Bottom::<8, u8>::default();
                for (hash, value) in part {
                    bottom.insert_with(*hash, || *value);
                }
                bottom
            };
            let (one, two) = seen.split_at(cut.index(seen.len() + 1));
            let (mut joined, other) = (fill(two), fill(one));
            joined.join(&other);
            joined.join(&other);
            let mut smallest: BTreeMap<u64, u8> = BTreeMap::new();
            for (hash, value) in &seen {
                let known = smallest.entry(*hash).or_insert(*value);
                *known = (*known).min(*value);
            }
            let expected: Vec<(u64, u8)> = smallest.into_iter().take(8).collect();
            prop_assert_eq!(&joined.kept, &expected);
            prop_assert_eq!(&fill(&seen).kept, &expected);
        }
    }

    #[test]
    fn counts_exactly_up_to_its_size_and_then_within_its_error() {
        let mut bottom = Bottom::<64>::default();
        for n in 0..20_000u64 {
            bottom.insert_with(stable_hash(&n.to_le_bytes()), || ());
            if n < 63 {
                assert_eq!(bottom.count(), n + 1);
            }
        }
        assert!((14_000..27_000).contains(&bottom.count()), "{}", bottom.count());
        assert_eq!(bottom.len(), 64);
    }
}
