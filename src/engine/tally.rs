//! What became of every file and record of a run. Adds up over threads; tells no one anything by itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trailhound_detectors::{Event, EventTime};

use super::distinct::DistinctRecords;
use super::lateness::Lateness;

/// Problems kept with their place; more are only counted.
const MAX_PROBLEMS: usize = 1_000;

/// Counts of a run. Always: `records = judged + Σ skipped`.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// What became of the files.
    pub files: Files,
    /// Bytes as they lay there.
    pub bytes_read: u64,
    /// Bytes of JSON.
    pub bytes_inflated: u64,
    /// Records met, whatever became of them.
    pub records: u64,
    /// Records the detectors were shown.
    pub judged: u64,
    /// Records they were not, by reason.
    pub skipped: BTreeMap<Cow<'static, str>, u64>,
    /// Judged records that were delivered later than the lateness horizon.
    pub late: u64,
    /// How late judged records were delivered, where the name of their object says when.
    pub lateness: Lateness,
    /// First and last event time judged.
    pub span: Option<(EventTime, EventTime)>,
    /// Accounts of judged records.
    pub accounts: Names,
    /// Regions of judged records.
    pub regions: Names,
    /// Distinct judged records.
    pub distinct: DistinctRecords,
    /// Problems met, the first of each place.
    problems: BTreeSet<Problem>,
    problems_unlisted: u64,
}

/// What became of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Files {
    /// Read as trails, to the end or to where they are cut off.
    pub read: u64,
    /// Digest files, recognised and left alone.
    pub digest: u64,
    /// Insights files, recognised and left alone.
    pub insight: u64,
    /// Files with no records in them.
    pub empty: u64,
    /// Trails that end in the middle; their records before the cut were read.
    pub cut: u64,
    /// Files nothing could be read from.
    pub failed: u64,
    /// Files delivered outside the asked span, not opened.
    pub outside: u64,
}

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// The log object.
    pub object: Arc<str>,
    /// The record in it, counted from 0; nothing when it is about the whole object.
    pub record: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl Tally {
    /// A record was judged.
    pub fn judged(&mut self, event: &Event<'_>, record_id: u64) {
        self.judged += 1;
        self.late += u64::from(!event.on_time());
        let (first, last) = self.span.get_or_insert((event.time, event.time));
        *first = event.time.min(*first);
        *last = event.time.max(*last);
        self.distinct.insert(record_id);
        self.accounts.note(event.account);
        self.regions.note(event.region);
    }

    /// A record was skipped.
    pub fn skip(&mut self, reason: impl Into<Cow<'static, str>>, count: u64) {
        *self.skipped.entry(reason.into()).or_default() += count;
    }

    /// Something was wrong.
    pub fn problem(&mut self, problem: Problem) {
        self.problems.insert(problem);
        if self.problems.len() > MAX_PROBLEMS {
            self.problems.pop_last();
            self.problems_unlisted += 1;
        }
    }

    /// The problems in order of place, and how many more there were.
    pub fn problems(&self) -> (impl Iterator<Item = &Problem>, u64) {
        (self.problems.iter(), self.problems_unlisted)
    }

    /// Every record is accounted for.
    pub fn reconciles(&self) -> bool {
        self.records == self.judged + self.skipped.values().sum::<u64>()
    }

    /// Adds another thread's counts.
    pub fn absorb(&mut self, other: Self) {
        let Files { read, digest, insight, empty, cut, failed, outside } = other.files;
        self.files.read += read;
        self.files.digest += digest;
        self.files.insight += insight;
        self.files.empty += empty;
        self.files.cut += cut;
        self.files.failed += failed;
        self.files.outside += outside;
        self.bytes_read += other.bytes_read;
        self.bytes_inflated += other.bytes_inflated;
        self.records += other.records;
        self.judged += other.judged;
        self.late += other.late;
        self.lateness.add(&other.lateness);
        for (reason, count) in other.skipped {
            self.skip(reason, count);
        }
        self.span = match (self.span, other.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, theirs) => mine.or(theirs),
        };
        for (mine, theirs) in [(&mut self.accounts, other.accounts), (&mut self.regions, other.regions)] {
            theirs.iter().for_each(|name| mine.note(name));
        }
        self.distinct.absorb(other.distinct);
        self.problems_unlisted += other.problems_unlisted;
        for problem in other.problems {
            self.problem(problem);
        }
    }
}

/// Names that occurred, sorted. At most ten thousand: a hostile log could name any number.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Names {
    all: BTreeSet<Arc<str>>,
    /// Neighbouring records mostly share their account and region.
    latest: Option<Arc<str>>,
}

impl Names {
    const MAX: usize = 10_000;

    fn note(&mut self, name: &str) {
        if self.latest.as_deref() == Some(name) || name.is_empty() {
            return;
        }
        let known = self.all.get(name).cloned();
        if known.is_none() && self.all.len() >= Self::MAX {
            return;
        }
        let name = known.unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            self.all.insert(Arc::clone(&name));
            name
        });
        self.latest = Some(name);
    }

    /// The names, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.all.iter().map(|name| &**name)
    }
}
