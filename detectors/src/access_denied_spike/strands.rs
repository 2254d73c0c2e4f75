//! Judging the other strands: roles not given, services refused, and addresses.

use super::AccessDeniedSpike;
use super::draft::{Plural, short_name};
use super::facts::{Remembered, Summary};
use super::grave::Weight;
use super::observe::CHANGES;
use super::strand::{GRAVER, Strand, bar};
use crate::detector::Around;
use crate::finding::{Finding, Reason, Severity};
use crate::ledger::{Key, KeyRef};
use crate::time::{DAY, EventTime, MINUTE};
use crate::window::Peak;

/// For so long after its making a role may be refused to those it trusts: IAM is eventually consistent.
const CONSISTENT_AFTER: i64 = 20 * MINUTE;
/// Refusals of services are operations' business: only floods of this many times the floor are told.
const SERVICE_FLOOD: u32 = 10;
impl AccessDeniedSpike {
    /// Roles that an actor tried to take on and was not given.
    pub(crate) fn judge_roles(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let config = &self.config;
        let strand = Strand {
            kind: "role_denied",
            unit: "calls in 5 minutes",
            mitre: &["T1078.004", "T1548.005"],
            what: "refused attempts to take on roles in 5 minutes",
        };
        strand.judge((key, facts), around, |peak, expected| {
            let (fresh, fresh_calls) = fresh_roles(peak, around);
            let count = peak.count.saturating_sub(fresh_calls);
            let roles = peak.summary.parties.0.saturating_sub(fresh);
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

    /// Refusals of services at work for an actor, and of AWS itself.
    pub(crate) fn judge_services(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let strand = Strand {
            kind: "service_denied",
            unit: "calls in 5 minutes",
            mitre: &[],
            what: "calls of AWS services on its behalf refused in 5 minutes",
        };
        strand.judge((key, facts), around, |peak, expected| {
            let floor = self.config.min_calls.saturating_mul(SERVICE_FLOOD);
            let threshold = u64::from(floor).max(self.config.above(expected));
            let text =
                "a role or key that a service uses was refused: something is broken rather than probed";
            (peak.count >= threshold).then(|| bar(threshold, Severity::Low, Reason::new("service", text)))
        })
    }

    /// Refused calls from one address by several actors.
    pub(crate) fn judge_source_calls(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let strand = Strand {
            kind: "credential_probing",
            unit: "calls in 5 minutes",
            mitre: &["T1078.004", "T1580"],
            what: "refused calls from this address in 5 minutes",
        };
        strand.judge((key, facts), around, |peak, expected| {
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
