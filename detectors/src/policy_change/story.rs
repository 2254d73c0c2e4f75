//! Sequences: steps of one actor that come to more than each by itself.
//!
//! | sequence | steps |
//! |---|---|
//! | `rights_and_credentials` | gave a user grave rights, and made credentials for it |
//! | `trust_and_assume` | changed who may assume a role, then assumed it |
//! | `rights_and_role` | gave a role grave rights, then assumed it or handed it to a service |
//! | `denied_changed_allowed` | was refused, changed its own rights or the role's trust, then got through |

use std::collections::BTreeSet;

use crate::detector::{Around, Detector};
use crate::finding::{Anchor, Entity, Evidence, Finding, FindingActor, Reason, Severity};
use crate::ledger::Key;
use crate::policy_change::facts::Remembered;
use crate::policy_change::steps::{SPAN, Step, StepKind};
use crate::policy_change::{Config, PolicyChange};
use crate::time::{EventTime, TimeRange};

/// A sequence found.
struct Story<'s> {
    kind: &'static str,
    severity: Severity,
    said: String,
    mitre: &'static [&'static str],
    steps: Vec<&'s Step>,
}

/// Findings of one actor.
pub(crate) fn actor(
    config: &Config,
    key: &Key,
    facts: &Remembered,
    around: &Around<'_, Remembered>,
    out: &mut Vec<Finding>,
) {
    let steps: Vec<(EventTime, &Step)> = facts.steps.iter().collect();
    let mut told: BTreeSet<(&str, &str, i64)> = BTreeSet::new();
    for (i, (time, step)) in steps.iter().enumerate() {
        let from = steps.partition_point(|(t, _)| *t < time.plus(-SPAN));
        for story in stories(&steps[from..i], step, key) {
            // One a day, sequence and target: loops of a script are one story.
            let first = told.insert((story.kind, &step.target, time.day()));
            if first && around.span.contains(*time) && story.severity >= config.report_from {
                out.push(finding(key, *time, &story));
            }
        }
    }
}

/// The sequences that a step completes.
fn stories<'s>(before: &[(EventTime, &'s Step)], last: &'s Step, key: &Key) -> Vec<Story<'s>> {
    let opener = |kind: StepKind, least: Severity| {
        before
            .iter()
            .rev()
            .map(|(_, step)| *step)
            .find(|step| step.kind == kind && step.target == last.target && step.weight >= least)
    };
    let mut found = Vec::new();
    let mut tell = |kind, severity, mitre, steps: Vec<&'s Step>, said: String| {
        found.push(Story { kind, severity, said, mitre, steps });
    };
    let target = &last.target;
    match last.kind {
        StepKind::Credential => {
            if let Some(rights) = opener(StepKind::Rights, Severity::High) {
                let said = format!("gave {target} grave rights, then made credentials for it");
                tell(
                    "rights_and_credentials",
                    Severity::High,
                    &["T1098.001", "T1098.003"],
                    vec![rights, last],
                    said,
                );
            }
        }
        StepKind::Rights if last.weight >= Severity::High => {
            if let Some(made) = opener(StepKind::Credential, Severity::Informational) {
                let said = format!("made credentials for {target}, then gave it grave rights");
                tell(
                    "rights_and_credentials",
                    Severity::High,
                    &["T1098.001", "T1098.003"],
                    vec![made, last],
                    said,
                );
            }
        }
        StepKind::Assume | StepKind::Pass => {
            let verb = if last.kind == StepKind::Assume { "assumed" } else { "handed to a service" };
            if let Some(trust) = opener(StepKind::Trust, Severity::Informational)
                && last.kind == StepKind::Assume
            {
                let said = format!("changed who may assume {target}, then assumed it");
                tell(
                    "trust_and_assume",
                    Severity::High,
                    &["T1098.003", "T1548.005"],
                    vec![trust, last],
                    said,
                );
            }
            if let Some(rights) = opener(StepKind::Rights, Severity::High) {
                let said = format!("gave {target} grave rights, which it then {verb}");
                tell(
                    "rights_and_role",
                    Severity::High,
                    &["T1098.003", "T1548.005"],
                    vec![rights, last],
                    said,
                );
            }
        }
        _ => {}
    }
    if matches!(last.kind, StepKind::Assume | StepKind::Done)
        && let Some((denied, changed)) = denied_then_changed(before, last, key)
    {
        let said = format!("was refused {target}, changed {}, and got through", changed.target);
        tell(
            "denied_changed_allowed",
            Severity::Medium,
            &["T1098.003", "T1548.005"],
            vec![denied, changed, last],
            said,
        );
    }
    found
}

/// A refusal of what the last step did, and after it a change that can have lifted it: of the role's trust, or of the actor's
/// own rights.
fn denied_then_changed<'s>(
    before: &[(EventTime, &'s Step)],
    last: &Step,
    key: &Key,
) -> Option<(&'s Step, &'s Step)> {
    let own = key.entity.rsplit_once(':').map_or(&*key.entity, |(_, own)| own);
    let (mut denied, mut changed) = (None, None);
    for (_, step) in before {
        match step.kind {
            StepKind::Denied if step.target == last.target => denied = denied.or(Some(*step)),
            StepKind::Trust if step.target == last.target && denied.is_some() => changed = Some(*step),
            StepKind::Rights if *step.target == *own && denied.is_some() => changed = Some(*step),
            // It got through before: nothing new.
            kind if kind == last.kind && step.target == last.target => (denied, changed) = (None, None),
            _ => {}
        }
    }
    denied.zip(changed)
}

fn finding(key: &Key, time: EventTime, story: &Story<'_>) -> Finding {
    let last = story.steps[story.steps.len() - 1];
    let first = story.steps[0];
    let name = key.entity.rsplit(['/', '#', ':']).next().unwrap_or(&key.entity);
    let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
    let reasons = story.steps.iter().map(|step| {
        let Evidence { time, name, source, error_code, .. } = &step.evidence;
        let outcome = error_code.as_ref().map_or(String::new(), |code| format!(", refused with {code}"));
        Reason::new(code(step.kind), format!("{time}: {name} of {source} on {}{outcome}", step.target))
    });
    Finding {
        detector: PolicyChange::NAME,
        kind: story.kind,
        anchor: Anchor::Once(format!("{} {}", last.target, time.day())),
        severity: story.severity,
        title: format!("{name} {}", story.said),
        summary: format!(
            "{} {}. Each step may be ordinary; together they are a known way to more rights. See whether one person meant all of it.",
            key.entity, story.said
        ),
        account: key.account.to_string(),
        region: None,
        actor: Some(FindingActor {
            id: key.entity.to_string(),
            kind: last.actor_kind.name(),
            session: text(&last.evidence.session),
            access_key: text(&last.evidence.access_key),
        }),
        entity: Entity { kind: "actor", id: key.entity.to_string() },
        // Where it is completed: the first step may lie a day back.
        window: TimeRange { start: time, end: time },
        measure: None,
        reasons: reasons.collect(),
        mitre: story.mitre.to_vec(),
        evidence: story.steps.iter().map(|step| step.evidence.clone()).collect(),
        evidence_total: story.steps.len() as u64,
        actors: Vec::new(),
        next_steps: vec![
            format!("Ask the owner of {} whether all of this was meant", key.entity),
            format!(
                "See what it did since: aws cloudtrail lookup-events --start-time {} --lookup-attributes AttributeKey=Username,AttributeValue={name}",
                first.evidence.time
            ),
        ],
        continues: None,
    }
}

fn code(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Rights => "gave_rights",
        StepKind::Trust => "changed_trust",
        StepKind::Denied => "denied",
        StepKind::Credential => "made_credentials",
        StepKind::Assume => "assumed_role",
        StepKind::Pass => "passed_role",
        StepKind::Done => "allowed",
    }
}
