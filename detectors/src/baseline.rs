//! What the busiest windows of earlier days lead one to expect.
//!
//! A baseline is made of the peaks of days ([`Windows::days`](crate::window::Windows::days)): the largest sliding window
//! of each. A day without a peak, after watching began, was a quiet day and counts as nothing. The expectation is the
//! *second* busiest day: what happened once, a bad day or an attack, is not yet usual; what happened twice is.
//!
//! From three weeks on the hour and the weekday take part. Where a time of the week is usually quiet, no more is needed
//! than what would be a record at any time; see [`Expectation::times`].
//!
//! A judgement about a window reads only days that were complete for one lateness horizon when it began, so an event that
//! arrives late can't change a judgement already made; and only days within the forgetting period, so what facts at rest
//! still hold beyond it changes nothing.

use std::ops::Range;

use crate::days::Days;
use crate::environment::Learning;
use crate::time::{EventTime, MINUTE};
use crate::window::WINDOW_MINUTES;

/// From this many watched days on the busiest one is left out.
const ROBUST_DAYS: i64 = 3;
/// From this many watched days on hours and weekdays are habits.
const HABIT_DAYS: i64 = 21;
/// At a quiet time so many times what is usual at any time is a record.
const RECORD: f64 = 1.5;
/// Days after which [`Usual::OnThreeDays`] leaves out two days.
const MONTH: i64 = 30;

/// On how many days something has to happen to be usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usual {
    /// On two.
    OnTwoDays,
    /// On two, and once a month is known on three: what happened twice in all that time does not hide the next.
    OnThreeDays,
}

impl Usual {
    /// The rank, from 1, of the day that stands for what is usual among so many.
    fn rank(self, days: i64) -> usize {
        match self {
            _ if days < ROBUST_DAYS => 1,
            Self::OnThreeDays if days >= MONTH => 3,
            Self::OnTwoDays | Self::OnThreeDays => 2,
        }
    }
}

/// History that an expectation may come from: a key's own, or that of a key like it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Whose history it is, as it reads in a sentence: `this actor`, `the role deploy in other accounts`.
    pub whose: &'a str,
    /// The peaks.
    pub days: &'a Days,
    /// When watching began, where that is known to be before the first peak.
    pub since: Option<EventTime>,
}

/// The days a judgement may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    days: Range<i64>,
    /// The window that is judged.
    start: EventTime,
    /// A history shorter than this is still being learnt, days.
    enough: i64,
    usual: Usual,
}

impl Past {
    /// The days before a window that starts at `start`.
    pub fn before(start: EventTime, learning: &Learning, usual: Usual) -> Self {
        // Windows are days' by their start: one that starts on the eve of the judged one may reach into it.
        let complete = learning.lateness_seconds().max(WINDOW_MINUTES * MINUTE);
        Self {
            days: start.plus(-learning.forget_seconds()).day()..start.plus(-complete).day(),
            start,
            enough: i64::from(learning.days).max(1),
            usual,
        }
    }

    /// What to expect by the one that expects the most, of all candidates up to the first with enough history: never less than
    /// by the first. Nothing when no candidate has any history: then fixed floors decide alone.
    pub fn expect<'a>(&self, candidates: &[Candidate<'a>]) -> Option<Expectation<'a>> {
        let mut most: Option<Expectation<'a>> = None;
        for candidate in candidates {
            let Some(expectation) = self.expectation(candidate) else { continue };
            let is_enough = expectation.days >= self.enough;
            // Of two that expect the same the one with enough history has the better reasons; the known are still learnt.
            let is_more =
                |known: &Expectation<'_>| (expectation.expected, is_enough) > (known.expected, false);
            if most.as_ref().is_none_or(is_more) {
                most = Some(expectation);
            }
            if is_enough {
                break;
            }
        }
        most
    }

    fn expectation<'a>(&self, candidate: &Candidate<'a>) -> Option<Expectation<'a>> {
        let first_peak = candidate.days.busiest.keys().next().copied();
        let began = candidate.since.map(EventTime::day).into_iter().chain(first_peak).min()?;
        let watched = began.max(self.days.start)..self.days.end;
        let days = watched.end - watched.start;
        if days <= 0 {
            return None;
        }
        let peaks = descending(candidate.days.busiest.range(watched.clone()).map(|(_, peak)| *peak));
        let busiest = ranked(&peaks, 1);
        let expected = ranked(&peaks, self.usual.rank(days));
        let habits = days >= HABIT_DAYS && !candidate.days.by_hour.is_empty();
        let then = habits.then(|| self.then(candidate.days, watched)).filter(|then| then.expected < expected);
        Some(Expectation { whose: candidate.whose, expected, busiest, days, then, peaks })
    }

    /// What is usual at this time of the week: at this hour, an hour more or less, or on this weekday, whichever is less.
    fn then(&self, days: &Days, watched: Range<i64>) -> Then {
        let hour = self.start.hour();
        let near = |hours: &crate::days::HoursOfDay| (hour - 1..=hour + 1).map(|h| hours.at(h)).max();
        let at_hour = descending(days.by_hour.range(watched.clone()).filter_map(|(_, hours)| near(hours)));
        let at_hour = ranked(&at_hour, self.usual.rank(watched.end - watched.start));
        let weekday = |day: i64| day.rem_euclid(7);
        let alike =
            days.busiest.range(watched).filter(|(day, _)| weekday(**day) == weekday(self.start.day()));
        // There are few of one weekday: two are enough to be usual.
        let on_weekday = ranked(&descending(alike.map(|(_, peak)| *peak)), 2);
        if on_weekday < at_hour {
            // The epoch began on a Thursday.
            const NAMES: [&str; 7] =
                ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
            Then { expected: on_weekday, when: format!("on a {}", NAMES[weekday(self.start.day()) as usize]) }
        } else {
            Then { expected: at_hour, when: format!("about {:02}:00 UTC", hour.rem_euclid(24)) }
        }
    }
}

fn descending(peaks: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut peaks: Vec<u64> = peaks.collect();
    peaks.sort_unstable_by(|a, b| b.cmp(a));
    peaks
}

/// The value of a rank, from 1; days without a peak are at the end, and count as nothing.
fn ranked(descending: &[u64], rank: usize) -> u64 {
    rank.checked_sub(1).and_then(|at| descending.get(at)).copied().unwrap_or(0)
}

/// What was to be expected of the busiest window of a day, and on what basis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation<'a> {
    /// Whose history it rests on.
    pub whose: &'a str,
    /// What is usual: the second busiest day, or what [`Usual`] says; the busiest while there are fewer than three.
    pub expected: u64,
    /// The busiest day.
    pub busiest: u64,
    /// How many days were watched.
    pub days: i64,
    /// What is usual at this time of the week, where that is less.
    pub then: Option<Then>,
    /// The peaks of the days that had one, largest first.
    peaks: Vec<u64>,
}

/// A time of the week at which less is usual than at others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Then {
    /// What is usual then.
    pub expected: u64,
    /// As it reads in a sentence: `about 03:00 UTC`, `on a Sunday`.
    pub when: String,
}

impl Expectation<'_> {
    /// The least that is `factor` times what is usual; at a time of the week when less is usual, that many times what
    /// is usual then, if that would still be a record by half.
    pub fn times(&self, factor: f64) -> f64 {
        let always = self.expected as f64 * factor;
        match &self.then {
            None => always,
            Some(then) => always.min((then.expected as f64 * factor).max(self.expected as f64 * RECORD)),
        }
    }

    /// On how many of the watched days the busiest window was at least this large.
    pub fn days_as_busy(&self, observed: u64) -> usize {
        self.peaks.partition_point(|peak| *peak >= observed)
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

    /// How odd the time is for so many: `usually at most 3 about 03:00 UTC`; nothing where it is not.
    pub fn odd_time(&self, observed: u64) -> Option<String> {
        let Then { expected, when } = self.then.as_ref()?;
        let usually =
            if *expected == 0 { "usually none".to_owned() } else { format!("usually at most {expected}") };
        (observed > *expected).then(|| format!("{usually} {when}"))
    }
}

#[cfg(test)]
#[path = "baseline_tests.rs"]
mod tests;
