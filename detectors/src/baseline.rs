//! What the busiest windows of earlier days lead one to expect.
//!
//! A baseline is made of the peaks of days ([`Windows::days`](crate::window::Windows::days)): the largest sliding window
//! of each. A day without a peak, after watching began, was a quiet day and counts as nothing. The expectation is the
//! *second* busiest day: what happened once, a bad day or an attack, is not yet usual; what happened twice is.
//!
//! A judgement about a window reads only days that were complete for one lateness horizon when it began, so an event that
//! arrives late can't change a judgement already made; and only days within the forgetting period, so what facts at rest
//! still hold beyond it changes nothing.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::environment::Learning;
use crate::time::{EventTime, MINUTE};
use crate::window::WINDOW_MINUTES;

/// The largest sliding window of each day, by day counted from the epoch.
pub type DayPeaks = BTreeMap<i64, u64>;

/// From this many watched days on the busiest one is left out.
const ROBUST_DAYS: i64 = 3;

/// History that an expectation may come from: a key's own, or that of a key like it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Whose history it is, as it reads in a sentence: `this actor`, `the role deploy in other accounts`.
    pub whose: &'a str,
    /// The peaks.
    pub peaks: &'a DayPeaks,
    /// When watching began, where that is known to be before the first peak.
    pub since: Option<EventTime>,
}

/// The days a judgement may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    days: Range<i64>,
    /// A history shorter than this is still being learnt, days.
    enough: i64,
}

impl Past {
    /// The days before a window that starts at `start`.
    pub fn before(start: EventTime, learning: &Learning) -> Self {
        // Windows are days' by their start: one that starts on the eve of the judged one may reach into it.
        let complete = learning.lateness_seconds().max(WINDOW_MINUTES * MINUTE);
        Self {
            days: start.plus(-learning.forget_seconds()).day()..start.plus(-complete).day(),
            enough: i64::from(learning.days).max(1),
        }
    }

    /// What to expect by the first candidate with enough history; while none has, by the one that expects the most.
    /// Nothing when no candidate has any history: then fixed floors decide alone.
    pub fn expect<'a>(&self, candidates: &[Candidate<'a>]) -> Option<Expectation<'a>> {
        let mut learning: Option<Expectation<'a>> = None;
        for candidate in candidates {
            let Some(expectation) = self.expectation(candidate) else { continue };
            if expectation.days >= self.enough {
                return Some(expectation);
            }
            if learning.as_ref().is_none_or(|known| expectation.expected > known.expected) {
                learning = Some(expectation);
            }
        }
        learning
    }

    fn expectation<'a>(&self, candidate: &Candidate<'a>) -> Option<Expectation<'a>> {
        let first_peak = candidate.peaks.keys().next().copied();
        let began = candidate.since.map(EventTime::day).into_iter().chain(first_peak).min()?;
        let watched = began.max(self.days.start)..self.days.end;
        let days = watched.end - watched.start;
        if days <= 0 {
            return None;
        }
        let mut peaks: Vec<u64> = candidate.peaks.range(watched).map(|(_, peak)| *peak).collect();
        peaks.sort_unstable_by(|a, b| b.cmp(a));
        let busiest = peaks.first().copied().unwrap_or(0);
        let expected = if days < ROBUST_DAYS { busiest } else { peaks.get(1).copied().unwrap_or(0) };
        Some(Expectation { whose: candidate.whose, expected, busiest, days, peaks })
    }
}

/// What was to be expected of the busiest window of a day, and on what basis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation<'a> {
    /// Whose history it rests on.
    pub whose: &'a str,
    /// The second busiest day; the busiest while there are fewer than three.
    pub expected: u64,
    /// The busiest day.
    pub busiest: u64,
    /// How many days were watched.
    pub days: i64,
    /// The peaks of the days that had one, largest first.
    peaks: Vec<u64>,
}

impl Expectation<'_> {
    /// On how many of the watched days the busiest window was at least this large.
    pub fn days_as_busy(&self, observed: u64) -> usize {
        self.peaks.partition_point(|peak| *peak >= observed)
    }

    /// What the busiest window reached on at least `n` of the watched days.
    pub fn reached_on(&self, n: usize) -> u64 {
        n.checked_sub(1).and_then(|rank| self.peaks.get(rank)).copied().unwrap_or(0)
    }

    /// How rare `observed` is, and what that rests on: `busiest in 41 days; before: 12`.
    pub fn basis(&self, observed: u64) -> String {
        let Self { whose, busiest, days, .. } = self;
        let of_days = if *days == 1 { "1 day".to_owned() } else { format!("{days} days") };
        match self.days_as_busy(observed) {
            0 => format!("busiest in {of_days} of {whose}; before: {busiest}"),
            busy => format!("as busy on {busy} of {of_days} of {whose}; busiest: {busiest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::{DAY, HOUR};

    const LEARNING: Learning = Learning { days: 14, forget_after_days: 90, lateness_minutes: 180 };

    fn own(peaks: &DayPeaks) -> [Candidate<'_>; 1] {
        [Candidate { whose: "this actor", peaks, since: None }]
    }

    #[test]
    fn one_bad_day_is_not_yet_usual_and_two_are() {
        let noon_of_day_40 = EventTime::of_day(40).plus(12 * HOUR);
        let past = Past::before(noon_of_day_40, &LEARNING);
        let mut peaks: DayPeaks = (0..40).map(|day| (day, 3)).collect();
        peaks.insert(20, 480);
        let expectation = past.expect(&own(&peaks)).unwrap();
        assert_eq!((expectation.expected, expectation.busiest, expectation.days), (3, 480, 40));
        assert_eq!(expectation.basis(500), "busiest in 40 days of this actor; before: 480");
        assert_eq!(expectation.basis(100), "as busy on 1 of 40 days of this actor; busiest: 480");
        peaks.insert(27, 470);
        let expectation = past.expect(&own(&peaks)).unwrap();
        assert_eq!(expectation.expected, 470);
        assert_eq!([1, 2, 3, 40, 41].map(|n| expectation.reached_on(n)), [480, 470, 3, 3, 0]);
    }

    #[test]
    fn quiet_days_count_and_days_before_watching_do_not() {
        let past = Past::before(EventTime::of_day(10).plus(4 * HOUR), &LEARNING);
        let peaks = DayPeaks::from([(7, 30)]);
        let expectation = past.expect(&own(&peaks)).unwrap();
        assert_eq!((expectation.days, expectation.expected), (3, 0), "days 7, 8 and 9; two of them quiet");
        let since = Some(EventTime::of_day(2));
        let candidate = Candidate { whose: "this actor", peaks: &DayPeaks::new(), since };
        let expectation = past.expect(&[candidate]).unwrap();
        assert_eq!((expectation.days, expectation.busiest), (8, 0));
        assert_eq!(expectation.basis(1), "busiest in 8 days of this actor; before: 0");
        assert_eq!(past.expect(&own(&DayPeaks::new())), None);
    }

    #[test]
    fn a_day_counts_when_it_was_over_for_the_lateness_horizon() {
        let peaks = DayPeaks::from([(8, 5), (9, 7)]);
        let days_at = |start: EventTime| Past::before(start, &LEARNING).expect(&own(&peaks)).map(|e| e.days);
        assert_eq!(days_at(EventTime::of_day(10).plus(3 * HOUR - 1)), Some(1));
        assert_eq!(days_at(EventTime::of_day(10).plus(3 * HOUR)), Some(2));
        // A window that starts just before midnight reaches five minutes into the next day.
        let eager = Learning { lateness_minutes: 0, ..LEARNING };
        let days_at = |start: EventTime| Past::before(start, &eager).expect(&own(&peaks)).map(|e| e.days);
        assert_eq!(days_at(EventTime::of_day(10).plus(299)), Some(1));
        assert_eq!(days_at(EventTime::of_day(10).plus(300)), Some(2));
    }

    #[test]
    fn the_first_candidate_with_enough_history_decides() {
        let past = Past::before(EventTime::of_day(30).plus(12 * HOUR), &LEARNING);
        let (young, old) = (DayPeaks::from([(28, 9)]), DayPeaks::from([(1, 40), (2, 40)]));
        let younger = DayPeaks::from([(29, 99)]);
        fn chosen<'a>(past: &Past, candidates: [(&'a str, &'a DayPeaks); 2]) -> Option<(&'a str, u64)> {
            let candidates = candidates.map(|(whose, peaks)| Candidate { whose, peaks, since: None });
            past.expect(&candidates).map(|e| (e.whose, e.expected))
        }
        assert_eq!(chosen(&past, [("own", &old), ("siblings", &young)]), Some(("own", 40)));
        assert_eq!(chosen(&past, [("own", &young), ("siblings", &old)]), Some(("siblings", 40)));
        assert_eq!(chosen(&past, [("own", &young), ("siblings", &younger)]), Some(("siblings", 99)));
        assert_eq!(past.expect(&[]), None);
    }

    proptest! {
        /// Against counting every day on one's fingers.
        #[test]
        fn equals_the_slow_way(
            peaks in proptest::collection::btree_map(0i64..60, 1u64..50, 0..60),
            since in proptest::option::of(0i64..60),
            start in 0i64..60 * DAY,
            (forget_after_days, lateness_minutes) in (1u32..50, 0u32..3000),
            observed in 0u64..50,
        ) {
            let learning = Learning { days: 0, forget_after_days, lateness_minutes };
            let since = since.map(EventTime::of_day);
            let candidate = Candidate { whose: "it", peaks: &peaks, since };
            let found = Past::before(EventTime(start), &learning).expect(&[candidate]);

            let began = since.map(EventTime::day).into_iter().chain(peaks.keys().copied()).min();
            let lateness = i64::from(lateness_minutes.max(5)) * 60;
            let mut days: Vec<u64> = (-100..60)
                .filter(|day| began.is_some_and(|began| *day >= began))
                .filter(|day| (day + 1) * DAY + lateness <= start)
                .filter(|day| (day + 1) * DAY > start - i64::from(forget_after_days) * DAY)
                .map(|day| peaks.get(&day).copied().unwrap_or(0))
                .collect();
            days.sort_unstable();
            let expected = if days.len() < 3 { days.last() } else { days.get(days.len() - 2) };
            prop_assert_eq!(found.as_ref().map(|e| e.expected), expected.copied());
            prop_assert_eq!(found.as_ref().map(|e| e.busiest), days.last().copied());
            prop_assert_eq!(found.as_ref().map_or(0, |e| e.days), days.len() as i64);
            if let Some(found) = found && observed > 0 {
                prop_assert_eq!(found.days_as_busy(observed), days.iter().filter(|d| **d >= observed).count());
            }
        }
    }
}
