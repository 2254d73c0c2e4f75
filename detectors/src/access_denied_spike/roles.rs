//! Judging roles that an actor tried to take on and was not given.

use super::AccessDeniedSpike;
use super::draft::{Plural, short_name};
use super::facts::Remembered;
use super::observe::CHANGES;
use super::series::{GRAVER, Series, bar};
use super::summary::Summary;
use crate::detector::Around;
use crate::finding::{Finding, Reason, Severity};
use crate::ledger::{Key, KeyRef};
use crate::time::{DAY, EventTime, MINUTE};
use crate::window::Peak;

/// For so long after its making a role may be refused to those it trusts: IAM is eventually consistent.
const CONSISTENT_AFTER: i64 = 20 * MINUTE;

impl AccessDeniedSpike {
    /// Roles that an actor tried to take on and was not given.
    pub(crate) fn judge_roles(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let config = &self.config;
        let series = Series {
            kind: "role_denied",
            unit: "calls in 5 minutes",
            mitre: &["T1078.004", "T1548.005"],
            what: "refused attempts to take on roles in 5 minutes",
        };
        series.judge((key, facts), around, |peak, expected| {
            let (fresh, fresh_calls) = fresh_roles(peak, around);
            let count = peak.count.saturating_sub(fresh_calls);
            // There are no more roles than calls, though both may be estimates.
            let roles = peak.summary.parties.0.min(peak.count).saturating_sub(fresh);
            let many_roles = u64::from(config.min_actions).max(config.above(expected));
            let threshold = u64::from(config.min_calls_of_one_action).max(config.above(expected));
            if roles >= many_roles {
                let text = format!("{} were tried: probing", Plural(roles.cast_signed(), "different role"));
                let severity = if roles >= many_roles * GRAVER { Severity::High } else { Severity::Medium };
                Some(bar(many_roles, severity, Reason::new("distinct_roles", text)))
            } else if count >= threshold {
                let text = format!("{count} refusals; {threshold} would have been enough");
                Some(bar(threshold, Severity::Low, Reason::new("count", text)))
            } else {
                None
            }
        })
    }
}

/// How many of a window's roles are too new for everybody to know their trust, and the calls that asked for them.
fn fresh_roles(peak: &Peak<Summary>, around: &Around<'_, Remembered>) -> (u64, u64) {
    let range = peak.range();
    let is_fresh = |role: &str| {
        let account = crate::actor::account_of_arn(role);
        let made_on = |time: EventTime| {
            let entity = time.day().to_string();
            let facts = around.others.facts(KeyRef { class: CHANGES, account, entity: &entity });
            facts.is_some_and(|f| f.changes.is_fresh_role(short_name(role), range.end, CONSISTENT_AFTER))
        };
        made_on(range.end) || made_on(range.end.plus(-DAY))
    };
    peak.summary
        .named
        .iter()
        .filter(|(role, _)| is_fresh(role))
        .fold((0, 0), |(roles, calls), (_, count)| (roles + 1, calls + count.0))
}
