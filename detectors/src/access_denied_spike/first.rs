//! Judging the first refusal ever of a grave call.

use std::collections::BTreeMap;

use super::AccessDeniedSpike;
use super::background::Background;
use super::draft::sentence;
use super::draft::{Draft, short_name};
use super::facts::{FLOOR, Remembered, Summary};
use super::grave::{GraveCall, Weight};
use crate::detector::Around;
use crate::finding::{Evidence, Finding, Reason, Severity};
use crate::ledger::Key;
use crate::time::TimeRange;

/// So many different grave calls in an hour are no mistake.
const SEVERAL: usize = 3;

impl AccessDeniedSpike {
    /// Grave calls refused to an actor that is hardly ever refused anything: one finding an hour. What `told` bursts hold
    /// is told there.
    pub(crate) fn judge_firsts(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
        told: &[Finding],
    ) -> Vec<Finding> {
        let forget_days = around.environment.learning.forget_seconds() / crate::time::DAY;
        let mut hours: BTreeMap<i64, Vec<(&str, GraveCall, &Evidence)>> = BTreeMap::new();
        for (label, days) in facts.grave.iter() {
            let Some(call) = GraveCall::of(label).filter(|call| call.weight == Weight::Grave) else {
                continue;
            };
            for (day, sample) in days {
                let is_first = days.range(day - forget_days..*day).next().is_none();
                let Some(evidence) = sample.iter().next().filter(|_| is_first) else { continue };
                if !told.iter().any(|finding| finding.window.contains(evidence.time)) {
                    hours.entry(evidence.time.hour()).or_default().push((label, call, evidence));
                }
            }
        }
        if hours.is_empty() {
            return Vec::new();
        }
        let background = Background::of(key, facts, &facts.windows.hours(FLOOR), around);
        hours.into_values().filter_map(|calls| tell(key, facts, &background, &calls)).collect()
    }
}

fn tell(
    key: &Key,
    facts: &Remembered,
    background: &Background<'_>,
    calls: &[(&str, GraveCall, &Evidence)],
) -> Option<Finding> {
    let start = calls.iter().map(|(_, _, e)| e.time).min()?;
    let end = calls.iter().map(|(_, _, e)| e.time).max()?;
    if background.own_expected(start) >= FLOOR {
        return None;
    }
    let mut severity = if background.is_learning(start) { Severity::Low } else { Severity::Medium };
    if calls.len() >= SEVERAL {
        severity = severity.graver();
    }
    let mut summary = Summary::default();
    let mut reasons = Vec::new();
    for (label, call, evidence) in calls {
        summary.sample.insert((*evidence).clone());
        reasons.push(Reason::new(
            "first_refusal",
            format!("{label} ({}) was never refused to it before", call.does),
        ));
    }
    reasons.sort_unstable();
    if let Some(days) = background.quiet_days(start) {
        let text = format!(
            "no refusals of it at all in the {} the account was watched before",
            super::draft::Plural(days, "day")
        );
        reasons.push(Reason::new("never_before", text));
    }
    let names: Vec<&str> = calls.iter().map(|(label, _, _)| *label).collect();
    let title = format!("{}: refused {}, for the first time", short_name(&key.entity), names.join(", "));
    let mitre = calls.iter().map(|(_, call, _)| call.technique).collect();
    let draft = Draft { key, facts, kind: "grave_call_denied", unit: "calls", title, mitre };
    let mut finding = draft.finding(TimeRange { start, end: end.plus(1) }, severity, reasons, &summary);
    finding.summary = sentence(&finding);
    Some(finding)
}
