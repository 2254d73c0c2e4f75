//! Fetching, inflating and parsing the objects of an invocation, side by side and within bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use trailhound_detectors::catalogue::Ledgers;
use trailhound_detectors::time::{DAY, HOUR};
use trailhound_detectors::{EventTime, TimeRange};

use super::kind::{FactKey, Kind};
use crate::engine::blind::{self, SPOTS};
use crate::engine::tally::Tally;
use crate::engine::worker::{Intake, Worker};
use crate::ingest::allow::Layout;
use crate::ingest::source::{FetchError, Source};
use crate::ingest::{ObjectRef, Origin};

/// What an event belongs to may have begun so long before it, seconds.
const UNDER_WAY: i64 = DAY + 2 * HOUR;
/// Assumed of an object whose size its notification does not tell, bytes.
const UNKNOWN_SIZE: u64 = 4 << 20;
/// Bytes are handed out in pieces of this size.
const PIECE: u64 = 64 << 10;
/// A worker remembers actors for as long as it lives; attackers can invent any number.
const MAX_ACTORS: usize = 200_000;

/// What a process may have on its hands at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Objects being fetched.
    pub fetches: usize,
    /// Objects being inflated and parsed.
    pub workers: usize,
    /// Stored bytes fetched and not yet parsed.
    pub bytes_in_flight: u64,
    /// Stored bytes of one object.
    pub object_bytes: u64,
    /// Bytes an object may inflate to, where the configuration would allow more.
    pub inflated_bytes: usize,
    /// Bytes of JSON after which an invocation opens no further object: what it learns from them must fit into memory.
    pub batch_bytes: u64,
}

impl Bounds {
    /// Bounds that fit a function with so much memory, MiB: an eighth of it for bytes in flight, a quarter for what they
    /// inflate to. Facts take a fraction of the JSON they come from, so a batch may have four times the memory of it.
    ///
    /// One vCPU comes with 1,769 MiB (AWS, "Configure Lambda function memory").
    pub fn of_memory(mib: u64) -> Self {
        let bytes_in_flight = (mib << 20) / 8;
        let workers = usize::try_from(mib.div_ceil(1_769)).unwrap_or(1).clamp(1, 6);
        Self {
            fetches: 16,
            workers,
            inflated_bytes: usize::try_from(mib << 20).unwrap_or(usize::MAX) / (4 * workers),
            batch_bytes: (mib << 20) * 4,
            bytes_in_flight,
            object_bytes: bytes_in_flight.min(64 << 20),
        }
    }
}

/// Why an object of an invocation was not read, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It was fetched, and can't be read to its end.
    #[error("{0}")]
    Damaged(String),
    /// Reading it made the program panic.
    #[error("reading it panicked")]
    Panicked,
    /// There was no time left.
    #[error("no time was left")]
    OutOfTime,
    /// Others before it hold as much as an invocation may learn from.
    #[error("the objects before it hold as much as one invocation may read")]
    Enough,
}

/// What the objects of an invocation taught together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) ledgers: Ledgers,
    pub(super) touched: BTreeMap<FactKey, Touched>,
    pub(super) tally: Tally,
    /// Objects that must be seen again.
    pub(super) failed: BTreeMap<usize, ObjectError>,
    /// Account, region and delivery of objects with records in them, by their names.
    pub(super) delivered: Vec<(Arc<str>, Arc<str>, EventTime)>,
    /// The delivery of objects whose names tell it.
    pub(super) times: BTreeMap<usize, EventTime>,
    /// Objects whose records are of other accounts than the folder they lie in.
    pub(super) misplaced: Vec<Misplaced>,
}

/// Which objects taught about a key, and from when on answers about it may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) objects: BTreeSet<usize>,
    pub(super) since: EventTime,
}

/// An object in one account's folder with records of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misplaced {
    pub(super) object: usize,
    pub(super) folder: String,
    pub(super) accounts: Vec<Arc<str>>,
    pub(super) span: TimeRange,
}

impl Batch {
    /// The oldest delivery of any object.
    pub(super) fn oldest(&self) -> Option<EventTime> {
        self.times.values().min().copied()
    }

    /// An object among these was delivered before this time.
    pub(super) fn any_before(&self, objects: &BTreeSet<usize>, time: EventTime) -> bool {
        objects.iter().any(|object| self.times.get(object).is_some_and(|delivered| *delivered < time))
    }
}

/// One object, read.
struct Taught {
    ledgers: Ledgers,
    tally: Tally,
    origin: Origin,
}

/// Reads objects; keeps workers, with what they have interned, from one invocation to the next.
#[derive(Debug)]
pub(super) struct Reader {
    intake: Arc<Intake>,
    bounds: Bounds,
    idle: Mutex<Vec<Worker>>,
    parsing: Semaphore,
    in_flight: Semaphore,
}

impl Reader {
    pub(super) fn new(intake: Intake, bounds: Bounds) -> Self {
        Self {
            intake: Arc::new(intake),
            idle: Mutex::default(),
            parsing: Semaphore::new(bounds.workers.max(1)),
            in_flight: Semaphore::new(pieces(bounds.bytes_in_flight) as usize),
            bounds,
        }
    }

    /// Reads objects until `deadline`; those not read by then have failed.
    pub(super) async fn read(
        &self,
        source: &impl Source,
        objects: &[ObjectRef],
        kinds: &[Box<dyn Kind>],
        deadline: Instant,
    ) -> Batch {
        let mut batch = Batch::default();
        let inflated = AtomicU64::new(0);
        let inflated = &inflated;
        // All made beforehand: as a closure in the stream they could not be sent to another thread.
        let reads: Vec<_> = objects
            .iter()
            .enumerate()
            .map(|(index, object)| async move {
                if Instant::now() >= deadline {
                    return (index, Err(ObjectError::OutOfTime));
                }
                if inflated.load(Ordering::Relaxed) > self.bounds.batch_bytes {
                    return (index, Err(ObjectError::Enough));
                }
                let read = timeout_at(deadline, self.read_one(source, object));
                let read = read.await.unwrap_or(Err(ObjectError::OutOfTime));
                if let Ok(taught) = &read {
                    inflated.fetch_add(taught.tally.bytes_inflated, Ordering::Relaxed);
                }
                (index, read)
            })
            .collect();
        let mut reads = futures_util::stream::iter(reads).buffer_unordered(self.bounds.fetches.max(1));
        while let Some((index, read)) = reads.next().await {
            match read {
                Ok(taught) => batch.take(index, &objects[index], taught, kinds),
                Err(error) => {
                    batch.tally.files.failed += 1;
                    batch.failed.insert(index, error);
                }
            }
        }
        batch
    }

    async fn read_one(&self, source: &impl Source, object: &ObjectRef) -> Result<Taught, ObjectError> {
        let limit = self.bounds.object_bytes;
        if object.size.is_some_and(|size| size > limit) {
            return Err(FetchError::TooLarge { limit }.into());
        }
        let stated = u64::from(pieces(object.size.unwrap_or(UNKNOWN_SIZE))) * PIECE;
        let (stored, _in_flight) = match self.fetch(source, object, stated.min(limit)).await {
            // Larger than was said, or than was guessed: again, with room for the largest there may be.
            Err(ObjectError::Fetch(FetchError::TooLarge { .. })) if stated < limit => {
                self.fetch(source, object, limit).await?
            }
            fetched => fetched?,
        };
        let _parsing = self.parsing.acquire().await.map_err(|_| ObjectError::OutOfTime)?;
        let mut worker = self.worker();
        let origin = Origin::new(object.uri());
        let reading = tokio::task::spawn_blocking(move || {
            worker.take(&origin, &stored);
            let (ledgers, tally) = (std::mem::take(&mut worker.ledgers), std::mem::take(&mut worker.tally));
            (worker, Taught { ledgers, tally, origin })
        });
        let (worker, taught) = reading.await.map_err(|_| ObjectError::Panicked)?;
        self.give_back(worker);
        Ok(taught)
    }

    /// An object of at most so many bytes, and the permit to have them in memory.
    async fn fetch(
        &self,
        source: &impl Source,
        object: &ObjectRef,
        most: u64,
    ) -> Result<(Vec<u8>, SemaphorePermit<'_>), ObjectError> {
        let share = pieces(most).min(pieces(self.bounds.bytes_in_flight));
        let permit = self.in_flight.acquire_many(share).await.map_err(|_| ObjectError::OutOfTime)?;
        Ok((source.fetch(object, most).await?, permit))
    }

    /// Which of the things that a trail may lack were seen since the process started.
    pub(super) fn seen(&self) -> [bool; SPOTS] {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        blind::seen(idle.iter().flat_map(|worker| worker.tables().actions.iter().map(|action| &**action)))
    }

    fn worker(&self) -> Worker {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Worker::new(Arc::clone(&self.intake)))
    }

    fn give_back(&self, worker: Worker) {
        if worker.tables().actors.len() < MAX_ACTORS {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
    }
}

fn pieces(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX).max(1)
}

impl Batch {
    fn take(&mut self, index: usize, object: &ObjectRef, taught: Taught, kinds: &[Box<dyn Kind>]) {
        let Taught { ledgers, tally, origin } = taught;
        if let Some(problem) = damage(&tally) {
            self.failed.insert(index, ObjectError::Damaged(problem));
        }
        if let Some((first, last)) = tally.span {
            let since = changed_since(first);
            for (place, kind) in (0..).zip(kinds) {
                for key in kind.keys(&ledgers) {
                    let touched = self
                        .touched
                        .entry(FactKey { kind: place, key })
                        .or_insert_with(|| Touched { objects: BTreeSet::new(), since });
                    touched.objects.insert(index);
                    touched.since = touched.since.min(since);
                }
            }
            if let Layout::Trail { account } = Layout::of(&object.key) {
                let accounts: Vec<_> =
                    tally.accounts.iter().filter(|a| *a != account).map(Arc::from).collect();
                if !accounts.is_empty() {
                    let span = TimeRange { start: first, end: last };
                    self.misplaced.push(Misplaced {
                        object: index,
                        folder: account.to_owned(),
                        accounts,
                        span,
                    });
                }
            }
        }
        if let Some(delivered) = origin.delivered {
            self.times.insert(index, delivered);
            if let (Some(account), Some(region)) = (&origin.account, &origin.region)
                && tally.judged > 0
            {
                self.delivered.push((Arc::clone(account), Arc::clone(region), delivered));
            }
        }
        self.ledgers.absorb(ledgers);
        self.tally.absorb(tally);
    }
}

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
