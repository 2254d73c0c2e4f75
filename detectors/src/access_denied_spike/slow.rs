//! Judging what comes too slowly for a window: many different actions, or many users, in a day.

use super::AccessDeniedSpike;
use super::draft::{Draft, Plural, prose, short_name};
use super::facts::Remembered;
use super::observe::SOURCE_SIGN_INS;
use super::summary::Summary;
use crate::baseline::{Candidate, Expectation, Past, Usual};
use crate::days::Days;
use crate::detector::Around;
use crate::finding::{Anchor, Evidence, Finding, Measure, Reason, Severity};
use crate::ledger::Key;
use crate::time::{EventTime, TimeRange};

/// A day holds this many times what a window must.
const OF_A_DAY: u64 = 2;

impl AccessDeniedSpike {
    /// Days on which an actor was refused many different actions, or many users failed to sign in from an address, though
    /// none of the `told` windows was of that day and by then.
    pub(crate) fn judge_days(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
        told: &[Finding],
    ) -> Vec<Finding> {
        let sizes: Days = facts.firsts.iter().map(|(day, things)| (*day, things.len() as u64)).collect();
        let was_told_by = |time: EventTime| {
            let starts = told.iter().map(|finding| finding.window.start);
            starts.filter(|start| start.day() == time.day()).any(|start| start.hour() <= time.hour())
        };
        facts
            .firsts
            .iter()
            .filter_map(|(day, things)| {
                let mut firsts: Vec<&Evidence> = things.iter().map(|(_, first)| first).collect();
                firsts.sort_unstable();
                let own = Candidate { whose: "its own", days: &sizes, since: None };
                let learning = &around.environment.learning;
                let past = Past::before(firsts.first()?.time, learning, Usual::OnTwoDays);
                let expectation = past.expect(&[own]);
                let watched = expectation.as_ref().map_or(0, |e| e.days);
                let floor = self.least_of_a_day(key) * if watched < i64::from(learning.days) { 2 } else { 1 };
                let threshold = floor.max(self.config.above(expectation.as_ref()));
                SlowDay { day: *day, firsts, expectation, threshold }.tell(key, facts)
            })
            .filter(|finding| !was_told_by(finding.window.start))
            .collect()
    }

    fn least_of_a_day(&self, key: &Key) -> u64 {
        let of_users = key.class == SOURCE_SIGN_INS;
        OF_A_DAY
            * u64::from(if of_users { self.config.min_actors_of_address } else { self.config.min_actions })
    }
}

/// A day of one key.
struct SlowDay<'a> {
    day: i64,
    /// The first refusal of each thing, in order of time.
    firsts: Vec<&'a Evidence>,
    expectation: Option<Expectation<'a>>,
    threshold: u64,
}

impl SlowDay<'_> {
    /// The finding, if there were enough things. It begins with the one that was too many.
    fn tell(self, key: &Key, facts: &Remembered) -> Option<Finding> {
        let Self { day, firsts, expectation, threshold } = self;
        let (first, last) = (firsts.first()?, firsts.last()?);
        let crossing = firsts.get(usize::try_from(threshold).ok()?.checked_sub(1)?)?;
        let count = firsts.len() as u64;
        let since = format!("one after the other since {}, below what a window shows", first.time);
        let mut reasons = vec![Reason::new("slow", since)];
        reasons.extend(expectation.as_ref().map(|e| Reason::new("busiest", e.basis(count))));
        let (kind, unit, mitre, noun, what) = if key.class == SOURCE_SIGN_INS {
            ("slow_spraying", "users a day", vec!["T1110.003"], "user", "failed to sign in from this address")
        } else {
            ("slow_probing", "actions a day", vec!["T1580", "T1526"], "different action", "refused")
        };
        let things = Plural(count.cast_signed(), noun);
        let title = format!("{}: {things} {what} within a day", short_name(&key.entity));
        let mut summary = Summary::default();
        firsts.iter().for_each(|first| summary.sample.insert((*first).clone()));
        let window = TimeRange { start: crossing.time, end: last.time.plus(1) };
        let draft = Draft { key, facts, kind, unit, title, mitre };
        let mut finding = draft.finding(window, Severity::Medium, reasons, &summary);
        finding.anchor = Anchor::Once(format!("day {day}"));
        finding.measure = Some(Measure {
            observed: count as f64,
            expected: expectation.map(|e| e.expected as f64),
            threshold: threshold as f64,
            unit,
        });
        finding.evidence_total = count;
        finding.summary = prose(&finding);
        Some(finding)
    }
}
