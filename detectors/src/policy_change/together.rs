//! What a policy makes possible only together with others of the same user, role or group.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::policy_change::document::Document;
use crate::policy_change::escalation::{self, Path};
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::work::Work;

/// Verdicts on paths that neither the new document nor the others, with the one it replaces, make possible alone.
pub(crate) fn judge(new: &Document, before: Option<&Document>, others: &[Rc<Document>]) -> Vec<Verdict> {
    if others.is_empty() || !escalation::has_part(new, &Work::default()) {
        return Vec::new();
    }
    let with = |documents: &[&Document]| {
        let theirs = others.iter().flat_map(|other| &other.statements);
        let own = documents.iter().flat_map(|document| &document.statements);
        Document { statements: theirs.chain(own).cloned().collect() }
    };
    let paths = |document: &Document| escalation::paths(document, &Work::default());
    let known = [paths(new), paths(&with(before.as_slice()))].concat();
    let mut found: BTreeMap<Code, Vec<String>> = BTreeMap::new();
    for (path, code) in paths(&with(&[new])) {
        if !known.iter().any(|(known, _)| known.id == path.id) {
            found.entry(code).or_default().push(said(path));
        }
    }
    let verdict = |(code, paths): (Code, Vec<String>)| {
        const SHOWN: usize = 5;
        let more = match paths.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = paths[..paths.len().min(SHOWN)].join(", ");
        Verdict::new(code, format!("possible together with its other policies: {shown}{more}"), Vec::new())
    };
    found.into_iter().map(verdict).collect()
}

fn said(path: &Path) -> String {
    format!("{} ({})", path.id, path.actions.join(" + "))
}
