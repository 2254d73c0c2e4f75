//! What is usual for a key: its own past, that of others like it, and how long anything was watched at all.

use std::collections::BTreeMap;

use super::facts::{Remembered, Summary};
use super::observe::{ACCOUNT, SIBLINGS, family};
use crate::baseline::{Candidate, DayPeaks, Expectation, Past};
use crate::detector::Around;
use crate::environment::Learning;
use crate::ledger::{Key, KeyRef};
use crate::time::EventTime;
use crate::window::Peak;

/// Weeks that make habits of hours and weekdays.
const WEEKS_OF_HABIT: i64 = 3;
/// Fewer hours with refusals make no habit.
const MANY_HOURS: usize = 20;

/// The past of a key and of those like it.
pub(crate) struct Background<'a> {
    learning: &'a Learning,
    own: DayPeaks,
    siblings: DayPeaks,
    neighbours: DayPeaks,
    /// The most different actions in a window, by day.
    breadth: DayPeaks,
    /// The hours with a peak, by the start of its window.
    busy_hours: Vec<EventTime>,
    /// The first day with refusals in the account: watching began then at the latest.
    first_day: Option<i64>,
}

impl<'a> Background<'a> {
    /// Of a key whose busiest windows are `peaks`.
    pub(crate) fn of(
        key: &Key,
        facts: &Remembered,
        peaks: &BTreeMap<i64, Peak<Summary>>,
        around: &Around<'a, Remembered>,
    ) -> Self {
        let others = around.others;
        let account = others.facts(KeyRef { class: ACCOUNT, account: &key.account, entity: "" });
        let siblings = family(&key.entity)
            .and_then(|entity| others.facts(KeyRef { class: SIBLINGS, account: "", entity }));
        let mut breadth = DayPeaks::new();
        for peak in peaks.values() {
            let most = breadth.entry(peak.range().start.day()).or_default();
            *most = (*most).max(peak.summary.actions());
        }
        Self {
            learning: &around.environment.learning,
            own: facts.windows.days(),
            siblings: siblings.map(|f| f.siblings.days()).unwrap_or_default(),
            neighbours: account.map(|f| f.neighbours.days()).unwrap_or_default(),
            breadth,
            busy_hours: peaks.values().map(|peak| peak.range().start).collect(),
            first_day: account.and_then(|f| f.windows.days().keys().next().copied()),
        }
    }

    /// What to expect of a window that starts at `start`.
    pub(crate) fn expect(&self, start: EventTime) -> Option<Expectation<'_>> {
        let past = |whose, peaks| Candidate { whose, peaks, since: None };
        Past::before(start, self.learning).expect(&[
            past("its own", &self.own),
            past("others of its name", &self.siblings),
            past("others in its account", &self.neighbours),
        ])
    }

    /// What to expect of the key by its own past alone.
    pub(crate) fn own_expected(&self, start: EventTime) -> u64 {
        let own = Candidate { whose: "its own", peaks: &self.own, since: None };
        Past::before(start, self.learning).expect(&[own]).map_or(0, |e| e.expected)
    }

    /// The same, and how rare `count` is by it; nothing without a past.
    pub(crate) fn own_basis(&self, start: EventTime, count: u64) -> Option<(u64, String)> {
        let own = Candidate { whose: "its own", peaks: &self.own, since: None };
        let expectation = Past::before(start, self.learning).expect(&[own])?;
        Some((expectation.expected, expectation.basis(count)))
    }

    /// How many different actions to expect of the broadest window of a day.
    pub(crate) fn expected_breadth(&self, start: EventTime) -> u64 {
        let own = Candidate { whose: "its own", peaks: &self.breadth, since: None };
        Past::before(start, self.learning).expect(&[own]).map_or(0, |e| e.expected)
    }

    /// The days without any refusal of this key before `start`, as far as the account was watched; nothing when there were
    /// some.
    pub(crate) fn quiet_days(&self, start: EventTime) -> Option<i64> {
        let was_quiet = self.own.keys().all(|day| *day >= start.day());
        let watched = self.first_day.map_or(0, |first| start.day() - first);
        (was_quiet && watched > 0).then_some(watched)
    }

    /// The account is younger than the learning period: what is usual in it is not known yet.
    pub(crate) fn is_learning(&self, start: EventTime) -> bool {
        let watched = self.first_day.map_or(0, |first| start.day() - first);
        watched < i64::from(self.learning.days)
    }

    /// What is odd about the hour or the weekday (UTC): the key was refused often enough, for three weeks and more, but
    /// never then.
    pub(crate) fn unusual_time(&self, start: EventTime) -> Option<String> {
        let past: Vec<EventTime> =
            self.busy_hours.iter().copied().filter(|t| t.day() < start.day()).collect();
        let watched = past.first().map_or(0, |first| start.day() - first.day());
        if watched < WEEKS_OF_HABIT * 7 || past.len() < MANY_HOURS {
            return None;
        }
        let hour = |t: EventTime| t.hour().rem_euclid(24);
        let is_near = |t: EventTime| matches!((hour(t) - hour(start)).rem_euclid(24), 0 | 1 | 23);
        // The epoch began on a Thursday.
        let weekday = |t: EventTime| (t.day() + 3).rem_euclid(7);
        if !past.iter().any(|t| is_near(*t)) {
            Some(format!("never at this hour ({:02}:00 UTC) in {watched} days", hour(start)))
        } else if !past.iter().any(|t| weekday(*t) == weekday(start)) {
            let name = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
                [usize::try_from(weekday(start)).unwrap_or(0)];
            Some(format!("never on a {name} in {watched} days"))
        } else {
            None
        }
    }
}
