//! Windows against counting every event id in every window.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::event::CallId;
use crate::lattice::{Distinct, Set};

/// A bucket whose summary is the exact set of calls.
#[derive(Clone, Debug, Default, PartialEq)]
struct Calls {
    distinct: Distinct,
    ids: Set<u64>,
}

impl Join for Calls {
    fn join(&mut self, other: &Self) {
        self.distinct.join(&other.distinct);
        self.ids.join(&other.ids);
    }
}

impl Bucket for Calls {
    type Summary = Set<u64>;

    fn count(&self) -> u64 {
        self.distinct.count()
    }

    fn summarise(minutes: &[&Self]) -> Set<u64> {
        let mut all = Set::default();
        minutes.iter().for_each(|minute| all.join(&minute.ids));
        all
    }
}

/// A call by id; its time follows from the id's place in the stream, so copies are true copies.
type Stream = Vec<(u64, i64)>;
/// The largest window of each hour or day.
type Largest = BTreeMap<i64, Peak<Set<u64>>>;
/// The largest windows of hours, and how large those of days are.
type Told = (Largest, Days);

fn count(windows: &mut Windows<Calls>, (id, second): (u64, i64)) {
    let minute = windows.minute(EventTime(second));
    minute.distinct.insert(CallId(id));
    minute.ids.0.insert(id);
}

fn windows_of(stream: &[(u64, i64)]) -> Windows<Calls> {
    let mut windows = Windows::default();
    stream.iter().for_each(|event| count(&mut windows, *event));
    windows
}

/// The calls of the window that begins with a minute.
fn calls_from(stream: &[(u64, i64)], minute: i64) -> BTreeSet<u64> {
    let inside = |second: i64| (minute..minute + WINDOW_MINUTES).contains(&second.div_euclid(60));
    stream.iter().filter(|(_, second)| inside(*second)).map(|(id, _)| *id).collect()
}

/// The largest windows, by hour or day (`length` minutes), of those that begin with a minute that has a call.
fn largest(stream: &[(u64, i64)], length: i64) -> Largest {
    let mut largest = Largest::new();
    for start in stream.iter().map(|(_, second)| second.div_euclid(60)).collect::<BTreeSet<_>>() {
        let calls = calls_from(stream, start);
        let count = calls.len() as u64;
        if largest.get(&start.div_euclid(length)).is_none_or(|known| count > known.count) {
            largest.insert(start.div_euclid(length), Peak { start, count, summary: Set(calls) });
        }
    }
    largest
}

/// What a key's windows say: peaks of hours from `floor` on, and of days.
fn told(windows: &Windows<Calls>, floor: u64) -> Told {
    (windows.hours(floor), windows.days())
}

fn expected(stream: &[(u64, i64)], floor: u64) -> Told {
    let mut hours = largest(stream, 60);
    let mut days: Days = largest(stream, 24 * 60).into_iter().map(|(day, peak)| (day, peak.count)).collect();
    for (hour, peak) in &hours {
        days.by_hour.entry(hour.div_euclid(24)).or_default().raise(*hour, peak.count);
    }
    hours.retain(|_, peak| peak.count >= floor);
    (hours, days)
}

/// Calls around two midnights, in order of time.
fn streams() -> impl Strategy<Value = Stream> {
    let bursts = prop::collection::vec((-2i64..3, -90i64..90, prop::collection::vec(0i64..600, 1..12)), 0..6);
    bursts.prop_map(|bursts| {
        let mut seconds: Vec<i64> = bursts
            .into_iter()
            .flat_map(|(day, minute, seconds)| {
                seconds.into_iter().map(move |second| day * 86_400 + minute * 60 + second)
            })
            .collect();
        seconds.sort_unstable();
        seconds.into_iter().enumerate().map(|(id, second)| (id as u64, second)).collect()
    })
}

proptest! {
    #[test]
    fn peaks_equal_the_slow_way_in_any_order_with_copies_and_in_parts(
        stream in streams(),
        copies in prop::collection::vec(any::<Index>(), 0..10),
        cut in any::<Index>(),
        floor in 1u64..6,
    ) {
        let mut shuffled = stream.clone();
        if !stream.is_empty() {
            shuffled.extend(copies.iter().map(|copy| *copy.get(&stream)));
            shuffled.rotate_left(cut.index(stream.len()));
        }
        let (one, two) = shuffled.split_at(cut.index(shuffled.len() + 1));
        let mut joined = windows_of(two);
        joined.join(&windows_of(one));
        prop_assert_eq!(&joined, &windows_of(&stream));
        prop_assert_eq!(told(&joined, floor), expected(&stream, floor));
    }

    /// Closing whenever everything before is in, however often; and the files of what was closed come once more.
    #[test]
    fn closing_changes_nothing(
        stream in streams(),
        closings in prop::collection::vec((any::<Index>(), 0i64..9), 0..6),
        again in any::<Index>(),
        (floor, asked) in (1u64..4, 0u64..3),
    ) {
        let mut windows = Windows::default();
        for (i, event) in stream.iter().enumerate() {
            for (at, lag) in &closings {
                if at.index(stream.len()) == i {
                    windows.close(event.1.div_euclid(60) - lag, floor);
                }
            }
            count(&mut windows, *event);
        }
        prop_assert_eq!(told(&windows, floor + asked), expected(&stream, floor + asked));
        let redelivered = &stream[again.index(stream.len() + 1)..];
        redelivered.iter().for_each(|event| count(&mut windows, *event));
        prop_assert_eq!(told(&windows, floor + asked), expected(&stream, floor + asked));
        windows.close(i64::MAX / 60, floor);
        prop_assert_eq!(told(&windows, floor + asked), expected(&stream, floor + asked));
    }

    /// Two machines that closed their halves at different times know together what one would.
    #[test]
    fn closed_halves_join_to_the_whole_when_each_hour_was_whole(stream in streams(), floor in 1u64..4) {
        let noon = |second: i64| (second + 43_200).div_euclid(86_400);
        let mut joined = Windows::default();
        for day in stream.iter().map(|(_, second)| noon(*second)).collect::<BTreeSet<_>>() {
            let part: Stream = stream.iter().copied().filter(|(_, second)| noon(*second) == day).collect();
            let mut windows = windows_of(&part);
            windows.close(part.last().map_or(0, |(_, second)| second.div_euclid(60) + 2), floor);
            windows.join(&joined);
            joined = windows;
        }
        prop_assert_eq!(told(&joined, floor), expected(&stream, floor));
    }
}
