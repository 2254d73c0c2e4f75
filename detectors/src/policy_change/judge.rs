//! Each change against what was there before it.

use std::rc::Rc;

use crate::detector::Around;
use crate::environment::Organization;
use crate::finding::{Finding, Severity};
use crate::ledger::Key;
use crate::policy_change::analysis::{self, Kind, Setting};
use crate::policy_change::calls;
use crate::policy_change::document::Document;
use crate::policy_change::documents::Digest;
use crate::policy_change::facts::{Change, Remembered, What};
use crate::policy_change::state::{Stand, State};
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::wildcard::{Case, matches};
use crate::policy_change::{Config, cedar, held, network, opensearch, tell, together};
use crate::time::EventTime;

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
            let mut judged = judge.change(change, time);
            judge.with_others(change, time, &mut judged);
            if let Some(severity) =
                severity(change, &key.account, &judged.verdicts, &around.environment.organization)
                && severity >= config.report_from
            {
                out.push(tell::finding(key, change, &judged, severity));
            }
        }
        state.take(facts, change, time, around.notes);
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
    let sensitive = &organization.sensitive_resources;
    if !sensitive.is_empty() && (is(sensitive, &change.id) || is(sensitive, &tell::arn_of(change, account))) {
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
    // An attempt is milder, but never so that nobody hears of it who would have heard of the change.
    let attempt = severity.milder().max(severity.min(Severity::Low));
    Some(if change.succeeded() { severity } else { attempt })
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
            What::Version(..) | What::Revoke(_) | What::RevokeStatement(_) | What::Ended => Judged::default(),
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
            Kind::OpenSearch => return self.rules(text),
            Kind::Cedar => return Judged { verdicts: cedar::judge(text), ..Judged::default() },
            _ => {}
        }
        match self.around.notes.read(text) {
            Err(why) => Judged::of(Code::Unreadable, format!("the policy can't be read: {why}")),
            Ok(new) => self.compare(&new, kind),
        }
    }

    /// Rules of OpenSearch Serverless: what was said of those before them is not said again.
    fn rules(&self, text: &str) -> Judged {
        let setting = self.setting(Kind::OpenSearch);
        let mut verdicts = match opensearch::judge(text, &setting) {
            Ok(verdicts) => verdicts,
            Err(why) => return Judged::of(Code::Unreadable, format!("the rules can't be read: {why}")),
        };
        if let Some((Kind::OpenSearch, Stand::Text(old))) = &self.state.stand {
            let said = opensearch::judge(old, &setting).unwrap_or_default();
            verdicts.retain(|new| !said.iter().any(|old| (old.code, &old.text) == (new.code, &new.text)));
        }
        Judged { verdicts, ..Judged::default() }
    }

    fn compare(&self, new: &Document, kind: Kind) -> Judged {
        let setting = self.setting(kind);
        match self.before() {
            Some((_, old)) => {
                let analysis::Compared { verdicts, added, removed } =
                    analysis::judge_change(&old, new, &setting);
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
        let Some(text) = self.facts.text(digest) else { return Judged::default() };
        let Ok(grant) = self.around.notes.read(text) else { return Judged::default() };
        match self.before() {
            Some((kind, old)) => {
                let statements = grant.statements.iter().chain(&old.statements).cloned().collect();
                let mut judged = self.compare(&Document { statements }, kind);
                judged.removed.clear();
                judged
            }
            // Grants add to what there is: whether there were others does not matter.
            None => Judged { note: None, ..self.compare(&grant, Kind::Resource) },
        }
    }

    fn gone(&self) -> Judged {
        let Some((kind, old)) = self.before() else {
            let said = "it is gone, and whether it denied anything is not known: none of the calls that wrote it was seen";
            return Judged::of(Code::Undecided, said.to_owned()).at(Severity::Informational);
        };
        let code = if kind == Kind::Guardrail { Code::GuardrailWeakened } else { Code::DenyRemoved };
        let verdicts = analysis::denials(&old)
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

    /// Adds what a policy that is new makes possible only with others of the same user, role or group.
    fn with_others(&self, change: &Change, time: EventTime, judged: &mut Judged) {
        let notes = self.around.notes;
        let new = match &change.what {
            What::Set(Kind::Identity, digest) if self.state.digest != Some(*digest) => {
                self.facts.text(*digest).and_then(|text| notes.read(text).ok())
            }
            What::Attach(arn) if !self.state.attached => self.policy(arn, time),
            _ => None,
        };
        let holder = held::holder(change).filter(|_| change.succeeded());
        let (Some(new), Some(holder)) = (new, holder) else { return };
        let account = &*self.key.account;
        let others = self.around.others;
        let held = notes.held(others, account, &holder);
        let beside = held.documents_beside(&self.key.entity, time, account, (others, notes));
        let before = self.before();
        let found = together::judge(&new, before.as_ref().map(|(_, before)| &**before), &beside);
        if !found.is_empty() {
            judged.verdicts.extend(found);
            judged.verdicts = sorted(std::mem::take(&mut judged.verdicts));
        }
    }

    /// The document before the change, if it is known.
    fn before(&self) -> Option<(Kind, Rc<Document>)> {
        self.state.document(self.around.notes)
    }

    /// The text of a customer's managed policy as it stood at a time, if the calls that wrote it were seen.
    fn policy(&self, arn: &str, time: EventTime) -> Option<Rc<Document>> {
        let notes = self.around.notes;
        notes.policy(self.around.others, &self.key.account, arn).at(time, notes)
    }
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
