//! From a document to verdicts.

use crate::environment::Organization;
use crate::policy_change::difference::{self, quote};
use crate::policy_change::document::{Document, Effect};
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::{identity, resource};

use serde::{Deserialize, Serialize};

/// How a document is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What its holder may do: policies of users, groups, roles, permission sets.
    Identity,
    /// Who may assume a role.
    Trust,
    /// Who may come to a resource.
    Resource,
    /// What an organisation policy leaves to be allowed: only its denials count.
    Guardrail,
    /// What a network endpoint or service network lets pass: grants nothing by itself.
    Endpoint,
    /// What a session is narrowed to: grants nothing by itself.
    Scope,
    /// Rules of OpenSearch Serverless.
    OpenSearch,
    /// Cedar, which is not read.
    Cedar,
}

impl Kind {
    /// The kind of its name in the data files.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "identity" => Self::Identity,
            "trust" => Self::Trust,
            "resource" => Self::Resource,
            "guardrail" => Self::Guardrail,
            "endpoint" => Self::Endpoint,
            "scope" => Self::Scope,
            "opensearch" => Self::OpenSearch,
            "cedar" => Self::Cedar,
            _ => return None,
        })
    }

    /// The kind a document looks like: who may come, to assume or otherwise, or what may be done.
    pub(crate) fn guess(document: &Document) -> Self {
        use crate::policy_change::document::Elements;
        let statements = &document.statements;
        if statements.iter().all(|s| s.principals == Elements::Absent) {
            Self::Identity
        } else if statements.iter().all(|s| {
            !s.actions.values().is_empty()
                && s.actions.values().iter().all(|a| a.to_ascii_lowercase().starts_with("sts:"))
        }) {
            Self::Trust
        } else {
            Self::Resource
        }
    }
}

/// What judging a document may know beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    /// How the document is read.
    pub kind: Kind,
    /// The account it belongs to; empty when unknown.
    pub account: &'a str,
    /// The configured world.
    pub organization: &'a Organization,
}

/// Verdicts on a document by itself, the gravest first.
pub(crate) fn judge(document: &Document, setting: &Setting<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    match setting.kind {
        Kind::Identity => identity::judge(document, &mut verdicts),
        Kind::Trust | Kind::Resource => resource::judge(document, setting, &mut verdicts),
        Kind::Guardrail | Kind::Endpoint | Kind::Scope | Kind::OpenSearch | Kind::Cedar => {}
    }
    sort(&mut verdicts);
    verdicts
}

/// Verdicts on what a document adds to the one before it: those that rest on a statement that allows something new, and
/// one on each lost denial.
pub(crate) fn judge_change(old: &Document, new: &Document, setting: &Setting<'_>) -> Vec<Verdict> {
    let difference = difference::between(old, new);
    let mut verdicts = if difference.added.is_empty() { Vec::new() } else { judge(new, setting) };
    verdicts.retain(|v| v.statements.iter().any(|s| difference.added.contains(s)));
    let code = if setting.kind == Kind::Guardrail { Code::GuardrailWeakened } else { Code::DenyRemoved };
    verdicts.extend(
        difference
            .undenied
            .iter()
            .filter_map(|i| old.statements.get(*i))
            .map(|deny| Verdict::new(code, format!("gone or narrower: {}", quote(deny)), Vec::new())),
    );
    sort(&mut verdicts);
    verdicts
}

/// What a document adds and removes, in plain words, a few lines each.
pub(crate) fn words(old: &Document, new: &Document) -> (Vec<String>, Vec<String>) {
    const SHOWN: usize = 4;
    let difference = difference::between(old, new);
    let quotes = |document: &Document, positions: &[usize]| {
        positions
            .iter()
            .take(SHOWN)
            .filter_map(|i| document.statements.get(*i))
            .map(quote)
            .collect::<Vec<_>>()
    };
    let mut removed = quotes(old, &difference.undenied);
    removed.extend(quotes(old, &difference.removed));
    (quotes(new, &difference.added), removed)
}

/// Denials of a document, for what is lost when it goes.
pub(crate) fn denials(document: &Document) -> impl Iterator<Item = String> + '_ {
    document.statements.iter().filter(|s| s.effect == Effect::Deny).map(quote)
}

fn sort(verdicts: &mut [Verdict]) {
    verdicts.sort_by(|a, b| (b.severity, a.code, &a.text).cmp(&(a.severity, b.code, &b.text)));
}
