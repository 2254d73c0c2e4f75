//! What judging finds, before it is dressed as an alert.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::action::Action;
use crate::event::Event;
use crate::event_id::{DIGITS, EventId};
use crate::ledger::Strings;
use crate::strings::same;
use crate::time::{EventTime, TimeRange};

/// How much a finding matters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing when looking at the rest.
    Informational,
    /// Look at it this week.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Wake somebody.
    Critical,
}

impl Severity {
    /// All, mildest first.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The lower-case name.
    pub fn name(self) -> &'static str {
        ["informational", "low", "medium", "high", "critical"][self as usize]
    }

    /// One level milder.
    #[must_use]
    pub fn milder(self) -> Self {
        Self::ALL[(self as usize).saturating_sub(1)]
    }

    /// One level graver.
    #[must_use]
    pub fn graver(self) -> Self {
        Self::ALL[(self as usize + 1).min(Self::ALL.len() - 1)]
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A record an alert points at. Ordered by time, then event id, then object: the order of samples.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// `eventTime`.
    pub time: EventTime,
    /// `eventID`.
    pub event_id: EventId,
    /// The log object.
    pub object: Arc<str>,
    /// The rest, which repeats from record to record and is kept once. Its fields are read as the evidence's own.
    pub circumstances: Arc<Circumstances>,
}

/// What was called, from where and with which credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Circumstances {
    /// `eventSource`.
    pub source: Arc<str>,
    /// `eventName`.
    pub name: Arc<str>,
    /// `errorCode`, or nothing.
    pub error_code: Option<Arc<str>>,
    /// `sourceIPAddress`.
    pub source_ip: Arc<str>,
    /// The session the actor called in; empty when there is none.
    pub session: Arc<str>,
    /// The access key used; empty when there is none.
    pub access_key: Arc<str>,
}

impl Circumstances {
    /// Whether the call is this action.
    pub(crate) fn is_of(&self, action: &Action) -> bool {
        same(&self.name, &action.logged_name) && same(&self.source, &action.source)
    }
}

impl std::ops::Deref for Evidence {
    type Target = Circumstances;

    fn deref(&self) -> &Circumstances {
        &self.circumstances
    }
}

impl Evidence {
    /// Whether both are of the same record, in whichever object each of them stands.
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        self.time == other.time
            && self.event_id == other.event_id
            && self.circumstances == other.circumstances
    }

    /// Evidence of an event that failed with another code than the record has.
    pub fn with_code(event: &Event<'_>, error_code: &str, strings: &mut Strings) -> Self {
        let evidence = event.evidence(strings);
        if error_code == event.error_code {
            return evidence;
        }
        Self { circumstances: strings.circumstances(event, error_code), ..evidence }
    }
}

/// What a finding is about, when that is not the actor: a function, bucket, role, policy, trail, API…
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entity {
    /// The sort of thing.
    pub kind: &'static str,
    /// Its ARN or name.
    pub id: String,
}

/// One reason for a finding: a stable code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// Stable, for machines.
    pub code: &'static str,
    /// For people.
    pub text: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// The actor of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingActor {
    /// The actor's id.
    pub id: String,
    /// [`ActorKind::name`](crate::actor::ActorKind::name).
    pub kind: &'static str,
    /// A session of the actor, where the evidence names one.
    pub session: Option<String>,
    /// An access key, where the evidence names one.
    pub access_key: Option<String>,
}

/// An actor's share in a finding whose key is not an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The actor's id.
    pub id: String,
    /// How many of the observed events are its.
    pub count: u64,
}

/// What was counted, and against what.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What was seen.
    pub observed: f64,
    /// What was to be expected; nothing where there is no history.
    pub expected: Option<f64>,
    /// The least that would have raised the finding.
    pub threshold: f64,
    /// For example `calls in 5 minutes`.
    pub unit: &'static str,
}

/// The finding's identity in time: findings of the same key and anchor are the same finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// One finding an hour, counted from the epoch.
    Hour(i64),
    /// One finding for one thing: the call or first use it tells of.
    Once(String),
}

/// What judging found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// [`Detector::NAME`](crate::detector::Detector::NAME).
    pub detector: &'static str,
    /// A finer class inside the detector.
    pub kind: &'static str,
    /// The finding's identity in time.
    pub anchor: Anchor,
    /// How much it matters.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Plain sentences: what happened, why it is unusual, what to look at first.
    pub summary: String,
    /// The account it happened in.
    pub account: String,
    /// The region, when it is one.
    pub region: Option<String>,
    /// Who did it, when it is one actor.
    pub actor: Option<FindingActor>,
    /// What the key is.
    pub entity: Entity,
    /// When it happened, both ends included.
    pub window: TimeRange,
    /// Counts, where counting is the point.
    pub measure: Option<Measure>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// MITRE ATT&CK technique ids.
    pub mitre: Vec<&'static str>,
    /// Events to look at.
    pub evidence: Vec<Evidence>,
    /// How many events there are in all.
    pub evidence_total: u64,
    /// The actors with the largest shares first, where the key is not an actor.
    pub actors: Vec<Share>,
    /// What to do, short and concrete.
    pub next_steps: Vec<String>,
    /// Other findings of the same story, by [`Finding::id`]: this one continues that one.
    pub continues: Option<String>,
}

impl Finding {
    /// The deterministic id: a hash of detector, kind, account, entity and anchor. Never of evidence or severity, which
    /// may grow.
    pub fn id(&self) -> String {
        let anchor = match &self.anchor {
            Anchor::Hour(hour) => format!("hour {hour}"),
            Anchor::Once(what) => format!("once {what}"),
        };
        let mut hash = Sha256::new();
        for part in [self.detector, self.kind, &self.account, self.entity.kind, &self.entity.id, &anchor] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut id = String::with_capacity(35);
        id.push_str("th-");
        for byte in &digest[..16] {
            id.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
        }
        id
    }
}

/// `4812` → `4,812`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
