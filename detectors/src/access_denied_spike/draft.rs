//! Findings in words.

use std::fmt;

use super::burst::Burst;
use super::facts::Remembered;
use super::observe::{ACCOUNT, SOURCE_CALLS, SOURCE_SIGN_INS};
use super::summary::Summary;
use crate::actor::ActorKind;
use crate::detector::Detector as _;
use crate::finding::{Anchor, Entity, Finding, FindingActor, Measure, Reason, Severity, Share};
use crate::ledger::Key;
use crate::time::TimeRange;

/// A number of things: `1 day`, `3 days`.
pub(crate) struct Plural(pub(crate) i64, pub(crate) &'static str);

impl fmt::Display for Plural {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        write!(f, "{count} {noun}{}", if *count == 1 { "" } else { "s" })
    }
}

/// The part of an actor's id that people know it by.
pub(crate) fn short_name(id: &str) -> &str {
    id.rsplit(['/', '#']).next().unwrap_or(id)
}

/// A word that is safe in a command line, or a placeholder: names in logs are chosen by others.
fn word(text: &str) -> &str {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain) { text } else { "NAME" }
}

/// What a finding says beside what its window tells by itself.
pub(crate) struct Draft<'a> {
    pub(crate) key: &'a Key,
    pub(crate) facts: &'a Remembered,
    pub(crate) kind: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) title: String,
    pub(crate) mitre: Vec<&'static str>,
}

impl Draft<'_> {
    /// The finding of a burst.
    pub(crate) fn finish(self, burst: Burst) -> Finding {
        let Burst { hour, range, count, summary, bar, escalates, .. } = burst;
        let mut reasons = bar.reasons;
        reasons.extend(self.told_by(&summary));
        let measure = Measure {
            observed: count as f64,
            expected: bar.expected.map(|e| e as f64),
            threshold: bar.threshold as f64,
            unit: self.unit,
        };
        let mut finding = self.finding(range, bar.severity, reasons, &summary);
        finding.anchor = Anchor::Hour(hour);
        finding.measure = Some(measure);
        // A burst of two windows shows evidence of both, and counts the busier.
        finding.evidence_total = count.max(finding.evidence.len() as u64);
        if let Some(hour) = escalates {
            let known = Finding { anchor: Anchor::Hour(hour), ..finding.clone() };
            finding.continues = Some(known.id());
            finding.reasons.push(Reason::new("escalation", "several times what was told before"));
        }
        finding.summary = prose(&finding);
        finding
    }

    /// A finding about this window, not yet measured.
    pub(crate) fn finding(
        self,
        window: TimeRange,
        severity: Severity,
        reasons: Vec<Reason>,
        summary: &Summary,
    ) -> Finding {
        let Self { key, facts, kind, title, mut mitre, .. } = self;
        mitre.sort_unstable();
        mitre.dedup();
        let is_actor = !matches!(key.class, ACCOUNT | SOURCE_CALLS | SOURCE_SIGN_INS);
        let entity = match key.class {
            ACCOUNT => Entity { kind: "account", id: key.account.to_string() },
            SOURCE_CALLS | SOURCE_SIGN_INS => Entity { kind: "address", id: key.entity.to_string() },
            _ => Entity { kind: "actor", id: key.entity.to_string() },
        };
        let evidence = summary.evidence();
        let actor = is_actor.then(|| {
            let first = |part: fn(&crate::Evidence) -> &str| {
                evidence.iter().map(part).find(|text| !text.is_empty()).map(str::to_owned)
            };
            FindingActor {
                id: key.entity.to_string(),
                kind: facts.kinds.0.first().copied().unwrap_or(ActorKind::Unknown).name(),
                session: first(|e| &e.session),
                access_key: first(|e| &e.access_key),
            }
        });
        let account = match &*key.account {
            "" => summary.accounts.only().map(ToString::to_string).unwrap_or_default(),
            account => account.to_owned(),
        };
        let next_steps = next_steps(actor.as_ref(), &entity, &window, summary);
        Finding {
            detector: super::AccessDeniedSpike::NAME,
            kind,
            anchor: Anchor::Hour(window.start.hour()),
            severity,
            title,
            summary: String::new(),
            account,
            region: summary.regions.only().map(ToString::to_string),
            actor,
            entity,
            window,
            measure: None,
            reasons,
            mitre,
            evidence_total: evidence.len() as u64,
            evidence,
            actors: if is_actor { Vec::new() } else { shares(summary) },
            next_steps,
            continues: None,
        }
    }

    /// Reasons that a window tells by itself.
    fn told_by(&self, summary: &Summary) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let grave: Vec<String> =
            summary.grave_calls().map(|(label, call)| format!("{label} ({})", call.does)).collect();
        if !grave.is_empty() {
            reasons.push(Reason::new("grave_calls", format!("among them: {}", grave.join(", "))));
        }
        let (cause, share) = summary.main_cause();
        if cause != super::message::Cause::Unstated {
            let mut text = format!("{:.0} % refused by {cause}", share * 100.0);
            for (policy, ()) in summary.policies.iter() {
                text.push_str(": ");
                text.push_str(policy);
            }
            reasons.push(Reason::new("root_cause", text));
        }
        reasons
    }
}

/// What happened, why it is unusual, what to look at first.
pub(crate) fn prose(finding: &Finding) -> String {
    let mut prose = format!("{}.", finding.title);
    for Reason { text, .. } in &finding.reasons {
        let mut letters = text.chars();
        if let Some(first) = letters.next() {
            prose.push(' ');
            prose.extend(first.to_uppercase());
            prose.push_str(letters.as_str());
            prose.push('.');
        }
    }
    prose.push_str(match finding.entity.kind {
        "address" => " Look first at what succeeded from this address.",
        "account" => " Look first at the policy, not at the actors.",
        _ => " Look first at what it was allowed at the same time.",
    });
    prose
}

/// The parties kept by name, the largest share first.
fn shares(summary: &Summary) -> Vec<Share> {
    let mut shares: Vec<Share> =
        summary.named.iter().map(|(id, count)| Share { id: id.to_string(), count: count.0 }).collect();
    shares.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.id.cmp(&b.id)));
    shares
}

fn next_steps(
    actor: Option<&FindingActor>,
    entity: &Entity,
    window: &TimeRange,
    summary: &Summary,
) -> Vec<String> {
    let mut steps = Vec::new();
    let lookup = |key: &str, value: &str| {
        format!(
            "aws cloudtrail lookup-events --start-time {} --end-time {} --lookup-attributes AttributeKey={key},AttributeValue={}",
            window.start.plus(-3_600),
            window.end.plus(3_600),
            word(value)
        )
    };
    if let Some(actor) = actor {
        let name = word(short_name(&actor.id));
        let what_else = match &actor.access_key {
            Some(key) => lookup("AccessKeyId", key),
            None => lookup("Username", actor.session.as_deref().unwrap_or(short_name(&actor.id))),
        };
        steps.push(format!("See what else it did, above all what succeeded: {what_else}"));
        match (actor.kind, &actor.access_key) {
            ("IAMUser", Some(key)) => steps.push(format!(
                "If nobody answers for it, stop the key: aws iam update-access-key --user-name {name} --access-key-id {} --status Inactive",
                word(key)
            )),
            ("IAMUser", None) => {
                steps.push(format!("Ask {name}; if in doubt: aws iam delete-login-profile --user-name {name}"));
            }
            ("AssumedRole", _) => steps.push(format!(
                "Find out who may take on the role: aws iam get-role --role-name {name}; if nobody answers for the calls, revoke its sessions (IAM console, the role's Revoke sessions)"
            )),
            ("IdentityCenterUser", _) => steps.push(format!(
                "Ask {name}; if in doubt, end the person's sessions in IAM Identity Center"
            )),
            _ => {}
        }
    } else if entity.kind == "address" {
        steps.push(format!(
            "See who else came from {}: filter the trail by sourceIPAddress, successes first",
            word(&entity.id)
        ));
        steps.push("Check whether any of the actors signed in or succeeded from it afterwards; replace their credentials if so".to_owned());
    }
    if entity.kind == "account" {
        steps.push(format!("See what was changed before: {}", lookup("ReadOnly", "false")));
    }
    if let Some((policy, ())) = summary.policies.iter().next() {
        let step = match policy.rsplit_once("/p-") {
            Some((_, id)) if policy.contains(":organizations:") => {
                format!("Read the policy: aws organizations describe-policy --policy-id p-{}", word(id))
            }
            _ => format!("Read the policy: aws iam get-policy --policy-arn {}", word(policy)),
        };
        steps.push(step);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_reach_a_command_line() {
        for (text, safe) in [
            ("ci-deploy", "ci-deploy"),
            ("kim@example.org", "kim@example.org"),
            ("$(reboot)", "NAME"),
            ("a b", "NAME"),
            ("--profile", "NAME"),
            ("", "NAME"),
            ("kïm", "NAME"),
        ] {
            assert_eq!(word(text), safe);
        }
    }
}
