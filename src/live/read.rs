//! Fetching, inflating and parsing the objects of an invocation, side by side and within bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use trailhound_detectors::catalogue::Ledgers;
use trailhound_detectors::{EventTime, TimeRange};

use super::kind::{FactKey, Kind};
use super::parcel::{Fetched, Limits, Outcome, Parcel, Pile, Reading, Take};
use crate::engine::blind::{self, SPOTS};
use crate::engine::tally::Tally;
use crate::engine::worker::{Intake, Worker};
use crate::ingest::allow::Layout;
use crate::ingest::source::{FetchError, Source};
use crate::ingest::{ObjectRef, Origin};

/// Assumed of an object whose size its notification does not tell, bytes.
const UNKNOWN_SIZE: u64 = 4 << 20;
/// Bytes are handed out in pieces of this size.
const PIECE: u64 = 64 << 10;
/// Bytes of JSON that objects are read into one parcel for: what is lost when time is up in the middle.
const PARCEL: u64 = 4 << 20;
/// Objects put on the pile at once.
const AT_ONCE: usize = 64;
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
    pub(super) objects: Vec<usize>,
    pub(super) since: EventTime,
}

/// Later than everything.
pub(super) const NEVER: EventTime = EventTime(i64::MAX);

impl Default for Touched {
    fn default() -> Self {
        Self { objects: Vec::new(), since: NEVER }
    }
}

impl Touched {
    /// An object taught about it.
    pub(super) fn touch(&mut self, object: usize, since: EventTime) {
        self.objects.push(object);
        self.since = self.since.min(since);
    }

    fn add(&mut self, other: &Self) {
        self.objects.extend(&other.objects);
        self.since = self.since.min(other.since);
    }
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
    pub(super) fn any_before(&self, objects: &[usize], time: EventTime) -> bool {
        objects.iter().any(|object| self.times.get(object).is_some_and(|delivered| *delivered < time))
    }
}

/// Reads objects; keeps workers, with what they have interned, from one invocation to the next.
#[derive(Debug)]
pub(super) struct Reader {
    intake: Arc<Intake>,
    bounds: Bounds,
    idle: Mutex<Vec<Worker>>,
    parsing: Semaphore,
    in_flight: Arc<Semaphore>,
    /// [`Worker::take`], unless a test wants another.
    pub(super) take: Take,
}

impl Reader {
    pub(super) fn new(intake: Intake, bounds: Bounds) -> Self {
        Self {
            intake: Arc::new(intake),
            idle: Mutex::default(),
            parsing: Semaphore::new(bounds.workers.max(1)),
            in_flight: Arc::new(Semaphore::new(pieces(bounds.bytes_in_flight) as usize)),
            take: Worker::take,
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
        let named = Named { objects, kinds };
        let mut limits = Limits { inflated: self.bounds.batch_bytes, parcel: PARCEL, deadline };
        let all = (0..objects.len()).collect();
        let lost = self.read_these(source, named, all, limits, &mut batch).await;
        // A panic takes with it what the parcel knew already: once more, and each by itself, so that it costs only its own.
        limits.inflated = limits.inflated.saturating_sub(batch.tally.bytes_inflated);
        limits.parcel = 0;
        for object in self.read_these(source, named, lost, limits, &mut batch).await {
            batch.fail(object, ObjectError::Panicked);
        }
        batch
    }

    /// Reads some of the objects. Answers with those that reading lost.
    async fn read_these(
        &self,
        source: &impl Source,
        named: Named<'_>,
        these: BTreeSet<usize>,
        limits: Limits,
        batch: &mut Batch,
    ) -> BTreeSet<usize> {
        let pile = Arc::new(Pile::new(limits));
        let fetching = &*pile;
        // All made beforehand: as a closure in the stream they could not be sent to another thread.
        let fetches: Vec<_> = these
            .iter()
            .map(|object| async move {
                if let Some(closed) = fetching.closed() {
                    return Err((*object, closed));
                }
                let fetched = timeout_at(limits.deadline, self.fetch(source, &named.objects[*object])).await;
                match fetched.unwrap_or(Err(ObjectError::OutOfTime)) {
                    Ok((stored, in_flight)) => {
                        let origin = Origin::new(named.objects[*object].uri());
                        Ok(Fetched { object: *object, origin, stored, in_flight })
                    }
                    Err(error) => Err((*object, error)),
                }
            })
            .collect();
        let fetches = futures_util::stream::iter(fetches).buffer_unordered(self.bounds.fetches.max(1));
        let mut fetches = std::pin::pin!(fetches.ready_chunks(AT_ONCE));
        let mut left = these.clone();
        let mut is_fetching = true;
        let mut readings = FuturesUnordered::new();
        let mut paused = Vec::new();
        loop {
            while !pile.is_empty() && readings.len() < self.bounds.workers.max(1) {
                let reading = paused.pop().unwrap_or_else(|| Reading::new(self.worker()));
                readings.push(self.read_on(reading, Arc::clone(&pile)));
            }
            tokio::select! {
                fetched = fetches.next(), if is_fetching => match fetched {
                    Some(fetched) => for one in fetched {
                        match one {
                            Ok(fetched) => pile.push(fetched),
                            Err((object, error)) => {
                                left.remove(&object);
                                batch.fail(object, error);
                            }
                        }
                    },
                    None => is_fetching = false,
                },
                reading = timeout_at(limits.deadline, readings.next()), if !readings.is_empty() => match reading {
                    Ok(Some(Some(reading))) if reading.is_full() => self.seal(reading, named, batch, &mut left),
                    Ok(Some(Some(reading))) => paused.push(reading),
                    Ok(_) => {}
                    // Whoever still reads ends alone, and nobody asks what came of it.
                    Err(_) => break,
                },
                else => break,
            }
        }
        for reading in paused {
            self.seal(reading, named, batch, &mut left);
        }
        if Instant::now() >= limits.deadline {
            for object in std::mem::take(&mut left) {
                batch.fail(object, ObjectError::OutOfTime);
            }
        }
        left
    }

    /// Goes on reading from the pile, once there is a thread for it; nothing if that panics.
    async fn read_on(&self, mut reading: Reading, pile: Arc<Pile>) -> Option<Reading> {
        let _parsing = self.parsing.acquire().await.ok()?;
        let take = self.take;
        let reading = tokio::task::spawn_blocking(move || {
            reading.read(&pile, take);
            reading
        });
        reading.await.ok()
    }

    /// Takes in what a parcel holds.
    fn seal(&self, reading: Reading, named: Named<'_>, batch: &mut Batch, left: &mut BTreeSet<usize>) {
        let (worker, parcel) = reading.seal();
        self.give_back(worker);
        for object in parcel.objects() {
            left.remove(&object);
        }
        batch.take(parcel, named);
    }

    /// An object, and the permit to have it in memory.
    async fn fetch(
        &self,
        source: &impl Source,
        object: &ObjectRef,
    ) -> Result<(Vec<u8>, OwnedSemaphorePermit), ObjectError> {
        let limit = self.bounds.object_bytes;
        if object.size.is_some_and(|size| size > limit) {
            return Err(FetchError::TooLarge { limit }.into());
        }
        let stated = u64::from(pieces(object.size.unwrap_or(UNKNOWN_SIZE))) * PIECE;
        match self.fetch_within(source, object, stated.min(limit)).await {
            // Larger than was said, or than was guessed: again, with room for the largest there may be.
            Err(ObjectError::Fetch(FetchError::TooLarge { .. })) if stated < limit => {
                self.fetch_within(source, object, limit).await
            }
            fetched => fetched,
        }
    }

    /// An object of at most so many bytes, and the permit to have them in memory.
    async fn fetch_within(
        &self,
        source: &impl Source,
        object: &ObjectRef,
        most: u64,
    ) -> Result<(Vec<u8>, OwnedSemaphorePermit), ObjectError> {
        let share = pieces(most).min(pieces(self.bounds.bytes_in_flight));
        let permit = Arc::clone(&self.in_flight)
            .acquire_many_owned(share)
            .await
            .map_err(|_| ObjectError::OutOfTime)?;
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

/// Objects that were named, and those who learn from them.
#[derive(Clone, Copy)]
struct Named<'a> {
    objects: &'a [ObjectRef],
    kinds: &'a [Box<dyn Kind>],
}

impl Batch {
    fn fail(&mut self, object: usize, error: ObjectError) {
        self.tally.files.failed += 1;
        self.failed.insert(object, error);
    }

    fn take(&mut self, parcel: Parcel, named: Named<'_>) {
        let Parcel { ledgers, touched, tally, outcomes, unopened } = parcel;
        for (object, error) in unopened {
            self.fail(object, error);
        }
        for outcome in outcomes {
            self.note(outcome, named.objects);
        }
        for key in named.kinds.iter().flat_map(|kind| kind.keys(&ledgers)) {
            if let Some(touched) = touched.get(&(key.digest(), key.kind)) {
                self.touched.entry(key).or_default().add(touched);
            }
        }
        self.ledgers.absorb(ledgers);
        self.tally.absorb(tally);
    }

    /// What became of one object, apart from facts.
    fn note(&mut self, outcome: Outcome, objects: &[ObjectRef]) {
        let Outcome { object, origin, span, accounts, damage } = outcome;
        if let Some(problem) = damage {
            self.failed.insert(object, ObjectError::Damaged(problem));
        }
        if let Some((start, end)) = span
            && let Layout::Trail { account } = Layout::of(&objects[object].key)
        {
            let others: Vec<_> = accounts.into_iter().filter(|a| **a != *account).collect();
            if !others.is_empty() {
                let span = TimeRange { start, end };
                let folder = account.to_owned();
                self.misplaced.push(Misplaced { object, folder, accounts: others, span });
            }
        }
        if let Some(delivered) = origin.delivered {
            self.times.insert(object, delivered);
            if let (Some(account), Some(region)) = (origin.account, origin.region)
                && span.is_some()
            {
                self.delivered.push((account, region, delivered));
            }
        }
    }
}
