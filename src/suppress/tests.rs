use std::sync::Arc;

use proptest::prelude::*;
use trailhound_detectors::finding::{Anchor, Circumstances, Entity, FindingActor};
use trailhound_detectors::{Severity, TimeRange};

use super::*;

fn evidence(event: (&str, &str), source_ip: &str) -> Evidence {
    Evidence {
        time: EventTime(0),
        event_id: "e".into(),
        object: "o".into(),
        circumstances: Arc::new(Circumstances {
            source: event.0.into(),
            name: event.1.into(),
            source_ip: source_ip.into(),
            ..Circumstances::default()
        }),
    }
}

fn finding(end: &str, evidence: Vec<Evidence>) -> Finding {
    let end = EventTime::parse(end).unwrap();
    Finding {
        detector: "policy_change",
        kind: "public",
        anchor: Anchor::Once("x".into()),
        severity: Severity::High,
        title: String::new(),
        summary: String::new(),
        account: "111111111111".into(),
        region: None,
        actor: Some(FindingActor {
            id: "arn:aws:iam::111111111111:role/deploy".into(),
            kind: "AssumedRole",
            session: None,
            access_key: None,
        }),
        entity: Entity { kind: "bucket", id: "arn:aws:s3:::website".into() },
        window: TimeRange { start: end, end },
        measure: None,
        reasons: vec![],
        mitre: vec![],
        evidence,
        evidence_total: 1,
        actors: vec![],
        next_steps: vec![],
        continues: None,
    }
}

fn suppression(matchers: &str) -> Suppression {
    toml::from_str(&format!("reason = \"r\"\nexpires = \"2026-03-01\"\n{matchers}")).unwrap()
}

fn put_policy(source_ip: &str) -> Vec<Evidence> {
    vec![evidence(("s3.amazonaws.com", "PutBucketPolicy"), source_ip)]
}

fn silences(matchers: &str, finding: Finding) -> bool {
    sift(vec![finding], &[suppression(matchers)]).kept.is_empty()
}

#[test]
fn every_matcher_given_must_match() {
    for (matchers, silenced) in [
        ("detector = 'policy_change'", true),
        ("detector = 'policy_*'\nkind = 'public'", true),
        ("detector = 'policy_*'\nkind = 'admin'", false),
        ("actor = '*:role/deploy'", true),
        ("actor = '*:role/deplo'", false),
        ("account = '11111111111?'", true),
        ("entity = 'arn:aws:s3:::web*'", true),
        ("event = 's3:PutBucketPolicy'", true),
        ("event = 's3:PutBucketAcl'", false),
        ("source = '203.0.113.0/24'", true),
        ("source = '203.0.113.77'", false),
        ("source = '2001:db8::/32'", false),
    ] {
        assert_eq!(
            silences(matchers, finding("2026-03-01T12:00:00Z", put_policy("203.0.113.9"))),
            silenced,
            "{matchers}"
        );
    }
}

#[test]
fn all_evidence_must_match_and_no_evidence_is_no_match() {
    let mut mixed = put_policy("203.0.113.9");
    mixed.extend(put_policy("198.51.100.1"));
    assert!(!silences("source = '203.0.113.0/24'", finding("2026-03-01T12:00:00Z", mixed)));
    assert!(!silences("event = '*'\nkind = 'public'", finding("2026-03-01T12:00:00Z", vec![])));
}

#[test]
fn expiry_is_by_event_time_to_the_last_second_of_the_day() {
    let at = |time| silences("kind = 'public'", finding(time, vec![]));
    assert!(at("2026-03-01T23:59:59Z"));
    assert!(!at("2026-03-02T00:00:00Z"));
}

#[test]
fn the_first_that_matches_counts_and_the_expired_are_counted_apart() {
    let mut expired = suppression("kind = 'public'");
    expired.expires = toml::from_str::<Suppression>("expires = 2025-01-01").unwrap().expires;
    let list = [expired, suppression("kind = 'public'"), suppression("kind = 'pub*'")];
    let sifted = sift(vec![finding("2026-03-01T12:00:00Z", vec![])], &list);
    let counts: Vec<_> = sifted.silenced.iter().map(|s| (s.count, s.expired)).collect();
    assert_eq!(counts, [(0, 1), (1, 0), (0, 0)]);
    assert!(sifted.kept.is_empty());
}

#[test]
fn lambda_versions_are_no_part_of_an_event() {
    let versioned = vec![evidence(("lambda.amazonaws.com", "AddPermission20150331v2"), "203.0.113.9")];
    assert!(silences("event = 'lambda:AddPermission'", finding("2026-03-01T12:00:00Z", versioned)));
}

#[test]
fn what_would_silence_everything_is_refused() {
    for (matchers, field) in [("", "reason"), ("kind = '*'", "reason"), ("actor = '**'", "reason")] {
        assert_eq!(suppression(matchers).check().unwrap_err().field, field, "{matchers}");
    }
    assert_eq!(suppression("source = '10.0.0.0/8'").check(), Ok(()));
    let reasonless = Suppression { reason: " ".into(), ..suppression("kind = 'public'") };
    assert_eq!(reasonless.check().unwrap_err().field, "reason");
    let endless: Suppression = toml::from_str("reason = 'r'\nkind = 'public'").unwrap();
    assert_eq!(endless.check().unwrap_err().field, "expires");
}

#[test]
fn bad_ranges_and_days_are_refused() {
    for bad in ["source = '10.0.0.0/33'", "source = '10.0.0/8'", "source = ''", "expires = '31.12.2026'"] {
        assert!(toml::from_str::<Suppression>(bad).is_err(), "{bad}");
    }
}

#[test]
fn ipv6_ranges() {
    let source = Source::try_from("2001:db8::/32".to_owned()).unwrap();
    assert!(source.matches("2001:db8:1::7"));
    assert!(!source.matches("2001:db9::7"));
    assert!(!source.matches("32.1.13.184"));
    assert!(Source::try_from("0.0.0.0/0".to_owned()).unwrap().matches("8.8.8.8"));
}

#[test]
fn patterns() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("*", "", true),
        ("a*b*c", "axxbyybc", true),
        ("a*b*c", "axxbyyb", false),
        ("?", "ü", true),
        ("??", "ü", false),
        ("*aab", "aaaaab", true),
        ("a", "A", false),
        ("a*", "b", false),
    ] {
        assert_eq!(Pattern(pattern.into()).matches(text), expected, "{pattern} {text}");
    }
}

proptest! {
    #[test]
    fn a_pattern_agrees_with_the_obvious_recursion(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        fn obvious(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern, text) {
                ([], _) => text.is_empty(),
                ([b'*', rest @ ..], _) => (0..=text.len()).any(|i| obvious(rest, &text[i..])),
                ([b'?', p @ ..], [_, t @ ..]) => obvious(p, t),
                ([a, p @ ..], [b, t @ ..]) => a == b && obvious(p, t),
                _ => false,
            }
        }
        prop_assert_eq!(Pattern(pattern.clone()).matches(&text), obvious(pattern.as_bytes(), text.as_bytes()));
    }
}
