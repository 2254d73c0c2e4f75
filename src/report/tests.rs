use std::time::Duration;

use super::*;
use crate::alert::{Actor, Entity};
use crate::detectors::environment::Learning;
use crate::detectors::{EventTime, Severity};
use crate::engine::blind::BlindSpot;
use crate::engine::tally::{Files, Problem, Tally};
use crate::suppress::Silenced;

fn alert(minute: u32, severity: Severity) -> Alert {
    let mut alert: Alert = serde_json::from_str(include_str!("../../tests/fixtures/alert.json")).unwrap();
    alert.id = format!("th-{minute:032x}");
    alert.severity = severity;
    alert.window.start = format!("2026-03-01T{:02}:{:02}:00Z", 10 + minute / 60, minute % 60);
    alert.window.end = alert.window.start.clone();
    alert
}

fn tally() -> Tally {
    let mut tally = Tally::default();
    tally.files = Files { read: 7, digest: 1, failed: 1, cut: 1, ..Files::default() };
    (tally.bytes_read, tally.bytes_inflated) = (1_572_864, 20_971_520);
    (tally.records, tally.judged, tally.late) = (41_234, 41_230, 1);
    tally.span = Some((EventTime(1_772_359_200), EventTime(1_772_373_661)));
    tally.skip("no eventTime", 3);
    tally.skip("outside_span", 1);
    let problem = |record| Problem { object: "logs/b.json.gz".into(), record, what: "not valid JSON".into() };
    tally.problem(problem(None));
    tally.problem(problem(Some(17)));
    tally
}

fn silenced(reason: &str) -> [Silenced; 1] {
    let expires = toml::from_str::<crate::suppress::Suppression>("expires = 2026-12-31").unwrap().expires;
    [Silenced { reason: reason.into(), expires, count: 4, expired: 1 }]
}

const BLIND: &[BlindSpot] = &[BlindSpot {
    detector: "invocation_surge",
    text: "no Lambda data events: surges of function invocations can't be seen",
}];

const LEARNING: &Learning = &Learning { days: 14, forget_after_days: 90, lateness_minutes: 180 };

fn summary<'a>(tally: &'a Tally, silenced: &'a [Silenced], shown: &'a Shown) -> Summary<'a> {
    Summary {
        shown,
        tally,
        distinct: (41_218, false),
        blind: BLIND,
        silenced,
        hidden: (Severity::Low, 2),
        learning: LEARNING,
        elapsed: Duration::from_millis(250),
    }
}

fn shown(alerts: &[Alert], width: usize) -> String {
    let (tally, silenced) = (tally(), silenced("the website bucket is public on purpose"));
    let mut out = Vec::new();
    let shown = alerts.iter().collect();
    let report = Report { alerts, summary: summary(&tally, &silenced, &shown), width };
    report.write(&mut anstream::StripStream::new(&mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

fn assert_fits(text: &str, width: usize) {
    // What can't be broken at a space may be longer.
    for line in text.lines().filter(|line| line.trim().contains(' ')) {
        assert!(line.chars().count() <= width, "{} columns: {line}", line.chars().count());
    }
}

#[test]
fn a_whole_report() {
    let mut alerts =
        vec![alert(0, Severity::High), alert(3, Severity::Medium), alert(100, Severity::Informational)];
    alerts[0].summary =
        "ci-deploy was denied 480 calls within five minutes, 31 different ones. It never was \
                         denied more than 12 in five minutes before. Look first at what it tried to read."
            .into();
    alerts[0].next_steps =
        vec!["aws iam list-attached-role-policies --role-name ci-deploy".into(), "Ask its owner.".into()];
    for minute in 4..12 {
        alerts.push(alert(minute, Severity::Low));
    }
    let mut other = alert(50, Severity::Critical);
    other.actor = None;
    other.entity = Entity { kind: "bucket".into(), id: "arn:aws:s3:::salaries".into() };
    other.title = "salaries: anyone may read it".into();
    alerts.push(other);
    let text = shown(&alerts, 100);
    assert_fits(&text, 100);
    insta::assert_snapshot!(text);
}

#[test]
fn nothing_found_is_said() {
    let tally = Tally::default();
    let shown = Shown::default();
    let nothing = Summary {
        distinct: (0, true),
        blind: &[],
        hidden: (Severity::Low, 0),
        elapsed: Duration::ZERO,
        ..summary(&tally, &[], &shown)
    };
    let mut out = Vec::new();
    Report { alerts: &[], summary: nothing, width: 100 }
        .write(&mut anstream::StripStream::new(&mut out))
        .unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn it_fits_any_terminal() {
    let mut wordy = alert(0, Severity::Critical);
    wordy.title = "many short words of one title ".repeat(20);
    wordy.reasons[0].text = "long words and short ".repeat(40);
    for width in [0, 60, 80, 120, 500] {
        let text = shown(&[wordy.clone()], width);
        assert_fits(&text, width.clamp(80, 120));
    }
}

#[test]
fn what_an_attacker_wrote_does_not_reach_the_terminal() {
    let evil = "\u{1b}]0;owned\u{7}\u{202e}\n";
    let mut alert = alert(0, Severity::Critical);
    alert.title = evil.into();
    alert.summary = evil.into();
    alert.account = evil.into();
    alert.region = Some(evil.into());
    alert.actor = Some(Actor { id: evil.into(), kind: "IAMUser".into(), session: None, access_key: None });
    alert.reasons[0].text = evil.into();
    alert.next_steps = vec![evil.into()];
    let event = &mut alert.evidence[0];
    (event.event_id, event.event_name, event.event_source) = (evil.into(), evil.into(), evil.into());
    (event.source_ip, event.object, event.error_code) = (evil.into(), evil.into(), Some(evil.into()));
    event.event_time = evil.into();
    let mut tally = tally();
    tally.problem(Problem { object: evil.into(), record: None, what: evil.into() });
    let silenced = silenced(evil);

    // Not through a stream that strips: what is counted is what the report itself lets through.
    let mut out = Vec::new();
    let shown = [&alert].into_iter().collect();
    let report = Report { alerts: &[alert], summary: summary(&tally, &silenced, &shown), width: 80 };
    report.write(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("\u{1b}]") && !text.contains(['\u{7}', '\u{202e}']), "{text:?}");
    assert!(text.matches("]0;owned").count() >= 12, "{text}");
}
