//! Replay: history from files through the same engine as live, on all cores, in memory that history can't fill.
//!
//! Files are taken in the order of the delivery times in their names, by whichever thread is free. How what the threads
//! learn comes together stands in [`together`]; how a replay goes on after an interruption, in [`resume`].

mod resume;
mod together;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use trailhound_detectors::Environment;
use trailhound_detectors::Finding;
use trailhound_detectors::catalogue::{Detectors, Ledgers, Notebook};
use trailhound_detectors::ledger::Share;
use trailhound_detectors::time::{HOUR, TimeRange};

use crate::engine::blind::{BlindSpot, blind_spots};
use crate::engine::tally::Tally;
use crate::engine::worker::{Intake, Selection, Worker};
use crate::ingest::folders::Wanted;
use crate::ingest::{IngestError, LogFile, Shelf};
use crate::store::snapshot::{self, SnapshotError};

pub use resume::ResumeError;
use resume::{Before, Resume};
use together::Pace;

/// What can be gone on with is saved after this many stored bytes.
const BYTES_BETWEEN_SAVES: u64 = 256 << 20;
/// What can be gone on with is saved after this many files at the latest.
const FILES_BETWEEN_SAVES: usize = 50_000;
/// A file may be delivered somewhat before the newest event in it, by the clocks of those who wrote them.
const CLOCK_SLACK: i64 = HOUR;
/// Shares of a part of the facts that threads take to judge.
const SHARES: usize = 16;

/// What to replay, and how.
#[derive(Debug)]
pub struct Request {
    /// The files, in any order.
    pub files: Vec<LogFile>,
    /// Who hands out their bytes.
    pub shelf: Arc<dyn Shelf>,
    /// How to read them.
    pub intake: Intake,
    /// The most stored bytes a file may have.
    pub max_stored_bytes: u64,
    /// Facts to begin with.
    pub facts_in: Option<PathBuf>,
    /// Where to leave the facts.
    pub facts_out: Option<PathBuf>,
    /// Files that were listed and left out, for they were delivered outside the asked span.
    pub outside: u64,
    /// What an interrupted replay goes on from, and leaves.
    pub resume: Option<Resumable>,
    /// Threads; at least 1.
    pub threads: usize,
}

/// A replay that can be gone on with after an interruption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumable {
    /// The file that holds what was learnt until then. Whoever has told the outcome deletes it.
    pub file: PathBuf,
    /// What is read, in words: the file is of use to the same inputs only.
    pub inputs: String,
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
    /// Reads under way: all that may hang, on a silent pipe or network.
    reads: AtomicUsize,
}

impl Progress {
    /// Whether somebody waits for bytes from elsewhere. Whatever else a replay does ends by itself.
    pub fn is_reading(&self) -> bool {
        self.reads.load(Ordering::Relaxed) > 0
    }

    fn reading<T>(&self, read: impl FnOnce() -> T) -> T {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let read = read();
        self.reads.fetch_sub(1, Ordering::Relaxed);
        read
    }

    /// Counts a file that was read before, and says whether it was.
    fn was_read(&self, file: &LogFile, was_read: bool) -> bool {
        if was_read {
            self.bytes.fetch_add(file.bytes(), Ordering::Relaxed);
            self.files.fetch_add(1, Ordering::Relaxed);
        }
        was_read
    }
}

/// What a replay found and counted.
#[derive(Debug)]
pub struct Outcome {
    /// Everything found, before suppression, in order; nothing when the replay was stopped.
    pub findings: Vec<Finding>,
    /// What became of the input.
    pub tally: Tally,
    /// What the trail does not contain.
    pub blind: Vec<BlindSpot>,
    /// What was learnt. To drop it takes a while, which whoever ends the process can spare.
    pub ledgers: Ledgers,
    /// The replay was stopped before the last file.
    pub stopped: bool,
}

/// Why a replay could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Facts could not be loaded or saved.
    #[error(transparent)]
    Facts(#[from] SnapshotError),
    /// An interrupted replay can't be gone on with, or saved.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// Files can't be had any more, whatever is asked for: going on would judge half a trail.
    #[error("gave up after {files} files")]
    Unavailable {
        /// Files read until then.
        files: u64,
        /// The first that could not be had.
        source: IngestError,
    },
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
    if let Some(path) = facts_out.filter(|_| !stopped) {
        snapshot::save(&ledgers, &path)?;
    }
    let findings = std::thread::scope(|scope| {
        scope.spawn(|| tally.distinct.tidy());
        // Of half a trail nothing is told.
        if stopped { Vec::new() } else { judge(&ledgers, detectors, environment, span) }
    });
    Ok(Outcome { findings, tally, blind, ledgers, stopped })
}

/// Judges on as many threads as the facts have parts. Some keys take much longer than others, so threads take small shares.
fn judge(
    ledgers: &Ledgers,
    detectors: &Detectors,
    environment: &Environment,
    span: TimeRange,
) -> Vec<Finding> {
    let threads = ledgers.parts();
    let of = if threads == 1 { 1 } else { SHARES };
    let next = AtomicUsize::new(0);
    let judge = || {
        let (mut found, notebook) = (Vec::new(), Notebook::default());
        loop {
            let taken = next.fetch_add(1, Ordering::Relaxed);
            let share = Share { part: taken / of, nth: taken % of, of };
            if share.part >= threads {
                return found;
            }
            found.append(&mut detectors.judge_share((ledgers, share), environment, span, &notebook));
        }
    };
    let found = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(judge)).collect();
        let mut found = judge();
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
    let Request { mut files, shelf, intake, max_stored_bytes, facts_in, outside, resume, threads, .. } =
        request;
    let span = intake.selection.span;
    let (mut resume, before) = match &resume {
        Some(Resumable { file, inputs }) => {
            let (resume, before) = progress.reading(|| Resume::open(file, inputs, &intake))?;
            (Some(resume), before)
        }
        None => (None, None),
    };
    let intake = Arc::new(intake);
    let threads = threads.max(1);
    let mut workers: Vec<Worker> =
        (0..threads).map(|_| Worker::one_of(threads, Arc::clone(&intake))).collect();
    let was_blind = before.map(|Before { ledgers, tally, blind }| {
        workers[0].ledgers.absorb(ledgers);
        workers[0].tally = tally;
        blind
    });
    if let Some(path) = facts_in.filter(|_| was_blind.is_none()) {
        workers[0].ledgers.absorb(progress.reading(|| snapshot::load(&path))?);
    }
    let listed = files.len();
    files.retain(|file| may_hold(file, span));
    workers[0].tally.files.outside = outside + (listed - files.len()) as u64;
    if let Some(resume) = &resume {
        files.retain(|file| !progress.was_read(file, resume.has_read(file)));
    }
    // Files without a delivery time may hold anything: read first, they keep no window open behind them.
    files.sort_by(LogFile::order);
    shelf.expect(&files);
    let outages = Mutex::default();
    let pace = Pace { shelf: &*shelf, max_stored_bytes, leg_bytes: together::LEG_BYTES, outages: &outages };
    let blind = |workers: &[Worker]| {
        let mut blind = blind_spots(workers.iter().flat_map(|w| w.tables().actions.iter().map(|a| &**a)));
        blind.retain(|spot| was_blind.as_ref().is_none_or(|before| before.contains(spot.text)));
        blind
    };
    let mut rest = files.as_slice();
    let mut is_stopped = progress.stop.load(Ordering::Relaxed);
    while !rest.is_empty() && !is_stopped {
        let (now, later) = rest.split_at(if resume.is_some() { until_save(rest) } else { rest.len() });
        let read = together::read(now, &mut workers, pace, progress);
        is_stopped = progress.stop.load(Ordering::Relaxed);
        rest = later;
        if let Some(resume) = &mut resume {
            resume.note(&read);
            if is_stopped || !rest.is_empty() {
                let (ledgers, tally) = gathered(&mut workers);
                resume.save(&ledgers, &tally, blind(&workers).iter())?;
                // Whose keys they are is found out at the end of the next leg.
                (workers[0].ledgers, workers[0].tally) = (ledgers, tally);
            }
        }
    }
    if let Some((_, source)) = outages.into_inner().unwrap_or_else(PoisonError::into_inner).pop() {
        return Err(ReplayError::Unavailable { files: progress.files.load(Ordering::Relaxed), source });
    }
    let blind = blind(&workers).into_iter().collect();
    let (ledgers, tally) = gathered(&mut workers);
    Ok(Observed { ledgers, tally, blind, stopped: is_stopped })
}

/// All that workers learnt and counted; nothing of it stays with them.
fn gathered(workers: &mut [Worker]) -> (Ledgers, Tally) {
    let parts = workers.len();
    let (mut ledgers, mut tally) = (Ledgers::in_parts(parts), Tally::default());
    for worker in workers.iter_mut() {
        let own = std::mem::replace(&mut worker.ledgers, Ledgers::in_parts(parts));
        ledgers.absorb(own);
        tally.absorb(std::mem::take(&mut worker.tally));
    }
    (ledgers, tally)
}

/// How many files to read before what was learnt is saved.
fn until_save(files: &[LogFile]) -> usize {
    let mut bytes = 0;
    let enough = files.iter().position(|file| {
        bytes += file.bytes();
        bytes >= BYTES_BETWEEN_SAVES
    });
    enough.map_or(files.len(), |last| last + 1).min(FILES_BETWEEN_SAVES)
}

/// What of a bucket to read for records of `selection`: what was delivered within the span, and so much later that a record
/// in it is on time.
pub fn wanted(selection: &Selection, lateness_seconds: i64) -> Wanted {
    let Selection { span, accounts } = selection;
    Wanted {
        first: span.start.plus(-CLOCK_SLACK),
        last: span.end.plus(lateness_seconds),
        accounts: accounts.clone(),
    }
}

/// A file holds nothing newer than its delivery.
fn may_hold(file: &LogFile, span: TimeRange) -> bool {
    file.delivered().is_none_or(|delivered| delivered.plus(CLOCK_SLACK) >= span.start)
}

#[cfg(test)]
mod tests;
