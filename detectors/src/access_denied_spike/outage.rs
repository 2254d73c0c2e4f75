//! Telling a broken permission from an attack: many actors refused at once, for one cause.

use super::burst::{Bar, Burst, bursts};
use super::changes::Change;
use super::draft::{Draft, Plural};
use super::facts::{FLOOR, Remembered};
use super::grave::Weight;
use super::message::Cause;
use super::observe::{ACCOUNT, CHANGES};
use super::summary::Summary;
use super::{AccessDeniedSpike, Config};
use crate::baseline::{Candidate, Past, Usual};
use crate::detector::Around;
use crate::finding::{Finding, Reason, Severity};
use crate::ledger::{Key, KeyRef};
use crate::time::{DAY, EventTime, HOUR};
use crate::window::Peak;

/// A cause explains a window when it refused at least this share of the calls.
const MAIN_SHARE: f64 = 0.8;

/// Changes told of as reasons: the newest.
const TOLD: usize = 3;

/// The outages of one account.
pub(crate) struct Outage {
    bursts: Vec<Burst>,
}

impl Outage {
    /// Windows of an account in which many actors were refused for one imposed cause, or right after a change.
    pub(crate) fn of_account(config: &Config, account: &str, around: &Around<'_, Remembered>) -> Self {
        let facts = around.others.facts(KeyRef { class: ACCOUNT, account, entity: "" });
        let Some(facts) = facts else { return Self { bursts: Vec::new() } };
        let (peaks, days) = (facts.windows.hours(FLOOR), facts.windows.days());
        let bursts = bursts(&peaks, |peak| {
            let start = peak.range().start;
            let own = Candidate { whose: "the account", days: &days, since: None };
            let past = Past::before(start, &around.environment.learning, Usual::OnTwoDays);
            let expectation = past.expect(&[own]);
            let expected = expectation.as_ref().map(|e| e.expected);
            let threshold = u64::from(config.min_calls).max(config.above(expectation.as_ref()));
            let (cause, share) = peak.summary.main_cause();
            let changes = recent_changes(account, peak.range().end, around);
            // Where AWS gives no cause, a change and more actors must make up for it.
            let least_actors =
                u64::from(config.min_actors_of_outage) * if cause == Cause::Unstated { 2 } else { 1 };
            let is_outage = peak.count >= threshold
                && peak.summary.parties.0 >= least_actors
                && share >= MAIN_SHARE
                && (cause.is_imposed() || !changes.is_empty());
            is_outage.then(|| {
                let basis = expectation.map(|e| Reason::new("busiest", e.basis(peak.count)));
                let reasons = basis
                    .into_iter()
                    .chain(changes.iter().take(TOLD).map(|c| c.as_reason(began(peak))))
                    .collect();
                Bar { threshold, expected, severity: Severity::Medium, reasons }
            })
        });
        Self { bursts }
    }

    /// The burst of one actor is part of an outage and no more: the same cause at the same time, nothing grave, and where AWS
    /// gives no cause, nothing that looks like taking stock.
    pub(crate) fn explains(&self, burst: &Burst) -> bool {
        let cause = burst.summary.main_cause();
        burst.summary.worst() != Some(Weight::Grave)
            && (cause.0 != Cause::Unstated || !burst.bar.has("enumeration"))
            && cause.1 >= MAIN_SHARE
            && self.bursts.iter().any(|outage| {
                outage.summary.main_cause().0 == cause.0
                    && outage.range.start <= burst.range.end
                    && burst.range.start <= outage.until.plus(HOUR)
            })
    }
}

/// When the first known call of a window was made.
fn began(peak: &Peak<Summary>) -> EventTime {
    peak.summary.sample.iter().next().map_or(peak.range().start, |first| first.time)
}

impl Change {
    /// The change as a reason for refusals that began at a moment.
    pub(crate) fn as_reason(&self, began: EventTime) -> Reason {
        let Self { time, actor, action, target, .. } = self;
        let on = if target.is_empty() { String::new() } else { format!(" on {target}") };
        let lead = (began.0 - time.0) / 60;
        let when = if lead > 0 {
            format!("{} before it began", Plural(lead, "minute"))
        } else {
            "as it began".to_owned()
        };
        Reason::new("recent_change", format!("{when}, {actor} called {action}{on}"))
    }
}

/// Changes to permissions of an account or of its organisation in the hour before, newest first.
pub(crate) fn recent_changes(account: &str, end: EventTime, around: &Around<'_, Remembered>) -> Vec<Change> {
    let days = [end, end.plus(-DAY)].map(|time| time.day().to_string());
    let mut changes: Vec<Change> = [account, ""]
        .into_iter()
        .flat_map(|account| days.iter().map(move |entity| KeyRef { class: CHANGES, account, entity }))
        .filter_map(|key| around.others.facts(key))
        .flat_map(|facts| facts.changes.before(end, HOUR).cloned())
        .collect();
    changes.sort_unstable_by(|a, b| b.cmp(a));
    changes
}

impl AccessDeniedSpike {
    /// Outages of an account.
    pub(crate) fn judge_account(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let outages = Outage::of_account(&self.config, &key.account, around).bursts;
        outages
            .into_iter()
            .map(|burst| {
                let title = format!(
                    "account {}: {} refused at once, {} calls in 5 minutes, by {}",
                    key.account,
                    Plural(burst.summary.parties.0.cast_signed(), "actor"),
                    burst.count,
                    burst.summary.main_cause().0
                );
                let (kind, unit, mitre) = ("permissions_outage", "calls in 5 minutes", vec!["T1531"]);
                Draft { key, facts, kind, unit, title, mitre }.finish(burst)
            })
            .collect()
    }
}
