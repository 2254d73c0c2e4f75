//! Policy documents and the verdicts they must get: tables beside this file, expectations written by hand.

use std::collections::BTreeSet;

use trailhound_detectors::environment::Organization;
use trailhound_detectors::policy_change::{Kind, explain};

const TABLES: [(&str, &str); 14] = [
    ("compute.tsv", include_str!("compute.tsv")),
    ("data.tsv", include_str!("data.tsv")),
    ("escalation.tsv", include_str!("escalation.tsv")),
    ("fences.tsv", include_str!("fences.tsv")),
    ("guardrails.tsv", include_str!("guardrails.tsv")),
    ("identity.tsv", include_str!("identity.tsv")),
    ("kms.tsv", include_str!("kms.tsv")),
    ("messages.tsv", include_str!("messages.tsv")),
    ("opensearch.tsv", include_str!("opensearch.tsv")),
    ("principals.tsv", include_str!("principals.tsv")),
    ("recorded.tsv", include_str!("recorded.tsv")),
    ("s3.tsv", include_str!("s3.tsv")),
    ("shapes.tsv", include_str!("shapes.tsv")),
    ("trust.tsv", include_str!("trust.tsv")),
];

struct Row {
    place: String,
    source: String,
    kind: Kind,
    account: String,
    expected: String,
    document: String,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (table, text) in TABLES {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let place = format!("{table}:{}", number + 1);
            let columns: Vec<&str> = line.splitn(5, '\t').collect();
            let [source, kind, account, expected, document] = columns[..] else {
                panic!("{place}: five columns, not {}", columns.len());
            };
            rows.push(Row {
                kind: Kind::named(kind).unwrap_or_else(|| panic!("{place}: no kind {kind}")),
                source: source.to_owned(),
                account: account.to_owned(),
                expected: expected.to_owned(),
                document: document.to_owned(),
                place,
            });
        }
    }
    rows
}

/// `high public, low vendor`: each once, in order; `none`; or `unreadable`.
fn verdicts(row: &Row) -> String {
    match explain(&row.document, Some(row.kind), &row.account, &Organization::default()) {
        Err(_) => "unreadable".to_owned(),
        Ok(explanation) => {
            let mut seen = BTreeSet::new();
            let mut said: Vec<String> = Vec::new();
            for verdict in &explanation.verdicts {
                assert!(!verdict.text.is_empty(), "{}: a verdict without a reason", row.place);
                let text = format!("{} {}", verdict.severity, verdict.code.name());
                if seen.insert(text.clone()) {
                    said.push(text);
                }
            }
            if said.is_empty() { "none".to_owned() } else { said.join(", ") }
        }
    }
}

#[test]
fn every_document_gets_its_verdicts() {
    let wrong: Vec<String> = rows()
        .iter()
        .filter(|row| verdicts(row) != row.expected)
        .map(|row| {
            format!("{}: {} instead of {}\n    {}", row.place, verdicts(row), row.expected, row.document)
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_corpus_is_large_and_largely_real() {
    let rows = rows();
    // Documentation of AWS, its managed policies, and records of public sets; not what was written after a list of actions.
    let is_real = |row: &&Row| {
        ["AWS: ", "AWS managed policy: ", "github.com/"].iter().any(|source| row.source.starts_with(source))
    };
    let mut real: Vec<&str> = rows.iter().filter(is_real).map(|row| row.document.as_str()).collect();
    let all = real.len();
    real.sort_unstable();
    real.dedup();
    assert!(rows.len() >= 300 && real.len() >= 100, "{} documents, {} real ones", rows.len(), real.len());
    assert!(real.len() + 10 >= all, "{} of the real ones are copies", all - real.len());
}
