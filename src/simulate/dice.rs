//! Randomness that is the same on every machine: integers and exactly rounded arithmetic, nothing from a libm.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use trailhound_detectors::action::stable_hash;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A stream of random choices.
#[derive(Clone, Debug)]
pub(super) struct Dice(Pcg64Mcg);

impl Dice {
    /// The stream with a name. Streams of different names or seeds are independent, so adding one disturbs no other.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed ^ stable_hash(name.as_bytes())))
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`; 0 when `n` is.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `range`, both ends included.
    pub(super) fn within(&mut self, (low, high): (i64, i64)) -> i64 {
        low + self.below(high.abs_diff(low) + 1).cast_signed()
    }

    /// True with a probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the items.
    pub(super) fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// Puts the items in random order.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// A count of independent happenings with this mean: nearly Poisson, without an exponential.
    pub(super) fn count(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean < 12.0 {
            let trials = (mean * 8.0).ceil().max(8.0);
            return (0..trials as u64).map(|_| u64::from(self.chance(mean / trials))).sum();
        }
        // Twelve uniform numbers sum to a variance of one.
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        (mean + normal * mean.sqrt()).round().max(0.0) as u64
    }

    /// Random capitals and digits, as AWS's ids are made of.
    pub(super) fn base32(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(BASE32[self.below(32) as usize])).collect()
    }

    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// An AWS unique id: the prefix tells users from roles, what follows is fixed by `of`, and its end says that it is
/// made up, as in AWS's own documentation.
pub(super) fn unique_id(prefix: &str, of: &str) -> String {
    format!("{prefix}{}EXAMPLE", Dice::new(0, of).base32(10))
}

/// An access key id: one character shorter than other ids. `AKIA` ones last, `ASIA` ones are a session's.
pub(super) fn access_key(prefix: &str, of: &str) -> String {
    format!("{prefix}{}EXAMPLE", Dice::new(0, of).base32(9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_fixed_and_independent() {
        assert_eq!(Dice::new(7, "a").bits(), Dice::new(7, "a").bits());
        assert_ne!(Dice::new(7, "a").bits(), Dice::new(7, "b").bits());
        assert_ne!(Dice::new(7, "a").bits(), Dice::new(8, "a").bits());
    }

    #[test]
    fn numbers_stay_in_range_and_counts_have_their_mean() {
        let mut dice = Dice::new(1, "range");
        for _ in 0..10_000 {
            assert!((-3..=4).contains(&dice.within((-3, 4))));
            assert!(dice.below(7) < 7);
        }
        assert_eq!(dice.below(0), 0);
        for mean in [0.0, 0.3, 5.0, 40.0] {
            let sum: u64 = (0..20_000).map(|_| dice.count(mean)).sum();
            let measured = sum as f64 / 20_000.0;
            assert!((measured - mean).abs() < 0.02 * mean + 0.02, "{mean}: {measured}");
        }
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Dice::new(3, "shuffle").shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
