//! A judged change as a finding, in plain words.

use crate::detector::Detector;
use crate::finding::{Anchor, Circumstances, Entity, Finding, FindingActor, Reason, Severity};
use crate::ledger::Key;
use crate::policy_change::PolicyChange;
use crate::policy_change::calls;
use crate::policy_change::condition::clip;
use crate::policy_change::extract::{UNNAMED, holder_name};
use crate::policy_change::facts::{Change, What};
use crate::policy_change::judge::Judged;
use crate::policy_change::next::next_steps;
use crate::policy_change::verdict::Code;
use crate::time::TimeRange;

/// The finding of a change.
pub(crate) fn finding(key: &Key, change: &Change, judged: &Judged, severity: Severity) -> Finding {
    let evidence = &change.evidence;
    let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
    Finding {
        detector: PolicyChange::NAME,
        kind: kind(change),
        anchor: Anchor::Once(format!("{} {}", evidence.event_id, key.entity)),
        severity,
        title: title(change, judged),
        summary: summary(change, judged),
        account: key.account.to_string(),
        region: text(&change.region),
        actor: Some(FindingActor {
            id: change.actor.to_string(),
            kind: change.actor_kind.name(),
            session: text(&evidence.session),
            access_key: text(&evidence.access_key),
        }),
        entity: Entity { kind: calls::kind_of_thing(&change.thing), id: change.id.to_string() },
        window: TimeRange { start: evidence.time, end: evidence.time },
        measure: None,
        reasons: reasons(change, judged),
        mitre: mitre(change, judged),
        evidence: vec![evidence.clone()],
        evidence_total: 1,
        actors: Vec::new(),
        next_steps: next_steps(change, judged),
        continues: None,
    }
}

/// What sort of change it was: part of the finding's id, so it depends on the call alone.
fn kind(change: &Change) -> &'static str {
    match &change.what {
        What::Set(..) | What::Version(..) | What::Default(_) | What::Gone | What::Ended => "policy_document",
        What::Grant(_) | What::Revoke(_) | What::RevokeStatement(_) => "grant",
        What::Attach(_) | What::Detach(_) => "attachment",
        What::Open(_) => "exposure",
        What::Omitted => "omitted_parameters",
        What::Unseen => "attempt",
        What::Switch(row) => calls::switch(change.action, *row).map_or("switch", |row| row.group),
    }
}

fn actor_name(change: &Change) -> &str {
    let id = &*change.actor;
    id.rsplit(['/', '#', ':']).next().filter(|name| !name.is_empty()).unwrap_or(id)
}

/// The subject for people: `role ci-deploy`.
pub(crate) fn subject(change: &Change) -> String {
    match &*change.id {
        UNNAMED => format!("a {} the log does not name", change.thing),
        id => format!("{} {}", change.thing, clip(id)),
    }
}

/// The subject's ARN as far as it can be made from a name, to match patterns of ARNs. Calls name a role without its path, so
/// it is left out.
pub(crate) fn arn_of(change: &Change, account: &str) -> String {
    let (id, region) = (&*change.id, &*change.region);
    if id.starts_with("arn:") {
        return id.to_owned();
    }
    let partition = match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let holder = holder_name(id);
    let last = id.rsplit('/').next().unwrap_or(id);
    let regional =
        |service: &str, name: String| format!("arn:{partition}:{service}:{region}:{account}:{name}");
    match &*change.thing {
        "bucket" | "object" => format!("arn:{partition}:s3:::{id}"),
        // Inline policies are named `HOLDER/POLICY`.
        thing @ ("role" | "user" | "group") => format!("arn:{partition}:iam::{account}:{thing}/{holder}"),
        "policy" => format!("arn:{partition}:iam::{account}:policy/{id}"),
        "function" => regional("lambda", format!("function:{id}")),
        "table" => regional("dynamodb", format!("table/{id}")),
        "secret" => regional("secretsmanager", format!("secret:{id}")),
        "key" => regional("kms", format!("key/{id}")),
        "alias" => regional("kms", id.to_owned()),
        "queue" => regional("sqs", last.to_owned()),
        "topic" => regional("sns", id.to_owned()),
        "trail" => regional("cloudtrail", format!("trail/{id}")),
        "repository" => regional("ecr", format!("repository/{id}")),
        "log group" => regional("logs", format!("log-group:{id}")),
        "database" => regional("rds", format!("db:{id}")),
        "database cluster" => regional("rds", format!("cluster:{id}")),
        "snapshot" if id.starts_with("snap-") => regional("ec2", format!("snapshot/{id}")),
        "snapshot" => regional("rds", format!("snapshot:{id}")),
        "image" => regional("ec2", format!("image/{id}")),
        "security group" => regional("ec2", format!("security-group/{id}")),
        "file system" => regional("elasticfilesystem", format!("file-system/{id}")),
        "backup vault" => regional("backup", format!("backup-vault:{id}")),
        "detector" => regional("guardduty", format!("detector/{id}")),
        _ => String::new(),
    }
}

fn title(change: &Change, judged: &Judged) -> String {
    let Some(verdict) = judged.verdicts.first() else { return subject(change) };
    let actor = actor_name(change);
    let subject = subject(change);
    if !change.succeeded() {
        let failed = format!("Failed {} by {actor}", change.evidence.circumstances.name);
        return match verdict.code {
            Code::Switch => format!("{failed}: {subject}"),
            Code::NetworkAdmin | Code::NetworkPort | Code::NetworkOpen => {
                format!("{failed}, for {subject}: {}", verdict.text)
            }
            code => format!("{failed}, by which {subject} {}", code.title()),
        };
    }
    match verdict.code {
        Code::Switch => format!("{actor} {}", verdict.text),
        Code::NetworkAdmin | Code::NetworkPort | Code::NetworkOpen => {
            format!("{subject}: {} (by {actor})", verdict.text)
        }
        code => format!("{subject} {} (by {actor})", code.title()),
    }
}

fn summary(change: &Change, judged: &Judged) -> String {
    let Circumstances { name, source, source_ip, .. } = &*change.evidence.circumstances;
    let outcome = change
        .evidence
        .error_code
        .as_ref()
        .map_or(String::new(), |code| format!(", which failed with {code}"));
    let changes = if change.succeeded() { "It changes" } else { "It would have changed" };
    let mut text = format!(
        "{} called {name} of {source} from {source_ip}{outcome}. {changes} {}.",
        change.actor,
        subject(change)
    );
    let mut say = |label: &str, lines: &[String]| {
        if !lines.is_empty() {
            text.push_str(&format!(" {label}: {}.", lines.join("; ")));
        }
    };
    say("Added", &judged.added);
    say("Removed", &judged.removed);
    if let Some(note) = &judged.note {
        text.push(' ');
        text.push_str(note);
    }
    text
}

fn reasons(change: &Change, judged: &Judged) -> Vec<Reason> {
    const SHOWN: usize = 8;
    let mut reasons: Vec<Reason> =
        judged.verdicts.iter().take(SHOWN).map(|v| Reason::new(v.code.name(), v.text.clone())).collect();
    if let Some(code) = &change.evidence.error_code {
        reasons.push(Reason::new("attempt", format!("the call failed with {code}: nothing changed")));
    }
    reasons
}

fn mitre(change: &Change, judged: &Judged) -> Vec<&'static str> {
    let mut techniques: Vec<&'static str> =
        judged.verdicts.iter().flat_map(|v| v.code.mitre().iter().copied()).collect();
    if let What::Switch(row) = &change.what
        && let Some(row) = calls::switch(change.action, *row)
    {
        techniques.extend(&row.mitre);
    }
    let mut seen = Vec::new();
    techniques.retain(|t| {
        !seen.contains(t) && {
            seen.push(*t);
            true
        }
    });
    techniques
}
