//! Growth over days that no window shows.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::facts::Day;
use super::judge::Judge;
use super::tell;
use crate::finding::Finding;
use crate::time::{EventTime, HOUR, TimeRange};

/// Growth is growth when it lasted this many days.
pub(super) const DAYS: i64 = 3;
/// What is usual is the middle one of this many days before them.
const USUAL_DAYS: i64 = 14;
/// Fewer watched days tell nothing.
const FEWEST_DAYS: i64 = 7;
/// A day with less than the floor's rate kept up for this many windows is too small to matter.
const WINDOWS: u64 = 12;
/// And more than this many times the largest day ever seen before.
const RECORD: f64 = 1.5;

/// Days that grew.
pub(super) struct Growth {
    /// The least of their totals.
    pub(super) observed: u64,
    /// The middle total of the days before.
    pub(super) usual: u64,
    pub(super) threshold: f64,
    /// The days, in order.
    pub(super) days: Vec<Day>,
    /// When the last of them was complete: what the finding is dated by.
    pub(super) told: TimeRange,
}

pub(super) fn judge(judge: &Judge<'_>, out: &mut Vec<Finding>) {
    let least = judge.config.floor(judge.family, judge.subject) * WINDOWS;
    if judge.facts.counted_days() < DAYS as usize {
        return;
    }
    let days = judge.facts.days();
    let totals: Vec<(i64, u64)> = days.iter().map(|(day, d)| (*day, d.counted.count())).collect();
    if totals.iter().filter(|(_, total)| *total >= least).count() < DAYS as usize {
        return;
    }
    for (day, total) in &totals {
        let told = told(judge, *day);
        if *total < least || !judge.around.span.contains(told.start) {
            continue;
        }
        let remembered = told.start.plus(-judge.learning.forget_seconds()).day();
        let Some(growth) = growth(judge, (&days, &totals), *day, remembered) else { continue };
        if self::growth(judge, (&days, &totals), day - 1, remembered).is_none() {
            out.push(tell::growth(judge, &growth));
        }
    }
}

/// The hour in which a day has been complete for the lateness horizon.
fn told(judge: &Judge<'_>, day: i64) -> TimeRange {
    let hour = EventTime::of_day(day + 1).plus(judge.learning.lateness_seconds() + HOUR - 1).hour();
    TimeRange { start: EventTime::of_hour(hour), end: EventTime::of_hour(hour + 1) }
}

/// Whether the days up to `last` grew, by the days from `remembered` on.
fn growth(
    judge: &Judge<'_>,
    (counted, totals): (&BTreeMap<i64, Day>, &[(i64, u64)]),
    last: i64,
    remembered: i64,
) -> Option<Growth> {
    let remembered = remembered.max(judge.facts.since.0?.day());
    let first = last - DAYS + 1;
    let between = |from: i64, to: i64| {
        let from = totals.partition_point(|(day, _)| *day < from);
        let to = totals.partition_point(|(day, _)| *day < to);
        totals.get(from..to).unwrap_or_default()
    };
    let grown = between(first, last + 1);
    let before = between(remembered, first);
    let usual_from = remembered.max(first - USUAL_DAYS);
    if grown.len() != DAYS as usize || first - usual_from < FEWEST_DAYS {
        return None;
    }
    // Days without a call are days too.
    let mut usual: Vec<u64> = vec![0; (first - usual_from) as usize];
    for (slot, (_, total)) in usual.iter_mut().zip(between(usual_from, first)) {
        *slot = *total;
    }
    usual.sort_unstable();
    let usual = usual[usual.len() / 2];
    let record = before.iter().map(|(_, total)| *total).max().unwrap_or(0);
    let least = (judge.config.floor(judge.family, judge.subject) * WINDOWS) as f64;
    let threshold = (judge.config.growth_factor * usual as f64).max(RECORD * record as f64).max(least);
    let observed = grown.iter().map(|(_, total)| *total).min()?;
    // Windows that surged on these days have told already.
    let surged = || {
        let hours = judge.facts.calls.hours(judge.config.floor(judge.family, judge.subject));
        let (days, kin) = (judge.facts.calls.days(), OnceCell::new());
        let span = EventTime::of_day(first).hour()..EventTime::of_day(last + 1).hour();
        hours.range(span).any(|(hour, peak)| judge.surge((*hour, peak), &days, &kin).is_some())
    };
    if (observed as f64) < threshold || surged() {
        return None;
    }
    let days = counted.range(first..=last).map(|(_, day)| day.clone()).collect();
    Some(Growth { observed, usual, threshold, days, told: told(judge, last) })
}
