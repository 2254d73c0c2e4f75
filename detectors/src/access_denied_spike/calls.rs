//! Judging refused calls of one actor.

use super::background::Background;
use super::burst::{Bar, Burst, bursts};
use super::draft::{Draft, Plural, short_name};
use super::facts::{FLOOR, Remembered, Summary};
use super::grave::Weight;
use super::outage::{Outage, recent_changes};
use super::{AccessDeniedSpike, Config};
use crate::action::{service_of, strip_version};
use crate::detector::Around;
use crate::finding::{Finding, Reason, Severity};
use crate::ledger::Key;
use crate::window::Peak;

/// From this many different actions on, refusals are no single mistake repeated.
const SEVERAL_ACTIONS: u64 = 3;
/// From this many services on, reading what there is looks like taking stock.
const STOCKTAKING_SERVICES: u64 = 4;
/// So many times the threshold is graver than the threshold.
const FLOOD: u64 = 10;

impl AccessDeniedSpike {
    /// Bursts of refused calls.
    pub(crate) fn judge_calls(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let peaks = facts.windows.hours(FLOOR);
        if peaks.is_empty() {
            return Vec::new();
        }
        let background = Background::of(key, facts, &peaks, around);
        let bursts = bursts(&peaks, |peak| call_bar(&self.config, peak, &background));
        if bursts.is_empty() {
            return Vec::new();
        }
        let outage = Outage::of_account(&self.config, &key.account, around);
        bursts
            .into_iter()
            .filter(|burst| !outage.explains(burst))
            .map(|burst| tell(key, facts, self_inflicted(key, burst, around)))
            .collect()
    }
}

/// Whether a window of refused calls stands out, and why.
fn call_bar(config: &Config, peak: &Peak<Summary>, background: &Background<'_>) -> Option<Bar> {
    let (start, summary) = (peak.range().start, &peak.summary);
    let (count, actions) = (peak.count, summary.actions());
    let expectation = background.expect(start);
    let expected = expectation.as_ref().map(|e| e.expected);
    let by_people = summary.console.0 * 2 > count;
    let floor = |least: u32| {
        let least = u64::from(least) * if background.is_learning(start) { 2 } else { 1 };
        least.max(config.above(expected.unwrap_or(0)))
    };
    // A page of the console makes many calls, and people click on.
    let enough_actions = (u64::from(config.min_actions) * if by_people { 3 } else { 1 })
        .max(config.above(background.expected_breadth(start)));
    let shape = Shape::of(summary, enough_actions);

    let several = actions >= SEVERAL_ACTIONS || shape.worst.is_some();
    let threshold = floor(if several { config.min_calls } else { config.min_calls_of_one_action });
    let is_many = count >= threshold;
    let is_broad = actions >= enough_actions && summary.services.0 >= SEVERAL_ACTIONS;
    if !is_many && !is_broad {
        return None;
    }

    let mut severity = if several { Severity::Medium } else { Severity::Low };
    let grave = shape.worst == Some(Weight::Grave);
    if grave || (shape.takes_stock && !by_people) || (several && count >= threshold * FLOOD) {
        severity = severity.graver();
    }
    if by_people && !grave {
        severity = severity.milder();
    }
    let mut reasons = Vec::new();
    if is_many {
        let floor = format!("{count} refused calls within five minutes; {threshold} would have been enough");
        reasons.push(Reason::new("count", floor));
    }
    match (&expectation, background.quiet_days(start)) {
        (_, Some(days)) => {
            let text =
                format!("no refusals of it in the {} the account was watched before", Plural(days, "day"));
            reasons.push(Reason::new("never_before", text));
        }
        (Some(expectation), None) => reasons.push(Reason::new("busiest", expectation.basis(count))),
        (None, None) => reasons.push(Reason::new("no_history", "no history yet: a fixed threshold decided")),
    }
    if let Some(text) = background.unusual_time(start) {
        reasons.push(Reason::new("unusual_time", text));
    }
    if actions >= SEVERAL_ACTIONS {
        let usual = background.expected_breadth(start);
        let text = format!(
            "{actions} different actions of {}; usual: {usual}",
            Plural(summary.services.0.cast_signed(), "service")
        );
        reasons.push(Reason::new("distinct_actions", text));
    }
    if shape.takes_stock {
        let text =
            format!("{} of {actions} actions only list, describe or get: taking stock", summary.reads.0);
        reasons.push(Reason::new("enumeration", text));
    }
    if by_people {
        reasons.push(Reason::new("console", "most calls come from a console session"));
    }
    Some(Bar { threshold, expected, severity, reasons })
}

/// What a window's actions look like.
struct Shape {
    /// The heaviest of its grave calls.
    worst: Option<Weight>,
    /// Nearly all actions read, across services.
    takes_stock: bool,
}

impl Shape {
    fn of(summary: &Summary, enough_actions: u64) -> Self {
        let worst = summary.worst();
        let takes_stock = summary.actions() >= enough_actions
            && summary.services.0 >= STOCKTAKING_SERVICES
            && summary.reads.0 * 10 >= summary.actions() * 8;
        Self { worst, takes_stock }
    }
}

/// A burst right after the actor's own permissions were changed is rather a mistake in that change.
fn self_inflicted(key: &Key, mut burst: Burst, around: &Around<'_, Remembered>) -> Burst {
    let began = burst.summary.sample.iter().next().map_or(burst.range.start, |first| first.time);
    let changes = recent_changes(&key.account, burst.range.end, around);
    let own = changes.iter().find(|change| *change.target == *short_name(&key.entity));
    if let Some(change) = own {
        burst.bar.reasons.push(change.as_reason(began));
        if burst.summary.worst() != Some(Weight::Grave) && !burst.bar.has("enumeration") {
            burst.bar.severity = burst.bar.severity.milder();
        }
    }
    burst
}

fn tell(key: &Key, facts: &Remembered, burst: Burst) -> Finding {
    let actions = match (burst.summary.actions(), burst.summary.sample.iter().next()) {
        (1, Some(call)) => format!("all {}:{}", service_of(&call.source), strip_version(&call.name)),
        (actions, _) => Plural(actions.cast_signed(), "different action").to_string(),
    };
    let title = format!("{}: {} refused calls in 5 minutes, {actions}", short_name(&key.entity), burst.count);
    let mut mitre: Vec<&'static str> = burst.summary.grave_calls().map(|(_, call)| call.technique).collect();
    if burst.bar.has("enumeration") {
        mitre.extend(["T1580", "T1526"]);
    }
    if mitre.is_empty() {
        mitre.push("T1580");
    }
    Draft { key, facts, kind: "denied_calls", unit: "calls in 5 minutes", title, mitre }.finish(burst)
}
