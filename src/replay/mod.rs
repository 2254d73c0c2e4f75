//! Replay: history from files through the same engine as live, on all cores, in memory that history can't fill.
//!
//! Files are taken in the order of the delivery times in their names, by whichever thread is free. How what the threads
//! learn comes together stands in [`together`].

mod together;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use trailhound_detectors::Environment;
use trailhound_detectors::Finding;
use trailhound_detectors::catalogue::{Detectors, Ledgers};
use trailhound_detectors::time::{HOUR, TimeRange};

use crate::engine::blind::{BlindSpot, blind_spots};
use crate::engine::tally::Tally;
use crate::engine::worker::{Intake, Worker};
use crate::ingest::LocalFile;
use crate::store::snapshot::{self, SnapshotError};
use together::Pace;

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
    let findings = judge(&ledgers, detectors, environment, span);
    tally.distinct.count();
    Ok(Outcome { findings, tally, blind, keys: ledgers.keys(), stopped })
}

/// Judges each part of the facts on a thread of its own.
fn judge(
    ledgers: &Ledgers,
    detectors: &Detectors,
    environment: &Environment,
    span: TimeRange,
) -> Vec<Finding> {
    let judge = |part| detectors.judge_part(ledgers, part, environment, span);
    let found = std::thread::scope(|scope| {
        let others: Vec<_> = (1..ledgers.parts()).map(|part| scope.spawn(move || judge(part))).collect();
        let mut found = judge(0);
        for other in others {
            found.append(&mut other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        found
    });
    detectors.tell(ledgers, found, span)
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
    let intake = Arc::new(intake);
    let threads = threads.max(1);
    let mut workers: Vec<Worker> =
        (0..threads).map(|_| Worker::one_of(threads, Arc::clone(&intake))).collect();
    if let Some(path) = facts_in {
        workers[0].ledgers.absorb(snapshot::load(&path)?);
    }
    let listed = files.len();
    files.retain(|file| may_hold(file, span));
    workers[0].tally.files.outside = (listed - files.len()) as u64;
    // Files without a delivery time may hold anything: read first, they keep no window open behind them.
    files.sort_by(LocalFile::order);
    let pace = Pace { max_stored_bytes, leg_bytes: together::LEG_BYTES };
    let all_read = together::read(&files, &mut workers, pace, progress);
    let blind = blind_spots(workers.iter().flat_map(|w| w.tables().actions.iter().map(|a| &**a)));
    let (mut ledgers, mut tally) = (Ledgers::in_parts(threads), Tally::default());
    for worker in workers {
        ledgers.absorb(worker.ledgers);
        tally.absorb(worker.tally);
    }
    Ok(Observed { ledgers, tally, blind: blind.into_iter().collect(), stopped: !all_read })
}

/// A file holds nothing newer than its delivery.
fn may_hold(file: &LocalFile, span: TimeRange) -> bool {
    file.delivered.is_none_or(|delivered| delivered.plus(CLOCK_SLACK) >= span.start)
}

#[cfg(test)]
mod tests;
