//! Live: word of new log objects in, alerts out, through the same engine as replay, over facts that many share.
//!
//! One invocation, whatever brought it:
//!
//! 1. [`read`]: its objects are fetched, inflated and parsed side by side into the facts of a batch.
//! 2. [`desk`]: every key the batch taught about is joined with what is stored and written back, if that is news, on condition
//!    that nobody wrote meanwhile; else it is loaded and joined again.
//! 3. [`judge`]: every such key is judged, changed or not, from the first hour on that the batch can have changed.
//! 4. [`tell`]: what was not published before is published, and recorded as published, in this order.
//!
//! A message is handed back when any of its objects could not be read to the end, or any key that such an object taught
//! about could not be saved, judged or told of. Handing back too much is harmless: facts join, and alerts keep their
//! ids. So a crash anywhere loses nothing: what was saved and not told is found again when its messages come again.

mod cache;
mod desk;
mod judge;
mod kind;
pub mod metrics;
mod misplaced;
pub mod push;
mod read;
mod report;
mod tell;
mod working;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use tokio::time::Instant;
use trailhound_detectors::catalogue::Detectors;
use trailhound_detectors::time::{DAY, HOUR};
use trailhound_detectors::{ConfigError, Environment, EventTime};

use crate::alert::Provenance;
use crate::config::Config;
use crate::engine::worker::{Intake, Selection};
use crate::inflate;
use crate::ingest::envelope::{Message, Notice};
use crate::ingest::source::Source;
use crate::ingest::{Allow, ObjectRef};
use crate::sink::Publish;
use crate::store::{FactStore, Table};
use crate::suppress::Suppression;

use cache::Cache;
use desk::{Desk, Trouble};
use judge::Court;
use kind::{FactKey, Kind, Tidy};
use read::{Batch, Reader};
use tell::Dress;
use working::Working;

pub use read::{Bounds, ObjectError};
pub use report::{AlertCounts, Report, StoreCounts};

/// Windows stay open so long beyond the lateness horizon, for messages that come again, seconds. Who has older objects at
/// hand works off a backlog, in any order, and closes nothing.
const REDELIVERY: i64 = 6 * HOUR;
/// CloudTrail delivers records up to so long after their events (AWS, "CloudTrail log file delivery").
const LATEST_DELIVERY: i64 = 30 * DAY;
/// Rows that nothing was learnt for are dropped after this: the document of a resource is of use for as long.
const KEPT: i64 = 400 * DAY;

/// The part of an invocation's time that reading may take: saving, judging and telling must not be left without.
const READING: f64 = 0.6;

/// How an invocation works.
#[derive(Debug)]
pub struct Settings {
    /// What judges, and how.
    pub config: Config,
    /// Which objects are read.
    pub allow: Allow,
    /// What may be under way at once.
    pub bounds: Bounds,
    /// Bytes that may be remembered between invocations.
    pub cache_bytes: usize,
}

/// What an invocation talks to.
#[derive(Debug)]
pub struct Ports<T, S, P> {
    /// Where facts lie.
    pub table: T,
    /// Where objects lie.
    pub source: S,
    /// Where alerts go.
    pub sink: P,
}

/// When an invocation happens.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the wall clock.
    pub now: EventTime,
    /// What is not done by then is handed back.
    pub deadline: Instant,
}

/// The live engine of one process: it may be asked from several invocations at once.
pub struct Live<T, S, P> {
    detectors: Detectors,
    environment: Environment,
    provenance: Provenance,
    suppressions: Vec<Suppression>,
    allow: Allow,
    reader: Reader,
    kinds: Vec<Box<dyn Kind>>,
    cache: Cache,
    store: FactStore<T>,
    source: S,
    sink: P,
}

impl<T, S, P> fmt::Debug for Live<T, S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("provenance", &self.provenance).finish_non_exhaustive()
    }
}

impl<T: Table, S: Source, P: Publish> Live<T, S, P> {
    /// A live engine, or the detector whose configuration is refused.
    pub fn new(settings: Settings, ports: Ports<T, S, P>) -> Result<Self, (&'static str, ConfigError)> {
        let Settings { config, allow, bounds, cache_bytes } = settings;
        let intake = Intake {
            limits: inflate::Limits {
                max_bytes: ((config.limits.inflated_mib as usize) << 20).min(bounds.inflated_bytes),
                max_ratio: config.limits.inflation_ratio as usize,
            },
            lateness_seconds: config.learning.lateness_seconds(),
            selection: Selection::default(),
        };
        Ok(Self {
            detectors: Detectors::new(&config.detectors)?,
            environment: config.environment(),
            provenance: Provenance { config: config.digest() },
            suppressions: config.suppressions,
            allow,
            reader: Reader::new(intake, bounds),
            kinds: kind::kinds(),
            cache: Cache::new(cache_bytes),
            store: FactStore::new(ports.table),
            source: ports.source,
            sink: ports.sink,
        })
    }

    /// The facts at rest.
    pub fn store(&self) -> &FactStore<T> {
        &self.store
    }

    /// Deals with messages; those it could not deal with wholly by the deadline are named in the report.
    pub async fn handle(&self, messages: &[Message], moment: Moment) -> Report {
        let mut report = Report { messages: messages.len() as u64, ..Report::default() };
        let named = self.named(messages, &mut report);
        report.objects = named.objects.len() as u64;
        let left = moment.deadline.saturating_duration_since(Instant::now());
        let reading_ends = Instant::now() + left.mul_f64(READING);
        let mut batch = self.reader.read(&self.source, &named.objects, &self.kinds, reading_ends).await;
        for (object, error) in &batch.failed {
            report.trouble(|| format!("{}: {error}", named.objects[*object].uri()));
        }
        let mut again: BTreeSet<usize> = batch.failed.keys().copied().collect();
        again.extend(self.learn_and_tell(&batch, &named.objects, moment, &mut report).await);
        report.keys = batch.touched.len() as u64;
        report.tally = std::mem::take(&mut batch.tally);
        report.failed.extend(again.iter().flat_map(|object| &named.messages[*object]).cloned());
        report
    }

    /// The objects that messages name, each once.
    fn named(&self, messages: &[Message], report: &mut Report) -> Named {
        let mut places: BTreeMap<&ObjectRef, usize> = BTreeMap::new();
        let mut named = Named::default();
        for message in messages {
            for notice in &message.notices {
                match notice {
                    Notice::Object(object) => match self.allow.admits(object) {
                        Ok(()) => {
                            let place = *places.entry(object).or_insert_with(|| {
                                named.objects.push(object.clone());
                                named.messages.push(BTreeSet::new());
                                named.objects.len() - 1
                            });
                            named.messages[place].insert(message.id.clone());
                        }
                        Err(reason) => *report.ignored.entry(reason).or_default() += 1,
                    },
                    Notice::Ignored(reason) => *report.ignored.entry(reason).or_default() += 1,
                    Notice::Broken(why) => {
                        report.failed.insert(message.id.clone());
                        report.trouble(|| format!("message {}: {why}", message.id));
                    }
                }
            }
        }
        named
    }

    /// Saves, judges and tells. Answers with the objects that must be seen again.
    async fn learn_and_tell(
        &self,
        batch: &Batch,
        objects: &[ObjectRef],
        Moment { now, deadline }: Moment,
        report: &mut Report,
    ) -> BTreeSet<usize> {
        let mut desk = Desk {
            store: &self.store,
            cache: &self.cache,
            kinds: &self.kinds,
            deadline,
            tidy: self.tidy(batch, now),
            expires: now.plus(KEPT),
            renew_before: now.plus(KEPT / 2),
            counts: StoreCounts::default(),
        };
        let mut working = Working::default();
        let unsaved = desk.settle(batch, &mut working).await;
        let court = Court { detectors: &self.detectors, environment: &self.environment };
        let (mut found, unjudged) = desk.judge(court, batch, &mut working, &unsaved).await;
        found.extend(batch.misplaced.iter().map(|m| misplaced::found(m, &objects[m.object])));
        let mut again = BTreeSet::new();
        for (key, trouble) in unsaved.iter().chain(&unjudged) {
            report.trouble(|| self.told(key, trouble));
            again.extend(&batch.touched[key].objects);
        }
        let dress = Dress { provenance: &self.provenance, suppressions: &self.suppressions, now };
        again.extend(desk.tell(found, &dress, &self.sink, report).await);
        report.store = desk.counts;
        again
    }

    /// Names the key by its detector only: entities are what logs say.
    fn told(&self, key: &FactKey, trouble: &Trouble) -> String {
        let detector = self.kinds[usize::from(key.kind)].name();
        format!("facts of {detector}, class {}: {trouble}", key.key.class.0)
    }

    /// By the oldest object at hand; never by one from the future, which anybody could make up.
    fn tidy(&self, batch: &Batch, now: EventTime) -> Option<Tidy> {
        let oldest = batch.oldest?.min(now);
        let learning = &self.environment.learning;
        (oldest >= now.plus(-REDELIVERY)).then(|| Tidy {
            closed: oldest.plus(-learning.lateness_seconds() - REDELIVERY).minute(),
            horizon: oldest.plus(-learning.forget_seconds() - LATEST_DELIVERY),
        })
    }
}

/// Objects, each with the messages that name it.
#[derive(Default)]
struct Named {
    objects: Vec<ObjectRef>,
    messages: Vec<BTreeSet<String>>,
}

#[cfg(test)]
mod tests;
