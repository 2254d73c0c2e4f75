//! A judged change as a finding, in plain words.

use crate::detector::Detector;
use crate::finding::{Anchor, Entity, Evidence, Finding, FindingActor, Reason, Severity};
use crate::ledger::Key;
use crate::policy_change::PolicyChange;
use crate::policy_change::calls;
use crate::policy_change::condition::clip;
use crate::policy_change::extract::UNNAMED;
use crate::policy_change::facts::{Change, What};
use crate::policy_change::judge::Judged;
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
        What::Set(..) | What::Version(..) | What::Default(_) | What::Gone => "policy_document",
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

/// The subject's ARN as far as it can be made from a name, to match patterns of ARNs.
pub(crate) fn arn_of(change: &Change) -> String {
    match &*change.thing {
        "bucket" | "object" => format!("arn:aws:s3:::{}", change.id),
        _ => String::new(),
    }
}

fn title(change: &Change, judged: &Judged) -> String {
    let Some(verdict) = judged.verdicts.first() else { return subject(change) };
    let actor = actor_name(change);
    let attempt = if change.succeeded() { "" } else { "Failed attempt: " };
    match verdict.code {
        Code::Switch => format!("{attempt}{actor} {}", verdict.text),
        Code::NetworkAdmin | Code::NetworkPort | Code::NetworkOpen => {
            format!("{attempt}{}: {} (by {actor})", subject(change), verdict.text)
        }
        code => format!("{attempt}{} {} (by {actor})", subject(change), code.title()),
    }
}

fn summary(change: &Change, judged: &Judged) -> String {
    let Evidence { name, source, source_ip, .. } = &change.evidence;
    let outcome = change
        .evidence
        .error_code
        .as_ref()
        .map_or(String::new(), |code| format!(", which failed with {code}"));
    let mut text = format!(
        "{} called {name} of {source} from {source_ip}{outcome}. It changes {}.",
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

/// What to do first, with the command that shows or undoes it.
fn next_steps(change: &Change, judged: &Judged) -> Vec<String> {
    let id =
        if &*change.id == UNNAMED { format!("<{}>", change.thing.to_uppercase()) } else { clip(&change.id) };
    let (head, tail) = id.split_once('/').unwrap_or((&id, ""));
    let look = match (&*change.thing, &change.what) {
        ("role", What::Attach(_) | What::Detach(_)) => {
            format!("aws iam list-attached-role-policies --role-name {id}")
        }
        ("user", What::Attach(_) | What::Detach(_)) => {
            format!("aws iam list-attached-user-policies --user-name {id}")
        }
        ("group", What::Attach(_) | What::Detach(_)) => {
            format!("aws iam list-attached-group-policies --group-name {id}")
        }
        ("role", _) if !tail.is_empty() => {
            format!("aws iam get-role-policy --role-name {head} --policy-name {tail}")
        }
        ("user", _) if !tail.is_empty() => {
            format!("aws iam get-user-policy --user-name {head} --policy-name {tail}")
        }
        ("group", _) if !tail.is_empty() => {
            format!("aws iam get-group-policy --group-name {head} --policy-name {tail}")
        }
        ("role", _) => format!("aws iam get-role --role-name {id}"),
        ("user", _) => format!("aws iam list-access-keys --user-name {id}"),
        ("policy", _) => format!("aws iam list-policy-versions --policy-arn {id}"),
        ("bucket", _) => {
            format!("aws s3api get-bucket-policy --bucket {id}; aws s3api get-bucket-acl --bucket {id}")
        }
        ("object", _) => format!("aws s3api get-object-acl --bucket {head} --key {tail}"),
        ("key", _) => format!("aws kms get-key-policy --key-id {id} --policy-name default"),
        ("function", _) => format!("aws lambda get-policy --function-name {id}"),
        ("queue", _) => format!("aws sqs get-queue-attributes --queue-url {id} --attribute-names Policy"),
        ("topic", _) => format!("aws sns get-topic-attributes --topic-arn {id}"),
        ("snapshot", _) if id.starts_with("snap-") => {
            format!(
                "aws ec2 describe-snapshot-attribute --snapshot-id {id} --attribute createVolumePermission"
            )
        }
        ("snapshot", _) => format!("aws rds describe-db-snapshot-attributes --db-snapshot-identifier {id}"),
        ("image", _) => {
            format!("aws ec2 describe-image-attribute --image-id {id} --attribute launchPermission")
        }
        ("secret", _) => format!("aws secretsmanager get-resource-policy --secret-id {id}"),
        ("security group", _) => {
            format!("aws ec2 describe-security-group-rules --filters Name=group-id,Values={id}")
        }
        ("trail", _) => {
            format!("aws cloudtrail get-trail-status --name {id}; aws cloudtrail start-logging --name {id}")
        }
        ("detector", _) => format!("aws guardduty get-detector --detector-id {id}"),
        ("organization policy", _) => format!("aws organizations describe-policy --policy-id {id}"),
        _ => String::new(),
    };
    let mut steps = Vec::new();
    if !look.is_empty() {
        steps.push(format!("See what stands now: {look}"));
    }
    let public = judged.verdicts.iter().any(|v| matches!(v.code, Code::Public | Code::PublicControl));
    if public && &*change.thing == "bucket" {
        steps.push(format!(
            "Shut it if nobody needs it: aws s3api put-public-access-block --bucket {id} --public-access-block-configuration \
             BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
        ));
    }
    if let What::Attach(arn) = &change.what {
        let thing = &change.thing;
        if matches!(&**thing, "role" | "user" | "group") {
            steps.push(format!("Undo: aws iam detach-{thing}-policy --{thing}-name {id} --policy-arn {arn}"));
        }
    }
    let key = &change.evidence.access_key;
    if !key.is_empty() {
        steps.push(format!(
            "See what else the caller did: aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={key}"
        ));
    }
    steps.push(format!("Ask the owner of {} whether the change was meant", clip(&change.actor)));
    steps
}
