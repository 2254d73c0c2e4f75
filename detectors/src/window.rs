//! Sliding windows over minutes of event time, and the peaks that stay when the minutes are dropped.
//!
//! A [`Windows`] counts in one-minute [`Bucket`]s. Sliding windows of [`WINDOW_MINUTES`] are sums of buckets. When a minute
//! is closed (every file that could hold an on-time record of it was read) the windows that end in it become peaks:
//! the largest of each hour, if it reaches the candidate floor, with its summary; and the largest of each day,
//! for baselines. Judging reads peaks and open minutes alike, so closing changes no answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::days::Days;
use crate::lattice::Join;
use crate::time::EventTime;

/// The length of a sliding window. Structural: peaks are kept for this length alone.
pub const WINDOW_MINUTES: i64 = 5;

/// What one minute of one key holds.
pub trait Bucket: Join + Clone + Default + PartialEq {
    /// What stays of a window once its minutes are gone.
    type Summary: Join + Clone + PartialEq;

    /// How many events.
    fn count(&self) -> u64;

    /// Sums up the minutes of one window, in order.
    fn summarise(minutes: &[&Self]) -> Self::Summary;

    /// How many the minutes of one window hold together, when their counts add up to `sum`: that many, unless what is counted
    /// can be in several minutes.
    fn together(_minutes: &[(i64, &Self, u64)], sum: u64) -> u64 {
        sum
    }
}

/// The largest window of an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak<S> {
    /// The first minute of the window, counted from the epoch.
    pub start: i64,
    /// Events in it.
    pub count: u64,
    /// What is known about them.
    pub summary: S,
}

impl<S> Peak<S> {
    /// From the first second of the window to the first after it.
    pub fn range(&self) -> crate::time::TimeRange {
        crate::time::TimeRange {
            start: EventTime::of_minute(self.start),
            end: EventTime::of_minute(self.start + WINDOW_MINUTES),
        }
    }
}

/// The larger count wins; of equal counts the earlier; of the same window the joined summary.
impl<S: Join + Clone + PartialEq> Join for Peak<S> {
    fn join(&mut self, other: &Self) {
        let (mine, theirs) = ((self.count, -self.start), (other.count, -other.start));
        if theirs > mine {
            *self = other.clone();
        } else if theirs == mine {
            self.summary.join(&other.summary);
        }
    }

    fn covers(&self, other: &Self) -> bool {
        let (mine, theirs) = ((self.count, -self.start), (other.count, -other.start));
        theirs < mine || (theirs == mine && self.summary.covers(&other.summary))
    }
}

/// Counts of one key: open minutes, peaks of hours, peaks of days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(
    serialize = "B: Serialize, B::Summary: Serialize",
    deserialize = "B: Deserialize<'de>, B::Summary: Deserialize<'de>"
))]
pub struct Windows<B: Bucket> {
    /// In order.
    minutes: Vec<(i64, B)>,
    hours: BTreeMap<i64, Peak<B::Summary>>,
    days: Days,
}

impl<B: Bucket> Default for Windows<B> {
    fn default() -> Self {
        Self { minutes: Vec::new(), hours: BTreeMap::new(), days: Days::default() }
    }
}

impl<B: Bucket> Join for Windows<B> {
    fn join(&mut self, other: &Self) {
        self.absorb(other.clone());
    }

    fn absorb(&mut self, other: Self) {
        self.take_minutes(other.minutes);
        self.hours.absorb(other.hours);
        self.days.join(&other.days);
    }

    fn covers(&self, other: &Self) -> bool {
        other.minutes.iter().all(|(minute, theirs)| {
            let mine = self.minutes.binary_search_by_key(minute, |(known, _)| *known);
            mine.is_ok_and(|at| self.minutes[at].1.covers(theirs))
        }) && self.hours.covers(&other.hours)
            && self.days.covers(&other.days)
    }
}

impl<B: Bucket> Windows<B> {
    /// Takes in minutes in order. What two threads count in turn lies like a zip: putting one minute after the other where it
    /// belongs would move the rest each time.
    fn take_minutes(&mut self, theirs: Vec<(i64, B)>) {
        let is_behind = |(first, _): &(i64, B)| self.minutes.last().is_none_or(|(last, _)| last < first);
        if theirs.first().is_none_or(is_behind) {
            self.minutes.extend(theirs);
            return;
        }
        let mine = std::mem::take(&mut self.minutes);
        self.minutes.reserve_exact(mine.len() + theirs.len());
        let mut theirs = theirs.into_iter().peekable();
        for (minute, mut bucket) in mine {
            while let Some(earlier) = theirs.next_if(|(other, _)| *other < minute) {
                self.minutes.push(earlier);
            }
            if let Some((_, same)) = theirs.next_if(|(other, _)| *other == minute) {
                bucket.absorb(same);
            }
            self.minutes.push((minute, bucket));
        }
        self.minutes.extend(theirs);
    }

    /// The bucket of the minute `time` falls into.
    pub fn minute(&mut self, time: EventTime) -> &mut B {
        let minute = time.minute();
        // Nearly always one of the newest: looked for from the end, so that older ones are not even touched.
        let (all, mut reach) = (self.minutes.len(), 1);
        while reach < all && self.minutes[all - reach].0 > minute {
            reach *= 2;
        }
        let from = all.saturating_sub(reach);
        let at = from + self.minutes[from..].partition_point(|(known, _)| *known < minute);
        if self.minutes.get(at).is_none_or(|(known, _)| *known != minute) {
            self.minutes.insert(at, (minute, B::default()));
        }
        &mut self.minutes[at].1
    }

    /// Folds every window that ends at or before `closed` (a minute) into peaks, and drops the minutes that no later
    /// window needs. Hours get a peak only from `floor` events on: it must lie below every threshold that will be asked.
    /// Whether minutes are still open.
    pub fn close(&mut self, closed: i64, floor: u64) -> bool {
        let dropped = self.about_to_close(closed).len();
        if dropped == 0 {
            return self.is_open();
        }
        let (hours, days) = self.open_peaks(floor, Some(closed));
        self.hours.join(&hours);
        self.days.join(&days);
        self.minutes.drain(..dropped);
        if self.minutes.is_empty() {
            self.minutes = Vec::new();
        }
        self.is_open()
    }

    /// The minutes [`Windows::close`] would drop, in order.
    pub fn about_to_close(&self, closed: i64) -> &[(i64, B)] {
        let first_kept = closed - WINDOW_MINUTES + 1;
        &self.minutes[..self.minutes.partition_point(|(minute, _)| *minute < first_kept)]
    }

    /// The open minutes, in order.
    pub fn open(&self) -> &[(i64, B)] {
        &self.minutes
    }

    /// Whether minutes are open.
    fn is_open(&self) -> bool {
        !self.minutes.is_empty()
    }

    /// Drops the peaks of hours that were [ordinary](Days::was_usual): on `often` days a window was at least as busy. What expects
    /// at least what `often` days of those reached (see [`crate::baseline`]) finds nothing in them.
    pub fn drop_ordinary(&mut self, often: usize) {
        let Self { hours, days, .. } = self;
        hours.retain(|hour, peak| !days.was_usual(EventTime::of_hour(*hour).day(), peak.count, often));
    }

    /// The peaks [`Windows::drop_ordinary`] would drop, of hours from one on.
    pub fn ordinary(
        &mut self,
        from: i64,
        often: usize,
    ) -> impl Iterator<Item = (i64, &mut Peak<B::Summary>)> {
        let Self { hours, days, .. } = self;
        let hours = hours.range_mut(from..).map(|(hour, peak)| (*hour, peak));
        hours.filter(move |(hour, peak)| days.was_usual(EventTime::of_hour(*hour).day(), peak.count, often))
    }

    /// The largest closed window of each day and of its hours.
    pub fn closed_days(&self) -> &Days {
        &self.days
    }

    /// The hour of the first open minute.
    pub fn first_open_hour(&self) -> Option<i64> {
        self.minutes.first().map(|(minute, _)| EventTime::of_minute(*minute).hour())
    }

    /// The largest window of each hour with at least `floor` events, from peaks and open minutes.
    pub fn hours(&self, floor: u64) -> BTreeMap<i64, Peak<B::Summary>> {
        let mut hours = self.hours.clone();
        if !self.minutes.is_empty() {
            hours.join(&self.open_peaks(floor, None).0);
        }
        hours.retain(|_, peak| peak.count >= floor);
        hours
    }

    /// The largest window of each day and of its hours, from peaks and open minutes.
    pub fn days(&self) -> Days {
        let mut days = self.days.clone();
        if !self.minutes.is_empty() {
            days.join(&self.open_peaks(u64::MAX, None).1);
        }
        days
    }

    /// Nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty() && self.days.is_empty()
    }

    /// Drops peaks of hours and days that ended before `horizon`.
    pub fn forget(&mut self, horizon: EventTime) {
        self.hours = self.hours.split_off(&horizon.hour());
        self.days.forget(horizon.day());
    }

    /// Peaks of the windows over open minutes; with `until`, only of windows that end at or before that minute.
    fn open_peaks(&self, floor: u64, until: Option<i64>) -> (BTreeMap<i64, Peak<B::Summary>>, Days) {
        let minutes: Vec<(i64, &B, u64)> = self.minutes.iter().map(|(m, b)| (*m, b, b.count())).collect();
        // The largest window of each hour, as (count, first, last) positions in `minutes`.
        let mut best: BTreeMap<i64, (u64, usize, usize)> = BTreeMap::new();
        let mut days = Days::default();
        // The largest window of the hour at hand: days are told once an hour.
        let mut at_hand: Option<(i64, u64)> = None;
        let (mut end, mut sum) = (0, 0u64);
        for start in 0..minutes.len() {
            let first = minutes[start].0;
            if until.is_some_and(|until| first + WINDOW_MINUTES > until) {
                break;
            }
            while end < minutes.len() && minutes[end].0 < first + WINDOW_MINUTES {
                sum += minutes[end].2;
                end += 1;
            }
            let count = B::together(&minutes[start..end], sum);
            let hour = EventTime::of_minute(first).hour();
            match &mut at_hand {
                Some((known, largest)) if *known == hour => *largest = count.max(*largest),
                other => {
                    if let Some((hour, largest)) = other.replace((hour, count)) {
                        days.take(EventTime::of_hour(hour), largest);
                    }
                }
            }
            if count >= floor {
                let hour = best.entry(hour).or_insert((0, start, end));
                if count > hour.0 {
                    *hour = (count, start, end);
                }
            }
            sum -= minutes[start].2;
        }
        if let Some((hour, largest)) = at_hand {
            days.take(EventTime::of_hour(hour), largest);
        }
        let hours = best
            .into_iter()
            .map(|(hour, (count, start, end))| {
                let buckets: Vec<&B> = minutes[start..end].iter().map(|(_, b, _)| *b).collect();
                (hour, Peak { start: minutes[start].0, count, summary: B::summarise(&buckets) })
            })
            .collect();
        (hours, days)
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
