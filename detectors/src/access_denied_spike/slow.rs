//! Judging what comes too slowly for a window: many different actions, or many users, in a day.

use super::AccessDeniedSpike;
use super::draft::{Draft, Plural, prose, short_name};
use super::facts::{Remembered, Summary};
use super::observe::SOURCE_SIGN_INS;
use crate::baseline::{Candidate, DayPeaks, Past};
use crate::detector::Around;
use crate::finding::{Anchor, Evidence, Finding, Measure, Reason, Severity};
use crate::ledger::Key;
use crate::time::TimeRange;

/// A day holds this many times what a window must.
const OF_A_DAY: u64 = 2;

impl AccessDeniedSpike {
    /// Days on which an actor was refused many different actions, or many users failed to sign in from an address, though no
    /// window of the day was `told`.
    pub(crate) fn judge_days(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
        told: &[Finding],
    ) -> Vec<Finding> {
        let of_users = key.class == SOURCE_SIGN_INS;
        let least = if of_users { self.config.min_actors_of_address } else { self.config.min_actions };
        let least = u64::from(least) * OF_A_DAY;
        let sizes: DayPeaks = facts.firsts.iter().map(|(day, things)| (*day, things.len() as u64)).collect();
        let mut found = Vec::new();
        for (day, things) in &facts.firsts {
            if sizes[day] < least || told.iter().any(|finding| finding.window.start.day() == *day) {
                continue;
            }
            let mut firsts: Vec<&Evidence> =
                things.iter().filter_map(|(_, first)| first.iter().next()).collect();
            firsts.sort_unstable();
            let Some(first) = firsts.first() else { continue };
            let learning = &around.environment.learning;
            let own = Candidate { whose: "its own", peaks: &sizes, since: None };
            let expectation = Past::before(first.time, learning).expect(&[own]);
            let expected = expectation.as_ref().map(|e| e.expected);
            let is_learnt = expectation.as_ref().map_or(0, |e| e.days) >= i64::from(learning.days);
            let threshold =
                (if is_learnt { least } else { least * 2 }).max(self.config.above(expected.unwrap_or(0)));
            // The moment of the one that was too many.
            let Some(crossing) = usize::try_from(threshold - 1).ok().and_then(|n| firsts.get(n)) else {
                continue;
            };
            let end = firsts.last().map_or(first.time, |last| last.time).plus(1);
            let count = firsts.len() as u64;
            let what = Plural(count.cast_signed(), if of_users { "user" } else { "different action" });
            let since = format!("one after the other since {}, below what a window shows", first.time);
            let mut reasons = vec![Reason::new("slow", since)];
            reasons.extend(expectation.map(|e| Reason::new("busiest", e.basis(count))));
            let (kind, unit, mitre, said) = if of_users {
                ("slow_spraying", "users a day", vec!["T1110.003"], "failed to sign in from this address")
            } else {
                ("slow_probing", "actions a day", vec!["T1580", "T1526"], "refused")
            };
            let title = format!("{}: {what} {said} within a day", short_name(&key.entity));
            let mut summary = Summary::default();
            firsts.iter().for_each(|first| summary.sample.insert((*first).clone()));
            let window = TimeRange { start: crossing.time, end };
            let draft = Draft { key, facts, kind, unit, title, mitre };
            let mut finding = draft.finding(window, Severity::Medium, reasons, &summary);
            finding.measure = Some(Measure {
                observed: count as f64,
                expected: expected.map(|e| e as f64),
                threshold: threshold as f64,
                unit,
            });
            finding.anchor = Anchor::Once(format!("day {day}"));
            finding.evidence_total = count;
            finding.summary = prose(&finding);
            found.push(finding);
        }
        found
    }
}
