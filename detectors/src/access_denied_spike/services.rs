//! Judging refusals of services: somebody's operations, rarely somebody's attack.

use super::AccessDeniedSpike;
use super::facts::Remembered;
use super::series::{Series, bar};
use crate::detector::Around;
use crate::finding::{Finding, Reason, Severity};
use crate::ledger::Key;

/// Only floods of this many times the floor are told.
const FLOOD: u32 = 10;

impl AccessDeniedSpike {
    /// Refusals of services at work for an actor, and of AWS itself.
    pub(crate) fn judge_services(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let series = Series {
            kind: "service_denied",
            unit: "calls in 5 minutes",
            mitre: &["T1489"],
            what: "calls of AWS services on its behalf refused in 5 minutes",
        };
        series.judge((key, facts), around, |peak, expected| {
            let floor = self.config.min_calls.saturating_mul(FLOOD);
            let threshold = u64::from(floor).max(self.config.above(expected));
            let text =
                "a role or key that a service uses was refused: something is broken rather than probed";
            (peak.count >= threshold).then(|| bar(threshold, Severity::Low, Reason::new("service", text)))
        })
    }
}
