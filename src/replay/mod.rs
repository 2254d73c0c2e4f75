//! Replay: history from files through the same engine as live, on all cores, in memory that history can't fill.
//!
//! Files are taken in the order of the delivery times in their names. Threads read whole files into facts of their own.
//! Every so many bytes they meet: facts are joined, and windows that no unread file can change are closed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use trailhound_detectors::Environment;
use trailhound_detectors::Finding;
use trailhound_detectors::catalogue::{Detectors, Ledgers};
use trailhound_detectors::time::{HOUR, TimeRange};

use crate::engine::blind::{BlindSpot, blind_spots};
use crate::engine::tally::Tally;
use crate::engine::worker::{Intake, Worker};
use crate::ingest::{LocalFile, local};
use crate::store::snapshot::{self, SnapshotError};

/// Threads meet after this many stored bytes: some tens of thousands to hundreds of thousands of events.
const BYTES_BETWEEN_MEETINGS: u64 = 32 << 20;
/// Threads meet after this many files at the latest.
const FILES_BETWEEN_MEETINGS: usize = 20_000;
/// A file may be delivered somewhat before the newest event in it, by the clocks of those who wrote them.
const CLOCK_SLACK: i64 = HOUR;

/// What to replay, and how.
#[derive(Debug)]
pub struct Request {
    /// The files, in any order.
    pub files: Vec<LocalFile>,
    /// How to read them.
    pub intake: Intake,
    /// The most stored bytes a file may have.
    pub max_stored_bytes: u64,
    /// Facts to begin with.
    pub facts_in: Option<PathBuf>,
    /// Where to leave the facts.
    pub facts_out: Option<PathBuf>,
    /// Threads; at least 1.
    pub threads: usize,
}

/// How far a replay has come. Shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Stored bytes read.
    pub bytes: AtomicU64,
    /// Files read.
    pub files: AtomicU64,
    /// Records judged.
    pub events: AtomicU64,
    /// Set to stop after the files at hand.
    pub stop: AtomicBool,
}

/// What a replay found and counted.
#[derive(Debug)]
pub struct Outcome {
    /// Everything found, before suppression, in order.
    pub findings: Vec<Finding>,
    /// What became of the input.
    pub tally: Tally,
    /// What the trail does not contain.
    pub blind: Vec<BlindSpot>,
    /// How many keys are remembered, by detector.
    pub keys: Vec<(&'static str, usize)>,
    /// The replay was stopped before the last file.
    pub stopped: bool,
}

/// Why a replay could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Facts could not be loaded or saved.
    #[error(transparent)]
    Facts(#[from] SnapshotError),
}

/// Replays files and judges what they taught.
pub fn run(
    request: Request,
    detectors: &Detectors,
    environment: &Environment,
    progress: &Progress,
) -> Result<Outcome, ReplayError> {
    let facts_out = request.facts_out.clone();
    let span = request.intake.selection.span;
    let Observed { ledgers, mut tally, blind, stopped } = observe(request, progress)?;
    if let Some(path) = facts_out.as_deref().filter(|_| !stopped) {
        snapshot::save(&ledgers, path)?;
    }
    let findings = detectors.judge(&ledgers, environment, span);
    tally.distinct.count();
    Ok(Outcome { findings, tally, blind, keys: ledgers.keys(), stopped })
}

/// What reading taught, before anybody judged it.
#[derive(Debug)]
pub struct Observed {
    /// The facts.
    pub ledgers: Ledgers,
    /// What became of the input.
    pub tally: Tally,
    /// What the trail does not contain.
    pub blind: Vec<BlindSpot>,
    /// Reading was stopped before the last file.
    pub stopped: bool,
}

/// Reads files into facts.
pub fn observe(request: Request, progress: &Progress) -> Result<Observed, ReplayError> {
    let Request { mut files, intake, max_stored_bytes, facts_in, threads, .. } = request;
    let span = intake.selection.span;
    let lateness = intake.lateness_seconds;
    let intake = Arc::new(intake);
    let mut workers: Vec<Worker> = (0..threads.max(1)).map(|_| Worker::new(Arc::clone(&intake))).collect();
    if let Some(path) = facts_in {
        workers[0].ledgers = snapshot::load(&path)?;
    }
    let listed = files.len();
    files.retain(|file| may_hold(file, span));
    workers[0].tally.files.outside = (listed - files.len()) as u64;
    // Files without a delivery time may hold anything: read first, they keep no window open behind them.
    files.sort_by(|a, b| (a.origin.delivered, &a.path).cmp(&(b.origin.delivered, &b.path)));
    let mut rest = files.as_slice();
    while !rest.is_empty() && !progress.stop.load(Ordering::Relaxed) {
        let (now, later) = rest.split_at(until_meeting(rest));
        read_all(now, &mut workers, max_stored_bytes, progress);
        meet(&mut workers);
        if let Some(delivered) = later.first().and_then(|next| next.origin.delivered) {
            workers[0].ledgers.close(delivered.plus(-lateness).minute());
        }
        rest = later;
    }
    let stopped = !rest.is_empty() || progress.stop.load(Ordering::Relaxed);
    let blind = blind_spots(workers.iter().flat_map(|w| w.tables().actions.iter().map(|a| &**a)));
    let mut workers = workers.into_iter();
    let (mut ledgers, mut tally) = (Ledgers::default(), Tally::default());
    for worker in &mut workers {
        ledgers.absorb(worker.ledgers);
        tally.absorb(worker.tally);
    }
    Ok(Observed { ledgers, tally, blind: blind.into_iter().collect(), stopped })
}

/// A file holds nothing newer than its delivery.
fn may_hold(file: &LocalFile, span: TimeRange) -> bool {
    file.origin.delivered.is_none_or(|delivered| delivered.plus(CLOCK_SLACK) >= span.start)
}

/// How many files to read before threads meet.
fn until_meeting(files: &[LocalFile]) -> usize {
    let mut bytes = 0;
    let enough = files.iter().position(|file| {
        bytes += file.bytes;
        bytes >= BYTES_BETWEEN_MEETINGS
    });
    enough.map_or(files.len(), |last| last + 1).min(FILES_BETWEEN_MEETINGS)
}

/// Reads files on all workers; each takes the next unread one.
fn read_all(files: &[LocalFile], workers: &mut [Worker], max_stored_bytes: u64, progress: &Progress) {
    let next = AtomicUsize::new(0);
    let work = |worker: &mut Worker| {
        let mut stored = Vec::new();
        while !progress.stop.load(Ordering::Relaxed) {
            let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            let judged_before = worker.tally.judged;
            match local::read(file, max_stored_bytes, &mut stored) {
                Ok(()) => worker.take(&file.origin, &stored),
                Err(e) => worker.fail(&file.origin, &e),
            }
            progress.bytes.fetch_add(stored.len() as u64, Ordering::Relaxed);
            progress.files.fetch_add(1, Ordering::Relaxed);
            progress.events.fetch_add(worker.tally.judged - judged_before, Ordering::Relaxed);
        }
    };
    match workers {
        [only] => work(only),
        many => std::thread::scope(|scope| {
            for worker in many {
                scope.spawn(|| work(worker));
            }
        }),
    }
}

/// Joins what the others learnt into the first worker's facts.
fn meet(workers: &mut [Worker]) {
    if let [first, others @ ..] = workers {
        for other in others {
            first.ledgers.absorb(std::mem::take(&mut other.ledgers));
        }
    }
}

#[cfg(test)]
mod tests;
