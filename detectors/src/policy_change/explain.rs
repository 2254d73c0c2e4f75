//! The analysis of a document by itself, for people and pipelines.

use serde::Serialize;

use crate::environment::Organization;
use crate::finding::Severity;
use crate::policy_change::analysis::{self, Kind, Setting};
use crate::policy_change::document::{Document, Unreadable};
use crate::policy_change::extract;
use crate::policy_change::verdict::Verdict;

/// What a document comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// How it was read.
    pub kind: Kind,
    /// The verdicts, the gravest first.
    pub verdicts: Vec<Verdict>,
}

impl Explanation {
    /// The severity of the gravest verdict.
    pub fn severity(&self) -> Option<Severity> {
        self.verdicts.first().map(|verdict| verdict.severity)
    }
}

/// Judges a document's text (JSON, percent-encoded or quoted JSON) of `account`, read as `kind` or as what it looks like.
pub fn explain(
    text: &str,
    kind: Option<Kind>,
    account: &str,
    organization: &Organization,
) -> Result<Explanation, Unreadable> {
    let document = Document::parse(&extract::canonical(text))?;
    let kind = kind.unwrap_or_else(|| Kind::guess(&document));
    let verdicts = analysis::judge(&document, &Setting { kind, account, organization });
    Ok(Explanation { kind, verdicts })
}
