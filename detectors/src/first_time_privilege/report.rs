//! An hour of novelties as a finding.

use super::facts::{Remembered, chain_key};
use super::novelty::{Before, Newness, Novelty, Setting, What};
use super::score::Hour;
use crate::actor::ActorKind;
use crate::chain;
use crate::detector::Lookup;
use crate::finding::{Anchor, Entity, Evidence, Finding, FindingActor, Measure, Reason};
use crate::story;
use crate::time::{DAY, TimeRange};

/// Evidence in one finding at most.
const MAX_EVIDENCE: usize = 10;
/// Novelties named one by one at most.
const MAX_NAMED: usize = 12;

/// The finding of an hour.
pub(super) fn finding(
    hour: &Hour<'_>,
    setting: &Setting<'_>,
    others: &dyn Lookup<Remembered>,
) -> Option<Finding> {
    let (_, heaviest) = hour.novelties.first()?;
    let times = hour.novelties.iter().map(|(_, n)| n.time());
    let window = TimeRange { start: times.clone().min()?, end: times.max()? };
    let evidence = evidence(hour);
    let lead = &evidence.first()?;
    let mut reasons: Vec<Reason> = hour.novelties.iter().take(MAX_NAMED).map(|(_, n)| reason(n)).collect();
    if hour.novelties.len() > MAX_NAMED {
        let more = hour.novelties.len() - MAX_NAMED;
        reasons.push(Reason::new("more", format!("and {more} more, each less dangerous than these")));
    }
    if hour.learning {
        reasons.push(Reason::new(
            "learning",
            "the actor or its account is still being learnt: more points are needed, the younger it is",
        ));
    }
    let links = |key: &str| others.facts(chain_key(key)).and_then(Remembered::link);
    if let Some(root) = chain::root(links, &lead.access_key, lead.time) {
        reasons.push(Reason::new(story::ROOT, root.to_string()));
    }
    Some(Finding {
        detector: super::NAME,
        kind: "first_use",
        anchor: Anchor::Hour(hour.hour),
        severity: hour.severity(),
        title: title(hour, setting, heaviest),
        summary: summary(hour, setting),
        account: setting.key.account.to_string(),
        region: None,
        actor: Some(FindingActor {
            id: setting.key.entity.to_string(),
            kind: setting.kind.name(),
            session: some(&lead.session),
            access_key: some(&lead.access_key),
        }),
        entity: Entity { kind: "actor", id: setting.key.entity.to_string() },
        window,
        measure: Some(Measure {
            observed: hour.score.into(),
            expected: None,
            threshold: hour.threshold.into(),
            unit: "points for what is new within an hour",
        }),
        reasons,
        mitre: mitre(hour),
        evidence_total: hour.novelties.len() as u64,
        next_steps: next_steps(setting, lead),
        evidence,
        actors: Vec::new(),
        continues: None,
    })
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// What justifies the finding: grave calls alone where they suffice, else the heaviest novelties.
fn evidence(hour: &Hour<'_>) -> Vec<Evidence> {
    let grave: u32 =
        hour.novelties.iter().filter(|(_, n)| n.grave().is_some()).map(|(points, _)| points).sum();
    let only_grave = grave >= hour.threshold;
    let mut evidence: Vec<Evidence> = Vec::new();
    for (_, novelty) in hour.novelties.iter().filter(|(_, n)| !only_grave || n.grave().is_some()) {
        // One event may bring several novelties.
        if evidence.len() < MAX_EVIDENCE && evidence.iter().all(|e| e.event_id != novelty.evidence.event_id) {
            evidence.push(novelty.evidence.clone());
        }
    }
    evidence
}

fn title(hour: &Hour<'_>, setting: &Setting<'_>, heaviest: &Novelty<'_>) -> String {
    let others = match hour.novelties.len() - 1 {
        0 => String::new(),
        1 => " and one more thing".to_owned(),
        n => format!(" and {n} more things"),
    };
    let how_new = match heaviest.before {
        Before::Once(_) if others.is_empty() => "for the second time ever",
        Before::Once(_) => "for the first or second time",
        Before::Never | Before::Forgotten(_) => "for the first time",
    };
    format!("{}: {}{others} {how_new}", setting.display_name, phrase(heaviest))
}

fn phrase(novelty: &Novelty<'_>) -> String {
    let name = novelty.name;
    match novelty.what {
        What::Action(..) => name.to_owned(),
        What::Attempt(..) => format!("{name} (failed)"),
        What::FirstChange => format!("a change ({name})"),
        What::Role => format!("role {}", name.rsplit('/').next().unwrap_or(name)),
        What::Region => format!("changes in {name}"),
        What::Network(_) => format!("calls from {name}"),
        What::SignIn => format!("access by {name}"),
        What::Client => format!("calls with {name}"),
    }
}

fn summary(hour: &Hour<'_>, setting: &Setting<'_>) -> String {
    let age = hour.novelties.iter().map(|(_, n)| n.time()).min().map_or(0, |t| (t.0 - setting.born.0) / DAY);
    let known = match age {
        0 => "was first seen the same day".to_owned(),
        1 => "has been known for a day".to_owned(),
        days => format!("has been known for {days} days"),
    };
    let effects: Vec<String> = hour
        .novelties
        .iter()
        .filter_map(|(_, n)| {
            let tried = if n.is_attempt() { " (tried, and failed)" } else { "" };
            Some(format!("{} {}{tried}", n.name, n.grave()?.effect))
        })
        .take(3)
        .collect();
    let grave = if effects.is_empty() { String::new() } else { format!(" {}.", effects.join("; ")) };
    format!(
        "{} {known} and within one hour did {} that it had not done before.{grave} Ask its owner whether this was meant; \
         look first at the calls listed as evidence, then at all else the same session did.",
        setting.key.entity,
        match hour.novelties.len() {
            1 => "one thing".to_owned(),
            n => format!("{n} things"),
        },
    )
}

fn reason(novelty: &Novelty<'_>) -> Reason {
    let name = novelty.name;
    let code = match novelty.what {
        What::Action(..) => "first_action",
        What::Attempt(..) => "first_attempt",
        What::FirstChange => "first_change",
        What::Role => "first_role",
        What::Region => "first_region",
        What::Network(_) => "first_network",
        What::SignIn => "first_sign_in",
        What::Client => "first_client",
    };
    let newness = match (novelty.what, novelty.newness) {
        (What::Action(..) | What::Attempt(..) | What::Region, Newness::Account) => {
            ", which nobody in the account did before"
        }
        (What::Region, Newness::Rare(_)) => ", where the account changed something on one day only before",
        (What::Action(..) | What::Attempt(..), Newness::Rare(0)) => {
            ", which nobody else in the account did before"
        }
        (What::Action(..) | What::Attempt(..), Newness::Rare(1)) => {
            ", which one other in the account did before"
        }
        (What::Action(..) | What::Attempt(..), Newness::Rare(_)) => {
            ", which few others in the account did before"
        }
        (What::Action(..) | What::Attempt(..), Newness::Siblings) => ", which its siblings do",
        _ => "",
    };
    let (use_of, change) = match novelty.before {
        Before::Once(_) => ("use of", "change"),
        Before::Never | Before::Forgotten(_) => ("first use of", "first change"),
    };
    let what = match novelty.what {
        What::Action(level, None) => format!("{use_of} {name} ({})", level.title()),
        What::Action(_, Some(grave)) => format!("{use_of} {name}, which {}", grave.effect),
        What::Attempt(_, None) => format!("first attempt at {name}{}", failure(novelty)),
        What::Attempt(_, Some(grave)) => {
            format!("first attempt at {name}, which {}{}", grave.effect, failure(novelty))
        }
        What::FirstChange => format!("first change ever ({name}): it had only read before"),
        What::Role => format!("first session in {name}"),
        What::Region => format!("{change} in {name}"),
        What::Network(_) => format!("first call from {name}"),
        What::SignIn => format!("first access by {name}"),
        What::Client => format!("first call with {name}"),
    };
    let date = |time: crate::time::EventTime| time.to_string().get(..10).unwrap_or_default().to_owned();
    let before = match novelty.before {
        Before::Never => String::new(),
        Before::Forgotten(last) => format!("; last before on {}", date(last)),
        Before::Once(once) => format!("; only on {} before", date(once)),
    };
    Reason::new(code, format!("{what}{newness}{before}"))
}

fn failure(novelty: &Novelty<'_>) -> String {
    novelty.evidence.error_code.as_deref().map_or(String::new(), |code| format!(" ({code})"))
}

/// Techniques of the grave calls; valid accounts where there is none.
fn mitre(hour: &Hour<'_>) -> Vec<&'static str> {
    let mut techniques: Vec<&'static str> = Vec::new();
    for technique in hour.novelties.iter().filter_map(|(_, n)| Some(n.grave()?.technique)) {
        if !techniques.contains(&technique) {
            techniques.push(technique);
        }
    }
    if techniques.is_empty() {
        techniques.push("T1078.004");
    }
    techniques
}

fn next_steps(setting: &Setting<'_>, lead: &Evidence) -> Vec<String> {
    let mut steps = Vec::new();
    if is_plain(&lead.access_key) {
        steps.push(format!(
            "See all the session did: aws cloudtrail lookup-events --lookup-attributes \
             AttributeKey=AccessKeyId,AttributeValue={} --start-time {}",
            lead.access_key,
            lead.time.plus(-DAY),
        ));
    }
    let name = setting.key.entity.split('#').next().and_then(|id| id.rsplit('/').next()).unwrap_or_default();
    match setting.kind {
        ActorKind::User
            if is_plain(name) && lead.access_key.starts_with("AKIA") && is_plain(&lead.access_key) =>
        {
            steps.push(format!(
                "If it was not meant, turn the key off: aws iam update-access-key --user-name {name} \
                 --access-key-id {} --status Inactive",
                lead.access_key,
            ));
        }
        ActorKind::User if is_plain(name) => {
            steps.push(format!(
                "If it was not meant, take the password away: aws iam delete-login-profile --user-name {name}"
            ));
        }
        ActorKind::Role if is_plain(name) => {
            steps.push(format!(
                "If it was not meant, end the role's sessions: aws iam put-role-policy --role-name {name} \
                 --policy-name EndOlderSessions --policy-document '{{\"Version\":\"2012-10-17\",\"Statement\":[{{\
                 \"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{{\"DateLessThan\":{{\
                 \"aws:TokenIssueTime\":\"'$(date -u +%FT%TZ)'\"}}}}}}]}}'",
            ));
        }
        ActorKind::IdentityCenterUser => {
            steps.push("If it was not meant, end the person's sessions in IAM Identity Center and reset the password.".to_owned());
        }
        ActorKind::Root => {
            steps.push("Ask who holds the root user's mailbox and second factor; change the password if nobody did this.".to_owned());
        }
        _ => {}
    }
    steps.push(format!(
        "If it was meant and will come again, there is nothing to do: it is known for {} from now on.",
        setting.display_name,
    ));
    steps
}

/// What can stand in a command unquoted. Names in a log are data, and may have been chosen by an attacker.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
}
