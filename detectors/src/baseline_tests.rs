//! Expectations against counting every day on one's fingers.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::time::{DAY, HOUR};

const LEARNING: Learning = Learning { days: 14, forget_after_days: 90, lateness_minutes: 180 };

fn before(start: EventTime) -> Past {
    Past::before(start, &LEARNING, Usual::OnTwoDays)
}

fn own(days: &Days) -> [Candidate<'_>; 1] {
    [Candidate { whose: "this actor", days, since: None }]
}

fn days(peaks: impl IntoIterator<Item = (i64, u64)>) -> Days {
    peaks.into_iter().collect()
}

#[test]
fn one_bad_day_is_not_yet_usual_and_two_are() {
    let noon_of_day_40 = EventTime::of_day(40).plus(12 * HOUR);
    let mut peaks = days((0..40).map(|day| (day, 3)));
    peaks.busiest.insert(20, 480);
    let expectation = before(noon_of_day_40).expect(&own(&peaks)).unwrap();
    assert_eq!((expectation.expected, expectation.busiest, expectation.days), (3, 480, 40));
    assert_eq!(expectation.basis(500), "busiest in 40 days of this actor; before: 480");
    assert_eq!(expectation.basis(100), "as busy on 1 of 40 days of this actor; busiest: 480");
    peaks.busiest.insert(27, 470);
    assert_eq!(before(noon_of_day_40).expect(&own(&peaks)).unwrap().expected, 470);
    let sparing = |day| Past::before(EventTime::of_day(day).plus(12 * HOUR), &LEARNING, Usual::OnThreeDays);
    assert_eq!(sparing(40).expect(&own(&peaks)).unwrap().expected, 3, "twice in a month is not usual");
    assert_eq!(sparing(29).expect(&own(&peaks)).unwrap().expected, 470, "in less than a month it may be");
}

#[test]
fn quiet_days_count_and_days_before_watching_do_not() {
    let past = before(EventTime::of_day(10).plus(4 * HOUR));
    let peaks = days([(7, 30)]);
    let expectation = past.expect(&own(&peaks)).unwrap();
    assert_eq!((expectation.days, expectation.expected), (3, 0), "days 7, 8 and 9; two of them quiet");
    let since = Some(EventTime::of_day(2));
    let nothing = Days::default();
    let expectation = past.expect(&[Candidate { whose: "this actor", days: &nothing, since }]).unwrap();
    assert_eq!((expectation.days, expectation.busiest), (8, 0));
    assert_eq!(expectation.basis(1), "busiest in 8 days of this actor; before: 0");
    assert_eq!(past.expect(&own(&nothing)), None);
}

#[test]
fn a_day_counts_when_it_was_over_for_the_lateness_horizon() {
    let peaks = days([(8, 5), (9, 7)]);
    let days_at = |start: EventTime, learning: &Learning| {
        Past::before(start, learning, Usual::OnTwoDays).expect(&own(&peaks)).map(|e| e.days)
    };
    assert_eq!(days_at(EventTime::of_day(10).plus(3 * HOUR - 1), &LEARNING), Some(1));
    assert_eq!(days_at(EventTime::of_day(10).plus(3 * HOUR), &LEARNING), Some(2));
    // A window that starts just before midnight reaches five minutes into the next day.
    let eager = Learning { lateness_minutes: 0, ..LEARNING };
    assert_eq!(days_at(EventTime::of_day(10).plus(299), &eager), Some(1));
    assert_eq!(days_at(EventTime::of_day(10).plus(300), &eager), Some(2));
}

#[test]
fn the_first_candidate_with_enough_history_decides_unless_one_before_it_expects_more() {
    let past = before(EventTime::of_day(30).plus(12 * HOUR));
    let (young, old, younger) = (days([(28, 9)]), days([(1, 40), (2, 40)]), days([(29, 99)]));
    fn chosen<'a>(past: &Past, candidates: [(&'a str, &'a Days); 2]) -> Option<(&'a str, u64)> {
        let candidates = candidates.map(|(whose, days)| Candidate { whose, days, since: None });
        past.expect(&candidates).map(|e| (e.whose, e.expected))
    }
    assert_eq!(chosen(&past, [("own", &old), ("siblings", &young)]), Some(("own", 40)));
    assert_eq!(chosen(&past, [("own", &young), ("siblings", &old)]), Some(("siblings", 40)));
    assert_eq!(chosen(&past, [("own", &young), ("siblings", &younger)]), Some(("siblings", 99)));
    assert_eq!(chosen(&past, [("own", &younger), ("siblings", &old)]), Some(("own", 99)));
    let as_busy = days([(28, 40)]);
    assert_eq!(chosen(&past, [("own", &as_busy), ("siblings", &old)]), Some(("siblings", 40)));
    assert_eq!(past.expect(&[]), None);
}

/// Hundred a window at noon of every weekday, ten on the others, for so many days from a Monday on.
fn office(from: i64, length: i64) -> Days {
    let mut days = Days::default();
    for day in from..from + length {
        days.take(EventTime::of_day(day).plus(12 * HOUR), if (day - from) % 7 < 5 { 100 } else { 10 });
    }
    days
}

#[test]
fn from_three_weeks_on_hours_and_weekdays_take_part() {
    const MONDAY: i64 = 4;
    fn at(days: &Days, day: i64, hour: i64) -> Expectation<'_> {
        before(EventTime::of_day(MONDAY + day).plus(hour * HOUR)).expect(&own(days)).unwrap()
    }
    let weeks = office(MONDAY, 28);
    let noon = at(&weeks, 28, 12);
    assert_eq!((noon.then.clone(), noon.times(4.0)), (None, 400.0));
    let night = at(&weeks, 28, 3);
    assert_eq!(night.then, Some(Then { expected: 0, when: "about 03:00 UTC".to_owned() }));
    assert_eq!(night.times(4.0), 150.0, "a record by half is enough");
    assert_eq!(night.odd_time(160).as_deref(), Some("usually none about 03:00 UTC"));
    let sunday = at(&weeks, 27, 12);
    assert_eq!(sunday.then, Some(Then { expected: 10, when: "on a Sunday".to_owned() }));
    assert_eq!((sunday.times(4.0), sunday.times(20.0)), (150.0, 200.0));
    assert_eq!(sunday.odd_time(160).as_deref(), Some("usually at most 10 on a Sunday"));
    assert_eq!(sunday.odd_time(10), None);
    assert_eq!(at(&office(MONDAY, 20), 20, 3).then, None, "not yet three weeks");
}

proptest! {
    #[test]
    fn equals_the_slow_way(
        windows in proptest::collection::vec((0i64..60, 0i64..24, 1u64..15), 0..120),
        since in proptest::option::of(0i64..60),
        start in 0i64..60 * DAY,
        (forget_after_days, lateness_minutes) in (1u32..60, 0u32..3000),
        (observed, is_sparing) in (1u64..15, any::<bool>()),
    ) {
        let mut peaks = Days::default();
        for (day, hour, count) in &windows {
            peaks.take(EventTime::of_day(*day).plus(hour * HOUR), *count);
        }
        let learning = Learning { days: 0, forget_after_days, lateness_minutes };
        let usual = if is_sparing { Usual::OnThreeDays } else { Usual::OnTwoDays };
        let since = since.map(EventTime::of_day);
        let candidate = Candidate { whose: "it", days: &peaks, since };
        let found = Past::before(EventTime(start), &learning, usual).expect(&[candidate]);

        let began = since.map(EventTime::day).into_iter().chain(windows.iter().map(|w| w.0)).min();
        let lateness = i64::from(lateness_minutes.max(5)) * 60;
        let watched: Vec<i64> = (-100..60)
            .filter(|day| began.is_some_and(|began| *day >= began))
            .filter(|day| (day + 1) * DAY + lateness <= start)
            .filter(|day| (day + 1) * DAY > start - i64::from(forget_after_days) * DAY)
            .collect();
        // The n-th largest of the days' largest windows, of those windows and days that count.
        let nth = |n: usize, counts: &dyn Fn(i64, i64) -> bool| {
            let mut largest: BTreeMap<i64, u64> = BTreeMap::new();
            for (day, _, count) in windows.iter().filter(|(day, hour, _)| counts(*day, *hour)) {
                let known = largest.entry(*day).or_default();
                *known = (*known).max(*count);
            }
            let mut all: Vec<u64> = watched.iter().map(|day| largest.get(day).copied().unwrap_or(0)).collect();
            all.sort_unstable();
            all.iter().rev().nth(n - 1).copied().unwrap_or(0)
        };
        let rank = if watched.len() < 3 { 1 } else if is_sparing && watched.len() >= 30 { 3 } else { 2 };
        prop_assert_eq!(found.is_some(), !watched.is_empty());
        let Some(found) = found else { return Ok(()) };
        let expected = nth(rank, &|_, _| true);
        prop_assert_eq!((found.expected, found.busiest), (expected, nth(1, &|_, _| true)));
        prop_assert_eq!(found.days, watched.len() as i64);
        let as_busy = watched.iter().filter(|day| windows.iter().any(|w| w.0 == **day && w.2 >= observed));
        prop_assert_eq!(found.days_as_busy(observed), as_busy.count());
        let now = start.div_euclid(HOUR).rem_euclid(24);
        let at_hour = nth(rank, &|_, hour| [0, 1, 23].contains(&(hour - now).rem_euclid(24)));
        let on_weekday = nth(2, &|day, _| (day - start.div_euclid(DAY)) % 7 == 0);
        let then = at_hour.min(on_weekday);
        let matters = watched.len() >= 21 && then < expected;
        prop_assert_eq!(found.then.map(|then| then.expected), matters.then_some(then));
    }
}
