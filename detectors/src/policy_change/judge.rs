//! Each change against what was there before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detector::Around;
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
use crate::policy_change::{Config, network, tell};
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
        let wanted = around.span.contains(time) && !change.actor_kind.is_aws();
        if wanted && !state.is_retry(change, time) {
            let judge = Judge { key, facts, state: &state, around };
            let judged = judge.change(change, time);
            if let Some(severity) = severity(change, &judged.verdicts, &around.environment.organization)
                && severity >= config.report_from
            {
                out.push(tell::finding(key, change, &judged, severity));
            }
        }
        state.take(facts, change, time);
    }
}

/// The severity of a change: of its gravest verdict, one level lower for attempts and for the usual changes of deploy roles,
/// one higher for sensitive resources.
fn severity(change: &Change, verdicts: &[Verdict], organization: &Organization) -> Option<Severity> {
    let gravest = verdicts.first()?;
    let mut severity = gravest.severity;
    let is = |patterns: &[String], text: &str| patterns.iter().any(|p| matches(p, text, Case::Counts));
    if is(&organization.sensitive_resources, &change.id)
        || is(&organization.sensitive_resources, &tell::arn_of(change))
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
                    format!("version {version} counts now; its text was not seen"),
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
            What::Unseen => {
                let mut judged = Judged::of(
                    Code::Undecided,
                    "the record of the failed call does not hold what was tried".to_owned(),
                );
                judged.verdicts.iter_mut().for_each(|v| v.severity = Severity::Medium);
                judged
            }
        }
    }

    fn setting(&self, kind: Kind) -> Setting<'_> {
        Setting { kind, account: &self.key.account, organization: &self.around.environment.organization }
    }

    fn set(&self, kind: Kind, digest: Digest) -> Judged {
        if self.state.digest == Some(digest) || kind == Kind::Cedar {
            return Judged::default();
        }
        let Some(text) = self.facts.text(digest) else { return Judged::default() };
        if kind == Kind::OpenSearch {
            return opensearch(text);
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
                let (added, removed) = analysis::words(old, new);
                Judged { verdicts: analysis::judge_change(old, new, &setting), added, removed, note: None }
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
            None => self.compare(&union, Kind::Resource),
        }
    }

    fn gone(&self) -> Judged {
        let Some((kind, old)) = &self.state.document else { return Judged::default() };
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
        let Some(document) = self.policy(arn, time) else { return Judged::default() };
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
        let Some(document) = self.policy(arn, time) else { return Judged::default() };
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
        let entity = format!("iam//policy/{arn}/");
        let facts = self.around.others.facts(KeyRef {
            class: RESOURCE,
            account: &self.key.account,
            entity: &entity,
        })?;
        let mut state = State::default();
        for (at, change) in facts.changes().take_while(|(at, _)| *at <= time) {
            state.take(facts, change, at);
        }
        state.document.map(|(_, document)| document)
    }
}

impl Judged {
    fn of(code: Code, text: String) -> Self {
        Self { verdicts: vec![Verdict::new(code, text, Vec::new())], ..Self::default() }
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
fn opensearch(text: &str) -> Judged {
    let Ok(rules) = crate::json::parse(text) else { return Judged::default() };
    let public = crate::policy_change::path::holds(&rules, "AllowFromPublic=true");
    if public {
        return Judged::of(
            Code::PublicFenced,
            "collections may be reached from the internet, access rules permitting".to_owned(),
        );
    }
    if crate::policy_change::path::holds(&rules, "Principal=*") {
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
                (self.document, self.digest) = (Some((Kind::Resource, Document::default())), None);
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
