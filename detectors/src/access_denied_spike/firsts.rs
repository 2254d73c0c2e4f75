//! The first refusals of a day.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::grave::{GraveCall, Weight};
use crate::finding::Evidence;
use crate::lattice::Join;
use crate::ledger::Strings;
use crate::time::EventTime;

/// Things kept of a day. Callers can make up names without number.
const KEPT: usize = 64;

/// By thing (an action, a user), the first evidence of it: of at most [`KEPT`] things, grave calls before others, and
/// among them those that came first. So nobody hides a grave call behind many harmless ones, and what was kept when its
/// turn came is only given up for something graver or earlier.
///
/// A semilattice: were a thing among the first of all and missing in a part, [`KEPT`] others would come before it there,
/// and no later than that in the whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Firsts {
    kept: BTreeMap<Arc<str>, First>,
    /// The one to give way to the next: whether it is harmless, and when it was. No fact: it follows from those kept, and is
    /// found out when it is wanted.
    #[serde(skip)]
    last: Option<(bool, EventTime)>,
}

impl PartialEq for Firsts {
    fn eq(&self, other: &Self) -> bool {
        self.kept == other.kept
    }
}

/// In order of what is kept first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct First {
    /// Follows from the name.
    is_harmless: bool,
    evidence: Evidence,
}

impl Firsts {
    /// Remembers that `what` was refused at `time`; asks for evidence only when it is to be kept.
    pub(super) fn remember(
        &mut self,
        (what, time): (&str, EventTime),
        strings: &mut Strings,
        evidence: impl FnOnce(&mut Strings) -> Evidence,
    ) {
        if let Some(known) = self.kept.get_mut(what) {
            if time <= known.evidence.time {
                let evidence = evidence(strings);
                if evidence < known.evidence {
                    known.evidence = evidence;
                    self.last = None;
                }
            }
            return;
        }
        let is_harmless = GraveCall::of(what).is_none_or(|call| call.weight != Weight::Grave);
        if self.kept.len() >= KEPT && self.last_of_all().is_some_and(|last| (is_harmless, time) > last) {
            return;
        }
        let first = First { is_harmless, evidence: evidence(strings) };
        self.kept.insert(strings.share(what), first);
        self.drop_surplus();
    }

    fn last_of_all(&mut self) -> Option<(bool, EventTime)> {
        self.last = self.last.or_else(|| self.last().map(|(_, last)| (last.is_harmless, last.evidence.time)));
        self.last
    }

    fn last(&self) -> Option<(&Arc<str>, &First)> {
        self.kept.iter().max_by(|(a, one), (b, other)| (one, a).cmp(&(other, b)))
    }

    fn drop_surplus(&mut self) {
        self.last = None;
        while self.kept.len() > KEPT {
            let Some(last) = self.last().map(|(what, _)| Arc::clone(what)) else { return };
            self.kept.remove(&last);
        }
    }

    /// The things with the first evidence of each, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Evidence)> {
        self.kept.iter().map(|(what, first)| (what, &first.evidence))
    }

    /// Whether a thing is among them.
    pub(super) fn contains(&self, what: &str) -> bool {
        self.kept.contains_key(what)
    }

    /// How many things there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}

impl Join for Firsts {
    fn join(&mut self, other: &Self) {
        for (what, first) in &other.kept {
            match self.kept.get_mut(what) {
                Some(mine) if first < mine => *mine = first.clone(),
                Some(_) => {}
                None => {
                    self.kept.insert(Arc::clone(what), first.clone());
                }
            }
        }
        self.drop_surplus();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event_id::EventId;

    fn evidence(time: i64) -> Evidence {
        let (event_id, object, circumstances) = (EventId::new("e"), "o".into(), Arc::default());
        Evidence { time: EventTime(time), event_id, object, circumstances }
    }

    fn of(seen: &[(String, i64)]) -> Firsts {
        let mut firsts = Firsts::default();
        for (what, time) in seen {
            firsts.remember((what, EventTime(*time)), &mut Strings::default(), |_| evidence(*time));
        }
        firsts
    }

    #[test]
    fn many_harmless_refusals_hide_no_grave_one() {
        let mut seen: Vec<_> = (0..500).map(|n| (format!("ec2:DescribeThing{n}"), n)).collect();
        seen.push(("cloudtrail:StopLogging".to_owned(), 1_000));
        seen.extend((500..900).map(|n| (format!("ec2:DescribeThing{n}"), 1_000 + n)));
        let firsts = of(&seen);
        assert_eq!(firsts.len(), KEPT);
        assert!(firsts.contains("cloudtrail:StopLogging"));
        assert!((0..63).all(|n| firsts.contains(&format!("ec2:DescribeThing{n}"))));
    }

    proptest! {
        /// Against sorting all things by gravity and first time.
        #[test]
        fn equals_the_slow_way_in_any_order_and_split(
            seen in proptest::collection::vec((0usize..120, 0i64..400), 0..600),
            cut in any::<proptest::sample::Index>(),
        ) {
            let grave = ["cloudtrail:StopLogging", "iam:CreateUser", "organizations:LeaveOrganization"];
            let name = |n: usize| grave.get(n).map_or_else(|| format!("s3:Get{n}"), |name| (*name).to_owned());
            let seen: Vec<_> = seen.into_iter().map(|(n, time)| (name(n), time)).collect();
            let mut all: BTreeMap<&str, i64> = BTreeMap::new();
            for (what, time) in &seen {
                all.entry(what).and_modify(|first| *first = (*first).min(*time)).or_insert(*time);
            }
            let is_harmless =
                |what: &str| GraveCall::of(what).is_none_or(|call| call.weight != Weight::Grave);
            let mut sorted: Vec<_> = all.into_iter().map(|(what, time)| (is_harmless(what), time, what)).collect();
            sorted.sort_unstable();
            sorted.truncate(KEPT);
            let mut expected: Vec<_> = sorted.into_iter().map(|(_, time, what)| (what.to_owned(), time)).collect();
            expected.sort_unstable();
            let whole = of(&seen);
            let found: Vec<_> = whole.iter().map(|(what, e)| (what.to_string(), e.time.0)).collect();
            prop_assert_eq!(found, expected);

            let (one, two) = seen.split_at(cut.index(seen.len() + 1));
            let mut backwards = of(two);
            backwards.join(&of(one));
            backwards.join(&of(one));
            prop_assert_eq!(backwards, whole);
        }
    }
}
