//! From a document to verdicts.

use std::collections::BTreeSet;

use crate::environment::Organization;
use crate::policy_change::difference::{self, quote};
use crate::policy_change::document::{Document, Effect};
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::work::Work;
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
    let work = Work::default();
    let mut verdicts = judge_with(document, setting, &work);
    verdicts.extend(cut_short(&work));
    sort(&mut verdicts);
    verdicts
}

fn judge_with(document: &Document, setting: &Setting<'_>, work: &Work) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    match setting.kind {
        Kind::Identity => identity::judge(document, work, &mut verdicts),
        // Access rules of OpenSearch say what a resource policy says.
        Kind::Trust | Kind::Resource | Kind::OpenSearch => {
            resource::judge(document, setting, work, &mut verdicts)
        }
        Kind::Guardrail | Kind::Endpoint | Kind::Scope | Kind::Cedar => {}
    }
    verdicts
}

/// What to say when the work was used up: the rest of the document may hold anything.
fn cut_short(work: &Work) -> Option<Verdict> {
    let said = "so many patterns are to be compared that only a part was judged";
    work.is_used_up().then(|| Verdict::new(Code::Intricate, said.to_owned(), Vec::new()))
}

/// What a change of a document comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compared {
    /// The gravest first.
    pub(crate) verdicts: Vec<Verdict>,
    /// What it adds, in plain words, a few lines.
    pub(crate) added: Vec<String>,
    /// What it removes.
    pub(crate) removed: Vec<String>,
}

/// Verdicts on what a document adds to the one before it: those that rest on a statement that allows something new, or that
/// a lost denial kept from being said before; and one on each lost denial.
pub(crate) fn judge_change(old: &Document, new: &Document, setting: &Setting<'_>) -> Compared {
    let work = Work::default();
    let difference = difference::between(old, new, &work);
    // What a lost denial kept within bounds may stand in any statement: what was not said before is new.
    let said: Option<BTreeSet<_>> = (!difference.undenied.is_empty())
        .then(|| judge_with(old, setting, &Work::default()).into_iter().map(|v| (v.code, v.text)).collect());
    let is_new = |v: &Verdict| said.as_ref().is_some_and(|said| !said.contains(&(v.code, v.text.clone())));
    let mut verdicts = if difference.added.is_empty() && said.is_none() {
        Vec::new()
    } else {
        judge_with(new, setting, &work)
    };
    verdicts.retain(|v| v.statements.iter().any(|s| difference.added.binary_search(s).is_ok()) || is_new(v));
    let code = if setting.kind == Kind::Guardrail { Code::GuardrailWeakened } else { Code::DenyRemoved };
    verdicts.extend(
        difference
            .undenied
            .iter()
            .filter_map(|i| old.statements.get(*i))
            .map(|deny| Verdict::new(code, format!("gone or narrower: {}", quote(deny)), Vec::new())),
    );
    verdicts.extend(cut_short(&work));
    sort(&mut verdicts);
    let mut removed = quotes(old, &difference.undenied);
    removed.extend(quotes(old, &difference.removed));
    Compared { verdicts, added: quotes(new, &difference.added), removed }
}

/// The first few statements, in words.
fn quotes(document: &Document, positions: &[usize]) -> Vec<String> {
    const SHOWN: usize = 4;
    positions.iter().take(SHOWN).filter_map(|i| document.statements.get(*i)).map(quote).collect()
}

/// Denials of a document, for what is lost when it goes.
pub(crate) fn denials(document: &Document) -> impl Iterator<Item = String> + '_ {
    document.statements.iter().filter(|s| s.effect == Effect::Deny).map(quote)
}

fn sort(verdicts: &mut [Verdict]) {
    verdicts.sort_by(|a, b| (b.severity, a.code, &a.text).cmp(&(a.severity, b.code, &b.text)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_change::document::MAX_ELEMENTS;

    const LENGTH: usize = 128 * 1024;

    /// Pieces up to the length of a large document.
    fn pieces(length: usize, piece: impl Fn(usize) -> String) -> String {
        let mut text = String::new();
        for i in 0.. {
            if text.len() >= length {
                break;
            }
            let comma = if i == 0 { "" } else { "," };
            text.push_str(comma);
            text.push_str(&piece(i));
        }
        text
    }

    fn document(statements: &str) -> Document {
        Document::of_text(&format!(r#"{{"Statement":[{statements}]}}"#)).unwrap()
    }

    fn work_of(kind: Kind, document: &Document) -> Work {
        let work = Work::default();
        let setting = Setting { kind, account: "111122223333", organization: &Organization::default() };
        judge_with(document, &setting, &work);
        work
    }

    fn ordinary(kind: Kind, changed: &str) -> Document {
        document(&pieces(LENGTH, |i| match kind {
            Kind::Identity => format!(
                r#"{{"Effect":"Allow","Action":["s3:Get*","s3:PutObject","dynamodb:Query"],"Resource":["arn:aws:s3:::b-{i}{changed}/*"],"Condition":{{"StringEquals":{{"aws:ResourceTag/team":"t{i}"}}}}}}"#
            ),
            _ => format!(
                r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{i:012}:root"}},"Action":["s3:GetObject","s3:ListBucket"],"Resource":"arn:aws:s3:::b/{i}{changed}/*"}}"#
            ),
        }))
    }

    #[test]
    fn large_ordinary_documents_are_judged_whole() {
        for kind in [Kind::Identity, Kind::Resource] {
            let work = work_of(kind, &ordinary(kind, ""));
            assert!(!work.is_used_up() && work.taken() < 300_000, "{kind:?} takes {}", work.taken());
        }
        let (old, new) = (ordinary(Kind::Resource, ""), ordinary(Kind::Resource, "x"));
        let work = Work::default();
        difference::between(&old, &old, &work);
        assert_eq!(work.taken(), 0, "equal statements are not compared");
        let mut one_more = old.clone();
        one_more.statements.extend(new.statements.iter().take(5).cloned());
        difference::between(&old, &one_more, &work);
        assert!(!work.is_used_up(), "takes {}", work.taken());
    }

    /// Documents that ask for a comparison of everything with everything.
    fn hostile() -> Vec<(&'static str, Kind, Document)> {
        let half = LENGTH / 2;
        let allow = |actions: &str, resource: &str| {
            format!(r#"{{"Effect":"Allow","Action":[{actions}],"Resource":"{resource}"}}"#)
        };
        let fence = r#""Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-abc12345"}}"#;
        let deny = |length| {
            let actions = pieces(length, |i| format!("\"s3:*{i}*x\""));
            format!(r#"{{"Effect":"Deny","Principal":"*","Action":[{actions}],"Resource":"*",{fence}}}"#)
        };
        let fenced = |denials: &str| {
            let actions = pieces(half, |i| format!("\"s3:{i}Object\""));
            document(&format!(
                r#"{denials},{{"Effect":"Allow","Principal":"*","Action":[{actions}],"Resource":"*"}}"#
            ))
        };
        let long = |letters: &str| pieces(half, |i| format!("\"{}{i}\"", letters.repeat(1_000)));
        let services = pieces(half, |i| format!("\"*{i}*\""));
        vec![
            ("patterns", Kind::Identity, document(&allow(&pieces(LENGTH, |i| format!("\"*{i}*e*i\"")), "*"))),
            (
                "statements",
                Kind::Identity,
                document(&pieces(LENGTH, |i| {
                    allow(&format!("\"*:*{i}*e*\",\"*:*{i}*a*\",\"i*:*{i}*\""), "x")
                })),
            ),
            (
                "services a role may be passed to",
                Kind::Identity,
                document(&format!(
                    r#"{{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{{"StringLike":{{"iam:PassedToService":[{services}]}}}}}},{}"#,
                    allow("\"*:*\"", "arn:x")
                )),
            ),
            ("a denial and an allowance", Kind::Resource, fenced(&deny(half))),
            ("many denials", Kind::Resource, fenced(&vec![deny(half / 16); 16].join(","))),
            (
                "long patterns",
                Kind::Resource,
                document(&format!(
                    r#"{{"Effect":"Deny","Principal":"*","Action":"*","Resource":[{}],{fence}}},{{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":[{}]}}"#,
                    long("*a"),
                    long("aa")
                )),
            ),
        ]
    }

    #[test]
    fn hostile_documents_are_judged_in_part_and_said_to_be() {
        let organization = Organization::default();
        for (name, kind, document) in hostile() {
            let work = work_of(kind, &document);
            assert!(work.taken() <= crate::policy_change::work::MAX_STEPS, "{name}");
            let setting = Setting { kind, account: "111122223333", organization: &organization };
            let verdicts = judge(&document, &setting);
            let said = verdicts.iter().any(|v| v.code == Code::Intricate);
            assert_eq!(said, work.is_used_up(), "{name}");
        }
        let used_up =
            hostile().iter().filter(|(_, kind, document)| work_of(*kind, document).is_used_up()).count();
        assert!(used_up >= 4, "only {used_up} of the documents ask for much");
    }

    /// Codes of what a change of statements comes to.
    fn changed(kind: Kind, old: &[&str], new: &[&str]) -> Vec<Code> {
        let organization = Organization::default();
        let setting = Setting { kind, account: "111122223333", organization: &organization };
        let compared = judge_change(&document(&old.join(",")), &document(&new.join(",")), &setting);
        compared.verdicts.into_iter().map(|v| v.code).collect()
    }

    #[test]
    fn what_a_lost_denial_held_back_is_told() {
        let allow = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}"#;
        let fence = |ids: &str| {
            format!(
                r#"{{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{{"StringNotEquals":{{"aws:PrincipalOrgID":[{ids}]}}}}}}"#
            )
        };
        let (one, two) = (fence(r#""o-abc12345""#), fence(r#""o-abc12345","o-other123""#));
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}"#;
        let other = r#"{"Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"*"}"#;
        let resource = |old: &[&str], new: &[&str]| changed(Kind::Resource, old, new);
        assert_eq!(resource(&[allow, &one], &[allow]), [Code::Public, Code::DenyRemoved]);
        assert_eq!(resource(&[allow, deny], &[allow]), [Code::Public, Code::DenyRemoved]);
        assert_eq!(resource(&[allow, &one], &[allow, &two]), [Code::DenyRemoved, Code::OtherOrganization]);
        assert_eq!(resource(&[allow, other], &[allow]), [Code::DenyRemoved], "it was public before");
        assert_eq!(resource(&[allow], &[allow, &one]), [], "it is narrower");
        let (iam, but) = (
            r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#,
            r#"{"Effect":"Deny","Action":"iam:*","Resource":"*"}"#,
        );
        assert_eq!(changed(Kind::Identity, &[iam, but], &[iam]), [Code::IamAll, Code::DenyRemoved]);
        assert_eq!(changed(Kind::Identity, &[iam, other], &[iam]), [Code::DenyRemoved]);
    }

    #[test]
    fn comparing_hostile_documents_ends_too() {
        let statements = |sign: &str| {
            document(&pieces(LENGTH, |i| {
                format!(
                    r#"{{"Effect":"Allow","Action":["s3:*{i}{sign}*","s3:*{sign}{i}"],"Resource":"*{i}"}}"#
                )
            }))
        };
        let (old, new) = (statements("a"), statements("b"));
        assert!(old.statements.len() < MAX_ELEMENTS);
        let organization = Organization::default();
        let setting = Setting { kind: Kind::Resource, account: "", organization: &organization };
        let compared = judge_change(&old, &new, &setting);
        assert!(compared.verdicts.iter().any(|v| v.code == Code::Intricate));
        assert_eq!(compared, judge_change(&old, &new, &setting), "in steps, not in time");
    }
}
