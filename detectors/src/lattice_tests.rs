//! Every lattice against a slow and obvious reference, on streams in any order, with copies, in parts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::event_id::EventId;

/// Builds the same facts of a whole stream and of its two parts, joined in either order and twice, and gives back the first
/// after checking that all are equal.
fn joined_anyhow<T, F>(stream: &[T], cut: Index, build: impl Fn(&[T]) -> F) -> F
where
    F: Join + Clone + PartialEq + Debug,
{
    let whole = build(stream);
    let (one, two) = stream.split_at(cut.index(stream.len() + 1));
    let (one, two) = (build(one), build(two));
    for (first, second) in [(&one, &two), (&two, &one)] {
        let mut both = first.clone();
        both.join(second);
        both.join(first);
        assert_eq!(both, whole);
    }
    whole
}

/// A well-mixed hash of a number: the finisher of SplitMix64.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn distinct_of(numbers: &[u64]) -> Distinct {
    let mut distinct = Distinct::default();
    for n in numbers {
        distinct.insert(CallId(mixed(n + 1)));
    }
    distinct
}

fn evidence(time: i64, id: u8, object: u8) -> Evidence {
    let text = |n: u8| -> Arc<str> { format!("{n}").into() };
    Evidence {
        time: EventTime(time),
        event_id: EventId::new(&text(id)),
        object: text(object),
        circumstances: Arc::default(),
    }
}

proptest! {
    /// Exact as long as it says so, and then within four standard errors.
    #[test]
    fn distinct_counts_a_set(
        numbers in prop::collection::vec(0u64..3_000, 0..1_500).prop_shuffle(),
        cut in any::<Index>(),
    ) {
        let distinct = joined_anyhow(&numbers, cut, distinct_of);
        let expected = numbers.iter().collect::<BTreeSet<_>>().len();
        prop_assert_eq!(distinct.is_exact(), expected <= EXACT);
        if distinct.is_exact() {
            prop_assert_eq!(distinct.count(), expected as u64);
        } else {
            let error = (distinct.count() as f64 - expected as f64).abs() / expected as f64;
            prop_assert!(error < 4.0 * 0.016, "{} for {expected}", distinct.count());
        }
    }

    /// Against gaps between sorted times.
    #[test]
    fn episodes_are_the_gaps_of_the_sorted_times(
        times in prop::collection::vec(prop_oneof![0i64..40 * DAY, (0i64..40).prop_map(|d| d * DAY)], 0..40),
        cut in any::<Index>(),
        gap in EPISODE_GAP + 1..20 * DAY,
        at in 0i64..40 * DAY,
    ) {
        let episodes = joined_anyhow(&times, cut, |times| {
            let mut episodes = Episodes::default();
            times.iter().for_each(|t| episodes.touch(EventTime(*t)));
            episodes
        });
        let sorted: BTreeSet<i64> = times.iter().copied().collect();
        let begins = |gap: i64| -> Vec<EventTime> {
            let before = |t: i64| sorted.range(..t).next_back();
            sorted.iter().filter(|t| before(**t).is_none_or(|b| **t - b >= gap)).map(|t| EventTime(*t)).collect()
        };
        let starts: Vec<_> = episodes.iter().map(|(start, _)| start).collect();
        prop_assert_eq!(starts, begins(EPISODE_GAP + 1));
        prop_assert_eq!(episodes.onsets(gap).collect::<Vec<_>>(), begins(gap));
        prop_assert_eq!(episodes.first().map(|t| t.0), sorted.first().copied());
        prop_assert_eq!(episodes.last().map(|t| t.0), sorted.last().copied());
        // Between episodes the answer is exact; inside one it is later than the truth by less than the gap.
        let known = episodes.last_before(EventTime(at)).map(|t| t.0);
        let truth = sorted.range(..at).next_back().copied();
        prop_assert_eq!(known.is_some(), truth.is_some());
        if let (Some(known), Some(truth)) = (known, truth) {
            let goes_on = sorted.range(at..).next().is_some_and(|next| next - truth <= EPISODE_GAP);
            let latest = if goes_on { at - 1 } else { truth };
            prop_assert!((truth..=latest).contains(&known));
        }
    }

    /// Forgetting early changes nothing of what begins later.
    #[test]
    fn forgotten_episodes_change_no_later_onset(
        times in prop::collection::vec(0i64..60 * DAY, 0..40),
        horizon in 0i64..30 * DAY,
        gap in EPISODE_GAP + 1..30 * DAY,
    ) {
        let mut episodes = Episodes::default();
        times.iter().for_each(|t| episodes.touch(EventTime(*t)));
        let from = EventTime(horizon + gap);
        let later = |e: &Episodes| e.onsets(gap).filter(|t| *t > from).collect::<Vec<_>>();
        let mut forgot = episodes.clone();
        forgot.forget(EventTime(horizon));
        prop_assert_eq!(later(&forgot), later(&episodes));
    }

    /// Against sorting the keys of everything and taking the first.
    #[test]
    fn the_smallest_are_the_first_of_the_sorted(
        stream in prop::collection::vec((0u64..20, 0i64..100), 0..60),
        cut in any::<Index>(),
    ) {
        let kept: Smallest<Max<i64>, 5> = joined_anyhow(&stream, cut, |stream| {
            let mut kept = Smallest::default();
            for (key, value) in stream {
                if let Some(known) = kept.grow(*key, || Max(*value)) {
                    known.join(&Max(*value));
                }
            }
            kept
        });
        let keys: BTreeSet<u64> = stream.iter().map(|(key, _)| *key).collect();
        prop_assert_eq!(kept.iter().map(|(key, _)| key).collect::<Vec<_>>(), keys.into_iter().take(5).collect::<Vec<_>>());
        for (key, Max(value)) in kept.iter() {
            prop_assert_eq!(Some(*value), stream.iter().filter(|(k, _)| *k == key).map(|(_, v)| *v).max());
        }
    }

    /// Against sorting everything and taking the first.
    #[test]
    fn a_sample_is_the_first_of_the_sorted(
        stream in prop::collection::vec((0i64..10, 0u8..12, 0u8..3), 0..40),
        cut in any::<Index>(),
    ) {
        let sample: Sample<4> = joined_anyhow(&stream, cut, |stream| {
            let mut sample = Sample::default();
            for (time, id, object) in stream {
                if sample.wants(EventTime(*time)) {
                    sample.insert(evidence(*time, *id, *object));
                }
            }
            sample
        });
        let mut first_objects: BTreeMap<(i64, String), Evidence> = BTreeMap::new();
        for (time, id, object) in &stream {
            let new = evidence(*time, *id, *object);
            let first = first_objects.entry((*time, id.to_string())).or_insert_with(|| new.clone());
            *first = new.min(first.clone());
        }
        let expected: Vec<Evidence> = first_objects.into_values().take(4).collect();
        prop_assert_eq!(sample.iter().cloned().collect::<Vec<_>>(), expected);
    }

    /// Against a scan of all values for the newest before.
    #[test]
    fn a_history_knows_the_value_before_and_forgets_what_no_later_one_needs(
        stream in prop::collection::vec((0i64..50, 0u64..3, 0u8..5), 0..30),
        cut in any::<Index>(),
        horizon in 0i64..50,
        (time, call) in (0i64..50, 0u64..3),
    ) {
        let history = joined_anyhow(&stream, cut, |stream| {
            let mut history = History::default();
            for (time, call, value) in stream {
                history.insert(EventTime(*time), CallId(*call), *value);
            }
            history
        });
        let newest_before = |time: i64, call: u64| {
            let earlier = stream.iter().filter(|(t, c, _)| (*t, *c) < (time, call));
            let newest = earlier.clone().map(|(t, c, _)| (*t, *c)).max()?;
            let smallest = stream.iter().filter(|(t, c, _)| (*t, *c) == newest).map(|(_, _, v)| *v).min()?;
            Some((EventTime(newest.0), CallId(newest.1), smallest))
        };
        let asked = |h: &History<u8>, time| h.before(EventTime(time), CallId(call)).map(|(t, c, v)| (t, c, *v));
        prop_assert_eq!(asked(&history, time), newest_before(time, call));
        let mut forgot = history.clone();
        forgot.forget(EventTime(horizon));
        prop_assert_eq!(asked(&forgot, time.max(horizon)), newest_before(time.max(horizon), call));
        prop_assert!(forgot.len() <= history.len());
    }
}

#[test]
fn large_sets_are_estimated_within_four_standard_errors() {
    for expected in [600, 2_000, 9_000, 11_000, 14_000, 20_000, 60_000, 300_000] {
        for seed in 1..4 {
            let mut distinct = Distinct::default();
            (0..expected).for_each(|n| distinct.insert_hash(mixed(n + seed * 1_000_003)));
            let error = distinct.count() as f64 / expected as f64 - 1.0;
            assert!(error.abs() < 4.0 * 0.016, "{} for {expected}", distinct.count());
        }
    }
}

#[test]
fn a_silence_of_exactly_the_gap_is_still_one_episode() {
    let mut episodes = Episodes::default();
    [0, EPISODE_GAP, 2 * EPISODE_GAP + 1].into_iter().for_each(|t| episodes.touch(EventTime(t)));
    let spans: Vec<_> = episodes.iter().map(|(s, e)| (s.0, e.0)).collect();
    assert_eq!(spans, [(0, EPISODE_GAP), (2 * EPISODE_GAP + 1, 2 * EPISODE_GAP + 1)]);
}
