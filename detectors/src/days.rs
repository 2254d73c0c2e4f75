//! How busy days were: the largest window of each, and of each hour in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lattice::Join;
use crate::time::EventTime;

/// Hours of a day.
const HOURS: usize = 24;
/// Below this a count is kept as it is.
const EXACT: u64 = 16;
/// Steps between a power of two and the next.
const STEPS: u32 = 8;

/// The largest sliding window of each day that had one, by day counted from the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// How many events were in it.
    pub busiest: BTreeMap<i64, u64>,
    /// The same for each hour of the day, roughly. Empty where hours mean nothing.
    pub by_hour: BTreeMap<i64, HoursOfDay>,
}

impl Days {
    /// [`Days::was_usual`] looks back so many days.
    pub const USUAL_FROM: i64 = 15;

    /// Takes in a window that starts at a time.
    pub fn take(&mut self, start: EventTime, count: u64) {
        let busiest = self.busiest.entry(start.day()).or_default();
        *busiest = (*busiest).max(count);
        self.by_hour.entry(start.day()).or_default().raise(start.hour(), count);
    }

    /// Whether `often` days had a window at least this busy, of the two weeks that ended a day before `day`: complete by any
    /// lateness horizon, and within any forgetting period there can be. What was usual stays so whatever else is learnt.
    pub fn was_usual(&self, day: i64, count: u64, often: usize) -> bool {
        let before = self.busiest.range(day - Self::USUAL_FROM..day - 1);
        before.filter(|(_, busiest)| **busiest >= count).count() >= often
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.busiest.is_empty()
    }

    /// Drops the days before one.
    pub fn forget(&mut self, day: i64) {
        self.busiest = self.busiest.split_off(&day);
        self.by_hour = self.by_hour.split_off(&day);
    }
}

impl Join for Days {
    fn join(&mut self, other: &Self) {
        for (day, count) in &other.busiest {
            let mine = self.busiest.entry(*day).or_default();
            *mine = (*mine).max(*count);
        }
        self.by_hour.join(&other.by_hour);
    }

    fn covers(&self, other: &Self) -> bool {
        let is_known = |(day, count)| self.busiest.get(day).is_some_and(|mine| mine >= count);
        other.busiest.iter().all(is_known) && self.by_hour.covers(&other.by_hour)
    }
}

/// Counts of days alone.
impl FromIterator<(i64, u64)> for Days {
    fn from_iter<I: IntoIterator<Item = (i64, u64)>>(busiest: I) -> Self {
        Self { busiest: busiest.into_iter().collect(), by_hour: BTreeMap::new() }
    }
}

/// A count for each hour of a day (UTC), a byte each: exact below 16, else at most an eighth too high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoursOfDay([u8; HOURS]);

impl HoursOfDay {
    /// Takes in the count of an hour, counted from the epoch or from midnight.
    pub fn raise(&mut self, hour: i64, count: u64) {
        let known = &mut self.0[of_day(hour)];
        *known = (*known).max(level(count));
    }

    /// The count of an hour, no less than it was.
    pub fn at(&self, hour: i64) -> u64 {
        count(self.0[of_day(hour)])
    }
}

impl Join for HoursOfDay {
    fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = (*mine).max(theirs);
        }
    }
}

fn of_day(hour: i64) -> usize {
    hour.rem_euclid(HOURS as i64) as usize
}

/// The count as a byte: itself, or the power of two below it with three more bits, rounded up.
fn level(count: u64) -> u8 {
    if count < EXACT {
        return count as u8;
    }
    let (power, eighth) = (count.ilog2(), 1u64 << (count.ilog2() - 3));
    let level = EXACT as u32 + (power - EXACT.ilog2()) * STEPS + (count.div_ceil(eighth) as u32 - STEPS);
    u8::try_from(level).unwrap_or(u8::MAX)
}

/// The largest count with this byte.
fn count(level: u8) -> u64 {
    let Some(above) = u32::from(level).checked_sub(EXACT as u32) else { return u64::from(level) };
    u64::from(STEPS + above % STEPS) << (EXACT.ilog2() - 3 + above / STEPS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_grow_with_counts_and_small_ones_are_exact() {
        for byte in 0..u8::MAX {
            assert_eq!(level(count(byte)), byte);
            assert!(count(byte) < count(byte + 1));
        }
        assert_eq!((0..EXACT).map(|n| count(level(n))).collect::<Vec<_>>(), (0..EXACT).collect::<Vec<_>>());
        assert_eq!(level(u64::MAX), u8::MAX);
    }

    proptest! {
        #[test]
        fn a_count_is_never_too_low_and_at_most_an_eighth_too_high(n in 0u64..10_000_000_000) {
            let kept = count(level(n));
            prop_assert!(kept >= n && kept <= n + n / 8, "{} for {}", kept, n);
        }

        /// Against the largest of each day and hour.
        #[test]
        fn equals_the_slow_way(
            windows in prop::collection::vec((-200_000i64..200_000, 0u64..15), 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let of = |part: &[(i64, u64)]| {
                let mut days = Days::default();
                part.iter().for_each(|(second, count)| days.take(EventTime(*second), *count));
                days
            };
            let (one, two) = windows.split_at(cut.index(windows.len() + 1));
            let mut days = of(two);
            days.join(&of(one));
            days.join(&of(one));
            let largest = |length: i64, at: i64| {
                let inside = windows.iter().filter(|(second, _)| second.div_euclid(length) == at);
                inside.map(|(_, count)| *count).max()
            };
            for day in -3..3 {
                prop_assert_eq!(days.busiest.get(&day).copied(), largest(86_400, day));
                for hour in day * 24..day * 24 + 24 {
                    let known = days.by_hour.get(&day).map_or(0, |hours| hours.at(hour));
                    prop_assert_eq!(known, largest(3_600, hour).unwrap_or(0));
                }
            }
        }
    }
}
