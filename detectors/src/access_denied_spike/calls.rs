//! Judging refused calls of one actor.

use super::background::Background;
use super::burst::{Bar, Burst, bursts};
use super::draft::{Draft, Plural, short_name};
use super::facts::{FLOOR, Remembered, SEVERAL_ACTIONS};
use super::grave::Weight;
use super::outage::{Outage, recent_changes};
use super::summary::Summary;
use super::{AccessDeniedSpike, Config};
use crate::action::{service_of, strip_version};
use crate::baseline::Expectation;
use crate::detector::Around;
use crate::finding::{Finding, Reason, Severity};
use crate::ledger::Key;
use crate::time::EventTime;
use crate::window::Peak;

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
        let background = Background::of(key, facts, around);
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

/// A window of refused calls that stands out.
struct Loud<'a> {
    count: u64,
    summary: &'a Summary,
    expectation: Option<Expectation<'a>>,
    /// The least count that would have been enough.
    threshold: u64,
    is_many: bool,
    /// Several actions, or a grave one: no single mistake repeated.
    is_varied: bool,
    /// Nearly all actions read, across services.
    takes_stock: bool,
    /// Of twice as many actions as that needs.
    takes_all_stock: bool,
    /// Most calls come from a console session.
    by_people: bool,
}

impl<'a> Loud<'a> {
    fn of(config: &Config, peak: &'a Peak<Summary>, background: &'a Background<'_>) -> Option<Self> {
        let (start, summary, count) = (peak.range().start, &peak.summary, peak.count);
        let (actions, services) = (summary.actions(), summary.services.0);
        let expectation = background.expect(start);
        let by_people = summary.console.0 * 2 > count;

        let is_varied = actions >= SEVERAL_ACTIONS || summary.worst().is_some();
        let floor = u64::from(if is_varied { config.min_calls } else { config.min_calls_of_one_action });
        let floor = if background.is_learning(start) { floor * 2 } else { floor };
        let threshold = floor.max(config.above(expectation.as_ref()));
        let is_many = count >= threshold;

        // A page of the console makes many calls, and people click on.
        let least_actions = u64::from(config.min_actions) * if by_people { 3 } else { 1 };
        let least_actions = least_actions.max(config.above(background.breadth(start).as_ref()));
        let is_broad = actions >= least_actions;
        let takes_stock = is_broad && services >= STOCKTAKING_SERVICES && summary.reads.0 * 10 >= actions * 8;
        // A scanner whose policy lacks a few things is refused less.
        let takes_all_stock = takes_stock && actions >= least_actions * 2;
        let stands_out = is_many || (is_broad && services >= SEVERAL_ACTIONS);
        stands_out.then_some(Self {
            count,
            summary,
            expectation,
            threshold,
            is_many,
            is_varied,
            takes_stock,
            takes_all_stock,
            by_people,
        })
    }

    fn severity(&self) -> Severity {
        let is_grave = self.summary.worst() == Some(Weight::Grave);
        let is_flood = self.is_varied && self.count >= self.threshold * FLOOD;
        let mut severity = if self.is_varied { Severity::Medium } else { Severity::Low };
        if is_grave || is_flood || (self.takes_all_stock && !self.by_people) {
            severity = severity.graver();
        }
        if self.by_people && !is_grave {
            severity = severity.milder();
        }
        severity
    }

    fn reasons(&self, start: EventTime, background: &Background<'_>) -> Vec<Reason> {
        let Self { count, summary, threshold, .. } = self;
        let actions = summary.actions();
        let mut reasons = Vec::new();
        if self.is_many {
            let text =
                format!("{count} refused calls within five minutes; {threshold} would have been enough");
            reasons.push(Reason::new("count", text));
        }
        reasons.push(match (&self.expectation, background.quiet_days(start)) {
            (_, Some(days)) => {
                let watched = Plural(days, "day");
                let text = format!("no refusals of it in the {watched} the account was watched before");
                Reason::new("never_before", text)
            }
            (Some(expectation), None) => Reason::new("busiest", expectation.basis(*count)),
            (None, None) => Reason::new("no_history", "no history yet: a fixed threshold decided"),
        });
        if let Some(text) = self.expectation.as_ref().and_then(|e| e.odd_time(*count)) {
            reasons.push(Reason::new("unusual_time", text));
        }
        if actions >= SEVERAL_ACTIONS {
            let services = Plural(summary.services.0.cast_signed(), "service");
            let usual = background.breadth(start).map_or(0, |e| e.expected);
            let text = format!("{actions} different actions of {services}; usual: {usual}");
            reasons.push(Reason::new("distinct_actions", text));
        }
        if self.takes_stock {
            let text =
                format!("{} of {actions} actions only list, describe or get: taking stock", summary.reads.0);
            reasons.push(Reason::new("enumeration", text));
        }
        if self.by_people {
            reasons.push(Reason::new("console", "most calls come from a console session"));
        }
        reasons
    }
}

/// Whether a window of refused calls stands out, and why.
fn call_bar(config: &Config, peak: &Peak<Summary>, background: &Background<'_>) -> Option<Bar> {
    let loud = Loud::of(config, peak, background)?;
    Some(Bar {
        threshold: loud.threshold,
        expected: loud.expectation.as_ref().map(|e| e.expected),
        severity: loud.severity(),
        reasons: loud.reasons(peak.range().start, background),
    })
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
