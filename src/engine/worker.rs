//! One thread's part of the engine: bytes of log objects in, facts and counts out.

use std::collections::BTreeSet;
use std::sync::Arc;

use trailhound_detectors::TimeRange;
use trailhound_detectors::action::stable_hash;
use trailhound_detectors::catalogue::{self, Ledgers};
use trailhound_detectors::{ActionTable, ActorTable, Event, EventTime};

use super::tally::{Problem, Tally};
use crate::inflate::{Ending, Inflater, Limits};
use crate::ingest::{ObjectKind, Origin};
use crate::parse::{Content, Parser, Tables};

/// Which records are judged; the others are skipped, and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Event times wanted.
    pub span: TimeRange,
    /// Accounts wanted; none means all.
    pub accounts: BTreeSet<String>,
}

impl Default for Selection {
    fn default() -> Self {
        Self { span: TimeRange::ALL, accounts: BTreeSet::new() }
    }
}

/// Everything a worker must be told.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// Caps on inflation.
    pub limits: Limits,
    /// A record delivered later than this after its event is late, seconds.
    pub lateness_seconds: i64,
    /// Which records are judged.
    pub selection: Selection,
}

/// Reads objects one after another into facts of its own.
#[derive(Debug)]
pub struct Worker {
    intake: Arc<Intake>,
    inflater: Inflater,
    parser: Parser,
    tables: Tables,
    /// What the objects taught.
    pub ledgers: Ledgers,
    /// What became of them.
    pub tally: Tally,
}

impl Worker {
    /// A worker that knows nothing yet.
    pub fn new(intake: Arc<Intake>) -> Self {
        Self::one_of(1, intake)
    }

    /// A worker that knows nothing yet, one of so many that part the keys among them.
    pub fn one_of(workers: usize, intake: Arc<Intake>) -> Self {
        Self {
            inflater: Inflater::new(intake.limits),
            parser: Parser::new(),
            tables: Tables { actions: ActionTable::new(catalogue::claims), actors: ActorTable::default() },
            ledgers: Ledgers::in_parts(workers),
            tally: Tally::default(),
            intake,
        }
    }

    /// Takes in one log object, as it is stored.
    pub fn take(&mut self, origin: &Origin, stored: &[u8]) {
        let Self { intake, inflater, parser, tables, ledgers, tally } = self;
        tally.bytes_read += stored.len() as u64;
        match origin.kind {
            ObjectKind::Digest => {
                tally.files.digest += 1;
                return;
            }
            ObjectKind::Insight => {
                tally.files.insight += 1;
                return;
            }
            ObjectKind::Trail | ObjectKind::Other => {}
        }
        let (bytes, ending) = inflater.inflate(stored);
        tally.bytes_inflated += bytes.len() as u64;
        let Selection { span, accounts } = &intake.selection;
        let (mut outside, mut elsewhere) = (0, 0);
        let mut is_wanted = |event: &Event<'_>| {
            if !span.contains(event.time) {
                outside += 1;
            } else if !accounts.is_empty() && !accounts.contains(event.account) {
                elsewhere += 1;
            } else {
                return true;
            }
            false
        };
        let parsed = parser.records(bytes, origin, intake.lateness_seconds, tables, &mut |events| {
            // All of them, as a rule.
            for wanted in events.split(|event| !is_wanted(event)) {
                for event in wanted {
                    let record_id = if event.shared_event_id.is_empty() {
                        event.call.0
                    } else {
                        stable_hash(event.event_id.as_bytes())
                    };
                    tally.judged(event, record_id);
                    if let Some(delivered) = origin.delivered {
                        tally.lateness.note(delivered.0.saturating_sub(event.time.0));
                    }
                }
                ledgers.observe(wanted);
            }
        });
        tally.records += parsed.records;
        for (reason, count) in &parsed.skipped {
            tally.skip(reason.name(), *count);
        }
        for (reason, count) in [("outside_span", outside), ("other_account", elsewhere)] {
            if count > 0 {
                tally.skip(reason, count);
            }
        }
        for skip in &parsed.skips {
            tally.problem(Problem {
                object: Arc::clone(&origin.name),
                record: Some(skip.index),
                what: skip.to_string(),
            });
        }
        let cut = match (ending, parsed.cut_after) {
            (Ending::Complete, None) => None,
            (Ending::Complete, Some(_)) => Some("the file ends in the middle".to_owned()),
            (ending, _) => Some(ending.to_string()),
        };
        match (parsed.content, &cut) {
            (Content::Digest, _) => tally.files.digest += 1,
            (Content::Insight, _) => tally.files.insight += 1,
            (Content::NotJson, _) => tally.files.failed += 1,
            (_, Some(_)) if parsed.records == 0 => tally.files.failed += 1,
            (_, Some(_)) => tally.files.cut += 1,
            (Content::Empty, None) => tally.files.empty += 1,
            (Content::Trail, None) => tally.files.read += 1,
        }
        let mut whole =
            |what| tally.problem(Problem { object: Arc::clone(&origin.name), record: None, what });
        if let Some(cut) = cut {
            let before = parsed.cut_after.unwrap_or(parsed.records);
            whole(format!("{cut}; the {before} records before that were read"));
        } else if parsed.content == Content::NotJson {
            whole("is neither gzip nor JSON".to_owned());
        }
        if parsed.lossy {
            whole("holds bytes that are not UTF-8; they were read as U+FFFD".to_owned());
        }
    }

    /// An object could not be fetched or read at all.
    pub fn fail(&mut self, origin: &Origin, why: &dyn std::error::Error) {
        self.tally.files.failed += 1;
        self.tally.problem(Problem { object: Arc::clone(&origin.name), record: None, what: why.to_string() });
    }

    /// Closes the minutes that no object delivered at this time or later can change.
    pub fn close_before(&mut self, delivered: EventTime) {
        self.ledgers.close(delivered.plus(self.intake.lateness_seconds.saturating_neg()).minute());
    }

    /// The actions met so far.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }
}
