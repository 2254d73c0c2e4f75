//! What a surge reads like as a finding.

use std::collections::BTreeMap;

use super::advice;
use super::facts::{Call, Remembered, Shape};
use super::families::{Family, Subject};
use super::growth::{self, Growth};
use super::judge::{Judge, Surge, is_aws};
use crate::finding::{
    Anchor, Entity, Evidence, Finding, FindingActor, Measure, Reason, Severity, Share, grouped,
};
use crate::ledger::KeyRef;
use crate::time::HOUR;
use crate::window::WINDOW_MINUTES;

/// Windows in an hour.
const WINDOWS_PER_HOUR: f64 = HOUR as f64 / (60.0 * WINDOW_MINUTES as f64);
/// A surge this many times its threshold is graver.
const GRAVE: f64 = 4.0;
/// The actors and things named at most.
const NAMED: usize = 5;
/// What fewer percent of the calls have in common drives nothing.
const LEADS: usize = 20;

/// The finding of a surge.
pub(super) fn surge(judge: &Judge<'_>, surge: &Surge<'_>) -> Finding {
    let shape = &surge.peak.summary;
    let traits = judge.family.traits();
    let who = short(&judge.key.entity);
    let count = grouped(surge.observed);
    let unit = if judge.subject == Subject::Throttled { "throttled calls in 5 minutes" } else { traits.unit };
    let compared = comparison(surge);
    let title = match (judge.subject, judge.family) {
        (Subject::Throttled, _) => format!("{who}: {count} {unit}"),
        (_, Family::Attempts) => format!("{who}: {count} {unit} for {} requests", shape.names.count()),
        _ => format!("{who}: {count} {unit}, {compared}"),
    };
    let mut reasons = vec![basis(surge, &count)];
    let odd = surge.expectation.as_ref().and_then(|expectation| expectation.odd_time(surge.observed));
    reasons.extend(odd.map(|text| Reason::new("unusual_time", text)));
    reasons.extend(drivers(judge, shape));
    reasons.extend(names(judge, shape));
    let recursion = recursion(judge, surge);
    let is_recursive = recursion.is_some();
    reasons.extend(recursion);
    reasons.extend(throttled(judge, surge.hour));
    let dollars = dollars_per_hour(judge, surge);
    if let Some(dollars) = dollars.filter(|dollars| *dollars >= 0.01) {
        let text =
            format!("about ${dollars:.2} an hour at this rate: an estimate from the configured prices");
        reasons.push(Reason::new("cost_estimate", text));
    }
    let is_dear = dollars.is_some_and(|dollars| dollars >= judge.config.dear_usd_per_hour);
    let severity = severity(judge, surge, usize::from(is_dear) + usize::from(is_recursive));
    let first = shape.evidence.iter().next();
    let since = first.map_or(String::new(), |first| format!(" Since {} at the latest.", first.time));
    let summary = format!("{title}.{since} {}", sentences(&reasons));
    let total = calls(judge, surge).max(shape.evidence.iter().len() as u64);
    Finding {
        severity,
        measure: Some(Measure {
            observed: surge.observed as f64,
            expected: surge.expected.map(|expected| expected as f64),
            threshold: surge.threshold,
            unit,
        }),
        reasons,
        evidence: shape.evidence.iter().cloned().collect(),
        evidence_total: total,
        actors: if judge.subject == Subject::Actor { Vec::new() } else { shares(shape, total) },
        actor: actor(judge, shape),
        region: region(judge, shape),
        ..finding(
            judge,
            Told { kind: kind(judge), hour: surge.hour, window: surge.peak.range(), title, summary },
        )
    }
}

/// The finding of growth.
pub(super) fn growth(judge: &Judge<'_>, growth: &Growth) -> Finding {
    let unit = judge.family.traits().unit.replace("in 5 minutes", "a day");
    let (observed, usual) = (grouped(growth.observed), grouped(growth.usual));
    let days = growth::DAYS;
    let title = format!(
        "{}: at least about {observed} {unit} for {days} days, against {usual}",
        short(&judge.key.entity)
    );
    let text = format!(
        "each of the last {days} days had at least about {observed}; the middle day of the two weeks before had about \
         {usual}, and no window alone was a surge"
    );
    let reasons = vec![Reason::new("growth", text)];
    let summary = format!("{title}. {}", sentences(&reasons));
    let evidence: Vec<Evidence> = growth.days.iter().flat_map(|day| day.first.iter().cloned()).collect();
    Finding {
        severity: Severity::Low,
        measure: Some(Measure {
            observed: growth.observed as f64,
            expected: Some(growth.usual as f64),
            threshold: growth.threshold,
            unit: "a day",
        }),
        reasons,
        evidence_total: growth
            .days
            .iter()
            .map(|day| day.counted.count())
            .sum::<u64>()
            .max(evidence.len() as u64),
        evidence,
        actor: actor(judge, &Shape::default()),
        ..finding(
            judge,
            Told {
                kind: judge.family.traits().kinds[3],
                hour: growth.told.start.hour(),
                window: growth.told,
                title,
                summary,
            },
        )
    }
}

/// What every finding has of its own.
struct Told {
    kind: &'static str,
    hour: i64,
    window: crate::time::TimeRange,
    title: String,
    summary: String,
}

/// A finding with what its key decides.
fn finding(judge: &Judge<'_>, told: Told) -> Finding {
    let advice = advice::of(judge.family, &judge.key.entity);
    Finding {
        detector: super::NAME,
        kind: told.kind,
        anchor: Anchor::Hour(told.hour),
        severity: Severity::Low,
        title: told.title,
        summary: told.summary,
        account: judge.key.account.to_string(),
        region: None,
        actor: None,
        entity: entity(judge),
        window: told.window,
        measure: None,
        reasons: Vec::new(),
        mitre: advice.mitre,
        evidence: Vec::new(),
        evidence_total: 0,
        actors: Vec::new(),
        next_steps: advice.next_steps,
        continues: None,
    }
}

fn kind(judge: &Judge<'_>) -> &'static str {
    match (judge.family, judge.subject) {
        (Family::Attempts, _) => "retry_storm",
        (Family::Model, Subject::Actor) => "model_use",
        (family, subject) => family.traits().kinds[subject as usize],
    }
}

fn entity(judge: &Judge<'_>) -> Entity {
    let id = &*judge.key.entity;
    match (judge.subject, judge.family) {
        (Subject::Actor, _) => Entity { kind: "actor", id: id.to_owned() },
        (_, Family::Objects | Family::ObjectWrites) if !id.starts_with("arn:") => {
            Entity { kind: "bucket", id: format!("arn:aws:s3:::{id}") }
        }
        (_, family) => Entity { kind: family.traits().target, id: id.to_owned() },
    }
}

/// How grave: by family, by how far over the threshold, by what else is known.
fn severity(judge: &Judge<'_>, surge: &Surge<'_>, worse: usize) -> Severity {
    let mut severity = match (judge.subject, judge.family) {
        (Subject::Throttled, _) | (_, Family::Api | Family::Jobs | Family::Message | Family::ItemWrites) => {
            Severity::Low
        }
        (Subject::Actor, Family::Secrets) => Severity::High,
        _ => Severity::Medium,
    };
    for _ in 0..worse {
        severity = severity.graver();
    }
    if surge.observed as f64 >= GRAVE * surge.threshold {
        severity = severity.graver();
    }
    if surge.learning {
        severity = severity.milder();
    }
    if judge.subject == Subject::Actor && is_aws(&judge.key.entity) {
        severity = severity.milder();
    }
    severity
}

fn comparison(surge: &Surge<'_>) -> String {
    match surge.expected {
        None => "with no history to compare".to_owned(),
        Some(0) => "usually none".to_owned(),
        Some(expected) => {
            let times = surge.observed as f64 / expected as f64;
            let digits = usize::from(times < 3.0);
            format!("{times:.digits$} times the usual")
        }
    }
}

fn basis(surge: &Surge<'_>, count: &str) -> Reason {
    let threshold = surge.threshold.ceil();
    let text = match &surge.expectation {
        Some(expectation) => format!("{count}, {}", expectation.basis(surge.observed)),
        None => format!("{count}, and nothing is known to compare it with"),
    };
    if surge.learning {
        return Reason::new("baseline", format!("{text}; still learning, so from {threshold} on"));
    }
    Reason::new("baseline", format!("{text}; a surge from {threshold} on"))
}

/// Who or what is behind most of the calls, and from where.
fn drivers(judge: &Judge<'_>, shape: &Shape) -> Option<Reason> {
    let mut parts = Vec::new();
    if let Some((other, percent)) = leading(shape, LEADS, |call| &call.other) {
        let what = if judge.subject == Subject::Actor { "on" } else { "by" };
        parts.push(format!("{percent} % {what} {other}"));
    }
    if let Some((source, percent)) = leading(shape, LEADS, |call| &call.source) {
        parts.push(format!("{percent} % from {source}"));
    }
    if let Some((trigger, percent)) = leading(shape, LEADS, |call| &call.trigger) {
        parts.push(format!("{percent} % triggered by {trigger}"));
    }
    (!parts.is_empty()).then(|| Reason::new("drivers", parts.join(", ")))
}

/// The most frequent non-empty value among the sampled calls, with its share, if that is at least so many percent.
pub(super) fn leading<'s>(
    shape: &'s Shape,
    percent: usize,
    field: impl Fn(&'s Call) -> &'s str,
) -> Option<(&'s str, usize)> {
    let (value, count) = frequencies(shape, field).into_iter().next()?;
    let leads = 100 * count / shape.calls.len().max(1);
    (leads >= percent).then_some((value, leads))
}

/// Non-empty values among the sampled calls, the most frequent first.
fn frequencies<'s>(shape: &'s Shape, field: impl Fn(&'s Call) -> &'s str) -> Vec<(&'s str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in shape.calls.iter().map(|call| field(call)).filter(|value| !value.is_empty()) {
        *counts.entry(value).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The different secrets, parameters or machine types.
fn names(judge: &Judge<'_>, shape: &Shape) -> Option<Reason> {
    if judge.family == Family::Attempts || shape.names.is_empty() {
        return None;
    }
    let named: Vec<&str> =
        frequencies(shape, |call| &call.name).into_iter().take(NAMED).map(|(name, _)| name).collect();
    Some(Reason::new("names", format!("{} different, among them {}", shape.names.count(), named.join(", "))))
}

/// Calls of a function by itself, or by what it writes to.
fn recursion(judge: &Judge<'_>, surge: &Surge<'_>) -> Option<Reason> {
    if judge.family != Family::Function || judge.subject != Subject::Target {
        return None;
    }
    let function = short(&judge.key.entity);
    let own = |shape: &Shape| {
        let own = shape.calls.iter().filter(|call| &*call.session == function).count();
        100 * own / shape.calls.len().max(1)
    };
    let percent = own(&surge.peak.summary);
    if percent >= 50 {
        let text = format!("{percent} % of the calls come from the function's own sessions");
        return Some(Reason::new("recursion", text));
    }
    let (trigger, _) = leading(&surge.peak.summary, LEADS, |call| &call.trigger)?;
    let written = match trigger.strip_prefix("arn:aws:s3:::") {
        Some(bucket) => KeyRef {
            class: Family::ObjectWrites.class(Subject::Target),
            account: &judge.key.account,
            entity: bucket,
        },
        None => KeyRef {
            class: Family::Message.class(Subject::Target),
            account: &judge.key.account,
            entity: trigger,
        },
    };
    let written = hour_of(judge.around.others.facts(written)?, surge.hour)?;
    let percent = own(&written);
    let text = format!("it is triggered by {trigger}, and {percent} % of what goes in there is its own");
    (percent >= 25).then(|| Reason::new("recursion", text))
}

fn throttled(judge: &Judge<'_>, hour: i64) -> Option<Reason> {
    if judge.subject != Subject::Target || !judge.family.traits().subjects.contains(&Subject::Throttled) {
        return None;
    }
    let key = KeyRef { class: judge.family.class(Subject::Throttled), ..judge.key.as_ref() };
    let facts = judge.around.others.facts(key)?;
    let peak = facts.calls.hours(facts.least).remove(&hour)?;
    Some(Reason::new("throttled", format!("{} calls were throttled in 5 minutes", grouped(peak.count))))
}

fn hour_of(facts: &Remembered, hour: i64) -> Option<Shape> {
    facts.calls.hours(facts.least).remove(&hour).map(|peak| peak.summary)
}

/// What the window costs, kept up for an hour; for machines, what their processors cost while they run.
fn dollars_per_hour(judge: &Judge<'_>, surge: &Surge<'_>) -> Option<f64> {
    if judge.subject == Subject::Throttled || judge.family == Family::Attempts {
        return None;
    }
    let shape = &surge.peak.summary;
    let prices: Vec<f64> = shape
        .calls
        .iter()
        .filter_map(|call| {
            let target = if judge.subject == Subject::Actor { &call.other } else { &judge.key.entity };
            let name = if call.name.is_empty() { target } else { &call.name };
            judge.config.price(judge.family, name)
        })
        .collect();
    let price = prices.iter().sum::<f64>() / prices.len() as f64;
    let dollars = match judge.family {
        Family::Compute => surge.observed as f64 * price,
        _ => calls(judge, surge) as f64 * WINDOWS_PER_HOUR * price,
    };
    dollars.is_finite().then_some(dollars)
}

/// How many calls are behind what was counted, estimated where something else than calls was.
fn calls(judge: &Judge<'_>, surge: &Surge<'_>) -> u64 {
    let counts_calls = judge.subject == Subject::Throttled
        || !(judge.family.counts_names() || judge.family == Family::Compute);
    if counts_calls { surge.observed } else { surge.peak.summary.calls.count() }
}

fn shares(shape: &Shape, total: u64) -> Vec<Share> {
    let sampled = shape.calls.len().max(1) as u64;
    let share =
        |(id, count): (&str, usize)| Share { id: id.to_owned(), count: count as u64 * total / sampled };
    frequencies(shape, |call| &call.other).into_iter().take(NAMED).map(share).collect()
}

/// The one actor there is: the key, or who alone calls it.
fn actor(judge: &Judge<'_>, shape: &Shape) -> Option<FindingActor> {
    let id = match judge.subject {
        Subject::Actor => &*judge.key.entity,
        _ => match frequencies(shape, |call| &call.other).as_slice() {
            [(only, _)] => only,
            _ => return None,
        },
    };
    let first = shape.evidence.iter().next();
    let text =
        |field: fn(&Evidence) -> &str| first.map(field).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(FindingActor {
        id: id.to_owned(),
        kind: actor_kind(id),
        session: text(|evidence| &evidence.session),
        access_key: text(|evidence| &evidence.access_key),
    })
}

/// The sort of actor, as its id tells.
fn actor_kind(id: &str) -> &'static str {
    use crate::actor::ActorKind;
    let kind = match id {
        _ if id.contains(":role/aws-service-role/") => ActorKind::ServiceLinkedRole,
        _ if is_aws(id) => ActorKind::Service,
        "anonymous" => ActorKind::Anonymous,
        _ if id.contains(":role/") && id.contains('#') => ActorKind::IdentityCenterUser,
        _ if id.contains(":role/") => ActorKind::Role,
        _ if id.contains(":user/") => ActorKind::User,
        _ if id.contains(":federated-user/") => ActorKind::Federated,
        _ if id.starts_with("arn:") && id.ends_with(":root") => ActorKind::Root,
        _ if id.split_once('#').is_some_and(|(account, _)| account.bytes().all(|b| b.is_ascii_digit())) => {
            ActorKind::OtherAccount
        }
        _ => ActorKind::Unknown,
    };
    kind.name()
}

fn region(judge: &Judge<'_>, shape: &Shape) -> Option<String> {
    if let (Family::Api, Some((region, _))) = (judge.family, judge.key.entity.split_once('/')) {
        return Some(region.to_owned());
    }
    match frequencies(shape, |call| &call.region).as_slice() {
        [(only, _)] => Some((*only).to_owned()),
        _ => None,
    }
}

/// The last part of an ARN or id: what people call it.
pub(super) fn short(id: &str) -> &str {
    let id = id.rsplit_once('#').map_or(id, |(_, person)| person);
    if id.starts_with("arn:") { id.rsplit([':', '/']).next().unwrap_or(id) } else { id }
}

fn sentences(reasons: &[Reason]) -> String {
    let texts: Vec<String> = reasons.iter().map(|reason| format!("{}.", capitalised(&reason.text))).collect();
    texts.join(" ")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        for (id, name) in [
            ("arn:aws:lambda:eu-west-1:111122223333:function:orders", "orders"),
            ("arn:aws:iam::111122223333:role/team/app", "app"),
            ("arn:aws:iam::111122223333:role/AWSReservedSSO_Dev_0#kim@example.org", "kim@example.org"),
            ("eu-west-1/iam:CreateUser", "eu-west-1/iam:CreateUser"),
            ("anthropic.claude-v2", "anthropic.claude-v2"),
        ] {
            assert_eq!(short(id), name);
        }
        assert_eq!(actor_kind("111122223333#AIDA"), "AWSAccount");
        assert_eq!(actor_kind("cloudformation.amazonaws.com"), "AWSService");
    }
}
