//! When something was used: stretches of use, each with what is known of its first event.

use serde::{Deserialize, Serialize};

use crate::finding::Evidence;
use crate::lattice::Join;
use crate::time::{DAY, EventTime};

/// Uses closer together than this are one stretch. Structural: silences shorter than this can't be asked about, so every
/// forgetting period is at least this long.
pub(super) const SILENCE: i64 = 7 * DAY;

/// How a stretch begins. Ordered by time first.
pub(super) trait Start: Ord + Clone {
    /// When.
    fn time(&self) -> EventTime;
}

impl Start for EventTime {
    fn time(&self) -> EventTime {
        *self
    }
}

impl Start for Evidence {
    fn time(&self) -> EventTime {
        self.time
    }
}

/// From the first event to the end of the day of the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stretch<S> {
    /// Its first event.
    pub(super) first: S,
    /// The last second of the day (UTC) of its last event: a day of use is taught once, whatever happens in it.
    pub(super) until: EventTime,
}

impl<S: Start> Stretch<S> {
    fn is_one_day(&self) -> bool {
        self.first.time().day() == self.until.day()
    }
}

/// Disjoint stretches in order, further apart than [`SILENCE`]: the closure of a set of uses, so it does not depend on
/// their order; nor is it changed by leaving out a use that lies inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Stretches<S>(Vec<Stretch<S>>);

impl<S> Default for Stretches<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Start> Stretches<S> {
    /// A use at `time`, and whether that was news. `start` is only made when it is needed; `may_precede` says whether it
    /// could sort before the known start of the same second.
    pub(super) fn touch(
        &mut self,
        time: EventTime,
        may_precede: impl FnOnce(&S) -> bool,
        start: impl FnOnce() -> S,
    ) -> bool {
        let behind = self.0.partition_point(|s| s.first.time() <= time);
        if let Some(stretch) = self.0[..behind].last_mut()
            && time <= stretch.until
        {
            if time == stretch.first.time() && may_precede(&stretch.first) {
                let start = start();
                if start < stretch.first {
                    stretch.first = start;
                }
            }
            return false;
        }
        self.add(Stretch { first: start(), until: EventTime::of_day(time.day() + 1).plus(-1) });
        true
    }

    fn add(&mut self, mut new: Stretch<S>) {
        let first = self.0.partition_point(|s| s.until.plus(SILENCE) < new.first.time());
        let last = self.0.partition_point(|s| s.first.time() <= new.until.plus(SILENCE)).max(first);
        for known in self.0.drain(first..last) {
            new.until = new.until.max(known.until);
            if known.first < new.first {
                new.first = known.first;
            }
        }
        self.0.insert(first, new);
    }

    /// Starts of stretches after a silence of at least `silence` seconds, each with the last second of the use before it.
    pub(super) fn onsets(&self, silence: i64) -> impl Iterator<Item = (&S, Option<EventTime>)> {
        let before = std::iter::once(None).chain(self.0.iter().map(|s| Some(s.until)));
        self.0
            .iter()
            .zip(before)
            .filter(move |(s, before)| before.is_none_or(|b| s.first.time().0 - b.0 >= silence))
            .map(|(s, before)| (&s.first, before))
    }

    /// Starts of a second occasion: of stretches that follow on a single day of use within `silence` seconds, before which
    /// there was none for as long; each with the last second of that day.
    pub(super) fn second_occasions(&self, silence: i64) -> impl Iterator<Item = (&S, EventTime)> {
        let before = [None].into_iter().chain(self.0.iter().map(Some));
        before.zip(self.0.windows(2)).filter_map(move |(before, pair)| {
            let [once, again] = pair else { return None };
            let gap = |stretch: &Stretch<S>| again.first.time().0 - stretch.until.0;
            let is_second =
                once.is_one_day() && gap(once) < silence && before.is_none_or(|b| gap(b) >= silence);
            is_second.then_some((&again.first, once.until))
        })
    }

    /// Whether it was used from `from` on and before `time` on more than one day.
    pub(super) fn is_usual_between(&self, from: EventTime, time: EventTime) -> bool {
        let mut used = self.0.iter().filter(|s| s.first.time() < time && s.until >= from);
        used.next().is_some_and(|first| !first.is_one_day() || used.next().is_some())
    }

    /// Whether it was used from `from` on and before `time`.
    pub(super) fn used_between(&self, from: EventTime, time: EventTime) -> bool {
        self.0.iter().any(|s| s.first.time() < time && s.until >= from)
    }

    /// Nothing was used.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops stretches that ended a [`SILENCE`] before `horizon`: the shortest forgetting period needs no more.
    pub(super) fn forget(&mut self, horizon: EventTime) {
        self.0.retain(|s| s.until >= horizon.plus(-SILENCE));
    }
}

impl<S: Start> Join for Stretches<S> {
    fn join(&mut self, other: &Self) {
        for stretch in &other.0 {
            self.add(stretch.clone());
        }
    }
}
