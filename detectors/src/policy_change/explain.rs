//! The analysis of a document by itself, for people and pipelines.

use serde::Serialize;

use crate::environment::Organization;
use crate::finding::Severity;
use crate::policy_change::analysis::{self, Kind, Setting};
use crate::policy_change::cedar;
use crate::policy_change::document::{Document, MAX_BYTES, Unreadable};
use crate::policy_change::opensearch;
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

/// Judges a document's text (JSON, percent-encoded or quoted JSON; Cedar) of `account`, read as `kind` or as what it looks like.
pub fn explain(
    text: &str,
    kind: Option<Kind>,
    account: &str,
    organization: &Organization,
) -> Result<Explanation, Unreadable> {
    let kind = kind
        .or_else(|| cedar::looks_like(text).then_some(Kind::Cedar))
        .or_else(|| opensearch::looks_like(text).then_some(Kind::OpenSearch));
    match kind {
        Some(Kind::Cedar) if text.len() > MAX_BYTES => return Err(Unreadable::TooLong),
        Some(kind @ Kind::Cedar) => return Ok(Explanation { kind, verdicts: cedar::judge(text) }),
        Some(kind @ Kind::OpenSearch) => {
            let verdicts = opensearch::judge(text, &Setting { kind, account, organization })?;
            return Ok(Explanation { kind, verdicts });
        }
        _ => {}
    }
    let document = Document::of_text(text)?;
    let kind = kind.unwrap_or_else(|| Kind::guess(&document));
    let verdicts = analysis::judge(&document, &Setting { kind, account, organization });
    Ok(Explanation { kind, verdicts })
}
