//! Judging failed sign-ins, of a user and from an address.

use super::AccessDeniedSpike;
use super::draft::{Plural, prose};
use super::facts::{FLOOR, Remembered};
use super::observe::SECOND_FACTORS;
use super::series::{GRAVER, Series, bar};
use crate::actor::ActorKind;
use crate::detector::Around;
use crate::finding::{Finding, Reason, Severity};
use crate::ledger::Key;
use crate::time::HOUR;

impl AccessDeniedSpike {
    /// Failed sign-ins of one user, by password or second factor.
    pub(crate) fn judge_sign_ins(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let second_factor = key.class == SECOND_FACTORS;
        let is_root = facts.kinds.0.contains(&ActorKind::Root);
        let series = if second_factor {
            Series {
                kind: "failed_mfa",
                unit: "failures in 5 minutes",
                mitre: &["T1110", "T1621"],
                what: "wrong second factors in 5 minutes",
            }
        } else {
            Series {
                kind: "failed_sign_in",
                unit: "failures in 5 minutes",
                mitre: &["T1110.001"],
                what: "failed sign-ins in 5 minutes",
            }
        };
        let mut found = series.judge((key, facts), around, |peak, expected| {
            let floor = if is_root { FLOOR } else { u64::from(self.config.min_failed_sign_ins) };
            let threshold = floor.max(self.config.above(expected));
            if peak.count < threshold {
                return None;
            }
            let text = if second_factor {
                "the second factor is asked for when the password was right: the password is known to whoever tries"
            } else {
                "passwords are being tried"
            };
            let mut severity = if second_factor { Severity::Medium } else { Severity::Low };
            if peak.count >= threshold * GRAVER {
                severity = severity.graver();
            }
            if is_root {
                severity = severity.max(Severity::High);
            }
            let code = if is_root { "root" } else { "sign_ins" };
            Some(bar(threshold, severity, Reason::new(code, text)))
        });
        for finding in &mut found {
            add_success(finding, facts);
        }
        found
    }

    /// Failed sign-ins from one address.
    pub(crate) fn judge_source_sign_ins(
        &self,
        key: &Key,
        facts: &Remembered,
        around: &Around<'_, Remembered>,
    ) -> Vec<Finding> {
        let series = Series {
            kind: "password_spraying",
            unit: "failures in 5 minutes",
            mitre: &["T1110.003"],
            what: "failed sign-ins from this address in 5 minutes",
        };
        let mut found = series.judge((key, facts), around, |peak, expected| {
            let users = peak.summary.parties.0;
            let is_spread = users >= u64::from(self.config.min_actors_of_address);
            let floor = u64::from(self.config.min_failed_sign_ins) * if is_spread { 1 } else { GRAVER * 2 };
            let threshold = floor.max(self.config.above(expected));
            let text = format!("{} tried from one address", Plural(users.cast_signed(), "user name"));
            let severity = if is_spread { Severity::High } else { Severity::Medium };
            (peak.count >= threshold).then(|| bar(threshold, severity, Reason::new("distinct_users", text)))
        });
        for finding in &mut found {
            if add_success(finding, facts) {
                finding.severity = finding.severity.graver();
            }
        }
        found
    }
}

/// Tells of a sign-in that succeeded during the failures or within an hour after: the guess may have been right.
fn add_success(finding: &mut Finding, facts: &Remembered) -> bool {
    let (start, end) = (finding.window.start, finding.window.end.plus(HOUR));
    let success = facts
        .sign_ins
        .range(start.hour()..=end.hour())
        .flat_map(|(_, successes)| successes.iter())
        .find(|success| start <= success.time && success.time < end);
    let Some(success) = success else { return false };
    let text = format!("a sign-in succeeded at {} from {}", success.time, success.source_ip);
    finding.reasons.push(Reason::new("then_signed_in", text));
    finding.evidence.push(success.clone());
    finding.evidence_total += 1;
    finding.summary = prose(finding);
    true
}
