//! Stretches, pioneers and what actors share, against sorting everything.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::FirstTimePrivilege;
use super::facts::Pioneers;
use super::stretches::{SILENCE, Stretches};
use crate::lattice::Join;
use crate::ledger::Ledger;
use crate::testing::{Call, role, teach, user};
use crate::time::{DAY, EventTime};

fn used(times: &[i64]) -> Stretches<EventTime> {
    let mut used = Stretches::default();
    for time in times {
        let time = EventTime(*time);
        used.touch(time, |_| true, || time);
    }
    used
}

/// First and last event of each stretch, from sorted times.
fn sorted_stretches(times: &[i64]) -> Vec<(i64, i64)> {
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for time in times.iter().copied().collect::<BTreeSet<_>>() {
        match stretches.last_mut() {
            Some((_, last)) if time - end_of_day(*last) <= SILENCE => *last = time,
            _ => stretches.push((time, time)),
        }
    }
    stretches
}

fn end_of_day(time: i64) -> i64 {
    (time.div_euclid(DAY) + 1) * DAY - 1
}

/// Times that often lie at the edges of days and silences.
fn times() -> impl Strategy<Value = Vec<i64>> {
    let time = prop_oneof![0i64..200 * DAY, (0i64..60, -2i64..3).prop_map(|(n, off)| n * DAY + off)];
    prop::collection::vec(time, 0..40)
}

proptest! {
    #[test]
    fn stretches_are_the_gaps_of_the_sorted_times(
        times in times(),
        cut in any::<Index>(),
        silence in SILENCE + 1..90 * DAY,
        span in (0i64..200 * DAY, 0i64..40 * DAY),
    ) {
        let stretches = used(&times);
        let expected = sorted_stretches(&times);
        let all: Vec<_> = stretches.onsets(0).map(|(first, _)| first.0).collect();
        prop_assert_eq!(all, expected.iter().map(|(first, _)| *first).collect::<Vec<_>>());

        let (one, two) = times.split_at(cut.index(times.len() + 1));
        let mut joined = used(two);
        joined.join(&used(one));
        joined.join(&used(two));
        prop_assert_eq!(&joined, &stretches);

        let mut before = None;
        let onsets: Vec<_> = expected
            .iter()
            .filter_map(|(first, last)| {
                let silent_since = before.replace(end_of_day(*last));
                silent_since.is_none_or(|b| first - b >= silence).then_some((*first, silent_since))
            })
            .collect();
        let found: Vec<_> = stretches.onsets(silence).map(|(f, b)| (f.0, b.map(|b| b.0))).collect();
        prop_assert_eq!(found, onsets);

        // By counting, for each beginning, what came within the silence before it.
        let since = |first: i64| move |(_, last): &&(i64, i64)| *last < first && first - end_of_day(*last) < silence;
        let seconds: Vec<_> = expected
            .iter()
            .filter_map(|(first, _)| {
                let known: Vec<_> = expected.iter().filter(since(*first)).collect();
                let [(one, same)] = known[..] else { return None };
                (one.div_euclid(DAY) == same.div_euclid(DAY)).then_some((*first, end_of_day(*same)))
            })
            .collect();
        let found: Vec<_> = stretches.second_occasions(silence).map(|(f, b)| (f.0, b.0)).collect();
        prop_assert_eq!(found, seconds);

        let (from, time) = (span.0, span.0 + span.1);
        let before = || expected.iter().filter(|(first, last)| *first < time && end_of_day(*last) >= from);
        let lasted = |(first, last): &(i64, i64)| first.div_euclid(DAY) != last.div_euclid(DAY);
        prop_assert_eq!(stretches.used_between(EventTime(from), EventTime(time)), before().count() > 0);
        let is_usual = before().count() > 1 || before().any(lasted);
        prop_assert_eq!(stretches.is_usual_between(EventTime(from), EventTime(time)), is_usual);
    }

    /// A use inside a stretch teaches nothing: it may be left out, which is what spares the shared facts most events.
    #[test]
    fn what_is_no_news_can_be_left_out(times in times(), others in times()) {
        let mut actor = Stretches::default();
        let mut told = used(&others);
        for time in &times {
            let time = EventTime(*time);
            if actor.touch(time, |_| true, || time) {
                told.touch(time, |_| true, || time);
            }
        }
        prop_assert_eq!(told, used(&[others, times].concat()));
    }

    #[test]
    fn forgotten_stretches_change_no_later_onset(
        times in times(),
        horizon in 0i64..100 * DAY,
        silence in SILENCE..60 * DAY,
    ) {
        let all = used(&times);
        let mut forgot = all.clone();
        forgot.forget(EventTime(horizon));
        let later = |s: &Stretches<EventTime>| -> Vec<EventTime> {
            let seconds = s.second_occasions(silence).map(|(first, _)| *first);
            s.onsets(silence)
                .map(|(first, _)| *first)
                .chain(seconds)
                .filter(|t| t.0 >= horizon + silence)
                .collect()
        };
        prop_assert_eq!(later(&forgot), later(&all));
    }

    #[test]
    fn pioneers_are_the_earliest_of_the_sorted(
        uses in prop::collection::vec((0i64..30, 0u64..9), 0..40),
        cut in any::<Index>(),
        time in 0i64..30,
        actor in 0u64..9,
    ) {
        let pioneers = |uses: &[(i64, u64)]| {
            let mut pioneers = Pioneers::default();
            uses.iter().for_each(|(time, actor)| pioneers.insert(EventTime(*time), *actor));
            pioneers
        };
        let (one, two) = uses.split_at(cut.index(uses.len() + 1));
        let mut joined = pioneers(two);
        joined.join(&pioneers(one));
        joined.join(&pioneers(two));
        prop_assert_eq!(&joined, &pioneers(&uses));

        let mut firsts: BTreeMap<u64, i64> = BTreeMap::new();
        for (time, actor) in &uses {
            let first = firsts.entry(*actor).or_insert(*time);
            *first = (*first).min(*time);
        }
        let earliest: BTreeSet<(i64, u64)> = firsts.into_iter().map(|(actor, first)| (first, actor)).collect();
        let before = earliest.iter().take(Pioneers::MANY).filter(|(first, a)| *first < time && *a != actor).count();
        prop_assert_eq!(joined.others_before(EventTime(time), actor), before);
    }

    /// What is skipped as a repeat, or not told to others, changes no facts: each event learnt by itself gives the same.
    #[test]
    fn shortcuts_change_no_facts(
        events in prop::collection::vec((times(), 0usize..3, 0usize..4, 0usize..3, any::<bool>()), 0..8),
    ) {
        let actors = [
            user("arn:aws:iam::111122223333:user/alice"),
            role("arn:aws:sts::111122223333:assumed-role/app/one"),
            role("arn:aws:sts::111122223333:assumed-role/app/two"),
        ];
        let actions = [("iam", "CreateUser"), ("s3", "ListBuckets"), ("ec2", "RunInstances"), ("signin", "ConsoleLogin")];
        let calls: Vec<Call<'_>> = events
            .iter()
            .flat_map(|(times, actor, action, origin, failed)| {
                let ((service, name), identity) = (actions[*action], actors[*actor]);
                times.iter().map(move |time| Call {
                    identity,
                    id: format!("{time} {actor} {action} {origin} {failed}"),
                    source_ip: ["198.51.100.7", "198.51.100.8", "203.0.113.9"][*origin],
                    region: ["eu-west-1", "eu-west-1", "us-east-1"][*origin],
                    error_code: if *failed { "AccessDenied" } else { "" },
                    ..Call::new(service, name, EventTime(*time % (3 * DAY)))
                })
            })
            .collect();
        let mut one_by_one = Ledger::default();
        for call in &calls {
            one_by_one.absorb(teach::<FirstTimePrivilege>([call]));
        }
        prop_assert_eq!(teach::<FirstTimePrivilege>(&calls), one_by_one);
    }
}
