//! Live: word of new log objects in, alerts out, through the same engine as replay, over facts that many share.
//!
//! One invocation, whatever brought it:
//!
//! 1. [`read`]: its objects are fetched, inflated and parsed side by side, by the [`parcel`], into the facts of a batch.
//! 2. [`desk`]: every key the batch taught about is joined with what is stored and written back, if that is news, on condition
//!    that nobody wrote meanwhile; else it is loaded and joined again.
//! 3. [`judge`]: every such key is judged, changed or not, from the first hour on that the batch can have changed; only where
//!    nothing was found in the very same facts before, nothing is looked for again.
//! 4. [`tell`]: what was not published before is published, and recorded as published, in this order. What a backlog shows
//!    is [`held`] back first, until it is worked off.
//!
//! A message is handed back when any of its objects could not be read to the end, or any key that such an object taught
//! about could not be saved, judged or told of. Handing back too much is harmless: facts join, and alerts keep their
//! ids. So a crash anywhere loses nothing: what was saved and not told is found again when its messages come again.

mod cache;
mod coverage;
mod desk;
mod held;
mod judge;
mod kind;
mod look;
pub mod metrics;
mod misplaced;
mod parcel;
pub mod push;
mod read;
mod report;
mod rhythm;
mod rules;
mod shared;
mod silence;
mod tell;
mod working;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::time::Instant;
use trailhound_detectors::time::{DAY, HOUR};
use trailhound_detectors::{ConfigError, EventTime};

use crate::config::Config;
use crate::ingest::envelope::{Message, Notice};
use crate::ingest::source::Source;
use crate::ingest::{Allow, ObjectRef};
use crate::sink::Publish;
use crate::store::{FactStore, Table};

use cache::Cache;
use coverage::Notes;
use desk::{Desk, Trouble};
use held::{Backlog, When};
use judge::Judgement;
use kind::{FactKey, Kind, Tidy};
use read::Batch;
use rules::Rules;
use tell::Dress;
use working::Working;

pub use coverage::Coverage;
pub use look::Look;
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
    rules: RwLock<Arc<Rules>>,
    bounds: Bounds,
    allow: Allow,
    kinds: Vec<Box<dyn Kind>>,
    cache: Cache,
    notes: Mutex<Notes>,
    backlog: Mutex<Backlog>,
    /// A number that no other process has.
    process: u64,
    /// Batches of which something may have been held back.
    held: AtomicU64,
    store: FactStore<T>,
    source: S,
    sink: P,
}

impl<T, S, P> fmt::Debug for Live<T, S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl<T: Table, S: Source, P: Publish> Live<T, S, P> {
    /// A live engine, or the detector whose configuration is refused.
    pub fn new(settings: Settings, ports: Ports<T, S, P>) -> Result<Self, (&'static str, ConfigError)> {
        let Settings { config, allow, bounds, cache_bytes } = settings;
        let process = RandomState::new().build_hasher().finish();
        Ok(Self {
            rules: RwLock::new(Rules::new(config, &bounds)?),
            bounds,
            allow,
            kinds: kind::kinds(),
            cache: Cache::new(cache_bytes),
            notes: Mutex::new(Notes::new(process)),
            backlog: Mutex::default(),
            process,
            held: AtomicU64::new(0),
            store: FactStore::new(ports.table),
            source: ports.source,
            sink: ports.sink,
        })
    }

    /// Judges by another configuration from the next invocation on; what is under way ends by the one it began with. If a
    /// detector refuses it, everything stays as it was.
    pub fn reconfigure(&self, config: Config) -> Result<(), (&'static str, ConfigError)> {
        let rules = Rules::new(config, &self.bounds)?;
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }

    /// The digest of the configuration that judges now.
    pub fn config(&self) -> Arc<str> {
        Arc::clone(&self.rules().provenance.config)
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The facts at rest.
    pub fn store(&self) -> &FactStore<T> {
        &self.store
    }

    /// Deals with messages; those it could not deal with wholly by the deadline are named in the report.
    pub async fn handle(&self, messages: &[Message], moment: Moment) -> Report {
        let rules = self.rules();
        let mut report = Report { messages: messages.len() as u64, ..Report::default() };
        let named = self.named(messages, &mut report);
        report.objects = named.objects.len() as u64;
        let left = moment.deadline.saturating_duration_since(Instant::now());
        let reading_ends = Instant::now() + left.mul_f64(READING);
        let mut batch = rules.reader.read(&self.source, &named.objects, &self.kinds, reading_ends).await;
        for (object, error) in &batch.failed {
            report.trouble(|| format!("{}: {error}", named.objects[*object].uri()));
        }
        let mut again: BTreeSet<usize> = batch.failed.keys().copied().collect();
        again.extend(self.learn_and_tell(&rules, &batch, &named.objects, moment, &mut report).await);
        report.keys = batch.touched.len() as u64;
        report.delay = batch.times.values().max().map(|newest| moment.now.0.saturating_sub(newest.0));
        self.notes().note(&batch, &report, moment.now);
        self.write_notes(&rules, moment, &mut report).await;
        if self.should_look(moment.now) {
            self.tell_what_was_held(&rules, moment, &mut report).await;
        }
        report.tally = std::mem::take(&mut batch.tally);
        report.failed.extend(again.iter().flat_map(|object| &named.messages[*object]).cloned());
        report
    }

    /// Lets go of the lock before anybody waits.
    fn should_look(&self, now: EventTime) -> bool {
        self.backlog().should_look(now)
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
        rules: &Rules,
        batch: &Batch,
        objects: &[ObjectRef],
        moment: Moment,
        report: &mut Report,
    ) -> BTreeSet<usize> {
        let Moment { now, deadline } = moment;
        let mut again = BTreeSet::new();
        let old = now.plus(-held::OLD);
        if batch.oldest().is_some_and(|oldest| oldest < old) && self.backlog_is_news(now) {
            match held::note_activity(&self.store, now, deadline).await {
                Ok(()) => self.backlog().heard(Some(now)),
                Err(trouble) => report.trouble(|| format!("work on a backlog can't be noted: {trouble}")),
            }
        }
        let mut desk = self.desk(moment, self.tidy(rules, batch, now));
        let mut working = Working::default();
        let unsaved = desk.settle(batch, &mut working).await;
        let court = rules.court();
        let Judgement { found, leaning, troubles: unjudged } =
            desk.judge(court, batch, &mut working, &unsaved).await;
        let when = self.when(now);
        let (mut found, unheld) = desk.hold_back((found, leaning), batch, when, report).await;
        found.extend(batch.misplaced.iter().map(|m| misplaced::found(m, &objects[m.object])));
        for (key, trouble) in unsaved.iter().chain(&unjudged).chain(&unheld) {
            report.trouble(|| self.told(key, trouble));
            again.extend(&batch.touched[key].objects);
        }
        let dress = Dress { provenance: &rules.provenance, suppressions: &rules.suppressions, now };
        again.extend(desk.tell(found, &dress, &self.sink, report).await);
        report.store.add(desk.counts);
        again
    }

    fn when(&self, now: EventTime) -> When {
        When {
            now,
            process: self.process,
            number: self.held.fetch_add(1, Ordering::Relaxed),
            is_backlog_under_way: self.backlog().is_under_way(now),
        }
    }

    fn backlog_is_news(&self, now: EventTime) -> bool {
        self.backlog().is_news(now)
    }

    fn desk(&self, Moment { now, deadline }: Moment, tidy: Option<Tidy>) -> Desk<'_, T> {
        Desk {
            store: &self.store,
            cache: &self.cache,
            kinds: &self.kinds,
            deadline,
            tidy,
            expires: now.plus(KEPT),
            renew_before: now.plus(KEPT / 2),
            counts: StoreCounts::default(),
        }
    }

    /// Names the key by its detector only: entities are what logs say.
    fn told(&self, key: &FactKey, trouble: &Trouble) -> String {
        let detector = self.kinds[usize::from(key.kind)].name();
        format!("facts of {detector}, class {}: {trouble}", key.key.class.0)
    }

    /// By the oldest object at hand; never by one from the future, which anybody could make up. Not at all while a backlog is
    /// worked off, here or elsewhere.
    fn tidy(&self, rules: &Rules, batch: &Batch, now: EventTime) -> Option<Tidy> {
        let oldest = batch.oldest()?.min(now);
        let learning = &rules.environment.learning;
        (oldest >= now.plus(-REDELIVERY) && !self.backlog().is_under_way(now)).then(|| Tidy {
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
