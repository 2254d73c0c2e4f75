//! What is remembered of a key.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bottom::Bottom;
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
    /// What windows don't show: how much a day, and the first of it.
    pub(super) days: BTreeMap<i64, Day>,
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
}

impl Facts for Remembered {
    fn close(&mut self, closed: i64) -> bool {
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Minute {
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
    pub(super) calls: Bottom<CALLS, Call>,
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

impl Join for Minute {
    fn join(&mut self, other: &Self) {
        self.counted.join(&other.counted);
        self.of_names |= other.of_names;
        self.shape.join(&other.shape);
    }
}

impl Bucket for Minute {
    type Summary = Shape;

    fn count(&self) -> u64 {
        self.counted.count()
    }

    fn summarise(minutes: &[&Self]) -> Shape {
        let mut shape = Shape::default();
        for minute in minutes {
            shape.join(&minute.shape);
        }
        shape
    }

    fn together(minutes: &[(i64, &Self, u64)], sum: u64) -> u64 {
        let [(_, first, _), others @ ..] = minutes else { return sum };
        if !first.of_names || others.is_empty() {
            return sum;
        }
        let mut names = first.counted.clone();
        others.iter().for_each(|(_, minute, _)| names.join(&minute.counted));
        names.count()
    }
}

/// One day of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Day {
    /// What the family counts, over the whole day.
    pub(super) counted: Bottom<32>,
    /// The first event.
    pub(super) first: Sample<1>,
}

impl Join for Day {
    fn join(&mut self, other: &Self) {
        self.counted.join(&other.counted);
        self.first.join(&other.first);
    }
}
