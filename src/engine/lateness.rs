//! How long records took from their event to the delivery of their object: counts by bound, for quantiles.

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets, seconds: half of what is usual, up to what CloudTrail may take.
const BOUNDS: [i64; 19] = [
    60, 120, 180, 240, 300, 420, 600, 900, 1_200, 1_800, 2_700, 3_600, 5_400, 7_200, 10_800, 21_600, 43_200,
    86_400, 2_592_000,
];

/// Counts of records by how late they were delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lateness {
    counts: [u64; BOUNDS.len()],
}

impl Lateness {
    /// A record was delivered so many seconds after its event.
    pub fn note(&mut self, seconds: i64) {
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds).min(BOUNDS.len() - 1);
        self.counts[bucket] += 1;
    }

    /// Adds other counts.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// The larger count of each bucket.
    pub fn max(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine = theirs.max(*mine));
    }

    /// Seconds within which this share (0 to 1) of the records was delivered, rounded up to a bucket's bound; nothing
    /// without records.
    pub fn quantile(&self, share: f64) -> Option<i64> {
        let all: u64 = self.counts.iter().sum();
        let wanted = ((all as f64 * share).ceil() as u64).max(1);
        let mut sum = 0;
        let mut buckets = self.counts.iter().zip(BOUNDS);
        let found = buckets.find(|(count, _)| {
            sum += **count;
            sum >= wanted
        });
        found.map(|(_, bound)| bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_bounds_that_so_many_keep() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.quantile(0.5), None);
        for _ in 0..98 {
            lateness.note(299);
        }
        lateness.note(7_201);
        lateness.note(i64::MAX);
        assert_eq!(
            [0.0, 0.5, 0.98, 0.99, 1.0].map(|q| lateness.quantile(q)),
            [300, 300, 300, 10_800, 2_592_000].map(Some)
        );
        let mut early = Lateness::default();
        early.note(-5);
        assert_eq!(early.quantile(0.5), Some(60), "the clocks of those who write them differ");
    }
}
