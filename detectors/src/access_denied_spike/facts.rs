//! What is remembered of refusals.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use super::firsts::Firsts;
use super::message::Cause;
use super::observe::Lately;
use super::summary::{Detail, Summary};
use crate::action::stable_hash;
use crate::actor::ActorKind;
use crate::few::Few;
use crate::finding::Evidence;
use crate::gathering::{Gathering, Total};
use crate::lattice::{Distinct, Join, Max, Sample, Set};
use crate::ledger::Facts;
use crate::time::EventTime;
use crate::window::{Bucket, Windows};

/// Hours with fewer refusals in their busiest window leave no peak: below every threshold that can be configured.
pub(crate) const FLOOR: u64 = 3;
/// From this many different actions on, refusals are no single mistake repeated. With fewer, or of fewer services, no window
/// is told for its breadth.
pub(crate) const SEVERAL_ACTIONS: u64 = 3;
/// A window as large as on this many days is ordinary: a burst is larger than what
/// [`Usual::OnTwoDays`](crate::baseline::Usual::OnTwoDays) expects.
const ORDINARY_DAYS: usize = 2;
/// Pieces of evidence of a window.
pub(crate) const EVIDENCE: usize = 8;
/// Other parties kept by name: the actors behind an address, the roles an actor tried.
pub(super) const PARTIES: usize = 16;

/// One minute of refusals of one key.
pub(crate) type Minute = Gathering<Refusals>;

/// What is seen of one refusal under one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Sighting {
    pub(crate) evidence: Evidence,
    pub(crate) refused: Arc<Refused>,
    /// The other side: source of an actor, actor of a source, target role. Empty when there is none.
    pub(crate) party: Arc<str>,
}

/// What a refusal has in common with others like it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// The call: [`ActionId`](crate::action::ActionId).
    pub(crate) action: u64,
    /// The hash of the service's name.
    pub(crate) service: u64,
    pub(crate) only_reads: bool,
    pub(crate) cause: Cause,
    /// From a console session.
    pub(crate) console: bool,
    /// The label of the grave call that was refused.
    pub(crate) grave: Option<Arc<str>>,
    /// The policy that denied; empty when none is told.
    pub(crate) policy: Arc<str>,
    pub(crate) region: Arc<str>,
    pub(crate) account: Arc<str>,
}

/// What many refusals of a minute add up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refusals {
    calls: Distinct,
    detail: Detail<Distinct>,
}

impl Total for Refusals {
    type Sighting = Sighting;

    fn add(&mut self, call: u64, sighting: &Sighting) {
        let Sighting { evidence, refused, party } = sighting;
        let Self { calls, detail } = self;
        calls.insert_hash(call);
        detail.causes.entry(refused.cause).or_default().insert_hash(call);
        let actions = if refused.only_reads { &mut detail.reads } else { &mut detail.writes };
        actions.insert_hash(refused.action);
        detail.services.insert_hash(refused.service);
        if refused.console {
            detail.console.insert_hash(call);
        }
        if !party.is_empty() {
            detail.parties.insert_hash(stable_hash(party.as_bytes()));
            if let Some(calls) = detail.named.grow_shared(party) {
                calls.insert_hash(call);
            }
        }
        if let Some(grave) = &refused.grave {
            detail.grave.grow_shared(grave);
        }
        if !refused.policy.is_empty() {
            detail.policies.grow_shared(&refused.policy);
        }
        detail.regions.grow_shared(&refused.region);
        detail.accounts.grow_shared(&refused.account);
        if detail.sample.wants(evidence.time) {
            detail.sample.insert(evidence.clone());
        }
    }

    fn are_copies(one: &Sighting, other: &Sighting) -> bool {
        one.evidence.is_copy_of(&other.evidence) && one.refused == other.refused && one.party == other.party
    }
}

impl Join for Refusals {
    fn join(&mut self, other: &Self) {
        self.calls.join(&other.calls);
        self.detail.join(&other.detail);
    }
}

impl Bucket for Minute {
    type Summary = Summary;

    fn count(&self) -> u64 {
        match self {
            Self::Few(few) => few.calls(),
            Self::Many(refusals) => refusals.calls.count(),
        }
    }

    fn summarise(minutes: &[&Self]) -> Summary {
        let mut all = Refusals::default();
        for minute in minutes {
            minute.add_to(&mut all);
        }
        Summary::from(all.detail.sized(|set| Max(set.count())))
    }
}

/// The different actions refused in a minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Actions(pub(crate) Distinct);

impl Join for Actions {
    fn join(&mut self, other: &Self) {
        self.0.join(&other.0);
    }
}

impl Bucket for Actions {
    type Summary = ();

    fn count(&self) -> u64 {
        self.0.count()
    }

    fn summarise(_: &[&Self]) {}

    fn together(minutes: &[(i64, &Self, u64)], sum: u64) -> u64 {
        if minutes.len() < 2 {
            return sum;
        }
        let mut all = Distinct::default();
        minutes.iter().for_each(|(_, minute, _)| all.join(&minute.0));
        all.count()
    }
}

/// One minute of refusals by actor: what is usual among those like a key. Counts as the `RANK`-th busiest of them, from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Peers<const RANK: usize>(pub(crate) Gathering<ByActor>);

/// Calls by actor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ByActor(Few<Distinct, PARTIES>);

impl Total for ByActor {
    /// The actor.
    type Sighting = Arc<str>;

    fn add(&mut self, call: u64, actor: &Arc<str>) {
        if let Some(calls) = self.0.grow_shared(actor) {
            calls.insert_hash(call);
        }
    }
}

impl Join for ByActor {
    fn join(&mut self, other: &Self) {
        self.0.join(&other.0);
    }
}

impl<const RANK: usize> Join for Peers<RANK> {
    fn join(&mut self, other: &Self) {
        self.0.join(&other.0);
    }
}

impl<const RANK: usize> Bucket for Peers<RANK> {
    type Summary = ();

    fn count(&self) -> u64 {
        let mut counts = match &self.0 {
            // An actor once a call, so there are as many calls as sightings.
            Gathering::Few(few) => by_actor(&few.in_order()),
            Gathering::Many(_) => None,
        }
        .unwrap_or_else(|| self.0.total().0.iter().map(|(_, calls)| calls.count()).collect());
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.get(RANK).copied().unwrap_or(0)
    }

    fn summarise(_: &[&Self]) {}
}

/// How many calls there are by each of a few actors; nothing when more actors than are remembered made them.
fn by_actor(few: &[(u64, Arc<str>)]) -> Option<Vec<u64>> {
    let mut actors: Vec<(&Arc<str>, u64)> = Vec::new();
    for (_, actor) in few {
        match actors.iter_mut().find(|(known, _)| *known == actor) {
            Some((_, calls)) => *calls += 1,
            None => actors.push((actor, 1)),
        }
    }
    (actors.len() <= PARTIES).then(|| actors.into_iter().map(|(_, calls)| calls).collect())
}

/// What is remembered of one key; which parts are used depends on its class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// Refusals.
    pub(crate) windows: Windows<Minute>,
    /// Of an actor's calls, how many different actions were refused.
    pub(crate) breadth: Windows<Actions>,
    /// The busiest of the actors alike: one bad sibling is enough to be usual.
    pub(crate) siblings: Windows<Peers<0>>,
    /// The second busiest of an account's actors: one noisy actor must not hide the others.
    pub(crate) neighbours: Windows<Peers<1>>,
    /// What sort of caller the key is: one, as a rule.
    pub(crate) kinds: Set<ActorKind>,
    /// By day, the first refusal of each thing: of each action to an actor, of each user from an address.
    pub(crate) firsts: BTreeMap<i64, Firsts>,
    /// By hour, the first sign-ins that succeeded.
    pub(crate) sign_ins: BTreeMap<i64, Sample<4>>,
    /// What was changed in an account on a day.
    pub(crate) changes: Changes,
}

impl Join for Remembered {
    fn join(&mut self, other: &Self) {
        self.windows.join(&other.windows);
        self.breadth.join(&other.breadth);
        self.siblings.join(&other.siblings);
        self.neighbours.join(&other.neighbours);
        self.kinds.join(&other.kinds);
        self.firsts.join(&other.firsts);
        self.sign_ins.join(&other.sign_ins);
        self.changes.join(&other.changes);
    }

    fn covers(&self, other: &Self) -> bool {
        self.windows.covers(&other.windows)
            && self.breadth.covers(&other.breadth)
            && self.siblings.covers(&other.siblings)
            && self.neighbours.covers(&other.neighbours)
            && self.kinds.covers(&other.kinds)
            && self.firsts.covers(&other.firsts)
            && self.sign_ins.covers(&other.sign_ins)
            && self.changes.covers(&other.changes)
    }
}

impl Remembered {
    /// Leaves of hours that can't be told of, from one on, how many refusals they had. What is refused all day would
    /// otherwise be remembered in all detail, hour by hour.
    fn thin_out(&mut self, from: i64) {
        let breadth = self.breadth.closed_days();
        for (hour, peak) in self.windows.ordinary(from, ORDINARY_DAYS) {
            let (actions, services) = (peak.summary.actions(), peak.summary.services.0);
            // Where breadth is no fact nothing is told for it.
            let is_narrow = breadth.is_empty() || actions.min(services) < SEVERAL_ACTIONS;
            if is_narrow || breadth.was_usual(EventTime::of_hour(hour).day(), actions, ORDINARY_DAYS) {
                peak.summary.thin_out();
            }
        }
    }
}

impl Facts for Remembered {
    type Memo = Lately;
    type Notes = ();

    /// It says nothing of facts.
    fn let_go(_: &mut Self::Memo) {}

    fn close(&mut self, closed: i64) -> bool {
        let first = self.windows.first_open_hour();
        // Each of them is to be closed, whatever the others say.
        let is_open = self.windows.close(closed, FLOOR)
            | self.breadth.close(closed, u64::MAX)
            | self.siblings.close(closed, u64::MAX)
            | self.neighbours.close(closed, u64::MAX);
        if let Some(hour) = first.filter(|_| self.windows.first_open_hour() != first) {
            self.thin_out(hour);
        }
        is_open
    }

    fn forget(&mut self, horizon: EventTime) {
        self.windows.forget(horizon);
        self.breadth.forget(horizon);
        self.siblings.forget(horizon);
        self.neighbours.forget(horizon);
        self.firsts = self.firsts.split_off(&horizon.day());
        self.sign_ins = self.sign_ins.split_off(&horizon.hour());
        self.changes.forget(horizon);
    }
}
