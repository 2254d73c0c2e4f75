//! Each change against what was there before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detector::{Around, Lookup};
use crate::environment::Organization;
use crate::finding::{Finding, Severity};
use crate::ledger::{Key, KeyRef};
use crate::policy_change::analysis::{self, Kind, Setting};
use crate::policy_change::calls;
use crate::policy_change::document::Document;
use crate::policy_change::extract::RESOURCE;
use crate::policy_change::facts::{Change, Digest, Remembered, What};
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::wildcard::{Case, matches};
use crate::policy_change::{Config, cedar, network, tell};
use crate::time::{EventTime, HOUR};

/// What a change comes to.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// The gravest first.
    pub(crate) verdicts: Vec<Verdict>,
    /// Statements that are new, in words.
    pub(crate) added: Vec<String>,
    /// Statements that are gone.
    pub(crate) removed: Vec<String>,
    /// Something about what was known before.
    pub(crate) note: Option<String>,
}

/// What is known of the resource just before a change.
#[derive(Debug, Default)]
struct State {
    document: Option<(Kind, Document)>,
    digest: Option<Digest>,
    versions: BTreeMap<Arc<str>, (Kind, Digest)>,
    attached: bool,
    /// Failed calls of the last hour, so that a retry is told once.
    failed: Vec<(What, Arc<str>, EventTime)>,
}

/// Findings of one resource.
pub(crate) fn resource(
    config: &Config,
    key: &Key,
    facts: &Remembered,
    around: &Around<'_, Remembered>,
    out: &mut Vec<Finding>,
) {
    let mut state = State::default();
    for (time, change) in facts.changes() {
        let wanted = around.span.contains(time) && (!change.actor_kind.is_aws() || is_quarantine(change));
        if wanted && !state.is_retry(change, time) {
            let judge = Judge { key, facts, state: &state, around };
            let judged = judge.change(change, time);
            if let Some(severity) =
                severity(change, &key.account, &judged.verdicts, &around.environment.organization)
                && severity >= config.report_from
            {
                out.push(tell::finding(key, change, &judged, severity));
            }
        }
        state.take(facts, change, time);
    }
}

/// AWS restricts users whose keys it finds in public: its own call, and news.
fn is_quarantine(change: &Change) -> bool {
    matches!(&change.what, What::Attach(arn) if calls::managed(arn).0 == Some(Code::Quarantined))
}

/// The severity of a change: of its gravest verdict, one level lower for attempts and for the usual changes of deploy roles,
/// one higher for sensitive resources.
fn severity(
    change: &Change,
    account: &str,
    verdicts: &[Verdict],
    organization: &Organization,
) -> Option<Severity> {
    let gravest = verdicts.first()?;
    let mut severity = gravest.severity;
    let is = |patterns: &[String], text: &str| patterns.iter().any(|p| matches(p, text, Case::Counts));
    if is(&organization.sensitive_resources, &change.id)
        || is(&organization.sensitive_resources, &tell::arn_of(change, account))
    {
        severity = severity.graver().max(Severity::Medium);
    }
    let never_milder = matches!(
        gravest.code,
        Code::Public
            | Code::PublicControl
            | Code::PublicTrust
            | Code::Admin
            | Code::IamAll
            | Code::NotActionWide
    );
    if !never_milder && is(&organization.deploy_roles, &change.actor) {
        severity = severity.milder();
    }
    Some(if change.succeeded() { severity } else { severity.milder() })
}

struct Judge<'j> {
    key: &'j Key,
    facts: &'j Remembered,
    state: &'j State,
    around: &'j Around<'j, Remembered>,
}

impl Judge<'_> {
    fn change(&self, change: &Change, time: EventTime) -> Judged {
        match &change.what {
            What::Set(kind, digest) => self.set(*kind, *digest),
            What::Version(kind, digest, version) if version.default => self.set(*kind, *digest),
            What::Version(..) | What::Revoke(_) | What::RevokeStatement(_) => Judged::default(),
            What::Default(version) => match self.state.versions.get(version) {
                Some((kind, digest)) => self.set(*kind, *digest),
                None => Judged::of(
                    Code::Undecided,
                    format!("version {version} counts now, and none of the calls that wrote it was seen"),
                ),
            },
            What::Gone => self.gone(),
            What::Grant(digest) => self.granted(*digest),
            What::Attach(arn) => self.attached(arn, time),
            What::Detach(arn) => self.detached(arn, time),
            What::Switch(row) => switched(change, *row),
            What::Open(openings) => {
                Judged { verdicts: sorted(network::judge(openings)), ..Judged::default() }
            }
            What::Omitted => Judged::of(
                Code::Omitted,
                "CloudTrail left the parameters out of the record: read the policy itself".to_owned(),
            ),
            // Refused calls are often logged like this; of those that went through the service leaves the text out.
            What::Unseen => {
                let (severity, said) = if change.succeeded() {
                    (Severity::Informational, "the record does not hold what was set")
                } else {
                    (Severity::Medium, "the record of the failed call does not hold what was tried")
                };
                Judged::of(Code::Undecided, said.to_owned()).at(severity)
            }
        }
    }

    fn setting(&self, kind: Kind) -> Setting<'_> {
        Setting { kind, account: &self.key.account, organization: &self.around.environment.organization }
    }

    fn set(&self, kind: Kind, digest: Digest) -> Judged {
        if self.state.digest == Some(digest) {
            return Judged::default();
        }
        let Some(text) = self.facts.text(digest) else { return Judged::default() };
        match kind {
            Kind::OpenSearch => {
                return crate::json::parse(text).map_or_else(
                    |why| Judged::of(Code::Unreadable, format!("the rules can't be read: {why}")),
                    |rules| opensearch(&rules),
                );
            }
            Kind::Cedar => return Judged { verdicts: cedar::judge(text), ..Judged::default() },
            _ => {}
        }
        match Document::parse(text) {
            Err(why) => Judged::of(Code::Unreadable, format!("the policy can't be read: {why}")),
            Ok(new) => self.compare(&new, kind),
        }
    }

    fn compare(&self, new: &Document, kind: Kind) -> Judged {
        let setting = self.setting(kind);
        match &self.state.document {
            Some((_, old)) => {
                let analysis::Compared { verdicts, added, removed } =
                    analysis::judge_change(old, new, &setting);
                Judged { verdicts, added, removed, note: None }
            }
            None => Judged {
                verdicts: analysis::judge(new, &setting),
                note: Some("No earlier policy of it is known, so all of it counts as new.".to_owned()),
                ..Judged::default()
            },
        }
    }

    fn granted(&self, digest: Digest) -> Judged {
        let Some(mut union) = self.facts.document(digest) else { return Judged::default() };
        match &self.state.document {
            Some((kind, old)) => {
                union.statements.extend(old.statements.iter().cloned());
                let mut judged = self.compare(&union, *kind);
                judged.removed.clear();
                judged
            }
            // Grants add to what there is: whether there were others does not matter.
            None => Judged { note: None, ..self.compare(&union, Kind::Resource) },
        }
    }

    fn gone(&self) -> Judged {
        let Some((kind, old)) = &self.state.document else {
            let said = "it is gone, and whether it denied anything is not known: none of the calls that wrote it was seen";
            return Judged::of(Code::Undecided, said.to_owned()).at(Severity::Informational);
        };
        let code = if *kind == Kind::Guardrail { Code::GuardrailWeakened } else { Code::DenyRemoved };
        let verdicts = analysis::denials(old)
            .take(4)
            .map(|deny| Verdict::new(code, format!("gone: {deny}"), Vec::new()))
            .collect();
        Judged { verdicts: sorted(verdicts), ..Judged::default() }
    }

    fn attached(&self, arn: &str, time: EventTime) -> Judged {
        if self.state.attached {
            return Judged::default();
        }
        if calls::is_aws_managed(arn) {
            return calls::managed(arn).0.map_or_else(Judged::default, |code| {
                Judged::of(code, format!("the AWS managed policy {arn} is attached"))
            });
        }
        let Some(document) = self.policy(arn, time) else {
            return Judged::of(Code::NotSeen, format!("{arn} is attached: read what it allows"));
        };
        let mut verdicts = analysis::judge(&document, &self.setting(Kind::Identity));
        verdicts.iter_mut().for_each(|v| v.text = format!("{arn} is attached: {}", v.text));
        Judged { verdicts, ..Judged::default() }
    }

    fn detached(&self, arn: &str, time: EventTime) -> Judged {
        if calls::is_aws_managed(arn) {
            return calls::managed(arn).1.map_or_else(Judged::default, |code| {
                Judged::of(code, format!("the AWS managed policy {arn} is detached"))
            });
        }
        let Some(document) = self.policy(arn, time) else {
            let said = format!("{arn} is detached, and whether it denied anything is not known");
            return Judged::of(Code::Undecided, said).at(Severity::Informational);
        };
        let denials: Vec<Verdict> = analysis::denials(&document)
            .take(4)
            .map(|deny| {
                Verdict::new(Code::DenyRemoved, format!("{arn} is detached, and with it: {deny}"), Vec::new())
            })
            .collect();
        Judged { verdicts: sorted(denials), ..Judged::default() }
    }

    /// The text of a customer's managed policy as it stood at a time, if its calls were seen.
    fn policy(&self, arn: &str, time: EventTime) -> Option<Document> {
        policy_at(self.around.others, &self.key.account, arn, time)
    }
}

/// The text of a customer's managed policy as it stood at a time, if the calls that wrote it were seen.
fn policy_at(others: &dyn Lookup<Remembered>, account: &str, arn: &str, time: EventTime) -> Option<Document> {
    let facts = others.facts(KeyRef { class: RESOURCE, account, entity: &format!("iam//policy/{arn}/") })?;
    let mut state = State::default();
    for (at, change) in facts.changes().take_while(|(at, _)| *at <= time) {
        state.take(facts, change, at);
    }
    state.document.map(|(_, document)| document)
}

/// What something gives, from each moment it changed on.
pub(crate) type OverTime = Vec<(EventTime, Option<Severity>)>;

/// What a customer's managed policy gives, from each change of it on: the gravest verdict on its text, if that is known. Whoever
/// asks for many moments asks once: each change is read again.
pub(crate) fn policy_over_time(
    others: &dyn Lookup<Remembered>,
    arn: &str,
    setting: &Setting<'_>,
) -> OverTime {
    let entity = format!("iam//policy/{arn}/");
    let Some(facts) = others.facts(KeyRef { class: RESOURCE, account: setting.account, entity: &entity })
    else {
        return Vec::new();
    };
    let mut state = State::default();
    let mut by_digest: BTreeMap<Digest, Option<Severity>> = BTreeMap::new();
    // Managed policies know no grants beside their text, so the digest stands for it.
    let mut judge = |state: &State| {
        let judged = || Some(analysis::judge(&state.document.as_ref()?.1, setting).first()?.severity);
        state.digest.map_or_else(judged, |digest| *by_digest.entry(digest).or_insert_with(judged))
    };
    facts
        .changes()
        .map(|(at, change)| {
            state.take(facts, change, at);
            (at, judge(&state))
        })
        .collect()
}

impl Judged {
    fn of(code: Code, text: String) -> Self {
        Self { verdicts: vec![Verdict::new(code, text, Vec::new())], ..Self::default() }
    }

    fn at(mut self, severity: Severity) -> Self {
        self.verdicts.iter_mut().for_each(|verdict| verdict.severity = severity);
        self
    }
}

fn sorted(mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    verdicts.sort_by(|a, b| (b.severity, a.code, &a.text).cmp(&(a.severity, b.code, &b.text)));
    verdicts
}

fn switched(change: &Change, row: u64) -> Judged {
    let mut judged = Judged::of(Code::Switch, String::new());
    if let (Some(row), Some(verdict)) = (calls::switch(change.action, row), judged.verdicts.first_mut()) {
        verdict.severity = row.severity;
        verdict.text = row.says.replace("{}", &tell::subject(change));
    }
    judged
}

/// OpenSearch Serverless: network rules that let the internet in, access rules for anyone.
pub(crate) fn opensearch(rules: &crate::json::Value) -> Judged {
    let public = crate::policy_change::path::holds(rules, "AllowFromPublic=true");
    if public {
        return Judged::of(
            Code::PublicFenced,
            "collections may be reached from the internet, access rules permitting".to_owned(),
        );
    }
    if crate::policy_change::path::holds(rules, "Principal=*") {
        return Judged::of(Code::Public, "access rules name everyone".to_owned());
    }
    Judged::default()
}

impl State {
    fn is_retry(&self, change: &Change, time: EventTime) -> bool {
        !change.succeeded()
            && self.failed.iter().any(|(what, actor, at)| {
                *what == change.what && *actor == change.actor && time.0 - at.0 <= HOUR
            })
    }

    /// What the change leaves.
    fn take(&mut self, facts: &Remembered, change: &Change, time: EventTime) {
        if !change.succeeded() {
            self.failed.retain(|(_, _, at)| time.0 - at.0 <= HOUR);
            self.failed.push((change.what.clone(), Arc::clone(&change.actor), time));
            return;
        }
        match &change.what {
            What::Set(kind, digest) => {
                // The first version of a policy.
                self.versions.insert("v1".into(), (*kind, *digest));
                self.set(facts, *kind, *digest);
            }
            What::Version(kind, digest, version) => {
                if !version.id.is_empty() {
                    self.versions.insert(Arc::clone(&version.id), (*kind, *digest));
                }
                if version.default {
                    self.set(facts, *kind, *digest);
                }
            }
            What::Default(version) => match self.versions.get(version).copied() {
                Some((kind, digest)) => self.set(facts, kind, digest),
                None => (self.document, self.digest) = (None, None),
            },
            What::Gone => {
                let kind = self.document.as_ref().map_or(Kind::Resource, |(kind, _)| *kind);
                (self.document, self.digest) = (Some((kind, Document::default())), None);
            }
            What::Grant(digest) => {
                if let Some(grant) = facts.document(*digest) {
                    let (_, document) =
                        self.document.get_or_insert_with(|| (Kind::Resource, Document::default()));
                    let new: Vec<_> =
                        grant.statements.into_iter().filter(|s| !document.statements.contains(s)).collect();
                    document.statements.extend(new);
                }
            }
            What::Revoke(digest) => {
                if let (Some(taken), Some((_, document))) = (facts.document(*digest), &mut self.document) {
                    let gone: Vec<_> =
                        taken.statements.iter().flat_map(|s| s.principals.values().iter().cloned()).collect();
                    document.statements.retain(|s| !s.principals.values().iter().all(|p| gone.contains(p)));
                }
            }
            What::RevokeStatement(sid) => {
                if let Some((_, document)) = &mut self.document {
                    document.statements.retain(|s| sid.as_ref().is_some_and(|sid| **sid != *s.sid));
                }
            }
            What::Attach(_) => self.attached = true,
            What::Detach(_) => self.attached = false,
            What::Omitted => (self.document, self.digest) = (None, None),
            What::Switch(_) | What::Open(_) | What::Unseen => {}
        }
    }

    fn set(&mut self, facts: &Remembered, kind: Kind, digest: Digest) {
        self.document = facts.document(digest).map(|document| (kind, document));
        self.digest = Some(digest);
    }
}
