//! Objects read one after another into facts they share: small ones have most of what they teach in common, so reading
//! one alone costs more than what is in it.
//!
//! What an object says about a key that its parcel says already is not said to come from it, too. Nothing is lost by that:
//! were the facts of the key not saved, the object that said it first would come again. So that it can, an object that
//! can't be read to its end is the last of its parcel.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use trailhound_detectors::EventTime;
use trailhound_detectors::catalogue::Ledgers;
use trailhound_detectors::time::{DAY, HOUR};

use super::read::{NEVER, ObjectError, Touched};
use crate::engine::tally::Tally;
use crate::engine::worker::Worker;
use crate::ingest::Origin;

/// What an event belongs to may have begun so long before it, seconds.
const UNDER_WAY: i64 = DAY + 2 * HOUR;

/// An object in memory, with the permit to have it there.
pub(super) struct Fetched {
    pub(super) object: usize,
    pub(super) origin: Origin,
    pub(super) stored: Vec<u8>,
    pub(super) in_flight: OwnedSemaphorePermit,
}

/// Objects waiting to be read, and what is allowed to whoever reads them.
pub(super) struct Pile {
    waiting: Mutex<VecDeque<Fetched>>,
    /// Bytes of JSON read so far.
    pub(super) inflated: AtomicU64,
    pub(super) limits: Limits,
}

/// When to stop reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of JSON after which no further object is opened.
    pub(super) inflated: u64,
    /// Bytes of JSON after which a parcel is full.
    pub(super) parcel: u64,
    /// No object is opened after this.
    pub(super) deadline: Instant,
}

impl Pile {
    pub(super) fn new(limits: Limits) -> Self {
        Self { waiting: Mutex::default(), inflated: AtomicU64::new(0), limits }
    }

    pub(super) fn push(&self, fetched: Fetched) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(fetched);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn pop(&self) -> Option<Fetched> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Why no further object may be opened now.
    pub(super) fn closed(&self) -> Option<ObjectError> {
        if Instant::now() >= self.limits.deadline {
            Some(ObjectError::OutOfTime)
        } else if self.inflated.load(Ordering::Relaxed) > self.limits.inflated {
            Some(ObjectError::Enough)
        } else {
            None
        }
    }
}

/// What became of one object.
pub(super) struct Outcome {
    pub(super) object: usize,
    pub(super) origin: Origin,
    /// First and last event time judged.
    pub(super) span: Option<(EventTime, EventTime)>,
    /// Accounts of judged records.
    pub(super) accounts: Vec<Arc<str>>,
    /// What kept it from being read to its end.
    pub(super) damage: Option<String>,
}

/// What objects taught together.
#[derive(Default)]
pub(super) struct Parcel {
    pub(super) ledgers: Ledgers,
    /// By detector and digest of the key.
    pub(super) touched: BTreeMap<(u64, u8), Touched>,
    pub(super) tally: Tally,
    pub(super) outcomes: Vec<Outcome>,
    /// Objects that were not opened.
    pub(super) unopened: Vec<(usize, ObjectError)>,
}

impl Parcel {
    /// The objects it answers for.
    pub(super) fn objects(&self) -> impl Iterator<Item = usize> {
        self.outcomes.iter().map(|o| o.object).chain(self.unopened.iter().map(|(object, _)| *object))
    }
}

/// A worker, and the parcel it is at: its facts are still with the worker.
pub(super) struct Reading {
    worker: Worker,
    parcel: Parcel,
    is_full: bool,
}

impl Reading {
    /// Begins a parcel.
    pub(super) fn new(worker: Worker) -> Self {
        Self { worker, parcel: Parcel::default(), is_full: false }
    }

    /// No further object may be read into it.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Reads from the pile until nothing is left there or the parcel is full.
    pub(super) fn read(&mut self, pile: &Pile, take: Take) {
        while !self.is_full
            && let Some(fetched) = pile.pop()
        {
            if let Some(error) = pile.closed() {
                self.parcel.unopened.push((fetched.object, error));
                continue;
            }
            let inflated = self.take(fetched, take);
            pile.inflated.fetch_add(inflated, Ordering::Relaxed);
            self.is_full |= self.parcel.tally.bytes_inflated >= pile.limits.parcel;
        }
    }

    fn take(&mut self, fetched: Fetched, take: Take) -> u64 {
        let Fetched { object, origin, stored, in_flight } = fetched;
        let Self { worker, parcel, is_full } = self;
        take(worker, &origin, &stored);
        drop((stored, in_flight));
        let tally = std::mem::take(&mut worker.tally);
        let touched = &mut parcel.touched;
        let since = tally.span.map_or(NEVER, |(first, _)| changed_since(first));
        worker.ledgers.grown(|kind, digest| {
            touched.entry((digest, kind)).or_default().touch(object, since);
        });
        let damage = damage(&tally);
        *is_full |= damage.is_some();
        let accounts = tally.accounts.iter().map(Arc::from).collect();
        parcel.outcomes.push(Outcome { object, origin, span: tally.span, accounts, damage });
        let inflated = tally.bytes_inflated;
        parcel.tally.absorb(tally);
        inflated
    }

    /// Ends the parcel, and lets go of the worker.
    pub(super) fn seal(self) -> (Worker, Parcel) {
        let Self { mut worker, mut parcel, .. } = self;
        parcel.ledgers = worker.ledgers.take_out();
        (worker, parcel)
    }
}

/// How an object is read: [`Worker::take`].
pub(super) type Take = fn(&mut Worker, &Origin, &[u8]);

/// An event can change answers about everything after it, and about what was under way when it happened: a burst may go on
/// for a day, and a day is judged as a whole.
fn changed_since(first: EventTime) -> EventTime {
    EventTime::of_hour(first.plus(-UNDER_WAY).hour())
}

/// What kept an object from being read to its end.
fn damage(tally: &Tally) -> Option<String> {
    if tally.files.failed + tally.files.cut == 0 {
        return None;
    }
    let (mut problems, _) = tally.problems();
    let whole = problems.find(|problem| problem.record.is_none());
    Some(whole.map_or_else(|| "can't be read to its end".to_owned(), |problem| problem.what.clone()))
}
