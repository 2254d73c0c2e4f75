//! A finding dressed for the world: the public form of what Trailhound says, version 1.
//!
//! Field names and their order are an interface that other programs read: add, never rename. Every field is always
//! present, `null` where there is nothing to say, but for `detected_at`, the one field taken from the wall clock, which
//! replay leaves out: the same trail gives the same bytes.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trailhound_detectors::finding::{self, Finding};
use trailhound_detectors::{EventTime, Severity, TimeRange};

/// The name and version of the form.
pub const SCHEMA: &str = "trailhound.alert/1";

/// The version of this program, as alerts state it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Longer texts are cut, bytes: no name AWS gives is longer, and whoever calls may make names up.
const LONGEST: usize = 4_096;

/// A text, cut where it is too long; then it ends in `…`.
fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

fn cut_shared(text: &Arc<str>) -> Arc<str> {
    if text.len() > LONGEST { cut(text.to_string()).into() } else { Arc::clone(text) }
}

/// A string that is a literal for alerts made here and owned for alerts read back.
type Word = Cow<'static, str>;

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// [`SCHEMA`].
    pub schema: Word,
    /// `th-` and 32 hex digits; equal for the same finding in any run.
    pub id: String,
    /// The detector's name.
    pub detector: Word,
    /// A finer class inside the detector.
    pub kind: Word,
    /// How much it matters.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Plain sentences.
    pub summary: String,
    /// The account it happened in.
    pub account: String,
    /// The region; nothing when it spans regions.
    pub region: Option<String>,
    /// Who did it, when it is one actor.
    pub actor: Option<Actor>,
    /// What the finding is about.
    pub entity: Entity,
    /// When it happened.
    pub window: Window,
    /// What was counted; nothing where counting is not the point. So with the three below.
    pub observed: Option<Number>,
    /// What was to be expected.
    pub expected: Option<Number>,
    /// The least that would have raised the alert.
    pub threshold: Option<Number>,
    /// For example `calls in 5 minutes`.
    pub unit: Option<Word>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// MITRE ATT&CK technique ids.
    pub mitre: Vec<Word>,
    /// Events to look at: a sample.
    pub evidence: Vec<Evidence>,
    /// How many events there are in all.
    pub evidence_total: u64,
    /// The actors with the largest shares first, where the key is not an actor.
    pub actors: Vec<Share>,
    /// Live: counts up when the same id is sent again with a higher severity. Replay: always the final form, 0.
    pub revision: u32,
    /// The alert this one continues.
    pub continues: Option<String>,
    /// What to do.
    pub next_steps: Vec<String>,
    /// Digest of the configuration that judged.
    pub config: Arc<str>,
    /// [`VERSION`].
    pub version: Word,
    /// When live found it, RFC 3339. Absent in replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_at: Option<String>,
}

/// The actor of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The actor's id: never a session.
    pub id: String,
    /// `userIdentity.type` where AWS has one.
    #[serde(rename = "type")]
    pub kind: Word,
    /// A session of the actor.
    pub session: Option<String>,
    /// An access key of the actor.
    pub access_key: Option<String>,
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// `actor`, `function`, `bucket`, `role`, `policy`, `trail`, `api`…
    #[serde(rename = "type")]
    pub kind: Word,
    /// Its ARN or name.
    pub id: String,
}

/// From the first to the last second, RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first.
    pub start: String,
    /// The last.
    pub end: String,
}

/// One reason: a code for machines, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable.
    pub code: Word,
    /// Plain.
    pub text: String,
}

/// One event to look at, and the log object it stands in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `eventID`.
    pub event_id: Arc<str>,
    /// `eventTime`, RFC 3339.
    pub event_time: String,
    /// `eventSource`.
    pub event_source: Arc<str>,
    /// `eventName`.
    pub event_name: Arc<str>,
    /// `errorCode`.
    pub error_code: Option<Arc<str>>,
    /// `sourceIPAddress`.
    pub source_ip: Arc<str>,
    /// `s3://bucket/key`, or a path.
    pub object: Arc<str>,
}

/// An actor's share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The actor's id.
    pub id: String,
    /// How many of the observed events are its.
    pub count: u64,
}

/// A figure that is written without `.0` when it is whole: `480`, `12.5`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Every whole number up to here is exact in an `f64`.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^53")]
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// What made an alert, beside the finding itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Digest of the configuration that judged, `sha256:…`.
    pub config: Arc<str>,
}

impl Alert {
    /// Dresses a finding. Its final form, without a wall-clock time: what replay says.
    pub fn new(finding: Finding, provenance: &Provenance) -> Self {
        let id = finding.id();
        let (observed, expected, threshold, unit) = match finding.measure {
            Some(m) => (
                Some(Number(m.observed)),
                m.expected.map(Number),
                Some(Number(m.threshold)),
                Some(Word::Borrowed(m.unit)),
            ),
            None => (None, None, None, None),
        };
        Self {
            schema: SCHEMA.into(),
            id,
            detector: finding.detector.into(),
            kind: finding.kind.into(),
            severity: finding.severity,
            title: cut(finding.title),
            summary: cut(finding.summary),
            account: cut(finding.account),
            region: finding.region.map(cut),
            actor: finding.actor.map(Actor::from),
            entity: Entity { kind: finding.entity.kind.into(), id: cut(finding.entity.id) },
            window: finding.window.into(),
            observed,
            expected,
            threshold,
            unit,
            reasons: finding.reasons.into_iter().map(Reason::from).collect(),
            mitre: finding.mitre.into_iter().map(Word::Borrowed).collect(),
            evidence: finding.evidence.into_iter().map(Evidence::from).collect(),
            evidence_total: finding.evidence_total,
            actors: finding.actors.into_iter().map(|s| Share { id: cut(s.id), count: s.count }).collect(),
            revision: 0,
            continues: finding.continues,
            next_steps: finding.next_steps.into_iter().map(cut).collect(),
            config: Arc::clone(&provenance.config),
            version: VERSION.into(),
            detected_at: None,
        }
    }
}

impl From<finding::FindingActor> for Actor {
    fn from(actor: finding::FindingActor) -> Self {
        Self {
            id: cut(actor.id),
            kind: actor.kind.into(),
            session: actor.session.map(cut),
            access_key: actor.access_key.map(cut),
        }
    }
}

impl From<finding::Reason> for Reason {
    fn from(reason: finding::Reason) -> Self {
        Self { code: reason.code.into(), text: cut(reason.text) }
    }
}

impl From<finding::Evidence> for Evidence {
    fn from(evidence: finding::Evidence) -> Self {
        Self {
            event_id: cut(evidence.event_id.to_string()).into(),
            event_time: evidence.time.to_string(),
            event_source: cut_shared(&evidence.source),
            event_name: cut_shared(&evidence.name),
            error_code: evidence.error_code.as_ref().map(cut_shared),
            source_ip: cut_shared(&evidence.source_ip),
            object: cut_shared(&evidence.object),
        }
    }
}

impl From<TimeRange> for Window {
    fn from(range: TimeRange) -> Self {
        Self { start: range.start.to_string(), end: range.end.to_string() }
    }
}

impl Window {
    /// The first second.
    pub fn start(&self) -> Option<EventTime> {
        EventTime::parse(&self.start)
    }

    /// The last second.
    pub fn end(&self) -> Option<EventTime> {
        EventTime::parse(&self.end)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use trailhound_detectors::finding::{Anchor, FindingActor, Measure};

    use super::*;

    pub(crate) fn finding() -> Finding {
        let role = "arn:aws:iam::123456789012:role/ci-deploy";
        Finding {
            detector: "access_denied_spike",
            kind: "denied_calls",
            anchor: Anchor::Hour(492_298),
            severity: Severity::High,
            title: "ci-deploy: 480 denied calls in 5 minutes".into(),
            summary: "what happened".into(),
            account: "123456789012".into(),
            region: None,
            actor: Some(FindingActor {
                id: role.into(),
                kind: "AssumedRole",
                session: Some("i-0abc".into()),
                access_key: None,
            }),
            entity: finding::Entity { kind: "actor", id: role.into() },
            window: TimeRange { start: EventTime(1_772_359_200), end: EventTime(1_772_359_500) },
            measure: Some(Measure {
                observed: 480.0,
                expected: Some(12.5),
                threshold: 50.0,
                unit: "calls in 5 minutes",
            }),
            reasons: vec![finding::Reason::new("distinct_actions", "31 different actions")],
            mitre: vec!["T1580"],
            evidence: vec![finding::Evidence {
                time: EventTime(1_772_359_200),
                event_id: "e-1".into(),
                object: "s3://bucket/key".into(),
                circumstances: Arc::new(finding::Circumstances {
                    source: "s3.amazonaws.com".into(),
                    name: "ListBuckets".into(),
                    error_code: Some("AccessDenied".into()),
                    source_ip: "203.0.113.9".into(),
                    session: "i-0abc".into(),
                    access_key: "".into(),
                }),
            }],
            evidence_total: 480,
            actors: vec![],
            next_steps: vec!["look".into()],
            continues: None,
        }
    }

    fn alert(finding: Finding) -> Alert {
        Alert::new(finding, &Provenance { config: "sha256:00".into() })
    }

    #[test]
    fn made_up_names_are_cut() {
        let long: String = "ü".repeat(200_000);
        let mut finding = finding();
        let id = finding.id();
        for text in [&mut finding.title, &mut finding.summary, &mut finding.entity.id] {
            text.clone_from(&long);
        }
        finding.actor.as_mut().unwrap().id.clone_from(&long);
        finding.reasons[0].text.clone_from(&long);
        finding.next_steps = vec![format!("aws sts x{long}")];
        let circumstances = finding::Circumstances { name: long.into(), ..Default::default() };
        finding.evidence[0].circumstances = Arc::new(circumstances);
        let alert = Alert::new(finding, &Provenance { config: "c".into() });
        let texts =
            [&alert.title, &alert.summary, &alert.entity.id, &alert.reasons[0].text, &alert.next_steps[0]];
        for text in texts.map(String::as_str).into_iter().chain([&*alert.evidence[0].event_name]) {
            assert!(text.ends_with("ü…") && (LONGEST..LONGEST + 4).contains(&text.len()), "{}", text.len());
        }
        assert!(serde_json::to_string(&alert).unwrap().len() < 10 * LONGEST);
        assert_eq!(id.len(), alert.id.len());
    }

    #[test]
    fn the_public_form() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&alert(finding())).unwrap());
    }

    #[test]
    fn nothing_is_left_out_where_there_is_nothing_to_say() {
        let bare = alert(Finding { actor: None, measure: None, region: None, ..finding() });
        let json = serde_json::to_value(&bare).unwrap();
        for field in ["region", "actor", "observed", "expected", "threshold", "unit", "continues"] {
            assert_eq!(json.get(field), Some(&serde_json::Value::Null), "{field}");
        }
        assert_eq!(json.get("detected_at"), None, "the wall clock stays out of replay");
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let mut written = alert(finding());
        written.detected_at = Some("2026-03-01T10:09:41Z".into());
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(serde_json::from_str::<Alert>(&text).unwrap(), written);
    }

    #[test]
    fn figures_are_whole_where_they_can_be() {
        let text = |n: f64| serde_json::to_string(&Number(n)).unwrap();
        assert_eq!([text(480.0), text(12.5), text(-3.0), text(1e300)], ["480", "12.5", "-3", "1e+300"]);
        assert_eq!(text(f64::NAN), "null");
    }
}
