//! Threads that read one trail together without waiting for each other.
//!
//! Each thread owns a part of the keys, and grows their facts as long as the replay lasts. What it learns of other
//! threads' keys it keeps for a *leg*, so many bytes of the trail, and then hands to their owners, who join it to theirs when
//! they come to the end of a leg themselves. An owner closes the minutes that no file of an unfinished leg can
//! change. So joining and closing are done by all threads, each for its own keys, and nobody waits but for a thread that
//! is a whole leg behind.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use trailhound_detectors::catalogue::Ledgers;

use super::Progress;
use crate::engine::worker::Worker;
use crate::ingest::{IngestError, LogFile, Shelf};

/// A leg ends after this many stored bytes: some tens of thousands of events. Shorter legs cost time, as what was learnt is
/// handed over more often; longer ones memory, as more minutes are open.
pub(super) const LEG_BYTES: u64 = 4 << 20;
/// A leg ends after this many files at the latest.
const LEG_FILES: usize = 20_000;

/// How to walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace<'a> {
    /// Who hands out the files.
    pub(super) shelf: &'a dyn Shelf,
    /// The most stored bytes a file may have.
    pub(super) max_stored_bytes: u64,
    /// Stored bytes of a leg.
    pub(super) leg_bytes: u64,
    /// Files, by their place, that could not be had for no fault of theirs: the first of them stops the walk.
    pub(super) outages: &'a Outages,
}

/// Where outages are noted.
pub(super) type Outages = Mutex<Vec<(usize, IngestError)>>;

/// Reads files on all workers; each takes the next unread one. Afterwards each worker holds all facts of its part of the
/// keys, and no others. Answers with the files that were read: all of them, but after a stop.
pub(super) fn read<'a>(
    files: &'a [LogFile],
    workers: &mut [Worker],
    pace: Pace<'_>,
    progress: &Progress,
) -> Vec<&'a LogFile> {
    let road = Road {
        files,
        ends: legs(files, pace.leg_bytes),
        next: AtomicUsize::new(0),
        pace,
        progress,
        letters: workers.iter().map(|_| Mutex::default()).collect(),
        finished: Mutex::new(vec![0; workers.len()]),
        moved: Condvar::new(),
    };
    match workers {
        [only] => road.walk(0, only),
        many => std::thread::scope(|scope| {
            for (me, worker) in many.iter_mut().enumerate() {
                let road = &road;
                scope.spawn(move || road.walk(me, worker));
            }
        }),
    }
    let taken = files.iter().take(road.next.into_inner()).enumerate();
    let outages = locked(pace.outages);
    taken.filter(|(place, _)| outages.iter().all(|(out, _)| out != place)).map(|(_, file)| file).collect()
}

/// Where each leg ends.
fn legs(files: &[LogFile], leg_bytes: u64) -> Vec<usize> {
    let (mut ends, mut bytes, mut start) = (Vec::new(), 0, 0);
    for (i, file) in files.iter().enumerate() {
        bytes += file.bytes();
        if bytes >= leg_bytes || i + 1 - start >= LEG_FILES || i + 1 == files.len() {
            ends.push(i + 1);
            (bytes, start) = (0, i + 1);
        }
    }
    ends
}

struct Road<'a> {
    files: &'a [LogFile],
    ends: Vec<usize>,
    /// The first file nobody has taken.
    next: AtomicUsize,
    pace: Pace<'a>,
    progress: &'a Progress,
    /// For each thread, what others learnt of its keys.
    letters: Vec<Mutex<Vec<Ledgers>>>,
    /// For each thread, how many legs it has finished: all it learnt in them has been handed over.
    finished: Mutex<Vec<usize>>,
    /// A thread has finished a leg.
    moved: Condvar,
}

impl Road<'_> {
    /// One thread's way through the trail.
    fn walk(&self, me: usize, worker: &mut Worker) {
        // A thread that panics must not be waited for.
        let _gone = Gone { road: self, me };
        let (mut leg, mut stored) = (0, Vec::new());
        while !self.progress.stop.load(Ordering::Relaxed) {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.files.get(n) else { break };
            while n >= self.ends[leg] {
                leg += 1;
                self.finish(me, worker, leg);
                self.wait_until_all_finished(leg - 1);
            }
            self.take((n, file), worker, &mut stored);
        }
        drop(stored);
        if self.letters.len() > 1 {
            // Each in its own thread, before one of them takes in what all counted.
            worker.tally.distinct.tidy();
        }
        self.finish(me, worker, self.ends.len());
        self.wait_until_all_finished(self.ends.len());
        self.open_letters(me, worker);
    }

    fn take(&self, (place, file): (usize, &LogFile), worker: &mut Worker, stored: &mut Vec<u8>) {
        let judged_before = worker.tally.judged;
        match self.progress.reading(|| self.pace.shelf.read(file, self.pace.max_stored_bytes, stored)) {
            Ok(()) => worker.take(&file.origin(), stored),
            Err(e) if e.is_outage() => {
                self.progress.stop.store(true, Ordering::Relaxed);
                locked(self.pace.outages).push((place, e));
                return;
            }
            Err(e) => worker.fail(&file.origin(), &e),
        }
        self.progress.bytes.fetch_add(stored.len() as u64, Ordering::Relaxed);
        self.progress.files.fetch_add(1, Ordering::Relaxed);
        self.progress.events.fetch_add(worker.tally.judged - judged_before, Ordering::Relaxed);
    }

    /// Hands over what the thread learnt of others' keys, joins what they learnt of its own, and closes those.
    fn finish(&self, me: usize, worker: &mut Worker, legs: usize) {
        for (owner, letters) in self.letters.iter().enumerate().filter(|(owner, _)| *owner != me) {
            let letter = worker.ledgers.take_part(owner);
            locked(letters).push(letter);
        }
        let mut finished = locked(&self.finished);
        finished[me] = legs;
        let by_all = finished.iter().copied().min().unwrap_or(legs);
        drop(finished);
        self.moved.notify_all();
        self.open_letters(me, worker);
        // A thread that was stopped calls all legs finished, and may have left a file unread.
        if self.progress.stop.load(Ordering::Relaxed) {
            return;
        }
        let first_unread = by_all.checked_sub(1).and_then(|last| self.files.get(self.ends[last]));
        if let Some(delivered) = first_unread.and_then(LogFile::delivered) {
            worker.close_before(delivered);
        }
    }

    fn open_letters(&self, me: usize, worker: &mut Worker) {
        let letters = std::mem::take(&mut *locked(&self.letters[me]));
        letters.into_iter().for_each(|letter| worker.ledgers.absorb(letter));
    }

    /// Bounds what lies in letters.
    fn wait_until_all_finished(&self, legs: usize) {
        let behind = |finished: &mut Vec<usize>| finished.iter().any(|f| *f < legs);
        drop(self.moved.wait_while(locked(&self.finished), behind).unwrap_or_else(PoisonError::into_inner));
    }
}

/// Says, however a thread ended, that there is nothing to wait for.
struct Gone<'a> {
    road: &'a Road<'a>,
    me: usize,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        locked(&self.road.finished)[self.me] = usize::MAX;
        self.road.moved.notify_all();
    }
}

/// A panic elsewhere ends the replay anyway.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
