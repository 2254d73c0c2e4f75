//! Everything live talks to, in memory, with faults: calls that fail, calls that are done and said to have failed, calls that
//! dawdle, and calls in the middle of which the process dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tokio::sync::Notify;

use super::super::*;
use crate::alert::Alert;
use crate::ingest::source::FetchError;
use crate::sink::PublishError;
use crate::store::MemoryTable;
use crate::store::table::{Condition, Page, PutError, Row, TableError};

/// What goes wrong, and how often.
#[derive(Debug)]
pub(super) struct Chaos {
    rng: Mutex<Pcg64Mcg>,
    /// One call in so many fails; 0 for none.
    pub(super) one_in: u32,
    /// Calls until the process dies; negative for never.
    until_death: AtomicI64,
    died: Notify,
    /// Calls by what they asked for.
    pub(super) calls: Mutex<BTreeMap<&'static str, u64>>,
    pub(super) faults: AtomicU64,
}

/// What becomes of one call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    Refused,
    DoneAndLost,
    Dead,
    DoneAndDead,
}

impl Chaos {
    pub(super) fn new(seed: u64, one_in: u32) -> Arc<Self> {
        Arc::new(Self {
            rng: Mutex::new(Pcg64Mcg::seed_from_u64(seed)),
            one_in,
            until_death: AtomicI64::new(-1),
            died: Notify::new(),
            calls: Mutex::default(),
            faults: AtomicU64::new(0),
        })
    }

    /// The process that makes the call after so many more dies of it.
    pub(super) fn die_after(&self, calls: i64) {
        self.until_death.store(calls, Ordering::SeqCst);
    }

    pub(super) async fn death(&self) {
        self.died.notified().await;
    }

    pub(super) fn calls_of(&self, what: &'static str) -> u64 {
        self.calls.lock().unwrap().get(what).copied().unwrap_or(0)
    }

    async fn fate(&self, what: &'static str) -> Fate {
        *self.calls.lock().unwrap().entry(what).or_default() += 1;
        let dies =
            self.until_death.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n >= 0).then_some(n - 1))
                == Ok(0);
        let (draw, second) = {
            let mut rng = self.rng.lock().unwrap();
            (rng.random_range(0..self.one_in.max(1)), rng.random::<bool>())
        };
        tokio::task::yield_now().await;
        match (dies, self.one_in > 0 && draw == 0, second) {
            (true, _, false) => Fate::Dead,
            (true, _, true) => Fate::DoneAndDead,
            (false, true, false) => Fate::Refused,
            (false, true, true) => Fate::DoneAndLost,
            _ => Fate::Fine,
        }
    }

    /// Makes a call, unless something happens to it.
    async fn call<V>(&self, what: &'static str, make: impl Future<Output = V>) -> Result<V, &'static str> {
        let fate = self.fate(what).await;
        if fate != Fate::Fine {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        match fate {
            Fate::Fine => Ok(make.await),
            Fate::Refused => Err("refused"),
            Fate::DoneAndLost => {
                make.await;
                Err("the answer was lost")
            }
            Fate::Dead => self.die().await,
            Fate::DoneAndDead => {
                make.await;
                self.die().await
            }
        }
    }

    async fn die<V>(&self) -> V {
        self.died.notify_one();
        std::future::pending().await
    }
}

fn lost(why: &'static str) -> TableError {
    TableError { what: "reach the table", source: why.into() }
}

/// What outlives processes.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) chaos: Arc<Chaos>,
    pub(super) table: Arc<MemoryTable>,
    pub(super) objects: Arc<BTreeMap<String, Vec<u8>>>,
    pub(super) published: Arc<Mutex<Vec<Alert>>>,
    pub(super) config: Config,
    pub(super) bounds: Bounds,
}

/// Learning that is done within a day.
pub(super) fn quick() -> Config {
    let mut config = Config::default();
    config.learning.days = 1;
    config.learning.forget_after_days = 7;
    config
}

impl World {
    pub(super) fn new(objects: &[(ObjectRef, Vec<u8>)], chaos: Arc<Chaos>) -> Self {
        Self {
            chaos,
            table: Arc::default(),
            objects: Arc::new(objects.iter().map(|(o, bytes)| (o.uri(), bytes.clone())).collect()),
            published: Arc::default(),
            config: quick(),
            bounds: Bounds {
                fetches: 4,
                workers: 2,
                bytes_in_flight: 1 << 20,
                object_bytes: 1 << 20,
                inflated_bytes: 8 << 20,
                batch_bytes: 1 << 30,
            },
        }
    }

    /// A process that has just started.
    pub(super) fn process(&self) -> Live<World, World, World> {
        let settings = Settings {
            config: self.config.clone(),
            allow: Allow::default(),
            bounds: self.bounds.clone(),
            cache_bytes: 4 << 20,
        };
        Live::new(settings, Ports { table: self.clone(), source: self.clone(), sink: self.clone() }).unwrap()
    }

    pub(super) fn ids(&self) -> BTreeSet<String> {
        self.published.lock().unwrap().iter().map(|a| a.id.clone()).collect()
    }
}

impl Table for World {
    async fn get(&self, names: &[String]) -> Result<Vec<Option<Row>>, TableError> {
        self.chaos.call("get", self.table.get(names)).await.map_err(lost)?
    }

    async fn put(&self, name: &str, row: Row, condition: Condition) -> Result<(), PutError> {
        self.chaos.call("put", self.table.put(name, row, condition)).await.map_err(lost)?
    }

    async fn delete(&self, name: &str) -> Result<(), TableError> {
        self.chaos.call("delete", self.table.delete(name)).await.map_err(lost)?
    }

    async fn scan(&self, from: Option<String>) -> Result<Page, TableError> {
        self.table.scan(from).await
    }
}

impl Source for World {
    async fn fetch(&self, object: &ObjectRef, limit: u64) -> Result<Vec<u8>, FetchError> {
        let found = async { self.objects.get(&object.uri()).cloned() };
        let found = self.chaos.call("fetch", found).await.map_err(|why| FetchError::Failed(why.into()))?;
        let found = found.ok_or(FetchError::Missing)?;
        if found.len() as u64 > limit { Err(FetchError::TooLarge { limit }) } else { Ok(found) }
    }
}

impl Publish for World {
    async fn publish(&self, alerts: &[Alert]) -> Vec<Result<(), PublishError>> {
        let mut answers = Vec::new();
        for alert in alerts {
            let publish = async { self.published.lock().unwrap().push(alert.clone()) };
            let answer = self.chaos.call("publish", publish).await;
            answers.push(answer.map_err(|why| PublishError { source: why.into() }));
        }
        answers
    }
}

/// Long after everything, with all the time there is: a backlog.
pub(super) fn much_later() -> Moment {
    at(EventTime(2_000_000_000))
}

/// With all the time there is.
pub(super) fn at(now: EventTime) -> Moment {
    Moment { now, deadline: Instant::now() + Duration::from_secs(600) }
}
