//! What is covered: which accounts deliver, how late, what was skipped, and what can't be seen at all.
//!
//! Processes note what they handled in memory, and join it into shared rows now and then; a scheduled invocation reads those.
//! Nothing here decides about a message: what can't be written down now is written down next time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use trailhound_detectors::EventTime;
use trailhound_detectors::action::stable_hash;
use trailhound_detectors::time::{DAY, HOUR, MINUTE};

use super::desk::Trouble;
use super::read::Batch;
use super::report::Report;
use super::rhythm::{Deliveries, REMEMBERED};
use super::shared::{self, Lasts, Shared};
use crate::engine::blind::{self, BlindSpot, SPOTS};
use crate::engine::lateness::Lateness;
use crate::store::facts::FactStore;
use crate::store::table::Table;

/// Rows that accounts and processes are spread over.
const SHARDS: usize = 16;
/// A process writes down what it noted this often, seconds.
const NOTED: i64 = 10 * MINUTE;
/// Work is remembered for so many hours, and summed up over half of them.
const WORK_HOURS: i64 = 48;
/// Rows are kept for so long after they were written, seconds.
const KEPT: i64 = 400 * DAY;

/// Work of one process in one hour: counts that only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Work {
    objects: u64,
    /// Objects and notices that were not read as trails, by reason.
    skipped: BTreeMap<String, u64>,
    records: u64,
    records_skipped: u64,
    lateness: Lateness,
}

impl Work {
    fn add(&mut self, other: &Self) {
        self.objects += other.objects;
        self.records += other.records;
        self.records_skipped += other.records_skipped;
        self.lateness.add(&other.lateness);
        for (reason, count) in &other.skipped {
            *self.skipped.entry(reason.clone()).or_default() += count;
        }
    }

    /// The later of two states of the same counts.
    fn later(&mut self, other: &Self) {
        self.objects = self.objects.max(other.objects);
        self.records = self.records.max(other.records);
        self.records_skipped = self.records_skipped.max(other.records_skipped);
        self.lateness.max(&other.lateness);
        for (reason, count) in &other.skipped {
            let mine = self.skipped.entry(reason.clone()).or_default();
            *mine = (*mine).max(*count);
        }
    }
}

/// What processes noted, of one shard or of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Noted {
    pub(super) deliveries: Deliveries,
    /// By hour of handling and by process.
    work: BTreeMap<(i64, u64), Work>,
    /// When something that a trail may lack was last seen, by its place in the list of such things.
    seen: BTreeMap<u8, EventTime>,
}

impl Shared for Noted {
    const NAME: &'static str = "what was delivered";

    fn join(&mut self, other: &Self) {
        self.deliveries.join(&other.deliveries);
        for (key, work) in &other.work {
            self.work.entry(*key).or_default().later(work);
        }
        for (spot, time) in &other.seen {
            let mine = self.seen.entry(*spot).or_insert(*time);
            *mine = (*mine).max(*time);
        }
        self.trim();
    }
}

impl Noted {
    fn trim(&mut self) {
        if let Some(((newest, _), _)) = self.work.last_key_value() {
            self.work = self.work.split_off(&(newest - WORK_HOURS, 0));
        }
    }

    fn part(&self, shard: usize, process: u64) -> Self {
        let mine = process as usize % SHARDS == shard;
        Self {
            deliveries: self
                .deliveries
                .part(shard, |account| stable_hash(account.as_bytes()) as usize % SHARDS),
            work: if mine { self.work.clone() } else { BTreeMap::new() },
            seen: if mine { self.seen.clone() } else { BTreeMap::new() },
        }
    }

    fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.work.is_empty()
    }
}

/// What one process noted and has not written down.
#[derive(Debug)]
pub(super) struct Notes {
    process: u64,
    noted: Noted,
    /// When it last wrote down.
    written: Option<EventTime>,
}

impl Notes {
    /// Of a process that has just started; `process` tells it from all others.
    pub(super) fn new(process: u64) -> Self {
        Self { process, noted: Noted::default(), written: None }
    }

    /// Notes what an invocation handled.
    pub(super) fn note(&mut self, batch: &Batch, report: &Report, now: EventTime) {
        let objects = &batch.delivered;
        for (account, region, delivered) in
            objects.iter().filter(|d| !Deliveries::is_from_the_future(d.2, now))
        {
            if *delivered >= now.plus(-REMEMBERED) {
                self.noted.deliveries.note(account, region, *delivered);
            }
        }
        let files = &batch.tally.files;
        let mut skipped: BTreeMap<String, u64> =
            report.ignored.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect();
        for (reason, count) in [("failed", files.failed), ("cut", files.cut), ("empty", files.empty)] {
            if count > 0 {
                *skipped.entry(reason.to_owned()).or_default() += count;
            }
        }
        let work = Work {
            objects: report.objects,
            skipped,
            records: batch.tally.records,
            records_skipped: batch.tally.skipped.values().sum(),
            lateness: batch.tally.lateness.clone(),
        };
        self.noted.work.entry((now.hour(), self.process)).or_default().add(&work);
        self.noted.trim();
    }

    /// What is to be written down now, with what this process has seen since it started; nothing if it is too early.
    pub(super) fn due(&mut self, now: EventTime, seen: impl FnOnce() -> [bool; SPOTS]) -> Option<Noted> {
        if self.noted.is_empty() || self.written.is_some_and(|written| now < written.plus(NOTED)) {
            return None;
        }
        self.written = Some(now);
        for (spot, seen) in (0..).zip(seen()) {
            if seen {
                self.noted.seen.insert(spot, now);
            }
        }
        let noted = self.noted.clone();
        // Work is written as it stands; deliveries are handed over.
        self.noted.deliveries = Deliveries::default();
        Some(noted)
    }

    /// What could not be written down is noted again.
    pub(super) fn take_back(&mut self, noted: &Noted) {
        self.noted.deliveries.join(&noted.deliveries);
    }

    pub(super) fn process(&self) -> u64 {
        self.process
    }
}

/// Joins notes of a process into the shared rows; answers with what could not be.
pub(super) async fn write(
    store: &FactStore<impl Table>,
    noted: &Noted,
    process: u64,
    (now, deadline): (EventTime, Instant),
) -> Result<(), (Noted, Trouble)> {
    let lasts = Lasts { expires: now.plus(KEPT), deadline: deadline.min(Instant::now() + shared::BRIEFLY) };
    let mut lost: Option<(Noted, Trouble)> = None;
    for (shard, name) in shared::names("deliveries", SHARDS).iter().enumerate() {
        let part = noted.part(shard, process);
        if part.is_empty() {
            continue;
        }
        if let Err(trouble) = shared::merge(store, name, &part, lasts).await {
            let (all, _) = lost.get_or_insert_with(|| (Noted::default(), trouble));
            all.join(&part);
        }
    }
    lost.map_or(Ok(()), Err)
}

/// What all processes noted.
pub(super) async fn read(store: &FactStore<impl Table>, deadline: Instant) -> Result<Noted, Trouble> {
    let mut all = Noted::default();
    for shard in shared::load::<Noted>(store, &shared::names("deliveries", SHARDS), deadline).await? {
        all.join(&shard.value);
    }
    Ok(all)
}

/// What is covered, at a time.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Accounts that delivered within the last two months.
    pub accounts: usize,
    /// Those of them that are silent.
    pub silent: usize,
    /// What is silent, in words.
    pub silences: Vec<String>,
    /// Objects named within the last day.
    pub objects: u64,
    /// Objects and notices of the last day that were not read as trails to their end, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Records met within the last day.
    pub records: u64,
    /// Records skipped within the last day.
    pub records_skipped: u64,
    /// Seconds from event to delivery that half of the records of the last day, and 99 in 100, kept.
    pub lateness: Option<(i64, i64)>,
    /// What nobody could have seen within the last two weeks.
    pub blind: Vec<BlindSpot>,
}

impl Coverage {
    /// What notes say of the day before a time.
    pub(super) fn of(noted: &Noted, tick: EventTime) -> Self {
        let mut work = Work::default();
        for ((hour, _), part) in &noted.work {
            let ended = EventTime::of_hour(hour + 1);
            if ended > tick.plus(-DAY) && *hour <= tick.plus(HOUR).hour() {
                work.add(part);
            }
        }
        let recently = tick.plus(-REMEMBERED);
        let seen = std::array::from_fn(|spot| {
            u8::try_from(spot).is_ok_and(|spot| noted.seen.get(&spot).is_some_and(|time| *time >= recently))
        });
        Self {
            objects: work.objects,
            skipped: work.skipped,
            records: work.records,
            records_skipped: work.records_skipped,
            lateness: work.lateness.quantile(0.5).zip(work.lateness.quantile(0.99)),
            blind: blind::unseen(seen).into_iter().collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(process: u64, hour: i64, objects: u64) -> Noted {
        let mut noted = Noted::default();
        let mut lateness = Lateness::default();
        (0..objects).for_each(|_| lateness.note(200));
        let work = Work { objects, lateness, skipped: [("digest".to_owned(), 1)].into(), ..Work::default() };
        noted.work.insert((hour, process), work);
        noted
    }

    #[test]
    fn work_written_twice_counts_once_and_that_of_others_beside_it() {
        let tick = EventTime::of_hour(490_024);
        let mut all = noted(1, 490_010, 3);
        for part in [noted(1, 490_010, 5), noted(1, 490_010, 5), noted(2, 490_010, 7), noted(1, 489_990, 100)]
        {
            all.join(&part);
        }
        let coverage = Coverage::of(&all, tick);
        assert_eq!((coverage.objects, coverage.skipped["digest"]), (12, 2));
        assert_eq!(coverage.lateness, Some((240, 240)));
        all.join(&noted(1, 490_100, 1));
        assert_eq!(all.work.len(), 1, "what is two days older than the newest is dropped");
    }

    #[test]
    fn what_was_not_seen_for_two_weeks_is_blind() {
        let tick = EventTime::of_hour(490_024);
        let mut all = Noted::default();
        assert_eq!(Coverage::of(&all, tick).blind.len(), SPOTS);
        all.seen.insert(0, tick.plus(-DAY));
        all.seen.insert(1, tick.plus(-15 * DAY));
        assert_eq!(Coverage::of(&all, tick).blind.len(), SPOTS - 1);
    }
}
