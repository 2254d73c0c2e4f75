//! A backlog: objects that are told of long after their delivery, in any order. What they teach is saved at once; what is
//! found by them is held back until the backlog is worked off, and judged again then.
//!
//! Told at once it would depend on the order: of two uses the one heard of first would be the first use, and a burst
//! would begin wherever hearing of it began. Nobody waits for it by the second: it is late already. What is held is
//! written down before the messages are answered for, so it is as safe as facts are.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use trailhound_detectors::time::{DAY, HOUR, MINUTE};
use trailhound_detectors::{EventTime, Key};

use super::desk::{Desk, Trouble};
use super::judge::Found;
use super::kind::{FactKey, Kind};
use super::read::Batch;
use super::report::Report;
use super::shared::{self, Lasts, Shard, Shared};
use crate::store::facts::FactStore;
use crate::store::table::{READ_BATCH, Table};

/// An object is part of a backlog when it is handled so long after its delivery, seconds.
pub(super) const OLD: i64 = HOUR;
/// A backlog is worked off when nothing of it was handled for so long, seconds.
const QUIET: i64 = 10 * MINUTE;
/// Nothing is held back for longer, seconds: a backlog may be without end.
const LONGEST: i64 = 2 * HOUR;
/// A process looks for what is held this often, seconds.
const LOOKS: i64 = 5 * MINUTE;
/// Rows that the names of what is held are spread over.
const SHARDS: usize = 8;
/// Rows with keys that are told of together.
const AT_ONCE: usize = 50;
/// Where the newest work on a backlog is noted.
const ACTIVITY: &str = "held#activity";
/// Rows about what is held are kept for so long after they were written, seconds.
const KEPT: i64 = 30 * DAY;

/// What is held back in one shard: the names of rows with keys, each written once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting {
    /// When the first of it was held back.
    since: Option<EventTime>,
    batches: BTreeSet<String>,
}

impl Shared for Waiting {
    const NAME: &'static str = "what is held back";

    fn join(&mut self, other: &Self) {
        self.since = self.since.into_iter().chain(other.since).min();
        self.batches.extend(other.batches.iter().cloned());
    }
}

impl Waiting {
    /// Some of the rows, to be told together.
    pub(super) fn some(&self) -> Vec<String> {
        self.batches.iter().take(AT_ONCE).cloned().collect()
    }

    /// What is left when these are told.
    pub(super) fn without(&mut self, told: &[String]) {
        told.iter().for_each(|name| {
            self.batches.remove(name);
        });
        if self.batches.is_empty() {
            self.since = None;
        }
    }
}

/// Keys of one batch: detector and key, and from when on what is found about it may not have been told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct HeldKeys(BTreeMap<(String, Key), EventTime>);

impl Shared for HeldKeys {
    const NAME: &'static str = "keys that are held back";

    fn join(&mut self, other: &Self) {
        for (key, since) in &other.0 {
            let mine = self.0.entry(key.clone()).or_insert(*since);
            *mine = (*mine).min(*since);
        }
    }
}

/// When a backlog was last worked on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Activity {
    newest: Option<EventTime>,
}

impl Shared for Activity {
    const NAME: &'static str = "the newest work on a backlog";

    fn join(&mut self, other: &Self) {
        self.newest = self.newest.max(other.newest);
    }
}

/// What one process knows of a backlog.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backlog {
    /// The newest work on it that is written down.
    newest: Option<EventTime>,
    /// When this process last looked for what is held.
    looked: Option<EventTime>,
}

impl Backlog {
    /// A backlog is being worked off.
    pub(super) fn is_under_way(&self, now: EventTime) -> bool {
        self.newest.is_some_and(|newest| now < newest.plus(QUIET))
    }

    /// It is time to look.
    pub(super) fn should_look(&mut self, now: EventTime) -> bool {
        let due = self.looked.is_none_or(|looked| now >= looked.plus(LOOKS));
        if due {
            self.looked = Some(now);
        }
        due
    }

    /// Work on it that has to be written down: once a minute.
    pub(super) fn is_news(&self, now: EventTime) -> bool {
        self.newest.is_none_or(|newest| now.minute() > newest.minute())
    }

    pub(super) fn heard(&mut self, newest: Option<EventTime>) {
        self.newest = self.newest.max(newest);
    }
}

/// Writes down that a backlog is worked on.
pub(super) async fn note_activity(
    store: &FactStore<impl Table>,
    now: EventTime,
    deadline: Instant,
) -> Result<(), Trouble> {
    let activity = Activity { newest: Some(now) };
    shared::merge(store, ACTIVITY, &activity, Lasts { expires: now.plus(KEPT), deadline }).await?;
    Ok(())
}

/// What is held and may be told now, and when a backlog was last worked on.
pub(super) async fn ripe(
    store: &FactStore<impl Table>,
    now: EventTime,
    deadline: Instant,
) -> Result<(Vec<Shard<Waiting>>, Option<EventTime>), Trouble> {
    let activity = shared::load::<Activity>(store, &[ACTIVITY.to_owned()], deadline).await?;
    let newest = activity.into_iter().find_map(|shard| shard.value.newest);
    let is_over = newest.is_none_or(|newest| now >= newest.plus(QUIET));
    let mut shards = shared::load::<Waiting>(store, &shared::names("held", SHARDS), deadline).await?;
    shards.retain(|Shard { value: Waiting { since, batches }, .. }| {
        !batches.is_empty() && (is_over || since.is_some_and(|since| now >= since.plus(LONGEST)))
    });
    Ok((shards, newest))
}

/// The keys in rows of these names, as far as this program has their detectors.
pub(super) async fn keys(
    store: &FactStore<impl Table>,
    names: &[String],
    kinds: &[Box<dyn Kind>],
    deadline: Instant,
) -> Result<BTreeMap<FactKey, EventTime>, Trouble> {
    let mut all = HeldKeys::default();
    for names in names.chunks(READ_BATCH) {
        for row in shared::load::<HeldKeys>(store, names, deadline).await? {
            all.join(&row.value);
        }
    }
    let key = |((detector, key), since): (&(String, Key), &EventTime)| {
        let kind = kinds.iter().position(|kind| kind.name() == detector)?;
        Some((FactKey::new(u8::try_from(kind).ok()?, key.clone()), *since))
    };
    Ok(all.0.iter().filter_map(key).collect())
}

/// What these rows hold is told: forgets them, and nothing that was held back since.
pub(super) async fn told(
    store: &FactStore<impl Table>,
    shard: &str,
    names: &[String],
    lasts: Lasts,
) -> Result<(), Trouble> {
    shared::change(store, shard, lasts, |waiting: &mut Waiting| waiting.without(names)).await?;
    for name in names {
        // What stays behind is named by nobody, and expires.
        let _ = timeout_at(lasts.deadline, store.table().delete(name)).await;
    }
    Ok(())
}

/// Rows about what is held are kept until then.
pub(super) fn expires(now: EventTime) -> EventTime {
    now.plus(KEPT)
}

impl<T: Table> Desk<'_, T> {
    /// Holds back what a backlog shows, less what is known to be told, and every key of it whose judgement rests on facts of
    /// others: those may still come. Answers with what may be told now, and with the keys that could not be held back.
    pub(super) async fn hold_back(
        &mut self,
        (found, leaning): (Vec<Found>, BTreeSet<FactKey>),
        batch: &Batch,
        when: When,
        report: &mut Report,
    ) -> (Vec<Found>, BTreeMap<FactKey, Trouble>) {
        let is_old = |objects: &[usize]| batch.any_before(objects, when.now.plus(-OLD));
        let mut keys: BTreeSet<FactKey> = leaning;
        keys.retain(|key| when.is_backlog_under_way || is_old(&batch.touched[key].objects));
        let mut rest = Vec::new();
        for one in found {
            let is_news = self.is_news(&one.finding.id(), one.finding.severity);
            match &one.key {
                Some(key) if is_news && is_old(&one.objects) => {
                    report.alerts.found += 1;
                    report.alerts.held += 1;
                    keys.insert(key.clone());
                }
                _ => rest.push(one),
            }
        }
        let mut troubles = BTreeMap::new();
        if !keys.is_empty()
            && let Err(trouble) = self.hold(&keys, batch, when).await
        {
            troubles.extend(keys.into_iter().map(|key| (key, trouble.clone())));
        }
        (rest, troubles)
    }

    /// Writes down keys that are to be judged once the backlog is worked off: the keys first, then their row's name.
    async fn hold(&mut self, keys: &BTreeSet<FactKey>, batch: &Batch, when: When) -> Result<(), Trouble> {
        let When { now, process, number, .. } = when;
        let named =
            |key: &FactKey| ((self.kind(key).name().to_owned(), key.key.clone()), batch.touched[key].since);
        let held = HeldKeys(keys.iter().map(named).collect());
        let lasts = Lasts { expires: expires(now), deadline: self.deadline };
        let name = format!("held-keys#{process:016x}#{number}");
        self.counts.reads += 2;
        self.counts.writes += 2;
        shared::merge(self.store, &name, &held, lasts).await?;
        let waiting = Waiting { since: Some(now), batches: [name].into() };
        let shard = &shared::names("held", SHARDS)[process as usize % SHARDS];
        shared::merge(self.store, shard, &waiting, lasts).await?;
        Ok(())
    }
}

/// When a batch is handled, by whom, and as their how manieth.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    pub(super) now: EventTime,
    pub(super) process: u64,
    pub(super) number: u64,
    /// A backlog is being worked off, here or elsewhere.
    pub(super) is_backlog_under_way: bool,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trailhound_detectors::ledger::Class;

    use super::*;
    use crate::store::MemoryTable;

    const NOW: EventTime = EventTime(1_772_409_600);

    fn waiting(batch: &str) -> Waiting {
        Waiting { since: Some(NOW), batches: [batch.to_owned()].into() }
    }

    fn lasts() -> Lasts {
        Lasts { expires: expires(NOW), deadline: Instant::now() + Duration::from_secs(60) }
    }

    #[tokio::test]
    async fn what_is_held_waits_for_quiet_and_never_for_long() {
        let store = FactStore::new(MemoryTable::default());
        let row = &shared::names("held", SHARDS)[3];
        shared::merge(&store, row, &waiting("one"), lasts()).await.unwrap();
        let deadline = lasts().deadline;
        let count = async |now: EventTime| ripe(&store, now, deadline).await.unwrap().0.len();
        assert_eq!(count(NOW).await, 1, "no backlog is known");
        note_activity(&store, NOW, deadline).await.unwrap();
        assert_eq!((count(NOW.plus(QUIET - 1)).await, count(NOW.plus(QUIET)).await), (0, 1));
        note_activity(&store, NOW.plus(LONGEST), deadline).await.unwrap();
        assert_eq!((count(NOW.plus(LONGEST - 1)).await, count(NOW.plus(LONGEST)).await), (0, 1));
    }

    #[tokio::test]
    async fn what_is_held_back_while_others_are_told_stays_held() {
        let store = FactStore::new(MemoryTable::default());
        let row = &shared::names("held", SHARDS)[3];
        shared::merge(&store, row, &waiting("one"), lasts()).await.unwrap();
        let being_told = ripe(&store, NOW, lasts().deadline).await.unwrap().0.remove(0).value.some();
        shared::merge(&store, row, &waiting("two"), lasts()).await.unwrap();
        told(&store, row, &being_told, lasts()).await.unwrap();
        let left = ripe(&store, NOW, lasts().deadline).await.unwrap().0.remove(0);
        assert_eq!(left.value, waiting("two"));
        told(&store, row, &left.value.some(), lasts()).await.unwrap();
        assert!(ripe(&store, NOW, lasts().deadline).await.unwrap().0.is_empty());
    }

    #[tokio::test]
    async fn keys_come_back_as_they_were_held() {
        let store = FactStore::new(MemoryTable::default());
        let key = Key { class: Class(0), account: "111122223333".into(), entity: "b".into() };
        let of = |detector: &str, since| HeldKeys([((detector.to_owned(), key.clone()), since)].into());
        shared::merge(&store, "one", &of("policy_change", NOW.plus(9)), lasts()).await.unwrap();
        shared::merge(&store, "two", &of("policy_change", NOW), lasts()).await.unwrap();
        shared::merge(&store, "three", &of("of_the_future", NOW), lasts()).await.unwrap();
        let names = ["one", "two", "three", "gone"].map(str::to_owned);
        let found = keys(&store, &names, &super::super::kind::kinds(), lasts().deadline).await.unwrap();
        assert_eq!(found, BTreeMap::from([(FactKey::new(0, key), NOW)]));
    }
}
