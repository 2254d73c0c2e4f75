//! Judging refused calls of several actors from one address.

use super::AccessDeniedSpike;
use super::draft::Plural;
use super::facts::Remembered;
use super::grave::Weight;
use super::series::{Series, bar};
use crate::detector::Around;
use crate::finding::{Finding, Reason, Severity};
use crate::ledger::Key;

impl AccessDeniedSpike {
    /// Refused calls from one address by several actors.
    pub(crate) fn judge_source_calls(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let series = Series {
            kind: "credential_probing",
            unit: "calls in 5 minutes",
            mitre: &["T1078.004", "T1580"],
            what: "refused calls from this address in 5 minutes",
        };
        series.judge((key, facts), around, |peak, expected| {
            let summary = &peak.summary;
            let (cause, share) = summary.main_cause();
            let threshold = u64::from(self.config.min_calls).max(self.config.above(expected));
            let is_outage = cause.is_imposed() && share > 0.5;
            let actors = summary.parties.0;
            if peak.count < threshold || actors < u64::from(self.config.min_actors_of_address) || is_outage {
                return None;
            }
            let is_grave = summary.worst() == Some(Weight::Grave);
            let severity = if is_grave { Severity::High } else { Severity::Medium };
            let text = format!("{} refused from one address", Plural(actors.cast_signed(), "actor"));
            Some(bar(threshold, severity, Reason::new("distinct_actors", text)))
        })
    }
}
