//! What is remembered of a key.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bottom::Bottom;
use super::told::Told;
use crate::action::stable_hash;
use crate::finding::Evidence;
use crate::gathering::{Gathering, Total};
use crate::lattice::{Distinct, Join, Sample};
use crate::ledger::Facts;
use crate::time::EventTime;
use crate::window::{Bucket, Windows};

/// How many calls of a minute or window are kept to tell who drives it.
pub(super) const CALLS: usize = 32;
/// Fewer different names than this are counted exactly.
pub(super) const NAMES: usize = 64;
/// How many events of a window are kept as evidence.
pub(super) const EVIDENCE: usize = 5;
/// How many accounts are remembered to look for siblings in.
pub(super) const ACCOUNTS: usize = 256;

/// How many keys are remembered of those that have something in common.
const KIN: usize = 32;

/// A window as large as on this many days is ordinary: never above what [`Usual`](crate::baseline::Usual) calls usual.
const ORDINARY_DAYS: usize = 3;

/// A key's facts. Bounded by its minutes within the lateness horizon, its unusual hours, and its days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// The first event.
    pub(super) since: Since,
    /// Windows with fewer are no candidates: the family's, so the same in all facts of one key.
    pub(super) least: u64,
    /// The calls.
    pub(super) calls: Windows<Minute>,
    /// What windows don't show: how much a day, and the first of it. Of a family that grows each day with a call is listed until
    /// it is forgotten, and what is in a minute is counted when that is closed: see [`Remembered::days`].
    days: BTreeMap<i64, Day>,
    /// The accounts that were seen; of the one key that stands for them all.
    pub(super) accounts: Bottom<ACCOUNTS, Arc<str>>,
    /// The account and entity of keys that have something in common; of a key that stands for them.
    pub(super) kin: Bottom<KIN, Arc<str>>,
}

impl Join for Remembered {
    fn join(&mut self, other: &Self) {
        self.since.join(&other.since);
        self.least = self.least.max(other.least);
        self.calls.join(&other.calls);
        self.days.join(&other.days);
        self.accounts.join(&other.accounts);
        self.kin.join(&other.kin);
    }

    fn covers(&self, other: &Self) -> bool {
        self.since.covers(&other.since)
            && self.least >= other.least
            && self.calls.covers(&other.calls)
            && self.days.covers(&other.days)
            && self.accounts.covers(&other.accounts)
            && self.kin.covers(&other.kin)
    }

    fn absorb(&mut self, other: Self) {
        self.since.join(&other.since);
        self.least = self.least.max(other.least);
        self.calls.absorb(other.calls);
        self.days.absorb(other.days);
        self.accounts.join(&other.accounts);
        self.kin.join(&other.kin);
    }
}

impl Remembered {
    /// The bucket of the minute `time` falls into, of a day that is counted.
    pub(super) fn minute_of_counted_day(&mut self, time: EventTime) -> &mut Minute {
        let Self { calls, days, .. } = self;
        let minute = calls.minute(time);
        if minute.is_empty() {
            days.entry(time.day()).or_default();
        }
        minute
    }

    /// What is counted of each day, open minutes included.
    pub(super) fn days(&self) -> Cow<'_, BTreeMap<i64, Day>> {
        if self.days.is_empty() || self.calls.open().is_empty() {
            return Cow::Borrowed(&self.days);
        }
        let mut days = self.days.clone();
        count_days(&mut days, self.calls.open());
        Cow::Owned(days)
    }

    /// How many days are counted.
    pub(super) fn counted_days(&self) -> usize {
        self.days.len()
    }

    /// What is counted of a day.
    #[cfg(test)]
    pub(super) fn counted_on(&mut self, day: i64) -> &mut Bottom<DAY> {
        &mut self.days.entry(day).or_default().counted
    }
}

fn count_days(days: &mut BTreeMap<i64, Day>, minutes: &[(i64, Minute)]) {
    for (minute, calls) in minutes {
        if let Some(day) = days.get_mut(&EventTime::of_minute(*minute).day()) {
            day.count(calls);
        }
    }
}

impl Facts for Remembered {
    type Memo = Told;
    type Notes = ();

    /// It says nothing of facts.
    fn let_go(_: &mut Self::Memo) {}

    fn close(&mut self, closed: i64) -> bool {
        count_days(&mut self.days, self.calls.about_to_close(closed));
        let is_open = self.calls.close(closed, self.least);
        self.calls.drop_ordinary(ORDINARY_DAYS);
        is_open
    }

    fn forget(&mut self, horizon: EventTime) {
        self.calls.forget(horizon);
        self.days = self.days.split_off(&horizon.day());
    }
}

/// The earliest of some times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Since(pub(super) Option<EventTime>);

impl Since {
    /// Takes in a time; whether it is the earliest so far.
    pub(super) fn touch(&mut self, time: EventTime) -> bool {
        let is_earlier = self.0.is_none_or(|known| time < known);
        if is_earlier {
            self.0 = Some(time);
        }
        is_earlier
    }
}

impl Join for Since {
    fn join(&mut self, other: &Self) {
        if let Some(time) = other.0 {
            self.touch(time);
        }
    }
}

/// One minute of one key.
pub(super) type Minute = Gathering<Calls>;

/// What is seen of one call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Sighting {
    /// The record.
    pub(super) evidence: Evidence,
    /// What is told of it.
    pub(super) call: Arc<Call>,
    /// How it counts; nothing where it counts once, and names what [`Call::name`] says or nothing.
    pub(super) measure: Option<Arc<Measure>>,
}

/// How a call counts that does not simply count once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Measure {
    /// Its names count instead of the call.
    pub(super) counts_names: bool,
    /// How many processors it started; as one call at least.
    pub(super) processors: u64,
    /// Hashes of its names.
    pub(super) names: Box<[u64]>,
}

/// What many calls of a minute add up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Calls {
    /// What the family counts: calls, different names, processors.
    pub(super) counted: Distinct,
    /// Names are counted, and one may be in several minutes.
    pub(super) of_names: bool,
    /// The rest, as it is summed up over a window.
    pub(super) shape: Shape,
}

/// What is known of the calls of a minute or window beside their number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// Hashes of the different names among them: secrets, instance types; the requests behind attempts.
    pub(super) names: Bottom<NAMES>,
    /// A sample of the calls.
    pub(super) calls: Bottom<CALLS, Arc<Call>>,
    /// The first of them.
    pub(super) evidence: Sample<EVIDENCE>,
}

/// One sampled call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Call {
    /// What the key does not say: the actor behind a call to the key, or what an actor that is the key called.
    pub(super) other: Arc<str>,
    /// What is told apart within the key: the instance type, the secret. Empty without one.
    pub(super) name: Arc<str>,
    /// `sourceIPAddress`.
    pub(super) source: Arc<str>,
    /// The session's name. A function's own calls bear its name.
    pub(super) session: Arc<str>,
    /// `requestParameters.sourceArn`: what made a service call a function.
    pub(super) trigger: Arc<str>,
    /// `awsRegion`.
    pub(super) region: Arc<str>,
}

impl Join for Shape {
    fn join(&mut self, other: &Self) {
        self.names.join(&other.names);
        self.calls.join(&other.calls);
        self.evidence.join(&other.evidence);
    }
}

impl Join for Calls {
    fn join(&mut self, other: &Self) {
        self.counted.join(&other.counted);
        self.of_names |= other.of_names;
        self.shape.join(&other.shape);
    }
}

impl Shape {
    fn name(&mut self, measure: Option<&Measure>, name: &str) {
        match measure {
            Some(measure) => measure.names.iter().for_each(|name| self.names.insert_with(*name, || ())),
            None if name.is_empty() => {}
            None => self.names.insert_with(stable_hash(name.as_bytes()), || ()),
        }
    }

    fn sample(&mut self, call: u64, (evidence, told): (&Evidence, &Arc<Call>)) {
        self.calls.insert_with(call, || Arc::clone(told));
        if self.evidence.wants(evidence.time) {
            self.evidence.insert(evidence.clone());
        }
    }
}

impl Calls {
    /// Counts a call and what it names, without sampling it.
    pub(super) fn count(&mut self, call: u64, measure: Option<&Measure>, name: &str) {
        self.of_names |= measure.is_some_and(|measure| measure.counts_names);
        counted(call, measure, |hash| self.counted.insert_hash(hash));
        self.shape.name(measure, name);
    }
}

/// Everything that counts of a call, as hashes.
fn counted(call: u64, measure: Option<&Measure>, mut count: impl FnMut(u64)) {
    match measure {
        Some(measure) if measure.counts_names => measure.names.iter().copied().for_each(count),
        _ => {
            count(call);
            for processor in 1..measure.map_or(1, |measure| measure.processors) {
                count(stable_hash(&[call, processor].map(u64::to_le_bytes).concat()));
            }
        }
    }
}

impl Total for Calls {
    type Sighting = Sighting;

    fn add(&mut self, call: u64, sighting: &Sighting) {
        let Sighting { evidence, call: told, measure } = sighting;
        self.count(call, measure.as_deref(), &told.name);
        self.shape.sample(call, (evidence, told));
    }

    fn are_copies(one: &Sighting, other: &Sighting) -> bool {
        one.evidence.is_copy_of(&other.evidence) && one.call == other.call && one.measure == other.measure
    }
}

impl Bucket for Minute {
    type Summary = Shape;

    fn count(&self) -> u64 {
        match self {
            Self::Few(few) if few.as_they_came().iter().all(|(_, seen)| seen.measure.is_none()) => {
                few.calls()
            }
            Self::Few(_) => {
                let mut counted = Distinct::default();
                self.add_counted(&mut counted);
                counted.count()
            }
            Self::Many(calls) => calls.counted.count(),
        }
    }

    fn summarise(minutes: &[&Self]) -> Shape {
        let mut shape = Shape::default();
        for minute in minutes {
            match minute {
                Self::Few(few) => {
                    for (call, Sighting { evidence, call: told, measure }) in few.as_they_came() {
                        shape.name(measure.as_deref(), &told.name);
                        shape.sample(*call, (evidence, told));
                    }
                }
                Self::Many(calls) => shape.join(&calls.shape),
            }
        }
        shape
    }

    fn together(minutes: &[(i64, &Self, u64)], sum: u64) -> u64 {
        if minutes.len() < 2 || !minutes[0].1.counts_names() {
            return sum;
        }
        let mut names = Distinct::default();
        minutes.iter().for_each(|(_, minute, _)| minute.add_counted(&mut names));
        names.count()
    }
}

impl Minute {
    /// Names are counted, and one may be in several minutes.
    fn counts_names(&self) -> bool {
        match self {
            Self::Few(few) => {
                let first = few.as_they_came().first();
                let measure = first.and_then(|(_, sighting)| sighting.measure.as_deref());
                measure.is_some_and(|measure| measure.counts_names)
            }
            Self::Many(calls) => calls.of_names,
        }
    }

    /// Adds all that counts.
    fn add_counted(&self, all: &mut Distinct) {
        match self {
            Self::Few(few) => few.as_they_came().iter().for_each(|(call, seen)| {
                counted(*call, seen.measure.as_deref(), |hash| all.insert_hash(hash));
            }),
            Self::Many(calls) => all.join(&calls.counted),
        }
    }
}

/// One day of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Day {
    /// What the family counts, over the whole day.
    pub(super) counted: Bottom<DAY>,
    /// The first event.
    pub(super) first: Sample<1>,
}

impl Day {
    /// Counts what is in one of its minutes.
    fn count(&mut self, minute: &Minute) {
        let Self { counted: sample, first } = self;
        let mut take = |evidence: &Evidence| {
            if first.wants(evidence.time) {
                first.insert(evidence.clone());
            }
        };
        match minute {
            Minute::Few(few) => {
                for (call, Sighting { evidence, measure, .. }) in few.as_they_came() {
                    counted(*call, measure.as_deref(), |hash| sample.insert_with(hash, || ()));
                    take(evidence);
                }
            }
            // Both samples are at least as large as the day's.
            Minute::Many(calls) => {
                let Shape { names, calls: called, evidence } = &calls.shape;
                if minute.counts_names() {
                    names.hashes().for_each(|name| sample.insert_with(name, || ()));
                } else {
                    called.hashes().for_each(|call| sample.insert_with(call, || ()));
                }
                evidence.iter().for_each(take);
            }
        }
    }
}

/// How large a sample the calls of a day are counted by.
const DAY: usize = 32;
const _: () =
    assert!(DAY <= CALLS && DAY <= NAMES && 1 <= EVIDENCE, "a day's samples are made of its minutes'");

impl Join for Day {
    fn join(&mut self, other: &Self) {
        self.counted.join(&other.counted);
        self.first.join(&other.first);
    }
}
