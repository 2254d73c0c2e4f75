//! How much all that was new within an hour weighs.

use super::Config;
use super::grave::Gravity;
use super::novelty::{Before, Newness, Novelty, Setting, What};
use crate::access_level::AccessLevel;
use crate::actor::ActorKind;
use crate::finding::Severity;
use crate::time::EventTime;

/// What was new in one hour, the heaviest first, each with its points.
pub(super) struct Hour<'f> {
    pub(super) hour: i64,
    /// Only what has points.
    pub(super) novelties: Vec<(u32, Novelty<'f>)>,
    pub(super) score: u32,
    pub(super) threshold: u32,
    /// Whether actor or account was still being learnt.
    pub(super) learning: bool,
    /// Whether the actor is there to deploy new things.
    deploys: bool,
}

impl<'f> Hour<'f> {
    pub(super) fn of(hour: i64, novelties: Vec<Novelty<'f>>, setting: &Setting<'f>, config: &Config) -> Self {
        let start = EventTime::of_hour(hour);
        let maturity = setting.actor_maturity(start).min(setting.account_maturity(start));
        let threshold = config.threshold(maturity);
        let mut weighed: Vec<(u32, Novelty<'f>)> = novelties
            .into_iter()
            .map(|novelty| (points(&novelty, setting), novelty))
            .filter(|(points, _)| *points > 0)
            .collect();
        weighed.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.place().cmp(&y.place())));
        Self {
            hour,
            score: total(&weighed),
            novelties: weighed,
            threshold,
            learning: maturity < 100,
            deploys: setting.deploys(),
        }
    }

    pub(super) fn is_enough(&self) -> bool {
        self.score >= self.threshold
    }

    /// From the score, and from the gravest call that is new to the account or nearly so.
    pub(super) fn severity(&self) -> Severity {
        let by_score = match self.score / self.threshold {
            0 | 1 => Severity::Low,
            2 | 3 => Severity::Medium,
            _ => Severity::High,
        };
        let by_call = self.novelties.iter().filter_map(|(_, n)| severity_of_call(n)).max();
        let blinded = |n: &Novelty<'_>| severity_of_call(n) == Some(Severity::High);
        if self.novelties.iter().filter(|(_, n)| blinded(n)).count() > 1 {
            return Severity::Critical;
        }
        let only_attempts = self.novelties.iter().all(|(_, n)| n.is_attempt());
        let severity = by_call.map_or(by_score, |call| by_score.max(call));
        match by_call {
            _ if only_attempts => severity.min(Severity::Medium),
            None if self.deploys => severity.milder(),
            _ => severity,
        }
    }
}

fn severity_of_call(novelty: &Novelty<'_>) -> Option<Severity> {
    let unusual = matches!(novelty.newness, Newness::Account | Newness::Rare(_));
    match novelty.grave()?.gravity {
        Gravity::Critical if unusual && !novelty.is_attempt() => Some(Severity::High),
        Gravity::Critical => Some(Severity::Medium),
        Gravity::High if novelty.newness == Newness::Account => Some(Severity::Medium),
        Gravity::High | Gravity::Medium => None,
    }
}

/// Sorts of novelties of which many together are still no more than this: somebody exploring or deploying.
fn cap(novelty: &Novelty<'_>) -> Option<(usize, u32)> {
    match novelty.what {
        What::Action(_, Some(_)) | What::Attempt(_, Some(_)) => None,
        What::Action(level, None) | What::Attempt(level, None) => match level {
            AccessLevel::List | AccessLevel::Read => Some((0, 4)),
            AccessLevel::Permissions if manages_identities(novelty.name) => None,
            AccessLevel::Tagging | AccessLevel::Write | AccessLevel::Permissions => Some((1, 20)),
        },
        What::Role => Some((2, 16)),
        What::Region => Some((3, 40)),
        What::Network(_) => Some((4, 8)),
        What::Client => Some((5, 3)),
        What::FirstChange | What::SignIn => None,
    }
}

fn total(weighed: &[(u32, Novelty<'_>)]) -> u32 {
    let mut capped = [0u32; 6];
    let mut sum = 0u32;
    for (points, novelty) in weighed {
        let added = match cap(novelty) {
            Some((sort, most)) => {
                let added = (*points).min(most.saturating_sub(capped[sort]));
                capped[sort] += added;
                added
            }
            None => *points,
        };
        sum = sum.saturating_add(added);
    }
    sum
}

/// The points of one novelty: what it is, times how new it is.
fn points(novelty: &Novelty<'_>, setting: &Setting<'_>) -> u32 {
    let is_root = setting.kind == ActorKind::Root;
    let learnt = !setting.learns_actor(novelty.time());
    let base = match novelty.what {
        What::Action(_, Some(grave)) | What::Attempt(_, Some(grave)) => match grave.gravity {
            Gravity::Medium => 12,
            Gravity::High => 25,
            Gravity::Critical => 40,
        },
        What::Region if novelty.newness != Newness::Actor => 15,
        // Of an actor that is still being learnt everything is new: only what is grave counts.
        _ if !learnt => 0,
        What::Action(level, None) => match level {
            AccessLevel::List | AccessLevel::Read => 1,
            AccessLevel::Tagging => 2,
            AccessLevel::Write => 4,
            AccessLevel::Permissions if manages_identities(novelty.name) => 16,
            AccessLevel::Permissions => 6,
        },
        What::Attempt(level, None) => match level {
            AccessLevel::List | AccessLevel::Read => 0,
            AccessLevel::Permissions if manages_identities(novelty.name) => 8,
            AccessLevel::Tagging | AccessLevel::Write | AccessLevel::Permissions => 2,
        },
        What::FirstChange => 12,
        What::Role if is_mighty(novelty.name) => 12,
        What::Role if setting.is_foreign(novelty.name) => 8,
        What::Role => 4,
        What::Region => 6,
        What::Network(known) if known <= 3 => 8,
        What::Network(_) => 3,
        What::SignIn => 20,
        What::Client => 3,
    };
    // The longer the account is known, the more it says that something is new there.
    let maturity = setting.account_maturity(novelty.time());
    let percent = match novelty.newness {
        Newness::Account | Newness::Rare(0) => 100 + maturity,
        Newness::Rare(_) => 100 + maturity / 2,
        Newness::Actor => 100,
        Newness::Siblings => 50,
    };
    let percent = if is_root { percent * 2 } else { percent };
    let percent = if matches!(novelty.before, Before::Forgotten(_)) { percent * 3 / 4 } else { percent };
    // A service did it in the actor's name: CloudFormation, a console's backend.
    let through_service = novelty.evidence.source_ip.ends_with(".amazonaws.com");
    let percent = if through_service { percent / 2 } else { percent };
    base * percent / 100
}

/// Whether a call belongs to a service that says who may do what in the whole account; others manage the permissions of one
/// resource, and AWS counts so innocent a call as creating a queue among those.
fn manages_identities(label: &str) -> bool {
    let service = label.split(':').next().unwrap_or(label);
    matches!(
        service,
        "iam" | "identitystore" | "organizations" | "rolesanywhere" | "sso" | "sso-directory" | "sts"
    )
}

/// Roles whose name says that they may do nearly everything: AWS's own for the accounts of an organisation, and what
/// administrators are called.
pub(super) fn is_mighty(role_arn: &str) -> bool {
    let name = role_arn.rsplit('/').next().unwrap_or(role_arn);
    matches!(name, "OrganizationAccountAccessRole" | "AWSControlTowerExecution" | "stacksets-exec")
        || ["admin", "breakglass", "break-glass", "poweruser"]
            .iter()
            .any(|word| name.as_bytes().windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes())))
}
