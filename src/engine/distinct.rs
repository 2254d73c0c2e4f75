//! How many of the records read were copies of others.

use trailhound_detectors::CallId;
use trailhound_detectors::lattice::{Distinct, Join as _};

/// Up to this many ids are kept as they are: 8 MB.
const EXACT: usize = 1 << 20;

/// Counts distinct records: exactly up to a million, estimated beyond. Only for the report: facts need no such count.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct DistinctRecords {
    ids: Vec<u64>,
    sorted: usize,
    beyond: Option<Distinct>,
}

impl DistinctRecords {
    /// A record with this id was read.
    pub fn insert(&mut self, id: u64) {
        if let Some(registers) = &mut self.beyond {
            registers.insert(CallId(id));
            return;
        }
        self.ids.push(id);
        if self.ids.len() >= EXACT {
            self.settle();
        }
    }

    /// Brings what was counted into order, so that taking it in elsewhere is quick.
    pub fn tidy(&mut self) {
        if self.sorted < self.ids.len() {
            // Not the unstable sort: this one makes use of stretches that are in order already.
            self.ids.sort();
            self.ids.dedup();
            self.sorted = self.ids.len();
        }
    }

    /// Sorts, and gives up exactness when too many are left.
    fn settle(&mut self) {
        self.tidy();
        if self.ids.len() > EXACT / 2 {
            let mut registers = Distinct::default();
            for id in self.ids.drain(..) {
                registers.insert(CallId(id));
            }
            self.ids = Vec::new();
            self.beyond = Some(registers);
        }
    }

    /// Takes in what another counter saw.
    pub fn absorb(&mut self, other: Self) {
        if self.ids.is_empty() && self.beyond.is_none() {
            *self = other;
            return;
        }
        for id in other.ids {
            self.insert(id);
        }
        if let Some(theirs) = other.beyond {
            let mut registers = self.beyond.take().unwrap_or_default();
            for id in self.ids.drain(..) {
                registers.insert(CallId(id));
            }
            registers.join(&theirs);
            self.beyond = Some(registers);
        }
    }

    /// How many distinct records, and whether that is exact.
    pub fn count(&mut self) -> (u64, bool) {
        if self.beyond.is_none() {
            self.tidy();
        }
        match &self.beyond {
            Some(registers) => (registers.count(), false),
            None => (self.ids.len() as u64, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trailhound_detectors::action::stable_hash;

    fn counter(ids: impl Iterator<Item = u64>) -> DistinctRecords {
        let mut counter = DistinctRecords::default();
        ids.for_each(|id| counter.insert(stable_hash(&id.to_le_bytes())));
        counter
    }

    #[test]
    fn copies_count_once_within_and_across_counters() {
        let mut all = counter((0..10_000).chain(5_000..10_000));
        assert_eq!(all.count(), (10_000, true));
        all.absorb(counter(9_000..11_000));
        assert_eq!(all.count(), (11_000, true));
    }

    #[test]
    fn beyond_a_million_it_estimates_and_says_so() {
        let mut all = counter(0..600_000);
        all.absorb(counter(300_000..1_500_000));
        let (count, exact) = all.count();
        assert!(!exact);
        assert!((count as f64 / 1_500_000.0 - 1.0).abs() < 0.06, "{count}");
    }
}
