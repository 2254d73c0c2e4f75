//! When log objects were delivered, by account and region: what silence is judged from.
//!
//! A lattice like all facts: hours in which something was delivered, and the newest delivery. Joining is commutative,
//! associative and idempotent, so the order in which processes note what they handled does not matter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trailhound_detectors::EventTime;
use trailhound_detectors::time::{DAY, HOUR};

/// Hours are remembered for so many days before the newest delivery: two weeks show a weekend twice.
pub(super) const REMEMBERED: i64 = 14 * DAY;
/// AWS has fewer regions; whoever can write objects can make up names of more.
const MAX_REGIONS: usize = 64;
/// Accounts remembered in one shard. Whoever can write objects can make up accounts; the ones heard first stay.
const MAX_ACCOUNTS: usize = 4_096;

/// When something was delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hours {
    newest: EventTime,
    /// The first delivery ever noted.
    since: EventTime,
    /// Day → one bit an hour.
    days: BTreeMap<i64, u32>,
    /// The last hour with a delivery before those remembered one by one.
    before: Option<i64>,
}

impl Hours {
    fn of(delivered: EventTime) -> Self {
        let hour = delivered.hour();
        let days = BTreeMap::from([(hour.div_euclid(24), 1 << hour.rem_euclid(24))]);
        Self { newest: delivered, since: delivered, days, before: None }
    }

    /// The newest delivery.
    pub(super) fn newest(&self) -> EventTime {
        self.newest
    }

    /// The hours with deliveries, in order.
    pub(super) fn hours(&self) -> impl Iterator<Item = i64> {
        let days = self.days.iter();
        let bits = days.flat_map(|(day, bits)| {
            (0..24).filter(move |hour| bits >> hour & 1 == 1).map(move |hour| day * 24 + hour)
        });
        self.before.into_iter().chain(bits)
    }

    fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    pub(super) fn join(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = other.clone();
            return;
        }
        self.newest = self.newest.max(other.newest);
        self.since = self.since.min(other.since);
        self.before = self.before.max(other.before);
        for (day, bits) in &other.days {
            *self.days.entry(*day).or_default() |= bits;
        }
        self.trim();
    }

    /// Keeps whole days, so that what is kept depends on the newest delivery alone.
    fn trim(&mut self) {
        let first = self.newest.plus(-REMEMBERED).day();
        let kept = self.days.split_off(&first);
        let dropped = std::mem::replace(&mut self.days, kept);
        let last = dropped.iter().next_back().map(|(day, bits)| day * 24 + i64::from(bits.ilog2()));
        self.before = self.before.max(last);
    }
}

/// Deliveries by account and region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Deliveries(BTreeMap<String, BTreeMap<String, Hours>>);

impl Deliveries {
    /// An object of this account and region was delivered, with records in it.
    pub(super) fn note(&mut self, account: &str, region: &str, delivered: EventTime) {
        if !is_region(region) {
            return;
        }
        let noted = Self([(account.to_owned(), [(region.to_owned(), Hours::of(delivered))].into())].into());
        self.join(&noted);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (account, regions) in &other.0 {
            let mine = self.0.entry(account.clone()).or_default();
            for (region, hours) in regions {
                mine.entry(region.clone()).or_default().join(hours);
            }
            while mine.len() > MAX_REGIONS {
                mine.pop_last();
            }
        }
        if self.0.len() > MAX_ACCOUNTS {
            let since = |regions: &BTreeMap<String, Hours>| regions.values().map(|h| h.since).min();
            let mut all: Vec<_> = self.0.iter().map(|(account, r)| (since(r), account.clone())).collect();
            all.sort_unstable();
            for (_, account) in &all[MAX_ACCOUNTS..] {
                self.0.remove(account);
            }
        }
    }

    /// The part whose accounts `shard` puts at `wanted`.
    pub(super) fn part(&self, wanted: usize, shard: impl Fn(&str) -> usize) -> Self {
        let of_shard = self.0.iter().filter(|(account, _)| shard(account) == wanted);
        Self(of_shard.map(|(account, regions)| (account.clone(), regions.clone())).collect())
    }

    /// Accounts with their regions.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, Hours>)> {
        self.0.iter().map(|(account, regions)| (account.as_str(), regions))
    }

    /// An hour is still to come, by the clock of who says so.
    pub(super) fn is_from_the_future(delivered: EventTime, now: EventTime) -> bool {
        delivered > now.plus(HOUR)
    }
}

/// `eu-west-1`, `us-gov-east-1`: letters and digits with hyphens between.
fn is_region(text: &str) -> bool {
    let parts = text.split('-').count();
    (3..=4).contains(&parts)
        && text.len() <= 32
        && text
            .split('-')
            .all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(times: &[i64]) -> Hours {
        let mut hours = Hours::default();
        times.iter().for_each(|time| hours.join(&Hours::of(EventTime(*time))));
        hours
    }

    #[test]
    fn hours_are_kept_for_two_weeks_and_the_last_before_them() {
        let hours = of(&[0, HOUR, 20 * DAY, 20 * DAY + 5 * HOUR + 7]);
        assert_eq!(hours.hours().collect::<Vec<_>>(), [1, 480, 485]);
        assert_eq!(hours.newest(), EventTime(20 * DAY + 5 * HOUR + 7));
    }

    #[test]
    fn made_up_regions_are_no_regions() {
        let mut noted = Deliveries::default();
        for region in ["", "x", "eu-west", "eu-west-1-2-3", "EU-west-1", "eu--1", "../../etc"] {
            noted.note("123456789012", region, EventTime(0));
        }
        assert!(noted.is_empty());
        noted.note("123456789012", "us-gov-east-1", EventTime(0));
        assert!(!noted.is_empty());
    }

    #[test]
    fn the_accounts_heard_first_stay() {
        let mut noted = Deliveries::default();
        for number in 0..MAX_ACCOUNTS as i64 + 10 {
            noted.note(&format!("{:012}", 999_999_999 - number), "eu-west-1", EventTime(number));
        }
        assert_eq!(noted.accounts().count(), MAX_ACCOUNTS);
        assert!(noted.accounts().any(|(account, _)| account == "000999999999"), "the first");
    }

    proptest! {
        #[test]
        fn the_order_of_deliveries_does_not_matter(
            mut times in proptest::collection::vec(0i64..60 * DAY, 1..40),
            at in 0usize..40,
        ) {
            let at = at.min(times.len());
            let whole = of(&times);
            let (mut left, right) = (of(&times[..at]), of(&times[at..]));
            left.join(&right);
            left.join(&right);
            prop_assert_eq!(&left, &whole);
            times.reverse();
            prop_assert_eq!(of(&times), whole);
        }
    }
}
