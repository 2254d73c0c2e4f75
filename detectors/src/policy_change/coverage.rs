//! Every call that counts, with a record of it and what must be found: `tests/policy_events.tsv`.

use crate::environment::Environment;
use crate::finding::{Finding, Severity};
use crate::ledger::{KeyRef, Ledger};
use crate::policy_change::facts::Remembered;
use crate::policy_change::steps::{ACTOR, StepKind};
use crate::policy_change::{Config, PolicyChange, calls};
use crate::testing::{ACCOUNT, Call, teach};
use crate::time::{EventTime, TimeRange};
use crate::{Action, Around, Detector};

const NOON: EventTime = EventTime(1_772_366_400);
const KIM: &str = "arn:aws:iam::111122223333:user/kim";

struct Row {
    group: &'static str,
    service: &'static str,
    name: &'static str,
    expected: &'static str,
    request: &'static str,
}

fn rows() -> Vec<Row> {
    include_str!("../../tests/policy_events.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let [group, service, name, expected, request] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("five columns: {line}");
            };
            Row { group, service, name, expected, request }
        })
        .collect()
}

fn ledger(row: &Row, request: &str, error_code: &str) -> Ledger<Remembered> {
    let call = Call { request, error_code, ..Call::new(row.service, row.name, NOON) };
    teach::<PolicyChange>([&call])
}

fn findings(ledger: &Ledger<Remembered>) -> Vec<Finding> {
    let detector = PolicyChange::new(Config { report_from: Severity::Informational }).unwrap();
    let environment = Environment::default();
    let notes = Default::default();
    let around = Around { others: ledger, environment: &environment, span: TimeRange::ALL, notes: &notes };
    let mut found = Vec::new();
    for (key, facts) in ledger.sorted() {
        detector.judge(key, facts, &around, &mut found);
    }
    found
}

fn said(ledger: &Ledger<Remembered>) -> String {
    let mut lines: Vec<String> = findings(ledger)
        .iter()
        .map(|finding| {
            let codes: Vec<&str> = finding.reasons.iter().map(|reason| reason.code).collect();
            format!("{} {}", finding.severity, codes.join(" "))
        })
        .collect();
    lines
        .sort_by_key(|line| std::cmp::Reverse(Severity::ALL.iter().position(|s| line.starts_with(s.name()))));
    let actor = ledger.get(KeyRef { class: ACTOR, account: ACCOUNT, entity: KIM });
    let passed =
        actor.into_iter().flat_map(|facts| facts.steps.iter()).filter(|(_, s)| s.kind == StepKind::Pass);
    lines.extend(passed.map(|(_, step)| format!("passes {}", step.target)));
    if lines.is_empty() { "-".to_owned() } else { lines.join("; ") }
}

fn is_listed(row: &Row) -> bool {
    calls::of(&Action::new(&format!("{}.amazonaws.com", row.service), row.name)).is_some()
}

fn complain(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_call_comes_to_what_it_must() {
    let rows = rows();
    assert!(rows.len() > 560, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let said = said(&ledger(row, row.request, ""));
        // A call may hand a role over and change something else.
        let met = said == row.expected || said.split("; ").any(|part| part == row.expected);
        if !met {
            wrong.push(format!(
                "{} {}:{}: {said} instead of {}",
                row.group, row.service, row.name, row.expected
            ));
        }
    }
    complain(&wrong);
}

#[test]
fn what_failed_is_told_one_level_milder_and_never_hidden() {
    let mut wrong = Vec::new();
    for row in rows().iter().filter(|row| row.expected != "-" && row.group != "passrole") {
        let (done, tried) =
            (findings(&ledger(row, row.request, "")), findings(&ledger(row, row.request, "AccessDenied")));
        let levels = |found: &[Finding]| found.iter().map(|f| f.severity).max();
        let is_attempt = tried.iter().all(|f| f.reasons.iter().any(|r| r.code == "attempt"));
        let milder = |done: Severity| done.milder().max(done.min(Severity::Low));
        if levels(&tried) != levels(&done).map(milder) || !is_attempt {
            wrong.push(format!(
                "{}:{}: {:?} tried, {:?} done",
                row.service,
                row.name,
                levels(&tried),
                levels(&done)
            ));
        }
    }
    complain(&wrong);
}

#[test]
fn parameters_left_out_of_the_log_are_grave_for_every_call() {
    let omitted = r#"{"omitted":true,"originalSize":120000,"reason":"requestParameters too large"}"#;
    let mut wrong = Vec::new();
    // Of writing objects only what names an access list is looked at: they are written all day.
    for row in rows().iter().filter(|row| is_listed(row) && row.name != "PutObject") {
        let said = said(&ledger(row, omitted, ""));
        if said != "high omitted" {
            wrong.push(format!("{}:{}: {said}", row.service, row.name));
        }
    }
    complain(&wrong);
}

#[test]
fn what_aws_services_do_themselves_is_not_told() {
    let invoked = crate::actor::Identity {
        kind: "AWSService",
        invoked_by: "cloudtrail.amazonaws.com",
        ..Default::default()
    };
    for row in rows() {
        let call = Call { request: row.request, identity: invoked, ..Call::new(row.service, row.name, NOON) };
        let ledger = teach::<PolicyChange>([&call]);
        assert_eq!(said(&ledger), "-", "{}:{}", row.service, row.name);
    }
}
