//! Judging the first refusal ever of a grave call.

use std::collections::BTreeMap;

use super::AccessDeniedSpike;
use super::background::Background;
use super::burst::KNOWN_HOURS;
use super::draft::{Draft, Plural, prose, short_name};
use super::facts::{FLOOR, Remembered};
use super::grave::{GraveCall, Weight};
use super::summary::Summary;
use crate::detector::Around;
use crate::finding::{Evidence, Finding, Reason, Severity};
use crate::ledger::Key;
use crate::time::{DAY, TimeRange};

/// So many different grave calls in an hour are no mistake.
const SEVERAL: usize = 3;
/// Calls named in a title.
const NAMED: usize = 3;

/// A grave call that was refused for the first time.
struct First<'a> {
    label: &'a str,
    call: GraveCall,
    evidence: &'a Evidence,
}

impl AccessDeniedSpike {
    /// Grave calls refused to an actor that is hardly ever refused anything: one finding an hour. What belongs to a burst
    /// that was `told` in an hour before is known by then. One that begins in the same hour says nothing of it: nobody can
    /// know of the burst yet when the first call is refused.
    pub(crate) fn judge_firsts(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
        told: &[Finding],
    ) -> Vec<Finding> {
        let mut hours: BTreeMap<i64, Vec<First<'_>>> = BTreeMap::new();
        for first in firsts(facts, around.environment.learning.forget_seconds() / DAY) {
            let time = first.evidence.time;
            let is_known =
                |burst: &Finding| burst.window.start.hour() < time.hour() && burst.window.contains(time);
            if !told.iter().any(is_known) {
                hours.entry(time.hour()).or_default().push(first);
            }
        }
        if hours.is_empty() {
            return Vec::new();
        }
        let background = Background::of(key, facts, around);
        let mut found: Vec<Finding> = Vec::new();
        for mut firsts in hours.into_values() {
            firsts.sort_unstable_by_key(|first| first.evidence);
            let Some(mut finding) = tell(key, facts, &background, &firsts) else { continue };
            finding.continues = found
                .last()
                .filter(|last| finding.window.start.hour() - last.window.start.hour() <= KNOWN_HOURS)
                .map(Finding::id);
            found.push(finding);
        }
        found
    }
}

/// The refusals of grave calls that had not been refused within so many days before.
fn firsts(facts: &Remembered, forget_days: i64) -> impl Iterator<Item = First<'_>> {
    let was_refused = move |label: &str, day: i64| {
        facts.firsts.range(day - forget_days..day).any(|(_, actions)| actions.contains(label))
    };
    facts.firsts.iter().flat_map(move |(day, actions)| {
        actions.iter().filter_map(move |(label, evidence)| {
            let call = GraveCall::of(label).filter(|call| call.weight == Weight::Grave)?;
            (!was_refused(label, *day)).then_some(First { label, call, evidence })
        })
    })
}

/// The finding of an hour's first refusals, in order of time.
fn tell(key: &Key, facts: &Remembered, background: &Background<'_>, firsts: &[First<'_>]) -> Option<Finding> {
    let (start, end) = (firsts.first()?.evidence.time, firsts.last()?.evidence.time);
    if background.own(start).is_some_and(|own| own.expected >= FLOOR) {
        return None;
    }
    let mut severity = if background.is_learning(start) { Severity::Low } else { Severity::Medium };
    if firsts.len() >= SEVERAL {
        severity = severity.graver();
    }
    let mut summary = Summary::default();
    let mut reasons = Vec::new();
    for First { label, call, evidence } in firsts {
        summary.sample.insert((*evidence).clone());
        reasons.push(Reason::new(
            "first_refusal",
            format!("the call {label} {} and was never refused to it before", call.does),
        ));
    }
    if let Some(days) = background.quiet_days(start) {
        let watched = Plural(days, "day");
        reasons.push(Reason::new(
            "never_before",
            format!("nothing at all was, in {watched} of watching its account"),
        ));
    }
    let mut names: Vec<String> = firsts.iter().take(NAMED).map(|first| first.label.to_owned()).collect();
    if firsts.len() > NAMED {
        names.push(format!("{} more", firsts.len() - NAMED));
    }
    let title = format!("{}: first refusal of {}", short_name(&key.entity), names.join(", "));
    let mitre = firsts.iter().map(|first| first.call.technique).collect();
    let draft = Draft { key, facts, kind: "grave_call_denied", unit: "calls", title, mitre };
    let mut finding = draft.finding(TimeRange { start, end: end.plus(1) }, severity, reasons, &summary);
    finding.evidence_total = firsts.len() as u64;
    finding.summary = prose(&finding);
    Some(finding)
}
