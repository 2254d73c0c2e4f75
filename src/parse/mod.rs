//! From the bytes of a log object to events, and to located errors for what is none. The only part that knows
//! CloudTrail's JSON.
//!
//! A record that can't be read costs itself alone; an object that was cut off gives what stands before the cut. Every
//! record that was seen is either judged or skipped with a reason.

mod block;
mod callers;
mod document;
mod fields;
mod scan;
mod stops;
mod tape;

use std::collections::BTreeMap;
use std::fmt;

use trailhound_detectors::time::LoggedMinute;
use trailhound_detectors::{ActionTable, ActorTable, Event};

use crate::ingest::{ObjectKind, Origin};

/// A record larger than this is skipped. CloudTrail's own limit is 256 KB an event, 1 MB in CloudTrail Lake.
pub const MAX_RECORD_BYTES: usize = 2 << 20;
/// Skipped records described one by one, of each object; all are counted.
const DESCRIBED_SKIPS: usize = 16;

/// What outlives objects: every action and actor seen so far, interned. One of each thread.
#[derive(Debug)]
pub struct Tables {
    /// Actions.
    pub actions: ActionTable,
    /// Actors.
    pub actors: ActorTable,
}

/// What an object turned out to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// No record at all.
    #[default]
    Empty,
    /// Records of calls.
    Trail,
    /// A digest: hashes of delivered objects.
    Digest,
    /// Insights alone.
    Insight,
    /// Not JSON.
    NotJson,
}

/// Why a record was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// Not valid JSON.
    InvalidJson,
    /// Nested deeper than any AWS document.
    TooDeep,
    /// Larger than [`MAX_RECORD_BYTES`].
    TooLarge,
    /// Not an object.
    NotAnObject,
    /// No `eventTime`.
    NoTime,
    /// An `eventTime` that is none.
    BadTime,
    /// No `eventSource` or no `eventName`.
    NoAction,
    /// An Insights event: a statistic about calls, not a call.
    Insight,
    /// The object ends inside it.
    Cut,
}

impl SkipReason {
    /// The stable name reports count it under.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::NotAnObject => "not_an_object",
            Self::NoTime => "no_event_time",
            Self::BadTime => "bad_event_time",
            Self::NoAction => "no_action",
            Self::Insight => "insights_event",
            Self::Cut => "cut_off",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidJson => "not valid JSON",
            Self::TooDeep => "nested too deep",
            Self::TooLarge => "too large",
            Self::NotAnObject => "not an object",
            Self::NoTime => "no eventTime",
            Self::BadTime => "unreadable eventTime",
            Self::NoAction => "no eventSource or eventName",
            Self::Insight => "Insights event",
            Self::Cut => "cut off",
        })
    }
}

/// A record that was not judged, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Its number in the object, from 0.
    pub index: u64,
    /// Why.
    pub reason: SkipReason,
    /// What exactly; may be empty.
    pub detail: String,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail.as_str() {
            "" => write!(f, "{}", self.reason),
            detail => write!(f, "{}: {detail}", self.reason),
        }
    }
}

/// What became of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// What it held.
    pub content: Content,
    /// Records seen: those judged and those skipped.
    pub records: u64,
    /// Records that became events.
    pub judged: u64,
    /// Records that did not, by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// The first of those, with their places.
    pub skips: Vec<Skip>,
    /// Events delivered later than the lateness horizon; they are among the judged.
    pub late: u64,
    /// The object ends in the middle, after so many whole records.
    pub cut_after: Option<u64>,
    /// The object held bytes that are not UTF-8; they were read as U+FFFD.
    pub lossy: bool,
}

impl Parsed {
    fn skip(&mut self, reason: SkipReason, detail: impl fmt::Display) {
        if self.skips.len() < DESCRIBED_SKIPS {
            let detail = detail.to_string();
            let detail = detail.chars().take(120).collect();
            self.skips.push(Skip { index: self.records, reason, detail });
        }
        self.records += 1;
        *self.skipped.entry(reason).or_default() += 1;
    }

    /// What an object holds is told by its records where there are any.
    fn settle(&mut self, named: ObjectKind) {
        if self.content == Content::Digest || self.content == Content::NotJson {
            return;
        }
        let insights = self.skipped.get(&SkipReason::Insight).copied().unwrap_or(0);
        self.content = match self.records {
            0 if named == ObjectKind::Digest => Content::Digest,
            0 => Content::Empty,
            records if records == insights => Content::Insight,
            _ => Content::Trail,
        };
    }
}

/// Parses objects one after another, in memory that is used again.
#[derive(Debug, Default)]
pub struct Parser {
    stops: stops::Stops,
    callers: callers::Callers,
    tape: tape::TapeReader,
    block: block::Block<'static>,
}

impl Parser {
    /// A parser with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `each` with all events of an object, some at a time and in order. A record is late when its time lies more than
    /// `lateness_seconds` before the object's delivery.
    pub fn records(
        &mut self,
        bytes: &[u8],
        origin: &Origin,
        lateness_seconds: i64,
        tables: &mut Tables,
        each: &mut impl FnMut(&[Event<'_>]),
    ) -> Parsed {
        let on_time_from = origin.delivered.map(|d| d.plus(lateness_seconds.saturating_neg()));
        let (parsed, block) = (Parsed::default(), block::Block::default());
        let times = fields::Times { on_time_from, minute: LoggedMinute::default() };
        let sink = fields::Sink { origin, times, tables, each, parsed, block };
        let mut parsed = match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => document::read(text, self, sink),
            Err(_) => {
                let text = String::from_utf8_lossy(bytes);
                let parsed = document::read(&text, self, sink);
                Parsed { lossy: true, ..parsed }
            }
        };
        parsed.settle(origin.kind);
        parsed
    }
}

#[cfg(test)]
mod tests;
